from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from neuralscope.data import load_dataset
from neuralscope.data.augmentation import (
    AFFINE,
    AUGMENTATIONS,
    BLOCK,
    ELASTIC,
    SHIFT,
    Augmentation,
    Distortion,
    Pixels,
    Strengths,
    draw_maps,
    draw_noise,
    for_shape,
    gaussian_matrix,
    variants,
)

SHAPES = [(28, 28), (8, 8), (9, 5), (1, 6), (1, 1)]
KINDS = ["shift", "affine", "elastic"]
STAY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


def random_pictures(n: int, shape: tuple[int, int]) -> Pixels:
    rng = np.random.default_rng(5)
    return rng.integers(0, 256, (n, shape[0] * shape[1]), dtype=np.uint8)


def augmented(name: str, pixels: Pixels, shape: tuple[int, int], seed: int = 0) -> Pixels:
    augment = AUGMENTATIONS[name](shape)
    assert augment is not None
    return augment(pixels, np.random.default_rng(seed))


def mapped(pixels: Pixels, shape: tuple[int, int], *maps: Any) -> NDArray[np.uint8]:
    """Return pictures (n, height, width), each mapped by its own of the (2, 3) maps."""
    out = np.empty_like(pixels)
    Distortion(shape, len(pixels))(pixels, np.stack(maps, axis=-1), None, out)
    return out.reshape(-1, *shape)


# The choices -------------------------------------------------------------------------------------


def test_the_menu_goes_from_nothing_to_most() -> None:
    assert list(AUGMENTATIONS) == ["none", "shift", "affine", "elastic"]
    assert AUGMENTATIONS["none"]((28, 28)) is None


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", [1, 3, 150])
def test_shape_and_type_are_kept_and_the_originals_too(
    name: str, shape: tuple[int, int], n: int
) -> None:
    pixels = random_pictures(n, shape)
    before = pixels.copy()
    result = augmented(name, pixels, shape)
    assert result.shape == pixels.shape
    assert result.dtype == np.uint8
    assert (pixels == before).all()
    assert not np.shares_memory(result, pixels)


@pytest.mark.parametrize("name", KINDS)
def test_equal_generators_give_equal_pictures(name: str) -> None:
    pixels = random_pictures(100, (28, 28))
    augment = AUGMENTATIONS[name]((28, 28))
    assert augment is not None
    first = augment(pixels, np.random.default_rng(3))
    augment(pixels[:17], np.random.default_rng(9))  # what it did in between does not matter
    kept = first.copy()
    assert (augment(pixels, np.random.default_rng(3)) == first).all()
    assert (first == kept).all()
    assert (augmented(name, pixels, (28, 28), seed=3) == first).all()
    assert (augmented(name, pixels, (28, 28), seed=4) != first).any()


@pytest.mark.parametrize("name", KINDS)
def test_a_generator_is_drawn_from_for_every_batch(name: str) -> None:
    pixels = random_pictures(20, (28, 28))
    augment, rng = AUGMENTATIONS[name]((28, 28)), np.random.default_rng(0)
    assert augment is not None
    assert (augment(pixels, rng) != augment(pixels, rng)).any()


@pytest.mark.parametrize("name", ["affine", "elastic"])
def test_every_picture_is_distorted_in_a_way_of_its_own(name: str) -> None:
    n = 2 * BLOCK // 784 + 3  # two blocks and a little more
    copies = np.repeat(random_pictures(1, (28, 28)), n, axis=0)
    assert len(np.unique(augmented(name, copies, (28, 28)), axis=0)) == n


@pytest.mark.parametrize("name", KINDS)
def test_blank_stays_blank_and_no_ink_is_darker_than_before(name: str) -> None:
    blank = np.zeros((70, 784), np.uint8)
    assert not augmented(name, blank, (28, 28)).any()
    full = np.full((70, 784), 16, np.uint8)
    result = augmented(name, full, (28, 28)).reshape(-1, 28, 28)
    assert result.max() == 16
    assert (result[:, 10:18, 10:18] == 16).all()  # far from the edge it is all the same ink


