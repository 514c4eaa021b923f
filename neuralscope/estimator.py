"""The scikit-learn face of the engine: a classifier for pipelines and searches.

    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from neuralscope.estimator import NeuralScopeClassifier

    model = make_pipeline(StandardScaler(), NeuralScopeClassifier(random_state=0))
    model.fit(x_train, y_train).score(x_test, y_test)

It keeps scikit-learn's contract for estimators, and its parameters bear the names and defaults of
`MLPClassifier` wherever they mean the same. The learning itself is the engine's: this file checks
what it is given, hands it to `Training`, and decides when to stop.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import replace
from math import ceil, inf, log, sqrt
from numbers import Integral, Real
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import Tags, check_array, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from neuralscope.engine import (
    ACTIVATIONS,
    AUTO,
    INITIALIZERS,
    OPTIMIZERS,
    Diverged,
    EpochEnd,
    Examples,
    Network,
    Schedule,
    StepEnd,
    Training,
)
from neuralscope.engine.arrays import Array, Indices
from neuralscope.engine.batches import count_batches
from neuralscope.engine.loss import softmax
from neuralscope.engine.optimizers import Optimizer
from neuralscope.errors import ConfigError

ACTIVATION_NAMES = {**{name: name for name in ACTIVATIONS}, "logistic": "sigmoid"}
"""What `activation` may be, and what the engine calls it."""

LEARNING_RATES = ("constant", "linear", "cosine")
"""What `learning_rate` may be: the schedules that need no settings of their own."""

FLOATS = (np.float64, np.float32)
"""Types the engine computes in: the inputs' own where it is one of these, else the first."""

SPARSE_ROWS = 256
"""Rows of a sparse matrix that are made dense at a time to answer for them."""


