import numpy as np
import pytest

from neuralscope.analysis import (
    extreme_examples,
    idle_units,
    logits_from,
    order_by_preference,
    preferred_class,
    seen_through,
    unit_means,
)
from neuralscope.engine import Network


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


# Means and preference


def test_means_are_those_of_brute_force(rng: np.random.Generator) -> None:
    activations, labels = rng.normal(size=(200, 7)), rng.integers(0, 4, 200)
    means = unit_means(activations, labels, 4)
    for unit in range(7):
        for digit in range(4):
            assert means[unit, digit] == pytest.approx(activations[labels == digit, unit].mean())


def test_float32_means_are_good_to_six_digits(rng: np.random.Generator) -> None:
    activations = rng.uniform(0, 3, (10_000, 3)).astype(np.float32)
    labels = rng.integers(0, 10, 10_000)
    exact = unit_means(activations.astype(np.float64), labels, 10)
    np.testing.assert_allclose(unit_means(activations, labels, 10), exact, rtol=1e-5)


def test_a_class_without_examples_has_no_mean() -> None:
    assert np.isnan(unit_means([[1.0], [2.0]], [0, 0], 2)).tolist() == [[False, True]]
    assert preferred_class([[1.0, np.nan], [-1.0, np.nan]]).tolist() == [-1, -1]
    assert preferred_class([[1.0, np.nan, 2.0]]).tolist() == [2]


def test_what_diverged_has_no_preference() -> None:
    assert preferred_class([[np.nan, np.nan]]).tolist() == [-1]


def test_units_are_ordered_by_the_digit_they_prefer_and_then_by_strength() -> None:
    means = np.array([[0, 0, 5], [3, 0, 0], [0, 0, 0], [0, 0, 9], [4, 1, 1], [-5, -1, -3]])
    assert preferred_class(means).tolist() == [2, 0, -1, 2, 0, 1]
    assert order_by_preference(means).tolist() == [4, 1, 5, 3, 0, 2]


# Units of no use


def network(activation: str, rng: np.random.Generator) -> Network:
    return Network((5, 4, 3), activation=activation, rng=rng, dtype=np.float64)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_a_unit_pushed_below_zero_is_dead(activation: str, rng: np.random.Generator) -> None:
    net = network(activation, rng)
    net.layers[0].bias[:] = 10
    net.layers[0].bias[2] = -1_000
    idle = idle_units(net.activations(rng.random((50, 5)))[0], activation)
    assert idle.dead.tolist() == [2]
    assert idle.saturated.tolist() == []
    assert idle.share.tolist() == [1, 1, 0, 1]


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
@pytest.mark.parametrize("bias", [-100, 100])
def test_a_unit_pushed_to_an_end_is_saturated(
    activation: str, bias: float, rng: np.random.Generator
) -> None:
    net = network(activation, rng)
    net.layers[0].bias[1] = bias
    idle = idle_units(net.activations(rng.random((50, 5)))[0], activation)
    assert idle.saturated.tolist() == [1]
    assert idle.dead.tolist() == []
    assert idle.share[1] == 1


def test_a_unit_that_fires_once_is_not_dead() -> None:
    activations = np.zeros((100, 1))
    activations[37] = 0.1
    idle = idle_units(activations, "relu")
    assert idle.dead.tolist() == []
    assert idle.share.tolist() == [0.01]


def test_saturated_means_on_nearly_all_examples() -> None:
    activations = np.ones((100, 2))
    activations[:5, 0] = 0.5
    activations[:6, 1] = 0.5
    assert idle_units(activations, "tanh").saturated.tolist() == [0]


# The digits at both ends


def test_extreme_examples_are_those_of_a_sort(rng: np.random.Generator) -> None:
    values = rng.normal(size=100)
    most, least = extreme_examples(values, most=16, least=8)
    assert most.tolist() == sorted(range(100), key=lambda i: -values[i])[:16]
    assert least.tolist() == sorted(range(100), key=lambda i: values[i])[:8]


def test_few_examples_are_all_there_is() -> None:
    most, least = extreme_examples([1.0, 2.0], most=16, least=8)
    assert (most.tolist(), least.tolist()) == ([1, 0], [0, 1])


# What a unit sees


def test_the_first_layer_sees_with_its_weights(rng: np.random.Generator) -> None:
    net = network("relu", rng)
    seen = seen_through(net, rng.random((3, 5)), layer=0, unit=2)
    np.testing.assert_array_equal(seen, net.layers[0].weight[:, 2])


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "sigmoid"])
def test_deeper_units_see_the_mean_slope_of_what_they_add_up(
    activation: str, rng: np.random.Generator
) -> None:
    net = Network((5, 6, 7, 3), activation=activation, rng=rng, dtype=np.float64)
    x, step = rng.random((4, 5)), 1e-6
    seen = seen_through(net, x, layer=2, unit=1)
    for pixel in range(5):
        up, down = x.copy(), x.copy()
        up[:, pixel] += step
        down[:, pixel] -= step
        slope = (net.logits(up)[:, 1] - net.logits(down)[:, 1]).mean() / (2 * step)
        assert seen[pixel] == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_looking_at_a_unit_does_not_change_the_network(rng: np.random.Generator) -> None:
    net = Network((5, 6, 7, 3), rng=rng, dtype=np.float64)
    before = net.parameters.copy()
    seen_through(net, rng.random((4, 5)), layer=2, unit=0)
    np.testing.assert_array_equal(net.parameters, before)


@pytest.mark.parametrize("sizes", [(5, 3), (5, 4, 3), (5, 6, 4, 3)])
def test_logits_come_out_as_the_network_computes_them(
    sizes: tuple[int, ...], rng: np.random.Generator
) -> None:
    net = Network(sizes, rng=rng, dtype=np.float64)
    x = rng.random((9, 5))
    np.testing.assert_allclose(logits_from(net, x, net.activations(x)), net.logits(x))
