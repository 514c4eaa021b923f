from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from neuralscope.engine.activations import ACTIVATIONS, LINEAR, Activation
from neuralscope.engine.arrays import Array

Function = Callable[[Array], Array]

# Value and slope of each as functions of z, written as in a book.
FORMULAS: dict[str, tuple[Function, Function]] = {
    "relu": (lambda z: np.where(z > 0, z, 0), lambda z: np.where(z > 0, 1, 0)),
    "leaky_relu": (lambda z: np.where(z > 0, z, z / 100), lambda z: np.where(z > 0, 1, 0.01)),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "sigmoid": (
        lambda z: 1 / (1 + np.exp(-z)),
        lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2,
    ),
    "linear": (lambda z: z, np.ones_like),
}
ALL = [*ACTIVATIONS.values(), LINEAR]

by_name = pytest.mark.parametrize("activation", ALL, ids=[each.name for each in ALL])


@pytest.fixture
def z() -> Array:
    """(5, 4) numbers on both sides of zero, none of them zero."""
    return np.linspace(-3, 3, 20).reshape(5, 4)


@by_name
def test_the_value_is_that_of_the_formula(activation: Activation, z: Array) -> None:
    value, _ = FORMULAS[activation.name]
    a = z.copy()
    activation.apply(a, np.empty_like(a))
    np.testing.assert_allclose(a, value(z), rtol=1e-12, atol=1e-15)


@by_name
def test_the_slope_is_that_of_the_formula(activation: Activation, z: Array) -> None:
    value, slope = FORMULAS[activation.name]
    delta = np.full_like(z, 3.0)
    activation.backpropagate(value(z).astype(float), delta, np.empty_like(z))
    np.testing.assert_allclose(delta, 3 * slope(z), rtol=1e-12)


@by_name
def test_the_way_back_leaves_the_activation_alone(activation: Activation, z: Array) -> None:
    a = np.abs(z) / 4
    before = a.copy()
    activation.backpropagate(a, np.ones_like(a), np.empty_like(a))
    np.testing.assert_array_equal(a, before)


@by_name
def test_both_directions_keep_float32(activation: Activation) -> None:
    a = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
    delta = np.ones_like(a)
    activation.apply(a, np.empty_like(a))
    activation.backpropagate(a, delta, np.empty_like(a))
    assert a.dtype == delta.dtype == np.float32


@pytest.mark.parametrize(("name", "ends"), [("sigmoid", (0, 1)), ("tanh", (-1, 1))])
def test_saturated_ones_reach_their_ends_without_overflow(
    name: str, ends: tuple[float, float]
) -> None:
    a = np.array([[-1e30, 1e30]], np.float32)
    delta = np.ones_like(a)
    ACTIVATIONS[name].apply(a, np.empty_like(a))
    ACTIVATIONS[name].backpropagate(a, delta, np.empty_like(a))
    assert a.tolist() == [list(ends)]
    assert delta.tolist() == [[0, 0]]


def test_a_unit_at_rest_learns_nothing_with_relu() -> None:
    a, delta = np.zeros((1, 1)), np.ones((1, 1))
    ACTIVATIONS["relu"].backpropagate(a, delta, np.empty_like(a))
    assert delta.item() == 0


def test_each_is_found_under_its_own_name() -> None:
    assert {name: each.name for name, each in ACTIVATIONS.items()} == {
        name: name for name in ("relu", "leaky_relu", "tanh", "sigmoid")
    }
