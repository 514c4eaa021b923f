"""What the server answers to somebody who saves what is on a page."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest

from neuralscope import charts
from neuralscope.ui import saving
from neuralscope.ui.saving import Shown, answer
from neuralscope.ui.words import plain

FIGURE = charts.probability_bars(np.array([0.75, 0.25]), class_names=("no", "yes"))
OTHER = charts.probability_bars(np.array([0.5, 0.5]), class_names=("no", "yes"))
KEPT = [
    Shown("A chart", ("My run", "Probabilities", "epoch 6"), OTHER),
    Shown("A table", ("My run", "Scores", "epoch 7"), pd.DataFrame({"Right": ["98.5 %"]})),
    Shown("A chart", ("My run", "Probabilities", "epoch 7"), FIGURE),
]


def read(text: str | None) -> pd.DataFrame:
    assert text is not None
    return pd.read_csv(io.StringIO(text))


def test_a_drawing_is_only_given_its_name() -> None:
    for format in ("png", "svg"):
        said = answer({"format": format, "what": "A chart"}, KEPT)
        assert said == saving.Answer("my-run_probabilities_epoch-7")


def test_the_data_of_the_chart_drawn_last_is_given_as_csv() -> None:
    said = answer({"format": "csv", "what": "A chart"}, KEPT)
    assert said.name == "my-run_probabilities_epoch-7"
    assert read(said.csv).to_dict("list") == {"Answer": ["no", "yes"], "Probability": [0.75, 0.25]}


def test_a_chart_of_thousands_of_marks_is_drawn_once_more_as_wide_as_it_was() -> None:
    said = answer({"format": "svg", "what": "A chart", "width": 640}, KEPT)
    assert said.drawing == (FIGURE, 640)
    assert said.csv is None


def test_a_saved_table_holds_no_formula() -> None:
    rows = pd.DataFrame({"Run": ["=1+1", "mine"], "Right": ["-98.5 %", "2 %"]})
    said = saving.csv(rows)
    assert said.splitlines() == ["Run,Right (%)", "'=1+1,-98.5", "mine,2.0"]


@pytest.mark.parametrize(("asked", "drawn"), [(0, 1), (-5, 1), (10**9, saving.MOST_PIXELS)])
def test_no_width_is_out_of_reason(asked: int, drawn: int) -> None:
    said = answer({"format": "png", "what": "A chart", "width": asked}, KEPT)
    assert said.drawing is not None
    assert said.drawing[1] == drawn


@pytest.mark.parametrize("more", [{"format": "csv"}, {"format": "svg", "width": 640}])
def test_what_is_no_longer_shown_has_no_data(more: dict[str, Any]) -> None:
    said = answer({"what": "Another chart", **more}, KEPT)
    assert said == saving.Answer(problem="It has changed meanwhile. Press once more.")


def test_a_picture_is_named_by_its_words_and_the_page() -> None:
    said = answer({"format": "png", "what": "The digit, a 3"}, KEPT)
    assert said.name == "my-run_the-digit-a-3_epoch-7"
    assert answer({"format": "png", "what": "The digit"}, []).name == "the-digit"


@pytest.mark.parametrize("what", [None, 7, ["A chart"], {}])
def test_rubbish_is_asked_for_in_vain(what: object) -> None:
    assert answer({"format": "csv", "what": what}, KEPT).problem


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("../../etc/passwd", "Loss"), "etc-passwd_loss"),
        (('a/b\\c:d*e?f"g<h>i|j',), "a-b-c-d-e-f-g-h-i-j"),
        (("Größe \N{SNOWMAN}", "Δ"), "größe_δ"),
        (("...", ""), "chart"),
        (("x" * 500,), "x" * 60),
        (("many words " * 50,), "many-words-many-words-many-words-many-words-many-words-many"),
    ],
)
def test_any_name_makes_a_file_name(names: tuple[str, ...], expected: str) -> None:
    assert saving.file_name(*names) == expected


def test_a_table_is_saved_without_the_signs_of_markdown() -> None:
    table = pd.DataFrame(
        {
            "Layer": [f"**1** · {plain('64 * relu :b:')}"],
            "Verdict": [":green-badge[:material/check: good]"],
            "Idle": ["3 %"],
        },
        index=pd.Index(["**all**"], name="Row"),
    )
    expected = {
        "Row": ["all"],
        "Layer": ["1 · 64 * relu :b:"],
        "Verdict": ["good"],
        "Idle (%)": [3],
    }
    assert read(saving.csv(table)).to_dict("list") == expected
