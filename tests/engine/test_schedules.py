from __future__ import annotations

from math import cos, pi

import pytest

from neuralscope.engine import SCHEDULES, Schedule

STEPS_PER_EPOCH, EPOCHS = 4, 10
N_STEPS = STEPS_PER_EPOCH * EPOCHS


def factors(name: str, **settings: float) -> list[float]:
    schedule = Schedule(name, STEPS_PER_EPOCH, EPOCHS, **settings)  # type: ignore[arg-type]
    return [schedule(step) for step in range(N_STEPS)]


def test_constant() -> None:
    assert factors("constant") == [1.0] * N_STEPS


def test_linear() -> None:
    assert factors("linear") == pytest.approx([1 - step / N_STEPS for step in range(N_STEPS)])


def test_cosine() -> None:
    expected = [(1 + cos(pi * step / N_STEPS)) / 2 for step in range(N_STEPS)]
    assert factors("cosine") == pytest.approx(expected)


def test_step_drops_at_the_start_of_every_third_epoch() -> None:
    expected = [0.5 ** (step // STEPS_PER_EPOCH // 3) for step in range(N_STEPS)]
    assert factors("step", decay_every=3, decay_factor=0.5) == expected


@pytest.mark.parametrize("name", SCHEDULES)
def test_all_begin_at_the_full_rate(name: str) -> None:
    assert factors(name)[0] == 1


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("warmup_epochs", [0, 3])
def test_factors_stay_between_zero_and_one_and_never_at_zero(name: str, warmup_epochs: int) -> None:
    values = factors(name, warmup_epochs=warmup_epochs)
    assert all(0 < value <= 1 for value in values)


@pytest.mark.parametrize("name", SCHEDULES)
def test_after_the_end_nothing_strange_happens(name: str) -> None:
    schedule = Schedule(name, STEPS_PER_EPOCH, EPOCHS)
    assert 0 <= schedule(N_STEPS) <= schedule(N_STEPS - 1)
    assert 0 <= schedule(10 * N_STEPS) <= schedule(N_STEPS)


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_those_that_fall_all_the_way_end_at_zero(name: str) -> None:
    assert Schedule(name, STEPS_PER_EPOCH, EPOCHS)(N_STEPS) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_warm_up_climbs_in_equal_steps_and_the_schedule_follows(name: str) -> None:
    warmed = factors(name, warmup_epochs=2)
    n_warmup = 2 * STEPS_PER_EPOCH
    climb = [(step + 1) / (n_warmup + 1) for step in range(n_warmup)]
    assert warmed[:n_warmup] == pytest.approx(climb)
    # The rest is the whole schedule over the epochs that are left.
    rest = Schedule(name, STEPS_PER_EPOCH, EPOCHS - 2)
    expected = [rest(step) for step in range(N_STEPS - n_warmup)]
    assert warmed[n_warmup:] == pytest.approx(expected)
    assert warmed[n_warmup] == 1
