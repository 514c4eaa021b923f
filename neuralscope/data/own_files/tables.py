"""Tables as text: CSV as spreadsheets, pandas and data science sites write it.

Commas, semicolons or tabs; decimal commas; a first line `sep=;`; a header or none; all pixels of a
picture in one cell. What the columns mean is decided in `columns`.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import cast

import numpy as np
from numpy.typing import NDArray

from neuralscope.data.own_files.columns import (
    Columns,
    columns_of,
    describe_column,
    is_header,
    is_number,
    part_named,
    settled,
)
from neuralscope.data.own_files.labels import too_many_classes, values_of
from neuralscope.data.own_files.limits import MOST_SIDE, Unfit, Unlabelled, shown
from neuralscope.data.own_files.naming import ORDER, Found, shape_in

FIRST_ROWS = 200
"""Rows that decide what the columns mean: more than there can be classes."""

_MOST_COLUMNS = MOST_SIDE * MOST_SIDE + 8  # a label, an index and the like
_MOST_TEXTS = 10_000
_MOST_BLANK_LINES = 1_000  # among the first rows
_JOINT = "\x1f"  # separates the cells of rows that are rewritten; no text holds it
_NOT_TEXT = "it is neither .npz nor IDX, and as CSV it is not text in UTF-8"
_UNREADABLE = "as CSV it cannot be read, and it is neither .npz nor IDX"


@dataclass(frozen=True)
class _Sheet:
    """How a table is written.

    Attributes:
        content: Its text, with points in decimal fractions.
        delimiter: What stands between two cells.
        n_before: How many lines stand before the first row of numbers.
        header: The names of the columns, if there are any.
        rows: The first rows.
        packed: The column whose cells hold all pixels of a picture, or None.
        numbers: The number of each column in the file; all pixels of one cell have the same.
    """

    content: bytes
    delimiter: str
    n_before: int
    header: tuple[str, ...] | None
    rows: tuple[tuple[str, ...], ...]
    packed: int | None
    numbers: tuple[int, ...]

    @property
    def titles(self) -> list[str]:
        """What each column is called in sentences."""
        names = self.header or [""] * len(self.numbers)
        return [describe_column(*each) for each in zip(self.numbers, names, strict=True)]

    def wanted(self, label_column: str | None) -> str | None:
        """Return a person's word for a column, with a number as this table counts."""
        if label_column is None or not re.fullmatch("[0-9]{1,6}", label_column):
            return label_column
        number = int(label_column)
        if number not in self.numbers:
            raise Unlabelled(f"there is no column {number}: it has {self.numbers[-1]:,} columns")
        return str(self.numbers.index(number) + 1)


def read_table(
    content: bytes,
    *,
    label_column: str | None = None,
    shape: tuple[int, int] | None = None,
) -> tuple[list[Found], list[str]]:
    """Return the images and labels of a table, and notes on what was decided.

    Args:
        content: The file.
        label_column: Which column is the label, by a person's word: a name, or a number from 1.
        shape: Rows and columns of the pictures, where they are known.

    Raises:
        LabelUnclear: More than one column may be the label.
        Unfit: It cannot be used.
    """
    sheet = _sheet(content)
    if not sheet.rows:
        raise Unfit("it has no rows")
    shape = shape or _shape_in_header(sheet.header or ())
    columns = columns_of(sheet.header, sheet.rows, wanted=sheet.wanted(label_column), shape=shape)
    as_text = (*columns.candidates, *(() if columns.part is None else (columns.part,)))
    used = sorted({*columns.pixels, *as_text})
    numbers, texts = _numbers(sheet, used, as_text)
    codes = {i: numbers[:, used.index(i)].astype(np.int64) for i in as_text}
    counts = {i: dict(zip(texts[i], np.bincount(codes[i]).tolist(), strict=True)) for i in as_text}
    label = settled(columns, counts, sheet.titles, sheet.numbers)
    pixels = set(columns.pixels)
    if columns.others_are_pixels:
        for i in columns.candidates:
            if i != label:
                numbers[:, used.index(i)] = _as_pixels(texts[i], codes[i], i, sheet)
                pixels.add(i)
    images = np.delete(numbers, [k for k, i in enumerate(used) if i not in pixels], axis=1)
    if shape is not None and math.prod(shape) == images.shape[1]:
        images = images.reshape(-1, *shape)
    labels = values_of(texts[label])[codes[label]]
    notes = _notes(columns, label, len(texts[label]), sheet.titles)
    if columns.part is None:
        return [Found(None, "images", images), Found(None, "labels", labels)], notes
    parts = np.array([part_named(text) or "" for text in texts[columns.part]])[codes[columns.part]]
    found = []
    for part in ORDER:
        if (parts == part).any():
            found.append(Found(part, "images", images[parts == part]))
            found.append(Found(part, "labels", labels[parts == part]))
    return found, notes


