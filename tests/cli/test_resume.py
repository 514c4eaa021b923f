"""`resume` and `runs reproduce`: a run goes on, or comes out again."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralscope.data import load_dataset
from neuralscope.engine import Network
from neuralscope.runs import Run, RunConfig, Store, list_snapshots
from neuralscope.runs.trainer import Trainer
from tests.writing import owner

Cli = Callable[..., Any]

TRAIN = ("train", "--dataset", "digits", "--hidden", "16", "--seed", "3")
KEYS = {
    "run_id",
    "epochs",
    "validation_accuracy",
    "test_accuracy",
    "test_loss",
    "seconds",
    "samples_per_second",
}
CONFIG = RunConfig("digits", (16,), epochs=4, seed=3)


def run_in(path: Path, run_id: str) -> Run:
    with Store(path) as store:
        return store.run(run_id)


@pytest.fixture
def halted(run_store: Path) -> str:
    """Return a run that was stopped in the middle of its third epoch."""
    with Store(run_store) as store:
        run_id = store.create(CONFIG, "halted")

        def look(record: Any) -> None:
            if record.step == 100 and not owner(store, run_id).has_commands():
                store.send(run_id, "stop")

        Trainer(store, run_id, dataset=load_dataset("digits"), on_record=look).run()
        assert 2 <= store.run(run_id).epoch < 4
    return run_id


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let trainers of this process look at their commands after every step."""
    monkeypatch.setattr("neuralscope.runs.trainer.POLL_EVERY", 0.0)


# resume


def test_a_stopped_run_ends_in_the_weights_of_one_that_ran_through(
    cli: Cli, run_store: Path, halted: str
) -> None:
    cli(*TRAIN, "--epochs", "4", "--output", "through.npz")
    outcome = cli("resume", halted, "--output", "resumed.npz", "--json")
    assert outcome.status == 0
    first, *epochs = outcome.err.splitlines()
    assert first == f"Going on with run {halted} after 100 steps: halted."
    assert epochs[-1].startswith("epoch 4/4 ")
    assert not epochs[-1].endswith(" left")
    assert "stopped" not in outcome.err  # that is old news
    assert outcome.out.count("\n") == 1
    through, resumed = (Network.load(f"{name}.npz") for name in ("through", "resumed"))
    assert np.array_equal(through.parameters, resumed.parameters)
    assert resumed.metadata["run_id"] == halted


def test_the_result_has_the_keys_of_train(
    cli: Cli, run_store: Path, halted: str, trained: Any
) -> None:
    result = cli("resume", halted, "--json", "--output", "resumed.npz").json
    run = run_in(run_store, halted)
    assert set(result) == set(trained) >= KEYS
    assert result["run_id"] == halted
    assert (result["status"], result["epochs"], result["steps"]) == ("finished", 4, 160)
    assert result["test_accuracy"] == run.test_accuracy
    assert result["test_loss"] == run.test_loss
    assert result["seconds"] == run.seconds > 0
    assert result["samples_per_second"] > 0
    assert result["output"] == "resumed.npz"
    assert Network.load("resumed.npz").metadata["epochs"] == 4


def test_the_weights_of_another_run_are_not_replaced_unless_forced(
    cli: Cli, run_store: Path, halted: str, trained: Any, folder: Path
) -> None:
    before = (folder / "trained_weights.npz").read_bytes()
    outcome = cli("resume", halted)
    assert outcome.status == 2
    assert outcome.complaint == (
        f"neuralscope resume: The output trained_weights.npz holds the weights of run "
        f"{trained['run_id']}: name another file with --output, or replace it with --force."
    )
    assert (folder / "trained_weights.npz").read_bytes() == before
    assert run_in(run_store, halted).status == "stopped"  # it can go on still
    assert cli("resume", halted, "--force").status == 0
    assert Network.load("trained_weights.npz").metadata["run_id"] == halted


def test_earlier_weights_of_the_same_run_are_replaced(
    cli: Cli, run_store: Path, halted: str
) -> None:
    assert cli("resume", halted).status == 0
    assert cli("resume", halted, "--epochs", "5").status == 0
    assert Network.load("trained_weights.npz").metadata["epochs"] == 5


