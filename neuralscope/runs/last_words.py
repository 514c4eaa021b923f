"""What a trainer that the dashboard started has printed: `trainer.log` in the run's folder.

Nobody reads the terminal of such a process. A trainer that dies cannot say why in the store, but it
may have left a traceback here, and its starter adds by what it was killed. So whoever looks at the
run reads here why it ended, also where the starter is gone too.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
from pathlib import Path
from typing import BinaryIO

LOG_NAME = "trainer.log"

MOST_BYTES = 20_000
"""Of a log's end that are read: it may have grown to any size."""

LONGEST_LINE = 300
"""Characters of its last line that fit into a sentence."""

_ENDED = {0, 1, 130}
"""The statuses of a trainer that has told why it ends: in the store or in the log."""


def begin(folder: Path) -> BinaryIO:
    """Return the log of a trainer that is about to start, new and empty.

    Raises:
        OSError: It cannot be made.
    """
    remove(folder)
    # A new file: what a process that is gone still adds to its log must not get into this one.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    return os.fdopen(os.open(folder / LOG_NAME, flags, 0o600), "wb", buffering=0)


def remove(folder: Path) -> None:
    """Forget what the last trainer of a run printed: the next one may print elsewhere."""
    with contextlib.suppress(OSError):
        (folder / LOG_NAME).unlink()


def add_end(log: BinaryIO, status: int) -> None:
    """Add how the process ended, if it did not say so itself.

    Args:
        log: What `begin` returned, to which the process has written meanwhile.
        status: As `subprocess` has it: negative for a signal.
    """
    if status in _ENDED:
        return
    text = f"exit status {status}" if status >= 0 else f"killed by {_signal_name(-status)}"
    log.write(f"\n{text}\n".encode())


def _signal_name(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:  # one that this Python has no name for
        return f"signal {number}"
    # What Linux sends to the largest process when memory runs out; who sent it, nobody is told.
    return f"{name} (out of memory?)" if name == "SIGKILL" else name


def read(folder: Path) -> str | None:
    """Return the end of a run's log as text; None where there is no log that could be read."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(folder / LOG_NAME, flags)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device has no end
            return None
        os.lseek(descriptor, max(0, status.st_size - MOST_BYTES), os.SEEK_SET)
        return os.read(descriptor, MOST_BYTES).decode(errors="replace").strip()
    except OSError:
        return None
    finally:
        os.close(descriptor)


def last_line(log: str) -> str:
    """Return the last line of a log if it may say why the process ended; else nothing.

    That is the error of a traceback, what `add_end` has added, or a sentence of ours. A warning of
    Python ends in the line of code, which is indented.
    """
    lines = log.splitlines()
    if not lines or lines[-1][:1].isspace():
        return ""
    line = " ".join("".join(c if c.isprintable() else " " for c in lines[-1]).split())
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 3] + "..."
