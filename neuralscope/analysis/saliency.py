"""Which pixels an answer hangs on, and whether that is true.

How much more a network is for one class than for another is the difference of their logits,

    f(x) = logit_one(x) - logit_other(x)

and the saliency map is its gradient df/dx (Simonyan, Vedaldi, Zisserman 2014): how fast f would
grow if there were a little more ink in each pixel. It is computed like the gradient of training,
only that the way back does not end at the first layer's weights but at the pixels:

    delta_last = onehot(one) - onehot(other)
    delta_l    = (delta_{l+1} @ weight_{l+1}^T) * f'(z_l)         df/dx = delta_1 @ weight_1^T

A map can be pretty and mean nothing. So it is put to a test: take away the ink of the pixels that
it marks most, and see whether the answer suffers more than from taking away as many at random
(deletion, Petsiuk, Das, Saenko 2018).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neuralscope.engine import Network
from neuralscope.engine.activations import ACTIVATIONS
from neuralscope.engine.arrays import Array

MOST_STEPS = 12


def saliency_map(network: Network, x: npt.ArrayLike, one: int, other: int) -> Array:
    """Return d(logit_one - logit_other)/dx at one example.

    Args:
        network: Only read.
        x: (features,), in [0, 1].
        one: A class.
        other: The class it is compared with.

    Returns:
        (features,), of the network's dtype.
    """
    outputs = network.activations(np.asarray(x)[None])
    delta = np.zeros_like(outputs[-1])  # (1, classes)
    delta[0, one] += 1
    delta[0, other] -= 1
    for i in reversed(range(len(network.layers))):
        delta = delta @ network.layers[i].weight.T  # (1, out) @ (out, in) -> (1, in)
        if i:
            slope = ACTIVATIONS[network.activation[i - 1]].backpropagate
            slope(outputs[i - 1], delta, np.empty_like(delta))
    gradient: Array = delta[0]
    return gradient


@dataclass(frozen=True, eq=False)
class Removal:
    """What becomes of an answer when ink is taken away. All arrays (steps,).

    Attributes:
        removed: How many inked pixels are gone, rising from 0.
        marked: Probability of the answer when they are those the map marks most.
        random: Its mean when they are drawn at random.
        turned_at: The first of `removed` at which the marked ones change the answer; None if
            none does.
        turned_to: What it is changed to then.
    """

    removed: npt.NDArray[np.int64]
    marked: npt.NDArray[np.float64]
    random: npt.NDArray[np.float64]
    turned_at: int | None
    turned_to: int | None


def removal(
    network: Network,
    x: npt.ArrayLike,
    marks: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    most: int = 48,
    draws: int = 50,
) -> Removal:
    """Take ink away, the most marked pixels first, and as many at random.

    Args:
        network: Only read.
        x: (features,), in [0, 1]; a pixel has ink if it is above zero.
        marks: (features,), how much each pixel is said to speak for the answer.
        rng: Draws the random ones.
        most: Pixels taken away at the end, at most all that have ink.
        draws: How many times as many pixels are drawn at random.
    """
    digit = np.asarray(x, network.dtype)
    inked = np.flatnonzero(digit > 0)
    most = min(most, len(inked))
    # Every whole number would be no clearer, and many times the work.
    removed = np.unique(np.linspace(0, most, min(MOST_STEPS, most) + 1).round().astype(np.int64))
    ranked = inked[np.argsort(-np.asarray(marks)[inked], kind="stable")]
    orders = np.stack([ranked, *(rng.permutation(inked) for _ in range(draws))])

    # (steps, 1 + draws, features): each order's first k pixels are blank.
    digits = np.tile(digit, (len(removed), 1 + draws, 1))
    for step, k in enumerate(removed):
        np.put_along_axis(digits[step], orders[:, :k], 0, axis=1)
    answers = network.predict_proba(digits.reshape(-1, len(digit)))
    probabilities = answers.reshape(len(removed), 1 + draws, -1)
    said = probabilities[:, 0].argmax(axis=1)
    answer = said[0]
    changed = np.flatnonzero(said != answer)
    first = int(changed[0]) if len(changed) else None
    return Removal(
        removed=removed,
        marked=probabilities[:, 0, answer].astype(np.float64),
        random=probabilities[:, 1:, answer].mean(axis=1, dtype=np.float64),
        turned_at=None if first is None else int(removed[first]),
        turned_to=None if first is None else int(said[first]),
    )
