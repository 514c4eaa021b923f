"""How pictures were made shows in the pictures, whatever they are called and wherever they are."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from neuralscope.data import Recipe, load_dataset
from neuralscope.data.recipe import (
    BY_BOX,
    BY_MASS,
    DIGITS,
    FULL_FRAME,
    MNIST,
    measure,
    usual_recipe,
    usual_shape,
)
from neuralscope.errors import DataError

Pixels = NDArray[np.uint8]


@pytest.fixture
def mnist(mnist_home: Path, monkeypatch: pytest.MonkeyPatch) -> Pixels:
    """Training digits of MNIST, (n, 28, 28)."""
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(mnist_home))
    return load_dataset("mnist").x_train[::100].reshape(-1, 28, 28)


def resized(pictures: Pixels, height: int, width: int) -> Pixels:
    """Return pictures (n, h, w) of another size."""
    return np.stack(
        [
            np.asarray(Image.fromarray(each).resize((width, height), Image.Resampling.BILINEAR))
            for each in pictures
        ]
    )


def measured(pictures: Pixels, pixel_max: int = 255) -> Recipe:
    return measure(
        pictures.reshape(-1, math.prod(pictures.shape[1:])), pictures.shape[1:], pixel_max
    )


def clothes(n: int = 200) -> Pixels:
    """Return filled shapes in shades of gray that reach from edge to edge of the frame."""
    rng = np.random.default_rng(0)
    pictures = np.zeros((n, 28, 28), np.uint8)
    for picture in pictures:
        sides = [28, int(rng.integers(12, 29))]
        height, width = rng.permutation(sides)
        top, left = (28 - height) // 2, (28 - width) // 2
        shades = rng.uniform(60, 200) + rng.uniform(-2, 2) * np.arange(height)[:, None]
        filled = np.broadcast_to(shades, (height, width)).copy()
        filled[: height // 3, : width // 4] = filled[: height // 3, -(width // 4) :] = 0  # sleeves
        picture[top : top + height, left : left + width] = filled.clip(0, 255)
    return pictures


# What is measured --------------------------------------------------------------------------------


def test_mnist_is_known_by_its_pictures(mnist: Pixels) -> None:
    assert measured(mnist) == MNIST


def test_the_digits_are_known_by_their_pictures() -> None:
    data = load_dataset("digits")
    assert data.recipe == measure(data.x_train, (8, 8), 16) == DIGITS


def test_other_sizes_of_mnist_have_a_box_and_a_center_of_that_size(mnist: Pixels) -> None:
    for height, width in ((14, 14), (20, 20), (32, 32), (56, 56), (28, 20), (20, 28)):
        recipe = measured(resized(mnist, height, width))
        assert recipe.centered_by == BY_MASS
        assert recipe.box == pytest.approx((height * 20 / 28, width * 20 / 28), abs=1)
        assert recipe.center == pytest.approx((height * 14.5 / 28, width * 14.5 / 28), abs=0.25)
        assert not recipe.is_shaded


def test_dark_ink_on_light_paper_is_the_same_otherwise(mnist: Pixels) -> None:
    assert measured(255 - mnist) == replace(MNIST, is_dark_on_light=True)
    digits = load_dataset("digits").x_train
    assert measure(16 - digits, (8, 8), 16) == replace(DIGITS, is_dark_on_light=True)


def test_black_and_white_has_two_levels(mnist: Pixels) -> None:
    assert measured((mnist > 127).astype(np.uint8), 1) == replace(MNIST, levels=2)


def test_shaded_pictures_that_fill_the_frame_are_told_from_strokes() -> None:
    recipe = measured(clothes())
    assert (recipe.box, recipe.fills) == ((28, 28), (False, False))
    assert (recipe.centered_by, recipe.center) == (BY_BOX, (14.0, 14.0))
    assert recipe.is_shaded
    assert not recipe.is_upright
    assert recipe.ink_share is None
    assert recipe.thickness > 2 * MNIST.thickness
    assert measured(255 - clothes()) == replace(recipe, is_dark_on_light=True)


def test_pictures_without_a_ground_take_the_whole_frame() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (50, 12, 20), dtype=np.uint8)
    recipe = measured(noise)
    assert recipe.centered_by == FULL_FRAME
    assert recipe.box == (12, 20)
    assert not recipe.is_dark_on_light


def test_a_side_that_is_always_filled_is_filled() -> None:
    pictures = np.zeros((100, 12, 20), np.uint8)
    for i, picture in enumerate(pictures):
        picture[2:10, 4 + i % 3 : 9 + i % 7] = 255
    assert measured(pictures).fills == (True, False)


@pytest.mark.parametrize("n_classes", [2, 10])
def test_classes_that_take_turns_are_all_looked_at(n_classes: int) -> None:
    pictures = np.zeros((4_000, 12, 12), np.uint8)
    pictures[:, 4:8, 1:11] = 255  # lying, and one class of them standing
    pictures[::n_classes] = pictures[::n_classes].transpose(0, 2, 1)
    assert measured(pictures).fills == (False, False)


@pytest.mark.parametrize("n", [0, 3])
def test_blank_pictures_tell_nothing(n: int) -> None:
    assert measured(np.zeros((n, 12, 20), np.uint8)) == usual_recipe((12, 20))


def test_one_picture_is_enough() -> None:
    picture = np.zeros((1, 9, 9), np.uint8)
    picture[0, 2:7, 3:5] = 200
    assert measured(picture).box == (5, 2)


# Where nothing can be measured -------------------------------------------------------------------


def test_the_usual_recipe_goes_by_the_shape() -> None:
    assert [usual_recipe(usual_shape(n)) for n in (784, 64)] == [MNIST, DIGITS]
    assert usual_recipe((14, 21)).box == (10, 15)
    assert usual_recipe((1, 1)).box == (1, 1)


def test_a_shape_that_nobody_knows_is_refused() -> None:
    with pytest.raises(DataError, match=r"takes 6 pixels.* 784 pixels \(28 x 28\) or 64 pixels"):
        usual_shape(6)


# In files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", [MNIST, DIGITS, usual_recipe((3, 5))])
def test_a_recipe_comes_back_from_a_file(recipe: Recipe) -> None:
    assert Recipe.from_json(json.loads(json.dumps(recipe.as_json()))) == recipe


@pytest.mark.parametrize(
    "damage",
    [
        {"image_shape": [28]},
        {"image_shape": [10**9, 28]},
        {"image_shape": [0, 28]},
        {"image_shape": "28"},
        {"box": [29, 20]},
        {"box": [float("nan"), 20]},
        {"center": [14.0, 1e300]},
        {"center": [14.0, float("nan")]},
        {"centered_by": "magic"},
        {"levels": 1},
        {"levels": float("inf")},
        {"levels": None},
        {"thickness": 0},
        {"ink_share": 2.0},
        {"ink_share": "much"},
        {"fills": [True]},
    ],
)
def test_what_is_not_a_recipe_is_refused(damage: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        Recipe.from_json({**MNIST.as_json(), **damage})


@pytest.mark.parametrize("value", [None, 7, [], {}, "recipe"])
def test_what_is_no_object_is_refused(value: object) -> None:
    with pytest.raises(DataError):
        Recipe.from_json(value)
