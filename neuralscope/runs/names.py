"""What a run is called while nobody has named it: its settings, the most telling ones first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neuralscope.data import dataset_label
from neuralscope.runs.config import SETTINGS, RunConfig

LONGEST_DESCRIPTION = 120
"""Characters from which on a description counts the settings that are left instead of naming them;
one that begins with six wide layers or a long title may be a few longer."""

_LONGEST_TITLE = 40

_ALWAYS_NAMED = ("dataset", "hidden", "activation", "optimizer", "learning_rate")

# The seed first, since repeats of one experiment differ in nothing else; the epochs last.
_NAMED_IF_CHANGED = (
    "seed",
    *(name for name in SETTINGS if name not in (*_ALWAYS_NAMED, "seed", "epochs")),
    "epochs",
)

_WORDS = {
    "optimizer": "{}",
    "learning_rate": "rate {}",
    "batch_size": "batch {}",
    "l2": "L2 {}",
    "l1": "L1 {}",
    "max_norm": "max-norm {}",
    "clip_norm": "clipping {}",
    "augmentation": "augmentation {}",
    "warmup_epochs": "warm-up {}",
    "decay_every": "drop every {}",
    "decay_factor": "drop factor {}",
    "initializer": "initializer {}",
    "epochs": "{} epochs",
}
"""How a setting is told, where its name and its value alone would not do."""


def describe(config: RunConfig) -> str:
    """Return a short name for a run: what it trains, then each setting not at its default.

    >>> describe(RunConfig(hidden=(128, 64), optimizer="adam", learning_rate=0.001, seed=3))
    '128-64 relu, adam 0.001, mnist, seed 3'
    """
    default = RunConfig()
    changed = [
        _told(name, getattr(config, name))
        for name in _NAMED_IF_CHANGED
        if config.uses(name) and getattr(config, name) != getattr(default, name)
    ]
    return _joined(f"{_beginning(config)}, {_title(config.dataset)}", changed)


def describe_change(before: RunConfig, after: RunConfig) -> str:
    """Return what a fork has changed: 'rate 0.05, 40 epochs', or nothing.

    What the later configuration does not use is left out.
    """
    order = ("optimizer", "learning_rate", *_NAMED_IF_CHANGED)
    changed = [
        _told(name, getattr(after, name))
        for name in order
        if after.uses(name) and getattr(before, name) != getattr(after, name)
    ]
    return _joined("", changed).removeprefix(", ")


def is_description(name: str, config: RunConfig) -> bool:
    """Return whether a name was made from these settings, whatever was added to it.

    What follows layers, optimizer and learning rate is not looked at: earlier versions named fewer
    settings, and the title of a data set that is gone is not known any more.
    """
    return name.startswith(f"{_beginning(config)}, ")


def redescribe(name: str, before: RunConfig, after: RunConfig) -> str:
    """Return a name made from one configuration as it is made from another; others stay."""
    old = describe(before)
    return describe(after) + name.removeprefix(old) if name.startswith(old) else name


def _beginning(config: RunConfig) -> str:
    layers = "-".join(str(units) for units in config.hidden) or "no hidden layer"
    names = dict.fromkeys(config.activations)
    bend = f" {'/'.join(names)}" if names else ""
    return f"{layers}{bend}, {config.optimizer} {config.learning_rate:g}"


def _title(dataset: str) -> str:
    title = dataset_label(dataset)
    return title if len(title) <= _LONGEST_TITLE else f"{title[: _LONGEST_TITLE - 3]}..."


def _told(name: str, value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    words = _WORDS.get(name, f"{name.replace('_', ' ')} {{}}").format(text)
    return "1 epoch" if words == "1 epochs" else words


def _joined(beginning: str, parts: Sequence[str]) -> str:
    """Return all parts with commas between them, or as many as there is room for."""
    said = beginning
    for i, part in enumerate(parts):
        if len(said) + len(part) > LONGEST_DESCRIPTION:
            return f"{said}, {len(parts) - i} more"
        said += f", {part}"
    return said
