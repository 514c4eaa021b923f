"""Does watching slow training down? The same run alone, under a watched server, and in a browser.

    python -m benchmarks.watching [--rounds 3] [--epochs 20] [--browser]

Three ways to train the same configuration on MNIST, in turns:

    alone     a trainer process and nothing else
    watched   the dashboard's server redraws the run twice a second for a watcher that speaks its
              protocol but draws nothing
    browser   a real Chromium on the same machine draws it (needs playwright and Chromium)

What is compared is the throughput that the store records. It also measures the time from the
click to the first point on the curve, the processor time of a server that nobody asks anything,
and what a redraw costs at the start and at the end of 300 epochs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from neuralscope.data import is_cached, load_dataset
from neuralscope.runs import Run, RunConfig, Store, launch

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = "/usr/bin/chromium"
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]


@contextlib.contextmanager
def dashboard(store: Path) -> Iterator[tuple[str, int]]:
    """Serve the dashboard on a free port; give its address and process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        *(sys.executable, "-m", "neuralscope.ui.serve", "run", "dashboard.py"),
        *("--server.port", str(port), "--server.headless", "true"),
    ]
    environment = {**os.environ, "NEURALSCOPE_STORE": str(store)}
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=quiet, stderr=quiet)
    try:
        address = f"127.0.0.1:{port}"
        for _ in range(200):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://{address}/_stcore/health", timeout=1)
                break
            time.sleep(0.1)
        yield address, server.pid
    finally:
        server.terminate()
        server.wait()


class Watcher(threading.Thread):
    """A viewer without a screen: asks for every redraw that a browser would ask for.

    Attributes:
        first: Seconds until the page had been drawn for the first time.
        redraws: Seconds from each request to its answer.
        is_open: Set when the page has been drawn for the first time.
    """

    def __init__(self, address: str, query: str, page: str = "") -> None:
        """Connect to the server at `address` and open a page (Train if none) with this query."""
        super().__init__(daemon=True)
        self.first = 0.0
        self.redraws: list[float] = []
        self.is_open = threading.Event()
        self._address = address
        self._query = query
        self._page = page
        self._over = threading.Event()

    def run(self) -> None:
        """Follow the page until told to stop."""
        from streamlit.proto.BackMsg_pb2 import BackMsg
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
        from websockets.sync.client import connect

        url = f"ws://{self._address}/_stcore/stream"
        with connect(url, max_size=None, subprotocols=["streamlit"]) as socket_:  # type: ignore[list-item]

            def ask(**state: Any) -> float:
                """Send a rerun; return when."""
                message = BackMsg()
                message.rerun_script.query_string = self._query
                message.rerun_script.page_name = self._page
                for name, value in state.items():
                    setattr(message.rerun_script, name, value)
                socket_.send(message.SerializeToString())
                return time.perf_counter()

            repeats: dict[str, float] = {}  # seconds between two asks for a fragment
            due: dict[str, float] = {}  # when each is to be asked for next
            asked = ask()
            while not self._over.is_set():
                now = time.perf_counter()
                for fragment in [each for each, at in due.items() if at <= now]:
                    asked = ask(fragment_id=fragment, is_auto_rerun=True)
                    due[fragment] = asked + repeats[fragment]
                answer = ForwardMsg()
                try:
                    answer.ParseFromString(socket_.recv(timeout=0.02))  # type: ignore[arg-type]
                except TimeoutError:
                    continue
                kind = answer.WhichOneof("type")
                if kind == "new_session" and not answer.metadata.run.fragment_ids:
                    due.clear()  # the page is drawn anew, and says anew what to repeat
                elif kind == "stop_auto_rerun":
                    for fragment in answer.stop_auto_rerun.fragment_ids:
                        due.pop(fragment, None)
                elif kind == "auto_rerun":
                    fragment, interval = answer.auto_rerun.fragment_id, answer.auto_rerun.interval
                    repeats[fragment] = interval
                    due[fragment] = time.perf_counter() + interval
                elif kind == "script_finished" and not self.is_open.is_set():
                    self.first = time.perf_counter() - asked
                    self.is_open.set()
                elif kind == "script_finished":
                    self.redraws.append(time.perf_counter() - asked)

    def stop(self) -> None:
        """Leave the page."""
        self._over.set()
        self.join(timeout=30)


