"""Who takes part in a comparison: runs, or configurations with several seeds, and their curves."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from neuralscope.analysis.comparison import alike, band, differing
from neuralscope.charts import comparison as drawing
from neuralscope.exports.differences import label, settings, trained
from neuralscope.runs import (
    DIVERGED,
    FINISHED,
    SETTINGS,
    Epochs,
    Run,
    RunConfig,
    describe,
    is_description,
)
from neuralscope.runs.settings import Number, Whole
from neuralscope.ui import chart, config_form

Floats = npt.NDArray[np.float64]

LONGEST_LABEL = 48
MOST_IN_LABEL = 2
"""Settings that tell contestants apart in their labels; where there are more, they have names."""

HAS_RESULT = (FINISHED, DIVERGED)
"""States in which a run has done all that its configuration asked for."""


@dataclass(frozen=True)
class Contestant:
    """A run, or several runs of one configuration that differ in the seed.

    Attributes:
        name: Its letter.
        label: What tells it from the others.
        runs: At least one.
    """

    name: str
    label: str
    runs: tuple[Run, ...]

    @property
    def first(self) -> Run:
        """The run that stands for its settings."""
        return self.runs[0]

    @property
    def seeds(self) -> list[int]:
        """Its seeds, ascending."""
        return sorted({run.config.seed for run in self.runs})

    @property
    def is_fork(self) -> bool:
        """Whether it went on from another run's snapshot."""
        return self.first.parent_step is not None


def gather(runs: Sequence[Run], *, together: bool) -> list[Contestant]:
    """Return who takes part.

    Args:
        runs: In the order of their letters.
        together: Whether runs that differ in the seed only are one contestant.
    """
    if together:
        groups = [tuple(runs[i] for i in group) for group in alike(_kinds(runs))]
    else:
        groups = [(run,) for run in runs]
    # What only some of them use goes with what makes them do so, such as the optimizer.
    varied = [
        name
        for name, values in differing([settings(group[0]) for group in groups]).items()
        if None not in values
    ]
    return [
        Contestant(drawing.letter(i), _label(group, varied), group)
        for i, group in enumerate(groups)
    ]


def have_company(runs: Sequence[Run]) -> bool:
    """Return whether any two of the runs differ in the seed only."""
    return any(len(group) > 1 for group in alike(_kinds(runs)))


def _kinds(runs: Iterable[Run]) -> list[tuple[str, str]]:
    """Return for each run what it shares with those that differ in the seed only."""
    runs = list(runs)
    kinds = []
    for run in runs:
        told = {name: value for name, value in settings(run).items() if name != "seed"}
        # A reproduction names the run that it repeats, but starts as that one did.
        start = None if run.parent_step is None else (run.parent_id, run.parent_step)
        kinds.append(json.dumps([told, start], sort_keys=True))
    # One that waits in the queue has no digest yet, and will have that of the others.
    known = {
        kind: run.data_digest for kind, run in zip(kinds, runs, strict=True) if run.data_digest
    }
    return [
        (kind, run.data_digest or known.get(kind, ""))
        for kind, run in zip(kinds, runs, strict=True)
    ]


def _label(group: Sequence[Run], varied: Sequence[str]) -> str:
    run = group[0]
    if len(group) == 1 and not is_description(run.name, run.config):
        label = run.name
    elif 0 < len(varied) <= MOST_IN_LABEL:
        label = ", ".join(setting_words(run, name) for name in varied)
    elif len(group) > 1 and is_description(run.name, run.config):  # of several seeds, none is named
        label = describe(dataclasses.replace(run.config, seed=RunConfig().seed))
    else:
        label = run.name
    kind = " (fork)" if run.parent_step is not None else ""
    if len(group) > 1:
        kind += f", {len(group)} seeds"
    longest = LONGEST_LABEL - len(kind)
    return (label if len(label) <= longest else f"{label[: longest - 3]}...") + kind


def setting_words(run: Run, name: str) -> str:
    """Return a setting with its value: 'learning rate 0.1'; a choice says what it is by itself."""
    value = value_words(name, getattr(run.config, name))
    if name == "hidden":
        return f"{value} hidden" if run.config.hidden else "no hidden layer"
    return f"{label(name)} {value}" if is_number(name) else value


def is_number(name: str) -> bool:
    """Return whether a setting is a number."""
    return isinstance(SETTINGS[name], Number | Whole)


