"""What is said on standard error: lines that stay, and one that is drawn over and over."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
from typing import TextIO

from neuralscope.cli.words import one_line
from neuralscope.errors import shortened


class StatusLine:
    """The last line of a terminal, drawn over and over; elsewhere only lines that stay.

    Attributes:
        is_live: Whether there is a terminal to draw on.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._drawn = 0  # characters that stand there now
        self._lock = threading.Lock()
        self.is_live = stream is not None and stream.isatty()

    @property
    def width(self) -> int:
        """Characters that fit on it: one less than there are columns, or some terminals wrap."""
        columns = 0
        if self._stream is not None:
            with contextlib.suppress(OSError, ValueError):
                columns = os.get_terminal_size(self._stream.fileno()).columns
        return max(columns or 80, 2) - 1

    def show(self, text: str) -> None:
        """Draw this in place of what stands there; nothing where there is no terminal."""
        if self.is_live:
            text = text[: self.width]
            with self._lock:
                # Overwritten with blanks: any terminal can do that, without escape codes.
                self._write(f"\r{text.ljust(self._drawn)}")
                self._drawn = len(text)

    def clear(self) -> None:
        """Leave an empty line."""
        with self._lock:
            self._write(self._blank())

    def say(self, text: str) -> None:
        """Write a line that stays."""
        with self._lock:
            self._write(f"{self._blank()}{text}\n")

    def _blank(self) -> str:
        n_characters, self._drawn = self._drawn, 0
        return f"\r{' ' * n_characters}\r" if n_characters else ""

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # Nobody reads it any more; that is no reason to end a training.
            self._stream, self.is_live = None, False


def say(message: str, options: argparse.Namespace) -> None:
    """Write one line that names the command it comes from."""
    StatusLine(sys.stderr).say(f"{options.parser.prog}: {shortened(one_line(message))}")
