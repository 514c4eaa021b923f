"""The rows of a run as they stand in the database, for runs that nothing else can be made of.

What JSON has no word for is written as an object: bytes as {"base64": ...}, numbers that are not
finite as {"number": "inf"}, and long values as {"beginning": ..., "length": ...}.
"""

from __future__ import annotations

import base64
import json
import math
import sqlite3
from typing import Any

from neuralscope.runs import Store
from neuralscope.runs.columns import TABLES

MOST_ROWS = 1_000
"""Of each table. The others are counted."""

LONGEST = 2_000
"""Characters, or bytes, of a value that are written."""


def raw_rows(store: Store, run_id: str) -> str:
    """Return the rows of a run as JSON: an object of the tables, each a list of rows.

    Args:
        store: Where it is.
        run_id: Its id, or what `Store.unreadable` calls it.

    Raises:
        RunNotFound: There is no such row.
    """
    by_number = run_id.startswith("row-") and run_id[4:].isdecimal() and len(run_id) < 20
    condition, value = ("rowid", int(run_id[4:])) if by_number else ("run_id", run_id)
    tables: dict[str, Any] = {}
    with store.database.reading() as db:
        tables["runs"] = _rows(db, "runs", condition, value)
        if not tables["runs"]:
            raise store.not_found(run_id)
        for table in sorted(TABLES.keys() - {"runs"}) if not by_number else ():
            query = f"SELECT count(*) FROM {table} WHERE run_id = ?"
            n_rows = db.execute(query, (run_id,)).fetchone()[0]
            tables[table] = _rows(db, table, "run_id", run_id)
            if n_rows > MOST_ROWS:
                tables[f"{table}_left_out"] = n_rows - MOST_ROWS
    return json.dumps(tables, indent=1, allow_nan=False)


def _rows(
    db: sqlite3.Connection, table: str, condition: str, value: int | str
) -> list[dict[str, Any]]:
    """Return the first rows of a table for which a column has this value."""
    names = ["run_id"] * (table != "runs") + list(TABLES[table])
    # Cut by the database: one value may be as large as the memory.
    columns = ", ".join(
        f"CASE WHEN typeof({name}) IN ('text', 'blob') THEN substr({name}, 1, {LONGEST}) "
        f"ELSE {name} END, length({name})"
        for name in names
    )
    rows = db.execute(
        f"SELECT {columns} FROM {table} WHERE {condition} = ? LIMIT {MOST_ROWS}", (value,)
    )
    return [
        {name: _as_json(*row[2 * i : 2 * i + 2]) for i, name in enumerate(names)}
        for row in map(tuple, rows)
    ]


def _as_json(value: Any, length: int | None) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": str(value)}
    if not isinstance(value, str | bytes):
        return value
    shown: Any = {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
    return shown if length is None or length <= LONGEST else {"beginning": shown, "length": length}
