"""Training: the loop that makes a network learn, as a generator of plain records.

    for each epoch:
        shuffle the training examples
        for each batch:
            gradient    <- backpropagation of the batch
            parameters  <- optimizer's step along it               yields StepEnd
        measure loss and accuracy, training and validation         yields Evaluating, EpochEnd
        with patience: end where it has run out
    with patience: bring back the best epoch's weights             yields Restored

It prints nothing, stores nothing, and knows no clock. Whoever asks for the records does that;
pausing is not asking for the next one. A loss that is no longer a finite number ends it with a
record of its own, Diverged.

Everything needed to go on is in `state()`: the same bits come out whether training ran through or
was stopped between any two records and restored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from neuralscope.engine.arrays import Array, Indices
from neuralscope.engine.batches import Augment, Examples, count_batches, shuffled
from neuralscope.engine.early_stopping import EarlyStopping
from neuralscope.engine.health import Checkup, LayerHealth
from neuralscope.engine.loss import cross_entropy, softmax
from neuralscope.engine.network import Network, count_at_once
from neuralscope.engine.optimizers import Optimizer
from neuralscope.engine.regularization import clip_to_norm, limit_incoming_norms
from neuralscope.engine.schedules import Schedule
from neuralscope.engine.shares import Halves, Learner, Share, Whole, with_own_gradient


class StepEnd(NamedTuple):
    """One batch has been learned.

    Attributes:
        epoch: The running epoch, from 1.
        step: Steps taken since the start of training, from 1.
        loss: Mean cross-entropy of the batch before the step, without penalties on weights;
            with label smoothing, against the smoothed targets.
        learning_rate: The rate this step was taken with.
        n_examples: Examples in the batch.
    """

    epoch: int
    step: int
    loss: float
    learning_rate: float
    n_examples: int


class Evaluating(NamedTuple):
    """A part of the measuring at the end of an epoch is done; time to look at the mail.

    Attributes:
        epoch: The epoch being measured.
        step: Steps taken since the start of training.
    """

    epoch: int
    step: int


class EpochEnd(NamedTuple):
    """An epoch is complete and measured, with dropout off and the weights as they are now.

    Attributes:
        epoch: The epoch, from 1; 0 is the network before training.
        step: Steps taken since the start of training.
        train_loss: Mean cross-entropy on a fixed sample of the training examples, as many as there
            are validation examples.
        train_accuracy: Share of that sample answered right, 0 to 1.
        validation_loss: Mean cross-entropy on the validation examples.
        validation_accuracy: Share of them answered right, 0 to 1.
        learning_rate: The rate of the last step.
        health: How each layer is doing; empty before training.
    """

    epoch: int
    step: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    health: tuple[LayerHealth, ...] = ()


class Restored(NamedTuple):
    """Training is over, and the weights of the best epoch are back in the network. The last record.

    Only with patience, and only where the last epoch was not the best anyway.

    Attributes:
        epoch: The last epoch that was trained.
        step: The last step.
        best_epoch: The epoch whose weights these are.
        best_accuracy: Its validation accuracy.
        is_early: Whether patience ran out; else all epochs were trained.
    """

    epoch: int
    step: int
    best_epoch: int
    best_accuracy: float
    is_early: bool


class Diverged(NamedTuple):
    """Training has failed: a loss or a parameter is not a finite number any more. The last record.

    Attributes:
        epoch: The epoch in which it happened.
        step: The step in which it happened.
        what: What is not finite, in words.
    """

    epoch: int
    step: int
    what: str


Record = StepEnd | Evaluating | EpochEnd | Restored | Diverged


class Score(NamedTuple):
    """How well a network does on a set of examples: mean cross-entropy, and share right."""

    loss: float
    accuracy: float


def score_in_parts(
    network: Network, examples: Examples, probabilities: Array, checkup: Checkup | None = None
) -> Iterator[Score | None]:
    """Measure a network a part of the examples at a time.

    Args:
        network: The network.
        examples: What it is measured on.
        probabilities: (n, classes), filled with the network's answers.
        checkup: Is shown what the layers make of each part.

    Yields:
        None after each part, and the score at the end.
    """
    loss, n_right = 0.0, 0
    n_at_once = count_at_once(network.sizes)
    for start in range(0, len(examples), n_at_once):
        part = slice(start, start + n_at_once)
        labels = examples.labels[part]
        x = np.multiply(examples.pixels[part], examples.scale, dtype=network.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            outputs = network.outputs(x)
            if checkup is not None:
                checkup.see(outputs)
            logits = outputs[-1]
            loss += float(cross_entropy(logits, labels).sum(dtype=np.float64))
            n_right += int(np.count_nonzero(logits.argmax(axis=1) == labels))
            probabilities[part] = softmax(logits)
        yield None
    yield Score(loss / len(examples), n_right / len(examples))


def score(network: Network, examples: Examples) -> tuple[Score, Array]:
    """Return a network's score on the examples and its probabilities (n, classes)."""
    probabilities = np.empty((len(examples), network.sizes[-1]), network.dtype)
    *_, result = score_in_parts(network, examples, probabilities)
    assert result is not None
    return result, probabilities


