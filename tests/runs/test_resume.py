"""Going on: what was killed, stopped or finished ends in the bits of what ran through."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from neuralscope.data import Dataset
from neuralscope.engine import Evaluating, Record
from neuralscope.errors import ConfigError, DataError, NeuralScopeError, RunNotFound, WeightsError
from neuralscope.runs import (
    LATEST,
    Run,
    RunConfig,
    Store,
    life,
    lineage,
    list_snapshots,
    snapshots,
    trainer,
)
from neuralscope.runs.cores import Cores, recorded
from neuralscope.runs.partner import PartnerProcess, can_have_partner
from neuralscope.runs.snapshots import load_state
from neuralscope.runs.trainer import Trainer
from tests.runs.conftest import EXTRAS
from tests.writing import owner

if TYPE_CHECKING:
    from tests.runs.conftest import Laboratory

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
needs_a_partner = pytest.mark.skipif(
    not can_have_partner(), reason="only Linux lets a fork multiply matrices"
)
ONE_SENTENCE = r"^[^\n]+[.]$"

PLAIN = RunConfig("digits", (16,), epochs=40, batch_size=16, seed=5)
EVERYTHING = replace(
    PLAIN,
    hidden=(12, 10),
    activation=("relu", "tanh"),
    epochs=14,
    patience=9,
    schedule="cosine",
    warmup_epochs=2,
    **EXTRAS,
)
MOMENTUM = replace(PLAIN, optimizer="momentum", schedule="step", decay_every=3, dropout=0.3)


def outcome(store: Store, run_id: str) -> dict[str, Any]:
    """Return all that came out of a run, but for the times it took."""
    run, epochs, steps = store.run(run_id), store.epochs(run_id), store.steps(run_id)
    last = list_snapshots(store, run_id)[-1]
    state = load_state(store, run_id, last.name)
    return {
        "run": (run.status, run.message, run.epoch, run.step, run.learning_rate),
        "best": (run.best_epoch, run.best_validation_accuracy),
        "test": (run.test_loss, run.test_accuracy),
        "epochs": [column.tobytes() for column in epochs._replace(seconds=epochs.epoch)],
        "steps": (steps.step.tobytes(), steps.loss.tobytes()),
        "health": store.health(run_id),
        "kept": [(info.name, info.epoch, info.step) for info in list_snapshots(store, run_id)],
        "state": {name: value.tobytes() for name, value in state.items()},
    }


def assert_each_step_is_there_once(store: Store, run_id: str) -> None:
    run, steps, epochs = store.run(run_id), store.steps(run_id), store.epochs(run_id)
    np.testing.assert_array_equal(steps.step, np.arange(1, run.step + 1))
    np.testing.assert_array_equal(epochs.epoch, np.arange(run.epoch + 1))
    assert (np.diff(steps.seconds) >= 0).all()
    assert (np.diff(epochs.seconds) > 0).all()


def train(store: Store, run_id: str, digits: Dataset, **options: Any) -> Run:
    return Trainer(store, run_id, dataset=digits, **options).run()


def stop_at(store: Store, run_id: str, step: int) -> Callable[[Record], None]:
    """Return what asks for a stop once this step is taken."""

    def look(record: Record) -> None:
        if record.step == step and not owner(store, run_id).has_commands():
            store.send(run_id, "stop")

    return look


# Killed ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def uninterrupted(
    tmp_path_factory: pytest.TempPathFactory, digits: Dataset
) -> Callable[[RunConfig], dict[str, Any]]:
    store = Store(tmp_path_factory.mktemp("uninterrupted"))
    known: dict[tuple[RunConfig, int], dict[str, Any]] = {}

    def outcome_of(config: RunConfig, processes: int = 1) -> dict[str, Any]:
        if (config, processes) not in known:
            run_id = store.create(config)
            owner(store, run_id).set_machine(Cores(processes, 1)._asdict())
            train(store, run_id, digits)
            known[config, processes] = outcome(store, run_id)
        return known[config, processes]

    return outcome_of


# Snapshots in the middle of an epoch come often, so that many a kill finds one half written.
OFTEN = """
import sys
from neuralscope.runs import trainer
trainer.LATEST_EVERY, trainer.MOST_KEEPING = 0.01, 1.0
sys.exit(trainer.main(sys.argv[1:]))
"""


def spawn(laboratory: Laboratory, run_id: str, code: str = OFTEN) -> subprocess.Popen[bytes]:
    laboratory.store.withdraw(run_id)  # the process takes it
    arguments = [run_id, "--store", str(laboratory.store.path)]
    return laboratory.spawn([sys.executable, "-c", code, *arguments])


@needs_signals
@pytest.mark.parametrize(
    ("config", "processes", "n_kills"),
    [
        (PLAIN, 1, 5),
        (MOMENTUM, 1, 5),
        (EVERYTHING, 1, 5),
        pytest.param(EVERYTHING, 2, 5, marks=needs_a_partner),
    ],
    ids=["plain", "momentum", "everything", "everything, by two"],
)
def test_killed_at_random_moments_it_ends_in_the_same_bits(
    laboratory: Laboratory,
    uninterrupted: Callable[[RunConfig, int], dict[str, Any]],
    config: RunConfig,
    processes: int,
    n_kills: int,
) -> None:
    chance, store = random.Random(20), laboratory.store
    n_killed = 0
    while n_killed < n_kills:
        run_id = store.create(config)
        owner(store, run_id).set_machine(Cores(processes, 1)._asdict())
        while True:
            process = spawn(laboratory, run_id)
            if n_killed < n_kills:
                n_rewinds = store.run(run_id).rewinds
                # It takes back rows just before it begins to train.
                while process.poll() is None and store.run(run_id).rewinds == n_rewinds:
                    time.sleep(0.002)
                time.sleep(chance.choice([0.0, 0.03, chance.uniform(0.0, 0.3)]))
                process.kill()
            process.wait()
            n_killed += process.returncode == -signal.SIGKILL
            if store.run(run_id).ended is not None:
                break
            lineage.resume(store, run_id)
        assert_each_step_is_there_once(store, run_id)
        assert outcome(store, run_id) == uninterrupted(config, processes)
        assert recorded(store.run(run_id).machine) == (processes, 1)


KILLED_AT = """
import itertools, os, signal, sys
from neuralscope.runs import snapshots, trainer, writer
trainer.LATEST_EVERY, trainer.MOST_KEEPING, trainer.FLUSH_EVERY = 0.002, 1.0, 0.003
where, when, n = {where}, {when!r}, {n}
calls, original = itertools.count(1), getattr(*where)
def last_call(*arguments, **options):
    is_last = next(calls) == n
    if is_last and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    original(*arguments, **options)
    if is_last:
        os.kill(os.getpid(), signal.SIGKILL)
