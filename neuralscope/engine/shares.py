"""Shares of a step: how one worker learns a batch, or two learn it together.

    worker 1                                    worker 2
    gradient of the first half of the batch     gradient of the second half
    ------------------------------ both are done ------------------------------
    sum of the two gradients and the optimizer's step along it, for
    the first half of the parameters            the second half
    ------------------------------ both are done ------------------------------

The loss is a mean over the batch, and so its gradient is the sum of those of the halves, if both
divide by the size of the whole. A parameter's step depends on no other parameter.

Two workers with a core each meet twice a step. The threads of a matrix library meet at every
product, and leave everything that is no product to one of them: see `benchmarks/README.md` for
what the difference is worth.

Who does a half does not change a bit of what comes out: what is random in it is drawn from seeds
that come along. A worker whose partner is busy or gone does one half after the other.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np

from neuralscope.engine.arrays import Array, Indices
from neuralscope.engine.batches import Augment, Batch, Examples
from neuralscope.engine.blanks import are_worth_leaving_out
from neuralscope.engine.network import Network
from neuralscope.engine.optimizers import Optimizer
from neuralscope.engine.workspace import Workspace

Seeds = tuple[int, int]
"""Of the dropout masks and of the distortions in a step; NO_SEED where there are none."""

NO_SEED = -1

LINE = 16
"""Parameters in a line of the cache: no two workers should write into the same one."""


class Share:
    """What one worker does of every step: some of the examples, some of the parameters.

    Attributes:
        network: Its parameters are everybody's; the gradient is this share's own.
        batch_size: The most examples there will be in this share of a batch.
        workspace: Buffers for its examples.
        part: (start, end) of the parameters it updates: all, until somebody says otherwise.
    """

    def __init__(
        self,
        network: Network,
        optimizer: Optimizer,
        train: Examples,
        batch_size: int,
        *,
        l2: float = 0.0,
        l1: float = 0.0,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
        augment: Augment | None = None,
    ) -> None:
        """Make all memory that it takes.

        Args:
            network: What learns.
            optimizer: Made for its parameters.
            train: What is learned.
            batch_size: The most examples in it.
            l2: Strength of the penalty on squared weights.
            l1: Strength of the penalty on absolute weights.
            dropout: Probability of silencing a hidden unit in a step.
            label_smoothing: Share of the target that goes to all classes alike.
            augment: Distorts the pixels.
        """
        self.network = network
        self.batch_size = batch_size
        self.workspace = Workspace(network.sizes, batch_size, network.dtype)
        self.part = 0, len(network.parameters)
        self._optimizer = optimizer
        self._train = train
        self._batch = Batch(
            network.sizes[0],
            batch_size,
            train.scale,
            network.dtype,
            train.pixels.dtype,
            leaves_out_blanks=are_worth_leaving_out(batch_size, *network.sizes[:2]),
        )
        self._l2, self._l1 = l2, l1
        self._dropout, self._label_smoothing = dropout, label_smoothing
        self._augment = augment

    def gradient(
        self,
        indices: Indices,
        whole: int | None,
        dropout_rng: np.random.Generator | None,
        augment_rng: np.random.Generator | None,
    ) -> float:
        """Write the gradient of some examples, and return their part of the batch's loss.

        Args:
            indices: (n,), which examples.
            whole: Examples in the whole batch, where these are not all.
            dropout_rng: Draws the dropout masks; needed with dropout.
            augment_rng: Draws the distortions; needed where there are any.
        """
        x, y = self._batch.gather(
            self._train.pixels, self._train.labels, indices, self._augment, augment_rng
        )
        weights = self._train.weights
        if weights is not None:
            weights = self._batch.gather_weights(weights, indices)
        return self.network.backpropagate(
            x,
            y,
            self.workspace.rows(len(indices)),
            l2=self._l2,
            l1=self._l1,
            dropout=self._dropout,
            rng=dropout_rng,
            label_smoothing=self._label_smoothing,
            example_weights=weights,
            whole=whole,
            inked=self._batch.inked,
        )

    def update(self, rate: float, step: int) -> None:
        """Take the optimizer's step for its part of the parameters.

        Args:
            rate: The learning rate.
            step: Number of the step, from 1.
        """
        self._optimizer.update(
            self.network.parameters, self.network.gradient, rate, step=step, part=self.part
        )


class Learner(Protocol):
    """Learns batch after batch."""

    def gradient(self, indices: Indices) -> float:
        """Find the gradient of a batch, and return its loss."""

    def complete_gradient(self) -> None:
        """Have the gradient of the whole batch in the network, for who wants to see or change it.

        The update does without, which is faster.
        """

    def update(self, rate: float, step: int) -> None:
        """Take the optimizer's step with this learning rate and number."""


