"""The one place where files from elsewhere are opened, and where ours are written.

Opening: only regular files, and none larger than the caller says. A pipe, a device or a folder is
refused before anything is read, so nothing hangs and nothing goes on forever.

Archives: nothing is unpickled, and nothing is believed. The list of members is read under a limit;
the header of an array is checked before there is memory for its values; the values must be as many
bytes as the header says, and all arrays of a file together no more than the caller allows. The
compression ratio does not matter, the size does.

Writing: under a temporary name in the same folder, then renamed. The file is whole, or the old one.

    with open_regular(path, most_bytes) as file:
        arrays = Arrays(file, most_bytes)
        arrays.headers["x"].shape           # known for all before any is read
        arrays.read("x")

What is refused raises Refused, whose text is a clause for people; each caller makes its own error
of it. OSError stays for what the operating system refuses: no such file, no permission.
"""

from __future__ import annotations

import ast
import contextlib
import io
import math
import os
import secrets
import stat
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from neuralscope.errors import quoted

FilePath = str | os.PathLike[str]

MOST_DIRECTORY_BYTES = 1 << 20
"""Of an archive's list of members, which is read at once."""

_AT_ONCE = 1 << 20
_MOST_HEADER_BYTES = 10_000
_MOST_DIMENSIONS = 8


class Refused(ValueError):
    """A file is not used; the text is the reason, as a clause that follows 'because'."""


# Opening -----------------------------------------------------------------------------------------


def open_regular(path: FilePath, most_bytes: int) -> BinaryIO:
    """Open a file for reading, if it is a regular one of at most `most_bytes`.

    Raises:
        OSError: There is no such file, or it may not be read.
        Refused: It is something else than a file, or too large.
    """
    _check_regular(os.stat(path))  # opening alone has effects on some devices
    # Somebody may put a pipe there in between; opening one must not wait for its other end.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    file = os.fdopen(os.open(path, flags | getattr(os, "O_NOCTTY", 0)), "rb")
    try:
        found = os.fstat(file.fileno())
        _check_regular(found)
        if found.st_size > most_bytes:
            raise Refused(f"it is larger than {in_units(most_bytes)}")
    except BaseException:
        file.close()
        raise
    return file


def read_regular(path: FilePath, most_bytes: int) -> bytes:
    """Return the content of a file.

    Raises:
        OSError: There is no such file, or it cannot be read.
        Refused: It is something else than a file, or too large.
    """
    with open_regular(path, most_bytes) as file:
        content = file.read(most_bytes + 1)  # it may grow while it is read
    if len(content) > most_bytes:
        raise Refused(f"it is larger than {in_units(most_bytes)}")
    return content


