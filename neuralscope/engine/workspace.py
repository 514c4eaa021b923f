"""Work space: every array that one forward and backward pass writes into, made once.

    layer        activation        dL/dz           for dropout only
    1            a (batch, 128)    delta           mask, dropped = a * mask
    ...
    output       logits, which the loss turns into delta

A training step then allocates nothing. The last batch of an epoch may be short: `rows(n)` gives
the same memory with fewer rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from neuralscope.engine.arrays import Array
from neuralscope.engine.blanks import Narrowing
from neuralscope.engine.loss import SoftmaxCrossEntropy


class Workspace:
    """Buffers of a network for batches of up to `batch` examples.

    Attributes:
        a: For each layer (batch, units), its activation; the last holds the logits.
        delta: For each hidden layer dL/dz; the last is the loss's delta, in the logits' memory.
        scratch: For each layer, what its activation function may scribble on.
        mask: For each hidden layer, the dropout mask: 0, or 1 / (share kept).
        dropped: For each hidden layer, a * mask.
        penalty: For each layer l2 * weight (in, out), whatever the batch; all in one memory.
        narrowing: For the first layer without blank inputs, whatever the batch.
        loss: The loss, bound to the last layer's buffer.
    """

    def __init__(self, sizes: Sequence[int], batch: int, dtype: npt.DTypeLike) -> None:
        """Make buffers for a network of these layer sizes (inputs first)."""

        def buffers(units: Sequence[int]) -> list[Array]:
            return [np.empty((batch, n), dtype) for n in units]

        self.a = buffers(sizes[1:])
        self.scratch = buffers(sizes[1:])
        self.delta = [*buffers(sizes[1:-1]), self.a[-1]]
        self.mask = buffers(sizes[1:-1])
        self.dropped = buffers(sizes[1:-1])
        self.loss = SoftmaxCrossEntropy(self.a[-1])
        shapes = list(pairwise(sizes))
        largest = np.empty(max(n_in * n_out for n_in, n_out in shapes), dtype)
        self.penalty = [largest[: n_in * n_out].reshape(n_in, n_out) for n_in, n_out in shapes]
        self.narrowing = Narrowing(sizes[0], sizes[1], dtype)
        self._views: dict[int, Workspace] = {batch: self}

    def rows(self, n: int) -> Workspace:
        """Return a view of the first `n` rows, made once for each n."""
        view = self._views.get(n)
        if view is None:
            view = self._views[n] = self._first_rows(n)
        return view

    def _first_rows(self, n: int) -> Workspace:
        view = Workspace.__new__(Workspace)
        view.a = [array[:n] for array in self.a]
        view.scratch = [array[:n] for array in self.scratch]
        view.delta = [array[:n] for array in self.delta]
        view.mask = [array[:n] for array in self.mask]
        view.dropped = [array[:n] for array in self.dropped]
        view.penalty = self.penalty
        view.narrowing = self.narrowing
        view.loss = SoftmaxCrossEntropy(view.a[-1])
        view._views = {n: view}
        return view
