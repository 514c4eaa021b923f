"""`export` and `runs import`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neuralscope.cli.export import FORMATS
from neuralscope.runs import Store

ROOT = Path(__file__).resolve().parents[2]

Cli = Callable[..., Any]


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_written_where_it_is_asked_for(
    form: str, cli: Cli, trained: Any, folder: Path
) -> None:
    outcome = cli("export", trained["run_id"], "--format", form, "--output", "x.out", "--json")
    assert outcome.status == 0
    assert outcome.json == {
        "run_id": trained["run_id"],
        "format": form,
        "output": "x.out",
        "bytes": (folder / "x.out").stat().st_size,
    }


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_of_something_else_is_not_replaced_unless_forced(
    form: str, cli: Cli, trained: Any, folder: Path
) -> None:
    command = ("export", trained["run_id"], "--format", form, "--output", "mine")
    (folder / "mine").write_text("something else")
    outcome = cli(*command)
    assert outcome.status == 2
    assert "mine is there already: name another file with --output" in outcome.complaint
    assert (folder / "mine").read_text() == "something else"
    assert cli(*command, "--force").status == 0


@pytest.mark.parametrize("form", FORMATS)
def test_a_full_disk_is_no_mistake_and_names_the_file_that_was_wanted(
    form: str, cli: Cli, trained: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    before = set(folder.iterdir())
    outcome = cli("export", trained["run_id"], "--format", form, "--output", "wanted")
    assert outcome.status == 1
    assert "export: wanted cannot be written: No space left on device." in outcome.complaint
    assert set(folder.iterdir()) == before


@pytest.mark.parametrize("form", FORMATS)
def test_an_earlier_export_of_the_same_run_is_replaced(
    form: str, cli: Cli, trained: Any, folder: Path
) -> None:
    for _ in range(2):
        assert cli("export", trained["run_id"], "--format", form).status == 0


@pytest.mark.parametrize("form", ["npz", "onnx", "json", "python", "html"])
def test_an_earlier_export_is_known_by_what_it_holds(
    form: str, cli: Cli, trained: Any, folder: Path
) -> None:
    for _ in range(2):
        command = ("export", trained["run_id"], "--format", form, "--output", "mine")
        assert cli(*command).status == 0


def test_without_a_name_the_file_is_called_like_the_run(
    cli: Cli, trained: Any, folder: Path
) -> None:
    outcome = cli("export", trained["run_id"][:15], "--format", "html")
    path = folder / f"{trained['run_id']}.html"
    assert outcome.out == f"Wrote {path.name} ({path.stat().st_size:,} bytes).\n"


def test_an_exported_run_is_imported_into_another_store(
    cli: Cli, trained: Any, tmp_path: Path
) -> None:
    cli("export", trained["run_id"], "--format", "run", "--output", "run.zip")
    outcome = cli("runs", "import", "run.zip", "--store", str(tmp_path / "other"), "--json")
    assert outcome.status == 0
    assert outcome.json["run_id"] == trained["run_id"]
    assert outcome.json["test_accuracy"] == trained["test_accuracy"]
    assert cli("runs", "show", trained["run_id"], "--store", str(tmp_path / "other")).status == 0


def test_the_weights_that_train_wrote_are_imported(cli: Cli, trained: Any, tmp_path: Path) -> None:
    outcome = cli("runs", "import", trained["output"], "--store", str(tmp_path / "other"))
    assert outcome.status == 0
    assert outcome.out.startswith("Imported as run ")
    with Store(tmp_path / "other") as store:
        (run,) = store.runs()
    assert run.test_accuracy == trained["test_accuracy"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("export", "1999", "--format", "npz"), "There is no run '1999'"),
        (("export", "RUN", "--format", "docx"), "invalid choice: 'docx'"),
        (("export", "RUN"), "--format"),
        (("export", "RUN", "--format", "csv", "--output", "no/x"), "there is no folder no"),
        (("runs", "import", "none.zip"), "none.zip cannot be imported: No such file"),
        (("runs", "import", "bad.zip"), "bad.zip cannot be imported: it is neither a run file nor"),
    ],
)
def test_a_mistake_is_answered_with_one_line(
    arguments: tuple[str, ...], words: str, cli: Cli, trained: Any, folder: Path
) -> None:
    (folder / "bad.zip").write_bytes(b"no archive")
    outcome = cli(*(trained["run_id"] if each == "RUN" else each for each in arguments))
    assert outcome.status == 2
    assert words in outcome.complaint


def test_without_the_package_onnx_the_work_fails_with_the_way_to_get_it(
    cli: Cli, trained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neuralscope.cli.export.find_spec", lambda name: None)
    outcome = cli("export", trained["run_id"], "--format", "onnx")
    assert outcome.status == 1
    assert "python -m pip install -r requirements.txt" in outcome.complaint


def test_the_large_packages_are_only_loaded_for_their_formats() -> None:
    program = "import sys, neuralscope.exports; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {"onnx", "altair", "pandas", "streamlit"} & set(loaded.stdout.split()) == set()