class NeuralScopeClassifier(ClassifierMixin, BaseEstimator):
    """A feed-forward network that learns to classify, by minibatches and backpropagation.

    Scale the features first, for example with `StandardScaler`: the steps are the same size in all
    directions. Inputs of float32 are computed in float32, all others in float64.

    Inputs may be sparse matrices: they stay sparse in memory, and a batch of rows is made dense
    when its turn comes. What is learned is the same to the bit as from the dense matrix.

    It differs from `MLPClassifier` in these points: two classes have two outputs behind a softmax;
    an example has one label, not several; losses are told without the penalties; `n_iter_` counts
    all calls of `partial_fit`; a `batch_size` beyond the number of examples takes all of them
    without a warning; and a call that fails or is interrupted leaves what was learned before.

    Args:
        hidden_layer_sizes: Units of each hidden layer; a single number for one layer, () for none.
        activation: 'relu', 'leaky_relu', 'tanh' or 'sigmoid' (also called 'logistic').
        solver: 'sgd' (see `momentum`), 'adam', 'adamw', 'rmsprop', 'momentum' or 'nesterov'.
        alpha: Strength of the L2 penalty on weights. It is divided by the size of a batch.
        batch_size: Examples a step; 'auto' for 200, or all where there are fewer.
        learning_rate: How the rate changes over `max_iter` epochs: 'constant', or down to zero
            by 'linear' or 'cosine'. In `partial_fit` always constant.
        learning_rate_init: Size of the steps, at first.
        max_iter: Epochs at most.
        shuffle: Whether each epoch takes the examples in a new order.
        random_state: Draws the first weights, the order of the examples, the dropout masks and
            the validation examples; a number for the same results in each call.
        tol: What the loss, or with `early_stopping` the validation score, has to gain.
        verbose: Whether to tell of each epoch on standard output.
        warm_start: Whether `fit` goes on from the weights of the call before.
        momentum: For 'sgd', 'momentum' and 'nesterov': share of the velocity that is kept.
        nesterovs_momentum: For 'sgd' with momentum: whether it looks ahead.
        early_stopping: Whether to set examples aside, stop when their score does not rise any
            more, and keep the weights that scored best. Each class has its share of them where
            all classes are large enough for that; otherwise they are drawn from all examples
            alike.
        validation_fraction: Share of the examples that is set aside.
        beta_1: For 'adam' and 'adamw': share of the mean gradient that is kept.
        beta_2: For 'adam' and 'adamw': share of the mean squared gradient that is kept.
        epsilon: For 'adam', 'adamw' and 'rmsprop': guards the division.
        n_iter_no_change: Training ends after more epochs than these in a row without gain.
        initializer: How large the first weights are: 'glorot' as with MLPClassifier, for biases
            too; or 'he', 'normal', 'zeros', or 'auto' for the one made for the activation.
        weight_decay: For 'adamw': how fast weights shrink by themselves.
        l1: Strength of the penalty on absolute weights.
        dropout: Probability of silencing a hidden unit in a step.
        label_smoothing: Share of the target that goes to all classes alike.
        clip_norm: Norm to which longer gradients are shortened; 0 for any length.
        max_norm: Norm to which the weights into a hidden unit are shortened; 0 for any.

    Attributes:
        classes_: (n_classes,), the labels, sorted.
        network_: The engine's network; its outputs are in the order of `classes_`.
        coefs_: One weight matrix (in, out) a layer.
        intercepts_: One vector of biases (out,) a layer.
        loss_: Mean loss over the last epoch.
        best_loss_: The smallest yet; None with `early_stopping`.
        loss_curve_: Mean loss over each epoch: the cross-entropy, without penalties on weights.
        validation_scores_: With `early_stopping` the accuracy after each epoch, else None.
        best_validation_score_: That of the weights that were kept, the highest of the last
            `fit`; or None.
        n_iter_: Epochs of the last `fit`, and of all `partial_fit` since.
        t_: Examples learned from, each counted once an epoch; over all calls that went on.
        n_layers_: Layers, those of the inputs and of the outputs included.
        n_outputs_: Outputs: one for each class, also where there are two.
        out_activation_: 'softmax', what makes probabilities of the outputs.
        n_features_in_: Features seen during `fit`.
        feature_names_in_: (n_features,), their names, where all of them have one.
    """

    # Set by fit; declared here for the reader and the type checker.
    classes_: npt.NDArray[Any]
    network_: Network
    loss_: float
    best_loss_: float | None
    loss_curve_: list[float]
    validation_scores_: list[float] | None
    best_validation_score_: float | None
    n_iter_: int
    t_: int
    out_activation_: str

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        initializer: str = "glorot",
        weight_decay: float = 0.01,
        l1: float = 0.0,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
        clip_norm: float = 0.0,
        max_norm: float = 0.0,
    ) -> None:
        # Kept as they are: scikit-learn clones by these, and they are checked in fit.
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.initializer = initializer
        self.weight_decay = weight_decay
        self.l1 = l1
        self.dropout = dropout
        self.label_smoothing = label_smoothing
        self.clip_norm = clip_norm
        self.max_norm = max_norm

    # Learning ------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from the examples, from the beginning unless `warm_start` is set.

        Args:
            X: (n, features), an array or a sparse matrix.
            y: (n,), the label of each: numbers, strings, anything that can be sorted.
            sample_weight: (n,), how often each example counts; None for once.

        Raises:
            ValueError: A parameter or the data cannot be used, or training has diverged.

        Warns:
            ConvergenceWarning: Training ended after `max_iter` epochs, before it had converged, or
                the loss is far above that of a blind guess, log n_classes.
        """
        _check_parameters(self)
        goes_on = bool(self.warm_start) and hasattr(self, "network_")
        X, y = self._checked(X, y, is_first=not goes_on)
        classes = np.unique(y)
        if goes_on and not np.array_equal(classes, self.classes_):
            raise ValueError(
                "warm_start goes on with the classes of the call of fit before, "
                f"{self.classes_}, but y has {classes}."
            )
        weights = _checked_weights(sample_weight, X)
        seed = self._draw_seed()
        network = self._known_network() if goes_on else self._new_network(X, classes, seed)
        train, validation = self._split(network, classes, X, y, weights, seed)
        training = self._new_training(
            network, train, validation, seed, self.max_iter, self.learning_rate
        )
        learned = self._learn(training, len(train), validation, goes_on=goes_on)
        self.classes_ = classes
        self.n_iter_ = len(learned.losses)
        self._keep(training, learned, goes_on=goes_on)
        if learned.scores is None and learned.losses[-1] > 2 * log(len(classes)):
            warnings.warn(
                f"The loss ended at {learned.losses[-1]:.3g}, far worse than a blind guess: scale "
                "the features, for example with StandardScaler, or lower learning_rate_init, "
                f"which is {self.learning_rate_init:g}.",
                ConvergenceWarning,
                stacklevel=2,
            )
        elif not learned.has_converged:
            warnings.warn(
                f"Training ended after max_iter={self.max_iter} epochs, before it had converged "
                f"(n_iter_no_change={self.n_iter_no_change} epochs without a gain of "
                f"tol={self.tol:g}): raise max_iter to learn longer or learning_rate_init to learn "
                "faster, or raise tol to be content with less.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Learn from these examples for one epoch, on top of what is known.

        Args:
            X: (n, features), an array or a sparse matrix.
            y: (n,), the label of each.
            sample_weight: (n,), how often each example counts; None for once.
            classes: All labels that will ever be seen; needed in the first call.

        Raises:
            ValueError: A parameter or the data cannot be used, or training has diverged.
        """
        _check_parameters(self)
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping: when to stop is yours.")
        goes_on = hasattr(self, "network_")
        if not goes_on and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        X, y = self._checked(X, y, is_first=not goes_on)
        known = self.classes_ if goes_on else np.unique(classes)
        if classes is not None and not np.array_equal(np.unique(classes), known):
            raise ValueError(f"classes is {classes}, but was {known} in the call before.")
        unknown = np.setdiff1d(y, known)
        if len(unknown):
            raise ValueError(f"y has {unknown[0]!r}, which is not among the classes {known}.")
        weights = _checked_weights(sample_weight, X)
        seed = self._draw_seed()
        network = self._known_network() if goes_on else self._new_network(X, known, seed)
        train = _examples(network, known, X, y, weights)
        training = self._new_training(network, train, None, seed, 1, "constant")
        if goes_on:
            self._take_up(training)
        learned = self._learn(training, len(train), None, goes_on=goes_on)

        self.classes_ = known
        self.n_iter_ = (self.n_iter_ if goes_on else 0) + 1
        self._keep(training, learned, goes_on=goes_on)
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        # A fit that has failed may have left the number of features behind.
        return hasattr(self, "network_")

    @property
    def coefs_(self) -> list[Array]:
        """The weights (in, out) of each layer."""
        return [layer.weight for layer in self.network_.layers]

    @property
    def intercepts_(self) -> list[Array]:
        """The biases (out,) of each layer."""
        return [layer.bias for layer in self.network_.layers]

    @property
    def n_layers_(self) -> int:
        """How many layers there are, those of the inputs and of the outputs included."""
        return len(self.network_.sizes)

    @property
    def n_outputs_(self) -> int:
        """How many outputs there are: one for each class."""
        return self.network_.sizes[-1]

    # Predicting ----------------------------------------------------------------------------------

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the most probable label of each row of X (n, features), shape (n,)."""
        logits = self._logits(X)
        labels: npt.NDArray[Any] = self.classes_[logits.argmax(axis=1)]
        return labels

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, (n, classes), in the order of `classes_`."""
        return softmax(self._logits(X))

    def predict_log_proba(self, X: Any) -> Array:
        """Return its natural logarithm, which is finite even where the probability is zero.

        log p_k = logit_k - log(sum_j exp(logit_j))
        """
        logits = self._logits(X)
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return logits

    def _logits(self, X: Any) -> Array:
        check_is_fitted(self)
        x = _rows_of(validate_data(self, X, dtype=FLOATS, accept_sparse="csr", reset=False))
        logits = _logits(self.network_, x)
        if not np.isfinite(logits).all():
            raise ValueError("Some inputs are so large that the answer is no number: scale them.")
        return logits

    # What fit and partial_fit share --------------------------------------------------------------

    def _checked(self, X: Any, y: Any, *, is_first: bool) -> tuple[Any, Any]:
        """Return the inputs as floats and the labels as a vector, and note their form."""
        X, y = validate_data(
            self, X, y, dtype=FLOATS, order="C", accept_sparse="csr", reset=is_first
        )
        check_classification_targets(y)
        return X, y

    def _draw_seed(self) -> int:
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _new_network(self, x: Array, classes: npt.NDArray[Any], seed: int) -> Network:
        rng = np.random.default_rng([seed, 0])
        network = Network(
            (x.shape[1], *(_hidden_sizes(self.hidden_layer_sizes) or ()), len(classes)),
            activation=ACTIVATION_NAMES[self.activation],
            initializer=self.initializer,
            rng=rng,
            dtype=x.dtype,
        )
        if self.initializer == "glorot":
            # MLPClassifier draws the biases too: on data of few features and few steps the relus
            # then bend in different places from the start (a quarter of a percent on iris).
            for layer in network.layers:
                limit = sqrt(6 / sum(layer.weight.shape))
                layer.bias[...] = rng.uniform(-limit, limit, layer.bias.shape)
        return network

    def _known_network(self) -> Network:
        """Return a copy of the network: should training fail, the old one is still there."""
        _, *hidden, _ = self.network_.sizes
        if tuple(hidden) != _hidden_sizes(self.hidden_layer_sizes):
            raise ValueError(
                f"hidden_layer_sizes is {self.hidden_layer_sizes}, but the network to go on with "
                f"has {tuple(hidden)}; turn warm_start off and call fit to begin anew."
            )
        return deepcopy(self.network_)

    def _split(
        self,
        network: Network,
        classes: npt.NDArray[Any],
        x: Any,
        y: npt.NDArray[Any],
        weights: Array | None,
        seed: int,
    ) -> tuple[Examples, Examples | None]:
        """Return what is learned and, with early stopping, what is set aside."""
        if not self.early_stopping:
            return _examples(network, classes, x, y, weights), None
        n = len(y)
        n_validation = ceil(self.validation_fraction * n)
        if n_validation >= n:
            raise ValueError(
                f"early_stopping sets {n_validation} of {n} examples aside, since "
                f"validation_fraction is {self.validation_fraction:g}, and leaves none to learn "
                "from: lower validation_fraction, give more examples, or turn early_stopping off."
            )
        counts = np.unique(y, return_counts=True)[1]
        has_room = counts.min() > 1 and len(counts) <= min(n_validation, n - n_validation)
        parts = train_test_split(
            np.arange(n),
            test_size=n_validation,
            stratify=y if has_room else None,
            random_state=seed,
        )
        train, validation = (
            _examples(
                network, classes, x[rows], y[rows], None if weights is None else weights[rows]
            )
            for rows in map(np.sort, parts)
        )
        for part, purpose in ((train, "learn from"), (validation, "validate with")):
            if part.weights is not None and not part.weights.any():
                raise ValueError(
                    f"All examples to {purpose} have a sample_weight of zero: change "
                    "validation_fraction, or turn early_stopping off."
                )
        return train, validation

    def _new_training(
        self,
        network: Network,
        train: Examples,
        validation: Examples | None,
        seed: int,
        epochs: int,
        schedule: str,
    ) -> Training:
        n = len(train)
        mean_weight = 1.0
        if train.weights is not None:
            mean_weight = float(train.weights.mean(dtype=np.float64))
            train = replace(train, weights=train.weights / train.weights.dtype.type(mean_weight))
        batch_size = min(200 if self.batch_size == "auto" else int(self.batch_size), n)
        return Training(
            network,
            self._new_optimizer(network.parameters),
            Schedule(schedule, count_batches(n, batch_size), epochs),
            train,
            # The engine always measures: where nothing is set aside, as little as can be.
            train.first(1) if validation is None else validation,
            learning_rate=self.learning_rate_init,
            batch_size=batch_size,
            epochs=epochs,
            # As MLPClassifier has it: with weights a batch is as large as what they add up to.
            l2=self.alpha / (batch_size * mean_weight),
            l1=self.l1,
            dropout=self.dropout,
            label_smoothing=self.label_smoothing,
            clip_norm=self.clip_norm,
            max_norm=self.max_norm,
            shuffle=bool(self.shuffle),
            shuffle_rng=np.random.default_rng([seed, 1]),
            dropout_rng=np.random.default_rng([seed, 2]),
        )

    def _new_optimizer(self, parameters: Array) -> Optimizer:
        name = self.solver
        if name == "sgd" and self.momentum:
            name = "nesterov" if self.nesterovs_momentum else "momentum"
        momentum = {"momentum": self.momentum}
        means = {"beta1": self.beta_1, "beta2": self.beta_2, "epsilon": self.epsilon}
        settings: dict[str, dict[str, float]] = {
            "momentum": momentum,
            "nesterov": momentum,
            "rmsprop": {"epsilon": self.epsilon},
            "adam": means,
            "adamw": {**means, "weight_decay": self.weight_decay},
        }
        return OPTIMIZERS[name](parameters, **settings.get(name, {}))

    def _take_up(self, training: Training) -> None:
        """Give a training of one epoch the memory that the one before has left."""
        memory = {**self._memory, "parameters": training.network.parameters}
        try:
            training.restore(memory)
        except ValueError:
            raise ValueError(
                "The solver or its momentum was changed after the call before; call fit to begin "
                "anew."
            ) from None
        training.epoch = 0
        training.learning_rate = self.learning_rate_init

    def _learn(
        self, training: Training, n_train: int, validation: Examples | None, *, goes_on: bool
    ) -> _Learned:
        """Train until nothing is gained any more, or all epochs are over."""
        losses: list[float] = []
        scores: list[float] | None = None if validation is None else []
        watch = _Watch(self.tol, self.n_iter_no_change)
        best_parameters: Array | None = None
        if validation is not None and goes_on:
            # What was learned before takes part: going on must not end with less.
            watch.best = _accuracy(_logits(training.network, validation.pixels), validation)
            best_parameters = training.network.parameters.copy()
        loss_sum = 0.0
        for record in training.records():
            match record:
                case StepEnd():
                    loss_sum += record.loss * record.n_examples
                case EpochEnd():
                    losses.append(loss_sum / n_train)
                    loss_sum = 0.0
                    gain = -losses[-1]
                    if validation is not None and scores is not None:
                        gain = _accuracy(training.validation_probabilities, validation)
                        scores.append(gain)
                        if gain > watch.best:
                            best_parameters = training.network.parameters.copy()
                    watch.see(gain)
                    if self.verbose:
                        _tell(losses, scores)
                    if watch.gives_up:
                        break
                case Diverged():
                    raise ValueError(
                        f"Training has diverged in epoch {record.epoch}: {record.what} is not a "
                        "finite number any more. Scale the features, for example with "
                        "StandardScaler, or lower learning_rate_init, which is "
                        f"{self.learning_rate_init:g}."
                    )
        if best_parameters is not None:
            training.network.parameters[...] = best_parameters
        return _Learned(losses, scores, watch.best, watch.gives_up, n_train * len(losses))

    def _keep(self, training: Training, learned: _Learned, *, goes_on: bool) -> None:
        """Set the attributes that tell what was learned."""
        losses = self.loss_curve_ if goes_on else []
        scores = self.validation_scores_ if goes_on else []
        self.network_ = training.network
        # For two classes too, where MLPClassifier has one output behind a logistic function.
        self.out_activation_ = "softmax"
        self.t_ = (self.t_ if goes_on else 0) + learned.n_examples
        self.loss_ = learned.losses[-1]
        self.loss_curve_ = [*losses, *learned.losses]
        if learned.scores is None:
            self.best_loss_ = min(self.loss_curve_)
            self.validation_scores_ = self.best_validation_score_ = None
        else:
            self.best_loss_ = None
            self.validation_scores_ = [*(scores or []), *learned.scores]
            self.best_validation_score_ = learned.best
        # For partial_fit to go on with; the parameters themselves are in the network.
        self._memory = {k: v for k, v in training.state().items() if k != "parameters"}


