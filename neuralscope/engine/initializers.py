"""Initialisers: how large the random weights are before the first step.

Too small, and the signal dies on its way through the layers; too large, and it blows up or
saturates. He and Glorot choose the spread so that it keeps its size:

    he       normal, standard deviation sqrt(2 / fan_in)      (He et al. 2015; for relu)
    glorot   uniform in +-sqrt(6 / (fan_in + fan_out))        (Glorot, Bengio 2010; tanh, sigmoid)
    normal   normal, standard deviation 0.01, whatever the size of the layer
    zeros    all zero: every unit of a layer computes the same, and so they stay the same for ever

Biases always start at zero. 'auto' stands for the one that belongs to the layer's activation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neuralscope.engine.arrays import Array

Initializer = Callable[[Array, np.random.Generator], None]

AUTO = "auto"


def _he(weight: Array, rng: np.random.Generator) -> None:
    fan_in, _ = weight.shape
    weight[...] = rng.standard_normal(weight.shape) * np.sqrt(2 / fan_in)


def _glorot(weight: Array, rng: np.random.Generator) -> None:
    fan_in, fan_out = weight.shape
    limit = np.sqrt(6 / (fan_in + fan_out))
    weight[...] = rng.uniform(-limit, limit, weight.shape)


def _normal(weight: Array, rng: np.random.Generator) -> None:
    weight[...] = rng.standard_normal(weight.shape) * 0.01


def _zeros(weight: Array, rng: np.random.Generator) -> None:
    weight[...] = 0


INITIALIZERS: dict[str, Initializer] = {
    "he": _he,
    "glorot": _glorot,
    "normal": _normal,
    "zeros": _zeros,
}
"""Each fills a weight matrix (fan_in, fan_out) in place; menus read this, after 'auto'."""
