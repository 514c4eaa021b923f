"""Activation functions: the bend between two linear maps.

Without one, a stack of dense layers would collapse into a single matrix. Each function here turns
the pre-activation `z` into the activation `a`, and knows its own slope for the way back:

    a = f(z)              forward
    dL/dz = dL/da * f'(z) backward

For all of them the slope can be written with `a` alone, so `z` need not be kept:

    relu        a = max(z, 0)              f' = 1 where a > 0, else 0
    leaky_relu  a = max(z, z / 100)        f' = 1 where a > 0, else 1 / 100
    tanh        a = tanh(z)                f' = 1 - a^2
    sigmoid     a = 1 / (1 + exp(-z))      f' = a (1 - a)
    linear      a = z                      f' = 1       (the output layer, before softmax)

Both directions work in place: the inner loop of training allocates nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neuralscope.engine.arrays import Array

LEAK = 0.01


@dataclass(frozen=True)
class Activation:
    """One activation function and its slope.

    Attributes:
        name: Key in `ACTIVATIONS`.
        apply: `apply(z, scratch)` overwrites `z` (batch, units) with f(z).
        backpropagate: `backpropagate(a, delta, scratch)` multiplies `delta` (batch, units), which
            holds dL/da, by f'(z) in place, so that it holds dL/dz.
        initializer: The initialiser made for it, used where 'auto' is asked for.
    """

    name: str
    apply: Callable[[Array, Array], None]
    backpropagate: Callable[[Array, Array, Array], None]
    initializer: str


def _relu(z: Array, scratch: Array) -> None:
    scratch.fill(0)  # NumPy compares with an array twice as fast as with a number
    np.maximum(z, scratch, out=z)


def _relu_slope(a: Array, delta: Array, scratch: Array) -> None:
    np.greater(a, 0, out=scratch, casting="unsafe")  # 1 where the unit fired, else 0
    np.multiply(delta, scratch, out=delta)


def _leaky_relu(z: Array, scratch: Array) -> None:
    np.multiply(z, LEAK, out=scratch)
    np.maximum(z, scratch, out=z)


def _leaky_relu_slope(a: Array, delta: Array, scratch: Array) -> None:
    np.greater(a, 0, out=scratch, casting="unsafe")
    np.maximum(scratch, LEAK, out=scratch)
    np.multiply(delta, scratch, out=delta)


def _tanh(z: Array, scratch: Array) -> None:
    np.tanh(z, out=z)


def _tanh_slope(a: Array, delta: Array, scratch: Array) -> None:
    np.multiply(a, a, out=scratch)
    np.subtract(1, scratch, out=scratch)
    np.multiply(delta, scratch, out=delta)


def _sigmoid(z: Array, scratch: Array) -> None:
    # sigmoid(z) = (1 + tanh(z / 2)) / 2, which cannot overflow as exp(-z) can.
    np.multiply(z, 0.5, out=z)
    np.tanh(z, out=z)
    np.add(z, 1, out=z)
    np.multiply(z, 0.5, out=z)


def _sigmoid_slope(a: Array, delta: Array, scratch: Array) -> None:
    np.subtract(1, a, out=scratch)
    np.multiply(scratch, a, out=scratch)
    np.multiply(delta, scratch, out=delta)


def _linear(z: Array, scratch: Array) -> None:
    pass


def _linear_slope(a: Array, delta: Array, scratch: Array) -> None:
    pass


ACTIVATIONS = {
    "relu": Activation("relu", _relu, _relu_slope, initializer="he"),
    "leaky_relu": Activation("leaky_relu", _leaky_relu, _leaky_relu_slope, initializer="he"),
    "tanh": Activation("tanh", _tanh, _tanh_slope, initializer="glorot"),
    "sigmoid": Activation("sigmoid", _sigmoid, _sigmoid_slope, initializer="glorot"),
}
"""What a hidden layer may use, by name; menus read this."""

LINEAR = Activation("linear", _linear, _linear_slope, initializer="glorot")
"""The output layer's: softmax is part of the loss (see `neuralscope.engine.loss`)."""
