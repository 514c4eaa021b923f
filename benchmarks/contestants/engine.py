"""NeuralScope's engine as it is shipped: `uint8` pixels, a record for every step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice

import numpy as np

from benchmarks.contestants import Epoch
from benchmarks.pictures import Pictures
from benchmarks.rows import Row
from neuralscope.engine import (
    OPTIMIZERS,
    EpochEnd,
    Examples,
    Network,
    Record,
    Schedule,
    Training,
    shares,
)
from neuralscope.runs.cores import Cores, cores_for, limited_to

PICTURES_PER_EVALUATED = 12
"""One is evaluated for so many trained on, in validation as in training: 5,000 of 60,000."""
WITHOUT_END = 10_000


at_work = ExitStack()
"""Keeps second processes at hand for as long as this one lives."""


def prepare(row: Row, pictures: Pictures) -> Epoch:
    """Return a function that times the steps of an epoch; its evaluation follows untimed."""
    return _prepare(row, pictures, cores_for(row.sizes, row.batch_size, is_watched=False))


def prepare_on_one_core(row: Row, pictures: Pictures) -> Epoch:
    """Return the same on one core, which is how the dashboard trains small networks."""
    return _prepare(row, pictures, Cores(processes=1, blas_threads=1))


def prepare_of_all_inputs(row: Row, pictures: Pictures) -> Epoch:
    """Return the same as `prepare`, but without leaving out inputs that are blank in a batch."""
    shares.are_worth_leaving_out = lambda *_: False  # in this contestant's own process
    return prepare(row, pictures)


def prepare_evaluated(row: Row, pictures: Pictures) -> Epoch:
    """Return a function that times steps and evaluation."""
    cores = cores_for(row.sizes, row.batch_size, is_watched=False)
    return _prepare(row, pictures, cores, is_evaluated=True)


def _prepare(row: Row, pictures: Pictures, cores: Cores, is_evaluated: bool = False) -> Epoch:
    training = new_training(row, pictures)
    at_work.enter_context(cores.at_work(training))
    records = training.records()

    def epoch() -> float:
        with limited_to(cores.blas_threads):  # another row may have set another limit
            began = time.perf_counter()
            for _ in islice(records, training.n_batches):
                pass
            seconds = time.perf_counter() - began
            until_epoch_end(records)
            return time.perf_counter() - began if is_evaluated else seconds

    return epoch


def new_training(row: Row, pictures: Pictures) -> Training:
    """Return the training that a row describes, ready for its first step."""
    examples = Examples(pictures.pixels, pictures.labels, 1 / 255)
    network = Network(row.sizes, rng=np.random.default_rng(0))
    settings = {"momentum": row.momentum} if row.optimizer == "momentum" else {}
    return Training(
        network,
        OPTIMIZERS[row.optimizer](network.parameters, **settings),
        Schedule("constant", steps_per_epoch=1, epochs=WITHOUT_END),
        examples,
        examples.first(len(examples) // PICTURES_PER_EVALUATED),
        learning_rate=row.learning_rate,
        batch_size=row.batch_size,
        epochs=WITHOUT_END,
        shuffle_rng=np.random.default_rng(1),
        dropout_rng=np.random.default_rng(2),
    )


def until_epoch_end(records: Iterator[Record]) -> None:
    """Ask for records up to the end of an epoch."""
    for record in records:
        if isinstance(record, EpochEnd):
            return
