"""The line on standard error: drawn in place on a terminal, elsewhere only what stays."""

from __future__ import annotations

import io
from typing import Any

import pytest

from neuralscope.cli.status_line import StatusLine


def test_a_line_is_drawn_over_what_stood_there(terminal: Any) -> None:
    line = StatusLine(terminal)
    line.show("a long text")
    line.show("short")
    assert terminal.screen() == ["short"]
    line.say("this stays")
    line.show("more")
    line.clear()
    assert terminal.screen() == ["this stays", ""]


def test_a_line_is_cut_where_the_terminal_ends(terminal: Any) -> None:
    line = StatusLine(terminal)
    line.show("x" * 200)
    assert len(terminal.screen()[0]) == line.width == 79


def test_without_a_terminal_nothing_is_drawn() -> None:
    stream = io.StringIO()
    line = StatusLine(stream)
    line.show("drawn")
    line.say("said")
    line.clear()
    assert stream.getvalue() == "said\n"


def test_a_line_that_nobody_reads_is_given_up(
    terminal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(text: str) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(terminal, "write", fail)
    line = StatusLine(terminal)
    line.say("hello")
    assert not line.is_live
    for silent in (line, StatusLine(None)):
        silent.show("hello")
        silent.say("hello")
        silent.clear()
