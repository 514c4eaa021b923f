"""Ink: what was drawn or photographed, before a network's data set has a say in it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from neuralscope.errors import DataError

Ink = NDArray[np.float32]
"""(height, width), 0 is paper and 1 full ink."""

VISIBLE: Final = 0.1
"""Ink below this is dust, or the soft edge of a stroke."""


def has_ink(ink: Ink) -> bool:
    """Return whether there is anything to be seen."""
    return bool((ink > VISIBLE).any())


def ink_box(ink: Ink) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the ink; the last two are just outside.

    Raises:
        DataError: There is no ink.
    """
    visible = ink > VISIBLE
    rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    if not len(rows):
        raise DataError("The picture is blank: there is nothing on it to read.")
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def resized(ink: Ink, box: tuple[int, int, int, int], width: int, height: int) -> Ink:
    """Scale a part of the ink, each new pixel the weighted average of those around it.

    Args:
        ink: (height, width).
        box: Left, top, right and bottom of the part.
        width: Columns of the result.
        height: Rows of the result.
    """
    scaled = Image.fromarray(np.ascontiguousarray(ink, np.float32)).resize(
        (width, height), Image.Resampling.BILINEAR, box=box
    )
    return np.array(scaled, np.float32).clip(0, 1)
