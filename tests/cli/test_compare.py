"""`runs compare`: what differs between runs, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neuralscope.runs import RunConfig, Store
from neuralscope.runs.curves import epochs_of
from neuralscope.ui import compare, contestants
from tests.writing import owner

Cli = Callable[..., Any]

TRAIN = ("train", "--dataset", "digits", "--hidden", "16", "--epochs", "2", "--json")


@pytest.fixture
def pair(cli: Cli, run_store: Path) -> tuple[str, str]:
    """Return two runs that differ in the learning rate."""
    rates = ("0.2", "0.02")
    first, second = (cli(*TRAIN, "--learning-rate", rate).json["run_id"] for rate in rates)
    return first, second


def test_the_sentence_is_that_of_the_page(cli: Cli, run_store: Path, pair: tuple[str, str]) -> None:
    result = cli("runs", "compare", *pair, "--json").json
    with Store(run_store) as store:
        first, second = contestants.gather([store.run(each) for each in pair], together=False)
        said = compare.tell(first, second, epochs_of(store, pair), {})
    assert result["sentences"] == [said]
    assert said.startswith("B differs from A in the learning rate only (0.2 → 0.02); it ends ")


def test_what_differs_and_the_results_are_told_of_each(cli: Cli, pair: tuple[str, str]) -> None:
    result = cli("runs", "compare", *pair, "--json").json
    assert [(run["letter"], run["run_id"]) for run in result["runs"]] == list(
        zip("AB", pair, strict=True)
    )
    assert result["differs"] == {"learning_rate": [0.2, 0.02]}
    assert result["same_data"] is True
    for name in ("test_accuracy", "test_loss", "best_validation_accuracy", "status"):
        assert result["results"][name] == [run[name] for run in result["runs"]]


def test_the_table_has_a_column_for_each_run(cli: Cli, pair: tuple[str, str]) -> None:
    out = cli("runs", "compare", *pair).out
    lines = out.splitlines()
    assert [line.split()[:2] for line in lines[:2]] == [["A", pair[0]], ["B", pair[1]]]
    rows = {line.split("  ")[0]: line.split()[-2:] for line in lines if "  " in line}
    assert rows["learning_rate"] == ["0.2", "0.02"]
    assert rows["status"] == ["finished", "finished"]


def test_other_data_is_pointed_out(cli: Cli, run_store: Path, pair: tuple[str, str]) -> None:
    with Store(run_store) as store:
        other = store.create(RunConfig("mnist", (16,), epochs=2))
        owner(store, other).set_data_digest("d" * 64)
        owner(store, other).end("failed")
    outcome = cli("runs", "compare", pair[0], other)
    assert "not learned from the same data" in outcome.out
    assert "there is no epoch yet that both have completed" in outcome.out


def test_one_run_cannot_be_compared(cli: Cli, pair: tuple[str, str]) -> None:
    outcome = cli("runs", "compare", pair[0], pair[0][:-1])
    assert outcome.status == 2
    assert "Name 2 to 26 different runs to compare; here is 1." in outcome.complaint
