"""Softmax and cross-entropy: how wrong is the network, and in which direction.

The last layer gives one number for each class, the logits. Softmax turns them into probabilities,
cross-entropy charges for the probability that the true class did not get:

    p_k  = exp(logit_k) / sum_j exp(logit_j)
    loss = mean over the batch of -log p_true

Taken together their gradient is as simple as can be (the two derivatives cancel):

    delta = dloss/dlogits = (p - onehot(y)) / batch

The mean is taken here and nowhere else. A share of a batch is divided by the size of the whole, so
that the losses and gradients of all shares add up. An example of weight w counts w times in both.
Softmax does not change when the same number is taken from all logits, so the largest is: exp cannot
overflow, and

    -log p_true = log(sum_j exp(logit_j - max)) - (logit_true - max)

never takes the logarithm of zero.

Label smoothing (Szegedy et al. 2016) asks for less than certainty: the share s of the target goes
to all classes alike, so that the logits of what is already right need not grow for ever.

    target = (1 - s) onehot(y) + s / classes
    loss   = mean of -sum_k target_k log p_k        delta = (p - target) / batch
"""

from __future__ import annotations

import numpy as np

from neuralscope.engine.arrays import Array, Indices, Labels


def softmax(logits: Array) -> Array:
    """Turn logits (n, classes) into probabilities in place, and return them.

    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    np.subtract(logits, np.maximum.reduce(logits, axis=1, keepdims=True), out=logits)
    np.exp(logits, out=logits)
    np.divide(logits, np.add.reduce(logits, axis=1, keepdims=True), out=logits)
    return logits


def cross_entropy(logits: Array, y: Labels) -> Array:
    """Return -log p_true of each example, shape (n,).

    Args:
        logits: (n, classes), left as they are.
        y: (n,), the true classes.

    >>> cross_entropy(np.zeros((1, 10)), np.array([3])).round(4)  # log 10: a blind guess
    array([2.3026])
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    true = np.take_along_axis(shifted, y[:, None], axis=1)[:, 0]
    result: Array = np.log(np.exp(shifted).sum(axis=1)) - true
    return result


class SoftmaxCrossEntropy:
    """Loss and its delta for batches of one size, without allocating.

    Attributes:
        delta: (batch, classes), dloss/dlogits after a call.
    """

    def __init__(self, logits: Array) -> None:
        """Make the work space.

        Args:
            logits: (batch, classes), the buffer in which each batch's logits will stand; it is
                overwritten with `delta`.
        """
        batch, n_classes = logits.shape
        self.delta = logits
        self._flat = logits.reshape(-1)
        self._row_starts: Indices = np.arange(0, batch * n_classes, n_classes, dtype=np.intp)
        self._true: Indices = np.empty(batch, np.intp)  # where each true class stands in _flat
        self._column = np.empty((batch, 1), logits.dtype)
        self._true_logit = np.empty(batch, logits.dtype)
        self._mean_logit = np.empty(batch, logits.dtype)
        self._n_classes = n_classes
        # Of one example in the mean. A half of a batch may be empty, and then there is none.
        self._share = logits.dtype.type(1 / max(batch, 1))

    def __call__(
        self,
        y: Labels,
        weights: Array | None = None,
        smoothing: float = 0.0,
        whole: int | None = None,
    ) -> float:
        """Return the mean loss and overwrite the logits with delta.

        Args:
            y: (batch,), the true classes.
            weights: (batch,), how often each example counts; their mean over all examples should
                be one, or the learning rate means something else. None for once.
            smoothing: Share of the target that goes to all classes alike, in [0, 1).
            whole: Examples in the whole batch, where these are a share of it.
        """
        share = self._share if whole is None else self.delta.dtype.type(1 / whole)
        p, column, true = self.delta, self._column, self._true
        np.maximum.reduce(p, axis=1, keepdims=True, out=column)
        np.subtract(p, column, out=p)
        np.add(self._row_starts, y, out=true)
        self._flat.take(true, out=self._true_logit, mode="clip")
        if smoothing:
            self._blend_in_mean(p, smoothing)
        np.exp(p, out=p)
        np.add.reduce(p, axis=1, keepdims=True, out=column)
        np.divide(p, column, out=p)

        self._flat[true] -= 1 - smoothing  # p - target, the part of onehot(y)
        if smoothing:
            np.subtract(p, smoothing / self._n_classes, out=p)
        np.multiply(p, share, out=p)
        if weights is not None:
            np.multiply(p, weights[:, None], out=p)

        np.log(column, out=column)
        losses = np.subtract(column[:, 0], self._true_logit, out=self._true_logit)
        if weights is not None:
            np.multiply(losses, weights, out=losses)
        return float(np.add.reduce(losses)) * float(share)

    def _blend_in_mean(self, shifted: Array, smoothing: float) -> None:
        """Turn logit_true into sum_k target_k logit_k, where the target is smoothed."""
        true, mean = self._true_logit, self._mean_logit
        np.add.reduce(shifted, axis=1, out=mean)
        np.multiply(mean, smoothing / self._n_classes, out=mean)
        np.multiply(true, 1 - smoothing, out=true)
        np.add(true, mean, out=true)
