"""Messages: whatever is wrong, a person can read the sentence about it."""

from __future__ import annotations

from typing import Any

import pytest

from neuralscope.errors import LONGEST_MESSAGE, DataError, UnclearLabel, WeightsError, quoted


def bottomless() -> list[Any]:
    found: list[Any] = []
    for _ in range(100_000):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("relu", "'relu'"),
        (["relu", 3], "['relu', 3]"),
        ("two\nlines", "'two\\nlines'"),
        ("x" * 1_000_000, "'" + "x" * 76 + "..."),
        (["x" * 1_000_000], "['" + "x" * 75 + "..."),
        (10**10_000, "far too long"),
        (bottomless(), "far too long"),
    ],
    ids=["text", "list", "lines", "long", "long in a list", "large", "deep"],
)
def test_a_value_from_outside_is_quoted_on_one_short_line(value: object, shown: str) -> None:
    assert quoted(value) == shown


def test_a_message_is_cut_where_a_long_value_was_not_quoted() -> None:
    for error in (
        WeightsError(f"{'x' * 100_000} is too long."),
        UnclearLabel(f"{'x' * 100_000} is too long.", ()),
    ):
        assert len(str(error)) == LONGEST_MESSAGE
        assert str(error).startswith("xxx")
        assert str(error).endswith("xxx is too long.")
    assert str(DataError("Short.")) == "Short."
