"""Reading a person's own data from `.npz`, CSV and IDX files that nobody has checked.

    bytes ──> arrays, each with a part and a role ──> labelled pictures ──> one table, split

Every file is taken for hostile until it has been read. Nothing is unpickled; what an archive says
of its size is read before its content, and never more is unpacked than the limit; whatever is odd
ends in `Unfit`, whose text says why in a clause. Names in archives name arrays, never files.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from neuralscope.data.contents import Table
from neuralscope.data.split import SPLIT_SEED, class_sample
from neuralscope.errors import DataError

Part = Literal["train", "validation", "test"]
Role = Literal["images", "labels", "names"]

MOST_BYTES = 512 * 2**20
"""Size up to which a file is read, and up to which it may unpack."""

MOST_SIDE = 64
FEWEST_CLASSES, MOST_CLASSES = 2, 100
FEWEST_OF_A_CLASS = 5
LONGEST_CLASS_NAME = 40

_MOST_FILES = 8
_MOST_DIRECTORY = 2**20

TEST_ONE_IN, VALIDATION_ONE_IN = 5, 10
"""Of so many pictures of a class one is set aside."""

_PARTS: dict[str, Part] = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "t10k", "te", "tst"), "test"),
}
_ROLES: dict[str, Role] = {
    **dict.fromkeys(
        ("x", "image", "images", "img", "imgs", "data", "pixels", "features", "pictures"), "images"
    ),
    **dict.fromkeys(("y", "label", "labels", "target", "targets"), "labels"),
    **dict.fromkeys(("names", "classes", "categories"), "names"),
}
_LABEL_COLUMNS = ("label", "labels", "class", "target", "category", "y")  # 'Y' may be a class too
_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


class Unfit(ValueError):
    """Data that cannot be used; the text is the reason, a clause for people."""


@dataclass(frozen=True)
class Pictures:
    """Checked data, ready to be kept.

    Attributes:
        title: The name that the files suggest.
        table: (n_images, n_features + 1), label last; rows in the order of the parts.
        image_shape: Rows and columns of one image.
        pixel_max: Pixel value of full ink.
        class_names: One for each label.
        parts: How many rows are for training, validation and test.
    """

    title: str
    table: Table
    image_shape: tuple[int, int]
    pixel_max: int
    class_names: tuple[str, ...]
    parts: tuple[int, int, int]


class Found(NamedTuple):
    """An array of a file, and what its name or form says that it is."""

    part: Part | None
    role: Role | None
    values: NDArray[Any]


def read_files(source: Path | str | bytes | Mapping[str, bytes], name: str | None) -> Pictures:
    """Read, check and split what `neuralscope.data.own.add_dataset` is given.

    Raises:
        DataError: It cannot be used; the message names the file and the reason.
    """
    label = "The data"
    try:
        if isinstance(source, Path | str):
            label = _shown(Path(source).name or str(source))
            files = _read_paths(Path(source))
        else:
            files = dict(source) if isinstance(source, Mapping) else {name or "data": bytes(source)}
            label = " and ".join(_shown(each) for each in list(files)[:2]) or label
            if not files:
                raise Unfit("there is no file")
        if len(files) > _MOST_FILES:
            raise Unfit(f"{len(files)} files are more than the {_MOST_FILES} that belong together")
        found: list[Found] = []
        for file_name, content in files.items():
            label = _shown(file_name)
            found += _arrays(file_name, content, alone=len(files) == 1)
        if len(files) > 1:
            label = _shown(Path(source).name) if isinstance(source, Path | str) else label
        pictures = _assembled(found, tuple(files))
        return replace(pictures, title=name or pictures.title or _folder_of(source))
    except Unfit as unfit:
        raise DataError(f"{label} cannot be used: {unfit}.") from unfit
    except MemoryError as error:
        raise DataError(f"{label} cannot be used: there is not enough memory for it.") from error


# Files -------------------------------------------------------------------------------------------


def _read_paths(path: Path) -> dict[str, bytes]:
    """Read a file, or the files that belong together, by their names."""
    try:
        if path.is_dir():
            paths = [each for each in sorted(path.iterdir()) if _looks_like_data(each)]
            if not paths:
                raise Unfit("the folder holds no .npz, CSV or IDX files")
        elif not path.is_file():
            raise Unfit("it is no file" if path.exists() else "there is no such file")
        else:
            paths = _with_its_labels(path)
        if len(paths) > _MOST_FILES:
            raise Unfit(f"{len(paths)} files are more than the {_MOST_FILES} that belong together")
        if sum(each.stat().st_size for each in paths) > MOST_BYTES:
            raise Unfit(f"it is larger than {_megabytes(MOST_BYTES)}")
        return {each.name: each.read_bytes() for each in paths}
    except (OSError, ValueError) as error:
        if isinstance(error, Unfit):
            raise
        reason = getattr(error, "strerror", None) or "its name is none"
        raise Unfit(f"it cannot be read ({reason})") from error


def _looks_like_data(path: Path) -> bool:
    name = path.name.lower().removesuffix(".gz")
    is_named = name.endswith((".npz", ".csv", ".tsv", ".idx")) or re.search(r"idx\d|ubyte", name)
    return bool(is_named) and path.is_file() and not name.startswith(".")


def _with_its_labels(path: Path) -> list[Path]:
    """Add to a file of images by its name the file of their labels, and those of the test set."""
    swapped = path.name.replace("images", "labels").replace("idx3", "idx1")
    if swapped == path.name:
        return [path]
    pairs = [(path.name, swapped)]
    if "train" in path.name:
        pairs += [
            (path.name.replace("train", other), swapped.replace("train", other))
            for other in ("t10k", "test")
        ]
    found = [path]
    for images, labels in pairs:
        both = [path.with_name(_as_there(path, each)) for each in (images, labels)]
        if all(each.is_file() for each in both):
            found += [each for each in both if each != path]
    return found


def _as_there(path: Path, name: str) -> str:
    """Return the name under which a sister file is there: unpacked, or still packed."""
    plain = name.removesuffix(".gz")
    return next(
        (each for each in (name, plain, f"{plain}.gz") if path.with_name(each).is_file()), name
    )


def _arrays(name: str, content: bytes, *, alone: bool) -> list[Found]:
    """Return the arrays of one file; its own name says the part only among several files."""
    if len(content) > MOST_BYTES:
        raise Unfit(f"it is larger than {_megabytes(MOST_BYTES)}")
    if content[:2] == b"\x1f\x8b":
        content = _gunzipped(content)
    words = _words(Path(name).name)
    file_part = None if alone else next((_PARTS[word] for word in words if word in _PARTS), None)
    if not content:
        raise Unfit("it is empty")
    if content[:2] == b"PK":
        arrays = _npz(content)
        found = [_named(key, values) for key, values in arrays.items()]
        if not any(each.role for each in found):
            found = [Found(each.part, None, each.values) for each in found]
        else:
            found = [each for each in found if each.role]
    elif content[:2] == b"\0\0":
        found = [Found(None, None, _idx(content))]
    elif content[:6] == b"\x93NUMPY":
        raise Unfit("a .npy file holds one array only; put images and labels into one .npz")
    else:
        found = _csv(content)
    return [each._replace(part=each.part or file_part) for each in found]


def _gunzipped(content: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            unpacked = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise Unfit("its gzip compression is damaged or cut short") from error
    if len(unpacked) > MOST_BYTES:
        raise Unfit(f"it unpacks to more than {_megabytes(MOST_BYTES)}")
    if unpacked[:2] == b"\x1f\x8b":
        raise Unfit("it is packed more than once")
    return unpacked


def _words(name: str) -> list[str]:
    """Split a name into its words: 'X_train', 'xTrain', 'trainX' and 'train-images' alike."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = re.findall(r"t10k|[a-z]+", spaced.lower())
    split = []
    for word in words:
        if word[0] in "xy" and word[1:] in _PARTS:  # 'xtrain'
            split += [word[0], word[1:]]
        else:
            split.append(word)
    return split


