"""The document that every page is drawn in, and the browser that is opened on it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import streamlit as st

from neuralscope.ui import document


def run_in_a_thread(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end, whatever event loop the thread of the tests may have."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


@pytest.mark.parametrize("path", ["/", "/train", "/confusion", "/runs"])
def test_our_script_comes_before_those_of_streamlit(path: str) -> None:
    [route] = [route for route in document.routes() if route.path == path]
    answer = run_in_a_thread(route.endpoint(None))
    head, _, rest = answer.body.decode().partition("history.pushState =")
    assert "<script" in rest and head.count("<script") == 1
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("is_headless", [True, False])
def test_the_browser_is_opened_when_the_server_answers(
    monkeypatch: pytest.MonkeyPatch, is_headless: bool
) -> None:
    opened: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        options: dict[str, Any] = {
            "server.headless": is_headless,
            "server.address": "127.0.0.1",
            "server.port": port,
        }
        monkeypatch.setattr(st, "get_option", options.__getitem__)
        monkeypatch.setattr(document.webbrowser, "open", opened.append)

        async def serve() -> None:
            async with document.lifespan(None):
                for _ in range(500):
                    if opened or is_headless:
                        break
                    await asyncio.sleep(0.01)

        run_in_a_thread(serve())
    assert opened == ([] if is_headless else [f"http://127.0.0.1:{port}"])
