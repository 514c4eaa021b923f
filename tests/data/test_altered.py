"""Whatever is done to a file, it is read or refused in a sentence, and nothing is unbounded.

A handful of what `altered` makes, always the same; `benchmarks/attack` tries thousands.
"""

from __future__ import annotations

import gzip
import io
import os
import sys
import tracemalloc
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neuralscope import confined
from neuralscope.data.own_files import reading
from neuralscope.data.own_files.limits import SMALL
from neuralscope.data.own_files.reading import Pictures, read_files, read_here
from neuralscope.data.photograph import decoded, read_picture
from neuralscope.data.recipe import usual_recipe
from neuralscope.errors import DataError
from tests.data.altered import altered_data, altered_pictures

MNIST = usual_recipe((28, 28))

needs_limits = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="this platform does not limit memory"
)


def tracebacks(attempts: Iterable[tuple[str, object]], read: object) -> list[str]:
    """Return what was neither read nor refused by an error of ours."""
    broken = []
    for how, content in attempts:
        try:
            read(content)  # type: ignore[operator]
        except DataError as error:
            assert "\n" not in str(error)
        except Exception as error:
            broken.append(f"{how}: {error!r}")
    return broken


def test_altered_data_is_read_or_refused_in_a_sentence() -> None:
    attempts = [(each.how, each.files) for each in altered_data(150, seed=1)]
    assert tracebacks(attempts, lambda files: read_here(files, "The data", None, None)) == []


def test_altered_pictures_are_read_or_refused_in_a_sentence() -> None:
    attempts = [(each.how, each.content) for each in altered_pictures(60, seed=1)]
    # None of them is large: what says so is refused, or has nothing to unpack.
    assert tracebacks(attempts, lambda content: read_picture(content, MNIST)) == []


def test_what_parsers_raise_is_caught_whatever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unheard(Exception):
        pass

    def broken(*_: object, **__: object) -> None:
        raise Unheard

    monkeypatch.setattr(reading, "read_table", broken)
    with pytest.raises(DataError, match=r"^a\.csv cannot be used: it is damaged, or not like any"):
        read_files({"a.csv": b"1,2,3,4,5\n" * 9})


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_archive_that_unpacks_at_once_is_not_opened(method: int) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("x.npy", bytes(10_000_000))
    tracemalloc.start()
    with pytest.raises(DataError, match=r"its 'x\.npy' is packed in an unusual way"):
        read_files({"a.npz": file.getvalue()})
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


# In a process of its own --------------------------------------------------------------------------


def some_rows(n: int) -> bytes:
    rng = np.random.default_rng(0)
    pixels = rng.integers(100, 256, (n, 64))
    return b"\n".join(
        b",".join(b"%d" % value for value in (i % 3, *row)) for i, row in enumerate(pixels.tolist())
    )


@pytest.fixture
def subjects(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is read in a process of its own."""
    subjects: list[str] = []
    call = confined.call

    def noted(*arguments: object, subject: str, **options: object) -> object:
        subjects.append(subject)
        return call(*arguments, subject=subject, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(confined, "call", noted)
    return subjects


def test_only_what_is_large_or_unpacks_to_much_is_read_apart(
    subjects: list[str], tmp_path: Path
) -> None:
    small, large = some_rows(400), some_rows(SMALL // 250)
    packed = gzip.compress(large, 1)
    assert len(small) < SMALL < len(large) and len(packed) < SMALL
    (tmp_path / "b.csv").write_bytes(large)
    here = read_files({"a.csv": small})
    assert subjects == []
    apart = read_files({"a.csv.gz": packed})
    by_path = read_files(tmp_path / "b.csv")
    assert subjects == ["a.csv.gz", "b.csv"]
    assert np.array_equal(apart.table, by_path.table)
    assert here.notes == apart.notes == by_path.notes
    assert (here.title, apart.title, by_path.title) == ("a", "a", "b")
    assert isinstance(apart, Pictures) and apart.image_shape == (8, 8)


@needs_limits
def test_a_bomb_takes_no_memory_here(subjects: list[str]) -> None:
    packed = gzip.compress(gzip.compress(b"1,2,3,4,5\n" * 1_000, 1), 1)
    assert "packed more than once" in reason({"a.gz": packed})
    bomb = gzip.compress((b"0," * 999 + b"0\n") * 25_000, 1)  # 50 MB of text, 100 of numbers
    assert len(bomb) < SMALL
    limits = confined.Limits(memory=200 * 2**20, seconds=30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "FOR_READING", limits)
        tracemalloc.start()
        assert "a.csv.gz needs more than the 200 MB of memory" in reason({"a.csv.gz": bomb})
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
        tracemalloc.stop()
    assert subjects == ["a.csv.gz"]


def reason(files: dict[str, bytes]) -> str:
    with pytest.raises(DataError) as refused:
        read_files(files)
    return str(refused.value)


@needs_limits
def test_a_large_picture_takes_no_memory_here(subjects: list[str]) -> None:
    gray = np.full((2_400, 2_400), 255, np.uint8)
    gray[400:2_000, 1_000:1_400] = 0
    file = io.BytesIO()
    Image.fromarray(gray).convert("RGBA").save(file, "PNG", compress_level=1)
    ink = read_picture(file.getvalue(), MNIST)
    assert subjects == ["The picture"]
    small = io.BytesIO()
    Image.fromarray(gray).resize((512, 512), Image.Resampling.BOX).save(small, "PNG")
    same = read_picture(small.getvalue(), MNIST)
    assert subjects == ["The picture"]
    assert ink.shape == (512, 512) == same.shape
    assert np.abs(ink - same).mean() < 0.005


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGB", "RGBA", "I;16"])
def test_a_large_picture_is_reduced_as_it_is_decoded(mode: str) -> None:
    gray = np.tile(np.linspace(0, 255, 1_600).astype(np.uint8), (1_100, 1))
    deep = mode == "I;16"
    picture = Image.fromarray(gray.astype(np.uint16) * 257 if deep else gray)
    file = io.BytesIO()
    (picture if deep else picture.convert(mode)).save(file, "PNG", compress_level=1)
    brightness = decoded(file.getvalue())
    assert brightness.shape == (352, 512)
    assert brightness[:, :5].mean() < 0.02 and brightness[:, -5:].mean() > 0.98


def test_picture_of_many_pieces_is_read_at_once() -> None:
    dots = np.full((512, 512), 255, np.uint8)
    dots[::2, ::2] = 0
    file = io.BytesIO()
    Image.fromarray(dots).save(file, "PNG")
    cpu = os.times().user
    read_picture(file.getvalue(), MNIST)
    assert os.times().user - cpu < 2  # it took 13 s when each piece was looked for


# What is no file ----------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this platform has no named pipes")
@pytest.mark.parametrize("what", ["pipe", "device", "link"])
def test_what_is_no_regular_file_is_not_opened(what: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    if what == "pipe":
        os.mkfifo(path)
    elif what == "link":
        path.symlink_to("/dev/zero")
    else:
        path = Path("/dev/zero")
    with pytest.raises(DataError, match="it is not a file"):
        read_files(path)
    with pytest.raises(DataError, match="the folder holds no"):
        read_files(tmp_path)
