"""Redraws of what moves, one after the other, at a pace that the server keeps up with.

A redraw is some fifty messages. Python runs one thread at a time, and each message lets go of it;
of twenty sessions that redraw at once each would wait for nineteen others fifty times over. So each
waits once, for its turn. And where redraws would take more than half of the server's time, all are
asked for less often; a lone viewer's never are.
"""

from __future__ import annotations

import statistics
import threading
import time
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

PACES: Final = (0.5, 1.0, 2.0, 4.0)
"""Seconds between two redraws: of a lone viewer, and of ever more of them."""

MOST_BUSY: Final = 0.5
"""Part of the server's time that redraws may take before the pace slows."""

LEAST_BUSY: Final = 0.3
"""Part of the time they would have to be content with before the pace quickens again."""

SPREAD: Final = 0.2
"""By how much the pace of sessions differs at most, as a part of it."""

GONE_AFTER: Final = 2 * PACES[-1]
"""Seconds after which a session that has not redrawn counts as gone."""

MOST_REMEMBERED: Final = 30
"""Of how many redraws the usual time is taken."""

PATIENCE: Final = 1.0
"""Seconds that a redraw waits for its turn; then it goes on, whatever keeps the one before it."""


class Turns:
    """The redraws of all sessions of a server."""

    def __init__(self) -> None:
        """Begin without any."""
        self._turn = threading.Lock()
        self._figures = threading.Lock()  # of what follows
        self._last: dict[str, float] = {}
        self._seconds: deque[float] = deque(maxlen=MOST_REMEMBERED)
        self._pace = PACES[0]

    @contextmanager
    def take(self, session: str) -> Iterator[None]:
        """Redraw for a session within this, in turn."""
        is_mine = self._turn.acquire(timeout=PATIENCE)
        began = time.monotonic()
        try:
            yield
        finally:
            if is_mine:
                self._turn.release()
            self._note(session, time.monotonic() - began)

    def _note(self, session: str, seconds: float) -> None:
        with self._figures:
            now = time.monotonic()
            self._last[session] = now
            self._last = {each: at for each, at in self._last.items() if now - at < GONE_AFTER}
            self._seconds.append(seconds)
            usual = statistics.median(self._seconds)  # the first of a server takes far longer
            self._pace = choose_pace(len(self._last), usual, self._pace)

    @property
    def pace(self) -> float:
        """Seconds between two redraws of a session."""
        with self._figures:
            return self._pace


def choose_pace(viewers: int, seconds: float, pace: float) -> float:
    """Return how many seconds there should be between two redraws of a session.

    Args:
        viewers: Sessions that redraw.
        seconds: What a redraw takes.
        pace: What it has been; a quicker one needs some room, so that it does not go to and fro.
    """
    if viewers <= 1:
        return PACES[0]
    for each in PACES:
        busy = viewers * seconds / each
        if busy <= (MOST_BUSY if each >= pace else LEAST_BUSY):
            return each
    return PACES[-1]


@st.cache_resource(show_spinner=False)
def _turns() -> Turns:
    return Turns()


@contextmanager
def take() -> Iterator[None]:
    """Redraw for the session that asks, in turn; also as a decorator."""
    with _turns().take(_session()):
        yield


def pace() -> float:
    """Return the seconds between two redraws of what moves, for the session that asks.

    In a crowd no two are the same: sessions that were opened together would go on asking together.
    """
    seconds = _turns().pace
    if seconds == PACES[0]:
        return seconds
    return seconds * (1 + SPREAD * zlib.crc32(_session().encode()) / 2**32)


def _session() -> str:
    context = get_script_run_ctx()
    return context.session_id if context else ""
