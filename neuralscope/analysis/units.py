"""What each unit of a layer does: which digits excite it, and whether it does anything at all.

A unit is known by its activations on many examples. Its profile is the mean activation on each
class; the class with the highest is the one it prefers. Two ways of being of no use are named:

    dead        a relu or leaky relu whose input is never above zero on these examples: relu then
                always gives 0, and learns nothing more, because its slope is 0
    saturated   a tanh or sigmoid that on nearly all examples is at one of its two ends, where the
                slope is next to nothing
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neuralscope.engine import Network
from neuralscope.engine.health import ENDS, MOSTLY, at_end

Array = npt.NDArray[np.floating]

EXCITING = 16
"""Examples over which `seen_through` takes the mean."""


def unit_means(
    activations: npt.ArrayLike, labels: npt.ArrayLike, n_classes: int
) -> npt.NDArray[np.float64]:
    """Return the mean activation of every unit on every class, (units, classes).

    Args:
        activations: (n, units).
        labels: (n,), the true classes.
        n_classes: Number of classes; one without examples gets NaN.

    >>> unit_means([[1.0, 0.0], [3.0, 0.0], [0.0, 5.0]], [0, 0, 1], n_classes=2)
    array([[2., 0.],
           [0., 5.]])
    """
    outputs = np.asarray(activations)
    true = np.asarray(labels, np.int64)
    counts = np.bincount(true, minlength=n_classes)
    belongs = np.zeros((n_classes, len(true)), outputs.dtype)
    belongs[true, np.arange(len(true))] = 1
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        sums = belongs @ outputs  # (classes, n) @ (n, units) -> (classes, units)
        return np.asarray(sums.T / counts, dtype=np.float64)


def preferred_class(means: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the class on which each unit is most active, (units,), from (units, classes).

    A unit that does the same on all classes, as a dead one does, prefers none: -1.

    >>> preferred_class([[0.0, 2.0, 1.0], [0.0, 0.0, 0.0]])
    array([ 1, -1])
    """
    known = np.nan_to_num(np.asarray(means, np.float64), nan=-np.inf)
    classes = known.argmax(axis=1).astype(np.int64)
    with np.errstate(invalid="ignore"):
        indifferent = known.max(axis=1) == np.where(np.isinf(known), np.inf, known).min(axis=1)
    return np.where(indifferent | np.isinf(known).all(axis=1), -1, classes)


def order_by_preference(means: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the units ordered by the class they prefer, the most active first within a class.

    Units that prefer none come last.

    Args:
        means: (units, classes).

    >>> order_by_preference([[0.0, 1.0], [2.0, 0.0], [0.0, 0.0], [0.0, 3.0]])
    array([1, 3, 0, 2])
    """
    profile = np.asarray(means, np.float64)
    preferred = preferred_class(profile)
    last = profile.shape[1]
    strength = np.nan_to_num(profile, nan=-np.inf).max(axis=1)
    # The last key counts first; ties keep the units' own order.
    order = np.lexsort((-strength, np.where(preferred < 0, last, preferred)))
    return order.astype(np.int64)


@dataclass(frozen=True, eq=False)
class Idle:
    """Units that are of no use on some examples. All arrays hold unit numbers, from 0.

    Attributes:
        dead: Those that never fire.
        saturated: Those nearly always at an end.
        share: (units,), on which part of the examples each fires (relu, leaky relu) or is at an
            end (tanh, sigmoid).
    """

    dead: npt.NDArray[np.int64]
    saturated: npt.NDArray[np.int64]
    share: npt.NDArray[np.float64]


def idle_units(activations: npt.ArrayLike, activation: str) -> Idle:
    """Find the dead and the saturated units of a layer.

    Args:
        activations: (n, units), on the examples that are looked at.
        activation: Name of the layer's activation.

    >>> idle_units([[0.0, 1.0], [0.0, 0.0]], "relu").dead
    array([0])
    """
    outputs = np.asarray(activations)
    none = np.zeros(0, np.int64)
    if activation in ENDS:
        share = at_end(outputs, activation).mean(axis=0)
        return Idle(none, np.flatnonzero(share >= MOSTLY), share)
    share = (outputs > 0).mean(axis=0)
    dead = np.flatnonzero(share == 0) if activation in ("relu", "leaky_relu") else none
    return Idle(dead, none, share)


def extreme_examples(
    outputs: npt.ArrayLike, *, most: int, least: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the examples that excite a unit most, and those that do least; each from its end.

    Args:
        outputs: (n,), the unit's activation on each example; equal ones keep their order.
        most: How many of the highest.
        least: How many of the lowest.

    >>> extreme_examples([0.1, 0.9, 0.5, -1.0], most=2, least=1)
    (array([1, 2]), array([3]))
    """
    values = np.nan_to_num(np.asarray(outputs), nan=0.0)
    return _highest(values, most), _highest(-values, least)


def _highest(values: Array, count: int) -> npt.NDArray[np.int64]:
    # Equal values at the border are taken in their order too, which a partition would not do.
    return np.argsort(-values, kind="stable")[:count].astype(np.int64)


def seen_through(
    network: Network, x: npt.ArrayLike, layer: int, unit: int
) -> npt.NDArray[np.float64]:
    """Return how each input pixel moves what a unit adds up, through all layers below it.

    For z = sum + bias of the unit, before its activation, this is dz/dx, averaged over examples:

        layer 0    dz/dx = its column of weights, whatever the example
        deeper     dz/dx = (weight_l[:, unit] * f'(z_{l-1})) @ weight_{l-1}^T * ... @ weight_0^T

    so on a network of relu units it is the weights along all paths that are open.

    Args:
        network: The network.
        x: (n, features), the examples, usually those that excite the unit most.
        layer: Number of the layer from 0; the last one has the logits.
        unit: Number of the unit in it, from 0.

    Returns:
        (features,).
    """
    first = network.layers[layer].weight[:, unit]
    if layer == 0:
        return np.asarray(first, dtype=np.float64)
    with np.errstate(all="ignore"):
        outputs = network.activations(x)
        delta = np.tile(first, (len(outputs[0]), 1))  # dz/da of the layer below, (n, units)
        for below in range(layer - 1, -1, -1):
            dense, a = network.layers[below], outputs[below]
            dense.activation.backpropagate(a, delta, np.empty_like(a))
            delta = delta @ dense.weight.T  # (n, out) @ (out, in) -> (n, in)
        return np.asarray(delta.mean(axis=0), dtype=np.float64)


def logits_from(network: Network, x: Array, layers: list[Array]) -> Array:
    """Return the logits of examples whose layers' outputs are known, (n, classes).

    Args:
        network: The network.
        x: (n, features), needed where there is no hidden layer.
        layers: Outputs of all its layers, as `Network.activations` returns them.
    """
    last = network.layers[-1]
    below = layers[-2] if len(layers) > 1 else x
    with np.errstate(all="ignore"):
        logits: Array = below @ last.weight + last.bias
    return logits
