"""The array types of the engine: one float type throughout, integers for labels.

`Array` holds floats: float32 to train, float64 to check gradients. `Labels` holds the class of
each example as an integer from 0 to n_classes - 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.integer[Any]]
Indices = npt.NDArray[np.intp]
Pixels = npt.NDArray[np.uint8]
