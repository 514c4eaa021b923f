from typing import Any

import numpy as np
import pytest

from neuralscope.charts import (
    Figure,
    class_bars,
    colors,
    describe_class_bars,
    describe_unit_heat_map,
    describe_units,
    example_strip,
    unit_grid,
    unit_heat_map,
)

AMOUNT, BELOW, ABOVE = colors.SEQUENTIAL[3], colors.DIVERGING[1], colors.DIVERGING[5]


def layers(figure: Figure, mark: str) -> list[dict[str, Any]]:
    return [layer for layer in figure.template["layer"] if layer["mark"]["type"] == mark]


# One layer on one digit


def test_each_unit_is_a_square_that_lies_inside_the_grid() -> None:
    for n in (1, 10, 64, 512, 1_024):
        figure = unit_grid(np.ones(n))
        units = figure.tables["units"]
        assert units["unit"].tolist() == list(range(1, n + 1))
        assert len(set(zip(units["x"], units["y"], strict=True))) == n
        cell = figure.template["mark"]["width"] + 1
        assert units["x"].max() + cell <= figure.template["width"] <= 330  # fits a telephone
        assert units["y"].max() + cell <= figure.template["height"]


def test_the_shade_is_scaled_to_the_largest_of_the_layer() -> None:
    units = unit_grid([0, 1, 2, 4]).tables["units"]
    shade = units["shade"].to_numpy()
    assert shade[3] == 1
    assert shade[0] < shade[1] < shade[2] < shade[3]
    np.testing.assert_array_equal(shade, unit_grid([0, 10, 20, 40]).tables["units"]["shade"])


def test_amounts_have_one_colour_and_signed_values_two() -> None:
    assert unit_grid([0.0, 2.0]).tables["units"]["fill"].tolist() == [colors.NEUTRAL, AMOUNT]
    assert unit_grid([-1.0, 0.0, 2.0]).tables["units"]["fill"].tolist() == [
        BELOW,
        colors.NEUTRAL,
        ABOVE,
    ]


def test_a_layer_that_does_nothing_or_diverged_is_a_chart() -> None:
    assert unit_grid(np.zeros(5)).tables["units"]["shade"].nunique() == 1
    shade = unit_grid([np.nan, np.inf, -np.inf, 1.0]).tables["units"]["shade"]
    assert np.isfinite(shade).all()


def test_the_next_digit_keeps_the_template() -> None:
    assert unit_grid(np.ones(64)).template is unit_grid(-np.ones(64)).template
    assert class_bars([1, 2], title="A").template is class_bars([5, -2], title="A").template
    one, other = heat_map(np.eye(4, 3)), heat_map(-np.eye(4, 3), chosen=2)
    assert one.template is other.template


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([0.0, 2.0, 0.5], "L: 2 of 3 units are active, unit 2 the most with 2."),
        ([0.0, -3.0, 0.5], "L: 2 of 3 units are active, unit 2 the most with -3."),
        ([0.0, 0.0], "L: none of 2 units is active."),
    ],
)
def test_a_layer_in_words(values: list[float], text: str) -> None:
    assert describe_units(values, layer="L") == text
    assert unit_grid(values, layer="L").text == text


# Bars


def test_bars_have_the_colours_of_the_digits() -> None:
    figure = class_bars(np.arange(10), title="Logit")
    (bars,) = layers(figure, "bar")
    scale = bars["encoding"]["color"]["scale"]
    assert scale["domain"] == list(range(10))
    assert scale["range"] == list(colors.DIGITS)
    assert bars["encoding"]["x"]["title"] == "Logit"


def test_bars_leave_out_what_is_not_a_number() -> None:
    values = class_bars([1.0, np.inf, np.nan], title="A").tables["bars"]["value"]
    assert values.isna().tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([0.5, -2, 1.25], "A: highest for 2 (1.25), lowest for 1 (-2)."),
        ([1, 1], "A: 1 for all."),
        ([np.nan, np.nan], "A: no numbers."),
        ([np.nan, 1, 2], "A: highest for 2 (2), lowest for 1 (1)."),
    ],
)
def test_bars_in_words(values: list[float], text: str) -> None:
    assert describe_class_bars(values, title="A") == text


def test_more_classes_than_digits_have_bars_too() -> None:
    assert len(class_bars(np.arange(26), title="A").tables["bars"]) == 26


# The heat map


