"""The weights file: what is written comes back, and what a stranger wrote does no harm."""

from __future__ import annotations

import io
import json
import os
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralscope.engine import Network, weights
from neuralscope.errors import WeightsError

SIZES = (3, 4, 2)


@pytest.fixture
def network() -> Network:
    return Network(SIZES, activation="tanh", rng=np.random.default_rng(0))


@pytest.fixture
def file(network: Network, tmp_path: Path) -> Path:
    path = tmp_path / "good.npz"
    network.save(path, {"dataset": "mnist"})
    return path


@pytest.fixture
def entries(file: Path) -> dict[str, Any]:
    """What a good file holds, to be spoiled."""
    with np.load(file, allow_pickle=False) as archive:
        return dict(archive)


def refused(path: Path) -> str:
    """Return the sentence with which a file is refused."""
    with pytest.raises(WeightsError) as refusal:
        Network.load(path)
    sentence = str(refusal.value)
    assert sentence.endswith(".")
    assert str(path) in sentence
    return sentence.replace(str(path), "FILE")


# Coming back


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("sizes", "activation"),
    [((3, 2), ()), ((3, 4, 2), ("sigmoid",)), ((5, 4, 3, 2), ("relu", "leaky_relu"))],
)
def test_what_is_saved_comes_back(
    sizes: tuple[int, ...], activation: tuple[str, ...], dtype: type, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    network = Network(sizes, activation=activation, rng=rng, dtype=dtype)
    network.parameters[...] = rng.standard_normal(len(network.parameters))
    network.save(tmp_path / "w.npz")
    loaded = Network.load(tmp_path / "w.npz")
    assert (loaded.sizes, loaded.activation, loaded.dtype) == (sizes, activation, dtype)
    assert loaded.parameters.tobytes() == network.parameters.tobytes()
    x = rng.random((4, sizes[0]))
    np.testing.assert_array_equal(loaded.logits(x), network.logits(x))


def test_the_names_in_the_file(entries: dict[str, Any], network: Network) -> None:
    assert set(entries) == {"weight_0", "bias_0", "weight_1", "bias_1", "metadata"}
    np.testing.assert_array_equal(entries["weight_1"], network.layers[1].weight)
    np.testing.assert_array_equal(entries["bias_0"], network.layers[0].bias)
    about = json.loads(str(entries["metadata"]))
    assert about == {"activation": ["tanh"], "dataset": "mnist"}


def test_metadata_travels_along_and_can_be_added_to(file: Path, tmp_path: Path) -> None:
    loaded = Network.load(file)
    assert loaded.metadata["dataset"] == "mnist"
    loaded.save(tmp_path / "again.npz", {"note": "äöü", "dataset": "digits"})
    again = Network.load(tmp_path / "again.npz").metadata
    assert again == {"activation": ["tanh"], "dataset": "digits", "note": "äöü"}


def test_a_file_without_metadata_is_relu(entries: dict[str, Any], tmp_path: Path) -> None:
    del entries["metadata"]
    np.savez(tmp_path / "plain.npz", **entries)
    loaded = Network.load(tmp_path / "plain.npz")
    assert (loaded.activation, loaded.metadata) == (("relu",), {})


def test_one_activation_may_stand_for_all(entries: dict[str, Any], tmp_path: Path) -> None:
    entries["metadata"] = np.array(json.dumps({"activation": "sigmoid"}))
    np.savez(tmp_path / "w.npz", **entries)
    assert Network.load(tmp_path / "w.npz").activation == ("sigmoid",)


def test_compression_fortran_order_and_strange_company_do_not_matter(
    entries: dict[str, Any], network: Network, tmp_path: Path
) -> None:
    entries["weight_0"] = np.asfortranarray(entries["weight_0"])
    path = tmp_path / "w.npz"
    np.savez_compressed(path, **entries, unrelated=np.arange(3))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("README.txt", "hello")
    np.testing.assert_array_equal(Network.load(path).parameters, network.parameters)


def test_a_path_may_be_a_string_with_any_ending(network: Network, tmp_path: Path) -> None:
    path = str(tmp_path / "weights")
    network.save(path)
    np.testing.assert_array_equal(Network.load(path).parameters, network.parameters)


# Being refused


def spoiled(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return a function that replaces entries, or leaves them out where the change is None."""

    def spoil(entries: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in (entries | changes).items() if value is not None}

    return spoil


def metadata(text: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return spoiled(metadata=np.array(text))


W0, B0 = np.ones((3, 4), np.float32), np.ones(4, np.float32)
NAN = np.where(np.arange(4) == 2, np.nan, B0).astype(np.float32)
SHAPES = r"weight_0 and bias_0 do not have shapes \(in, out\), \(out,\)"
NO_WEIGHTS = "is not a weights file (.npz): "


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (spoiled(weight_0=None), "it has no weight_0"),
        (spoiled(bias_0=None), SHAPES),
        (spoiled(bias_0=W0), SHAPES),
        (spoiled(bias_0=B0[:3]), SHAPES),
        (spoiled(bias_0=np.float32(1)), SHAPES),
        (spoiled(weight_0=W0.ravel()), SHAPES),
        (spoiled(weight_0=np.float32(1)), SHAPES),
        (spoiled(weight_0=W0[None]), SHAPES),
        (spoiled(weight_0=W0[:0]), SHAPES),
        (spoiled(weight_0=W0[:, :0], bias_0=B0[:0]), SHAPES),
        (spoiled(weight_0=W0[:, :3], bias_0=B0[:3]), "weight_1 takes 4 inputs, but .* gives 3"),
        (spoiled(weight_0=W0.astype(int)), "layer 0 holds int64, not float32 or float64"),
        (spoiled(bias_0=B0.astype(complex)), "layer 0 holds complex128"),
        (spoiled(weight_0=W0.astype(np.float16)), "layer 0 holds float16"),
        (spoiled(weight_0=W0.astype(">f4")), "layer 0 holds >f4"),
        (spoiled(weight_0=np.full((3, 4), "1.0")), "layer 0 holds <U3"),
        (spoiled(weight_0=W0.astype(float)), "mixes float32 and float64"),
        (spoiled(bias_0=B0.astype(float)), "mixes float32 and float64"),
        (spoiled(bias_0=NAN), "layer 0 holds numbers that are not finite"),
        (spoiled(weight_0=W0 * np.inf), "layer 0 holds numbers that are not finite"),
        (metadata("{"), "its metadata is not JSON"),
        (metadata("[" * 100_000), "its metadata is not JSON"),
        (metadata("9" * 5_000), "its metadata is not JSON"),
        (metadata("[1]"), "its metadata is not a JSON object"),
        (spoiled(metadata=np.array([1.5, 2.5])), "its metadata is not JSON"),
        (metadata('{"activation": ["swish"]}'), r"activations \['swish'\] do not fit 1 hidden"),
        (metadata('{"activation": "swish"}'), r"activations \['swish'\] do not fit 1 hidden"),
        (metadata('{"activation": ["relu", "relu"]}'), "do not fit 1 hidden layers"),
        (metadata('{"activation": [["relu"]]}'), "do not fit 1 hidden layers"),
        (metadata('{"activation": 3}'), "activations 3 do not fit 1 hidden layers"),
    ],
)
def test_what_does_not_make_a_network_is_refused(
    spoil: Callable[[dict[str, Any]], dict[str, Any]],
    sentence: str,
    entries: dict[str, Any],
    tmp_path: Path,
) -> None:
    path = tmp_path / "spoiled.npz"
    np.savez(path, **spoil(entries))
    with pytest.raises(WeightsError, match=sentence):
        Network.load(path)


class Trap:
    """Unpickling it leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("name", ["weight_0", "metadata", "unrelated"])
def test_nothing_is_unpickled(name: str, entries: dict[str, Any], tmp_path: Path) -> None:
    entries[name] = np.array([Trap(tmp_path / "sprung")], object)
    path = tmp_path / "trap.npz"
    np.savez(path, **entries)
    assert f"its array '{name}' holds Python objects (pickles)" in refused(path)
    assert not (tmp_path / "sprung").exists()
    # The trap is one: whoever trusts the file falls into it.
    with np.load(path, allow_pickle=True) as archive:
        archive[name]
    assert (tmp_path / "sprung").is_dir()


def rezipped(entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return an archive of these members, with right sizes and checksums."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


@pytest.fixture
def members(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_an_archive_that_would_fill_the_memory_is_not_unpacked(
    members: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = members | {"zeros.npy": b"\0" * 3_000_000}
    path = tmp_path / "bomb.npz"
    path.write_bytes(rezipped(bomb, zipfile.ZIP_DEFLATED))
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(weights, "MOST_BYTES", 2_000_000)
    assert "it would unpack to more than 1.9 MB" in refused(path)


def test_a_network_that_would_fill_the_memory_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "wide.npz"
    wide = np.zeros((784, 5_000), np.float32)
    np.savez_compressed(path, weight_0=wide, bias_0=wide[0])
    monkeypatch.setattr(weights, "MOST_PARAMETERS", 1_000_000)
    tracemalloc.start()
    try:
        assert refused(path) == "FILE holds 3,925,000 weights, but a file may hold 1,000,000."
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_company_that_would_fill_the_memory_is_not_read(
    entries: dict[str, Any], network: Network, tmp_path: Path
) -> None:
    path = tmp_path / "company.npz"
    np.savez_compressed(path, **entries, unrelated=np.zeros(20_000_000, np.uint8))
    tracemalloc.start()
    try:
        np.testing.assert_array_equal(Network.load(path).parameters, network.parameters)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_long_metadata_is_neither_read_nor_written(
    entries: dict[str, Any], network: Network, tmp_path: Path
) -> None:
    entries["metadata"] = np.array("[" * (weights.LONGEST_METADATA + 1))
    path = tmp_path / "w.npz"
    np.savez_compressed(path, **entries)
    assert refused(path) == "FILE: its metadata is longer than 1,048,576 characters."
    with pytest.raises(WeightsError, match="at most 1,048,576 characters"):
        network.save(path, {"note": "x" * weights.LONGEST_METADATA})


def test_a_long_name_makes_no_long_message(entries: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    np.savez(path, **entries | {"metadata": np.array(json.dumps({"activation": "x" * 100_000}))})
    assert len(refused(path)) < 200


@pytest.mark.parametrize("target", ["pipe", "/dev/zero"])
def test_what_is_no_file_is_refused_unread(target: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / "w.npz"
    path.symlink_to(target)
    assert refused(path) == f"FILE {NO_WEIGHTS}it is a pipe or a device, not a file."


@pytest.mark.parametrize("shape", ["(9999999999999, 4)", "(99999999999999999999, 4)", "(-3, 4)"])
def test_an_array_that_declares_another_size_is_refused(
    shape: str, members: dict[str, bytes], tmp_path: Path
) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': %s, }" % shape.encode()
    header = header.ljust(117) + b"\n"
    lie = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0" * 48
    path = tmp_path / "lie.npz"
    path.write_bytes(rezipped(members | {"weight_0.npy": lie}))
    assert "its array 'weight_0' has no size that an array can have" in refused(path)


def test_a_member_that_is_no_array_is_refused(members: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    for name in ("weight_0", "bias_0"):
        path.write_bytes(rezipped(members | {f"{name}.npy": b"hello"}))
        assert f"its array '{name}' is damaged" in refused(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x93NUMPY\x01\x00"])
def test_what_is_no_archive_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    path.write_bytes(content)
    assert refused(path) == f"FILE {NO_WEIGHTS}it is damaged or cut short."


def test_a_single_array_by_the_name_of_an_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    with path.open("wb") as file:
        np.save(file, np.ones(3))
    assert NO_WEIGHTS in refused(path)


def test_an_empty_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    path.write_bytes(rezipped({}))
    assert refused(path) == "FILE is not a weights file: it has no weight_0."


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.npz") == "There is no weights file FILE."


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path) == f"FILE {NO_WEIGHTS}it is a folder, not a file."


def test_a_file_that_is_cut_short_is_refused(file: Path) -> None:
    whole = file.read_bytes()
    for n in range(0, len(whole), 7):
        file.write_bytes(whole[:n])
        refused(file)


COMPRESSIONS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_flipped_bytes_raise_nothing_but_weights_errors(
    compression: int, members: dict[str, bytes], tmp_path: Path
) -> None:
    rng = np.random.default_rng(compression)
    whole = rezipped(members, compression)
    path = tmp_path / "w.npz"
    n_refused = 0
    for _ in range(150):
        flipped = bytearray(whole)
        for place in rng.integers(0, len(whole), 3):
            flipped[place] = rng.integers(0, 256)
        path.write_bytes(flipped)
        try:
            Network.load(path)
        except WeightsError:
            n_refused += 1
    assert n_refused > 75


def test_flipped_bytes_behind_right_checksums_raise_nothing_but_weights_errors(
    members: dict[str, bytes], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "w.npz"
    signs = b"()[]{}',:0123456789<>|fiuOVSUm -"
    n_refused = 0
    for _ in range(250):
        name = rng.choice(list(members))
        flipped = bytearray(members[name])
        for place in rng.integers(0, min(len(flipped), 140), 2):  # headers are 128 long
            flipped[place] = rng.choice(list(signs)) if rng.random() < 0.7 else rng.integers(256)
        path.write_bytes(rezipped(members | {name: bytes(flipped)}))
        try:
            Network.load(path)
        except WeightsError:
            n_refused += 1
    assert n_refused > 125


def test_without_the_warnings_filter_too(members: dict[str, bytes], tmp_path: Path) -> None:
    # A header of Python 2 makes NumPy warn; the person at the screen has no use for that.
    old = members["weight_0.npy"].replace(b"(3, 4), }  ", b"(3L, 4L), }")
    assert old != members["weight_0.npy"]
    path = tmp_path / "w.npz"
    path.write_bytes(rezipped(members | {"weight_0.npy": old}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "its array 'weight_0' is damaged" in refused(path)


# Being written


def test_writing_over_a_file_leaves_no_other(file: Path, network: Network) -> None:
    network.parameters[0] = 42
    network.save(file)
    assert os.listdir(file.parent) == [file.name]
    assert Network.load(file).parameters[0] == 42


@pytest.mark.parametrize("step", ["savez", "fsync", "replace"])
def test_writing_that_fails_leaves_the_old_file(
    step: str, file: Path, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **keywords: object) -> None:
        raise OSError(28, "No space left on device")

    before = file.read_bytes()
    monkeypatch.setattr(np if step == "savez" else os, step, full)
    with pytest.raises(WeightsError, match=r"good\.npz cannot be written: No space left on"):
        network.save(file)
    assert file.read_bytes() == before
    assert os.listdir(file.parent) == [file.name]


def test_writing_that_is_interrupted_leaves_the_old_file(
    file: Path, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(handle: int) -> None:
        raise KeyboardInterrupt

    before = file.read_bytes()
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        network.save(file)
    assert file.read_bytes() == before
    assert os.listdir(file.parent) == [file.name]


def test_the_file_is_on_the_disk_before_it_takes_the_name(
    file: Path, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (done.append("fsync"), fsync(handle)))
    monkeypatch.setattr(os, "replace", lambda *paths: (done.append("replace"), replace(*paths)))
    network.save(file)
    assert done == ["fsync", "replace"]


def test_a_missing_folder_is_told(network: Network, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be written: No such file or directory"):
        network.save(tmp_path / "none" / "w.npz")


def test_a_directory_cannot_be_written_over(network: Network, tmp_path: Path) -> None:
    (tmp_path / "w.npz").mkdir()
    with pytest.raises(WeightsError, match="cannot be written: Is a directory"):
        network.save(tmp_path / "w.npz")
    assert os.listdir(tmp_path) == ["w.npz"]


def test_others_may_read_it(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o644
