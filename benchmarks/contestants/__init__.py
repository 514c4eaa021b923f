"""Who is compared: each module trains one epoch of a row, as quickly as its library fairly can.

`prepare(row, pictures)` sets up what is set up once and returns a function that trains one epoch
and returns the seconds it took.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec

from benchmarks import OUR_KERNELS
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
        has_our_kernels: Whether NumPy's products are computed as in the programs of NeuralScope
            (see `neuralscope.kernels`), and not as NumPy comes.
    """

    title: str
    module: str
    function: str
    package: str
    distribution: str
    has_our_kernels: bool = True

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
SKLEARN = "sklearn"

CONTESTANTS = {
    MATRIX_PRODUCTS: Contestant("products alone", "matrix_products", "prepare", "numpy", "numpy"),
    OURS: Contestant("NeuralScope", "engine", "prepare", "numpy", "numpy"),
    "evaluated": Contestant("with evaluation", "engine", "prepare_evaluated", "numpy", "numpy"),
    "all_inputs": Contestant("of all inputs", "engine", "prepare_of_all_inputs", "numpy", "numpy"),
    "one_core": Contestant("on one core", "engine", "prepare_on_one_core", "numpy", "numpy"),
    "pytorch": Contestant("PyTorch", "pytorch", "prepare", "torch", "torch", False),
    "jax": Contestant("JAX", "jax_scan", "prepare", "jax", "jax", False),
    SKLEARN: Contestant(
        "scikit-learn", "mlp_classifier", "prepare", "sklearn", "scikit-learn", False
    ),
}
"""In the order of the table's columns, and of their turns."""

if OUR_KERNELS:
    # What they bring, to us and to whom they are not given.
    CONTESTANTS["as_it_comes"] = replace(
        CONTESTANTS[OURS], title="with NumPy's choice of kernels", has_our_kernels=False
    )
    CONTESTANTS["sklearn_with_ours"] = replace(
        CONTESTANTS[SKLEARN], title="scikit-learn with our kernels", has_our_kernels=True
    )
