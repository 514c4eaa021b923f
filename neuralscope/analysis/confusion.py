"""The confusion matrix: which class was taken for which, and what changed between two networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


def confusion_counts(
    true: npt.ArrayLike, predicted: npt.ArrayLike, n_classes: int
) -> npt.NDArray[np.int64]:
    """Count how often each class was taken for each.

    Args:
        true: (n,), the true classes.
        predicted: (n,), the network's answers.
        n_classes: Number of classes.

    Returns:
        (n_classes, n_classes), true classes as rows, predicted ones as columns.

    >>> confusion_counts([0, 0, 1], [0, 1, 1], n_classes=2)
    array([[1, 1],
           [0, 1]])
    """
    pairs = np.asarray(true, np.int64) * n_classes + np.asarray(predicted, np.int64)
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


# Answers and the examples behind a cell ----------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Answers:
    """What a network said to each example. All arrays (n,).

    Attributes:
        true: The true classes.
        predicted: The most probable class of each; the lowest number where several are.
        confidence: The probability given to that class, 0 to 1.
    """

    true: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]

    @property
    def is_right(self) -> npt.NDArray[np.bool_]:
        """Whether each answer is the true class, (n,)."""
        right: npt.NDArray[np.bool_] = self.predicted == self.true
        return right

    def surest_first(self, which: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Order examples by the confidence in their answer, falling; equals keep their order.

        Args:
            which: Indices of examples, (m,).
        """
        chosen = np.asarray(which, np.int64)
        order = np.argsort(-self.confidence[chosen], kind="stable")
        return chosen[order]

    def in_cell(self, true: int, predicted: int) -> npt.NDArray[np.int64]:
        """Return the examples behind one cell of the matrix, the surest first."""
        return self.surest_first(
            np.flatnonzero((self.true == true) & (self.predicted == predicted))
        )


def read_answers(probabilities: npt.ArrayLike, true: npt.ArrayLike) -> Answers:
    """Read the answers off a network's probabilities.

    A network whose weights have grown beyond all bounds says 'not a number'; that counts as no
    confidence at all.

    Args:
        probabilities: (n, classes).
        true: (n,), the true classes.

    >>> read_answers([[0.2, 0.8], [0.5, 0.5]], [1, 1]).predicted
    array([1, 0])
    """
    said = np.nan_to_num(np.asarray(probabilities), nan=0.0)
    predicted = said.argmax(axis=1)
    confidence = said[np.arange(len(said)), predicted].astype(np.float64)
    return Answers(np.asarray(true, np.int64), predicted, confidence)


# The worst cells ---------------------------------------------------------------------------------


class Confusion(NamedTuple):
    """One kind of mistake.

    Attributes:
        true: What the examples are.
        predicted: What they were taken for.
        times: How many.
        share: Of all examples of the true class, 0 to 1.
    """

    true: int
    predicted: int
    times: int
    share: float


def most_confused(counts: npt.NDArray[np.integer], most: int) -> list[Confusion]:
    """Return the most frequent kinds of mistake, at most `most`; of equals the larger share first.

    Args:
        counts: (classes, classes), as `confusion_counts` returns it.
        most: How many to return.

    >>> most_confused(np.array([[9, 1], [3, 7]]), most=1)
    [Confusion(true=1, predicted=0, times=3, share=0.3)]
    """
    of_class = counts.sum(axis=1)
    found = [
        Confusion(true, predicted, count, count / int(of_class[true]))
        for true, row in enumerate(counts.tolist())
        for predicted, count in enumerate(row)
        if count and true != predicted
    ]
    return sorted(found, key=lambda each: (-each.times, -each.share))[:most]


# Two networks on the same examples ---------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Change:
    """What one network does otherwise than another, on the same examples.

    Attributes:
        counts: (classes, classes), matrix of the one less that of the other.
        became_right: Indices of examples that only the one gets right.
        became_wrong: Indices of examples that only the other gets right.
        chance: How probable it is that the two numbers would be so unequal or more so if the
            networks were equally good, 0 to 1.
    """

    counts: npt.NDArray[np.int64]
    became_right: npt.NDArray[np.int64]
    became_wrong: npt.NDArray[np.int64]
    chance: float


def compare_answers(
    before: npt.ArrayLike, after: npt.ArrayLike, true: npt.ArrayLike, n_classes: int
) -> Change:
    """Compare the answers of two networks, or of one at two moments.

    Args:
        before: (n,), the answers to compare with.
        after: (n,), the answers that are compared.
        true: (n,), the true classes.
        n_classes: Number of classes.
    """
    labels, old, new = (np.asarray(each, np.int64) for each in (true, before, after))
    was_right, is_right = old == labels, new == labels
    gained, lost = np.flatnonzero(is_right & ~was_right), np.flatnonzero(was_right & ~is_right)
    return Change(
        counts=confusion_counts(labels, new, n_classes) - confusion_counts(labels, old, n_classes),
        became_right=gained,
        became_wrong=lost,
        chance=_mcnemar(len(gained), len(lost)),
    )


def _mcnemar(gained: int, lost: int) -> float:
    """Exact McNemar test (McNemar 1947): two-sided, on the examples where the two differ.

    If both were equally good, each of the n = gained + lost would be a fair coin:

        p = min(1, 2 * sum over k <= min(gained, lost) of C(n, k) / 2^n)
    """
    n = gained + lost
    k = np.arange(1, min(gained, lost) + 1)
    # In logarithms, since 2^n is beyond any float: log C(n, k) = sum of log((n - i + 1) / i).
    log_ways = np.concatenate([[0.0], np.cumsum(np.log((n - k + 1) / k))])
    tail = float(np.exp(log_ways - n * np.log(2)).sum())
    return min(1.0, 2 * tail)
