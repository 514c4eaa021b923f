from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from neuralscope.data import Dataset
from neuralscope.engine import StepEnd, Training
from neuralscope.errors import DataError
from neuralscope.runs import RunConfig, as_measured, cores, estimate, measure_epoch, prepare
from neuralscope.runs.cores import limited_to
from neuralscope.runs.machine import THREAD_VARIABLES
from neuralscope.runs.partner import can_have_partner, partnership

DIGITS: dict[str, Any] = {"n_train": 1257, "image_shape": (8, 8), "n_classes": 10}
MNIST: dict[str, Any] = {"n_train": 55_000, "image_shape": (28, 28), "n_classes": 10}


def test_an_epoch_is_estimated_from_real_steps() -> None:
    told = measure_epoch(RunConfig(hidden=(32,)), **MNIST)
    assert told.n_steps >= 1
    assert 0.0 < told.seconds_per_epoch < 600.0


@pytest.mark.parametrize(
    "config",
    [
        RunConfig(hidden=()),
        RunConfig(hidden=(), dropout=0.5),
        RunConfig(batch_size=1),
        RunConfig(hidden=(8,) * 6, dropout=0.5, optimizer="adamw", schedule="cosine"),
        RunConfig(epochs=1),
        RunConfig(epochs=10, warmup_epochs=9, learning_rate=10.0, l2=1.0),
    ],
)
def test_any_configuration_can_be_estimated(config: RunConfig) -> None:
    assert measure_epoch(config, **DIGITS).seconds_per_epoch > 0.0


@pytest.mark.parametrize(
    ("n_train", "n_steps"), [(1, 1), (500, 1), (1024, 1), (1025, 1), (2049, 2)]
)
def test_a_batch_may_be_larger_than_the_data(n_train: int, n_steps: int) -> None:
    config = RunConfig(hidden=(8,), batch_size=1024)
    told = measure_epoch(config, n_train=n_train, image_shape=(8, 8), n_classes=10)
    assert told.seconds_per_epoch > 0.0
    assert told.n_steps == n_steps


def test_the_time_of_a_step_is_multiplied_by_the_steps_of_an_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = itertools.count(0.0, 0.0625)  # each step takes a sixteenth of a second
    monkeypatch.setattr(estimate.time, "perf_counter", lambda: next(clock))
    told = measure_epoch(RunConfig(hidden=(8,), batch_size=32), **DIGITS)
    assert told.seconds_per_epoch == 0.0625 * 40
    assert told.n_steps == 4


def test_one_interruption_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 0.01, 0.02, 0.03, 0.04, 0.2, 0.21, 0.3])
    monkeypatch.setattr(estimate.time, "perf_counter", lambda: next(times))
    told = measure_epoch(RunConfig(hidden=(8,), batch_size=32), **DIGITS)
    assert told.seconds_per_epoch == pytest.approx(0.01 * 40)


def test_a_machine_that_is_busy_most_of_the_time_is_not_taken_for_a_slow_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # While a page is opened, the browser and the server interrupt most steps.
    steps = [0.01, 0.05, 0.03, 0.05, 0.01, 0.04, 0.06]
    times = iter([0.0, *itertools.accumulate(steps, initial=0.01)])
    monkeypatch.setattr(estimate.time, "perf_counter", lambda: next(times))
    told = measure_epoch(RunConfig(hidden=(8,), batch_size=32), **DIGITS)
    assert told.seconds_per_epoch == pytest.approx(0.01 * 40)


def pictures(n: int) -> Dataset:
    """Return pictures of 28 x 28, of which the lower half is blank."""
    x = np.full((n, 784), 9, np.uint8)
    x[:, 392:] = 0
    y = np.zeros(n, np.int64)
    names = tuple("0123456789")
    return Dataset("mnist", x, y, x[:1], y[:1], x[:1], y[:1], (28, 28), names, 255, "")


