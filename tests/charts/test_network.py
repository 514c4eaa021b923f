import numpy as np
import pytest

from neuralscope.charts import Figure, colors, describe_network, digit_tiles, network_sketch
from neuralscope.charts.network import HEIGHT, MOST_CIRCLES


def captions(figure: Figure) -> list[tuple[str, str]]:
    table = figure.tables["captions"]
    return list(zip(table["title"], table["detail"], strict=True))


def circles(figure: Figure, layer: int) -> int:
    return int((figure.tables["circles"]["x"] == layer).sum())


def test_layers_are_named_with_their_units_and_activations() -> None:
    times = "\N{MULTIPLICATION SIGN}"
    assert captions(network_sketch((784, 128, 10), ["relu"])) == [
        ("Input", f"28 {times} 28 pixels"),
        ("Hidden layer", "128 units, ReLU"),
        ("Output", "10 classes, softmax"),
    ]
    deep = network_sketch((12, 1200, 1, 2), ["tanh", "relu", "softmax"], image_shape=(3, 4))
    assert captions(deep) == [
        ("Input", f"3 {times} 4 pixels"),
        ("Hidden layer 1", "1,200 units, tanh"),
        ("Hidden layer 2", "1 unit, ReLU"),
        ("Output", "2 classes, softmax"),
    ]


@pytest.mark.parametrize("units", [1, 2, 12])
def test_a_small_layer_is_drawn_whole(units: int) -> None:
    figure = network_sketch((64, units, 10), ["relu"])
    assert circles(figure, 1) == units
    assert len(figure.tables["dots"]) == 0


@pytest.mark.parametrize("units", [13, 100_000])
def test_a_large_layer_is_capped_and_dotted(units: int) -> None:
    figure = network_sketch((64, units, 10), ["relu"])
    assert circles(figure, 1) <= MOST_CIRCLES
    assert figure.tables["dots"]["x"].tolist() == [1, 1, 1]
    units_shown = figure.tables["circles"].query("x == 1")["unit"].tolist()
    assert units_shown[0] == "0" and units_shown[-1] == str(units - 1)


def test_everything_lies_inside_a_low_chart() -> None:
    figure = network_sketch((64, 100_000, 12, 1, 10), ["relu"] * 3)
    assert figure.template["height"] == HEIGHT == 220
    for table in ("circles", "dots", "outputs"):
        assert figure.tables[table]["y"].between(6, 172).all(), table


def test_circles_of_a_layer_do_not_overlap() -> None:
    table = network_sketch((64, 11, 13, 10), ["relu", "relu"]).tables["circles"]
    for _, layer in table.groupby("x"):
        assert np.diff(layer["y"]).min() > 2 * layer["radius"].iloc[0]


def test_lines_join_each_shown_unit_of_neighbouring_layers() -> None:
    lines = network_sketch((64, 3, 10), ["relu"]).tables["lines"]
    assert (lines["x2"] == lines["x"] + 1).all()
    assert (lines["x"] == 1).sum() == 3 * 10
    assert (lines["x"] == 0).sum() == 5 * 3  # a fan that leaves the picture


def test_outputs_carry_the_class_names() -> None:
    figure = network_sketch((4, 3, 2), ["relu"], class_names=["no", "yes"])
    assert figure.tables["outputs"]["name"].tolist() == ["no", "yes"]
    assert network_sketch((4, 3, 2), ["relu"]).tables["outputs"]["name"].tolist() == ["0", "1"]


def test_weights_colour_the_lines() -> None:
    weights = [np.zeros((4, 2)), np.array([[1.0, -1.0], [0.1, np.nan]])]
    lines = network_sketch((4, 2, 2), ["relu"], weights=weights).tables["lines"]
    positive, negative, small, unknown = lines.query("x == 1").to_dict("records")
    assert positive["color"] == colors.DIVERGING[-2]
    assert negative["color"] == colors.DIVERGING[1]
    assert positive["opacity"] == negative["opacity"] > small["opacity"] > unknown["opacity"] > 0
    assert set(lines.query("x == 0")["color"]) == {colors.NEUTRAL}


def test_the_input_is_shown_as_a_picture() -> None:
    digit = np.eye(8) * 16
    figure = network_sketch((64, 10), ["softmax"], picture=digit, pixel_max=16)
    expected = digit_tiles(digit[None], pixel_max=16, size=168)
    assert figure.tables["picture"]["url"].tolist() == expected
    drawn = network_sketch((64, 10), ["softmax"]).tables["picture"]["url"][0]
    assert drawn.startswith("data:image/png") and drawn != expected[0]


def test_inputs_that_are_no_picture_are_circles() -> None:
    figure = network_sketch((30, 5, 2), ["relu"])
    assert len(figure.tables["picture"]) == 0
    assert circles(figure, 0) == 10
    assert captions(figure)[0] == ("Input", "30 values")
    weights = [np.ones((30, 5)), np.ones((5, 2))]
    coloured = network_sketch((30, 5, 2), ["relu"], weights=weights)
    assert set(coloured.tables["lines"]["color"]) == {colors.DIVERGING[-2]}


@pytest.mark.parametrize(
    ("sizes", "activations"),
    [((10,), []), ((4, 0, 2), ["relu"]), ((4, 3, 2), []), ((4, 2), ["relu", "softmax"])],
)
def test_what_is_no_network_is_refused(sizes: tuple[int, ...], activations: list[str]) -> None:
    with pytest.raises(ValueError, match="do not make a network"):
        network_sketch(sizes, activations)


def test_class_names_must_fit() -> None:
    with pytest.raises(ValueError, match="1 class names do not fit 2 outputs"):
        network_sketch((4, 2), ["softmax"], class_names=["a"])


@pytest.mark.parametrize(
    ("sizes", "activations", "text"),
    [
        (
            (784, 128, 64, 10),
            ["relu", "tanh"],
            "A network from 784 inputs through 128 ReLU units and 64 tanh units to 10 classes,"
            " with 109,386 parameters.",
        ),
        ((2, 2), ["softmax"], "A network from 2 inputs to 2 classes, with 6 parameters."),
    ],
)
def test_the_network_in_words(sizes: tuple[int, ...], activations: list[str], text: str) -> None:
    assert describe_network(sizes, activations) == text
    assert network_sketch(sizes, activations).text == text
