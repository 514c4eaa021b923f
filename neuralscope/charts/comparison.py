"""Several runs in one picture: their curves, their settings, and the interval of a difference.

Each contestant, a run or a configuration with several seeds, has a letter and a colour that are
the same in all three. The ten colours were searched as those of the digits were (see `colors`):
for the largest distance between the two most alike, in each kind of vision, and apart from the
colours that already mean something. From the eleventh contestant on they come again, and the
letter at the end of each line says which it is.
"""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

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
from neuralscope.charts.colors import NEUTRAL
from neuralscope.charts.curves import extremes
from neuralscope.charts.figure import (
    BACKGROUND,
    FADED_INK,
    INK,
    Figure,
    table,
    template,
)
from neuralscope.charts.saved import columns_saved
from neuralscope.words import percent

RUNS: Final[tuple[str, ...]] = (
    "#8f78ea",
    "#a63864",
    "#8b7001",
    "#536da7",
    "#c47375",
    "#afad09",
    "#5539a7",
    "#ef91a9",
    "#90aaf8",
    "#714407",
)
"""The colours of contestants, in their order."""

OUTCOME: Final[tuple[str, ...]] = ("#7d3f9e", "#4f7fd0", "#3dbb86")
"""From the worst result to the best: ever lighter, and legible on either background."""

SPLITS: Final = ("Validation", "Training")

MOST_DOTS: Final = 30  # epochs up to which each gets a dot; a line of one epoch is a dot alone
MOST_POINTS: Final = 600  # of one line: more than there are pixels between two of its ends
MOST_HOVER: Final = 600  # places that answer the pointer, over all lines
LETTER_HEIGHT: Final = 14.0  # pixels that a letter at the end of a line needs for itself
ABOUT_AXIS: Final = 60  # pixels that the axis below the curves and its title take
MOST_IN_LEGEND: Final = 20  # contestants; of more, the letters and the pointer tell
LEGEND_ROW: Final = 21  # pixels of a line of the legend
LETTER_WIDTH: Final = 0.04  # of the x axis, for the same

_TIME_UNITS: Final = (
    (120.0, 1.0, "Training time (s)"),
    (7200.0, 60.0, "Training time (min)"),
    (np.inf, 3600.0, "Training time (h)"),
)


def letter(index: int) -> str:
    """Return what the contestant of this number is called: A, B, ... Z, AA, AB, ...

    >>> letter(0), letter(25), letter(26)
    ('A', 'Z', 'AA')
    """
    more, last = divmod(index, 26)
    return (letter(more - 1) if more else "") + chr(ord("A") + last)


def color(index: int) -> str:
    """Return the colour of the contestant of this number."""
    return RUNS[index % len(RUNS)]


@dataclass(frozen=True)
class Curve:
    """One line of a comparison, or several seeds as one; its arrays are of one length.

    Attributes:
        contestant: Whose it is, a number from 0.
        x: Epochs, steps, or seconds of training.
        y: Loss in nats, or accuracy from 0 to 1; the mean where there are several seeds.
        epoch: The epoch of each point.
        split: Measured on 'Validation' or 'Training' examples.
        low: Lowest of several seeds, or None.
        high: Highest of them, or None.
        seeds: The line of each of them as (x, y).
        fork: Where it leaves the line of the run it was forked from, as (x, y), or None.
    """

    contestant: int
    x: ArrayLike
    y: ArrayLike
    epoch: ArrayLike
    split: str = SPLITS[0]
    low: ArrayLike | None = None
    high: ArrayLike | None = None
    seeds: Sequence[tuple[ArrayLike, ArrayLike]] = field(default=())
    fork: tuple[float, float] | None = None


