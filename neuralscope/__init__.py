"""NeuralScope: a neural network in plain NumPy, and a dashboard to watch it learn.

    from neuralscope import Network, RunConfig, load_dataset, train

    dataset = load_dataset("mnist")
    training = train(RunConfig(hidden=(128,), epochs=5), dataset)
    for record in training:  # a StepEnd for each batch, an EpochEnd for each epoch
        ...
    training.network.save("trained_weights.npz")

Names are looked up when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuralscope.data import Dataset, load_dataset
    from neuralscope.engine import Diverged, EpochEnd, Network, Restored, StepEnd
    from neuralscope.errors import NeuralScopeError
    from neuralscope.runs import RunConfig, train
    from neuralscope.version import __version__


_HOMES = {
    "Dataset": "neuralscope.data",
    "load_dataset": "neuralscope.data",
    "Diverged": "neuralscope.engine",
    "EpochEnd": "neuralscope.engine",
    "Network": "neuralscope.engine",
    "Restored": "neuralscope.engine",
    "StepEnd": "neuralscope.engine",
    "NeuralScopeError": "neuralscope.errors",
    "RunConfig": "neuralscope.runs",
    "train": "neuralscope.runs",
    "__version__": "neuralscope.version",
}

__all__ = [
    "Dataset",
    "Diverged",
    "EpochEnd",
    "Network",
    "NeuralScopeError",
    "Restored",
    "RunConfig",
    "StepEnd",
    "__version__",
    "load_dataset",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
