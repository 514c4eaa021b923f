"""How the server is set up: the files it may open, the sessions it keeps, whom it asks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from streamlit import net_util
from streamlit.web.server import server_util
from websockets.sync.client import connect

from neuralscope.ui import server

CHECKOUT = Path(__file__).parents[2]


def run_in_a_thread(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end, whatever event loop the thread of the tests may have."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


# Sessions that have ended ------------------------------------------------------------------------


class FakeRuntime:
    """Closes sessions as the runtime does: those that are kept, and nothing twice."""

    def __init__(self) -> None:
        self.closed: list[str] = []
        self.active: set[str] = set()
        self.storage = server.EndedSessions(most=2, seconds=0.02)

    def is_active_session(self, session_id: str) -> bool:
        return session_id in self.active

    def close_session(self, session_id: str) -> None:
        if self.storage.get(session_id):
            self.storage.delete(session_id)
            self.closed.append(session_id)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRuntime:
    fake = FakeRuntime()
    monkeypatch.setattr(server.runtime, "get_instance", lambda: fake)
    return fake


def info(session_id: str) -> Any:
    return SimpleNamespace(session=SimpleNamespace(id=session_id))


def test_of_many_ended_sessions_the_oldest_are_closed(fake: FakeRuntime) -> None:
    async def end_four() -> list[Any]:
        for name in "abcd":
            fake.storage.save(info(name))
        await asyncio.sleep(0)
        return fake.storage.list()

    kept = run_in_a_thread(end_four())
    assert fake.closed == ["a", "b"]
    assert [each.session.id for each in kept] == ["c", "d"]


def test_an_ended_session_is_closed_when_its_time_is_up(fake: FakeRuntime) -> None:
    async def wait() -> None:
        fake.storage.save(info("a"))
        while not fake.closed:
            await asyncio.sleep(0.01)

    run_in_a_thread(asyncio.wait_for(wait(), 10))
    assert fake.storage.list() == []


def test_a_session_that_comes_back_is_not_closed(fake: FakeRuntime) -> None:
    async def come_back() -> None:
        fake.storage.save(info("a"))
        assert fake.storage.get("a") is not None
        fake.storage.delete("a")
        fake.active.add("a")
        await asyncio.sleep(0.05)

    run_in_a_thread(come_back())
    assert fake.closed == []


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[int, int]]:
    """A real server that began with 256 open files allowed; its process id and port."""
    resource = pytest.importorskip("resource")
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("open files are counted in /proc")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", f"import resource, os, sys; resource.setrlimit("
            f"resource.RLIMIT_NOFILE, (256, {hard})); os.execv(sys.executable, sys.argv[1:])"),
            *(sys.executable, "-m", "neuralscope.ui.serve", "run", "dashboard.py"),
            *("--server.port", str(port), "--server.headless", "true"),
        ],
        cwd=CHECKOUT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(3000):
            with contextlib.suppress(OSError), socket.create_connection(("localhost", port)):
                break
            time.sleep(0.01)
        yield process.pid, port
    finally:
        process.kill()
        process.wait()


def test_ended_sessions_give_back_their_files(served: tuple[int, int]) -> None:
    pid, port = served
    before = len(os.listdir(f"/proc/{pid}/fd"))
    for _ in range(server.MOST_ENDED + 50):
        url = f"ws://localhost:{port}/_stcore/stream"
        with connect(url, subprotocols=["streamlit"]):  # type: ignore[list-item]
            pass
    most = before + 3 * server.MOST_ENDED + 10
    deadline = time.monotonic() + 10
    while len(os.listdir(f"/proc/{pid}/fd")) > most and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(os.listdir(f"/proc/{pid}/fd")) <= most


def test_the_server_may_open_more_files_than_it_began_with(served: tuple[int, int]) -> None:
    import resource

    soft, hard = resource.prlimit(served[0], resource.RLIMIT_NOFILE)
    assert soft == min(server.OPEN_FILES, hard) > 256


# Whom it asks, what it opens ---------------------------------------------------------------------


def test_a_foreign_origin_is_refused_without_asking_anybody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(net_util, "_make_blocking_http_get", lambda url, **_: asked.append(url))
    monkeypatch.setattr(net_util, "get_external_ip", net_util.get_external_ip)  # put back at end
    server.ask_nobody_outside()
    assert not server_util.is_url_from_allowed_origins("http://elsewhere.example")
    assert asked == []


@pytest.mark.parametrize("is_headless", [True, False])
def test_the_browser_is_opened_when_the_server_answers(
    monkeypatch: pytest.MonkeyPatch, is_headless: bool
) -> None:
    opened: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        options: dict[str, Any] = {
            "server.headless": is_headless,
            "server.address": "127.0.0.1",
            "server.port": port,
        }
        monkeypatch.setattr(st, "get_option", options.__getitem__)
        monkeypatch.setattr(server.webbrowser, "open", opened.append)

        async def serve() -> None:
            async with server.browser():
                for _ in range(500):
                    if opened or is_headless:
                        break
                    await asyncio.sleep(0.01)

        run_in_a_thread(serve())
    assert opened == ([] if is_headless else [f"http://127.0.0.1:{port}"])
