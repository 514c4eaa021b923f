"""The examples that a network answers wrongly."""

from __future__ import annotations

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
    answers = np.asarray(probabilities)
    labels = np.asarray(true, np.int64)
    predicted = answers.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    confidence = answers[wrong, predicted[wrong]].astype(np.float64)
    surest = np.argsort(-confidence, kind="stable")[:most]
    index = wrong[surest]
    return Mistakes(index, labels[index], predicted[index], confidence[surest], len(wrong))
