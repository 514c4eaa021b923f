"""Stores with runs in them, and processes that train: what attacks are made on.

A trainer is forked from a process that has loaded everything, and then is what the dashboard
starts: a process of its own, with nothing but the store in common with the others.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.attack.workers import ROOT
from neuralscope.data import load_dataset
from neuralscope.errors import StoreError
from neuralscope.runs import (
    FINISHED,
    SETTINGS,
    Run,
    RunConfig,
    Store,
    lineage,
    list_snapshots,
    trainer,
)

TRAINER = "neuralscope.runs.trainer"
DATABASE = "neuralscope.sqlite3"
LOCK = "trainer.lock"


def queue_run(folder: Path, config: RunConfig, processes: int = 1) -> str:
    """Add a run to a store that is to be trained by one process or two, and return its id."""
    with Store(folder) as opened:
        run_id = opened.create(config)
    with closing(sqlite3.connect(folder / DATABASE)) as db, db:
        machine = json.dumps({"processes": processes, "blas_threads": 1})
        db.execute("UPDATE runs SET machine = ? WHERE run_id = ?", (machine, run_id))
    return run_id


def in_child(work: Callable[[], int], log: Path | None = None) -> int:
    """Do some work in a process of its own, and return its number."""
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        file = os.open(log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(file, 1)
        os.dup2(file, 2)
        status = work()
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(status)


def train_in_child(folder: Path, run_id: str, before: Callable[[], None] | None = None) -> int:
    """Start a trainer for a queued run, as a terminal does, and return its process number."""
    load_dataset("digits")  # once for all children

    def work() -> int:
        if before:
            before()
        return trainer.main([run_id, "--store", str(folder)])

    return in_child(work, folder / "children.log")


def signal_at(number: int, count: int) -> Callable[[], None]:
    """Return what sends a process a signal when it opens, renames or removes its n-th file."""

    def prepare() -> None:
        left = count

        def hear(event: str, _: tuple[Any, ...]) -> None:
            nonlocal left
            if event in ("open", "os.rename", "os.remove"):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), number)

        sys.addaudithook(hear)

    return prepare


def wait(pid: int, seconds: float) -> bool:
    """Wait for the end of a child; return whether it came in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return True
        except ChildProcessError:
            return True
        time.sleep(0.005)
    return False


def state_of(pid: int) -> str:
    """Return the state of a process: R, S, T (stopped), Z (ended)...; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    try:
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def trainers_of(folder: Path) -> list[int]:
    """Return the processes that train a run of this store, started as programs."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if TRAINER.encode() in words and os.fsencode(folder) in words:
                found.append(int(path.parent.name))
    return found


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process, if it is there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


@contextlib.contextmanager
def short_lives() -> Iterator[None]:
    """Let a silent trainer count as lost after a tenth of the time, here and in forks."""
    names = ("HEARTBEAT_EVERY", "HEARTBEAT_LOST")
    before = {
        (module, name): getattr(module, name)
        for key, module in list(sys.modules.items())
        if key.startswith("neuralscope.runs")
        for name in names
        if hasattr(module, name)
    }
    for (module, name), seconds in before.items():
        setattr(module, name, seconds / 10)
    try:
        yield
    finally:
        for (module, name), seconds in before.items():
            setattr(module, name, seconds)


