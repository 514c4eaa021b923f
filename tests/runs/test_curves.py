"""The curves of several runs, read at once."""

from __future__ import annotations

import numpy as np
import pytest

from neuralscope.engine import EpochEnd
from neuralscope.runs import RunConfig, Store
from neuralscope.runs.curves import epochs_of
from tests.writing import owner


def run_with(store: Store, config: RunConfig, n_epochs: int) -> str:
    run_id = store.create(config)
    ends = [
        (EpochEnd(epoch, 10 * epoch, 1 / (epoch + 1), 0.5, 0.9, 0.25, 0.1, ()), epoch / 2)
        for epoch in range(n_epochs)
    ]
    owner(store, run_id).record(None, epochs=ends)
    return run_id


def test_they_are_what_the_store_returns_one_by_one(store: Store, config: RunConfig) -> None:
    run_ids = [run_with(store, config, n) for n in (3, 0, 7)]
    found = epochs_of(store, run_ids)
    assert list(found) == run_ids
    for run_id in run_ids:
        for one, other in zip(found[run_id], store.epochs(run_id), strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype


def test_runs_that_are_not_there_have_none(store: Store) -> None:
    assert len(epochs_of(store, ["20261123-101502-3fa9"])["20261123-101502-3fa9"].epoch) == 0
    assert epochs_of(store, []) == {}


@pytest.mark.parametrize("n_epochs", [100, 101, 107])
def test_of_a_long_run_few_are_read_with_both_ends(
    store: Store, config: RunConfig, n_epochs: int
) -> None:
    run_id, short = run_with(store, config, n_epochs), run_with(store, config, 5)
    found = epochs_of(store, [run_id, short], most=20)
    epoch = found[run_id].epoch
    assert (epoch[0], epoch[-1]) == (0, n_epochs - 1)
    assert 15 <= len(epoch) <= 22
    np.testing.assert_allclose(found[run_id].train_loss, 1 / (epoch + 1))
    assert len(found[short].epoch) == 5
