"""The contributions must add up to what they explain, to the last digit."""

from __future__ import annotations

import numpy as np
import pytest

from neuralscope.analysis import logit_contributions
from neuralscope.engine import ACTIVATIONS, Network


def network(sizes: tuple[int, ...], activation: str = "relu", dtype: type = np.float64) -> Network:
    made = Network(sizes, activation=activation, rng=np.random.default_rng(1), dtype=dtype)
    for layer in made.layers:
        layer.bias[...] = np.random.default_rng(2).normal(0, 0.5, layer.bias.shape)
    return made


@pytest.mark.parametrize("sizes", [(20, 6), (20, 15, 6), (20, 15, 8, 6)])
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_they_add_up_to_the_difference_of_the_logits(
    activation: str, sizes: tuple[int, ...]
) -> None:
    net = network(sizes, activation)
    x = np.random.default_rng(3).random(20)
    logits = net.logits(x[None])[0]
    found = logit_contributions(net, x, 4, 1)
    assert found.units.shape == (sizes[-2],)
    assert found.total == pytest.approx(logits[4] - logits[1], rel=1e-12)


def test_each_is_the_activation_times_the_difference_of_the_weights() -> None:
    net = network((20, 15, 6))
    x = np.random.default_rng(3).random(20)
    a = net.activations(x[None])[0][0]
    last = net.layers[1]
    found = logit_contributions(net, x, 4, 1)
    for j in range(15):
        assert found.units[j] == a[j] * (last.weight[j, 4] - last.weight[j, 1])
    assert found.bias == last.bias[4] - last.bias[1]


def test_without_hidden_layers_the_pixels_contribute() -> None:
    net = network((20, 6))
    x = np.zeros(20)
    x[3] = 0.5
    found = logit_contributions(net, x, 0, 2)
    assert np.flatnonzero(found.units).tolist() == [3]


def test_the_largest_and_the_rest_are_all() -> None:
    net = network((20, 15, 6), "tanh", dtype=np.float32)
    x = np.random.default_rng(3).random(20).astype(np.float32)
    found = logit_contributions(net, x, 4, 1)
    units, rest = found.largest(4)
    assert found.units[units].sum() + rest + found.bias == pytest.approx(found.total, rel=1e-12)
    assert set(units) == set(np.argsort(-np.abs(found.units))[:4])
    assert (np.diff(found.units[units]) <= 0).all()


def test_silent_units_are_not_named() -> None:
    net = network((20, 15, 6), "relu")
    x = np.random.default_rng(3).random(20)
    units, rest = logit_contributions(net, x, 4, 1).largest(15)
    assert sorted(units) == np.flatnonzero(net.activations(x[None])[0][0]).tolist()
    assert rest == 0


def test_where_there_are_few_nothing_is_left_for_the_rest() -> None:
    net = network((20, 3, 6), "tanh")
    units, rest = logit_contributions(net, np.ones(20), 4, 1).largest(10)
    assert len(units) == 3
    assert rest == 0
