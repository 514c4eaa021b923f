"""The sheet: strokes become ink, and pictures are laid on it to be drawn upon."""

from __future__ import annotations

import numpy as np
import pytest

from neuralscope.data import scaled
from neuralscope.data.ink import has_ink
from neuralscope.data.recipe import MNIST, Recipe
from neuralscope.data.sheet import CANVAS, Stroke, as_pixels, enlarged, fitted, rasterize

ONE = (Stroke(((0.5, 0.1), (0.5, 0.9))),)


def test_the_pen_is_round_and_as_wide_as_it_is_said() -> None:
    dot = rasterize((Stroke(((0.5, 0.5),)),), pen=0.5)
    assert dot.sum() == pytest.approx(np.pi * (CANVAS / 4) ** 2, rel=0.02)
    line = rasterize(ONE, pen=0.1)
    assert line[CANVAS // 2].sum() == pytest.approx(0.1 * CANVAS, rel=0.05)


def test_the_eraser_takes_away_what_came_before_it_only() -> None:
    eraser = Stroke(((0.5, 0.1), (0.5, 0.9)), erases=True)
    assert not has_ink(rasterize((*ONE, eraser), pen=0.1))
    assert has_ink(rasterize((*ONE, eraser, *ONE)))
    full = np.ones((CANVAS, CANVAS), np.float32)
    assert rasterize((eraser,), full)[CANVAS // 2, CANVAS // 2] == 0
    assert rasterize((eraser,), full)[0, 0] == 1


@pytest.mark.parametrize(("shape", "pixel_max"), [((28, 28), 255), ((8, 8), 16)])
def test_a_test_digit_on_the_sheet_keeps_its_pixels(shape: tuple[int, int], pixel_max: int) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, pixel_max + 1, shape, dtype=np.uint8)
    sheet = enlarged(pixels, pixel_max)
    expected = scaled(pixels, pixel_max).ravel()
    assert (as_pixels(sheet, shape, pixel_max) == expected).all()
    # Drawn upon, only what the pen touched is another.
    touched = rasterize((Stroke(((0.5, 0.5),)),), sheet, pen=0.1)
    differs = as_pixels(touched, shape, pixel_max) != expected
    assert 0 < differs.sum() <= (0.1 * shape[0] + 2) ** 2


def test_a_picture_is_laid_in_the_middle_of_the_sheet() -> None:
    ink = np.zeros((100, 300), np.float32)
    ink[10:60, 20:40] = 1
    sheet = fitted(ink, MNIST)
    rows, columns = np.flatnonzero(sheet.any(axis=1)), np.flatnonzero(sheet.any(axis=0))
    assert np.ptp(rows) + 1 == pytest.approx(0.7 * CANVAS, abs=1)
    assert np.ptp(columns) + 1 == pytest.approx(0.7 * CANVAS * 20 / 50, abs=1)
    assert rows.mean() == pytest.approx(CANVAS / 2, abs=1)
    assert columns.mean() == pytest.approx(CANVAS / 2, abs=1)


@pytest.mark.parametrize("image_shape", [(12, 20), (20, 12), (64, 3), (1, 2), (33, 31)])
def test_a_picture_of_any_shape_comes_back_from_the_sheet_exactly(
    image_shape: tuple[int, int],
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, image_shape, dtype=np.uint8)
    sheet = enlarged(pixels, 255)
    assert sheet.shape == (CANVAS, CANVAS)
    back = as_pixels(sheet, image_shape, 255)
    np.testing.assert_array_equal(back, (pixels.ravel() / np.float32(255)).astype(np.float32))


@pytest.mark.parametrize(("shape", "pixel_max"), [((28, 28), 255), ((8, 8), 16)])
def test_a_picture_of_dark_ink_on_light_paper_is_ink_on_the_sheet(
    shape: tuple[int, int], pixel_max: int
) -> None:
    pixels = np.full(shape, pixel_max, np.uint8)
    pixels[2:4, 3] = 0
    sheet = enlarged(pixels, pixel_max, is_dark_on_light=True)
    assert sheet[0, 0] == 0
    assert sheet.sum() == pytest.approx(2 * (CANVAS // shape[0]) ** 2)
    back = as_pixels(sheet, shape, pixel_max, is_dark_on_light=True)
    np.testing.assert_array_equal(back, scaled(pixels, pixel_max).ravel())


def test_a_dot_on_a_picture_stays_a_dot() -> None:
    ink = np.zeros((300, 300), np.float32)
    ink[140:152, 140:152] = 1
    assert np.count_nonzero(fitted(ink, MNIST)) == pytest.approx((12 * CANVAS / 300) ** 2, rel=0.2)


def test_a_picture_without_ground_takes_the_whole_sheet() -> None:
    photograph = np.linspace(0, 1, 30 * 30, dtype=np.float32).reshape(30, 30)
    sheet = fitted(photograph, Recipe((28, 28), (28, 28), (True, True), centered_by="frame"))
    assert sheet[0].max() < 0.1
    assert sheet[-1].min() > 0.9
