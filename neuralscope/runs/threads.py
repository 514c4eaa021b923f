"""How many cores the matrix products of a run may use.

A product that takes a fraction of a millisecond gains next to nothing from a second core, and
loses a lot when that core is busy with something else, such as the browser that watches: one
thread then waits for the other at every step. So small networks compute on one thread and leave
the other cores alone; large ones take them all. The count depends on the configuration and the
machine only, because the bits of a result depend on it.
"""

from __future__ import annotations

import os
from itertools import pairwise
from typing import Any

from threadpoolctl import threadpool_limits

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


def _most_threads() -> int:
    limits = [os.environ.get(name, "") for name in THREAD_VARIABLES]
    return min(
        [usable_cores(), *(int(limit) for limit in limits if limit.isdecimal() and int(limit))]
    )
