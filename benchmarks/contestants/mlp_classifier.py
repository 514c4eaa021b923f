"""scikit-learn's MLPClassifier: one pass a call through `partial_fit`, in `float32`."""

from __future__ import annotations

import time

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.contestants import Epoch
from benchmarks.pictures import Pictures
from benchmarks.rows import N_CLASSES, Row


def prepare(row: Row, pictures: Pictures) -> Epoch:
    """Return a function that trains and times one epoch."""
    x, y = pictures.scaled(), pictures.labels
    classifier = MLPClassifier(
        row.hidden,
        activation="relu",
        solver="adam" if row.optimizer == "adam" else "sgd",
        alpha=0.0,
        batch_size=row.batch_size,
        learning_rate_init=row.learning_rate,
        momentum=row.momentum,
        nesterovs_momentum=False,
        random_state=0,
    )
    classes = np.arange(N_CLASSES)

    def epoch() -> float:
        began = time.perf_counter()
        classifier.partial_fit(x, y, classes=classes)
        return time.perf_counter() - began

    return epoch
