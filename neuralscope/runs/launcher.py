"""Starting trainers from the dashboard: processes of their own, which outlive it if it crashes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import BinaryIO

from neuralscope.errors import StoreError
from neuralscope.runs import last_words, life
from neuralscope.runs.config import RunConfig
from neuralscope.runs.records import FAILED
from neuralscope.runs.store import Store
from neuralscope.runs.writer import Writer


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
    threading.Thread(target=_wait_for, args=(process, log), daemon=True).start()


def _wait_for(process: subprocess.Popen[bytes], log: BinaryIO) -> None:
    """Take note of a trainer's end; else it would stay in the process table as a zombie."""
    with log, contextlib.suppress(OSError):  # a full disk: then nobody is told by what
        last_words.add_end(log, process.wait())


def environment() -> dict[str, str]:
    """Return the environment in which another Python finds this package, wherever it starts."""
    package_home = Path(__file__).parents[2]
    search_path = [str(package_home), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, search_path))}
