"""`evaluate`: how good a weights file is on a data set, and what it confuses."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from neuralscope.cli.datasets import add_reading, is_file
from neuralscope.cli.measured import absent_classes, add_measured, measured_dataset, n_learned
from neuralscope.cli.parser import Command, add_json
from neuralscope.cli.printing import print_json, print_table
from neuralscope.cli.status import DONE, Mistake
from neuralscope.cli.status_line import StatusLine
from neuralscope.cli.words import number, percent


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("weights", metavar="WEIGHTS", help="a weights file (.npz)")
    add_measured(parser)
    parser.add_argument(
        "--split",
        choices=("test", "validation", "train"),
        help="which part of the data set [default: test; of a file, all of it is measured]",
    )
    add_reading(parser)
    add_json(parser)


def _run(options: argparse.Namespace) -> int:
    from neuralscope.analysis import confusion_counts, most_confused
    from neuralscope.data import dataset_label
    from neuralscope.engine import Network, score
    from neuralscope.runs import examples

    network = Network.load(options.weights)
    line = StatusLine(sys.stderr)
    from_file = is_file(options.dataset)
    if from_file and options.split:
        raise Mistake("A file to test on is measured as a whole: leave out --split.")
    dataset = measured_dataset(options, network, line)
    split = options.split or "test"
    part = examples(dataset, split)
    (loss, accuracy), probabilities = score(network, part)
    confusion = confusion_counts(part.labels, probabilities.argmax(axis=1), dataset.n_classes)
    names = dataset.class_names
    absent = absent_classes(dataset, split)
    result = {
        "weights": options.weights,
        "dataset": options.dataset if from_file else dataset.name,
        "split": split,
        "n": len(part),
        f"{split}_loss": loss,
        f"{split}_accuracy": accuracy,
        "per_class": [
            {
                "class": class_name,
                "n": confusion[k].sum(),
                "right": confusion[k, k],
                "accuracy": confusion[k, k] / confusion[k].sum() if confusion[k].any() else None,
            }
            for k, class_name in enumerate(names)
        ],
        "confused": [
            {"true": names[pair.true], "predicted": names[pair.predicted], "n": pair.times}
            for pair in most_confused(confusion, most=10)
        ],
        "confusion": confusion,
        "absent": absent,
        "in_training_data": n_learned(dataset, network) if from_file else None,
    }
    if options.json:
        print_json(result)
    else:
        what = f"{len(part):,} {split} images of {dataset_label(dataset.name)}"
        if from_file:
            what = f"all {len(part):,} images of {dataset.name}"
        _print_evaluation(result, what, loss, accuracy)
    return DONE


def _print_evaluation(result: dict[str, Any], what: str, loss: float, accuracy: float) -> None:
    print(f"{result['weights']} on {what}:")
    print(f"{result['split']} accuracy  {percent(accuracy)}")
    print(f"{result['split']} loss      {number(loss)}")
    print()
    rows = [("class", "right", "of", "share")]
    rows += [
        (each["class"], str(each["right"]), str(each["n"]), percent(each["accuracy"]))
        for each in result["per_class"]
    ]
    print_table(rows, right=(1, 2, 3))
    if result["confused"]:
        pairs = [f"{p['true']} read as {p['predicted']} ({p['n']})" for p in result["confused"]]
        print()
        print(f"Most often confused: {', '.join(pairs[:5])}.")
    if result["absent"]:
        print(f"No images of {', '.join(result['absent'])}: not measured.")
    if result["in_training_data"]:
        print(
            f"{result['in_training_data']:,} of these images were in the training data of the "
            "network: its accuracy on new ones may be lower."
        )


COMMAND = Command("measure a weights file on a data set", _add_arguments, _run)
