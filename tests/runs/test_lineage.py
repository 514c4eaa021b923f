"""Branching off a run, and training one again: what is taken over, and what is said of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from neuralscope.data import Dataset
from neuralscope.engine import Record
from neuralscope.engine.weights import write
from neuralscope.errors import ConfigError, DataError, RunNotFound, StoreError, WeightsError
from neuralscope.runs import (
    LATEST,
    Run,
    RunConfig,
    SnapshotInfo,
    Store,
    lineage,
    list_snapshots,
    trainer,
)
from neuralscope.runs.cores import Cores, recorded
from neuralscope.runs.names import describe
from neuralscope.runs.partner import can_have_partner
from neuralscope.runs.snapshots import load_state
from neuralscope.runs.trainer import Trainer
from tests.runs.conftest import EXTRAS
from tests.writing import owner

ONE_SENTENCE = r"^[^\n]+[.]$"

PLAIN = RunConfig("digits", (12,), epochs=3, batch_size=32, seed=7)
SLOWER = replace(PLAIN, optimizer="momentum", learning_rate=0.01)
MOMENTUM = replace(PLAIN, optimizer="momentum", dropout=0.3)
EVERYTHING = replace(PLAIN, patience=50, **EXTRAS)
N_BATCHES = 40  # of the digits, at 32 a batch


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let trainers look at their commands after every step."""
    monkeypatch.setattr(trainer, "POLL_EVERY", 0.0)


Train = Callable[..., Run]


@pytest.fixture
def train(store: Store, digits: Dataset) -> Train:
    """Train a configuration, or a run that is queued, perhaps with orders at some steps."""

    def run(what: RunConfig | str, **orders: tuple[Any, ...]) -> Run:
        run_id = what if isinstance(what, str) else store.create(what)

        def look(record: Record) -> None:
            order = orders.get(f"at_{record.step}")
            if order and type(record).__name__ == "StepEnd":
                store.send(run_id, *order)

        return Trainer(store, run_id, dataset=digits, on_record=look).run()

    return run


def snapshot(store: Store, run_id: str, epoch: int | None = None) -> SnapshotInfo:
    """Return the snapshot of an epoch; the newest if none is named."""
    infos = list_snapshots(store, run_id)
    return infos[-1] if epoch is None else next(info for info in infos if info.epoch == epoch)


def state_of(store: Store, run_id: str, name: str | None = None) -> dict[str, bytes]:
    name = name or list_snapshots(store, run_id)[-1].name
    return {key: value.tobytes() for key, value in load_state(store, run_id, name).items()}


def curves_after(store: Store, run_id: str, epoch: int, step: int) -> Any:
    """Return what came out after a moment, but for the times it took."""
    epochs, steps = store.epochs(run_id), store.steps(run_id)
    later = epochs.epoch > epoch
    return (
        [column[later].tobytes() for column in epochs._replace(seconds=epochs.epoch)],
        steps.step[steps.step > step].tobytes(),
        steps.loss[steps.step > step].tobytes(),
        [each for each in store.health(run_id) if each.epoch > epoch],
    )


# Forking: what is taken over ---------------------------------------------------------------------


@pytest.mark.parametrize("config", [PLAIN, MOMENTUM, EVERYTHING], ids=["plain", "mom", "all"])
@pytest.mark.parametrize("stop", [None, N_BATCHES + 11], ids=["at an epoch", "within an epoch"])
def test_a_fork_with_more_epochs_goes_on_to_the_bits_of_its_parent_resumed(
    store: Store, train: Train, config: RunConfig, stop: int | None
) -> None:
    parent = train(config, **{f"at_{stop}": ("stop",)})
    info = snapshot(store, parent.run_id)
    assert info.step == (stop or 3 * N_BATCHES)
    longer = replace(config, epochs=5)
    child = train(lineage.fork(store, parent.run_id, info, longer))
    lineage.resume(store, parent.run_id, epochs=5)
    resumed = train(parent.run_id)
    assert (child.status, child.epoch, child.step) == ("finished", 5, 5 * N_BATCHES)
    assert state_of(store, child.run_id) == state_of(store, resumed.run_id)
    after = (info.epoch, info.step)
    assert curves_after(store, child.run_id, *after) == curves_after(store, resumed.run_id, *after)
    assert (child.test_loss, child.test_accuracy) == (resumed.test_loss, resumed.test_accuracy)


