"""Many digits as points on a map, each in its digit's colour, those read wrongly ringed.

The map shows one and the same stretch at all epochs, given by `reach`; a digit that lies beyond is
drawn at the edge. The thumbnail of each digit travels along, so that pointing at a dot shows it.
They are most of what is sent, so they are kept in few shades of grey, which compresses well.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neuralscope.charts.colors import WRONG, class_colors
from neuralscope.charts.figure import Figure, table, template
from neuralscope.charts.images import data_uri
from neuralscope.charts.saved import columns_saved

SHADES: Final = 8
HEIGHT: Final = 480  # pixels of the map itself
MOST_IN_LEGEND: Final = 40
PICTURE: Final = 112  # pixels of a thumbnail in the tooltip

# Tooltips show an image at its own size, which is that of the file: this one wraps the file of 28
# pixels in a drawing of so many. Put together in the browser, it need not be sent for every dot.
_ENLARGED: Final = (
    "'data:image/svg+xml,' + encodeURIComponent('<svg xmlns=\"http://www.w3.org/2000/svg\""
    f' width="{PICTURE}" height="{PICTURE}"><image width="{PICTURE}" height="{PICTURE}"'
    ' style="image-rendering:pixelated" href="\' + datum.picture + \'"/></svg>\')'
)


def thumbnails(
    images: ArrayLike, *, image_shape: tuple[int, int], pixel_max: float = 255
) -> list[str]:
    """Return digits as small PNG data URIs, dark ink on white, for `digit_map`.

    Args:
        images: (n, features), 0 is paper.
        image_shape: (height, width) of one.
        pixel_max: The pixel value that is full ink.
    """
    ink = np.asarray(images, dtype=np.float32).reshape(-1, *image_shape) / np.float32(pixel_max)
    shade = np.rint(np.clip(ink, 0, 1) * (SHADES - 1)) / (SHADES - 1)
    pixels: NDArray[np.uint8] = np.rint(255 * (1 - shade)).astype(np.uint8)
    return [data_uri(image) for image in pixels]


def digit_map(
    points: ArrayLike,
    *,
    index: ArrayLike,
    true: ArrayLike,
    predicted: ArrayLike,
    pictures: Sequence[str],
    reach: tuple[tuple[float, float], ...],
    class_names: Sequence[str],
    noun: str = "digit",
) -> Figure:
    """Draw digits as dots. A click selects one: the selection `dot` has the field `index`.

    Args:
        points: (n, 2), where each lies; one that is not a number is left out.
        index: (n,), what a click on each gives back.
        true: (n,), the true classes.
        predicted: (n,), the answers.
        pictures: (n,), from `thumbnails`.
        reach: From where to where the map goes, across and up.
        class_names: One name a class.
        noun: What one class is called.
    """
    places = np.asarray(points, dtype=np.float64)
    index, true, predicted = (np.asarray(a).astype(np.int64) for a in (index, true, predicted))
    if not len(places) == len(index) == len(true) == len(predicted) == len(pictures):
        raise ValueError("points, index, true, predicted and pictures must be equally many")
    wrong = true != predicted
    # What is drawn last lies on top.
    drawn = np.argsort(wrong, kind="stable")
    drawn = drawn[~np.isnan(places[drawn]).any(axis=1)]
    low, high = np.array(reach, dtype=np.float64).T
    inside = np.clip(places[drawn], low, high)
    names = np.asarray([str(name) for name in class_names], dtype=object)
    dots = pd.DataFrame(
        {
            "index": index[drawn].astype(np.int32),
            "x": inside[:, 0].astype(np.float32),
            "y": inside[:, 1].astype(np.float32),
            "class": true[drawn].astype(np.int32),
            "true": names[true[drawn]],
            "predicted": names[predicted[drawn]],
            "wrong": wrong[drawn],
            "picture": np.asarray(pictures, dtype=object)[drawn],
        }
    )
    corners = pd.DataFrame({"x": [low[0], high[0]], "y": [low[1], high[1]]})
    return Figure(
        _template(tuple(names.tolist()), noun),
        {"dots": dots, "corners": corners},
        describe_digit_map(wrong, noun=noun),
    )


def describe_digit_map(wrong: ArrayLike, *, noun: str = "digit") -> str:
    """Say in one sentence what the map shows.

    >>> describe_digit_map([False, True, False])
    '3 digits as dots on a map, coloured by their true digit; 1 read wrongly is ringed.'
    """
    read_wrongly = np.asarray(wrong, dtype=bool)
    things = "digits" if noun == "digit" else "examples"
    count = int(read_wrongly.sum())
    return (
        f"{len(read_wrongly):,} {things} as dots on a map, coloured by their true {noun};"
        f" {count:,} read wrongly {'is' if count == 1 else 'are'} ringed."
    )


@functools.lru_cache(maxsize=16)
def _template(names: tuple[str, ...], noun: str) -> Mapping[str, Any]:
    dot = alt.selection_point(name="dot", fields=["index"], on="click")
    palette = list(class_colors(len(names)))
    color = alt.Color(
        "true:N",
        title=f"True {noun}",
        sort=None,
        scale=alt.Scale(domain=list(names), range=palette),
        # Of very many classes the list would be taller than the map: pointing at a dot names it.
        legend=alt.Legend(
            orient="top",
            columns=5 if len(names) <= 10 else 10,
            labelLimit=110,
            symbolOpacity=1,
            symbolSize=90,
        )
        if len(names) <= MOST_IN_LEGEND
        else None,
    )

    def axis(name: str, title: str, kind: Any) -> Any:
        return kind(
            f"{name}:Q",
            title=title,
            scale=alt.Scale(zero=False, nice=False),
            axis=alt.Axis(tickCount=5, grid=True),
        )

    x = axis("x", "First direction, in units of activation", alt.X)
    y = axis("y", "Second direction, in units of activation", alt.Y)
    # Unseen, they stretch the axes to the same reach at every epoch.
    corners = alt.Chart(table("corners")).mark_point(opacity=0, tooltip=None).encode(x=x, y=y)
    dots = (
        alt.Chart(table("dots"))
        .transform_calculate(image=_ENLARGED)
        .mark_point(filled=True, size=38, opacity=0.85, cursor="pointer", strokeWidth=1.8)
        .encode(
            x=x,
            y=y,
            fill=color,
            stroke=alt.condition("datum.wrong", alt.value(WRONG), alt.value("transparent")),
            size=alt.condition("datum.wrong", alt.value(80), alt.value(34)),
            tooltip=[
                alt.Tooltip("image:N", title="image"),
                alt.Tooltip("index:Q", title="Number", format="d"),
                alt.Tooltip("true:N", title="True"),
                alt.Tooltip("predicted:N", title="Answer"),
            ],
        )
        .add_params(dot)
    )
    columns = {"index": "Number", "true": "True", "predicted": "Answer"}
    columns |= {"x": "First direction", "y": "Second direction"}
    return template(
        alt.layer(corners, dots).properties(height=HEIGHT),
        autosize={"type": "fit-x", "contains": "padding"},
        # Thousands of dots: one canvas is quicker than as many elements.
        usermeta={
            "embedOptions": {"renderer": "canvas"},
            **columns_saved("dots", columns),
        },
    )
