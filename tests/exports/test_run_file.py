"""A whole run as one file: what comes out goes in again, and nothing else does."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralscope import exports
from neuralscope.data import Dataset, Recipe, load_dataset
from neuralscope.engine import EpochEnd, Network
from neuralscope.errors import StoreError, TransferError, WeightsError
from neuralscope.exports import measurements, run_file
from neuralscope.runs import (
    INTERRUPTED,
    LATEST,
    STOPPED,
    Run,
    RunConfig,
    Store,
    list_snapshots,
    load_snapshot,
    trainer,
)
from neuralscope.runs.experiment import prepare
from neuralscope.runs.records import Parent
from neuralscope.runs.snapshots import load_state
from neuralscope.runs.trainer import Trainer
from tests.writing import owner

Train = Callable[..., Run]
Entries = dict[str, bytes]

LAST = "snapshots/epoch-00002.npz"


@pytest.fixture(scope="module")
def good(digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a finished run of two epochs, made once."""
    folder = tmp_path_factory.mktemp("good")
    with Store(folder / "runs") as store:
        config = RunConfig(dataset="digits", hidden=(8,), epochs=2, optimizer="adam")
        run = Trainer(store, store.create(config, "good")).run()
        exports.write(store, run.run_id, "run", folder / "good.zip")
    return folder / "good.zip"


@pytest.fixture
def exported(good: Path, tmp_path: Path) -> Path:
    """A copy of it for each test."""
    return Path(shutil.copy(good, tmp_path / "good.zip"))


# There and back


def test_a_run_comes_back_with_all_that_the_store_keeps(
    store: Store, other: Store, train: Train, tmp_path: Path
) -> None:
    run = train("named", epochs=4, optimizer="adam", augmentation="shift", patience=2)
    store.set_tags(run.run_id, ("one", "two"))
    store.set_notes(run.run_id, "What I think of it.\n\N{SNOWMAN}")
    run = store.run(run.run_id)
    exports.write(store, run.run_id, "run", tmp_path / "run.zip")
    run_id = exports.import_file(other, tmp_path / "run.zip")

    there = other.run(run_id)
    assert "Imported from run.zip on " in there.origin
    assert {**vars(there), "origin": ""} == {**vars(run), "origin": ""}
    for before, after in [
        (store.epochs(run_id), other.epochs(run_id)),
        (store.steps(run_id), other.steps(run_id)),
    ]:
        for one, two in zip(before, after, strict=True):
            np.testing.assert_array_equal(one, two)
            assert one.dtype == two.dtype
    assert store.health(run_id) == other.health(run_id)
    assert store.events(run_id) == other.events(run_id)
    assert list_snapshots(store, run_id) == list_snapshots(other, run_id)
    for info in list_snapshots(store, run_id):
        before, after = (load_state(each, run_id, info.name) for each in (store, other))
        assert before.keys() == after.keys()
        for name, array in before.items():
            np.testing.assert_array_equal(array, after[name])


def test_it_comes_back_from_what_it_wrote_bit_by_bit(
    other: Store, exported: Path, tmp_path: Path
) -> None:
    run_id = exports.import_file(other, exported)
    exports.write(other, run_id, "run", tmp_path / "again.zip")
    with zipfile.ZipFile(exported) as one, zipfile.ZipFile(tmp_path / "again.zip") as two:
        assert one.namelist() == two.namelist()
        for name in one.namelist():
            assert one.read(name) == two.read(name), name


def test_a_stopped_run_goes_on_in_its_new_store_where_it_was(
    store: Store, other: Store, tmp_path: Path, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "POLL_EVERY", 0.0)
    config = RunConfig(dataset="digits", hidden=(8,), epochs=4, optimizer="momentum")
    whole = Trainer(store, store.create(config)).run()
    run_id = store.create(config)

    def stop(record: object) -> None:
        if isinstance(record, EpochEnd) and record.epoch == 2:
            store.send(run_id, "stop")

    assert Trainer(store, run_id, on_record=stop).run().status == STOPPED
    exports.write(store, run_id, "run", tmp_path / "run.zip")
    exports.import_file(other, tmp_path / "run.zip")

    training = prepare(config, digits)
    training.restore(load_state(other, run_id, list_snapshots(other, run_id)[-1].name))
    assert training.step < whole.step
    for _ in training.records():
        pass
    last = load_snapshot(store, whole.run_id, list_snapshots(store, whole.run_id)[-1])
    np.testing.assert_array_equal(training.network.parameters, last.parameters)


