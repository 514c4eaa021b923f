"""The pages that look inside a run, in a real browser: what a click, a key and a link bring."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from neuralscope.data import load_dataset
from neuralscope.runs import Run, RunConfig, list_snapshots, load_predictions
from neuralscope.runs.trainer import Trainer

if TYPE_CHECKING:
    from tests.browser.conftest import Server, Tab

OpenTab = Callable[..., "Tab"]

EPOCHS = 12
LONG = RunConfig(dataset="digits", hidden=(256, 256), batch_size=512, epochs=10_000)
"""A run that does not end before it is told to, and does not hurry: twenty epochs a second."""


@pytest.fixture
def expect(chromium: Any) -> Callable[[Any], Any]:
    """Playwright's assertions, which wait until they hold."""
    from playwright.sync_api import expect

    return expect


@dataclass(frozen=True, eq=False)
class Trained:
    """A run that has come to its end, and what it answered to the validation digits."""

    run: Run
    true: NDArray[np.int64]
    answers: dict[int, NDArray[np.uint8]]

    @property
    def run_id(self) -> str:
        return self.run.run_id

    def wrong(self, epoch: int = EPOCHS) -> list[int]:
        return list(np.flatnonzero(self.answers[epoch] != self.true).tolist())

    def errors(self, epoch: int = EPOCHS) -> str:
        """Return how the Confusion page puts it."""
        return f"{len(self.wrong(epoch))} of {len(self.true)}"

    def right(self, epoch: int = EPOCHS) -> str:
        """Return how the text alternative of the confusion matrix begins."""
        n = len(self.true)
        return f"{n - len(self.wrong(epoch))} of {n} digits"

    def wrong_now(self, epoch: int = EPOCHS) -> str:
        """Return how the Mistakes page puts it."""
        return f"of the {len(self.true)} validation digits {len(self.wrong(epoch))} are wrong now"


def train(server: Server) -> Trained:
    run = server.trained(hidden=(16, 8), epochs=EPOCHS)
    answers = {
        info.epoch: load_predictions(server.store, run.run_id, info)
        for info in list_snapshots(server.store, run.run_id)
    }
    return Trained(run, load_dataset("digits").y_validation, answers)


@pytest.fixture(scope="module")
def trained(session_server: Server) -> Trained:
    """A run that all these tests look into."""
    return train(session_server)


def go_to(tab: Tab, title: str) -> None:
    """Turn to another page by the menu."""
    tab.page.get_by_role("link", name=title, exact=True).click()
    tab.page.get_by_role("heading", level=1, name=title, exact=True).wait_for()


def pictures(tab: Tab, within: str) -> Any:
    """Return the thumbnails of a chart, which is named by how its text begins."""
    return tab.chart(within).locator("image")


def number(picture: Any) -> int:
    """Return the number of the digit on a thumbnail."""
    found = re.search(r"Number: (\d+);", picture.get_attribute("aria-label"))
    assert found
    return int(found[1])


# From one page into the next ----------------------------------------------------------------------


def test_a_cell_opens_its_digits_and_each_of_them_the_reason_why(
    server: Server, open_tab: OpenTab, expect: Any, trained: Trained
) -> None:
    first = trained.wrong()[0]
    true, taken = int(trained.true[first]), int(trained.answers[EPOCHS][first])
    is_in_cell = (trained.true == true) & (trained.answers[EPOCHS] == taken)
    tab = open_tab(server.page("confusion", run=trained.run_id))
    cell = f"path[aria-label^='Predicted digit: {taken}; True digit: {true};']"
    tab.chart(trained.right()).locator(cell).click(force=True)  # its number lies on top of it
    n = int(is_in_cell.sum())
    opened = f"{true} taken for {taken}: {n} {'digit' if n == 1 else 'digits'}"
    expect(tab.page.get_by_role("heading", name=opened)).to_be_visible()

    digits = pictures(tab, f"{n} digit")
    expect(digits).to_have_count(n)
    chosen = number(digits.first)
    assert is_in_cell[chosen]
    digits.first.click()
    expect(tab.sentence(f"Digit {chosen}, a {true}, answered {taken} with")).to_be_visible()
    tab.page.get_by_role("link", name="Why?").click()
    expect(tab.page.get_by_role("heading", level=1)).to_have_text(["Mistakes"])
    expect(tab.sentence(f"Validation digit number {chosen} is a {true}")).to_be_visible()
    tab.wait_for_query(run=trained.run_id, digit=str(chosen), of="validation")


