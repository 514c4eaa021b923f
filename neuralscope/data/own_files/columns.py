"""What the columns of a table mean: which are pixels, which is the label, which are left out.

Decided by the header and the first rows alone, without a file, in `columns_of`. Where they leave a
choice, `settled` looks at how often each value stands in the columns in question. Where two
readings still fit, nobody guesses: `LabelUnclear` names them, and a person decides.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from neuralscope.data.own_files.limits import (
    FEWEST_CLASSES,
    FEWEST_OF_A_CLASS,
    MOST_CLASSES,
    Unfit,
    Unlabelled,
    shown,
)
from neuralscope.data.own_files.naming import PARTS, Part, words

LABEL_NAMES = (
    *("label", "labels", "class", "classes", "target", "targets"),
    *("category", "digit", "y"),
)
_INDEX_NAMES = ("", "id", "index", "idx", "imageid", "image_id", "row", "rowid", "row_id")
DIFFERENT = "a different value in each row"
_OR_NOT_SQUARE = (
    ". If one column is the label, put rows×columns of the pictures in the file name, such as "
    "signs-12x20.csv"
)
_PART_NAMES = ("usage", "split", "subset", "partition", "part", "set")


@dataclass(frozen=True)
class Columns:
    """What the columns of a table mean; all of them are counted from 0.

    Attributes:
        pixels: Those that are pixels for certain.
        candidates: Those of which one is the label; a decision if there is just one.
        others_are_pixels: Whether the candidates that are not the label are pixels.
        reason: Why it is decided so, in words; empty where the name of the column says it.
        left_out: Why a column is of no use, by the column.
        part: The column that says what a row is for, such as Usage, or None.
    """

    pixels: tuple[int, ...]
    candidates: tuple[int, ...]
    others_are_pixels: bool = False
    reason: str = ""
    left_out: Mapping[int, str] = field(default_factory=dict)
    part: int | None = None


class LabelUnclear(Unfit):
    """Two or more columns may be the label, and a person must say which is.

    Attributes:
        columns: The name of each column that may be the label, by its number.
    """

    def __init__(self, columns: Mapping[int, str]) -> None:
        """Name them."""
        super().__init__(f"its label may be {' or '.join(columns.values())}. Say which it is")
        self.columns = dict(columns)


def describe_column(number: int, name: str) -> str:
    """Return how a column is called in a sentence: by its number, and its name if it has one."""
    return f"column {number} '{shown(name)}'" if name else f"column {number}"


def is_number(cell: str) -> bool:
    """Return whether a cell can be read as a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # float('1_0') is 10; in a table it is a text


def is_header(first: Sequence[str], second: Sequence[str]) -> bool:
    """Return whether the first row of a table holds the names of its columns."""
    names = [cell for cell in first if cell and not is_number(cell)]
    numbers = [cell for cell in first if cell and is_number(cell)]
    stands_over_numbers = any(
        name and not is_number(name) and is_number(cell)
        for name, cell in zip(first, second, strict=False)
    )
    if len(names) > 1:
        # A row of texts that stands over another of the same kind is a row.
        return len(names) == len(first) or stands_over_numbers
    if names and names[0].lower() in LABEL_NAMES and names[0].lower() != "y":
        return True  # 'Y' may be a class too
    # pandas names columns by numbers that count; beside them stand a label and an unnamed index.
    counts = len(numbers) > 4 and len(numbers) >= len(first) - 2 and _counts(numbers)
    return counts or _is_renamed(first)


def columns_of(
    header: Sequence[str] | None,
    rows: Sequence[Sequence[str]],
    *,
    wanted: str | None = None,
    shape: tuple[int, int] | None = None,
) -> Columns:
    """Decide what the columns of a table mean.

    Args:
        header: The names of the columns, if the table has any.
        rows: Its first rows, some hundreds at best; as many cells in each.
        wanted: The label by a person's word: a column's name, or its number from 1.
        shape: Rows and columns of the pictures, where the file says them.

    Raises:
        Unlabelled: There is no label, or not the one wanted, or there are no pixels.
    """
    n = len(rows[0])
    names = [""] * n if header is None else [*header, *[""] * n][:n]
    values = list(zip(*(([*row, *[""] * n][:n]) for row in rows), strict=True))
    label = None if wanted is None else _column_wanted(wanted, names)
    part = next((i for i in range(n) if i != label and _says_parts(names[i], values[i])), None)
    rest = [i for i in range(n) if i not in (label, part)]
    family = _family(names) if header is not None else frozenset()
    found = _by_names(names, values, rest, label, family, shape)
    if found is None:
        found = _by_values(names, values, rest, label, shape, has_header=header is not None)
    n_others = len(found.candidates) - 1 if found.others_are_pixels else 0
    if not len(found.pixels) + n_others:
        raise Unlabelled("it has no pixels")
    if not found.candidates:
        raise Unlabelled(
            f"it has {len(found.pixels):,} pixels and no label: this looks like a test file "
            "without labels"
            f"{'' if family else _OR_NOT_SQUARE}"
        )
    return Columns(
        found.pixels,
        found.candidates,
        found.others_are_pixels,
        "as you said" if wanted is not None else found.reason,
        found.left_out,
        part,
    )


