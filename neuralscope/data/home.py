"""Where data sets are kept: scikit-learn's own data folder, shared with it."""

from __future__ import annotations

import os
from pathlib import Path


def data_home(given: Path | str | None = None) -> Path:
    """Return the folder that `sklearn.datasets.get_data_home` would name, without importing it.

    Nothing is created. In order: `given`, the environment variable `SCIKIT_LEARN_DATA`,
    `~/scikit_learn_data`.
    """
    if given is None:
        # An empty variable counts as unset: scikit-learn would fail to create a folder named "".
        given = os.environ.get("SCIKIT_LEARN_DATA") or Path("~", "scikit_learn_data")
    return Path(given).expanduser()


def compact_path(home: Path, name: str) -> Path:
    """Return where the compact copy of data set `name` is kept below `home`."""
    # The version belongs to the layout of the file, not to the data.
    return home / "neuralscope" / f"{name}-v1.npy"