@contextlib.contextmanager
def dashboard(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Open the dashboard of a store; give its address, its server's process and its program's."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    program = subprocess.Popen(
        [
            *(sys.executable, "-m", "neuralscope", "dashboard", "--no-browser"),
            *("--port", str(port), "--store", str(folder)),
        ],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert program.stdout
    try:
        program.stdout.readline()  # it says where it is once it answers
        servers = children_of(program.pid)
        yield f"localhost:{port}", servers[0], program.pid
    finally:
        for pid in [*children_of(program.pid), program.pid]:
            kill(pid, signal.SIGTERM)
        program.wait(30)
        program.stdout.close()


def click(address: str, config: RunConfig, label: str) -> None:
    """Open the Train page with a configuration and click a button on it."""
    from streamlit.proto.BackMsg_pb2 import BackMsg
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
    from websockets.sync.client import connect

    query = urllib.parse.urlencode(
        {name: SETTINGS[name].text(value) for name, value in config.as_dict().items()}
    )
    url = f"ws://{address}/_stcore/stream"
    with connect(url, max_size=None, subprotocols=["streamlit"]) as connection:  # type: ignore[list-item]
        buttons: dict[str, str] = {}
        for wanted in (None, label):
            message = BackMsg()
            message.rerun_script.query_string = query
            if wanted:
                state = message.rerun_script.widget_states.widgets.add()
                state.id, state.trigger_value = buttons[wanted], True
            connection.send(message.SerializeToString())
            while True:
                answer = ForwardMsg()
                answer.ParseFromString(connection.recv(timeout=30))  # type: ignore[arg-type]
                if answer.WhichOneof("type") == "script_finished":
                    break
                element = answer.delta.new_element
                if element.WhichOneof("type") == "button":
                    buttons[element.button.label] = element.button.id


def finish(folder: Path, run_id: str, seconds: float = 60.0) -> Run:
    """Resume a run, as often as it takes, until it has finished.

    Raises:
        StoreError: It cannot be.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with Store(folder) as opened:
            run = opened.run(run_id)
            if run.status == FINISHED:
                return run
            if not run.is_active:
                lineage.resume(opened, run_id)
        if run.is_active:
            time.sleep(0.02)
            continue
        child = train_in_child(folder, run_id)
        if not wait(child, max(0.0, deadline - time.monotonic())):
            kill(child)
            wait(child, 5)
            raise StoreError(f"its trainer did not end in {seconds:g} s")
    raise StoreError(f"it is {run.status} after {seconds:g} s: {run.message}")


def result_of(folder: Path, run_id: str) -> dict[str, Any]:
    """Return everything about a run that must not depend on what happened to it."""
    with Store(folder) as opened:
        run = opened.run(run_id)
        epochs, steps = opened.epochs(run_id), opened.steps(run_id)
        health = [(each.epoch, each.layers) for each in opened.health(run_id)]
        snapshots = list_snapshots(opened, run_id)
        last = opened.folder(run_id) / f"{snapshots[-1].name}.npz"
        with np.load(last, allow_pickle=False) as archive:
            arrays = {
                f"{name} of the last snapshot": archive[name].tobytes() for name in archive.files
            }
    return {
        "the status": run.status,
        "the message": run.message,
        "the epoch and step": (run.epoch, run.step),
        "the best epoch": (run.best_epoch, run.best_validation_accuracy),
        "the test result": (run.test_loss, run.test_accuracy),
        "the losses": steps.loss.tobytes(),
        "the numbers of the steps": steps.step.tobytes(),
        **{
            f"{name} of the epochs": getattr(epochs, name).tobytes()
            for name in epochs._fields
            if name != "seconds"
        },
        "the health of the layers": health,
        "the names of the snapshots": [(each.name, each.epoch, each.step) for each in snapshots],
        **arrays,
    }


def leftovers(folder: Path, run_id: str) -> list[str]:
    """Return the files in a run's folder that belong to nothing."""
    with Store(folder) as opened:
        kept = {f"{each.name}.npz" for each in list_snapshots(opened, run_id)}
        place = opened.folder(run_id)
    present = {path.name for path in place.iterdir()}
    return sorted(present - kept - {"trainer.log", LOCK}) + sorted(
        f"no {n}" for n in kept - present
    )


SMALL: tuple[RunConfig, ...] = (
    RunConfig(dataset="digits", hidden=(16,), epochs=25, batch_size=32, seed=1),
    RunConfig(dataset="digits", hidden=(24, 12), epochs=20, optimizer="adam", seed=2,
              learning_rate=0.003, dropout=0.2, l2=1e-4),
    RunConfig(dataset="digits", hidden=(16,), epochs=15, optimizer="momentum", seed=3,
              batch_size=16, augmentation="shift", label_smoothing=0.1),
    RunConfig(dataset="digits", hidden=(20,), epochs=40, optimizer="adamw", seed=4,
              learning_rate=0.01, patience=4, clip_norm=1.0),
)  # fmt: skip
"""Runs of well under a second that between them use most of what there is."""
