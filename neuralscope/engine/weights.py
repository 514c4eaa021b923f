"""The weights file: the one place where the engine touches the disk.

An .npz archive holds `weight_0, bias_0, weight_1, ...` and `metadata`, a JSON string. A file from
a stranger is hostile until checked: nothing in it is unpickled, an archive that would unpack to
more than `MOST_BYTES` is not unpacked, and shapes must fit together and numbers be finite.
Writing goes to a temporary name that is renamed at the end: the file is whole, or the old one.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neuralscope.engine.arrays import Array
from neuralscope.errors import WeightsError

FilePath = str | os.PathLike[str]

MOST_BYTES = 1 << 30


def write(path: FilePath, arrays: Mapping[str, Array], metadata: Mapping[str, Any]) -> None:
    """Write arrays and metadata to `path`, in one piece or not at all.

    Raises:
        WeightsError: The file cannot be written.
    """
    path = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(
                    file, allow_pickle=False, **arrays, metadata=np.array(json.dumps(metadata))
                )
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise WeightsError(f"{path} cannot be written: {error.strerror or error}.") from error


def read(path: FilePath) -> tuple[list[Array], dict[str, Any]]:
    """Read [weight_0, bias_0, weight_1, ...] and the metadata from `path`.

    Raises:
        WeightsError: There is no such file, or it is not a whole, harmless weights file.
    """
    entries = _unpacked(path)
    return _checked_layers(path, entries), _checked_metadata(path, entries)


def _unpacked(path: FilePath) -> dict[str, npt.NDArray[Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > MOST_BYTES:
            raise WeightsError(
                f"{path} would unpack to {unpacked:,} bytes; that is no weights file."
            )
        with np.load(path, allow_pickle=False) as archive:
            entries = {name: archive[name] for name in archive.files}
    except WeightsError:
        raise
    except FileNotFoundError:
        raise WeightsError(f"There is no weights file {path}.") from None
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}.") from error
    except Exception as error:
        # There is no end to what damage makes zipfile, its decompressors and NumPy's parser raise.
        raise WeightsError(f"{path} is damaged or is not a weights file (.npz).") from error
    # What does not begin like an array, NumPy hands out as bytes.
    return {name: entry for name, entry in entries.items() if isinstance(entry, np.ndarray)}


def _checked_layers(path: FilePath, entries: Mapping[str, npt.NDArray[Any]]) -> list[Array]:
    arrays: list[Array] = []
    while f"weight_{len(arrays) // 2}" in entries:
        i = len(arrays) // 2
        weight, bias = entries[f"weight_{i}"], entries.get(f"bias_{i}")
        if weight.ndim != 2 or bias is None or bias.shape != weight.shape[1:] or not weight.size:
            raise WeightsError(
                f"{path}: weight_{i} and bias_{i} do not have shapes (in, out), (out,)."
            )
        if arrays and arrays[-1].shape[0] != weight.shape[0]:
            raise WeightsError(
                f"{path}: weight_{i} takes {weight.shape[0]} inputs, "
                f"but the layer before it gives {arrays[-1].shape[0]}."
            )
        for array in (weight, bias):
            if array.dtype not in (np.float32, np.float64):
                raise WeightsError(
                    f"{path}: layer {i} holds {array.dtype}, not float32 or float64."
                )
            if array.dtype != entries["weight_0"].dtype:
                raise WeightsError(f"{path} mixes float32 and float64.")
            if not np.isfinite(array).all():
                raise WeightsError(f"{path}: layer {i} holds numbers that are not finite.")
        arrays += [weight, bias]
    if not arrays:
        raise WeightsError(f"{path} is not a weights file: it has no weight_0.")
    return arrays


def _checked_metadata(path: FilePath, entries: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
    if "metadata" not in entries:
        return {}
    try:
        metadata = json.loads(str(entries["metadata"]))
    except Exception as error:  # not JSON, nested too deep, or not even Unicode
        raise WeightsError(f"{path}: its metadata is not JSON.") from error
    if not isinstance(metadata, dict):
        raise WeightsError(f"{path}: its metadata is not a JSON object.")
    return metadata


def checked_activation(
    path: FilePath, arrays: list[Array], metadata: Mapping[str, Any], known: Container[str]
) -> list[str]:
    """Return the name of each hidden layer's activation; relu where the file does not say.

    Raises:
        WeightsError: The file names an activation we do not know, or a wrong number of them.
    """
    n_hidden = len(arrays) // 2 - 1
    names = metadata.get("activation", "relu")
    if isinstance(names, str):  # one for all, as in the constructor
        names = [names] * n_hidden
    if (
        not isinstance(names, list)
        or len(names) != n_hidden
        or not all(isinstance(name, str) and name in known for name in names)
    ):
        raise WeightsError(
            f"{path}: its activations {names!r} do not fit {n_hidden} hidden layers."
        )
    return names
