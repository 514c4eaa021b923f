from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuralscope.analysis import (
    Overfitting,
    circumstances_of,
    find_overfitting,
    judge_accuracy,
    judge_layers,
    tell_health,
    tell_overfitting,
)
from neuralscope.data import Dataset, load_dataset
from neuralscope.engine import EpochEnd
from neuralscope.runs import Epochs, RunConfig, train

MNIST = (6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958)


# A result against what could be had without learning ----------------------------------------------


@pytest.mark.parametrize(
    ("accuracy", "grade"),
    [
        (0.0, "nothing"),
        (0.0892, "nothing"),
        (0.1135, "nothing"),  # always '1', as the test digits have it
        (0.121, "nothing"),
        (0.13, "weak"),
        (0.55, "weak"),
        (0.57, "fair"),
        (0.82, "fair"),
        (0.83, "good"),
        (1.0, "good"),
    ],
)
def test_results_on_mnist(accuracy: float, grade: str) -> None:
    result = judge_accuracy(accuracy, 10_000, MNIST)
    assert result.grade == grade
    assert result.baseline == pytest.approx(0.1125, abs=1e-4)


def test_where_most_are_of_one_class_a_high_accuracy_may_be_nothing() -> None:
    assert judge_accuracy(0.9, 1_000, (900, 100)).grade == "nothing"
    assert judge_accuracy(0.9, 1_000, (500, 500)).grade == "good"


def test_few_examples_prove_little() -> None:
    assert judge_accuracy(0.3, 10, (1, 1, 1, 1, 1)).grade == "nothing"
    assert judge_accuracy(0.3, 1_000, (1, 1, 1, 1, 1)).grade == "weak"


@pytest.mark.parametrize(
    ("n_examples", "class_counts"), [(4, (5, 5)), (9, (50, 50)), (20, (95, 5))]
)
def test_all_right_is_good_however_few_the_examples(
    n_examples: int, class_counts: tuple[int, ...]
) -> None:
    assert judge_accuracy(1.0, n_examples, class_counts).grade == "good"


def test_no_accuracy_is_no_result() -> None:
    assert judge_accuracy(float("nan"), 100, (50, 50)).grade == "nothing"


def test_of_a_single_class_nothing_can_be_learned() -> None:
    assert judge_accuracy(1.0, 10, (10,)).grade == "nothing"


# Overfitting --------------------------------------------------------------------------------------

FALLING = [0.9, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05]


def overfitting(train_loss: list[float], validation_loss: list[float]) -> Overfitting | None:
    epochs = np.arange(1, len(train_loss) + 1)
    return find_overfitting(epochs, train_loss, validation_loss)


def test_overfitting_begins_where_validation_loss_is_lowest() -> None:
    found = overfitting(FALLING, [0.9, 0.8, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85])
    assert found == Overfitting(since=3, lowest=0.6, now=0.85)


@pytest.mark.parametrize(
    ("train_loss", "validation_loss"),
    [
        (FALLING, FALLING),
        (FALLING, [0.9, 0.8, 0.6, 0.61, 0.62, 0.63, 0.64, 0.65]),  # hardly higher
        (FALLING, [0.9, 0.9, 0.9, 0.9, 0.2, 0.9, 0.9, 0.9]),  # one lucky epoch
        (FALLING, [0.9, 0.8, 0.6, 0.6, 0.6, 0.6, 0.5, 0.9]),  # one unlucky epoch
        ([0.5] * 8, [0.9, 0.8, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85]),  # it learns nothing more
        ([0.9, 0.7, 0.5, 1, 2, 4, 8, 9], [0.9, 0.8, 0.6, 1, 2, 4, 8, 9]),  # it diverges
        ([0.9, 0.5, 0.1], [0.5, 0.7, 0.9]),  # too few
        ([], []),
        ([np.nan] * 8, [np.inf] * 8),
    ],
)
def test_no_overfitting(train_loss: list[float], validation_loss: list[float]) -> None:
    assert overfitting(train_loss, validation_loss) is None


def test_losses_that_stay_at_zero_are_no_overfitting() -> None:
    assert overfitting([0.5, 0.0, 0.0, 0.0, 0.0, 0.0], [0.4, 0.0, 0.0, 0.0, 0.0, 0.0]) is None


def test_the_untrained_network_is_not_the_best() -> None:
    found = find_overfitting([0, 1, 2, 3, 4], [2, 0.9, 0.5, 0.3, 0.1], [0.1, 0.6, 0.7, 0.8, 0.9])
    assert found == Overfitting(since=1, lowest=0.6, now=0.9)


def test_overfitting_in_words() -> None:
    assert tell_overfitting(Overfitting(12, 0.0712, 0.1234)).startswith(
        "Overfitting since epoch 12: validation loss has risen from 0.071 to 0.12 while training "
        "loss kept falling. "
    )


# One cause is told once ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def sentences(digits: Dataset, **settings: Any) -> list[list[str]]:
    """Train, and return what is said of the layers after each epoch."""
    config = RunConfig(**{"dataset": "digits", "epochs": 6, **settings})
    ends = [record for record in train(config, digits) if isinstance(record, EpochEnd)]
    told = []
    for n in range(1, len(ends) + 1):
        columns = {name: [getattr(end, name, 0.0) for end in ends[:n]] for name in Epochs._fields}
        epochs = Epochs(**{name: np.array(values) for name, values in columns.items()})
        verdicts = judge_layers([end.health for end in ends[:n]], circumstances_of(config, epochs))
        told.append([sentence for _, sentence in tell_health(verdicts)])
    return told


@pytest.mark.parametrize("units", [32, 64, 128])
def test_a_gradient_that_vanishes_is_told_once_and_no_rate_is_blamed(
    digits: Dataset, units: int
) -> None:
    for said in sentences(digits, hidden=(units,) * 6, activation="sigmoid"):
        [sentence] = said
        assert sentence.startswith("Layers 1, 2")
        assert "times smaller than the last layer's" in sentence
        assert sentence.endswith("; use relu instead of sigmoid.")
        assert "learning rate" not in sentence


def test_a_rate_that_is_too_high_is_blamed_once(digits: Dataset) -> None:
    for said in sentences(digits, hidden=(64, 64), learning_rate=10.0, activation="tanh"):
        assert sum("learning rate" in sentence for sentence in said) == 1
