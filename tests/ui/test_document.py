"""The document that every page is drawn in."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

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
