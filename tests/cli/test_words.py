"""Numbers, times and text as people read them in a terminal."""

from __future__ import annotations

import time

import pytest

from neuralscope.cli.words import age, duration, number, one_line


def test_times_are_in_the_unit_that_fits() -> None:
    assert [duration(s) for s in (0, 7.25, 59.4, 59.6, 83, 3599.7, 10_862)] == [
        "0.0 s",
        "7.2 s",
        "59 s",
        "1:00 min",
        "1:23 min",
        "1:00 h",
        "3:01 h",
    ]


def test_ages_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1e6)
    ages = [age(1e6 - s) for s in (-5, 59, 60, 3599, 7200, 200_000)]
    assert ages == ["0 s", "59 s", "1 min", "59 min", "2 h", "2 d"]


def test_text_of_others_cannot_steer_the_terminal() -> None:
    assert one_line("a\nb\t\x1b[2J c\u202e") == "a b [2J c"


def test_a_loss_that_blew_up_is_short() -> None:
    assert [number(loss) for loss in (0.04321, 99_999.0, 3.97e27, None)] == [
        "0.0432",
        "99999.0000",
        "3.97e+27",
        "-",
    ]
