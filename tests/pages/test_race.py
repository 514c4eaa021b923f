"""Races on the Runs page."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from neuralscope.data import load_dataset
from neuralscope.engine import EpochEnd
from neuralscope.errors import StoreError
from neuralscope.runs import (
    DIVERGED,
    FAILED,
    FINISHED,
    SETTINGS,
    STOPPED,
    RunConfig,
    Store,
    races,
)
from neuralscope.runs.curves import epochs_of
from neuralscope.runs.records import Progress
from neuralscope.runs.writer import Writer
from neuralscope.ui import race
from tests.writing import owner, take_commands

if TYPE_CHECKING:
    from tests.pages.conftest import Page, Runs

DEADLINE = 20.0
BASE = RunConfig(dataset="digits", hidden=(8,), epochs=4, seed=3)
FAST, SLOW = (0.5, 0.8, 0.9, 0.92), (0.5, 0.6, 0.7, 0.75)

Open = Callable[..., "Page"]


@pytest.fixture
def opened(open_page: Callable[..., Page]) -> Open:
    return lambda **query: open_page("pages/runs.py", dataset=None, view="race", **query)


@pytest.fixture
def no_trainers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(races, "start_trainer", lambda store, run_id: None)


class Track:
    """A race whose trainers are the test."""

    def __init__(self, store: Store, rates: Sequence[float] = (0.1, 0.01), **more: Any) -> None:
        base = RunConfig(**{**BASE.as_dict(), **more})
        self.store = store
        self.race_id = races.start(
            store, races.line_up(races.vary(base, "learning_rate", rates), seed=base.seed)
        )

    @property
    def race(self) -> races.Race:
        return races.find(self.store, self.race_id)

    def learn(self, lane: int, accuracies: Sequence[float], status: str | None = None) -> Track:
        """Write down the epochs of a run, half a second each, and its end."""
        run_id = self.race.runs[lane].run_id
        Writer(self.store, run_id, "test").adopt()
        owner(self.store, run_id).set_status("running")
        ends = [
            (EpochEnd(epoch, 10 * epoch, 1 - a, a, 1.1 - a, a, 0.1, ()), epoch / 2)
            for epoch, a in enumerate(accuracies, 1)
        ]
        last = len(accuracies)
        owner(self.store, run_id).record(
            Progress(last, 10 * last, last / 2, 99.0, 0.1), epochs=ends
        )
        if status:
            owner(self.store, run_id).end(status)
        return self

    def standing(self) -> tuple[list[float], int | None]:
        ids = [run.run_id for run in self.race.runs]
        return race.standing(self.race, epochs_of(self.store, ids))


def says(page: Page, text: str) -> bool:
    """Return whether the page says this, however its Markdown has to be written."""
    return any(text in sentence.replace("\\", "") for sentence in page.said())


def rows(page: Page) -> list[dict[str, str]]:
    return list(page.app.dataframe[0].value.to_dict("records"))


# Who stands where


def test_on_the_way_they_are_compared_after_the_same_epoch(
    store: Store, runs: Runs, no_trainers: None
) -> None:
    track = Track(store, (0.1, 0.01, 0.001)).learn(0, FAST, FINISHED).learn(1, SLOW[:2])
    scores, epoch = track.standing()
    assert epoch == 2
    assert scores[:2] == [0.8, 0.6] and math.isnan(scores[2])  # the third waits in the queue


def test_at_the_end_counts_what_they_ended_with(
    store: Store, runs: Runs, no_trainers: None
) -> None:
    track = Track(store).learn(0, FAST, FINISHED).learn(1, SLOW, FINISHED)
    assert track.standing() == ([0.92, 0.75], None)


def test_with_patience_the_best_epoch_counts(store: Store, runs: Runs, no_trainers: None) -> None:
    track = Track(store, patience=2).learn(0, (0.9, 0.7), FINISHED).learn(1, (0.8, 0.85), FINISHED)
    assert track.standing() == ([0.9, 0.85], None)


def test_a_race_that_was_stopped_is_judged_where_all_had_come(
    store: Store, runs: Runs, no_trainers: None
) -> None:
    track = Track(store).learn(0, FAST, STOPPED).learn(1, SLOW[:3], STOPPED)
    assert track.standing() == ([0.9, 0.7], 3)


@pytest.mark.parametrize("status", [DIVERGED, FAILED])
def test_who_breaks_down_is_out_of_the_race(
    store: Store, runs: Runs, no_trainers: None, opened: Open, status: str
) -> None:
    track = Track(store).learn(0, (0.95,), status).learn(1, SLOW, FINISHED)
    scores, epoch = track.standing()
    assert math.isnan(scores[0]) and scores[1] == 0.75 and epoch is None
    page = opened(race=track.race_id)
    assert page.says("B (learning rate 0.01) wins with 75.00 % validation accuracy")
    assert says(page, "Out of the race: A.")


def test_nobody_has_begun(store: Store, runs: Runs, no_trainers: None, opened: Open) -> None:
    page = opened(race=Track(store).race_id)
    assert page.says("No run has completed an epoch yet.")
    assert page.says("No run has reached 50 % yet")


# Looking on


def test_a_race_goes_on_before_ones_eyes(
    store: Store, runs: Runs, no_trainers: None, opened: Open
) -> None:
    track = Track(store).learn(0, FAST[:1])
    page = opened(race=track.race_id)
    assert page.says("A (learning rate 0.1) leads after epoch 1 with 50.00 % validation accuracy")
    assert says(page, "No epoch yet: B.")
    track.learn(0, FAST, FINISHED).learn(1, SLOW[:2])
    assert page.look().says("leads after epoch 2 with 80.00 % validation accuracy")
    track.learn(1, SLOW, FINISHED)
    assert says(
        page.look(),
        "A (learning rate 0.1) wins with 92.00 % validation accuracy, 17.0 points ahead of B.",
    )
    assert "Stop all" not in page.labels()


def test_a_second_viewer_and_a_reload_find_it_by_its_address(
    store: Store, runs: Runs, no_trainers: None, opened: Open
) -> None:
    first, second = Track(store), Track(store, (0.5, 0.3), seed=8)
    page = opened()
    assert page.query["race"] == second.race_id  # the newest one
    assert page.says("B in") or "seed 8" in page.app.subheader[0].value
    other = opened(race=first.race_id)
    assert "seed 3" in other.app.subheader[0].value and other.query["race"] == first.race_id
    other.set("Race", second.race_id)
    assert "seed 8" in other.app.subheader[0].value and other.query["race"] == second.race_id


def test_a_race_that_a_busy_browser_sends_back_late_is_not_chosen(
    store: Store, runs: Runs, no_trainers: None, opened: Open
) -> None:
    first, second = Track(store), Track(store, (0.5, 0.3), seed=8)
    page = opened()
    menu = page.control("Race")
    # As if somebody had chosen the one that is shown: nothing, as long as it is.
    menu.set_value(second.race_id)
    late = menu._widget_state
    page.set("Race", first.race_id)
    page.send_back(late)
    assert "seed 3" in page.app.subheader[0].value and page.query["race"] == first.race_id


def test_an_address_of_no_race_says_so(
    store: Store, runs: Runs, no_trainers: None, opened: Open
) -> None:
    page = opened(race="race-20200101-000000-abcd")
    assert page.says("There is no race") and "race" not in page.query
    track = Track(store)
    page = opened(race="**x**")
    assert page.says("There is no race")
    page.set("Race", track.race_id)
    assert not page.says("There is no race") and page.query["race"] == track.race_id


def test_the_queue_is_explained(
    store: Store, runs: Runs, no_trainers: None, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(race, "slots", lambda: 1)
    track = Track(store, (0.1, 0.01, 0.001)).learn(0, FAST[:1])
    page = opened(race=track.race_id)
    assert page.says("2 runs wait in the queue. This machine trains one run at a time")


def test_places_and_times_are_in_a_table(
    store: Store, runs: Runs, no_trainers: None, opened: Open
) -> None:
    track = Track(store, (0.01, 0.1)).learn(0, SLOW, FINISHED).learn(1, FAST, FINISHED)
    page = opened(race=track.race_id)
    assert [(row["Place"], row["Run"], row["Accuracy"]) for row in rows(page)] == [
        ("1", "B", "92.00 %"),
        ("2", "A", "75.00 %"),
    ]
    # 70 % is the highest of those offered that two have reached.
    assert says(
        page, "B was first to reach 70 %, after 1.0 s of training (epoch 2), 0.5 s before A."
    )
    page.set("Time to an accuracy of", 0.9)
    assert says(page, "B was first to reach 90 %, after 1.5 s of training (epoch 3); A never did.")
    assert [row["Time to 90 %"] for row in rows(page)] == ["1.5 s", "–"]


def test_all_can_be_stopped(store: Store, runs: Runs, no_trainers: None, opened: Open) -> None:
    track = Track(store).learn(0, FAST[:1])
    opened(race=track.race_id).click("Stop all")
    for run in track.race.runs:
        assert [command.kind for command in take_commands(store, run.run_id)] == ["stop"]


def test_one_thing_leads_to_another(
    store: Store, runs: Runs, no_trainers: None, opened: Open
) -> None:
    track = Track(store).learn(0, FAST, FINISHED).learn(1, SLOW, FINISHED)
    page = opened(race=track.race_id).click("Compare these runs").look()
    assert page.query["view"] == "compare"
    assert page.says("B differs from A in the learning rate only (0.1 → 0.01)")


def test_unequal_batches_are_admitted(
    store: Store, runs: Runs, no_trainers: None, opened: Open
) -> None:
    configs = races.line_up(races.vary(BASE, "batch_size", [16, 64]), seed=3)
    page = opened(race=races.start(store, configs))
    assert page.says("the examples in the same order, cut into batches of different sizes")
    configs = races.line_up(races.vary(BASE, "l2", [0, 0.1]), seed=3)
    assert opened(race=races.start(store, configs)).says(
        "All start from seed 3, with the same weights, and learn from the same batches"
    )


# A new one


def test_a_race_varies_one_setting_of_the_newest_run(
    store: Store, runs: Runs, no_trainers: None, opened: Open
) -> None:
    store.create(BASE)
    page = opened()
    page.set("Vary", "optimizer").set("Values", "sgd; adam").set("Epochs", 7).set("Seed", 5)
    page.click("Start race of 2")
    found = races.find(store, page.query["race"])
    assert [run.config.optimizer for run in found.runs] == ["sgd", "adam"]
    for run in found.runs:
        config = run.config
        assert (config.hidden, config.epochs, config.seed) == ((8,), 7, 5)


def test_chosen_runs_race_as_they_are(
    store: Store, runs: Runs, no_trainers: None, opened: Open
) -> None:
    chosen = [store.create(config) for config in races.vary(BASE, "l2", [0, 0.1, 0.2])]
    page = opened(runs=",".join(chosen))
    assert page.value("Start from") == race.CHOSEN
    page.click("Start race of 3")
    assert [run.config.l2 for run in races.find(store, page.query["race"]).runs] == [0, 0.1, 0.2]


def test_chosen_runs_that_differ_in_the_seed_only_race_once(
    store: Store, runs: Runs, no_trainers: None, opened: Open
) -> None:
    configs = [replace(BASE, l2=l2, seed=seed) for l2 in (0, 0.1) for seed in range(4)]
    page = opened(runs=",".join(store.create(config) for config in configs))
    page.click("Start race of 2")
    found = races.find(store, page.query["race"]).runs
    assert [(run.config.l2, run.config.seed) for run in found] == [(0, 0), (0.1, 0)]


def test_one_chosen_run_can_be_the_base(
    store: Store, runs: Runs, no_trainers: None, opened: Open
) -> None:
    chosen = store.create(RunConfig(dataset="digits", hidden=(5,)))
    store.create(BASE)
    page = opened(runs=chosen).set("Start from", chosen).click("Start race of 3")
    assert {run.config.hidden for run in races.find(store, page.query["race"]).runs} == {(5,)}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("0.1", "takes 2 to 6 configurations; this is 1"),
        ("0.1; 0.1", "1 and 2 are the same"),
        ("0.1; fast", "must be a number"),
        ("1;2;3;4;5;6;7", "this is 7 configurations"),
        ("", "this is 0 configurations"),
    ],
)
def test_what_cannot_race_is_said(
    store: Store, runs: Runs, opened: Open, values: str, said: str
) -> None:
    store.create(BASE)
    page = opened().set("Values", values)
    assert page.says(said)
    assert page.control("Start race").disabled


def test_data_that_is_not_here_is_named(opened: Open) -> None:
    page = opened()  # no run yet: the defaults, on MNIST, which is not fetched
    assert page.says("MNIST is not on this computer yet")
    assert page.control("Start race of 3").disabled
    assert page.says("No race has been run yet")


@pytest.mark.parametrize("field", races.VARIED)
def test_what_is_suggested_can_race(field: str) -> None:
    base = RunConfig(
        epochs=20, optimizer="adamw" if field == "weight_decay" else "momentum", schedule="step"
    )
    values = races.read_values(field, race.suggest(field, base))
    assert 2 <= len(races.line_up(races.vary(base, field, values), seed=0)) <= races.MOST
    assert field in SETTINGS


@pytest.mark.parametrize("rate", [1e-5, 2e-5, 0.2, 3.0, 10.0])
def test_suggested_rates_are_near_the_rate(rate: float) -> None:
    values = races.read_values(
        "learning_rate", race.suggest("learning_rate", RunConfig(learning_rate=rate))
    )
    assert rate in values and len(values) >= 2


def test_a_store_that_cannot_be_written_is_told(
    store: Store, runs: Runs, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create(BASE)

    def start(*_: object) -> str:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(races, "start", start)
    assert opened().click("Start race of 3").says("The disk is full.")


def test_real_trainers_run_a_race_from_the_page(store: Store, opened: Open) -> None:
    load_dataset("digits")  # its compact copy is then there for the trainers
    store.withdraw(store.create(BASE))
    page = opened().set("Values", "0.3; 0.01").set("Epochs", 3).click("Start race of 2")
    deadline = time.monotonic() + DEADLINE
    while races.find(store, page.query["race"]).is_active:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    page.look()
    assert page.says("B (learning rate 0.3) wins") or page.says("A (learning rate 0.3) wins")
