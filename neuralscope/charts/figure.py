"""A chart as its structure, its data and its words, kept apart so that a redraw is cheap.

Describing a layered chart in Altair and validating it takes tens of milliseconds; the data of the
next redraw takes less than one. And a browser that is sent the same specification again keeps the
chart it has and only swaps the rows, where a new one is compiled and drawn from nothing. So the
builders describe a chart once for each set of options, with Altair, and hand out that one template
with fresh tables each time:

    figure = learning_curves(points)
    st.vega_lite_chart(spec=figure.spec, key="curves", alt="Loss of the run, live")
    st.caption(figure.text)

The template holds no number that grows with the data. For the same reason the `alt` of a chart
that is redrawn while it is watched should stay one constant sentence until the run has ended: it
is part of what the browser compares.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import altair as alt
import pandas as pd

from neuralscope.charts.colors import INK_ON_DARK, INK_ON_LIGHT

# `background` is the signal in which Vega keeps the colour behind the chart: this is how one
# specification is legible in a light and in a dark theme. An unknown colour counts as light.
ON_DARK: Final = "luminance(background) < 0.4"
INK: Final = alt.ExprRef(expr=f"{ON_DARK} ? '{INK_ON_DARK}' : '{INK_ON_LIGHT}'")
FADED_INK: Final = alt.ExprRef(expr=f"{ON_DARK} ? '#a6abb8' : '#686e7b'")
BACKGROUND: Final = alt.ExprRef(expr="background")


@dataclass(frozen=True, eq=False)
class Figure:
    """One chart with its data.

    Attributes:
        template: Vega-Lite specification without data, shared between redraws: never write to it.
        tables: The rows, by the names under which the template refers to them.
        text: The text alternative: what the chart shows, in one sentence.
    """

    template: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]
    text: str

    @property
    def spec(self) -> dict[str, Any]:
        """The specification with the tables in it, as `st.vega_lite_chart(spec=...)` takes it."""
        return {**self.template, "datasets": dict(self.tables)}

    def chart(self) -> alt.TopLevelMixin:
        """The same as an Altair chart with the data inside, to save as HTML or to build upon."""
        # Through JSON, which turns what is not a number into null, as the browser expects it.
        rows = {
            name: table.astype(object).where(table.notna(), None).to_dict(orient="records")
            for name, table in self.tables.items()
        }
        spec = {**copy.deepcopy(dict(self.template)), "datasets": rows}
        chart: alt.TopLevelMixin = alt.Chart.from_dict(spec)
        return chart


def template(chart: alt.TopLevelMixin, **top_level: Any) -> Mapping[str, Any]:
    """Validate a chart without data and take its specification, for a builder to keep.

    The theme that Altair adds would override the page's, so it is left out.
    """
    spec: dict[str, Any] = chart.to_dict()
    spec.pop("config", None)
    _hide_decoration(spec)
    return {**spec, **top_level}


def _hide_decoration(spec: dict[str, Any]) -> None:
    """Keep from screen readers the marks that have nothing to say.

    Such a mark has no tooltip and is no text: a rule at zero, a ring that is not always there. A
    reader would announce a graphic without a name; what it shows, the chart's own text tells.
    """
    for part in (*spec.get("layer", ()), *spec.get("hconcat", ()), *spec.get("vconcat", ())):
        _hide_decoration(part)
    if "mark" in spec and "tooltip" not in spec.get("encoding", {}):
        mark = spec["mark"]
        mark = {"type": mark} if isinstance(mark, str) else mark
        if mark["type"] != "text":
            spec["mark"] = {**mark, "aria": False}


def table(name: str) -> alt.NamedData:
    """The table of that name, for a layer to draw from."""
    return alt.NamedData(name=name)


def at_pixels(name: str) -> alt.Chart:
    """The rows of a table where their columns `x` and `y` say, in pixels: no scale, no axis."""
    return alt.Chart(table(name)).encode(
        x=alt.X("x:Q", scale=None, axis=None), y=alt.Y("y:Q", scale=None, axis=None)
    )


def in_rows(name: str, *, width: int, height: int, gap: int) -> alt.Chart:
    """The rows of a table as tiles in lines, as many beside each other as the chart has room for.

    The lines are about equally long: of 24 tiles, 9 would fit, 8 stand in each line. The chart has
    to grow with them, see `GROWS`.

    Args:
        name: The table. Its columns `place` and `of` say which tile a row is, from 0, of how many.
        width: Pixels of a tile.
        height: Pixels from one line to the next.
        gap: Pixels between two tiles of a line.
    """
    # `width` is the signal in which Vega keeps the width that there is.
    fit = f"max(1, floor((width + {gap}) / {width + gap}))"
    columns = f"ceil(datum.of / ceil(datum.of / {fit}))"
    return (
        at_pixels(name)
        .transform_calculate(columns=columns)
        .transform_calculate(
            x=f"datum.place % datum.columns * {width + gap}",
            y=f"floor(datum.place / datum.columns) * {height}",
        )
    )


GROWS: Final = {"type": "pad", "contains": "padding", "resize": True}
"""For the `autosize` of a chart that becomes as high as what is drawn, whenever that changes."""


def class_rows(names: Sequence[str]) -> alt.Y:
    """The rows of a bar chart with one bar for each class, from a column `class`."""
    return alt.Y(
        "class:O",
        title=None,
        scale=alt.Scale(domain=list(range(len(names))), paddingInner=0.25, paddingOuter=0.1),
        axis=alt.Axis(
            # The names as a literal of the expression language: JSON is one.
            labelExpr=f"{json.dumps(list(names))}[datum.value]",
            labelFontSize=13,
            labelLimit=90,
            labelPadding=6,
            ticks=False,
            domain=False,
            labelOverlap=False,
        ),
    )
