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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from neuralscope.data import Recipe
from neuralscope.engine import EpochEnd, LayerHealth
from neuralscope.errors import ConfigError, DataError, RunNotFound, StoreError
from neuralscope.runs.config import SETTINGS, RunConfig
from neuralscope.runs.database import Database
from neuralscope.runs.machine import usable_cores
from neuralscope.runs.names import describe, redescribe

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

LONGEST_NAME, LONGEST_TAG, LONGEST_NOTES = 200, 40, 20_000
"""Characters that a run's name, each of its tags, and its notes may have."""

MOST_TAGS = 50

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
        tags: What it was tagged with, in that order.
        notes: What somebody has written about it.
        starred: Whether somebody has marked it as good.
        archived: Whether somebody has put it out of sight.
        parent_id: The run it was forked from or reproduces, which may be gone; or None.
        parent_epoch: Complete epochs of the parent where it was forked; None for a reproduction.
        parent_step: Steps of the parent where it was forked; None for a reproduction.
        race: What its race is called; empty for none.
        origin: Where it was imported from, in a sentence; empty if it was trained here.
        rewinds: How often it has gone on from before its last rows, which were taken back then.
        recipe: How a drawing becomes a picture like those it was trained on; None for runs of
            before that was written down.
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
    tags: tuple[str, ...] = ()
    notes: str = ""
    starred: bool = False
    archived: bool = False
    parent_id: str | None = None
    parent_epoch: int | None = None
    parent_step: int | None = None
    race: str = ""
    origin: str = ""
    rewinds: int = 0
    recipe: Recipe | None = None

    @property
    def is_fork(self) -> bool:
        """Whether it began from a snapshot of another run."""
        return self.parent_step is not None

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


