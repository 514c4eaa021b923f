"""Anything may stand in a row: no question fails for it, and the runs beside it are all there."""

from __future__ import annotations

import contextlib
import json
import math
import random
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralscope import exports
from neuralscope.engine import EpochEnd, LayerHealth
from neuralscope.errors import NeuralScopeError, StoreError
from neuralscope.runs import RunConfig, Store, lineage, list_snapshots, races, when
from neuralscope.runs.columns import TABLES
from neuralscope.runs.curves import epochs_of
from neuralscope.runs.database import FILE_NAME, RUN_ID
from neuralscope.runs.detached import detach
from neuralscope.runs.listing import (
    SORTS,
    Query,
    accuracy_curves,
    choices,
    is_any,
    is_live,
    list_runs,
    newest,
    still_there,
    trashed_before,
)
from neuralscope.runs.records import Event, Parent, Progress, StepBlock
from neuralscope.runs.snapshots import load_snapshot
from tests.writing import owner

N_EPOCHS = 3
EACH = 2
"""Values that each column is given, of all there are."""

DEEP = "[" * 5_000 + "]" * 5_000
HOSTILE = {
    "nothing": "NULL",
    "negative": "-1",
    "huge": str(2**62),
    "large": "1e308",
    "infinite": "9e999",
    "fraction": "0.5",
    "empty": "''",
    "text": "'x'",
    "bytes": "x'ff'",
    "text that is none": "CAST(x'ff00fe' AS TEXT)",
    "long text": f"'{'x' * 100_000}'",
    "broken JSON": "'{\"hidden\": ['",
    "other JSON": '\'{"hidden": {"a": "b"}, "epochs": "many"}\'',
    "JSON that is no text": "'[\"\\ud800\", 1e999, null]'",
    "deep JSON": f"'{DEEP}'",
    "a path": "'../../outside'",
}
"""What is put into a column, as SQL."""

CASES = [
    (table, column, kind)
    for table, columns in TABLES.items()
    for column in dict.fromkeys((*columns, "run_id"))
    for kind in HOSTILE
]


@dataclass
class Laboratory:
    """A store of three sound runs and one that is tampered with."""

    store: Store
    sound: list[str]
    victim: str
    database: sqlite3.Connection
    pristine: sqlite3.Connection

    def tamper(self, table: str, column: str, value: str) -> bool:
        """Put a value into one of the victim's rows; return whether the database takes it."""
        self.pristine.backup(self.database)
        place = "ORDER BY epoch, layer" if table == "layer_health" else ""
        first = f"SELECT * FROM {table} WHERE run_id = ? {place} LIMIT 1 OFFSET 1"
        names = [each[0] for each in self.database.execute(first, (self.victim,)).description]
        row = self.database.execute(first.replace(" OFFSET 1", ""), (self.victim,)).fetchone()
        same = " AND ".join(f"{name} IS ?" for name in names)
        try:
            with self.database:
                self.database.execute(f"UPDATE {table} SET {column} = {value} WHERE {same}", row)
        except sqlite3.IntegrityError:
            return False
        return True


def _fill(store: Store, name: str, **options: Any) -> str:
    """Add a run with rows in every table."""
    run_id = store.create(
        RunConfig(dataset="digits", hidden=(8,), epochs=N_EPOCHS), name, **options
    )
    writer = owner(store, run_id)
    writer.set_facts(data_digest="", versions={}, machine={"cores": 2}, steps_per_epoch=2)
    health = (LayerHealth(1.0, 1.0, 0.1, 0.0, 0.0),) * 2
    for epoch in range(N_EPOCHS + 1):
        end = EpochEnd(epoch, 2 * epoch, 1.0, 0.5, 1.0, 0.5 + epoch / 10, 0.1, health)
        first = max(1, 2 * epoch - 1)
        block = StepBlock(first, epoch, epoch + 0.5, np.ones(2, np.float32))
        writer.record(
            Progress(epoch, 2 * epoch, float(epoch), 10.0, 0.1),
            [block] if epoch else [],
            [(end, float(epoch))],
            [Event(time.time(), "started", "started", epoch, 2 * epoch, float(epoch))],
        )
        writer.add_snapshot(f"epoch-{epoch:05d}", epoch=epoch, step=2 * epoch, seconds=float(epoch))
    store.send(run_id, "pause")
    store.set_tags(run_id, ["kept"])
    writer.end("finished", test_loss=1.0, test_accuracy=0.5)
    return run_id


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    path = tmp_path_factory.mktemp("hostile") / "runs"
    with Store(path) as store:
        sound = [_fill(store, name) for name in ("one", "two", "three")]
        race = "race-20260101-000000-abcd"
        victim = _fill(store, "victim", race=race, parent=Parent(sound[0], 1, 2))
        database = sqlite3.connect(path / FILE_NAME)
        database.execute("PRAGMA synchronous = OFF")
        pristine = sqlite3.connect(":memory:")
        database.backup(pristine)
        yield Laboratory(store, sound, victim, database, pristine)
        database.close()
        pristine.close()


