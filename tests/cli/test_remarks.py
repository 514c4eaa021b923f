"""`runs tag`, `untag`, `note`, `star`, `rename` and `archive`: what people say of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neuralscope.runs import Run, RunConfig, Store
from neuralscope.runs.records import LONGEST_NAME, LONGEST_NOTES, LONGEST_TAG
from tests.writing import owner

Cli = Callable[..., Any]


@pytest.fixture
def run_id(run_store: Path) -> str:
    """Return a run of which nothing has been said."""
    with Store(run_store) as store:
        run_id = store.create(RunConfig("digits"))
        owner(store, run_id).end("finished")
    return run_id


def stored(path: Path, run_id: str) -> Run:
    with Store(path) as store:
        return store.run(run_id)


def test_tags_are_added_and_taken_away(cli: Cli, run_store: Path, run_id: str) -> None:
    outcome = cli("runs", "tag", run_id, "good", "for class")
    assert outcome.out == f"Run {run_id} is tagged good, for class.\n"
    cli("runs", "tag", run_id, "good", "third")
    assert stored(run_store, run_id).tags == ("good", "for class", "third")
    assert cli("runs", "untag", run_id, "good", "third", "--json").json["tags"] == ["for class"]
    assert cli("runs", "untag", run_id, "for class").out == f"Run {run_id} has no tags.\n"


def test_a_note_is_written_and_removed(cli: Cli, run_store: Path, run_id: str) -> None:
    assert cli("runs", "note", run_id, "two\nlines").out == f"Run {run_id} has a note.\n"
    assert stored(run_store, run_id).notes == "two\nlines"
    assert cli("runs", "note", run_id, "").out == f"Run {run_id} has no note.\n"
    assert stored(run_store, run_id).notes == ""


@pytest.mark.parametrize("mark", ["star", "archive"])
def test_marks_are_set_and_removed(cli: Cli, run_store: Path, run_id: str, mark: str) -> None:
    field = {"star": "starred", "archive": "archived"}[mark]
    assert cli("runs", mark, run_id).out == f"Run {run_id} is {field}.\n"
    assert getattr(stored(run_store, run_id), field)
    assert cli("runs", f"un{mark}", run_id, "--json").json[field] is False
    assert not getattr(stored(run_store, run_id), field)


def test_a_run_is_renamed_and_gets_its_own_name_back(
    cli: Cli, run_store: Path, run_id: str
) -> None:
    before = stored(run_store, run_id).name
    assert cli("runs", "rename", run_id, "my best").out == f"Run {run_id} is called my best.\n"
    assert stored(run_store, run_id).name == "my best"
    assert cli("runs", "rename", run_id, "", "--json").json["name"] == before


def test_the_beginning_of_an_id_is_enough(cli: Cli, run_store: Path, run_id: str) -> None:
    assert cli("runs", "star", run_id[:10], "--json").json["run_id"] == run_id


def test_what_was_said_is_listed_and_shown(
    cli: Cli, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for command in (["tag", run_id, "good"], ["note", run_id, "see below"], ["star", run_id]):
        cli("runs", *command)
    assert cli("runs", "list").out.endswith(", digits #good starred\n")
    shown = cli("runs", "show", run_id).out
    for line in ("tags         good", "note         see below", "marks        starred"):
        assert f"\n{line}\n" in shown


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (["tag", "RUN", "x" * (LONGEST_TAG + 1)], "This tag has 41 characters"),
        (["rename", "RUN", "x" * (LONGEST_NAME + 1)], "This name has 201 characters"),
        (["note", "RUN", "x" * (LONGEST_NOTES + 1)], "This note has 20,001 characters"),
        (["tag", "RUN", *map(str, range(51))], "These are 51 tags"),
        (["untag", "RUN", "gone"], "has no tag 'gone': it has no tags"),
        (["star", "1999"], "There is no run '1999'"),
        (["tag", "RUN"], "the following arguments are required: TAG"),
    ],
)
def test_a_mistake_is_answered_with_one_line(
    cli: Cli, run_store: Path, run_id: str, command: list[str], complaint: str
) -> None:
    before = stored(run_store, run_id)
    outcome = cli("runs", *(run_id if each == "RUN" else each for each in command))
    assert outcome.status == 2
    assert complaint in outcome.complaint
    assert stored(run_store, run_id) == before
