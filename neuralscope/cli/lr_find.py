"""`lr-find`: the learning-rate range test, drawn in the terminal."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from math import floor, isfinite, log10
from typing import TYPE_CHECKING

from neuralscope.cli.datasets import add_reading, load, resolved
from neuralscope.cli.parser import Command, add_json
from neuralscope.cli.printing import plain, print_json
from neuralscope.cli.settings import add_settings, config_from
from neuralscope.cli.status import DONE
from neuralscope.cli.status_line import StatusLine

if TYPE_CHECKING:
    from neuralscope.engine.rate_test import RateTried, Suggestion

COLUMNS, ROWS = 80, 18
"""Size of the picture: what any terminal has."""

_LEFT = 7  # columns for the numbers of the y axis

RAW, SMOOTHED, SUGGESTED, BLOWN_UP = ".", "#", "|", "x"


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s [--dataset NAME|FILE] [--hidden N [N ...]] [SETTINGS] [--json]"
    parser.description = (
        "Find a learning rate: train a fresh network for a few hundred steps while the rate grows, "
        "draw the loss, and suggest the rate at which it falls fastest. Settings that take effect "
        "over epochs, such as the schedule, are allowed and change nothing. No run is stored."
    )
    add_settings(parser, leave_out=("learning_rate",))
    add_reading(parser)
    group = parser.add_argument_group("the result")
    add_json(group)
    group.add_argument(
        "--stream",
        action="store_true",
        help="with --json, also print each step as one JSON value on a line, as it is taken",
    )


def _run(options: argparse.Namespace) -> int:
    from neuralscope.engine import suggest_rate
    from neuralscope.engine.rate_test import STEPS
    from neuralscope.runs import run_rate_test

    line = StatusLine(sys.stderr)
    options.dataset = resolved(options, line)
    config = config_from(options)
    dataset = load(config.dataset, line)
    tried = []
    try:
        for each in run_rate_test(config, dataset):
            tried.append(each)
            line.show(f"step {len(tried)} of {STEPS}, learning rate {each.rate:.1e}")
            if options.json and options.stream:
                print(json.dumps(plain(each._asdict())), flush=True)
    finally:
        line.clear()
    suggestion = suggest_rate(tried)
    if options.json:
        settings = config.as_dict()
        del settings["learning_rate"]
        print_json(
            {
                "learning_rate": suggestion.rate,
                "reason": suggestion.reason,
                "steepest": suggestion.steepest,
                "blown_up": suggestion.blown_up,
                "config": settings,
                "tried": [each._asdict() for each in tried],
            }
        )
    else:
        for each_line in draw(tried, suggestion):
            print(each_line)
        print()
        print(f"learning rate  {'-' if suggestion.rate is None else f'{suggestion.rate:g}'}")
        print(suggestion.reason)
    return DONE


def draw(
    tried: Sequence[RateTried],
    suggestion: Suggestion,
    *,
    columns: int = COLUMNS,
    rows: int = ROWS,
) -> list[str]:
    """Return the lines of a picture of the loss over the rate, in plain characters.

    The loss is cut off a little above where it starts: what blows up would press all else flat.

    Args:
        tried: The steps of the test, one at least.
        suggestion: What is marked in it.
        columns: Width of the picture.
        rows: Height of the plot, without its axis.
    """
    from neuralscope.engine.rate_test import HIGHEST

    width = columns - _LEFT - 1
    lowest, highest = log10(tried[0].rate), log10(HIGHEST)

    def column(rate: float) -> int:
        share = (log10(rate) - lowest) / (highest - lowest)
        return min(max(round(share * (width - 1)), 0), width - 1)

    top = 1.5 * tried[0].loss if isfinite(tried[0].loss) else 1.0

    def row(loss: float) -> int:
        return min(max(round((1 - loss / top) * (rows - 1)), 0), rows - 1)

    sheet = [[" "] * width for _ in range(rows)]
    if suggestion.rate is not None:
        for cells in sheet:
            cells[column(suggestion.rate)] = SUGGESTED
    for mark in (RAW, SMOOTHED):
        for each in tried:
            loss = each.loss if mark == RAW else each.smoothed
            if loss <= top:
                sheet[row(loss)][column(each.rate)] = mark
    if suggestion.blown_up is not None:
        sheet[0][column(suggestion.blown_up)] = BLOWN_UP

    labels = {row(loss): f"{loss:.1f}" for loss in (0.0, top / 2, top)}
    lines = ["loss over learning rate (logarithmic)"]
    lines += [
        f"{labels.get(i, ''):>{_LEFT - 1}} |{''.join(cells)}".rstrip()
        for i, cells in enumerate(sheet)
    ]
    ticks, names = ["-"] * width, [" "] * (columns + 1)
    for power in range(floor(lowest + 0.999), floor(highest) + 1):
        at, name = column(10.0**power), f"{10.0**power:g}"
        ticks[at] = "+"
        begin = min(max(_LEFT + 1 + at - len(name) // 2, 0), columns - len(name))
        names[begin : begin + len(name)] = name
    lines += [" " * _LEFT + "+" + "".join(ticks), "".join(names).rstrip()]
    key = [f"{RAW} loss of a batch", f"{SMOOTHED} smoothed"]
    if suggestion.rate is not None:
        key.append(f"{SUGGESTED} suggested")
    if suggestion.blown_up is not None:
        key.append(f"{BLOWN_UP} blown up")
    return [*lines, " " * (_LEFT + 1) + "   ".join(key)]


COMMAND = Command("find a learning rate: the loss while it grows", _add_arguments, _run)
