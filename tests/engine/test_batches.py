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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("given", [np.float32, np.float64])
def test_inputs_may_be_floating_point_numbers(given: type, dtype: type) -> None:
    inputs = np.random.default_rng(0).standard_normal((8, 3)).astype(given) * 100
    indices = np.array([7, 0, 3])
    x, y = Batch(3, 4, 1.0, dtype, given).gather(inputs, np.arange(8), indices)
    assert x.dtype == dtype
    np.testing.assert_array_equal(x, inputs[indices].astype(dtype))
    assert y.tolist() == [7, 0, 3]


def test_floating_point_inputs_are_scaled_too() -> None:
    x, _ = Batch(2, 1, 0.5, np.float32, np.float32).gather(
        np.array([[-4, 6]], np.float32), np.zeros(1, np.int64), np.array([0])
    )
    assert x.tolist() == [[-2, 3]]


def test_gathering_leaves_the_inputs_as_they_are() -> None:
    inputs = np.ones((2, 2), np.float32)
    x, _ = Batch(2, 2, 0.5, np.float32, np.float32).gather(inputs, np.arange(2), np.arange(2))
    x[...] = 9
    assert (inputs == 1).all()


SWAPS = next(s for s in range(9) if np.random.default_rng(s).permutation(2)[0])


@pytest.mark.parametrize("given", [np.uint8, np.float32])
def test_what_augmenting_returns_is_learned(given: type) -> None:
    pixels = np.arange(6).reshape(3, 2).astype(given)
    x, _ = Batch(2, 3, 1.0, np.float32, given).gather(
        pixels,
        np.arange(3),
        np.array([2, 0]),
        lambda rows, rng: rows[:, rng.permutation(2)],
        np.random.default_rng(SWAPS),
    )
    assert x.tolist() == [[5, 4], [1, 0]]


def test_weights_come_with_their_examples() -> None:
    batch = Batch(2, 3, 1.0, np.float32)
    weights = np.array([0.5, 2, 0, 1.5], np.float32)
    assert batch.gather_weights(weights, np.array([3, 0])).tolist() == [1.5, 0.5]


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
    assert first.weights is None


def test_the_first_examples_keep_their_weights() -> None:
    weights = np.array([1.0, 0.5, 1.5])
    examples = Examples(np.ones((3, 2)), np.arange(3), 1.0, weights)
    assert examples.first(2).weights.tolist() == [1, 0.5]
