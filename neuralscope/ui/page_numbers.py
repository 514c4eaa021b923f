"""The numbers of the pages that something long is shown on: all of them, where they are few.

Streamlit's own leaves numbers out to fit its place, and counts too timidly where there are fewer
than five: of two pages it shows the current one alone, of three it hides the one in the middle.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import streamlit as st

FEW: Final = 4
"""Up to so many pages have a button each; that fits a telephone."""


def choose(
    n_pages: int,
    *,
    key: str,
    page: int = 1,
    on_change: Callable[..., None] | None = None,
    args: tuple[Any, ...] = (),
) -> int:
    """Draw the numbers and return the one that is chosen.

    Args:
        n_pages: How many pages there are; at least 2.
        key: Tells these numbers from others.
        page: The page that is shown first, from 1.
        on_change: What a choice does.
        args: What `on_change` is given.
    """
    if n_pages > FEW:
        # It fits as many numbers as its width has room for, so that width has to be said.
        width = 90 + 40 * min(n_pages, 8)
        return st.pagination(
            n_pages, default=page, key=key, width=width, on_change=on_change, args=args
        )
    chosen: int = st.segmented_control(
        "Page",
        range(1, n_pages + 1),
        default=page,
        required=True,
        key=key,
        label_visibility="collapsed",
        on_change=on_change,
        args=args,
    )
    return chosen
