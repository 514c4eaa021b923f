"""A store that is busy or full for a while: training goes on, and nothing is lost."""

from __future__ import annotations

import errno
import os
import re
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralscope.data import Dataset
from neuralscope.engine import Record, StepEnd
from neuralscope.errors import StoreBusy, StoreError, StoreFull, WeightsError
from neuralscope.runs import (
    RunConfig,
    Store,
    lineage,
    list_snapshots,
    logbook,
    mailbox,
    retrying,
    snapshots,
    trainer,
    writer,
)
from neuralscope.runs.clock import Clock
from neuralscope.runs.database import FILE_NAME
from neuralscope.runs.life import LOCK_NAME
from neuralscope.runs.retrying import Retrying
from neuralscope.runs.snapshots import load_state
from neuralscope.runs.trainer import Trainer, main
from neuralscope.runs.writer import Writer

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")

CONFIG = RunConfig("digits", (8,), epochs=12, learning_rate=0.5, seed=3)
N_BATCHES = 40
BUSY = (
    "Cannot write for now: Another program keeps the run store busy. Trying again until it works."
)
WAITS = "The run waits until this can be written."


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let trainers look, write and try again after every step."""
    monkeypatch.setattr(trainer, "POLL_EVERY", 0.0)
    monkeypatch.setattr(trainer, "FLUSH_EVERY", 0.0)
    monkeypatch.setattr(trainer, "PATIENCE", 0.0)
    monkeypatch.setattr(retrying, "RETRY_EVERY", 0.005)
    monkeypatch.setattr(retrying, "NAP", 0.001)
    monkeypatch.setattr(mailbox, "NAP", 0.001)


class OtherProgram:
    """Holds the write lock of a store as a backup or a database browser does."""

    def __init__(self, store: Store) -> None:
        self.connection = sqlite3.connect(store.path / FILE_NAME, isolation_level=None)

    @property
    def holds_lock(self) -> bool:
        return self.connection.in_transaction

    def lock(self) -> None:
        self.connection.execute("BEGIN IMMEDIATE")

    def let_go(self) -> None:
        self.connection.execute("ROLLBACK")


@pytest.fixture
def other(store: Store) -> Iterator[OtherProgram]:
    program = OtherProgram(store)
    yield program
    program.connection.close()


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, digits: Dataset
) -> Iterator[dict[str, Any]]:
    with Store(tmp_path_factory.mktemp("undisturbed")) as store:
        run_id = store.create(CONFIG)
        Trainer(store, run_id, dataset=digits).run()
        yield outcome(store, run_id)


def outcome(store: Store, run_id: str) -> dict[str, Any]:
    """Return all that came out of a run, but for events and the times it took."""
    run, epochs, steps = store.run(run_id), store.epochs(run_id), store.steps(run_id)
    infos = list_snapshots(store, run_id)
    files = sorted(path.name for path in store.folder(run_id).iterdir())
    assert files == [*sorted(f"{info.name}.npz" for info in infos), LOCK_NAME]
    return {
        "run": (run.status, run.message, run.epoch, run.step),
        "best": (run.best_epoch, run.best_validation_accuracy),
        "test": (run.test_loss, run.test_accuracy),
        "epochs": [column.tobytes() for column in epochs._replace(seconds=epochs.epoch)],
        "steps": (steps.step.tobytes(), steps.loss.tobytes()),
        "health": store.health(run_id),
        "kept": [(info.name, info.epoch, info.step) for info in infos],
        "weights": [load_state(store, run_id, i.name)["parameters"].tobytes() for i in infos],
    }


def events(store: Store, run_id: str) -> list[str]:
    return [event.kind for event in store.events(run_id)]


# Another program holds the lock ------------------------------------------------------------------


def test_training_goes_on_while_another_program_holds_the_lock_and_nothing_is_lost(
    store: Store, digits: Dataset, other: OtherProgram, undisturbed: dict[str, Any]
) -> None:
    run_id, said = store.create(CONFIG), list[str]()
    n_written, n_taken = 0, 0

    def watch(record: Record) -> None:
        nonlocal n_written, n_taken
        if record.step == 50 and not other.holds_lock:
            other.lock()
            n_written = store.run(run_id).step
        elif other.holds_lock:
            n_taken += isinstance(record, StepEnd)
            assert store.run(run_id).step == n_written
            if record.step >= 5 * N_BATCHES and said:
                other.let_go()

    Trainer(store, run_id, dataset=digits, on_record=watch, on_trouble=said.append).run()
    assert n_taken >= 3 * N_BATCHES
    assert outcome(store, run_id) == undisturbed
    assert events(store, run_id) == ["started", "delayed", "finished"]
    told = store.events(run_id)[1]
    assert re.fullmatch(r"could not write for \d+ s: the store was busy", told.text)
    assert told.step >= 5 * N_BATCHES
    assert said == [
        BUSY,
        f"Could write again after {told.text[20:-20]}; nothing is lost.",
    ]
    assert (np.diff(store.steps(run_id).seconds) >= 0).all()
    assert (np.diff(store.epochs(run_id).seconds) > 0).all()


def test_of_what_waits_in_memory_there_is_a_limit_at_which_training_waits_too(
    store: Store,
    digits: Dataset,
    other: OtherProgram,
    undisturbed: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logbook, "MOST_STEPS", 60)
    run_id = store.create(CONFIG)
    n_taken, limits = 0, list[int]()

    def watch(record: Record) -> None:
        nonlocal n_taken
        if record.step == 50 and not limits and not other.holds_lock:
            other.lock()
        n_taken += other.holds_lock and isinstance(record, StepEnd)

    def let_go(sentence: str) -> None:
        if sentence == WAITS:
            limits.append(n_taken)
            other.let_go()

    Trainer(store, run_id, dataset=digits, on_record=watch, on_trouble=let_go).run()
    assert limits == [n_taken] == [60]
    assert outcome(store, run_id) == undisturbed


def test_the_end_of_a_run_waits_until_it_can_be_written(
    store: Store, digits: Dataset, other: OtherProgram, undisturbed: dict[str, Any]
) -> None:
    run_id, said = store.create(CONFIG), list[str]()

    def watch(record: Record) -> None:
        if record.step == CONFIG.epochs * N_BATCHES and isinstance(record, StepEnd):
            other.lock()

    def let_go(sentence: str) -> None:
        said.append(sentence)
        if sentence == WAITS:
            assert store.run(run_id).is_active
            other.let_go()

    Trainer(store, run_id, dataset=digits, on_record=watch, on_trouble=let_go).run()
    assert len(said) == 3
    assert outcome(store, run_id) == undisturbed


@needs_signals
@pytest.mark.parametrize("locked_at", [None, 50], ids=["before it begins", "in its second epoch"])
def test_told_to_end_it_ends_although_nothing_can_be_written_and_can_be_resumed(
    store: Store,
    digits: Dataset,
    other: OtherProgram,
    undisturbed: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    locked_at: int | None,
) -> None:
    monkeypatch.setattr(mailbox, "GRACE", 0.02)
    run_id = store.create(CONFIG)

    def watch(record: Record) -> None:
        if record.step == locked_at and not other.holds_lock:
            other.lock()

    def kill(sentence: str) -> None:
        if sentence.startswith("Cannot write"):
            os.kill(os.getpid(), signal.SIGTERM)

    if locked_at is None:
        other.lock()
    with pytest.raises(StoreError, match=r"was told to end while nothing could be written\. What"):
        Trainer(store, run_id, dataset=digits, on_record=watch, on_trouble=kill).run()
    other.let_go()
    lineage.resume(store, run_id)
    Trainer(store, run_id, dataset=digits).run()
    assert outcome(store, run_id) == undisturbed


def test_a_run_whose_turn_has_not_come_does_not_ask_for_the_lock(
    store: Store, other: OtherProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "slots", lambda: 0)
    waiting = Writer(store, store.create(CONFIG), patience=0.0)
    other.lock()
    assert not waiting.claim_slot()
    monkeypatch.setattr(writer, "slots", lambda: 1)
    with pytest.raises(StoreBusy):
        waiting.claim_slot()


# Commands ----------------------------------------------------------------------------------------


def test_commands_are_obeyed_once_although_they_cannot_be_marked_as_taken(
    store: Store, digits: Dataset, other: OtherProgram, query: Callable[..., Any]
) -> None:
    run_id, seen = store.create(CONFIG), list[str]()

    def watch(record: Record) -> None:
        if not isinstance(record, StepEnd):
            return
        if record.step == 50:
            store.send(run_id, "learning_rate", 0.25)
            other.lock()
        if record.step == 90:
            other.let_go()
            store.send(run_id, "pause")
            other.lock()

    def wait(place: int) -> None:
        status = store.run(run_id).status
        if other.holds_lock:
            seen.append(status)
            if len(seen) == 3:
                other.let_go()
        elif status == "paused" and seen[-1] != "paused":
            seen.append(status)
            store.send(run_id, "resume")

    run = Trainer(store, run_id, dataset=digits, on_record=watch, on_wait=wait).run()
    assert seen == [*["running"] * 3, "paused"]  # nobody could know of the pause before
    assert (run.status, run.learning_rate) == ("finished", 0.25)
    told = [(e.kind, e.step) for e in store.events(run_id) if e.kind != "delayed"]
    assert told[1:4] == [("learning_rate", 50), ("paused", 90), ("resumed", 90)]
    assert len(told) == 5
    assert query("SELECT count(*) FROM commands WHERE handled IS NULL") == [(0,)]


def test_a_run_can_be_stopped_while_nothing_can_be_written(
    store: Store, digits: Dataset, other: OtherProgram
) -> None:
    run_id = store.create(CONFIG)

    def watch(record: Record) -> None:
        if record.step == 50 and isinstance(record, StepEnd):
            store.send(run_id, "stop")
            other.lock()

    def let_go(sentence: str) -> None:
        if sentence == WAITS:
            other.let_go()

    run = Trainer(store, run_id, dataset=digits, on_record=watch, on_trouble=let_go).run()
    assert (run.status, run.step, len(store.steps(run_id).step)) == ("stopped", 50, 50)
    assert list_snapshots(store, run_id)[-1].step == 50


# A full disk -------------------------------------------------------------------------------------


class FullDisk:
    """Has no room for files while it is on."""

    def __init__(self) -> None:
        self.is_full = False
        self._write = snapshots.write

    def write(self, path: Path, *contents: Any) -> None:
        if self.is_full:
            path.touch()
            path.unlink()
            raise WeightsError("cannot be written") from OSError(errno.ENOSPC, "No space left")
        self._write(path, *contents)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FullDisk:
    disk = FullDisk()
    monkeypatch.setattr(snapshots, "write", disk.write)
    return disk


def test_on_a_full_disk_an_epoch_that_is_kept_waits_for_room(
    store: Store, digits: Dataset, disk: FullDisk, undisturbed: dict[str, Any]
) -> None:
    run_id, said = store.create(CONFIG), list[str]()
    n_taken = 0

    def watch(record: Record) -> None:
        nonlocal n_taken
        disk.is_full |= record.step == 50
        n_taken += disk.is_full and isinstance(record, StepEnd)

    def make_room(sentence: str) -> None:
        said.append(sentence)
        if sentence == WAITS:
            disk.is_full = False

    Trainer(store, run_id, dataset=digits, on_record=watch, on_trouble=make_room).run()
    assert n_taken == 31  # to the end of the epoch
    assert said[0] == (
        f"Cannot write for now: Snapshot epoch-00002 of run {run_id} cannot be written: the disk "
        "is full. Trying again until it works."
    )
    assert outcome(store, run_id) == undisturbed
    assert events(store, run_id) == ["started", "delayed", "finished"]
    assert store.events(run_id)[1].text.endswith(" s: the disk was full")


def test_on_a_full_disk_there_is_no_latest_but_training_goes_on(
    store: Store,
    digits: Dataset,
    disk: FullDisk,
    undisturbed: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trainer, "MOST_KEEPING", 1e9)
    run_id, said = store.create(CONFIG), list[str]()

    def watch(record: Record) -> None:
        disk.is_full = 50 < record.step < 70
        is_time = 45 < record.step < 75  # for a snapshot after each step
        monkeypatch.setattr(trainer, "LATEST_EVERY", 0.0 if is_time else 60.0)

    Trainer(store, run_id, dataset=digits, on_record=watch, on_trouble=said.append).run()
    assert WAITS not in said
    assert outcome(store, run_id) == undisturbed


def test_a_full_disk_under_the_database_is_waited_for_as_well(
    store: Store, digits: Dataset, undisturbed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    n_failures, record = 0, Writer.record

    def fail(self: Writer, progress: Any, *rest: Any) -> None:
        nonlocal n_failures
        if progress is not None and progress.step >= 50 and n_failures < 3:
            n_failures += 1
            raise StoreFull("The run store failed: the disk is full.")
        record(self, progress, *rest)

    monkeypatch.setattr(Writer, "record", fail)
    run_id = store.create(CONFIG)
    Trainer(store, run_id, dataset=digits).run()
    assert outcome(store, run_id) == undisturbed
    assert store.events(run_id)[1].text.endswith(" s: the disk was full")


# What is said ------------------------------------------------------------------------------------


def test_the_log_of_a_trainer_tells_what_could_not_be_written(
    store: Store, other: OtherProgram, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    n_failures, end = 0, Writer.end

    def fail(*arguments: Any, **options: Any) -> None:
        nonlocal n_failures
        n_failures += 1
        if n_failures < 4:
            raise StoreBusy("The run store failed: other programs kept it busy.")
        end(*arguments, **options)

    monkeypatch.setattr(Writer, "end", fail)
    run_id = store.create(CONFIG)
    assert main([run_id, "--store", str(store.path)]) == 0
    assert capsys.readouterr().err.splitlines() == [
        BUSY,
        WAITS,
        "Could write again after 0 s; nothing is lost.",
    ]
    assert events(store, run_id)[-1] == "delayed"


def test_what_works_at_the_second_try_is_not_worth_a_word() -> None:
    said = list[str]()
    again = Retrying(Clock(), said.append, said.append)
    answers = iter([StoreBusy("Busy."), None])

    def write() -> str:
        if (error := next(answers)) is not None:
            raise error
        return "written"

    assert again.insist(write, lambda: None) == "written"
    assert said == []


def test_told_to_end_twice_it_waits_no_more(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = store.create(CONFIG)
    box = mailbox.Mailbox(store, logbook.Logbook(Writer(store, run_id)), lambda place: None)
    box.check_deadline()
    box.hurry()
    box.check_deadline()
    box.hurry()
    with pytest.raises(mailbox.Abandoned):
        box.check_deadline()
