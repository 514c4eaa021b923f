"""Seconds of training until 97, 98 and 98.4 % of MNIST's test digits are read right.

    python -m benchmarks.time_to_accuracy [--seeds 5] [--json]

For each goal a configuration that reaches it soon. They were chosen by what they reach on the test
digits, which makes this a measure of speed and no estimate of how well unseen digits are read. The
time is that of all records of the training, its measuring at the end of every epoch included; the
median of several seeds counts, in time as in accuracy.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from statistics import median

from benchmarks.pictures import real_pictures_are_here
from neuralscope.data import Dataset, load_dataset
from neuralscope.engine import score
from neuralscope.runs import RunConfig
from neuralscope.runs.cores import cores_for
from neuralscope.runs.experiment import examples, prepare

GOALS = {
    97.0: RunConfig(
        hidden=(128,),
        batch_size=64,
        optimizer="momentum",
        learning_rate=0.1,
        schedule="linear",
        epochs=2,
    ),
    98.0: RunConfig(
        hidden=(256,),
        batch_size=64,
        optimizer="momentum",
        learning_rate=0.1,
        schedule="linear",
        epochs=5,
    ),
    98.4: RunConfig(
        hidden=(256,),
        batch_size=64,
        optimizer="momentum",
        learning_rate=0.1,
        schedule="linear",
        epochs=7,
        augmentation="shift",
    ),
}
"""By percent of the test digits."""


@dataclass(frozen=True)
class Result:
    """What one training came to: test accuracy in percent, and its seconds."""

    accuracy: float
    seconds: float


def result(config: RunConfig, dataset: Dataset) -> Result:
    """Train a network from its first weights to its last step, then test it."""
    training = prepare(config, dataset)
    cores = cores_for(training.network.sizes, config.batch_size, is_watched=False)
    with cores.at_work(training):
        began = time.perf_counter()
        for _ in training.records():
            pass
        seconds = time.perf_counter() - began
    return Result(100 * score(training.network, examples(dataset, "test"))[0].accuracy, seconds)


def main() -> None:
    """Train, measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.time_to_accuracy",
        description="Seconds of training to 97, 98 and 98.4 % of MNIST's test digits.",
    )
    parser.add_argument("--seeds", type=int, default=5, help="how many (default: 5)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    arguments = parser.parse_args()
    if arguments.seeds < 1:
        parser.error("--seeds must be at least 1")
    if not real_pictures_are_here():
        sys.exit("This needs MNIST: run `python -m neuralscope train --epochs 1` to fetch it.")

    dataset = load_dataset("mnist")
    results = {
        goal: [result(replace(config, seed=seed), dataset) for seed in range(arguments.seeds)]
        for goal, config in GOALS.items()
    }
    if arguments.json:
        print(json.dumps({goal: [asdict(each) for each in row] for goal, row in results.items()}))
        return
    print("| goal, % | reached, median % | least % | seconds, median | configuration |")
    print("| ---: | ---: | ---: | ---: | --- |")
    for goal, row in results.items():
        accuracies = [each.accuracy for each in row]
        seconds = median(each.seconds for each in row)
        print(
            f"| {goal:g} | {median(accuracies):.2f} | {min(accuracies):.2f} | {seconds:.1f} "
            f"| `{_flags(GOALS[goal])}` |"
        )


def _flags(config: RunConfig) -> str:
    """Return the configuration as the flags of the `train` command that differ from its own."""
    return " ".join(
        f"--{name.replace('_', '-')} {value}" for name, value in config.as_query().items()
    )


if __name__ == "__main__":
    main()