def _named(key: str, values: NDArray[Any]) -> Found:
    words = _words(key)
    part = next((_PARTS[word] for word in words if word in _PARTS), None)
    roles = [_ROLES[word] for word in words if word in _ROLES]
    # 'label_names' and 'target_names' are names.
    return Found(part, "names" if "names" in roles else roles[0] if roles else None, values)


# .npz ---------------------------------------------------------------------------------------------


def _npz(content: bytes) -> dict[str, NDArray[Any]]:
    _check_directory(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [each for each in archive.infolist() if each.filename.endswith(".npy")]
            if not members:
                raise Unfit("it is a ZIP file without arrays (.npy) in it")
            if len(members) > 64:
                raise Unfit(f"it holds {len(members)} arrays, far more than images and labels")
            left = MOST_BYTES
            arrays = {}
            for member in members:
                with archive.open(member) as file:
                    values = _npy(cast("io.BufferedIOBase", file), member.filename, left)
                left -= values.nbytes
                arrays[member.filename.removesuffix(".npy")] = values
            return arrays
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, struct.error) as error:
        raise Unfit("it is damaged or cut short") from error
    except (NotImplementedError, RuntimeError, UnicodeDecodeError) as error:
        raise Unfit("it is packed or locked in a way that .npz files are not") from error


