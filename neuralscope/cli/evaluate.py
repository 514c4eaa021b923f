"""`evaluate`: how good a weights file is on a data set, and what it confuses."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from neuralscope.cli.datasets import load, resolved
from neuralscope.cli.parser import Command, add_json
from neuralscope.cli.printing import print_json, print_table
from neuralscope.cli.status import DONE, Mistake
from neuralscope.cli.status_line import StatusLine
from neuralscope.cli.words import number, percent

if TYPE_CHECKING:
    from neuralscope.engine import Network


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("weights", metavar="WEIGHTS", help="a weights file (.npz)")
    parser.add_argument(
        "--dataset",
        metavar="NAME|FILE",
        help="data set, or a file with one of your own [default: the one it was trained on]",
    )
    parser.add_argument(
        "--split",
        choices=("test", "validation", "train"),
        default="test",
        help="which part of the data set [default: test]",
    )
    add_json(parser)


def _run(options: argparse.Namespace) -> int:
    from neuralscope.analysis import confusion_counts, most_confused
    from neuralscope.engine import Network, score
    from neuralscope.runs import examples

    network = Network.load(options.weights)
    line = StatusLine(sys.stderr)
    options.dataset = resolved(options.dataset, line)
    name = dataset_for(options, network)
    dataset = load(name, line)
    part = examples(dataset, options.split)
    (loss, accuracy), probabilities = score(network, part)
    confusion = confusion_counts(part.labels, probabilities.argmax(axis=1), dataset.n_classes)
    names = dataset.class_names
    result = {
        "weights": options.weights,
        "dataset": name,
        "split": options.split,
        "n": len(part),
        f"{options.split}_loss": loss,
        f"{options.split}_accuracy": accuracy,
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
    }
    if options.json:
        print_json(result)
    else:
        _print_evaluation(result, loss, accuracy)
    return DONE


def dataset_for(options: argparse.Namespace, network: Network) -> str:
    """Return the data set to measure on. Raises where there is none, or it does not fit."""
    from neuralscope.data import DATASETS, dataset_info, dataset_label, is_own_name
    from neuralscope.runs import SETTINGS

    name = options.dataset
    if name is None:
        name = network.metadata.get("dataset")
        if not isinstance(name, str) or not (name in DATASETS or is_own_name(name)):
            raise Mistake(
                f"{options.weights} does not name the data set it was trained on; "
                f"name one with --dataset: {', '.join(DATASETS)}."
            )
    name = SETTINGS["dataset"].parse("dataset", name)
    data = dataset_info(name)
    n_inputs, n_outputs = network.sizes[0], network.sizes[-1]
    if n_inputs != data.n_features:
        raise Mistake(
            f"{options.weights} takes {n_inputs} pixels, but the images of {dataset_label(name)} "
            f"have {data.n_features}."
        )
    if n_outputs != data.n_classes:
        raise Mistake(
            f"{options.weights} tells {n_outputs} classes apart, but {name} has {data.n_classes}."
        )
    return str(name)


def _print_evaluation(result: dict[str, Any], loss: float, accuracy: float) -> None:
    from neuralscope.data import dataset_label

    images = f"{result['n']:,} {result['split']} images"
    print(f"{result['weights']} on {images} of {dataset_label(result['dataset'])}:")
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


COMMAND = Command("measure a weights file on a data set", _add_arguments, _run)
