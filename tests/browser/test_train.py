"""The Train page in a real browser, with real trainers."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from neuralscope.runs import STOPPED, RunConfig
from neuralscope.runs.trainer import Trainer
from tests.browser.conftest import until

if TYPE_CHECKING:
    from tests.browser.conftest import Server, Tab

OpenTab = Callable[..., "Tab"]

LONG = {"hidden": "256,256", "batch_size": "512", "epochs": "10000"}
"""A run that does not end before it is told to, and does not hurry: twenty epochs a second."""


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
    for tab in (cold, warm):
        expect(tab.sentence("Configuration and machine")).to_be_visible()
    expect(warm.page.locator("body")).to_have_text(
        cold.page.inner_text("body"), use_inner_text=True
    )


def test_a_control_changes_the_address_and_a_reload_keeps_it(
    server: Server, open_tab: OpenTab, expect: Any
) -> None:
    tab = open_tab(server.link(learning_rate="0.05"))
    tab.slider("Hidden layers").press("ArrowRight")
    expect(tab.metric("Parameters")).to_have_text("26,122")
    tab.wait_until_address_names("hidden")
    tab.page.reload()
    expect(tab.metric("Parameters")).to_have_text("26,122")
    expect(tab.slider("Hidden layers")).to_have_attribute("aria-valuetext", "2")
    expect(tab.slider("Learning rate")).to_have_attribute("aria-valuetext", "0.05")


# A live run ---------------------------------------------------------------------------------------


def test_the_keyboard_is_enough_to_start_a_run_whose_curves_grow(
    server: Server, open_tab: OpenTab, expect: Any
) -> None:
    tab = open_tab(server.link(**LONG))
    start = tab.button("Start training")
    for _ in range(80):
        tab.page.keyboard.press("Tab")
        if start.evaluate("button => button === document.activeElement"):
            break
    expect(start).to_be_focused()
    tab.page.keyboard.press("Enter")
    run_id = tab.live_run()
    expect(tab.badge("Running")).to_be_visible()
    expect(tab.metric("Epoch")).to_contain_text("of 10,000")
    assert not tab.metric("Epoch").evaluate(WOULD_BE_CUT_OFF, "10,000 of 10,000")
    line = tab.chart("Loss").locator("svg .mark-line path").first
    expect(line).to_have_attribute("d", re.compile("^M.+L"))
    assert server.store.run(run_id).config == RunConfig(
        dataset="digits", hidden=(256, 256), batch_size=512, epochs=10_000
    )
    drawn = line.get_attribute("d")
    expect(line).not_to_have_attribute("d", drawn)


WOULD_BE_CUT_OFF = """(value, text) => {
    const texts = document.createTreeWalker(value, NodeFilter.SHOW_TEXT);
    texts.nextNode().data = text;
    return [value, ...value.querySelectorAll('*')].some(
        each => each.clientWidth > 0 && each.scrollWidth > each.clientWidth);
}"""


def test_pause_resume_and_stop_with_buttons_that_stay_where_they_are(
    server: Server, open_tab: OpenTab, expect: Any
) -> None:
    tab = open_tab(server.link(**LONG))
    run_id = tab.start()
    expect(tab.badge("Running")).to_be_visible()
    tab.page.evaluate(WATCH_BUTTONS)
    tab.button("Pause").click()
    expect(tab.badge("Paused")).to_be_visible()
    expect(tab.mark("paused")).to_be_visible()
    step = server.store.run(run_id).step
    tab.button("Resume").click()
    expect(tab.badge("Running")).to_be_visible()
    expect(tab.mark("resumed")).to_be_visible()
    until(lambda: server.store.run(run_id).step > step, "a step after the pause")
    assert len(tab.page.evaluate("window.places")) == 1
    tab.button("Stop").click()
    expect(tab.sentence("of the 360 test digits")).to_be_visible()
    expect(tab.badge("Stopped")).to_be_visible()
    expect(tab.button("Stop")).to_have_count(0)
    assert server.store.run(run_id).status == STOPPED


def test_the_learning_rate_can_be_changed_and_put_back(
    server: Server, open_tab: OpenTab, expect: Any
) -> None:
    tab = open_tab(server.link(**LONG))
    run_id = tab.start()
    rate = tab.slider("Learning rate now")
    rate.press("ArrowRight")
    expect(tab.mark("learning rate 0.2 → 0.3")).to_be_visible()
    expect(rate).to_have_attribute("aria-valuetext", "0.3")
    expect(rate).to_be_focused()  # the next key goes there too
    tab.page.keyboard.press("ArrowLeft")
    expect(tab.mark("learning rate 0.3 → 0.2")).to_be_visible()
    expect(rate).to_have_attribute("aria-valuetext", "0.2")
    assert server.store.run(run_id).learning_rate == 0.2
    # Set from elsewhere, it follows; and what it shows is never taken for a wish.
    for value in (1.0, 0.05):
        server.store.send(run_id, "learning_rate", value)
        # A new slider takes the place of the old one.
        expect(tab.page.locator(f"input[type=range][aria-valuetext='{value:g}']")).to_be_attached()
        expect(rate).to_have_count(1)
    tab.page.wait_for_timeout(1_500)  # a few redraws, each of which could send it back
    told = [event.text for event in server.store.events(run_id) if event.kind == "learning_rate"]
    assert told == [
        "learning rate 0.2 → 0.3",
        "learning rate 0.3 → 0.2",
        "learning rate 0.2 → 1",
        "learning rate 1 → 0.05",
    ]


WATCH_BUTTONS = """() => {
    window.places = [];
    const look = () => {
        const buttons = [...document.querySelectorAll('[data-testid=stMain] button')];
        const shown = buttons.filter(each => /(Pause|Resume)$/.test(each.innerText));
        const place = shown.map(each => Math.round(each.getBoundingClientRect().y)).join();
        if (!window.places.includes(place)) window.places.push(place);
        requestAnimationFrame(look);
    };
    look();
}"""


def test_a_reload_and_a_second_tab_find_the_same_live_run(
    server: Server, open_tab: OpenTab, expect: Any
) -> None:
    tab = open_tab(server.link(**LONG))
    run_id = tab.start()
    tab.button("Pause").click()
    expect(tab.badge("Paused")).to_be_visible()
    tab.page.reload()
    expect(tab.mark("paused")).to_be_visible()
    assert tab.query()["run"] == run_id
    second = open_tab(server.page(""))
    expect(second.badge("Paused")).to_be_visible()
    assert second.query()["run"] == run_id
    second.button("Stop").click()
    for each in (second, tab):
        expect(each.badge("Stopped")).to_be_visible()


def test_a_run_that_is_started_elsewhere_can_be_watched_live(
    server: Server, open_tab: OpenTab, expect: Any
) -> None:
    config = RunConfig(dataset="digits", hidden=(256, 256), batch_size=512, epochs=10_000)
    run_id = server.store.create(config)
    elsewhere = threading.Thread(target=Trainer(server.store, run_id).run)
    elsewhere.start()
    try:
        tab = open_tab(server.link(run=run_id))
        expect(tab.badge("Running")).to_be_visible()
    finally:
        server.stop_runs()
        elsewhere.join()
    expect(tab.badge("Stopped")).to_be_visible()
    expect(tab.sentence("of the 360 test digits")).to_be_visible()


def test_a_run_can_be_copied_to_the_form(server: Server, open_tab: OpenTab, expect: Any) -> None:
    run = server.trained(hidden=(9, 5), learning_rate=0.037, epochs=1)
    tab = open_tab(server.link(run=run.run_id))
    tab.page.get_by_text("Configuration and machine").click()
    tab.button("Set up a run like this").click()
    expect(tab.slider("Units in layer 2")).to_have_attribute("aria-valuetext", "5")
    expect(tab.slider("Learning rate")).to_have_attribute("aria-valuetext", "0.037")


# Screens ------------------------------------------------------------------------------------------

SCREENS = {
    "narrow and dark": {"width": 400, "height": 800, "color_scheme": "dark"},
    "wide and light": {"width": 1280, "height": 800, "color_scheme": "light"},
}


@pytest.mark.parametrize(
    ("screen", "n_pages"),
    # What would be too wide for a laptop is too wide for a telephone: of those one is enough.
    [("narrow and dark", 3), ("wide and light", 1)],
)
def test_the_page_fits_the_screen(
    server: Server, open_tab: OpenTab, expect: Any, screen: str, n_pages: int
) -> None:
    run = next(iter(server.store.runs()), None) or server.trained()
    pages = (
        ({"run": run.run_id}, "Configuration and machine"),
        ({"hidden": "17,5"}, "The network"),
        ({"run": "20260101-000000-abcd", "epochs": "rubbish"}, "There is no run"),
    )
    for query, sign in pages[:n_pages]:
        tab = open_tab(server.link(**query), **SCREENS[screen])
        expect(tab.sentence(sign).first).to_be_visible()
        expect(tab.page.locator("svg.marks").last).to_be_visible()
        assert tab.overflow() == []
        background = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(255, 255, 255)") == ("dark" not in screen)
