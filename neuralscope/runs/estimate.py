"""How long will an epoch take? Measured, by taking a few real steps on this machine.

A network that two processes will train is measured in a process of its own, which starts the second
one: a server with many threads must not be forked.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralscope.data import Dataset, is_cached, load_dataset
from neuralscope.engine import StepEnd
from neuralscope.engine.batches import count_batches
from neuralscope.engine.blanks import are_worth_leaving_out
from neuralscope.errors import DataError
from neuralscope.runs.config import RunConfig
from neuralscope.runs.cores import Cores, blas_threads, cores_for
from neuralscope.runs.experiment import prepare
from neuralscope.runs.launcher import environment

MOST_SECONDS = 0.25

FASTEST = 0.1
"""Share of the steps that count as undisturbed."""

PATIENCE = 20.0
"""Seconds after which a process that measures is given up."""

TIMED = ("dataset", "hidden", "activation", "optimizer", "batch_size", "augmentation")
"""Settings that change the time of a step."""

STRENGTHS = ("l1", "l2", "dropout", "max_norm", "clip_norm", "label_smoothing")
"""Settings of which only counts whether they are on."""

SOME = 0.1

ENOUGH_PIXELS = 2048
"""Examples whose pixels show how much of a picture is blank."""


@dataclass(frozen=True)
class Estimate:
    """What a configuration will cost.

    Attributes:
        seconds_per_epoch: Time for one epoch, from steps taken just now.
        n_steps: How many steps were measured.
    """

    seconds_per_epoch: float
    n_steps: int


def as_measured(config: RunConfig) -> RunConfig:
    """Return the configuration with all at its default that does not change the time of a step.

    Where two configurations agree in this, one measurement is of both.
    """
    there: dict[str, Any] = {name: SOME for name in STRENGTHS if getattr(config, name) > 0}
    return RunConfig(**{name: getattr(config, name) for name in TIMED}, **there)


def measure_epoch(
    config: RunConfig, *, n_train: int, image_shape: tuple[int, int], n_classes: int
) -> Estimate:
    """Train a throw-away network of this configuration for a moment, and count.

    Pixels that are blank in a whole batch save time. So they are those of the data where that is
    here; otherwise they are made up, and none is blank. Steps are taken for a quarter of a second,
    or to the end of the epoch if that is shorter.

    Args:
        config: The configuration.
        n_train: Training examples in an epoch.
        image_shape: Rows and columns of an image.
        n_classes: Number of classes.
    """
    sizes = config.sizes(image_shape[0] * image_shape[1], n_classes)
    cores = cores_for(sizes, config.batch_size)
    if cores.processes > 1:
        try:
            return _measured_apart(config, n_train, image_shape, n_classes)
        except (OSError, subprocess.SubprocessError, ValueError, TypeError):
            cores = Cores(1, blas_threads(sizes, config.batch_size))
    return _measured(config, n_train, image_shape, n_classes, cores)


def _measured(
    config: RunConfig, n_train: int, image_shape: tuple[int, int], n_classes: int, cores: Cores
) -> Estimate:
    steps_per_epoch = count_batches(n_train, config.batch_size)
    n_made_up = min(n_train, 40 * config.batch_size)
    dataset = _made_up(config, n_made_up, image_shape, n_classes)
    training = prepare(replace(config, learning_rate=1e-5), dataset)
    times = []
    with cores.at_work(training):
        began = time.perf_counter()
        for record in training.records():
            if not isinstance(record, StepEnd):
                break
            times.append(time.perf_counter())
            if times[-1] - began > MOST_SECONDS:
                break
    # The first step warms caches up; others are disturbed, and most of them while a page is opened,
    # when browser and server are at work. The fastest tenth shows what the machine can do.
    steps = np.diff(times) if len(times) > 1 else np.array([times[0] - began])
    return Estimate(float(np.quantile(steps, FASTEST)) * steps_per_epoch, len(steps))


def _made_up(config: RunConfig, n: int, image_shape: tuple[int, int], n_classes: int) -> Dataset:
    """Return n examples with made-up labels, and with pixels of the data if it matters which."""
    rng = np.random.default_rng(0)
    n_features = image_shape[0] * image_shape[1]
    n_units = config.sizes(n_features, n_classes)[1]
    pixels = None
    if are_worth_leaving_out(config.batch_size, n_features, n_units):
        pixels = _pixels_at_hand(config.dataset)
    if pixels is not None and pixels.shape[1] == n_features:
        x = np.resize(pixels, (n, n_features))  # again and again
    else:
        x = rng.integers(0, 256, (n, n_features), dtype=np.uint8)
    y = rng.integers(0, n_classes, n)
    few = slice(0, 1)
    return Dataset(
        name=config.dataset,
        x_train=x,
        y_train=y,
        x_validation=x[few],
        y_validation=y[few],
        x_test=x[few],
        y_test=y[few],
        image_shape=image_shape,
        class_names=tuple(str(k) for k in range(n_classes)),
        pixel_max=255,
        digest="",
    )


def _pixels_at_hand(name: str) -> NDArray[np.uint8] | None:
    """Return some pictures of a data set; None where it is not here."""
    try:
        return _some_pixels(name) if is_cached(name) else None
    except DataError:  # it cannot be read: who wants to train with it will be told
        return None


@lru_cache(maxsize=6)
def _some_pixels(name: str) -> NDArray[np.uint8]:
    return load_dataset(name).x_train[:ENOUGH_PIXELS].copy()


def _measured_apart(
    config: RunConfig, n_train: int, image_shape: tuple[int, int], n_classes: int
) -> Estimate:
    """Have another process measure."""
    question = json.dumps([config.as_dict(), n_train, image_shape, n_classes])
    answer = subprocess.run(
        [sys.executable, "-m", "neuralscope.runs.estimate", question],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
        env=environment(),
    )
    return Estimate(**json.loads(answer.stdout))


def main(arguments: list[str]) -> None:
    """Answer a process that has us measure."""
    settings, n_train, (rows, columns), n_classes = json.loads(arguments[0])
    config = RunConfig.from_dict(settings)
    cores = cores_for(config.sizes(rows * columns, n_classes), config.batch_size)
    estimate = _measured(config, n_train, (rows, columns), n_classes, cores)
    sys.stdout.write(json.dumps(asdict(estimate)))


if __name__ == "__main__":
    main(sys.argv[1:])
