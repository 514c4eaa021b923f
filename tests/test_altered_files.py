"""Weights, snapshots, run files and kept data, each altered in many ways behind right checksums.

Whatever they hold, the errors are ours, and no more memory is taken than the files could need.
"""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralscope import exports
from neuralscope.data import load_dataset
from neuralscope.data.cache import read_table, write_table
from neuralscope.data.digits import DIGITS
from neuralscope.engine import Network
from neuralscope.errors import DataError, TransferError, WeightsError
from neuralscope.runs import RunConfig, Store, list_snapshots, load_snapshot
from neuralscope.runs.snapshots import load_state
from neuralscope.runs.trainer import Trainer

N = 40
MOST_MEMORY = 40 << 20

Entries = dict[str, bytes]

VALUES = [
    None,
    True,
    -1,
    0,
    1.5,
    1e999,
    -1e300,
    2**63,
    10**400,
    "",
    "x" * 70_000,
    "\ud800\0",
    [],
    {},
]
HOSTILE = b"()[]{}',:0123456789<>|fiuOVSUmTrue -"


@pytest.fixture(scope="module")
def run_file(session_environment: None, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a finished run."""
    folder = tmp_path_factory.mktemp("run")
    with Store(folder) as store:
        config = RunConfig(dataset="digits", hidden=(4,), epochs=2)
        run = Trainer(store, store.create(config, "good")).run()
        return exports.content(store, run.run_id, "run")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@contextmanager
def little_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()


def entries_of(content: bytes) -> Entries:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(entries: Entries, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method, compresslevel=1) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def altered_bytes(content: bytes, rng: np.random.Generator, within: int) -> bytes:
    """Return content with a few bytes changed near its beginning, or cut short, or much longer."""
    kind = rng.integers(8)
    if kind == 0:
        return content[: rng.integers(len(content) + 1)]
    if kind == 1:
        return content + bytes(MOST_MEMORY)
    altered = bytearray(content)
    for place in rng.integers(0, min(len(content), within), rng.integers(1, 4)):
        altered[place] = rng.choice(list(HOSTILE)) if rng.random() < 0.8 else rng.integers(256)
    return bytes(altered)


def altered_arrays(content: bytes, rng: np.random.Generator) -> bytes:
    """Return an archive of arrays with one of them altered, missing, or of other shape and type."""
    entries = entries_of(content)
    name = str(rng.choice(list(entries)))
    kind = rng.integers(4)
    if kind == 0:
        del entries[name]
    elif kind == 1:
        shapes = [(), (0,), (3,), (2, 2), (1, 0), (1, 1, 1), (1_100_000,)]
        shape = shapes[rng.integers(len(shapes))]
        types = ["<f4", "<f8", ">f4", "<f2", "<i8", "|b1", "<c16", "<U3", "|S2", "<M8[s]", "|u1"]
        file = io.BytesIO()
        values = np.full(shape, rng.integers(100), "<i8").astype(str(rng.choice(types)))
        np.lib.format.write_array(file, values, allow_pickle=False)
        entries[name] = file.getvalue()
    else:
        entries[name] = altered_bytes(entries[name], rng, 130)
    return zipped(entries)


def altered_json(text: bytes, rng: np.random.Generator) -> bytes:
    """Return JSON with one value in it replaced, however deep."""
    root = [json.loads(text)]
    parent: Any = root
    key: Any = 0
    while isinstance(parent[key], dict | list) and parent[key] and rng.random() < 0.85:
        parent = parent[key]
        keys = list(parent) if isinstance(parent, dict) else range(len(parent))
        key = keys[rng.integers(len(keys))]
    if rng.random() < 0.1:
        parent[key] = [parent[key]] * 20_000
    else:
        parent[key] = VALUES[rng.integers(len(VALUES))]
    return json.dumps(root[0]).encode()


def test_weights(tmp_path: Path, rng: np.random.Generator) -> None:
    path = tmp_path / "w.npz"
    Network((6, 4, 3), rng=rng).save(path, {"dataset": "digits"})
    whole = path.read_bytes()
    n_refused = 0
    for _ in range(N):
        path.write_bytes(altered_arrays(whole, rng))
        with little_memory():
            try:
                Network.load(path)
            except WeightsError as error:
                n_refused += 1
                assert len(str(error)) < 500
    assert n_refused > N / 2


def test_snapshots(run_file: bytes, tmp_path: Path, rng: np.random.Generator) -> None:
    (tmp_path / "run.zip").write_bytes(run_file)
    n_refused = 0
    with Store(tmp_path / "store") as store:
        run_id = exports.import_file(store, tmp_path / "run.zip")
        info = list_snapshots(store, run_id)[-1]
        path = store.folder(run_id) / f"{info.name}.npz"
        whole = path.read_bytes()
        for _ in range(N):
            path.write_bytes(altered_arrays(whole, rng))
            with little_memory():
                try:
                    load_snapshot(store, run_id, info)
                    load_state(store, run_id, info.name)
                except WeightsError:
                    n_refused += 1
    assert n_refused > N / 2


def test_run_files(run_file: bytes, tmp_path: Path, rng: np.random.Generator) -> None:
    path = tmp_path / "run.zip"
    whole = entries_of(run_file)
    n_refused = 0
    with Store(tmp_path / "store") as store:
        for _ in range(N // 2):
            entries = dict(whole)
            if rng.random() < 0.5:
                entries["run.json"] = altered_json(entries["run.json"], rng)
            else:
                name = str(rng.choice([name for name in entries if name.endswith(".npz")]))
                entries[name] = altered_arrays(entries[name], rng)
            path.write_bytes(zipped(entries, zipfile.ZIP_STORED))
            with little_memory():
                try:
                    run_id = exports.import_file(store, path)
                    # What got in can be looked at.
                    run = store.run(run_id)
                    assert len(store.steps(run_id).loss) <= run.config.epochs * run.steps_per_epoch
                    assert len(store.epochs(run_id).epoch) <= run.config.epochs + 1
                except TransferError as error:
                    n_refused += 1
                    assert len(str(error)) < 500
    assert n_refused > N / 4


def test_kept_data(session_environment: None, tmp_path: Path, rng: np.random.Generator) -> None:
    digits = load_dataset("digits")
    parts = ("train", "validation", "test")
    pixels = np.concatenate([getattr(digits, f"x_{part}") for part in parts])
    path = tmp_path / "digits.npy"
    write_table(path, np.column_stack([pixels, np.zeros(len(pixels), np.uint8)]))
    whole = path.read_bytes()
    for _ in range(N):
        path.write_bytes(altered_bytes(whole, rng, 128))
        with little_memory(), pytest.raises(DataError):
            read_table(path, DIGITS)
