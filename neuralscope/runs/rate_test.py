"""The learning-rate range test of a configuration: which rate to give it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from neuralscope.data import Dataset
from neuralscope.engine import Training
from neuralscope.engine.batches import count_batches
from neuralscope.engine.rate_test import STEPS, RateTried, try_rates
from neuralscope.runs.config import RunConfig
from neuralscope.runs.cores import blas_threads, limited_to
from neuralscope.runs.experiment import prepare

NOT_READ = (
    *("learning_rate", "epochs", "patience"),
    *("schedule", "warmup_epochs", "decay_every", "decay_factor"),
)
"""Settings that change nothing about a test."""


def as_tested(config: RunConfig) -> RunConfig:
    """Return the configuration with what a test does not read at its default.

    Where two configurations agree in this, one test is of both.
    """
    default = RunConfig()
    return replace(config, **{name: getattr(default, name) for name in NOT_READ})


def prepare_rate_test(config: RunConfig, dataset: Dataset, *, steps: int = STEPS) -> Training:
    """Return a training of a fresh network that `try_rates` can take through its steps.

    Everything is as in the run that the configuration describes, its seed included, but for the
    schedule: the test has its own.

    Args:
        config: What would be trained; its learning rate does not matter.
        dataset: What it would be trained on.
        steps: How many steps the test takes.

    Raises:
        ConfigError: The data set is another one.
    """
    steps_per_epoch = count_batches(len(dataset.y_train), config.batch_size)
    # Nobody asks for the accuracy after each epoch: one example makes measuring it cost nothing.
    one = replace(
        dataset, x_validation=dataset.x_validation[:1], y_validation=dataset.y_validation[:1]
    )
    return prepare(replace(as_tested(config), epochs=count_batches(steps, steps_per_epoch)), one)


def run_rate_test(
    config: RunConfig, dataset: Dataset, *, steps: int = STEPS
) -> Iterator[RateTried]:
    """Run the test of a configuration, and tell of each step.

    Args:
        config: What would be trained; its learning rate does not matter.
        dataset: What it would be trained on.
        steps: How many steps the test takes.

    Raises:
        ConfigError: The data set is another one.
    """
    training = prepare_rate_test(config, dataset, steps=steps)
    with limited_to(blas_threads(training.network.sizes, config.batch_size)):
        yield from try_rates(training, steps=steps)
