"""`dashboard`: Streamlit in a process of its own, on this computer only unless told otherwise."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from neuralscope.cli import dashboard

Cli = Callable[..., Any]

ROOT = Path(__file__).resolve().parents[2]

# Stands in for Streamlit: tells how it was started, answers one caller, and ends.
SERVER = """
import json, os, socket, sys
seen = {"arguments": sys.argv[1:], "cwd": os.getcwd(), "store": os.environ["NEURALSCOPE_STORE"]}
seen["leaves"] = os.environ.get("NEURALSCOPE_LEAVE_RUNNING")
open(sys.argv[1], "w").write(json.dumps(seen))
with socket.create_server((sys.argv[2], int(sys.argv[3]))) as server:
    server.accept()
sys.exit(int(sys.argv[4]))
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a dashboard that costs nothing."""
    path = tmp_path / "checkout"
    path.mkdir()
    (path / "dashboard.py").write_text("")
    monkeypatch.setattr(dashboard, "CHECKOUT", path)
    return path


@pytest.fixture
def seen(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Start a stand-in for Streamlit, and return what it has seen."""
    monkeypatch.setattr(dashboard, "server_command", stand_in(checkout, status=0))
    return lambda: json.loads((checkout / "seen.json").read_text())


def stand_in(checkout: Path, status: int) -> Callable[..., list[str]]:
    def command(host: str, port: int, *, opens_browser: bool) -> list[str]:
        note = str(checkout / "seen.json")
        return [sys.executable, "-c", SERVER, note, host, str(port), str(status)]

    return command


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def flags_of(command: list[str]) -> dict[str, str]:
    words = command[command.index("dashboard.py") + 1 :]
    return dict(zip(words[::2], words[1::2], strict=True))


# How it is started


def test_it_is_started_in_the_checkout_with_the_store_it_is_told(
    cli: Cli, checkout: Path, folder: Path, seen: Callable[[], Any]
) -> None:
    outcome = cli("dashboard", "--store", "mine")
    assert outcome.status == 0
    assert seen()["cwd"] == str(checkout)
    assert seen()["store"] == str(folder / "mine")
    port = seen()["arguments"][2]
    assert outcome.out == f"NeuralScope is at http://localhost:{port} (Ctrl-C ends it).\n"
    assert not (folder / "mine").exists(), "the dashboard makes it when it needs it"


def test_the_store_is_the_usual_one_where_none_is_named(
    cli: Cli, run_store: Path, seen: Callable[[], Any]
) -> None:
    cli("dashboard")
    assert seen()["store"] == str(run_store)


def test_a_server_that_fails_is_a_failure(
    cli: Cli, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashboard, "server_command", stand_in(checkout, status=3))
    assert cli("dashboard").status == 1


def test_only_this_computer_is_let_in() -> None:
    flags = flags_of(dashboard.server_command("localhost", 8600, opens_browser=False))
    assert flags["--server.address"] == "localhost"
    assert flags["--server.port"] == "8600"
    assert flags["--logger.hideWelcomeMessage"] == "true"
    assert "--server.allowedHosts" not in flags, "the configuration's list holds"


def test_the_network_is_let_in_on_request() -> None:
    flags = flags_of(dashboard.server_command("0.0.0.0", 8600, opens_browser=False))
    assert flags["--server.address"] == "0.0.0.0"
    assert flags["--server.allowedHosts"] == "*"


@pytest.mark.parametrize(
    ("platform", "environment", "opens_browser", "headless"),
    [
        ("linux", {"DISPLAY": ":0"}, True, "false"),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True, "false"),
        ("linux", {}, True, "true"),
        ("linux", {"DISPLAY": ":0", "CI": "true"}, True, "true"),
        ("linux", {"DISPLAY": ":0"}, False, "true"),
        ("darwin", {}, True, "false"),
    ],
)
def test_a_browser_is_opened_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    environment: dict[str, str],
    opens_browser: bool,
    headless: str,
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "CI"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    command = dashboard.server_command("localhost", 8600, opens_browser=opens_browser)
    assert flags_of(command)["--server.headless"] == headless


