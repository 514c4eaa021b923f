"""The exit status of what fails: 1 where the machine is the fault, 2 where the command is."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neuralscope.cli.status import status_of
from neuralscope.engine import Network
from neuralscope.errors import DataError, DataUnavailable, StoreError, StoreFull, WeightsError
from neuralscope.runs import Store
from tests.cli.conftest import QUICK

Cli = Callable[..., Any]

FAULTS = {
    "no room": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/.x"),
    "read-only": OSError(errno.EROFS, os.strerror(errno.EROFS), "/tmp/.x"),
}


@pytest.fixture(params=FAULTS)
def fail(request: pytest.FixtureRequest) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise FAULTS[request.param]

    return fail


def caused_by(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def full_database() -> sqlite3.Error:
    """Return what SQLite says of a database that may not grow."""
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.execute("PRAGMA max_page_count = 1")
        try:
            db.execute("CREATE TABLE t AS SELECT zeroblob(1e6)")
        except sqlite3.Error as error:
            return error
    raise AssertionError("there was room")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (WeightsError("damaged"), 2),
        (caused_by(WeightsError("cannot be read"), FileNotFoundError(2, "No such file")), 2),
        (caused_by(WeightsError("cannot be written"), FAULTS["no room"]), 1),
        (caused_by(DataError("of"), caused_by(DataError("a"), FAULTS["read-only"])), 1),
        (caused_by(DataError("too large"), MemoryError()), 1),
        (StoreError("damaged"), 2),
        (caused_by(StoreError("the disk"), full_database()), 1),
        (StoreFull("no room"), 1),
        (DataUnavailable("no network"), 1),
        (MemoryError(), 1),
        (PermissionError(13, "Permission denied"), 1),
    ],
    ids=repr,
)
def test_the_machines_fault_is_told_from_a_mistake(error: Exception, status: int) -> None:
    assert status_of(error) == status


@pytest.fixture
def run_id(cli: Cli) -> str:
    return str(cli("train", *QUICK, "--output", os.devnull, "--json").json["run_id"])


@pytest.mark.parametrize("command", ["train", "resume"])
def test_a_disk_that_refuses_the_weights_ends_a_training_with_1(
    command: str, cli: Cli, run_id: str, fail: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(network: Network, path: str, metadata: object) -> None:
        try:
            fail()
        except OSError as error:
            raise WeightsError(f"{path} cannot be written: {error.strerror}.") from error

    monkeypatch.setattr(Network, "save", save)
    arguments = QUICK if command == "train" else (run_id, "--epochs", "3")
    outcome = cli(command, *arguments, "--output", "wanted")
    assert outcome.status == 1
    assert "wanted cannot be written: " in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("command", [("train", *QUICK), ("resume", "1"), ("export", "RUN")])
@pytest.mark.parametrize(
    ("fault", "status"),
    [(errno.ENOSPC, 1), (errno.EROFS, 1), (errno.EACCES, 1), (errno.ENAMETOOLONG, 2)],
)
def test_an_output_that_is_refused_is_told_before_the_work(
    command: tuple[str, ...],
    fault: int,
    status: int,
    cli: Cli,
    run_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(**_: object) -> Any:
        raise OSError(fault, os.strerror(fault), "/tmp/.x")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)
    form = ("--format", "csv") if command[0] == "export" else ()
    named = [run_id if each == "RUN" else each for each in command]
    outcome = cli(*named, *form, "--output", "wanted")
    assert outcome.status == status
    said = f"The output wanted cannot be written: {os.strerror(fault)}."
    assert outcome.complaint == f"neuralscope {command[0]}: {said}"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FAULTS["no room"], "/tmp/.x: No space left on device."),
        (MemoryError(), "there is not enough memory for this."),
    ],
)
def test_what_nobody_expected_of_the_machine_is_one_line(
    error: Exception, said: str, cli: Cli, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def runs(store: Store) -> Any:
        raise error

    monkeypatch.setattr(Store, "runs", runs)
    outcome = cli("export", run_id, "--format", "csv")
    assert outcome.status == 1
    assert outcome.complaint == f"neuralscope export: {said}"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_result_that_finds_no_room_is_told(start: Callable[..., Any]) -> None:
    with open("/dev/full", "w") as full:
        command = ("runs", "list", "--json")
        outcome = start(*command, streams={"stdout": full}, PYTHONUNBUFFERED="").outcome()
    assert outcome.status == 1
    assert outcome.err == (
        "neuralscope: standard output cannot be written: No space left on device.\n"
    )
