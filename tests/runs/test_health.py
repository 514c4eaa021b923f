"""How the layers did: stored with each epoch, also in a store made before that was recorded."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralscope.engine import EpochEnd, LayerHealth
from neuralscope.errors import StoreError
from neuralscope.runs import EpochHealth, RunConfig, Store, database
from neuralscope.runs.database import FILE_NAME, SCHEMA_VERSION
from neuralscope.runs.records import Progress
from neuralscope.runs.writer import Writer
from tests.writing import owner

Query = Callable[..., list[Any]]

PROGRESS = Progress(epoch=3, step=30, seconds=1.5, samples_per_second=1000.0, learning_rate=0.1)


def epoch_end(epoch: int, n_layers: int = 3) -> EpochEnd:
    rng = np.random.default_rng(epoch)
    health = tuple(LayerHealth(*rng.random(5).tolist()) for _ in range(n_layers))
    return EpochEnd(epoch, 10 * epoch, 1.0, 0.5, 1.5, 0.25, 0.1, health)


def record(store: Store, run_id: str, *ends: EpochEnd) -> None:
    owner(store, run_id).record(PROGRESS, epochs=[(end, 1.0) for end in ends])


# Keeping it --------------------------------------------------------------------------------------


def test_health_comes_back_in_order_and_to_the_bit(store: Store, config: RunConfig) -> None:
    run_id, other = store.create(config), store.create(config)
    ends = [epoch_end(epoch) for epoch in range(1, 13)]
    record(store, other, epoch_end(99))
    record(store, run_id, *ends[:1])
    record(store, run_id, *ends[1:])
    assert store.health(run_id) == [EpochHealth(end.epoch, end.health) for end in ends]
    assert len(store.epochs(run_id).epoch) == 12


def test_the_last_ones_can_be_had_alone(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    record(store, run_id, *(epoch_end(epoch) for epoch in range(1, 13)))
    for last in (1, 3, 12, 100):
        assert store.health(run_id, last=last) == store.health(run_id)[-last:]


def test_later_ones_can_be_left_out(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    record(store, run_id, *(epoch_end(epoch) for epoch in range(1, 13)))
    assert store.health(run_id, until=7) == store.health(run_id)[:7]
    assert store.health(run_id, last=2, until=7) == store.health(run_id)[5:7]
    assert store.health(run_id, until=0) == []


def test_an_epoch_without_health_has_none(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    record(store, run_id, epoch_end(0, n_layers=0), epoch_end(1), epoch_end(2, n_layers=0))
    assert [health.epoch for health in store.health(run_id)] == [1]
    assert store.health(store.create(config)) == []


def test_an_epoch_that_is_trained_again_replaces_the_former(
    store: Store, config: RunConfig
) -> None:
    run_id = store.create(config)
    again = epoch_end(7)._replace(epoch=1)
    record(store, run_id, epoch_end(1))
    record(store, run_id, again)
    assert store.health(run_id) == [EpochHealth(1, again.health)]


def test_the_largest_number_is_a_number(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    end = epoch_end(1)._replace(health=(LayerHealth(1.7976931348623157e308, 0.0, 2.0, 1.0, 1.0),))
    record(store, run_id, end)
    assert store.health(run_id)[0].layers == end.health


def test_it_goes_with_its_run(store: Store, config: RunConfig, query: Query) -> None:
    run_id = store.create(config)
    record(store, run_id, epoch_end(1))
    owner(store, run_id).end("finished")
    store.delete(run_id)
    assert query("SELECT count(*) FROM layer_health") == [(0,)]


# A store made before -----------------------------------------------------------------------------

VERSION_1 = """
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    config TEXT NOT NULL,               -- JSON, the fields of RunConfig
    status TEXT NOT NULL,
    message TEXT NOT NULL DEFAULT '',   -- why it failed or was interrupted
    created REAL NOT NULL,              -- all times: seconds since 1970
    queued REAL NOT NULL,
    started REAL,
    ended REAL,
    heartbeat REAL NOT NULL,
    trainer TEXT NOT NULL DEFAULT '',   -- which process may write: the one that claimed it last
    data_digest TEXT NOT NULL DEFAULT '',
    versions TEXT NOT NULL DEFAULT '{}',
    machine TEXT NOT NULL DEFAULT '{}',
    steps_per_epoch INTEGER NOT NULL DEFAULT 0,
    epoch INTEGER NOT NULL DEFAULT 0,
    step INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,    -- spent training and measuring, pauses left out
    samples_per_second REAL,
    learning_rate REAL,
    best_epoch INTEGER,
    best_validation_accuracy REAL,
    test_loss REAL,
    test_accuracy REAL
);
CREATE INDEX runs_by_time ON runs (created);
CREATE INDEX runs_by_status ON runs (status);

