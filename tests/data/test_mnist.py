from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest

from neuralscope.data import Dataset, FetchProgress, is_cached, load_dataset
from neuralscope.data.cache import read_table
from neuralscope.data.contents import Table
from neuralscope.data.home import compact_path
from neuralscope.data.mnist import MNIST


@pytest.fixture(scope="module")
def mnist(mnist_home: Path) -> Dataset:
    return load_dataset("mnist", data_home=mnist_home)


@pytest.fixture(scope="module")
def table(mnist: Dataset, mnist_home: Path) -> Table:
    table = read_table(compact_path(mnist_home, "mnist"), MNIST)
    assert table is not None
    return table


def test_it_has_the_published_sizes(mnist: Dataset) -> None:
    assert mnist.x_train.shape == (55_000, 784)
    assert mnist.x_validation.shape == (5_000, 784)
    assert mnist.x_test.shape == (10_000, 784)
    assert mnist.image_shape == (28, 28)
    assert mnist.pixel_max == mnist.x_train.max() == 255


def test_the_test_set_is_the_published_one_in_order(mnist: Dataset, table: Table) -> None:
    assert mnist.y_test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert np.bincount(mnist.y_test).tolist() == [
        *(980, 1135, 1032, 1010, 982),
        *(892, 958, 1028, 974, 1009),
    ]
    np.testing.assert_array_equal(mnist.x_test, table[60_000:, :-1])


def test_training_images_keep_their_order(mnist: Dataset, table: Table) -> None:
    # Walking through both, every row of the 60,000 is the next one of either part.
    taken = {"train": 0, "validation": 0}
    for row in table[:2000]:
        for part in taken:
            at = taken[part]
            if np.array_equal(row[:-1], getattr(mnist, f"x_{part}")[at]):
                assert row[-1] == getattr(mnist, f"y_{part}")[at]
                taken[part] += 1
                break
        else:
            pytest.fail("a row is in neither part")
    assert taken["validation"] > 100


def test_validation_has_the_shares_of_the_training_digits(mnist: Dataset) -> None:
    of_60_000 = np.bincount(np.concatenate([mnist.y_train, mnist.y_validation]))
    assert of_60_000.tolist() == [*(5923, 6742, 5958, 6131, 5842), *(5421, 5918, 6265, 5851, 5949)]
    assert np.all(np.abs(np.bincount(mnist.y_validation) - of_60_000 / 12) < 1)


def test_data_and_split_never_change(mnist: Dataset) -> None:
    assert mnist.digest == "077995724b7cc832ce63c49092f96b514f0dd38dc76ea5ff4f21cf412aef8f5e"


def test_the_second_time_nothing_is_fetched(mnist: Dataset, mnist_home: Path) -> None:
    assert is_cached("mnist", mnist_home)
    reports: list[FetchProgress] = []
    again = load_dataset("mnist", data_home=mnist_home, on_progress=reports.append)
    assert reports == []
    assert again.digest == mnist.digest


def test_it_is_the_original_bit_for_bit(table: Table) -> None:
    # MD5 sums of the uncompressed IDX files that MNIST was first published in.
    for rows, images_md5, labels_md5 in [
        (
            table[:60_000],
            "6bbc9ace898e44ae57da46a324031adb",
            "a25bea736e30d166cdddb491f175f624",
        ),
        (
            table[60_000:],
            "2646ac647ad5339dbf082846283269ea",
            "27ae3e4e09519cfbb04c329615203637",
        ),
    ]:
        images = struct.pack(">4i", 2051, len(rows), 28, 28) + rows[:, :-1].tobytes()
        labels = struct.pack(">2i", 2049, len(rows)) + rows[:, -1].tobytes()
        assert hashlib.md5(images).hexdigest() == images_md5
        assert hashlib.md5(labels).hexdigest() == labels_md5
