"""Drawings become what a network has learned to read, by the recipe of its data set."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from neuralscope.data import Recipe, load_dataset, scaled
from neuralscope.data.ink import Ink
from neuralscope.data.photograph import read_picture
from neuralscope.data.preparation import is_blot, prepared
from neuralscope.data.recipe import DIGITS, MNIST, measure, usual_recipe
from neuralscope.data.sheet import CANVAS, PEN, Stroke, blank, rasterize
from neuralscope.engine import Network
from neuralscope.errors import DataError
from neuralscope.runs import RunConfig
from neuralscope.runs.cores import limited_to
from neuralscope.runs.experiment import prepare

# A seven and a one, as shares of the sheet.
SEVEN = (Stroke(((0.2, 0.2), (0.8, 0.2), (0.45, 0.85))),)
ONE = (Stroke(((0.5, 0.1), (0.5, 0.9))),)


def trained(**settings: Any) -> Network:
    config = RunConfig(**settings)
    training = prepare(config, load_dataset(config.dataset))
    with limited_to(1):  # other cores may be busy, and waiting for them costs more than they give
        for _ in training.records():
            pass
    return training.network


def moved(strokes: tuple[Stroke, ...], scale: float, x: float, y: float) -> tuple[Stroke, ...]:
    """Return strokes made smaller around the middle of the sheet, then shifted."""
    return tuple(
        Stroke(tuple((0.5 + scale * (a - 0.5) + x, 0.5 + scale * (b - 0.5) + y) for a, b in points))
        for points, _ in strokes
    )


# Vectors of pixels -------------------------------------------------------------------------------


def skeleton(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Thin ink to lines of one pixel (Zhang and Suen 1984)."""
    ink = np.pad(ink, 1)
    while True:
        before = ink.copy()
        for first in (True, False):
            p = [
                np.roll(ink, shift, (0, 1))  # the neighbors, clockwise from the north
                for shift in ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))
            ]
            n_around = np.sum(p, axis=0)
            n_turns = np.sum([~p[i] & p[(i + 1) % 8] for i in range(8)], axis=0)
            north, east, south, west = p[0], p[2], p[4], p[6]
            if first:
                open_side = ~(north & east & south) & ~(east & south & west)
            else:
                open_side = ~(north & east & west) & ~(north & south & west)
            ink = ink & ~((n_around >= 2) & (n_around <= 6) & (n_turns == 1) & open_side)
        if (ink == before).all():
            return ink[1:-1, 1:-1]


def traced(image: NDArray[np.floating[Any]]) -> tuple[Stroke, ...]:
    """Return a picture (height, width) in 0..1 as strokes through the middle of its lines."""
    size = max(image.shape)
    left = {(int(y), int(x)) for y, x in np.argwhere(skeleton(image > 0.5))}
    passed: set[tuple[int, int]] = set()

    def around(place: tuple[int, int], among: set[tuple[int, int]]) -> list[tuple[int, int]]:
        y, x = place
        # Straight neighbors first, so that corners are not cut.
        steps = ((-1, 0), (0, 1), (1, 0), (0, -1), (-1, 1), (1, 1), (1, -1), (-1, -1))
        return [(y + dy, x + dx) for dy, dx in steps if (y + dy, x + dx) in among]

    strokes = []
    while left:
        joints = [place for place in left if around(place, passed)]
        ends = [place for place in left if len(around(place, left)) == 1]
        place = min(joints or ends or left)
        line = [*around(place, passed)[:1], place]
        left.discard(place)
        passed.add(place)
        while following := around(place, left):
            place = following[0]
            line.append(place)
            left.discard(place)
            passed.add(place)
        strokes.append(Stroke(tuple(((x + 0.5) / size, (y + 0.5) / size) for y, x in line)))
    return tuple(strokes)


def hatched(image: NDArray[np.floating[Any]]) -> tuple[Stroke, ...]:
    """Return a picture (height, width) in 0..1 as strokes from left to right through its ink."""
    size = max(image.shape)
    strokes = []
    for y, row in enumerate(image > 0.5):
        edges = np.flatnonzero(np.diff(np.pad(row.astype(int), 1)))
        strokes += [
            Stroke(
                (((left + 0.5) / size, (y + 0.5) / size), ((right - 0.5) / size, (y + 0.5) / size))
            )
            for left, right in zip(edges[::2], edges[1::2], strict=True)
        ]
    return tuple(strokes)


