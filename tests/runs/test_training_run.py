"""`train` in a program of one's own: its records, its network, and the run in a store."""

from __future__ import annotations

import gc
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import neuralscope
from neuralscope.data import Dataset
from neuralscope.engine import Diverged, EpochEnd, Restored, StepEnd
from neuralscope.errors import ConfigError, StoreError
from neuralscope.runs import RunConfig, Store, list_snapshots, train
from neuralscope.runs import store as store_module
from neuralscope.runs import trainer as trainer_module
from neuralscope.runs.lineage import can_resume
from neuralscope.runs.writer import Writer


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let trainers look at their commands after every step."""
    monkeypatch.setattr(trainer_module, "POLL_EVERY", 0.0)


def test_the_network_is_at_hand_and_learns_in_place(config: RunConfig, digits: Dataset) -> None:
    training = train(config, digits)
    before = training.network.parameters.copy()
    next(training)
    assert not np.array_equal(training.network.parameters, before)
    assert training.run_id == ""


def test_run_trains_to_the_end_and_returns_the_network(config: RunConfig, digits: Dataset) -> None:
    network = train(config, digits).run()
    training = train(config, digits)
    *_, last = training
    assert np.array_equal(network.parameters, training.network.parameters)
    assert isinstance(last, EpochEnd)
    assert last.epoch == config.epochs
    right = network.predict(digits.x_validation / digits.pixel_max) == digits.y_validation
    assert right.mean() == pytest.approx(last.validation_accuracy, abs=0.01)


def test_run_goes_on_from_where_one_was(config: RunConfig, digits: Dataset) -> None:
    training = train(config, digits)
    next(training)
    network = training.run()
    assert np.array_equal(network.parameters, train(config, digits).run().parameters)
    assert list(training) == []


def test_divergence_is_the_last_record_and_an_error_of_run(digits: Dataset) -> None:
    wild = RunConfig("digits", (8,), learning_rate=10.0, l2=1.0, epochs=2)
    *_, last = train(wild, digits)
    assert isinstance(last, Diverged)
    with pytest.raises(ConfigError, match=r"learning_rate is 10.0, but must be smaller: .* epoch"):
        train(wild, digits).run()


# In a store


def test_a_run_in_a_store_yields_the_same_records(
    config: RunConfig, digits: Dataset, store: Store
) -> None:
    plain, kept = train(config, digits), train(config, digits, store=store, name="mine")
    assert list(plain) == list(kept)
    assert np.array_equal(plain.network.parameters, kept.network.parameters)
    run = store.run(kept.run_id)
    assert (run.name, run.status, run.epoch) == ("mine", "finished", config.epochs)
    assert run.test_accuracy is not None
    assert len(store.epochs(kept.run_id).epoch) == config.epochs + 1
    assert list_snapshots(store, kept.run_id)


def test_a_folder_is_enough_to_name_a_store(
    config: RunConfig, digits: Dataset, tmp_path: Path
) -> None:
    training = train(config, digits, store=tmp_path / "runs")
    training.run()
    with Store(tmp_path / "runs") as store:
        assert [run.run_id for run in store.runs()] == [training.run_id]


def test_the_dashboard_can_stop_it(config: RunConfig, digits: Dataset, store: Store) -> None:
    training = train(replace(config, epochs=100), digits, store=store)
    n_steps = 0
    for record in training:
        if isinstance(record, StepEnd):
            n_steps += 1
        if n_steps == 5:
            store.send(training.run_id, "stop")
    assert n_steps < 100
    assert store.run(training.run_id).status == "stopped"


def test_a_program_that_stops_at_the_last_record_leaves_a_finished_run(
    digits: Dataset, store: Store
) -> None:
    config = RunConfig("digits", (8,), epochs=40, learning_rate=0.5, patience=2)
    training = train(config, digits, store=store)
    for record in training:
        if isinstance(record, Restored):
            break
    training.close()
    run = store.run(training.run_id)
    assert (run.status, run.test_accuracy is not None) == ("finished", True)
    assert run.message.startswith("Stopped early")


@pytest.mark.parametrize("how", ["close", "forget"])
def test_a_program_that_asks_for_no_more_leaves_a_run_that_can_go_on(
    config: RunConfig, digits: Dataset, store: Store, how: str
) -> None:
    training = train(config, digits, store=store)
    run_id = training.run_id
    for _ in range(7):
        next(training)
    if how == "close":
        training.close()
    else:
        del training
        gc.collect()
    run = store.run(run_id)
    assert (run.status, run.step) == ("interrupted", 7)
    assert run.message == "The program that trained it asked for no more."
    assert can_resume(run) == ""
    assert list_snapshots(store, run_id)[-1].step == 7


def test_a_training_in_a_with_statement_gives_its_turn_back(
    config: RunConfig, digits: Dataset, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "usable_cores", lambda: 2)
    with train(config, digits, store=store) as first:
        next(first)
    assert store.run(first.run_id).status == "interrupted"
    assert train(config, digits, store=store).run() is not None


def test_a_training_that_waits_for_another_says_so(
    config: RunConfig, digits: Dataset, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "usable_cores", lambda: 2)
    with train(config, digits, store=store) as first:
        next(first)
        second = train(config, digits, store=store)
        soon = threading.Timer(0.3, store.send, (second.run_id, "stop"))
        soon.start()
        with pytest.warns(UserWarning, match="waits for its turn") as warned:
            second.run()
        soon.join()
    assert len(warned) == 1  # once, not at every look
    assert second.run_id in str(warned[0].message)
    assert f"Training now: {first.run_id}." in str(warned[0].message)
    assert store.run(second.run_id).status == "stopped"


def test_a_training_that_is_never_begun_keeps_nobody_waiting(
    config: RunConfig, digits: Dataset, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "usable_cores", lambda: 2)
    never = train(config, digits, store=store)
    train(config, digits, store=store).run()
    run = store.run(never.run_id)
    assert run.message == "It was queued, but no training process took it up."
    never.run()  # it may still be begun
    assert store.run(never.run_id).status == "finished"


def test_ctrl_c_within_a_step_interrupts_the_run(
    config: RunConfig, digits: Dataset, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = train(config, digits, store=store)
    next(training)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Writer, "take_commands", interrupt)
    with pytest.raises(KeyboardInterrupt):
        training.run()
    run = store.run(training.run_id)
    assert (run.status, run.message) == ("interrupted", "Interrupted by Ctrl-C.")


def test_a_run_that_fails_says_so(
    config: RunConfig, digits: Dataset, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("The disk is full.")

    training = train(config, digits, store=store)
    monkeypatch.setattr(Writer, "take_commands", fail)
    with pytest.raises(StoreError, match="The disk is full"):
        training.run()


def test_the_time_of_the_caller_is_not_that_of_the_training(
    config: RunConfig, digits: Dataset, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = train(replace(config, epochs=1), digits, store=store)
    clock, real = [0.0], trainer_module.time.perf_counter
    monkeypatch.setattr(trainer_module.time, "perf_counter", lambda: real() + clock[0])
    for _ in training:
        clock[0] += 100.0
    assert store.run(training.run_id).seconds < 50


def test_what_does_not_fit_leaves_no_run(digits: Dataset, store: Store) -> None:
    with pytest.raises(ConfigError, match="dataset is 'mnist'"):
        train(RunConfig(dataset="mnist"), digits, store=store)
    assert store.runs() == []


def test_the_package_offers_it_by_name() -> None:
    assert neuralscope.train is train
