"""Continuing a run, forking it, reproducing it, and finding the runs that came of it.

    resume      the same run goes on from its newest snapshot, perhaps to more epochs
    fork        a new run begins at a snapshot of another one, with some settings changed
    reproduce   a new run is trained from the configuration of another one; the verdict says whether
                the same bits have come out

Each of them queues a run; a trainer does the rest, as it does for a run that begins from nothing.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neuralscope.data import dataset_info, dataset_label, is_cached, load_dataset
from neuralscope.engine import OPTIMIZERS
from neuralscope.engine.batches import count_batches
from neuralscope.errors import ConfigError, DataError, NeuralScopeError, StoreError, WeightsError
from neuralscope.runs.columns import RUNS
from neuralscope.runs.config import SETTINGS, RunConfig
from neuralscope.runs.cores import recorded
from neuralscope.runs.names import describe_change, redescribe
from neuralscope.runs.records import DIVERGED, FINISHED, LONGEST_NAME, Epochs, Parent, Run
from neuralscope.runs.snapshots import (
    LATEST,
    SnapshotInfo,
    State,
    list_snapshots,
    load_state,
    states,
    write_state,
)
from neuralscope.runs.store import Store
from neuralscope.runs.writer import Writer

KEPT_FIELDS = ("dataset", "hidden", "activation", "initializer", "seed")
"""Settings that a fork takes over: with others it would be another network, not another way on."""

FORK_FIELDS = tuple(name for name in SETTINGS if name not in KEPT_FIELDS)
"""Settings that a fork may change."""


# Resuming ----------------------------------------------------------------------------------------


def can_resume(run: Run, epochs: int | None = None) -> str:
    """Return why a run cannot go on to so many epochs, in a sentence; empty if it can.

    Args:
        run: The run.
        epochs: Epochs it is to have in the end; None for as many as its configuration says.
    """
    if run.is_active:
        return f"Run {run.run_id} is already {run.status}."
    if run.status == DIVERGED:
        return (
            f"Run {run.run_id} has diverged, and would again; fork it from an earlier epoch, "
            "with a smaller learning rate."
        )
    if run.status == FINISHED and _is_out_of_patience(run):
        return (
            f"Run {run.run_id} has stopped early because its patience ran out; fork it with "
            "more patience to continue."
        )
    most = SETTINGS["epochs"].maximum  # type: ignore[attr-defined]
    if run.status == FINISHED and max(run.epoch, run.config.epochs) >= most:
        return f"Run {run.run_id} has finished {most:,} epochs, the most that a run can have."
    if epochs is None and run.status == FINISHED:
        return (
            f"Run {run.run_id} has finished all its {_epochs(run.config.epochs)}; "
            "give it more to continue."
        )
    # Nothing is left to do at the end of the last epoch but to test the network, if that.
    is_at_end = epochs is not None and epochs <= run.epoch and run.epoch > 0
    if is_at_end and (epochs != run.config.epochs or run.status == FINISHED):
        return (
            f"Run {run.run_id} has already trained {_epochs(run.epoch)}; "
            "ask for more than that to continue."
        )
    return ""


def _is_out_of_patience(run: Run) -> bool:
    waited = run.epoch - (run.best_epoch or 0)
    return run.config.patience > 0 and waited >= run.config.patience


def resume(store: Store, run_id: str, *, epochs: int | None = None) -> None:
    """Queue a run once more, to go on where it stopped, was killed or had finished.

    Args:
        store: Where it is.
        run_id: Which it is.
        epochs: Epochs it is to have in the end; None for as many as its configuration says.

    Raises:
        RunNotFound: There is no such run.
        ConfigError: No run may have so many epochs.
        StoreError: It cannot go on; the sentence says why, and what can be done instead.
        WeightsError: None of its snapshots can be read any more.
        DataError: Its data set is gone, or is another one now.
    """
    run = store.run(run_id)
    config = run.config if epochs is None else replace(run.config, epochs=epochs)
    if reason := can_resume(run, epochs):
        raise StoreError(reason)
    _check_data(run)
    kept = list_snapshots(store, run_id)
    if kept and not any("position" in state for _, state in states(store, run_id)):
        raise WeightsError(_nothing_to_go_on_from(run))
    if not kept and run.epoch:
        raise WeightsError(_nothing_to_go_on_from(run))
    store.requeue(run_id, config)


def _nothing_to_go_on_from(run: Run) -> str:
    if run.origin:
        return (
            f"Run {run.run_id} came without what it needs to continue: the optimizer's memory and "
            "the random states. It can be viewed, or trained again from its configuration."
        )
    return (
        f"None of the snapshots of run {run.run_id} can be read any more, so it cannot continue. "
        "Its curves are still there, and it can be trained again from its configuration."
    )


def _check_data(run: Run) -> None:
    """Raise DataError if the data of a run is gone or is not what it was; no fetch is made."""
    if not is_cached(run.config.dataset):
        dataset_info(run.config.dataset)  # raises if it cannot be had at all
        return  # the trainer will fetch it, and look then
    if run.data_digest not in ("", load_dataset(run.config.dataset).digest):
        raise DataError(
            f"The data set {dataset_label(run.config.dataset)} has changed since run {run.run_id} "
            "was trained on it; its snapshots can be looked at, and it can be trained again on the "
            "data of now."
        )


# Forking -----------------------------------------------------------------------------------------


def fork(
    store: Store, run_id: str, snapshot: SnapshotInfo, config: RunConfig, name: str = ""
) -> str:
    """Queue a new run that begins at a snapshot of another one, and return its id.

    It takes over weights, optimizer and random states, in a copy of its own: the parent may be
    deleted. Another optimizer begins without a memory. Where the learning rate is left as it is in
    the parent's configuration, the fork goes on with the rate that the parent had at the snapshot.

    Args:
        store: Where both are.
        run_id: The parent.
        snapshot: One of the parent's.
        config: The parent's, with some of `FORK_FIELDS` changed.
        name: Of the fork; if empty, made from the parent's and what has changed.

    Raises:
        RunNotFound: There is no such run.
        ConfigError: A setting was changed that a fork takes over, or there is nothing to train.
        WeightsError: The snapshot is gone or damaged; the sentence offers those that are left.
        DataError: The data set is gone, or is another one now.
    """
    parent = store.run(run_id)
    for field in KEPT_FIELDS:
        if getattr(config, field) != (kept := getattr(parent.config, field)):
            raise ConfigError(
                field, getattr(config, field), f"{kept!r} as in the run that is forked"
            )
    _check_data(parent)
    state = _state_to_fork(store, parent, snapshot)
    position = json.loads(str(state["position"]))
    epoch: int = position["epoch"]
    if config.epochs <= epoch:
        raise ConfigError("epochs", config.epochs, f"more than the {epoch} of the snapshot")
    if position["batches_done"] and config.batch_size != parent.config.batch_size:
        raise ConfigError(
            "batch_size",
            config.batch_size,
            f"{parent.config.batch_size} to fork in the middle of an epoch; fork at the end of one "
            "to change it",
        )
    if config.learning_rate == parent.config.learning_rate:
        config = replace(config, learning_rate=position["learning_rate"])
    arrays, step = _changed_state(state, position, parent.config, config)
    child = store.create(
        config,
        name or _name(parent, snapshot, config),
        parent=Parent(run_id, epoch, position["step"]),
    )
    info = replace(snapshot, epoch=epoch, step=step)
    _begin_with(store, child, info, arrays, parent.data_digest)
    return child


def _name(parent: Run, snapshot: SnapshotInfo, config: RunConfig) -> str:
    """Return the parent's name, with what makes the fork another run."""
    name = redescribe(parent.name, parent.config, config)
    change = describe_change(parent.config, config) if name == parent.name else ""
    forked = f", forked at {_words(parent, snapshot)}" + (f", {change}" if change else "")
    return name[: LONGEST_NAME - len(forked)] + forked


