"""`runs list`, `runs show` and `runs delete`."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neuralscope.runs import Run, RunConfig, Store
from neuralscope.runs.last_words import LOG_NAME
from tests.writing import owner

Cli = Callable[..., Any]

SMALL = RunConfig(dataset="digits", hidden=(8,), epochs=3)


def make_runs(path: Path, *names: str, status: str = "finished") -> list[str]:
    """Add runs that have come to an end, oldest first."""
    with Store(path) as store:
        run_ids = [store.create(SMALL, name) for name in names]
        for run_id in run_ids:
            owner(store, run_id).end(status)
    return run_ids


def ids_in(path: Path) -> set[str]:
    with Store(path) as store:
        return {run.run_id for run in store.runs()}


@pytest.fixture
def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have a person type something."""

    def type_in(text: str) -> None:
        class Keyboard(io.StringIO):
            def isatty(self) -> bool:
                return True

        monkeypatch.setattr("sys.stdin", Keyboard(text))

    return type_in


# list


def test_an_empty_store_is_no_error_and_is_not_made(cli: Cli, run_store: Path) -> None:
    outcome = cli("runs", "list")
    assert outcome.status == 0
    assert outcome.out == (
        f"There are no runs in {run_store} yet. Start one with: python -m neuralscope train\n"
    )
    assert cli("runs", "list", "--json").json == []
    assert not run_store.exists()
    run_store.mkdir()
    assert cli("runs", "list", "--json").json == []
    assert list(run_store.iterdir()) == []


def test_json_holds_every_fact_of_every_run_newest_first(
    cli: Cli, run_store: Path, trained: Any
) -> None:
    (newer,) = make_runs(run_store, "newer")
    outcome = cli("runs", "list", "--json")
    first, second = outcome.json
    assert outcome.out.count("\n") == 1
    assert [first["run_id"], second["run_id"]] == [newer, trained["run_id"]]
    assert set(first) == {field.name for field in dataclasses.fields(Run)}
    assert first["name"] == "newer"
    assert first["config"] == SMALL.as_dict()
    assert second["status"] == "finished"
    assert second["test_accuracy"] == trained["test_accuracy"]


