"""The smallest change of the pixels that makes the network say something else.

What would have to be different for this digit to be read as another? That is a point on the border
between two answers, as near to the digit as can be (Moosavi-Dezfooli, Fawzi, Frossard: DeepFool,
2016). Near a point y the border between the target and its strongest rival is almost the plane

    f(y) + w (z - y) = 0,     f = logit_target - max of the others,  w = df/dy

and the point nearest to x on the far side of it, with all pixels in [0, 1], is

    z = clip(x + lambda w)    with the smallest lambda >= 0 that gets there

1. Walk: from x, go to the nearest point behind the plane, and again, until the answer is reached.
2. Bisect: of the straight line between x and what was found, take the shortest part that does.
3. Polish: lay the plane through the point found, which is on the real border, and go to it from x
   once more; keep what is shorter.

It finds a small change, with no promise that there is no smaller one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neuralscope.analysis.saliency import saliency_map
from neuralscope.engine import Network
from neuralscope.engine.arrays import Array

WALK = 50
POLISH = 8
HALVINGS = 14
OVERSHOOT = 0.02


@dataclass(frozen=True, eq=False)
class PixelChange:
    """A change that gives the answer asked for.

    Attributes:
        result: (features,), the changed example, in [0, 1].
        difference: (features,), result - original.
    """

    result: Array
    difference: Array

    @property
    def size(self) -> float:
        """Its Euclidean length; full ink in one pixel is 1."""
        return float(np.linalg.norm(self.difference.astype(np.float64)))

    @property
    def largest(self) -> float:
        """The largest change of one pixel, where full ink is 1."""
        return float(np.abs(self.difference).max())

    def n_pixels(self, least: float) -> int:
        """Return how many pixels change by at least so much, where full ink is 1."""
        return int((np.abs(self.difference) >= least).sum())


def smallest_change(
    network: Network,
    x: npt.ArrayLike,
    target: int,
    *,
    examples: npt.ArrayLike | None = None,
) -> PixelChange | None:
    """Return the smallest change found after which the answer is the target; None if none was.

    Args:
        network: Only read.
        x: (features,), in [0, 1].
        target: The answer wanted.
        examples: (n, features), in [0, 1], of which some are answered so: where the slope is
            flat the walk loses its way, and the line to one of them does not.
    """
    digit: Array = np.asarray(x, network.dtype)
    starts = [] if examples is None else list(np.asarray(examples, network.dtype))
    walked = _walk(network, digit, target)
    found = [_bisect(network, digit, walked, target)] if walked is not None else []
    found += [
        _bisect(network, digit, start, target) for start in starts if _says(network, start, target)
    ]
    if not found:
        return None
    best = min(found, key=lambda point: _length(point - digit))
    for _ in range(POLISH):
        tried = _behind_plane(network, digit, best, target)
        if tried is None or not _says(network, tried, target):
            break
        shorter = _bisect(network, digit, tried, target)
        if _length(shorter - digit) >= _length(best - digit):
            break
        best = shorter
    return PixelChange(best, best - digit)


def _walk(network: Network, x: Array, target: int) -> Array | None:
    """Return a point with the answer wanted, by stepping behind one plane after another."""
    at = x
    for _ in range(WALK):
        if _says(network, at, target):
            return at
        following = _behind_plane(network, at, at, target)
        if following is None:
            return None
        at = following
    return at if _says(network, at, target) else None


def _behind_plane(network: Network, x: Array, y: Array, target: int) -> Array | None:
    """Return the point nearest to x behind the plane that is the border seen from y.

    If the plane lies outside of [0, 1], the last point on the way there; None if the slope is flat.
    """
    logits = network.logits(y[None])[0].astype(np.float64)
    others = logits.copy()
    others[target] = -np.inf
    rival = int(others.argmax())
    w = saliency_map(network, y, target, rival).astype(np.float64)
    start = x.astype(np.float64)
    # What w (z - x) has to become, and a little more, because the border is bent.
    lacking = w @ (y - start) - (logits[target] - logits[rival])
    lacking += OVERSHOOT * abs(lacking) + 1e-6 * float(np.abs(w).sum())
    if not np.isfinite(lacking) or not w.any():
        return None
    # The pixels get as far as they have room; each is at its end from a lambda of its own.
    room = np.where(w > 0, 1 - start, start)
    slope = np.abs(w)
    moving = slope > 0
    ends = np.sort(room[moving] / slope[moving])

    def gained(factor: float) -> float:
        return float((slope * np.minimum(factor * slope, room)).sum())

    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high) // 2
        if gained(ends[middle]) > lacking:
            high = middle
        else:
            low = middle + 1
    # Between two ends it grows in a straight line.
    before = ends[low - 1] if low else 0.0
    at, to = gained(before), gained(ends[low])
    share = (lacking - at) / (to - at) if to > at else 1.0
    factor = before + min(max(share, 0.0), 1.0) * (ends[low] - before)
    moved: Array = np.clip(start + factor * w, 0, 1).astype(x.dtype)
    return moved


def _bisect(network: Network, x: Array, far: Array, target: int) -> Array:
    """Return the point nearest to x on the line to `far` that still has the answer wanted."""
    low, high = 0.0, 1.0
    best = far
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        tried: Array = np.clip(x + x.dtype.type(middle) * (far - x), 0, 1)
        if _says(network, tried, target):
            high, best = middle, tried
        else:
            low = middle
    return best


def _says(network: Network, x: Array, target: int) -> bool:
    return int(network.predict(x[None])[0]) == target


def _length(difference: Array) -> float:
    return float(np.linalg.norm(difference.astype(np.float64)))
