"""The store's SQLite database: its schema, how it is opened, and what its errors mean.

Several processes share it: dashboards read and send commands, trainers write. Write-ahead logging
lets them, and here readers have connections of their own, which can do nothing but read: whoever
looks never waits for whoever writes. Writers wait for their turn for up to `PATIENCE` seconds.

What cannot be written can be looked at all the same: where SQLite cannot make the files beside the
database that it needs for a log, on a read-only disk or a full one, the database is read as one
that nobody changes, or, if there is a log, as a copy of both.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from neuralscope.errors import StoreBusy, StoreError, StoreFull
from neuralscope.runs.columns import is_sound_json, json_fault

FILE_NAME = "neuralscope.sqlite3"
APPLICATION_ID = 0x4E53_6370  # 'NScp': tells our databases from other people's
PATIENCE = 5.0

RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4,8}")
"""The form of a run's id, which is the name of its folder as well."""

_MOST_IDLE = 4
"""Connections for reading that are kept open for the next who asks."""

_LEAST_ROOM = 1 << 16
"""Bytes on the disk without which SQLite cannot begin a log."""

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
    """The database of a store, for all threads of a process."""

    def __init__(self, folder: Path) -> None:
        """Open the database in this folder; make both if they are not there.

        Raises:
            StoreError: The folder cannot be used, or the file in it is not ours.
        """
        self.path = folder / FILE_NAME
        self._is_closed = False
        self._pool_lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []  # for reading
        self._write_lock = threading.RLock()
        self._writer: sqlite3.Connection | None = None  # opened when there is something to write
        self._can_log = True
        self._copy: _Copy | None = None  # of a database that has a log but cannot be written
        self._make_file(folder)
        self._opened = self._identity()
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise
        _keep_private(folder)

    def _make_file(self, folder: Path) -> None:
        """Make the folder and an empty file in it, unless they are there."""
        try:
            if not self.path.is_file() or not self.path.stat().st_size:
                _refuse_runs_without_database(folder)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except OSError as error:
            raise StoreError(
                f"The run store {folder} cannot be made: {error.strerror or error}."
            ) from error

    def _prepare(self) -> None:
        """Bring an empty database, or one of an older version, to the schema of now."""
        with self.reading() as db:
            self._check_owner(db)
            if _version(db) == SCHEMA_VERSION:
                return
        with self.writing() as db:  # two processes may find it empty at once: look again, locked
            for added in _VERSIONS[_version(db) :]:
                for statement in added.split(";\n"):
                    db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _check_owner(self, db: sqlite3.Connection) -> None:
        # Only SQLite may look into the file: closing it after reading would take away the locks
        # that other connections of this process hold on it (POSIX), and ruin the database.
        if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            return
        owner = db.execute("PRAGMA application_id").fetchone()[0]
        if owner != APPLICATION_ID:
            raise StoreError(f"{self.path} is a database of another program; choose another store.")
        if _version(db) > SCHEMA_VERSION:
            raise StoreError(
                f"{self.path} was written by a newer NeuralScope; update this one to open it."
            )

    # Reading -------------------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection for queries, which nobody else has meanwhile."""
        with self._explained():
            self._check_place()
            with self._pool_lock:
                connection = self._idle.pop() if self._idle else None
            connection = connection or self._open_for_reading()
            is_sound = False
            try:
                yield connection
                is_sound = True
            finally:
                with self._pool_lock:
                    is_kept = (
                        is_sound
                        and self._can_log  # else the next one must look what has changed
                        and not self._is_closed
                        and len(self._idle) < _MOST_IDLE
                    )
                    if is_kept:
                        self._idle.append(connection)
                if not is_kept:
                    connection.close()

    def _open_for_reading(self) -> sqlite3.Connection:
        try:
            connection = _connect(self.path, "mode=ro")
        except sqlite3.Error as error:
            if not _is_one_of(error, _CANNOT_LOG):
                raise
            self._can_log = False
        else:
            self._can_log = True
            return connection
        log = self.path.with_name(f"{FILE_NAME}-wal")
        if not log.exists() or not log.stat().st_size:
            return _connect(self.path, "immutable=1")
        with self._pool_lock:
            if self._copy is None or not self._copy.is_current():
                self._copy = _Copy((self.path, log))
            return _connect(self._copy.path, "mode=ro")

    def _identity(self) -> tuple[int, ...]:
        """Return what tells the file from another one in its place; () if there is none."""
        try:
            status = self.path.stat()
        except OSError:
            return ()
        return status.st_dev, status.st_ino

    def is_in_place(self) -> bool:
        """Return whether the database is still the file that stands in the folder."""
        return bool(self._opened) and self._identity() == self._opened

    def is_replaced(self) -> bool:
        """Return whether another file stands in its place."""
        return self._identity() not in ((), self._opened)

    def _check_place(self) -> None:
        """Raise StoreError where the store was taken away: what is written to it would be lost."""
        if self._is_closed:
            raise StoreError(f"The run store {self.path.parent} is closed.")
        if self.is_replaced():
            raise StoreError(
                f"Another run store has taken the place of {self.path.parent} while it was open; "
                "open it anew."
            )
        if not self.is_in_place():
            raise StoreError(
                f"The run store {self.path.parent} is gone: it was removed or renamed while it was "
                "open. Put it back, or begin a new one by starting anew."
            )

    # Writing -------------------------------------------------------------------------------------

    @contextmanager
    def writing(self, patience: float | None = None) -> Iterator[sqlite3.Connection]:
        """Give the connection inside a transaction: all of it happens, or nothing.

        Args:
            patience: Seconds to wait for the turn; None for `PATIENCE`.

        Raises:
            StoreBusy: Others are writing all that time.
            StoreFull: There is no room left on the disk.
        """
        patience = PATIENCE if patience is None else patience
        deadline = time.monotonic() + patience
        if not self._write_lock.acquire(timeout=max(0.0, patience)):
            raise self._busy(patience)
        try:
            with self._explained(patience):
                self._check_place()
                if self._writer is None:
                    self._writer = self._open_for_writing(deadline)
                db = self._writer
                left = max(0.0, deadline - time.monotonic())
                db.execute(f"PRAGMA busy_timeout = {round(1000 * left)}")
                db.execute("BEGIN IMMEDIATE")
                try:
                    yield db
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:  # a full disk has rolled back already
                        db.execute("ROLLBACK")
                    raise
        finally:
            self._write_lock.release()

    def _open_for_writing(self, deadline: float) -> sqlite3.Connection:
        connection = _connect(self.path, "mode=rw")
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            # The one statement for which SQLite does not wait its turn by itself.
            while True:
                try:
                    connection.execute("PRAGMA journal_mode = WAL")
                    break
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                        raise
                    time.sleep(0.01)
            connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _explained(self, patience: float | None = None) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if _is_one_of(error, ("SQLITE_BUSY", "SQLITE_LOCKED")):
                raise self._busy(PATIENCE if patience is None else patience) from error
            if _is_one_of(error, ("SQLITE_FULL",)) or (
                _is_one_of(error, _CANNOT_LOG) and self._is_disk_full()
            ):
                raise StoreFull(
                    f"The run store {self.path.parent} failed: the disk is full."
                ) from error
            reasons = (reason for start, reason in _REASONS.items() if _is_one_of(error, (start,)))
            raise StoreError(
                f"The run store {self.path.parent} failed: {next(reasons, error)}."
            ) from error

    def _is_disk_full(self) -> bool:
        with suppress(OSError):
            return shutil.disk_usage(self.path.parent).free < _LEAST_ROOM
        return False

    def _busy(self, patience: float) -> StoreBusy:
        return StoreBusy(
            f"The run store {self.path.parent} failed: other programs kept it busy for "
            f"{patience:g} s."
        )

    def close(self) -> None:
        """Let go of the file."""
        with self._write_lock, self._pool_lock:
            self._is_closed = True
            # Whoever can write goes last, and tidies the log away.
            for connection in (*self._idle, self._writer):
                if connection is not None:
                    connection.close()
            self._idle, self._writer = [], None
            self._copy = None


