"""The Mistakes page, with runs in every state, alone and from the dashboard."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.testing.v1 import AppTest

from neuralscope.data import Dataset, load_dataset, scaled
from neuralscope.runs import FINISHED, Run, list_snapshots, load_snapshot
from neuralscope.ui import explanation, resources
from neuralscope.ui.moment import Moment

if TYPE_CHECKING:
    from tests.pages.conftest import Page, Runs

Open = Callable[..., "Page"]

ENTRIES = ("dashboard.py", "pages/mistakes.py")
DEADLINE = 20.0


@pytest.fixture
def open_mistakes(open_page: Open) -> Open:
    """Open the page with an address of its own."""

    def open_mistakes(entry: str = "pages/mistakes.py", **query: str) -> Page:
        page = open_page(entry, dataset=None, **query)
        if entry == "dashboard.py":
            page.app.switch_page("pages/mistakes.py")
            page.look()
        return page

    return open_mistakes


@pytest.fixture
def finished(runs: Runs) -> Run:
    run = runs.trained(epochs=5, hidden=(12,))
    assert run.status == FINISHED
    return run


@pytest.fixture
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture
def click(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Page, int], Page]]:
    """Click a thumbnail, which the simulated browser cannot do by itself."""
    made: list[WidgetState] = []
    run = AppTest._run

    def run_with_clicks(app: AppTest, states: WidgetStates | None = None, **options: Any) -> Any:
        states = states or WidgetStates()
        states.widgets.extend(made)
        made.clear()
        return run(app, states, **options)

    monkeypatch.setattr(AppTest, "_run", run_with_clicks)

    def click(page: Page, index: int) -> Page:
        [chart] = [each for each in charts(page) if each.id.endswith("-mistakes_gallery")]
        value = json.dumps({"selection": {"picture": [{"index": index}]}})
        made.append(WidgetState(id=chart.id, string_value=value))
        return page.look()

    yield click


def charts(page: Page) -> list[Any]:
    return [each.proto for each in page.app.get("vega_lite_chart")]


def table(page: Page, name: str) -> pd.DataFrame:
    [data] = [
        each.data.data for chart in charts(page) for each in chart.datasets if each.name == name
    ]
    return pa.ipc.open_stream(io.BytesIO(data)).read_pandas()


def shown(page: Page) -> list[int]:
    """Return the digits in the gallery."""
    return list(table(page, "pictures")["index"])


def headline(page: Page) -> str:
    """Return the title of the card, or nothing where none is open."""
    return str(page.app.header[0].value) if page.app.header else ""


def sections(page: Page) -> list[str]:
    return [str(each.value) for each in page.app.subheader]


def wait_for(page: Page, what: str) -> None:
    """Look again until what is computed in the background is there."""
    deadline = time.monotonic() + DEADLINE
    while not page.says(what):
        assert time.monotonic() < deadline, f"{what!r} never came: {page.said()}"
        time.sleep(0.05)
        page.look()


def answers(run: Run, digits: Dataset, split: str = "validation", name: str = "") -> np.ndarray:
    """Return the probabilities of a snapshot, computed here."""
    infos = list_snapshots(resources.store(), run.run_id)
    info = next((each for each in infos if each.name == name), infos[-1])
    snapshot = load_snapshot(resources.store(), run.run_id, info)
    network = snapshot.network(run.config, digits.n_features, digits.n_classes)
    return network.predict_proba(scaled(getattr(digits, f"x_{split}"), digits.pixel_max))


def histories(run: Run) -> np.ndarray:
    """Return the answers of the trained snapshots on the validation set, (snapshots, n)."""
    store = resources.store()
    return np.stack(
        [
            load_snapshot(store, run.run_id, info).validation_predictions
            for info in list_snapshots(store, run.run_id)
            if info.step
        ]
    )


# In every state


@pytest.mark.parametrize("entry", ENTRIES)
def test_without_a_run_it_says_what_to_do(entry: str, open_mistakes: Open) -> None:
    page = open_mistakes(entry)
    assert [title.value for title in page.app.title] == ["Mistakes"]
    assert page.says("No network has been trained yet")
    assert not charts(page)


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_finished_run_shows_its_wrong_digits(
    entry: str, finished: Run, digits: Dataset, open_mistakes: Open
) -> None:
    page = open_mistakes(entry, run=finished.run_id)
    probabilities = answers(finished, digits)
    labels = digits.y_validation
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    by_loss = sorted(wrong, key=lambda i: probabilities[i, labels[i]])
    assert shown(page) == by_loss[:24]
    assert page.says(f"of the {len(labels)} validation digits {len(wrong)} are wrong now")


def test_an_untrained_network_has_mistakes_but_no_history(runs: Runs, open_mistakes: Open) -> None:
    run = runs.queued().start()
    page = open_mistakes(run=run.run_id)
    assert shown(page)
    page.set("Kind", "forgotten")
    assert page.says("Nothing has been learned yet")
    assert not charts(page)


def test_a_running_run_is_followed(runs: Runs, open_mistakes: Open) -> None:
    run = runs.running(learned=1)
    page = open_mistakes(run=run.run_id)
    alts = [chart.alt for chart in charts(page)]
    before = table(page, "pictures")
    run.learn(4)
    page.look()
    # The same words, so that the browser keeps its chart; other digits.
    assert [chart.alt for chart in charts(page)] == alts
    assert not table(page, "pictures").equals(before)
    assert page.says("epoch 4")


def test_a_card_stays_open_while_a_run_goes_on(runs: Runs, open_mistakes: Open) -> None:
    run = runs.running(learned=1)
    page = open_mistakes(run=run.run_id, digit="3", of="validation")
    assert len(table(page, "cells")) == 2
    run.learn(3)
    page.look()
    assert len(table(page, "cells")) == 4
    assert page.query["digit"] == "3"


def test_a_run_that_diverged_shows_what_was_kept(runs: Runs, open_mistakes: Open) -> None:
    run = runs.diverged()
    page = open_mistakes(run=run.run_id)
    assert shown(page)
    page = open_mistakes(run=run.run_id, digit=str(shown(page)[0]))
    assert headline(page)


def test_a_run_deleted_meanwhile_is_told(finished: Run, runs: Runs, open_mistakes: Open) -> None:
    page = open_mistakes(run=finished.run_id, digit="0")
    runs.store.delete(finished.run_id)
    page.look()
    assert page.said("warning", "info")
    assert not charts(page)


def test_a_network_without_mistakes_is_praised(
    finished: Run, open_mistakes: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def perfect(moment: Moment, split: str) -> np.ndarray:
        return np.eye(10, dtype=np.float32)[moment.labels(split)]

    monkeypatch.setattr(Moment, "probabilities", perfect)
    page = open_mistakes(run=finished.run_id)
    n = len(load_dataset("digits").y_validation)
    assert page.says(f"Nothing: all {n} validation digits are read right")
    assert not charts(page)
    page.set("Digits of", "test")
    assert page.says("test digits are read right")


# Choosing


def test_the_test_set_has_mistakes_too(finished: Run, digits: Dataset, open_mistakes: Open) -> None:
    page = open_mistakes(run=finished.run_id).set("Digits of", "test")
    wrong = np.flatnonzero(answers(finished, digits, "test").argmax(axis=1) != digits.y_test)
    assert set(shown(page)) <= set(wrong)
    assert page.says(f"{len(wrong)} are wrong now")
    assert page.query["of"] == "test"
    page.set("Kind", "never")
    assert page.says("answers to the validation digits only")


def test_conditions_narrow_the_choice(finished: Run, digits: Dataset, open_mistakes: Open) -> None:
    page = open_mistakes(run=finished.run_id)
    first = table(page, "pictures").iloc[0]
    page.set("True digit", int(first["true"])).set("Answered", int(first["predicted"]))
    pictures = table(page, "pictures")
    assert set(pictures["true"]) == {first["true"]}
    assert set(pictures["predicted"]) == {first["predicted"]}
    assert page.query["true"] == first["true"]
    probabilities = answers(finished, digits)
    predicted = probabilities.argmax(axis=1)
    expected = (digits.y_validation == int(first["true"])) & (predicted == int(first["predicted"]))
    assert sorted(pictures["index"]) == np.flatnonzero(expected).tolist()


def test_confidence_is_limited_on_both_sides(
    finished: Run, digits: Dataset, open_mistakes: Open
) -> None:
    page = open_mistakes(run=finished.run_id).set("Confidence", (30, 50))
    probabilities = answers(finished, digits)
    wrong = probabilities.argmax(axis=1) != digits.y_validation
    sure = probabilities.max(axis=1).astype(np.float64)
    expected = np.flatnonzero(wrong & (sure >= 0.3) & (sure <= 0.5))
    assert page.says(f"of {len(expected)}**")
    page.set("Confidence", (0, 1))
    assert page.says("None")
    assert not charts(page)


def test_the_order_can_be_chosen(finished: Run, digits: Dataset, open_mistakes: Open) -> None:
    page = open_mistakes(run=finished.run_id).set("Order", "confidence")
    sure = answers(finished, digits).max(axis=1)
    assert list(-sure[shown(page)]) == sorted(-sure[shown(page)])


def test_the_forgotten_and_the_never_learned_are_all_the_wrong(
    finished: Run, digits: Dataset, open_mistakes: Open
) -> None:
    history, labels = histories(finished), digits.y_validation
    wrong = answers(finished, digits).argmax(axis=1) != labels
    once = (history == labels).any(axis=0)
    page = open_mistakes(run=finished.run_id).set("Kind", "never")
    assert page.says(f"of {int((wrong & ~once).sum())}**")
    page = open_mistakes(run=finished.run_id, kind="forgotten")
    n_forgotten = int((wrong & once).sum())
    assert page.says(f"of {n_forgotten}**" if n_forgotten else "None")


def test_history_is_told_up_to_the_moment_shown(
    finished: Run, digits: Dataset, open_mistakes: Open
) -> None:
    # At the first epoch nothing can have been forgotten yet.
    page = open_mistakes(run=finished.run_id, epoch="1", kind="forgotten")
    assert page.says("None")
    page = open_mistakes(run=finished.run_id, epoch="2", kind="labels")
    assert page.says("None")  # and two epochs are too few to suspect a label


def test_suspicious_labels_are_those_that_nearly_all_epochs_deny(
    finished: Run, digits: Dataset, open_mistakes: Open
) -> None:
    page = open_mistakes(run=finished.run_id, kind="labels")
    predicted = answers(finished, digits).argmax(axis=1)
    share = (histories(finished) == predicted).mean(axis=0)
    expected = np.flatnonzero((predicted != digits.y_validation) & (share >= 0.8))
    assert len(expected)
    assert set(shown(page)) <= set(expected)
    assert page.says(f"of {len(expected)}**")
    assert page.says("At least 80 % of the snapshots")
    assert "Order" not in page.labels()


# Turning pages


def test_pages_are_turned(runs: Runs, open_mistakes: Open) -> None:
    run = runs.queued().start()  # an untrained network is wrong often enough
    page = open_mistakes(run=run.run_id)
    first = shown(page)
    assert page.control("Previous page").disabled
    page.click("Next page")
    assert not set(shown(page)) & set(first)
    assert page.says("Showing **25 to 48 of")
    assert [each.value for each in page.app.get("pagination")] == [2]
    page.click("Previous page")
    assert shown(page) == first
    page.click("Next page").set("True digit", 3)
    assert page.says("Showing **1 to")  # another choice begins at its beginning


def test_a_page_is_jumped_to(runs: Runs, open_mistakes: Open) -> None:
    page = open_mistakes(run=runs.queued().start().run_id)
    page.app.get("pagination")[0].set_value(3)
    page.look()
    assert page.says("Showing **49 to 72 of")


def test_page_numbers_that_a_busy_browser_sends_back_late_turn_to_nothing(
    runs: Runs, open_mistakes: Open
) -> None:
    page = open_mistakes(run=runs.queued().start().run_id)
    numbers = page.app.get("pagination")[0]
    numbers.set_value(3)
    late = numbers._widget_state
    page.look()
    page.click("Previous page")
    page.send_back(late)
    assert page.says("Showing **25 to 48 of")


def test_few_mistakes_need_no_pages(finished: Run, open_mistakes: Open) -> None:
    page = open_mistakes(run=finished.run_id).set("Confidence", (0, 1))
    assert "Next page" not in page.labels()


# One digit


def test_a_click_opens_the_digit(
    finished: Run, open_mistakes: Open, click: Callable[[Page, int], Page]
) -> None:
    page = open_mistakes(run=finished.run_id)
    digit = shown(page)[1]
    click(page, digit)
    assert headline(page) == "Why is this one wrong?"
    assert (page.query["digit"], page.query["of"]) == (str(digit), "validation")
    assert page.says("2 of ")


def test_the_keyboard_goes_from_digit_to_digit_and_back(
    finished: Run, open_mistakes: Open, click: Callable[[Page, int], Page]
) -> None:
    page = open_mistakes(run=finished.run_id).set("Order", "margin")
    first, second = shown(page)[:2]
    click(page, first)
    assert page.control("Next digit").proto.shortcut == "n"
    assert page.control("Previous digit").disabled
    page.click("Next digit")
    assert page.query["digit"] == str(second)
    page.click("Previous digit")
    assert page.query["digit"] == str(first)
    page.click("All mistakes")
    assert shown(page)[:2] == [first, second]
    assert "digit" not in page.query


def test_the_card_explains_a_wrong_answer(
    finished: Run, digits: Dataset, open_mistakes: Open
) -> None:
    probabilities = answers(finished, digits)
    labels = digits.y_validation
    wrong = int(np.flatnonzero(probabilities.argmax(axis=1) != labels)[0])
    true, answer = labels[wrong], probabilities[wrong].argmax()
    page = open_mistakes(run=finished.run_id, digit=str(wrong))
    wait_for(page, "training digits nearest to it")
    assert page.says(f"is a **{true}**, taken for **{answer}**")
    assert sections(page) == [
        "The answer in the course of training",
        f"What decided between {answer} and {true}",
        "Which pixels it hangs on",
        f"What would make it right: a {true}",
        "What it looks like to the network",
    ]
    assert table(page, "bars")["probability"].to_numpy() == pytest.approx(
        probabilities[wrong], abs=1e-5
    )
    parts = table(page, "parts")
    lead = np.log(probabilities[wrong, answer] / probabilities[wrong, true])
    assert parts["value"].iloc[-1] == pytest.approx(lead, abs=1e-4)
    assert parts["value"].iloc[:-1].sum() == pytest.approx(parts["value"].iloc[-1])
    # The strip: the untrained network and every epoch, the last one outlined.
    cells = table(page, "cells")
    assert [int(a) for a in cells["answer"]][1:] == histories(finished)[:, wrong].tolist()
    assert cells["is_now"].tolist() == [False] * (len(cells) - 1) + [True]
    assert all(chart.alt for chart in charts(page))


def test_the_card_explains_a_right_answer_too(
    finished: Run, digits: Dataset, open_mistakes: Open
) -> None:
    probabilities = answers(finished, digits, "test")
    right = int(np.flatnonzero(probabilities.argmax(axis=1) == digits.y_test)[0])
    runner_up = int(probabilities[right].argsort()[-2])
    page = open_mistakes(run=finished.run_id, digit=str(right), of="test")
    assert headline(page) == "Why this answer?"
    assert f"What would make it a {runner_up}" in sections(page)
    assert page.says("Not among the mistakes listed")


def test_a_test_digits_history_is_asked_of_every_snapshot(
    finished: Run, digits: Dataset, open_mistakes: Open
) -> None:
    page = open_mistakes(run=finished.run_id, digit="5", of="test")
    wait_for(page, "One cell for each moment kept")
    names = [info.name for info in list_snapshots(resources.store(), finished.run_id)]
    expected = [int(answers(finished, digits, "test", name)[5].argmax()) for name in names]
    assert [int(a) for a in table(page, "cells")["answer"]] == expected


def test_what_takes_long_is_filled_in_later(
    finished: Run, open_mistakes: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = explanation.feature_space

    def slow(*given: Any) -> Any:
        time.sleep(0.5)
        return compute(*given)

    monkeypatch.setattr(explanation, "feature_space", slow)
    page = open_mistakes(run=finished.run_id, digit="0")
    assert page.says("Looking through")
    assert page.says("all bars together are that lead")
    wait_for(page, "training digits nearest to it")


def test_without_hidden_layers_pixels_contribute(runs: Runs, open_mistakes: Open) -> None:
    run = runs.trained(epochs=2, hidden=())
    page = open_mistakes(run=run.run_id, digit="0")
    assert page.says("This network has no hidden layer")
    wait_for(page, "by their pixels")


def test_a_network_that_no_longer_computes_numbers_says_so(
    finished: Run, open_mistakes: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = vars(Moment)["network"].func

    def overflowing(moment: Moment) -> Any:
        made = network(moment)
        made.parameters[...] = 1e38
        return made

    monkeypatch.setattr(Moment, "network", property(overflowing))
    page = open_mistakes(run=finished.run_id, digit="0")
    assert page.says("it no longer computes numbers")


def test_where_no_change_is_found_it_says_so(
    finished: Run, open_mistakes: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explanation, "smallest_change", lambda *given, **more: None)
    page = open_mistakes(run=finished.run_id, digit="0")
    assert page.says("None found")


def test_a_snapshot_that_is_gone_leaves_the_rest(
    finished: Run, runs: Runs, open_mistakes: Open
) -> None:
    info = list_snapshots(runs.store, finished.run_id)[1]
    (runs.store.folder(finished.run_id) / f"{info.name}.npz").unlink()
    page = open_mistakes(run=finished.run_id, digit="0")
    assert page.says("gone or damaged")
    assert "Which pixels it hangs on" in sections(page)
    page = open_mistakes(run=finished.run_id, digit="0", of="test")
    wait_for(page, "One cell for each moment kept")
    assert len(table(page, "cells")) == 5


# The address


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"digit": "rubbish"}, "digit is 'rubbish', but must be a whole number from 0 to 179."),
        ({"digit": "-1"}, "digit is '-1'"),
        ({"digit": "9" * 500}, f"digit is '{'9' * 20}...'"),
        ({"digit": "99999"}, "digit is '99999', but must be a whole number from 0 to 179."),
        ({"digit": "99999", "of": "test"}, "digit is '99999'"),
        ({"digit": "3", "of": "train"}, "of is 'train', but must be validation or test."),
        ({"kind": "odd"}, "kind is 'odd'"),
        ({"true": "10"}, "true is '10', but must be a whole number from 0 to 9."),
        ({"confidence": "80-20"}, "confidence is '80-20', but must be two percentages"),
        ({"order": "size"}, "order is 'size', but must be loss, confidence or margin."),
        ({"page": "0"}, "page is '0'"),
    ],
)
def test_rubbish_in_the_address_is_one_sentence(
    query: dict[str, str], sentence: str, finished: Run, open_mistakes: Open
) -> None:
    page = open_mistakes(run=finished.run_id, **query)
    [warning] = page.said("warning")
    assert sentence in warning
    assert shown(page)
    page.set("True digit", 3)
    assert not page.said("warning")  # it is settled once somebody chooses


def test_the_address_opens_the_page_as_it_was(finished: Run, open_mistakes: Open) -> None:
    answered = table(open_mistakes(run=finished.run_id), "pictures")["predicted"][0]
    page = open_mistakes(run=finished.run_id, predicted=answered, kind="wrong")
    assert (page.value("Answered"), page.value("True digit")) == (int(answered), -1)
    page.set("Order", "margin").set("Confidence", (20, 100))
    assert page.query["confidence"] == "20-100"
    again = open_mistakes(**page.query)
    assert shown(again) == shown(page)
    assert (again.value("Order"), again.value("Confidence")) == ("margin", (20, 100))
    assert again.query == page.query


def test_all_that_is_wrong_in_the_address_is_said(finished: Run, open_mistakes: Open) -> None:
    page = open_mistakes(run=finished.run_id, digit="x", of="y", kind="![](http://z)", order="w")
    warnings = page.said("warning")
    assert [re.findall("address, (.*?) is", warning) for warning in warnings] == [
        ["of"], ["kind"], ["order"], ["digit"]
    ]  # fmt: skip
    assert r"!\[\](http" in page.app.warning[1].value.replace("\N{WORD JOINER}", "")


def test_the_browser_going_back_closes_the_digit_and_forward_opens_it(
    finished: Run,
    open_mistakes: Open,
    click: Callable[[Page, int], Page],
) -> None:
    page = open_mistakes(run=finished.run_id).set("Order", "margin")
    before, listed = page.query, shown(page)
    opened = click(page, listed[0]).query
    assert page.says(f"Validation digit number {listed[0]} is")
    page.go_back(before)
    assert (shown(page), page.query) == (listed, before)
    assert page.value("Order") == "margin"
    page.go_back(opened)
    assert page.says(f"Validation digit number {listed[0]} is")
    assert page.query == opened


def test_the_choice_survives_opening_a_digit(
    finished: Run, open_mistakes: Open, click: Callable[[Page, int], Page]
) -> None:
    page = open_mistakes(run=finished.run_id).set("Order", "margin").set("Confidence", (10, 90))
    listed = shown(page)
    click(page, listed[0])
    page.click("Next digit").click("All mistakes")
    assert shown(page) == listed
    assert (page.value("Order"), page.value("Confidence")) == ("margin", (10, 90))


def test_another_data_set_has_other_digits(
    finished: Run, open_mistakes: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_mistakes(run=finished.run_id, digit="3")
    page.app.session_state["mistakes_open"] = ("validation", 10_000)  # of a larger data set
    page.look()
    assert page.says("There is no validation digit number 10,000")
    page.click("All mistakes")
    assert shown(page)
