"""The matrix products of a training step and nothing else: what no NumPy program can beat.

Of each layer the forward product and the one for its weights' gradient, and of all but the first
the one for its input's gradient, on arrays that stay the same.
"""

from __future__ import annotations

import time
from math import ceil

import numpy as np

from benchmarks.contestants import Epoch
from benchmarks.pictures import Pictures
from benchmarks.rows import Row


def prepare(row: Row, pictures: Pictures) -> Epoch:
    """Return a function that multiplies, and times, as often as an epoch does."""
    rng = np.random.default_rng(0)
    x = [rng.random((row.batch_size, n), np.float32) for n in row.sizes]
    weight = [rng.standard_normal(shape, np.float32) for shape in row.shapes]
    delta = [rng.standard_normal(a.shape, np.float32) for a in x[1:]]
    out = [np.empty_like(a) for a in x]
    weight_grad = [np.empty_like(w) for w in weight]
    n_steps = ceil(len(pictures.labels) / row.batch_size)

    def epoch() -> float:
        began = time.perf_counter()
        for _ in range(n_steps):
            for i in range(len(weight)):
                np.matmul(x[i], weight[i], out=out[i + 1])
                np.matmul(x[i].T, delta[i], out=weight_grad[i])
                if i:
                    np.matmul(delta[i], weight[i].T, out=out[i])
        return time.perf_counter() - began

    return epoch
