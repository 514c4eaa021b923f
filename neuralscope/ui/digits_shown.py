"""A gallery of digits with what the network of a moment says to them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neuralscope import charts
from neuralscope.analysis import Answers, Judgement
from neuralscope.ui.moment import Moment

SIZE = 80
"""Pixels of a digit: eight of them fit beside the menu on a laptop, three on a telephone."""


def figure(
    now: Moment,
    split: str,
    index: npt.NDArray[np.int64],
    said: Answers | Judgement,
) -> charts.Figure:
    """Return the gallery of these digits.

    Args:
        now: The moment.
        split: 'validation' or 'test'.
        index: The digits' positions in it, (n,).
        said: The answers to all digits of the split.
    """
    return charts.gallery(
        now.pixels(split)[index],
        index=index,
        true=said.true[index],
        predicted=said.predicted[index],
        confidence=said.confidence[index],
        image_shape=now.data.image_shape,
        class_names=now.data.class_names,
        pixel_max=now.data.pixel_max,
        noun=now.thing,
        size=SIZE,
    )