def test_a_thumbnail_opens_why_it_is_wrong_and_keys_lead_on_and_back(
    server: Server, open_tab: OpenTab, expect: Any, trained: Trained
) -> None:
    tab = open_tab(server.page("mistakes", run=trained.run_id))
    wrong = trained.wrong()
    thumbnails = pictures(tab, f"{len(wrong)} digits, {len(wrong)} of them recognised wrongly")
    expect(thumbnails).to_have_count(len(wrong))
    order = [number(each) for each in thumbnails.all()]
    assert sorted(order) == wrong

    why = tab.page.get_by_role("heading", name="Why is this one wrong?")
    thumbnails.nth(1).click()
    expect(why).to_be_visible()
    expect(tab.sentence(f"Validation digit number {order[1]} is")).to_be_visible()
    tab.wait_for_query(digit=str(order[1]), of="validation")
    for key, shown in (("n", order[2]), ("p", order[1]), ("p", order[0])):
        tab.page.keyboard.press(key)
        expect(tab.sentence(f"Validation digit number {shown} is")).to_be_visible()
        tab.wait_for_query(digit=str(shown))
    tab.page.keyboard.press("a")
    expect(thumbnails).to_have_count(len(wrong))
    expect(why).to_have_count(0)
    tab.wait_for_query(digit=None, of=None)


def test_a_unit_of_the_heat_map_opens_its_card(
    server: Server, open_tab: OpenTab, expect: Any, trained: Trained
) -> None:
    tab = open_tab(server.page("activations", run=trained.run_id))
    cells = tab.chart("Mean activation of 16 units").locator("path[aria-label*='True digit: 4;']")
    expect(cells).to_have_count(16)
    expect(tab.page.get_by_role("heading", name=" of hidden layer 1")).to_have_count(1)
    found = re.search(r"Unit: (\d+);", cells.nth(9).get_attribute("aria-label"))
    assert found
    assert tab.query()["unit"] != found[1]
    cells.nth(9).click()
    card = tab.page.get_by_role("heading", name=f"Unit {found[1]} of hidden layer 1", exact=True)
    expect(card).to_be_visible()
    tab.wait_for_query(unit=found[1])
    expect(tab.page.get_by_role("spinbutton", name="Unit")).to_have_value(found[1])

    tab.page.get_by_text("The 16 digits that excite it most").wait_for()
    strip = pictures(tab, "16 digits")
    digit = str(number(strip.nth(3)))
    strip.nth(3).click()
    tab.wait_for_query(view="digit", digit=digit)
    expect(tab.page.get_by_role("spinbutton", name="Number")).to_have_value(digit)


def test_a_dot_on_the_map_shows_its_digit(
    server: Server, open_tab: OpenTab, expect: Any, trained: Trained
) -> None:
    tab = open_tab(server.page("activations", run=trained.run_id))
    tab.page.get_by_test_id("stButtonGroup").get_by_text("Map of the digits").click()
    canvas = tab.chart("360 digits as dots on a map").locator("canvas")
    canvas.wait_for()
    tab.wait_for_query(view="map")
    picture = tab.page.locator("#vg-tooltip-element.visible img")
    expect(picture).to_have_count(0)
    dot = canvas.evaluate(LOWEST_DOT)
    canvas.hover(position=dot)
    expect(picture).to_be_visible()
    assert picture.evaluate("picture => picture.decode().then(() => picture.width)") > 100
    shown = tab.page.locator("#vg-tooltip-element").inner_text()
    found = re.search(r"Number:?\s+(\d+)", shown)
    assert found, shown
    canvas.click(position=dot)
    heading = tab.page.get_by_role("heading", name=f"Digit {found[1]}, layer by layer", exact=True)
    expect(heading).to_be_visible()


LOWEST_DOT = """canvas => {
    // The legend's dots lie above the map, so from below the first strong colour is a digit.
    const {width, height} = canvas, scale = width / canvas.clientWidth;
    const {data} = canvas.getContext('2d').getImageData(0, 0, width, height);
    for (let y = height - 1; y >= 0; y--)
        for (let x = 0; x < width; x++) {
            const [r, g, b, opacity] = data.subarray(4 * (y * width + x));
            if (opacity > 200 && Math.max(r, g, b) - Math.min(r, g, b) > 90)
                return {x: x / scale, y: y / scale - 1};
        }
}"""


