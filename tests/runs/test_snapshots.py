from __future__ import annotations

import dataclasses
import itertools
import os
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from neuralscope.data import Dataset
from neuralscope.engine import EpochEnd, StepEnd, Training, score
from neuralscope.errors import RunNotFound, WeightsError
from neuralscope.runs import (
    LATEST,
    RunConfig,
    SnapshotInfo,
    Store,
    examples,
    list_snapshots,
    load_snapshot,
    prepare,
    snapshots,
)
from neuralscope.runs.life import LOCK_NAME
from neuralscope.runs.snapshots import SnapshotKeeper, is_milestone, load_state
from tests.writing import owner


@pytest.fixture
def run_id(store: Store, config: RunConfig) -> str:
    return store.create(config)


@pytest.fixture
def keeper(store: Store, run_id: str) -> SnapshotKeeper:
    return SnapshotKeeper(store, owner(store, run_id), 10)


@pytest.fixture
def training(config: RunConfig, digits: Dataset) -> Training:
    return prepare(config, digits)


def names(store: Store, run_id: str) -> list[str]:
    """Return what is listed; and make sure that just this is on disk."""
    listed = [info.name for info in list_snapshots(store, run_id)]
    assert sorted(f"{name}.npz" for name in listed) == sorted(
        path.name for path in store.folder(run_id).iterdir() if path.name != LOCK_NAME
    )
    return listed


def train_epochs(training: Training) -> Iterator[EpochEnd]:
    return (record for record in training.records() if isinstance(record, EpochEnd))


# What is kept ------------------------------------------------------------------------------------


def test_early_epochs_are_all_kept_and_later_ones_thin_out() -> None:
    kept = [epoch for epoch in range(10_001) if is_milestone(epoch)]
    assert kept[:28] == [*range(21), 23, 27, 32, 37, 43, 50, 58]
    assert [sum(epoch <= n for epoch in kept) for n in (300, 1_000, 10_000)] == [39, 48, 64]
    later_by = [(b - a) / a for a, b in itertools.pairwise(kept[21:])]
    assert 0.15 <= min(later_by)
    assert max(later_by) < 0.2


def pretend_epochs(keeper: SnapshotKeeper, training: Training, accuracies: Sequence[float]) -> None:
    for epoch, accuracy in enumerate(accuracies):
        training.epoch, training.step = epoch, 10 * epoch
        keeper.keep_epoch(training, accuracy, float(epoch))


