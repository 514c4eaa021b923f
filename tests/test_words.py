"""A percentage never claims all or none where it is not so, and is written in one place."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from neuralscope import words
from neuralscope.cli import words as words_of_terminal
from neuralscope.ui import words as words_of_pages

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("share", "digits", "text"),
    [
        (0.98765, 2, "98.77 %"),
        (0.5, 1, "50.0 %"),
        (1.0, 2, "100.00 %"),
        (0.99999, 2, "99.99 %"),
        (0.9999, 1, "99.9 %"),
        (0.999, 0, "99 %"),
        (0.0, 0, "0 %"),
        (0.00001, 2, "<0.01 %"),
        (0.001, 0, "<1 %"),
        (0.006, 0, "1 %"),
        (3.0, 0, "300 %"),
        (None, 2, "–"),
        (math.nan, 2, "–"),
    ],
)
def test_a_hundred_percent_is_all_and_zero_percent_is_none(
    share: float | None, digits: int, text: str
) -> None:
    assert words.percent(share, digits) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (1e-9, "<0.1 %"),
        (0.0005, "0.1 %"),
        (0.0994, "9.9 %"),
        (0.0996, "10 %"),
        (0.9949, "99 %"),
        (0.995, "99.50 %"),
        (0.9999999, "99.99 %"),
        (1.0, "100 %"),
        (math.nan, "unknown"),
    ],
)
def test_certainty_is_never_claimed_where_there_is_none(share: float, text: str) -> None:
    assert words.short_percent(share) == text


def test_terminal_and_pages_write_the_same_percentage() -> None:
    # 9,999.6 of 10,000 right: an accuracy of several runs on average.
    assert words_of_terminal.percent(0.99996) == words_of_pages.percent(0.99996) == "99.99 %"


def test_accuracies_are_written_nowhere_else() -> None:
    # Python's way, and that of the charts, which would write 100.00 % for 0.99999.
    by_hand = re.compile(r"\{100 \* [^{}]*:\d*\.[1-9]f\} ?%|\"\.[1-9]%\"")
    files = [*(ROOT / "neuralscope").rglob("*.py"), *(ROOT / "pages").glob("*.py")]
    found = [file.name for file in files if by_hand.search(file.read_text(encoding="utf-8"))]
    assert found == []