def _check_regular(found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise Refused("it is a folder, not a file")
    if not stat.S_ISREG(found.st_mode):
        raise Refused("it is a pipe or a device, not a file")


def in_units(n_bytes: int) -> str:
    """Return a number of bytes for people.

    >>> in_units(3 << 29), in_units(512 << 20), in_units(64 << 10), in_units(12)
    ('1.5 GB', '512 MB', '64 kB', '12 bytes')
    """
    for size, unit in ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB")):
        if n_bytes >= size:
            return f"{math.floor(10 * n_bytes / size) / 10:g} {unit}"
    return f"{n_bytes} bytes"


# Archives ----------------------------------------------------------------------------------------


@contextmanager
def parsing(reason: str = "it is damaged or cut short") -> Iterator[None]:
    """Refuse a file for whatever a parser raises over it: there is no end to what damage does.

    Args:
        reason: Why it is refused where the parser says nothing that helps.
    """
    try:
        yield
    except Refused:
        raise
    except MemoryError as error:
        raise Refused("there is not enough memory to read it") from error
    except Exception as error:
        raise Refused(reason) from error


class Archive:
    """A ZIP file that is open, its list of members checked.

    Attributes:
        members: What it holds, by name.
    """

    def __init__(self, file: IO[bytes], most_bytes: int, *, most_members: int = 1_000) -> None:
        """Check what it says it holds, before anything is unpacked.

        Args:
            file: An open file that can be searched, or the content of one; it stays open.
            most_bytes: Up to which all members together may unpack.
            most_members: How many there may be.

        Raises:
            Refused: It is damaged or holds too much.
        """
        self.members: dict[str, zipfile.ZipInfo] = {}
        with parsing():
            self._zip = zipfile.ZipFile(cast("IO[bytes]", _InPortions(file)))
            listed = self._zip.infolist()
        if len(listed) > most_members:
            raise Refused(f"it holds {len(listed):,} files, more than {most_members:,}")
        for member in listed:
            name = quoted(member.filename)
            if member.filename in self.members:
                raise Refused(f"it holds {name} twice")
            if stat.S_ISLNK(member.external_attr >> 16):
                raise Refused(f"its {name} is a link")
            if member.flag_bits & 0x1:
                raise Refused("it is locked with a password")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # Others unpack a block at once, whatever comes out of it.
                raise Refused(f"its {name} is packed in an unusual way")
            self.members[member.filename] = member
        unpacked = sum(member.file_size for member in listed)
        if unpacked > most_bytes:
            raise Refused(f"it would unpack to more than {in_units(most_bytes)}")

    def open(self, name: str) -> IO[bytes]:
        """Open a member. Raises Refused."""
        with parsing(f"its {quoted(name)} is damaged or missing"):
            return self._zip.open(self.members[name])

    def read(self, name: str, most_bytes: int) -> bytes:
        """Return the content of a member, if it is of at most `most_bytes`. Raises Refused."""
        return self._unpacked(name, most_bytes).getvalue()

    @contextmanager
    def arrays(self, name: str, most_bytes: int, *, most_arrays: int = 64) -> Iterator[Arrays]:
        """Open a member that is an archive of arrays itself.

        Args:
            name: Of the member.
            most_bytes: Up to which it may unpack.
            most_arrays: How many arrays it may hold.

        Raises:
            Refused: It is no such archive, damaged, or too large.
        """
        # Even if it is stored as it is: `zipfile` searches a member by reading up to the place.
        with self._unpacked(name, most_bytes) as file:
            try:
                arrays = Arrays(file, most_bytes, most_arrays=most_arrays)
            except Refused as refused:
                raise Refused(f"in its {quoted(name)}, {refused}") from refused
            yield arrays

    def _unpacked(self, name: str, most_bytes: int) -> io.BytesIO:
        if name not in self.members:
            raise Refused(f"its {quoted(name)} is missing")
        if self.members[name].file_size > most_bytes:
            raise Refused(f"its {quoted(name)} is larger than {in_units(most_bytes)}")
        content = io.BytesIO()
        with self.open(name) as file, parsing(f"its {quoted(name)} is damaged or cut short"):
            while portion := file.read(_AT_ONCE):
                content.write(portion)
        content.seek(0)
        return content


class _InPortions:
    """A file of which no more than some at once is read: `zipfile` takes what the file says."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, n: int | None = -1) -> bytes:
        most = MOST_DIRECTORY_BYTES
        portion = self._file.read(most + 1 if n is None or n < 0 else min(n, most + 1))
        if len(portion) > most:
            raise Refused("its list of files is far too long")
        return portion


class Header(NamedTuple):
    """What an array says of itself; the file has as many bytes."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_fortran: bool
    begin: int
    """Where its values begin, in bytes from the beginning of the array's file."""

    @property
    def n_bytes(self) -> int:
        """Size of its values."""
        return math.prod(self.shape) * self.dtype.itemsize


class Arrays:
    """The arrays of an open `.npz`: their headers at once, their values when they are asked for.

    A caller looks at the headers first, and reads only what it knows and only if it fits.

    Attributes:
        headers: Header of each array by its key; other members (not `.npy`) are left out.
    """

    def __init__(self, file: IO[bytes], most_bytes: int, *, most_arrays: int = 64) -> None:
        """Check the headers of all arrays.

        Args:
            file: An open file that can be searched, or the content of one; it stays open.
            most_bytes: Up to which all members together may unpack.
            most_arrays: How many members there may be.

        Raises:
            Refused: It is no such archive, damaged, too large, or holds pickled objects.
        """
        self._archive = Archive(file, most_bytes, most_members=most_arrays)
        self.headers: dict[str, Header] = {}
        for name, member in self._archive.members.items():
            if name.endswith(".npy"):
                with self._archive.open(name) as content, _array_at(name):
                    self.headers[name.removesuffix(".npy")] = read_header(content, member.file_size)

    def read(self, key: str) -> npt.NDArray[Any]:
        """Return an array; it is a copy of its own. Raises KeyError, Refused."""
        header, name = self.headers[key], f"{key}.npy"
        with self._archive.open(name) as file, _array_at(name):
            file.read(header.begin)
            values = np.empty(header.n_bytes, np.uint8)
            room = values.data
            while room:
                portion = file.read(min(len(room), _AT_ONCE))
                if not portion:
                    raise EOFError
                room[: len(portion)] = portion
                room = room[len(portion) :]
            return values.view(header.dtype).reshape(
                header.shape, order="F" if header.is_fortran else "C"
            )

    def read_all(self) -> dict[str, npt.NDArray[Any]]:
        """Return all arrays by key. Raises Refused."""
        return {key: self.read(key) for key in self.headers}


@contextmanager
def _array_at(name: str) -> Iterator[None]:
    key = quoted(name.removesuffix(".npy"))
    with parsing(f"its array {key} is damaged or cut short"):
        try:
            yield
        except Refused as refused:
            raise Refused(f"its array {key} {refused}") from refused


def read_header(file: IO[bytes], size: int, *, tail: int = 0) -> Header:
    """Read the header of an `.npy`, up to where the values begin.

    Args:
        file: Stands at the beginning.
        size: Bytes of the file, all told.
        tail: Up to how many of them may follow the values.

    Raises:
        Exception: It is no array, in whatever way; call it within `parsing`.
        Refused: It holds pickled objects, or is not as large as it says; a clause without subject.
    """
    magic = file.read(8)
    version = (magic[6], magic[7])
    if magic[:6] != b"\x93NUMPY" or version not in ((1, 0), (2, 0)):
        raise Refused("is of an unknown kind")
    length = file.read(2 if version == (1, 0) else 4)
    (n_text,) = struct.unpack("<H" if version == (1, 0) else "<I", length)
    if n_text > _MOST_HEADER_BYTES:
        raise Refused("is of an unknown kind")
    # Not by NumPy's own reader, which warns of what Python 2 wrote: that is refused.
    said = ast.literal_eval(file.read(n_text).decode("latin-1").strip())
    shape, is_fortran = said["shape"], said["fortran_order"]
    dtype = np.lib.format.descr_to_dtype(said["descr"])
    if dtype.hasobject:
        raise Refused(
            "holds Python objects (pickles), which are never loaded; save it as plain numbers "
            "or text"
        )
    header = Header(shape, dtype, is_fortran is True, len(magic) + len(length) + n_text)
    # True is an integer to Python, and NumPy lets it pass.
    is_plain = type(shape) is tuple and all(type(n) is int and 0 <= n <= size for n in shape)
    if not is_plain or len(shape) > _MOST_DIMENSIONS or not dtype.itemsize:
        raise Refused("has no size that an array can have")
    if not size - tail <= header.begin + header.n_bytes <= size:
        raise Refused("is of another size than it says")
    return header


# Writing -----------------------------------------------------------------------------------------


@contextmanager
def replacing(path: FilePath, *, token: str = "", mode: int = 0o666) -> Iterator[BinaryIO]:
    """Write a file in one piece: what is written takes its name only when all of it is on the disk.

    Args:
        path: The file; it is replaced, or stays as it was if anything is raised.
        token: Stands in the temporary name, `.NAME.TOKEN.….tmp`, to tell whose it is.
        mode: Permissions, of which the umask of this process takes its own.

    Raises:
        OSError: It cannot be written; it names `path`, never the temporary file.
    """
    path = Path(path)
    temporary = path.with_name(
        f".{path.name[:40]}.{token}{token and '.'}{secrets.token_hex(8)}.tmp"
    )
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        handle = os.open(temporary, flags, mode)
        try:
            with os.fdopen(handle, "w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        if error.filename not in (None, os.fspath(temporary)):
            raise  # of another file, which was read meanwhile
        raise OSError(error.errno, error.strerror or str(error), os.fspath(path)) from error
