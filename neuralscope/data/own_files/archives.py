"""Packed files: gzip, and the arrays of an `.npz`, read under limits and never unpickled."""

from __future__ import annotations

import gzip
import io
from typing import IO, Any

from numpy.typing import NDArray

from neuralscope.data.own_files import limits
from neuralscope.data.own_files.limits import Unfit, megabytes, shown
from neuralscope.files import Archive, Arrays, Refused, parsing

MOST_ARRAYS = 64

_GZIP, _ZIP = b"\x1f\x8b", b"PK"
_AT_ONCE = 2**20


def is_archive(start: bytes) -> bool:
    """Return whether a file that begins like this is an archive, such as an `.npz`."""
    return start.startswith(_ZIP)


def unpacked(content: bytes) -> bytes:
    """Return the content of a file without its gzip compression, if it has one.

    Raises:
        Unfit: It unpacks to more than the limit.
        Refused: It is damaged.
    """
    if not content.startswith(_GZIP):
        return content
    inside = _gunzipped(io.BytesIO(content), limits.MOST_BYTES)
    if len(inside) > limits.MOST_BYTES:
        raise Unfit(f"it unpacks to more than {megabytes(limits.MOST_BYTES)}")
    if inside.startswith(_GZIP):
        raise Unfit("it is packed more than once")
    return inside


def unpacked_size(file: IO[bytes], most: int) -> int:
    """Return to how many bytes a file unpacks, or more than `most` where it is more.

    What is damaged so that it is refused before it is unpacked takes nothing.
    """
    start = file.read(len(_GZIP))
    file.seek(0)
    try:
        if start.startswith(_GZIP):
            inside = _gunzipped(file, most)
            return len(inside) if len(inside) > most else unpacked_size(io.BytesIO(inside), most)
        if is_archive(start):
            members = Archive(file, limits.MOST_BYTES, most_members=MOST_ARRAYS).members
            return sum(member.file_size for member in members.values())
    except Refused:
        return 0
    return len(file.read(most + 1))


def _gunzipped(file: IO[bytes], most: int) -> bytes:
    """Return what a file unpacks to, but hardly more than `most` bytes of it."""
    inside = io.BytesIO()  # which does not hold it twice, neither in portions nor at the end
    with parsing("its gzip compression is damaged or cut short"), gzip.GzipFile(fileobj=file) as gz:
        while inside.tell() <= most and (portion := gz.read(_AT_ONCE)):
            inside.write(portion)
    return inside.getvalue()


def read_npz(file: IO[bytes]) -> dict[str, NDArray[Any]]:
    """Return the arrays of an `.npz` by their keys.

    Raises:
        Unfit: They are not pictures and labels.
        Refused: It is damaged, or holds too much or pickled objects.
    """
    arrays = Arrays(file, limits.MOST_BYTES, most_arrays=MOST_ARRAYS)
    if not arrays.headers:
        raise Unfit("it is a ZIP file without arrays (.npy) in it")
    for key, header in arrays.headers.items():
        if header.dtype.kind not in "buifUS":
            raise Unfit(
                f"its array {shown(key)} holds neither numbers nor text ({header.dtype})"[:200]
            )
    return arrays.read_all()
