"""Which way round pictures are: bright ink on a dark ground, as MNIST's, or ink on paper."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_LOOKED_AT = 2_000
"""Pictures that are enough to tell."""


def is_dark_on_light(
    pixels: NDArray[np.integer], image_shape: tuple[int, int], pixel_max: int
) -> bool:
    """Return whether pictures show dark ink on light paper.

    The border tells: few strokes reach it, so it shows the ground. Photographs, whose borders are
    of every shade, count as neither.

    Args:
        pixels: (n, features), any integer type.
        image_shape: Rows and columns of one picture.
        pixel_max: Largest value a pixel can have.
    """
    # Spread over all of them, as files are often sorted by class.
    pictures = pixels[:: max(1, len(pixels) // MOST_LOOKED_AT)].reshape(-1, *image_shape)
    if not len(pictures):
        return False
    border = np.concatenate(
        [pictures[:, 0], pictures[:, -1], pictures[:, 1:-1, 0], pictures[:, 1:-1, -1]], axis=1
    )
    is_light = np.median(border, axis=1) > 0.75 * pixel_max
    return bool(is_light.mean() >= 0.9)
