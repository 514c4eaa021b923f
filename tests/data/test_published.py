"""Fashion-MNIST and Kuzushiji-MNIST: the way of MNIST, with made-up pictures and no network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.datasets
from sklearn.utils import Bunch

from neuralscope.data import DATASETS, is_cached, load_dataset
from neuralscope.data.cache import write_table
from neuralscope.data.contents import OpenMLSource, Table
from neuralscope.data.home import compact_path
from neuralscope.data.mnist import FASHION_MNIST, KUZUSHIJI_MNIST, MNIST
from neuralscope.data.openml import fulfil
from neuralscope.errors import DataUnavailable

BOTH = [FASHION_MNIST, KUZUSHIJI_MNIST]


@pytest.fixture(scope="module")
def table() -> Table:
    """70,000 pictures as the two are published: 7,000 of each class, 1,000 in the test set."""
    table = np.zeros((70_000, 785), np.uint8)
    table[:, -1] = np.arange(70_000) % 10
    table[:, 3] = np.arange(70_000) % 251
    return table


def fetched(
    source: OpenMLSource, table: Table, home: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Let the child fetch from a stand-in; return what was asked and what it told."""
    asked: list[dict[str, Any]] = []

    def fetch_openml(name: str, **options: Any) -> Bunch:
        asked.append({"name": name, **options})
        return Bunch(data=table[:, :-1], target=table[:, -1].astype(str).astype(object))

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    monkeypatch.setattr("urllib.request.install_opener", lambda opener: None)
    scratch = home / "neuralscope" / "fetch-1"
    scratch.mkdir(parents=True)
    told: list[dict[str, Any]] = []
    record = json.loads(json.dumps(vars(source)))
    fulfil({"source": record, "data_home": str(home), "scratch": str(scratch)}, told.append)
    return asked, told


@pytest.mark.parametrize("source", BOTH, ids=lambda source: source.name)
def test_it_is_fetched_split_and_named_as_published(
    source: OpenMLSource, table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, told = fetched(source, table, tmp_path, monkeypatch)
    assert told[-1]["phase"] == "done"
    assert (asked[0]["name"], asked[0]["version"]) == (source.title, 1)
    assert is_cached(source.name, tmp_path)
    dataset = load_dataset(source.name, data_home=tmp_path)
    assert (dataset.name, dataset.noun) == (source.name, source.noun)
    assert dataset.class_names == source.class_names and len(set(source.class_names)) == 10
    sizes = [len(dataset.x_train), len(dataset.x_validation), len(dataset.x_test)]
    assert sizes == [55_000, 5_000, 10_000]
    np.testing.assert_array_equal(dataset.x_test, table[60_000:, :-1])


def test_data_in_another_order_than_published_is_refused(table: Table, tmp_path: Path) -> None:
    # By class, as some copies are: the last 10,000 would be no test set.
    write_table(compact_path(tmp_path, "fashion-mnist"), table[np.argsort(table[:, -1])])
    with pytest.raises(DataUnavailable, match="does not end with the published test set"):
        load_dataset("fashion-mnist", data_home=tmp_path)


def test_other_numbers_of_pictures_are_refused(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = table.copy()
    other[0, -1] = 5
    _, told = fetched(FASHION_MNIST, other, tmp_path, monkeypatch)
    assert told[-1]["phase"] == "failed"
    assert "is not Fashion-MNIST, it does not have the known number" in told[-1]["reason"]
    assert not is_cached("fashion-mnist", tmp_path)


def test_a_copy_that_was_damaged_later_is_found_out(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = compact_path(tmp_path, "fashion-mnist")
    write_table(path, table)
    content = bytearray(path.read_bytes())
    content[300] ^= 1  # a pixel
    path.write_bytes(content)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    told: list[str] = []
    with pytest.raises(DataUnavailable):  # there is no network to make it anew from
        load_dataset(
            "fashion-mnist", data_home=tmp_path, on_progress=lambda p: told.append(p.message)
        )
    assert told[0].startswith("The kept copy of Fashion-MNIST is damaged: it is not what was kept.")


def test_the_three_are_one_kind() -> None:
    for source in (MNIST, *BOTH):
        info = DATASETS[source.name]
        assert info.needs_fetch and info.contents is source
        assert (info.n_train, info.n_validation, info.n_test) == (55_000, 5_000, 10_000)
