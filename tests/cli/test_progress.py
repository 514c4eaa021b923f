"""Progress on standard error: drawn in place on a terminal, a few lines elsewhere."""

from __future__ import annotations

import fcntl
import io
import os
import re
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from neuralscope.cli.progress import DRAW_EVERY, Progress, Smoothed, bar
from neuralscope.cli.status_line import StatusLine
from neuralscope.engine import EpochEnd, StepEnd
from neuralscope.errors import StoreError
from neuralscope.runs import RunConfig, Store
from tests.writing import owner

Cli = Callable[..., Any]

CONFIG = RunConfig(dataset="digits", epochs=5)
N_TRAIN = 1257


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock.perf_counter)
    return clock


@pytest.fixture
def store(run_store: Path) -> Iterator[Store]:
    with Store(run_store) as store:
        yield store


def progress_on(stream: io.StringIO, store: Store) -> Progress:
    return Progress(StatusLine(stream), store, store.create(CONFIG), CONFIG)


def step(epoch: int = 1, loss: float = 0.5, n_examples: int = 32) -> StepEnd:
    return StepEnd(epoch, 1, loss, 0.1, n_examples)


def epoch_end(epoch: int, accuracy: float = 0.9) -> EpochEnd:
    return EpochEnd(epoch, 40 * epoch, 0.5, 0.8, 0.6, accuracy, 0.1)


# What it says


def test_the_line_tells_epoch_loss_accuracy_pace_and_time_left(
    terminal: Any, store: Store, clock: Clock
) -> None:
    progress = progress_on(terminal, store)
    progress.on_record(step(n_examples=0))
    clock.now += 2.0
    progress.on_record(step(epoch=3, n_examples=2 * N_TRAIN))
    progress.on_record(epoch_end(2, accuracy=0.9722))
    assert progress._text() == (
        "epoch 3/5  [########.............]  loss 0.5000  val. 97.22 %  1k/s  3.0 s left"
    )


@pytest.mark.parametrize("width", [10, 20, 30, 40, 60, 79, 120])
def test_the_line_fits_the_terminal(
    terminal: Any, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr(StatusLine, "width", width)
    progress = progress_on(terminal, store)
    for at in (0, 2):
        clock.now += at
        progress.on_record(step())
    progress.on_record(epoch_end(1))
    text = progress._text()
    assert text.startswith("epoch 1/5")
    assert len(text) <= width
    assert ("loss" in text) == (width >= 25)
    assert ("left" in text) == (width >= 60)
    assert ("[" in text) == (width >= 79)


def test_waiting_and_pauses_are_shown_in_place_of_the_pace(terminal: Any, store: Store) -> None:
    progress = progress_on(terminal, store)
    assert "starting" in progress._text()
    progress.on_wait(2)
    assert "waiting: place 2 in the queue" in progress._text()
    progress.on_wait(0)
    assert "paused" in progress._text()
    progress.on_record(step())
    assert "loss" in progress._text()


def test_a_pause_is_found_in_the_store(terminal: Any, store: Store) -> None:
    progress = progress_on(terminal, store)
    progress.on_record(step())
    owner(store, progress._run_id).set_status("paused")
    progress._tell_news()
    assert "paused" in progress._text()
    owner(store, progress._run_id).set_status("running")
    progress._tell_news()
    assert "paused" not in progress._text()


def test_the_queue_is_told_once_a_place(store: Store) -> None:
    stream = io.StringIO()
    progress = progress_on(stream, store)
    for place in (2, 2, 1, 1, 0):
        progress.on_wait(place)
    assert stream.getvalue().splitlines() == [
        "waiting: place 2 in the queue",
        "waiting: place 1 in the queue",
        "paused",
    ]


def test_a_store_that_fails_does_not_end_the_training(
    terminal: Any, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(run_id: str) -> None:
        raise StoreError("busy")

    progress = progress_on(terminal, store)
    monkeypatch.setattr(store, "events", fail)
    progress._tell_news()


def test_without_a_terminal_quick_epochs_are_thinned_out(store: Store, clock: Clock) -> None:
    stream = io.StringIO()
    progress = progress_on(stream, store)
    for epoch in range(6):
        progress.on_record(epoch_end(epoch))  # 0 is before training
        clock.now += 0.7
    told = re.findall(r"epoch (\d)/5", stream.getvalue())
    assert told == ["1", "4", "5"]


def test_without_a_terminal_slow_epochs_are_all_told(store: Store, clock: Clock) -> None:
    stream = io.StringIO()
    progress = progress_on(stream, store)
    for epoch in range(1, 6):
        progress.on_record(epoch_end(epoch))
        clock.now += 2.5
    assert stream.getvalue().count("val. 90.00 %\n") == 5


def test_the_last_epoch_of_a_stopped_run_is_told(store: Store, clock: Clock) -> None:
    stream = io.StringIO()
    progress = progress_on(stream, store)
    with progress:
        for epoch in (1, 2, 3):
            progress.on_record(epoch_end(epoch))
    assert re.findall(r"epoch (\d)/5", stream.getvalue()) == ["1", "3"]


def test_the_pace_leaves_pauses_out(terminal: Any, store: Store, clock: Clock) -> None:
    progress = progress_on(terminal, store)
    with progress:
        progress.on_record(step())
        progress.on_wait(0)
        threading.Event().wait(3 * DRAW_EVERY)
        clock.now += 3600
        progress.on_record(step())
        clock.now += 1.0
        assert progress._pace() == 32


def test_the_loss_is_smoothed() -> None:
    smoothed = Smoothed()
    assert smoothed.value is None
    smoothed.add(2.0)
    assert smoothed.value == 2.0
    for _ in range(34):
        smoothed.add(1.0)
    assert 1.0 < smoothed.value < 1.05
    noisy = Smoothed()
    for i in range(500):
        noisy.add(i % 2)
    assert noisy.value == pytest.approx(0.5, abs=0.01)


def test_a_bar_is_as_full_as_its_share() -> None:
    assert [bar(share, 4) for share in (-1, 0, 0.5, 1, 2)] == [
        "....",
        "....",
        "##..",
        "####",
        "####",
    ]


# A real terminal


def test_on_a_terminal_the_line_is_drawn_in_place(
    start: Cli, eventually: Cli, run_store: Path
) -> None:
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    written: list[str] = []

    def read() -> None:
        try:
            while piece := os.read(ours, 65_536):
                written.append(piece.decode())
        except OSError:  # the other end is closed
            pass

    train = ("train", "--dataset", "digits", "--batch-size", "4", "--epochs", "10000")
    process = start(*train, streams={"stderr": theirs})
    os.close(theirs)
    reader = threading.Thread(target=read)
    reader.start()
    with Store(run_store) as store:
        (run,) = eventually(store.runs)
        eventually(lambda: "val." in "".join(written))
        store.send(run.run_id, "pause")
        eventually(lambda: "  paused" in "".join(written))
        store.send(run.run_id, "stop")
    assert process.outcome().status == 0
    reader.join()
    os.close(ours)

    text = "".join(written)
    assert "\x1b" not in text
    assert "\b" not in text
    announcement, *lines = text.replace("\r\n", "\n").split("\n")
    assert run.run_id in announcement
    drawn = [line for part in lines for line in part.split("\r")]
    assert max(map(len, drawn)) <= 59
    looks = re.compile(r"epoch \d+/10000  (\[[#.]+\]  )?loss \d\.\d{4}  val\. ")
    assert any(looks.match(line) for line in drawn)
    assert drawn[-1].strip() == "", "the line is cleared at the end"