def settled(
    columns: Columns,
    counts: Mapping[int, Mapping[str, int]],
    titles: Sequence[str],
    numbers: Sequence[int],
) -> int:
    """Return which candidate is the label.

    Args:
        columns: What `columns_of` has decided.
        counts: How often each value stands in a column, for every candidate.
        titles: How each column of the table is called.
        numbers: The number by which a person can name each column.

    Raises:
        LabelUnclear: More than one can be.
        Unfit: None can be.
    """
    if len(columns.candidates) == 1:
        return columns.candidates[0]
    possible = [each for each in columns.candidates if _can_be_label(counts[each])]
    # A few dots at the rim of a picture look like classes of one or two examples.
    possible = [
        each for each in possible if min(counts[each].values()) >= FEWEST_OF_A_CLASS
    ] or possible
    if not possible:
        either = " nor ".join(titles[each] for each in columns.candidates)
        raise Unfit(
            f"neither {either} can be the label: a label has {FEWEST_CLASSES} to {MOST_CLASSES} "
            "different values, whole numbers or text"
        )
    if len(possible) > 1:
        raise LabelUnclear(
            {numbers[each]: _with_classes(titles[each], counts[each]) for each in possible}
        )
    return possible[0]


def part_named(cell: str) -> Part | None:
    """Return which part a cell of a column such as Usage names.

    >>> part_named("Training"), part_named("PublicTest"), part_named("PrivateTest")
    ('train', 'validation', 'test')
    """
    if cell.lower() == "publictest":  # the leaderboard that everybody tunes on
        return "validation"
    return next((PARTS[word] for word in words(cell) if word in PARTS), None)


def fits(n_pixels: int, shape: tuple[int, int] | None) -> bool:
    """Return whether so many pixels make a picture: of the shape that is known, or a square."""
    if shape is not None and math.prod(shape) == n_pixels:
        return True
    return n_pixels > 1 and math.isqrt(n_pixels) ** 2 == n_pixels


# By the names of the columns ---------------------------------------------------------------------


def _by_names(
    names: Sequence[str],
    values: Sequence[Sequence[str]],
    rest: Sequence[int],
    label: int | None,
    family: frozenset[int],
    shape: tuple[int, int] | None,
) -> Columns | None:
    """Decide by a header in which most columns are called alike, or return None."""
    others = [i for i in rest if i not in family]
    if not family or (not others and label is None):
        return None
    pixels = tuple(i for i in rest if i in family)
    left_out = {i: "an index" for i in others if _is_index(names[i], values[i])}
    candidates = [i for i in others if i not in left_out] if label is None else [label]
    named = [i for i in candidates if names[i].lower() in LABEL_NAMES]
    if len(named) == 1:
        candidates = named
    if len(candidates) > 1:
        different = [i for i in candidates if _is_different(values[i])]
        if len(different) < len(candidates):  # a short list may hold each label once
            left_out |= dict.fromkeys(different, DIFFERENT)
            candidates = [i for i in candidates if i not in left_out]
    if not candidates and not fits(len(pixels), shape):
        return None  # it may hide among the columns that are called alike
    if len(candidates) == 1:
        left_out |= dict.fromkeys(
            (i for i in others if i not in candidates and i not in left_out),
            "neither a pixel nor the label",
        )
    reason = "" if named else "the only column that is not a pixel"
    return Columns(pixels, tuple(candidates), False, reason, left_out)


def _family(names: Sequence[str]) -> frozenset[int]:
    """Return the columns that are called alike but for a number: 'pixel0', 'pixel1'..."""
    stems = [re.sub(r"\d+", "#", name.lower()) for name in names]
    counted = Counter(each for each in stems if "#" in each)
    if not counted:
        return frozenset()
    stem, times = counted.most_common(1)[0]
    if times < max(2, len(names) / 2):
        return frozenset()
    return frozenset(i for i, each in enumerate(stems) if each == stem)


def _column_wanted(wanted: str, names: Sequence[str]) -> int:
    """Return the column of a name, or of a number from 1."""
    if re.fullmatch(r"[0-9]{1,6}", wanted):
        if 1 <= int(wanted) <= len(names):
            return int(wanted) - 1
        raise Unlabelled(f"there is no column {int(wanted)}: it has {len(names):,} columns")
    same = [i for i, name in enumerate(names) if name == wanted] or [
        i for i, name in enumerate(names) if name and name.lower() == wanted.lower()
    ]
    if len(same) == 1:
        return same[0]
    what = "is no column" if not same else "are several columns"
    raise Unlabelled(f"there {what} called '{shown(wanted)}'; a number from 1 names a column too")


# By what stands in the columns -------------------------------------------------------------------


