"""The confusion matrix: which class was taken for which."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def confusion_counts(
    true: npt.ArrayLike, predicted: npt.ArrayLike, n_classes: int
) -> npt.NDArray[np.int64]:
    """Count how often each class was taken for each.

    Args:
        true: (n,), the true classes.
        predicted: (n,), the network's answers.
        n_classes: Number of classes.

    Returns:
        (n_classes, n_classes), true classes as rows, predicted ones as columns.

    >>> confusion_counts([0, 0, 1], [0, 1, 1], n_classes=2)
    array([[1, 1],
           [0, 1]])
    """
    pairs = np.asarray(true, np.int64) * n_classes + np.asarray(predicted, np.int64)
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)
