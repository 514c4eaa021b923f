import json

import numpy as np
import pandas as pd
import pytest

from neuralscope.charts import (
    Figure,
    colors,
    confusion_change,
    confusion_matrix,
    describe_change,
    describe_confusion,
)

COUNTS = np.array([[90, 8, 2], [0, 100, 0], [1, 0, 49]])


def cells(figure: Figure) -> pd.DataFrame:
    return figure.tables["cells"].set_index(["true", "predicted"])


def layers(figure: Figure, mark: str) -> list[dict]:
    return [layer for layer in figure.template["layer"] if layer["mark"]["type"] == mark]


def test_rows_are_true_and_columns_predicted() -> None:
    figure = confusion_matrix(COUNTS)
    assert cells(figure).loc[(0, 1), "count"] == 8
    assert cells(figure).loc[(1, 0), "count"] == 0
    (rect,) = layers(figure, "rect")
    assert (rect["encoding"]["y"]["field"], rect["encoding"]["y"]["title"]) == (
        "true",
        "True digit",
    )
    assert (rect["encoding"]["x"]["field"], rect["encoding"]["x"]["title"]) == (
        "predicted",
        "Predicted digit",
    )


def test_the_true_class_can_have_another_name() -> None:
    (rect,) = layers(confusion_matrix(COUNTS, noun="class"), "rect")
    assert rect["encoding"]["y"]["title"] == "True class"


def test_a_click_selects_a_cell_by_class_numbers() -> None:
    (cell,) = confusion_matrix(COUNTS).template["params"]
    assert cell["name"] == "cell"
    assert cell["select"] == {"type": "point", "fields": ["true", "predicted"], "on": "click"}


def test_errors_stand_out_from_a_diagonal_a_hundred_times_larger() -> None:
    counts = np.diag([1000] * 10)
    counts[4, 9] = 9
    counts[3, 5] = 1
    table = cells(confusion_matrix(counts))
    assert table.loc[(4, 9), "fill"] == colors.WRONG
    assert table.loc[(4, 9), "opacity"] == pytest.approx(1)
    assert 0.2 < table.loc[(3, 5), "opacity"] < table.loc[(4, 9), "opacity"]
    assert table.loc[(4, 4), "fill"] == colors.RIGHT
    assert table.loc[(4, 4), "opacity"] <= 0.8
    assert table.loc[(0, 1), "fill"] == colors.NEUTRAL
    assert table.loc[(0, 1), "opacity"] < 0.1


@pytest.mark.parametrize(
    ("show", "diagonal", "error", "nothing"),
    [("count", "90", "8", ""), ("share", "90.0", "8.0", ""), ("errors", "", "8", "")],
)
def test_the_text_in_the_cells(show: str, diagonal: str, error: str, nothing: str) -> None:
    text = cells(confusion_matrix(COUNTS, show=show))["text"]
    assert [text[0, 0], text[0, 1], text[1, 0]] == [diagonal, error, nothing]


def test_errors_alone_leave_the_diagonal_blank() -> None:
    table = cells(confusion_matrix(COUNTS, show="errors"))
    assert set(table.loc[[(0, 0), (1, 1), (2, 2)], "fill"]) == {colors.NEUTRAL}


def test_shares_are_of_the_row() -> None:
    share = cells(confusion_matrix(COUNTS))["share"]
    assert share[0, 1] == pytest.approx(0.08)
    assert share[2, 0] == pytest.approx(0.02)
    assert share.groupby("true").sum().tolist() == pytest.approx([1, 1, 1])


def test_a_hundred_percent_means_all_and_zero_means_none() -> None:
    counts = np.array([[99_999, 1], [0, 5]])
    text = cells(confusion_matrix(counts, show="share"))["text"]
    assert text.tolist() == ["99.9", "<0.1", "", "100"]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "1"),
        (9_999, "9999"),
        (12_345, "12.3k"),
        (123_456, "123k"),
        (1_234_567, "1.2M"),
        (5_000_000_000, "5.0G"),
        (7 * 10**15, "7000T"),
    ],
)
def test_huge_counts_still_fit_into_a_cell(number: int, text: str) -> None:
    counts = np.array([[number, 0], [0, 0]])
    assert cells(confusion_matrix(counts))["text"].iloc[0] == text


