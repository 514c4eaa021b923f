"""Numbers and names as people read them."""

from __future__ import annotations

import re

from neuralscope.words import percent, percentage, short_percent

__all__ = ["duration", "percent", "percentage", "plain", "short_percent"]

_MARKUP = re.compile(r"[\\`*_\[\]<>#|~$:&]|^[-+=](?=[-+=\s]|$)")
"""What Markdown reads: some characters anywhere, those of lists and rules only at the start."""

_LIST_NUMBER = re.compile(r"^(\d+)([.)])(?=\s|$)")

_REPLACED = re.compile(
    r"(?i)(?<=http)(?=s?://)|(?<=www)(?=\.)|(?=@)"  # addresses become links
    r"|(?<=:)(?=[\w+-]+:|material/)"  # emoji and icons by their names
    r"|(?<=(?<!\S)[-<>~])(?=(?:->|[->=])(?!\S))"  # arrows and signs of comparison
)
"""Where a joiner that nobody sees breaks what is replaced even when it is escaped."""


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


def plain(text: object) -> str:
    r"""Return text that is not ours, a name or an error, so that Streamlit shows it as it is.

    Every text that Streamlit reads as Markdown has to be ours, or has to go through here.

    >>> plain("*my* run")
    '\\*my\\* run'
    """
    one_line = " ".join(str(text).split())
    unread = _MARKUP.sub(r"\\\g<0>", _REPLACED.sub("\N{WORD JOINER}", one_line))
    return _LIST_NUMBER.sub(r"\1\\\2", unread)
