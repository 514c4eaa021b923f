"""From the rows of the store's tables to records, and back where a column holds JSON or bytes."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import numpy.typing as npt

from neuralscope.data import Recipe
from neuralscope.errors import ConfigError, DataError, StoreError
from neuralscope.runs.config import RunConfig
from neuralscope.runs.records import ACTIVE, INTERRUPTED, Run

HEARTBEAT_LOST = 4.0
"""Seconds without a sign of life after which a run counts as interrupted."""


def readable(rows: Sequence[sqlite3.Row]) -> list[Run]:
    """Return the runs of these rows, without those that cannot be understood."""
    runs = []
    for row in rows:
        with contextlib.suppress(StoreError):
            runs.append(run_from(row))
    return runs


def run_from(row: sqlite3.Row) -> Run:
    """Return the run of a row.

    Raises:
        StoreError: It cannot be understood.
    """
    values = dict(row)
    try:
        config = RunConfig.from_dict(json.loads(values["config"]))
        versions, machine = json.loads(values["versions"]), json.loads(values["machine"])
        tags = tuple(str(tag) for tag in json.loads(values["tags"]))
        float(values["heartbeat"])
    except (ConfigError, ValueError, TypeError, LookupError) as error:
        raise StoreError(
            f"Run {shortened(values['run_id'])} has a row that cannot be read: {error}"
        ) from error
    status, message = values["status"], values["message"]
    if status in ACTIVE and not is_alive(row):
        status, message = INTERRUPTED, "Its training process ended unexpectedly."
    values |= {
        "config": config,
        "versions": versions,
        "machine": machine,
        "status": status,
        "message": message,
        "tags": tags,
        "starred": bool(values["starred"]),
        "archived": bool(values["archived"]),
        "recipe": _recipe_from(values["recipe"]),
    }
    # By name: a later version may have added columns while this process was at work.
    return Run(**{field.name: values[field.name] for field in fields(Run)})


def recipe_as_text(recipe: Recipe | None) -> str:
    """Return a recipe as its column holds it."""
    return "" if recipe is None else json.dumps(recipe.as_json())


def _recipe_from(text: str) -> Recipe | None:
    """Return what `recipe_as_text` wrote; None where it did not, for the data set has it too."""
    try:
        return Recipe.from_json(json.loads(text)) if text else None
    except (ValueError, RecursionError, DataError):
        return None


def is_alive(row: sqlite3.Row) -> bool:
    """Return whether somebody is at work on a run or going to be."""
    return row["status"] in ACTIVE and time.time() - row["heartbeat"] <= HEARTBEAT_LOST


def packed(losses: npt.NDArray[np.float32]) -> bytes:
    """Return losses as their column holds them."""
    return losses.astype("<f4").tobytes()


def shortened(text: str) -> str:
    """Return a text in quotes, cut to what fits into a sentence."""
    return repr(text if len(text) <= 60 else text[:57] + "...")
