"""A whole run as one zip file, and what such a file may hold when it comes back.

    run.json              the run, its events, and the list of its snapshots
    measurements.npz      its curves: epochs, health of the layers, losses of the steps
    snapshots/NAME.npz    each snapshot, as it is in the store

A file from a stranger is hostile until checked. Nothing is unpacked by name and nothing is
unpickled: each entry is read into memory under a limit, checked number by number, and what goes
into the store is written there anew. Only when all of it is in order does the run appear.
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from neuralscope.data import Recipe
from neuralscope.engine import LayerHealth
from neuralscope.engine.weights import write as write_arrays
from neuralscope.errors import ConfigError, DataError, WeightsError
from neuralscope.exports.fields import Fields, Refused
from neuralscope.exports.snapshot_check import check_snapshot, shape_of
from neuralscope.exports.tables import facts_of
from neuralscope.runs import (
    DIVERGED,
    FAILED,
    FINISHED,
    INTERRUPTED,
    LATEST,
    STOPPED,
    EpochHealth,
    Epochs,
    Event,
    Run,
    RunConfig,
    SnapshotInfo,
    Store,
)
from neuralscope.runs.detached import DetachedRun, detach
from neuralscope.runs.records import StepBlock
from neuralscope.runs.snapshots import load_state
from neuralscope.runs.store import LONGEST_NAME, LONGEST_NOTES, LONGEST_TAG, MOST_TAGS
from neuralscope.version import __version__

FORMAT, VERSION = "neuralscope run", 1
RUN, MEASUREMENTS = "run.json", "measurements.npz"

ENDED = (FINISHED, STOPPED, DIVERGED, FAILED, INTERRUPTED)

MOST_BYTES = 16 << 30
MOST_ENTRY_BYTES = 1 << 30
MOST_JSON_BYTES = 64 << 20
MOST_GROWTH = 50
"""A file may unpack to this many times its size: trained weights hardly shrink at all."""


# Out ---------------------------------------------------------------------------------------------


def write_run(store: Store, run_id: str, path: Path) -> None:
    """Write everything that is kept of a run; of one that goes on, what there is by now.

    Raises:
        RunNotFound: There is no such run.
        WeightsError: A snapshot is gone or damaged.
    """
    detached = detach(store, run_id)
    run = detached.run
    if run.is_active:
        message = f"It was {run.status} when it was exported."
        run = dataclasses.replace(run, status=INTERRUPTED, message=message)
    kept: list[SnapshotInfo] = []
    # Weights hardly shrink, so snapshots are stored as they are.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for info in detached.snapshots:
            try:
                load_state(store, run_id, info.name)  # is it whole?
                archive.write(store.folder(run_id) / f"{info.name}.npz", _entry(info.name))
            except (WeightsError, FileNotFoundError):
                if not detached.run.is_active:  # one that trains makes room for new ones
                    raise
            else:
                kept.append(info)
        about = {
            "format": FORMAT,
            "version": VERSION,
            "neuralscope": __version__,
            "run": {
                **facts_of(run),
                "tags": list(run.tags),
                "notes": run.notes,
                "parent_id": run.parent_id,
                "parent_epoch": run.parent_epoch,
                "parent_step": run.parent_step,
                "rewinds": run.rewinds,
                "recipe": None if run.recipe is None else run.recipe.as_json(),
            },
            "events": [event._asdict() for event in detached.events],
            "snapshots": [dataclasses.asdict(info) for info in kept],
        }
        archive.writestr(RUN, json.dumps(about, indent=1), zipfile.ZIP_DEFLATED)
        measurements = io.BytesIO()
        np.savez(measurements, allow_pickle=False, **_measurements(detached))
        archive.writestr(MEASUREMENTS, measurements.getvalue(), zipfile.ZIP_DEFLATED)


def _entry(snapshot: str) -> str:
    return f"snapshots/{snapshot}.npz"


def _measurements(detached: DetachedRun) -> dict[str, npt.NDArray[Any]]:
    health = [
        (each.epoch, number, *layer)
        for each in detached.health
        for number, layer in enumerate(each.layers)
    ]
    blocks = detached.blocks
    return {
        "epochs": np.stack([np.asarray(column, np.float64) for column in detached.epochs], axis=1),
        "health": np.array(health, np.float64).reshape(-1, 2 + len(LayerHealth._fields)),
        "blocks": np.array([block[:3] for block in blocks], np.float64).reshape(-1, 3),
        "lengths": np.array([len(block.losses) for block in blocks], np.int64),
        "losses": np.concatenate([np.zeros(0, "<f4"), *(block.losses for block in blocks)]),
    }


# In ----------------------------------------------------------------------------------------------


class RunFile:
    """A run file that is open, its list of entries checked. Raises Refused with the reason."""

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        """Check what it says it holds, before anything is unpacked."""
        self._archive = archive
        check_growth(archive, size)
        self._entries: dict[str, zipfile.ZipInfo] = {}
        for entry in archive.infolist():
            name = entry.filename
            if name in self._entries:
                raise Refused(f"it holds {shortened(name)} twice")
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise Refused(f"its {shortened(name)} is a link")
            if entry.flag_bits & 0x1:
                raise Refused("it is locked with a password")
            if entry.file_size > (MOST_JSON_BYTES if name == RUN else MOST_ENTRY_BYTES):
                raise Refused(f"its {shortened(name)} would unpack to {entry.file_size:,} bytes")
            self._entries[name] = entry
        for name in (RUN, MEASUREMENTS):
            if name not in self._entries:
                raise Refused(f"it has no {name}")

    def detached(self) -> DetachedRun:
        """Read and check everything but the snapshots."""
        about = self._about()
        run = _read_run(about.part("run"))
        snapshots = tuple(_read_snapshot(each) for each in about.parts("snapshots", 10_000))
        expected = {RUN, MEASUREMENTS, *(_entry(info.name) for info in snapshots)}
        if len(expected) != len(snapshots) + 2:
            raise Refused("it names a snapshot twice")
        for name in sorted(set(self._entries) - expected):
            raise Refused(f"it holds {shortened(name)}, which no run file does")
        for name in sorted(expected - set(self._entries)):
            raise Refused(f"its {name} is missing")
        if run.status == FINISHED and not run.best_epoch:
            if any(info.name == LATEST for info in snapshots):
                raise Refused("its weights were restored, but it names no best epoch")
        events = tuple(_read_event(each) for each in about.parts("events", 100_000))
        arrays = self._arrays(MEASUREMENTS)
        return DetachedRun(
            run=run,
            epochs=_read_epochs(arrays),
            health=_read_health(arrays),
            blocks=_read_blocks(arrays),
            events=events,
            snapshots=tuple(sorted(snapshots, key=lambda info: (info.step, info.name))),
        )

    def write_snapshots(self, detached: DetachedRun, folder: Path) -> None:
        """Check every snapshot and write it to `folder`."""
        shape = None
        for info in detached.snapshots:
            arrays = self._arrays(_entry(info.name))
            arrays.pop("metadata", None)
            try:
                shape = shape or shape_of(arrays, detached.run.config)
                check_snapshot(arrays, info, shape)
            except Refused as refused:
                raise Refused(f"its snapshot {info.name} {refused}") from None
            write_arrays(folder / f"{info.name}.npz", arrays, {})

    def _about(self) -> Fields:
        try:
            about = json.loads(self._archive.read(self._entries[RUN]))
        except Exception as error:  # not JSON, nested too deep, not even Unicode, damaged
            raise Refused(f"its {RUN} is damaged") from error
        if not isinstance(about, dict) or about.get("format") != FORMAT:
            raise Refused(f"its {RUN} is not that of a run")
        version = about.get("version")
        if isinstance(version, int) and version > VERSION:
            raise Refused("it was written by a newer NeuralScope; update this one to import it")
        if version != VERSION:
            raise Refused(f"its {RUN} is of no known version")
        return Fields(about, RUN)

    def _arrays(self, name: str) -> dict[str, npt.NDArray[Any]]:
        try:
            content = self._archive.read(self._entries[name])
            return read_arrays(content)
        except Refused as refused:
            raise Refused(f"in its {name}, {refused}") from None
        except Exception as error:  # there is no end to what damage makes the parsers raise
            raise Refused(f"its {name} is damaged") from error


@contextmanager
def open_run_file(path: Path) -> Iterator[RunFile]:
    """Open a run file. Raises Refused with the reason why it cannot be one, OSError."""
    size = path.stat().st_size
    try:
        archive = zipfile.ZipFile(path)
    except OSError:
        raise
    except Exception as error:
        raise Refused("it is damaged") from error
    with archive:
        yield RunFile(archive, size)


def check_growth(archive: zipfile.ZipFile, size: int) -> None:
    """Check how much a file of `size` bytes would unpack to. Raises Refused."""
    unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > min(MOST_BYTES, MOST_GROWTH * size + (1 << 20)):
        raise Refused(f"{size:,} bytes would unpack to {unpacked:,}")


def read_arrays(content: bytes) -> dict[str, npt.NDArray[Any]]:
    """Read the arrays of an .npz without trusting what it says about their sizes.

    Raises:
        Refused: It holds what no such file of ours does.
    """
    arrays: dict[str, npt.NDArray[Any]] = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        check_growth(archive, len(content))
        for entry in archive.infolist():
            name = entry.filename.removesuffix(".npy")
            if name in arrays:
                raise Refused(f"{shortened(name)} is there twice")
            arrays[name] = _read_array(archive.read(entry))
    return arrays


def _read_array(content: bytes) -> npt.NDArray[Any]:
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise Refused("an array is of an unknown version")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject:
        raise Refused("an array holds pickled objects")
    data = content[file.tell() :]
    says = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or not dtype.itemsize or says != len(data):
        raise Refused("an array is of another size than it says")
    order: Literal["F", "C"] = "F" if is_fortran else "C"
    return np.frombuffer(data, dtype).reshape(shape, order=order).copy()


def shortened(name: str) -> str:
    """Return a name as it may stand in a sentence, whatever it holds."""
    return ascii(name if len(name) <= 60 else name[:57] + "...")


# Its parts ---------------------------------------------------------------------------------------


def _read_run(fields: Fields) -> Run:
    try:
        config = RunConfig.from_dict(fields.values_of("config"))
    except ConfigError as error:
        raise Refused(f"its configuration is not one: {str(error).rstrip('.')}") from error
    except (TypeError, ValueError, ArithmeticError) as error:  # numbers beyond any float, and such
        raise Refused("its configuration is not one") from error
    has_parent = fields.values.get("parent_id") is not None
    return Run(
        run_id=fields.run_id("run_id"),
        name=fields.text("name", LONGEST_NAME),
        config=config,
        status=fields.choice("status", ENDED),
        message=fields.text("message", 2_000),
        created=fields.moment("created") or 0.0,
        started=fields.moment("started"),
        ended=fields.moment("ended"),
        data_digest=fields.text("data_digest", 100),
        versions={name: str(value) for name, value in fields.facts("versions").items()},
        machine=fields.facts("machine"),
        steps_per_epoch=fields.count("steps_per_epoch"),
        epoch=fields.count("epoch"),
        step=fields.count("step"),
        seconds=fields.number("seconds") or 0.0,
        samples_per_second=fields.number("samples_per_second"),
        learning_rate=fields.number("learning_rate"),
        best_epoch=fields.optional_count("best_epoch"),
        best_validation_accuracy=fields.number("best_validation_accuracy", 1.0),
        test_loss=fields.number("test_loss"),
        test_accuracy=fields.number("test_accuracy", 1.0),
        tags=fields.texts("tags", LONGEST_TAG)[:MOST_TAGS],
        notes=fields.text("notes", LONGEST_NOTES),
        parent_id=fields.run_id("parent_id") if has_parent else None,
        parent_epoch=fields.optional_count("parent_epoch"),
        parent_step=fields.optional_count("parent_step"),
        rewinds=fields.optional_count("rewinds") or 0,
        recipe=_read_recipe(fields),
    )


def _read_recipe(fields: Fields) -> Recipe | None:
    if fields.values.get("recipe") is None:  # files of before it was written down have none
        return None
    try:
        return Recipe.from_json(fields.values["recipe"])
    except DataError as error:
        raise Refused(f"its recipe for drawings is not one: {str(error).rstrip('.')}") from error


def _read_event(fields: Fields) -> Event:
    return Event(
        at=fields.moment("at") or 0.0,
        kind=fields.text("kind", 40),
        text=fields.text("text", 1_000),
        epoch=fields.count("epoch"),
        step=fields.count("step"),
        seconds=fields.number("seconds") or 0.0,
    )


def _read_snapshot(fields: Fields) -> SnapshotInfo:
    epoch = fields.count("epoch")
    return SnapshotInfo(
        name=fields.choice("name", (f"epoch-{epoch:05d}", LATEST)),
        epoch=epoch,
        step=fields.count("step"),
        seconds=fields.number("seconds") or 0.0,
        written=fields.moment("written") or 0.0,
    )


Arrays = Mapping[str, npt.NDArray[Any]]


def _table(arrays: Arrays, name: str, columns: int) -> npt.NDArray[np.float64]:
    table = arrays.get(name)
    if table is None or table.dtype != np.float64 or table.shape[1:] != (columns,):
        raise Refused(f"its {MEASUREMENTS} has no table {name} of {columns} columns")
    if np.isnan(table).any():
        raise Refused(f"its {MEASUREMENTS} has something in {name} that is not a number")
    return table


def _whole(column: npt.NDArray[np.float64], name: str) -> npt.NDArray[np.int64]:
    is_count = (column >= 0) & (column < 2.0**53) & (column == np.floor(column))
    if not is_count.all():
        raise Refused(f"its {MEASUREMENTS} has something in {name} that cannot be counted")
    return column.astype(np.int64)


def _rising(column: npt.NDArray[np.int64], name: str) -> npt.NDArray[np.int64]:
    if (np.diff(column) <= 0).any():
        raise Refused(f"its {MEASUREMENTS} has {name} that are not in order")
    return column


def _read_epochs(arrays: Arrays) -> Epochs:
    epoch, step, *others = _table(arrays, "epochs", len(Epochs._fields)).T
    epochs = Epochs(_rising(_whole(epoch, "epochs"), "epochs"), _whole(step, "epochs"), *others)
    shares = np.stack([epochs.train_accuracy, epochs.validation_accuracy])
    if (shares < 0).any() or (shares > 1).any() or (np.stack(others) < 0).any():
        raise Refused(f"its {MEASUREMENTS} has something in epochs that is out of range")
    return epochs


def _read_health(arrays: Arrays) -> tuple[EpochHealth, ...]:
    found: dict[int, list[LayerHealth]] = {}
    for row in _table(arrays, "health", 2 + len(LayerHealth._fields)):
        epoch, layer = _whole(row[:2], "health").tolist()
        layers = found.setdefault(epoch, [])
        if layer != len(layers) or layer > 100:
            raise Refused(f"its {MEASUREMENTS} has layers in health that are not in order")
        layers.append(LayerHealth(*row[2:].tolist()))
    return tuple(EpochHealth(epoch, tuple(layers)) for epoch, layers in found.items())


def _read_blocks(arrays: Arrays) -> tuple[StepBlock, ...]:
    table = _table(arrays, "blocks", 3)
    first = _rising(_whole(table[:, 0], "blocks"), "blocks").tolist()
    lengths, losses = arrays.get("lengths"), arrays.get("losses")
    if lengths is None or lengths.dtype != np.int64 or lengths.shape != (len(first),):
        raise Refused(f"its {MEASUREMENTS} does not say how long its blocks of losses are")
    if losses is None or losses.dtype != np.float32 or not np.isfinite(losses).all():
        raise Refused(f"its {MEASUREMENTS} has losses that are not finite numbers")
    if (lengths < 1).any() or lengths.max(initial=0) > len(losses) or lengths.sum() != len(losses):
        raise Refused(f"its {MEASUREMENTS} has blocks that do not fit its losses")
    parts = np.split(losses, np.cumsum(lengths)[:-1]) if len(first) else []
    return tuple(
        StepBlock(step, began, ended, part)
        for step, (began, ended), part in zip(first, table[:, 1:].tolist(), parts, strict=True)
    )
