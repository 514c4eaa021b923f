"""A bare weights file as a finished run: measured anew, with one snapshot.

The file says how many pixels its network takes and how many classes it tells apart; its metadata
may say more. What the file does not say is taken from the data set that fits.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from neuralscope.data import Dataset, Recipe, dataset_info, dataset_names
from neuralscope.engine import Network, score
from neuralscope.engine.weights import write
from neuralscope.errors import ConfigError, DataError, DataUnavailable
from neuralscope.exports.trained import finite
from neuralscope.files import Refused
from neuralscope.runs import FINISHED, Epochs, Run, RunConfig, SnapshotInfo, examples, prepare
from neuralscope.runs.detached import DetachedRun
from neuralscope.runs.machine import machine, versions


def run_of_weights(
    path: Path, shown: str, folder: Path, load: Callable[[str], Dataset]
) -> DetachedRun:
    """Make a run of a weights file, and write its snapshot to `folder`.

    Args:
        path: The weights file.
        shown: What the run is called.
        folder: Where the snapshot goes.
        load: Loads the data set that it is measured on.

    Raises:
        DataUnavailable: That data set cannot be had right now.
        Refused: There is no data set that such a network could read.
        WeightsError: The file cannot be used.
    """
    given = Network.load(path)
    config = _config_of(given)
    data = load(config.dataset)
    now = time.time()
    network = Network(
        given.sizes, activation=given.activation, initializer="zeros", rng=np.random.default_rng(0)
    )
    with np.errstate(over="ignore"):
        network.parameters[...] = given.parameters
    if not np.isfinite(network.parameters).all():
        raise Refused("it holds numbers that are too large for float32")

    training = prepare(config, data, network)
    epoch = _count(given.metadata.get("epochs"), 1, 10_000) or 1
    step = _count(given.metadata.get("steps"), epoch, 2**53) or epoch * training.n_batches
    training.epoch, training.step = epoch, step
    validation, probabilities = score(network, examples(data, "validation"))
    train, _ = score(network, examples(data, "train").first(len(probabilities)))
    test, _ = score(network, examples(data, "test"))
    if not np.isfinite(probabilities).all():
        raise Refused("its answers are not finite numbers")
    info = SnapshotInfo(f"epoch-{epoch:05d}", epoch, step, 0.0, now)
    label_type = np.min_scalar_type(data.n_classes - 1)
    arrays = {
        **training.state(),  # with an optimizer that remembers nothing yet
        "validation_probabilities": probabilities.astype(np.float16),
        "validation_predictions": probabilities.argmax(axis=1).astype(label_type),
    }
    write(folder / f"{info.name}.npz", arrays, {})
    measured = (epoch, step, 0.0, *train, *validation, config.learning_rate)
    run = Run(
        run_id=time.strftime("%Y%m%d-%H%M%S-", time.localtime(now)) + secrets.token_hex(2),
        name=Path(shown).stem or shown,
        config=config,
        status=FINISHED,
        message="",
        created=now,
        started=now,
        ended=now,
        data_digest=data.digest,
        versions=versions(),
        machine=machine(),
        steps_per_epoch=training.n_batches,
        epoch=epoch,
        step=step,
        seconds=0.0,
        samples_per_second=None,
        learning_rate=config.learning_rate,
        best_epoch=epoch,
        best_validation_accuracy=validation.accuracy,
        test_loss=finite(test.loss),
        test_accuracy=test.accuracy,
        recipe=_recipe_of(given, data),
    )
    epochs = Epochs(*(np.array([value]) for value in measured))
    return DetachedRun(run, epochs, health=(), blocks=(), events=(), snapshots=(info,))


def _config_of(given: Network) -> RunConfig:
    """Return the configuration that the file tells, or else one that makes such a network."""
    dataset = _dataset_of(given)
    epochs = _count(given.metadata.get("epochs"), 1, 10_000) or 1
    try:
        told = RunConfig.from_dict(given.metadata["config"])
        fits = (told.dataset, told.hidden, told.activations) == (
            dataset,
            given.sizes[1:-1],
            given.activation,
        )
        if fits and told.epochs >= epochs:
            return told
    except (ConfigError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        pass  # anyone may have written the file, and its weights are what counts
    try:
        return RunConfig(
            dataset=dataset,
            hidden=given.sizes[1:-1],
            activation=given.activation or "relu",
            epochs=epochs,
        )
    except ConfigError as error:
        raise Refused(str(error).rstrip(".")) from error


def _recipe_of(given: Network, data: Dataset) -> Recipe:
    """Return how drawings become its input: as the file tells, or else as the data set does."""
    try:
        told = Recipe.from_json(given.metadata.get("recipe"))
    except DataError:  # of before it was written down, or anyone may have written it
        return data.recipe
    return told if told.image_shape == data.image_shape else data.recipe


def _dataset_of(given: Network) -> str:
    """Return the data set that the file names, or else the first that fits."""
    n_features, n_classes = given.sizes[0], given.sizes[-1]
    told = given.metadata.get("dataset")
    try:
        names = (told,) if isinstance(told, str) and dataset_info(told) else dataset_names()
    except ConfigError:
        names = dataset_names()
    except DataUnavailable as error:
        raise Refused(f"it was trained on {told}, and that data set is not here") from error
    classes: Any = given.metadata.get("class_names")
    is_named = isinstance(classes, list) and len(classes) == n_classes
    for name in names:
        info = dataset_info(name)
        # As many classes of other names are other classes.
        is_same = not is_named or list(info.class_names) == classes
        if (info.n_features, info.n_classes) == (n_features, n_classes) and is_same:
            return name
    called = f" ({', '.join(map(str, classes[:10]))})"[:200] if is_named else ""
    raise Refused(
        f"its network takes {n_features:,} pixels and tells {n_classes:,} classes apart{called}, "
        + (f"unlike {told}" if told in names else "which fits no data set here")
    )


def _count(value: object, least: int, most: int) -> int | None:
    """Return a whole number that the file tells, if it is one."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
    return int(value) if is_count else None  # type: ignore[call-overload]
