"""Precision and recall of each class as circles and squares."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neuralscope.charts import Figure, class_scores, colors, describe_scores

PRECISION, RECALL, F1, SUPPORT = (
    [0.9, 0.8, np.nan],
    [0.7, 0.95, 0.0],
    [0.79, 0.87, 0.0],
    [10, 20, 1],
)


def chart(**changes: object) -> Figure:
    given = {"precision": PRECISION, "recall": RECALL, "f1": F1, "support": SUPPORT, **changes}
    return class_scores(**given)


def test_each_class_has_a_circle_a_square_and_a_line_between() -> None:
    figure = chart()
    points = figure.tables["points"]
    assert points["kind"].tolist() == ["Precision"] * 3 + ["Recall"] * 3
    np.testing.assert_array_equal(points["score"], [*PRECISION, *RECALL])
    assert figure.tables["classes"]["low"].tolist() == [0.7, 0.8, 0.0]
    assert figure.tables["classes"]["high"].tolist() == [0.9, 0.95, 0.0]


def test_classes_have_the_colours_of_the_digits() -> None:
    points = chart().tables["points"]
    assert points["color"].tolist() == [*colors.DIGITS[:3]] * 2
    many = np.ones(26)
    letters = class_scores(many, many, many, many)
    assert len(set(letters.tables["points"]["color"])) == 26


def test_the_tooltip_says_where_a_score_is_undefined() -> None:
    row = chart().tables["points"].iloc[2]
    assert (row["name"], row["precision"], row["recall"]) == ("2", "undefined", "0.00 %")
    assert row["support"] == 1


@pytest.mark.parametrize(
    ("lowest", "begin"), [(0.97, 0.9), (0.9, 0.85), (0.63, 0.6), (0.6, 0.55), (0.0, 0.0)]
)
def test_the_axis_begins_below_the_lowest_score(lowest: float, begin: float) -> None:
    figure = chart(precision=[lowest, 1, 1], recall=[1, 1, np.nan])
    assert figure.tables["begin"]["score"].tolist() == [pytest.approx(begin)]


def test_it_is_valid_and_keeps_its_template() -> None:
    figure = chart(class_names=["a", 'b "c"', "d"])
    spec = figure.chart().to_dict(validate=True)
    json.dumps(spec, allow_nan=False)
    assert set(spec["datasets"]) == {"classes", "points", "begin"}
    assert chart(class_names=["a", 'b "c"', "d"], recall=[0, 0, 0]).template is figure.template
    assert chart().template is not figure.template


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="equally many"):
        chart(recall=[0.5])
    with pytest.raises(ValueError, match="equally many"):
        chart(class_names=["a"])


def test_the_scores_in_words() -> None:
    assert chart(class_names=["shoe", "bag", "coat"]).text == (
        "Lowest precision: digit bag with 80.00 %; lowest recall: digit coat with 0.00 %."
    )
    assert describe_scores([np.nan], [0.5]) == "Lowest recall: digit 0 with 50.00 %."
    assert describe_scores([np.nan], [np.nan]) == "No example has been classified yet."
