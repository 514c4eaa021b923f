"""Learning-rate schedules: large steps to get there, small ones to settle.

Each is a factor by which the learning rate is multiplied, from the share of training that is done
or the number of epochs:

    constant   1
    step       decay_factor ^ (whole times decay_every epochs have passed)
    linear     1 - progress
    cosine     (1 + cos(pi progress)) / 2          (Loshchilov and Hutter 2017, without restarts)

A warm-up, if asked for, climbs to the full rate over its epochs first; the schedule then runs over
the rest. Time is counted in steps, so that the rate changes smoothly within an epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi


@dataclass(frozen=True)
class Schedule:
    """The factor of the learning rate at each step.

    Attributes:
        name: Key in `SCHEDULES`.
        steps_per_epoch: Batches in an epoch.
        epochs: Length of the training.
        warmup_epochs: Length of the climb at its start.
        decay_every: For 'step': epochs between two drops.
        decay_factor: For 'step': what a drop multiplies with.
    """

    name: str
    steps_per_epoch: int
    epochs: int
    warmup_epochs: float = 0.0
    decay_every: int = 10
    decay_factor: float = 0.5

    def __call__(self, step: int) -> float:
        """Return the factor for the step with this number, counted from 0.

        >>> [Schedule("linear", steps_per_epoch=1, epochs=4)(step) for step in range(4)]
        [1.0, 0.75, 0.5, 0.25]
        """
        warmup = self.warmup_epochs * self.steps_per_epoch
        if step < warmup:
            return (step + 1) / (warmup + 1)
        after = step - warmup
        rest = self.epochs * self.steps_per_epoch - warmup
        return SCHEDULES[self.name](self, min(after / rest, 1.0), after / self.steps_per_epoch)


def _constant(schedule: Schedule, progress: float, epochs: float) -> float:
    return 1.0


def _step(schedule: Schedule, progress: float, epochs: float) -> float:
    return schedule.decay_factor ** int(epochs / schedule.decay_every)


def _linear(schedule: Schedule, progress: float, epochs: float) -> float:
    return 1 - progress


def _cosine(schedule: Schedule, progress: float, epochs: float) -> float:
    return (1 + cos(pi * progress)) / 2


SCHEDULES: dict[str, Callable[[Schedule, float, float], float]] = {
    "constant": _constant,
    "step": _step,
    "linear": _linear,
    "cosine": _cosine,
}
"""By name: (schedule, progress 0 to 1, epochs since the warm-up) -> factor; menus read this."""
