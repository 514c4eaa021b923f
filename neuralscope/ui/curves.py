"""The learning curves of a run, drawn once for all who look at it in the same way."""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
import streamlit as st

from neuralscope import charts
from neuralscope.analysis import Overfitting, find_overfitting
from neuralscope.charts.axes import Quantity, XAxis
from neuralscope.errors import StoreError
from neuralscope.runs import Epochs, Run, SnapshotInfo, Steps
from neuralscope.ui import resources
from neuralscope.ui.progress import Progress, State, state_of

QUANTITIES: tuple[Quantity, ...] = ("loss", "accuracy")
MARKED_EVENTS = (
    *("paused", "resumed", "learning_rate", "restored", "continued", "forked", "delayed"),
)
MOST_BINS = 250


class Way(NamedTuple):
    """How the curves are drawn, as `charts.learning_curves` takes it."""

    x_axis: XAxis
    log: bool
    zoomed: bool
    smoothing: float


class Curves(NamedTuple):
    """The curves of a run.

    Attributes:
        figures: Of the loss and of the accuracy, by name.
        overfitting: Since when it memorizes its training examples; None if it does not, or if the
            weights of before that were restored.
    """

    figures: dict[Quantity, charts.Figure]
    overfitting: Overfitting | None


def draw(run: Run, so_far: Progress, shown: SnapshotInfo | None, way: Way) -> Curves:
    """Return the curves of a run, with marks where something has happened.

    Args:
        run: The run.
        so_far: How far it has got.
        shown: The snapshot that is shown elsewhere, to be marked.
        way: How they are drawn.
    """
    marks = tuple(
        (_along(way.x_axis, event.step, event.seconds, run), event.text)
        for event in so_far.events
        if event.kind in MARKED_EVENTS
    )
    shown_at = None if shown is None else _along(way.x_axis, shown.step, shown.seconds, run)
    drawn = _draw(
        so_far.state,
        _parent_of(run),
        marks,
        shown_at,
        way,
        run.steps_per_epoch,
        run.is_active,
        so_far.epochs,
    )
    is_restored = any(event.kind == "restored" for event in so_far.events)
    return drawn._replace(overfitting=None) if is_restored else drawn


def _parent_of(run: Run) -> State | None:
    """Return how far the run has got that this one was forked from, if it is still here."""
    if run.parent_id is None or not run.is_fork:
        return None
    try:
        return state_of(resources.store().run(run.parent_id))
    except StoreError:
        return None


@st.cache_resource(show_spinner=False, max_entries=32)
def _draw(
    state: State,
    parent_state: State | None,
    marks: tuple[tuple[float, str], ...],
    shown_at: float | None,
    way: Way,
    steps_per_epoch: int,
    is_active: bool,
    _epochs: Epochs,
) -> Curves:
    epochs = _epochs
    overfitting = find_overfitting(epochs.epoch, epochs.train_loss, epochs.validation_loss)
    marks_of_loss = marks
    if overfitting is not None:
        at = int(np.searchsorted(epochs.epoch, overfitting.since))
        place = {"epoch": epochs.epoch, "step": epochs.step, "time": epochs.seconds}[way.x_axis][at]
        marks_of_loss += ((float(place), f"overfitting since epoch {overfitting.since:,}"),)
    steps = _steps_so_far(state.store_path, state.run_id, state.rewinds).read()
    places = {
        "epoch": steps.step / max(steps_per_epoch, 1),
        "step": steps.step,
        "time": steps.seconds,
    }[way.x_axis]
    batches = charts.thin(places, steps.loss, MOST_BINS)
    parent = resources.store().epochs(parent_state.run_id) if parent_state is not None else None
    figures = {
        quantity: charts.learning_curves(
            points_of(epochs, quantity),
            batches=batches if quantity == "loss" else None,
            parent=points_of(parent, quantity) if parent and len(parent.epoch) else None,
            marks=marks_of_loss if quantity == "loss" else marks,
            quantity=quantity,
            shown_at=shown_at,
            moving=is_active,
            **way._asdict(),
        )
        for quantity in QUANTITIES
    }
    return Curves(figures, overfitting)


def points_of(epochs: Epochs, quantity: Quantity) -> charts.EpochPoints:
    """Return what the learning curves draw of the loss or the accuracy."""
    return charts.EpochPoints(
        epochs.epoch,
        epochs.seconds,
        epochs.step,
        getattr(epochs, f"train_{quantity}"),
        getattr(epochs, f"validation_{quantity}"),
    )


def _along(x_axis: XAxis, step: int, seconds: float, run: Run) -> float:
    return {"epoch": step / max(run.steps_per_epoch, 1), "step": step, "time": seconds}[x_axis]


class StepsSoFar:
    """The losses of a run's steps, of which only the new ones are read at each look."""

    def __init__(self, run_id: str) -> None:
        """Begin with none of a run."""
        self._run_id = run_id
        self._lock = threading.Lock()
        self._steps = Steps(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.float32))

    def read(self) -> Steps:
        """Return all of them."""
        with self._lock:
            known = self._steps
            last = int(known.step[-1]) if len(known.step) else 0
            new = resources.store().steps(self._run_id, after=last)
            if len(new.step):
                self._steps = Steps(
                    np.concatenate([known.step, new.step]),
                    np.concatenate([known.seconds, new.seconds]),
                    np.concatenate([known.loss, new.loss]),
                )
            return self._steps


@st.cache_resource(show_spinner=False, max_entries=8)
def _steps_so_far(store_path: str, run_id: str, rewinds: int) -> StepsSoFar:
    """Return the losses of a run's steps; one that went on from an earlier point is read anew."""
    return StepsSoFar(run_id)
