"""Which column of a table is the label, decided by its header and first rows."""

from __future__ import annotations

from typing import Any

import pytest

from neuralscope.data.own_files.columns import (
    Columns,
    LabelUnclear,
    columns_of,
    is_header,
    settled,
)
from neuralscope.data.own_files.limits import Unfit, Unlabelled


def rows(*columns: Any, n: int = 30) -> list[list[str]]:
    """Return rows whose cells come from one function or list for each column."""
    return [
        [str(column(i) if callable(column) else column[i % len(column)]) for column in columns]
        for i in range(n)
    ]


LABEL, INDEX, TEXT, FILE = [0, 1, 2], (lambda i: i), ["cat", "dog"], (lambda i: f"{i}.png")
GRAY = [[9, 3, 7], [8, 8, 1], [5, 6, 4], [2, 1, 3]]


@pytest.mark.parametrize(
    ("header", "columns", "label", "left_out"),
    [
        (None, [TEXT, *GRAY], 0, {}),
        (None, [*GRAY, TEXT], 4, {}),
        (None, [INDEX, TEXT, *GRAY], 1, {0: "an index"}),
        (None, [FILE, TEXT, *GRAY], 1, {0: "a different value in each row"}),
        ("label,a,b,c,d", [LABEL, *GRAY], 0, {}),
        ("a,b,c,d,Target", [*GRAY, LABEL], 4, {}),
        ("p0,p1,p2,p3,symbol", [*GRAY, LABEL], 4, {}),
        ("digit,0,1,2,3", [LABEL, *GRAY], 0, {}),
        ("0,1,2,3,y", [*GRAY, LABEL], 4, {}),
        (",label,p0,p1,p2,p3", [INDEX, LABEL, *GRAY], 1, {0: "an index"}),
        ("Unnamed: 0,sign,p0,p1,p2,p3", [INDEX, LABEL, *GRAY], 1, {0: "an index"}),
        ("p0,p1,p2,p3,label,id", [*GRAY, LABEL, INDEX], 4, {5: "an index"}),
        ("file,kind,p0,p1,p2,p3", [FILE, TEXT, *GRAY], 1, {0: "a different value in each row"}),
        (
            "label,label_name,p0,p1,p2,p3",
            [LABEL, TEXT, *GRAY],
            0,
            {1: "neither a pixel nor the label"},
        ),
        ("0,0.1,0.2,0.3,0.4", [LABEL, *GRAY], 0, {}),  # pandas took a row for the header
        ("id,p0,p1,p2,p3", [LABEL, *GRAY], 0, {}),  # called an index, but its values repeat
    ],
)
def test_one_reading(
    header: str | None, columns: list[Any], label: int, left_out: dict[int, str]
) -> None:
    decided = columns_of(header.split(",") if header else None, rows(*columns))
    assert decided.candidates == (label,)
    assert decided.left_out == left_out
    assert len(decided.pixels) == 4


def test_a_label_that_is_not_called_like_one_has_a_reason() -> None:
    decided = columns_of(["p0", "p1", "p2", "p3", "symbol"], rows(*GRAY, LABEL))
    assert decided.reason == "the only column that is not a pixel"


def test_of_numbers_without_a_header_the_first_or_the_last_may_be_the_label() -> None:
    decided = columns_of(None, rows(LABEL, *GRAY))
    assert decided == Columns((1, 2, 3), (0, 4), others_are_pixels=True)
    assert columns_of(None, rows(INDEX, LABEL, *GRAY)).candidates == (1, 5)


def test_of_two_columns_that_are_not_pixels_either_may_be_the_label() -> None:
    decided = columns_of(["kind", "sort", "p0", "p1", "p2", "p3"], rows(LABEL, TEXT, *GRAY))
    assert decided.candidates == (0, 1)
    assert not decided.others_are_pixels


