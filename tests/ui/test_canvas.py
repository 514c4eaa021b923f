"""What a browser sends is checked before anything is drawn of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from neuralscope.data.sheet import Stroke
from neuralscope.errors import DataError
from neuralscope.ui import canvas

FOLDER = Path(canvas.__file__).parent


def stroke(*points: Any, erases: Any = False) -> dict[str, Any]:
    return {"erases": erases, "points": list(points)}


def test_strokes_become_shares_of_the_sheet() -> None:
    message = [stroke(0, 1000, 250, 500), stroke(10.0, 20.0, erases=True)]
    assert canvas.strokes(canvas.checked(message)) == (
        Stroke(((0.0, 1.0), (0.25, 0.5))),
        Stroke(((0.01, 0.02),), erases=True),
    )


def test_nothing_drawn_is_no_stroke() -> None:
    assert canvas.strokes(canvas.checked([])) == ()


@pytest.mark.parametrize(
    "message",
    [
        None,
        "strokes",
        7,
        {},
        {"strokes": []},
        [None],
        [[0, 0]],
        [{}],
        [{"points": [1, 2]}],
        [{**stroke(1, 2), "color": "red"}],
        [{"erases": False, "points": "12"}],
        [{"erases": False, "points": {"0": 1}}],
        [stroke(1, 2, erases=1)],
        [stroke(1, 2, erases="false")],
        [stroke()],
        [stroke(1)],
        [stroke(1, 2, 3)],
        [stroke(1, None)],
        [stroke(1, "2")],
        [stroke(1, True)],
        [stroke(1, [2])],
        [stroke(1, 2.5)],
        [stroke(-1, 2)],
        [stroke(1, 1001)],
        [stroke(1, 10**400)],
        [stroke(1, float("nan"))],
        [stroke(1, float("inf"))],
        [stroke(1, 2), stroke(3, -4)],
    ],
)
def test_what_no_canvas_sends_is_refused(message: object) -> None:
    with pytest.raises(DataError, match="did not arrive as it was drawn"):
        canvas.checked(message)


def test_there_is_a_limit_to_strokes_and_points() -> None:
    assert canvas.checked([stroke(1, 2)] * canvas.MOST_STROKES)
    with pytest.raises(DataError, match="more than 200 strokes"):
        canvas.checked([stroke(1, 2)] * (canvas.MOST_STROKES + 1))
    assert canvas.checked([stroke(*[1, 2] * canvas.MOST_POINTS)])
    with pytest.raises(DataError, match="more than 6,000 points"):
        canvas.checked([stroke(1, 2), stroke(*[1, 2] * canvas.MOST_POINTS)])


def test_the_browser_and_the_server_count_in_the_same_units() -> None:
    assert f"const UNITS = {canvas.UNITS};" in (FOLDER / "canvas.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["canvas.js", "canvas.css"])
def test_nothing_is_fetched_from_elsewhere(name: str) -> None:
    source = (FOLDER / name).read_text(encoding="utf-8")
    assert "http" not in source
    assert "import " not in source and "url(" not in source
