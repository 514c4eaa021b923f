"""What stands in the store and cannot be read: every page says so, and shows all the rest."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from neuralscope.errors import StoreError, StoreFull
from neuralscope.runs import FINISHED, Run, Store
from neuralscope.runs.database import FILE_NAME, Database
from tests.pages.conftest import config
from tests.writing import owner

if TYPE_CHECKING:
    from tests.pages.conftest import Page, Runs

Open = Callable[..., "Page"]
PAGES = ("train", "confusion", "mistakes", "activations", "draw", "runs")


def tamper(store: Store, *statements: str) -> None:
    """Change rows as another program would."""
    with contextlib.closing(sqlite3.connect(store.path / FILE_NAME)) as database, database:
        for statement in statements:
            database.execute(statement)


def add(store: Store, name: str) -> Run:
    run_id = store.create(config(), name)
    owner(store, run_id).end(FINISHED)
    return store.run(run_id)


def test_unreadable_runs_are_listed_with_the_reason_and_can_be_deleted(
    store: Store, open_page: Open
) -> None:
    good, bad, nameless = (add(store, name) for name in ("good", "bad", "nameless"))
    tamper(
        store,
        f"UPDATE runs SET status = '*flying*' WHERE run_id = '{bad.run_id}'",
        f"UPDATE runs SET run_id = '../outside' WHERE run_id = '{nameless.run_id}'",
    )
    page = open_page("pages/runs.py", dataset=None)
    assert page.says("1 to 1 of 1 run")
    assert page.says("2 runs are not listed above")
    assert page.says("In its row, status is '*flying*', but must be one of queued, running")
    assert page.says("In its row, run_id is '../outside', but must be the id of a run. Started ")
    for run_id in (bad.run_id, "row-3"):
        page.app.button(key=f"unreadable_delete_{run_id}").click()
        page.look()
    assert not page.says("listed above")
    assert store.unreadable().total == 0
    assert [run.run_id for run in store.runs()] == [good.run_id]


def test_a_store_of_unreadable_runs_is_not_called_empty(store: Store, open_page: Open) -> None:
    add(store, "bad")
    tamper(store, "UPDATE runs SET config = '{'")
    page = open_page("pages/runs.py", dataset=None)
    assert page.said("info") == ["No run in this store can be read."]
    assert page.says("In its row, config is not valid: it is not the JSON of a configuration.")


def test_every_page_shows_what_is_left_of_a_damaged_run(
    store: Store, runs: Runs, open_page: Open
) -> None:
    run = runs.finished()
    broken = add(store, "broken")
    tamper(
        store,
        "UPDATE epochs SET train_loss = 'x' WHERE epoch = 1",
        "UPDATE step_blocks SET losses = x'ff' WHERE first_step = 1",
        "UPDATE events SET text = x'ff' WHERE kind = 'started'",
        "UPDATE layer_health SET dead = 9e999 WHERE layer = 0 AND epoch = 1",
        "UPDATE snapshots SET name = '../../outside' WHERE epoch = 1",
        f"UPDATE runs SET best_epoch = 'x' WHERE run_id = '{broken.run_id}'",
        "UPDATE runs SET parent_id = run_id, parent_epoch = 1, parent_step = 1, best_epoch = NULL "
        f"WHERE run_id = '{run.run_id}'",
    )
    for name in PAGES:
        query = {"runs" if name == "runs" else "run": run.run_id}
        page = open_page(f"pages/{name}.py", dataset=None, **query)
        assert page.says("5 rows of this run cannot be read and are left out.") == (
            name in ("train", "runs")
        )
        assert not page.said("error")
    page = open_page("pages/train.py", dataset=None, run=broken.run_id)
    assert page.says("has a row that cannot be read: best_epoch is 'x', but must be a whole")


def test_a_checkpoint_whose_file_is_gone_is_told(store: Store, runs: Runs, open_page: Open) -> None:
    run = runs.finished()
    for file in store.folder(run.run_id).iterdir():
        file.unlink()
    for name in set(PAGES) - {"runs"}:
        start = {"start": "test", "digit": "0"} if name == "draw" else {}
        page = open_page(f"pages/{name}.py", dataset=None, run=run.run_id, **start)
        assert page.says("is gone or damaged"), (name, page.said())


def test_a_full_disk_offers_to_delete_for_good(
    store: Store, runs: Runs, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs.finished()
    writing = Database.writing

    @contextlib.contextmanager
    def writing_with_room(self: Database) -> Iterator[sqlite3.Connection]:
        if store.folder(run.run_id).exists():
            raise StoreFull("The run store failed: the disk is full.")
        with writing(self) as db:
            yield db

    monkeypatch.setattr(Database, "writing", writing_with_room)
    page = open_page("pages/runs.py", dataset=None, runs=run.run_id)
    page.app.button(key="runs_delete_yes").click()
    page.look()
    assert page.said("error") == ["The run store failed: the disk is full."]
    assert page.says("Deleting this run for good makes room. This cannot be undone.")
    page.click("Delete for good")
    assert page.said("info") == ["No network has been trained yet."]
    assert store.runs() == []


def test_a_store_that_cannot_be_written_is_shown_and_says_why_nothing_changes(
    store: Store, runs: Runs, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs.finished()

    @contextlib.contextmanager
    def refuse(self: Database) -> Iterator[sqlite3.Connection]:
        raise StoreError("The run store failed: it cannot be written.")
        yield

    monkeypatch.setattr(Database, "writing", refuse)
    for name in PAGES:
        assert not open_page(f"pages/{name}.py", dataset=None, run=run.run_id).said("error")
    page = open_page("pages/runs.py", dataset=None, runs=run.run_id)
    for label in ("Star", "Archive", "Reproduce"):
        page.click(label)
        assert page.said("error") == ["The run store failed: it cannot be written."], label
    page.set("Name", "another")
    assert page.said("error") == ["The run store failed: it cannot be written."]
    page = open_page("pages/train.py", run=run.run_id)
    page.click("Start training")
    assert page.said("error") == ["The run store failed: it cannot be written."]
