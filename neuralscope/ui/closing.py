"""Closing the dashboard: the trainings that it started are saved and end with it.

They would live on: a server that crashes or is killed takes none of them down, and the next one
finds them. One that is closed in order, by Ctrl-C, SIGTERM or a terminal that is closed, says what
is running and ends it, unless NEURALSCOPE_LEAVE_RUNNING is set. Trainings of a terminal or of
another dashboard are not touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from types import FrameType
from typing import Any

from neuralscope.runs import launcher

LEAVE_RUNNING = "NEURALSCOPE_LEAVE_RUNNING"


@contextlib.asynccontextmanager
async def ending_trainings() -> AsyncIterator[None]:
    """End the trainings of this server with this context, or earlier: when a signal ends it.

    Open pages can keep a server from closing for a while, and then it may be killed.
    """
    # A thread that is not waited for: it must not keep a server alive that gives up waiting.
    ending = threading.Thread(target=end_trainings, daemon=True)
    with _heard(ending):
        yield
    with contextlib.suppress(RuntimeError):  # a signal has started it
        ending.start()
    await asyncio.to_thread(ending.join)


@contextlib.contextmanager
def _heard(ending: threading.Thread) -> Iterator[None]:
    """Begin to end the trainings as soon as a signal tells the server to end."""
    before: dict[int, Any] = {}

    def end(number: int, frame: FrameType | None) -> None:
        if ending.ident is None:
            ending.start()
        if number == getattr(signal, "SIGHUP", None):  # which the server itself does not heed
            signal.raise_signal(signal.SIGTERM)
        elif callable(before[number]):
            before[number](number, frame)

    if threading.current_thread() is threading.main_thread():  # only it may listen
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            # What is ignored stays so: that is how nohup works.
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_trainings() -> None:
    """End what this server trains, or leave it, and say so in the terminal."""
    running = launcher.training()
    if not running:
        return
    runs = f"{len(running)} training run{'s' if len(running) > 1 else ''}: {', '.join(running)}"
    if os.environ.get(LEAVE_RUNNING):
        _say(f"Leaving {runs}. The next dashboard shows what is still running.")
        return
    _say(f"Ending {runs}. What was learned is saved; resume from the Runs page or a terminal.")
    if left := launcher.end_trainers():
        _say(f"Not ended within {launcher.PATIENCE:.0f} s, and left running: {', '.join(left)}.")


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
