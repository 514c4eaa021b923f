"""Starting a trainer from the dashboard: a process of its own that ends when its owner does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from neuralscope.errors import StoreError
from neuralscope.runs.config import RunConfig
from neuralscope.runs.records import FAILED
from neuralscope.runs.store import Store
from neuralscope.runs.writer import Writer

LOG_NAME = "trainer.log"


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

    What the trainer prints, should it ever, is kept in the run's folder as `trainer.log`.

    Raises:
        StoreError: No process can be started; the run has failed then.
    """
    folder = store.folder(run_id)
    command = [
        *(sys.executable, "-m", "neuralscope.runs.trainer", run_id),
        *("--store", str(store.path.resolve()), "--owner", str(os.getpid())),
    ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOG_NAME).open("wb") as log:
            process = subprocess.Popen(
                command,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the dashboard; the trainer sees it go
            )
    except OSError as error:
        reason = f"No trainer could be started: {error.strerror or error}."
        Writer(store, run_id).end(FAILED, reason)
        raise StoreError(reason) from error
    # Somebody has to wait for a child, or it stays in the process table as a zombie.
    threading.Thread(target=process.wait, daemon=True).start()


def environment() -> dict[str, str]:
    """Return the environment in which another Python finds this package, wherever it starts."""
    package_home = Path(__file__).parents[2]
    search_path = [str(package_home), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, search_path))}