CREATE TABLE epochs (
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    epoch INTEGER NOT NULL,
    step INTEGER NOT NULL,
    seconds REAL NOT NULL,
    train_loss REAL NOT NULL,
    train_accuracy REAL NOT NULL,
    validation_loss REAL NOT NULL,
    validation_accuracy REAL NOT NULL,
    learning_rate REAL NOT NULL,
    PRIMARY KEY (run_id, epoch)
) WITHOUT ROWID;

CREATE TABLE step_blocks (              -- the loss of every single step, a stretch a row
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    first_step INTEGER NOT NULL,
    first_seconds REAL NOT NULL,
    last_seconds REAL NOT NULL,
    losses BLOB NOT NULL,               -- little-endian float32
    PRIMARY KEY (run_id, first_step)
) WITHOUT ROWID;

CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    step INTEGER NOT NULL,
    seconds REAL NOT NULL
);
CREATE INDEX events_by_run ON events (run_id);

CREATE TABLE commands (
    id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    value REAL,
    handled REAL
);
CREATE INDEX commands_by_run ON commands (run_id, handled);

CREATE TABLE snapshots (
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    name TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    step INTEGER NOT NULL,
    seconds REAL NOT NULL,
    written REAL NOT NULL,
    PRIMARY KEY (run_id, name)
) WITHOUT ROWID;
"""

# What version 2 added, literally.
VERSION_2 = """
CREATE TABLE layer_health (             -- of each epoch; those of version 1 have none
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    epoch INTEGER NOT NULL,
    layer INTEGER NOT NULL,             -- from 0, the output layer last
    gradient_norm REAL NOT NULL,
    weight_norm REAL NOT NULL,
    update_ratio REAL NOT NULL,
    dead REAL NOT NULL,
    saturated REAL NOT NULL,
    PRIMARY KEY (run_id, epoch, layer)
) WITHOUT ROWID;
"""

OLD_RUN = "20261120-080000-3fa9"


@pytest.fixture(params=[1, 2])
def old_version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def old_store(run_store: Path, old_version: int) -> Path:
    """Return a store as an old version of the schema left it, with a run of two epochs."""
    run_store.mkdir()
    config = json.dumps(
        {"dataset": "digits", "hidden": [8], "activation": "relu", "learning_rate": 0.3}
    )
    with closing(sqlite3.connect(run_store / FILE_NAME)) as connection, connection:
        connection.executescript(VERSION_1 if old_version == 1 else VERSION_1 + VERSION_2)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA application_id = 0x4E536370")
        connection.execute(f"PRAGMA user_version = {old_version}")
        connection.execute(
            "INSERT INTO runs (run_id, name, config, status, created, queued, heartbeat, epoch) "
            "VALUES (?, 'an old one', ?, 'finished', 1.0, 1.0, 1.0, 2)",
            (OLD_RUN, config),
        )
        for epoch in range(3):
            insert_as_version_1(connection, epoch)
    return run_store


def insert_as_version_1(connection: sqlite3.Connection, epoch: int) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO epochs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (OLD_RUN, epoch, 10 * epoch, 1.0, 0.9, 0.5, 1.1, 0.4, 0.3),
    )


def version(folder: Path) -> int:
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def tables(folder: Path) -> set[tuple[str, str]]:
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
        return set(connection.execute(query).fetchall())


def test_an_old_store_opens_with_all_that_is_in_it(old_store: Path) -> None:
    with Store(old_store) as store:
        run = store.run(OLD_RUN)
        assert (run.name, run.epoch, run.config.learning_rate) == ("an old one", 2, 0.3)
        assert store.epochs(OLD_RUN).train_loss.tolist() == [0.9] * 3
        assert store.health(OLD_RUN) == []
    assert version(old_store) == SCHEMA_VERSION > 2


def test_an_old_store_takes_what_is_new(old_store: Path, config: RunConfig) -> None:
    with Store(old_store) as store:
        run_id = store.create(config)
        record(store, run_id, epoch_end(1))
        record(store, OLD_RUN, epoch_end(3))  # the old run is resumed
        assert len(store.health(run_id)) == len(store.health(OLD_RUN)) == 1
    with Store(old_store) as store:  # and it opens again
        assert store.health(OLD_RUN) == [EpochHealth(3, epoch_end(3).health)]


def test_an_old_store_becomes_what_a_new_one_is(old_store: Path, tmp_path: Path) -> None:
    Store(old_store).close()
    Store(tmp_path / "new").close()
    assert tables(old_store) == tables(tmp_path / "new")


def test_runs_of_an_old_store_come_from_nowhere_and_can_be_put_in_order(old_store: Path) -> None:
    with Store(old_store) as store:
        run = store.run(OLD_RUN)
        assert (run.tags, run.notes, run.starred, run.archived) == ((), "", False, False)
        assert (run.parent_id, run.parent_epoch, run.parent_step) == (None, None, None)
        assert (run.race, run.origin, run.rewinds, run.is_fork) == ("", "", 0, False)
        store.set_tags(OLD_RUN, ["of before"])
        store.set_starred(OLD_RUN, True)
        store.trash([OLD_RUN])
        assert store.runs() == []
        store.restore([OLD_RUN])
        assert [(run.tags, run.starred) for run in store.runs()] == [(("of before",), True)]


def test_many_may_open_an_old_store_at_once(old_store: Path) -> None:
    barrier = threading.Barrier(6)
    failures: list[Exception] = []

    def open_it() -> None:
        barrier.wait()
        try:
            with Store(old_store) as store:
                assert store.health(OLD_RUN) == []
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert version(old_store) == SCHEMA_VERSION


# What the trainers of versions 1 and 2 write, literally.
OLD_STATEMENTS = (
    "UPDATE runs SET trainer = 'old', status = 'queued', heartbeat = 2.0, message = '' "
    "WHERE run_id = :run",
    "UPDATE runs SET status = 'running', started = coalesce(started, 2.0) WHERE run_id = :run",
    "UPDATE runs SET data_digest = 'd', versions = '{}', machine = '{}', steps_per_epoch = 10 "
    "WHERE run_id = :run",
    "UPDATE runs SET epoch = 3, step = 30, seconds = 3.0, samples_per_second = 9.0, "
    "learning_rate = 0.1 WHERE run_id = :run",
    "INSERT OR REPLACE INTO step_blocks VALUES (:run, 1, 0.0, 1.0, X'0000803F')",
    "INSERT OR REPLACE INTO epochs VALUES (:run, 3, 30, 3.0, 0.9, 0.5, 1.1, 0.4, 0.3)",
    "UPDATE runs SET best_epoch = 3, best_validation_accuracy = 0.4 WHERE run_id = :run "
    "AND coalesce(best_validation_accuracy, -1) < 0.4",
    "INSERT INTO events (run_id, at, kind, text, epoch, step, seconds) "
    "VALUES (:run, 2.0, 'started', 'started', 0, 0, 0.0)",
    "INSERT OR REPLACE INTO snapshots VALUES (:run, 'epoch-00003', 3, 30, 3.0, 2.0)",
    "UPDATE runs SET status = 'finished', message = '', ended = 9.0, samples_per_second = 9.0, "
    "test_loss = 0.5, test_accuracy = 0.6 WHERE run_id = :run",
)
OLD_HEALTH = "INSERT OR REPLACE INTO layer_health VALUES (:run, 3, 0, 1.0, 1.0, 0.1, 0.0, 0.0)"
OLD_RUN_OF_A_TERMINAL = (
    "INSERT OR IGNORE INTO runs (run_id, name, config, status, created, queued, heartbeat) "
    "VALUES ('20261120-090000-aaaa', 'newer', '{\"dataset\": \"digits\"}', 'queued', 5.0, 5.0, 5.0)"
)


def test_a_trainer_of_before_may_finish_its_work(old_store: Path, old_version: int) -> None:
    with closing(sqlite3.connect(old_store / FILE_NAME, isolation_level=None)) as trainer:
        with Store(old_store) as store:
            trainer.execute(OLD_RUN_OF_A_TERMINAL)
            for statement in (*OLD_STATEMENTS, *(OLD_HEALTH,) * (old_version - 1)):
                trainer.execute(statement, {"run": OLD_RUN})
            run = store.run(OLD_RUN)
            assert (run.status, run.epoch, run.test_accuracy) == ("finished", 3, 0.6)
            assert (run.best_epoch, run.best_validation_accuracy) == (3, 0.4)
            assert store.epochs(OLD_RUN).epoch.tolist() == [0, 1, 2, 3]
            assert store.steps(OLD_RUN).loss.tolist() == [1.0]
            assert [event.kind for event in store.events(OLD_RUN)] == ["started"]
            assert len(store.health(OLD_RUN)) == old_version - 1
            assert len(store.snapshot_rows(OLD_RUN)) == 1
            assert [run.name for run in store.runs()] == ["newer", "an old one"]


def test_columns_of_a_later_version_do_not_disturb_who_is_at_work(
    store: Store, config: RunConfig, query: Query
) -> None:
    run_id = store.create(config)
    query("ALTER TABLE runs ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'")
    Writer(store, run_id, "me").adopt()
    assert owner(store, run_id).claim_slot()
    record(store, run_id, epoch_end(1))
    assert (store.run(run_id).best_epoch, len(store.runs())) == (1, 1)


def test_a_change_that_fails_leaves_the_old_store_as_it_was(
    old_store: Path, old_version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tables(old_store)
    broken = (*database._VERSIONS[:2], database._VERSIONS[2] + ";\nCREATE TABLE runs (no TEXT);\n")
    with monkeypatch.context() as patch:
        patch.setattr(database, "_VERSIONS", broken)
        with pytest.raises(StoreError):
            Store(old_store)
    assert version(old_store) == old_version
    assert tables(old_store) == before
    with Store(old_store) as store:
        assert store.run(OLD_RUN)
