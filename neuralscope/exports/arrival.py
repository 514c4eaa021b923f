"""Import: a file from elsewhere becomes a run of this store, whole or not at all.

What the file is shows in what it holds: a run file has a `run.json`, a weights file a `weight_0`.
Snapshots are written to a hidden folder of the store first, which becomes the run's at the moment
in which its row appears.
"""

from __future__ import annotations

import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from neuralscope.data import Dataset, dataset_info, is_cached, load_dataset
from neuralscope.errors import DataUnavailable, NeuralScopeError, RunNotFound, TransferError
from neuralscope.exports.bare_weights import run_of_weights
from neuralscope.exports.run_file import RUN, RunFile, open_archive
from neuralscope.files import Archive, Refused
from neuralscope.runs import Store
from neuralscope.runs.detached import attach

LoadDataset = Callable[[str], Dataset]

HIDDEN = ".import-"
"""How the name of a hidden folder begins."""

_one_at_a_time = threading.Lock()
"""What a file may take is bounded; so that of many stays bounded too."""

LONGEST_IMPORT = 3600.0
"""Seconds after which nobody works in such a folder any more."""


def dataset_at_hand(name: str) -> Dataset:
    """Return a data set that is here; nothing is fetched.

    Raises:
        DataUnavailable: It is not.
    """
    if not is_cached(name):
        raise DataUnavailable(f"{dataset_info(name).title} is not here; load it first.")
    return load_dataset(name)


def import_file(
    store: Store,
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    load: LoadDataset = dataset_at_hand,
) -> str:
    """Add the run of a run file, or a finished run made of a bare weights file.

    A run whose id the store knows already comes in under a new id: nothing is replaced.

    Args:
        store: Where it goes.
        path: The file; it is only read.
        name: What the file is called in messages and in the run; else the path's name.
        load: Loads the data set by which a weights file is measured.

    Returns:
        The id of the run.

    Raises:
        DataUnavailable: A weights file is of a data set that cannot be had right now.
        StoreError: The store cannot be written.
        TransferError: The file is not one that can be imported; nothing of it is in the store.
    """
    path = Path(path)
    shown = _printable(name or path.name)
    try:
        with _one_at_a_time, open_archive(path) as (archive, size):
            if _is_run_file(archive):
                return _import_run(store, RunFile(archive, size), shown)
            return _import_weights(store, path, shown, load)
    except Refused as refused:
        raise TransferError(f"{shown} cannot be imported: {refused}.") from refused
    except OSError as error:
        raise TransferError(
            f"{shown} cannot be imported: {error.strerror or 'it cannot be read'}."
        ) from error


def _is_run_file(archive: Archive) -> bool:
    """Look at the file's list of members. Raises Refused if it is of no kind that we know."""
    if RUN not in archive.members and "weight_0.npy" not in archive.members:
        raise Refused("it is neither a run file nor a weights file")
    return RUN in archive.members


def _import_run(store: Store, file: RunFile, shown: str) -> str:
    with _folder_in(store) as folder:
        detached = file.detached()
        file.write_snapshots(detached, folder)
        run = detached.run
        came = f"Imported from {shown} on {_today()}, where it was run {run.run_id}."
        if run.parent_id is not None and not _has(store, run.parent_id):
            run = replace(run, parent_id=None, parent_epoch=None, parent_step=None)
        return attach(store, replace(detached, run=replace(run, origin=came)), folder)


def _import_weights(store: Store, path: Path, shown: str, load: LoadDataset) -> str:
    with _folder_in(store) as folder:
        try:
            detached = run_of_weights(path, shown, folder, load)
        except NeuralScopeError as error:
            if isinstance(error, DataUnavailable):
                raise
            reason = str(error).replace(str(path), shown)
            raise TransferError(reason) from error
        came = f"Imported from the weights file {shown} on {_today()}."
        return attach(store, replace(detached, run=replace(detached.run, origin=came)), folder)


@contextmanager
def _folder_in(store: Store) -> Iterator[Path]:
    """Make a hidden folder in the store; whatever is left of it in the end goes.

    So does what others left that were killed before they came to their end.
    """
    for left in store.path.glob(f"{HIDDEN}*"):
        with suppress(OSError):  # another import may be faster
            if time.time() - left.stat().st_mtime > LONGEST_IMPORT:
                shutil.rmtree(left)
    folder = store.path / f"{HIDDEN}{secrets.token_hex(8)}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _has(store: Store, run_id: str) -> bool:
    try:
        store.run(run_id)
    except RunNotFound:
        return False
    return True


def _today() -> str:
    return time.strftime("%Y-%m-%d")


def _printable(name: str) -> str:
    name = "".join(c if c.isprintable() else " " for c in name.encode(errors="replace").decode())
    return name if len(name) <= 100 else name[:97] + "..."
