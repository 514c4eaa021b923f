"""Saving what is shown, in a real browser: the files that arrive, and what is in them."""

from __future__ import annotations

import csv
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from neuralscope.runs import RunConfig
from neuralscope.runs.launcher import launch
from neuralscope.runs.trainer import Trainer

if TYPE_CHECKING:
    from tests.browser.conftest import Server, Tab

OpenTab = Callable[..., "Tab"]

LIGHT, DARK = bytes.fromhex("ffffff"), bytes.fromhex("0e1117")
"""The colours behind a page."""

LONG = RunConfig(dataset="digits", hidden=(256, 256), batch_size=512, epochs=10_000)
"""A run that does not end before it is told to, and does not hurry: twenty epochs a second."""


def press(tab: Tab, shown: Any, format: str) -> tuple[str, bytes]:
    """Save something; return the name and the content of the file."""
    shown.hover()
    assert tab.covered() == []
    frame = shown.locator("xpath=ancestor::*[@data-testid='stElementContainer']")
    with tab.page.expect_download() as waiting:
        frame.get_by_role("button", name=f"Save as {format}").click()
    download = waiting.value
    return download.suggested_filename, download.path().read_bytes()


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def pixels(content: bytes) -> np.ndarray[Any, Any]:
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB"))


def test_a_chart_and_a_table_become_files_that_say_what_they_are(
    server: Server, open_tab: OpenTab
) -> None:
    config = RunConfig(dataset="digits", hidden=(16,), epochs=3)
    run = Trainer(server.store, server.store.create(config, "My run")).run()
    tab = open_tab(server.page("confusion", run=run.run_id))
    matrix = tab.page.locator(".st-key-matrix [data-testid=stVegaLiteChart]")
    stem = "my-run_confusion-matrix_epoch-3"

    name, content = press(tab, matrix, "PNG")
    assert name == f"{stem}.png"
    picture = pixels(content)
    size = matrix.locator("svg.marks").bounding_box()
    assert picture.shape[1] > 2 * size["width"]  # sharp also when it is printed
    assert picture[0, 0].tobytes() == LIGHT
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50

    name, content = press(tab, matrix, "SVG")
    assert name == f"{stem}.svg"
    drawing = ET.fromstring(content)
    written = [each.text for each in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert {"True digit", "Predicted digit"} <= set(written)

    name, content = press(tab, matrix, "CSV")
    assert name == f"{stem}.csv"
    cells = rows(content)
    assert list(cells[0])[:3] == ["True digit", "Predicted digit", "How many"]
    right = sum(
        int(row["How many"]) for row in cells if row["True digit"] == row["Predicted digit"]
    )
    assert f"{right} of {sum(int(row['How many']) for row in cells)} digits" in (
        matrix.get_attribute("aria-label") or ""
    )

    name, content = press(tab, tab.page.locator("[data-testid=stTable]").first, "CSV")
    assert name == "my-run_scores-of-each-digit_epoch-3.csv"
    assert [row["Digit"] for row in rows(content)] == [
        *"0123456789", "Macro average", "Weighted average",
    ]  # fmt: skip


def test_curves_are_saved_while_they_move_and_by_keyboard(
    server: Server, open_tab: OpenTab
) -> None:
    run_id = launch(server.store, LONG)
    tab = open_tab(server.link(run=run_id))
    curves = tab.chart("Loss of the run, live")
    curves.wait_for()
    tab.page.wait_for_timeout(1500)  # a few redraws
    name, content = press(tab, curves, "CSV")
    assert re.fullmatch(r".+_loss-of-the-run_epoch-\d+\.csv", name)
    saved = rows(content)
    assert {row["Curve"] for row in saved} == {"Training", "Validation"}
    assert all(float(row["Loss"]) > 0 for row in saved)

    button = tab.button("Save as SVG: Loss of the run, live")
    button.focus()
    with tab.page.expect_download() as waiting:
        tab.page.keyboard.press("Enter")
    assert b"<path" in waiting.value.path().read_bytes()


def test_a_chart_of_many_marks_is_saved_as_drawing_too_and_on_the_dark_page(
    server: Server, open_tab: OpenTab
) -> None:
    run = server.trained()
    link = server.page("activations", run=run.run_id, view="map")
    tab = open_tab(link, color_scheme="dark")
    charts = tab.page.locator("[data-testid=stVegaLiteChart]")
    dots = charts.filter(has=tab.page.locator("canvas"))

    name, content = press(tab, dots, "SVG")
    assert name.endswith("_the-digits-as-dots-on-a-map_epoch-3.svg")
    paths = ET.fromstring(content).iter("{http://www.w3.org/2000/svg}path")
    assert sum(each.get("d", "").count("A") == 2 for each in paths) >= 100  # circles

    name, content = press(tab, dots, "PNG")
    assert name.endswith(".png")
    assert pixels(content)[0, 0].tobytes() == DARK
    tab.page.wait_for_function(
        "() => document.querySelectorAll('[data-testid=stVegaLiteChart]').length === 1"
    )  # what was drawn to be saved has gone
