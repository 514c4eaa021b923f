"""What the names of files and arrays say: which part of the data, and images or labels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, NamedTuple

from numpy.typing import NDArray

Part = Literal["train", "validation", "test"]
Role = Literal["images", "labels", "names"]

PARTS: dict[str, Part] = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "t10k", "te", "tst"), "test"),
}
ORDER: tuple[Part, ...] = ("train", "validation", "test")
_ROLES: dict[str, Role] = {
    **dict.fromkeys(
        ("x", "image", "images", "img", "imgs", "data", "pixels", "features", "pictures"), "images"
    ),
    **dict.fromkeys(("y", "label", "labels", "target", "targets"), "labels"),
    **dict.fromkeys(("names", "classes", "categories"), "names"),
}


class Found(NamedTuple):
    """An array of a file, and what its name or form says that it is."""

    part: Part | None
    role: Role | None
    values: NDArray[Any]


def words(name: str) -> list[str]:
    """Split a name into its words: 'X_train', 'xTrain', 'trainX' and 'train-images' alike."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    split = []
    for word in re.findall(r"t10k|[a-z]+", spaced.lower()):
        if word[0] in "xy" and word[1:] in PARTS:  # 'xtrain'
            split += [word[0], word[1:]]
        else:
            split.append(word)
    return split


def part_in(name: str) -> Part | None:
    """Return the part of the data that a name speaks of."""
    return next((PARTS[word] for word in words(name) if word in PARTS), None)


def named_array(key: str, values: NDArray[Any]) -> Found:
    """Return an array with what its key in an archive says about it."""
    roles = [_ROLES[word] for word in words(key) if word in _ROLES]
    # 'label_names' and 'target_names' are names.
    role = "names" if "names" in roles else roles[0] if roles else None
    return Found(part_in(key), role, values)


def shape_in(text: str) -> tuple[int, int] | None:
    """Return rows and columns that a name such as 'signs-12x20.csv' speaks of."""
    match = re.search(r"(?<!\d)(\d{1,3})\s?[xX\u00d7]\s?(\d{1,3})(?!\d)", text)
    return (int(match[1]), int(match[2])) if match else None


def stem(file_name: str) -> str:
    """Return the name of a file without folders and endings."""
    name = Path(file_name).name
    for ending in (".gz", ".npz", ".csv", ".tsv", ".txt", ".idx", "-ubyte", ".ubyte"):
        if len(name) > len(ending):
            name = name.removesuffix(ending)
    return name


def title_of(file_names: list[str]) -> str:
    """Return what data from these files is called: empty where their names do not say."""
    if len(file_names) == 1:
        return stem(file_names[0])
    # Of several files, 'train-images-idx3' says what one of them holds, not what all are about.
    parts = r"(^|[-_.])(train|t10k|test|images|labels|imgs|idx[13])(?=[-_.]|$)"
    return re.sub(parts, "", stem(file_names[0])).strip("-_. ")
