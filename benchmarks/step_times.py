"""Where the microseconds of a training step go, by operation, in place.

    python -m benchmarks.step_times [--rows 1 3] [--epochs 3]

Every NumPy operation of the engine is timed where it runs, so that caches are as warm or as cold
as they are in training. 'everything else' is Python between the operations, and the stopwatch.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from benchmarks.contestants.engine import new_training, until_epoch_end
from benchmarks.pictures import pictures
from benchmarks.rows import ROWS, Row
from neuralscope.engine import activations, batches, layers, loss, network, optimizers

PARTS = (batches, layers, activations, loss, network, optimizers)

Seconds = dict[tuple[str, str, str], float]


class TimedNumPy:
    """NumPy, or a part of it, with a stopwatch around every call that writes to `out`."""

    def __init__(self, original: Any, part: str, name: str, seconds: Seconds) -> None:
        """Time calls of `original` under the name of the engine's part that makes them."""
        self._original = original
        self._about = part, name
        self._seconds = seconds

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._original, name)
        if callable(found) and not isinstance(found, type):
            part, above = self._about
            found = TimedNumPy(found, part, f"{above}.{name}".lstrip("."), self._seconds)
        setattr(self, name, found)
        return found

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        began = time.perf_counter()
        result = self._original(*arguments, **keywords)
        taken = time.perf_counter() - began
        shape = " x ".join(map(str, keywords["out"].shape)) if "out" in keywords else ""
        self._seconds[*self._about, shape] += taken
        return result


@contextmanager
def stopwatch() -> Iterator[Seconds]:
    """Time the engine's operations while the block runs; keys are (part, operation, shape)."""
    seconds: Seconds = defaultdict(float)
    originals: list[tuple[Any, Callable[..., Any]]] = [(part, part.np) for part in PARTS]
    try:
        for part, original in originals:
            part.np = TimedNumPy(original, part.__name__.rpartition(".")[2], "", seconds)
        yield seconds
    finally:
        for part, original in originals:
            part.np = original


def step_times(row: Row, epochs: int) -> tuple[dict[tuple[str, str, str], float], float]:
    """Return the microseconds of each operation in a step, and of the whole step.

    The best epoch counts. The whole is measured without the stopwatch.
    """
    training = new_training(row, pictures())
    records = training.records()
    best: Seconds = {}
    whole = np.inf
    for number in range(2 * epochs + 1):
        began = time.perf_counter()
        if number % 2:
            with stopwatch() as seconds:
                _take(records, training.n_batches)
            if not best or sum(seconds.values()) < sum(best.values()):
                best = dict(seconds)
        else:
            _take(records, training.n_batches)
            whole = min(whole, time.perf_counter() - began)
        until_epoch_end(records)
    per_step = 1e6 / training.n_batches
    return {key: value * per_step for key, value in best.items()}, float(whole * per_step)


def _take(records: Iterator[object], n: int) -> None:
    for _ in range(n):
        next(records)


def main() -> None:
    """Print a table for each row that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.step_times")
    numbers = range(1, len(ROWS) + 1)
    parser.add_argument("--rows", type=int, nargs="+", choices=numbers, default=[1, 3])
    parser.add_argument("--epochs", type=int, default=3, help="the best counts (default: 3)")
    arguments = parser.parse_args()
    for number in arguments.rows:
        row = ROWS[number - 1]
        times, whole = step_times(row, arguments.epochs)
        print(f"\n| {row} | result | us |\n| --- | --- | ---: |")
        for (part, operation, shape), microseconds in times.items():
            print(f"| {part}: {operation} | {shape} | {microseconds:.1f} |")
        print(f"| everything else | | {whole - sum(times.values()):.1f} |")
        print(f"| a whole step | | {whole:.1f} |")


if __name__ == "__main__":
    main()
