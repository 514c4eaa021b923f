"""Learning curves: how loss and accuracy change while a network trains.

Three things lie over each other. The epoch curves, training and validation, are what a reader
compares. Behind them runs the minibatch curve, thinned to bins, with a band from the lowest to the
highest value in each bin. Smoothing calms the epoch curves and the minibatch mean, and the raw
curves stay visible, faint, under the smoothed ones, so that nothing is hidden.

A smoothed value is an exponential moving average, corrected for starting at zero:

    s[t] = weight * s[t-1] + (1 - weight) * y[t],    shown: s[t] / (1 - weight^t),    t = 1, 2, ...

Everything is computed here, in NumPy; the specification only says where to draw it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neuralscope.charts.axes import (
    X_TITLES,
    Floats,
    Quantity,
    Shown,
    XAxis,
    end_of,
    later_half,
    place_axis,
    spread_out,
    value_axis,
    whole_scale,
)
from neuralscope.charts.colors import NEUTRAL, TRAIN, VALIDATION
from neuralscope.charts.figure import BACKGROUND, FADED_INK, INK, Figure, table, template
from neuralscope.charts.saved import columns_saved
from neuralscope.words import percent

TRAIN_FAINT: Final = "#e6b566"
BATCHES: Final = "Minibatches"
SERIES: Final = ("Training", "Validation")

MOST_DOTS: Final = 60  # epochs up to which each gets a dot; beyond, dots only thicken the line
MOST_BUCKETS: Final = 250  # beyond twice as many epochs, each bucket shows its two extremes
MOST_HOVER: Final = 400  # places that answer the pointer; each is two marks the browser keeps
MOST_HOVER_MOVING: Final = 100  # they are most of what a redraw costs it

NARROW: Final = 260  # pixels between the axes on a telephone, where labels need most of the width
LETTER: Final = 5.6  # pixels that a letter of a label takes, on average
LINE: Final = 15  # pixels from a label to the one above or below it
MOST_LEVELS: Final = 6  # lines of labels above each other; a label beyond them is left to its line

_TIME_UNITS: Final[dict[str, tuple[float, str]]] = {
    "s": (1.0, "Training time (s)"),
    "min": (60.0, "Training time (min)"),
    "h": (3600.0, "Training time (h)"),
}


@dataclass(frozen=True)
class EpochPoints:
    """One value a finished epoch, all arrays of the same length; NaN where nothing was measured.

    Attributes:
        epoch: Number of the epoch, in ascending order; 0 is the untrained network.
        seconds: Training time at its end, in seconds.
        step: Minibatches trained on until then.
        train: Loss (in nats) or accuracy (0..1) on the training set.
        validation: The same on the validation set.
    """

    epoch: ArrayLike
    seconds: ArrayLike
    step: ArrayLike
    train: ArrayLike
    validation: ArrayLike


@dataclass(frozen=True)
class Binned:
    """A long curve in bins: mean, lowest and highest value of each; `x` in the axis' own unit."""

    x: ArrayLike
    mean: ArrayLike
    low: ArrayLike
    high: ArrayLike


