from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from neuralscope.engine import Network, count_parameters
from neuralscope.engine import network as network_module

FEATURES, CLASSES = 6, 3


@pytest.fixture
def network() -> Network:
    return Network((FEATURES, 5, 4, CLASSES), activation="tanh", rng=np.random.default_rng(0))


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(1).random((11, FEATURES))


# The flat vector


def test_parameters_lie_in_one_vector_layer_by_layer(network: Network) -> None:
    assert network.parameters.shape == (count_parameters(network.sizes),) == (6 * 5 + 5 + 24 + 15,)
    parts = [part.ravel() for layer in network.layers for part in (layer.weight, layer.bias)]
    np.testing.assert_array_equal(network.parameters, np.concatenate(parts))
    shapes = [(layer.weight.shape, layer.bias.shape) for layer in network.layers]
    assert shapes == [((6, 5), (5,)), ((5, 4), (4,)), ((4, 3), (3,))]


def test_layers_are_views_in_both_directions(network: Network) -> None:
    network.parameters[:] = 7
    assert all((layer.weight == 7).all() and (layer.bias == 7).all() for layer in network.layers)
    network.layers[0].weight[0, 1] = -1
    network.layers[-1].bias[-1] = -2
    assert (network.parameters[1], network.parameters[-1]) == (-1, -2)


def test_gradients_have_the_same_layout(network: Network, x: np.ndarray) -> None:
    _, gradient = network.loss_and_gradient(x, np.zeros(len(x), np.int64))
    parts = [p.ravel() for layer in network.layers for p in (layer.weight_grad, layer.bias_grad)]
    np.testing.assert_array_equal(gradient, np.concatenate(parts))
    assert np.shares_memory(network.gradient, network.layers[1].weight_grad)


def test_the_gradient_returned_is_a_copy(network: Network, x: np.ndarray) -> None:
    y = np.zeros(len(x), np.int64)
    _, first = network.loss_and_gradient(x, y)
    kept = first.copy()
    network.loss_and_gradient(x, y + 1)
    np.testing.assert_array_equal(first, kept)


# Using it


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_and_types_of_answers(dtype: type, x: np.ndarray) -> None:
    network = Network((FEATURES, 5, CLASSES), rng=np.random.default_rng(0), dtype=dtype)
    assert network.parameters.dtype == network.gradient.dtype == network.dtype == dtype
    logits, probabilities, classes = (
        network.logits(x),
        network.predict_proba(x),
        network.predict(x),
    )
    assert (logits.shape, logits.dtype) == ((11, CLASSES), dtype)
    assert (probabilities.shape, probabilities.dtype) == ((11, CLASSES), dtype)
    assert (classes.shape, classes.dtype) == ((11,), np.int64)
    loss, gradient = network.loss_and_gradient(x, classes)
    assert isinstance(loss, float)
    assert (gradient.shape, gradient.dtype) == (network.parameters.shape, dtype)


def test_answers_agree_with_each_other(network: Network, x: np.ndarray) -> None:
    probabilities = network.predict_proba(x)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(network.predict(x), probabilities.argmax(axis=1))
    odds = np.log(probabilities[:, 0] / probabilities[:, 1])
    logits = network.logits(x)
    np.testing.assert_allclose(odds, logits[:, 0] - logits[:, 1], rtol=1e-4, atol=1e-5)


