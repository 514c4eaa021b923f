"""What a crowd costs: many sessions that watch one run, and a thousand that come and go.

    python -m benchmarks.crowd [--rounds 6] [--watchers 1 20] [--visits 1000] [--descriptors 256]

**A class watches.** A run on MNIST goes on all the time while the dashboard's server redraws its
page for so many sessions, and for none, in turns of a few seconds: what else the machine does
counts for both. The sessions speak the server's protocol as a browser does and draw nothing; they
have a process of their own, on the same cores. They ask for redraws at the pace that the page sets;
how long an answer takes is counted from the first request that is not answered yet, so that a
redraw that was left out makes the next one late.

**Page loads.** Sessions that open the Train page of a finished run one after the other and leave,
with the server allowed so few open files. What the server holds is measured on the way (Linux).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.watching import cpu_seconds, dashboard, finished
from neuralscope.data import is_cached, load_dataset
from neuralscope.runs import RunConfig, Store, launch

TURN: Final = 6.0
"""Seconds that sessions watch, and that they do not."""

SETTLE: Final = 1.0
"""Seconds at the start of a turn that are left out."""

TIMEOUT: Final = 60.0


# The crowd, in a process of its own --------------------------------------------------------------


class Session:
    """One that follows a page as a browser does.

    Attributes:
        waits: Seconds from each request, or the first of several, to its answer.
        interval: Seconds between two requests, as the page says; 0 while it says nothing.
        is_watching: Whether it asks for redraws.
    """

    def __init__(self) -> None:
        """Begin without a page."""
        self.waits: list[float] = []
        self.interval = 0.0
        self.is_watching = True
        self._due: dict[str, float] = {}
        self._repeats: dict[str, float] = {}
        self._waiting_since: float | None = None

    async def follow(self, address: str, query: str) -> None:
        """Open a page and ask for every redraw that a browser would ask for, until cancelled."""
        async with connect(address) as socket_:
            await self._ask(socket_, query)
            while True:
                now = time.monotonic()
                for fragment in [each for each, at in self._due.items() if at <= now]:
                    self._due[fragment] = max(self._due[fragment] + self._repeats[fragment], now)
                    if self.is_watching:
                        await self._ask(socket_, query, fragment)
                rest = min(self._due.values(), default=now + 0.2) - time.monotonic()
                try:
                    raw = await asyncio.wait_for(socket_.recv(), max(rest, 0.001))
                except TimeoutError:
                    continue
                self._hear(parsed(raw))

    async def _ask(self, socket_: Any, query: str, fragment: str = "") -> None:
        await socket_.send(request(query, fragment))
        self._waiting_since = self._waiting_since or time.monotonic()

    def _hear(self, answer: Any) -> None:
        kind = answer.WhichOneof("type")
        if kind == "new_session" and not answer.metadata.run.fragment_ids:
            self._due.clear()  # the page is drawn anew, and says anew what to repeat
        elif kind == "stop_auto_rerun":
            for fragment in answer.stop_auto_rerun.fragment_ids:
                self._due.pop(fragment, None)
        elif kind == "auto_rerun":
            fragment, self.interval = answer.auto_rerun.fragment_id, answer.auto_rerun.interval
            self._repeats[fragment] = self.interval
            self._due[fragment] = time.monotonic() + self.interval
        elif kind == "script_finished" and self._waiting_since is not None:
            self.waits.append(time.monotonic() - self._waiting_since)
            self._waiting_since = None


def connect(address: str) -> Any:
    """Return a connection to the server, for `async with`."""
    from websockets.asyncio.client import connect

    url = f"ws://{address}/_stcore/stream"
    return connect(url, max_size=None, compression=None, subprotocols=["streamlit"])  # type: ignore[list-item]


def request(query: str, fragment: str = "") -> bytes:
    """Return the message that asks for a page, or for one fragment of it."""
    from streamlit.proto.BackMsg_pb2 import BackMsg

    message = BackMsg()
    message.rerun_script.query_string = query
    if fragment:
        message.rerun_script.fragment_id = fragment
        message.rerun_script.is_auto_rerun = True
    return bytes(message.SerializeToString())


def parsed(raw: Any) -> Any:
    """Return what the server says."""
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    return ForwardMsg.FromString(raw)


async def visit(address: str, query: str) -> float:
    """Open a page, wait until it is drawn, and leave; return how long that took, in seconds."""
    began = time.monotonic()
    async with connect(address) as socket_, asyncio.timeout(TIMEOUT):
        await socket_.send(request(query))
        while parsed(await socket_.recv()).WhichOneof("type") != "script_finished":
            pass
    return time.monotonic() - began


async def crowd(address: str, query: str, size: int) -> None:
    """Have so many sessions watch, or not, as lines of standard input say; tell of each turn."""
    sessions = [Session() for _ in range(size)]
    tasks = [asyncio.create_task(session.follow(address, query)) for session in sessions]
    while order := (await asyncio.to_thread(sys.stdin.readline)).strip():
        told = {
            "waits": [wait for session in sessions for wait in session.waits],
            "interval": statistics.median(session.interval for session in sessions),
        }
        sys.stdout.write(f"{json.dumps(told)}\n")
        sys.stdout.flush()
        for session in sessions:
            session.is_watching = order == "watch"
            session.waits.clear()
    for task in tasks:
        task.cancel()


# What is measured --------------------------------------------------------------------------------


class Turns:
    """Figures of the turns in which a run is watched, and of those between them."""

    def __init__(self) -> None:
        """Begin with none."""
        self.alone: list[float] = []
        self.watched: list[float] = []
        self.waits: list[float] = []
        self.redraws: list[float] = []
        self.intervals: list[float] = []
        self.loads: list[float] = []


def measure_crowd(store: Store, config: RunConfig, size: int, rounds: int) -> Turns:
    """Watch a run with so many sessions every second turn."""
    turns = Turns()
    with dashboard(store.path) as (address, pid):
        run_id = launch(store, config)
        command = [sys.executable, "-m", "benchmarks.crowd", "--crowd", address, run_id, str(size)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as viewers:
            assert viewers.stdin is not None and viewers.stdout is not None

            def tell(order: str) -> Any:
                """Begin a turn; return what the sessions saw in the one before."""
                print(order, file=viewers.stdin, flush=True)
                return json.loads(viewers.stdout.readline())  # type: ignore[union-attr]

            def turn(order: str) -> float:
                """Return the steps a second of a turn."""
                tell(order)
                time.sleep(SETTLE)
                tell(order)
                step, began = store.run(run_id).step, time.perf_counter()
                time.sleep(TURN)
                return (store.run(run_id).step - step) / (time.perf_counter() - began)

            time.sleep(TURN)  # all have opened the page
            for _ in range(rounds):
                before = turn("rest")
                used = cpu_seconds(pid)
                turns.watched.append(turn("watch"))
                turns.loads.append((cpu_seconds(pid) - used) / (SETTLE + TURN))
                told = tell("rest")
                turns.waits += told["waits"]
                turns.redraws.append(len(told["waits"]) / size / TURN)
                turns.intervals.append(told["interval"])
                turns.alone.append((before + turn("rest")) / 2)
            print(file=viewers.stdin, flush=True)
            store.send(run_id, "stop")
            finished(store, run_id)
    return turns


def held_by(pid: int) -> tuple[float, int]:
    """Return a process's memory in MB and how many files it has open."""
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024, len(os.listdir(f"/proc/{pid}/fd"))


