"""Numbers as people read them."""

from __future__ import annotations

import re

from neuralscope.words import percent, percentage, short_percent

__all__ = ["duration", "percent", "percentage", "plain", "short_percent"]


def duration(seconds: float) -> str:
    """Return a time span in the unit that fits it.

    >>> duration(0.0023), duration(0.3134), duration(75), duration(7260)
    ('2.3 ms', '0.31 s', '1 min 15 s', '2 h 1 min')
    """
    # The limits are those from which rounding would write 1e+02 ms and 60 s.
    if seconds < 0.0995:
        return f"{1000 * seconds:.2g} ms"
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def plain(text: str) -> str:
    r"""Return text in which Markdown has no say.

    >>> plain("*my* run")
    '\\*my\\* run'
    """
    # An address becomes a link whatever is escaped in it; a joiner that nobody sees breaks it.
    text = re.sub(r"(?i)(?<=http)(?=s?://)|(?<=www)(?=\.)|(?=@)", "\N{WORD JOINER}", text)
    return re.sub(r"([\\`*_\[\]<>#|~$:])", r"\\\1", text)