def test_activations_are_those_of_each_layer(network: Network, x: np.ndarray) -> None:
    outputs = network.activations(x)
    assert [output.shape for output in outputs] == [(11, 5), (11, 4), (11, 3)]
    a = x.astype(np.float32)
    for layer, output in zip(network.layers[:-1], outputs, strict=False):
        a = np.tanh(a @ layer.weight + layer.bias)
        np.testing.assert_allclose(output, a, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(outputs[-1], network.predict_proba(x))


def test_without_hidden_layers_it_is_logistic_regression(x: np.ndarray) -> None:
    network = Network((FEATURES, CLASSES), rng=np.random.default_rng(0), dtype=np.float64)
    (layer,) = network.layers
    np.testing.assert_allclose(network.logits(x), x @ layer.weight + layer.bias)


def test_chunks_give_what_one_go_gives(
    network: Network, x: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = network.activations(x)
    for chunk in (1, 4, 11):
        monkeypatch.setattr(network_module, "CHUNK", chunk)
        for part, output in zip(network.activations(x), whole, strict=True):
            np.testing.assert_allclose(part, output, rtol=1e-5, atol=1e-6)


def test_no_examples_give_no_answers(network: Network) -> None:
    nothing = np.empty((0, FEATURES))
    assert network.logits(nothing).shape == (0, CLASSES)
    assert network.predict_proba(nothing).shape == (0, CLASSES)
    assert network.predict(nothing).shape == (0,)
    assert [a.shape for a in network.activations(nothing)] == [(0, 5), (0, 4), (0, 3)]


def test_answering_changes_nothing(network: Network, x: np.ndarray) -> None:
    parameters, kept = network.parameters.copy(), x.copy()
    network.activations(x)
    network.predict(x)
    np.testing.assert_array_equal(network.parameters, parameters)
    np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize(
    "x",
    [
        [[0.0] * FEATURES, [1.0] * FEATURES],
        np.zeros((2, FEATURES), np.uint8),
        np.ones((2, FEATURES), bool),
        np.asfortranarray(np.ones((2, FEATURES))),
        np.ones((4, 2 * FEATURES))[::2, ::2],
    ],
    ids=["list", "black and white", "bool", "fortran", "strided"],
)
def test_what_can_be_read_as_inputs_is(network: Network, x: Any) -> None:
    expected = network.logits(np.array(x, np.float32, order="C"))
    np.testing.assert_array_equal(network.logits(x), expected)


@pytest.mark.parametrize("shape", [(FEATURES,), (3, FEATURES + 1), (3, 2, FEATURES), ()])
def test_inputs_of_another_shape_are_refused(network: Network, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"x must have shape \(n, 6\)"):
        network.predict(np.zeros(shape))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_raw_pixels_are_refused(network: Network, dtype: type) -> None:
    pixels = np.zeros((2, FEATURES), dtype)
    pixels[1, 2] = 200
    for use in (network.logits, network.predict, network.predict_proba, network.activations):
        with pytest.raises(ValueError, match="raw pixels"):
            use(pixels)
    with pytest.raises(ValueError, match="raw pixels"):
        network.loss_and_gradient(pixels, [0, 1])


# Learning


@pytest.mark.parametrize("y", [[0, 1], [[0], [1], [2]], [0.0, 1.0, 2.0], 0])
def test_labels_must_be_an_integer_for_each_row(network: Network, x: np.ndarray, y: Any) -> None:
    with pytest.raises(ValueError, match="y must be 3 integers, one for each row"):
        network.loss_and_gradient(x[:3], y)


@pytest.mark.parametrize("y", [[0, 1, 3], [-1, 0, 1]])
def test_labels_must_be_classes(network: Network, x: np.ndarray, y: list[int]) -> None:
    with pytest.raises(ValueError, match="classes from 0 to 2"):
        network.loss_and_gradient(x[:3], y)


def test_the_mean_of_nothing_is_refused(network: Network) -> None:
    with pytest.raises(ValueError, match="at least one"):
        network.loss_and_gradient(np.empty((0, FEATURES)), np.empty(0, np.int64))


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
def test_labels_may_be_any_integers(network: Network, x: np.ndarray, dtype: type) -> None:
    y = np.arange(11) % CLASSES
    loss, gradient = network.loss_and_gradient(x, y)
    other_loss, other_gradient = network.loss_and_gradient(x, y.astype(dtype))
    assert loss == other_loss
    np.testing.assert_array_equal(gradient, other_gradient)


def test_the_loss_is_a_mean(network: Network, x: np.ndarray) -> None:
    y = np.arange(11) % CLASSES
    once, gradient = network.loss_and_gradient(x, y)
    twice, gradient_of_twice = network.loss_and_gradient(np.vstack([x, x]), np.hstack([y, y]))
    assert twice == pytest.approx(once, rel=1e-5)
    np.testing.assert_allclose(gradient_of_twice, gradient, rtol=1e-4, atol=1e-6)


# Making it


def test_the_seed_decides() -> None:
    make = [Network((4, 3, 2), rng=np.random.default_rng(seed)) for seed in (5, 5, 6)]
    np.testing.assert_array_equal(make[0].parameters, make[1].parameters)
    assert (make[0].parameters != make[2].parameters).any()


def test_one_name_stands_for_all_hidden_layers() -> None:
    network = Network((4, 3, 3, 2), activation="sigmoid", rng=np.random.default_rng(0))
    assert network.activation == ("sigmoid", "sigmoid")
    names = [layer.activation.name for layer in network.layers]
    assert names == ["sigmoid", "sigmoid", "linear"]


def test_each_layer_may_have_its_own() -> None:
    network = Network((4, 3, 3, 2), activation=["relu", "tanh"], rng=np.random.default_rng(0))
    assert network.activation == ("relu", "tanh")


@pytest.mark.parametrize("sizes", [(), (4,), (4, 0, 2), (-1, 2)])
def test_sizes_must_make_a_network(sizes: Sequence[int]) -> None:
    with pytest.raises(ValueError, match="two or more positive numbers"):
        Network(sizes, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"activation": ["relu", "relu"]}, "1 hidden layers need as many activations, not 2"),
        ({"activation": "swish"}, "unknown activation 'swish'"),
        ({"initializer": "lecun"}, "unknown initializer 'lecun'"),
    ],
)
def test_unknown_names_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Network((4, 3, 2), rng=np.random.default_rng(0), **settings)


def test_randomness_has_no_default() -> None:
    with pytest.raises(TypeError, match="rng"):
        Network((4, 3, 2))  # type: ignore[call-arg]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_is_a_network_of_its_own(copied: Any, x: np.ndarray) -> None:
    original = Network((4, 5, 3), activation="tanh", rng=np.random.default_rng(0))
    original.metadata = {"dataset": "digits"}
    twin = copied(original)
    assert (twin.sizes, twin.activation, twin.dtype) == ((4, 5, 3), ("tanh",), np.float32)
    assert twin.metadata == {"dataset": "digits"}
    np.testing.assert_array_equal(twin.parameters, original.parameters)
    # Its layers show its own vector, and nothing is shared with the original.
    twin.parameters[...] = 7
    assert (twin.layers[0].weight == 7).all()
    assert (original.parameters != 7).all()
