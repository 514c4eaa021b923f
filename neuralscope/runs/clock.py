"""A clock that shows how long a training has taken, which waiting is no part of."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Seconds of work. It stands still until it is started, and whenever it is stopped."""

    def __init__(self) -> None:
        """Stand at zero."""
        self._seconds = 0.0  # until it was last set going
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        """What it shows."""
        if self._since is None:
            return self._seconds
        return self._seconds + time.perf_counter() - self._since

    def start(self, seconds: float) -> None:
        """Go on from this many seconds."""
        self._seconds, self._since = seconds, time.perf_counter()

    def leave_out(self, seconds: float) -> None:
        """Go back by time that has passed since it was last set going; quicker than to stop it."""
        self._seconds -= seconds

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stand still for as long as the context lasts."""
        if self._since is None:  # it does already
            yield
            return
        self._seconds, self._since = self.seconds, None
        try:
            yield
        finally:
            self._since = time.perf_counter()