PLACES = ((1.0, 0.0, 0.0), (0.7, 0.12, -0.1), (1.15, -0.02, 0.03), (0.55, -0.2, 0.2))
"""Scale and shift of a drawing on the sheet."""


def test_nine_of_ten_drawings_are_read_right_on_mnist(
    mnist_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(mnist_home))
    dataset = load_dataset("mnist")
    network = trained(
        dataset="mnist",
        hidden=(256,),
        epochs=7,
        batch_size=64,
        optimizer="adam",
        learning_rate=0.0015,
        schedule="linear",
    )
    x = scaled(dataset.x_test, 255)
    assert (network.predict(x) == dataset.y_test).mean() >= 0.98
    drawn = [
        rasterize(moved(traced(picture), *PLACES[i % 4]))
        for i, picture in enumerate(x[:200].reshape(-1, 28, 28))
    ]
    inputs = np.stack([prepared(ink, MNIST) for ink in drawn])
    assert (network.predict(inputs) == dataset.y_test[:200]).mean() >= 0.9


@pytest.fixture(scope="module")
def digits_network() -> Network:
    return trained(dataset="digits", hidden=(64,), epochs=40, optimizer="adam", learning_rate=0.003)


def smoothed(picture: NDArray[np.floating[Any]], side: int) -> Ink:
    """Return a picture (height, width) in 0..1 as it may have looked before it was so coarse."""
    larger = Image.fromarray(picture.astype(np.float32)).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    return np.asarray(larger, np.float32).clip(0, 1)


def test_nine_of_ten_drawings_are_read_right_on_the_digits(digits_network: Network) -> None:
    # Eight pixels are too few to follow a line through: the ink is hatched with a fine pen.
    dataset = load_dataset("digits")
    pictures = scaled(dataset.x_test[:100], 16).reshape(-1, 8, 8)
    drawn = [
        rasterize(moved(hatched(smoothed(picture, 40)), *PLACES[i % 4]), pen=0.03)
        for i, picture in enumerate(pictures)
    ]
    inputs = np.stack([prepared(ink, DIGITS) for ink in drawn])
    assert (digits_network.predict(inputs) == dataset.y_test[:100]).mean() >= 0.9


# Where and how large -----------------------------------------------------------------------------


@pytest.mark.parametrize(("recipe", "most"), [(MNIST, 0.01), (DIGITS, 0.01)])
@pytest.mark.parametrize("place", PLACES)
def test_a_digit_drawn_elsewhere_is_nearly_the_same_picture(
    recipe: Recipe, most: float, place: tuple[float, float, float]
) -> None:
    # The pen goes along with the size: a broad pen on a small digit is another picture.
    scale = place[0]
    here = prepared(rasterize(SEVEN), recipe)
    there = prepared(rasterize(moved(SEVEN, *place), pen=scale * PEN), recipe)
    assert np.abs(here - there).mean() < most


def test_the_recipe_leaves_digits_of_mnist_as_they_are(
    mnist_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(mnist_home))
    x = scaled(load_dataset("mnist").x_test[:300], 255)
    again = np.stack([prepared(each.reshape(28, 28), MNIST) for each in x])
    assert np.abs(again - x).mean() < 0.001


def test_the_recipe_keeps_the_digits_as_they_are_read(digits_network: Network) -> None:
    dataset = load_dataset("digits")
    x = scaled(dataset.x_test, 16)
    inks = [smoothed(each, CANVAS) for each in x.reshape(-1, 8, 8)]
    again = np.stack([prepared(ink, DIGITS) for ink in inks])
    assert (digits_network.predict(again) == dataset.y_test).mean() > 0.9
    # Counts of 4 x 4 black pixels, 0 to 16, as in the data set, and as much ink.
    assert set(np.unique(16 * again)) <= set(range(17))
    assert abs(again.mean() - x.mean()) < 0.02


def test_mnist_s_recipe_fills_a_box_of_20_and_centers_by_mass() -> None:
    field = prepared(rasterize(SEVEN), MNIST).reshape(28, 28)
    rows, columns = (np.flatnonzero(field.any(axis=1 - axis)) for axis in (0, 1))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    for axis in (0, 1):
        center = field.sum(axis=1 - axis) @ np.arange(28) / field.sum()
        assert 13.5 <= center < 14.5
    assert field.max() == 1
    assert len(np.unique(field)) > 10  # grey levels, from anti-aliasing


