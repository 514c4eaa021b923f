"""The compact copy of a data set: its table in one `.npy` file that loads in a blink.

The file is mapped, not read: the check walks over it once where the operating system already
holds it, and the split copies each row to its place. So MNIST is there in well under 0.2 s and
never twice in memory. `.npy` is a header and raw bytes: nothing in it can be executed. Behind the
array, where readers of `.npy` do not look, stands its SHA-256: it tells later damage from what was
there at first, for data whose digest nobody has written down.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

import numpy as np

from neuralscope.data.contents import Contents, Table, digest_of
from neuralscope.errors import DataError


def read_table(path: Path, contents: Contents) -> Table | None:
    """Map and check the compact copy at `path`.

    Returns:
        The table, read-only, or None if there is no such file.

    Raises:
        DataError: The file is damaged or cannot be read.
    """
    try:
        table: Table = np.asarray(np.lib.format.open_memmap(path, mode="r"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, EOFError) as error:
        # ValueError covers a wrong header, a truncated file and Python objects alike.
        reason = "it cannot be read" if isinstance(error, OSError) else "it is cut short or broken"
        raise DataError(f"The kept copy of {contents.title} is unusable: {reason}.") from error
    fault = contents.fault(table)
    if fault is None and not contents.digest and _kept_digest(path) != digest_of(table):
        fault = "it is not what was kept"
    if fault is not None:
        raise DataError(f"The kept copy of {contents.title} is damaged: {fault}.")
    return table


def write_table(path: Path, table: Table) -> None:
    """Write the compact copy so that at any moment `path` holds a whole one or none.

    Raises:
        OSError: The folder cannot be written or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not `tempfile`: its files are private, and a data home may be shared by a class.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            np.lib.format.write_array(file, np.ascontiguousarray(table), allow_pickle=False)
            file.write(bytes.fromhex(digest_of(table)))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


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
