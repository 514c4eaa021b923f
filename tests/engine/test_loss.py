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


# Label smoothing and weights


def target(smoothing: float) -> Array:
    """Return the smoothed target of the examples above, row by row from its definition."""
    onehot = np.eye(3)[Y]
    return (1 - smoothing) * onehot + smoothing * np.full((4, 3), 1 / 3)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5, 0.99])
def test_a_smoothed_target_is_compared_with_in_full(smoothing: float) -> None:
    logits = np.array(LOGITS)
    p = np.array([plain_softmax(row) for row in LOGITS])
    loss = SoftmaxCrossEntropy(logits)
    expected = -(target(smoothing) * np.log(p)).sum(axis=1).mean()
    assert loss(np.array(Y), smoothing=smoothing) == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(loss.delta, (p - target(smoothing)) / 4, rtol=1e-12, atol=1e-16)


def test_smoothing_by_hand() -> None:
    # p = 1/8, 2/8, 5/8; a smoothing of 0.3 makes the target 0.1, 0.1, 0.8.
    loss = SoftmaxCrossEntropy(np.log([[1.0, 2.0, 5.0]]))
    assert loss(np.array([2]), smoothing=0.3) == pytest.approx(
        0.1 * log(8) + 0.1 * log(4) + 0.8 * log(8 / 5)
    )
    np.testing.assert_allclose(loss.delta, [[1 / 8 - 0.1, 2 / 8 - 0.1, 5 / 8 - 0.8]])


def test_smoothing_is_content_short_of_certainty() -> None:
    # Three classes, 0.3: nothing is left to gain where the probabilities are the target.
    loss = SoftmaxCrossEntropy(np.log([[0.1, 0.1, 0.8]]))
    loss(np.array([2]), smoothing=0.3)
    np.testing.assert_allclose(loss.delta, 0, atol=1e-16)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_a_weight_counts_as_so_many_copies(smoothing: float) -> None:
    copies = np.array([3, 0, 1, 4])
    repeated = SoftmaxCrossEntropy(np.repeat(LOGITS, copies, axis=0))
    of_copies = repeated(np.repeat(Y, copies), smoothing=smoothing)
    weighted = SoftmaxCrossEntropy(np.array(LOGITS))
    # 8 copies of 4 examples: the weights are one on average.
    of_weights = weighted(np.array(Y), copies / 2, smoothing)
    assert of_weights == pytest.approx(of_copies, rel=1e-14)
    sums = [part.sum(axis=0) for part in np.split(repeated.delta, np.cumsum(copies)[:-1])]
    np.testing.assert_allclose(weighted.delta, sums, rtol=1e-12, atol=1e-16)


def test_weights_of_one_change_nothing() -> None:
    plain, weighted = SoftmaxCrossEntropy(np.array(LOGITS)), SoftmaxCrossEntropy(np.array(LOGITS))
    assert plain(np.array(Y)) == weighted(np.array(Y), np.ones(4))
    np.testing.assert_array_equal(plain.delta, weighted.delta)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_smoothing_and_weights_keep_the_type(dtype: type) -> None:
    logits = np.array(LOGITS, dtype)
    loss = SoftmaxCrossEntropy(logits)
    assert isinstance(loss(np.array(Y), np.array([2, 0, 1, 1], dtype), 0.1), float)
    assert loss.delta is logits
    assert loss.delta.dtype == dtype
