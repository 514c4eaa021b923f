"""The run store: everything that is kept of every run, in one folder.

    runs/
      neuralscope.sqlite3         runs, epochs, steps, events, commands (see `database`)
      20261123-101502-3fa9/       one folder a run
        epoch-00012.npz           snapshots (see `snapshots`)

A trainer and the dashboards that watch it share nothing but this. The dashboard speaks to the
trainer by command rows; the trainer answers by events.

A trainer proves that it is alive by a heartbeat. Nobody has to notice a death and write it down:
a run that should be active but whose heartbeat is old *is* interrupted, for whoever looks.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from neuralscope.engine import EpochEnd, LayerHealth
from neuralscope.errors import ConfigError, RunNotFound, StoreError
from neuralscope.runs.config import SETTINGS, RunConfig
from neuralscope.runs.database import Database
from neuralscope.runs.machine import usable_cores

QUEUED, RUNNING, PAUSED = "queued", "running", "paused"
FINISHED, STOPPED, DIVERGED, FAILED, INTERRUPTED = (
    "finished",
    "stopped",
    "diverged",
    "failed",
    "interrupted",
)
ACTIVE = (QUEUED, RUNNING, PAUSED)

HEARTBEAT_EVERY = 1.0
"""Seconds between two signs of life of a trainer."""

HEARTBEAT_LOST = 4.0
"""Seconds without one after which its run counts as interrupted."""

_NEW_COMMANDS = "SELECT id, kind, value FROM commands WHERE run_id = ? AND handled IS NULL"
_RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4,8}")


def default_path() -> Path:
    """Return the store's folder where none is named: NEURALSCOPE_STORE, else `runs`."""
    return Path(os.environ.get("NEURALSCOPE_STORE") or "runs")


