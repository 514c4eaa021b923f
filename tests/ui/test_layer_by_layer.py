"""One digit on its way through networks of all shapes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from neuralscope.engine import Network


def page(sizes: tuple[int, ...], activation: object, live: bool, fill: float | None) -> None:
    import numpy as np
    import streamlit as st

    from neuralscope.engine import Network
    from neuralscope.ui import layer_by_layer

    network = Network(sizes, activation=activation, rng=np.random.default_rng(0))
    if fill is not None:
        network.parameters[:] = fill
    x = st.session_state.get("x", np.linspace(0, 1, 64))
    answer = layer_by_layer.show(
        network, x, image_shape=(8, 8), class_names=list("abc"), true=1, key="it", live=live
    )
    st.session_state["answer"] = answer


Show = Callable[..., AppTest]


@pytest.fixture
def show() -> Show:
    def show(
        *sizes: int, activation: Any = "relu", live: bool = False, fill: float | None = None
    ) -> AppTest:
        arguments = {"sizes": sizes, "activation": activation, "live": live, "fill": fill}
        app = AppTest.from_function(page, kwargs=arguments, default_timeout=20).run()
        assert not app.exception, app.exception[0].stack_trace
        return app

    return show


def titles(app: AppTest) -> list[str]:
    return [each.value.strip("*") for each in app.markdown]


def figures(app: AppTest) -> list[Any]:
    return [each.proto for each in app.get("vega_lite_chart")]


def test_the_eye_follows_input_layers_logits_probabilities(show: Show) -> None:
    app = show(64, 16, 8, 3, activation=("relu", "tanh"))
    assert titles(app) == [
        "Input",
        "Hidden layer 1",
        "Hidden layer 2",
        "Logits",
        "Probabilities",
    ]
    assert len(figures(app)) == 4


def test_without_a_hidden_layer_there_are_only_logits_and_probabilities(show: Show) -> None:
    assert titles(show(64, 3)) == ["Input", "Logits", "Probabilities"]


def test_it_returns_the_probabilities(show: Show) -> None:
    network = Network((64, 16, 3), rng=np.random.default_rng(0))
    expected = network.predict_proba(np.linspace(0, 1, 64)[None])[0]
    np.testing.assert_allclose(show(64, 16, 3).session_state["answer"], expected, rtol=1e-6)


def test_it_says_how_many_units_fire(show: Show) -> None:
    network = Network((64, 16, 3), rng=np.random.default_rng(0))
    (hidden, _) = network.activations(np.linspace(0, 1, 64)[None])
    said = [caption.value for caption in show(64, 16, 3).caption]
    assert f"{np.count_nonzero(hidden)} of 16 relu units fire, up to {hidden.max():.3g}." in said


def test_of_a_huge_layer_the_first_units_are_drawn(show: Show) -> None:
    app = show(64, 1_100, 3)
    assert any("The first 1,024 are drawn." in caption.value for caption in app.caption)


def test_the_text_says_what_is_seen_unless_it_is_live(show: Show) -> None:
    assert any("units are active" in figure.alt for figure in figures(show(64, 16, 3)))
    app = show(64, 16, 3, live=True)
    before = [(figure.spec, figure.alt) for figure in figures(app)]
    app.session_state["x"] = np.linspace(1, 0, 64)
    app.run()
    # Nothing but the numbers changes, so that the browser keeps its charts.
    assert [(figure.spec, figure.alt) for figure in figures(app)] == before


@pytest.mark.parametrize("fill", [np.nan, 1e38, 0.0])
def test_a_network_that_diverged_is_shown_as_such(show: Show, fill: float) -> None:
    app = show(64, 16, 16, 3, fill=fill)
    says = " ".join(caption.value for caption in app.caption)
    assert ("not a number any more" in says) == (fill != 0)
