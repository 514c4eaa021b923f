"""Cases in worker processes that are watched: for death, hanging and memory.

A module of cases has a function

    case(number, chance, folder, announce) -> list of faults, a sentence each

which says by `announce(kind)` what it is going to do before it does it, and makes all its choices
with `chance`; and, if it needs anything beforehand, a function `prepare(folder)`. Numbers go to a
worker's standard input, answers come back as lines of JSON. A worker that does not answer in time,
or dies, has found something; the next case gets a new one.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import json
import os
import queue
import random
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

MOST_MEMORY = 2**30
"""Bytes that no process may exceed while it handles a case."""

LONGEST_START = 180.0
"""Seconds that a worker may take before it is ready for its first case."""


class Skipped(Exception):
    """The machine does not allow a case; the text says why."""


GUARD = 6 * 2**30
"""Address space of a worker: what would take more than that shall not take the machine down."""


@dataclass
class Outcome:
    """What came of a case."""

    number: int
    kind: str = "unknown"
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0
    peak: int = 0  # bytes of the largest process


def attack(
    module: str, numbers: Iterable[int], *, seed: int, processes: int, patience: float
) -> Iterator[Outcome]:
    """Run cases of a module in worker processes and yield what came of each.

    Args:
        module: Its name.
        numbers: Which cases.
        seed: What their random choices depend on.
        processes: How many at once.
        patience: Seconds after which a case counts as hanging.
    """
    waiting: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
    n_cases = 0
    for number in numbers:
        waiting.put(number)
        n_cases += 1
    with tempfile.TemporaryDirectory(prefix="attack-", ignore_cleanup_errors=True) as folder:

        def work(place: Path) -> None:
            place.mkdir()
            worker = Worker(module, seed, place)
            try:
                while (number := waiting.get()) is not None:
                    done.put(worker.outcome(number, patience))
            except BaseException as error:
                done.put(error)
            finally:
                worker.end()

        threads = []
        for index in range(min(processes, n_cases)):
            waiting.put(None)
            thread = threading.Thread(target=work, args=(Path(folder, str(index)),), daemon=True)
            thread.start()
            threads.append(thread)
        try:
            for _ in range(n_cases):
                outcome = done.get()
                if isinstance(outcome, BaseException):
                    raise outcome
                yield outcome
        finally:
            with contextlib.suppress(queue.Empty):
                while waiting.get_nowait() is not None:
                    pass
            for thread in threads:
                waiting.put(None)
                thread.join(patience + 5)


class Worker:
    """A process that does one case after another, and its successors."""

    def __init__(self, module: str, seed: int, folder: Path) -> None:
        """Prepare it; it is started when there is something to do."""
        self._command = [sys.executable, "-m", __name__, module, str(seed), str(folder)]
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def outcome(self, number: int, patience: float) -> Outcome:
        """Have a case done and return what came of it."""
        process = self._process or self._start()
        outcome = Outcome(number)
        began = time.monotonic()
        assert process.stdin and process.stdout
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(b"%d\n" % number)
            process.stdin.flush()
        while True:
            left = began + patience - time.monotonic()
            is_ready = select.select([process.stdout], [], [], max(left, 0))[0]
            outcome.seconds = time.monotonic() - began
            if not is_ready:
                others = _descendants(process.pid)
                process.send_signal(signal.SIGABRT)  # its log then says where it stood
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(2)
                outcome.faults.append(f"no answer within {patience:g} s; it stood {self._stood()}")
                self.end(others)
                return outcome
            line = process.stdout.readline()
            if not line:
                status = process.wait()
                name = signal.Signals(-status).name if status < 0 else f"status {status}"
                outcome.faults.append(f"the process died of {name}; it stood {self._stood()}")
                self.end()
                return outcome
            answer = json.loads(line)
            if "faults" not in answer:
                outcome.kind = answer["kind"]
                continue
            outcome.faults += answer["faults"]
            outcome.peak = answer["peak"]
            if outcome.peak > MOST_MEMORY:
                outcome.faults.append(f"a process took {outcome.peak / 2**20:,.0f} MB")
                self.end()  # what it has taken it may keep: the next case starts anew
            return outcome

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                start_new_session=True,
            )
        assert self._process.stdout
        is_ready = select.select([self._process.stdout], [], [], LONGEST_START)[0]
        if not is_ready or not self._process.stdout.readline():
            self.end()
            raise RuntimeError(f"The worker does not start:\n{self._log.read_text()}")
        return self._process

    def _stood(self) -> str:
        """Return where in our code the process stood when it ended, as its log says."""
        lines = self._log.read_text(errors="replace").splitlines()
        stack = [line.strip().replace(f"{ROOT}/", "") for line in lines if 'File "' in line]
        ours = [line for line in stack if '"neuralscope/' in line or '"benchmarks/' in line]
        return (ours or stack or ["nowhere that is known"])[0]

    def end(self, others: Iterable[int] = ()) -> None:
        """End the process with all that it has started, and others, if there is one."""
        if self._process:
            for pid in (*others, *_descendants(self._process.pid), self._process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()
            assert self._process.stdin and self._process.stdout
            self._process.stdin.close()
            self._process.stdout.close()
            self._process = None


def _descendants(pid: int) -> list[int]:
    """Return the processes that a process has started, with those that they have started."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [each for child in map(int, children) for each in (child, *_descendants(child))]


def chance_of(seed: int, number: int) -> random.Random:
    """Return what makes the random choices of a case."""
    return random.Random(f"{seed}-{number}")


def _serve(module: str, seed: int, place: Path) -> None:
    """Do the cases whose numbers are read from standard input."""
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (GUARD, GUARD))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    numbers = os.fdopen(os.dup(0))
    # What cases print is none of the parent's, and they find nothing to read.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    cases = importlib.import_module(module)
    run: Callable[..., list[str]] = cases.case
    if hasattr(cases, "prepare"):
        cases.prepare(place.parent)
    answers.write("ready\n")

    def announce(kind: str) -> None:
        answers.write(json.dumps({"kind": kind}) + "\n")

    for line in numbers:
        number = int(line)
        folder = place / f"case-{number}"
        folder.mkdir(parents=True)
        Path("/proc/self/clear_refs").write_text("5")  # measure the peak from here
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        try:
            faults = run(number, chance_of(seed, number), folder, announce)
        except Skipped as reason:
            faults = []
            announce(f"skipped: {reason}")
        except Exception:
            faults = [f"the attack itself failed: {traceback.format_exc()[-1500:]}"]
        after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        peak = max(_peak(), after * 1024 if after > children else 0)
        answers.write(json.dumps({"faults": faults, "peak": peak}) + "\n")
        shutil.rmtree(folder, ignore_errors=True)


def _peak() -> int:
    """Return the most memory that this process has held since it was last asked to count anew."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def place_of(error: BaseException) -> str:
    """Return an exception in a line, with the last place in our code that it passed."""
    frames: list[Any] = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/neuralscope/" in frame.filename] or frames
    where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
    return f"{type(error).__name__} at {where}: {str(error)[:160]}"


if __name__ == "__main__":
    from benchmarks.attack import workers  # as cases know it

    workers._serve(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
