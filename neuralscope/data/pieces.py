"""How many digits are there? A network reads one, and takes all the ink for it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from neuralscope.data.ink import VISIBLE, Ink, has_ink, ink_box, resized

Box = tuple[int, int, int, int]
"""Left, top, right and bottom; the last two are just outside."""

_MOST_PIECES: Final = 60  # a picture of more is no digit, and comparing them all would take long


def count_digits(ink: Ink) -> int:
    """Return how many digits lie apart from each other; a digit in pieces counts once.

    Pieces are told apart on a grid of 64 x 64. Those that are much lower than the highest are dots
    or bars of a digit, and those above or beside which another piece stands belong together.
    """
    if not has_ink(ink):
        return 0
    pieces = _pieces(ink)
    highest = max(bottom - top for _, top, _, bottom in pieces)
    large = sorted(piece for piece in pieces if piece[3] - piece[1] >= 0.4 * highest)[:_MOST_PIECES]
    found: list[Box] = []
    for left, top, right, bottom in large:
        for i, (other_left, other_top, other_right, other_bottom) in enumerate(found):
            across = min(right, other_right) - max(left, other_left)
            if across > 0.2 * min(right - left, other_right - other_left):
                apart = max(top, other_top) - min(bottom, other_bottom)
                if apart < 0.1 * highest:
                    found[i] = (
                        min(left, other_left),
                        min(top, other_top),
                        max(right, other_right),
                        max(bottom, other_bottom),
                    )
                    break
        else:
            found.append((left, top, right, bottom))
    return len(found)


def _pieces(ink: Ink) -> list[Box]:
    """Return the boxes of the ink's connected pieces, corners included, on a grid of 64 x 64."""
    left, top, right, bottom = ink_box(ink)
    scale = 64 / max(right - left, bottom - top)
    width, height = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    grid = resized(ink, (left, top, right, bottom), width, height)
    # Fine dots are faint when they are scaled down.
    labels = labeled(grid > VISIBLE * grid.max())
    return [
        (columns.start, rows.start, columns.stop, rows.stop) for rows, columns in boxes_of(labels)
    ]


def labeled(inked: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the number of the connected piece, corners included, of each pixel; 0 has no ink.

    Args:
        inked: (height, width).
    """
    from scipy import ndimage  # slow to import, and only needed where pictures are read

    labels: NDArray[np.int32] = ndimage.label(inked, np.ones((3, 3)))[0]
    return labels


def boxes_of(labels: NDArray[np.int32]) -> list[tuple[slice, slice]]:
    """Return rows and columns of each piece that is labeled 1, 2, 3..., in one look at them all."""
    from scipy import ndimage

    boxes: list[tuple[slice, slice]] = ndimage.find_objects(labels)
    return boxes
