"""Blank inputs: what is zero in a whole batch takes no part in it.

A written digit leaves most of its picture empty: in 64 digits of MNIST some 290 of the 784 pixels
have no ink at all. Whatever the weights of such an input are,

    z = x @ weight + bias        it adds nothing to z
    dL/dweight = x^T @ delta     and their gradient is zero

so the first layer can be computed with the other inputs alone. The same is learned, and a third of
what are often the largest products is saved:

    inputs with ink      1     3 4
    weight          [ w0 w1 w2 w3 w4 w5 ] ── narrow ──> [ w1 w3 w4 ]  ── forward ──┐
    weight_grad     [ 0  g1 0  g3 g4 0  ] <── spread ── [ g1 g3 g4 ] <── backward ─┘
"""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt

from neuralscope.engine.arrays import Array, Indices, Pixels
from neuralscope.engine.layers import Dense

MOST_INKED = 0.85
"""Share of the inputs with ink up to which the others are left out."""

FEWEST_UNITS = 64
LEAST_WORK = 3e6
"""Floating-point operations of a product. Below these, finding and sorting the inputs takes longer
than what it saves."""

MOST_WEIGHTS = 1_200_000
"""Above these, two copies of the weights take as long: they no longer fit the cache."""


def are_worth_leaving_out(batch_size: int, n_in: int, n_out: int) -> bool:
    """Return whether blank inputs are worth looking for in batches of this size.

    Args:
        batch_size: Examples.
        n_in: Inputs of the first layer.
        n_out: Its units.
    """
    work = 2 * batch_size * n_in * n_out
    return n_out >= FEWEST_UNITS and n_in * n_out <= MOST_WEIGHTS and work >= LEAST_WORK


def inked(pixels: Pixels) -> Indices | None:
    """Return which inputs are not blank, (k,), rising; None where next to all of them are not.

    Args:
        pixels: (batch, inputs).

    >>> inked(np.array([[0, 0, 7, 0], [0, 0, 9, 1]], np.uint8))
    array([2, 3])
    """
    (inputs,) = np.maximum.reduce(pixels, axis=0, initial=0).nonzero()
    return inputs if len(inputs) <= MOST_INKED * pixels.shape[1] else None


class Narrowing:
    """The memory in which the first layer is computed with some of its inputs."""

    def __init__(self, n_in: int, n_out: int, dtype: npt.DTypeLike) -> None:
        """Make room for a layer of this shape."""
        self._memory: Array = np.empty((n_in + 1, n_out), dtype)
        self._row = np.empty(n_in, np.intp)
        self._numbers = np.arange(n_in)

    def narrow(self, layer: Dense, inputs: Indices) -> Dense:
        """Return the layer for examples that consist of these inputs alone.

        Its weights are copies. Its `weight_grad` lies where they do: when the gradient is written
        nobody needs them any more, for nobody asks a first layer for dL/dx. The bias and its
        gradient are the layer's own.

        Args:
            layer: (in, out), the first of a network.
            inputs: (k,), each below in.
        """
        narrow = copy.copy(layer)
        weight = self._memory[: len(inputs)]
        # 'clip' spares NumPy a safety copy of the output; the numbers are ours and in range.
        layer.weight.take(inputs, axis=0, out=weight, mode="clip")
        narrow.weight = narrow.weight_grad = weight
        return narrow

    def spread_gradient(self, layer: Dense, inputs: Indices) -> None:
        """Write the gradient of the narrow layer's weights into the layer, and zero elsewhere.

        Args:
            layer: What was narrowed.
            inputs: To which inputs.
        """
        # Row by row of the layer: which row of the narrow gradient it gets, or the row of zeros.
        # One pass, where clearing the gradient first would take two.
        k = len(inputs)
        self._memory[k] = 0
        self._row.fill(k)
        self._row[inputs] = self._numbers[:k]
        self._memory[: k + 1].take(self._row, axis=0, out=layer.weight_grad, mode="clip")
