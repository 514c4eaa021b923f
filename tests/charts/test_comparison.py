"""Several runs in one picture."""

from __future__ import annotations

import doctest
import itertools
import json
from typing import Any

import numpy as np
import pytest

from neuralscope.charts import Figure, colors, comparison, saved_rows
from neuralscope.charts.comparison import (
    Curve,
    ParallelAxis,
    comparison_curves,
    describe_comparison,
    describe_parallel,
    difference_intervals,
    letter,
    parallel_coordinates,
)

EPOCHS = np.arange(1, 6)
RISING = np.array([0.5, 0.7, 0.8, 0.85, 0.9])


def curve(contestant: int = 0, y: Any = RISING, **more: Any) -> Curve:
    return Curve(contestant, EPOCHS[: len(y)], y, EPOCHS[: len(y)], **more)


def drawn(figure: Figure) -> dict[str, Any]:
    """Return the specification as a browser gets it; it must be valid, and use every table."""
    spec = figure.chart().to_dict(validate=True)
    json.dumps(spec, allow_nan=False)
    used = {layer["data"]["name"] for layer in spec["layer"]}
    # Streamlit fails on a table that no layer draws from.
    assert used == set(spec["datasets"]), "tables and layers do not match"
    return spec


def test_the_examples_in_the_docstrings_are_true() -> None:
    assert doctest.testmod(comparison).failed == 0


# Colours


def distance(one: str, other: str) -> float:
    """How far two colours are apart in OKLab, for normal vision."""
    a, b = (colors.oklab(colors.rgb(color)) for color in (one, other))
    return float(np.linalg.norm(a - b))


def test_ten_runs_can_be_told_apart() -> None:
    assert len(set(comparison.RUNS)) == 10
    for one, other in itertools.combinations(comparison.RUNS, 2):
        assert distance(one, other) > 0.1, (one, other)


def test_the_colours_of_runs_do_not_mean_anything_else() -> None:
    fixed = (colors.TRAIN, colors.VALIDATION, colors.RIGHT, colors.WRONG)
    for one, other in itertools.product(comparison.RUNS, fixed):
        assert distance(one, other) > 0.08, (one, other)
    assert not set(comparison.RUNS) & set(colors.DIGITS)


@pytest.mark.parametrize("background", [colors.LIGHT_BACKGROUND, colors.DARK_BACKGROUND])
def test_lines_stand_out_from_either_background(background: str) -> None:
    for color in (*comparison.RUNS, *comparison.OUTCOME):
        assert colors.contrast(colors.rgb(color), colors.rgb(background)) > 2.2, color


def test_a_better_result_is_lighter() -> None:
    luminance = [float(colors.luminance(colors.rgb(color))) for color in comparison.OUTCOME]
    assert luminance == sorted(luminance)


def test_contestants_have_letters_without_end() -> None:
    names = [letter(i) for i in range(1000)]
    assert names[:3] == ["A", "B", "C"] and names[24:28] == ["Y", "Z", "AA", "AB"]
    assert len(set(names)) == 1000
    assert comparison.color(10) == comparison.color(0)


# Curves


def test_each_contestant_has_a_line_and_its_letter_at_the_end() -> None:
    figure = comparison_curves([curve(0), curve(1, RISING / 2)], ["fast", "slow"])
    lines = figure.tables["lines"]
    assert lines.groupby("run")["y"].apply(list).to_dict() == {
        "A": RISING.tolist(),
        "B": (RISING / 2).tolist(),
    }
    ends = figure.tables["ends"].set_index("run")
    assert (ends.loc["A", "x"], ends.loc["A", "y"]) == (5, 0.9)
    spec = drawn(figure)
    color = next(
        each["encoding"]["color"] for each in spec["layer"] if each["mark"]["type"] == "line"
    )
    assert color["scale"] == {"domain": ["A", "B"], "range": list(comparison.RUNS[:2])}
    assert "slow" in color["legend"]["labelExpr"]


def test_seeds_are_a_mean_with_a_band_and_faint_lines() -> None:
    seeds = [(EPOCHS, RISING - 0.1), (EPOCHS, RISING + 0.1)]
    figure = comparison_curves(
        [curve(low=RISING - 0.1, high=RISING + 0.1, seeds=seeds)], ["two seeds"]
    )
    band = figure.tables["bands"]
    np.testing.assert_allclose(band["low"], RISING - 0.1)
    np.testing.assert_allclose(band["high"], RISING + 0.1)
    assert figure.tables["seeds"]["line"].nunique() == 2
    drawn(figure)


def test_training_is_dashed_beside_validation_and_has_no_letter_of_its_own() -> None:
    both = comparison_curves([curve(), curve(y=RISING + 0.05, split="Training")], ["a"])
    dashes = [each["encoding"].get("strokeDash") for each in drawn(both)["layer"]]
    assert [each["field"] for each in dashes if each] == ["split"]
    assert len(both.tables["ends"]) == 1 and both.tables["ends"]["y"].tolist() == [0.9]
    alone = comparison_curves([curve(split="Training")], ["a"])
    assert not any("strokeDash" in each["encoding"] for each in drawn(alone)["layer"])
    assert len(alone.tables["ends"]) == 1


