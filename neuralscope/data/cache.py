"""The compact copy of a data set: its table in one `.npy` file that loads in a blink.

The file is mapped, not read: the check walks over it once where the operating system already
holds it, and the split copies each row to its place. So MNIST is there in well under 0.2 s and
never twice in memory. `.npy` is a header and raw bytes: nothing in it can be executed. Behind the
array, where readers of `.npy` do not look, stands its SHA-256: it tells later damage from what was
there at first, for data whose digest nobody has written down.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from neuralscope.data.contents import Contents, Table, digest_of
from neuralscope.errors import DataError
from neuralscope.files import Refused, open_regular, replacing


def read_table(path: Path, contents: Contents) -> Table | None:
    """Map and check the compact copy at `path`.

    Returns:
        The table, read-only, or None if there is no such file.

    Raises:
        DataError: The file is damaged or cannot be read.
    """
    try:
        with open_regular(path, sys.maxsize):  # no pipe, at which mapping would wait
            table: Table = np.asarray(np.lib.format.open_memmap(path, mode="r"))
        fault = contents.fault(table)
        if fault is None and not contents.digest and _kept_digest(path) != digest_of(table):
            fault = "it is not what was kept"
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Exception as error:  # there is no end to what damage makes NumPy's reader raise
        reason = "it is cut short or broken"
        if isinstance(error, Refused | OSError):
            reason = "it cannot be read"
        raise DataError(f"The kept copy of {contents.title} is unusable: {reason}.") from error
    if fault is not None:
        raise DataError(f"The kept copy of {contents.title} is damaged: {fault}.")
    return table


def write_table(path: Path, table: Table) -> None:
    """Write the compact copy so that at any moment `path` holds a whole one or none.

    Raises:
        OSError: The folder cannot be written or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Readable by others, as the umask says: a data home may be shared by a class.
    with replacing(path) as file:
        np.lib.format.write_array(file, np.ascontiguousarray(table), allow_pickle=False)
        file.write(bytes.fromhex(digest_of(table)))


def _kept_digest(path: Path) -> str:
    with open(path, "rb") as file:
        file.seek(-32, os.SEEK_END)
        return file.read().hex()


def looks_whole(path: Path, contents: Contents) -> bool:
    """Tell from the size of the file alone whether the compact copy is there."""
    n_values = contents.n_images * (contents.n_features + 1)
    try:
        return path.stat().st_size > n_values
    except OSError:
        return False
