"""The sheet of paper: strokes become ink on it, and pictures are laid on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from neuralscope.data.ink import Ink, ink_box, resized
from neuralscope.data.preparation import is_blot
from neuralscope.data.recipe import FULL_FRAME, Recipe

CANVAS: Final = 280
"""Width and height of the sheet that is drawn on: whole multiples of 28 and of 8."""

PEN: Final = 0.06
"""Width of the pen, as a share of the sheet: MNIST's strokes where a digit fills most of it."""

_FINE: Final = 2  # the sheet is drawn so many times as large, and averaged: that smooths the edges


class Stroke(NamedTuple):
    """One line of the pen, or of the eraser.

    Attributes:
        points: (x, y), each from 0 (left, top) to 1 (right, bottom) of the sheet.
        erases: Whether it takes ink away.
    """

    points: tuple[tuple[float, float], ...]
    erases: bool = False


def blank() -> Ink:
    """Return an empty sheet, (CANVAS, CANVAS)."""
    return np.zeros((CANVAS, CANVAS), np.float32)


def rasterize(strokes: Sequence[Stroke], onto: Ink | None = None, *, pen: float = PEN) -> Ink:
    """Draw strokes with a round pen, one after another, with smooth edges.

    Args:
        strokes: What is drawn.
        onto: What is on the sheet already, (CANVAS, CANVAS).
        pen: Width of the pen as a share of the sheet.

    Returns:
        The sheet, (CANVAS, CANVAS).
    """
    if onto is None:
        onto = blank()
    if not strokes:
        return onto
    side = CANVAS * _FINE
    # What was there before is kept apart from what is drawn, so that it stays exact.
    drawn = Image.new("L", (side, side), 0)
    kept = Image.new("L", (side, side), 255)
    radius = pen * side / 2
    for stroke in strokes:
        points = [(x * side, y * side) for x, y in stroke.points]
        for sheet, color in ((drawn, 0 if stroke.erases else 255), (kept, 0)):
            if sheet is kept and not stroke.erases:
                continue
            pencil = ImageDraw.Draw(sheet)
            if len(points) > 1:
                pencil.line(points, fill=color, width=max(1, round(2 * radius)))
            for x, y in points:  # round ends and joints
                pencil.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)
    ink: Ink = np.maximum(onto * _reduced(kept), _reduced(drawn))
    return ink


def _reduced(sheet: Image.Image) -> Ink:
    return np.asarray(sheet.reduce(_FINE), np.float32) / np.float32(255)


def enlarged(pixels: NDArray[np.integer], pixel_max: int, *, is_dark_on_light: bool = False) -> Ink:
    """Return a picture of a data set on the whole sheet, pixel by pixel, (CANVAS, CANVAS).

    Args:
        pixels: (height, width); one that is not square lies in the middle of the sheet.
        pixel_max: Largest value a pixel can have.
        is_dark_on_light: Whether that value is paper, and 0 is ink.
    """
    ink = np.asarray(pixels, np.float32) / np.float32(pixel_max)
    if is_dark_on_light:
        ink = 1 - ink
    rows, columns, times = _place(ink.shape)
    sheet = blank()
    sheet[rows, columns] = ink.repeat(times, axis=0).repeat(times, axis=1)
    return sheet


def _place(image_shape: tuple[int, ...]) -> tuple[slice, slice, int]:
    """Return where on the sheet a picture of that shape lies, and how many times enlarged."""
    times = CANVAS // max(image_shape)
    top, left = ((CANVAS - times * side) // 2 for side in image_shape)
    height, width = (times * side for side in image_shape)
    return slice(top, top + height), slice(left, left + width), times


def as_pixels(
    sheet: Ink, image_shape: tuple[int, int], pixel_max: int, *, is_dark_on_light: bool = False
) -> NDArray[np.float32]:
    """Return a sheet on which a picture of a data set was `enlarged`, as network input.

    Each block is averaged to the nearest pixel value, and nothing is moved or scaled: what was not
    drawn upon is the picture's own pixel, exactly.

    Returns:
        (features,), in [0, 1].
    """
    height, width = image_shape
    rows, columns, times = _place(image_shape)
    blocks = sheet[rows, columns].reshape(height, times, width, times)
    levels = np.rint(blocks.mean(axis=(1, 3), dtype=np.float64) * pixel_max)
    if is_dark_on_light:
        levels = pixel_max - levels
    # As `scaled` divides, so that the same pixel is the same number.
    x: Ink = np.divide(levels.astype(np.float32), np.float32(pixel_max)).ravel()
    return x


def fitted(ink: Ink, recipe: Recipe) -> Ink:
    """Return the ink of a photograph in the middle of a sheet, large enough to draw on.

    Raises:
        DataError: There is no ink.
    """
    height, width = ink.shape
    box, share = ink_box(ink), 0.7
    if recipe.centered_by == FULL_FRAME:
        box, share = (0, 0, width, height), 1.0
    left, top, right, bottom = box
    scale = share * CANVAS / max(right - left, bottom - top)
    if is_blot(ink, recipe):
        scale = min(scale, CANVAS / max(ink.shape))  # a dot stays a dot
    columns = max(1, round((right - left) * scale))
    rows = max(1, round((bottom - top) * scale))
    sheet = blank()
    x, y = (CANVAS - columns) // 2, (CANVAS - rows) // 2
    sheet[y : y + rows, x : x + columns] = resized(ink, box, columns, rows)
    return sheet
