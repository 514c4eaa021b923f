"""Labels, whatever they are written as, made into the classes 0, 1, 2... and their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralscope.data.own_files.limits import (
    FEWEST_CLASSES,
    FEWEST_OF_A_CLASS,
    LONGEST_CLASS_NAME,
    MOST_CLASSES,
    Unfit,
    shown,
)
from neuralscope.data.own_files.naming import Part

_WHOLE = re.compile(r"[+-]?[0-9]+(\.0*)?|[+-]?[0-9]\.[0-9]{6,}e[+-][0-9]{2,3}", re.ASCII)
"""A whole number as people write it, and as `np.savetxt` does: '7', '7.0', '7.000000e+00'."""

_DECIMAL = re.compile(r"[+-]?[0-9]*\.?[0-9]+(e[+-][0-9]{2,3})?", re.ASCII)


def values_of(texts: Sequence[str]) -> NDArray[Any]:
    """Return the different labels of a table: as numbers if all are whole numbers, else as text.

    '0_1' and '1e1' are text, though Python reads numbers in them. So are labels of which two would
    be the same number.

    Raises:
        Unfit: Labels are missing, or are fractions.
    """
    written = [text for text in texts if text and text.lower() != "nan"]
    if written and all(map(_WHOLE.fullmatch, written)):
        numbers = [float(text) for text in written]
        if all(map(float.is_integer, numbers)) and len(set(numbers)) == len(numbers):
            if len(written) < len(texts):
                raise Unfit("a label is not a number (empty or NaN)")
            return np.array(numbers)
    if written and len(written) == len(texts) and all(map(_DECIMAL.fullmatch, written)):
        fraction = next((text for text in written if not float(text).is_integer()), None)
        if fraction is not None:
            raise Unfit(f"the label {fraction} is not a whole number, so this is not the label")
    return np.array(texts, dtype=np.str_)


def numbered(
    labels: Mapping[Part, NDArray[Any]], names: NDArray[Any] | None, *, fewest: int = FEWEST_CLASSES
) -> tuple[dict[Part, NDArray[np.int64]], tuple[str, ...]]:
    """Return the labels of each part as 0, 1, 2..., and what each is called.

    Args:
        labels: (n,) of numbers or text, for each part.
        names: Names for the numbers 0, 1, 2..., if the files hold any.
        fewest: How many different ones there must be.

    Raises:
        Unfit: They are not labels.
    """
    texts = any(values.dtype.kind in "US" for values in labels.values())
    read = _texts if texts else _wholes
    plain = {part: read(_one_each(values)) for part, values in labels.items()}
    known = np.unique(np.concatenate(list(plain.values())))
    if texts and len(known) <= MOST_CLASSES:
        known = np.array(sorted(known.tolist(), key=_natural_order), dtype=known.dtype)
    if not fewest <= len(known) <= MOST_CLASSES:
        raise Unfit(too_many_classes(f"{len(known):,}"))
    place = {value: number for number, value in enumerate(known.tolist())}
    numbers = {
        part: np.array([place[value] for value in values.tolist()], np.int64)
        for part, values in plain.items()
    }
    given = None if names is None or texts or names.ndim != 1 else _texts(names).tolist()
    if given is not None and 0 <= known.min() and known.max() < len(given):
        called = [str(given[int(value)]) for value in known]
    else:
        called = [str(value) for value in known.tolist()]
    return numbers, _class_names(called)


def check_classes(labels: NDArray[np.integer], class_names: Sequence[str]) -> None:
    """Refuse classes with too few training examples.

    Raises:
        Unfit: A class has too few.
    """
    counts = np.bincount(labels, minlength=len(class_names)).tolist()
    for name, count in zip(class_names, counts, strict=True):
        if count < FEWEST_OF_A_CLASS:
            examples = "example" if count == 1 else "examples"
            raise Unfit(
                f"class {name} has {count} training {examples}; each needs at least "
                f"{FEWEST_OF_A_CLASS}"
            )


def too_many_classes(n_different: str) -> str:
    """Say that so many different values cannot be classes."""
    if n_different == "1":
        return f"all its labels are the same; there must be at least {FEWEST_CLASSES} classes"
    return (
        f"it has {n_different} different labels; there can be {FEWEST_CLASSES} to {MOST_CLASSES} "
        "classes"
    )


def _natural_order(name: str) -> list[str | int]:
    """Return a key that sorts 'kind 10' behind 'kind 9'."""
    # Split like this, every other part is digits: texts are compared with texts only.
    parts = re.split(r"([0-9]{1,9})", name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]


def _one_each(values: NDArray[Any]) -> NDArray[Any]:
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise Unfit(f"labels of shape {values.shape} are not one for each image")
    return values


def _wholes(values: NDArray[Any]) -> NDArray[np.int64]:
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise Unfit("a label is not a number (NaN or infinite)")
        if (values != np.rint(values)).any():
            raise Unfit("the labels are not whole numbers, so they are not labels")
    if values.size and (values.min() < -(2**53) or values.max() > 2**53):
        raise Unfit("the labels are far too large to be labels")
    return values.astype(np.int64)


def _texts(values: NDArray[Any]) -> NDArray[np.str_]:
    if values.dtype.kind == "S":
        try:
            values = np.char.decode(values, "utf-8")
        except UnicodeDecodeError as error:
            raise Unfit("a label is not text in UTF-8") from error
    return np.char.strip(values.astype(np.str_))


def _class_names(called: Iterable[str]) -> tuple[str, ...]:
    names = tuple(" ".join(name.split()) for name in called)
    for name in names:
        if not name:
            raise Unfit("a label is empty")
        if not name.isprintable() or len(name) > LONGEST_CLASS_NAME:
            raise Unfit(
                f"the label {shown(name)} cannot name a class: at most {LONGEST_CLASS_NAME} "
                "printable characters"
            )
    if len(set(names)) < len(names):
        raise Unfit("two classes have the same name")
    return names
