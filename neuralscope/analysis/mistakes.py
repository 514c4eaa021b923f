"""The examples that a network answers wrongly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Mistakes:
    """Wrong answers, the surest first. All arrays (n,).

    Attributes:
        index: Position of the example in its part of the data set.
        true: Its true class.
        predicted: What the network said.
        confidence: The probability it gave to that answer, 0 to 1.
        total: How many wrong answers there are in all.
    """

    index: npt.NDArray[np.int64]
    true: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    total: int


def worst_mistakes(probabilities: npt.ArrayLike, true: npt.ArrayLike, most: int) -> Mistakes:
    """Return the wrong answers of which the network was most sure, at most `most` of them.

    Args:
        probabilities: (n, classes), the network's answers.
        true: (n,), the true classes.
        most: How many to return.

    >>> worst_mistakes([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], [1, 1, 1], most=1).index
    array([0])
    """
    judged = judge(probabilities, true)
    wrong = np.flatnonzero(judged.is_wrong)
    index = choose_examples(judged, wrong, order="confidence")[:most]
    return Mistakes(
        index, judged.true[index], judged.predicted[index], judged.confidence[index], len(wrong)
    )


@dataclass(frozen=True, eq=False)
class Judgement:
    """How each answer compares with the truth. All arrays (n,).

    Attributes:
        true: The true class.
        predicted: What the network said.
        confidence: The probability it gave to that, 0 to 1.
        margin: How far that lies ahead of the true class; of the runner-up where it is right.
        loss: Cross-entropy, -log of the probability of the true class.
    """

    true: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    margin: npt.NDArray[np.float64]
    loss: npt.NDArray[np.float64]

    @property
    def is_wrong(self) -> npt.NDArray[np.bool_]:
        """Where the answer is not the true class, (n,)."""
        wrong: npt.NDArray[np.bool_] = self.predicted != self.true
        return wrong


def judge(probabilities: npt.ArrayLike, true: npt.ArrayLike) -> Judgement:
    """Compare each answer with the truth.

    Args:
        probabilities: (n, classes), at least two of them.
        true: (n,), the true classes.

    >>> judge([[0.75, 0.25], [0.75, 0.25]], [0, 1]).margin
    array([0.5, 0.5])
    """
    answers = np.asarray(probabilities)
    labels = np.asarray(true, np.int64)
    rows = np.arange(len(labels))
    predicted = answers.argmax(axis=1)
    confidence = answers[rows, predicted].astype(np.float64)
    of_true = answers[rows, labels].astype(np.float64)
    runner_up = np.partition(answers, -2, axis=1)[:, -2].astype(np.float64)
    rival = np.where(predicted == labels, runner_up, of_true)
    # A probability that was too small for a float32 is the smallest one, not an infinite loss.
    loss = -np.log(np.maximum(of_true, np.finfo(np.float32).smallest_subnormal))
    return Judgement(labels, predicted, confidence, confidence - rival, loss)


ORDERS: dict[str, Callable[[Judgement], npt.NDArray[np.float64]]] = {
    "loss": lambda judged: -judged.loss,
    "confidence": lambda judged: -judged.confidence,
    "margin": lambda judged: judged.margin,
}
"""What examples can be ordered by, the most telling first: the largest loss, the highest
confidence, the narrowest margin."""


def choose_examples(
    judged: Judgement,
    among: npt.ArrayLike,
    *,
    true: int | None = None,
    predicted: int | None = None,
    confidence: tuple[float, float] = (0.0, 1.0),
    order: str = "loss",
) -> npt.NDArray[np.intp]:
    """Return the positions of the examples that meet all conditions, in order.

    Args:
        judged: All answers.
        among: Positions to choose from, (m,); of equals, the first here comes first.
        true: Only those of this class.
        predicted: Only those taken for this class.
        confidence: Only those answered with a probability from here to there.
        order: Key of `ORDERS`; any other leaves them as they are in `among`.
    """
    chosen = np.asarray(among, np.intp)
    if true is not None:
        chosen = chosen[judged.true[chosen] == true]
    if predicted is not None:
        chosen = chosen[judged.predicted[chosen] == predicted]
    low, high = confidence
    sure = judged.confidence[chosen]
    # What is no number is outside of no range.
    chosen = chosen[~((sure < low) | (sure > high))]
    if order in ORDERS:
        chosen = chosen[np.argsort(ORDERS[order](judged)[chosen], kind="stable")]
    return chosen
