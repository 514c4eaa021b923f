"""How many cores a run may use: for its matrix products, and for the steps of its optimizer.

A product that takes a fraction of a millisecond gains next to nothing from a second core, and
loses a lot when that core is busy with something else, such as the browser that watches: one
thread then waits for the other at every step. So small networks compute on one thread and leave
the other cores alone; large ones take them all. The count depends on the configuration and the
machine only, because the bits of a result depend on it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from itertools import pairwise
from typing import Any

from threadpoolctl import threadpool_limits

from neuralscope.engine import Spread, Work, in_turn
from neuralscope.runs.config import RunConfig
from neuralscope.runs.machine import THREAD_VARIABLES, usable_cores

WORTH_SHARING = 40e6
"""Floating-point operations in a product from which all cores take part."""


def blas_threads(config: RunConfig, n_features: int, n_classes: int) -> int:
    """Return the number of threads for the products of this configuration.

    A limit that the user has set (OPENBLAS_NUM_THREADS and the like) is kept.
    """
    sizes = config.sizes(n_features, n_classes)
    largest = max(2 * config.batch_size * n_in * n_out for n_in, n_out in pairwise(sizes))
    return _most_threads() if largest >= WORTH_SHARING else 1


def limited_to(n_threads: int) -> Any:
    """Return a context in which NumPy's products use this many threads."""
    return threadpool_limits(limits=n_threads, user_api="blas")


@cache
def spread_over(n_threads: int) -> Spread:
    """Return who shares the blocks of an optimizer's step among this many threads.

    An optimizer reads and writes several vectors and computes little: memory is what it waits for,
    and a second core brings its own way there. NumPy lets go of the interpreter while it computes.
    """
    if n_threads == 1:
        return in_turn
    pool = ThreadPoolExecutor(n_threads - 1, thread_name_prefix="optimizer")

    def spread(work: Work, blocks: Sequence[slice]) -> None:
        # Each takes its context along: in it stands what to do when a number overflows.
        others = [
            pool.submit(copy_context().run, in_turn, work, blocks[i::n_threads])
            for i in range(1, min(n_threads, len(blocks)))
        ]
        in_turn(work, blocks[::n_threads])
        for other in others:
            other.result()

    return spread


def _most_threads() -> int:
    limits = [os.environ.get(name, "") for name in THREAD_VARIABLES]
    return min(
        [usable_cores(), *(int(limit) for limit in limits if limit.isdecimal() and int(limit))]
    )
