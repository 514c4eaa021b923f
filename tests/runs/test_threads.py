from __future__ import annotations

import pytest
from threadpoolctl import threadpool_info

from neuralscope.runs import RunConfig, threads
from neuralscope.runs.threads import WORTH_SHARING, blas_threads, limited_to


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