class Parent(NamedTuple):
    """Where a run comes from; without epoch and step it reproduces the whole of it."""

    run_id: str
    epoch: int | None = None
    step: int | None = None


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

    @property
    def database(self) -> Database:
        """The database, for modules that bring queries of their own."""
        return self._database

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    def __enter__(self) -> Store:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    # Runs ----------------------------------------------------------------------------------------

    def create(
        self,
        config: RunConfig,
        name: str = "",
        *,
        parent: Parent | None = None,
        race: str = "",
        origin: str = "",
    ) -> str:
        """Add a queued run and return its id.

        Args:
            config: What it trains.
            name: Its name for people; a description of the configuration if empty.
            parent: The run it is made from.
            race: The race it takes part in.
            origin: Where it is imported from, in a sentence.

        Raises:
            StoreError: The name is too long, or the store cannot be written.
        """
        now = time.time()
        name = _as_text("name", name, LONGEST_NAME)
        while True:
            run_id = time.strftime("%Y%m%d-%H%M%S-", time.localtime(now)) + secrets.token_hex(2)
            with self.database.writing() as db:
                inserted = db.execute(
                    "INSERT OR IGNORE INTO runs (run_id, name, config, status, created, queued, "
                    "heartbeat, parent_id, parent_epoch, parent_step, race, origin) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        run_id,
                        name or describe(config),
                        json.dumps(config.as_dict()),
                        QUEUED,
                        now,
                        now,
                        now,
                        *(parent or (None, None, None)),
                        race,
                        origin,
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
        with self.database.reading() as db:
            row = db.execute(
                "SELECT * FROM runs WHERE run_id = ? AND trashed IS NULL", (run_id,)
            ).fetchone()
        if row is None:
            raise self._not_found(run_id)
        return _run_from(row)

    def runs(self) -> list[Run]:
        """Return all runs, newest first. One whose row cannot be understood is left out."""
        with self.database.reading() as db:
            rows = db.execute(
                "SELECT * FROM runs WHERE trashed IS NULL ORDER BY created DESC, run_id DESC"
            ).fetchall()
        return _readable(rows)

    def active_runs(self) -> list[Run]:
        """Return the runs that are queued, running or paused, newest first."""
        return [run for run in self._active() if run.is_active]

    def _active(self) -> list[Run]:
        with self.database.reading() as db:
            rows = db.execute(
                "SELECT * FROM runs WHERE status IN (?, ?, ?) AND trashed IS NULL "
                "ORDER BY created DESC",
                ACTIVE,
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
        self.run(run_id)
        self.purge([run_id])

    # What people say of a run ---------------------------------------------------------------------

    def rename(self, run_id: str, name: str) -> None:
        """Give a run another name; an empty one stands for a description of its configuration.

        Raises:
            RunNotFound: There is no such run.
            StoreError: The name is too long.
        """
        run = self.run(run_id)
        name = _as_text("name", name, LONGEST_NAME) or describe(run.config)
        self._set_column(run_id, "name", name)

    def set_tags(self, run_id: str, tags: Iterable[str]) -> None:
        """Replace a run's tags; blanks around them, empty ones and repetitions are dropped.

        Raises:
            RunNotFound: There is no such run.
            StoreError: One is too long, or there are too many.
        """
        texts = [_as_text("tag", tag, LONGEST_TAG).strip() for tag in tags]
        kept = list(dict.fromkeys(filter(None, texts)))
        if len(kept) > MOST_TAGS:
            raise StoreError(f"These are {len(kept):,} tags; a run may have up to {MOST_TAGS}.")
        self._set_column(run_id, "tags", json.dumps(kept))

    def set_notes(self, run_id: str, text: str) -> None:
        """Replace what is written about a run.

        Raises:
            RunNotFound: There is no such run.
            StoreError: It is too long.
        """
        self._set_column(run_id, "notes", _as_text("note", text, LONGEST_NOTES))

    def set_starred(self, run_id: str, yes: bool) -> None:
        """Mark a run as good, or not any more."""
        self._set_column(run_id, "starred", int(yes))

    def set_archived(self, run_id: str, yes: bool) -> None:
        """Put a run out of sight, or back."""
        self._set_column(run_id, "archived", int(yes))

    def _set_column(self, run_id: str, column: str, value: str | int) -> None:
        self.run(run_id)
        with self.database.writing() as db:
            db.execute(f"UPDATE runs SET {column} = ? WHERE run_id = ?", (value, run_id))

    # Throwing away, and thinking better of it ----------------------------------------------------

    def trash(self, run_ids: Iterable[str]) -> None:
        """Throw runs away so that they can be restored: they are not found any more.

        Raises:
            RunNotFound: One of them is not there; then none is thrown away.
            StoreError: One of them is still active; then none is thrown away.
        """
        with self.database.writing() as db:
            for run_id in run_ids:
                if self.run(run_id).is_active:
                    raise StoreError(f"Run {run_id} is still active; stop it first.")
                # A trainer that was only slow to beat must not go on unseen.
                db.execute(
                    "UPDATE runs SET trashed = ?, trainer = 'trash' WHERE run_id = ?",
                    (time.time(), run_id),
                )

    def restore(self, run_ids: Iterable[str]) -> None:
        """Bring runs back that were thrown away; those that are not in the trash stay as they are.

        Raises:
            RunNotFound: One of them is not there at all.
        """
        with self.database.writing() as db:
            for run_id in run_ids:
                found = db.execute(
                    "UPDATE runs SET trashed = NULL WHERE run_id = ?", (run_id,)
                ).rowcount
                if not found:
                    raise self._not_found(run_id)

    def trashed(self) -> list[Run]:
        """Return the runs in the trash, the latest thrown away first."""
        with self.database.reading() as db:
            rows = db.execute(
                "SELECT * FROM runs WHERE trashed IS NOT NULL ORDER BY trashed DESC, run_id"
            ).fetchall()
        return _readable(rows)

    def purge(self, run_ids: Iterable[str]) -> None:
        """Really remove runs, in the trash or not, with all that belongs to them.

        Raises:
            StoreError: One of them is still active; those before it are gone.
        """
        for run_id in run_ids:
            folder = self.folder(run_id)
            with self.database.writing() as db:
                row = db.execute("SELECT * FROM runs WHERE run_id = ?", (run_id,)).fetchone()
                if row is not None and row["trashed"] is None and _is_alive(row):
                    raise StoreError(f"Run {run_id} is still active; stop it first.")
                db.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))
            shutil.rmtree(folder, ignore_errors=True)

    # What a run has left behind ------------------------------------------------------------------

    def epochs(self, run_id: str) -> Epochs:
        """Return the measurements of all epochs so far; epoch 0 is before training."""
        columns = ", ".join(Epochs._fields)
        with self.database.reading() as db:
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
        with self.database.reading() as db:
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
        with self.database.reading() as db:
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
        with self.database.reading() as db:
            rows = db.execute(
                f"SELECT {columns} FROM events WHERE run_id = ? ORDER BY id", (run_id,)
            ).fetchall()
        return [Event(*row) for row in rows]

    def place_in_queue(self, run_id: str) -> int:
        """Return 1 for the queued run that is next, 2 for the one after it...; 0 if not queued."""
        waiting = [run.run_id for run in self._waiting()]
        return waiting.index(run_id) + 1 if run_id in waiting else 0

    def _waiting(self) -> list[Run]:
        with self.database.reading() as db:
            rows = db.execute(
                "SELECT * FROM runs WHERE status = ? AND trashed IS NULL ORDER BY queued, run_id",
                (QUEUED,),
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
        with self.database.writing() as db:
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
        with self.database.writing() as db:
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

    def requeue(self, run_id: str, config: RunConfig) -> None:
        """Queue a run once more that has ended, so that a trainer goes on with it.

        Args:
            run_id: The run.
            config: Its configuration, perhaps with more epochs than before; a name that was made
                from the former one is made from this one.

        Raises:
            RunNotFound: There is no such run.
            StoreError: It is active: somebody else was quicker.
        """
        now = time.time()
        with self.database.writing() as db:
            run = self.run(run_id)
            if run.is_active:
                raise StoreError(f"Run {run_id} is {run.status} already.")
            # No trainer yet: what was asked of the former one is void, what is asked from now on
            # is for the next.
            db.execute(
                "UPDATE commands SET handled = ? WHERE run_id = ? AND handled IS NULL",
                (now, run_id),
            )
            db.execute(
                "UPDATE runs SET name = ?, config = ?, status = ?, message = '', queued = ?, "
                "heartbeat = ?, ended = NULL, trainer = '' WHERE run_id = ?",
                (
                    redescribe(run.name, run.config, config)[:LONGEST_NAME],
                    json.dumps(config.as_dict()),
                    QUEUED,
                    now,
                    now,
                    run_id,
                ),
            )

    def rewind(self, run_id: str, *, epoch: int, step: int, seconds: float) -> float:
        """Take back all rows of a run that are of later than a step, to go on from there.

        Args:
            run_id: The run.
            epoch: Complete epochs at that step; -1 for before the first measuring.
            step: The last step that counts.
            seconds: Training time until then, as the snapshot has it.

        Returns:
            Training time until then, as exactly as the rows know it.
        """
        with self.database.writing() as db:
            db.execute(
                "DELETE FROM step_blocks WHERE run_id = ? AND first_step > ?", (run_id, step)
            )
            last = db.execute(
                "SELECT first_step, first_seconds, last_seconds, losses FROM step_blocks "
                "WHERE run_id = ? ORDER BY first_step DESC LIMIT 1",
                (run_id,),
            ).fetchone()
            if last is not None:
                first_step, first_seconds, last_seconds, packed = last
                losses = np.frombuffer(packed, "<f4")
                kept = losses[: step - first_step + 1]
                # Times within a block are evenly spread, here as in `steps`.
                seconds = float(
                    np.linspace(first_seconds, last_seconds, len(losses))[len(kept) - 1]
                )
                db.execute(
                    "UPDATE step_blocks SET last_seconds = ?, losses = ? "
                    "WHERE run_id = ? AND first_step = ?",
                    (seconds, _packed(kept), run_id, first_step),
                )
            for table in ("epochs", "layer_health"):
                db.execute(f"DELETE FROM {table} WHERE run_id = ? AND epoch > ?", (run_id, epoch))
            measured = db.execute(
                "SELECT max(seconds) FROM epochs WHERE run_id = ?", (run_id,)
            ).fetchone()[0]
            seconds = max(seconds, measured or 0.0)
            db.execute(
                "DELETE FROM events WHERE run_id = ? AND (step > ? OR kind = 'restored')",
                (run_id, step),
            )
            db.execute("DELETE FROM snapshots WHERE run_id = ? AND step > ?", (run_id, step))
            best = db.execute(
                "SELECT epoch, validation_accuracy FROM epochs WHERE run_id = ? AND epoch > 0 "
                "ORDER BY validation_accuracy DESC, epoch LIMIT 1",
                (run_id,),
            ).fetchone()
            db.execute(
                "UPDATE runs SET epoch = ?, step = ?, seconds = ?, best_epoch = ?, "
                "best_validation_accuracy = ?, test_loss = NULL, test_accuracy = NULL, "
                "rewinds = rewinds + 1 WHERE run_id = ?",
                (max(epoch, 0), step, seconds, *(best or (None, None)), run_id),
            )
        return seconds

    def last_recorded(self, run_id: str) -> tuple[int, int]:
        """Return the last epoch and the last step that there are rows of; -1 and 0 for none."""
        with self.database.reading() as db:
            epoch = db.execute(
                "SELECT max(epoch) FROM epochs WHERE run_id = ?", (run_id,)
            ).fetchone()[0]
            row = db.execute(
                "SELECT first_step + length(losses) / 4 - 1 FROM step_blocks WHERE run_id = ? "
                "ORDER BY first_step DESC LIMIT 1",
                (run_id,),
            ).fetchone()
        return (-1 if epoch is None else epoch), (row[0] if row else 0)

    def set_data_digest(self, run_id: str, digest: str) -> None:
        """Write down which data a run must be trained on."""
        self._set_column(run_id, "data_digest", digest)

    def set_machine(self, run_id: str, machine: dict[str, Any]) -> None:
        """Write down in advance what of a machine a run is to use."""
        self._set_column(run_id, "machine", json.dumps(machine))

    def enqueue(self, run_id: str) -> None:
        """Put an adopted run at the end of the queue."""
        now = time.time()
        with self.database.writing() as db:
            db.execute(
                "UPDATE runs SET status = ?, queued = ?, heartbeat = ? WHERE run_id = ?",
                (QUEUED, now, now, run_id),
            )

    def claim_slot(self, run_id: str) -> bool:
        """Start a queued run if it is next and there is room; return whether it runs now."""
        with self.database.writing() as db:
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
        with self.database.writing() as db:
            db.execute(
                "UPDATE runs SET heartbeat = ? WHERE run_id = ? AND trainer = ?",
                (time.time(), run_id, trainer),
            )

    def heartbeat(self, run_id: str) -> float:
        """Return when a run's trainer gave its last sign of life, in seconds since 1970."""
        with self.database.reading() as db:
            row = db.execute("SELECT heartbeat FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if row is None:
            raise self._not_found(run_id)
        return float(row["heartbeat"])

    def is_trained_by(self, run_id: str, trainer: str) -> bool:
        """Return whether the run is still there and nobody else has taken it over."""
        with self.database.reading() as db:
            row = db.execute(
                "SELECT 1 FROM runs WHERE run_id = ? AND trainer = ?", (run_id, trainer)
            ).fetchone()
        return row is not None

    def has_commands(self, run_id: str) -> bool:
        """Return whether there are commands that nobody has taken yet."""
        with self.database.reading() as db:
            return db.execute(_NEW_COMMANDS, (run_id,)).fetchone() is not None

    def take_commands(self, run_id: str) -> list[Command]:
        """Return the commands that nobody has taken yet, in order, and mark them as taken."""
        if not self.has_commands(run_id):
            return []  # nearly always: no need to wait for the write lock
        with self.database.writing() as db:
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
        recipe: Recipe | None = None,
    ) -> None:
        """Write down what a run is computed from and with."""
        with self.database.writing() as db:
            db.execute(
                "UPDATE runs SET data_digest = ?, versions = ?, machine = ?, steps_per_epoch = ?, "
                "recipe = ? WHERE run_id = ?",
                (
                    data_digest,
                    json.dumps(versions),
                    json.dumps(machine),
                    steps_per_epoch,
                    recipe_as_text(recipe),
                    run_id,
                ),
            )

    def set_status(self, run_id: str, status: str) -> None:
        """Switch between running and paused."""
        with self.database.writing() as db:
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
        with self.database.writing() as db:
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
        with self.database.writing() as db:
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
        with self.database.reading() as db:
            return db.execute(
                "SELECT name, epoch, step, seconds, written FROM snapshots WHERE run_id = ? "
                "ORDER BY step, name",
                (run_id,),
            ).fetchall()

    def add_snapshot_row(
        self, run_id: str, name: str, *, epoch: int, step: int, seconds: float
    ) -> None:
        """Tell that a snapshot of this name is whole on disk."""
        with self.database.writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?)",
                (run_id, name, epoch, step, seconds, time.time()),
            )

    def remove_snapshot_row(self, run_id: str, name: str) -> None:
        """Tell that a snapshot is going to be removed."""
        with self.database.writing() as db:
            db.execute("DELETE FROM snapshots WHERE run_id = ? AND name = ?", (run_id, name))


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
        tags = tuple(str(tag) for tag in json.loads(values["tags"]))
        float(values["heartbeat"])
    except (ConfigError, ValueError, TypeError, LookupError) as error:
        raise StoreError(
            f"Run {_shortened(values['run_id'])} has a row that cannot be read: {error}"
        ) from error
    status, message = values["status"], values["message"]
    if status in ACTIVE and not _is_alive(row):
        status, message = INTERRUPTED, "Its training process ended unexpectedly."
    values |= {
        "config": config,
        "versions": versions,
        "machine": machine,
        "status": status,
        "message": message,
        "tags": tags,
        "starred": bool(values["starred"]),
        "archived": bool(values["archived"]),
        "recipe": _recipe_from(values["recipe"]),
    }
    # By name: a later version may have added columns while this process was at work.
    return Run(**{field.name: values[field.name] for field in fields(Run)})


def recipe_as_text(recipe: Recipe | None) -> str:
    """Return a recipe as its column holds it."""
    return "" if recipe is None else json.dumps(recipe.as_json())


def _recipe_from(text: str) -> Recipe | None:
    """Return what `recipe_as_text` wrote; None where it did not, for the data set has it too."""
    try:
        return Recipe.from_json(json.loads(text)) if text else None
    except (ValueError, RecursionError, DataError):
        return None


def _is_alive(row: sqlite3.Row) -> bool:
    """Return whether somebody is at work on a run or going to be."""
    return row["status"] in ACTIVE and time.time() - row["heartbeat"] <= HEARTBEAT_LOST


def _as_text(what: str, text: str, longest: int) -> str:
    """Return any text as the database can keep it; raise StoreError if it is too long."""
    if len(text) > longest:
        raise StoreError(
            f"This {what} has {len(text):,} characters; it may have up to {longest:,}."
        )
    return text.encode(errors="replace").decode()  # what a terminal passes on need not be text


def _packed(losses: npt.NDArray[np.float32]) -> bytes:
    return losses.astype("<f4").tobytes()


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
