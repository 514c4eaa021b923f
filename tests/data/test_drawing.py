"""Drawings and photographs become what a network has learned to read."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from neuralscope.data import drawing, load_dataset, scaled
from neuralscope.data.drawing import CANVAS, Ink, Stroke
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
                np.roll(ink, shift, (0, 1))  # the neighbours, clockwise from the north
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
        # Straight neighbours first, so that corners are not cut.
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
        drawing.rasterize(moved(traced(picture), *PLACES[i % 4]))
        for i, picture in enumerate(x[:200].reshape(-1, 28, 28))
    ]
    inputs = np.stack([drawing.normalized(ink, (28, 28)) for ink in drawn])
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
        drawing.rasterize(moved(hatched(smoothed(picture, 40)), *PLACES[i % 4]), pen=0.03)
        for i, picture in enumerate(pictures)
    ]
    inputs = np.stack([drawing.normalized(ink, (8, 8)) for ink in drawn])
    assert (digits_network.predict(inputs) == dataset.y_test[:100]).mean() >= 0.9


# Where and how large -----------------------------------------------------------------------------


@pytest.mark.parametrize(("image_shape", "most"), [((28, 28), 0.01), ((8, 8), 0.01)])
@pytest.mark.parametrize("place", PLACES)
def test_a_digit_drawn_elsewhere_is_nearly_the_same_picture(
    image_shape: tuple[int, int], most: float, place: tuple[float, float, float]
) -> None:
    # The pen goes along with the size: a broad pen on a small digit is another picture.
    scale = place[0]
    here = drawing.normalized(drawing.rasterize(SEVEN), image_shape)
    there = drawing.normalized(
        drawing.rasterize(moved(SEVEN, *place), pen=scale * drawing.PEN), image_shape
    )
    assert np.abs(here - there).mean() < most


def test_the_recipe_leaves_digits_of_mnist_as_they_are(
    mnist_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(mnist_home))
    x = scaled(load_dataset("mnist").x_test[:300], 255)
    again = np.stack([drawing.normalized(each.reshape(28, 28), (28, 28)) for each in x])
    assert np.abs(again - x).mean() < 0.001


def test_the_recipe_keeps_the_digits_as_they_are_read(digits_network: Network) -> None:
    dataset = load_dataset("digits")
    x = scaled(dataset.x_test, 16)
    inks = [smoothed(each, CANVAS) for each in x.reshape(-1, 8, 8)]
    again = np.stack([drawing.normalized(ink, (8, 8)) for ink in inks])
    assert (digits_network.predict(again) == dataset.y_test).mean() > 0.9
    # Counts of 4 x 4 black pixels, 0 to 16, as in the data set, and as much ink.
    assert set(np.unique(16 * again)) <= set(range(17))
    assert abs(again.mean() - x.mean()) < 0.02


def test_mnist_s_recipe_fills_a_box_of_20_and_centres_by_mass() -> None:
    field = drawing.normalized(drawing.rasterize(SEVEN), (28, 28)).reshape(28, 28)
    rows, columns = (np.flatnonzero(field.any(axis=1 - axis)) for axis in (0, 1))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    for axis in (0, 1):
        center = field.sum(axis=1 - axis) @ np.arange(28) / field.sum()
        assert 13.5 <= center < 14.5
    assert field.max() == 1
    assert len(np.unique(field)) > 10  # grey levels, from anti-aliasing


def test_the_digits_recipe_fills_the_height_and_shears_the_slant_out() -> None:
    upright = drawing.normalized(drawing.rasterize(ONE), (8, 8)).reshape(8, 8)
    leaning = drawing.normalized(
        drawing.rasterize((Stroke(((0.65, 0.1), (0.35, 0.9))),)), (8, 8)
    ).reshape(8, 8)
    assert upright[0].any() and upright[-1].any()
    assert np.abs(upright - leaning).mean() < 0.05


@pytest.mark.parametrize("image_shape", [(28, 28), (8, 8)])
@pytest.mark.parametrize(
    "points", [((0.5, 0.5),), ((0.0, 0.0), (1.0, 1.0)), ((0.1, 0.5), (0.9, 0.5)), ((1.0, 1.0),)]
)
def test_any_ink_makes_a_picture(
    image_shape: tuple[int, int], points: tuple[tuple[float, float], ...]
) -> None:
    x = drawing.normalized(drawing.rasterize((Stroke(points),)), image_shape)
    assert x.dtype == np.float32
    assert x.shape == (image_shape[0] * image_shape[1],)
    assert 0 <= x.min() and 0 < x.max() <= 1


@pytest.mark.parametrize("every", [3, 9, 40])
@pytest.mark.parametrize("image_shape", [(28, 28), (8, 8)])
def test_dust_makes_a_picture_too(image_shape: tuple[int, int], every: int) -> None:
    dust = drawing.blank()
    dust[::every, ::every] = 0.5
    assert np.isfinite(drawing.normalized(dust, image_shape)).all()
    assert drawing.count_digits(dust) >= 1


def test_nothing_drawn_is_no_digit() -> None:
    assert not drawing.has_ink(drawing.rasterize(()))
    with pytest.raises(DataError, match="blank"):
        drawing.normalized(drawing.blank(), (28, 28))


def test_there_is_a_recipe_for_two_shapes() -> None:
    assert [drawing.shape_for(n) for n in (784, 64)] == [(28, 28), (8, 8)]
    with pytest.raises(DataError, match=r"takes 6 pixels .* 784 \(28 x 28\) or 64 \(8 x 8\)"):
        drawing.shape_for(6)
    with pytest.raises(DataError, match="28 x 28 or 8 x 8"):
        drawing.normalized(drawing.rasterize(ONE), (2, 3))


# The sheet ---------------------------------------------------------------------------------------


def test_the_pen_is_round_and_as_wide_as_it_is_said() -> None:
    dot = drawing.rasterize((Stroke(((0.5, 0.5),)),), pen=0.5)
    assert dot.sum() == pytest.approx(np.pi * (CANVAS / 4) ** 2, rel=0.02)
    line = drawing.rasterize(ONE, pen=0.1)
    assert line[CANVAS // 2].sum() == pytest.approx(0.1 * CANVAS, rel=0.05)


def test_the_rubber_takes_away_what_came_before_it_only() -> None:
    rubber = Stroke(((0.5, 0.1), (0.5, 0.9)), erases=True)
    assert not drawing.has_ink(drawing.rasterize((*ONE, rubber), pen=0.1))
    assert drawing.has_ink(drawing.rasterize((*ONE, rubber, *ONE)))
    full = np.ones((CANVAS, CANVAS), np.float32)
    assert drawing.rasterize((rubber,), full)[CANVAS // 2, CANVAS // 2] == 0
    assert drawing.rasterize((rubber,), full)[0, 0] == 1


@pytest.mark.parametrize(("shape", "pixel_max"), [((28, 28), 255), ((8, 8), 16)])
def test_a_test_digit_on_the_sheet_keeps_its_pixels(shape: tuple[int, int], pixel_max: int) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, pixel_max + 1, shape, dtype=np.uint8)
    sheet = drawing.enlarged(pixels, pixel_max)
    expected = scaled(pixels, pixel_max).ravel()
    assert (drawing.as_pixels(sheet, shape, pixel_max) == expected).all()
    # Drawn upon, only what the pen touched is another.
    touched = drawing.rasterize((Stroke(((0.5, 0.5),)),), sheet, pen=0.1)
    differs = drawing.as_pixels(touched, shape, pixel_max) != expected
    assert 0 < differs.sum() <= (0.1 * shape[0] + 2) ** 2


def test_a_picture_is_laid_in_the_middle_of_the_sheet() -> None:
    ink = np.zeros((100, 300), np.float32)
    ink[10:60, 20:40] = 1
    sheet = drawing.fitted(ink)
    rows, columns = np.flatnonzero(sheet.any(axis=1)), np.flatnonzero(sheet.any(axis=0))
    assert np.ptp(rows) + 1 == pytest.approx(0.7 * CANVAS, abs=1)
    assert np.ptp(columns) + 1 == pytest.approx(0.7 * CANVAS * 20 / 50, abs=1)
    assert rows.mean() == pytest.approx(CANVAS / 2, abs=1)
    assert columns.mean() == pytest.approx(CANVAS / 2, abs=1)


# Several digits ----------------------------------------------------------------------------------


def beside(*strokes: Stroke) -> int:
    return drawing.count_digits(drawing.rasterize(strokes))


def test_digits_apart_are_counted() -> None:
    left, right = Stroke(((0.2, 0.1), (0.2, 0.9))), Stroke(((0.8, 0.1), (0.8, 0.9)))
    middle = Stroke(((0.5, 0.15), (0.5, 0.8)))
    assert drawing.count_digits(drawing.blank()) == 0
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


def test_digits_of_the_data_set_are_one_each() -> None:
    pictures = scaled(load_dataset("digits").x_test[:100], 16).reshape(-1, 8, 8)
    counts = [drawing.count_digits(smoothed(each, CANVAS)) for each in pictures]
    assert np.mean(np.array(counts) == 1) >= 0.99


# Files -------------------------------------------------------------------------------------------


def photographed(mode: str = "L", *, ink: int = 0, paper: int = 255) -> Image.Image:
    """Return a picture of a seven."""
    sheet = drawing.rasterize(SEVEN)
    gray = np.rint(paper + (ink - paper) * sheet).astype(np.uint8)
    return Image.fromarray(gray).convert(mode)


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def difference(content: bytes) -> float:
    """Return how far the network's picture is from that of the drawing itself."""
    expected = drawing.normalized(drawing.rasterize(SEVEN), (28, 28))
    return float(
        np.abs(drawing.normalized(drawing.read_picture(content), (28, 28)) - expected).mean()
    )


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_mode_of_a_png_is_read(mode: str) -> None:
    if mode == "I;16":
        gray = np.asarray(photographed(), np.uint16) * 257
        image = Image.fromarray(gray)
        assert image.mode == "I;16"
    else:
        image = photographed(mode)
    assert difference(saved(image)) < 0.01


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_is_read(mode: str) -> None:
    assert difference(saved(photographed(mode), "JPEG", quality=85)) < 0.02


