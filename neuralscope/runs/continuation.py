"""Going on with a run that has left snapshots, wherever it ended.

It may have been killed between any two writings. So it goes on from the newest snapshot that all
is there of: what was written later is taken back and comes out again, to the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from neuralscope.engine import Training
from neuralscope.errors import WeightsError
from neuralscope.runs.logbook import Logbook
from neuralscope.runs.records import Run
from neuralscope.runs.snapshots import SnapshotKeeper, states
from neuralscope.runs.store import Store


class Continuation(NamedTuple):
    """Where a run goes on.

    Attributes:
        seconds: Training time until there.
        kind: What event this is: forked or continued.
        text: The event in words.
    """

    seconds: float
    kind: str
    text: str


def go_on(
    store: Store,
    run: Run,
    training: Training,
    keeper: SnapshotKeeper,
    logbook: Logbook,
    meanwhile: Callable[[], None],
) -> Continuation:
    """Restore the newest snapshot that can be gone on from, and take back what is of later.

    Args:
        store: Where the run is kept.
        run: A run that has snapshots.
        training: Its training, new from its configuration.
        keeper: Keeps its snapshots from here on.
        logbook: Its logbook.
        meanwhile: Called over and over while the store cannot be written.

    Raises:
        WeightsError: There is none.
    """
    last_epoch, last_step = store.last_recorded(run.run_id)
    for info, state in states(store, run.run_id):
        try:
            training.restore(state)
        except (ValueError, TypeError, LookupError):
            continue  # not all is in it that it takes to go on: damaged, or bare weights
        # All that led to the row of a snapshot is there; of a file that is newer than its row,
        # it may not have come to the disk before power failed.
        is_known = training.step <= max(last_step, info.step)
        if not is_known or training.epoch > max(last_epoch, info.epoch):
            continue
        epoch, step = training.epoch, training.step
        insist = logbook.retrying.insist
        rewind = partial(logbook.writer.rewind, epoch=epoch, step=step, seconds=info.seconds)
        seconds = insist(rewind, meanwhile)
        there = replace(info, epoch=epoch, step=step, seconds=seconds)
        best = _best_so_far(store.run(run.run_id))
        insist(partial(keeper.go_on, training, there, best), meanwhile)
        for _ in training.answer():  # they were rounded when they were kept
            pass
        is_fork = not last_step and run.parent_id
        kind, verb = ("forked", "forked") if is_fork else ("continued", "resumed")
        return Continuation(seconds, kind, f"{verb} at {_where(training)}")
    raise WeightsError(
        "None of the snapshots that this run could go on from can be used any more; "
        "it can be trained again from its configuration instead."
    )


def _best_so_far(run: Run) -> tuple[float, int] | None:
    if run.best_epoch is None or run.best_validation_accuracy is None:
        return None
    return run.best_validation_accuracy, run.best_epoch


def _where(training: Training) -> str:
    """Return a place in words: 'epoch 3', 'the middle of epoch 4'."""
    if training.at_epoch_end:
        return f"epoch {training.epoch:,}" if training.epoch else "its beginning"
    return f"the middle of epoch {training.epoch + 1:,}"
