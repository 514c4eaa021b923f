"""Running the command line: in this process where it can be, as a process where it matters."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from neuralscope.cli import main
from neuralscope.data import load_dataset

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0

# A run of a tenth of a second.
QUICK = ("--dataset", "digits", "--hidden", "16", "--epochs", "2")


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The last line of standard output."""
        return json.loads(self.out.splitlines()[-1])

    @property
    def complaint(self) -> str:
        """The one line on standard error."""
        assert self.err.count("\n") == 1, self.err
        return self.err.strip()


@pytest.fixture(scope="session", autouse=True)
def digits(session_environment: None) -> None:
    """Have the digits at hand, so that no test waits for scikit-learn."""
    load_dataset("digits")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder: weights are written to where one is."""
    path = tmp_path / "here"
    path.mkdir()
    monkeypatch.chdir(path)
    return path


class Terminal(io.StringIO):
    """A stream that people look at."""

    def isatty(self) -> bool:
        return True

    def screen(self) -> list[str]:
        """Return the lines as they look after all that was written."""
        lines = []
        for line in self.getvalue().split("\n"):
            shown = ""
            for text in line.split("\r"):
                shown = text + shown[len(text) :]
            lines.append(shown.rstrip())
        return lines


@pytest.fixture
def terminal() -> Terminal:
    """A terminal that stands empty."""
    return Terminal()


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run a command in this process."""

    def run(*arguments: str) -> Outcome:
        capsys.readouterr()
        status = main([*arguments])
        return Outcome(status, *capsys.readouterr())

    return run


@pytest.fixture
def trained(cli: Callable[..., Outcome]) -> Any:
    """Train a small network on the digits, and return what `train --json` told of it."""
    return cli("train", *QUICK, "--json").json


class Process:
    """`python -m neuralscope` at work."""

    def __init__(self, arguments: tuple[str, ...], streams: dict[str, Any], **env: str) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "neuralscope", *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT), **env},
            stdin=subprocess.DEVNULL,
            text=True,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams},
        )

    def outcome(self) -> Outcome:
        """Wait for its end."""
        out, err = self.popen.communicate(timeout=PATIENCE)
        return Outcome(self.popen.returncode, out or "", err or "")

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        self.popen.send_signal(number)


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    """Start a command as a process of its own, and end it with the test."""
    processes: list[Process] = []

    def run(*arguments: str, streams: dict[str, Any] | None = None, **env: str) -> Process:
        processes.append(Process(arguments, streams or {}, **env))
        return processes[-1]

    yield run
    for process in processes:
        process.popen.kill()
        process.popen.communicate()


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any]], Any]:
    """Ask again and again until the answer is true, and return it."""

    def ask(question: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE
        while not (answer := question()):
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)
        return answer

    return ask
