"""How far a run has got, read once for all who watch it.

The run itself is read at every look: how it stands, whether it has ended. What it has measured, the
bulk, is shared for a moment while it is live, so that of twenty viewers nineteen read and draw what
the first one has. A lone viewer is never shown what the look before has read.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Final, NamedTuple

import streamlit as st

from neuralscope.runs import Epochs, Event, Run, SnapshotInfo, list_snapshots
from neuralscope.ui import resources, turns

SHARED_FOR: Final = 0.8
"""For how long it is shared, as a part of the time between two redraws of a viewer."""

LONGEST_SHARED: Final = 1.0
"""The same in seconds, at most."""

MOST_RUNS: Final = 16


class State(NamedTuple):
    """A key for what a run has measured so far, of which nothing ever changes but by being added.

    Attributes:
        store_path: Where the run is.
        run_id: The run.
        rewinds: How often it has gone on from an earlier point; its last rows were taken back then.
        epoch: The last epoch that was measured; -1 before there is one.
        step: The last step whose loss is known.
    """

    store_path: str
    run_id: str
    rewinds: int
    epoch: int
    step: int


class Progress(NamedTuple):
    """What a run has left behind so far. Its arrays are shared: only read them.

    Attributes:
        state: How far it has got.
        epochs: What was measured.
        events: What has happened to it.
        snapshots: Those that are kept.
        n_unreadable: Rows that are left out of all of that.
    """

    state: State
    epochs: Epochs
    events: tuple[Event, ...]
    snapshots: tuple[SnapshotInfo, ...]
    n_unreadable: int


class _Reading(NamedTuple):
    """When a run was read, and how it stood, its progress left out."""

    at: float
    stood: Run
    progress: Progress


class Readings:
    """The latest readings of runs, for all sessions."""

    def __init__(self) -> None:
        """Begin without any."""
        self._lock = threading.Lock()
        self._latest: dict[tuple[str, str], _Reading] = {}

    def read(self, run: Run) -> Progress:
        """Return how far a run has got that was read just now.

        Raises:
            StoreError: The store cannot be read.
        """
        key = (str(resources.store().path), run.run_id)
        stands = _without_progress(run)
        with self._lock:
            latest = self._latest.get(key)
        if latest is not None and run.is_active and latest.stood == stands:
            if time.monotonic() - latest.at < min(SHARED_FOR * turns.pace(), LONGEST_SHARED):
                return latest.progress
        at = time.monotonic()
        progress = _read(run, latest.progress if latest else None)
        with self._lock:
            self._latest.pop(key, None)
            self._latest[key] = _Reading(at, stands, progress)
            for oldest in list(self._latest)[:-MOST_RUNS]:
                del self._latest[oldest]
        return progress


def _without_progress(run: Run) -> Run:
    return replace(
        run,
        epoch=0,
        step=0,
        seconds=0.0,
        samples_per_second=None,
        best_epoch=None,
        best_validation_accuracy=None,
    )


def state_of(run: Run) -> State:
    """Return how far a run has got at this moment."""
    store = resources.store()
    return State(str(store.path), run.run_id, run.rewinds, *store.last_recorded(run.run_id))


def _read(run: Run, known: Progress | None) -> Progress:
    store = resources.store()
    state = state_of(run)
    is_known = known is not None and known.state[:-1] == state[:-1]  # no epoch more
    epochs = known.epochs if known is not None and is_known else store.epochs(run.run_id)
    events, snapshots = store.events(run.run_id), list_snapshots(store, run.run_id)
    n_unreadable = store.count_unreadable_rows(run.run_id)
    return Progress(state, epochs, tuple(events), tuple(snapshots), n_unreadable)


@st.cache_resource(show_spinner=False)
def _readings() -> Readings:
    return Readings()


def read(run: Run) -> Progress:
    """Return how far a run has got that was read just now.

    Raises:
        StoreError: The store cannot be read.
    """
    return _readings().read(run)