def is_sane(value: Any) -> bool:
    """Return whether a value is one that can be shown, drawn and written as JSON."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "if" and bool(np.isfinite(value).all())
    if isinstance(value, tuple | list):
        return all(map(is_sane, value))
    if isinstance(value, dict):
        return all(map(is_sane, (*value, *value.values())))
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return len(value) <= 20_000 and value.encode().decode() == value
    if hasattr(value, "__dataclass_fields__"):
        return all(is_sane(getattr(value, name)) for name in value.__dataclass_fields__)
    return value is None or isinstance(value, bool | int)


def look(store: Store, run_id: str) -> list[Any]:
    """Return all that can be asked of a run."""
    run = store.run(run_id)
    snapshots = list_snapshots(store, run_id)
    for info in snapshots[:1]:
        with contextlib.suppress(NeuralScopeError):  # there are no files
            load_snapshot(store, run_id, info)
    return [
        run,
        [when(run, info) for info in snapshots],
        snapshots,
        run.seconds_left,
        *(read(run_id) for read in (store.epochs, store.steps, store.events, store.health)),
        store.health(run_id, last=1),
        store.count_unreadable_rows(run_id),
        store.last_recorded(run_id),
        store.place_in_queue(run_id),
        list(epochs_of(store, [run_id]).values()),
        accuracy_curves(store, [run]),
        still_there(store, [run_id, "../../outside"]),
        detach(store, run_id).blocks,
        lineage.can_resume(run),
        *lineage.offspring(store, run_id, 3),
    ]


def look_at_all(store: Store, chance: random.Random) -> list[Any]:
    """Return all that can be asked of a store."""
    pages = [list_runs(store, Query(sort=sort)) for sort in chance.sample(sorted(SORTS), 2)]
    pages += [list_runs(store, Query(search="e", tag="kept", dataset="digits", archived=None))]
    for page in pages:
        assert page.total == len(page.runs)
    return [
        store.runs(),
        store.trashed(),
        store.active_runs(),
        [(page.runs, page.last) for page in pages],
        *choices(store),
        newest(store, 5),
        is_any(store),
        is_live(store),
        trashed_before(store, time.time()),
        races.recent(store),
        lineage.offspring(store, store.runs()[-1].run_id, 3),
    ]


def test_whatever_stands_in_a_row_no_question_fails_and_the_other_runs_stay(
    laboratory: Laboratory,
) -> None:
    store, sound, victim = laboratory.store, laboratory.sound, laboratory.victim
    chance = random.Random(0)
    chosen = [
        case
        for start in range(0, len(CASES), len(HOSTILE))
        for case in chance.sample(CASES[start : start + len(HOSTILE)], EACH)
    ]
    for table, column, kind in chosen:
        if not laboratory.tamper(table, column, HOSTILE[kind]):
            continue
        what = f"{table}.{column}: {kind}"
        assert is_sane(look_at_all(store, chance)), what
        names = {run.run_id for run in store.runs()}
        assert names >= set(sound), what
        assert is_sane(look(store, chance.choice(sound))), what
        # The run itself is sane, or in the list of those that are not, or in the trash.
        unreadable = store.unreadable()
        trashed = {run.run_id for run in store.trashed()}
        assert len(names | trashed) + unreadable.total == len(sound) + 1, what
        if victim in names:
            assert is_sane(look(store, victim)), what
            for form in chance.sample(("csv", "json", "html"), 1):
                with contextlib.suppress(NeuralScopeError):
                    assert exports.content(store, victim, form)
        for run in unreadable.runs:
            assert is_sane(run), what
            assert RUN_ID.fullmatch(run.run_id) or run.run_id.startswith("row-"), what
            assert len(json.loads(exports.raw_rows(store, run.run_id))["runs"]) == 1
            assert len(run.reason) < 500
            with pytest.raises(StoreError):
                store.run(run.run_id)


def test_a_database_that_is_damaged_anywhere_is_told_or_read(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    laboratory.pristine.backup(laboratory.database)
    laboratory.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = (laboratory.store.path / FILE_NAME).read_bytes()
    chance = np.random.default_rng(0)
    told = 0
    for number in range(30):
        damaged = bytearray(content)
        start = int(chance.integers(100, len(content)))
        n_bytes = (1, 64, 4096)[number % 3]
        damaged[start : start + n_bytes] = chance.bytes(min(n_bytes, len(content) - start))
        path = tmp_path / str(number)
        path.mkdir()
        (path / FILE_NAME).write_bytes(damaged)
        try:
            with Store(path) as store:
                answers = [*look_at_all(store, random.Random(number)), *store.unreadable().runs]
                for run in store.runs():
                    answers += look(store, run.run_id)
                assert is_sane(answers)
        except StoreError as error:
            assert str(path) in str(error)
            told += 1
    assert told < 30


def test_runs_that_descend_from_each_other_are_listed_as_any_others(
    laboratory: Laboratory,
) -> None:
    store, (one, two, _) = laboratory.store, laboratory.sound
    for child, parent in ((one, two), (two, one)):
        laboratory.database.execute(
            "UPDATE runs SET parent_id = ? WHERE run_id = ?", (parent, child)
        )
    laboratory.database.commit()
    made, total = lineage.offspring(store, one, 5)
    assert [run.run_id for run in made][-1:] == [two]
    assert total == len(made)
    assert store.run(one).parent_id == two
    laboratory.pristine.backup(laboratory.database)


def test_a_race_of_too_many_runs_is_one_of_its_first(laboratory: Laboratory) -> None:
    race = "race-20260101-000000-ffff"
    names = [row[1] for row in laboratory.database.execute("PRAGMA table_info(runs)")][1:]
    with laboratory.database:
        laboratory.database.execute(
            f"INSERT INTO runs (run_id, {', '.join(names)}) "
            "WITH RECURSIVE numbers (n) AS "
            "(SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT 5000) "
            f"SELECT printf('20260101-000000-%08x', n), {', '.join(names)} FROM numbers, runs "
            "WHERE run_id = ?",
            (laboratory.sound[0],),
        )
        laboratory.database.execute(
            "UPDATE runs SET race = ? WHERE run_id LIKE '20260101-000000-%'", (race,)
        )
    assert len(races.find(laboratory.store, race).runs) == races.MOST
    assert [row.size for row in races.recent(laboratory.store) if row.race_id == race] == [5000]
    laboratory.pristine.backup(laboratory.database)
