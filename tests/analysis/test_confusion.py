"""Counts, answers and changes agree with scikit-learn, SciPy and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix

from neuralscope.analysis import compare_answers, confusion_counts, most_confused, read_answers

# Counting


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


# Answers


def test_the_answer_is_the_most_probable_class_and_the_confidence_its_probability():
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet(np.ones(10), 300).astype(np.float32)
    true = rng.integers(0, 10, 300)
    said = read_answers(probabilities, true)
    for i in range(300):
        best = max(range(10), key=lambda c, i=i: probabilities[i, c])
        assert (said.predicted[i], said.confidence[i]) == (best, probabilities[i, best])
        assert said.is_right[i] == (best == true[i])


def test_of_equal_probabilities_the_first_class_is_answered():
    said = read_answers([[0.0, 0.5, 0.5], [1 / 3] * 3], [2, 0])
    assert said.predicted.tolist() == [1, 0]
    assert said.is_right.tolist() == [False, True]


def test_what_is_not_a_number_is_no_confidence():
    said = read_answers([[np.nan] * 2, [np.nan, 0.4]], [0, 0])
    assert said.confidence.tolist() == [0.0, 0.4]
    assert said.predicted.tolist() == [0, 1]


def test_a_cell_holds_its_examples_with_the_surest_first():
    rng = np.random.default_rng(2)
    true = rng.integers(0, 3, 200)
    said = read_answers(rng.dirichlet(np.ones(3), 200), true)
    for t in range(3):
        for p in range(3):
            inside = [i for i in range(200) if true[i] == t and said.predicted[i] == p]
            inside.sort(key=lambda i: -said.confidence[i])
            assert said.in_cell(t, p).tolist() == inside


def test_equally_sure_examples_keep_their_order():
    said = read_answers([[0.3, 0.7], [0.1, 0.9], [0.3, 0.7], [0.1, 0.9]], [0] * 4)
    assert said.in_cell(0, 1).tolist() == [1, 3, 0, 2]
    assert said.in_cell(1, 1).tolist() == []


# The worst cells


def test_the_most_confused_are_the_largest_cells_off_the_diagonal():
    counts = np.random.default_rng(3).integers(0, 30, (10, 10))
    found = most_confused(counts, most=5)
    off = sorted((int(counts[t, p]) for t in range(10) for p in range(10) if t != p), reverse=True)
    assert [each.times for each in found] == off[:5]
    for each in found:
        assert each.times == counts[each.true, each.predicted]
        assert each.share == each.times / counts[each.true].sum()


def test_of_equally_frequent_ones_the_larger_share_comes_first():
    found = most_confused(np.array([[90, 2], [2, 7]]), most=2)
    assert [(each.true, each.predicted) for each in found] == [(1, 0), (0, 1)]


def test_where_nothing_is_wrong_nothing_is_confused():
    assert most_confused(np.diag([3, 0, 5]), most=5) == []


def test_a_network_that_is_always_wrong_is_confused_in_each_class():
    found = most_confused(np.array([[0, 4], [6, 0]]), most=5)
    assert [(each.true, each.predicted, each.share) for each in found] == [(1, 0, 1), (0, 1, 1)]


# Changes


@pytest.fixture
def three() -> np.ndarray:
    """True classes, answers before and answers after, (3, 400)."""
    rng = np.random.default_rng(4)
    true = rng.integers(0, 5, 400)
    noisy = [
        np.where(rng.random(400) < share, rng.integers(0, 5, 400), true) for share in (0.4, 0.2)
    ]
    return np.stack([true, *noisy])


def test_what_became_right_and_wrong_is_found_by_brute_force(three):
    true, before, after = three.tolist()
    changed = compare_answers(before, after, true, 5)
    assert changed.became_right.tolist() == [
        i for i in range(400) if before[i] != true[i] == after[i]
    ]
    assert changed.became_wrong.tolist() == [
        i for i in range(400) if before[i] == true[i] != after[i]
    ]


def test_the_matrix_of_changes_is_the_difference_of_the_two(three):
    true, before, after = three
    changed = compare_answers(before, after, true, 5)
    labels = range(5)
    expected = confusion_matrix(true, after, labels=labels) - confusion_matrix(
        true, before, labels=labels
    )
    assert np.array_equal(changed.counts, expected)
    assert changed.counts.sum() == 0
    assert np.trace(changed.counts) == len(changed.became_right) - len(changed.became_wrong)


def test_the_other_way_round_is_the_opposite(three):
    true, before, after = three
    there, back = compare_answers(before, after, true, 5), compare_answers(after, before, true, 5)
    assert np.array_equal(there.counts, -back.counts)
    assert np.array_equal(there.became_right, back.became_wrong)
    assert there.chance == back.chance


def test_a_network_does_not_differ_from_itself(three):
    true, before, _ = three
    changed = compare_answers(before, before, true, 5)
    assert not changed.counts.any()
    assert len(changed.became_right) == len(changed.became_wrong) == 0
    assert changed.chance == 1


@pytest.mark.parametrize(
    ("gained", "lost"), [(1, 0), (0, 1), (5, 5), (3, 9), (40, 12), (500, 430), (2000, 0)]
)
def test_chance_is_that_of_a_fair_coin(gained, lost):
    true = np.zeros(gained + lost, int)
    after = np.repeat([0, 1], [gained, lost])
    found = compare_answers(1 - after, after, true, 2)
    expected = binomtest(gained, gained + lost).pvalue
    assert found.chance == pytest.approx(expected, rel=1e-9, abs=1e-300)