@pytest.mark.parametrize(
    ("header", "wanted", "label"),
    [
        (None, "1", 0),
        (None, "5", 4),
        (["p0", "p1", "p2", "p3", "Kind"], "kind", 4),
        (["p0", "p1", "p2", "p3", "Kind"], "5", 4),
        (["p0", "p1", "p2", "p3", "p4"], "p0", 0),
        (["label", "p0", "p1", "p2", "p3"], "p3", 4),
    ],
)
def test_a_person_has_the_last_word(header: list[str] | None, wanted: str, label: int) -> None:
    decided = columns_of(header, rows(LABEL, *GRAY), wanted=wanted)
    assert decided.candidates == (label,)


@pytest.mark.parametrize("wanted", ["0", "6", "nose"])
def test_a_column_that_is_not_there(wanted: str) -> None:
    with pytest.raises(Unfit, match=r"there is no column"):
        columns_of(None, rows(LABEL, *GRAY), wanted=wanted)


@pytest.mark.parametrize("header", [None, ["p0", "p1", "p2", "p3"], ["0", "1", "2", "3"]])
def test_pixels_alone_are_a_test_file(header: list[str] | None) -> None:
    with pytest.raises(Unlabelled, match="4 pixels and no label: this looks like a test file"):
        columns_of(header, rows(*GRAY))


def test_a_list_of_answers_has_no_pixels() -> None:
    with pytest.raises(Unlabelled, match="no pixels"):
        columns_of(["ImageId", "Label"], rows(INDEX, LABEL))


def test_a_shape_that_is_known_decides_what_is_a_picture() -> None:
    columns = [LABEL, *GRAY, *GRAY]  # 9 would be a square
    assert columns_of(None, rows(*columns), shape=(2, 4)).candidates == (0, 8)


class TestSettled:
    ENDS = Columns((1, 2, 3), (0, 4), others_are_pixels=True)
    TITLES = tuple(f"column {i}" for i in range(1, 6))

    def label(self, first: dict[str, int], last: dict[str, int]) -> int:
        return settled(self.ENDS, {0: first, 4: last}, self.TITLES, range(1, 6))

    @pytest.mark.parametrize(
        "pixel",
        [
            {"0": 60},  # a corner is often empty
            {str(shade): 1 for shade in range(60)},
            {"0": 57, "3": 1, "200": 2},
            {"0.5": 30, "0": 30},
        ],
    )
    def test_the_only_one_that_can_be(self, pixel: dict[str, int]) -> None:
        label = {"0": 20, "1": 20, "2": 20}
        assert self.label(label, pixel) == 0
        assert self.label(pixel, label) == 4

    def test_where_both_can_be_nobody_guesses(self) -> None:
        with pytest.raises(LabelUnclear) as caught:
            self.label({"0": 30, "1": 30}, {"10": 20, "9": 40})
        assert caught.value.columns == {
            1: "column 1 (2 classes: 0, 1)",
            5: "column 5 (2 classes: 9, 10)",
        }

    def test_where_neither_can_be_it_is_said(self) -> None:
        with pytest.raises(Unfit, match="neither column 1 nor column 5 can be the label"):
            self.label({"0": 60}, {"1": 60})


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("label,p0,p1", "3,0,0", True),
        ("label,1,2", "cat,0,0", True),
        ("0,1,2,3,4", "9,9,9,9,9", True),
        ("sign,0,1,2,3,4", "cat,9,9,9,9,9", True),
        (",0,1,2,3,4", "0,9,9,9,9,9", True),
        ("0,1,2,3,4,y", "9,9,9,9,9,1", True),
        ("emotion,pixels0,pixels1", "3,0,0", True),
        ("0,0.1,0.2,12,0.3,0.4,0.5", "3,0,0,9,9,1,1", True),
        ("Y,0,255", "Z,0,0", False),
        ("cat,1,2,3,4", "dog,1,2,3,4", False),
        ("a.png,cat,0,0", "b.png,dog,0,0", False),
        ("0,255,13,0,0", "1,0,0,0,0", False),
        ("0,0.1,0.5,0.25,0.3,0.4,0.5", "1,0,0,0,0,0,0", False),
    ],
)
def test_a_header_is_told_from_a_row(first: str, second: str, expected: bool) -> None:
    assert is_header(first.split(","), second.split(",")) is expected