def _check_directory(content: bytes) -> None:
    """Refuse an archive whose list of files alone would fill the memory."""
    end = content.rfind(b"PK\x05\x06", max(0, len(content) - 65_557))
    if end < 0 or end + 22 > len(content):
        raise Unfit("it is damaged or cut short")
    (size,) = struct.unpack_from("<I", content, end + 12)
    if size > _MOST_DIRECTORY or content[max(0, end - 20) : end][:4] == b"PK\x06\x07":
        raise Unfit("it holds far more files than images and labels")


def _npy(file: io.BufferedIOBase, name: str, most: int) -> NDArray[Any]:
    """Read one array, but not before its header says that it is harmless and small enough."""
    key = _shown(name.removesuffix(".npy"))
    try:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise Unfit(f"its array {key} is of an unknown kind")
        read = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
        shape, is_fortran, dtype = read(file)
    except Unfit:
        raise
    except ValueError as error:
        raise Unfit(f"its array {key} is damaged or no array") from error
    if dtype.hasobject:
        raise Unfit(
            f"its array {key} holds Python objects (pickles), which are never loaded; save it as "
            "plain numbers or text"
        )
    if dtype.kind not in "buifUS":
        raise Unfit(f"its array {key} holds neither numbers nor text ({dtype})"[:200])
    n_values = math.prod(shape)
    if len(shape) > 8 or n_values < 0 or dtype.itemsize < 1 or any(n < 0 for n in shape):
        raise Unfit(f"its array {key} is damaged or no array")
    if n_values * dtype.itemsize > most:
        raise Unfit(f"it unpacks to more than {_megabytes(MOST_BYTES)}")
    data = file.read(n_values * dtype.itemsize)
    if len(data) != n_values * dtype.itemsize or file.read(1):
        raise Unfit(f"its array {key} is damaged or cut short")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if is_fortran else "C")


# IDX ----------------------------------------------------------------------------------------------


def _idx(content: bytes) -> NDArray[Any]:
    """Read an IDX file: 0, 0, type, number of dimensions, their sizes, all big-endian, values."""
    kind, n_dimensions = (content[2], content[3]) if len(content) > 3 else (0, 0)
    begin = 4 + 4 * n_dimensions
    if kind not in _IDX_TYPES or not 1 <= n_dimensions <= 4 or len(content) < begin:
        raise Unfit("it is no IDX file, or a damaged one")
    shape = struct.unpack_from(f">{n_dimensions}I", content, 4)
    dtype = np.dtype(_IDX_TYPES[kind])
    expected = math.prod(shape) * dtype.itemsize
    if len(content) - begin != expected:
        raise Unfit(
            f"it should hold {expected:,} bytes after its header, but holds "
            f"{len(content) - begin:,}: it is damaged or cut short"
        )
    return np.frombuffer(content, dtype, offset=begin).reshape(shape)


# CSV ----------------------------------------------------------------------------------------------


