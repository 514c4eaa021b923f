"""The trainer as a process of its own: commands, signals, sudden death, and the queue."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from neuralscope.data import Dataset
from neuralscope.engine import EpochEnd, Record, score
from neuralscope.errors import StoreError
from neuralscope.runs import (
    LATEST,
    RunConfig,
    examples,
    lineage,
    list_snapshots,
    load_snapshot,
    new_network,
    train,
)
from neuralscope.runs.last_words import LOG_NAME
from neuralscope.runs.life import LOCK_NAME
from neuralscope.runs.trainer import Trainer
from tests.writing import owner

if TYPE_CHECKING:
    from tests.runs.conftest import Laboratory, Process

SOON = 0.5
"""Seconds within which a command takes effect. It is 0.2 where nothing else keeps the machine busy;
the rest is for tests that run beside other work."""

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


def assert_whole_to_the_last_step(process: Process) -> None:
    """The last snapshot loads, and is where the run says it ended."""
    run, info = process.run, list_snapshots(process.store, process.run_id)[-1]
    assert (info.epoch, info.step) == (run.epoch, run.step)
    snapshot = load_snapshot(process.store, process.run_id, info)
    assert np.isfinite(snapshot.network(run.config, 64, 10).parameters).all()


def assert_each_step_is_there_once(process: Process) -> None:
    steps = process.store.steps(process.run_id)
    np.testing.assert_array_equal(steps.step, np.arange(1, process.run.step + 1))
    epochs = process.store.epochs(process.run_id)
    np.testing.assert_array_equal(epochs.epoch, np.arange(process.run.epoch + 1))


# A complete run ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def complete(laboratory_of_module: Laboratory, digits: Dataset) -> Process:
    config = RunConfig("digits", (16,), epochs=25, batch_size=50, seed=3)
    process = laboratory_of_module.launch(config)
    process.until_status("finished")
    assert process.ended() == 0
    return process


def test_a_complete_run_has_all_its_measurements(complete: Process, digits: Dataset) -> None:
    run = complete.run
    n_batches = -(-len(digits.y_train) // 50)
    assert (run.epoch, run.step, run.steps_per_epoch) == (25, 25 * n_batches, n_batches)
    assert run.total_steps == run.step
    assert run.seconds_left == 0.0
    assert_each_step_is_there_once(complete)
    expected = [r for r in train(run.config, digits) if isinstance(r, EpochEnd)]
    epochs = complete.store.epochs(run.run_id)
    np.testing.assert_array_equal(epochs.train_loss[1:], [end.train_loss for end in expected])
    assert (np.diff(epochs.seconds) > 0).all()


def test_a_complete_run_is_tested_on_the_test_set(complete: Process, digits: Dataset) -> None:
    network = new_network(complete.run.config, 64, 10)
    list(train(complete.run.config, digits, network=network))
    expected, _ = score(network, examples(digits, "test"))
    assert complete.run.test_loss == expected.loss
    assert complete.run.test_accuracy == expected.accuracy > 0.9


def test_a_complete_run_tells_what_it_was_computed_from_and_with(
    complete: Process, digits: Dataset
) -> None:
    run = complete.run
    assert run.data_digest == digits.digest
    assert run.versions["numpy"] == np.__version__
    assert run.machine["cores"] >= 1
    assert run.machine["blas_threads"] == 1
    assert run.started is not None
    assert run.ended is not None
    assert run.created <= run.started <= run.ended
    assert 0 < run.seconds <= run.ended - run.started
    assert run.samples_per_second is not None
    assert run.samples_per_second == pytest.approx(25 * 1257 / run.seconds)


def test_a_complete_run_tells_when_it_began_and_ended(complete: Process) -> None:
    events = complete.store.events(complete.run_id)
    assert [(e.kind, e.text, e.epoch) for e in events] == [
        ("started", "started", 0),
        ("finished", "finished", 25),
    ]
    assert complete.run.started is not None
    assert complete.run.started <= events[0].at <= events[1].at


def test_a_complete_run_keeps_milestones_the_best_and_the_last(complete: Process) -> None:
    run = complete.run
    infos = list_snapshots(complete.store, run.run_id)
    expected = sorted({*range(21), 23, 25, run.best_epoch})
    assert [info.name for info in infos] == [f"epoch-{epoch:05d}" for epoch in expected]
    assert_whole_to_the_last_step(complete)
    on_disk = sorted(path.name for path in complete.store.folder(run.run_id).iterdir())
    assert on_disk == [*(f"{info.name}.npz" for info in infos), LOCK_NAME, LOG_NAME]


def test_a_complete_run_has_nothing_to_complain_about(complete: Process) -> None:
    assert complete.run.message == ""
    assert (complete.store.folder(complete.run_id) / LOG_NAME).read_text() == ""


# Commands ----------------------------------------------------------------------------------------


def test_commands_take_effect_at_once_and_leave_an_event(
    laboratory: Laboratory, long_config: RunConfig
) -> None:
    process = laboratory.launch(long_config)
    process.until_steps()
    answers = [
        process.send("learning_rate", 0.05),
        process.send("pause"),
        process.send("learning_rate", 0.1),
        process.send("resume"),
        process.send("pause"),
        process.send("stop"),
    ]
    process.until_status("stopped")
    assert process.ended() == 0
    assert [answer.kind for answer in answers] == [
        *("learning_rate", "paused", "learning_rate", "resumed", "paused", "stopped")
    ]
    assert answers[0].text == "learning rate 0.2 → 0.05"
    assert answers[2].text == "learning rate 0.05 → 0.1"
    for (kind, sent, taken), answer in zip(process.command_rows(), answers, strict=True):
        assert taken is not None
        assert answer.at - sent < SOON, kind
        assert taken - sent < SOON, kind
    # Nothing happened between pause and stop.
    assert answers[4].step == answers[5].step == process.run.step
    assert process.run.test_accuracy is not None
    assert_each_step_is_there_once(process)
    assert_whole_to_the_last_step(process)


@needs_proc
def test_while_paused_nothing_is_computed(laboratory: Laboratory, long_config: RunConfig) -> None:
    process = laboratory.launch(long_config)
    process.until_steps()
    event = process.send("pause")
    run = process.until_status("paused")
    assert run.step == event.step
    began, cpu = time.monotonic(), process.cpu_seconds()
    while time.monotonic() - began < 1.0:
        assert process.run.status == "paused"
        time.sleep(0.02)
    assert process.cpu_seconds() - cpu < 0.15
    assert process.run.step == event.step
    info = list_snapshots(process.store, process.run_id)[-1]
    assert info.step == event.step  # what is looked at during a pause is what is there
    process.send("resume")
    process.until_steps(event.step + 1)
    process.send("stop")
    process.until_status("stopped")


def test_pauses_change_nothing_about_the_result(laboratory: Laboratory, digits: Dataset) -> None:
    config = RunConfig("digits", (16,), epochs=10_000, optimizer="adam", dropout=0.2)
    process = laboratory.launch(config)
    process.until_steps()
    for _ in range(3):
        event = process.send("pause")
        process.send("resume")
        process.until_steps(event.step + 50)
    process.send("stop")
    run = process.until_status("stopped")
    ends = (record for record in train(config, digits) if isinstance(record, EpochEnd))
    expected = [end.validation_loss for end in itertools.islice(ends, run.epoch)]
    epochs = process.store.epochs(process.run_id)
    np.testing.assert_array_equal(epochs.validation_loss[1:], expected)
    assert_each_step_is_there_once(process)


def test_a_new_learning_rate_counts_from_the_next_step(
    laboratory: Laboratory, digits: Dataset
) -> None:
    # A rate of next to nothing leaves the weights where they are.
    process = laboratory.launch(RunConfig("digits", (16,), epochs=10_000))
    process.until_steps()
    event = process.send("learning_rate", 1e-5)
    process.until(lambda run: run.epoch >= event.epoch + 3)
    process.send("stop")
    process.until_status("stopped")
    epochs = process.store.epochs(process.run_id)
    after = epochs.epoch > event.epoch + 1
    assert set(epochs.learning_rate[after]) == {1e-5}
    assert np.abs(np.diff(epochs.validation_loss[after])).max() < 1e-3


# Signals and sudden death ------------------------------------------------------------------------


@needs_signals
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_signal_interrupts_and_everything_is_saved(
    laboratory: Laboratory, long_config: RunConfig, name: str
) -> None:
    process = laboratory.start(long_config)
    process.until_steps()
    began = time.monotonic()
    process.process.send_signal(getattr(signal, name))
    assert process.ended() == 130
    assert time.monotonic() - began < 2.0
    run = process.run
    assert (run.status, run.message) == ("interrupted", f"Interrupted by {name}.")
    assert process.store.events(run.run_id)[-1].kind == "interrupted"
    assert_each_step_is_there_once(process)
    assert_whole_to_the_last_step(process)


@needs_signals
def test_a_signal_during_a_pause_is_heard(laboratory: Laboratory, long_config: RunConfig) -> None:
    process = laboratory.start(long_config)
    process.until_steps()
    process.send("pause")
    process.until_status("paused")
    process.process.send_signal(signal.SIGTERM)
    assert process.ended() == 130
    assert process.run.status == "interrupted"
    assert_whole_to_the_last_step(process)


@needs_signals
def test_a_killed_trainer_is_interrupted_for_whoever_looks(
    laboratory: Laboratory, long_config: RunConfig
) -> None:
    process = laboratory.launch(long_config)
    process.until(lambda run: run.epoch > 25)
    waiting = laboratory.store.create(long_config)
    process.until_latest()
    os.kill(process.pid, signal.SIGKILL)
    assert process.ended() == -signal.SIGKILL
    run = process.run
    assert run.status == "interrupted"  # at once
    killed = "Its training process ended unexpectedly: killed by SIGKILL (out of memory?)."
    process.until(lambda run: run.message == killed, "the reason")
    assert_each_step_is_there_once(process)
    # Whatever was being written when it died: what is listed is whole.
    infos = list_snapshots(laboratory.store, run.run_id)
    assert LATEST in [info.name for info in infos]
    for info in infos:
        load_snapshot(laboratory.store, run.run_id, info).network(run.config, 64, 10)
    owner(laboratory.store, waiting).enqueue()
    assert owner(laboratory.store, waiting).claim_slot()


@needs_signals
def test_a_trainer_outlives_a_dashboard_that_is_killed(
    laboratory: Laboratory, long_config: RunConfig
) -> None:
    code = (
        "import sys, time\n"
        "from neuralscope.runs import RunConfig, Store, launch\n"
        "config = RunConfig(dataset='digits', hidden=(16,), epochs=10_000)\n"
        "print(launch(Store(sys.argv[1]), config), flush=True)\n"
        "time.sleep(60)\n"
    )
    dashboard = laboratory.spawn(
        [sys.executable, "-c", code, str(laboratory.store.path)], stdout=subprocess.PIPE
    )
    assert dashboard.stdout is not None
    process = laboratory.watch(dashboard.stdout.readline().decode().strip())
    dashboard.kill()
    dashboard.wait(10.0)
    process.until_steps(1)
    process.until_steps(process.run.step + 100)
    process.send("stop")
    process.until_status("stopped")
    assert_each_step_is_there_once(process)
    assert_whole_to_the_last_step(process)


@needs_signals
def test_a_trainer_that_is_suspended_is_alive(
    laboratory: Laboratory, long_config: RunConfig
) -> None:
    process = laboratory.launch(long_config)
    step = process.until_steps().step
    with laboratory.store.database.writing():
        # The trainer is not writing now; asleep in the middle of that, it would lock everybody out.
        os.kill(process.pid, signal.SIGSTOP)
    try:
        assert process.run.status == "running"
        with pytest.raises(StoreError, match=r"is already running\.$"):
            lineage.resume(laboratory.store, process.run_id)
        with pytest.raises(StoreError, match="still active"):
            laboratory.store.delete(process.run_id)
    finally:
        os.kill(process.pid, signal.SIGCONT)
    process.until_steps(step + 100)
    process.send("stop")
    process.until_status("stopped")
    assert_each_step_is_there_once(process)


@needs_signals
def test_a_trainer_that_wakes_up_when_another_has_its_run_writes_nothing(
    laboratory: Laboratory, digits: Dataset, long_config: RunConfig
) -> None:
    store = laboratory.store
    process = laboratory.launch(long_config)
    process.until_latest()
    with store.database.writing():
        os.kill(process.pid, signal.SIGSTOP)
    (store.folder(process.run_id) / LOCK_NAME).unlink()  # whoever does that takes the run away
    step = process.run.step
    assert process.run.status == "interrupted"
    epochs = process.run.epoch + 3
    lineage.resume(store, process.run_id, epochs=epochs)

    def wake(record: Record) -> None:
        if record.step == step + 50:
            os.kill(process.pid, signal.SIGCONT)
            assert process.ended() == 1

    run = Trainer(store, process.run_id, dataset=digits, on_record=wake).run()
    assert (run.status, run.epoch, run.message) == ("finished", epochs, "")
    assert_each_step_is_there_once(process)
    again = Trainer(store, lineage.reproduce(store, run.run_id), dataset=digits).run()
    assert lineage.verdict(store, run.run_id, again.run_id).is_identical


def test_a_trainer_whose_run_is_deleted_ends(
    laboratory: Laboratory, long_config: RunConfig
) -> None:
    process = laboratory.start(long_config, stderr=subprocess.PIPE)
    process.until_steps()
    with laboratory.store.database.writing() as db:
        db.execute("DELETE FROM runs")
    shutil.rmtree(laboratory.store.folder(process.run_id), ignore_errors=True)
    assert process.ended() == 1
    assert process.process.stderr is not None
    told = process.process.stderr.read().decode()
    assert told.count("\n") == 1
    assert process.run_id in told
    assert laboratory.store.runs() == []


# Failing -----------------------------------------------------------------------------------------


def test_data_that_cannot_be_had_is_told(
    laboratory: Laboratory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "empty"))
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    process = laboratory.launch(RunConfig("mnist", (8,), epochs=1))
    run = process.until_status("failed")
    assert process.ended() == 1
    assert run.message.startswith("MNIST is not available: ")
    assert run.message.endswith(".")
    assert "\n" not in run.message
    assert "Traceback" not in (laboratory.store.folder(run.run_id) / LOG_NAME).read_text()


def test_a_diverged_run_exits_with_its_own_status(laboratory: Laboratory) -> None:
    process = laboratory.start(RunConfig("digits", (), learning_rate=10.0, l2=1.0, batch_size=128))
    assert process.ended() == 1
    assert process.run.status == "diverged"
    assert process.run.message.endswith("A smaller learning rate usually helps.")
    assert_each_step_is_there_once(process)


# The queue ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("two_cores")
def test_the_second_run_waits_for_the_first(
    laboratory: Laboratory, config: RunConfig, long_config: RunConfig
) -> None:
    store = laboratory.store
    first = laboratory.launch(long_config)
    first.until_steps()
    second = laboratory.launch(long_config)
    third = laboratory.launch(config)
    for waiting in (second, third):
        waiting.until_adopted()
    assert [store.place_in_queue(p.run_id) for p in (first, second, third)] == [0, 1, 2]
    assert {process.run.status for process in (second, third)} == {"queued"}

    # A pause frees the place ...
    first.send("pause")
    second.until_steps()
    assert (first.run.status, third.run.status) == ("paused", "queued")
    # ... and going on means to queue again, behind those that wait.
    first.send("resume")
    assert first.run.status == "queued"
    assert [store.place_in_queue(p.run_id) for p in (first, second, third)] == [2, 0, 1]

    # So does a stop; in the queue, it ends a run before it begins.
    fourth = laboratory.launch(long_config)
    fourth.send("stop")
    fourth.until_status("stopped")
    assert fourth.run.started is None
    second.send("stop")
    third.until_status("finished")
    step = first.run.step
    first.until_steps(step + 1)
    first.send("stop")
    assert [process.ended() for process in (first, second, third, fourth)] == [0, 0, 0, 0]
    spans = sorted((p.run.started or 0.0, p.run.ended or 0.0) for p in (second, third))
    assert spans[0][1] <= spans[1][0]


@needs_signals
@pytest.mark.usefixtures("two_cores")
def test_a_signal_in_the_queue_is_heard(laboratory: Laboratory, long_config: RunConfig) -> None:
    first = laboratory.start(long_config)
    first.until_steps()
    second = laboratory.start(long_config)
    second.until_adopted()
    began = time.monotonic()
    second.process.send_signal(signal.SIGTERM)
    assert second.ended() == 130
    assert time.monotonic() - began < 2.0
    assert second.run.status == "interrupted"
    assert first.run.status == "running"
