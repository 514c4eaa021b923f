"""A function in a child process: what goes in and out, its limits, and every way to fail."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from neuralscope import confined
from neuralscope.confined import Limits, call
from neuralscope.data.own_files.limits import megabytes
from neuralscope.errors import ConfigError, DataError, TransferError, UnclearLabel, WeightsError

needs_limits = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="this platform does not limit memory"
)


def test_values_come_back_as_they_went_in() -> None:
    value = {
        "nothing": None,
        "numbers": [1, 2.5, True, float("inf")],
        "shape": (28, 28),
        3: b"\0\xff",
        "pixels": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "names": np.array(["seven", "é"]),
        "empty": np.empty((0, 4), np.float32),
    }
    (returned,) = call("builtins:list", [value])
    arrays = [name for name, each in value.items() if isinstance(each, np.ndarray)]
    for name in arrays:
        before, after = value.pop(name), returned.pop(name)
        assert (after.dtype, after.shape) == (before.dtype, before.shape)
        assert np.array_equal(after, before)
    assert returned == value


def test_function_can_be_given_itself() -> None:
    assert call(megabytes, 3 * 2**20) == "3 MB"


def test_error_of_ours_comes_back_as_itself() -> None:
    with pytest.raises(ConfigError, match="dataset is 'nothing'") as caught:
        call("neuralscope.data.catalog:dataset_info", "nothing")
    assert (caught.value.field, caught.value.value) == ("dataset", "nothing")


def test_unclear_label_brings_its_columns() -> None:
    rows = [f"{n % 2},{n % 2},0,{n // 2 % 2},{n % 2}" for n in range(40)]
    with pytest.raises(UnclearLabel) as caught:
        call("neuralscope.data.own_files.reading:read_files", {"a.csv": "\n".join(rows).encode()})
    assert [number for number, _ in caught.value.columns] == [1, 5]


@needs_limits
def test_too_much_memory_is_a_sentence() -> None:
    with pytest.raises(TransferError, match=r"^a\.run needs more than the 300 MB of memory"):
        call(
            "numpy:ones",
            2**27,
            subject="a.run",
            failure=TransferError,
            limits=Limits(memory=300 * 2**20),
        )


def test_too_much_time_is_a_sentence() -> None:
    with pytest.raises(WeightsError, match=r"^The file could not be read in the 0\.3 s"):
        call("time:sleep", 30, failure=WeightsError, limits=Limits(seconds=0.3))


def test_too_large_a_result_is_refused() -> None:
    with pytest.raises(DataError, match="cannot be read: it is damaged"):
        call("numpy:ones", 1000, limits=Limits(result=7999))
    assert len(call("numpy:ones", 1000, limits=Limits(result=8000))) == 1000


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        ("os:abort", ()),
        ("os:_exit", (0,)),
        ("sys:exit", ("bye",)),
        ("json:loads", ("[" * 100_000,)),
        ("builtins:object", ()),
        ("neuralscope.errors:missing", ()),
    ],
)
def test_whatever_else_happens_is_one_sentence(function: str, argument: tuple[object]) -> None:
    with pytest.raises(DataError) as caught:
        call(function, *argument, subject="a.npz")
    assert str(caught.value) == (
        "a.npz cannot be read: it is damaged, or not the kind of file it should be."
    )


def test_what_a_library_prints_is_not_taken_for_the_answer() -> None:
    assert call("os:write", 1, b"no answer") == 9


def test_child_that_cannot_be_started_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(DataError, match=r"no process can be started for it \(No such file"):
        call("os:getpid")


@needs_limits
def test_nothing_is_left_behind() -> None:
    before = set(os.listdir("/proc/self/fd"))
    pid = call("os:getpid")
    assert not Path(f"/proc/{pid}").exists()
    assert set(os.listdir("/proc/self/fd")) == before


@needs_limits
def test_child_writes_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        call("numpy:savetxt", str(tmp_path / "file"), [1.0])
    assert not any(path.stat().st_size for path in tmp_path.iterdir())


def test_no_more_than_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most = 0, 0
    talk = confined._conversation

    def counted(*arguments: object) -> object:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            return talk(*arguments)
        finally:
            running -= 1

    monkeypatch.setattr(confined, "_conversation", counted)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: call("builtins:abs", n), range(5)))
    assert most <= confined.AT_ONCE
