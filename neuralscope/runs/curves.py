"""The curves of several runs at once, for pictures that hold them all."""

from __future__ import annotations

import math
from collections.abc import Iterable

from neuralscope.runs.columns import EPOCHS
from neuralscope.runs.records import Epochs
from neuralscope.runs.rows import epochs_from
from neuralscope.runs.store import Store

MOST_EPOCHS = 2000
"""Epochs that are read of a run at most, evenly spread: no picture is wider."""

_COLUMNS = ", ".join(Epochs._fields)


def epochs_of(store: Store, run_ids: Iterable[str], most: int = MOST_EPOCHS) -> dict[str, Epochs]:
    """Return the measurements of several runs' epochs, by their ids; epoch 0 is before training.

    Of a run with more epochs than `most` every second is read, or every third..., always with the
    first and the last.

    Args:
        store: Where they are.
        run_ids: The runs. Those that have none, or are not there, have empty arrays.
        most: About how many epochs of each.
    """
    wanted = list(dict.fromkeys(run_ids))
    rows: dict[str, list[tuple[float, ...]]] = {run_id: [] for run_id in wanted}
    if not wanted:
        return {}
    marks = ", ".join("?" * len(wanted))
    with store.database.reading() as db:
        last = dict(
            db.execute(
                f"SELECT run_id, max(epoch) FROM {EPOCHS} "
                f"WHERE run_id IN ({marks}) GROUP BY run_id",
                wanted,
            ).fetchall()
        )
        # (id, stride, last epoch) of each run that has any.
        spread = [(r, max(1, math.ceil(last[r] / most)), last[r]) for r in wanted if r in last]
        if spread:
            values = ", ".join(["(?, ?, ?)"] * len(spread))
            found = db.execute(
                f"WITH wanted (id, stride, last) AS (VALUES {values}) "
                f"SELECT run_id, {_COLUMNS} FROM wanted JOIN {EPOCHS} ON run_id = id "
                "WHERE epoch % stride = 0 OR epoch = last ORDER BY run_id, epoch",
                [value for each in spread for value in each],
            )
            for run_id, *measured in found:
                rows[run_id].append(tuple(measured))
    return {run_id: epochs_from(values) for run_id, values in rows.items()}
