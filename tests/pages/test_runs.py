"""The Runs page: the list, what can be done with runs, and its address."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
import streamlit as st
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.testing.v1 import AppTest

from neuralscope.errors import RunNotFound, StoreError
from neuralscope.runs import FINISHED, Run, Store
from neuralscope.ui import run_query, run_trash
from neuralscope.words import percentage
from tests.pages.conftest import DEADLINE, config
from tests.writing import owner

if TYPE_CHECKING:
    from tests.pages.conftest import Page, Runs

Open = Callable[..., "Page"]
ENTRIES = ("dashboard.py", "pages/runs.py")
HOSTILE = (
    "# heading *bold* [link](http://example.org) $x^2$ :red[red] :material/home:",
    "<script>alert(1)</script><b>bold</b>",
    "🐙 run 🧪",
    "x" * 200,
    "'; DROP TABLE runs; --",
    "a\nb\tc",
    "\u202eright to left",
)


@pytest.fixture
def open_runs(open_page: Open) -> Open:
    """Open the page with an address of its own."""

    def open_runs(entry: str = "pages/runs.py", **query: str) -> Page:
        page = open_page(entry, dataset=None, **query)
        if entry == "dashboard.py":
            page.app.query_params.clear()  # a browser leaves the address of Train behind
            page.app.switch_page("pages/runs.py")
            page.look()
        return page

    return open_runs


@pytest.fixture
def add(store: Store) -> Callable[..., Run]:
    """Add a run that has ended, as if it had been trained."""

    def add(name: str = "", **settings: Any) -> Run:
        run_id = store.create(config(**settings), name)
        owner(store, run_id).end(FINISHED)
        return store.run(run_id)

    return add


class Table:
    """The list as somebody sees it, whose rows they tick and whose headers they click."""

    def __init__(self) -> None:
        self.made: dict[str, str] = {}

    def of(self, page: Page) -> pd.DataFrame:
        [table] = page.app.dataframe
        return table.value

    def names(self, page: Page) -> list[str]:
        return list(self.of(page)["name"])

    def tick(self, page: Page, *names: str) -> None:
        listed = self.names(page)
        self._select(page, rows=[listed.index(name) for name in names])

    def click_header(self, page: Page, column: str) -> None:
        self._select(page, columns=[column])

    def click_cell(self, page: Page, name: str, column: str) -> None:
        self._select(page, cells=[(self.names(page).index(name), column)])

    def ticked(self, page: Page) -> list[str]:
        """Return the runs that the table is first drawn with a tick at."""
        [table] = page.app.dataframe
        default = json.loads(table.proto.selection_default)
        return [self.names(page)[row] for row in default["selection"]["rows"]]

    def _select(self, page: Page, **selection: list[Any]) -> None:
        [table] = page.app.dataframe
        whole = {"rows": [], "columns": [], "cells": [], **selection}
        self.made[table.proto.id] = json.dumps({"selection": whole})
        page.look()


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    table = Table()
    run = AppTest._run

    def run_with_ticks(app: AppTest, states: WidgetStates | None = None, **options: Any) -> Any:
        states = states or WidgetStates()
        shown = {each.proto.id for each in app.dataframe} if app._tree else set()
        for widget in shown & set(table.made):
            value = table.made[widget]
            states.widgets.append(WidgetState(id=widget, string_value=value))
        return run(app, states, **options)

    monkeypatch.setattr(AppTest, "_run", run_with_ticks)
    return table


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_there(store: Store, run_id: str) -> bool:
    """Return whether anything is left of a run, in the trash or out of it."""
    with store.database.reading() as db:
        return db.execute("SELECT 1 FROM runs WHERE run_id = ?", (run_id,)).fetchone() is not None


# In every state


@pytest.mark.parametrize("entry", ENTRIES)
def test_without_a_run_it_says_what_to_do(entry: str, open_runs: Open) -> None:
    page = open_runs(entry)
    assert page.app.title[0].value == "Runs"
    assert page.said("info") == ["No network has been trained yet."]
    assert page.is_primary("Train the first one")
    assert not page.app.dataframe


def test_the_first_run_is_one_click_away(open_runs: Open) -> None:
    page = open_runs("dashboard.py")
    page.click("Train the first one")
    assert page.app.title[0].value == "Train"


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_run_is_shown_with_all_that_matters(
    entry: str, runs: Runs, store: Store, open_runs: Open, table: Table
) -> None:
    run = runs.trained(epochs=3, hidden=(12,))
    store.set_tags(run.run_id, ["baseline"])
    store.set_starred(run.run_id, True)
    page = open_runs(entry)
    [row] = table.of(page).to_dict("records")
    epochs = store.epochs(run.run_id)
    assert row["name"] == run.name
    assert row["starred"] == "★"
    assert list(row["status"]) == ["Finished"]
    assert row["dataset"] == "Digits"
    assert (row["units"], row["optimizer"], row["learning_rate"]) == ("12 relu", "sgd", "0.2")
    assert row["best"] == percentage(max(epochs.validation_accuracy[1:]))
    assert row["best_epoch"] == run.best_epoch
    assert row["last"] == percentage(epochs.validation_accuracy[-1])
    assert row["test"] == percentage(run.test_accuracy)
    assert row["epoch"] == "3 of 3"
    assert list(row["curve"]) == (100 * epochs.validation_accuracy).tolist()
    assert list(row["tags"]) == ["baseline"]
    assert page.says("1 to 1 of 1 run")


@pytest.mark.parametrize("state", ["queued", "running", "stopped", "diverged", "interrupted"])
def test_runs_in_every_state_are_listed(
    state: str, runs: Runs, open_runs: Open, table: Table
) -> None:
    match state:
        case "queued":
            runs.queued()
        case "running":
            runs.running(2)
        case "stopped":
            runs.stopped()
        case "diverged":
            runs.diverged()
        case "interrupted":
            runs.running(1)
            runs.lose_trainers()
    page = open_runs()
    assert [list(each) for each in table.of(page)["status"]] == [[state.capitalize()]]
    table.tick(page, *table.names(page))
    assert page.badge().lower().endswith(state)


def test_names_of_any_kind_are_shown_as_they_are(
    store: Store, add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    for name in HOSTILE:
        store.set_tags(add(name).run_id, ["<i>", "*t*"])
    page = open_runs()
    assert table.names(page) == list(HOSTILE[::-1])
    for name in HOSTILE:
        table.tick(page, name)
        assert page.value("Name") == name
        assert not page.said("error")
    table.tick(page, *HOSTILE)
    assert not any("<script>" in text.value for text in page.app.markdown)


# Live


@pytest.fixture
def paces(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Return how often the rows have been asked to be drawn, each time the page was."""
    asked: list[float | None] = []
    fragment = st.fragment

    def noted(draw: Any, *, run_every: float | None = None) -> Any:
        if draw.__name__ == "_rows":
            asked.append(run_every)
        return fragment(draw, run_every=run_every)

    monkeypatch.setattr(st, "fragment", noted)
    return asked