@pytest.mark.parametrize("name", KINDS)
def test_ink_is_moved_not_made_and_means_the_same(name: str) -> None:
    # As large as the digits of MNIST in their pictures, so that nothing is moved out.
    data = load_dataset("digits")
    digits, labels = data.x_train[:300].reshape(-1, 8, 8) * 15, data.y_train[:300]
    pixels = np.zeros((300, 28, 28), np.uint8)
    pixels[:, 5:23, 5:23] = ndimage.zoom(digits, (1, 2.25, 2.25), order=1)
    before = pixels.reshape(300, -1).astype(float)
    after = augmented(name, pixels.reshape(300, -1), (28, 28)).astype(float)
    ratio = after.sum(axis=1) / before.sum(axis=1)
    assert ratio.mean() == pytest.approx(1, abs=0.03)
    assert ratio.std() < 0.25
    # Most are nearest to a digit that means the same; at random, one in ten would be.
    nearest = ((after[:, None] - before[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert (labels[nearest] == labels).mean() > 0.65


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros(784, np.uint8),
        np.zeros((2, 783), np.uint8),
        np.zeros((2, 28, 28), np.uint8),
        np.zeros((2, 784), np.float32),
    ],
)
def test_what_are_no_such_pictures_is_refused(pixels: Any) -> None:
    with pytest.raises(ValueError, match=r"pixels are uint8 of shape \(n, 784\), not"):
        augmented("elastic", pixels, (28, 28))


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (-1, 3)])
def test_pictures_without_pixels_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="pictures have rows and columns"):
        AUGMENTATIONS["affine"](shape)


def test_no_pictures_are_no_pictures() -> None:
    assert augmented("elastic", random_pictures(0, (28, 28)), (28, 28)).shape == (0, 784)


def test_variants_of_a_digit_are_always_the_same() -> None:
    digit = load_dataset("digits").x_train[0]
    row = variants(digit, (8, 8), "elastic")
    assert row.shape == (8, 64)
    assert len(np.unique(row, axis=0)) == 8
    assert (row == variants(digit, (8, 8), "elastic")).all()
    assert (variants(digit, (8, 8), "none", n=2) == digit).all()


# Strengths ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_without_strength_nothing_changes(shape: tuple[int, int]) -> None:
    pixels = random_pictures(11, shape)
    assert (Augmentation(shape, Strengths())(pixels, np.random.default_rng(0)) == pixels).all()


def test_small_pictures_are_distorted_as_much_seen_from_afar() -> None:
    assert for_shape(ELASTIC, (28, 28)) == ELASTIC
    small = for_shape(ELASTIC, (14, 14))
    assert (small.alpha, small.sigma) == (pytest.approx(34 / 4), pytest.approx(2))
    assert (small.rotation, small.scaling) == (ELASTIC.rotation, ELASTIC.scaling)
    # alpha / sigma, to which the displacement is proportional, has halved with the side
    assert small.alpha / small.sigma == pytest.approx(ELASTIC.alpha / ELASTIC.sigma / 2)
    assert for_shape(SHIFT, (8, 8)).shift == pytest.approx(SHIFT.shift * 8 / 28)
    assert for_shape(SHIFT, (56, 14)).shift == SHIFT.shift


def test_maps_are_drawn_from_the_whole_range() -> None:
    strengths = Strengths(shift=2, rotation=10, scaling=0.1, shear=0.2)
    maps = draw_maps(20_000, strengths, np.random.default_rng(0))
    # A matrix is rotation times a lower triangle: its second column gives away angle and width.
    matrix = maps[:, :2]
    angle = np.degrees(np.arctan2(-matrix[0, 1], matrix[1, 1]))
    width = np.hypot(matrix[0, 1], matrix[1, 1])
    height = (matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]) / width
    shear = (matrix[0, 0] * matrix[0, 1] + matrix[1, 0] * matrix[1, 1]) / width
    for drawn, middle, most in [
        (angle, 0, 10),
        (width, 1, 0.1),
        (height, 1, 0.1),
        (shear, 0, 0.2),
        (maps[0, 2], 0, 2),
        (maps[1, 2], 0, 2),
    ]:
        assert np.abs(drawn - middle).max() <= most * (1 + 1e-9)
        assert drawn.mean() == pytest.approx(middle, abs=0.03 * most)
        assert drawn.std() == pytest.approx(most / np.sqrt(3), rel=0.03)  # that of a uniform one
    together = np.corrcoef([angle, width, height, shear, *maps[:, 2]])
    assert np.abs(together - np.eye(6)).max() < 0.03


def test_noise_is_uniform_between_minus_one_and_one() -> None:
    noise = draw_noise((3, 70_001), np.random.default_rng(0))
    assert noise.shape == (3, 70_001)
    values, counts = np.unique(noise, return_counts=True)
    assert (values == np.arange(-127, 128, 2)).all()
    assert counts == pytest.approx(noise.size / 128, rel=0.15)
    assert (noise / 128).mean() == pytest.approx(0, abs=0.005)
    assert (noise / 128).var() == pytest.approx(1 / 3, rel=0.01)
    neighbors = np.corrcoef(noise[0, :-1], noise[0, 1:])[0, 1]
    assert abs(neighbors) < 0.02


