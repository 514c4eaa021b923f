"""Going on with a run, forking it and training it again, on the Train page and on the Runs page."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest
import streamlit as st

from neuralscope.runs import FAILED, FINISHED, QUEUED, RUNNING, Run, Store, lineage, list_snapshots
from neuralscope.ui import lineage_panel
from tests.pages.conftest import Page, Runs
from tests.writing import owner

Open = Callable[..., Page]

NO_SNAPSHOT = "can be read any more"


@pytest.fixture(autouse=True)
def no_trainers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Queued runs stay so until the test takes them up."""
    monkeypatch.setattr(lineage_panel, "start_trainer", lambda store, run_id: None)


def shown(page: Page, store: Store) -> Run:
    return store.run(page.query["run"])


def unescaped(page: Page, *kinds: str) -> list[str]:
    return [text.replace("\\", "") for text in page.said(*kinds)]


def tells(page: Page, text: str, kind: str = "info") -> bool:
    """Return whether a sentence of this kind, read without its escapes, holds this text."""
    return any(text in sentence for sentence in unescaped(page, kind))


# Going on -----------------------------------------------------------------------------------------


def test_a_stopped_run_goes_on_at_a_click(open_page: Open, store: Store, runs: Runs) -> None:
    run = runs.stopped()
    page = open_page(run=run.run_id).click("Resume")
    assert shown(page, store).run_id == run.run_id
    assert page.badge() == "Queued"
    assert store.run(run.run_id).config == run.config


def test_a_finished_run_is_given_more_epochs(open_page: Open, store: Store, runs: Runs) -> None:
    run = runs.finished()
    page = open_page(run=run.run_id).set("Total epochs", 5).click("Continue to epoch 5")
    assert page.badge() == "Queued"
    assert store.run(run.run_id).config.epochs == 5
    assert runs.take_up(run.run_id).epoch == 5
    page.look()
    assert page.badge() == "Finished"
    assert "resumed at epoch 2" in [label for _, label in page.marks()]


def test_what_cannot_go_on_says_why(open_page: Open, runs: Runs) -> None:
    page = open_page(run=runs.diverged().run_id)
    assert "Resume" not in page.labels()
    assert page.says("has diverged, and would again; fork it from an earlier epoch")


def test_a_run_whose_snapshots_are_gone_says_what_is_left(
    open_page: Open, store: Store, runs: Runs
) -> None:
    run = runs.stopped()
    page = open_page(run=run.run_id)
    shutil.rmtree(store.folder(run.run_id))
    page.click("Resume")
    assert any(NO_SNAPSHOT in text and "trained again" in text for text in page.said("error"))
    assert store.run(run.run_id).status == run.status


def test_a_live_run_is_left_alone(open_page: Open, runs: Runs) -> None:
    page = open_page(run=runs.running().run_id)
    assert {"Fork", "Reproduce", "Resume"}.isdisjoint(page.labels())


# Branching off ------------------------------------------------------------------------------------


def test_a_fork_begins_where_it_was_asked_to(open_page: Open, store: Store, runs: Runs) -> None:
    parent = runs.trained(epochs=4)
    page = open_page(run=parent.run_id)
    places = [info.epoch for info in list_snapshots(store, parent.run_id) if info.epoch]
    page.set("From", places.index(2)).set("Learning rate of the fork", "0.05")
    page.click("Start the fork")
    fork = shown(page, store)
    assert (fork.parent_id, fork.parent_epoch, fork.status) == (parent.run_id, 2, QUEUED)
    assert (fork.config.learning_rate, fork.config.hidden) == (0.05, parent.config.hidden)
    assert page.says("after epoch 2, whose curve is dashed")
    assert runs.take_up(fork.run_id).status == FINISHED
    page.look()
    assert "forked at epoch 2" in [label for _, label in page.marks()]
    assert store.epochs(fork.run_id).epoch.tolist() == [3, 4]


def start_of_fork(page: Page) -> int:
    """Return the epoch that the form of a fork starts at."""
    control = page.control("From")
    return int(control.options[control.index].removeprefix("epoch "))


def test_a_fork_starts_at_the_epoch_of_the_address(open_page: Open, runs: Runs) -> None:
    page = open_page(run=runs.trained(epochs=6).run_id, epoch="4")
    assert start_of_fork(page) == 4
    assert page.says("This is the epoch shown.")