def test_a_finished_run_gets_more_epochs(cli: Cli, run_store: Path, trained: Any) -> None:
    outcome = cli("resume", trained["run_id"][:-1], "--epochs", "3")  # the beginning is enough
    assert outcome.status == 0
    assert outcome.out.startswith("Finished after 3 epochs in ")
    run = run_in(run_store, trained["run_id"])
    assert (run.epoch, run.config.epochs) == (3, 3)
    assert [event.text for event in _events(run_store, run.run_id)] == [
        "started",
        "finished",
        "resumed at epoch 2",
        "finished",
    ]


def _events(path: Path, run_id: str) -> Any:
    with Store(path) as store:
        return store.events(run_id)


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_killed_run_can_be_resumed_at_once(
    cli: Cli,
    start: Cli,
    eventually: Callable[..., Any],
    run_store: Path,
) -> None:
    process = start(*TRAIN, "--epochs", "400", "--batch-size", "4")

    def has_begun() -> str:
        with Store(run_store) as store:
            return next((run.run_id for run in store.runs() if run.epoch > 1), "")

    run_id = eventually(has_begun)
    process.send_signal(signal.SIGKILL)
    process.outcome()
    at_least = run_in(run_store, run_id).epoch
    outcome = cli("resume", run_id, "--epochs", str(at_least + 1), "--json")
    assert outcome.status == 0
    assert outcome.json["epochs"] == at_least + 1


def test_ctrl_c_interrupts_and_leaves_a_run_that_goes_on(
    start: Cli, cli: Cli, eventually: Callable[..., Any], run_store: Path, halted: str
) -> None:
    process = start("resume", halted, "--epochs", "10000")
    eventually(lambda: run_in(run_store, halted).epoch > 4)
    process.send_signal(signal.SIGINT)
    outcome = process.outcome()
    assert outcome.status == 130
    assert f"Interrupted by SIGINT. Run {halted} is kept after " in outcome.err
    assert run_in(run_store, halted).status == "interrupted"
    epochs = run_in(run_store, halted).epoch + 2
    assert cli("resume", halted, "--epochs", str(epochs), "--json").json["epochs"] == epochs


# resume: mistakes


@pytest.mark.parametrize("run_id", ["20200101-000000-abcd", "", "../../etc", "nonsense"])
@pytest.mark.parametrize("command", [("resume",), ("runs", "reproduce")])
def test_an_unknown_run_is_a_mistake(
    cli: Cli, run_store: Path, halted: str, command: tuple[str, ...], run_id: str
) -> None:
    outcome = cli(*command, run_id)
    assert outcome.status == 2
    assert "There is no run" in outcome.complaint
    outcome = cli(*command, run_id, "--store", "nowhere")
    assert outcome.status == 2
    assert "There is no run" in outcome.complaint
    assert not Path("nowhere").exists(), "looking must not make a store"


def test_a_finished_run_wants_more_epochs(cli: Cli, run_store: Path, trained: Any) -> None:
    before = run_in(run_store, trained["run_id"])
    outcome = cli("resume", trained["run_id"])
    assert outcome.status == 2
    assert outcome.complaint.endswith(
        f"Run {before.run_id} has finished all its 2 epochs; give it more to continue."
    )
    outcome = cli("resume", trained["run_id"], "--epochs", "1")
    assert outcome.status == 2
    assert outcome.complaint.endswith(
        "has already trained 2 epochs; ask for more than that to continue."
    )
    assert run_in(run_store, trained["run_id"]) == before


@pytest.mark.parametrize("epochs", ["many", "0", "-3", "2.5", "1e99", "", "99999999"])
def test_rubbish_epochs_are_a_mistake(cli: Cli, run_store: Path, halted: str, epochs: str) -> None:
    before = run_in(run_store, halted)
    outcome = cli("resume", halted, f"--epochs={epochs}")
    assert outcome.status == 2
    assert "epochs" in outcome.complaint
    assert run_in(run_store, halted) == before


