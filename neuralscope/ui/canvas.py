"""The sheet to draw on, with mouse, finger or pen.

A component of our own, about a page of JavaScript beside this file, because what NeuralScope needs
is little: one pen, one eraser, one sheet that fits any screen, a few hundred points for an answer.
The browser sends points and nothing else. They are checked here like anything from outside, and
drawn anew by `neuralscope.data.sheet`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import streamlit as st

from neuralscope import charts
from neuralscope.charts.colors import INK_ON_LIGHT, PAPER, rgb
from neuralscope.data.ink import Ink
from neuralscope.data.sheet import PEN, Stroke
from neuralscope.errors import DataError
from neuralscope.ui import words

UNITS: Final = 1000
"""Coordinates are whole numbers from 0 to this; as in canvas.js."""

MOST_STROKES: Final = 200
MOST_POINTS: Final = 6_000

_HTML = """<section>
<canvas width="560" height="560" role="img" tabindex="0"></canvas>
<div>
<button type="button" name="undo" disabled>Undo</button>
<button type="button" name="clear" disabled>Clear</button>
<button type="button" name="eraser" aria-pressed="false">Eraser</button>
</div>
</section>"""


def show(sheet: str, onto: Ink | None = None, *, label: str, key: str) -> tuple[Stroke, ...]:
    """Show a sheet and return what has been drawn on it.

    What is drawn stays when the page is left and opened again. A drawing that cannot be used is
    told in one sentence, and counts as none.

    Args:
        sheet: Names the sheet: another name is another sheet, on which nothing is drawn.
        onto: What is on it from the start, (CANVAS, CANVAS).
        label: What the sheet is, for those who cannot see it.
        key: Of the component.
    """
    state = st.session_state
    before = state.get(f"{key}_kept", {})
    problem = ""
    # The newest drawing is in the component's state before the script runs.
    try:
        kept = _arrived(state.get(key), sheet)
    except DataError as error:
        kept, problem = [], str(error)
    if kept is None:
        kept = before["strokes"] if before.get("sheet") == sheet else []
    state[f"{key}_kept"] = {"sheet": sheet, "strokes": kept}
    _component()(
        key=key,
        data={
            "sheet": sheet,
            "picture": _picture(onto) if onto is not None else None,
            "strokes": kept,
            "label": label,
            "pen": PEN,
            "ink": INK_ON_LIGHT,
            "paper": PAPER,
        },
        on_drawing_change=_nothing,
    )
    if problem:
        st.warning(words.plain(problem), icon=":material/error:")
    return strokes(kept)


def strokes(messages: Sequence[dict[str, Any]]) -> tuple[Stroke, ...]:
    """Return checked messages as strokes."""
    return tuple(
        Stroke(
            tuple(
                (x / UNITS, y / UNITS)
                for x, y in zip(each["points"][::2], each["points"][1::2], strict=True)
            ),
            each["erases"],
        )
        for each in messages
    )


def checked(message: object) -> list[dict[str, Any]]:
    """Return the strokes of a drawing as it arrived from a browser, if it can be one.

    Raises:
        DataError: It cannot.
    """
    if not isinstance(message, list):
        raise DataError(_DAMAGED)
    if len(message) > MOST_STROKES:
        raise DataError(
            f"The drawing has more than {MOST_STROKES} strokes, more than are read: "
            "undo some, or clear it."
        )
    n_points = 0
    for stroke in message:
        if not isinstance(stroke, dict) or stroke.keys() != {"erases", "points"}:
            raise DataError(_DAMAGED)
        points = stroke["points"]
        if not isinstance(stroke["erases"], bool) or not isinstance(points, list):
            raise DataError(_DAMAGED)
        if not points or len(points) % 2:
            raise DataError(_DAMAGED)
        n_points += len(points) // 2
        if n_points > MOST_POINTS:
            raise DataError(
                f"The drawing has more than {MOST_POINTS:,} points, more than are read: "
                "undo some strokes, or clear it."
            )
        for number in points:
            # A bool is an int to Python, but no place on a sheet; JSON may write 12 as 12.0.
            whole = isinstance(number, int) and not isinstance(number, bool)
            whole = whole or (isinstance(number, float) and number.is_integer())
            if not whole or not 0 <= number <= UNITS:
                raise DataError(_DAMAGED)
    return message


_DAMAGED = "The drawing did not arrive as it was drawn: clear it and draw once more."


def _arrived(value: object, sheet: str) -> list[dict[str, Any]] | None:
    """Return the strokes that the component holds for this sheet; None if for another, or none."""
    drawn = value.get("drawing") if hasattr(value, "get") else None
    if drawn is None:
        return None
    if not hasattr(drawn, "get") or not isinstance(drawn.get("sheet"), str):
        raise DataError(_DAMAGED)
    if drawn["sheet"] != sheet:
        return None  # drawn before this sheet was laid here
    return checked(drawn.get("strokes"))


def _picture(onto: Ink) -> str:
    """Return what is on the sheet from the start, in the colours of the sheet."""
    share = onto[..., None]
    mixed = (1 - share) * rgb(PAPER) + share * rgb(INK_ON_LIGHT)
    return charts.data_uri(np.rint(mixed * 255).astype(np.uint8))


def _nothing() -> None:
    """Let a new drawing draw the page anew, and nothing more."""


@functools.cache
def _component() -> Any:
    folder = Path(__file__).parent
    return st.components.v2.component(
        "neuralscope_canvas",
        html=_HTML,
        css=(folder / "canvas.css").read_text(encoding="utf-8"),
        js=(folder / "canvas.js").read_text(encoding="utf-8"),
    )