def test_the_digits_recipe_fills_the_height_and_shears_the_slant_out() -> None:
    upright = prepared(rasterize(ONE), DIGITS).reshape(8, 8)
    leaning = prepared(rasterize((Stroke(((0.65, 0.1), (0.35, 0.9))),)), DIGITS).reshape(8, 8)
    assert upright[0].any() and upright[-1].any()
    assert np.abs(upright - leaning).mean() < 0.05


@pytest.mark.parametrize("recipe", [MNIST, DIGITS])
@pytest.mark.parametrize(
    "points", [((0.5, 0.5),), ((0.0, 0.0), (1.0, 1.0)), ((0.1, 0.5), (0.9, 0.5)), ((1.0, 1.0),)]
)
def test_any_ink_makes_a_picture(recipe: Recipe, points: tuple[tuple[float, float], ...]) -> None:
    x = prepared(rasterize((Stroke(points),)), recipe)
    assert x.dtype == np.float32
    assert x.shape == (math.prod(recipe.image_shape),)
    assert 0 <= x.min() and 0 < x.max() <= 1


@pytest.mark.parametrize("every", [3, 9, 40])
@pytest.mark.parametrize("recipe", [MNIST, DIGITS])
def test_dust_makes_a_picture_too(recipe: Recipe, every: int) -> None:
    dust = blank()
    dust[::every, ::every] = 0.5
    assert np.isfinite(prepared(dust, recipe)).all()


def test_nothing_drawn_is_no_digit() -> None:
    with pytest.raises(DataError, match="blank"):
        prepared(blank(), MNIST)


def test_a_picture_of_the_network_s_own_size_is_read(digits_network: Network) -> None:
    dataset = load_dataset("digits")
    right = []
    for digit, label in zip(dataset.x_test[:50].reshape(-1, 8, 8), dataset.y_test, strict=False):
        file = io.BytesIO()
        Image.fromarray(digit * 15).save(file, "PNG")
        x = prepared(read_picture(file.getvalue(), DIGITS), DIGITS)
        right.append(digits_network.predict(x[None])[0] == label)
    assert np.mean(right) >= 0.8


def test_ink_is_fitted_into_a_box_and_keeps_its_aspect() -> None:
    square = rasterize((Stroke(((0.6, 0.1), (0.9, 0.1), (0.9, 0.4), (0.6, 0.4), (0.6, 0.1))),))
    picture = prepared(square, Recipe((12, 20), box=(8, 18), center=(6, 10), thickness=2)).reshape(
        12, 20
    )
    rows, columns = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
    assert (rows[0], rows[-1]) == (2, 9)
    assert (columns[0], columns[-1]) == (6, 13)
    assert picture.max() == 1


def test_nothing_drawn_cannot_be_fitted() -> None:
    with pytest.raises(DataError, match="blank"):
        prepared(blank(), usual_recipe((12, 20)))


# Pasted elsewhere --------------------------------------------------------------------------------


def pasted(picture: NDArray[np.floating[Any]], rng: np.random.Generator) -> Ink:
    """Return a picture (height, width) in 0..1 enlarged, somewhere on a larger sheet."""
    times = int(rng.integers(4, 10))
    large = picture.repeat(times, axis=0).repeat(times, axis=1)
    height, width = large.shape
    side = 2 * max(large.shape)
    top, left = int(rng.integers(side - height)), int(rng.integers(side - width))
    sheet = np.zeros((side, side), np.float32)
    sheet[top : top + height, left : left + width] = large
    return sheet


def loss_by_pasting(pixels: Any, labels: Any, shape: tuple[int, int], pixel_max: int) -> float:
    """Return what pasting and preparing costs, as a share of the pictures.

    Read by its nearest neighbor, the last fifth of the pictures is held against the others.
    """
    recipe = measure(pixels, shape, pixel_max)
    x = scaled(pixels, pixel_max)
    n = len(x) * 4 // 5
    known, raw = x[:n], x[n:]
    ink = 1 - raw if recipe.is_dark_on_light else raw
    rng = np.random.default_rng(0)
    again = np.stack([prepared(pasted(each, rng), recipe) for each in ink.reshape(-1, *shape)])

    def accuracy(examples: NDArray[np.float32]) -> float:
        squares = np.square(known).sum(axis=1) - 2 * examples @ known.T
        return float((labels[:n][squares.argmin(axis=1)] == labels[n:]).mean())

    return accuracy(raw) - accuracy(again)