def _notes(columns: Columns, label: int, n_classes: int, titles: Sequence[str]) -> list[str]:
    """Say what was decided about the columns."""
    classes = "1 class" if n_classes == 1 else f"{n_classes} classes"
    reason = f" ({columns.reason})" if columns.reason else ""
    left_out = dict(columns.left_out)
    if not columns.others_are_pixels:
        left_out |= {i: "not the label" for i in columns.candidates if i != label}
    return [
        f"label: {titles[label]}, {classes}{reason}",
        *(f"left out: {titles[i]}, {why}" for i, why in sorted(left_out.items())),
        *([] if columns.part is None else [f"split: as {titles[columns.part]} says"]),
    ]


def _shape_in_header(header: Sequence[str]) -> tuple[int, int] | None:
    """Return rows and columns of the pictures where pixels are called '1x1' to '28x28'."""
    shapes = [shape for cell in header if (shape := shape_in(cell)) is not None]
    return max(shapes, key=math.prod, default=None)


# How a table is written --------------------------------------------------------------------------


def _sheet(content: bytes) -> _Sheet:
    """Find out how a table is written, from its first rows."""
    if b"\0" in content[:4096]:
        raise Unfit("it is neither .npz nor IDX nor CSV")
    lines = _first_lines(content)
    if not lines:
        raise Unfit("it is empty")
    n_before, first = lines[0]
    said = re.fullmatch(r'"?sep=(.)"?', first.strip(), re.IGNORECASE)
    if said:
        lines = lines[1:]
        if not lines:
            raise Unfit("it has no rows")
        n_before, first = lines[0]
    if max(map(first.count, ",;\t")) > _MOST_COLUMNS:
        raise Unfit(f"a row has more than a label and {MOST_SIDE} x {MOST_SIDE} pixels")
    texts = [text for _, text in lines]
    delimiter = said[1] if said else _delimiter(texts[:2])
    if delimiter != "," and any(re.search(r"\d,\d", text) for text in texts):
        content = re.sub(rb"(?<=\d),(?=\d)", b".", content)
        texts = [re.sub(r"(?<=\d),(?=\d)", ".", text) for text in texts]
    rows = [_cells(text, delimiter) for text in texts]
    head = rows[0]
    if len(head) < 2:
        raise Unfit("it is neither .npz nor IDX, and as CSV its rows have one column only")
    second = rows[1] if len(rows) > 1 else []
    numbers = list(range(1, len(head) + 2))
    packed, n_pixels = _packed(rows)
    if packed is not None:
        numbers[packed : packed + 1] = [packed + 1] * n_pixels
        if not _holds_pixels(head[packed]):  # a header has one name for all of them
            head[packed : packed + 1] = [f"{head[packed]}{i}" for i in range(n_pixels)]
        rows = [_spread(row, packed) for row in rows]
        head, second = rows[0], rows[1]
    named_row = is_header(head, second)
    if named_row:
        rows = rows[1:]
        if len(second) == len(head) + 1:  # R writes no name above its index
            head = ["", *head]
    n_columns = len(head)
    # Rows of another length among others are told of, with their number, where all are read.
    whole = tuple(tuple(row) for row in rows if len(row) == n_columns)
    if rows and not whole:
        row_number = lines[int(named_row)][0] + 1
        raise Unfit(f"row {row_number} has {len(rows[0])} columns instead of {n_columns}")
    return _Sheet(
        content,
        delimiter,
        n_before + named_row,
        tuple(head) if named_row else None,
        whole,
        packed,
        tuple(numbers[:n_columns]),
    )


def _text_of(content: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content), "utf-8-sig")


def _first_lines(content: bytes) -> list[tuple[int, str]]:
    """Return the first lines that are not blank, each with how many lines stand before it."""
    lines: list[tuple[int, str]] = []
    try:
        for number, line in enumerate(_text_of(content)):
            if line.strip():
                lines.append((number, line))
            elif number - len(lines) > _MOST_BLANK_LINES:
                raise Unfit(f"as CSV it has more than {_MOST_BLANK_LINES:,} empty lines")
            # The first line alone may be all of a large file.
            if len(lines) > FIRST_ROWS or sum(len(text) for _, text in lines[:1]) > 2**22:
                break
    except UnicodeDecodeError as error:
        raise Unfit(_NOT_TEXT) from error
    return lines


def _delimiter(lines: Sequence[str]) -> str:
    """Return what stands between cells: what makes most numbers of the row below a header."""
    row = lines[-1]

    def n_numbers(delimiter: str) -> int:
        cells = row.strip().split(delimiter)
        if delimiter != ",":
            cells = [re.sub(r"^(-?\d*),(\d+)$", r"\1.\2", cell) for cell in cells]
        return sum(is_number(cell.strip('" ')) for cell in cells) if len(cells) > 1 else 0

    # Of two that make no numbers, the one that stands there more often.
    return max(",;\t", key=lambda each: (n_numbers(each), lines[0].count(each)))


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error as error:
        raise Unfit("it is neither .npz nor IDX, and as CSV its first row is unreadable") from error


