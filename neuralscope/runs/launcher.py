"""Starting trainers from the dashboard: processes of their own, which outlive it if it crashes.

A dashboard that is closed in order ends those that it started (`end_trainers`).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO

from neuralscope.errors import StoreError
from neuralscope.runs import last_words, life
from neuralscope.runs.config import RunConfig
from neuralscope.runs.records import FAILED
from neuralscope.runs.store import Store
from neuralscope.runs.writer import Writer

PATIENCE = 10.0
"""Seconds that trainers have to save what they have learned when they are told to end."""

_STARTED: dict[subprocess.Popen[bytes], str] = {}
"""The trainers that this process has started and that have not ended, each with its run's id."""


def launch(store: Store, config: RunConfig, name: str = "") -> str:
    """Add a run to the store, start a trainer for it, and return the run's id.

    Raises:
        StoreError: The store cannot be written, or no process can be started.
    """
    run_id = store.create(config, name)
    start_trainer(store, run_id)
    return run_id


def start_trainer(store: Store, run_id: str) -> None:
    """Start a trainer for a queued run.

    What the trainer prints is kept (see `last_words`).

    Raises:
        StoreError: Another trainer holds the run, or no process can be started; the run has failed
            then.
    """
    folder = store.folder(run_id)
    held = life.take(folder)
    command = [
        *(sys.executable, "-m", "neuralscope.runs.trainer", run_id),
        *("--store", str(store.path.resolve())),
    ]
    if life.CAN_HAND_OVER:
        command += ["--lock", str(held.descriptor)]
    try:
        log = last_words.begin(folder)
        try:
            process = subprocess.Popen(
                command,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C and a closed terminal are for the dashboard
                pass_fds=(held.descriptor,) if life.CAN_HAND_OVER else (),
            )
        except BaseException:
            log.close()
            raise
    except OSError as error:
        reason = f"No trainer could be started: {error.strerror or error}."
        Writer(store, run_id).end(FAILED, reason)
        raise StoreError(reason) from error
    finally:
        held.leave()
    _STARTED[process] = run_id
    threading.Thread(target=_wait_for, args=(process, log), daemon=True).start()


def _wait_for(process: subprocess.Popen[bytes], log: BinaryIO) -> None:
    """Take note of a trainer's end; else it would stay in the process table as a zombie."""
    status = process.wait()
    with log, contextlib.suppress(OSError):  # a full disk: then nobody is told by what
        last_words.add_end(log, status)
    del _STARTED[process]


def training() -> list[str]:
    """Return the ids of the runs whose trainers this process has started, if they still live."""
    return sorted(_STARTED.copy().values())


def end_trainers(patience: float = PATIENCE) -> list[str]:
    """Tell the trainers that this process has started to save and to end, and wait for that.

    Args:
        patience: Seconds to wait.

    Returns:
        The ids of the runs whose trainers have not ended by then.
    """
    started = _STARTED.copy()
    for process in started:
        process.terminate()
    deadline = time.monotonic() + patience
    for process in started:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
    return sorted(run_id for process, run_id in started.items() if process.poll() is None)


def environment() -> dict[str, str]:
    """Return the environment in which another Python finds this package, wherever it starts."""
    package_home = Path(__file__).parents[2]
    search_path = [str(package_home), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, search_path))}
