"""What became of each example in the course of training.

    history   (snapshots, n), the answer of each snapshot to each example, first snapshot first

A network does not only learn: what it once had right it may lose again while it learns others
("forgetting events", Toneva et al. 2019). And some it never gets. Where it insists on another
class than the label says, from the first epochs to the last, the label itself may be wrong: this
is the idea of ranking examples by their margin summed over training (Pleiss et al., "area under the
margin", 2020), here with the answers counted instead of the logits summed, because the snapshots
keep answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEAST_TRAINED = 3
"""Snapshots of a trained network from which on a label can be suspected."""

LEAST_SHARE = 0.8
"""Of those, how many must agree on one other class."""

MOST_TURNS = 4


@dataclass(frozen=True, eq=False)
class Fates:
    """The wrong answers of now, sorted by what came before. Positions of examples, each (m,).

    Attributes:
        forgotten: A trained snapshot had them right. Together these two are all wrong answers.
        never_learned: None had.
    """

    forgotten: npt.NDArray[np.intp]
    never_learned: npt.NDArray[np.intp]


def fates(history: npt.ArrayLike, true: npt.ArrayLike, predicted: npt.ArrayLike) -> Fates:
    """Sort the wrong answers into those once right and those never right.

    Args:
        history: (snapshots, n), answers of the trained snapshots up to now; without the untrained
            network, which is right by chance.
        true: (n,), the true classes.
        predicted: (n,), the answers now.

    >>> fates([[0, 1], [1, 1]], true=[0, 0], predicted=[1, 1]).forgotten
    array([0])
    """
    labels = np.asarray(true)
    wrong = np.asarray(predicted) != labels
    once_right = (np.asarray(history).reshape(-1, len(labels)) == labels).any(axis=0)
    return Fates(np.flatnonzero(wrong & once_right), np.flatnonzero(wrong & ~once_right))


@dataclass(frozen=True, eq=False)
class Suspects:
    """Examples whose labels may be wrong, the most suspicious first. All arrays (m,).

    Attributes:
        index: Position of the example.
        other: The class that the network insists on.
        share: Of the snapshots, how many say so, 0 to 1.
        evidence: `share` times the probability that the network now gives to it.
    """

    index: npt.NDArray[np.intp]
    other: npt.NDArray[np.int64]
    share: npt.NDArray[np.float64]
    evidence: npt.NDArray[np.float64]


def suspicious_labels(
    history: npt.ArrayLike, true: npt.ArrayLike, probabilities: npt.ArrayLike
) -> Suspects:
    """Find the examples that the network takes for the same other class throughout training.

    An example is suspicious if at least four fifths of the snapshots of a trained network, and the
    network now, give it the same class, which is not its label. They are ranked by that share times
    the probability that the network now gives to the other class.

    Args:
        history: (snapshots, n), answers of the trained snapshots up to now; fewer than three are
            too few to suspect anything.
        true: (n,), the labels.
        probabilities: (n, classes), the network's answers now.
    """
    answers = np.asarray(history)
    labels = np.asarray(true, np.int64)
    sure = np.asarray(probabilities)
    other = sure.argmax(axis=1).astype(np.int64)
    share = np.zeros(len(labels))
    if len(answers) >= LEAST_TRAINED:
        share = (answers == other).mean(axis=0)
    index = np.flatnonzero((other != labels) & (share >= LEAST_SHARE))
    evidence = share[index] * sure[index, other[index]].astype(np.float64)
    ranked = np.argsort(-evidence, kind="stable")
    index = index[ranked]
    return Suspects(index, other[index], share[index], evidence[ranked])


def tell_history(right: npt.ArrayLike, epochs: Sequence[int]) -> str:
    """Tell in a sentence when an example was right and when it was lost.

    Args:
        right: (snapshots,), whether each snapshot had it right.
        epochs: (snapshots,), the epoch of each.

    >>> tell_history([False, True, True, False], [0, 3, 8, 11])
    'Right from epoch 3, lost at epoch 11.'
    """
    was = np.asarray(right, bool)
    if not len(was):
        return "No snapshot has seen it."
    if was.all():
        return "Right in every snapshot."
    if not was.any():
        return "Wrong in every snapshot."
    turns = (np.flatnonzero(was[1:] != was[:-1]) + 1).tolist()
    if len(turns) > MOST_TURNS:
        last = turns[-1]
        end = f"right since epoch {epochs[last]:,}" if was[last] else f"lost at {epochs[last]:,}"
        return (
            f"Right in {int(was.sum())} of {len(was)} snapshots; it changed {len(turns)} times, "
            f"last {end}."
        )
    began = f"right from epoch {epochs[0]:,}" if epochs[0] else "right from the start"
    parts = [began] if was[0] else []
    for turn in turns:
        if was[turn]:
            parts.append(f"{'right again' if parts else 'right'} from epoch {epochs[turn]:,}")
        else:
            parts.append(f"lost at epoch {epochs[turn]:,}")
    sentence = ", ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}."
