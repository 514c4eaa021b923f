"""From a drawing or a photograph to what a network has learned to read.

    strokes ──rasterize──┐
                         ├──> ink (height, width) ──normalized──> network input (features,)
    file ──read_picture──┘

A network reads a digit well only if it is prepared as its training digits were, so each data set
has its recipe, chosen by the shape of its pictures:

28 x 28, MNIST (LeCun, Cortes, Burges, http://yann.lecun.com/exdb/mnist): the ink is scaled into a
20 x 20 box, keeping its aspect, with grey levels from anti-aliasing; then it is moved by whole
pixels until its centre of mass is in the middle of the field.

8 x 8, the digits of scikit-learn (Alpaydin and Kaynak, UCI 1998): a bitmap of 32 x 32 is cut into
blocks of 4 x 4, and the black pixels of each are counted, 0 to 16. The bitmaps come from NIST's
form-reading program (Garris et al., NISTIR 5469), which shears the slant out of each digit, scales
it to one height and gives all the same weight of ink. The data set shows it: every digit touches
the first and the last row, the first and the last column are all but empty, and 30.6 % of the
pixels are black on average, 30 % to 32 % in every class.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from neuralscope.errors import DataError

Ink = NDArray[np.float32]
"""(height, width), 0 is paper and 1 full ink."""

CANVAS: Final = 280
"""Width and height of the sheet that is drawn on: whole multiples of 28 and of 8."""

PEN: Final = 0.06
"""Width of the pen, as a share of the sheet: MNIST's strokes where a digit fills most of it."""

MOST_BYTES: Final = 10_000_000
MOST_PIXELS: Final = 25_000_000

_FINE = 2  # the sheet is drawn so many times as large, and averaged: that smooths the edges
_VISIBLE = 0.1  # ink below this is dust and the soft edge of a stroke
_LONGEST = 512  # pixels of a photograph's longer side that are enough to find a digit
_MOST_PIECES = 60  # a picture of more is no digit, and comparing them all would take long
_BLACK_SHARE = 0.306  # of a 32 x 32 bitmap, see above


class Stroke(NamedTuple):
    """One line of the pen, or of the rubber.

    Attributes:
        points: (x, y), each from 0 (left, top) to 1 (right, bottom) of the sheet.
        erases: Whether it takes ink away.
    """

    points: tuple[tuple[float, float], ...]
    erases: bool = False


# Ink ---------------------------------------------------------------------------------------------


def blank() -> Ink:
    """Return an empty sheet, (CANVAS, CANVAS)."""
    return np.zeros((CANVAS, CANVAS), np.float32)


def rasterize(strokes: Sequence[Stroke], onto: Ink | None = None, *, pen: float = PEN) -> Ink:
    """Draw strokes with a round pen, one after another, with smooth edges.

    Args:
        strokes: What is drawn.
        onto: What is on the sheet already, (CANVAS, CANVAS).
        pen: Width of the pen as a share of the sheet.

    Returns:
        The sheet, (CANVAS, CANVAS).
    """
    if onto is None:
        onto = blank()
    if not strokes:
        return onto
    side = CANVAS * _FINE
    # What was there before is kept apart from what is drawn, so that it stays exact.
    drawn = Image.new("L", (side, side), 0)
    kept = Image.new("L", (side, side), 255)
    radius = pen * side / 2
    for stroke in strokes:
        points = [(x * side, y * side) for x, y in stroke.points]
        for sheet, color in ((drawn, 0 if stroke.erases else 255), (kept, 0)):
            if sheet is kept and not stroke.erases:
                continue
            pencil = ImageDraw.Draw(sheet)
            if len(points) > 1:
                pencil.line(points, fill=color, width=max(1, round(2 * radius)))
            for x, y in points:  # round ends and joints
                pencil.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)
    ink: Ink = np.maximum(onto * _reduced(kept), _reduced(drawn))
    return ink


def _reduced(sheet: Image.Image) -> Ink:
    return np.asarray(sheet.reduce(_FINE), np.float32) / np.float32(255)


