"""Altered bytes, by format and by seed.

`altered` changes a file in a way that its own format still lets through: an entry of an archive is
altered and packed anew with the right checksum, a value of a JSON text replaced, a size in a header
made huge. What only flips bits mostly tests checksums, so that is one way among many.
"""

from __future__ import annotations

import functools
import gzip
import io
import json
import random
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any

LONG = "x" * 100_000

VALUES: tuple[Any, ...] = (
    *(0, -1, 1, 2, 255, 256, 10_000, 2**31, 2**32, 2**53 + 1, 2**62, 2**63, 2**64),
    *(-(2**63), 10**30),
    *(0.5, -0.0, 1e-320, 1e300, -1e300, float("nan"), float("inf"), float("-inf")),
    *(None, True, False, "", " ", "\0", "\ud800", "é\u202e\u200b", "0", "NaN", "1e999"),
    *("\u0663", "\uff11"),
    *("../../etc/passwd", "/dev/zero", "=1+1", "<script>alert(1)</script>", "`a` **b** $c$", LONG),
    *([], {}, [[]], [None], {"a": {"b": []}}, [0] * 10_000),
)  # fmt: skip
"""What may stand in the place of a value."""

WORDS = tuple(
    str(value)
    for value in (*VALUES, "-", "--", "-1e-3", "1,2", "1, 2,", "nan", "0x10", "1_000", "1e", "\n")
)
"""What may stand in the place of a word: of an address, an argument, a cell."""


def altered(content: bytes, chance: random.Random) -> bytes:
    """Return a file's content, altered once or a few times."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        content = _once(content, chance)
    return content


def _once(content: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.25:
        return _bytes(content, chance)
    try:
        for magic, alter in _FORMATS.items():
            if re.match(magic, content, re.DOTALL):
                return alter(content, chance)
    except (ValueError, struct.error, OSError, EOFError, zlib.error, LookupError,
            NotImplementedError, RuntimeError, zipfile.BadZipFile, RecursionError):  # fmt: skip
        pass  # altered before, so that it is not of its format any more
    return _bytes(content, chance)


# Bytes -------------------------------------------------------------------------------------------


def _bytes(content: bytes, chance: random.Random) -> bytes:
    """Return content with some of its bytes changed, cut, doubled or moved."""
    data = bytearray(content)
    if not data:
        return chance.randbytes(chance.randrange(64))
    at = chance.randrange(len(data))
    if chance.random() < 0.4:
        at = min(at, chance.randrange(64))  # headers are where it hurts
    n = min(len(data) - at, chance.choice((1, 2, 4, 8, 64, 4096)))
    match chance.randrange(9):
        case 0:
            data[at] ^= 1 << chance.randrange(8)
        case 1:
            data[at : at + n] = chance.randbytes(n)
        case 2:
            data[at : at + n] = bytes(n)
        case 3:
            data[at : at + n] = b"\xff" * n
        case 4:
            del data[at:]
        case 5:
            del data[at : at + n]
        case 6:
            data[at:at] = data[at : at + n] * chance.choice((1, 2, 100))
        case 7:
            data[at:at] = chance.randbytes(n)
        case _:
            number = chance.choice((0, 1, 0x7F, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF))
            data[at : at + 4] = struct.pack(chance.choice("<>") + "I", number)
    return bytes(data)


# Archives ----------------------------------------------------------------------------------------


def _zip(content: bytes, chance: random.Random) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
    which = chance.randrange(len(entries))
    name, inner = entries[which]
    match chance.randrange(9):
        case 0:
            del entries[which]
        case 1:
            entries.append((name, altered(inner, chance)))  # the same name twice
        case 2:
            entries[which] = (chance.choice(("../x", "/x", "", "a\0b", LONG[:60_000], "x")), inner)
        case 3:
            entries.append((f"{chance.choice(WORDS)[:100]}.npy", inner))
        case 4:
            entries[which] = (name, inner * chance.choice((0, 2, 50)))
        case 5:
            other = chance.choice(entries)[1]
            entries[which] = (name, other)
        case _:
            entries[which] = (name, altered(inner, chance))
    return packed(entries, chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def packed(entries: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return an archive with these entries, whatever they are called."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name, inner in entries:
            archive.writestr(name, inner)
    return buffer.getvalue()


def _gzip(content: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.05:
        return content + _zeros() * chance.choice((1, 10, 60))
    return gzip.compress(altered(gzip.decompress(content), chance), 1, mtime=0)


@functools.cache
def _zeros() -> bytes:
    """Return 10 MB of nothing, packed: a packed file may be followed by another."""
    return gzip.compress(bytes(10_000_000), mtime=0)


# Arrays ------------------------------------------------------------------------------------------

DTYPES = ("<f4", "<f8", "<f2", "<i8", "|u1", "|b1", "|O", "<c16", "<U7", "|S3", ">f4", "<M8[s]",
          "|V8", "<f16", "[('a', '<i4')]", "x", "", "<U99999999")  # fmt: skip


def _npy(content: bytes, chance: random.Random) -> bytes:
    size = struct.unpack("<H", content[8:10])[0]
    header, body = content[10 : 10 + size].decode("latin-1"), content[10 + size :]
    match chance.randrange(6):
        case 0:
            dtype = chance.choice(DTYPES)
            dtype = dtype if dtype.startswith("[") else repr(dtype)
            header = re.sub(r"('descr': )('[^']*')", lambda found: found[1] + dtype, header)
        case 1:
            shape = ", ".join(
                chance.choice(("0", "1", "-1", "7", "True", "2**62", str(2**62), str(2**31), "1e3"))
                for _ in range(chance.randrange(5))
            )
            header = re.sub(r"\(.*\)", f"({shape},)" if shape else "()", header)
        case 2:
            header = header.replace("False", chance.choice(("True", "None", "1")))
        case 3:
            header = _bytes(header.encode(), chance).decode("latin-1")[:60_000]
        case 4:
            count = chance.choice((1, 4, 8, 100))
            special = chance.choice((float("nan"), float("inf"), -1.0, 1e30, 0.0))
            at = chance.randrange(0, max(1, len(body) // 4)) * 4
            body = body[:at] + struct.pack("<f", special) * count + body[at + 4 * count :]
        case _:
            body = _bytes(body, chance)
    raw = header.encode("latin-1", "replace")
    return content[:8] + struct.pack("<H", len(raw) & 0xFFFF) + raw + body


def _idx(content: bytes, chance: random.Random) -> bytes:
    data = bytearray(content)
    n_dimensions = data[3]
    if chance.random() < 0.3:
        data[chance.randrange(2, 4)] = chance.choice((0, 1, 7, 8, 9, 11, 12, 13, 14, 200, 255))
    else:
        at = 4 + 4 * chance.randrange(max(1, n_dimensions))
        number = chance.choice((0, 1, 2, 64, 65, 10**6, 2**31 - 1, 2**31, 2**32 - 1))
        data[at : at + 4] = struct.pack(">I", number)
    return bytes(data)


# Text --------------------------------------------------------------------------------------------


def _json(content: bytes, chance: random.Random) -> bytes:
    whole = json.loads(content)
    places = list(_places(whole))
    if chance.random() < 0.05:
        return b"[" * 100_000
    holder, key = chance.choice(places)
    if chance.random() < 0.15 and isinstance(holder, dict):
        del holder[key]
    elif chance.random() < 0.15 and isinstance(holder, list):
        holder.extend([holder[key]] * chance.choice((1, 1000, 20_000)))
    else:
        holder[key] = chance.choice(VALUES)
    return json.dumps(whole).encode("utf-8", "surrogatepass")


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield container and key of every value in a JSON value."""
    items: Any = ()
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, inner in items:
        yield value, key
        yield from _places(inner)


