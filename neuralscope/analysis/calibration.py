"""Calibration: is a network right as often as its confidence says, and may it stay silent?

Confidence is the probability given to the answer. Of all answers given with 80 % confidence, 80 %
should be right. To see whether they are, answers are sorted into bins of equal width by their
confidence, and in each bin the mean confidence is held against the share that is right. The
expected calibration error sums up the distances, weighted by how many answers a bin holds:

    ECE = sum over bins b of  n_b / n * |accuracy_b - confidence_b|

Guo et al., On Calibration of Modern Neural Networks, 2017, https://arxiv.org/abs/1706.04599

A network that may say 'I don't know' when its confidence is below a threshold gives up answers to
make fewer errors. El-Yaniv and Wiener, On the Foundations of Noise-free Selective Classification,
2010, call this trade the risk-coverage curve.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

N_BINS = 10

Floats = npt.NDArray[np.float64]

_Z = 1.959963984540054  # the normal distribution has 95 % of its mass within +-z


@dataclass(frozen=True, eq=False)
class Reliability:
    """Confidence against accuracy. All arrays (bins,); NaN in a bin without answers.

    Attributes:
        low: Lower end of each bin; the bin is without it, except for the first one.
        high: Upper end; it belongs to the bin.
        count: Answers in it.
        confidence: Their mean confidence, 0 to 1.
        accuracy: Share of them that is right, 0 to 1.
        accuracy_low: Lower end of the 95 % Wilson interval of that share.
        accuracy_high: Its upper end.
        error: Expected calibration error, 0 to 1; NaN without any answer.
        mean_confidence: Over all answers.
        mean_accuracy: Over all answers.
    """

    low: Floats
    high: Floats
    count: npt.NDArray[np.int64]
    confidence: Floats
    accuracy: Floats
    accuracy_low: Floats
    accuracy_high: Floats
    error: float
    mean_confidence: float
    mean_accuracy: float


def reliability(
    confidence: npt.ArrayLike, is_right: npt.ArrayLike, n_bins: int = N_BINS
) -> Reliability:
    """Hold confidence against accuracy in bins of equal width.

    Args:
        confidence: (n,), probability given to each answer, 0 to 1.
        is_right: (n,), whether it is the true class.
        n_bins: Number of bins between 0 and 1.

    >>> reliability([0.9, 0.7], [True, False], n_bins=1).error
    0.30000000000000004
    """
    sure = np.asarray(confidence, np.float64)
    right = np.asarray(is_right, np.float64)
    edges = np.linspace(0.0, 1.0, n_bins + 1)
    bins = np.searchsorted(edges[1:-1], sure, side="left")
    count = np.bincount(bins, minlength=n_bins)
    some = count > 0

    def mean(values: Floats) -> Floats:
        sums = np.bincount(bins, weights=values, minlength=n_bins)
        means: Floats = np.divide(sums, count, out=np.full(n_bins, np.nan), where=some)
        return means

    said, was = mean(sure), mean(right)
    distance = np.abs(was[some] - said[some])
    low, high = _wilson(was, count)
    n = len(sure)
    return Reliability(
        low=edges[:-1],
        high=edges[1:],
        count=count,
        confidence=said,
        accuracy=was,
        accuracy_low=low,
        accuracy_high=high,
        error=float(distance @ count[some]) / n if n else np.nan,
        mean_confidence=float(sure.mean()) if n else np.nan,
        mean_accuracy=float(right.mean()) if n else np.nan,
    )


def _wilson(share: Floats, count: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """95 % interval of a share seen in so few (Wilson 1927); NaN stays NaN.

    centre = (p + z^2 / 2n) / (1 + z^2 / n)
    half   = z / (1 + z^2 / n) * sqrt(p (1 - p) / n + z^2 / 4n^2)
    """
    n = np.maximum(count, 1)
    shrink = 1 + _Z**2 / n
    centre = (share + _Z**2 / (2 * n)) / shrink
    half = _Z / shrink * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


# Refusing ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Refusal:
    """What comes of refusing every answer whose confidence is below a threshold.

    Attributes:
        threshold: Confidence from which on an answer is given.
        n: Examples in all.
        n_refused: Those not answered.
        n_wrong: Answers given that are wrong.
        n_wrong_refused: Wrong answers that were kept back.
    """

    threshold: float
    n: int
    n_refused: int
    n_wrong: int
    n_wrong_refused: int

    @property
    def share_refused(self) -> float:
        """Of all examples, 0 to 1."""
        return self.n_refused / self.n if self.n else 0.0

    @property
    def error(self) -> float:
        """Share of the answers given that are wrong, 0 to 1; NaN if none is given."""
        n_answered = self.n - self.n_refused
        return self.n_wrong / n_answered if n_answered else float("nan")


def refuse_below(confidence: npt.ArrayLike, is_right: npt.ArrayLike, threshold: float) -> Refusal:
    """Count what is refused and what is still wrong.

    Args:
        confidence: (n,), probability given to each answer, 0 to 1.
        is_right: (n,), whether it is the true class.
        threshold: An answer of exactly this confidence is given.

    >>> refuse_below([0.9, 0.7, 0.4], [True, False, False], 0.5).error
    0.5
    """
    refused = np.asarray(confidence, np.float64) < threshold
    wrong = ~np.asarray(is_right, np.bool_)
    return Refusal(
        threshold=threshold,
        n=len(refused),
        n_refused=int(refused.sum()),
        n_wrong=int((wrong & ~refused).sum()),
        n_wrong_refused=int((wrong & refused).sum()),
    )


@dataclass(frozen=True, eq=False)
class RefusalCurve:
    """What each possible threshold brings. All arrays (m,), threshold rising.

    Attributes:
        threshold: Every confidence that occurs: there are no other different outcomes.
        share_refused: Of all examples, 0 to below 1.
        error: Share of the answers given that are wrong, 0 to 1.
    """

    threshold: Floats
    share_refused: Floats
    error: Floats


def refusal_curve(confidence: npt.ArrayLike, is_right: npt.ArrayLike) -> RefusalCurve:
    """Return error against share refused for every threshold; equal confidences stay together.

    Args:
        confidence: (n,), probability given to each answer, 0 to 1.
        is_right: (n,), whether it is the true class.

    >>> refusal_curve([0.9, 0.7, 0.4, 0.4], [True, False, False, True]).error
    array([0.5, 0.5, 0. ])
    """
    sure = np.asarray(confidence, np.float64)
    wrong = ~np.asarray(is_right, np.bool_)
    n = len(sure)
    order = np.argsort(sure, kind="stable")
    threshold, first = np.unique(sure[order], return_index=True)
    wrong_from = np.cumsum(wrong[order][::-1])[::-1]  # wrong ones among this and all surer ones
    return RefusalCurve(
        threshold=threshold,
        share_refused=first / max(n, 1),
        error=wrong_from[first] / (n - first),
    )