def enlarged(pixels: NDArray[np.integer], pixel_max: int) -> Ink:
    """Return a digit of a data set on the whole sheet, pixel by pixel, (CANVAS, CANVAS).

    Args:
        pixels: (height, width); one that is not square lies in the middle of the sheet.
        pixel_max: Pixel value of full ink.
    """
    ink = np.asarray(pixels, np.float32) / np.float32(pixel_max)
    rows, columns, times = _place(ink.shape)
    sheet = blank()
    sheet[rows, columns] = ink.repeat(times, axis=0).repeat(times, axis=1)
    return sheet


def _place(image_shape: tuple[int, ...]) -> tuple[slice, slice, int]:
    """Return where on the sheet a picture of that shape lies, and how many times enlarged."""
    times = CANVAS // max(image_shape)
    top, left = ((CANVAS - times * side) // 2 for side in image_shape)
    height, width = (times * side for side in image_shape)
    return slice(top, top + height), slice(left, left + width), times


def as_pixels(sheet: Ink, image_shape: tuple[int, int], pixel_max: int) -> NDArray[np.float32]:
    """Return a sheet on which a digit of a data set was `enlarged`, as network input.

    Each block is averaged to the nearest pixel value, and nothing is moved or scaled: what was not
    drawn upon is the digit's own pixel, exactly.

    Returns:
        (features,), in [0, 1].
    """
    height, width = image_shape
    rows, columns, times = _place(image_shape)
    blocks = sheet[rows, columns].reshape(height, times, width, times)
    levels = np.rint(blocks.mean(axis=(1, 3), dtype=np.float64) * pixel_max)
    # As `scaled` divides, so that the same pixel is the same number.
    x: Ink = np.divide(levels.astype(np.float32), np.float32(pixel_max)).ravel()
    return x


def fitted(ink: Ink, *, share: float = 0.7) -> Ink:
    """Return a picture's ink in the middle of a sheet, its longer side `share` of the sheet's.

    Raises:
        DataError: There is no ink.
    """
    left, top, right, bottom = _box(ink)
    scale = share * CANVAS / max(right - left, bottom - top)
    width, height = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    sheet = blank()
    x, y = (CANVAS - width) // 2, (CANVAS - height) // 2
    sheet[y : y + height, x : x + width] = _resized(ink, (left, top, right, bottom), width, height)
    return sheet


def has_ink(ink: Ink) -> bool:
    """Return whether there is anything to be seen."""
    return bool((ink > _VISIBLE).any())


# Recipes -----------------------------------------------------------------------------------------


def normalized(ink: Ink, image_shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return ink as the input of a network for pictures of that shape.

    Where on the sheet the digit is, and how large it is, makes next to no difference.

    Returns:
        (features,), in [0, 1].

    Raises:
        DataError: There is no ink, or there is no recipe for that shape.
    """
    if image_shape not in RECIPES:
        known = " or ".join(f"{height} x {width}" for height, width in RECIPES)
        raise DataError(f"Drawings can be made into pictures of {known} pixels only.")
    return RECIPES[image_shape](ink).ravel()


def typical_box(pixels: NDArray[np.integer], image_shape: tuple[int, int]) -> tuple[int, int]:
    """Return how many rows and columns the ink of a data set's pictures takes, most often.

    Args:
        pixels: (n, features); a few hundred pictures are enough.
        image_shape: Rows and columns of one.
    """
    inked = pixels.reshape(-1, *image_shape) > 0.25 * pixels.max(initial=1)
    sides = []
    for axis in (2, 1):
        there = inked.any(axis=axis)  # (n, rows) or (n, columns)
        # From the first to the last; argmax of booleans is the first.
        extent = there.shape[1] - there.argmax(axis=1) - there[:, ::-1].argmax(axis=1)
        sides.append(max(1, round(float(np.median(extent)))) if len(extent) else there.shape[1])
    return sides[0], sides[1]


def fitted_into(
    ink: Ink, image_shape: tuple[int, int], box: tuple[int, int]
) -> NDArray[np.float32]:
    """Return ink as network input for pictures that have no recipe, of any shape.

    It is scaled into a box, keeping its aspect, and stands in the middle of the picture.

    Args:
        ink: What was drawn.
        image_shape: Rows and columns of the picture.
        box: Rows and columns that the ink may take; see `typical_box`.

    Returns:
        (features,), in [0, 1].

    Raises:
        DataError: There is no ink.
    """
    left, top, right, bottom = _box(ink)
    scale = min(box[0] / (bottom - top), box[1] / (right - left))
    height, width = (max(1, round(side * scale)) for side in (bottom - top, right - left))
    small = _resized(ink, (left, top, right, bottom), width, height)
    field = np.zeros(image_shape, np.float32)
    y, x = (image_shape[0] - height) // 2, (image_shape[1] - width) // 2
    field[y : y + height, x : x + width] = small / max(float(small.max()), 1e-6)
    return field.ravel()


def shape_for(n_features: int) -> tuple[int, int]:
    """Return the shape of the pictures that a network with so many inputs reads.

    Raises:
        DataError: There is no recipe for it.
    """
    for height, width in RECIPES:
        if height * width == n_features:
            return height, width
    known = " or ".join(f"{height * width} ({height} x {width})" for height, width in RECIPES)
    raise DataError(
        f"A network that takes {n_features:,} pixels cannot be shown a drawing; {known} it must be."
    )


def _like_mnist(ink: Ink) -> Ink:
    left, top, right, bottom = _box(ink)
    scale = 20 / max(right - left, bottom - top)
    width, height = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    small = _resized(ink, (left, top, right, bottom), width, height)
    small /= small.max()  # a thin pencil is scaled to grey; MNIST's pens left full ink
    mass = small.sum()
    # In units of pixels from the corner of the field, where the middle of pixel i is i + 0.5.
    down = small.sum(axis=1) @ (np.arange(height) + 0.5) / mass
    across = small.sum(axis=0) @ (np.arange(width) + 0.5) / mass
    # Counted in whole pixels, as MNIST does, the centre of mass comes to lie from 13.5 to 14.5.
    y = min(max(math.ceil(14 - down), 0), 28 - height)
    x = min(max(math.ceil(14 - across), 0), 28 - width)
    field = np.zeros((28, 28), np.float32)
    field[y : y + height, x : x + width] = small
    return field


def _like_digits(ink: Ink) -> Ink:
    upright = _upright(ink)
    left, top, right, bottom = _box(upright)
    width = max(1, round(min(24, 32 * (right - left) / (bottom - top))))
    bitmap = np.zeros((32, 32), np.float32)
    x = (32 - width) // 2
    bitmap[:, x : x + width] = _resized(upright, (left, top, right, bottom), width, 32)
    # Softened, the darkest 30.6 % are the digit with strokes of the right weight, be they thinner
    # or thicker than they were drawn.
    soft = Image.fromarray(bitmap * 255).convert("L").filter(ImageFilter.GaussianBlur(1))
    darkness = np.asarray(soft, np.float32)
    limit = max(float(np.quantile(darkness, 1 - _BLACK_SHARE)), 1.0)
    counts = (darkness >= limit).reshape(8, 4, 8, 4).sum(axis=(1, 3))
    pixels: Ink = counts.astype(np.float32) / np.float32(16)
    return pixels


RECIPES: Final[dict[tuple[int, int], Callable[[Ink], Ink]]] = {
    (28, 28): _like_mnist,
    (8, 8): _like_digits,
}
"""How ink becomes a picture of each shape."""


def _upright(ink: Ink) -> Ink:
    """Shear the slant out: afterwards the ink's rows and columns do not vary together."""
    left, top, right, bottom = _box(ink)
    width = min(max(1, round(96 * (right - left) / (bottom - top))), 4 * 96)
    small = _resized(ink, (left, top, right, bottom), width, 96)
    rows, columns = np.indices(small.shape, dtype=np.float32)
    mass = small.sum()
    rows -= (small * rows).sum() / mass
    middle = (small * columns).sum() / mass
    columns -= middle
    slant = float((small * rows * columns).sum() / (small * rows * rows).sum())
    slant = min(max(slant, -1.0), 1.0)  # a lying stroke has no slant to speak of
    # Wide enough for what is sheared out to either side.
    wide = np.pad(small, ((0, 0), (96, 96)))
    center = (small.shape[0] - 1) / 2
    sheared = Image.fromarray(wide).transform(
        (wide.shape[1], wide.shape[0]),
        Image.Transform.AFFINE,
        (1, slant, -slant * center, 0, 1, 0),
        Image.Resampling.BILINEAR,
    )
    upright = np.array(sheared, np.float32)
    upright /= upright.max()
    return upright


def _box(ink: Ink) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the ink; the last two are just outside."""
    visible = ink > _VISIBLE
    rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    if not len(rows):
        raise DataError("There is no digit: the picture is blank.")
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _resized(ink: Ink, box: tuple[int, int, int, int], width: int, height: int) -> Ink:
    """Scale a part of the ink, each new pixel the weighted average of those around it."""
    resized = Image.fromarray(np.ascontiguousarray(ink, np.float32)).resize(
        (width, height), Image.Resampling.BILINEAR, box=box
    )
    return np.array(resized, np.float32).clip(0, 1)


# Several digits ----------------------------------------------------------------------------------


def count_digits(ink: Ink) -> int:
    """Return how many digits lie apart from each other; a digit in pieces counts once.

    Pieces are told apart on a grid of 64 x 64. Those that are much lower than the highest are dots
    or bars of a digit, and those above or beside which another piece stands belong together.
    """
    if not has_ink(ink):
        return 0
    pieces = _pieces(ink)
    highest = max(bottom - top for _, top, _, bottom in pieces)
    large = sorted(piece for piece in pieces if piece[3] - piece[1] >= 0.4 * highest)[:_MOST_PIECES]
    found: list[tuple[int, int, int, int]] = []
    for left, top, right, bottom in large:
        for i, (other_left, other_top, other_right, other_bottom) in enumerate(found):
            across = min(right, other_right) - max(left, other_left)
            if across > 0.2 * min(right - left, other_right - other_left):
                apart = max(top, other_top) - min(bottom, other_bottom)
                if apart < 0.1 * highest:
                    found[i] = (
                        min(left, other_left),
                        min(top, other_top),
                        max(right, other_right),
                        max(bottom, other_bottom),
                    )
                    break
        else:
            found.append((left, top, right, bottom))
    return len(found)


def _pieces(ink: Ink) -> list[tuple[int, int, int, int]]:
    """Return the boxes of what hangs together, corners included: left, top, right, bottom."""
    left, top, right, bottom = _box(ink)
    scale = 64 / max(right - left, bottom - top)
    width, height = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    grid = _resized(ink, (left, top, right, bottom), width, height)
    grid = grid > _VISIBLE * grid.max()  # fine dots are faint when they are scaled down
    left_over = {(int(y), int(x)) for y, x in np.argwhere(grid)}
    boxes = []
    while left_over:
        piece = list(_connected(left_over.pop(), left_over))
        ys, xs = [y for y, _ in piece], [x for _, x in piece]
        boxes.append((min(xs), min(ys), max(xs) + 1, max(ys) + 1))
    return boxes


def _connected(start: tuple[int, int], others: set[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the cells that hang together with the first one, and take them from the others."""
    pending = [start]
    while pending:
        y, x = pending.pop()
        yield y, x
        around = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & others
        others -= around
        pending += around


# Files -------------------------------------------------------------------------------------------


def read_picture(content: bytes) -> Ink:
    """Return the ink in a PNG or JPEG file, whatever its mode; dark on light or light on dark.

    Raises:
        DataError: It is no picture, too large, damaged, or there is nothing to be seen on it.
    """
    if not content:
        raise DataError("The picture is an empty file.")
    if len(content) > MOST_BYTES:
        raise DataError(
            f"The picture has {len(content) / 1e6:.0f} MB; up to {MOST_BYTES // 1_000_000} MB "
            "are read."
        )
    brightness = _brightness(content)
    # What touches the border is paper, mostly.
    border = np.concatenate(
        [brightness[0], brightness[-1], brightness[:, 0], brightness[:, -1]], axis=None
    )
    paper = float(np.median(border))
    darker, lighter = paper - brightness, brightness - paper
    # The middle of a large picture decides, not a shadow along its edge.
    ink = darker if np.square(darker.clip(0)).sum() >= np.square(lighter.clip(0)).sum() else lighter
    ink = ink.clip(0, 1)
    strongest = float(np.quantile(ink, 0.998)) if ink.size > 10_000 else float(ink.max())
    if strongest < 0.1:
        raise DataError("There is no digit: nothing stands out from the picture's background.")
    ink = (ink / strongest).clip(0, 1)
    return _without_shadows(ink)


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
        raise DataError("The file is damaged or is no picture in PNG or JPEG format.") from error
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
