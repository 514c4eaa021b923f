from __future__ import annotations

import csv
import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from neuralscope import exports
from neuralscope.cli import export as export_command
from neuralscope.errors import ConfigError, RunNotFound, TransferError
from neuralscope.exports import FORMATS, formats
from neuralscope.runs import Run, RunConfig, Store

Train = Callable[..., Run]


def test_the_formats_are_those_of_the_command_line() -> None:
    assert tuple(FORMATS) == export_command.FORMATS


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_of_a_run_can_be_written_and_taken_as_bytes(
    form: str, store: Store, train: Train, tmp_path: Path
) -> None:
    run_id = train().run_id
    path = tmp_path / FORMATS[form].file_name(run_id)
    exports.write(store, run_id, form, path)
    assert path.stat().st_size > 100
    assert len(exports.content(store, run_id, form)) == pytest.approx(path.stat().st_size, rel=0.1)
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == [path.name]


@pytest.mark.parametrize("form", FORMATS)
def test_what_cannot_be_written_leaves_the_file_that_was_there(
    form: str, store: Store, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(store: Store, run_id: str, file: BinaryIO) -> None:
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    run_id = train().run_id
    path = tmp_path / "kept"
    path.write_text("the old one")
    monkeypatch.setitem(FORMATS, form, dataclasses.replace(FORMATS[form], write=half))
    with pytest.raises(TransferError, match=r"kept cannot be written: No space left on device\."):
        exports.write(store, run_id, form, path)
    assert path.read_text() == "the old one"
    assert [each for each in tmp_path.iterdir() if each.is_file()] == [path]


@pytest.mark.parametrize("form", FORMATS)
def test_a_disk_that_is_full_in_the_end_names_the_file_that_was_wanted(
    form: str, store: Store, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    run_id = train().run_id
    before = set(tmp_path.iterdir())
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TransferError) as refusal:
        exports.write(store, run_id, form, tmp_path / "wanted")
    assert (
        str(refusal.value) == f"{tmp_path / 'wanted'} cannot be written: No space left on device."
    )
    assert set(tmp_path.iterdir()) == before


def test_what_would_fill_the_memory_is_left_to_the_terminal(
    store: Store, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = train().run_id
    monkeypatch.setattr(formats, "MOST_CONTENT_BYTES", 5_000)
    exports.content(store, run_id, "csv")
    with pytest.raises(TransferError, match=r"is larger than 4\.8 kB in this form\. Export it in"):
        exports.content(store, run_id, "run")
    exports.write(store, run_id, "run", tmp_path / "run.zip")


@pytest.mark.parametrize("form", FORMATS)
def test_a_run_that_is_not_there_is_told(form: str, store: Store, tmp_path: Path) -> None:
    with pytest.raises(RunNotFound):
        exports.write(store, "20261123-101502-3fa9", form, tmp_path / "x")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("form", FORMATS)
def test_a_run_without_a_snapshot_has_all_but_a_network(
    form: str, store: Store, tmp_path: Path
) -> None:
    run_id = store.create(RunConfig(dataset="digits", hidden=(8,)))
    if FORMATS[form].needs_network:
        with pytest.raises(TransferError, match=r"has no snapshot, so there is no network"):
            exports.write(store, run_id, form, tmp_path / "x")
    else:
        exports.write(store, run_id, form, tmp_path / "x")
        assert (tmp_path / "x").exists()


def test_an_unknown_format_is_told_with_those_there_are(
    store: Store, train: Train, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"format is 'docx', but must be one of npz, onnx"):
        exports.write(store, train().run_id, "docx", tmp_path / "x")


def test_the_measurements_are_a_row_for_each_epoch_to_the_last_digit(
    store: Store, train: Train, tmp_path: Path
) -> None:
    run_id = train(epochs=3).run_id
    exports.write(store, run_id, "csv", tmp_path / "curves.csv")
    with (tmp_path / "curves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    epochs = store.epochs(run_id)
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2, 3]
    for name, column in epochs._asdict().items():
        np.testing.assert_array_equal([float(row[name]) for row in rows], column)


def test_the_configuration_makes_the_same_run_again(
    store: Store, train: Train, tmp_path: Path
) -> None:
    run = train("Größe \N{SNOWMAN}", hidden=(8, 4), activation=("tanh", "relu"))
    exports.write(store, run.run_id, "json", tmp_path / "run.json")
    facts = json.loads((tmp_path / "run.json").read_text("utf-8"))
    assert RunConfig.from_dict(facts["config"]) == run.config
    assert facts["name"] == "Größe \N{SNOWMAN}"
    assert facts["data_digest"] == run.data_digest
    assert facts["test_accuracy"] == run.test_accuracy
    assert facts["versions"]["numpy"] == np.__version__
