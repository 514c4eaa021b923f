"""Minibatches: a few examples at a time, in a new order every epoch.

The gradient of a small random batch points roughly where that of the whole training set does, at
a hundredth of the price. Every epoch shuffles the examples (not just the batches), visits each of
them once, and keeps the short batch at the end.

Pixels stay `uint8` in memory, a quarter of what they would take as float32; a batch is gathered
and scaled to [0, 1] when its turn comes. Inputs may be floating-point numbers too, of any range.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

from neuralscope.engine import blanks
from neuralscope.engine.arrays import Array, Indices, Labels, Pixels

Augment = Callable[[Pixels, np.random.Generator], Pixels]
"""Makes new examples of a batch: (batch, features) in, as many of the same type out."""


@dataclass(frozen=True)
class Examples:
    """Pixels as shipped and their labels; or any other numbers to tell classes apart by.

    Attributes:
        pixels: (n, features), uint8; or floating-point numbers, best of the network's type.
        labels: (n,), the true classes.
        scale: Pixels times this are the network's input in [0, 1]; 1.0 for other numbers.
        weights: (n,), how often each example counts in training, of the network's type and one
            on average; None for once. Measuring counts each example once.
    """

    pixels: Pixels | Array
    labels: Labels
    scale: float
    weights: Array | None = None

    def first(self, n: int) -> Examples:
        """Return the first n of them."""
        weights = None if self.weights is None else self.weights[:n]
        return Examples(self.pixels[:n], self.labels[:n], self.scale, weights)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.labels)


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
    """The memory into which one batch after another is gathered.

    Attributes:
        inked: (k,), which features the last batch has; None for all, which it has unless blank ones
            were to be left out.
    """

    def __init__(
        self,
        n_features: int,
        batch_size: int,
        scale: float,
        dtype: npt.DTypeLike,
        pixel_type: npt.DTypeLike = np.uint8,
        *,
        leaves_out_blanks: bool = False,
    ) -> None:
        """Make room for batches.

        Args:
            n_features: Of an example.
            batch_size: The most examples in a batch.
            scale: Pixels are multiplied by it.
            dtype: Of the network.
            pixel_type: Of what is gathered.
            leaves_out_blanks: Whether features without ink in a batch are left out of it (see
                `blanks`); only where pixels are uint8.
        """
        self.inked: Indices | None = None
        self._x: Array = np.empty((batch_size, n_features), dtype)
        # Inputs that are of the network's type already are gathered where they are wanted.
        self._pixels: npt.NDArray[Any] = (
            self._x
            if self._x.dtype == np.dtype(pixel_type)
            else np.empty((batch_size, n_features), pixel_type)
        )
        self._y = np.empty(batch_size, np.int64)
        self._weights: Array = np.empty(batch_size, dtype)
        self._scale = self._x.dtype.type(scale)
        self._is_scaled = scale != 1
        self._leaves_out_blanks = leaves_out_blanks and self._pixels.dtype == np.uint8
        self._narrow = np.empty(self._pixels.size if self._leaves_out_blanks else 0, np.uint8)

    def gather(
        self,
        pixels: Pixels | Array,
        labels: Labels,
        indices: Indices,
        augment: Augment | None = None,
        augment_rng: np.random.Generator | None = None,
    ) -> tuple[Array, Labels]:
        """Return the examples of these indices, scaled, and their labels; good for one batch.

        `inked` says which features the examples have.

        Args:
            pixels: (n, features), of the `pixel_type`.
            labels: (n,), int64.
            indices: (batch,), each below n.
            augment: Distorts the gathered pixels (batch, features), which it may do in place.
            augment_rng: Draws the distortions; needed where there are any.
        """
        n = len(indices)
        x, y = self._x[:n], self._y[:n]
        rows: npt.NDArray[Any] = x if self._pixels is self._x else self._pixels[:n]
        # 'clip' spares NumPy a safety copy of the output; the indices are ours and in range.
        pixels.take(indices, axis=0, out=rows, mode="clip")
        labels.take(indices, out=y, mode="clip")
        if augment is not None:
            assert augment_rng is not None
            rows = augment(rows, augment_rng)
        if self._leaves_out_blanks:
            self.inked = blanks.inked(rows)
            if self.inked is not None:
                shape = n, len(self.inked)
                x = self._x.reshape(-1)[: n * shape[1]].reshape(shape)
                narrow = self._narrow[: n * shape[1]].reshape(shape)
                rows = rows.take(self.inked, axis=1, out=narrow, mode="clip")
        if rows is not x:
            np.copyto(x, rows)  # faster than to convert and multiply in one call
        if self._is_scaled:
            np.multiply(x, self._scale, out=x)
        return x, y

    def gather_weights(self, weights: Array, indices: Indices) -> Array:
        """Return the weights of the same examples; `weights` (n,) are of the network's type."""
        return weights.take(indices, out=self._weights[: len(indices)], mode="clip")
