"""A bare weights file becomes a finished run that every page can show."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralscope import exports
from neuralscope.data import Dataset, scaled
from neuralscope.engine import Network
from neuralscope.errors import DataUnavailable, TransferError
from neuralscope.exports.trained import last_network
from neuralscope.runs import (
    FINISHED,
    Run,
    RunConfig,
    Store,
    list_snapshots,
    load_predictions,
    load_snapshot,
)
from neuralscope.runs.experiment import prepare
from neuralscope.runs.snapshots import load_state

Train = Callable[..., Run]


def network(*sizes: int, activation: str = "relu", dtype: Any = np.float32) -> Network:
    return Network(sizes, activation=activation, rng=np.random.default_rng(0), dtype=dtype)


def test_an_exported_network_comes_back_as_a_run_that_is_the_same(
    store: Store, other: Store, train: Train, tmp_path: Path
) -> None:
    run = train(hidden=(9, 7), activation=("tanh", "relu"), optimizer="adam")
    exports.write(store, run.run_id, "npz", tmp_path / "trained_weights.npz")
    run_id = exports.import_file(other, tmp_path / "trained_weights.npz")
    there = other.run(run_id)
    assert there.status == FINISHED
    assert there.name == "trained_weights"
    assert there.config == run.config
    assert there.data_digest == run.data_digest
    assert there.recipe == run.recipe is not None
    assert (there.epoch, there.step) == (run.epoch, run.step)
    assert there.test_accuracy == run.test_accuracy
    assert there.test_loss == pytest.approx(run.test_loss)
    assert "Imported from the weights file trained_weights.npz on " in there.origin
    # Its snapshot holds the weights to the bit, and what they answer.
    (info,) = list_snapshots(other, run_id)
    one, two = (
        load_snapshot(each.store, each.run_id, each.info)
        for each in (
            At(store, run.run_id, list_snapshots(store, run.run_id)[-1]),
            At(other, run_id, info),
        )
    )
    np.testing.assert_array_equal(one.parameters, two.parameters)
    np.testing.assert_array_equal(one.validation_predictions, two.validation_predictions)
    before, after = store.epochs(run.run_id), other.epochs(run_id)
    assert len(after.epoch) == 1
    assert after.validation_accuracy[0] == before.validation_accuracy[-1]
    assert after.train_loss[0] == pytest.approx(before.train_loss[-1])


class At:
    def __init__(self, store: Store, run_id: str, info: Any) -> None:
        self.store, self.run_id, self.info = store, run_id, info


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", [(64, 10), (64, 12, 10), (64, 9, 8, 7, 10)])
def test_weights_that_tell_nothing_are_known_by_their_shape(
    sizes: tuple[int, ...], dtype: Any, other: Store, digits: Dataset, tmp_path: Path
) -> None:
    given = network(*sizes, dtype=dtype)
    given.save(tmp_path / "plain.npz")
    run_id = exports.import_file(other, tmp_path / "plain.npz")
    run = other.run(run_id)
    assert run.config.dataset == "digits"
    assert run.config.hidden == sizes[1:-1]
    (info,) = list_snapshots(other, run_id)
    x = scaled(digits.x_validation, digits.pixel_max)
    np.testing.assert_array_equal(load_predictions(other, run_id, info), given.predict(x))
    assert run.best_validation_accuracy == np.mean(given.predict(x) == digits.y_validation)
    assert last_network(other, run_id).network.sizes == sizes


def test_one_can_go_on_from_there(other: Store, digits: Dataset, tmp_path: Path) -> None:
    given = network(64, 8, 10)
    given.save(tmp_path / "w.npz", {"config": RunConfig(dataset="digits", hidden=(8,)).as_dict()})
    run_id = exports.import_file(other, tmp_path / "w.npz")
    config = other.run(run_id).config
    training = prepare(config, digits)
    training.restore(load_state(other, run_id, list_snapshots(other, run_id)[0].name))
    np.testing.assert_array_equal(training.network.parameters, given.parameters)
    next(training.records())
    assert training.step == other.run(run_id).step + 1


@pytest.mark.parametrize(
    "metadata",
    [
        {"config": 3, "epochs": "many", "dataset": 7},
        {"config": {"hidden": [99]}, "epochs": -1, "dataset": "nonsense"},
        {"config": {"dataset": "digits", "hidden": [9]}, "epochs": True},
        {"epochs": 10**12, "steps": 10**30},
        {"class_names": "x", "image_shape": None, "run_id": "../.."},
    ],
)
def test_what_a_file_says_wrongly_of_itself_does_not_count(
    metadata: dict[str, Any], other: Store, tmp_path: Path, digits: Dataset
) -> None:
    network(64, 8, 10).save(tmp_path / "w.npz", metadata)
    run = other.run(exports.import_file(other, tmp_path / "w.npz"))
    assert (run.config.dataset, run.config.hidden, run.epoch) == ("digits", (8,), 1)


def refused(store: Store, path: Path) -> str:
    with pytest.raises(TransferError) as error:
        exports.import_file(store, path)
    assert path.name in str(error.value) and str(path.parent) not in str(error.value)
    assert store.runs() == []
    assert [each for each in store.path.iterdir() if each.is_dir()] == []
    return str(error.value)


def test_a_network_that_no_data_set_fits_is_told(other: Store, tmp_path: Path) -> None:
    network(4, 3, 2).save(tmp_path / "w.npz")
    assert "takes 4 pixels and tells 2 classes apart, which fits no data set here" in refused(
        other, tmp_path / "w.npz"
    )
    network(4, 3, 2).save(tmp_path / "w.npz", {"dataset": "digits"})
    assert "takes 4 pixels and tells 2 classes apart, unlike digits" in refused(
        other, tmp_path / "w.npz"
    )


def test_as_many_classes_of_other_names_do_not_fit(other: Store, tmp_path: Path) -> None:
    network(64, 10).save(tmp_path / "w.npz", {"class_names": list("abcdefghij")})
    assert "10 classes apart (a, b, c, d, e, f, g, h, i, j), which fits no data set here" in (
        refused(other, tmp_path / "w.npz")
    )


def test_a_network_of_own_data_that_is_not_here_is_told(other: Store, tmp_path: Path) -> None:
    network(64, 10).save(tmp_path / "w.npz", {"dataset": "own-signs-0123abcd"})
    assert "own-signs-0123abcd, and that data set is not here" in refused(other, tmp_path / "w.npz")


def test_a_network_of_data_that_has_to_be_fetched_says_so(other: Store, tmp_path: Path) -> None:
    network(784, 10).save(tmp_path / "w.npz")
    with pytest.raises(DataUnavailable, match="MNIST is not here; load it first"):
        exports.import_file(other, tmp_path / "w.npz")
    assert other.runs() == []


def test_a_network_wider_than_ours_is_told(other: Store, tmp_path: Path) -> None:
    network(64, 2000, 10).save(tmp_path / "w.npz")
    assert "hidden is (2000,), but must be" in refused(other, tmp_path / "w.npz")


def arrays(**changes: Any) -> dict[str, Any]:
    good = {"weight_0": np.ones((64, 10), np.float32), "bias_0": np.zeros(10, np.float32)}
    return {**good, **changes}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"weight_0": np.full((64, 10), np.nan, np.float32)}, "numbers that are not finite"),
        ({"bias_0": np.zeros(9, np.float32)}, "do not have shapes (in, out), (out,)"),
        ({"weight_0": np.ones((64, 10), np.int64)}, "int64"),
        ({"weight_0": np.array([{"x": 1}], object)}, "holds Python objects (pickles)"),
        ({"metadata": np.array("{")}, "its metadata is not JSON"),
        (
            {"weight_0": np.full((64, 10), 1e300), "bias_0": np.zeros(10)},
            "numbers that are too large for float32",
        ),
        ({"weight_0": np.full((64, 10), 3e38, np.float32)}, "its answers are not finite numbers"),
    ],
)
def test_weights_that_cannot_be_used_are_told(
    changes: dict[str, Any], reason: str, other: Store, tmp_path: Path
) -> None:
    np.savez(tmp_path / "w.npz", allow_pickle=True, **arrays(**changes))
    assert reason in refused(other, tmp_path / "w.npz")


def test_weights_that_unpack_to_gigabytes_are_refused(other: Store, tmp_path: Path) -> None:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f4", "fortran_order": False, "shape": (64, 5_000_000)}
    )
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("weight_0.npy", "w", force_zip64=True) as entry:
            entry.write(file.getvalue())
            for _ in range(50):
                entry.write(bytes(1 << 20))
    assert path.stat().st_size < 100_000
    assert "its array 'weight_0' is of another size than it says" in refused(other, path)


def test_weights_are_not_unpickled(other: Store, tmp_path: Path) -> None:
    (tmp_path / "w.npz").write_bytes(pickle.dumps({"weight_0": 1}))
    assert "neither a run file nor a weights file" in refused(other, tmp_path / "w.npz")
