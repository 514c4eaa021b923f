"""The exported report in a browser: alone, without a server, and with a hostile name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from neuralscope import exports
from neuralscope.runs import RunConfig, Store
from neuralscope.runs.trainer import Trainer

HOSTILE = "</script><script>document.title = 'taken over'</script><img src=x onerror=alert(1)>"


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """The report of a run with a hostile name."""
    path = tmp_path / "report.html"
    with Store(tmp_path / "runs") as store:
        config = RunConfig(dataset="digits", hidden=(12,), epochs=5)
        run = Trainer(store, store.create(config, HOSTILE)).run()
        exports.write(store, run.run_id, "html", path)
    return path


@pytest.fixture
def page(chromium: Any, report: Path) -> Iterator[Any]:
    """The report in a tab of its own; what it asks of anybody or complains of fails the test."""
    page = chromium.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.goto(report.as_uri())
    yield page
    page.close()
    assert asked == [report.as_uri()]
    assert said == []


def test_it_opens_by_itself_and_shows_a_hostile_name_as_text(page: Any) -> None:
    assert page.locator("h1").inner_text() == HOSTILE
    assert page.title() == f"{HOSTILE} - NeuralScope"
    assert page.locator("#loss path.curve").count() == 2
    assert page.locator("#matrix tbody tr").count() == 10


def test_its_slider_moves_through_the_epochs(page: Any) -> None:
    slider = page.get_by_role("slider", name="Epoch shown")
    assert page.locator("#moment").inner_text() == "epoch 5"
    at_the_end = page.locator("#confused").inner_text()
    slider.press("Home")
    assert page.locator("#moment").inner_text() == "before training"
    assert page.locator("#confused").inner_text() != at_the_end
    slider.press("ArrowRight")
    assert page.locator("#moment").inner_text() == "epoch 1"
    assert "After epoch 1, training: loss" in page.locator("#measured").inner_text()


def test_it_plays_to_the_end_and_stops(page: Any) -> None:
    page.get_by_role("button", name="Play").click()
    assert page.locator("#moment").inner_text() == "before training"
    page.get_by_role("button", name="Play").wait_for()  # it says Pause until it is over
    assert page.locator("#moment").inner_text() == "epoch 5"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [420, 1280])
def test_it_fits_every_screen_in_both_themes(page: Any, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(14, 17, 23)"}[scheme]
