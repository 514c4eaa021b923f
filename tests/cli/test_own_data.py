"""A data set of one's own, by its path on the command line."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

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
    assert again.json["test_accuracy"] == measured.json["test_accuracy"] > 0.9
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
