"""The estimator keeps scikit-learn's contract, and learns as well as scikit-learn's own."""

from __future__ import annotations

import io
import subprocess
import sys
import tracemalloc
from copy import deepcopy
from math import sqrt
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted

from neuralscope.engine import OPTIMIZERS
from neuralscope.estimator import NeuralScopeClassifier

# Few epochs are enough for most of what is tested here.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Training ended after max_iter:sklearn.exceptions.ConvergenceWarning"
)


def small(**parameters: Any) -> NeuralScopeClassifier:
    """Return a small classifier that learns quickly; what is not named has a plain value."""
    chosen = {"learning_rate_init": 0.01, "max_iter": 30, "random_state": 0} | parameters
    return NeuralScopeClassifier((16,), **chosen)


@pytest.fixture(scope="module")
def flowers() -> tuple[np.ndarray, np.ndarray]:
    """Iris, with scaled features and names as labels."""
    iris = load_iris()
    return StandardScaler().fit_transform(iris.data), iris.target_names[iris.target]


Flowers = tuple[np.ndarray, np.ndarray]


def bits(model: NeuralScopeClassifier) -> bytes:
    return model.network_.parameters.tobytes()


# scikit-learn's own checks of the contract


@parametrize_with_checks([NeuralScopeClassifier()])
def test_scikit_learn_finds_nothing_to_complain_of(
    estimator: Any, check: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without this scikit-learn skips its check that array API dispatch changes nothing.
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    check(estimator)


def test_it_shares_names_and_defaults_with_mlp_classifier() -> None:
    ours, theirs = NeuralScopeClassifier().get_params(), MLPClassifier().get_params()
    shared = set(ours) & set(theirs)
    assert set(theirs) - shared == {"max_fun", "power_t"}  # of a solver and a rate it has not
    assert {name: ours[name] for name in shared} == {name: theirs[name] for name in shared}


@pytest.mark.parametrize("load", [load_digits, load_iris, load_wine, load_breast_cancer])
def test_it_is_as_accurate_as_mlp_classifier(load: Any) -> None:
    x, y = load(return_X_y=True)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)

    def accuracy(kind: Any) -> float:
        # Enough steps for both to come to rest on these small sets, in a second or two.
        model = kind((32,), learning_rate_init=0.01, batch_size=64, max_iter=25, random_state=0)
        model = make_pipeline(StandardScaler(), model)
        return float(np.mean(cross_val_score(model, x, y, cv=folds)))

    with pytest.warns(ConvergenceWarning):
        ours, theirs = accuracy(NeuralScopeClassifier), accuracy(MLPClassifier)
    # Chance: twice the standard error of an accuracy that is measured on so many examples.
    assert ours >= theirs - 2 * sqrt(theirs * (1 - theirs) / len(y))
    assert ours > 0.9


# What it gives back


def test_labels_of_any_type_come_back(flowers: Flowers) -> None:
    x, names = flowers
    codes = np.unique(names, return_inverse=True)[1]
    for labels in (names, names.astype(object), codes * 10 - 5, codes == 0, codes.astype(float)):
        model = small(batch_size=20).fit(x, labels)
        assert model.classes_.tolist() == sorted(set(labels.tolist()))
        answers = model.predict(x)
        assert answers.dtype == labels.dtype
        assert np.mean(answers == labels) > 0.9
        assert model.score(x, labels) == np.mean(answers == labels)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities_agree_with_labels_and_logarithms(flowers: Flowers, dtype: type) -> None:
    x, y = flowers
    model = small().fit(x.astype(dtype), y)
    p = model.predict_proba(x)
    assert p.shape == (150, 3)
    assert p.dtype == model.network_.dtype == dtype
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(model.classes_[p.argmax(axis=1)], model.predict(x))
    np.testing.assert_allclose(model.predict_log_proba(x), np.log(p), rtol=1e-4, atol=1e-6)


def test_the_logarithm_of_a_vanishing_probability_is_finite(flowers: Flowers) -> None:
    x, y = flowers
    model = small().fit(x, y)
    assert model.predict_proba(x * 1e4).min() == 0
    assert np.isfinite(model.predict_log_proba(x * 1e4)).all()