def test_a_thousand_epochs_leave_about_sixty_snapshots(
    store: Store,
    run_id: str,
    keeper: SnapshotKeeper,
    digits: Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Which names stay is the question here; waiting for the disk a thousand times is not.
    monkeypatch.setattr(snapshots, "write", lambda path, arrays, metadata: path.touch())
    training = prepare(RunConfig(dataset="digits", hidden=(), epochs=1000), digits)
    # Better and better nearly to the end: each epoch is the best so far when it comes.
    accuracies = [epoch / 1000 for epoch in range(991)] + [0.5] * 10
    pretend_epochs(keeper, training, accuracies)
    keeper.keep_last(training, 1000.0)
    kept = [info.epoch for info in list_snapshots(store, run_id)]
    assert kept == [e for e in range(1001) if is_milestone(e) or e in (990, 1000)]
    assert len(names(store, run_id)) <= 60


def test_the_best_is_always_kept_and_a_former_best_goes(
    store: Store, run_id: str, keeper: SnapshotKeeper, training: Training
) -> None:
    accuracies = [0.9] + [0.1] * 20 + [0.2, 0.3, 0.25, 0.3, 0.4]
    pretend_epochs(keeper, training, accuracies[:22])
    assert names(store, run_id)[-2:] == ["epoch-00020", "epoch-00021"]
    pretend_epochs_from(keeper, training, accuracies, 22)
    # 21 was the best once and is none of the milestones; 23 is one, 22 and 24 are not.
    assert names(store, run_id)[-3:] == ["epoch-00020", "epoch-00023", "epoch-00025"]


def pretend_epochs_from(
    keeper: SnapshotKeeper, training: Training, accuracies: Sequence[float], first: int
) -> None:
    for epoch in range(first, len(accuracies)):
        training.epoch, training.step = epoch, 10 * epoch
        keeper.keep_epoch(training, accuracies[epoch], float(epoch))


def test_of_equals_the_first_stays_the_best(
    store: Store, run_id: str, keeper: SnapshotKeeper, training: Training
) -> None:
    pretend_epochs_from(keeper, training, [0.5] * 30, 21)
    assert names(store, run_id) == ["epoch-00021", "epoch-00023", "epoch-00027"]


def test_a_best_that_is_a_milestone_is_not_removed(
    store: Store, run_id: str, keeper: SnapshotKeeper, training: Training
) -> None:
    pretend_epochs_from(keeper, training, [epoch / 100 for epoch in range(26)], 20)
    assert names(store, run_id) == ["epoch-00020", "epoch-00023", "epoch-00025"]


def test_latest_goes_when_the_run_is_complete(
    store: Store, run_id: str, keeper: SnapshotKeeper, training: Training
) -> None:
    for record in training.records():
        if isinstance(record, StepEnd) and record.step % 20 == 7:
            keeper.keep_latest(training, 0.1)
            keeper.keep_latest(training, 0.2)
        elif isinstance(record, EpochEnd):
            assert names(store, run_id).count(LATEST) == 1
            keeper.keep_epoch(training, record.validation_accuracy, 1.0)
    keeper.keep_last(training, 2.0)
    assert names(store, run_id) == ["epoch-00001", "epoch-00002"]


def test_a_complete_end_that_was_not_kept_is_kept(
    store: Store, run_id: str, keeper: SnapshotKeeper, training: Training
) -> None:
    list(training.records())
    keeper.keep_last(training, 2.0)
    assert names(store, run_id) == ["epoch-00002"]


def test_an_end_in_the_middle_of_an_epoch_is_latest(
    store: Store, run_id: str, keeper: SnapshotKeeper, training: Training
) -> None:
    records = training.records()
    for _ in range(3):
        next(records)
    keeper.keep_latest(training, 0.1)
    for _ in range(2):
        next(records)
    keeper.keep_last(training, 0.2)
    assert names(store, run_id) == [LATEST]
    (info,) = list_snapshots(store, run_id)
    assert (info.epoch, info.step, info.seconds) == (0, 5, 0.2)
    np.testing.assert_array_equal(
        load_snapshot(store, run_id, info).parameters, training.network.parameters
    )


def test_the_last_snapshot_holds_the_answers_of_its_own_weights(
    store: Store,
    run_id: str,
    keeper: SnapshotKeeper,
    training: Training,
    config: RunConfig,
    digits: Dataset,
) -> None:
    records = training.records()
    for record in records:  # into the second epoch: measured once, and learned more since
        if record.step == 60:
            break
    keeper.keep_last(training, 0.2)
    snapshot = load_snapshot(store, run_id, list_snapshots(store, run_id)[0])
    network = snapshot.network(config, 64, 10)
    _, probabilities = score(network, examples(digits, "validation"))
    np.testing.assert_array_equal(
        snapshot.validation_probabilities, probabilities.astype(np.float16)
    )
    np.testing.assert_array_equal(snapshot.validation_predictions, probabilities.argmax(axis=1))


def test_weights_that_are_not_finite_are_not_kept(
    store: Store, run_id: str, keeper: SnapshotKeeper, training: Training
) -> None:
    records = training.records()
    next(records)
    keeper.keep_latest(training, 0.1)
    for value in (np.inf, np.nan):
        next(records)
        training.network.parameters[7] = value
        keeper.keep_latest(training, 0.2)
        keeper.keep_last(training, 0.3)
    (info,) = list_snapshots(store, run_id)
    assert info.step == 1
    assert np.isfinite(load_snapshot(store, run_id, info).parameters).all()


def test_writing_time_is_told(keeper: SnapshotKeeper, training: Training) -> None:
    assert keeper.cost == 0.0
    keeper.keep_latest(training, 0.1)
    assert keeper.cost > 0.0


# What is in it -----------------------------------------------------------------------------------


def test_a_snapshot_shows_the_network_and_its_answers(
    store: Store,
    run_id: str,
    keeper: SnapshotKeeper,
    training: Training,
    config: RunConfig,
    digits: Dataset,
) -> None:
    for end in train_epochs(training):
        keeper.keep_epoch(training, end.validation_accuracy, 1.5 * end.epoch)
    infos = list_snapshots(store, run_id)
    assert [(i.name, i.epoch, i.step, i.seconds) for i in infos] == [
        ("epoch-00001", 1, 40, 1.5),
        ("epoch-00002", 2, 80, 3.0),
    ]
    assert infos[0].written <= infos[1].written
    snapshot = load_snapshot(store, run_id, infos[-1])
    assert snapshot.info == infos[-1]
    assert snapshot.parameters.dtype == np.float32
    assert snapshot.validation_probabilities.dtype == np.float16
    assert snapshot.validation_probabilities.shape == (len(digits.y_validation), 10)
    np.testing.assert_allclose(snapshot.validation_probabilities.sum(axis=1), 1, atol=0.01)
    accuracy = (snapshot.validation_predictions == digits.y_validation).mean()
    assert accuracy == pytest.approx(end.validation_accuracy)
    network = snapshot.network(config, digits.n_features, digits.n_classes)
    np.testing.assert_array_equal(network.parameters, training.network.parameters)
    result, _ = score(network, examples(digits, "validation"))
    assert result.loss == end.validation_loss


@pytest.mark.parametrize("change", [{"hidden": (9,)}, {"hidden": ()}, {"hidden": (8, 8)}])
def test_a_snapshot_of_another_network_is_refused(
    store: Store,
    run_id: str,
    keeper: SnapshotKeeper,
    training: Training,
    config: RunConfig,
    change: dict[str, tuple[int, ...]],
) -> None:
    keeper.keep_latest(training, 0.0)
    snapshot = load_snapshot(store, run_id, list_snapshots(store, run_id)[0])
    with pytest.raises(WeightsError, match=r"^Snapshot latest holds 610 weights, but this network"):
        snapshot.network(dataclasses.replace(config, **change), 64, 10)


# Going on from it --------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("n_records", [1, 17, 41, 42, 43])
def test_going_on_from_a_snapshot_gives_the_same_bits(
    store: Store,
    run_id: str,
    keeper: SnapshotKeeper,
    digits: Dataset,
    optimizer: str,
    n_records: int,
) -> None:
    config = RunConfig(
        *("digits", (8,)),
        optimizer=optimizer,
        learning_rate=0.01,
        dropout=0.3,
        epochs=2,
        schedule="cosine",
    )
    through = prepare(config, digits)
    expected = list(through.records())

    stopped = prepare(config, digits)
    records = stopped.records()
    before = [next(records) for _ in range(n_records)]
    keeper.keep_last(stopped, 0.1)

    resumed = prepare(dataclasses.replace(config, seed=9), digits)
    resumed.restore(load_state(store, run_id, list_snapshots(store, run_id)[-1].name))
    after = list(resumed.records())
    steps = [r for r in before + after if not hasattr(r, "train_loss") and hasattr(r, "loss")]
    assert steps == [r for r in expected if isinstance(r, StepEnd)]
    assert after[-1] == expected[-1]
    np.testing.assert_array_equal(resumed.network.parameters, through.network.parameters)


# Damage ------------------------------------------------------------------------------------------


def removed(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def text(path: Path) -> None:
    path.write_text("not found")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def huge(path: Path) -> None:
    os.truncate(path, 1 << 40)


def unpacked_huge(path: Path) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1073741824,)}".ljust(117) + b"\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("parameters.npy", b"\x93NUMPY\x01\x00\x76\x00" + header)
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<I", 128), struct.pack("<I", 0xFFFFFF00)))


