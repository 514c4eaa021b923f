import json
from math import ceil, floor
from types import SimpleNamespace

import altair as alt
import numpy as np
import pandas as pd
import pytest

from neuralscope.charts import (
    EpochPoints,
    Figure,
    confusion_matrix,
    gallery,
    learning_curves,
    network_sketch,
    thin,
)
from neuralscope.charts.figure import in_rows, table, template

POINTS = EpochPoints([1, 2], [1, 2], [9, 18], [2.3, np.nan], [2.2, 0.15])


def figures() -> dict[str, Figure]:
    return {
        "curves": learning_curves(
            POINTS,
            batches=thin(np.arange(50) / 25, np.ones(50), 10),
            marks=[(1, "paused")],
            smoothing=0.5,
        ),
        "confusion": confusion_matrix([[8, 2], [0, 9]]),
        "gallery": gallery(
            np.eye(8)[None], index=[3], true=[1], predicted=[7], confidence=[0.5], pixel_max=1
        ),
        "network": network_sketch((64, 16, 10), ["relu"]),
    }


@pytest.fixture(params=["curves", "confusion", "gallery", "network"])
def figure(request: pytest.FixtureRequest) -> Figure:
    return figures()[request.param]


def test_every_chart_is_valid_vega_lite_with_its_data(figure: Figure) -> None:
    spec = figure.chart().to_dict(validate=True)
    assert set(spec["datasets"]) == set(figure.tables)
    json.dumps(spec, allow_nan=False)


def names_of_data(spec: object) -> set[str]:
    if isinstance(spec, dict):
        own = {spec["data"]["name"]} if "data" in spec else set()
        return own.union(*(names_of_data(part) for part in spec.values()))
    if isinstance(spec, list):
        return set().union(*(names_of_data(part) for part in spec))
    return set()


def fields(spec: object) -> set[str]:
    if isinstance(spec, dict):
        own = {spec["field"]} if "field" in spec else set()
        return own.union(*(fields(part) for part in spec.values()))
    if isinstance(spec, list):
        return set().union(*(fields(part) for part in spec))
    return set()


def calculations(spec: object) -> list[dict[str, str]]:
    """Return what a chart works out for itself."""
    if isinstance(spec, dict):
        own = [step for step in spec.get("transform", []) if "calculate" in step]
        return [*own, *(step for part in spec.values() for step in calculations(part))]
    if isinstance(spec, list):
        return [step for part in spec for step in calculations(part)]
    return []


def test_the_template_refers_to_every_table_and_to_columns_that_exist(figure: Figure) -> None:
    assert names_of_data(dict(figure.template)) == set(figure.tables)
    columns = {column for frame in figure.tables.values() for column in frame.columns}
    columns |= {step["as"] for step in calculations(dict(figure.template))}
    assert fields(dict(figure.template)) <= columns


def test_the_template_is_the_same_object_at_every_redraw(figure: Figure) -> None:
    again = next(f for f in figures().values() if f.template.keys() and f.text == figure.text)
    assert again.template is figure.template


def test_no_redraw_can_change_the_template(figure: Figure) -> None:
    before = json.dumps(dict(figure.template))
    spec = figure.spec
    spec["datasets"] = {}
    spec["autosize"] = "none"
    figure.chart()
    assert json.dumps(dict(figure.template)) == before


def test_the_page_decides_on_the_theme(figure: Figure) -> None:
    assert "config" not in figure.template
    assert "background" not in figure.template
    assert "datasets" not in figure.template


def test_the_words_are_one_sentence(figure: Figure) -> None:
    assert figure.text.endswith(".")
    assert "\n" not in figure.text
    assert len(figure.text) < 200


def test_what_is_no_number_becomes_null(figure: Figure) -> None:
    rows = learning_curves(POINTS).chart().to_dict()["datasets"]["lines"]
    assert [row["value"] for row in rows] == [2.3, None, 2.2, 0.15]


@pytest.mark.parametrize(
    ("width", "n", "lengths"),
    [
        (358, 24, [3] * 8),  # a telephone
        (820, 24, [8] * 3),  # beside the menu of a laptop
        (1_460, 24, [12, 12]),  # 14 would fit: two equally long lines
        (820, 7, [7]),
        (820, 9, [5, 4]),
        (50, 2, [1, 1]),  # narrower than one of them
    ],
)
def test_tiles_stand_in_lines_as_long_as_the_width_allows(
    width: int, n: int, lengths: list[int]
) -> None:
    chart = in_rows("tiles", width=88, height=130, gap=14).mark_point()
    places = []
    for place in range(n):
        datum = SimpleNamespace(place=place, of=n)
        for step in calculations(chart.to_dict()):
            # The expression language and Python agree in all that stands here.
            names = {"datum": datum, "width": width, "floor": floor, "ceil": ceil, "max": max}
            setattr(datum, step["as"], eval(step["calculate"], names))
        places.append((datum.x, datum.y))
    assert [x for x, _ in places[: lengths[0]]] == [102 * column for column in range(lengths[0])]
    rows = [y for _, y in places]
    assert [rows.count(130 * line) for line in range(len(lengths))] == lengths
    assert max(x for x, _ in places) + 88 <= max(width, 88)


def test_template_validates_and_takes_top_level_properties() -> None:
    chart = alt.Chart(table("rows")).mark_point().encode(x="a:Q")
    spec = template(chart, autosize={"type": "pad"})
    assert spec["data"] == {"name": "rows"}
    assert spec["autosize"] == {"type": "pad"}
    figure = Figure(spec, {"rows": pd.DataFrame({"a": [1]})}, "One point.")
    assert figure.spec["datasets"]["rows"]["a"].tolist() == [1]
    with pytest.raises(alt.utils.schemapi.SchemaValidationError):
        template(alt.Chart(table("rows")).mark_point(size="huge"))


def test_a_mark_without_words_is_no_graphic_for_a_screen_reader() -> None:
    bars = alt.Chart(table("rows")).mark_bar().encode(x="x:Q", tooltip=["x:Q"])
    zero = alt.Chart(table("rows")).mark_rule().encode(x=alt.datum(0))
    names = alt.Chart(table("rows")).mark_text().encode(text="name:N")
    layers = template(alt.layer(bars, zero, names))["layer"]
    assert [layer["mark"].get("aria") for layer in layers] == [None, False, None]
