"""Closing the dashboard: its trainings end with it, saved, or are left; a kill ends none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from neuralscope.runs import Run, RunConfig, Store, launcher, list_snapshots
from neuralscope.ui import closing

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")

# Stands in for the server: starts a run, listens to signals as uvicorn does, ends when told to.
SERVER = """
import asyncio, signal, sys
from neuralscope.runs import RunConfig, Store, launch
from neuralscope.ui import closing

async def serve():
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in ("SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), lambda *_: loop.call_soon_threadsafe(over.set))
    async with closing.ending_trainings():
        config = RunConfig(dataset="digits", hidden=(16,), epochs=10_000)
        print(launch(Store(sys.argv[1]), config), flush=True)
        await over.wait()
        if "stuck" in sys.argv:  # pages keep it from closing until it is killed
            await asyncio.sleep(60)

asyncio.run(serve())
"""
DEADLINE = 20.0

Serve = Callable[..., "tuple[subprocess.Popen[str], str]"]


@pytest.fixture
def serve(run_store: Path) -> Iterator[Serve]:
    servers: list[subprocess.Popen[str]] = []

    def start(*words: str, **environment: str) -> tuple[subprocess.Popen[str], str]:
        """Return a server, and the run that it trains."""
        server = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(run_store), *words],
            cwd=Path(__file__).parents[2],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        servers.append(server)
        assert server.stdout is not None
        return server, server.stdout.readline().strip()

    yield start
    for server in servers:
        server.kill()
        server.communicate()


def until(store: Store, run_id: str, condition: Callable[[Run], object]) -> Run:
    deadline = time.monotonic() + DEADLINE
    while not condition(run := store.run(run_id)):
        assert time.monotonic() < deadline, run
        time.sleep(0.01)
    return run


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_a_server_that_is_closed_ends_its_trainings_and_says_so(
    serve: Serve, run_store: Path, name: str
) -> None:
    server, run_id = serve()
    with Store(run_store) as store:
        until(store, run_id, lambda run: run.step)
        server.send_signal(getattr(signal, name))
        _, said = server.communicate(timeout=DEADLINE)
        assert said.startswith(f"Ending 1 training run: {run_id}. What was learned is saved")
        run = store.run(run_id)
        assert (run.status, run.message) == ("interrupted", "Interrupted by SIGTERM.")
        assert list_snapshots(store, run_id)[-1].step == run.step


def test_a_server_that_cannot_close_has_told_its_trainings_to_end(
    serve: Serve, run_store: Path
) -> None:
    server, run_id = serve("stuck")
    with Store(run_store) as store:
        until(store, run_id, lambda run: run.step)
        server.terminate()
        run = until(store, run_id, lambda run: not run.is_active)
        assert run.message == "Interrupted by SIGTERM."
        assert server.poll() is None


@pytest.mark.parametrize("how", ["leave", "kill"])
def test_trainings_that_are_left_or_whose_server_is_killed_go_on(
    serve: Serve, run_store: Path, how: str
) -> None:
    server, run_id = serve(**({closing.LEAVE_RUNNING: "1"} if how == "leave" else {}))
    with Store(run_store) as store:
        server.send_signal(signal.SIGTERM if how == "leave" else signal.SIGKILL)
        said = server.communicate(timeout=DEADLINE)[1]
        assert said.startswith(f"Leaving 1 training run: {run_id}." if how == "leave" else "")
        step = store.run(run_id).step
        assert until(store, run_id, lambda run: run.step > step + 100).status == "running"
        store.send(run_id, "stop")
        until(store, run_id, lambda run: run.status == "stopped")


def test_a_trainer_that_does_not_end_is_told_of(
    run_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sleeper = subprocess.Popen(["sleep", "60"])
    os.kill(sleeper.pid, signal.SIGSTOP)
    os.waitpid(sleeper.pid, os.WUNTRACED)  # until it is suspended
    monkeypatch.setattr(launcher, "_STARTED", {sleeper: "the run"})
    monkeypatch.setattr(launcher.end_trainers, "__defaults__", (0.05,))
    try:
        closing.end_trainings()
    finally:
        sleeper.kill()
        sleeper.wait()
    assert capsys.readouterr().err.endswith("and left running: the run.\n")


def test_what_others_train_is_not_touched(
    run_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Store(run_store) as store:
        run_id = store.create(RunConfig("digits"))
        closing.end_trainings()
        assert store.run(run_id).status == "queued"
    assert capsys.readouterr().err == ""