def test_a_fork_knows_where_it_comes_from(store: Store, train: Train) -> None:
    parent = train(PLAIN)
    child_id = lineage.fork(store, parent.run_id, snapshot(store, parent.run_id, 2), PLAIN)
    child = store.run(child_id)
    assert (child.status, child.is_fork) == ("queued", True)
    assert (child.parent_id, child.parent_epoch, child.parent_step) == (parent.run_id, 2, 80)
    assert child.name == f"{parent.name}, forked at epoch 2"
    child = train(child_id)
    assert [event.text for event in store.events(child_id)] == ["forked at epoch 2", "finished"]
    assert store.steps(child_id).step.tolist() == list(range(81, 121))
    named = lineage.fork(store, parent.run_id, snapshot(store, parent.run_id, 2), PLAIN, "mine")
    assert store.run(named).name == "mine"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", f"{describe(SLOWER)}, forked at epoch 2"),
        ("mine", "mine, forked at epoch 2, momentum, rate 0.01"),
        (f"{describe(PLAIN)}, again", f"{describe(SLOWER)}, again, forked at epoch 2"),
    ],
)
def test_a_name_that_was_made_from_settings_is_made_from_those_of_the_fork(
    store: Store, train: Train, name: str, expected: str
) -> None:
    parent = train(store.create(PLAIN, name))
    child = lineage.fork(store, parent.run_id, snapshot(store, parent.run_id, 2), SLOWER)
    assert store.run(child).name == expected


def test_the_end_of_a_run_whose_best_epoch_was_restored_is_an_epoch_in_words(
    store: Store, train: Train
) -> None:
    parent = train(replace(PLAIN, patience=50), at_81=("learning_rate", 3.0))
    info = snapshot(store, parent.run_id)
    assert (info.name, info.epoch) == (LATEST, 3)
    child_id = lineage.fork(store, parent.run_id, info, replace(parent.config, epochs=4))
    # The learning rate that was set on the way is what the fork begins with.
    assert store.run(child_id).name == f"{describe(store.run(child_id).config)}, forked at epoch 3"
    train(child_id)
    assert store.events(child_id)[0].text == "forked at epoch 3"


def test_a_fork_outlives_its_parent(store: Store, train: Train) -> None:
    parent = train(MOMENTUM)
    fork = (parent.run_id, snapshot(store, parent.run_id, 1), replace(MOMENTUM, dropout=0.1))
    one, two = lineage.fork(store, *fork), lineage.fork(store, *fork)
    train(one)
    store.purge([parent.run_id])
    assert not store.folder(parent.run_id).exists()
    assert train(two).status == "finished"
    assert state_of(store, two) == state_of(store, one)
    assert store.run(two).parent_id == parent.run_id


def test_a_fork_that_is_stopped_goes_on_to_the_same_bits(store: Store, train: Train) -> None:
    parent = train(EVERYTHING)
    fork = (parent.run_id, snapshot(store, parent.run_id, 1), replace(EVERYTHING, dropout=0.5))
    through, halted = lineage.fork(store, *fork), lineage.fork(store, *fork)
    train(through)
    assert train(halted, at_57=("stop",)).step == 57
    lineage.resume(store, halted)
    train(halted)
    assert state_of(store, halted) == state_of(store, through)
    assert curves_after(store, halted, 1, 40) == curves_after(store, through, 1, 40)


