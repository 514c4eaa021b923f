"""A gallery of digits that can be clicked: what each is, what it was taken for, and how surely.

Each picture is one row of the table, with its thumbnail as a PNG inside. A click selects one: the
selection is called `picture` and has the field `index`. What is not selected stays as it is,
because a reader goes on looking at the others.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from neuralscope.charts.colors import NEUTRAL, RIGHT, WRONG
from neuralscope.charts.figure import FADED_INK, INK, Figure, at_pixels, template
from neuralscope.charts.images import digit_tiles
from neuralscope.words import short_percent

GAP: Final = 14  # pixels between the frames of two pictures
CAPTION: Final = 42  # pixels under a picture for its two lines
FRAME: Final = 4  # pixels around a picture, where the selected one gets its outline


def gallery(
    images: ArrayLike,
    *,
    index: ArrayLike,
    true: ArrayLike,
    predicted: ArrayLike,
    confidence: ArrayLike,
    image_shape: tuple[int, int] | None = None,
    class_names: Sequence[str] | None = None,
    pixel_max: float = 255,
    columns: int = 6,
    size: int = 84,
    noun: str = "digit",
) -> Figure:
    """Lay pictures out in rows, each with 'true -> predicted' and the confidence beneath.

    Args:
        images: Shape (n, height, width), or (n, features) with `image_shape`; 0 is paper.
        index: What a click on each picture gives back, shape (n,).
        true: True class numbers, shape (n,).
        predicted: Predicted class numbers, shape (n,).
        confidence: Probability of the predicted class, 0..1, shape (n,).
        image_shape: (height, width) of one picture.
        class_names: One name a class; their numbers if not given.
        pixel_max: The pixel value that is full ink.
        columns: Pictures in a row.
        size: Width and height of a picture on the screen, in pixels.
        noun: What one picture is called.

    Raises:
        ValueError: The lengths differ, or there is no column.
    """
    index, true, predicted = (np.asarray(a).astype(np.int64) for a in (index, true, predicted))
    confidence = np.asarray(confidence, dtype=np.float64)
    n = len(index)
    if not len(np.asarray(images)) == len(true) == len(predicted) == len(confidence) == n:
        raise ValueError("images, index, true, predicted and confidence must be equally many")
    if columns < 1:
        raise ValueError(f"a gallery needs at least 1 column, not {columns}")
    if n:
        # Twice the size on the screen, so that pixels stay sharp on a fine display.
        tiles = digit_tiles(images, image_shape=image_shape, pixel_max=pixel_max, size=2 * size)
    else:
        tiles = []

    def name(number: int) -> str:
        return str(class_names[number]) if class_names is not None else str(number)

    row, column = np.divmod(np.arange(n), columns)
    true_names = [name(t) for t in true.tolist()]
    predicted_names = [name(p) for p in predicted.tolist()]
    pictures = pd.DataFrame(
        {
            "index": index,
            "x": FRAME + column * (size + 2 * FRAME + GAP),
            "y": FRAME + row * (size + 2 * FRAME + CAPTION),
            "picture": tiles,
            "caption": [
                f"{t} \N{RIGHTWARDS ARROW} {p}"
                for t, p in zip(true_names, predicted_names, strict=True)
            ],
            "confidence": [short_percent(c) for c in confidence.tolist()],
            "true": true_names,
            "predicted": predicted_names,
            "color": np.where(true == predicted, RIGHT, WRONG).astype(object),
        }
    )
    rows = max(1, -(-n // columns))
    return Figure(
        _template(columns, rows, size),
        {"pictures": pictures},
        describe_gallery(true, predicted, confidence, class_names=class_names, noun=noun),
    )


def describe_gallery(
    true: ArrayLike,
    predicted: ArrayLike,
    confidence: ArrayLike,
    *,
    class_names: Sequence[str] | None = None,
    noun: str = "digit",
) -> str:
    """Say in one sentence what the gallery shows.

    >>> describe_gallery([4, 7], [9, 7], [0.87, 0.99])
    '2 digits, 1 of them recognised wrongly; the first is a 4 taken for 9 with 87 % confidence.'
    """
    true, predicted = np.asarray(true), np.asarray(predicted)
    if not len(true):
        return f"No {noun}s to show."
    names = class_names
    first, taken = (str(names[c]) if names is not None else str(c) for c in (true[0], predicted[0]))
    wrong = int((true != predicted).sum())
    many = f"1 {noun}" if len(true) == 1 else f"{len(true):,} {noun}s"
    how = "recognised" if first == taken else f"taken for {taken}"
    return (
        f"{many}, {wrong:,} of them recognised wrongly; the first is a {first} {how}"
        f" with {short_percent(float(np.asarray(confidence)[0]))} confidence."
    )


@functools.lru_cache(maxsize=32)
def _template(columns: int, rows: int, size: int) -> Mapping[str, Any]:
    picture = alt.selection_point(name="picture", fields=["index"], on="click")
    base = at_pixels("pictures").encode(
        tooltip=[
            alt.Tooltip("index:Q", title="Number", format="d"),
            alt.Tooltip("true:N", title="True"),
            alt.Tooltip("predicted:N", title="Predicted"),
            alt.Tooltip("confidence:N", title="Confidence"),
        ],
    )

    def beneath(down: int) -> dict[str, Any]:
        return {
            "align": "center", "baseline": "top", "dx": size / 2, "dy": size + down,
            "cursor": "pointer", "limit": size + GAP,
        }  # fmt: skip

    frame = (
        base.mark_rect(
            width=size + 2 * FRAME,
            height=size + 2 * FRAME,
            xOffset=size / 2,
            yOffset=size / 2,
            cornerRadius=6,
            fill=NEUTRAL,
            fillOpacity=0,  # unseen, but it takes the click
            cursor="pointer",
            strokeWidth=3,
        )
        .encode(
            stroke=alt.condition(picture, alt.value(INK), alt.value("transparent"), empty=False),
        )
        .add_params(picture)
    )
    layers = [
        frame,
        base.mark_image(
            width=size, height=size, align="left", baseline="top", cursor="pointer"
        ).encode(url="picture:N"),
        base.mark_text(fontSize=14, fontWeight="bold", **beneath(FRAME + 6)).encode(
            text="caption:N", color=alt.Color("color:N", scale=None, legend=None)
        ),
        base.mark_text(fontSize=11, color=FADED_INK, **beneath(FRAME + 23)).encode(
            text="confidence:N"
        ),
    ]
    return template(
        alt.layer(*layers).properties(
            width=columns * (size + 2 * FRAME + GAP) - GAP,
            height=rows * (size + 2 * FRAME + CAPTION),
        ),
        autosize={"type": "pad", "contains": "padding"},
    )
