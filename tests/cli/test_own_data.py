"""A data set of one's own, by its path on the command line."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from neuralscope.data import load_dataset
from tests.cli.conftest import Outcome


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """150 pictures of 6 x 9 pixels: a bar that stands, lies or leans."""
    labels = np.arange(150) % 3
    rows, columns = np.indices((6, 9))
    kinds = np.stack([abs(columns - 4) < 2, abs(rows - 3) < 2, abs(columns - rows - 1) < 2])
    noise = np.random.default_rng(0).random((150, 6, 9)) > 0.2
    path = tmp_path / "bars.npz"
    names = np.array(["stands", "lies", "leans"])
    np.savez(path, x=(200 * kinds[labels] * noise).astype(np.uint8), y=names[labels])
    return path


def test_a_file_is_added_trained_on_measured_and_viewed(
    cli: Callable[..., Outcome], bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "w.npz"
    trained = cli(
        *("train", "--dataset", str(bars), "--hidden", "8", "--epochs", "20", "--json"),
        *("--output", str(weights)),
    )
    assert trained.status == 0
    assert "bars: 150 pictures of 6 x 9 pixels in 3 classes" in trained.err
    name = trained.json["config"]["dataset"]
    assert name.startswith("own-bars-")
    measured = cli("evaluate", str(weights), "--json")
    assert measured.json["dataset"] == name
    assert [each["class"] for each in measured.json["per_class"]] == ["leans", "lies", "stands"]
    again = cli("evaluate", str(weights), "--dataset", str(bars), "--json")
    assert measured.json["test_accuracy"] > 0.9
    assert (again.json["n"], measured.json["n"]) == (150, 30)  # a file is a test set, all of it
    monkeypatch.setattr(sys, "stdin", io.StringIO("q\n"))
    viewed = cli("view", str(weights), "--seed", "1")
    assert "Test picture" in viewed.out
    assert max(map(len, viewed.out.splitlines())) <= 100
    sheet = Image.new("L", (80, 80), 255)
    ImageDraw.Draw(sheet).rectangle((5, 34, 75, 46), fill=0)
    sheet.save(tmp_path / "bar.png")
    read = cli("predict", str(weights), str(tmp_path / "bar.png"), "--json")
    assert read.json[0]["digit"] == "lies"
    assert set(read.json[0]["probabilities"]) == {"stands", "lies", "leans"}


@pytest.mark.parametrize("command", ["train", "lr-find"])
def test_a_file_that_cannot_be_used_is_answered_with_one_line(
    command: str, cli: Callable[..., Outcome], tmp_path: Path
) -> None:
    (tmp_path / "odd.csv").write_text("hello")
    outcome = cli(command, "--dataset", str(tmp_path / "odd.csv"))
    assert outcome.status == 2
    assert outcome.complaint.startswith(f"neuralscope {command}: odd.csv cannot be used: ")
    missing = cli(command, "--dataset", str(tmp_path / "none.npz"))
    assert missing.status == 2
    assert "none.npz cannot be used: there is no such file." in missing.complaint


def two_readings(path: Path) -> None:
    """Write pixels of 0 and 1 with the label last: the first pixel could be one, too."""
    rng = np.random.default_rng(0)
    table = np.column_stack([rng.integers(0, 2, (60, 9)), np.arange(60) % 3 + 4])
    path.write_text("\n".join(",".join(map(str, row)) for row in table.tolist()))


QUICK = ("--hidden", "4", "--epochs", "1", "--output", os.devnull)


def test_of_two_readings_a_flag_says_which(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    path = tmp_path / "bits.csv"
    two_readings(path)
    asked = cli("train", "--dataset", str(path), *QUICK)
    assert asked.status == 2
    assert asked.complaint == (
        "neuralscope train: bits.csv cannot be used yet: its label may be column 1 (2 classes: "
        "0, 1) or column 10 (3 classes: 4, 5, 6). Say which it is. Add --label-column 1 or "
        "--label-column 10."
    )
    told = cli("train", "--dataset", str(path), *QUICK, "--label-column", "10")
    assert told.status == 0
    assert "label: column 10, 3 classes (as you said)\n" in told.err
    assert "60 pictures of 3 x 3 pixels in 3 classes" in told.err


def test_ink_on_paper_is_told_and_turned_if_asked(
    cli: Callable[..., Outcome], bars: Path, tmp_path: Path
) -> None:
    with np.load(bars) as arrays:
        x, y = np.zeros((150, 10, 13), np.uint8), arrays["y"]
        x[:, 2:8, 2:11] = arrays["x"]
    np.savez(tmp_path / "paper.npz", x=255 - x, y=y)
    command = ("train", "--dataset", str(tmp_path / "paper.npz"), *QUICK)
    told = "These pictures show dark ink on light paper: the paper is about 255."
    plain = cli(*command)
    assert plain.status == 0
    assert told in plain.err and "add --invert" in plain.err
    turned = cli(*command, "--invert", "--orientation", "transpose", "--json")
    assert told not in turned.err
    assert "added from a file, rows and columns swapped, ink and paper swapped." in turned.err
    kept = load_dataset(turned.json["config"]["dataset"])
    assert kept.image_shape == (13, 10)
    assert set(map(bytes, kept.x_test)) <= {each.T.tobytes() for each in x}
    np.savez(tmp_path / "ink.npz", x=x, y=y)
    wrong = cli("train", "--dataset", str(tmp_path / "ink.npz"), *QUICK, "--invert")
    assert "With --invert these pictures show dark ink on light paper" in wrong.err


@pytest.mark.parametrize(
    "flags", [("--invert",), ("--orientation", "left"), ("--label-column", "1")]
)
def test_flags_for_files_are_refused_where_there_is_none(
    flags: tuple[str, ...], cli: Callable[..., Outcome]
) -> None:
    outcome = cli("train", "--dataset", "digits", *QUICK, *flags)
    assert outcome.status == 2
    assert outcome.complaint.endswith(
        f"{flags[0]} says how to read a file, but --dataset does not name a file."
    )
