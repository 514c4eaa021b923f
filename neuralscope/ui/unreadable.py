"""What the store holds and nobody can read: said, and offered as it is or to be deleted."""

from __future__ import annotations

import functools
import time

import streamlit as st

from neuralscope import exports
from neuralscope.errors import StoreError
from neuralscope.runs.records import UnreadableRun
from neuralscope.ui import failures, resources, words

MOST_SHOWN = 20

_PROBLEM = "unreadable_problem"


def tell_rows(n_rows: int) -> None:
    """Say how many rows of a run are left out of its curves, if any are.

    Args:
        n_rows: See `Store.count_unreadable_rows`.
    """
    if n_rows:
        are = (
            "1 row of this run cannot be read and is"
            if n_rows == 1
            else (f"{n_rows:,} rows of this run cannot be read and are")
        )
        st.warning(f"{are} left out.", icon=":material/report:")


def show_runs() -> None:
    """List the runs that cannot be read, if there are any."""
    found = resources.store().unreadable(MOST_SHOWN)
    if problem := st.session_state.pop(_PROBLEM, None):
        st.error(words.plain(problem), icon=":material/error:")
    if not found.total:
        return
    with st.container(border=True, key="unreadable"):
        st.subheader("Unreadable runs", anchor=False)
        are = "1 run is" if found.total == 1 else f"{found.total:,} runs are"
        st.caption(
            f"{are} not listed above: what is stored of {'it' if found.total == 1 else 'them'} is "
            "damaged or was written by another program."
        )
        for run in found.runs:
            _show(run)
        if found.total > len(found.runs):
            st.caption(f"And {found.total - len(found.runs):,} more.")


def _show(run: UnreadableRun) -> None:
    reason = f"In its row, {run.reason}."
    if run.created is not None:
        reason += time.strftime(" Started %d %b %Y %H:%M.", time.localtime(run.created))
    with st.container(gap="xxsmall"):
        st.markdown(f"**{words.plain(run.run_id)}**")
        st.caption(words.plain(reason))
    with st.container(horizontal=True, key=f"unreadable_{run.run_id}"):
        failures.download_button(
            "Export the raw rows",
            functools.partial(_raw, run.run_id),
            doing="Exporting the rows",
            file_name=f"{run.run_id}-rows.json",
            mime="application/json",
            icon=":material/download:",
            key=f"unreadable_raw_{run.run_id}",
        )
        with st.popover("Delete", icon=":material/delete:", key=f"unreadable_ask_{run.run_id}"):
            st.markdown(
                "Delete this run for good, with all curves and checkpoints? This cannot be undone."
            )
            st.button(
                "Delete for good",
                type="primary",
                icon=":material/delete_forever:",
                key=f"unreadable_delete_{run.run_id}",
                on_click=_delete,
                args=(run.run_id,),
            )


def _raw(run_id: str) -> bytes:
    return exports.raw_rows(resources.store(), run_id).encode()


def _delete(run_id: str) -> None:
    try:
        resources.store().delete(run_id)
    except StoreError as error:
        st.session_state[_PROBLEM] = str(error)
