"""Calibration: confidence against accuracy, and errors against refusals.

In the reliability diagram a bar is a bin of answers with about the same confidence, as high as the
share of them that is right. Bars of a calibrated network end on the dashed line; where one ends
below, the network is too sure, where above, too timid. The fine line in a bar is the interval that
the true share lies in with 95 % certainty: in a bin of few answers it is long.

The bins of the histogram lie under those of the diagram. Nearly all answers are in the last one,
so that its axis is logarithmic, and the counts are written on the bars.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neuralscope.charts.colors import NEUTRAL, RIGHT, WRONG
from neuralscope.charts.figure import BACKGROUND, FADED_INK, INK, Figure, table, template
from neuralscope.words import percent

MOST_POINTS: Final = 400  # of the refusal curve; each is a mark the browser has to keep
ERRORS_GONE: Final = 0.95  # share of the errors after which the curve ends
Y_EXTENT: Final = 40  # pixels for the labels of every y axis here, so that the bins line up

Floats = NDArray[np.float64]


def reliability_diagram(
    low: ArrayLike,
    high: ArrayLike,
    count: ArrayLike,
    confidence: ArrayLike,
    accuracy: ArrayLike,
    accuracy_low: ArrayLike,
    accuracy_high: ArrayLike,
    *,
    error: float,
    height: int = 320,
) -> Figure:
    """Draw the share of right answers in each bin of confidence; empty bins stay empty.

    Args:
        low: Lower ends of the bins, 0..1, shape (bins,).
        high: Upper ends.
        count: Answers in each bin.
        confidence: Their mean confidence, 0..1.
        accuracy: Share of them that is right, 0..1.
        accuracy_low: Lower end of the interval of that share.
        accuracy_high: Its upper end.
        error: Expected calibration error, 0..1, for the words.
        height: Height in pixels.
    """
    bins = _bins(low, high, count).assign(
        confidence=np.asarray(confidence, dtype=np.float64),
        accuracy=np.asarray(accuracy, dtype=np.float64),
        accuracy_low=np.asarray(accuracy_low, dtype=np.float64),
        accuracy_high=np.asarray(accuracy_high, dtype=np.float64),
    )
    bins = bins[bins["count"] > 0].reset_index(drop=True)
    gap = 100 * (bins["confidence"] - bins["accuracy"])
    bins["verdict"] = [_verdict(points) for points in gap.tolist()]
    bins = _with_words(bins, ("confidence", "accuracy", "accuracy_low", "accuracy_high"))
    return Figure(
        _reliability_template(height),
        {"bins": bins, "ideal": pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]})},
        describe_reliability(count, confidence, accuracy, error),
    )


def describe_reliability(
    count: ArrayLike, confidence: ArrayLike, accuracy: ArrayLike, error: float
) -> str:
    """Say in one sentence how confidence and accuracy agree.

    >>> describe_reliability([2, 8], [0.4, 0.9], [0.5, 0.75], 0.14)
    'Mean confidence 80.00 %, 70.00 % right; expected calibration error 14.00 % in 2 bins.'
    """
    count = np.asarray(count, dtype=np.float64)
    if not count.any():
        return "No answer has been given yet."
    said, was = (
        float(np.nan_to_num(np.asarray(each, dtype=np.float64)) @ count / count.sum())
        for each in (confidence, accuracy)
    )
    return (
        f"Mean confidence {percent(said)}, {percent(was)} right;"
        f" expected calibration error {percent(error)} in {len(count)} bins."
    )


def confidence_histogram(
    low: ArrayLike, high: ArrayLike, count: ArrayLike, *, height: int = 180
) -> Figure:
    """Draw how many answers there are of each confidence.

    Args:
        low: Lower ends of the bins, 0..1, shape (bins,).
        high: Upper ends.
        count: Answers in each bin.
        height: Height in pixels.
    """
    bins = _bins(low, high, count)
    total = max(int(bins["count"].sum()), 1)
    bins["share"] = bins["count"] / total
    bins = _with_words(bins, ("share",))
    bins["text"] = [f"{number:,}" if number else "" for number in bins["count"].tolist()]
    return Figure(
        _histogram_template(height), {"bins": bins}, describe_confidences(low, high, count)
    )


def describe_confidences(low: ArrayLike, high: ArrayLike, count: ArrayLike) -> str:
    """Say in one sentence where most answers are.

    >>> describe_confidences([0, 0.5], [0.5, 1], [2, 8])
    'Of 10 answers, 8 (80.0 %) have a confidence of 50 to 100 %, the fullest of 2 bins.'
    """
    bins = _bins(low, high, count)
    total = int(bins["count"].sum())
    if total == 0:
        return "No answer has been given yet."
    most = bins.loc[bins["count"].idxmax()]
    have = "has" if most["count"] == 1 else "have"
    return (
        f"Of {total:,} {'answer' if total == 1 else 'answers'}, {most['count']:,}"
        f" ({percent(most['count'] / total, 1)}) {have} a confidence of {most['bin']},"
        f" the fullest of {len(bins)} bins."
    )


def refusal_curve(
    threshold: ArrayLike,
    share_refused: ArrayLike,
    error: ArrayLike,
    *,
    at: tuple[float, float, float],
    height: int = 320,
) -> Figure:
    """Draw the error on the digits still answered against the share that is refused.

    The curve ends where 19 of 20 errors are gone, or at the mark if that is further on: beyond, it
    is a line near zero.

    Args:
        threshold: Confidence below which an answer is refused, 0..1, rising, shape (n,).
        share_refused: Share of the digits that are then refused, 0..1.
        error: Share of the answers still given that are wrong, 0..1.
        at: Threshold, share refused and error to mark; an error of NaN marks nothing.
        height: Height in pixels.
    """
    threshold, share, error = (
        np.asarray(values, dtype=np.float64) for values in (threshold, share_refused, error)
    )
    shown = _shown(share, error, at[1])
    curve = pd.DataFrame(
        {
            "share": share[shown],
            "error": error[shown],
            "threshold": [_exact_percent(value) for value in threshold[shown].tolist()],
        }
    )
    marked = [at] if np.isfinite(at[2]) else []
    mark = pd.DataFrame(
        {
            "share": [value for _, value, _ in marked],
            "error": [value for _, _, value in marked],
            "threshold": [_exact_percent(value) for value, _, _ in marked],
        }
    ).astype({"share": float, "error": float, "threshold": object})
    return Figure(
        _refusal_template(height),
        {
            name: _with_words(rows, ("share", "error"))
            for name, rows in (("curve", curve), ("mark", mark))
        },
        describe_refusal(share, error, at=at),
    )


def describe_refusal(
    share_refused: ArrayLike, error: ArrayLike, *, at: tuple[float, float, float]
) -> str:
    """Say in one sentence what refusing brings.

    >>> describe_refusal([0, 0.1, 0.2], [0.03, 0.01, 0], at=(0.9, 0.1, 0.01))
    'Error falls from 3.00 % with nothing refused to 1.00 % with 10.00 % refused (below 90 %).'
    """
    share, wrong = (np.asarray(values, dtype=np.float64) for values in (share_refused, error))
    if not len(share):
        return "No answer has been given yet."
    threshold, refused, error_there = at
    first = percent(wrong[0])
    below = f"below {_exact_percent(threshold)}"
    if not np.isfinite(error_there):
        return f"Error is {first} with nothing refused; {below} everything would be refused."
    then = percent(error_there)
    course = "falls" if error_there < wrong[0] else "rises"
    change = f"{course} from {first} with nothing refused to" if then != first else "is"
    return f"Error {change} {then} with {percent(refused)} refused ({below})."


def _bins(low: ArrayLike, high: ArrayLike, count: ArrayLike) -> pd.DataFrame:
    low, high = (np.asarray(edge, dtype=np.float64) for edge in (low, high))
    return pd.DataFrame(
        {
            "low": low,
            "high": high,
            "middle": (low + high) / 2,
            "count": np.asarray(count, dtype=np.int64),
            "bin": [
                f"{100 * a:.3g} to {100 * b:.3g} %"
                for a, b in zip(low.tolist(), high.tolist(), strict=True)
            ],
        }
    )


def _with_words(rows: pd.DataFrame, shares: Sequence[str]) -> pd.DataFrame:
    """Return rows with each of these shares also as it is read: `error` as `error_words`."""
    words = {f"{name}_words": [percent(value) for value in rows[name].tolist()] for name in shares}
    return rows.assign(**words)


def _verdict(points: float) -> str:
    """What a gap between confidence and accuracy means, in percentage points."""
    if abs(points) < 0.05:
        return "as sure as it may be"
    return f"{abs(points):.1f} points too {'sure' if points > 0 else 'timid'}"


def _exact_percent(share: float) -> str:
    """A threshold as it is: 90 %, 99.9 %, and never 100 % for less than that."""
    percent = 100 * share
    if 99.995 <= percent < 100:
        return "above 99.99 %"
    return f"{round(percent, 2):g} %"


def _shown(share: Floats, error: Floats, marked: float) -> NDArray[np.intp]:
    """Which points of the curve to draw: up to its end as described, thinned evenly."""
    if not len(share):
        return np.empty(0, dtype=np.intp)
    left = error * (1 - share)  # errors left, as a share of all digits
    gone = np.flatnonzero(left <= (1 - ERRORS_GONE) * left[0])
    last = share[gone[0]] if len(gone) else share[-1]
    end = 1.05 * max(last, marked)
    kept = np.flatnonzero(share <= end)
    if len(kept) <= MOST_POINTS:
        return kept
    # Evenly along the axis: the confidences themselves crowd where nothing happens.
    wanted = np.linspace(0.0, share[kept[-1]], MOST_POINTS)
    return np.unique(np.minimum(np.searchsorted(share, wanted), kept[-1]))


_PERCENT_LABEL: Final = "format(100 * datum.value, '.4~g')"


def _percent_axis(title: str, **options: Any) -> alt.Axis:
    return alt.Axis(title=title, labelExpr=_PERCENT_LABEL, **options)


def _confidence_axis() -> alt.X:
    return alt.X(
        "low:Q",
        title="Confidence in the answer (%)",
        scale=alt.Scale(domain=[0, 1]),
        axis=_percent_axis("Confidence in the answer (%)", grid=False, tickCount=10),
    )


@functools.lru_cache(maxsize=8)
def _reliability_template(height: int) -> Mapping[str, Any]:
    unit = alt.Scale(domain=[0, 1])
    y_axis = _percent_axis("Right answers (%)", minExtent=Y_EXTENT, maxExtent=Y_EXTENT)
    bars = (
        alt.Chart(table("bins"))
        .mark_bar(color=RIGHT, fillOpacity=0.75, stroke=BACKGROUND, strokeWidth=1)
        .encode(
            x=_confidence_axis(),
            x2="high:Q",
            y=alt.Y("accuracy:Q", scale=unit, axis=y_axis),
            y2=alt.datum(0),
            tooltip=[
                alt.Tooltip("bin:N", title="Confidence"),
                alt.Tooltip("count:Q", title="Answers", format=",d"),
                alt.Tooltip("confidence_words:N", title="Mean confidence"),
                alt.Tooltip("accuracy_words:N", title="Right"),
                alt.Tooltip("accuracy_low_words:N", title="95 % certain: from"),
                alt.Tooltip("accuracy_high_words:N", title="to"),
                alt.Tooltip("verdict:N", title="That is"),
            ],
        )
    )
    ideal = (
        alt.Chart(table("ideal"))
        .mark_line(color=INK, strokeDash=[5, 4], strokeWidth=1.5, tooltip=None)
        .encode(x=alt.X("x:Q", scale=unit), y=alt.Y("y:Q", scale=unit))
    )
    interval = (
        alt.Chart(table("bins"))
        .mark_rule(color=INK, strokeWidth=1.5, tooltip=None)
        .encode(x="middle:Q", y=alt.Y("accuracy_low:Q", scale=unit), y2="accuracy_high:Q")
    )
    return template(alt.layer(bars, ideal, interval).properties(height=height))


@functools.lru_cache(maxsize=8)
def _histogram_template(height: int) -> Mapping[str, Any]:
    y = alt.Y(
        "count:Q",
        scale=alt.Scale(type="symlog", nice=False),
        axis=alt.Axis(
            title="Answers (log)",
            values=[0, 10, 100, 1000, 10_000, 100_000],
            labelOverlap=False,
            labelExpr="format(datum.value, '~s')",
            minExtent=Y_EXTENT,
            maxExtent=Y_EXTENT,
        ),
    )
    base = alt.Chart(table("bins")).encode(
        tooltip=[
            alt.Tooltip("bin:N", title="Confidence"),
            alt.Tooltip("count:Q", title="Answers", format=",d"),
            alt.Tooltip("share_words:N", title="Of all"),
        ]
    )
    bars = base.mark_bar(color=NEUTRAL, stroke=BACKGROUND, strokeWidth=1).encode(
        x=_confidence_axis(), x2="high:Q", y=y, y2=alt.datum(0)
    )
    numbers = base.mark_text(color=INK, fontSize=11, dy=-7).encode(x="middle:Q", y=y, text="text:N")
    return template(alt.layer(bars, numbers).properties(height=height))


@functools.lru_cache(maxsize=8)
def _refusal_template(height: int) -> Mapping[str, Any]:
    x = alt.X(
        "share:Q",
        scale=alt.Scale(zero=True, nice=False),
        axis=_percent_axis("Answers refused (%)", grid=False, tickCount=8),
    )
    y = alt.Y(
        "error:Q",
        scale=alt.Scale(zero=True),
        axis=_percent_axis("Errors among answers (%)", minExtent=Y_EXTENT),
    )
    tooltip = [
        alt.Tooltip("threshold:N", title="Refused below"),
        alt.Tooltip("share_words:N", title="Refused"),
        alt.Tooltip("error_words:N", title="Errors among the rest"),
    ]
    curve = alt.Chart(table("curve")).encode(x=x, y=y)
    mark = alt.Chart(table("mark")).encode(x=x, y=y)
    guide: dict[str, Any] = {"color": FADED_INK, "strokeDash": [4, 4], "tooltip": None}
    layers = [
        curve.mark_line(color=WRONG, strokeWidth=2.4, interpolate="step-after", tooltip=None),
        mark.mark_rule(**guide).encode(y2=alt.datum(0)),
        mark.mark_rule(**guide).encode(x2=alt.datum(0)),
        mark.mark_point(
            size=130, filled=True, fill=INK, stroke=BACKGROUND, opacity=1, tooltip=None
        ),
        # Unseen and above all others, so that the chosen one speaks too.
        curve.mark_point(size=160, filled=True, opacity=0).encode(tooltip=tooltip),
    ]
    return template(alt.layer(*layers).properties(height=height))