# Affine maps -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(28, 28), (8, 8), (9, 5)])
def test_a_whole_shift_moves_exactly(shape: tuple[int, int]) -> None:
    pixels = random_pictures(1, shape)
    picture = pixels.reshape(shape)
    # Fetched from one further down and two further right: moved up and left.
    moved = mapped(pixels, shape, ((1, 0, 1), (0, 1, 2)))[0]
    assert (moved[:-1, :-2] == picture[1:, 2:]).all()
    assert not moved[-1].any() and not moved[:, -2:].any()
    moved = mapped(pixels, shape, ((1, 0, -3), (0, 1, -1)))[0]
    assert (moved[3:, 1:] == picture[:-3, :-1]).all()
    assert not moved[:3].any() and not moved[:, :1].any()


def test_the_shift_augmentation_only_moves() -> None:
    square = np.zeros((2_000, 28, 28), np.uint8)
    square[:, 12:16, 12:16] = 240
    moved = augmented("shift", square.reshape(-1, 784), (28, 28)).reshape(square.shape) / 240
    assert moved.sum(axis=(1, 2)) == pytest.approx(16, abs=0.1)
    for axis in (1, 2):
        center = moved.sum(axis=3 - axis) @ np.arange(28) / moved.sum(axis=(1, 2)) - 13.5
        assert np.abs(center).max() <= SHIFT.shift + 0.02
        assert center.mean() == pytest.approx(0, abs=0.1)
        assert center.std() == pytest.approx(SHIFT.shift / np.sqrt(3), rel=0.05)


@pytest.mark.parametrize("far", [28, 29, 30, 1000, 1e30])
def test_a_picture_moved_out_is_blank(far: float) -> None:
    pixels = np.full((4, 784), 255, np.uint8)
    maps = [((1, 0, y), (0, 1, x)) for y, x in [(far, 0), (-far, 0), (0, far), (0, -far)]]
    assert not mapped(pixels, (28, 28), *maps).any()


def test_half_a_pixel_is_the_mean_of_two() -> None:
    pixels = random_pictures(1, (28, 28))
    picture = pixels.reshape(28, 28).astype(float)
    between = mapped(pixels, (28, 28), ((1, 0, 0), (0, 1, 0.5)))[0]
    assert (between[:, :-1] == np.floor((picture[:, :-1] + picture[:, 1:]) / 2 + 0.5)).all()
    assert (between[:, -1] == np.floor(picture[:, -1] / 2 + 0.5)).all()  # the next one is blank


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("side", [28, 8, 5])
def test_right_angles_turn_as_numpy_does(turns: int, side: int) -> None:
    pixels = random_pictures(2, (side, side))
    angle = np.pi / 2 * turns
    turn = ((np.cos(angle), -np.sin(angle), 0), (np.sin(angle), np.cos(angle), 0))
    expected = np.rot90(pixels.reshape(-1, side, side), -turns, axes=(1, 2))
    assert (mapped(pixels, (side, side), turn, turn) == expected).all()


def test_growing_and_slanting_go_where_they_should() -> None:
    pixels = np.zeros((1, 81), np.uint8)
    pixels.reshape(9, 9)[3, 4] = 200  # one above the middle
    twice_as_high = mapped(pixels, (9, 9), ((0.5, 0, 0), (0, 1, 0)))[0]
    assert twice_as_high[1:4, 4].tolist() == [100, 200, 100]
    slanted = mapped(pixels, (9, 9), ((1, 0, 0), (1, 1, 0)))[0]
    assert np.argwhere(slanted).tolist() == [[3, 5]]


# Elastic distortions -----------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.6, 1.14, 4.0, 9.0])
@pytest.mark.parametrize("shape", [(28, 28), (8, 13)])
def test_smoothing_is_a_gaussian_filter(sigma: float, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, shape)
    smoothed = gaussian_matrix(shape[0], sigma) @ noise @ gaussian_matrix(shape[1], sigma).T
    expected = ndimage.gaussian_filter(noise, sigma, mode="constant")
    assert smoothed == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("shape", [(28, 28), (8, 8), (20, 33)])
