"""Files that somebody could bring, each altered in one to three places; the same seed, the same.

    for attempt in altered_data(2_000, seed=0):
        attempt.files                   # name -> content, for `read_files`
    for attempt in altered_pictures(2_000, seed=0):
        attempt.content                 # for `read_picture`

Half of them are altered as damage does it: bits, pieces that are missing, doubled or swapped. The
others are altered by meaning: what a header says of sizes and kinds, cells that are hardly numbers,
archives packed in other ways. What is packed is altered before it is packed as well: no checksum
gives it away.
"""

from __future__ import annotations

import gzip
import io
import random
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

ODD_NUMBERS = (
    *("", " ", "-1", "1e400", "-1e400", "nan", "inf", "0x10", "1_0", "1e1", "٣", "256", "0.5"),
    *("9" * 5_000, "1,5", '"', '"a', "\0", "=1+1", "é", "\ud7ff", "[1 2 3 4]", "#", "\x1f", "\r"),
)
ODD_SHAPES = (
    *("()", "(0,)", "(True, 64)", "(-1, 64)", "(60, -64)", "(4611686018427387904, 64)"),
    *("(60, 64, 1, 1, 1, 1, 1, 1, 1)", "(1.0, 2)", "60", "'60'", "(60, 64L)", "None", "(60, 8, 8"),
    *("(0, 4611686018427387904)", "(3840,)", "(64, 60)", "(60, 1, 64)", "(2, 30, 64)"),
)
ODD_KINDS = (
    *("|O", "|V8", "<U2147483647", "<M8[s]", "<c16", ">f2", "|S1", "<f8", "|b1", "|i1", "|S0"),
    *("<U0", "", ",", "(2,)f4", "no", "<u8", "<f16"),
)


@dataclass(frozen=True)
class AlteredData:
    """A data set of one or two files, and how it came about."""

    how: str
    files: dict[str, bytes]


@dataclass(frozen=True)
class AlteredPicture:
    """A picture, and how it came about."""

    how: str
    content: bytes


def altered_data(n: int, *, seed: int) -> Iterator[AlteredData]:
    """Yield n altered data sets: every kind of file in turn."""
    rng = random.Random(seed)
    sound = _sound_data()
    kinds = sorted(sound)
    for i in range(n):
        kind = kinds[i % len(kinds)]
        files, inside, pack = sound[kind]
        name = rng.choice(sorted(files))
        changes: list[str] = []
        if rng.random() < 0.6:
            content = pack(_altered(files[name], rng, changes, inside))
        else:
            content = _altered(pack(files[name]), rng, changes, ())
        whole = {each: pack(files[each]) for each in files if each != name}
        yield AlteredData(f"{kind}, {name}: {', '.join(changes)}", {name: content, **whole})


def altered_pictures(n: int, *, seed: int) -> Iterator[AlteredPicture]:
    """Yield n altered pictures: every kind of file in turn."""
    rng = random.Random(seed)
    sound = _sound_pictures()
    kinds = sorted(sound)
    for i in range(n):
        kind = kinds[i % len(kinds)]
        changes: list[str] = []
        by_meaning = (_png_size, _png_chunk) if kind.startswith("png") else (_jpeg_size,)
        content = _altered(sound[kind], rng, changes, by_meaning)
        yield AlteredPicture(f"{kind}: {', '.join(changes)}", content)


# How they are altered -----------------------------------------------------------------------------

Change = Callable[[bytes, random.Random], bytes]


def _altered(
    content: bytes, rng: random.Random, changes: list[str], by_meaning: tuple[Change, ...]
) -> bytes:
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        ways = by_meaning if by_meaning and rng.random() < 0.5 else _DAMAGE
        change = rng.choice(ways)
        content = change(content, rng)
        changes.append(change.__name__.strip("_"))
    return content


def _flipped(content: bytes, rng: random.Random) -> bytes:
    if not content:
        return content
    # The beginning and the end say what the rest means.
    at = rng.choice((rng.randrange(len(content)), rng.randrange(min(200, len(content)))))
    at = rng.choice((at, len(content) - 1 - rng.randrange(min(200, len(content)))))
    changed = bytearray(content)
    changed[at] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwritten(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content) + 1)
    piece = rng.choice((b"\xff" * 4, b"\0" * 8, b"\x7f\xff\xff\xff", b"PK\5\6", b"\n", b"\x80"))
    return content[:at] + piece + content[at + len(piece) :]


