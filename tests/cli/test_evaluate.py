"""`evaluate`: how good is a weights file on a data set?"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralscope.data import load_dataset
from neuralscope.engine import Network

Cli = Callable[..., Any]

WEIGHTS = "trained_weights.npz"


def save_network(*sizes: int, metadata: dict[str, Any] | None = None) -> None:
    Network(sizes, rng=np.random.default_rng(0)).save(WEIGHTS, metadata)


def test_it_agrees_with_training(cli: Cli, trained: Any) -> None:
    outcome = cli("evaluate", WEIGHTS, "--json")
    assert outcome.status == 0
    assert outcome.err == ""
    result = outcome.json
    assert result["dataset"] == "digits"
    assert result["n"] == 360
    assert result["test_accuracy"] == trained["test_accuracy"]
    assert result["test_loss"] == pytest.approx(trained["test_loss"])


@pytest.mark.parametrize(("split", "n"), [("train", 1257), ("validation", 180)])
def test_other_parts_are_named_for_what_they_are(
    cli: Cli, trained: Any, split: str, n: int
) -> None:
    result = cli("evaluate", WEIGHTS, "--split", split, "--json").json
    assert result["n"] == n
    assert f"{split}_accuracy" in result
    assert "test_accuracy" not in result
    if split == "validation":
        assert result["validation_accuracy"] == trained["validation_accuracy"]


def test_every_class_is_counted(cli: Cli, trained: Any) -> None:
    result = cli("evaluate", WEIGHTS, "--json").json
    dataset = load_dataset("digits")
    x = dataset.x_test / np.float32(16)
    predicted = Network.load(WEIGHTS).predict(x)
    for k, each in enumerate(result["per_class"]):
        is_class = dataset.y_test == k
        assert each["class"] == str(k)
        assert each["n"] == is_class.sum()
        assert each["right"] == (predicted[is_class] == k).sum()
        assert each["accuracy"] == pytest.approx(each["right"] / each["n"])
        assert each["right"] == result["confusion"][k][k]
    assert np.sum(result["confusion"]) == 360


def test_the_most_confused_pairs_come_first(cli: Cli, trained: Any) -> None:
    result = cli("evaluate", WEIGHTS, "--json").json
    counts = [pair["n"] for pair in result["confused"]]
    assert counts == sorted(counts, reverse=True)
    assert len(counts) <= 10
    for pair in result["confused"]:
        assert pair["n"] == result["confusion"][int(pair["true"])][int(pair["predicted"])]
        assert pair["true"] != pair["predicted"]


def test_a_person_gets_a_table(cli: Cli, trained: Any) -> None:
    result = cli("evaluate", WEIGHTS, "--json").json
    lines = cli("evaluate", WEIGHTS).out.splitlines()
    assert lines[0] == f"{WEIGHTS} on 360 test images of digits:"
    assert lines[1] == f"test accuracy  {100 * result['test_accuracy']:.2f} %"
    zero = result["per_class"][0]
    row = next(line for line in lines if line.startswith("0 "))
    assert row.split()[:3] == ["0", str(zero["right"]), str(zero["n"])]
    worst = result["confused"][0]
    assert f"{worst['true']} read as {worst['predicted']} ({worst['n']})" in lines[-1]


def test_the_data_set_can_be_named(cli: Cli) -> None:
    save_network(64, 10)
    assert cli("evaluate", WEIGHTS, "--dataset", "digits", "--json").json["n"] == 360


@pytest.mark.parametrize("metadata", [{}, {"dataset": "cats"}, {"dataset": ["digits"]}])
def test_a_file_that_names_no_data_set_needs_one(cli: Cli, metadata: dict[str, Any]) -> None:
    save_network(64, 10, metadata=metadata)
    outcome = cli("evaluate", WEIGHTS)
    assert outcome.status == 2
    assert (
        "name one with --dataset: mnist, fashion-mnist, kuzushiji-mnist, digits."
        in outcome.complaint
    )


@pytest.mark.parametrize(
    ("sizes", "dataset", "complaint"),
    [
        ((784, 10), "digits", "takes 784 pixels, but the images of digits have 64."),
        ((64, 10), "mnist", "takes 64 pixels, but the images of mnist have 784."),
        ((64, 3), "digits", "tells 3 classes apart, but digits has 10."),
        (
            (64, 10),
            "cats",
            "dataset is 'cats', but must be one of mnist, fashion-mnist, kuzushiji-mnist, digits, "
            "or a data set of your own.",
        ),
    ],
)
def test_a_network_that_does_not_fit_is_a_mistake(
    cli: Cli, sizes: tuple[int, ...], dataset: str, complaint: str
) -> None:
    save_network(*sizes, metadata={"dataset": "digits"})
    outcome = cli("evaluate", WEIGHTS, "--dataset", dataset)
    assert outcome.status == 2
    assert outcome.complaint.endswith(complaint)


def test_files_that_are_no_weights_are_a_mistake(cli: Cli, folder: Path) -> None:
    hostile = io.BytesIO()
    np.savez(hostile, weight_0=np.array([print], dtype=object), bias_0=np.zeros(1))
    for content in (b"", b"nonsense", hostile.getvalue()):
        (folder / WEIGHTS).write_bytes(content)
        outcome = cli("evaluate", WEIGHTS)
        assert outcome.status == 2
        assert WEIGHTS in outcome.complaint
    assert "There is no weights file gone.npz." in cli("evaluate", "gone.npz").complaint


def test_a_class_that_is_never_right_is_told_in_json(cli: Cli) -> None:
    network = Network((64, 10), initializer="zeros", rng=np.random.default_rng(0))
    network.layers[0].bias[3] = 1.0
    network.save(WEIGHTS)
    result = cli("evaluate", WEIGHTS, "--dataset", "digits", "--json").json
    assert [each["accuracy"] for each in result["per_class"]] == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]


def test_a_loss_beyond_all_numbers_is_null_in_json(cli: Cli) -> None:
    network = Network((64, 10), rng=np.random.default_rng(0))
    network.parameters[...] = np.linspace(-3e38, 3e38, network.parameters.size)
    network.save(WEIGHTS)
    outcome = cli("evaluate", WEIGHTS, "--dataset", "digits", "--json")
    assert outcome.status == 0
    assert outcome.json["test_loss"] is None