def thin(x: ArrayLike, y: ArrayLike, most: int) -> Binned:
    """Reduce a long curve to at most `most` bins, keeping its first and its last point.

    The width of a bin is the smallest power of two that suffices, and bins begin at its multiples.
    So when the curve grows, finished bins stay as they are, instead of all of them moving with
    every redraw. Values that are not finite are left out; a bin without any finite value is NaN.

    Args:
        x: Positions, shape (n,).
        y: Values, shape (n,).
        most: Largest number of bins, at least 3.

    Raises:
        ValueError: The lengths differ or `most` is below 3.
    """
    x = np.asarray(x, dtype=np.float64)
    y = np.asarray(y, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"x and y must be two curves of one length, not {x.shape} and {y.shape}")
    if most < 3:
        raise ValueError(f"most must be at least 3, not {most}")
    finite = np.isfinite(y)
    n = len(y)
    if n <= most:
        kept = np.where(finite, y, np.nan)
        return Binned(x, kept, kept, kept)

    width = 1
    while -(-(n - 1) // width) + 2 > most:
        width *= 2
    starts = np.concatenate([[0, 1], np.arange(width, n - 1, width), [n - 1]])
    starts = np.unique(starts)

    lengths = np.diff(starts, append=n)
    counts = np.add.reduceat(finite.astype(np.int64), starts)
    some = counts > 0
    if finite.all():
        sums, low, high = y, y, y
    else:
        sums, low, high = (np.where(finite, y, fill) for fill in (0.0, np.inf, -np.inf))
    mean = np.add.reduceat(sums, starts) / np.maximum(counts, 1)
    return Binned(
        np.add.reduceat(x, starts) / lengths,
        np.where(some, mean, np.nan),
        np.where(some, np.minimum.reduceat(low, starts), np.nan),
        np.where(some, np.maximum.reduceat(high, starts), np.nan),
    )


def extremes(y: ArrayLike, most: int) -> NDArray[np.intp]:
    """Return which points of a curve are enough to draw it: no spike is lost, nor its height.

    Those of a short curve are all; of a longer one, each bucket's lowest and highest, the first and
    the last. Buckets are as wide as a power of two, so that those of a curve that grows stay.

    Args:
        y: Values, shape (n,); where one is not finite, so that the line breaks, it stays.
        most: Largest number of buckets. No curve of up to twice as many points is changed.
    """
    y = np.asarray(y, dtype=np.float64)
    n = len(y)
    if n <= 2 * most:
        return np.arange(n)
    width = 1
    while -(-n // width) > most:
        width *= 2
    finite = np.isfinite(y)
    rows = -(-n // width)
    padding = np.full(rows * width - n, np.nan)
    buckets = np.concatenate([np.where(finite, y, np.nan), padding]).reshape(rows, width)
    starts = np.arange(rows) * width
    lowest = starts + np.where(np.isnan(buckets), np.inf, buckets).argmin(axis=1)
    highest = starts + np.where(np.isnan(buckets), -np.inf, buckets).argmax(axis=1)
    # Of a gap its first point is enough.
    gaps = np.flatnonzero(~finite & np.append(True, finite[:-1]))
    return np.unique(np.concatenate([[0], lowest, highest, gaps, [n - 1]]))


def smooth(y: ArrayLike, weight: float) -> Floats:
    """Bias-corrected exponential moving average; what is not finite stays out and stays NaN.

    Args:
        y: Values, shape (n,).
        weight: Share of the past in each new value, from 0 (as it is) to below 1.

    Raises:
        ValueError: The weight is not in [0, 1).
    """
    if not 0 <= weight < 1:
        raise ValueError(f"the smoothing weight must be from 0 to below 1, not {weight}")
    y = np.asarray(y, dtype=np.float64)
    y = np.where(np.isfinite(y), y, np.nan)
    if weight == 0:
        return y
    average, correction = 0.0, 1.0
    result: list[float] = []
    # A recursion has no vectorised form that survives weights near 0; a thousand floats are quick.
    for value in y.tolist():
        if value == value:
            average = weight * average + (1 - weight) * value
            correction *= weight
            result.append(average / (1 - correction))
        else:
            result.append(value)
    return np.asarray(result, dtype=np.float64)


def learning_curves(
    points: EpochPoints,
    *,
    batches: Binned | None = None,
    parent: EpochPoints | None = None,
    marks: Sequence[tuple[float, str]] = (),
    quantity: Quantity = "loss",
    x_axis: XAxis = "epoch",
    log: bool = False,
    zoomed: bool = False,
    smoothing: float = 0.0,
    shown_at: float | None = None,
    x_domain: tuple[float, float] | None = None,
    moving: bool = False,
    height: int = 320,
) -> Figure:
    """Draw training and validation curves, the minibatches behind them, and what happened when.

    The whole training is drawn, from the first epoch there is, or its later half. On a linear axis
    the epoch curves set the scale, and minibatches beyond it are cut off at the edge: a few of them
    would otherwise press all the others flat. On a logarithmic axis
    accuracy is drawn as the error rate, 1 - accuracy, and values without a logarithm (zero and
    below) are drawn at half of the smallest one that has one.

    Args:
        points: One value an epoch.
        batches: The minibatch curve, as `thin` returns it, with `x` on the chosen axis: epochs
            (fractions allowed), steps, or seconds.
        parent: The run that this one was forked from; its curves are dashed and faint. When zoomed,
            they are left out where they are far beyond those of this one.
        marks: Events as (x, label), with x on the same axis.
        quantity: What the values are.
        x_axis: What to lay the curves out along.
        log: Draw on a logarithmic axis.
        zoomed: Draw the later half of the training only, on a scale of its own.
        smoothing: Weight of `smooth`, 0..0.99.
        shown_at: Place on the axis of the epoch that is looked at elsewhere, to be marked.
        x_domain: First and last x shown (seconds for time); by itself it ends at the last point.
        moving: The run goes on and is soon drawn again: fewer places answer the pointer.
        height: Height in pixels.
    """
    epoch, seconds, step, train, validation = (
        np.asarray(values, dtype=np.float64)
        for values in (
            points.epoch, points.seconds, points.step, points.train, points.validation
        )
    )  # fmt: skip
    x = {"epoch": epoch, "step": step, "time": seconds}[x_axis]
    marks_x = np.asarray([at for at, _ in marks], dtype=np.float64)
    if batches is None:
        bins = Binned(*(np.empty(0) for _ in range(4)))
    else:
        bins = batches
    bin_x, mean, low, high = (
        np.asarray(values, dtype=np.float64) for values in (bins.x, bins.mean, bins.low, bins.high)
    )

    unit = ""
    if x_axis == "time":
        longest = x_domain[1] if x_domain else max(end_of(seconds), end_of(bin_x), 0.0)
        unit = "s" if longest < 120 else "min" if longest < 7200 else "h"
        size, _ = _TIME_UNITS[unit]
        x, bin_x, marks_x = x / size, bin_x / size, marks_x / size
        x_domain = (x_domain[0] / size, x_domain[1] / size) if x_domain else None

    former = _values(parent, x_axis) if parent is not None else ()
    shown = Shown(quantity, log, (train, validation, mean, low, high, *former[1:]))
    raw_train, raw_validation = shown(train), shown(validation)
    low, mean_shown, high = shown(low), smooth(shown(mean), smoothing), shown(high)
    if shown.flipped:
        low, high = high, low
    seen = later_half(x) if zoomed else np.arange(len(x))
    right_end = x_domain[1] if x_domain else max(end_of(x), end_of(bin_x))
    left_end = float(x[seen[0]]) if zoomed and len(x) else 0.0
    if not log and len(x) > 1:
        view = _view(np.concatenate([raw_train[seen], raw_validation[seen]]), quantity, zoomed)
        low, mean_shown, high = (np.clip(curve, *view) for curve in (low, mean_shown, high))

    best = _best(validation, quantity, epoch)
    span = (left_end, right_end)
    smoothed = [smooth(raw, smoothing) for raw in (raw_train, raw_validation)]
    tables = {
        "lines": pd.concat(
            pd.DataFrame(
                {
                    "x": x[few],
                    "series": np.full(len(few), series, dtype=object),
                    "value": value[few],
                    "raw": raw[few],
                }
            )
            for series, raw, value in zip(
                SERIES, (raw_train, raw_validation), smoothed, strict=True
            )
            for few in [seen[extremes(raw[seen], MOST_BUCKETS)]]
        ),
        "hover": _hover(
            points, x, bin_x, mean, best, quantity, MOST_HOVER_MOVING if moving else MOST_HOVER
        ),
        "best": _best_table(
            x, raw_validation, validation, epoch, best, quantity, shown.flipped, span
        ),
    }
    if batches is not None:
        tables["batches"] = pd.DataFrame(
            {
                "x": bin_x,
                "mean": mean_shown,
                "low": low,
                "high": high,
            }
        )
    if former:
        former_x = former[0] / (_TIME_UNITS[unit][0] if unit else 1.0)
        right_end = max(right_end, end_of(former_x))
        curves = [smooth(shown(curve), smoothing) for curve in former[1:]]
        # What the parent has come to at the fork, and after it, is to be compared with.
        fork = max(int(np.searchsorted(former_x, x[0])) - 1, 0) if len(x) else 0
        compared = [raw_train[seen], raw_validation[seen], *(curve[fork:] for curve in curves)]
        beside = _view(np.concatenate(compared), quantity, zoomed)
        tables["parent"] = pd.concat(
            pd.DataFrame(
                {
                    "x": former_x[few],
                    "series": np.full(len(few), series, dtype=object),
                    "value": (_within(curve, *beside) if zoomed and not log else curve)[few],
                }
            )
            for series, curve in zip(SERIES, curves, strict=True)
            for few in [extremes(curve, MOST_BUCKETS)]
        )
    if marks:
        tables["marks"] = _marks_table(marks_x, [label for _, label in marks], span)
    if shown_at is not None:
        tables["shown"] = pd.DataFrame({"x": [shown_at / (_TIME_UNITS[unit][0] if unit else 1.0)]})
    if zoomed:
        tables = {name: rows[rows["x"] >= left_end] for name, rows in tables.items()}

    empty = not any(np.isfinite(curve).any() for curve in (train, validation, mean))
    if empty:
        tables["empty"] = pd.DataFrame({"text": ["The curves appear here when training starts"]})
    return Figure(
        _template(
            quantity=quantity,
            x_axis=x_axis,
            unit=unit,
            log=log,
            zoomed=zoomed,
            smoothed=smoothing > 0,
            dots=len(x) <= MOST_DOTS,
            empty=empty,
            with_batches=batches is not None,
            with_parent=bool(former),
            with_marks=bool(marks),
            with_shown=shown_at is not None,
            x_domain=x_domain,
            height=height,
        ),
        tables,
        describe_curves(points, quantity=quantity),
    )


def describe_curves(points: EpochPoints, *, quantity: Quantity = "loss") -> str:
    """Say in one sentence what the curves show, for those who do not see them.

    >>> describe_curves(EpochPoints([1, 2], [1, 2], [9, 18], [2.3, 0.12], [2.2, 0.15]))
    'Training loss fell from 2.30 to 0.12 over 2 epochs; validation loss 0.15, the best so far.'
    """
    epoch = np.asarray(points.epoch, dtype=np.float64)
    train = np.asarray(points.train, dtype=np.float64)
    validation = np.asarray(points.validation, dtype=np.float64)
    if len(epoch) == 0:
        return f"No epoch has finished yet, so there is no {quantity} to show."
    n_trained = int((epoch > 0).sum())
    if not n_trained:
        return (
            f"Before training: training {quantity} {_words(train[0], quantity)}, "
            f"validation {quantity} {_words(validation[0], quantity)}."
        )

    span = "1 epoch" if n_trained == 1 else f"{n_trained:,} epochs"
    values = train[np.isfinite(train)]
    if len(values) == 0:
        sentence = f"Training {quantity} has no finite value in {span}"
    else:
        first, last = _words(values[0], quantity), _words(values[-1], quantity)
        if first == last:
            course = f"was {last}"
        else:
            course = f"{'fell' if values[-1] < values[0] else 'rose'} from {first} to {last}"
        sentence = f"Training {quantity} {course} over {span}"

    best = _best(validation, quantity, epoch)
    if best is not None:
        newest = np.flatnonzero(np.isfinite(validation))[-1]
        sentence += f"; validation {quantity} {_words(validation[newest], quantity)}"
        if best != newest:
            sentence += f", best {_words(validation[best], quantity)} at epoch {epoch[best]:g}"
        elif n_trained > 1:
            sentence += ", the best so far"

    # NaN in one curve is a value that was not measured; in both, or infinity, it is divergence.
    lost = np.isinf(train) | np.isinf(validation) | (np.isnan(train) & np.isnan(validation))
    if lost[-1]:
        kept = np.flatnonzero(~lost)
        since = kept[-1] + 1 if len(kept) else 0
        sentence += f"; not a finite number from epoch {epoch[since]:g} on"
    return f"{sentence}."


def _words(value: float, quantity: Quantity) -> str:
    """A value as text: a loss keeps three digits, an accuracy is a percentage."""
    if not np.isfinite(value):
        return "not measured"
    if quantity == "accuracy":
        return percent(value)
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:#.3g}"


def _view(curves: Floats, quantity: Quantity, zoomed: bool) -> tuple[float, float]:
    """Lowest and highest value that minibatches are drawn up to, given the epoch curves."""
    finite = curves[np.isfinite(curves)]
    if len(finite) == 0:
        return -np.inf, np.inf
    lowest, highest = float(finite.min()), float(finite.max())
    beside = 0.3 * (highest - lowest)
    if quantity == "loss":
        return (lowest - beside, highest + beside) if zoomed else (-np.inf, 1.3 * highest)
    return lowest - max(beside, 0.01), np.inf


def _within(values: Floats, lowest: float, highest: float) -> Floats:
    return np.where((values >= lowest) & (values <= highest), values, np.nan)


def _values(points: EpochPoints, x_axis: XAxis) -> tuple[Floats, Floats, Floats]:
    """Return place, training and validation of each epoch."""
    places = {"epoch": points.epoch, "step": points.step, "time": points.seconds}
    columns = (places[x_axis], points.train, points.validation)
    x, train, validation = (np.asarray(values, dtype=np.float64) for values in columns)
    return x, train, validation


def _best(validation: Floats, quantity: Quantity, epoch: Floats) -> int | None:
    """Index of the best finite value of a trained network, the earliest one of equals."""
    is_candidate = np.isfinite(validation) & (epoch > 0)
    if not is_candidate.any():
        return None
    sign = 1.0 if quantity == "loss" else -1.0
    return int(np.argmin(np.where(is_candidate, sign * validation, np.inf)))


def _best_table(
    x: Floats,
    shown: Floats,
    validation: Floats,
    epoch: Floats,
    best: int | None,
    quantity: Quantity,
    flipped: bool,
    span: tuple[float, float],
) -> pd.DataFrame:
    """The one row that is ringed and named, or none."""
    # The best of one is no news.
    if best is None or (np.isfinite(validation) & (epoch > 0)).sum() < 2:
        return pd.DataFrame({"x": [], "y": [], "label": [], "align": []})
    if flipped:
        value = f"lowest error {_words(1 - validation[best], quantity)}"
    else:
        value = f"best {_words(validation[best], quantity)}"
    return pd.DataFrame(
        {
            "x": [x[best]],
            "y": [shown[best]],
            "label": [f"{value}, epoch {epoch[best]:g}"],
            "align": [_align(x[best], span)],
        }
    )


def _align(x: float, span: tuple[float, float]) -> str:
    """Text right of a line, or left of it where it would run out of the picture."""
    left, right = span
    return "right" if right > left and x - left > 0.7 * (right - left) else "left"


def _marks_table(x: Floats, labels: list[str], span: tuple[float, float]) -> pd.DataFrame:
    """Event labels, each on the first line where it overlaps no other on a narrow chart.

    Where no line is left, the text stays away and its dashed line stays.
    """
    left, right = span
    pixels = (x - left) * (NARROW / (right - left) if right > left else 0.0)
    texts, levels = [""] * len(x), [0] * len(x)
    taken: list[list[tuple[float, float]]] = [[] for _ in range(MOST_LEVELS)]
    for at in np.argsort(x, kind="stable"):
        width = LETTER * len(labels[at]) + 10
        start = pixels[at] - (width if _align(x[at], span) == "right" else 0)
        for level, others in enumerate(taken):
            if all(start >= end or start + width <= begin for begin, end in others):
                others.append((start, start + width))
                texts[at], levels[at] = labels[at], level
                break
    return pd.DataFrame(
        {
            "x": x,
            "label": labels,
            "text": texts,
            "level": levels,
            "align": [_align(at, span) for at in x],
        }
    )


def _hover(
    points: EpochPoints,
    x: Floats,
    bin_x: Floats,
    mean: Floats,
    best: int | None,
    quantity: Quantity,
    most: int,
) -> pd.DataFrame:
    """The places that answer the pointer, with every value as the text that is shown there."""

    def words(values: ArrayLike) -> list[str]:
        rounded = np.asarray(values, dtype=np.float64).tolist()
        if quantity == "accuracy":
            return [percent(v, missing="-") for v in rounded]
        return [f"{v:.4g}" if np.isfinite(v) else "-" for v in rounded]

    if len(x) == 0:
        few = spread_out(len(bin_x), most)
        return pd.DataFrame(
            {
                "x": bin_x[few],
                "epoch": ["1, unfinished"] * len(few),
                "train": ["-"] * len(few),
                "validation": ["-"] * len(few),
                "batch": words(mean[few]),
                "step": ["-"] * len(few),
                "time": ["-"] * len(few),
            }
        )
    few = spread_out(len(x), most, best)
    epochs = np.asarray(points.epoch, dtype=np.float64)[few]
    if len(bin_x):
        batch = np.interp(x[few], bin_x, mean, left=np.nan, right=np.nan)
    else:
        batch = np.full(len(few), np.nan)
    return pd.DataFrame(
        {
            "x": x[few],
            "epoch": [f"{e:g}" for e in epochs.tolist()],
            "train": words(np.asarray(points.train)[few]),
            "validation": words(np.asarray(points.validation)[few]),
            "batch": words(batch),
            "step": [f"{s:,.0f}" for s in np.asarray(points.step)[few].tolist()],
            "time": [_duration(s) for s in np.asarray(points.seconds)[few].tolist()],
        }
    )


def _duration(seconds: float) -> str:
    if not np.isfinite(seconds):
        return "-"
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


@functools.lru_cache(maxsize=64)
def _template(
    *,
    quantity: Quantity,
    x_axis: XAxis,
    unit: str,
    log: bool,
    zoomed: bool,
    smoothed: bool,
    dots: bool,
    empty: bool,
    with_batches: bool,
    with_parent: bool,
    with_marks: bool,
    with_shown: bool,
    x_domain: tuple[float, float] | None,
    height: int,
) -> Mapping[str, Any]:
    """The structure of the chart, described and validated once for each set of options."""
    names = {"loss": "Loss (cross-entropy, nats)", "accuracy": "Accuracy (%)"}
    y_title = names[quantity]
    if log:
        y_title = f"{y_title if quantity == 'loss' else 'Error rate (%)'}, log scale"
    y_axis, y_scale = value_axis(
        y_title,
        quantity,
        log=log,
        empty=empty,
        linear=alt.Scale(zero=False, nice=True) if zoomed else whole_scale(quantity),
    )

    x_title = X_TITLES.get(x_axis)
    if empty and not x_domain:
        x_scale = alt.Scale(domain=[0, 1])
    elif x_domain:
        x_scale = alt.Scale(domain=list(x_domain), nice=False)
    else:
        x_scale = alt.Scale(zero=not zoomed, nice=False)
    x = alt.X("x:Q", title=x_title or _TIME_UNITS[unit][1], scale=x_scale, axis=place_axis(x_axis))

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", scale=y_scale, axis=y_axis)

    series, hues = [*SERIES], [TRAIN, VALIDATION]
    if with_batches:
        series.append(BATCHES)
        hues.append(TRAIN_FAINT)
    color = alt.Color(
        "series:N",
        scale=alt.Scale(domain=series, range=hues),
        legend=alt.Legend(
            orient="top", title=None, symbolType="stroke", symbolStrokeWidth=3, symbolSize=260,
            symbolOpacity=1, padding=0, offset=10, columnPadding=18, labelLimit=240,
            columns=alt.ExprRef(expr="max(1, floor(width / 110))"),  # a telephone has two
        ),
    )  # fmt: skip
    is_training = f"datum.series === '{SERIES[0]}'"

    layers: list[alt.Chart] = []
    if with_batches:
        batches = alt.Chart(table("batches")).encode(x=x)
        quiet: dict[str, Any] = {"clip": True, "tooltip": None}
        layers += [
            batches.mark_area(opacity=0.14, color=TRAIN, **quiet).encode(y=y("low"), y2="high:Q"),
            batches.mark_line(strokeWidth=1.2, color=TRAIN_FAINT, **quiet).encode(y=y("mean")),
        ]
    if with_parent:
        layers.append(
            alt.Chart(table("parent"))
            .mark_line(strokeWidth=1.6, opacity=0.5, strokeDash=[5, 4], clip=True, tooltip=None)
            .encode(
                x=x,
                y=y("value"),
                stroke=alt.condition(is_training, alt.value(TRAIN), alt.value(VALIDATION)),
                detail="series:N",
            )
        )
    lines = alt.Chart(table("lines")).encode(x=x)
    if smoothed:
        layers.append(
            lines.mark_line(strokeWidth=1.2, opacity=0.4, clip=True, tooltip=None).encode(
                y=y("raw"),
                stroke=alt.condition(is_training, alt.value(TRAIN), alt.value(VALIDATION)),
                detail="series:N",
            )
        )
    layers.append(
        lines.mark_line(
            strokeWidth=2.4, strokeJoin="round", strokeCap="round", clip=True, tooltip=None
        ).encode(y=y("value"), color=color)
    )
    if dots:
        # Validation is hollow, so that the two are told apart without colour as well.
        layers.append(
            lines.mark_point(
                size=26, strokeWidth=1.8, opacity=1, clip=x_domain is not None, tooltip=None
            ).encode(
                y=y("value"),
                stroke=alt.condition(is_training, alt.value(TRAIN), alt.value(VALIDATION)),
                fill=alt.condition(is_training, alt.value(TRAIN), alt.value(BACKGROUND)),
            )
        )
    if with_shown:
        layers += _shown_layers(x)
    layers += _best_layers(x, y("y"))
    if with_marks:
        # Where the curves are not: accuracy rises to the top, loss and error rate fall from it.
        layers += _mark_layers(x, at_bottom=quantity == "accuracy" and not log)
    if empty:
        layers.append(
            alt.Chart(table("empty"))
            .mark_text(color=FADED_INK, fontSize=13, tooltip=None)
            .encode(
                x=alt.value(alt.ExprRef(expr="width / 2")),
                y=alt.value(alt.ExprRef(expr="height / 2")),
                text="text:N",
            )
        )
    layers.append(_hover_layer(x, quantity, with_batches))
    value = {"loss": "Loss", "accuracy": "Error rate (share)" if log else "Accuracy (share)"}
    columns = {"x": x_title or _TIME_UNITS[unit][1], "series": "Curve", "value": value[quantity]}
    if smoothed:
        columns["raw"] = f"{value[quantity]}, before smoothing"
    return template(
        alt.layer(*layers).properties(height=height), usermeta=columns_saved("lines", columns)
    )


def _best_layers(x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """A ring around the best validation value, and its name beside it, readable on any line."""
    base = alt.Chart(table("best")).encode(x=x, y=y)
    label: dict[str, Any] = {
        "align": alt.ExprRef(expr="datum.align"),
        "dx": alt.ExprRef(expr="datum.align === 'right' ? 6 : -6"),
        # Above, but for one at the very top, where the legend is.
        "dy": alt.ExprRef(expr="scale('y', datum.y) < 24 ? 20 : -18"),
        "fontSize": 12,
        "tooltip": None,
    }
    return [
        base.mark_point(
            size=190, strokeWidth=2, stroke=VALIDATION, filled=False, opacity=1, tooltip=None
        ),
        base.mark_text(
            **label, stroke=BACKGROUND, strokeWidth=4, strokeJoin="round", opacity=0.85
        ).encode(text="label:N"),
        base.mark_text(**label, color=INK).encode(text="label:N"),
    ]


def _shown_layers(x: alt.X) -> list[alt.Chart]:
    """A line at the epoch that is looked at elsewhere, with a triangle on the axis."""
    base = alt.Chart(table("shown")).encode(x=x)
    return [
        base.mark_rule(color=INK, strokeWidth=1.2, opacity=0.45, tooltip=None),
        base.mark_point(
            shape="triangle-up", size=110, filled=True, color=INK, opacity=1, tooltip=None
        ).encode(y=alt.value(alt.ExprRef(expr="height - 5"))),
    ]


def _mark_layers(x: alt.X, *, at_bottom: bool) -> list[alt.Chart]:
    """Dashed lines where something happened, with what it was at their end."""
    base = alt.Chart(table("marks")).encode(x=x)
    # Moved by pixels: of blank lines before a text, a browser's SVG leaves out all but one.
    step = -LINE if at_bottom else LINE
    end = alt.value(alt.ExprRef(expr="height - 14")) if at_bottom else alt.value(2)
    return [
        base.mark_rule(color=NEUTRAL, strokeDash=[4, 3], clip=True, tooltip=None),
        base.mark_text(
            align=alt.ExprRef(expr="datum.align"),
            dx=alt.ExprRef(expr="datum.align === 'right' ? -5 : 5"),
            dy=alt.ExprRef(expr=f"{step} * datum.level"),
            baseline="bottom" if at_bottom else "top",
            fontSize=11,
            color=FADED_INK,
            tooltip=None,
        ).encode(y=end, text="text:N"),
    ]


def _hover_layer(x: alt.X, quantity: Quantity, with_batches: bool) -> alt.Chart:
    """A rule at the place nearest to the pointer, with all values there in one tooltip."""
    hover = alt.selection_point(
        name="hover", nearest=True, on="pointerover", clear="pointerout", fields=["x"], empty=False
    )
    noun = quantity
    tooltip = [
        alt.Tooltip("epoch:N", title="Epoch"),
        alt.Tooltip("train:N", title=f"Training {noun}"),
        alt.Tooltip("validation:N", title=f"Validation {noun}"),
    ]
    if with_batches:
        tooltip.append(alt.Tooltip("batch:N", title=f"Minibatch {noun}, mean"))
    tooltip += [alt.Tooltip("step:N", title="Step"), alt.Tooltip("time:N", title="Training time")]
    layer: alt.Chart = (
        alt.Chart(table("hover"))
        .mark_rule(color=NEUTRAL, strokeWidth=1)
        .encode(
            x=x,
            opacity=alt.condition(hover, alt.value(0.9), alt.value(0), empty=False),
            tooltip=tooltip,
        )
        .add_params(hover)
    )
    return layer
