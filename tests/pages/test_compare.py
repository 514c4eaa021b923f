"""Runs against each other on the Runs page."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from neuralscope.engine import EpochEnd
from neuralscope.errors import StoreError
from neuralscope.runs import FINISHED, STOPPED, RunConfig, Store
from neuralscope.runs.curves import epochs_of
from neuralscope.runs.records import Parent, Progress
from neuralscope.runs.writer import Writer
from neuralscope.ui import compare, contestants, resources
from tests.writing import owner

if TYPE_CHECKING:
    from tests.pages.conftest import Page, Runs

Open = Callable[[Sequence[str]], "Page"]

BASE = RunConfig(dataset="digits", hidden=(8,), epochs=4)
FAST = (0.5, 0.8, 0.9, 0.92)
SLOW = (0.5, 0.6, 0.7, 0.75)


def write(
    store: Store,
    accuracies: Sequence[float],
    *,
    status: str | None = FINISHED,
    digest: str = "d1",
    parent: Parent | None = None,
    name: str = "",
    **settings: Any,
) -> str:
    """Write a run with these validation accuracies into the store; ten steps are an epoch."""
    config = replace(BASE, **{"epochs": len(accuracies), **settings})
    run_id = store.create(config, name, parent=parent)
    Writer(store, run_id, "test").adopt()
    owner(store, run_id).set_facts(
        data_digest=digest, versions={"numpy": "2.4"}, machine={}, steps_per_epoch=10
    )
    before = parent.epoch or 0 if parent else 0
    ends = [
        (EpochEnd(epoch, 10 * epoch, 1 - a, a, 1.1 - a, a, config.learning_rate, ()), epoch / 2)
        for epoch, a in enumerate(accuracies, before + 1)
    ]
    last = before + len(accuracies)
    progress = Progress(last, 10 * last, last / 2, 1000.0, config.learning_rate)
    owner(store, run_id).record(progress, epochs=ends)
    if status:
        owner(store, run_id).end(status, test_accuracy=accuracies[-1], samples_per_second=1000.0)
    return run_id


@pytest.fixture
def compared(open_page: Callable[..., Page]) -> Open:
    def compared(run_ids: Sequence[str]) -> Page:
        return open_page(
            "pages/runs.py", dataset=None, view="compare", runs=",".join(run_ids)
        )  # fmt: skip

    return compared


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[RunConfig]:
    """What is queued from the page; no trainer starts."""
    configs: list[RunConfig] = []

    def launch(store: Store, config: RunConfig, name: str = "") -> str:
        configs.append(config)
        return store.create(config, name)

    monkeypatch.setattr(compare, "launch", launch)
    return configs


def table(page: Page) -> pd.DataFrame:
    """Return the table of what differs, by what it says."""
    frame: pd.DataFrame = page.app.dataframe[0].value
    return frame.set_index("What")


def alts(page: Page) -> list[str]:
    """Return the text alternative of each chart."""
    return [each.proto.alt for each in page.app.get("vega_lite_chart")]


# In a sentence


def test_two_runs_are_compared_in_one_sentence(store: Store, compared: Open) -> None:
    slow = (*FAST[:1], *(a - 0.012 for a in FAST[1:]))
    page = compared([write(store, FAST, learning_rate=0.1), write(store, slow, learning_rate=0.01)])
    assert page.says(
        "B differs from A in the learning rate only (0.1 → 0.01); it ends 1.2 points lower; "
        "the gap opens at epoch 2."
    )


def test_what_goes_with_a_choice_is_not_told_twice(store: Store, compared: Open) -> None:
    first = write(store, FAST, optimizer="sgd")
    page = compared([first, write(store, FAST, optimizer="momentum", momentum=0.5)])
    assert page.says("B differs from A in the optimizer only (SGD → Momentum); they end level.")
    assert "Momentum" in table(page).index  # the table says all


def test_other_data_is_told(store: Store, compared: Open) -> None:
    page = compared([write(store, FAST), write(store, SLOW, digest="d2")])
    assert page.says("B differs from A in the data only (d1 → d2); it ends 17.0 points lower")
    assert page.says("These runs were trained on different data")
    assert table(page).loc["Data digest"].tolist() == ["d1", "d2"]
    assert not compared([write(store, FAST), write(store, SLOW)]).says("the same data")


def test_each_of_several_is_compared_with_the_first(store: Store, compared: Open) -> None:
    page = compared([write(store, FAST, learning_rate=rate) for rate in (0.1, 0.2, 0.3)])
    (said,) = (text for text in page.said("markdown") if "differs" in text)
    assert "- B differs from A" in said and "- C differs from A" in said


def test_names_are_text_and_no_markup(store: Store, compared: Open) -> None:
    page = compared([write(store, FAST, name="**x** :red[y]"), write(store, SLOW, l2=0.1)])
    assert any("**x** :red[y]" in alt for alt in alts(page))


def test_without_a_run_it_leads_to_the_first(compared: Open) -> None:
    page = compared([])
    assert page.said("info") == ["No network has been trained yet."]
    assert page.is_primary("Train the first one")
    assert not page.app.multiselect


def test_fewer_than_two_are_no_comparison(store: Store, compared: Open) -> None:
    write(store, SLOW)
    assert compared([]).says("Select two or more")
    assert compared([write(store, FAST)]).says("Select two or more")
    page = compared([write(store, FAST), "20200101-000000-abcd"])
    assert page.says("no longer in this store") and page.says("Select two or more")


# The table


def test_the_table_shows_only_what_differs(store: Store, compared: Open) -> None:
    page = compared([write(store, FAST, learning_rate=0.1), write(store, SLOW, learning_rate=0.01)])
    found = table(page)
    assert found.index.tolist() == [
        "Learning rate",
        "Validation accuracy at the end",
        "Best validation accuracy",
        "Test accuracy",
    ]
    assert found.loc["Learning rate"].tolist() == ["0.1", "0.01"]
    assert found.loc["Test accuracy"].tolist() == ["92.00 %", "75.00 %"]


def test_other_versions_are_in_the_table(store: Store) -> None:
    runs = [store.run(write(store, FAST)) for _ in range(2)]
    runs[1] = replace(runs[1], versions={"numpy": "2.5"})
    found = contestants.gather(runs, together=False)
    rows = compare.differences(found, epochs_of(store, [run.run_id for run in runs]))
    assert rows.to_numpy().tolist() == [["Version of numpy", "2.4", "2.5"]]


def test_of_several_seeds_the_table_has_mean_lowest_and_highest(
    store: Store, compared: Open
) -> None:
    ids = [
        write(store, (0.5, a), seed=s, l2=l2) for l2 in (0, 0.1) for s, a in ((1, 0.7), (2, 0.8))
    ]
    assert table(compared(ids)).loc["L2 penalty"].tolist() == ["0", "0.1"]
    lone = write(store, (0.5, 0.9), seed=1, l2=0.2)
    found = table(compared([*ids, lone]))
    assert found.loc["Test accuracy"].tolist() == ["75.00 % (70.00 % to 80.00 %)"] * 2 + ["90.00 %"]
    assert found.loc["Seed"].tolist() == ["1, 2", "1, 2", "1"]


# Curves


def lines(runs: Sequence[str], store: Store, *, together: bool = True, **options: Any) -> list[Any]:
    found = contestants.gather([store.run(run_id) for run_id in runs], together=together)
    parents = [run.parent_id for each in found for run in each.runs if run.parent_id]
    epochs = epochs_of(store, [*runs, *parents])
    asked = {"quantity": "accuracy", "x_axis": "epoch", "splits": ["Validation"], **options}
    return contestants.curves(found, epochs, **asked)


def test_seeds_of_one_configuration_are_a_mean_with_a_band(store: Store) -> None:
    ids = [write(store, (0.5, a, 0.9), seed=s) for s, a in ((0, 0.6), (1, 0.8))]
    (curve,) = lines([*ids, write(store, (0.7, 0.7), seed=2, epochs=3)], store)
    np.testing.assert_allclose(curve.y, [1.7 / 3, 0.7])  # at the epochs that all have
    np.testing.assert_allclose(curve.low, [0.5, 0.6])
    np.testing.assert_allclose(curve.high, [0.7, 0.8])
    assert [len(x) for x, _ in curve.seeds] == [3, 3, 2]
    assert len(lines(ids, store, together=False)) == 2


def test_the_curve_begins_with_the_untrained_network(store: Store, runs: Runs) -> None:
    run = runs.trained(epochs=2)
    assert store.epochs(run.run_id).epoch.tolist() == [0, 1, 2]
    (curve,) = lines([run.run_id], store)
    assert list(curve.x) == [0, 1, 2]


@pytest.mark.parametrize(
    ("x_axis", "at"), [("epoch", [2.5, 3, 4]), ("step", [25, 30, 40]), ("time", [1.25, 1.5, 2])]
)
def test_a_fork_begins_on_its_parents_curve(store: Store, x_axis: str, at: list[float]) -> None:
    parent = write(store, FAST)
    # In the middle of the parent's third epoch.
    fork = write(store, (0.95, 0.96), parent=Parent(parent, 2, 25), learning_rate=0.01)
    for shown in ([parent, fork], [fork, parent], [fork]):
        curve = next(
            each
            for each in lines(shown, store, x_axis=x_axis)
            if each.contestant == shown.index(fork)
        )
        np.testing.assert_allclose(curve.x, at)
        np.testing.assert_allclose(curve.y, [0.85, 0.95, 0.96])
        assert curve.fork == pytest.approx((at[0], 0.85))


def test_a_fork_whose_parent_is_gone_is_drawn_alone(store: Store, compared: Open) -> None:
    parent = write(store, FAST)
    fork = write(store, (0.95, 0.96), parent=Parent(parent, 2, 20))
    store.trash([parent])
    store.purge([parent])
    (curve,) = lines([fork], store)
    assert list(curve.x) == [3, 4] and curve.fork is None
    assert compared([fork, write(store, SLOW)]).says("the start (epoch 2 of run")


def test_a_fork_is_no_seed_of_its_parents_configuration(store: Store) -> None:
    parent = write(store, FAST)
    fork = write(store, FAST, parent=Parent(parent, 2, 20), seed=1)
    again = write(store, FAST, parent=Parent(parent), seed=2)  # a reproduction starts as it did
    found = contestants.gather([store.run(i) for i in (parent, fork, again)], together=True)
    assert [[run.run_id for run in each.runs] for each in found] == [[parent, again], [fork]]


def test_the_curves_can_be_drawn_in_every_way(store: Store, compared: Open) -> None:
    page = compared([write(store, FAST), write(store, SLOW, l2=0.1)])
    for over in ("step", "time"):
        page.set("Over", over)
        assert len(alts(page)) == 2
    page.set("Examples", ["Validation", "Training"]).set("Log scale", True)
    page.set("Examples", [])  # nothing is chosen: validation then
    assert any("Validation accuracy of 2" in alt for alt in alts(page))


def test_live_runs_move(store: Store, runs: Runs, compared: Open) -> None:
    live = runs.running(learned=2)
    page = compared([live.run_id, write(store, SLOW)])
    assert page.says("at epoch 2, the last that both have")
    live.learn(3)
    assert page.look().says("at epoch 3, the last that both have")
    assert "Accuracy of the runs, live" in alts(page)
    owner(store, live.run_id).end(STOPPED)
    page.look()
    assert "Accuracy of the runs, live" not in alts(page)


def test_a_run_deleted_meanwhile_leaves_the_comparison(store: Store, compared: Open) -> None:
    ids = [write(store, FAST, l2=l2) for l2 in (0, 0.1, 0.2)]
    page = compared(ids)
    store.trash(ids[:1])
    assert page.look().says("no longer in this store")
    assert page.says("B differs from A in the L2 penalty only (0.1 → 0.2)")


def test_nothing_has_been_trained_yet(runs: Runs, compared: Open) -> None:
    page = compared([runs.queued().run_id, runs.queued(l2=0.1).run_id])
    assert page.says("there is no epoch yet that both have completed")


# Settings and result


def test_settings_lie_on_parallel_axes_with_ratios_where_they_matter(store: Store) -> None:
    axis = compare._axis("learning_rate", [0.001, 0.01, 0.1])
    assert axis.positions == pytest.approx((0, 0.5, 1)) and "log" in axis.title
    axis = compare._axis("dropout", [0.0, 0.1, 0.5])
    assert axis.positions == pytest.approx((0, 0.2, 1)) and "log" not in axis.title
    axis = compare._axis("optimizer", ["sgd", "adam", "sgd"])
    assert [label for _, label in axis.ticks] == ["Adam", "SGD"]
    axis = compare._axis("hidden", [(8,), (), (8, 4)])
    assert [label for _, label in axis.ticks] == ["none", "8", "8-4"]


def test_three_runs_have_parallel_axes_and_two_do_not(store: Store, compared: Open) -> None:
    ids = [write(store, (0.5, a), l2=l2) for l2, a in ((0, 0.7), (1e-4, 0.9), (1e-2, 0.8))]
    said = alts(compared(ids))
    assert any(
        "best 8 relu, sgd 0.2, digits, L2 0.0001, 2 epochs with 90.00 %" in alt for alt in said
    )
    assert "Settings and result" not in [each.value for each in compared(ids[:2]).app.subheader]


# Is it really better


def seeds(store: Store, ends: Sequence[float], first: int = 0, **settings: Any) -> list[str]:
    return [write(store, (0.5, a), seed=s, **settings) for s, a in enumerate(ends, first)]


def test_a_clear_difference_is_called_one(store: Store, compared: Open) -> None:
    ids = seeds(store, (0.90, 0.91, 0.93)) + seeds(store, (0.80, 0.82, 0.83), l2=0.1)
    page = compared(ids)
    assert page.says("A is 9.7 points better than B, on average over 3 shared seeds.")
    assert page.says("does not include zero")
    assert any("Paired differences" in alt for alt in alts(page))


def test_a_doubtful_difference_is_called_doubtful(store: Store, compared: Open) -> None:
    ids = seeds(store, (0.90, 0.80)) + seeds(store, (0.80, 0.85), l2=0.1)
    page = compared(ids)
    assert page.says("Not settled") and page.says("includes zero")
    assert page.says("With only 2 seeds the interval is wide")


def test_one_shared_seed_settles_nothing(store: Store, compared: Open) -> None:
    page = compared([write(store, FAST), write(store, SLOW, l2=0.1)])
    assert page.says("One seed is too few to rule out chance")
    assert not any("Paired" in alt for alt in alts(page))
    page = compared([write(store, FAST, seed=1), write(store, SLOW, l2=0.1, seed=2)])
    assert page.says("have no finished seed in common")


def test_of_many_rivals_without_seeds_it_is_said_once(store: Store, compared: Open) -> None:
    page = compared([write(store, FAST, l2=l2) for l2 in (0, 0.1, 0.2)])
    assert page.says("A has at most one finished seed in common with each of the others")
    assert not page.says("With seed 0")


def test_only_runs_that_have_done_their_work_count(
    store: Store, runs: Runs, compared: Open
) -> None:
    ids = seeds(store, (0.9, 0.9)) + seeds(store, (0.8,), l2=0.1)
    stopped = write(store, (0.5, 0.1), seed=1, l2=0.1, status=STOPPED)
    assert compared([*ids, stopped]).says("With seed 0, the only one they share")


def test_the_answer_can_be_asked_of_another_result_and_pair(store: Store, compared: Open) -> None:
    ids = [
        *(write(store, (0.9, 0.5), seed=s) for s in (0, 1)),
        *(write(store, (0.6, 0.8), seed=s, l2=0.1) for s in (0, 1)),
        *(write(store, (0.6, 0.7), seed=s, l2=0.2) for s in (0, 1)),
    ]
    page = compared(ids)
    assert page.says("A is 30.0 points worse than B")
    assert page.set("Result", "best").says("A is 10.0 points better than B")
    page.set("Compare with", "B")
    assert page.says("B is 10.0 points worse than A") and page.says(
        "B is 10.0 points better than C"
    )


def test_one_configuration_is_summed_up(store: Store, compared: Open) -> None:
    page = compared(seeds(store, (0.90, 0.91, 0.95)))
    assert page.says(
        "These 3 runs share one configuration, trained with 3 seeds. They end at 92.00 % "
        "validation accuracy on average, from 90.00 % to 95.00 %."
    )
    page.set("Group seeds", False)
    assert page.says("B differs from A in the seed only (0 → 1)")


# Missing seeds


def test_missing_seeds_are_those_that_any_has_and_then_the_smallest(store: Store) -> None:
    ids = [
        write(store, FAST, seed=0),
        write(store, FAST, seed=7),
        write(store, SLOW, seed=0, l2=0.1),
    ]
    found = contestants.gather([store.run(run_id) for run_id in ids], together=True)
    missing = compare.missing_seeds(found, 3)
    assert [(c.l2, c.seed) for c in missing] == [(0.0, 1), (0.1, 1), (0.1, 7)]
    assert [(c.l2, c.seed) for c in compare.missing_seeds(found, 1)] == [(0.1, 7)]


def test_a_button_trains_them_and_they_join(
    store: Store, runs: Runs, compared: Open, launched: list[RunConfig]
) -> None:
    page = compared([write(store, FAST), write(store, SLOW, l2=0.1)])
    page.set("Seeds per configuration", 2).click("Train the 2 missing runs")
    assert [(c.seed, c.l2) for c in launched] == [(1, 0.0), (1, 0.1)]
    page.look()
    assert page.query["runs"].count(",") == 3
    assert page.says("B differs from A in the L2 penalty only")
    assert page.control("No runs missing").disabled


def test_a_fork_is_told_by_its_parent(store: Store, compared: Open) -> None:
    parent = write(store, FAST)
    page = compared([parent, write(store, FAST, parent=Parent(parent, 2, 20))])
    assert page.says("B differs from A in the start only (random weights → epoch 2 of A)")
    assert table(page).loc["Start"].tolist() == ["random weights", "epoch 2 of A"]
    assert page.says("A ring marks where a fork leaves")


def test_a_fork_gets_no_other_seeds(store: Store, compared: Open) -> None:
    parent = write(store, FAST)
    page = compared([parent, write(store, FAST, parent=Parent(parent, 2, 20), l2=0.1)])
    assert "Seeds per configuration" not in page.labels()


def test_many_missing_runs_are_queued_a_few_at_a_time(
    store: Store, runs: Runs, compared: Open, launched: list[RunConfig]
) -> None:
    page = compared([write(store, FAST), write(store, SLOW, l2=0.1)])
    page.set("Seeds per configuration", 20).click("Train 12 of the 38 missing runs")
    assert len(launched) == compare.MOST_TRAINED_AT_ONCE


def test_a_trainer_that_cannot_start_is_told(
    store: Store, compared: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def launch(*_: object) -> str:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(compare, "launch", launch)
    page = compared([write(store, FAST), write(store, SLOW, l2=0.1)])
    assert page.click("Train the 8 missing runs").says("The disk is full.")


def test_of_very_many_the_first_are_told_and_all_are_drawn(store: Store, compared: Open) -> None:
    page = compared([write(store, FAST, l2=i / 1000) for i in range(30)])
    (said,) = (text for text in page.said("markdown") if "differs" in text)
    assert said.count("differs") == compare.MOST_SENTENCES
    assert page.says("And 17 more")
    assert len(table(page).columns) == 30
    assert any("Validation accuracy of 30 contestants" in alt for alt in alts(page))


# Speed


def test_ten_long_runs_are_read_in_one_query(store: Store, compared: Open) -> None:
    curve = 1 - np.exp(-np.arange(300) / 50)
    ids = [write(store, list(curve - i / 100), learning_rate=(i + 1) / 100) for i in range(10)]
    page = compared(ids)
    asked: list[str] = []
    with resources.store().database.reading() as db:
        db.set_trace_callback(asked.append)
    page.look()
    with resources.store().database.reading() as db:
        db.set_trace_callback(None)
    curves = [text for text in asked if "validation_loss" in text.partition(" FROM ")[0]]
    assert len(curves) == 1, "the epochs of all runs come in one query"
    assert not [text for text in asked if "step_blocks" in text], "what is not drawn is not read"


def test_a_mean_of_nothing_is_a_dash() -> None:
    assert compare._mean([None, math.nan], str) == "–"
