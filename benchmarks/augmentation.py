"""What augmentation costs: an epoch of distorted digits beside an epoch of training.

    python -m benchmarks.augmentation [--repeat 5] [--json]

Distorts MNIST's 60,000 digits in the batches of the training beside it, 784-800-10 with Adam and
128 digits a step, once by itself and once in training. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

import numpy as np

from benchmarks.contestants.engine import WITHOUT_END, until_epoch_end
from benchmarks.pictures import Pictures, pictures, real_pictures_are_here
from benchmarks.rows import Row
from neuralscope.data.augmentation import AUGMENTATIONS, Augment
from neuralscope.engine import OPTIMIZERS, Examples, Network, Schedule, Training

ROW = Row((800,), 128, "adam", 0.001)
IMAGE_SHAPE = (28, 28)

Epoch = Callable[[], float]


def distorting(augment: Augment | None, shown: Pictures) -> Epoch:
    """Return a function that distorts an epoch of digits and returns the seconds it took."""
    rng = np.random.default_rng(0)

    def epoch() -> float:
        began = time.perf_counter()
        if augment is not None:
            for start in range(0, len(shown.pixels), ROW.batch_size):
                augment(shown.pixels[start : start + ROW.batch_size], rng)
        return time.perf_counter() - began

    return epoch


def training(augment: Augment | None, shown: Pictures) -> Epoch:
    """Return a function that trains an epoch on distorted digits and returns its seconds."""
    examples = Examples(shown.pixels, shown.labels, 1 / 255)
    network = Network(ROW.sizes, rng=np.random.default_rng(0))
    records = Training(
        network,
        OPTIMIZERS[ROW.optimizer](network.parameters),
        Schedule("constant", steps_per_epoch=1, epochs=WITHOUT_END),
        examples,
        examples.first(1),  # hardly any time goes into measuring
        learning_rate=ROW.learning_rate,
        batch_size=ROW.batch_size,
        epochs=WITHOUT_END,
        augment=augment,
        shuffle_rng=np.random.default_rng(1),
        dropout_rng=np.random.default_rng(2),
        augment_rng=np.random.default_rng(3),
    ).records()

    def epoch() -> float:
        began = time.perf_counter()
        until_epoch_end(records)
        return time.perf_counter() - began

    return epoch


def measure(repeat: int) -> dict[str, dict[str, float]]:
    """Return the best seconds of each kind of augmentation, by itself and in training."""
    shown = pictures()
    epochs = {
        (name, way.__name__): way(factory(IMAGE_SHAPE), shown)
        for name, factory in AUGMENTATIONS.items()
        for way in (distorting, training)
    }
    best: dict[str, dict[str, float]] = {name: {} for name in AUGMENTATIONS}
    for number in range(repeat):
        for (name, way), epoch in epochs.items():
            best[name][way] = min(epoch(), best[name].get(way, float("inf")))
        print(f"round {number + 1} of {repeat} done", file=sys.stderr)
    return best


def main() -> None:
    """Measure what the command line asks for and print it."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.augmentation",
        description="Seconds for an epoch of distorted digits, beside an epoch of training.",
    )
    parser.add_argument("--repeat", type=int, default=5, help="rounds; the best counts")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    arguments = parser.parse_args()
    if arguments.repeat < 1:
        parser.error("--repeat must be at least 1")
    if not real_pictures_are_here():
        print("MNIST is not here: distorting made-up pixels of the same shape.", file=sys.stderr)

    best = measure(arguments.repeat)
    if arguments.json:
        print(json.dumps(best))
        return
    plain = best["none"]["training"]
    head = ("distorting alone, s", "/ plain training", "training with it, s", "/ plain training")
    print(f"| {ROW} | {' | '.join(head)} |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, seconds in best.items():
        alone, together = seconds["distorting"], seconds["training"]
        print(
            f"| {name} | {alone:.2f} | {alone / plain:.2f} | {together:.2f} "
            f"| {together / plain:.2f} |"
        )


if __name__ == "__main__":
    main()
