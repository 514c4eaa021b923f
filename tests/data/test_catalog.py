from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import neuralscope.data
from neuralscope.data import DATASETS, catalog, is_cached, load_dataset, start_fetch
from neuralscope.data.cache import write_table
from neuralscope.data.home import compact_path
from neuralscope.errors import ConfigError


def test_mnist_comes_first_in_the_menu() -> None:
    assert list(DATASETS) == ["mnist", "fashion-mnist", "kuzushiji-mnist", "digits"]


@pytest.mark.parametrize("name", DATASETS)
def test_an_entry_is_named_as_its_contents(name: str) -> None:
    info = DATASETS[name]
    assert info.contents.name == name
    assert info.n_train + info.n_validation + info.n_test == info.contents.n_images
    assert info.description.endswith(".")
    assert "\n" not in info.description


def test_what_forms_know_is_what_is_loaded(tmp_path: Path) -> None:
    info, dataset = DATASETS["digits"], load_dataset("digits", data_home=tmp_path)
    assert info.image_shape == dataset.image_shape
    assert (info.n_features, info.n_classes) == (dataset.n_features, dataset.n_classes)
    assert info.n_train == len(dataset.x_train)
    assert info.n_validation == len(dataset.x_validation)
    assert info.n_test == len(dataset.x_test)


def test_mnist_is_known_without_loading_it() -> None:
    info = DATASETS["mnist"]
    assert (info.n_features, info.n_classes) == (784, 10)
    assert (info.n_train, info.n_validation, info.n_test) == (55_000, 5_000, 10_000)
    assert info.needs_fetch
    assert not DATASETS["digits"].needs_fetch


@pytest.mark.parametrize("name", ["cifar", "", None, ["mnist"]])
@pytest.mark.parametrize("function", [load_dataset, is_cached, start_fetch])
def test_an_unknown_name_is_refused_with_the_known_ones(function: object, name: object) -> None:
    with pytest.raises(ConfigError, match=r"dataset is .*, but must be one of mnist, .*digits, or"):
        function(name)  # type: ignore[operator]


def test_what_is_built_in_is_not_fetched() -> None:
    with pytest.raises(ConfigError, match="one that is fetched: mnist, fashion"):
        start_fetch("digits")


def test_mnist_is_cached_once_its_compact_copy_is_there(tmp_path: Path) -> None:
    assert not is_cached("mnist", tmp_path)
    write_table(compact_path(tmp_path, "mnist"), np.zeros((70_000, 785), np.uint8))
    assert is_cached("mnist", tmp_path)
    assert is_cached("mnist", str(tmp_path))


def test_the_environment_names_the_data_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    load_dataset("digits")
    assert compact_path(tmp_path, "digits").exists()


def test_a_fetch_is_started_for_the_named_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(
        catalog, "Fetch", lambda source, data_home: asked.append((source, data_home))
    )
    start_fetch("mnist", data_home=str(tmp_path))
    assert asked == [(DATASETS["mnist"].contents, tmp_path)]


def test_every_public_name_is_there() -> None:
    for name in neuralscope.data.__all__:
        assert hasattr(neuralscope.data, name)


def test_importing_costs_no_more_than_numpy() -> None:
    program = (
        "import sys, neuralscope.data;"
        "print({'sklearn', 'pandas', 'scipy', 'ssl', 'http.client', 'asyncio'} & set(sys.modules))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert finished.stdout.strip() == "set()", finished.stderr
