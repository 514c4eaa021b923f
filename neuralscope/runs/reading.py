"""Reading the run store: which runs there are, and what they have left behind."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np

from neuralscope.engine import LayerHealth
from neuralscope.errors import RunNotFound
from neuralscope.runs.database import RUN_ID, Database
from neuralscope.runs.records import ACTIVE, QUEUED, EpochHealth, Epochs, Event, Run, Steps
from neuralscope.runs.rows import readable, run_from, shortened


class Reading:
    """What can be asked of a store. Nothing here changes it."""

    def __init__(self, path: Path) -> None:
        """Open the store in this folder.

        Raises:
            StoreError: It cannot be used.
        """
        self.path = path
        self._database = Database(path)

    @property
    def database(self) -> Database:
        """The database, for modules that bring queries of their own."""
        return self._database

    # Runs ----------------------------------------------------------------------------------------

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
            raise self.not_found(run_id)
        return run_from(row)

    def runs(self) -> list[Run]:
        """Return all runs, newest first. One whose row cannot be understood is left out."""
        with self.database.reading() as db:
            rows = db.execute(
                "SELECT * FROM runs WHERE trashed IS NULL ORDER BY created DESC, run_id DESC"
            ).fetchall()
        return readable(rows)

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
        return readable(rows)

    def trashed(self) -> list[Run]:
        """Return the runs in the trash, the latest thrown away first."""
        with self.database.reading() as db:
            rows = db.execute(
                "SELECT * FROM runs WHERE trashed IS NOT NULL ORDER BY trashed DESC, run_id"
            ).fetchall()
        return readable(rows)

    def folder(self, run_id: str) -> Path:
        """Return the folder of a run's snapshots.

        Raises:
            RunNotFound: The id has not the form of one, and so must not become a path.
        """
        if not RUN_ID.fullmatch(run_id):
            raise self.not_found(run_id)
        return self.path / run_id

    def not_found(self, run_id: str) -> RunNotFound:
        """Return the error that says that there is no such run."""
        return RunNotFound(f"There is no run {shortened(run_id)} in the store {self.path}.")

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
        return [run for run in readable(rows) if run.is_active]

    def heartbeat(self, run_id: str) -> float:
        """Return when a run's trainer gave its last sign of life, in seconds since 1970."""
        with self.database.reading() as db:
            row = db.execute("SELECT heartbeat FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if row is None:
            raise self.not_found(run_id)
        return float(row["heartbeat"])

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
        n = sum(len(row["losses"]) // 4 for row in rows)
        steps = Steps(np.empty(n, np.int64), np.empty(n), np.empty(n, np.float32))
        end = 0
        for first, began, ended, content in rows:  # filled in place: there may be millions
            losses = np.frombuffer(content, "<f4")
            begin, end = end, end + len(losses)
            steps.step[begin:end] = np.arange(first, first + len(losses))
            steps.seconds[begin:end] = np.linspace(began, ended, len(losses))
            steps.loss[begin:end] = losses
        return steps

    def events(self, run_id: str) -> list[Event]:
        """Return what has happened to a run, in order."""
        columns = ", ".join(Event._fields)
        with self.database.reading() as db:
            rows = db.execute(
                f"SELECT {columns} FROM events WHERE run_id = ? ORDER BY id", (run_id,)
            ).fetchall()
        return [Event(*row) for row in rows]

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

    def snapshot_rows(self, run_id: str) -> list[sqlite3.Row]:
        """Return name, epoch, step, seconds and time of writing of a run's snapshots, in order."""
        with self.database.reading() as db:
            return db.execute(
                "SELECT name, epoch, step, seconds, written FROM snapshots WHERE run_id = ? "
                "ORDER BY step, name",
                (run_id,),
            ).fetchall()
