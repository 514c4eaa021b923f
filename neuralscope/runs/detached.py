"""A run outside of a store: all that its rows say, to be carried into another store.

`detach` reads a run, `attach` adds one. A run that is added appears with everything that belongs
to it at once, or not at all.
"""

from __future__ import annotations

import json
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuralscope.engine import LayerHealth
from neuralscope.errors import StoreError
from neuralscope.runs.records import EpochHealth, Epochs, Event, Run, StepBlock
from neuralscope.runs.rows import recipe_as_text
from neuralscope.runs.snapshots import SnapshotInfo, list_snapshots
from neuralscope.runs.store import Store


@dataclass(frozen=True, eq=False)
class DetachedRun:
    """Everything that a store keeps of a run, but the files of its snapshots.

    Attributes:
        run: The run itself.
        epochs: Its measurements.
        health: How its layers did.
        blocks: The losses of its steps.
        events: What happened to it.
        snapshots: Which snapshots there are, in the order of training.
    """

    run: Run
    epochs: Epochs
    health: tuple[EpochHealth, ...]
    blocks: tuple[StepBlock, ...]
    events: tuple[Event, ...]
    snapshots: tuple[SnapshotInfo, ...]


def detach(store: Store, run_id: str) -> DetachedRun:
    """Return all that the rows of a run say.

    Raises:
        RunNotFound: There is no such run.
    """
    run = store.run(run_id)
    return DetachedRun(
        run=run,
        epochs=store.epochs(run_id),
        health=tuple(store.health(run_id)),
        blocks=tuple(store.step_blocks(run_id)),
        events=tuple(store.events(run_id)),
        snapshots=tuple(list_snapshots(store, run_id)),
    )


def attach(store: Store, detached: DetachedRun, folder: Path) -> str:
    """Add a run to a store, and move the folder with its snapshots there.

    It keeps its id where that is free; where the store has such a run already, the new one gets
    an id of its own, and both stay.

    Args:
        store: Where it goes.
        detached: The run; it must have ended.
        folder: Holds the files of its snapshots, on the disk that the store is on.

    Returns:
        The id it has now.

    Raises:
        StoreError: It cannot be added; nothing of it is there then.
    """
    run = detached.run
    if run.is_active:
        raise StoreError(f"Run {run.run_id} is {run.status}; only one that has ended can be added.")
    target: Path | None = None
    try:
        with store.database.writing() as db:
            run_id = run.run_id
            while (
                store.folder(run_id).exists()
                or db.execute("SELECT 1 FROM runs WHERE run_id = ?", (run_id,)).fetchone()
            ):
                run_id = run_id[:16] + secrets.token_hex(3)
            columns = {**_columns(run), "run_id": run_id}
            db.execute(
                f"INSERT INTO runs ({', '.join(columns)}) "
                f"VALUES ({', '.join('?' for _ in columns)})",
                tuple(columns.values()),
            )
            for table, rows in _tables(detached).items():
                db.executemany(
                    f"INSERT INTO {table[0]} (run_id, {', '.join(table[1:])}) "
                    f"VALUES ({', '.join('?' * len(table))})",
                    ((run_id, *row) for row in rows),
                )
            folder.rename(store.folder(run_id))
            target = store.folder(run_id)
    except BaseException as error:
        if target is not None:
            shutil.rmtree(target, ignore_errors=True)
        if isinstance(error, OSError):
            raise StoreError(
                f"The run store {store.path} cannot be written: {error.strerror or error}."
            ) from error
        raise
    return run_id


def _columns(run: Run) -> dict[str, Any]:
    """Return a run as the columns of its row."""
    values = {name: getattr(run, name) for name in Run.__dataclass_fields__}
    return {
        **values,
        "config": json.dumps(run.config.as_dict()),
        "versions": json.dumps(run.versions),
        "machine": json.dumps(run.machine),
        "tags": json.dumps(list(run.tags)),
        "recipe": recipe_as_text(run.recipe),
        "queued": run.created,
        "heartbeat": time.time(),
    }


def _tables(detached: DetachedRun) -> dict[tuple[str, ...], list[tuple[Any, ...]]]:
    """Return the rows of each table that belongs to a run, by its name and columns."""
    return {
        ("epochs", *Epochs._fields): list(
            zip(*(column.tolist() for column in detached.epochs), strict=True)
        ),
        ("layer_health", "epoch", "layer", *LayerHealth._fields): [
            (each.epoch, number, *layer)
            for each in detached.health
            for number, layer in enumerate(each.layers)
        ],
        ("step_blocks", *StepBlock._fields): [
            (*block[:3], block.losses.astype("<f4").tobytes()) for block in detached.blocks
        ],
        ("events", *Event._fields): list(detached.events),
        ("snapshots", "name", "epoch", "step", "seconds", "written"): [
            (info.name, info.epoch, info.step, info.seconds, info.written)
            for info in detached.snapshots
        ],
    }