class Training:
    """A network in training: everything that changes from one step to the next.

    Attributes:
        network: The network, trained in place.
        optimizer: Turns gradients into steps.
        learning_rate: What the schedule multiplies; may be set between any two records.
        epoch: Complete epochs.
        step: Steps taken.
        validation_probabilities: (n, classes), the network's answers at the last measuring.
        restored: Set once training has ended and brought back the weights of its best epoch.
        diverged: Set once training has failed.
    """

    def __init__(
        self,
        network: Network,
        optimizer: Optimizer,
        schedule: Schedule,
        train: Examples,
        validation: Examples,
        *,
        learning_rate: float,
        batch_size: int,
        epochs: int,
        l2: float = 0.0,
        l1: float = 0.0,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
        clip_norm: float = 0.0,
        max_norm: float = 0.0,
        patience: int = 0,
        augment: Augment | None = None,
        shuffle: bool = True,
        shuffle_rng: np.random.Generator,
        dropout_rng: np.random.Generator,
        augment_rng: np.random.Generator | None = None,
    ) -> None:
        """Bring the parts together; nothing is computed yet.

        Args:
            network: A fresh network, or one to go on with.
            optimizer: Made for its parameters.
            schedule: Factor of the learning rate by step.
            train: What is learned.
            validation: What is only measured, never learned.
            learning_rate: Size of the steps, multiplied by the schedule.
            batch_size: Examples a step.
            epochs: Times every training example is visited.
            l2: Strength of the penalty on squared weights.
            l1: Strength of the penalty on absolute weights.
            dropout: Probability of silencing a hidden unit in a step.
            label_smoothing: Share of the target that goes to all classes alike.
            clip_norm: Norm to which longer gradients are shortened; 0 for any length.
            max_norm: Norm to which the weights into a hidden unit are shortened; 0 for any.
            patience: Epochs without a higher validation accuracy after which training ends; with
                it the weights of the best epoch are brought back at the end. 0 for neither.
            augment: Distorts the pixels of each batch; they are measured as they are.
            shuffle: Whether every epoch takes the examples in a new order, not as they stand.
            shuffle_rng: Draws that order.
            dropout_rng: Draws the dropout masks.
            augment_rng: Draws the distortions; needed with `augment`.
        """
        self.network = network
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.epoch = 0
        self.step = 0
        self.restored: Restored | None = None
        self.diverged: Diverged | None = None
        self.validation_probabilities: Array = np.zeros(
            (len(validation), network.sizes[-1]), network.dtype
        )
        self._schedule = schedule
        self._train = train
        self._validation = validation
        self._train_sample = train.first(len(validation))
        self._batch_size = min(batch_size, len(train))
        self._epochs = epochs
        self._clip_norm = clip_norm
        self._max_norm = max_norm
        self._stopping = EarlyStopping(patience, network.parameters) if patience else None
        self._last_parameters: Array | None = None  # what the restored weights have replaced
        self._shuffle = shuffle
        self._shuffle_rng = shuffle_rng
        self._dropout_rng = dropout_rng
        self._augment_rng = augment_rng if augment else None
        self._has_dropout = dropout > 0
        self._new_share = partial(
            Share, train=train, dropout=dropout, label_smoothing=label_smoothing, augment=augment
        )
        self._share = self._new_share(network, optimizer, batch_size=self._batch_size, l2=l2, l1=l1)
        self._learner: Learner = Whole(self._share, dropout_rng, self._augment_rng)
        # Where the running epoch stands: its order can be drawn again from the generator as it was.
        self._batches_done = 0
        self._epoch_rng = shuffle_rng.bit_generator.state

        self._checkup = Checkup(network)

    def halve(self, allocate: Callable[[Array], Array] = np.empty_like) -> Halves:
        """Learn each batch in two halves from here on, which two workers may share (see `shares`).

        The numbers that come out are the same to the last few bits only: sums are taken in another
        order, and dropout and distortions are drawn in another way.

        Args:
            allocate: Returns memory for an array like the one given; both workers must see it.

        Returns:
            The halves; give them a partner, if there is one.
        """

        def moved(array: Array) -> Array:
            new = allocate(array)
            new[...] = array
            return new

        network, optimizer = self.network, self.optimizer
        network.lay_over(moved(network.parameters), moved(network.gradient))
        optimizer.state = {name: moved(vector) for name, vector in optimizer.state.items()}
        twin = with_own_gradient(network, allocate(network.gradient))
        # The penalty on weights is none of the examples': the first share has it, and its memory.
        second = self._new_share(twin, optimizer, batch_size=self._batch_size // 2)
        halves = Halves(
            self._share,
            second,
            self._dropout_rng if self._has_dropout else None,
            self._augment_rng,
        )
        self._learner = halves
        return halves

    @property
    def n_batches(self) -> int:
        """Batches in an epoch."""
        return count_batches(len(self._train), self._batch_size)

    @property
    def at_epoch_end(self) -> bool:
        """Whether no step of the coming epoch has been taken yet."""
        return self._batches_done == 0

    @property
    def total_steps(self) -> int:
        """Steps in the whole training."""
        return self.n_batches * self._epochs

    @property
    def current_rate(self) -> float:
        """The learning rate of the coming step."""
        return self.learning_rate * self._schedule(self.step)

    def records(self) -> Iterator[Record]:
        """Train from here to the last epoch, and tell what happens."""
        while not self._is_over and not self.diverged:
            self._take_back_restored()
            yield from self._steps()
            if not self.diverged:
                yield from self.measure(self.epoch + 1)
        if self.diverged:
            yield self.diverged
        elif self._stopping and self._stopping.best_epoch not in (0, self.epoch):
            yield self._restore_best(self._stopping)

    @property
    def _is_over(self) -> bool:
        if self.epoch >= self._epochs:
            return True
        return self._stopping is not None and self._stopping.gives_up(self.epoch)

    def _steps(self) -> Iterator[StepEnd]:
        """Take the steps of the running epoch that are not taken yet."""
        epoch = self.epoch + 1
        self._shuffle_rng.bit_generator.state = self._epoch_rng
        n = len(self._train)
        order = shuffled(n, self._shuffle_rng) if self._shuffle else np.arange(n, dtype=np.intp)
        while self._batches_done < self.n_batches:
            start = self._batches_done * self._batch_size
            indices = order[start : start + self._batch_size]
            rate = self.current_rate
            loss = self._take_step(indices, rate)
            if not isfinite(loss):
                self.diverged = Diverged(epoch, self.step + 1, "the training loss")
                return
            self.step += 1
            self._batches_done += 1
            yield StepEnd(epoch, self.step, loss, rate, len(indices))

    def _take_step(self, indices: Indices, rate: float) -> float:
        """Learn one batch and return its loss; one that is not finite changes nothing."""
        with np.errstate(over="ignore", invalid="ignore"):
            loss = self._learner.gradient(indices)
            if isfinite(loss):
                ends_epoch = self._batches_done + 1 == self.n_batches
                if ends_epoch or self._clip_norm:
                    self._learner.complete_gradient()
                if ends_epoch:
                    self._checkup.before_step()
                if self._clip_norm:
                    clip_to_norm(self.network.gradient, self._clip_norm)
                self._learner.update(rate, self.optimizer.step_count + 1)
                if self._max_norm:
                    limit_incoming_norms(
                        self.network.layers[:-1], self._share.workspace.penalty[:-1], self._max_norm
                    )
                if ends_epoch:
                    self._checkup.after_step()
        return loss

    def measure(self, epoch: int) -> Iterator[Evaluating | EpochEnd]:
        """Close an epoch: measure the network as it is now. Epoch 0 is before training.

        Sets `diverged` instead of yielding EpochEnd where a loss or parameter is not finite.
        """
        scores = []
        probabilities = np.empty_like(self.validation_probabilities)
        self._checkup.begin_sample()
        for examples, checkup in ((self._train_sample, self._checkup), (self._validation, None)):
            answers = probabilities[: len(examples)]
            for part in score_in_parts(self.network, examples, answers, checkup):
                if part is None:
                    yield Evaluating(epoch, self.step)
                else:
                    scores.append(part)
        train, validation = scores
        if not np.isfinite(self.network.parameters).all():
            self.diverged = Diverged(epoch, self.step, "a weight")
            return
        if not isfinite(train.loss + validation.loss):
            self.diverged = Diverged(epoch, self.step, "the loss at the end of the epoch")
            return

        self.validation_probabilities = probabilities
        rate = self.learning_rate * self._schedule(max(self.step - 1, 0))
        if epoch > self.epoch:
            self.epoch = epoch
            self._batches_done = 0
            self._epoch_rng = self._shuffle_rng.bit_generator.state
            if self._stopping:
                self._stopping.look(epoch, validation.accuracy, self.network.parameters)
        health = self._checkup.result() if epoch else ()
        yield EpochEnd(epoch, self.step, *train, *validation, rate, health)

    def answer(self) -> Iterator[Evaluating]:
        """Bring `validation_probabilities` up to date in the middle of an epoch."""
        probabilities = np.empty_like(self.validation_probabilities)
        for part in score_in_parts(self.network, self._validation, probabilities):
            if part is None:
                yield Evaluating(self.epoch + 1, self.step)
        self.validation_probabilities = probabilities

    def _restore_best(self, stopping: EarlyStopping) -> Restored:
        """Bring back the weights of the best epoch; those of the last are kept aside."""
        if not self.restored:
            is_early = self.epoch < self._epochs
            self.restored = Restored(
                self.epoch, self.step, stopping.best_epoch, stopping.best_accuracy, is_early
            )
            self._last_parameters = self.network.parameters.copy()
            self.network.parameters[...] = stopping.best_parameters
            for _ in self.answer():
                pass
        return self.restored

    def _take_back_restored(self) -> None:
        """Go on from the last weights after all, since there are more epochs or more patience."""
        if self._last_parameters is not None:
            self.network.parameters[...] = self._last_parameters
            self.restored = self._last_parameters = None

    # Stopping and going on -----------------------------------------------------------------------

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return copies of everything needed to go on from between these two records.

        `parameters`, the optimizer's vectors as `optimizer_<name>`, and `position`: a JSON string
        with the counters, the learning rate and the state of the random generators. With patience
        also `best_parameters`, and once these are restored, `last_parameters`.
        """
        position = {
            "epoch": self.epoch,
            "step": self.step,
            "batches_done": self._batches_done,
            "learning_rate": self.learning_rate,
            "optimizer_steps": self.optimizer.step_count,
            "last_step": self._checkup.last_step,
            "epoch_rng": self._epoch_rng,
            "dropout_rng": self._dropout_rng.bit_generator.state,
        }
        arrays = {"parameters": self.network.parameters}
        arrays |= {f"optimizer_{name}": v for name, v in self.optimizer.state.items()}
        if self._augment_rng is not None:
            position["augment_rng"] = self._augment_rng.bit_generator.state
        if self._stopping is not None:
            position["best"] = (self._stopping.best_epoch, self._stopping.best_accuracy)
            arrays["best_parameters"] = self._stopping.best_parameters
        if self._last_parameters is not None:
            position["restored"] = self.restored
            arrays["last_parameters"] = self._last_parameters
        return {
            **{name: array.copy() for name, array in arrays.items()},
            "position": np.array(json.dumps(position)),
        }

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back, or forward, to where `state()` was taken; then ask for `records()` anew.

        A state from before patience or augmentation was asked for will do: the one begins to count
        here, the other to draw.

        Raises:
            ValueError: The state is of another network or another optimizer.
        """
        targets = {"parameters": self.network.parameters}
        targets |= {f"optimizer_{name}": v for name, v in self.optimizer.state.items()}
        for name, target in targets.items():
            if name not in state or state[name].shape != target.shape:
                raise ValueError(f"the state has no {name} of {len(target):,} numbers")
        position = json.loads(str(state["position"]))
        for name, target in targets.items():
            target[...] = state[name]
        self.epoch = position["epoch"]
        self.step = position["step"]
        self.learning_rate = position["learning_rate"]
        self.diverged = None
        self.optimizer.step_count = position["optimizer_steps"]
        self._batches_done = position["batches_done"]
        # A state of before there was a checkup has none.
        self._checkup.last_step = [(g, w, u) for g, w, u in position.get("last_step", ())]
        self._epoch_rng = position["epoch_rng"]
        self._dropout_rng.bit_generator.state = position["dropout_rng"]
        if self._augment_rng is not None and "augment_rng" in position:
            self._augment_rng.bit_generator.state = position["augment_rng"]
        if self._stopping is not None:
            self._stopping.best_epoch, self._stopping.best_accuracy = position.get("best", (0, -1))
            if "best" in position:
                self._stopping.best_parameters[...] = state["best_parameters"]
        self.restored = self._last_parameters = None
        if "restored" in position:
            self.restored = Restored(*position["restored"])
            self._last_parameters = state["last_parameters"].copy()
