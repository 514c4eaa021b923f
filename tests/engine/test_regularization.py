"""L1, L2, max-norm and clipping against their formulas; off, they leave training as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuralscope.engine import OPTIMIZERS, Examples, Network, StepEnd
from neuralscope.engine.gradient_check import numerical_gradient, relative_error
from neuralscope.engine.regularization import (
    add_penalty_gradient,
    clip_to_norm,
    limit_incoming_norms,
    penalty,
)
from neuralscope.engine.workspace import Workspace
from tests.engine.conftest import NewTraining

TOLERANCE = 1e-6
SIZES = (6, 5, 4, 3)


@pytest.fixture
def network() -> Network:
    """A network of float64 with weights and biases well away from zero, where |w| has its kink."""
    network = Network(SIZES, activation="tanh", rng=np.random.default_rng(0), dtype=np.float64)
    rng = np.random.default_rng(1)
    n = len(network.parameters)
    network.parameters[...] = rng.uniform(0.1, 0.9, n) * rng.choice([-1, 1], n)
    return network


@pytest.fixture
def examples() -> tuple[Any, Any]:
    rng = np.random.default_rng(2)
    return rng.random((7, SIZES[0])), rng.integers(0, SIZES[-1], 7)


# Penalties


def test_the_penalty_is_its_formula(network: Network) -> None:
    weights = np.concatenate([layer.weight.ravel() for layer in network.layers])
    expected = 0.3 * np.abs(weights).sum() + 0.5 / 2 * (weights**2).sum()
    assert penalty(network.layers, l1=0.3, l2=0.5) == pytest.approx(expected)
    assert penalty(network.layers) == 0


@pytest.mark.parametrize(("l1", "l2"), [(0.3, 0.0), (0.0, 0.4), (0.3, 0.4)])
def test_its_gradient_agrees_with_central_differences(
    network: Network, l1: float, l2: float
) -> None:
    network.gradient[...] = 0
    add_penalty_gradient(network.layers, Workspace(SIZES, 1, network.dtype).penalty, l1=l1, l2=l2)
    expected = numerical_gradient(lambda: penalty(network.layers, l1=l1, l2=l2), network.parameters)
    assert relative_error(network.gradient, expected) < TOLERANCE
    assert all((layer.bias_grad == 0).all() for layer in network.layers)


@pytest.mark.parametrize(
    "settings",
    [
        {"l1": 0.05},
        {"l1": 0.05, "l2": 0.1},
        {"label_smoothing": 0.1},
        {"label_smoothing": 0.9},
        {"l1": 0.02, "l2": 0.03, "label_smoothing": 0.2},
    ],
    ids=str,
)
def test_the_whole_loss_agrees_with_central_differences(
    network: Network, examples: tuple[Any, Any], settings: dict[str, float]
) -> None:
    _, gradient = network.loss_and_gradient(*examples, **settings)
    expected = numerical_gradient(
        lambda: network.loss_and_gradient(*examples, **settings)[0], network.parameters
    )
    assert relative_error(gradient, expected) < TOLERANCE


def test_a_weight_of_zero_is_not_pulled(network: Network, examples: tuple[Any, Any]) -> None:
    network.layers[0].weight[2] = 0
    plain, pulled = (network.loss_and_gradient(*examples, l1=l1)[1] for l1 in (0.0, 0.5))
    difference = (pulled - plain)[: SIZES[0] * SIZES[1]].reshape(SIZES[:2])
    np.testing.assert_allclose(difference, 0.5 * np.sign(network.layers[0].weight))
    assert (difference[2] == 0).all()


def test_the_loss_against_smoothed_targets_is_its_formula(
    network: Network, examples: tuple[Any, Any]
) -> None:
    x, y = examples
    target = 0.7 * np.eye(SIZES[-1])[y] + 0.3 / SIZES[-1]
    expected = -(target * np.log(network.predict_proba(x))).sum(axis=1).mean()
    assert network.loss_and_gradient(x, y, label_smoothing=0.3)[0] == pytest.approx(expected)


def test_l1_leaves_fewer_strong_weights(new_training: NewTraining) -> None:
    shares = []
    for settings in ({}, {"l1": 0.01}):
        training = new_training(epochs=30, **settings)
        list(training.records())
        weight = np.abs(training.network.layers[0].weight)
        shares.append((weight < 0.02).mean())
    assert shares[1] > 2 * shares[0]


# Clipping


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_long_gradient_is_shortened_and_keeps_its_direction(dtype: Any) -> None:
    gradient = np.random.default_rng(0).standard_normal(1000).astype(dtype)
    before = gradient.copy()
    norm = clip_to_norm(gradient, 2.5)
    assert norm == pytest.approx(np.linalg.norm(before))
    assert np.linalg.norm(gradient) == pytest.approx(2.5)
    np.testing.assert_allclose(gradient, before * (2.5 / norm), rtol=1e-6)
    assert gradient.dtype == dtype


def test_a_short_gradient_stays_as_it_is() -> None:
    gradient = np.array([0.6, -0.8], np.float32)
    before = gradient.copy()
    assert clip_to_norm(gradient, 1.01) == pytest.approx(1)
    np.testing.assert_array_equal(gradient, before)
    assert clip_to_norm(np.zeros(3), 1.0) == 0


def test_a_gradient_beyond_all_numbers_becomes_zero() -> None:
    gradient = np.array([1e30, 1.0], np.float32)
    with np.errstate(over="ignore"):
        clip_to_norm(gradient, 1.0)
    np.testing.assert_array_equal(gradient, [0, 0])


def test_with_sgd_no_step_is_longer_than_rate_times_limit(new_training: NewTraining) -> None:
    lengths = {}
    for limit in (0.0, 0.3):
        training = new_training(clip_norm=limit, epochs=3)
        before, lengths[limit] = training.network.parameters.copy(), []
        for record in training.records():
            if isinstance(record, StepEnd):
                step = training.network.parameters - before
                lengths[limit].append(np.linalg.norm(step) / record.learning_rate)
                before = training.network.parameters.copy()
    assert max(lengths[0.3]) == pytest.approx(0.3, rel=1e-4)
    assert max(lengths[0.0]) > 1


# Max-norm


def test_each_units_incoming_weights_are_shortened_to_the_limit(network: Network) -> None:
    before = network.parameters.copy()
    twin = Network(SIZES, activation="tanh", rng=np.random.default_rng(0), dtype=np.float64)
    twin.parameters[...] = before
    limit = float(np.median(np.linalg.norm(network.layers[0].weight, axis=0)))
    work = Workspace(SIZES, 1, network.dtype).penalty
    limit_incoming_norms(network.layers[:-1], work[:-1], limit)
    for layer, old in zip(network.layers[:-1], twin.layers, strict=False):
        for unit in range(layer.weight.shape[1]):
            norm = np.linalg.norm(old.weight[:, unit])
            expected = old.weight[:, unit] * min(1, limit / norm)
            np.testing.assert_allclose(layer.weight[:, unit], expected, rtol=1e-12)
            if norm <= limit:
                np.testing.assert_array_equal(layer.weight[:, unit], old.weight[:, unit])
        np.testing.assert_array_equal(layer.bias, old.bias)
    is_shortened = (network.layers[0].weight != twin.layers[0].weight).any(axis=0)
    assert is_shortened.any() and not is_shortened.all()
    np.testing.assert_array_equal(network.layers[-1].weight, twin.layers[-1].weight)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_no_hidden_unit_is_beyond_the_limit_after_any_step(
    new_training: NewTraining, optimizer: str
) -> None:
    training = new_training(
        hidden=(12, 8), max_norm=0.7, optimizer=optimizer, learning_rate=0.05, epochs=3
    )
    for record in training.records():
        if isinstance(record, StepEnd):
            for layer in training.network.layers[:-1]:
                assert np.linalg.norm(layer.weight, axis=0).max() <= 0.7 * (1 + 1e-6)
    output = training.network.layers[-1]
    assert np.linalg.norm(output.weight, axis=0).max() > 0.7  # the classes are no hidden units


def test_max_norm_without_hidden_layers_changes_nothing(new_training: NewTraining) -> None:
    limited = new_training(hidden=(), max_norm=0.01)
    assert list(limited.records()) == list(new_training(hidden=()).records())


# Off


@pytest.mark.parametrize("settings", [{}, {"l2": 0.01}, {"dropout": 0.3}])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_off_is_plain_training_to_the_bit(
    new_training: NewTraining, digits: Examples, optimizer: str, settings: dict[str, float]
) -> None:
    """The loop written out as it reads without any of this, and with the same bits."""
    training = new_training(optimizer=optimizer, learning_rate=0.02, **settings)
    list(training.records())

    network = Network((36, 12, 10), rng=np.random.default_rng([0, 0]))
    update = OPTIMIZERS[optimizer](network.parameters).update
    shuffle_rng, dropout_rng = (np.random.default_rng([0, part]) for part in (1, 2))
    l2, dropout = settings.get("l2", 0.0), settings.get("dropout", 0.0)
    for _ in range(2):
        order = shuffle_rng.permutation(50)
        for start in range(0, 50, 16):
            batch = order[start : start + 16]
            x = digits.pixels[batch].astype(np.float32) * np.float32(1 / 16)
            network.backpropagate(
                x,
                digits.labels[batch],
                Workspace(network.sizes, len(batch), np.float32),
                dropout=dropout,
                rng=dropout_rng,
            )
            if l2:
                for layer in network.layers:
                    layer.weight_grad += l2 * layer.weight
            update(network.parameters, network.gradient, 0.02)
    np.testing.assert_array_equal(training.network.parameters, network.parameters)


def test_off_is_the_default(new_training: NewTraining) -> None:
    off: dict[str, Any] = {
        "l1": 0.0,
        "label_smoothing": 0.0,
        "clip_norm": 0.0,
        "max_norm": 0.0,
        "patience": 0,
        "augment": None,
    }
    one, other = new_training(dropout=0.3, l2=0.01), new_training(dropout=0.3, l2=0.01, **off)
    assert list(one.records()) == list(other.records())
    for name, array in one.state().items():
        assert array.tobytes() == other.state()[name].tobytes()
    assert set(one.state()) == {"parameters", "position"}  # nothing more to keep, either


@pytest.mark.parametrize(
    "settings",
    [{"l1": 0.01}, {"label_smoothing": 0.1}, {"clip_norm": 0.1}, {"max_norm": 0.5}],
    ids=str,
)
def test_on_is_another_training(new_training: NewTraining, settings: dict[str, float]) -> None:
    assert list(new_training(**settings).records()) != list(new_training().records())
