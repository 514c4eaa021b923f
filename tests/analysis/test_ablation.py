import numpy as np
import pytest

from neuralscope.analysis import ablate, predictions_without
from neuralscope.engine import Network


@pytest.fixture(params=["relu", "tanh", "sigmoid"])
def net(request: pytest.FixtureRequest) -> Network:
    rng = np.random.default_rng(3)
    net = Network((6, 5, 4, 3), activation=request.param, rng=rng, dtype=np.float64)
    net.parameters *= 12  # so that one unit matters
    return net


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(1).random((2_300, 6))


def cut_off(net: Network, layer: int, unit: int) -> Network:
    """Return the same network, with nobody listening to that unit."""
    other = Network(net.sizes, activation=net.activation, rng=np.random.default_rng(0), dtype="f8")
    other.parameters[:] = net.parameters
    other.layers[layer + 1].weight[unit] = 0
    return other


@pytest.mark.parametrize(("layer", "unit"), [(0, 0), (0, 4), (1, 2)])
def test_without_a_unit_is_as_if_nobody_listened_to_it(
    net: Network, x: np.ndarray, layer: int, unit: int
) -> None:
    without = predictions_without(net, net.activations(x), layer, unit)
    np.testing.assert_array_equal(without, cut_off(net, layer, unit).predict(x))


def test_without_a_unit_is_the_same_as_masking_it(net: Network, x: np.ndarray) -> None:
    hidden = np.delete(np.arange(5), 2)
    layers = net.activations(x)
    a = layers[0][:, hidden]
    z = a @ net.layers[1].weight[hidden] + net.layers[1].bias
    second = {
        "relu": lambda z: np.maximum(z, 0),
        "tanh": np.tanh,
        "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    }[net.activation[1]](z)
    logits = second @ net.layers[2].weight + net.layers[2].bias
    np.testing.assert_array_equal(predictions_without(net, layers, 0, 2), logits.argmax(axis=1))


def test_what_is_lost_is_counted(net: Network, x: np.ndarray) -> None:
    labels = np.random.default_rng(2).integers(0, 3, len(x))
    lost = ablate(net, net.activations(x), labels, layer=0, unit=1)
    with_it, without = net.predict(x), cut_off(net, 0, 1).predict(x)
    assert lost.accuracy == pytest.approx((with_it == labels).mean())
    assert lost.accuracy_without == pytest.approx((without == labels).mean())
    for digit in range(3):
        of_it = labels == digit
        assert lost.by_class[digit] == pytest.approx((with_it[of_it] == digit).mean())
        assert lost.by_class_without[digit] == pytest.approx((without[of_it] == digit).mean())
    assert lost.changed == (with_it != without).sum() > 0
    difference = (without == labels).sum() - (with_it == labels).sum()
    assert lost.won - lost.lost == difference


def test_the_layers_given_are_left_as_they_are(net: Network, x: np.ndarray) -> None:
    layers = net.activations(x)
    for each in layers:
        each.flags.writeable = False
    before = layers[0].copy()
    predictions_without(net, layers, 0, 1)
    np.testing.assert_array_equal(layers[0], before)


def test_a_dead_unit_is_not_missed() -> None:
    net = Network((6, 5, 3), rng=np.random.default_rng(0))
    net.layers[0].bias[3] = -1_000
    x = np.random.default_rng(1).random((100, 6))
    lost = ablate(net, net.activations(x), np.zeros(100, int), layer=0, unit=3)
    assert (lost.changed, lost.lost, lost.won) == (0, 0, 0)
    assert lost.accuracy_without == lost.accuracy


def test_a_class_without_examples_has_no_accuracy(net: Network, x: np.ndarray) -> None:
    lost = ablate(net, net.activations(x), np.zeros(len(x), int), layer=0, unit=0)
    assert np.isnan(lost.by_class).tolist() == [False, True, True]


@pytest.mark.parametrize(("layer", "unit"), [(2, 0), (-1, 0), (0, 5), (0, -1)])
def test_only_hidden_units_can_be_silenced(
    net: Network, x: np.ndarray, layer: int, unit: int
) -> None:
    with pytest.raises(ValueError, match="no hidden unit"):
        predictions_without(net, net.activations(x), layer, unit)