setattr(*where, last_call)
sys.exit(trainer.main(sys.argv[1:]))
"""


@needs_signals
@pytest.mark.parametrize(
    ("where", "when", "n"),
    [
        ("(snapshots, 'write')", "before", 1),
        ("(snapshots, 'write')", "after", 1),  # there is a file but no row of it
        ("(snapshots, 'write')", "after", 25),
        ("(writer.Writer, 'add_snapshot')", "after", 9),
        ("(writer.Writer, 'record')", "before", 12),
        ("(writer.Writer, 'record')", "after", 12),
        ("(writer.Writer, 'remove_snapshot_row')", "before", 1),  # two are the best
        ("(writer.Writer, 'remove_snapshot_row')", "after", 1),  # there is a file of no row
        ("(writer.Writer, 'end')", "before", 1),  # all is done but nobody has been told
    ],
)
def test_killed_between_two_writes_it_ends_in_the_same_bits(
    laboratory: Laboratory,
    uninterrupted: Callable[[RunConfig], dict[str, Any]],
    digits: Dataset,
    where: str,
    when: str,
    n: int,
) -> None:
    config, store = replace(EVERYTHING, epochs=26, patience=0, schedule="step"), laboratory.store
    run_id = store.create(config)
    process = spawn(laboratory, run_id, KILLED_AT.format(where=where, when=when, n=n))
    assert process.wait() == -signal.SIGKILL
    lineage.resume(store, run_id)
    train(store, run_id, digits)
    assert_each_step_is_there_once(store, run_id)
    assert outcome(store, run_id) == uninterrupted(config)
    files = {path.name for path in store.folder(run_id).iterdir()}
    kept = {f"{info.name}.npz" for info in list_snapshots(store, run_id)}
    assert files == {*kept, life.LOCK_NAME}


# Stopped -----------------------------------------------------------------------------------------


@pytest.fixture
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let trainers of this process look at their commands after every step."""
    monkeypatch.setattr(trainer, "POLL_EVERY", 0.0)


