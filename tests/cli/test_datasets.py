"""A data set is loaded while a person waits: its fetch is shown."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from neuralscope.cli.datasets import load
from neuralscope.cli.status_line import StatusLine
from neuralscope.data import FetchProgress
from neuralscope.errors import DataUnavailable

NEWS = [
    FetchProgress("connecting", 0, 0.0, "Asking OpenML."),
    FetchProgress("connecting", 0, 0.1, "Asking OpenML."),
    FetchProgress("downloading", 1, 0.2, "Downloading: 1 MB."),
    FetchProgress("downloading", 2, 0.3, "Downloading: 2 MB."),
    FetchProgress("failed", 2, 0.4, "MNIST is not available."),
]


@pytest.fixture(autouse=True)
def failing_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a fetch tell all there is to tell."""

    def fetch(name: str, *, on_progress: Callable[[FetchProgress], None]) -> None:
        for each in NEWS:
            on_progress(each)
        raise DataUnavailable("MNIST is not available.")

    monkeypatch.setattr("neuralscope.data.load_dataset", fetch)


def test_on_a_terminal_a_fetch_is_drawn_in_place(terminal: Any) -> None:
    with pytest.raises(DataUnavailable):
        load("mnist", StatusLine(terminal))
    text = terminal.getvalue()
    assert "\n" not in text
    assert all(each.message in text for each in NEWS)
    assert terminal.screen() == [""]


def test_without_a_terminal_a_fetch_is_told_once_a_phase() -> None:
    stream = io.StringIO()
    with pytest.raises(DataUnavailable):
        load("mnist", StatusLine(stream))
    assert stream.getvalue().splitlines() == ["Asking OpenML.", "Downloading: 1 MB."]