@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (255, 0), (40, 140), (200, 90)])
def test_dark_on_light_and_light_on_dark_are_the_same(ink: int, paper: int) -> None:
    assert difference(saved(photographed(ink=ink, paper=paper))) < 0.02


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (200, 30, 30)])
def test_strokes_on_a_transparent_ground_are_seen(color: tuple[int, int, int]) -> None:
    opacity = np.rint(drawing.rasterize(SEVEN) * 255).astype(np.uint8)
    pixels = np.empty((*opacity.shape, 4), np.uint8)
    pixels[..., :3], pixels[..., 3] = color, opacity
    assert difference(saved(Image.fromarray(pixels))) < 0.02


def test_a_photograph_on_its_side_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side: show it turned by 90 degrees
    lying = photographed("RGB").transpose(Image.Transpose.ROTATE_90)
    assert difference(saved(lying, "JPEG", quality=90)) > 0.05
    assert difference(saved(lying, "JPEG", quality=90, exif=exif)) < 0.02


def test_grain_and_dim_light_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    gray = np.asarray(photographed(ink=70, paper=180), np.float32)
    gray += rng.normal(0, 6, gray.shape) + np.linspace(-10, 10, CANVAS)
    photo = Image.fromarray(gray.clip(0, 255).astype(np.uint8)).resize((1400, 1400))
    assert difference(saved(photo, "JPEG", quality=80)) < 0.02


