"""`lr-find`: the loss over the rate, and which rate to take."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neuralscope.cli.lr_find import BLOWN_UP, COLUMNS, RAW, SMOOTHED, SUGGESTED, draw
from neuralscope.engine import RateTried, Suggestion, suggest_rate
from neuralscope.errors import DataUnavailable
from neuralscope.runs import SETTINGS

Cli = Callable[..., Any]

FIND = ("lr-find", "--dataset", "digits", "--hidden", "16")


def test_a_person_gets_a_picture_a_rate_and_its_reason(cli: Cli) -> None:
    outcome = cli(*FIND)
    lines = outcome.out.splitlines()
    assert outcome.status == 0
    assert outcome.err == ""
    assert lines[0] == "loss over learning rate (logarithmic)"
    assert lines[-2].startswith("learning rate  0.")
    assert lines[-1].startswith("The loss falls fastest around 0.")


def test_the_picture_is_plain_and_fits(cli: Cli) -> None:
    out = cli(*FIND).out
    assert out.isascii()
    assert "\x1b" not in out
    *picture, _reason = out.splitlines()
    assert max(map(len, picture)) <= COLUMNS
    for mark in (RAW, SMOOTHED, SUGGESTED, BLOWN_UP):
        assert sum(line.count(mark) for line in picture) > 1


def test_programs_get_the_same_as_one_value(cli: Cli) -> None:
    outcome = cli(*FIND, "--json")
    (line,) = outcome.out.splitlines()
    result = json.loads(line)
    tried = [RateTried(**each) for each in result["tried"]]
    assert (result["learning_rate"], result["reason"]) == suggest_rate(tried)[:2]
    assert result["blown_up"] == tried[-1].rate
    assert result["config"]["hidden"] == [16]
    assert "learning_rate" not in result["config"]
    assert cli(*FIND).out.splitlines()[-1] == result["reason"]


def test_steps_can_be_had_as_they_are_taken(cli: Cli) -> None:
    *steps, last = (json.loads(line) for line in cli(*FIND, "--json", "--stream").out.splitlines())
    assert steps == last["tried"]


def test_every_setting_but_the_rate_has_a_flag(cli: Cli) -> None:
    text = " ".join(cli("lr-find", "--help").out.split())
    for field in SETTINGS:
        assert (f"--{field.replace('_', '-')} " in text) == (field != "learning_rate")


def test_the_same_settings_give_the_same_test(cli: Cli) -> None:
    first, again, other = (cli(*FIND, "--json", "--seed", seed).json for seed in ("7", "7", "8"))
    assert first == again
    assert first["tried"] != other["tried"]


def test_no_run_is_stored(cli: Cli, run_store: Path, folder: Path) -> None:
    cli(*FIND)
    assert not run_store.exists()
    assert list(folder.iterdir()) == []


def test_a_network_that_cannot_learn_is_told_of(cli: Cli) -> None:
    outcome = cli(*FIND, "--initializer", "zeros")
    assert outcome.status == 0
    assert "learning rate  -" in outcome.out
    assert "does not fall far below 2.30" in outcome.out
    assert cli(*FIND, "--initializer", "zeros", "--json").json["learning_rate"] is None


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("--learning-rate 0.1", "unrecognized arguments: --learning-rate 0.1"),
        ("--batch-size 0", "batch_size is 0, but must be a whole number from 1 to 1024."),
        ("--warmup-epochs 3 --epochs 3", "warmup_epochs is 3, but must be less than the 3 epochs."),
    ],
)
def test_a_bad_argument_is_answered_with_one_line(cli: Cli, arguments: str, complaint: str) -> None:
    outcome = cli("lr-find", *arguments.split())
    assert outcome.status == 2
    assert outcome.complaint == f"neuralscope lr-find: {complaint}"
    assert outcome.out == ""


def test_data_that_cannot_be_had_is_a_failure(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, **_: object) -> None:
        raise DataUnavailable("OpenML is down.")

    monkeypatch.setattr("neuralscope.data.load_dataset", refuse)
    outcome = cli("lr-find", "--dataset", "mnist")
    assert outcome.status == 1
    assert outcome.complaint.startswith(
        "neuralscope lr-find: OpenML is down. To bring MNIST here, fetch it on a machine with "
    )
    assert outcome.out == ""


def test_it_can_be_interrupted(start: Cli, eventually: Callable[..., Any], tmp_path: Path) -> None:
    told = tmp_path / "told"
    with told.open("w") as stream:
        process = start(
            *("lr-find", "--dataset", "digits", "--json", "--stream", "--batch-size", "1024"),
            *("--hidden", "1024", "1024", "1024"),
            streams={"stdout": stream},
        )
        eventually(lambda: told.stat().st_size > 0)
        process.send_signal(signal.SIGINT)
        outcome = process.outcome()
    assert outcome.status == 130
    assert outcome.complaint == "neuralscope lr-find: interrupted."


# The picture --------------------------------------------------------------------------------------


def plot(lines: list[str]) -> list[str]:
    return [line.partition("|")[2] for line in lines if "|" in line]


def test_a_rate_stands_over_its_place_on_the_axis() -> None:
    tried = [RateTried(10.0**power, 2.0, 2.0) for power in range(-6, 3)]
    lines = draw(tried, Suggestion(0.01, "", 0.01, None), rows=4)
    axis = next(line for line in lines if "+-" in line)
    names = lines[lines.index(axis) + 1]
    ticks = [i for i, letter in enumerate(axis) if letter == "+"][1:]
    assert names.split() == ["1e-06", "1e-05", "0.0001", "0.001", "0.01", "0.1", "1", "10", "100"]
    at = next(line for line in lines if line.count("|") == 2).rindex("|")
    assert at == ticks[4]
    assert names[at - 2 : at + 2] == "0.01"


def test_a_high_loss_stands_high_and_one_beyond_is_cut_off() -> None:
    tried = [RateTried(1e-6, 2.0, 2.0), RateTried(1e-2, 0.0, 0.0), RateTried(1.0, 99.0, 99.0)]
    rows = plot(draw(tried, Suggestion(None, "", None, None), rows=7))
    assert [row.strip() for row in rows[:7]] == ["", "", SMOOTHED, "", "", "", SMOOTHED]


def test_a_test_that_blew_up_at_once_is_drawn_too() -> None:
    inf = float("inf")
    lines = draw([RateTried(1e-6, inf, inf)], Suggestion(None, "", None, 1e-6))
    assert plot(lines)[0] == BLOWN_UP
