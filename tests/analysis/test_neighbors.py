"""The nearest are found by brute force too."""

from __future__ import annotations

import numpy as np
import pytest

from neuralscope.analysis import feature_space, features, nearest
from neuralscope.analysis import neighbors as module
from neuralscope.engine import Network

PIXELS = np.random.default_rng(0).integers(0, 17, (400, 16)).astype(np.uint8)


def network(*sizes: int) -> Network:
    return Network(sizes, rng=np.random.default_rng(1))


def brute_force(points: np.ndarray, point: np.ndarray, most: int) -> tuple[list[int], list[float]]:
    distances = [float(np.sqrt(((p - point) ** 2).sum())) for p in points.astype(np.float64)]
    order = sorted(range(len(points)), key=lambda i: distances[i])[:most]
    return order, [distances[i] for i in order]


@pytest.mark.parametrize("sizes", [(16, 10), (16, 12, 10), (16, 12, 8, 10)])
def test_the_nearest_are_those_that_brute_force_finds(
    sizes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 90)  # several chunks, the last one shorter
    net = network(*sizes)
    space = feature_space(net, PIXELS, pixel_max=16)
    everything = features(net, PIXELS / 16)
    x = np.random.default_rng(2).random((1, 16))
    point = features(net, x)[0]
    rows, distances = nearest(space, point, 5)
    expected_rows, expected = brute_force(everything, point, 5)
    assert rows.tolist() == expected_rows
    assert distances == pytest.approx(expected, rel=1e-5)


def test_features_are_the_last_hidden_layer() -> None:
    net = network(16, 12, 8, 10)
    x = (PIXELS[:3] / 16).astype(np.float32)
    assert np.array_equal(features(net, x), net.activations(x)[1])
    assert np.array_equal(features(network(16, 10), x), x)


def test_an_example_is_its_own_nearest() -> None:
    net = network(16, 12, 10)
    space = feature_space(net, PIXELS, 16)
    rows, distances = nearest(space, space.points[123], 1)
    assert rows.tolist() == [123]
    assert distances == pytest.approx([0])


def test_close_ones_far_from_the_origin_are_told_apart() -> None:
    # The quick distance loses all its digits here; the exact one decides.
    pixels = np.full((60, 16), 255, np.uint8)
    pixels[np.arange(60) % 60, np.arange(60) % 16] -= (np.arange(60) % 60).astype(np.uint8)
    space = feature_space(network(16, 10), pixels, 255)
    rows, distances = nearest(space, np.ones(16), 60)
    expected_rows, expected = brute_force(pixels / 255, np.ones(16), 60)
    assert rows.tolist() == expected_rows
    assert distances == pytest.approx(expected)


def test_fewer_than_asked_for_are_all_there_are() -> None:
    space = feature_space(network(16, 10), PIXELS[:3], 16)
    assert len(nearest(space, np.ones(16), 5)[0]) == 3
