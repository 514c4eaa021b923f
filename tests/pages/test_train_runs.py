"""A run on the Train page, in every state it can be in."""

from __future__ import annotations

import itertools
import json
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import streamlit as st

from neuralscope.data import DATASETS, Dataset, load_dataset
from neuralscope.engine import EpochEnd
from neuralscope.runs import (
    DIVERGED,
    FAILED,
    FINISHED,
    STOPPED,
    RunConfig,
    Store,
)
from neuralscope.runs.last_words import LOG_NAME
from neuralscope.runs.records import Progress
from neuralscope.ui import run_picker, run_view
from tests.writing import owner

if TYPE_CHECKING:
    from tests.pages.conftest import Page, Runs

Open = Callable[..., "Page"]

ENTRIES = ("dashboard.py", "pages/train.py")


def set_up(runs: Runs, state: str) -> str:
    """Return the id of a run in this state."""
    match state:
        case "queued":
            return runs.queued().run_id
        case "running, nothing learned":
            return runs.queued().start().run_id
        case "running, one snapshot":
            return runs.running(1).run_id
        case "running":
            return runs.running(3).run_id
        case "paused":
            return runs.running().pause().run_id
        case "finished":
            return runs.finished().run_id
        case "stopped":
            return runs.stopped().run_id
        case "stopped in the queue":
            run = runs.queued()
            runs.store.send(run.run_id, "stop")
            return runs.take_up(run.run_id).run_id
        case "diverged":
            return runs.diverged().run_id
        case "failed":
            run_id = runs.queued().run_id
            owner(runs.store, run_id).end(FAILED, "This machine has not enough memory for it.")
            return run_id
        case "interrupted":
            run_id = runs.running().run_id
            runs.lose_trainers()
            return run_id
    raise AssertionError(state)


STATES = {
    "queued": "Queued",
    "running, nothing learned": "Running",
    "running, one snapshot": "Running",
    "running": "Running",
    "paused": "Paused",
    "finished": "Finished",
    "stopped": "Stopped",
    "stopped in the queue": "Stopped",
    "diverged": "Diverged",
    "failed": "Failed",
    "interrupted": "Interrupted",
}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("state", STATES)
def test_a_link_shows_a_run_in_any_state(
    open_page: Open, runs: Runs, state: str, entry: str
) -> None:
    run_id = set_up(runs, state)
    page = open_page(entry, run=run_id)
    assert page.query["run"] == run_id
    assert page.badge() == STATES[state]
    assert runs.store.run(run_id).name in [title.value for title in page.app.subheader]
    assert " of " in page.metric("Epoch")
    assert page.metric("Validation accuracy")
    assert page.metric("Throughput")


def test_the_link_of_a_run_fills_the_form_with_its_settings(open_page: Open, runs: Runs) -> None:
    run = runs.trained(hidden=(9,), seed=7)
    page = open_page(run=run.run_id, dataset=None)
    assert page.value("Data set") == "digits"
    assert page.value("Units in layer 1") == 9
    assert page.value("Seed") == 7


def test_settings_in_the_address_win_over_those_of_its_run(open_page: Open, runs: Runs) -> None:
    run = runs.trained(hidden=(9,), seed=7)
    page = open_page(run=run.run_id, dataset="digits", hidden="5")
    assert page.value("Units in layer 1") == 5
    assert page.value("Seed") == 0


@pytest.mark.parametrize("state", STATES)
def test_a_live_run_takes_commands_and_one_that_has_ended_does_not(
    open_page: Open, runs: Runs, state: str
) -> None:
    page = open_page(run=set_up(runs, state))
    live = STATES[state] in ("Queued", "Running", "Paused")
    labels = page.labels()
    assert ("Stop" in labels) == ("Learning rate now" in labels) == live
    assert ("Pause" in labels) == (live and state != "paused")
    # One that ended before its time may go on, with a new trainer.
    goes_on = ("paused", "stopped", "stopped in the queue", "failed", "interrupted")
    assert ("Resume" in labels) == (state in goes_on)
    assert bool(page.app.get("progress")) == live
    # One button of the page is the one to press.
    assert page.is_primary("Start training") != live