# The scrubber -------------------------------------------------------------------------------------


def test_the_epoch_goes_along_to_other_pages_and_through_a_reload(
    server: Server, open_tab: OpenTab, expect: Any, trained: Trained
) -> None:
    tab = open_tab(server.page("confusion", run=trained.run_id))
    epoch = tab.slider("Epoch")
    expect(tab.metric("Errors")).to_have_text(trained.errors())
    assert "epoch" not in tab.query()  # the last, whatever it will be

    epoch.press("Home")
    expect(tab.moment()).to_contain_text("before training")
    expect(tab.metric("Errors")).to_have_text(trained.errors(0))
    expect(tab.chart(trained.right(0))).to_be_visible()
    tab.wait_for_query(epoch="0")
    tab.page.keyboard.press("ArrowRight")
    expect(tab.metric("Errors")).to_have_text(trained.errors(1))
    expect(tab.chart(trained.right(1))).to_be_visible()
    tab.wait_for_query(epoch="1")

    go_to(tab, "Mistakes")
    expect(epoch).to_have_attribute("aria-valuetext", "1")
    expect(tab.sentence(trained.wrong_now(1))).to_be_visible()
    tab.wait_for_query(run=trained.run_id, epoch="1")
    epoch.press("ArrowRight")
    expect(tab.sentence(trained.wrong_now(2))).to_be_visible()
    tab.wait_for_query(epoch="2")

    tab.page.reload()
    expect(tab.sentence(trained.wrong_now(2))).to_be_visible()
    expect(epoch).to_have_attribute("aria-valuetext", "2")
    for title in ("Activations", "Confusion"):
        go_to(tab, title)
        expect(tab.moment()).to_contain_text("epoch 2 of 12")
        expect(epoch).to_have_attribute("aria-valuetext", "2")
        tab.wait_for_query(run=trained.run_id, epoch="2")
    expect(tab.metric("Errors")).to_have_text(trained.errors(2))


def test_play_shows_one_moment_after_the_other_and_stops_at_the_last(
    server: Server, open_tab: OpenTab, expect: Any, trained: Trained
) -> None:
    tab = open_tab(server.page("confusion", run=trained.run_id, epoch="9"))
    expect(tab.metric("Errors")).to_have_text(trained.errors(9))
    tab.page.evaluate(WATCH_MOMENTS)
    n_entries = tab.page.evaluate("history.length")
    tab.button("Play").click()
    tab.button("Pause the film").wait_for()
    tab.button("Play").wait_for()
    assert tab.page.evaluate("window.moments") == [f"epoch {epoch}" for epoch in range(9, 13)]
    expect(tab.slider("Epoch")).to_have_attribute("aria-valuetext", "12")
    expect(tab.metric("Errors")).to_have_text(trained.errors())
    expect(tab.chart(trained.right())).to_be_visible()
    tab.wait_for_query(epoch=None)
    assert tab.page.evaluate("history.length") == n_entries, "Back leaves the page"


WATCH_MOMENTS = """() => {
    window.moments = [];
    const look = () => {
        const lines = [...document.querySelectorAll('[data-testid=stCaptionContainer]')];
        const found = lines.map(line => /^Showing (.*) of .* checkpoint/.exec(line.innerText));
        const moment = found.find(Boolean)?.[1];
        if (moment && window.moments.at(-1) !== moment) window.moments.push(moment);
        requestAnimationFrame(look);
    };
    look();
}"""


@pytest.fixture
def live_run(server: Server) -> Iterator[str]:
    """A run that goes on until the test ends."""
    run_id = server.store.create(LONG)
    trainer = threading.Thread(target=Trainer(server.store, run_id).run)
    trainer.start()
    yield run_id
    server.stop_runs()
    trainer.join()


