"""Saving what is shown: charts as PNG, SVG and CSV, tables as CSV, pictures as PNG.

Streamlit's own toolbar at a chart saves a PNG under the name of the minute and the raw table of one
layer. So a component of our own, one to a page, puts three buttons into that toolbar instead. It
takes a drawing from the page as it stands, and asks the server for the name of the file and for
the data only when a button is pressed: a chart that is redrawn twice a second costs what it cost.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import pandas as pd
import streamlit as st

from neuralscope import charts
from neuralscope.ui import words

FORMATS: Final = ("png", "svg", "csv")
MOST_KEPT: Final = 64
"""How many of the charts and tables last drawn can be saved: more than a page shows."""

MOST_PIXELS: Final = 4_000
_MARKDOWN: Final = {
    r":[\w-]+-badge\[(?::[\w/]+: )?([^\]]*)\]": r"\1",
    r"\*\*": "",
    r"\\(.)": r"\1",
    "\N{WORD JOINER}": "",
}
"""What is written around and into the words of a table's cells: badges, bold, escapes."""

_KEPT, _ANSWER, _COUNT = "saving_kept", "saving_answer", "saving_count"


class Shown(NamedTuple):
    """A chart or table that is on the page.

    Attributes:
        alt: Its text alternative, by which the browser names it.
        names: What the name of its file is made of.
        content: Its data.
    """

    alt: str
    names: tuple[str, ...]
    content: charts.Figure | pd.DataFrame


def keep(key: str, shown: Shown) -> None:
    """Remember what is shown under a key, in case somebody wants to save it."""
    kept: dict[str, Shown] = st.session_state.setdefault(_KEPT, {})
    kept.pop(key, None)  # the latest are last
    kept[key] = shown
    if len(kept) > MOST_KEPT:
        del kept[next(iter(kept))]


class Answer(NamedTuple):
    """What the server says to somebody who wants to save something.

    Attributes:
        name: Of the file, without its ending.
        csv: The data, where that was asked for.
        drawing: The chart, where it is to be drawn once more as SVG, and its width in pixels.
        problem: Why there is nothing to save.
    """

    name: str = ""
    csv: str | None = None
    drawing: tuple[charts.Figure, int] | None = None
    problem: str = ""


def offer() -> None:
    """Let everything on this page be saved; once a page, before anything is drawn on it."""
    st.session_state[_KEPT] = {}  # of the page before
    st.fragment(_offer)()


def _offer() -> None:
    ticket, answer = st.session_state.pop(_ANSWER, (None, None))
    if answer is None:
        _component()(key="saving", data=None, on_wanted_change=_hear)
        return
    # A sheet of its own for each drawing, so that one is not taken for the one before.
    sheet = f"saving_sheet_{st.session_state[_COUNT]}" if answer.drawing else None
    data = {"ticket": ticket, "name": answer.name, "csv": answer.csv, "sheet": sheet}
    _component()(key="saving", data=data, on_wanted_change=_hear)
    if answer.drawing is not None:
        figure, width = answer.drawing
        with st.container(key=sheet):
            st.vega_lite_chart(spec=_as_svg(figure), width=width)


def _hear() -> None:
    """Answer what the browser asks for when somebody presses one of the buttons."""
    wanted = st.session_state["saving"].get("wanted")
    if not isinstance(wanted, Mapping) or wanted.get("format") not in FORMATS:
        return
    reply = answer(wanted, [*st.session_state.get(_KEPT, {}).values()])
    if reply.problem:
        st.toast(words.plain(reply.problem), icon=":material/refresh:")
    st.session_state[_COUNT] = st.session_state.get(_COUNT, 0) + 1
    st.session_state[_ANSWER] = (wanted.get("ticket"), reply)


def answer(wanted: Mapping[str, Any], kept: Sequence[Shown]) -> Answer:
    """Return what is asked for.

    Args:
        wanted: What the browser says: the `format`, `what` is to be saved (its text alternative),
            and the `width` of a chart that is to be drawn once more.
        kept: What is on the page, the latest last.
    """
    what, width = str(wanted.get("what", "")), wanted.get("width")
    shown = next((each for each in reversed(kept) if each.alt == what), None)
    if shown is not None:
        name = file_name(*shown.names)
        if wanted["format"] == "csv":
            return Answer(name, csv=csv(shown.content))
        if isinstance(shown.content, charts.Figure) and isinstance(width, int | float):
            return Answer(name, drawing=(shown.content, min(max(int(width), 1), MOST_PIXELS)))
        return Answer(name)
    if wanted["format"] == "csv" or width is not None:
        return Answer(problem="It has changed meanwhile. Press once more.")
    # A picture: the page has it, and nothing is kept here but of whom the page is.
    of = kept[-1].names if kept else ()
    return Answer(file_name(*of[:1], what, *of[2:]))


def csv(content: charts.Figure | pd.DataFrame) -> str:
    """Return the data of a chart or a table as CSV, with columns that say what they hold.

    No cell is a formula to a spreadsheet, see `charts.harmless`.
    """
    if isinstance(content, charts.Figure):
        return _as_csv(charts.saved_rows(content))
    rows = content.reset_index() if content.index.name else content
    return _as_csv(charts.readable(rows.replace(_MARKDOWN, regex=True)))


def _as_csv(rows: pd.DataFrame) -> str:
    text: str = charts.harmless(rows).to_csv(index=False)
    return text


def file_name(*names: str) -> str:
    """Return a name for a file, without its ending.

    >>> file_name("My run: no. 3", "Confusion matrix", "epoch 7")
    'my-run-no-3_confusion-matrix_epoch-7'
    """
    parts = [re.sub(r"[\W_]+", "-", name.lower()).strip("-") for name in names]
    short = [
        part if len(part) <= 60 else part[:60].rpartition("-")[0] or part[:60] for part in parts
    ]
    return "_".join(filter(None, short)) or "chart"


def _as_svg(figure: charts.Figure) -> dict[str, Any]:
    usermeta = {**figure.template.get("usermeta", {}), "embedOptions": {"renderer": "svg"}}
    return {**figure.spec, "usermeta": usermeta}


@functools.cache
def _component() -> Any:
    folder = Path(__file__).parent
    return st.components.v2.component(
        "neuralscope_saving",
        html="<span></span>",
        css=(folder / "saving.css").read_text(encoding="utf-8"),
        js=(folder / "saving.js").read_text(encoding="utf-8"),
        isolate_styles=False,  # the buttons stand at the charts, not in the component
    )
