"""A dense layer's backward pass, whichever way it multiplies."""

from __future__ import annotations

import numpy as np
import pytest

from neuralscope.engine import Network
from neuralscope.engine.layers import FEW_EXAMPLES, WIDE
from neuralscope.engine.workspace import Workspace


@pytest.mark.parametrize("n_out", [WIDE - 1, WIDE])
@pytest.mark.parametrize("n_in", [WIDE - 1, WIDE, WIDE + 3])
@pytest.mark.parametrize("batch", [1, FEW_EXAMPLES, FEW_EXAMPLES + 1])
def test_dx_is_delta_times_the_transposed_weight(batch: int, n_in: int, n_out: int) -> None:
    rng = np.random.default_rng(0)
    layer = Network((n_in, n_out), rng=rng, dtype=np.float64).layers[0]
    x, delta = rng.standard_normal((batch, n_in)), rng.standard_normal((batch, n_out))
    # As from a workspace: the first rows of something larger.
    dx, scratch = (np.full((batch + 2, n_in), np.nan)[:batch] for _ in range(2))
    layer.backward(x, delta, dx=dx, scratch=scratch)
    np.testing.assert_allclose(dx, delta @ layer.weight.T, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(layer.weight_grad, x.T @ delta, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(layer.bias_grad, delta.sum(axis=0), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_wide_network_agrees_with_central_differences(activation: str, dropout: float) -> None:
    rng = np.random.default_rng(1)
    network = Network((6, WIDE, WIDE, 4), activation=activation, rng=rng, dtype=np.float64)
    x, y = rng.random((7, 6)), rng.integers(0, 4, 7)
    workspace = Workspace(network.sizes, len(x), network.dtype)

    def loss() -> float:
        return network.backpropagate(x, y, workspace, dropout=dropout, rng=np.random.default_rng(5))

    loss()
    gradient = network.gradient.copy()
    parameters = network.parameters.copy()
    # Along directions, since one by one the parameters are seventy thousand; short, off the kinks.
    for _ in range(5):
        direction = rng.standard_normal(len(parameters))
        step = 1e-8
        losses = []
        for sign in (1, -1):
            network.parameters[...] = parameters + sign * step * direction
            losses.append(loss())
        assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(
            gradient @ direction, rel=1e-6, abs=1e-6
        )
