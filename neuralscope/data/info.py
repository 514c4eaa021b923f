"""What forms and parameter counts need to know about a data set without loading it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from neuralscope.data.contents import Contents, OpenMLSource
from neuralscope.data.dataset import Dataset
from neuralscope.data.fetch import ProgressCallback


@dataclass(frozen=True)
class DatasetInfo:
    """One data set of the menu.

    Attributes:
        title: Name for people.
        description: One sentence.
        contents: Shape, classes and digest; an `OpenMLSource` if it has to be fetched.
        n_train: Number of training images.
        n_validation: Number of validation images.
        n_test: Number of test images.
        load: Loads it, given the data home and a callback for progress or None.
    """

    title: str
    description: str
    contents: Contents
    n_train: int
    n_validation: int
    n_test: int
    load: Callable[[Path, ProgressCallback | None], Dataset]

    @property
    def image_shape(self) -> tuple[int, int]:
        """Rows and columns of one image."""
        return self.contents.image_shape

    @property
    def n_features(self) -> int:
        """Number of inputs of a network for this data."""
        return self.contents.n_features

    @property
    def n_classes(self) -> int:
        """Number of outputs of a network for this data."""
        return self.contents.n_classes

    @property
    def class_names(self) -> tuple[str, ...]:
        """One for each label 0, 1, 2..."""
        return self.contents.class_names

    @property
    def noun(self) -> str:
        """What one image is called in sentences."""
        return self.contents.noun

    @property
    def needs_fetch(self) -> bool:
        """Whether it comes over the network, the first time."""
        return isinstance(self.contents, OpenMLSource)
