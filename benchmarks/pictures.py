"""The 60,000 pictures that every contestant learns."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.rows import N_CLASSES, N_FEATURES
from neuralscope.data import is_cached, load_dataset

N_PICTURES = 60_000
SHARE_OF_INK = 0.19


class Pictures(NamedTuple):
    """Pixels (n, 784) `uint8` from 0 to 255, and labels (n,) `int64`."""

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]

    def first(self, share: float) -> Pictures:
        """Return the first of them, this share of all."""
        n = round(share * len(self.labels))
        return Pictures(self.pixels[:n], self.labels[:n])

    def scaled(self) -> npt.NDArray[np.float32]:
        """Return the pixels as `float32` from 0 to 1, as the other libraries want them."""
        return np.multiply(self.pixels, np.float32(1 / 255), dtype=np.float32)


def real_pictures_are_here() -> bool:
    """Return whether MNIST can be loaded without a network."""
    return is_cached("mnist")


@cache
def pictures() -> Pictures:
    """Return the training part of MNIST, or made-up pixels with as much ink where it is missing."""
    if real_pictures_are_here():
        mnist = load_dataset("mnist")
        return Pictures(
            np.concatenate([mnist.x_train, mnist.x_validation]),
            np.concatenate([mnist.y_train, mnist.y_validation]),
        )
    rng = np.random.default_rng(0)
    pixels = rng.integers(1, 256, (N_PICTURES, N_FEATURES), dtype=np.uint8)
    pixels[rng.random(pixels.shape, dtype=np.float32) >= SHARE_OF_INK] = 0
    return Pictures(pixels, rng.integers(0, N_CLASSES, N_PICTURES))
