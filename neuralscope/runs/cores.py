"""How many cores a run may use, and in which way.

A product that takes a fraction of a millisecond gains next to nothing from a second thread, and
loses a lot when that core is busy with something else, such as the browser that watches. So small
networks compute on one core. Larger ones take more: on two cores, each of two processes learns
half of every batch (see `neuralscope.runs.partner`), where nobody watches already from a size at
which that pays; on more cores, and for the largest, the matrix library has a thread on each.

What is decided depends on the configuration, the machine and the watching only, is written down
with the run, and holds for it ever after, because the bits of a result depend on it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

from threadpoolctl import threadpool_limits

from neuralscope.engine import Training, count_parameters
from neuralscope.runs.machine import THREAD_VARIABLES, usable_cores
from neuralscope.runs.partner import can_have_partner, partnership

WORTH_HALVING = 10e6
"""Floating-point operations in a product from which half of it is worth a meeting."""

WORTH_SHARING = 40e6
"""From which a second core is worth more to the run than to whoever watches it."""

MOST_THREADS = 1024

MOST_PARAMETERS = 1_500_000
"""To which two processes do better than two threads: more of them take long to add up."""

FEW = 3
"""Cores with which two processes do better than two threads."""


class Cores(NamedTuple):
    """What a run may use.

    Attributes:
        processes: 1, or 2 that learn half of each batch each.
        blas_threads: Threads for the products of each.
    """

    processes: int
    blas_threads: int

    @contextmanager
    def at_work(self, training: Training) -> Iterator[None]:
        """Have a training use them while this context lasts."""
        with ExitStack() as stack:
            stack.enter_context(limited_to(self.blas_threads))
            if self.processes == 2:
                stack.enter_context(partnership(training))
            yield


def cores_for(sizes: Sequence[int], batch_size: int, *, is_watched: bool = True) -> Cores:
    """Return what a run may use.

    A limit that the user has set (OPENBLAS_NUM_THREADS and the like) is kept.

    Args:
        sizes: Units of each layer of its network, inputs first.
        batch_size: Examples a step.
        is_watched: Whether a browser on the same machine draws what comes out.
    """
    may_halve = 1 < _most_cores() <= FEW and can_have_partner()
    if may_halve and count_parameters(sizes) <= MOST_PARAMETERS:
        worth_it = WORTH_SHARING if is_watched else WORTH_HALVING
        is_worth_it = _largest_product(sizes, batch_size) >= worth_it
        return Cores(processes=2 if is_worth_it else 1, blas_threads=1)
    return Cores(processes=1, blas_threads=blas_threads(sizes, batch_size))


def recorded(machine: Mapping[str, Any]) -> Cores | None:
    """Return what a run used when it was computed before; None where that is not known.

    What a file says that was imported is not trusted further than that it makes sense.
    """
    processes = machine.get("processes", 1)  # runs from before there were partners do not say so
    threads = machine.get("blas_threads")
    if processes not in (1, 2) or not isinstance(threads, int) or not 1 <= threads <= MOST_THREADS:
        return None
    return Cores(processes, threads)


def blas_threads(sizes: Sequence[int], batch_size: int) -> int:
    """Return the number of threads for the products of one process that works alone."""
    largest = _largest_product(sizes, batch_size)
    return _most_cores() if largest >= WORTH_SHARING else 1


def limited_to(n_threads: int) -> Any:
    """Return a context in which NumPy's products use this many threads."""
    return threadpool_limits(limits=n_threads, user_api="blas")


def _largest_product(sizes: Sequence[int], batch_size: int) -> int:
    """Return the floating-point operations of the largest product in a step's forward pass."""
    return max(2 * batch_size * n_in * n_out for n_in, n_out in pairwise(sizes))


def _most_cores() -> int:
    limits = [os.environ.get(name, "") for name in THREAD_VARIABLES]
    return min(
        [usable_cores(), *(int(limit) for limit in limits if limit.isdecimal() and int(limit))]
    )
