"""What a configuration will be and cost, before it is started."""

from __future__ import annotations

import contextlib

import streamlit as st

from neuralscope import charts
from neuralscope.data import DatasetInfo, known_dataset
from neuralscope.errors import DataError
from neuralscope.exports.differences import label
from neuralscope.runs import SETTINGS, Run, RunConfig, as_measured
from neuralscope.ui import (
    augmentation_preview,
    chart,
    config_form,
    contestants,
    rate_test,
    resources,
    words,
)

MOST_DIFFERENCES = 4

PENDING_EVERY = 0.25
"""Seconds between two looks for a measurement that is under way."""


def show(config: RunConfig) -> None:
    """Draw the network that would be trained, what that takes, and the way to a learning rate."""
    info = known_dataset(config.dataset)
    if info is None:  # a person's own that has gone, which is said above
        return
    _costs(config, info)
    rate_test.show(config)
    _augmentation(config)
    sketch = charts.network_sketch(
        config.sizes(info.n_features, info.n_classes),
        [config_form.title(name) for name in config.activations],
        class_names=info.class_names,
        image_shape=info.image_shape,
    )
    st.subheader("The network", anchor=False)
    chart.draw(sketch, "Network", key="sketch")
    st.caption(
        "Each circle adds up what it gets from the layer before it, every input times a weight, "
        "and bends the sum with its activation. Training means finding the weights."
    )


def show_next(config: RunConfig, run: Run) -> None:
    """Say in a line what the form would train, while a run is shown.

    Args:
        config: What the form says.
        run: The run that is shown.
    """
    info = known_dataset(config.dataset)
    if info is None:  # a person's own that has gone, which is said above
        return
    seconds = _seconds_as_before(config, run, info)
    is_awaited = seconds is None and not resources.estimate(config).done()
    every = PENDING_EVERY if is_awaited else None
    st.fragment(_draw_next, run_every=every)(config, run, info, seconds, is_awaited)


def _seconds_as_before(config: RunConfig, run: Run, info: DatasetInfo) -> float | None:
    """Return the seconds for an epoch where the run shown does the same work, else None."""
    if as_measured(config) != as_measured(run.config) or not run.samples_per_second:
        return None
    return info.n_train / run.samples_per_second


def _draw_next(
    config: RunConfig, run: Run, info: DatasetInfo, seconds: float | None, is_awaited: bool
) -> None:
    if is_awaited and resources.estimate(config).done():
        st.rerun()
    problem = ""
    if seconds is None:
        seconds, problem = resources.measured_seconds(config)
    sizes = config.sizes(info.n_features, info.n_classes)
    epochs = "1 epoch" if config.epochs == 1 else f"{config.epochs:,} epochs"
    if seconds is not None:
        lasts = words.duration(seconds * config.epochs)
    else:
        lasts = "unknown time" if problem else "measuring the time"
    st.caption(
        f"**Next run:** {'-'.join(f'{size:d}' for size in sizes)} "
        f"({config.n_parameters(info.n_features, info.n_classes):,} parameters) on "
        f"{words.plain(info.title)}, {epochs}, {lasts}. {describe_difference(config, run.config)}"
    )


def describe_difference(config: RunConfig, shown: RunConfig) -> str:
    """Say in a sentence what differs between the form and the run that is shown.

    >>> describe_difference(RunConfig(epochs=20), RunConfig(epochs=8))
    'Differs from the run shown: epochs 20 instead of 8.'
    """
    names = [
        name
        for name in SETTINGS
        if getattr(config, name) != getattr(shown, name) and (config.uses(name) or shown.uses(name))
    ]
    if not names:
        return "Same settings as the run shown."
    differences = [
        f"{label(name)} {contestants.value_words(name, getattr(config, name))} instead "
        f"of {contestants.value_words(name, getattr(shown, name))}"
        for name in names[:MOST_DIFFERENCES]
    ]
    if len(names) > MOST_DIFFERENCES:
        differences.append(f"{len(names) - MOST_DIFFERENCES} more")
    return f"Differs from the run shown: {words.plain(', '.join(differences))}."


def _augmentation(config: RunConfig) -> None:
    """Show what becomes of a digit, if anything does and its data is here."""
    if config.augmentation == "none":
        return
    with contextlib.suppress(DataError):  # what is the matter with the data is said above
        augmentation_preview.show(resources.dataset(config.dataset), config.augmentation)


@st.fragment(run_every=None)
def _costs_measured(config: RunConfig, info: DatasetInfo) -> None:
    _draw_costs(config, info)


@st.fragment(run_every=PENDING_EVERY)
def _costs_pending(config: RunConfig, info: DatasetInfo) -> None:
    if resources.estimate(config).done():
        st.rerun()
    _draw_costs(config, info)


def _costs(config: RunConfig, info: DatasetInfo) -> None:
    """Ask for the measurement, and look again until it is there."""
    if resources.estimate(config).done():
        _costs_measured(config, info)
    else:
        _costs_pending(config, info)


def _draw_costs(config: RunConfig, info: DatasetInfo) -> None:
    seconds, problem = resources.measured_seconds(config)
    unknown = "unknown" if problem else "measuring"
    n_parameters = config.n_parameters(info.n_features, info.n_classes)
    parameters, epoch, everything = st.columns(3)
    parameters.metric(
        "Parameters",
        f"{n_parameters:,}",
        help="Weights and biases: the numbers that training finds.",
        border=True,
    )
    epoch.metric(
        "Time for an epoch",
        unknown if seconds is None else words.duration(seconds),
        help=f"Measured just now on this machine: {info.n_train:,} {info.noun}s in batches of "
        f"{config.batch_size}.",
        border=True,
    )
    everything.metric(
        f"Time for {config.epochs:,} epochs" if config.epochs > 1 else "Time for 1 epoch",
        unknown if seconds is None else words.duration(seconds * config.epochs),
        help="You can pause, stop, and change the learning rate while it trains.",
        border=True,
    )
    if problem:
        st.warning(words.plain(problem), icon=":material/error:")
