"""The confusion matrix: which class was taken for which.

A network that is any good puts nearly everything on the diagonal, a hundred times more than in any
other cell, and on one colour scale its errors would all look like zero. So there are two scales:
the diagonal is a calm green that only says how much of each class was found, and the errors are a
vermilion scaled to the largest error. Colours are laid over the page by opacity, which makes a
light cell pale on a light page and dim on a dark one.

The difference of two matrices is drawn likewise: green where the one is better, vermilion where it
is worse. On the diagonal more is better, beside it fewer is.

Rows are the true class, columns the predicted one. A click selects a cell: the selection is called
`cell` and has the fields `true` and `predicted`, as class numbers.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neuralscope.charts.colors import (
    DARK_BACKGROUND,
    LIGHT_BACKGROUND,
    NEUTRAL,
    RIGHT,
    WRONG,
    contrast,
    rgb,
)
from neuralscope.charts.figure import INK, ON_DARK, Figure, table, template
from neuralscope.charts.saved import columns_saved
from neuralscope.words import percent, percentage

Show = Literal["count", "share", "errors"]

MOST_LABELLED: Final = 20  # classes up to which the numbers fit into the cells
# One of the two has a contrast of 4.5 : 1 to any cell, which no softer ink reaches.
DARK_TEXT: Final = "#000000"
LIGHT_TEXT: Final = "#ffffff"
MINUS: Final = "\N{MINUS SIGN}"
LINE: Final = 1  # pixel that the chart is high before the matrix makes it higher
AXIS: Final = 80  # pixels below the matrix, about
SIDE: Final = 460  # pixels of the whole matrix, about, where there is room
LARGEST_CELL: Final = 96  # pixels


def confusion_matrix(
    counts: ArrayLike,
    *,
    class_names: Sequence[str] | None = None,
    show: Show = "count",
    noun: str = "digit",
) -> Figure:
    """Draw the matrix as a heat map whose cells can be clicked.

    Args:
        counts: Shape (classes, classes), integers: row = true class, column = predicted class.
        class_names: One name a class; their numbers if not given.
        show: 'count' writes how many, 'share' what part of its row, 'errors' only the errors.
        noun: What one example is called in the axis titles.

    Raises:
        ValueError: The counts are not square, negative, or do not fit the names.
    """
    counts = _checked(counts)
    k = len(counts)
    names = [str(name) for name in class_names] if class_names is not None else _numbers(k)
    if len(names) != k:
        raise ValueError(f"{len(names)} class names do not fit {k} classes")
    true, predicted = np.divmod(np.arange(k * k), k)
    right = true == predicted
    totals = counts.sum(axis=1)
    share = (counts / np.maximum(totals, 1)[:, None]).ravel()
    count = counts.ravel()

    weight = share if show == "share" else count.astype(np.float64)
    most = weight[~right].max(initial=0.0)
    error = weight / most if most > 0 else np.zeros(k * k)
    opacity = np.where(
        right,
        0.0 if show == "errors" else 0.08 + 0.72 * share**1.5,
        0.10 + 0.90 * (error if show == "errors" else error**0.6),
    )
    empty = (count == 0) | (right & (show == "errors"))
    opacity = np.where(empty, 0.07, opacity)
    hue = np.where(empty, 2, np.where(right, 0, 1))
    object_names = np.asarray(names, dtype=object)
    cells = {
        "true": true,
        "predicted": predicted,
        "fill": np.asarray([RIGHT, WRONG, NEUTRAL], dtype=object)[hue],
        "opacity": opacity,
        "count": count,
        "share": share,
        "percent": [percent(part) for part in share.tolist()],
        "true_name": object_names[true],
        "predicted_name": object_names[predicted],
    }
    if k <= MOST_LABELLED:
        cells["text"] = np.asarray(
            [
                "" if blank else (_percent(part) if show == "share" else _compact(number))
                for blank, part, number in zip(
                    empty.tolist(), share.tolist(), count.tolist(), strict=True
                )
            ],
            dtype=object,
        )
        cells["on_light"] = _text_colors(hue, opacity, LIGHT_BACKGROUND)
        cells["on_dark"] = _text_colors(hue, opacity, DARK_BACKGROUND)
    return Figure(
        _template(tuple(names), noun),
        {"cells": pd.DataFrame(cells)},
        describe_confusion(counts, class_names=names, noun=noun),
    )


def describe_confusion(
    counts: ArrayLike, *, class_names: Sequence[str] | None = None, noun: str = "digit"
) -> str:
    """Say in one sentence what the matrix shows.

    >>> describe_confusion([[9, 1], [3, 7]])
    '16 of 20 digits (80.00 %) recognised; most often confused: 1 taken for 0 (3 times).'
    """
    counts = _checked(counts)
    names = list(class_names) if class_names is not None else _numbers(len(counts))
    total, right = int(counts.sum()), int(np.trace(counts))
    if total == 0:
        return "No example has been classified yet."
    wrong = counts - np.diag(np.diag(counts))
    things = "digits" if noun == "digit" else "examples"
    sentence = f"{right:,} of {total:,} {things} ({percent(right / total)}) recognised"
    if not wrong.any():
        return f"{sentence}, without any error."
    true, predicted = np.unravel_index(int(wrong.argmax()), wrong.shape)
    times = int(wrong[true, predicted])
    return (
        f"{sentence}; most often confused: {names[true]} taken for {names[predicted]}"
        f" ({times:,} {'time' if times == 1 else 'times'})."
    )


def confusion_change(
    change: ArrayLike, *, class_names: Sequence[str] | None = None, noun: str = "digit"
) -> Figure:
    """Draw how one matrix differs from another: what got better, and what got worse.

    Args:
        change: Shape (classes, classes), integers: the counts of the one less those of the other.
        class_names: One name a class; their numbers if not given.
        noun: What one example is called in the axis titles.

    Raises:
        ValueError: The changes are not square or do not fit the names.
    """
    change = np.asarray(change)
    if change.ndim != 2 or change.shape[0] != change.shape[1] or len(change) < 2:
        raise ValueError(
            f"changes of a confusion matrix are (classes, classes), not {change.shape}"
        )
    k = len(change)
    names = [str(name) for name in class_names] if class_names is not None else _numbers(k)
    if len(names) != k:
        raise ValueError(f"{len(names)} class names do not fit {k} classes")
    true, predicted = np.divmod(np.arange(k * k), k)
    by = change.ravel().astype(np.int64)
    size = np.abs(by)
    better = np.where(true == predicted, by, -by)
    opacity = np.where(size == 0, 0.07, 0.10 + 0.90 * (size / max(int(size.max()), 1)) ** 0.6)
    hue = np.where(better > 0, 0, np.where(better < 0, 1, 2))
    object_names = np.asarray(names, dtype=object)
    signed = np.asarray([_signed(number) for number in by.tolist()], dtype=object)
    cells = {
        "true": true,
        "predicted": predicted,
        "fill": np.asarray([RIGHT, WRONG, NEUTRAL], dtype=object)[hue],
        "opacity": opacity,
        "by": by,
        "change": np.where(size == 0, "none", signed),
        "verdict": np.asarray(["better", "worse", "as before"], dtype=object)[hue],
        "true_name": object_names[true],
        "predicted_name": object_names[predicted],
    }
    if k <= MOST_LABELLED:
        cells["text"] = signed
        cells["on_light"] = _text_colors(hue, opacity, LIGHT_BACKGROUND)
        cells["on_dark"] = _text_colors(hue, opacity, DARK_BACKGROUND)
    return Figure(
        _template(tuple(names), noun, is_change=True),
        {"cells": pd.DataFrame(cells)},
        describe_change(change, class_names=names, noun=noun),
    )


def describe_change(
    change: ArrayLike, *, class_names: Sequence[str] | None = None, noun: str = "digit"
) -> str:
    """Say in one sentence what the difference of two matrices shows.

    >>> describe_change([[2, -2], [1, -1]])
    '1 digit more recognised; the largest change beside the diagonal: 0 taken for 1, 2 fewer.'
    """
    change = np.asarray(change).astype(np.int64)
    names = list(class_names) if class_names is not None else _numbers(len(change))
    if not change.any():
        return "The two confusion matrices are the same."
    gain = int(np.trace(change))
    one, several = ("digit", "digits") if noun == "digit" else ("example", "examples")
    how = f"{abs(gain):,} {one if abs(gain) == 1 else several} {'more' if gain > 0 else 'fewer'}"
    beside = change - np.diag(np.diag(change))
    true, predicted = np.unravel_index(int(np.abs(beside).argmax()), beside.shape)
    by = int(beside[true, predicted])
    return (
        f"{how if gain else f'As many {several}'} recognised; the largest change beside the"
        f" diagonal: {names[true]} taken for {names[predicted]},"
        f" {abs(by):,} {'more' if by > 0 else 'fewer'}."
    )


def _signed(number: int) -> str:
    """A change with its sign, in at most six characters; nothing for none."""
    if number == 0:
        return ""
    return f"{'+' if number > 0 else MINUS}{_compact(abs(number))}"


def _checked(counts: ArrayLike) -> NDArray[np.int64]:
    counts = np.asarray(counts)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or len(counts) < 2:
        raise ValueError(f"a confusion matrix is (classes, classes), not {counts.shape}")
    if not np.issubdtype(counts.dtype, np.integer) or counts.min() < 0:
        raise ValueError("a confusion matrix holds counts: whole numbers, none below zero")
    return counts.astype(np.int64)


def _numbers(k: int) -> list[str]:
    return [str(number) for number in range(k)]


def _compact(number: int) -> str:
    """A count in at most five characters, whatever its size."""
    for size, letter in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**4, "k")):
        if number >= size:
            scaled = number / (1000 if letter == "k" else size)
            return f"{scaled:.1f}{letter}" if scaled < 100 else f"{scaled:.0f}{letter}"
    return str(number)


def _percent(share: float) -> str:
    if 0 < share < 0.0005:
        return "<0.1"
    return "100" if share == 1 else f"{percentage(share, 1):.1f}"


def _text_colors(
    hue: NDArray[np.integer], opacity: NDArray[np.float64], background: str
) -> NDArray[np.object_]:
    """The ink with more contrast to each cell, as it looks laid over that background."""
    fill = np.stack([rgb(RIGHT), rgb(WRONG), rgb(NEUTRAL)])[hue]
    seen = fill * opacity[:, None] + rgb(background) * (1 - opacity[:, None])
    dark, light = rgb(DARK_TEXT), rgb(LIGHT_TEXT)
    return np.where(contrast(seen, dark) >= contrast(seen, light), DARK_TEXT, LIGHT_TEXT).astype(
        object
    )


@functools.lru_cache(maxsize=32)
def _template(names: tuple[str, ...], noun: str, is_change: bool = False) -> Mapping[str, Any]:
    k = len(names)
    largest = min(LARGEST_CELL, SIDE // k) or SIDE / k
    # As wide as there is room for, and as high as it is wide: cells stay square, and a reader with
    # a telephone sees the last column too. `width` is the signal in which Vega keeps that room;
    # `height` is more than a line only where the chart fills the screen.
    side = f"min(width, max({k * largest:g}, height - {AXIS}))"
    # The names as a literal of the expression language: JSON is one.
    axis = alt.Axis(
        labelExpr=f"{json.dumps(names)}[datum.value]",
        labelAngle=0,
        labelLimit=90,  # the whole name is in the tooltip of each cell
        labelPadding=6,
        titlePadding=8,
        ticks=False,
        domain=False,
        grid=False,
        labelFlush=False,
        labelOverlap=k > MOST_LABELLED,
    )
    across = axis.copy()
    if max(len(name) for name in names) * 7 > largest:
        across.labelAngle = -45
    across.offset = alt.ExprRef(expr=f"{side} - height")
    band = alt.Scale(
        domain=list(range(k)),
        range=[0, alt.ExprRef(expr=side)],
        paddingInner=0.05 if k <= 30 else 0,
        paddingOuter=0,
    )
    tooltip = [
        alt.Tooltip("true_name:N", title=f"True {noun}"),
        alt.Tooltip("predicted_name:N", title=f"Predicted {noun}"),
    ]
    if is_change:
        tooltip += [
            alt.Tooltip("change:N", title="Change"),
            alt.Tooltip("verdict:N", title="That is"),
        ]
    else:
        tooltip += [
            alt.Tooltip("count:Q", title="How many", format=",d"),
            alt.Tooltip("percent:N", title=f"Share of this true {noun}"),
        ]
    base = alt.Chart(table("cells")).encode(
        x=alt.X("predicted:O", title=f"Predicted {noun}", axis=across, scale=band),
        y=alt.Y("true:O", title=f"True {noun}", axis=axis, scale=band),
        tooltip=tooltip,
    )
    cursor: dict[str, Any] = {} if is_change else {"cursor": "pointer"}
    cells = base.mark_rect(cornerRadius=3 if k <= 30 else 0, strokeWidth=2, **cursor).encode(
        fill=alt.Fill("fill:N", scale=None, legend=None),
        fillOpacity=alt.FillOpacity("opacity:Q", scale=None, legend=None),
    )
    if not is_change:
        cell = alt.selection_point(name="cell", fields=["true", "predicted"], on="click")
        cells = cells.encode(
            stroke=alt.condition(cell, alt.value(INK), alt.value("transparent"), empty=False)
        ).add_params(cell)
    layers = [cells]
    if k <= MOST_LABELLED:
        layers.append(
            base.mark_text(
                fontSize=alt.ExprRef(expr=f"clamp({side} / {3.2 * k:g}, 8, 13)"),
                **cursor,
                color=alt.ExprRef(expr=f"{ON_DARK} ? datum.on_dark : datum.on_light"),
            ).encode(text="text:N")
        )
    saved = {"true_name": f"True {noun}", "predicted_name": f"Predicted {noun}"}
    if is_change:
        saved |= {"by": "Change", "verdict": "That is"}
    else:
        saved |= {"count": "How many", "share": f"Share of this true {noun}"}
    return template(
        alt.layer(*layers).properties(height=LINE),
        # The axes come out of the width; the height is what all that needs.
        autosize={"type": "fit-x", "contains": "padding"},
        usermeta=columns_saved("cells", saved),
    )