def test_what_was_learned_can_be_read(flowers: Flowers) -> None:
    x, y = flowers
    model = small(max_iter=7).fit(x, y)
    assert model.n_iter_ == len(model.loss_curve_) == 7
    assert model.loss_ == model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.best_loss_ == min(model.loss_curve_)
    assert model.validation_scores_ is None
    assert model.n_features_in_ == 4
    assert not hasattr(model, "feature_names_in_")
    assert [w.shape for w in model.coefs_] == [(4, 16), (16, 3)]
    assert [b.shape for b in model.intercepts_] == [(16,), (3,)]
    a = np.maximum(x @ model.coefs_[0] + model.intercepts_[0], 0)
    logits = a @ model.coefs_[1] + model.intercepts_[1]
    np.testing.assert_array_equal(model.classes_[logits.argmax(axis=1)], model.predict(x))


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_it_tells_of_its_layers_as_mlp_classifier_does(flowers: Flowers) -> None:
    ours = NeuralScopeClassifier((8, 6), max_iter=3).fit(*flowers)
    theirs = MLPClassifier((8, 6), max_iter=3).fit(*flowers)
    for name in ("n_layers_", "n_outputs_", "out_activation_", "t_", "n_iter_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name), name
    public = {name for name in vars(theirs) if name.endswith("_")}
    assert {name for name in public if not hasattr(ours, name)} == set()


def test_examples_learned_from_are_counted_over_all_calls(flowers: Flowers) -> None:
    model = small(max_iter=2).fit(*flowers)
    assert model.t_ == 300
    assert model.partial_fit(*flowers).t_ == 450
    assert model.fit(*flowers).t_ == 300
    assert small(max_iter=2, early_stopping=True).fit(*flowers).t_ == 2 * 135


def test_the_loss_curve_begins_with_a_blind_guess(flowers: Flowers) -> None:
    x, y = flowers
    model = small(initializer="zeros", max_iter=1).fit(x, y)
    assert model.loss_curve_ == [pytest.approx(np.log(3))]


def test_names_of_features_are_kept_and_asked_for(flowers: Flowers) -> None:
    x, y = flowers
    table = pd.DataFrame(x, columns=["a", "b", "c", "d"])
    model = small().fit(table, y)
    assert model.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(table.rename(columns={"a": "e"}))


def test_before_fit_there_are_no_answers() -> None:
    model = NeuralScopeClassifier()
    assert is_classifier(model)
    assert not hasattr(model, "coefs_")
    with pytest.raises(NotFittedError):
        model.predict([[0.0]])


def test_inputs_too_large_to_answer_are_refused(flowers: Flowers) -> None:
    x, y = flowers
    model = small().fit(x.astype(np.float32), y)
    with pytest.raises(ValueError, match="so large"):
        model.predict_proba(x * 1e38)


# Sparse inputs


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csc_matrix, sparse.coo_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_sparse_matrix_gives_the_same_bits_as_a_dense_one(form: Any, dtype: type) -> None:
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(dtype)
    x[x < 0.5] = 0
    for settings in ({}, {"early_stopping": True}, {"shuffle": False, "dropout": 0.2}):
        model = small(max_iter=2, **settings)
        dense, scattered = clone(model).fit(x, y), clone(model).fit(form(x), y)
        assert bits(scattered) == bits(dense)
        assert scattered.loss_curve_ == dense.loss_curve_
        np.testing.assert_allclose(scattered.predict_proba(form(x)), dense.predict_proba(x))
    assert bits(dense.set_params(early_stopping=False).partial_fit(x, y)) == bits(
        scattered.set_params(early_stopping=False).partial_fit(form(x), y)
    )


def test_a_sparse_matrix_stays_sparse_in_memory() -> None:
    x = sparse.random_array((4000, 10_000), density=1e-3, format="csr", rng=0)  # 320 MB if dense
    model = NeuralScopeClassifier((2,), batch_size=100, max_iter=1, early_stopping=True)
    tracemalloc.start()
    answers = model.fit(x, np.arange(4000) % 2).predict(x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answers.shape == (4000,)
    assert peak < 320e6 / 2


# Randomness


def test_the_seed_decides(flowers: Flowers) -> None:
    assert bits(small().fit(*flowers)) == bits(small().fit(*flowers))
    assert bits(small().fit(*flowers)) != bits(small(random_state=1).fit(*flowers))
    draws = np.random.RandomState(0)
    one, two = small(random_state=draws).fit(*flowers), small(random_state=draws).fit(*flowers)
    assert bits(one) != bits(two)


@pytest.mark.parametrize("initializer", ["glorot", "he"])
def test_the_first_weights_are_as_large_as_the_initializer_says(initializer: str) -> None:
    x, y = np.zeros((2, 20)), [0, 1]
    model = NeuralScopeClassifier(
        (400,), solver="sgd", learning_rate_init=1e-300, initializer=initializer, max_iter=1
    ).fit(x, y)
    weight, bias = model.coefs_[0], model.intercepts_[0]
    limit = sqrt(6 / 420)  # uniform between -limit and limit, the biases like the weights
    if initializer == "glorot":
        assert 0.95 * limit < np.abs(bias).max() < limit
        assert 0.99 * limit < np.abs(weight).max() < limit
    else:
        assert not bias.any()
        assert weight.std() == pytest.approx(sqrt(2 / 20), rel=0.05)


def test_without_shuffling_the_order_matters(flowers: Flowers) -> None:
    x, y = flowers
    order = np.random.default_rng(0).permutation(150)
    plain = small(shuffle=False, batch_size=10, max_iter=2)
    assert bits(clone(plain).fit(x, y)) != bits(clone(plain).fit(x[order], y[order]))


# Parameters


@pytest.mark.parametrize("solver", OPTIMIZERS)
def test_every_solver_learns(flowers: Flowers, solver: str) -> None:
    assert small(solver=solver, batch_size=10).fit(*flowers).score(*flowers) > 0.9


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "sigmoid", "logistic"])
def test_every_activation_learns(flowers: Flowers, activation: str) -> None:
    model = small(activation=activation, batch_size=10).fit(*flowers)
    assert model.score(*flowers) > 0.9


