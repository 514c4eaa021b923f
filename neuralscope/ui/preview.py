"""What a configuration will be and cost, before it is started."""

from __future__ import annotations

import contextlib

import streamlit as st

from neuralscope import charts
from neuralscope.data import DatasetInfo, known_dataset
from neuralscope.errors import DataError
from neuralscope.runs import RunConfig
from neuralscope.ui import augmentation_preview, chart, config_form, rate_test, resources, words

SNAPSHOTS_KEPT = 40  # in 300 epochs; see neuralscope.runs.snapshots


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


def _augmentation(config: RunConfig) -> None:
    """Show what becomes of a digit, if anything does and its data is here."""
    if config.augmentation == "none":
        return
    with contextlib.suppress(DataError):  # what is the matter with the data is said above
        augmentation_preview.show(resources.dataset(config.dataset), config.augmentation)


@st.fragment(run_every=None)
def _costs_measured(config: RunConfig, info: DatasetInfo) -> None:
    _draw_costs(config, info)


@st.fragment(run_every=0.25)
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
    measuring = resources.estimate(config)
    n_parameters = config.n_parameters(info.n_features, info.n_classes)
    parameters, epoch, everything = st.columns(3)
    parameters.metric(
        "Parameters",
        f"{n_parameters:,}",
        help="Weights and biases: the numbers that training finds.",
        border=True,
    )
    seconds = measuring.result().seconds_per_epoch if measuring.done() else None
    epoch.metric(
        "Time for an epoch",
        "measuring" if seconds is None else f"{words.duration(seconds)}",
        help=f"Measured just now on this machine: {info.n_train:,} {info.noun}s in batches of "
        f"{config.batch_size}.",
        border=True,
    )
    everything.metric(
        f"Time for {config.epochs:,} epochs" if config.epochs > 1 else "Time for 1 epoch",
        "measuring" if seconds is None else words.duration(seconds * config.epochs),
        help="You can pause, stop, and change the learning rate while it trains.",
        border=True,
    )
