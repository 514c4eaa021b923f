from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralscope.engine import EpochEnd
from neuralscope.errors import (
    ConfigError,
    RunNotFound,
    RunUnreadable,
    StoreError,
    StoreFull,
)
from neuralscope.runs import ACTIVE, RunConfig, Store, default_path
from neuralscope.runs import store as store_module
from neuralscope.runs.database import Database
from neuralscope.runs.records import (
    INTERRUPTED,
    PAUSED,
    QUEUED,
    RUNNING,
    Command,
    Event,
    Progress,
    StepBlock,
)
from neuralscope.runs.store import slots
from neuralscope.runs.writer import Disowned, Writer
from tests.writing import owner, take_commands

Query = Callable[..., list[Any]]

PROGRESS = Progress(epoch=3, step=30, seconds=1.5, samples_per_second=1000.0, learning_rate=0.1)


@pytest.fixture
def one_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "usable_cores", lambda: 2)


def finish(store: Store, run_id: str) -> None:
    owner(store, run_id).end("finished")


# Runs --------------------------------------------------------------------------------------------


def test_a_new_run_is_queued_and_knows_its_configuration(store: Store) -> None:
    config = RunConfig(dataset="digits", hidden=(8, 4), activation=("relu", "tanh"), l2=0.1)
    before = time.time()
    run = store.run(store.create(config, "first try"))
    assert run.config == config
    assert run.name == "first try"
    assert run.status == QUEUED
    assert run.is_active
    assert before <= run.created <= time.time()
    assert (run.epoch, run.step, run.seconds, run.total_steps) == (0, 0, 0.0, 0)
    unknown = (run.started, run.ended, run.best_epoch, run.test_accuracy, run.samples_per_second)
    assert unknown == (None,) * 5
    assert run.seconds_left is None


def test_a_run_without_a_name_is_described(store: Store) -> None:
    config = RunConfig(hidden=(128, 64), optimizer="adam", learning_rate=0.001)
    assert store.run(store.create(config)).name == "128-64 relu, adam 0.001, mnist"


@pytest.mark.parametrize("name", ["Zoë's 数字 💥", "'; DROP TABLE runs; --", "x" * 200, "\0"])
def test_any_text_is_a_name(store: Store, config: RunConfig, name: str) -> None:
    assert store.run(store.create(config, name)).name == name


def test_a_name_that_is_no_text_is_kept_as_far_as_it_is(store: Store, config: RunConfig) -> None:
    # What a terminal hands over that speaks another encoding.
    assert store.run(store.create(config, "caf\udce9")).name == "caf?"


def test_runs_are_listed_newest_first(store: Store, config: RunConfig) -> None:
    run_ids = [store.create(config) for _ in range(5)]
    assert [run.run_id for run in store.runs()] == run_ids[::-1]
    assert [run.run_id for run in store.active_runs()] == run_ids[::-1]
    finish(store, run_ids[2])
    assert len(store.runs()) == 5
    assert run_ids[2] not in [run.run_id for run in store.active_runs()]


