"""Files become ink: every mode and format, and nothing but the digit of what is on them."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, PngImagePlugin

from neuralscope.data.ink import Ink, ink_box
from neuralscope.data.photograph import read_picture
from neuralscope.data.preparation import prepared
from neuralscope.data.recipe import MNIST, Recipe
from neuralscope.data.sheet import CANVAS, Stroke, rasterize
from neuralscope.errors import DataError

SEVEN = (Stroke(((0.2, 0.2), (0.8, 0.2), (0.45, 0.85))),)


def photographed(mode: str = "L", *, ink: int = 0, paper: int = 255) -> Image.Image:
    """Return a picture of a seven."""
    sheet = rasterize(SEVEN)
    gray = np.rint(paper + (ink - paper) * sheet).astype(np.uint8)
    return Image.fromarray(gray).convert(mode)


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def difference(content: bytes) -> float:
    """Return how far the network's picture is from that of the drawing itself."""
    expected = prepared(rasterize(SEVEN), MNIST)
    return float(np.abs(prepared(read_picture(content, MNIST), MNIST) - expected).mean())


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
    opacity = np.rint(rasterize(SEVEN) * 255).astype(np.uint8)
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
            read_picture(png_claiming(side, side), MNIST)


def test_a_text_bomb_is_refused() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "0" * 80_000_000, zip=True)
    with pytest.raises(DataError, match="damaged"):
        read_picture(saved(photographed(), pnginfo=text), MNIST)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "empty file"),
        (b"not a picture", "not a PNG or JPEG"),
        (bytes(11 * 2**20), "11 MB; up to 10 MB are read"),
        (saved(photographed())[:300], "damaged"),
        (saved(photographed("RGB"), "JPEG")[:700], "damaged"),
        (saved(photographed(), "GIF"), "not a PNG or JPEG"),
        (saved(photographed(), "TIFF"), "not a PNG or JPEG"),
        (saved(Image.new("L", (50, 50), 255)), "nothing stands out"),
        (saved(Image.new("L", (1, 1), 0)), "nothing stands out"),
        (saved(Image.new("RGBA", (20, 20), (0, 0, 0, 0))), "nothing stands out"),
        (png_claiming(100, 100), "damaged"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_sentence(content: bytes, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint) as raised:
        read_picture(content, MNIST)
    assert "\n" not in str(raised.value)


# What is small, faint or framed ------------------------------------------------------------------


def drawn_on(width: int, height: int, *lines: tuple[tuple[int, int], ...], pen: int) -> Image.Image:
    """Return black lines on white paper."""
    page = Image.new("L", (width, height), 255)
    for line in lines:
        ImageDraw.Draw(page).line(line, fill=0, width=pen)
    return page


def as_read(image: Image.Image) -> Ink:
    """Return the network's picture of an image, (28, 28)."""
    return prepared(read_picture(saved(image), MNIST), MNIST).reshape(28, 28)


SMALL = ((600, 400), (600, 480))


def test_a_small_one_on_a_large_page_is_found() -> None:
    one = as_read(drawn_on(1200, 900, SMALL, pen=5))
    rows, columns = (np.flatnonzero((one > 0.5).any(axis=1 - axis)) for axis in (0, 1))
    assert np.ptp(rows) >= 17
    assert np.ptp(columns) <= 3


def test_a_faint_pencil_stands_out_from_clean_paper_but_grain_does_not() -> None:
    page = np.asarray(drawn_on(400, 400, ((200, 100), (200, 300)), pen=8), np.float32)
    faint = 230 + 12 * (page / 255)
    assert np.isfinite(as_read(Image.fromarray(faint.astype(np.uint8)))).all()
    grain = np.random.default_rng(0).normal(200, 6, (400, 400))
    with pytest.raises(DataError, match="nothing stands out"):
        as_read(Image.fromarray(grain.clip(0, 255).astype(np.uint8)))


@pytest.mark.parametrize("ink", [0, 255])
@pytest.mark.parametrize("inset", [0, 6])
def test_a_frame_at_the_edge_is_left_out(ink: int, inset: int) -> None:
    one = drawn_on(280, 280, ((150, 50), (140, 230)), pen=22)
    framed = one.copy()
    corners = (inset, inset, 279 - inset, 279 - inset)
    ImageDraw.Draw(framed).rectangle(corners, outline=0, width=4)
    if ink:
        one, framed = (each.point(lambda value: 255 - value) for each in (one, framed))
    assert np.abs(as_read(framed) - as_read(one)).mean() < 0.01


def test_a_line_along_one_edge_is_left_out() -> None:
    one = ((150, 50), (140, 230))
    lined = drawn_on(280, 280, one, ((2, 0), (5, 279)), pen=4)
    assert np.abs(as_read(lined) - as_read(drawn_on(280, 280, one, pen=4))).mean() < 0.01


def test_a_digit_that_fills_its_picture_is_no_frame() -> None:
    whole = rasterize((Stroke(((0.5, 0.1), (0.8, 0.5), (0.5, 0.9), (0.2, 0.5), (0.5, 0.1))),))
    left, top, right, bottom = ink_box(whole)
    tight = Image.fromarray(np.rint(255 - 255 * whole[top:bottom, left:right]).astype(np.uint8))
    assert np.abs(as_read(tight).ravel() - prepared(whole, MNIST)).mean() < 0.02


def test_shades_are_kept_where_the_data_has_shades() -> None:
    coat = np.full((120, 120), 255, np.uint8)
    coat[20:100, 30:60], coat[20:100, 60:90] = 180, 80
    recipe = Recipe((28, 28), box=(28, 28), center=(14, 14), thickness=11, is_shaded=True)
    ink = read_picture(saved(Image.fromarray(coat)), recipe)
    x = prepared(ink, recipe).reshape(28, 28)
    assert x[14, 8] == pytest.approx(75 / 255, abs=0.02)
    assert x[14, 19] == pytest.approx(175 / 255, abs=0.02)


def test_a_photograph_without_ground_keeps_its_brightness_to_the_edge() -> None:
    recipe = Recipe((28, 28), (28, 28), (True, True), "frame", (14.0, 14.0), is_shaded=True)
    shades = np.linspace(0, 255, 112 * 112).reshape(112, 112).astype(np.uint8)
    x = prepared(read_picture(saved(Image.fromarray(shades)), recipe), recipe).reshape(28, 28)
    np.testing.assert_allclose(x, shades[2::4, 2::4] / 255, atol=0.03)