@pytest.mark.parametrize(
    ("is_here", "config", "is_measured_on_it"),
    [
        (True, RunConfig(hidden=(128,), batch_size=64), True),
        (False, RunConfig(hidden=(128,), batch_size=64), False),
        (True, RunConfig(hidden=(32,), batch_size=64), False),  # blank or not, it takes as long
    ],
)
def test_where_blank_pixels_save_time_the_pictures_are_those_of_the_data(
    is_here: bool, config: RunConfig, is_measured_on_it: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured_on: list[Dataset] = []
    monkeypatch.setattr(estimate, "is_cached", lambda name: is_here)
    monkeypatch.setattr(estimate, "load_dataset", lambda name: pictures(70))
    monkeypatch.setattr(
        estimate, "prepare", lambda c, data: measured_on.append(data) or prepare(c, data)
    )
    estimate._some_pixels.cache_clear()
    measure_epoch(config, **MNIST)
    estimate._some_pixels.cache_clear()
    (used,) = measured_on
    assert used.x_train.shape == (40 * config.batch_size, 784)
    assert used.x_train[:, :392].any(axis=0).all()
    assert used.x_train[:, 392:].any() != is_measured_on_it


def test_data_that_cannot_be_read_is_measured_on_made_up_pictures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(name: str) -> Dataset:
        raise DataError("the disk is gone")

    monkeypatch.setattr(estimate, "is_cached", lambda name: True)
    monkeypatch.setattr(estimate, "load_dataset", refuse)
    estimate._some_pixels.cache_clear()
    assert measure_epoch(RunConfig(hidden=(128,)), **MNIST).n_steps >= 1


def test_a_large_network_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(0.0, 0.6)  # steps of 0.6 s
    monkeypatch.setattr(estimate.time, "perf_counter", lambda: next(clock))
    told = measure_epoch(RunConfig(hidden=(8,), batch_size=1024), **MNIST)
    assert (told.n_steps, told.seconds_per_epoch) == (1, pytest.approx(0.6 * 54))


def test_the_estimate_is_about_right(digits: Dataset) -> None:
    config = RunConfig(dataset="digits", hidden=(256, 256), batch_size=64)
    told = measure_epoch(config, **DIGITS)
    took = []
    for _ in range(3):
        training = prepare(replace(config, epochs=1), digits)
        began = time.perf_counter()
        with limited_to(1):
            for record in training.records():
                if not isinstance(record, StepEnd):
                    break
        took.append(time.perf_counter() - began)
    # Other programs may be at work: an order of magnitude is what can be claimed for sure.
    assert min(took) / 10 < told.seconds_per_epoch < max(took) * 10


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        ({"learning_rate": 1.0, "seed": 7, "epochs": 3, "schedule": "cosine"}, True),
        ({"initializer": "zeros", "patience": 4, "warmup_epochs": 2}, True),
        ({"l2": 1e-3}, True),
        ({"l2": 0.0}, False),
        *(
            ({name: 0.5}, False)
            for name in ("l1", "dropout", "max_norm", "clip_norm", "label_smoothing")
        ),
        ({"augmentation": "elastic"}, False),
        ({"hidden": (128, 10)}, False),
        ({"activation": "tanh"}, False),
        ({"optimizer": "adam"}, False),
        ({"batch_size": 33}, False),
        ({"dataset": "digits"}, False),
    ],
)
def test_only_what_changes_the_time_of_a_step_is_measured_anew(
    other: dict[str, Any], is_same: bool
) -> None:
    config = RunConfig(hidden=(128,), l2=1e-4)
    assert (as_measured(replace(config, **other)) == as_measured(config)) == is_same


def test_every_setting_either_changes_the_time_or_does_not() -> None:
    strengths = {
        name: value for name, value in vars(RunConfig()).items() if value == 0 and name != "seed"
    }
    assert set(strengths) - {"patience", "warmup_epochs"} == set(estimate.STRENGTHS)


# Two processes -----------------------------------------------------------------------------------

WIDE = RunConfig(hidden=(512,), batch_size=128)


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "usable_cores", lambda: 2)
    monkeypatch.setattr(cores, "can_have_partner", lambda: True)
    for name in THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_what_two_processes_will_train_is_measured_apart(
    two_cores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    run = subprocess.run

    def spy(command: list[str], **options: Any) -> Any:
        asked.append(command)
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", spy)
    monkeypatch.chdir("/")
    told = measure_epoch(WIDE, **MNIST)
    assert told.n_steps >= 1
    assert 0.0 < told.seconds_per_epoch < 600.0
    assert [command[:3] for command in asked] == [
        [sys.executable, "-m", "neuralscope.runs.estimate"]
    ]
    measure_epoch(RunConfig(hidden=(32,)), **MNIST)
    assert len(asked) == 1


@pytest.mark.skipif(not can_have_partner(), reason="only Linux lets a fork multiply matrices")
def test_apart_it_is_measured_with_a_partner(
    two_cores: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[Training] = []
    monkeypatch.setattr(cores, "partnership", lambda t: started.append(t) or partnership(t))
    estimate.main([json.dumps([WIDE.as_dict(), 2000, [28, 28], 10])])
    assert len(started) == 1
    assert json.loads(capsys.readouterr().out)["seconds_per_epoch"] > 0.0


@pytest.mark.parametrize(
    "answer",
    [
        OSError("no more processes"),
        subprocess.CalledProcessError(1, "python"),
        subprocess.TimeoutExpired("python", 20),
        subprocess.CompletedProcess("python", 0, "not a number", ""),
        subprocess.CompletedProcess("python", 0, "{}", ""),
    ],
    ids=lambda answer: type(answer).__name__,
)
def test_where_that_fails_it_is_measured_here(
    two_cores: None, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(subprocess, "run", fail)
    assert measure_epoch(WIDE, **MNIST).seconds_per_epoch > 0.0
