"""The run store: everything that is kept of every run, in one folder.

    runs/
      neuralscope.sqlite3         runs, epochs, steps, events, commands (see `database`)
      20261123-101502-3fa9/       one folder a run
        epoch-00012.npz           snapshots (see `snapshots`)
        trainer.log               what a trainer that the dashboard started printed (`last_words`)
        trainer.lock              held while a process trains the run (see `life`)

A trainer and the dashboards that watch it share nothing but this. The dashboard speaks to the
trainer by command rows; the trainer answers by events.

A trainer proves that it is alive by a lock on a file in the run's folder (see `life`), not by a
clock. Nobody has to notice a death and write it down: a run that should be active but whose lock
nobody holds *is* interrupted, for whoever looks. The column `heartbeat` is of versions before that
and means nothing any more.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from neuralscope.errors import ConfigError, RunUnreadable, StoreError, StoreFull
from neuralscope.runs import last_words, life
from neuralscope.runs.config import SETTINGS, RunConfig
from neuralscope.runs.machine import usable_cores
from neuralscope.runs.names import describe, redescribe
from neuralscope.runs.reading import Reading
from neuralscope.runs.records import (
    ENDED,
    LONGEST_NAME,
    LONGEST_NOTES,
    LONGEST_TAG,
    MOST_TAGS,
    QUEUED,
    Parent,
)
from neuralscope.runs.rows import key_of

_ROW = re.compile(r"row-([0-9]{1,18})")
"""What a run without an id is called, by the number of its row."""


def default_path() -> Path:
    """Return the store's folder where none is named: NEURALSCOPE_STORE, else `runs`."""
    return Path(os.environ.get("NEURALSCOPE_STORE") or "runs")


def slots() -> int:
    """Return how many runs may train at once here: one for each two cores."""
    return max(1, usable_cores() // 2)


class Store(Reading):
    """A folder of runs. One object may be shared by all threads of a process."""

    def __init__(self, path: str | Path | None = None) -> None:
        """Open the store, and make it if it is not there.

        Args:
            path: Its folder; None for `default_path()`.

        Raises:
            StoreError: The folder cannot be used.
        """
        super().__init__(Path(path) if path is not None else default_path())
        self._promised: set[str] = set()

    def close(self) -> None:
        """Let go of the database, and of runs that were queued here and not taken up."""
        for run_id in self._promised:
            self.withdraw(run_id)
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

        This process holds it (see `life`) until a trainer takes it, or the store is closed.

        Args:
            config: What it trains.
            name: Its name for people; a description of the configuration if empty.
            parent: The run it is made from.
            race: The race it takes part in.
            origin: Where it is imported from, in a sentence.

        Raises:
            StoreError: The name is too long, the store cannot be written, or its disk knows no
                locks.
        """
        now = time.time()
        name = _as_text("name", name, LONGEST_NAME)
        while True:
            run_id = time.strftime("%Y%m%d-%H%M%S-", time.localtime(now)) + secrets.token_hex(2)
            with ExitStack() as undo:
                with self.database.writing() as db:
                    inserted = db.execute(
                        "INSERT OR IGNORE INTO runs (run_id, name, config, status, created, "
                        "queued, heartbeat, parent_id, parent_epoch, parent_step, race, origin) "
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
                        undo.callback(shutil.rmtree, self.folder(run_id), ignore_errors=True)
                        self._promise(run_id, undo)
                undo.pop_all()
            if inserted.rowcount:
                return run_id

    def _promise(self, run_id: str, undo: ExitStack) -> None:
        """Hold a run, until it is known that its row could not be written."""
        life.promise(self.folder(run_id))
        self._promised.add(run_id)
        last_words.remove(self.folder(run_id))
        undo.callback(self.withdraw, run_id)

    def withdraw(self, run_id: str) -> None:
        """Let go of a run that was queued here, unless a trainer has taken it."""
        life.withdraw(self.folder(run_id))

    def inherit(self, run_id: str, descriptor: int) -> None:
        """Hold a run by the lock that this process was started with.

        Raises:
            RunNotFound: The id has not the form of one.
            StoreError: The descriptor is not of that lock.
        """
        life.inherit(self.folder(run_id), descriptor)
        self._promised.add(run_id)

    @contextmanager
    def holding(self, run_id: str) -> Iterator[None]:
        """Hold a run for its trainer while this context lasts.

        Raises:
            StoreError: Another trainer holds it, or it cannot be held.
        """
        held = life.take(self.folder(run_id))
        try:
            yield
        finally:
            held.release()

    def delete(self, run_id: str) -> None:
        """Remove a run that is not active, with all that belongs to it.

        One that cannot be read goes as well, by what `unreadable` calls it.

        Raises:
            RunNotFound: There is none with this id.
            StoreError: It is still active.
            StoreFull: There is no room to note that it is gone; its folder is.
        """
        with suppress(RunUnreadable):
            if not _ROW.fullmatch(run_id):
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
                # A trainer of a version that had no locks must not go on unseen.
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
                    raise self.not_found(run_id)

    def purge(self, run_ids: Iterable[str]) -> None:
        """Really remove runs, in the trash or not, with all that belongs to them.

        Args:
            run_ids: Their ids; of those without one, what `unreadable` calls them.

        Raises:
            StoreError: One of them is still active; those before it are gone.
            StoreFull: There is no room to note that one is gone; its folder is.
        """
        for run_id in run_ids:
            if row := _ROW.fullmatch(run_id):
                self._remove_row(int(row[1]))
                continue
            folder = self.folder(run_id)
            try:
                self._remove(run_id)
            except StoreFull:
                # SQLite writes down what is gone before it is gone: the files make room for that.
                if not folder.is_dir():
                    raise
                self._refuse_if_alive(run_id)
                _remove_folder(folder)
                self._remove(run_id)
            _remove_folder(folder)

    def _remove(self, run_id: str) -> None:
        with self.database.writing() as db:
            self._refuse_if_alive(run_id)
            db.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))

    def _refuse_if_alive(self, run_id: str) -> None:
        with self.database.reading() as db:
            row = db.execute("SELECT status FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if row is not None and row["status"] not in ENDED and self.is_held(run_id):
            raise StoreError(f"Run {run_id} is still active; stop it first.")

    def _remove_row(self, number: int) -> None:
        """Remove a row of `runs` whose run has no id, and so neither a folder nor a trainer."""
        with self.database.writing() as db:
            row = db.execute("SELECT run_id FROM runs WHERE rowid = ?", (number,)).fetchone()
            if row is None or key_of(row["run_id"], number) != f"row-{number}":
                raise self.not_found(f"row-{number}")
            db.execute("DELETE FROM runs WHERE rowid = ?", (number,))

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
        with ExitStack() as undo:
            with self.database.writing() as db:
                run = self.run(run_id)
                if run.is_active:
                    raise StoreError(f"Run {run_id} is {run.status} already.")
                self._promise(run_id, undo)
                # No trainer yet: what was asked of the former one is void, what is asked from now
                # on is for the next.
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
            undo.pop_all()


def _remove_folder(folder: Path) -> None:
    """Remove a run's folder, or whatever stands in its place, as far as that can be done."""
    with suppress(OSError):
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)
        else:  # rmtree would wait for somebody to write into a pipe
            folder.unlink()


def _as_text(what: str, text: str, longest: int) -> str:
    """Return any text as the database can keep it; raise StoreError if it is too long."""
    if len(text) > longest:
        raise StoreError(
            f"This {what} has {len(text):,} characters; it may have up to {longest:,}."
        )
    return text.encode(errors="replace").decode()  # what a terminal passes on need not be text
