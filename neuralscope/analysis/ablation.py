"""What a network loses without one unit: its output is held at zero, and the digits read again.

Nothing below the unit changes, so only the layers above it are computed anew, and only for the
examples on which the unit gave anything but zero: for the others all stays as it was. A relu unit
is silent on most examples, which makes this quick.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neuralscope.engine import Network

CHUNK = 1_000
"""Examples in one go."""


@dataclass(frozen=True, eq=False)
class Ablation:
    """How well a network reads with and without a unit. Accuracies are shares, 0 to 1.

    Attributes:
        accuracy: On all examples, with the unit.
        accuracy_without: Without it.
        by_class: (classes,), with the unit; NaN for a class without examples.
        by_class_without: (classes,), without it.
        changed: How many examples are answered differently.
        lost: How many that were right are wrong without it.
        won: How many that were wrong are right without it.
    """

    accuracy: float
    accuracy_without: float
    by_class: npt.NDArray[np.float64]
    by_class_without: npt.NDArray[np.float64]
    changed: int
    lost: int
    won: int


def predictions_without(
    network: Network, layers: list[npt.NDArray[np.floating]], layer: int, unit: int
) -> npt.NDArray[np.int64]:
    """Return the network's answers with one hidden unit's output held at zero, (n,).

    Args:
        network: The network.
        layers: Outputs of all its layers on n examples, as `Network.activations` returns them.
        layer: Number of the hidden layer, from 0.
        unit: Number of the unit in it, from 0.

    Raises:
        ValueError: There is no such hidden unit.
    """
    if not 0 <= layer < len(network.layers) - 1 or not 0 <= unit < layers[layer].shape[1]:
        raise ValueError(f"there is no hidden unit {unit} in layer {layer}")
    answers: npt.NDArray[np.int64] = layers[-1].argmax(axis=1).astype(np.int64)
    active = np.flatnonzero(layers[layer][:, unit])
    with np.errstate(all="ignore"):
        for start in range(0, len(active), CHUNK):
            rows = active[start : start + CHUNK]
            a = layers[layer][rows]  # a copy, which may be written to
            a[:, unit] = 0
            for above in network.layers[layer + 1 :]:
                out = np.empty((len(rows), len(above.bias)), a.dtype)
                a = above.forward(a, out=out, scratch=np.empty_like(out))
            answers[rows] = a.argmax(axis=1)
    return answers


def ablate(
    network: Network,
    layers: list[npt.NDArray[np.floating]],
    labels: npt.ArrayLike,
    layer: int,
    unit: int,
) -> Ablation:
    """Measure what a network loses when one hidden unit's output is held at zero.

    Args:
        network: The network.
        layers: Outputs of all its layers on n examples, as `Network.activations` returns them.
        labels: (n,), the true classes.
        layer: Number of the hidden layer, from 0.
        unit: Number of the unit in it, from 0.

    Raises:
        ValueError: There is no such hidden unit.
    """
    without = predictions_without(network, layers, layer, unit)
    answers = layers[-1].argmax(axis=1)
    true = np.asarray(labels, np.int64)
    right, right_without = answers == true, without == true
    n_classes = network.sizes[-1]
    return Ablation(
        accuracy=float(right.mean()),
        accuracy_without=float(right_without.mean()),
        by_class=_by_class(right, true, n_classes),
        by_class_without=_by_class(right_without, true, n_classes),
        changed=int((without != answers).sum()),
        lost=int((right & ~right_without).sum()),
        won=int((~right & right_without).sum()),
    )


def _by_class(
    right: npt.NDArray[np.bool_], true: npt.NDArray[np.int64], n_classes: int
) -> npt.NDArray[np.float64]:
    of_each = np.bincount(true, minlength=n_classes)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.bincount(true[right], minlength=n_classes) / of_each)
