"""The Draw page: a sheet, what the network sees of it, and what it answers."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import streamlit as st
from PIL import Image

from neuralscope.data import load_dataset, photograph
from neuralscope.data.ink import Ink
from neuralscope.data.preparation import prepared
from neuralscope.data.sheet import Stroke, rasterize
from neuralscope.engine import Network
from neuralscope.runs import Run, Store
from neuralscope.ui import moment
from tests.writing import owner

if TYPE_CHECKING:
    from tests.pages.conftest import Page, Runs

OpenPage = Callable[..., "Page"]

PROMPT = "Draw one digit on the sheet"
SEVEN = [{"erases": False, "points": [250, 200, 750, 200, 450, 850]}]


@pytest.fixture(params=["pages/draw.py", "dashboard.py"])
def script(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def open_draw(open_page: OpenPage, script: str) -> Callable[..., Page]:
    """Open the page: alone, and as a link to it is first answered; or from the dashboard."""

    def open_draw(**query: str) -> Page:
        page = open_page(script, dataset=None, **query)
        if script == "dashboard.py":
            page.app.switch_page("pages/draw.py")
            page.look()
        return page

    return open_draw


def drawn(page: Page, strokes: Any, sheet: str = "blank") -> Page:
    """Draw on the sheet, as the browser would tell of it."""
    page.app.session_state["draw_canvas_kept"] = {"sheet": sheet, "strokes": strokes}
    return page.look()


def answer(page: Page) -> str:
    return page.metric("Answer")


def expected(run: Run, x: np.ndarray[Any, Any]) -> int:
    """Return what the latest snapshot of a run answers."""
    from neuralscope.runs import list_snapshots
    from neuralscope.ui import resources

    info = list_snapshots(resources.store(), run.run_id)[-1]
    return int(moment.at(run, info).network.predict(x[None])[0])


def ink(message: list[dict[str, Any]]) -> Ink:
    points = message[0]["points"]
    pairs = zip(points[::2], points[1::2], strict=True)
    return rasterize([Stroke(tuple((x / 1000, y / 1000) for x, y in pairs))])


# Runs in every state -----------------------------------------------------------------------------


def test_without_a_run_it_says_what_to_do(open_draw: OpenPage) -> None:
    page = open_draw()
    assert page.says("No network has been trained yet")
    assert not page.app.metric


def test_a_blank_sheet_claims_no_answer(open_draw: OpenPage, runs: Runs) -> None:
    runs.finished()
    page = open_draw()
    assert page.says(PROMPT)
    assert not page.app.metric
    assert not page.charts()


def test_a_drawing_is_answered_layer_by_layer(open_draw: OpenPage, runs: Runs) -> None:
    run = runs.finished()
    page = drawn(open_draw(), SEVEN)
    assert not page.says(PROMPT)
    x = prepared(ink(SEVEN), load_dataset("digits").recipe)
    assert answer(page) == str(expected(run, x))
    assert page.says("exactly these 8 × 8 numbers")
    assert {"bars", "units"} <= set(page.charts())
    # Rubbed out, there is no answer any more.
    assert drawn(page, []).says(PROMPT)


@pytest.mark.parametrize("state", ["running", "snapshot", "stopped", "finished"])
def test_it_works_in_every_state_of_a_run(open_draw: OpenPage, runs: Runs, state: str) -> None:
    if state == "running":
        runs.running()
    elif state == "snapshot":
        runs.queued().start()
    else:
        getattr(runs, state)()
    page = drawn(open_draw(), SEVEN)
    assert answer(page) in set("0123456789")


def test_a_run_that_waits_has_nothing_to_show_yet(open_draw: OpenPage, runs: Runs) -> None:
    runs.queued()
    page = open_draw()
    assert page.says("waiting for its turn")
    assert not page.app.metric


def test_a_run_that_diverged_is_looked_at_like_any_other(open_draw: OpenPage, runs: Runs) -> None:
    run = runs.diverged()
    page = open_draw(run=run.run_id)
    page = drawn(page, SEVEN) if not page.says("ended before") else page
    assert page.says("ended before") or page.metric("Answer")


@pytest.mark.parametrize("start", ["Blank sheet", "Test digit"])
def test_a_network_that_computes_no_numbers_has_no_answer(
    open_page: OpenPage, runs: Runs, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    run = runs.finished()
    page = drawn(open_page("pages/draw.py", dataset=None, run=run.run_id), SEVEN)
    broken = Network((64, 8, 10), rng=np.random.default_rng(0))
    broken.parameters[...] = np.nan
    monkeypatch.setattr(moment.Moment, "network", broken)
    page.set("Start from", start)
    assert answer(page) == "–"


def test_a_run_deleted_meanwhile_is_told(open_draw: OpenPage, runs: Runs, store: Store) -> None:
    run = runs.finished()
    page = drawn(open_draw(run=run.run_id), SEVEN)
    store.delete(run.run_id)
    page.look()
    assert page.says("no run") or page.says("No network has been trained yet")


# What it cannot know ----------------------------------------------------------------------------

TWO = [{"erases": False, "points": [x, 100, x, 900]} for x in (200, 800)]


def test_it_says_that_the_network_must_choose(open_draw: OpenPage, runs: Runs) -> None:
    runs.finished()
    page = drawn(open_draw(), SEVEN)
    assert page.says("the network has to pick one of its 10 digits")
    assert not page.says("means nothing")


@pytest.mark.parametrize("dash", [0, 60])
def test_next_to_nothing_gets_an_answer_that_means_nothing(
    open_draw: OpenPage, runs: Runs, dash: int
) -> None:
    runs.finished()
    points = [400, 600, 400 + dash, 600 + dash]
    page = drawn(open_draw(), [{"erases": False, "points": points}])
    assert [text for text in page.said("warning") if "its answer means nothing" in text]


def test_separate_digits_on_the_sheet_are_told(open_draw: OpenPage, runs: Runs) -> None:
    runs.finished()
    assert drawn(open_draw(), TWO).says("There seem to be 2 separate digits")


def test_a_drawing_follows_the_recipe_that_the_run_was_trained_by(
    open_page: OpenPage, runs: Runs, store: Store
) -> None:
    run = runs.finished()
    told = replace(load_dataset("digits").recipe, is_dark_on_light=True)
    owner(store, run.run_id).set_facts(
        data_digest=run.data_digest,
        versions=run.versions,
        machine=run.machine,
        steps_per_epoch=run.steps_per_epoch,
        recipe=told,
    )
    page = drawn(open_page("pages/draw.py", dataset=None, run=run.run_id), SEVEN)
    assert page.says("dark on light, as in its training pictures")
    assert answer(page) == str(expected(run, prepared(ink(SEVEN), told)))


# What arrives from the browser -------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        7,
        {"drawing": 7},
        {"drawing": {"sheet": 7, "strokes": []}},
        {"drawing": {"sheet": "blank"}},
        {"drawing": {"sheet": "blank", "strokes": [{"erases": False, "points": [1, 10**9]}]}},
    ],
)
def test_a_drawing_that_cannot_be_one_is_told_in_one_sentence(
    open_page: OpenPage, runs: Runs, monkeypatch: pytest.MonkeyPatch, message: Any
) -> None:
    runs.finished()
    page = open_page("pages/draw.py", dataset=None)
    # The simulated session has no browser that could send it.
    from neuralscope.ui import canvas

    arrived = canvas._arrived
    monkeypatch.setattr(canvas, "_arrived", lambda value, sheet: arrived(message, sheet))
    page.look()
    if message == 7:
        assert page.says(PROMPT)
        return
    assert [text for text in page.said("warning") if "did not arrive as it was drawn" in text]
    assert page.says(PROMPT)


def test_a_drawing_on_another_sheet_is_not_taken_for_this_one(
    open_page: OpenPage, runs: Runs
) -> None:
    runs.finished()
    page = drawn(open_page("pages/draw.py", dataset=None), SEVEN, sheet="digits 5")
    assert page.says(PROMPT)


# Test digits -------------------------------------------------------------------------------------


def test_a_test_digit_is_read_as_it_is(open_page: OpenPage, runs: Runs) -> None:
    run = runs.trained(hidden=(16,), epochs=3)
    data = load_dataset("digits")
    page = open_page("pages/draw.py", dataset=None)
    page.set("Start from", "Test digit").set("Number, 0 to 359", 4)
    assert page.says(f"This test digit is a {data.y_test[4]}. Draw on it")
    assert answer(page) == str(expected(run, data.x_test[4] / np.float32(16)))
    number = page.value("Number, 0 to 359")
    for _ in range(5):
        page.click("Random")
        assert 0 <= page.value("Number, 0 to 359") < 360
        if page.value("Number, 0 to 359") != number:
            break
    else:
        pytest.fail("the same digit five times")


def test_drawing_on_a_test_digit_flips_the_answer(open_page: OpenPage, runs: Runs) -> None:
    run = runs.trained(hidden=(16,), epochs=5)
    data = load_dataset("digits")
    page = open_page("pages/draw.py", dataset=None).set("Start from", "Test digit")
    before = expected(run, data.x_test[0] / np.float32(16))
    said = set()
    for y in range(100, 1000, 200):  # until there is no white left
        strokes = [
            {"erases": False, "points": [50, each, 950, each]} for each in range(50, y + 1, 50)
        ]
        drawn(page, strokes, sheet="digits 0")
        flipped = page.says(f"The answer has flipped from {before} to {answer(page)}")
        assert flipped == (answer(page) != str(before))
        assert flipped or page.says(f"the answer is still {before}")
        said.add(flipped)
    assert True in said


# Pictures ----------------------------------------------------------------------------------------


class Upload(io.BytesIO):
    """A file as the uploader hands it over."""


def upload(page: Page, monkeypatch: pytest.MonkeyPatch, content: bytes) -> Page:
    monkeypatch.setattr(st, "file_uploader", lambda *args, **options: Upload(content))
    return page.set("Start from", "Picture")


def png(gray: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(gray.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def test_a_picture_is_read(
    open_page: OpenPage, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs.trained(hidden=(16,), epochs=5)
    page = open_page("pages/draw.py", dataset=None)
    sheet = ink(SEVEN)
    upload(page, monkeypatch, png(255 - 255 * sheet))
    assert answer(page) == str(expected(run, prepared(sheet, load_dataset("digits").recipe)))


def test_without_a_picture_it_asks_for_one(open_page: OpenPage, runs: Runs) -> None:
    runs.finished()
    page = open_page("pages/draw.py", dataset=None).set("Start from", "Picture")
    assert page.says("Choose a picture with one digit on it")
    assert not page.app.metric


def test_a_bad_picture_is_told_in_one_sentence(
    open_page: OpenPage, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.finished()
    page = open_page("pages/draw.py", dataset=None)
    upload(page, monkeypatch, b"GIF89a")
    assert page.says("not a PNG or JPEG image")
    assert not page.app.metric


def test_a_picture_is_decoded_once_for_all_redraws_and_tabs(
    open_page: OpenPage, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.trained(hidden=(16,))
    decoded = []
    monkeypatch.setattr(photograph, "decoded", spied(decoded, photograph.decoded))
    content = png(250 - 250 * ink(SEVEN))
    for _ in range(2):
        page = open_page("pages/draw.py", dataset=None)
        upload(page, monkeypatch, content)
        page.app.run()
        assert answer(page)
    assert len(decoded) == 1
    broken = content[: len(content) // 2]
    upload(page, monkeypatch, broken)
    page.app.run()
    page.app.run()
    assert page.says("The file is damaged")
    assert len(decoded) == 2


def spied(calls: list[bytes], decode: Callable[[bytes], Ink]) -> Callable[[bytes], Ink]:
    def noted(content: bytes) -> Ink:
        calls.append(content)
        return decode(content)

    return noted


def test_two_digits_on_a_picture_are_told(
    open_page: OpenPage, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.finished()
    page = open_page("pages/draw.py", dataset=None)
    one = ink([{"erases": False, "points": [500, 100, 500, 900]}])
    upload(page, monkeypatch, png(255 - 255 * np.hstack([one, one])))
    assert page.says("There seem to be 2 separate digits")


# Two networks ------------------------------------------------------------------------------------


def test_two_epochs_answer_side_by_side(open_page: OpenPage, runs: Runs) -> None:
    runs.finished()
    page = drawn(open_page("pages/draw.py", dataset=None), SEVEN)
    control = page.control("Compare with another network")
    control.select_index(0)
    page.look()
    labels = [metric.label for metric in page.app.metric]
    assert labels == ["Answer, epoch 2", "Answer, before training"]


def test_two_runs_answer_side_by_side(open_page: OpenPage, runs: Runs) -> None:
    first, second = runs.finished(), runs.trained(epochs=2, hidden=(9,))
    page = drawn(open_page("pages/draw.py", dataset=None, run=second.run_id), SEVEN)
    page.control("Compare with another network").select_index(1)
    page.look()
    labels = [metric.label for metric in page.app.metric]
    assert labels == [f"Answer, {run.name}, epoch 2" for run in (second, first)]


def test_the_address_says_what_is_drawn_on(open_page: OpenPage, runs: Runs) -> None:
    runs.finished()
    page = open_page("pages/draw.py", dataset=None, start="test", digit="7")
    assert (page.value("Start from"), page.value("Number, 0 to 359")) == ("Test digit", 7)
    later = page.set("Number, 0 to 359", 9).query
    assert (later["start"], later["digit"]) == ("test", "9")
    assert not {"start", "digit"} & set(page.set("Start from", "Blank sheet").query)
    assert page.go_back(later).value("Number, 0 to 359") == 9


def test_rubbish_in_the_address_is_told_in_sentences(open_page: OpenPage, runs: Runs) -> None:
    runs.finished()
    page = open_page("pages/draw.py", dataset=None, start="oil", digit="360")
    assert page.said("warning") == [
        "In the address, start is 'oil', but must be test or picture.",
        "In the address, digit is '360', but must be a whole number from 0 to 359.",
    ]
    assert page.value("Start from") == "Blank sheet"
