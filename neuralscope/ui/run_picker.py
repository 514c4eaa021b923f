"""Which run is shown: the one in the address, else a live one, else none."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

import streamlit as st

from neuralscope.errors import RunNotFound, StoreError
from neuralscope.runs import Run
from neuralscope.runs.listing import newest
from neuralscope.ui import address, place, resources, words

MOST_SHOWN = 100
NONE = ""


def pick() -> Run | None:
    """Return the run that this session looks at; an address of a run that is gone is told."""
    store = resources.store()
    state = st.session_state
    asked = address.read_run()
    if address.is_restored():
        look_at(asked)
        del state["epoch_seen"]  # to be read from the address
    elif "run_seen" not in state:
        # A link to an experiment opens that experiment, whatever is running.
        state["run_seen"] = asked or (None if address.has_config() else _live_run())
    elif asked is not None and state.get("page_is_new"):
        _follow_link(asked)
    run_id = state["run_seen"]
    if run_id is None:
        return None
    try:
        return store.run(run_id)
    except RunNotFound as error:
        gone = (
            f"{error} It may have been deleted, or be kept in another store. "
            "Choose another run, or train a new one."
        )
        _, problem = address.read_epoch()
        address.complain(filter(None, (gone, problem)))
        return None
    except StoreError as error:
        st.warning(words.plain(error), icon=":material/search_off:")
        return None


def _follow_link(run_id: str) -> None:
    """Turn to the run, and the epoch if there is one, of a link from another page."""
    if run_id != st.session_state["run_seen"]:
        look_at(run_id)
        del st.session_state["epoch_seen"]  # to be read from the address
    elif address.read_epoch() != (None, ""):
        st.session_state.pop("epoch_seen", None)


def pick_any() -> Run | None:
    """Return the run that this session looks at, else the newest; None if there is no run."""
    run = pick()
    if run is None:
        runs = newest(resources.store(), 1)
        if st.session_state.get("run_seen") is None and runs:
            run = runs[0]
            st.session_state["run_seen"] = run.run_id
    return run


def look_at(run_id: str | None) -> None:
    """Turn to another run, or to none; call it from a callback."""
    st.session_state["run_seen"] = run_id
    look_at_epoch(None)


def look_at_epoch(epoch: int | None) -> None:
    """Turn to another moment of the run, None for its latest; call it from a callback."""
    st.session_state["epoch_seen"] = epoch
    st.session_state["epoch_problem"] = ""
    st.session_state["film"] = False


def epoch_seen(run_id: str) -> int | None:
    """Return the epoch of a run that this session looks at; None for the latest one."""
    state = st.session_state
    if state.get("run_seen", run_id) != run_id:
        return None
    asked, _ = address.read_epoch()
    epoch: int | None = state.get("epoch_seen", asked)
    return epoch


def menu(current: Run | None, *, may_be_none: bool = True) -> None:
    """Let the user turn to another run of the store.

    Args:
        current: The run that is shown.
        may_be_none: Whether they may also turn to none, to set up a new one.
    """
    runs = newest(resources.store(), MOST_SHOWN)
    if current is not None and current.run_id not in [run.run_id for run in runs]:
        runs.append(current)
    if not runs:
        return
    names = labels(runs)
    options = [NONE, *names] if may_be_none or current is None else list(names)
    names[NONE] = "Set up a new run" if may_be_none else "Choose a run"
    shown = current.run_id if current else NONE
    key = place.take("shown_run", shown)
    st.selectbox(
        "Run",
        options,
        index=options.index(shown),
        key=key,
        format_func=names.__getitem__,
        on_change=_turn,
        args=(key,),
        label_visibility="collapsed",
    )


def _turn(key: str) -> None:
    if place.is_taken_by("shown_run", key):
        look_at(st.session_state[key] or None)


def _live_run() -> str | None:
    active = resources.store().active_runs()
    return active[0].run_id if active else None


def labels(runs: Iterable[Run]) -> dict[str, str]:
    """Return what each run is called in menus, by its id; no two of them the same."""
    by_id = {run.run_id: _label(run) for run in runs}
    times = Counter(by_id.values())
    return {
        run_id: label if times[label] == 1 else f"{label} · {run_id[-4:]}"
        for run_id, label in by_id.items()
    }


def _label(run: Run) -> str:
    when = time.strftime("%d %b %H:%M:%S", time.localtime(run.created))
    return f"{run.name} · {when}"
