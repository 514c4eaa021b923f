"""Inputs that are blank in a whole batch are left out, and nothing else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuralscope.engine import OPTIMIZERS, Examples, Network, Schedule, Training
from neuralscope.engine.arrays import Array, Indices, Labels
from neuralscope.engine.batches import Batch
from neuralscope.engine.blanks import MOST_INKED, Narrowing, are_worth_leaving_out, inked
from neuralscope.engine.gradient_check import numerical_gradient, relative_error
from neuralscope.engine.workspace import Workspace

FEATURES, UNITS, CLASSES, BATCH = 9, 5, 4, 7
INKED = np.array([1, 2, 5, 8])


def partly_blank(n: int = BATCH, with_ink: Indices = INKED) -> tuple[Array, Labels]:
    """Return examples with ink in some features only."""
    rng = np.random.default_rng(3)
    x = np.zeros((n, FEATURES))
    x[:, with_ink] = rng.random((n, len(with_ink)))
    return x, rng.integers(0, CLASSES, n)


def network_of(depth: int) -> Network:
    sizes = (FEATURES, *[UNITS] * depth, CLASSES)
    rng = np.random.default_rng(0)
    return Network(sizes, activation="tanh", rng=rng, dtype=np.float64)


# Which are blank


def test_an_input_with_ink_in_one_example_is_not_blank() -> None:
    pixels = np.zeros((3, 10), np.uint8)
    pixels[0, 4] = pixels[2, 1] = 1
    pixels[1, 4] = 255
    found = inked(pixels)
    assert found is not None
    assert found.tolist() == [1, 4]


def test_all_may_be_blank() -> None:
    for n in (0, 1, 5):
        found = inked(np.zeros((n, 10), np.uint8))
        assert found is not None
        assert found.tolist() == []


@pytest.mark.parametrize(("n_inked", "is_worth_it"), [(84, True), (85, True), (86, False)])
def test_leaving_out_a_few_is_not_worth_it(n_inked: int, is_worth_it: bool) -> None:
    assert MOST_INKED == 0.85
    pixels = np.zeros((2, 100), np.uint8)
    pixels[0, :n_inked] = 9
    assert (inked(pixels) is not None) == is_worth_it


@pytest.mark.parametrize(
    ("batch_size", "n_in", "n_out", "expected"),
    [
        (64, 784, 128, True),
        (32, 784, 64, True),
        (128, 784, 63, False),  # a narrow layer
        (10, 784, 128, False),  # a small batch
        (64, 64, 128, False),  # a small picture
        (10, 784, 30, False),
        (128, 784, 1500, True),
        (128, 784, 2500, False),  # more weights than fit the cache
    ],
)
def test_small_products_and_large_matrices_are_left_as_they_are(
    batch_size: int, n_in: int, n_out: int, expected: bool
) -> None:
    assert are_worth_leaving_out(batch_size, n_in, n_out) == expected


# The same loss, the same gradient


@pytest.mark.parametrize("extras", [{}, {"l2": 0.3, "l1": 0.1}, {"label_smoothing": 0.2}])
@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("with_ink", [INKED, INKED[:1], INKED[:0]], ids=len)
def test_blank_inputs_change_neither_loss_nor_gradient(
    with_ink: Indices, depth: int, extras: dict[str, Any]
) -> None:
    x, y = partly_blank(with_ink=with_ink)
    network = network_of(depth)
    workspace = Workspace(network.sizes, BATCH, network.dtype)
    expected_loss = network.backpropagate(x, y, workspace, **extras)
    expected = network.gradient.copy()
    network.gradient[...] = np.nan  # all of it is to be written

    loss = network.backpropagate(x[:, with_ink], y, workspace, inked=with_ink, **extras)
    assert loss == pytest.approx(expected_loss, rel=1e-14)
    np.testing.assert_allclose(network.gradient, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("depth", [1, 2])
def test_dropout_silences_the_same_units(depth: int) -> None:
    x, y = partly_blank()
    network = network_of(depth)
    workspace = Workspace(network.sizes, BATCH, network.dtype)
    network.backpropagate(x, y, workspace, dropout=0.5, rng=np.random.default_rng(1))
    expected = network.gradient.copy()
    rng = np.random.default_rng(1)
    network.backpropagate(x[:, INKED], y, workspace, dropout=0.5, rng=rng, inked=INKED)
    np.testing.assert_allclose(network.gradient, expected, rtol=1e-12, atol=1e-15)


def test_the_gradient_agrees_with_central_differences() -> None:
    x, y = partly_blank()
    network = network_of(2)
    workspace = Workspace(network.sizes, BATCH, network.dtype)

    def loss() -> float:
        return network.backpropagate(x[:, INKED], y, workspace, inked=INKED)

    loss()
    gradient = network.gradient.copy()
    blank = np.delete(np.arange(FEATURES), INKED)
    assert (network.layers[0].weight_grad[blank] == 0).all()
    assert (network.layers[0].weight_grad[INKED] != 0).all()
    assert relative_error(gradient, numerical_gradient(loss, network.parameters)) < 1e-6


def test_one_batch_leaves_nothing_to_the_next() -> None:
    network = network_of(1)
    workspace = Workspace(network.sizes, BATCH, network.dtype)
    for with_ink in (np.arange(FEATURES), INKED, np.array([0, 3]), INKED[:0], np.array([3, 8])):
        x, y = partly_blank(BATCH, with_ink)
        network.backpropagate(x[:, with_ink], y, workspace, inked=with_ink)
        gradient = network.gradient.copy()
        network.backpropagate(x, y, workspace)
        np.testing.assert_allclose(gradient, network.gradient, rtol=1e-12, atol=1e-15)


def test_the_weights_themselves_are_not_touched() -> None:
    x, y = partly_blank()
    network = network_of(1)
    before = network.parameters.copy()
    workspace = Workspace(network.sizes, BATCH, network.dtype)
    network.backpropagate(x[:, INKED], y, workspace, inked=INKED)
    np.testing.assert_array_equal(network.parameters, before)


# Batches


def test_a_batch_has_the_features_with_ink() -> None:
    pixels = np.zeros((6, FEATURES), np.uint8)
    pixels[:, INKED] = np.arange(1, 25).reshape(6, 4)
    pixels[5, 0] = 7
    batch = Batch(FEATURES, 3, 1 / 255, np.float32, leaves_out_blanks=True)
    for indices, with_ink in (([4, 0, 2], [1, 2, 5, 8]), ([5, 1], [0, 1, 2, 5, 8])):
        x, y = batch.gather(pixels, np.arange(6), np.array(indices))
        assert batch.inked is not None
        assert batch.inked.tolist() == with_ink
        assert x.flags.c_contiguous
        np.testing.assert_allclose(x, pixels[indices][:, with_ink] / 255, rtol=1e-6)
        assert y.tolist() == indices


def test_a_batch_that_is_full_of_ink_has_them_all_again() -> None:
    pixels = np.full((2, FEATURES), 9, np.uint8)
    pixels[0, 2:] = 0
    batch = Batch(FEATURES, 1, 1.0, np.float32, leaves_out_blanks=True)
    for index, shape, with_ink in ((0, (1, 2), [0, 1]), (1, (1, FEATURES), None)):
        x, _ = batch.gather(pixels, np.arange(2), np.array([index]))
        assert x.shape == shape
        assert (x == 9).all()
        assert (None if batch.inked is None else batch.inked.tolist()) == with_ink


def test_what_is_blank_is_seen_after_the_distortion() -> None:
    pixels = np.zeros((1, FEATURES), np.uint8)
    pixels[0, 0] = 5
    batch = Batch(FEATURES, 1, 1.0, np.float32, leaves_out_blanks=True)
    x, _ = batch.gather(
        pixels,
        np.zeros(1, np.int64),
        np.array([0]),
        lambda rows, rng: rows[:, ::-1],
        np.random.default_rng(0),
    )
    assert batch.inked is not None
    assert batch.inked.tolist() == [FEATURES - 1]
    assert x.tolist() == [[5]]


def test_numbers_that_are_no_pixels_may_be_negative_and_stay() -> None:
    numbers = np.zeros((2, FEATURES), np.float32)
    numbers[:, 3] = -1
    batch = Batch(FEATURES, 2, 1.0, np.float32, np.float32, leaves_out_blanks=True)
    x, _ = batch.gather(numbers, np.arange(2), np.arange(2))
    np.testing.assert_array_equal(x, numbers)
    assert batch.inked is None


# Training


def blank_at_the_edge(n: int, side: int = 20, margin: int = 5) -> Examples:
    """Return pictures with noise in the middle, and two classes that differ by how much."""
    rng = np.random.default_rng(5)
    pictures = np.zeros((n, side, side), np.uint8)
    labels = rng.integers(0, 2, n)
    middle = slice(margin, -margin)
    noise = rng.integers(0, 128, (n, side - 2 * margin, side - 2 * margin))
    pictures[:, middle, middle] = noise + 60 * labels[:, None, None]
    return Examples(pictures.reshape(n, -1), labels, 1 / 255)


def trained(
    examples: Examples, n_units: int, monkeypatch: pytest.MonkeyPatch, *, halved: bool
) -> tuple[Array, int]:
    """Train for two epochs; return the parameters and how often the first layer was narrowed."""
    narrow, n_narrowed = Narrowing.narrow, 0

    def counted(*arguments: Any) -> Any:
        nonlocal n_narrowed
        n_narrowed += 1
        return narrow(*arguments)

    monkeypatch.setattr(Narrowing, "narrow", counted)
    sizes = (examples.pixels.shape[1], n_units, 2)
    network = Network(sizes, rng=np.random.default_rng(1), dtype=np.float64)
    training = Training(
        network,
        OPTIMIZERS["momentum"](network.parameters),
        Schedule("constant", 3, 2),
        examples,
        examples.first(4),
        learning_rate=0.05,
        batch_size=64,
        epochs=2,
        l2=1e-4,
        dropout=0.25,
        shuffle_rng=np.random.default_rng(2),
        dropout_rng=np.random.default_rng(3),
    )
    if halved:
        training.halve()
    for _ in training.records():
        pass
    monkeypatch.undo()
    return network.parameters, n_narrowed


@pytest.mark.parametrize("halved", [False, True])
def test_the_same_is_learned(halved: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = blank_at_the_edge(150)  # 64, 64 and 22 in a batch
    found, n_narrowed = trained(examples, 160, monkeypatch, halved=halved)
    assert n_narrowed == (12 if halved else 6)  # every step of two epochs, and each half of it
    monkeypatch.setattr("neuralscope.engine.shares.are_worth_leaving_out", lambda *_: False)
    expected, n_narrowed = trained(examples, 160, monkeypatch, halved=halved)
    assert n_narrowed == 0
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_a_narrow_layer_is_computed_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    _, n_narrowed = trained(blank_at_the_edge(150), 32, monkeypatch, halved=False)
    assert n_narrowed == 0


def test_pictures_without_blank_inputs_are_computed_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    examples = blank_at_the_edge(150)
    full = Examples(np.maximum(examples.pixels, 1), examples.labels, examples.scale)
    _, n_narrowed = trained(full, 160, monkeypatch, halved=False)
    assert n_narrowed == 0