def other_shapes(path: Path) -> None:
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **{**arrays, "parameters": np.float32(1), "position": np.ones(3, complex)})


def other_archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")


def bare_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(610, np.float32))


def python_objects(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, parameters=np.array([print, None], dtype=object))


@pytest.mark.parametrize(
    "damage",
    [
        removed,
        empty,
        cut_in_half,
        text,
        folder,
        pipe,
        device,
        huge,
        unpacked_huge,
        other_shapes,
        other_archive,
        bare_array,
        python_objects,
    ],
    ids=lambda damage: damage.__name__,
)
def test_a_damaged_snapshot_is_told_in_a_sentence(
    store: Store,
    run_id: str,
    keeper: SnapshotKeeper,
    training: Training,
    damage: Callable[[Path], None],
) -> None:
    keeper.keep_latest(training, 0.0)
    (info,) = list_snapshots(store, run_id)
    damage(store.folder(run_id) / "latest.npz")
    with pytest.raises(WeightsError, match=r"^Snapshot [^\n]*latest\.npz is gone or damaged\.$"):
        load_snapshot(store, run_id, info)
    if damage is not other_archive:
        with pytest.raises(WeightsError, match="is gone or damaged"):
            load_state(store, run_id, info.name)


def test_whatever_happens_to_a_byte_only_a_weights_error_comes_out(
    store: Store, run_id: str, keeper: SnapshotKeeper, digits: Dataset
) -> None:
    tiny = prepare(RunConfig(dataset="digits", hidden=()), digits)
    keeper.keep_latest(tiny, 0.0)
    (info,) = list_snapshots(store, run_id)
    path = store.folder(run_id) / "latest.npz"
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    # The archive's directory is at the end; names and headers are where it says they are.
    places = [*range(len(whole) - 330, len(whole), 2), *range(180)]
    n_told = 0
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        for load in (
            lambda: load_snapshot(store, run_id, info),
            lambda: load_state(store, run_id, LATEST),
        ):
            try:
                load()
            except WeightsError:
                n_told += 1
    assert n_told > len(places)  # most damage is noticed


def test_a_strange_name_leads_nowhere(store: Store) -> None:
    info = SnapshotInfo("latest", 0, 0, 0.0, 0.0)
    with pytest.raises(RunNotFound):
        load_snapshot(store, "../..", info)


def test_a_folder_that_cannot_be_made_is_told(store: Store, run_id: str) -> None:
    shutil.rmtree(store.folder(run_id))
    store.folder(run_id).write_text("in the way")
    with pytest.raises(WeightsError, match=r"^[^\n]+ cannot be made: File exists\.$"):
        SnapshotKeeper(store, owner(store, run_id), 10)


def test_many_classes_fit_their_labels(
    store: Store, run_id: str, config: RunConfig, digits: Dataset
) -> None:
    keeper = SnapshotKeeper(store, owner(store, run_id), 1000)
    keeper.keep_latest(prepare(config, digits), 0.0)
    (info,) = list_snapshots(store, run_id)
    assert load_snapshot(store, run_id, info).validation_predictions.dtype == np.uint16
