"""A change is only worth showing if it does what it says and is small."""

from __future__ import annotations

import numpy as np
import pytest

from neuralscope.analysis import smallest_change
from neuralscope.data import Dataset, load_dataset, scaled
from neuralscope.engine import ACTIVATIONS, Network
from neuralscope.runs import RunConfig
from neuralscope.runs.experiment import prepare


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def trained(digits: Dataset, **settings: object) -> Network:
    config = RunConfig(**{"dataset": "digits", "hidden": (16,), "epochs": 6, **settings})  # type: ignore[arg-type]
    training = prepare(config, digits)
    for _ in training.records():
        pass
    return training.network


def test_on_a_linear_network_it_is_the_distance_to_the_plane() -> None:
    # logit_1 - logit_0 = w x + b: the way to the border is |w x + b| / |w|, along w.
    net = Network((2, 2), rng=np.random.default_rng(0), dtype=np.float64)
    net.layers[0].weight[...] = [[0, 3], [0, 4]]
    net.layers[0].bias[...] = [0, -4]
    x = np.array([0.4, 0.4])  # 2.8 - 4 = -1.2, at a distance of 0.24
    found = smallest_change(net, x, 1)
    assert found is not None
    assert found.size == pytest.approx(0.24, rel=1e-3)
    assert found.result == pytest.approx([0.4 + 0.24 * 0.6, 0.4 + 0.24 * 0.8], rel=1e-3)


def test_pixels_that_are_full_leave_the_rest_to_the_others() -> None:
    net = Network((2, 2), rng=np.random.default_rng(0), dtype=np.float64)
    net.layers[0].weight[...] = [[0, 3], [0, 4]]
    net.layers[0].bias[...] = [0, -6]
    x = np.array([0.5, 1.0])  # only the first can still grow: 3 (0.5 + d) + 4 = 6
    found = smallest_change(net, x, 1)
    assert found is not None
    assert found.difference == pytest.approx([1 / 6, 0], rel=1e-3)


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_it_makes_wrong_answers_right_with_less_than_the_nearest_right_digit(
    digits: Dataset, activation: str
) -> None:
    net = trained(digits, activation=activation)
    x, labels = scaled(digits.x_validation, digits.pixel_max), digits.y_validation
    learned, classes = scaled(digits.x_train, digits.pixel_max), digits.y_train
    is_read_right = net.predict(learned) == classes
    wrong = np.flatnonzero(net.predict(x) != labels)[:8]
    assert len(wrong)
    for i in wrong:
        true = int(labels[i])
        found = smallest_change(net, x[i], true)
        assert found is not None
        assert int(net.predict(found.result[None])[0]) == true
        assert found.result.min() >= 0
        assert found.result.max() <= 1
        assert np.array_equal(found.difference, found.result - x[i])
        nearest = np.linalg.norm(learned[is_read_right & (classes == true)] - x[i], axis=1).min()
        assert found.size <= nearest


def test_a_right_answer_can_be_turned_into_another(digits: Dataset) -> None:
    net = trained(digits)
    x = scaled(digits.x_validation, digits.pixel_max)
    i = int(np.flatnonzero(net.predict(x) == digits.y_validation)[0])
    runner_up = int(net.logits(x[i : i + 1])[0].argsort()[-2])
    found = smallest_change(net, x[i], runner_up)
    assert found is not None
    assert int(net.predict(found.result[None])[0]) == runner_up


def test_no_shorter_part_of_the_same_change_is_enough(digits: Dataset) -> None:
    net = trained(digits)
    x = scaled(digits.x_validation, digits.pixel_max)
    i = int(np.flatnonzero(net.predict(x) != digits.y_validation)[0])
    true = int(digits.y_validation[i])
    found = smallest_change(net, x[i], true)
    assert found is not None
    assert int(net.predict((x[i] + 0.99 * found.difference)[None])[0]) != true


def test_none_is_found_where_there_is_none() -> None:
    net = Network((4, 3, 2), rng=np.random.default_rng(0), initializer="zeros")
    net.layers[1].bias[...] = [1, 0]  # whatever it sees, it says 0
    assert smallest_change(net, np.full(4, 0.5), 1) is None
    # Here there is a slope, but not enough room within [0, 1].
    net = Network((2, 2), rng=np.random.default_rng(0))
    net.layers[0].weight[...] = [[0, 1], [0, 1]]
    net.layers[0].bias[...] = [9, 0]
    assert smallest_change(net, np.zeros(2), 1) is None


def test_where_the_slope_is_flat_an_example_shows_the_way() -> None:
    net = Network((2, 1, 2), activation="relu", rng=np.random.default_rng(0), dtype=np.float64)
    net.layers[0].weight[...] = 1
    net.layers[0].bias[...] = -1  # silent, and without a slope, below a sum of 1
    net.layers[1].weight[...] = [[0, 1]]
    net.layers[1].bias[...] = [0.5, 0]  # says 1 from a sum of 1.5
    x = np.array([0.25, 0.25])
    assert smallest_change(net, x, 1) is None
    found = smallest_change(net, x, 1, examples=[[1.0, 0.9], [0.1, 0.1]])
    assert found is not None
    assert found.result.sum() == pytest.approx(1.5, abs=1e-3)
    assert found.size == pytest.approx(1 / np.sqrt(2), rel=1e-2)


def test_a_network_that_has_diverged_finds_nothing() -> None:
    net = Network((2, 2), rng=np.random.default_rng(0))
    net.parameters[...] = np.nan
    assert smallest_change(net, np.zeros(2), 1) is None


def test_its_size_in_pixels() -> None:
    net = Network((2, 2), rng=np.random.default_rng(0), dtype=np.float64)
    net.layers[0].weight[...] = [[0, 3], [0, 0]]
    net.layers[0].bias[...] = [0, -2]
    found = smallest_change(net, [0.5, 0.5], 1)
    assert found is not None
    assert found.largest == pytest.approx(1 / 6, rel=1e-3)
    assert found.n_pixels(0.05) == 1
    assert found.n_pixels(0.5) == 0
