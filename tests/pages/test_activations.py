"""The Activations page in every state of a run, alone and inside the dashboard."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from neuralscope.data import load_dataset, scaled
from neuralscope.runs import Store, list_snapshots, load_snapshot
from neuralscope.ui import scrubber

ALONE = "pages/activations.py"
N_TEST = len(load_dataset("digits").y_test)

OpenPage = Callable[..., Any]


@pytest.fixture(params=["alone", "dashboard"])
def activations(request: pytest.FixtureRequest, open_page: OpenPage) -> OpenPage:
    """Open the page by itself, and from the dashboard's menu."""

    def activations(**query: str | None) -> Any:
        if request.param == "alone":
            return open_page(ALONE, dataset=None, **query)
        page = open_page(dataset=None, **query)
        page.app.switch_page(ALONE)
        for name, value in query.items():  # a new page starts with an empty address
            page.app.query_params[name] = value
        return page.look()

    return activations


@pytest.fixture
def alone(open_page: OpenPage) -> OpenPage:
    return lambda **query: open_page(ALONE, dataset=None, **query)


def tables(page: Any) -> set[str]:
    return set(page.charts())


# The states of a run


def test_without_a_run_it_says_what_to_do(activations: OpenPage) -> None:
    page = activations()
    assert page.says("No network has been trained yet")


def test_a_finished_run_opens_with_its_units(activations: OpenPage, runs: Any) -> None:
    runs.finished()
    page = activations()
    assert page.value("View") == "units"
    assert {"cells", "bars", "pictures"} <= tables(page)
    assert page.says(f"{N_TEST:,} test digits")
    assert page.value("Layer") == "1"


def test_a_running_one_is_followed(activations: OpenPage, runs: Any) -> None:
    run = runs.running(learned=1)
    page = activations(run=run.run_id)
    assert "cells" in tables(page)
    before = page.charts()["cells"]
    assert before.endswith("live")  # one constant sentence while it changes
    run.learn(2)
    assert page.look().charts()["cells"] == before


def test_one_snapshot_is_enough(activations: OpenPage, runs: Any) -> None:
    run = runs.running(learned=0)
    for view in ("units", "digit", "map"):
        page = activations(run=run.run_id, view=view)
        assert page.charts(), view


@pytest.mark.parametrize("view", ["units", "digit", "map"])
def test_a_diverged_run_is_shown_as_far_as_it_goes(alone: OpenPage, runs: Any, view: str) -> None:
    run = runs.diverged()
    assert alone(run=run.run_id, view=view).charts()


def test_a_run_deleted_meanwhile_is_said_in_a_sentence(
    activations: OpenPage, runs: Any, store: Store
) -> None:
    run = runs.finished()
    page = activations(run=run.run_id)
    store.delete(run.run_id)
    page.look()
    assert not page.charts()


@pytest.mark.parametrize("view", ["units", "digit", "map"])
def test_a_network_without_hidden_layers_has_logits_and_probabilities(
    alone: OpenPage, runs: Any, view: str
) -> None:
    run = runs.trained(hidden=(), epochs=1)
    page = alone(run=run.run_id, view=view)
    assert page.says("This network has no hidden layer")
    assert page.charts()
    if view == "units":
        assert page.value("Layer") == "logits"
        assert not page.says("held at zero")  # an answer cannot be missed like a unit


# Units


@pytest.fixture
def run(runs: Any) -> Any:
    return runs.trained(hidden=(12, 6), epochs=2)


def test_every_layer_can_be_chosen(alone: OpenPage, run: Any) -> None:
    page = alone()
    for layer in ("2", "logits", "probabilities", "1"):
        page.set("Layer", layer)
        assert "cells" in tables(page)
        assert page.query["layer"] == layer


def test_a_unit_is_opened_by_its_number_and_kept_in_the_address(alone: OpenPage, run: Any) -> None:
    page = alone()
    page.set("Unit", 5)
    assert "Unit 5 of hidden layer 1" in headings(page)
    assert page.query["unit"] == "5"


def headings(page: Any) -> list[str]:
    return [heading.value for heading in page.app.subheader]


def test_a_deep_link_opens_a_unit_of_a_layer(activations: OpenPage, run: Any) -> None:
    page = activations(run=run.run_id, layer="2", unit="3", split="validation")
    assert "Unit 3 of hidden layer 2" in headings(page)
    assert page.value("Digits") == "validation"
    assert page.query["layer"] == "2"


