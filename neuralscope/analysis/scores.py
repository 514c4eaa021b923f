"""Precision, recall and F1: how good a network is at each class.

From the confusion matrix, for each class c, with

    TP = examples of c that were called c        (the diagonal)
    FP = examples of others that were called c   (the rest of the column)
    FN = examples of c that were called another  (the rest of the row)

    precision = TP / (TP + FP)     of what it calls c, the share that is c
    recall    = TP / (TP + FN)     of what is c, the share that it finds
    F1        = 2 TP / (2 TP + FP + FN)     their harmonic mean
    support   = TP + FN            how many examples of c there are

van Rijsbergen, Information Retrieval, 2nd edition 1979, chapter 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Average(NamedTuple):
    """Each score averaged over classes, 0 to 1; NaN where there is nothing to average."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, eq=False)
class ClassScores:
    """The scores of each class. All arrays (classes,); NaN where a score would be 0 / 0.

    Attributes:
        precision: NaN for a class that is never answered.
        recall: NaN for a class without examples.
        f1: NaN only if both hold.
        support: Examples of each class.
        macro: Mean over the classes that occur, each counting the same.
        weighted: Mean over the examples: each class counts by its support.
    """

    precision: Floats
    recall: Floats
    f1: Floats
    support: npt.NDArray[np.int64]
    macro: Average
    weighted: Average


def score_classes(counts: npt.NDArray[np.integer]) -> ClassScores:
    """Score each class, and all together.

    In the averages an undefined score counts as 0: a network that never answers 8 should not look
    better for it. A class that is neither there nor answered is left out.

    Args:
        counts: (classes, classes), true classes as rows, as `confusion_counts` returns it.

    >>> found = score_classes(np.array([[3, 1], [0, 4]]))
    >>> found.precision, found.recall, found.macro.recall
    (array([1. , 0.8]), array([0.75, 1.  ]), 0.875)
    """
    right = np.diagonal(counts).astype(np.float64)
    support = counts.sum(axis=1).astype(np.int64)
    answered = counts.sum(axis=0)
    each = (
        _ratio(right, answered),
        _ratio(right, support),
        _ratio(2 * right, support + answered),
    )
    occurs = (support + answered > 0).astype(np.float64)
    return ClassScores(
        *each,
        support=support,
        macro=Average(*(_mean(score, occurs) for score in each)),
        weighted=Average(*(_mean(score, support.astype(np.float64)) for score in each)),
    )


def _ratio(part: Floats, whole: npt.NDArray[np.integer]) -> Floats:
    ratio: Floats = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return ratio


def _mean(score: Floats, weight: Floats) -> float:
    total = float(weight.sum())
    return float(np.nan_to_num(score) @ weight) / total if total else float("nan")
