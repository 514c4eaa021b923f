"""What the layers of a network do at a moment: computed once, whoever looks.

A layer is named 'input', '1' and so on for the hidden ones, 'logits', or 'probabilities'.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import streamlit as st

from neuralscope import analysis, charts
from neuralscope.ui.moment import Key, Moment

INPUT, LOGITS, PROBABILITIES = "input", "logits", "probabilities"
MOST_UNITS = 1_024
FITTED_ON = 2_000

Array = npt.NDArray[np.floating]


def outputs(now: Moment, split: str, layer: str) -> Array:
    """Return what a layer gives for all digits of 'validation' or 'test', (n, units)."""
    if layer == INPUT:
        return now.examples(split)
    if layer == LOGITS:
        return _logits(now.key, split, now)
    return now.layers(split)[-1 if layer == PROBABILITIES else int(layer) - 1]


@st.cache_resource(show_spinner=False, max_entries=8)
def _logits(key: Key, split: str, _now: Moment) -> Array:
    return analysis.logits_from(_now.network, _now.examples(split), _now.layers(split))


@dataclass(frozen=True, eq=False)
class Profile:
    """What the units of a layer do on the digits of a split."""

    means: npt.NDArray[np.float64]
    preferred: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64]
    idle: analysis.Idle


@st.cache_resource(show_spinner=False, max_entries=64)
def profile_of(key: Key, split: str, layer: str, _now: Moment) -> Profile:
    """Return what the units of a layer do on the digits of a split."""
    values = outputs(_now, split, layer)[:, :MOST_UNITS]
    means = analysis.unit_means(values, _now.labels(split), _now.data.n_classes)
    return Profile(
        means,
        analysis.preferred_class(means),
        analysis.order_by_preference(means),
        analysis.idle_units(values, activation_of(_now, layer)),
    )


@st.cache_resource(show_spinner=False, max_entries=256)
def ablation_of(key: Key, split: str, layer: int, unit: int, _now: Moment) -> analysis.Ablation:
    """Return what the network loses without a unit; layers and units are counted from 0."""
    return analysis.ablate(_now.network, _now.layers(split), _now.labels(split), layer, unit)


@st.cache_resource(show_spinner=False, max_entries=8)
def thumbnails_of(name: str, split: str, most: int, _now: Moment) -> list[str]:
    """Return the pictures of a fixed sample of a data set's digits, as data URIs."""
    rows = analysis.sample(len(_now.labels(split)), most)
    return charts.thumbnails(
        _now.pixels(split)[rows],
        image_shape=_now.data.image_shape,
        pixel_max=_now.data.pixel_max,
    )


@dataclass(frozen=True, eq=False)
class Plane:
    """Where the map of a layer is looked at from, and how far it reaches."""

    projection: analysis.Projection
    points: npt.NDArray[np.float64]
    reach: tuple[tuple[float, float], ...]


@st.cache_resource(show_spinner=False, max_entries=4)
def pixel_plane(name: str, split: str, _now: Moment) -> Plane:
    """Return the map of the pixels, which is the same for every network."""
    rows = analysis.sample(len(_now.labels(split)), FITTED_ON)
    x = _now.examples(split)[rows]
    projection = analysis.principal_plane(x)
    points = projection.map(x)
    return Plane(projection, points, analysis.reach(points))


@st.cache_resource(show_spinner=False, max_entries=32)
def plane_of(key: Key, split: str, layer: str, _reference: Moment) -> Plane:
    """Return the map of a layer, turned to lie as close to that of the pixels as it can."""
    pixels = pixel_plane(_reference.data.name, split, _reference)
    if layer == INPUT:
        return pixels
    rows = analysis.sample(len(_reference.labels(split)), FITTED_ON)
    x = _reference.examples(split)[rows]
    layers = _reference.network.activations(x)
    if layer == LOGITS:
        values = analysis.logits_from(_reference.network, x, layers)
    else:
        values = layers[-1 if layer == PROBABILITIES else int(layer) - 1]
    projection = analysis.principal_plane(values).turned(values, pixels.points)
    points = projection.map(values)
    return Plane(projection, points, analysis.reach(points))


def activation_of(now: Moment, layer: str) -> str:
    """Return the name of a layer's activation function."""
    return now.network.activation[int(layer) - 1] if layer.isdigit() else "linear"


def number_of(now: Moment, layer: str) -> int:
    """Return the layer's number from 0; logits and probabilities are of the last."""
    return int(layer) - 1 if layer.isdigit() else len(now.network.layers) - 1
