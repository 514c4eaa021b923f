"""The real dashboard, its trainers, and a Chromium that looks at it.

Each tab is watched: an error on the console, an exception on the page, or a look-up on another
host fails the test, whatever it is about.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from neuralscope.data import load_dataset
from neuralscope.runs import Run, RunConfig, Store
from neuralscope.runs.database import FILE_NAME
from neuralscope.runs.trainer import Trainer

CHECKOUT = Path(__file__).parents[2]
DEADLINE = 30.0
"""Seconds after which a test gives up waiting; it says nothing about how long anything takes."""

CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--process-per-site",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder. They come first, since they take longest."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
    items.sort(key=lambda item: item.get_closest_marker("browser") is None)


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until something is true that no tab shows."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


class Server:
    """A dashboard in a process of its own, with a run store of its own."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "runs")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"http://localhost:{port}"
        self._log_path = folder / "server.log"
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "streamlit", "run", "dashboard.py"),
                    *("--server.port", str(port), "--server.headless", "true"),
                ],
                cwd=CHECKOUT,
                # No data set is fetched here, nor anything else.
                env={
                    **os.environ,
                    "NEURALSCOPE_STORE": str(self.store.path),
                    **NO_NETWORK,
                    "OPENBLAS_NUM_THREADS": "1",  # a live run leaves a core to the browser
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._answers, f"the server, which said: {self.log()}")

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.log()
        # Not a page: the first of those is for the test to ask for.
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"{self.address}/_stcore/health") as answer:
                return bool(answer.status == 200)
        return False

    def log(self) -> str:
        return self._log_path.read_text(errors="replace")

    def link(self, **query: str) -> str:
        """Return an address of the Train page, with the built-in digits."""
        return f"{self.address}/?{urlencode({'dataset': 'digits', **query})}"

    def page(self, name: str, **query: str) -> str:
        """Return an address of one of the other pages."""
        return f"{self.address}/{name}?{urlencode(query)}"

    def trained(self, **settings: Any) -> Run:
        """Put a run in the store that has come to its end."""
        settings = {"dataset": "digits", "hidden": (16,), "epochs": 3, **settings}
        return Trainer(self.store, self.store.create(RunConfig(**settings))).run()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it answer nothing for as long as this lasts, as one that is busy elsewhere."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def stop_runs(self) -> None:
        for run in self.store.active_runs():
            self.store.send(run.run_id, "stop")
        until(lambda: not self.store.active_runs(), "all runs to end")

    def close(self) -> None:
        """End the server and every trainer that it has started."""
        self._process.terminate()
        try:
            self._process.wait(10.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        try:
            until(lambda: not self.store.active_runs(), "the trainers to see that it is gone")
        finally:
            for trainer in self._active_trainers():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(trainer, signal.SIGKILL)
            self.store.close()

    def _active_trainers(self) -> list[int]:
        active = [run.run_id for run in self.store.active_runs()]
        with contextlib.closing(sqlite3.connect(self.store.path / FILE_NAME)) as database:
            rows = database.execute("SELECT run_id, trainer FROM runs").fetchall()
        return [int(trainer.partition("-")[0]) for run_id, trainer in rows if run_id in active]


NO_NETWORK = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}


