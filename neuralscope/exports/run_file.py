"""A whole run as one zip file, and what such a file may hold when it comes back.

    run.json              the run, its events, and the list of its snapshots
    measurements.npz      its curves: epochs, health of the layers, losses of the steps
    snapshots/NAME.npz    each snapshot, as it is in the store

A file from a stranger is hostile until checked. Nothing is unpacked by name and nothing is
unpickled (`neuralscope.files`); each part is bounded by what a run of its configuration can have
before it is read, and checked number by number; and what goes into the store is written there
anew. Only when all of it is in order does the run appear.
"""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from neuralscope.data import Recipe
from neuralscope.engine.weights import write as write_arrays
from neuralscope.errors import ConfigError, DataError, WeightsError, quoted
from neuralscope.exports.fields import Fields
from neuralscope.exports.measurements import (
    MEASUREMENTS,
    as_arrays,
    most_steps_per_epoch,
    read_curves,
)
from neuralscope.exports.measurements import MOST_BYTES as MOST_MEASUREMENT_BYTES
from neuralscope.exports.snapshot_check import Shape, read_snapshot
from neuralscope.exports.tables import facts_of
from neuralscope.files import Archive, Refused, in_units, open_regular, parsing
from neuralscope.runs import (
    DIVERGED,
    FAILED,
    FINISHED,
    INTERRUPTED,
    LATEST,
    STOPPED,
    Event,
    Run,
    RunConfig,
    SnapshotInfo,
    Store,
)
from neuralscope.runs.detached import DetachedRun, detach
from neuralscope.runs.records import LONGEST_NAME, LONGEST_NOTES, LONGEST_TAG, MOST_TAGS
from neuralscope.runs.snapshots import MOST_BYTES as MOST_SNAPSHOT_BYTES
from neuralscope.runs.snapshots import load_state
from neuralscope.version import __version__

FORMAT, VERSION = "neuralscope run", 1
RUN = "run.json"

ENDED = (FINISHED, STOPPED, DIVERGED, FAILED, INTERRUPTED)

MOST_BYTES = 16 << 30
MOST_JSON_BYTES = 8 << 20
MOST_EVENTS = 10_000
MOST_GROWTH = 50
"""A file may unpack to this many times its size: trained weights hardly shrink at all, and a small
file must not fill the disk."""

MOST_SNAPSHOTS = 500
"""Of 10,000 epochs some 70 are kept (`is_milestone`)."""


# Out ---------------------------------------------------------------------------------------------


def write_run(store: Store, run_id: str, file: BinaryIO) -> None:
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
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for info in detached.snapshots:
            path = store.folder(run_id) / f"{info.name}.npz"
            try:
                load_state(store, run_id, info.name)  # is it whole?
                archive.write(path, _entry(info.name))
            except (WeightsError, FileNotFoundError) as error:
                if not detached.run.is_active:  # one that trains makes room for new ones
                    raise WeightsError(f"Snapshot {path} is gone or damaged.") from error
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
        np.savez(measurements, allow_pickle=False, **as_arrays(detached))
        archive.writestr(MEASUREMENTS, measurements.getvalue(), zipfile.ZIP_DEFLATED)


def _entry(snapshot: str) -> str:
    return f"snapshots/{snapshot}.npz"


# In ----------------------------------------------------------------------------------------------


