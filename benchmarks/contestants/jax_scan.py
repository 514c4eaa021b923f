"""JAX: a whole epoch compiled into one program, its steps a scan over the batches."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.contestants import Epoch
from benchmarks.pictures import Pictures
from benchmarks.rows import Row

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8

Tree = Any  # nested lists and tuples of arrays


def prepare(row: Row, pictures: Pictures) -> Epoch:
    """Return a function that trains and times one epoch."""
    x, y = jnp.asarray(pictures.scaled()), jnp.asarray(pictures.labels.astype(np.int32))
    n_full = len(y) // row.batch_size * row.batch_size
    rng = np.random.default_rng(0)
    parameters = [
        (
            jnp.asarray((rng.standard_normal(shape) * np.sqrt(2 / shape[0])).astype(np.float32)),
            jnp.zeros(shape[1], jnp.float32),
        )
        for shape in pairwise(row.sizes)
    ]

    def loss(parameters: Tree, indices: jax.Array) -> jax.Array:
        a = x[indices]
        for weight, bias in parameters[:-1]:
            a = jax.nn.relu(a @ weight + bias)
        weight, bias = parameters[-1]
        log_p = jax.nn.log_softmax(a @ weight + bias)
        return -jnp.take_along_axis(log_p, y[indices][:, None], axis=1).mean()

    def step(state: Tree, indices: jax.Array) -> tuple[Tree, jax.Array]:
        parameters, first, second, t = state
        value, grad = jax.value_and_grad(loss)(parameters, indices)
        update = _adam if row.optimizer == "adam" else _momentum
        return update(row, parameters, first, second, t + 1, grad), value

    def whole_epoch(state: Tree, order: jax.Array) -> Tree:
        state, _ = jax.lax.scan(step, state, order[:n_full].reshape(-1, row.batch_size))
        if n_full < len(y):
            state, _ = step(state, order[n_full:])
        return state

    compiled = jax.jit(whole_epoch, donate_argnums=0)
    # Donated buffers are overwritten, so no two may be one.
    zeros = [jax.tree.map(jnp.zeros_like, parameters) for _ in range(2)]
    state = (parameters, *zeros, jnp.zeros((), jnp.float32))

    def epoch() -> float:
        nonlocal state
        began = time.perf_counter()
        state = compiled(state, rng.permutation(len(y)).astype(np.int32))
        jax.block_until_ready(state)
        return time.perf_counter() - began

    return epoch


def _momentum(row: Row, p: Tree, velocity: Tree, unused: Tree, t: jax.Array, grad: Tree) -> Tree:
    if row.momentum:
        velocity = jax.tree.map(lambda v, g: row.momentum * v + g, velocity, grad)
        grad = velocity
    p = jax.tree.map(lambda p, g: p - row.learning_rate * g, p, grad)
    return p, velocity, unused, t


def _adam(row: Row, p: Tree, mean: Tree, square: Tree, t: jax.Array, grad: Tree) -> Tree:
    mean = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, mean, grad)
    square = jax.tree.map(lambda s, g: BETA2 * s + (1 - BETA2) * g * g, square, grad)
    c1, c2 = 1 - BETA1**t, 1 - BETA2**t
    p = jax.tree.map(
        lambda p, m, s: p - row.learning_rate * (m / c1) / (jnp.sqrt(s / c2) + EPSILON),
        p,
        mean,
        square,
    )
    return p, mean, square, t
