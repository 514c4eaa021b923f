"""MNIST, and the two data sets that were made to stand in its place.

Each has 70,000 images of 28 x 28 pixels in ten classes, the last 10,000 of them the published test
set, and each is fetched from OpenML: so one way to load them serves all three.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuralscope.data.contents import OpenMLSource, digest_of
from neuralscope.data.dataset import Dataset, dataset_from
from neuralscope.data.fetch import ProgressCallback, load_table
from neuralscope.data.split import published_split
from neuralscope.errors import DataUnavailable

N_TEST = 10_000
N_VALIDATION = 5_000

MNIST = OpenMLSource(
    name="mnist",
    title="MNIST",
    image_shape=(28, 28),
    pixel_max=255,
    class_names=tuple("0123456789"),
    label_counts=(6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958),
    digest="5ce027aa0b326f2a3392d3cec93da4c6323a885043064e7d094281dc7d435b2b",
    openml_name="mnist_784",
    openml_version=1,
)

# Of these two nobody has written the digest down here: OpenML's own checksum guards the download,
# the numbers of images in each class and part tell whether it is what it should be, and the copy
# that is kept holds its own digest.
FASHION_MNIST = OpenMLSource(
    name="fashion-mnist",
    title="Fashion-MNIST",
    image_shape=(28, 28),
    pixel_max=255,
    class_names=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    label_counts=(7000,) * 10,
    digest="",
    noun="picture",
    openml_name="Fashion-MNIST",
    openml_version=1,
)
KUZUSHIJI_MNIST = OpenMLSource(
    name="kuzushiji-mnist",
    title="Kuzushiji-MNIST",
    image_shape=(28, 28),
    pixel_max=255,
    class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    label_counts=(7000,) * 10,
    digest="",
    noun="character",
    openml_name="Kuzushiji-MNIST",
    openml_version=1,
)

TEST_COUNTS = {FASHION_MNIST.name: (1000,) * 10, KUZUSHIJI_MNIST.name: (1000,) * 10}
"""Images of each class in the published test sets that are told from others by these alone."""


def load_published(
    source: OpenMLSource, home: Path, on_progress: ProgressCallback | None = None
) -> Dataset:
    """Load one of the three from its compact copy, or fetch it first.

    The first 60,000 images are for learning, the last 10,000 are the published test set,
    untouched and in order; 5,000 of the 60,000 are set aside for validation.

    Raises:
        DataUnavailable: There is no copy and it cannot be fetched, or its images are in another
            order than published.
    """
    table = load_table(source, home, on_progress)
    known = TEST_COUNTS.get(source.name)
    n_each = np.bincount(table[-N_TEST:, -1], minlength=source.n_classes)
    if known is not None and tuple(n_each.tolist()) != known:
        raise DataUnavailable(
            f"{source.title} is not available: what OpenML delivered does not end with the "
            "published test set."
        )
    split = published_split(table[:, -1], n_test=N_TEST, n_validation=N_VALIDATION)
    return dataset_from(source, table, split, digest=source.digest or digest_of(table))