def test_logistic_is_another_name_for_sigmoid(flowers: Flowers) -> None:
    one, two = small(activation="logistic"), small(activation="sigmoid")
    assert bits(one.fit(*flowers)) == bits(two.fit(*flowers))


def test_sgd_has_momentum_as_with_mlp_classifier(flowers: Flowers) -> None:
    def learned(**parameters: Any) -> bytes:
        return bits(small(max_iter=3, **parameters).fit(*flowers))

    assert learned(solver="sgd") == learned(solver="nesterov")
    assert learned(solver="sgd", nesterovs_momentum=False) == learned(solver="momentum")
    assert learned(solver="sgd", momentum=0.0) == learned(solver="momentum", momentum=0.0)
    assert learned(solver="sgd") != learned(solver="sgd", momentum=0.5)


@pytest.mark.parametrize("sizes", [8, [8], (8, 6), (), np.array([8, 6])])
def test_hidden_layers_may_be_said_in_many_ways(flowers: Flowers, sizes: Any) -> None:
    model = small(batch_size=20).set_params(hidden_layer_sizes=sizes).fit(*flowers)
    assert model.network_.sizes == (4, *np.atleast_1d(np.asarray(sizes, int)).tolist(), 3)
    assert model.score(*flowers) > 0.8


@pytest.mark.parametrize(
    "setting",
    [
        {"alpha": 1.0},
        {"batch_size": 7},
        {"beta_1": 0.5},
        {"beta_2": 0.9},
        {"epsilon": 0.1},
        {"learning_rate": "cosine"},
        {"learning_rate": "linear"},
        {"learning_rate_init": 0.02},
        {"initializer": "he"},
        {"l1": 0.01},
        {"dropout": 0.3},
        {"label_smoothing": 0.1},
        {"clip_norm": 0.01},
        {"max_norm": 0.5},
        {"solver": "adamw"},
    ],
)
def test_every_setting_reaches_the_training(flowers: Flowers, setting: dict[str, Any]) -> None:
    plain, changed = small(max_iter=3), small(max_iter=3, **setting)
    assert bits(plain.fit(*flowers)) != bits(changed.fit(*flowers))