@pytest.mark.parametrize("background", ["on_light", "on_dark"])
@pytest.mark.parametrize("show", ["count", "share", "errors"])
def test_text_is_legible_in_every_cell_in_both_themes(background: str, show: str) -> None:
    counts = np.arange(400).reshape(20, 20) + np.diag(np.arange(20) ** 3)
    table = confusion_matrix(counts, show=show).tables["cells"]
    page = colors.rgb(
        colors.LIGHT_BACKGROUND if background == "on_light" else colors.DARK_BACKGROUND
    )
    for row in table.to_dict("records"):
        seen = colors.rgb(row["fill"]) * row["opacity"] + page * (1 - row["opacity"])
        assert colors.contrast(colors.rgb(row[background]), seen) >= 4.5, row


def test_twenty_classes_are_labelled_and_more_are_not() -> None:
    assert layers(confusion_matrix(np.eye(20, dtype=int)), "text")
    large = confusion_matrix(np.eye(21, dtype=int))
    assert not layers(large, "text")
    assert "text" not in large.tables["cells"]


def test_all_zero_is_a_chart() -> None:
    figure = confusion_matrix(np.zeros((10, 10), int))
    table = figure.tables["cells"]
    assert (table["text"] == "").all()
    assert np.isfinite(table[["opacity", "share"]]).all(axis=None)
    assert figure.text == "No example has been classified yet."


def test_one_class_with_all_counts_leaves_no_share_undefined() -> None:
    counts = np.zeros((3, 3), int)
    counts[1, 1] = 1000
    table = cells(confusion_matrix(counts, show="share"))
    assert table.loc[(1, 1), "text"] == "100"
    assert np.isfinite(table["share"]).all()


@pytest.mark.parametrize("k", [2, 100])
def test_from_two_to_a_hundred_classes(k: int) -> None:
    figure = confusion_matrix(np.ones((k, k), dtype=np.uint16))
    assert len(figure.tables["cells"]) == k * k
    json.dumps(figure.template)


@pytest.mark.parametrize("k", [2, 10, 100, 600])
def test_cells_are_square_and_none_lies_beyond_the_width_there_is(k: int) -> None:
    (rect,) = layers(confusion_matrix(np.ones((k, k), dtype=np.uint16)), "rect")
    (x_start, x_end), (y_start, y_end) = (
        rect["encoding"][channel]["scale"]["range"] for channel in "xy"
    )
    assert x_start == y_start == 0
    assert x_end == y_end

    def side(width: int, height: int) -> float:
        expression = x_end["expr"]
        return float(eval(expression, {"min": min, "max": max}, {"width": width, "height": height}))

    assert side(270, 1) == min(270, 192 if k == 2 else 270)  # on a telephone
    assert side(1_000, 1) == (192 if k == 2 else pytest.approx(460, abs=60))
    assert side(1_000, 900) == 820  # filling the screen
    axis = rect["encoding"]["x"]["axis"]
    assert axis["offset"]["expr"] == f"{x_end['expr']} - height"  # below its last row


def test_class_names_are_on_the_axes_and_in_the_tooltip() -> None:
    names = ["T-shirt", 'a "quoted" one', "Ankle boot"]
    figure = confusion_matrix(COUNTS, class_names=names, noun="class")
    (rect,) = layers(figure, "rect")
    assert rect["encoding"]["y"]["axis"]["labelExpr"] == f"{json.dumps(names)}[datum.value]"
    assert cells(figure).loc[(0, 2), "predicted_name"] == "Ankle boot"
    titles = [tooltip["title"] for tooltip in rect["encoding"]["tooltip"]]
    assert titles == ["True class", "Predicted class", "How many", "Share of this true class"]


@pytest.mark.parametrize(
    "counts",
    [
        np.ones((2, 3), int),
        np.ones(4, int),
        np.ones((1, 1), int),
        np.array([[1, -1], [0, 0]]),
        np.ones((2, 2)) / 2,
    ],
)
def test_what_is_no_confusion_matrix_is_refused(counts: np.ndarray) -> None:
    with pytest.raises(ValueError, match="confusion matrix"):
        confusion_matrix(counts)