class _Learned(NamedTuple):
    """What came of a training.

    Attributes:
        losses: Of each epoch.
        scores: Of each epoch, on what was set aside; None if nothing was.
        best: The best score, or the smallest loss as a negative number.
        has_converged: Whether it ended because nothing was gained any more.
        n_examples: Examples learned from, each counted once an epoch.
    """

    losses: list[float]
    scores: list[float] | None
    best: float
    has_converged: bool
    n_examples: int


class _Watch:
    """Looks for gain, as MLPClassifier does: of at least `tol` over the best yet.

    Attributes:
        best: The best value yet; larger is better.
    """

    def __init__(self, tol: float, patience: float) -> None:
        self.best = -inf
        self._tol, self._patience = tol, patience
        self._n_without_gain = 0

    def see(self, value: float) -> None:
        """Note an epoch's value."""
        self._n_without_gain = self._n_without_gain + 1 if value < self.best + self._tol else 0
        self.best = max(self.best, value)

    @property
    def gives_up(self) -> bool:
        """Whether there was no gain for longer than patience allows."""
        return self._n_without_gain > self._patience


class _SparseRows:
    """What the engine wants of an array, of a sparse matrix: rows, dense when they are asked for.

    Attributes:
        shape: Rows and columns.
        dtype: Of the numbers.
    """

    def __init__(self, matrix: Any) -> None:
        self._matrix = matrix  # in CSR form, which is quick at rows
        self.shape: tuple[int, int] = matrix.shape
        self.dtype: np.dtype[Any] = matrix.dtype

    def __getitem__(self, rows: slice) -> Array:
        dense: Array = self._matrix[rows].toarray()
        return dense

    def take(self, rows: Indices, axis: int, out: Array, mode: str) -> None:
        """Write these rows into `out` (rows, columns), as an array's `take` along axis 0."""
        self._matrix[rows].toarray(out=out)


