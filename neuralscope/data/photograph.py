"""From a file to ink: the digit on a photograph or a scan, without its paper.

A file is decoded by `decoded`, which looks at its header first. What has more than a million pixels
is decoded in a process of its own, with limits on memory and time: of 25 million, the 1,024 x 1,024
that are left of them come back. Of a million pixels no decoder makes more than a few megabytes.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from neuralscope import confined
from neuralscope.confined import Limits
from neuralscope.data.ink import Ink
from neuralscope.data.pieces import boxes_of, labeled
from neuralscope.data.recipe import FULL_FRAME, Recipe
from neuralscope.errors import DataError

MOST_BYTES: Final = 10 * 2**20
MOST_PIXELS: Final = 25_000_000

_FEW_PIXELS: Final = 1_000_000  # so many are decoded without a process of their own
_FOR_DECODING: Final = Limits(memory=512 * 2**20, seconds=10.0, result=8 * 2**20)

_LONGEST: Final = 512  # pixels of a photograph's longer side that are enough to find a digit
_LEAST_INK: Final = 20  # pixels that a digit takes at least
_LEAST_CONTRAST: Final = 0.03
_OUT_OF_GRAIN: Final = 5  # grain strays so far once in a million pixels
_PLAIN: Final = 0.1  # that much the brightness of one color varies
_FRAME_DEPTH: Final = 0.12  # of a picture's shorter side: what lies further in is no frame


def read_picture(content: bytes, recipe: Recipe) -> Ink:
    """Return the ink in a PNG or JPEG file, whatever its mode; dark on light or light on dark.

    Args:
        content: Of the file.
        recipe: Of the pictures that the network has learned from: strokes are freed from shadows
            and grain, shades are left as they are.

    Returns:
        (height, width). Where the recipe knows no ground, brightness instead: 0 black, 1 white.

    Raises:
        DataError: It is not a picture, too large, damaged, or there is nothing to be seen on it.
    """
    if not content:
        raise DataError("The picture is an empty file.")
    if len(content) > MOST_BYTES:
        raise DataError(
            f"The picture has {len(content) / 2**20:.0f} MB; up to {MOST_BYTES // 2**20} MB are "
            "read."
        )
    brightness = _without_frame(_brightness(content))
    paper = _paper(brightness)
    darker, lighter = (paper - brightness).clip(0, 1), (brightness - paper).clip(0, 1)
    # The middle of a large picture decides, not a shadow along its edge.
    is_dark = np.square(darker).sum() >= np.square(lighter).sum()
    ink = darker if is_dark else lighter
    # The standard deviation of the paper: for normal noise, a quarter is within 0.319 of it.
    grain = float(np.quantile(np.abs(brightness - paper), 0.25)) / 0.319
    # Contrast is a matter of the picture: a small digit on a large sheet is few of its pixels, and
    # a pencil's faint line stands out from clean paper, but not from grain.
    n_least = min(_LEAST_INK, ink.size // 100)
    strongest = float(np.partition(ink, -n_least - 1, axis=None)[-n_least - 1])
    if strongest < max(_LEAST_CONTRAST, 0 if recipe.is_shaded else _OUT_OF_GRAIN * grain):
        raise DataError("The picture looks blank: nothing stands out from its background.")
    if recipe.centered_by == FULL_FRAME:
        margins = np.abs(brightness - paper) <= _PLAIN
        return brightness if margins.all() else brightness[_around(~margins, margin=0)]
    if recipe.is_shaded:
        full = np.float32(max(paper if is_dark else 1 - paper, strongest))
        return (ink / full).clip(0, 1)
    ink = _without_edge_pieces((ink / strongest).clip(0, 1))
    # Of the paper, only as much as tells ink from shadow: a small digit would be lost in all of it.
    part = _around(ink > 0.5, margin=0.5)
    clean = np.zeros_like(ink)
    clean[part] = _without_shadows(ink[part])
    return clean


def _paper(brightness: Ink) -> float:
    """Return the brightness of the paper: it touches the border, mostly."""
    border = [brightness[0], brightness[-1], brightness[:, 0], brightness[:, -1]]
    return float(np.median(np.concatenate(border)))


def _without_frame(brightness: Ink) -> Ink:
    """Return what lies inside a frame at the edge: a plain ring, and another one inside of it."""
    outside = _paper(brightness)
    for depth in range(1, round(_FRAME_DEPTH * min(brightness.shape)) + 1):
        inside = brightness[depth:-depth, depth:-depth]
        ring = np.concatenate([inside[0], inside[-1], inside[:, 0], inside[:, -1]])
        color = np.median(ring)
        is_plain = (np.abs(ring - color) < _PLAIN).mean() > 0.98
        if is_plain and abs(color - outside) > 2 * _PLAIN:
            return _without_frame(inside)
    return brightness


def _without_edge_pieces(ink: Ink) -> Ink:
    """Take away lines along the edges, whole or broken, where other ink is left."""
    height, width = ink.shape
    margin = max(1, round(_FRAME_DEPTH * min(ink.shape)))
    labels = labeled(ink > 0.5)
    n_pixels = np.bincount(labels.ravel())
    n_inside = np.bincount(labels[margin:-margin, margin:-margin].ravel(), minlength=len(n_pixels))
    is_edge = np.zeros(len(n_pixels), bool)
    for number, (rows, columns) in enumerate(boxes_of(labels), start=1):
        is_long = (
            rows.stop - rows.start > 0.8 * height or columns.stop - columns.start > 0.8 * width
        )
        is_edge[number] = is_long and n_inside[number] <= 0.05 * n_pixels[number]
    is_left = ~is_edge & (n_pixels >= _LEAST_INK)
    if not is_edge.any() or not is_left[1:].any():
        return ink
    # Their soft edges go with them.
    wide = Image.fromarray(is_edge[labels]).convert("L").filter(ImageFilter.MaxFilter(5))
    cleaned: Ink = np.where(np.asarray(wide) > 0, 0, ink).astype(np.float32)
    return cleaned


def _around(strong: NDArray[np.bool_], *, margin: float) -> tuple[slice, slice]:
    """Return rows and columns of what is strong, and as a share of its size more around it."""
    rows, columns = np.flatnonzero(strong.any(axis=1)), np.flatnonzero(strong.any(axis=0))
    more = math.ceil(margin * (1 + max(np.ptp(rows), np.ptp(columns))))
    return (
        slice(max(0, int(rows[0]) - more), int(rows[-1]) + 1 + more),
        slice(max(0, int(columns[0]) - more), int(columns[-1]) + 1 + more),
    )


def _brightness(content: bytes) -> Ink:
    """Decode a file to (height, width), 0 black ... 1 white, its longer side at most _LONGEST."""
    try:
        width, height = _opened(content).size
        if width * height <= _FEW_PIXELS:
            return decoded(content)
    except MemoryError as error:
        raise DataError("There is not enough memory to read the picture.") from error
    brightness: Ink = confined.call(
        decoded, content, subject="The picture", limits=_FOR_DECODING, failure=DataError
    )
    return brightness


def _opened(content: bytes) -> Image.Image:
    """Read the header of a picture: what is too large is never unpacked."""
    with _decoding():
        picture: Image.Image = Image.open(io.BytesIO(content), formats=("PNG", "JPEG"))
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise DataError(
            f"The picture has {width:,} x {height:,} pixels; up to {MOST_PIXELS // 1_000_000} "
            "million are read."
        )
    return picture


@contextmanager
def _decoding() -> Iterator[None]:
    """Say in a sentence whatever a decoder raises: there is no end to what damage does."""
    try:
        yield
    except MemoryError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(
            f"The picture has too many pixels; up to {MOST_PIXELS // 1_000_000} million are read."
        ) from None
    except Exception as error:
        raise DataError("The file is damaged, or is not a PNG or JPEG image.") from error


def decoded(content: bytes) -> Ink:
    """Return brightness, 0 black ... 1 white, (height, width) of at most _LONGEST.

    Raises:
        DataError: It is not a picture, too large, or damaged.
        MemoryError: There is not enough memory for it.
    """
    picture = _opened(content)
    with _decoding():
        picture.draft("L", (2 * _LONGEST, 2 * _LONGEST))  # a JPEG can be decoded smaller
        picture.load()
        gray = _gray(ImageOps.exif_transpose(_reduced(picture)))
        if max(gray.size) > _LONGEST:
            gray.thumbnail((_LONGEST, _LONGEST), Image.Resampling.BOX)
        return np.array(gray, np.float32).clip(0, 1)


def _reduced(picture: Image.Image) -> Image.Image:
    """Return a picture in mode I, L or RGBA, of not many more pixels than are needed.

    It is reduced while a pixel is a few bytes, before there are floating-point numbers.
    """
    if picture.mode.startswith("I"):  # 16 bits a pixel
        mode = "I"
    else:
        mode = "RGBA" if picture.has_transparency_data else "L"
    converted = picture if picture.mode == mode else picture.convert(mode)
    return converted.reduce(max(1, max(picture.size) // (2 * _LONGEST)))


def _gray(picture: Image.Image) -> Image.Image:
    """Return brightness as a picture of mode F, 0 to 1, from one of mode I, L or RGBA."""
    if picture.mode == "I":
        return Image.fromarray(np.asarray(picture, np.float32) / 65535)
    if picture.mode == "L":
        return Image.fromarray(np.asarray(picture, np.float32) / 255)
    colors = np.asarray(picture)
    opacity = colors[..., 3].astype(np.float32) / 255
    bright = np.asarray(Image.fromarray(colors[..., :3]).convert("L"), np.float32) / 255
    # White strokes on a transparent ground would be lost on white paper.
    seen = float((bright * opacity).sum() / max(float(opacity.sum()), 1.0))
    ground = 0.0 if seen > 0.5 and opacity.mean() < 0.75 else 1.0
    return Image.fromarray(bright * opacity + ground * (1 - opacity))


def _without_shadows(ink: Ink) -> Ink:
    """Set paper to 0 and ink to 1, with a ramp between: Otsu's threshold is in its middle.

    Otsu (1979), "A Threshold Selection Method from Gray-Level Histograms": the threshold that
    leaves the means of the two sides furthest apart, weighed by their sizes.
    """
    counts, edges = np.histogram(ink, bins=256, range=(0.0, 1.0))
    levels = (edges[:-1] + edges[1:]) / 2
    below, total = np.cumsum(counts), counts.sum()
    mass = np.cumsum(counts * levels)
    above = total - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (mass / below - (mass[-1] - mass) / above) ** 2
    cut = int(np.nanargmax(between))
    paper = mass[cut] / below[cut]
    full = (mass[-1] - mass[cut]) / max(above[cut], 1)
    # A quarter of the way is paper still: the grain of a photograph, a shadow.
    start = paper + (full - paper) / 4
    clean: Ink = ((ink - start) / max(full - start, 1e-6)).clip(0, 1).astype(np.float32)
    return clean
