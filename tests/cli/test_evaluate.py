"""`evaluate`: how good is a weights file on a data set?"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralscope.data import load_dataset, own_datasets
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


def digits_csv(path: Path, names: dict[str, str], *, leave_out: str = "") -> int:
    """Write test digits as a CSV file, its classes under other names; return how many."""
    dataset = load_dataset("digits")
    rows = ["label," + ",".join(f"pixel{i}" for i in range(64))]
    for picture, label in zip(dataset.x_test.tolist(), dataset.y_test.tolist(), strict=True):
        if str(label) != leave_out:
            rows.append(",".join(map(str, [names.get(str(label), label), *picture])))
    path.write_text("\n".join(rows))
    return len(rows) - 1


class TestAFileToTestOn:
    def test_all_of_it_is_measured_and_nothing_is_kept(
        self, cli: Cli, trained: Any, folder: Path
    ) -> None:
        n = digits_csv(folder / "mine.csv", {}, leave_out="8")
        before = list(own_datasets())
        outcome = cli("evaluate", WEIGHTS, "--dataset", "mine.csv", "--json")
        assert outcome.err == "label: column 1 'label', 9 classes\n"
        result = outcome.json
        assert result["n"] == n
        assert (result["dataset"], result["split"]) == ("mine.csv", "test")
        assert result["absent"] == ["8"]
        assert [each["class"] for each in result["per_class"]] == list("0123456789")
        assert result["per_class"][8] == {"class": "8", "n": 0, "right": 0, "accuracy": None}
        own = cli("evaluate", WEIGHTS, "--json").json
        assert own["absent"] == []
        for k in (0, 1, 9):
            assert result["per_class"][k] == own["per_class"][k]
        assert list(own_datasets()) == before
        lines = cli("evaluate", WEIGHTS, "--dataset", "mine.csv").out.splitlines()
        assert lines[0] == f"{WEIGHTS} on all {n} images of mine.csv:"
        assert lines[-1] == "No images of 8: not measured."

    def test_pale_pictures_are_as_pale_as_in_training(
        self, cli: Cli, trained: Any, folder: Path
    ) -> None:
        dataset = load_dataset("digits")
        np.savez("pale.npz", x=dataset.x_test // 2, y=dataset.y_test)
        result = cli("evaluate", WEIGHTS, "--dataset", "pale.npz", "--json").json
        right = Network.load(WEIGHTS).predict((dataset.x_test // 2) / np.float32(16))
        assert result["test_accuracy"] == pytest.approx((right == dataset.y_test).mean())

    def test_ten_that_may_stand_for_zero_is_asked_about(
        self, cli: Cli, trained: Any, folder: Path
    ) -> None:
        digits_csv(folder / "matlab.csv", {"0": "10"})
        command = ("evaluate", WEIGHTS, "--dataset", "matlab.csv")
        outcome = cli(*command)
        assert outcome.status == 2
        assert outcome.err.endswith(
            "matlab.csv has a class that the network does not know: 10. It knows 0, 1, 2, 3, 4, "
            "5, 6, 7, 8, 9. If 10 stands for 0, add --rename-class 10=0.\n"
        )
        renamed = cli(*command, "--rename-class", "10=0", "--json").json
        own = cli("evaluate", WEIGHTS, "--json").json
        assert renamed["per_class"] == own["per_class"]

    def test_so_it_is_where_the_weights_name_no_classes(self, cli: Cli, folder: Path) -> None:
        save_network(64, 10)
        digits_csv(folder / "matlab.csv", {"0": "10"})
        assert "--rename-class 10=0" in cli("evaluate", WEIGHTS, "--dataset", "matlab.csv").err

    def test_classes_are_matched_by_name_whatever_their_order(self, cli: Cli, folder: Path) -> None:
        network = Network((64, 3), initializer="zeros", rng=np.random.default_rng(0))
        network.layers[0].bias[0] = 1.0
        network.save(WEIGHTS, {"class_names": ["zebra", "ant", "cat"]})
        x = np.arange(64 * 6).reshape(6, 8, 8) % 256
        np.savez("zoo.npz", x=x, y=np.array(["zebra", "cat"] * 3))
        result = cli("evaluate", WEIGHTS, "--dataset", "zoo.npz", "--json").json
        assert result["absent"] == ["ant"]
        assert [each["right"] for each in result["per_class"]] == [3, 0, 0]

    @pytest.mark.parametrize("dataset", ["zoo.npz", "fashion-mnist"])
    def test_classes_that_match_none_are_named(self, cli: Cli, folder: Path, dataset: str) -> None:
        save_network(784, 10, metadata={"class_names": list("0123456789")})
        x = np.arange(784 * 6).reshape(6, 28, 28) % 256
        np.savez("zoo.npz", x=x, y=np.array(["Bag", "Coat"] * 3))
        outcome = cli("evaluate", WEIGHTS, "--dataset", dataset)
        assert outcome.status == 2
        assert "classes that the network does not know: " in outcome.complaint
        assert "Bag" in outcome.complaint and "--rename-class OLD=NEW" in outcome.complaint

    def test_pictures_it_has_learned_from_are_told(
        self, cli: Cli, trained: Any, folder: Path
    ) -> None:
        dataset = load_dataset("digits")
        x = np.concatenate([dataset.x_train[:30], dataset.x_test[:20]])
        np.savez("some.npz", x=x, y=np.concatenate([dataset.y_train[:30], dataset.y_test[:20]]))
        command = ("evaluate", WEIGHTS, "--dataset", "some.npz")
        assert cli(*command, "--json").json["in_training_data"] == 30
        assert cli(*command).out.splitlines()[-1].startswith("30 of these images were in the train")

    def test_pictures_of_another_shape_with_as_many_pixels_do_not_fit(
        self, cli: Cli, folder: Path
    ) -> None:
        save_network(6, 2, metadata={"image_shape": [2, 3], "class_names": ["0", "1"]})
        x = np.arange(60).reshape(10, 3, 2)
        np.savez("tall.npz", x=x, y=np.arange(10) % 2)
        command = ("evaluate", WEIGHTS, "--dataset", "tall.npz")
        assert "takes images of 2 x 3 pixels, but those of tall.npz have 3 x 2" in cli(*command).err
        assert cli(*command, "--orientation", "left").status == 0

    @pytest.mark.parametrize(
        ("flags", "complaint"),
        [
            (("--split", "train"), "is measured as a whole: leave out --split."),
            (("--rename-class", "10"), "--rename-class 10 must be OLD=NEW, such as 10=0."),
            (("--rename-class", "x=0"), "mine.csv has no class 'x'; it has 0, 1, 2, 3,"),
        ],
    )
    def test_flags_that_cannot_be_meant(
        self, cli: Cli, trained: Any, folder: Path, flags: tuple[str, ...], complaint: str
    ) -> None:
        digits_csv(folder / "mine.csv", {})
        outcome = cli("evaluate", WEIGHTS, "--dataset", "mine.csv", *flags)
        assert outcome.status == 2
        assert complaint in outcome.err


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
