"""Every data set by name, in the order of the menus: the named ones, then a person's own."""

from __future__ import annotations

import functools
from pathlib import Path

from neuralscope.data import digits, mnist
from neuralscope.data.cache import looks_whole
from neuralscope.data.contents import OpenMLSource
from neuralscope.data.dataset import Dataset
from neuralscope.data.fetch import Fetch, ProgressCallback
from neuralscope.data.home import compact_path, data_home
from neuralscope.data.info import DatasetInfo
from neuralscope.data.own import is_own_name, own_dataset, own_datasets, own_slug
from neuralscope.errors import ConfigError, DataUnavailable


def _published(source: OpenMLSource, description: str) -> DatasetInfo:
    return DatasetInfo(
        title=source.title,
        description=description,
        contents=source,
        n_train=source.n_images - mnist.N_TEST - mnist.N_VALIDATION,
        n_validation=mnist.N_VALIDATION,
        n_test=mnist.N_TEST,
        load=functools.partial(mnist.load_published, source),
    )


DATASETS: dict[str, DatasetInfo] = {
    "mnist": _published(
        mnist.MNIST,
        "70,000 handwritten digits of 28 x 28 pixels, fetched once from OpenML.",
    ),
    "fashion-mnist": _published(
        mnist.FASHION_MNIST,
        "70,000 pictures of clothes, shoes and bags, 28 x 28 pixels, fetched once from OpenML.",
    ),
    "kuzushiji-mnist": _published(
        mnist.KUZUSHIJI_MNIST,
        "70,000 cursive Japanese characters of 28 x 28 pixels, fetched once from OpenML.",
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
"""The named ones; `dataset_names` and `dataset_info` know the own ones too."""


def dataset_names(data_home: Path | str | None = None) -> tuple[str, ...]:
    """Return the name of every data set that there is, the named ones first."""
    return (*DATASETS, *own_datasets(data_home))


def dataset_info(name: str, data_home: Path | str | None = None) -> DatasetInfo:
    """Return what is known of a data set without loading it.

    Raises:
        ConfigError: There can be no such data set.
        DataUnavailable: It is an own one that is not here any more.
    """
    if isinstance(name, str):
        if name in DATASETS:
            return DATASETS[name]
        if is_own_name(name):
            return own_dataset(name, data_home)
    raise ConfigError("dataset", name, f"one of {', '.join(DATASETS)}, or a data set of your own")


def known_dataset(name: str, data_home: Path | str | None = None) -> DatasetInfo | None:
    """Return what is known of a data set without loading it, or None if nothing is (any more)."""
    try:
        return dataset_info(name, data_home)
    except (ConfigError, DataUnavailable):
        return None


def dataset_title(name: str, data_home: Path | str | None = None) -> str:
    """Return what people call a data set, also after it is gone.

    Own data sets of one title, such as two versions of a file, are told apart by their size, or by
    the end of their names where that is the same too.
    """
    info = known_dataset(name, data_home)
    if info is None:
        return own_slug(name) if is_own_name(name) else name
    if not is_own_name(name):
        return info.title
    namesakes = [
        other.contents.n_images
        for key, other in own_datasets(data_home, slug=own_slug(name)).items()
        if key != name and other.title == info.title
    ]
    if not namesakes:
        return info.title
    n_images = info.contents.n_images
    return f"{info.title} ({name[-4:] if n_images in namesakes else f'{n_images:,}'})"


def dataset_label(name: str) -> str:
    """Return what a data set is called in a terminal and in the names of runs.

    That is the name by which it is asked for, or the title of an own data set.
    """
    return dataset_title(name) if is_own_name(name) else name


def load_dataset(
    name: str = "mnist",
    *,
    data_home: Path | str | None = None,
    on_progress: ProgressCallback | None = None,
) -> Dataset:
    """Load a data set, fetching it first if need be; blocks until it is there.

    Args:
        name: A key of `DATASETS`, or the name of an own data set.
        data_home: Folder that scikit-learn keeps its data in; see `neuralscope.data.data_home`.
        on_progress: Called a few times a second while a fetch is under way.

    Raises:
        ConfigError: There is no such data set.
        DataUnavailable: It cannot be had right now; the message says why in one sentence.
    """
    return dataset_info(name, data_home).load(_home(data_home), on_progress)


def is_cached(name: str, data_home: Path | str | None = None) -> bool:
    """Tell, without reading anything large, whether `load_dataset` needs no fetch.

    Data that is built in counts as cached; an own data set that is gone does not.

    Raises:
        ConfigError: There is no such data set.
    """
    try:
        info = dataset_info(name, data_home)
    except DataUnavailable:
        return False
    return not info.needs_fetch or looks_whole(compact_path(_home(data_home), name), info.contents)


def start_fetch(name: str = "mnist", *, data_home: Path | str | None = None) -> Fetch:
    """Start fetching a data set in the background, for callers that must not block.

    Raises:
        ConfigError: There is no such data set, or it is not one that is fetched.
        DataUnavailable: It is an own one that is not here any more.
    """
    contents = dataset_info(name, data_home).contents
    if not isinstance(contents, OpenMLSource):
        fetched = ", ".join(key for key, info in DATASETS.items() if info.needs_fetch)
        raise ConfigError("dataset", name, f"one that is fetched: {fetched}")
    return Fetch(contents, data_home=_home(data_home))


# The parameters `data_home` above keep scikit-learn's name and hide the function.
_home = data_home
