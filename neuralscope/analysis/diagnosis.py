"""What came of a training: did the network learn, did it overfit, and which layers have problems.

The page and the terminal both speak from here, so that one run is judged once and one cause is
told once. (What ails a layer is found in `health`.)

    nothing      test accuracy is no better than that of always answering the most frequent class,
                 within three standard errors of the sample, and less than half of the way from
                 there to all right
    weak         better than that, but less than half of the way
    fair         less than four fifths of it
    good         the rest

    overfitting  validation loss has risen by a tenth and more above its lowest value, while
                 training loss went on falling by a tenth and more. Medians of three epochs are
                 compared, since a single epoch may be lucky.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from neuralscope.analysis.health import Circumstances
from neuralscope.words import percent

Grade = Literal["nothing", "weak", "fair", "good"]

WEAK, FAIR = 0.5, 0.8
"""Shares of the way from the most frequent class to all right, below which a result is so."""

STANDARD_ERRORS = 3.0
"""How far above the most frequent class an accuracy may be by chance."""

RISEN, FALLEN = 1.1, 0.9
"""Factors of validation loss, at least, and of training loss, at most, that are overfitting."""

EPOCHS_COMPARED = 3


class Result(NamedTuple):
    """How good a test accuracy is.

    Attributes:
        grade: 'nothing', 'weak', 'fair' or 'good'.
        baseline: Accuracy of always answering the most frequent class, 0 to 1.
    """

    grade: Grade
    baseline: float


class Overfitting(NamedTuple):
    """That and since when a network memorizes its training examples.

    Attributes:
        since: Epoch of the lowest validation loss; it has risen from there.
        lowest: Validation loss in that epoch, in nats.
        now: Validation loss in the last epoch.
    """

    since: int
    lowest: float
    now: float


def judge_accuracy(accuracy: float, n_examples: int, class_counts: Sequence[int]) -> Result:
    """Judge a test accuracy by what could be had without learning anything.

    Args:
        accuracy: 0 to 1.
        n_examples: How many examples it was measured on, at least 1.
        class_counts: How many examples the data has of each class, not all of them none.

    >>> judge_accuracy(0.0892, 10_000, [1000] * 10)
    Result(grade='nothing', baseline=0.1)
    >>> judge_accuracy(0.98, 10_000, [1000] * 10).grade
    'good'
    """
    baseline = max(class_counts) / sum(class_counts)
    error = math.sqrt(baseline * (1 - baseline) / n_examples)
    if not accuracy > baseline:  # not a number either
        return Result("nothing", baseline)
    share = (accuracy - baseline) / (1 - baseline)
    # With few examples chance could explain even a good result; that does not make it a bad one.
    if share < WEAK and accuracy <= baseline + STANDARD_ERRORS * error:
        return Result("nothing", baseline)
    return Result("weak" if share < WEAK else "fair" if share < FAIR else "good", baseline)


def tell_baseline(result: Result) -> str:
    """Say what a poor result is to be compared with; nothing of a fair or good one.

    >>> tell_baseline(Result("nothing", 0.1125))
    'It has learned nothing: always answering the most frequent class scores 11.25 %.'
    """
    if result.grade not in ("nothing", "weak"):
        return ""
    judgment = "It has learned nothing" if result.grade == "nothing" else "That is weak"
    baseline = percent(result.baseline)
    return f"{judgment}: always answering the most frequent class scores {baseline}."


def find_overfitting(
    epoch: npt.ArrayLike, train_loss: npt.ArrayLike, validation_loss: npt.ArrayLike
) -> Overfitting | None:
    """Find out whether a network has begun to memorize its training examples, and since when.

    Args:
        epoch: (n,), numbers of the epochs in ascending order; 0 is the untrained network.
        train_loss: (n,), mean cross-entropy on the training examples after each.
        validation_loss: (n,), the same on the validation examples.

    >>> find_overfitting([1, 2, 3, 4, 5], [0.9, 0.5, 0.3, 0.2, 0.1], [0.9, 0.6, 0.8, 0.9, 1.1])
    Overfitting(since=2, lowest=0.6, now=1.1)
    """
    numbers = np.asarray(epoch)
    train, validation = np.asarray(train_loss, float), np.asarray(validation_loss, float)
    measured = (numbers > 0) & np.isfinite(train) & np.isfinite(validation)
    numbers, train, validation = numbers[measured], train[measured], validation[measured]
    if len(numbers) <= EPOCHS_COMPARED:
        return None
    lowest = int(validation.argmin())
    if len(numbers) - 1 - lowest < EPOCHS_COMPARED:
        return None
    around = slice(max(lowest - EPOCHS_COMPARED // 2, 0), lowest + EPOCHS_COMPARED // 2 + 1)
    end = slice(-EPOCHS_COMPARED, None)
    has_risen = np.median(validation[end]) > RISEN * np.median(validation[around])
    goes_on = np.median(train[end]) <= FALLEN * np.median(train[around])
    if not (has_risen and goes_on):
        return None
    return Overfitting(int(numbers[lowest]), float(validation[lowest]), float(validation[-1]))


def tell_overfitting(found: Overfitting) -> str:
    """Say in two sentences that, and since when, a network overfits.

    >>> tell_overfitting(Overfitting(7, 0.0712, 0.103)).split(". ")[0]
    'Overfitting since epoch 7: validation loss has risen from 0.071 to 0.10 while training loss \
kept falling'
    """
    return (
        f"Overfitting since epoch {found.since:,}: validation loss has risen from "
        f"{found.lowest:#.2g} to {found.now:#.2g} while training loss kept falling. The network "
        "memorizes its training examples; regularization, a smaller network or fewer epochs help."
    )


# What the numbers of the layers are to be seen against -------------------------------------------


def circumstances_of(config: Any, epochs: Any, live_rate: float | None = None) -> Circumstances:
    """Return what the numbers of the layers in a run's last epoch are to be seen against.

    Args:
        config: Its settings, a `runs.RunConfig`.
        epochs: What was measured of it, a `runs.Epochs` of at least one epoch.
        live_rate: The learning rate before the schedule as it was set last, if it is known.
    """
    rate = float(epochs.learning_rate[-1])
    # The rate may have been changed since. Where no schedule multiplies it, the last step tells it.
    is_constant = config.schedule == "constant" and not config.warmup_epochs
    before_schedule = rate if is_constant else live_rate or config.learning_rate
    return Circumstances(
        config.hidden,
        config.activations,
        config.optimizer,
        before_schedule,
        float(epochs.train_loss[-1]),
        min(1.0, rate / before_schedule) if before_schedule else 0.0,
        config.initializer,
        float(epochs.learning_rate.max()),
    )
