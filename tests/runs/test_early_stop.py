"""A run with patience: when it ends, what it says, and which weights it leaves."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from neuralscope.data import Dataset
from neuralscope.engine import EpochEnd, Record, Restored, Training, score
from neuralscope.runs import (
    FINISHED,
    LATEST,
    Run,
    RunConfig,
    Store,
    examples,
    list_snapshots,
    load_snapshot,
    new_network,
    prepare,
    train,
)
from neuralscope.runs.snapshots import SnapshotKeeper, load_state
from neuralscope.runs.trainer import Trainer
from tests.writing import owner

PATIENT = RunConfig("digits", (8,), learning_rate=0.5, epochs=60, patience=2)


@pytest.fixture(scope="module")
def expected(digits: Dataset) -> list[Record]:
    """What the generator tells of such a run."""
    records = list(train(PATIENT, digits))
    assert isinstance(records[-1], Restored) and records[-1].is_early
    return records


@pytest.fixture
def run(store: Store) -> Run:
    return Trainer(store, store.create(PATIENT)).run()


def the_end(records: list[Record]) -> Restored:
    end = records[-1]
    assert isinstance(end, Restored)
    return end


def test_it_ends_as_finished_and_says_why(run: Run, store: Store, expected: list[Record]) -> None:
    end = the_end(expected)
    assert run.status == FINISHED
    assert (run.epoch, run.best_epoch) == (end.epoch, end.best_epoch)
    assert run.best_validation_accuracy == end.best_accuracy
    assert end.epoch - end.best_epoch == PATIENT.patience
    assert run.message == (
        f"Stopped early after epoch {end.epoch}: validation accuracy has not risen for 2 epochs; "
        f"the weights of epoch {end.best_epoch} are restored."
    )
    events = store.events(run.run_id)
    assert [event.kind for event in events] == ["started", "restored", "finished"]
    assert events[1].text == f"stopped early, epoch {end.best_epoch} restored"
    assert events[2].text == run.message
    assert {(event.epoch, event.step) for event in events[1:]} == {(end.epoch, end.step)}


def test_the_last_snapshot_holds_the_weights_of_the_best_epoch(
    run: Run, store: Store, digits: Dataset, expected: list[Record]
) -> None:
    end = the_end(expected)
    infos = {info.name: info for info in list_snapshots(store, run.run_id)}
    last = list_snapshots(store, run.run_id)[-1]
    assert (last.name, last.epoch, last.step) == (LATEST, end.epoch, end.step)
    best = load_snapshot(store, run.run_id, infos[f"epoch-{end.best_epoch:05d}"])
    restored = load_snapshot(store, run.run_id, last)
    np.testing.assert_array_equal(restored.parameters, best.parameters)
    np.testing.assert_array_equal(restored.validation_predictions, best.validation_predictions)
    # What the last epoch came to is still there, under its own name.
    given_up = load_snapshot(store, run.run_id, infos[f"epoch-{end.epoch:05d}"])
    assert not np.array_equal(given_up.parameters, best.parameters)


def test_the_weights_of_the_best_epoch_are_tested(
    run: Run, digits: Dataset, expected: list[Record]
) -> None:
    network = new_network(PATIENT, 64, 10)
    list(train(PATIENT, digits, network=network))
    validation, _ = score(network, examples(digits, "validation"))
    test, _ = score(network, examples(digits, "test"))
    assert validation.accuracy == the_end(expected).best_accuracy == run.best_validation_accuracy
    assert (run.test_loss, run.test_accuracy) == test


def test_all_epochs_trained_is_not_early_but_the_best_comes_back_all_the_same(
    store: Store, expected: list[Record]
) -> None:
    end = the_end(expected)
    shorter = dataclasses.replace(PATIENT, epochs=end.best_epoch + 1)
    run = Trainer(store, store.create(shorter)).run()
    assert (run.status, run.epoch) == (FINISHED, end.best_epoch + 1)
    assert run.message == (
        f"The weights of epoch {end.best_epoch}, the best on validation, are restored."
    )
    assert store.events(run.run_id)[1].text == f"epoch {end.best_epoch} restored"


def test_where_the_last_epoch_is_the_best_there_is_nothing_to_restore(
    store: Store, expected: list[Record]
) -> None:
    best = the_end(expected).best_epoch
    shorter = dataclasses.replace(PATIENT, epochs=best)
    run = Trainer(store, store.create(shorter)).run()
    assert (run.status, run.message, run.epoch) == (FINISHED, "", best)
    assert [event.kind for event in store.events(run.run_id)] == ["started", "finished"]
    assert list_snapshots(store, run.run_id)[-1].name == f"epoch-{best:05d}"


def test_one_epoch_of_patience_is_said_in_the_singular(store: Store) -> None:
    run = Trainer(store, store.create(dataclasses.replace(PATIENT, patience=1))).run()
    assert re.fullmatch(
        r"Stopped early after epoch \d+: validation accuracy has not risen for 1 epoch; "
        r"the weights of epoch \d+ are restored\.",
        run.message,
    )


# Stopping and going on ---------------------------------------------------------------------------


EVERYTHING = dataclasses.replace(
    PATIENT,
    optimizer="adam",
    learning_rate=0.02,
    schedule="cosine",
    epochs=12,
    l2=1e-4,
    l1=1e-5,
    dropout=0.1,
    max_norm=2.0,
    clip_norm=0.5,
    label_smoothing=0.1,
    augmentation="elastic",
)


def bits(training: Training) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in training.state().items()}


def test_killed_at_any_point_it_goes_on_to_the_same_bits_with_everything_switched_on(
    store: Store, digits: Dataset
) -> None:
    run_id = store.create(EVERYTHING)
    keeper = SnapshotKeeper(store, owner(store, run_id), digits.n_classes)
    through = prepare(EVERYTHING, digits)
    records = list(through.records())
    assert isinstance(records[-1], Restored)
    ends = [i for i, record in enumerate(records) if isinstance(record, EpochEnd)]
    # Within an epoch, right at its end, and once all is over.
    for place in (3, ends[0], ends[-1] - 20, ends[-1], len(records) - 1):
        stopped = prepare(EVERYTHING, digits)
        for i, _ in enumerate(stopped.records()):
            if i == place:
                break
        keeper.keep_latest(stopped, 0.0)
        # Another seed: all randomness comes from the snapshot.
        resumed = prepare(dataclasses.replace(EVERYTHING, seed=9), digits)
        resumed.restore(load_state(store, run_id, LATEST))
        *_, last = resumed.records()
        assert last == records[-1]
        assert bits(resumed) == bits(through)


def test_a_snapshot_of_before_there_was_patience_can_be_gone_on_from(
    store: Store, digits: Dataset
) -> None:
    run_id = store.create(PATIENT)
    plain = prepare(dataclasses.replace(PATIENT, patience=0), digits)
    for record in plain.records():
        if isinstance(record, EpochEnd):
            break
    SnapshotKeeper(store, owner(store, run_id), digits.n_classes).keep_latest(plain, 0.0)
    state = load_state(store, run_id, LATEST)
    assert "best_parameters" not in state
    patient = prepare(PATIENT, digits)
    patient.restore(state)
    *_, last = patient.records()
    assert isinstance(last, Restored)
