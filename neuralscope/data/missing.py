"""What to do where a published data set is not here and cannot be fetched."""

from __future__ import annotations

from pathlib import Path

from neuralscope.data.catalog import DATASETS, is_cached
from neuralscope.data.home import compact_path
from neuralscope.data.home import data_home as home_of


def stand_in(missing: str, data_home: Path | str | None = None) -> str:
    """Return the digits to use instead: MNIST where it is here, else those that are built in."""
    return "mnist" if missing != "mnist" and is_cached("mnist", data_home) else "digits"


def how_to_bring(name: str, data_home: Path | str | None = None) -> str:
    """Say how to bring a published data set without a network; empty for one that is not fetched.

    Args:
        name: Of the data set.
        data_home: Folder that scikit-learn keeps its data in; see `neuralscope.data.data_home`.
    """
    info = DATASETS.get(name)
    if info is None or not info.needs_fetch:
        return ""
    path = compact_path(home_of(data_home).absolute(), name)
    return (
        f"To bring {info.title} here, fetch it on a machine with a network, with python -c "
        f"\"import neuralscope; neuralscope.load_dataset('{name}')\", and copy "
        f"~/scikit_learn_data/{path.parent.name}/{path.name} from there into the folder "
        f"{path.parent}; or add its published IDX files as a data set of your own."
    )
