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
from neuralscope.charts.figure import FADED_INK, GROWS, INK, Figure, in_rows, template
from neuralscope.charts.images import digit_tiles
from neuralscope.words import short_percent

GAP: Final = 14  # pixels between the frames of two pictures
CAPTION: Final = 42  # pixels under a picture for its two lines
FRAME: Final = 4  # pixels around a picture, where the selected one gets its outline
OUTLINE: Final = 3  # pixels of that outline


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
    size: int = 84,
    noun: str = "digit",
) -> Figure:
    """Lay pictures out in rows, each with 'true -> predicted' and the confidence beneath.

    As many stand in a row as the chart has room for.

    Args:
        images: Shape (n, height, width), or (n, features) with `image_shape`; 0 is paper.
        index: What a click on each picture gives back, shape (n,).
        true: True class numbers, shape (n,).
        predicted: Predicted class numbers, shape (n,).
        confidence: Probability of the predicted class, 0..1, shape (n,).
        image_shape: (height, width) of one picture.
        class_names: One name a class; their numbers if not given.
        pixel_max: The pixel value that is full ink.
        size: Width and height of a picture on the screen, in pixels.
        noun: What one picture is called.

    Raises:
        ValueError: The lengths differ.
    """
    index, true, predicted = (np.asarray(a).astype(np.int64) for a in (index, true, predicted))
    confidence = np.asarray(confidence, dtype=np.float64)
    n = len(index)
    if not len(np.asarray(images)) == len(true) == len(predicted) == len(confidence) == n:
        raise ValueError("images, index, true, predicted and confidence must be equally many")
    if n:
        # Twice the size on the screen, so that pixels stay sharp on a fine display.
        tiles = digit_tiles(images, image_shape=image_shape, pixel_max=pixel_max, size=2 * size)
    else:
        tiles = []

    def name(number: int) -> str:
        return str(class_names[number]) if class_names is not None else str(number)

    true_names = [name(t) for t in true.tolist()]
    predicted_names = [name(p) for p in predicted.tolist()]
    pictures = pd.DataFrame(
        {
            "index": index,
            "place": np.arange(n),
            "of": n,
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
    return Figure(
        _template(size),
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
def _template(size: int) -> Mapping[str, Any]:
    picture = alt.selection_point(name="picture", fields=["index"], on="click")
    outside = size + 2 * FRAME
    base = in_rows("pictures", width=outside, height=outside + CAPTION, gap=GAP).encode(
        tooltip=[
            alt.Tooltip("index:Q", title="Number", format="d"),
            alt.Tooltip("true:N", title="True"),
            alt.Tooltip("predicted:N", title="Predicted"),
            alt.Tooltip("confidence:N", title="Confidence"),
        ],
    )

    def beneath(down: int) -> dict[str, Any]:
        return {
            "align": "center", "baseline": "top", "dx": outside / 2, "dy": outside + down,
            "cursor": "pointer", "limit": outside,
        }  # fmt: skip

    frame = (
        base.mark_rect(
            width=outside - OUTLINE,
            height=outside - OUTLINE,
            xOffset=outside / 2,
            yOffset=outside / 2,
            cornerRadius=6,
            fill=NEUTRAL,
            fillOpacity=0,  # unseen, but it takes the click
            cursor="pointer",
            strokeWidth=OUTLINE,
        )
        .encode(
            stroke=alt.condition(picture, alt.value(INK), alt.value("transparent"), empty=False),
        )
        .add_params(picture)
    )
    layers = [
        frame,
        base.mark_image(
            width=size,
            height=size,
            align="left",
            baseline="top",
            xOffset=FRAME,
            yOffset=FRAME,
            cursor="pointer",
        ).encode(url="picture:N"),
        base.mark_text(fontSize=14, fontWeight="bold", **beneath(6)).encode(
            text="caption:N", color=alt.Color("color:N", scale=None, legend=None)
        ),
        base.mark_text(fontSize=11, color=FADED_INK, **beneath(23)).encode(text="confidence:N"),
    ]
    return template(
        alt.layer(*layers).properties(
            width=6 * (outside + GAP) - GAP,  # where it does not stretch
            height=outside + CAPTION,
        ),
        autosize=GROWS,
    )