def load_pages(store: Store, run_id: str, visits: int, most_files: int) -> None:
    """Have sessions come and go, and write what the server holds on the way."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with dashboard(store.path) as (address, pid):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (most_files, most_files))
        sys.stdout.write(f"\nWith {most_files} open files allowed, of {hard[1]:,}:\n\n")
        sys.stdout.write("| page loads | median | memory | open files |\n|---:|---:|---:|---:|\n")
        times: list[float] = []
        for number in range(visits + 1):
            if number in {1, 50, 100, 200, 300} or number % 250 == 0:
                memory, files = held_by(pid)
                middle = statistics.median(times[-50:] or [0.0])
                row = f"| {number:,} | {middle:.2f} s | {memory:.0f} MB | {files} |\n"
                sys.stdout.write(row)
                sys.stdout.flush()
            times.append(asyncio.run(visit(address, f"run={run_id}")))


def main() -> int:
    """Measure, and say it in Markdown."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.crowd",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=6, help="0 for none")
    parser.add_argument("--hidden", type=int, nargs="+", default=[128])
    parser.add_argument("--watchers", type=int, nargs="+", default=[1, 20])
    parser.add_argument("--visits", type=int, default=1000, help="0 for none")
    parser.add_argument(
        "--descriptors", type=int, default=256, help="open files the server may have"
    )
    parser.add_argument("--crowd", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.crowd:
        address, run_id, size = options.crowd
        asyncio.run(crowd(address, f"run={run_id}", int(size)))
        return 0
    if not is_cached("mnist"):
        parser.exit(1, "MNIST is not here; train on it once, then measure.\n")
    load_dataset("mnist")
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "runs") as store:
        if options.rounds:
            config = RunConfig(hidden=tuple(options.hidden), epochs=10_000, batch_size=64)
            _compare(store, config, options.rounds, options.watchers)
        if options.visits:
            run = finished(store, launch(store, RunConfig(epochs=20, batch_size=64)))
            load_pages(store, run.run_id, options.visits, options.descriptors)
    return 0


def _compare(store: Store, config: RunConfig, rounds: int, sizes: list[int]) -> None:
    sys.stdout.write(
        "| sessions | training keeps of its speed | answer, median | 95th percentile "
        "| redraws/s of each | pace | server, cores |\n|---:|---:|---:|---:|---:|---:|---:|\n"
    )
    for size in sizes:
        turns = measure_crowd(store, config, size, rounds)
        kept = [watched / alone for watched, alone in zip(turns.watched, turns.alone, strict=True)]
        middle, late = np.percentile(turns.waits, [50, 95])
        sys.stdout.write(
            f"| {size} | {statistics.median(kept):.2f} ({min(kept):.2f} to {max(kept):.2f}) "
            f"| {middle:.2f} s | {late:.2f} s | {statistics.median(turns.redraws):.2f} "
            f"| {statistics.median(turns.intervals):.1f} s "
            f"| {statistics.median(turns.loads):.2f} |\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