def _by_values(
    names: Sequence[str],
    values: Sequence[Sequence[str]],
    rest: Sequence[int],
    label: int | None,
    shape: tuple[int, int] | None,
    *,
    has_header: bool,
) -> Columns:
    """Decide where the names of the columns do not tell pixels from labels."""
    left_out = {i: "an index" for i in rest if has_header and _is_index(names[i], values[i])}
    rest = [i for i in rest if i not in left_out]
    texts = [i for i in rest if _is_text(values[i])]
    named = [i for i in rest if has_header and names[i].lower() in LABEL_NAMES]
    if len(texts) > 1 or (len(texts) == 1 and not fits(len(rest) - 1, shape)):
        # Names of files, say; a short list of labels may hold each once, too.
        alone = [i for i in texts if i not in (label, *named) and _is_different(values[i])]
        if len(alone) < len(texts) or fits(len(rest) - 2, shape):
            left_out |= dict.fromkeys(alone, DIFFERENT)
            rest = [i for i in rest if i not in left_out]
            texts = [i for i in texts if i not in left_out]
    candidates = [label] if label is not None else named or texts
    if len(named) > 1 and len(set(named) & set(texts)) == 1:
        candidates = [i for i in named if i in texts]
    if candidates:
        if len(candidates) == 1:
            left_out |= dict.fromkeys((i for i in texts if i not in candidates), "not a number")
        pixels = [i for i in rest if i not in candidates and i not in left_out]
        pixels = _without_index(pixels, values, shape, left_out)
        reason = "" if named else "the only column of text"
        return Columns(tuple(pixels), tuple(candidates), False, reason, left_out)
    # All are numbers. A label stands first or last; an index stands before it.
    if fits(len(rest), shape) and not fits(len(rest) - 1, shape):
        return Columns(tuple(rest), (), left_out=left_out)
    if not fits(len(rest) - 1, shape):
        rest = [*_without_index(rest, values, shape, left_out, and_a_label=True)]
    ends = tuple(dict.fromkeys((rest[0], rest[-1]))) if rest else ()
    pixels = [i for i in rest if i not in ends]
    return Columns(tuple(pixels), ends, True, "", left_out)


def _without_index(
    pixels: Sequence[int],
    values: Sequence[Sequence[str]],
    shape: tuple[int, int] | None,
    left_out: dict[int, str],
    *,
    and_a_label: bool = False,
) -> list[int]:
    """Return columns without an index at either end, where only without it they make a picture."""
    n_left = len(pixels) - 1 - and_a_label
    if not pixels or fits(len(pixels) - and_a_label, shape) or not fits(n_left, shape):
        return list(pixels)
    for end in (pixels[0], pixels[-1]):
        if _is_different(values[end]) and all(each.isdigit() for each in values[end]):
            left_out[end] = "an index"
            return [i for i in pixels if i != end]
    return list(pixels)


def _is_index(name: str, values: Sequence[str]) -> bool:
    """Return whether a column with a name is the index that pandas and R write beside a table."""
    is_named = name.lower() in _INDEX_NAMES or re.fullmatch(r"unnamed: ?\d+", name.lower())
    return bool(is_named) and (len(set(values)) == len(values) or not any(values))


def _is_different(values: Sequence[str]) -> bool:
    """Return whether no value stands there twice; of one or two rows that says nothing."""
    return len(values) > 2 and len(set(values)) == len(values)


def _is_text(values: Sequence[str]) -> bool:
    """Return whether most cells of a column hold text; a few among numbers are mistakes."""
    return sum(bool(each) and not is_number(each) for each in values) > len(values) / 2


def _counts(cells: Sequence[str]) -> bool:
    """Return whether cells count 0, 1, 2... or 1, 2, 3..."""
    return bool(cells) and any(
        all(cell == str(i) for i, cell in enumerate(cells, first)) for first in (0, 1)
    )


def _is_renamed(cells: Sequence[str]) -> bool:
    """Return whether a row is what pandas makes of a row of numbers that it took for a header.

    Of a second 0 it makes 0.1, of a third 0.2.
    """
    times: Counter[str] = Counter()
    for cell in cells:
        match = re.fullmatch(r"([0-9]{1,6})(?:\.([0-9]{1,6}))?", cell)
        if not match or int(match[2] or 0) != times[match[1]]:
            return False
        times[match[1]] += 1
    return len(cells) > 4 and len(times) < len(cells) / 2


def _says_parts(name: str, values: Sequence[str]) -> bool:
    return name.lower() in _PART_NAMES and all(part_named(each) for each in values)


def _can_be_label(counts: Mapping[str, int]) -> bool:
    if not FEWEST_CLASSES <= len(counts) <= MOST_CLASSES:
        return False
    return all(not is_number(value) or float(value).is_integer() for value in counts)


def _order(value: str) -> tuple[float, str]:
    return (float(value) if is_number(value) else math.inf, value)


def _with_classes(title: str, counts: Mapping[str, int]) -> str:
    classes = sorted(counts, key=_order)
    some = ", ".join(classes[:6]) + (", ..." if len(classes) > 6 else "")
    return f"{title} ({len(classes)} classes: {shown(some)})"
