"""What a run is called while nobody has named it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralscope.data import add_dataset, dataset_title, remove_dataset
from neuralscope.runs import SETTINGS, RunConfig, Store, describe, is_description
from neuralscope.runs.lineage import FORK_FIELDS
from neuralscope.runs.names import LONGEST_DESCRIPTION, describe_change
from tests.writing import owner

ALL = RunConfig(
    dataset="digits",
    hidden=(1024,) * 6,
    activation=("relu", "tanh", "sigmoid", "leaky_relu", "relu", "tanh"),
    optimizer="adamw",
    learning_rate=0.00123,
    weight_decay=0.02,
    batch_size=64,
    epochs=20,
    patience=3,
    l2=0.0001,
    l1=0.0001,
    dropout=0.5,
    max_norm=3.0,
    clip_norm=1.0,
    label_smoothing=0.1,
    augmentation="elastic",
    schedule="step",
    warmup_epochs=2,
    decay_every=3,
    decay_factor=0.1,
    initializer="he",
    seed=7,
)
"""No setting is at its default."""


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (RunConfig(), "128 relu, sgd 0.2, mnist"),
        (RunConfig(hidden=()), "no hidden layer, sgd 0.2, mnist"),
        (
            RunConfig(dataset="digits", hidden=(8, 8, 8), activation=("relu", "tanh", "relu")),
            "8-8-8 relu/tanh, sgd 0.2, digits",
        ),
        (RunConfig(epochs=1, seed=3), "128 relu, sgd 0.2, mnist, seed 3, 1 epoch"),
        (
            RunConfig(l2=0.0001, dropout=0.5, batch_size=64, epochs=12),
            "128 relu, sgd 0.2, mnist, batch 64, L2 0.0001, dropout 0.5, 12 epochs",
        ),
    ],
)
def test_a_name_says_what_is_trained_and_what_is_not_at_its_default(
    config: RunConfig, name: str
) -> None:
    assert describe(config) == name


@pytest.mark.parametrize("name", SETTINGS)
def test_runs_that_differ_in_a_setting_differ_in_name(name: str) -> None:
    plain = RunConfig(optimizer="momentum" if name == "momentum" else "adamw", schedule="step")
    values: dict[str, Any] = {
        "activation": "tanh",
        "hidden": (16,),
        "momentum": 0.5,
        "optimizer": "adam",
        "schedule": "cosine",
    }
    other = replace(plain, **{name: values.get(name, getattr(ALL, name))})
    assert describe(plain) != describe(other)
    assert bool(describe_change(plain, other)) == (
        name in FORK_FIELDS or name in ("seed", "initializer")
    )


def test_what_a_configuration_does_not_use_is_not_named() -> None:
    assert describe(RunConfig(momentum=0.5, decay_every=3)) == describe(RunConfig())


def test_a_name_is_short_and_says_how_much_it_leaves_out() -> None:
    name = describe(ALL)
    assert "seed 7" in name and name.endswith("more")
    assert len(name) <= LONGEST_DESCRIPTION + len(", 16 more")


def test_names_of_earlier_versions_are_still_known_as_made_from_settings() -> None:
    config = RunConfig(seed=3, epochs=20)
    assert is_description("128 relu, sgd 0.2, mnist", config)
    assert is_description(f"{describe(config)}, again", config)
    assert not is_description("128 units", config)


def test_a_run_that_is_given_more_epochs_is_named_after_them(tmp_path: Path) -> None:
    config = RunConfig(epochs=20)
    with Store(tmp_path) as store:
        made, mine = store.create(config), store.create(config, "mine")
        for run_id in (made, mine):
            owner(store, run_id).end("finished")
            store.requeue(run_id, replace(config, epochs=30))
        assert store.run(made).name == "128 relu, sgd 0.2, mnist, 30 epochs"
        assert store.run(mine).name == "mine"


# A person's own data


def pictures(n: int, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {"x": rng.integers(0, 256, (n, 4, 4), dtype=np.uint8), "y": np.arange(n) % 2}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    return tmp_path


def add(home: Path, title: str, n: int, seed: int = 0) -> str:
    np.savez(home / "file.npz", **pictures(n, seed))
    return add_dataset(home / "file.npz", title)


def test_an_own_data_set_is_called_by_its_title_also_when_it_is_gone(home: Path) -> None:
    name = add(home, "noisy30", 40)
    config = RunConfig(dataset=name)
    assert describe(config) == "128 relu, sgd 0.2, noisy30"
    remove_dataset(name)
    assert describe(config) == "128 relu, sgd 0.2, noisy30"


def test_two_versions_of_a_file_are_told_apart_by_size_or_by_their_names(home: Path) -> None:
    small, large = add(home, "signs", 40), add(home, "signs", 60)
    add(home, "signs b", 60)
    assert [dataset_title(name) for name in (small, large)] == ["signs (40)", "signs (60)"]
    other = add(home, "signs", 60, seed=1)
    assert dataset_title(other) == f"signs ({other[-4:]})"


def test_a_long_title_is_cut(home: Path) -> None:
    assert len(describe(RunConfig(dataset=add(home, "x" * 60, 40)))) < 70
