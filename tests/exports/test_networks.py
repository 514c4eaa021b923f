"""The exported networks say what the network says: weights file, ONNX model, Python script."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from neuralscope import exports
from neuralscope.data import Dataset, scaled
from neuralscope.engine import ACTIVATIONS, Network
from neuralscope.errors import TransferError
from neuralscope.exports import onnx_model, script
from neuralscope.exports.trained import last_network
from neuralscope.runs import Run, Store

Train = Callable[..., Run]

ARCHITECTURES = [
    *({"hidden": (8,), "activation": name} for name in ACTIVATIONS),
    {"hidden": ()},
    {"hidden": (9, 7), "activation": ("tanh", "leaky_relu")},
    {"hidden": (9, 8, 7), "activation": ("sigmoid", "relu", "tanh")},
]


def expected(store: Store, run: Run, data: Dataset) -> npt.NDArray[np.float32]:
    network = last_network(store, run.run_id).network
    return network.predict_proba(scaled(data.x_test, data.pixel_max))


def test_every_activation_has_a_line_of_numpy_and_an_operator() -> None:
    assert set(script.ACTIVATIONS) == set(onnx_model.OPERATORS) == set(ACTIVATIONS)


# Weights


def test_a_weights_file_is_the_network_and_tells_where_it_comes_from(
    store: Store, train: Train, digits: Dataset, tmp_path: Path
) -> None:
    run = train(hidden=(9, 7), activation=("tanh", "relu"))
    exports.write(store, run.run_id, "npz", tmp_path / "weights.npz")
    network = Network.load(tmp_path / "weights.npz")
    x = scaled(digits.x_test, digits.pixel_max)
    np.testing.assert_array_equal(network.predict_proba(x), expected(store, run, digits))
    assert np.mean(network.predict(x) == digits.y_test) == run.test_accuracy
    assert network.metadata["run_id"] == run.run_id
    assert network.metadata["dataset"] == "digits"
    assert network.metadata["class_names"] == list(digits.class_names)


def test_a_run_whose_best_epoch_was_restored_gives_that_network(
    store: Store, train: Train, digits: Dataset
) -> None:
    run = train(epochs=30, patience=2, learning_rate=2.0)
    assert run.best_epoch is not None and run.best_epoch < run.epoch
    answers = expected(store, run, digits).argmax(axis=1)
    assert np.mean(answers == digits.y_test) == run.test_accuracy


# ONNX


@pytest.fixture
def answer() -> Callable[[Path, npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
    runtime = pytest.importorskip("onnxruntime")

    def answer(path: Path, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        assert [each.name for each in session.get_inputs()] == ["pixels"]
        (probabilities,) = session.run(["probabilities"], {"pixels": x})
        return np.asarray(probabilities)

    return answer


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_an_onnx_model_gives_the_same_probabilities(
    architecture: dict[str, Any],
    store: Store,
    train: Train,
    digits: Dataset,
    tmp_path: Path,
    answer: Callable[..., npt.NDArray[np.float32]],
) -> None:
    run = train(**architecture)
    exports.write(store, run.run_id, "onnx", tmp_path / "network.onnx")
    x = scaled(digits.x_test, digits.pixel_max)
    found = answer(tmp_path / "network.onnx", x)
    np.testing.assert_allclose(found, expected(store, run, digits), rtol=0, atol=1e-5)
    # Any number of pictures at once, one included.
    np.testing.assert_allclose(answer(tmp_path / "network.onnx", x[:1]), found[:1], atol=1e-6)


def test_an_onnx_model_tells_what_its_pixels_and_classes_are(
    store: Store, train: Train, tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx")
    run = train()
    exports.write(store, run.run_id, "onnx", tmp_path / "network.onnx")
    model = onnx.load(str(tmp_path / "network.onnx"))
    about = {each.key: json.loads(each.value) for each in model.metadata_props}
    assert about["image_shape"] == [8, 8]
    assert about["class_names"] == [str(i) for i in range(10)]
    assert about["run_id"] == run.run_id


def test_without_the_package_onnx_a_sentence_says_how_to_get_it(
    store: Store, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train()
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(TransferError, match=r"need the package onnx: python -m pip install"):
        exports.write(store, run.run_id, "onnx", tmp_path / "network.onnx")
    assert not (tmp_path / "network.onnx").exists()


# Python


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Path]:
    """A folder from which our own package cannot be seen."""
    folder = tmp_path / "apart"
    folder.mkdir()
    yield folder


def run_python(folder: Path, *arguments: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-I", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return ended.stdout


PREDICT = """
import runpy, sys, numpy as np
assert "neuralscope" not in sys.modules
network = runpy.run_path("network.py")
assert "neuralscope" not in sys.modules
np.save("answers.npy", network["predict_proba"](np.load("pictures.npy")))
"""


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_a_script_predicts_like_the_network_with_numpy_alone(
    architecture: dict[str, Any], store: Store, train: Train, digits: Dataset, apart: Path
) -> None:
    run = train(**architecture)
    exports.write(store, run.run_id, "python", apart / "network.py")
    np.save(apart / "pictures.npy", digits.x_test.reshape(-1, 8, 8))
    run_python(apart, "-c", PREDICT)
    found = np.load(apart / "answers.npy")
    np.testing.assert_allclose(found, expected(store, run, digits), rtol=0, atol=1e-6)


def test_a_script_says_what_is_on_pictures(
    store: Store, train: Train, digits: Dataset, apart: Path
) -> None:
    run = train(epochs=20)
    exports.write(store, run.run_id, "python", apart / "network.py")
    np.save(apart / "pictures.npy", digits.x_test[:3])
    said = run_python(apart, "network.py", "pictures.npy").splitlines()
    probabilities = expected(store, run, digits)[:3]
    best = probabilities.argmax(axis=1)
    assert said == [f"{best[i]}  {100 * probabilities[i, best[i]]:.2f} %" for i in range(3)]


def test_a_script_is_short_and_readable(store: Store, train: Train, tmp_path: Path) -> None:
    exports.write(store, train(hidden=(64,)).run_id, "python", tmp_path / "network.py")
    lines = (tmp_path / "network.py").read_text().splitlines()
    assert len(lines) < 80
    assert all(len(line) <= 100 for line in lines if not line.startswith("PARAMETERS"))


@pytest.mark.parametrize(
    "name",
    [
        '"""\nraise SystemExit(1)\n"""',
        "'; raise SystemExit(1) #",
        "{run_id}",
        "\\",
        "\N{SNOWMAN}\0",
    ],
)
def test_no_name_becomes_code(
    name: str, store: Store, train: Train, digits: Dataset, apart: Path
) -> None:
    run = train(name)
    exports.write(store, run.run_id, "python", apart / "network.py")
    program = "import json, runpy; print(json.dumps(runpy.run_path('network.py')['NAME']))"
    assert json.loads(run_python(apart, "-c", program)) == store.run(run.run_id).name