@pytest.mark.parametrize(("flags", "leaves"), [((), None), (("--leave-running",), "1")])
def test_it_is_told_whether_to_leave_its_trainings(
    cli: Cli, seen: Callable[[], Any], flags: tuple[str, ...], leaves: str | None
) -> None:
    assert cli("dashboard", *flags).status == 0
    assert seen()["leaves"] == leaves


# Ports


def test_the_next_free_port_is_taken(
    cli: Cli, seen: Callable[[], Any], taken_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashboard, "FIRST_PORT", taken_port)
    assert cli("dashboard").status == 0
    assert taken_port < int(seen()["arguments"][2]) < taken_port + 100


def test_a_port_in_use_is_a_mistake(cli: Cli, checkout: Path, taken_port: int) -> None:
    outcome = cli("dashboard", "--port", str(taken_port))
    assert outcome.status == 2
    assert outcome.complaint == (
        f"neuralscope dashboard: Port {taken_port} is in use; "
        "leave --port out to take the next free one."
    )


@pytest.mark.parametrize("port", ["0", "-1", "65536", "http", "8501.5"])
def test_a_port_that_is_none_is_a_mistake(cli: Cli, checkout: Path, port: str) -> None:
    outcome = cli("dashboard", "--port", port)
    assert outcome.status == 2
    assert "but must be a whole number from 1 to 65535." in outcome.complaint


def test_an_address_that_is_not_ours_is_a_mistake(cli: Cli, checkout: Path) -> None:
    outcome = cli("dashboard", "--host", "192.0.2.1")  # set aside for documentation
    assert outcome.status == 2
    assert "Nothing can listen on 192.0.2.1" in outcome.complaint


def test_where_no_port_is_free_it_fails(
    cli: Cli, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashboard, "is_free", lambda host, port: False)
    outcome = cli("dashboard")
    assert outcome.status == 1
    assert "are all in use; name another." in outcome.complaint


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("localhost", "http://localhost:80"),
        ("::1", "http://[::1]:80"),
        ("0.0.0.0", f"http://localhost:80, for others http://{socket.gethostname()}:80"),
    ],
)
def test_the_address_can_be_opened(host: str, url: str) -> None:
    assert dashboard.url_of(host, 80) == url


# What it needs


def test_it_needs_a_checkout(cli: Cli, checkout: Path) -> None:
    (checkout / "dashboard.py").unlink()
    outcome = cli("dashboard")
    assert outcome.status == 1
    assert f"{checkout} has no dashboard.py." in outcome.complaint


def test_it_needs_streamlit(cli: Cli, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "find_spec", lambda name: None)
    outcome = cli("dashboard")
    assert outcome.status == 1
    assert "pip install -r requirements.txt" in outcome.complaint


# The real server


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_it_serves_until_it_is_ended_and_ends_quietly(checkout: Path, name: str) -> None:
    program = (
        "import pathlib, sys; from neuralscope.cli import dashboard, main; "
        "dashboard.CHECKOUT = pathlib.Path(sys.argv[1]); "
        "sys.exit(main(['dashboard', '--port', sys.argv[2]]))"
    )
    with socket.socket() as probe:  # not the usual one, which something else may take
        probe.bind(("127.0.0.1", 0))
        free_port = str(probe.getsockname()[1])
    with subprocess.Popen(
        [sys.executable, "-c", program, str(checkout), free_port],
        env={**os.environ, "PYTHONPATH": str(ROOT), "CI": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[3]
            # No proxy: it is this computer.
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(f"{url}/_stcore/health", timeout=10) as answer:
                assert answer.read() == b"ok"
            process.send_signal(getattr(signal, name))
            assert process.communicate(timeout=20) == ("", "")
        finally:
            process.kill()
    assert process.returncode == 0
    port = int(url.rpartition(":")[2])
    assert dashboard.is_free("localhost", port), "the server has ended with it"
