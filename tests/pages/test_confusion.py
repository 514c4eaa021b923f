"""The Confusion page, with runs in every state, alone and from the dashboard."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.metrics import confusion_matrix, f1_score, precision_recall_fscore_support
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.testing.v1 import AppTest

from neuralscope.data import load_dataset
from neuralscope.runs import FINISHED, Run, list_snapshots, load_snapshot
from neuralscope.ui import resources

if TYPE_CHECKING:
    from tests.pages.conftest import Page, Runs

Open = Callable[..., "Page"]

ENTRIES = ("dashboard.py", "pages/confusion.py")


@pytest.fixture
def open_confusion(open_page: Open) -> Open:
    """Open the page with an address of its own."""

    def open_confusion(entry: str = "pages/confusion.py", **query: str) -> Page:
        if entry != "dashboard.py":
            return open_page(entry, dataset=None, **query)
        page = open_page(entry, dataset=None, **query)
        page.app.switch_page("pages/confusion.py")
        return page.look()

    return open_confusion


@pytest.fixture
def finished(runs: Runs) -> Run:
    run = runs.trained(epochs=3, hidden=(12,))
    assert run.status == FINISHED
    return run


class Clicks:
    """Selections on charts, which the simulated browser cannot make by itself."""

    def __init__(self) -> None:
        self.made: dict[str, Any] = {}

    def on(self, page: Page, key: str, selection: str, *rows: dict[str, int]) -> None:
        [chart] = [
            each.proto
            for each in page.app.get("vega_lite_chart")
            if each.proto.id.endswith(f"-{key}")
        ]
        self.made[chart.id] = json.dumps({"selection": {selection: list(rows)}})
        page.look()


@pytest.fixture
def clicks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clicks]:
    clicks = Clicks()
    run = AppTest._run

    def run_with_clicks(app: AppTest, states: WidgetStates | None = None, **options: Any) -> Any:
        states = states or WidgetStates()
        for chart, value in clicks.made.items():
            states.widgets.append(WidgetState(id=chart, string_value=value))
        return run(app, states, **options)

    monkeypatch.setattr(AppTest, "_run", run_with_clicks)
    return clicks


def answers(runs: Runs, run: Run, split: str, epoch: int = -1) -> tuple[np.ndarray, np.ndarray]:
    """Return true classes and probabilities at an epoch, computed without the page."""
    data = load_dataset("digits")
    info = list_snapshots(runs.store, run.run_id)[epoch]
    network = load_snapshot(runs.store, run.run_id, info).network(run.config, 64, 10)
    x = getattr(data, f"x_{split}").astype(np.float32) / 16
    return getattr(data, f"y_{split}"), network.predict_proba(x)


def charts(page: Page) -> list[Any]:
    return list(page.app.get("vega_lite_chart"))


def table(page: Page, name: str) -> pd.DataFrame:
    """Return the first table of that name behind the charts."""
    data = next(
        table.data.data
        for chart in charts(page)
        for table in chart.proto.datasets
        if table.name == name
    )
    return pa.ipc.open_stream(io.BytesIO(data)).read_pandas()


def unbroken(row: pd.Series) -> list[str]:
    return [text.replace("\N{NO-BREAK SPACE}", " ") for text in row]


def headings(page: Page) -> list[str]:
    return [heading.value for heading in page.app.subheader]


# In every state


@pytest.mark.parametrize("entry", ENTRIES)
def test_without_a_run_it_says_what_to_do(entry: str, open_confusion: Open) -> None:
    page = open_confusion(entry)
    assert page.app.title[0].value == "Confusion"
    assert page.says("No network has been trained yet.")
    assert page.charts() == {}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("state", ["running", "one snapshot", "finished", "diverged"])
def test_every_state_shows_every_part(
    entry: str, state: str, runs: Runs, open_confusion: Open
) -> None:
    match state:
        case "running":
            run_id = runs.running(2).run_id
        case "one snapshot":
            run_id = runs.queued().start().run_id
        case "finished":
            run_id = runs.finished().run_id
        case "diverged":
            run_id = runs.diverged().run_id
    page = open_confusion(entry, run=run_id)
    assert not page.said("error")
    assert len(page.app.table) == 1
    drawn = [{table.name for table in chart.proto.datasets} for chart in charts(page)]
    assert drawn == [
        {"cells"},
        {"classes", "points", "begin"},
        {"bins", "ideal"},
        {"bins"},
        {"curve", "mark"},
    ]
    assert all(chart.proto.alt for chart in charts(page))
    assert page.says("If it could say 'I don't know' below **90 %**")


def test_a_run_that_has_kept_nothing_yet_says_so(runs: Runs, open_confusion: Open) -> None:
    page = open_confusion(run=runs.queued().run_id)
    assert page.says("This run is waiting for its turn")


def test_a_run_deleted_meanwhile_is_told(runs: Runs, finished: Run, open_confusion: Open) -> None:
    page = open_confusion(run=finished.run_id)
    runs.store.delete(finished.run_id)
    page.look()
    assert page.app.warning
    assert page.charts() == {}


# What it shows


@pytest.mark.parametrize("split", ["validation", "test"])
def test_the_figures_are_those_of_scikit_learn(
    split: str, runs: Runs, finished: Run, open_confusion: Open
) -> None:
    true, probabilities = answers(runs, finished, split)
    predicted = probabilities.argmax(axis=1)
    page = open_confusion(run=finished.run_id, of=split)
    n_right = int((true == predicted).sum())
    assert page.metric(f"{split.capitalize()} accuracy") == f"{100 * n_right / len(true):.2f} %"
    assert page.metric("Errors") == f"{len(true) - n_right} of {len(true)}"
    macro = f1_score(true, predicted, average="macro", zero_division=0)
    assert page.metric("F1, macro average") == f"{100 * macro:.2f} %"

    scores = page.app.table[0].value
    precision, recall, f1, support = precision_recall_fscore_support(
        true, predicted, labels=range(10), zero_division=np.nan
    )
    for digit in range(10):
        shown = [f"{100 * s[digit]:.2f} %" for s in (precision, recall, f1)]
        shown = ["–" if text == "nan %" else text for text in shown]
        assert unbroken(scores.loc[str(digit)]) == [*shown, str(support[digit])]
    for name in ("macro", "weighted"):
        averages = precision_recall_fscore_support(true, predicted, average=name, zero_division=0)[
            :3
        ]
        row = unbroken(scores.loc[f"**{name.capitalize()} average**"])
        assert row == [*(f"{100 * score:.2f} %" for score in averages), str(len(true))]


def test_the_address_says_which_digits_and_which_figures(
    finished: Run, open_confusion: Open
) -> None:
    page = open_confusion(run=finished.run_id, of="test", show="share")
    assert (page.value("Digits"), page.value("Figures")) == ("test", "share")
    page.set("Figures", "errors").set("Digits", "validation")
    assert page.query == {"run": finished.run_id, "show": "errors"}
    page.set("Figures", "count")
    assert "show" not in page.query


def test_a_choice_that_the_browser_has_lost_is_made_again(
    finished: Run, open_confusion: Open
) -> None:
    page = open_confusion(run=finished.run_id, of="test")
    page.app.session_state["confusion_of"] = None
    page.look()
    assert page.value("Digits") == "test"


def test_rubbish_in_the_address_is_told_in_a_sentence(finished: Run, open_confusion: Open) -> None:
    page = open_confusion(run=finished.run_id, of="training", show="*all*")
    assert page.said("warning") == [
        "In the address, of is 'training', but must be validation or test.",
        "In the address, show is '*all*', but must be count, share or errors.",
    ]
    assert page.value("Digits") == "validation"


def test_the_browser_going_back_shows_what_was_there_before(
    finished: Run, open_confusion: Open
) -> None:
    page = open_confusion(run=finished.run_id)
    start = page.query
    page.set("Figures", "errors").set("Epoch", "1").set("Compare with", finished.run_id)
    later = page.query
    page.go_back(start)
    assert (page.value("Figures"), page.value("Epoch")) == ("count", "3")
    assert page.value("Compare with") is None
    assert page.query == start
    page.go_back(later)
    assert (page.value("Figures"), page.value("Epoch")) == ("errors", "1")
    assert page.value("Compare with") == finished.run_id
    assert page.query == later


# The digits of a cell


def test_a_click_on_a_cell_opens_its_digits_the_surest_first(
    runs: Runs, finished: Run, open_confusion: Open, clicks: Clicks
) -> None:
    true, probabilities = answers(runs, finished, "validation")
    predicted = probabilities.argmax(axis=1)
    counts = confusion_matrix(true, predicted, labels=range(10))
    digit = int(np.diag(counts).argmax())
    page = open_confusion(run=finished.run_id)
    clicks.on(page, "matrix", "cell", {"true": digit, "predicted": digit})
    assert f"{digit} recognised: {counts[digit, digit]} digits" in headings(page)
    inside = np.flatnonzero((true == digit) & (predicted == digit))
    inside = inside[np.argsort(-probabilities[inside, digit], kind="stable")]
    assert table(page, "pictures")["index"].tolist() == inside[:24].tolist()
    clicks.on(page, "matrix", "cell")
    assert not any("recognised:" in heading for heading in headings(page))


def test_an_empty_cell_is_empty(finished: Run, open_confusion: Open, clicks: Clicks) -> None:
    page = open_confusion(run=finished.run_id)
    cells = table(page, "cells")
    empty = cells[cells["count"] == 0].iloc[0]
    clicks.on(page, "matrix", "cell", {"true": int(empty.true), "predicted": int(empty.predicted)})
    assert f"{empty.true} taken for {empty.predicted}: 0 digits" in headings(page)
    assert page.says("No digit is in this cell.")


@pytest.fixture
def worst(runs: Runs, finished: Run) -> tuple[int, int, np.ndarray]:
    """The most confused pair on the test digits, and its digits with the surest first."""
    true, probabilities = answers(runs, finished, "test")
    predicted = probabilities.argmax(axis=1)
    counts = confusion_matrix(true, predicted, labels=range(10)).astype(float)
    # Of equally frequent pairs the one that is the larger share of its digit.
    counts += counts / counts.sum(axis=1, keepdims=True)
    np.fill_diagonal(counts, 0)
    t, p = (int(each) for each in np.unravel_index(counts.argmax(), counts.shape))
    inside = np.flatnonzero((true == t) & (predicted == p))
    return t, p, inside[np.argsort(-probabilities[inside, p], kind="stable")]


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_most_confused_pair_is_named_and_leads_to_why(
    entry: str,
    finished: Run,
    worst: tuple[int, int, np.ndarray],
    open_confusion: Open,
    clicks: Clicks,
) -> None:
    true, predicted, inside = worst
    page = open_confusion(entry, run=finished.run_id, of="test")
    [pair, *_] = [b for b in page.app.main.button if "taken for" in b.label]
    assert pair.label.startswith(f"**{true}** taken for **{predicted}**: {len(inside)} times, ")
    pair.click()
    page.look()
    assert table(page, "pictures")["index"].tolist() == inside.tolist()
    assert not page.says("Digit ")

    digit = int(inside[1])
    clicks.on(page, f"cell_{true}_{predicted}_test_digits", "picture", {"index": digit})
    assert page.says(f"Digit {digit:,}, a **{true}**, answered **{predicted}** with ")
    if entry == "dashboard.py":
        [why] = [link.proto for link in page.app.get("page_link") if link.proto.label == "Why?"]
        assert (why.page, why.query_string) == ("mistakes", f"digit={digit}&of=test")
    else:  # a page that runs alone knows no other
        assert page.says("Why? Look it up on the page Mistakes.")


def test_a_network_without_errors_confuses_nothing(runs: Runs, open_confusion: Open) -> None:
    run = runs.trained(epochs=40, hidden=(64,), optimizer="adam", learning_rate=0.01)
    true, probabilities = answers(runs, run, "validation")
    right = probabilities.argmax(axis=1) == true
    data = load_dataset("digits")
    only_right = replace(
        data, x_validation=data.x_validation[right], y_validation=data.y_validation[right]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resources, "dataset", lambda name: only_right)
        page = open_confusion(run=run.run_id)
        assert page.metric("Validation accuracy") == "100.00 %"
        assert page.says("Nothing: every digit is read right.")
        assert page.says("it gets **0.00 %** of its answers wrong")


# Another moment


def test_two_epochs_are_compared_digit_by_digit(
    runs: Runs, finished: Run, open_confusion: Open
) -> None:
    true, after = answers(runs, finished, "validation")
    _, before = answers(runs, finished, "validation", epoch=1)
    was, now = before.argmax(axis=1) == true, after.argmax(axis=1) == true
    page = open_confusion(run=finished.run_id)
    assert page.says("Choose another epoch or another run")
    page.set("Compare with", finished.run_id).set("Epoch to compare with", "1")
    assert page.says(
        f"Compared with **epoch 1**, of 180 digits **{(now & ~was).sum()} became right** and "
        f"**{(was & ~now).sum()} became wrong**."
    )
    labels = range(10)
    change = confusion_matrix(true, after.argmax(axis=1), labels=labels) - confusion_matrix(
        true, before.argmax(axis=1), labels=labels
    )
    [cells] = [
        pa.ipc.open_stream(io.BytesIO(t.data.data)).read_pandas()
        for chart in charts(page)
        for t in chart.proto.datasets
        if t.name == "cells" and "Change" in chart.proto.spec
    ]
    signs = np.where(np.eye(10, dtype=bool), np.sign(change), -np.sign(change)).ravel()
    verdicts = {1: "better", -1: "worse", 0: "as before"}
    assert cells["verdict"].tolist() == [verdicts[sign] for sign in signs]

    pictures = table(page, "pictures")
    assert set(pictures["index"]) <= set(np.flatnonzero(now & ~was))
    assert (pictures["true"] != pictures["predicted"]).all(), "each with the answer it replaces"
    if (was & ~now).any():
        page.set("Digits that", "wrong")
        assert set(table(page, "pictures")["index"]) <= set(np.flatnonzero(was & ~now))


def test_another_run_is_named(runs: Runs, finished: Run, open_confusion: Open) -> None:
    other = runs.trained(epochs=1, hidden=(4,))
    page = open_confusion(run=finished.run_id)
    page.set("Compare with", other.run_id)
    assert page.says(f"Compared with **{other.name}, epoch 1**, of 180 digits ")


def test_the_same_network_twice_has_not_changed(
    runs: Runs, finished: Run, open_confusion: Open
) -> None:
    twin = runs.trained(epochs=3, hidden=(12,))
    page = open_confusion(run=finished.run_id)
    page.set("Compare with", twin.run_id)
    assert page.says("not one of 180 digits has become right or wrong.")


def test_the_address_says_what_is_compared_and_which_cell_is_open(
    runs: Runs, finished: Run, open_confusion: Open
) -> None:
    other = runs.trained(hidden=(12,), epochs=3, seed=5)
    page = open_confusion(run=finished.run_id, cell="4-4")
    page.set("Compare with", other.run_id)
    assert page.query == {"run": finished.run_id, "cell": "4-4", "compare": other.run_id}
    page.set("Epoch to compare with", "1").set("Digits that", "wrong")
    again = open_confusion(**page.query)
    assert again.query == page.query
    assert again.value("Compare with") == other.run_id
    assert again.value("Epoch to compare with") == "1"
    assert again.value("Digits that") == "wrong"
    assert any("4 recognised" in heading.value for heading in again.app.subheader)
    again.set("Compare with", None)
    assert again.query == {"run": finished.run_id, "cell": "4-4"}


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"compare": "gone"}, "compare is 'gone', but there is no such run"),
        ({"compare": "![](http://x)"}, "compare is '![](http://x)'"),
        ({"cell": "4-10"}, "cell is '4-10', but must be two classes from 0 to 9"),
        ({"cell": "4"}, "cell is '4', but"),
        ({"changed": "x"}, "changed is 'x', but must be right or wrong"),
    ],
)
def test_a_comparison_or_cell_that_is_none_is_told(
    finished: Run, open_confusion: Open, query: dict[str, str], sentence: str
) -> None:
    page = open_confusion(run=finished.run_id, **query)
    assert page.says(sentence), page.said("warning")
    assert page.query == {"run": finished.run_id}


def test_an_epoch_to_compare_with_that_is_none_is_told(finished: Run, open_confusion: Open) -> None:
    page = open_confusion(run=finished.run_id, compare=finished.run_id, compare_epoch="77")
    [warning] = page.said("warning")
    assert warning == "In the address, compare_epoch is '77', but must be 0, 1 or 2."
    page.set("Epoch to compare with", "1")
    assert not page.said("warning")


def test_a_damaged_snapshot_to_compare_with_spoils_nothing_else(
    runs: Runs, finished: Run, open_confusion: Open
) -> None:
    page = open_confusion(run=finished.run_id)
    [first, *_] = list_snapshots(runs.store, finished.run_id)
    (runs.store.folder(finished.run_id) / f"{first.name}.npz").write_bytes(b"rubbish")
    page.set("Compare with", finished.run_id).set("Epoch to compare with", "0")
    assert any("gone or damaged" in sentence for sentence in page.said("warning"))
    assert page.says("If it could say 'I don't know'")


# Confidence


@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.9, 0.999])
def test_refusing_below_a_confidence_is_counted(
    threshold: float, runs: Runs, finished: Run, open_confusion: Open
) -> None:
    true, probabilities = answers(runs, finished, "validation")
    given = probabilities.max(axis=1) >= threshold
    wrong = given & (probabilities.argmax(axis=1) != true)
    page = open_confusion(run=finished.run_id)
    page.set("It says 'I don't know' below a confidence of", threshold)
    if given.any():
        assert page.says(
            f"below **{100 * threshold:.4g} %**, it gets "
            f"**{100 * wrong.sum() / given.sum():.2f} %** of its answers wrong and declines "
            f"**{100 * (1 - given.mean()):.2f} %**."
        )
    assert page.says(f"It answers {given.sum()} of 180 digits, {wrong.sum()} of them wrongly.")


def test_a_network_that_is_never_sure_refuses_everything(runs: Runs, open_confusion: Open) -> None:
    page = open_confusion(run=runs.queued().start().run_id)
    page.set("It says 'I don't know' below a confidence of", 0.9999)
    assert page.says("it declines every digit.")


def test_the_calibration_error_is_said_with_its_bins(
    runs: Runs, finished: Run, open_confusion: Open
) -> None:
    true, probabilities = answers(runs, finished, "test")
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == true
    error = 0.0
    for low in range(10):
        inside = (confidence > low / 10) & (confidence <= (low + 1) / 10)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    page = open_confusion(run=finished.run_id, of="test")
    assert page.metric("Calibration error") == f"{100 * error:.2f} %"
    assert page.says(f"(ECE): **{100 * error:.2f} %**, with 10 bins of equal width.")


def test_what_is_watched_keeps_its_words(runs: Runs, open_confusion: Open) -> None:
    run = runs.running(1)
    page = open_confusion(run=run.run_id)
    before = [chart.proto.alt for chart in charts(page)]
    run.learn(2)
    page.look()
    assert [chart.proto.alt for chart in charts(page)] == before
