"""How long the pages take to show what a trained network does, and what memory the server needs.

    python -m benchmarks.looking [--hidden 512 512] [--epochs 6]

A network is trained on MNIST, then looked at. 'First show' is the time until a real server has
answered a session that opens a page: the first one of a fresh server, with all imports and the
digits to load, then each page where nothing is known of the moment yet. Interactions are timed in
one process through Streamlit's own test harness, whose work on the answer is in the figure: each
is done once to warm up the code, then several times on moments that are not in the cache.

Memory is that of the server after three sessions have looked at several moments of three pages.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.watching import ROOT, Watcher, dashboard, finished
from neuralscope.data import is_cached, load_dataset
from neuralscope.runs import RunConfig, Store, launch

PAGES = ("confusion", "mistakes", "activations", "draw")
TRIES = 3


def first_shows(store: Path, run_id: str) -> Iterator[tuple[str, float]]:
    """Yield what was opened, and the seconds until the server had drawn it."""
    query = f"run={run_id}"
    for page in PAGES[:3]:
        with dashboard(store) as (address, _):
            yield f"{page}, first page of a fresh server", opened(address, query, page)
            others = [other for other in PAGES if other != page]
            for other in others:
                opened(address, f"{query}&epoch=0", other)  # its own imports
            for epoch in range(1, 1 + TRIES):
                seconds = opened(address, f"{query}&epoch={epoch}", page)
                yield f"{page}, at a moment nobody has looked at", seconds


def opened(address: str, query: str, page: str) -> float:
    """Return the seconds that a new session waits for a page."""
    watcher = Watcher(address, query, page)
    watcher.start()
    watcher.is_open.wait(60)
    watcher.stop()
    return watcher.first


def memory(store: Path, run_id: str, n_epochs: int) -> float:
    """Return the server's memory in MB with three sessions open, after much has been looked at."""
    with dashboard(store) as (address, pid):
        for epoch in range(n_epochs + 1):
            for page, more in (("confusion", "of"), ("mistakes", "of"), ("activations", "split")):
                for split in ("validation", "test"):
                    opened(address, f"run={run_id}&epoch={epoch}&{more}={split}&digit=7", page)
        sessions = [Watcher(address, f"run={run_id}", page) for page in PAGES[:3]]
        for session in sessions:
            session.start()
        for session in sessions:
            session.is_open.wait(60)
        size = _resident(pid)
        for session in sessions:
            session.stop()
    return size


def _resident(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


# Interactions, in a process of their own ---------------------------------------------------------


def interactions(run_id: str, n_epochs: int) -> Iterator[tuple[str, float]]:
    """Yield what was done on a page, and the seconds it took."""
    from streamlit.testing.v1 import AppTest

    def visit(page: str, **query: str) -> Any:
        app = AppTest.from_file(str(ROOT / "pages" / f"{page}.py"), default_timeout=60)
        for name, value in {"run": run_id, **query}.items():
            app.query_params[name] = value
        return app.run()

    def timed(app: Any, act: Callable[[], Any]) -> float:
        act()
        began = time.perf_counter()
        app.run()
        taken = time.perf_counter() - began
        assert not app.exception, app.exception[0].message
        return taken

    def control(app: Any, kind: str, label: str) -> Any:
        [found] = [each for each in app.get(kind) if each.label == label]
        return found

    def scrub(page: str, **query: str) -> Iterator[tuple[str, float]]:
        app = visit(page, **query)
        _wait_for_quiet()
        what = ", ".join([page, *(f"{name} {value}" for name, value in query.items())])
        for epoch in range(n_epochs):
            seconds = timed(
                app, lambda e=epoch: control(app, "select_slider", "Epoch").set_value(str(e))
            )
            if epoch:
                yield f"{what}: another epoch", seconds

    yield from scrub("confusion", of="validation")
    yield from scrub("mistakes", of="validation")
    yield from scrub("mistakes", of="validation", digit="7")
    # Epochs in turn: the answers to the test digits are known once one page has asked for them.
    for first, page, label in ((0, "confusion", "Digits"), (1, "mistakes", "Digits of")):
        for epoch in range(first, n_epochs + 1, 2):
            app = visit(page, epoch=str(epoch), of="validation")
            group = control(app, "button_group", label)
            _wait_for_quiet()
            seconds = timed(app, lambda g=group: g.set_value("test"))
            if epoch > first:
                yield f"{page}: over to the test digits", seconds
    yield from scrub("activations", split="test")
    yield from scrub("activations", split="test", view="map")
    yield from scrub("draw")
    app = visit("mistakes")
    for digit in range(10):
        seconds = timed(app, lambda d=digit: control(app, "selectbox", "True digit").set_value(d))
        yield "mistakes: another filter", seconds
    app = visit("activations", epoch="2")
    for unit in range(20, 30):
        seconds = timed(app, lambda u=unit: control(app, "number_input", "Unit").set_value(u))
        yield "activations: another unit", seconds


def _wait_for_quiet() -> None:
    """Let what the page before has begun in the background come to its end."""
    while True:
        began = time.process_time()
        time.sleep(0.2)
        if time.process_time() - began < 0.02:
            return


def table(measured: Iterator[tuple[str, float]]) -> None:
    """Write median and worst of each thing done."""
    times: dict[str, list[float]] = {}
    for what, seconds in measured:
        times.setdefault(what, []).append(seconds)
    sys.stdout.write("| what | median | worst | times |\n|---|---:|---:|---:|\n")
    for what, each in times.items():
        sys.stdout.write(
            f"| {what} | {statistics.median(each):.2f} s | {max(each):.2f} s | {len(each)} |\n"
        )
    sys.stdout.write("\n")
    sys.stdout.flush()


def main() -> int:
    """Measure, and say it in Markdown."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.looking",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--hidden", type=int, nargs="+", default=[512, 512])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--interactions", metavar="RUN_ID", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.interactions:
        table(interactions(options.interactions, options.epochs))
        return 0
    if not is_cached("mnist"):
        parser.exit(1, "MNIST is not here; train on it once, then measure.\n")
    load_dataset("mnist")
    config = RunConfig(hidden=tuple(options.hidden), epochs=options.epochs, batch_size=128)
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "runs") as store:
        run = finished(store, launch(store, config))
        table(first_shows(store.path, run.run_id))
        command = [sys.executable, "-m", "benchmarks.looking", "--interactions", run.run_id]
        subprocess.run(
            [*command, "--epochs", str(options.epochs)],
            check=True,
            cwd=ROOT,
            env={**os.environ, "NEURALSCOPE_STORE": str(store.path)},
            stderr=subprocess.DEVNULL,
        )
        size = memory(store.path, run.run_id, options.epochs)
        sys.stdout.write(f"Memory of the server with three sessions open: {size:,.0f} MB.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
