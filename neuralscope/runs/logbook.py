"""What comes out of a training, from the moment it comes out until it is written down.

Losses, measured epochs, events and the rows of snapshots are collected here, and written together
a few times a second. While the store cannot be written they stay in memory, and training goes on:
a loss takes four bytes. They are written in an order in which a kill between any two writings does
no harm: first what led to a snapshot, then the snapshot's row.
"""

from __future__ import annotations

import time
from array import array
from collections import deque
from collections.abc import Callable

import numpy as np

from neuralscope.engine import EpochEnd, Record, StepEnd, Training
from neuralscope.runs.clock import Clock
from neuralscope.runs.records import Event, Progress, StepBlock
from neuralscope.runs.retrying import Retrying
from neuralscope.runs.writer import Writer

MOST_STEPS = 4_000_000
"""Steps whose losses may wait in memory: 16 MB, minutes of the fastest training. Of epochs, which
take a kilobyte each, and of events no run has enough to be worth a limit."""


class Logbook:
    """Collects what comes out of a training, and writes it down through a writer.

    Attributes:
        writer: Who may write the run.
        clock: Shows how long training has taken.
        retrying: For all that goes to the database.
    """

    def __init__(self, writer: Writer, say: Callable[[str], None] = lambda sentence: None) -> None:
        """Begin an empty one.

        Args:
            writer: Who may write the run.
            say: Is told when the store cannot be written, in sentences.
        """
        self.writer = writer
        self.clock = Clock()
        self.retrying = Retrying(self.clock, say, self.tell_delay)
        self._training: Training | None = None
        self._epoch = self._step = 0  # of the last record
        self._n_examples = 0
        self._pace: deque[tuple[float, int]] = deque(maxlen=10)  # (clock, examples) at writings
        self._began = 0.0  # what the clock showed when this process began to train

        # What came out and is not written down.
        self._losses = array("f")
        self._losses_began = 0.0
        self._blocks: list[StepBlock] = []
        self._epochs: list[tuple[EpochEnd, float]] = []
        self._events: list[Event] = []
        self._snapshots: dict[str, Callable[[], None]] = {}

    def begin(self, training: Training, seconds: float) -> None:
        """Follow a training, which took this many seconds to come to where it is."""
        self._training = training
        self._epoch, self._step = training.epoch, training.step
        self._began = seconds
        self._pace.append((seconds, 0))
        self.clock.start(seconds)

    # What comes out ------------------------------------------------------------------------------

    def take(self, record: Record) -> None:
        """Take note of a record."""
        if isinstance(record, StepEnd):
            if not self._losses:
                self._losses_began = self.clock.seconds
            self._losses.append(record.loss)
            self._n_examples += record.n_examples
            self._step = record.step
        elif isinstance(record, EpochEnd):
            self._epochs.append((record, self.clock.seconds))
            self._epoch = record.epoch

    def tell(self, kind: str, text: str) -> None:
        """Leave an event."""
        self._events.append(
            Event(time.time(), kind, text, self._epoch, self._step, self.clock.seconds)
        )

    def tell_delay(self, text: str) -> None:
        """Leave the event that something could not be written for a while."""
        self.tell("delayed", text)

    def list_snapshot(self, name: str, write: Callable[[], None]) -> None:
        """Have a snapshot added to those of the run, or removed from them.

        Args:
            name: Its name; what was to be written of that name before is void.
            write: Called once all that led to the snapshot is written.
        """
        self._snapshots.pop(name, None)
        self._snapshots[name] = write
        self.flush()

    # Writing down --------------------------------------------------------------------------------

    def flush(self) -> bool:
        """Write all that came out since the last time if that can be done; return whether it was.

        Raises:
            StoreError: The store cannot be written at all.
            Disowned: The run is not ours any more.
        """
        self._close_block()
        return self.retrying.attempt(self.write)

    @property
    def is_behind(self) -> bool:
        """Whether there is anything that is not written down."""
        return bool(self._losses or self._blocks or self._epochs or self._events or self._snapshots)

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be written down that training must wait, too."""
        return sum(len(block.losses) for block in self._blocks) >= MOST_STEPS

    def write(self) -> None:
        """Write all that came out since the last time.

        Raises:
            StoreBusy, StoreFull: That is not possible now; nothing of it is lost.
            StoreError: The store cannot be written at all.
            Disowned: The run is not ours any more.
        """
        self._close_block()
        self.writer.record(self._progress(), self._blocks, self._epochs, self._events)
        self._blocks, self._epochs, self._events = [], [], []
        while self._snapshots:
            name = next(iter(self._snapshots))
            self._snapshots[name]()
            del self._snapshots[name]

    def _close_block(self) -> None:
        """End the stretch of steps within which times are taken to be evenly spread."""
        if self._losses:
            first = self._step - len(self._losses) + 1
            losses = np.array(self._losses, np.float32)
            self._blocks.append(StepBlock(first, self._losses_began, self.clock.seconds, losses))
            self._losses = array("f")

    def _progress(self) -> Progress | None:
        if self._training is None:
            return None
        seconds = self.clock.seconds
        if seconds > self._pace[-1][0]:
            self._pace.append((seconds, self._n_examples))
        began, n_before = self._pace[0]
        pace = (self._n_examples - n_before) / (seconds - began) if seconds > began else 0.0
        return Progress(self._epoch, self._step, seconds, pace, self._training.learning_rate)

    @property
    def mean_pace(self) -> float | None:
        """Examples learned per second by this process up to the last writing; None if none were.

        Measured by the clock of that writing, which is what the run's `seconds` are.
        """
        seconds, n_examples = self._pace[-1] if self._pace else (0.0, 0)
        return n_examples / (seconds - self._began) if n_examples else None
