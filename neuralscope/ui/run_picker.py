"""Which run is shown: the one in the address, else a live one, else none."""

from __future__ import annotations

import time

import streamlit as st

from neuralscope.errors import StoreError
from neuralscope.runs import Run
from neuralscope.ui import address, resources

MOST_SHOWN = 100
NONE = ""


def pick() -> Run | None:
    """Return the run that this session looks at; an address of a run that is gone is told."""
    store = resources.store()
    state = st.session_state
    if "run_seen" not in state:
        state["run_seen"] = address.read_run() or _live_run()
    run_id = state["run_seen"]
    if run_id is None:
        return None
    try:
        return store.run(run_id)
    except StoreError as error:
        st.warning(str(error), icon=":material/search_off:")
        return None


def look_at(run_id: str | None) -> None:
    """Turn to another run, or to none; call it from a callback."""
    st.session_state["run_seen"] = run_id


def menu(current: Run | None) -> None:
    """Let the user turn to another run of the store."""
    runs = resources.store().runs()[:MOST_SHOWN]
    if current is not None and current.run_id not in [run.run_id for run in runs]:
        runs.append(current)
    if not runs:
        return
    by_id = {run.run_id: run for run in runs}
    options = [NONE, *by_id]
    shown = current.run_id if current else NONE
    key = f"shown_run_{shown}"  # another run, another menu: it starts from what is shown
    st.selectbox(
        "Run",
        options,
        index=options.index(shown),
        key=key,
        format_func=lambda run_id: _label(by_id[run_id]) if run_id in by_id else "Set up a new run",
        on_change=_turn,
        args=(key,),
        label_visibility="collapsed",
    )


def _turn(key: str) -> None:
    look_at(st.session_state[key] or None)


def _live_run() -> str | None:
    active = resources.store().active_runs()
    return active[0].run_id if active else None


def _label(run: Run) -> str:
    when = time.strftime("%d %b %H:%M:%S", time.localtime(run.created))
    return f"{run.name} · {when}"
