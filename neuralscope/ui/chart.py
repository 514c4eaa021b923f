"""A chart or a table on a page, in words too, and to be saved: the one place where they are drawn.

A chart that is redrawn while it is watched has one constant sentence as its text alternative, since
the browser draws it anew when that changes; one that stands still has the sentence that tells what
it shows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal
from weakref import WeakKeyDictionary

import pandas as pd
import streamlit as st
from streamlit.dataframe_util import convert_anything_to_arrow_bytes

from neuralscope import charts
from neuralscope.runs import Run
from neuralscope.ui import saving
from neuralscope.ui.moment import Moment


def draw(
    figure: charts.Figure,
    what: str,
    *,
    key: str,
    of: Moment | Run | None = None,
    when: str | None = None,
    live: bool | None = None,
    width: Literal["stretch", "content"] = "stretch",
    on_select: Literal["ignore", "rerun"] | Callable[[], None] = "ignore",
) -> Any:
    """Draw a chart that can be saved.

    Args:
        figure: The chart.
        what: What it shows, in a few constant words: 'Confusion matrix'. Names its file, and the
            chart itself while that is redrawn.
        key: Tells it from the others of its page.
        of: Of which run, or of which moment of one.
        when: At which moment, where `of` does not say it: 'epoch 7'.
        live: Whether it is redrawn while somebody looks; by default while the run moves.
        width: 'stretch' to the width there is, or 'content' for that of the chart.
        on_select: What a selection does.

    Returns:
        The selection, where the chart has one.
    """
    whose, said, moves = _about(of)
    alt = f"{what}, live" if (moves if live is None else live) else figure.text
    names = (whose, what, said if when is None else when)
    saving.keep(key, saving.Shown(alt, names, figure))
    return st.vega_lite_chart(
        spec=_specification(figure), key=key, alt=alt, width=width, on_select=on_select
    )


_packed: WeakKeyDictionary[charts.Figure, dict[str, bytes]] = WeakKeyDictionary()


def _specification(figure: charts.Figure) -> dict[str, Any]:
    """Return a chart as Streamlit takes it, with tables that are packed once for all who see it."""
    packed = _packed.get(figure)
    if packed is None:
        packed = {
            name: convert_anything_to_arrow_bytes(rows) for name, rows in figure.tables.items()
        }
        _packed[figure] = packed
    return {**figure.template, "datasets": dict(packed)}


def zoom(key: str) -> bool:
    """Draw the switch of curves between the whole training and its end."""
    return st.toggle(
        "Zoom to the end",
        key=key,
        help="Shows the later half of the training on a scale of its own. Off, the whole training "
        "is shown, from the untrained network on.",
    )


def table(
    rows: pd.DataFrame,
    what: str,
    *,
    key: str,
    alt: str | None = None,
    of: Moment | Run | None = None,
    width: Literal["stretch", "content"] = "stretch",
    hide_index: bool | None = None,
) -> None:
    """Draw a table, with Markdown in its cells, that can be saved.

    Args:
        rows: The table.
        what: What it shows, in a few constant words; names its file.
        key: Tells it from the others of its page.
        alt: Its text alternative; by default the same words.
        of: Of which run, or of which moment of one.
        width: As of a chart.
        hide_index: Whether the names of the rows are left out.
    """
    whose, when, _ = _about(of)
    alt = alt or what
    saving.keep(key, saving.Shown(alt, (whose, what, when), rows))
    st.table(rows, border="horizontal", width=width, hide_index=hide_index, alt=alt)


def grid(rows: pd.DataFrame, **options: Any) -> Any:
    """Draw a table that the viewer can scroll, search and download.

    What is downloaded of it, Streamlit writes in the browser, cell by cell as it stands. So what a
    spreadsheet would compute is kept from it by a letter that nobody sees.

    Args:
        rows: The table.
        options: Of `st.dataframe`.

    Returns:
        The selection, where there can be one.
    """
    return st.dataframe(charts.harmless(rows, guard="\N{WORD JOINER}"), **options)


def _about(of: Moment | Run | None) -> tuple[str, str, bool]:
    """Return whose it is, of when, and whether it moves."""
    if isinstance(of, Moment):
        return of.run.name, of.label, of.is_moving
    if of is not None:
        return of.name, f"epoch {of.epoch}", of.is_active
    return "", "", False