def value_words(name: str, value: Any) -> str:
    """Return a value of a setting as people read it; a dash where it is not used."""
    if value is None:
        return "–"
    if name == "hidden":
        return "-".join(map(str, value)) or "none"
    if isinstance(value, tuple):
        return " / ".join(config_form.title(each) for each in value)
    if isinstance(value, str):
        return config_form.title(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


# Results -----------------------------------------------------------------------------------------

RESULTS = {
    "last": "Validation accuracy at the end",
    "best": "Best validation accuracy",
    "test": "Test accuracy",
}


def result(run: Run, epochs: Epochs, which: str) -> float:
    """Return a result of a run as it stands, NaN where there is none.

    Args:
        run: The run.
        epochs: Its epochs.
        which: One of `RESULTS`.
    """
    if which == "test":
        found = run.test_accuracy
    elif which == "best":
        found = run.best_validation_accuracy
    else:
        found = float(epochs.validation_accuracy[-1]) if run.epoch and len(epochs.epoch) else None
    return math.nan if found is None else found


def results_by_seed(
    contestant: Contestant, epochs: Mapping[str, Epochs], which: str
) -> dict[int, float]:
    """Return the result of each seed whose run has done all it should; the first of equal seeds."""
    found: dict[int, float] = {}
    for run in contestant.runs:
        value = result(run, epochs[run.run_id], which)
        if run.status in HAS_RESULT and not math.isnan(value):
            found.setdefault(run.config.seed, value)
    return found


# Curves ------------------------------------------------------------------------------------------


def accuracy_curve(
    contestant: Contestant, epochs: Mapping[str, Epochs]
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return epochs and validation accuracy of a contestant: the mean over its seeds."""
    curves = [
        (found.epoch, found.validation_accuracy)
        for found in (trained(run, epochs) for run in contestant.runs)
        if len(found.epoch)
    ]
    if not curves:
        return np.zeros(0, np.int64), np.zeros(0)
    mean = band(curves)
    return mean.epoch, mean.mean


def curves(
    contestants: Sequence[Contestant],
    epochs: Mapping[str, Epochs],
    *,
    quantity: str,
    x_axis: str,
    splits: Sequence[str],
) -> list[drawing.Curve]:
    """Return what `charts.comparison_curves` draws of the contestants.

    Args:
        contestants: Who takes part.
        epochs: Of their runs, and of the runs that these were forked from as far as they are there.
        quantity: 'loss' or 'accuracy'.
        x_axis: 'epoch', 'step' or 'time'.
        splits: Of 'Validation' and 'Training'.
    """
    found = []
    for number, contestant in enumerate(contestants):
        for split in splits:
            column = f"{'train' if split == 'Training' else 'validation'}_{quantity}"
            lines = []
            for run in contestant.runs:
                line = _line(run, epochs, column, x_axis)
                if len(line[0]):
                    lines.append(line)
            if not lines:
                continue
            if len(lines) == 1:
                epoch, x, y, fork = lines[0]
                found.append(drawing.Curve(number, x, y, epoch, split, fork=fork))
                continue
            mean = band([(epoch, y) for epoch, _, y, _ in lines])
            x = np.mean([x[np.searchsorted(epoch, mean.epoch)] for epoch, x, _, _ in lines], axis=0)
            found.append(
                drawing.Curve(
                    number,
                    x,
                    mean.mean,
                    mean.epoch,
                    split,
                    mean.low,
                    mean.high,
                    seeds=[(x, y) for _, x, y, _ in lines],
                    fork=lines[0][3],
                )
            )
    return found


def _line(
    run: Run, epochs: Mapping[str, Epochs], column: str, x_axis: str
) -> tuple[npt.NDArray[np.int64], Floats, Floats, tuple[float, float] | None]:
    """Return epoch, x and y of a run's curve, and where it leaves its parent's.

    The curve begins where learning does: with the untrained network, or at the fork.
    """
    own = trained(run, epochs) if run.is_fork else epochs[run.run_id]
    along = {"epoch": "epoch", "step": "step", "time": "seconds"}[x_axis]
    x, y = getattr(own, along).astype(np.float64), getattr(own, column)
    parent = epochs.get(run.parent_id or "")
    if run.parent_step is None or parent is None or not len(parent.epoch):
        return own.epoch, x, y, None
    # The parent's curve between the two epochs around the step at which the fork was made.
    at = float(np.interp(run.parent_step, parent.step, getattr(parent, along)))
    value = float(np.interp(run.parent_step, parent.step, getattr(parent, column)))
    before = np.array([run.parent_epoch or 0], np.int64)
    return (
        np.concatenate([before, own.epoch]),
        np.concatenate([[at], x]),
        np.concatenate([[value], y]),
        (at, value),
    )


def draw_curves(
    contestants: Sequence[Contestant],
    epochs: Mapping[str, Epochs],
    *,
    key: str,
    live: bool,
) -> None:
    """Draw accuracy and loss of the contestants over each other, with what they are drawn along."""
    with st.container(horizontal=True, vertical_alignment="bottom", key=f"{key}_options"):
        x_axis = st.segmented_control(
            "Over",
            ["epoch", "step", "time"],
            default="epoch",
            required=True,
            key=f"{key}_over",
            format_func=str.capitalize,
        )
        splits = st.segmented_control(
            "Examples",
            drawing.SPLITS,
            default=drawing.SPLITS[0],
            selection_mode="multi",
            key=f"{key}_splits",
            help="Validation: data the network never learns from. Training: data it learns from; "
            "dashed where both are shown.",
        ) or [drawing.SPLITS[0]]
        log = st.toggle("Log scale", key=f"{key}_log")
        zoomed = chart.zoom(f"{key}_zoom")
    for place, quantity in zip(st.columns(2), ("accuracy", "loss"), strict=True):
        figure = drawing.comparison_curves(
            curves(contestants, epochs, quantity=quantity, x_axis=x_axis, splits=splits),
            [each.label for each in contestants],
            quantity=quantity,  # type: ignore[arg-type]
            x_axis=x_axis,  # type: ignore[arg-type]
            log=log,
            zoomed=zoomed,
        )
        with place:
            what = f"{quantity.capitalize()} of the runs"
            chart.draw(figure, what, key=f"{key}_{quantity}", live=live)
