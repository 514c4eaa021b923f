"""Naming a data set or a file with one, and loading it where a person waits for it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from neuralscope.cli.status import Mistake
from neuralscope.cli.status_line import StatusLine
from neuralscope.cli.words import one_line
from neuralscope.errors import DataUnavailable, UnclearLabel

if TYPE_CHECKING:
    from neuralscope.data import Dataset, FetchProgress
    from neuralscope.data.own_files.reading import Likeness, Pictures


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say how a file with data is to be read."""
    from neuralscope.data.own_files.orientation import AS_IS, ORIENTATIONS

    group = parser.add_argument_group("a file of your own")
    group.add_argument(
        "--label-column",
        metavar="NAME|N",
        help="the column of a CSV file that is the label, by its name or its number from 1 "
        "[default: found, or asked for where more than one can be]",
    )
    group.add_argument(
        "--orientation",
        choices=tuple(ORIENTATIONS),
        default=AS_IS,
        help="how to turn the pictures; those of EMNIST need transpose [default: as-is]",
    )
    group.add_argument(
        "--invert",
        action="store_true",
        help="swap ink and paper, for pictures of dark ink on light paper",
    )


def is_file(given: str | None) -> bool:
    """Return whether a file or folder is meant, rather than the name of a data set."""
    from neuralscope.data import DATASETS, is_own_name

    if given is None or given in DATASETS or is_own_name(given):
        return False
    # A misspelt name is none: the configuration says which there are.
    return os.sep in given or "." in given or Path(given).exists()


def resolved(options: argparse.Namespace, line: StatusLine) -> str | None:
    """Return the name of the data set that is meant; a file or folder is added first.

    Raises:
        DataError: The file cannot be used.
        Mistake: Of several columns, a flag must say which is the label.
    """
    from neuralscope.data import dataset_info
    from neuralscope.data.own import keep_pictures

    given: str | None = options.dataset
    if not is_file(given):
        check_no_reading(options)
        return given
    pictures = read_pictures(options, line)
    name = keep_pictures(pictures)
    info = dataset_info(name)
    line.say(
        f"{info.title}: {info.description} {info.n_train:,} are for training, "
        f"{info.n_validation:,} for validation, {info.n_test:,} for the test. Kept as {name}."
    )
    return name


def check_no_reading(options: argparse.Namespace) -> None:
    """Refuse flags for files where there is no file.

    Raises:
        Mistake: There is one of them.
    """
    from neuralscope.data.own_files.orientation import AS_IS

    given = {
        "--label-column": options.label_column is not None,
        "--orientation": options.orientation != AS_IS,
        "--invert": options.invert,
    }
    for flag, is_given in given.items():
        if is_given:
            raise Mistake(f"{flag} says how to read a file, but --dataset does not name a file.")


def read_pictures(
    options: argparse.Namespace, line: StatusLine, *, test_like: Likeness | None = None
) -> Pictures:
    """Read the file that `--dataset` names, turn its pictures, and say what was decided.

    Args:
        options: With `dataset` and the flags of `add_reading`.
        line: Where it is said.
        test_like: The data that a network has learned, if the file is to test it.

    Raises:
        DataError: The file cannot be used.
        Mistake: Of several columns, a flag must say which is the label.
    """
    from neuralscope.data.own_files.reading import read_files, read_test_files

    line.show(f"Reading {one_line(options.dataset)}.")
    try:
        if test_like is None:
            pictures = read_files(options.dataset, label_column=options.label_column)
        else:
            pictures = read_test_files(
                options.dataset, label_column=options.label_column, like=test_like
            )
        pictures = pictures.turned(options.orientation, invert=options.invert)
    except UnclearLabel as error:
        choices = " or ".join(f"--label-column {number}" for number, _ in error.columns)
        raise Mistake(f"{error} Add {choices}.") from error
    finally:
        line.clear()
    for note in pictures.notes:
        line.say(one_line(note))
    if pictures.is_dark_on_light:
        line.say(
            "With --invert these pictures show dark ink on light paper: leave it out."
            if options.invert
            else "These pictures show dark ink on light paper: the paper is about "
            f"{pictures.pixel_max}. NeuralScope expects 0 for paper and large values for ink: add "
            "--invert to swap them."
        )
    return pictures


def load(name: str, line: StatusLine) -> Dataset:
    """Load a data set, and show its fetch if it takes one.

    Raises:
        DataUnavailable: It cannot be fetched, or is gone; says how to bring it here.
    """
    from neuralscope.data import load_dataset
    from neuralscope.data.missing import how_to_bring

    phase = ""

    def show(progress: FetchProgress) -> None:
        nonlocal phase
        if line.is_live:
            line.show(progress.message)
        elif progress.phase not in (phase, "done", "failed"):
            line.say(progress.message)
        phase = progress.phase

    try:
        return load_dataset(name, on_progress=show)
    except DataUnavailable as error:
        raise DataUnavailable(f"{error} {how_to_bring(name)}".rstrip()) from error
    finally:
        line.clear()
