"""The store's SQLite database: its schema, how it is opened, and what its errors mean.

Several processes share it: dashboards read and send commands, trainers write. Write-ahead logging
lets them; each transaction waits its turn for up to `PATIENCE` seconds.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neuralscope.errors import StoreBusy, StoreError, StoreFull

FILE_NAME = "neuralscope.sqlite3"
APPLICATION_ID = 0x4E53_6370  # 'NScp': tells our databases from other people's
PATIENCE = 20.0

_VERSION_1 = """
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    config TEXT NOT NULL,               -- JSON, the fields of RunConfig
    status TEXT NOT NULL,
    message TEXT NOT NULL DEFAULT '',   -- why it failed or was interrupted
    created REAL NOT NULL,              -- all times: seconds since 1970
    queued REAL NOT NULL,
    started REAL,
    ended REAL,
    heartbeat REAL NOT NULL,
    trainer TEXT NOT NULL DEFAULT '',   -- which process may write: the one that claimed it last
    data_digest TEXT NOT NULL DEFAULT '',
    versions TEXT NOT NULL DEFAULT '{}',
    machine TEXT NOT NULL DEFAULT '{}',
    steps_per_epoch INTEGER NOT NULL DEFAULT 0,
    epoch INTEGER NOT NULL DEFAULT 0,
    step INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,    -- spent training and measuring, pauses left out
    samples_per_second REAL,
    learning_rate REAL,
    best_epoch INTEGER,
    best_validation_accuracy REAL,
    test_loss REAL,
    test_accuracy REAL
);
CREATE INDEX runs_by_time ON runs (created);
CREATE INDEX runs_by_status ON runs (status);

CREATE TABLE epochs (
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    epoch INTEGER NOT NULL,
    step INTEGER NOT NULL,
    seconds REAL NOT NULL,
    train_loss REAL NOT NULL,
    train_accuracy REAL NOT NULL,
    validation_loss REAL NOT NULL,
    validation_accuracy REAL NOT NULL,
    learning_rate REAL NOT NULL,
    PRIMARY KEY (run_id, epoch)
) WITHOUT ROWID;

CREATE TABLE step_blocks (              -- the loss of every single step, a stretch a row
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    first_step INTEGER NOT NULL,
    first_seconds REAL NOT NULL,
    last_seconds REAL NOT NULL,
    losses BLOB NOT NULL,               -- little-endian float32
    PRIMARY KEY (run_id, first_step)
) WITHOUT ROWID;

CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    step INTEGER NOT NULL,
    seconds REAL NOT NULL
);
CREATE INDEX events_by_run ON events (run_id);

CREATE TABLE commands (
    id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    value REAL,
    handled REAL
);
CREATE INDEX commands_by_run ON commands (run_id, handled);

