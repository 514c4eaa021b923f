"""Deciding which images the network learns from, is tuned on and is finally judged by.

Indices, not data: a split is three sorted index arrays. It depends on the labels and a fixed
seed only, never on the seed of a run, so all runs on a data set are judged by the same images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]

SPLIT_SEED = 20_090_101


class Split(NamedTuple):
    """Sorted row indices into a table, disjoint and together all of it."""

    train: Indices
    validation: Indices
    test: Indices


def stratified_sample(labels: NDArray[np.integer], size: int, *, seed: int) -> Indices:
    """Draw `size` of the labels so that each class keeps its share, within one image.

    Args:
        labels: (n,) integers from 0.
        size: How many to draw, at most n.
        seed: Same seed, same draw, with any version of NumPy: the order comes from the raw
            stream of PCG64, which is fixed, not from methods of `Generator`, which are not.

    Returns:
        (size,) sorted indices.
    """
    if not 0 <= size <= labels.size:
        raise ValueError(f"cannot draw {size} of {labels.size} labels")
    return _draw(labels, proportional_quotas(np.bincount(labels), size), seed)


def class_sample(labels: NDArray[np.integer], one_in: int, *, seed: int) -> Indices:
    """Draw one in so many of each class, and at least one: rare classes are in every part.

    Args:
        labels: (n,) integers from 0.
        one_in: Of so many images of a class one is drawn, rounded.
        seed: Same seed, same draw; see `stratified_sample`.

    Returns:
        Sorted indices.
    """
    counts = np.bincount(labels).tolist()
    return _draw(labels, [max(round(count / one_in), min(count, 1)) for count in counts], seed)


def _draw(labels: NDArray[np.integer], quotas: Sequence[int], seed: int) -> Indices:
    """Draw so many of each class, in the order of tickets that every image is given."""
    tickets = np.random.PCG64(seed).random_raw(labels.size)
    drawn = []
    for label, quota in enumerate(quotas):
        members = np.flatnonzero(labels == label)
        order = np.argsort(tickets[members], kind="stable")
        drawn.append(members[order[:quota]])
    return np.sort(np.concatenate(drawn)) if drawn else np.empty(0, np.int64)


def proportional_quotas(counts: NDArray[np.integer], size: int) -> list[int]:
    """Share `size` among classes in proportion to `counts`, by largest remainders.

    Whole numbers only, so that no rounding of a machine decides; ties go to the lower label.

    >>> import numpy as np
    >>> proportional_quotas(np.array([50, 30, 20]), 7)
    [4, 2, 1]
    """
    total = int(counts.sum())
    if total == 0:
        return [0] * len(counts)
    exact = [divmod(int(count) * size, total) for count in counts]
    quotas = [whole for whole, _ in exact]
    by_remainder = sorted(range(len(exact)), key=lambda label: -exact[label][1])
    for label in by_remainder[: size - sum(quotas)]:
        quotas[label] += 1
    return quotas


def published_split(
    labels: NDArray[np.integer], *, n_test: int, n_validation: int, seed: int = SPLIT_SEED
) -> Split:
    """Keep the last `n_test` images as the test set; draw the validation set from the others."""
    n_learnable = labels.size - n_test
    validation = stratified_sample(labels[:n_learnable], n_validation, seed=seed)
    train = np.setdiff1d(np.arange(n_learnable), validation, assume_unique=True)
    return Split(train, validation, np.arange(n_learnable, labels.size))


def drawn_split(
    labels: NDArray[np.integer], *, n_test: int, n_validation: int, seed: int = SPLIT_SEED
) -> Split:
    """Draw a test and a validation set, for data that is published without a split."""
    everything = np.arange(labels.size)
    test = stratified_sample(labels, n_test, seed=seed)
    rest = np.setdiff1d(everything, test, assume_unique=True)
    # Another seed: with the same one the validation set would be drawn by leftover tickets.
    validation = rest[stratified_sample(labels[rest], n_validation, seed=seed + 1)]
    return Split(np.setdiff1d(rest, validation, assume_unique=True), validation, test)