def _csv(content: bytes) -> list[Found]:
    if b"\0" in content[:4096]:
        raise Unfit("it is neither .npz nor IDX nor CSV")
    n_before, first, second = _first_lines(content)
    delimiter = max(",;\t", key=first.count)
    if first.count(delimiter) > MOST_SIDE * MOST_SIDE:
        raise Unfit(f"a row has more than a label and {MOST_SIDE} x {MOST_SIDE} pixels")
    head = _cells(first, delimiter)
    if len(head) < 2:
        raise Unfit("it is neither .npz nor IDX, and as CSV its rows have one column only")
    words = [cell for cell in head if not _is_number(cell)]
    is_header = len(words) > 1 or bool(words and words[0].lower() in _LABEL_COLUMNS[:-1])
    row = _cells(second, delimiter) if is_header else head
    if not row:
        raise Unfit("it has no rows")
    column = None
    if is_header:
        named = [i for i, cell in enumerate(head) if cell.lower() in _LABEL_COLUMNS]
        column = named[0] if named else None
    if column is None:
        column = next((i for i, cell in enumerate(row) if not _is_number(cell)), None)
    numbers, codes = _numbers(content, delimiter, column, skipped=n_before + is_header)
    labels: NDArray[Any]
    if column is None:
        column = 0 if _could_be_labels(numbers[:, 0]) else -1
        labels = numbers[:, column]
    else:
        coded = numbers[:, column].astype(np.int64)
        known = list(codes)
        if all(map(_is_number, known)):  # 'nan' is then no name, but a label that is missing
            labels = np.array([float(each) for each in known])[coded]
        else:
            labels = np.array(known, dtype=np.str_)[coded]
    images = np.delete(numbers, column, axis=1)
    shape = _shape_in(head[-1]) if is_header else None  # the last pixel is called '28x28'
    if shape and math.prod(shape) == images.shape[1]:
        images = images.reshape(-1, *shape)
    return [Found(None, "images", images), Found(None, "labels", labels)]


_NOT_TEXT = "it is neither .npz nor IDX, and as CSV it is not text in UTF-8"


def _lines(content: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content), "utf-8-sig")


def _first_lines(content: bytes) -> tuple[int, str, str]:
    """Return how many lines are blank at first, then the first two that are not."""
    lines: list[str] = []
    n_before = 0
    try:
        for line in _lines(content):
            if line.strip():
                lines.append(line)
            elif not lines:
                n_before += 1
            if len(lines) == 2:
                break
    except UnicodeDecodeError as error:
        raise Unfit(_NOT_TEXT) from error
    if not lines:
        raise Unfit("it is empty")
    return n_before, lines[0], lines[1] if len(lines) > 1 else ""


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error as error:
        raise Unfit("it is neither .npz nor IDX, and as CSV its first row is unreadable") from error


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers(
    content: bytes, delimiter: str, column: int | None, *, skipped: int
) -> tuple[NDArray[np.float32], dict[str, int]]:
    """Return all columns as numbers; a column of labels as the codes of its texts."""
    codes: dict[str, int] = {}

    def code(cell: str) -> float:
        if len(codes) > 10_000:
            raise Unfit(_not_labels(f"more than {len(codes) - 1:,}"))
        return codes.setdefault(cell.strip(), len(codes))

    try:
        numbers = np.loadtxt(
            _lines(content),
            dtype=np.float32,
            delimiter=delimiter,
            comments=None,
            quotechar='"',
            ndmin=2,
            converters=None if column is None else {column: code},
            skiprows=skipped,
            encoding=None,
        )
    except Unfit:
        raise
    except UnicodeDecodeError as error:
        raise Unfit(_NOT_TEXT) from error
    except (ValueError, OverflowError) as error:
        raise Unfit(_in_row(str(error), skipped)) from error
    return numbers, codes


def _in_row(message: str, skipped: int) -> str:
    """Turn what `np.loadtxt` says into a clause for people; rows count from 1, with the header."""
    cell = re.search(r"could not convert string '(.*?)' to .* at row (\d+), column (\d+)", message)
    if cell:
        row = int(cell[2]) + 1 + skipped
        return f"in row {row}, column {cell[3]}, {_shown(cell[1]) or 'nothing'} is no number"
    columns = re.search(r"from (\d+) to (\d+) at row (\d+)", message)
    if columns:
        row = int(columns[3]) + skipped
        return f"row {row} has {columns[2]} columns instead of {columns[1]}"
    return "as CSV it cannot be read, and it is neither .npz nor IDX"