CREATE TABLE snapshots (
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    name TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    step INTEGER NOT NULL,
    seconds REAL NOT NULL,
    written REAL NOT NULL,
    PRIMARY KEY (run_id, name)
) WITHOUT ROWID;
"""

_VERSION_2 = """
CREATE TABLE layer_health (             -- of each epoch; those of version 1 have none
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    epoch INTEGER NOT NULL,
    layer INTEGER NOT NULL,             -- from 0, the output layer last
    gradient_norm REAL NOT NULL,
    weight_norm REAL NOT NULL,
    update_ratio REAL NOT NULL,
    dead REAL NOT NULL,
    saturated REAL NOT NULL,
    PRIMARY KEY (run_id, epoch, layer)
) WITHOUT ROWID;
"""

_VERSION_3 = """
-- tags: JSON. trashed: when it was thrown away. parent_id: may be of a run that is gone.
-- origin: where it was imported from. rewinds: how often rows were taken back, to go on from before
ALTER TABLE runs ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
ALTER TABLE runs ADD COLUMN notes TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN starred INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN archived INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN trashed REAL;
ALTER TABLE runs ADD COLUMN parent_id TEXT;
ALTER TABLE runs ADD COLUMN parent_epoch INTEGER;
ALTER TABLE runs ADD COLUMN parent_step INTEGER;
ALTER TABLE runs ADD COLUMN race TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN origin TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN rewinds INTEGER NOT NULL DEFAULT 0;
CREATE INDEX runs_by_parent ON runs (parent_id);
CREATE INDEX runs_by_race ON runs (race) WHERE race != '';
CREATE INDEX runs_by_trash ON runs (trashed) WHERE trashed IS NOT NULL;
"""

_VERSION_4 = """
-- JSON: how drawings become pictures like those of the data set (`data.recipe`); empty if unknown
ALTER TABLE runs ADD COLUMN recipe TEXT NOT NULL DEFAULT '';
"""

_VERSIONS = (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4)
"""What each version of the schema adds to the one before: a new store takes them all in turn, an
old one those that it lacks. Tables that trainers write only gain columns with a default, for a
trainer that was started before may still be at work."""

SCHEMA_VERSION = len(_VERSIONS)


class Database:
    """One connection, shared by the threads of a process, one transaction at a time."""

    def __init__(self, folder: Path) -> None:
        """Open the database in this folder; make both if they are not there.

        Raises:
            StoreError: The folder cannot be used, or the file in it is not ours.
        """
        self.path = folder / FILE_NAME
        self._lock = threading.RLock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"The run store {folder} cannot be made: {error.strerror or error}."
            ) from error
        with self._explained():
            self._connection = sqlite3.connect(
                self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
        try:
            with self._explained():
                self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        connection = self._connection
        connection.row_factory = sqlite3.Row
        # A damaged name must not hide the runs around it.
        connection.text_factory = lambda raw: raw.decode(errors="replace")
        connection.execute("PRAGMA foreign_keys = ON")
        self._check_owner()
        self._log_ahead()
        connection.execute("PRAGMA synchronous = NORMAL")
        with self.writing():  # two processes may find it empty at once: look again with the lock
            if self._version() < SCHEMA_VERSION:
                for added in _VERSIONS[self._version() :]:
                    for statement in added.split(";\n"):
                        connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _log_ahead(self) -> None:
        # The one statement for which SQLite does not wait its turn by itself.
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _check_owner(self) -> None:
        # Only SQLite may look into the file: closing it after reading would take away the locks
        # that other connections of this process hold on it (POSIX), and ruin the database.
        n_tables = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if n_tables == 0:
            return
        owner = self._connection.execute("PRAGMA application_id").fetchone()[0]
        if owner != APPLICATION_ID:
            raise StoreError(f"{self.path} is a database of another program; choose another store.")
        if self._version() > SCHEMA_VERSION:
            raise StoreError(
                f"{self.path} was written by a newer NeuralScope; update this one to open it."
            )

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for queries."""
        with self._lock, self._explained():
            yield self._connection

    @contextmanager
    def writing(self, patience: float | None = None) -> Iterator[sqlite3.Connection]:
        """Give the connection inside a transaction: all of it happens, or nothing.

        Args:
            patience: Seconds to wait for other programs that write; None for `PATIENCE`.

        Raises:
            StoreBusy: The store could not be had within that time.
            StoreFull: The disk is full.
        """
        seconds = PATIENCE if patience is None else patience
        with self._lock, self._explained():
            self._connection.execute(f"PRAGMA busy_timeout = {round(1000 * seconds)}")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk has rolled back already
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorname", "") or ""
            kind = {"SQLITE_BUSY": StoreBusy, "SQLITE_FULL": StoreFull}.get(code, StoreError)
            raise kind(f"The run store {self.path.parent} failed: {_reason(error)}.") from error

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()


def _reason(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorname", "") or ""
    for start, reason in _REASONS.items():
        if code.startswith(start):
            return reason
    return str(error)


_REASONS = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "it cannot be written",
    "SQLITE_CANTOPEN": "its database cannot be opened or written",
    "SQLITE_PERM": "it cannot be written",
    "SQLITE_NOTADB": f"its {FILE_NAME} is not a database; move it away or choose another store",
    "SQLITE_CORRUPT": "its database is damaged",
    "SQLITE_BUSY": "other programs kept it busy",
    "SQLITE_IOERR": "the disk reports an error",
}
