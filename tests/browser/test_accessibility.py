"""axe-core looks at every page, in both themes, with runs and without any."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.conftest import DEADLINE
from tests.browser.test_draw import SEVEN, Sheet
from tests.browser.test_pages import go_to

if TYPE_CHECKING:
    from tests.browser.conftest import Server, Tab

OpenTab = Callable[..., "Tab"]

# What it would load and compute for its own reports is left out, for speed.
LOOK = """rules => axe
    .run({
        resultTypes: ["violations"], runOnly: rules ?? undefined,
        preload: false, selectors: false, iframes: false,
    })
    .then(found => found.violations
        .filter(fault => ["serious", "critical"].includes(fault.impact))
        .flatMap(fault => fault.nodes.map(node => `${fault.id}: ${node.html.slice(0, 200)}`)))"""
"""Names each serious fault, and what is at fault; by all rules, or by those given."""

IS_DRAWN = """() => {
    const app = document.querySelector("[data-testid=stApp]");
    const charts = [...document.querySelectorAll("[data-testid=stVegaLiteChart]")];
    return app.dataset.testScriptState === "notRunning"
        && !document.querySelector("[data-testid=stSkeleton]")
        && charts.every(chart => chart.querySelector("svg, canvas")
            && (chart.scrollWidth <= chart.clientWidth || chart.tabIndex === 0));
}"""


AXES_LIKE_CAPTIONS = """() => {
    const style = place => getComputedStyle(document.querySelector(place));
    return style(".role-axis-label text").fill === style("[data-testid=stCaptionContainer]").color;
}"""


@pytest.fixture
def expect(chromium: Any) -> Callable[[Any], Any]:
    """Playwright's assertions, which wait until they hold."""
    from playwright.sync_api import expect

    return expect


@pytest.fixture(scope="module")
def axe() -> str:
    """The script; the test is skipped where the package that brings it is not installed."""
    package = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed")
    return Path(package.__file__).with_name("axe.min.js").read_text(encoding="utf-8")


def faults(tab: Tab, axe: str) -> list[str]:
    """Return the serious faults of a page; in the dark theme too, which has its own colors."""
    tab.page.evaluate(axe)
    found: list[str] = []
    for theme, rules in (("light", None), ("dark", ["color-contrast"])):
        tab.page.emulate_media(color_scheme=theme)
        deadline = time.monotonic() + DEADLINE / 3
        while True:
            tab.page.wait_for_function(IS_DRAWN)
            seen = tab.page.evaluate(LOOK, rules)
            # For a moment after it was drawn, parts of a page are still fading in.
            if not seen or time.monotonic() > deadline:
                break
        found += [f"{theme}, {tab.page.url}: {fault}" for fault in seen]
    return found


def test_no_page_has_a_serious_fault(
    server: Server, open_tab: OpenTab, axe: str, expect: Any
) -> None:
    good = server.trained(hidden=(8, 8), epochs=2).run_id
    diverged = server.trained(hidden=(64,) * 6, learning_rate=10.0).run_id
    both = f"{good},{diverged}"
    addresses = [
        server.link(run=diverged),
        server.page("confusion", run=good),
        server.page("mistakes", run=good, epoch="0"),
        server.page("mistakes", run=good, digit="1"),
        server.page("activations", run=good),
        server.page("activations", run=good, view="digit"),
        server.page("activations", run=good, view="map", of="nothing"),
        server.page("runs", runs=good, view="none"),
        server.page("runs", runs=both, view="compare"),
        server.page("runs", view="race"),
    ]
    tab = open_tab(server.link(run=good))
    found = faults(tab, axe)
    assert tab.page.evaluate(AXES_LIKE_CAPTIONS)  # of text in a picture axe knows no background
    for address in addresses:
        tab.page.goto(address)
        tab.page.get_by_role("heading", level=1).wait_for()
        found += faults(tab, axe)
    tab.page.goto(server.page("draw", run=good))
    sheet = Sheet(tab)
    sheet.draw(SEVEN)
    expect(sheet.answer).to_be_visible()
    assert found + faults(tab, axe) == []


def test_no_page_without_a_run_has_a_serious_fault(
    fresh_server: Server, open_tab: OpenTab, axe: str
) -> None:
    tab = open_tab(fresh_server.link())
    found = faults(tab, axe)
    for title in ("Confusion", "Mistakes", "Activations", "Draw", "Runs"):
        go_to(tab, title)
        found += faults(tab, axe)
    assert found == []
