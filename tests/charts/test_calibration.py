"""The charts of confidence draw what they are given, cut and thin only as they say."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neuralscope.charts import (
    Figure,
    confidence_histogram,
    describe_confidences,
    describe_refusal,
    describe_reliability,
    refusal_curve,
    reliability_diagram,
)
from neuralscope.charts.calibration import MOST_POINTS

LOW, HIGH = np.arange(10) / 10, np.arange(1, 11) / 10
COUNT = np.array([0, 0, 0, 0, 0, 0, 0, 2, 8, 90])
CONFIDENCE = np.where(COUNT, LOW + 0.05, np.nan)
ACCURACY = np.array([np.nan] * 7 + [1.0, 0.75, 0.95])


def diagram() -> Figure:
    some = (ACCURACY - 0.05, np.minimum(ACCURACY + 0.05, 1))
    return reliability_diagram(LOW, HIGH, COUNT, CONFIDENCE, ACCURACY, *some, error=0.0231)


def trade(share: object, error: object, at: tuple[float, float, float]) -> Figure:
    return refusal_curve(np.linspace(0.1, 1, len(np.atleast_1d(share))), share, error, at=at)


FIGURES = {
    "reliability": diagram,
    "confidences": lambda: confidence_histogram(LOW, HIGH, COUNT),
    "refusals": lambda: trade([0, 0.1], [0.03, 0.0], (0.9, 0.1, 0.0)),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_chart_is_valid_and_keeps_its_template(name: str) -> None:
    figure = FIGURES[name]()
    spec = figure.chart().to_dict(validate=True)
    assert set(spec["datasets"]) == set(figure.tables)
    json.dumps(spec, allow_nan=False)
    assert FIGURES[name]().template is figure.template
    assert "config" not in figure.template
    assert figure.text.endswith(".") and len(figure.text) < 200


# Reliability


def test_empty_bins_are_not_drawn() -> None:
    bins = diagram().tables["bins"]
    assert bins["count"].tolist() == [2, 8, 90]
    assert bins["bin"].tolist() == ["70 to 80 %", "80 to 90 %", "90 to 100 %"]


def test_a_bin_says_what_its_distance_means() -> None:
    verdicts = diagram().tables["bins"]["verdict"].tolist()
    assert verdicts == [
        "25.0 points too timid",
        "10.0 points too sure",
        "as sure as it may be",
    ]


def test_bars_rise_from_zero_and_the_ideal_is_the_diagonal() -> None:
    bars, ideal, interval = diagram().template["layer"]
    assert bars["encoding"]["y2"] == {"datum": 0}
    for axis in ("x", "y"):
        assert bars["encoding"][axis]["scale"]["domain"] == [0, 1]
        assert diagram().tables["ideal"][axis].tolist() == [0, 1]
    assert "strokeDash" in ideal["mark"]
    assert interval["encoding"]["y2"]["field"] == "accuracy_high"


def test_reliability_in_words() -> None:
    assert diagram().text == (
        "Mean confidence 93.80 %, 93.50 % right; expected calibration error 2.31 % in 10 bins."
    )
    assert describe_reliability([0], [np.nan], [np.nan], np.nan) == "No answer has been given yet."


# Confidences


def test_the_histogram_has_a_bar_and_a_number_a_bin() -> None:
    bins = confidence_histogram(LOW, HIGH, COUNT * 100).tables["bins"]
    assert bins["count"].tolist() == (COUNT * 100).tolist()
    assert bins["text"].tolist() == [""] * 7 + ["200", "800", "9,000"]
    assert bins["share"].sum() == pytest.approx(1)


def test_bins_of_histogram_and_diagram_lie_under_each_other() -> None:
    axes = [
        next(layer["encoding"] for layer in figure.template["layer"] if "x2" in layer["encoding"])
        for figure in (diagram(), confidence_histogram(LOW, HIGH, COUNT))
    ]
    assert axes[0]["x"] == axes[1]["x"]
    extents = [(axis["y"]["axis"]["minExtent"], axis["y"]["axis"]["maxExtent"]) for axis in axes]
    assert extents[0] == extents[1]


def test_confidences_in_words() -> None:
    assert confidence_histogram(LOW, HIGH, COUNT).text == (
        "Of 100 answers, 90 (90.0 %) have a confidence of 90 to 100 %, the fullest of 10 bins."
    )
    assert describe_confidences([0], [1], [1]).startswith("Of 1 answer, 1 (100.0 %) has ")
    assert describe_confidences([0], [1], [0]) == "No answer has been given yet."


# Refusing


def test_a_short_curve_is_drawn_point_by_point_with_its_mark() -> None:
    figure = trade([0, 0.1, 0.2], [0.03, 0.02, 0.01], (0.95, 0.15, 0.015))
    assert figure.tables["curve"]["share"].tolist() == [0, 0.1, 0.2]
    assert figure.tables["curve"]["error"].tolist() == [0.03, 0.02, 0.01]
    assert figure.tables["mark"].to_dict("records") == [
        {
            "share": 0.15,
            "error": 0.015,
            "threshold": "95 %",
            "share_words": "15.00 %",
            "error_words": "1.50 %",
        }
    ]


def test_the_curve_ends_when_nineteen_of_twenty_errors_are_gone() -> None:
    share = np.linspace(0, 0.999, 1000)
    wrong_left = np.maximum(0, 0.1 - share)  # gone at 0.1, nineteen of twenty at 0.095
    drawn = trade(share, wrong_left / (1 - share), (0.5, 0.0, 0.1)).tables["curve"]
    assert 0.095 <= drawn["share"].max() <= 0.105
    marked = trade(share, wrong_left / (1 - share), (0.99, 0.6, 0.0)).tables["curve"]
    assert 0.6 <= marked["share"].max() <= 0.64


def test_a_long_curve_is_thinned_but_keeps_its_ends() -> None:
    share = np.linspace(0, 0.9999, 10_000)
    drawn = trade(share, np.full(10_000, 0.5), (0.99, 0.9999, 0.5)).tables["curve"]
    assert len(drawn) <= MOST_POINTS
    assert (drawn["share"].iloc[0], drawn["share"].iloc[-1]) == (0, 0.9999)
    assert set(drawn["share"]) <= set(share)


def test_a_network_without_errors_is_a_point_at_zero() -> None:
    figure = trade([0.0, 0.5], [0.0, 0.0], (0.5, 0.0, 0.0))
    assert figure.tables["curve"]["error"].tolist() == [0]
    assert figure.text == "Error is 0.00 % with 0.00 % refused (below 50 %)."


def test_where_everything_is_refused_nothing_is_marked() -> None:
    figure = trade([0.0], [0.25], (0.99, 1.0, np.nan))
    assert len(figure.tables["mark"]) == 0
    assert figure.text == (
        "Error is 25.00 % with nothing refused; below 99 % everything would be refused."
    )


def test_without_answers_there_is_a_chart_too() -> None:
    figure = trade([], [], (0.9, 0.0, np.nan))
    assert len(figure.tables["curve"]) == 0
    assert figure.text == "No answer has been given yet."


def test_a_threshold_is_never_rounded_to_certainty() -> None:
    texts = [
        describe_refusal([0], [0.1], at=(threshold, 0.5, 0.05)).partition("(below ")[2]
        for threshold in (0.9, 0.9995, 0.999999, 1.0)
    ]
    assert texts == ["90 %).", "99.95 %).", "above 99.99 %).", "100 %)."]


def test_refusing_can_raise_the_error() -> None:
    assert "rises from 10.00 % with nothing refused to 20.00 %" in describe_refusal(
        [0, 0.5], [0.1, 0.2], at=(0.9, 0.5, 0.2)
    )
