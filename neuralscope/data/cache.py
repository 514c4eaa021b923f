"""The compact copy of a data set: its table in one `.npy` file that loads in a blink.

The file is mapped, not read: the check walks over it once where the operating system already
holds it, and the split copies each row to its place. So MNIST is there in well under 0.2 s and
never twice in memory. `.npy` is a header and raw bytes: nothing in it can be executed. Behind the
array, where readers of `.npy` do not look, stands its SHA-256: it tells later damage from what was
there at first, for data whose digest nobody has written down.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from neuralscope.data.contents import Contents, Table, digest_of
from neuralscope.errors import DataError
from neuralscope.files import Refused, open_regular, parsing, read_header, replacing

_DIGEST_BYTES = 32
_MOST_HEADER_BYTES = 4096


def read_table(path: Path, contents: Contents) -> Table | None:
    """Map and check the compact copy at `path`.

    Returns:
        The table, read-only, or None if there is no such file.

    Raises:
        DataError: The file is damaged or cannot be read.
    """
    n_values = contents.n_images * (contents.n_features + 1)
    try:
        with open_regular(path, n_values + _MOST_HEADER_BYTES) as file, parsing():
            size = os.fstat(file.fileno()).st_size
            header = read_header(file, size, tail=_DIGEST_BYTES)
            table: Table = np.asarray(
                np.memmap(
                    file,
                    header.dtype,
                    "r",
                    header.begin,
                    header.shape,
                    "F" if header.is_fortran else "C",
                )
            )
            file.seek(-_DIGEST_BYTES, os.SEEK_END)
            digest = file.read().hex()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Refused as refused:
        raise DataError(f"The kept copy of {contents.title} is unusable: {refused}.") from refused
    except OSError as error:
        raise DataError(
            f"The kept copy of {contents.title} is unusable: it cannot be read."
        ) from error
    fault = contents.fault(table)
    if fault is None and not contents.digest and digest != digest_of(table):
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
    # Readable by others, as the umask says: a data home may be shared by a class.
    with replacing(path) as file:
        np.lib.format.write_array(file, np.ascontiguousarray(table), allow_pickle=False)
        file.write(bytes.fromhex(digest_of(table)))


def looks_whole(path: Path, contents: Contents) -> bool:
    """Tell from the size of the file alone whether the compact copy is there."""
    n_values = contents.n_images * (contents.n_features + 1)
    try:
        return path.stat().st_size > n_values
    except OSError:
        return False