# Live ---------------------------------------------------------------------------------------------


def test_a_queued_run_says_its_place(open_page: Open, runs: Runs) -> None:
    first, second = runs.queued(), runs.queued(seed=1)
    assert open_page(run=first.run_id).says("Place 1 in the queue.")
    page = open_page(run=second.run_id)
    assert page.says("Place 2 in the queue.")
    assert page.says("The first point appears as soon as the data is loaded.")
    assert page.metric("Validation accuracy") == "–"


def test_a_run_shows_its_network_before_it_has_learned_anything(
    open_page: Open, runs: Runs
) -> None:
    page = open_page(run=runs.queued().start().run_id)
    assert page.metric("Epoch") == "0 of 50"
    assert set(page.charts()) == {"lines", "cells", "pictures"}


def test_figures_of_a_running_run(open_page: Open, runs: Runs) -> None:
    run = runs.running(2, epochs=8)
    epochs = runs.store.epochs(run.run_id)
    page = open_page(run=run.run_id)
    assert page.metric("Epoch") == "2 of 8"
    assert page.metric("Validation accuracy") == f"{100 * epochs.validation_accuracy[2]:.2f} %"
    assert page.metric("Best so far") == f"{100 * epochs.validation_accuracy.max():.2f} %"
    assert page.metric("Throughput") == "1,257/s"
    assert page.metric("Elapsed") == "2 s"
    assert page.metric("Time left") == "6 s"
    assert page.app.get("progress")[0].proto.value == 25


def test_a_live_page_shows_what_has_come_since(open_page: Open, runs: Runs) -> None:
    run = runs.running(1)
    page = open_page(run=run.run_id)
    assert page.metric("Epoch") == "1 of 50"
    run.learn(5)
    assert page.look().metric("Epoch") == "5 of 50"


def test_the_text_of_a_live_chart_stays_the_same_so_that_it_is_not_drawn_anew(
    open_page: Open, runs: Runs
) -> None:
    run = runs.running(1)
    page = open_page(run=run.run_id)
    before = page.charts()
    run.learn(3)
    assert page.look().charts() == before


@pytest.mark.parametrize(
    ("label", "kind"), [("Pause", "pause"), ("Stop", "stop"), ("Resume", "resume")]
)
def test_a_button_sends_its_command_once(
    open_page: Open, runs: Runs, label: str, kind: str
) -> None:
    run = runs.running()
    if label == "Resume":
        run.pause()
    page = open_page(run=run.run_id).click(label)
    assert run.commands() == [(kind, None)]
    page.look()
    assert run.commands() == []


def test_pause_turns_into_resume_and_back(open_page: Open, runs: Runs) -> None:
    run = runs.running()
    page = open_page(run=run.run_id)
    run.pause()
    page.look()
    assert page.is_primary("Resume")
    assert page.badge() == "Paused"
    run.resume()
    page.look()
    assert page.badge() == "Running"
    assert "Resume" not in page.labels()
    assert [label for _, label in page.marks()] == ["paused", "resumed"]


def test_the_live_learning_rate_is_sent_and_marked(open_page: Open, runs: Runs) -> None:
    run = runs.running(2)
    page = open_page(run=run.run_id)
    assert page.value("Learning rate now") == 0.2
    page.set("Learning rate now", 0.05)
    assert run.commands() == [("learning_rate", 0.05)]
    assert page.look().value("Learning rate now") == 0.05, "while the trainer has not answered"
    run.set_rate(0.05)
    run.learn(3)
    page.look()
    assert page.value("Learning rate now") == 0.05
    assert page.marks() == [(2.0, "learning rate 0.2 → 0.05")]
    assert run.commands() == [], "what somebody else says is not said again"


def test_the_live_learning_rate_can_be_put_back(open_page: Open, runs: Runs) -> None:
    run = runs.running(2)
    page = open_page(run=run.run_id)
    for rate in (0.05, 0.2, 0.05):
        page.set("Learning rate now", rate)
        assert run.commands() == [("learning_rate", rate)]
        run.set_rate(rate)
        assert page.look().value("Learning rate now") == rate


