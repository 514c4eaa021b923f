"""What a weights file is measured on, with its classes matched by name to the network's.

A file is a test set: nothing of it is split or kept, and classes may be absent.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuralscope.cli.datasets import check_no_reading, is_file, load, read_pictures
from neuralscope.cli.status import Mistake
from neuralscope.cli.status_line import StatusLine
from neuralscope.cli.words import one_line

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from neuralscope.data import Dataset
    from neuralscope.data.own_files.reading import Likeness, Pictures
    from neuralscope.engine import Network

MOST_NAMED = 12
"""Classes that a sentence names."""


def add_measured(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say what to measure on."""
    parser.add_argument(
        "--dataset",
        metavar="NAME|FILE",
        help="data set, or a file to test on [default: the one it was trained on]",
    )
    parser.add_argument(
        "--rename-class",
        metavar="OLD=NEW",
        nargs="+",
        action="extend",
        default=[],
        help="what the network calls a class of the data; 10=0 where 10 stands for the digit 0",
    )


def measured_dataset(options: argparse.Namespace, network: Network, line: StatusLine) -> Dataset:
    """Return what to measure on: its labels are the network's outputs, named as they are.

    Raises:
        Mistake: It is not clear what to measure on, or it does not fit the network.
        NeuralScopeError: The data cannot be read.
    """
    from neuralscope.data import dataset_info

    if is_file(options.dataset):
        dataset = _from_file(options, network, line)
        outputs, place = _matched(options, network, dataset.class_names, dataset.name, line)
    else:
        check_no_reading(options)
        name = _name_of(options, network)
        info = dataset_info(name)  # what does not fit need not be fetched
        _check_shape(options, network, info.image_shape, name)
        outputs, place = _matched(options, network, info.class_names, name, line)
        dataset = load(name, line)
    return replace(
        dataset,
        y_train=place[dataset.y_train],
        y_validation=place[dataset.y_validation],
        y_test=place[dataset.y_test],
        class_names=tuple(outputs),
    )


def absent_classes(dataset: Dataset, split: str) -> list[str]:
    """Return the classes of which a part of the data has no picture."""
    import numpy as np

    counts = np.bincount(getattr(dataset, f"y_{split}"), minlength=dataset.n_classes)
    return [name for name, n in zip(dataset.class_names, counts, strict=True) if not n]


def n_learned(dataset: Dataset, network: Network) -> int:
    """Return how many pictures of a file a network has been trained on, where that can be told."""
    from neuralscope.data import is_cached, known_dataset, load_dataset
    from neuralscope.errors import DataUnavailable

    name = network.metadata.get("dataset")
    if not isinstance(name, str) or known_dataset(name) is None or not is_cached(name):
        return 0
    try:
        trained_on = load_dataset(name)
    except DataUnavailable:  # a remark is not worth the result
        return 0
    if (trained_on.image_shape, trained_on.pixel_max) != (dataset.image_shape, dataset.pixel_max):
        return 0
    learned = {picture.tobytes() for picture in trained_on.x_train}
    return sum(picture.tobytes() in learned for picture in dataset.x_test)


# The data ----------------------------------------------------------------------------------------


def _name_of(options: argparse.Namespace, network: Network) -> str:
    """Return the name of the data set that is meant. Raises Mistake where there is none."""
    from neuralscope.data import DATASETS, is_own_name
    from neuralscope.runs import SETTINGS

    name = options.dataset
    if name is None:
        name = network.metadata.get("dataset")
        if not isinstance(name, str) or not (name in DATASETS or is_own_name(name)):
            raise Mistake(
                f"{options.weights} does not name the data set it was trained on; "
                f"name one with --dataset: {', '.join(DATASETS)}."
            )
    return str(SETTINGS["dataset"].parse("dataset", name))


def _from_file(options: argparse.Namespace, network: Network, line: StatusLine) -> Dataset:
    """Return all pictures of a file as test pictures."""
    import numpy as np

    from neuralscope.data import Dataset

    pictures: Pictures = read_pictures(options, line, test_like=_likeness(network))
    what = one_line(Path(options.dataset).name)
    _check_shape(options, network, pictures.image_shape, what)
    x, y = np.ascontiguousarray(pictures.table[:, :-1]), pictures.table[:, -1].astype(np.int64)
    return Dataset(
        name=what,
        x_train=x[:0],
        y_train=y[:0],
        x_validation=x[:0],
        y_validation=y[:0],
        x_test=x,
        y_test=y,
        image_shape=pictures.image_shape,
        class_names=pictures.class_names,
        pixel_max=pictures.pixel_max,
        digest="",
        noun="picture",
    )


