"""The scores agree with scikit-learn, also where one is undefined."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from neuralscope.analysis import ClassScores, confusion_counts, score_classes


def scored(true, predicted, n_classes: int) -> ClassScores:
    return score_classes(confusion_counts(true, predicted, n_classes))


def check(true, predicted, n_classes: int) -> ClassScores:
    """Compare with scikit-learn: undefined scores are NaN, and count 0 in an average."""
    found = scored(true, predicted, n_classes)
    *expected, support = precision_recall_fscore_support(
        true, predicted, labels=range(n_classes), zero_division=np.nan
    )
    for mine, theirs in zip((found.precision, found.recall, found.f1), expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)
    assert found.support.tolist() == support.tolist()
    for name in ("macro", "weighted"):
        # Without `labels`, scikit-learn too takes the classes that occur.
        *expected, _ = precision_recall_fscore_support(
            true, predicted, average=name, zero_division=0
        )
        np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-12)
    return found


def test_scores_of_a_common_network():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 10, 700)
    predicted = np.where(rng.random(700) < 0.2, rng.integers(0, 10, 700), true)
    found = check(true, predicted, 10)
    assert found.weighted.recall == pytest.approx(accuracy_score(true, predicted))


def test_a_class_that_is_never_answered_has_no_precision():
    found = check([0, 0, 1, 2], [0, 1, 1, 1], 3)
    assert np.isnan(found.precision[2])
    assert found.recall[2] == found.f1[2] == 0


def test_a_class_without_examples_has_no_recall():
    found = check([0, 0, 1], [0, 2, 1], 3)
    assert np.isnan(found.recall[2])
    assert found.precision[2] == found.f1[2] == found.support[2] == 0


def test_a_class_that_is_neither_there_nor_answered_is_left_out_of_the_averages():
    found = check([0, 1], [0, 1], 3)
    assert np.isnan([found.precision[2], found.recall[2], found.f1[2]]).all()
    assert found.macro == (1, 1, 1)


def test_one_answer_to_everything():
    true = np.repeat([0, 1, 2, 3], [10, 20, 30, 40])
    found = check(true, np.full(100, 3), 4)
    assert found.recall.tolist() == [0, 0, 0, 1]
    assert found.precision[3] == 0.4


def test_all_right():
    found = check([0, 1, 2, 2], [0, 1, 2, 2], 3)
    assert found.macro == found.weighted == (1, 1, 1)


def test_all_wrong():
    found = check([0, 1, 2, 2], [1, 2, 0, 0], 3)
    assert found.macro == found.weighted == (0, 0, 0)


def test_without_examples_there_is_nothing_to_average():
    found = score_classes(np.zeros((2, 2), int))
    assert np.isnan([*found.macro, *found.weighted]).all()
