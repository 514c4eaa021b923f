"""A 2-2-2 network worked by hand: forward, loss, backward, and one step of gradient descent.

   x          z1      a1         logits      p
( 1  ) ──> ( 1.5 ) (1.5)  ──> ( ln 3 )  ( 3/4 )       the true class is the second,
( .5 )     (-1   ) (0  )      ( 0    )  ( 1/4 )       so the loss is -ln 1/4
"""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from neuralscope.engine import OPTIMIZERS, Examples, Network, Schedule, StepEnd, Training

X = [[1.0, 0.5]]
Y = [1]


@pytest.fixture
def network() -> Network:
    network = Network((2, 2, 2), rng=np.random.default_rng(0), dtype=np.float64)
    hidden, output = network.layers
    hidden.weight[...] = [[1, -1], [1, 1]]
    hidden.bias[...] = [0, -0.5]
    output.weight[...] = [[1, -1], [2, 3]]
    output.bias[...] = [log(3) - 1.5, 1.5]
    return network


def test_forward(network: Network) -> None:
    # z1 = x @ weight_1 + bias_1 = (1*1 + .5*1 + 0,  1*-1 + .5*1 - .5) = (1.5, -1)
    # a1 = relu(z1) = (1.5, 0)
    # logits = a1 @ weight_2 + bias_2 = (1.5*1 + ln 3 - 1.5,  1.5*-1 + 1.5) = (ln 3, 0)
    # p = softmax = (3, 1) / 4
    hidden, probabilities = network.activations(X)
    np.testing.assert_allclose(hidden, [[1.5, 0]], rtol=1e-15)
    np.testing.assert_allclose(network.logits(X), [[log(3), 0]], atol=1e-15)
    np.testing.assert_allclose(probabilities, [[3 / 4, 1 / 4]], rtol=1e-15)
    np.testing.assert_allclose(network.predict_proba(X), [[3 / 4, 1 / 4]], rtol=1e-15)
    assert network.predict(X).tolist() == [0]


def test_loss_and_backward(network: Network) -> None:
    loss, gradient = network.loss_and_gradient(X, Y)

    # loss = -ln p_true = -ln 1/4 = ln 4
    assert loss == pytest.approx(log(4), rel=1e-15)

    # delta_2 = p - onehot(y) = (3/4, 1/4 - 1) = (3/4, -3/4)
    # dL/dweight_2 = a1^T @ delta_2 = (1.5, 0)^T @ (3/4, -3/4)
    weight_2 = [[1.125, -1.125], [0, 0]]
    bias_2 = [0.75, -0.75]
    # dL/da1 = delta_2 @ weight_2^T = (3/4*1 + -3/4*-1,  3/4*2 + -3/4*3) = (1.5, -0.75)
    # delta_1 = dL/da1 * relu'(z1) = (1.5*1, -0.75*0) = (1.5, 0)
    # dL/dweight_1 = x^T @ delta_1 = (1, .5)^T @ (1.5, 0)
    weight_1 = [[1.5, 0], [0.75, 0]]
    bias_1 = [1.5, 0]

    expected = np.concatenate([np.ravel(part) for part in (weight_1, bias_1, weight_2, bias_2)])
    np.testing.assert_allclose(gradient, expected, rtol=1e-14, atol=1e-16)


def test_backward_with_l2(network: Network) -> None:
    plain_loss, plain = network.loss_and_gradient(X, Y)
    loss, gradient = network.loss_and_gradient(X, Y, l2=0.1)

    # Squares of the weights: 1 + 1 + 1 + 1 and 1 + 1 + 4 + 9; half a tenth of them is added.
    assert loss == pytest.approx(plain_loss + 0.05 * (4 + 15), rel=1e-15)
    # A tenth of each weight is added to its gradient, and nothing to a bias.
    pull = [0.1, -0.1, 0.1, 0.1, 0, 0, 0.1, -0.1, 0.2, 0.3, 0, 0]
    np.testing.assert_allclose(gradient - plain, pull, rtol=1e-12, atol=1e-15)


def test_one_step_of_gradient_descent(network: Network) -> None:
    # Pixels of (2, 1) out of 2 are the x above.
    example = Examples(np.array([[2, 1]], np.uint8), np.array(Y), 1 / 2)
    training = Training(
        network,
        OPTIMIZERS["sgd"](network.parameters),
        Schedule("constant", steps_per_epoch=1, epochs=1),
        example,
        example,
        learning_rate=0.2,
        batch_size=1,
        epochs=1,
        shuffle_rng=np.random.default_rng(0),
        dropout_rng=np.random.default_rng(0),
    )
    record = next(training.records())

    assert isinstance(record, StepEnd)
    assert (record.epoch, record.step, record.n_examples) == (1, 1, 1)
    assert (record.loss, record.learning_rate) == (pytest.approx(log(4), rel=1e-15), 0.2)
    # Each parameter minus 0.2 times its gradient above; the second unit slept and learns nothing.
    hidden, output = network.layers
    np.testing.assert_allclose(hidden.weight, [[0.7, -1], [0.85, 1]], rtol=1e-14)
    np.testing.assert_allclose(hidden.bias, [-0.3, -0.5], rtol=1e-14)
    np.testing.assert_allclose(output.weight, [[0.775, -0.775], [2, 3]], rtol=1e-14)
    np.testing.assert_allclose(output.bias, [log(3) - 1.65, 1.65], rtol=1e-14)
    # It helped: z1 = (.7 + .425 - .3) = .825, so logits are further to the second class.
    assert network.predict(X).tolist() == [1]
