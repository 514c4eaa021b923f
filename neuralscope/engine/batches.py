"""Minibatches: a few examples at a time, in a new order every epoch.

The gradient of a small random batch points roughly where that of the whole training set does, at
a hundredth of the price. Every epoch shuffles the examples (not just the batches), visits each of
them once, and keeps the short batch at the end.

Pixels stay `uint8` in memory, a quarter of what they would take as float32; a batch is gathered
and scaled to [0, 1] when its turn comes.
"""

from __future__ import annotations

from math import ceil

import numpy as np
import numpy.typing as npt

from neuralscope.engine.arrays import Array, Indices, Labels, Pixels


def shuffled(n: int, rng: np.random.Generator) -> Indices:
    """Return the numbers 0 to n - 1 in random order."""
    return rng.permutation(n).astype(np.intp, copy=False)


def count_batches(n: int, batch_size: int) -> int:
    """Return how many batches an epoch over n examples has, the short one included.

    >>> count_batches(100, 32)
    4
    """
    return ceil(n / batch_size)


class Batch:
    """The memory into which one batch after another is gathered."""

    def __init__(
        self, n_features: int, batch_size: int, scale: float, dtype: npt.DTypeLike
    ) -> None:
        """Make room for `batch_size` examples; pixels will be multiplied by `scale`."""
        self._pixels: Pixels = np.empty((batch_size, n_features), np.uint8)
        self._x: Array = np.empty((batch_size, n_features), dtype)
        self._y = np.empty(batch_size, np.int64)
        self._scale = self._x.dtype.type(scale)

    def gather(self, pixels: Pixels, labels: Labels, indices: Indices) -> tuple[Array, Labels]:
        """Return the examples of these indices, scaled, and their labels; good for one batch.

        Args:
            pixels: (n, features), uint8.
            labels: (n,), int64.
            indices: (batch,), each below n.
        """
        n = len(indices)
        rows, x, y = self._pixels[:n], self._x[:n], self._y[:n]
        # 'clip' spares NumPy a safety copy of the output; the indices are ours and in range.
        pixels.take(indices, axis=0, out=rows, mode="clip")
        labels.take(indices, out=y, mode="clip")
        np.copyto(x, rows)  # faster than to convert and multiply in one call
        return np.multiply(x, self._scale, out=x), y
