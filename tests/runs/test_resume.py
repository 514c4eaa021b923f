"""Going on: what was killed, stopped or finished ends in the bits of what ran through."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from neuralscope.data import Dataset
from neuralscope.engine import Record
from neuralscope.errors import ConfigError, DataError, RunNotFound, StoreError, WeightsError
from neuralscope.runs import LATEST, Run, RunConfig, Store, lineage, list_snapshots, snapshots
from neuralscope.runs import store as store_module
from neuralscope.runs.snapshots import load_state
from neuralscope.runs.trainer import Trainer

if TYPE_CHECKING:
    from tests.runs.conftest import Laboratory

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
ONE_SENTENCE = r"^[^\n]+[.]$"

PLAIN = RunConfig("digits", (16,), epochs=40, batch_size=16, seed=5)
EVERYTHING = replace(
    PLAIN,
    hidden=(12, 10),
    activation=("relu", "tanh"),
    optimizer="adamw",
    learning_rate=0.003,
    epochs=14,
    patience=9,
    l2=1e-4,
    l1=1e-5,
    dropout=0.2,
    max_norm=3.0,
    clip_norm=1.0,
    label_smoothing=0.1,
    augmentation="shift",
    schedule="cosine",
    warmup_epochs=2,
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
        "last": (last.name, last.epoch, last.step),
        "state": {name: value.tobytes() for name, value in state.items()},
    }


def assert_each_step_is_there_once(store: Store, run_id: str) -> None:
    run, steps, epochs = store.run(run_id), store.steps(run_id), store.epochs(run_id)
    np.testing.assert_array_equal(steps.step, np.arange(1, run.step + 1))
    np.testing.assert_array_equal(epochs.epoch, np.arange(run.epoch + 1))
    assert (np.diff(steps.seconds) >= 0).all()
    assert (np.diff(epochs.seconds) > 0).all()


class Cut(Exception):
    """The trainer is cut off."""


def train(store: Store, run_id: str, digits: Dataset, **options: Any) -> Run:
    return Trainer(store, run_id, dataset=digits, **options).run()


def stop_at(store: Store, run_id: str, step: int) -> Callable[[Record], None]:
    """Return what asks for a stop once this step is taken."""

    def look(record: Record) -> None:
        if record.step == step and not store.has_commands(run_id):
            store.send(run_id, "stop")

    return look


# Killed ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def uninterrupted(
    tmp_path_factory: pytest.TempPathFactory, digits: Dataset
) -> Callable[[RunConfig], dict[str, Any]]:
    store = Store(tmp_path_factory.mktemp("uninterrupted"))
    known: dict[RunConfig, dict[str, Any]] = {}

    def outcome_of(config: RunConfig) -> dict[str, Any]:
        if config not in known:
            run_id = store.create(config)
            train(store, run_id, digits)
            known[config] = outcome(store, run_id)
        return known[config]

    return outcome_of


# Snapshots in the middle of an epoch come often, so that many a kill finds one half written.
OFTEN = """
import sys
from neuralscope.runs import trainer
trainer.LATEST_EVERY, trainer.MOST_KEEPING = 0.01, 1.0
sys.exit(trainer.main(sys.argv[1:]))
"""


def resume_at_once(store: Store, run_id: str, **options: Any) -> None:
    """Resume a run whose trainer was killed a moment ago, without waiting until that is certain."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_module, "HEARTBEAT_LOST", -1.0)
        lineage.resume(store, run_id, **options)


def spawn(laboratory: Laboratory, run_id: str, code: str = OFTEN) -> subprocess.Popen[bytes]:
    arguments = [run_id, "--store", str(laboratory.store.path)]
    return laboratory.spawn([sys.executable, "-c", code, *arguments])


@needs_signals
@pytest.mark.parametrize(
    ("config", "n_kills"),
    [(PLAIN, 6), (MOMENTUM, 7), (EVERYTHING, 7)],
    ids=["plain", "momentum", "everything"],
)
def test_killed_at_random_moments_it_ends_in_the_same_bits(
    laboratory: Laboratory,
    uninterrupted: Callable[[RunConfig], dict[str, Any]],
    config: RunConfig,
    n_kills: int,
) -> None:
    chance, store = random.Random(), laboratory.store
    n_killed = 0
    while n_killed < n_kills:
        run_id = store.create(config)
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
            resume_at_once(store, run_id)
        assert_each_step_is_there_once(store, run_id)
        assert outcome(store, run_id) == uninterrupted(config)


KILLED_AT = """
import itertools, os, signal, sys
from neuralscope.runs import snapshots, store, trainer
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
        ("(snapshots, 'write')", "after", 9),
        ("(snapshots, 'write')", "after", 25),
        ("(store.Store, 'add_snapshot_row')", "after", 9),
        ("(store.Store, 'record')", "before", 12),
        ("(store.Store, 'record')", "after", 12),
        ("(store.Store, 'remove_snapshot_row')", "before", 1),  # two are the best
        ("(store.Store, 'remove_snapshot_row')", "after", 1),  # there is a file of no row
        ("(store.Store, 'end')", "before", 1),  # all is done but nobody has been told
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
    resume_at_once(store, run_id)
    train(store, run_id, digits)
    assert_each_step_is_there_once(store, run_id)
    assert outcome(store, run_id) == uninterrupted(config)
    files = {path.name for path in store.folder(run_id).iterdir()}
    assert files == {f"{info.name}.npz" for info in list_snapshots(store, run_id)}
