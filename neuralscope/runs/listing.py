"""Lists of runs: filtered, sorted and cut into pages by the database.

A store may hold thousands of runs. SQLite filters and sorts them; only the rows of the page on
screen become `Run` objects.
"""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from neuralscope.errors import RunNotFound, RunUnreadable, StoreError
from neuralscope.runs.columns import EPOCHS, IS_TRASHED, RUNS
from neuralscope.runs.database import Database
from neuralscope.runs.records import ACTIVE, INTERRUPTED, Run
from neuralscope.runs.rows import key_of
from neuralscope.runs.store import Store

# A row that is no JSON would make json_extract fail for all of them; SQLite may ask for it before
# it asks whether the row can be trusted.
_CONFIG = "CASE WHEN json_valid(CAST(config AS TEXT)) THEN CAST(config AS TEXT) ELSE '{}' END"
_TAGS = "CASE WHEN json_valid(CAST(tags AS TEXT)) THEN CAST(tags AS TEXT) ELSE '[]' END"
_STATUS = (
    f"CASE WHEN status IN ({', '.join(repr(each) for each in ACTIVE)}) "
    "AND run_id NOT IN (SELECT value FROM json_each(:held)) "
    f"THEN '{INTERRUPTED}' ELSE status END"
)
_LAST = (
    f"(SELECT validation_accuracy FROM {EPOCHS} WHERE epochs.run_id = runs.run_id "
    "AND epochs.epoch > 0 ORDER BY epochs.epoch DESC LIMIT 1)"
)

_SHORTEST_ID = 4
"""Characters of an id that find a run; menus show its last four to tell equal names apart."""


def _setting(name: str) -> str:
    return f"json_extract({_CONFIG}, '$.{name}')"


SORTS = {
    "created": "created",
    "name": "folded(CAST(name AS BLOB))",
    "status": _STATUS,
    "dataset": _setting("dataset"),
    "units": f"(SELECT total(value) FROM json_each({_CONFIG}, '$.hidden'))",
    "optimizer": _setting("optimizer"),
    "learning_rate": _setting("learning_rate"),
    "epoch": "epoch",
    "best": "best_validation_accuracy",
    "best_epoch": "best_epoch",
    "last": _LAST,
    "test": "test_accuracy",
    "seconds": "seconds",
    "starred": "starred",
}
"""What a list may be sorted by, and the SQL for it."""


@dataclass(frozen=True)
class Query:
    """Which runs to list, and in which order.

    Attributes:
        search: Words that must all be found in the name, the tags or the notes; upper and lower
            case are the same. The beginning and the end of the id, from four characters, are such
            words too.
        statuses: Those the runs may have; empty for any.
        dataset: Its name, or '' for any.
        tag: One that the runs have, or '' for any.
        starred: True for those with a star, False for those without, None for both.
        archived: True for those in the archive, False for those outside it, None for both.
        sort: One of `SORTS`. Runs that lack it come last; equal ones the newest first.
        descending: Largest first.
        limit: Length of the page.
        offset: How many runs come before it.
    """

    search: str = ""
    statuses: tuple[str, ...] = ()
    dataset: str = ""
    tag: str = ""
    starred: bool | None = None
    archived: bool | None = False
    sort: str = "created"
    descending: bool = True
    limit: int = 20
    offset: int = 0


@dataclass(frozen=True)
class Listing:
    """A page of a list of runs.

    Attributes:
        runs: Those on the page, in order. Those that cannot be read are on none: see
            `Store.unreadable`.
        total: How many there are on all pages.
        last: The validation accuracy after the last epoch of each run on the page, by its id; those
            that have not completed an epoch are not in it.
    """

    runs: tuple[Run, ...]
    total: int
    last: dict[str, float]


class Choices(NamedTuple):
    """What the runs of a store can be told apart by, each sorted."""

    datasets: tuple[str, ...]
    tags: tuple[str, ...]


def list_runs(store: Store, query: Query) -> Listing:
    """Return a page of the runs that a query asks for.

    Raises:
        StoreError: The store cannot be read, or it cannot be sorted that way.
    """
    if query.sort not in SORTS:
        raise StoreError(f"Runs are sorted by {', '.join(SORTS)}, not by {query.sort[:40]!r}.")
    where, values = _conditions(query)
    values["held"] = json.dumps(store.held())
    sort = SORTS[query.sort]
    order = f"({sort}) IS NULL, {sort} {'DESC' if query.descending else 'ASC'}, "
    if query.sort == "created":  # which the index of the table is sorted by
        order = ""
    direction = "ASC" if query.sort == "created" and not query.descending else "DESC"
    with _reading(store.database) as db:
        total = db.execute(f"SELECT count(*) FROM {RUNS} WHERE {where}", values).fetchone()[0]
        rows = db.execute(
            f"SELECT run_id, {_LAST} AS last FROM {RUNS} WHERE {where} "
            f"ORDER BY {order}created {direction}, run_id {direction} LIMIT :limit OFFSET :offset",
            {**values, "limit": query.limit, "offset": query.offset},
        ).fetchall()
    runs = still_there(store, [row["run_id"] for row in rows])
    last = {row["run_id"]: row["last"] for row in rows if row["last"] is not None}
    return Listing(tuple(runs), total, last)


