"""`view`: how a network reads a test digit, drawn in the terminal with letters."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from neuralscope.cli.datasets import add_reading
from neuralscope.cli.measured import add_measured, measured_dataset
from neuralscope.cli.parser import Command
from neuralscope.cli.status import DONE
from neuralscope.cli.status_line import StatusLine
from neuralscope.cli.words import percent

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from neuralscope.data import Dataset
    from neuralscope.engine import Network

MOST_COLUMNS = 100
MOST_ANSWERS = 20
LONGEST_NAME = 20
SIDE_BY_SIDE = 76
"""Columns from which the answer stands beside the digit instead of under it."""


@dataclass(frozen=True)
class Letters:
    """What things are drawn with, from nothing to full.

    Attributes:
        shades: For the pixels of a digit.
        heights: For the activation of a unit.
        bar: For a bar.
        colors: Whether colours may be used.
    """

    shades: str
    heights: str
    bar: str
    colors: bool

    def right(self, text: str, is_right: bool) -> str:
        """Color text by whether it is right; the text says it too."""
        return f"\x1b[{36 if is_right else 31};1m{text}\x1b[0m" if self.colors else text


BLOCKS = Letters(" ░▒▓█", " ▁▂▃▄▅▆▇█", "█", False)
ASCII = Letters(" .:*#", " .:-=+*#%@", "#", False)


def letters_for(stream: TextIO) -> Letters:
    """Return what this stream can show: blocks where its encoding has them, colours on a screen."""
    letters = BLOCKS
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        (BLOCKS.shades + BLOCKS.heights).encode(encoding)
    except (UnicodeError, LookupError):
        letters = ASCII
    # https://no-color.org: set to anything but nothing, it means none.
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    colors = bool(stream.isatty() and not is_plain)
    return Letters(letters.shades, letters.heights, letters.bar, colors)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("weights", metavar="WEIGHTS", help="a weights file (.npz)")
    add_measured(parser)
    parser.add_argument(
        "--seed",
        metavar="N",
        type=_seed,
        help="the same seed draws the same digits [default: others each time]",
    )
    add_reading(parser)


def _seed(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else -1
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return number


def _run(options: argparse.Namespace) -> int:
    import numpy as np

    from neuralscope.engine import Network

    network = Network.load(options.weights)
    status = StatusLine(sys.stderr)
    dataset = measured_dataset(options, network, status)
    rng = np.random.default_rng(options.seed)
    letters = letters_for(sys.stdout)
    while True:
        columns = min(shutil.get_terminal_size((80, 24)).columns, MOST_COLUMNS)
        index = int(rng.integers(len(dataset.y_test)))
        for line in describe(network, dataset, index, letters, columns=columns):
            print(line)
        sys.stdout.flush()
        if not _wants_another():
            return DONE


def _wants_another() -> bool:
    """Ask, where there is somebody to ask; the end of the input is an answer too."""
    if sys.stdin is None:
        return False
    asks = sys.stdin.isatty() and sys.stdout.isatty()
    if asks:
        print("\nEnter for another one, q to quit: ", end="", flush=True)
    try:
        answer = sys.stdin.readline()
    except UnicodeDecodeError:  # some key, but not q
        return True
    if asks and not answer:
        print()
    return bool(answer) and answer.strip().lower() not in ("q", "quit")


# The picture -------------------------------------------------------------------------------------


def describe(
    network: Network, dataset: Dataset, index: int, letters: Letters, *, columns: int = 80
) -> list[str]:
    """Return the lines that show how a network reads a test digit.

    Args:
        network: The network.
        dataset: What the digit is from.
        index: Which test digit.
        letters: What to draw with.
        columns: The widest line.
    """
    import numpy as np

    from neuralscope.data import dataset_label, scaled

    pixels = dataset.x_test[index]
    with np.errstate(over="ignore", invalid="ignore"):
        *hidden, probabilities = (
            layer[0] for layer in network.activations(scaled(pixels, dataset.pixel_max)[None])
        )
    true = int(dataset.y_test[index])
    picture = _picture(pixels.reshape(dataset.image_shape) / dataset.pixel_max, letters, columns)
    bar = 24 if columns >= 56 else max(columns - 32, 4)
    answer = _answer(probabilities, true, dataset.class_names, letters, bar)

    where = f"Test {dataset.noun} {index} of {dataset_label(dataset.name)}"
    lines = [f"{where}, a {dataset.class_names[true]}:", ""]
    if columns >= SIDE_BY_SIDE:
        width = len(picture[0]) + 4
        height = max(len(picture), len(answer))
        above = (len(picture) - len(answer)) // 2
        beside = [""] * max(above, 0) + answer
        beside += [""] * (height - len(beside))
        picture += [""] * (height - len(picture))
        lines += [
            f"{left:<{width}}{right}".rstrip() for left, right in zip(picture, beside, strict=True)
        ]
    else:
        lines += [*(line.rstrip() for line in picture), "", *answer]
    for number, (values, activation) in enumerate(zip(hidden, network.activation, strict=True), 1):
        lines += ["", *_layer(values, f"Hidden layer {number}", activation, letters, columns)]
    return [*lines, "", _verdict(probabilities, true, dataset.class_names, letters)]


def _picture(ink: npt.NDArray[np.floating[Any]], letters: Letters, columns: int) -> list[str]:
    """A picture in shades. A letter is twice as high as wide: it is one pixel by two, or half."""
    import numpy as np

    height, width = ink.shape
    if height > 16 or 2 * width > columns:
        times = 1
        ink = np.pad(ink, ((0, height % 2), (0, 0))).reshape(-1, 2, width).mean(axis=1)
    else:
        times = 2
    return ["".join(_level(each, letters.shades) * times for each in row) for row in ink.tolist()]


def _level(share: float, letters: str) -> str:
    """Return the letter for a share from 0 to 1; the first is for next to nothing."""
    return letters[min(max(round(share * (len(letters) - 1)), 0), len(letters) - 1)]


def _answer(
    probabilities: npt.NDArray[np.floating[Any]],
    true: int,
    class_names: Sequence[str],
    letters: Letters,
    width: int,
) -> list[str]:
    """The probability of each class as a bar, at most `width` letters long."""
    import numpy as np

    answer = _best(probabilities)
    shown: Sequence[int] = range(len(class_names))
    if len(class_names) > MOST_ANSWERS:  # the likeliest, and the true one wherever it stands
        likeliest = np.argsort(-np.nan_to_num(probabilities), kind="stable")[:MOST_ANSWERS]
        shown = sorted({*likeliest.tolist(), true})
    names = {k: textwrap.shorten(class_names[k], LONGEST_NAME, placeholder="...") for k in shown}
    longest = max(map(len, names.values()))
    lines = []
    for k, name in names.items():
        share = float(probabilities[k])
        if share != share:  # a network that has diverged
            lines.append(f"{name:>{longest}}  not a number")
            continue
        bar = f"{letters.bar * round(width * share):<{width}}"
        marks = [word for word, k_marked in (("answer", answer), ("true", true)) if k == k_marked]
        line = f"{name:>{longest}}  {bar} {percent(share):>8}"
        if marks:
            line = f"{letters.right(line, k == true)}  {', '.join(marks)}"
        lines.append(line)
    return lines


def _layer(
    values: npt.NDArray[np.floating[Any]],
    title: str,
    activation: str,
    letters: Letters,
    columns: int,
) -> list[str]:
    """The activation of each unit as a column, as high as it is strong."""
    import numpy as np

    finite = values[np.isfinite(values)]
    about = f"{title}, {len(values)} {activation} units"
    if len(finite) < len(values):
        return [f"{about}: some are not a number any more"]
    lowest, highest = float(values.min()), float(values.max())
    size = max(abs(lowest), abs(highest))
    if not size:
        return [f"{about}: none is active"]
    if lowest >= 0:
        share = values / size
        n_active = np.count_nonzero(values)
        about = f"{about}, {n_active} active, the strongest {highest:.3g}:"
    else:
        share = (values / size + 1) / 2
        about = f"{about}, from {-size:.3g} (lowest) to {size:.3g} (highest):"
    heights = "".join(_level(each, letters.heights) for each in share.tolist())
    width = min(64, columns)
    rows = [heights[i : i + width].rstrip() for i in range(0, len(heights), width)]
    return [*textwrap.wrap(about, columns), *rows]


def _verdict(
    probabilities: npt.NDArray[np.floating[Any]],
    true: int,
    class_names: Sequence[str],
    letters: Letters,
) -> str:
    answer = _best(probabilities)
    if answer is None:
        return "The network no longer computes numbers, so it has no answer."
    if answer == true:
        return letters.right(f"Read as {class_names[answer]}: right.", True)
    wrong = f"Read as {class_names[answer]}: wrong, it is a {class_names[true]}."
    return letters.right(wrong, False)


def _best(probabilities: npt.NDArray[np.floating[Any]]) -> int | None:
    """Return the most probable class; None where they are not numbers."""
    import numpy as np

    return int(probabilities.argmax()) if np.isfinite(probabilities).all() else None


COMMAND = Command("show how a network reads test digits, in the terminal", _add_arguments, _run)
