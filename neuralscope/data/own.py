"""Data sets of a person's own: added once from their files, checked, and kept beside the others.

    name = add_dataset("signs.npz")          'own-signs-5f1c09ab'
    dataset = load_dataset(name)

What is kept is the compact copy that every data set has (`cache`), its rows in the order training,
validation, test, and beside it a small JSON record of what it holds. The record is written last
and counts: without one there is no data set. The end of the name comes from the contents, so the
same data always has the same name, and other data never has it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuralscope.data.cache import looks_whole, read_table, write_table
from neuralscope.data.contents import Contents, Table, digest_of
from neuralscope.data.dataset import Dataset, dataset_from
from neuralscope.data.fetch import ProgressCallback
from neuralscope.data.home import compact_path, data_home
from neuralscope.data.info import DatasetInfo
from neuralscope.data.own_files.orientation import AS_IS, WORDS
from neuralscope.data.split import Split
from neuralscope.errors import DataError, DataUnavailable, quoted
from neuralscope.files import read_regular, replacing

if TYPE_CHECKING:
    from neuralscope.data.own_files.reading import Pictures

NOUN = "picture"

LONGEST_TITLE = 60
_MOST_RECORD_BYTES = 1 << 20

_NAME = re.compile(r"own-([a-z0-9][a-z0-9-]{0,39})-[0-9a-f]{8}")


def is_own_name(name: object) -> bool:
    """Tell from its shape alone whether this can be the name of an own data set."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def own_slug(name: str) -> str:
    """Return the part of an own data set's name that was made from its title."""
    return name.removeprefix("own-")[:-9]


def add_dataset(
    source: Path | str | bytes | Mapping[str, bytes],
    name: str | None = None,
    *,
    label_column: str | int | None = None,
    orientation: str = AS_IS,
    invert: bool = False,
    data_home: Path | str | None = None,
) -> str:
    """Check a person's data and keep it as a data set.

    Understood are `.npz` files, CSV, and IDX (as MNIST is published), each also gzipped; what it is
    is told from the content. Where there is a choice of spelling:

    - `.npz`: images as `x`, `images`, `data`..., labels as `y`, `labels`, `target`...; with
      `train`, `validation` or `test` in the name for data that is split; `class_names` if any.
    - CSV: a row for each image, one column the label: the one that is not called like a pixel, the
      one called `label`, `class`, `target`, `digit` or `y`, the one with text, or else the first or
      the last, where only one of them can be. Commas, semicolons or tabs; decimal commas; a `sep=`
      line; all pixels of an image in one cell. An index is left out.
    - IDX: the file of the images by its path, with the file of the labels beside it (and the
      files of the test set, if there are any), or both as a mapping.
    - Pixels: whole numbers from 0 to 255 or fractions from 0 to 1; 0 is paper.
    - Flat images that are not square say their shape in the file's name: `signs-12x20.csv`.

    Args:
        source: A file, a folder with its files, the content of a file, or the contents of several
            files by name.
        name: What people call it; else the name of the file.
        label_column: Which column of a CSV file is the label: its name, or its number from 1.
        orientation: How to turn the images: 'as-is', 'transpose' (EMNIST), 'left', 'right' or
            'upside-down'.
        invert: Whether to swap ink and paper: for dark ink on light paper.
        data_home: Where data sets are kept.

    Returns:
        The name for configurations. The same data with the same name is kept once.

    Raises:
        UnclearLabel: More than one column may be the label; `label_column` says which.
        DataError: It cannot be used; the message names the file and the reason in one sentence.
    """
    # Not at the top: what only loads data has no need of readers.
    from neuralscope.data.own_files.reading import read_files

    pictures = read_files(source, name, label_column=label_column)
    return keep_pictures(pictures.turned(orientation, invert=invert), data_home=data_home)


