"""What may be in files from outside, and the error of all that may not."""

from __future__ import annotations

from neuralscope.confined import Limits

MOST_BYTES = 512 * 2**20
"""Size up to which a file is read, and up to which it may unpack."""

FOR_READING = Limits(memory=800 * 2**20, seconds=30.0, result=256 * 2**20)
"""What reading the files of a data set may take. MNIST's 70,000 pictures take 670 MB and 3 s as a
packed CSV, 640 MB as float64 in an `.npz`, and less in all other ways; the result has a byte a
pixel."""

SMALL = 2**20
"""Bytes, packed and unpacked, of files that are read without a process of their own, which would
take 0.15 s to start. Whatever they hold takes some 40 MB and a fifth of a second at most."""

MOST_FILES = 8
MOST_SIDE = 64
FEWEST_CLASSES, MOST_CLASSES = 2, 100
FEWEST_OF_A_CLASS = 5
LONGEST_CLASS_NAME = 40


class Unfit(ValueError):
    """Data that cannot be used; the text is the reason, a clause for people."""


class Unlabelled(Unfit):
    """A file without labels or without pictures: of no use alone, but no fault beside others."""


def shown(text: str) -> str:
    """Return a name from outside as it can stand in a sentence."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain if len(plain) <= 80 else f"{plain[:77]}..."


def megabytes(size: int) -> str:
    """Return a number of bytes for people."""
    return f"{size / 2**20:,.0f} MB"
