from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from neuralscope.engine import OPTIMIZERS, optimizers
from neuralscope.engine.arrays import Array
from neuralscope.engine.gradient_check import relative_error
from neuralscope.engine.optimizers import SGD, Adam, AdamW, Momentum, Nesterov, RMSProp

LEARNING_RATE = 0.1
N = 40


@pytest.fixture
def parameters() -> Array:
    return np.random.default_rng(0).standard_normal(N)


@pytest.fixture
def gradients() -> Array:
    """(3, N): those of three steps, of very different sizes."""
    rng = np.random.default_rng(1)
    return rng.standard_normal((3, N)) * 10.0 ** rng.integers(-4, 3, N)


# Each formula written plainly, yielding the parameters after each step.


def sgd(p: Array, gradients: Array, lr: float) -> Iterator[Array]:
    for g in gradients:
        p = p - lr * g
        yield p


def momentum(p: Array, gradients: Array, lr: float) -> Iterator[Array]:
    v = np.zeros(N)
    for g in gradients:
        v = 0.9 * v + g
        p = p - lr * v
        yield p


def nesterov(p: Array, gradients: Array, lr: float) -> Iterator[Array]:
    v = np.zeros(N)
    for g in gradients:
        v = 0.9 * v + g
        p = p - lr * (g + 0.9 * v)
        yield p


def rmsprop(p: Array, gradients: Array, lr: float) -> Iterator[Array]:
    s = np.zeros(N)
    for g in gradients:
        s = 0.9 * s + 0.1 * g**2
        p = p - lr * g / (np.sqrt(s) + 1e-8)
        yield p


def adam(p: Array, gradients: Array, lr: float, weight_decay: float = 0.0) -> Iterator[Array]:
    m, s = np.zeros(N), np.zeros(N)
    for t, g in enumerate(gradients, 1):
        p = p - lr * weight_decay * p
        m = 0.9 * m + 0.1 * g
        s = 0.999 * s + 0.001 * g**2
        mean, square = m / (1 - 0.9**t), s / (1 - 0.999**t)
        p = p - lr * mean / (np.sqrt(square) + 1e-8)
        yield p


def adamw(p: Array, gradients: Array, lr: float) -> Iterator[Array]:
    return adam(p, gradients, lr, weight_decay=0.01)


Formula = Callable[[Array, Array, float], Iterator[Array]]
FORMULAS: dict[str, Formula] = {
    "sgd": sgd,
    "momentum": momentum,
    "nesterov": nesterov,
    "rmsprop": rmsprop,
    "adam": adam,
    "adamw": adamw,
}