@contextlib.contextmanager
def browser(url: str) -> Iterator[Any]:
    """Open the page in Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        page = chromium.new_page(viewport={"width": 1440, "height": 1000})
        page.goto(url)
        yield page
        chromium.close()


def finished(store: Store, run_id: str) -> Run:
    """Wait for a run to end."""
    while (run := store.run(run_id)).is_active:
        time.sleep(0.2)
    return run


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def browser_seconds() -> float:
    """Return the processor time of all processes of Chromium so far."""
    total = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # a process may end while it is looked at
            if (folder / "comm").read_text().startswith("chrom"):
                total += cpu_seconds(int(folder.name))
    return total


def train_alone(store: Store, config: RunConfig) -> float:
    """Return the throughput of a run that nobody watches."""
    return finished(store, launch(store, config)).samples_per_second or 0.0


def train_watched(store: Store, config: RunConfig) -> tuple[float, list[float]]:
    """Return the throughput of a run whose page is redrawn for a watcher, and the redraw times."""
    with dashboard(store.path) as (address, _):
        run_id = launch(store, config)
        watcher = Watcher(address, f"run={run_id}")
        watcher.start()
        run = finished(store, run_id)
        watcher.stop()
    return run.samples_per_second or 0.0, watcher.redraws


def train_in_browser(store: Store, config: RunConfig) -> tuple[float, float]:
    """Return the throughput of a run that Chromium draws, and how many cores Chromium takes."""
    with dashboard(store.path) as (address, _), browser(f"http://{address}/") as page:
        page.get_by_role("button", name="Start training").wait_for()
        run_id = launch(store, config)
        page.goto(f"http://{address}/?run={run_id}")
        page.get_by_text("Learning curves").wait_for()
        used, began = browser_seconds(), time.perf_counter()
        run = finished(store, run_id)
        cores = (browser_seconds() - used) / (time.perf_counter() - began)
    return run.samples_per_second or 0.0, cores


def click_to_first_point(store: Store, tries: int) -> list[float]:
    """Return the seconds from the click on Start training to a curve on the screen."""
    times = []
    with (
        dashboard(store.path) as (address, _),
        browser(f"http://{address}/?epochs=2000&batch_size=64") as page,
    ):
        for _ in range(tries):
            page.goto(f"http://{address}/?epochs=2000&batch_size=64")
            start = page.get_by_role("button", name="Start training")
            start.wait_for()
            page.wait_for_timeout(2000)
            began = time.perf_counter()
            start.click()
            page.get_by_text("Learning curves").wait_for()  # the sketch of the network is gone
            page.locator("[data-testid=stVegaLiteChart] .marks").first.wait_for()
            times.append(time.perf_counter() - began)
            page.get_by_role("button", name="Stop", exact=True).click()
            page.get_by_text("Stopped").first.wait_for()
    return times


def idle_load(store: Store, seconds: float) -> float:
    """Return the share of a core that the server takes with a page open and nothing running."""
    with dashboard(store.path) as (address, pid):
        watcher = Watcher(address, "")
        watcher.start()
        time.sleep(5)  # the page has been drawn, its first estimate measured
        before = cpu_seconds(pid)
        time.sleep(seconds)
        load = (cpu_seconds(pid) - before) / seconds
        watcher.stop()
    return load


def main() -> int:
    """Measure, and say it in Markdown."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.watching",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--long", type=int, default=300, help="epochs of the long run; 0 for none")
    parser.add_argument("--browser", action="store_true")
    options = parser.parse_args()
    if not is_cached("mnist"):
        parser.exit(1, "MNIST is not here; train on it once, then measure.\n")
    load_dataset("mnist")
    config = RunConfig(epochs=options.epochs, batch_size=64)
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "runs") as store:
        _compare(store, config, options.rounds, with_browser=options.browser)
        load = idle_load(store, seconds=20)
        sys.stdout.write(f"\nIdle server with a page open: {100 * load:.1f} % of a core.\n")
        if options.browser:
            times = click_to_first_point(store, 5)
            sys.stdout.write(
                f"Click to first point: median {statistics.median(times):.2f} s, "
                f"worst {max(times):.2f} s of {len(times)}.\n"
            )
        if options.long:
            _, redraws = train_watched(store, replace(config, epochs=options.long))
            early, late = redraws[2:22], redraws[-20:]
            sys.stdout.write(
                f"Redraw over {options.long} epochs: median {_ms(early)} at the start, "
                f"{_ms(late)} at the end.\n"
            )
    return 0


def _compare(store: Store, config: RunConfig, rounds: int, *, with_browser: bool) -> None:
    alone, watched, drawn, cores, redraws = [], [], [], [], []
    for _ in range(rounds):
        alone.append(train_alone(store, config))
        pace, times = train_watched(store, config)
        watched.append(pace)
        redraws += times[2:]
        if with_browser:
            pace, used = train_in_browser(store, config)
            drawn.append(pace)
            cores.append(used)
    rows = [("alone", alone), ("watched", watched), ("browser", drawn)]
    sys.stdout.write("| way | samples/s, best | median | ratio of the best | of the medians |\n")
    sys.stdout.write("|---|---|---|---|---|\n")
    for name, paces in rows:
        if paces:
            best, middle = max(paces), statistics.median(paces)
            sys.stdout.write(
                f"| {name} | {best:,.0f} | {middle:,.0f} | {best / max(alone):.2f} | "
                f"{middle / statistics.median(alone):.2f} |\n"
            )
    sys.stdout.write(f"\nA redraw takes the server {_ms(redraws)} (median).\n")
    if cores:
        sys.stdout.write(f"Chromium takes {statistics.median(cores):.2f} cores.\n")


def _ms(times: list[float]) -> str:
    return f"{1000 * statistics.median(times):.0f} ms" if times else "unknown"


if __name__ == "__main__":
    sys.exit(main())
