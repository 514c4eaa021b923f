"""What a run has come to: its network as it is now, and what that network reads.

A run tells its layers but not how many pixels and classes there are; that is its data set's to
know. Where the data set is not here any more, the snapshot still decides both: its answers have a
column for each class, and the number of weights leaves room for one number of pixels only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from neuralscope.data import Dataset, Recipe, dataset_info, is_cached, load_dataset
from neuralscope.engine import Network
from neuralscope.errors import ConfigError, DataError, TransferError
from neuralscope.runs import (
    Run,
    RunConfig,
    Snapshot,
    SnapshotInfo,
    Store,
    list_snapshots,
    load_snapshot,
)


@dataclass(frozen=True)
class Pictures:
    """What a network reads.

    Attributes:
        class_names: One for each output.
        image_shape: Rows and columns of one picture.
        pixel_max: Pixel value of full ink; pixels divided by it are the network's input.
    """

    class_names: tuple[str, ...]
    image_shape: tuple[int, int]
    pixel_max: int


@dataclass(frozen=True, eq=False)
class Trained:
    """A run and the last of its networks.

    Attributes:
        run: The run.
        info: The snapshot.
        network: The network as it was then.
        pictures: What it reads.
    """

    run: Run
    info: SnapshotInfo
    network: Network
    pictures: Pictures

    def about(self) -> dict[str, Any]:
        """Return what a file of this network tells about itself, as JSON can hold it."""
        return {
            "run_id": self.run.run_id,
            "dataset": self.run.config.dataset,
            "data_digest": self.run.data_digest,
            "epochs": self.info.epoch,
            "steps": self.info.step,
            "config": self.run.config.as_dict(),
            "image_shape": list(self.pictures.image_shape),
            "class_names": list(self.pictures.class_names),
            "pixel_max": self.pictures.pixel_max,
            "recipe": None if (recipe := recipe_of(self.run)) is None else recipe.as_json(),
            "test_accuracy": finite(self.run.test_accuracy),
            "test_loss": finite(self.run.test_loss),
        }


def last_network(store: Store, run_id: str) -> Trained:
    """Return the network that a run has come to.

    Raises:
        RunNotFound: There is no such run.
        TransferError: It has no snapshot.
        WeightsError: Its snapshot is gone or damaged.
    """
    run = store.run(run_id)
    snapshots = list_snapshots(store, run_id)
    if not snapshots:
        raise TransferError(f"Run {run_id} has no snapshot, so there is no network to export.")
    snapshot = load_snapshot(store, run_id, snapshots[-1])
    network = network_of(snapshot, run.config)
    pictures = pictures_of(run.config, network.sizes[0], network.sizes[-1])
    return Trained(run, snapshot.info, network, pictures)


def network_of(snapshot: Snapshot, config: RunConfig) -> Network:
    """Return the network of a snapshot, whether or not its data set is here.

    Raises:
        WeightsError: The snapshot is of a network with other layers.
    """
    n_classes = snapshot.validation_probabilities.shape[1]
    n_features = count_features(len(snapshot.parameters), config.hidden, n_classes)
    return snapshot.network(config, n_features, n_classes)


def count_features(n_parameters: int, hidden: tuple[int, ...], n_classes: int) -> int:
    """Return how many pixels a network with so many parameters takes; the nearest if none fits.

    The first layer holds (features + 1) * units of them, and the others the rest.

    >>> count_features(101_770, (128,), 10)
    784
    """
    after = (*hidden, n_classes)
    rest = sum((n_in + 1) * n_out for n_in, n_out in pairwise(after))
    return max(1, (n_parameters - rest) // after[0] - 1)


def pictures_of(config: RunConfig, n_features: int, n_classes: int) -> Pictures:
    """Return what is known of a run's pictures; of data that is not here, what can be told."""
    try:
        info = dataset_info(config.dataset)
    except (ConfigError, DataError):
        side = math.isqrt(n_features)
        shape = (side, side) if side * side == n_features else (1, n_features)
        return Pictures(tuple(str(i) for i in range(n_classes)), shape, 255)
    contents = info.contents
    return Pictures(contents.class_names, contents.image_shape, contents.pixel_max)


def data_of(run: Run) -> Dataset | None:
    """Return the data set of a run if it is here, unchanged; nothing is fetched."""
    try:
        if not is_cached(run.config.dataset):
            return None
        data = load_dataset(run.config.dataset)
    except (ConfigError, DataError):
        return None
    return data if run.data_digest in ("", data.digest) else None


def recipe_of(run: Run) -> Recipe | None:
    """Return how a drawing becomes what a run's network reads; None where nothing tells."""
    if run.recipe is not None:
        return run.recipe
    data = data_of(run)
    return None if data is None else data.recipe


def finite(value: float | None) -> float | None:
    """Return a number as JSON can hold it."""
    return value if value is not None and math.isfinite(value) else None