def test_there_is_a_formula_for_each() -> None:
    assert list(FORMULAS) == list(OPTIMIZERS)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_first_three_steps_are_those_of_the_formula(
    name: str, parameters: Array, gradients: Array
) -> None:
    expected = FORMULAS[name](parameters.copy(), gradients, LEARNING_RATE)
    optimizer = OPTIMIZERS[name](parameters)
    for g in gradients:
        optimizer.update(parameters, g.copy(), LEARNING_RATE)
        np.testing.assert_allclose(parameters, next(expected), rtol=1e-12)
    assert optimizer.step_count == 3


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_pytorch_takes_the_same_steps(name: str, parameters: Array, gradients: Array) -> None:
    torch = pytest.importorskip("torch")
    theirs = {
        "sgd": lambda p: torch.optim.SGD(p, LEARNING_RATE),
        "momentum": lambda p: torch.optim.SGD(p, LEARNING_RATE, momentum=0.9),
        "nesterov": lambda p: torch.optim.SGD(p, LEARNING_RATE, momentum=0.9, nesterov=True),
        "rmsprop": lambda p: torch.optim.RMSprop(p, LEARNING_RATE, alpha=0.9),
        "adam": lambda p: torch.optim.Adam(p, LEARNING_RATE),
        "adamw": lambda p: torch.optim.AdamW(p, LEARNING_RATE, weight_decay=0.01),
    }
    their_parameters = torch.tensor(parameters, requires_grad=True)
    their_optimizer = theirs[name]([their_parameters])
    optimizer = OPTIMIZERS[name](parameters)
    for g in np.tile(gradients, (5, 1)):
        their_parameters.grad = torch.tensor(g)
        their_optimizer.step()
        optimizer.update(parameters, g.copy(), LEARNING_RATE)
        assert relative_error(parameters, their_parameters.detach().numpy()) < 1e-6


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_finds_the_bottom_of_a_parabola(name: str) -> None:
    # (p - target)^2 with curvatures from 1 to 10, so that no single step would do.
    target = np.array([3.0, -2.0, 0.5])
    curvature = np.array([1.0, 3.0, 10.0])
    p = np.zeros(3)
    settings = {"weight_decay": 0.0} if name == "adamw" else {}
    optimizer = OPTIMIZERS[name](p, **settings)
    n_steps = 2_000
    for step in range(n_steps):
        rate = 0.05 * (1 - step / n_steps)  # those with a step size of their own must settle
        optimizer.update(p, curvature * (p - target), rate)
    np.testing.assert_allclose(p, target, atol=1e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_all_happens_in_place(name: str, dtype: type) -> None:
    p = np.ones(N, dtype)
    view = p[3:5]
    optimizer = OPTIMIZERS[name](p)
    memory = dict(optimizer.state)
    for _ in range(2):
        optimizer.update(p, np.ones(N, dtype), LEARNING_RATE)
    assert (view < 1).all()
    assert list(memory) == list(OPTIMIZERS[name].memory)
    for vector, vector_before in zip(optimizer.state.values(), memory.values(), strict=True):
        assert vector is vector_before
        assert (vector.shape, vector.dtype) == (p.shape, p.dtype)
        assert (vector != 0).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_memory_starts_at_zero(name: str, parameters: Array) -> None:
    optimizer = OPTIMIZERS[name](parameters)
    assert optimizer.step_count == 0
    assert all((vector == 0).all() for vector in optimizer.state.values())


@pytest.mark.parametrize(
    ("name", "memory"),
    [
        ("sgd", []),
        ("momentum", ["velocity"]),
        ("nesterov", ["velocity"]),
        ("rmsprop", ["mean_square"]),
        ("adam", ["gradient_sum", "square_sum"]),
        ("adamw", ["gradient_sum", "square_sum"]),
    ],
)
def test_each_remembers_what_its_formula_needs(
    name: str, memory: list[str], parameters: Array
) -> None:
    assert list(OPTIMIZERS[name](parameters).state) == memory


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_settings_are_keywords_of_the_constructor(name: str, parameters: Array) -> None:
    for setting in OPTIMIZERS[name].settings:
        optimizer = OPTIMIZERS[name](parameters, **{setting: 0.123})
        assert getattr(optimizer, setting) == 0.123


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_blocks_give_what_one_go_gives(
    name: str,
    dtype: type,
    parameters: Array,
    gradients: Array,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results = []
    for block in (N, N - 1, 7, 1):
        monkeypatch.setattr(optimizers, "BLOCK", block)
        p = parameters.astype(dtype)
        optimizer = OPTIMIZERS[name](p)
        for g in gradients:
            optimizer.update(p, g.astype(dtype), LEARNING_RATE)
        results.append(np.concatenate([p, *optimizer.state.values()]))
        # Not to the bit: NumPy takes other routines for other lengths.
        np.testing.assert_allclose(results[-1], results[0], rtol=4 * np.finfo(dtype).eps)


# What distinguishes them


def test_no_momentum_is_plain_descent(parameters: Array, gradients: Array) -> None:
    plain = parameters.copy()
    for optimizer, p in ((Momentum(parameters, momentum=0.0), parameters), (SGD(plain), plain)):
        for g in gradients:
            optimizer.update(p, g.copy(), LEARNING_RATE)
    np.testing.assert_allclose(parameters, plain, rtol=1e-15)


def test_a_constant_push_reaches_ten_times_its_speed_with_momentum() -> None:
    p = np.zeros(1)
    optimizer = Momentum(p)
    for _ in range(200):
        before = p.copy()
        optimizer.update(p, np.ones(1), LEARNING_RATE)
    assert (before - p).item() == pytest.approx(10 * LEARNING_RATE)


def test_nesterov_is_momentum_one_push_ahead() -> None:
    p, q = np.zeros(1), np.zeros(1)
    Momentum(p).update(p, np.ones(1), LEARNING_RATE)
    Nesterov(q).update(q, np.ones(1), LEARNING_RATE)
    assert q.item() == pytest.approx(1.9 * p.item())


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_adams_first_step_is_the_learning_rate_whatever_the_gradient(scale: float) -> None:
    p = np.zeros(2)
    Adam(p).update(p, np.array([scale, -scale]), LEARNING_RATE)
    np.testing.assert_allclose(p, [-LEARNING_RATE, LEARNING_RATE], rtol=1e-4)


@pytest.mark.parametrize("optimizer_class", [RMSProp, Adam, AdamW])
def test_no_gradient_no_step_and_no_division_by_zero(optimizer_class: type[RMSProp]) -> None:
    p = np.zeros(2, np.float32)
    optimizer_class(p).update(p, np.zeros(2, np.float32), LEARNING_RATE)
    assert p.tolist() == [0, 0]


def test_adamw_decays_without_a_gradient() -> None:
    p = np.array([1.0, -4.0])
    optimizer = AdamW(p, weight_decay=0.5)
    for _ in range(3):
        optimizer.update(p, np.zeros(2), LEARNING_RATE)
    np.testing.assert_allclose(p, np.array([1.0, -4.0]) * (1 - 0.1 * 0.5) ** 3)


def test_adamw_without_decay_is_adam(parameters: Array, gradients: Array) -> None:
    other = parameters.copy()
    pairs = ((AdamW(parameters, weight_decay=0.0), parameters), (Adam(other), other))
    for optimizer, p in pairs:
        for g in gradients:
            optimizer.update(p, g.copy(), LEARNING_RATE)
    np.testing.assert_array_equal(parameters, other)
