"""Data augmentation: training digits that are distorted anew every time they are seen.

A 7 that stands a little askew is still a 7. Distortions that keep the meaning turn 60,000 digits
into as many more as there are epochs to see them in, and a network that never sees the same pixels
twice cannot learn them by heart.

Every pixel of a distorted digit is fetched from a place of the original that is near by:

    distorted[y, x] = original at position(y, x)          between pixels: bilinear interpolation

    position(y, x) = (y, x) mapped affinely               shift, rotation, scaling, shear
                   + alpha * (gaussian * noise)[y, x]     elastic; the star is a convolution

The affine map is drawn for each digit, and so are two pictures of noise, one for each direction,
uniform in [-1, 1] at every pixel. Smoothed with a Gaussian of standard deviation sigma, the noise
moves neighbouring pixels together, as a trembling hand does; alpha says how far.

Source: P. Y. Simard, D. Steinkraus and J. C. Platt, "Best practices for convolutional neural
networks applied to visual document analysis", ICDAR 2003.

What makes it quick enough to cost less than the training itself:

- The smoothed noise and the affine map together are one product of three matrices: `Distortion`.
- Positions are whole multiples of 1/256 of a pixel, and the four pixels around a place are kept in
  one number of 32 bits: fetched at once, and interpolated two by two.
- It works on many digits at once, in memory that is made once: no call allocates anything large.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Augment = Callable[[Pixels, np.random.Generator], Pixels]
"""Distorts pixels (n, features), each example in a way of its own; returns new ones."""

UNIT: Final = 256
"""Positions within a pixel. 255 * 256 is the largest product that two lanes of 16 bits can hold."""

BLOCK: Final = 100_352
"""Pixels worked on at a time: 128 digits of 28 x 28. Fewer would take longer each, for a call of
NumPy has its price; more would need more memory and gain nothing."""

MOST_SIZES: Final = 4
"""Numbers of pictures that memory is kept for, 6 MB for a full block. An epoch has three at most: a
full block, the rest of a batch, and that of the short batch at its end."""

SIDE: Final = 28
"""Side of the pictures for which strengths are given."""


@dataclass(frozen=True)
class Strengths:
    """How far digits may be distorted; lengths are in pixels of a picture of 28 x 28.

    Attributes:
        shift: Most pixels that a digit moves in each direction.
        rotation: Most degrees that it turns, either way.
        scaling: Largest share by which it grows or shrinks, height and width each by its own.
        shear: Largest slant: how far a row moves sideways against the row above it.
        alpha: What the smoothed noise is multiplied with; 0 is no elastic distortion.
        sigma: Standard deviation of the Gaussian that smooths it.
    """

    shift: float = 0.0
    rotation: float = 0.0
    scaling: float = 0.0
    shear: float = 0.0
    alpha: float = 0.0
    sigma: float = 4.0


SHIFT: Final = Strengths(shift=2)
AFFINE: Final = Strengths(shift=1, rotation=10, scaling=0.1, shear=0.1)
# Without shift and shear: the smoothed noise moves and slants what it is added to anyway.
ELASTIC: Final = Strengths(rotation=10, scaling=0.1, alpha=34, sigma=4)


def for_shape(strengths: Strengths, image_shape: tuple[int, int]) -> Strengths:
    """Return the strengths that distort pictures of this shape as much, seen from afar.

    Lengths grow with the side s of the picture, the square root of its number of pixels. The
    displacement that alpha makes is alpha / sigma times the noise (the mean of noise under a
    Gaussian shrinks as 1 / sigma), so alpha grows with s squared.
    """
    scale = math.sqrt(image_shape[0] * image_shape[1]) / SIDE
    return replace(
        strengths,
        shift=strengths.shift * scale,
        alpha=strengths.alpha * scale**2,
        sigma=strengths.sigma * scale,
    )


def gaussian_matrix(n: int, sigma: float) -> NDArray[np.float64]:
    """Return the matrix (n, n) that smooths n numbers with a Gaussian; beyond them lie zeros.

    Row i holds exp(-(i - j)^2 / (2 sigma^2)), divided by its sum over all whole numbers j up to
    four sigma away, whether they are among the n or not.
    """
    reach = int(4 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    distance = np.subtract.outer(np.arange(n), np.arange(n))
    matrix: NDArray[np.float64] = np.exp(-0.5 * (distance / sigma) ** 2) / weights.sum()
    matrix[np.abs(distance) > reach] = 0
    return matrix


def draw_maps(n: int, strengths: Strengths, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return an affine map for each of n digits, (2, 3, n).

    A pixel at (y, x), counted from the middle of the distorted picture, is fetched from

        maps[:, 0] * y + maps[:, 1] * x + maps[:, 2]

    from the middle of the original. The matrix is rotation times (scaling and shear):

        | cos  -sin |   | height  0     |
        | sin   cos | * | shear   width |
    """
    angle, height, width, shear, *shifts = rng.uniform(-1, 1, (6, n))
    angle *= math.radians(strengths.rotation)
    height, width = 1 + strengths.scaling * height, 1 + strengths.scaling * width
    shear *= strengths.shear
    cos, sin = np.cos(angle), np.sin(angle)
    maps = np.empty((2, 3, n))
    maps[0, :2] = cos * height - sin * shear, -sin * width
    maps[1, :2] = sin * height + cos * shear, cos * width
    maps[:, 2] = strengths.shift * np.array(shifts)
    return maps


