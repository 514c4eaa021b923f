"""Backpropagation against central differences, in float64, on whole networks."""

from __future__ import annotations

import numpy as np
import pytest

from neuralscope.engine import ACTIVATIONS, Network
from neuralscope.engine.arrays import Array, Labels
from neuralscope.engine.gradient_check import numerical_gradient, relative_error
from neuralscope.engine.workspace import Workspace

TOLERANCE = 1e-6
FEATURES, UNITS, CLASSES, BATCH = 6, 5, 4, 7


def network_off_the_kink(
    activation: str | tuple[str, ...], depth: int
) -> tuple[Network, Array, Labels]:
    """Return a network and examples whose pre-activations all stay away from zero.

    There a relu has no slope, and the two sides of a central difference would disagree.
    """
    rng = np.random.default_rng(0)
    sizes = (FEATURES, *[UNITS] * depth, CLASSES)
    for _ in range(1000):
        network = Network(sizes, activation=activation, rng=rng, dtype=np.float64)
        network.parameters[...] = rng.standard_normal(len(network.parameters)) * 0.5
        x, y = rng.random((BATCH, FEATURES)), rng.integers(0, CLASSES, BATCH)
        inputs = [x, *network.activations(x)[:-2]]
        closest = [
            np.abs(a @ layer.weight + layer.bias).min()
            for a, layer in zip(inputs, network.layers[:-1], strict=False)
        ]
        if min(closest, default=1) > 1e-3:
            return network, x, y
    raise AssertionError("no network is off the kink")


