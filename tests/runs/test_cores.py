from __future__ import annotations

import sys
from typing import Any

import pytest
from threadpoolctl import threadpool_info

from neuralscope.data import Dataset
from neuralscope.runs import RunConfig, cores, prepare
from neuralscope.runs.cores import (
    WORTH_SHARING,
    Cores,
    blas_threads,
    cores_for,
    limited_to,
    recorded,
)
from neuralscope.runs.machine import THREAD_VARIABLES

WIDE = RunConfig(hidden=(512, 512), batch_size=128)
MIDDLING = RunConfig(hidden=(128,), batch_size=64)
SMALL = RunConfig(hidden=(128,), batch_size=32)


def work(config: RunConfig) -> tuple[tuple[int, ...], int]:
    """Return the layers and the batch of a configuration on MNIST."""
    return config.sizes(784, 10), config.batch_size


def have(monkeypatch: pytest.MonkeyPatch, n_cores: int, platform: str = "linux") -> None:
    monkeypatch.setattr(cores, "usable_cores", lambda: n_cores)
    monkeypatch.setattr(sys, "platform", platform)


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    have(monkeypatch, 8)


@pytest.mark.parametrize(
    ("config", "is_watched", "processes"),
    [
        (WIDE, True, 2),
        (WIDE, False, 2),
        (MIDDLING, True, 1),  # the other core is the browser's
        (MIDDLING, False, 2),
        (SMALL, True, 1),
        (SMALL, False, 1),
    ],
)
@pytest.mark.parametrize("n_cores", [2, 3])
def test_on_few_cores_two_processes_share_what_is_worth_it(
    monkeypatch: pytest.MonkeyPatch,
    config: RunConfig,
    is_watched: bool,
    processes: int,
    n_cores: int,
) -> None:
    have(monkeypatch, n_cores)
    assert cores_for(*work(config), is_watched=is_watched) == Cores(processes, 1)


def test_the_largest_networks_do_better_with_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, 2)
    largest = (784, 1024, 1024, 10)
    assert cores_for(largest, 128, is_watched=False) == Cores(1, 2)
    assert cores_for((784, 512, 1024, 10), 128, is_watched=False) == Cores(2, 1)


@pytest.mark.parametrize("is_watched", [True, False])
def test_on_many_cores_the_matrix_library_has_a_thread_on_each(is_watched: bool) -> None:
    assert cores_for(*work(WIDE), is_watched=is_watched) == Cores(1, 8)
    assert cores_for(*work(MIDDLING), is_watched=is_watched) == Cores(1, 1)


def test_on_one_core_there_is_nothing_to_share(monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, 1)
    assert cores_for(*work(WIDE), is_watched=False) == Cores(1, 1)


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_where_a_fork_cannot_multiply_threads_do(
    monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    have(monkeypatch, 2, platform)
    assert cores_for(*work(WIDE), is_watched=False) == Cores(1, 2)


def test_who_allows_one_thread_gets_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, 2)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    assert cores_for(*work(WIDE), is_watched=False) == Cores(1, 1)


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        ({}, None),
        ({"cores": 2}, None),
        ({"cores": 2, "blas_threads": 2}, Cores(1, 2)),  # written before there were partners
        ({"processes": 2, "blas_threads": 1}, Cores(2, 1)),
        ({"processes": 3, "blas_threads": 1}, None),
        ({"processes": "2", "blas_threads": 1}, None),
        ({"processes": [2], "blas_threads": 1}, None),
        ({"blas_threads": 0}, None),
        ({"blas_threads": 10**9}, None),
        ({"blas_threads": "many"}, None),
    ],
)
def test_what_is_written_down_is_read_again(
    machine: dict[str, Any], expected: Cores | None
) -> None:
    assert recorded(machine) == expected


def test_at_work_a_training_has_its_threads_and_its_partner(digits: Dataset) -> None:
    training = prepare(RunConfig("digits", (8,), epochs=1), digits)
    with Cores(processes=1, blas_threads=1).at_work(training):
        assert set(threads()) == {1}
        alone = list(training.records())
    together = prepare(RunConfig("digits", (8,), epochs=1), digits)
    with Cores(processes=2, blas_threads=1).at_work(together):
        assert set(threads()) == {1}
        halves = list(together.records())
    assert len(alone) == len(halves)
    assert alone != halves  # sums in another order


@pytest.mark.parametrize(
    ("config", "n"),
    [
        (RunConfig(hidden=(128,), batch_size=32), 1),
        (RunConfig(hidden=(), batch_size=1024), 1),
        (RunConfig(hidden=(512, 512), batch_size=128), 8),
        (RunConfig(hidden=(8, 1024, 1024), batch_size=64), 8),
    ],
)
def test_only_large_products_are_worth_all_cores(config: RunConfig, n: int) -> None:
    assert blas_threads(*work(config)) == n


def test_the_largest_product_decides() -> None:
    batch = int(WORTH_SHARING / (2 * 784 * 64))
    assert blas_threads(*work(RunConfig(hidden=(64,), batch_size=batch))) == 1
    assert blas_threads(*work(RunConfig(hidden=(64,), batch_size=batch + 1))) == 8


def test_the_limit_holds_inside_and_goes_away() -> None:
    before = threads()
    assert before
    with limited_to(1):
        assert threads() == [1] * len(before)
    assert threads() == before


def threads() -> list[int]:
    """Return how many threads each matrix library that is loaded would use."""
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_a_limit_of_the_user_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    large = RunConfig(hidden=(512, 512), batch_size=128)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    assert blas_threads(*work(large)) == 3
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "many")  # not ours to judge
    assert blas_threads(*work(large)) == 8
