"""Precision and recall of each class, side by side.

A row is a class. The circle is its precision, the square its recall, and the line between them is
long where the two differ: a circle to the left means that others are taken for this class, a square
to the left that this class is taken for others.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from neuralscope.charts.colors import NEUTRAL, class_colors
from neuralscope.charts.figure import BACKGROUND, Figure, table, template
from neuralscope.words import percent

KINDS: Final = ("Precision", "Recall")
ROW, AROUND = 34, 100  # pixels of a class, and of the axis and the legend together


def class_scores(
    precision: ArrayLike,
    recall: ArrayLike,
    f1: ArrayLike,
    support: ArrayLike,
    *,
    class_names: Sequence[str] | None = None,
    noun: str = "digit",
) -> Figure:
    """Draw the scores of each class; one that is undefined (NaN) is left out.

    Args:
        precision: 0..1, shape (classes,).
        recall: The same shape.
        f1: The same shape.
        support: Examples of each class.
        class_names: One name a class; their numbers if not given.
        noun: What one example is called in the axis title.

    Raises:
        ValueError: The lengths differ.
    """
    precision, recall, f1 = (np.asarray(each, dtype=np.float64) for each in (precision, recall, f1))
    support = np.asarray(support, dtype=np.int64)
    k = len(support)
    names = [str(n) for n in (class_names if class_names is not None else range(k))]
    if not len(precision) == len(recall) == len(f1) == len(names) == k:
        raise ValueError("precision, recall, f1, support and class names must be equally many")
    colors = list(class_colors(k))
    classes = pd.DataFrame(
        {
            "class": np.arange(k),
            "low": np.fmin(precision, recall),
            "high": np.fmax(precision, recall),
            "color": colors,
        }
    )
    words = {
        "name": names * 2,
        "precision": [_percent(value) for value in precision.tolist()] * 2,
        "recall": [_percent(value) for value in recall.tolist()] * 2,
        "f1": [_percent(value) for value in f1.tolist()] * 2,
        "support": np.tile(support, 2),
    }
    points = pd.DataFrame(
        {
            "class": np.tile(np.arange(k), 2),
            "kind": np.repeat(np.asarray(KINDS, dtype=object), k),
            "score": np.concatenate([precision, recall]),
            "color": colors * 2,
            **words,
        }
    )
    lowest = float(np.nanmin(np.append(classes["low"], 1.0)))
    # The axis begins below the lowest, and shows no less than a tenth of it.
    begin = max(0.0, np.floor(min(lowest - 0.005, 0.9) * 20) / 20)
    return Figure(
        _template(tuple(names), noun),
        {"classes": classes, "points": points, "begin": pd.DataFrame({"score": [begin]})},
        describe_scores(precision, recall, class_names=names, noun=noun),
    )


def describe_scores(
    precision: ArrayLike,
    recall: ArrayLike,
    *,
    class_names: Sequence[str] | None = None,
    noun: str = "digit",
) -> str:
    """Say in one sentence which classes are read worst.

    >>> describe_scores([0.9, 0.8], [0.7, 0.95])
    'Lowest precision: digit 1 with 80.00 %; lowest recall: digit 0 with 70.00 %.'
    """
    found = []
    for kind, values in (("precision", precision), ("recall", recall)):
        scores = np.asarray(values, dtype=np.float64)
        names = list(class_names) if class_names is not None else [*range(len(scores))]
        if np.isfinite(scores).any():
            worst = int(np.nanargmin(scores))
            found.append(f"lowest {kind}: {noun} {names[worst]} with {percent(scores[worst])}")
    if not found:
        return "No example has been classified yet."
    sentence = "; ".join(found)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _percent(score: float) -> str:
    return percent(score, missing="undefined")


@functools.lru_cache(maxsize=32)
def _template(names: tuple[str, ...], noun: str) -> Mapping[str, Any]:
    scale = alt.Scale(zero=False, nice=False, domainMax=1)
    axis = alt.Axis(
        title="Precision and recall (%)",
        labelExpr="format(100 * datum.value, '.4~g')",
        tickCount=6,
    )
    x = alt.X("score:Q", scale=scale, axis=axis)
    y = alt.Y(
        "class:O",
        scale=alt.Scale(domain=list(range(len(names)))),
        axis=alt.Axis(
            title=noun.capitalize(),
            labelExpr=f"{json.dumps(names)}[datum.value]",
            labelLimit=110,
            labelOverlap=False,
            ticks=False,
            domain=False,
        ),
    )
    color: Any = alt.Color("color:N", scale=None, legend=None)
    between = (
        alt.Chart(table("classes"))
        .mark_rule(strokeWidth=3, opacity=0.6, tooltip=None)
        .encode(x=alt.X("low:Q", scale=scale, axis=axis), x2="high:Q", y=y, color=color)
    )
    points = (
        alt.Chart(table("points"))
        .mark_point(size=110, filled=True, opacity=1, stroke=BACKGROUND, strokeWidth=1)
        .encode(
            x=x,
            y=y,
            fill=alt.Fill("color:N", scale=None, legend=None),
            shape=alt.Shape(
                "kind:N",
                scale=alt.Scale(domain=list(KINDS), range=["circle", "square"]),
                legend=alt.Legend(orient="top", title=None, symbolFillColor=NEUTRAL),
            ),
            tooltip=[
                alt.Tooltip("name:N", title=noun.capitalize()),
                alt.Tooltip("precision:N", title="Precision"),
                alt.Tooltip("recall:N", title="Recall"),
                alt.Tooltip("f1:N", title="F1"),
                alt.Tooltip("support:Q", title="How many", format=",d"),
            ],
        )
    )
    begin = alt.Chart(table("begin")).mark_point(opacity=0, tooltip=None).encode(x=x)
    return template(alt.layer(between, points, begin).properties(height=AROUND + len(names) * ROW))
