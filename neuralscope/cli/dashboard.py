"""`dashboard`: Streamlit in a process of its own, until Ctrl-C ends it."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from neuralscope.cli.parser import Command, add_store
from neuralscope.cli.status import DONE, FAILED, Mistake, WorkFailed

FIRST_PORT = 8501
LOCAL_HOST = "localhost"
CHECKOUT = Path(__file__).resolve().parents[2]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port",
        metavar="N",
        help=f"port to serve it on [default: the first free from {FIRST_PORT}]",
    )
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        default=LOCAL_HOST,
        help="address to listen on; 0.0.0.0 lets everybody on the network in "
        "[default: localhost, this computer only]",
    )
    parser.add_argument(
        "--no-browser", action="store_true", help="only serve it, do not open the browser"
    )
    parser.add_argument(
        "--leave-running",
        action="store_true",
        help="when the dashboard is closed, leave the runs that it started training "
        "[default: they are saved and end with it]",
    )
    add_store(parser)


def _run(options: argparse.Namespace) -> int:
    from neuralscope.runs import default_path

    if not (CHECKOUT / "dashboard.py").is_file():
        raise WorkFailed(
            f"The dashboard is run from a checkout of NeuralScope; {CHECKOUT} has no dashboard.py."
        )
    if find_spec("streamlit") is None:
        raise WorkFailed("The dashboard needs Streamlit: python -m pip install -r requirements.txt")
    port = _port_for(options)
    store = Path(options.store or default_path()).absolute()
    server = subprocess.Popen(
        server_command(options.host, port, opens_browser=not options.no_browser),
        cwd=CHECKOUT,  # Streamlit looks for its configuration there
        env={
            **os.environ,
            "NEURALSCOPE_STORE": str(store),
            **({"NEURALSCOPE_LEAVE_RUNNING": "1"} if options.leave_running else {}),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # what is worth reading goes to standard error
    )
    try:
        while server.poll() is None and not _answers(options.host, port):
            time.sleep(0.05)
        if server.poll() is None:
            print(f"NeuralScope is at {url_of(options.host, port)} (Ctrl-C ends it).", flush=True)
        return FAILED if server.wait() else DONE
    except KeyboardInterrupt:
        return DONE  # the usual way to end it
    finally:
        _end(server)


def server_command(host: str, port: int, *, opens_browser: bool) -> list[str]:
    """Return the command that serves the dashboard."""
    has_display = not sys.platform.startswith("linux") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    headless = not opens_browser or not has_display or bool(os.environ.get("CI"))
    flags = {
        "server.port": str(port),
        "server.address": host,
        "server.headless": str(headless).lower(),
        "logger.hideWelcomeMessage": "true",
        "logger.level": "warning",
    }
    if host not in (LOCAL_HOST, "127.0.0.1", "::1"):
        flags["server.allowedHosts"] = "*"  # others call this computer by names we cannot know
    command = [sys.executable, "-m", "neuralscope.ui.serve", "run", "dashboard.py"]
    return command + [word for name, value in flags.items() for word in (f"--{name}", value)]


def _port_for(options: argparse.Namespace) -> int:
    """Return the port asked for, or else the first free one. Raises if there is none."""
    from neuralscope.runs.settings import Whole

    if options.port is not None:
        port: int = Whole("Port", "", 1, 65_535).parse("port", options.port)
        if not is_free(options.host, port):
            raise Mistake(f"Port {port} is in use; leave --port out to take the next free one.")
        return port
    for port in range(FIRST_PORT, FIRST_PORT + 100):
        if is_free(options.host, port):
            return port
    raise WorkFailed(f"The ports {FIRST_PORT} to {FIRST_PORT + 99} are all in use; name another.")


def is_free(host: str, port: int) -> bool:
    """Return whether a server could listen there. Raises Mistake if none ever could."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        if os.name != "nt":  # as the server does: a port that was just closed is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise Mistake(
                f"Nothing can listen on {host}, port {port}: {error.strerror or error}."
            ) from error
    return True


def _answers(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1.0):
        return True
    return False


def url_of(host: str, port: int) -> str:
    """Return where the browser finds it, in words if others can."""
    if host in ("0.0.0.0", "::"):
        return f"http://localhost:{port}, for others http://{socket.gethostname()}:{port}"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server, if it still lives, and wait while it ends the runs that it started."""
    from neuralscope.runs import launcher

    if server.poll() is None:
        server.terminate()
        try:
            server.wait(launcher.PATIENCE + 5.0)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            server.kill()
            server.wait()


COMMAND = Command("open the dashboard in the browser", _add_arguments, _run)
