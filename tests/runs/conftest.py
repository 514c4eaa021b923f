"""A store, small configurations, and trainers that run as processes and never outlive a test."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from neuralscope.data import Dataset, load_dataset
from neuralscope.runs import LATEST, Event, Run, RunConfig, Store, launch, list_snapshots
from neuralscope.runs.database import FILE_NAME

DEADLINE = 20.0
"""Seconds after which a test gives up waiting; it says nothing about how long anything takes."""


EXTRAS: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 0.003,
    "l2": 1e-4,
    "l1": 1e-5,
    "dropout": 0.2,
    "max_norm": 3.0,
    "clip_norm": 1.0,
    "label_smoothing": 0.1,
    "augmentation": "shift",
}
"""All that can be added to a training at once, at rates at which it learns."""


class Process:
    """A trainer in a process of its own, and the run it computes."""

    def __init__(
        self, store: Store, run_id: str, process: subprocess.Popen[bytes] | None = None
    ) -> None:
        self.store = store
        self.run_id = run_id
        self._process = process

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "another process has started it"
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def run(self) -> Run:
        return self.store.run(self.run_id)

    def until(self, condition: Callable[[Run], object], what: str = "") -> Run:
        """Wait until the run is as asked, and return it."""
        deadline = time.monotonic() + DEADLINE
        while not condition(run := self.run):
            assert time.monotonic() < deadline, f"waited in vain for {what or condition}: {run}"
            time.sleep(0.01)
        return run

    def until_status(self, status: str) -> Run:
        return self.until(lambda run: run.status == status, status)

    def until_steps(self, n: int = 1) -> Run:
        return self.until(lambda run: run.step >= n, f"step {n}")

    def until_adopted(self) -> None:
        """Wait until the process is there and has taken the run."""
        query = "SELECT trainer FROM runs WHERE run_id = ?"
        self.until(lambda run: rows(self.store, query, self.run_id) != [("",)], "its trainer")

    def until_latest(self) -> None:
        """Wait until there is a snapshot of the middle of an epoch."""
        self.until(
            lambda run: LATEST in [s.name for s in list_snapshots(self.store, self.run_id)], LATEST
        )

    def send(self, kind: str, value: float | None = None) -> Event:
        """Send a command, and return the event that answers it."""
        n_before = len(self.store.events(self.run_id))
        self.store.send(self.run_id, kind, value)
        deadline = time.monotonic() + DEADLINE
        while len(events := self.store.events(self.run_id)) == n_before:
            assert time.monotonic() < deadline, f"no answer to {kind}"
            time.sleep(0.01)
        return events[n_before]

    def command_rows(self) -> list[tuple[str, float, float | None]]:
        """Return kind, time of sending and time of taking of each command."""
        return rows(
            self.store,
            "SELECT kind, at, handled FROM commands WHERE run_id = ? ORDER BY id",
            self.run_id,
        )

    def ended(self) -> int:
        """Wait for the process to end and return its exit status."""
        return self.process.wait(DEADLINE)

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rows(store: Store, query: str, *values: object) -> list[Any]:
    """Ask the database directly, as another program would."""
    with contextlib.closing(sqlite3.connect(store.path / FILE_NAME)) as database, database:
        return database.execute(query, values).fetchall()


class Laboratory:
    """Starts trainers, in a store of its own unless told otherwise, and ends them all."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        self._started: list[subprocess.Popen[bytes]] = []

    def launch(self, config: RunConfig, store: Store | None = None) -> Process:
        """Start a trainer as the dashboard does."""
        store = store or self.store
        started = self._started

        class Recorded(subprocess.Popen):  # type: ignore[type-arg]
            def __init__(self, *args: Any, **options: Any) -> None:
                super().__init__(*args, **options)
                started.append(self)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(subprocess, "Popen", Recorded)
            run_id = launch(store, config)
        return Process(store, run_id, started[-1])

    def start(self, config: RunConfig, **options: Any) -> Process:
        """Start a trainer that belongs to nobody, as a terminal does."""
        run_id = self.store.create(config)
        self.store.withdraw(run_id)
        return Process(self.store, run_id, self.spawn(self.trainer_command(run_id), **options))

    def watch(self, run_id: str) -> Process:
        """Watch a run whose trainer is another process's child."""
        return Process(self.store, run_id)

    def trainer_command(self, run_id: str) -> list[str]:
        return [
            *(sys.executable, "-m", "neuralscope.runs.trainer"),
            *(run_id, "--store", str(self.store.path)),
        ]

    def spawn(self, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, cwd=Path(__file__).parents[2], **options)
        self._started.append(process)
        return process

    def close(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.wait(DEADLINE)
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
        self.store.close()


@pytest.fixture
def laboratory(tmp_path: Path, digits: Dataset) -> Iterator[Laboratory]:
    """Trainers in processes of their own; the digits are there already."""
    laboratory = Laboratory(tmp_path / "runs")
    yield laboratory
    laboratory.close()


@pytest.fixture(scope="module")
def laboratory_of_module(
    tmp_path_factory: pytest.TempPathFactory, digits: Dataset
) -> Iterator[Laboratory]:
    """The same for runs that several tests look at."""
    laboratory = Laboratory(tmp_path_factory.mktemp("laboratory") / "runs")
    yield laboratory
    laboratory.close()


@pytest.fixture
def two_cores() -> Iterator[None]:
    """Let this test and what it starts see two cores at most: one run at a time."""
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system cannot bind a process to cores")
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(before)[:2]))
    yield
    os.sched_setaffinity(0, before)


@pytest.fixture(scope="session")
def digits(session_environment: None) -> Dataset:
    """The built-in digits; their compact copy is then there for trainers, too."""
    return load_dataset("digits")


@pytest.fixture
def store(run_store: Path) -> Iterator[Store]:
    with Store(run_store) as store:
        yield store


@pytest.fixture
def config() -> RunConfig:
    """Something small: two epochs of digits."""
    return RunConfig(dataset="digits", hidden=(8,), epochs=2)


@pytest.fixture
def long_config() -> RunConfig:
    """Something that does not end before it is told to."""
    return RunConfig(dataset="digits", hidden=(16,), epochs=10_000)


@pytest.fixture
def query(store: Store) -> Callable[..., list[Any]]:
    """Ask the database of the test's store directly, as another program would."""
    return lambda text, *values: rows(store, text, *values)