def test_another_layer_with_fewer_units_opens_one_of_its_own(alone: OpenPage, run: Any) -> None:
    page = alone(layer="1", unit="12")
    page.set("Layer", "2")
    assert 1 <= page.value("Unit") <= 6
    assert not page.said("warning")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"unit": "13"}, "unit is '13', but must be a whole number from 1 to 12."),
        ({"unit": "0"}, "unit is '0', but must be a whole number from 1 to 12."),
        ({"unit": "-1"}, "unit is '-1'"),
        ({"unit": "<b>"}, "unit is '<b>'"),
        ({"layer": "3"}, "layer is '3', but must be 1, 2, logits or probabilities."),
        ({"layer": "input"}, "layer is 'input'"),
        ({"view": "rubbish"}, "view is 'rubbish', but must be units, digit or map."),
        ({"split": "train"}, "split is 'train'"),
        ({"view": "digit", "digit": "99999999"}, "digit is '99999999', but must be a whole number"),
        ({"view": "map", "dot": "99999"}, "dot is '99999'"),
        ({"view": "map", "dots": "7"}, "dots is '7'"),
    ],
)
def test_rubbish_in_the_address_is_said_in_a_sentence(
    alone: OpenPage, run: Any, query: dict[str, str], sentence: str
) -> None:
    page = alone(**query)
    assert any(sentence in warning for warning in page.said("warning"))
    assert page.charts()
    # It is said until something is chosen.
    assert page.look().said("warning")
    assert not page.set("Digits", "validation").said("warning")


def test_what_is_lost_without_a_unit_is_said(alone: OpenPage, run: Any) -> None:
    page = alone(unit="1", layer="2")
    assert page.says("With its output held at zero the network reads")


def test_the_page_names_dead_units(alone: OpenPage, runs: Any, store: Store) -> None:
    # A learning rate this large throws some relu units below zero for good.
    run = runs.trained(hidden=(32,), epochs=2, learning_rate=1.0)
    data = load_dataset("digits")
    snapshot = load_snapshot(store, run.run_id, list_snapshots(store, run.run_id)[-1])
    network = snapshot.network(run.config, data.n_features, data.n_classes)
    hidden = network.activations(scaled(data.x_test, data.pixel_max))[0]
    dead = np.flatnonzero(hidden.max(axis=0) == 0) + 1
    assert 1 < len(dead) <= 12
    page = alone()
    assert page.says(f"**{len(dead)} of 32 units are dead**")
    assert page.says(f"Units {', '.join(map(str, dead))}.")


def test_saturation_is_spoken_of_where_there_are_ends(alone: OpenPage, runs: Any) -> None:
    runs.trained(hidden=(8,), epochs=1, activation="tanh")
    assert alone().says("saturated")


# One digit, and the map


def test_a_digit_can_be_chosen_or_left_to_chance(alone: OpenPage, run: Any) -> None:
    page = alone(view="digit", digit="3")
    number = next(label for label in page.labels() if label.startswith("Number"))
    assert page.value(number) == 3
    page.click("Any mistake")
    chosen = page.value(number)
    assert 0 <= chosen < N_TEST
    assert page.query["digit"] == str(chosen)
    page.click("Any digit")


def test_the_map_goes_through_all_layers(alone: OpenPage, run: Any) -> None:
    page = alone(view="map")
    for layer in ("input", "2", "logits", "probabilities"):
        page.set("Layer", layer)
        assert "corners" in tables(page) or "dots" in tables(page)
    assert page.says(f"all {N_TEST} test digits")


def test_the_axes_of_the_map_stand_still_between_epochs(alone: OpenPage, run: Any) -> None:
    at_epoch = {}
    for epoch in ("0", "1", "2"):
        page = alone(view="map", epoch=epoch)
        at_epoch[epoch] = {name: page_table(page, name) for name in ("corners", "dots")}
    corners = [at_epoch[epoch]["corners"] for epoch in at_epoch]
    assert corners[0].equals(corners[1]) and corners[1].equals(corners[2])
    moved = (
        at_epoch["0"]["dots"].set_index("index")["x"]
        - (at_epoch["2"]["dots"].set_index("index")["x"])
    )
    assert np.abs(moved).max() > 0


def page_table(page: Any, name: str) -> Any:
    for figure in page.app.get("vega_lite_chart"):
        for each in figure.proto.datasets:
            if each.name == name:
                return pa.ipc.open_stream(io.BytesIO(each.data.data)).read_pandas()
    raise AssertionError(f"no table {name!r}")


def test_it_plays_as_a_film(alone: OpenPage, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrubber, "FRAME_EVERY", 0.0)
    page = alone(view="map", epoch="0")
    page.click("Play")
    assert page.charts()
