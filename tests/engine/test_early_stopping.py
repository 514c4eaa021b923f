"""Early stopping as hand-made validation curves have it, and the weights that come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from neuralscope.engine import EpochEnd, Examples, Record, Restored, Score, Training, score
from neuralscope.engine import training as training_module
from neuralscope.engine.early_stopping import EarlyStopping
from tests.engine.conftest import NewTraining

NewCurve = Callable[..., Training]


@pytest.fixture
def follow_curve(new_training: NewTraining, monkeypatch: pytest.MonkeyPatch) -> NewCurve:
    """Return a function that makes a training whose validation accuracy is written by hand."""

    def make(curve: list[float], patience: int, **settings: Any) -> Training:
        training = new_training(**{"epochs": len(curve), **settings}, patience=patience)
        measured = training_module.score_in_parts

        def pretend(network: Any, examples: Examples, *others: Any) -> Iterator[Score | None]:
            for part in measured(network, examples, *others):
                if part is not None and examples is training._validation:
                    part = Score(part.loss, curve[training.step // training.n_batches - 1])
                yield part

        monkeypatch.setattr(training_module, "score_in_parts", pretend)
        return training

    return make


def parameters_by_epoch(training: Training) -> tuple[dict[int, Any], list[Record]]:
    """Train to the end; return the weights at the end of each epoch and all records."""
    kept, records = {}, []
    for record in training.records():
        records.append(record)
        if isinstance(record, EpochEnd):
            kept[record.epoch] = training.network.parameters.copy()
    return kept, records


# When to give up


@pytest.mark.parametrize(
    ("curve", "patience", "last_epoch", "best_epoch"),
    [
        ([0.1, 0.2, 0.3, 0.2, 0.2, 0.9], 2, 5, 3),
        ([0.1, 0.2, 0.3, 0.2, 0.2, 0.9], 3, 6, 6),  # waits just long enough
        ([0.1, 0.1, 0.1, 0.1], 1, 2, 1),  # as good is not better
        ([0.1, 0.1, 0.1, 0.1], 3, 4, 1),
        ([0.5, 0.4, 0.45, 0.48, 0.9], 3, 4, 1),  # rising again, but not above the best
        ([0.1, 0.3, 0.2, 0.4, 0.3, 0.5], 2, 6, 6),  # a dip of one epoch is forgiven
        ([0.0, 0.0, 0.0], 2, 3, 1),  # none right is an accuracy, too
        ([0.1, 0.2, 0.3], 5, 3, 3),
        ([0.3, 0.2, 0.1], 5, 3, 1),
    ],
)
def test_it_ends_when_patience_has_run_out_and_brings_back_the_best(
    follow_curve: NewCurve,
    curve: list[float],
    patience: int,
    last_epoch: int,
    best_epoch: int,
) -> None:
    training = follow_curve(curve, patience)
    kept, records = parameters_by_epoch(training)
    assert list(kept) == list(range(1, last_epoch + 1))
    assert training.epoch == last_epoch
    assert training.at_epoch_end
    np.testing.assert_array_equal(training.network.parameters, kept[best_epoch])
    if best_epoch == last_epoch:
        assert isinstance(records[-1], EpochEnd)
        assert training.restored is None
    else:
        is_early = last_epoch < len(curve)
        best = curve[best_epoch - 1]
        step = last_epoch * training.n_batches
        assert records[-1] == Restored(last_epoch, step, best_epoch, best, is_early)
        assert training.restored == records[-1]
        assert not np.array_equal(kept[best_epoch], kept[last_epoch])


def test_without_patience_all_epochs_are_trained_and_nothing_is_brought_back(
    follow_curve: NewCurve,
) -> None:
    training = follow_curve([0.9, 0.1, 0.1, 0.1], 0)
    kept, records = parameters_by_epoch(training)
    assert list(kept) == [1, 2, 3, 4]
    assert isinstance(records[-1], EpochEnd)
    np.testing.assert_array_equal(training.network.parameters, kept[4])


def test_patience_changes_nothing_up_to_there(follow_curve: NewCurve) -> None:
    curve = [0.1, 0.4, 0.3, 0.2, 0.1]
    plain, _ = parameters_by_epoch(follow_curve(curve, 0))
    patient, _ = parameters_by_epoch(follow_curve(curve, 2))
    for epoch, parameters in patient.items():
        np.testing.assert_array_equal(parameters, plain[epoch])


def test_the_untrained_network_is_no_epoch(follow_curve: NewCurve) -> None:
    training = follow_curve([0.1, 0.2, 0.9], 2)
    list(training.measure(0))  # pretends to be 0.9, as the curve has it last
    assert training._stopping is not None
    assert training._stopping.best_epoch == 0
    kept, _ = parameters_by_epoch(training)
    assert list(kept) == [1, 2, 3]


def test_the_answers_are_those_of_the_weights_that_are_back(follow_curve: NewCurve) -> None:
    training = follow_curve([0.5, 0.4, 0.3], 2)
    list(training.records())
    assert training.restored is not None
    _, probabilities = score(training.network, training._validation)
    np.testing.assert_array_equal(training.validation_probabilities, probabilities)


def test_it_keeps_a_copy() -> None:
    parameters = np.ones(3)
    stopping = EarlyStopping(2, parameters)
    assert not stopping.gives_up(5)  # nothing seen, nothing to give up
    stopping.look(1, 0.5, parameters)
    parameters[...] = 2
    stopping.look(2, 0.5, parameters)
    np.testing.assert_array_equal(stopping.best_parameters, np.ones(3))
    assert [stopping.gives_up(epoch) for epoch in (2, 3, 4)] == [False, True, True]


# Stopping and going on


def test_over_is_over(follow_curve: NewCurve) -> None:
    training = follow_curve([0.5, 0.4, 0.3], 1)
    *_, last = training.records()
    state = training.state()
    assert list(training.records()) == [last]
    again = follow_curve([0.5, 0.4, 0.3], 1)
    again.restore(state)
    assert again.restored == last
    assert list(again.records()) == [last]
    np.testing.assert_array_equal(again.network.parameters, training.network.parameters)


@pytest.mark.parametrize("more", [{"patience": 3}, {"patience": 0}])
def test_with_more_patience_it_goes_on_from_the_last_weights_not_from_the_best(
    follow_curve: NewCurve, more: dict[str, int]
) -> None:
    curve = [0.5, 0.4, 0.3, 0.6, 0.7]
    short = follow_curve(curve, 2)
    list(short.records())
    assert short.epoch == 3
    through, records = parameters_by_epoch(follow_curve(curve, **more))
    longer = follow_curve(curve, **more)
    longer.restore(short.state())
    later, rest = parameters_by_epoch(longer)
    assert list(later) == [4, 5]
    assert rest == records[-len(rest) :]
    for epoch, parameters in later.items():
        np.testing.assert_array_equal(parameters, through[epoch])
    assert longer.restored is None


def test_more_epochs_go_on_from_the_end(follow_curve: NewCurve) -> None:
    curve = [0.5, 0.4, 0.6, 0.3]
    short = follow_curve(curve, 3, epochs=2)
    *_, last = short.records()
    assert last == Restored(2, short.step, 1, 0.5, False)
    long = follow_curve(curve, 3)
    long.restore(short.state())
    later, _ = parameters_by_epoch(long)
    through, _ = parameters_by_epoch(follow_curve(curve, 3))
    assert list(later) == [3, 4]
    np.testing.assert_array_equal(later[4], through[4])
    np.testing.assert_array_equal(long.network.parameters, through[3])


def test_a_state_from_before_patience_was_asked_for_begins_to_count_there(
    follow_curve: NewCurve,
) -> None:
    curve = [0.9, 0.5, 0.4, 0.3, 0.2]
    plain = follow_curve(curve, 0)
    for record in plain.records():
        if isinstance(record, EpochEnd):
            break
    patient = follow_curve(curve, 2)
    patient.restore(plain.state())
    kept, records = parameters_by_epoch(patient)
    assert list(kept) == [2, 3, 4]
    assert isinstance(records[-1], Restored)
    assert records[-1].best_epoch == 2
