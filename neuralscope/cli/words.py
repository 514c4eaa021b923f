"""Numbers, times and text as people read them in a terminal."""

from __future__ import annotations

import time

from neuralscope import words


def one_line(text: str) -> str:
    """Return text in one line, without anything that would steer the terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def percent(share: float | None, digits: int = 2) -> str:
    """Return a share as percent, or a dash where there is none."""
    return words.percent(share, digits, missing="-")


def number(value: float | None) -> str:
    """Return a number with four decimals, or a dash where there is none.

    >>> number(0.04321), number(None), number(3.97e27)
    ('0.0432', '-', '3.97e+27')
    """
    if value is None:
        return "-"
    return f"{value:.4f}" if abs(value) < 1e5 else f"{value:.4g}"


def duration(seconds: float) -> str:
    """Return a time span for people.

    >>> duration(7.25), duration(83), duration(3 * 3600 + 62)
    ('7.2 s', '1:23 min', '3:01 h')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d} min"
    return f"{minutes // 60}:{minutes % 60:02d} h"


def age(moment: float) -> str:
    """Return how long ago a moment was, as short as can be."""
    seconds = max(time.time() - moment, 0)
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


def date(moment: float | None) -> str:
    """Return a moment in local time, or a dash where there is none."""
    return "-" if moment is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
