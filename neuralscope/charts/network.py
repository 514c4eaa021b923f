"""A calm sketch of a network before it is trained: what goes in, what lies between, what comes out.

It is a map, not a measurement. A layer shows at most a dozen of its units and dots for the rest,
and its caption says how many there really are. With weights given, a line is red or blue for a
positive or negative weight, and the stronger the weight the clearer the line.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neuralscope.charts.colors import DIVERGING, NEUTRAL
from neuralscope.charts.figure import BACKGROUND, FADED_INK, INK, Figure, table, template
from neuralscope.charts.images import digit_tiles, weight_limit
from neuralscope.charts.saved import columns_saved

HEIGHT: Final = 220
MOST_CIRCLES: Final = 12
PICTURE: Final = 84  # pixels of the input picture
_TOP, _BOTTOM = 12.0, 166.0  # pixels between which the units lie; the captions go below

_ACTIVATION_NAMES: Final[dict[str, str]] = {
    "relu": "ReLU", "leaky_relu": "leaky ReLU", "gelu": "GELU", "elu": "ELU", "silu": "SiLU",
}  # fmt: skip


def network_sketch(
    sizes: Sequence[int],
    activations: Sequence[str],
    *,
    class_names: Sequence[str] | None = None,
    image_shape: tuple[int, int] | None = None,
    weights: Sequence[ArrayLike] | None = None,
    picture: ArrayLike | None = None,
    pixel_max: float = 255,
) -> Figure:
    """Draw the layers from the input picture to the classes.

    Args:
        sizes: Units in each layer, the inputs first: (784, 128, 10).
        activations: Name of the activation of each layer after the input; the output's is usually
            'softmax'. If one is missing, it is the output's, and it is 'softmax'.
        class_names: One name for each output; their numbers if not given.
        image_shape: (height, width) of the input; by itself a square, if the inputs make one.
            Inputs that make no picture are drawn as circles, like any layer.
        weights: One (in, out) matrix between each two layers, to colour the lines with.
        picture: An input to show, of that shape; a drawn zero if not given.
        pixel_max: The pixel value that is full ink.

    Raises:
        ValueError: There are fewer than two layers, or the lengths do not fit.
    """
    sizes = [int(size) for size in sizes]
    names = [*activations, "softmax"] if len(activations) == len(sizes) - 2 else [*activations]
    if len(sizes) < 2 or min(sizes) < 1 or len(names) != len(sizes) - 1:
        raise ValueError(
            f"layers of {sizes} units and {len(names)} activations do not make a network"
        )
    if class_names is not None and len(class_names) != sizes[-1]:
        raise ValueError(f"{len(class_names)} class names do not fit {sizes[-1]} outputs")
    classes = [str(c) for c in class_names] if class_names is not None else _numbers(sizes[-1])
    shape = image_shape or _square(sizes[0])

    last = len(sizes) - 1
    first = 0 if shape is None else 1  # the first layer that is drawn as circles
    shown = [_shown(size) for size in sizes]
    heights = [
        _heights(len(units), size > len(units)) for units, size in zip(shown, sizes, strict=True)
    ]
    circles = [
        {
            "x": layer, "y": y, "layer": _title(layer, last), "unit": str(unit),
            "radius": _radius(len(shown[layer])),
        }
        for layer in range(first, last + 1)
        for unit, y in zip(shown[layer].tolist(), heights[layer].tolist(), strict=True)
    ]  # fmt: skip
    dots = [
        {"x": layer, "y": _middle(heights[layer]) + step}
        for layer in range(first, last + 1)
        if sizes[layer] > len(shown[layer])
        for step in (-4.5, 0.0, 4.5)
    ]
    outputs = [
        {"x": last, "y": y, "name": classes[unit]}
        for unit, y in zip(shown[last].tolist(), heights[last].tolist(), strict=True)
    ]
    return Figure(
        _template(len(sizes)),
        {
            "lines": _lines(shown, heights, weights, shape is not None),
            "circles": pd.DataFrame(circles),
            "dots": pd.DataFrame(dots, columns=["x", "y"], dtype=float),
            "outputs": pd.DataFrame(outputs),
            "captions": pd.DataFrame(
                {
                    "x": range(len(sizes)),
                    "title": [_title(layer, last) for layer in range(len(sizes))],
                    "detail": [_input_detail(sizes[0], shape)]
                    + [
                        _detail(size, name, layer == last)
                        for layer, (size, name) in enumerate(
                            zip(sizes[1:], names, strict=True), start=1
                        )
                    ],
                }
            ),
            "picture": pd.DataFrame(
                {"x": [0], "url": [_picture(shape, picture, pixel_max)]}
                if shape
                else {"x": [], "url": []}
            ),
        },
        describe_network(sizes, names),
    )


def describe_network(sizes: Sequence[int], activations: Sequence[str]) -> str:
    """Say in one sentence what the network is made of.

    >>> describe_network((784, 128, 10), ["relu", "softmax"])
    'A network from 784 inputs through 128 ReLU units to 10 classes, with 101,770 parameters.'
    """
    parameters = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
    hidden = [
        f"{size:,} {_activation(name)} units"
        for size, name in zip(sizes[1:-1], activations, strict=False)
    ]
    through = (
        f" through {', '.join(hidden[:-1])}{' and ' if len(hidden) > 1 else ''}" if hidden else ""
    )
    through += hidden[-1] if hidden else ""
    return (
        f"A network from {sizes[0]:,} inputs{through} to {sizes[-1]:,} classes,"
        f" with {parameters:,} parameters."
    )


def _numbers(k: int) -> list[str]:
    return [str(number) for number in range(k)]


def _activation(name: str) -> str:
    return _ACTIVATION_NAMES.get(name, name)


def _title(layer: int, last: int) -> str:
    if layer == 0:
        return "Input"
    if layer == last:
        return "Output"
    return f"Hidden layer {layer}" if last > 2 else "Hidden layer"


def _detail(size: int, activation: str, is_output: bool) -> str:
    noun = "class" if is_output else "unit"
    plural = ("es" if is_output else "s") if size != 1 else ""
    return f"{size:,} {noun}{plural}, {_activation(activation)}"


def _input_detail(size: int, shape: tuple[int, int] | None) -> str:
    return f"{shape[0]} \N{MULTIPLICATION SIGN} {shape[1]} pixels" if shape else f"{size:,} values"


def _square(size: int) -> tuple[int, int] | None:
    side = round(size**0.5)
    return (side, side) if side * side == size and side > 1 else None


def _shown(size: int) -> NDArray[np.intp]:
    """Which units of a layer get a circle: all of a small one, both ends of a large one."""
    if size <= MOST_CIRCLES:
        return np.arange(size)
    half = (MOST_CIRCLES - 2) // 2
    return np.concatenate([np.arange(half), np.arange(size - half, size)])


def _heights(count: int, dotted: bool) -> NDArray[np.float64]:
    """Vertical positions in pixels, evenly spaced around the middle, with room for dots."""
    places = count + 2 if dotted else count
    pitch = min(26.0, (_BOTTOM - _TOP) / max(places - 1, 1))
    y = (np.arange(places, dtype=np.float64) - (places - 1) / 2) * pitch + (_TOP + _BOTTOM) / 2
    if not dotted:
        return y
    return np.concatenate([y[: count // 2], y[count // 2 + 2 :]])


def _middle(heights: NDArray[np.float64]) -> float:
    return float((heights[0] + heights[-1]) / 2)


def _radius(count: int) -> float:
    return 5.0 if count >= 9 else 6.5


def _lines(
    shown: list[NDArray[np.intp]],
    heights: list[NDArray[np.float64]],
    weights: Sequence[ArrayLike] | None,
    with_picture: bool,
) -> pd.DataFrame:
    parts = []
    # The picture stands for its hundreds of inputs: a fan of a few lines leaves it.
    fan = np.linspace(_middle(heights[0]) - 0.42 * PICTURE, _middle(heights[0]) + 0.42 * PICTURE, 5)
    for layer in range(len(shown) - 1):
        starts = fan if layer == 0 and with_picture else heights[layer]
        here, there = np.meshgrid(starts, heights[layer + 1], indexing="ij")
        if weights is None or (layer == 0 and with_picture):
            hue = np.full(here.size, NEUTRAL, dtype=object)
            strength = np.full(here.size, 0.30)
        else:
            matrix = np.asarray(weights[layer], dtype=np.float64)
            some = np.nan_to_num(matrix[np.ix_(shown[layer], shown[layer + 1])]).ravel()
            limit = weight_limit(matrix) or 1.0
            hue = np.where(some < 0, DIVERGING[1], DIVERGING[-2]).astype(object)
            strength = 0.06 + 0.84 * np.minimum(np.abs(some) / limit, 1.0)
        parts.append((np.full(here.size, layer), here.ravel(), there.ravel(), hue, strength))
    x, y, y2, hue, strength = (np.concatenate(column) for column in zip(*parts, strict=True))
    return pd.DataFrame({"x": x, "y": y, "x2": x + 1, "y2": y2, "color": hue, "opacity": strength})


def _picture(shape: tuple[int, int], picture: ArrayLike | None, pixel_max: float) -> str:
    if picture is None:
        return _drawn_zero(shape)
    image = np.asarray(picture).reshape(1, *shape)
    return digit_tiles(image, pixel_max=pixel_max, size=2 * PICTURE)[0]


@functools.lru_cache(maxsize=16)
def _drawn_zero(shape: tuple[int, int]) -> str:
    """A zero in soft ink, on the pixels of the input."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    radius = np.hypot((x + 0.18 * y) / 0.62, y / 0.82)
    ink = np.exp(-(((radius - 0.78) / 0.2) ** 2)) * 255
    return digit_tiles(ink[None], size=2 * PICTURE)[0]


