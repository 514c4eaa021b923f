"""The trainer within the process of the test; as a process of its own: test_trainer_process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralscope.data import Dataset
from neuralscope.engine import EpochEnd, Record, StepEnd
from neuralscope.errors import DataUnavailable, RunNotFound, StoreError
from neuralscope.runs import (
    LATEST,
    EpochHealth,
    RunConfig,
    Store,
    list_snapshots,
    load_snapshot,
    new_network,
    train,
)
from neuralscope.runs import store as store_module
from neuralscope.runs import trainer as trainer_module
from neuralscope.runs.trainer import Trainer, main
from neuralscope.runs.writer import Writer
from tests.writing import owner

DIVERGING = RunConfig(
    # The penalty alone multiplies all weights by 1 - 10 in every step, 10 steps an epoch.
    *("digits", ()),
    learning_rate=10.0,
    l2=1.0,
    batch_size=128,
)


def kinds(store: Store, run_id: str) -> list[str]:
    return [event.kind for event in store.events(run_id)]


# A run from its beginning to its end -------------------------------------------------------------


def test_what_is_stored_is_what_the_generator_tells(store: Store, digits: Dataset) -> None:
    config = RunConfig("digits", (8,), epochs=3, optimizer="adam", learning_rate=0.01, dropout=0.2)
    network = new_network(config, 64, 10)
    expected = list(train(config, digits, network=network))
    seen: list[Record] = []
    run_id = store.create(config)
    trainer = Trainer(store, run_id, on_record=seen.append)
    run = trainer.run()

    assert (run.status, run.message) == ("finished", "")
    losses = [record.loss for record in expected if isinstance(record, StepEnd)]
    steps = store.steps(run_id)
    np.testing.assert_array_equal(steps.step, np.arange(1, len(losses) + 1))
    np.testing.assert_array_equal(steps.loss, np.array(losses, np.float32))
    ends = [record for record in expected if isinstance(record, EpochEnd)]
    epochs = store.epochs(run_id)
    for field in EpochEnd._fields[:-1]:
        np.testing.assert_array_equal(getattr(epochs, field)[1:], [getattr(e, field) for e in ends])
    assert epochs.epoch.tolist() == [0, 1, 2, 3]  # films begin with the untrained network
    assert store.health(run_id) == [EpochHealth(end.epoch, end.health) for end in ends]
    assert [record for record in seen if isinstance(record, StepEnd)] == [
        record for record in expected if isinstance(record, StepEnd)
    ]
    assert trainer.network is not None
    np.testing.assert_array_equal(trainer.network.parameters, network.parameters)
    best = int(np.argmax([end.validation_accuracy for end in ends]))
    assert run.best_epoch == best + 1
    assert run.best_validation_accuracy == ends[best].validation_accuracy


def test_it_works_outside_the_main_thread_too(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    thread = threading.Thread(target=lambda: Trainer(store, run_id).run())
    thread.start()
    thread.join(30)
    assert store.run(run_id).status == "finished"


def test_it_needs_a_run(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    unknown = "20261123-101502-3fa9"
    with pytest.raises(RunNotFound):
        Trainer(store, unknown)
    assert main([unknown, "--store", str(store.path)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"There is no run '{unknown}' in the store")
    assert told.err.count("\n") == 1


def test_it_needs_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["20261123-101502-3fa9", "--store", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err.endswith("cannot be made: File exists.\n")


@pytest.mark.parametrize(
    ("config", "status"),
    [(RunConfig("digits", (8,), epochs=1), 0), (DIVERGING, 1)],
    ids=["finished", "diverged"],
)
def test_the_exit_status_tells_how_it_went(store: Store, config: RunConfig, status: int) -> None:
    assert main([store.create(config), "--store", str(store.path)]) == status


def test_it_starts_quickly() -> None:
    code = "import sys, neuralscope.runs.trainer; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split()
    assert "numpy" in loaded
    assert not {"sklearn", "pandas", "scipy", "streamlit", "altair"} & set(loaded)


# What can go wrong -------------------------------------------------------------------------------


def test_divergence_is_an_end_with_an_explanation(store: Store) -> None:
    run_id = store.create(DIVERGING)
    run = Trainer(store, run_id).run()
    assert run.status == "diverged"
    assert run.message.startswith("Training diverged in epoch ")
    assert run.message.endswith(
        " is no longer a finite number. A smaller learning rate usually helps."
    )
    assert store.events(run_id)[-1].kind == "diverged"
    assert store.events(run_id)[-1].text == run.message
    assert run.test_accuracy is None
    infos = list_snapshots(store, run_id)
    assert [info.epoch for info in infos if info.name != LATEST] == list(range(run.epoch + 1))
    assert run.epoch >= 1
    for info in infos:
        assert np.isfinite(load_snapshot(store, run_id, info).parameters).all()
    assert np.isfinite(store.steps(run_id).loss).all()
    assert all(np.isfinite(column).all() for column in store.epochs(run_id))


def test_no_snapshot_of_a_diverged_network_is_written(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_module, "LATEST_EVERY", 0.0)
    monkeypatch.setattr(trainer_module, "MOST_KEEPING", 1e9)  # after each and every record
    run_id = store.create(DIVERGING)
    run = Trainer(store, run_id).run()
    assert run.status == "diverged"
    infos = list_snapshots(store, run_id)
    assert LATEST in [info.name for info in infos]
    for info in infos:
        assert np.isfinite(load_snapshot(store, run_id, info).parameters).all()


def test_latest_never_shows_answers_that_were_not_given(
    store: Store, config: RunConfig, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_module, "LATEST_EVERY", 0.0)
    monkeypatch.setattr(trainer_module, "MOST_KEEPING", 1e9)
    run_id = store.create(config)
    sums = []

    def look(record: Record) -> None:
        for info in list_snapshots(store, run_id):
            if info.name == LATEST:
                answers = load_snapshot(store, run_id, info).validation_probabilities
                sums.append(answers.astype(float).sum(axis=1))

    Trainer(store, run_id, on_record=look).run()
    np.testing.assert_allclose(sums, 1.0, atol=0.01)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (DataUnavailable("The data is not available: no network."), None),
        (MemoryError(), "This machine has not enough memory for such a network."),
        (RuntimeError("boom"), "RuntimeError: boom"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_goes_wrong_ends_up_in_the_store_in_words(
    store: Store,
    config: RunConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    message: str | None,
) -> None:
    def fail(name: str, **options: object) -> Dataset:
        raise error

    monkeypatch.setattr(trainer_module, "load_dataset", fail)
    run = Trainer(store, store.create(config)).run()
    assert (run.status, run.message) == ("failed", message or str(error))
    assert run.ended is not None
    # A traceback is for those who read the log, and only for what nobody foresaw.
    assert ("Traceback" in capsys.readouterr().err) == isinstance(error, RuntimeError)


def test_an_error_in_the_middle_of_training_is_kept_too(store: Store, config: RunConfig) -> None:
    def trip(record: Record) -> None:
        if record.step == 50:
            raise StoreError("The disk is full.")

    run = Trainer(store, store.create(config), on_record=trip).run()
    assert (run.status, run.message) == ("failed", "The disk is full.")
    assert run.step == len(store.steps(run.run_id).step) == 50  # and what came out before


def test_what_cannot_be_written_down_does_not_keep_the_reason_from_it(
    store: Store, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise StoreError("The run store failed: a number does not fit.")

    monkeypatch.setattr(Writer, "record", refuse)
    run = Trainer(store, store.create(config)).run()
    assert (run.status, run.message) == ("failed", "The run store failed: a number does not fit.")


def test_a_store_that_cannot_be_written_any_more_ends_it(
    store: Store, config: RunConfig, query: Callable[..., Any]
) -> None:
    def trip(record: Record) -> None:
        if record.step == 50:
            with store.database.writing() as db:
                db.execute("PRAGMA query_only = ON")

    run_id = store.create(config)
    with pytest.raises(StoreError, match="cannot be written"):
        Trainer(store, run_id, on_record=trip).run()
    # Nobody could write its end down; nobody holding it tells it.
    assert store.run(run_id).status == "interrupted"


# Whose run it is ---------------------------------------------------------------------------------


def test_a_run_that_is_taken_over_is_left_alone(
    store: Store, long_config: RunConfig, query: Callable[..., Any]
) -> None:
    def take_over(record: Record) -> None:
        if record.step == 50:
            Writer(store, run_id, "another").adopt()
            owner(store, run_id).set_status("running")

    run_id = store.create(long_config)
    with pytest.raises(StoreError, match=r"was deleted or is trained by another process\.$"):
        Trainer(store, run_id, on_record=take_over).run()
    assert query("SELECT status, message, ended FROM runs") == [("running", "", None)]


def test_a_run_that_is_deleted_ends(
    store: Store, long_config: RunConfig, query: Callable[..., Any]
) -> None:
    def delete(record: Record) -> None:
        if record.step == 50:
            with store.database.writing() as db:
                db.execute("DELETE FROM runs")

    run_id = store.create(long_config)
    with pytest.raises(StoreError):
        Trainer(store, run_id, on_record=delete).run()
    assert query("SELECT * FROM runs") == query("SELECT * FROM step_blocks") == []


# Commands ----------------------------------------------------------------------------------------


def test_a_stop_in_the_queue_ends_it_before_it_begins(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    store.send(run_id, "stop")
    run = Trainer(store, run_id).run()
    assert (run.status, run.started, run.step) == ("stopped", None, 0)
    assert kinds(store, run_id) == ["stopped"]
    assert list_snapshots(store, run_id) == []


def test_a_learning_rate_asked_for_in_the_queue_counts(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    store.send(run_id, "learning_rate", 0.05)
    run = Trainer(store, run_id).run()
    assert run.learning_rate == 0.05
    assert set(store.epochs(run_id).learning_rate[1:]) == {0.05}
    events = store.events(run_id)
    assert [event.kind for event in events] == ["started", "learning_rate", "finished"]
    assert events[1].text == "learning rate 0.2 → 0.05"


def test_a_run_may_be_paused_in_the_queue(
    store: Store, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "usable_cores", lambda: 2)
    run_id = store.create(config)
    store.send(run_id, "pause")
    store.send(run_id, "pause")  # twice is once
    waits: list[int] = []

    def resume() -> None:
        deadline = time.monotonic() + 20
        while store.run(run_id).status != "paused" and time.monotonic() < deadline:
            time.sleep(0.01)
        other = store.create(config)  # takes the place meanwhile
        assert owner(store, other).claim_slot()
        store.send(run_id, "resume")
        while 1 not in waits and time.monotonic() < deadline:
            time.sleep(0.01)
        owner(store, other).end("finished")

    thread = threading.Thread(target=resume)
    thread.start()
    run = Trainer(store, run_id, on_wait=waits.append).run()
    thread.join()
    assert run.status == "finished"
    assert set(waits) == {0, 1}  # paused, then next in the queue
    assert kinds(store, run_id) == ["paused", "resumed", "started", "finished"]


def test_mail_is_read_while_data_is_fetched(
    store: Store, config: RunConfig, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = store.create(config)

    def fetch_for_ever(name: str, on_progress: Callable[[object], None]) -> Dataset:
        assert store.run(run_id).status == "running"
        store.send(run_id, "learning_rate", 0.1)
        on_progress(None)
        store.send(run_id, "stop")
        on_progress(None)
        raise AssertionError("it went on")

    monkeypatch.setattr(trainer_module, "load_dataset", fetch_for_ever)
    run = Trainer(store, run_id).run()
    assert (run.status, run.message) == ("stopped", "")
    assert kinds(store, run_id) == ["stopped"]


def test_commands_that_do_not_fit_are_ignored(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    store.send(run_id, "resume")
    assert Trainer(store, run_id).run().status == "finished"
    assert kinds(store, run_id) == ["started", "finished"]


def test_time_spent_waiting_does_not_count(store: Store, long_config: RunConfig) -> None:
    run_id = store.create(long_config)
    waited = 0.0

    def command() -> None:
        nonlocal waited
        deadline = time.monotonic() + 20

        def until(status: str) -> None:
            while store.run(run_id).status != status:
                assert time.monotonic() < deadline
                time.sleep(0.005)

        until("running")
        store.send(run_id, "pause")
        until("paused")
        began = time.monotonic()
        store.send(run_id, "learning_rate", 0.1)
        while store.run(run_id).learning_rate != 0.1 or time.monotonic() - began < 0.5:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        waited = time.monotonic() - began
        store.send(run_id, "resume")
        until("running")
        while not store.run(run_id).step:  # it has learned something before the second pause
            assert time.monotonic() < deadline
            time.sleep(0.005)
        store.send(run_id, "pause")
        until("paused")
        began = time.monotonic()
        while time.monotonic() - began < 0.5:
            time.sleep(0.01)
        waited += time.monotonic() - began
        store.send(run_id, "stop")

    thread = threading.Thread(target=command)
    thread.start()
    began = time.monotonic()
    run = Trainer(store, run_id).run()
    took = time.monotonic() - began
    thread.join()
    assert waited >= 1.0
    assert 0.0 < run.seconds <= took - waited + 0.05
    seconds = [event.seconds for event in store.events(run_id)]
    assert seconds == sorted(seconds)
    assert seconds[-1] <= run.seconds
    assert (np.diff(store.steps(run_id).seconds) >= 0).all()
    assert run.samples_per_second is not None
    n_examples = run.step * long_config.batch_size
    assert run.samples_per_second == pytest.approx(n_examples / run.seconds, rel=0.05)


def test_a_run_that_has_ended_is_not_trained_over(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    Trainer(store, run_id).run()
    with pytest.raises(StoreError, match="has ended; it is finished"):
        Trainer(store, run_id)


def test_what_nohup_ignores_stays_ignored(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    heard_by_default = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        trainer = Trainer(
            store, run_id, on_record=lambda record: os.kill(os.getpid(), signal.SIGHUP)
        )
        assert trainer.run().status == "finished"
    finally:
        signal.signal(signal.SIGHUP, heard_by_default)


def test_a_data_set_that_is_loaded_is_not_loaded_again(
    store: Store, config: RunConfig, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(trainer_module, "load_dataset")
    assert Trainer(store, store.create(config), dataset=digits).run().status == "finished"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_log_that_cannot_be_written_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    full = open("/dev/full", "w")
    monkeypatch.setattr(sys, "stderr", full)
    trainer_module._say("Cannot write for now.")
    with pytest.raises(OSError):  # what it holds still cannot be written
        full.close()
