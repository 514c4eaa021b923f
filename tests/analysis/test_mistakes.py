"""Mistakes are found by brute force too."""

import numpy as np

from neuralscope.analysis import worst_mistakes


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