def test_a_fork_starts_at_the_epoch_that_the_slider_shows(
    open_page: Open, store: Store, runs: Runs
) -> None:
    page = open_page(run=runs.trained(epochs=6).run_id)
    assert start_of_fork(page) == 6 and not page.says("This is the epoch shown.")
    page.set("Epoch", "4")
    assert start_of_fork(page.look()) == 4
    page.set("Epoch", "2").look()
    assert start_of_fork(page) == 2
    page.click("Start the fork")
    assert shown(page, store).parent_epoch == 2


def test_a_fork_of_an_epoch_that_cannot_be_forked_starts_at_the_nearest(
    open_page: Open, runs: Runs
) -> None:
    page = open_page(run=runs.trained(epochs=3).run_id, epoch="0")
    assert start_of_fork(page) == 1
    assert page.says("Epoch 0 cannot be forked; epoch 1 is the nearest that can.")


def test_the_runs_page_forks_at_the_epoch_that_was_shown_elsewhere(
    open_page: Open, runs: Runs
) -> None:
    first, second = runs.trained(epochs=6), runs.trained(epochs=5)
    page = open_page(run=first.run_id, epoch="4")
    page.app.switch_page("pages/runs.py")
    page.app.query_params.clear()
    page.app.query_params["runs"] = first.run_id
    assert start_of_fork(page.look()) == 4
    page.app.query_params["runs"] = second.run_id
    assert start_of_fork(page.look()) == 5  # of which no epoch is shown


def test_at_the_end_of_a_run_a_fork_needs_more_epochs(
    open_page: Open, store: Store, runs: Runs
) -> None:
    page = open_page(run=runs.finished().run_id)
    assert page.value("Epochs of the fork") == "4"
    page.click("Start the fork")
    assert shown(page, store).config.epochs == 4


@pytest.mark.parametrize("typed", ["banana", "-1", "nan", ""])
def test_a_setting_that_cannot_be_is_told(
    open_page: Open, store: Store, runs: Runs, typed: str
) -> None:
    page = open_page(run=runs.finished().run_id)
    page.set("Learning rate of the fork", typed).click("Start the fork")
    assert any("must be a number from" in text for text in page.said("error"))
    assert len(store.runs()) == 1


def test_a_snapshot_that_has_gone_leaves_the_others_on_offer(
    open_page: Open, store: Store, runs: Runs
) -> None:
    run = runs.trained(epochs=3)
    page = open_page(run=run.run_id)
    last = list_snapshots(store, run.run_id)[-1]
    (store.folder(run.run_id) / f"{last.name}.npz").unlink()
    page.click("Start the fork")
    offer = "it can still be forked at epoch 0, epoch 1 or epoch 2."
    assert any(offer in text for text in page.said("error"))
    assert len(store.runs()) == 1


def test_a_fork_outlives_its_parent(open_page: Open, store: Store, runs: Runs) -> None:
    page = open_page(run=runs.finished().run_id).click("Start the fork")
    fork = shown(page, store)
    assert fork.parent_id
    store.delete(fork.parent_id)
    runs.take_up(fork.run_id)
    page.look()
    assert page.badge() == "Finished"
    assert page.says("Forked from a run that has been deleted")


# Training it again --------------------------------------------------------------------------------


def test_trained_again_it_says_whether_the_same_bits_came_out(
    open_page: Open, store: Store, runs: Runs
) -> None:
    original = runs.finished()
    page = open_page(run=original.run_id).click("Reproduce")
    again = shown(page, store)
    assert again.config == original.config and again.run_id != original.run_id
    assert page.says("A repeat of ")
    runs.take_up(again.run_id)
    page.look()
    assert any("Identical to the bit" in text for text in page.said("success"))


def test_what_differs_is_named(open_page: Open, store: Store, runs: Runs) -> None:
    original = runs.finished()
    again = runs.take_up(open_page(run=original.run_id).click("Reproduce").query["run"])
    with store.database.writing() as db:
        db.execute("UPDATE epochs SET train_loss = 0 WHERE run_id = ?", (again.run_id,))
    page = open_page(run=again.run_id)
    assert any("It differs from epoch 0 on" in text for text in page.said("warning"))


