"""`view`: a test digit in the terminal, and how a network reads it."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralscope.cli import view
from neuralscope.data import load_dataset
from neuralscope.engine import Network
from neuralscope.words import percent

Cli = Callable[..., Any]

WEIGHTS = "trained_weights.npz"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let this stand on standard input."""

    def typed(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    return typed


def network(*sizes: int, activation: str = "relu") -> Network:
    return Network(sizes, activation=activation, rng=np.random.default_rng(0))


def described(net: Network, letters: view.Letters = view.ASCII, columns: int = 80) -> list[str]:
    return view.describe(net, load_dataset("digits"), 3, letters, columns=columns)


def test_it_shows_digit_layers_answer_and_truth(cli: Cli, trained: Any, typed: Any) -> None:
    typed("")
    outcome = cli("view", WEIGHTS, "--seed", "1")
    assert outcome.status == 0
    assert outcome.err == ""
    data = load_dataset("digits")
    found = re.match(r"Test digit (\d+) of digits, a (\d):\n", outcome.out)
    assert found
    index, true = int(found[1]), int(found[2])
    assert true == data.y_test[index]
    probabilities = Network.load(WEIGHTS).predict_proba(data.x_test[index][None] / np.float32(16))[
        0
    ]
    answer = int(probabilities.argmax())
    for k, share in enumerate(probabilities):
        bar = round(24 * float(share))
        line = next(line for line in outcome.out.splitlines() if f" {k}  " in line[10:24])
        assert line.count("█", 20) == bar
        assert f" {percent(share)}" in line
        assert ("answer" in line) == (k == answer)
        assert ("true" in line) == (k == true)
    assert "Hidden layer 1, 16 relu units" in outcome.out
    verdict = "right." if answer == true else f"wrong, it is a {true}."
    assert outcome.out.splitlines()[-1] == f"Read as {answer}: {verdict}"


def test_the_same_seed_draws_the_same_digits(cli: Cli, trained: Any, typed: Any) -> None:
    shown = []
    for seed in ("7", "7", "8"):
        typed("\n\n")
        shown.append(cli("view", WEIGHTS, "--seed", seed).out)
    assert shown[0] == shown[1] != shown[2]


@pytest.mark.parametrize(
    ("text", "n_digits"), [("", 1), ("\n", 2), ("\n\n\n", 4), ("q\n\n\n", 1), ("\nQ\n\n", 2)]
)
def test_enter_shows_another_and_q_or_the_end_quits(
    cli: Cli, trained: Any, typed: Any, text: str, n_digits: int
) -> None:
    typed(text)
    outcome = cli("view", WEIGHTS)
    assert outcome.status == 0
    assert outcome.out.count("Test digit") == n_digits


def test_a_file_to_view_is_a_test_set(cli: Cli, trained: Any, typed: Any, folder: Path) -> None:
    typed("")
    np.savez("one.npz", x=load_dataset("digits").x_test[:1].reshape(1, 8, 8), y=np.array([7]))
    outcome = cli("view", WEIGHTS, "--dataset", "one.npz")
    assert outcome.status == 0
    assert outcome.out.startswith("Test picture 0 of one.npz, a 7:\n")


def test_without_standard_input_one_digit_is_shown(
    cli: Cli, trained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    outcome = cli("view", WEIGHTS)
    assert outcome.status == 0
    assert outcome.out.count("Test digit") == 1


@pytest.mark.parametrize("columns", [80, 100, 60, 40])
def test_it_fits_the_terminal(columns: int) -> None:
    for net in (network(64, 1024, 10), network(64, 10), network(64, 300, 7, 10, activation="tanh")):
        assert max(map(len, described(net, view.BLOCKS, columns))) <= columns


def test_pixels_of_28_by_28_are_put_together_two_by_two() -> None:
    lines = view._picture(np.ones((28, 28)), view.ASCII, 80)
    assert lines == ["#" * 28] * 14
    assert view._picture(np.eye(2), view.ASCII, 80) == ["##  ", "  ##"]


def test_the_strongest_unit_is_the_highest() -> None:
    values = np.array([0.0, 1.0, 2.0, 4.0])
    title, heights = view._layer(values, "Layer", "relu", view.ASCII, 80)
    assert title == "Layer, 4 relu units, 3 active, the strongest 4:"
    assert heights == " :=@".replace("=", view._level(0.5, view.ASCII.heights))
    title, heights = view._layer(np.array([-2.0, 0.0, 2.0]), "Layer", "tanh", view.ASCII, 80)
    assert "from -2 (lowest) to 2 (highest)" in title
    assert (heights[0], heights[-1]) == (" ", "@")


def test_units_that_do_nothing_or_are_no_numbers_are_told() -> None:
    assert view._layer(np.zeros(5), "Layer", "relu", view.ASCII, 80) == [
        "Layer, 5 relu units: none is active"
    ]
    assert "not a number" in view._layer(np.full(5, np.nan), "L", "relu", view.ASCII, 80)[0]


def test_a_network_that_diverged_has_no_answer() -> None:
    net = network(64, 8, 10)
    net.parameters[...] = np.nan
    lines = described(net)
    assert lines[-1] == "The network no longer computes numbers, so it has no answer."


# Terminals ---------------------------------------------------------------------------------------


def start(*arguments: str, stdin: Any = subprocess.DEVNULL, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "neuralscope", "view", WEIGHTS, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def test_ascii_does_where_there_are_no_blocks(trained: Any) -> None:
    out, err = start("--seed", "1", PYTHONIOENCODING="ascii").communicate()
    assert out.isascii() and "#" in out and "\\u" not in out
    assert err == ""


def test_a_pipe_gets_no_colours_and_no_question(trained: Any) -> None:
    process = start("--seed", "1", stdin=subprocess.PIPE)
    out, _ = process.communicate("\n")
    assert process.returncode == 0
    assert "\x1b" not in out and "Enter for another" not in out
    assert out.count("Test digit") == 2


def test_ctrl_c_interrupts(trained: Any) -> None:
    process = start(stdin=subprocess.PIPE)
    assert process.stdout is not None
    while "Read as" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == "neuralscope view: interrupted.\n"


class Screen(io.TextIOWrapper):
    """A terminal of a certain encoding."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("variables", "colors"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colours_are_for_a_terminal_that_wants_them(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], colors: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert view.letters_for(Screen("utf-8")).colors == colors
    assert not view.letters_for(io.StringIO()).colors


@pytest.mark.parametrize(
    ("encoding", "shades"), [("utf-8", view.BLOCKS), ("ascii", view.ASCII), ("latin-1", view.ASCII)]
)
def test_the_encoding_decides_the_letters(encoding: str, shades: view.Letters) -> None:
    assert view.letters_for(Screen(encoding)).shades == shades.shades


# Mistakes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--seed", "-1"], "'-1' is not a whole number from 0"),
        (["--seed", "x"], "'x' is not a whole number from 0"),
        (["--seed", "9" * 5000], "is not a whole number from 0"),
        (
            ["--dataset", "cats"],
            "dataset is 'cats', but must be one of mnist, fashion-mnist, kuzushiji-mnist, digits, "
            "or a data set of your own.",
        ),
        (["--dataset", "mnist"], "takes 64 pixels, but the images of mnist have 784."),
    ],
)
def test_a_bad_argument_is_a_mistake(
    cli: Cli, trained: Any, arguments: list[str], complaint: str
) -> None:
    outcome = cli("view", WEIGHTS, *arguments)
    assert outcome.status == 2
    assert complaint in outcome.complaint
    assert outcome.out == ""


def test_files_that_are_no_weights_are_a_mistake(cli: Cli, folder: Path) -> None:
    hostile = io.BytesIO()
    np.savez(hostile, weight_0=np.array([print], dtype=object), bias_0=np.zeros(1))
    for content in (b"", b"nonsense", hostile.getvalue()):
        (folder / WEIGHTS).write_bytes(content)
        outcome = cli("view", WEIGHTS, "--dataset", "digits")
        assert outcome.status == 2
        assert WEIGHTS in outcome.complaint
    assert "There is no weights file gone.npz." in cli("view", "gone.npz").complaint


def test_pictures_of_any_shape_fit_into_the_columns() -> None:
    tall = view._picture(np.ones((29, 12)), view.ASCII, 80)
    assert len(tall) == 15 and set(tall[0]) == {"#"} and set(tall[-1]) == {":"}
    wide = view._picture(np.ones((5, 60)), view.ASCII, 80)
    assert (len(wide), len(wide[0])) == (3, 60)


def test_of_very_many_classes_the_likeliest_are_shown_and_the_true_one() -> None:
    probabilities = np.full(100, 0.001)
    probabilities[70:80] = 0.09
    names = [f"class number {k} of a hundred" for k in range(100)]
    lines = view._answer(probabilities, 5, names, view.ASCII, 24)
    assert len(lines) <= view.MOST_ANSWERS + 1
    assert sum("true" in line for line in lines) == 1
    assert max(map(len, lines)) < 80
