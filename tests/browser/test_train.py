"""The Train page in a real browser, with real trainers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from neuralscope.runs import FINISHED, PAUSED, STOPPED, RunConfig

if TYPE_CHECKING:
    from tests.browser.conftest import Server, Tab

OpenTab = Callable[..., "Tab"]

LONG = {"hidden": "64", "epochs": "10000"}
"""A run that does not end before it is told to."""


@pytest.fixture
def expect(chromium: Any) -> Callable[[Any], Any]:
    """Playwright's assertions, which wait until they hold."""
    from playwright.sync_api import expect

    return expect


# Links --------------------------------------------------------------------------------------------


def test_the_first_request_of_a_server_can_be_a_link_to_a_run(
    fresh_server: Server, open_tab: OpenTab, expect: Any
) -> None:
    run = fresh_server.trained()
    link = fresh_server.link(run=run.run_id)
    cold = open_tab(link)
    expect(cold.sentence("of the 360 test digits")).to_be_visible()
    expect(cold.page.get_by_role("heading", level=1)).to_have_text(["Train"])
    expect(cold.page).to_have_title("Train · NeuralScope")
    assert cold.query() == {"dataset": "digits", "run": run.run_id}
    # It looks like any later one.
    warm = open_tab(link)
    expect(warm.sentence("of the 360 test digits")).to_be_visible()
    expect(warm.chart("Training loss")).to_be_visible()
    expect(cold.chart("Training loss")).to_be_visible()
    assert cold.page.inner_text("body") == warm.page.inner_text("body")


def test_a_link_fills_the_form(server: Server, open_tab: OpenTab, expect: Any) -> None:
    query = {"hidden": "17,5", "activation": "relu,tanh", "learning_rate": "0.037"}
    tab = open_tab(server.link(**query, seed="4294967295"))
    expect(tab.slider("Hidden layers")).to_have_attribute("aria-valuenow", "2")
    expect(tab.slider("Units in layer 2")).to_have_attribute("aria-valuenow", "5")
    expect(tab.slider("Learning rate")).to_have_attribute("aria-valuetext", "0.037")
    expect(tab.page.get_by_label("Seed")).to_have_value("4294967295")
    assert tab.query() == {"dataset": "digits", **query, "seed": "4294967295"}


def test_a_control_changes_the_address_and_a_reload_keeps_it(
    server: Server, open_tab: OpenTab, expect: Any
) -> None:
    tab = open_tab(server.link(learning_rate="0.05"))
    tab.slider("Hidden layers").press("ArrowRight")
    tab.page.wait_for_url("**hidden=128%2C128*")
    expect(tab.sentence("26,122")).to_be_visible()
    tab.page.reload()
    expect(tab.slider("Hidden layers")).to_have_attribute("aria-valuenow", "2")
    expect(tab.slider("Learning rate")).to_have_attribute("aria-valuetext", "0.05")


# A live run ---------------------------------------------------------------------------------------


def test_start_draws_the_curves_as_they_come(
    server: Server, open_tab: OpenTab, expect: Any
) -> None:
    tab = open_tab(server.link(hidden="16", epochs="10000"))
    run_id = tab.start()
    expect(tab.badge("Running")).to_be_visible()
    line = tab.chart("Loss").locator("svg .mark-line path").first
    expect(line).to_have_attribute("d", re.compile("^M.*L"))
    assert server.store.run(run_id).config.hidden == (16,)


def test_pause_resume_and_stop(server: Server, open_tab: OpenTab, expect: Any) -> None:
    tab = open_tab(server.link(**LONG))
    run_id = tab.start()
    tab.button("Pause").click()
    expect(tab.badge("Paused")).to_be_visible()
    expect(tab.mark("paused")).to_be_visible()
    step = server.store.run(run_id).step
    tab.button("Resume").click()
    expect(tab.badge("Running")).to_be_visible()
    expect(tab.mark("resumed")).to_be_visible()
    assert server.store.run(run_id).step > step
    tab.button("Stop").click()
    expect(tab.sentence("of the 360 test digits")).to_be_visible()
    expect(tab.badge("Stopped")).to_be_visible()
    expect(tab.button("Stop")).to_have_count(0)
    assert server.store.run(run_id).status == STOPPED
