r"""The learning-rate range test: with which rates does a network learn, and which blow it up?

A fresh network is trained for a few hundred steps while the rate grows by the same factor from
each to the next, from far too small to far too large (Smith 2017, "Cyclical learning rates for
training neural networks", section 3.3, who lets it grow linearly):

    rate[t] = lowest * (highest / lowest)^(t / (steps - 1)),    t = 0, 1, ..., steps - 1

    loss |------.__                .   steps so long that they leave the valley
         |         \              /
         |          \  here      /
         |           `-.____.---'
         +------------------------- rate (logarithmic)

The loss of a batch is noisy. What is read is its exponential mean, corrected for starting at zero
(Kingma and Ba 2015, section 3):

    mean[t] = beta mean[t-1] + (1 - beta) loss[t],    smoothed[t] = mean[t] / (1 - beta^(t+1))

The test ends at the highest rate, or earlier, where the loss has blown up: the smoothed loss is
above 4 times its minimum, or a loss is not a finite number any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf, isfinite, log10
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from neuralscope.engine.training import Diverged, StepEnd, Training

Floats = npt.NDArray[np.float64]

LOWEST, HIGHEST = 1e-6, 100.0
"""Rates between which the test goes: eight decades hold any optimizer's and network's."""

STEPS = 400
"""Fifty a decade: the smoothed loss lags behind the rate by 20 steps, less than half a decade."""

BETA = 0.95
"""Share of the past in the smoothed loss: about the last 20 batches count."""

SETTLED = 20
"""Steps after which the smoothed loss is a mean of enough batches to be compared with."""

BLOWN_UP = 4.0
"""Times its minimum that the smoothed loss may reach."""

MARGIN = 10.0
"""Times that a suggested rate must stay below one that blew up."""

FIRST_DECADE = 10.0
"""Times the first rate: what is below only shows the loss that the test starts from."""

LEAST_FALL = 0.15
"""Share of the starting loss that has to go before a rate is suggested; what goes with finding out
that all classes are about as frequent is less."""

ON_THE_SLOPE = 0.1
"""Share of the fall from which on the loss counts as falling."""

SLOPE_DECADES = 0.2
"""How far to each side of a rate the slope there is fitted."""


class RateTried(NamedTuple):
    """One step of the test has been taken.

    Attributes:
        rate: The learning rate of the step.
        loss: Mean cross-entropy of its batch before the step; infinite where it is no number.
        smoothed: Exponential mean of the losses so far.
    """

    rate: float
    loss: float
    smoothed: float


class Suggestion(NamedTuple):
    """What a test says.

    Attributes:
        rate: A good learning rate, rounded; None if the test shows none.
        reason: Why this one, or why none, in a sentence.
        steepest: The rate at which the smoothed loss fell fastest, if it fell.
        blown_up: The rate at which the loss blew up, if it did.
    """

    rate: float | None
    reason: str
    steepest: float | None
    blown_up: float | None


def try_rates(
    training: Training,
    *,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    steps: int = STEPS,
) -> Iterator[RateTried]:
    """Run the test on a training that has not begun, and tell of each step.

    Args:
        training: Must have a constant schedule and at least this many steps; its network is fresh
            and of no use afterwards.
        lowest: The first rate.
        highest: The last rate, if the loss has not blown up before.
        steps: How many rates, 2 or more.

    Raises:
        ValueError: The rates do not grow, or the training has begun or is too short.
    """
    if not 0 < lowest < highest or steps < 2:
        raise ValueError(f"no {steps} rates grow from {lowest:g} to {highest:g}")
    if training.step or training.total_steps < steps:
        raise ValueError(f"the test takes a training of {steps} steps that has not begun")
    rates = np.geomspace(lowest, highest, steps).tolist()
    mean, correction, minimum = 0.0, 1.0, inf
    training.learning_rate = rates[0]
    for record in training.records():
        if isinstance(record, Diverged):
            yield RateTried(training.learning_rate, inf, inf)
            return
        if not isinstance(record, StepEnd):
            continue
        mean = BETA * mean + (1 - BETA) * record.loss
        correction *= BETA
        smoothed = mean / (1 - correction)
        yield RateTried(record.learning_rate, record.loss, smoothed)
        if record.step > SETTLED:
            minimum = min(minimum, smoothed)
        if smoothed > BLOWN_UP * minimum or record.step == steps:
            return
        training.learning_rate = rates[record.step]


def suggest_rate(tried: Sequence[RateTried]) -> Suggestion:
    """Read a test: the rate at which the loss falls fastest, a margin below where it blows up.

    Where the loss is lowest, the steps are already so long that progress and damage balance: that
    rate is too large to train with. Where it falls fastest, a step gains the most. With plain SGD
    the two lie close together, and the blow-up close above, so that the suggestion also stays at a
    tenth of that rate or below. A tenth of the rate at the minimum, another rule in use, agrees
    with this for Adam but is three times too timid for SGD.

    The slope at a rate is that of the line fitted to the smoothed loss over the logarithm of the
    rates around it.

    Raises:
        ValueError: There is not a single step.
    """
    if not tried:
        raise ValueError("a test that has not begun says nothing")
    finite = [each for each in tried if isfinite(each.smoothed)]
    rates = np.array([each.rate for each in finite])
    smoothed = np.array([each.smoothed for each in finite])
    minimum = smoothed[SETTLED:].min(initial=inf)
    last = tried[-1]
    is_blown_up = not isfinite(last.smoothed) or last.smoothed > BLOWN_UP * minimum
    blown_up = last.rate if is_blown_up else None

    begin = int(np.count_nonzero(rates < FIRST_DECADE * tried[0].rate))
    if begin == len(rates):
        reason = f"The test ended at a rate of {_shown(last.rate)}, before the loss could fall."
        return Suggestion(None, reason, None, blown_up)
    start = float(np.mean([each.loss for each in finite[:begin]]))
    lowest = begin + int(smoothed[begin:].argmin())
    fall = start - float(smoothed[lowest])
    # The last descent counts: what fell and rose again before it was noise.
    above = np.flatnonzero(smoothed[begin:lowest] > start - ON_THE_SLOPE * fall)
    if len(above):
        begin += int(above[-1])
    steepest = _steepest(rates, smoothed, begin, lowest) if fall >= LEAST_FALL * start else None
    if steepest is None:
        reason = (
            f"The loss does not fall far below {start:.2f}, where it starts, at any rate: "
            f"in {len(tried)} steps this network learns too little, or the noise of small batches "
            "hides it."
        )
        return Suggestion(None, reason, None, blown_up)

    limit = (last.rate if blown_up is None else blown_up) / MARGIN
    falls = f"The loss falls fastest around {_shown(steepest)}"
    if steepest > limit and blown_up is None:
        reason = f"{falls}; a tenth of {_shown(last.rate)}, the largest rate tried, keeps a margin."
    elif steepest > limit:
        reason = f"{falls}, but blows up at {_shown(last.rate)}; a tenth of that keeps a margin."
    elif blown_up is None:
        reason = f"{falls}, and no rate up to {_shown(last.rate)} blows it up."
    else:
        reason = f"{falls}, more than ten times below {_shown(last.rate)}, where it blows up."
    # One significant digit is all that a test can tell; the limit keeps the two that are shown.
    rate = min(float(f"{steepest:.1g}"), float(_shown(limit)))
    return Suggestion(rate, reason, steepest, blown_up)


def _steepest(rates: Floats, smoothed: Floats, first: int, last: int) -> float | None:
    """Return the rate between two steps at which the loss falls fastest; None if nowhere.

    The slope of the line fitted to values y at evenly spaced x around 0 is sum(x y) / sum(x^2).
    """
    spacing = log10(rates[1] / rates[0])
    reach = max(round(SLOPE_DECADES / spacing), 1)
    first, last = max(first, reach), min(last, len(rates) - 1 - reach)
    if first > last:
        return None
    x = spacing * np.arange(-reach, reach + 1)
    slopes = np.correlate(smoothed[first - reach : last + reach + 1], x, mode="valid") / (x @ x)
    at = int(slopes.argmin())
    return float(rates[first + at]) if slopes[at] < 0 else None


def _shown(rate: float) -> str:
    return f"{rate:.2g}"
