from __future__ import annotations

from math import exp, fsum, log

import numpy as np
import pytest

from neuralscope.engine.arrays import Array, Labels
from neuralscope.engine.loss import SoftmaxCrossEntropy, cross_entropy, softmax

LOGITS = [[2.0, 1.0, 0.0], [-3.0, 0.5, 0.5], [0.0, 0.0, 0.0], [1.0, -1.0, 8.0]]
Y = [0, 2, 1, 0]


def plain_softmax(row: list[float]) -> list[float]:
    powers = [exp(logit) for logit in row]
    return [power / fsum(powers) for power in powers]


def loss_and_delta(logits: Array, y: Labels) -> tuple[float, Array]:
    loss = SoftmaxCrossEntropy(logits)
    return loss(y), loss.delta


def test_softmax_by_hand() -> None:
    logits = np.log([[1.0, 2.0, 5.0], [3.0, 3.0, 3.0]])
    np.testing.assert_allclose(softmax(logits), [[1 / 8, 2 / 8, 5 / 8], [1 / 3] * 3], rtol=1e-15)


def test_softmax_against_its_formula() -> None:
    expected = [plain_softmax(row) for row in LOGITS]
    np.testing.assert_allclose(softmax(np.array(LOGITS)), expected, rtol=1e-15)


def test_softmax_works_in_place() -> None:
    logits = np.array(LOGITS)
    assert softmax(logits) is logits


def test_softmax_does_not_care_for_a_shift() -> None:
    np.testing.assert_allclose(
        softmax(np.array(LOGITS) + 100), softmax(np.array(LOGITS)), rtol=1e-13
    )


def test_cross_entropy_by_hand() -> None:
    logits = np.log([[1.0, 2.0, 5.0], [3.0, 3.0, 3.0]])
    # -ln 5/8, and for a blind guess among three ln 3
    np.testing.assert_allclose(cross_entropy(logits, np.array([2, 0])), [log(8 / 5), log(3)])


def test_cross_entropy_against_its_formula() -> None:
    expected = [-log(plain_softmax(row)[y]) for row, y in zip(LOGITS, Y, strict=True)]
    logits = np.array(LOGITS)
    np.testing.assert_allclose(cross_entropy(logits, np.array(Y)), expected, rtol=1e-14)
    assert logits.tolist() == LOGITS  # left as they are


def test_the_batch_loss_is_the_mean_and_its_delta_the_error() -> None:
    loss, delta = loss_and_delta(np.array(LOGITS), np.array(Y))
    errors = [-log(plain_softmax(row)[y]) for row, y in zip(LOGITS, Y, strict=True)]
    assert loss == pytest.approx(fsum(errors) / 4, rel=1e-14)
    expected = (np.array([plain_softmax(row) for row in LOGITS]) - np.eye(3)[Y]) / 4
    np.testing.assert_allclose(delta, expected, rtol=1e-12, atol=1e-16)


def test_delta_takes_the_place_of_the_logits() -> None:
    logits = np.array(LOGITS)
    _, delta = loss_and_delta(logits, np.array(Y))
    assert delta is logits


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_each_row_of_delta_sums_to_zero(dtype: type) -> None:
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((64, 10)).astype(dtype) * 5
    loss, delta = loss_and_delta(logits, rng.integers(0, 10, 64))
    assert isinstance(loss, float)
    assert delta.dtype == dtype
    np.testing.assert_allclose(delta.sum(axis=1), 0, atol=np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_logits_are_safe(dtype: type) -> None:
    largest = float(np.finfo(dtype).max) / 4
    for size in (1e3, 1e30, largest):
        logits = np.array([[size, -size, 0], [size, -size, 0], [-size, -size, -size]], dtype)
        y = np.array([0, 0, 1])
        loss, delta = loss_and_delta(logits.copy(), y)
        # Two answers are certain and right, the third is a blind guess.
        assert loss == pytest.approx(log(3) / 3, rel=1e-6)
        np.testing.assert_allclose(delta[:2], 0)
        np.testing.assert_allclose(delta[2] * 9, [1, -2, 1], rtol=1e-6)
        np.testing.assert_allclose(cross_entropy(logits, y), [0, 0, log(3)], rtol=1e-6)
        np.testing.assert_allclose(softmax(logits)[2], 1 / 3, rtol=1e-6)


def test_a_certain_and_wrong_answer_costs_its_distance() -> None:
    # -log p of a vanishing p: its logarithm is known where p itself is zero.
    logits = np.array([[500.0, -500.0]], np.float32)
    loss, delta = loss_and_delta(logits.copy(), np.array([1]))
    assert loss == 1000
    assert delta.tolist() == [[1, -1]]
    assert cross_entropy(logits, np.array([1])).tolist() == [1000]


def test_it_can_be_called_again_on_the_same_memory() -> None:
    logits = np.array(LOGITS)
    loss = SoftmaxCrossEntropy(logits)
    first = loss(np.array(Y))
    logits[...] = LOGITS
    assert loss(np.array(Y)) == first


def test_numbers_that_are_not_finite_make_a_loss_that_is_not() -> None:
    with np.errstate(invalid="ignore"):
        for bad in (np.nan, np.inf):
            loss, _ = loss_and_delta(np.array([[bad, 0.0]]), np.array([0]))
            assert not np.isfinite(loss)
