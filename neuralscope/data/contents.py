"""What a data set must contain, written down before a byte of it is read.

Every data set travels as one table, the way MNIST is published as CSV: a row per image, its
pixels line by line, its label in the last column, all `uint8`. A copy that was cut short,
damaged or tampered with anywhere (on the network, in a cache) does not match its record here.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.uint8]  # (n_images, n_features + 1)


@dataclass(frozen=True)
class Contents:
    """The facts that tell an intact table from any other.

    Attributes:
        name: Name in menus, configurations and file names.
        title: Name in sentences.
        image_shape: Rows and columns of one image.
        pixel_max: Pixel value of full ink.
        class_names: One for each label 0, 1, 2...
        label_counts: How many images there are of each label.
        digest: SHA-256 of the table's bytes, in hex; empty where it has not been written down, and
            a copy is then held against what it was when it was made.
        noun: What one image is called in sentences.
    """

    name: str
    title: str
    image_shape: tuple[int, int]
    pixel_max: int
    class_names: tuple[str, ...]
    label_counts: tuple[int, ...]
    digest: str
    noun: str = field(default="digit", kw_only=True)

    @property
    def n_images(self) -> int:
        """Number of rows of the table."""
        return sum(self.label_counts)

    @property
    def n_features(self) -> int:
        """Number of pixels of one image."""
        return math.prod(self.image_shape)

    @property
    def n_classes(self) -> int:
        """Number of different labels."""
        return len(self.class_names)

    def fault(self, table: NDArray[Any]) -> str | None:
        """Say in a clause what is wrong with `table`, or return None if it is intact.

        The digest alone would decide; the checks before it are there to say more than "differs".
        """
        shape = (self.n_images, self.n_features + 1)
        if table.shape != shape:
            return f"its shape is {table.shape} instead of {shape}"
        if table.dtype != np.uint8:
            return f"its values are {table.dtype} instead of uint8"
        counts = np.bincount(table[:, -1], minlength=self.n_classes)
        if counts.size > self.n_classes:
            return f"it has labels up to {counts.size - 1} instead of {self.n_classes - 1}"
        if tuple(counts.tolist()) != self.label_counts:
            return "it does not have the known number of images of each class"
        if self.digest and digest_of(table) != self.digest:
            return "its digest is not the known one"
        return None


@dataclass(frozen=True)
class OpenMLSource(Contents):
    """A data set that OpenML serves, with `uint8` pixels and its label in the last column.

    Attributes:
        openml_name: Its name at OpenML.
        openml_version: Its version at OpenML.
    """

    openml_name: str
    openml_version: int

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> OpenMLSource:
        """Rebuild a source from `dataclasses.asdict` that went through JSON."""
        # JSON knows no tuples; with lists the record would equal no other.
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in record.items()
        }
        return cls(**fields)


def digest_of(table: Table) -> str:
    """Return the SHA-256 of the table's bytes, row by row, in hex.

    SHA-256 because processors have instructions for it: MNIST takes 0.03 s, BLAKE2b twice that.
    """
    return hashlib.sha256(np.ascontiguousarray(table).data).hexdigest()
