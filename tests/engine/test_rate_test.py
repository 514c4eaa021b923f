"""The range test grows the rate as it says, ends where it says, and finds rates that work."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf, log10

import numpy as np
import pytest

from neuralscope.data import load_dataset
from neuralscope.engine import EpochEnd, RateTried, suggest_rate, try_rates
from neuralscope.engine.rate_test import BETA, BLOWN_UP, HIGHEST, LOWEST, MARGIN, SETTLED, STEPS
from neuralscope.runs import RunConfig, run_rate_test, train
from tests.engine.conftest import NewTraining

# The steps ----------------------------------------------------------------------------------------


def test_the_rate_grows_by_the_same_factor_at_each_step(new_training: NewTraining) -> None:
    tried = list(try_rates(new_training(epochs=10), lowest=1e-4, highest=1e-2, steps=21))
    np.testing.assert_allclose([each.rate for each in tried], 10 ** np.linspace(-4, -2, 21))


def test_the_smoothed_loss_is_the_mean_with_weights_that_fade(new_training: NewTraining) -> None:
    tried = list(try_rates(new_training(epochs=10), lowest=1e-4, highest=1e-2, steps=21))
    losses = np.array([each.loss for each in tried])
    for t, each in enumerate(tried):
        weights = BETA ** np.arange(t, -1, -1)
        assert each.smoothed == pytest.approx(np.average(losses[: t + 1], weights=weights))


def test_each_step_is_that_of_training_with_its_rate(new_training: NewTraining) -> None:
    tested, by_hand = (new_training(optimizer="adam", epochs=5) for _ in range(2))
    tried = list(try_rates(tested, lowest=1e-3, highest=1e-1, steps=20))
    losses, records = [], by_hand.records()
    while len(losses) < 20:
        by_hand.learning_rate = 1e-3 * 100 ** (len(losses) / 19)
        record = next(records)
        if hasattr(record, "loss"):
            losses.append(record.loss)
    np.testing.assert_allclose([each.loss for each in tried], losses, rtol=1e-5)


def test_it_ends_with_the_highest_rate(new_training: NewTraining) -> None:
    training = new_training(epochs=10)
    assert len(list(try_rates(training, lowest=1e-6, highest=1e-5, steps=30))) == 30
    assert training.step == 30


def test_it_ends_when_the_smoothed_loss_has_blown_up(new_training: NewTraining) -> None:
    tried = list(try_rates(new_training(epochs=200, hidden=()), highest=1e4, steps=400))
    smoothed = np.array([each.smoothed for each in tried])
    lowest_before = np.minimum.accumulate(smoothed[SETTLED:])[:-1]
    assert len(tried) < 400
    assert tried[-1].smoothed > BLOWN_UP * lowest_before[-1]
    assert (smoothed[SETTLED + 1 : -1] <= BLOWN_UP * lowest_before[:-1]).all()


def test_it_ends_when_the_loss_is_no_number_any_more(new_training: NewTraining) -> None:
    *before, last = try_rates(new_training(epochs=200), lowest=1e30, highest=1e38, steps=10)
    assert (last.loss, last.smoothed) == (inf, inf)
    assert last.rate > before[-1].rate
    assert np.isfinite([each.loss for each in before]).all()


@pytest.mark.parametrize(
    "arguments", [{"lowest": 0.0}, {"lowest": 1.0, "highest": 0.1}, {"steps": 1}, {"steps": 9}]
)
def test_what_cannot_be_tested_is_refused(
    new_training: NewTraining, arguments: dict[str, float]
) -> None:
    with pytest.raises(ValueError, match=r"grow|steps"):
        next(try_rates(new_training(epochs=2), **arguments))  # 2 x 4 steps


def test_a_training_that_has_begun_is_refused(new_training: NewTraining) -> None:
    training = new_training(epochs=200)
    next(training.records())
    with pytest.raises(ValueError, match="has not begun"):
        next(try_rates(training))


# The suggestion -----------------------------------------------------------------------------------


def curve(loss: Callable[[float], float], last: float = HIGHEST) -> list[RateTried]:
    """Return a test without noise: the loss at a rate as a function of its logarithm."""
    rates: Iterable[float] = np.geomspace(LOWEST, HIGHEST, STEPS).tolist()
    return [RateTried(r, loss(log10(r)), loss(log10(r))) for r in rates if r <= last]


def falling(steepest: float, width: float = 0.3) -> Callable[[float], float]:
    """From 2.3 down to 0.3, fastest where the logarithm of the rate is this."""
    return lambda decades: 1.3 - float(np.tanh((decades - steepest) / width))


@pytest.mark.parametrize("steepest", [-4, -2.5, -1, 0.5])
def test_the_steepest_point_is_found(steepest: float) -> None:
    suggestion = suggest_rate(curve(falling(steepest)))
    assert suggestion.steepest == pytest.approx(10**steepest, rel=0.05)
    assert suggestion.rate == float(f"{suggestion.steepest:.1g}")
    assert suggestion.blown_up is None
    assert "falls fastest around" in suggestion.reason
    assert "no rate up to" in suggestion.reason


def test_the_suggestion_stays_at_a_tenth_of_where_it_blows_up() -> None:
    tried = [*curve(falling(-1), last=0.5), RateTried(0.5, inf, inf)]
    suggestion = suggest_rate(tried)
    assert suggestion.steepest == pytest.approx(0.1, rel=0.05)
    assert suggestion.blown_up == 0.5
    assert suggestion.rate == 0.05
    assert suggestion.reason.endswith("but blows up at 0.5; a tenth of that keeps a margin.")


def test_far_below_the_blow_up_the_steepest_point_is_kept() -> None:
    suggestion = suggest_rate([*curve(falling(-2), last=2), RateTried(2, 9, 9)])
    assert suggestion.rate == 0.01
    assert suggestion.blown_up == 2
    assert "more than ten times below 2, where it blows up" in suggestion.reason


def test_no_rate_is_suggested_that_was_not_followed_by_a_decade() -> None:
    suggestion = suggest_rate(curve(falling(1.5)))
    assert suggestion.rate == HIGHEST / MARGIN
    assert "the largest rate tried" in suggestion.reason


def test_a_dip_before_the_descent_is_noise() -> None:
    def noisy(decades: float) -> float:
        return falling(-1)(decades) - (0.8 if -4.1 < decades < -4 else 0.0)

    assert suggest_rate(curve(noisy)).rate == 0.1


@pytest.mark.parametrize("fall", [0.0, 0.2])
def test_a_network_that_does_not_learn_gets_no_suggestion(fall: float) -> None:
    suggestion = suggest_rate(curve(lambda d: 2.3 - fall * (d > -1)))
    assert suggestion.rate is None
    assert suggestion.steepest is None
    assert "does not fall far below 2.30" in suggestion.reason


def test_one_that_blows_up_at_once_gets_no_suggestion() -> None:
    for tried in ([RateTried(1e-6, inf, inf)], [*curve(falling(-1), 5e-6), RateTried(1, inf, inf)]):
        suggestion = suggest_rate(tried)
        assert suggestion.rate is None
        assert suggestion.blown_up == tried[-1].rate
        assert "before the loss could fall" in suggestion.reason


def test_a_test_without_steps_says_nothing() -> None:
    with pytest.raises(ValueError, match="not begun"):
        suggest_rate([])


def test_a_lucky_first_batch_does_not_make_what_follows_a_blow_up(
    new_training: NewTraining,
) -> None:
    training = new_training(epochs=20)
    take_step = training._take_step
    training._take_step = lambda indices, rate: take_step(indices, rate) * (training.step > 0)
    tried = list(try_rates(training, lowest=1e-6, highest=1e-5, steps=60))
    assert tried[0].smoothed == 0
    assert len(tried) == 60
    assert suggest_rate(tried).blown_up is None


# On real digits -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimizer", "low", "high", "accuracy"),
    # Rates with which three epochs come within 3 points of the best, from a sweep.
    [("sgd", 0.1, 1.0, 0.92), ("momentum", 0.01, 0.3, 0.93), ("adam", 0.002, 0.1, 0.93)],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_suggestion_trains_well(
    optimizer: str, low: float, high: float, accuracy: float, seed: int
) -> None:
    dataset = load_dataset("digits")
    config = RunConfig(dataset="digits", optimizer=optimizer, epochs=3, seed=seed)
    suggestion = suggest_rate(list(run_rate_test(config, dataset)))
    assert suggestion.rate is not None
    assert low <= suggestion.rate <= high
    records = list(train(RunConfig(**{**vars(config), "learning_rate": suggestion.rate}), dataset))
    assert isinstance(records[-1], EpochEnd)
    assert records[-1].validation_accuracy > accuracy


def test_every_suggestion_is_allowed_in_a_configuration() -> None:
    for steepest in np.linspace(-6, 2, 33):
        rate = suggest_rate(curve(falling(steepest))).rate
        assert rate is None or RunConfig(learning_rate=rate)