def test_a_fork_has_a_ring_where_it_begins() -> None:
    figure = comparison_curves([curve(), curve(1, fork=(2.0, 0.7))], ["a", "b"])
    assert figure.tables["forks"].to_dict("records") == [{"x": 2.0, "y": 0.7, "run": "B"}]


def test_a_log_axis_shows_the_error_rate_and_clips_what_has_no_logarithm() -> None:
    figure = comparison_curves([curve(y=np.array([0.5, 0.9, 1.0]), fork=(1, 0.5))], ["a"], log=True)
    np.testing.assert_allclose(figure.tables["lines"]["y"], [0.5, 0.1, 0.05])
    assert figure.tables["forks"]["y"].tolist() == [0.5]
    loss = comparison_curves([curve(y=np.array([2.0, 0.5]))], ["a"], quantity="loss", log=True)
    np.testing.assert_allclose(loss.tables["lines"]["y"], [2.0, 0.5])


@pytest.mark.parametrize(
    ("seconds", "unit", "last"), [(50, "(s)", 50), (600, "(min)", 10), (9000, "(h)", 2.5)]
)
def test_time_has_the_unit_that_fits(seconds: float, unit: str, last: float) -> None:
    x = np.linspace(0, seconds, 5)
    figure = comparison_curves([Curve(0, x, RISING, EPOCHS)], ["a"], x_axis="time")
    assert figure.tables["lines"]["x"].iloc[-1] == pytest.approx(last)
    assert unit in json.dumps(drawn(figure))


def test_letters_of_lines_that_end_together_do_not_lie_on_each_other() -> None:
    curves = [curve(i, RISING + 0.001 * i) for i in range(5)]
    ends = comparison_curves(curves, list("abcde")).tables["ends"]
    pixels = ends["y"] * 250 - ends["dy"]  # of a whole training, the axis goes from 0 to 1
    assert np.diff(np.sort(pixels)).min() >= comparison.LETTER_HEIGHT - 1e-6
    # They stay within the plot, and around where they belong.
    assert pixels.between(0, 250).all()
    middle = comparison_curves([curve(i, RISING * 0.7 + 0.001 * i) for i in range(3)] + [curve(3)],
                               list("abcd")).tables["ends"]  # fmt: skip
    assert middle[middle["run"] == "B"]["dy"].abs().max() < 1
    # Far apart sideways, nothing has to move.
    early = comparison_curves([curve(0, RISING[:2]), curve(1, RISING * 0.78)], ["a", "b"])
    assert early.tables["ends"]["dy"].abs().max() < 1e-9


def test_more_than_a_legend_holds_have_letters_alone() -> None:
    spec = drawn(comparison_curves([curve(i) for i in range(30)], ["r"] * 30))
    colored = [each["encoding"]["color"] for each in spec["layer"] if "color" in each["encoding"]]
    assert {each["legend"] for each in colored} == {None}
    assert colored[0]["scale"]["domain"][-1] == "AD"


def test_a_long_run_is_thinned_but_ends_where_it_ends() -> None:
    n = 10_000
    x = np.arange(1, n + 1)
    figure = comparison_curves([Curve(i, x, x / n, x) for i in range(10)], ["r"] * 10)
    lines = figure.tables["lines"].groupby("run")["x"]
    assert lines.size().max() <= comparison.MOST_POINTS + 1
    assert lines.max().tolist() == [n] * 10
    assert len(figure.tables["hover"]) <= comparison.MOST_HOVER + 20


def test_no_spike_of_a_long_run_is_lost() -> None:
    n = 10_000
    x, y = np.arange(1, n + 1), np.full(n, 0.9)
    y[4_321] = 0.1  # epoch 4,322
    seeds = [(x, y), (x, y[::-1])]
    figure = comparison_curves([Curve(0, x, y, x, low=y, high=y, seeds=seeds)], ["a"])
    for name, value in (("lines", "y"), ("bands", "low")):
        table = figure.tables[name].set_index("x")
        assert table[value].idxmin() == 4_322
    lowest = figure.tables["seeds"].set_index("x").groupby("line")["y"].idxmin()
    assert lowest.tolist() == [4_322, n - 4_321]


def test_what_was_not_measured_leaves_a_hole() -> None:
    figure = comparison_curves([curve(y=np.array([0.5, np.nan, np.inf, 0.7]))], ["a"])
    assert figure.tables["lines"]["y"].isna().tolist() == [False, True, True, False]
    assert figure.tables["hover"]["value"].tolist()[1] == "not measured"
    drawn(figure)


def test_without_an_epoch_it_says_that_the_curves_are_to_come() -> None:
    figure = comparison_curves([], ["a", "b"])
    assert "after the first epoch" in figure.tables["empty"]["text"][0]
    assert figure.text == "No epoch is complete yet, so there is no accuracy to compare."
    drawn(figure)


