"""Regularization: holding weights and steps within bounds.

A network with more weights than it needs learns the training examples by heart, and nothing is so
easily done with large weights. Four ways to rein them in, each off at zero:

    L2         loss + l2 / 2 * sum of weight^2      gradient + l2 * weight
    L1         loss + l1 * sum of |weight|          gradient + l1 * sign(weight)
    max-norm   after a step, for the weights w into each hidden unit:  w *= min(1, limit / ||w||)
    clipping   before a step, for the whole gradient g:                g *= min(1, limit / ||g||)

L2 pulls a weight back in proportion to its size and so keeps all of them small; L1 pulls every
weight by the same amount and so brings those to zero that do not earn their keep. Biases are left
alone: they add no curves, only shift them. The ways that work elsewhere have a place of their own:
dropout in `network`, label smoothing in `loss`, early stopping in `early_stopping`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from neuralscope.engine.arrays import Array
from neuralscope.engine.layers import Dense


def penalty(layers: Sequence[Dense], *, l1: float = 0.0, l2: float = 0.0) -> float:
    """Return what L1 and L2 add to the loss: l1 * sum of |weight| + l2 / 2 * sum of weight^2."""
    total = 0.0
    if l2:
        total += l2 / 2 * sum(float(np.vdot(layer.weight, layer.weight)) for layer in layers)
    if l1:
        total += l1 * sum(float(np.abs(layer.weight).sum()) for layer in layers)
    return total


def add_penalty_gradient(
    layers: Sequence[Dense], work: Sequence[Array], *, l1: float = 0.0, l2: float = 0.0
) -> None:
    """Add the derivative of `penalty` to each layer's `weight_grad`.

    At zero |weight| has a kink; there its derivative is taken to be 0, as np.sign has it.

    Args:
        layers: The layers.
        work: For each layer (in, out), overwritten.
        l1: Strength of the penalty on absolute weights.
        l2: Strength of the penalty on squared weights.
    """
    for layer, pull in zip(layers, work, strict=True):
        if l2:
            np.multiply(layer.weight, l2, out=pull)
            np.add(layer.weight_grad, pull, out=layer.weight_grad)
        if l1:
            np.sign(layer.weight, out=pull)
            np.multiply(pull, l1, out=pull)
            np.add(layer.weight_grad, pull, out=layer.weight_grad)


def clip_to_norm(gradient: Array, limit: float) -> float:
    """Shorten a gradient that is longer than `limit` to this length; its direction stays.

    One norm over all parameters, so that the layers keep their proportions (Pascanu, Mikolov and
    Bengio 2013). A gradient so long that its square is beyond all numbers becomes zero: a step
    left out.

    Args:
        gradient: (n_parameters,), changed in place.
        limit: The largest Euclidean norm allowed.

    Returns:
        The norm before.

    >>> g = np.array([3.0, 4.0])
    >>> clip_to_norm(g, 1.0), g
    (5.0, array([0.6, 0.8]))
    """
    norm = sqrt(float(np.vdot(gradient, gradient)))
    if norm > limit:
        np.multiply(gradient, limit / norm, out=gradient)
    return norm


def limit_incoming_norms(layers: Sequence[Dense], work: Sequence[Array], limit: float) -> None:
    """Shorten the incoming weights of each unit to `limit` where they are longer.

    A projection onto the ball ||w|| <= limit after each step (Srebro and Shraibman 2005; with
    dropout: Srivastava et al. 2014, section 5.1). It allows large learning rates without weights
    that blow up. Give it the hidden layers.

    Args:
        layers: The layers; a unit's incoming weights are a column of `weight` (in, out).
        work: For each layer (in, out), overwritten.
        limit: The largest Euclidean norm allowed.
    """
    for layer, square in zip(layers, work, strict=True):
        np.multiply(layer.weight, layer.weight, out=square)
        norm = np.sqrt(np.add.reduce(square, axis=0))  # (in, out) -> (out,)
        shrink = limit / np.maximum(norm, limit)  # exactly 1 for a unit within the limit
        np.multiply(layer.weight, shrink, out=layer.weight)
