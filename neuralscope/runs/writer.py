"""What a trainer writes of the run that is its own.

Of all processes at most one may write a run: the one whose token stands in its row. Somebody else
puts another there to take the run over. Each writing looks at the token in the transaction that
writes, so a process that was held up for an hour changes nothing that is not its own any more, not
even a file: it is told so by `Disowned`, and leaves.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from neuralscope.data import Recipe
from neuralscope.engine import EpochEnd
from neuralscope.errors import StoreError
from neuralscope.runs.columns import COMMAND_ROWS, EPOCHS, STEP_BLOCKS
from neuralscope.runs.records import (
    QUEUED,
    RUNNING,
    Command,
    Event,
    Progress,
    StepBlock,
)
from neuralscope.runs.rows import blocks_from, packed, recipe_as_text
from neuralscope.runs.store import Store, slots


class Disowned(StoreError):
    """The run was deleted or taken over: it is not ours to write any more."""


class Writer:
    """The one who may write a run.

    Every method that writes raises Disowned if the run is not its own any more, StoreBusy or
    StoreFull if the store cannot be written yet, and StoreError if it cannot be written at all.

    Attributes:
        run_id: Which run.
        token: Tells this writer from all others; empty for whoever prepares a run that no trainer
            has taken yet.
    """

    def __init__(
        self, store: Store, run_id: str, token: str = "", *, patience: float | None = None
    ) -> None:
        """Speak for the writer with this token.

        Args:
            store: Where the run is kept.
            run_id: Which run.
            token: Of the writer.
            patience: Seconds to wait for the write lock; None for as long as everybody does.
        """
        self.run_id = run_id
        self.token = token
        self._store = store
        self._patience = patience
        self._taken: dict[int, float] = {}  # when commands were taken that are not marked so

    def adopt(self) -> None:
        """Become the one writer of the run, whoever was it before.

        Commands that a former trainer did not live to take are void; those sent to a new run while
        its first trainer was starting are not.
        """
        now = time.time()
        with self._store.database.writing(self._patience) as db:
            db.execute(
                "UPDATE commands SET handled = ? WHERE run_id = ? AND handled IS NULL "
                "AND (SELECT trainer FROM runs WHERE runs.run_id = commands.run_id) != ''",
                (now, self.run_id),
            )
            db.execute(
                "UPDATE runs SET trainer = ?, status = ?, message = '' WHERE run_id = ?",
                (self.token, QUEUED, self.run_id),
            )

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection in a transaction in which the run is ours."""
        with self._store.database.writing(self._patience) as db:
            row = db.execute(
                "SELECT 1 FROM runs WHERE run_id = ? AND trainer = ?", (self.run_id, self.token)
            ).fetchone()
            if row is None:
                raise Disowned(f"Run {self.run_id} was deleted or is trained by another process.")
            yield db

    def is_mine(self) -> bool:
        """Return whether the run is still there and nobody else has taken it over."""
        with self._store.database.reading() as db:
            row = db.execute(
                "SELECT 1 FROM runs WHERE run_id = ? AND trainer = ?", (self.run_id, self.token)
            ).fetchone()
        return row is not None

    # Before and between trainings ----------------------------------------------------------------

    def set_data_digest(self, digest: str) -> None:
        """Write down which data the run must be trained on."""
        with self._writing() as db:
            db.execute("UPDATE runs SET data_digest = ? WHERE run_id = ?", (digest, self.run_id))

    def set_machine(self, machine: dict[str, Any]) -> None:
        """Write down in advance what of a machine the run is to use."""
        with self._writing() as db:
            db.execute(
                "UPDATE runs SET machine = ? WHERE run_id = ?", (json.dumps(machine), self.run_id)
            )

    def set_facts(
        self,
        *,
        data_digest: str,
        versions: dict[str, str],
        machine: dict[str, Any],
        steps_per_epoch: int,
        recipe: Recipe | None = None,
    ) -> None:
        """Write down what the run is computed from and with."""
        with self._writing() as db:
            db.execute(
                "UPDATE runs SET data_digest = ?, versions = ?, machine = ?, steps_per_epoch = ?, "
                "recipe = ? WHERE run_id = ?",
                (
                    data_digest,
                    json.dumps(versions),
                    json.dumps(machine),
                    steps_per_epoch,
                    recipe_as_text(recipe),
                    self.run_id,
                ),
            )

    # The queue, and what it is asked for ---------------------------------------------------------

    def enqueue(self) -> None:
        """Put the run at the end of the queue."""
        with self._writing() as db:
            db.execute(
                "UPDATE runs SET status = ?, queued = ? WHERE run_id = ?",
                (QUEUED, time.time(), self.run_id),
            )

    def claim_slot(self) -> bool:
        """Start the queued run if it is next and there is room; return whether it runs now."""
        if not self._is_next():
            return False  # nearly always: no need for the write lock
        with self._writing() as db:
            if not self._is_next():
                return False
            db.execute(
                "UPDATE runs SET status = ?, started = coalesce(started, ?) WHERE run_id = ?",
                (RUNNING, time.time(), self.run_id),
            )
            return True

    def _is_next(self) -> bool:
        n_running = sum(run.status == RUNNING for run in self._store.active_runs())
        return n_running < slots() and self._store.place_in_queue(self.run_id) == 1

    def has_commands(self) -> bool:
        """Return whether there are commands that nobody has taken yet."""
        return bool(self._new_commands())

    def take_commands(self) -> list[Command]:
        """Return the commands that nobody has taken yet, in order; `mark_taken` writes that down.

        It only reads: while the store cannot be written, commands are obeyed all the same, each
        once.
        """
        rows, now = self._new_commands(), time.time()
        self._taken |= {row["id"]: now for row in rows}
        return [Command(row["kind"], row["value"]) for row in rows]

    def _new_commands(self) -> list[sqlite3.Row]:
        with self._store.database.reading() as db:
            rows = db.execute(
                f"SELECT id, kind, value FROM {COMMAND_ROWS} WHERE run_id = ? AND handled IS NULL "
                "ORDER BY id",
                (self.run_id,),
            ).fetchall()
        return [row for row in rows if row["id"] not in self._taken]

    @property
    def has_unmarked(self) -> bool:
        """Whether there are commands that were taken and are not marked so."""
        return bool(self._taken)

    def mark_taken(self) -> None:
        """Write down which commands were taken, and when."""
        with self._writing() as db:
            db.executemany(
                "UPDATE commands SET handled = ? WHERE id = ?",
                [(at, number) for number, at in self._taken.items()],
            )
        self._taken = {}

    def set_status(self, status: str) -> None:
        """Switch between running and paused."""
        with self._writing() as db:
            db.execute("UPDATE runs SET status = ? WHERE run_id = ?", (status, self.run_id))

    # What comes out ------------------------------------------------------------------------------

    def record(
        self,
        progress: Progress | None,
        blocks: Sequence[StepBlock] = (),
        epochs: Sequence[tuple[EpochEnd, float]] = (),
        events: Sequence[Event] = (),
    ) -> None:
        """Write down a stretch of training in one transaction.

        Args:
            progress: Where it stands now; None before its training is ready.
            blocks: Step losses since the last time.
            epochs: Measured epochs since the last time, each with its seconds of training.
            events: What happened since the last time.
        """
        run_id = self.run_id
        with self._writing() as db:
            if progress is not None:
                db.execute(
                    "UPDATE runs SET epoch = ?, step = ?, seconds = ?, samples_per_second = ?, "
                    "learning_rate = ? WHERE run_id = ?",
                    (*progress, run_id),
                )
            db.executemany(
                "INSERT OR REPLACE INTO step_blocks VALUES (?, ?, ?, ?, ?)",
                [
                    (run_id, b.first_step, b.first_seconds, b.last_seconds, packed(b.losses))
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

    def rewind(self, *, epoch: int, step: int, seconds: float) -> float:
        """Take back all rows of the run that are of later than a step, to go on from there.

        Args:
            epoch: Complete epochs at that step; -1 for before the first measuring.
            step: The last step that counts.
            seconds: Training time until then, as the snapshot has it.

        Returns:
            Training time until then, as exactly as the rows know it.
        """
        run_id = self.run_id
        with self._writing() as db:
            db.execute(
                "DELETE FROM step_blocks WHERE run_id = ? AND first_step > ?", (run_id, step)
            )
            last = db.execute(
                f"SELECT {', '.join(StepBlock._fields)} FROM {STEP_BLOCKS} "
                "WHERE run_id = ? ORDER BY first_step DESC LIMIT 1",
                (run_id,),
            ).fetchall()
            for first_step, first_seconds, last_seconds, losses in blocks_from(last):
                kept = losses[: step - first_step + 1]
                # Times within a block are evenly spread, here as in `steps`.
                seconds = float(
                    np.linspace(first_seconds, last_seconds, len(losses))[len(kept) - 1]
                )
                db.execute(
                    "UPDATE step_blocks SET last_seconds = ?, losses = ? "
                    "WHERE run_id = ? AND first_step = ?",
                    (seconds, packed(kept), run_id, first_step),
                )
            for table in ("epochs", "layer_health"):
                db.execute(f"DELETE FROM {table} WHERE run_id = ? AND epoch > ?", (run_id, epoch))
            measured = db.execute(
                f"SELECT max(seconds) FROM {EPOCHS} WHERE run_id = ?", (run_id,)
            ).fetchone()[0]
            seconds = max(seconds, measured or 0.0)
            db.execute(
                "DELETE FROM events WHERE run_id = ? AND (step > ? OR kind = 'restored')",
                (run_id, step),
            )
            db.execute("DELETE FROM snapshots WHERE run_id = ? AND step > ?", (run_id, step))
            best = db.execute(
                f"SELECT epoch, validation_accuracy FROM {EPOCHS} WHERE run_id = ? AND epoch > 0 "
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

    def end(
        self,
        status: str,
        message: str = "",
        *,
        samples_per_second: float | None = None,
        test_loss: float | None = None,
        test_accuracy: float | None = None,
    ) -> None:
        """Close the run; its pace is now the average over the whole of it."""
        with self._writing() as db:
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
                    self.run_id,
                ),
            )
        self._store.withdraw(self.run_id)  # no trainer is going to take it

    # Snapshots -----------------------------------------------------------------------------------

    def add_snapshot(
        self, name: str, *, epoch: int, step: int, seconds: float, written: Path | None = None
    ) -> None:
        """Tell that there is a snapshot of this name.

        Args:
            name: Its name.
            epoch: Complete epochs then.
            step: Steps taken then.
            seconds: Training time until then.
            written: A file with its contents that takes its place now, in the transaction: else
                somebody who is not the owner any more could put it over the owner's. None if its
                file is there already.
        """
        with self._writing() as db:
            if written is not None:
                written.replace(self._store.folder(self.run_id) / f"{name}.npz")
            db.execute(
                "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?)",
                (self.run_id, name, epoch, step, seconds, time.time()),
            )

    def remove_snapshot_row(self, name: str) -> None:
        """Tell that a snapshot is going to be removed: nobody is sent to a file that is gone."""
        with self._writing() as db:
            db.execute("DELETE FROM snapshots WHERE run_id = ? AND name = ?", (self.run_id, name))
