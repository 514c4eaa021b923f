import numpy as np
import pytest

from neuralscope.charts import (
    answer_strip,
    colors,
    contribution_bars,
    describe_contributions,
    describe_removal,
    removal_curve,
    signed_picture,
)

# Contributions

LABELS = ["unit 3", "unit 1", "the rest", "biases"]
VALUES = [2.0, -0.5, 0.25, -0.05]


def test_the_last_bar_is_the_sum_of_the_others() -> None:
    parts = contribution_bars(LABELS, VALUES, one="9", other="4").tables["parts"]
    assert parts["part"].tolist() == [*LABELS, "sum"]
    assert parts["value"].tolist() == pytest.approx([*VALUES, 1.7])
    assert parts["number"].tolist() == ["+2.00", "-0.50", "+0.25", "-0.05", "+1.70"]


def test_bars_say_for_whom_they_speak() -> None:
    parts = contribution_bars(LABELS, VALUES, one="9", other="4").tables["parts"]
    assert parts["pushes"].tolist() == ["9", "4", "9", "4", "9"]
    assert parts["color"].tolist()[:2] == [colors.WRONG, colors.RIGHT]
    right = contribution_bars(LABELS, VALUES, one="9", other="4", one_is_true=True)
    assert right.tables["parts"]["color"].tolist()[:2] == [colors.RIGHT, colors.WRONG]


def test_the_axis_names_both_classes_and_the_bars_keep_their_order() -> None:
    encoding = contribution_bars(LABELS, VALUES, one="9", other="4").template["layer"][0][
        "encoding"
    ]
    assert encoding["x"]["title"].startswith("\N{LEFTWARDS ARROW} for 4")
    assert encoding["x"]["title"].endswith("for 9 \N{RIGHTWARDS ARROW}")
    # Layers that share a scale can only be sorted by an aggregate.
    assert encoding["y"]["sort"] == {"field": "order", "op": "min"}


def test_parts_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="label of its own"):
        contribution_bars(["unit 1", "unit 1"], [1, 2], one="9", other="4")
    with pytest.raises(ValueError, match="label of its own"):
        contribution_bars(["unit 1"], [1, 2], one="9", other="4")


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([2.0, -0.5], "The logit of 9 is 1.50 above that of 4; most came from a (+2.00)."),
        ([0.5, -2.0], "The logit of 9 is 1.50 below that of 4; most came from b (-2.00)."),
    ],
)
def test_the_contributions_in_words(values: list, text: str) -> None:
    assert describe_contributions(["a", "b"], values, one="9", other="4") == text


# Removal


def test_both_lines_start_at_the_answer() -> None:
    figure = removal_curve([0, 4, 8], [0.9, 0.5, 0.1], [0.9, 0.8, 0.7], answer="9")
    curve = figure.tables["curve"]
    assert curve["which"].tolist() == ["marked"] * 3 + ["at random"] * 3
    assert curve["removed"].tolist() == [0, 4, 8] * 2
    assert curve["percent"].tolist()[::3] == ["90 %", "90 %"]
    encoding = figure.template["layer"][0]["encoding"]
    assert encoding["y"]["title"] == "Probability of 9"
    assert encoding["y"]["scale"]["domain"] == [0, 1]
    # Told apart by more than colour.
    assert encoding["strokeDash"]["field"] == "which"


def test_the_removal_in_words() -> None:
    assert describe_removal([0, 8], [0.9, 0.1], [0.9, 0.8], "9") == (
        "Without the 8 most marked pixels the answer 9 falls from 90 % to 10 %;"
        " without as many at random, to 80 %."
    )
    assert describe_removal([0], [0.9], [0.9], "9") == "There is no ink to take away."


def test_lines_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="equally many"):
        removal_curve([0, 1], [0.9], [0.9, 0.8], answer="9")
    with pytest.raises(ValueError, match="at least one"):
        removal_curve([], [], [], answer="9")


# Answers in the course of training


def test_the_answer_is_written_where_it_changes() -> None:
    figure = answer_strip(["0", "1", "2", "latest"], [3, 8, 8, 3], true=8, now="2")
    cells = figure.tables["cells"]
    assert cells["label"].tolist() == ["3", "8", "", "3"]
    assert cells["verdict"].tolist() == ["wrong", "right", "right", "wrong"]
    assert cells["color"].tolist()[:2] == [colors.WRONG, colors.RIGHT]
    assert cells["is_now"].tolist() == [False, False, True, False]
    assert figure.text == (
        "The answer at 4 moments of training: 2 times the right 8; at 2 it is 8."
    )


def test_moments_keep_their_order() -> None:
    figure = answer_strip(["0", "2", "10", "latest"], [1, 1, 1, 1], true=1)
    assert figure.tables["cells"]["order"].tolist() == [0, 1, 2, 3]
    for layer in figure.template["layer"]:
        assert layer["encoding"]["x"]["sort"] == {"field": "order", "op": "min"}


def test_longer_training_is_the_same_template() -> None:
    short = answer_strip(["0", "1"], [1, 1], true=1)
    assert short.template is answer_strip(["0", "1", "2"], [1, 1, 0], true=0).template


def test_class_names_are_written() -> None:
    figure = answer_strip(["0"], [1], true=0, class_names=["Coat", "Bag"])
    assert figure.tables["cells"]["label"].tolist() == ["Bag"]
    assert "0 times the right Coat" in figure.text


def test_two_moments_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="moment of its own"):
        answer_strip(["1", "1"], [1, 1], true=1)
    with pytest.raises(ValueError, match="moment of its own"):
        answer_strip(["1"], [1, 1], true=1)


# Pictures


def test_a_signed_picture_is_red_above_and_blue_below_zero() -> None:
    picture = signed_picture([1.0, -1.0, 0.0, 0.5], (2, 2), limit=1.0, size=2)
    assert picture.shape == (2, 2, 3)
    expected = colors.diverging([1.0, -1.0, 0.0, 0.5], 1.0).reshape(2, 2, 3)
    assert np.array_equal(picture, expected)
    assert picture[0, 0, 0] > picture[0, 0, 2]
    assert picture[0, 1, 2] > picture[0, 1, 0]


def test_it_is_enlarged_by_a_whole_factor() -> None:
    picture = signed_picture(np.arange(6), (2, 3), size=10)
    assert picture.shape == (6, 9, 3)
    assert (picture[:3, :3] == picture[0, 0]).all()


def test_the_outline_is_the_edge_of_the_ink_and_no_more() -> None:
    ink = np.zeros((3, 3))
    ink[1, 1] = 1
    bare = signed_picture(np.zeros(9), (3, 3), size=30)
    outlined = signed_picture(np.zeros(9), (3, 3), size=30, outline=ink.ravel())
    drawn = (bare != outlined).any(axis=2)
    assert drawn.sum() == 4 * 10 - 4  # the border of the one inked pixel, 10 x 10 on the screen
    assert drawn[10:20, 10].all()
    assert not drawn[11:19, 11:19].any()


def test_a_blank_page_has_no_outline() -> None:
    bare = signed_picture(np.zeros(4), (2, 2))
    assert np.array_equal(bare, signed_picture(np.zeros(4), (2, 2), outline=np.zeros(4)))
