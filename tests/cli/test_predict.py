"""`predict`: which digit is on a picture?"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from neuralscope.data import Recipe, load_dataset
from neuralscope.data.preparation import prepared
from neuralscope.data.recipe import usual_recipe
from neuralscope.data.sheet import Stroke, rasterize
from neuralscope.engine import Network
from neuralscope.words import percent

Cli = Callable[..., Any]

WEIGHTS = "trained_weights.npz"
SEVEN = (Stroke(((0.2, 0.2), (0.8, 0.2), (0.45, 0.85))),)


@pytest.fixture
def seven(folder: Path) -> np.ndarray[Any, Any]:
    """Put a picture of a seven in the folder, and return its ink."""
    ink = rasterize(SEVEN)
    Image.fromarray((255 - 255 * ink).astype(np.uint8)).save(folder / "seven.png")
    return ink


def save_network(*sizes: int, **metadata: Any) -> Network:
    network = Network(sizes, rng=np.random.default_rng(0))
    network.save(WEIGHTS, metadata)
    return network


@pytest.mark.parametrize("image_shape", [(28, 28), (8, 8)])
def test_a_picture_becomes_what_the_weights_take(
    cli: Cli, seven: np.ndarray[Any, Any], image_shape: tuple[int, int]
) -> None:
    network = save_network(image_shape[0] * image_shape[1], 12, 10)
    outcome = cli("predict", WEIGHTS, "seven.png", "--json")
    assert outcome.status == 0
    assert outcome.err == ""
    [result] = outcome.json
    expected = network.predict_proba(prepared(seven, usual_recipe(image_shape))[None])[0]
    assert result["image"] == "seven.png"
    assert result["digit"] == str(expected.argmax())
    assert result["probability"] == pytest.approx(expected.max(), abs=0.02)
    assert list(result["probabilities"]) == list("0123456789")
    assert list(result["probabilities"].values()) == pytest.approx(expected.tolist(), abs=0.02)


def test_a_person_gets_the_digit_and_a_table(
    cli: Cli, trained: Any, seven: np.ndarray[Any, Any]
) -> None:
    [result] = cli("predict", WEIGHTS, "seven.png", "--json").json
    lines = cli("predict", WEIGHTS, "seven.png").out.splitlines()
    share = percent(result["probability"])
    assert lines[0] == f"seven.png shows a {result['digit']} ({share})"
    assert [line.split()[0] for line in lines[3:]] == list("0123456789")


def test_many_pictures_get_a_line_each(
    cli: Cli, trained: Any, folder: Path, seven: np.ndarray[Any, Any]
) -> None:
    Image.fromarray((255 * seven.T).astype(np.uint8)).save(folder / "other.jpg")
    outcome = cli("predict", WEIGHTS, "seven.png", "other.jpg")
    lines = outcome.out.splitlines()
    assert [line.split()[0] for line in lines] == ["picture", "seven.png", "other.jpg"]
    assert max(map(len, lines)) <= 80
    assert len(cli("predict", WEIGHTS, "seven.png", "other.jpg", "--json").json) == 2


def test_several_digits_are_told(cli: Cli, trained: Any, folder: Path) -> None:
    one = rasterize((Stroke(((0.5, 0.1), (0.5, 0.9))),))
    Image.fromarray((255 * np.hstack([one, one])).astype(np.uint8)).save(folder / "eleven.png")
    outcome = cli("predict", WEIGHTS, "eleven.png", "--json")
    assert outcome.status == 0
    assert "eleven.png seems to show 2 separate digits" in outcome.complaint
    assert outcome.json[0]["separate_digits"] == 2


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "bad.png: The picture is an empty file."),
        (b"nonsense", "bad.png: The file is damaged, or is not a PNG or JPEG image."),
        (bytes(11 * 2**20), "The picture bad.png cannot be read: it is larger than 10 MB."),
    ],
)
def test_a_bad_picture_is_a_mistake_and_nothing_is_answered(
    cli: Cli, trained: Any, folder: Path, seven: Any, content: bytes, complaint: str
) -> None:
    (folder / "bad.png").write_bytes(content)
    outcome = cli("predict", WEIGHTS, "seven.png", "bad.png", "--json")
    assert outcome.status == 2
    assert outcome.complaint == f"neuralscope predict: {complaint}"
    assert outcome.out == ""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this platform has no named pipes")
def test_a_pipe_is_not_waited_for(cli: Cli, trained: Any, folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    outcome = cli("predict", WEIGHTS, "pipe.png")
    assert outcome.status == 2
    assert "pipe.png cannot be read: it is a pipe or a device" in outcome.complaint


@pytest.mark.parametrize("name", ["gone.png", "folder", "", "x" * 300 + ".png", "nul\0.png"])
def test_what_is_no_file_is_a_mistake(cli: Cli, trained: Any, folder: Path, name: str) -> None:
    (folder / "folder").mkdir()
    outcome = cli("predict", WEIGHTS, name)
    assert outcome.status == 2
    assert outcome.complaint.startswith("neuralscope predict: The picture ")


def test_a_blank_picture_is_a_mistake(cli: Cli, trained: Any, folder: Path) -> None:
    Image.new("L", (50, 50), 255).save(folder / "blank.png")
    outcome = cli("predict", WEIGHTS, "blank.png")
    assert outcome.status == 2
    assert "nothing stands out" in outcome.complaint


def test_no_picture_is_a_mistake(cli: Cli, trained: Any) -> None:
    outcome = cli("predict", WEIGHTS)
    assert outcome.status == 2
    assert "IMAGE" in outcome.complaint


@pytest.mark.parametrize("n_inputs", [6, 785])
def test_weights_for_other_pictures_are_a_mistake(cli: Cli, seven: Any, n_inputs: int) -> None:
    save_network(n_inputs, 10)
    outcome = cli("predict", WEIGHTS, "seven.png")
    assert outcome.status == 2
    assert f"takes {n_inputs} pixels" in outcome.complaint


def test_files_that_are_no_weights_are_a_mistake(cli: Cli, folder: Path, seven: Any) -> None:
    hostile = io.BytesIO()
    np.savez(hostile, weight_0=np.array([print], dtype=object), bias_0=np.zeros(1))
    not_finite = io.BytesIO()
    np.savez(not_finite, weight_0=np.full((64, 10), np.nan), bias_0=np.zeros(10))
    for content in (b"", b"nonsense", hostile.getvalue(), not_finite.getvalue()):
        (folder / WEIGHTS).write_bytes(content)
        outcome = cli("predict", WEIGHTS, "seven.png")
        assert outcome.status == 2
        assert WEIGHTS in outcome.complaint


def test_a_network_without_an_answer_is_a_mistake(cli: Cli, seven: Any) -> None:
    network = Network((64, 10), rng=np.random.default_rng(0))
    network.parameters[...] = 3e38
    network.parameters[::2] = -3e38
    network.save(WEIGHTS)
    outcome = cli("predict", WEIGHTS, "seven.png")
    assert outcome.status in (0, 2)
    if outcome.status == 2:
        assert "does not compute numbers" in outcome.complaint


# How a picture is prepared -----------------------------------------------------------------------


def test_the_recipe_in_the_file_is_followed_where_the_data_is_gone(
    cli: Cli, seven: np.ndarray[Any, Any]
) -> None:
    recipe = Recipe((28, 28), box=(28, 28), center=(14, 14), thickness=6, is_dark_on_light=True)
    names = list("0123456789")
    network = save_network(
        784, 12, 10, dataset="own-gone-00000000", class_names=names, recipe=recipe.as_json()
    )
    [result] = cli("predict", WEIGHTS, "seven.png", "--json").json
    expected = network.predict_proba(prepared(seven, recipe)[None])[0]
    assert list(result["probabilities"].values()) == pytest.approx(expected.tolist(), abs=0.02)


@pytest.mark.parametrize("recipe", [None, "magic", {"box": 7}, usual_recipe((8, 8)).as_json()])
def test_a_recipe_that_cannot_be_is_not_followed(cli: Cli, seven: Any, recipe: Any) -> None:
    network = save_network(784, 12, 10, recipe=recipe)
    [result] = cli("predict", WEIGHTS, "seven.png", "--json").json
    expected = network.predict_proba(prepared(seven, usual_recipe((28, 28)))[None])[0]
    assert list(result["probabilities"].values()) == pytest.approx(expected.tolist(), abs=0.02)


def test_weights_carry_the_recipe_of_their_data(cli: Cli, trained: Any, folder: Path) -> None:
    kept = Network.load(folder / WEIGHTS).metadata["recipe"]
    assert Recipe.from_json(kept) == load_dataset("digits").recipe


def test_a_dot_is_told(cli: Cli, trained: Any, folder: Path) -> None:
    dot = rasterize((Stroke(((0.5, 0.5),)),))
    Image.fromarray((255 - 255 * dot).astype(np.uint8)).save(folder / "dot.png")
    outcome = cli("predict", WEIGHTS, "dot.png", "--json")
    assert outcome.status == 0
    assert "dot.png shows a dot or a blot" in outcome.complaint