def keep_pictures(
    pictures: Pictures, name: str | None = None, *, data_home: Path | str | None = None
) -> str:
    """Keep pictures that `own_files.reading.read_files` has read as a data set.

    Args:
        pictures: What is kept.
        name: What people call it; else the title of the pictures.
        data_home: Where data sets are kept.

    Returns:
        The name for configurations. The same data with the same name is kept once.

    Raises:
        DataError: It cannot be written.
    """
    home = _home(data_home)
    title = _title(name or pictures.title)
    table = pictures.table
    record = _Record(
        title=title,
        image_shape=pictures.image_shape,
        pixel_max=pictures.pixel_max,
        class_names=pictures.class_names,
        label_counts=tuple(np.bincount(table[:, -1], minlength=len(pictures.class_names)).tolist()),
        digest=digest_of(table),
        parts=pictures.parts,
        orientation=pictures.orientation,
        is_inverted=pictures.is_inverted,
    )
    key = f"own-{_slug(title)}-{record.fingerprint()[:8]}"
    path = compact_path(home, key)
    try:
        if not looks_whole(path, record.contents(key)) or _read(key, home) != record:
            _keep(path, table, record)
    except OSError as error:
        raise DataError(
            f"{title} cannot be kept in {path.parent}: {error.strerror or error}."
        ) from error
    return key


def own_datasets(data_home: Path | str | None = None, *, slug: str = "*") -> dict[str, DatasetInfo]:
    """Return what is known of every own data set that is here, in order of titles.

    Args:
        data_home: Where data sets are kept.
        slug: Only those whose names were made from this; from any by default.
    """
    home = _home(data_home)
    suffix = compact_path(home, "").stem
    found = {}
    for path in compact_path(home, "own").parent.glob(f"own-{slug}-*{suffix}.json"):
        name = path.stem.removesuffix(suffix)
        record = _read(name, home) if is_own_name(name) else None
        if record is not None and looks_whole(compact_path(home, name), record.contents(name)):
            found[name] = _info(name, record)
    return dict(sorted(found.items(), key=lambda item: (item[1].title.casefold(), item[0])))


def own_dataset(name: str, data_home: Path | str | None = None) -> DatasetInfo:
    """Return what is known of an own data set.

    Raises:
        DataUnavailable: It is not here (any more), or what is here of it is damaged.
    """
    home = _home(data_home)
    record = _read(name, home)
    if record is None or not looks_whole(compact_path(home, name), record.contents(name)):
        path = compact_path(home, name)
        is_here = os.path.lexists(path.with_suffix(".json"))  # it is written last
        raise DataUnavailable(
            f"The data set {own_slug(name) if is_own_name(name) else quoted(name)} is "
            f"{'damaged' if is_here else 'not on this computer any more'}: add its file again to "
            "train on it or to look at its pictures."
        )
    return _info(name, record)


def remove_dataset(name: str, data_home: Path | str | None = None) -> None:
    """Delete what is kept of an own data set; the file it came from stays.

    Raises:
        DataError: It cannot be deleted.
    """
    if not is_own_name(name):
        raise DataError(f"{name!r} is no data set of your own.")
    path = compact_path(_home(data_home), name)
    try:
        path.with_suffix(".json").unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"{path} cannot be deleted: {error.strerror or error}.") from error


