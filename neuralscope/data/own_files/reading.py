"""From files to labelled pictures, to be kept as a data set or to test a network on."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuralscope import confined
from neuralscope.data.contents import Table
from neuralscope.data.own_files import limits
from neuralscope.data.own_files.archives import is_archive, read_npz, unpacked, unpacked_size
from neuralscope.data.own_files.choosing import Content, find_files, without_twins
from neuralscope.data.own_files.columns import LabelUnclear
from neuralscope.data.own_files.idx import read_idx
from neuralscope.data.own_files.labels import check_classes, numbered
from neuralscope.data.own_files.limits import (
    FEWEST_CLASSES,
    FOR_READING,
    SMALL,
    Unfit,
    Unlabelled,
    megabytes,
    shown,
)
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
from neuralscope.files import Refused, open_regular

Source = Path | str | bytes | Mapping[str, bytes]

TEST_ONE_IN, VALIDATION_ONE_IN = 5, 10
"""Of so many pictures of a class one is set aside."""

logger = logging.getLogger(__name__)


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

    All but small files are read in a process of their own, which may not take more memory and time
    than `limits.FOR_READING`.

    Raises:
        UnclearLabel: More than one column may be the label.
        DataError: It cannot be used; the message names the file and the reason.
    """
    return _read_apart(source, name, label_column, None)


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
    return _read_apart(source, None, label_column, like or UNKNOWN)


def _read_apart(
    source: Source, name: str | None, label_column: str | int | None, like: Likeness | None
) -> Pictures:
    """Find the files, and have them read here or in a process of their own."""
    subject = "The data"
    wanted = None if label_column is None else str(label_column).strip()
    try:
        files: dict[str, Content]
        if isinstance(source, Path | str):
            path = Path(source).absolute()
            subject = shown(path.name or str(source))
            files = dict(find_files(path))
            title = path.name if path.is_dir() else ""
            place = path.parent.name
        else:
            files = dict(source) if isinstance(source, Mapping) else {name or "data": bytes(source)}
            subject = " and ".join(shown(each) for each in list(files)[:2]) or subject
            title = place = ""
            if not files:
                raise Unfit("there is no file")
        is_small = _is_small(files)
    except (Unfit, Refused) as unfit:
        raise DataError(f"{subject} cannot be used: {unfit}.") from unfit
    except OSError as error:
        reason = error.strerror or "it is gone"
        raise DataError(f"{subject} cannot be used: it cannot be read ({reason}).") from error
    if is_small:
        try:
            pictures = read_here(files, subject, wanted, like)
        except MemoryError as error:
            raise DataError(
                f"{subject} cannot be used: there is not enough memory for it."
            ) from error
    else:
        sent = {key: [str(each)] if isinstance(each, Path) else each for key, each in files.items()}
        pictures = Pictures(
            **confined.call(
                _read_as_plain, sent, subject, wanted, like, subject=subject, limits=FOR_READING
            )
        )
    return replace(pictures, title=name or title or pictures.title or place or "pictures")


def _is_small(files: Mapping[str, Content]) -> bool:
    """Return whether files are small, and stay so when they are unpacked."""
    left = SMALL
    for content in files.values():
        with _opened(content) as file:
            if file.seek(0, io.SEEK_END) > left:
                return False
            file.seek(0)
            left -= unpacked_size(file, left)
        if left < 0:
            return False
    return True


def _opened(content: Content) -> BinaryIO:
    if isinstance(content, bytes):
        return io.BytesIO(content)
    return open_regular(content, limits.MOST_BYTES)


def _read_as_plain(
    sent: Mapping[str, bytes | list[str]],
    subject: str,
    label_column: str | None,
    like: tuple[Any, Any] | None,
) -> dict[str, Any]:
    """Do what `read_here` does, in a process to which only plain values go."""
    files = {key: each if isinstance(each, bytes) else Path(*each) for key, each in sent.items()}
    return vars(read_here(files, subject, label_column, like and Likeness(*like)))


