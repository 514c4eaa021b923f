"""What the Runs page is asked for: the state of its controls, and its address.

    view    all, compare or race
    runs    the ids of the chosen runs, with commas between them
    search, status, data, tag, show     which runs are listed
    sort, order, page                   in which order, and which page of the list

All of it is kept for the session; what is at its default is left out of the address.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import streamlit as st

from neuralscope.runs import ACTIVE, DIVERGED, FAILED, FINISHED, INTERRUPTED, STOPPED, Run
from neuralscope.runs.listing import SORTS, Query
from neuralscope.ui import address, words

VIEWS = {"all": "All runs", "compare": "Compare", "race": "Race"}
SHOWN = {"all": "All", "starred": "Starred", "archived": "Archived"}
STATUSES = (*ACTIVE, FINISHED, STOPPED, DIVERGED, FAILED, INTERRUPTED)
ORDERS = ("down", "up")
_WORDS = ("name", "dataset", "optimizer", "status")
PER_PAGE = 15

MOST_IN_ADDRESS = 100
"""Chosen runs that an address names; browsers cut off very long ones."""

_LONGEST = 200
_LONGEST_TITLE = 60
_RUN_ID = re.compile(r"[0-9a-f-]{1,40}")
_MOST_REMEMBERED = 5


class _Parameter(NamedTuple):
    """A parameter of the address: its default, and how it is read from text and written as text.

    Reading raises ValueError with what the parameter must be.
    """

    default: Any
    read: Callable[[str], Any]
    write: Callable[[Any], str]


def _one_of(allowed: tuple[str, ...], default: str) -> _Parameter:
    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"{', '.join(allowed[:-1])} or {allowed[-1]}")
        return text

    return _Parameter(default, read, str)


def _some_of(allowed: tuple[str, ...]) -> _Parameter:
    def read(text: str) -> list[str]:
        given = list(dict.fromkeys(text.split(",")))
        if not set(given) <= set(allowed):
            raise ValueError(f"some of {', '.join(allowed)}, separated by commas")
        return given

    return _Parameter([], read, ",".join)


def _read_runs(text: str) -> list[str]:
    given = list(dict.fromkeys(each for each in text.split(",") if each))
    if not all(_RUN_ID.fullmatch(each) for each in given):
        raise ValueError("the IDs of runs, separated by commas")
    return given[:MOST_IN_ADDRESS]


def _read_page(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 7 and int(text)):
        raise ValueError("a whole number from 1")
    return int(text)


_TEXT = _Parameter("", lambda text: text[:_LONGEST], str)

_PARAMETERS = {
    "view": _one_of(tuple(VIEWS), "all"),
    "runs": _Parameter([], _read_runs, lambda ids: ",".join(ids[:MOST_IN_ADDRESS])),
    "search": _TEXT,
    "status": _some_of(STATUSES),
    "data": _TEXT,
    "tag": _TEXT,
    "show": _one_of(tuple(SHOWN), "all"),
    "sort": _one_of(tuple(SORTS), "created"),
    "order": _one_of(ORDERS, "down"),
    "page": _Parameter(1, _read_page, str),
}
FILTERS = ("search", "status", "data", "tag", "show")


def key(name: str) -> str:
    """Return the key in the session's state of a parameter of the address."""
    return f"runs_{name}"


def get(name: str) -> Any:
    """Return what a parameter is at now."""
    return st.session_state[key(name)]


def put(name: str, value: Any) -> None:
    """Set a parameter; call it from a callback, or before its control is drawn."""
    st.session_state[key(name)] = value


def query() -> Query:
    """Return which runs the list is to show."""
    shown = get("show")
    return Query(
        search=get("search"),
        statuses=tuple(get("status")),
        dataset=get("data") or "",
        tag=get("tag") or "",
        starred=True if shown == "starred" else None,
        archived=shown == "archived",
        sort=get("sort"),
        descending=get("order") == "down",
        limit=PER_PAGE,
        offset=PER_PAGE * (get("page") - 1),
    )


def is_filtered() -> bool:
    """Return whether any filter is set."""
    return any(get(name) != _PARAMETERS[name].default for name in FILTERS)


def clear_filters() -> None:
    """Show all runs again."""
    for name in FILTERS:
        put(name, _PARAMETERS[name].default)
    from_the_start()


def from_the_start() -> None:
    """Go to the first page of the list; for whatever changes the list."""
    put("page", 1)
    st.session_state["runs_problems"] = []


def choose(run_ids: list[str]) -> None:
    """Make these the chosen runs; call it from a callback."""
    put("runs", run_ids)
    st.session_state["runs_problems"] = []


def sort_by(name: str) -> None:
    """Sort by something else, or the other way round if the list is sorted by it already."""
    if get("sort") == name:
        put("order", "up" if get("order") == "down" else "down")
        from_the_start()
    else:
        put("sort", name)
        order_as_usual()


def order_as_usual() -> None:
    """Order the list as one expects of what it is sorted by: words from A, numbers from the top."""
    put("order", "up" if get("sort") in _WORDS else "down")
    from_the_start()


# The address -------------------------------------------------------------------------------------


def take_up(*, is_new: bool) -> list[str]:
    """Take over what the address asks for, and return what is wrong with it in sentences.

    Args:
        is_new: Whether the session comes from another page. While it stays on this one, an address
            that this page has lately written itself has nothing new to say: a browser may send an
            old one, if it is quicker than the answer to the click before.
    """
    state = st.session_state
    for name, parameter in _PARAMETERS.items():
        state.setdefault(key(name), parameter.default)
    asked = {name: st.query_params[name] for name in _PARAMETERS if name in st.query_params}
    is_old = not asked or (asked in state.get("runs_addresses", []) and not is_new)
    if is_old and not address.is_restored():
        return list(state.get("runs_problems", []))
    problems = []
    for name, parameter in _PARAMETERS.items():
        put(name, parameter.default)
        if name in asked:
            try:
                put(name, parameter.read(asked[name]))
            except ValueError as error:
                text = asked[name] if len(asked[name]) <= 20 else f"{asked[name][:20]}..."
                problems.append(f"In the address, {name} is {text!r}, but must be {error}.")
    state["runs_problems"] = problems
    return problems


def write() -> None:
    """Make the address say what the page shows."""
    state = st.session_state
    said = {
        name: parameter.write(get(name))
        for name, parameter in _PARAMETERS.items()
        if get(name) != parameter.default
    }
    now = st.query_params.to_dict()
    new = {name: text for name, text in now.items() if name not in _PARAMETERS} | said
    if new != now:
        st.query_params.from_dict(new)
    written = [each for each in state.get("runs_addresses", []) if each != said]
    state["runs_addresses"] = [*written[-_MOST_REMEMBERED:], said]


def title(run: Run) -> str:
    """Return what a run is called, on one line of Markdown, cut off where it becomes a novel."""
    name = " ".join(run.name.split())
    return words.plain(name if len(name) <= _LONGEST_TITLE else f"{name[: _LONGEST_TITLE - 3]}...")


def names(runs: list[Run]) -> str:
    """Return what runs are called, in a sentence: 'A, B, C and 3 more'."""
    shown = ", ".join(title(run) for run in runs[:3])
    return shown + (f" and {len(runs) - 3:,} more" if len(runs) > 3 else "")