# What is kept ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Record:
    """What is written down of a data set.

    `parts` are the rows for training, validation and test; `orientation` and `is_inverted` say how
    the pictures of the file were turned before they were kept.
    """

    title: str
    image_shape: tuple[int, int]
    pixel_max: int
    class_names: tuple[str, ...]
    label_counts: tuple[int, ...]
    digest: str
    parts: tuple[int, int, int]
    orientation: str = AS_IS
    is_inverted: bool = False

    def as_json(self) -> dict[str, Any]:
        # What is not turned is written as it was before there was a choice: names are made of it.
        usual = {"orientation": AS_IS, "is_inverted": False}
        return {key: value for key, value in vars(self).items() if usual.get(key) != value}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> _Record:
        """Rebuild what `as_json` wrote. Raises whatever Exception if it did not."""
        height, width = (int(n) for n in values["image_shape"])
        n_train, n_validation, n_test = (int(n) for n in values["parts"])
        record = cls(
            title=_title(str(values["title"])),
            image_shape=(height, width),
            pixel_max=int(values["pixel_max"]),
            class_names=tuple(str(each) for each in values["class_names"]),
            label_counts=tuple(int(n) for n in values["label_counts"]),
            digest=str(values["digest"]),
            parts=(n_train, n_validation, n_test),
            orientation=str(values.get("orientation", AS_IS)),
            is_inverted=values.get("is_inverted", False) is True,
        )
        sizes = (height, width, record.pixel_max, *record.parts)
        if (
            min(sizes) < 1
            or len(record.class_names) != len(record.label_counts)
            or sum(record.parts) != sum(record.label_counts)
            or not re.fullmatch("[0-9a-f]{64}", record.digest)
            or record.orientation not in WORDS
        ):
            raise ValueError("the numbers do not fit together")
        return record

    def fingerprint(self) -> str:
        """Return a digest of all that makes the data what it is; the title does not."""
        facts = {key: value for key, value in self.as_json().items() if key != "title"}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def changes(self) -> str:
        """Say how the pictures were turned before they were kept; empty if they were not."""
        turned = [] if self.orientation == AS_IS else [WORDS[self.orientation]]
        return ", ".join([*turned, *["ink and paper swapped"] * self.is_inverted])

    def contents(self, name: str) -> Contents:
        return Contents(
            name=name,
            title=self.title,
            image_shape=self.image_shape,
            pixel_max=self.pixel_max,
            class_names=self.class_names,
            label_counts=self.label_counts,
            digest=self.digest,
            noun=NOUN,
        )


def _info(name: str, record: _Record) -> DatasetInfo:
    contents = record.contents(name)
    height, width = record.image_shape
    changes = record.changes()
    return DatasetInfo(
        title=record.title,
        description=f"{contents.n_images:,} pictures of {height} x {width} pixels in "
        f"{contents.n_classes} classes, added from a file{changes and f', {changes}'}.",
        contents=contents,
        n_train=record.parts[0],
        n_validation=record.parts[1],
        n_test=record.parts[2],
        load=functools.partial(_load, name, record),
    )


def _load(
    name: str, record: _Record, home: Path, on_progress: ProgressCallback | None = None
) -> Dataset:
    try:
        table = read_table(compact_path(home, name), record.contents(name))
    except DataError as error:
        raise DataUnavailable(f"{error} Add its file again.") from error
    if table is None:
        raise DataUnavailable(
            f"The data set {record.title} is not on this computer any more: add its file again to "
            "train on it or to look at its pictures."
        )
    ends = np.cumsum(record.parts)
    rows = np.arange(ends[-1])
    split = Split(*np.split(rows, ends[:-1]))
    return dataset_from(record.contents(name), table, split, digest=record.digest)


def _read(name: str, home: Path) -> _Record | None:
    """Return what is written down of a data set; None if nothing is, or something else."""
    path = compact_path(home, name).with_suffix(".json")
    try:
        record = _Record.from_json(json.loads(read_regular(path, _MOST_RECORD_BYTES)))
        # The name is made of all but the title: no change to the record passes.
        return record if name.endswith(f"-{record.fingerprint()[:8]}") else None
    except Exception:  # there is no end to what damage makes of it
        return None


def _keep(path: Path, table: Table, record: _Record) -> None:
    """Write both files; where that fails, leave neither."""
    write_table(path, table)
    try:
        with replacing(path.with_suffix(".json")) as file:
            file.write(json.dumps(record.as_json()).encode())
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def _title(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LONGEST_TITLE]


def _slug(title: str) -> str:
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub("[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "data"


# The parameters `data_home` above hide the function.
_home = data_home
