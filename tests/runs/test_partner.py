"""A second process does half of every step; what comes out does not depend on it."""

from __future__ import annotations

import errno
import mmap
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralscope.data import Dataset
from neuralscope.engine import Record, Training
from neuralscope.engine.shares import Half, Seeds
from neuralscope.errors import NeuralScopeError
from neuralscope.runs import RunConfig, partner, prepare
from neuralscope.runs.cores import limited_to
from neuralscope.runs.partner import PartnerProcess, partnership, shared_like
from tests.runs.conftest import EXTRAS

pytestmark = pytest.mark.skipif(
    not partner.can_have_partner(), reason="only Linux lets a fork multiply matrices"
)

DEADLINE = 20.0

PLAIN = RunConfig("digits", (32,), batch_size=64, epochs=2)
EVERYTHING = replace(
    PLAIN,
    hidden=(24, 16),
    activation=("tanh", "relu"),
    epochs=3,
    patience=9,
    schedule="cosine",
    **EXTRAS,
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with limited_to(1):
        yield


@pytest.fixture
def expect(digits: Dataset) -> Callable[[RunConfig], tuple[list[Record], bytes]]:
    """Return a function that does both halves in this process."""

    def alone(config: RunConfig) -> tuple[list[Record], bytes]:
        training = prepare(config, digits)
        training.halve()
        return list(training.records()), training.network.parameters.tobytes()

    return alone


def the_partner(training: Training) -> PartnerProcess:
    found = training._learner.partner  # type: ignore[attr-defined]
    assert isinstance(found, PartnerProcess)
    return found


def is_there(pid: int) -> bool:
    """Return whether a process runs, and not only waits for its parent to take note of its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# The same bits


@pytest.mark.parametrize("config", [PLAIN, EVERYTHING], ids=["plain", "everything"])
def test_with_a_partner_come_the_bits_that_come_without(
    digits: Dataset, expect: Any, config: RunConfig
) -> None:
    training = prepare(config, digits)
    with partnership(training):
        assert (list(training.records()), training.network.parameters.tobytes()) == expect(config)


def test_the_partner_works(digits: Dataset) -> None:
    training = prepare(replace(PLAIN, hidden=(512, 512), batch_size=1024, epochs=10), digits)
    with partnership(training):
        stat = Path(f"/proc/{the_partner(training)._pid}/stat")
        list(training.records())
        # Ticks of a hundredth of a second in user mode, of some twenty that there is work for.
        assert int(stat.read_text().rpartition(")")[2].split()[11]) > 0


def test_a_partner_that_does_not_begin_is_not_waited_for(digits: Dataset, expect: Any) -> None:
    training = prepare(PLAIN, digits)
    with partnership(training):
        pid = the_partner(training)._pid
        records = training.records()
        taken = [next(records) for _ in range(3)]
        time.sleep(0.05)  # by now it sleeps
        os.kill(pid, signal.SIGSTOP)
        taken += islice(records, 10)
        os.kill(pid, signal.SIGCONT)
        taken += records
        assert (taken, training.network.parameters.tobytes()) == expect(PLAIN)


def test_a_partner_that_is_killed_is_not_needed(digits: Dataset, expect: Any) -> None:
    training = prepare(PLAIN, digits)
    with partnership(training):
        records = training.records()
        taken = [next(records) for _ in range(3)]
        pid = the_partner(training)._pid
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not is_there(pid))
        taken += records
        assert (taken, training.network.parameters.tobytes()) == expect(PLAIN)


def test_where_no_process_can_be_started_one_does_both_halves(
    digits: Dataset, expect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    training = prepare(PLAIN, digits)
    with partnership(training):
        assert (list(training.records()), training.network.parameters.tobytes()) == expect(PLAIN)


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_on_a_system_that_cannot_fork_one_does_both_halves(
    digits: Dataset, expect: Any, monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    # A run that began on Linux goes on elsewhere.
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.delattr(os, "fork")
    training = prepare(PLAIN, digits)
    with partnership(training):
        assert (list(training.records()), training.network.parameters.tobytes()) == expect(PLAIN)


def test_after_it_has_left_training_can_go_on(digits: Dataset, expect: Any) -> None:
    training = prepare(PLAIN, digits)
    records = training.records()
    with partnership(training):
        taken = [next(records) for _ in range(7)]
    taken += records
    assert (taken, training.network.parameters.tobytes()) == expect(PLAIN)


def test_threads_of_the_process_do_not_make_it_complain(digits: Dataset) -> None:
    # From 3.12 on Python warns of forks while there are threads, and warnings are errors here.
    import threading

    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        training = prepare(replace(PLAIN, epochs=1), digits)
        with partnership(training):
            list(training.records())
    finally:
        over.set()
        thread.join()


def test_memory_that_cannot_be_had_is_called_that(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(mmap, "mmap", refuse)
    with pytest.raises(MemoryError, match="Cannot allocate memory"):
        shared_like(np.zeros(3))


# Killed in the middle of something


class Slow:
    """A half whose partner never comes to an end, in memory that shows that it has begun."""

    batch_size = 8

    def __init__(self) -> None:
        self.began = shared_like(np.zeros(1))
        self._home = os.getpid()

    def gradient(self, indices: Any, whole: int, seeds: Seeds) -> float:
        return self._at_home_or_never(indices.sum() + 0.5)

    def update(self, rate: float, step: int, is_complete: bool) -> None:
        self._at_home_or_never(0.0)

    def _at_home_or_never(self, value: float) -> float:
        if os.getpid() != self._home:
            self.began[0] = 1
            time.sleep(10 * DEADLINE)
        return value


@pytest.fixture
def slow() -> Iterator[tuple[Slow, PartnerProcess]]:
    half = Slow()
    process = PartnerProcess(half)  # type: ignore[arg-type]
    yield half, process
    process.close()


def kill_once_begun(half: Slow, process: PartnerProcess) -> None:
    wait_until(lambda: half.began[0])
    os.kill(process._pid, signal.SIGKILL)


def test_a_gradient_that_was_begun_is_found_again(slow: tuple[Slow, PartnerProcess]) -> None:
    half, process = slow
    process.begin_gradient(np.array([1, 2, 4]), 6, (-1, -1))
    kill_once_begun(half, process)
    assert process.finish() == 7.5
    process.begin_gradient(np.array([5]), 6, (-1, -1))
    assert process.finish() == 5.5


def test_an_update_that_was_begun_cannot_be_told_from_one_that_was_not(
    slow: tuple[Slow, PartnerProcess],
) -> None:
    half, process = slow
    process.begin_update(0.1, 1, False)
    kill_once_begun(half, process)
    with pytest.raises(NeuralScopeError, match=r"killed in the middle.* can be resumed"):
        process.finish()


def test_what_fails_in_the_partner_is_done_at_home(capfd: pytest.CaptureFixture[str]) -> None:
    class Broken(Slow):
        def _at_home_or_never(self, value: float) -> float:
            if os.getpid() != self._home:
                raise RuntimeError("not here")
            return value

    process = PartnerProcess(Broken())  # type: ignore[arg-type]
    # It may be quicker at home than the partner at beginning.
    for _ in range(1000):
        process.begin_gradient(np.array([1]), 1, (-1, -1))
        time.sleep(0.01)
        assert process.finish() == 1.5
        if not process._pid:
            break
    assert "RuntimeError: not here" in capfd.readouterr().err
    process.close()


def test_somebody_else_may_take_note_of_its_end(slow: tuple[Slow, PartnerProcess]) -> None:
    half, process = slow
    process.begin_gradient(np.array([1, 2, 4]), 6, (-1, -1))
    pid = process._pid
    kill_once_begun(half, process)
    os.waitpid(pid, 0)
    assert process.finish() == 7.5


def test_ending_it_when_it_has_ended_is_no_mistake() -> None:
    process = PartnerProcess(Slow())  # type: ignore[arg-type]
    os.kill(process._pid, signal.SIGKILL)
    os.waitpid(process._pid, 0)
    process.close()
    process.close()


# Coming and going


def test_it_leaves_no_process_behind(digits: Dataset) -> None:
    training = prepare(PLAIN, digits)
    with partnership(training):
        pid = the_partner(training)._pid
        next(training.records())
        assert is_there(pid)
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def test_asked_to_end_it_stays_until_its_trainer_has_saved_what_there_is(digits: Dataset) -> None:
    training = prepare(PLAIN, digits)
    with partnership(training):
        pid = the_partner(training)._pid
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, number)
        time.sleep(0.05)
        assert is_there(pid)


ORPHANED = """
import time
import numpy as np
from neuralscope.runs.partner import PartnerProcess

class Nothing:
    batch_size = 1

print(PartnerProcess(Nothing())._pid, flush=True)
time.sleep(100)
"""


def test_without_its_trainer_it_ends() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ORPHANED], stdout=subprocess.PIPE, text=True
    ) as trainer:
        assert trainer.stdout is not None
        pid = int(trainer.stdout.readline())
        assert is_there(pid)
        trainer.kill()
    wait_until(lambda: not is_there(pid))


def test_asleep_it_takes_no_time(digits: Dataset) -> None:
    training = prepare(PLAIN, digits)
    with partnership(training):
        list(islice(training.records(), 3))
        stat = Path(f"/proc/{the_partner(training)._pid}/stat")
        time.sleep(0.1)  # until it has fallen asleep

        def ticks() -> int:
            return sum(map(int, stat.read_text().rpartition(")")[2].split()[11:13]))

        before = ticks()
        time.sleep(1.0)
        assert ticks() - before <= 5  # of a hundred


def test_a_half_is_asked_for_what_it_can_do(digits: Dataset) -> None:
    # The stand-ins above have the interface of the real one.
    for name in ("gradient", "update"):
        assert callable(getattr(Half, name))
        assert callable(getattr(Slow, name))