def test_a_live_run_is_followed_until_somebody_picks_an_epoch(
    server: Server, open_tab: OpenTab, expect: Any, live_run: str
) -> None:
    tab = open_tab(server.page("confusion", run=live_run))
    expect(tab.chart("Confusion matrix, live")).to_be_visible()
    tab.wait_for_query(run=live_run, epoch=None)
    epoch = tab.slider("Epoch")
    for _ in range(2):
        shown = tab.moment().inner_text()
        expect(tab.moment()).not_to_have_text(shown)
        expect(epoch).to_have_attribute("aria-valuetext", "latest")

    epoch.press("Home")
    expect(tab.moment()).to_contain_text("before training")
    expect(tab.chart("Confusion matrix, live")).to_have_count(0)
    tab.wait_for_query(epoch="0")
    said = tab.moment().inner_text()
    errors = tab.metric("Errors").inner_text()
    tab.page.wait_for_timeout(1200)  # more than two looks at a run that is followed
    assert tab.moment().inner_text() == said
    assert tab.metric("Errors").inner_text() == errors

    epoch.press("End")
    expect(tab.chart("Confusion matrix, live")).to_be_visible()
    expect(tab.metric("Errors")).not_to_have_text(errors)
    tab.wait_for_query(epoch=None)


# Links --------------------------------------------------------------------------------------------


def test_the_first_request_of_a_server_can_be_a_link_to_a_moment(
    fresh_server: Server, open_tab: OpenTab, expect: Any
) -> None:
    trained = train(fresh_server)
    digit = trained.wrong(5)[0]
    link = fresh_server.page("mistakes", run=trained.run_id, epoch="5", digit=str(digit))
    tab = open_tab(link)
    expect(tab.page.get_by_role("heading", level=1)).to_have_text(["Mistakes"])
    expect(tab.page).to_have_title("Mistakes · NeuralScope")
    menu = tab.page.get_by_test_id("stSidebarNav").get_by_role("link")
    expect(menu).to_have_text(["Train", "Confusion", "Mistakes", "Activations", "Draw", "Runs"])
    expect(tab.moment()).to_contain_text("epoch 5 of 12")
    expect(tab.sentence(f"Validation digit number {digit} is")).to_be_visible()
    # The page is complete, and has been drawn again since what takes long was there.
    expect(tab.sentence("training digits nearest to it by what")).to_be_visible()
    expect(tab.page.get_by_test_id("stApp")).to_have_attribute(
        "data-test-script-state", "notRunning"
    )
    # A control must be the same one when the page is drawn again, no longer as the first.
    tab.page.get_by_role("button", name="All mistakes").click()
    expect(tab.sentence(trained.wrong_now(5))).to_be_visible()
    tab.wait_for_query(digit=None)
    expect(tab.page.get_by_role("heading", level=1)).to_have_text(["Mistakes"])
    expect(tab.moment()).to_contain_text("epoch 5 of 12")
    tab.slider("Epoch").press("ArrowRight")
    expect(tab.moment()).to_contain_text("epoch 6 of 12")
    tab.wait_for_query(run=trained.run_id, epoch="6")


def test_back_leads_through_pages_and_what_was_opened_and_not_through_a_slider(
    server: Server, open_tab: OpenTab, expect: Any, trained: Trained
) -> None:
    tab = open_tab(server.page("confusion", run=trained.run_id))
    n_entries = tab.page.evaluate("history.length")
    epoch = tab.slider("Epoch")
    for key, shown in (("Home", "0"), ("ArrowRight", "1"), ("ArrowRight", "2")):
        epoch.press(key)
        tab.wait_for_query(epoch=shown)
    go_to(tab, "Mistakes")
    thumbnails = pictures(tab, "24 digits")  # a page of them
    tab.wait_for_query(run=trained.run_id, epoch="2")
    digit = number(thumbnails.first)
    thumbnails.first.click()
    tab.wait_for_query(digit=str(digit))
    expect(tab.sentence(f"Validation digit number {digit} is")).to_be_visible()
    assert tab.page.evaluate("history.length") == n_entries + 2

    tab.page.go_back()
    expect(tab.sentence(trained.wrong_now(2))).to_be_visible()
    tab.wait_for_query(digit=None, epoch="2")
    tab.page.go_back()
    expect(tab.metric("Errors")).to_have_text(trained.errors(2))
    expect(epoch).to_have_attribute("aria-valuetext", "2")
    tab.page.go_forward()
    expect(tab.sentence(trained.wrong_now(2))).to_be_visible()
    tab.page.go_forward()
    expect(tab.sentence(f"Validation digit number {digit} is")).to_be_visible()
    assert tab.page.evaluate("history.length") == n_entries + 2


# Screens ------------------------------------------------------------------------------------------

