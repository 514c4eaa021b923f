"""Those who watch the cases of an attack see whatever can happen to a process."""

from __future__ import annotations

import pytest

from benchmarks.attack import workers
from tests.attack import pretended


def test_death_hanging_and_memory_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "MOST_MEMORY", pretended.HOLD)
    outcomes = {
        outcome.kind: outcome.faults
        for outcome in workers.attack(
            pretended.__name__, range(len(pretended.KINDS)), seed=0, processes=1, patience=2.0
        )
    }
    assert list(outcomes) == list(pretended.KINDS), "each case is done, whatever the one before did"
    assert outcomes["all is well"] == []
    assert outcomes["two faults"] == ["one", "two"]
    for kind, words in (
        ("raises", "the attack itself failed"),
        ("exits", "died of status 3"),
        ("is killed", "died of SIGKILL"),
        ("hangs", "no answer within 2 s"),
        ("takes memory", "a process took"),
    ):
        [fault] = outcomes[kind]
        assert words in fault


def test_seed_and_number_make_the_case() -> None:
    assert workers.chance_of(0, 7).random() == workers.chance_of(0, 7).random()
    assert workers.chance_of(0, 7).random() != workers.chance_of(1, 7).random()
    assert workers.chance_of(0, 7).random() != workers.chance_of(0, 8).random()