def test_weights_shrink_with_alpha_over_the_size_of_a_batch() -> None:
    # Nothing to learn from zeros but the bias: a weight only shrinks, by lr alpha / batch a step.
    x, y = np.zeros((8, 2)), [0, 1] * 4
    plain = NeuralScopeClassifier(
        (), solver="sgd", momentum=0.0, learning_rate_init=0.5, max_iter=1, random_state=0
    )
    kept = clone(plain).set_params(alpha=0.0).fit(x, y).coefs_[0]
    shrunk = clone(plain).set_params(alpha=0.4).fit(x, y).coefs_[0]
    np.testing.assert_allclose(shrunk, kept * (1 - 0.5 * 0.4 / 8), rtol=1e-12)


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden_layer_sizes": (10, 0)},
        {"hidden_layer_sizes": "100"},
        {"hidden_layer_sizes": 1.5},
        {"activation": "identity"},
        {"solver": "lbfgs"},
        {"alpha": -1},
        {"alpha": float("nan")},
        {"batch_size": 0},
        {"batch_size": "all"},
        {"learning_rate": "adaptive"},
        {"learning_rate_init": 0},
        {"max_iter": 0},
        {"max_iter": True},
        {"momentum": 1},
        {"early_stopping": "yes"},
        {"validation_fraction": 1.0},
        {"beta_2": 1.0},
        {"n_iter_no_change": 0},
        {"n_iter_no_change": None},
        {"dropout": 1.0},
        {"label_smoothing": "a little"},
        {"initializer": "random"},
    ],
)
def test_a_wrong_parameter_is_named(flowers: Flowers, wrong: dict[str, Any]) -> None:
    (name,) = wrong
    for learn in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match=rf"^{name} is .*, but must be .*\.$"):
            getattr(small().set_params(**wrong), learn)(*flowers)


# When to stop


def test_it_stops_where_nothing_is_gained(flowers: Flowers) -> None:
    model = small(tol=0.05, n_iter_no_change=3, max_iter=500).fit(*flowers)
    assert model.n_iter_ < 500
    best = np.minimum.accumulate(model.loss_curve_)
    gained = np.diff(best) <= -0.05
    assert not gained[-3:].any()


def test_it_says_so_where_it_could_go_on(flowers: Flowers) -> None:
    with pytest.warns(ConvergenceWarning, match=r"max_iter=2 .*: raise max_iter .* raise tol"):
        small(max_iter=2).fit(*flowers)


def test_early_stopping_keeps_the_weights_that_scored_best() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((200, 5)), rng.integers(0, 2, 200)  # nothing there to learn
    model = small(
        early_stopping=True, validation_fraction=0.25, n_iter_no_change=4, max_iter=100
    ).fit(x, y)
    scores = model.validation_scores_
    assert len(scores) == len(model.loss_curve_) == model.n_iter_ < 100
    assert model.best_validation_score_ == max(scores)
    assert model.best_loss_ is None
    assert set(scores) <= {hits / 50 for hits in range(51)}
    # As many epochs as led to the best score give the same weights.
    again = clone(model).set_params(max_iter=int(np.argmax(scores)) + 1).fit(x, y)
    assert bits(again) == bits(model)


def test_going_on_never_ends_with_less_than_it_began_with(flowers: Flowers) -> None:
    x, y = flowers
    model = small(early_stopping=True, warm_start=True, batch_size=10).fit(x, y)
    score, before = model.best_validation_score_, bits(model)
    model.set_params(learning_rate_init=1.0, max_iter=1).fit(x, y)
    assert model.validation_scores_[-1] < score
    assert model.best_validation_score_ == score
    assert bits(model) == before


@pytest.mark.parametrize(
    "y",
    [
        np.repeat([0, 1, 2], [60, 39, 1]),
        np.repeat(["a", "b"], [99, 1]),
        np.arange(100) % 20,  # more classes than the 10 examples that are set aside
        np.arange(15) % 3,
        np.array([True, False]),
    ],
)
def test_early_stopping_takes_small_and_rare_classes(y: np.ndarray) -> None:
    x = np.random.default_rng(0).standard_normal((len(y), 3))
    model = small(early_stopping=True, max_iter=3).fit(x, y)
    assert len(model.validation_scores_) == 3
    assert model.classes_.tolist() == sorted(set(y.tolist()))


@pytest.mark.parametrize("load", [load_digits, load_iris, load_wine, load_breast_cancer])
def test_early_stopping_gives_each_class_its_share_where_it_can(load: Any) -> None:
    x, y = load(return_X_y=True)
    model, classes = small(early_stopping=True), np.unique(y)
    network = model._new_network(x, classes, seed=0)
    _, validation = model._split(network, classes, x, y, None, seed=0)
    expected = np.bincount(y) / len(y) * len(validation)
    assert np.abs(np.bincount(validation.labels) - expected).max() <= 1


def test_early_stopping_that_leaves_nothing_to_learn_says_what_to_change(
    flowers: Flowers,
) -> None:
    model = small(early_stopping=True, validation_fraction=0.999)
    with pytest.raises(ValueError, match=r"150 of 150 .*lower validation_fraction, .*early_stop"):
        model.fit(*flowers)


