"""scikit-learn's MLPClassifier: one pass a call through `partial_fit`, in `float32`."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.contestants import Epoch
from benchmarks.pictures import Pictures
from benchmarks.rows import N_CLASSES, Row


def prepare(row: Row, pictures: Pictures) -> Epoch:
    """Return a function that trains and times one epoch, by the formula of the others."""
    return _prepare(row, pictures, alpha=0.0, nesterovs_momentum=False)


def prepare_as_it_comes(row: Row, pictures: Pictures) -> Epoch:
    """Return the same with the L2 penalty and Nesterov's momentum, which are its defaults."""
    return _prepare(row, pictures)


def _prepare(row: Row, pictures: Pictures, **settings: Any) -> Epoch:
    x, y = pictures.scaled(), pictures.labels
    classifier = MLPClassifier(
        row.hidden,
        activation="relu",
        solver="adam" if row.optimizer == "adam" else "sgd",
        batch_size=row.batch_size,
        learning_rate_init=row.learning_rate,
        momentum=row.momentum,
        random_state=0,
        **settings,
    )
    classes = np.arange(N_CLASSES)

    def epoch() -> float:
        began = time.perf_counter()
        classifier.partial_fit(x, y, classes=classes)
        return time.perf_counter() - began

    return epoch
