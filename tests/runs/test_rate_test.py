"""The range test of a configuration is of that configuration, but for what it does not read."""

from __future__ import annotations

import pytest

from neuralscope.data import load_dataset
from neuralscope.engine.rate_test import STEPS
from neuralscope.errors import ConfigError
from neuralscope.runs import RunConfig, as_tested, prepare_rate_test, run_rate_test

CONFIG = RunConfig(dataset="digits", hidden=(8,), schedule="cosine", warmup_epochs=2, epochs=5)


def test_the_test_is_of_the_configuration_but_for_its_schedule() -> None:
    dataset = load_dataset("digits")
    tried = list(run_rate_test(CONFIG, dataset, steps=50))
    assert len(tried) == 50
    other_rate = RunConfig(**{**vars(CONFIG), "learning_rate": 3.0, "epochs": 9})
    assert list(run_rate_test(other_rate, dataset, steps=50)) == tried
    other_seed = RunConfig(**{**vars(CONFIG), "seed": 1})
    assert list(run_rate_test(other_seed, dataset, steps=50)) != tried


@pytest.mark.parametrize("batch_size", [1, 32, 1024])
def test_there_are_epochs_enough_for_the_steps(batch_size: int) -> None:
    config = RunConfig(dataset="digits", hidden=(8,), batch_size=batch_size)
    training = prepare_rate_test(config, load_dataset("digits"))
    assert training.total_steps >= STEPS
    assert training.total_steps - STEPS < training.n_batches


def test_one_test_is_of_all_configurations_that_agree_in_what_it_reads() -> None:
    agree = RunConfig(dataset="digits", hidden=(8,), learning_rate=3.0, epochs=9, patience=4)
    assert as_tested(CONFIG) == as_tested(agree)
    for other in ({"seed": 1}, {"hidden": (9,)}, {"batch_size": 8}, {"dropout": 0.1}):
        assert as_tested(CONFIG) != as_tested(RunConfig(**{**vars(CONFIG), **other}))


def test_another_data_set_is_refused() -> None:
    with pytest.raises(ConfigError, match="dataset is 'mnist'"):
        prepare_rate_test(RunConfig(dataset="mnist"), load_dataset("digits"))