def _holds_pixels(cell: str) -> bool:
    """Return whether a cell holds all pixels of a picture."""
    parts = cell.strip("[] ").split()
    return len(parts) > 3 and all(map(is_number, parts))


def _packed(rows: Sequence[Sequence[str]]) -> tuple[int | None, int]:
    """Return the column whose cells hold all pixels of a picture, and how many they are."""
    for row in rows[1:10]:  # the first may be a header, and another one damaged
        for column, cell in enumerate(row[: len(rows[0])]):
            if _holds_pixels(cell):
                return column, len(cell.strip("[] ").split())
    return None, 0


def _spread(row: Sequence[str], packed: int) -> list[str]:
    """Return a row with a cell for each pixel; a header stays as it is."""
    pixels = row[packed].strip("[] ").split() if packed < len(row) else []
    return [*row[:packed], *pixels, *row[packed + 1 :]] if len(pixels) > 3 else list(row)


# Numbers -----------------------------------------------------------------------------------------


def _numbers(
    sheet: _Sheet, used: Sequence[int], as_text: Sequence[int]
) -> tuple[NDArray[np.float32], dict[int, list[str]]]:
    """Return columns as numbers; those that are text as codes, with the texts of the codes."""
    codes: dict[int, dict[str, int]] = {column: {} for column in as_text}

    def coder(column: int) -> Callable[[str], int]:
        known = codes[column]

        def code(cell: str) -> int:
            if len(known) > _MOST_TEXTS:
                raise Unfit(too_many_classes(f"more than {_MOST_TEXTS:,}"))
            return known.setdefault(cell.strip(), len(known))

        return code

    lines: Iterable[str] = _text_of(sheet.content)
    delimiter, n_skipped = sheet.delimiter, sheet.n_before
    if sheet.packed is not None:
        lines, delimiter, n_skipped = _spread_lines(sheet), _JOINT, 0
    try:
        numbers = np.loadtxt(
            lines,
            dtype=np.float32,
            delimiter=delimiter,
            comments=None,
            quotechar='"',
            ndmin=2,
            converters={column: coder(column) for column in as_text},
            skiprows=n_skipped,
            usecols=None if len(used) == len(sheet.rows[0]) else used,
            encoding=None,
        )
    except Unfit:
        raise
    except UnicodeDecodeError as error:
        raise Unfit(_NOT_TEXT) from error
    except (ValueError, OverflowError, csv.Error) as error:
        raise Unfit(_in_row(str(error), sheet)) from error
    return numbers, {column: list(known) for column, known in codes.items()}


def _spread_lines(sheet: _Sheet) -> Iterator[str]:
    """Yield the rows with a cell for each pixel."""
    packed = cast(int, sheet.packed)
    lines = islice(_text_of(sheet.content), sheet.n_before, None)
    for row in csv.reader(lines, delimiter=sheet.delimiter):
        if row:
            yield _JOINT.join(_spread(row, packed))


def _in_row(message: str, sheet: _Sheet) -> str:
    """Turn what `np.loadtxt` says into a clause for people; rows count from 1, with the header."""
    cell = re.search(r"could not convert string '(.*?)' to .* at row (\d+), column (\d+)", message)
    if cell:
        return _not_a_pixel(cell[1], int(cell[3]) - 1, int(cell[2]), sheet)
    columns = re.search(r"from (\d+) to (\d+) at row (\d+)", message)
    if columns:
        row = int(columns[3]) + sheet.n_before
        return f"row {row} has {columns[2]} columns instead of {columns[1]}"
    columns = re.search(r"at row (\d+) with (\d+) columns", message)
    if columns:
        row = int(columns[1]) + sheet.n_before
        return f"row {row} has {columns[2]} columns instead of {len(sheet.rows[0])}"
    return _UNREADABLE


def _not_a_pixel(cell: str, column: int, row: int, sheet: _Sheet) -> str:
    """Say that a cell is not a number; column and row of the numbers count from 0."""
    is_known = column < len(sheet.numbers)  # this row may be longer than the others
    column, row = sheet.numbers[column] if is_known else column + 1, row + sheet.n_before + 1
    what = f"'{shown(cell)}'" if cell.strip() else "empty"
    return f"column {column} of row {row} is {what}. Pixels must be numbers"


def _as_pixels(
    texts: Sequence[str], codes: NDArray[np.int64], column: int, sheet: _Sheet
) -> NDArray[np.float32]:
    """Return a column that was read as text as the numbers that it holds."""
    for code, text in enumerate(texts):
        if not is_number(text):
            row = int(np.flatnonzero(codes == code)[0])
            raise Unfit(_not_a_pixel(text, column, row, sheet))
    return np.array([float(text) for text in texts], np.float32)[codes]
