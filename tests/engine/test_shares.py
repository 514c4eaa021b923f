"""Two halves make a whole, whoever does them."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest

from neuralscope.engine import (
    OPTIMIZERS,
    Diverged,
    EpochEnd,
    Examples,
    Network,
    Schedule,
    StepEnd,
    Training,
)
from neuralscope.engine.arrays import Array, Pixels
from neuralscope.engine.shares import LINE, Afterwards, Half, Halves, Seeds
from tests.engine.conftest import NewTraining

SIZES = (36, 20, 10)

NOTHING_RANDOM: dict[str, Any] = {
    "l2": 1e-3,
    "l1": 1e-4,
    "label_smoothing": 0.1,
    "clip_norm": 0.5,
    "max_norm": 1.0,
    "patience": 9,
}


def flip(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Turn about half of the pictures upside down."""
    turned = rng.random(len(pixels)) < 0.5
    return np.where(turned[:, None], pixels[:, ::-1], pixels)


def in_float64(examples: Examples, optimizer: str = "sgd", **settings: Any) -> Training:
    """Return a training whose last batch of an epoch is short and odd: 16, 16, 16, 7."""
    network = Network(SIZES, rng=np.random.default_rng(1), dtype=np.float64)
    return Training(
        network,
        OPTIMIZERS[optimizer](network.parameters),
        Schedule("constant", 4, 3),
        examples.first(55),
        examples.first(30),
        learning_rate=0.01,
        batch_size=16,
        epochs=3,
        shuffle_rng=np.random.default_rng(2),
        dropout_rng=np.random.default_rng(3),
        **settings,
    )


class Spy:
    """A partner that does what it is told, and remembers what that was."""

    def __init__(self, half: Half) -> None:
        self._partner = Afterwards(half)
        self.examples: list[tuple[list[int], int]] = []
        self.updates: list[tuple[float, int, bool]] = []

    def begin_gradient(self, indices: Any, whole: int, seeds: Seeds) -> None:
        self.examples.append((indices.tolist(), whole))
        self._partner.begin_gradient(indices, whole, seeds)

    def begin_update(self, rate: float, step: int, is_complete: bool) -> None:
        self.updates.append((rate, step, is_complete))
        self._partner.begin_update(rate, step, is_complete)

    def finish(self) -> float:
        return self._partner.finish()


def watched(training: Training) -> tuple[Halves, Spy]:
    halves = training.halve()
    halves.partner = spy = Spy(halves.second)
    return halves, spy


# The same numbers


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("settings", [{}, NOTHING_RANDOM], ids=["plain", "everything"])
def test_halves_come_to_what_the_whole_comes_to(
    digits: Examples, optimizer: str, settings: dict[str, Any]
) -> None:
    whole, halved = (in_float64(digits, optimizer, **settings) for _ in range(2))
    halved.halve()
    for expected, found in zip(whole.records(), halved.records(), strict=True):
        if isinstance(expected, StepEnd | EpochEnd):
            np.testing.assert_allclose(numbers(found), numbers(expected), rtol=1e-7)
    np.testing.assert_allclose(halved.network.parameters, whole.network.parameters, rtol=1e-7)
    assert halved.step == 12


def numbers(record: Any) -> list[float]:
    return [float(value) for value in record if not isinstance(value, tuple)] + [
        float(value) for layer in getattr(record, "health", ()) for value in layer
    ]


def test_examples_that_count_more_do_so_in_either_half(digits: Examples) -> None:
    weights = np.random.default_rng(0).random(200) * 2
    weighted = Examples(digits.pixels, digits.labels, digits.scale, weights)
    whole, halved = in_float64(weighted), in_float64(weighted)
    halved.halve()
    list(whole.records())
    list(halved.records())
    np.testing.assert_allclose(halved.network.parameters, whole.network.parameters, rtol=1e-9)


@pytest.mark.parametrize("n_train", [1, 2, 3, 33])
@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_a_half_may_be_empty(new_training: NewTraining, n_train: int, batch_size: int) -> None:
    training = new_training(n_train=n_train, batch_size=batch_size)
    whole = new_training(n_train=n_train, batch_size=batch_size)
    training.halve()
    list(training.records())
    list(whole.records())
    np.testing.assert_allclose(
        training.network.parameters, whole.network.parameters, rtol=1e-4, atol=1e-6
    )


def test_halving_takes_over_in_the_middle_of_a_training(digits: Examples) -> None:
    whole, halved = in_float64(digits, "adam"), in_float64(digits, "adam")
    list(islice(halved.records(), 6))
    halved.halve()
    list(whole.records())
    list(halved.records())
    np.testing.assert_allclose(halved.network.parameters, whole.network.parameters, rtol=1e-7)


def test_a_loss_that_is_not_finite_ends_it(new_training: NewTraining) -> None:
    training = new_training(learning_rate=1e30)
    training.halve()
    *_, last = training.records()
    assert isinstance(last, Diverged)


