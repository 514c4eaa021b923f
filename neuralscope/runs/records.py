"""What is kept of a run, as values: the run, its measurements, what happened to it.

`rows` reads them from the store's tables, `reading` asks for them, `writer` writes them down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from neuralscope.data import Recipe
from neuralscope.engine import LayerHealth
from neuralscope.runs.config import RunConfig

QUEUED, RUNNING, PAUSED = "queued", "running", "paused"
FINISHED, STOPPED, DIVERGED, FAILED, INTERRUPTED = (
    "finished",
    "stopped",
    "diverged",
    "failed",
    "interrupted",
)
ACTIVE = (QUEUED, RUNNING, PAUSED)
ENDED = (FINISHED, STOPPED, DIVERGED, FAILED, INTERRUPTED)

LONGEST_NAME, LONGEST_TAG, LONGEST_NOTES = 200, 40, 20_000
"""Characters that a run's name, each of its tags, and its notes may have."""

LONGEST_MESSAGE = 2_000
MOST_TAGS = 50


@dataclass(frozen=True)
class Run:
    """A run as it stands at the moment of asking. Times are seconds since 1970.

    Attributes:
        run_id: Its name in the store and in URLs.
        name: Its name for people.
        config: What it trains.
        status: queued, running, paused, finished, stopped, diverged, failed or interrupted.
        message: Why it failed, diverged or was interrupted, or which epoch's weights it was given
            back at its end; else empty.
        created: When it was asked for.
        started: When its first step was taken, or None.
        ended: When it ended, or None.
        data_digest: Fingerprint of the data it was trained on.
        versions: Of Python and the libraries that computed it.
        machine: What computed it.
        steps_per_epoch: Batches an epoch; 0 until its data is loaded.
        epoch: Complete epochs.
        step: Steps taken.
        seconds: Time spent training and measuring, pauses left out.
        samples_per_second: Training examples learned per second, lately; None before it starts.
        learning_rate: The rate now, before the schedule; None before it starts.
        best_epoch: When validation accuracy was best, or None.
        best_validation_accuracy: What it was then, or None.
        test_loss: Mean cross-entropy on the test set at the end, or None.
        test_accuracy: Share of the test set right at the end, or None.
        tags: What it was tagged with, in that order.
        notes: What somebody has written about it.
        starred: Whether somebody has marked it as good.
        archived: Whether somebody has put it out of sight.
        parent_id: The run it was forked from or reproduces, which may be gone; or None.
        parent_epoch: Complete epochs of the parent where it was forked; None for a reproduction.
        parent_step: Steps of the parent where it was forked; None for a reproduction.
        race: What its race is called; empty for none.
        origin: Where it was imported from, in a sentence; empty if it was trained here.
        rewinds: How often it has gone on from before its last rows, which were taken back then.
        recipe: How a drawing becomes a picture like those it was trained on; None for runs of
            before that was written down.
    """

    run_id: str
    name: str
    config: RunConfig
    status: str
    message: str
    created: float
    started: float | None
    ended: float | None
    data_digest: str
    versions: dict[str, str]
    machine: dict[str, Any]
    steps_per_epoch: int
    epoch: int
    step: int
    seconds: float
    samples_per_second: float | None
    learning_rate: float | None
    best_epoch: int | None
    best_validation_accuracy: float | None
    test_loss: float | None
    test_accuracy: float | None
    tags: tuple[str, ...] = ()
    notes: str = ""
    starred: bool = False
    archived: bool = False
    parent_id: str | None = None
    parent_epoch: int | None = None
    parent_step: int | None = None
    race: str = ""
    origin: str = ""
    rewinds: int = 0
    recipe: Recipe | None = None

    @property
    def is_fork(self) -> bool:
        """Whether it began from a snapshot of another run."""
        return self.parent_step is not None

    @property
    def is_active(self) -> bool:
        """Whether it is queued, running or paused."""
        return self.status in ACTIVE

    @property
    def total_steps(self) -> int:
        """Steps of the whole run; 0 until its data is loaded."""
        return self.steps_per_epoch * self.config.epochs

    @property
    def seconds_left(self) -> float | None:
        """Time it will still take at its average pace, in seconds; None while unknown."""
        if not self.step or not self.total_steps:
            return None
        return self.seconds / self.step * (self.total_steps - self.step)


@dataclass(frozen=True)
class UnreadableRun:
    """A run whose row holds what no run can be.

    Attributes:
        run_id: What it is called where it is deleted: its id, or 'row-17' where that is none.
        reason: What is wrong with its row, in a clause: 'status is ...'.
        created: When it was asked for, in seconds since 1970; None where that is not known.
    """

    run_id: str
    reason: str
    created: float | None


class UnreadableRuns(NamedTuple):
    """The first of the runs that cannot be read, and how many there are in all."""

    runs: tuple[UnreadableRun, ...]
    total: int


class Epochs(NamedTuple):
    """The measurements of a run's epochs; each an array (n,), in order."""

    epoch: npt.NDArray[np.int64]
    step: npt.NDArray[np.int64]
    seconds: npt.NDArray[np.float64]
    train_loss: npt.NDArray[np.float64]
    train_accuracy: npt.NDArray[np.float64]
    validation_loss: npt.NDArray[np.float64]
    validation_accuracy: npt.NDArray[np.float64]
    learning_rate: npt.NDArray[np.float64]


class EpochHealth(NamedTuple):
    """How each layer of a run did in an epoch, the first layer first."""

    epoch: int
    layers: tuple[LayerHealth, ...]


class Steps(NamedTuple):
    """The loss of every step of a run; each an array (n,), in order."""

    step: npt.NDArray[np.int64]
    seconds: npt.NDArray[np.float64]
    loss: npt.NDArray[np.float32]


class StepBlock(NamedTuple):
    """The losses of a stretch of steps, and the time of its two ends in seconds of training."""

    first_step: int
    first_seconds: float
    last_seconds: float
    losses: npt.NDArray[np.float32]


class Event(NamedTuple):
    """Something that happened to a run; `text` says it in words."""

    at: float
    kind: str
    text: str
    epoch: int
    step: int
    seconds: float


class Command(NamedTuple):
    """What somebody asks of a trainer: pause, resume, stop or learning_rate (with a value)."""

    kind: str
    value: float | None


class Progress(NamedTuple):
    """Where a run stands, as its trainer writes it down."""

    epoch: int
    step: int
    seconds: float
    samples_per_second: float | None
    learning_rate: float


class Parent(NamedTuple):
    """Where a run comes from; without epoch and step it reproduces the whole of it."""

    run_id: str
    epoch: int | None = None
    step: int | None = None
