"""The inner loop allocates nothing: all its arrays are made before the first step."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest

from neuralscope.engine import (
    ACTIVATIONS,
    OPTIMIZERS,
    Examples,
    Network,
    Record,
    Schedule,
    Training,
)
from neuralscope.engine.workspace import Workspace

BATCH, FEATURES, UNITS = 128, 400, 300
# The smallest array of a hidden layer or a weight matrix: what must never be made anew. NumPy
# itself takes some ten kilobytes to convert pixels piece by piece.
BUFFER = BATCH * UNITS * 4


EVERYTHING = {"l1": 1e-5, "label_smoothing": 0.1, "clip_norm": 0.1, "max_norm": 0.5, "patience": 3}


def assert_no_array_is_made(records: Iterator[Record], n: int) -> None:
    """Go through two records, and look at the memory during the next n."""
    tracemalloc.start()
    try:
        for _ in islice(records, 2):
            pass
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for _ in islice(records, n):
            pass
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < BUFFER / 50
    assert peak - before < BUFFER / 2


@pytest.mark.parametrize("n_blank", [0, FEATURES // 2])
@pytest.mark.parametrize("is_halved", [False, True])
@pytest.mark.parametrize(
    ("optimizer", "activation", "extras"),
    [(name, "relu", {}) for name in OPTIMIZERS]
    + [("sgd", name, {}) for name in ACTIVATIONS]
    + [("sgd", "relu", EVERYTHING)],
)
def test_steps_allocate_no_array(
    optimizer: str, activation: str, extras: dict[str, Any], is_halved: bool, n_blank: int
) -> None:
    rng = np.random.default_rng(0)
    n = 12 * BATCH + 1  # 13 batches an epoch, the last of them short
    pixels = rng.integers(0, 256, (n, FEATURES), dtype=np.uint8)
    pixels[:, :n_blank] = 0
    examples = Examples(pixels, rng.integers(0, 10, n), 1 / 255)
    network = Network((FEATURES, UNITS, UNITS, 10), activation=activation, rng=rng)
    training = Training(
        network,
        OPTIMIZERS[optimizer](network.parameters),
        Schedule("cosine", 13, 3),
        examples,
        examples.first(1),
        learning_rate=1e-3,
        batch_size=BATCH,
        epochs=3,
        l2=1e-4,
        dropout=0.2,
        **extras,
        shuffle_rng=rng,
        dropout_rng=rng,
    )
    if is_halved:
        training.halve()
    records = training.records()
    for _ in islice(records, 13 + 3 + 1):  # through the short batch and into the second epoch
        pass

    assert_no_array_is_made(records, 10)


def test_floating_point_inputs_weights_and_smoothing_allocate_no_array_either() -> None:
    rng = np.random.default_rng(0)
    n = 12 * BATCH + 1
    examples = Examples(
        rng.standard_normal((n, FEATURES)),
        rng.integers(0, 10, n),
        1.0,
        rng.random(n),
    )
    network = Network((FEATURES, UNITS, 10), rng=rng, dtype=np.float64)
    training = Training(
        network,
        OPTIMIZERS["adam"](network.parameters),
        Schedule("constant", 13, 1),
        examples,
        examples.first(1),
        learning_rate=1e-3,
        batch_size=BATCH,
        epochs=1,
        label_smoothing=0.1,
        shuffle_rng=rng,
        dropout_rng=rng,
    )
    records = training.records()
    for _ in islice(records, 2):
        pass

    assert_no_array_is_made(records, 8)


def test_a_short_batch_gets_rows_of_the_same_memory() -> None:
    workspace = Workspace((3, 4, 2), 8, np.float32)
    short = workspace.rows(5)
    assert workspace.rows(8) is workspace
    assert workspace.rows(5) is short
    for name in ("a", "scratch", "delta", "mask", "dropped"):
        for part, whole in zip(getattr(short, name), getattr(workspace, name), strict=True):
            assert part.shape == (5, whole.shape[1])
            assert np.shares_memory(part, whole)
    # The logits become the loss's delta where they stand.
    assert short.loss.delta is short.a[-1]
    assert np.shares_memory(short.delta[-1], short.a[-1])
    assert short.penalty is workspace.penalty
