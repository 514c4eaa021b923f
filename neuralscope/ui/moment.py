"""A moment of a run: the network as it was at one snapshot, and how it reads its data.

What a page shows depends on (run, snapshot) only, so each of these is computed once, whoever looks,
and only when it is on the screen. The few that are large are kept for the few latest moments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import streamlit as st

from neuralscope.data import Dataset, scaled
from neuralscope.engine import Network
from neuralscope.runs import (
    Run,
    RunConfig,
    SnapshotInfo,
    list_snapshots,
    load_predictions,
    load_snapshot,
    when,
)
from neuralscope.ui import resources, words

Key = tuple[str, str, SnapshotInfo]
"""Path of the store, run, snapshot: what everything about a moment depends on."""

SPLITS = {"validation": "Validation", "test": "Test"}
"""The parts of a data set that a network is looked at with, and their names for people."""


@dataclass(frozen=True, eq=False)
class Moment:
    """The network of a run as it was at one snapshot. Its arrays are shared: only read them.

    Attributes:
        run: The run.
        info: The snapshot.
        snapshots: All of the run's, in the order of training.
        data: What it was trained on.
        is_live: Whether this is the latest of a run that goes on.
    """

    run: Run
    info: SnapshotInfo
    snapshots: tuple[SnapshotInfo, ...]
    data: Dataset
    is_live: bool

    @cached_property
    def key(self) -> Key:
        """What everything computed of it depends on; a key for caches."""
        return (str(resources.store().path), self.run.run_id, self.info)

    @property
    def thing(self) -> str:
        """What one example of its data is called: 'digit', 'picture'."""
        return self.data.noun

    @property
    def things(self) -> str:
        """What several of them are called."""
        return f"{self.data.noun}s"

    @property
    def class_noun(self) -> str:
        """What one class is called: of digits, that is what it is."""
        return self.data.class_noun

    @property
    def classes(self) -> str:
        """What its classes are called, several of them: 'digits', 'classes'."""
        return "digits" if self.class_noun == "digit" else "classes"

    def called(self, number: int) -> str:
        """Return the name of a class as it can stand in a sentence, where Markdown has no say."""
        return words.plain(self.data.class_names[number])

    @property
    def is_moving(self) -> bool:
        """Whether the page is drawn again by itself, by a live run or a film."""
        return self.is_live or bool(st.session_state.get("film"))

    @property
    def label(self) -> str:
        """When it is, for people: 'epoch 7', 'partway through epoch 8'."""
        return when(self.run, self.info)

    @cached_property
    def network(self) -> Network:
        """The network as it was.

        Raises:
            WeightsError: The snapshot is gone or damaged.
        """
        return _network(self.key, self.run.config)

    def pixels(self, split: str) -> npt.NDArray[np.uint8]:
        """Return the digits of 'train', 'validation' or 'test' as shipped, (n, features)."""
        pixels: npt.NDArray[np.uint8] = getattr(self.data, f"x_{split}")
        return pixels

    def labels(self, split: str) -> npt.NDArray[np.int64]:
        """Return their true classes, (n,)."""
        labels: npt.NDArray[np.int64] = getattr(self.data, f"y_{split}")
        return labels

    def examples(self, split: str) -> npt.NDArray[np.float32]:
        """Return 'validation' or 'test' as network input, (n, features) in [0, 1]."""
        return _examples(self.data.name, split)

    def layers(self, split: str) -> list[npt.NDArray[np.float32]]:
        """Return each layer's output (n, units) for 'validation' or 'test'; last, probabilities."""
        return _layers(self.key, self.run.config, split)

    def probabilities(self, split: str) -> npt.NDArray[np.float32]:
        """Return the answers on 'validation' or 'test', (n, classes)."""
        return _probabilities(self.key, self.run.config, split)

    def history(self, split: str = "validation") -> npt.NDArray[np.uint8]:
        """Return the answer of every snapshot to every validation digit, (snapshots, n).

        Raises:
            ValueError: Of another split: the snapshots hold none.
            WeightsError: A snapshot is gone or damaged.
        """
        if split != "validation":
            raise ValueError(f"snapshots hold answers to the validation digits, not to {split!r}")
        return _history(self.key[0], self.run.run_id, self.snapshots)


def at(run: Run, info: SnapshotInfo, snapshots: Sequence[SnapshotInfo] | None = None) -> Moment:
    """Return the moment of a run at one of its snapshots.

    Args:
        run: The run.
        info: The snapshot.
        snapshots: All of the run's, where they have been listed already.

    Raises:
        DataError: Its data set is not here.
        StoreError: The run is gone.
    """
    if snapshots is None:
        snapshots = list_snapshots(resources.store(), run.run_id)
    newest = max(snapshots, key=lambda each: each.step, default=info)
    is_live = run.is_active and info.step >= newest.step
    return Moment(run, info, tuple(snapshots), resources.dataset(run.config.dataset), is_live)


# Computed once -----------------------------------------------------------------------------------

# The run decides its configuration, which is therefore no part of the keys. How many are kept: of
# a 6 x 1024 network one set of weights takes 24 MB; of a 512-512 network the layers' outputs for
# 10,000 digits take 41 MB.


@st.cache_resource(show_spinner=False, max_entries=6)
def _network(key: Key, _config: RunConfig) -> Network:
    _, run_id, info = key
    data = resources.dataset(_config.dataset)
    snapshot = load_snapshot(resources.store(), run_id, info)
    return snapshot.network(_config, data.n_features, data.n_classes)


@st.cache_resource(show_spinner=False, max_entries=4)
def _examples(name: str, split: str) -> npt.NDArray[np.float32]:
    data = resources.dataset(name)
    examples = scaled(getattr(data, f"x_{split}"), data.pixel_max)
    examples.flags.writeable = False
    return examples


@st.cache_resource(show_spinner=False, max_entries=3)
def _layers(key: Key, _config: RunConfig, split: str) -> list[npt.NDArray[np.float32]]:
    outputs = _network(key, _config).activations(_examples(_config.dataset, split))
    for output in outputs:
        output.flags.writeable = False
    return outputs


@st.cache_resource(show_spinner=False, max_entries=200)
def _probabilities(key: Key, _config: RunConfig, split: str) -> npt.NDArray[np.float32]:
    network = _network(key, _config)
    probabilities = network.predict_proba(_examples(_config.dataset, split))
    probabilities.flags.writeable = False
    return probabilities


@st.cache_resource(show_spinner=False, max_entries=8)
def _history(
    store_path: str, run_id: str, snapshots: tuple[SnapshotInfo, ...]
) -> npt.NDArray[np.uint8]:
    store = resources.store()
    history = np.stack([load_predictions(store, run_id, info) for info in snapshots])
    history.flags.writeable = False
    return history
