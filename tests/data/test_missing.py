"""A published data set that cannot be fetched: what to use instead, and how to bring it here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from neuralscope.data import DATASETS, is_cached
from neuralscope.data.home import compact_path
from neuralscope.data.missing import how_to_bring, stand_in


def bring(path: Path, name: str) -> None:
    """Make a file as large as the compact copy of a data set."""
    contents = DATASETS[name].contents
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(contents.n_images * (contents.n_features + 1) + 160)


def test_mnist_stands_in_where_it_is_here_and_the_built_in_digits_elsewhere(
    tmp_path: Path,
) -> None:
    assert [stand_in(name, tmp_path) for name in ("mnist", "fashion-mnist")] == ["digits"] * 2
    bring(compact_path(tmp_path, "mnist"), "mnist")
    assert stand_in("fashion-mnist", tmp_path) == stand_in("kuzushiji-mnist", tmp_path) == "mnist"
    assert stand_in("mnist", tmp_path) == "digits"


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "kuzushiji-mnist"])
def test_the_file_is_found_in_the_folder_that_is_named(tmp_path: Path, name: str) -> None:
    sentence = how_to_bring(name, tmp_path)
    assert f"neuralscope.load_dataset('{name}')" in sentence
    match = re.search(
        r"copy ~/scikit_learn_data/neuralscope/(\S+) from .* the folder (\S+);", sentence
    )
    assert match is not None
    assert not is_cached(name, tmp_path)
    bring(Path(match[2], match[1]), name)
    assert is_cached(name, tmp_path)


@pytest.mark.parametrize("name", ["digits", "own-noisy30-12ca8b82"])
def test_what_is_not_fetched_is_not_brought(name: str) -> None:
    assert how_to_bring(name) == ""
