"""From a file to ink: the digit on a photograph or a scan, without its paper."""

from __future__ import annotations

import io
import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from neuralscope.data.ink import Ink
from neuralscope.data.pieces import labeled
from neuralscope.data.recipe import FULL_FRAME, Recipe
from neuralscope.errors import DataError

MOST_BYTES: Final = 10_000_000
MOST_PIXELS: Final = 25_000_000

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
            f"The picture has {len(content) / 1e6:.0f} MB; up to {MOST_BYTES // 1_000_000} MB "
            "are read."
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
    for number in np.flatnonzero((n_inside <= 0.05 * n_pixels) & (n_pixels > 0)):
        rows, columns = np.nonzero(labels == number)
        is_edge[number] = np.ptp(rows) >= 0.8 * height or np.ptp(columns) >= 0.8 * width
    is_edge[0] = False
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
        # Only the header is read here: what is too large is never unpacked.
        picture: Image.Image = Image.open(io.BytesIO(content), formats=("PNG", "JPEG"))
        width, height = picture.size
        if width * height > MOST_PIXELS:
            raise DataError(_too_many(width, height))
        picture.draft("L", (2 * _LONGEST, 2 * _LONGEST))  # a JPEG can be decoded smaller
        picture.load()
        picture = ImageOps.exif_transpose(picture)
        gray = _gray(picture)
    except DataError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(
            f"The picture has too many pixels; up to {MOST_PIXELS // 1_000_000} million are read."
        ) from None
    except Exception as error:
        # There is no end to what a damaged file makes a decoder raise.
        raise DataError("The file is damaged, or is not a PNG or JPEG image.") from error
    if max(gray.size) > _LONGEST:
        gray.thumbnail((_LONGEST, _LONGEST), Image.Resampling.BOX)
    return np.array(gray, np.float32).clip(0, 1)


def _too_many(width: int, height: int) -> str:
    return (
        f"The picture has {width:,} x {height:,} pixels; up to {MOST_PIXELS // 1_000_000} million "
        "are read."
    )


def _gray(picture: Image.Image) -> Image.Image:
    """Return brightness as a picture of mode F, 0 to 1, from any mode."""
    if picture.mode.startswith(("I", "F")):  # 16 bits a pixel; PNG knows no others of these
        return Image.fromarray(np.asarray(picture, np.float32) / 65535)
    if not picture.has_transparency_data:
        return Image.fromarray(np.asarray(picture.convert("L"), np.float32) / 255)
    colors = np.asarray(picture.convert("RGBA"))
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