def test_validation_examples_count_by_their_weight(flowers: Flowers) -> None:
    x, y = flowers
    # Everything twice, once with a wrong label, which counts for nothing.
    x, labels = np.vstack([x, x]), np.concatenate([y, np.roll(y, 50)])
    weight = np.repeat([1.0, 0.0], 150)
    model = small(early_stopping=True, batch_size=10).fit(x, labels, sample_weight=weight)
    assert model.best_validation_score_ > 0.9
    assert model.score(x, labels, sample_weight=weight) > 0.9


def test_training_that_blows_up_is_an_error(flowers: Flowers) -> None:
    x, y = flowers
    wild = small(solver="sgd", learning_rate_init=1e3, batch_size=10)
    with pytest.raises(ValueError, match=r"diverged in epoch \d+.*StandardScaler.*1000"):
        wild.fit(x, y)
    with pytest.raises(NotFittedError):
        check_is_fitted(wild)


def test_a_loss_that_ends_above_a_blind_guess_is_told_of(flowers: Flowers) -> None:
    # The penalty alone multiplies a weight by 1 - 10 * 100 / 150 in each step.
    wild = small(solver="sgd", learning_rate_init=10, alpha=100)
    with pytest.warns(ConvergenceWarning, match=r"worse than a blind guess.*lower"):
        wild.fit(*flowers)
    assert np.isfinite(wild.loss_curve_).all()


def test_a_failed_training_leaves_the_network_as_it_was(flowers: Flowers) -> None:
    x, y = flowers
    model = small(solver="sgd").fit(x, y)
    before = bits(model)
    with pytest.raises(ValueError, match="diverged"):
        model.set_params(learning_rate_init=1e300, alpha=1e10).partial_fit(x, y)
    assert bits(model) == before


# Going on


def test_warm_start_goes_on_where_it_was(flowers: Flowers) -> None:
    model = small(warm_start=True, max_iter=5).fit(*flowers)
    first = model.loss_curve_
    model.fit(*flowers)
    assert model.n_iter_ == 5
    assert model.loss_curve_[:5] == first
    assert len(model.loss_curve_) == 10
    assert model.loss_curve_[5] < first[0]
    cold = small(max_iter=5).fit(*flowers).fit(*flowers)
    assert cold.loss_curve_ == first


def test_warm_start_wants_the_same_classes_and_layers(flowers: Flowers) -> None:
    x, y = flowers
    model = small(warm_start=True).fit(x, y)
    with pytest.raises(ValueError, match="classes"):
        model.fit(x[:100], y[:100])
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        model.set_params(hidden_layer_sizes=(3,)).fit(x, y)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_partial_fits_make_a_fit(flowers: Flowers, solver: str) -> None:
    x, y = flowers
    whole = small(solver=solver, max_iter=4, batch_size=32).fit(x, y)
    parts = small(solver=solver, batch_size=32)
    for _ in range(4):
        parts.partial_fit(x, y, classes=np.unique(y))
    assert bits(parts) == bits(whole)
    assert parts.loss_curve_ == whole.loss_curve_
    assert parts.n_iter_ == whole.n_iter_ == 4


def test_partial_fit_goes_on_after_fit_and_after_a_copy(flowers: Flowers) -> None:
    x, y = flowers
    whole = small(max_iter=4, batch_size=32).fit(x, y)
    model = small(max_iter=3, batch_size=32).fit(x, y)
    copied = deepcopy(model)
    assert bits(model.partial_fit(x, y)) == bits(copied.partial_fit(x, y)) == bits(whole)


def test_partial_fit_need_not_see_every_class(flowers: Flowers) -> None:
    x, y = flowers
    model = small().partial_fit(x[:50], y[:50], classes=np.unique(y))
    assert model.predict_proba(x).shape == (150, 3)
    with pytest.raises(ValueError, match="'rose'"):
        model.partial_fit(x[:2], ["setosa", "rose"])
    with pytest.raises(ValueError, match="in the call before"):
        model.partial_fit(x, y, classes=["setosa", "rose"])


def test_partial_fit_asks_for_the_classes_at_first(flowers: Flowers) -> None:
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        small().partial_fit(*flowers)


def test_partial_fit_does_not_stop_early(flowers: Flowers) -> None:
    with pytest.raises(ValueError, match="early_stopping"):
        small(early_stopping=True).partial_fit(*flowers, classes=np.unique(flowers[1]))


