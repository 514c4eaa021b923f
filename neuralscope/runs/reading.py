"""Reading the run store: which runs there are, and what they have left behind.

Rows that hold what cannot be are left out everywhere (see `columns`); `unreadable` and
`count_unreadable_rows` say how many there are.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np

from neuralscope.engine import LayerHealth
from neuralscope.errors import RunNotFound, RunUnreadable, quoted
from neuralscope.runs import last_words, life
from neuralscope.runs.columns import (
    COMMAND_ROWS,
    CONDITIONS,
    EPOCHS,
    EVENTS,
    FAULT,
    IS_SOUND,
    IS_TRASHED,
    LAYER_HEALTH,
    RUNS,
    SNAPSHOTS,
    STEP_BLOCKS,
)
from neuralscope.runs.database import RUN_ID, Database
from neuralscope.runs.records import (
    ACTIVE,
    QUEUED,
    EpochHealth,
    Epochs,
    Event,
    Run,
    StepBlock,
    Steps,
    UnreadableRuns,
)
from neuralscope.runs.rows import (
    blocks_from,
    epochs_from,
    fault_of,
    run_from,
    unreadable_from,
)


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
            RunUnreadable: Its row holds what no run can be.
        """
        self.folder(run_id)  # what cannot be an id is not looked up
        if found := self.runs_where("run_id = ? AND trashed IS NULL", run_id):
            return found[0]
        with self.database.reading() as db:
            row = db.execute(
                f"SELECT *, {FAULT} AS fault FROM runs WHERE run_id = ? AND NOT {IS_TRASHED}",
                (run_id,),
            ).fetchone()
        if row is not None and (reason := fault_of(row)):
            raise RunUnreadable(f"Run {run_id!r} has a row that cannot be read: {reason}.")
        raise self.not_found(run_id)

    def runs(self) -> list[Run]:
        """Return all runs that can be read, newest first; see `unreadable` for the others."""
        return self.runs_where("trashed IS NULL ORDER BY created DESC, run_id DESC")

    def active_runs(self) -> list[Run]:
        """Return the runs that are queued, running or paused, newest first."""
        condition = "status IN (?, ?, ?) AND trashed IS NULL ORDER BY created DESC"
        return [run for run in self.runs_where(condition, *ACTIVE) if run.is_active]

    def trashed(self) -> list[Run]:
        """Return the runs in the trash, the latest thrown away first."""
        return self.runs_where("trashed IS NOT NULL ORDER BY trashed DESC, run_id")

    def runs_where(self, condition: str, *values: object) -> list[Run]:
        """Return the readable runs of which this SQL is true, in its order.

        Nobody has to notice a death and write it down: a run that should be active and that nobody
        holds (see `life`) *is* interrupted, for whoever looks.
        """
        lost: dict[str, tuple[str, str]] = {}
        while True:
            with self.database.reading() as db:
                rows = db.execute(f"SELECT * FROM {RUNS} WHERE {condition}", values).fetchall()
            lost_before = lost
            lost = {
                row["run_id"]: (row["status"], row["trainer"])
                for row in rows
                if row["status"] in ACTIVE and not self.is_held(row["run_id"])
            }
            # A run may have ended, or have been taken up, after its row was read: look again.
            if lost.items() <= lost_before.items():
                break
        deaths = {run_id: self._death(run_id, *why) for run_id, why in lost.items()}
        return [run_from(row, deaths.get(row["run_id"], "")) for row in rows]

    def unreadable(self, most: int = 100) -> UnreadableRuns:
        """Return the runs outside the trash whose rows hold what no run can be, newest first.

        Args:
            most: How many to return.
        """
        found = f"FROM runs WHERE NOT {IS_SOUND} AND NOT {IS_TRASHED}"
        with self.database.reading() as db:
            total = db.execute(f"SELECT count(*) {found}").fetchone()[0]
            rows = db.execute(
                f"SELECT rowid AS number, *, {FAULT} AS fault {found} ORDER BY rowid DESC LIMIT ?",
                (most if total else 0,),
            ).fetchall()
        return UnreadableRuns(tuple(map(unreadable_from, rows)), total)

    def is_held(self, run_id: str) -> bool:
        """Return whether a process trains this run or is going to."""
        return bool(RUN_ID.fullmatch(run_id)) and life.is_held(self.path / run_id)

    def held(self) -> list[str]:
        """Return the ids of the runs that are queued, running or paused, in no order."""
        with self.database.reading() as db:
            rows = db.execute(
                f"SELECT run_id FROM {RUNS} WHERE status IN (?, ?, ?) AND trashed IS NULL", ACTIVE
            ).fetchall()
        return [row["run_id"] for row in rows if self.is_held(row["run_id"])]

    def oldest_command(self, run_id: str) -> int | None:
        """Return the number of the oldest command that the trainer has not taken yet, or None."""
        with self.database.reading() as db:
            number: int | None = db.execute(
                f"SELECT min(id) FROM {COMMAND_ROWS} WHERE run_id = ? AND handled IS NULL",
                (run_id,),
            ).fetchone()[0]
        return number

    def log(self, run_id: str) -> str | None:
        """Return the end of what a run's trainer printed; None where it has no log.

        One that was started in a terminal prints there.
        """
        return last_words.read(self.folder(run_id))

    def _death(self, run_id: str, status: str, trainer: str) -> str:
        """Return why a run that should be active is not, in a sentence."""
        log = self.log(run_id)
        if status == QUEUED and not trainer and log is None:
            return "It was queued, but no training process took it up."
        reason = last_words.last_line(log or "").rstrip(".")
        return f"Its training process ended unexpectedly{reason and ': '}{reason}."

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
        return RunNotFound(f"There is no run {quoted(run_id, 60)} in the store {self.path}.")

    def place_in_queue(self, run_id: str) -> int:
        """Return 1 for the queued run that is next, 2 for the one after it...; 0 if not queued."""
        queued = self.runs_where("status = ? AND trashed IS NULL ORDER BY queued, run_id", QUEUED)
        waiting = [run.run_id for run in queued if run.is_active]
        return waiting.index(run_id) + 1 if run_id in waiting else 0

    # What a run has left behind ------------------------------------------------------------------

    def epochs(self, run_id: str) -> Epochs:
        """Return the measurements of all epochs so far; epoch 0 is before training."""
        columns = ", ".join(Epochs._fields)
        with self.database.reading() as db:
            rows = db.execute(
                f"SELECT {columns} FROM {EPOCHS} WHERE run_id = ? ORDER BY epoch", (run_id,)
            ).fetchall()
        return epochs_from([tuple(row) for row in rows])

    def health(
        self, run_id: str, *, last: int | None = None, until: int | None = None
    ) -> list[EpochHealth]:
        """Return how the layers did in each epoch, in order; none from before this was recorded.

        An epoch of which a layer is missing is left out.

        Args:
            run_id: The run.
            last: Only this many of the newest epochs.
            until: None after this epoch.
        """
        columns = ", ".join(LayerHealth._fields)
        with self.database.reading() as db:
            rows = db.execute(
                f"SELECT epoch, layer, {columns} FROM {LAYER_HEALTH} WHERE run_id = :run_id "
                f"AND epoch IN (SELECT DISTINCT epoch FROM {LAYER_HEALTH} WHERE run_id = :run_id "
                "AND epoch <= coalesce(:until, epoch) ORDER BY epoch DESC LIMIT :last) "
                "ORDER BY epoch, layer",
                {"run_id": run_id, "until": until, "last": -1 if last is None else last},
            ).fetchall()
        found: dict[int, dict[int, LayerHealth]] = {}
        for epoch, layer, *values in rows:
            found.setdefault(epoch, {})[layer] = LayerHealth(*values)
        every_layer = list(range(max(map(len, found.values()), default=0)))
        return [
            EpochHealth(epoch, tuple(layers.values()))
            for epoch, layers in found.items()
            if list(layers) == every_layer
        ]

    def step_blocks(self, run_id: str, after: int = 0) -> list[StepBlock]:
        """Return the losses of all steps so far in the stretches in which they were written.

        Args:
            run_id: The run.
            after: Leave out the blocks that begin at this step or before it.
        """
        with self.database.reading() as db:
            rows = db.execute(
                f"SELECT {', '.join(StepBlock._fields)} FROM {STEP_BLOCKS} "
                "WHERE run_id = ? AND first_step > ? ORDER BY first_step",
                (run_id, after),
            ).fetchall()
        return blocks_from(rows)

    def steps(self, run_id: str, after: int = 0) -> Steps:
        """Return the loss of every step so far; times within a block are interpolated.

        Args:
            run_id: The run.
            after: Leave out the blocks that begin at this step or before it.
        """
        blocks = self.step_blocks(run_id, after)
        n = sum(len(block.losses) for block in blocks)
        steps = Steps(np.empty(n, np.int64), np.empty(n), np.empty(n, np.float32))
        end = 0
        for first, began, ended, losses in blocks:  # filled in place: there may be millions
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
                f"SELECT {columns} FROM {EVENTS} WHERE run_id = ? ORDER BY id", (run_id,)
            ).fetchall()
        return [Event(*row) for row in rows]

    def count_unreadable_rows(self, run_id: str) -> int:
        """Return how many rows of a run's curves, events and snapshots cannot be trusted.

        Every question leaves them out.
        """
        counts = (
            f"(SELECT count(*) FROM {table} WHERE run_id = :run_id AND ({condition}) IS NOT TRUE)"
            for table, condition in CONDITIONS.items()
        )
        with self.database.reading() as db:
            query = f"SELECT {' + '.join(counts)}"
            return int(db.execute(query, {"run_id": run_id}).fetchone()[0])

    def last_recorded(self, run_id: str) -> tuple[int, int]:
        """Return the last epoch and the last step that there are rows of; -1 and 0 for none."""
        with self.database.reading() as db:
            epoch = db.execute(
                f"SELECT max(epoch) FROM {EPOCHS} WHERE run_id = ?", (run_id,)
            ).fetchone()[0]
            row = db.execute(
                f"SELECT first_step + length(losses) / 4 - 1 FROM {STEP_BLOCKS} WHERE run_id = ? "
                "ORDER BY first_step DESC LIMIT 1",
                (run_id,),
            ).fetchone()
        return (-1 if epoch is None else epoch), (row[0] if row else 0)

    def snapshot_rows(self, run_id: str) -> list[sqlite3.Row]:
        """Return name, epoch, step, seconds and time of writing of a run's snapshots, in order."""
        with self.database.reading() as db:
            return db.execute(
                f"SELECT name, epoch, step, seconds, written FROM {SNAPSHOTS} WHERE run_id = ? "
                "ORDER BY step, name",
                (run_id,),
            ).fetchall()