@pytest.mark.parametrize("config", [MOMENTUM, EVERYTHING], ids=["momentum", "everything"])
def test_stopped_again_and_again_it_ends_in_the_same_bits(
    store: Store,
    digits: Dataset,
    uninterrupted: Callable[[RunConfig], dict[str, Any]],
    prompt: None,
    config: RunConfig,
) -> None:
    run_id = store.create(config)
    # In the first epoch, after the last step of one that is not measured yet, in a later one.
    for step in (7, 158, 399):
        stopped = train(store, run_id, digits, on_record=stop_at(store, run_id, step))
        assert (stopped.status, stopped.step) == ("stopped", step)
        assert stopped.test_accuracy is not None
        lineage.resume(store, run_id)
        assert store.run(run_id).status == "queued"
    finished = train(store, run_id, digits)
    assert_each_step_is_there_once(store, run_id)
    assert outcome(store, run_id) == uninterrupted(config)
    assert finished.rewinds == 4
    told = [event.text for event in store.events(run_id) if event.kind == "continued"]
    assert told == [f"resumed at the middle of epoch {epoch}" for epoch in (1, 2, 6)]


def test_a_learning_rate_set_by_hand_outlasts_the_stop(
    store: Store, digits: Dataset, prompt: None
) -> None:
    def set_rate_at_50(run_id: str, last_step: int | None) -> Callable[[Record], None]:
        def look(record: Record) -> None:
            if record.step == 50 and store.run(run_id).learning_rate != 0.05:
                store.send(run_id, "learning_rate", 0.05)
            if record.step == last_step:
                store.send(run_id, "stop")

        return look

    config = replace(PLAIN, epochs=3)
    through, halted = store.create(config), store.create(config)
    train(store, through, digits, on_record=set_rate_at_50(through, None))
    train(store, halted, digits, on_record=set_rate_at_50(halted, 100))
    lineage.resume(store, halted)
    train(store, halted, digits)
    assert store.run(halted).learning_rate == 0.05
    assert outcome(store, halted) == outcome(store, through)


def test_what_was_asked_of_the_run_before_it_was_resumed_is_void(
    store: Store, digits: Dataset, prompt: None
) -> None:
    run_id = store.create(replace(PLAIN, epochs=2))
    store.send(run_id, "stop")
    store.send(run_id, "learning_rate", 3.0)
    train(store, run_id, digits)
    lineage.resume(store, run_id)
    finished = train(store, run_id, digits)
    assert (finished.status, finished.learning_rate) == ("finished", 0.2)


def test_it_goes_on_with_as_many_threads_as_it_began_with(store: Store, stopped: str) -> None:
    machine = {**store.run(stopped).machine, "blas_threads": 3}  # more would add in another order
    with store.database.writing() as db:
        text = json.dumps(machine)
        db.execute("UPDATE runs SET machine = ? WHERE run_id = ?", (text, stopped))
    lineage.resume(store, stopped, epochs=5)
    assert Trainer(store, stopped).run().machine["blas_threads"] == 3