def draw_noise(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.int8]:
    """Return noise of this shape, uniform over the 128 odd numbers from -127 to 127.

    Divided by 128 it is uniform in [-1, 1], in steps that nobody sees once it is smoothed, its mean
    is 0 and its variance 1/3, and eight numbers are drawn at once: a tenth of the time of floats.
    """
    n = math.prod(shape)
    words = rng.integers(0, 2**64 - 1, -(-n // 8), dtype=np.uint64, endpoint=True)
    words |= np.uint64(0x0101_0101_0101_0101)
    return words.view(np.int8)[:n].reshape(shape)


class Distortion:
    """Distorts a fixed number of pictures as it is told, without drawing anything.

    The rows that a picture's pixels are fetched from (and likewise the columns) are a matrix
    (height, width), and a product of three. With y and x counted from the middle, and G the
    Gaussian:

                    | a  c  0     |   | 1 |
        [ 1  y  G ] | b  0  0     | * | x |   =   a + b y + c x + G noise G
                    | 0  0  noise |   | G |
    """

    def __init__(
        self, image_shape: tuple[int, int], n: int, *, alpha: float = 0.0, sigma: float = 4.0
    ) -> None:
        """Make room for n pictures; alpha and sigma are in pixels of these pictures."""
        height, width = image_shape
        # Noise is in 1/128, positions are in 1/UNIT of a pixel.
        gain = alpha * UNIT / 128
        self._left = _basis(height, sigma, gain)
        self._right = np.ascontiguousarray(_basis(width, sigma, 1.0 if gain else 0.0).T)
        self._factors = np.zeros((2, n, self._left.shape[1], len(self._right)), np.float32)
        self._half = np.empty((2, n, height, len(self._right)), np.float32)
        self._positions = np.empty((2, n, height, width), np.float32)
        self._whole = np.empty((2, n, height, width), np.int32)

        # A blank pixel all around each picture; the one right of a row is left of the next.
        self._stride = width + 2
        n_padded = (height + 2) * self._stride
        self._padded = np.zeros(n * n_padded + self._stride + 1, np.uint16)
        self._inside = self._padded[: n * n_padded].reshape(n, height + 2, -1)[:, 1:-1, 1:-1]
        self._pairs = np.empty(len(self._padded) - 1, np.uint16)
        self._squares = np.empty(n * n_padded, np.uint32)

        shape = (n, height, width)
        self._first = (np.arange(n, dtype=np.int32) * n_padded).reshape(n, 1, 1)
        self._index = np.empty(shape, np.intp)
        # Memory that is done with is used again: the less of it, the more of it is in the cache.
        self._lanes: list[NDArray[np.uint32]] = [
            *self._positions.view(np.uint32),
            *np.empty((2, *shape), np.uint32),
        ]
        self._place, self._column = (lane.view(np.int32) for lane in self._lanes[:2])

    def __call__(
        self,
        pixels: Pixels,
        maps: NDArray[np.floating[Any]],
        noise: NDArray[np.int8] | None,
        out: Pixels,
    ) -> None:
        """Distort pictures.

        Args:
            pixels: (n, features).
            maps: (2, 3, n), see `draw_maps`.
            noise: (2, n, height, width) for y and x, in 1/128; None is none.
            out: (n, features), filled with the distorted pictures.
        """
        self._find_positions(maps, noise)
        self._keep_squares(pixels)
        out.reshape(self._index.shape)[...] = self._interpolated()

    def _find_positions(
        self, maps: NDArray[np.floating[Any]], noise: NDArray[np.int8] | None
    ) -> None:
        """Fill `_whole` with the positions in 1/UNIT of a pixel, counted in the padded picture."""
        factors, positions = self._factors, self._positions
        farthest = [size + 1 for size in positions.shape[2:]]
        factors[:, :, 1, 0] = UNIT * maps[:, 0]
        factors[:, :, 0, 1] = UNIT * maps[:, 1]
        # Fractions are cut off below; with a half more, that is rounding.
        factors[:, :, 0, 0] = UNIT * (maps[:, 2] + np.array(farthest)[:, None] / 2) + 0.5
        if noise is not None:
            factors[:, :, 2:, 2:] = noise
        np.matmul(self._left, factors, out=self._half)
        np.matmul(self._half, self._right, out=positions)
        for position, end in zip(positions, farthest, strict=True):
            np.clip(position, 0, UNIT * end, out=position)  # farther out is as blank as the padding
        np.copyto(self._whole, positions, casting="unsafe")

    def _keep_squares(self, pixels: Pixels) -> None:
        """Fill `_squares`: each pixel, right of it, below it and right of that, 8 bits each."""
        self._inside[...] = pixels.reshape(self._index.shape)
        np.left_shift(self._padded[1:], 8, out=self._pairs)
        np.bitwise_or(self._pairs, self._padded[:-1], out=self._pairs)
        np.copyto(self._squares, self._pairs[self._stride :])
        np.left_shift(self._squares, 16, out=self._squares)
        np.bitwise_or(self._squares, self._pairs[: -self._stride], out=self._squares)

    def _interpolated(self) -> NDArray[np.uint32]:
        """Return the grey levels (n, height, width) at the positions.

        A word holds the upper pixel in its low and the lower pixel in its high half, so that one
        multiplication does for both; a half holds 255 * UNIT at most and never overflows.
        """
        y, x = self._whole
        np.right_shift(y, 8, out=self._place)
        np.multiply(self._place, self._stride, out=self._place)
        np.right_shift(x, 8, out=self._column)
        np.add(self._place, self._column, out=self._place)
        np.add(self._place, self._first, out=self._place)
        np.copyto(self._index, self._place)

        left, right, result, part = self._lanes
        # 'clip' spares NumPy a safety copy of the output; the indices are in range.
        self._squares.take(self._index, out=left, mode="clip")
        np.right_shift(left, 8, out=right)
        np.bitwise_and(left, 0x00FF_00FF, out=left)
        np.bitwise_and(right, 0x00FF_00FF, out=right)
        np.bitwise_and(x.view(np.uint32), UNIT - 1, out=part)
        _interpolate(left, right, part, result)

        upper, lower = left, right
        np.bitwise_and(result, 0xFFFF, out=upper)
        np.right_shift(result, 16, out=lower)
        np.bitwise_and(y.view(np.uint32), UNIT - 1, out=part)
        _interpolate(upper, lower, part, result)
        # Full weight is now UNIT * UNIT, 16 bits; with a half more, cutting them off is rounding.
        np.add(result, UNIT * UNIT // 2, out=result)
        return np.right_shift(result, 16, out=result)


def _basis(n: int, sigma: float, gain: float) -> NDArray[np.float32]:
    """Return the columns [1, position from the middle, gain * Gaussian], (n, 2) without gain."""
    position = np.arange(n) - (n - 1) / 2
    columns = [np.ones((n, 1)), position[:, None]]
    if gain:
        columns.append(gain * gaussian_matrix(n, sigma))
    return np.hstack(columns).astype(np.float32)


def _interpolate(
    low: NDArray[np.uint32],
    high: NDArray[np.uint32],
    part: NDArray[np.uint32],
    out: NDArray[np.uint32],
) -> None:
    """Fill `out` with (UNIT - part) low + part high; writes over `high`."""
    np.subtract(high, low, out=high)
    np.multiply(high, part, out=high)
    np.left_shift(low, 8, out=out)
    np.add(out, high, out=out)


class Augmentation:
    """Distorts digits at random. Make one for each training: it keeps the memory it works in."""

    def __init__(self, image_shape: tuple[int, int], strengths: Strengths) -> None:
        """Prepare for pictures of one shape.

        Args:
            image_shape: Rows and columns of a picture.
            strengths: How far they may be distorted, were they 28 x 28.

        Raises:
            ValueError: A picture has no pixels.
        """
        height, width = image_shape
        if min(height, width) < 1:
            raise ValueError(f"pictures have rows and columns, not {height} x {width}")
        self._shape = height, width
        self._strengths = for_shape(strengths, self._shape)
        self._block = max(1, BLOCK // (height * width))
        self._by_size: dict[int, Distortion] = {}

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Pixels:
        """Return the pictures, each distorted in a way of its own.

        Args:
            pixels: (n, features), uint8; 0 is blank.
            rng: Draws all distortions.

        Raises:
            ValueError: These are no pixels of such pictures.
        """
        features = math.prod(self._shape)
        if pixels.ndim != 2 or pixels.shape[1] != features or pixels.dtype != np.uint8:
            raise ValueError(
                f"pixels are uint8 of shape (n, {features}), not {pixels.dtype} of {pixels.shape}"
            )
        maps = draw_maps(len(pixels), self._strengths, rng)
        out = np.empty(pixels.shape, np.uint8)
        for start in range(0, len(pixels), self._block):
            part = slice(start, start + self._block)
            n = len(pixels[part])
            noise = draw_noise((2, n, *self._shape), rng) if self._strengths.alpha else None
            self._distortion(n)(pixels[part], maps[:, :, part], noise, out[part])
        return out

    def _distortion(self, n: int) -> Distortion:
        """Return the one for n pictures; only the last block of a batch is not full."""
        if n not in self._by_size:
            if len(self._by_size) >= MOST_SIZES:
                self._by_size.clear()
            self._by_size[n] = Distortion(
                self._shape, n, alpha=self._strengths.alpha, sigma=self._strengths.sigma
            )
        return self._by_size[n]


Factory = Callable[[tuple[int, int]], Augment | None]

AUGMENTATIONS: dict[str, Factory] = {
    "none": lambda image_shape: None,
    "shift": lambda image_shape: Augmentation(image_shape, SHIFT),
    "affine": lambda image_shape: Augmentation(image_shape, AFFINE),
    "elastic": lambda image_shape: Augmentation(image_shape, ELASTIC),
}
"""By name: makes the augmentation for pictures of a shape; None where nothing is distorted."""


def variants(
    digit: Pixels, image_shape: tuple[int, int], name: str, *, n: int = 8, seed: int = 0
) -> Pixels:
    """Return n pictures (n, features) that an augmentation makes of one digit (features,).

    The same seed gives the same pictures.
    """
    copies = np.repeat(digit[None], n, axis=0)
    augment = AUGMENTATIONS[name](image_shape)
    return copies if augment is None else augment(copies, np.random.default_rng(seed))
