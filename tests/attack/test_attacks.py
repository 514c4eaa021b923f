"""A handful of the cases of each attack; `python -m benchmarks.attack...` does thousands."""

from __future__ import annotations

import pytest

from benchmarks.attack import damage, faults, inputs, kills, workers

KILLED = range(3)
DAMAGED = range(4)
READ = range(16)
FAILING = ("pipe as weights", "/dev/zero as picture")


PATIENCE = 120.0
"""Seconds after which a case counts as hanging, here where others share the machine."""


def findings(module: str, numbers: list[int] | range) -> list[str]:
    return [
        f"case {outcome.number} ({outcome.kind}): {fault}"
        for outcome in workers.attack(module, numbers, seed=0, processes=1, patience=PATIENCE)
        for fault in outcome.faults
    ]


def test_killed_runs_end_in_the_same_bits() -> None:
    assert findings(kills.__name__, KILLED) == []


def test_damaged_stores_are_shown_as_far_as_they_are_whole() -> None:
    assert findings(damage.__name__, DAMAGED) == []


def test_altered_inputs_end_in_sentences() -> None:
    assert findings(inputs.__name__, READ) == []


def test_failing_surroundings_end_in_sentences() -> None:
    numbers = [n for n, (kind, _) in enumerate(faults.cases()) if kind in FAILING]
    assert len(numbers) == len(FAILING)
    assert findings(faults.__name__, numbers) == []


@pytest.mark.parametrize("module", [kills, damage, inputs, faults])
def test_what_an_attack_is_said_to_do_is_its_help(
    module: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["attack", "--help"])
    with pytest.raises(SystemExit, match="0"):
        module.main()  # type: ignore[attr-defined]
    assert "--seed" in capsys.readouterr().out
