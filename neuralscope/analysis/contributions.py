"""Which units of the last hidden layer decided between two classes.

The logits are a sum over the units before them, and so is the difference of two of them:

    logit_one - logit_other = sum_j a_j (weight_j,one - weight_j,other) + (bias_one - bias_other)

Each summand is what one unit contributed, exactly: nothing is estimated. In a network without
hidden layers the units are the pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neuralscope.engine import Network


@dataclass(frozen=True, eq=False)
class Contributions:
    """What made the difference between two classes; above zero it speaks for the first.

    Attributes:
        units: (inputs of the last layer,), what each contributed.
        bias: What the biases contributed.
    """

    units: npt.NDArray[np.float64]
    bias: float

    @property
    def total(self) -> float:
        """The difference of the two logits."""
        return float(self.units.sum()) + self.bias

    def largest(self, most: int) -> tuple[npt.NDArray[np.intp], float]:
        """Return which units contributed most, either way, and the sum of all the others.

        Args:
            most: How many units, at most.

        Returns:
            Their numbers, those that speak most for the first class first; and the rest, so that
            with the biases everything adds up to `total`.
        """
        by_size = np.argsort(-np.abs(self.units), kind="stable")
        most = min(most, int(np.count_nonzero(self.units)))  # a silent unit explains nothing
        largest, others = by_size[:most], by_size[most:]
        ordered = largest[np.argsort(-self.units[largest], kind="stable")]
        return ordered, float(self.units[others].sum())


def logit_contributions(network: Network, x: npt.ArrayLike, one: int, other: int) -> Contributions:
    """Return what each unit contributed to logit_one - logit_other at one example.

    Args:
        network: Only read.
        x: (features,), in [0, 1].
        one: A class.
        other: The class it is compared with.
    """
    digit = np.asarray(x)
    last = network.layers[-1]
    inputs = network.activations(digit[None])[-2][0] if len(network.layers) > 1 else digit
    # In float64, so that hundreds of float32 products add up without rounding on the way.
    weight = last.weight.astype(np.float64)
    units = inputs.astype(np.float64) * (weight[:, one] - weight[:, other])
    return Contributions(units, float(last.bias[one]) - float(last.bias[other]))