def test_the_first_picture_of_an_animation_counts() -> None:
    frames = [photographed(), Image.new("L", (CANVAS, CANVAS), 255)]
    content = saved(frames[0], save_all=True, append_images=frames[1:])
    assert difference(content) < 0.01


def test_a_picture_of_the_network_s_own_size_is_read(digits_network: Network) -> None:
    dataset = load_dataset("digits")
    right = [
        digits_network.predict(
            drawing.normalized(drawing.read_picture(saved(Image.fromarray(digit * 15))), (8, 8))[
                None
            ]
        )[0]
        == label
        for digit, label in zip(dataset.x_test[:50].reshape(-1, 8, 8), dataset.y_test, strict=False)
    ]
    assert np.mean(right) >= 0.8


def png_claiming(width: int, height: int) -> bytes:
    """Return a PNG file that says it is so large, with next to nothing in it."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(*each) for each in [(b"IHDR", header), (b"IDAT", body), (b"IEND", b"")]
    )


@pytest.mark.parametrize("side", [5_001, 10_000, 60_000])
@pytest.mark.parametrize("warned", ["error", "ignore"])
def test_a_bomb_is_refused_before_it_is_unpacked(side: int, warned: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter(warned)
        with pytest.raises(DataError, match="pixels; up to 25 million are read"):
            drawing.read_picture(png_claiming(side, side))


def test_a_text_bomb_is_refused() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "0" * 80_000_000, zip=True)
    with pytest.raises(DataError, match="damaged"):
        drawing.read_picture(saved(photographed(), pnginfo=text))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "empty file"),
        (b"not a picture", "no picture in PNG or JPEG"),
        (bytes(10_000_001), "10 MB; up to 10 MB are read"),
        (saved(photographed())[:300], "damaged"),
        (saved(photographed("RGB"), "JPEG")[:700], "damaged"),
        (saved(photographed(), "GIF"), "no picture in PNG or JPEG"),
        (saved(photographed(), "TIFF"), "no picture in PNG or JPEG"),
        (saved(Image.new("L", (50, 50), 255)), "nothing stands out"),
        (saved(Image.new("L", (1, 1), 0)), "nothing stands out"),
        (saved(Image.new("RGBA", (20, 20), (0, 0, 0, 0))), "nothing stands out"),
        (png_claiming(100, 100), "damaged"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_sentence(content: bytes, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint) as raised:
        drawing.read_picture(content)
    assert "\n" not in str(raised.value)


# Pictures of any shape ---------------------------------------------------------------------------


@pytest.mark.parametrize("image_shape", [(12, 20), (20, 12), (64, 3), (1, 2), (33, 31)])
def test_a_picture_of_any_shape_comes_back_from_the_sheet_exactly(
    image_shape: tuple[int, int],
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, image_shape, dtype=np.uint8)
    sheet = drawing.enlarged(pixels, 255)
    assert sheet.shape == (drawing.CANVAS, drawing.CANVAS)
    back = drawing.as_pixels(sheet, image_shape, 255)
    np.testing.assert_array_equal(back, (pixels.ravel() / np.float32(255)).astype(np.float32))


def test_ink_is_fitted_into_a_box_and_keeps_its_aspect() -> None:
    square = drawing.rasterize(
        (Stroke(((0.6, 0.1), (0.9, 0.1), (0.9, 0.4), (0.6, 0.4), (0.6, 0.1))),)
    )
    picture = drawing.fitted_into(square, (12, 20), (8, 18)).reshape(12, 20)
    rows, columns = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
    assert (rows[0], rows[-1]) == (2, 9)
    assert (columns[0], columns[-1]) == (6, 13)
    assert picture.max() == 1


def test_nothing_drawn_cannot_be_fitted() -> None:
    with pytest.raises(DataError, match="blank"):
        drawing.fitted_into(drawing.blank(), (12, 20), (8, 8))


def test_the_typical_box_is_that_of_most_pictures() -> None:
    pixels = np.zeros((5, 12, 20), np.uint8)
    pixels[:, 3:9, 4:14] = 255
    pixels[0] = 255
    pixels[1] = 20  # faint, but everywhere
    assert drawing.typical_box(pixels.reshape(5, -1), (12, 20)) == (6, 10)
    assert drawing.typical_box(pixels[:0].reshape(0, 240), (12, 20)) == (12, 20)