def _begin_with(store: Store, child: str, info: SnapshotInfo, state: State, digest: str) -> None:
    """Give a new run the snapshot that it begins with; or remove it again."""
    try:
        write_state(store, child, info, state)
        Writer(store, child).set_data_digest(digest)
    except NeuralScopeError:
        store.withdraw(child)
        with store.database.writing() as db:
            db.execute("DELETE FROM runs WHERE run_id = ?", (child,))
        shutil.rmtree(store.folder(child), ignore_errors=True)
        raise


def _state_to_fork(store: Store, parent: Run, snapshot: SnapshotInfo) -> State:
    try:
        state = load_state(store, parent.run_id, snapshot.name)
    except WeightsError as error:
        left = [
            _words(parent, info)
            for info, _ in states(store, parent.run_id)
            if info.name != snapshot.name
        ]
        offer = (
            f"it can still be forked at {_listed(left[::-1])}"
            if left
            else "no other is left; the run can be trained again from its configuration"
        )
        raise WeightsError(
            f"The snapshot of {_words(parent, snapshot)} of run {parent.run_id} is gone or "
            f"damaged; {offer}."
        ) from error
    if "position" not in state:
        raise WeightsError(_nothing_to_go_on_from(parent))
    return state


def _changed_state(
    state: State, position: dict[str, Any], before: RunConfig, after: RunConfig
) -> tuple[dict[str, npt.NDArray[Any]], int]:
    """Return a snapshot's state as the changed configuration would have left it, and its step."""
    position = {**position, "learning_rate": after.learning_rate}
    arrays = dict(state)
    if after.optimizer != before.optimizer:
        optimizer_class = OPTIMIZERS[after.optimizer]
        settings = {name: getattr(after, name) for name in optimizer_class.settings}
        fresh = optimizer_class(state["parameters"].copy(), **settings)
        arrays = {n: v for n, v in arrays.items() if not n.startswith("optimizer_")}
        arrays |= {f"optimizer_{name}": vector for name, vector in fresh.state.items()}
        position["optimizer_steps"] = fresh.step_count
    if after.batch_size != before.batch_size:
        # Steps are counted in batches of the own size, for the schedule goes by them.
        n_train = dataset_info(after.dataset).n_train
        n_batches = count_batches(n_train, min(after.batch_size, n_train))
        position["step"] = position["epoch"] * n_batches
    if not after.patience:
        position.pop("best", None)
        arrays.pop("best_parameters", None)
    arrays["position"] = np.array(json.dumps(position))
    return arrays, position["step"]


