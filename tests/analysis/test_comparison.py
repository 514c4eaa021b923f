"""What differs between runs, by how much, and whether it is chance."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from scipy import stats

from neuralscope.analysis import comparison
from neuralscope.analysis.comparison import (
    Gap,
    Reached,
    alike,
    band,
    differing,
    first_reached,
    gap,
    name_axis,
    number_axis,
    paired_difference,
    standings,
    student_t,
    tell_difference,
    tell_paired,
    tell_race,
    tell_reached,
)


def test_the_examples_in_the_docstrings_are_true() -> None:
    assert doctest.testmod(comparison).failed == 0


# What differs


def test_only_what_differs_is_left_in_the_order_of_the_first() -> None:
    records = [{"b": 1, "a": 2, "c": 3}, {"a": 2, "b": 5, "d": 3}]
    assert differing(records) == {"b": (1, 5), "c": (3, None), "d": (None, 3)}
    assert list(differing(records)) == ["b", "c", "d"]
    assert differing(records[:1]) == {} == differing([])


def test_equals_are_put_together() -> None:
    assert alike([("x", 1), ("y", 1), ("x", 1)]) == [[0, 2], [1]]
    assert alike([]) == []


# Curves


def curve(*values: float, start: int = 1) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(start, start + len(values)), np.array(values)


def test_a_band_is_the_mean_the_lowest_and_the_highest_of_what_all_have() -> None:
    found = band([curve(0.1, 0.2, 0.3, 0.9), curve(0.4, 0.1, start=2), curve(0.2, 0.2, 0.5)])
    np.testing.assert_array_equal(found.epoch, [2, 3])
    np.testing.assert_allclose(found.mean, [(0.2 + 0.4 + 0.2) / 3, (0.3 + 0.1 + 0.5) / 3])
    np.testing.assert_array_equal(found.low, [0.2, 0.1])
    np.testing.assert_array_equal(found.high, [0.4, 0.5])


def test_a_band_of_one_is_its_curve() -> None:
    found = band([curve(0.1, 0.2)])
    np.testing.assert_array_equal(found.mean, found.low)
    np.testing.assert_array_equal(found.mean, [0.1, 0.2])


def gap_by_hand(first: np.ndarray, second: np.ndarray) -> int:
    """Try each epoch: none before it, a constant gap on the final side from it on."""
    difference = second - first
    errors = {}
    for epoch in range(1, len(difference) + 1):
        before, rest = difference[: epoch - 1], difference[epoch - 1 :]
        if np.sign(rest.mean()) == np.sign(difference[-1]):
            errors[epoch] = np.sum(before**2) + np.sum((rest - rest.mean()) ** 2)
    return min(errors, key=errors.__getitem__)


def test_the_gap_opens_where_a_step_fits_the_difference_best() -> None:
    rng = np.random.default_rng(3)
    epochs = np.arange(1, 10)
    opened = set()
    for _ in range(200):
        first = rng.normal(0.5, 0.1, 9)
        second = first + np.linspace(-0.1, 0.2, 9) * rng.choice([-1, 1]) + rng.normal(0, 0.05, 9)
        found = gap((epochs, first), (epochs, second))
        assert found is not None
        assert found.opens == gap_by_hand(first, second)
        opened.add(found.opens)
    assert len(opened) > 4  # the cases are not all alike


def test_noise_does_not_move_where_the_gap_opens() -> None:
    noise = np.random.default_rng(0).normal(0, 0.004, 300)
    epochs, step = np.arange(1, 301), np.where(np.arange(1, 301) < 40, 0.0, 0.01)
    found = gap((epochs, np.zeros(300)), (epochs, step + noise))
    assert found is not None and found.opens is not None
    assert abs(found.opens - 40) <= 3


def test_a_gap_is_measured_where_both_curves_are() -> None:
    first, second = curve(0.5, 0.6, 0.7, 0.8), curve(0.5, 0.4, start=2)
    assert gap(first, second) == Gap(3, pytest.approx(-0.3), 3)
    assert gap(first, curve(0.1, start=9)) is None


def test_curves_that_end_level_have_no_gap() -> None:
    assert gap(curve(0.5, 0.9), curve(0.1, 0.9)) == Gap(2, 0.0, None)
    assert gap(curve(0.9), curve(0.90004)).opens is None  # type: ignore[union-attr]
    assert gap(curve(0.9), curve(0.9002)).opens == 1  # type: ignore[union-attr]


def test_a_level_is_reached_at_the_first_epoch_at_or_above_it() -> None:
    epoch, values = curve(0.5, 0.9, 0.8, 0.95)
    seconds = epoch * 2.0
    assert first_reached(epoch, seconds, values, 0.9) == Reached(2, 4.0)
    assert first_reached(epoch, seconds, values, 0.91) == Reached(4, 8.0)
    assert first_reached(epoch, seconds, values, 0.96) is None
    assert first_reached(epoch[:0], seconds[:0], values[:0], 0.1) is None


def test_equals_share_a_place_and_the_next_one_is_free() -> None:
    found = standings([0.9, math.nan, 0.95, 0.9, 0.1])
    assert [(each.place, each.contestant) for each in found] == [(1, 2), (2, 0), (2, 3), (4, 4)]


# Is it chance


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99, 0.999])
def test_students_t_is_that_of_scipy(confidence: float) -> None:
    for degrees in (*range(1, 40), 100, 1001):
        expected = stats.t.ppf((1 + confidence) / 2, degrees)
        assert student_t(degrees, confidence) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("n", [2, 3, 5, 20])
def test_the_interval_is_that_of_a_paired_t_test(n: int) -> None:
    rng = np.random.default_rng(n)
    first, second = rng.normal(0.9, 0.02, n), rng.normal(0.88, 0.02, n)
    found = paired_difference(dict(enumerate(first)), dict(enumerate(second)))
    expected = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-9)
    assert found.mean == pytest.approx(np.mean(first - second))
    assert found.is_clear == (expected.low > 0 or expected.high < 0)


def test_it_covers_the_true_difference_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(1000):
        luck = rng.normal(0, 1, 4)  # common to both, and so of no account
        first, second = luck + 0.5 + rng.normal(0, 0.1, 4), luck + rng.normal(0, 0.1, 4)
        found = paired_difference(dict(enumerate(first)), dict(enumerate(second)))
        hits += found.low <= 0.5 <= found.high
    assert 930 <= hits <= 970  # 950, and three standard deviations of 6.9 either way


def test_only_shared_seeds_count() -> None:
    found = paired_difference({3: 0.9, 1: 0.8, 7: 0.1}, {1: 0.7, 3: 0.7, 8: 0.9})
    assert found.seeds == (1, 3)
    assert found.differences == pytest.approx((0.1, 0.2))
    assert found.has_interval
    # Two seeds: t with one degree of freedom is 12.7.
    assert found.high - found.low == pytest.approx(2 * 12.7062 * 0.1 / math.sqrt(2) / math.sqrt(2))


def test_too_few_seeds_have_no_interval_and_settle_nothing() -> None:
    one = paired_difference({0: 0.9}, {0: 0.1, 1: 0.5})
    assert one.mean == pytest.approx(0.8)
    assert math.isnan(one.low) and not one.has_interval and not one.is_clear
    none = paired_difference({0: 0.9}, {1: 0.5})
    assert math.isnan(none.mean) and not none.is_clear


# Parallel axes


def test_a_log_axis_shows_ratios_as_distances() -> None:
    axis = number_axis([0.001, 0.01, 0.1, 0.01], log=True)
    assert axis.is_log
    assert axis.positions == pytest.approx((0, 0.5, 1, 0.5))
    assert [value for _, value in axis.ticks] == [0.001, 0.01, 0.1]


def test_zero_has_a_place_of_its_own_below_a_log_axis() -> None:
    axis = number_axis([0.0, 1e-4, 1e-2], log=True)
    assert axis.positions == pytest.approx((0, comparison.ZERO_BELOW, 1))
    assert number_axis([0.0, 1e-4], log=True).positions[0] == 0


def test_what_has_no_logarithm_is_laid_out_linearly() -> None:
    assert not number_axis([0.0, 0.0], log=True).is_log
    assert not number_axis([-1.0, 1.0], log=True).is_log


def test_a_linear_axis_reaches_from_the_lowest_to_the_highest() -> None:
    axis = number_axis([5, 0, None, 10, float("nan")])
    assert axis.positions == pytest.approx((0.5, 0, math.nan, 1, math.nan), nan_ok=True)
    assert number_axis([3, 3]).positions == (0.5, 0.5)
    assert number_axis([None]).ticks == ()


def test_a_crowded_axis_marks_values_that_occur() -> None:
    values = list(np.random.default_rng(0).uniform(0, 1, 100))
    axis = number_axis(values)
    assert len(axis.ticks) == comparison.MOST_TICKS
    assert {value for _, value in axis.ticks} <= set(values)
    assert [at for at, _ in axis.ticks] == sorted(at for at, _ in axis.ticks)


def test_names_stand_in_order_at_even_distances() -> None:
    axis = name_axis(["sgd", "adam", None, "momentum"])
    assert axis.positions == pytest.approx((1, 0, math.nan, 0.5), nan_ok=True)
    assert axis.ticks == ((0.0, "adam"), (0.5, "momentum"), (1.0, "sgd"))


# In words


CHANGE = ("learning rate", "0.1", "0.01")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([], "B has the same settings as A"),
        ([CHANGE], "B differs from A in the learning rate only (0.1 → 0.01)"),
        (
            [CHANGE, ("L2 penalty", "0", "0.1")],
            "B differs from A in the learning rate (0.1 → 0.01) and the L2 penalty (0 → 0.1)",
        ),
        ([CHANGE] * 5, "B differs from A in 5 settings, among them the learning rate"),
    ],
)
def test_what_differs_is_named(changes: list[tuple[str, str, str]], said: str) -> None:
    assert tell_difference("A", "B", changes, Gap(9, 0.02, 4), ended=True).startswith(said)


@pytest.mark.parametrize(
    ("found", "ended", "said"),
    [
        (None, False, "there is no epoch yet that both have completed."),
        (Gap(9, 0.0, None), True, "they end level."),
        (Gap(9, 0.0, None), False, "at epoch 9 they are level."),
        (Gap(9, 0.0123, 4), True, "it ends 1.2 points higher; the gap opens at epoch 4."),
        (
            Gap(9, -0.0003, 4),
            False,
            "at epoch 9, the last that both have, it is 0.03 points lower; "
            "the gap opens at epoch 4.",
        ),
    ],
)
def test_the_gap_is_told_for_what_it_is(found: Gap | None, ended: bool, said: str) -> None:
    assert tell_difference("A", "B", [], found, ended=ended) == (
        f"B has the same settings as A; {said}"
    )


def test_a_level_pair_is_called_level_and_not_settled() -> None:
    found = paired_difference({0: 0.9, 1: 0.8}, {0: 0.8, 1: 0.9})
    assert "A is level with B on average" in tell_paired("A", "B", found)
    assert "Not settled" in tell_paired("A", "B", found)


def test_with_enough_seeds_more_are_not_asked_for() -> None:
    rng = np.random.default_rng(0)
    first, second = (dict(enumerate(rng.normal(0.9, 0.01, 8))) for _ in range(2))
    said = tell_paired("A", "B", paired_difference(first, second))
    assert "over 8 shared seeds" in said and "With only" not in said


def test_a_tie_is_shared() -> None:
    said = tell_race(standings([0.9, 0.9, 0.8]), ["A", "B", "C"], epoch=None)
    assert said.startswith("A and B share first place with 90.00 %")
    assert said.endswith("10.0 points ahead of C.")
    assert "are tied for the lead" in tell_race(standings([0.9, 0.9]), ["A", "B"], epoch=1)
    assert tell_race([], ["A", "B"], epoch=0) == "No run has completed an epoch yet."


def test_nobody_need_reach_an_accuracy() -> None:
    assert tell_reached([None, None], ["A", "B"], 0.95, over=True) == "No run reached 95 %."
    assert tell_reached([None], ["A"], 0.95, over=False) == "No run has reached 95 % yet."
    first = tell_reached([Reached(1, 0.0123), None], ["A", "B"], 0.5, over=False)
    assert first == ("A was first to reach 50 %, after 0.012 s of training (epoch 1); B not yet.")
