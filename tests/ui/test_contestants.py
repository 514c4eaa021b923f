"""What those that are compared are called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from neuralscope.runs import RunConfig, Store
from neuralscope.runs.records import Parent
from neuralscope.ui import contestants
from tests.writing import owner


@pytest.fixture
def store(run_store: Path) -> Iterator[Store]:
    with Store(run_store) as store:
        yield store


def labels(store: Store, *settings: dict[str, Any], names: tuple[str, ...] = ()) -> list[str]:
    names = names or ("",) * len(settings)
    runs = [
        store.run(store.create(RunConfig(**{"dataset": "digits", **each}), name))
        for each, name in zip(settings, names, strict=True)
    ]
    return [each.label for each in contestants.gather(runs, together=True)]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            [{"learning_rate": 0.1}, {"learning_rate": 0.01}],
            ["learning rate 0.1", "learning rate 0.01"],
        ),
        ([{"optimizer": "adam"}, {"optimizer": "sgd"}], ["Adam", "SGD"]),
        ([{"l2": 0.1}, {"l2": 0.0}], ["L2 penalty 0.1", "L2 penalty 0"]),
        (
            [{"hidden": ()}, {"hidden": (8, 4)}],
            ["no hidden layer", "8-4 hidden"],
        ),
    ],
)
def test_they_are_called_by_what_tells_them_apart(
    store: Store, settings: list[dict[str, Any]], said: list[str]
) -> None:
    assert labels(store, *settings) == said


def test_a_name_somebody_gave_is_kept(store: Store) -> None:
    assert labels(store, {"l2": 0.1}, {"l2": 0.2}, names=("mine", "")) == ["mine", "L2 penalty 0.2"]


def test_where_too_much_differs_the_name_has_to_do(store: Store) -> None:
    found = labels(store, {}, {"l2": 0.1, "l1": 0.1, "batch_size": 8})
    assert found == [
        "128 relu, sgd 0.2, digits",
        "128 relu, sgd 0.2, digits, batch 8, L2 0.1, L...",
    ]


def test_a_long_name_is_cut(store: Store) -> None:
    (found, _) = labels(store, {}, {"l2": 0.1}, names=("x" * 200, ""))
    assert len(found) == contestants.LONGEST_LABEL and found.endswith("...")


def test_seeds_and_forks_are_called_so(store: Store) -> None:
    config = RunConfig(dataset="digits", l2=0.1)
    first = store.create(config)
    runs = [
        store.run(first),
        store.run(store.create(RunConfig(dataset="digits", l2=0.1, seed=4))),
        store.run(store.create(RunConfig(dataset="digits"), parent=Parent(first, 2, 90))),
    ]
    found = contestants.gather(runs, together=True)
    assert [each.label for each in found] == ["L2 penalty 0.1, 2 seeds", "L2 penalty 0 (fork)"]
    assert [each.name for each in found] == ["A", "B"]
    assert found[0].seeds == [0, 4] and found[1].is_fork
    assert contestants.have_company(runs) and not contestants.have_company(runs[1:])


def test_a_fork_that_nobody_has_named_is_called_by_what_tells_it_apart(store: Store) -> None:
    made = "128 relu, sgd 0.2, digits, forked at epoch 5"
    assert labels(store, {}, {"l2": 0.1}, names=("", made)) == ["L2 penalty 0", "L2 penalty 0.1"]


def test_a_queued_run_belongs_to_those_it_will_be_like(store: Store) -> None:
    started, queued = (store.create(RunConfig(dataset="digits", seed=seed)) for seed in (0, 1))
    owner(store, started).set_facts(data_digest="d1", versions={}, machine={}, steps_per_epoch=1)
    runs = [store.run(queued), store.run(started)]
    assert len(contestants.gather(runs, together=True)) == 1


def test_values_are_written_as_people_read_them() -> None:
    words = contestants.value_words
    assert words("hidden", (8, 4)) == "8-4" and words("hidden", ()) == "none"
    assert words("activation", ("relu", "tanh")) == "ReLU / tanh"
    assert words("learning_rate", 0.1) == "0.1" and words("l2", None) == "–"
    assert words("batch_size", 64) == "64" and words("optimizer", "adamw") == "AdamW"