def test_a_learning_rate_that_somebody_else_sets_is_shown(open_page: Open, runs: Runs) -> None:
    run = runs.running(learning_rate=0.037)
    page = open_page(run=run.run_id)
    assert page.value("Learning rate now") == 0.037
    run.set_rate(0.0123)
    assert page.look().value("Learning rate now") == 0.0123
    assert run.commands() == []


def test_the_learning_rate_of_the_form_is_not_that_of_the_run(open_page: Open, runs: Runs) -> None:
    run = runs.running()
    page = open_page(run=run.run_id).set("Learning rate", 0.5)
    assert page.value("Learning rate now") == 0.2
    assert run.commands() == []


def test_a_command_that_comes_too_late_is_told(
    open_page: Open, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs.running()
    page = open_page(run=run.run_id)
    owner(runs.store, run.run_id).end(FINISHED)
    page.click("Pause")  # on the page as it was
    assert page.badge() == "Finished"


# Ended --------------------------------------------------------------------------------------------


def test_a_finished_run_says_how_it_did_on_the_test_digits(open_page: Open, runs: Runs) -> None:
    run = runs.finished()
    assert run.test_accuracy is not None
    page = open_page(run=run.run_id)
    [sentence] = page.said("success", "info")
    assert f"Test accuracy **{100 * run.test_accuracy:.2f} %**" in sentence
    assert (
        f"it gets {round(360 * (1 - run.test_accuracy))} of the 360 test digits wrong" in sentence
    )
    assert sentence.endswith(f", epoch {run.best_epoch}.")
    assert page.metric("Epoch") == "2 of 2"


@pytest.mark.parametrize(
    ("accuracy", "kind", "words"),
    [
        (0.0892, "error", "Test accuracy **8.92 %**"),
        (0.0892, "error", "**It has learned nothing: "),
        (0.11, "error", "always answering the most frequent class scores 10.18 %"),
        (0.4, "warning", "That is weak"),
        (0.7, "info", "Test accuracy **70.00 %**"),
        (0.95, "success", "Test accuracy **95.00 %**"),
    ],
)
def test_the_color_of_a_result_is_that_of_its_worth(
    open_page: Open, runs: Runs, accuracy: float, kind: str, words: str
) -> None:
    run = runs.running(1, epochs=1)
    owner(runs.store, run.run_id).end(FINISHED, test_accuracy=accuracy)
    page = open_page(run=run.run_id)
    [sentence] = page.said("error", "warning", "info", "success")
    assert page.said(kind) == [sentence]
    assert words in sentence
    assert "gray-badge" in page.said("markdown")[0], "that it has finished is no praise"


def test_an_accuracy_that_stays_is_no_progress(open_page: Open, runs: Runs) -> None:
    run = runs.running(2, learning_rate=1e-5)
    page = open_page(run=run.run_id)
    [metric] = [each for each in page.app.metric if each.label == "Validation accuracy"]
    assert metric.delta == "no change"
    assert metric.proto.color == metric.proto.MetricColor.GRAY
    assert metric.proto.direction == metric.proto.MetricDirection.NONE


def test_what_came_before_a_run_diverged_is_no_success(open_page: Open, runs: Runs) -> None:
    run = runs.running(2)
    owner(runs.store, run.run_id).end(DIVERGED, message="Training diverged in epoch 3, step 130.")
    page = open_page(run=run.run_id)
    [metric] = [each for each in page.app.metric if each.label == "Validation accuracy"]
    assert metric.delta.endswith(" points")
    assert metric.proto.color == metric.proto.MetricColor.GRAY
    assert metric.proto.direction == metric.proto.MetricDirection.NONE


def test_overfitting_is_named_and_marked_with_its_epoch(open_page: Open, runs: Runs) -> None:
    run = runs.running(1)
    for epoch, loss in enumerate((0.5, 0.4, 0.5, 0.6, 0.7), 2):
        end = EpochEnd(epoch, 45 * epoch, 1 / epoch, 0.9, loss, 0.8, 0.2, ())
        owner(runs.store, run.run_id).record(
            Progress(epoch, 45 * epoch, epoch, 1.0, 0.2), [], [(end, 1)]
        )
    page = open_page(run=run.run_id)
    [sentence] = page.said("warning")
    assert sentence.startswith(
        "Overfitting since epoch 3: validation loss has risen from 0.40 to 0.70"
    )
    assert page.marks() == [(3.0, "overfitting since epoch 3")]


def test_a_run_that_stopped_early_says_so_and_marks_it(open_page: Open, runs: Runs) -> None:
    run = runs.trained(learning_rate=0.5, patience=2)
    page = open_page(run=run.run_id)
    [sentence] = page.said("success")
    assert sentence.endswith(
        f" Stopped early after epoch {run.epoch}: validation accuracy has not risen for 2 epochs; "
        f"the weights of epoch {run.best_epoch} are restored."
    )
    assert page.marks() == [(run.epoch, f"stopped early, epoch {run.best_epoch} restored")]
    # What is looked at first are these weights; the epoch that was given up is a stop away.
    assert page.says(f"Showing **epoch {run.best_epoch}, restored**")
    assert page.set("Epoch", str(run.epoch)).says(f"Showing **epoch {run.epoch}**")


def test_the_charts_of_an_ended_run_are_told_in_words(open_page: Open, runs: Runs) -> None:
    charts = open_page(run=runs.finished().run_id).charts()
    assert "over 2 epochs" in charts["lines"]
    assert "of 180 digits" in charts["cells"]
    assert "digits" in charts["pictures"]


@pytest.mark.parametrize(
    ("units", "which"), [(16, "all 16 units:"), (129, "the first 128 of the 129 units:")]
)
def test_it_is_said_which_units_have_a_picture(
    open_page: Open, runs: Runs, units: int, which: str
) -> None:
    run = runs.trained(hidden=(units,), epochs=1)
    assert open_page(run=run.run_id).says(f"One picture for each unit, {which}")


def test_a_stopped_run_is_tested_and_says_where_it_was(open_page: Open, runs: Runs) -> None:
    run = runs.stopped()
    page = open_page(run=run.run_id)
    [sentence] = page.said("success", "info", "warning")
    assert "of the 360 test digits" in sentence
    is_within = run.step > run.epoch * run.steps_per_epoch
    where = f"in epoch {run.epoch + 1}" if is_within else f"after epoch {run.epoch}"
    assert f"It was stopped {where}." in sentence


def test_a_run_that_was_stopped_before_it_began_says_so(open_page: Open, runs: Runs) -> None:
    page = open_page(run=set_up(runs, "stopped in the queue"))
    assert page.said("warning") == ["It was stopped before it had begun."]


def test_a_diverged_run_says_where_and_what_helps(open_page: Open, runs: Runs) -> None:
    page = open_page(run=runs.diverged().run_id)
    [sentence] = page.said("error")
    assert "Training diverged in epoch 1, step" in sentence
    assert "A smaller learning rate usually helps." in sentence


def test_a_failed_run_says_why(open_page: Open, runs: Runs) -> None:
    page = open_page(run=set_up(runs, "failed"))
    assert page.said("error") == ["This machine has not enough memory for it."]


def test_an_interrupted_run_says_what_is_left(open_page: Open, runs: Runs) -> None:
    page = open_page(run=set_up(runs, "interrupted"))
    [sentence] = page.said("warning")
    assert sentence.startswith(
        "Its training process ended unexpectedly. What it had learned is kept."
    )
    assert set(page.charts()) == {"lines", "cells", "pictures"}


def test_what_a_trainer_died_of_is_shown_with_its_log(open_page: Open, runs: Runs) -> None:
    run_id = set_up(runs, "interrupted")
    log = "Traceback (most recent call last):\n  *in* <b>run</b>\nMemoryError: *no* room"
    (runs.store.folder(run_id) / LOG_NAME).write_text(f"{log}\n")
    page = open_page(run=run_id)
    [sentence] = page.said("warning")
    assert sentence.startswith(
        "Its training process ended unexpectedly: MemoryError: *no* room. What it had learned is"
    )
    assert [code.value for code in page.app.code] == [log]


def test_a_trainer_that_takes_no_commands_is_said_to_be_silent(
    open_page: Open, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_view, "SILENT_AFTER", 0.0)
    silent = "The training process does not answer; it may be suspended."
    run = runs.running()
    page = open_page(run=run.run_id)
    page.click("Stop")
    assert silent in page.look().said("warning")
    assert run.commands() == [("stop", None)]
    assert silent not in page.look().said("warning")


def test_what_computed_a_run_can_be_read(open_page: Open, runs: Runs) -> None:
    run = runs.finished()
    page = open_page(run=run.run_id)
    facts = json.loads(page.app.json[0].value)
    assert facts["config"] == run.config.as_dict()
    assert facts["run_id"] == run.run_id
    assert facts["data_digest"] == load_dataset("digits").digest


# Curves -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("along", "log", "smoothing"),
    [("epoch", True, 0.0), ("step", False, 0.99), ("time", True, 0.99)],
)
def test_curves_can_be_read_in_every_way(
    open_page: Open, runs: Runs, along: str, log: bool, smoothing: float
) -> None:
    run = runs.running(2)
    run.set_rate(0.1)
    run.learn(3)
    page = open_page(run=run.run_id)
    page.control("Log scale").set_value(log)
    page.control("Smoothing").set_value(smoothing)
    page.set("Over", along)
    [(at, label)] = page.marks()
    assert label == "learning rate 0.2 → 0.1"
    assert at == {"epoch": 2.0, "step": 80.0, "time": 2.0}[along]


