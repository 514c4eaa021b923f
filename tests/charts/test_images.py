import base64
import io

import numpy as np
import pytest
from PIL import Image

from neuralscope.charts import (
    colors,
    data_uri,
    describe_weights,
    digit_tiles,
    png,
    weight_grid,
    weight_limit,
)

NEUTRAL = tuple(colors.diverging_ramp()[127])
LOWEST, HIGHEST = tuple(colors.diverging_ramp()[0]), tuple(colors.diverging_ramp()[-1])


def opened(uri: str) -> Image.Image:
    kind, _, data = uri.partition(",")
    assert kind == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data, validate=True)))


def test_blue_is_negative_red_is_positive_and_zero_is_neutral() -> None:
    picture = weight_grid(np.array([[-1.0], [0.0], [1.0], [0.0]]), (2, 2), scale=1)
    assert picture.dtype == np.uint8
    assert picture.shape == (2, 2, 4)
    assert tuple(picture[0, 0]) == (*LOWEST, 255)
    assert tuple(picture[0, 1]) == tuple(picture[1, 1]) == (*NEUTRAL, 255)
    assert tuple(picture[1, 0]) == (*HIGHEST, 255)


def test_each_tile_is_one_units_weights_enlarged_pixel_by_pixel() -> None:
    weights = np.random.default_rng(0).normal(size=(6, 5))
    picture = weight_grid(weights, (2, 3), scale=4, limit=2.0)
    for unit in range(5):
        row, column = divmod(unit, 3)
        top, left = row * (2 * 4 + 2), column * (3 * 4 + 2)
        tile = picture[top : top + 8, left : left + 12, :3]
        expected = colors.diverging(weights[:, unit].reshape(2, 3), 2.0)
        assert (tile == expected.repeat(4, axis=0).repeat(4, axis=1)).all()


def test_gaps_and_empty_places_are_transparent() -> None:
    picture = weight_grid(np.ones((4, 5)), (2, 2), scale=1)
    assert picture.shape == (2 * 2 + 2, 3 * 2 + 2 * 2, 4)
    assert (picture[2:4, :, 3] == 0).all()
    assert (picture[:, 2:4, 3] == 0).all()
    assert (picture[4:, 8:, 3] == 0).all()  # the sixth place
    assert (picture[4:, :2, 3] == 255).all()


@pytest.mark.parametrize("units", [1, 2, 3, 7, 16, 24, 32, 61, 64])
def test_the_grid_is_wide_and_hardly_any_place_is_empty(units: int) -> None:
    height, width = weight_grid(np.zeros((16, units)), (4, 4), scale=1).shape[:2]
    rows, columns = (height + 2) // 6, (width + 2) // 6
    assert units <= rows * columns <= units + max(3, rows - 1)
    assert units <= 2 or 1.2 <= columns / rows <= 4.2


def test_no_more_units_than_asked_for() -> None:
    many = np.random.default_rng(0).normal(size=(4, 1000))
    first = weight_grid(many[:, :10], (2, 2), limit=1.0)
    assert (weight_grid(many, (2, 2), most=10, limit=1.0) == first).all()


def test_a_common_limit_makes_pictures_comparable() -> None:
    pale = weight_grid(np.array([[0.1]]), (1, 1), limit=1.0)[0, 0]
    own = weight_grid(np.array([[0.1]]), (1, 1))[0, 0]
    assert tuple(own[:3]) == HIGHEST
    assert tuple(pale[:3]) == tuple(colors.diverging([0.1], 1.0)[0])


def test_the_limit_is_a_percentile_so_that_an_outlier_does_not_pale_the_rest() -> None:
    weights = np.append(np.linspace(-1, 1, 9_999), 1000.0)
    assert weight_limit(weights) == pytest.approx(0.995, rel=1e-3)


@pytest.mark.parametrize(
    ("weights", "limit"),
    [([0.0, 0.0], 0.0), ([], 0.0), ([np.nan, -2.0, np.inf], 2.0), ([0.0] * 999 + [3.0], 3.0)],
)
def test_the_limit_of_odd_weights(weights: list[float], limit: float) -> None:
    assert weight_limit(weights) == limit