def test_a_run_that_is_there_already_stays_and_the_new_one_gets_an_id_of_its_own(
    store: Store, exported: Path
) -> None:
    there = store.run(exports.import_file(store, exported))
    run_id = exports.import_file(store, exported)
    assert run_id != there.run_id
    assert {run.run_id for run in store.runs()} == {run_id, there.run_id}
    assert store.run(there.run_id) == there
    assert f"where it was run {there.run_id}" in store.run(run_id).origin
    assert len(list_snapshots(store, run_id)) == len(list_snapshots(store, there.run_id)) == 3


def test_a_run_that_goes_on_is_exported_as_far_as_it_is(
    store: Store, other: Store, tmp_path: Path
) -> None:
    config = RunConfig(dataset="digits", hidden=(8,), epochs=3)
    run_id = store.create(config)

    def export(record: object) -> None:
        if isinstance(record, EpochEnd) and record.epoch == 2:
            exports.write(store, run_id, "run", tmp_path / "run.zip")

    Trainer(store, run_id, on_record=export).run()
    exports.import_file(other, tmp_path / "run.zip")
    assert other.run(run_id).status == INTERRUPTED
    assert other.run(run_id).message == "It was running when it was exported."
    assert [info.epoch for info in list_snapshots(other, run_id)] == [0, 1, 2]


def test_a_run_without_snapshots_comes_back_too(store: Store, other: Store, tmp_path: Path) -> None:
    run_id = store.create(RunConfig(dataset="digits"), "nothing yet")
    owner(store, run_id).end(STOPPED)
    exports.write(store, run_id, "run", tmp_path / "run.zip")
    assert other.run(exports.import_file(other, tmp_path / "run.zip")).name == "nothing yet"


def test_a_parent_is_only_named_where_it_is(store: Store, other: Store, tmp_path: Path) -> None:
    config = RunConfig(dataset="digits")
    parent = store.create(config)
    child = store.create(config, parent=Parent(parent, 1, 40))
    owner(store, child).end(STOPPED)
    exports.write(store, child, "run", tmp_path / "run.zip")
    here = store.run(exports.import_file(store, tmp_path / "run.zip"))
    assert (here.parent_id, here.parent_epoch, here.parent_step) == (parent, 1, 40)
    there = other.run(exports.import_file(other, tmp_path / "run.zip"))
    assert (there.parent_id, there.parent_epoch, there.parent_step) == (None, None, None)


def test_a_damaged_snapshot_is_told_instead_of_exported(
    store: Store, train: Train, tmp_path: Path
) -> None:
    run_id = train().run_id
    (store.folder(run_id) / "epoch-00001.npz").write_bytes(b"PK")
    with pytest.raises(WeightsError, match=r"epoch-00001.npz is gone or damaged"):
        exports.write(store, run_id, "run", tmp_path / "run.zip")
    assert not (tmp_path / "run.zip").exists()


# What is refused


