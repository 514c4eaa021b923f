"""What all sessions of a server share: the store, the data sets, downloads under way.

Everything here is read-only or safe to use from several threads; what belongs to one person is in
their session state.
"""

from __future__ import annotations

import json
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import streamlit as st

from neuralscope import charts
from neuralscope.analysis import confusion_counts, worst_mistakes
from neuralscope.data import (
    Dataset,
    Fetch,
    dataset_info,
    is_cached,
    load_dataset,
    start_fetch,
)
from neuralscope.errors import DataUnavailable, NeuralScopeError
from neuralscope.runs import (
    Estimate,
    Run,
    RunConfig,
    SnapshotInfo,
    Store,
    as_measured,
    default_path,
    load_snapshot,
    measure_epoch,
)
from neuralscope.ui import failures

MOST_MISTAKES = 18
MOST_UNITS = 128


def store() -> Store:
    """Return the run store of this server.

    Raises:
        StoreError: It cannot be opened.
    """
    path = str(default_path().absolute())
    opened = _store_at(path)
    if opened.database.is_replaced():  # another store stands there now: that is what is looked at
        _store_at.clear()
        opened.close()
        opened = _store_at(path)
    return opened


@st.cache_resource(show_spinner=False)
def _store_at(path: str) -> Store:
    return Store(path)


@st.cache_resource(show_spinner="Loading the data", max_entries=6)
def dataset(name: str) -> Dataset:
    """Return a data set that is there without fetching.

    Raises:
        DataError: It is not.
    """
    info = dataset_info(name)
    if not is_cached(name):  # loading would fetch it, and keep the page waiting
        raise DataUnavailable(f"{info.title} is not here, so there are no pictures.")
    return load_dataset(name)


class Fetches:
    """The downloads of this server, one for each data set, whoever asked for it."""

    def __init__(self) -> None:
        self._under_way: dict[str, Fetch] = {}

    def get(self, name: str) -> Fetch:
        """Return the download of a data set; start it if nobody has yet."""
        if name not in self._under_way:
            self._under_way[name] = start_fetch(name)
        return self._under_way[name]

    def again(self, name: str) -> None:
        """Forget a download that failed, so that the next `get` tries anew."""
        self._under_way.pop(name, None)


@st.cache_resource(show_spinner=False)
def fetches() -> Fetches:
    """Return the downloads of this server."""
    return Fetches()


# Before a run ------------------------------------------------------------------------------------


@st.cache_resource(show_spinner=False)
def _bench() -> failures.Background:
    return failures.Background("estimate")


def estimate(config: RunConfig) -> Future[Estimate]:
    """Measure in the background how long an epoch of this configuration takes.

    Settings that do not change the work (learning rate, seed, epochs...) do not measure again.
    """
    measured = as_measured(config)
    return _estimate(json.dumps(measured.as_dict()), measured)


def measured_seconds(config: RunConfig) -> tuple[float | None, str]:
    """Return the seconds that an epoch takes, None where that is not known, and why it is not.

    The reason is a sentence, or empty while it is being measured.
    """
    measuring = estimate(config)
    try:
        return (measuring.result().seconds_per_epoch if measuring.done() else None), ""
    except NeuralScopeError as error:
        return None, str(error)


@st.cache_resource(show_spinner=False, max_entries=200)
def _estimate(key: str, _config: RunConfig) -> Future[Estimate]:
    info = dataset_info(_config.dataset)
    return _bench().start(
        "Measuring the time for an epoch",
        measure_epoch,
        _config,
        n_train=info.n_train,
        image_shape=info.image_shape,
        n_classes=info.n_classes,
    )


# A live run --------------------------------------------------------------------------------------


class Pictures(NamedTuple):
    """What a snapshot shows of a run on the Train page, ready to be drawn.

    Attributes:
        confusion: Figure of the matrix on the validation set.
        mistakes: Figure of the surest mistakes.
        n_wrong: How many validation examples are answered wrongly.
        n_validation: How many there are.
        noun: What one of them is called.
        class_noun: What one class is called.
        weights: Picture of the first layer's weights, as a data URI: a file of its own would be
            gone from the server when the next look at a live run has replaced it.
        weights_text: What it shows, in words.
        weights_of: Which units are on it: 'the first 128 of the 512 units'.
    """

    confusion: charts.Figure
    mistakes: charts.Figure
    n_wrong: int
    n_validation: int
    noun: str
    class_noun: str
    weights: str
    weights_text: str
    weights_of: str


def pictures(run: Run, info: SnapshotInfo) -> Pictures:
    """Return the pictures of a snapshot; computed once, whoever looks.

    Raises:
        WeightsError: The snapshot is gone or damaged.
        DataError: Its data set is not here.
    """
    return _pictures((str(store().path), run.run_id, info), run.config)


@st.cache_resource(show_spinner=False, max_entries=64)
def _pictures(key: tuple[str, str, SnapshotInfo], _config: RunConfig) -> Pictures:
    store_path, run_id, info = key
    data = dataset(_config.dataset)
    snapshot = load_snapshot(_store_at(store_path), run_id, info)
    wrong = worst_mistakes(snapshot.validation_probabilities, data.y_validation, MOST_MISTAKES)
    network = snapshot.network(_config, data.n_features, data.n_classes)
    weights: npt.NDArray[np.float32] = network.layers[0].weight
    counts = confusion_counts(data.y_validation, snapshot.validation_predictions, data.n_classes)
    return Pictures(
        confusion=charts.confusion_matrix(
            counts, class_names=data.class_names, noun=data.class_noun
        ),
        mistakes=charts.gallery(
            data.x_validation[wrong.index],
            index=wrong.index,
            true=wrong.true,
            predicted=wrong.predicted,
            confidence=wrong.confidence,
            image_shape=data.image_shape,
            class_names=data.class_names,
            pixel_max=data.pixel_max,
            noun=data.noun,
        ),
        n_wrong=wrong.total,
        n_validation=len(data.y_validation),
        noun=data.noun,
        class_noun=data.class_noun,
        weights=charts.data_uri(charts.weight_grid(weights, data.image_shape, most=MOST_UNITS)),
        weights_text=charts.describe_weights(weights, most=MOST_UNITS),
        weights_of=_which_units(weights.shape[1]),
    )


def _which_units(n: int) -> str:
    if n > MOST_UNITS:
        return f"the first {MOST_UNITS:,} of the {n:,} units"
    return "the only unit" if n == 1 else f"all {n:,} units"


def store_folder() -> Path:
    """Return where the store is, for messages."""
    return default_path().resolve()
