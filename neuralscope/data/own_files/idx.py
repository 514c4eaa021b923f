"""IDX, the format in which MNIST is published."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralscope.data.own_files.limits import Unfit

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(content: bytes) -> NDArray[Any]:
    """Read an IDX file: 0, 0, type, number of dimensions, their sizes, all big-endian, values."""
    kind, n_dimensions = (content[2], content[3]) if len(content) > 3 else (0, 0)
    begin = 4 + 4 * n_dimensions
    if kind not in _TYPES or not 1 <= n_dimensions <= 4 or len(content) < begin:
        raise Unfit("it is not an IDX file, or a damaged one")
    shape = struct.unpack_from(f">{n_dimensions}I", content, 4)
    dtype = np.dtype(_TYPES[kind])
    expected = math.prod(shape) * dtype.itemsize
    if len(content) - begin != expected:
        raise Unfit(
            f"it should hold {expected:,} bytes after its header, but holds "
            f"{len(content) - begin:,}: it is damaged or cut short"
        )
    return np.frombuffer(content, dtype, offset=begin).reshape(shape)
