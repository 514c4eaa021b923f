"""Fetching a data set from OpenML without ever hanging: a child works, the parent watches.

`sklearn.datasets.fetch_openml` knows no time limit and cannot be interrupted, not even while it
looks up a name. So it runs in a process of its own, which can be killed at any moment:

    parent: Fetch                               child: python -m neuralscope.data.openml
    ------                                      -----
    starts it, writes one line of JSON   --->   reads what to fetch
    keeps the newest state               <---   one line of JSON per piece of news
    kills it when no news comes                 ends itself when its input closes (parent gone)

The child works in a scratch folder that goes away with it, so killing it leaves no trace, two
fetches at a time never meet, and scikit-learn's own copy is out of reach of any mistake.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from neuralscope.data.cache import read_table
from neuralscope.data.contents import OpenMLSource, Table
from neuralscope.data.home import compact_path, data_home
from neuralscope.errors import DataError, DataUnavailable

Phase = Literal["connecting", "downloading", "parsing", "done", "failed"]

STALL_SECONDS = 25.0
PARSE_SECONDS = 300.0
REPORT_SECONDS = 0.1

CHECKOUT = Path(__file__).resolve().parents[2]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FetchProgress:
    """How far a fetch has come.

    Attributes:
        phase: What it is doing; "done" and "failed" are final.
        bytes_received: Bytes of the current download so far.
        seconds: Time since the start.
        message: One sentence for people.
        bytes_expected: Bytes the download will have, if OpenML says so.
    """

    phase: Phase
    bytes_received: int
    seconds: float
    message: str
    bytes_expected: int | None = None


ProgressCallback = Callable[[FetchProgress], None]


def load_table(
    source: OpenMLSource, home: Path, on_progress: ProgressCallback | None = None
) -> Table:
    """Return the checked table from its compact copy, or fetch it and wait.

    Raises:
        DataUnavailable: There is no sound copy and it cannot be fetched.
    """
    try:
        table = read_table(compact_path(home, source.name), source)
    except DataError as error:
        message = f"{error} It is made anew."
        logger.warning(message)
        if on_progress is not None:
            on_progress(FetchProgress("connecting", 0, 0.0, message))
        table = None
    if table is not None:
        return table
    return Fetch(source, data_home=home).wait(on_progress)


class Fetch:
    """One fetch under way; it starts at once and goes on whether or not anyone asks.

    Args:
        source: What to fetch.
        data_home: scikit-learn's data folder. Its copy of the download is used if there is one;
            otherwise the download is left there, where scikit-learn finds it too.
        stall_seconds: How long the network may bring nothing new. Not a limit on the whole
            download: a slow network that keeps delivering may go on.
        parse_seconds: How long reading the complete download may take.
        command: The child to start instead of the real one.
    """

    def __init__(
        self,
        source: OpenMLSource,
        *,
        data_home: Path | str | None = None,
        stall_seconds: float = STALL_SECONDS,
        parse_seconds: float = PARSE_SECONDS,
        command: Sequence[str] | None = None,
    ) -> None:
        self._source = source
        self._stall_seconds = stall_seconds
        self._parse_seconds = parse_seconds
        self._home = _absolute_home(data_home)
        self._scratch = _make_scratch(self._home)

        self._lock = threading.Lock()
        self._finished = threading.Event()
        self._phase: Phase = "connecting"
        self._received = 0
        self._expected: int | None = None
        self._reason: str | None = None  # why it failed, as a clause
        self._path: Path | None = None  # where the child wrote the compact copy
        self._table: Table | None = None  # only if it could not be kept in the data home
        self._started = self._news = time.monotonic()
        self._ended: float | None = None

        try:
            self._process = _start_child(
                command or (sys.executable, "-W", "ignore", "-m", "neuralscope.data.openml")
            )
        except OSError as error:
            self._conclude_failed(f"its process cannot be started ({error.strerror})")
            return
        # A thread, because a pipe cannot be read without blocking on every platform.
        threading.Thread(target=self._listen, name="fetch", daemon=True).start()
        self._send_order()

    def progress(self) -> FetchProgress:
        """Return the newest state, at once; here the time limits are enforced as well."""
        with self._lock:
            if not self._finished.is_set():
                self._stop_if_overdue()
            seconds = (self._ended or time.monotonic()) - self._started
            return FetchProgress(
                self._phase, self._received, seconds, self._message(), self._expected
            )

    def wait(self, on_progress: ProgressCallback | None = None) -> Table:
        """Wait for the end and return the checked table.

        Args:
            on_progress: Called a few times a second and once at the end. If it raises, or the
                wait is interrupted, the fetch is cancelled.

        Raises:
            DataUnavailable: The fetch failed; the message says why in one sentence.
        """
        try:
            while not self._finished.wait(REPORT_SECONDS):
                progress = self.progress()
                if on_progress is not None and not self._finished.is_set():
                    on_progress(progress)
            final = self.progress()
            if on_progress is not None:
                on_progress(final)
        except BaseException:
            self.cancel()
            raise
        if final.phase == "failed":
            raise DataUnavailable(final.message)
        return self._fetched_table()

    def cancel(self) -> None:
        """End the fetch, if it is still under way, and leave nothing behind."""
        with self._lock:
            if not self._finished.is_set():
                self._stop("the download was cancelled")
        self._finished.wait(5.0)

    def _send_order(self) -> None:
        order = {
            "source": asdict(self._source),
            "data_home": str(self._home),
            "scratch": str(self._scratch),
            "timeout": 0.8 * self._stall_seconds,
        }
        # The pipe stays open: its closing tells the child that we are gone.
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            # The child is ours, but whatever it says, this thread must live to see its end.
            with contextlib.suppress(ValueError, TypeError, KeyError):
                self._hear(json.loads(line))
        self._conclude(self._process.wait())

    def _hear(self, news: dict[str, Any]) -> None:
        with self._lock:
            was_parsing, received = self._phase == "parsing", self._received
            phase = news["phase"]
            if phase == "done":
                self._path = Path(news["path"])
            elif phase == "failed":
                self._reason = self._reason or news["reason"]
                logger.debug("Fetching %s failed: %s", self._source.name, news["detail"])
            else:
                self._phase = phase
                self._received = news["received"]
                self._expected = news["expected"]
            # Asking once more is no news: only bytes and the beginning or end of parsing are.
            if self._received > received or (self._phase == "parsing") != was_parsing:
                self._news = time.monotonic()

    def _stop_if_overdue(self) -> None:
        silence = time.monotonic() - self._news
        if self._phase == "parsing":
            if silence > self._parse_seconds:
                self._stop(f"reading it took more than {self._parse_seconds:.0f} s")
        elif silence > self._stall_seconds:
            limit = f"{self._stall_seconds:.3g} s"
            if self._phase == "downloading":
                self._stop(f"OpenML sent nothing more for {limit}")
            else:
                self._stop(f"OpenML did not answer within {limit}")

    def _stop(self, reason: str) -> None:
        self._reason = self._reason or reason
        _kill(self._process)

    def _conclude(self, status: int) -> None:
        table, reason = None, self._reason
        if self._path is None and reason is None:
            reason = f"the process that fetches it ended unexpectedly (exit status {status})"
        elif self._path is not None and self._path.is_relative_to(self._scratch):
            try:
                table = self._read(self._path)
            except (DataError, MemoryError) as error:
                reason = f"it could not be read back ({error})"
            logger.warning(
                "%s cannot be kept in %s and will be read anew each time.",
                self._source.title,
                self._home,
            )
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        if self._path is not None and reason is None:
            with self._lock:
                self._table = table
                self._phase = "done"
            self._clean_up()
        else:
            self._conclude_failed(reason or "")

    def _conclude_failed(self, reason: str) -> None:
        with self._lock:
            self._phase = "failed"
            self._reason = reason
        self._clean_up()

    def _clean_up(self) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._ended = time.monotonic()
        self._finished.set()

    def _fetched_table(self) -> Table:
        if self._table is not None:
            return self._table
        assert self._path is not None
        try:
            table = read_table(self._path, self._source)
        except DataError as error:
            raise DataUnavailable(f"{self._source.title} is not available: {error}") from error
        if table is None:
            raise DataUnavailable(
                f"{self._source.title} is not available: {self._path} was removed meanwhile."
            )
        return table

    def _read(self, path: Path) -> Table:
        table = read_table(path, self._source)
        if table is None:
            raise DataError("It is not there.")
        # Into memory: the file is about to go, and a mapped one cannot be removed everywhere.
        return np.array(table)

    def _message(self) -> str:
        title = self._source.title
        if self._phase == "connecting":
            return f"Asking OpenML for {title}."
        if self._phase == "downloading":
            received = f"{self._received / 1e6:.1f}"
            if self._expected:
                return f"Downloading {title}: {received} of {self._expected / 1e6:.1f} MB."
            return f"Downloading {title}: {received} MB so far."
        if self._phase == "parsing":
            return f"Reading {title}; this is done only once."
        if self._phase == "done":
            return f"{title} is ready."
        return f"{title} is not available: {self._reason}."


def _absolute_home(given: Path | str | None) -> Path:
    # The child has a working folder of its own.
    return data_home(given).absolute()


def _make_scratch(home: Path) -> Path:
    """Make a scratch folder beside the compact copies, so that files move by renaming."""
    beside = compact_path(home, "scratch").parent
    try:
        beside.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="fetch-", dir=beside))
    except OSError:
        # A folder that cannot be written may still hold scikit-learn's copy.
        return Path(tempfile.mkdtemp(prefix="neuralscope-fetch-"))


def _start_child(command: Sequence[str]) -> subprocess.Popen[bytes]:
    search_path = [str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(search_path)},
        # A group of its own: it is killed with all it started, and Ctrl-C is ours to handle.
        start_new_session=True,
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
