from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import streamlit as st

from neuralscope.ui import serve

CHECKOUT = Path(__file__).parents[2]

LOADED = """
import sys
from neuralscope.ui.serve import load_pieces
load_pieces()
print(*sys.modules)
"""


def test_what_it_loads_is_all_that_pages_are_made_of() -> None:
    command = [sys.executable, "-c", LOADED]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    ours = {
        f"neuralscope.{room}.{path.stem}"
        for room in ("analysis", "charts", "ui")
        for path in (CHECKOUT / "neuralscope" / room).glob("[!_]*.py")
    }
    assert ours | {"altair", "pandas"} <= loaded


def test_it_hands_its_arguments_to_streamlit(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []
    monkeypatch.setattr(
        "streamlit.web.cli.main", lambda arguments, prog_name: given.append(arguments)
    )
    monkeypatch.setattr(sys, "argv", ["serve", "run", "dashboard.py", "--server.port", "8600"])
    serve.main()
    assert given == [["run", "dashboard.py", "--server.port", "8600"]]


def test_ctrl_c_ends_it_without_a_word() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    flags = ["--server.port", str(port), "--server.headless", "true", "--logger.level", "warning"]
    server = subprocess.Popen(
        [sys.executable, "-m", "neuralscope.ui.serve", "run", "dashboard.py", *flags],
        cwd=CHECKOUT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        for _ in range(3000):
            with contextlib.suppress(OSError), socket.create_connection(("localhost", port)):
                break
            time.sleep(0.01)
        server.send_signal(signal.SIGINT)
        _, said = server.communicate(timeout=30)
    finally:
        server.kill()
    assert (server.returncode, said) == (0, b"")


def test_no_message_is_sent_by_reference() -> None:
    # A browser that is behind may have thrown away what is referred to: it then shows nothing new.
    config = tomllib.loads((CHECKOUT / ".streamlit" / "config.toml").read_text("utf-8"))
    largest = 1e6 * st.get_option("server.maxMessageSize")
    assert config["global"]["minCachedMessageSize"] > largest > 1e8
