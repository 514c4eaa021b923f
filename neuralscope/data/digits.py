"""The 1,797 digits of 8 x 8 pixels that scikit-learn brings along: always there, no network."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from neuralscope.data.cache import read_table, write_table
from neuralscope.data.contents import Contents, Table, digest_of
from neuralscope.data.dataset import Dataset, dataset_from
from neuralscope.data.fetch import ProgressCallback
from neuralscope.data.home import compact_path
from neuralscope.data.split import drawn_split
from neuralscope.errors import DataError, DataUnavailable

N_TEST = 360
N_VALIDATION = 180

DIGITS = Contents(
    name="digits",
    title="Digits",
    image_shape=(8, 8),
    pixel_max=16,
    class_names=tuple("0123456789"),
    label_counts=(178, 182, 177, 183, 181, 182, 181, 179, 174, 180),
    digest="68aea062d35a127749050fa0e52dca09d6569ac08092c925610e0954e172dde2",
)

logger = logging.getLogger(__name__)


def load_digits(home: Path, on_progress: ProgressCallback | None = None) -> Dataset:
    """Load the built-in digits; nothing is reported, they never make anyone wait.

    Raises:
        DataUnavailable: There is neither a compact copy nor scikit-learn.
    """
    table = _kept_table(home)
    if table is None:
        table = _shipped_table()
        _keep(home, table)
    split = drawn_split(table[:, -1], n_test=N_TEST, n_validation=N_VALIDATION)
    return dataset_from(DIGITS, table, split, digest=digest_of(table))


def _kept_table(home: Path) -> Table | None:
    try:
        return read_table(compact_path(home, DIGITS.name), DIGITS)
    except DataError as error:
        logger.info("%s It is made anew.", error)
        return None


def _shipped_table() -> Table:
    try:
        from sklearn.datasets import load_digits as shipped_digits
    except ImportError as error:
        raise DataUnavailable(
            "The digits are not available: they come with scikit-learn, which is not installed."
        ) from error
    bunch = shipped_digits()
    table: Table = np.column_stack([bunch.data, bunch.target]).astype(np.uint8)
    return table


def _keep(home: Path, table: Table) -> None:
    # Only what would pass the check next time; a later scikit-learn might ship other digits.
    if DIGITS.fault(table) is not None:
        return
    try:
        write_table(compact_path(home, DIGITS.name), table)
    except OSError as error:
        logger.info("The digits cannot be kept in %s: %s.", home, error)
