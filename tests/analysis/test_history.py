"""What became of each example, on histories small enough to be read."""

from __future__ import annotations

import numpy as np
import pytest

from neuralscope.analysis import fates, suspicious_labels, tell_history

# Answers of four snapshots (rows) to six digits (columns).
HISTORY = np.array(
    [
        [1, 0, 2, 2, 0, 2],
        [1, 1, 2, 2, 0, 1],
        [1, 0, 2, 1, 0, 2],
        [1, 2, 2, 2, 1, 2],
    ],
    np.uint8,
)
TRUE = np.array([1, 1, 1, 1, 0, 1])


def sure_of(answers: np.ndarray, confidence: list[float]) -> np.ndarray:
    """Return probabilities (n, 3) with those answers and confidences."""
    rest = (1 - np.array(confidence)) / 2
    probabilities = np.tile(rest[:, None], 3)
    probabilities[np.arange(len(answers)), answers] = confidence
    return probabilities


def test_the_wrong_answers_are_forgotten_or_were_never_learned() -> None:
    found = fates(HISTORY, TRUE, predicted=HISTORY[-1])
    assert found.forgotten.tolist() == [1, 3, 4, 5]
    assert found.never_learned.tolist() == [2]


def test_what_is_right_now_is_neither_however_often_it_was_wrong() -> None:
    found = fates([[0], [0], [0]], [1], predicted=[1])
    assert len(found.forgotten) == len(found.never_learned) == 0


def test_without_any_snapshot_nothing_was_ever_right() -> None:
    found = fates(np.empty((0, 2)), [0, 0], predicted=[0, 1])
    assert found.never_learned.tolist() == [1]
    assert len(found.forgotten) == 0


def test_a_label_is_suspicious_where_all_snapshots_say_the_same_other_class() -> None:
    probabilities = sure_of(HISTORY[-1], [0.9] * 6)
    found = suspicious_labels(HISTORY, TRUE, probabilities)
    # Digit 3 was once right, 5 too; only digit 2 was taken for a 2 by more than 4 in 5.
    assert found.index.tolist() == [2]
    assert found.other.tolist() == [2]
    assert found.share.tolist() == [1.0]
    assert found.evidence == pytest.approx([0.9])


def test_a_wrong_label_among_right_ones_comes_first() -> None:
    rng = np.random.default_rng(0)
    written = rng.integers(0, 10, 200)
    labels = written.copy()
    labels[17] = (written[17] + 1) % 10  # a slip of whoever labelled it
    history = np.tile(written, (10, 1))
    history[:, 50] = (written[50] + np.arange(10)) % 10  # hard, but not always the same mistake
    history[:, 60] = (written[60] + 1) % 10  # always the same mistake, hesitantly
    probabilities = np.full((200, 10), 0.01)
    probabilities[np.arange(200), history[-1]] = 0.91
    probabilities[60] = 0.08
    probabilities[60, history[-1, 60]] = 0.28
    found = suspicious_labels(history, labels, probabilities)
    assert found.index.tolist() == [17, 60]
    assert found.other[0] == written[17]


def test_evidence_is_the_share_of_snapshots_times_the_probability_now() -> None:
    history = np.array([[1, 1], [1, 1], [1, 1], [1, 0], [1, 1]])  # 5 of 5, and 4 of 5
    found = suspicious_labels(history, [0, 0], sure_of(np.array([1, 1]), [0.6, 0.9]))
    assert found.index.tolist() == [1, 0]
    assert found.evidence == pytest.approx([0.8 * 0.9, 1.0 * 0.6])


@pytest.mark.parametrize("n_snapshots", [0, 1, 2])
def test_too_few_snapshots_make_nothing_suspicious(n_snapshots: int) -> None:
    found = suspicious_labels(np.ones((n_snapshots, 1)), [0], [[0.0, 1.0]])
    assert len(found.index) == 0


@pytest.mark.parametrize(
    ("right", "sentence"),
    [
        ("", "No snapshot has seen it."),
        ("1111", "Right in every snapshot."),
        ("0000", "Wrong in every snapshot."),
        ("0111", "Right from epoch 3."),
        ("0110", "Right from epoch 3, lost at epoch 1,011."),
        ("1000", "Right from the start, lost at epoch 3."),
        ("1010", "Right from the start, lost at epoch 3, right again from epoch 8, "
         "lost at epoch 1,011."),
        ("0101", "Right from epoch 3, lost at epoch 8, right again from epoch 1,011."),
    ],
)  # fmt: skip
def test_the_story_of_a_digit(right: str, sentence: str) -> None:
    epochs = [0, 3, 8, 1011][: len(right)]
    assert tell_history([c == "1" for c in right], epochs) == sentence


def test_a_story_that_begins_with_a_trained_network() -> None:
    assert tell_history([True, False], [1, 2]) == "Right from epoch 1, lost at epoch 2."


def test_a_story_with_many_turns_is_summed_up() -> None:
    right = [False, True, False, True, False, True, True]
    assert tell_history(right, range(7)) == (
        "Right in 4 of 7 snapshots; it changed 5 times, last right since epoch 5."
    )
    assert tell_history([not r for r in right], range(7)).endswith("last lost at 5.")
