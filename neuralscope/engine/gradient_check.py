"""The gradient check: does backpropagation compute what it should?

A derivative can always be had without any calculus, by trying: nudge one parameter up and down,
and see how the loss answers.

    dL/dp_i  is close to  (L(p + h e_i) - L(p - h e_i)) / (2 h)

It takes two forward passes a parameter, far too slow to train with, and just right to test with.
In float64 and with h around 1e-6 both agree to seven or more digits, unless an input sits on the
kink of a relu.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neuralscope.engine.arrays import Array


def numerical_gradient(loss: Callable[[], float], parameters: Array, h: float = 1e-6) -> Array:
    """Return the central-difference gradient of `loss()` with respect to `parameters`.

    Args:
        loss: Reads the parameters anew in each call.
        parameters: (n,), nudged in place and put back.
        h: Size of the nudge.

    >>> p = np.array([3.0, -1.0])
    >>> numerical_gradient(lambda: float(p @ p), p).round(6)
    array([ 6., -2.])
    """
    grad = np.empty_like(parameters)
    for i in range(len(parameters)):
        kept = parameters[i]
        parameters[i] = kept + h
        above = loss()
        parameters[i] = kept - h
        below = loss()
        parameters[i] = kept
        grad[i] = (above - below) / (2 * h)
    return grad


def relative_error(a: Array, b: Array) -> float:
    """Return ||a - b|| / max(||a||, ||b||): 0 for equal vectors, whatever their scale.

    >>> relative_error(np.array([1.0, 0.0]), np.array([1.0, 0.0]))
    0.0
    """
    scale = max(float(np.linalg.norm(a)), float(np.linalg.norm(b)))
    return float(np.linalg.norm(a - b)) / scale if scale else 0.0
