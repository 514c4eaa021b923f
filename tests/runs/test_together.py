"""Two dashboards and three terminals on one store at once: nothing is lost, nobody is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

from neuralscope.runs import list_snapshots
from neuralscope.runs.snapshots import load_state

if TYPE_CHECKING:
    from tests.runs.conftest import Laboratory

N_EPOCHS, N_BATCHES = 30, 79

# The command line, where all begin at once, when the gate is there, however few cores there are.
# Everything is written down far more often than otherwise.
TERMINAL = """
import pathlib, sys
from neuralscope.runs import trainer, writer
gate = pathlib.Path(sys.argv.pop(1))
writer.slots = lambda: 3 if gate.exists() else 0
trainer.FLUSH_EVERY, trainer.LATEST_EVERY = 0.01, 0.05
from neuralscope.cli import main
sys.exit(main(["train", "--dataset", "digits", "--batch-size", "16", *sys.argv[1:]]))
"""

# What a dashboard reads to draw, over and over; as pages do, with several threads of one Store.
DASHBOARD = """
import sys, threading
import numpy as np
from neuralscope.runs import Store, list_snapshots, load_snapshot

store, over, n_looks = Store(sys.argv[1]), threading.Event(), []

def look():
    while not over.is_set():
        for run in store.runs():
            steps, epochs = store.steps(run.run_id), store.epochs(run.run_id)
            assert (steps.step == np.arange(1, len(steps.step) + 1)).all(), steps.step
            assert (epochs.epoch == np.arange(len(epochs.epoch))).all(), epochs.epoch
            store.events(run.run_id), store.health(run.run_id)
            for info in list_snapshots(store, run.run_id)[-1:]:
                if info.name != "latest":  # that may be gone a moment later
                    load_snapshot(store, run.run_id, info)
        n_looks.append(1)

threads = [threading.Thread(target=look) for _ in range(2)]
for thread in threads:
    thread.start()
print("ready", flush=True)
sys.stdin.read()
over.set()
for thread in threads:
    thread.join()
print(len(n_looks))
"""


def test_two_dashboards_and_three_trainers_on_one_store(laboratory: Laboratory) -> None:
    store, gate = laboratory.store, laboratory.store.path / "gate"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    dashboards = [
        laboratory.spawn(
            [sys.executable, "-c", DASHBOARD, str(store.path)], stdin=subprocess.PIPE, **pipes
        )
        for _ in range(2)
    ]
    for dashboard in dashboards:
        assert dashboard.stdout is not None
        assert dashboard.stdout.readline() == b"ready\n"
    arguments = ["--store", str(store.path), "--output", os.devnull, "--json"]
    terminals = [
        laboratory.spawn(
            [
                *(sys.executable, "-c", TERMINAL, str(gate), *arguments),
                *("--hidden", "16", "--epochs", str(N_EPOCHS), "--seed", str(seed)),
            ],
            **pipes,
        )
        for seed in (1, 1, 2)
    ]
    while len(store.active_runs()) < 3 and all(each.poll() is None for each in terminals):
        time.sleep(0.01)
    gate.touch()
    answers = [terminal.communicate(timeout=30) for terminal in terminals]
    views = [dashboard.communicate(timeout=30) for dashboard in dashboards]

    said = b"".join(out + err for out, err in answers + views).decode()
    assert "locked" not in said
    assert "Traceback" not in said
    assert [process.returncode for process in (*terminals, *dashboards)] == [0] * 5, said
    assert min(int(out) for out, _ in views) > 10
    results = [json.loads(out) for out, _ in answers]
    runs = [store.run(result["run_id"]) for result in results]
    assert len(store.runs()) == 3
    assert max(run.started or 0 for run in runs) < min(run.ended or 0 for run in runs), "at once"
    for run in runs:
        assert run.status == "finished"
        steps, epochs = store.steps(run.run_id), store.epochs(run.run_id)
        np.testing.assert_array_equal(steps.step, np.arange(1, N_EPOCHS * N_BATCHES + 1))
        np.testing.assert_array_equal(epochs.epoch, np.arange(N_EPOCHS + 1))
        assert [each.epoch for each in store.health(run.run_id)] == list(range(1, N_EPOCHS + 1))
        assert [event.kind for event in store.events(run.run_id)] == ["started", "finished"]
    # And it is the metrics of this run, not of the one beside it.
    losses = [store.steps(run.run_id).loss.tobytes() for run in runs]
    weights = [
        load_state(store, run.run_id, list_snapshots(store, run.run_id)[-1].name)["parameters"]
        for run in runs
    ]
    assert losses[0] == losses[1] != losses[2]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])
