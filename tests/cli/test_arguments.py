"""What the command line understands, what it refuses, and how it says so."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from neuralscope.cli import program, runs
from neuralscope.runs import SETTINGS, RunConfig, Store
from neuralscope.version import __version__

Cli = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[2]

# Each field at a value that is not its default.
UNUSUAL = RunConfig(
    dataset="digits",
    hidden=(9, 7),
    activation=("tanh", "leaky_relu"),
    optimizer="adamw",
    learning_rate=0.003,
    momentum=0.8,
    weight_decay=0.02,
    batch_size=50,
    epochs=2,
    patience=3,
    l2=0.0001,
    l1=0.00002,
    dropout=0.1,
    max_norm=3.5,
    clip_norm=0.5,
    label_smoothing=0.05,
    augmentation="affine",
    schedule="step",
    warmup_epochs=1,
    decay_every=3,
    decay_factor=0.7,
    initializer="glorot",
    seed=42,
)


COMMANDS = [
    *((name,) for name in program.COMMANDS),
    *(("runs", name) for name in runs.COMMANDS),
]


# Help


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(cli: Cli, command: tuple[str, ...]) -> None:
    outcome = cli(*command, "--help")
    assert outcome.status == 0
    assert outcome.out.startswith(f"usage: neuralscope {' '.join(command)}")
    assert len(outcome.out.split("\n\n")[1]) > 20, "no description"
    assert outcome.err == ""


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_without_a_command_the_commands_are_listed(cli: Cli, arguments: tuple[str, ...]) -> None:
    outcome = cli(*arguments)
    assert outcome.status == 0
    for name, command in program.COMMANDS.items():
        assert f"    {name}" in outcome.out
        assert command.summary in outcome.out


def test_runs_without_a_command_lists_its_commands(cli: Cli) -> None:
    outcome = cli("runs")
    assert outcome.status == 0
    assert all(name in outcome.out for name in ("list", "show", "delete"))


def test_the_version_is_told(cli: Cli) -> None:
    assert cli("--version").out == f"neuralscope {__version__}\n"


def test_help_does_not_wait_for_numpy() -> None:
    program = (
        "import sys; from neuralscope.cli import main; main(['--help']); "
        "print(*sys.modules, file=sys.stderr)"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {module.partition(".")[0] for module in told.stderr.split()}
    assert loaded & {"numpy", "streamlit", "pandas", "sklearn", "altair"} == set()


# A flag for every setting


@pytest.mark.parametrize("field", [field.name for field in fields(RunConfig)])
def test_the_help_of_train_explains_every_setting(cli: Cli, field: str) -> None:
    setting = SETTINGS[field]
    text = " ".join(cli("train", "--help").out.split())
    assert f"--{field.replace('_', '-')} " in text
    assert setting.help in text
    assert f"[{setting.allowed}; default: {setting.text(getattr(RunConfig(), field))}]" in text


@pytest.mark.parametrize("separator", ["-", "_"])
def test_every_setting_has_a_flag(cli: Cli, separator: str) -> None:
    arguments = []
    for field, setting in SETTINGS.items():
        assert getattr(UNUSUAL, field) != getattr(RunConfig(), field)
        arguments += [f"--{field.replace('_', separator)}", setting.text(getattr(UNUSUAL, field))]
    assert cli("train", *arguments, "--json").json["config"] == UNUSUAL.as_dict()


@pytest.mark.parametrize(
    ("words", "hidden"),
    [
        ("16 8", [16, 8]),
        ("16,8", [16, 8]),
        ("16, 8", [16, 8]),
        ("none", []),
        ("0", []),
    ],
)
def test_hidden_layers_are_written_in_several_ways(cli: Cli, words: str, hidden: list[int]) -> None:
    outcome = cli(
        "train", "--dataset", "digits", "--epochs", "1", "--json", "--hidden", *words.split()
    )
    assert outcome.json["config"]["hidden"] == hidden


def test_activations_are_one_or_one_each(cli: Cli) -> None:
    train = ("train", "--dataset", "digits", "--epochs", "1", "--json", "--hidden", "8", "8")
    assert cli(*train, "--activation", "tanh").json["config"]["activation"] == "tanh"
    config = cli(*train, "--activation", "tanh", "relu").json["config"]
    assert config["activation"] == ["tanh", "relu"]


def test_a_setting_that_changes_nothing_is_noted(cli: Cli) -> None:
    train = ("train", "--dataset", "digits", "--epochs", "1", "--momentum", "0.5")
    assert "note: momentum changes nothing" in cli(*train).err
    assert "note" not in cli(*train, "--optimizer", "momentum").err


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("--learning-rate 11", "learning_rate is 11.0, but must be a number from 1e-05 to 10."),
        ("--learning_rate fast", "learning_rate is 'fast', but must be a number from 1e-05 to 10."),
        (
            "--learning-rate -1e-3",
            "learning_rate is -0.001, but must be a number from 1e-05 to 10.",
        ),
        ("--learning-rate -inf", "learning_rate is -inf, but must be a number from 1e-05 to 10."),
        ("--learning-rate=nan", "learning_rate is nan, but must be a number from 1e-05 to 10."),
        ("--epochs 0", "epochs is 0, but must be a whole number from 1 to 10000."),
        ("--epochs 1.5", "epochs is '1.5', but must be a whole number from 1 to 10000."),
        ("--epochs -1", "epochs is -1, but must be a whole number from 1 to 10000."),
        ("--patience -1", "patience is -1, but must be a whole number from 0 to 1000."),
        ("--label-smoothing 1", "label_smoothing is 1.0, but must be a number from 0 to 0.9."),
        ("--clip-norm tight", "clip_norm is 'tight', but must be a number from 0 to 1000."),
        (
            "--dataset cats",
            "dataset is 'cats', but must be one of mnist, fashion-mnist, kuzushiji-mnist, digits, "
            "or a data set of your own.",
        ),
        ("--warmup-epochs 3 --epochs 3", "warmup_epochs is 3, but must be less than the 3 epochs."),
        ("--epochs", "argument --epochs: expected one argument"),
        ("--epochs 3 4", "unrecognized arguments: 4"),
        ("--epoch 3", "unrecognized arguments: --epoch 3"),
        ("--colour red", "unrecognized arguments: --colour red"),
    ],
)
def test_a_bad_setting_is_answered_with_one_line(cli: Cli, arguments: str, complaint: str) -> None:
    outcome = cli("train", *arguments.split())
    assert outcome.status == 2
    assert outcome.complaint == f"neuralscope train: {complaint}"
    assert outcome.out == ""


@pytest.mark.parametrize("hidden", ["-5", "many", "5000", "1,2,3,4,5,6,7", "12.5"])
def test_bad_hidden_layers_are_answered_with_one_line(cli: Cli, hidden: str) -> None:
    outcome = cli("train", "--hidden", hidden)
    assert outcome.status == 2
    assert outcome.complaint.startswith("neuralscope train: hidden is ")
    assert "but must be up to 6 hidden layers of 1 to 1024 units each" in outcome.complaint


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["--fly"],
        ["runs", "fly"],
        ["runs", "show"],
        ["runs", "delete"],
        ["evaluate"],
        ["evaluate", "weights.npz", "--split", "all"],
        ["train", "over\nlines"],
        ["train", "\x1b[31mred"],
        ["train", "\udcff"],
    ],
)
def test_any_mistake_is_answered_with_one_line(cli: Cli, arguments: list[str]) -> None:
    outcome = cli(*arguments)
    assert outcome.status == 2
    assert outcome.complaint.startswith("neuralscope")
    assert "\x1b" not in outcome.complaint
    assert outcome.out == ""


@pytest.mark.parametrize(
    "output",
    [
        "missing/weights.npz",
        "file/weights.npz",
        "folder",
        "",
        "w" * 300,
        pytest.param(
            "/proc/weights.npz",
            marks=pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc"),
        ),
    ],
)
def test_the_output_is_checked_before_training_starts(
    cli: Cli, folder: Path, run_store: Path, output: str
) -> None:
    (folder / "file").touch()
    (folder / "folder").mkdir()
    outcome = cli("train", "--dataset", "digits", "--epochs", "1", "--output", output)
    assert outcome.status == 2
    assert outcome.complaint.startswith("neuralscope train: The output ")
    assert not run_store.exists()
    assert sorted(path.name for path in folder.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("command", [["train", "--dataset", "digits"], ["runs", "list"]])
def test_a_store_that_cannot_be_used_is_a_mistake(
    cli: Cli, folder: Path, command: list[str]
) -> None:
    (folder / "file").write_text("mine")
    outcome = cli(*command, "--store", "file")
    assert outcome.status == 2
    assert "The run store file cannot be made" in outcome.complaint
    assert (folder / "file").read_text() == "mine"


def test_the_store_can_be_named(cli: Cli, folder: Path, run_store: Path) -> None:
    cli("train", "--dataset", "digits", "--epochs", "1", "--store", "elsewhere")
    with Store(folder / "elsewhere") as store:
        assert len(store.runs()) == 1
    assert not run_store.exists()


# Streams


def test_a_reader_who_has_seen_enough_is_no_error(start: Cli, trained: Any) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = start("runs", "list", streams={"stdout": writing})
    os.close(writing)
    outcome = process.outcome()
    assert outcome.err == ""
    assert outcome.status == 141  # as of any program that SIGPIPE ends


def test_closed_streams_are_no_error(folder: Path, trained: Any) -> None:
    command = f"exec '{sys.executable}' -m neuralscope runs list >&- 2>&-"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run(["sh", "-c", command], env=environment).returncode == 0


def test_a_terminal_that_lacks_letters_is_no_error(start: Cli, cli: Cli) -> None:
    cli("train", "--dataset", "digits", "--epochs", "1", "--name", "zażółć")
    outcome = start("runs", "list", PYTHONIOENCODING="ascii").outcome()
    assert outcome.status == 0
    assert "za\\u017c" in outcome.out