def test_the_table_fits_80_columns(
    cli: Cli, run_store: Path, trained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    (interrupted,) = make_runs(run_store, "a name as long as this " * 5, status="interrupted")
    head, newest, oldest = cli("runs", "list").out.splitlines()
    assert head.split() == "run status epoch best val. test age name".split()
    assert newest.split()[:3] == [interrupted, "interrupted", "0/3"]
    assert newest.endswith("...")
    accuracy = f"{100 * trained['best_validation_accuracy']:.2f} @{trained['best_epoch']}"
    assert accuracy in oldest
    assert max(map(len, (head, newest, oldest))) <= 80


def test_names_stay_whole_where_there_is_room(
    cli: Cli, run_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    make_runs(run_store, "a name as long as this " * 3)
    assert "a name as long as this a name as long as this" in cli("runs", "list").out


def test_a_name_cannot_steer_the_terminal(cli: Cli, run_store: Path) -> None:
    (run_id,) = make_runs(run_store, "red \x1b[31m\nand\rmore")
    for command in (["list"], ["show", run_id]):
        out = cli("runs", *command).out
        assert "\x1b" not in out
        assert "\r" not in out
    assert cli("runs", "list", "--json").json[0]["name"] == "red \x1b[31m\nand\rmore"


# show


def test_all_facts_of_a_run_are_shown(cli: Cli, trained: Any) -> None:
    out = cli("runs", "show", trained["run_id"]).out
    facts = dict(line.split(maxsplit=1) for line in reversed(out.splitlines()) if " " in line)
    assert facts["run"] == trained["run_id"]
    assert facts["status"] == "finished"
    assert facts["epochs"] == "2 of 2, 80 steps"
    assert facts["hidden"] == "16"
    assert facts["test"].startswith(f"{100 * trained['test_accuracy']:.2f} % accuracy")
    assert facts["snapshots"].startswith("3 in ")
    assert "momentum" not in facts, "SGD has none"
    assert "started" in out
    assert [line.split()[0] for line in out.splitlines()[-4:]] == ["epoch", "0", "1", "2"]


def test_what_a_trainer_died_of_is_shown(cli: Cli, run_store: Path) -> None:
    with Store(run_store) as store:
        run_id = store.create(SMALL)
    log = "Traceback:\n  \x1b[31min run\nMemoryError: no room\n"
    (run_store / run_id / LOG_NAME).write_text(log)
    out = cli("runs", "show", run_id).out
    assert "interrupted: Its training process ended unexpectedly: MemoryError: no room." in out
    assert out.endswith("\n    Traceback:\n       [31min run\n    MemoryError: no room\n")
    assert cli("runs", "show", run_id, "--json").json["log"] == log.strip()


def test_json_shows_events_epochs_and_snapshots(cli: Cli, trained: Any) -> None:
    shown = cli("runs", "show", trained["run_id"], "--json").json
    assert shown["config"] == trained["config"]
    assert [event["kind"] for event in shown["events"]] == ["started", "finished"]
    assert [epoch["epoch"] for epoch in shown["epochs"]] == [0, 1, 2]
    assert shown["epochs"][2]["validation_accuracy"] == trained["validation_accuracy"]
    assert [snapshot["epoch"] for snapshot in shown["snapshots"]] == [0, 1, 2]
    assert Path(shown["folder"], "epoch-00002.npz").exists()


def test_json_shows_how_the_layers_did_in_the_last_epoch(cli: Cli, trained: Any) -> None:
    health = cli("runs", "show", trained["run_id"], "--json").json["health"]
    assert health["epoch"] == 2
    assert len(health["layers"]) == len(trained["config"]["hidden"]) + 1
    for layer in health["layers"]:
        names = ["gradient_norm", "weight_norm", "update_ratio", "dead", "saturated"]
        assert list(layer) == names
        assert all(isinstance(value, float) for value in layer.values())


def test_json_shows_no_health_where_none_was_recorded(cli: Cli, run_store: Path) -> None:
    (run_id,) = make_runs(run_store, "never started", status="failed")
    assert cli("runs", "show", run_id, "--json").json["health"] is None


def test_a_run_without_a_first_step_can_be_shown(cli: Cli, run_store: Path) -> None:
    (run_id,) = make_runs(run_store, "never started", status="failed")
    out = cli("runs", "show", run_id).out
    assert "never started" in out
    assert "0 of 3, 0 steps" in out


def test_the_beginning_of_an_id_is_enough(cli: Cli, run_store: Path) -> None:
    (run_id,) = make_runs(run_store, "one")
    assert cli("runs", "show", run_id[:-1], "--json").json["run_id"] == run_id
    make_runs(run_store, "two")
    outcome = cli("runs", "show", "2")  # the first digit of the year
    assert outcome.status == 2
    assert outcome.complaint.endswith("2 runs begin with '2'; give more of the id.")
    assert cli("runs", "show", run_id, "--json").json["run_id"] == run_id


@pytest.mark.parametrize("run_id", ["20200101", "", "../../etc", "x" * 500])
@pytest.mark.parametrize("command", [["show"], ["delete", "--yes"]])
def test_an_unknown_run_is_a_mistake(
    cli: Cli, run_store: Path, command: list[str], run_id: str
) -> None:
    outcome = cli("runs", *command, run_id)
    assert outcome.status == 2
    assert "There is no run" in outcome.complaint
    assert not run_store.exists(), "looking must not make a store"
    make_runs(run_store, "another")
    outcome = cli("runs", *command, run_id)
    assert outcome.status == 2
    assert "There is no run" in outcome.complaint
    assert len(ids_in(run_store)) == 1


# delete


def test_runs_are_deleted_with_all_they_have(cli: Cli, run_store: Path, trained: Any) -> None:
    (other,) = make_runs(run_store, "other")
    outcome = cli("runs", "delete", trained["run_id"], "--yes")
    assert outcome.status == 0
    assert outcome.out == "Deleted 1 run.\n"
    assert ids_in(run_store) == {other}
    assert not (run_store / trained["run_id"]).exists()


def test_several_runs_are_deleted_at_once(cli: Cli, run_store: Path) -> None:
    one, two, three = make_runs(run_store, "one", "two", "three")
    assert cli("runs", "delete", one, two, one, "--yes").out == "Deleted 2 runs.\n"
    assert ids_in(run_store) == {three}


def test_if_one_cannot_be_deleted_none_is(cli: Cli, run_store: Path) -> None:
    (ended,) = make_runs(run_store, "ended")
    with Store(run_store) as store:
        active = store.create(SMALL)
        for other in ("20200101", active):
            outcome = cli("runs", "delete", ended, other, "--yes")
            assert outcome.status == 2
            assert other in outcome.complaint
    assert "is still queued; stop it first." in outcome.complaint
    assert ids_in(run_store) == {ended, active}


@pytest.mark.parametrize(
    ("answer", "deleted"),
    [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False), ("", False)],
)
def test_a_person_is_asked(
    cli: Cli,
    run_store: Path,
    at_a_terminal: Callable[[str], None],
    answer: str,
    deleted: bool,
) -> None:
    (run_id,) = make_runs(run_store, "mine")
    at_a_terminal(answer)
    outcome = cli("runs", "delete", run_id)
    assert outcome.status == 0
    assert outcome.out.startswith("Delete 1 run, with curves and snapshots? [y/N] ")
    assert ("Nothing was deleted." in outcome.out) is not deleted
    assert ids_in(run_store) == (set() if deleted else {run_id})


def test_where_nobody_can_be_asked_nothing_is_deleted(
    cli: Cli, run_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run_id,) = make_runs(run_store, "mine")
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    outcome = cli("runs", "delete", run_id)
    assert outcome.status == 2
    assert "add --yes" in outcome.complaint
    assert ids_in(run_store) == {run_id}


# Runs that cannot be read


def test_a_run_that_cannot_be_read_is_told_printed_and_deleted(cli: Cli, run_store: Path) -> None:
    good, bad = make_runs(run_store, "good", "bad")
    with Store(run_store) as store, store.database.writing() as db:
        db.execute("UPDATE runs SET status = 'flying' WHERE run_id = ?", (bad,))
    outcome = cli("runs", "list", "--json")
    assert outcome.status == 0
    assert [run["run_id"] for run in outcome.json] == [good]
    reason = f"run {bad} cannot be read: status is 'flying', but must be one of queued,"
    assert reason in outcome.err
    assert "'runs delete RUN_ID' deletes it" in outcome.err
    outcome = cli("runs", "show", bad)
    assert outcome.status == 2
    assert "cannot be read: status is 'flying'" in outcome.err
    assert json.loads(cli("runs", "raw", bad).out)["runs"][0]["status"] == "flying"
    assert cli("runs", "delete", "--yes", bad).status == 0
    assert cli("runs", "list").err == ""
    assert ids_in(run_store) == {good}


def test_a_store_without_its_database_is_not_called_empty(cli: Cli, run_store: Path) -> None:
    (run_store / "20260101-000000-abcd").mkdir(parents=True)
    outcome = cli("runs", "list")
    assert outcome.status != 0
    assert "its neuralscope.sqlite3 is missing or empty" in outcome.err