@functools.lru_cache(maxsize=32)
def _template(layers: int) -> Mapping[str, Any]:
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, layers - 1], padding=88, nice=False))
    y = alt.Y("y:Q", axis=None, scale=None)
    lines = (
        alt.Chart(table("lines"))
        .mark_rule(strokeWidth=1, tooltip=None)
        .encode(
            x=x, y=y, x2="x2:Q", y2="y2:Q",
            color=alt.Color("color:N", scale=None, legend=None),
            opacity=alt.Opacity("opacity:Q", scale=None, legend=None),
        )
    )  # fmt: skip
    picture = (
        alt.Chart(table("picture"))
        .mark_image(width=PICTURE, height=PICTURE, tooltip=None)
        .encode(x=x, y=alt.value((_TOP + _BOTTOM) / 2), url="url:N")
    )
    circles = (
        alt.Chart(table("circles"))
        .mark_circle(
            size=alt.ExprRef(expr="PI * datum.radius * datum.radius"),
            opacity=1, fill=BACKGROUND, stroke=FADED_INK, strokeWidth=2,
        )
        .encode(
            x=x, y=y,
            tooltip=[alt.Tooltip("layer:N", title="Layer"), alt.Tooltip("unit:N", title="Unit")],
        )
    )  # fmt: skip
    dots = (
        alt.Chart(table("dots"))
        .mark_circle(size=9, color=FADED_INK, opacity=1, tooltip=None)
        .encode(x=x, y=y)
    )
    outputs = (
        alt.Chart(table("outputs"))
        .mark_text(align="left", dx=12, fontSize=11, color=INK, limit=90, tooltip=None)
        .encode(x=x, y=y, text="name:N")
    )
    captions = alt.Chart(table("captions")).encode(x=x)
    title = captions.mark_text(fontSize=13, fontWeight="bold", color=INK, tooltip=None).encode(
        y=alt.value(HEIGHT - 28), text="title:N"
    )
    detail = captions.mark_text(fontSize=12, color=FADED_INK, tooltip=None).encode(
        y=alt.value(HEIGHT - 10), text="detail:N"
    )
    return template(
        alt.layer(lines, picture, circles, dots, outputs, title, detail).properties(height=HEIGHT),
        padding={"left": 0, "right": 0, "top": 4, "bottom": 4},
        usermeta=columns_saved("captions", {"title": "Layer", "detail": "What it is"}),
    )