def of_size(pixels: Any, side: int) -> Any:
    pictures = [Image.fromarray(each).resize((side, side)) for each in pixels.reshape(-1, 28, 28)]
    return np.stack([np.asarray(each).ravel() for each in pictures])


@pytest.mark.parametrize(("side", "is_inverted"), [(28, False), (28, True), (20, True)])
def test_mnist_pasted_elsewhere_is_read_as_well(
    mnist_home: Path, monkeypatch: pytest.MonkeyPatch, side: int, is_inverted: bool
) -> None:
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(mnist_home))
    data = load_dataset("mnist")
    pixels, labels = data.x_train[::11], data.y_train[::11]
    if side != 28:
        pixels = of_size(pixels, side)
    if is_inverted:
        pixels = 255 - pixels
    assert loss_by_pasting(pixels, labels, (side, side), 255) <= 0.01


@pytest.mark.parametrize("is_inverted", [False, True])
def test_the_digits_pasted_elsewhere_are_read_as_well(is_inverted: bool) -> None:
    data = load_dataset("digits")
    pixels = np.concatenate([data.x_train, data.x_test])
    labels = np.concatenate([data.y_train, data.y_test])
    # Eight pixels a side hide where between them a digit was.
    assert loss_by_pasting(16 - pixels if is_inverted else pixels, labels, (8, 8), 16) <= 0.02


# Dots --------------------------------------------------------------------------------------------

DOT = (Stroke(((0.4, 0.6),)),)


@pytest.mark.parametrize("recipe", [MNIST, DIGITS, replace(MNIST, is_dark_on_light=True)])
def test_a_dot_stays_a_dot(recipe: Recipe) -> None:
    dot = rasterize(DOT)
    assert is_blot(dot, recipe)
    x = prepared(dot, recipe).reshape(recipe.image_shape)
    inked = x < 0.5 if recipe.is_dark_on_light else x > 0.5
    assert 1 <= inked.any(axis=0).sum() <= 2  # as on a sheet of that size, and no more


def test_a_thick_leaning_stroke_does_not_become_a_dot_when_its_slant_is_taken_out() -> None:
    ink = np.asarray(
        rasterize([Stroke(((60 / 280, 200 / 280), (220 / 280, 80 / 280)))], pen=66 / 280)
    )
    assert not is_blot(ink, DIGITS)
    rows = (prepared(ink, DIGITS).reshape(8, 8) > 0.5).any(axis=1)
    assert rows.sum() >= 6


@pytest.mark.parametrize("recipe", [MNIST, DIGITS])
@pytest.mark.parametrize("scale", [1.0, 0.4])
@pytest.mark.parametrize("strokes", [ONE, SEVEN])
def test_strokes_are_no_blots(recipe: Recipe, scale: float, strokes: tuple[Stroke, ...]) -> None:
    assert not is_blot(rasterize(moved(strokes, scale, 0, 0)), recipe)


def test_faint_clothes_are_no_blots_where_the_data_is_of_clothes() -> None:
    rng = np.random.default_rng(0)
    pictures = np.zeros((300, 28, 28), np.uint8)
    for picture in pictures:  # solid all over, most of them pale
        width = int(rng.integers(8, 14))
        picture[:, 14 - width : 14 + width] = rng.integers(60, 255)
    recipe = measure(pictures.reshape(300, -1), (28, 28), 255)
    assert recipe.is_shaded
    sheets = [pasted(each / np.float32(255), rng) for each in pictures[::10]]
    assert not any(is_blot(sheet, recipe) for sheet in sheets)
    for sheet, picture in zip(sheets, pictures[::10], strict=True):
        again = prepared(sheet, recipe).reshape(28, 28)
        assert np.abs(again - picture / np.float32(255)).mean() < 0.02


def test_what_is_solid_in_the_data_is_no_blot() -> None:
    solid = Recipe((28, 28), box=(28, 28), center=(14, 14), thickness=11, is_shaded=True)
    square = np.zeros((CANVAS, CANVAS), np.float32)
    square[100:150, 60:120] = 0.5
    assert not is_blot(square, solid)
    x = prepared(square, solid).reshape(28, 28)
    assert np.count_nonzero(x.any(axis=0)) == 28
    assert x.max() == pytest.approx(0.5)  # its shade
