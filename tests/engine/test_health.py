from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest

from neuralscope.analysis import idle_units
from neuralscope.engine import (
    ACTIVATIONS,
    OPTIMIZERS,
    EpochEnd,
    Examples,
    LayerHealth,
    Network,
    StepEnd,
    Training,
)
from neuralscope.engine import health as health_module
from neuralscope.engine import network as network_module
from neuralscope.engine import training as training_module
from neuralscope.engine.health import Checkup
from tests.engine.conftest import NewTraining

STEPS = 4  # in an epoch: 50 examples in batches of 16


def epoch_ends(training: Training) -> list[EpochEnd]:
    return [record for record in training.records() if isinstance(record, EpochEnd)]


def weights(training: Training) -> list[np.ndarray[Any, Any]]:
    return [layer.weight.astype(np.float64) for layer in training.network.layers]


# Norms and changes


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("settings", [{}, {"l2": 0.1}, {"clip_norm": 1e-3}, {"max_norm": 0.5}])
def test_norms_and_the_change_equal_a_direct_computation(
    new_training: NewTraining, optimizer: str, settings: dict[str, float]
) -> None:
    training = new_training(
        optimizer=optimizer, hidden=(12, 7), n_train=16, learning_rate=0.01, epochs=3, **settings
    )
    n_ends = 0
    before = weights(training)
    x, y = training._train.pixels / np.float32(16), training._train.labels
    _, gradient = training.network.loss_and_gradient(x, y, l2=settings.get("l2", 0.0))
    for record in training.records():
        if not isinstance(record, EpochEnd):
            continue
        n_ends += 1
        start = 0
        for found, w, was in zip(record.health, weights(training), before, strict=True):
            g = gradient[start : start + w.size]
            start += w.size + w.shape[1]  # the biases are not looked at
            size = max(np.linalg.norm(w), np.linalg.norm(was))
            # One batch is the epoch, in another order: sums differ in the last digits.
            assert found.gradient_norm == pytest.approx(np.linalg.norm(g), rel=1e-4)
            assert found.weight_norm == pytest.approx(np.linalg.norm(w), rel=1e-12)
            ratio = np.linalg.norm(w - was) / size
            assert found.update_ratio == pytest.approx(ratio, rel=1e-12)
        before = weights(training)
        _, gradient = training.network.loss_and_gradient(x, y, l2=settings.get("l2", 0.0))
    assert n_ends == 3