def test_a_fork_of_a_fork(store: Store, train: Train) -> None:
    first = train(PLAIN)
    second = train(
        lineage.fork(store, first.run_id, snapshot(store, first.run_id, 1), replace(PLAIN, l2=0.1))
    )
    third = train(
        lineage.fork(store, second.run_id, snapshot(store, second.run_id, 2), second.config)
    )
    assert third.parent_id == second.run_id
    assert state_of(store, third.run_id) == state_of(store, second.run_id)


def test_a_fork_goes_on_with_the_learning_rate_that_its_parent_had(
    store: Store, train: Train
) -> None:
    parent = train(PLAIN, at_50=("learning_rate", 0.05))
    info = snapshot(store, parent.run_id, 2)
    assert train(lineage.fork(store, parent.run_id, info, PLAIN)).learning_rate == 0.05
    faster = replace(PLAIN, learning_rate=0.3)
    assert train(lineage.fork(store, parent.run_id, info, faster)).learning_rate == 0.3


# Forking: what is changed ------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_another_optimizer_begins_without_memory(
    store: Store, train: Train, optimizer: str
) -> None:
    parent = train(MOMENTUM)
    config = replace(MOMENTUM, optimizer=optimizer, learning_rate=0.002)
    child = lineage.fork(store, parent.run_id, snapshot(store, parent.run_id, 2), config)
    before = load_state(store, parent.run_id, "epoch-00002")
    after = load_state(store, child, "epoch-00002")
    np.testing.assert_array_equal(after["parameters"], before["parameters"])
    memory = [after[name] for name in after if name.startswith("optimizer_")]
    assert len(memory) == (0 if optimizer == "sgd" else 2)
    assert not np.any(memory)
    assert json.loads(str(after["position"]))["optimizer_steps"] == 0
    assert train(child).status == "finished"
    assert store.epochs(child).learning_rate.tolist() == [0.002]


def test_another_batch_size_may_begin_with_an_epoch(store: Store, train: Train) -> None:
    parent = train(PLAIN)
    child = train(
        lineage.fork(
            store, parent.run_id, snapshot(store, parent.run_id, 1), replace(PLAIN, batch_size=64)
        )
    )
    assert (child.status, child.epoch, child.step) == ("finished", 3, 60)
    assert store.steps(child.run_id).step.tolist() == list(range(21, 61))
    assert store.epochs(child.run_id).step.tolist() == [40, 60]


def test_another_batch_size_cannot_begin_within_an_epoch(store: Store, train: Train) -> None:
    parent = train(PLAIN, at_50=("stop",))
    info, config = snapshot(store, parent.run_id), replace(PLAIN, batch_size=64)
    with pytest.raises(ConfigError, match=r"fork at the end of one to change it\.$"):
        lineage.fork(store, parent.run_id, info, config)


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": 0.01},
        {"weight_decay": 0.1, "optimizer": "adamw", "learning_rate": 0.001},
        {"momentum": 0.5},
        {"l1": 0.001, "l2": 0.001},
        {"dropout": 0.0},
        {"max_norm": 1.0},
        {"clip_norm": 0.1},
        {"label_smoothing": 0.2},
        {"schedule": "cosine", "warmup_epochs": 1},
        {"epochs": 2},
        {"patience": 5},
        {"augmentation": "shift"},
    ],
    ids=lambda change: "-".join(change),
)
def test_each_of_these_may_be_changed(store: Store, train: Train, change: dict[str, Any]) -> None:
    assert set(change) <= set(lineage.FORK_FIELDS)
    parent = train(replace(MOMENTUM, epochs=2))
    config = replace(parent.config, **{"epochs": 3, **change})
    child = train(lineage.fork(store, parent.run_id, snapshot(store, parent.run_id, 1), config))
    assert (child.status, child.epoch) == ("finished", config.epochs)
    assert child.config == config


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dataset", "mnist"),
        ("hidden", (13,)),
        ("activation", "tanh"),
        ("initializer", "zeros"),
        ("seed", 8),
    ],
)
def test_what_makes_it_another_network_is_refused(
    store: Store, train: Train, field: str, value: Any
) -> None:
    assert field not in lineage.FORK_FIELDS
    parent = train(replace(PLAIN, epochs=1))
    config = replace(parent.config, **{field: value, "epochs": 2})
    with pytest.raises(ConfigError, match=r"as in the run that is forked\.$") as told:
        lineage.fork(store, parent.run_id, snapshot(store, parent.run_id), config)
    assert told.value.field == field
    assert len(store.runs()) == 1


