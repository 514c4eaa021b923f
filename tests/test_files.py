"""Files: what is not a plain file of a fair size is refused unread; writing is all or nothing."""

from __future__ import annotations

import io
import os
import socket
import stat
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralscope.files import Archive, Arrays, Refused, open_regular, read_regular, replacing

MOST = 1 << 20


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()


def npz_of(header: str, values: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """Return an archive with one array `a` whose header says this."""
    text = header.encode().ljust(117) + b"\n"
    length = struct.pack("<H" if version == b"\x01\x00" else "<I", len(text))
    return zipped({"a.npy": b"\x93NUMPY" + version + length + text + values})


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def read(content: bytes, most_bytes: int = MOST) -> dict[str, Any]:
    return Arrays(io.BytesIO(content), most_bytes).read_all()


# Opening


def test_a_file_is_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"hello")
    (tmp_path / "link").symlink_to("file")
    with open_regular(tmp_path / "link", 5) as file:
        assert file.read() == b"hello"
    assert read_regular(tmp_path / "file", 5) == b"hello"


@pytest.mark.parametrize("kind", ["pipe", "device", "socket", "folder"])
@pytest.mark.parametrize("is_linked", [False, True])
def test_what_is_not_a_file_is_refused_at_once(kind: str, is_linked: bool, tmp_path: Path) -> None:
    path = tmp_path / "it"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    else:
        path.mkdir()
    if is_linked:
        (tmp_path / "link").symlink_to(path)
        path = tmp_path / "link"
    with pytest.raises(Refused, match=r"it is a (folder|pipe or a device), not a file"):
        open_regular(path, MOST)


def test_a_pipe_that_takes_the_place_of_a_file_does_not_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"hello")
    os.mkfifo(tmp_path / "pipe")
    file = os.stat(tmp_path / "file")
    monkeypatch.setattr(os, "stat", lambda path: file)
    with pytest.raises(Refused, match="it is a pipe"):
        open_regular(tmp_path / "pipe", MOST)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(Refused, match="it is larger than 1 MB"):
        read_regular(tmp_path / "sparse", MOST)


def test_a_file_that_grows_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    before = os.stat(path)
    path.write_bytes(b"1234567")
    monkeypatch.setattr(os, "fstat", lambda handle: before)
    with pytest.raises(Refused, match="it is larger than 5 bytes"):
        read_regular(path, 5)


def test_what_the_system_refuses_is_its_own_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "none", MOST)


# Arrays


def test_arrays_come_back() -> None:
    given = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "f": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "empty": np.zeros((0, 4), np.int64),
        "one": np.float64(2.5),
        "text": np.array(["ä", "öü"]),
        "flags": np.array([True, False]),
    }
    found = read(npz(**given))
    assert list(found) == list(given)
    for name, values in given.items():
        np.testing.assert_array_equal(found[name], values)
        assert found[name].dtype == np.asarray(values).dtype
        assert found[name].flags.writeable


def test_headers_are_known_before_anything_is_read() -> None:
    headers = Arrays(io.BytesIO(npz(a=np.zeros((2, 3), np.float32))), MOST).headers
    assert (headers["a"].shape, headers["a"].dtype, headers["a"].n_bytes) == ((2, 3), "<f4", 24)


F4 = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }"


@pytest.mark.parametrize(
    "shape",
    [
        "(-1, 4)",
        "(True, 4)",
        "(4611686018427387904,)",
        "(99999999999999999999, 4)",
        "(0, 4611686018427387904)",
        "(1, 1, 1, 1, 1, 1, 1, 1, 4)",
        "(4.0,)",
        "(3,)",
        "4",
        "(" * 500,
    ],
)
def test_a_header_that_lies_is_refused(shape: str) -> None:
    with pytest.raises(Refused, match="its array 'a' "):
        read(npz_of(F4 % shape, b"\0" * 16))


