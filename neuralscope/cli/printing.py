"""Results on standard output: JSON for programs, facts and tables for people."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, is_dataclass
from typing import Any

from neuralscope.cli.words import one_line


def print_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    print(json.dumps(plain(value), allow_nan=False))


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: a number that is not finite becomes null."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    elif hasattr(value, "tolist"):  # NumPy's arrays and numbers
        value = value.tolist()
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def print_facts(facts: dict[str, str]) -> None:
    """Print names and values, a line each, with the values lined up."""
    width = max(map(len, facts)) + 2
    for name, value in facts.items():
        print(f"{name:<{max(width, 13)}}{one_line(value)}")


def print_table(
    rows: Iterable[tuple[str, ...]], *, right: Iterable[int] = (), width: int = 10_000
) -> None:
    """Print rows with columns lined up; those in `right` at the right. The last gives way."""
    table, to_right = list(rows), set(right)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    before_last = sum(widths[:-1]) + 2 * len(widths[:-1])
    widths[-1] = min(widths[-1], max(width - before_last, 8))
    for row in table:
        cells = []
        for i, (cell, columns) in enumerate(zip(row, widths, strict=True)):
            if len(cell) > columns:
                cell = cell[: columns - 3] + "..."
            cells.append(cell.rjust(columns) if i in to_right else cell.ljust(columns))
        print("  ".join(cells).rstrip())