def _cut_short(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _without_a_piece(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + content[at + rng.choice((1, 2, 16, 500)) :]


def _doubled(content: bytes, rng: random.Random) -> bytes:
    at, n = rng.randrange(len(content) + 1), rng.choice((1, 7, 64, 10_000))
    return content[: at + n] + content[at:]


def _swapped(content: bytes, rng: random.Random) -> bytes:
    first, second = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    return content[second:] + content[first:second] + content[:first]


_DAMAGE: tuple[Change, ...] = (
    *(_flipped, _flipped, _overwritten, _cut_short, _without_a_piece, _doubled, _swapped),
)


def _header_shape(content: bytes, rng: random.Random) -> bytes:
    return _with_header(content, rb"'shape': \([^)]*\)", f"'shape': {rng.choice(ODD_SHAPES)}")


def _header_kind(content: bytes, rng: random.Random) -> bytes:
    return _with_header(content, rb"'descr': '[^']*'", f"'descr': {rng.choice(ODD_KINDS)!r}")


def _header_word(content: bytes, rng: random.Random) -> bytes:
    what = rng.choice((rb"False", rb"'descr'", rb"'shape'", rb"\{", rb"\}"))
    return _with_header(content, what, rng.choice(("True", "'a'", "[" * 3_000, "(", "b'", "9" * 5)))


def _with_header(content: bytes, pattern: bytes, text: str) -> bytes:
    """Write something else into the header of an array, and its new length."""
    if content[:6] != b"\x93NUMPY" or len(content) < 10:
        return content
    (n,) = struct.unpack_from("<H", content, 8)
    header = re.sub(pattern, lambda _: text.encode(), content[10 : 10 + n], count=1)
    return content[:8] + struct.pack("<H", len(header) % 2**16) + header + content[10 + n :]


def _idx_size(content: bytes, rng: random.Random) -> bytes:
    at = rng.choice((2, 3, 4, 8, 12))
    size = rng.choice((0, 1, 2**31, 2**32 - 1, rng.randrange(256)))
    return content[:at] + struct.pack(">I", size) + content[at + 4 :]


def _odd_cell(content: bytes, rng: random.Random) -> bytes:
    cells = re.split(rb"([,;\n ])", content)
    cells[rng.randrange(0, len(cells), 2)] = rng.choice(ODD_NUMBERS).encode()
    return b"".join(cells)


def _odd_separator(content: bytes, rng: random.Random) -> bytes:
    places = [match.start() for match in re.finditer(rb"[,;\n]", content)] or [0]
    at = rng.choice(places)
    return content[:at] + rng.choice((b"", b"\t", b";", b"\r\n\n", b",,")) + content[at + 1 :]


def _odd_column(content: bytes, rng: random.Random) -> bytes:
    lines = content.split(b"\n")
    odd = rng.choice(ODD_NUMBERS).encode()
    return b"\n".join(line + b"," + odd if line else line for line in lines)


def _png_size(content: bytes, rng: random.Random) -> bytes:
    size = rng.choice((0, 1, 5_000, 2**20, 2**31 - 1, 2**32 - 1))
    at = rng.choice((16, 20))
    return _with_checksums(content[:at] + struct.pack(">I", size) + content[at + 4 :])


def _png_chunk(content: bytes, rng: random.Random) -> bytes:
    """Put an odd chunk behind the first."""
    kind = rng.choice((b"iCCP", b"zTXt", b"iTXt", b"tRNS", b"PLTE", b"eXIf", b"acTL", b"IHDR"))
    body = rng.choice((b"", b"\0", b"a\0\0" + gzip.zlib.compress(bytes(2**20)), b"II*\0\xff\xff"))
    chunk = struct.pack(">I", len(body)) + kind + body + b"\0\0\0\0"
    return _with_checksums(content[:33] + chunk + content[33:])


def _with_checksums(content: bytes) -> bytes:
    """Return a PNG with right checksums, as far as it has chunks."""
    at, pieces = 8, [content[:8]]
    while at + 12 <= len(content):
        (n,) = struct.unpack_from(">I", content, at)
        body = content[at + 4 : at + 8 + n]
        pieces.append(content[at : at + 4] + body + struct.pack(">I", gzip.zlib.crc32(body)))
        at += 12 + n
    return b"".join(pieces)


def _jpeg_size(content: bytes, rng: random.Random) -> bytes:
    at = content.find(b"\xff\xc0") + 5
    size = rng.choice((0, 1, 65_535, 4_999))
    return content[:at] + struct.pack(">H", size) + content[at + 2 :]


# What is altered ----------------------------------------------------------------------------------

Sound = tuple[dict[str, bytes], tuple[Change, ...], Callable[[bytes], bytes]]
"""Files by name before they are packed, how they are altered by meaning, how they are packed."""


def _sound_data() -> dict[str, Sound]:
    """Return one of each kind: 60 pictures of 8 x 8 in 3 classes."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (60, 64), dtype=np.uint8)
    y = (np.arange(60) % 3).astype(np.uint8)
    header = ",".join(["label", *(f"pixel{i}" for i in range(64))])
    rows = [",".join(map(str, [label, *row])) for label, row in zip(y, x.tolist(), strict=True)]
    plain = "\n".join([header, *rows]).encode()
    european = "\n".join(row.replace(",", ";") for row in ["sep=;", header, *rows]).encode()
    in_one = "\n".join(
        ["emotion,pixels", *(f"{row.split(',')[0]},{row[2:].replace(',', ' ')}" for row in rows)]
    ).encode()
    named = "\n".join(f"{row},{'abc'[label]}" for label, row in zip(y, rows, strict=True)).encode()
    idx = {
        "train-images-idx3-ubyte": struct.pack(">4B3I", 0, 0, 8, 3, 60, 8, 8) + x.tobytes(),
        "train-labels-idx1-ubyte": struct.pack(">4BI", 0, 0, 8, 1, 60) + y.tobytes(),
    }
    header_changes = (_header_shape, _header_kind, _header_word)
    table_changes = (_odd_cell, _odd_separator, _odd_column)

    def packed(content: bytes) -> bytes:
        return gzip.compress(content, 1, mtime=0)

    sound: dict[str, Sound] = {
        "csv": ({"a.csv": plain}, table_changes, bytes),
        "csv, no header": ({"a.csv": named}, table_changes, bytes),
        "csv, semicolons": ({"a.csv": european}, table_changes, bytes),
        "csv, one cell": ({"a.csv": in_one}, table_changes, bytes),
        "csv.gz": ({"a.csv.gz": plain}, table_changes, packed),
        "idx": (idx, (_idx_size,), bytes),
        "idx.gz": ({f"{name}.gz": each for name, each in idx.items()}, (_idx_size,), packed),
        "npy": ({"x.npy": _npy(x), "y.npy": _npy(y)}, header_changes, bytes),
    }
    for key, values in {"x": x, "y": y}.items():
        other = ("y.npy", _npy(y)) if key == "x" else ("x.npy", _npy(x))
        for way, method in {
            "stored": zipfile.ZIP_STORED,
            "deflated": zipfile.ZIP_DEFLATED,
            "bzip2": zipfile.ZIP_BZIP2,
            "lzma": zipfile.ZIP_LZMA,
        }.items():
            pack = _Zipping(f"{key}.npy", other, method)
            sound[f"npz, {way}, {key}"] = ({"a.npz": _npy(values)}, header_changes, pack)
    return sound


@dataclass(frozen=True)
class _Zipping:
    """Packs an array with another one into an archive."""

    name: str
    other: tuple[str, bytes]
    method: int

    def __call__(self, content: bytes) -> bytes:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", self.method) as file:
            for name, each in ((self.name, content), self.other):
                file.writestr(zipfile.ZipInfo(name), each, self.method)
        return archive.getvalue()


def _npy(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values, allow_pickle=False)
    return file.getvalue()


def _sound_pictures() -> dict[str, bytes]:
    """Return a picture of a stroke in every mode that PNG and JPEG have."""
    gray = np.full((40, 40), 230, np.uint8)
    gray[8:32, 18:23] = 20
    picture = Image.fromarray(gray)
    deep = Image.fromarray(gray.astype(np.uint16) * 257)
    modes = {mode: picture.convert(mode) for mode in ("L", "1", "P", "LA", "RGB", "RGBA")}
    sound = {f"png, {mode}": _saved(each, "PNG") for mode, each in {**modes, "I;16": deep}.items()}
    for mode in ("L", "RGB", "CMYK"):
        for progressive in (False, True):
            how = ", progressive" if progressive else ""
            sound[f"jpeg, {mode}{how}"] = _saved(
                picture.convert(mode), "JPEG", progressive=progressive
            )
    return sound


def _saved(picture: Image.Image, form: str, **options: bool) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()
