"""The chart of a range test shows what was tried, cut where it says, and marks what to read."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neuralscope.charts import Figure, describe_rate_test, rate_test_curve
from neuralscope.charts.rate_test import SHOWN_ABOVE

RATE = np.geomspace(1e-6, 1, 61)
LOSS = np.where(RATE < 0.5, 2.0, 9.0)


def figure(**marks: float) -> Figure:
    return rate_test_curve(RATE, LOSS, LOSS, **marks)


def test_it_is_valid_and_keeps_its_template_while_it_grows() -> None:
    whole = figure(suggested=0.05, blown_up=0.5)
    spec = whole.chart().to_dict(validate=True)
    json.dumps(spec, allow_nan=False)
    assert set(spec["datasets"]) == set(whole.tables) == {"steps", "marks"}
    assert rate_test_curve(RATE[:3], LOSS[:3], LOSS[:3]).template is whole.template
    assert "config" not in whole.template


def test_the_axis_is_logarithmic_and_stands_still() -> None:
    x = figure().template["layer"][0]["encoding"]["x"]
    assert x["scale"] == {"type": "log", "domain": [1e-6, 100.0], "nice": False}
    np.testing.assert_allclose(x["axis"]["values"], 10.0 ** np.arange(-6, 3))


def test_before_the_first_step_there_is_an_axis_to_look_at() -> None:
    empty = rate_test_curve([], [], [])
    empty.chart().to_dict(validate=True)
    assert empty.template["layer"][0]["encoding"]["y"]["scale"] == {"domain": [0, 3]}
    assert len(empty.tables["steps"]) == len(empty.tables["marks"]) == 0


def test_dots_end_where_the_line_runs_into_the_edge() -> None:
    steps = figure().tables["steps"]
    beyond = RATE >= 0.5
    assert steps["loss"].isna().tolist() == beyond.tolist()
    np.testing.assert_allclose(steps["smoothed"], np.where(beyond, 2.0 * SHOWN_ABOVE, 2.0))
    assert steps["smoothed_text"].iloc[-1] == "9", "the pointer is told the truth"


def test_a_loss_that_is_no_number_is_drawn_at_the_edge() -> None:
    steps = rate_test_curve([0.1, 0.2], [2.0, np.inf], [2.0, np.inf]).tables["steps"]
    assert steps["smoothed"].tolist() == [2.0, 2.0 * SHOWN_ABOVE]
    assert steps["loss_text"].tolist() == ["2", "not a number"]
    assert len(rate_test_curve([1e-6], [np.inf], [np.inf]).tables["steps"]) == 1


def test_both_rates_are_marked_in_words_on_lines_of_their_own() -> None:
    marks = figure(suggested=0.05, blown_up=0.5).tables["marks"]
    assert marks["rate"].tolist() == [0.05, 0.5]
    assert marks["text"].tolist() == ["suggested: 0.05", "\nblows up at 0.5"]
    assert len(figure().tables["marks"]) == 0


@pytest.mark.parametrize(
    ("marks", "align"),
    [
        ({"suggested": 1e-5}, "left"),
        ({"suggested": 0.1}, "right"),
        ({"blown_up": 0.01}, "left"),
        ({"blown_up": 50.0}, "right"),
    ],
)
def test_words_do_not_run_out_of_the_picture(marks: dict[str, float], align: str) -> None:
    assert figure(**marks).tables["marks"]["align"].tolist() == [align]


def test_in_words() -> None:
    assert figure(suggested=0.05, blown_up=0.5).text == (
        "Loss fell from 2.00 to 2.00 at a learning rate of 1e-06 and blew up at 0.5; "
        "suggested: 0.05."
    )
    assert describe_rate_test([1, 2], [3, 1]) == (
        "Loss fell from 3.00 to 1.00 at a learning rate of 2; none suggested yet."
    )
    assert "without the loss blowing up" in describe_rate_test([1.0], [np.inf])