def _words(run: Run, info: SnapshotInfo) -> str:
    # Where the best epoch was restored, `latest` is the end of the last one.
    is_epoch_end = info.name != LATEST or info.step == info.epoch * run.steps_per_epoch
    return f"epoch {info.epoch}" if is_epoch_end else f"the middle of epoch {info.epoch + 1}"


def _listed(words: list[str]) -> str:
    if len(words) > 6:
        words = [*words[:3], "...", *words[-2:]]
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def _epochs(n: int) -> str:
    return "1 epoch" if n == 1 else f"{n:,} epochs"


# What came of it ---------------------------------------------------------------------------------


def offspring(store: Store, run_id: str, most: int) -> tuple[list[Run], int]:
    """Return the newest runs that were made from a run, and how many there are in all.

    Args:
        store: Where they are.
        run_id: The run that was forked or reproduced.
        most: How many to return.
    """
    made = "parent_id = ? AND trashed IS NULL"
    with store.database.reading() as db:
        total = db.execute(f"SELECT count(*) FROM {RUNS} WHERE {made}", (run_id,)).fetchone()[0]
    newest = f"{made} ORDER BY created DESC, run_id DESC LIMIT ?"
    return store.runs_where(newest, run_id, most), total


# Reproducing -------------------------------------------------------------------------------------


def reproduce(store: Store, run_id: str) -> str:
    """Queue a new run of the same configuration, and return its id; `verdict` compares the two.

    One that was forked begins at the same snapshot again.

    Raises:
        RunNotFound: There is no such run.
        WeightsError: It is a fork, and the snapshot it began with is gone.
        DataError: Its data set is gone.
    """
    run = store.run(run_id)
    dataset_info(run.config.dataset)  # raises if it cannot be had at all
    beginning: tuple[SnapshotInfo, State] | None = None
    if run.is_fork:
        beginning = next(
            (
                (info, state)
                for info, state in states(store, run_id)
                if info.epoch == run.parent_epoch
                and (info.name != LATEST or info.step == run.parent_step)
            ),
            None,
        )
        if beginning is None:
            raise WeightsError(
                f"Run {run_id} is a fork, and the snapshot that it began with is gone; "
                "fork its parent again instead."
            )
    again = store.create(
        run.config, f"{run.name[: LONGEST_NAME - 10]}, again", parent=Parent(run_id)
    )
    if beginning is not None:
        _begin_with(store, again, *beginning, run.data_digest)
    if (cores := recorded(run.machine)) is not None:
        try:
            Writer(store, again).set_machine(cores._asdict())
        except BaseException:
            store.withdraw(again)  # nobody is going to train it
            raise
    return again


@dataclass(frozen=True)
class Verdict:
    """Whether a run has come out again.

    Attributes:
        is_identical: Whether all that both have is the same to the bit: the loss of each step, the
            measurements of each epoch, and the last parameters.
        text: The verdict in one or two sentences.
        reasons: What else differs, from which it may come; each a clause.
        first_epoch: The first epoch that differs, or None.
    """

    is_identical: bool
    text: str
    reasons: tuple[str, ...]
    first_epoch: int | None


