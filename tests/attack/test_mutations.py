"""Altered files: the same seed alters in the same way, and formats are kept where they can be."""

from __future__ import annotations

import gzip
import io
import json
import random
import zipfile

import numpy as np
import pytest

from benchmarks.attack.mutations import altered, packed


def archive() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, weight_0=np.ones((3, 4), np.float32), bias_0=np.zeros(4, np.float32))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"label,a,b\n1,2,3\n4,5,6\n", id="csv"),
        pytest.param(json.dumps({"a": [1, {"b": None}]}).encode(), id="json"),
        pytest.param(gzip.compress(b"label,a,b\n1,2,3\n", mtime=0), id="gzip"),
        pytest.param(b"\x00\x00\x08\x01\x00\x00\x00\x03\x01\x02\x03", id="idx"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_same_seed_same_bytes(content: bytes) -> None:
    results = [altered(content, random.Random(seed)) for seed in range(20)]
    assert results == [altered(content, random.Random(seed)) for seed in range(20)]
    assert len(set(results)) > 10, "other seeds, other bytes"


def test_many_altered_archives_have_sound_checksums() -> None:
    n_sound = 0
    for seed in range(60):
        try:
            with zipfile.ZipFile(io.BytesIO(altered(archive(), random.Random(seed)))) as opened:
                n_sound += opened.testzip() is None
        except Exception:
            continue  # some are altered beyond that
    assert n_sound > 20


def test_archive_may_hold_a_name_twice() -> None:
    with zipfile.ZipFile(io.BytesIO(packed([("a", b"1"), ("a", b"2")]))) as opened:
        assert opened.namelist() == ["a", "a"]