@pytest.mark.parametrize("alpha", [0.0, 34.0, 300.0])
def test_the_whole_is_what_scipy_computes_step_by_step(
    shape: tuple[int, int], alpha: float
) -> None:
    n, sigma = 5, 3.0
    rng = np.random.default_rng(1)
    pixels = random_pictures(n, shape)
    maps = draw_maps(n, Strengths(shift=3, rotation=40, scaling=0.4, shear=0.4), rng)
    noise = draw_noise((2, n, *shape), rng)
    result = np.empty_like(pixels)
    Distortion(shape, n, alpha=alpha, sigma=sigma)(pixels, maps, noise if alpha else None, result)

    middle = (np.array(shape) - 1) / 2
    y, x = np.indices(shape) - middle[:, None, None]
    for i in range(n):
        positions = [
            maps[k, 0, i] * y
            + maps[k, 1, i] * x
            + maps[k, 2, i]
            + middle[k]
            + alpha * ndimage.gaussian_filter(noise[k, i] / 128, sigma, mode="constant")
            for k in (0, 1)
        ]
        original = pixels[i].reshape(shape).astype(float)
        # Two steps of 1/512 of a pixel at most, and half a grey level from rounding.
        exact = ndimage.map_coordinates(original, positions, order=1, mode="grid-constant")
        assert np.abs(result[i].reshape(shape) - exact).max() <= 0.5 + 2 * 255 / 512 + 0.01
        # At the positions as they are rounded it is exact, but where single precision tips one.
        near = [np.floor(256 * each + 0.5) / 256 for each in positions]
        exact = ndimage.map_coordinates(original, near, order=1, mode="grid-constant")
        off = result[i].reshape(shape) != np.floor(exact + 0.5)
        assert off.mean() < 0.02


@pytest.mark.parametrize(("axis", "shape"), [(0, (28, 28)), (1, (28, 28)), (0, (8, 8))])
def test_ink_is_displaced_as_far_as_the_formula_says(axis: int, shape: tuple[int, int]) -> None:
    # A picture that grows darker by the same amount each pixel shows how far from it was fetched.
    slope = 240 // shape[axis]
    ramp = np.broadcast_to(np.indices(shape)[axis] * slope, shape).astype(np.uint8)
    copies = np.repeat(ramp.reshape(1, -1), 3_000, axis=0)
    augment = Augmentation(shape, Strengths(alpha=ELASTIC.alpha, sigma=ELASTIC.sigma))
    distorted = augment(copies, np.random.default_rng(0)).reshape(-1, *shape).astype(float)
    # Where every displacement stays inside the picture.
    y, x = shape[0] // 2, shape[1] // 2
    displacement = (distorted[:, y, x] - ramp[y, x]) / slope
    # Variance: that of the noise, 1/3, times the sum of the squared weights of the Gaussian.
    scaled = for_shape(ELASTIC, shape)
    weights = [gaussian_matrix(n, scaled.sigma)[i] for n, i in zip(shape, (y, x), strict=True)]
    expected = scaled.alpha * np.sqrt(1 / 3 * np.prod([(w**2).sum() for w in weights]))
    assert displacement.mean() == pytest.approx(0, abs=0.06 * expected)
    assert displacement.std() == pytest.approx(expected, rel=0.05)
    # In the middle of a large picture that is alpha / (2 sigma sqrt(3 pi)).
    assert expected == pytest.approx(
        scaled.alpha / (2 * scaled.sigma * np.sqrt(3 * np.pi)), rel=0.02
    )
    assert expected == pytest.approx(1.38 * shape[0] / 28, rel=0.02)


def test_neighbors_move_together_and_far_ones_do_not() -> None:
    ramp = (np.indices((28, 28))[0] * 8).astype(np.uint8)
    copies = np.repeat(ramp.reshape(1, -1), 2_000, axis=0)
    augment = Augmentation((28, 28), Strengths(alpha=34, sigma=4))
    distorted = augment(copies, np.random.default_rng(0)).reshape(-1, 28, 28).astype(float)
    row = distorted[:, 14] - ramp[14]
    together = np.corrcoef(row.T)[6]
    # Two Gaussian means a distance d apart have the correlation exp(-d^2 / (4 sigma^2)).
    for distance in (1, 4, 8):
        expected = np.exp(-(distance**2) / (4 * 4**2))
        assert together[6 + distance] == pytest.approx(expected, abs=0.06)
    assert abs(together[6 + 18]) < 0.1


def test_the_two_directions_are_independent() -> None:
    strengths = Strengths(alpha=34, sigma=4)
    found = []
    for axis in (0, 1):
        ramp = (np.indices((28, 28))[axis] * 8).astype(np.uint8)
        copies = np.repeat(ramp.reshape(1, -1), 2_000, axis=0)
        distorted = Augmentation((28, 28), strengths)(copies, np.random.default_rng(0))
        found.append(distorted.reshape(-1, 28, 28)[:, 14, 14].astype(float))
    assert abs(np.corrcoef(found)[0, 1]) < 0.06


def test_the_published_kinds_build_on_each_other() -> None:
    assert AFFINE.alpha == 0 and AFFINE.rotation > 0 and AFFINE.scaling > 0 and AFFINE.shear > 0
    assert ELASTIC.alpha > 0 and ELASTIC.rotation == AFFINE.rotation
    assert ELASTIC.scaling == AFFINE.scaling