def _check_shape(
    options: argparse.Namespace,
    network: Network,
    image_shape: tuple[int, int],
    what: str,
) -> None:
    """Raise Mistake where a network does not take pictures of this shape."""
    n_features = math.prod(image_shape)
    if network.sizes[0] != n_features:
        raise Mistake(
            f"{options.weights} takes {network.sizes[0]} pixels, but the images of {what} "
            f"have {n_features}."
        )
    told = _likeness(network).image_shape
    if told is not None and told != image_shape:
        raise Mistake(
            f"{options.weights} takes images of {told[0]} x {told[1]} pixels, but those of {what} "
            f"have {image_shape[0]} x {image_shape[1]}."
        )


def _likeness(network: Network) -> Likeness:
    """Return what a weights file tells of the pictures it has learned."""
    from neuralscope.data.own_files.reading import Likeness

    shape, pixel_max = (network.metadata.get(key) for key in ("image_shape", "pixel_max"))
    sides = shape if isinstance(shape, list) and len(shape) == 2 else [0, 0]
    is_shape = (
        all(isinstance(side, int) and side > 0 for side in sides)
        and math.prod(sides) == network.sizes[0]
    )
    return Likeness(
        (sides[0], sides[1]) if is_shape else None,
        pixel_max if isinstance(pixel_max, int) else None,
    )


# The classes -------------------------------------------------------------------------------------


def _matched(
    options: argparse.Namespace,
    network: Network,
    names: Sequence[str],
    what: str,
    line: StatusLine,
) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Return what the outputs are called, and which of them each class of the data is."""
    import numpy as np

    new_names = _renamed(options, names, what)
    outputs = _output_names(network)
    if outputs is None:
        outputs = _assumed_names(options, network, new_names, what, line)
    unknown = [name for name in new_names if name not in outputs]
    if unknown:
        raise Mistake(_unknown_classes(what, unknown, new_names, outputs))
    return outputs, np.array([outputs.index(name) for name in new_names], np.int64)


def _output_names(network: Network) -> list[str] | None:
    """Return what each output is called: by the weights file, or the data set that it names."""
    from neuralscope.data import known_dataset

    n_outputs = network.sizes[-1]
    names: Any = network.metadata.get("class_names")
    if isinstance(names, list) and len(names) == len(set(map(str, names))) == n_outputs:
        return [one_line(str(name)) for name in names]
    name = network.metadata.get("dataset")
    info = known_dataset(name) if isinstance(name, str) else None
    if info is not None and info.n_classes == n_outputs:
        return list(info.class_names)
    return None


def _assumed_names(
    options: argparse.Namespace,
    network: Network,
    names: Sequence[str],
    what: str,
    line: StatusLine,
) -> list[str]:
    """Return names for outputs that nothing names: numbers, or as the data has them, and say so."""
    n_outputs = network.sizes[-1]
    if n_outputs < len(set(names)):
        raise Mistake(
            f"{options.weights} tells {n_outputs} classes apart, but {what} has {len(set(names))}."
        )
    if all(name.isdecimal() for name in names):
        return [str(number) for number in range(n_outputs)]
    if n_outputs > len(set(names)):
        raise Mistake(
            f"{options.weights} does not name its {n_outputs} classes, so the {len(set(names))} of "
            f"{what} cannot be matched."
        )
    line.say(f"{options.weights} does not name its classes: taken in the order of {what}.")
    return list(dict.fromkeys(names))


def _renamed(options: argparse.Namespace, names: Sequence[str], what: str) -> list[str]:
    """Return the names of the classes after `--rename-class`. Raises Mistake."""
    new_names = list(names)
    for given in options.rename_class:
        old, is_pair, new = given.partition("=")
        if not is_pair:
            raise Mistake(f"--rename-class {one_line(given)} must be OLD=NEW, such as 10=0.")
        if old not in names:
            raise Mistake(
                f"--rename-class {one_line(given)}: {what} has no class '{one_line(old)}'; it has "
                f"{_listed(names)}."
            )
        new_names[names.index(old)] = new
    return new_names


def _unknown_classes(
    what: str, unknown: Sequence[str], names: Sequence[str], outputs: Sequence[str]
) -> str:
    """Say which classes a network does not know, and what to do."""
    classes = "a class" if len(unknown) == 1 else "classes"
    sentence = (
        f"{what} has {classes} that the network does not know: {_listed(unknown)}. "
        f"It knows {_listed(outputs)}."
    )
    if list(unknown) == ["10"] and "0" in outputs and "0" not in names:
        return f"{sentence} If 10 stands for 0, add --rename-class 10=0."
    return f"{sentence} Say what the network calls them with --rename-class OLD=NEW."


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MOST_NAMED])
    return shown if len(names) <= MOST_NAMED else f"{shown} and {len(names) - MOST_NAMED} more"
