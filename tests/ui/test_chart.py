"""Every chart and every table of the dashboard is drawn in one place, from which it is saved."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from neuralscope.ui import chart
from neuralscope.ui.saving import MOST_KEPT

CHECKOUT = Path(__file__).parents[2]
SOURCES = sorted([*(CHECKOUT / "pages").glob("*.py"), *(CHECKOUT / "neuralscope/ui").glob("*.py")])
CHARTS = {
    *("vega_lite_chart", "altair_chart", "line_chart", "bar_chart", "area_chart", "scatter_chart"),
    *("pyplot", "plotly_chart", "graphviz_chart", "dataframe", "data_editor"),
}
PLACES = {"chart.py", "saving.py"}


def drawn(source: Path) -> Iterator[str]:
    """Find where a module draws by itself, as 'file:line'."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Attribute):
            continue
        is_of_streamlit = isinstance(node.value, ast.Name) and node.value.id == "st"
        if node.attr in CHARTS or (node.attr == "table" and is_of_streamlit):
            yield f"{source.name}:{node.lineno}"


def test_no_page_draws_a_chart_or_a_table_past_it() -> None:
    found = [line for source in SOURCES if source.name not in PLACES for line in drawn(source)]
    assert found == []


def test_such_a_call_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.py"
    page.write_text("left.vega_lite_chart(spec=x)\nchart.table(rows)\nst.table(rows)\n")
    assert list(drawn(page)) == ["page.py:1", "page.py:3"]


def page(calls: list, is_active: bool) -> None:  # type: ignore[type-arg]
    from types import SimpleNamespace

    import numpy as np
    import pandas as pd

    from neuralscope import charts
    from neuralscope.ui import chart

    run = SimpleNamespace(name="My run", epoch=7, is_active=is_active)
    figure = charts.probability_bars(np.array([0.75, 0.25]), class_names=("no", "yes"))
    for call in calls:
        whose = run if call.pop("is_of_run", True) else None
        chart.draw(figure, "Probabilities", of=whose, **call)
    chart.table(pd.DataFrame({"a": [1]}), "Numbers", key="table", of=run)


def show(*calls: dict[str, Any], is_active: bool = False) -> AppTest:
    arguments = {"calls": list(calls), "is_active": is_active}
    app = AppTest.from_function(page, kwargs=arguments, default_timeout=20).run()
    assert not app.exception, app.exception[0].stack_trace
    return app


def alts(app: AppTest) -> list[str]:
    return [each.proto.alt for each in app.get("vega_lite_chart")]


def names(app: AppTest) -> dict[str, tuple[str, ...]]:
    return {key: shown.names for key, shown in app.session_state["saving_kept"].items()}


def test_words_stand_in_for_a_chart_and_stay_the_same_while_it_moves() -> None:
    assert "75 %" in alts(show({"key": "a"}))[0]
    assert alts(show({"key": "a"}, is_active=True)) == ["Probabilities, live"]
    assert alts(show({"key": "a", "live": True})) == ["Probabilities, live"]
    assert "75 %" in alts(show({"key": "a", "live": False}, is_active=True))[0]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ({}, ("My run", "Probabilities", "epoch 7")),
        ({"when": "epoch 3"}, ("My run", "Probabilities", "epoch 3")),
        ({"is_of_run": False}, ("", "Probabilities", "")),
    ],
)
def test_a_chart_is_kept_with_what_names_its_file(
    call: dict[str, Any], expected: tuple[str, ...]
) -> None:
    assert names(show({"key": "a", **call}))["a"] == expected


def test_a_table_is_kept_too() -> None:
    assert names(show())["table"] == ("My run", "Numbers", "epoch 7")


def test_only_the_latest_are_kept() -> None:
    kept = names(show(*({"key": f"chart {n}"} for n in range(MOST_KEPT + 5))))
    assert len(kept) == MOST_KEPT
    assert "table" in kept
    assert "chart 0" not in kept


def entered() -> None:
    import numpy as np

    from neuralscope import charts
    from neuralscope.ui import chart, saving

    saving.offer()
    chart.draw(charts.class_bars(np.array([1.0]), title="Logit"), "Bars", key="bars")


def test_what_another_page_showed_is_forgotten() -> None:
    app = AppTest.from_function(entered, default_timeout=20)
    app.session_state["saving_kept"] = {"old": object()}
    app.run()
    assert not app.exception
    assert list(names(app)) == ["bars"]


def test_what_streamlit_lets_download_holds_no_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[pd.DataFrame] = []
    monkeypatch.setattr(st, "dataframe", lambda rows, **_: drawn.append(rows))
    chart.grid(pd.DataFrame({"Run": ["=1+1"], "+Best": [-0.5]}))
    assert drawn[0].to_csv(index=False) == "Run,\u2060+Best\n\u2060=1+1,-0.5\n"
