from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pytest

from neuralscope.data.split import (
    Split,
    class_sample,
    drawn_split,
    proportional_quotas,
    published_split,
    stratified_sample,
)

# 500, 300 and 200 of three classes, well mixed.
LABELS = np.array([0, 1, 0, 2, 0, 1, 0, 1, 0, 2] * 100)


@pytest.mark.parametrize(
    ("counts", "size", "quotas"),
    [
        ([50, 30, 20], 10, [5, 3, 2]),
        ([50, 30, 20], 7, [4, 2, 1]),  # 3.5, 2.1, 1.4: the largest remainder gets the last one
        ([1, 1, 1], 2, [1, 1, 0]),  # a tie goes to the lower label
        ([3, 0, 3], 2, [1, 0, 1]),
        ([3, 4], 7, [3, 4]),
        ([3, 4], 0, [0, 0]),
        ([0, 0], 0, [0, 0]),
    ],
)
def test_quotas_are_proportional_by_largest_remainders(
    counts: list[int], size: int, quotas: list[int]
) -> None:
    assert proportional_quotas(np.array(counts), size) == quotas


def test_a_sample_keeps_the_shares_of_the_classes() -> None:
    sample = stratified_sample(LABELS, 101, seed=0)
    # Shares are 50.5, 30.3 and 20.2.
    assert np.bincount(LABELS[sample]).tolist() == [51, 30, 20]


def test_a_sample_is_sorted_and_without_repetition() -> None:
    sample = stratified_sample(LABELS, 400, seed=0)
    assert np.all(np.diff(sample) > 0)
    assert sample.dtype == np.int64


def test_a_seed_decides_the_sample() -> None:
    first = stratified_sample(LABELS, 100, seed=1)
    np.testing.assert_array_equal(first, stratified_sample(LABELS, 100, seed=1))
    assert not np.array_equal(first, stratified_sample(LABELS, 100, seed=2))


def test_drawing_leaves_the_global_generator_alone() -> None:
    before = np.random.get_state()[1].copy()  # type: ignore[index,union-attr]
    stratified_sample(LABELS, 100, seed=1)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # type: ignore[index]


def test_the_draw_is_the_same_in_every_version_of_numpy() -> None:
    sample = stratified_sample(LABELS, 100, seed=1)
    known = "448761e4a2e6400b"
    assert hashlib.sha256(sample.astype("<i8").tobytes()).hexdigest()[:16] == known


def test_every_member_of_a_class_is_as_likely_as_another() -> None:
    drawn = np.zeros(1000)
    for seed in range(300):
        drawn[stratified_sample(LABELS, 100, seed=seed)] += 1
    # Binomial(300, 0.1): mean 30, standard deviation 5.2.
    assert abs(drawn[LABELS == 0].mean() - 30) < 1e-9
    assert 4.5 < drawn.std() < 6.0
    assert drawn.min() > 5


def test_more_than_there_is_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="cannot draw 1001 of 1000"):
        stratified_sample(LABELS, 1001, seed=0)


def test_nothing_can_be_drawn_from_nothing() -> None:
    assert stratified_sample(np.empty(0, np.int64), 0, seed=0).size == 0


def test_unsigned_labels_are_counted_right() -> None:
    sample = stratified_sample(LABELS.astype(np.uint8), 100, seed=1)
    np.testing.assert_array_equal(sample, stratified_sample(LABELS, 100, seed=1))


@pytest.mark.parametrize("make", [published_split, drawn_split])
def test_the_parts_are_disjoint_sorted_and_all_there_is(make: Callable[..., Split]) -> None:
    split = make(LABELS, n_test=200, n_validation=100)
    assert [len(part) for part in split] == [700, 100, 200]
    np.testing.assert_array_equal(np.sort(np.concatenate(split)), np.arange(1000))
    assert all(np.all(np.diff(part) > 0) for part in split)


def test_a_published_test_set_is_the_end_of_the_data_in_order() -> None:
    split = published_split(LABELS, n_test=200, n_validation=100)
    np.testing.assert_array_equal(split.test, np.arange(800, 1000))


def test_a_drawn_split_is_stratified_in_every_part() -> None:
    split = drawn_split(LABELS, n_test=200, n_validation=100)
    assert np.bincount(LABELS[split.test]).tolist() == [100, 60, 40]
    assert np.bincount(LABELS[split.validation]).tolist() == [50, 30, 20]


def test_every_class_gives_its_share_and_at_least_one() -> None:
    labels = np.repeat(np.arange(4), [100, 24, 3, 0])
    drawn = class_sample(labels, 10, seed=1)
    assert np.bincount(labels[drawn]).tolist() == [10, 2, 1]
    np.testing.assert_array_equal(drawn, class_sample(labels, 10, seed=1))
    assert not np.array_equal(drawn, class_sample(labels, 10, seed=2))
