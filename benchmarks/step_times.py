"""Where the microseconds of a training step go, by operation, in place.

    python -m benchmarks.step_times [--rows 1 3] [--epochs 3]

Every NumPy operation of the engine is timed where it runs, so that caches are as warm or as cold
as they are in training. Where two processes share a step, it is the first whose operations are
timed, and its waiting for the second; and as a whole what gathers rows and columns. Calls of one
kind in a step are added up. Where a result has as many rows as a batch has inputs with ink, they
are k. 'everything else' is the Python between them, less what the stopwatch costs.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from statistics import median
from typing import Any

from benchmarks.contestants.engine import new_training, until_epoch_end
from benchmarks.pictures import pictures
from benchmarks.rows import ROWS, Row
from neuralscope.engine import (
    Training,
    activations,
    layers,
    loss,
    network,
    optimizers,
    shares,
)
from neuralscope.engine.batches import Batch
from neuralscope.engine.blanks import Narrowing
from neuralscope.runs.cores import cores_for
from neuralscope.runs.partner import PartnerProcess

PARTS = (layers, activations, loss, network, shares, optimizers)

WHOLE = (
    (PartnerProcess, "finish", "partner"),
    (Batch, "gather", "batches"),
    (Narrowing, "narrow", "blanks"),
    (Narrowing, "spread_gradient", "blanks"),
)
"""Methods that are timed as a whole, and the part that they belong to."""

Operation = tuple[str, str, str]
"""The engine's part, NumPy's function, and the shape of what it writes."""

Times = dict[Operation, list[float]]


class TimedNumPy:
    """NumPy, or a part of it, with a stopwatch around every call."""

    def __init__(self, original: Any, part: str, name: str, times: Times) -> None:
        """Time calls of `original` under the name of the engine's part that makes them."""
        self._original = original
        self._part, self._name = part, name
        self._times = times

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._original, name)
        if callable(found) and not isinstance(found, type):
            found = TimedNumPy(found, self._part, f"{self._name}.{name}".lstrip("."), self._times)
        setattr(self, name, found)
        return found

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Call the original."""
        began = time.perf_counter()
        result = self._original(*arguments, **keywords)
        taken = time.perf_counter() - began
        shape = " x ".join(map(str, keywords["out"].shape)) if "out" in keywords else ""
        self._times[self._part, self._name, shape].append(taken)
        return result


@contextmanager
def stopwatch() -> Iterator[Times]:
    """Time the engine's operations while the block runs."""
    times: Times = defaultdict(list)
    originals: list[tuple[Any, Any]] = [(part, part.np) for part in PARTS]
    methods = [(owner, name, getattr(owner, name)) for owner, name, _ in WHOLE]
    try:
        for owner, name, part in WHOLE:
            setattr(owner, name, _timed_method(getattr(owner, name), (part, name, ""), times))
        for part, original in originals:
            part.np = TimedNumPy(original, part.__name__.rpartition(".")[2], "", times)
        yield times
    finally:
        for owner, name, method in methods:
            setattr(owner, name, method)
        for part, original in originals:
            part.np = original


def _timed_method(method: Any, operation: Operation, times: Times) -> Any:
    def timed(*arguments: Any) -> Any:
        began = time.perf_counter()
        result = method(*arguments)
        times[operation].append(time.perf_counter() - began)
        return result

    return timed


def step_times(row: Row, epochs: int) -> tuple[dict[Operation, float], float]:
    """Return the microseconds of each operation in a step, and of a whole step, untimed inside.

    They are medians, which a moment in which the machine was busy does not touch.
    """
    training = new_training(row, pictures().first(row.share))
    with cores_for(row.sizes, row.batch_size, is_watched=False).at_work(training):
        return _timed(training, epochs)


def _timed(training: Training, epochs: int) -> tuple[dict[Operation, float], float]:
    records = training.records()
    times: Times = defaultdict(list)  # of all calls in a step together
    whole: list[float] = []
    for _ in range(epochs):
        began = time.perf_counter()
        for _ in islice(records, training.n_batches):
            whole.append(time.perf_counter() - began)
            began = time.perf_counter()
        until_epoch_end(records)
        with stopwatch() as taken:
            for _ in islice(records, training.n_batches):
                for operation, seconds in taken.items():
                    times[operation].append(sum(seconds))
                taken.clear()
        until_epoch_end(records)
    n_steps = training.n_batches * epochs
    per_step = {
        operation: 1e6 * median(seconds)
        for operation, seconds in _with_rows_that_vary(times, n_steps).items()
        if len(seconds) > n_steps / 2  # the last batch of an epoch has other shapes
    }
    return per_step, 1e6 * median(whole)


def _with_rows_that_vary(times: Times, n_steps: int) -> Times:
    """Return the same with results together that have another number of rows in most steps."""
    together: Times = defaultdict(list)
    for (part, operation, shape), seconds in times.items():
        _, is_matrix, columns = shape.partition(" x ")
        is_rare = is_matrix and len(seconds) <= n_steps / 2
        together[part, operation, f"k x {columns}" if is_rare else shape] += seconds
    return together


def main() -> None:
    """Print a table for each row that the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.step_times",
        description="Microseconds of each operation in a training step.",
    )
    numbers = range(1, len(ROWS) + 1)
    parser.add_argument("--rows", type=int, nargs="+", choices=numbers, default=[1, 3])
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    for number in arguments.rows:
        row = ROWS[number - 1]
        per_step, whole = step_times(row, arguments.epochs)
        print(f"\n| {row} | result | us |\n| --- | --- | ---: |")
        for (part, operation, shape), microseconds in per_step.items():
            print(f"| {part}: {operation} | {shape} | {microseconds:.1f} |")
        print(f"| everything else | | {whole - sum(per_step.values()):.1f} |")
        print(f"| a whole step | | {whole:.1f} |")


if __name__ == "__main__":
    main()
