"""Races: a few configurations that start from the same seed, side by side.

With the same seed all see the digits in the same order, cut into the same batches unless the batch
size is what they race about; the random numbers of weights, dropout and augmentation each have a
generator of their own, and so leave the order alone. A race is no more than the runs that carry its
id, so it can be reopened by that id, and it continues when no page is open.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from neuralscope.data import dataset_title
from neuralscope.errors import ConfigError, NeuralScopeError, StoreError
from neuralscope.runs.columns import RUNS
from neuralscope.runs.config import SETTINGS, RunConfig
from neuralscope.runs.launcher import start_trainer
from neuralscope.runs.records import LONGEST_NAME, Run
from neuralscope.runs.store import Store

FEWEST, MOST = 2, 6
"""Runs in a race."""

FIXED = ("dataset", "epochs", "seed")
"""Settings that all runs of a race have in common."""

VARIED = tuple(name for name in SETTINGS if name not in FIXED)
"""Settings that a race may be about."""

_RACE_ID = re.compile(r"race-\d{8}-\d{6}-[0-9a-f]{4}")


@dataclass(frozen=True)
class Race:
    """A race as it stands.

    Attributes:
        race_id: Its name in the store and in URLs.
        runs: Those that take part, in the order of their start.
    """

    race_id: str
    runs: tuple[Run, ...]

    @property
    def is_active(self) -> bool:
        """Whether any of its runs is queued, running or paused."""
        return any(run.is_active for run in self.runs)


class RaceRow(NamedTuple):
    """A line in the list of races.

    Attributes:
        race_id: Which it is.
        created: When it was started, in seconds since 1970.
        size: How many runs take part.
        name: What the first of them is called.
    """

    race_id: str
    created: float
    size: int
    name: str


def read_values(field: str, text: str) -> list[Any]:
    """Read the values of a setting from text, with semicolons between them.

    Commas do as well, except for a setting whose values have commas themselves.

    Raises:
        ConfigError: The setting cannot be varied, or a value is not allowed.

    >>> read_values("learning_rate", "0.1, 0.01"), read_values("hidden", "64; 128,64")
    ([0.1, 0.01], [(64,), (128, 64)])
    """
    if field not in VARIED:
        raise ConfigError("field", field, f"one of {', '.join(VARIED)}")
    has_commas = field in ("hidden", "activation")
    parts = re.split(r"[;\n]" if has_commas or ";" in text else r"[,\n]", text)
    return [SETTINGS[field].parse(field, part) for part in parts if part.strip()]


def vary(base: RunConfig, field: str, values: Sequence[Any]) -> list[RunConfig]:
    """Return configurations that are as `base` but for one setting, one for each value.

    Raises:
        ConfigError: A value is not allowed, or does not fit the rest.
    """
    return [dataclasses.replace(base, **{field: value}) for value in values]


def line_up(configs: Sequence[RunConfig], seed: int, epochs: int | None = None) -> list[RunConfig]:
    """Give all the same seed, and the same number of epochs if one is named.

    Raises:
        NeuralScopeError: They cannot race: too few, too many, other data, or two the same.
        ConfigError: So many epochs do not fit the rest.
    """
    if not FEWEST <= len(configs) <= MOST:
        one = "1 configuration" if len(configs) == 1 else f"{len(configs)} configurations"
        raise NeuralScopeError(f"A race takes {FEWEST} to {MOST} configurations; this is {one}.")
    names = dict.fromkeys(config.dataset for config in configs)
    if len(names) > 1:
        titles = " and ".join(dataset_title(name) for name in names)
        raise NeuralScopeError(f"All runs in a race must use the same data; these use {titles}.")
    lined_up = [
        dataclasses.replace(config, seed=seed, epochs=epochs or config.epochs) for config in configs
    ]
    for i, config in enumerate(lined_up):
        if config in lined_up[:i]:
            raise NeuralScopeError(
                f"Configurations {lined_up.index(config) + 1} and {i + 1} are the same with one "
                "seed for all; leave one of them out."
            )
    return lined_up


def start(store: Store, configs: Sequence[RunConfig], names: Sequence[str] = ()) -> str:
    """Start a race between configurations that are lined up, and return its id.

    All are queued before the first trainer starts, so that they take their turns in this order. A
    run for which no trainer can be started has failed, and says why.

    Raises:
        StoreError: The store cannot be written.
    """
    race_id = time.strftime("race-%Y%m%d-%H%M%S-") + secrets.token_hex(2)
    names = names or [""] * len(configs)
    run_ids: list[str] = []
    try:
        for config, name in zip(configs, names, strict=True):
            run_ids.append(store.create(config, name, race=race_id))
    except BaseException:
        for run_id in run_ids:  # nobody is going to train them
            store.withdraw(run_id)
        raise
    for run_id in run_ids:
        with contextlib.suppress(StoreError):
            start_trainer(store, run_id)
    return race_id


def find(store: Store, race_id: str) -> Race:
    """Return a race as it stands.

    Raises:
        StoreError: There is none with this id, or all its runs have been deleted.
    """
    runs: list[Run] = []
    if _RACE_ID.fullmatch(race_id):
        runs = store.runs_where(
            # The second condition lets SQLite use the index, which holds no other rows.
            "race = ? AND race != '' AND trashed IS NULL ORDER BY created, run_id LIMIT ?",
            race_id,
            MOST,
        )
    if not runs:
        shown = race_id if len(race_id) <= 40 else f"{race_id[:40]}..."
        raise StoreError(f"There is no race {shown!r} in this store; its runs may be deleted.")
    return Race(race_id, tuple(runs))


def recent(store: Store, most: int = 50) -> list[RaceRow]:
    """Return the races of a store, newest first."""
    with store.database.reading() as db:
        rows = db.execute(
            f"SELECT race, min(created) AS began, count(*) AS size, name FROM {RUNS} "
            "WHERE race != '' AND trashed IS NULL GROUP BY race ORDER BY began DESC LIMIT ?",
            (most,),
        ).fetchall()
    return [
        RaceRow(row["race"], row["began"], row["size"], row["name"][:LONGEST_NAME]) for row in rows
    ]


def stop(store: Store, race_id: str) -> None:
    """Ask the trainers of a race to stop.

    Raises:
        StoreError: There is no such race, or the store cannot be written.
    """
    for run in find(store, race_id).runs:
        if run.is_active:
            try:
                store.send(run.run_id, "stop")
            except StoreError:
                if any(each.run_id == run.run_id for each in store.active_runs()):
                    raise  # else it has ended in this moment
