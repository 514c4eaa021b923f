"""The parent. Most children here are a few lines that play one part of the real one."""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuralscope.data import Fetch, FetchProgress
from neuralscope.data.cache import read_table, write_table
from neuralscope.data.contents import OpenMLSource, Table
from neuralscope.data.fetch import load_table
from neuralscope.data.home import compact_path
from neuralscope.errors import DataUnavailable

PLAY = """
import json, os, pathlib, shutil, subprocess, sys, time
order = json.loads(sys.stdin.readline())
scratch = pathlib.Path(order["scratch"])
def tell(phase, received=0, expected=None, **more):
    news = {"phase": phase, "received": received, "expected": expected, **more}
    print(json.dumps(news), flush=True)
"""

StartPlay = Callable[..., Fetch]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def start(tiny: OpenMLSource, home: Path) -> StartPlay:
    def start(play: str, **limits: float) -> Fetch:
        command = [sys.executable, "-S", "-c", PLAY + play]
        return Fetch(tiny, data_home=home, command=command, **limits)

    return start


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within 20 s"
        time.sleep(0.02)


def reason_of(fetch: Fetch) -> str:
    with pytest.raises(DataUnavailable) as caught:
        fetch.wait()
    return str(caught.value)


def written(log: list[logging.LogRecord]) -> str:
    return "\n".join(record.getMessage() for record in log)


def leftovers(home: Path) -> list[Path]:
    return list((home / "neuralscope").glob("fetch-*"))