def _rows_of(x: Any) -> Any:
    """Return an array as it is, and a sparse matrix as the engine can take it."""
    return _SparseRows(x) if hasattr(x, "tocsr") else x


def _logits(network: Network, x: Any) -> Array:
    """Return the outputs (n, classes) for an array or sparse rows; they may not be finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        if not isinstance(x, _SparseRows):
            return network.logits(x)
        starts = range(0, x.shape[0], SPARSE_ROWS)
        return np.concatenate([network.logits(x[i : i + SPARSE_ROWS]) for i in starts])


def _examples(
    network: Network, classes: npt.NDArray[Any], x: Any, y: Any, weights: Array | None
) -> Examples:
    """Return the examples in the engine's terms: its float type, and classes by number."""
    return Examples(
        _rows_of(x.astype(network.dtype, copy=False)),
        np.searchsorted(classes, y),
        1.0,
        None if weights is None else weights.astype(network.dtype),
    )


def _accuracy(outputs: Array, examples: Examples) -> float:
    """Return the share answered right, by weight; outputs (n, classes) in any form."""
    return float(np.average(outputs.argmax(axis=1) == examples.labels, weights=examples.weights))


def _tell(losses: list[float], scores: list[float] | None) -> None:
    score = f", validation score {scores[-1]:.4f}" if scores else ""
    sys.stdout.write(f"Epoch {len(losses)}: loss {losses[-1]:.6f}{score}\n")


