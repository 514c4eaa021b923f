"""A data set ready for training: pixels and labels, split, and what they mean."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from neuralscope.data.contents import Contents, Table
from neuralscope.data.recipe import Recipe, measure
from neuralscope.data.split import Split


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Labelled images in three parts. All arrays are read-only and C-contiguous.

    Attributes:
        name: Name in menus and configurations.
        x_train: (n, n_features) `uint8` pixels as shipped; `scaled` makes them network input.
        y_train: (n,) `int64` labels.
        x_validation: Images to tune on, never learned from.
        y_validation: Their labels.
        x_test: Images for the final judgement.
        y_test: Their labels.
        image_shape: Rows and columns of one image.
        class_names: One for each label 0, 1, 2...
        pixel_max: Pixel value of full ink.
        digest: SHA-256 in hex of pixels, labels and split together.
        noun: What one image is called in sentences.
    """

    name: str
    x_train: NDArray[np.uint8]
    y_train: NDArray[np.int64]
    x_validation: NDArray[np.uint8]
    y_validation: NDArray[np.int64]
    x_test: NDArray[np.uint8]
    y_test: NDArray[np.int64]
    image_shape: tuple[int, int]
    class_names: tuple[str, ...]
    pixel_max: int
    digest: str
    noun: str = "digit"

    def __repr__(self) -> str:
        """Return name, sizes and form in one line."""
        sizes = [len(part) for part in (self.y_train, self.y_validation, self.y_test)]
        rows, columns = self.image_shape
        return (
            f"Dataset({self.name!r}: {sizes[0]:,} training, {sizes[1]:,} validation and "
            f"{sizes[2]:,} test {self.noun}s of {rows}x{columns} pixels, {self.n_classes} classes)"
        )

    @property
    def n_features(self) -> int:
        """Number of inputs of a network for this data."""
        return math.prod(self.image_shape)

    @property
    def class_noun(self) -> str:
        """What one class is called in sentences: of digits, a class is one of them."""
        return "digit" if self.noun == "digit" else "class"

    @cached_property
    def recipe(self) -> Recipe:
        """How its pictures were made, as a drawing must be, measured on the training images."""
        return measure(self.x_train, self.image_shape, self.pixel_max)

    @property
    def n_classes(self) -> int:
        """Number of outputs of a network for this data."""
        return len(self.class_names)


def scaled(pixels: NDArray[np.integer], pixel_max: int) -> NDArray[np.float32]:
    """Return pixels as network input: `pixels / pixel_max`, `float32` in [0, 1], same shape.

    >>> import numpy as np
    >>> scaled(np.array([0, 4, 16], np.uint8), 16)
    array([0.  , 0.25, 1.  ], dtype=float32)
    """
    # Divided, not multiplied by the reciprocal: full ink is then exactly 1.
    quotient: NDArray[np.float32] = np.divide(
        pixels, np.float32(pixel_max), dtype=np.float32, casting="same_kind"
    )
    return quotient


def dataset_from(contents: Contents, table: Table, split: Split, *, digest: str) -> Dataset:
    """Copy the rows of a checked table to the parts that `split` assigns them to.

    Args:
        contents: What the table holds.
        table: (n_images, n_features + 1), label last.
        split: Row indices of the three parts.
        digest: `digest_of(table)`, which the check has already computed.
    """
    fingerprint = hashlib.sha256(bytes.fromhex(digest))
    for part in split:
        fingerprint.update(len(part).to_bytes(8, "little"))
        fingerprint.update(part.astype("<i8").tobytes())
    x_train, y_train = _part(table, split.train)
    x_validation, y_validation = _part(table, split.validation)
    x_test, y_test = _part(table, split.test)
    return Dataset(
        name=contents.name,
        x_train=x_train,
        y_train=y_train,
        x_validation=x_validation,
        y_validation=y_validation,
        x_test=x_test,
        y_test=y_test,
        image_shape=contents.image_shape,
        class_names=contents.class_names,
        pixel_max=contents.pixel_max,
        digest=fingerprint.hexdigest(),
        noun=contents.noun,
    )


def _part(table: Table, rows: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    # Indexing by rows copies: the parts own their memory and let go of the mapped file.
    x = table[rows, :-1]
    y = table[rows, -1].astype(np.int64)
    x.flags.writeable = False
    y.flags.writeable = False
    return x, y
