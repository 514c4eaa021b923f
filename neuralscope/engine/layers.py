"""The dense layer: every unit sees every input.

    z = x @ weight + bias        (batch, in) @ (in, out) + (out,) -> (batch, out)
    a = f(z)                     element by element

    x ──> [ weight, bias ] ── z ──> [ f ] ── a ──> next layer

A layer owns no memory: its weight and bias, and their gradients, are views into the network's two
flat vectors, and where results go is said by the caller.
"""

from __future__ import annotations

import numpy as np

from neuralscope.engine.activations import Activation
from neuralscope.engine.arrays import Array

FEW_EXAMPLES = 64
WIDE = 256
"""A batch of up to so many in a layer of so many inputs and units: see `Dense.backward`."""


class Dense:
    """A fully connected layer.

    Attributes:
        weight: (in, out), a view into the network's parameters.
        bias: (out,), likewise.
        weight_grad: dL/dweight of the last backward pass, a view into the network's gradient.
        bias_grad: dL/dbias, likewise.
        activation: The function f.
    """

    def __init__(
        self, n_in: int, n_out: int, activation: Activation, parameters: Array, gradient: Array
    ) -> None:
        """Lay the layer over its stretch of the flat vectors.

        Args:
            n_in: Number of inputs.
            n_out: Number of units.
            activation: The function f.
            parameters: (n_in * n_out + n_out,), this layer's stretch of the parameters.
            gradient: The same stretch of the gradient.
        """
        n_weights = n_in * n_out
        self.activation = activation
        self.weight = parameters[:n_weights].reshape(n_in, n_out)
        self.bias = parameters[n_weights:]
        self.weight_grad = gradient[:n_weights].reshape(n_in, n_out)
        self.bias_grad = gradient[n_weights:]

    @staticmethod
    def n_parameters(n_in: int, n_out: int) -> int:
        """Return how many numbers a layer of this shape learns."""
        return n_in * n_out + n_out

    def forward(self, x: Array, *, out: Array, scratch: Array) -> Array:
        """Compute a = f(x @ weight + bias).

        Args:
            x: (batch, in).
            out: (batch, out), receives and returns `a`.
            scratch: (batch, out), work space.
        """
        z = np.matmul(x, self.weight, out=out)  # (batch, in) @ (in, out) -> (batch, out)
        np.add(z, self.bias, out=z)
        self.activation.apply(z, scratch)
        return z

    def backward(
        self, x: Array, delta: Array, *, dx: Array | None, scratch: Array | None = None
    ) -> None:
        """Turn dL/dz into the gradients of weight and bias, and of the input.

        From z = x @ weight + bias, summed over the batch (the loss has divided by its size):

            dL/dweight = x^T @ delta      dL/dbias = sum of delta      dL/dx = delta @ weight^T

        Args:
            x: (batch, in), the input of the forward pass.
            delta: (batch, out), dL/dz.
            dx: (batch, in), receives dL/dx; None for the first layer, which has nobody to tell.
            scratch: (batch, in), contiguous, work space; needed with `dx`.
        """
        np.matmul(x.T, delta, out=self.weight_grad)  # (in, batch) @ (batch, out) -> (in, out)
        np.add.reduce(delta, axis=0, out=self.bias_grad)
        if dx is None:
            return
        assert scratch is not None
        if len(delta) <= FEW_EXAMPLES and min(self.weight.shape) >= WIDE:
            # The same transposed, weight @ delta^T. BLAS brings what it multiplies into an order of
            # its own, which takes it long for a large weight^T; to turn the result takes less.
            turned = scratch.reshape(dx.shape[::-1])
            np.matmul(self.weight, delta.T, out=turned)  # (in, out) @ (out, batch) -> (in, batch)
            np.copyto(dx, turned.T)
        else:
            np.matmul(delta, self.weight.T, out=dx)  # (batch, out) @ (out, in) -> (batch, in)
