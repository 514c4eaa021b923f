"""What is saved of a chart: its numbers, under the names that the chart gives them."""

from __future__ import annotations

from collections.abc import Callable

import altair as alt
import numpy as np
import pandas as pd
import pytest

from neuralscope import charts
from neuralscope.charts.comparison import Curve, comparison_curves
from neuralscope.charts.figure import Figure, table, template
from neuralscope.charts.saved import columns_saved

EVERY = np.arange(1, 4)


def curves(**options: object) -> Figure:
    points = charts.EpochPoints(
        EVERY, 60.0 * EVERY, 938 * EVERY, np.array([2.3, 0.5, 0.125]), np.array([2.2, 0.15, 0.2])
    )
    return charts.learning_curves(points, **options)  # type: ignore[arg-type]


def matrix() -> Figure:
    return charts.confusion_matrix(np.array([[9, 1], [2, 8]]), class_names=("no", "yes"))


def scores() -> Figure:
    quarter = np.array([0.25, np.nan])
    return charts.class_scores(quarter, 2 * quarter, 3 * quarter, np.array([1200, 34]))


def probabilities() -> Figure:
    return charts.probability_bars(np.array([0.98765, 0.01235]), class_names=("no", "yes"))


def points() -> Figure:
    return charts.digit_map(
        np.array([[0.5, -1.0], [0.0, 2.0]]),
        index=np.array([7, 3]),
        true=np.array([0, 1]),
        predicted=np.array([0, 0]),
        pictures=["data:image/png;base64,a", "data:image/png;base64,b"],
        reach=((-1.0, 1.0), (-2.0, 2.0)),
        class_names=("no", "yes"),
    )


SAVED: dict[str, tuple[Callable[[], Figure], dict[str, list[object]]]] = {
    "learning curves": (
        curves,
        {
            "Epoch": [1, 2, 3, 1, 2, 3],
            "Curve": ["Training"] * 3 + ["Validation"] * 3,
            "Loss": [2.3, 0.5, 0.125, 2.2, 0.15, 0.2],
        },
    ),
    "confusion matrix": (
        matrix,
        {
            "True digit": ["no", "no", "yes", "yes"],
            "Predicted digit": ["no", "yes", "no", "yes"],
            "How many": [9, 1, 2, 8],
            "Share of this true digit": [0.9, 0.1, 0.2, 0.8],
        },
    ),
    "curves of several runs": (
        lambda: comparison_curves(
            [Curve(0, EVERY, [0.5, 0.75, 0.875], EVERY)], ["My run"], quantity="accuracy"
        ),
        {
            "Run": ["A"] * 3,
            "Examples": ["Validation"] * 3,
            "Epoch": [1, 2, 3],
            "Validation accuracy (share)": [0.5, 0.75, 0.875],
        },
    ),
    "change of a confusion matrix": (
        lambda: charts.confusion_change(np.array([[1200, 0], [-3, 3]]), class_names=("no", "yes")),
        {
            "True digit": ["no", "no", "yes", "yes"],
            "Predicted digit": ["no", "yes", "no", "yes"],
            "Change": [1200, 0, -3, 3],
            "That is": ["better", "as before", "better", "better"],
        },
    ),
    "scores, once for each class": (
        scores,
        {
            "Digit": [0, 1],
            "Precision (%)": [25.0, np.nan],
            "Recall (%)": [50.0, np.nan],
            "F1 (%)": [75.0, np.nan],
            "How many": [1200, 34],
        },
    ),
    "probabilities, unrounded": (
        probabilities,
        {"Answer": ["no", "yes"], "Probability": [0.98765, 0.01235]},
    ),
    "map": (
        points,
        {
            "Number": [7, 3],
            "True": ["no", "yes"],
            "Answer": ["no", "no"],
            "First direction": [0.5, 0.0],
            "Second direction": [-1.0, 2.0],
        },
    ),
}


@pytest.mark.parametrize(("build", "expected"), SAVED.values(), ids=SAVED)
def test_the_data_is_saved_under_readable_names(
    build: Callable[[], Figure], expected: dict[str, list[object]]
) -> None:
    saved = charts.saved_rows(build())
    wanted = pd.DataFrame(expected)
    # The order of rows is the chart's own.
    keys = list(wanted.columns[:2])
    pd.testing.assert_frame_equal(
        saved.sort_values(keys, ignore_index=True),
        wanted.sort_values(keys, ignore_index=True),
        check_dtype=False,
    )