def verdict(store: Store, original_id: str, again_id: str) -> Verdict:
    """Compare a run with one that was to reproduce it, as far as both have come.

    Raises:
        RunNotFound: One of them is not there.
    """
    original, again = store.run(original_id), store.run(again_id)
    reasons = tuple(_reasons(store, original, again))
    n_epochs = min(original.epoch, again.epoch)
    first_epoch = _first_different_epoch(store, original, again)
    n_steps, same_steps = _common_steps(store, original, again)
    parameters = _last_common_parameters(store, original, again)
    if not n_steps and not n_epochs:
        if original.is_active or again.is_active:
            return Verdict(False, "There is nothing to compare yet.", reasons, None)
        text = "There is nothing to compare: one of them ended before its first step."
        return Verdict(False, text, reasons, None)
    if first_epoch is None and same_steps and parameters is not False:
        whole = original.step == again.step and parameters is True
        extent = "" if whole else f" as far as both go, which is {_epochs(n_epochs)}"
        measured = [f"{n_steps:,} step losses", f"{_epochs(n_epochs)} of measurements"]
        same = f"{', '.join(measured)} and the weights" if parameters else " and ".join(measured)
        return Verdict(True, f"Identical to the bit{extent}: {same}.", reasons, None)
    place = "in its weights" if first_epoch is None else f"from epoch {first_epoch} on"
    if first_epoch is None and not same_steps:
        place = "in the losses of its steps"
    why = f"; {_joined(reasons)}" if reasons else ""
    return Verdict(False, f"It differs {place}{why}.", reasons, first_epoch)


def _reasons(store: Store, original: Run, again: Run) -> Iterator[str]:
    """Yield what, besides chance, could make two runs differ."""
    for name in SETTINGS:
        if getattr(original.config, name) != getattr(again.config, name):
            yield f"the setting {name} differs"
    if original.data_digest and again.data_digest and original.data_digest != again.data_digest:
        yield "the data differs"
    for name in sorted(original.versions.keys() | again.versions.keys()):
        before, now = original.versions.get(name, "none"), again.versions.get(name, "none")
        if before != now and original.versions and again.versions:
            yield f"{name} was {before} and is {now}"
    kept = (
        ("blas_threads", "threads"),
        ("processes", "processes"),
        ("processor", "processor"),
        ("kernels", "kernels of the matrix library"),
    )
    for key, words in kept:
        if key in original.machine and key in again.machine:
            former, latter = original.machine[key], again.machine[key]
            if former != latter:
                yield f"the {words} were {former} and are {latter}"
    changed = [e for e in store.events(original.run_id) if e.kind == "learning_rate"]
    if changed:
        yield f"the learning rate was set while it ran, first in epoch {changed[0].epoch + 1}"


def _first_different_epoch(store: Store, original: Run, again: Run) -> int | None:
    tables = [_by_epoch(store.epochs(run.run_id)) for run in (original, again)]
    common = sorted(tables[0].keys() & tables[1].keys())
    return next((epoch for epoch in common if tables[0][epoch] != tables[1][epoch]), None)


def _by_epoch(epochs: Epochs) -> dict[int, tuple[float, ...]]:
    """Return what was measured after each epoch, without the time it took."""
    table = zip(*(column.tolist() for column in epochs), strict=True)
    return {row[0]: (row[1], *row[3:]) for row in table}


def _common_steps(store: Store, original: Run, again: Run) -> tuple[int, bool]:
    """Return how many step losses both have, and whether they are the same bits."""
    first, second = (store.steps(run.run_id) for run in (original, again))
    common = np.intersect1d(first.step, second.step)
    losses = [each.loss[np.isin(each.step, common)] for each in (first, second)]
    return len(common), losses[0].tobytes() == losses[1].tobytes()


def _last_common_parameters(store: Store, original: Run, again: Run) -> bool | None:
    """Return whether the weights of the last moment that both kept are the same bits; or None."""
    kept = [
        {(info.step, info.epoch, info.name): info for info in list_snapshots(store, run.run_id)}
        for run in (original, again)
    ]
    for place in sorted(kept[0].keys() & kept[1].keys(), reverse=True):
        try:
            first, second = (
                load_state(store, run.run_id, place[2])["parameters"] for run in (original, again)
            )
        except (WeightsError, LookupError):
            continue
        return first.tobytes() == second.tobytes()
    return None


def _joined(clauses: tuple[str, ...]) -> str:
    return ", ".join(clauses)
