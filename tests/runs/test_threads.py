from __future__ import annotations

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from neuralscope.engine import OPTIMIZERS, in_turn
from neuralscope.engine.optimizers import BLOCK
from neuralscope.runs import RunConfig, threads
from neuralscope.runs.threads import WORTH_SHARING, blas_threads, limited_to, spread_over


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "usable_cores", lambda: 8)


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
    assert blas_threads(config, 784, 10) == n


def test_the_largest_product_decides() -> None:
    batch = int(WORTH_SHARING / (2 * 784 * 64))
    assert blas_threads(RunConfig(hidden=(64,), batch_size=batch), 784, 10) == 1
    assert blas_threads(RunConfig(hidden=(64,), batch_size=batch + 1), 784, 10) == 8


def test_the_limit_holds_inside_and_goes_away() -> None:
    def blas() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = blas()
    with limited_to(1):
        assert blas() == [1] * len(before)
    assert blas() == before


def test_a_limit_of_the_user_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    large = RunConfig(hidden=(512, 512), batch_size=128)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    assert blas_threads(large, 784, 10) == 3
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "many")  # not ours to judge
    assert blas_threads(large, 784, 10) == 8


# Sharing the steps of an optimizer


def test_one_thread_takes_the_blocks_in_turn() -> None:
    assert spread_over(1) is in_turn


@pytest.mark.parametrize("n_threads", [2, 3, 8])
def test_every_block_is_done_once_whoever_does_it(n_threads: int) -> None:
    done: list[tuple[int, str]] = []
    blocks = [slice(i, i + 1) for i in range(5)]
    spread_over(n_threads)(
        lambda block: done.append((block.start, threading.current_thread().name)), blocks
    )
    assert sorted(start for start, _ in done) == [0, 1, 2, 3, 4]
    assert len({thread for _, thread in done}) > 1


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_shared_steps_end_in_the_same_bits(name: str) -> None:
    rng = np.random.default_rng(0)
    start = rng.standard_normal(3 * BLOCK + 5, np.float32)
    results = []
    for n_threads in (1, 2):
        parameters = start.copy()
        optimizer = OPTIMIZERS[name](parameters)
        optimizer.spread = spread_over(n_threads)
        rng = np.random.default_rng(1)
        for _ in range(3):
            optimizer.update(parameters, rng.standard_normal(len(start), np.float32), 0.1)
        results.append([parameters, *optimizer.state.values()])
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_mistake_in_another_thread_is_not_lost() -> None:
    def work(block: slice) -> None:
        if block.start == 1:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        spread_over(2)(work, [slice(0, 1), slice(1, 2)])


def test_what_to_do_on_overflow_holds_in_all_threads() -> None:
    large = np.full(2, 3e38, np.float32)

    def work(block: slice) -> None:
        np.multiply(large[block], 10, out=large[block])

    with np.errstate(over="ignore"):
        spread_over(2)(work, [slice(0, 1), slice(1, 2)])
    assert np.isinf(large).all()
