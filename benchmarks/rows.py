"""What is trained in the comparison: a row of the table each."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

N_FEATURES = 784
N_CLASSES = 10


@dataclass(frozen=True)
class Row:
    """A network and how it is trained.

    Attributes:
        hidden: Units of each hidden layer; all are relu.
        batch_size: Examples a step.
        optimizer: 'sgd', 'momentum' (0.9) or 'adam' (0.9, 0.999).
        learning_rate: Constant.
        share: Of the pictures, how many are trained on; the time is that of all of them. Less than
            all only where an epoch takes half a minute.
    """

    hidden: tuple[int, ...]
    batch_size: int
    optimizer: str
    learning_rate: float
    share: float = 1.0

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of each layer, inputs first."""
        return (N_FEATURES, *self.hidden, N_CLASSES)

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Shape (in, out) of each weight matrix."""
        return list(pairwise(self.sizes))

    @property
    def momentum(self) -> float:
        """Share of the velocity that stochastic gradient descent keeps."""
        return 0.9 if self.optimizer == "momentum" else 0.0

    def __str__(self) -> str:
        sizes = "-".join(map(str, self.sizes))
        return f"{sizes}, batch {self.batch_size}, {self.optimizer}"


ROWS = (
    Row((128,), 64, "sgd", 0.1),
    Row((128,), 64, "adam", 0.001),
    Row((512, 512), 128, "momentum", 0.05),
    Row((800,), 128, "adam", 0.001),
    # The network with which many have learned this (Nielsen 2015), and one of the widest that
    # were published for MNIST (Cireşan et al. 2010).
    Row((30,), 10, "sgd", 0.3),
    Row((2500, 2000, 1500, 1000, 500), 128, "sgd", 0.05, share=0.1),
)
