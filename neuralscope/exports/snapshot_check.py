"""What the snapshots of a run must be like: all of one network, and each number a number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuralscope.data import dataset_info
from neuralscope.errors import ConfigError, DataError
from neuralscope.exports.fields import Fields, Refused
from neuralscope.exports.trained import count_features
from neuralscope.runs import LATEST, RunConfig, SnapshotInfo

Arrays = Mapping[str, npt.NDArray[Any]]

MOST_CLASSES = 1_000


@dataclass(frozen=True)
class Shape:
    """What the snapshots of one run have in common."""

    n_parameters: int
    n_validation: int
    n_classes: int


def shape_of(arrays: Arrays, config: RunConfig) -> Shape:
    """Return the shape that a run's first snapshot sets for the others. Raises Refused.

    The network must be of the configuration's layers, and, where the data set is known, of its
    pixels and classes.
    """
    parameters, answers = arrays.get("parameters"), arrays.get("validation_probabilities")
    if parameters is None or parameters.ndim != 1 or answers is None or answers.ndim != 2:
        raise Refused("lacks weights or answers")
    n_validation, n_classes = answers.shape
    if not 2 <= n_classes <= MOST_CLASSES:
        raise Refused(f"tells {n_classes:,} classes apart")
    n_features = count_features(len(parameters), config.hidden, n_classes)
    try:
        info = dataset_info(config.dataset)
    except (ConfigError, DataError):
        pass  # of data that is not here, the file is all that is known
    else:
        n_features = info.n_features
        expected = (info.n_validation, info.n_classes)
        if answers.shape != expected:
            raise Refused(
                f"holds answers of shape {answers.shape}, not {expected} as for {info.title}"
            )
    n_parameters = config.n_parameters(n_features, n_classes)
    if len(parameters) != n_parameters:
        raise Refused(
            f"holds {len(parameters):,} weights, but its configuration makes {n_parameters:,}"
        )
    return Shape(n_parameters, n_validation, n_classes)


def check_snapshot(arrays: Arrays, info: SnapshotInfo, shape: Shape) -> None:
    """Check all arrays of a snapshot. Raises Refused."""
    answers = ("validation_probabilities", "validation_predictions")
    for name in ("parameters", "position", *answers):
        if name not in arrays:
            raise Refused(f"has no {name}")
    for name, array in arrays.items():
        if name in ("parameters", "best_parameters", "last_parameters") or name.startswith(
            "optimizer_"
        ):
            _check(name, array, np.float32, (shape.n_parameters,))
        elif name not in ("position", *answers):
            raise Refused(f"holds {name[:60]!a}, which no snapshot does")
    _check(answers[0], arrays[answers[0]], np.float16, (shape.n_validation, shape.n_classes))
    if (arrays[answers[0]] < 0).any() or (arrays[answers[0]] > 1).any():
        raise Refused("holds probabilities that are none")
    said = arrays[answers[1]]
    _check(answers[1], said, np.min_scalar_type(shape.n_classes - 1), (shape.n_validation,))
    if said.max(initial=0) >= shape.n_classes:
        raise Refused("answers with classes that there are not")
    _check_position(arrays["position"], info)


def _check(name: str, array: npt.NDArray[Any], dtype: npt.DTypeLike, shape: Any) -> None:
    if array.dtype != dtype or array.shape != shape:
        raise Refused(
            f"holds {name} of shape {array.shape} and type {array.dtype}, "
            f"not {shape} and {np.dtype(dtype)}"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise Refused(f"holds {name} that are not all finite numbers")


def _check_position(array: npt.NDArray[Any], info: SnapshotInfo) -> None:
    """Check the counters and random states: what goes on from here must not stumble over them."""
    if array.ndim or array.dtype.kind != "U":
        raise Refused("does not say where its training stands")
    try:
        position = json.loads(str(array))
        fields = Fields(position, "position")
        counters = (fields.count("epoch"), fields.count("step"))
        fields.count("batches_done")
        fields.count("optimizer_steps")
        is_rate = fields.number("learning_rate") is not None
        for name in ("epoch_rng", "dropout_rng", "augment_rng"):
            if name in position or name != "augment_rng":
                np.random.PCG64(0).state = position[name]
        last_step = [tuple(float(x) for x in row) for row in position.get("last_step", ())]
        is_row = all(len(row) == 3 for row in last_step)
        best_epoch, best_accuracy = position.get("best", (0, 0.0))
        is_best = isinstance(best_epoch, int) and isinstance(best_accuracy, int | float)
        is_restored = len(position.get("restored", range(5))) == 5
    except Exception as error:  # there is no end to what can be wrong with it
        raise Refused("does not say where its training stands") from error
    if not (is_rate and is_row and is_best and is_restored):
        raise Refused("does not say where its training stands")
    # Of a trainer that was killed in between, the file may be newer than what the run says of it.
    is_newer = info.name == LATEST and counters > (info.epoch, info.step)
    if counters != (info.epoch, info.step) and not is_newer:
        raise Refused(f"is of step {counters[1]:,}, not {info.step:,} as the run says")
