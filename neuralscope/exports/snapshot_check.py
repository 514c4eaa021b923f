"""What the snapshots of a run must be like: all of one network, and each number a number.

The shapes stand in the headers of the arrays: only what fits is read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuralscope.data import dataset_info
from neuralscope.errors import ConfigError, DataError
from neuralscope.exports.fields import Fields
from neuralscope.exports.trained import count_features
from neuralscope.files import Arrays, Header, Refused
from neuralscope.runs import LATEST, RunConfig, SnapshotInfo

ANSWERS = ("validation_probabilities", "validation_predictions")

MOST_CLASSES = 1_000
MOST_PARAMETERS = 1 << 24
"""More than the largest network of the largest pictures that a configuration can have."""

LONGEST_POSITION = 1 << 20
"""Characters; of its random states, and what the last step brought."""


@dataclass(frozen=True)
class Shape:
    """What the snapshots of one run have in common."""

    n_parameters: int
    n_validation: int
    n_classes: int


def read_snapshot(
    arrays: Arrays, info: SnapshotInfo, config: RunConfig, shape: Shape | None
) -> tuple[dict[str, npt.NDArray[Any]], Shape]:
    """Read and check a snapshot. Raises Refused, with a clause that follows its name.

    Args:
        arrays: Its file, of which only the headers are read so far.
        info: What the run says of it.
        config: Of the run.
        shape: What it must have in common with others; None for the first, which decides.

    Returns:
        Its arrays, and what others must have in common with it.
    """
    headers = {name: header for name, header in arrays.headers.items() if name != "metadata"}
    shape = shape or _shape_of(headers, config)
    _check_headers(headers, shape)
    try:
        content = {name: arrays.read(name) for name in headers}
    except Refused as refused:
        raise Refused("is damaged") from refused
    for name, array in content.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise Refused(f"holds {name} that are not all finite numbers")
    shares, answers = content[ANSWERS[0]], content[ANSWERS[1]]
    if (shares < 0).any() or (shares > 1).any():
        raise Refused("holds probabilities that are none")
    if answers.max(initial=0) >= shape.n_classes:
        raise Refused("answers with classes that there are not")
    _check_position(content["position"], info)
    return content, shape


def _shape_of(headers: dict[str, Header], config: RunConfig) -> Shape:
    """Return the shape that a run's first snapshot sets for the others. Raises Refused.

    The network must be of the configuration's layers, and, where the data set is known, of its
    pixels and classes.
    """
    parameters, answers = headers.get("parameters"), headers.get(ANSWERS[0])
    if parameters is None or answers is None or len(answers.shape) != 2:
        raise Refused("lacks weights or answers")
    n_validation, n_classes = answers.shape
    if not 2 <= n_classes <= MOST_CLASSES:
        raise Refused(f"tells {n_classes:,} classes apart")
    if len(parameters.shape) != 1 or parameters.shape[0] > MOST_PARAMETERS:
        raise Refused(f"holds parameters of shape {parameters.shape}")
    (n_held,) = parameters.shape
    n_features = count_features(n_held, config.hidden, n_classes)
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
    if n_held != n_parameters:
        raise Refused(f"holds {n_held:,} weights, but its configuration makes {n_parameters:,}")
    return Shape(n_parameters, n_validation, n_classes)


def _check_headers(headers: dict[str, Header], shape: Shape) -> None:
    for name in ("parameters", "position", *ANSWERS):
        if name not in headers:
            raise Refused(f"has no {name}")
    vector = (np.dtype(np.float32), (shape.n_parameters,))
    probabilities, predictions = ANSWERS
    expected = {
        **dict.fromkeys(("parameters", "best_parameters", "last_parameters"), vector),
        **dict.fromkeys((name for name in headers if name.startswith("optimizer_")), vector),
        probabilities: (np.dtype(np.float16), (shape.n_validation, shape.n_classes)),
        predictions: (np.min_scalar_type(shape.n_classes - 1), (shape.n_validation,)),
    }
    for name, header in headers.items():
        if name == "position":
            is_short = header.n_bytes <= LONGEST_POSITION * np.dtype("<U1").itemsize
            if header.shape or header.dtype.kind != "U" or not is_short:
                raise Refused("does not say where its training stands")
        elif name not in expected:
            raise Refused(f"holds {name[:60]!a}, which no snapshot does")
        elif (header.dtype, header.shape) != expected[name]:
            dtype, wanted = expected[name]
            raise Refused(
                f"holds {name} of shape {header.shape} and type {str(header.dtype)[:40]}, "
                f"not {wanted} and {dtype}"
            )


def _check_position(array: npt.NDArray[Any], info: SnapshotInfo) -> None:
    """Check the counters and random states: what goes on from here must not stumble over them."""
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
