"""What each column of the store's tables may hold; rows that hold anything else are not trusted.

Another program, a damaged disk or a stranger's store can put anything into a row: SQLite keeps text
where a number is declared, and bytes that are no text. So every question goes to the rows whose
values are all of the right type, in range and of a meaning, and no other row can make it fail:

    SELECT ... FROM {EPOCHS} WHERE run_id = ?

The conditions are SQL, that counts, sums and pages leave out the same rows as the lists do. What a
column holds as JSON is looked at by `json_fault`, which connections know as a function.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from neuralscope.errors import ConfigError
from neuralscope.runs.config import SETTINGS, RunConfig
from neuralscope.runs.records import ACTIVE, ENDED
from neuralscope.runs.settings import Number, Whole

STATUSES = (*ACTIVE, *ENDED)
COMMANDS = ("pause", "resume", "stop", "learning_rate")

LATEST_MOMENT = 1e11
"""Seconds since 1970 that a clock may show; beyond them there is no calendar."""

MOST_EPOCHS = cast(Whole, SETTINGS["epochs"]).maximum
LARGEST_RATE = cast(Number, SETTINGS["learning_rate"]).maximum
MOST_STEPS = 10**12
LONGEST_TRAINING = 1e10
"""Seconds: three hundred years."""

LARGEST_LOSS = 1e100
"""A network computes in numbers up to 3e38; with more than this, sums would not be finite."""

MOST_LAYERS = 100
MOST_LOSSES = 1 << 24
"""In one row; a trainer writes some every fifth of a second, and keeps them while it cannot."""

MOST_TEXT, MOST_JSON = 1 << 20, 1 << 16
"""Bytes of a text for people, and of one that is read."""


class Column(NamedTuple):
    """What a column may hold.

    Attributes:
        condition: The same as SQL, with `{0}` for the column; not true for anything else.
        allowed: In words that follow 'must be'.
    """

    condition: str
    allowed: str


# SQLite sorts nothing before numbers, numbers before text, and text before bytes: a range tells the
# type as well, and at a third of the price of `typeof`.


def _whole(most: int) -> Column:
    return Column(
        f"({{0}} BETWEEN 0 AND {most} AND {{0}} = CAST({{0}} AS INTEGER))",
        f"a whole number from 0 to {most:,}",
    )


def _number(most: float = 1.7976931348623157e308) -> Column:
    return Column(f"({{0}} BETWEEN 0.0 AND {most!r})", f"a number from 0 to {most:g}")


def _text(most: int = MOST_TEXT) -> Column:
    return Column(
        f"({{0}} >= '' AND {{0}} < x'' AND length({{0}}) <= {most})",
        f"a text of at most {most:,} characters",
    )


def _one_of(*names: str) -> Column:
    listed = ", ".join(f"'{name}'" for name in names)
    return Column(f"({{0}} IN ({listed}))", f"one of {', '.join(names)}")


def _digits(n: int) -> str:
    return "[0-9]" * n


def _formed(start: str, shortest: int, longest: int, allowed: str) -> Column:
    """Return a text of this GLOB and more, in lower-case hexadecimal, without a NUL within."""
    hexadecimal = len(start.replace("[0-9]", "#"))
    return Column(
        f"({{0}} GLOB '{start}*' AND {{0}} < x'' AND length({{0}}) BETWEEN {shortest} AND {longest}"
        f" AND length(CAST({{0}} AS BLOB)) = length({{0}})"
        f" AND substr({{0}}, {hexadecimal + 1}) NOT GLOB '*[^0-9a-f]*')",
        allowed,
    )


def _json(kind: str) -> Column:
    return Column(
        f"({{0}} < x'' AND json_fault('{kind}', CAST({{0}} AS BLOB)) IS NULL)", f"JSON of {kind}"
    )


def _or_nothing(column: Column) -> Column:
    return Column(f"({{0}} IS NULL OR {column.condition})", f"{column.allowed}, or nothing")


_DATE = f"{_digits(8)}-{_digits(6)}-"
_FLAG = _whole(1)
_LOSS, _SHARE, _MOMENT = _number(LARGEST_LOSS), _number(1.0), _number(LATEST_MOMENT)
_RATE = _number(LARGEST_RATE)
_EPOCH, _STEP, _SECONDS = _whole(MOST_EPOCHS), _whole(MOST_STEPS), _number(LONGEST_TRAINING)
_RUN_ID = _formed(_DATE, 20, 24, "the id of a run")

TABLES: Mapping[str, Mapping[str, Column]] = {
    "runs": {
        "run_id": _RUN_ID,
        "name": _text(),
        "config": _json("config"),
        "status": _one_of(*STATUSES),
        "message": _text(),
        "created": _MOMENT,
        "queued": _MOMENT,
        "started": _or_nothing(_MOMENT),
        "ended": _or_nothing(_MOMENT),
        "trainer": _text(200),
        "data_digest": _text(200),
        "versions": _json("versions"),
        "machine": _json("machine"),
        "steps_per_epoch": _whole(MOST_STEPS // MOST_EPOCHS),
        "epoch": _EPOCH,
        "step": _STEP,
        "seconds": _SECONDS,
        "samples_per_second": _or_nothing(_number(1e15)),
        "learning_rate": _or_nothing(_RATE),
        "best_epoch": _or_nothing(_EPOCH),
        "best_validation_accuracy": _or_nothing(_SHARE),
        "test_loss": _or_nothing(_LOSS),
        "test_accuracy": _or_nothing(_SHARE),
        "tags": _json("tags"),
        "notes": _text(),
        "starred": _FLAG,
        "archived": _FLAG,
        "trashed": _or_nothing(_MOMENT),
        "parent_id": _or_nothing(_RUN_ID),
        "parent_epoch": _or_nothing(_EPOCH),
        "parent_step": Column(
            f"({_or_nothing(_STEP).condition} AND (parent_step IS NULL) = (parent_epoch IS NULL))",
            f"{_STEP.allowed} beside an epoch, or nothing",
        ),
        "race": Column(
            f"({{0}} = '' OR {_formed(f'race-{_DATE}', 25, 25, '').condition})",
            "the id of a race, or empty",
        ),
        "origin": _text(),
        "rewinds": _whole(2**53),
        "recipe": _text(),
    },
    "epochs": {
        "epoch": _EPOCH,
        "step": _STEP,
        "seconds": _SECONDS,
        "train_loss": _LOSS,
        "train_accuracy": _SHARE,
        "validation_loss": _LOSS,
        "validation_accuracy": _SHARE,
        "learning_rate": _RATE,
    },
    "step_blocks": {
        "first_step": _STEP,
        "first_seconds": _SECONDS,
        "last_seconds": Column(
            f"({_SECONDS.condition} AND last_seconds >= first_seconds)",
            f"{_SECONDS.allowed}, and no less than at the first step",
        ),
        "losses": Column(
            "({0} >= x'' AND length({0}) % 4 = 0 "
            f"AND length({{0}}) BETWEEN 4 AND {4 * MOST_LOSSES})",
            f"bytes of 1 to {MOST_LOSSES:,} losses",
        ),
    },
    "events": {
        "at": _MOMENT,
        "kind": _text(100),
        "text": _text(20_000),
        "epoch": _EPOCH,
        "step": _STEP,
        "seconds": _SECONDS,
    },
    "commands": {
        "at": _MOMENT,
        "kind": _one_of(*COMMANDS),
        "value": _or_nothing(_RATE),
        "handled": _or_nothing(_MOMENT),
    },
    "snapshots": {
        "name": Column(
            "({0} = 'latest' OR {0} = printf('epoch-%05d', epoch))",
            "latest, or that of its epoch",
        ),
        "epoch": _EPOCH,
        "step": _STEP,
        "seconds": _SECONDS,
        "written": _MOMENT,
    },
    "layer_health": {
        "epoch": _EPOCH,
        "layer": _whole(MOST_LAYERS),
        "gradient_norm": _number(),
        "weight_norm": _number(),
        "update_ratio": _number(),
        "dead": _SHARE,
        "saturated": _SHARE,
    },
}
"""The tables and their columns, but for the run that a row belongs to and numbers of rows."""


JSON_COLUMNS = ("config", "versions", "machine", "tags")


def _condition(table: str) -> str:
    """Return the SQL of what is true for the rows of a table that can be trusted."""
    conditions = [
        column.condition.format(name)
        for name, column in TABLES[table].items()
        if table != "runs" or name not in JSON_COLUMNS
    ]
    if table == "runs":  # all at once: calling a function of ours costs more than what it does
        texts = ", ".join(f"CAST({name} AS BLOB)" for name in JSON_COLUMNS)
        conditions += [f"{name} < x''" for name in JSON_COLUMNS]
        conditions.append(f"is_sound_json({texts})")
    # One value that is nearly always true: the indices are for what a question asks, not for this.
    return f"likelihood(({' AND '.join(conditions)}) IS TRUE, 0.9999)"


def _rows(table: str, condition: str) -> str:
    return f"(SELECT * FROM {table} WHERE {condition}) AS {table}"


IS_TRASHED = f"coalesce({_MOMENT.condition.format('trashed')}, 0)"
"""SQL for whether a row of `runs`, trusted or not, was thrown away."""

IS_SOUND = _condition("runs")
"""SQL for whether a row of `runs` can be trusted; true, or not."""

RUNS = _rows("runs", IS_SOUND)
CONDITIONS = {
    table: _condition(table)
    for table in ("epochs", "step_blocks", "events", "layer_health", "snapshots")
}
"""SQL of what is true for the rows that can be trusted of all that a run leaves behind."""

EPOCHS, STEP_BLOCKS, EVENTS, LAYER_HEALTH, SNAPSHOTS = (
    _rows(table, condition) for table, condition in CONDITIONS.items()
)
COMMAND_ROWS = _rows("commands", _condition("commands"))
"""The rows that can be trusted, to be named in a query in place of the table."""

FAULT = " ".join(
    [
        "CASE",
        *(
            f"WHEN {column.condition.format(name)} IS NOT TRUE THEN '{name}'"
            for name, column in TABLES["runs"].items()
        ),
        "END",
    ]
)
"""SQL for the column for which a row of `runs` cannot be trusted; NULL for the others."""


# What a column holds as JSON ---------------------------------------------------------------------


def json_fault(kind: str, text: bytes | None) -> str | None:
    """Return what is wrong with a column's JSON, as a clause; None where nothing is.

    Args:
        kind: config, versions, machine or tags.
        text: The column's bytes.
    """
    if text is None:
        return "there is nothing"
    if len(text) > MOST_JSON:
        return f"it is longer than {MOST_JSON:,} bytes"
    return _json_fault(kind, text)


def is_sound_json(*texts: bytes | None) -> bool:
    """Return whether nothing is wrong with the JSON of `JSON_COLUMNS`."""
    return not any(map(json_fault, JSON_COLUMNS, texts))


@functools.lru_cache(maxsize=1 << 15)  # a store of as many runs is looked through at every redraw
def _json_fault(kind: str, text: bytes) -> str | None:
    try:
        value = json.loads(text.decode())
        json.dumps(value, ensure_ascii=False).encode()  # half of a character pair is no text
        _CHECKS[kind](value)
    except ConfigError as error:
        return str(error).rstrip(".")
    except RecursionError:
        return "it is nested too deep"
    except (ValueError, TypeError, ArithmeticError, LookupError):
        return f"it is not the JSON of {_KINDS[kind]}"
    return None


def _check_config(value: Any) -> None:
    if not isinstance(value, dict):
        raise TypeError
    RunConfig.from_dict(value)


def _check_versions(value: Any) -> None:
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise TypeError


def _check_machine(value: Any) -> None:
    if not isinstance(value, dict):
        raise TypeError
    for each in value.values():
        for fact in each.values() if isinstance(each, dict) else (each,):
            if isinstance(fact, int | float) and not math.isfinite(fact):
                raise ValueError
            if not isinstance(fact, str | int | float | None):
                raise TypeError


def _check_tags(value: Any) -> None:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TypeError


_CHECKS: dict[str, Callable[[Any], None]] = {
    "config": _check_config,
    "versions": _check_versions,
    "machine": _check_machine,
    "tags": _check_tags,
}
_KINDS = {
    "config": "a configuration",
    "versions": "names and versions",
    "machine": "facts of a machine",
    "tags": "a list of texts",
}
