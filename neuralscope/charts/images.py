"""Pictures as pixels: the weights of hidden units, and thumbnails of digits.

Small pictures blur when a browser enlarges them, so everything here is enlarged by whole factors
first, pixel by pixel. Weights lie on one common scale, symmetric around zero, so that a unit that
looks pale is one with small weights. Digits are dark ink on light paper, which is legible on a
light and on a dark page alike.
"""

from __future__ import annotations

import base64
import functools
import struct
import zlib
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuralscope.charts.colors import INK_ON_LIGHT, PAPER, diverging_index, diverging_ramp, rgb

TILE: Final = 64  # pixels that the longer side of an enlarged picture comes close to


def weight_limit(weights: ArrayLike) -> float:
    """The |weight| at which the colour scale ends: the 99.5th percentile, so outliers do not rule.

    What is not finite is left out. Zero if there is nothing else.
    """
    size = np.abs(np.asarray(weights, dtype=np.float32)).ravel()
    size = size[np.isfinite(size)]
    if not len(size):
        return 0.0
    limit = float(np.percentile(size, 99.5))
    return limit if limit > 0 else float(size.max())


def weight_grid(
    weights: ArrayLike,
    image_shape: tuple[int, int],
    *,
    most: int = 64,
    limit: float | None = None,
    scale: int | None = None,
) -> NDArray[np.uint8]:
    """The incoming weights of each unit as a picture of the input: blue below 0, red above.

    The grid is wider than high. Gaps between the tiles are transparent, so the page
    shows through.

    Args:
        weights: Shape (features, units), features = height * width.
        image_shape: (height, width) of the input.
        most: Largest number of units shown; the first ones are.
        limit: |weight| where the colours end, `weight_limit(weights)` if not given. Give the same
            one to compare two pictures.
        scale: Screen pixels for each input pixel; by itself a tile is about 64 pixels high.

    Returns:
        The picture, shape (rows, columns, 4), red, green, blue and opacity.

    Raises:
        ValueError: The weights do not fit the image shape, or there is no unit.
    """
    weights = np.asarray(weights)
    height, width = image_shape
    if weights.ndim != 2 or weights.shape[0] != height * width or weights.shape[1] == 0:
        raise ValueError(
            f"weights of shape {weights.shape} do not fit images of {height} x {width}:"
            f" ({height * width}, units) do"
        )
    units = min(weights.shape[1], most)
    weights = weights[:, :units]
    if limit is None:
        limit = weight_limit(weights)
    scale = scale or _enlargement(height, width)
    columns = _columns(units, height, width)
    rows = -(-units // columns)

    # Paint with indices into a table of colours; index 255 is the gap.
    gap = max(2, scale * max(height, width) // 20)
    down, across = height * scale + gap, width * scale + gap
    index = np.full((rows * columns, down, across), 255, dtype=np.uint8)
    tiles = diverging_index(weights.T, limit).reshape(units, height, width)
    index[:units, :-gap, :-gap] = tiles.repeat(scale, axis=1).repeat(scale, axis=2)
    # (rows, columns, down, across) -> (rows * down, columns * across)
    sheet = index.reshape(rows, columns, down, across).swapaxes(1, 2)
    flat = sheet.reshape(rows * down, columns * across)
    # np.take on whole colours of four bytes is ten times as quick as indexing rows of four.
    colors = _grid_colors()
    picture = np.take(colors, flat[:-gap, :-gap])
    return picture.view(np.uint8).reshape(*picture.shape, 4)


def describe_weights(weights: ArrayLike, *, most: int = 64) -> str:
    """Say in one sentence what `weight_grid` shows.

    >>> describe_weights([[0.5, -1.0], [0.25, 0.0]])
    'Incoming weights of 2 units as pictures, blue below and red above zero, up to 0.5 in size.'
    """
    weights = np.asarray(weights)
    units = weights.shape[1]
    which = f"the first {most} of {units:,} units" if units > most else f"{units} units"
    return (
        f"Incoming weights of {which} as pictures, blue below and red above zero,"
        f" up to {weight_limit(weights[:, :most]):.2g} in size."
    )


def digit_tiles(
    images: ArrayLike,
    *,
    image_shape: tuple[int, int] | None = None,
    pixel_max: float = 255,
    size: int = TILE,
) -> list[str]:
    """Thumbnails of digits as PNG data URIs, dark ink on light paper, enlarged pixel by pixel.

    Args:
        images: Shape (n, height, width), or (n, features) with `image_shape`; 0 is paper.
        image_shape: (height, width) of one picture.
        pixel_max: The value that is full ink.
        size: Pixels that the longer side comes close to, by a whole factor.

    Raises:
        ValueError: The images cannot be read as pictures of that shape.
    """
    pixels = np.asarray(images)
    if pixels.ndim == 2 and image_shape is not None:
        if pixels.shape[1] != image_shape[0] * image_shape[1]:
            raise ValueError(
                f"images of {pixels.shape[1]} pixels are not {image_shape[0]} x {image_shape[1]}"
            )
        pixels = pixels.reshape(-1, *image_shape)
    if pixels.ndim != 3:
        raise ValueError(f"images must be (n, height, width), not {pixels.shape}")
    if pixels.dtype != np.uint8 or pixel_max != 255:
        ink = np.nan_to_num(pixels.astype(np.float32) * np.float32(255 / pixel_max))
        pixels = np.rint(np.clip(ink, 0, 255)).astype(np.uint8)
    scale = max(1, round(size / max(pixels.shape[1:])))
    pixels = pixels.repeat(scale, axis=1).repeat(scale, axis=2)
    return [_data_uri(_palette_png(image, _ink_palette())) for image in pixels]


def png(picture: NDArray[np.uint8]) -> bytes:
    """A picture as a PNG file: (height, width), (height, width, 3) or (height, width, 4)."""
    channels = picture.shape[2] if picture.ndim == 3 else 1
    color_type = {1: 0, 3: 2, 4: 6}[channels]
    return _png_file(picture, color_type, b"")


def data_uri(picture: NDArray[np.uint8]) -> str:
    """A picture as a PNG data URI, to be put where an address of an image goes."""
    return _data_uri(png(picture))


def _enlargement(height: int, width: int) -> int:
    return max(1, round(TILE / max(height, width)))


def _columns(units: int, height: int, width: int) -> int:
    """Columns of a grid that is wider than high, with as few places left empty as can be."""

    def merit(columns: int) -> tuple[int, float]:
        rows = -(-units // columns)
        shape = columns * width / (rows * height)
        too_extreme = 0 if 1.2 <= shape <= 4.2 or units <= 2 else units
        return rows * columns - units + too_extreme, abs(np.log(shape / 2.5))

    return min(range(1, units + 1), key=merit)


@functools.cache
def _grid_colors() -> NDArray[np.uint32]:
    """The diverging colours, opaque, and a transparent one at 255, four bytes each."""
    table = np.zeros((256, 4), dtype=np.uint8)
    table[:255, :3] = diverging_ramp()
    table[:255, 3] = 255
    return table.view(np.uint32).ravel()


@functools.cache
def _ink_palette() -> bytes:
    """From paper (0) to ink (255), three bytes each."""
    ink = np.linspace(0, 1, 256)[:, None]
    mixed = rgb(PAPER) * (1 - ink) + rgb(INK_ON_LIGHT) * ink
    return np.rint(mixed * 255).astype(np.uint8).tobytes()


def _palette_png(indices: NDArray[np.uint8], palette: bytes) -> bytes:
    return _png_file(indices, 3, palette)


def _png_file(pixels: NDArray[np.uint8], color_type: int, palette: bytes) -> bytes:
    """A PNG file of 8 bits a channel: https://www.w3.org/TR/png-3/, chunks IHDR, PLTE, IDAT, IEND.

    Written here because that takes one page and half the time of an imaging library.
    """
    height, width = pixels.shape[:2]
    # Each row begins with the number of its filter: 0, none.
    rows = np.zeros((height, 1 + pixels[0].size), dtype=np.uint8)
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, color_type, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 1)), (b"IEND", b"")]
    if palette:
        chunks.insert(1, (b"PLTE", palette))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def _data_uri(file: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(file).decode("ascii")
