"""Going on with a run, forking it and training it again, on the Train page and on the Runs page."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from neuralscope.runs import FINISHED, QUEUED, Run, Store, list_snapshots
from neuralscope.ui import lineage_panel
from tests.pages.conftest import Page, Runs

Open = Callable[..., Page]

NO_SNAPSHOT = "can be read any more"


@pytest.fixture(autouse=True)
def no_trainers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Queued runs stay so until the test takes them up."""
    monkeypatch.setattr(lineage_panel, "start_trainer", lambda store, run_id: None)


def shown(page: Page, store: Store) -> Run:
    return store.run(page.query["run"])


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


# Elsewhere ----------------------------------------------------------------------------------------


def test_the_runs_page_offers_the_same(open_page: Open, store: Store, runs: Runs) -> None:
    run = runs.finished()
    page = open_page("pages/runs.py", runs=run.run_id, dataset=None)
    assert {"Fork", "Reproduce"} <= {*page.labels(), *_popovers(page)}
    page.click("Reproduce")
    assert len(store.runs()) == 2


def _popovers(page: Page) -> list[str]:
    return [block.proto.popover.label for block in page.app.get("popover")]
