"""The data of a chart as a table for people: what is saved as CSV.

A chart names its data already: by the titles of its tooltips, or else of its axes. So the columns
of the saved table carry those titles, and what only places a mark (pixels, colours, pictures) is
left out. Where that would not do, the builder says which columns of which table are meant, with
`columns_saved`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import pandas as pd
from pandas.api.types import is_numeric_dtype

from neuralscope.charts.figure import Figure

MISSING: Final = ("", "-", "\N{EN DASH}", "undefined")
_PERCENT: Final = "%"
_FORMULA: Final = re.compile(
    r"[=@\t\r\n\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH COMMERCIAL AT}]|[+-]."
)
_NUMBER: Final = re.compile(r"[+-]?\d+([.,]\d+)*(e[+-]?\d+)?", re.IGNORECASE)
_SPACES: Final = r"[\s\N{NO-BREAK SPACE}]+"


def columns_saved(table: str, columns: Mapping[str, str]) -> dict[str, Any]:
    """Say what is saved of a chart, as a top-level property for `template`.

    Args:
        table: The table.
        columns: Its columns and what they are called for people, in order.
    """
    return {"saved": {"table": table, "columns": dict(columns)}}


def saved_rows(figure: Figure) -> pd.DataFrame:
    """Return the data of a chart, with columns that say what they hold."""
    said = figure.template.get("usermeta", {}).get("saved")
    if said is not None:
        names, rows = said["columns"], figure.tables[said["table"]]
    else:
        names, rows = _main_table(figure)
    rows = rows[[name for name in names if name in rows]].rename(columns=names)
    return readable(rows.drop_duplicates())


def readable(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with numbers where there were numbers written for people.

    A column of percentages says so in its name.

    >>> readable(pd.DataFrame({"Right": ["98.1 %", "undefined"], "Step": ["1,876", "938"]}))
       Right (%)  Step
    0       98.1  1876
    1        NaN   938
    """
    columns: dict[str, pd.Series[Any]] = {}
    for name, column in rows.items():
        values, title = column, str(name)
        if not is_numeric_dtype(column):
            numbers, is_percent = _numbers(column)
            values = column if numbers is None else numbers
            title = f"{title} (%)" if is_percent and _PERCENT not in title else title
        columns[title] = values
    return pd.DataFrame(columns, index=rows.index).reset_index(drop=True)


def harmless(rows: pd.DataFrame, guard: str = "'") -> pd.DataFrame:
    """Return rows of which a spreadsheet computes nothing, in their cells and their headings.

    A text that begins like a formula (with = + - @, a tab or a line break) gets a guard in front.
    So does one that begins with the guard: taking one guard off gives every text back. Numbers
    stay as they are, also where they are written as texts.

    Args:
        rows: The table; a cell may be a list of texts.
        guard: What is put in front: an apostrophe, as in a spreadsheet, or a letter that nobody
            sees.

    >>> harmless(pd.DataFrame({"Run": ["=1+1", "'=", "-0.5", "mine"], "Step": [-1, 2, 3, 4]}))
         Run  Step
    0  '=1+1    -1
    1    ''=     2
    2   -0.5     3
    3   mine     4
    """

    def guarded(cell: Any) -> Any:
        if isinstance(cell, list):
            return [guarded(each) for each in cell]
        if not isinstance(cell, str) or _NUMBER.fullmatch(cell):
            return cell
        return f"{guard}{cell}" if cell.startswith(guard) or _FORMULA.match(cell) else cell

    safe = rows.rename(columns=guarded)
    for place, kind in enumerate(safe.dtypes):
        if not is_numeric_dtype(kind):
            safe.isetitem(place, safe.iloc[:, place].map(guarded))
    return safe


def _numbers(column: pd.Series[Any]) -> tuple[pd.Series[Any] | None, bool]:
    """Return texts as numbers, and whether they are percentages; None if they are no numbers."""
    texts = column.astype(str).str.strip()
    present = texts[~texts.isin(MISSING)]
    is_percent = len(present) > 0 and bool(present.str.endswith(_PERCENT).all())
    plain = present.str.removesuffix(_PERCENT).str.replace(_SPACES, "", regex=True)
    plain = plain.str.replace(",", "").str.replace("\N{MINUS SIGN}", "-")
    if not len(plain) or not plain.str.fullmatch(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?").all():
        return None, False
    return pd.to_numeric(plain).reindex(column.index), is_percent


class _Encoding(NamedTuple):
    """One use of a column: by which channel of the chart, and under which title."""

    table: str
    field: str
    title: str
    is_tooltip: bool
    is_quantity: bool


def _main_table(figure: Figure) -> tuple[dict[str, str], pd.DataFrame]:
    """Return the titles of the columns to save, and the table that they are of.

    That is the table that says most on hover; else the one whose axes say most.
    """
    encodings = [each for each in _encodings(figure.template) if each.table in figure.tables]
    spoken = [each for each in encodings if each.is_tooltip]
    candidates = spoken or encodings
    if not candidates:  # a picture without a word
        return {}, pd.DataFrame()
    by_table: dict[str, list[_Encoding]] = {}
    for each in candidates:
        by_table.setdefault(each.table, []).append(each)
    main = max(by_table, key=lambda table: len({each.title for each in by_table[table]}))
    rows = figure.tables[main]
    # Of two columns under one title, a number and the same as text, the number is the data.
    fields: dict[str, str] = {
        each.title: each.field for each in by_table[main] if each.field in rows
    }
    quantities = {
        each.title: each.field
        for each in encodings
        if each.table == main and each.is_quantity and each.field in rows
    }
    return {quantities.get(title, field): title for title, field in fields.items()}, rows


def _encodings(part: Any, table: str = "") -> Iterator[_Encoding]:
    """Find the columns that a specification gives a title, in the order in which they stand."""
    if isinstance(part, list):
        for each in part:
            yield from _encodings(each, table)
    if not isinstance(part, Mapping):
        return
    data = part.get("data")
    table = data.get("name", table) if isinstance(data, Mapping) else table
    for channel, encoded in part.get("encoding", {}).items():
        for each in encoded if isinstance(encoded, list) else [encoded]:
            if not isinstance(each, Mapping) or "field" not in each:
                continue
            guide = each.get("axis") or each.get("legend") or {}
            title = each.get("title") or guide.get("title")
            if isinstance(title, str) and title:
                is_quantity = each.get("type") == "quantitative"
                yield _Encoding(table, each["field"], title, channel == "tooltip", is_quantity)
    for name, each in part.items():
        if name != "encoding":
            yield from _encodings(each, table)
