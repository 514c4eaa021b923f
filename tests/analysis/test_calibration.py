"""Reliability agrees with scikit-learn's calibration curve, refusing with counting one by one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve

from neuralscope.analysis import N_BINS, refusal_curve, refuse_below, reliability


@pytest.fixture
def said() -> tuple[np.ndarray, np.ndarray]:
    """Confidences with many ties and bin ends among them, and a network that is too sure."""
    rng = np.random.default_rng(0)
    confidence = np.round(rng.uniform(0.1, 1, 900), 2)
    return confidence, rng.random(900) < confidence**2


# Reliability


@pytest.mark.parametrize("n_bins", [1, 7, 10, 15])
def test_it_agrees_with_scikit_learn(said, n_bins):
    confidence, is_right = said
    found = reliability(confidence, is_right, n_bins)
    accuracy, mean = calibration_curve(is_right, confidence, n_bins=n_bins)
    some = found.count > 0
    np.testing.assert_allclose(found.accuracy[some], accuracy)
    np.testing.assert_allclose(found.confidence[some], mean)


def test_the_calibration_error_is_the_weighted_distance(said):
    confidence, is_right = said
    error = 0.0
    for low, high in zip(np.linspace(0, 1, 11)[:-1], np.linspace(0, 1, 11)[1:], strict=True):
        inside = [i for i in range(900) if low < confidence[i] <= high]
        if inside:
            gap = np.mean([is_right[i] for i in inside]) - np.mean([confidence[i] for i in inside])
            error += len(inside) / 900 * abs(gap)
    found = reliability(confidence, is_right)
    assert found.error == pytest.approx(error)
    assert found.error > 0.05


def test_bins_are_equally_wide_and_hold_every_answer(said):
    found = reliability(*said)
    assert len(found.count) == N_BINS == 10
    np.testing.assert_allclose(found.high - found.low, 0.1)
    assert (found.low[0], found.high[-1]) == (0, 1)
    assert found.count.sum() == 900


def test_a_confidence_on_the_border_belongs_below_and_the_ends_are_inside():
    found = reliability([0.0, 0.5, 0.500001, 1.0], [True] * 4, n_bins=2)
    assert found.count.tolist() == [2, 2]


def test_a_bin_without_answers_is_undefined_and_costs_nothing():
    found = reliability([0.95, 0.95], [True, False])
    assert np.isnan(found.accuracy[:9]).all()
    assert np.isnan(found.confidence[:9]).all()
    assert np.isnan(found.accuracy_low[:9]).all()
    assert found.error == pytest.approx(0.45)


def test_sure_and_always_right_is_perfectly_calibrated():
    assert reliability(np.ones(5), np.ones(5, bool)).error == 0


def test_sure_and_always_wrong_is_as_bad_as_can_be():
    found = reliability(np.ones(5), np.zeros(5, bool))
    assert found.error == 1
    assert (found.mean_confidence, found.mean_accuracy) == (1, 0)


def test_all_equally_sure_is_one_bin():
    found = reliability(np.full(8, 0.25), [True, True] + [False] * 6)
    assert found.error == 0
    assert found.count.tolist() == [0, 0, 8] + [0] * 7


def test_the_interval_is_wilsons():
    found = reliability(np.repeat([0.25, 0.55, 0.95], [7, 20, 300]), np.arange(327) % 3 == 0)
    for i in np.flatnonzero(found.count):
        right, n = round(found.accuracy[i] * found.count[i]), int(found.count[i])
        expected = binomtest(right, n).proportion_ci(method="wilson")
        assert (found.accuracy_low[i], found.accuracy_high[i]) == pytest.approx(tuple(expected))


def test_without_answers_nothing_is_known():
    found = reliability([], [])
    assert np.isnan([found.error, found.mean_confidence, found.mean_accuracy]).all()
    assert found.count.tolist() == [0] * 10


# Refusing


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.5, 0.73, 0.999, 1.0])
def test_refusing_is_counted_one_by_one(said, threshold):
    confidence, is_right = said
    given = [i for i in range(900) if confidence[i] >= threshold]
    wrong = [i for i in given if not is_right[i]]
    found = refuse_below(confidence, is_right, threshold)
    assert (found.n, found.n_refused, found.n_wrong) == (900, 900 - len(given), len(wrong))
    assert found.n_wrong + found.n_wrong_refused == (~is_right).sum()
    assert found.share_refused == 1 - len(given) / 900
    assert found.error == len(wrong) / len(given)


def test_if_everything_is_refused_there_is_no_error_to_speak_of():
    found = refuse_below([0.3, 0.4], [True, False], 0.9)
    assert found.share_refused == 1
    assert np.isnan(found.error)
    assert refuse_below([], [], 0.5).share_refused == 0


def test_the_curve_is_what_refusing_at_each_confidence_brings(said):
    curve = refusal_curve(*said)
    assert curve.threshold.tolist() == sorted(set(said[0]))
    for threshold, share, error in zip(
        curve.threshold, curve.share_refused, curve.error, strict=True
    ):
        found = refuse_below(*said, threshold)
        assert (share, error) == pytest.approx((found.share_refused, found.error))


def test_equal_confidences_cannot_be_told_apart():
    curve = refusal_curve([0.6, 0.6, 0.6], [True, False, True])
    assert curve.threshold.tolist() == [0.6]
    assert curve.share_refused.tolist() == [0]
    assert curve.error.tolist() == pytest.approx([1 / 3])


def test_all_right_is_a_curve_at_zero_and_all_wrong_one_at_one():
    assert not refusal_curve([0.2, 0.3], [True, True]).error.any()
    assert (refusal_curve([0.2, 0.3], [False, False]).error == 1).all()


def test_without_answers_the_curve_is_empty():
    assert len(refusal_curve([], []).error) == 0
