from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np
import pytest

from neuralscope.data.contents import Contents, OpenMLSource, Table, digest_of


def test_an_intact_table_has_no_fault(tiny: Contents, tiny_table: Table) -> None:
    assert tiny.fault(tiny_table) is None


def test_counts_follow_from_the_record(tiny: Contents) -> None:
    assert (tiny.n_images, tiny.n_features, tiny.n_classes) == (30, 6, 3)


def test_a_missing_row_is_a_fault(tiny: Contents, tiny_table: Table) -> None:
    assert tiny.fault(tiny_table[:-1]) == "its shape is (29, 7) instead of (30, 7)"


def test_another_type_is_a_fault(tiny: Contents, tiny_table: Table) -> None:
    assert "float64" in (tiny.fault(tiny_table.astype(float)) or "")


def test_a_label_out_of_range_is_a_fault(tiny: Contents, tiny_table: Table) -> None:
    table = tiny_table.copy()
    table[4, -1] = 3
    assert tiny.fault(table) == "it has labels up to 3 instead of 2"


def test_other_numbers_of_images_per_class_are_a_fault(tiny: Contents, tiny_table: Table) -> None:
    table = tiny_table.copy()
    table[0, -1] = 1
    assert "each class" in (tiny.fault(table) or "")


@pytest.mark.parametrize("change", ["a pixel", "two rows swapped", "two labels swapped"])
def test_the_digest_notices_what_counts_do_not(
    change: str, tiny: Contents, tiny_table: Table
) -> None:
    table = tiny_table.copy()
    if change == "a pixel":
        table[29, 0] ^= 1
    elif change == "two rows swapped":
        table[[0, 3]] = table[[3, 0]]
    else:
        table[[0, 1], -1] = table[[1, 0], -1]
    assert "digest" in (tiny.fault(table) or "")


def test_the_digest_is_of_the_bytes_row_by_row_whatever_the_layout_in_memory() -> None:
    table = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert digest_of(table) == hashlib.sha256(bytes(range(6))).hexdigest()
    assert digest_of(np.asfortranarray(table)) == digest_of(table)


def test_a_source_survives_json(tiny: OpenMLSource) -> None:
    assert OpenMLSource.from_json(json.loads(json.dumps(dataclasses.asdict(tiny)))) == tiny