@needs_a_partner
def test_a_run_of_two_processes_that_loses_one_of_them_in_mid_step_fails_and_can_be_resumed(
    store: Store,
    digits: Dataset,
    uninterrupted: Callable[[RunConfig, int], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_id = store.create(MOMENTUM)
    owner(store, run_id).set_machine(Cores(2, 1)._asdict())
    n_left = 30

    def die(self: PartnerProcess) -> float:
        nonlocal n_left
        n_left -= 1
        if not n_left:
            raise NeuralScopeError("The process that computes half of each step was killed.")
        return finish(self)

    finish = PartnerProcess.finish
    monkeypatch.setattr(PartnerProcess, "finish", die)
    failed = train(store, run_id, digits)
    assert (failed.status, failed.message[:11]) == ("failed", "The process")
    monkeypatch.undo()
    lineage.resume(store, run_id)
    train(store, run_id, digits)
    assert outcome(store, run_id) == uninterrupted(MOMENTUM, 2)


def test_a_run_that_never_took_a_step_begins(
    store: Store, digits: Dataset, uninterrupted: Callable[[RunConfig], dict[str, Any]]
) -> None:
    run_id = store.create(MOMENTUM)
    owner(store, run_id).end("interrupted", "The machine went down.")
    lineage.resume(store, run_id)
    train(store, run_id, digits)
    assert outcome(store, run_id) == uninterrupted(MOMENTUM)


def test_only_one_of_two_may_resume(store: Store, digits: Dataset) -> None:
    run_id = store.create(replace(PLAIN, epochs=1))
    train(store, run_id, digits)
    lineage.resume(store, run_id, epochs=2)
    with pytest.raises(NeuralScopeError, match=r"^Run .* is already queued\.$"):
        lineage.resume(store, run_id, epochs=2)


# More epochs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [
        replace(PLAIN, epochs=22),  # no milestone: its last snapshot would not have been kept
        replace(MOMENTUM, schedule="constant", epochs=4),
        replace(EVERYTHING, schedule="constant", warmup_epochs=0, epochs=5, patience=100),
    ],
    ids=["plain", "momentum", "everything"],
)
def test_added_epochs_come_out_as_if_they_had_been_asked_for_at_once(
    store: Store,
    digits: Dataset,
    uninterrupted: Callable[[RunConfig], dict[str, Any]],
    config: RunConfig,
) -> None:
    longer = replace(config, epochs=config.epochs + 4)
    run_id = store.create(config)
    assert train(store, run_id, digits).status == "finished"
    for epochs in (config.epochs + 1, longer.epochs):
        lineage.resume(store, run_id, epochs=epochs)
        train(store, run_id, digits)
    assert store.run(run_id).config == longer
    assert_each_step_is_there_once(store, run_id)
    assert outcome(store, run_id) == uninterrupted(longer)


def test_more_epochs_than_any_run_may_have_are_refused(store: Store, digits: Dataset) -> None:
    run_id = store.create(replace(PLAIN, epochs=1))
    before = train(store, run_id, digits)
    with pytest.raises(ConfigError):
        lineage.resume(store, run_id, epochs=10**9)
    assert store.run(run_id) == before


# What stands in the way --------------------------------------------------------------------------


@pytest.fixture
def stopped(store: Store, digits: Dataset, prompt: None) -> str:
    """Return a run that was stopped in the middle of its fourth epoch."""
    run_id = store.create(MOMENTUM)
    train(store, run_id, digits, on_record=stop_at(store, run_id, 300))
    return run_id


def damage(store: Store, run_id: str, *names: str) -> None:
    for name in names or [info.name for info in list_snapshots(store, run_id)]:
        path = store.folder(run_id) / f"{name}.npz"
        path.write_bytes(path.read_bytes()[:1000])


