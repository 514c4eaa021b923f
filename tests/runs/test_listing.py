"""Lists of runs: what a query finds, in which order, on which page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from neuralscope.engine import EpochEnd
from neuralscope.errors import StoreError
from neuralscope.runs import DIVERGED, FINISHED, INTERRUPTED, QUEUED, RUNNING, RunConfig, Store
from neuralscope.runs.listing import (
    SORTS,
    Query,
    accuracy_curves,
    choices,
    is_any,
    is_live,
    list_runs,
    newest,
    still_there,
    trashed_before,
)
from neuralscope.runs.records import Progress
from tests.writing import owner


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "runs") as store:
        yield store


def add(store: Store, name: str, status: str = FINISHED, **settings: Any) -> str:
    run_id = store.create(RunConfig(**{"dataset": "digits", **settings}), name)
    if status not in (QUEUED, RUNNING):
        owner(store, run_id).end(status)
    return run_id


def learn(store: Store, run_id: str, *accuracies: float, seconds: float = 1.0) -> None:
    """Record an epoch for each validation accuracy, after one without any training."""
    for epoch, accuracy in enumerate((0.1, *accuracies)):
        end = EpochEnd(epoch, epoch, 2.0 / (epoch + 1), 0.5, 1.0 / (epoch + 1), accuracy, 0.1, ())
        progress = Progress(epoch, epoch, seconds * epoch, None, 0.1)
        owner(store, run_id).record(progress, epochs=[(end, seconds * epoch)])


def names(store: Store, **query: Any) -> list[str]:
    return [run.name for run in list_runs(store, Query(**query)).runs]


# Which runs


def test_all_runs_are_listed_the_newest_first(store: Store) -> None:
    for name in "abc":
        add(store, name)
    listing = list_runs(store, Query())
    assert [run.name for run in listing.runs] == ["c", "b", "a"]
    assert listing.total == 3
    assert list(listing.runs) == store.runs()


def test_an_empty_store_has_an_empty_list(store: Store) -> None:
    assert list_runs(store, Query()) == list_runs(store, Query(search="anything"))
    assert list_runs(store, Query()).total == 0
    assert not is_any(store)
    assert choices(store) == ((), ())


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("wide", ["Wide network"]),
        ("WIDE Net", ["Wide network"]),
        ("network wide", ["Wide network"]),
        ("wide narrow", []),
        ("übung", ["tagged"]),
        ("ÜBUNG", ["tagged"]),
        ("dip", ["noted"]),
        ("100%", ["noted"]),
        ("%", ["noted"]),
        ("_", []),
        ("'", []),
        ('" OR 1', []),
        ("  ", ["noted", "tagged", "Wide network"]),
    ],
)
def test_the_search_looks_into_names_tags_and_notes(
    store: Store, search: str, found: list[str]
) -> None:
    add(store, "Wide network")
    store.set_tags(add(store, "tagged"), ["Übung", "x"])
    store.set_notes(add(store, "noted"), "A dip\nat 100% of it")
    assert names(store, search=search) == found


def test_the_search_finds_a_run_by_its_id_and_by_either_end_of_it(store: Store) -> None:
    add(store, "other")
    run_id = add(store, "this")
    assert names(store, search=run_id) == ["this"]
    assert names(store, search=run_id.upper()) == ["this"]
    assert names(store, search=run_id[:-1]) == ["this"]
    assert names(store, search=run_id[-4:]) == ["this"]
    assert names(store, search=f"this {run_id[:15]}") == ["this"]


def test_runs_are_filtered_by_status_data_tag_star_and_archive(store: Store) -> None:
    add(store, "diverged", DIVERGED)
    store.set_tags(add(store, "tagged", dataset="mnist"), ["a b", "c"])
    store.set_starred(add(store, "starred"), True)
    store.set_archived(add(store, "archived"), True)
    assert names(store, statuses=(DIVERGED,)) == ["diverged"]
    assert names(store, statuses=(DIVERGED, FINISHED)) == ["starred", "tagged", "diverged"]
    assert names(store, statuses=(RUNNING,)) == []
    assert names(store, dataset="mnist") == ["tagged"]
    assert names(store, tag="a b") == ["tagged"]
    assert names(store, tag="a") == []
    assert names(store, starred=True) == ["starred"]
    assert names(store, starred=False) == ["tagged", "diverged"]
    assert names(store, archived=True) == ["archived"]
    assert names(store, archived=None) == ["archived", "starred", "tagged", "diverged"]
    assert names(store, starred=True, dataset="mnist") == []


def test_a_run_that_nobody_holds_is_found_as_interrupted(store: Store) -> None:
    run_id = add(store, "abandoned", QUEUED)
    assert names(store, statuses=(QUEUED,)) == ["abandoned"]
    assert is_live(store)
    store.withdraw(run_id)
    assert names(store, statuses=(QUEUED,)) == []
    assert names(store, statuses=(INTERRUPTED,)) == ["abandoned"]
    assert not is_live(store)


def test_a_finished_run_is_not_live(store: Store) -> None:
    add(store, "finished")
    assert not is_live(store)


def test_what_is_in_the_trash_is_not_listed(store: Store) -> None:
    run_id = add(store, "gone", dataset="mnist")
    store.set_tags(run_id, ["old"])
    store.trash([run_id])
    assert list_runs(store, Query(archived=None)).total == 0
    assert choices(store) == ((), ())
    assert not is_any(store)
    assert still_there(store, [run_id]) == []
    now = time.time()
    assert trashed_before(store, now + 1) == [run_id]
    assert trashed_before(store, now - 3600) == []
    store.restore([run_id])
    assert names(store) == ["gone"]
    assert trashed_before(store, now + 1) == []


def test_a_row_that_cannot_be_understood_does_not_hide_the_others(store: Store) -> None:
    broken, _ = add(store, "broken"), add(store, "whole")
    for rubbish in ("rubbish", "[]", '{"hidden": "wide"}', ""):
        with store.database.writing() as db:
            db.execute("UPDATE runs SET config = ? WHERE run_id = ?", (rubbish, broken))
        for sort in SORTS:
            assert names(store, sort=sort) == ["whole"]
        assert names(store, dataset="digits") == ["whole"]
        assert choices(store).datasets == ("digits",)


def test_text_that_is_none_does_not_hide_the_others(store: Store) -> None:
    broken, whole = add(store, "broken"), add(store, "whole")
    store.set_notes(whole, "noted")
    with store.database.writing() as db:
        db.execute(
            "UPDATE runs SET name = CAST(X'ff41' AS TEXT), notes = CAST(X'ff' AS TEXT), "
            "tags = CAST(X'ff' AS TEXT) WHERE run_id = ?",
            (broken,),
        )
    assert "whole" in names(store, sort="name")
    assert names(store, search="noted") == ["whole"]
    assert choices(store).tags == ()


# In which order


@pytest.mark.parametrize(
    ("sort", "ascending"),
    [
        ("created", ["a", "B", "c"]),
        ("name", ["a", "B", "c"]),
        ("dataset", ["c", "a", "B"]),
        ("units", ["c", "a", "B"]),
        ("optimizer", ["B", "c", "a"]),
        ("learning_rate", ["B", "a", "c"]),
        ("epoch", ["B", "c", "a"]),
        ("best", ["c", "a", "B"]),
        ("best_epoch", ["B", "c", "a"]),
        ("last", ["a", "c", "B"]),
        ("test", ["B", "c", "a"]),
        ("seconds", ["B", "c", "a"]),
    ],
)
def test_the_whole_list_is_sorted(store: Store, sort: str, ascending: list[str]) -> None:
    a = add(store, "a", RUNNING, dataset="mnist", hidden=(64, 64), learning_rate=0.1)
    b = add(
        store, "B", RUNNING, dataset="mnist", hidden=(200,), optimizer="adam", learning_rate=1e-5
    )
    c = add(store, "c", RUNNING, hidden=(100,), learning_rate=1.0)
    learn(store, a, 0.5, 0.6, 0.9, 0.2)
    learn(store, b, 0.95)
    learn(store, c, 0.6, 0.7)
    for run_id, test in ((a, 0.9), (b, 0.1), (c, 0.5)):
        owner(store, run_id).end(FINISHED, test_accuracy=test)
    equal = {"dataset": ["c", "B", "a"], "optimizer": ["B", "c", "a"]}  # the newest of equals first
    assert names(store, sort=sort, descending=False) == equal.get(sort, ascending)
    if sort not in equal:
        assert names(store, sort=sort, descending=True) == ascending[::-1]


def test_runs_without_a_value_come_last_both_ways(store: Store) -> None:
    add(store, "new")
    tested = add(store, "tested")
    owner(store, tested).end(FINISHED, test_accuracy=0.5)
    add(store, "newer")
    for descending in (True, False):
        assert names(store, sort="test", descending=descending) == ["tested", "newer", "new"]


def test_an_unknown_order_is_told(store: Store) -> None:
    with pytest.raises(StoreError, match="not by 'name; DROP TABLE runs'"):
        list_runs(store, Query(sort="name; DROP TABLE runs"))


def test_the_newest_are_those_outside_the_archive_if_there_are_any(store: Store) -> None:
    old, other, new = add(store, "old", dataset="mnist"), add(store, "other"), add(store, "new")
    assert [run.name for run in newest(store, 2)] == ["new", "other"]
    assert [run.name for run in newest(store, 2, dataset="mnist")] == ["old"]
    store.set_archived(new, True)
    assert [run.name for run in newest(store, 2)] == ["other", "old"]
    store.set_archived(old, True)
    store.set_archived(other, True)
    assert [run.name for run in newest(store, 1)] == ["new"]
    store.trash([old, other, new])
    assert newest(store, 1) == []


# On which page


def test_pages_follow_each_other_without_gap_or_overlap(store: Store) -> None:
    for number in range(7):
        add(store, str(number), learning_rate=0.1 * (1 + number % 2))
    for sort in SORTS:
        whole = names(store, sort=sort)
        pages = [list_runs(store, Query(sort=sort, limit=3, offset=3 * page)) for page in range(3)]
        assert [page.total for page in pages] == [7, 7, 7]
        assert [run.name for page in pages for run in page.runs] == whole
        assert [len(page.runs) for page in pages] == [3, 3, 1]
    assert names(store, limit=3, offset=30) == []


def test_the_last_accuracy_is_that_of_the_last_epoch(store: Store) -> None:
    learned, fresh = add(store, "learned", RUNNING), add(store, "fresh", RUNNING)
    learn(store, learned, 0.7, 0.9, 0.8)
    learn(store, fresh)  # measured, but no epoch is complete
    assert list_runs(store, Query()).last == {learned: 0.8}


# Beside it


def test_curves_hold_the_validation_accuracy_of_each_epoch(store: Store) -> None:
    run_id, other = add(store, "a", RUNNING), add(store, "b", RUNNING)
    learn(store, run_id, 0.7, 0.9, 0.8)
    runs = list_runs(store, Query()).runs
    assert accuracy_curves(store, runs) == {run_id: [0.1, 0.7, 0.9, 0.8], other: []}
    assert accuracy_curves(store, []) == {}


def test_long_curves_are_thinned(store: Store) -> None:
    run_id = add(store, "long", RUNNING)
    accuracies = [epoch / 200 for epoch in range(1, 106)]
    learn(store, run_id, *accuracies)
    [curve] = accuracy_curves(store, list_runs(store, Query()).runs, points=10).values()
    assert curve == [0.1, *accuracies[10::11], accuracies[-1]]


def test_choices_are_what_the_runs_have(store: Store) -> None:
    store.set_tags(add(store, "a", dataset="mnist"), ["z", "b"])
    store.set_tags(add(store, "b"), ["b", "<i>"])
    assert choices(store) == (("digits", "mnist"), ("<i>", "b", "z"))


def test_runs_that_are_gone_are_left_out_of_a_choice(store: Store) -> None:
    a, b = add(store, "a"), add(store, "b")
    found = still_there(store, [b, "../../etc", "20260101-000000-abcd", a, b])
    assert [run.run_id for run in found] == [b, a]