class _Copy:
    """A copy of a database and its log, in a folder that goes when nobody needs it any more."""

    def __init__(self, originals: tuple[Path, Path]) -> None:
        """Copy both.

        Raises:
            StoreError: There is no room for them.
        """
        self._originals = originals
        self._state = self._state_now()
        try:
            self._folder = tempfile.TemporaryDirectory(prefix="neuralscope-")
            for original in originals:
                shutil.copy(original, self._folder.name)
        except OSError as error:
            raise StoreError(
                f"The run store {originals[0].parent} cannot be written, and its database not be "
                f"copied to be looked at elsewhere: {error.strerror or error}."
            ) from error
        self.path = Path(self._folder.name) / originals[0].name

    def _state_now(self) -> list[tuple[int, int]]:
        return [(each.stat().st_size, each.stat().st_mtime_ns) for each in self._originals]

    def is_current(self) -> bool:
        """Return whether nobody has changed the originals since."""
        return self._state_now() == self._state


def _connect(path: Path, how: str) -> sqlite3.Connection:
    """Return a connection that can be used."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}",
        uri=True,
        timeout=PATIENCE,
        isolation_level=None,
        check_same_thread=False,
    )
    # A damaged name must not hide the runs around it.
    connection.text_factory = lambda raw: raw.decode(errors="replace")
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    for function in (json_fault, is_sound_json):  # which `columns` asks for
        connection.create_function(function.__name__, -1, function, deterministic=True)
    connection.row_factory = sqlite3.Row
    return connection


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _refuse_runs_without_database(folder: Path) -> None:
    """Raise StoreError where folders of runs are left but the database is not: it is not empty."""
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        n_runs = sum(bool(RUN_ID.fullmatch(entry.name)) and entry.is_dir() for entry in entries)
    if n_runs:
        runs = "the folder of 1 run" if n_runs == 1 else f"the folders of {n_runs:,} runs"
        raise StoreError(
            f"The run store {folder} has {runs}, but its {FILE_NAME} is missing or empty. Put it "
            "back from a backup, or choose another store."
        )


def _keep_private(folder: Path) -> None:
    """Let nobody but its owner read what is in the store."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            is_database = entry.name.startswith(FILE_NAME)
            if is_database or RUN_ID.fullmatch(entry.name):
                mode = entry.stat(follow_symlinks=False).st_mode
                if mode & 0o077 and not entry.is_symlink():
                    with suppress(OSError):  # another user's, who may share it
                        os.chmod(entry.path, 0o600 if is_database else 0o700)


def _is_one_of(error: sqlite3.Error, starts: tuple[str, ...]) -> bool:
    """Return whether SQLite names one of these as the reason of an error."""
    return (getattr(error, "sqlite_errorname", "") or "").startswith(starts)


_CANNOT_LOG = ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_FULL", "SQLITE_IOERR")
"""What SQLite says where it cannot make the files beside the database that its log needs."""

_REASONS = {
    "SQLITE_READONLY": "it cannot be written",
    "SQLITE_CANTOPEN": "its database cannot be opened or written",
    "SQLITE_PERM": "it cannot be written",
    "SQLITE_NOTADB": f"its {FILE_NAME} is not a database; move it away or choose another store",
    "SQLITE_CORRUPT": "its database is damaged",
    "SQLITE_IOERR": "the disk reports an error",
}
