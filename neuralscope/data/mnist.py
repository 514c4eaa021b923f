"""MNIST: 70,000 handwritten digits of 28 x 28 pixels, with the published test set."""

from __future__ import annotations

from pathlib import Path

from neuralscope.data.contents import OpenMLSource
from neuralscope.data.dataset import Dataset, dataset_from
from neuralscope.data.fetch import ProgressCallback, load_table
from neuralscope.data.split import published_split

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


def load_mnist(home: Path, on_progress: ProgressCallback | None = None) -> Dataset:
    """Load MNIST from its compact copy, or fetch it first.

    The first 60,000 images are for learning, the last 10,000 are the published test set,
    untouched and in order; 5,000 of the 60,000 are set aside for validation.

    Raises:
        DataUnavailable: There is no copy and it cannot be fetched.
    """
    table = load_table(MNIST, home, on_progress)
    split = published_split(table[:, -1], n_test=N_TEST, n_validation=N_VALIDATION)
    return dataset_from(MNIST, table, split, digest=MNIST.digest)
