"""From ink to network input, by the recipe of the pictures that the network learned from.

strokes ──sheet.rasterize─────────┐
                                  ├──> ink ──prepared──> network input (features,)
file ──photograph.read_picture────┘
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from neuralscope.data.ink import Ink, ink_box, resized
from neuralscope.data.recipe import BY_MASS, FULL_FRAME, Recipe, fineness, thickness_of

_LEANING: Final = 0.3
"""Slant, in columns a row, that upright pictures may have: hardly any has more."""

_OFF_WEIGHT: Final = 0.3
"""As a share of their weight, how much pictures of the same weight of ink may differ from it."""

_BLOT: Final = 1.4
"""Times the thickness of thick ink: what is thicker is no stroke."""

_UPRIGHT_SIDE: Final = 96
"""Rows in which ink is sheared."""


def prepared(ink: Ink, recipe: Recipe) -> NDArray[np.float32]:
    """Return ink as the input of a network whose pictures were made by that recipe.

    Where on the sheet the ink is, and how large it is, makes next to no difference, with one
    exception: a dot or a blot, thicker than anything the network has learned from, is not enlarged.

    Args:
        ink: (height, width), of any shape.
        recipe: Of the network's pictures.

    Returns:
        (features,), in [0, 1].

    Raises:
        DataError: There is no ink.
    """
    times = fineness(recipe.image_shape)
    as_dot = is_blot(ink, recipe)
    small = _scaled(ink, recipe, times, as_dot=as_dot)
    if as_dot or _is_even(ink, small, recipe, times):
        field = _placed(small, recipe, times)
    else:
        if recipe.is_upright:
            small = _scaled(_upright(ink), recipe, times, as_dot=False)
        field = _placed(small, recipe, times)
        if recipe.ink_share is not None:
            field = _of_weight(field, recipe.ink_share)
    rows, columns = recipe.image_shape
    picture: Ink = field.reshape(rows, times, columns, times).mean(axis=(1, 3), dtype=np.float32)
    if not recipe.is_shaded:
        picture /= picture.max()  # a thin pencil is scaled to gray, and the pictures have full ink
    if recipe.levels < 256:
        steps = np.float32(recipe.levels - 1)
        picture = np.rint(picture * steps) / steps
    if recipe.is_dark_on_light:
        picture = 1 - picture
    return picture.ravel()


def is_blot(ink: Ink, recipe: Recipe) -> bool:
    """Return whether ink would be far thicker than what a network has learned from: a mere dot.

    Raises:
        DataError: There is no ink.
    """
    left, top, right, bottom = box = _part(ink, recipe)
    height, width = _fitted_size(ink, recipe)
    times = fineness(recipe.image_shape)
    # With its aspect, even where it loses that: a dot is as wide as it is high.
    scale = times * max(height / (bottom - top), width / (right - left))
    columns, rows = max(1, round(scale * (right - left))), max(1, round(scale * (bottom - top)))
    small = resized(ink, box, columns, rows)
    thickness = int(thickness_of(small[None] > 0.5 * small.max())[0]) / times
    return thickness > _BLOT * recipe.thickness


def _scaled(ink: Ink, recipe: Recipe, times: int, *, as_dot: bool) -> Ink:
    """Return the ink alone, as large as in a picture of which each pixel is `times` x `times`.

    A dot stays one: it is not enlarged to the size of a digit.
    """
    left, top, right, bottom = box = _part(ink, recipe)
    height, width = _fitted_size(ink, recipe)
    if as_dot:
        # No larger than on a sheet that is as large as the picture.
        scale = min(
            max(recipe.image_shape) / max(ink.shape),
            height / (bottom - top),
            width / (right - left),
        )
        height, width = scale * (bottom - top), scale * (right - left)
    small = resized(ink, box, max(1, round(times * width)), max(1, round(times * height)))
    if not recipe.is_shaded:
        small /= small.max()
    return small


def _part(ink: Ink, recipe: Recipe) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of what becomes the picture."""
    return (0, 0, *ink.shape[::-1]) if recipe.centered_by == FULL_FRAME else ink_box(ink)


