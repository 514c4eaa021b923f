"""`train`: a result on standard output, weights in a file, a run in the store."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralscope.data import load_dataset
from neuralscope.engine import Network, score
from neuralscope.errors import DataError, DataUnavailable, StoreError, WeightsError
from neuralscope.runs import RunConfig, Store, examples, list_snapshots, trainer
from neuralscope.runs.store import slots
from neuralscope.runs.writer import Writer
from tests.writing import owner

Cli = Callable[..., Any]

QUICK = ("train", "--dataset", "digits", "--hidden", "16", "--epochs", "2")
ENDLESS = (*QUICK, "--epochs", "10000", "--batch-size", "4")  # it would take minutes
DIVERGING = ("train", "--dataset", "digits", "--learning-rate", "10", "--l2", "1")


def only_run(store_path: Path) -> Any:
    with Store(store_path) as store:
        (run,) = store.runs()
    return run


# The result


def test_the_result_is_one_json_value(start: Cli, folder: Path, run_store: Path) -> None:
    outcome = start(*QUICK, "--json", "--name", "a first try").outcome()
    assert outcome.status == 0
    assert outcome.out.count("\n") == 1
    result, run = outcome.json, only_run(run_store)
    assert result["run_id"] == run.run_id
    assert result["name"] == run.name == "a first try"
    assert result["status"] == run.status == "finished"
    assert result["epochs"] == 2
    assert result["steps"] == 2 * 40
    assert result["config"] == run.config.as_dict()
    assert result["data_digest"] == load_dataset("digits").digest
    assert result["output"] == "trained_weights.npz"
    assert result["seconds"] > 0
    assert result["samples_per_second"] > 0
    assert result["best_epoch"] in (1, 2)
    assert result["validation_accuracy"] <= result["best_validation_accuracy"]


def test_the_result_is_true_of_the_weights(trained: Any) -> None:
    network = Network.load("trained_weights.npz")
    dataset = load_dataset("digits")
    test, _ = score(network, examples(dataset, "test"))
    validation, _ = score(network, examples(dataset, "validation"))
    assert trained["test_loss"] == pytest.approx(test.loss)
    assert trained["test_accuracy"] == test.accuracy
    assert trained["validation_accuracy"] == validation.accuracy


def test_the_weights_tell_where_they_come_from(trained: Any) -> None:
    metadata = Network.load("trained_weights.npz").metadata
    assert metadata["dataset"] == "digits"
    assert metadata["image_shape"] == [8, 8]
    assert metadata["class_names"] == list("0123456789")
    assert metadata["pixel_max"] == 16
    assert metadata["activation"] == ["relu"]
    for name in ("run_id", "config", "epochs", "validation_accuracy", "test_accuracy"):
        assert metadata[name] == trained[name]


def test_a_person_gets_a_summary(cli: Cli, run_store: Path) -> None:
    outcome = cli(*QUICK)
    run = only_run(run_store)
    assert outcome.status == 0
    assert outcome.out.startswith("Finished after 2 epochs in ")
    assert f"test accuracy        {100 * run.test_accuracy:.2f} %" in outcome.out
    assert run.run_id in outcome.out
    assert "trained_weights.npz" in outcome.out


def test_the_same_seed_gives_the_same_weights(cli: Cli) -> None:
    for name in ("one", "two"):
        cli(*QUICK, "--seed", "3", "--output", f"{name}.npz")
    one, two = (Network.load(f"{name}.npz").parameters for name in ("one", "two"))
    assert np.array_equal(one, two)


# Early stopping


PATIENT = (*QUICK, "--epochs", "60", "--hidden", "8", "--learning-rate", "0.5", "--patience", "2")


def test_a_run_that_stops_early_says_so_and_leaves_its_best_weights(
    cli: Cli, run_store: Path
) -> None:
    outcome = cli(*PATIENT)
    run = only_run(run_store)
    assert outcome.status == 0
    assert outcome.out.startswith(f"Finished after {run.epoch} epochs in ")
    assert run.epoch < 60
    best = run.best_epoch
    assert (
        f"\nStopped early after epoch {run.epoch}: validation accuracy has not risen for 2 epochs; "
        f"the weights of epoch {best} are restored.\n"
    ) in outcome.out
    accuracy = f"{100 * run.best_validation_accuracy:.2f} %"
    assert f"validation accuracy  {accuracy} (best {accuracy} after epoch {best})" in outcome.out


def test_the_result_of_a_run_that_stops_early_is_true_of_its_weights(cli: Cli) -> None:
    result = cli(*PATIENT, "--json").json
    assert result["status"] == "finished"
    assert result["restored_epoch"] == result["best_epoch"] == result["epochs"] - 2
    assert result["message"].startswith("Stopped early after epoch ")
    network, dataset = Network.load("trained_weights.npz"), load_dataset("digits")
    test, _ = score(network, examples(dataset, "test"))
    validation, _ = score(network, examples(dataset, "validation"))
    assert validation.accuracy == result["validation_accuracy"]
    assert validation.accuracy == result["best_validation_accuracy"]
    assert (result["test_loss"], result["test_accuracy"]) == (
        pytest.approx(test.loss),
        test.accuracy,
    )
    assert network.metadata["validation_accuracy"] == validation.accuracy


def test_without_patience_no_epoch_is_restored(trained: Any) -> None:
    assert trained["restored_epoch"] is None


# The weights file


def old_weights(path: Path, **metadata: Any) -> bytes:
    """Write the weights of another run to a file, and return what is in it then."""
    network = Network((3, 2), rng=np.random.default_rng(0))
    network.save(path, {"run_id": "20200101-120000-abcd", **metadata})
    return path.read_bytes()


def test_older_weights_are_replaced_in_the_end_and_it_is_told_whose(cli: Cli, folder: Path) -> None:
    old_weights(folder / "old.npz")
    outcome = cli(*QUICK, "--output", "old.npz")
    assert outcome.status == 0
    assert Network.load("old.npz").sizes == (64, 16, 10)
    assert [path.name for path in folder.iterdir()] == ["old.npz"]
    assert "old.npz held the weights of run 20200101-120000-abcd, which are replaced" in outcome.err


def test_trained_twice_in_a_row_the_former_weights_are_still_in_the_store(
    cli: Cli, trained: Any
) -> None:
    outcome = cli(*QUICK)
    assert outcome.status == 0
    way_back = f"export {trained['run_id']} --format npz"
    assert outcome.err.endswith(f"the run has them still: {way_back}\n")
    assert cli(*way_back.split()).status == 0


def test_a_file_that_is_no_run_s_weights_is_kept_unless_forced(cli: Cli, folder: Path) -> None:
    path = folder / "mine.npz"
    old_weights(path, run_id=None)  # saved by hand, from Python
    before = path.read_bytes()
    outcome = cli(*QUICK, "--output", "mine.npz")
    assert outcome.status == 2
    assert outcome.complaint == (
        "neuralscope train: The output mine.npz is there already: name another file with "
        "--output, or replace it with --force."
    )
    assert path.read_bytes() == before
    assert cli(*QUICK, "--output", "mine.npz", "--force").status == 0
    assert Network.load(path).sizes == (64, 16, 10)
    (folder / "empty.npz").touch()
    assert cli(*QUICK, "--output", "empty.npz").status == 0


def test_a_file_that_appears_while_it_trains_is_kept(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def score_late(*arguments: Any) -> Any:
        (folder / "late.npz").write_text("somebody's")
        return score(*arguments)

    monkeypatch.setattr(trainer, "score", score_late)
    outcome = cli(*QUICK, "--output", "late.npz", "--json")
    assert outcome.status == 1
    assert (folder / "late.npz").read_text() == "somebody's"
    assert f"Run {outcome.json['run_id']} in the store" in outcome.err


def test_weights_can_be_left_out(cli: Cli, folder: Path) -> None:
    outcome = cli(*QUICK, "--output", os.devnull, "--json")
    assert outcome.status == 0
    assert outcome.json["output"] is None
    assert list(folder.iterdir()) == []


def test_weights_that_cannot_be_written_in_the_end_are_in_the_store(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise WeightsError("The disk is full.")

    monkeypatch.setattr(Network, "save", fail)
    outcome = cli(*QUICK, "--json")
    assert outcome.status == 1
    assert outcome.json["output"] is None
    assert outcome.json["test_accuracy"] > 0
    assert f"The disk is full. Run {outcome.json['run_id']} in the store" in outcome.err


# What can go wrong


def test_divergence_leaves_older_weights_alone(cli: Cli, folder: Path, run_store: Path) -> None:
    old = old_weights(folder / "trained_weights.npz")
    outcome = cli(*DIVERGING, "--json")
    assert outcome.status == 1
    assert (folder / "trained_weights.npz").read_bytes() == old
    assert outcome.json["status"] == "diverged"
    assert outcome.json["output"] is outcome.json["test_accuracy"] is None
    assert "A smaller learning rate usually helps. No weights were written." in outcome.err


def test_divergence_tells_where_the_snapshots_are(
    cli: Cli, run_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A rate that was fine at first, set much too high from the dashboard.
    monkeypatch.setattr(trainer, "POLL_EVERY", 0.0)

    def speed_up(progress: Any, record: Any) -> None:
        if getattr(record, "validation_accuracy", None) and record.epoch == 2:
            progress._store.send(progress._run_id, "learning_rate", 10.0)

    monkeypatch.setattr("neuralscope.cli.progress.Progress.on_record", speed_up)
    outcome = cli(*DIVERGING, "--learning-rate", "0.01", "--epochs", "50")
    assert outcome.status == 1
    assert outcome.out == ""
    folder = run_store / only_run(run_store).run_id
    assert f"Its snapshots are in {folder}." in outcome.err
    assert (folder / "epoch-00002.npz").exists()


def test_a_run_that_fails_is_told(cli: Cli, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    def fail(*_: object, **__: object) -> None:
        raise DataError("The digits are gone.")

    monkeypatch.setattr(trainer, "prepare", fail)
    outcome = cli(*QUICK, "--json")
    assert outcome.status == 1
    assert outcome.json["status"] == "failed"
    assert outcome.json["epochs"] == 0
    assert outcome.json["validation_accuracy"] is None
    assert "neuralscope train: The digits are gone. No weights were written.\n" in outcome.err
    assert list(folder.iterdir()) == []


def test_a_run_that_is_taken_away_is_told(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: trainer.Trainer) -> None:
        raise StoreError("Run X was deleted.")

    monkeypatch.setattr(trainer.Trainer, "run", fail)
    outcome = cli(*QUICK)
    assert outcome.status == 1
    assert outcome.err.endswith("neuralscope train: Run X was deleted.\n")


def test_data_that_cannot_be_had_leaves_no_run_and_a_way_out(
    start: Cli, run_store: Path, tmp_path: Path
) -> None:
    outcome = start(
        *("train", "--epochs", "1", "--json"),
        SCIKIT_LEARN_DATA=str(tmp_path / "empty"),
        https_proxy="http://127.0.0.1:9",
    ).outcome()
    assert outcome.status == 1
    assert outcome.out == ""
    told, complaint = outcome.err.splitlines()
    assert told == "Asking OpenML for MNIST."
    assert complaint.startswith(
        "neuralscope train: MNIST is not available: the connection to OpenML was refused. To bring "
    )
    assert f"into the folder {tmp_path / 'empty' / 'neuralscope'};" in complaint
    assert complaint.endswith("Meanwhile, --dataset digits needs no network.")
    assert not run_store.exists()


def test_mnist_that_is_here_is_offered_for_another_that_is_not(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, **_: object) -> None:
        raise DataUnavailable("Fashion-MNIST is not available: there seems to be no network.")

    monkeypatch.setattr("neuralscope.data.load_dataset", refuse)
    monkeypatch.setattr("neuralscope.data.missing.is_cached", lambda name, home: True)
    outcome = cli("train", "--dataset", "fashion-mnist")
    assert outcome.status == 1
    assert "no network. To bring Fashion-MNIST here, fetch it on" in outcome.complaint
    assert outcome.complaint.endswith("Meanwhile, --dataset mnist needs no network.")


# Interruption


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupted_run_keeps_all_it_has_learned(
    start: Cli, eventually: Cli, run_store: Path, folder: Path, name: str
) -> None:
    process = start(*ENDLESS, "--json")
    with Store(run_store) as store:
        eventually(lambda: any(run.epoch >= 2 for run in store.runs()))
        process.send_signal(getattr(signal, name))
        outcome = process.outcome()
        run = only_run(run_store)
        last = list_snapshots(store, run.run_id)[-1]
    assert outcome.status == 130
    assert outcome.out.count("\n") == 1
    result = outcome.json
    assert result["status"] == run.status == "interrupted"
    assert result["epochs"] == run.epoch >= 2
    assert result["validation_accuracy"] > 0
    assert result["test_accuracy"] is None
    assert last.step == run.step
    assert Network.load(folder / "trained_weights.npz").metadata["run_id"] == run.run_id
    told = outcome.err.splitlines()[-1]
    assert told == (
        f"neuralscope train: Interrupted by {name}. Run {run.run_id} is kept after {run.epoch} "
        "epochs; its weights are in trained_weights.npz."
    )


def test_a_run_interrupted_in_the_queue_has_no_weights(
    start: Cli,
    eventually: Cli,
    run_store: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = old_weights(folder / "trained_weights.npz")
    in_a_minute = time.time() + 60  # no sign of life is due until then
    with Store(run_store) as store:
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda: in_a_minute)
            for _ in range(slots()):
                other = store.create(RunConfig())
                Writer(store, other, "somebody").adopt()
                owner(store, other).claim_slot()
        process = start(*ENDLESS, "--json")
        told = eventually(lambda: "waiting" in (line := process.popen.stderr.readline()) and line)
        assert told == "waiting: place 1 in the queue\n"
        process.send_signal(signal.SIGINT)
        outcome = process.outcome()
    assert outcome.status == 130
    assert outcome.json["epochs"] == 0
    assert outcome.json["output"] is None
    assert outcome.err.endswith("is kept after 0 epochs; no weights were written.\n")
    assert (folder / "trained_weights.npz").read_bytes() == old


def test_a_fetch_can_be_interrupted(
    start: Cli, eventually: Cli, run_store: Path, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = start(
            "train",
            SCIKIT_LEARN_DATA=str(tmp_path / "empty"),
            https_proxy=f"http://127.0.0.1:{silent.getsockname()[1]}",
        )
        assert process.popen.stderr.readline() == "Asking OpenML for MNIST.\n"
        process.send_signal(signal.SIGTERM)
        outcome = process.outcome()
    assert outcome.status == 130
    assert outcome.complaint == "neuralscope train: interrupted."
    assert not run_store.exists()
    assert list((tmp_path / "empty").rglob("fetch-*")) == []


# From the dashboard


def test_the_dashboard_can_steer_it(
    start: Cli, eventually: Cli, run_store: Path, folder: Path
) -> None:
    process = start(*ENDLESS)
    with Store(run_store) as store:
        (run,) = eventually(lambda: [run for run in store.runs() if run.epoch])
        store.send(run.run_id, "learning_rate", 0.05)
        eventually(lambda: store.run(run.run_id).learning_rate == 0.05)
        store.send(run.run_id, "pause")
        eventually(lambda: store.run(run.run_id).status == "paused")
        store.send(run.run_id, "resume")
        eventually(lambda: store.run(run.run_id).status == "running")
        store.send(run.run_id, "stop")
        outcome = process.outcome()
    assert outcome.status == 0
    told = outcome.err
    for text in ("learning rate 0.2 \u2192 0.05", "paused", "resumed", "stopped"):
        assert f": {text} (from the dashboard or another terminal)\n" in told
    assert outcome.out.startswith("Stopped after ")
    assert Network.load(folder / "trained_weights.npz").metadata["test_accuracy"] > 0


# What is wrong with it is said in the words of the dashboard


def test_a_run_that_learned_nothing_says_so_with_its_one_cause(cli: Cli) -> None:
    deep = ("--hidden", *["16"] * 6, "--activation", "sigmoid", "--epochs", "3")
    lines = cli("train", "--dataset", "digits", *deep).out.splitlines()
    assert lines[-2].startswith(
        "It has learned nothing: always answering the most frequent class scores 10.18 %."
    )
    assert lines[-1].startswith("Layers 1, 2")
    assert lines[-1].endswith("; use relu instead of sigmoid.")


def test_a_run_that_went_well_is_not_commented_on(cli: Cli) -> None:
    outcome = cli("train", "--dataset", "digits", "--epochs", "5")
    assert outcome.out.splitlines()[-1].startswith("weights  ")