def _checked_weights(sample_weight: Any, x: Any) -> Array | None:
    """Return the weights (n,) as float64, or None where every example counts once."""
    if sample_weight is None:
        return None
    weights: Array = check_array(
        sample_weight, dtype=np.float64, ensure_2d=False, input_name="sample_weight"
    )
    n = x.shape[0]
    if weights.shape != (n,):
        raise ValueError(
            f"sample_weight has the shape {weights.shape}, but must have one for each of the "
            f"{n} rows of X."
        )
    if weights.min() < 0:
        raise ValueError("sample_weight must not be negative.")
    if not weights.any():
        raise ValueError("sample_weight must have at least one that is not zero.")
    return weights


# The parameters ----------------------------------------------------------------------------------


def _is_count(value: Any) -> bool:
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    return is_whole and bool(value >= 1)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool | np.bool_)


def _within(low: float, high: float, *, open_low: bool = False) -> Callable[[Any], bool]:
    """Return a test for numbers from `low` up to but not including `high`."""

    def test(value: Any) -> bool:
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        return is_number and (low < value if open_low else low <= value) and bool(value < high)

    return test


_FROM_ZERO = (_within(0, inf), "a number from 0")
_ABOVE_ZERO = (_within(0, inf, open_low=True), "a number above 0")
_SHARE = (_within(0, 1), "a number from 0 to below 1")
_FLAG = (_is_flag, "True or False")


