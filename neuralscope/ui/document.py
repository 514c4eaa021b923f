"""The HTML document in which every page is drawn: Streamlit's own, with a script of ours in front.

The script has to be there before Streamlit's: it says where the server is, which Streamlit would
otherwise look for beneath the page first, with two complaints in the browser's console; and it
decides which addresses become entries of the browser's history.
"""

from __future__ import annotations

import asyncio
import contextlib
import webbrowser
from collections.abc import AsyncIterator
from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from neuralscope.ui import closing, frame


def routes() -> list[Route]:
    """Return what the server answers itself: the documents of all pages."""
    content = document()

    async def answer(request: Request) -> HTMLResponse:
        # Kept by no browser: after an update it would load scripts that are no longer there.
        return HTMLResponse(content, headers={"Cache-Control": "no-cache"})

    return [Route(path, answer) for path in ("/", *(f"/{page.lower()}" for page in frame.PAGES))]


def document() -> str:
    """Return Streamlit's document with our script in front of its own."""
    html = (Path(st.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    script = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
    return html.replace("<head>", f"<head><script>\n{script}</script>", 1)


@contextlib.asynccontextmanager
async def lifespan(app: object) -> AsyncIterator[None]:
    """Open the browser when the server answers, unless it is told not to (`server.headless`).

    In the end trainings end with it.

    Streamlit does so itself, but not for a server with routes of its own.
    """
    opening = None
    if not st.get_option("server.headless"):
        opening = asyncio.create_task(_open_browser())
    async with closing.ending_trainings():
        yield
    if opening is not None:
        opening.cancel()


async def _open_browser() -> None:
    host, port = st.get_option("server.address"), st.get_option("server.port")
    host = "localhost" if host in (None, "", "0.0.0.0", "::") else host
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            break
        await asyncio.sleep(0.05)
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    await asyncio.to_thread(webbrowser.open, url)
