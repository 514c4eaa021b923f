"""Loading a data set where a person waits for it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from neuralscope.cli.status_line import StatusLine
from neuralscope.cli.words import one_line
from neuralscope.errors import DataUnavailable

if TYPE_CHECKING:
    from neuralscope.data import Dataset, FetchProgress


def resolved(given: str | None, line: StatusLine) -> str | None:
    """Return the name of the data set that is meant; a file or folder is added first.

    Raises:
        DataError: The file cannot be used.
    """
    from neuralscope.data import DATASETS, add_dataset, dataset_info, is_own_name

    if given is None or given in DATASETS or is_own_name(given):
        return given
    if not (os.sep in given or "." in given or Path(given).exists()):
        return given  # a misspelt name: the configuration says which there are
    line.show(f"Reading {one_line(given)}.")
    try:
        name = add_dataset(given)
    finally:
        line.clear()
    info = dataset_info(name)
    line.say(
        f"{info.title}: {info.description} {info.n_train:,} are for training, "
        f"{info.n_validation:,} for validation, {info.n_test:,} for the test. Kept as {name}."
    )
    return name


def load(name: str, line: StatusLine) -> Dataset:
    """Load a data set, and show its fetch if it takes one.

    Raises:
        DataUnavailable: It cannot be fetched, or is gone; says how to bring it here.
    """
    from neuralscope.data import load_dataset
    from neuralscope.data.missing import how_to_bring

    phase = ""

    def show(progress: FetchProgress) -> None:
        nonlocal phase
        if line.is_live:
            line.show(progress.message)
        elif progress.phase not in (phase, "done", "failed"):
            line.say(progress.message)
        phase = progress.phase

    try:
        return load_dataset(name, on_progress=show)
    except DataUnavailable as error:
        raise DataUnavailable(f"{error} {how_to_bring(name)}".rstrip()) from error
    finally:
        line.clear()
