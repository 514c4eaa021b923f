"""What the dashboard's server does otherwise than Streamlit's, from its start on.

It may open as many files as the system lets it, keeps few sessions whose viewer has left, asks
nobody outside for its address, and opens the browser.
"""

from __future__ import annotations

import asyncio
import contextlib
import webbrowser
from collections.abc import AsyncIterator
from typing import Final

import streamlit as st
from streamlit import net_util, runtime
from streamlit.runtime.session_manager import SessionInfo

from neuralscope.ui import closing

OPEN_FILES: Final = 4096
"""Files that the server may have open: a viewer takes four, and macOS allows 256 by itself."""

MOST_ENDED: Final = 32
KEEP_ENDED: Final = 120.0
"""How many sessions are kept whose connection has ended, a class whose network failed for a moment,
and for how many seconds."""


@contextlib.asynccontextmanager
async def lifespan(app: object) -> AsyncIterator[None]:
    """Prepare the server that is about to answer; its trainings end with it."""
    allow_open_files()
    ask_nobody_outside()
    keep_few_sessions(runtime.get_instance())
    async with browser(), closing.ending_trainings():
        yield


@contextlib.asynccontextmanager
async def browser() -> AsyncIterator[None]:
    """Open the browser as soon as the server answers, unless told not to (`server.headless`).

    Streamlit does so itself, but not for a server with routes of its own.
    """
    opening = None
    if not st.get_option("server.headless"):
        opening = asyncio.create_task(_open_browser())
    yield
    if opening is not None:
        opening.cancel()


def allow_open_files() -> None:
    """Raise the limit on this process's open files to `OPEN_FILES`, or as far as it may go."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # the server runs with what it has
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def ask_nobody_outside() -> None:
    """Keep Streamlit from asking a service on the internet for this computer's address.

    It does so for each connection that another site's page tries to open, while everybody waits, in
    case the site is this server under its public address. No setting turns that off. A server that
    is reached under another name than it hears (behind a proxy) is told so by
    `browser.serverAddress` or `server.corsAllowedOrigins`.
    """
    net_util.get_external_ip = lambda: None


class EndedSessions:
    """Sessions whose connection has ended, kept in case their browser comes back.

    Each holds three open files (an event loop) and all that its pages remember. Streamlit's own
    storage keeps 128 of them, and those whose time is up until another one ends.
    """

    def __init__(self, most: int = MOST_ENDED, seconds: float = KEEP_ENDED) -> None:
        """Keep so many, the latest, for so long."""
        self._most = most
        self._seconds = seconds
        self._kept: dict[str, tuple[SessionInfo, asyncio.TimerHandle]] = {}

    def get(self, session_id: str) -> SessionInfo | None:
        """Return a session that is kept."""
        info, _ = self._kept.get(session_id, (None, None))
        return info

    def save(self, session_info: SessionInfo) -> None:
        """Keep a session, and close the oldest if they are too many. On the event loop's thread."""
        loop = asyncio.get_running_loop()
        session_id = session_info.session.id
        if session_id in self._kept:
            self.delete(session_id)
        self._kept[session_id] = session_info, loop.call_later(self._seconds, _close, session_id)
        for oldest in list(self._kept)[: -self._most]:
            # Not at once: the caller is in the middle of moving a session.
            loop.call_soon(_close, oldest)

    def delete(self, session_id: str) -> None:
        """Forget a session: it has come back or is being closed."""
        _, timer = self._kept.pop(session_id)
        timer.cancel()

    def list(self) -> list[SessionInfo]:
        """Return all that are kept."""
        return [info for info, _ in self._kept.values()]


def _close(session_id: str) -> None:
    """Close a session that is kept, which deletes it there and gives back what it holds."""
    server = runtime.get_instance()
    if not server.is_active_session(session_id):  # it may have come back
        server.close_session(session_id)


def keep_few_sessions(server: runtime.Runtime) -> None:
    """Have a server keep its ended sessions in an `EndedSessions`; it has none yet."""
    server._session_mgr._session_storage = EndedSessions()  # type: ignore[attr-defined]


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