def _could_be_labels(values: NDArray[np.float32]) -> bool:
    if not np.isfinite(values).all() or (values != np.rint(values)).any():
        return False
    return FEWEST_CLASSES <= len(np.unique(values)) <= MOST_CLASSES


# From arrays to pictures --------------------------------------------------------------------------


def _assembled(found: Sequence[Found], file_names: Sequence[str]) -> Pictures:
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
            raise Unfit(f"it holds {role} for {_PART_WORDS[part]} twice")
        group[part] = each.values
    parts_named: list[Part] = ["train", *images, *labels]
    for part in parts_named:
        for group, what in ((images, "images"), (labels, "labels")):
            if part not in group:
                raise Unfit(
                    f"there are no {what} for {_PART_WORDS[part]}; expected are "
                    "arrays such as x_train and y_train, or x and y"
                )
    image_shape, flat = _flattened(images, file_names)
    for part, pixels in flat.items():
        if len(pixels) != labels[part].shape[0]:
            raise Unfit(
                f"{len(pixels):,} images and {labels[part].shape[0]:,} labels for "
                f"{_PART_WORDS[part]} do not fit together"
            )
    numbers, class_names = _numbered(labels, names)
    _check_classes(numbers, class_names)
    pixels_of, pixel_max = _as_bytes(flat)
    rows = [
        np.column_stack([pixels_of[part], numbers[part].astype(np.uint8)])
        for part in ("train", "validation", "test")
        if part in pixels_of
    ]
    table, parts = _split(dict(zip([p for p in _ORDER if p in pixels_of], rows, strict=True)))
    return Pictures(
        title=_title_of(file_names),
        table=table,
        image_shape=image_shape,
        pixel_max=pixel_max,
        class_names=class_names,
        parts=parts,
    )


_ORDER: tuple[Part, ...] = ("train", "validation", "test")
_PART_WORDS: dict[Part, str] = {
    "train": "training",
    "validation": "validation",
    "test": "the test",
}


def _flattened(
    images: Mapping[Part, NDArray[Any]], file_names: Sequence[str]
) -> tuple[tuple[int, int], dict[Part, NDArray[Any]]]:
    """Return rows and columns of the images, and each part as (n, features)."""
    shapes = set()
    flat = {}
    for part, values in images.items():
        if not values.size:
            raise Unfit(f"there are no images for {_PART_WORDS[part]}")
        if values.dtype.kind not in "buif":
            raise Unfit("the pixels are text, not numbers")
        if values.ndim == 4 and values.shape[-1] in (3, 4):
            raise Unfit("the images are in colour; NeuralScope reads grey ones, (n, rows, columns)")
        if values.ndim == 4 and 1 in (values.shape[1], values.shape[-1]):
            values = values.squeeze(-1 if values.shape[-1] == 1 else 1)
        if values.ndim == 2:
            shape = _shape_of_flat(values.shape[1], file_names)
        elif values.ndim == 3:
            shape = (int(values.shape[1]), int(values.shape[2]))
        else:
            raise Unfit(
                f"images of shape {values.shape} are neither (n, rows, columns) nor (n, pixels)"
            )
        if max(shape) > MOST_SIDE or min(shape) < 1 or math.prod(shape) < 2:
            raise Unfit(
                f"images of {shape[0]} x {shape[1]} pixels are not possible, only up to "
                f"{MOST_SIDE} x {MOST_SIDE}"
            )
        shapes.add(shape)
        flat[part] = values.reshape(len(values), -1)
    if len(shapes) > 1:
        several = " and ".join(f"{height} x {width}" for height, width in sorted(shapes))
        raise Unfit(f"its parts have images of different shapes, {several}")
    return shapes.pop(), flat


def _shape_of_flat(n_pixels: int, file_names: Sequence[str]) -> tuple[int, int]:
    for name in file_names:
        shape = _shape_in(name)
        if shape and math.prod(shape) == n_pixels:
            return shape
    side = math.isqrt(n_pixels)
    if side * side != n_pixels:
        raise Unfit(
            f"{n_pixels:,} pixels make no square; say rows and columns in the file's name, such "
            "as signs-12x20.csv"
        )
    return side, side


def _shape_in(text: str) -> tuple[int, int] | None:
    found = re.search(r"(?<!\d)(\d{1,3})\s?[xX\u00d7]\s?(\d{1,3})(?!\d)", text)
    return (int(found[1]), int(found[2])) if found else None