class TestWithTheRealChild:
    @pytest.fixture
    def home(self, tmp_path: Path, openml_home: Callable[[Path], Path]) -> Path:
        return openml_home(tmp_path / "home")

    def test_two_at_a_time_deliver_the_same_without_a_network(
        self, tiny: OpenMLSource, tiny_table: Table, home: Path
    ) -> None:
        reports: list[FetchProgress] = []
        fetches = [Fetch(tiny, data_home=home), Fetch(tiny, data_home=home)]
        for fetch in fetches:
            np.testing.assert_array_equal(fetch.wait(reports.append), tiny_table)
        assert reports[-1].phase == "done"
        assert reports[-1].message == "Tiny is ready."
        assert read_table(compact_path(home, "tiny"), tiny) is not None
        assert leftovers(home) == []

    def test_a_network_that_swallows_everything_is_given_up(
        self, tiny: OpenMLSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
            started = time.monotonic()
            fetch = Fetch(tiny, data_home=tmp_path / "empty", stall_seconds=3)
            reason = reason_of(fetch)
        assert reason == "Tiny is not available: OpenML did not answer within 3 s."
        assert time.monotonic() - started < 15
        assert leftovers(tmp_path / "empty") == []

    def test_a_refused_network_fails_at_once(
        self, tiny: OpenMLSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        fetch = Fetch(tiny, data_home=tmp_path / "empty")
        assert reason_of(fetch) == "Tiny is not available: the connection to OpenML was refused."
        assert fetch.progress().seconds < 20  # well within the patience with silence


class TestProgress:
    def test_it_says_in_a_sentence_what_is_going_on(self, start: StartPlay) -> None:
        fetch = start("""
for phase, received, expected in [
    ("connecting", 0, None),
    ("downloading", 3_200_000, 15_000_000),
    ("downloading", 4_000_000, None),
    ("parsing", 15_000_000, 15_000_000),
]:
    tell(phase, received, expected)
    go_on = scratch / "go-on"
    while not go_on.exists():
        time.sleep(0.01)
    go_on.unlink()
""")
        for phase, received, expected, message in [
            ("connecting", 0, None, "Asking OpenML for Tiny."),
            ("downloading", 3_200_000, 15_000_000, "Downloading Tiny: 3.2 of 15.0 MB."),
            ("downloading", 4_000_000, None, "Downloading Tiny: 4.0 MB so far."),
            ("parsing", 15_000_000, 15_000_000, "Reading Tiny; this is done only once."),
        ]:
            until(lambda p=phase, r=received: self.is_at(fetch, p, r))  # type: ignore[misc]
            progress = fetch.progress()
            assert progress.bytes_expected == expected
            assert progress.message == message
            (fetch._scratch / "go-on").touch()
        fetch.cancel()

    @staticmethod
    def is_at(fetch: Fetch, phase: str, received: int) -> bool:
        progress = fetch.progress()
        return (progress.phase, progress.bytes_received) == (phase, received)

    def test_asking_never_blocks(self, start: StartPlay) -> None:
        fetch = start("time.sleep(60)")
        started = time.monotonic()
        for _ in range(100):
            assert fetch.progress().phase == "connecting"
        assert time.monotonic() - started < 5
        fetch.cancel()

    def test_time_goes_on_until_the_end_and_then_stands_still(self, start: StartPlay) -> None:
        fetch = start("time.sleep(60)")
        first = fetch.progress().seconds
        time.sleep(0.02)
        assert fetch.progress().seconds > first
        fetch.cancel()
        last = fetch.progress().seconds
        time.sleep(0.02)
        assert fetch.progress().seconds == last

    def test_it_comes_to_its_end_without_anyone_asking(self, start: StartPlay, home: Path) -> None:
        start("tell('failed', reason='x', detail='')")
        until(lambda: leftovers(home) == [])


class TestPatience:
    def test_silence_ends_it(self, start: StartPlay, home: Path) -> None:
        fetch = start("tell('downloading', 100); time.sleep(60)", stall_seconds=0.5)
        assert reason_of(fetch) == "Tiny is not available: OpenML sent nothing more for 0.5 s."
        assert fetch._process.poll() is not None
        assert leftovers(home) == []

    def test_asking_alone_enforces_the_limit(self, start: StartPlay) -> None:
        fetch = start("time.sleep(60)", stall_seconds=0.2)
        until(lambda: fetch.progress().phase == "failed")
        assert "did not answer within 0.2 s" in fetch.progress().message

    def test_a_slow_network_that_keeps_delivering_may_go_on(self, start: StartPlay) -> None:
        fetch = start(
            """
for i in range(12):
    tell("downloading", i + 1)
    time.sleep(0.25)
tell("failed", reason="the play is over", detail="")
""",
            stall_seconds=2,
        )
        assert "the play is over" in reason_of(fetch)
        assert fetch.progress().seconds > 2

    def test_trying_again_is_no_news(self, start: StartPlay) -> None:
        fetch = start("while True: tell('connecting'); time.sleep(0.05)", stall_seconds=0.5)
        assert "did not answer" in reason_of(fetch)

    def test_reading_has_a_limit_of_its_own(self, start: StartPlay) -> None:
        play = (
            "tell('parsing'); time.sleep(1); tell('failed', reason='the play is over', detail='')"
        )
        assert "the play is over" in reason_of(start(play, stall_seconds=0.5))
        assert "reading it took more than 1 s" in reason_of(
            start("tell('parsing'); time.sleep(60)", parse_seconds=0.6)
        )


class TestFailure:
    @pytest.mark.parametrize(
        ("play", "reason"),
        [
            ("tell('failed', reason='the moon is full', detail='')", "the moon is full"),
            ("sys.exit(3)", "ended unexpectedly (exit status 3)"),
            ("print('nonsense'); print('[1]'); print('{}'); sys.exit(3)", "exit status 3"),
            ("tell('done')", "ended unexpectedly"),
            ("tell('done', path='nowhere')", "was removed meanwhile"),
            ("tell('done', path=str(scratch / 'nowhere'))", "could not be read back"),
        ],
    )
    def test_it_is_told_in_one_sentence(
        self, play: str, reason: str, start: StartPlay, home: Path
    ) -> None:
        message = reason_of(start(play))
        assert message.startswith("Tiny is not available: ")
        assert reason in message
        assert message.endswith(".")
        assert "\n" not in message
        assert leftovers(home) == []

    def test_details_go_to_the_log_only(
        self, start: StartPlay, log: list[logging.LogRecord]
    ) -> None:
        message = reason_of(start("tell('failed', reason='bad', detail='Traceback: line 1')"))
        assert "Traceback" not in message
        assert "Traceback: line 1" in written(log)

    def test_a_child_that_cannot_be_started_is_told(self, tiny: OpenMLSource, home: Path) -> None:
        fetch = Fetch(tiny, data_home=home, command=["/nonexistent"])
        assert "cannot be started" in reason_of(fetch)
        fetch.cancel()
        assert leftovers(home) == []


class TestCancel:
    def test_it_ends_the_child_and_leaves_nothing(self, start: StartPlay, home: Path) -> None:
        fetch = start("(scratch / 'half').touch(); time.sleep(60)")
        fetch.cancel()
        assert fetch.progress().phase == "failed"
        assert "cancelled" in fetch.progress().message
        assert fetch._process.poll() is not None
        assert leftovers(home) == []
        fetch.cancel()  # once more does no harm

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups")
    def test_it_ends_what_the_child_started(self, start: StartPlay, tmp_path: Path) -> None:
        note = tmp_path / "pid"
        fetch = start(f"""
child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
pathlib.Path({str(note)!r} + "~").write_text(str(child.pid))
os.replace({str(note)!r} + "~", {str(note)!r})
time.sleep(60)
""")
        until(note.exists)
        fetch.cancel()
        until(lambda: not is_running(int(note.read_text())))

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_an_error_while_waiting_cancels(
        self, error: type[BaseException], start: StartPlay
    ) -> None:
        def stop(progress: FetchProgress) -> None:
            raise error

        fetch = start("time.sleep(60)")
        with pytest.raises(error):
            fetch.wait(stop)
        assert fetch._process.poll() is not None


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # An orphan that nobody has waited for yet still has a number.
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]
    except (ProcessLookupError, FileNotFoundError):
        return False


class TestWhereNothingCanBeWritten:
    @pytest.fixture
    def home(self, tmp_path: Path) -> Path:
        (tmp_path / "home").touch()
        return tmp_path / "home"

    def test_the_table_is_delivered_all_the_same(
        self,
        start: StartPlay,
        tiny_table: Table,
        tmp_path: Path,
        log: list[logging.LogRecord],
    ) -> None:
        prepared = tmp_path / "prepared.npy"
        write_table(prepared, tiny_table)
        fetch = start(f"""
path = scratch / "tiny-v1.npy"
shutil.copy({str(prepared)!r}, path)
tell("done", path=str(path))
""")
        np.testing.assert_array_equal(fetch.wait(), tiny_table)
        assert not fetch._scratch.exists()
        assert "cannot be kept" in written(log)


class TestLoading:
    def test_a_sound_copy_needs_no_fetch(
        self, tiny: OpenMLSource, tiny_table: Table, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_table(compact_path(home, "tiny"), tiny_table)
        monkeypatch.setattr("neuralscope.data.fetch.Fetch", None)
        np.testing.assert_array_equal(load_table(tiny, home), tiny_table)

    def test_a_damaged_copy_is_told_and_fetched_anew(
        self,
        tiny: OpenMLSource,
        tiny_table: Table,
        home: Path,
        openml_home: Callable[[Path], Path],
        log: list[logging.LogRecord],
    ) -> None:
        openml_home(home)
        write_table(compact_path(home, "tiny"), tiny_table[:-1])
        reports: list[FetchProgress] = []
        np.testing.assert_array_equal(load_table(tiny, home, reports.append), tiny_table)
        assert reports[0].message.startswith("The kept copy of Tiny is damaged: ")
        assert reports[0].message in written(log)
        assert read_table(compact_path(home, "tiny"), tiny) is not None
