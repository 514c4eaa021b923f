"""Small runs to export, and stores to import them into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from neuralscope.data import Dataset, load_dataset
from neuralscope.runs import Run, RunConfig, Store
from neuralscope.runs.trainer import Trainer

Train = Callable[..., Run]


@pytest.fixture(scope="session")
def digits(session_environment: None) -> Dataset:
    return load_dataset("digits")


@pytest.fixture
def store(run_store: Path, digits: Dataset) -> Iterator[Store]:
    with Store(run_store) as store:
        yield store


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    """A store on another machine, as it were."""
    with Store(tmp_path / "other") as store:
        yield store


@pytest.fixture
def train(store: Store) -> Train:
    """Let the real trainer compute a small run to its end."""

    def train(name: str = "", **settings: Any) -> Run:
        values = {"dataset": "digits", "hidden": (8,), "epochs": 2, **settings}
        return Trainer(store, store.create(RunConfig(**values), name)).run()

    return train
