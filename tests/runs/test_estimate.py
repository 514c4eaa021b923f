from __future__ import annotations

import itertools
import time
from dataclasses import replace
from typing import Any

import pytest

from neuralscope.data import Dataset
from neuralscope.engine import StepEnd
from neuralscope.runs import RunConfig, as_measured, estimate, measure_epoch, prepare
from neuralscope.runs.cores import limited_to

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
