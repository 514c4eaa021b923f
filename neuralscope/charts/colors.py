"""One palette for the whole program, so that a colour means the same thing on every page.

The colours have to work for three readers at once: on white paper, on a dark screen, and for a
colour-blind eye. Each one therefore keeps a contrast of at least 2.2 : 1 to both backgrounds, and
the ten digit colours were searched for the largest distance (in OKLab) between the two most alike,
seen with normal, red-blind, green-blind and blue-blind vision. Colour is never the only sign:
whatever it says, a word, a position or a shape says too.

Data of more classes than ten go on with `class_colors`, each colour as far as can be from all
before it.

Two scales turn numbers into colour. `diverging` is for values around zero, such as weights: blue
below, red above, and exactly the neutral colour at zero. `sequential` is for amounts.
"""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

DIGITS: Final[tuple[str, ...]] = (
    "#5f80e8",
    "#ef9724",
    "#43c089",
    "#db5860",
    "#9b48a4",
    "#67800e",
    "#0e6170",
    "#b19beb",
    "#63571b",
    "#b779a2",
)

TRAIN: Final = "#e0850c"
VALIDATION: Final = "#4f6fe0"
RIGHT: Final = "#119fa0"
WRONG: Final = "#d5431f"
NEUTRAL: Final = "#8a909c"

# Text and the outlines that must stand out: chosen by the background, never the other way round.
INK_ON_LIGHT: Final = "#2b2f3a"
INK_ON_DARK: Final = "#f2f3f5"
PAPER: Final = "#f4f4f1"

# The dashboard's two backgrounds; every colour here is judged against both.
LIGHT_BACKGROUND: Final = "#ffffff"
DARK_BACKGROUND: Final = "#0e1117"

DIVERGING: Final[tuple[str, ...]] = (
    "#1f4fb4",
    "#5b8fe0",
    "#abc8ef",
    "#f4f4f1",
    "#f4b9a2",
    "#dd6a50",
    "#a8201f",
)
SEQUENTIAL: Final[tuple[str, ...]] = ("#e9f2ef", "#a5d6cb", "#55b5a5", "#119fa0", "#0a5f5b")


def rgb(color: str) -> NDArray[np.float64]:
    """The red, green and blue of '#rrggbb' in 0..1, shape (3,)."""
    return np.frombuffer(bytes.fromhex(color.removeprefix("#")), dtype=np.uint8) / 255


def luminance(color: NDArray[np.floating]) -> NDArray[np.float64]:
    """Relative luminance as WCAG 2 defines it; `color` is (..., 3) in 0..1, the result (...)."""
    linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ np.array([0.2126, 0.7152, 0.0722]), dtype=np.float64)


def contrast(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.float64]:
    """Contrast ratio of WCAG 2, from 1 (the same) to 21 (black on white)."""
    a, b = luminance(one), luminance(other)
    return np.asarray((np.maximum(a, b) + 0.05) / (np.minimum(a, b) + 0.05), dtype=np.float64)


def class_colors(k: int) -> tuple[str, ...]:
    """The colours of `k` classes: the ten of the digits first, then ever more alike ones.

    Each further one is, of all colours that stand out from both backgrounds, the one farthest (in
    OKLab) from those before it; so a class keeps its colour however many there are.
    """
    return _class_colors(max(k, 100))[:k]


@functools.cache
def _class_colors(k: int) -> tuple[str, ...]:
    levels = np.arange(8, 256, 16)
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    backgrounds = (rgb(LIGHT_BACKGROUND), rgb(DARK_BACKGROUND))
    grid = grid[np.min([contrast(grid / 255, each) for each in backgrounds], axis=0) > 2.2]
    places = oklab(grid / 255)
    chosen = list(DIGITS[:k])
    nearest = np.full(len(grid), np.inf)
    for i in range(k):
        if i >= len(DIGITS):
            chosen += hex_colors(grid[[nearest.argmax()]].astype(np.uint8))
        away = np.linalg.norm(places - oklab(rgb(chosen[i])), axis=1)
        nearest = np.minimum(nearest, away)
    return tuple(chosen)


def oklab(color: NDArray[np.floating]) -> NDArray[np.float64]:
    """Colours (..., 3) in 0..1 where distances are as seen: https://bottosson.github.io/posts/oklab/."""
    linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    to_cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    to_lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    lab: NDArray[np.float64] = np.cbrt(linear @ to_cones.T) @ to_lab.T
    return lab


@functools.cache
def _ramp(stops: tuple[str, ...], entries: int) -> NDArray[np.uint8]:
    """Colours evenly spaced along the stops, shape (entries, 3)."""
    known = np.stack([rgb(stop) for stop in stops])
    at = np.linspace(0, len(stops) - 1, entries)
    mixed = np.stack([np.interp(at, np.arange(len(stops)), known[:, c]) for c in range(3)], axis=1)
    ramp = np.rint(mixed * 255).astype(np.uint8)
    ramp.setflags(write=False)
    return ramp


def diverging_ramp() -> NDArray[np.uint8]:
    """The 255 colours from most negative to most positive; entry 127 is the neutral one."""
    return _ramp(DIVERGING, 255)


def diverging_index(values: ArrayLike, limit: float) -> NDArray[np.uint8]:
    """Where on the diverging ramp each value falls: -limit is 0, zero is 127, +limit is 254.

    Values beyond the limit take the end colours; what is not a number counts as zero.
    """
    scaled = np.asarray(values, dtype=np.float32) * np.float32(127 / limit if limit > 0 else 0)
    scaled = np.nan_to_num(scaled, nan=0.0, posinf=127.0, neginf=-127.0)
    index: NDArray[np.uint8] = (np.rint(np.clip(scaled, -127, 127)) + 127).astype(np.uint8)
    return index


def diverging(values: ArrayLike, limit: float) -> NDArray[np.uint8]:
    """Blue below zero, neutral at zero, red above: values (...) -> colours (..., 3)."""
    colors: NDArray[np.uint8] = np.take(diverging_ramp(), diverging_index(values, limit), axis=0)
    return colors


def sequential(values: ArrayLike) -> NDArray[np.uint8]:
    """Light to dark for amounts in 0..1: values (...) -> colours (..., 3)."""
    share = np.nan_to_num(np.asarray(values, dtype=np.float64), nan=0.0, posinf=1.0, neginf=0.0)
    at = np.rint(np.clip(share, 0, 1) * 255).astype(np.intp)
    colors: NDArray[np.uint8] = np.take(_ramp(SEQUENTIAL, 256), at, axis=0)
    return colors


def hex_colors(colors: NDArray[np.uint8]) -> list[str]:
    """Colours (n, 3) as '#rrggbb' strings."""
    return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in colors.tolist()]