SCREENS = {
    "confusion": {
        "": "It answers",
        "path[aria-label^='Predicted digit: 0; True digit: 0;']": "0 recognised",
    },
    "mistakes": {"": "Each is labelled", "image": "training digits nearest"},
    "activations": {
        "": "Click one to follow it",
        "text=One digit": "Each layer sees only",
        "text=Map of the digits": "Point at a dot",
    },
    "draw": {"": "Draw one digit on the sheet", "text=Test digit": "Draw on it until"},
}
"""What is clicked on each page, one after the other, and the sentence that then appears."""


@pytest.mark.parametrize("page", SCREENS)
def test_the_page_fits_a_telephone_in_the_dark(
    server: Server, open_tab: OpenTab, expect: Any, trained: Trained, page: str
) -> None:
    link = server.page(page, run=trained.run_id)
    tab = open_tab(link, width=390, height=844, color_scheme="dark")
    for clicked, sign in SCREENS[page].items():
        if clicked:  # beside the middle, where a number may lie on top
            tab.page.locator(clicked).first.click(position={"x": 6, "y": 6})
        expect(tab.sentence(sign).first).to_be_visible()
        tab.page.wait_for_function(ALL_CHARTS_DRAWN)
        assert tab.overflow() == [], f"after a click on {clicked!r}"
        assert tab.covered() == [], f"after a click on {clicked!r}"
    background = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background != "rgb(255, 255, 255)"


ALL_CHARTS_DRAWN = """() => {
    const charts = [...document.querySelectorAll('[data-testid=stVegaLiteChart]')];
    return charts.every(chart => chart.querySelector('.marks'));
}"""


def test_on_a_telephone_the_menu_opens_on_demand_and_closes_with_a_choice(
    server: Server, open_tab: OpenTab, expect: Any, trained: Trained
) -> None:
    link = server.page("confusion", run=trained.run_id)
    tab = open_tab(link, width=390, height=844, has_touch=True)
    assert not tab.menu_is_open()
    for title in ("Runs", "Runs", "Train"):
        open_menu(tab)
        tab.page.get_by_role("link", name=title, exact=True).click()
        tab.page.wait_for_function(MENU_IS_AWAY)
        expect(tab.page.get_by_role("heading", level=1, name=title, exact=True)).to_be_visible()
        assert tab.overflow() == [], title

    open_menu(tab)
    tab.page.reload()  # it is not remembered that it was open
    expect(tab.page.get_by_role("heading", level=1)).to_be_visible()
    assert not tab.menu_is_open()
    tab.page.set_viewport_size({"width": 1280, "height": 844})
    expect(tab.page.get_by_role("link", name="Runs", exact=True)).to_be_in_viewport()
    go_to(tab, "Runs")
    assert tab.menu_is_open()


def open_menu(tab: Tab) -> None:
    tab.page.get_by_test_id("stExpandSidebarButton").click()
    tab.page.wait_for_function(f"() => !({MENU_IS_AWAY})()")


MENU_IS_AWAY = """() =>
    document.querySelector('[data-testid=stSidebar]').getBoundingClientRect().right <= 0"""


TURNED_TO_LIGHT = """() => {
    dispatchEvent(new Event('beforeprint')); // which is heard as soon as the page is complete
    return document.body.classList.contains('neuralscope-dark');
}"""


def test_on_paper_a_page_is_light_and_has_nothing_to_press(
    server: Server, open_tab: OpenTab, expect: Any, trained: Trained
) -> None:
    tab = open_tab(server.page("confusion", run=trained.run_id), color_scheme="dark")
    tab.page.wait_for_function(ALL_CHARTS_DRAWN)
    tab.page.set_viewport_size({"width": 700, "height": 1000})  # of A4, without its margins
    tab.page.wait_for_function(TURNED_TO_LIGHT)
    tab.page.emulate_media(media="print", color_scheme="dark")
    expect(tab.page.get_by_test_id("stSidebar")).to_be_hidden()
    expect(tab.button("Play")).to_be_hidden()
    expect(tab.page.get_by_role("button", name=re.compile("^Save as")).first).to_be_hidden()
    expect(tab.chart(trained.right())).to_be_visible()
    expect(tab.page.get_by_text("taken for").first).to_be_visible()  # a button that tells something
    assert tab.overflow() == []
    with Image.open(io.BytesIO(tab.page.screenshot())) as picture:
        paper = picture.convert("RGB").getpixel((2, 2))
    assert paper == (255, 255, 255)