def slots() -> int:
    """Return how many runs may train at once here: one for each two cores."""
    return max(1, usable_cores() // 2)


@dataclass(frozen=True)
class Run:
    """A run as it stands at the moment of asking. Times are seconds since 1970.

    Attributes:
        run_id: Its name in the store and in URLs.
        name: Its name for people.
        config: What it trains.
        status: queued, running, paused, finished, stopped, diverged, failed or interrupted.
        message: Why it failed, diverged or was interrupted, or which epoch's weights it was given
            back at its end; else empty.
        created: When it was asked for.
        started: When its first step was taken, or None.
        ended: When it ended, or None.
        data_digest: Fingerprint of the data it was trained on.
        versions: Of Python and the libraries that computed it.
        machine: What computed it.
        steps_per_epoch: Batches an epoch; 0 until its data is loaded.
        epoch: Complete epochs.
        step: Steps taken.
        seconds: Time spent training and measuring, pauses left out.
        samples_per_second: Training examples learned per second, lately; None before it starts.
        learning_rate: The rate now, before the schedule; None before it starts.
        best_epoch: When validation accuracy was best, or None.
        best_validation_accuracy: What it was then, or None.
        test_loss: Mean cross-entropy on the test set at the end, or None.
        test_accuracy: Share of the test set right at the end, or None.
    """

    run_id: str
    name: str
    config: RunConfig
    status: str
    message: str
    created: float
    started: float | None
    ended: float | None
    data_digest: str
    versions: dict[str, str]
    machine: dict[str, Any]
    steps_per_epoch: int
    epoch: int
    step: int
    seconds: float
    samples_per_second: float | None
    learning_rate: float | None
    best_epoch: int | None
    best_validation_accuracy: float | None
    test_loss: float | None
    test_accuracy: float | None

    @property
    def is_active(self) -> bool:
        """Whether it is queued, running or paused."""
        return self.status in ACTIVE

    @property
    def total_steps(self) -> int:
        """Steps of the whole run; 0 until its data is loaded."""
        return self.steps_per_epoch * self.config.epochs

    @property
    def seconds_left(self) -> float | None:
        """Time it will still take at its average pace, in seconds; None while unknown."""
        if not self.step or not self.total_steps:
            return None
        return self.seconds / self.step * (self.total_steps - self.step)


class Epochs(NamedTuple):
    """The measurements of a run's epochs; each an array (n,), in order."""

    epoch: npt.NDArray[np.int64]
    step: npt.NDArray[np.int64]
    seconds: npt.NDArray[np.float64]
    train_loss: npt.NDArray[np.float64]
    train_accuracy: npt.NDArray[np.float64]
    validation_loss: npt.NDArray[np.float64]
    validation_accuracy: npt.NDArray[np.float64]
    learning_rate: npt.NDArray[np.float64]


class EpochHealth(NamedTuple):
    """How each layer of a run did in an epoch, the first layer first."""

    epoch: int
    layers: tuple[LayerHealth, ...]


class Steps(NamedTuple):
    """The loss of every step of a run; each an array (n,), in order."""

    step: npt.NDArray[np.int64]
    seconds: npt.NDArray[np.float64]
    loss: npt.NDArray[np.float32]


class StepBlock(NamedTuple):
    """The losses of a stretch of steps, and the time of its two ends in seconds of training."""

    first_step: int
    first_seconds: float
    last_seconds: float
    losses: npt.NDArray[np.float32]


class Event(NamedTuple):
    """Something that happened to a run; `text` says it in words."""

    at: float
    kind: str
    text: str
    epoch: int
    step: int
    seconds: float


class Command(NamedTuple):
    """What somebody asks of a trainer: pause, resume, stop or learning_rate (with a value)."""

    kind: str
    value: float | None


class Progress(NamedTuple):
    """Where a run stands, as its trainer writes it down."""

    epoch: int
    step: int
    seconds: float
    samples_per_second: float | None
    learning_rate: float


class Store:
    """A folder of runs. One object may be shared by all threads of a process."""

    def __init__(self, path: str | Path | None = None) -> None:
        """Open the store, and make it if it is not there.

        Args:
            path: Its folder; None for `default_path()`.

        Raises:
            StoreError: The folder cannot be used.
        """
        self.path = Path(path) if path is not None else default_path()
        self._database = Database(self.path)

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def __enter__(self) -> Store:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    # Runs ----------------------------------------------------------------------------------------

    def create(self, config: RunConfig, name: str = "") -> str:
        """Add a queued run and return its id."""
        now = time.time()
        # What a terminal passes on need not be text.
        name = name.encode(errors="replace").decode()
        while True:
            run_id = time.strftime("%Y%m%d-%H%M%S-", time.localtime(now)) + secrets.token_hex(2)
            with self._database.writing() as db:
                inserted = db.execute(
                    "INSERT OR IGNORE INTO runs "
                    "(run_id, name, config, status, created, queued, heartbeat) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        run_id,
                        name or describe(config),
                        json.dumps(config.as_dict()),
                        QUEUED,
                        now,
                        now,
                        now,
                    ),
                )
            if inserted.rowcount:
                return run_id

    def run(self, run_id: str) -> Run:
        """Return a run as it stands.

        Raises:
            RunNotFound: There is none with this id.
        """
        self.folder(run_id)  # what cannot be an id is not looked up
        with self._database.reading() as db:
            row = db.execute("SELECT * FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if row is None:
            raise self._not_found(run_id)
        return _run_from(row)

    def runs(self) -> list[Run]:
        """Return all runs, newest first. One whose row cannot be understood is left out."""
        with self._database.reading() as db:
            rows = db.execute("SELECT * FROM runs ORDER BY created DESC, run_id DESC").fetchall()
        return _readable(rows)

    def active_runs(self) -> list[Run]:
        """Return the runs that are queued, running or paused, newest first."""
        return [run for run in self._active() if run.is_active]

    def _active(self) -> list[Run]:
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT * FROM runs WHERE status IN (?, ?, ?) ORDER BY created DESC", ACTIVE
            ).fetchall()
        return _readable(rows)

    def folder(self, run_id: str) -> Path:
        """Return the folder of a run's snapshots.

        Raises:
            RunNotFound: The id has not the form of one, and so must not become a path.
        """
        if not _RUN_ID.fullmatch(run_id):
            raise self._not_found(run_id)
        return self.path / run_id

    def _not_found(self, run_id: str) -> RunNotFound:
        return RunNotFound(f"There is no run {_shortened(run_id)} in the store {self.path}.")

    def delete(self, run_id: str) -> None:
        """Remove a run that is not active, with all that belongs to it.

        Raises:
            RunNotFound: There is none with this id.
            StoreError: It is still active.
        """
        if self.run(run_id).is_active:
            raise StoreError(f"Run {run_id} is still active; stop it first.")
        with self._database.writing() as db:
            db.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))
        shutil.rmtree(self.folder(run_id), ignore_errors=True)

    # What a run has left behind ------------------------------------------------------------------

    def epochs(self, run_id: str) -> Epochs:
        """Return the measurements of all epochs so far; epoch 0 is before training."""
        columns = ", ".join(Epochs._fields)
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT {columns} FROM epochs WHERE run_id = ? ORDER BY epoch", (run_id,)
            ).fetchall()
        table = np.array([tuple(row) for row in rows], np.float64).reshape(-1, len(Epochs._fields))
        epoch, step, *values = table.T
        return Epochs(epoch.astype(np.int64), step.astype(np.int64), *values)

    def health(
        self, run_id: str, *, last: int | None = None, until: int | None = None
    ) -> list[EpochHealth]:
        """Return how the layers did in each epoch, in order; none from before this was recorded.

        Args:
            run_id: The run.
            last: Only this many of the newest epochs.
            until: None after this epoch.
        """
        columns = ", ".join(LayerHealth._fields)
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT epoch, {columns} FROM layer_health WHERE run_id = :run_id AND epoch IN "
                "(SELECT DISTINCT epoch FROM layer_health WHERE run_id = :run_id "
                "AND epoch <= coalesce(:until, epoch) ORDER BY epoch DESC LIMIT :last) "
                "ORDER BY epoch, layer",
                {"run_id": run_id, "until": until, "last": -1 if last is None else last},
            ).fetchall()
        found: dict[int, list[LayerHealth]] = {}
        for epoch, *values in rows:
            found.setdefault(epoch, []).append(LayerHealth(*values))
        return [EpochHealth(epoch, tuple(layers)) for epoch, layers in found.items()]

    def steps(self, run_id: str, after: int = 0) -> Steps:
        """Return the loss of every step so far; times within a block are interpolated.

        Args:
            run_id: The run.
            after: Leave out the blocks that begin at this step or before it.
        """
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT first_step, first_seconds, last_seconds, losses FROM step_blocks "
                "WHERE run_id = ? AND first_step > ? ORDER BY first_step",
                (run_id, after),
            ).fetchall()
        losses = [np.frombuffer(row["losses"], "<f4") for row in rows]
        times = [
            np.linspace(row["first_seconds"], row["last_seconds"], len(block))
            for row, block in zip(rows, losses, strict=True)
        ]
        steps = [
            np.arange(row["first_step"], row["first_step"] + len(block))
            for row, block in zip(rows, losses, strict=True)
        ]
        if not rows:
            return Steps(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.float32))
        return Steps(np.concatenate(steps), np.concatenate(times), np.concatenate(losses))

    def events(self, run_id: str) -> list[Event]:
        """Return what has happened to a run, in order."""
        columns = ", ".join(Event._fields)
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT {columns} FROM events WHERE run_id = ? ORDER BY id", (run_id,)
            ).fetchall()
        return [Event(*row) for row in rows]

    def place_in_queue(self, run_id: str) -> int:
        """Return 1 for the queued run that is next, 2 for the one after it...; 0 if not queued."""
        waiting = [run.run_id for run in self._waiting()]
        return waiting.index(run_id) + 1 if run_id in waiting else 0

    def _waiting(self) -> list[Run]:
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT * FROM runs WHERE status = ? ORDER BY queued, run_id", (QUEUED,)
            ).fetchall()
        return [run for run in _readable(rows) if run.is_active]

    # Speaking to a trainer -----------------------------------------------------------------------

    def send(self, run_id: str, kind: str, value: float | None = None) -> None:
        """Ask the trainer of an active run to pause, resume, stop, or set its learning rate.

        Raises:
            ConfigError: The learning rate is out of range, or there is no such command.
            RunNotFound: There is no such run.
            StoreError: The run has ended.
        """
        if kind not in ("pause", "resume", "stop", "learning_rate"):
            raise ConfigError("command", kind, "pause, resume, stop or learning_rate")
        if kind == "learning_rate":
            value = SETTINGS["learning_rate"].check("learning_rate", value)
        run = self.run(run_id)
        if not run.is_active:
            raise StoreError(f"Run {run_id} is {run.status}; it takes no commands any more.")
        with self._database.writing() as db:
            db.execute(
                "INSERT INTO commands (run_id, at, kind, value) VALUES (?, ?, ?, ?)",
                (run_id, time.time(), kind, value),
            )

    # For the trainer -----------------------------------------------------------------------------

    def adopt(self, run_id: str, trainer: str) -> None:
        """Make `trainer` the one process that may write this run.

        Commands that a former trainer did not live to take are void; those sent to a new run while
        its first trainer was starting are not.
        """
        now = time.time()
        with self._database.writing() as db:
            db.execute(
                "UPDATE commands SET handled = ? WHERE run_id = ? AND handled IS NULL "
                "AND (SELECT trainer FROM runs WHERE runs.run_id = commands.run_id) != ''",
                (now, run_id),
            )
            db.execute(
                "UPDATE runs SET trainer = ?, status = ?, heartbeat = ?, message = '' "
                "WHERE run_id = ?",
                (trainer, QUEUED, now, run_id),
            )

    def enqueue(self, run_id: str) -> None:
        """Put an adopted run at the end of the queue."""
        now = time.time()
        with self._database.writing() as db:
            db.execute(
                "UPDATE runs SET status = ?, queued = ?, heartbeat = ? WHERE run_id = ?",
                (QUEUED, now, now, run_id),
            )

    def claim_slot(self, run_id: str) -> bool:
        """Start a queued run if it is next and there is room; return whether it runs now."""
        with self._database.writing() as db:
            n_running = sum(run.status == RUNNING for run in self._active())
            waiting = self._waiting()
            if n_running >= slots() or not waiting or waiting[0].run_id != run_id:
                return False
            db.execute(
                "UPDATE runs SET status = ?, started = coalesce(started, ?) WHERE run_id = ?",
                (RUNNING, time.time(), run_id),
            )
            return True

    def beat(self, run_id: str, trainer: str) -> None:
        """Give a sign of life, unless the run has been deleted or taken over."""
        with self._database.writing() as db:
            db.execute(
                "UPDATE runs SET heartbeat = ? WHERE run_id = ? AND trainer = ?",
                (time.time(), run_id, trainer),
            )

    def is_trained_by(self, run_id: str, trainer: str) -> bool:
        """Return whether the run is still there and nobody else has taken it over."""
        with self._database.reading() as db:
            row = db.execute(
                "SELECT 1 FROM runs WHERE run_id = ? AND trainer = ?", (run_id, trainer)
            ).fetchone()
        return row is not None

    def has_commands(self, run_id: str) -> bool:
        """Return whether there are commands that nobody has taken yet."""
        with self._database.reading() as db:
            return db.execute(_NEW_COMMANDS, (run_id,)).fetchone() is not None

    def take_commands(self, run_id: str) -> list[Command]:
        """Return the commands that nobody has taken yet, in order, and mark them as taken."""
        if not self.has_commands(run_id):
            return []  # nearly always: no need to wait for the write lock
        with self._database.writing() as db:
            rows = db.execute(f"{_NEW_COMMANDS} ORDER BY id", (run_id,)).fetchall()
            for row in rows:
                db.execute("UPDATE commands SET handled = ? WHERE id = ?", (time.time(), row["id"]))
        return [Command(row["kind"], row["value"]) for row in rows]

    def set_facts(
        self,
        run_id: str,
        *,
        data_digest: str,
        versions: dict[str, str],
        machine: dict[str, Any],
        steps_per_epoch: int,
    ) -> None:
        """Write down what a run is computed from and with."""
        with self._database.writing() as db:
            db.execute(
                "UPDATE runs SET data_digest = ?, versions = ?, machine = ?, steps_per_epoch = ? "
                "WHERE run_id = ?",
                (data_digest, json.dumps(versions), json.dumps(machine), steps_per_epoch, run_id),
            )

    def set_status(self, run_id: str, status: str) -> None:
        """Switch between running and paused."""
        with self._database.writing() as db:
            db.execute("UPDATE runs SET status = ? WHERE run_id = ?", (status, run_id))

    def record(
        self,
        run_id: str,
        progress: Progress | None,
        blocks: Sequence[StepBlock] = (),
        epochs: Sequence[tuple[EpochEnd, float]] = (),
        events: Sequence[Event] = (),
    ) -> None:
        """Write down a stretch of training in one transaction.

        Args:
            run_id: The run.
            progress: Where it stands now; None before its training is ready.
            blocks: Step losses since the last time.
            epochs: Measured epochs since the last time, each with its seconds of training.
            events: What happened since the last time.
        """
        with self._database.writing() as db:
            if progress is not None:
                db.execute(
                    "UPDATE runs SET epoch = ?, step = ?, seconds = ?, samples_per_second = ?, "
                    "learning_rate = ? WHERE run_id = ?",
                    (*progress, run_id),
                )
            db.executemany(
                "INSERT OR REPLACE INTO step_blocks VALUES (?, ?, ?, ?, ?)",
                [
                    (run_id, b.first_step, b.first_seconds, b.last_seconds, _packed(b.losses))
                    for b in blocks
                ],
            )
            for end, seconds in epochs:
                db.execute(
                    "INSERT OR REPLACE INTO epochs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (run_id, end.epoch, end.step, seconds, *end[2:7]),
                )
                db.executemany(
                    "INSERT OR REPLACE INTO layer_health VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    [(run_id, end.epoch, number, *each) for number, each in enumerate(end.health)],
                )
                if end.epoch:
                    db.execute(
                        "UPDATE runs SET best_epoch = ?, best_validation_accuracy = ? WHERE "
                        "run_id = ? AND coalesce(best_validation_accuracy, -1) < ?",
                        (end.epoch, end.validation_accuracy, run_id, end.validation_accuracy),
                    )
            db.executemany(
                f"INSERT INTO events (run_id, {', '.join(Event._fields)}) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(run_id, *event) for event in events],
            )

    def end(
        self,
        run_id: str,
        status: str,
        message: str = "",
        *,
        samples_per_second: float | None = None,
        test_loss: float | None = None,
        test_accuracy: float | None = None,
    ) -> None:
        """Close a run; its pace is now the average over the whole of it."""
        with self._database.writing() as db:
            db.execute(
                "UPDATE runs SET status = ?, message = ?, ended = ?, samples_per_second = ?, "
                "test_loss = ?, test_accuracy = ? WHERE run_id = ?",
                (
                    status,
                    message,
                    time.time(),
                    samples_per_second,
                    test_loss,
                    test_accuracy,
                    run_id,
                ),
            )

    def snapshot_rows(self, run_id: str) -> list[sqlite3.Row]:
        """Return name, epoch, step, seconds and time of writing of a run's snapshots, in order."""
        with self._database.reading() as db:
            return db.execute(
                "SELECT name, epoch, step, seconds, written FROM snapshots WHERE run_id = ? "
                "ORDER BY step, name",
                (run_id,),
            ).fetchall()

    def add_snapshot_row(
        self, run_id: str, name: str, *, epoch: int, step: int, seconds: float
    ) -> None:
        """Tell that a snapshot of this name is whole on disk."""
        with self._database.writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?)",
                (run_id, name, epoch, step, seconds, time.time()),
            )

    def remove_snapshot_row(self, run_id: str, name: str) -> None:
        """Tell that a snapshot is going to be removed."""
        with self._database.writing() as db:
            db.execute("DELETE FROM snapshots WHERE run_id = ? AND name = ?", (run_id, name))


