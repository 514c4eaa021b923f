"""The weights file: the one place where the engine touches the disk.

An .npz archive holds `weight_0, bias_0, weight_1, ...` and `metadata`, a JSON string. A file from
a stranger is hostile until checked: `neuralscope.files` unpickles nothing and knows the shape of
every array before it reads one. Here the shapes must make a network of a fair size, and only then
are its numbers read, which must be finite. Writing is in one piece: the file is whole, or the old
one.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from typing import Any, BinaryIO

import numpy as np

from neuralscope.engine.arrays import Array
from neuralscope.errors import WeightsError, quoted
from neuralscope.files import Arrays, Header, Refused, open_regular, parsing, replacing
from neuralscope.files import FilePath as FilePath  # the network's too

MOST_BYTES = 1 << 30
"""Of the file, and of all that it unpacks to; what is no part of the network is not read."""

MOST_PARAMETERS = 1 << 25
"""Three times those of the largest network that a run can have."""

MOST_ARRAYS = 1_000

LONGEST_METADATA = 1 << 20
"""Characters."""


def write(
    path: FilePath, arrays: Mapping[str, Array], metadata: Mapping[str, Any], *, token: str = ""
) -> None:
    """Write arrays and metadata to `path`, in one piece or not at all.

    Args:
        path: The file; it is replaced.
        arrays: By name.
        metadata: Anything JSON holds.
        token: Stands in the name of the temporary file, to tell whose it is.

    Raises:
        WeightsError: The file cannot be written, or could not be read again.
    """
    try:
        with replacing(path, token=token) as file:
            write_into(file, arrays, metadata)
    except OSError as error:
        raise WeightsError(f"{path} cannot be written: {error.strerror or error}.") from error


def write_into(file: BinaryIO, arrays: Mapping[str, Array], metadata: Mapping[str, Any]) -> None:
    """Write what `write` writes into an open file. Raises OSError, WeightsError."""
    text = json.dumps(metadata)
    if len(text) > LONGEST_METADATA:
        raise WeightsError(
            f"The metadata of a weights file is at most {LONGEST_METADATA:,} characters, "
            f"not {len(text):,}."
        )
    np.savez(file, allow_pickle=False, **arrays, metadata=np.array(text))


def read(path: FilePath) -> tuple[list[Array], dict[str, Any]]:
    """Read [weight_0, bias_0, weight_1, ...] and the metadata from `path`.

    Raises:
        WeightsError: There is no such file, or it is not a whole, harmless weights file.
    """
    try:
        with open_regular(path, MOST_BYTES) as file:
            entries = Arrays(file, MOST_BYTES, most_arrays=MOST_ARRAYS)
            n_layers = _checked_shapes(path, entries.headers)
            metadata = _checked_metadata(path, entries)
            return _checked_layers(path, entries, n_layers), metadata
    except Refused as refused:
        raise WeightsError(f"{path} is not a weights file (.npz): {refused}.") from refused
    except FileNotFoundError:
        raise WeightsError(f"There is no weights file {path}.") from None
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}.") from error


def _checked_shapes(path: FilePath, headers: Mapping[str, Header]) -> int:
    """Return the number of layers, whose shapes make a network of a fair size."""
    n_layers = n_parameters = 0
    while f"weight_{n_layers}" in headers:
        i = n_layers
        weight, bias = headers[f"weight_{i}"], headers.get(f"bias_{i}")
        is_layer = len(weight.shape) == 2 and min(weight.shape) > 0
        if not is_layer or bias is None or bias.shape != weight.shape[1:]:
            raise WeightsError(
                f"{path}: weight_{i} and bias_{i} do not have shapes (in, out), (out,)."
            )
        n_in, n_out = weight.shape
        if i and headers[f"weight_{i - 1}"].shape[1] != n_in:
            raise WeightsError(
                f"{path}: weight_{i} takes {n_in} inputs, "
                f"but the layer before it gives {headers[f'weight_{i - 1}'].shape[1]}."
            )
        for header in (weight, bias):
            if header.dtype not in (np.float32, np.float64):
                raise WeightsError(
                    f"{path}: layer {i} holds {str(header.dtype)[:40]}, not float32 or float64."
                )
            if header.dtype != headers["weight_0"].dtype:
                raise WeightsError(f"{path} mixes float32 and float64.")
        n_parameters += (n_in + 1) * n_out
        n_layers += 1
    if not n_layers:
        raise WeightsError(f"{path} is not a weights file: it has no weight_0.")
    if n_parameters > MOST_PARAMETERS:
        raise WeightsError(
            f"{path} holds {n_parameters:,} weights, but a file may hold {MOST_PARAMETERS:,}."
        )
    return n_layers


def _checked_layers(path: FilePath, entries: Arrays, n_layers: int) -> list[Array]:
    arrays: list[Array] = []
    for i in range(n_layers):
        for name in (f"weight_{i}", f"bias_{i}"):
            array = entries.read(name)
            if not np.isfinite(array).all():
                raise WeightsError(f"{path}: layer {i} holds numbers that are not finite.")
            arrays.append(array)
    return arrays
    return arrays


def _checked_metadata(path: FilePath, entries: Arrays) -> dict[str, Any]:
    header = entries.headers.get("metadata")
    if header is None:
        return {}
    if header.n_bytes > LONGEST_METADATA * np.dtype("<U1").itemsize:
        raise WeightsError(f"{path}: its metadata is longer than {LONGEST_METADATA:,} characters.")
    try:
        with parsing():
            metadata = json.loads(str(entries.read("metadata")))
    except Refused as refused:  # not JSON, nested too deep, or not even Unicode
        raise WeightsError(f"{path}: its metadata is not JSON.") from refused
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
            f"{path}: its activations {quoted(names)} do not fit {n_hidden} hidden layers."
        )
    return names