def test_smoothed_curves_are_saved_with_the_raw_ones() -> None:
    saved = charts.saved_rows(curves(smoothing=0.5))
    assert saved["Loss, before smoothing"].tolist() == [2.3, 0.5, 0.125, 2.2, 0.15, 0.2]
    assert saved["Loss"].tolist() != saved["Loss, before smoothing"].tolist()


def test_an_axis_names_a_column_where_no_tooltip_does() -> None:
    chart = alt.Chart(table("rows")).mark_bar().encode(x=alt.X("a:Q", title="Epoch"), y="b:Q")
    figure = Figure(template(chart), {"rows": pd.DataFrame({"a": [1], "b": [2]})}, "")
    pd.testing.assert_frame_equal(charts.saved_rows(figure), pd.DataFrame({"Epoch": [1]}))


def test_a_chart_without_words_saves_nothing_rather_than_failing() -> None:
    chart = alt.Chart(table("rows")).mark_bar().encode(x=alt.X("a:Q", title=None))
    figure = Figure(template(chart), {"rows": pd.DataFrame({"a": [1]})}, "")
    assert charts.saved_rows(figure).empty


def test_a_builder_can_say_what_is_saved() -> None:
    chart = alt.Chart(table("rows")).mark_bar().encode(x=alt.X("a:Q", title="Epoch"))
    said = template(chart, usermeta=columns_saved("rows", {"b": "B", "a": "A"}))
    figure = Figure(said, {"rows": pd.DataFrame({"a": [1], "b": [2]})}, "")
    pd.testing.assert_frame_equal(charts.saved_rows(figure), pd.DataFrame({"B": [2], "A": [1]}))


def test_numbers_for_people_become_numbers_and_other_text_stays() -> None:
    written = pd.DataFrame(
        {
            "Change": ["+5", "\N{MINUS SIGN}1,204"],
            "Share": ["98.5\N{NO-BREAK SPACE}%", "-"],
            "Rate": ["1e-06", "0.5"],
            "Said": ["<0.1 %", "3 %"],
            "Empty": ["", ""],
        }
    )
    expected = pd.DataFrame(
        {
            "Change": [5, -1204],
            "Share (%)": [98.5, np.nan],
            "Rate": [1e-6, 0.5],
            "Said": ["<0.1 %", "3 %"],
            "Empty": ["", ""],
        }
    )
    pd.testing.assert_frame_equal(charts.readable(written), expected)


FORMULAS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\N{FULLWIDTH EQUALS SIGN}1",
    '=HYPERLINK("//x")',
]
TEXTS = ["my run", "-", "", "'quoted'", "1-2", "a=b", "–5", "'=1"]
NUMBERS = ["-0.5", "+3", "-1e-05", "-1,234.5", "12"]


@pytest.mark.parametrize("guard", ["'", "\N{WORD JOINER}"])
def test_no_cell_and_no_heading_is_a_formula_and_all_come_back(guard: str) -> None:
    texts = [*FORMULAS, *TEXTS, *NUMBERS]
    rows = pd.DataFrame({"text": texts, "=many": [[each] for each in texts], "n": -1.5})
    safe = charts.harmless(rows, guard)
    for cell in [
        *safe["text"],
        *safe.columns,
        *(cell for cells in safe.iloc[:, 1] for cell in cells),
    ]:
        assert cell in TEXTS + NUMBERS + ["text", "n"] or cell.startswith(guard)
    assert list(safe["text"])[-len(NUMBERS) :] == NUMBERS
    assert [cell.removeprefix(guard) for cell in safe["text"]] == texts
    assert safe["n"].tolist() == rows["n"].tolist()


def test_a_table_with_two_columns_of_one_name_stays_one() -> None:
    rows = pd.DataFrame([["=a", 1, "-b"]], columns=["run", "run", "run"])
    assert charts.harmless(rows).to_numpy().tolist() == [["'=a", 1, "'-b"]]
