"""From files to labelled pictures, to be kept as a data set or to test a network on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuralscope.data.contents import Table
from neuralscope.data.own_files import limits
from neuralscope.data.own_files.archives import read_npz, unpacked
from neuralscope.data.own_files.choosing import read_paths, without_twins
from neuralscope.data.own_files.columns import LabelUnclear
from neuralscope.data.own_files.idx import read_idx
from neuralscope.data.own_files.labels import check_classes, numbered
from neuralscope.data.own_files.limits import FEWEST_CLASSES, Unfit, Unlabelled, megabytes, shown
from neuralscope.data.own_files.naming import (
    ORDER,
    Found,
    Part,
    Role,
    named_array,
    part_in,
    shape_in,
    title_of,
)
from neuralscope.data.own_files.orientation import AS_IS, ORIENTATIONS
from neuralscope.data.own_files.pixels import PART_WORDS, as_bytes, flattened
from neuralscope.data.own_files.tables import read_table
from neuralscope.data.polarity import is_dark_on_light
from neuralscope.data.split import SPLIT_SEED, class_sample
from neuralscope.errors import DataError, UnclearLabel

Source = Path | str | bytes | Mapping[str, bytes]

TEST_ONE_IN, VALIDATION_ONE_IN = 5, 10
"""Of so many pictures of a class one is set aside."""


@dataclass(frozen=True)
class Pictures:
    """Checked data, ready to be kept or to be tested on.

    Attributes:
        title: The name that the files suggest.
        table: (n_images, n_features + 1), label last; rows in the order of the parts.
        image_shape: Rows and columns of one image.
        pixel_max: Pixel value of full ink.
        class_names: One for each label.
        parts: How many rows are for training, validation and test.
        notes: What was decided while reading, a clause each: which column is the label, say.
        orientation: How the pictures were turned, a key of `ORIENTATIONS`.
        is_inverted: Whether ink and paper were swapped.
    """

    title: str
    table: Table
    image_shape: tuple[int, int]
    pixel_max: int
    class_names: tuple[str, ...]
    parts: tuple[int, int, int]
    notes: tuple[str, ...] = ()
    orientation: str = AS_IS
    is_inverted: bool = False

    @property
    def is_dark_on_light(self) -> bool:
        """Whether the pictures show dark ink on light paper, the wrong way round."""
        return is_dark_on_light(self.table[:, :-1], self.image_shape, self.pixel_max)

    def turned(self, orientation: str, *, invert: bool) -> Pictures:
        """Return pictures as they were read turned in a way, and with ink and paper swapped.

        Args:
            orientation: A key of `ORIENTATIONS`.
            invert: Whether to swap ink and paper.

        Raises:
            DataError: There is no such orientation.
        """
        if orientation not in ORIENTATIONS:
            raise DataError(
                f"The orientation is {shown(repr(orientation))}, but must be one of "
                f"{', '.join(ORIENTATIONS)}."
            )
        if orientation == AS_IS and not invert:
            return self
        pictures = self.table[:, :-1].reshape(-1, *self.image_shape)
        pictures = ORIENTATIONS[orientation](pictures)
        image_shape = (pictures.shape[1], pictures.shape[2])
        table = np.empty_like(self.table)
        table[:, :-1] = pictures.reshape(len(table), -1)
        table[:, -1] = self.table[:, -1]
        if invert:
            np.subtract(self.pixel_max, table[:, :-1], out=table[:, :-1], casting="unsafe")
        return replace(
            self,
            table=table,
            image_shape=image_shape,
            orientation=orientation,
            is_inverted=invert,
        )


class Likeness(NamedTuple):
    """What is known of the data that a network has learned, for a test file to agree with."""

    image_shape: tuple[int, int] | None
    pixel_max: int | None


UNKNOWN = Likeness(None, None)


def read_files(
    source: Source, name: str | None = None, *, label_column: str | int | None = None
) -> Pictures:
    """Read, check and split what `neuralscope.data.own.add_dataset` is given.

    Raises:
        UnclearLabel: More than one column may be the label.
        DataError: It cannot be used; the message names the file and the reason.
    """

    def for_training(found: list[Found], files: Sequence[str]) -> Pictures:
        pictures = _assembled(found, files, fewest_classes=FEWEST_CLASSES, like=UNKNOWN)
        bounds = np.cumsum(pictures.parts)[:-1]
        rows = dict(zip(ORDER, np.split(pictures.table, bounds), strict=True))
        check_classes(rows["train"][:, -1], pictures.class_names)
        table, parts = _split({part: each for part, each in rows.items() if len(each)})
        return replace(pictures, table=table, parts=parts)

    return _read(source, name, label_column, None, for_training)


def read_test_files(
    source: Source, *, label_column: str | int | None = None, like: Likeness | None = None
) -> Pictures:
    """Read what a network is to be tested on: nothing is split, and any class may be absent.

    Args:
        source: As for `add_dataset`.
        label_column: The name of the column that is the label, or its number from 1.
        like: What is known of the data that the network has learned.

    Raises:
        UnclearLabel: More than one column may be the label.
        DataError: It cannot be used; the message names the file and the reason.
    """
    like = like or UNKNOWN

    def for_test(found: list[Found], files: Sequence[str]) -> Pictures:
        return _assembled(found, files, fewest_classes=1, like=like)

    return _read(source, None, label_column, like.image_shape, for_test)


def _read(
    source: Source,
    name: str | None,
    label_column: str | int | None,
    shape: tuple[int, int] | None,
    assemble: Callable[[list[Found], Sequence[str]], Pictures],
) -> Pictures:
    label = "The data"
    wanted = None if label_column is None else str(label_column).strip()
    try:
        if isinstance(source, Path | str):
            label = shown(Path(source).name or str(source))
            files = read_paths(Path(source))
        else:
            files = dict(source) if isinstance(source, Mapping) else {name or "data": bytes(source)}
            label = " and ".join(shown(each) for each in list(files)[:2]) or label
            if not files:
                raise Unfit("there is no file")
        files = without_twins(files)
        if len(files) > limits.MOST_FILES:
            raise Unfit(
                f"{len(files)} files are more than the {limits.MOST_FILES} that belong together"
            )
        found: list[Found] = []
        notes: list[str] = []
        left_out: list[tuple[str, Unlabelled]] = []
        used: list[str] = []
        for file_name, content in files.items():
            label = shown(file_name)
            try:
                arrays, said = _arrays(file_name, content, wanted, shape)
            except Unlabelled as error:
                left_out.append((label, error))
                continue
            if len(files) > 1:
                arrays = [each._replace(part=each.part or part_in(file_name)) for each in arrays]
                said = [f"{label}: {note}" for note in said]
            found += arrays
            notes += said
            used.append(file_name)
        if left_out and not found:
            label, unlabelled = left_out[0]
            raise unlabelled
        if len(files) > 1:
            label = shown(Path(source).name) if isinstance(source, Path | str) else label
        notes += [f"left out: {file_name} ({reason})" for file_name, reason in left_out]
        pictures = assemble(found, used)
        title = name or _title(source, used)
        return replace(pictures, title=title, notes=tuple(notes))
    except LabelUnclear as unclear:
        raise UnclearLabel(
            f"{label} cannot be used yet: {unclear}.", tuple(unclear.columns.items())
        ) from unclear
    except Unfit as unfit:
        raise DataError(f"{label} cannot be used: {unfit}.") from unfit
    except MemoryError as error:
        raise DataError(f"{label} cannot be used: there is not enough memory for it.") from error


def _arrays(
    name: str, content: bytes, label_column: str | None, shape: tuple[int, int] | None
) -> tuple[list[Found], list[str]]:
    """Return the arrays of one file, and notes on what was decided."""
    if len(content) > limits.MOST_BYTES:
        raise Unfit(f"it is larger than {megabytes(limits.MOST_BYTES)}")
    content = unpacked(content)
    if not content:
        raise Unfit("it is empty")
    if content[:2] == b"PK":
        arrays = read_npz(content)
        found = [named_array(key, values) for key, values in arrays.items()]
        if not any(each.role for each in found):
            return [Found(each.part, None, each.values) for each in found], []
        halves = _with_the_other_half(found)
        notes = [
            f"{after.role or 'left out'}: array '{shown(key)}'"
            for key, before, after in zip(arrays, found, halves, strict=True)
            if before.role is None
        ]
        return [each for each in halves if each.role], notes
    if content[:2] == b"\0\0":
        return [Found(None, None, read_idx(content))], []
    if content[:6] == b"\x93NUMPY":
        raise Unfit("a .npy file holds one array only; put images and labels into one .npz")
    return read_table(content, label_column=label_column, shape=shape_in(name) or shape)


def _with_the_other_half(found: list[Found]) -> list[Found]:
    """Return arrays of which some are named; where only one can be the other half, it is."""
    halves: tuple[Role, Role] = ("images", "labels")
    for role in halves:
        others = [
            each
            for each in found
            if each.role is None and (each.values.ndim > 1) == (role == "images")
        ]
        if len(others) == 1 and not any(each.role == role for each in found):
            found = [each._replace(role=role) if each is others[0] else each for each in found]
    return found


def _assembled(
    found: Sequence[Found],
    file_names: Sequence[str],
    *,
    fewest_classes: int,
    like: Likeness,
) -> Pictures:
    """Return all rows, in the order of the parts that the files name."""
    images: dict[Part, NDArray[Any]] = {}
    labels: dict[Part, NDArray[Any]] = {}
    names: NDArray[Any] | None = None
    only = len({each.part for each in found if each.role != "names"}) == 1
    for each in found:
        role = each.role or ("images" if each.values.ndim > 1 else "labels")
        if role == "names":
            names = each.values if each.values.dtype.kind in "US" else names
            continue
        part: Part = "train" if only else each.part or "train"
        group = images if role == "images" else labels
        if part in group:
            raise Unfit(f"it holds {role} for {PART_WORDS[part]} twice")
        group[part] = each.values
    parts_named: list[Part] = ["train", *images, *labels]
    for part in parts_named:
        for group, what in ((images, "images"), (labels, "labels")):
            if part not in group:
                raise Unfit(
                    f"there are no {what} for {PART_WORDS[part]}; expected are "
                    "arrays such as x_train and y_train, or x and y"
                )
    image_shape, flat = flattened(images, file_names, like.image_shape)
    for part, pixels in flat.items():
        if len(pixels) != labels[part].shape[0]:
            raise Unfit(
                f"{len(pixels):,} images and {labels[part].shape[0]:,} labels for "
                f"{PART_WORDS[part]} do not fit together"
            )
    numbers, class_names = numbered(labels, names, fewest=fewest_classes)
    pixels_of, pixel_max = as_bytes(flat, image_shape, like.pixel_max)
    rows = [
        np.column_stack([pixels_of[part], numbers[part].astype(np.uint8)])
        for part in ORDER
        if part in pixels_of
    ]
    n_train, n_validation, n_test = (len(pixels_of.get(part, ())) for part in ORDER)
    return Pictures(
        title="",
        table=np.concatenate(rows) if len(rows) > 1 else rows[0],
        image_shape=image_shape,
        pixel_max=pixel_max,
        class_names=class_names,
        parts=(n_train, n_validation, n_test),
    )


def _split(rows: dict[Part, Table]) -> tuple[Table, tuple[int, int, int]]:
    """Draw the parts that the files do not bring, and put all rows in the order of the parts."""
    train = rows["train"]
    draws: tuple[tuple[Part, int, int], ...] = (
        ("test", TEST_ONE_IN, SPLIT_SEED),
        ("validation", VALIDATION_ONE_IN, SPLIT_SEED + 1),
    )
    for part, one_in, seed in draws:
        if part not in rows:
            drawn = class_sample(train[:, -1], one_in, seed=seed)
            rows[part] = train[drawn]
            train = np.delete(train, drawn, axis=0)
    parts = (train, rows["validation"], rows["test"])
    return np.concatenate(parts), (len(parts[0]), len(parts[1]), len(parts[2]))


def _title(source: Source, file_names: list[str]) -> str:
    """Return what the data is called: by its file or folder, or else by what its files share."""
    if not isinstance(source, Path | str):
        return title_of(file_names) or "pictures"
    path = Path(source).absolute()
    title = path.name if path.is_dir() else title_of(file_names) or path.parent.name
    return title or "pictures"
