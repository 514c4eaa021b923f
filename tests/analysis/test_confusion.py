"""The confusion matrix agrees with scikit-learn's."""

import numpy as np
from sklearn.metrics import confusion_matrix

from neuralscope.analysis import confusion_counts


def test_it_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, 10, (2, 500))
    counted = confusion_counts(true, predicted, 10)
    assert np.array_equal(counted, confusion_matrix(true, predicted, labels=range(10)))


def test_classes_that_never_occur_have_empty_rows_and_columns():
    counts = confusion_counts([2, 2], [2, 0], 4)
    assert counts.shape == (4, 4)
    assert counts.sum() == 2
    assert counts[2].tolist() == [1, 0, 1, 0]


def test_small_integers_do_not_overflow():
    many = np.full(3, 99, np.uint8)  # 99 * 100 does not fit eight bits
    assert confusion_counts(many, many, 100)[99, 99] == 3


def test_nothing_at_all_is_a_matrix_of_zeros():
    assert confusion_counts([], [], 3).tolist() == [[0] * 3] * 3