def test_a_link_to_the_other_run_turns_the_page(open_page: Open, store: Store, runs: Runs) -> None:
    original = runs.finished()
    page = open_page(run=original.run_id).click("Reproduce")
    again = shown(page, store)
    page.click("Show the original")
    assert shown(page, store).run_id == original.run_id
    assert tells(page, "Reproduction: starting.")
    page.click("Show this run")
    assert shown(page, store).run_id == again.run_id


# Where it was asked for ---------------------------------------------------------------------------


@pytest.fixture
def open_card(open_page: Open) -> Open:
    """Open the Runs page with a run's card."""

    def open_card(run: Run) -> Page:
        page = open_page(runs=run.run_id, dataset=None)
        page.app.switch_page("pages/runs.py")
        return page.look()

    return open_card


def links(page: Page, text: str) -> list[str]:
    """Return the addresses of the links with this text."""
    return [e.proto.query_string for e in page.app.get("page_link") if e.proto.label == text]


def test_a_reproduction_is_followed_to_its_verdict_where_it_was_asked_for(
    open_card: Open, store: Store, runs: Runs
) -> None:
    original = runs.finished()
    page = open_card(original)
    assert not page.says("Reproduction")
    page.click("Reproduce")
    again = store.runs()[0]
    assert tells(page, "Reproduction: starting.")
    assert links(page, "Show this run") == [f"run={again.run_id}"]
    owner(store, again.run_id).set_status(RUNNING)
    page.look()
    assert tells(page, "Reproduction: running, epoch 0 of 2.")
    runs.take_up(again.run_id)
    page.look()
    assert tells(page, "Reproduction: identical to the bit", "success")
    with store.database.writing() as db:
        db.execute("UPDATE epochs SET train_loss = 0 WHERE run_id = ?", (again.run_id,))
    st.cache_resource.clear()
    page.look()
    assert tells(page, "Reproduction: it differs from epoch 0", "warning")


def test_a_fork_is_followed_by_what_it_changed(open_card: Open, store: Store, runs: Runs) -> None:
    parent = runs.finished()
    page = open_card(parent).set("Learning rate of the fork", "0.05").click("Start the fork")
    [fork] = [run for run in store.runs() if run.is_fork]
    assert tells(page, "Fork at epoch 2 (rate 0.05, 4 epochs): starting.")
    runs.take_up(fork.run_id)
    page.look()
    assert tells(page, "Fork at epoch 2 (rate 0.05, 4 epochs): finished, best validation accuracy")


def test_what_waits_says_for_how_many(
    open_card: Open, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lineage_panel, "slots", lambda: 1)
    run = runs.finished()
    runs.running(1)
    page = open_card(run).click("Reproduce")
    assert tells(page, "Reproduction: number 1 in the queue.")
    page.click("Reproduce")
    assert tells(page, "Reproduction: number 2 in the queue.")


def test_a_reproduction_that_fails_says_so_where_it_was_asked_for(
    open_card: Open, store: Store, runs: Runs
) -> None:
    page = open_card(runs.finished()).click("Reproduce")
    owner(store, store.runs()[0].run_id).end(FAILED, "The disk is full.")
    page.look()
    assert unescaped(page, "error") == ["Reproduction: failed. The disk is full."]


def test_only_the_newest_are_told_of(open_card: Open, store: Store, runs: Runs) -> None:
    run = runs.finished()
    for _ in range(lineage_panel.MOST_TOLD + 2):
        owner(store, lineage.reproduce(store, run.run_id)).end(FAILED, "No.")
    page = open_card(run)
    assert len(page.said("error")) == lineage_panel.MOST_TOLD
    assert page.says("And 2 more, made earlier from this run.")


# Elsewhere ----------------------------------------------------------------------------------------


def test_the_runs_page_offers_the_same(open_page: Open, store: Store, runs: Runs) -> None:
    run = runs.finished()
    page = open_page("pages/runs.py", runs=run.run_id, dataset=None)
    assert {"Fork", "Reproduce"} <= {*page.labels(), *_popovers(page)}
    page.click("Reproduce")
    assert len(store.runs()) == 2


def _popovers(page: Page) -> list[str]:
    return [block.proto.popover.label for block in page.app.get("popover")]
