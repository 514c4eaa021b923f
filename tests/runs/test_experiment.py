from __future__ import annotations

import dataclasses
import json
from collections import Counter

import numpy as np
import pytest

import neuralscope
from neuralscope import Dataset, EpochEnd, Network, RunConfig, StepEnd, train
from neuralscope.data.augmentation import AUGMENTATIONS
from neuralscope.engine import Restored
from neuralscope.errors import ConfigError
from neuralscope.runs import examples, new_network, prepare


def test_training_tells_of_every_step_and_epoch(config: RunConfig, digits: Dataset) -> None:
    records = list(train(config, digits))
    n_batches = -(-len(digits.y_train) // config.batch_size)
    assert Counter(map(type, records)) == {StepEnd: 2 * n_batches, EpochEnd: 2}
    steps = [record for record in records if isinstance(record, StepEnd)]
    assert [record.step for record in steps] == list(range(1, 2 * n_batches + 1))
    assert sum(record.n_examples for record in steps) == 2 * len(digits.y_train)
    assert isinstance(records[-1], EpochEnd)
    assert records[-1].epoch == 2


def test_the_network_learns(digits: Dataset) -> None:
    config = RunConfig(dataset="digits", hidden=(32,), epochs=8)
    *_, last = train(config, digits)
    assert isinstance(last, EpochEnd)
    assert last.validation_accuracy > 0.9
    assert last.train_loss < 0.2


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_same_seed_gives_the_same_bits(digits: Dataset, optimizer: str) -> None:
    config = RunConfig(
        dataset="digits", hidden=(8,), epochs=2, optimizer=optimizer, dropout=0.2, seed=5
    )
    networks = [new_network(config, 64, 10) for _ in range(2)]
    first, second = (list(train(config, digits, network=network)) for network in networks)
    assert first == second
    np.testing.assert_array_equal(networks[0].parameters, networks[1].parameters)


def test_another_seed_gives_another_run(config: RunConfig, digits: Dataset) -> None:
    other = dataclasses.replace(config, seed=1)
    assert list(train(config, digits)) != list(train(other, digits))


def test_dropout_leaves_first_weights_and_order_of_examples_as_they_are(
    config: RunConfig, digits: Dataset
) -> None:
    dropping = dataclasses.replace(config, dropout=0.5)
    np.testing.assert_array_equal(
        new_network(config, 64, 10).parameters, new_network(dropping, 64, 10).parameters
    )
    positions = []
    for each in (config, dropping):
        training = prepare(each, digits)
        list(training.records())
        positions.append(json.loads(str(training.state()["position"])))
    plain, dropped = positions
    assert plain["epoch_rng"] == dropped["epoch_rng"]
    assert plain["dropout_rng"] != dropped["dropout_rng"]


def test_dropout_without_hidden_layers_changes_nothing(digits: Dataset) -> None:
    plain = RunConfig(dataset="digits", hidden=(), epochs=1)
    dropping = dataclasses.replace(plain, dropout=0.5)
    assert list(train(plain, digits)) == list(train(dropping, digits))


def test_a_given_network_is_trained_in_place(config: RunConfig, digits: Dataset) -> None:
    network = new_network(config, digits.n_features, digits.n_classes)
    before = network.parameters.copy()
    list(train(config, digits, network=network))
    assert not np.array_equal(network.parameters, before)


def test_another_data_set_is_refused_at_once(digits: Dataset) -> None:
    with pytest.raises(ConfigError, match="dataset is 'mnist', but must be 'digits', the data set"):
        train(RunConfig(dataset="mnist"), digits)


def test_a_network_with_other_layers_is_refused_at_once(config: RunConfig, digits: Dataset) -> None:
    network = Network((64, 9, 10), rng=np.random.default_rng(0))
    with pytest.raises(ConfigError, match=r"^hidden is \(8,\), but must be that of the network"):
        train(config, digits, network=network)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_examples_are_the_pixels_as_shipped_and_their_scale(digits: Dataset, split: str) -> None:
    part = examples(digits, split)
    assert part.pixels is getattr(digits, f"x_{split}")
    assert part.labels is getattr(digits, f"y_{split}")
    assert part.scale == 1 / 16


def test_all_settings_reach_the_training(digits: Dataset) -> None:
    base = RunConfig(
        *("digits", (8, 8)), optimizer="momentum", schedule="step", epochs=3, warmup_epochs=1
    )
    plain = list(train(base, digits))
    for field, value in {
        "hidden": (8, 9),
        "activation": "tanh",
        "optimizer": "nesterov",
        "learning_rate": 0.1,
        "momentum": 0.5,
        "batch_size": 64,
        "epochs": 2,
        "l2": 0.01,
        "l1": 0.01,
        "dropout": 0.5,
        "max_norm": 0.5,
        "clip_norm": 0.1,
        "label_smoothing": 0.1,
        "augmentation": "shift",
        "schedule": "linear",
        "warmup_epochs": 0,
        "decay_every": 1,
        "decay_factor": 0.1,
        "initializer": "glorot",
        "seed": 1,
    }.items():
        if field == "decay_factor":
            base_now = dataclasses.replace(base, decay_every=1)
            expected = list(train(base_now, digits))
        else:
            base_now, expected = base, plain
        changed = dataclasses.replace(base_now, **{field: value})
        assert list(train(changed, digits)) != expected, field
    decayed = RunConfig("digits", (8,), optimizer="adamw", epochs=1)
    more = dataclasses.replace(decayed, weight_decay=0.5)
    assert list(train(decayed, digits)) != list(train(more, digits))


@pytest.mark.parametrize("name", [*AUGMENTATIONS][1:])
def test_augmentation_leaves_first_weights_order_and_dropout_as_they_are(
    name: str, digits: Dataset
) -> None:
    plain = RunConfig("digits", (8,), epochs=1, dropout=0.2)
    positions = []
    for each in (plain, dataclasses.replace(plain, augmentation=name)):
        training = prepare(each, digits)
        list(training.records())
        positions.append(json.loads(str(training.state()["position"])))
    assert positions[0]["epoch_rng"] == positions[1]["epoch_rng"]
    assert positions[0]["dropout_rng"] == positions[1]["dropout_rng"]
    assert positions[1]["augment_rng"] != positions[1]["dropout_rng"]


def test_patience_reaches_the_training(digits: Dataset) -> None:
    config = RunConfig("digits", (8,), learning_rate=0.5, epochs=60, patience=1)
    *_, last = train(config, digits)
    assert isinstance(last, Restored)
    assert last.epoch == last.best_epoch + 1


def test_the_package_offers_it_by_name() -> None:
    assert neuralscope.train is train
    assert neuralscope.RunConfig is RunConfig
