"""Deleted runs, which can be restored until the page is left.

Deleted runs leave the list at once; their files are removed when the session turns to another
page. A session that ends without doing so leaves them in the store's trash, which is cleared when
the Runs page is opened a day later or more.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from concurrent.futures import Future

import streamlit as st

from neuralscope.errors import NeuralScopeError, RunNotFound, StoreError
from neuralscope.runs import Store
from neuralscope.runs.listing import trashed_before
from neuralscope.ui import failures, resources, words

KEPT_FOR = 24 * 3600.0
"""Seconds after which what a vanished session has deleted is really deleted."""

_DELETED, _PURGING = "runs_deleted", "runs_purging"


def throw_away(run_ids: Sequence[str]) -> None:
    """Take runs out of sight.

    Raises:
        StoreError: One of them is active, or gone.
        StoreFull: There is no room to note it; `remove` makes some.
    """
    resources.store().trash(run_ids)
    st.session_state[_DELETED] = [*deleted(), *run_ids]


def remove(run_ids: Sequence[str]) -> None:
    """Delete runs for good, at once: on a full disk, that is what helps.

    Raises:
        StoreError: One of them is active, or gone; those before it are deleted.
    """
    for run_id in run_ids:
        resources.store().delete(run_id)


def deleted() -> list[str]:
    """Return the ids of the runs that can be brought back."""
    return list(st.session_state.get(_DELETED, []))


def undo() -> None:
    """Bring back what has been deleted since the page was opened, as far as it is still there.

    Raises:
        StoreError: The store cannot be written.
    """
    for run_id in deleted():
        with contextlib.suppress(RunNotFound):
            resources.store().restore([run_id])
    st.session_state.pop(_DELETED, None)


def leave() -> None:
    """Delete for good what was deleted, for the session turns to another page."""
    if run_ids := deleted():
        del st.session_state[_DELETED]
        _purge(run_ids)


def clear_forgotten() -> None:
    """Remove for good what ended sessions deleted more than `KEPT_FOR` seconds ago."""
    if run_ids := trashed_before(resources.store(), time.time() - KEPT_FOR):
        _purge(run_ids)


def tell() -> None:
    """Say that runs could not be deleted for good, on whatever page the session is by then."""
    purging: Future[None] | None = st.session_state.get(_PURGING)
    if purging is None or not purging.done():
        return
    del st.session_state[_PURGING]
    try:
        purging.result()
    except NeuralScopeError as error:
        st.warning(
            f"Not all of the deleted runs could be removed. {words.plain(error)}",
            icon=":material/error:",
        )


def _purge(run_ids: list[str]) -> None:
    """Delete in the background: thousands of files are not a matter of milliseconds."""
    st.session_state[_PURGING] = _background().start(
        "Removing the deleted runs", _remove, resources.store(), run_ids
    )


def _remove(store: Store, run_ids: list[str]) -> None:
    problem: StoreError | None = None
    for run_id in run_ids:  # one at a time: others want to write in between
        try:
            store.purge([run_id])
        except StoreError as error:  # the others can go
            problem = error
    if problem is not None:
        raise problem


@st.cache_resource(show_spinner=False)
def _background() -> failures.Background:
    return failures.Background("purge")