def describe(config: RunConfig) -> str:
    """Return a short name for a run: '128-64 relu, adam 0.001, mnist'."""
    layers = "-".join(str(units) for units in config.hidden) or "no hidden layer"
    names = dict.fromkeys(config.activations)
    bend = f" {'/'.join(names)}" if names else ""
    return f"{layers}{bend}, {config.optimizer} {config.learning_rate:g}, {config.dataset}"


def _readable(rows: Sequence[sqlite3.Row]) -> list[Run]:
    runs = []
    for row in rows:
        with contextlib.suppress(StoreError):
            runs.append(_run_from(row))
    return runs


def _run_from(row: sqlite3.Row) -> Run:
    values = dict(row)
    try:
        config = RunConfig.from_dict(json.loads(values["config"]))
        versions, machine = json.loads(values["versions"]), json.loads(values["machine"])
        silence = time.time() - values["heartbeat"]
    except (ConfigError, ValueError, TypeError, LookupError) as error:
        raise StoreError(
            f"Run {_shortened(values['run_id'])} has a row that cannot be read: {error}"
        ) from error
    status, message = values["status"], values["message"]
    if status in ACTIVE and silence > HEARTBEAT_LOST:
        status, message = INTERRUPTED, "Its trainer ended without a word."
    unseen = (
        "config",
        "versions",
        "machine",
        "status",
        "message",
        "queued",
        "heartbeat",
        "trainer",
    )
    seen = {name: value for name, value in values.items() if name not in unseen}
    return Run(
        config=config, versions=versions, machine=machine, status=status, message=message, **seen
    )


def _packed(losses: npt.NDArray[np.float32]) -> bytes:
    return losses.astype("<f4").tobytes()


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