def test_another_solver_cannot_take_up_what_one_remembers(flowers: Flowers) -> None:
    model = small(solver="sgd").fit(*flowers)
    with pytest.raises(ValueError, match="solver"):
        model.set_params(solver="adam").partial_fit(*flowers)


# Weights of examples


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_weight_is_so_many_copies(flowers: Flowers, solver: str) -> None:
    x, y = flowers
    rng = np.random.default_rng(0)
    copies = rng.integers(0, 4, 150)
    # Each in a single batch: in several the copies would be dealt to different ones.
    model = small(solver=solver, batch_size=1000, alpha=0.5)
    weighted = clone(model).fit(x, y, sample_weight=copies)
    repeated = clone(model).fit(x.repeat(copies, axis=0), y.repeat(copies))
    np.testing.assert_allclose(weighted.predict_proba(x), repeated.predict_proba(x), rtol=1e-7)
    np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-7)


def test_weights_decide_between_contradictions() -> None:
    x, y = np.ones((40, 2)), np.array([0, 1] * 20)
    for favoured in (0, 1):
        weight = np.where(y == favoured, 3, 1)
        model = small(solver="sgd", learning_rate_init=0.1, max_iter=200, alpha=0.0)
        model.fit(x, y, sample_weight=weight)
        assert model.predict_proba(x)[0, favoured] == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize(
    ("weights", "complaint"),
    [
        (np.ones(149), "one for each"),
        (np.ones((150, 2)), "one for each"),
        (np.zeros(150), "not zero"),
        (np.full(150, -1.0), "negative"),
        (np.full(150, np.nan), "NaN"),
    ],
)
def test_weights_that_are_none_are_refused(
    flowers: Flowers, weights: np.ndarray, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        small().fit(*flowers, sample_weight=weights)


# At home in scikit-learn


def test_a_clone_is_not_fitted_and_has_the_same_parameters(flowers: Flowers) -> None:
    model = small(dropout=0.2).fit(*flowers)
    twin = clone(model)
    assert twin.get_params() == model.get_params()
    assert not hasattr(twin, "network_")


def test_a_file_of_joblib_brings_it_back(flowers: Flowers) -> None:
    x, y = flowers
    model = small(max_iter=3, batch_size=32).fit(x, y)
    file = io.BytesIO()
    joblib.dump(model, file)
    size = file.tell()
    file.seek(0)
    back = joblib.load(file)
    np.testing.assert_array_equal(back.predict_proba(x), model.predict_proba(x))
    assert bits(back.partial_fit(x, y)) == bits(model.partial_fit(x, y))
    # The weights and the optimizer's two vectors, and none of the examples.
    assert size < 4 * model.network_.parameters.nbytes + 5000


def test_a_grid_search_over_a_pipeline(flowers: Flowers) -> None:
    x, y = flowers
    pipeline = Pipeline([("scale", StandardScaler()), ("net", small())])
    grid = {"net__hidden_layer_sizes": [(4,), (8, 8)], "net__alpha": [1e-4, 1e-2]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(x, y)
    assert len(search.cv_results_["mean_test_score"]) == 4
    assert search.best_score_ > 0.8
    assert search.predict(x[:3]).tolist() == ["setosa"] * 3


def test_sample_weights_go_through_a_pipeline(flowers: Flowers) -> None:
    x, y = flowers
    x, labels = np.vstack([x, x]), np.concatenate([y, np.roll(y, 50)])
    weight = np.repeat([1.0, 0.0], 150)
    pipeline = make_pipeline(StandardScaler(), small(batch_size=10))
    pipeline.fit(x, labels, neuralscopeclassifier__sample_weight=weight)
    assert pipeline.score(x[:150], y) > 0.9


def test_verbose_tells_of_each_epoch(flowers: Flowers, capsys: pytest.CaptureFixture[str]) -> None:
    small(max_iter=2).fit(*flowers)
    assert capsys.readouterr().out == ""
    model = small(max_iter=2, verbose=True, early_stopping=True).fit(*flowers)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == (
        f"Epoch 2: loss {model.loss_:.6f}, validation score {model.validation_scores_[1]:.4f}"
    )
    assert len(lines) == 2


def test_the_package_is_imported_without_scikit_learn() -> None:
    program = "import sys, neuralscope; print('sklearn' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"