def _text(content: bytes, chance: random.Random) -> bytes:
    lines = content.split(b"\n")
    at = chance.randrange(len(lines))
    separator = chance.choice((b",", b";", b"\t"))
    cells = lines[at].split(separator)
    word = chance.choice(WORDS).encode("utf-8", "surrogatepass")
    match chance.randrange(9):
        case 0 | 1 | 2:
            cells[chance.randrange(len(cells))] = word
        case 3:
            del cells[chance.randrange(len(cells))]
        case 4:
            cells *= chance.choice((2, 100, 1000))
        case 5:
            cells[0] = b'"' + cells[0]  # a quote that is never closed
        case 6:
            return content.decode("latin-1").encode(
                chance.choice(("utf-16", "utf-8-sig", "utf-32"))
            )
        case 7:
            return content.replace(separator, chance.choice((b"|", b" ", b"", b",,")))
        case _:
            return b"\n".join(lines[:at] + [lines[at]] * chance.choice((2, 500)) + lines[at:])
    lines[at] = separator.join(cells)
    return b"\n".join(lines)


# Pictures ----------------------------------------------------------------------------------------


def _png(content: bytes, chance: random.Random) -> bytes:
    chunks, at = [], 8
    while at < len(content):
        (size,) = struct.unpack(">I", content[at : at + 4])
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += size + 12
    which = 0 if chance.random() < 0.5 else chance.randrange(len(chunks))
    kind, body = chunks[which]
    match chance.randrange(5):
        case 0 | 1 if kind == b"IHDR":
            width, height, *rest = struct.unpack(">IIBBBBB", body)
            sides = (0, 1, 4_999, 5_000, 20_000, 65_535, 2**31 - 1, 2**31)
            which_sides = chance.choice(((True, False), (False, True), (True, True)))
            width, height = (
                chance.choice(sides) if is_new else side
                for is_new, side in zip(which_sides, (width, height), strict=True)
            )
            rest[chance.randrange(5)] = chance.choice((*rest, 0, 1, 2, 3, 4, 6, 8, 16, 255))
            body = struct.pack(">IIBBBBB", width, height, *rest)
        case 2:
            kind = chance.choice((b"IDAT", b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"eXIf", b"acTL"))
        case 3:
            del chunks[which]
        case _:
            body = _bytes(body, chance)
    if which < len(chunks):
        chunks[which] = kind, body
    return png(chunks)


def png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    """Return a PNG file of these chunks, their checksums right."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


_FORMATS: dict[bytes, Callable[[bytes, random.Random], bytes]] = {
    rb"PK\x03\x04": _zip,
    rb"\x1f\x8b": _gzip,
    rb"\x93NUMPY\x01": _npy,
    rb"\x00\x00[\x08-\x0e][\x01-\x04]": _idx,
    rb"\x89PNG": _png,
    rb"\s*[{\[]": _json,
    rb"[\x09\x0a\x0d\x20-\x7e\x80-\xff]+$": _text,
}
"""How a file begins, and what alters it with respect to its format."""