# Forking: what stands in the way -----------------------------------------------------------------


def test_a_fork_without_an_epoch_left_is_refused(store: Store, train: Train) -> None:
    parent = train(PLAIN)
    with pytest.raises(ConfigError, match=r"more than the 3 of the snapshot"):
        lineage.fork(store, parent.run_id, snapshot(store, parent.run_id, 3), PLAIN)
    assert len(store.runs()) == 1


def test_a_snapshot_that_is_gone_is_told_with_those_that_are_left(
    store: Store, train: Train
) -> None:
    parent = train(PLAIN, at_100=("stop",))
    info = snapshot(store, parent.run_id, 1)
    files = {
        each.name: store.folder(parent.run_id) / f"{each.name}.npz"
        for each in list_snapshots(store, parent.run_id)
    }
    files[info.name].write_bytes(b"PK")
    with pytest.raises(WeightsError, match=ONE_SENTENCE) as told:
        lineage.fork(store, parent.run_id, info, PLAIN)
    assert str(told.value) == (
        f"The snapshot of epoch 1 of run {parent.run_id} is gone or damaged; it can still be "
        "forked at epoch 0, epoch 2 or the middle of epoch 3."
    )
    for path in files.values():
        path.unlink()
    with pytest.raises(WeightsError, match=r"; no other is left; .*\.$"):
        lineage.fork(store, parent.run_id, info, PLAIN)
    assert len(store.runs()) == 1


def test_a_fork_is_not_made_on_other_data(store: Store, train: Train) -> None:
    parent = train(PLAIN)
    owner(store, parent.run_id).set_data_digest("of other data")
    info = snapshot(store, parent.run_id, 1)
    with pytest.raises(DataError, match=ONE_SENTENCE):
        lineage.fork(store, parent.run_id, info, PLAIN)
    assert len(store.runs()) == 1


