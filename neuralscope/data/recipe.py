"""How the pictures of a data set were made, measured on the pictures themselves.

A network reads a drawing well only if the drawing is prepared as the pictures were that it learned
from. No name or file format tells how that was, but the pictures do: how much of the frame the ink
fills, what lies in the middle, whether strokes lean, whether there are shades. `measure` looks;
`neuralscope.data.preparation` does likewise with a drawing. The recipe is a few numbers, which
travel with a network, so that it can read drawings where its data set is gone.

NumPy only: a trainer measures it, and has no time for more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from neuralscope.data.polarity import is_dark_on_light
from neuralscope.errors import DataError

BY_MASS, BY_BOX, FULL_FRAME = "mass", "box", "frame"

MOST_MEASURED: Final = 1_000
"""Pictures that are enough to tell."""

LARGEST_SIDE: Final = 4_096
"""Pixels that a side of a picture in a recipe from a file may have."""

_VISIBLE = 0.1  # as in `ink`, which needs Pillow
_EDGE = 0.3  # of full ink: there the edge of a stroke lies whose pixels are soft
_FINE = 28  # pixels a side that show where ink is and how thick, as MNIST's do
_NEARLY_ALL = 0.98
_SAME_WEIGHT = 0.15  # standard deviation of the weight of ink, as a share of its mean
_UPRIGHT = 0.15  # slant, in columns a row


@dataclass(frozen=True)
class Recipe:
    """How ink becomes a picture like those of a data set.

    Attributes:
        image_shape: Rows and columns of a picture.
        box: Rows and columns that the ink is scaled into, keeping its aspect.
        fills: Whether the ink fills all the rows, and all the columns, of its box in any case,
            even if it loses its aspect by that.
        centered_by: What is put at `center`: the ink's center of mass ("mass"), or the middle of
            its box ("box"). "frame": the pictures have no ground, and neither box nor center.
        center: (down, across) in pixels from the corner of the picture.
        levels: Different values that a pixel can have, 2 to 256.
        is_shaded: Whether there are shades within the ink, as in photographs; else it is strokes.
        is_upright: Whether the slant is sheared out of the strokes.
        ink_share: Share of the picture that is ink, where all pictures were given the same.
        thickness: How many pixels one can go from the edge into the ink; in one picture of 20 it is
            further.
        is_dark_on_light: Whether ink is 0 and paper 1.
    """

    image_shape: tuple[int, int]
    box: tuple[int, int]
    fills: tuple[bool, bool] = (False, False)
    centered_by: str = BY_BOX
    center: tuple[float, float] = (0.0, 0.0)
    levels: int = 256
    is_shaded: bool = False
    is_upright: bool = False
    ink_share: float | None = None
    thickness: float = 1.0
    is_dark_on_light: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, values: object) -> Recipe:
        """Rebuild what `as_json` returned and a file has held; anyone may have written it.

        Raises:
            DataError: It is not a recipe.
        """
        if not isinstance(values, Mapping):
            raise DataError("A recipe must be an object.")
        try:
            recipe = _checked(values)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DataError("The numbers of a recipe do not fit together.") from error
        return recipe


def _checked(values: Mapping[str, Any]) -> Recipe:
    """Return a recipe from JSON. Raises KeyError, TypeError or ValueError if it is not one."""

    def pair(name: str, least: float, most: tuple[float, float]) -> tuple[Any, Any]:
        first, second = values[name]
        if not (least <= first <= most[0] and least <= second <= most[1]):
            raise ValueError(name)
        return first, second

    height, width = map(int, pair("image_shape", 1, (LARGEST_SIDE, LARGEST_SIDE)))
    rows, columns = map(int, pair("box", 1, (height, width)))
    down, across = map(float, pair("center", 0, (height, width)))
    fills_rows, fills_columns = map(bool, values["fills"])
    share = values["ink_share"]
    recipe = Recipe(
        image_shape=(height, width),
        box=(rows, columns),
        fills=(fills_rows, fills_columns),
        centered_by=str(values["centered_by"]),
        center=(down, across),
        levels=int(values["levels"]),
        is_shaded=bool(values["is_shaded"]),
        is_upright=bool(values["is_upright"]),
        ink_share=None if share is None else float(share),
        thickness=float(values["thickness"]),
        is_dark_on_light=bool(values["is_dark_on_light"]),
    )
    if (
        recipe.centered_by not in (BY_MASS, BY_BOX, FULL_FRAME)
        or not 2 <= recipe.levels <= 256
        or not 0 < recipe.thickness <= LARGEST_SIDE
        or not (recipe.ink_share is None or 0 < recipe.ink_share < 1)
    ):
        raise ValueError("out of range")
    return recipe


MNIST: Final = Recipe(
    image_shape=(28, 28),
    box=(20, 20),
    centered_by=BY_MASS,
    center=(14.5, 14.5),
    thickness=4,
)
"""MNIST (LeCun, Cortes, Burges, http://yann.lecun.com/exdb/mnist): the ink is scaled into a box of
20 x 20, with gray levels from anti-aliasing; then it is moved by whole pixels until its center of
mass is in the middle of the field, which counted in whole pixels is 14."""

DIGITS: Final = Recipe(
    image_shape=(8, 8),
    box=(8, 6),
    fills=(True, False),
    centered_by=BY_MASS,
    center=(4.0, 4.0),
    levels=17,
    is_upright=True,
    ink_share=0.31,
    thickness=1.75,
)
"""The digits of scikit-learn (Alpaydin and Kaynak, UCI 1998): a bitmap of 32 x 32 is cut into
blocks of 4 x 4, and the black pixels of each are counted, 0 to 16. The bitmaps come from NIST's
form-reading program (Garris et al., NISTIR 5469), which shears the slant out of each digit, scales
it to one height and gives all the same weight of ink."""


def usual_recipe(image_shape: tuple[int, int]) -> Recipe:
    """Return the recipe for pictures of which nothing but the shape is known."""
    for recipe in (MNIST, DIGITS):
        if recipe.image_shape == image_shape:
            return recipe
    height, width = image_shape
    return Recipe(
        image_shape=image_shape,
        box=(max(1, height * 5 // 7), max(1, width * 5 // 7)),
        center=(height / 2, width / 2),
        thickness=max(1, max(image_shape) // 7),
    )


def usual_shape(n_features: int) -> tuple[int, int]:
    """Return the shape of pictures of which nothing but the number of pixels is known.

    Raises:
        DataError: There is no usual shape for it.
    """
    shapes = {math.prod(each.image_shape): each.image_shape for each in (MNIST, DIGITS)}
    if n_features in shapes:
        return shapes[n_features]
    usual = " or ".join(f"{n} pixels ({h} x {w})" for n, (h, w) in shapes.items())
    raise DataError(
        f"This network takes {n_features:,} pixels, and its file does not say how many rows and "
        f"columns they are. Without that, drawings can be read for {usual} only."
    )


# Measuring ---------------------------------------------------------------------------------------


def measure(pixels: NDArray[np.integer], image_shape: tuple[int, int], pixel_max: int) -> Recipe:
    """Return the recipe by which the pictures of a data set were made.

    Args:
        pixels: (n, features), any integer type; of many, some are looked at.
        image_shape: Rows and columns of one picture.
        pixel_max: Largest value a pixel can have.
    """
    if len(pixels) > MOST_MEASURED:
        # Drawn from all of them, always the same: files are often sorted by class, or the classes
        # take turns, of which evenly spaced pictures might show but one.
        rng = np.random.default_rng(0)
        pixels = pixels[np.sort(rng.choice(len(pixels), MOST_MEASURED, replace=False))]
    is_dark = is_dark_on_light(pixels, image_shape, pixel_max)
    pictures = pixels.reshape(-1, *image_shape)
    ink: NDArray[np.float32] = (pictures / np.float32(pixel_max)).astype(np.float32)
    if is_dark:
        ink = 1 - ink
    ink = ink[(ink > _VISIBLE).any(axis=(1, 2))]
    if not len(ink):
        return usual_recipe(image_shape)
    levels = min(max(len(np.unique(pictures)), 2), 256)
    times = fineness(image_shape)
    solid = ink > 0.5 * ink.max(axis=(1, 2), keepdims=True)
    fine = solid.repeat(times, axis=1).repeat(times, axis=2)
    thickness = max(1, round(float(np.quantile(thickness_of(fine), 0.95)))) / times
    if _has_no_ground(ink):
        return Recipe(
            image_shape,
            box=image_shape,
            fills=(True, True),
            centered_by=FULL_FRAME,
            center=(image_shape[0] / 2, image_shape[1] / 2),
            levels=levels,
            is_shaded=True,
            thickness=max(image_shape),
        )
    first, last = _edges(ink)
    box, fills = _box_and_fills(last - first)
    middles, masses = (first + last) / 2, _centers_of_mass(ink)
    # Where the ink fills the rows or columns, there is nothing to center.
    spread = np.stack([masses.var(axis=0), middles.var(axis=0)]) * ~np.array(fills)
    is_by_mass = bool(np.less(*spread.sum(axis=1)))
    center = np.median(masses if is_by_mass else middles, axis=0)
    down, across = (np.rint(8 * center) / 8).tolist()  # finer than any network cares
    is_shaded = _is_shaded(ink)
    weights = ink.mean(axis=(1, 2))
    has_same_weight = not is_shaded and weights.std() < _SAME_WEIGHT * weights.mean()
    slants = _slants(ink, masses)
    return Recipe(
        image_shape=image_shape,
        box=box,
        fills=fills,
        centered_by=BY_MASS if is_by_mass else BY_BOX,
        center=(down, across),
        levels=levels,
        is_shaded=is_shaded,
        is_upright=not is_shaded and float(np.sqrt(np.square(slants).mean())) < _UPRIGHT,
        ink_share=round(float(weights.mean()), 2) if has_same_weight else None,
        thickness=thickness,
        is_dark_on_light=is_dark,
    )


def fineness(image_shape: tuple[int, int]) -> int:
    """Return into how many finer pixels a side ink is placed: small pictures hide the rest."""
    return max(1, math.ceil(_FINE / max(image_shape)))


def thickness_of(inked: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return how often the edge of the ink can be taken away until there is none, (n,).

    Args:
        inked: (n, height, width).
    """
    times = np.zeros(len(inked), np.int64)
    while (left := inked.any(axis=(1, 2))).any():
        times += left
        padded = np.pad(inked, ((0, 0), (1, 1), (1, 1)))
        inked = (
            inked
            & padded[:, :-2, 1:-1]
            & padded[:, 2:, 1:-1]
            & padded[:, 1:-1, :-2]
            & padded[:, 1:-1, 2:]
        )
    return times


def _has_no_ground(ink: NDArray[np.float32]) -> bool:
    """Return whether most pictures are of any shade right up to their borders."""
    border = np.concatenate([ink[:, 0], ink[:, -1], ink[:, 1:-1, 0], ink[:, 1:-1, -1]], axis=1)
    return bool(np.median((border > _VISIBLE).mean(axis=1)) > 0.5)


def _edges(ink: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return first row and column with ink of each picture, and those after the last, (n, 2)."""
    visible = ink > _EDGE * ink.max(axis=(1, 2), keepdims=True)
    sides = [visible.any(axis=2), visible.any(axis=1)]  # (n, rows), (n, columns)
    # argmax of booleans is the first that is true.
    first = np.stack([side.argmax(axis=1) for side in sides], axis=1)
    last = np.stack([side.shape[1] - side[:, ::-1].argmax(axis=1) for side in sides], axis=1)
    return first, last


def _box_and_fills(
    extents: NDArray[np.int64],
) -> tuple[tuple[int, int], tuple[bool, bool]]:
    """Return the box that most ink was scaled into, and which of its sides are always filled.

    Args:
        extents: Rows and columns that the ink of each picture takes, (n, 2).
    """
    largest = np.quantile(extents, 0.95, axis=0)
    # Of data that was not scaled to one size, the typical size counts, and not the largest.
    typical = np.median((extents / largest).max(axis=1))
    rows, columns = np.rint(largest * typical).clip(1).astype(int).tolist()
    share = (extents >= 0.95 * np.array([rows, columns])).mean(axis=0)
    fills_rows, fills_columns = (share >= _NEARLY_ALL).tolist()
    return (rows, columns), (fills_rows, fills_columns)


def _centers_of_mass(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (down, across) of each picture, (n, 2), where the middle of pixel i is i + 0.5."""
    mass = ink.sum(axis=(1, 2))
    down = ink.sum(axis=2) @ (np.arange(ink.shape[1]) + 0.5) / mass
    across = ink.sum(axis=1) @ (np.arange(ink.shape[2]) + 0.5) / mass
    return np.stack([down, across], axis=1)


def _slants(ink: NDArray[np.float32], centers: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how many columns the ink of each picture shifts with each row, (n,)."""
    rows = np.arange(ink.shape[1]) + 0.5 - centers[:, :1]  # (n, rows)
    columns = np.arange(ink.shape[2]) + 0.5 - centers[:, 1:]
    together = np.einsum("nrc,nr,nc->n", ink, rows, columns)
    along = np.einsum("nrc,nr->n", ink, rows**2)
    slants: NDArray[np.float32] = together / np.maximum(along, 1e-6)
    return slants


def _is_shaded(ink: NDArray[np.float32]) -> bool:
    """Return whether much of the ink is far from full ink: no soft edge of a stroke is."""
    reach = max(1, round(0.08 * max(ink.shape[1:])))
    nearby = ink
    for axis in (1, 2):
        pads = [(0, 0)] * 3
        pads[axis] = (reach, reach)
        padded = np.pad(nearby, pads)
        length = ink.shape[axis]
        nearby = nearby.copy()
        for first in range(2 * reach + 1):
            neighbors = np.take(padded, range(first, first + length), axis=axis)
            np.maximum(nearby, neighbors, out=nearby)
    visible = ink > _VISIBLE
    return bool((visible & (nearby < 0.6)).sum() > 0.15 * visible.sum())
