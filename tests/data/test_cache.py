from __future__ import annotations

import contextlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuralscope.data.cache import looks_whole, read_table, write_table
from neuralscope.data.contents import Contents, Table
from neuralscope.errors import DataError


@pytest.fixture
def path(tmp_path: Path, tiny_table: Table) -> Path:
    path = tmp_path / "neuralscope" / "tiny-v1.npy"
    write_table(path, tiny_table)
    return path


def test_what_is_written_is_read_back(path: Path, tiny: Contents, tiny_table: Table) -> None:
    table = read_table(path, tiny)
    assert table is not None
    np.testing.assert_array_equal(table, tiny_table)
    assert table.dtype == np.uint8


def test_the_table_is_read_only(path: Path, tiny: Contents) -> None:
    table = read_table(path, tiny)
    assert table is not None
    assert not table.flags.writeable


def test_the_file_is_a_plain_npy_file(path: Path, tiny_table: Table) -> None:
    np.testing.assert_array_equal(np.load(path, allow_pickle=False), tiny_table)


def test_no_file_is_no_error(tmp_path: Path, tiny: Contents) -> None:
    assert read_table(tmp_path / "none.npy", tiny) is None
    (tmp_path / "file").touch()
    assert read_table(tmp_path / "file" / "none.npy", tiny) is None


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 33)  # the digest behind the array and a pixel


def empty(path: Path) -> None:
    os.truncate(path, 0)


def cut_in_header(path: Path) -> None:
    os.truncate(path, 20)


def flip_a_bit(path: Path) -> None:
    damaged = bytearray(path.read_bytes())
    damaged[200] ^= 1
    path.write_bytes(damaged)


def write_nonsense(path: Path) -> None:
    path.write_bytes(b"<html>503 Service Unavailable</html>")


def write_archive(path: Path) -> None:
    with open(path, "wb") as file:
        np.savez(file, table=np.zeros(3))


def write_objects(path: Path) -> None:
    np.save(path, np.array([object], dtype=object), allow_pickle=True)


def write_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps([1, 2, 3]))


def replace_with_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_with_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replace_with_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def make_huge(path: Path) -> None:
    os.truncate(path, 1 << 40)


DAMAGES = [
    cut,
    empty,
    cut_in_header,
    flip_a_bit,
    write_nonsense,
    write_archive,
    write_objects,
    write_pickle,
    replace_with_folder,
    replace_with_pipe,
    replace_with_device,
    make_huge,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_file_is_refused_in_one_sentence(
    damage: Callable[[Path], None], path: Path, tiny: Contents
) -> None:
    damage(path)
    with pytest.raises(DataError, match=r"^The kept copy of Tiny is [^\n]+\.$"):
        read_table(path, tiny)


def test_no_flipped_bit_raises_anything_else(path: Path, tiny: Contents) -> None:
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in [*range(140), *rng.integers(140, len(whole) - 32, 20)]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        # A blank of the header, or a version that means the same, may change unnoticed.
        if place > 128:
            with pytest.raises(DataError, match="The kept copy of Tiny is damaged"):
                read_table(path, tiny)
        else:
            with contextlib.suppress(DataError):
                read_table(path, tiny)


def test_a_sound_file_with_other_contents_is_refused(path: Path, other: Contents) -> None:
    with pytest.raises(DataError, match="digest"):
        read_table(path, other)


def test_writing_replaces_a_damaged_file(path: Path, tiny: Contents, tiny_table: Table) -> None:
    cut(path)
    write_table(path, tiny_table)
    assert read_table(path, tiny) is not None


def test_a_mapped_table_outlives_its_replacement(
    path: Path, tiny: Contents, tiny_table: Table
) -> None:
    mapped = read_table(path, tiny)
    assert mapped is not None
    write_table(path, np.zeros_like(tiny_table))
    np.testing.assert_array_equal(mapped, tiny_table)


def test_nothing_half_written_is_left_when_writing_fails(
    path: Path, tiny: Contents, tiny_table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_table(path, np.zeros_like(tiny_table))
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert read_table(path, tiny) is not None


def test_a_copy_of_full_size_looks_whole(path: Path, tiny: Contents) -> None:
    assert looks_whole(path, tiny)


def test_a_missing_or_short_copy_does_not_look_whole(path: Path, tiny: Contents) -> None:
    assert not looks_whole(path.with_name("none"), tiny)
    os.truncate(path, 200)
    assert not looks_whole(path, tiny)