class Whole:
    """A `Learner` with one share: all of every batch, and all parameters."""

    def __init__(
        self,
        share: Share,
        dropout_rng: np.random.Generator | None,
        augment_rng: np.random.Generator | None,
    ) -> None:
        """Learn with this share; the generators are drawn from directly."""
        self._share = share
        self._rngs = dropout_rng, augment_rng

    def gradient(self, indices: Indices) -> float:
        """Find the gradient of a batch, and return its loss."""
        return self._share.gradient(indices, None, *self._rngs)

    def complete_gradient(self) -> None:
        """Leave it as it is, which is complete."""

    def update(self, rate: float, step: int) -> None:
        """Take the optimizer's step with this learning rate and number."""
        self._share.update(rate, step)


class Half:
    """One of two shares, with what it needs from the other.

    Attributes:
        batch_size: The most examples in it.
    """

    def __init__(self, share: Share, other: Share, number: int) -> None:
        """Make the share number 0 or 1."""
        self.batch_size = share.batch_size
        self._share, self._number = share, number
        self._part = slice(*share.part)
        self._own, self._others = share.network.gradient, other.network.gradient

    def gradient(self, indices: Indices, whole: int, seeds: Seeds) -> float:
        """Write the gradient of these examples out of `whole`; return their part of the loss."""
        rngs = [
            None if seed == NO_SEED else np.random.default_rng([seed, self._number])
            for seed in seeds
        ]
        return self._share.gradient(indices, whole, *rngs)

    def update(self, rate: float, step: int, is_complete: bool) -> None:
        """Take the optimizer's step for this half of the parameters.

        Args:
            rate: The learning rate.
            step: Number of the step, from 1.
            is_complete: Whether the other half's gradient has been added already.
        """
        if not is_complete:
            own = self._own[self._part]
            np.add(own, self._others[self._part], out=own)
        self._share.update(rate, step)


class Partner(Protocol):
    """Whoever does the second half: is told to begin, and waited for."""

    def begin_gradient(self, indices: Indices, whole: int, seeds: Seeds) -> None:
        """Begin with `Half.gradient`."""

    def begin_update(self, rate: float, step: int, is_complete: bool) -> None:
        """Begin with `Half.update`."""

    def finish(self) -> float:
        """Return when it is done: the part of the loss, if it was the gradient."""


class Halves:
    """A `Learner` with two shares, each of half of every batch and half of the parameters.

    Attributes:
        second: The half that a partner may do.
        partner: Who does it; to begin with, whoever does the first, afterwards.
    """

    def __init__(
        self,
        first: Share,
        second: Share,
        dropout_rng: np.random.Generator | None,
        augment_rng: np.random.Generator | None,
    ) -> None:
        """Divide the work between two shares.

        Args:
            first: Its network is the one that others look at.
            second: Its network has the same parameters, and a gradient of its own.
            dropout_rng: Draws the seeds of the dropout masks; None where there are none.
            augment_rng: Draws the seeds of the distortions; None where there are none.
        """
        n = len(first.network.parameters)
        middle = n // 2 // LINE * LINE
        first.part, second.part = (0, middle), (middle, n)
        self._gradients = first.network.gradient, second.network.gradient
        self._first, self.second = Half(first, second, 0), Half(second, first, 1)
        self.partner: Partner = Afterwards(self.second)
        self._rngs = dropout_rng, augment_rng
        self._is_complete = False

    def gradient(self, indices: Indices) -> float:
        """Find the gradients of both halves of a batch, and return its loss."""
        whole = len(indices)
        middle = (whole + 1) // 2
        dropout_seed, augment_seed = (
            NO_SEED if rng is None else int(rng.integers(2**63)) for rng in self._rngs
        )
        seeds = dropout_seed, augment_seed
        self._is_complete = False
        self.partner.begin_gradient(indices[middle:], whole, seeds)
        loss = self._first.gradient(indices[:middle], whole, seeds)
        return loss + self.partner.finish()

    def complete_gradient(self) -> None:
        """Add the gradient of the second half to that of the first, which is the network's."""
        own, others = self._gradients
        np.add(own, others, out=own)
        self._is_complete = True

    def update(self, rate: float, step: int) -> None:
        """Take the optimizer's step with this learning rate and number."""
        if self._is_complete:  # and perhaps changed since
            own, others = self._gradients
            np.copyto(others, own)
        self.partner.begin_update(rate, step, self._is_complete)
        self._first.update(rate, step, self._is_complete)
        self.partner.finish()


class Afterwards:
    """The `Partner` of who is alone: does nothing until it is waited for."""

    def __init__(self, half: Half) -> None:
        """Do this half."""
        self._half = half
        self._work: Callable[[], float | None]

    def begin_gradient(self, indices: Indices, whole: int, seeds: Seeds) -> None:
        """Remember to find a gradient."""
        self._work = partial(self._half.gradient, indices, whole, seeds)

    def begin_update(self, rate: float, step: int, is_complete: bool) -> None:
        """Remember to update."""
        self._work = partial(self._half.update, rate, step, is_complete)

    def finish(self) -> float:
        """Do it."""
        return self._work() or 0.0


def with_own_gradient(network: Network, gradient: Array) -> Network:
    """Return a network with the parameters of this one, but another gradient.

    Args:
        network: Whose parameters it will show and change.
        gradient: (n_parameters,), where its own will be written.
    """
    twin = copy.copy(network)
    twin.lay_over(network.parameters, gradient)
    return twin