def test_norms_of_many_numbers_are_summed_in_parts(
    new_training: NewTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = epoch_ends(new_training())
    monkeypatch.setattr(health_module, "BLOCK", 7)
    for part, expected in zip(epoch_ends(new_training()), whole, strict=True):
        for found, known in zip(part.health, expected.health, strict=True):
            assert found == pytest.approx(known, rel=1e-12)


def test_only_the_last_step_of_an_epoch_is_looked_at(
    new_training: NewTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    training = new_training(epochs=2)
    for name in ("before_step", "after_step"):
        monkeypatch.setattr(training._checkup, name, lambda name=name: looked.append(name))
    n_looked = []
    for record in training.records():
        if isinstance(record, StepEnd):
            n_looked.append(len(looked))
    assert n_looked == [0] * (STEPS - 1) + [2] * STEPS + [4]
    assert looked == ["before_step", "after_step"] * 2


def test_a_rate_of_zero_moves_nothing(new_training: NewTraining) -> None:
    for end in epoch_ends(new_training(learning_rate=0.0)):
        assert [layer.update_ratio for layer in end.health] == [0.0, 0.0]
        assert all(layer.gradient_norm > 0 for layer in end.health)


def test_weights_that_are_zero_and_stay_so(new_training: NewTraining) -> None:
    training = new_training()
    training.network.parameters[...] = 0
    for end in epoch_ends(training):
        # A relu that gives zero passes nothing on, in either direction.
        assert end.health == (LayerHealth(0, 0, 0, 1.0, 0), LayerHealth(0, 0, 0, 0, 0))


def test_a_ratio_is_at_most_two(new_training: NewTraining) -> None:
    training = new_training()
    checkup, parameters = Checkup(training.network), training.network.parameters
    rows = training.network.layers
    checkup.before_step()
    parameters *= -1
    checkup.after_step()
    assert [ratio for *_, ratio in checkup.last_step] == [2.0] * len(rows)
    parameters[...] = 0
    checkup.before_step()
    parameters[...] = 1
    checkup.after_step()
    assert [ratio for *_, ratio in checkup.last_step] == [1.0] * len(rows)


# Units


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_dead_and_saturated_agree_with_the_analysis(
    new_training: NewTraining, monkeypatch: pytest.MonkeyPatch, activation: str
) -> None:
    monkeypatch.setattr(network_module, "CHUNK", 8)  # 30 examples: the last part is short
    training = new_training(hidden=(40, 30), activation=activation, learning_rate=5.0, epochs=3)
    training.network.layers[0].bias[:10] = -60
    training.network.layers[1].bias[:4] = 60
    n_idle = 0
    for record in training.records():
        if not isinstance(record, EpochEnd):
            continue
        *hidden, output = record.health
        assert (output.dead, output.saturated) == (0, 0)
        x = training._train_sample.pixels / np.float32(16)
        for found, outputs in zip(hidden, training.network.activations(x)[:-1], strict=True):
            idle = idle_units(outputs, activation)
            assert found.dead == pytest.approx(len(idle.dead) / len(idle.share))
            assert found.saturated == pytest.approx(len(idle.saturated) / len(idle.share))
            n_idle += len(idle.dead) + len(idle.saturated)
    assert n_idle > 0


def test_saturated_means_at_an_end_on_nearly_all_of_the_sample() -> None:
    network = Network((2, 3, 2), activation="tanh", rng=np.random.default_rng(0))
    checkup = Checkup(network)
    checkup.before_step()
    checkup.after_step()
    a = np.zeros((100, 3), np.float32)
    a[:95, 0], a[:94, 1], a[:50, 2], a[50:, 2] = 0.99, 0.99, -0.985, 0.985
    checkup.begin_sample()
    for part in (a[:30], a[30:]):
        checkup.see([part, part[:, :2]])
    assert checkup.result()[0].saturated == pytest.approx(2 / 3)


# When


def test_there_is_none_before_training(new_training: NewTraining) -> None:
    *_, before = new_training().measure(0)
    assert isinstance(before, EpochEnd)
    assert before.health == ()


def test_a_layer_each(new_training: NewTraining) -> None:
    for hidden in ((), (5,), (5, 4, 3)):
        for end in epoch_ends(new_training(hidden=hidden)):
            assert len(end.health) == len(hidden) + 1


def test_it_is_known_after_a_stop_between_the_last_step_and_the_measuring(
    new_training: NewTraining,
) -> None:
    through, stopped = new_training(), new_training()
    for record in through.records():
        if isinstance(record, StepEnd) and record.step == STEPS:
            state = through.state()
    stopped.restore(state)
    assert epoch_ends(stopped) == epoch_ends(new_training())


def test_a_state_of_before_there_was_health_is_welcome(new_training: NewTraining) -> None:
    import json

    training = new_training(epochs=3)
    for record in training.records():
        if record.step == STEPS:
            break
    state = training.state()
    position = json.loads(str(state["position"]))
    del position["last_step"]
    state["position"] = np.array(json.dumps(position))
    training.restore(state)
    # What its last step was like, nobody knows any more.
    assert [len(end.health) for end in epoch_ends(training)] == [0, 2, 2]


# Runaway trainings


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("learning_rate", [10.0, 1e4, 1e12, 1e30])
def test_runaway_training_gives_finite_numbers_without_a_warning(
    new_training: NewTraining, activation: str, learning_rate: float
) -> None:
    training = new_training(
        hidden=(20, 20), activation=activation, learning_rate=learning_rate, epochs=6
    )
    for record in training.records():
        if isinstance(record, EpochEnd):
            for layer in record.health:
                assert all(type(value) is float and math.isfinite(value) for value in layer)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1e200])
def test_what_cannot_be_squared_is_the_largest_number(value: float) -> None:
    network = Network((2, 2), rng=np.random.default_rng(0), dtype=np.float64)
    checkup = Checkup(network)
    network.gradient[...] = value
    checkup.before_step()
    network.parameters[...] = value
    checkup.after_step()
    checkup.begin_sample()
    (found,) = checkup.result()
    assert found.gradient_norm == found.weight_norm == sys.float_info.max
    assert math.isfinite(found.update_ratio)


def test_looking_allocates_next_to_nothing() -> None:
    import tracemalloc

    network = Network((1000, 1000, 10), rng=np.random.default_rng(0))
    checkup = Checkup(network)
    tracemalloc.start()
    try:
        checkup.before_step()
        checkup.after_step()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < network.parameters.nbytes / 100


def test_the_sample_runs_through_the_network_once(
    new_training: NewTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_run = []
    outputs = Network.outputs

    def count(self: Network, x: Any) -> Any:
        n_run.append(len(x))
        return outputs(self, x)

    monkeypatch.setattr(Network, "outputs", count)
    training = new_training(n_train=50, n_validation=30, epochs=1)
    list(training.records())
    assert n_run == [30, 30]


def test_a_sample_of_one_example() -> None:
    examples = Examples(np.ones((1, 3), np.uint8), np.zeros(1, np.int64), 1.0)
    network = Network((3, 4, 2), rng=np.random.default_rng(0))
    checkup = Checkup(network)
    checkup.before_step()
    checkup.after_step()
    checkup.begin_sample()
    *_, _ = training_module.score_in_parts(network, examples, np.empty((1, 2), np.float32), checkup)
    fired = network.outputs(examples.pixels)[0] > 0
    assert checkup.result()[0].dead == pytest.approx(1 - fired.mean())
