"""Races: configurations that start from the same seed, and are found again by their id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuralscope.data import Dataset
from neuralscope.engine import training
from neuralscope.errors import ConfigError, NeuralScopeError, StoreError
from neuralscope.runs import QUEUED, RunConfig, Store, prepare, races
from neuralscope.runs.trainer import Trainer

BASE = RunConfig(dataset="digits", hidden=(8,), epochs=2)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which runs trainers were started for; none is."""
    run_ids: list[str] = []
    monkeypatch.setattr(races, "start_trainer", lambda store, run_id: run_ids.append(run_id))
    return run_ids


# Lining up


@pytest.mark.parametrize(
    ("field", "text", "values"),
    [
        ("learning_rate", "0.1, 0.01", [0.1, 0.01]),
        ("learning_rate", " 1e-3 ;0.5; ", [0.001, 0.5]),
        ("hidden", "none; 64; 128,64", [(), (64,), (128, 64)]),
        ("activation", "relu; tanh", ["relu", "tanh"]),
        ("batch_size", "16\n64", [16, 64]),
        ("optimizer", "", []),
    ],
)
def test_values_are_read_from_text(field: str, text: str, values: list[Any]) -> None:
    assert races.read_values(field, text) == values


@pytest.mark.parametrize(
    ("field", "text"),
    [("learning_rate", "0.1, fast"), ("optimizer", "sgd; sdg"), ("seed", "1, 2"), ("x", "1")],
)
def test_a_value_that_is_not_allowed_is_named(field: str, text: str) -> None:
    with pytest.raises(ConfigError):
        races.read_values(field, text)


def test_one_setting_is_varied() -> None:
    assert [c.learning_rate for c in races.vary(BASE, "learning_rate", [0.1, 0.3])] == [0.1, 0.3]
    with pytest.raises(ConfigError, match="warmup_epochs"):
        races.vary(BASE, "warmup_epochs", [0, 5])


def test_all_get_one_seed_and_as_many_epochs() -> None:
    configs = [RunConfig(seed=3, epochs=7), RunConfig(seed=4, epochs=9, l2=0.1)]
    lined_up = races.line_up(configs, seed=5, epochs=2)
    assert [(c.seed, c.epochs, c.l2) for c in lined_up] == [(5, 2, 0.0), (5, 2, 0.1)]
    assert [c.epochs for c in races.line_up(configs, seed=5)] == [7, 9]


@pytest.mark.parametrize(
    ("configs", "match"),
    [
        ([BASE], "takes 2 to 6 configurations; this is 1 configuration."),
        (races.vary(BASE, "batch_size", range(1, 8)), "this is 7 configurations"),
        ([BASE, RunConfig(dataset="mnist")], "must use the same data; these use Digits and MNIST"),
        # They differ in the seed only, and so no more.
        (
            [BASE, RunConfig(dataset="digits", hidden=(8,), epochs=2, seed=9)],
            "Configurations 1 and 2 are the same",
        ),
    ],
)
def test_what_cannot_race_is_refused(configs: list[RunConfig], match: str) -> None:
    with pytest.raises(NeuralScopeError, match=match):
        races.line_up(configs, seed=0)


