"""How long the Runs page takes with thousands of runs in the store.

    python -m benchmarks.runs_page [--runs 10000] [--epochs 30]

The store is filled with runs that have everything a trained one has in the database: curves, the
loss of each step, the health of each layer, events, tags and notes. 'First show' is the time until
a real server has answered a session that opens the page, a fresh server first. What is done on the
page is timed in one process through Streamlit's own test harness, whose work on the answer is in
the figure: once to warm up the code, then several times.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.looking import opened, table
from benchmarks.watching import ROOT, Watcher, dashboard
from neuralscope.runs import FINISHED, RUNNING, STOPPED, RunConfig, Store, life

TRIES = 5
N_COMPARED = 10
STEPS_PER_EPOCH = 100
WORDS = ("wide", "narrow", "deep", "baseline", "again", "tuned", "dropout", "night", "class 7b")


def fill(store: Store, n_runs: int, n_epochs: int) -> None:
    """Put finished runs into an empty store."""
    chance = random.Random(0)
    now = time.time()
    with store.database.writing() as db:
        for number in range(n_runs):
            created = now - 3600.0 * (n_runs - number)
            run_id = time.strftime("%Y%m%d-%H%M%S-", time.localtime(created)) + f"{number:04x}"
            config = RunConfig(
                dataset=chance.choice(("mnist", "digits")),
                hidden=(chance.choice((32, 64, 128, 256)),) * chance.choice((1, 1, 2, 3)),
                optimizer=chance.choice(("sgd", "momentum", "adam")),
                learning_rate=10 ** chance.uniform(-4, 0),
                epochs=n_epochs,
                seed=number,
            )
            best = chance.uniform(0.8, 0.985)
            epochs = np.arange(n_epochs + 1)
            accuracy = best - (best - 0.1) * np.exp(-epochs / 3)
            row = {
                "run_id": run_id,
                "name": f"{chance.choice(WORDS)} {number}",
                "config": json.dumps(config.as_dict()),
                "status": STOPPED if chance.random() < 0.1 else FINISHED,
                "created": created,
                "queued": created,
                "started": created + 1,
                "ended": created + 1 + n_epochs,
                "heartbeat": created + 1 + n_epochs,
                "steps_per_epoch": STEPS_PER_EPOCH,
                "epoch": n_epochs,
                "step": n_epochs * STEPS_PER_EPOCH,
                "seconds": chance.uniform(1, 900),
                "samples_per_second": 1e5,
                "learning_rate": config.learning_rate,
                "best_epoch": n_epochs,
                "best_validation_accuracy": accuracy[-1],
                "test_loss": 0.1,
                "test_accuracy": accuracy[-1] - chance.uniform(-0.01, 0.01),
                "tags": json.dumps(chance.sample(WORDS, chance.choice((0, 0, 1, 2)))),
                "notes": chance.choice(("", "", "An ordinary run, noted down. " * 10)),
                "starred": int(chance.random() < 0.05),
            }
            columns, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
            db.execute(f"INSERT INTO runs ({columns}) VALUES ({marks})", row)
            db.executemany(
                "INSERT INTO epochs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (run_id, e, e * STEPS_PER_EPOCH, float(e), 1 - a, a, 1.1 - a, a, 0.1)
                    for e, a in zip(epochs.tolist(), accuracy.tolist(), strict=True)
                ],
            )
            losses = np.full(STEPS_PER_EPOCH, 0.5, "<f4").tobytes()
            db.executemany(
                "INSERT INTO step_blocks VALUES (?, ?, ?, ?, ?)",
                [
                    (run_id, e * STEPS_PER_EPOCH + 1, float(e), e + 1.0, losses)
                    for e in range(n_epochs)
                ],
            )
            db.executemany(
                "INSERT INTO layer_health VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (run_id, e, layer, 1.0, 1.0, 1e-3, 0.0, 0.0)
                    for e in range(1, n_epochs + 1)
                    for layer in range(len(config.hidden) + 1)
                ],
            )


def first_shows(store: Path, compared: str) -> Iterator[tuple[str, float]]:
    """Yield what was opened, and the seconds until the server had drawn it."""
    for query, what in (("", "all runs"), (f"view=compare&runs={compared}", "compare of ten")):
        with dashboard(store) as (address, _):
            yield f"{what}: first page of a fresh server", opened(address, query, "runs")
            for _ in range(TRIES):
                yield f"{what}: a new session", opened(address, query, "runs")


def looks(store: Store) -> Iterator[tuple[str, float]]:
    """Yield the seconds that each look at the rows takes while one of the runs is live."""
    newest = store.runs()[0].run_id
    with store.database.writing() as db:
        db.execute("UPDATE runs SET status = ? WHERE run_id = ?", (RUNNING, newest))
    life.promise(store.folder(newest))  # until this process ends
    with dashboard(store.path) as (address, _):
        watcher = Watcher(address, "", "runs")
        watcher.start()
        watcher.is_open.wait(60)
        time.sleep(2.0 * TRIES)
        watcher.stop()
    for seconds in watcher.redraws:
        yield "all runs: a look while one is live", seconds


def interactions(compared: list[str]) -> Iterator[tuple[str, float]]:
    """Yield what was done on the page, and the seconds it took."""
    from streamlit.testing.v1 import AppTest

    app: Any = AppTest.from_file(str(ROOT / "pages" / "runs.py"), default_timeout=60).run()

    def timed(act: Callable[[], Any]) -> float:
        act()
        began = time.perf_counter()
        app.run()
        taken = time.perf_counter() - began
        assert not app.exception, app.exception[0].message
        return taken

    def control(kind: str, label: str) -> Any:
        [found] = [each for each in app.get(kind) if each.label == label]
        return found

    def tried(
        what: str, kind: str, label: str, values: tuple[Any, ...]
    ) -> Iterator[tuple[str, float]]:
        for number, value in enumerate(values):
            seconds = timed(lambda v=value: control(kind, label).set_value(v))
            if number:
                yield f"all runs: {what}", seconds

    yield from tried("another search", "text_input", "Search", ("a", *WORDS[:TRIES], ""))
    yield from tried("another status", "multiselect", "Status", (["stopped"], ["finished"], []))
    yield from tried("another tag", "selectbox", "Tag", (*WORDS[: TRIES + 1], ""))
    yield from tried(
        "another order", "selectbox", "Sort by",
        ("name", "last", "test", "learning_rate", "units", "status", "created"),
    )  # fmt: skip
    for number in range(TRIES + 1):
        seconds = timed(lambda n=number: app.session_state.__setitem__("runs_page", 100 * n + 2))
        if number:
            yield "all runs: another page", seconds
    for number in range(TRIES + 1):
        chosen = compared[number : number + 1]
        seconds = timed(lambda c=chosen: app.session_state.__setitem__("runs_runs", c))
        if number:
            yield "all runs: another run chosen", seconds
    app.session_state["runs_runs"] = compared
    control("button_group", "View").set_value("compare")
    for number in range(TRIES + 1):
        seconds = timed(lambda: None)
        if number:
            yield "compare of ten", seconds


def main() -> int:
    """Measure, and say it in Markdown."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.runs_page",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--interactions", metavar="RUN_IDS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.interactions:
        table(interactions(options.interactions.split(",")))
        return 0
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "runs") as store:
        fill(store, options.runs, options.epochs)
        compared = ",".join(run.run_id for run in store.runs()[:N_COMPARED])
        sys.stdout.write(f"{options.runs:,} runs of {options.epochs} epochs in the store.\n\n")
        table(first_shows(store.path, compared))
        subprocess.run(
            [sys.executable, "-m", "benchmarks.runs_page", "--interactions", compared],
            check=True,
            cwd=ROOT,
            env={**os.environ, "NEURALSCOPE_STORE": str(store.path)},
            stderr=subprocess.DEVNULL,
        )
        table(looks(store))
    return 0


if __name__ == "__main__":
    sys.exit(main())