@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("depth", [0, 1, 2, 3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_at_every_depth(activation: str, depth: int, l2: float) -> None:
    network, x, y = network_off_the_kink(activation, depth)
    _, gradient = network.loss_and_gradient(x, y, l2=l2)
    expected = numerical_gradient(
        lambda: network.loss_and_gradient(x, y, l2=l2)[0], network.parameters
    )
    assert relative_error(gradient, expected) < TOLERANCE


@pytest.mark.parametrize("mixture", [("relu", "tanh", "sigmoid"), ("sigmoid", "leaky_relu")])
def test_mixed_activations(mixture: tuple[str, ...]) -> None:
    network, x, y = network_off_the_kink(mixture, len(mixture))
    _, gradient = network.loss_and_gradient(x, y, l2=0.1)
    expected = numerical_gradient(
        lambda: network.loss_and_gradient(x, y, l2=0.1)[0], network.parameters
    )
    assert relative_error(gradient, expected) < TOLERANCE


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_dropout_with_a_mask_that_stays(activation: str, depth: int) -> None:
    network, x, y = network_off_the_kink(activation, depth)
    # Biases instead of a second search: with a unit's inputs silenced its z is another one.
    for layer in network.layers[:-1]:
        layer.bias[...] = np.where(np.arange(UNITS) % 2, 4.0, -4.0)
    workspace = Workspace(network.sizes, BATCH, network.dtype)

    def loss() -> float:
        rng = np.random.default_rng(5)  # the same mask in each call
        return network.backpropagate(x, y, workspace, dropout=0.4, rng=rng)

    loss()
    gradient = network.gradient.copy()
    if depth:
        silenced = workspace.mask[0] == 0
        assert silenced.any() and not silenced.all()
    expected = numerical_gradient(loss, network.parameters)
    assert relative_error(gradient, expected) < TOLERANCE


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("depth", [0, 2])
def test_label_smoothing_and_weights(depth: int, label_smoothing: float, weighted: bool) -> None:
    network, x, y = network_off_the_kink("relu", depth)
    weights = np.array([0.0, 2.5, 1.0, 0.5, 1.0, 0.1, 1.9]) if weighted else None

    def loss_and_gradient() -> tuple[float, Array]:
        return network.loss_and_gradient(
            x, y, l2=0.1, label_smoothing=label_smoothing, example_weights=weights
        )

    _, gradient = loss_and_gradient()
    expected = numerical_gradient(lambda: loss_and_gradient()[0], network.parameters)
    assert relative_error(gradient, expected) < TOLERANCE


@pytest.mark.parametrize("label_smoothing", [0.1, 0.7])
def test_pytorch_smooths_labels_alike(label_smoothing: float) -> None:
    torch = pytest.importorskip("torch")
    network, x, y = network_off_the_kink("tanh", 1)
    loss, _ = network.loss_and_gradient(x, y, label_smoothing=label_smoothing)
    their_loss = torch.nn.functional.cross_entropy(
        torch.tensor(network.logits(x)), torch.tensor(y), label_smoothing=label_smoothing
    )
    assert loss == pytest.approx(their_loss.item(), rel=1e-12)


def test_the_workspace_does_not_remember_the_batch_before() -> None:
    network, x, y = network_off_the_kink("tanh", 2)
    workspace = Workspace(network.sizes, BATCH, network.dtype)
    for n in (BATCH, 3, BATCH, 1):
        loss = network.backpropagate(x[:n], y[:n], workspace.rows(n), l2=0.2)
        fresh = Workspace(network.sizes, n, network.dtype)
        gradient = network.gradient.copy()
        assert loss == network.backpropagate(x[:n], y[:n], fresh, l2=0.2)
        np.testing.assert_array_equal(gradient, network.gradient)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_pytorch_finds_the_same_loss_and_gradient(activation: str) -> None:
    torch = pytest.importorskip("torch")
    functions = {
        "relu": torch.relu,
        "leaky_relu": lambda z: torch.nn.functional.leaky_relu(z, 0.01),
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
    }
    network, x, y = network_off_the_kink(activation, 2)
    loss, gradient = network.loss_and_gradient(x, y)

    theirs = [
        torch.tensor(part, requires_grad=True)
        for layer in network.layers
        for part in (layer.weight, layer.bias)
    ]
    a = torch.tensor(x)
    for weight, bias in zip(theirs[:-2:2], theirs[1:-2:2], strict=True):
        a = functions[activation](a @ weight + bias)
    their_loss = torch.nn.functional.cross_entropy(a @ theirs[-2] + theirs[-1], torch.tensor(y))
    their_loss.backward()

    assert loss == pytest.approx(their_loss.item(), rel=1e-12)
    their_gradient = np.concatenate([part.grad.numpy().ravel() for part in theirs])
    assert relative_error(gradient, their_gradient) < 1e-12


# Dropout itself


def test_dropout_silences_its_share_and_scales_up_the_rest() -> None:
    network = Network((3, 400, 2), activation="sigmoid", rng=np.random.default_rng(0))
    workspace = Workspace(network.sizes, 50, network.dtype)
    x, y = np.zeros((50, 3), np.float32), np.zeros(50, np.int64)
    network.backpropagate(x, y, workspace, dropout=0.25, rng=np.random.default_rng(1))
    mask = workspace.mask[0]
    assert set(mask.ravel().tolist()) == {0, float(np.float32(1 / 0.75))}
    assert (mask == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert mask.mean() == pytest.approx(1, abs=0.02)  # so nothing changes when it is off
    np.testing.assert_array_equal(workspace.dropped[0], workspace.a[0] * mask)


def test_dropout_draws_anew_for_each_batch() -> None:
    network = Network((3, 40, 2), rng=np.random.default_rng(0))
    workspace = Workspace(network.sizes, 5, network.dtype)
    x, y = np.ones((5, 3), np.float32), np.zeros(5, np.int64)
    rng = np.random.default_rng(1)
    network.backpropagate(x, y, workspace, dropout=0.5, rng=rng)
    first = workspace.mask[0].copy()
    network.backpropagate(x, y, workspace, dropout=0.5, rng=rng)
    assert (workspace.mask[0] != first).any()


# The check checks


def test_a_wrong_gradient_is_found() -> None:
    network, x, y = network_off_the_kink("tanh", 1)
    _, gradient = network.loss_and_gradient(x, y)
    expected = numerical_gradient(lambda: network.loss_and_gradient(x, y)[0], network.parameters)
    gradient[3] *= 1.001
    assert relative_error(gradient, expected) > TOLERANCE


def test_the_parameters_are_put_back() -> None:
    network, x, y = network_off_the_kink("tanh", 1)
    before = network.parameters.copy()
    numerical_gradient(lambda: network.loss_and_gradient(x, y)[0], network.parameters)
    np.testing.assert_array_equal(network.parameters, before)


def test_the_relative_error_does_not_depend_on_scale() -> None:
    a, b = np.array([3.0, 4.0]), np.array([3.0, 4.5])
    assert relative_error(a, b) == pytest.approx(relative_error(1e9 * a, 1e9 * b))
    assert relative_error(a, -a) == pytest.approx(2)
    assert relative_error(np.zeros(2), np.zeros(2)) == 0
