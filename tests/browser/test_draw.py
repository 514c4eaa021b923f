"""The Draw page in a real browser: mouse, finger, keyboard."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from neuralscope.data.sheet import Stroke, rasterize
from tests.browser.conftest import until

if TYPE_CHECKING:
    from tests.browser.conftest import Server, Tab

OpenTab = Callable[..., "Tab"]
Points = Sequence[tuple[float, float]]

SEVEN = ((0.2, 0.2), (0.5, 0.19), (0.8, 0.2), (0.6, 0.55), (0.45, 0.85))
BAR = ((0.35, 0.5), (0.75, 0.5))
ONE = ((0.5, 0.15), (0.5, 0.5), (0.5, 0.85))


@pytest.fixture
def expect(chromium: Any) -> Callable[[Any], Any]:
    """Playwright's assertions, which wait until they hold."""
    from playwright.sync_api import expect

    return expect


class Sheet:
    """The sheet of paper on the Draw page."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self.open()
        self.canvas = tab.page.get_by_role("img", name="Sheet to draw a digit on")
        self.canvas.wait_for()
        tab.sentence("Draw one digit on the sheet").wait_for()

    def open(self) -> None:
        self.tab.page.get_by_role("link", name="Draw", exact=True).click()

    def leave(self) -> None:
        """Wish for another page."""
        self.tab.page.get_by_role("link", name="Train", exact=True).click()

    def come_back(self) -> None:
        """Open the page again, once the other one is there."""
        self.tab.button("Start training").wait_for()
        self.open()

    @property
    def answer(self) -> Any:
        return self.tab.metric("Answer")

    def places(self, points: Points) -> list[tuple[float, float]]:
        self.canvas.scroll_into_view_if_needed()
        box = self.canvas.bounding_box()
        return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]

    def draw(self, points: Points) -> None:
        """Draw a stroke with the mouse."""
        mouse = self.tab.page.mouse
        first, *others = self.places(points)
        mouse.move(*first)
        mouse.down()
        for place in others:
            mouse.move(*place, steps=8)
        mouse.up()

    def touch(self, points: Points, *, finger: int = 0) -> None:
        """Draw a stroke with a finger."""
        session = self.tab.page.context.new_cdp_session(self.tab.page)

        def send(kind: str, *places: tuple[float, float]) -> None:
            touches = [{"x": x, "y": y, "id": finger} for x, y in places]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

        first, *others = self.places(points)
        send("touchStart", first)
        for place in others:
            send("touchMove", place)
        send("touchEnd")

    def ink(self) -> int:
        """Return how many dark pixels there are on the sheet."""
        return int(
            self.canvas.evaluate(
                """canvas => {
                    const {data} = canvas.getContext('2d')
                        .getImageData(0, 0, canvas.width, canvas.height);
                    let dark = 0;
                    for (let i = 0; i < data.length; i += 4) dark += data[i] < 128;
                    return dark;
                }"""
            )
        )


@pytest.fixture(scope="module")
def run_id(session_server: Server) -> str:
    """A run that all these tests draw for."""
    return str(session_server.trained(epochs=20, hidden=(32,)).run_id)


def test_a_digit_is_drawn_undone_and_cleared(
    server: Server, open_tab: OpenTab, expect: Any, run_id: str
) -> None:
    tab = open_tab(server.link(run=run_id))
    sheet = Sheet(tab)
    undo, clear = tab.button("Undo"), tab.button("Clear")
    expect(undo).to_be_disabled()
    expect(clear).to_be_disabled()
    sheet.draw(SEVEN)
    expect(sheet.answer).to_have_text("7")
    expect(tab.sentence("Draw one digit on the sheet")).to_have_count(0)
    expect(tab.page.get_by_role("img", name="The picture that the network sees")).to_be_visible()
    one_stroke = sheet.ink()
    sheet.draw(BAR)
    two_strokes = sheet.ink()
    assert two_strokes > one_stroke > 0
    undo.click()
    assert sheet.ink() == one_stroke
    expect(sheet.answer).to_have_text("7")
    sheet.draw(BAR)
    clear.click()
    assert sheet.ink() == 0
    expect(tab.sentence("Draw one digit on the sheet")).to_be_visible()
    expect(sheet.answer).to_have_count(0)


def test_the_eraser_takes_ink_away_and_keys_are_enough_for_the_tools(
    server: Server, open_tab: OpenTab, expect: Any, run_id: str
) -> None:
    tab = open_tab(server.link(run=run_id))
    sheet = Sheet(tab)
    sheet.draw(SEVEN)
    seven = sheet.ink()
    eraser = tab.button("Eraser")
    eraser.press("Space")
    expect(eraser).to_have_attribute("aria-pressed", "true")
    sheet.draw(BAR)
    assert 0 < sheet.ink() < seven
    expect(sheet.answer).to_be_visible()
    sheet.canvas.press("Control+z")
    assert sheet.ink() == seven
    tab.button("Undo").press("Enter")
    assert sheet.ink() == 0
    expect(tab.sentence("Draw one digit on the sheet")).to_be_visible()


def test_a_finger_draws_and_the_page_stays_where_it_is(
    server: Server, open_tab: OpenTab, expect: Any, run_id: str
) -> None:
    tab = open_tab(server.link(run=run_id), has_touch=True)
    sheet = Sheet(tab)
    tab.page.set_viewport_size({"width": 390, "height": 844})
    # The sidebar slides away over the sheet, and would take the finger for its own.
    tab.page.wait_for_function(
        "document.querySelector('[data-testid=stSidebar]').getBoundingClientRect().right <= 0"
    )
    sheet.canvas.scroll_into_view_if_needed()
    moved = "document.querySelector('[data-testid=stMain]').scrollTop"
    before = tab.page.evaluate(moved)
    sheet.touch(SEVEN)
    expect(sheet.answer).to_have_text("7")
    assert tab.page.evaluate(moved) == before
    assert tab.overflow() == []
    # What is drawn on and what comes of it are on one screen, below Streamlit's own header.
    top, answer = sheet.canvas.bounding_box()["y"], sheet.answer.bounding_box()
    assert answer["y"] + answer["height"] - top < 844 - 60
    assert tab.button("Eraser").bounding_box()["height"] >= 44
    tab.button("Clear").click()
    sheet.touch(((0.5, 0.5),))
    expect(tab.sentence("hardly more than a dot")).to_be_visible()
    assert sheet.ink() > 0  # on the sheet as well


def test_a_drawing_is_still_there_when_the_page_is_opened_again(
    server: Server, open_tab: OpenTab, expect: Any, run_id: str
) -> None:
    tab = open_tab(server.link(run=run_id))
    sheet = Sheet(tab)
    sheet.draw(SEVEN)
    expect(sheet.answer).to_have_text("7")
    ink = sheet.ink()
    sheet.leave()
    sheet.come_back()
    expect(sheet.answer).to_have_text("7")
    # The sheet gets its size with the page around it, and is drawn anew then.
    until(lambda: sheet.ink() == ink, "the same drawing")


def test_what_is_drawn_while_the_server_is_busy_outlives_the_page(
    server: Server, open_tab: OpenTab, expect: Any, run_id: str
) -> None:
    tab = open_tab(server.link(run=run_id))
    sheet = Sheet(tab)
    sheet.draw(SEVEN)
    expect(sheet.answer).to_have_text("7")
    with server.frozen():
        tab.button("Clear").click()
        sheet.draw(ONE)
        ink = sheet.ink()
        sheet.leave()
    sheet.come_back()
    expect(sheet.answer).to_have_text("1")
    until(lambda: sheet.ink() == ink, "the same drawing")


def test_a_test_digit_is_drawn_upon(
    server: Server, open_tab: OpenTab, expect: Any, run_id: str
) -> None:
    tab = open_tab(server.link(run=run_id))
    sheet = Sheet(tab)
    sheet.draw(SEVEN)
    expect(sheet.answer).to_be_visible()
    # Streamlit's segments are radio buttons or plain ones, by version.
    tab.page.get_by_test_id("stButtonGroup").get_by_text("Test digit").click()
    expect(tab.sentence("Draw on it until the answer flips")).to_be_visible()
    expect(tab.button("Undo")).to_be_disabled()  # another sheet: nothing is drawn on it
    digit = sheet.ink()
    assert digit > 0
    sheet.draw(BAR)
    expect(tab.page.get_by_text("answer is still").or_(tab.sentence("has flipped"))).to_be_visible()
    assert sheet.ink() >= digit


def test_a_picture_is_chosen(server: Server, open_tab: OpenTab, expect: Any, run_id: str) -> None:
    tab = open_tab(server.link(run=run_id))
    sheet = Sheet(tab)
    points = [Stroke(SEVEN)]
    file = io.BytesIO()
    Image.fromarray((255 - 255 * rasterize(points)).astype(np.uint8)).save(file, "PNG")
    tab.page.get_by_test_id("stButtonGroup").get_by_text("Picture").click()
    chooser = tab.page.locator("input[type=file]")
    chooser.set_input_files({"name": "7.png", "mimeType": "image/png", "buffer": file.getvalue()})
    expect(sheet.answer).to_have_text("7")
    assert sheet.ink() > 0
