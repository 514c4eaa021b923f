"""Packed files: gzip, and the arrays of an `.npz`, read under limits and never unpickled."""

from __future__ import annotations

import gzip
import io
import math
import struct
import zipfile
import zlib
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from neuralscope.data.own_files import limits
from neuralscope.data.own_files.limits import Unfit, megabytes, shown

_MOST_DIRECTORY = 2**20


def unpacked(content: bytes) -> bytes:
    """Return the content of a file without its gzip compression, if it has one."""
    return _gunzipped(content) if content[:2] == b"\x1f\x8b" else content


def _gunzipped(content: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            unpacked = file.read(limits.MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise Unfit("its gzip compression is damaged or cut short") from error
    if len(unpacked) > limits.MOST_BYTES:
        raise Unfit(f"it unpacks to more than {megabytes(limits.MOST_BYTES)}")
    if unpacked[:2] == b"\x1f\x8b":
        raise Unfit("it is packed more than once")
    return unpacked


def read_npz(content: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays of an `.npz` by their keys."""
    _check_directory(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [each for each in archive.infolist() if each.filename.endswith(".npy")]
            if not members:
                raise Unfit("it is a ZIP file without arrays (.npy) in it")
            if len(members) > 64:
                raise Unfit(f"it holds {len(members)} arrays, far more than images and labels")
            left = limits.MOST_BYTES
            arrays = {}
            for member in members:
                with archive.open(member) as file:
                    values = _npy(cast("io.BufferedIOBase", file), member.filename, left)
                left -= values.nbytes
                arrays[member.filename.removesuffix(".npy")] = values
            return arrays
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, struct.error) as error:
        raise Unfit("it is damaged or cut short") from error
    except (NotImplementedError, RuntimeError, UnicodeDecodeError) as error:
        raise Unfit("it is packed or locked in a way that .npz files are not") from error


def _check_directory(content: bytes) -> None:
    """Refuse an archive whose list of files alone would fill the memory."""
    end = content.rfind(b"PK\x05\x06", max(0, len(content) - 65_557))
    if end < 0 or end + 22 > len(content):
        raise Unfit("it is damaged or cut short")
    (size,) = struct.unpack_from("<I", content, end + 12)
    if size > _MOST_DIRECTORY or content[max(0, end - 20) : end][:4] == b"PK\x06\x07":
        raise Unfit("it holds far more files than images and labels")


def _npy(file: io.BufferedIOBase, name: str, most: int) -> NDArray[Any]:
    """Read one array, but not before its header says that it is harmless and small enough."""
    key = shown(name.removesuffix(".npy"))
    try:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise Unfit(f"its array {key} is of an unknown kind")
        read = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
        shape, is_fortran, dtype = read(file)
    except Unfit:
        raise
    except ValueError as error:
        raise Unfit(f"its array {key} is damaged or no array") from error
    if dtype.hasobject:
        raise Unfit(
            f"its array {key} holds Python objects (pickles), which are never loaded; save it as "
            "plain numbers or text"
        )
    if dtype.kind not in "buifUS":
        raise Unfit(f"its array {key} holds neither numbers nor text ({dtype})"[:200])
    n_values = math.prod(shape)
    if len(shape) > 8 or n_values < 0 or dtype.itemsize < 1 or any(n < 0 for n in shape):
        raise Unfit(f"its array {key} is damaged or no array")
    if n_values * dtype.itemsize > most:
        raise Unfit(f"it unpacks to more than {megabytes(limits.MOST_BYTES)}")
    data = file.read(n_values * dtype.itemsize)
    if len(data) != n_values * dtype.itemsize or file.read(1):
        raise Unfit(f"its array {key} is damaged or cut short")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if is_fortran else "C")