def test_a_redraw_keeps_the_template() -> None:
    first = comparison_curves([curve(y=RISING[:3])], ["a"])
    assert comparison_curves([curve()], ["a"]).template is first.template
    assert comparison_curves([curve()], ["b"]).template is not first.template


def test_names_cannot_break_out_of_the_expression() -> None:
    spec = drawn(comparison_curves([curve()], ["\"; alert('x') //\\"]))
    color = next(
        each["encoding"]["color"] for each in spec["layer"] if each["mark"]["type"] == "line"
    )
    literal = color["legend"]["labelExpr"].removesuffix("[datum.label]")
    assert json.loads(literal) == {"A": "A · \"; alert('x') //\\"}


def test_saved_curves_have_a_row_for_each_epoch_of_each_run() -> None:
    figure = comparison_curves([curve(), curve(1, RISING[:2])], ["a", "b"], x_axis="step")
    rows = saved_rows(figure)
    assert rows.columns.tolist() == [
        *("Run", "Examples", "Epoch"),
        *("Training step (minibatches)", "Validation accuracy (share)"),
    ]
    assert rows["Run"].tolist() == ["A"] * 5 + ["B"] * 2


def test_the_curves_in_words() -> None:
    curves = [curve(), curve(1, RISING[:3]), curve(0, RISING, split="Training")]
    assert describe_comparison(curves, ["rate 0.1", "rate 1"]) == (
        "Validation accuracy of 2 contestants: A (rate 0.1) 90.00 % at epoch 5, "
        "B (rate 1) 80.00 % at epoch 3."
    )


# Parallel coordinates

AXES = [
    ParallelAxis("Rate", [0.0, 1.0, 0.5], [(0.0, "0.01"), (0.5, "0.1"), (1.0, "1")]),
    ParallelAxis("Momentum", [np.nan, 1.0, 0.0], [(0.0, "0"), (1.0, "0.9")]),
]


def test_a_run_is_a_line_through_its_settings_and_the_best_lies_on_top() -> None:
    figure = parallel_coordinates(AXES, ["a", "b", "c"], [0.8, 0.9, np.nan])
    lines = figure.tables["lines"]
    assert lines[lines["run"] == "b"]["y"].tolist() == [1.0, 1.0]
    assert lines[lines["run"] == "a"]["y"].isna().tolist() == [False, True]
    assert lines.groupby("run")["order"].first().sort_values().index.tolist() == ["c", "a", "b"]
    share = lines.groupby("run")["share"].first()
    assert (share["a"], share["b"]) == (0, 1) and np.isnan(share["c"])
    assert len(figure.tables["ticks"]) == 5
    drawn(figure)


def test_equal_results_have_one_colour() -> None:
    lines = parallel_coordinates(AXES, ["a", "b", "c"], [0.8, 0.8, 0.8]).tables["lines"]
    assert lines["share"].tolist() == [1.0] * 6


def test_the_settings_in_words() -> None:
    assert describe_parallel(["a", "b"], [0.9, np.nan]) == (
        "Settings of 2 runs, coloured by validation accuracy: too few have a result yet."
    )


# Intervals


def test_an_interval_has_its_mean_its_ends_and_a_dot_for_each_seed() -> None:
    figure = difference_intervals(
        ["A - B", "A - C"], [[0.01, 0.03], [0.02]], [0.02, 0.02], [-0.01, np.nan], [0.05, np.nan]
    )
    np.testing.assert_allclose(figure.tables["rows"]["low"], [-1, np.nan])
    np.testing.assert_allclose(figure.tables["dots"]["value"], [1, 3, 2])
    drawn(figure)
    assert figure.text == (
        "Paired differences. A - B: +2.00 points, interval -1.00 to +5.00; A - C: +2.00 points."
    )


@pytest.mark.parametrize("x_axis", ["epoch", "time"])
def test_zoomed_to_the_end_each_curve_keeps_its_later_half(x_axis: str) -> None:
    epochs = np.arange(21)
    y = 1 - 0.9 / (1 + epochs)
    long, short = Curve(0, epochs, y, epochs), Curve(1, epochs[:5], y[:5], epochs[:5])
    forked = Curve(2, epochs, y, epochs, fork=(0, 0.1), seeds=[(epochs, y)], low=y, high=y)
    labels = ["long", "short", "forked"]
    whole = comparison_curves([long, short, forked], labels, x_axis=x_axis)
    end = comparison_curves([long, short, forked], labels, x_axis=x_axis, zoomed=True)
    assert whole.tables["lines"]["y"].min() == pytest.approx(0.1), "the whole rise is there"
    first = end.tables["lines"].groupby("run")["x"].min()
    assert first.to_dict() == {"A": 10, "B": 2, "C": 10}
    for name in ("bands", "seeds", "hover"):
        assert end.tables[name].query("run == 'C'")["x"].min() == 10, name
    assert len(whole.tables["forks"]) == 1 and not len(end.tables["forks"])
    assert len(end.tables["ends"]) == 3