def test_the_rows_move_only_while_something_is_live(
    runs: Runs, open_runs: Open, table: Table, paces: list[float | None]
) -> None:
    run = runs.running(1)
    page = open_runs()
    assert paces == [1.0]
    assert list(table.of(page)["epoch"]) == ["1 of 50"]
    run.learn(2)
    page.look()
    assert list(table.of(page)["epoch"]) == ["2 of 50"]
    owner(runs.store, run.run_id).end(FINISHED)
    paces.clear()
    page.look()
    assert paces == []
    assert [list(each) for each in table.of(page)["status"]] == [["Finished"]]


# Find


def test_pages_of_many_runs(add: Callable[..., Run], open_runs: Open, table: Table) -> None:
    n = 2 * run_query.PER_PAGE + 3
    names = [add(f"run {number}").name for number in range(n)][::-1]
    page = open_runs()
    assert table.names(page) == names[: run_query.PER_PAGE]
    assert page.says(f"1 to {run_query.PER_PAGE} of {n} runs")
    page = open_runs(page="3")
    assert table.names(page) == names[2 * run_query.PER_PAGE :]
    assert page.query == {"page": "3"}
    page.set("Search", "run 10")
    assert page.query == {"search": "run 10"}
    assert table.names(page) == ["run 10"]


