"""The page's address: what a link carries, read when a page is opened and then kept up to date.

`run` names the run that is shown and `epoch` the moment of it, the latest if left out; on Train the
fields of `RunConfig` stand beside them under their own names, those at their default left out; what
else is chosen on a page stands there under the page's own names. So a link is an experiment, a
moment of one, and a way of looking at it. An address without any field says nothing of a
configuration; the one that is all defaults therefore names its epochs.

What is on the screen is kept in the session, and the address follows. There are two times at which
the address has the say: when a page is opened, and when the browser goes back or forward. Which of
the addresses a page writes become entries of the browser's history is decided in `document.js`.
"""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from neuralscope.errors import ConfigError
from neuralscope.runs import LATEST, SETTINGS, RunConfig
from neuralscope.ui import words

_LONGEST_NUMBER = 9  # digits
_LONGEST_SHOWN = 20  # characters of what somebody has written into the address


# Back and forward --------------------------------------------------------------------------------


def is_restored() -> bool:
    """Return whether the browser has gone back or forward to this address.

    Then the page shows what the address says, whatever the session has been looking at.
    """
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def forget(*prefixes: str) -> None:
    """Let what is chosen on a page be read from the address again, if the browser has gone back.

    Call it when a page is drawn as a whole, before it reads its address.

    Args:
        prefixes: How the keys of the page's choices in the session's state begin.
    """
    if is_restored():
        for key in [str(key) for key in st.session_state if str(key).startswith(prefixes)]:
            del st.session_state[key]


# Reading -----------------------------------------------------------------------------------------


class Reader:
    """Reads parameters of the address, and notes what is wrong with each of them.

    Attributes:
        problems: What is wrong, a sentence each; `complain` shows them.
    """

    def __init__(self) -> None:
        """Start without problems."""
        self.problems: list[str] = []

    def text(self, name: str) -> str | None:
        """Return what the address says, or None."""
        return st.query_params.get(name) or None

    def one_of(self, name: str, options: Iterable[str]) -> str | None:
        """Return the option that the address asks for, None if it asks for none of them."""
        text, known = self.text(name), list(options)
        if text is None or text in known:
            return text
        self.note(name, f"must be {listing(known)}")
        return None

    def whole(self, name: str, least: int, most: int) -> int | None:
        """Return the whole number within these limits that the address asks for, or None."""
        text = self.text(name)
        if text is None:
            return None
        number = _whole(text)
        if number is not None and least <= number <= most:
            return number
        self.note(name, f"must be a whole number from {least:,} to {most:,}")
        return None

    def note(self, name: str, what: str) -> None:
        """Note that a parameter is wrong.

        Args:
            name: The parameter.
            what: What it must be, to follow "In the address, x is 'y', but".
        """
        self.problems.append(_wrong(name, self.text(name) or "", what))


def _whole(text: str) -> int | None:
    is_number = text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
    return int(text) if is_number else None


def _wrong(name: str, text: str, what: str) -> str:
    shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
    return f"In the address, {name} is '{shown}', but {what}."


def listing(items: Iterable[str]) -> str:
    """Return items in a sentence.

    >>> listing(["a", "b", "c"])
    'a, b or c'
    """
    *head, last = items
    return f"{', '.join(head)} or {last}" if head else last


def complain(problems: Iterable[str]) -> None:
    """Show what is wrong with the address, each problem by itself."""
    for problem in problems:
        st.warning(words.plain(problem), icon=":material/search_off:")


def read_config() -> tuple[RunConfig, list[ConfigError]]:
    """Return the configuration in the address, and what in it is not allowed."""
    return RunConfig.from_query(st.query_params.to_dict())


def has_config() -> bool:
    """Return whether the address carries any field of a configuration."""
    return any(name in st.query_params for name in SETTINGS)


def read_run() -> str | None:
    """Return the id of the run that the address asks for."""
    return st.query_params.get("run") or None


def read_epoch() -> tuple[int | None, str]:
    """Return the epoch that the address asks for, None for the latest, and what is wrong with it.

    What is wrong is one sentence, or empty.
    """
    text = st.query_params.get("epoch", "")
    if text in ("", LATEST):
        return None, ""
    epoch = _whole(text)
    problem = _wrong("epoch", text, f"must be a whole number or {LATEST}")
    return epoch, "" if epoch is not None else problem


# Writing -----------------------------------------------------------------------------------------


def write_moment(run_id: str, epoch: str | None) -> None:
    """Make the address name a run and a moment of it, None for the latest; leave the rest."""
    say(run=run_id, epoch=epoch)


def say(**shown: object) -> None:
    """Make the address say what is shown; leave out of it what is None, and leave the rest."""
    now = st.query_params.to_dict()
    new = dict(now)
    for name, value in shown.items():
        if value is None:
            new.pop(name, None)
        else:
            new[name] = str(value)
    _write(now, new)


def write(config: RunConfig | None, run_id: str | None) -> None:
    """Make the address say what the page shows; a configuration that is not whole leaves it."""
    now = st.query_params.to_dict()
    new = dict(now)
    if config is not None:
        new = {name: value for name, value in new.items() if name not in SETTINGS}
        new |= config.as_query() or {"epochs": str(config.epochs)}
    new.pop("run", None)
    if run_id:
        new["run"] = run_id
    else:
        new.pop("epoch", None)
    _write(now, new)


def _write(now: dict[str, str], new: dict[str, str]) -> None:
    if new != now:
        st.query_params.from_dict(new)  # at once: each change is told to the browser
