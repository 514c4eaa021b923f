"""The forms that a run can be exported in, by name; menus and the command line read this."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from neuralscope.engine.weights import write_into
from neuralscope.errors import ConfigError, TransferError
from neuralscope.exports.onnx_model import write_onnx
from neuralscope.exports.report import write_html
from neuralscope.exports.run_file import write_run
from neuralscope.exports.script import write_python
from neuralscope.exports.tables import write_csv, write_json
from neuralscope.exports.trained import last_network
from neuralscope.files import in_units, replacing
from neuralscope.runs import Store


@dataclass(frozen=True)
class Format:
    """One form of a run.

    Attributes:
        label: Its name for people.
        description: What it is for, in one sentence.
        extension: Of its file's name, with the dot.
        mime: Its media type.
        needs_network: Whether it can only be made of a run that has a snapshot.
        write: Writes a run into an open file; see `write` for one to call.
    """

    label: str
    description: str
    extension: str
    mime: str
    needs_network: bool
    write: Callable[[Store, str, BinaryIO], None]

    def file_name(self, run_id: str) -> str:
        """Return what the file of a run is called where nobody says otherwise."""
        return run_id + self.extension


MOST_CONTENT_BYTES = 256 << 20
"""Of a file that is made in memory, for a browser."""


def _write_npz(store: Store, run_id: str, file: BinaryIO) -> None:
    trained = last_network(store, run_id)
    write_into(file, *trained.network.packed(trained.about()))


FORMATS: dict[str, Format] = {
    "npz": Format(
        "Weights (.npz)",
        "The weights of the network, for NumPy, `evaluate`, `predict` and import.",
        ".npz",
        "application/octet-stream",
        True,
        _write_npz,
    ),
    "onnx": Format(
        "ONNX model (.onnx)",
        "The network in the form that other programs, browsers and phones can run.",
        ".onnx",
        "application/octet-stream",
        True,
        write_onnx,
    ),
    "csv": Format(
        "Measurements (.csv)",
        "Loss and accuracy of every epoch as a table.",
        ".csv",
        "text/csv",
        False,
        write_csv,
    ),
    "json": Format(
        "Configuration (.json)",
        "What was trained, on what and with what, and what came of it.",
        ".json",
        "application/json",
        False,
        write_json,
    ),
    "python": Format(
        "Python script (.py)",
        "A few dozen lines of NumPy that hold this network and predict with it.",
        ".py",
        "text/x-python",
        True,
        write_python,
    ),
    "html": Format(
        "Report (.html)",
        "Curves, confusion matrix, mistakes and weights over the epochs, to look at in any "
        "browser without a server.",
        ".html",
        "text/html",
        False,
        write_html,
    ),
    "run": Format(
        "Whole run (.zip)",
        "Everything that is kept of it, for import into another store.",
        ".zip",
        "application/zip",
        False,
        write_run,
    ),
}


def write(store: Store, run_id: str, form: str, path: str | os.PathLike[str]) -> None:
    """Write a run to a file, in one piece or not at all.

    Args:
        store: Where the run is.
        run_id: The run.
        form: Key of `FORMATS`.
        path: The file; one that is there is replaced.

    Raises:
        ConfigError: There is no such format.
        RunNotFound: There is no such run.
        TransferError: The run has nothing to export, or the file cannot be written.
        WeightsError: Its snapshot is gone or damaged.
    """
    writer = _writer(form)
    store.run(run_id)
    path = Path(path)
    try:
        with replacing(path) as file:
            writer(store, run_id, file)
    except OSError as error:
        raise TransferError(f"{path} cannot be written: {error.strerror or error}.") from error


def content(store: Store, run_id: str, form: str) -> bytes:
    """Return what `write` would write, if it is not more than `MOST_CONTENT_BYTES`.

    Raises:
        ConfigError: There is no such format.
        RunNotFound: There is no such run.
        TransferError: The run has nothing to export, or it is larger.
        WeightsError: Its snapshot is gone or damaged.
    """
    file = _Bounded()
    try:
        _writer(form)(store, run_id, file)
    except _TooLarge as error:
        raise TransferError(
            f"Run {run_id} is larger than {in_units(MOST_CONTENT_BYTES)} in this form. Export it "
            f"in the terminal: python -m neuralscope export {run_id} --format {form}"
        ) from error
    return file.getvalue()


class _TooLarge(Exception):
    """More was written than is kept in memory."""


class _Bounded(io.BytesIO):
    """A file in memory that does not fill it."""

    def write(self, content: Any) -> int:
        if self.tell() + memoryview(content).nbytes > MOST_CONTENT_BYTES:
            raise _TooLarge
        return super().write(content)


def _writer(form: str) -> Callable[[Store, str, BinaryIO], None]:
    if form not in FORMATS:
        raise ConfigError("format", form, f"one of {', '.join(FORMATS)}")
    return FORMATS[form].write