def _fitted_size(ink: Ink, recipe: Recipe) -> tuple[float, float]:
    """Return how many rows and columns of a picture the ink is to take."""
    left, top, right, bottom = _part(ink, recipe)
    rows, columns = recipe.box
    down, across = rows / (bottom - top), columns / (right - left)
    fills_rows, fills_columns = recipe.fills
    if fills_rows and fills_columns:
        return rows, columns
    if fills_rows:
        return rows, min(columns, down * (right - left))
    if fills_columns:
        return min(rows, across * (bottom - top)), columns
    scale = min(down, across)
    return scale * (bottom - top), scale * (right - left)


def _is_even(ink: Ink, small: Ink, recipe: Recipe, times: int) -> bool:
    """Return whether ink needs no straightening and no other weight, as the pictures need none."""
    if recipe.is_upright and abs(_slant(ink)) > _LEANING:
        return False
    if recipe.ink_share is None:
        return True
    weight = float(small.sum()) / (math.prod(recipe.image_shape) * times**2)
    return abs(weight - recipe.ink_share) <= _OFF_WEIGHT * recipe.ink_share


def _placed(small: Ink, recipe: Recipe, times: int) -> Ink:
    """Return a field with the scaled ink where the pictures have theirs."""
    rows, columns = (times * side for side in recipe.image_shape)
    height, width = small.shape
    middle = (height / 2, width / 2)
    if recipe.centered_by == BY_MASS:
        mass = small.sum()
        # In units of pixels from the corner, where the middle of pixel i is i + 0.5.
        middle = (
            float(small.sum(axis=1) @ (np.arange(height) + 0.5) / mass),
            float(small.sum(axis=0) @ (np.arange(width) + 0.5) / mass),
        )
    # By whole pixels, which leaves them as they are.
    y, x = (
        math.ceil(times * center - part - 0.5)
        for center, part in zip(recipe.center, middle, strict=True)
    )
    y, x = min(max(y, 0), rows - height), min(max(x, 0), columns - width)
    field = np.zeros((rows, columns), np.float32)
    field[y : y + height, x : x + width] = small
    return field


def _of_weight(field: Ink, ink_share: float) -> Ink:
    """Return strokes of the right weight, be they thinner or thicker than they were drawn."""
    soft = Image.fromarray(field * 255).convert("L").filter(ImageFilter.GaussianBlur(1))
    darkness = np.asarray(soft, np.float32)
    limit = max(float(np.quantile(darkness, 1 - ink_share)), 1.0)
    return (darkness >= limit).astype(np.float32)


def _slant(ink: Ink) -> float:
    """Return how many columns the ink shifts with each row: how rows and columns vary together."""
    left, top, right, bottom = ink_box(ink)
    rows, columns = np.indices((bottom - top, right - left), dtype=np.float32)
    part = ink[top:bottom, left:right]
    mass = part.sum()
    rows -= (part * rows).sum() / mass
    columns -= (part * columns).sum() / mass
    return float((part * rows * columns).sum() / max(float((part * rows**2).sum()), 1e-6))


def _upright(ink: Ink) -> Ink:
    """Shear the slant out."""
    left, top, right, bottom = ink_box(ink)
    slant = min(max(_slant(ink), -1.0), 1.0)  # a lying stroke has no slant to speak of
    # Fine enough, and wide enough for what is sheared out to either side.
    width = min(max(1, round(_UPRIGHT_SIDE * (right - left) / (bottom - top))), 4 * _UPRIGHT_SIDE)
    small = resized(ink, (left, top, right, bottom), width, _UPRIGHT_SIDE)
    slant *= (width / (right - left)) / (_UPRIGHT_SIDE / (bottom - top))
    wide = np.pad(small, ((0, 0), (_UPRIGHT_SIDE, _UPRIGHT_SIDE)))
    sheared = Image.fromarray(wide).transform(
        (wide.shape[1], wide.shape[0]),
        Image.Transform.AFFINE,
        (1, slant, -slant * (_UPRIGHT_SIDE - 1) / 2, 0, 1, 0),
        Image.Resampling.BILINEAR,
    )
    upright = np.array(sheared, np.float32)
    upright /= upright.max()
    return upright
