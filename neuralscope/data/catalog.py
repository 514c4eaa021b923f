"""Every data set by name, in the order of the menus."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from neuralscope.data import digits, mnist
from neuralscope.data.cache import looks_whole
from neuralscope.data.contents import Contents, OpenMLSource
from neuralscope.data.dataset import Dataset
from neuralscope.data.fetch import Fetch, ProgressCallback
from neuralscope.data.home import compact_path, data_home
from neuralscope.errors import ConfigError


@dataclass(frozen=True)
class DatasetInfo:
    """What forms and parameter counts need to know about a data set without loading it.

    Attributes:
        title: Name for people.
        description: One sentence.
        contents: Shape, classes and digest; an `OpenMLSource` if it has to be fetched.
        n_train: Number of training images.
        n_validation: Number of validation images.
        n_test: Number of test images.
        load: Loads it, given the data home and a callback for progress or None.
    """

    title: str
    description: str
    contents: Contents
    n_train: int
    n_validation: int
    n_test: int
    load: Callable[[Path, ProgressCallback | None], Dataset]

    @property
    def image_shape(self) -> tuple[int, int]:
        """Rows and columns of one image."""
        return self.contents.image_shape

    @property
    def n_features(self) -> int:
        """Number of inputs of a network for this data."""
        return math.prod(self.image_shape)

    @property
    def n_classes(self) -> int:
        """Number of outputs of a network for this data."""
        return self.contents.n_classes

    @property
    def needs_fetch(self) -> bool:
        """Whether it comes over the network, the first time."""
        return isinstance(self.contents, OpenMLSource)


DATASETS: dict[str, DatasetInfo] = {
    "mnist": DatasetInfo(
        title="MNIST",
        description="70,000 handwritten digits of 28 x 28 pixels, fetched once from OpenML.",
        contents=mnist.MNIST,
        n_train=mnist.MNIST.n_images - mnist.N_TEST - mnist.N_VALIDATION,
        n_validation=mnist.N_VALIDATION,
        n_test=mnist.N_TEST,
        load=mnist.load_mnist,
    ),
    "digits": DatasetInfo(
        title="Digits",
        description="1,797 handwritten digits of 8 x 8 pixels, built in and quick to learn.",
        contents=digits.DIGITS,
        n_train=digits.DIGITS.n_images - digits.N_TEST - digits.N_VALIDATION,
        n_validation=digits.N_VALIDATION,
        n_test=digits.N_TEST,
        load=digits.load_digits,
    ),
}


def load_dataset(
    name: str = "mnist",
    *,
    data_home: Path | str | None = None,
    on_progress: ProgressCallback | None = None,
) -> Dataset:
    """Load a data set, fetching it first if need be; blocks until it is there.

    Args:
        name: A key of `DATASETS`.
        data_home: Folder that scikit-learn keeps its data in; see `neuralscope.data.data_home`.
        on_progress: Called a few times a second while a fetch is under way.

    Raises:
        ConfigError: There is no such data set.
        DataUnavailable: It cannot be had right now; the message says why in one sentence.
    """
    return _info(name).load(_home(data_home), on_progress)


def is_cached(name: str, data_home: Path | str | None = None) -> bool:
    """Tell, without reading anything, whether `load_dataset` needs no fetch.

    Data that is built in counts as cached.

    Raises:
        ConfigError: There is no such data set.
    """
    info = _info(name)
    return not info.needs_fetch or looks_whole(compact_path(_home(data_home), name), info.contents)


def start_fetch(name: str = "mnist", *, data_home: Path | str | None = None) -> Fetch:
    """Start fetching a data set in the background, for callers that must not block.

    Raises:
        ConfigError: There is no such data set, or it is built in.
    """
    contents = _info(name).contents
    if not isinstance(contents, OpenMLSource):
        fetched = ", ".join(key for key, info in DATASETS.items() if info.needs_fetch)
        raise ConfigError("dataset", name, f"one that is fetched: {fetched}")
    return Fetch(contents, data_home=_home(data_home))


# The parameters `data_home` above keep scikit-learn's name and hide the function.
_home = data_home


def _info(name: str) -> DatasetInfo:
    try:
        return DATASETS[name]
    except (KeyError, TypeError):
        raise ConfigError("dataset", name, f"one of {', '.join(DATASETS)}") from None
