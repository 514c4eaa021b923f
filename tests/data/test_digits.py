from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

from neuralscope.data import is_cached, load_dataset
from neuralscope.data.digits import DIGITS
from neuralscope.data.home import compact_path
from neuralscope.errors import DataUnavailable


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    load_dataset("digits", data_home=tmp_path)
    return compact_path(tmp_path, "digits")


def test_they_are_the_digits_that_scikit_learn_ships(tmp_path: Path) -> None:
    dataset = load_dataset("digits", data_home=tmp_path)
    shipped = sklearn.datasets.load_digits()
    rows = np.concatenate([dataset.x_train, dataset.x_validation, dataset.x_test])
    labels = np.concatenate([dataset.y_train, dataset.y_validation, dataset.y_test])
    ours = np.column_stack([rows, labels])
    theirs = np.column_stack([shipped.data, shipped.target]).astype(np.int64)
    np.testing.assert_array_equal(np.unique(ours, axis=0), np.unique(theirs, axis=0))
    assert ours.shape == theirs.shape


def test_pixels_are_shipped_values_from_0_to_16(tmp_path: Path) -> None:
    dataset = load_dataset("digits", data_home=tmp_path)
    assert dataset.x_train.max() == dataset.pixel_max == 16
    assert dataset.image_shape == (8, 8)


def test_the_parts_have_their_sizes_and_every_class(tmp_path: Path) -> None:
    dataset = load_dataset("digits", data_home=tmp_path)
    parts = [dataset.y_train, dataset.y_validation, dataset.y_test]
    assert [len(part) for part in parts] == [1257, 180, 360]
    for part in parts:
        shares = np.bincount(part) / len(part)
        np.testing.assert_allclose(shares, np.array(DIGITS.label_counts) / 1797, atol=0.01)


def test_the_split_never_changes(tmp_path: Path) -> None:
    dataset = load_dataset("digits", data_home=tmp_path)
    assert dataset.digest == "6fce416c069113db8afa16f07b417e4a6264bf988a9cd0fd5138c3879660d378"


def test_the_second_time_scikit_learn_is_not_imported(kept: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from neuralscope.data import load_dataset;"
        "print(load_dataset('digits', data_home=sys.argv[1]).digest);"
        "assert not {'sklearn', 'pandas', 'scipy'} & set(sys.modules)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.strip() == load_dataset("digits", data_home=tmp_path).digest


def test_a_damaged_copy_is_silently_made_anew(
    kept: Path, tmp_path: Path, log: list[logging.LogRecord]
) -> None:
    whole = kept.read_bytes()
    kept.write_bytes(whole[:1000])
    reports: list[object] = []
    load_dataset("digits", data_home=tmp_path, on_progress=reports.append)
    assert kept.read_bytes() == whole
    assert reports == []
    assert not [record for record in log if record.levelname == "WARNING"]


def test_they_load_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert load_dataset("digits", data_home=tmp_path / "file").n_features == 64


def test_they_load_even_if_scikit_learn_ships_other_digits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = sklearn.datasets.load_digits()
    shipped.data[0, 0] = 1
    monkeypatch.setattr(sklearn.datasets, "load_digits", lambda: shipped)
    changed = load_dataset("digits", data_home=tmp_path)
    monkeypatch.undo()
    assert not compact_path(tmp_path, "digits").exists()
    assert load_dataset("digits", data_home=tmp_path).digest != changed.digest


def test_without_scikit_learn_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataUnavailable, match="not installed"):
        load_dataset("digits", data_home=tmp_path)


def test_they_count_as_cached_from_the_start(tmp_path: Path) -> None:
    assert is_cached("digits", tmp_path)
