"""Where a failure ends: as a sentence on the page.

`frame.page` shows what its script raises. What fails beside the script would end in silence, or in
words that are not ours, so it goes through here:

    in a fragment or a callback   `show_uncaught`, which the server calls (see `dashboard.py`)
    in a thread                   `Background.start`: its Future raises nothing but a sentence
    while a file is made          `download_button`: the sentence stands below the button

An error of ours brings its sentence. Any other is a bug or a fault of the machine: the page names
its type, and the terminal gets the traceback. `tests/ui/test_failures.py` forbids other ways.
"""

from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import streamlit as st

from neuralscope.errors import NeuralScopeError
from neuralscope.ui import words

P = ParamSpec("P")
T = TypeVar("T")

LOOK_EVERY = 0.25
"""Seconds between two looks for a file that is being made."""

LOST_AFTER = 10.0
"""Seconds after which a file that nobody has begun to make counts as not asked for."""

_LOG = logging.getLogger(__name__)


class Failed(NeuralScopeError):
    """Something failed that no error of ours explains; the terminal has its traceback."""


# Saying it ---------------------------------------------------------------------------------------


def explain(error: Exception, doing: str) -> str:
    """Return what the page says of an error; the terminal is told of one that is not ours.

    Args:
        error: What was raised.
        doing: What failed, as the beginning of a sentence: 'Checking the data'.
    """
    if not isinstance(error, NeuralScopeError):
        _LOG.error("%s failed.", doing, exc_info=error)
    return _sentence(error, doing)


def _sentence(error: Exception, doing: str) -> str:
    kind = type(error).__name__
    match error:
        case NeuralScopeError():
            return str(error)
        case MemoryError():
            return f"{doing} failed: there is not enough memory ({kind})."
        case OSError(strerror=str() as reason):
            return f"{doing} failed: {reason} ({kind})."
    return (
        f"{doing} failed with an unexpected error ({kind}). "
        "The terminal that NeuralScope runs in tells more."
    )


def show_uncaught(error: Exception) -> bool:
    """Show what a page, a fragment or a callback has raised; Streamlit has told the terminal.

    Returns:
        That it has been shown.
    """
    st.error(words.plain(_sentence(error, "Showing this page")), icon=":material/error:")
    return True


@contextmanager
def shown() -> Iterator[None]:
    """Show the error of ours that is raised inside, and go on with the page."""
    try:
        yield
    except NeuralScopeError as error:
        st.error(words.plain(error), icon=":material/error:")


# In a thread -------------------------------------------------------------------------------------


class Background:
    """A thread beside the pages, which does one thing after the other."""

    def __init__(self, name: str) -> None:
        """Start nothing yet.

        Args:
            name: Of the thread.
        """
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    def start(
        self, doing: str, function: Callable[P, T], *args: P.args, **options: P.kwargs
    ) -> Future[T]:
        """Have a function called when the thread gets to it.

        Args:
            doing: What it does, as the beginning of a sentence: 'Checking the data'.
            function: What to call.
            args: Its arguments.
            options: Its named arguments.

        Returns:
            What comes of it. Its `result` raises NeuralScopeError, and nothing else once it is
            done and was not cancelled.
        """
        return self._pool.submit(lambda: explained(doing, function, *args, **options))


def explained(doing: str, function: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Return what a function returns.

    Raises:
        NeuralScopeError: Whatever it has raised, in a sentence.
    """
    try:
        return function(*args, **options)
    except NeuralScopeError:
        raise
    except Exception as error:
        sentence = explain(error, doing)
    raise Failed(sentence)  # out here, it does not hold on to what the function worked on


# Making a file -----------------------------------------------------------------------------------


class _Making:
    """The files that a button was asked for; the page and a thread of the server look at it."""

    def __init__(self) -> None:
        self.problem = ""
        self._n_asked = self._n_begun = self._n_ended = 0
        self._asked_at = 0.0
        self._lock = threading.Lock()

    def ask(self) -> None:
        """Note that the button was pressed. Streamlit has the file made at the same time."""
        with self._lock:
            self._n_asked += 1
            self._asked_at = time.monotonic()

    def make(self, doing: str, function: Callable[[], bytes]) -> io.BytesIO:
        """Make the file.

        Raises:
            NeuralScopeError: It cannot be made; the browser then gets none.
        """
        with self._lock:
            self._n_begun += 1
            self.problem = ""
        try:
            return io.BytesIO(explained(doing, function))
        except NeuralScopeError as error:
            self.problem = str(error)
            raise
        finally:
            with self._lock:
                self._n_ended += 1

    def is_under_way(self) -> bool:
        """Return whether a file was asked for and has not come yet."""
        with self._lock:
            is_lost = time.monotonic() - self._asked_at > LOST_AFTER
            if self._n_begun < self._n_asked and is_lost:
                self._n_begun = self._n_ended = self._n_asked
                self.problem = "The server was not asked for the file. Press the button once more."
            return self._n_ended < self._n_asked


def download_button(
    label: str, make: Callable[[], bytes], *, doing: str, key: str, **options: Any
) -> None:
    """Draw a button that has a file made when it is pressed, and say below why none has come.

    Args:
        label: What the button says, in Markdown.
        make: Makes the file; called in a thread of the server.
        doing: What that is, as the beginning of a sentence: 'Exporting the run'.
        key: Tells it from the other buttons.
        options: Of `st.download_button`.
    """
    making: _Making = st.session_state.setdefault(f"{key}_making", _Making())
    st.download_button(
        label, lambda: making.make(doing, make), key=key, on_click=making.ask, **options
    )
    if making.is_under_way():
        st.fragment(_wait_for_file, run_every=LOOK_EVERY)(making)
    elif making.problem:
        st.error(words.plain(making.problem), icon=":material/error:")


def _wait_for_file(making: _Making) -> None:
    if not making.is_under_way():
        st.rerun()
    st.caption(":material/hourglass_empty: Making the file.")