def _numbered(
    labels: Mapping[Part, NDArray[Any]], names: NDArray[Any] | None
) -> tuple[dict[Part, NDArray[np.int64]], tuple[str, ...]]:
    """Return the labels of each part as 0, 1, 2..., and what each is called."""
    texts = any(values.dtype.kind in "US" for values in labels.values())
    read = _texts if texts else _wholes
    plain = {part: read(_one_each(values)) for part, values in labels.items()}
    known = np.unique(np.concatenate(list(plain.values())))
    if texts and len(known) <= MOST_CLASSES:
        known = np.array(sorted(known.tolist(), key=_natural_order), dtype=known.dtype)
    if not FEWEST_CLASSES <= len(known) <= MOST_CLASSES:
        raise Unfit(_not_labels(f"{len(known):,}"))
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
            raise Unfit("the labels are not whole numbers, so they are no labels")
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
                f"the label {_shown(name)} is no name for a class: at most {LONGEST_CLASS_NAME} "
                "printable characters"
            )
    if len(set(names)) < len(names):
        raise Unfit("two classes have the same name")
    return names


def _not_labels(n_different: str) -> str:
    if n_different == "1":
        return f"all its labels are the same; there must be {FEWEST_CLASSES} classes at least"
    return (
        f"it has {n_different} different labels; there can be {FEWEST_CLASSES} to {MOST_CLASSES} "
        "classes"
    )


def _check_classes(numbers: Mapping[Part, NDArray[np.int64]], class_names: Sequence[str]) -> None:
    counts = np.bincount(numbers["train"], minlength=len(class_names)).tolist()
    for name, count in zip(class_names, counts, strict=True):
        if count < FEWEST_OF_A_CLASS:
            examples = "example" if count == 1 else "examples"
            raise Unfit(
                f"class {name} has {count} training {examples}; each needs "
                f"{FEWEST_OF_A_CLASS} at least"
            )


def _as_bytes(
    flat: Mapping[Part, NDArray[Any]],
) -> tuple[dict[Part, NDArray[np.uint8]], int]:
    """Return the pixels as they are kept, and the value that is full ink."""
    lowest, highest, whole = math.inf, -math.inf, True
    for values in flat.values():
        if values.dtype.kind == "f":
            if not np.isfinite(values).all():
                raise Unfit("a pixel is not a number (NaN or infinite)")
            whole = whole and bool((values == np.rint(values)).all())
        lowest, highest = min(lowest, float(values.min())), max(highest, float(values.max()))
    if lowest < 0 or highest > 255 or (highest > 1 and not whole):
        raise Unfit(
            f"its pixels go from {lowest:g} to {highest:g}; they must be whole numbers from 0 to "
            "255, or fractions from 0 to 1"
        )
    if lowest == highest:
        raise Unfit("all its pixels are the same")
    if not whole:
        return {part: np.rint(values * 255).astype(np.uint8) for part, values in flat.items()}, 255
    # Some data has few shades: 0 and 1, or 17 as scikit-learn's digits.
    pixel_max = 255 if highest > 16 else int(highest)
    return {part: values.astype(np.uint8) for part, values in flat.items()}, pixel_max


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


# Words --------------------------------------------------------------------------------------------


def _title_of(file_names: Sequence[str]) -> str:
    name = Path(file_names[0]).name
    for ending in (".gz", ".npz", ".csv", ".tsv", ".txt", ".idx", "-ubyte"):
        if len(name) > len(ending):
            name = name.removesuffix(ending)
    # 'train-images-idx3' is what half of all IDX files are called; it says nothing.
    return re.sub(r"(^|[-_.])(train|t10k|test|images|imgs|idx3)(?=[-_.]|$)", "", name).strip("-_. ")


def _folder_of(source: object) -> str:
    if not isinstance(source, Path | str):
        return "pictures"
    path = Path(source)
    folder = path if path.is_dir() else path.absolute().parent
    return folder.name or "pictures"


def _shown(text: str) -> str:
    """Return a name from outside as it can stand in a sentence."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain if len(plain) <= 80 else f"{plain[:77]}..."


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MB"