# Who does what


def test_the_partner_does_the_second_half_of_each_batch(digits: Examples) -> None:
    training = in_float64(digits)
    _, spy = watched(training)
    list(islice(training.records(), 4))
    assert [(len(indices), whole) for indices, whole in spy.examples] == [
        (8, 16),
        (8, 16),
        (8, 16),
        (3, 7),
    ]
    seen = [index for indices, _ in spy.examples for index in indices]
    assert len(set(seen)) == 27


def test_each_worker_updates_parameters_of_its_own(digits: Examples) -> None:
    training = in_float64(digits)
    halves, spy = watched(training)
    next(training.records())
    before = training.network.parameters.copy()
    halves.second.update(0.1, 2, is_complete=False)
    (changed,) = np.nonzero(training.network.parameters != before)
    middle = len(before) // 2 // LINE * LINE
    assert changed.min() >= middle
    assert len(changed) > 0.5 * (len(before) - middle)  # pixels that are always blank apart
    assert spy.updates == [(0.01, 1, False)]


def test_the_whole_gradient_is_put_together_only_where_it_is_needed(digits: Examples) -> None:
    training = in_float64(digits)
    _, spy = watched(training)
    list(training.records())
    # For the checkup in the last step of each epoch.
    assert [is_complete for *_, is_complete in spy.updates] == 3 * [False, False, False, True]

    clipped = in_float64(digits, clip_norm=0.5)
    _, spy = watched(clipped)
    list(clipped.records())
    assert all(is_complete for *_, is_complete in spy.updates)


def test_all_that_both_write_or_read_lies_in_memory_that_was_asked_for(
    new_training: NewTraining,
) -> None:
    training = new_training(optimizer="adam")
    network = training.network
    before = network.parameters.copy()
    got: list[Array] = []

    def allocate(array: Array) -> Array:
        got.append(np.full_like(array, np.nan))
        return got[-1]

    training.halve(allocate)
    shared = [network.parameters, network.gradient, *training.optimizer.state.values()]
    assert all(any(array is memory for memory in got) for array in shared)
    assert len(got) == len(shared) + 1  # the gradient of the second half
    np.testing.assert_array_equal(network.parameters, before)
    assert np.shares_memory(network.layers[0].weight, network.parameters)
    list(training.records())
    assert all(np.isfinite(memory).all() for memory in got)


# What is random


def test_the_halves_draw_different_masks(digits: Examples) -> None:
    training = in_float64(digits, dropout=0.5)
    halves = training.halve()
    next(training.records())
    first, second = (
        half._share.workspace.mask[0][:8]  # what it drew is shown nowhere else
        for half in (halves._first, halves.second)
    )
    assert set(np.unique(first)) == set(np.unique(second)) == {0.0, 2.0}
    assert (first != second).any()
    before = first.copy()
    next(training.records())
    assert (before != first).any()


RANDOM: list[dict[str, Any]] = [
    {"dropout": 0.3},
    {"augment": flip},
    {**NOTHING_RANDOM, "dropout": 0.3, "augment": flip},
]


def halved(new_training: NewTraining, settings: dict[str, Any], seed: int = 0) -> Training:
    rng = np.random.default_rng(seed) if "augment" in settings else None
    training = new_training(optimizer="adamw", seed=seed, augment_rng=rng, **settings)
    training.halve()
    return training


@pytest.mark.parametrize("settings", RANDOM)
def test_equal_seeds_give_equal_bits(new_training: NewTraining, settings: dict[str, Any]) -> None:
    one, again, other = (halved(new_training, settings, seed) for seed in (0, 0, 1))
    assert list(one.records()) == list(again.records()) != list(other.records())
    assert one.network.parameters.tobytes() == again.network.parameters.tobytes()


@pytest.mark.parametrize("settings", RANDOM)
@pytest.mark.parametrize("n_records", [1, 3, 9])
def test_what_was_stopped_goes_on_in_the_same_bits(
    new_training: NewTraining, settings: dict[str, Any], n_records: int
) -> None:
    through, stopped, resumed = (halved(new_training, settings) for _ in range(3))
    list(through.records())
    list(islice(stopped.records(), n_records))
    resumed.restore(stopped.state())
    list(resumed.records())
    assert resumed.network.parameters.tobytes() == through.network.parameters.tobytes()


@pytest.mark.parametrize("settings", RANDOM)
def test_distortions_and_dropout_reach_both_halves_and_it_learns(
    new_training: NewTraining, settings: dict[str, Any]
) -> None:
    training = halved(new_training, {**settings, "n_train": 150, "epochs": 30})
    training.learning_rate = 0.01
    ends = [record for record in training.records() if isinstance(record, EpochEnd)]
    assert ends[-1].train_loss < ends[0].train_loss
    assert max(end.validation_accuracy for end in ends) > 0.8
