"""Small made-up digits, and trainings on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuralscope.engine import OPTIMIZERS, Examples, Network, Schedule, Training
from neuralscope.engine.batches import count_batches

NewTraining = Callable[..., Training]


@pytest.fixture(scope="session")
def digits() -> Examples:
    """200 noisy copies of ten 6 x 6 patterns, pixels from 0 to 16."""
    rng = np.random.default_rng(12)
    patterns = rng.integers(0, 17, (10, 36))
    labels = rng.permutation(np.arange(200) % 10)
    noisy = patterns[labels] + rng.integers(-4, 5, (200, 36))
    return Examples(noisy.clip(0, 16).astype(np.uint8), labels, 1 / 16)


@pytest.fixture
def new_training(digits: Examples) -> NewTraining:
    """Return a function that makes a training; what is not named has a plain default."""

    def make(
        *,
        hidden: tuple[int, ...] = (12,),
        activation: str = "relu",
        optimizer: str = "sgd",
        schedule: str = "constant",
        learning_rate: float = 0.1,
        batch_size: int = 16,
        epochs: int = 2,
        n_train: int = 50,
        n_validation: int = 30,
        seed: int = 0,
        **settings: Any,
    ) -> Training:
        train = digits.first(n_train)
        validation = Examples(
            digits.pixels[-n_validation:], digits.labels[-n_validation:], digits.scale
        )
        network = Network(
            (36, *hidden, 10), activation=activation, rng=np.random.default_rng([seed, 0])
        )
        return Training(
            network,
            OPTIMIZERS[optimizer](network.parameters),
            Schedule(schedule, count_batches(n_train, batch_size), epochs),
            train,
            validation,
            learning_rate=learning_rate,
            batch_size=batch_size,
            epochs=epochs,
            shuffle_rng=np.random.default_rng([seed, 1]),
            dropout_rng=np.random.default_rng([seed, 2]),
            **settings,
        )

    return make