def _one_of(names: Iterable[str]) -> tuple[Callable[[Any], bool], str]:
    known = list(names)
    return lambda value: isinstance(value, str) and value in known, f"one of {known}"


_ALLOWED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "hidden_layer_sizes": (
        lambda value: _hidden_sizes(value) is not None,
        "a whole number from 1, or a sequence of them",
    ),
    "activation": _one_of(ACTIVATION_NAMES),
    "solver": _one_of(OPTIMIZERS),
    "alpha": _FROM_ZERO,
    "batch_size": (
        lambda value: _is_count(value) or (isinstance(value, str) and value == "auto"),
        "a whole number from 1, or 'auto'",
    ),
    "learning_rate": _one_of(LEARNING_RATES),
    "learning_rate_init": _ABOVE_ZERO,
    "max_iter": (_is_count, "a whole number from 1"),
    "shuffle": _FLAG,
    "tol": _FROM_ZERO,
    "verbose": (
        lambda value: _is_flag(value) or isinstance(value, Integral),
        "True, False or a whole number",
    ),
    "warm_start": _FLAG,
    "momentum": _SHARE,
    "nesterovs_momentum": _FLAG,
    "early_stopping": _FLAG,
    "validation_fraction": (_within(0, 1, open_low=True), "a number between 0 and 1"),
    "beta_1": _SHARE,
    "beta_2": _SHARE,
    "epsilon": _ABOVE_ZERO,
    "n_iter_no_change": (
        lambda value: _is_count(value) or value == inf,
        "a whole number from 1, or infinity",
    ),
    "initializer": _one_of([AUTO, *INITIALIZERS]),
    "weight_decay": _FROM_ZERO,
    "l1": _FROM_ZERO,
    "dropout": _SHARE,
    "label_smoothing": _SHARE,
    "clip_norm": _FROM_ZERO,
    "max_norm": _FROM_ZERO,
}
"""What each parameter may be, as a test and in words; random_state is scikit-learn's to check."""


def _check_parameters(classifier: NeuralScopeClassifier) -> None:
    """Raise ValueError for the first parameter that cannot be used."""
    for name, (is_allowed, words) in _ALLOWED.items():
        value = getattr(classifier, name)
        if not is_allowed(value):
            # A ValueError is what scikit-learn's tools expect.
            raise ValueError(str(ConfigError(name, value, words)))


def _hidden_sizes(value: Any) -> tuple[int, ...] | None:
    """Return the units of each hidden layer, or None where `value` does not say them."""
    sizes = [value] if isinstance(value, Integral) else value
    if isinstance(sizes, str) or not isinstance(sizes, Iterable):
        return None
    sizes = tuple(sizes)
    return tuple(int(n) for n in sizes) if all(_is_count(n) for n in sizes) else None
