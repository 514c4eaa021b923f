"""The fully connected rows of Simard, Steinkraus and Platt (2003), trained with this engine.

    python -m benchmarks.published [--rows none affine elastic] [--seeds 3] [--epochs N] [--json]

784-800-10 and cross-entropy as in the paper; relu, Adam, batches of 128 and a learning rate that
falls to zero along a cosine are ours. The network of the last epoch is what is tested: the test
digits are looked at once, and never to choose anything. As in the paper, all 60,000 training digits
are learned from; the accuracy on the last 5,000 of them, which a run calls validation, means
nothing here.

Each seed is reported on standard error when it is done, the table in Markdown at the end.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from dataclasses import dataclass
from statistics import mean, stdev

import numpy as np

from benchmarks.pictures import real_pictures_are_here
from neuralscope.data import Dataset, load_dataset
from neuralscope.engine import Diverged, EpochEnd, score
from neuralscope.runs import RunConfig, train
from neuralscope.runs.cores import blas_threads, limited_to
from neuralscope.runs.experiment import examples, new_network


@dataclass(frozen=True)
class Published:
    """A row of the paper's table.

    Attributes:
        title: What it calls the distortions.
        error: Its error on the test digits, in percent.
        epochs: How long we train for it.
    """

    title: str
    error: float
    epochs: int


# By the name of our augmentation. More kinds of digits take longer to be learned.
ROWS = {
    "none": Published("none", 1.6, 30),
    "affine": Published("affine", 1.1, 60),
    "elastic": Published("elastic", 0.7, 120),
}


@dataclass(frozen=True)
class Result:
    """What one seed came to: error on the test digits in percent, and seconds of training."""

    error: float
    seconds: float


def configuration(augmentation: str, epochs: int, seed: int) -> RunConfig:
    """Return the configuration of a row."""
    return RunConfig(
        hidden=(800,),
        optimizer="adam",
        learning_rate=0.001,
        schedule="cosine",
        batch_size=128,
        epochs=epochs,
        augmentation=augmentation,
        seed=seed,
    )


def all_training_digits(mnist: Dataset) -> Dataset:
    """Return the data set with the validation digits among those that are learned from."""
    return dataclasses.replace(
        mnist,
        x_train=np.concatenate([mnist.x_train, mnist.x_validation]),
        y_train=np.concatenate([mnist.y_train, mnist.y_validation]),
    )


def result(config: RunConfig, dataset: Dataset) -> Result:
    """Train and test one network."""
    network = new_network(config, dataset.n_features, dataset.n_classes)
    began = time.perf_counter()
    with limited_to(blas_threads(network.sizes, config.batch_size)):
        for record in train(config, dataset, network=network):
            if isinstance(record, Diverged):
                sys.exit(f"Training has diverged in epoch {record.epoch}: {record.what}.")
            if isinstance(record, EpochEnd) and record.epoch:
                seconds = (time.perf_counter() - began) / record.epoch
                _say(f"\r  epoch {record.epoch} of {config.epochs}, {seconds:.2f} s each ")
    taken = time.perf_counter() - began
    accuracy = score(network, examples(dataset, "test"))[0].accuracy
    return Result(100 * (1 - accuracy), taken)


def main() -> None:
    """Train, test and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.published",
        description="Rows of Simard et al. (2003), trained with this engine.",
    )
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--seeds", type=int, default=3, help="how many (default: 3)")
    parser.add_argument(
        "--epochs",
        type=int,
        help=f"for every row (default: {', '.join(f'{n} {r.epochs}' for n, r in ROWS.items())})",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    arguments = parser.parse_args()
    if arguments.seeds < 1 or (arguments.epochs is not None and arguments.epochs < 1):
        parser.error("--seeds and --epochs must be at least 1")
    if not real_pictures_are_here():
        sys.exit("This needs MNIST: run `python -m neuralscope train --epochs 1` to fetch it.")

    mnist = all_training_digits(load_dataset("mnist"))
    results: dict[str, list[Result]] = {}
    for name in arguments.rows:
        for seed in range(arguments.seeds):
            config = configuration(name, arguments.epochs or ROWS[name].epochs, seed)
            found = result(config, mnist)
            results.setdefault(name, []).append(found)
            _say(f"\r{name}, seed {seed}: {found.error:.2f} % after {found.seconds:.0f} s\n")

    if arguments.json:
        print(
            json.dumps(
                {name: [dataclasses.asdict(each) for each in row] for name, row in results.items()}
            )
        )
        return
    print(
        "| 784-800-10, distortions | paper, % | ours, mean % | spread | epochs | s each | repeat |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- |")
    for name, row in results.items():
        print(_line(name, row, arguments.epochs or ROWS[name].epochs))


def _line(name: str, results: list[Result], epochs: int) -> str:
    errors = [each.error for each in results]
    spread = f"{min(errors):.2f} to {max(errors):.2f}"
    if len(errors) > 1:
        spread += f", standard deviation {stdev(errors):.3f}"
    seconds = mean(each.seconds for each in results) / epochs
    command = f"python -m benchmarks.published --rows {name}"
    if len(errors) != 3:
        command += f" --seeds {len(errors)}"
    if epochs != ROWS[name].epochs:
        command += f" --epochs {epochs}"
    cells = (
        *(ROWS[name].title, f"{ROWS[name].error}", f"**{mean(errors):.2f}**", spread),
        *(f"{epochs}", f"{seconds:.2f}", f"`{command}`"),
    )
    return f"| {' | '.join(cells)} |"


def _say(text: str) -> None:
    print(text, end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
