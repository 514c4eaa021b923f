"""The network: dense layers in a row, with all parameters in one flat vector.

    x ──> layer 1 ──> layer 2 ──> ... ──> logits ──> softmax ──> probabilities

    parameters = [ weight_1 | bias_1 | weight_2 | bias_2 | ... ]      one vector
    gradient   = [    the same layout, dL/dparameters          ]      another

Because of this an optimizer is its formula on two vectors, a snapshot is one copy, and a gradient
check walks along one axis. `layers[i].weight` and `.bias` are views into it: write to one, and the
other shows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from neuralscope.engine import weights
from neuralscope.engine.activations import ACTIVATIONS, LINEAR
from neuralscope.engine.arrays import Array, Indices, Labels
from neuralscope.engine.initializers import AUTO, INITIALIZERS
from neuralscope.engine.layers import Dense
from neuralscope.engine.loss import softmax
from neuralscope.engine.regularization import add_penalty_gradient, penalty
from neuralscope.engine.workspace import Workspace

CHUNK = 1_000
"""Examples in one go when a whole data set is run through: fits the cache."""

MOST_OUTPUTS = 1 << 23
"""Numbers that the layers give for these examples: bounds the memory. Only networks wider than any
that a run can have take fewer examples in one go."""


class Network:
    """A feed-forward network for classification.

    Attributes:
        sizes: Units of each layer, inputs first: (784, 128, 10).
        activation: Name of each hidden layer's activation.
        layers: The dense layers.
        parameters: (n_parameters,), all weights and biases; writable, the layers show it.
        gradient: (n_parameters,), dL/dparameters of the last backward pass.
        dtype: Of all of them: float32 to train, float64 to check.
        metadata: What a weights file said about itself, else empty.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        activation: str | Sequence[str] = "relu",
        initializer: str = AUTO,
        rng: np.random.Generator,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        """Make a network with fresh random weights.

        Args:
            sizes: Units of each layer, inputs first and classes last; at least these two.
            activation: One name for all hidden layers, or one each (see `ACTIVATIONS`).
            initializer: Key of `INITIALIZERS`, or 'auto' for the one of each layer's activation.
            rng: Draws the weights; the only randomness here.
            dtype: float32 or float64.

        Raises:
            ValueError: A size below one, an unknown name, or a wrong number of activations.
        """
        sizes = tuple(int(n) for n in sizes)
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"sizes must be two or more positive numbers, not {sizes}")
        n_hidden = len(sizes) - 2
        names = (activation,) * n_hidden if isinstance(activation, str) else tuple(activation)
        if len(names) != n_hidden:
            raise ValueError(f"{n_hidden} hidden layers need as many activations, not {len(names)}")
        unknown = [name for name in names if name not in ACTIVATIONS]
        if unknown:
            raise ValueError(f"unknown activation {unknown[0]!r}, not one of {list(ACTIVATIONS)}")
        if initializer != AUTO and initializer not in INITIALIZERS:
            raise ValueError(
                f"unknown initializer {initializer!r}, not one of {[AUTO, *INITIALIZERS]}"
            )

        self.sizes = sizes
        self.activation = names
        self.dtype = np.dtype(dtype)
        self.metadata: dict[str, Any] = {}
        n_parameters = count_parameters(sizes)
        self.lay_over(np.zeros(n_parameters, self.dtype), np.zeros(n_parameters, self.dtype))
        for layer in self.layers:
            name = layer.activation.initializer if initializer == AUTO else initializer
            INITIALIZERS[name](layer.weight, rng)

    def lay_over(self, parameters: Array, gradient: Array) -> None:
        """Make these two vectors the network's own, with the numbers that are in them.

        Args:
            parameters: (n_parameters,), of the network's dtype.
            gradient: The same.
        """
        self.parameters, self.gradient = parameters, gradient
        self.layers = []
        start = 0
        functions = [*(ACTIVATIONS[name] for name in self.activation), LINEAR]
        for (n_in, n_out), function in zip(pairwise(self.sizes), functions, strict=True):
            end = start + Dense.n_parameters(n_in, n_out)
            self.layers.append(
                Dense(n_in, n_out, function, parameters[start:end], gradient[start:end])
            )
            start = end

    # Using it ------------------------------------------------------------------------------------

    def logits(self, x: npt.ArrayLike) -> Array:
        """Return the output before softmax, (n, classes), for x (n, features) in [0, 1]."""
        return self.outputs(x)[-1]

    def predict_proba(self, x: npt.ArrayLike) -> Array:
        """Return the probability of each class, (n, classes); each row sums to one."""
        return softmax(self.logits(x))

    def predict(self, x: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return the most probable class of each example, (n,)."""
        classes: npt.NDArray[np.int64] = self.logits(x).argmax(axis=1).astype(np.int64)
        return classes

    def activations(self, x: npt.ArrayLike) -> list[Array]:
        """Return each layer's output, one array (n, units) a layer; the last the probabilities."""
        outputs = self.outputs(x)
        softmax(outputs[-1])
        return outputs

    def outputs(self, x: npt.ArrayLike) -> list[Array]:
        """Return each layer's output, one array (n, units) a layer; the last the logits.

        Any number of examples are run through in chunks that fit the cache.
        """
        examples = self._checked(x)
        outputs = [np.empty((len(examples), n), self.dtype) for n in self.sizes[1:]]
        scratch = [np.empty((min(CHUNK, len(examples)), n), self.dtype) for n in self.sizes[1:]]
        for start in range(0, len(examples), CHUNK):
            a = examples[start : start + CHUNK]
            for layer, output, work in zip(self.layers, outputs, scratch, strict=True):
                out = output[start : start + len(a)]
                a = layer.forward(a, out=out, scratch=work[: len(a)])
        return outputs

    def _checked(self, x: npt.ArrayLike) -> Array:
        given = np.asarray(x)
        if given.ndim != 2 or given.shape[1] != self.sizes[0]:
            raise ValueError(f"x must have shape (n, {self.sizes[0]}), not {given.shape}")
        if np.issubdtype(given.dtype, np.integer) and given.size and given.max() > 1:
            raise ValueError("x holds raw pixels; scale them to [0, 1] first")
        examples: Array = np.ascontiguousarray(given, dtype=self.dtype)
        return examples

    # Learning ------------------------------------------------------------------------------------

    def loss_and_gradient(
        self,
        x: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        l2: float = 0.0,
        l1: float = 0.0,
        label_smoothing: float = 0.0,
        example_weights: npt.ArrayLike | None = None,
    ) -> tuple[float, Array]:
        """Return the mean cross-entropy and its gradient, as a copy of `gradient`.

        With `l2` or `l1` both are of the cross-entropy and the `penalty` together.

        Args:
            x: (n, features), scaled to [0, 1].
            y: (n,), the true classes as integers.
            l2: Strength of the penalty on squared weights.
            l1: Strength of the penalty on absolute weights.
            label_smoothing: Share of the target that goes to all classes alike.
            example_weights: (n,), how often each example counts; None for once.
        """
        examples = self._checked(x)
        labels = np.asarray(y)
        if labels.shape != (len(examples),) or not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(f"y must be {len(examples)} integers, one for each row of x")
        if len(labels) == 0 or labels.min() < 0 or labels.max() >= self.sizes[-1]:
            raise ValueError(f"y must be classes from 0 to {self.sizes[-1] - 1}, at least one")
        workspace = Workspace(self.sizes, len(examples), self.dtype)
        loss = self.backpropagate(
            examples,
            labels.astype(np.int64),
            workspace,
            l2=l2,
            l1=l1,
            label_smoothing=label_smoothing,
            example_weights=(
                None if example_weights is None else np.asarray(example_weights, self.dtype)
            ),
        )
        return loss + penalty(self.layers, l1=l1, l2=l2), self.gradient.copy()

    def backpropagate(
        self,
        x: Array,
        y: Labels,
        workspace: Workspace,
        *,
        l2: float = 0.0,
        l1: float = 0.0,
        dropout: float = 0.0,
        rng: np.random.Generator | None = None,
        label_smoothing: float = 0.0,
        example_weights: Array | None = None,
        whole: int | None = None,
        inked: Indices | None = None,
    ) -> float:
        """Run one batch forward and backward; write `gradient` and return the mean cross-entropy.

        Forward, every layer reads what the one before it wrote. Backward, the loss starts with
        delta = dL/dlogits, and each layer hands dL/da to the one before it, which turns it into
        its own delta = dL/dz with the slope of its activation:

            delta_l = (delta_{l+1} @ weight_{l+1}^T) * f'(z_l)

        Dropout (Srivastava et al. 2014, inverted) silences each hidden unit with this probability
        and scales the others up by 1 / (1 - dropout), so that nothing changes when it is off.

        Args:
            x: (batch, features), of the network's dtype; with `inked` (batch, k).
            y: (batch,), the true classes.
            workspace: Buffers for this many examples.
            l2: Adds l2 * weight to each weight's gradient.
            l1: Adds l1 * sign(weight) to each weight's gradient.
            dropout: Probability in [0, 1) of silencing a hidden unit.
            rng: Draws the dropout masks; needed where dropout is not zero.
            label_smoothing: Share of the target that goes to all classes alike (see `loss`).
            example_weights: (batch,), how often each example counts; None for once.
            whole: Examples in the whole batch, where these are a share of it.
            inked: (k,), the features that `x` has, where all others are blank in the whole batch;
                None where it has all of them.
        """
        w = workspace
        layers = list(self.layers)
        if inked is not None:
            layers[0] = w.narrowing.narrow(layers[0], inked)

        inputs = [x]
        for i, layer in enumerate(layers):
            a = layer.forward(inputs[i], out=w.a[i], scratch=w.scratch[i])
            if dropout and i < len(layers) - 1:
                assert rng is not None
                _draw_mask(w.mask[i], dropout, rng)
                a = np.multiply(a, w.mask[i], out=w.dropped[i])
            inputs.append(a)

        loss = w.loss(y, example_weights, label_smoothing, whole)

        for i in reversed(range(len(layers))):
            before = w.delta[i - 1] if i else None  # dL/da of the layer before; none before layer 1
            scratch = w.scratch[i - 1] if i else None
            layers[i].backward(inputs[i], w.delta[i], dx=before, scratch=scratch)
            if before is not None:
                if dropout:
                    np.multiply(before, w.mask[i - 1], out=before)
                layers[i - 1].activation.backpropagate(w.a[i - 1], before, w.scratch[i - 1])

        if inked is not None:
            w.narrowing.spread_gradient(self.layers[0], inked)
        if l1 or l2:
            add_penalty_gradient(self.layers, w.penalty, l1=l1, l2=l2)
        return loss

    # Keeping it ----------------------------------------------------------------------------------

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy by what it is made of: copied views would no longer be views of one vector."""
        return _with_parameters, (self.sizes, self.activation, self.parameters, self.metadata)

    def save(self, path: weights.FilePath, metadata: Mapping[str, Any] | None = None) -> None:
        """Write the weights to an .npz file (`weight_0, bias_0, weight_1, ...`, `metadata`).

        Args:
            path: The file; it is replaced in one piece or not at all.
            metadata: Anything JSON holds that should travel along (data set, class names...).

        Raises:
            WeightsError: The file cannot be written.
        """
        weights.write(path, *self.packed(metadata))

    def packed(
        self, metadata: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return the arrays and the metadata that `save` writes."""
        arrays = {}
        for i, layer in enumerate(self.layers):
            arrays[f"weight_{i}"], arrays[f"bias_{i}"] = layer.weight, layer.bias
        return arrays, {**self.metadata, **(metadata or {}), "activation": list(self.activation)}

    @classmethod
    def load(cls, path: weights.FilePath) -> Network:
        """Read a weights file.

        Raises:
            WeightsError: There is no such file, or it holds no network that can be used.
        """
        arrays, metadata = weights.read(path)
        activation = weights.checked_activation(path, arrays, metadata, ACTIVATIONS)
        sizes = [arrays[0].shape[0], *(weight.shape[1] for weight in arrays[::2])]
        network = _blank(sizes, activation, arrays[0].dtype, metadata)
        for layer, weight, bias in zip(network.layers, arrays[::2], arrays[1::2], strict=True):
            layer.weight[...], layer.bias[...] = weight, bias
        return network


def count_at_once(sizes: Sequence[int]) -> int:
    """Return how many examples a network of these layer sizes takes in one go.

    >>> count_at_once((784, 128, 10)), count_at_once((784, 100_000, 10))
    (1000, 83)
    """
    return min(CHUNK, max(1, MOST_OUTPUTS // sum(sizes[1:])))


def count_parameters(sizes: Sequence[int]) -> int:
    """Return how many numbers a network of these layer sizes learns.

    >>> count_parameters((784, 128, 10))
    101770
    """
    return sum(Dense.n_parameters(n_in, n_out) for n_in, n_out in pairwise(sizes))


def _with_parameters(
    sizes: Sequence[int], activation: Sequence[str], parameters: Array, metadata: dict[str, Any]
) -> Network:
    network = _blank(sizes, activation, parameters.dtype, metadata)
    network.parameters[...] = parameters
    return network


def _blank(
    sizes: Sequence[int],
    activation: Sequence[str],
    dtype: npt.DTypeLike,
    metadata: Mapping[str, Any],
) -> Network:
    network = Network(
        sizes,
        activation=activation,
        initializer="zeros",
        rng=np.random.default_rng(0),
        dtype=dtype,
    )
    network.metadata = dict(metadata)
    return network


def _draw_mask(mask: Array, dropout: float, rng: np.random.Generator) -> None:
    """Fill mask with 1 / (1 - dropout) where a unit is kept, 0 where it is silenced."""
    rng.random(dtype=mask.dtype.type, out=mask)
    np.greater_equal(mask, dropout, out=mask, casting="unsafe")
    np.multiply(mask, 1 / (1 - dropout), out=mask)
