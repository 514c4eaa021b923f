"""Numbers as people read them: how a share is written, on the page, in charts and in a terminal.

Every percentage is written here, so that the same network has the same accuracy wherever it is
read. 100 % means all of them and 0 % means none of them, whatever rounding would say.
"""

from __future__ import annotations

import math


def percent(share: float | None, digits: int = 2, *, missing: str = "–") -> str:
    """Return a share as percent.

    Args:
        share: From 0 to 1; None or NaN where nothing was measured.
        digits: Decimals of the percentage.
        missing: What to write where nothing was measured.

    >>> percent(0.98765), percent(0.99999), percent(0.99999, 0), percent(1.0), percent(None)
    ('98.77 %', '99.99 %', '99 %', '100.00 %', '–')
    >>> percent(0.0), percent(0.00001)
    ('0.00 %', '<0.01 %')
    """
    if share is None or not math.isfinite(share):
        return missing
    if share > 0 and not round(100 * share, digits):
        return f"<{percentage(share, digits):.{digits}f} %"
    return f"{percentage(share, digits):.{digits}f} %"


def percentage(share: float, digits: int = 2) -> float:
    """Return a share in percent that so many decimals write as 100 only for all, 0 only for none.

    >>> percentage(0.98765), percentage(0.99999), percentage(0.00001), percentage(0.0)
    (98.765, 99.99, 0.01, 0.0)
    """
    step: float = 10.0**-digits
    return min(max(100 * share, step), 100 - step) if 0 < share < 1 else 100 * share


def short_percent(share: float) -> str:
    """Return a probability in few characters, with more digits near its two ends.

    >>> [short_percent(p) for p in (0.0, 0.0001, 0.034, 0.87, 0.9999999, 1.0)]
    ['0 %', '<0.1 %', '3.4 %', '87 %', '99.99 %', '100 %']
    """
    if 0 < share < 0.0995:
        return percent(share, 1)
    if 0.995 <= share < 1:
        return percent(share, 2)
    return percent(share, 0, missing="unknown")
