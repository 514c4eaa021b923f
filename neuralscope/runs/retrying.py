"""What cannot be written yet is written later: a busy store or a full disk ends no training.

Another program may hold the write lock for minutes (a backup, a database browser), and a disk is
full until somebody deletes something. So there are two ways to write here: to attempt it and go on
without, or to insist and wait. While it keeps failing it is tried once in a while, and what is the
matter is told in a sentence, and at the end how long it took.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from neuralscope.errors import StoreBusy, StoreFull
from neuralscope.runs.clock import Clock

PATIENCE = 0.25
"""Seconds to wait for the write lock at each try; the transactions of our own take a few ms."""

RETRY_EVERY = 1.0
"""Seconds between two tries."""

NAP = 0.05
"""Seconds between two looks at what else there is to do, while waiting."""

T = TypeVar("T")


class Retrying:
    """One kind of writing that may be impossible for a while."""

    def __init__(
        self, clock: Clock, say: Callable[[str], None], on_success: Callable[[str], None]
    ) -> None:
        """Expect no trouble.

        Args:
            clock: Stands still while a training waits.
            say: Is told in a sentence when it cannot be written, what that means, and when it can.
            on_success: Is told in a clause how long it took and why, once it has been written.
        """
        self._clock = clock
        self._say = say
        self._on_success = on_success
        self._n_failures = 0
        self._since = 0.0  # when it failed for the first time
        self._next_try = 0.0
        self._reason = ""
        self._waits = False

    def attempt(self, write: Callable[[], object]) -> bool:
        """Write, unless that cannot be done now or failed a moment ago; return whether it was."""
        if self._n_failures and time.monotonic() < self._next_try:
            return False
        try:
            write()
        except (StoreBusy, StoreFull) as error:
            self._fail(error)
            return False
        self._succeed()
        return True

    def insist(self, write: Callable[[], T], meanwhile: Callable[[], None]) -> T:
        """Write, as often as it takes, and return what that returns.

        Args:
            write: What must not be left out.
            meanwhile: Called over and over while waiting; may raise to give up.
        """
        while True:
            try:
                result = write()
            except (StoreBusy, StoreFull) as error:
                self._fail(error)
            else:
                self._succeed()
                return result
            self._wait(meanwhile)

    def _wait(self, meanwhile: Callable[[], None]) -> None:
        if self._n_failures > 1 and not self._waits:
            self._waits = True
            self._say("The run waits until this can be written.")
        with self._clock.stopped():
            while True:
                meanwhile()
                if time.monotonic() >= self._next_try:
                    return
                time.sleep(NAP)

    def _fail(self, error: StoreBusy | StoreFull) -> None:
        now = time.monotonic()
        self._n_failures += 1
        self._next_try = now + RETRY_EVERY
        if self._n_failures == 1:  # which may be over in a moment: nothing to talk about
            self._since = now
        if self._n_failures == 2:
            is_full = isinstance(error, StoreFull)
            self._reason = "the disk was full" if is_full else "the store was busy"
            sentence = str(error) if is_full else "Another program keeps the run store busy."
            self._say(f"Cannot write for now: {sentence} Trying again until it works.")

    def _succeed(self) -> None:
        n_failures, self._n_failures, self._waits = self._n_failures, 0, False
        if n_failures > 1:
            duration = f"{time.monotonic() - self._since:.0f} s"
            self._say(f"Could write again after {duration}; nothing is lost.")
            self._on_success(f"could not write for {duration}: {self._reason}")
