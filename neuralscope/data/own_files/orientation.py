"""Turning pictures that lie on their side, and back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

AS_IS = "as-is"

_Pictures = NDArray[np.uint8]

ORIENTATIONS: dict[str, Callable[[_Pictures], _Pictures]] = {
    AS_IS: lambda pictures: pictures,
    "transpose": lambda pictures: pictures.swapaxes(1, 2),
    "left": lambda pictures: np.rot90(pictures, 1, axes=(1, 2)),
    "right": lambda pictures: np.rot90(pictures, -1, axes=(1, 2)),
    "upside-down": lambda pictures: np.rot90(pictures, 2, axes=(1, 2)),
}
"""What can be done with pictures (n, rows, columns), by its name; EMNIST needs 'transpose'."""

WORDS = {
    AS_IS: "as they are",
    "transpose": "rows and columns swapped",
    "left": "turned left",
    "right": "turned right",
    "upside-down": "turned upside down",
}
"""What was done, in words."""
