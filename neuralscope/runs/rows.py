"""From the rows of the store's tables to records, and back where a column holds JSON or bytes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import fields

import numpy as np
import numpy.typing as npt

from neuralscope.data import Recipe
from neuralscope.errors import DataError, quoted
from neuralscope.runs.columns import JSON_COLUMNS, LATEST_MOMENT, TABLES, json_fault
from neuralscope.runs.config import RunConfig
from neuralscope.runs.database import RUN_ID
from neuralscope.runs.records import (
    INTERRUPTED,
    LONGEST_MESSAGE,
    LONGEST_NAME,
    LONGEST_NOTES,
    LONGEST_TAG,
    MOST_TAGS,
    Epochs,
    Run,
    StepBlock,
    UnreadableRun,
)


def run_from(row: sqlite3.Row, death: str = "") -> Run:
    """Return the run of a row that can be trusted (`columns.RUNS`).

    Args:
        row: Of `columns.RUNS`, whole.
        death: How its trainer died, in a sentence; empty for one that lives or has ended the run.
    """
    values = dict(row)
    status, message = values["status"], values["message"]
    if death:
        status, message = INTERRUPTED, death
    values |= {
        "name": values["name"][:LONGEST_NAME],
        "config": config_from(values["config"]),
        "versions": json.loads(values["versions"]),
        "machine": json.loads(values["machine"]),
        "status": status,
        "message": message[:LONGEST_MESSAGE],
        "tags": tuple(tag[:LONGEST_TAG] for tag in json.loads(values["tags"])[:MOST_TAGS]),
        "notes": values["notes"][:LONGEST_NOTES],
        "origin": values["origin"][:LONGEST_MESSAGE],
        "starred": bool(values["starred"]),
        "archived": bool(values["archived"]),
        "recipe": _recipe_from(values["recipe"]),
    }
    # By name: a later version may have added columns while this process was at work.
    return Run(**{field.name: values[field.name] for field in fields(Run)})


def config_from(text: str) -> RunConfig:
    """Return the configuration that its column holds, in a row that can be trusted."""
    return RunConfig.from_dict(json.loads(text))


def epochs_from(rows: Sequence[Sequence[float]]) -> Epochs:
    """Return measurements from trusted rows with the columns of `Epochs`."""
    table = np.array(rows, np.float64).reshape(-1, len(Epochs._fields))
    epoch, step, *values = table.T
    return Epochs(epoch.astype(np.int64), step.astype(np.int64), *values)


def blocks_from(rows: Iterable[sqlite3.Row]) -> list[StepBlock]:
    """Return stretches of losses from trusted rows with the columns of `StepBlock`, in order.

    Without those that begin before the one before ends, or hold what is no finite number.
    """
    blocks: list[StepBlock] = []
    next_step = 0
    for first_step, first_seconds, last_seconds, stored in rows:
        losses = np.frombuffer(stored, "<f4")
        if first_step >= next_step and np.isfinite(losses).all():
            blocks.append(StepBlock(first_step, first_seconds, last_seconds, losses))
            next_step = first_step + len(losses)
    return blocks


def unreadable_from(row: sqlite3.Row) -> UnreadableRun:
    """Return the run of a row of `runs` that cannot be trusted.

    Args:
        row: With `columns.FAULT` as `fault`, and its number as `number`.
    """
    created = row["created"]
    is_moment = isinstance(created, float) and 0 <= created <= LATEST_MOMENT
    return UnreadableRun(
        run_id=key_of(row["run_id"], row["number"]),
        reason=fault_of(row),
        created=created if is_moment else None,
    )


def fault_of(row: sqlite3.Row) -> str:
    """Return why a row of `runs` cannot be trusted, in a clause; empty if it can.

    Args:
        row: With `columns.FAULT` as `fault`.
    """
    name = row["fault"]
    if name is None:
        return ""
    value = row[name]
    if isinstance(value, str) and name in JSON_COLUMNS:
        return f"{name} is not valid: {json_fault(name, value.encode())}"
    return f"{name} is {_shown(value)}, but must be {TABLES['runs'][name].allowed}"


def _shown(value: object) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bytes):
        return (
            f"binary data of {len(value):,} bytes" if len(value) != 1 else "a byte of binary data"
        )
    return quoted(value, 60)


def key_of(run_id: object, number: int) -> str:
    """Return what a run is called in an argument: its id, or 'row-17' where that is none."""
    return run_id if isinstance(run_id, str) and RUN_ID.fullmatch(run_id) else f"row-{number}"


def recipe_as_text(recipe: Recipe | None) -> str:
    """Return a recipe as its column holds it."""
    return "" if recipe is None else json.dumps(recipe.as_json())


def _recipe_from(text: str) -> Recipe | None:
    """Return what `recipe_as_text` wrote; None where it did not, for the data set has it too."""
    try:
        return Recipe.from_json(json.loads(text)) if text else None
    except (ValueError, TypeError, RecursionError, DataError):
        return None


def packed(losses: npt.NDArray[np.float32]) -> bytes:
    """Return losses as their column holds them."""
    return losses.astype("<f4").tobytes()
