"""A tiny data set, and a scikit-learn data home that holds it the way OpenML delivers it."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from logging.handlers import MemoryHandler
from pathlib import Path

import numpy as np
import pytest

from neuralscope.data.contents import OpenMLSource, Table, digest_of

OpenMLHome = Callable[[Path], Path]


@pytest.fixture
def log() -> Iterator[list[logging.LogRecord]]:
    """Everything that comes to the log: all of the package's, warnings of all others."""
    root, package = logging.getLogger(), logging.getLogger("neuralscope")
    handler = MemoryHandler(capacity=10_000, flushLevel=logging.CRITICAL + 1)
    before = package.level
    root.addHandler(handler)
    package.setLevel(logging.DEBUG)
    yield handler.buffer
    package.setLevel(before)
    root.removeHandler(handler)


@pytest.fixture(scope="session")
def tiny_table() -> Table:
    """30 images of 2 x 3 pixels in 3 classes of 10, label last."""
    rng = np.random.default_rng(7)
    pixels = rng.integers(0, 256, (30, 6), dtype=np.uint8)
    return np.column_stack([pixels, np.arange(30, dtype=np.uint8) % 3])


@pytest.fixture(scope="session")
def tiny(tiny_table: Table) -> OpenMLSource:
    return OpenMLSource(
        name="tiny",
        title="Tiny",
        image_shape=(2, 3),
        pixel_max=255,
        class_names=("a", "b", "c"),
        label_counts=(10, 10, 10),
        digest=digest_of(tiny_table),
        openml_name="tiny_6",
        openml_version=1,
    )


@pytest.fixture
def other(tiny: OpenMLSource) -> OpenMLSource:
    """The record of a data set that differs from the tiny one in a pixel."""
    return dataclasses.replace(tiny, digest="0" * 64)


@pytest.fixture(scope="session")
def openml_home(tiny: OpenMLSource, tiny_table: Table) -> OpenMLHome:
    """Return a function that fills a folder like `fetch_openml("tiny_6")` would."""

    def fill(home: Path) -> Path:
        columns = [(f"pixel{i}", "numeric") for i in range(tiny.n_features)]
        columns.append(("class", "nominal"))
        arff = "\n".join(
            ["@RELATION tiny"]
            + [f"@ATTRIBUTE {name} real" for name, _ in columns]
            + ["@DATA"]
            + [",".join(map(str, row)) for row in tiny_table.tolist()]
            + [""]
        ).encode()
        listing = {"data": {"dataset": [{"did": 990001, "name": "tiny_6", "version": 1}]}}
        description = {
            "data_set_description": {
                "id": "990001",
                "name": "tiny_6",
                "version": "1",
                "description": "",
                "format": "ARFF",
                "status": "active",
                "url": "https://www.openml.org/data/v1/download/1/tiny.arff",
                "md5_checksum": hashlib.md5(arff).hexdigest(),
            }
        }
        features = {
            "data_features": {
                "feature": [
                    {
                        "index": str(i),
                        "name": name,
                        "data_type": kind,
                        "is_target": "true" if name == "class" else "false",
                        "is_ignore": "false",
                        "is_row_identifier": "false",
                        "number_of_missing_values": "0",
                    }
                    for i, (name, kind) in enumerate(columns)
                ]
            }
        }
        api = "api/v1/json/data"
        for path, content in {
            f"{api}/list/data_name/tiny_6/limit/2/data_version/1.gz": json.dumps(listing),
            f"{api}/990001.gz": json.dumps(description),
            f"{api}/features/990001.gz": json.dumps(features),
            f"{api}/qualities/990001.gz": json.dumps({}),
            "data/v1/download/1/tiny.arff.gz": arff.decode(),
        }.items():
            file = home / "openml" / "openml.org" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(gzip.compress(content.encode()))
        return home

    return fill
