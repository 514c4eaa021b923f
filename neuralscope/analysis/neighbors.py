"""The training examples that look most like another one to the network.

Two digits that make the last hidden layer do the same are the same to the network: all it still
does with them is one linear map. So the distance between what they make it do,

    |a(x) - a(x')|        Euclidean, a = output of the last hidden layer

says what the network finds alike. Without hidden layers that is how alike the pixels are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neuralscope.data import scaled
from neuralscope.engine import Network
from neuralscope.engine.arrays import Array

CHUNK = 2_000
CANDIDATES = 50
"""Examples whose distance is computed exactly, after a quick one has chosen them."""


@dataclass(frozen=True, eq=False)
class FeatureSpace:
    """A set of examples as the network sees them.

    Attributes:
        points: (n, units), one row an example; raw pixels if there is no hidden layer.
        squares: (n,), squared length of each point.
        pixel_max: What points must be divided by: the value of full ink, or 1.
    """

    points: npt.NDArray[np.generic]
    squares: npt.NDArray[np.float32]
    pixel_max: int


def features(network: Network, x: npt.ArrayLike) -> Array:
    """Return the output of the last hidden layer, (n, units); x itself if there is none.

    Args:
        network: Only read.
        x: (n, features), in [0, 1].
    """
    given: Array = np.asarray(x, network.dtype)
    return network.activations(given)[-2] if len(network.layers) > 1 else given


def feature_space(network: Network, pixels: npt.NDArray[np.uint8], pixel_max: int) -> FeatureSpace:
    """Run a whole set of examples through the network; seconds for a large one.

    Args:
        network: Only read.
        pixels: (n, features), raw.
        pixel_max: The pixel value that is full ink.
    """
    n = len(pixels)
    squares = np.empty(n, np.float32)
    is_hidden = len(network.layers) > 1
    points: npt.NDArray[np.generic] = (
        np.empty((n, network.sizes[-2]), np.float32) if is_hidden else pixels
    )
    for start in range(0, n, CHUNK):
        rows = slice(start, start + CHUNK)
        if is_hidden:
            points[rows] = features(network, scaled(pixels[rows], pixel_max))
        part = points[rows].astype(np.float32, copy=False)
        squares[rows] = np.einsum("ij,ij->i", part, part)
    return FeatureSpace(points, squares, 1 if is_hidden else pixel_max)


def nearest(
    space: FeatureSpace, point: npt.ArrayLike, most: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Return the examples nearest to a point: their rows and distances, the nearest first.

    Args:
        space: The examples.
        point: (units,), as `features` makes it.
        most: How many.
    """
    full = np.asarray(point, np.float64) * space.pixel_max
    narrow = full.astype(np.float32)
    # |p - q|^2 = |p|^2 - 2 p q + |q|^2, where |q|^2 is the same for all.
    quick = np.empty(len(space.points), np.float32)
    for start in range(0, len(quick), CHUNK):
        rows = slice(start, start + CHUNK)
        part = space.points[rows].astype(np.float32, copy=False)
        quick[rows] = space.squares[rows] - 2 * (part @ narrow)
    # The quick one loses digits where two large numbers nearly cancel: it only chooses.
    n_candidates = min(max(CANDIDATES, 2 * most), len(quick))
    candidates = np.sort(np.argpartition(quick, n_candidates - 1)[:n_candidates])
    difference = space.points[candidates].astype(np.float64) - full
    distances = np.sqrt(np.einsum("ij,ij->i", difference, difference)) / space.pixel_max
    order = np.argsort(distances, kind="stable")[:most]
    return candidates[order], distances[order]
