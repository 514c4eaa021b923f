"""How many of MNIST's 10,000 test digits the default network reads right, after 5 and 20 epochs.

    python -m benchmarks.accuracy [--seeds 3] [--json]

The default configuration: 784-128-10, relu, plain SGD, learning rate 0.2, batches of 32. The median
of several seeds counts. The test digits are looked at here, and never to choose anything.
"""

from __future__ import annotations

import argparse
import json
import sys
from statistics import median

from benchmarks.pictures import real_pictures_are_here
from neuralscope.data import Dataset, load_dataset
from neuralscope.engine import EpochEnd, score
from neuralscope.runs import RunConfig, train
from neuralscope.runs.cores import blas_threads, limited_to
from neuralscope.runs.experiment import examples, new_network

EPOCHS = (5, 20)


def test_accuracies(seed: int, dataset: Dataset) -> dict[int, float]:
    """Return the share of test digits read right after each of `EPOCHS`."""
    config = RunConfig(epochs=max(EPOCHS), seed=seed)
    network = new_network(config, dataset.n_features, dataset.n_classes)
    found = {}
    with limited_to(blas_threads(network.sizes, config.batch_size)):
        for record in train(config, dataset, network=network):
            if isinstance(record, EpochEnd) and record.epoch in EPOCHS:
                found[record.epoch] = score(network, examples(dataset, "test"))[0].accuracy
    return found


def main() -> None:
    """Train, measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description="Test accuracy on MNIST of the default configuration.",
    )
    parser.add_argument("--seeds", type=int, default=3, help="how many (default: 3)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    arguments = parser.parse_args()
    if arguments.seeds < 1:
        parser.error("--seeds must be at least 1")
    if not real_pictures_are_here():
        sys.exit("This needs MNIST: run `python -m neuralscope train --epochs 1` to fetch it.")

    dataset = load_dataset("mnist")
    by_seed = {seed: test_accuracies(seed, dataset) for seed in range(arguments.seeds)}
    medians = {epoch: median(found[epoch] for found in by_seed.values()) for epoch in EPOCHS}
    if arguments.json:
        print(json.dumps({"median": medians, "by_seed": by_seed}))
        return
    print(f"| seed | {' | '.join(f'after {epoch} epochs' for epoch in EPOCHS)} |")
    print(f"| --- |{' ---: |' * len(EPOCHS)}")
    for name, found in [*by_seed.items(), ("median", medians)]:
        print(f"| {name} | {' | '.join(f'{found[epoch]:.2%}' for epoch in EPOCHS)} |")


if __name__ == "__main__":
    main()