def entries_of(path: Path) -> Entries:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(path: Path, entries: Entries, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def refused(store: Store, path: Path, *words: str) -> str:
    """Import a file that must not get in; return the sentence that says why."""
    before = {each: each.stat().st_mtime_ns for each in path.parent.rglob("*")}
    with pytest.raises(TransferError) as error:
        exports.import_file(store, path)
    sentence = str(error.value)
    assert sentence.startswith(f"{path.name} cannot be imported: "), sentence
    assert sentence.endswith(".") and "\n" not in sentence and len(sentence) < 400
    for word in words:
        assert word in sentence, sentence
    # Nothing is half there.
    assert store.runs() == []
    for table in ("epochs", "layer_health", "step_blocks", "events", "snapshots"):
        with store.database.reading() as db:
            assert db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0
    assert [each.name for each in store.path.iterdir() if each.is_dir()] == []
    assert {each for each in path.parent.rglob("*") if store.path not in each.parents} == {
        each for each in before if store.path not in each.parents
    }
    return sentence


def with_run(entries: Entries, **changes: Any) -> Entries:
    about = json.loads(entries["run.json"])
    about["run"].update(changes)
    return {**entries, "run.json": json.dumps(about).encode()}


def with_arrays(entries: Entries, name: str, **changes: Any) -> Entries:
    with np.load(io.BytesIO(entries[name])) as archive:
        arrays = {each: archive[each] for each in archive.files}
    arrays.update(changes)
    file = io.BytesIO()
    np.savez(
        file,
        allow_pickle=True,
        **{each: array for each, array in arrays.items() if array is not None},
    )
    return {**entries, name: file.getvalue()}


def test_a_file_that_is_not_there_is_told(other: Store, tmp_path: Path) -> None:
    refused(other, tmp_path / "none.zip", "No such file or directory")
    (tmp_path / "folder").mkdir()
    refused(other, tmp_path / "folder", "it is a folder, not a file")
    os.mkfifo(tmp_path / "pipe.zip")
    refused(other, tmp_path / "pipe.zip", "it is a pipe or a device, not a file")


@pytest.mark.parametrize("content", [b"", b"hello", pickle.dumps({"run": 1}), b"\0" * 5000])
def test_what_is_no_archive_is_told(content: bytes, other: Store, tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(content)
    refused(other, tmp_path / "bad.zip", "neither a run file nor a weights file")


def test_another_archive_is_told(other: Store, tmp_path: Path) -> None:
    zipped(tmp_path / "bad.zip", {"holiday.jpg": b"x"})
    refused(other, tmp_path / "bad.zip", "neither a run file nor a weights file")


def test_a_file_that_is_cut_short_or_damaged_anywhere_never_gets_in_half(
    other: Store, exported: Path, tmp_path: Path
) -> None:
    content = exported.read_bytes()
    for length in range(0, len(content), len(content) // 20):
        (tmp_path / "bad.zip").write_bytes(content[:length])
        refused(other, tmp_path / "bad.zip")
    rng = np.random.default_rng(0)
    for _ in range(20):
        damaged = np.frombuffer(content, np.uint8).copy()
        damaged[rng.integers(len(content), size=200)] ^= 0xFF
        (tmp_path / "bad.zip").write_bytes(damaged.tobytes())
        refused(other, tmp_path / "bad.zip")


def test_what_an_import_that_was_killed_has_left_goes_with_the_next(
    other: Store, exported: Path
) -> None:
    left, elses = (other.path / f".import-{name}" for name in ("left", "of-another-process"))
    for folder in (left, elses):
        folder.mkdir()
        (folder / "epoch-00001.npz").write_bytes(b"half")
    os.utime(left, (time.time() - 7200,) * 2)
    exports.import_file(other, exported)
    assert list(other.path.glob(".import-*")) == [elses]


@pytest.mark.parametrize(
    "name",
    [
        "../../climbed.npz",
        "/tmp/climbed.npz",
        "..\\climbed.npz",
        "snapshots/../../climbed.npz",
        "snapshots/epoch-00002.npz/x",
        "C:\\climbed.npz",
        "climbed\n.npz",
        "neuralscope.sqlite3",
    ],
)
def test_no_entry_can_climb_out(name: str, other: Store, exported: Path, tmp_path: Path) -> None:
    entries = entries_of(exported)
    zipped(tmp_path / "bad.zip", {**entries, name: entries[LAST]})
    refused(other, tmp_path / "bad.zip", "which no run file does")


def test_no_snapshot_can_be_called_a_path(other: Store, exported: Path, tmp_path: Path) -> None:
    entries = entries_of(exported)
    about = json.loads(entries["run.json"])
    about["snapshots"][2]["name"] = "../../climbed"
    entries["run.json"] = json.dumps(about).encode()
    entries["snapshots/../../climbed.npz"] = entries.pop(LAST)
    refused(other, zipped(tmp_path / "bad.zip", entries), "name is not one of epoch-00002, latest")


def test_no_run_id_can_be_a_path(other: Store, exported: Path, tmp_path: Path) -> None:
    entries = with_run(entries_of(exported), run_id="../../climbed")
    refused(other, zipped(tmp_path / "bad.zip", entries), "run_id is not the id of a run")


def test_a_link_is_refused(other: Store, exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries_of(exported).items():
            entry = zipfile.ZipInfo(name)
            if name == LAST:
                entry.create_system, entry.external_attr = 3, 0o120777 << 16
                content = b"/etc/passwd"
            archive.writestr(entry, content)
    refused(other, path, "is a link")


def test_an_entry_that_is_there_twice_is_refused(
    other: Store, exported: Path, tmp_path: Path
) -> None:
    path = tmp_path / "bad.zip"
    path.write_bytes(exported.read_bytes())
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr(LAST, b"other")
    refused(other, path, "twice")


def test_a_snapshot_that_is_named_twice_is_refused(
    other: Store, exported: Path, tmp_path: Path
) -> None:
    entries = entries_of(exported)
    about = json.loads(entries["run.json"])
    about["snapshots"].append(about["snapshots"][0])
    entries["run.json"] = json.dumps(about).encode()
    refused(other, zipped(tmp_path / "bad.zip", entries), "names a snapshot twice")


@pytest.mark.parametrize("name", ["measurements.npz", LAST])
def test_a_part_that_is_missing_is_told(
    name: str, other: Store, exported: Path, tmp_path: Path
) -> None:
    entries = entries_of(exported)
    del entries[name]
    refused(other, zipped(tmp_path / "bad.zip", entries), name)


def test_a_few_kilobytes_do_not_unpack_to_gigabytes(
    other: Store, exported: Path, tmp_path: Path
) -> None:
    path = tmp_path / "bad.zip"
    entries = entries_of(exported)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            if name != LAST:
                archive.writestr(name, content)
        with archive.open(LAST, "w", force_zip64=True) as file:
            for _ in range(40):
                file.write(bytes(1 << 20))
    assert path.stat().st_size < 250_000
    refused(other, path, " kB would unpack to 40")


def test_neither_does_what_is_packed_within(other: Store, exported: Path, tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("parameters.npy", bytes(40 << 20))
    entries = {**entries_of(exported), LAST: file.getvalue()}
    refused(
        other, zipped(tmp_path / "bad.zip", entries), f"in its '{LAST}', its array 'parameters' is"
    )


def test_an_archive_that_lies_about_its_sizes_is_refused(
    other: Store, exported: Path, tmp_path: Path
) -> None:
    # The list at the end says that the last entry is small; its content says otherwise.
    entries = entries_of(exported)
    path = zipped(tmp_path / "bad.zip", {**entries, LAST: bytes(30 << 20)}, zipfile.ZIP_DEFLATED)
    content = path.read_bytes().replace(struct.pack("<I", 30 << 20), struct.pack("<I", 1000))
    path.write_bytes(content)
    refused(other, path)


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode().ljust(118 + 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 4)}",
        "{'descr': '|V0', 'fortran_order': False, 'shape': (1000000000000,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}",
        "__import__('os').system('true')",
        "(" * 100,
    ],
)
def test_an_array_that_lies_about_its_size_is_refused(
    header: str, other: Store, exported: Path, tmp_path: Path
) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("parameters.npy", npy(header, bytes(16)))
    entries = {**entries_of(exported), LAST: file.getvalue()}
    refused(other, zipped(tmp_path / "bad.zip", entries), f"in its '{LAST}', its array")


class Bomb:
    """Shows itself where somebody unpickles it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise SystemExit('unpickled')",)


def test_nothing_is_unpickled(other: Store, exported: Path, tmp_path: Path) -> None:
    entries = entries_of(exported)
    hostile = with_arrays(entries, LAST, parameters=np.array([Bomb()], object))
    refused(other, zipped(tmp_path / "bad.zip", hostile), "holds Python objects (pickles)")
    raw = {**entries, LAST: pickle.dumps(Bomb())}
    refused(other, zipped(tmp_path / "bad.zip", raw), "is damaged")


@pytest.mark.parametrize(
    "name", ["parameters", "optimizer_first_moment", "validation_probabilities"]
)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_refused(
    name: str, value: float, other: Store, exported: Path, tmp_path: Path
) -> None:
    entries = entries_of(exported)
    with np.load(io.BytesIO(entries[LAST])) as archive:
        names = [each for each in archive.files if each.startswith("optimizer_")]
        name = names[0] if name.startswith("optimizer") else name
        array = archive[name].copy()
    array.flat[3] = value
    entries = with_arrays(entries, LAST, **{name: array})
    refused(
        other,
        zipped(tmp_path / "bad.zip", entries),
        f"its snapshot epoch-00002 holds {name} that are not all finite numbers",
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"parameters": np.zeros(7, np.float32)}, "holds parameters of shape (7,)"),
        ({"parameters": np.zeros(610, np.float64)}, "type float64"),
        ({"parameters": np.zeros((610, 1), np.float32)}, "holds parameters of shape (610, 1)"),
        ({"parameters": None}, "has no parameters"),
        ({"position": None}, "has no position"),
        ({"position": np.array("{}")}, "does not say where its training stands"),
        ({"position": np.array("[" * 10_000)}, "does not say where its training stands"),
        ({"position": np.array([1.0])}, "does not say where its training stands"),
        ({"extra": np.zeros(3)}, "holds 'extra', which no snapshot does"),
        ({"optimizer_x": np.zeros(3, np.float32)}, "holds optimizer_x of shape (3,)"),
        ({"validation_predictions": np.full(180, 10, np.uint8)}, "classes that there are not"),
        ({"validation_predictions": np.zeros(180, np.int64)}, "type int64"),
        ({"validation_probabilities": np.full((180, 10), 2, np.float16)}, "that are none"),
        ({"validation_probabilities": np.zeros((181, 10), np.float16)}, "(181, 10)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    changes: dict[str, Any], reason: str, other: Store, exported: Path, tmp_path: Path
) -> None:
    entries = with_arrays(entries_of(exported), LAST, **changes)
    refused(other, zipped(tmp_path / "bad.zip", entries), "its snapshot epoch-00002", reason)


def test_a_network_of_other_layers_than_the_configuration_is_refused(
    other: Store, exported: Path, tmp_path: Path
) -> None:
    entries = entries_of(exported)
    config = {**json.loads(entries["run.json"])["run"]["config"], "hidden": [9]}
    path = zipped(tmp_path / "bad.zip", with_run(entries, config=config))
    refused(other, path, "holds 610 weights, but its configuration makes 685")


def test_a_network_for_other_data_than_the_configuration_is_refused(
    other: Store, exported: Path, tmp_path: Path
) -> None:
    entries = entries_of(exported)
    config = {**json.loads(entries["run.json"])["run"]["config"], "dataset": "mnist"}
    path = zipped(tmp_path / "bad.zip", with_run(entries, config=config))
    refused(other, path, "answers of shape (180, 10), not (5000, 10) as for MNIST")


def test_a_run_on_data_that_is_not_here_gets_in_all_the_same(
    other: Store, exported: Path, tmp_path: Path
) -> None:
    entries = entries_of(exported)
    config = {**json.loads(entries["run.json"])["run"]["config"], "dataset": "own-signs-0123abcd"}
    run_id = exports.import_file(
        other, zipped(tmp_path / "own.zip", with_run(entries, config=config))
    )
    assert other.run(run_id).config.dataset == "own-signs-0123abcd"
    # How drawings become what it reads came along, and goes on into its weights.
    recipe = other.run(run_id).recipe
    assert recipe == load_dataset("digits").recipe
    exports.write(other, run_id, "npz", tmp_path / "weights.npz")
    assert Recipe.from_json(Network.load(tmp_path / "weights.npz").metadata["recipe"]) == recipe
    exports.write(other, run_id, "html", tmp_path / "report.html")


def test_a_run_file_of_before_recipes_gets_one_from_its_data(
    other: Store, exported: Path, tmp_path: Path
) -> None:
    run_id = exports.import_file(
        other, zipped(tmp_path / "old.zip", with_run(entries_of(exported), recipe=None))
    )
    assert other.run(run_id).recipe is None
    exports.write(other, run_id, "npz", tmp_path / "weights.npz")
    told = Network.load(tmp_path / "weights.npz").metadata["recipe"]
    assert Recipe.from_json(told) == load_dataset("digits").recipe


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"config": {"hidden": [0]}}, "its configuration is not one"),
        ({"config": {"learning_rate": 10**400}}, "its configuration is not one"),
        ({"config": {"hidden": [[[]]], "activation": {}}}, "its configuration is not one"),
        ({"config": {"layers": 3}}, "its configuration is not one"),
        ({"config": [1]}, "config is not an object"),
        ({"status": "running"}, "status is not one of finished"),
        ({"status": 7}, "status is not one of"),
        ({"name": None}, "name is not a text"),
        ({"epoch": -1}, "epoch is not a whole number from 0 to 2"),
        ({"epoch": 2**70}, "epoch is not a whole number from 0 to 2"),
        ({"epoch": 3}, "epoch is not a whole number from 0 to 2"),
        ({"best_epoch": 3}, "best_epoch is not a whole number from 0 to 2"),
        ({"parent_epoch": 3}, "parent_epoch is not a whole number from 0 to 2"),
        ({"steps_per_epoch": 10_000}, "steps_per_epoch is not a whole number from 0 to 40"),
        ({"epoch": True}, "epoch is not a whole number from 0 to 2"),
        ({"step": 1.5}, "step is not a whole number from 0 up"),
        ({"seconds": float("nan")}, "seconds is not a number from 0 up"),
        ({"created": 1e300}, "created is not a number from 0 up"),
        ({"created": "today"}, "created is not a number from 0 up"),
        ({"test_accuracy": 1.5}, "test_accuracy is not a share from 0 to 1"),
        ({"versions": 3}, "versions is not an object"),
        ({"machine": {"x": [1]}}, "machine is not an object of short values"),
        ({"tags": "x"}, "tags is not a list of texts"),
        ({"parent_id": "../x"}, "parent_id is not the id of a run"),
        ({"recipe": 3}, "its recipe for drawings is not one"),
        ({"recipe": {"image_shape": [8, 8]}}, "its recipe for drawings is not one"),
    ],
)
def test_values_that_a_run_cannot_have_are_refused(
    changes: dict[str, Any], reason: str, other: Store, exported: Path, tmp_path: Path
) -> None:
    path = zipped(tmp_path / "bad.zip", with_run(entries_of(exported), **changes))
    refused(other, path, reason)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "its run.json is damaged"),
        (b"\xff\xfe", "its run.json is damaged"),
        (b"[" * 100_000, "its run.json is damaged"),
        (b"9" * 5_000, "its run.json is damaged"),
        (b"[]", "its run.json is not that of a run"),
        (b'{"format": "another"}', "its run.json is not that of a run"),
        (b'{"format": "neuralscope run"}', "of no known version"),
        (b'{"format": "neuralscope run", "version": 2}', "written by a newer NeuralScope"),
        (b'{"format": "neuralscope run", "version": 1}', "run is not an object"),
        (b'{"format": "neuralscope run", "version": 1, "run": {}}', "config is not an object"),
    ],
)
def test_what_is_no_run_is_told(
    content: bytes, reason: str, other: Store, exported: Path, tmp_path: Path
) -> None:
    entries = {**entries_of(exported), "run.json": content}
    refused(other, zipped(tmp_path / "bad.zip", entries), reason)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"epochs": None}, "no table epochs of 8 columns"),
        ({"epochs": np.zeros((3, 7))}, "no table epochs of 8 columns"),
        ({"epochs": np.full((1, 8), np.nan)}, "epochs that is not a number"),
        ({"epochs": np.zeros((3, 8))}, "epochs that are not in order"),
        ({"epochs": np.full((1, 8), 2.0)}, "out of range"),
        ({"epochs": np.full((1, 8), 0.5)}, "cannot be counted"),
        ({"health": np.full((1, 7), 1e300)}, "cannot be counted"),
        ({"health": np.ones((2, 7))}, "layers in health that are not in order"),
        ({"blocks": np.full((1, 3), -1.0)}, "cannot be counted"),
        ({"lengths": np.array([-5])}, "blocks"),
        ({"lengths": np.array([2**62])}, "blocks"),
        ({"losses": np.array([np.nan], np.float32)}, "losses that are not finite"),
        ({"losses": np.zeros(81, np.float32)}, "has 81 losses, but such a run can have no more"),
        ({"blocks": np.zeros((81, 3))}, "has 81 blocks, but such a run can have no more than 80"),
        ({"epochs": np.zeros((4, 8))}, "has 4 epochs, but such a run can have no more than 3"),
        ({"epochs": np.eye(8)[:1] * 3}, "epochs after the 2 of its configuration"),
        ({"health": np.zeros((7, 7))}, "has 7 health, but such a run can have no more than 6"),
        ({"health": np.full((1, 7), np.inf)}, "health that is not a finite number"),
        ({"blocks": np.array([[1, 0, np.inf]])}, "times in blocks that cannot be"),
        ({"epochs": np.array([[0, 0, np.inf, 1, 1, 1, 1, 1]])}, "times in epochs that cannot be"),
        ({"blocks": np.array([[2.0, 0, 1]]), "lengths": np.array([80])}, "blocks that are not of"),
        ({"extra": np.zeros(3)}, "holds 'extra', which no run has"),
    ],
)
def test_curves_that_are_none_are_refused(
    changes: dict[str, Any], reason: str, other: Store, exported: Path, tmp_path: Path
) -> None:
    entries = with_arrays(entries_of(exported), "measurements.npz", **changes)
    refused(other, zipped(tmp_path / "bad.zip", entries), "measurements.npz", reason)


def test_a_small_file_of_very_many_steps_is_refused_unread(
    other: Store, exported: Path, tmp_path: Path
) -> None:
    # As the configuration says, there could be as many; but nobody could look at them.
    entries = entries_of(exported)
    n = measurements.MOST_LOSSES + 1
    config = {**json.loads(entries["run.json"])["run"]["config"], "dataset": "own-signs-0123abcd"}
    config |= {"epochs": 10_000, "batch_size": 1}
    entries = with_run(entries, config=config, steps_per_epoch=10**9, step=10**12)
    header = npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({n},)}}")
    with zipfile.ZipFile(io.BytesIO(entries["measurements.npz"])) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in parts.items():
            archive.writestr(name, header + bytes(4 * n) if name == "losses.npy" else content)
    path = zipped(tmp_path / "bad.zip", {**entries, "measurements.npz": file.getvalue()})
    tracemalloc.start()
    try:
        refused(other, path, "has 8,388,609 losses, but such a run can have no more than 8,388,608")
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_a_snapshot_of_very_many_vectors_is_refused(
    other: Store, exported: Path, tmp_path: Path
) -> None:
    many = {f"optimizer_{i}": np.zeros(610, np.float32) for i in range(65)}
    path = zipped(tmp_path / "bad.zip", with_arrays(entries_of(exported), LAST, **many))
    refused(other, path, "files, more than 64")


@pytest.mark.parametrize("name", ["events", "snapshots"])
def test_lists_are_as_long_as_a_run_can_make_them(
    name: str, other: Store, exported: Path, tmp_path: Path
) -> None:
    entries = entries_of(exported)
    about = json.loads(entries["run.json"])
    about[name] = about[name][:1] * 10_001
    entries["run.json"] = json.dumps(about).encode()
    most = "10,000" if name == "events" else "4"
    refused(other, zipped(tmp_path / "bad.zip", entries), f"{name} is not a list of at most {most}")


def test_a_description_of_gigabytes_is_not_read(
    other: Store, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_file, "MOST_JSON_BYTES", 100)
    refused(other, exported, "its 'run.json' is larger than 100 bytes")


def test_the_latest_snapshot_of_a_killed_trainer_may_be_newer_than_its_row(
    store: Store, other: Store, train: Train, tmp_path: Path
) -> None:
    run = train(epochs=30, patience=2, learning_rate=2.0)
    latest = list_snapshots(store, run.run_id)[-1]
    assert latest.name == LATEST
    for step, gets_in in [(latest.step - 3, True), (latest.step + 3, False)]:
        owner(store, run.run_id).add_snapshot(
            LATEST, epoch=latest.epoch, step=step, seconds=latest.seconds
        )
        path = tmp_path / f"{gets_in}.zip"
        exports.write(store, run.run_id, "run", path)
        if gets_in:
            store_id = exports.import_file(other, path)
            other.delete(store_id)
        else:
            refused(other, path, "its snapshot latest is of step")


def test_text_of_any_kind_stays_text(other: Store, exported: Path, tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>'; DROP TABLE runs; --\n\0\N{SNOWMAN}"
    entries = with_run(entries_of(exported), name=hostile, notes="n" * 50_000, tags=["t" * 100])
    entries["run.json"] = entries["run.json"].replace(b"\\u2603", b"\\ud83d")  # half a character
    run = other.run(exports.import_file(other, zipped(tmp_path / "ok.zip", entries)))
    assert run.name == hostile.replace("\N{SNOWMAN}", "?")
    assert len(run.notes) == 20_000
    assert run.tags == ("t" * 40,)


def test_where_the_store_cannot_be_written_nothing_is_left(
    other: Store, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(StoreError, match="No space left on device"):
        exports.import_file(other, exported)
    assert other.runs() == []
    assert [each for each in other.path.iterdir() if each.is_dir()] == []


def test_a_message_names_the_file_as_the_person_does(other: Store, tmp_path: Path) -> None:
    (tmp_path / "upload").write_bytes(b"rubbish")
    with pytest.raises(TransferError, match=r"^my run\.zip cannot be imported: "):
        exports.import_file(other, tmp_path / "upload", name="my run.zip")