@contextlib.contextmanager
def _reading(database: Database) -> Iterator[sqlite3.Connection]:
    """Give the connection for queries that call functions of ours."""
    with database.reading() as db:
        db.create_function("folded", 1, _folded, deterministic=True)
        db.create_function("is_found", 5, _is_found, deterministic=True)
        yield db


def newest(store: Store, limit: int, *, dataset: str = "") -> list[Run]:
    """Return the newest runs outside the archive; those in it only if there is no other."""
    for archived in (False, None):
        query = Query(dataset=dataset, archived=archived, limit=limit)
        if runs := list_runs(store, query).runs:
            return list(runs)
    return []


def _conditions(query: Query) -> tuple[str, dict[str, object]]:
    """Return the SQL of what a query asks for, and the values in it."""
    values: dict[str, object] = {}
    conditions = ["trashed IS NULL"]
    if words := query.search.casefold().split():
        # As bytes: text that is none would fail on its way to a function, and hide all the others.
        written = ", ".join(f"CAST({column} AS BLOB)" for column in ("name", "tags", "notes"))
        conditions.append(f"is_found(:words, run_id, {written})")
        values["words"] = json.dumps(words)
    if query.statuses:
        names = [f":status{i}" for i in range(len(query.statuses))]
        conditions.append(f"{_STATUS} IN ({', '.join(names)})")
        values |= {name[1:]: status for name, status in zip(names, query.statuses, strict=True)}
    if query.dataset:
        conditions.append(f"{_setting('dataset')} = :dataset")
        values["dataset"] = query.dataset
    if query.tag:
        conditions.append(f":tag IN (SELECT value FROM json_each({_TAGS}))")
        values["tag"] = query.tag
    for name, wanted in (("starred", query.starred), ("archived", query.archived)):
        if wanted is not None:
            conditions.append(f"{name} = {int(wanted)}")
    return " AND ".join(conditions), values


def _folded(text: bytes) -> str:
    """Return text as it is compared, without regard to upper and lower case."""
    return text.decode(errors="replace").casefold()


def _is_found(words: str, run_id: str, name: bytes, tags: bytes, notes: bytes) -> bool:
    """Return whether each of the words is in what people have written about a run."""
    try:
        labels = "\n".join(map(str, json.loads(tags))).casefold()
    except (ValueError, TypeError):
        labels = ""
    text = "\n".join((_folded(name), labels, _folded(notes)))
    return all(
        word in text
        or (len(word) >= _SHORTEST_ID and (run_id.startswith(word) or run_id.endswith(word)))
        for word in json.loads(words)
    )


def choices(store: Store) -> Choices:
    """Return the data sets and the tags that the runs of a store have."""
    with store.database.reading() as db:
        datasets = db.execute(
            f"SELECT DISTINCT {_setting('dataset')} AS name FROM {RUNS} WHERE trashed IS NULL"
        ).fetchall()
        tags = db.execute(
            f"SELECT DISTINCT value AS name FROM {RUNS}, json_each({_TAGS}) "
            "WHERE trashed IS NULL AND tags != '[]'"
        ).fetchall()
    return Choices(*(tuple(sorted({str(row["name"]) for row in rows if row["name"] is not None}))
                     for rows in (datasets, tags)))  # fmt: skip


def accuracy_curves(store: Store, runs: Sequence[Run], points: int = 60) -> dict[str, list[float]]:
    """Return the validation accuracy over the epochs of each run, by its id.

    Each begins with the untrained network, or with the first epoch of a fork.

    Args:
        store: Where they are.
        runs: Few; those on screen.
        points: About how many to return of a run at most: evenly spread, and the last.
    """
    shown = [(run.run_id, max(1, math.ceil(run.epoch / points)), run.epoch) for run in runs]
    marks = ", ".join(["(?, ?, ?)"] * len(runs))
    if not runs:
        return {}
    with store.database.reading() as db:
        rows = db.execute(
            f"WITH shown (run_id, stride, last) AS (VALUES {marks}) "
            f"SELECT run_id, validation_accuracy FROM shown JOIN {EPOCHS} USING (run_id) "
            "WHERE epoch % stride = 0 OR epoch = last ORDER BY run_id, epoch",
            [value for row in shown for value in row],
        ).fetchall()
    curves: dict[str, list[float]] = {run.run_id: [] for run in runs}
    for run_id, accuracy in rows:
        curves[run_id].append(accuracy)
    return curves


def trashed_before(store: Store, when: float) -> list[str]:
    """Return the ids of the runs that were thrown away before a time, in seconds since 1970."""
    with store.database.reading() as db:
        rows = db.execute(
            f"SELECT run_id, rowid FROM runs WHERE trashed < ? AND {IS_TRASHED}", (when,)
        ).fetchall()
    return [key_of(row["run_id"], row["rowid"]) for row in rows]


def is_any(store: Store) -> bool:
    """Return whether the store holds a run that can be read and is not in the trash."""
    with store.database.reading() as db:
        found = db.execute(f"SELECT 1 FROM {RUNS} WHERE trashed IS NULL LIMIT 1").fetchone()
    return found is not None


def is_live(store: Store) -> bool:
    """Return whether any run is queued, running or paused."""
    return bool(store.held())


def still_there(store: Store, run_ids: Iterable[str]) -> list[Run]:
    """Return those of these runs that there are and can be read, in the order given, each once."""
    runs = []
    for run_id in dict.fromkeys(run_ids):
        with contextlib.suppress(RunNotFound, RunUnreadable):
            runs.append(store.run(run_id))
    return runs