def heat_map(means: Any, **changes: Any) -> Figure:
    values = np.asarray(means, float)
    given: dict[str, Any] = {
        "order": np.arange(len(values)),
        "preferred": values.argmax(axis=1),
        **changes,
    }
    return unit_heat_map(values, **given)


def test_each_cell_holds_the_mean_of_its_unit_and_class() -> None:
    means = np.arange(12.0).reshape(4, 3)
    cells = heat_map(means, order=[2, 0, 3, 1]).tables["cells"]
    for cell in cells.to_dict("records"):
        assert cell["value"] == means[cell["unit"] - 1, cell["class"]]
        assert cell["name"] == str(cell["class"])
    by_place = cells.drop_duplicates("start").sort_values("start")
    assert by_place["unit"].tolist() == [3, 1, 4, 2]


def test_a_click_selects_a_unit_by_its_number() -> None:
    (param,) = heat_map(np.eye(3)).template["params"]
    assert (param["name"], param["select"]) == (
        "unit",
        {"type": "point", "fields": ["unit"], "on": "click"},
    )


def test_the_chosen_unit_is_outlined_where_it_stands() -> None:
    figure = heat_map(np.eye(4), order=[2, 0, 3, 1], chosen=3)
    assert figure.tables["chosen"].to_dict("records") == [{"start": 2, "end": 3}]
    assert len(heat_map(np.eye(4)).tables["chosen"]) == 0


def test_units_are_grouped_by_the_digit_they_prefer() -> None:
    groups = heat_map(np.eye(5, 3), order=[1, 0, 4, 2, 3], preferred=[0, 0, 2, -1, 0]).tables[
        "groups"
    ]
    assert groups[["start", "end", "name", "count"]].to_dict("records") == [
        {"start": 0, "end": 3, "name": "0", "count": 3},
        {"start": 3, "end": 4, "name": "2", "count": 1},
        {"start": 4, "end": 5, "name": "none", "count": 1},
    ]
    assert groups["fill"].tolist() == [colors.DIGITS[0], colors.DIGITS[2], colors.NEUTRAL]


def test_words_in_groups_are_legible() -> None:
    preferred = np.arange(10)
    groups = heat_map(np.eye(10), preferred=preferred).tables["groups"]
    for group in groups.to_dict("records"):
        assert colors.contrast(colors.rgb(group["fill"]), colors.rgb(group["ink"])) >= 4.5


def test_amounts_and_signed_means_are_told_apart() -> None:
    assert set(heat_map([[0.0, 2.0]]).tables["cells"]["sign"]) == {0, 2}
    assert heat_map([[-1.0, 2.0]]).tables["cells"]["sign"].tolist() == [-1, 1]


def test_what_diverged_is_a_chart() -> None:
    cells = heat_map(np.full((4, 3), np.nan), preferred=[-1] * 4).tables["cells"]
    assert np.isfinite(cells["shade"]).all()


def test_a_thousand_units_fit() -> None:
    figure = heat_map(np.random.default_rng(0).random((1_024, 10)))
    assert len(figure.tables["cells"]) == 10_240
    assert "width" not in figure.template  # as wide as the page


def test_the_heat_map_in_words() -> None:
    text = describe_unit_heat_map(np.eye(4, 2), preferred=[0, 1, 1, -1])
    assert text == (
        "Mean activation of 4 units on each of 2 classes; 1 prefers 0, 2 prefer 1, 1 prefers none."
    )


# The digits that excite a unit


def test_a_strip_names_true_class_and_activation() -> None:
    figure = example_strip(
        np.zeros((3, 64)),
        index=[7, 8, 9],
        true=[4, 2, 4],
        values=[1.0, 0.51234, 0.0],
        image_shape=(8, 8),
    )
    rows = figure.tables["pictures"]
    assert rows["index"].tolist() == [7, 8, 9]
    assert rows["name"].tolist() == ["4", "2", "4"]
    assert rows["value"].tolist() == ["1", "0.512", "0"]
    assert rows["place"].tolist() == [0, 1, 2]
    (param,) = figure.template["params"]
    assert (param["name"], param["select"]["fields"]) == ("picture", ["index"])
    assert figure.text == ("3 digits, the first a 4 with an activation of 1, the last a 4 with 0.")


def test_an_empty_strip_is_a_chart() -> None:
    empty = example_strip(np.zeros((0, 64)), index=[], true=[], values=[], image_shape=(8, 8))
    assert len(empty.tables["pictures"]) == 0
    assert empty.text == "No digits to show."