class RunFile:
    """A run file that is open. Raises Refused with the reason."""

    def __init__(self, archive: Archive, size: int) -> None:
        """Check what it says it holds, before anything is unpacked."""
        self._archive = archive
        unpacked = sum(member.file_size for member in archive.members.values())
        if unpacked > MOST_GROWTH * size + (1 << 20):
            raise Refused(f"{in_units(size)} would unpack to {in_units(unpacked)}")
        for name in (RUN, MEASUREMENTS):
            if name not in archive.members:
                raise Refused(f"it has no {name}")

    def detached(self) -> DetachedRun:
        """Read and check everything but the snapshots."""
        about = self._about()
        run = _read_run(about.part("run"))
        # Of each epoch, of before training, and the latest.
        most = min(run.config.epochs + 2, MOST_SNAPSHOTS)
        snapshots = tuple(
            _read_snapshot(each, run.config) for each in about.parts("snapshots", most)
        )
        expected = {RUN, MEASUREMENTS, *(_entry(info.name) for info in snapshots)}
        if len(expected) != len(snapshots) + 2:
            raise Refused("it names a snapshot twice")
        for name in sorted(set(self._archive.members) - expected):
            raise Refused(f"it holds {quoted(name)}, which no run file does")
        for name in sorted(expected - set(self._archive.members)):
            raise Refused(f"its {name} is missing")
        if run.status == FINISHED and not run.best_epoch:
            if any(info.name == LATEST for info in snapshots):
                raise Refused("its weights were restored, but it names no best epoch")
        events = tuple(_read_event(each, run.config) for each in about.parts("events", MOST_EVENTS))
        with self._archive.arrays(MEASUREMENTS, MOST_MEASUREMENT_BYTES) as arrays:
            epochs, health, blocks = read_curves(arrays, run)
        return DetachedRun(
            run=run,
            epochs=epochs,
            health=health,
            blocks=blocks,
            events=events,
            snapshots=tuple(sorted(snapshots, key=lambda info: (info.step, info.name))),
        )

    def write_snapshots(self, detached: DetachedRun, folder: Path) -> None:
        """Check every snapshot and write it to `folder`."""
        shape: Shape | None = None
        for info in detached.snapshots:
            with self._archive.arrays(_entry(info.name), MOST_SNAPSHOT_BYTES) as arrays:
                try:
                    content, shape = read_snapshot(arrays, info, detached.run.config, shape)
                except Refused as refused:
                    raise Refused(f"its snapshot {info.name} {refused}") from None
            write_arrays(folder / f"{info.name}.npz", content, {})

    def _about(self) -> Fields:
        with parsing(f"its {RUN} is damaged"):  # not JSON, nested too deep, not even Unicode
            about = json.loads(self._archive.read(RUN, MOST_JSON_BYTES))
        if not isinstance(about, dict) or about.get("format") != FORMAT:
            raise Refused(f"its {RUN} is not that of a run")
        version = about.get("version")
        if isinstance(version, int) and version > VERSION:
            raise Refused("it was written by a newer NeuralScope; update this one to import it")
        if version != VERSION:
            raise Refused(f"its {RUN} is of no known version")
        return Fields(about, RUN)


@contextmanager
def open_archive(path: Path) -> Iterator[tuple[Archive, int]]:
    """Open a file that may be a run file, with its size. Raises Refused, OSError."""
    with open_regular(path, MOST_BYTES) as file:
        if file.read(2) != b"PK":
            raise Refused("it is neither a run file nor a weights file")
        size = file.seek(0, io.SEEK_END)
        yield Archive(file, MOST_BYTES), size


# Its parts ---------------------------------------------------------------------------------------


def _read_run(fields: Fields) -> Run:
    values = fields.values_of("config")
    try:
        config = RunConfig.from_dict(values)
    except ConfigError as error:
        raise Refused(f"its configuration is not one: {str(error).rstrip('.')}") from error
    except (TypeError, ValueError, ArithmeticError) as error:  # numbers beyond any float, and such
        raise Refused("its configuration is not one") from error
    steps_per_epoch = fields.count("steps_per_epoch", most_steps_per_epoch(config))
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
        steps_per_epoch=steps_per_epoch,
        epoch=fields.count("epoch", config.epochs),
        step=fields.count("step"),
        seconds=fields.number("seconds") or 0.0,
        samples_per_second=fields.number("samples_per_second"),
        learning_rate=fields.number("learning_rate"),
        best_epoch=fields.optional_count("best_epoch", config.epochs),
        best_validation_accuracy=fields.number("best_validation_accuracy", 1.0),
        test_loss=fields.number("test_loss"),
        test_accuracy=fields.number("test_accuracy", 1.0),
        tags=fields.texts("tags", LONGEST_TAG)[:MOST_TAGS],
        notes=fields.text("notes", LONGEST_NOTES),
        parent_id=fields.run_id("parent_id") if has_parent else None,
        parent_epoch=fields.optional_count("parent_epoch", config.epochs),
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


def _read_event(fields: Fields, config: RunConfig) -> Event:
    return Event(
        at=fields.moment("at") or 0.0,
        kind=fields.text("kind", 40),
        text=fields.text("text", 1_000),
        epoch=fields.count("epoch", config.epochs),
        step=fields.count("step"),
        seconds=fields.number("seconds") or 0.0,
    )


def _read_snapshot(fields: Fields, config: RunConfig) -> SnapshotInfo:
    epoch = fields.count("epoch", config.epochs)
    return SnapshotInfo(
        name=fields.choice("name", (f"epoch-{epoch:05d}", LATEST)),
        epoch=epoch,
        step=fields.count("step"),
        seconds=fields.number("seconds") or 0.0,
        written=fields.moment("written") or 0.0,
    )
