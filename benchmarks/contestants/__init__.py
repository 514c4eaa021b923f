"""Who is compared: each module trains one epoch of a row, as quickly as its library fairly can.

`prepare(row, pictures)` sets up what is set up once and returns a function that trains one epoch
and returns the seconds it took.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from benchmarks.pictures import Pictures
from benchmarks.rows import Row

Epoch = Callable[[], float]


@dataclass(frozen=True)
class Contestant:
    """One column of the table.

    Attributes:
        title: Its head.
        module: Module of this package that holds `function`.
        function: Its `prepare`.
        package: What has to be installed for it.
        distribution: The same as pip knows it.
    """

    title: str
    module: str
    function: str
    package: str
    distribution: str

    @property
    def is_installed(self) -> bool:
        """Whether it can take part here."""
        return find_spec(self.package) is not None

    def prepare(self, row: Row, pictures: Pictures) -> Epoch:
        """Import the library and return a function that trains and times one epoch."""
        module = import_module(f"benchmarks.contestants.{self.module}")
        epoch: Epoch = getattr(module, self.function)(row, pictures)
        return epoch


MATRIX_PRODUCTS = "matrix_products"
OURS = "neuralscope"

CONTESTANTS = {
    MATRIX_PRODUCTS: Contestant("products alone", "matrix_products", "prepare", "numpy", "numpy"),
    OURS: Contestant("NeuralScope", "engine", "prepare", "numpy", "numpy"),
    "evaluated": Contestant("with evaluation", "engine", "prepare_evaluated", "numpy", "numpy"),
    "all_inputs": Contestant("of all inputs", "engine", "prepare_of_all_inputs", "numpy", "numpy"),
    "one_core": Contestant("on one core", "engine", "prepare_on_one_core", "numpy", "numpy"),
    "pytorch": Contestant("PyTorch", "pytorch", "prepare", "torch", "torch"),
    "jax": Contestant("JAX", "jax_scan", "prepare", "jax", "jax"),
    "sklearn": Contestant("scikit-learn", "mlp_classifier", "prepare", "sklearn", "scikit-learn"),
    "sklearn_defaults": Contestant(
        "its defaults", "mlp_classifier", "prepare_as_it_comes", "sklearn", "scikit-learn"
    ),
}
"""In the order of the table's columns, and of their turns."""