# Which run ----------------------------------------------------------------------------------------


def test_without_a_link_a_live_run_is_shown(open_page: Open, runs: Runs) -> None:
    runs.finished()
    live = runs.running()
    page = open_page(dataset=None)
    assert page.query["run"] == live.run_id
    assert page.badge() == "Running"


@pytest.mark.parametrize("link", [{"hidden": "64"}, {"learning_rate": "banana"}])
def test_a_link_to_an_experiment_opens_it_whatever_is_running(
    open_page: Open, runs: Runs, link: dict[str, str]
) -> None:
    live = runs.running()
    page = open_page(**link)
    assert "run" not in page.query
    assert page.metric("Parameters")
    assert page.value("Units in layer 1") == int(link.get("hidden", 128))
    page.set("Seed", 3)
    again = open_page(**page.query)  # a reload, or whoever is sent the link
    assert (again.query, again.value("Seed")) == (page.query, 3)
    assert again.set("Run", live.run_id).query["run"] == live.run_id


def test_a_link_to_a_run_and_an_experiment_shows_both(open_page: Open, runs: Runs) -> None:
    run = runs.finished()
    runs.running()
    page = open_page(run=run.run_id, hidden="64")
    assert page.badge() == "Finished"
    assert page.value("Units in layer 1") == 64
    assert page.query == {"dataset": "digits", "hidden": "64", "run": run.run_id}


