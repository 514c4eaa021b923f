"""The map is a derivative, so it is compared with differences; the test of it, with a loop."""

from __future__ import annotations

import numpy as np
import pytest

from neuralscope.analysis import removal, saliency_map
from neuralscope.engine import ACTIVATIONS, Network


def network(sizes: tuple[int, ...] = (12, 9, 7, 4), activation: str = "tanh") -> Network:
    made = Network(
        sizes, activation=activation, rng=np.random.default_rng(3), dtype=np.float64
    )  # fmt: skip
    made.parameters[...] += np.random.default_rng(4).normal(0, 0.2, made.parameters.shape)
    return made


@pytest.mark.parametrize("sizes", [(12, 4), (12, 9, 4), (12, 9, 7, 4)])
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_it_is_the_gradient_of_the_difference_of_two_logits(
    activation: str, sizes: tuple[int, ...]
) -> None:
    net = network(sizes, activation)
    x = np.random.default_rng(5).random(12)

    def difference(x: np.ndarray) -> float:
        logits = net.logits(x[None])[0]
        return float(logits[2] - logits[1])

    step = 1e-6
    numeric = [
        (difference(x + step * unit) - difference(x - step * unit)) / (2 * step)
        for unit in np.eye(12)
    ]
    assert saliency_map(net, x, 2, 1) == pytest.approx(np.array(numeric), rel=1e-5, abs=1e-8)


def test_a_class_compared_with_itself_makes_no_difference() -> None:
    assert not saliency_map(network(), np.full(12, 0.5), 1, 1).any()


def test_the_network_is_left_as_it_was() -> None:
    net = network()
    parameters, gradient = net.parameters.copy(), net.gradient.copy()
    saliency_map(net, np.full(12, 0.5), 0, 1)
    assert np.array_equal(net.parameters, parameters)
    assert np.array_equal(net.gradient, gradient)


def test_removal_takes_the_most_marked_ink_first() -> None:
    net = network()
    x = np.array([0.0, 0.9, 0.8, 0.0, 0.7, 0.6, 0.0, 0.5, 0.4, 0.3, 0.2, 0.1])
    marks = np.arange(12.0)  # pixel 11 the most; 0, 3 and 6 have no ink to take
    found = removal(net, x, marks, rng=np.random.default_rng(0), most=4, draws=5)
    assert found.removed.tolist() == [0, 1, 2, 3, 4]
    answer = int(net.predict(x[None])[0])
    for step, gone in enumerate([[], [11], [11, 10], [11, 10, 9], [11, 10, 9, 8]]):
        blank = x.copy()
        blank[gone] = 0
        expected = net.predict_proba(blank[None])[0, answer]
        assert found.marked[step] == pytest.approx(expected, abs=1e-12)


def test_at_random_it_is_the_mean_over_all_draws() -> None:
    net = network()
    x = np.random.default_rng(1).random(12)
    found = removal(net, x, x, rng=np.random.default_rng(7), most=12, draws=20)
    rng = np.random.default_rng(7)
    orders = [rng.permutation(np.arange(12)) for _ in range(20)]
    answer = int(net.predict(x[None])[0])
    for step, k in enumerate(found.removed):
        total = 0.0
        for order in orders:
            blank = x.copy()
            blank[order[:k]] = 0
            total += net.predict_proba(blank[None])[0, answer] / 20
        assert found.random[step] == pytest.approx(total, abs=1e-12)


def test_it_says_when_the_answer_turns_and_to_what() -> None:
    # Class 0 for each ink in the first half, class 1 for each in the second.
    net = Network((6, 2), rng=np.random.default_rng(0), dtype=np.float64)
    net.layers[0].weight[...] = [[1, 0]] * 3 + [[0, 1]] * 3
    x = np.array([1.0, 1.0, 1.0, 1.0, 0.5, 0.0])
    marks = saliency_map(net, x, 0, 1)
    found = removal(net, x, marks, rng=np.random.default_rng(0))
    assert (found.turned_at, found.turned_to) == (2, 1)
    assert found.marked[0] == pytest.approx(found.random[0])
    assert found.marked[2] < found.random[2]
    # All ink gone: there is nothing left to choose, so both are the same.
    assert found.removed[-1] == 5
    assert found.marked[-1] == pytest.approx(found.random[-1])


def test_an_answer_that_never_turns() -> None:
    net = Network((3, 2), rng=np.random.default_rng(0), dtype=np.float64)
    net.layers[0].bias[...] = [5, 0]
    found = removal(net, np.ones(3), np.ones(3), rng=np.random.default_rng(0))
    assert (found.turned_at, found.turned_to) == (None, None)


def test_a_blank_page_has_nothing_to_remove() -> None:
    found = removal(network(), np.zeros(12), np.ones(12), rng=np.random.default_rng(0))
    assert found.removed.tolist() == [0]
    assert found.marked == pytest.approx(found.random)