def test_all_see_the_digits_in_the_same_order(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders: list[np.ndarray] = []

    def shuffled(n: int, rng: np.random.Generator) -> np.ndarray:
        orders.append(real(n, rng))
        return orders[-1]

    real = training.shuffled
    monkeypatch.setattr(training, "shuffled", shuffled)
    configs = [
        BASE,
        RunConfig(dataset="digits", hidden=(16, 4), epochs=2, seed=9, dropout=0.5, batch_size=64),
        RunConfig(dataset="digits", hidden=(), epochs=2, optimizer="adam", augmentation="shift"),
    ]
    for config in races.line_up(configs, seed=4):
        list(prepare(config, digits).records())
    first, second, *others = orders
    assert len(others) == 4 and not np.array_equal(first, second)
    for mine, theirs in zip(others, [first, second] * 2, strict=True):
        np.testing.assert_array_equal(mine, theirs)


# In the store


def test_a_race_is_found_again_by_its_id(store: Store, started: list[str]) -> None:
    configs = races.line_up(races.vary(BASE, "learning_rate", [0.3, 0.1, 0.01]), seed=1)
    race_id = races.start(store, configs, names=["fast", "", "slow"])
    with Store(store.path) as another:
        race = races.find(another, race_id)
    assert [run.config for run in race.runs] == configs
    assert [run.name for run in race.runs][::2] == ["fast", "slow"]
    assert {run.race for run in race.runs} == {race_id}
    assert started == [run.run_id for run in race.runs]
    assert race.is_active and {run.status for run in race.runs} == {QUEUED}


def test_all_are_queued_before_the_first_starts(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued: list[int] = []
    monkeypatch.setattr(
        races, "start_trainer", lambda store, run_id: queued.append(len(store.active_runs()))
    )
    races.start(store, races.line_up(races.vary(BASE, "l2", [0, 0.1]), seed=1))
    assert queued == [2, 2]


def test_one_that_cannot_start_does_not_hold_up_the_others(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def start_trainer(store: Store, run_id: str) -> None:
        tried.append(run_id)
        raise StoreError("No trainer could be started.")

    monkeypatch.setattr(races, "start_trainer", start_trainer)
    races.start(store, races.line_up(races.vary(BASE, "l2", [0, 0.1]), seed=1))
    assert len(tried) == 2


@pytest.mark.parametrize(
    "race_id", ["", "race-20261123-101502-3fa9", "nonsense", "race-1' OR 1=1 --", "x" * 10_000]
)
def test_a_race_that_is_not_there_is_told_in_a_sentence(
    store: Store, started: list[str], race_id: str
) -> None:
    store.create(BASE)  # no race at all, and so no part of the race ''
    with pytest.raises(StoreError, match="no race") as error:
        races.find(store, race_id)
    assert len(str(error.value)) < 150


def test_races_are_listed_newest_first(store: Store, started: list[str]) -> None:
    store.create(BASE)
    lined_up = races.line_up(races.vary(BASE, "l2", [0, 0.1]), seed=1)
    race_ids = [races.start(store, lined_up) for _ in range(3)]
    assert [row.race_id for row in races.recent(store)] == race_ids[::-1]
    assert [row.size for row in races.recent(store, most=2)] == [2, 2]


def test_thrown_away_runs_leave_the_race(store: Store, started: list[str], digits: Dataset) -> None:
    race_id = races.start(store, races.line_up(races.vary(BASE, "l2", [0, 0.1, 0.2]), seed=1))
    for run_id in started:
        Trainer(store, run_id, dataset=digits).run()
    assert not races.find(store, race_id).is_active
    store.trash(started[:1])
    assert [run.run_id for run in races.find(store, race_id).runs] == started[1:]
    store.trash(started[1:])
    with pytest.raises(StoreError, match="may be deleted"):
        races.find(store, race_id)
    assert races.recent(store) == []


def test_all_are_asked_to_stop(
    store: Store, started: list[str], digits: Dataset, query: Callable[..., list[Any]]
) -> None:
    race_id = races.start(store, races.line_up(races.vary(BASE, "l2", [0, 0.1, 0.2]), seed=1))
    Trainer(store, started[0], dataset=digits).run()  # this one has ended already
    races.stop(store, race_id)
    asked = query("SELECT run_id FROM commands WHERE kind = 'stop'")
    assert sorted(run_id for (run_id,) in asked) == sorted(started[1:])


def test_real_trainers_run_a_race_to_its_end(laboratory: Any) -> None:
    store = laboratory.store
    lined_up = races.line_up(races.vary(BASE, "learning_rate", [0.3, 0.01]), seed=1)
    race_id = races.start(store, lined_up)
    for run in races.find(store, race_id).runs:
        laboratory.watch(run.run_id).until_status("finished")
    fast, slow = races.find(store, race_id).runs
    assert fast.best_validation_accuracy > slow.best_validation_accuracy