def test_the_browser_going_back_shows_run_and_settings_of_that_time(
    open_page: Open, runs: Runs
) -> None:
    run = runs.finished()
    page = open_page(hidden="64")
    start = page.query
    later = page.set("Run", run.run_id).set("Units in layer 1", 32).query
    page.go_back(start)
    assert page.metric("Parameters") and page.value("Units in layer 1") == 64
    assert page.query == start
    page.go_back(later)
    assert page.badge() == "Finished" and page.value("Units in layer 1") == 32
    assert page.query == later
    page.go_back({})  # a plain address
    assert page.query == {"epochs": "20"} and page.value("Data set") == "mnist"


def test_without_a_link_no_ended_run_is_shown(open_page: Open, runs: Runs) -> None:
    runs.finished()
    page = open_page()
    assert "run" not in page.query
    assert page.metric("Parameters")


def test_the_menu_turns_to_any_run_and_back_to_a_new_one(open_page: Open, runs: Runs) -> None:
    first, second = runs.finished(), runs.diverged()
    page = open_page(run=first.run_id).set("Run", second.run_id)
    assert page.query["run"] == second.run_id
    assert page.badge() == "Diverged"
    page.set("Run", first.run_id)
    assert page.badge() == "Finished"
    page.set("Run", run_picker.NONE)
    assert "run" not in page.query
    assert page.metric("Parameters")


