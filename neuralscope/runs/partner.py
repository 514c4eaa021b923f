"""A second process that does half of every step, on memory that both see.

    trainer                                     partner
    writes down what is to be done
    go ──────────────────────────────────────>  begins with the second half
    does the first half
    waits  <───────────────────────────── done

The partner is a fork: it has the examples, the network and all settings without anything being
sent. Parameters, gradients and the optimizer's vectors lie in memory that was shared before. Who
waits looks at a semaphore again and again, which is quicker than to be woken up, but for no more
than a millisecond: in a pause the partner sleeps.

The trainer does not rely on its partner. What it has not begun with when the trainer is through
with its own half, because another program has the core, the trainer takes back and does itself, to
the same bits (see `neuralscope.engine.shares`). A partner whose trainer is gone ends.
"""

from __future__ import annotations

import gc
import mmap
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from neuralscope.engine.arrays import Indices
from neuralscope.engine.shares import Half, Seeds
from neuralscope.errors import NeuralScopeError

if TYPE_CHECKING:
    from multiprocessing.synchronize import Semaphore

    from neuralscope.engine import Training

T = TypeVar("T", bound=np.generic)

LOOKS = 20_000
"""Times to look at a semaphore before going to sleep over it: about a millisecond."""

NAP = 0.5
"""Seconds of sleep after which to see whether the other process is still there."""

GRADIENT, UPDATE = 0.0, 1.0
"""What there is to do."""


def can_have_partner() -> bool:
    """Return whether a fork can multiply matrices on this system.

    The matrix library of macOS does not survive a fork, and Windows has none.
    """
    return sys.platform == "linux"


@contextmanager
def partnership(training: Training) -> Iterator[None]:
    """Have a training's steps taken by two processes while this context lasts.

    From here on the training learns in halves, also where a second process cannot be had. The
    limit on threads must be set before: the second process inherits it.

    Raises:
        MemoryError: There is none left to be shared.
    """
    halves = training.halve(allocate=shared_like)
    ourselves = halves.partner
    process = _start(halves.second)
    halves.partner = process or ourselves
    try:
        yield
    finally:
        halves.partner = ourselves
        if process:
            process.close()


def _start(half: Half) -> PartnerProcess | None:
    if not can_have_partner():  # a run that began on another machine may have had one
        return None
    try:
        return PartnerProcess(half)
    except (OSError, ImportError):  # no more processes allowed, or no semaphores
        return None


def shared_like(array: npt.NDArray[T]) -> npt.NDArray[T]:
    """Return memory for such an array that a process and its forks have in common.

    Raises:
        MemoryError: There is none left.
    """
    try:
        memory = mmap.mmap(-1, max(array.nbytes, 1))
    except OSError as error:
        raise MemoryError(str(error)) from error
    return np.frombuffer(memory, array.dtype, array.size).reshape(array.shape)


class PartnerProcess:
    """The `neuralscope.engine.shares.Partner` that has a core of its own."""

    def __init__(self, half: Half) -> None:
        """Start it.

        Raises:
            OSError: The system cannot have one more process.
            ImportError: The system has no semaphores.
        """
        from multiprocessing import get_context

        context = get_context("fork")
        self._half = half
        self._go: Semaphore = context.Semaphore(0)
        self._done: Semaphore = context.Semaphore(0)
        # What is to be done, in numbers (a float64 holds a count exactly), and the loss.
        self._task = shared_like(np.zeros(4))
        self._indices = shared_like(np.empty(half.batch_size, np.intp))
        self._seeds = shared_like(np.empty(2, np.int64))
        self._loss = shared_like(np.zeros(1))
        self._pid = self._fork()

    # The trainer's side --------------------------------------------------------------------------

    def begin_gradient(self, indices: Indices, whole: int, seeds: Seeds) -> None:
        """Ask for the gradient of these examples."""
        n = len(indices)
        self._indices[:n] = indices
        self._seeds[:] = seeds
        self._task[:3] = GRADIENT, n, whole
        self._go.release()

    def begin_update(self, rate: float, step: int, is_complete: bool) -> None:
        """Ask for the update of its half of the parameters."""
        self._task[:] = UPDATE, rate, step, is_complete
        self._go.release()

    def finish(self) -> float:
        """Return when it is done: with the part of the loss, if it was the gradient.

        Raises:
            NeuralScopeError: The process was killed while it changed the parameters.
        """
        if self._go.acquire(False):  # it has not begun: take it back
            self._work()
        elif not self._has_finished():
            if self._task[0] == UPDATE:
                raise NeuralScopeError(
                    "The process that computes half of each step was killed in the middle of one. "
                    "The run can be resumed."
                )
            self._work()
        return float(self._loss[0])

    def _has_finished(self) -> bool:
        """Wait until it is done; return False if it has died instead."""
        if not _await(self._done, self._has_died):
            self._pid = 0
            return False
        return True

    def _has_died(self) -> bool:
        try:
            return os.waitpid(self._pid, os.WNOHANG)[0] != 0
        except ChildProcessError:  # somebody else has taken note of its end
            return True

    def close(self) -> None:
        """End the process, which has nothing to save."""
        if self._pid:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
            self._pid = 0

    # The partner's side --------------------------------------------------------------------------

    def _fork(self) -> int:
        """Return the number of the new process, which never comes back from here."""
        trainer = os.getpid()
        with warnings.catch_warnings():
            # Threads may hold locks at this moment. The new process only computes: it takes none.
            warnings.simplefilter("ignore", DeprecationWarning)
            # It does not hear of requests to end: it ends when the trainer is through.
            heard = signal.pthread_sigmask(
                signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
            )
            try:
                pid = os.fork()
            finally:
                if os.getpid() == trainer:
                    signal.pthread_sigmask(signal.SIG_SETMASK, heard)
        if pid:
            return pid
        try:
            gc.disable()  # nothing that it inherited is its own to clear away
            self._serve(trainer)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)

    def _serve(self, trainer: int) -> None:
        """Do what is asked for, until the trainer is gone."""
        with np.errstate(over="ignore", invalid="ignore"):
            while _await(self._go, lambda: os.getppid() != trainer):
                self._work()
                self._done.release()

    # Either side ---------------------------------------------------------------------------------

    def _work(self) -> None:
        """Do what is to be done."""
        kind, *numbers = self._task.tolist()
        if kind == GRADIENT:
            n, whole = int(numbers[0]), int(numbers[1])
            dropout, augment = self._seeds.tolist()
            self._loss[0] = self._half.gradient(self._indices[:n], whole, (dropout, augment))
        else:
            rate, step, is_complete = numbers
            self._half.update(rate, int(step), bool(is_complete))


def _await(semaphore: Semaphore, is_in_vain: Callable[[], bool]) -> bool:
    """Wait until a semaphore is released; return False where that is in vain."""
    look = semaphore.acquire
    if any(look(False) for _ in range(LOOKS)):
        return True
    while not look(True, NAP):
        if is_in_vain():
            return False
    return True
