"""What may be in files from outside, and the error of all that may not."""

from __future__ import annotations

MOST_BYTES = 512 * 2**20
"""Size up to which a file is read, and up to which it may unpack."""

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
