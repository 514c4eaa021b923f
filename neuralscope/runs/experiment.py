"""From a configuration and a data set to a training: where all the parts are put together."""

from __future__ import annotations

import numpy as np

from neuralscope.data import Dataset
from neuralscope.data.augmentation import AUGMENTATIONS
from neuralscope.engine import (
    OPTIMIZERS,
    Examples,
    Network,
    Schedule,
    Training,
)
from neuralscope.engine.batches import count_batches
from neuralscope.errors import ConfigError
from neuralscope.runs.config import RunConfig


def examples(dataset: Dataset, split: str) -> Examples:
    """Return 'train', 'validation' or 'test' of a data set as the engine takes it."""
    pixels, labels = getattr(dataset, f"x_{split}"), getattr(dataset, f"y_{split}")
    return Examples(pixels, labels, 1 / dataset.pixel_max)


def new_network(config: RunConfig, n_features: int, n_classes: int) -> Network:
    """Return the untrained network of a configuration; the seed decides its weights."""
    return Network(
        config.sizes(n_features, n_classes),
        activation=config.activations,
        initializer=config.initializer,
        rng=np.random.default_rng([config.seed, 0]),
    )


def checked_network(config: RunConfig, dataset: Dataset, network: Network | None) -> Network:
    """Return the network to train: the one given, else a fresh one.

    Raises:
        ConfigError: The data set is another one, or the network has other layers.
    """
    if dataset.name != config.dataset:
        raise ConfigError("dataset", config.dataset, f"{dataset.name!r}, the data set given")
    if network is None:
        return new_network(config, dataset.n_features, dataset.n_classes)
    if network.sizes != (sizes := config.sizes(dataset.n_features, dataset.n_classes)):
        raise ConfigError("hidden", config.hidden, f"that of the network given: {sizes}")
    return network


def prepare(config: RunConfig, dataset: Dataset, network: Network | None = None) -> Training:
    """Return the training that a configuration describes, ready for its first step.

    Args:
        config: What to train, and how.
        dataset: What to train it on; must be the one the configuration names.
        network: Trained in place, if given; else a fresh one.

    Raises:
        ConfigError: The data set is another one, or the network has other layers.
    """
    network = checked_network(config, dataset, network)
    train = examples(dataset, "train")
    optimizer_class = OPTIMIZERS[config.optimizer]
    optimizer = optimizer_class(
        network.parameters, **{name: getattr(config, name) for name in optimizer_class.settings}
    )
    schedule = Schedule(
        config.schedule,
        steps_per_epoch=count_batches(len(train), config.batch_size),
        epochs=config.epochs,
        warmup_epochs=config.warmup_epochs,
        decay_every=config.decay_every,
        decay_factor=config.decay_factor,
    )
    return Training(
        network,
        optimizer,
        schedule,
        train,
        examples(dataset, "validation"),
        learning_rate=config.learning_rate,
        batch_size=config.batch_size,
        epochs=config.epochs,
        l2=config.l2,
        l1=config.l1,
        dropout=config.dropout if config.hidden else 0.0,
        label_smoothing=config.label_smoothing,
        clip_norm=config.clip_norm,
        max_norm=config.max_norm,
        patience=config.patience,
        augment=AUGMENTATIONS[config.augmentation](dataset.image_shape),
        # One generator for each kind of randomness: more draws of one leave the others as they are.
        shuffle_rng=np.random.default_rng([config.seed, 1]),
        dropout_rng=np.random.default_rng([config.seed, 2]),
        augment_rng=np.random.default_rng([config.seed, 3]),
    )
