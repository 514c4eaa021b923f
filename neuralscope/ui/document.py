"""The HTML document in which every page is drawn: Streamlit's own, with a script of ours in front.

The script has to be there before Streamlit's: it says where the server is, which Streamlit would
otherwise look for beneath the page first, with two complaints in the browser's console; and it
decides which addresses become entries of the browser's history.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from neuralscope.ui import frame


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
