from __future__ import annotations

import numpy as np
import pytest

from neuralscope.engine import ACTIVATIONS, INITIALIZERS, Network
from neuralscope.engine.arrays import Array
from neuralscope.engine.gradient_check import relative_error

FAN_IN, FAN_OUT = 300, 200


def drawn(name: str, seed: int = 0) -> Array:
    weight = np.full((FAN_IN, FAN_OUT), np.nan, np.float32)
    INITIALIZERS[name](weight, np.random.default_rng(seed))
    return weight


@pytest.mark.parametrize(
    ("name", "spread"),
    [
        ("he", np.sqrt(2 / FAN_IN)),
        ("glorot", np.sqrt(2 / (FAN_IN + FAN_OUT))),  # of a uniform: its limit / sqrt(3)
        ("normal", 0.01),
        ("zeros", 0.0),
    ],
)
def test_the_spread_is_that_of_the_formula(name: str, spread: float) -> None:
    weight = drawn(name)
    # 60,000 draws know their standard deviation to 0.3 %.
    assert weight.std() == pytest.approx(spread, rel=0.015)
    assert abs(weight.mean()) <= 5 * spread / np.sqrt(weight.size)


def test_glorot_is_uniform_within_its_limits() -> None:
    weight = drawn("glorot")
    limit = np.sqrt(6 / (FAN_IN + FAN_OUT))
    assert limit * 0.999 < np.abs(weight).max() <= np.float32(limit)
    share_in_inner_half = (np.abs(weight) < limit / 2).mean()
    assert share_in_inner_half == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("name", [name for name in INITIALIZERS if name != "zeros"])
def test_the_seed_decides(name: str) -> None:
    np.testing.assert_array_equal(drawn(name), drawn(name))
    assert relative_error(drawn(name, seed=0), drawn(name, seed=1)) > 1


@pytest.mark.parametrize("name", ["he", "glorot"])
def test_a_signal_keeps_its_size_through_many_layers(name: str) -> None:
    activation = {"he": "relu", "glorot": "tanh"}[name]
    network = Network(
        (256,) * 9, activation=activation, initializer=name, rng=np.random.default_rng(1)
    )
    x = np.random.default_rng(2).standard_normal((50, 256))
    sizes = [np.sqrt((a**2).mean()) for a in network.activations(x)[:-1]]
    assert 0.3 < sizes[-1] / sizes[0] < 3


def test_too_small_a_start_lets_the_signal_die() -> None:
    network = Network((256,) * 9, initializer="normal", rng=np.random.default_rng(1))
    x = np.random.default_rng(2).standard_normal((50, 256))
    sizes = [np.sqrt((a**2).mean()) for a in network.activations(x)[:-1]]
    assert sizes[-1] < 1e-4 * sizes[0]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_auto_takes_the_one_made_for_the_activation(activation: str) -> None:
    own = {"relu": "he", "leaky_relu": "he", "tanh": "glorot", "sigmoid": "glorot"}[activation]
    sizes = (20, 10, 5)
    automatic = Network(sizes, activation=activation, rng=np.random.default_rng(3))
    named = Network(sizes, activation=activation, initializer=own, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(automatic.layers[0].weight, named.layers[0].weight)


def test_auto_takes_glorot_for_the_output_layer() -> None:
    network = Network((20, 10, 5), activation="relu", rng=np.random.default_rng(3))
    rng = np.random.default_rng(3)
    INITIALIZERS["he"](np.empty((20, 10)), rng)
    expected = np.empty((10, 5), np.float32)
    INITIALIZERS["glorot"](expected, rng)
    np.testing.assert_array_equal(network.layers[1].weight, expected)


@pytest.mark.parametrize("initializer", ["auto", *INITIALIZERS])
def test_biases_start_at_zero(initializer: str) -> None:
    network = Network((4, 3, 2), initializer=initializer, rng=np.random.default_rng(0))
    assert all((layer.bias == 0).all() for layer in network.layers)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_with_zeros_the_units_of_a_layer_stay_the_same_for_ever(activation: str) -> None:
    rng = np.random.default_rng(4)
    network = Network((5, 4, 4, 3), activation=activation, initializer="zeros", rng=rng)
    x, y = rng.random((30, 5)), rng.integers(0, 3, 30)
    for _ in range(20):
        _, gradient = network.loss_and_gradient(x, y)
        network.parameters -= 0.5 * gradient
    assert np.abs(network.parameters).max() > 0.01  # something has been learned: how frequent
    for layer in network.layers[:-1]:
        np.testing.assert_array_equal(layer.weight, layer.weight[:, :1] + np.zeros(4, np.float32))
        np.testing.assert_array_equal(layer.bias, layer.bias[0])
