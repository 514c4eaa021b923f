from typing import Any

import numpy as np
import pytest

from neuralscope.charts import Figure, colors, describe_gallery, digit_tiles, gallery
from neuralscope.charts.figure import GROWS


def pictures(n: int, **changes: Any) -> Figure:
    given: dict[str, Any] = {
        "index": 100 + np.arange(n),
        "true": np.arange(n) % 10,
        "predicted": np.zeros(n, int),
        "confidence": np.linspace(0.5, 1, n),
        "pixel_max": 16,
        **changes,
    }
    return gallery(np.full((n, 8, 8), 16.0), **given)


def test_each_picture_has_its_thumbnail_caption_and_confidence() -> None:
    rows = pictures(2, true=[4, 7], predicted=[9, 7], confidence=[0.873, 1.0]).tables["pictures"]
    assert rows["caption"].tolist() == [
        "4 \N{RIGHTWARDS ARROW} 9",
        "7 \N{RIGHTWARDS ARROW} 7",
    ]
    assert rows["confidence"].tolist() == ["87 %", "100 %"]
    assert rows["color"].tolist() == [colors.WRONG, colors.RIGHT]
    assert rows["picture"].tolist() == digit_tiles(np.full((2, 8, 8), 16.0), pixel_max=16, size=168)


def test_certainty_is_never_claimed_where_there_is_none() -> None:
    rows = pictures(3, confidence=[0.9949, 0.99999999, np.nan]).tables["pictures"]
    assert rows["confidence"].tolist() == ["99 %", "99.99 %", "unknown"]


def test_pictures_keep_their_order_and_the_chart_grows_with_them() -> None:
    figure = pictures(7)
    assert figure.tables["pictures"]["place"].tolist() == list(range(7))
    assert (figure.tables["pictures"]["of"] == 7).all()
    assert figure.template["autosize"] == GROWS


def test_no_caption_is_wider_than_its_picture() -> None:
    rect, image, *captions = pictures(1).template["layer"]
    assert {layer["mark"]["limit"] for layer in captions} == {image["mark"]["width"] + 8}
    outside = rect["mark"]["width"] + rect["mark"]["strokeWidth"]
    assert outside == image["mark"]["width"] + 8  # so the outline of a chosen one lies inside too


def test_a_click_gives_back_the_index() -> None:
    figure = pictures(3)
    (param,) = figure.template["params"]
    assert param["name"] == "picture"
    assert param["select"] == {"type": "point", "fields": ["index"], "on": "click"}
    assert figure.tables["pictures"]["index"].tolist() == [100, 101, 102]


def test_what_is_not_selected_is_not_greyed_out() -> None:
    for layer in pictures(1).template["layer"]:
        assert "opacity" not in layer["encoding"]
        if layer["mark"]["type"] != "rect":
            assert "condition" not in str(layer["encoding"])


def test_the_tooltip_names_everything() -> None:
    for layer in pictures(1).template["layer"]:
        titles = [tooltip["title"] for tooltip in layer["encoding"]["tooltip"]]
        assert titles == ["Number", "True", "Predicted", "Confidence"]


def test_class_names_are_used() -> None:
    figure = pictures(1, true=[1], predicted=[0], class_names=["Coat", "Bag"])
    assert figure.tables["pictures"]["caption"][0] == "Bag \N{RIGHTWARDS ARROW} Coat"
    assert "Bag taken for Coat" in figure.text


def test_an_empty_gallery_is_a_chart() -> None:
    figure = pictures(0)
    assert len(figure.tables["pictures"]) == 0
    assert figure.text == "No digits to show."


def test_every_page_of_a_gallery_has_the_same_template() -> None:
    assert pictures(24).template is pictures(3).template


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="equally many"):
        pictures(3, true=[1, 2])


@pytest.mark.parametrize(
    ("true", "predicted", "confidence", "text"),
    [
        (
            [4, 7],
            [9, 7],
            [0.87, 1],
            "2 digits, 1 of them recognised wrongly; the first is a 4 taken for 9"
            " with 87 % confidence.",
        ),
        (
            [3],
            [3],
            [0.5],
            "1 digit, 0 of them recognised wrongly; the first is a 3 recognised"
            " with 50 % confidence.",
        ),
    ],
)
def test_the_gallery_in_words(true: list, predicted: list, confidence: list, text: str) -> None:
    assert describe_gallery(true, predicted, confidence) == text