def test_a_fork_that_cannot_be_written_leaves_nothing(
    store: Store, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = train(PLAIN)

    def full(*arguments: Any) -> None:
        raise WeightsError("The disk is full.")

    monkeypatch.setattr(lineage, "write_state", full)
    with pytest.raises(WeightsError, match="full"):
        lineage.fork(store, parent.run_id, snapshot(store, parent.run_id, 1), PLAIN)
    assert [run.run_id for run in store.runs()] == [parent.run_id]


def test_a_parent_that_is_not_there(store: Store, train: Train) -> None:
    parent = train(PLAIN)
    info = snapshot(store, parent.run_id, 1)
    store.trash([parent.run_id])
    with pytest.raises(RunNotFound):
        lineage.fork(store, parent.run_id, info, PLAIN)


# Reproducing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [PLAIN, EVERYTHING], ids=["plain", "everything"])
def test_a_run_comes_out_again_to_the_bit(store: Store, train: Train, config: RunConfig) -> None:
    original = train(config)
    again = train(lineage.reproduce(store, original.run_id))
    assert again.parent_id == original.run_id
    assert not again.is_fork
    assert again.name == f"{original.name}, again"
    verdict = lineage.verdict(store, original.run_id, again.run_id)
    assert verdict == lineage.Verdict(
        True,
        "Identical to the bit: 120 step losses, 3 epochs of measurements and the weights.",
        (),
        None,
    )


@pytest.mark.skipif(not can_have_partner(), reason="only Linux lets a fork multiply matrices")
def test_a_run_comes_out_again_with_as_many_processes_as_it_had(
    store: Store, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "cores_for", lambda *_, **__: Cores(2, 1))
    original = train(MOMENTUM)
    monkeypatch.undo()  # a run of its own would have one
    again = train(lineage.reproduce(store, original.run_id))
    assert recorded(original.machine) == recorded(again.machine) == Cores(2, 1)
    assert lineage.verdict(store, original.run_id, again.run_id).is_identical


def test_a_fork_comes_out_again_from_where_it_began(store: Store, train: Train) -> None:
    parent = train(MOMENTUM)
    config = replace(MOMENTUM, learning_rate=0.1)
    fork = train(lineage.fork(store, parent.run_id, snapshot(store, parent.run_id, 1), config))
    store.purge([parent.run_id])
    again = train(lineage.reproduce(store, fork.run_id))
    assert state_of(store, again.run_id) == state_of(store, fork.run_id)
    verdict = lineage.verdict(store, fork.run_id, again.run_id)
    assert verdict.is_identical
    (store.folder(fork.run_id) / "epoch-00001.npz").unlink()
    with pytest.raises(WeightsError, match=ONE_SENTENCE) as told:
        lineage.reproduce(store, fork.run_id)
    assert "the snapshot that it began with is gone" in str(told.value)


def test_a_run_that_is_still_going_is_compared_as_far_as_it_has_come(
    store: Store, train: Train
) -> None:
    original = train(PLAIN)
    again = lineage.reproduce(store, original.run_id)
    verdict = lineage.verdict(store, original.run_id, again)
    assert (verdict.is_identical, verdict.first_epoch) == (False, None)
    assert verdict.text == "There is nothing to compare yet."
    train(again, at_50=("stop",))
    verdict = lineage.verdict(store, original.run_id, again)
    assert verdict.is_identical
    assert verdict.text.startswith("Identical to the bit as far as both go, which is 1 epoch: 50 ")


def test_a_learning_rate_set_by_hand_is_named_with_the_first_epoch_it_tells_in(
    store: Store, train: Train
) -> None:
    original = train(PLAIN, at_50=("learning_rate", 0.05))
    again = train(lineage.reproduce(store, original.run_id))
    verdict = lineage.verdict(store, original.run_id, again.run_id)
    assert (verdict.is_identical, verdict.first_epoch) == (False, 2)
    assert verdict.reasons == ("the learning rate was set while it ran, first in epoch 2",)
    assert verdict.text == f"It differs from epoch 2 on; {verdict.reasons[0]}."


def test_what_else_differs_is_named(store: Store, train: Train) -> None:
    original = train(PLAIN)
    other = train(replace(PLAIN, dropout=0.1, l2=0.01))
    with store.database.writing() as db:
        db.execute(
            "UPDATE runs SET data_digest = 'another', versions = ?, machine = ? WHERE run_id = ?",
            (
                json.dumps({**original.versions, "numpy": "1.0"}),
                json.dumps(
                    {**original.machine, "blas_threads": 9, "processes": 7, "kernels": "Zen"}
                ),
                original.run_id,
            ),
        )
    verdict = lineage.verdict(store, original.run_id, other.run_id)
    assert (verdict.is_identical, verdict.first_epoch) == (False, 1)
    processes, kernels = other.machine["processes"], other.machine["kernels"]
    threads, numpy = other.machine["blas_threads"], other.versions["numpy"]
    assert verdict.reasons == (
        "the setting l2 differs",
        "the setting dropout differs",
        "the data differs",
        f"numpy was 1.0 and is {numpy}",
        f"the threads were 9 and are {threads}",
        f"the processes were 7 and are {processes}",
        f"the kernels of the matrix library were Zen and are {kernels}",
    )
    assert verdict.text == f"It differs from epoch 1 on; {', '.join(verdict.reasons)}."


def test_weights_that_differ_by_a_bit_are_found(store: Store, train: Train) -> None:
    original, again = train(PLAIN), train(PLAIN)
    info = snapshot(store, again.run_id)
    state = dict(load_state(store, again.run_id, info.name))
    state["parameters"] = state["parameters"].copy()
    state["parameters"].view(np.uint32)[5] ^= 1
    del state["metadata"]
    write(store.folder(again.run_id) / f"{info.name}.npz", state, {})
    verdict = lineage.verdict(store, original.run_id, again.run_id)
    assert (verdict.is_identical, verdict.text) == (False, "It differs in its weights.")


def test_a_loss_that_differs_by_a_bit_is_found(
    store: Store, train: Train, query: Callable[..., list[Any]]
) -> None:
    original, again = train(PLAIN), train(PLAIN)
    query(
        "UPDATE step_blocks SET losses = CAST(X'00000000' || substr(losses, 5) AS BLOB) "
        "WHERE run_id = ?",
        again.run_id,
    )
    verdict = lineage.verdict(store, original.run_id, again.run_id)
    assert (verdict.is_identical, verdict.text) == (
        False,
        "It differs in the losses of its steps.",
    )


def test_what_is_not_there_is_neither_trained_again_nor_compared(
    store: Store, train: Train
) -> None:
    run = train(replace(PLAIN, epochs=1))
    gone = "20260101-000000-abcd"
    with pytest.raises(RunNotFound):
        lineage.reproduce(store, gone)
    with pytest.raises(RunNotFound):
        lineage.verdict(store, run.run_id, gone)
    without_data = store.create(replace(PLAIN, dataset="own-letters-0123abcd"))
    with pytest.raises(DataError, match=ONE_SENTENCE):
        lineage.reproduce(store, without_data)


# Whether a run can go on -------------------------------------------------------------------------


def ended(store: Store, status: str, **columns: Any) -> Run:
    run_id = store.create(replace(PLAIN, epochs=5, patience=columns.pop("patience", 0)))
    owner(store, run_id).end(status)
    with store.database.writing() as db:
        for name, value in columns.items():
            db.execute(f"UPDATE runs SET {name} = ? WHERE run_id = ?", (value, run_id))
    return store.run(run_id)


@pytest.mark.parametrize(
    ("status", "columns", "epochs", "said"),
    [
        ("stopped", {"epoch": 2}, None, ""),
        ("interrupted", {}, None, ""),
        ("failed", {"epoch": 2}, None, ""),
        ("stopped", {"epoch": 2}, 3, ""),
        ("stopped", {"epoch": 5}, None, ""),  # of its test accuracy nobody knows
        ("interrupted", {"epoch": 5}, 5, ""),
        ("finished", {"epoch": 5}, 6, ""),
        ("finished", {"epoch": 5, "best_epoch": 4, "patience": 3}, 6, ""),
        ("stopped", {"epoch": 2}, 2, "has already trained 2 epochs; ask for more"),
        (
            "finished",
            {"epoch": 10_000},
            None,
            "has finished 10,000 epochs, the most that a run can have",
        ),
        ("finished", {"epoch": 5}, None, "has finished all its 5 epochs; give it more"),
        ("finished", {"epoch": 5}, 5, "has already trained 5 epochs; ask for more"),
        ("finished", {"epoch": 5}, 1, "has already trained 5 epochs; ask for more"),
        ("diverged", {"epoch": 2}, 9, "has diverged, and would again; fork it"),
        (
            "finished",
            {"epoch": 5, "best_epoch": 2, "patience": 3},
            9,
            "has stopped early because its patience ran out; fork it with more patience",
        ),
    ],
)
def test_why_a_run_cannot_go_on(
    store: Store, status: str, columns: dict[str, Any], epochs: int | None, said: str
) -> None:
    run = ended(store, status, **columns)
    reason = lineage.can_resume(run, epochs)
    if not said:
        assert reason == ""
        return
    assert reason.startswith(f"Run {run.run_id} {said}")
    assert re.match(ONE_SENTENCE, reason)
    with pytest.raises(StoreError, match=re.escape(reason)):
        lineage.resume(store, run.run_id, epochs=epochs)
    assert store.run(run.run_id) == run


def test_an_active_run_is_not_resumed(store: Store) -> None:
    run = store.run(store.create(PLAIN))
    assert lineage.can_resume(run) == f"Run {run.run_id} is already queued."