def test_ids_are_unique_even_within_a_second(
    store: Store, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = iter(["00aa", "00aa", "00aa", "00bb"])
    monkeypatch.setattr(store_module.time, "time", lambda: 1_800_000_000.0)
    monkeypatch.setattr(store_module.secrets, "token_hex", lambda n: next(drawn))
    first, second = store.create(config), store.create(config)
    assert first.endswith("-00aa")
    assert second.endswith("-00bb")


RUBBISH_IDS = [
    *("", ".", "..", "../..", "/etc/passwd", "20261123-101502-3fa9/../..", "nonsense", "\0"),
    *("20261123-101502-3fa9\n", "20261123-101502-3FA9", "20261123-101502-", "%", "\udc80"),
    *("x" * 10_000, "' OR 1=1 --", "20261123-101502-3fa9", "C:\\", "neuralscope.sqlite3"),
]


@pytest.mark.parametrize("run_id", RUBBISH_IDS, ids=lambda run_id: ascii(run_id[:30]))
def test_an_unknown_run_is_told_in_a_sentence(store: Store, run_id: str) -> None:
    for ask in (store.run, store.delete, lambda run_id: store.send(run_id, "stop")):
        with pytest.raises(RunNotFound, match=r"^There is no run [^\n]+ in the store [^\n]+\.$"):
            ask(run_id)
    with contextlib.suppress(RunNotFound):
        assert store.folder(run_id).parent == store.path


@pytest.mark.parametrize("run_id", RUBBISH_IDS[:13], ids=lambda run_id: ascii(run_id[:30]))
def test_no_id_becomes_a_path_that_leads_elsewhere(store: Store, run_id: str) -> None:
    with pytest.raises(RunNotFound):
        store.folder(run_id)


def test_the_store_is_where_it_is_said_to_be(
    tmp_path: Path, run_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert default_path() == run_store
    with Store() as store:
        assert store.path == run_store
    with Store(str(tmp_path / "named")) as store:
        assert store.path == tmp_path / "named"
    for unset in (lambda: monkeypatch.setenv("NEURALSCOPE_STORE", ""), monkeypatch.undo):
        unset()
        monkeypatch.delenv("NEURALSCOPE_STORE", raising=False)
        assert default_path() == Path("runs")


# Deleting ----------------------------------------------------------------------------------------


def test_a_run_is_deleted_with_all_that_belongs_to_it(
    store: Store, config: RunConfig, query: Query
) -> None:
    kept, deleted = store.create(config), store.create(config)
    for run_id in (kept, deleted):
        block = StepBlock(1, 0.0, 1.0, np.ones(3, np.float32))
        end = EpochEnd(1, 3, 1.0, 0.5, 1.0, 0.5, 0.1)
        event = Event(time.time(), "started", "started", 0, 0, 0.0)
        owner(store, run_id).record(PROGRESS, [block], [(end, 1.0)], [event])
        store.send(run_id, "pause")
        owner(store, run_id).add_snapshot("latest", epoch=1, step=3, seconds=1.0)
        store.folder(run_id).mkdir(exist_ok=True)
        (store.folder(run_id) / "latest.npz").touch()
        finish(store, run_id)
    store.delete(deleted)
    assert [run.run_id for run in store.runs()] == [kept]
    for table in ("runs", "epochs", "step_blocks", "events", "commands", "snapshots"):
        assert query(f"SELECT run_id FROM {table}") == [(kept,)]
    assert not store.folder(deleted).exists()
    assert (store.folder(kept) / "latest.npz").exists()


def test_an_active_run_is_not_deleted(store: Store, config: RunConfig, query: Query) -> None:
    run_id = store.create(config)
    for status in ACTIVE:
        owner(store, run_id).set_status(status)
        with pytest.raises(StoreError, match=r"is still active; stop it first\.$"):
            store.delete(run_id)
    store.withdraw(run_id)
    store.delete(run_id)
    with pytest.raises(RunNotFound):
        store.delete(run_id)


def test_a_run_that_cannot_be_read_is_listed_and_deleted(
    store: Store, config: RunConfig, query: Query
) -> None:
    good, bad, nameless = (store.create(config) for _ in range(3))
    for run_id in (good, bad, nameless):
        finish(store, run_id)
    query("UPDATE runs SET seconds = 'long' WHERE run_id = ?", bad)
    query("UPDATE runs SET run_id = '../../outside' WHERE run_id = ?", nameless)
    found = store.unreadable()
    assert [run.run_id for run in found.runs] == ["row-3", bad]
    assert found.runs[1].reason == ("seconds is 'long', but must be a number from 0 to 1e+10")
    with pytest.raises(RunUnreadable, match=f"^Run '{bad}' has a row that cannot be read: sec"):
        store.run(bad)
    for no_such_row in ("row-1", "row-9"):  # the one has an id, the other is none
        with pytest.raises(RunNotFound):
            store.delete(no_such_row)
    for run in found.runs:
        store.delete(run.run_id)
    assert store.unreadable() == ((), 0)
    assert not store.folder(bad).exists()
    assert [run.run_id for run in store.runs()] == [good]


def test_where_the_disk_is_full_the_files_of_a_run_make_room_to_delete_it(
    store: Store, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = store.create(config)
    writing = Database.writing

    @contextlib.contextmanager
    def writing_with_room(self: Database) -> Iterator[sqlite3.Connection]:
        if store.folder(run_id).exists():
            raise StoreFull("The disk is full.")
        with writing(self) as db:
            yield db

    monkeypatch.setattr(Database, "writing", writing_with_room)
    with pytest.raises(StoreError, match="is still active"):
        store.delete(run_id)
    assert store.folder(run_id).exists()
    store.withdraw(run_id)
    store.delete(run_id)
    assert not store.folder(run_id).exists()
    assert store.runs() == []


@pytest.mark.parametrize("make", [os.mkfifo, Path.touch, lambda path: path.symlink_to("/")])
def test_whatever_stands_in_the_place_of_a_runs_folder_goes_with_it(
    store: Store, config: RunConfig, make: Callable[[Path], None]
) -> None:
    run_id = store.create(config)
    finish(store, run_id)
    shutil.rmtree(store.folder(run_id))
    make(store.folder(run_id))
    store.delete(run_id)
    assert not os.path.lexists(store.folder(run_id))


def test_rows_that_cannot_be_read_are_left_out_and_counted(
    store: Store, config: RunConfig, query: Query
) -> None:
    run_id = store.create(config)
    ends = [EpochEnd(epoch, 2 * epoch, 1.0, 0.5, 1.0, 0.5, 0.1) for epoch in range(4)]
    blocks = [StepBlock(first, 0.0, 1.0, np.ones(2, np.float32)) for first in (1, 3, 5)]
    owner(store, run_id).record(PROGRESS, blocks, [(end, 1.0) for end in ends])
    assert store.count_unreadable_rows(run_id) == 0
    query("UPDATE epochs SET validation_accuracy = 1.5 WHERE epoch = 2")
    query("UPDATE step_blocks SET losses = x'00' WHERE first_step = 3")
    assert store.epochs(run_id).epoch.tolist() == [0, 1, 3]
    assert store.steps(run_id).step.tolist() == [1, 2, 5, 6]
    assert store.count_unreadable_rows(run_id) == 2


# Curves ------------------------------------------------------------------------------------------


def test_a_run_without_measurements_has_empty_curves(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    for curve in (store.epochs(run_id), store.steps(run_id)):
        assert {len(column) for column in curve} == {0}
    assert store.epochs(run_id).epoch.dtype == store.steps(run_id).step.dtype == np.int64
    assert store.steps(run_id).loss.dtype == np.float32
    assert store.events(run_id) == []


def test_epochs_come_back_in_order_and_to_the_bit(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    rng = np.random.default_rng(0)
    ends = [EpochEnd(epoch, 10 * epoch, *rng.random(5)) for epoch in range(30)]
    seconds = np.arange(30) / 7
    measured = list(zip(ends, seconds, strict=True))
    owner(store, run_id).record(PROGRESS, epochs=measured[:1])
    owner(store, run_id).record(PROGRESS, epochs=measured[1:])
    epochs = store.epochs(run_id)
    np.testing.assert_array_equal(epochs.epoch, np.arange(30))
    np.testing.assert_array_equal(epochs.step, 10 * np.arange(30))
    np.testing.assert_array_equal(epochs.seconds, seconds)
    for name in epochs._fields[3:]:
        np.testing.assert_array_equal(getattr(epochs, name), [getattr(e, name) for e in ends])


def test_steps_come_back_from_many_blocks_to_the_bit(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    losses = np.random.default_rng(0).random(5_000).astype(np.float32)
    cuts = [0, 1, 3, 10, 100, 2_000, 4_999, 5_000]
    blocks = [
        StepBlock(first + 1, first / 100, last / 100, losses[first:last])
        for first, last in itertools.pairwise(cuts)
    ]
    owner(store, run_id).record(PROGRESS, blocks[:3])
    for block in blocks[3:]:
        owner(store, run_id).record(PROGRESS, [block])
    steps = store.steps(run_id)
    np.testing.assert_array_equal(steps.step, np.arange(1, 5_001))
    np.testing.assert_array_equal(steps.loss, losses)
    assert (np.diff(steps.seconds) >= 0).all()
    assert steps.seconds[[0, -1]].tolist() == [0.0, 49.99]
    later = store.steps(run_id, after=100)  # whoever knows the first hundred reads the rest
    np.testing.assert_array_equal(later.step, steps.step[100:])
    np.testing.assert_array_equal(later.loss, steps.loss[100:])
    np.testing.assert_array_equal(later.seconds, steps.seconds[100:])
    assert len(store.steps(run_id, after=5_000).step) == 0


def test_progress_and_the_best_epoch_are_kept(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    owner(store, run_id).set_facts(
        data_digest="abc",
        versions={"numpy": "2"},
        machine={"cores": 2, "threads": {}},
        steps_per_epoch=10,
    )
    accuracies = [0.9, 0.1, 0.5, 0.5, 0.4]  # the untrained network is no candidate
    ends = [EpochEnd(i, 10 * i, 1.0, 0.5, 1.0, a, 0.1) for i, a in enumerate(accuracies)]
    owner(store, run_id).record(PROGRESS, epochs=[(end, 1.0) for end in ends])
    run = store.run(run_id)
    assert (run.epoch, run.step, run.seconds) == (3, 30, 1.5)
    assert (run.samples_per_second, run.learning_rate) == (1000.0, 0.1)
    assert (run.best_epoch, run.best_validation_accuracy) == (2, 0.5)
    assert (run.data_digest, run.versions, run.machine["cores"]) == ("abc", {"numpy": "2"}, 2)
    assert run.total_steps == 10 * run.config.epochs == 20


def test_the_time_left_follows_the_average_pace(store: Store) -> None:
    run_id = store.create(RunConfig(dataset="digits", epochs=10))
    owner(store, run_id).set_facts(data_digest="", versions={}, machine={}, steps_per_epoch=10)
    assert store.run(run_id).seconds_left is None
    owner(store, run_id).record(Progress(2, 25, 5.0, None, 0.1))
    assert store.run(run_id).seconds_left == 15.0
    owner(store, run_id).record(Progress(10, 100, 20.0, None, 0.1))
    assert store.run(run_id).seconds_left == 0.0


def test_the_end_of_a_run_is_kept(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    owner(store, run_id).end(
        "stopped", "why", samples_per_second=5.0, test_loss=0.5, test_accuracy=0.75
    )
    run = store.run(run_id)
    assert (run.status, run.message, run.is_active) == ("stopped", "why", False)
    assert (run.samples_per_second, run.test_loss, run.test_accuracy) == (5.0, 0.5, 0.75)
    assert run.ended is not None
    assert run.ended >= run.created


# Events and commands -----------------------------------------------------------------------------


def test_events_come_back_in_order(store: Store, config: RunConfig) -> None:
    run_id, other = store.create(config), store.create(config)
    events = [
        Event(time.time(), "started", "started", 0, 0, 0.0),
        Event(time.time(), "learning_rate", "learning rate 0.2 → 0.1", 3, 31, 1.25),
        Event(time.time(), "paused", "paused", 3, 31, 1.25),
    ]
    owner(store, run_id).record(None, events=events[:1])
    owner(store, other).record(None, events=events[:1])
    owner(store, run_id).record(PROGRESS, events=events[1:])
    assert store.events(run_id) == events
    assert store.events(other) == events[:1]


def test_commands_are_taken_once_and_in_order(store: Store, config: RunConfig) -> None:
    run_id, other = store.create(config), store.create(config)
    assert not owner(store, run_id).has_commands()
    assert take_commands(store, run_id) == []
    store.send(run_id, "pause")
    store.send(other, "stop")
    store.send(run_id, "learning_rate", 0.05)
    store.send(run_id, "resume")
    assert owner(store, run_id).has_commands()
    assert take_commands(store, run_id) == [
        Command("pause", None),
        Command("learning_rate", 0.05),
        Command("resume", None),
    ]
    assert not owner(store, run_id).has_commands()
    assert take_commands(store, run_id) == []
    assert take_commands(store, other) == [Command("stop", None)]


@pytest.mark.parametrize("value", [None, 0, -1, 11, float("nan"), "0.1", True])
def test_a_learning_rate_out_of_range_is_not_sent(
    store: Store, config: RunConfig, value: Any
) -> None:
    run_id = store.create(config)
    with pytest.raises(ConfigError, match=r"^learning_rate is .*, but must be a number from"):
        store.send(run_id, "learning_rate", value)
    assert not owner(store, run_id).has_commands()


def test_an_unknown_command_is_not_sent(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    with pytest.raises(ConfigError, match=r"^command is 'explode', but must be pause, resume"):
        store.send(run_id, "explode")
    assert not owner(store, run_id).has_commands()


def test_a_run_that_has_ended_takes_no_commands(
    store: Store, config: RunConfig, query: Query
) -> None:
    ended, dead = store.create(config), store.create(config)
    finish(store, ended)
    store.withdraw(dead)
    with pytest.raises(StoreError, match=r"is finished; it takes no commands any more\.$"):
        store.send(ended, "pause")
    with pytest.raises(StoreError, match=r"is interrupted; it takes no commands any more\.$"):
        store.send(dead, "pause")


def test_commands_that_a_dead_trainer_left_are_void(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    store.send(run_id, "pause")  # while the first trainer is starting: meant for it
    Writer(store, run_id, "first").adopt()
    assert take_commands(store, run_id) == [Command("pause", None)]
    store.send(run_id, "stop")  # nobody lived to take it
    Writer(store, run_id, "second").adopt()
    assert take_commands(store, run_id) == []


# Life and death ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ACTIVE)
def test_a_run_that_nobody_holds_is_interrupted(
    store: Store, config: RunConfig, status: str
) -> None:
    run_id = store.create(config)
    Writer(store, run_id, "trainer").adopt()
    owner(store, run_id).set_status(status)
    assert store.run(run_id).status == status
    store.withdraw(run_id)
    run = store.run(run_id)
    assert (run.status, run.message) == (INTERRUPTED, "Its training process ended unexpectedly.")
    assert store.runs() == [run]
    assert store.active_runs() == []


def test_a_queued_run_that_no_trainer_took_says_so(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    store.withdraw(run_id)
    run = store.run(run_id)
    assert run.status == INTERRUPTED
    assert run.message == "It was queued, but no training process took it up."


def test_a_run_that_has_ended_needs_nobody_to_hold_it(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    owner(store, run_id).end("failed", "no data")
    assert not store.is_held(run_id)
    assert (store.run(run_id).status, store.run(run_id).message) == ("failed", "no data")


@pytest.mark.parametrize("hours", [-1.0, 24.0 * 365.0], ids=["back", "forward"])
def test_a_clock_that_is_set_changes_nothing(
    store: Store, config: RunConfig, monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    alive, dead = store.create(config), store.create(config)
    store.withdraw(dead)
    true_time = time.time
    monkeypatch.setattr(time, "time", lambda: true_time() + hours * 3600.0)
    assert store.run(alive).status == QUEUED
    assert store.place_in_queue(alive) == 1
    assert store.run(dead).status == INTERRUPTED
    store.delete(dead)
    with pytest.raises(StoreError, match="still active"):
        store.delete(alive)


def test_a_run_belongs_to_the_trainer_that_took_it_last(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    assert not Writer(store, run_id, "first").is_mine()
    Writer(store, run_id, "first").adopt()
    assert Writer(store, run_id, "first").is_mine()
    Writer(store, run_id, "second").adopt()
    assert Writer(store, run_id, "second").is_mine()
    assert not Writer(store, run_id, "first").is_mine()
    with pytest.raises(Disowned):
        Writer(store, run_id, "first").set_status(RUNNING)
    assert store.run(run_id).status == QUEUED
    Writer(store, run_id, "second").set_status(RUNNING)
    assert store.run(run_id).status == RUNNING
    finish(store, run_id)
    store.delete(run_id)
    assert not Writer(store, run_id, "second").is_mine()


# The queue ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cores", "n"), [(1, 1), (2, 1), (3, 1), (4, 2), (16, 8)])
def test_one_run_may_train_for_each_two_cores(
    store: Store, config: RunConfig, monkeypatch: pytest.MonkeyPatch, cores: int, n: int
) -> None:
    monkeypatch.setattr(store_module, "usable_cores", lambda: cores)
    assert slots() == n
    run_ids = [store.create(config) for _ in range(n + 2)]
    assert [owner(store, run_id).claim_slot() for run_id in run_ids] == [True] * n + [False] * 2
    assert [store.place_in_queue(run_id) for run_id in run_ids] == [0] * n + [1, 2]


@pytest.mark.usefixtures("one_slot")
def test_nobody_overtakes(store: Store, config: RunConfig) -> None:
    first, second, third = (store.create(config) for _ in range(3))
    assert not owner(store, second).claim_slot()
    assert not owner(store, third).claim_slot()
    assert owner(store, first).claim_slot()
    assert [store.place_in_queue(run_id) for run_id in (first, second, third)] == [0, 1, 2]
    finish(store, first)
    assert not owner(store, third).claim_slot()
    assert owner(store, second).claim_slot()
    assert store.run(second).status == RUNNING
    assert store.run(second).started is not None
    assert store.place_in_queue(third) == 1


@pytest.mark.usefixtures("one_slot")
def test_a_pause_frees_the_place_and_whoever_goes_on_queues_again(
    store: Store, config: RunConfig
) -> None:
    first, second, third = (store.create(config) for _ in range(3))
    assert owner(store, first).claim_slot()
    started = store.run(first).started
    owner(store, first).set_status(PAUSED)
    assert owner(store, second).claim_slot()
    owner(store, first).enqueue()
    assert [store.place_in_queue(run_id) for run_id in (first, second, third)] == [2, 0, 1]
    finish(store, second)
    assert not owner(store, first).claim_slot()
    assert owner(store, third).claim_slot()
    finish(store, third)
    assert owner(store, first).claim_slot()
    assert store.run(first).started == started


@pytest.mark.usefixtures("one_slot")
def test_the_dead_block_nobody(store: Store, config: RunConfig, query: Query) -> None:
    running, waiting, last = (store.create(config) for _ in range(3))
    assert owner(store, running).claim_slot()
    store.withdraw(running)
    store.withdraw(waiting)
    assert store.place_in_queue(last) == 1
    assert owner(store, last).claim_slot()


def test_an_unknown_run_has_no_place_in_the_queue(store: Store) -> None:
    assert store.place_in_queue("20261123-101502-3fa9") == 0


# Rows that cannot be understood ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("config", text) for text in ("", "{", "null", "5", '"x"', "[]", "[1]", '["seed"]')),
        ("config", '{"dataset": "of the future"}'),
        ("config", '{"field_of_the_future": 1}'),
        ("config", '{"epochs": NaN}'),
        ("config", b"\xff\xfe"),
        ("config", '{"seed": ' + "9" * 5000 + "}"),
        ("versions", "{"),
        ("machine", "{"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_a_damaged_row_does_not_hide_the_others(
    store: Store, config: RunConfig, query: Query, column: str, value: object
) -> None:
    first, damaged, last = (store.create(config) for _ in range(3))
    query(f"UPDATE runs SET {column} = ? WHERE run_id = ?", value, damaged)
    assert [run.run_id for run in store.runs()] == [last, first]
    assert [run.run_id for run in store.active_runs()] == [last, first]
    with pytest.raises(StoreError, match=rf"^Run '{damaged}' has a row that cannot be read: "):
        store.run(damaged)
    assert store.place_in_queue(last) == 2
    assert owner(store, first).claim_slot()


def test_a_damaged_name_is_shown_as_far_as_it_goes(
    store: Store, config: RunConfig, query: Query
) -> None:
    run_id = store.create(config)
    query("UPDATE runs SET name = CAST(x'6162ff' AS TEXT)")
    assert store.run(run_id).name == "ab\ufffd"


def test_a_row_of_the_past_takes_new_fields_by_default(
    store: Store, config: RunConfig, query: Query
) -> None:
    run_id = store.create(config)
    query("UPDATE runs SET config = ?", json.dumps({"dataset": "digits", "epochs": 7}))
    assert store.run(run_id).config == RunConfig(dataset="digits", epochs=7)


def test_a_store_that_is_removed_under_way_does_not_come_back_wrong(
    store: Store, config: RunConfig
) -> None:
    run_id = store.create(config)
    finish(store, run_id)
    shutil.rmtree(store.path)
    with Store(store.path) as fresh:
        assert fresh.runs() == []
        with pytest.raises(RunNotFound):
            fresh.run(run_id)
