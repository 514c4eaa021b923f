"""How many digits lie on a sheet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from neuralscope.data import load_dataset, scaled
from neuralscope.data.ink import Ink
from neuralscope.data.pieces import count_digits
from neuralscope.data.sheet import CANVAS, Stroke, blank, rasterize


def beside(*strokes: Stroke) -> int:
    return count_digits(rasterize(strokes))


def test_digits_apart_are_counted() -> None:
    left, right = Stroke(((0.2, 0.1), (0.2, 0.9))), Stroke(((0.8, 0.1), (0.8, 0.9)))
    middle = Stroke(((0.5, 0.15), (0.5, 0.8)))
    assert count_digits(blank()) == 0
    assert beside(left) == 1
    assert beside(left, right) == 2
    assert beside(left, middle, right) == 3
    assert beside(Stroke(((0.5, 0.05), (0.5, 0.4))), Stroke(((0.5, 0.6), (0.5, 0.95)))) == 2


@pytest.mark.parametrize(
    "strokes",
    [
        # A five whose bar was set apart, a four in two strokes, a dot of dust.
        (((0.3, 0.1), (0.7, 0.1)), ((0.3, 0.25), (0.3, 0.5), (0.7, 0.6), (0.3, 0.9))),
        (((0.3, 0.1), (0.2, 0.55), (0.6, 0.55)), ((0.5, 0.2), (0.5, 0.35))),
        (((0.3, 0.1), (0.2, 0.55), (0.75, 0.55)), ((0.6, 0.1), (0.6, 0.42))),
        (((0.5, 0.1), (0.5, 0.9)), ((0.9, 0.9),)),
    ],
)
def test_a_digit_in_pieces_is_one(strokes: tuple[tuple[tuple[float, float], ...], ...]) -> None:
    assert beside(*map(Stroke, strokes)) == 1


def smoothed(picture: NDArray[np.floating[Any]]) -> Ink:
    """Return a picture (height, width) in 0..1 as it may have looked before it was so coarse."""
    larger = Image.fromarray(picture.astype(np.float32)).resize(
        (CANVAS, CANVAS), Image.Resampling.BICUBIC
    )
    return np.asarray(larger, np.float32).clip(0, 1)


def test_digits_of_the_data_set_are_one_each() -> None:
    pictures = scaled(load_dataset("digits").x_test[:100], 16).reshape(-1, 8, 8)
    counts = [count_digits(smoothed(each)) for each in pictures]
    assert np.mean(np.array(counts) == 1) >= 0.99


@pytest.mark.parametrize("every", [3, 9, 40])
def test_dust_is_counted_too(every: int) -> None:
    dust = blank()
    dust[::every, ::every] = 0.5
    assert count_digits(dust) >= 1