def test_a_menu_that_a_busy_browser_sends_back_late_turns_to_nothing(
    open_page: Open, runs: Runs
) -> None:
    run = runs.finished()
    page = open_page()
    late = page.control("Run")._widget_state
    assert late.string_value == "Set up a new run"
    page.set("Run", run.run_id)
    page.send_back(late)
    assert page.query["run"] == run.run_id
    assert page.badge() == "Finished"


@pytest.mark.parametrize(
    "run_id",
    ["20260101-000000-abcd", "nonsense", "../../etc/passwd", "%00", "x" * 5000, "1' OR '1'='1"],
)
def test_an_unknown_run_is_told_in_one_sentence(open_page: Open, run_id: str) -> None:
    page = open_page(run=run_id)
    [sentence] = page.said("warning")
    assert sentence.startswith("There is no run ")
    assert len(sentence) < 400
    assert page.metric("Parameters"), "the form goes on as without a link"
    assert page.query == {"dataset": "digits"}


def test_a_run_that_is_deleted_while_it_is_looked_at_is_told(open_page: Open, runs: Runs) -> None:
    run = runs.finished()
    page = open_page(run=run.run_id)
    runs.store.delete(run.run_id)
    page.look()
    [sentence] = page.said("warning")
    assert run.run_id in sentence
    assert page.metric("Parameters")


def test_snapshots_that_are_gone_are_told_and_the_curves_stay(open_page: Open, runs: Runs) -> None:
    run = runs.finished()
    shutil.rmtree(runs.store.folder(run.run_id))
    page = open_page(run=run.run_id)
    [sentence] = page.said("warning")
    assert "is gone or damaged" in sentence
    assert set(page.charts()) == {"lines"}


def test_a_run_is_shown_whatever_its_name_holds(open_page: Open, store: Store) -> None:
    name = "**bold** [link](https://example.org) :red[x] $x^2$ <b>"
    page = open_page(run=store.create(RunConfig(dataset="digits"), name))
    assert page.badge() == "Queued"


def test_the_set_up_of_a_run_is_copied_to_the_form(open_page: Open, runs: Runs) -> None:
    run = runs.trained(hidden=(9, 5), learning_rate=0.037, epochs=1, seed=7)
    page = open_page(run=run.run_id, epochs="20", learning_rate="banana", seed="-1")
    page.click("Set up a run like this")
    assert not page.app.sidebar.error, "what was wrong in the address is settled"
    assert page.value("Units in layer 2") == 5
    assert page.value("Learning rate") == 0.037
    assert RunConfig.from_query(page.query) == (run.config, [])


# Starting -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", ENTRIES)
def test_start_trains_what_the_form_says_to_its_end(
    open_page: Open, store: Store, entry: str
) -> None:
    page = open_page(entry, hidden="8", seed="3").set("Epochs", 2).click("Start training")
    run_id = page.query["run"]
    config = RunConfig(dataset="digits", hidden=(8,), seed=3, epochs=2)
    assert store.run(run_id).config == config
    deadline = time.monotonic() + 30
    while page.badge() in ("Queued", "Running"):
        assert time.monotonic() < deadline, store.run(run_id)
        time.sleep(0.1)
        page.look()
    assert page.badge() == "Finished"
    assert page.says("of the 360 test digits")
    assert len(store.runs()) == 1


def test_starting_again_trains_a_second_run_and_shows_it(open_page: Open, store: Store) -> None:
    page = open_page(epochs="1").click("Start training")
    first = page.query["run"]
    page.set("Seed", 1).click("Start training")
    second = page.query["run"]
    assert first != second
    assert {run.run_id: run.config.seed for run in store.runs()} == {first: 0, second: 1}


