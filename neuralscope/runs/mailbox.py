"""What a trainer is asked for: by commands in the store, and by signals.

Commands are read, and readers wait for nobody: while the store cannot be written, a run is paused
and stopped all the same, and that it was is written down later.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from neuralscope.engine import Training
from neuralscope.errors import StoreError
from neuralscope.runs.logbook import Logbook
from neuralscope.runs.records import INTERRUPTED, PAUSED, QUEUED, RUNNING, STOPPED, Command
from neuralscope.runs.retrying import NAP
from neuralscope.runs.store import Store
from neuralscope.runs.writer import Disowned

GRACE = 3.0
"""Seconds that are left for writing to whoever is told to end; service managers kill after 10."""


class Ended(Exception):
    """The run is over; carries its status and message."""

    def __init__(self, status: str, message: str = "") -> None:
        """Keep both."""
        super().__init__(message)
        self.status = status
        self.message = message


class Abandoned(StoreError):
    """The process was told to end while it could not write down that its run has ended."""


class Mailbox:
    """Reads what a run is asked for, and waits while it may not train.

    Attributes:
        status: Queued, running or paused, as was asked for last.
    """

    def __init__(self, store: Store, logbook: Logbook, on_wait: Callable[[int], None]) -> None:
        """Wait in the queue.

        Args:
            store: Where the run is kept.
            logbook: Its logbook.
            on_wait: Is told the place in the queue, or 0 for a pause, over and over while waiting.
        """
        self.status = QUEUED
        self._store = store
        self._logbook = logbook
        self._writer = logbook.writer
        self._on_wait = on_wait
        self._written_status = QUEUED
        self._signal = ""  # name of the signal that told it to end
        self._deadline: float | None = None  # once it was told to end
        self._training: Training | None = None
        self._on_pause: Callable[[], object] = lambda: None
        self._early: list[Command] = []  # for a training that is not there yet

    def attend(self, training: Training, on_pause: Callable[[], object]) -> None:
        """Obey on behalf of a training from here on; begin with what was asked of it before."""
        self._training, self._on_pause = training, on_pause
        for command in self._early:
            self._carry_out(command)

    # Commands ------------------------------------------------------------------------------------

    def obey(self) -> None:
        """Do what has been asked; come back when the run is running.

        Raises:
            Ended: It was asked to end.
            Disowned: It is not ours any more.
        """
        self._read()
        if self.status == RUNNING:
            return
        with self._logbook.clock.stopped():
            while self.status != RUNNING:
                # A run that is not in the queue has place 0.
                self._on_wait(self._store.place_in_queue(self._writer.run_id))
                time.sleep(NAP)
                self._read()

    def _read(self) -> None:
        self._check_wanted()
        attempt = self._logbook.retrying.attempt
        commands = self._writer.take_commands()
        if self._writer.has_unmarked:
            attempt(self._writer.mark_taken)
        for command in commands:
            self._carry_out(command)
        self._write_status()
        if self.status == QUEUED == self._written_status:
            attempt(self._claim_slot)
        if self.status != RUNNING and self._logbook.is_behind:
            self._logbook.flush()

    def _claim_slot(self) -> None:
        if self._writer.claim_slot():
            self.status = self._written_status = RUNNING

    def _carry_out(self, command: Command) -> None:
        if command.kind == "stop":
            raise Ended(STOPPED)
        if command.kind == "pause" and self.status != PAUSED:
            self._logbook.tell("paused", "paused")
            self.status = PAUSED
            self._write_status()
            self._on_pause()
        elif command.kind == "resume" and self.status == PAUSED:
            self._logbook.tell("resumed", "resumed")
            self.status = QUEUED
            self._write_status()
        elif command.kind == "learning_rate" and self._training is None:
            self._early.append(command)
        elif command.kind == "learning_rate" and command.value is not None and self._training:
            before, self._training.learning_rate = self._training.learning_rate, command.value
            self._logbook.tell(
                "learning_rate", f"learning rate {before:g} \u2192 {command.value:g}"
            )
            self._logbook.flush()

    def _write_status(self) -> None:
        """Write that the run is paused or queued, once what led to it is written."""
        if self.status == self._written_status or not self._logbook.flush():
            return
        status = self.status
        write = self._writer.enqueue if status == QUEUED else self._set_paused
        if self._logbook.retrying.attempt(write):
            self._written_status = status

    def _set_paused(self) -> None:
        self._writer.set_status(PAUSED)

    def _check_wanted(self) -> None:
        if self._signal:
            raise Ended(INTERRUPTED, f"Interrupted by {self._signal}.")
        if not self._writer.is_mine():
            raise Disowned(
                f"Run {self._writer.run_id} was deleted or is trained by another process."
            )

    # Signals -------------------------------------------------------------------------------------

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Turn signals into a wish to end, for as long as the context lasts."""

        def heard(number: int, frame: FrameType | None) -> None:
            self._signal = signal.Signals(number).name
            self.hurry()

        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may listen
            return
        names = ("SIGINT", "SIGTERM", "SIGHUP")
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        # What is ignored stays ignored: that is how nohup works.
        heeded = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, heard) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @property
    def is_told_to_end(self) -> bool:
        """Whether there was a signal."""
        return bool(self._signal)

    def hurry(self) -> None:
        """Allow little time for what is still to be written; when told twice, none."""
        now = time.monotonic()
        self._deadline = now + GRACE if self._deadline is None else now

    def check_deadline(self) -> None:
        """Give up what cannot be written, once the time for it is over.

        Raises:
            Abandoned: It is.
        """
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise Abandoned(
                f"Run {self._writer.run_id} was told to end while nothing could be written. What "
                "came out since then is lost; the run can be resumed from its last snapshot."
            )
