import itertools

import numpy as np
import pytest

from neuralscope.charts import colors

LIGHT, DARK = colors.rgb(colors.LIGHT_BACKGROUND), colors.rgb(colors.DARK_BACKGROUND)

# Severe colour blindness on linear RGB: Machado, Oliveira, Fernandes 2009, table 1.
VISION = {
    "normal": np.eye(3),
    "red-blind": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "green-blind": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "blue-blind": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def oklab(color: np.ndarray, vision: np.ndarray) -> np.ndarray:
    linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    seen = np.clip(vision @ linear, 0, 1)
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    opponent = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return opponent @ np.cbrt(cones @ seen)


def test_the_palette_is_made_with_distances_as_they_are_seen() -> None:
    for color in map(colors.rgb, colors.DIGITS):
        np.testing.assert_allclose(colors.oklab(color), oklab(color, np.eye(3)), atol=1e-12)


def distance(one: str, other: str, vision: str) -> float:
    a, b = (oklab(colors.rgb(color), VISION[vision]) for color in (one, other))
    return float(np.linalg.norm(a - b))


@pytest.mark.parametrize("vision", VISION)
def test_the_ten_digits_can_be_told_apart(vision: str) -> None:
    assert len(colors.DIGITS) == 10
    for one, other in itertools.combinations(colors.DIGITS, 2):
        assert distance(one, other, vision) > 0.08, (one, other)


def test_a_hundred_classes_have_colours_of_their_own() -> None:
    hundred = colors.class_colors(100)
    assert hundred[:10] == colors.DIGITS
    for one, other in itertools.combinations(hundred, 2):
        assert distance(one, other, "normal") > 0.04, (one, other)
    for color in hundred:
        for background in (LIGHT, DARK):
            assert colors.contrast(colors.rgb(color), background) > 2.2, color


@pytest.mark.parametrize("k", [2, 10, 26, 99])
def test_a_class_keeps_its_colour_however_many_there_are(k: int) -> None:
    assert colors.class_colors(k) == colors.class_colors(100)[:k]


@pytest.mark.parametrize("vision", VISION)
def test_opposites_are_far_apart(vision: str) -> None:
    assert distance(colors.TRAIN, colors.VALIDATION, vision) > 0.15
    assert distance(colors.RIGHT, colors.WRONG, vision) > 0.15


@pytest.mark.parametrize("background", [LIGHT, DARK], ids=["light", "dark"])
def test_every_mark_stands_out_from_both_backgrounds(background: np.ndarray) -> None:
    for color in (*colors.DIGITS, colors.NEUTRAL):
        assert colors.contrast(colors.rgb(color), background) > 2.2, color
    for color in (colors.TRAIN, colors.VALIDATION, colors.RIGHT, colors.WRONG):
        assert colors.contrast(colors.rgb(color), background) > 2.7, color


def test_contrast_is_that_of_wcag() -> None:
    black, white = np.zeros(3), np.ones(3)
    assert colors.contrast(black, white) == pytest.approx(21)
    assert colors.contrast(white, white) == pytest.approx(1)
    assert colors.contrast(colors.rgb("#777777"), white) == pytest.approx(4.48, abs=0.01)


def test_zero_is_exactly_neutral_and_signs_differ() -> None:
    low, zero, high = colors.diverging([-1.0, 0.0, 1.0], limit=1.0)
    assert tuple(zero) == tuple((colors.rgb(colors.DIVERGING[3]) * 255).astype(np.uint8))
    assert low[2] > low[0] and high[0] > high[2]  # blue below, red above


def test_diverging_clips_and_takes_what_is_no_number_for_zero() -> None:
    values = [-9.0, -1.0, np.nan, 1.0, np.inf, -np.inf]
    assert colors.diverging_index(values, 1.0).tolist() == [0, 0, 127, 254, 254, 0]
    assert colors.diverging_index([0.0, 5.0], 0.0).tolist() == [127, 127]


def test_sequential_darkens_and_clips() -> None:
    shades = colors.sequential([-1.0, 0.0, 0.25, 0.5, 0.75, 1.0, 2.0, np.nan])
    luminance = colors.luminance(shades[1:6] / 255)
    assert (np.diff(luminance) < 0).all()
    assert (shades[0] == shades[1]).all() and (shades[6] == shades[5]).all()
    assert (shades[7] == shades[0]).all()


def test_hex_colors_round_trip() -> None:
    assert colors.hex_colors((colors.rgb("#0e6170")[None] * 255).round().astype(np.uint8)) == [
        "#0e6170"
    ]
