from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from neuralscope.engine import (
    OPTIMIZERS,
    Diverged,
    EpochEnd,
    Evaluating,
    Examples,
    Network,
    Record,
    Restored,
    Schedule,
    StepEnd,
    Training,
    score,
)
from neuralscope.engine import network as network_module
from neuralscope.engine.arrays import Pixels
from neuralscope.engine.batches import Batch
from neuralscope.engine.loss import cross_entropy
from tests.engine.conftest import NewTraining

STEPS = 4  # in an epoch: 50 examples in batches of 16


def of(kind: type, records: list[Record]) -> list[Any]:
    return [record for record in records if isinstance(record, kind)]


def bits(training: Training) -> tuple[object, ...]:
    """Return all that training changes, to be compared to the bit."""
    state = {name: array.tobytes() for name, array in training.state().items()}
    return state, training.validation_probabilities.tobytes(), training.diverged


# The records


def test_a_step_end_for_each_batch_and_an_epoch_end_for_each_epoch(
    new_training: NewTraining,
) -> None:
    records = list(new_training(epochs=3).records())
    steps, ends = of(StepEnd, records), of(EpochEnd, records)
    assert [step.step for step in steps] == list(range(1, 3 * STEPS + 1))
    assert [step.epoch for step in steps] == [1] * STEPS + [2] * STEPS + [3] * STEPS
    assert [(end.epoch, end.step) for end in ends] == [(1, STEPS), (2, 2 * STEPS), (3, 3 * STEPS)]
    kinds = [type(record).__name__ for record in records[: STEPS + 3]]
    assert kinds == ["StepEnd"] * STEPS + ["Evaluating"] * 2 + ["EpochEnd"]
    assert len(records) == 3 * (STEPS + 3)


def test_the_last_batch_is_short_but_kept(new_training: NewTraining) -> None:
    steps = of(StepEnd, list(new_training(epochs=1).records()))
    assert [step.n_examples for step in steps] == [16, 16, 16, 2]


def test_a_batch_larger_than_the_data_takes_it_whole(new_training: NewTraining) -> None:
    training = new_training(epochs=2, batch_size=1000)
    assert training.n_batches == 1
    assert [step.n_examples for step in of(StepEnd, list(training.records()))] == [50, 50]


def test_counters_follow(new_training: NewTraining) -> None:
    training = new_training(epochs=2)
    assert (training.n_batches, training.total_steps) == (STEPS, 2 * STEPS)
    assert (training.epoch, training.step, training.at_epoch_end) == (0, 0, True)
    for record in training.records():
        assert training.step == record.step
        if isinstance(record, StepEnd):
            assert (training.epoch, training.at_epoch_end) == (record.epoch - 1, False)
        if isinstance(record, EpochEnd):
            assert (training.epoch, training.at_epoch_end) == (record.epoch, True)


