"""The curves of a run in its file: epochs, health of the layers, losses of the steps.

    epochs     a row for each measured epoch, a column for each field of `Epochs`
    health     epoch, number of the layer, and the fields of `LayerHealth`
    blocks     first step, seconds at its beginning and at its end of each stretch of steps
    lengths    steps of each stretch
    losses     of all of them, one after the other

What comes in is bounded by what its configuration can have, and known by its headers before
anything of it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neuralscope.data import dataset_info
from neuralscope.engine import LayerHealth
from neuralscope.engine.batches import count_batches
from neuralscope.errors import ConfigError, DataError
from neuralscope.exports.fields import LATEST_MOMENT
from neuralscope.files import Arrays, Header, Refused
from neuralscope.runs import EpochHealth, Epochs, Run, RunConfig
from neuralscope.runs.detached import DetachedRun
from neuralscope.runs.records import StepBlock

MEASUREMENTS = "measurements.npz"

MOST_BYTES = 128 << 20
MOST_LOSSES = 1 << 23
"""Of any run, whatever its configuration: the Train page holds them all to draw them."""

MOST_BLOCKS = 1 << 19
"""Stretches of steps are written down five times a second: these are more than a day."""

_N_EPOCHS = len(Epochs._fields)
_N_HEALTH = 2 + len(LayerHealth._fields)


def as_arrays(detached: DetachedRun) -> dict[str, npt.NDArray[Any]]:
    """Return the curves of a run as its file holds them."""
    health = [
        (each.epoch, number, *layer)
        for each in detached.health
        for number, layer in enumerate(each.layers)
    ]
    blocks = detached.blocks
    return {
        "epochs": np.stack([np.asarray(column, np.float64) for column in detached.epochs], axis=1),
        "health": np.array(health, np.float64).reshape(-1, _N_HEALTH),
        "blocks": np.array([block[:3] for block in blocks], np.float64).reshape(-1, 3),
        "lengths": np.array([len(block.losses) for block in blocks], np.int64),
        "losses": np.concatenate([np.zeros(0, "<f4"), *(block.losses for block in blocks)]),
    }


def read_curves(
    arrays: Arrays, run: Run
) -> tuple[Epochs, tuple[EpochHealth, ...], tuple[StepBlock, ...]]:
    """Read and check the curves of a run. Raises Refused, with a clause that names the file."""
    try:
        _check_headers(arrays.headers, run)
        curves = _all_of(arrays)
        return (
            _read_epochs(curves["epochs"], run.config),
            _read_health(curves["health"], run.config),
            _read_blocks(curves["blocks"], curves["lengths"], curves["losses"], run),
        )
    except Refused as refused:
        raise Refused(f"its {MEASUREMENTS} {refused}") from None


def most_steps_per_epoch(config: RunConfig) -> int | None:
    """Return how many steps an epoch of a configuration can have; None if its data is not here."""
    try:
        n_train = dataset_info(config.dataset).n_train
    except (ConfigError, DataError):
        return None
    return count_batches(n_train, config.batch_size)


def _all_of(arrays: Arrays) -> dict[str, npt.NDArray[Any]]:
    try:
        return arrays.read_all()
    except Refused as refused:
        raise Refused("is damaged") from refused


def _check_headers(headers: Mapping[str, Header], run: Run) -> None:
    """Check that the arrays are all there, of their types, and no more than the run can have."""
    config = run.config
    n_epochs = config.epochs + 1  # and before training
    n_steps = min(config.epochs * run.steps_per_epoch, run.step)
    expected: dict[str, tuple[npt.DTypeLike, int | None, int]] = {
        "epochs": (np.float64, _N_EPOCHS, n_epochs),
        "health": (np.float64, _N_HEALTH, n_epochs * (len(config.hidden) + 1)),
        "blocks": (np.float64, 3, min(n_steps, MOST_BLOCKS)),
        "lengths": (np.int64, None, min(n_steps, MOST_BLOCKS)),
        "losses": (np.float32, None, min(n_steps, MOST_LOSSES)),
    }
    for name in headers:
        if name not in expected:
            raise Refused(f"holds {name[:60]!a}, which no run has")
    for name, (dtype, columns, most) in expected.items():
        what = f"table {name} of {columns} columns" if columns else f"list of {name}"
        shape = () if columns is None else (columns,)
        header = headers.get(name)
        if header is None or header.dtype != dtype or header.shape[1:] != shape or not header.shape:
            raise Refused(f"has no {what}")
        if header.shape[0] > most:
            raise Refused(
                f"has {header.shape[0]:,} {name}, but such a run can have no more than {most:,}"
            )


def _whole(column: npt.NDArray[np.float64], name: str) -> npt.NDArray[np.int64]:
    is_count = (column >= 0) & (column < 2.0**53) & (column == np.floor(column))
    if not is_count.all():
        raise Refused(f"has something in {name} that cannot be counted")
    return column.astype(np.int64)


def _rising(column: npt.NDArray[np.int64], name: str) -> npt.NDArray[np.int64]:
    if (np.diff(column) <= 0).any():
        raise Refused(f"has {name} that are not in order")
    return column


def _moments(column: npt.NDArray[np.float64], name: str) -> npt.NDArray[np.float64]:
    if not ((column >= 0) & (column <= LATEST_MOMENT)).all():
        raise Refused(f"has times in {name} that cannot be")
    return column


def _read_epochs(table: npt.NDArray[np.float64], config: RunConfig) -> Epochs:
    if np.isnan(table).any():
        raise Refused("has something in epochs that is not a number")
    epoch, step, seconds, *others = table.T
    epochs = Epochs(
        _rising(_whole(epoch, "epochs"), "epochs"),
        _whole(step, "epochs"),
        _moments(seconds, "epochs"),
        *others,
    )
    if epochs.epoch.max(initial=0) > config.epochs:
        raise Refused(f"has epochs after the {config.epochs:,} of its configuration")
    shares = np.stack([epochs.train_accuracy, epochs.validation_accuracy])
    if (shares < 0).any() or (shares > 1).any() or (np.stack(others) < 0).any():
        raise Refused("has something in epochs that is out of range")
    return epochs


def _read_health(table: npt.NDArray[np.float64], config: RunConfig) -> tuple[EpochHealth, ...]:
    if not np.isfinite(table).all():
        raise Refused("has something in health that is not a finite number")
    epochs, layers = _whole(table[:, 0], "health"), _whole(table[:, 1], "health")
    if epochs.max(initial=0) > config.epochs:
        raise Refused(f"has health after the {config.epochs:,} epochs of its configuration")
    found: dict[int, list[LayerHealth]] = {}
    for epoch, layer, values in zip(epochs.tolist(), layers.tolist(), table[:, 2:], strict=True):
        so_far = found.setdefault(epoch, [])
        if layer != len(so_far) or layer > len(config.hidden):
            raise Refused("has layers in health that are not in order")
        so_far.append(LayerHealth(*values.tolist()))
    return tuple(EpochHealth(epoch, tuple(layers)) for epoch, layers in found.items())


def _read_blocks(
    table: npt.NDArray[np.float64],
    lengths: npt.NDArray[np.int64],
    losses: npt.NDArray[np.float32],
    run: Run,
) -> tuple[StepBlock, ...]:
    first = _rising(_whole(table[:, 0], "blocks"), "blocks")
    times = _moments(table[:, 1:], "blocks")
    if len(lengths) != len(first):
        raise Refused("does not say how long its blocks of losses are")
    if not np.isfinite(losses).all():
        raise Refused("has losses that are not finite numbers")
    if (lengths < 1).any() or lengths.max(initial=0) > len(losses) or lengths.sum() != len(losses):
        raise Refused("has blocks that do not fit its losses")
    last = first + lengths - 1
    if (first[1:] <= last[:-1]).any() or (len(last) and last[-1] > run.step):
        raise Refused("has blocks that are not of the steps that the run has taken")
    parts = np.split(losses, np.cumsum(lengths)[:-1]) if len(first) else []
    return tuple(
        StepBlock(step, began, ended, part)
        for step, (began, ended), part in zip(first.tolist(), times.tolist(), parts, strict=True)
    )