def comparison_curves(
    curves: Sequence[Curve],
    labels: Sequence[str],
    *,
    quantity: Quantity = "accuracy",
    x_axis: XAxis = "epoch",
    log: bool = False,
    zoomed: bool = False,
    height: int = 250,
) -> Figure:
    """Draw the curves of several contestants over each other.

    On a logarithmic axis accuracy is drawn as the error rate, 1 - accuracy.

    Args:
        curves: What to draw; a contestant may have several.
        labels: What each contestant is called beside its letter.
        quantity: What the values are.
        x_axis: What they are laid out along.
        log: Draw on a logarithmic axis.
        zoomed: Draw the later half of each curve only, on a scale of their own.
        height: Of the plot itself, in pixels; legend and axis come on top of it.
    """
    longest = max((end_of(_array(curve.x)) for curve in curves), default=0.0)
    size, x_title = 1.0, X_TITLES.get(x_axis, "")
    if x_axis == "time":
        size, x_title = next((s, title) for limit, s, title in _TIME_UNITS if longest < limit)
    on_axis = Shown(quantity, log, [_array(curve.y) for curve in curves])

    def shown(values: ArrayLike) -> Floats:
        return on_axis(_array(values))

    lines, bands, seeds, hover = [], [], [], []
    ends, forks = [], []
    share = max(MOST_HOVER // max(len(curves), 1), 20)
    for number, curve in enumerate(curves):
        name = letter(curve.contestant)
        x, y, epoch = _array(curve.x) / size, shown(curve.y), _array(curve.epoch)
        whose: dict[str, Any] = {"run": name, "split": curve.split, "line": number}
        seen = later_half(x) if zoomed else np.arange(len(x))
        start = x[seen[0]] if zoomed and len(x) else -np.inf
        few = seen[extremes(y[seen], MOST_POINTS // 2)]
        lines.append(pd.DataFrame({"x": x[few], "y": y[few], "epoch": epoch[few], **whose}))
        if curve.low is not None and curve.high is not None:
            low, high = shown(curve.low)[few], shown(curve.high)[few]
            bands.append(pd.DataFrame({"x": x[few], "low": low, "high": high, **whose}))
        for i, (seed_x, seed_y) in enumerate(curve.seeds):
            at, values = _array(seed_x) / size, shown(seed_y)
            within = np.flatnonzero(at >= start)
            some = within[extremes(values[within], MOST_POINTS // 2)]
            seeds.append(
                pd.DataFrame({"x": at[some], "y": values[some], **whose, "line": f"{number}.{i}"})
            )
        answering = seen[spread_out(len(seen), share)]
        hover.append(
            pd.DataFrame(
                {
                    "x": x[answering],
                    "y": y[answering],
                    **whose,
                    "label": f"{name} · {labels[curve.contestant]}",
                    "epoch": [f"{value:g}" for value in epoch[answering].tolist()],
                    "value": [_words(v, quantity) for v in _array(curve.y)[answering].tolist()],
                    "at": [_place(v, x_axis) for v in _array(curve.x)[answering].tolist()],
                }
            )
        )
        finite = np.flatnonzero(np.isfinite(y))
        if len(finite) and curve.split == min(SPLITS, key=lambda s: _rank(s, curve, curves)):
            ends.append({"x": x[finite[-1]], "y": y[finite[-1]], "run": name})
        if curve.fork is not None and curve.fork[0] / size >= start:
            forks.append(
                {"x": curve.fork[0] / size, "y": float(shown([curve.fork[1]])[0]), "run": name}
            )

    tables = {
        "lines": _joined(lines, ["x", "y", "epoch", "run", "split", "line"]),
        "bands": _joined(bands, ["x", "low", "high", "run", "split", "line"]),
        "seeds": _joined(seeds, ["x", "y", "run", "split", "line"]),
        "hover": _joined(hover, ["x", "y", "run", "split", "line", "label", "epoch", "value"]),
        "ends": _apart(
            pd.DataFrame(ends, columns=["x", "y", "run"]),
            lines,
            log,
            () if log or zoomed else (0.0, 1.0) if quantity == "accuracy" else (0.0,),
            height,
        ),
        "forks": pd.DataFrame(forks, columns=["x", "y", "run"]),
    }
    empty = not len(tables["lines"])
    if empty:
        tables["empty"] = pd.DataFrame({"text": ["The curves appear here after the first epoch"]})
    return Figure(
        _labelled_template(
            tuple(labels),
            n_contestants=len(labels),
            is_tight=_is_tight(labels),
            splits=tuple(s for s in SPLITS if any(curve.split == s for curve in curves)),
            quantity=quantity,
            x_axis=x_axis,
            x_title=x_title,
            log=log,
            zoomed=zoomed,
            empty=empty,
            dots=max((len(line) for line in lines), default=0) <= MOST_DOTS,
            height=height,
        ),
        tables,
        describe_comparison(curves, labels, quantity=quantity),
    )


def describe_comparison(
    curves: Sequence[Curve], labels: Sequence[str], *, quantity: Quantity = "accuracy"
) -> str:
    """Say in one sentence where each contestant's curve ends, for those who do not see it.

    >>> describe_comparison([Curve(0, [1, 2], [0.8, 0.9], [1, 2])], ["rate 0.1"])
    'Validation accuracy of 1 contestant: A (rate 0.1) 90.00 % at epoch 2.'
    """
    said = []
    split = next((s for s in SPLITS if any(c.split == s for c in curves)), SPLITS[0])
    for curve in curves:
        y = _array(curve.y)
        finite = np.flatnonzero(np.isfinite(y))
        if curve.split == split and len(finite):
            last = finite[-1]
            who = f"{letter(curve.contestant)} ({labels[curve.contestant]})"
            epoch = _array(curve.epoch)[last]
            said.append(f"{who} {_words(y[last], quantity)} at epoch {epoch:g}")
    if not said:
        return f"No epoch is complete yet, so there is no {quantity} to compare."
    noun = "contestant" if len(said) == 1 else "contestants"
    return f"{split} {quantity} of {len(said)} {noun}: {', '.join(said)}."


def _array(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _rank(split: str, curve: Curve, curves: Sequence[Curve]) -> int:
    """Order of a split among those that this contestant has a line of, the absent ones last."""
    has = any(c.contestant == curve.contestant and c.split == split for c in curves)
    return SPLITS.index(split) if has else len(SPLITS)


def _joined(parts: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(columns))


def _words(value: float, quantity: Quantity) -> str:
    if not np.isfinite(value):
        return "not measured"
    return percent(value) if quantity == "accuracy" else f"{value:.4g}"


def _place(value: float, x_axis: XAxis) -> str:
    return f"{value:.1f} s of training" if x_axis == "time" else f"{x_axis} {value:,.4g}"


def _apart(
    ends: pd.DataFrame,
    lines: Sequence[pd.DataFrame],
    log: bool,
    on_axis: Sequence[float],
    height: int,
) -> pd.DataFrame:
    """Say by how many pixels each letter moves so that no two lie on each other.

    The axis holds the values of the lines, and in any case those of `on_axis`.
    """
    ends = ends.sort_values("y", kind="stable", ignore_index=True)
    values = np.concatenate([line["y"].to_numpy() for line in lines] or [np.zeros(0)])
    values = np.append(values[np.isfinite(values)], on_axis)
    if not len(ends):
        return ends.assign(dy=np.zeros(0))
    place = np.log if log else np.asarray
    low, high = float(place(values.min())), float(place(values.max()))
    # Pixels above the bottom.
    at = (place(ends["y"].to_numpy()) - low) / max(high - low, 1e-12) * height
    near = LETTER_WIDTH * max(float(line["x"].max()) for line in lines)
    moved = at.copy()
    by_place = np.argsort(ends["x"].to_numpy(), kind="stable")
    breaks = np.flatnonzero(np.diff(ends["x"].to_numpy()[by_place]) > near) + 1
    for side_by_side in np.split(by_place, breaks):
        column = np.sort(side_by_side)  # from the lowest to the highest
        moved[column] = _spread(at[column], height)
    return ends.assign(dy=at - moved)


def _spread(at: Floats, height: float) -> Floats:
    """Move ascending places apart to at least LETTER_HEIGHT, each pile around its middle."""
    piles: list[tuple[float, int]] = []  # (middle, how many) from the bottom up
    for place in at.tolist():
        middle, n = place, 1
        while piles:
            below, m = piles[-1]
            if middle - below >= LETTER_HEIGHT * (n + m) / 2:
                break
            middle, n = (below * m + middle * n) / (m + n), m + n
            piles.pop()
        piles.append((middle, n))
    places = np.concatenate(
        [middle + LETTER_HEIGHT * (np.arange(n) - (n - 1) / 2) for middle, n in piles]
    )
    # What stands out at the bottom goes up, what stands out at the top goes down.
    steps = LETTER_HEIGHT * np.arange(len(places))
    places = np.maximum(places, steps)
    inside: Floats = np.minimum(places, max(height, steps[-1]) - steps[::-1])
    return inside


def _legend_labels(labels: Sequence[str]) -> str:
    """The expression that turns a letter into the letter and what it stands for."""
    # The names as a literal of the expression language: JSON is one.
    names = {letter(i): f"{letter(i)} · {label}" for i, label in enumerate(labels)}
    return f"{json.dumps(names)}[datum.label]"


def _is_tight(labels: Sequence[str]) -> bool:
    """Whether the legend has two columns: many short names."""
    return len(labels) > 4 and max(map(len, labels)) <= 20


def _run_color(n: int, is_tight: bool) -> alt.Color:
    return alt.Color(
        "run:N",
        scale=alt.Scale(
            domain=[letter(i) for i in range(n)], range=[color(i) for i in range(n)]
        ),
        legend=alt.Legend(
            orient="top", title=None, direction="vertical", symbolType="stroke",
            symbolStrokeWidth=3, symbolSize=260, symbolOpacity=1, padding=0, offset=10,
            columns=2 if is_tight else 1, columnPadding=14, 
            # The name of a run may be longer than a telephone is wide.
            labelLimit=alt.ExprRef(
                expr="min(150, width / 2 - 40)" if is_tight else "min(320, width - 30)"
            ),
            labelExpr="datum.label",
        )
        if n <= MOST_IN_LEGEND
        else None,
    )  # fmt: skip


@functools.lru_cache(maxsize=64)
def _labelled_template(labels: tuple[str, ...], **options: Any) -> Mapping[str, Any]:
    """The structure of the curves with names in its legend.

    They are put in afterwards: other runs are compared at every look, and describing a chart anew
    for each would take a fifth of a second.
    """
    spec = copy.deepcopy(dict(_curves_template(**options)))
    for layer in spec["layer"]:
        legend = layer["encoding"].get("color", {}).get("legend")
        if legend:
            legend["labelExpr"] = _legend_labels(labels)
    return spec


@functools.lru_cache(maxsize=64)
def _curves_template(
    *,
    n_contestants: int,
    is_tight: bool,
    splits: tuple[str, ...],
    quantity: Quantity,
    x_axis: XAxis,
    x_title: str,
    log: bool,
    zoomed: bool,
    empty: bool,
    dots: bool,
    height: int,
) -> Mapping[str, Any]:
    """The structure of the curves, described and validated once for each set of options."""
    both = len(splits) > 1
    y_title = {"loss": "loss (nats)", "accuracy": "accuracy (%)"}[quantity]
    if log:
        y_title = f"{'loss (nats)' if quantity == 'loss' else 'error rate (%)'}, log scale"
    y_title = f"{'' if both or not splits else splits[0] + ' '}{y_title}"
    y_title = y_title[0].upper() + y_title[1:]
    y_axis, y_scale = value_axis(
        y_title,
        quantity,
        log=log,
        empty=empty,
        linear=alt.Scale(zero=False, nice=True) if zoomed else whole_scale(quantity),
    )
    x_scale = alt.Scale(domain=[0, 1]) if empty else alt.Scale(zero=False, nice=False, padding=4)
    x = alt.X("x:Q", title=x_title, scale=x_scale, axis=place_axis(x_axis))

    def y(column: str) -> alt.Y:
        return alt.Y(f"{column}:Q", scale=y_scale, axis=y_axis)

    hue = _run_color(n_contestants, is_tight)
    quiet: dict[str, Any] = {"clip": True, "tooltip": None}
    lines = alt.Chart(table("lines")).encode(x=x, y=y("y"), color=hue, detail="line:N")
    round_line: dict[str, Any] = {"strokeJoin": "round", "strokeCap": "round", **quiet}
    # Training is dashed, so that the two are told apart where a contestant has both.
    dash = alt.StrokeDash(
        "split:N",
        scale=alt.Scale(domain=[*SPLITS], range=[[1, 0], [5, 4]]),
        legend=alt.Legend(
            orient="top",
            title=None,
            direction="horizontal",
            symbolType="stroke",
            symbolSize=400,
            values=[*splits],
        )
        if both
        else None,
    )
    layers = [
        alt.Chart(table("bands"))
        .mark_area(opacity=0.18, **quiet)
        .encode(x=x, y=y("low"), y2="high:Q", color=hue, detail="line:N"),
        alt.Chart(table("seeds"))
        .mark_line(strokeWidth=0.9, opacity=0.45, **quiet)
        .encode(x=x, y=y("y"), color=hue, detail="line:N"),
        lines.mark_line(strokeWidth=2.3, **round_line).encode(
            strokeDash=dash if both else alt.Undefined
        ),
        # A dot where a fork leaves its parent, hollow, for the parent's line to go through.
        alt.Chart(table("forks"))
        .mark_point(size=90, strokeWidth=2.2, filled=True, opacity=1, tooltip=None)
        .encode(x=x, y=y("y"), stroke=hue, fill=alt.value(BACKGROUND)),
        alt.Chart(table("ends"))
        .mark_text(
            align="left", dx=6, dy=alt.ExprRef(expr="datum.dy"), fontSize=12, fontWeight=600,
            tooltip=None,
        )
        .encode(x=x, y=y("y"), text="run:N", color=hue),
        _hover_layer(x, y("y"), hue, both, quantity),
    ]  # fmt: skip
    if dots:
        layers.insert(3, lines.mark_point(size=22, filled=True, opacity=1, clip=True, tooltip=None))
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
    rows = -(-n_contestants // 2) if is_tight else n_contestants
    rows = rows if n_contestants <= MOST_IN_LEGEND else 0
    around = ABOUT_AXIS + LEGEND_ROW * (rows + both)
    saved = {"run": "Run", "split": "Examples", "epoch": "Epoch"}
    if x_axis != "epoch":
        saved["x"] = x_title
    saved["y"] = y_title.replace("(%)", "(share)")  # the axis writes shares as percentages
    return template(
        alt.layer(*layers).properties(height=height + around),
        usermeta=columns_saved("lines", saved),
    )


def _hover_layer(
    x: alt.X, y: alt.Y, hue: alt.Color, both: bool, quantity: Quantity
) -> alt.LayerChart | alt.Chart:
    """A dot on the line nearest to the pointer, and what it says there."""
    hover = alt.selection_point(
        name="hover",
        nearest=True,
        on="pointerover",
        clear="pointerout",
        fields=["line", "x"],
        empty=False,
    )
    tooltip = [alt.Tooltip("label:N", title="Run")]
    if both:
        tooltip.append(alt.Tooltip("split:N", title="Examples"))
    tooltip += [
        alt.Tooltip("epoch:N", title="Epoch"),
        alt.Tooltip("at:N", title="At"),
        alt.Tooltip("value:N", title=quantity.capitalize()),
    ]
    layer: alt.Chart = (
        alt.Chart(table("hover"))
        .mark_point(size=60, filled=True)
        .encode(
            x=x,
            y=y,
            color=hue,
            opacity=alt.condition(hover, alt.value(1), alt.value(0), empty=False),
            tooltip=tooltip,
        )
        .add_params(hover)
    )
    return layer


# Parallel coordinates ----------------------------------------------------------------------------


@dataclass(frozen=True)
class ParallelAxis:
    """One axis of parallel coordinates.

    Attributes:
        title: What it shows; a line feed breaks it in two.
        positions: Where each run lies on it, from 0 (bottom) to 1 (top); NaN where it does not.
        ticks: Position and label of each mark.
    """

    title: str
    positions: Sequence[float]
    ticks: Sequence[tuple[float, str]]


def parallel_coordinates(
    axes: Sequence[ParallelAxis],
    names: Sequence[str],
    results: ArrayLike,
    *,
    result_title: str = "Validation accuracy",
    height: int = 320,
) -> Figure:
    """Draw each run as a line through its settings, coloured by its result.

    Args:
        axes: From left to right.
        names: What each run is called.
        results: Shares from 0 to 1, one a run; NaN where there is none yet.
        result_title: What the results are.
        height: Height in pixels.
    """
    outcome = _array(results)
    order = np.argsort(np.where(np.isnan(outcome), -np.inf, outcome), kind="stable")
    n = len(names)
    positions = np.array([axis.positions for axis in axes], dtype=np.float64).reshape(-1, n)
    lines = pd.DataFrame(
        {
            "axis": np.tile(np.arange(len(axes)), n),
            "y": positions.T[order].reshape(-1),
            "run": np.repeat([names[i] for i in order], len(axes)).astype(object),
            # The best are drawn last, over the others.
            "order": np.repeat(np.arange(n), len(axes)),
            "result": np.repeat(outcome[order], len(axes)),
            "words": np.repeat([_words(outcome[i], "accuracy") for i in order], len(axes)).astype(
                object
            ),
        }
    )
    ticks = pd.DataFrame(
        [
            {"axis": i, "y": at, "label": label}
            for i, axis in enumerate(axes)
            for at, label in axis.ticks
        ],
        columns=["axis", "y", "label"],
    )
    titles = pd.DataFrame(
        {
            "axis": range(len(axes)),
            "title": [axis.title for axis in axes],
            "low": 0.0,
            "high": 1.0,
            "above": 1.22,
        }
    )
    known = outcome[np.isfinite(outcome)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    lines["share"] = (lines["result"] - low) / max(high - low, 1e-12) if high > low else 1.0
    lines.loc[lines["result"].isna(), "share"] = np.nan
    return Figure(
        _parallel_template(len(axes), result_title, height),
        {
            "lines": lines,
            "ticks": ticks,
            "titles": titles,
        },
        describe_parallel(names, outcome, result_title=result_title),
    )


def describe_parallel(
    names: Sequence[str], results: ArrayLike, *, result_title: str = "Validation accuracy"
) -> str:
    """Say in one sentence which run came out best and which worst.

    >>> describe_parallel(["a", "b"], [0.9, 0.8], result_title="Result")
    'Settings of 2 runs, coloured by result: best a with 90.00 %, worst b with 80.00 %.'
    """
    outcome = _array(results)
    known = np.flatnonzero(np.isfinite(outcome))
    what = f"Settings of {len(names):,} runs, coloured by {result_title.lower()}"
    if len(known) < 2:
        return f"{what}: too few have a result yet."
    best, worst = known[np.argmax(outcome[known])], known[np.argmin(outcome[known])]
    return (
        f"{what}: best {names[best]} with {_words(outcome[best], 'accuracy')}, "
        f"worst {names[worst]} with {_words(outcome[worst], 'accuracy')}."
    )


@functools.lru_cache(maxsize=32)
def _parallel_template(n_axes: int, result_title: str, height: int) -> Mapping[str, Any]:
    x = alt.X(
        "axis:Q",
        scale=alt.Scale(domain=[-0.35, n_axes - 1 + 0.35], nice=False),
        axis=None,
    )
    scale = alt.Scale(domain=[-0.06, 1.22], nice=False)

    def y(column: str) -> alt.Y:
        return alt.Y(f"{column}:Q", scale=scale, axis=None)

    hover = alt.selection_point(
        name="hover", on="pointerover", clear="pointerout", fields=["run"], empty=False
    )
    lines = (
        alt.Chart(table("lines"))
        .mark_line(strokeJoin="round", clip=True)
        .encode(
            x=x,
            y=y("y"),
            detail="order:N",
            order="axis:Q",
            color=alt.condition(
                "isValid(datum.share)",
                alt.Color(
                    "share:Q",
                    scale=alt.Scale(domain=[0, 0.5, 1], range=[*OUTCOME]),
                    legend=None,
                ),
                alt.value(NEUTRAL),
            ),
            strokeWidth=alt.condition(hover, alt.value(5), alt.value(2.4), empty=False),
            opacity=alt.value(0.9),
            tooltip=[
                alt.Tooltip("run:N", title="Run"),
                alt.Tooltip("words:N", title=result_title),
            ],
        )
        .add_params(hover)
    )
    titles, ticks = alt.Chart(table("titles")), alt.Chart(table("ticks"))
    text: dict[str, Any] = {"align": "left", "dx": 7, "fontSize": 11.5, "tooltip": None}
    base = ticks.encode(x=x, y=y("y"), text="label:N")
    return template(
        alt.layer(
            titles.mark_rule(color=NEUTRAL, strokeWidth=1.2, tooltip=None).encode(
                x=x, y=y("low"), y2="high:Q"
            ),
            lines,
            ticks.mark_tick(color=NEUTRAL, orient="horizontal", size=9, tooltip=None).encode(
                x=x, y=y("y")
            ),
            # The page behind each label, so that lines do not strike it through.
            base.mark_text(**text, stroke=BACKGROUND, strokeWidth=4, opacity=0.85),
            base.mark_text(**text, color=INK),
            titles.mark_text(
                baseline="top", lineBreak="\n", lineHeight=14, fontSize=12, fontWeight=600,
                color=INK, tooltip=None,
            ).encode(x=x, y=y("above"), text="title:N"),
        ).properties(height=height)
    )  # fmt: skip


# The interval of a difference --------------------------------------------------------------------


def difference_intervals(
    labels: Sequence[str],
    differences: Sequence[Sequence[float]],
    mean: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
) -> Figure:
    """Draw paired differences as dots, a row a pair, with mean, interval, and the line of zero.

    Args:
        labels: What each row compares, such as 'A - B'.
        differences: Of each row, as shares from -1 to 1.
        mean: Of each row.
        low: Lower end of each interval; NaN where there is none.
        high: Its upper end.
    """
    rows = pd.DataFrame(
        {
            "row": list(labels),
            "mean": 100 * _array(mean),
            "low": 100 * _array(low),
            "high": 100 * _array(high),
        }
    )
    dots = pd.DataFrame(
        [
            {"row": label, "value": 100 * each}
            for label, values in zip(labels, differences, strict=True)
            for each in values
        ],
        columns=["row", "value"],
    )
    words = [
        f"{row.row}: {row.mean:+.2f} points"
        + (f", interval {row.low:+.2f} to {row.high:+.2f}" if np.isfinite(row.low) else "")
        for row in rows.itertuples()
    ]
    return Figure(
        _interval_template(tuple(labels)),
        {"rows": rows, "dots": dots, "zero": pd.DataFrame({"value": [0.0]})},
        f"Paired differences. {'; '.join(words)}." if words else "There is nothing to compare yet.",
    )


@functools.lru_cache(maxsize=32)
def _interval_template(labels: tuple[str, ...]) -> Mapping[str, Any]:
    y = alt.Y(
        "row:N",
        title=None,
        sort=None,
        scale=alt.Scale(domain=list(labels)),
        axis=alt.Axis(ticks=False, domain=False, labelFontSize=13, labelPadding=8),
    )
    title = "Difference in accuracy (points)"

    def x(column: str) -> alt.X:
        return alt.X(
            f"{column}:Q",
            title=title,
            scale=alt.Scale(zero=True, nice=True, padding=12),
            axis=alt.Axis(tickCount=8),
        )

    rows = alt.Chart(table("rows"))
    return template(
        alt.layer(
            alt.Chart(table("zero"))
            .mark_rule(color=NEUTRAL, strokeDash=[4, 3], tooltip=None)
            .encode(x=x("value")),
            rows.mark_rule(color=INK, strokeWidth=2.5, tooltip=None).encode(
                x=x("low"), x2="high:Q", y=y
            ),
            alt.Chart(table("dots"))
            .mark_point(size=45, strokeWidth=1.6, color=NEUTRAL, opacity=1)
            .encode(
                x=x("value"),
                y=y,
                tooltip=[alt.Tooltip("value:Q", title="One seed (points)", format="+.2f")],
            ),
            rows.mark_point(shape="diamond", size=130, filled=True, color=INK, opacity=1).encode(
                x=x("mean"),
                y=y,
                tooltip=[
                    alt.Tooltip("mean:Q", title="Mean (points)", format="+.2f"),
                    alt.Tooltip("low:Q", title="Interval from", format="+.2f"),
                    alt.Tooltip("high:Q", title="to", format="+.2f"),
                ],
            ),
        ).properties(height=alt.Step(34))
    )
