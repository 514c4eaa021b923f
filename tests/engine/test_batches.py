from __future__ import annotations

import numpy as np
import pytest

from neuralscope.engine import Examples
from neuralscope.engine.batches import Batch, count_batches, shuffled


def test_a_shuffle_holds_each_number_once() -> None:
    order = shuffled(1000, np.random.default_rng(0))
    assert order.dtype == np.intp
    assert sorted(order.tolist()) == list(range(1000))
    assert order.tolist() != list(range(1000))


def test_each_shuffle_is_another() -> None:
    rng = np.random.default_rng(0)
    assert (shuffled(100, rng) != shuffled(100, rng)).any()


@pytest.mark.parametrize(
    ("n", "batch_size", "expected"), [(100, 32, 4), (96, 32, 3), (1, 32, 1), (7, 1, 7)]
)
def test_the_short_batch_counts(n: int, batch_size: int, expected: int) -> None:
    assert count_batches(n, batch_size) == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_batch_holds_the_asked_rows_scaled(dtype: type) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(8, 3)
    labels = np.arange(8) * 10
    x, y = Batch(3, 4, 1 / 255, dtype).gather(pixels, labels, np.array([7, 0, 3]))
    assert x.dtype == dtype
    np.testing.assert_allclose(x, pixels[[7, 0, 3]] / 255, rtol=1e-6)
    assert y.tolist() == [70, 0, 30]


def test_full_ink_is_one() -> None:
    pixels = np.array([[0, 255]], np.uint8)
    x, _ = Batch(2, 1, 1 / 255, np.float32).gather(pixels, np.zeros(1, np.int64), np.array([0]))
    assert x.tolist() == [[0, 1]]


def test_one_batch_takes_the_memory_of_the_one_before() -> None:
    batch = Batch(2, 3, 1.0, np.float32)
    pixels, labels = np.arange(10, dtype=np.uint8).reshape(5, 2), np.arange(5)
    x, y = batch.gather(pixels, labels, np.array([0, 1, 2]))
    short_x, short_y = batch.gather(pixels, labels, np.array([4]))
    assert np.shares_memory(x, short_x)
    assert np.shares_memory(y, short_y)
    assert (short_x.tolist(), short_y.tolist()) == ([[8, 9]], [4])


def test_the_first_examples_are_views() -> None:
    examples = Examples(np.ones((5, 2), np.uint8), np.arange(5), 1.0)
    first = examples.first(3)
    assert (len(examples), len(first)) == (5, 3)
    assert np.shares_memory(first.pixels, examples.pixels)
    assert len(examples.first(9)) == 5