def test_each_epoch_sees_each_example_once_and_in_another_order(
    new_training: NewTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    gather = Batch.gather

    def spy(self: Batch, pixels: Any, labels: Any, indices: Any, *others: Any) -> Any:
        seen.extend(indices.tolist())
        return gather(self, pixels, labels, indices, *others)

    monkeypatch.setattr(Batch, "gather", spy)
    list(new_training(epochs=2).records())
    first, second = seen[:50], seen[50:]
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    # Examples are shuffled, not batches: those that shared a batch are apart in the next epoch.
    batches = [{*first[i : i + 16]} for i in range(0, 50, 16)]
    assert {*second[:16]} not in batches


def test_the_loss_of_a_step_is_that_of_its_batch_before_it(
    new_training: NewTraining, digits: Examples
) -> None:
    training = new_training(batch_size=50, l2=0.5)  # the batch is the whole training set
    before = training.network.parameters.copy()
    step = next(training.records())
    training.network.parameters[...] = before
    now, _ = score(training.network, digits.first(50))
    assert isinstance(step, StepEnd)
    assert step.loss == pytest.approx(now.loss, rel=1e-5)


def test_an_epoch_end_equals_a_direct_computation(
    new_training: NewTraining, digits: Examples
) -> None:
    training = new_training(epochs=2, dropout=0.5, l2=0.01, activation="tanh")
    # As many training examples are measured as there are for validation: the first ones.
    sets = {"train": slice(0, 30), "validation": slice(170, 200)}
    n_ends = 0
    for record in training.records():
        if not isinstance(record, EpochEnd):
            continue
        n_ends += 1
        for name, rows in sets.items():
            logits = training.network.logits(digits.pixels[rows] / np.float32(16))
            loss = cross_entropy(logits, digits.labels[rows]).mean()
            right = (logits.argmax(axis=1) == digits.labels[rows]).mean()
            assert getattr(record, f"{name}_loss") == pytest.approx(loss, rel=1e-5)
            assert getattr(record, f"{name}_accuracy") == pytest.approx(right)
        probabilities = training.network.predict_proba(digits.pixels[170:] / np.float32(16))
        np.testing.assert_allclose(training.validation_probabilities, probabilities, rtol=1e-5)
    assert n_ends == 2


def test_a_small_training_set_is_measured_whole(new_training: NewTraining) -> None:
    training = new_training(n_train=10, n_validation=40, epochs=1)
    (end,) = of(EpochEnd, list(training.records()))
    train, _ = score(training.network, training._train)
    assert (end.train_loss, end.train_accuracy) == train


def test_epoch_0_measures_the_untrained_network(new_training: NewTraining) -> None:
    training = new_training()
    before = bits(training)
    *_, end = training.measure(0)
    assert isinstance(end, EpochEnd)
    assert (end.epoch, end.step, end.learning_rate) == (0, 0, 0.1)
    assert end.validation_loss == score(training.network, training._validation)[0].loss
    assert bits(training)[0] == before[0]
    # And training goes on as if nobody had looked.
    assert list(training.records()) == list(new_training().records())


def test_measuring_comes_in_parts(
    new_training: NewTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = list(new_training(epochs=1).records())
    monkeypatch.setattr(network_module, "CHUNK", 8)  # 30 examples: four parts each
    parts = list(new_training(epochs=1).records())
    assert parts[STEPS:-1] == [Evaluating(1, STEPS)] * 8
    assert parts[-1][:-1] == pytest.approx(whole[-1][:-1], rel=1e-6)
    assert parts[-1][-1] == whole[-1][-1]  # the health, whose units are counted


def test_answers_can_be_had_within_an_epoch(new_training: NewTraining) -> None:
    training = new_training()
    records = training.records()
    for _ in range(2):
        next(records)
    before = bits(training)[0]
    assert list(training.answer()) == [Evaluating(1, 2)]
    _, probabilities = score(training.network, training._validation)
    np.testing.assert_array_equal(training.validation_probabilities, probabilities)
    assert bits(training)[0] == before


def test_no_dropout_without_hidden_layers(new_training: NewTraining) -> None:
    with_dropout = list(new_training(hidden=(), dropout=0.5).records())
    assert with_dropout == list(new_training(hidden=()).records())


# Learning


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_32_digits_can_be_learned_by_heart(name: str, new_training: NewTraining) -> None:
    rates = {"sgd": 0.3, "momentum": 0.05, "nesterov": 0.05}
    training = new_training(
        optimizer=name,
        learning_rate=rates.get(name, 0.01),
        hidden=(32,),
        n_train=32,
        n_validation=32,
        epochs=60,
    )
    first, *_, last = of(EpochEnd, list(training.records()))
    assert first.train_loss > 0.5
    assert last.train_loss < 0.05
    assert last.train_accuracy == 1


def test_what_is_learned_holds_for_digits_never_seen(new_training: NewTraining) -> None:
    *_, last = new_training(hidden=(32,), n_train=150, epochs=40).records()
    assert isinstance(last, EpochEnd)
    assert last.validation_accuracy > 0.9


@pytest.mark.parametrize("settings", [{}, {"dropout": 0.3}, {"l2": 0.01}])
def test_the_same_seed_gives_the_same_bits(
    settings: dict[str, float], new_training: NewTraining
) -> None:
    one, other, another = (new_training(seed=seed, **settings) for seed in (1, 1, 2))
    assert list(one.records()) == list(other.records())
    assert bits(one) == bits(other)
    list(another.records())
    assert bits(one) != bits(another)


def test_more_draws_of_one_randomness_leave_the_other_alone(new_training: NewTraining) -> None:
    plain, dropped = new_training(), new_training(dropout=0.5)
    list(plain.records())
    list(dropped.records())
    positions = [json.loads(str(each.state()["position"])) for each in (plain, dropped)]
    assert positions[0]["epoch_rng"] == positions[1]["epoch_rng"]
    assert positions[0]["dropout_rng"] != positions[1]["dropout_rng"]


def test_l2_keeps_weights_small(new_training: NewTraining) -> None:
    plain, pulled = new_training(epochs=20), new_training(epochs=20, l2=0.1)
    for training in (plain, pulled):
        list(training.records())
    sizes = [np.abs(each.network.layers[0].weight).mean() for each in (plain, pulled)]
    assert sizes[1] < 0.7 * sizes[0]


# Augmentation


def test_each_batch_is_distorted_and_nothing_that_is_measured(
    new_training: NewTraining, digits: Examples
) -> None:
    seen = []

    def blacken(pixels: Pixels, rng: np.random.Generator) -> Pixels:
        assert pixels.dtype == np.uint8
        seen.append((len(pixels), rng.random()))
        return np.zeros_like(pixels)

    before = digits.pixels.copy()
    training = new_training(augment=blacken, augment_rng=np.random.default_rng(7), epochs=2)
    first_weight = training.network.layers[0].weight.copy()
    *_, end = training.records()
    assert [n for n, _ in seen] == [16, 16, 16, 2] * 2
    draws = np.random.default_rng(7)
    assert [draw for _, draw in seen] == [draws.random() for _ in seen]
    np.testing.assert_array_equal(digits.pixels, before)
    # A black picture says nothing about the first layer's weights.
    np.testing.assert_array_equal(training.network.layers[0].weight, first_weight)
    assert isinstance(end, EpochEnd)
    assert end.train_loss == score(training.network, training._train_sample)[0].loss


def test_augmentation_leaves_the_other_randomness_alone(new_training: NewTraining) -> None:
    def only_draw(pixels: Pixels, rng: np.random.Generator) -> Pixels:
        rng.random(100)
        return pixels

    plain = new_training(dropout=0.3)
    same = new_training(dropout=0.3, augment=only_draw, augment_rng=np.random.default_rng(7))
    assert list(same.records()) == list(plain.records())
    assert "augment_rng" in json.loads(str(same.state()["position"]))
    assert "augment_rng" not in json.loads(str(plain.state()["position"]))


# The learning rate


def test_the_schedule_decides_the_rate_of_each_step(new_training: NewTraining) -> None:
    records = list(new_training(schedule="linear", learning_rate=0.8).records())
    n = 2 * STEPS
    rates = [step.learning_rate for step in of(StepEnd, records)]
    assert rates == pytest.approx([0.8 * (1 - step / n) for step in range(n)])
    # An epoch's is that of its last step.
    ends = [end.learning_rate for end in of(EpochEnd, records)]
    assert ends == [rates[STEPS - 1], rates[-1]]


def test_the_learning_rate_may_be_set_between_any_two_records(new_training: NewTraining) -> None:
    training = new_training(schedule="linear", learning_rate=0.8)
    rates = []
    for record in training.records():
        if isinstance(record, StepEnd):
            rates.append(record.learning_rate)
        if record.step == 3:
            training.learning_rate = 0.4
    factors = Schedule("linear", STEPS, 2)
    expected = [(0.8 if step < 3 else 0.4) * factors(step) for step in range(2 * STEPS)]
    assert rates == expected
    assert training.current_rate == 0


def test_a_rate_of_zero_changes_nothing(new_training: NewTraining) -> None:
    training = new_training(learning_rate=0.0)
    before = training.network.parameters.copy()
    list(training.records())
    np.testing.assert_array_equal(training.network.parameters, before)


# Stopping and going on


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Measure in several parts, so that there are several records between two epochs."""
    monkeypatch.setattr(network_module, "CHUNK", 10)
    return


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_goes_on_from_between_any_two_records_as_if_never_stopped(
    name: str, new_training: NewTraining
) -> None:
    def fresh() -> Training:
        return new_training(
            optimizer=name, hidden=(4,), dropout=0.3, l2=0.01, schedule="cosine", epochs=2
        )

    through = fresh()
    states = [through.state()]
    records = []
    for record in through.records():
        records.append(record)
        states.append(through.state())
    assert len(of(Evaluating, records)) == 2 * (3 + 3)

    def told(records: list[Record]) -> list[Record]:
        """Leave out the pauses: what is being measured is measured from its beginning."""
        return [record for record in records if not isinstance(record, Evaluating)]

    for done, state in enumerate(states):
        stopped = fresh()
        stopped.restore(state)
        assert told(list(stopped.records())) == told(records[done:])
        if done < len(records):
            assert bits(stopped) == bits(through)
        else:  # nothing was left to measure
            assert bits(stopped)[0] == bits(through)[0]


def test_it_does_so_with_everything_switched_on(new_training: NewTraining) -> None:
    def distort(pixels: Pixels, rng: np.random.Generator) -> Pixels:
        return np.roll(pixels, rng.integers(-2, 3), axis=1)

    def fresh(seed: int = 3) -> Training:
        return new_training(
            seed=seed,
            optimizer="adam",
            learning_rate=0.01,
            hidden=(8,),
            epochs=8,
            l2=1e-3,
            l1=1e-4,
            dropout=0.2,
            label_smoothing=0.1,
            clip_norm=0.5,
            max_norm=0.9,
            patience=1,
            augment=distort,
            augment_rng=np.random.default_rng([seed, 3]),
        )

    through = fresh()
    states, records = [through.state()], []
    for record in through.records():
        records.append(record)
        states.append(through.state())
    assert isinstance(records[-1], Restored)

    for done, state in enumerate(states):
        stopped = fresh(seed=9)
        stopped.restore(state)
        rest = [record for record in stopped.records() if not isinstance(record, Evaluating)]
        expected = [record for record in records[done:] if not isinstance(record, Evaluating)]
        assert rest == (expected or records[-1:])  # once it is over, that is said again
        assert bits(stopped)[0] == bits(through)[0]
        if done < len(records):  # else there was nothing left to measure
            assert bits(stopped) == bits(through)


def test_a_state_survives_a_file(new_training: NewTraining, tmp_path: Any) -> None:
    def fresh() -> Training:
        return new_training(optimizer="adam", dropout=0.3)

    through = fresh()
    for record in through.records():
        if record.step == 2:
            np.savez(tmp_path / "state.npz", allow_pickle=False, **through.state())
    stopped = fresh()
    with np.load(tmp_path / "state.npz", allow_pickle=False) as state:
        stopped.restore(state)
    list(stopped.records())
    assert bits(stopped) == bits(through)


def test_the_same_training_can_go_back(new_training: NewTraining) -> None:
    training = new_training(optimizer="momentum", dropout=0.3)
    records = training.records()
    next(records)
    state = training.state()
    rest = list(records)
    training.restore(state)
    assert list(training.records()) == rest


def test_a_learning_rate_that_was_set_is_part_of_the_state(new_training: NewTraining) -> None:
    training, other = new_training(), new_training()
    training.learning_rate = 0.77
    other.restore(training.state())
    assert other.learning_rate == 0.77


def test_a_state_holds_copies(new_training: NewTraining) -> None:
    training = new_training(optimizer="adam")
    state = training.state()
    kept = {name: array.copy() for name, array in state.items()}
    list(training.records())
    for name, array in state.items():
        np.testing.assert_array_equal(array, kept[name])


def test_more_epochs_go_on_from_the_end(new_training: NewTraining) -> None:
    short, long, through = (new_training(epochs=n) for n in (1, 3, 3))
    first = list(short.records())
    long.restore(short.state())
    assert first + list(long.records()) == list(through.records())


@pytest.mark.parametrize(
    ("settings", "missing"),
    [({"hidden": (5,)}, "parameters"), ({"optimizer": "adam"}, "optimizer_gradient_sum")],
)
def test_a_state_of_something_else_is_refused_and_changes_nothing(
    settings: dict[str, Any], missing: str, new_training: NewTraining
) -> None:
    training = new_training(**settings)
    before = bits(training)
    with pytest.raises(ValueError, match=rf"the state has no {missing} of \d+ numbers"):
        training.restore(new_training().state())
    assert bits(training) == before


# Failing


def test_a_rate_beyond_all_bounds_ends_with_diverged(new_training: NewTraining) -> None:
    training = new_training(learning_rate=1e30, epochs=5)
    *before, last = training.records()
    assert isinstance(last, Diverged)
    assert training.diverged == last
    assert last.what == "the training loss"
    assert (last.epoch, last.step) == (1, len(before) + 1)
    assert all(np.isfinite(step.loss) for step in before)


def test_after_diverged_there_is_nothing_but_diverged(new_training: NewTraining) -> None:
    training = new_training(learning_rate=1e30)
    *_, last = training.records()
    assert list(training.records()) == [last]


def test_a_loss_that_is_not_finite_changes_nothing(new_training: NewTraining) -> None:
    training = new_training(optimizer="adam")
    training.network.layers[0].bias[0] = np.nan
    before = bits(training)[0]
    assert list(training.records()) == [Diverged(1, 1, "the training loss")]
    assert bits(training)[0] == before


def test_a_weight_that_is_not_finite_is_found_at_the_end_of_the_epoch(
    new_training: NewTraining,
) -> None:
    training = new_training(n_train=16, epochs=2)
    records = training.records()
    next(records)
    # What the last step of an epoch does to the weights, no later step of it shows.
    training.network.layers[0].weight[0, 0] = np.inf
    *_, last = records
    assert last == Diverged(1, 1, "a weight")
    assert training.epoch == 0


def test_a_loss_that_is_not_finite_is_found_at_the_end_of_the_epoch(
    new_training: NewTraining,
) -> None:
    training = new_training(n_train=16, epochs=2)
    records = training.records()
    next(records)
    answers = training.validation_probabilities.copy()
    training.network.parameters[...] = 1e38  # finite, but no sum of them is
    *_, last = records
    assert last == Diverged(1, 1, "the loss at the end of the epoch")
    assert np.isfinite(training.network.parameters).all()
    np.testing.assert_array_equal(training.validation_probabilities, answers)


def test_going_back_to_before_it_diverged_is_going_back(new_training: NewTraining) -> None:
    training = new_training()
    state = training.state()
    training.learning_rate = 1e30
    *_, last = training.records()
    assert isinstance(last, Diverged)
    training.restore(state)
    assert training.diverged is None
    assert list(training.records()) == list(new_training().records())


# Measuring


def test_a_score_is_mean_loss_and_share_right() -> None:
    # One input, two classes: the second is chosen where the pixel is on.
    network = Network((1, 2), rng=np.random.default_rng(0), dtype=np.float64)
    network.layers[0].weight[...] = [[-np.log(3), np.log(3)]]
    network.layers[0].bias[...] = [np.log(3) / 2, -np.log(3) / 2]
    examples = Examples(np.array([[0], [1], [1], [1]], np.uint8), np.array([0, 1, 1, 0]), 1.0)
    result, probabilities = score(network, examples)
    # Logits differ by ln 3: the answer is given 3/4, the other class 1/4.
    expected = [[3 / 4, 1 / 4], [1 / 4, 3 / 4], [1 / 4, 3 / 4], [1 / 4, 3 / 4]]
    np.testing.assert_allclose(probabilities, expected)
    assert result.accuracy == 3 / 4
    assert result.loss == pytest.approx((3 * np.log(4 / 3) + np.log(4)) / 4)


def test_unshuffled_epochs_take_the_examples_as_they_stand(
    new_training: NewTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    gather = Batch.gather

    def spy(self: Batch, pixels: Any, labels: Any, indices: Any, *others: Any) -> Any:
        seen.extend(indices.tolist())
        return gather(self, pixels, labels, indices, *others)

    monkeypatch.setattr(Batch, "gather", spy)
    list(new_training(epochs=2, shuffle=False).records())
    assert seen == [*range(50), *range(50)]


def trained_on(examples: Examples, sizes: tuple[int, ...], epochs: int) -> np.ndarray:
    """Return the parameters of a network that has learned these examples."""
    network = Network(sizes, rng=np.random.default_rng(0))
    training = Training(
        network,
        OPTIMIZERS["sgd"](network.parameters),
        Schedule("constant", 13, epochs),
        examples,
        examples.first(20),
        learning_rate=0.1,
        batch_size=16,
        epochs=epochs,
        shuffle_rng=np.random.default_rng(1),
        dropout_rng=np.random.default_rng(2),
    )
    list(training.records())
    return network.parameters


def test_floating_point_examples_train_as_their_pixels_do(digits: Examples) -> None:
    def trained(examples: Examples) -> np.ndarray:
        return trained_on(examples, (36, 12, 10), epochs=2)

    inputs = digits.pixels.astype(np.float32) * np.float32(digits.scale)
    ones = np.ones(len(digits), np.float32)
    expected = trained(digits)
    np.testing.assert_array_equal(trained(Examples(inputs, digits.labels, 1.0)), expected)
    np.testing.assert_array_equal(trained(Examples(inputs, digits.labels, 1.0, ones)), expected)


def test_examples_of_weight_zero_are_not_learned(digits: Examples) -> None:
    def trained(labels: np.ndarray) -> np.ndarray:
        weights = np.tile([2, 0], 100).astype(np.float32)
        examples = Examples(digits.pixels, labels, digits.scale, weights)
        return trained_on(examples, (36, 10), epochs=1)

    other = digits.labels.copy()
    other[1::2] = 0
    np.testing.assert_array_equal(trained(digits.labels), trained(other))