def test_a_run_that_cannot_be_started_is_told(
    open_page: Open, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neuralscope.runs.launcher.sys.executable", "/nowhere/python")
    page = open_page().click("Start training")
    assert page.said("error") == ["No trainer could be started: No such file or directory."]
    assert page.metric("Parameters")
    page.look()
    assert page.said("error") == [], "said once"


# The store ----------------------------------------------------------------------------------------


def test_a_store_that_cannot_be_made_is_told_in_one_sentence(
    open_page: Open, run_store: Path
) -> None:
    run_store.write_text("a file where the folder should be")
    page = open_page()
    assert page.said("error") == [f"The run store {run_store} cannot be made: File exists."]


def test_a_database_of_another_program_is_told_in_one_sentence(
    open_page: Open, run_store: Path
) -> None:
    run_store.mkdir()
    database = sqlite3.connect(run_store / "neuralscope.sqlite3")
    database.execute("CREATE TABLE theirs (x)")
    database.close()
    page = open_page()
    [sentence] = page.said("error")
    assert "is a database of another program; choose another store." in sentence


def test_a_store_that_breaks_meanwhile_is_told(open_page: Open, runs: Runs) -> None:
    page = open_page(run=runs.finished().run_id)
    database = sqlite3.connect(runs.store.path / "neuralscope.sqlite3")
    with database:
        database.execute("DROP TABLE runs")
    database.close()
    page.look()
    assert "failed: no such table: runs." in " ".join(page.said("error", "warning"))


# Data that is not here ----------------------------------------------------------------------------


def test_a_run_whose_data_is_not_here_has_curves_but_no_pictures(
    open_page: Open, runs: Runs
) -> None:
    info = DATASETS["mnist"]
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (200, info.n_features), np.uint8)
    y = rng.integers(0, 10, 200)
    made_up = Dataset(
        name="mnist",
        x_train=x,
        y_train=y,
        x_validation=x[:50],
        y_validation=y[:50],
        x_test=x[:50],
        y_test=y[:50],
        image_shape=info.image_shape,
        class_names=tuple("0123456789"),
        pixel_max=255,
        digest="",
    )
    run = runs.queued(dataset="mnist").start(made_up).learn(2)
    owner(runs.store, run.run_id).end(STOPPED, test_accuracy=0.95)
    page = open_page(run=run.run_id)
    assert set(page.charts()) == {"lines"}
    [sentence] = page.said("warning")
    assert sentence.startswith("MNIST is not here")
    assert sum(run.config.dataset == "mnist" for run in runs.store.runs()) == 1


# A run whose first point is awaited ---------------------------------------------------------------


@pytest.mark.parametrize("ends", ["_draw_once", "_read"])
def test_a_run_that_ends_before_the_first_look_for_its_first_point_is_shown_as_ended(
    open_page: Open, runs: Runs, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    """It diverges while the page is drawn: right after it was drawn as live, or right before."""
    run = runs.queued()
    through = getattr(run_view, ends)

    def diverge_meanwhile(*given: Any) -> Any:
        before = run.store.run(run.run_id).is_active
        told = through(*given)
        if before:
            run.start()
            owner(run.store, run.run_id).end(DIVERGED, "Training diverged in epoch 1, step 2.")
        return told

    monkeypatch.setattr(run_view, ends, diverge_meanwhile)
    page = open_page(run=run.run_id)
    assert page.badge() == "Diverged"
    assert page.says("Training diverged in epoch 1, step 2.")
    assert "cells" in page.charts(), "the network before training is there to be looked at"


@pytest.mark.parametrize("n_asked", range(4))
def test_a_run_that_is_drawn_as_live_is_looked_at_again(
    open_page: Open, runs: Runs, monkeypatch: pytest.MonkeyPatch, n_asked: int
) -> None:
    """However often the page asks whether the first point is awaited before it has come."""
    answers = itertools.chain([True] * n_asked, itertools.repeat(False))
    monkeypatch.setattr(run_view, "_is_awaited", lambda run: next(answers))
    paces: list[float | None] = []
    fragment = st.fragment

    def recorded(*given: Any, **options: Any) -> Any:
        paces.append(options.get("run_every"))
        return fragment(*given, **options)

    monkeypatch.setattr(st, "fragment", recorded)
    page = open_page(run=runs.running(1).run_id)
    assert page.badge() == "Running"
    assert any(paces), "no part of the page looks at the run again"
