"""How a training gets on: epoch, loss, accuracy, pace, and the time that is left."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING

from neuralscope.cli.status_line import StatusLine
from neuralscope.cli.words import duration, number, percent
from neuralscope.errors import StoreError

if TYPE_CHECKING:
    from neuralscope.data import Dataset
    from neuralscope.engine import EpochEnd, Network
    from neuralscope.engine.training import Record
    from neuralscope.runs import Run, RunConfig, Store

DRAW_EVERY = 0.1
"""Seconds between two drawings of the progress bar."""

NEWS_EVERY = 3
"""Drawings between two looks at what the dashboard has asked for."""

LINE_EVERY = 2.0
"""Seconds between two lines about epochs, where there is no terminal to draw on."""


class Progress:
    """Shows how a run gets on: a bar on a terminal, elsewhere a line an epoch, or fewer.

    A thread of its own draws, so that a slow terminal does not slow training, and so that a pause,
    in which nothing is recorded, is shown as well.
    """

    def __init__(
        self, line: StatusLine, store: Store, run_id: str, config: RunConfig, done: float = 0.0
    ) -> None:
        """Prepare to show a run of which this share is done already."""
        from neuralscope.data import dataset_info

        self._line = line
        self._store = store
        self._run_id = run_id
        self._epochs = config.epochs
        self._n_in_all = dataset_info(config.dataset).n_train * config.epochs
        self._state = "starting"  # why nothing is learned now; empty while it is
        self._epoch = 1
        self._n_learned = round(done * self._n_in_all)
        self._marks: deque[tuple[float, int]] = deque(maxlen=100)  # (clock, examples learned)
        self._loss = Smoothed()
        self._last: EpochEnd | None = None
        self._told_epoch = 0
        self._told_at = -math.inf
        self._told_until = time.time()  # a run that is resumed has events of before
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        self._line.clear()
        self._tell_news()
        if not self._line.is_live and self._last and self._last.epoch != self._told_epoch:
            self._tell_epoch(self._last)

    # Called by the trainer, between two steps ----------------------------------------------------

    def on_record(self, record: Record) -> None:
        """Take note of a record."""
        from neuralscope.engine import EpochEnd, StepEnd

        if isinstance(record, StepEnd):
            if not self._marks:
                self._marks.append((time.perf_counter(), self._n_learned))
            self._state = ""
            self._epoch = record.epoch
            self._n_learned += record.n_examples
            self._loss.add(record.loss)
        elif isinstance(record, EpochEnd) and record.epoch:
            self._last = record
            if not self._line.is_live:
                is_due = time.perf_counter() - self._told_at >= LINE_EVERY
                if is_due or record.epoch == self._epochs:
                    self._tell_epoch(record)

    def on_wait(self, place: int) -> None:
        """Take note of the place in the queue; 0 is a pause."""
        state = f"waiting: place {place} in the queue" if place else "paused"
        if state != self._state and not self._line.is_live:
            self._line.say(state)
        self._state = state

    # In the thread -------------------------------------------------------------------------------

    def _watch(self) -> None:
        drawings = 0
        while not self._over.wait(DRAW_EVERY):
            drawings += 1
            if drawings % NEWS_EVERY == 0:
                self._tell_news()
            if self._state:
                self._marks.clear()  # the pace is that of learning
            elif self._marks:
                self._marks.append((time.perf_counter(), self._n_learned))
            self._line.show(self._text())

    def _tell_news(self) -> None:
        """Say what the dashboard has asked for since the last time."""
        from neuralscope.runs import PAUSED

        with contextlib.suppress(StoreError):
            events = self._store.events(self._run_id)
            for event in (event for event in events if event.at > self._told_until):
                if event.kind in ("paused", "resumed", "stopped", "learning_rate"):
                    self._line.say(
                        f"epoch {event.epoch + 1}: {event.text} "
                        "(from the dashboard or another terminal)"
                    )
            self._told_until = max([self._told_until, *(event.at for event in events)])
            if self._store.run(self._run_id).status == PAUSED:
                self._state = "paused"
            elif self._state == "paused":
                self._state = ""

    # Words ---------------------------------------------------------------------------------------

    def _text(self) -> str:
        """Return the line for a terminal, as much of it as fits."""
        facts = [f"epoch {self._epoch}/{self._epochs}"]
        if self._state:
            facts.append(self._state)
        else:
            facts += self._facts(self._last)
        while len(facts) > 1 and len("  ".join(facts)) > self._line.width:
            facts.pop()
        room = self._line.width - len("  ".join(facts)) - len("  []")
        if room >= 8:
            facts.insert(1, f"[{bar(self._n_learned / self._n_in_all, min(room, 30))}]")
        return "  ".join(facts)

    def _tell_epoch(self, record: EpochEnd) -> None:
        self._told_epoch, self._told_at = record.epoch, time.perf_counter()
        facts = [f"epoch {record.epoch}/{self._epochs}", *self._facts(record)]
        self._line.say("  ".join(facts))

    def _facts(self, measured: EpochEnd | None) -> list[str]:
        facts = []
        if self._loss.value is not None:
            facts.append(f"loss {number(self._loss.value)}")
        if measured is not None:
            facts.append(f"val. {percent(measured.validation_accuracy)}")
        pace = self._pace()
        if pace:
            facts.append(f"{pace:.0f}/s" if pace < 1000 else f"{pace / 1000:,.0f}k/s")
            # What a resumed run had learned before is known only roughly.
            is_over = measured is not None and measured.epoch == self._epochs
            if self._n_learned < self._n_in_all and not is_over:
                facts.append(f"{duration((self._n_in_all - self._n_learned) / pace)} left")
        return facts

    def _pace(self) -> float | None:
        """Return the examples learned per second over the last 10 s, measuring included."""
        marks = tuple(self._marks)
        if not marks:
            return None
        began, n_before = marks[0]
        seconds = time.perf_counter() - began
        return (self._n_learned - n_before) / seconds if seconds > 0 else None


class Smoothed:
    """An average in which what is new counts most: half of it comes from the last 35 values."""

    DECAY = 0.98

    def __init__(self) -> None:
        self._sum = self._weight = 0.0

    def add(self, value: float) -> None:
        """Take in one more value."""
        self._sum = self.DECAY * self._sum + value
        self._weight = self.DECAY * self._weight + 1

    @property
    def value(self) -> float | None:
        """The average, or None while there is nothing to average."""
        return self._sum / self._weight if self._weight else None


def bar(share: float, width: int) -> str:
    """Return a bar of so many letters that is full by this share."""
    n_full = round(min(max(share, 0.0), 1.0) * width)
    return "#" * n_full + "." * (width - n_full)


def train_in_sight(
    line: StatusLine, store: Store, run_id: str, dataset: Dataset
) -> tuple[Run, Network | None]:
    """Train a queued run in this process and show how it gets on.

    Returns:
        The run as it ended, and its network.

    Raises:
        StoreError: The store cannot be used any more.
    """
    from neuralscope.runs.trainer import Trainer

    run = store.run(run_id)
    done = run.step / run.total_steps if run.total_steps else 0.0
    progress = Progress(line, store, run_id, run.config, min(done, 1.0))
    trainer = Trainer(
        store,
        run_id,
        dataset=dataset,
        is_watched=False,
        on_record=progress.on_record,
        on_wait=progress.on_wait,
        on_trouble=line.say,
    )
    with progress:
        return trainer.run(), trainer.network
