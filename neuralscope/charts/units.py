"""What the units of a network do: shaded grids, a heat map of preferences, bars for one unit.

Colours are laid over the page by opacity, so nothing stands out where nothing happens, on a light
and on a dark page alike. A layer that is never below zero has one colour, an amount; one that can
be has two, blue below zero and red above.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neuralscope.charts.colors import DIVERGING, NEUTRAL, SEQUENTIAL, class_colors, contrast, rgb
from neuralscope.charts.figure import (
    BACKGROUND,
    FADED_INK,
    GROWS,
    INK,
    Figure,
    at_pixels,
    class_rows,
    in_rows,
    table,
    template,
)
from neuralscope.charts.images import digit_tiles

GRID_WIDTH: Final = 320  # pixels; fits a telephone
MOST_COLUMNS: Final = 32
LARGEST_CELL: Final = 22  # pixels
AMOUNT: Final = SEQUENTIAL[3]
NEGATIVE: Final = DIVERGING[1]
POSITIVE: Final = DIVERGING[5]
BAR: Final = 20  # pixels from one bar to the next
# As wide as the page, but the height is that of the plot alone: axes come on top of it.
FIT_WIDTH: Final = {"type": "fit-x", "contains": "padding"}
STRIP_GAP: Final = 12  # pixels between two pictures
STRIP_CAPTION: Final = 44  # pixels under a picture for its two lines
FAINTEST: Final = 0.08  # opacity of a unit that does nothing: its place is seen, no more


def unit_grid(values: ArrayLike, *, layer: str = "layer") -> Figure:
    """Draw each unit's activation for one example as a shaded square, row by row.

    The shade is scaled to the largest size in this layer: layers are not compared by it.

    Args:
        values: (units,), the activations; what is not a number is drawn as nothing.
        layer: What the layer is called in the text.
    """
    activations = np.asarray(values, dtype=np.float64)
    columns, cell = _grid(len(activations))
    row, column = np.divmod(np.arange(len(activations)), columns)
    shade, fill = _shade(activations, _largest(activations))
    units = pd.DataFrame(
        {
            "unit": np.arange(1, len(activations) + 1),
            "x": column * cell,
            "y": row * cell,
            "value": activations,
            "shade": shade,
            "fill": fill,
        }
    )
    return Figure(
        _grid_template(len(activations)),
        {"units": units},
        describe_units(activations, layer=layer),
    )


def describe_units(values: ArrayLike, *, layer: str = "layer") -> str:
    """Say in one sentence what `unit_grid` shows.

    >>> describe_units([0.0, 2.0, 0.5], layer="Hidden layer 1")
    'Hidden layer 1: 2 of 3 units are active, unit 2 the most with 2.'
    """
    activations = np.nan_to_num(np.asarray(values, np.float64), posinf=np.inf, neginf=-np.inf)
    size = np.abs(activations)
    if not size.any():
        return f"{layer}: none of {len(size):,} units is active."
    most = int(size.argmax())
    return (
        f"{layer}: {int(np.count_nonzero(size)):,} of {len(size):,} units are active,"
        f" unit {most + 1} the most with {activations[most]:.3g}."
    )


def class_bars(
    values: ArrayLike,
    *,
    title: str,
    class_names: Sequence[str] | None = None,
    number_format: str = ".3g",
    noun: str = "digit",
) -> Figure:
    """Draw one number for each class as bars to either side of zero, in the classes' colours.

    Args:
        values: (classes,); what is not a number gets no bar.
        title: What the numbers are, with their unit; the title of the axis.
        class_names: One name a class; their numbers if not given.
        number_format: How they are written, in d3's notation.
        noun: What one class is called.
    """
    numbers = np.array(values, dtype=np.float64)
    numbers[~np.isfinite(numbers)] = np.nan
    names = _names(class_names, len(numbers))
    bars = pd.DataFrame({"class": np.arange(len(numbers)), "value": numbers, "name": names})
    return Figure(
        _bars_template(tuple(names), title, number_format, noun),
        {"bars": bars},
        describe_class_bars(numbers, title=title, class_names=names),
    )


def describe_class_bars(
    values: ArrayLike, *, title: str, class_names: Sequence[str] | None = None
) -> str:
    """Say in one sentence what `class_bars` shows.

    >>> describe_class_bars([0.5, -2.0, 1.25], title="Logit")
    'Logit: highest for 2 (1.25), lowest for 1 (-2).'
    """
    numbers = np.asarray(values, dtype=np.float64)
    names = _names(class_names, len(numbers))
    known = np.flatnonzero(np.isfinite(numbers))
    if not len(known):
        return f"{title}: no numbers."
    highest, lowest = (
        int(known[numbers[known].argmax()]),
        int(known[numbers[known].argmin()]),
    )
    if numbers[highest] == numbers[lowest]:
        return f"{title}: {numbers[highest]:.3g} for all."
    return (
        f"{title}: highest for {names[highest]} ({numbers[highest]:.3g}),"
        f" lowest for {names[lowest]} ({numbers[lowest]:.3g})."
    )


def unit_heat_map(
    means: ArrayLike,
    *,
    order: ArrayLike,
    preferred: ArrayLike,
    chosen: int | None = None,
    class_names: Sequence[str] | None = None,
    noun: str = "digit",
) -> Figure:
    """Draw the mean activation of every unit on every class as a heat map.

    Each column is a unit, each row a class. The line below groups the units by the class that they
    prefer. A click selects a unit: the selection is called `unit` and has the field `unit`, as the
    unit's number from 1.

    Args:
        means: (units, classes).
        order: (units,), the units from left to right, numbered from 0.
        preferred: (units,), the class each unit prefers, -1 for none.
        chosen: The unit to outline, numbered from 0.
        class_names: One name a class; their numbers if not given.
        noun: What one class is called.
    """
    values = np.asarray(means, dtype=np.float64)
    order, preferred = (np.asarray(a).astype(np.int64) for a in (order, preferred))
    units, k = values.shape
    names = _names(class_names, k)
    sorted_values = values[order]
    shade, sign = _cell_shades(sorted_values)
    rank = np.repeat(np.arange(units, dtype=np.int32), k)
    row = np.tile(np.arange(k, dtype=np.int32), units)
    cells = pd.DataFrame(
        {
            "unit": (order[rank] + 1).astype(np.int32),
            "start": rank,
            "end": rank + 1,
            "class": row,
            "name": pd.Categorical.from_codes(row.astype(np.int8), pd.Index(names))
            if len(set(names)) == k
            else np.asarray(names, dtype=object)[row],
            "value": np.where(np.isfinite(sorted_values), sorted_values, np.nan)
            .ravel()
            .astype(np.float32),
            "shade": shade.ravel().astype(np.float32),
            "sign": sign.ravel(),
        }
    )
    place = np.flatnonzero(order == chosen) if chosen is not None else order[:0]
    marked = pd.DataFrame({"start": place, "end": place + 1}).astype(np.int32)
    return Figure(
        _heat_map_template(units, tuple(names), noun),
        {"cells": cells, "groups": _groups(preferred[order], names), "chosen": marked},
        describe_unit_heat_map(values, preferred=preferred, class_names=names),
    )


def describe_unit_heat_map(
    means: ArrayLike, *, preferred: ArrayLike, class_names: Sequence[str] | None = None
) -> str:
    """Say in one sentence what `unit_heat_map` shows.

    >>> describe_unit_heat_map([[1.0, 0.0], [0.0, 2.0], [0.0, 3.0]], preferred=[0, 1, 1])
    'Mean activation of 3 units on each of 2 classes; 1 prefers 0, 2 prefer 1.'
    """
    units, k = np.asarray(means).shape
    names = _names(class_names, k)
    chosen = np.asarray(preferred, np.int64)
    counts = [(names[c], int((chosen == c).sum())) for c in range(k)]
    counts.append(("none", int((chosen < 0).sum())))
    parts = [
        f"{number:,} {'prefers' if number == 1 else 'prefer'} {name}"
        for name, number in counts
        if number
    ]
    return f"Mean activation of {units:,} units on each of {k} classes; {', '.join(parts)}."


def example_strip(
    images: ArrayLike,
    *,
    index: ArrayLike,
    true: ArrayLike,
    values: ArrayLike,
    image_shape: tuple[int, int],
    class_names: Sequence[str] | None = None,
    pixel_max: float = 255,
    size: int = 64,
    noun: str = "digit",
) -> Figure:
    """Lay digits out in rows, each with its true class and a unit's activation beneath.

    As many stand in a row as the chart has room for.

    A click selects one: the selection is called `picture` and has the field `index`.

    Args:
        images: (n, features), 0 is paper.
        index: (n,), what a click on each gives back.
        true: (n,), their true classes.
        values: (n,), the activations.
        image_shape: (height, width) of one.
        class_names: One name a class; their numbers if not given.
        pixel_max: The pixel value that is full ink.
        size: Width and height of a picture on the screen, in pixels.
        noun: What one picture is called.
    """
    index, true = (np.asarray(a).astype(np.int64) for a in (index, true))
    activations = np.asarray(values, dtype=np.float64)
    n = len(index)
    highest = int(true.max(initial=0)) + 1
    names = _names(class_names, highest)
    tiles = (
        digit_tiles(images, image_shape=image_shape, pixel_max=pixel_max, size=2 * size)
        if n
        else []
    )
    pictures = pd.DataFrame(
        {
            "index": index,
            "place": np.arange(n),
            "of": n,
            "picture": tiles,
            "name": [names[t] for t in true.tolist()],
            "value": [f"{v:.3g}" for v in activations.tolist()],
            "color": [_color(t) for t in true.tolist()],
        }
    )
    text = f"No {noun}s to show."
    if n:
        label = f"1 {noun}" if n == 1 else f"{n} {noun}s"
        text = (
            f"{label}, the first a {names[int(true[0])]} with an activation of"
            f" {activations[0]:.3g}, the last a {names[int(true[-1])]} with {activations[-1]:.3g}."
        )
    return Figure(_strip_template(size), {"pictures": pictures}, text)


# Pieces ------------------------------------------------------------------------------------------


def _names(class_names: Sequence[str] | None, k: int) -> list[str]:
    return [str(name) for name in class_names] if class_names is not None else _numbers(k)


def _numbers(k: int) -> list[str]:
    return [str(number) for number in range(k)]


def _color(number: int) -> str:
    return class_colors(number + 1)[number]


def _largest(values: NDArray[np.float64]) -> float:
    size = np.abs(values[np.isfinite(values)])
    return float(size.max(initial=0.0))


def _shade(
    values: NDArray[np.float64], largest: float
) -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    """Opacity and colour of each value."""
    size = np.nan_to_num(np.abs(values), nan=0.0, posinf=largest)
    share = size / largest if largest > 0 else np.zeros_like(size)
    shade = np.where(size > 0, FAINTEST + (1 - FAINTEST) * share, FAINTEST)
    signed = bool((values < 0).any())
    above = POSITIVE if signed else AMOUNT
    which = np.where(size == 0, 2, np.where(values < 0, 0, 1))
    return shade, np.asarray([NEGATIVE, above, NEUTRAL], dtype=object)[which]


def _grid(units: int) -> tuple[int, int]:
    """Columns of a grid of that many units, about twice as wide as high, and pixels of a cell."""
    columns = max(1, min(MOST_COLUMNS, math.ceil(math.sqrt(2 * units))))
    return columns, min(LARGEST_CELL, GRID_WIDTH // columns)


@functools.lru_cache(maxsize=32)
def _grid_template(units: int) -> Mapping[str, Any]:
    columns, cell = _grid(units)
    rows = -(-units // columns)
    squares = (
        at_pixels("units")
        .mark_rect(
            width=cell - 1, height=cell - 1, xOffset=cell / 2, yOffset=cell / 2, cornerRadius=1
        )
        .encode(
            fill=alt.Fill("fill:N", scale=None, legend=None),
            fillOpacity=alt.FillOpacity("shade:Q", scale=None, legend=None),
            tooltip=[
                alt.Tooltip("unit:Q", title="Unit", format="d"),
                alt.Tooltip("value:Q", title="Activation", format=".4g"),
            ],
        )
        .properties(width=columns * cell, height=rows * cell)
    )
    return template(squares, autosize={"type": "pad", "contains": "padding"})


def _cell_shades(
    values: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """Opacity, and which of the four colours (see `_heat_map_template`), of each mean."""
    finite = np.abs(values[np.isfinite(values)])
    # A few units far above the rest would leave the others pale.
    largest = float(np.percentile(finite, 99.5)) if len(finite) else 0.0
    largest = largest or float(finite.max(initial=0.0))
    size = np.nan_to_num(np.abs(values), nan=0.0, posinf=largest)
    share = np.minimum(size / largest, 1) if largest > 0 else np.zeros_like(size)
    signed = bool((values < 0).any())
    sign = np.where(size == 0, 0, np.where(values < 0, -1, 1 if signed else 2)).astype(np.int8)
    return FAINTEST + (1 - FAINTEST) * share, sign


def _groups(preferred: NDArray[np.int64], names: Sequence[str]) -> pd.DataFrame:
    """From where to where the units that prefer each class stand, and what is written there."""
    n = len(preferred)
    starts = np.flatnonzero(np.diff(preferred, prepend=-2))
    ends = np.append(starts[1:], n)
    classes = preferred[starts]
    fill = [NEUTRAL if c < 0 else _color(c) for c in classes.tolist()]
    dark, light = rgb("#000000"), rgb("#ffffff")
    return pd.DataFrame(
        {
            "start": starts,
            "end": ends,
            "middle": (starts + ends) / 2,
            "count": ends - starts,
            "name": ["none" if c < 0 else names[c] for c in classes.tolist()],
            # No room for a word on a narrow group: its colour and the tooltip have to do.
            "label": [
                ("" if end - start < 0.03 * n else "none" if c < 0 else names[c])
                for start, end, c in zip(
                    starts.tolist(), ends.tolist(), classes.tolist(), strict=True
                )
            ],
            "fill": fill,
            "ink": [
                "#000000" if contrast(rgb(f), dark) >= contrast(rgb(f), light) else "#ffffff"
                for f in fill
            ],
        }
    )


@functools.lru_cache(maxsize=32)
def _heat_map_template(units: int, names: tuple[str, ...], noun: str) -> Mapping[str, Any]:
    k = len(names)
    unit = alt.selection_point(name="unit", fields=["unit"], on="click")
    # The row of groups comes last, as class -1.
    rows = alt.Scale(domain=[*range(k), -1], paddingInner=0.06, paddingOuter=0)
    labels = json.dumps([*names, "prefer"])
    y_axis = alt.Axis(
        labelExpr=f"{labels}[datum.value < 0 ? {k} : datum.value]",
        ticks=False,
        domain=False,
        grid=False,
        labelPadding=6,
        labelOverlap=False,
        labelLimit=90,
    )
    y = alt.Y("class:O", title=f"True {noun}", scale=rows, axis=y_axis)
    x = alt.X(
        "start:Q",
        title=f"Units, ordered by the {noun} that they prefer",
        scale=alt.Scale(domain=[0, units], nice=False, zero=False),
        axis=alt.Axis(ticks=False, labels=False, grid=False, domain=False),
    )
    colors = alt.Scale(domain=[-1, 0, 1, 2], range=[NEGATIVE, NEUTRAL, POSITIVE, AMOUNT])
    cells = (
        alt.Chart(table("cells"))
        .mark_rect(cursor="pointer", stroke=BACKGROUND, strokeWidth=1 if units <= 160 else 0)
        .encode(
            x=x,
            x2="end:Q",
            y=y,
            fill=alt.Fill("sign:O", scale=colors, legend=None),
            fillOpacity=alt.FillOpacity("shade:Q", scale=None, legend=None),
            tooltip=[
                alt.Tooltip("unit:Q", title="Unit", format="d"),
                alt.Tooltip("name:N", title=f"True {noun}"),
                alt.Tooltip("value:Q", title="Mean activation", format=".3g"),
            ],
        )
        .add_params(unit)
    )
    group = (
        alt.Chart(table("groups"))
        .encode(
            y=alt.Y("class:O", scale=rows, axis=y_axis),
            tooltip=[
                alt.Tooltip("name:N", title="They prefer"),
                alt.Tooltip("count:Q", title="Units"),
            ],
        )
        .transform_calculate("class", "-1")
    )
    bands = group.mark_rect(stroke=BACKGROUND, strokeWidth=1).encode(
        x=x, x2="end:Q", fill=alt.Fill("fill:N", scale=None, legend=None)
    )
    words = group.mark_text(fontSize=11, fontWeight="bold").encode(
        x=alt.X("middle:Q"),
        text="label:N",
        color=alt.Color("ink:N", scale=None, legend=None),
    )
    outline = (
        alt.Chart(table("chosen"))
        .mark_rect(fill=None, stroke=INK, strokeWidth=2)
        .encode(x=x, x2="end:Q", y=alt.value(0), y2=alt.value("height"))
    )
    return template(
        alt.layer(cells, bands, words, outline).properties(height=24 * (k + 1)),
        autosize=FIT_WIDTH,
    )


@functools.lru_cache(maxsize=32)
def _strip_template(size: int) -> Mapping[str, Any]:
    picture = alt.selection_point(name="picture", fields=["index"], on="click")
    base = in_rows("pictures", width=size, height=size + STRIP_CAPTION, gap=STRIP_GAP).encode(
        tooltip=[
            alt.Tooltip("index:Q", title="Number", format="d"),
            alt.Tooltip("name:N", title="True"),
            alt.Tooltip("value:N", title="Activation"),
        ],
    )

    def beneath(down: int) -> dict[str, Any]:
        return {"align": "center", "baseline": "top", "dx": size / 2, "dy": size + down}

    layers = [
        base.mark_image(width=size, height=size, align="left", baseline="top", cursor="pointer")
        .encode(url="picture:N")
        .add_params(picture),
        base.mark_text(fontSize=13, fontWeight="bold", color=INK, **beneath(4)).encode(
            text="name:N"
        ),
        base.mark_text(fontSize=11, color=FADED_INK, **beneath(20)).encode(text="value:N"),
    ]
    return template(
        alt.layer(*layers).properties(
            width=8 * (size + STRIP_GAP) - STRIP_GAP,  # where it does not stretch
            height=size + STRIP_CAPTION,
        ),
        autosize=GROWS,
    )


@functools.lru_cache(maxsize=32)
def _bars_template(
    names: tuple[str, ...], title: str, number_format: str, noun: str
) -> Mapping[str, Any]:
    k = len(names)
    base = alt.Chart(table("bars")).encode(
        y=class_rows(names),
        tooltip=[
            alt.Tooltip("name:N", title=noun.capitalize()),
            alt.Tooltip("value:Q", title=title, format=number_format),
        ],
    )
    bars = base.mark_bar(cornerRadiusEnd=2).encode(
        x=alt.X("value:Q", title=title, axis=alt.Axis(tickCount=5, grid=True)),
        color=alt.Color(
            "class:O",
            scale=alt.Scale(domain=list(range(k)), range=[_color(i) for i in range(k)]),
            legend=None,
        ),
    )
    zero = alt.Chart(table("bars")).mark_rule(color=FADED_INK).encode(x=alt.datum(0))
    return template(alt.layer(bars, zero).properties(height=BAR * k), autosize=FIT_WIDTH)