def read_here(
    files: Mapping[str, Content], subject: str, label_column: str | None, like: Likeness | None
) -> Pictures:
    """Read files in this process: the edge at which everything that a parser raises is caught.

    Args:
        files: The files of one data set, by their names.
        subject: What they are called together.
        label_column: The name of the column that is the label, or its number from 1.
        like: What a file to test on must agree with; None where it is to be trained on.

    Returns:
        What they hold; its title is what the names of the files share, if anything.

    Raises:
        UnclearLabel: More than one column may be the label.
        DataError: It cannot be used.
        MemoryError: There is not enough memory for it.
    """
    label = subject
    try:
        files = without_twins(dict(files))
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
                arrays, said = _arrays(file_name, content, label_column, like and like.image_shape)
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
        label = subject
        notes += [f"left out: {file_name} ({reason})" for file_name, reason in left_out]
        pictures = _for_training(found, used) if like is None else _for_test(found, used, like)
        return replace(pictures, title=title_of(used), notes=tuple(notes))
    except LabelUnclear as unclear:
        raise UnclearLabel(
            f"{label} cannot be used yet: {unclear}.", tuple(unclear.columns.items())
        ) from unclear
    except (Unfit, Refused) as unfit:
        raise DataError(f"{label} cannot be used: {unfit}.") from unfit
    except MemoryError:
        raise
    except Exception as error:  # there is no end to what damage makes the parsers raise
        logger.debug("%s raised in a parser", label, exc_info=True)
        raise DataError(
            f"{label} cannot be used: it is damaged, or not like any data that NeuralScope reads."
        ) from error


def _arrays(
    name: str, content: Content, label_column: str | None, shape: tuple[int, int] | None
) -> tuple[list[Found], list[str]]:
    """Return the arrays of one file, and notes on what was decided."""
    with _opened(content) as file:
        start = file.read(4)
        file.seek(0)
        if is_archive(start):  # which is read where it is: it may be large, and its arrays too
            return _in_archive(file)
        whole = unpacked(file.read(limits.MOST_BYTES + 1))
    if len(whole) > limits.MOST_BYTES:
        raise Unfit(f"it is larger than {megabytes(limits.MOST_BYTES)}")
    if not whole:
        raise Unfit("it is empty")
    if is_archive(whole):
        return _in_archive(io.BytesIO(whole))
    if whole[:2] == b"\0\0":
        return [Found(None, None, read_idx(whole))], []
    if whole[:6] == b"\x93NUMPY":
        raise Unfit("a .npy file holds one array only; put images and labels into one .npz")
    return read_table(whole, label_column=label_column, shape=shape_in(name) or shape)


def _in_archive(file: BinaryIO) -> tuple[list[Found], list[str]]:
    """Return the arrays of an archive, and notes on what was decided."""
    arrays = read_npz(file)
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


def _for_training(found: list[Found], file_names: Sequence[str]) -> Pictures:
    """Return all rows, split where the files do not say how."""
    pictures = _assembled(found, file_names, fewest_classes=FEWEST_CLASSES, like=UNKNOWN)
    n_train = pictures.parts[0]
    check_classes(pictures.table[:n_train, -1], pictures.class_names)
    return _split(pictures)


def _for_test(found: list[Found], file_names: Sequence[str], like: Likeness) -> Pictures:
    """Return all rows as they are."""
    return _assembled(found, file_names, fewest_classes=1, like=like)


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


def _split(pictures: Pictures) -> Pictures:
    """Draw the parts that the files do not bring, and put all rows in the order of the parts."""
    bounds = np.cumsum(pictures.parts)[:-1]
    rows = dict(zip(ORDER, np.split(np.arange(len(pictures.table)), bounds), strict=True))
    draws: tuple[tuple[Part, int, int], ...] = (
        ("test", TEST_ONE_IN, SPLIT_SEED),
        ("validation", VALIDATION_ONE_IN, SPLIT_SEED + 1),
    )
    for part, one_in, seed in draws:
        if not len(rows[part]):
            train = rows["train"]
            drawn = class_sample(pictures.table[train, -1], one_in, seed=seed)
            rows[part], rows["train"] = train[drawn], np.delete(train, drawn)
    n_train, n_validation, n_test = (len(rows[part]) for part in ORDER)
    order = np.concatenate([rows[part] for part in ORDER])
    return replace(pictures, table=pictures.table[order], parts=(n_train, n_validation, n_test))