def test_names_must_fit() -> None:
    with pytest.raises(ValueError, match="2 class names do not fit 3 classes"):
        confusion_matrix(COUNTS, class_names=["a", "b"])


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        (
            COUNTS,
            "239 of 250 digits (95.60 %) recognised; most often confused: 0 taken for 1 (8 times).",
        ),
        ([[1, 0], [0, 1]], "2 of 2 digits (100.00 %) recognised, without any error."),
        (
            [[99_999, 1], [0, 99_999]],
            "199,998 of 199,999 digits (99.99 %) recognised; most often confused:"
            " 0 taken for 1 (1 time).",
        ),
    ],
)
def test_the_matrix_in_words(counts: object, text: str) -> None:
    assert describe_confusion(counts) == text
    assert confusion_matrix(counts).text == text


# The difference of two matrices

CHANGE = np.array([[5, -4, -1], [0, -2, 2], [0, 0, 0]])


def test_more_right_and_fewer_wrong_is_better() -> None:
    table = cells(confusion_change(CHANGE))
    assert table.loc[(0, 0), ["fill", "verdict", "change"]].tolist() == [
        colors.RIGHT,
        "better",
        "+5",
    ]
    assert table.loc[(0, 1), ["fill", "verdict", "change"]].tolist() == [
        colors.RIGHT,
        "better",
        "\N{MINUS SIGN}4",
    ]
    assert table.loc[(1, 1), ["fill", "verdict"]].tolist() == [colors.WRONG, "worse"]
    assert table.loc[(1, 2), ["fill", "verdict"]].tolist() == [colors.WRONG, "worse"]
    assert table.loc[(2, 2), ["fill", "verdict", "text"]].tolist() == [
        colors.NEUTRAL,
        "as before",
        "",
    ]


def test_the_larger_the_change_the_stronger_the_colour() -> None:
    opacity = cells(confusion_change(CHANGE))["opacity"]
    assert opacity[0, 0] == pytest.approx(1)
    assert opacity[0, 0] > opacity[0, 1] > opacity[1, 1] == opacity[1, 2] > opacity[0, 2]
    assert opacity[0, 2] > opacity[2, 2]


@pytest.mark.parametrize("background", ["on_light", "on_dark"])
def test_changes_are_legible_in_both_themes(background: str) -> None:
    table = confusion_change(np.arange(400).reshape(20, 20) - 200).tables["cells"]
    page = colors.rgb(
        colors.LIGHT_BACKGROUND if background == "on_light" else colors.DARK_BACKGROUND
    )
    for row in table.to_dict("records"):
        seen = colors.rgb(row["fill"]) * row["opacity"] + page * (1 - row["opacity"])
        assert colors.contrast(colors.rgb(row[background]), seen) >= 4.5, row


def test_a_change_cannot_be_clicked_and_keeps_its_template() -> None:
    figure = confusion_change(CHANGE)
    assert "params" not in figure.template
    assert figure.template is confusion_change(-CHANGE).template
    assert figure.template is not confusion_matrix(COUNTS).template
    json.dumps(figure.chart().to_dict(validate=True), allow_nan=False)
    titles = [tip["title"] for tip in layers(figure, "rect")[0]["encoding"]["tooltip"]]
    assert titles == ["True digit", "Predicted digit", "Change", "That is"]


@pytest.mark.parametrize("change", [np.zeros((2, 3), int), np.zeros(4, int), np.zeros((1, 1), int)])
def test_what_is_no_change_of_a_matrix_is_refused(change: np.ndarray) -> None:
    with pytest.raises(ValueError, match="changes of a confusion matrix"):
        confusion_change(change)


def test_names_of_changes_must_fit() -> None:
    with pytest.raises(ValueError, match="2 class names do not fit 3 classes"):
        confusion_change(CHANGE, class_names=["a", "b"])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            CHANGE,
            "3 digits more recognised; the largest change beside the diagonal: 0 taken for 1,"
            " 4 fewer.",
        ),
        (
            [[-1, 1], [0, 0]],
            "1 digit fewer recognised; the largest change beside the diagonal: 0 taken for 1,"
            " 1 more.",
        ),
        (
            [[1, -1], [1, -1]],
            "As many digits recognised; the largest change beside the diagonal: 0 taken for 1,"
            " 1 fewer.",
        ),
        ([[0, 0], [0, 0]], "The two confusion matrices are the same."),
    ],
)
def test_changes_in_words(change: object, text: str) -> None:
    assert describe_change(change) == text
    assert confusion_change(change).text == text
