from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from neuralscope.data import Dataset, load_dataset, scaled
from neuralscope.data.contents import Contents, Table
from neuralscope.data.dataset import dataset_from
from neuralscope.data.split import Split, published_split


@pytest.fixture
def split(tiny_table: Table) -> Split:
    return published_split(tiny_table[:, -1], n_test=6, n_validation=3)


@pytest.fixture
def dataset(tiny: Contents, tiny_table: Table, split: Split) -> Dataset:
    return dataset_from(tiny, tiny_table, split, digest=tiny.digest)


PARTS = ["train", "validation", "test"]


def test_it_knows_its_dimensions(dataset: Dataset) -> None:
    assert (dataset.n_features, dataset.n_classes) == (6, 3)
    assert dataset.image_shape == (2, 3)
    assert dataset.class_names == ("a", "b", "c")
    assert dataset.pixel_max == 255


@pytest.mark.parametrize("part", PARTS)
def test_a_part_holds_the_rows_of_its_split(
    part: str, dataset: Dataset, split: Split, tiny_table: Table
) -> None:
    rows = tiny_table[getattr(split, part)]
    np.testing.assert_array_equal(getattr(dataset, f"x_{part}"), rows[:, :-1])
    np.testing.assert_array_equal(getattr(dataset, f"y_{part}"), rows[:, -1])


@pytest.mark.parametrize("part", PARTS)
def test_arrays_are_contiguous_typed_and_read_only(part: str, dataset: Dataset) -> None:
    x, y = getattr(dataset, f"x_{part}"), getattr(dataset, f"y_{part}")
    assert (x.dtype, y.dtype) == (np.uint8, np.int64)
    assert x.flags.c_contiguous
    for array in (x, y):
        assert not array.flags.writeable
        assert array.base is None  # else someone could write through the base
    with pytest.raises(ValueError, match="read-only"):
        x[0, 0] = 1


def test_fields_cannot_be_replaced(dataset: Dataset) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset.name = "other"  # type: ignore[misc]


def test_the_digest_is_hex_and_depends_on_data_and_split(
    dataset: Dataset, tiny: Contents, tiny_table: Table, split: Split
) -> None:
    assert len(bytes.fromhex(dataset.digest)) == 32
    assert dataset_from(tiny, tiny_table, split, digest=tiny.digest).digest == dataset.digest
    assert dataset_from(tiny, tiny_table, split, digest="0" * 64).digest != dataset.digest
    # The same rows in the same order, but the border of two parts moved by one.
    moved = Split(split.train[:-1], np.r_[split.train[-1], split.validation], split.test)
    assert dataset_from(tiny, tiny_table, moved, digest=tiny.digest).digest != dataset.digest


@pytest.mark.parametrize("pixel_max", [16, 255])
def test_scaling_divides_exactly(pixel_max: int) -> None:
    pixels = np.arange(pixel_max + 1, dtype=np.uint8)
    x = scaled(pixels, pixel_max)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, (np.arange(pixel_max + 1) / pixel_max).astype(np.float32))
    assert (x[0], x[-1]) == (0.0, 1.0)


def test_scaling_keeps_the_shape_and_the_pixels() -> None:
    pixels = np.full((2, 3), 255, np.uint8)
    assert scaled(pixels, 255).shape == (2, 3)
    assert pixels.max() == 255


def test_it_is_shown_in_one_line() -> None:
    assert repr(load_dataset("digits")) == (
        "Dataset('digits': 1,257 training, 180 validation and 360 test digits of 8x8 pixels, "
        "10 classes)"
    )