@pytest.fixture(scope="package")
def chromium(session_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium; the tests are skipped where it or Playwright is not installed.

    It ends with the tests of this folder: Playwright keeps an event loop at work in the thread of
    the tests, in which nobody else can run one.

    All tabs share one profile: what it keeps of compiled scripts saves a second for each page, and
    one process, in which they stay ready.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is not installed")
    playwright.expect.set_options(timeout=1000 * DEADLINE)
    with playwright.sync_playwright() as driver:
        profile = tmp_path_factory.mktemp("profile")
        browser = driver.chromium.launch_persistent_context(
            profile, executable_path=path, args=list(CHROMIUM_FLAGS)
        )
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def session_server(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    load_dataset("digits")  # their compact copy is then there for trainers
    server = Server(tmp_path_factory.mktemp("server"))
    # While one tab of this site stays open, so does the process of all of them.
    chromium.pages[0].goto(f"{server.address}/_stcore/health")
    yield server
    server.close()


@pytest.fixture
def server(session_server: Server) -> Iterator[Server]:
    """A dashboard that all tests share, without a live run."""
    yield session_server
    session_server.stop_runs()


@pytest.fixture
def fresh_server(chromium: Any, tmp_path: Path) -> Iterator[Server]:
    """A dashboard that nobody has asked for anything."""
    load_dataset("digits")
    server = Server(tmp_path)
    yield server
    server.close()


class Tab:
    """A browser tab on one of the pages."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        page.set_default_timeout(1000 * DEADLINE)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._note(request.url))
        page.on("websocket", lambda socket: self._note(socket.url))

    def _hear(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def _note(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob"):
            self.hosts.add(parts.netloc)

    def open(self, link: str) -> Tab:
        self.page.goto(link)
        if urlsplit(link).path == "/":
            self.button("Start training").wait_for()
            self.page.get_by_role("spinbutton", name="Seed").wait_for()
        else:
            self.moment().wait_for()
        return self

    def moment(self) -> Any:
        """Return the line that says which moment of a run is shown."""
        return self.page.get_by_text(re.compile(r"^Showing .* checkpoint"))

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)

    def slider(self, name: str) -> Any:
        # Streamlit names it twice, by its own label and by that of its group.
        return self.page.get_by_role("slider", name=re.compile(rf"^{name}( {name})?$"))

    def badge(self, status: str) -> Any:
        return self.page.locator("[data-testid=stMarkdown]").get_by_text(
            re.compile(rf"(^|\s){status}$")
        )

    def sentence(self, text: str) -> Any:
        return self.page.get_by_text(text)

    def metric(self, label: str) -> Any:
        tile = self.page.locator("[data-testid=stMetric]").filter(
            has=self.page.get_by_text(label, exact=True)
        )
        return tile.locator("[data-testid=stMetricValue]")

    def chart(self, text: str) -> Any:
        """Return the chart whose text alternative begins so."""
        return self.page.locator(f"[data-testid=stVegaLiteChart][aria-label^='{text}']")

    def mark(self, label: str) -> Any:
        """Return the label of something that happened, on the loss curve."""
        return self.chart("Loss").locator("svg text", has_text=label)

    def query(self) -> dict[str, str]:
        # Playwright's own `url` lags behind where a page changes it without being loaded.
        address = self.page.evaluate("location.href")
        parts = parse_qs(urlsplit(address).query, keep_blank_values=True)
        return {name: values[-1] for name, values in parts.items()}

    def wait_for_query(self, **wanted: str | None) -> None:
        """Wait until the address says this; None is for what it must not say."""
        self.page.wait_for_function(
            """wanted => {
                const said = new URLSearchParams(location.search);
                return Object.entries(wanted).every(([name, value]) => said.get(name) === value);
            }""",
            arg=wanted,
        )

    def wait_until_address_names(self, parameter: str) -> None:
        self.page.wait_for_function(
            "name => new URLSearchParams(location.search).has(name)", arg=parameter
        )

    def start(self) -> str:
        """Press Start and return the id of the run that is then shown live."""
        self.button("Start training").click()
        return self.live_run()

    def live_run(self) -> str:
        """Return the id of the run that is shown live, once its curves are drawn."""
        self.button("Pause").wait_for()
        self.chart("Loss of the run, live").wait_for()
        self.wait_until_address_names("run")
        return self.query()["run"]

    def exceptions(self) -> list[str]:
        return list(self.page.locator("[data-testid=stException]").all_inner_texts())

    def overflow(self) -> list[str]:
        """Return what is wider than its place: the page, a chart, or what is written in one."""
        found: list[str] = self.page.evaluate(OVERFLOW)
        return found

    def covered(self) -> list[str]:
        """Return what could be pressed if the bar of a chart or table did not lie on it."""
        found: list[str] = self.page.evaluate(COVERED)
        return found

    def menu_is_open(self) -> bool:
        return bool(self.page.get_by_test_id("stSidebar").bounding_box()["x"] >= 0)


OVERFLOW = """() => {
    const main = document.querySelector('[data-testid=stMain]');
    const found = [];
    // A table may scroll by itself: it fades out where it goes on.
    const frames = [document.scrollingElement, main];
    frames.push(...main.querySelectorAll('[data-testid=stVegaLiteChart], [role=radiogroup]'));
    for (const frame of frames)
        if (frame.scrollWidth > frame.clientWidth) {
            const name = frame.getAttribute('aria-label') ?? frame.tagName;
            found.push(`${name}: ${frame.scrollWidth} > ${frame.clientWidth}`);
        }
    for (const drawing of main.querySelectorAll('[data-testid=stVegaLiteChart] svg.marks')) {
        const {left, right} = drawing.getBoundingClientRect();
        for (const text of drawing.querySelectorAll('text')) {
            const box = text.getBoundingClientRect(); // with more room around than is written in
            if (box.left < left - 3 || box.right > right + 3) found.push(text.textContent);
        }
    }
    return found;
}"""

COVERED = """() => {
    const bars = [...document.querySelectorAll('.stElementToolbar, .neuralscope-save')];
    const pressed = 'button, a, input, label, summary, [role=slider], path[cursor], image';
    const found = [];
    for (const control of document.querySelectorAll(`[data-testid=stMain] :is(${pressed})`)) {
        const a = control.getBoundingClientRect();
        if (!a.width || control.closest('.stElementToolbar, .neuralscope-save')) continue;
        for (const bar of bars) {
            const b = bar.getBoundingClientRect();
            const [across, down] = [
                Math.min(a.right, b.right) - Math.max(a.left, b.left),
                Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top),
            ];
            if (across > 1 && down > 1)
                found.push(`${control.tagName} ${control.innerText ?? ''} under ${bar.innerText}`);
        }
    }
    return found;
}"""


@pytest.fixture
def open_tab(chromium: Any) -> Iterator[Callable[..., Tab]]:
    """Open a tab; it is closed after the test."""
    tabs: list[Tab] = []

    def open_tab(
        link: str,
        *,
        # High enough for the whole sidebar: a menu that has to be scrolled to closes again.
        width: int = 1280,
        height: int = 1400,
        color_scheme: str = "light",
        has_touch: bool = False,
    ) -> Tab:
        page = chromium.new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=color_scheme)
        if has_touch:
            devices = page.context.new_cdp_session(page)
            devices.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
        tab = Tab(page)
        tabs.append(tab)
        return tab.open(link)

    yield open_tab
    exceptions = [text for tab in tabs for text in tab.exceptions()]
    complaints = [text for tab in tabs for text in tab.complaints]
    hosts = {host.partition(":")[0] for tab in tabs for host in tab.hosts}
    for tab in tabs:
        tab.page.close()
    assert exceptions == []
    assert complaints == []
    assert hosts <= {"localhost"}
