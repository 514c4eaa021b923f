import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from neuralscope.charts import Figure, colors, describe_digit_map, digit_map, thumbnails


def some(**changes: Any) -> Figure:
    given: dict[str, Any] = {
        "index": [10, 11, 12, 13],
        "true": [0, 1, 2, 2],
        "predicted": [0, 2, 2, 2],
        "pictures": ["a", "b", "c", "d"],
        "reach": ((-1.0, 1.0), (-2.0, 2.0)),
        "class_names": ["zero", "one", "two"],
        **changes,
    }
    points = given.pop("points", [[0.0, 0.0], [0.5, 0.5], [5.0, -7.0], [np.nan, 0.0]])
    return digit_map(points, **given)


def test_each_dot_is_a_digit_with_its_class_and_answer() -> None:
    dots = some().tables["dots"].set_index("index")
    assert dots.loc[11, ["true", "predicted", "wrong", "picture"]].tolist() == [
        "one",
        "two",
        True,
        "b",
    ]
    assert not dots.loc[10, "wrong"]


def test_what_lies_beyond_is_drawn_at_the_edge_and_what_is_no_number_not_at_all() -> None:
    dots = some().tables["dots"].set_index("index")
    assert dots.loc[12, ["x", "y"]].tolist() == [1, -2]
    assert 13 not in dots.index


def test_the_axes_reach_as_far_as_they_are_told() -> None:
    corners = some().tables["corners"]
    assert corners.to_dict("list") == {"x": [-1, 1], "y": [-2, 2]}
    for layer in some().template["layer"]:
        assert layer["encoding"]["x"]["scale"] == {"nice": False, "zero": False}


def test_other_axes_keep_the_template() -> None:
    assert some().template is some(reach=((0.0, 1.0), (0.0, 1.0))).template


def test_wrong_ones_lie_on_top() -> None:
    assert some().tables["dots"]["index"].tolist() == [10, 12, 11]


def test_colours_are_those_of_the_digits_and_wrong_ones_are_ringed() -> None:
    dots = some().template["layer"][1]["encoding"]
    assert dots["fill"]["scale"] == {
        "domain": ["zero", "one", "two"],
        "range": list(colors.DIGITS[:3]),
    }
    assert dots["stroke"]["condition"] == {"test": "datum.wrong", "value": colors.WRONG}


def test_the_tooltip_shows_the_digit() -> None:
    tooltip = some().template["layer"][1]["encoding"]["tooltip"]
    # The name by which tooltips know that a field is a picture.
    assert tooltip[0]["title"] == "image"


def test_a_click_gives_back_the_index() -> None:
    (param,) = some().template["params"]
    assert (param["name"], param["select"]["fields"]) == ("dot", ["index"])


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="equally many"):
        some(pictures=["a"])


def test_a_thumbnail_is_the_digit_dark_on_white() -> None:
    digit = np.zeros((1, 6), np.uint8)
    digit[0, [1, 2]] = 16, 8
    (uri,) = thumbnails(digit, image_shape=(2, 3), pixel_max=16)
    file = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    pixels = np.asarray(Image.open(io.BytesIO(file)))
    assert pixels.shape == (2, 3)
    assert pixels[0].tolist()[:2] == [255, 0]
    assert 100 < pixels[0, 2] < 150


def test_thumbnails_are_small() -> None:
    rng = np.random.default_rng(0)
    ink = np.zeros((20, 28, 28))
    ink[:, 8:20, 10:18] = rng.random((20, 12, 8))  # as much ink as a digit has
    uris = thumbnails(ink.reshape(20, -1), image_shape=(28, 28), pixel_max=1)
    assert max(len(uri) for uri in uris) < 500


def test_the_map_in_words() -> None:
    assert describe_digit_map([True, True, False], noun="class") == (
        "3 examples as dots on a map, coloured by their true class; 2 read wrongly are ringed."
    )
