"""Ink on paper is told from bright ink on a dark ground by the borders of the pictures."""

from __future__ import annotations

import numpy as np
import pytest

from neuralscope.data.digits import load_digits
from neuralscope.data.polarity import is_dark_on_light


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return load_digits(tmp_path_factory.mktemp("home"))


def test_bright_ink_on_a_dark_ground_is_the_usual_way_round(digits):
    assert not is_dark_on_light(digits.x_train, digits.image_shape, digits.pixel_max)


def test_inverted_pictures_are_dark_on_light(digits):
    inverted = digits.pixel_max - digits.x_train
    assert is_dark_on_light(inverted, digits.image_shape, digits.pixel_max)


def test_photographs_are_neither():
    photographs = np.random.default_rng(0).integers(0, 256, (200, 64), np.uint8)
    assert not is_dark_on_light(photographs, (8, 8), 255)
    assert not is_dark_on_light(255 - photographs, (8, 8), 255)


def test_pictures_of_one_row_or_column_have_a_border_too():
    assert is_dark_on_light(np.full((3, 5), 250, np.uint8), (1, 5), 255)
    assert is_dark_on_light(np.full((3, 5), 250, np.uint8), (5, 1), 255)
    assert not is_dark_on_light(np.empty((0, 5), np.uint8), (5, 1), 255)
