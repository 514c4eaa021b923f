"""The store and its runs, as they are named in arguments."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from neuralscope.cli.status import Mistake
from neuralscope.errors import RunNotFound, RunUnreadable, quoted

if TYPE_CHECKING:
    from neuralscope.runs import Run, Store
    from neuralscope.runs.records import UnreadableRun


@contextlib.contextmanager
def existing_store(options: argparse.Namespace) -> Iterator[tuple[Store | None, Path]]:
    """Open the store, or give None if there is none: looking must not make one."""
    from neuralscope.runs import Store, default_path

    path = Path(options.store) if options.store else default_path()
    if not path.exists() or (path.is_dir() and not _holds_anything(path)):
        yield None, path
    else:
        with Store(path) as store:
            yield store, path


def _holds_anything(folder: Path) -> bool:
    """Return whether there is a database, or runs without theirs, which opening tells."""
    from neuralscope.runs.database import FILE_NAME, RUN_ID

    try:
        return any(e.name == FILE_NAME or RUN_ID.fullmatch(e.name) for e in folder.iterdir())
    except OSError:
        return True  # opening it says why it cannot be looked into


@contextlib.contextmanager
def store_with(run_id: str, options: argparse.Namespace) -> Iterator[Store]:
    """Open the store in which a run should be. Raises RunNotFound if there is no store."""
    with existing_store(options) as (store, path):
        if store is None:
            raise RunNotFound(f"There is no run {quoted(run_id)} in the store {path}.")
        yield store


def find_unreadable(store: Store, given: str) -> UnreadableRun | None:
    """Return the run with this id, or of this name in `runs list`, if it cannot be read."""
    runs = store.unreadable(most=1_000_000).runs
    return next((run for run in runs if run.run_id == given), None)


def find_run(store: Store, given: str) -> Run:
    """Return the one run whose id begins like this. Raises RunNotFound or Mistake."""
    runs = [run for run in store.runs() if given and run.run_id.startswith(given)]
    runs = [run for run in runs if run.run_id == given] or runs
    if len(runs) > 1:
        raise Mistake(f"{len(runs)} runs begin with {given!r}; give more of the id.")
    if not runs:
        if unreadable := find_unreadable(store, given):
            raise RunUnreadable(f"Run {unreadable.run_id} cannot be read: {unreadable.reason}.")
        raise RunNotFound(f"There is no run {quoted(given)} in the store {store.path}.")
    return runs[0]