def test_a_damaged_snapshot_costs_no_more_than_the_time_since_the_one_before(
    store: Store,
    digits: Dataset,
    uninterrupted: Callable[[RunConfig], dict[str, Any]],
    stopped: str,
) -> None:
    damage(store, stopped, LATEST, "epoch-00003")
    lineage.resume(store, stopped)
    train(store, stopped, digits)
    assert [event.text for event in store.events(stopped)][-2:] == [
        "resumed at epoch 2",
        "finished",
    ]
    assert_each_step_is_there_once(store, stopped)
    assert outcome(store, stopped) == uninterrupted(MOMENTUM)


def test_without_a_usable_snapshot_it_is_told_in_a_sentence(store: Store, stopped: str) -> None:
    before = store.run(stopped)
    damage(store, stopped)
    with pytest.raises(WeightsError, match=ONE_SENTENCE) as told:
        lineage.resume(store, stopped)
    assert str(told.value).startswith(
        f"None of the snapshots of run {stopped} can be read any more"
    )
    shutil.rmtree(store.folder(stopped))
    with pytest.raises(WeightsError, match=ONE_SENTENCE):
        lineage.resume(store, stopped)
    assert store.run(stopped) == before


def test_snapshots_damaged_once_it_is_queued_fail_it_and_leave_its_curves(
    store: Store, digits: Dataset, stopped: str
) -> None:
    lineage.resume(store, stopped)
    damage(store, stopped)
    before = store.steps(stopped).loss.tobytes()
    run = train(store, stopped, digits)
    assert run.status == "failed"
    assert run.message.startswith(
        "None of the snapshots that this run could go on from can be used"
    )
    assert store.steps(stopped).loss.tobytes() == before


def test_a_run_that_came_without_what_it_takes_to_go_on(store: Store, stopped: str) -> None:
    imported = store.create(MOMENTUM, origin="Imported from a file.")
    info = list_snapshots(store, stopped)[-1]
    bare = {"parameters": load_state(store, stopped, info.name)["parameters"]}
    snapshots.write_state(store, imported, info, bare)
    owner(store, imported).end("stopped")
    with pytest.raises(WeightsError, match=ONE_SENTENCE) as told:
        lineage.resume(store, imported)
    assert "came without what it needs to continue" in str(told.value)


def test_other_data_than_before_is_told_in_a_sentence(
    store: Store, digits: Dataset, stopped: str
) -> None:
    lineage.resume(store, stopped)
    owner(store, stopped).set_data_digest("of other data")
    run = train(store, stopped, digits)  # it was exchanged while the run was waiting
    assert run.status == "failed"
    assert run.message.startswith("The data set digits has changed since this run was trained")
    with pytest.raises(DataError, match=ONE_SENTENCE) as told:
        lineage.resume(store, stopped)
    assert f"The data set digits has changed since run {stopped}" in str(told.value)


def test_data_that_is_gone_is_told_in_a_sentence(store: Store) -> None:
    run_id = store.create(replace(PLAIN, dataset="own-letters-0123abcd"))
    owner(store, run_id).end("interrupted")
    with pytest.raises(DataError, match=ONE_SENTENCE):
        lineage.resume(store, run_id)
    assert store.run(run_id).status == "interrupted"


def test_a_run_that_is_not_there(store: Store, stopped: str) -> None:
    store.trash([stopped])
    for run_id in (stopped, "20260101-000000-abcd"):
        with pytest.raises(RunNotFound, match=ONE_SENTENCE):
            lineage.resume(store, run_id)


def test_what_was_ended_before_its_first_measuring_begins_anew(
    store: Store, digits: Dataset
) -> None:
    run_id = store.create(PLAIN)
    records = Trainer(store, run_id, dataset=digits).records()
    assert isinstance(next(records), Evaluating)
    records.close()
    assert (store.run(run_id).status, len(store.epochs(run_id).epoch)) == ("interrupted", 0)
    assert list_snapshots(store, run_id)
    lineage.resume(store, run_id)
    train(store, run_id, digits)
    assert_each_step_is_there_once(store, run_id)  # and each epoch, from 0