def test_a_run_is_found_by_its_id(add: Callable[..., Run], open_runs: Open, table: Table) -> None:
    add("other")
    run = add("this")
    page = open_runs(search=run.run_id)
    assert table.names(page) == ["this"]


def test_page_numbers_that_a_busy_browser_sends_back_late_turn_to_nothing(
    add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    for number in range(2 * run_query.PER_PAGE + 3):
        add(f"run {number}")
    page = open_runs()
    numbers = page.control("Page")
    numbers.set_value(3)
    late = numbers._widget_state
    page.look()
    assert page.query == {"page": "3"}
    page.set("Page", 2)
    page.send_back(late)
    assert page.query == {"page": "2"}


def test_few_pages_have_all_their_numbers(
    add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    names = [add(f"run {number}").name for number in range(run_query.PER_PAGE + 1)][::-1]
    page = open_runs()
    assert page.control("Page").options == ["1", "2"]
    page.set("Page", 2)
    assert table.names(page) == names[run_query.PER_PAGE :]
    assert page.query == {"page": "2"}


def test_a_page_beyond_the_last_is_the_last(
    add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    add("only")
    page = open_runs(page="7")
    assert table.names(page) == ["only"]
    assert page.query == {}


def test_sorting_sorts_all_runs(add: Callable[..., Run], open_runs: Open, table: Table) -> None:
    for number in range(run_query.PER_PAGE + 2):
        add(f"run {number:02}")
    page = open_runs()
    table.click_header(page, "name")
    assert table.names(page)[:2] == ["run 00", "run 01"]
    assert page.query == {"sort": "name", "order": "up"}
    assert page.value("Sort by") == "name"
    table.click_header(page, "name")
    assert table.names(page)[0] == f"run {run_query.PER_PAGE + 1:02}"
    table.click_header(page, "tags")  # which nothing can be sorted by
    assert page.query == {"sort": "name"}
    page.set("Sort by", "name")
    assert page.query == {"sort": "name"}  # it has not changed
    page.set("Sort by", "dataset")
    assert page.query == {"sort": "dataset", "order": "up"}
    page.set("Sort by", "created")
    assert page.query == {}


def test_filters_narrow_the_list_and_are_cleared(
    store: Store, add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    add("plain")
    store.set_tags(add("tagged").run_id, ["good one"])
    store.set_starred(add("starred").run_id, True)
    store.set_archived(add("archived").run_id, True)
    page = open_runs()
    assert table.names(page) == ["starred", "tagged", "plain"]
    page.set("Tag", "good one")
    assert table.names(page) == ["tagged"]
    assert page.query == {"tag": "good one"}
    page.set("Show", "starred")
    assert page.says("No run matches these filters.")
    assert not page.app.dataframe
    page.click("Show all runs")
    assert table.names(page) == ["starred", "tagged", "plain"]
    assert page.query == {}
    page.set("Show", "archived")
    assert table.names(page) == ["archived"]
    page.set("Show", "all").set("Status", ["diverged"])
    assert page.says("No run matches these filters.")


def test_an_own_data_set_is_called_by_its_title_everywhere(
    add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    run = add(dataset="own-noisy30-12ca8b82")
    page = open_runs(runs=run.run_id)
    [row] = table.of(page).to_dict("records")
    assert (row["name"], row["dataset"]) == ("8 relu, sgd 0.2, noisy30, 50 epochs", "noisy30")
    assert page.control("Data set").options == ["Any", "noisy30"]
    assert page.says("Data set: **noisy30 (not here)**")
    assert not page.says("own-noisy30")


def test_a_whole_archive_is_told(
    store: Store, add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    store.set_archived(add("old").run_id, True)
    page = open_runs()
    assert page.says("All runs are archived.")
    page.click("Show the archive")
    assert table.names(page) == ["old"]


# The address


def test_the_address_says_what_is_shown(
    store: Store, add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    add("other")
    run = add("wide")
    store.set_starred(run.run_id, True)
    query = {"show": "starred", "search": "wi", "sort": "name", "order": "up", "runs": run.run_id}
    page = open_runs(**query)
    assert table.names(page) == ["wide"]
    assert table.ticked(page) == ["wide"]
    assert (page.value("Search"), page.value("Show")) == ("wi", "starred")
    assert page.query == query


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("view", "all of it", "but must be all, compare or race."),
        ("runs", "../../etc/passwd", "but must be the IDs of runs, separated by commas."),
        ("page", "-1", "but must be a whole number from 1."),
        ("page", "0", "but must be a whole number from 1."),
        ("page", "9" * 400, "but must be a whole number from 1."),
        ("page", "¹", "but must be a whole number from 1."),
        ("sort", "x; DROP TABLE runs", "but must be created, name, "),
        ("order", "*", "but must be down or up."),
        ("status", "finished,gone", "but must be some of queued, running, "),
        ("show", "<b>", "but must be all, starred or archived."),
    ],
)
def test_rubbish_in_the_address_is_told_in_a_sentence(
    name: str, text: str, sentence: str, add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    add("only")
    page = open_runs(**{name: text})
    [warning] = [each.replace("\\", "") for each in page.said("warning")]
    assert warning.startswith(f"In the address, {name} is '{text[:20]}")
    assert sentence in warning
    assert table.names(page) == ["only"]
    assert page.query == {}


def test_text_in_the_address_that_finds_nothing_is_no_mistake(
    add: Callable[..., Run], open_runs: Open
) -> None:
    add("only")
    page = open_runs(search="'\"%_\\", tag="no such", data="own-x-00000000")
    assert page.says("No run matches these filters.")
    assert not page.said("error", "warning")


def test_the_browser_going_back_shows_the_list_of_that_time(
    runs: Runs, open_runs: Open, table: Table
) -> None:
    run = runs.finished()
    page = open_runs()
    table.tick(page, run.name)
    later = page.set("Search", "digits").query
    assert later == {"search": "digits", "runs": run.run_id}
    page.go_back({})
    assert (page.query, page.value("Search"), page.value("View")) == ({}, "", "all")
    assert page.go_back(later).query == later


def test_runs_in_the_address_that_are_gone_are_told(
    add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    run = add("only")
    page = open_runs(runs=f"20260101-000000-abcd,{run.run_id}")
    assert page.said("warning") == ["1 selected run is no longer in this store."]
    assert page.query == {"runs": run.run_id}
    assert table.ticked(page) == ["only"]


def test_an_old_address_that_the_browser_sends_late_changes_nothing(
    add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    add("a")
    page = open_runs()
    page.set("Search", "a")
    page.set("Search", "ab")
    page.app.query_params["search"] = "a"
    page.look()
    assert page.query == {"search": "ab"}
    page.app.query_params["search"] = "abc"  # a link that somebody has followed
    page.look()
    assert page.value("Search") == "abc"


# Choose


def test_a_ticked_run_is_opened(add: Callable[..., Run], open_runs: Open, table: Table) -> None:
    run, _ = add("one"), add("two")
    page = open_runs("dashboard.py")
    assert page.says("Click a run to open it")
    table.tick(page, "one")
    assert page.query == {"runs": run.run_id}
    links = {each.proto.label: each.proto for each in page.app.get("page_link")}
    assert list(links) == ["Train", "Confusion", "Mistakes", "Activations", "Draw"]
    assert {link.query_string for link in links.values()} == {f"run={run.run_id}"}
    page.app.switch_page("pages/confusion.py")
    page.look()
    assert page.query.get("run") == run.run_id


def test_a_link_to_a_run_is_followed_whatever_was_seen_before(
    runs: Runs, open_runs: Open, table: Table
) -> None:
    first, second = runs.trained(epochs=2), runs.trained(epochs=3)
    page = open_runs("dashboard.py", runs=first.run_id)
    page.app.switch_page("pages/confusion.py")
    page.look()
    page.app.switch_page("pages/runs.py")
    page.look()
    table.tick(page, table.names(page)[1])
    for query in ({"run": second.run_id, "epoch": "1"}, {"run": first.run_id}):
        page.app.switch_page("pages/confusion.py")
        page.app.query_params.clear()
        for name, value in query.items():
            page.app.query_params[name] = value
        page.look()
        assert page.query == query
        page.app.switch_page("pages/runs.py")
        page.app.query_params.clear()
        page.look()


def test_ticks_stay_over_pages_and_orders(
    add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    first = add("run 00")
    for number in range(1, run_query.PER_PAGE + 1):
        last = add(f"run {number:02}")
    page = open_runs()
    table.tick(page, last.name)
    page.app.session_state["runs_page"] = 2
    page.look()
    assert table.names(page) == ["run 00"]
    assert table.ticked(page) == []
    table.tick(page, "run 00")
    assert page.query == {"runs": f"{last.run_id},{first.run_id}", "page": "2"}
    page.set("Sort by", "name")
    assert table.ticked(page) == ["run 00"]
    page.set("Order", "down")
    assert table.ticked(page) == [last.name]
    page.click("Clear selection")
    assert table.ticked(page) == []
    assert "runs" not in page.query


def test_a_click_into_a_row_chooses_that_run_alone(
    add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    a, b = add("a"), add("b")
    page = open_runs()
    table.tick(page, "a", "b")
    table.click_cell(page, "b", "status")
    assert page.query == {"runs": b.run_id}
    assert page.value("Name") == "b"
    table.click_cell(page, "a", "name")
    assert page.query == {"runs": a.run_id}


def test_two_or_more_are_compared(add: Callable[..., Run], open_runs: Open, table: Table) -> None:
    a, b = add("a"), add("b")
    page = open_runs()
    assert page.control("Compare").disabled
    table.tick(page, "a")
    assert page.control("Compare").disabled
    table.tick(page, "a", "b")
    assert page.is_primary("Compare")
    page.click("Compare")
    assert page.query["view"] == "compare"
    assert page.value("View") == "compare"
    assert set(page.value("Runs")) == {a.run_id, b.run_id}
    page.set("View", "race")
    page.set("View", "all")
    assert set(table.ticked(page)) == {"a", "b"}


def test_a_link_to_a_comparison_opens_it(add: Callable[..., Run], open_runs: Open) -> None:
    a, b = add("a"), add("b")
    gone = "20260101-000000-abcd"
    page = open_runs(view="compare", runs=f"{a.run_id},{gone},{b.run_id}")
    assert page.value("Runs") == [a.run_id, b.run_id]
    assert page.said("warning")[0] == "1 selected run is no longer in this store."


def test_a_card_shows_how_far_a_run_is_its_curves_and_its_settings(
    runs: Runs, open_runs: Open
) -> None:
    run = runs.trained(epochs=3, hidden=(12,), l2=0.001)
    page = open_runs(runs=run.run_id)
    assert len(page.app.get("vega_lite_chart")) == 2
    assert page.says("Epoch 3 of 3 · best validation accuracy")
    [settings] = [text for text in page.said("markdown") if "Hidden layers" in text]
    for line in (
        "Data set: **Digits**",
        "Hidden layers: **12**",
        "Activation: **ReLU**",
        "Learning rate: **0.2**",
        "Epochs: **3**",
        "L2 penalty: **0.001**",
        "Seed: **0**",
    ):
        assert line in settings
    assert "Dropout" not in settings
    assert page.says("All other settings are at their defaults.")


def test_the_card_of_a_live_run_moves(runs: Runs, open_runs: Open) -> None:
    run = runs.queued()
    page = open_runs(runs=run.run_id)
    assert page.says("Starting") and page.says("There are no curves yet.")
    run.start().learn(2)
    page.look()
    assert page.badge() == "Running"
    assert page.says("Epoch 2 of 50 · best validation accuracy")
    assert len(page.app.get("vega_lite_chart")) == 2


# Stop, pause, go on


def test_live_runs_are_paused_resumed_and_stopped(
    runs: Runs, add: Callable[..., Run], open_runs: Open
) -> None:
    ended, live = add("ended"), runs.running(1)
    page = open_runs(runs=f"{ended.run_id},{live.run_id}")
    page.click("Pause")
    assert live.commands() == [("pause", None)]
    live.pause()
    page.look()
    assert "Pause" not in page.labels()
    page.click("Resume")
    assert live.commands() == [("resume", None)]
    live.resume()
    page.look().click("Stop")
    assert live.commands() == [("stop", None)]
    assert not page.said("error")


def test_runs_that_have_ended_are_not_stopped(add: Callable[..., Run], open_runs: Open) -> None:
    page = open_runs(runs=add("ended").run_id)
    assert {"Pause", "Stop"}.isdisjoint(page.labels())


def test_stopping_several_runs_goes_on_past_one_that_has_just_ended(
    runs: Runs, store: Store, open_runs: Open
) -> None:
    first, second = runs.queued(), runs.queued()
    page = open_runs(runs=f"{first.run_id},{second.run_id}")
    owner(store, first.run_id).end(FINISHED)
    page.click("Stop")
    assert second.commands() == [("stop", None)]
    [error] = page.said("error")
    assert "takes no commands any more" in error


# Name, tag, note, star, archive


def test_what_is_typed_is_kept(
    store: Store, add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    run = add("old name")
    page = open_runs()
    table.tick(page, "old name")
    page.set("Name", "*new* name").set("Notes", "<b>What</b>\n# came of it")
    page.set("Tags", ["a", "b c"])
    kept = store.run(run.run_id)
    assert (kept.name, kept.notes) == ("*new* name", "<b>What</b>\n# came of it")
    assert sorted(kept.tags) == ["a", "b c"]
    assert table.names(page) == ["*new* name"]
    page.set("Tags", [])
    assert store.run(run.run_id).tags == ()


def test_what_somebody_else_writes_meanwhile_is_shown(
    store: Store, add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    run = add("mine")
    page = open_runs(runs=run.run_id)
    store.rename(run.run_id, "theirs")
    store.set_notes(run.run_id, "their note")
    page.look()
    assert (page.value("Name"), page.value("Notes")) == ("theirs", "their note")


def test_a_tag_too_long_is_told_and_the_others_stay(
    store: Store, add: Callable[..., Run], open_runs: Open
) -> None:
    run = add("run")
    store.set_tags(run.run_id, ["good"])
    page = open_runs(runs=run.run_id)
    page.set("Tags", ["good", "x" * 41])
    assert len(page.said("error")) == 1
    assert store.run(run.run_id).tags == ("good",)
    assert page.value("Tags") == ["good"]
    page.look()
    assert not page.said("error")


def test_several_runs_are_tagged_at_once(
    store: Store, add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    a, b = add("a"), add("b")
    store.set_tags(a.run_id, ["old"])
    page = open_runs()
    table.tick(page, "a", "b")
    page.set("Tags to add", ["new", "old"]).click("Add to 2 runs")
    assert set(store.run(a.run_id).tags) == set(store.run(b.run_id).tags) == {"old", "new"}
    assert page.value("Tags to add") == []
    page.set("Tags to add", ["x" * 41]).click("Add to 2 runs")
    assert len(page.said("error")) == 1


def test_stars_are_given_and_taken(
    store: Store, add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    a, b = add("a"), add("b")
    store.set_starred(a.run_id, True)
    page = open_runs()
    table.tick(page, "a", "b")
    page.click("Star")
    assert store.run(a.run_id).starred
    assert store.run(b.run_id).starred
    assert list(table.of(page)["starred"]) == ["★", "★"]
    page.click("Unstar")
    assert not store.run(a.run_id).starred


def test_runs_go_into_the_archive_and_out_of_it(
    store: Store, add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    run, _ = add("old"), add("new")
    page = open_runs()
    table.tick(page, "old")
    page.click("Archive")
    assert table.names(page) == ["new"]
    assert "runs" not in page.query
    assert store.run(run.run_id).archived
    page.set("Show", "archived")
    table.tick(page, "old")
    page.click("Unarchive")
    assert page.says("The archive is empty.")
    assert not store.run(run.run_id).archived


# Delete


def test_deleting_asks_and_can_be_undone(
    store: Store, add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    run, _ = add("gone"), add("stays")
    page = open_runs()
    table.tick(page, "gone")
    assert page.says("Delete gone, including all curves and checkpoints?")
    page.app.button(key="runs_delete_yes").click()
    page.look()
    assert table.names(page) == ["stays"]
    assert page.says("1 run deleted. You can undo this until you leave the page.")
    assert page.query == {}
    with pytest.raises(RunNotFound):
        store.run(run.run_id)
    page.click("Undo")
    assert table.names(page) == ["stays", "gone"]
    assert not page.says("run deleted")


def test_the_last_run_deleted_can_be_undone_too(
    add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    add("only")
    page = open_runs()
    table.tick(page, "only")
    page.app.button(key="runs_delete_yes").click()
    page.look()
    assert page.says("No network has been trained yet.")
    page.click("Undo")
    assert table.names(page) == ["only"]


def test_leaving_the_page_deletes_for_good(
    store: Store, add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    run, other = add("gone"), add("stays")
    page = open_runs("dashboard.py")
    table.tick(page, "gone")
    page.app.button(key="runs_delete_yes").click()
    page.look()
    page.set("View", "race")  # is on the same page
    assert is_there(store, run.run_id)
    page.app.switch_page("pages/draw.py")
    page.look()
    wait_until(lambda: not is_there(store, run.run_id))
    assert is_there(store, other.run_id)
    page.app.switch_page("pages/runs.py")
    page.look()
    assert not page.says("deleted")


def test_what_a_vanished_session_deleted_goes_after_a_day(
    store: Store, add: Callable[..., Run], open_runs: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = add("gone")
    store.trash([run.run_id])
    open_runs()
    time.sleep(0.1)
    assert is_there(store, run.run_id)
    monkeypatch.setattr(run_trash, "KEPT_FOR", -1.0)
    open_runs()
    wait_until(lambda: not is_there(store, run.run_id))


def test_an_active_run_is_not_deleted(
    runs: Runs, store: Store, add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    add("ended")
    live = runs.running(1)
    page = open_runs()
    name = store.run(live.run_id).name
    table.tick(page, "ended", name)
    assert page.says("is still active. Stop it before deleting it.")
    page.app.button(key="runs_delete_yes").click()
    page.look()
    assert table.names(page) == [name]


def test_a_run_deleted_meanwhile_by_another_is_told(
    store: Store, add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    run, _ = add("gone"), add("stays")
    page = open_runs()
    table.tick(page, "gone")
    store.delete(run.run_id)
    page.look()
    assert page.said("warning") == ["1 selected run is no longer in this store."]
    assert table.names(page) == ["stays"]


@pytest.mark.parametrize("label", ["Star", "Archive", "Delete"])
def test_acting_on_a_run_deleted_at_that_moment_is_told(
    label: str, store: Store, add: Callable[..., Run], open_runs: Open, table: Table
) -> None:
    run, _ = add("gone"), add("stays")
    page = open_runs()
    table.tick(page, "gone")
    store.delete(run.run_id)
    button = page.app.button(key="runs_delete_yes") if label == "Delete" else page.control(label)
    button.click()
    page.look()
    assert page.said("error", "warning")
    assert table.names(page) == ["stays"]


def test_a_store_that_fails_is_told_in_a_sentence(
    add: Callable[..., Run], open_runs: Open, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    add("only")
    page = open_runs()
    table.tick(page, "only")

    def fail(*_: object) -> None:
        raise StoreError("The run store failed: the disk is full.")

    monkeypatch.setattr(Store, "set_starred", fail)
    page.click("Star")
    [error] = page.said("error")
    assert error.replace("\\", "") == "The run store failed: the disk is full."
