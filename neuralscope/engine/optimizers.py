"""Optimizers: how a gradient becomes a step, in order of increasing complexity.

Each is its textbook formula on two flat vectors, `parameters` and `grad`, with whatever it
remembers in vectors of the same length (its `state`, part of every snapshot). All arithmetic is in
place; `grad` serves as work space and is used up.

    sgd       p -= lr g
    momentum  v = mu v + g;  p -= lr v                                  (Polyak 1964)
    nesterov  v = mu v + g;  p -= lr (g + mu v)             (Sutskever et al. 2013)
    rmsprop   s = rho s + (1 - rho) g^2;  p -= lr g / (sqrt(s) + eps)   (Hinton 2012, lecture 6e)
    adam      m = b1 m + (1 - b1) g;  s = b2 s + (1 - b2) g^2
              p -= lr m' / (sqrt(s') + eps),  m' = m / (1 - b1^t), s' = s / (1 - b2^t)
                                                            (Kingma and Ba 2015)
    adamw     adam, and before it p -= lr weight_decay p    (Loshchilov and Hutter 2019)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from math import sqrt
from typing import ClassVar

import numpy as np

from neuralscope.engine.arrays import Array

BLOCK = 131_072
"""Parameters updated in one go: half a megabyte of each vector."""


class Optimizer(ABC):
    """Moves parameters along their gradient, one step at a time.

    Attributes:
        settings: Names of the settings this optimizer reads besides the learning rate; its
            constructor takes them as keywords.
        memory: Names of the vectors it remembers.
        state: Those vectors, by name, zero at first.
        step_count: Steps taken so far.
    """

    settings: ClassVar[tuple[str, ...]] = ()
    memory: ClassVar[tuple[str, ...]] = ()

    def __init__(self, parameters: Array) -> None:
        """Make zeroed memory and work space that fit these parameters."""
        self.state: dict[str, Array] = {name: np.zeros_like(parameters) for name in self.memory}
        self.step_count = 0

    def update(
        self,
        parameters: Array,
        grad: Array,
        learning_rate: float,
        *,
        step: int | None = None,
        part: tuple[int, int] | None = None,
    ) -> None:
        """Take one step: change `parameters` in place, use up `grad`.

        Args:
            parameters: (n_parameters,).
            grad: Their gradient.
            learning_rate: Size of the step.
            step: Its number, from 1; None for the one after the last.
            part: (start, end) of the parameters to update; None for all. Every parameter is on its
                own, so parts that are updated one by one come to the same as the whole.
        """
        self.step_count = self.step_count + 1 if step is None else step
        start, end = part or (0, len(parameters))
        # A block at a time: what one operation of the formula has touched is still in the cache
        # for the next.
        for begin in range(start, end, BLOCK):
            block = slice(begin, min(begin + BLOCK, end))
            memory = {name: vector[block] for name, vector in self.state.items()}
            self._update(parameters[block], grad[block], learning_rate, memory)

    @abstractmethod
    def _update(
        self, parameters: Array, grad: Array, learning_rate: float, memory: Mapping[str, Array]
    ) -> None:
        """The formula, on a block of all vectors."""


class SGD(Optimizer):
    """Stochastic gradient descent: straight downhill."""

    def _update(
        self, parameters: Array, grad: Array, learning_rate: float, memory: Mapping[str, Array]
    ) -> None:
        np.multiply(grad, learning_rate, out=grad)
        np.subtract(parameters, grad, out=parameters)


class Momentum(Optimizer):
    """A heavy ball: past gradients keep pushing, oscillations cancel."""

    settings = ("momentum",)
    memory = ("velocity",)

    def __init__(self, parameters: Array, *, momentum: float = 0.9) -> None:
        """Keep the share `momentum` of the velocity from one step to the next."""
        super().__init__(parameters)
        self.momentum = momentum

    def _update(
        self, parameters: Array, grad: Array, learning_rate: float, memory: Mapping[str, Array]
    ) -> None:
        velocity = memory["velocity"]
        np.multiply(velocity, self.momentum, out=velocity)
        np.add(velocity, grad, out=velocity)
        np.multiply(velocity, learning_rate, out=grad)
        np.subtract(parameters, grad, out=parameters)


class Nesterov(Momentum):
    """Momentum that looks ahead: the gradient is felt once more where the velocity leads."""

    def _update(
        self, parameters: Array, grad: Array, learning_rate: float, memory: Mapping[str, Array]
    ) -> None:
        velocity = memory["velocity"]
        np.multiply(velocity, self.momentum, out=velocity)
        np.add(velocity, grad, out=velocity)
        # p -= lr g, then p -= lr mu v: one vector of work space is enough.
        np.multiply(grad, learning_rate, out=grad)
        np.subtract(parameters, grad, out=parameters)
        np.multiply(velocity, learning_rate * self.momentum, out=grad)
        np.subtract(parameters, grad, out=parameters)


class RMSProp(Optimizer):
    """Each parameter gets its own step size: the gradient over its recent root mean square."""

    memory = ("mean_square",)

    def __init__(self, parameters: Array, *, rho: float = 0.9, epsilon: float = 1e-8) -> None:
        """Remember the share `rho` of the mean square; `epsilon` guards the division."""
        super().__init__(parameters)
        self.rho, self.epsilon = rho, epsilon
        self._work = np.empty_like(parameters[:BLOCK])

    def _update(
        self, parameters: Array, grad: Array, learning_rate: float, memory: Mapping[str, Array]
    ) -> None:
        mean_square, work = memory["mean_square"], self._work[: len(grad)]
        np.multiply(mean_square, self.rho, out=mean_square)
        np.multiply(grad, grad, out=work)
        np.multiply(work, 1 - self.rho, out=work)
        np.add(mean_square, work, out=mean_square)

        np.sqrt(mean_square, out=work)
        np.add(work, self.epsilon, out=work)
        np.divide(grad, work, out=grad)
        np.multiply(grad, learning_rate, out=grad)
        np.subtract(parameters, grad, out=parameters)


class Adam(Optimizer):
    """Momentum and RMSProp together, both corrected for starting at zero."""

    memory = ("gradient_sum", "square_sum")

    def __init__(
        self,
        parameters: Array,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        """Remember the shares `beta1` of the mean and `beta2` of the mean square."""
        super().__init__(parameters)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon

    def _update(
        self, parameters: Array, grad: Array, learning_rate: float, memory: Mapping[str, Array]
    ) -> None:
        # Kept are not the means but the sums under them, which saves two operations,
        #   M = b1 M + g,  S = b2 S + g^2:  m' = M / n1,  s' = S / n2,
        # where n1 = 1 + b1 + ... + b1^(t-1) and n2 are the weights in the sums. As numbers they
        # move out of the vectors:
        #   lr m' / (sqrt(s') + eps) = [lr sqrt(n2) / n1] M / (sqrt(S) + sqrt(n2) eps)
        n1 = (1 - self.beta1**self.step_count) / (1 - self.beta1)
        n2 = (1 - self.beta2**self.step_count) / (1 - self.beta2)
        gradient_sum, square_sum = memory["gradient_sum"], memory["square_sum"]

        np.multiply(gradient_sum, self.beta1, out=gradient_sum)
        np.add(gradient_sum, grad, out=gradient_sum)

        np.multiply(square_sum, self.beta2, out=square_sum)
        np.multiply(grad, grad, out=grad)
        np.add(square_sum, grad, out=square_sum)

        np.sqrt(square_sum, out=grad)
        np.add(grad, sqrt(n2) * self.epsilon, out=grad)
        np.divide(gradient_sum, grad, out=grad)
        np.multiply(grad, learning_rate * sqrt(n2) / n1, out=grad)
        np.subtract(parameters, grad, out=parameters)


class AdamW(Adam):
    """Adam, with weights that shrink by themselves instead of through the gradient."""

    settings = ("weight_decay",)

    def __init__(
        self,
        parameters: Array,
        *,
        weight_decay: float = 0.01,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        """Shrink all parameters by the share learning_rate * weight_decay in each step."""
        super().__init__(parameters, beta1=beta1, beta2=beta2, epsilon=epsilon)
        self.weight_decay = weight_decay

    def _update(
        self, parameters: Array, grad: Array, learning_rate: float, memory: Mapping[str, Array]
    ) -> None:
        np.multiply(parameters, 1 - learning_rate * self.weight_decay, out=parameters)
        super()._update(parameters, grad, learning_rate, memory)


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "rmsprop": RMSProp,
    "adam": Adam,
    "adamw": AdamW,
}
"""By name; menus read this."""