def test_an_output_that_cannot_be_written_is_told_before_it_trains(
    cli: Cli, run_store: Path, halted: str
) -> None:
    before = run_in(run_store, halted)
    outcome = cli("resume", halted, "--output", "nowhere/weights.npz")
    assert outcome.status == 2
    assert "there is no folder nowhere" in outcome.complaint
    assert run_in(run_store, halted) == before


def test_without_a_usable_snapshot_it_is_told_in_a_line(
    cli: Cli, run_store: Path, halted: str
) -> None:
    for path in (run_store / halted).glob("*.npz"):
        path.write_bytes(b"PK")
    outcome = cli("resume", halted)
    assert outcome.status == 2
    assert f"None of the snapshots of run {halted} can be read any more" in outcome.complaint


def test_other_data_than_before_is_told_in_a_line(cli: Cli, run_store: Path, halted: str) -> None:
    with Store(run_store) as store:
        owner(store, halted).set_data_digest("of other data")
    outcome = cli("resume", halted)
    assert outcome.status == 2
    assert "The data set digits has changed" in outcome.complaint


def test_a_run_that_is_trained_is_left_alone(
    cli: Cli, start: Cli, eventually: Callable[..., Any], run_store: Path, halted: str
) -> None:
    start("resume", halted, "--epochs", "10000")
    eventually(lambda: run_in(run_store, halted).status == "running")
    outcome = cli("resume", halted)
    assert outcome.status == 2
    assert f"Run {halted} is already running." in outcome.err


# runs reproduce


def test_a_run_comes_out_again(cli: Cli, run_store: Path, trained: Any) -> None:
    outcome = cli("runs", "reproduce", trained["run_id"])
    assert outcome.status == 0
    assert outcome.out == (
        "Identical to the bit: 80 step losses, 2 epochs of measurements and the weights.\n"
    )
    again, original = _newest_first(run_store)
    assert original.run_id == trained["run_id"]
    assert again.parent_id == original.run_id
    announced = f"Training run {original.run_id} again, as run {again.run_id}."
    assert outcome.err.splitlines()[0] == announced


def _newest_first(path: Path) -> list[Run]:
    with Store(path) as store:
        return store.runs()


def test_the_verdict_as_json(cli: Cli, trained: Any) -> None:
    result = cli("runs", "reproduce", trained["run_id"], "--json").json
    assert (result["original"], result["identical"]) == (trained["run_id"], True)
    assert (result["reasons"], result["first_epoch"]) == ([], None)
    assert result["run_id"] != trained["run_id"]
    assert result["test_loss"] == trained["test_loss"]
    assert result["verdict"].startswith("Identical to the bit: ")


def test_a_run_that_comes_out_otherwise_exits_with_1(
    cli: Cli, run_store: Path, trained: Any
) -> None:
    with Store(run_store) as store, store.database.writing() as db:
        db.execute("UPDATE epochs SET train_loss = train_loss + 1e-9 WHERE epoch = 2")
        db.execute("UPDATE runs SET data_digest = 'another'")
    outcome = cli("runs", "reproduce", trained["run_id"])
    assert outcome.status == 1
    assert outcome.out == "It differs from epoch 2 on; the data differs.\n"


def test_a_run_without_a_step_is_not_trained_again(cli: Cli, run_store: Path) -> None:
    with Store(run_store) as store:
        run_id = store.create(CONFIG)
        owner(store, run_id).end("failed")
    outcome = cli("runs", "reproduce", run_id)
    assert outcome.status == 2
    assert "has not taken a step that could be compared." in outcome.complaint
    assert len(_newest_first(run_store)) == 1


def test_the_snapshots_of_what_was_trained_again_are_kept(
    cli: Cli, run_store: Path, trained: Any
) -> None:
    cli("runs", "reproduce", trained["run_id"])
    with Store(run_store) as store:
        newer, older = ([s.name for s in list_snapshots(store, r.run_id)] for r in store.runs())
    assert newer == older
