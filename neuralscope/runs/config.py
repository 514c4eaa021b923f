"""The configuration of a run: one frozen object from which everything else is made.

The sidebar form, the URL, the command line and the stored run are all views of the same fields.
Adding a setting means adding a field here; its limits, label and explanation come with it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, cast

from neuralscope.data import DATASETS
from neuralscope.data.augmentation import AUGMENTATIONS
from neuralscope.engine import (
    ACTIVATIONS,
    AUTO,
    INITIALIZERS,
    OPTIMIZERS,
    SCHEDULES,
    count_parameters,
)
from neuralscope.errors import ConfigError
from neuralscope.runs.settings import (
    Choice,
    ChoicePerLayer,
    DatasetName,
    Number,
    Setting,
    Whole,
    Widths,
)


def _field(default: Any, setting: Setting) -> Any:
    return field(default=default, metadata={"setting": setting})


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides what a run will be.

    A value out of range raises ConfigError, which names the field and what is allowed.
    """

    dataset: str = _field(
        "mnist",
        DatasetName("Data set", "The pictures the network learns to read.", tuple(DATASETS)),
    )
    hidden: tuple[int, ...] = _field(
        (128,),
        Widths(
            "Hidden layers",
            "Layers between pixels and answer. Without any, the network can only draw straight "
            "lines between the pictures; more of them combine simple strokes into shapes.",
            most_layers=6,
            most_units=1024,
        ),
    )
    activation: str | tuple[str, ...] = _field(
        "relu",
        ChoicePerLayer(
            "Activation",
            "The bend after each layer. Without it, several layers would be no more than one.",
            tuple(ACTIVATIONS),
        ),
    )
    optimizer: str = _field(
        "sgd",
        Choice(
            "Optimizer",
            "How a gradient becomes a step. SGD goes straight downhill; momentum keeps rolling; "
            "Adam gives every weight a step size of its own.",
            tuple(OPTIMIZERS),
        ),
    )
    learning_rate: float = _field(
        0.2,
        Number(
            "Learning rate",
            "The size of each step. Too small and learning takes forever; too large and it jumps "
            "over the valley, or diverges. SGD likes about 0.2, Adam about 0.001.",
            minimum=1e-5,
            maximum=10.0,
        ),
    )
    momentum: float = _field(
        0.9,
        Number(
            "Momentum",
            "Share of the last step's speed that is kept.",
            minimum=0.0,
            maximum=0.999,
        ),
    )
    weight_decay: float = _field(
        0.01,
        Number(
            "Weight decay",
            "AdamW shrinks all weights by this times the learning rate in every step.",
            minimum=0.0,
            maximum=1.0,
        ),
    )
    batch_size: int = _field(
        32,
        Whole(
            "Batch size",
            "Pictures looked at before each step. Small batches give many noisy steps, "
            "large ones few smooth steps.",
            minimum=1,
            maximum=1024,
        ),
    )
    epochs: int = _field(
        300,
        Whole(
            "Epochs",
            "How many times every training picture is seen.",
            minimum=1,
            maximum=10_000,
        ),
    )
    patience: int = _field(
        0,
        Whole(
            "Patience (early stopping)",
            "Training ends early once validation accuracy has not risen for this many epochs. "
            "Where it is set, the weights of the best epoch are restored at the end. 0 is off.",
            minimum=0,
            maximum=1_000,
        ),
    )
    l2: float = _field(
        0.0,
        Number(
            "L2 penalty",
            "Pulls all weights toward zero, which keeps the network from overfitting. "
            "1e-4 is a usual value.",
            minimum=0.0,
            maximum=1.0,
        ),
    )
    l1: float = _field(
        0.0,
        Number(
            "L1 penalty",
            "Pulls every weight towards zero by the same amount, so that only those stay that are "
            "worth it: few strong weights instead of many weak ones. 1e-5 is a usual value.",
            minimum=0.0,
            maximum=1.0,
        ),
    )
    dropout: float = _field(
        0.0,
        Number(
            "Dropout",
            "Share of hidden units silenced at random in every step, so that none can rely on "
            "another.",
            minimum=0.0,
            maximum=0.9,
        ),
    )
    max_norm: float = _field(
        0.0,
        Number(
            "Max-norm",
            "Longest that the weights into one hidden unit may be, taken together as a vector; "
            "after each step longer ones are shortened to it. Goes well with dropout; 3 is a "
            "usual value. 0 is off.",
            minimum=0.0,
            maximum=100.0,
        ),
    )
    clip_norm: float = _field(
        0.0,
        Number(
            "Gradient clipping",
            "Longest that the gradient may be, over all weights; a longer one is shortened to it, "
            "so that one odd batch cannot throw the network off. 1 is a usual value. 0 is off.",
            minimum=0.0,
            maximum=1_000.0,
        ),
    )
    label_smoothing: float = _field(
        0.0,
        Number(
            "Label smoothing",
            "Share of each right answer that is handed out to all classes alike, so that the "
            "network is not pushed to be surer than it can be. 0.1 is a usual value.",
            minimum=0.0,
            maximum=0.9,
        ),
    )
    augmentation: str = _field(
        "none",
        Choice(
            "Augmentation",
            "Distorts every training picture anew each time it is seen, so that it cannot be "
            "memorized: shift moves it, affine also turns, scales and slants it, elastic "
            "turns and scales it and bends its strokes as a trembling hand would. It pays over "
            "many epochs.",
            tuple(AUGMENTATIONS),
        ),
    )
    schedule: str = _field(
        "constant",
        Choice(
            "Schedule",
            "How the learning rate changes: large steps to get there, small ones to settle.",
            tuple(SCHEDULES),
        ),
    )
    warmup_epochs: int = _field(
        0,
        Whole(
            "Warm-up epochs",
            "Epochs over which the learning rate first climbs from zero.",
            minimum=0,
            maximum=1_000,
        ),
    )
    decay_every: int = _field(
        10,
        Whole("Drop every", "Epochs between two drops of the rate.", minimum=1, maximum=10_000),
    )
    decay_factor: float = _field(
        0.5,
        Number(
            "Drop factor", "What each drop multiplies the rate with.", minimum=0.01, maximum=1.0
        ),
    )
    initializer: str = _field(
        AUTO,
        Choice(
            "Initializer",
            "How large the random weights are at first. 'auto' picks by activation: he for relu "
            "and leaky_relu, glorot for tanh and sigmoid.",
            (AUTO, *INITIALIZERS),
        ),
    )
    seed: int = _field(
        0,
        Whole(
            "Seed",
            "Start of all randomness. The same seed gives the same run, to the bit.",
            minimum=0,
            maximum=2**32 - 1,
        ),
    )

    def __post_init__(self) -> None:
        """Check each field by itself, then those that depend on each other."""
        for name, setting in SETTINGS.items():
            object.__setattr__(self, name, setting.check(name, getattr(self, name)))
        if not isinstance(self.activation, str):
            if len(self.activation) != len(self.hidden):
                raise ConfigError(
                    "activation",
                    self.activation,
                    f"one name, or {len(self.hidden)}: one for each hidden layer",
                )
            if len(set(self.activation)) == 1:  # one way to say one thing
                object.__setattr__(self, "activation", self.activation[0])
        if self.warmup_epochs >= self.epochs and self.warmup_epochs > 0:
            raise ConfigError(
                "warmup_epochs", self.warmup_epochs, f"less than the {self.epochs} epochs"
            )

    @property
    def activations(self) -> tuple[str, ...]:
        """The activation of each hidden layer."""
        if isinstance(self.activation, str):
            return (self.activation,) * len(self.hidden)
        return self.activation

    def sizes(self, n_features: int, n_classes: int) -> tuple[int, ...]:
        """Return the units of each layer, inputs first."""
        return (n_features, *self.hidden, n_classes)

    def n_parameters(self, n_features: int, n_classes: int) -> int:
        """Return how many numbers the network learns."""
        return count_parameters(self.sizes(n_features, n_classes))

    def uses(self, name: str) -> bool:
        """Return whether this setting changes anything, given the others."""
        if name in ("momentum", "weight_decay"):
            return name in OPTIMIZERS[self.optimizer].settings
        if name in ("decay_every", "decay_factor"):
            return self.schedule == "step"
        if name in ("activation", "dropout", "max_norm"):
            return bool(self.hidden)
        return True

    # To and from plain values and text -----------------------------------------------------------

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them."""
        values = {name: getattr(self, name) for name in SETTINGS}
        return {n: list(v) if isinstance(v, tuple) else v for n, v in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunConfig:
        """Read what `as_dict` wrote; fields that are missing take their default.

        Raises:
            ConfigError: A field is unknown or its value is not allowed.
        """
        for name in values:
            if name not in SETTINGS:
                raise ConfigError(name, values[name], f"left out: fields are {', '.join(SETTINGS)}")
        return cls(**values)

    def as_query(self) -> dict[str, str]:
        """Return the fields that differ from the default, as URL parameters."""
        default = RunConfig()
        return {
            name: setting.text(getattr(self, name))
            for name, setting in SETTINGS.items()
            if getattr(self, name) != getattr(default, name)
        }

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> tuple[RunConfig, list[ConfigError]]:
        """Read URL parameters; those that are not allowed take their default and are told.

        Parameters that are no field are left alone: a URL carries other things too.
        """
        values: dict[str, Any] = {}
        problems: list[ConfigError] = []
        for name, setting in SETTINGS.items():
            if name in query:
                try:
                    values[name] = setting.parse(name, query[name])
                except ConfigError as problem:
                    problems.append(problem)
        while True:
            try:
                return cls(**values), problems
            except ConfigError as problem:  # two fields that do not fit together
                problems.append(problem)
                if values.pop(problem.field, None) is None:
                    # The default of the one does not fit the other, which was given.
                    values.clear()


SETTINGS: dict[str, Setting] = {
    each.name: cast(Setting, each.metadata["setting"]) for each in fields(RunConfig)
}
"""What each field may be, in the order of the form."""


def _described(name: str, setting: Setting) -> str:
    """Return what `help(RunConfig)` says of a field."""
    default = getattr(RunConfig(), name)
    text = f"{name}: {setting.help} Must be {setting.allowed}. Default: {default!r}."
    return textwrap.fill(text, 96, initial_indent=" " * 8, subsequent_indent=" " * 12)


# Written by the settings, so that it is true; without docstrings (python -OO) it is left out.
if RunConfig.__doc__:
    RunConfig.__doc__ += "\n    Args:\n" + "\n".join(map(_described, SETTINGS, SETTINGS.values()))
