"""Pixels, whatever they are written as: their shape, and the bytes they are kept as."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralscope.data.own_files.limits import MOST_SIDE, Unfit
from neuralscope.data.own_files.naming import Part, shape_in

PART_WORDS: dict[Part, str] = {
    "train": "training",
    "validation": "validation",
    "test": "the test",
}

_ROUNDING = 1e-5
"""What a value may be off a limit or a whole number, as a share of full ink: float32 rounds."""

_BLOCK = 4096  # pictures


def flattened(
    images: Mapping[Part, NDArray[Any]],
    file_names: Sequence[str],
    shape: tuple[int, int] | None = None,
) -> tuple[tuple[int, int], dict[Part, NDArray[Any]]]:
    """Return rows and columns of the images, and each part as (n, features).

    Args:
        images: (n, features), (n, rows, columns), or with an axis of one channel, for each part.
        file_names: They may say the shape of flat images.
        shape: The shape of flat images, where it is known.

    Raises:
        Unfit: They are not images of one possible shape.
    """
    shapes = set()
    flat = {}
    for part, values in images.items():
        if not values.size:
            raise Unfit(f"there are no images for {PART_WORDS[part]}")
        if values.dtype.kind not in "buif":
            raise Unfit("the pixels are text, not numbers")
        if values.ndim == 4 and values.shape[-1] in (3, 4):
            raise Unfit("the images are in color; NeuralScope reads gray ones, (n, rows, columns)")
        if values.ndim == 4 and 1 in (values.shape[1], values.shape[-1]):
            values = values.squeeze(-1 if values.shape[-1] == 1 else 1)
        if values.ndim == 2:
            sides = _shape_of_flat(values.shape[1], file_names, shape)
        elif values.ndim == 3:
            sides = (int(values.shape[1]), int(values.shape[2]))
        else:
            raise Unfit(
                f"images of shape {values.shape} are neither (n, rows, columns) nor (n, pixels)"
            )
        if max(sides) > MOST_SIDE or min(sides) < 1 or math.prod(sides) < 2:
            raise Unfit(
                f"images of {sides[0]} x {sides[1]} pixels are not possible, only up to "
                f"{MOST_SIDE} x {MOST_SIDE}"
            )
        shapes.add(sides)
        flat[part] = values.reshape(len(values), -1)
    if len(shapes) > 1:
        several = " and ".join(f"{height} x {width}" for height, width in sorted(shapes))
        raise Unfit(f"its parts have images of different shapes, {several}")
    return shapes.pop(), flat


def _shape_of_flat(
    n_pixels: int, file_names: Sequence[str], known: tuple[int, int] | None
) -> tuple[int, int]:
    for shape in (*map(shape_in, file_names), known):
        if shape and math.prod(shape) == n_pixels:
            return shape
    side = math.isqrt(n_pixels)
    if side * side != n_pixels:
        raise Unfit(
            f"{n_pixels:,} pixels are not a square image; put rows×columns in the file name, "
            "such as signs-12x20.csv"
        )
    return side, side


def as_bytes(
    flat: Mapping[Part, NDArray[Any]],
    image_shape: tuple[int, int],
    pixel_max: int | None = None,
) -> tuple[dict[Part, NDArray[np.uint8]], int]:
    """Return the pixels as they are kept, and the value that is full ink.

    Args:
        flat: (n, features) for each part: whole numbers from 0 to 255, or fractions from 0 to 1.
        image_shape: Rows and columns of one image.
        pixel_max: Full ink of the data that this must agree with: where all of it is pale, nothing
            else would tell.

    Raises:
        Unfit: They are not pixels; names the first value that cannot be one, and its place.
    """
    lowest, highest = math.inf, -math.inf
    for values in flat.values():
        at = _first(values, lambda block: ~np.isfinite(block)) if _is_float(values) else None
        if at is not None:
            raise Unfit(f"a pixel is not a number (NaN or infinite): {_place(at, image_shape)}")
        lowest, highest = min(lowest, float(values.min())), max(highest, float(values.max()))
    ink = 1 if highest <= 1 + _ROUNDING else 255
    room = _ROUNDING * ink
    whole = True
    for values in flat.values():
        at = None
        if lowest < -room or highest > ink + room:
            at = _first(values, lambda block: (block < -room) | (block > ink + room))
        elif _is_float(values):
            at = _first(values, lambda block: _is_fraction(block, room))
            if ink == 1 and at is not None:
                whole, at = False, None
            elif at is not None:  # 1.5 is wrong in any case; 0.5 only beside it
                beyond = _first(values, lambda block: _is_fraction(block, room) & (block > 1))
                at = at if beyond is None else beyond
        if at is not None:
            raise Unfit(
                f"a pixel is {float(values.flat[at]):.9g}: {_place(at, image_shape)}. Pixels must "
                "be whole numbers from 0 to 255, or fractions from 0 to 1; these go from "
                f"{lowest:.9g} to {highest:.9g}"
            )
    if lowest == highest:
        raise Unfit("all its pixels are the same")
    if not whole:
        return {part: _rounded(values, 255) for part, values in flat.items()}, 255
    # Some data has few shades: 0 and 1, or 17 as scikit-learn's digits.
    full = 255 if highest > 16.5 else round(highest)
    if pixel_max is not None and full <= pixel_max <= 16:
        full = pixel_max
    return {part: _rounded(values, 1) for part, values in flat.items()}, full


def _is_float(values: NDArray[Any]) -> bool:
    return values.dtype.kind == "f"


def _is_fraction(values: NDArray[Any], room: float) -> NDArray[np.bool_]:
    fractions: NDArray[np.bool_] = np.abs(values - np.rint(values)) > room
    return fractions


def _first(
    values: NDArray[Any], is_wrong: Callable[[NDArray[Any]], NDArray[np.bool_]]
) -> int | None:
    """Return the place of the first wrong value, counted through all of them, or None."""
    # Block by block: the data may be as large as half the memory.
    for start in range(0, len(values), _BLOCK):
        wrong = is_wrong(values[start : start + _BLOCK])
        if wrong.any():
            return start * int(values.shape[1]) + int(wrong.argmax())
    return None


def _rounded(values: NDArray[Any], factor: int) -> NDArray[np.uint8]:
    if not _is_float(values):
        return values.astype(np.uint8, copy=False)
    pixels = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK]
        pixels[start : start + _BLOCK] = np.rint(np.clip(block * factor, 0, 255))
    return pixels


def _place(at: int, image_shape: tuple[int, int]) -> str:
    """Say where a pixel stands, counted from 1 as people do."""
    image, pixel = divmod(at, math.prod(image_shape))
    row, column = divmod(pixel, image_shape[1])
    return f"picture {image + 1:,}, row {row + 1}, column {column + 1}"