@pytest.mark.parametrize("descr", ["'|O'", "[('a', '|O')]"])
def test_nothing_is_unpickled(descr: str) -> None:
    with pytest.raises(Refused, match="holds Python objects"):
        read(npz_of(F4.replace("'<f4'", descr) % "(1,)", b"\0" * 8))


@pytest.mark.parametrize("descr", ["'<U0'", "'|V0'", "'nonsense'", "'<U99999999999'", "3", "[]"])
def test_a_type_that_cannot_be_is_refused(descr: str) -> None:
    with pytest.raises(Refused, match="its array 'a' "):
        read(npz_of(F4.replace("'<f4'", descr) % "(1,)"))


def test_a_header_as_long_as_memory_is_not_read() -> None:
    lie = zipped({"a.npy": b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b" " * 1000})
    with pytest.raises(Refused, match="its array 'a' is of an unknown kind"):
        read(lie)


def test_what_would_unpack_to_more_is_refused_without_taking_the_memory() -> None:
    bomb = npz(a=np.zeros(20 * MOST, np.uint8))
    assert len(bomb) < 40_000
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match="it would unpack to more than 1 MB"):
            read(bomb)
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_without_bounds_is_refused(compression: int) -> None:
    with pytest.raises(Refused, match="packed in an unusual way"):
        read(zipped({"a.npy": b"\0" * 100}, compression))


def test_too_many_members_and_too_long_a_list_are_refused() -> None:
    with pytest.raises(Refused, match="it holds 65 files"):
        read(zipped({f"{i}.npy": b"" for i in range(65)}))
    long = zipped({"x" * 60_000 + str(i): b"" for i in range(20)})
    with pytest.raises(Refused, match="its list of files is far too long"):
        Archive(io.BytesIO(long), MOST)


def test_arrays_in_a_member_of_an_archive_are_read() -> None:
    rng = np.random.default_rng(0)
    many = {name: rng.random(200_000) for name in "abc"}  # more than is read in one go
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        archive = Archive(io.BytesIO(zipped({"in.npz": npz(**many)}, compression)), 8 * MOST)
        with archive.arrays("in.npz", 8 * MOST) as arrays:
            for name in "cab":
                np.testing.assert_array_equal(arrays.read(name), many[name])
        with pytest.raises(Refused, match=r"its 'in\.npz' is larger than 10 bytes"):
            archive.read("in.npz", 10)
        with pytest.raises(Refused, match="its 'none' is missing"):
            archive.read("none", MOST)


def test_a_damaged_archive_is_refused_and_nothing_else_is_raised() -> None:
    rng = np.random.default_rng(0)
    whole = npz(a=np.arange(100), text=np.array("hello"))
    n_refused = 0
    for i in range(200):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 3):
            damaged[place] = rng.integers(256)
        try:
            read(bytes(damaged[: rng.integers(len(whole))] if i % 4 == 0 else damaged))
        except Refused:
            n_refused += 1
    assert n_refused > 100


# Writing


def test_a_file_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with replacing(path, token="mine") as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
        assert sum("mine" in name for name in os.listdir(tmp_path)) == 1
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


def test_permissions_are_as_for_any_new_file_or_fewer(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        for name, mode in (("usual", 0o666), ("private", 0o600)):
            with replacing(tmp_path / name, mode=mode):
                pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "usual").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o600


def test_a_full_disk_leaves_the_old_file_and_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as refusal, replacing(path) as file:
        file.write(b"new")
    assert refusal.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_missing_folder_names_the_file_that_was_wanted(tmp_path: Path) -> None:
    path = tmp_path / "none" / ("x" * 200)
    with pytest.raises(FileNotFoundError) as refusal, replacing(path):
        pass
    assert refusal.value.filename == str(path)


def test_an_error_about_another_file_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as refusal, replacing(tmp_path / "file"):
        (tmp_path / "other").read_bytes()
    assert refusal.value.filename == str(tmp_path / "other")
    assert os.listdir(tmp_path) == []