def test_weights_that_are_all_zero_or_no_number_are_neutral() -> None:
    for value in (0.0, np.nan):
        picture = weight_grid(np.full((4, 1), value), (2, 2), scale=1)
        assert (picture[..., :3] == NEUTRAL).all()


@pytest.mark.parametrize("shape", [(5, 2), (4,), (4, 0)])
def test_weights_must_fit_the_picture(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="do not fit images of 2 x 2"):
        weight_grid(np.zeros(shape), (2, 2))


def test_weights_in_words() -> None:
    text = describe_weights(np.full((4, 100), -0.5))
    assert text == (
        "Incoming weights of the first 64 of 100 units as pictures,"
        " blue below and red above zero, up to 0.5 in size."
    )


def test_a_tile_is_dark_ink_on_light_paper_enlarged_by_a_whole_factor() -> None:
    image = np.array([[[0, 255], [128, 0]]], dtype=np.uint8)
    (uri,) = digit_tiles(image, size=9)
    picture = np.asarray(opened(uri).convert("RGB"))
    assert picture.shape == (8, 8, 3)
    paper, ink = colors.rgb(colors.PAPER) * 255, colors.rgb(colors.INK_ON_LIGHT) * 255
    assert (picture[:4, :4] == paper.round()).all()
    assert (picture[:4, 4:] == ink.round()).all()
    assert len(np.unique(picture[4:, :4].reshape(-1, 3), axis=0)) == 1  # crisp, not blurred
    assert paper[0] > picture[5, 1, 0] > ink[0]


@pytest.mark.parametrize(
    ("dtype", "pixel_max"), [(np.uint8, 16), (np.float64, 16), (np.float32, 1.0), (np.int64, 255)]
)
def test_tiles_of_any_pixel_range_are_the_same(dtype: type, pixel_max: float) -> None:
    full = np.zeros((1, 8, 8), dtype=dtype)
    full[0, 2:6, 3] = pixel_max
    reference = np.zeros((1, 8, 8), dtype=np.uint8)
    reference[0, 2:6, 3] = 255
    assert digit_tiles(full, pixel_max=pixel_max) == digit_tiles(reference)


def test_tiles_of_flat_images() -> None:
    images = np.random.default_rng(0).integers(0, 256, (24, 784), dtype=np.uint8)
    flat = digit_tiles(images, image_shape=(28, 28))
    assert len(flat) == 24
    assert flat == digit_tiles(images.reshape(-1, 28, 28))
    assert opened(flat[0]).size == (56, 56)


def test_tiles_survive_values_out_of_range() -> None:
    images = np.array([[[-5.0, np.nan], [np.inf, 300.0]]])
    picture = np.asarray(opened(digit_tiles(images, size=2)[0]).convert("L"))
    assert picture[0, 0] == picture[0, 1] > picture[1, 0] == picture[1, 1]


def test_no_images_give_no_tiles() -> None:
    assert digit_tiles(np.empty((0, 8, 8))) == []


@pytest.mark.parametrize(
    ("shape", "image_shape"), [((4,), None), ((3, 64), None), ((3, 64), (7, 7))]
)
def test_what_is_no_batch_of_pictures_is_refused(
    shape: tuple[int, ...], image_shape: tuple[int, int] | None
) -> None:
    with pytest.raises(ValueError, match="images"):
        digit_tiles(np.zeros(shape), image_shape=image_shape)


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 3), (3, 5, 4), (1, 1)])
def test_png_is_read_back_bit_for_bit(shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    with Image.open(io.BytesIO(png(picture))) as image:
        image.load()
        assert (np.asarray(image) == picture).all()
    assert (np.asarray(opened(data_uri(picture))) == picture).all()


def test_png_takes_slices() -> None:
    picture = np.arange(64, dtype=np.uint8).reshape(8, 8)[::2, 1::3]
    with Image.open(io.BytesIO(png(picture))) as image:
        assert (np.asarray(image) == picture).all()
