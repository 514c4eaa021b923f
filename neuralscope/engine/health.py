"""Health: is each layer learning, and with what part of its units?

A loss curve that will not fall does not say where the trouble is. Five numbers a layer do, taken
once an epoch; with weight W, its gradient G and the last step's change dW, all (in, out):

    gradient_norm   ||G||                 near zero: nothing reaches this layer
    weight_norm     ||W||                 growing without end: the steps do not settle
    update_ratio    ||dW|| / ||W||        how far one step moves the weights; about 1e-3 is usual
    dead            share of hidden units that never fire: relu and leaky relu, output <= 0 always
    saturated       share of hidden units stuck where tanh or sigmoid is flat

||.|| is the Frobenius norm, sqrt(sum of squares). Biases are left out everywhere: they begin at
zero, so that for them a ratio would mean nothing. Norms and changes are those of the epoch's last
step; units are counted on the sample of training examples that is measured at its end anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from neuralscope.engine.arrays import Array
from neuralscope.engine.network import Network

ENDS: dict[str, tuple[float, float]] = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}
"""The two ends of the activations that have some."""

NEAR_END = 0.01
"""Part of the range between the ends that counts as being at one of them."""

MOSTLY = 0.95
"""Part of the examples on which a saturated unit is at an end."""

BLOCK = 8_192
"""Numbers squared in one go."""

LARGEST = float(np.finfo(np.float64).max)
"""Stands for what is no finite number."""


def at_end(a: Array, activation: str) -> npt.NDArray[np.bool_]:
    """Return where a tanh or sigmoid unit's output (n, units) is near one of its ends."""
    low, high = ENDS[activation]
    margin = NEAR_END * (high - low)
    near: npt.NDArray[np.bool_] = (a <= low + margin) | (a >= high - margin)
    return near


class LayerHealth(NamedTuple):
    """How a layer is doing at the end of an epoch. All plain finite numbers.

    Attributes:
        gradient_norm: Of the weights' gradient in the last step, as it came out of
            backpropagation: penalties are part of it, clipping has not shortened it.
        weight_norm: Of the weights after that step.
        update_ratio: Norm of the change that the step made, over the norm of the weights before
            or after it, whichever is larger: 0 (nothing moves) to 2 (all signs turn).
        dead: Share of the units that fire on no example of the sample, 0 to 1; relu, leaky relu.
        saturated: Share of the units at an end on nearly all of it, 0 to 1; tanh, sigmoid.
    """

    gradient_norm: float
    weight_norm: float
    update_ratio: float
    dead: float
    saturated: float


class Checkup:
    """Takes the health of a network: around a step, and while a sample runs through it.

    Attributes:
        last_step: (gradient_norm, weight_norm, update_ratio) of each layer in the step that was
            looked at last; empty before the first.
    """

    def __init__(self, network: Network) -> None:
        """Make all memory that it takes; nothing is looked at yet."""
        self.last_step: list[tuple[float, float, float]] = []
        self._network = network
        self._before: Array = np.empty_like(network.parameters)
        self._gradient_norms: list[float] = []
        self._work = np.empty((2, min(BLOCK, len(network.parameters))), np.float64)
        # For each hidden unit, in how many parts of the sample it fired; of tanh and sigmoid, on
        # how many examples it was at an end.
        self._counts = [np.zeros(n, np.int64) for n in network.sizes[1:-1]]
        self._n_examples = 0

    def before_step(self) -> None:
        """Look at the gradient, which the optimizer will use up, and remember the weights."""
        self._gradient_norms = [self._norm(layer.weight_grad) for layer in self._network.layers]
        np.copyto(self._before, self._network.parameters)

    def after_step(self) -> None:
        """Look at what the step has done to the weights."""
        self.last_step = []
        start = 0
        for layer, gradient_norm in zip(self._network.layers, self._gradient_norms, strict=True):
            before = self._before[start : start + layer.weight.size].reshape(layer.weight.shape)
            start += layer.weight.size + layer.bias.size
            change, now = self._norm(layer.weight, before), self._norm(layer.weight)
            size = max(now, self._norm(before))
            ratio = _finite(change / size) if size else 0.0  # nothing has become nothing
            self.last_step.append((gradient_norm, now, ratio))

    def begin_sample(self) -> None:
        """Forget the examples seen; a new sample is coming."""
        self._n_examples = 0
        for counts in self._counts:
            counts.fill(0)

    def see(self, outputs: Sequence[Array]) -> None:
        """Count the units on a part of the sample.

        Args:
            outputs: For each layer (n, units), what it makes of these examples.
        """
        self._n_examples += len(outputs[0])
        hidden = zip(self._network.activation, outputs, self._counts, strict=False)
        for activation, a, counts in hidden:
            if activation in ENDS:
                counts += np.add.reduce(at_end(a, activation), axis=0, dtype=np.int64)
            else:
                counts += np.logical_or.reduce(a > 0, axis=0)

    def result(self) -> tuple[LayerHealth, ...]:
        """Return the health of each layer; nothing if no step has been looked at."""
        found = []
        for i, norms in enumerate(self.last_step):
            dead = saturated = 0.0
            if i < len(self._counts):  # the output layer's units are classes, not detectors
                counts = self._counts[i]
                if self._network.activation[i] in ENDS:
                    saturated = float((counts / self._n_examples >= MOSTLY).mean())
                else:
                    dead = float((counts == 0).mean())
            found.append(LayerHealth(*norms, dead, saturated))
        return tuple(found)

    def _norm(self, values: Array, other: Array | None = None) -> float:
        """Return ||values|| or ||values - other||, in float64 but without a copy of them all."""
        squares = 0.0
        flat = values.reshape(-1)
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(flat), BLOCK):
                block = flat[start : start + BLOCK]
                work, subtrahend = self._work[:, : len(block)]
                np.copyto(work, block)
                if other is not None:
                    np.copyto(subtrahend, other.reshape(-1)[start : start + BLOCK])
                    np.subtract(work, subtrahend, out=work)
                squares += float(np.dot(work, work))
        return _finite(sqrt(squares)) if squares == squares else LARGEST


def _finite(value: float) -> float:
    """Return a number that can be stored and compared, however far a training has run away."""
    return value if isfinite(value) else LARGEST
