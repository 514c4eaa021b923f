"""Mistakes are found by brute force too."""

import numpy as np
import pytest

from neuralscope.analysis import choose_examples, judge, worst_mistakes


def test_they_are_the_wrong_answers_with_the_surest_first():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(10), 200).astype(np.float16)
    true = rng.integers(0, 10, 200)
    found = worst_mistakes(probabilities, true, most=20)

    predicted = probabilities.argmax(axis=1)
    wrong = [i for i in range(200) if predicted[i] != true[i]]
    by_confidence = sorted(wrong, key=lambda i: -float(probabilities[i].max()))
    assert found.index.tolist() == by_confidence[:20]
    assert found.total == len(wrong)
    assert np.array_equal(found.true, true[found.index])
    assert np.array_equal(found.predicted, predicted[found.index])
    assert np.array_equal(found.confidence, probabilities[found.index].max(axis=1))


def test_a_perfect_network_makes_none():
    found = worst_mistakes(np.eye(3), [0, 1, 2], most=5)
    assert found.total == 0
    assert len(found.index) == 0


PROBABILITIES = [
    [0.70, 0.20, 0.10],  # right
    [0.60, 0.30, 0.10],  # a 1 taken for 0
    [0.05, 0.05, 0.90],  # a 1 taken for 2
    [0.10, 0.44, 0.46],  # a 1 taken for 2
    [0.90, 0.10, 0.00],  # a 2 taken for 0, held for impossible
]
TRUE = [0, 1, 1, 1, 2]


def test_each_answer_is_compared_with_the_truth():
    judged = judge(PROBABILITIES, TRUE)
    assert judged.is_wrong.tolist() == [False, True, True, True, True]
    assert judged.predicted.tolist() == [0, 0, 2, 2, 0]
    assert judged.confidence == pytest.approx([0.7, 0.6, 0.9, 0.46, 0.9])
    # Ahead of the runner-up where it is right, of the true class where it is wrong.
    assert judged.margin == pytest.approx([0.5, 0.3, 0.85, 0.02, 0.9])
    assert judged.loss[:4] == pytest.approx(-np.log([0.7, 0.3, 0.05, 0.44]))


def test_a_true_class_held_for_impossible_has_a_finite_loss():
    judged = judge(PROBABILITIES, TRUE)
    assert 100 < judged.loss[4] < 104
    assert choose_examples(judged, [2, 4], order="loss").tolist() == [4, 2]


@pytest.mark.parametrize(
    ("order", "chosen"),
    [("loss", [4, 2, 1, 3]), ("confidence", [2, 4, 1, 3]), ("margin", [3, 1, 2, 4])],
)
def test_the_most_telling_come_first(order, chosen):
    judged = judge(PROBABILITIES, TRUE)
    wrong = np.flatnonzero(judged.is_wrong)
    assert choose_examples(judged, wrong, order=order).tolist() == chosen


def test_an_order_that_is_given_is_kept():
    judged = judge(PROBABILITIES, TRUE)
    assert choose_examples(judged, [3, 1, 4], order="as they are").tolist() == [3, 1, 4]


@pytest.mark.parametrize(
    ("conditions", "chosen"),
    [
        ({"true": 1}, [2, 1, 3]),
        ({"predicted": 0}, [4, 1]),
        ({"true": 1, "predicted": 2}, [2, 3]),
        ({"confidence": (0.5, 0.8)}, [1]),
        ({"true": 0}, []),
    ],
)
def test_only_what_meets_all_conditions_is_chosen(conditions, chosen):
    judged = judge(PROBABILITIES, TRUE)
    wrong = np.flatnonzero(judged.is_wrong)
    assert choose_examples(judged, wrong, **conditions).tolist() == chosen


def test_answers_that_are_no_numbers_are_not_lost():
    judged = judge(np.full((2, 3), np.nan), [1, 1])
    assert sorted(choose_examples(judged, [0, 1], confidence=(0.5, 0.6))) == [0, 1]
