"""`runs stop`, `pause` and `continue`: a run that another process trains obeys."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from neuralscope.data import load_dataset
from neuralscope.runs import RunConfig, Store
from neuralscope.runs.trainer import Trainer
from tests.writing import owner

Cli = Callable[..., Any]


@pytest.fixture
def live(run_store: Path, eventually: Callable[..., Any]) -> Iterator[str]:
    """Return a run that is trained, and would be for hours."""
    with Store(run_store) as store:
        run_id = store.create(RunConfig("digits", (4,), epochs=10_000, batch_size=8))
        trainer = Trainer(store, run_id, dataset=load_dataset("digits"))
        thread = threading.Thread(target=trainer.run)
        thread.start()
        eventually(lambda: store.run(run_id).step)
        yield run_id
        if store.run(run_id).is_active:
            store.send(run_id, "stop")
        thread.join()


def test_a_live_run_is_paused_continued_and_stopped(cli: Cli, live: str, run_store: Path) -> None:
    assert cli("runs", "pause", live).out.startswith(f"Run {live} is paused after ")
    assert cli("runs", "pause", live, "--json").json == {"run_id": live, "status": "paused"}
    assert cli("runs", "continue", live, "--json").json["status"] in ("queued", "running")
    outcome = cli("runs", "stop", live[:-1])
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith(f"Run {live} is stopped after ")
    with Store(run_store) as store:
        run, events = store.run(live), store.events(live)
    assert run.test_accuracy is not None
    assert [event.kind for event in events] == ["started", "paused", "resumed", "stopped"]


@pytest.mark.parametrize("command", ["stop", "pause", "continue"])
def test_a_run_that_is_over_takes_no_commands(
    cli: Cli, trained: Any, run_store: Path, command: str
) -> None:
    outcome = cli("runs", command, trained["run_id"])
    assert outcome.status == 2
    assert outcome.complaint == (
        f"neuralscope runs {command}: Run {trained['run_id']} is finished, so there is nothing to "
        f"{command}."
    )


def test_a_stopped_run_goes_on_by_resume(cli: Cli, run_store: Path) -> None:
    with Store(run_store) as store:
        run_id = store.create(RunConfig("digits"))
        owner(store, run_id).end("stopped")
    outcome = cli("runs", "continue", run_id)
    assert outcome.status == 2
    assert outcome.complaint.endswith(f"go on with it with: python -m neuralscope resume {run_id}")


def test_a_trainer_that_does_not_obey_is_told_of(
    cli: Cli, run_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neuralscope.cli.control.PATIENCE", 0.1)
    with Store(run_store) as store:
        run_id = store.create(RunConfig("digits"))  # queued, and nobody trains it
        outcome = cli("runs", "pause", run_id)
    assert outcome.status == 1
    assert "is queued still; it will pause when its trainer next looks" in outcome.complaint
    assert "may be suspended" in outcome.complaint
