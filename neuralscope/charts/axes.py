"""The axes of curves: what training has reached, laid out along epochs, steps or time.

The curves of one run and those of several beside each other are drawn on the same axes, so that
whoever has learned to read the one can read the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import altair as alt
import numpy as np
from numpy.typing import NDArray

Quantity = Literal["loss", "accuracy"]
XAxis = Literal["epoch", "step", "time"]
Floats = NDArray[np.float64]

X_TITLES: Final = {"epoch": "Epoch", "step": "Training step (minibatches)"}
"""Titles of the axes that have no unit to choose."""


class Shown:
    """From measured values to values on the axis: error rate and clamping on a log axis."""

    def __init__(self, quantity: Quantity, log: bool, curves: Sequence[Floats]) -> None:
        """Find what values without a logarithm are drawn at: half of the smallest that has one.

        Args:
            quantity: What the values are; accuracy is drawn as 1 - accuracy on a log axis.
            log: Whether the axis is logarithmic.
            curves: All values that are drawn.
        """
        self.flipped = log and quantity == "accuracy"
        self._log = log
        self._floor = 0.0
        if log:
            values = np.concatenate([np.zeros(0), *curves])
            values = 1 - values if self.flipped else values
            positive = values[np.isfinite(values) & (values > 1e-12)]
            self._floor = float(positive.min()) / 2 if len(positive) else 1e-4

    def __call__(self, values: Floats) -> Floats:
        """Return where values stand; NaN for what is not finite."""
        values = np.where(np.isfinite(values), values, np.nan)
        if self.flipped:
            values = 1 - values
        return np.maximum(values, self._floor) if self._log else values


def value_axis(
    title: str, quantity: Quantity, *, log: bool, empty: bool, linear: alt.Scale
) -> tuple[alt.Axis, alt.Scale]:
    """Return axis and scale of loss or accuracy.

    Args:
        title: What stands beside it.
        quantity: What is drawn.
        log: Whether it is logarithmic.
        empty: Whether there is nothing to draw yet.
        linear: The scale where it is neither.
    """
    axis = alt.Axis(
        title=title,
        minExtent=34,  # keeps the plot from jumping when a label grows by a digit
        labelExpr="datum.label === '' ? '' : "
        + (
            # A loss that diverges has more digits than there is room for.
            "abs(datum.value) >= 1e5 ? format(datum.value, '.2~e') : datum.label"
            if quantity == "loss"
            else "format(100 * datum.value, '.5~g')"
        ),
    )
    if empty:
        return axis, alt.Scale(domain=[0, 2.5] if quantity == "loss" else [0, 1])
    if not log:
        return axis, linear
    axis.tickCount = 6
    # A grid line at each labelled tick only: nine lines a decade would be a fog.
    axis.gridOpacity = alt.condition("datum.label === ''", alt.value(0), alt.value(1))
    return axis, alt.Scale(type="log", nice=False)


def whole_scale(quantity: Quantity) -> alt.Scale:
    """Return the scale of a whole training: from nothing, so that no noise looks like learning."""
    if quantity == "accuracy":
        return alt.Scale(domain=[0, 1])
    return alt.Scale(zero=True, nice=False)


def place_axis(x_axis: XAxis) -> alt.Axis:
    """Return the axis of epochs, steps or time."""
    axis = alt.Axis(
        labelExpr="format(datum.value, '~s')" if x_axis == "step" else "format(datum.value, '~g')",
        tickCount=8,
        grid=False,
    )
    if x_axis != "time":
        axis.tickMinStep = 1
    return axis


def end_of(values: Floats) -> float:
    """Return the last value, 0 where there is none."""
    return float(values[-1]) if len(values) else 0.0


def spread_out(n: int, most: int, best: int | None = None) -> NDArray[np.intp]:
    """Return indices of at most about `most` of n places, with the first, the last and the best."""
    stride = -(-n // most)
    if stride <= 1:
        return np.arange(n)
    return np.unique(np.append(np.arange(0, n, stride), [n - 1, best or 0]))


def later_half(x: Floats) -> NDArray[np.intp]:
    """Return which points of a curve are shown when it is zoomed to its end: the later half.

    At least two are, where there are two: less would be no curve.

    Args:
        x: Places in ascending order, shape (n,).
    """
    if not len(x):
        return np.arange(0)
    first = int(np.searchsorted(x, (x[0] + x[-1]) / 2))
    return np.arange(max(min(first, len(x) - 2), 0), len(x))
