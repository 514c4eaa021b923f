import json

import numpy as np
import pytest

from neuralscope.charts import colors, describe_probabilities, probability_bars

PROBABILITIES = [0.02, 0.87, 0.0001, 0.1099]


def test_each_class_has_a_bar_and_its_percentage() -> None:
    bars = probability_bars(PROBABILITIES).tables["bars"]
    assert bars["class"].tolist() == [0, 1, 2, 3]
    assert bars["probability"].tolist() == PROBABILITIES
    assert bars["percent"].tolist() == ["2.0 %", "87 %", "<0.1 %", "11 %"]


def test_the_answer_and_the_truth_are_marked_by_word_and_colour() -> None:
    bars = probability_bars(PROBABILITIES, true=3).tables["bars"]
    assert bars["label"].tolist() == ["2.0 %", "87 %  answer", "<0.1 %", "11 %  true"]
    neutral = colors.NEUTRAL
    assert bars["color"].tolist() == [neutral, colors.WRONG, neutral, colors.RIGHT]


def test_a_right_answer_is_both() -> None:
    bars = probability_bars(PROBABILITIES, true=1).tables["bars"]
    assert bars["label"][1] == "87 %  right"
    assert bars["color"][1] == colors.RIGHT
    assert set(bars["color"].drop(1)) == {colors.NEUTRAL}


def test_where_nobody_knows_the_truth_the_answer_has_its_digits_colour() -> None:
    bars = probability_bars(PROBABILITIES).tables["bars"]
    assert bars["label"][1] == "87 %  answer"
    assert bars["color"][1] == colors.DIGITS[1]


def test_a_second_set_stands_beside_the_first_and_says_so() -> None:
    figure = probability_bars(PROBABILITIES, compare=[0.25] * 4, names=("this run", "that run"))
    bars = figure.tables["bars"]
    assert bars["set"].tolist() == ["this run"] * 4 + ["that run"] * 4
    assert bars["probability"].tolist() == [*PROBABILITIES, *[0.25] * 4]
    layer = figure.template["layer"][0]["encoding"]
    assert layer["yOffset"]["field"] == "set"
    assert layer["fillOpacity"]["legend"] is not None
    assert "yOffset" not in probability_bars(PROBABILITIES).template["layer"][0]["encoding"]


def test_bars_go_from_nothing_to_certainty_with_room_for_the_words() -> None:
    x = probability_bars(PROBABILITIES).template["layer"][0]["encoding"]["x"]
    assert x["scale"]["domain"][0] == 0
    assert x["scale"]["domain"][1] > 1
    assert x["axis"]["values"][-1] == 1
    assert x["title"] == "Probability"


def test_class_names_are_used() -> None:
    figure = probability_bars(PROBABILITIES, class_names=["Coat", "Bag", 'The "shirt"', "Boot"])
    assert "Bag" in figure.text
    axis = figure.template["layer"][0]["encoding"]["y"]["axis"]["labelExpr"]
    assert json.loads(axis.removesuffix("[datum.value]"))[2] == 'The "shirt"'


def test_the_same_classes_are_the_same_template() -> None:
    one, other = probability_bars(PROBABILITIES, true=1), probability_bars([0.25] * 4)
    assert one.template is other.template


def test_what_is_no_number_has_no_answer() -> None:
    figure = probability_bars([np.nan] * 3, true=0)
    assert figure.tables["bars"]["percent"].tolist() == ["unknown"] * 3
    assert figure.tables["bars"]["probability"].tolist() == [0, 0, 0]
    assert "answer" not in "".join(figure.tables["bars"]["label"])
    assert figure.text == "The network no longer computes numbers, so it has no answer."


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"compare": [1.0]}, "as many"),
        ({"class_names": ["a"]}, "do not fit"),
        ({"true": 4}, "from 0 to 3"),
        ({"true": -1}, "from 0 to 3"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        probability_bars(PROBABILITIES, **given)


@pytest.mark.parametrize(
    ("true", "text"),
    [
        (None, "The answer is 1 with 87 %; next comes 3 with 11 %."),
        (1, "The answer is 1 with 87 %, which is right; next comes 3 with 11 %."),
        (0, "The answer is 1 with 87 %; the true 0 gets 2.0 %."),
    ],
)
def test_the_bars_in_words(true: int | None, text: str) -> None:
    assert describe_probabilities(PROBABILITIES, true=true) == text
    assert describe_probabilities([1.0]) == "The answer is 0 with 100 %."
