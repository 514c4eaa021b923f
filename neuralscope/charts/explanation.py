"""Why a network answers as it does: four small charts and one kind of picture.

    contribution_bars   what each unit added to the lead of one class over another
    removal_curve       what becomes of the answer when ink is taken away
    answer_strip        the answer at every snapshot
    signed_picture      a number above or below zero for each pixel

A wrong answer is vermilion and the truth teal, as everywhere. Where an answer is right, it is the
truth, and what it is compared with is vermilion.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neuralscope.charts.colors import INK_ON_LIGHT, NEUTRAL, RIGHT, WRONG, diverging, rgb
from neuralscope.charts.figure import FADED_INK, INK, Figure, table, template
from neuralscope.charts.images import weight_limit
from neuralscope.charts.probabilities import FIT_WIDTH
from neuralscope.charts.saved import columns_saved
from neuralscope.words import short_percent

ROW: Final = 24  # pixels from one bar to the next
CURVE_HEIGHT: Final = 140
STRIP: Final = 26  # pixels of height
PICTURE: Final = 168  # pixels that the longer side of a picture comes close to
MOST_OUTLINED: Final = 64  # moments up to which the cells of a strip have gaps between them

MARKED: Final = "marked"
RANDOM: Final = "at random"


def contribution_bars(
    labels: Sequence[str],
    values: ArrayLike,
    *,
    one: str,
    other: str,
    one_is_true: bool = False,
    noun: str = "unit",
) -> Figure:
    """Draw what each part added to logit_one - logit_other, and the sum of all as the last bar.

    Args:
        labels: What each part is called, in the order of the bars; no two alike.
        values: What each added, shape (parts,).
        one: The class that values above zero speak for.
        other: The class that those below zero speak for.
        one_is_true: Whether `one` is the true class; else `other` is.
        noun: What a part is called in the text.

    Raises:
        ValueError: Labels and values are not equally many, or two labels are alike.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if len(labels) != len(numbers) or len(set(labels)) != len(labels):
        raise ValueError("each value needs a label of its own")
    total = float(numbers.sum())
    every = [*numbers.tolist(), total]
    above, below = (RIGHT, WRONG) if one_is_true else (WRONG, RIGHT)
    bars = pd.DataFrame(
        {
            "part": [*labels, "sum"],
            "order": np.arange(len(every)),
            "value": np.nan_to_num(every),
            "number": [f"{value:+.2f}" for value in every],
            "color": [above if value > 0 else below for value in every],
            "opacity": [0.75] * len(labels) + [1.0],
            "pushes": [one if value > 0 else other for value in every],
            "side": ["above" if value >= 0 else "below" for value in every],
        }
    )
    return Figure(
        _bars_template(len(every), one, other, noun.capitalize()),
        {"parts": bars},
        describe_contributions(labels, numbers, one=one, other=other),
    )


def describe_contributions(
    labels: Sequence[str], values: ArrayLike, *, one: str, other: str
) -> str:
    """Say in one sentence what the bars show.

    >>> describe_contributions(["unit 1", "unit 2"], [2.0, -0.5], one="9", other="4")
    'The logit of 9 is 1.50 above that of 4; most came from unit 1 (+2.00).'
    """
    numbers = np.asarray(values, dtype=np.float64)
    total = float(numbers.sum())
    side = "above" if total >= 0 else "below"
    sentence = f"The logit of {one} is {abs(total):.2f} {side} that of {other}"
    if not len(numbers):
        return f"{sentence}."
    strongest = int(np.argmax(numbers if total >= 0 else -numbers))
    return f"{sentence}; most came from {labels[strongest]} ({numbers[strongest]:+.2f})."


@functools.lru_cache(maxsize=128)
def _bars_template(rows: int, one: str, other: str, noun: str) -> Mapping[str, Any]:
    base = alt.Chart(table("parts")).encode(
        y=alt.Y(
            "part:N",
            title=None,
            sort=alt.EncodingSortField("order", op="min"),
            axis=alt.Axis(ticks=False, domain=False, labelFontSize=12, labelLimit=140),
        ),
        x=alt.X(
            "value:Q",
            title=f"\N{LEFTWARDS ARROW} for {other} | for {one} \N{RIGHTWARDS ARROW}",
            # Room on both sides for the numbers at the ends of the bars.
            scale=alt.Scale(padding=44, zero=True, nice=False),
            axis=alt.Axis(tickCount=5),
        ),
        tooltip=[
            alt.Tooltip("part:N", title=noun),
            alt.Tooltip("number:N", title="Adds to the difference"),
            alt.Tooltip("pushes:N", title="Speaks for"),
        ],
    )
    bar = base.mark_bar(cornerRadiusEnd=2, height=ROW - 8).encode(
        color=alt.Color("color:N", scale=None, legend=None),
        opacity=alt.Opacity("opacity:Q", scale=None, legend=None),
    )

    def number(side: str) -> alt.Chart:
        above = side == "above"
        text: alt.Chart = (
            base.transform_filter(f"datum.side == '{side}'")
            .mark_text(align="left" if above else "right", dx=4 if above else -4, color=INK)
            .encode(text="number:N")
        )
        return text

    zero = alt.Chart(table("parts")).mark_rule(color=FADED_INK).encode(x=alt.datum(0))
    return template(
        alt.layer(bar, zero, number("above"), number("below")).properties(height=rows * ROW),
        autosize=FIT_WIDTH,
        usermeta=columns_saved(
            "parts", {"part": noun, "value": "Adds to the difference", "pushes": "Speaks for"}
        ),
    )


def removal_curve(
    removed: ArrayLike, marked: ArrayLike, random: ArrayLike, *, answer: str
) -> Figure:
    """Draw the probability of the answer while more and more inked pixels are taken away.

    Args:
        removed: How many pixels are gone, shape (steps,).
        marked: The probability when they are the most marked ones, shape (steps,).
        random: The same when they are drawn at random, shape (steps,).
        answer: The name of the answer.

    Raises:
        ValueError: They are not equally many, or none.
    """
    steps = np.asarray(removed)
    lines = {MARKED: np.asarray(marked, np.float64), RANDOM: np.asarray(random, np.float64)}
    if not len(steps) or any(len(line) != len(steps) for line in lines.values()):
        raise ValueError("removed, marked and random must be equally many, and at least one")
    curve = pd.concat(
        [
            pd.DataFrame(
                {
                    "removed": steps,
                    "probability": line,
                    "percent": [short_percent(p) for p in line.tolist()],
                    "which": name,
                }
            )
            for name, line in lines.items()
        ],
        ignore_index=True,
    )
    return Figure(
        _curve_template(answer),
        {"curve": curve},
        describe_removal(steps, lines[MARKED], lines[RANDOM], answer),
    )


def describe_removal(removed: ArrayLike, marked: ArrayLike, random: ArrayLike, answer: str) -> str:
    """Say in one sentence what the curve shows.

    >>> describe_removal([0, 8], [0.9, 0.1], [0.9, 0.8], "9")
    'Without the 8 most marked pixels the answer 9 falls from 90 % to 10 %; without as many at \
random, to 80 %.'
    """
    steps, first, second = (np.asarray(each) for each in (removed, marked, random))
    if len(steps) < 2:
        return "There is no ink to take away."
    way = "falls" if first[-1] < first[0] else "goes"
    return (
        f"Without the {int(steps[-1])} most marked pixels the answer {answer} {way} from "
        f"{short_percent(float(first[0]))} to {short_percent(float(first[-1]))}; "
        f"without as many at random, to {short_percent(float(second[-1]))}."
    )


@functools.lru_cache(maxsize=32)
def _curve_template(answer: str) -> Mapping[str, Any]:
    legend = alt.Legend(title=None, orient="top", symbolType="stroke", labelLimit=220)
    base = alt.Chart(table("curve")).encode(
        x=alt.X(
            "removed:Q",
            title="Inked pixels removed",
            axis=alt.Axis(grid=False, tickMinStep=1, format="d"),
        ),
        y=alt.Y(
            "probability:Q",
            title=f"Probability of {answer}",
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(format=".0%", tickCount=4),
        ),
        color=alt.Color(
            "which:N",
            scale=alt.Scale(domain=[MARKED, RANDOM], range=[WRONG, NEUTRAL]),
            legend=legend,
        ),
        tooltip=[
            alt.Tooltip("which:N", title="Removed"),
            alt.Tooltip("removed:Q", title="Pixels", format="d"),
            alt.Tooltip("percent:N", title=f"Probability of {answer}"),
        ],
    )
    line = base.mark_line(strokeWidth=2.5).encode(
        strokeDash=alt.StrokeDash(
            "which:N",
            scale=alt.Scale(domain=[MARKED, RANDOM], range=[[1, 0], [5, 4]]),
            legend=legend,
        )
    )
    points = base.mark_point(filled=True, size=36, opacity=1)
    return template(alt.layer(line, points).properties(height=CURVE_HEIGHT), autosize=FIT_WIDTH)


def answer_strip(
    moments: Sequence[str],
    answers: ArrayLike,
    true: int,
    *,
    class_names: Sequence[str] | None = None,
    now: str | None = None,
) -> Figure:
    """Draw the answer at every moment of training as one strip of cells, right or wrong.

    The answer is written where it changes.

    Args:
        moments: What each moment is called, in the order of training; no two alike.
        answers: The class answered at each, shape (moments,).
        true: The true class.
        class_names: One name a class; their numbers if not given.
        now: The moment that is outlined.

    Raises:
        ValueError: Moments and answers are not equally many, or two moments are alike.
    """
    given = np.asarray(answers).astype(np.int64)
    if len(moments) != len(given) or len(set(moments)) != len(moments):
        raise ValueError("each answer needs a moment of its own")
    names = [str(class_names[a]) if class_names is not None else str(a) for a in given.tolist()]
    changes = [i == 0 or given[i] != given[i - 1] for i in range(len(given))]
    cells = pd.DataFrame(
        {
            "moment": list(moments),
            "order": np.arange(len(given)),
            "answer": names,
            "label": [name if new else "" for name, new in zip(names, changes, strict=True)],
            "verdict": np.where(given == true, "right", "wrong").astype(object),
            "color": np.where(given == true, RIGHT, WRONG).astype(object),
            "is_now": [moment == now for moment in moments],
        }
    )
    right = int((given == true).sum())
    called = str(class_names[true]) if class_names is not None else str(true)
    text = f"The answer at {len(given)} moments of training: {right} times the right {called}"
    if now is not None and now in moments:
        text += f"; at {now} it is {names[list(moments).index(now)]}"
    return Figure(_strip_template(len(given) <= MOST_OUTLINED), {"cells": cells}, f"{text}.")


@functools.lru_cache(maxsize=2)
def _strip_template(gaps: bool) -> Mapping[str, Any]:
    base = alt.Chart(table("cells")).encode(
        x=alt.X(
            "moment:N",
            title="Epoch",
            sort=alt.EncodingSortField("order", op="min"),
            scale=alt.Scale(paddingInner=0.08 if gaps else 0, paddingOuter=0),
            axis=alt.Axis(labelAngle=0, ticks=False, domain=False, labelOverlap="greedy"),
        ),
        tooltip=[
            alt.Tooltip("moment:N", title="Epoch"),
            alt.Tooltip("answer:N", title="Answer"),
            alt.Tooltip("verdict:N", title="Which is"),
        ],
    )
    top = 20  # pixels for the answers above the cells
    cell = base.mark_rect(strokeWidth=2.5, cornerRadius=2).encode(
        y=alt.value(top),
        y2=alt.value(top + STRIP),
        fill=alt.Fill("color:N", scale=None, legend=None),
        stroke=alt.condition("datum.is_now", alt.value(INK), alt.value("transparent")),
    )
    answer = base.mark_text(fontSize=13, fontWeight="bold", color=INK).encode(
        y=alt.value(top / 2), text="label:N"
    )
    return template(alt.layer(cell, answer).properties(height=top + STRIP + 2), autosize=FIT_WIDTH)


def signed_picture(
    values: ArrayLike,
    image_shape: tuple[int, int],
    *,
    limit: float | None = None,
    outline: ArrayLike | None = None,
    size: int = PICTURE,
) -> NDArray[np.uint8]:
    """A number for each pixel as a picture: blue below zero, red above.

    Args:
        values: Shape (features,), features = height * width.
        image_shape: (height, width).
        limit: The size at which the colours end; by itself where nearly all values lie within.
        outline: Ink of a digit, shape (features,), whose edge is drawn over it as a thin line.
        size: Screen pixels that the longer side comes close to, by a whole factor.

    Returns:
        The picture, shape (height * k, width * k, 3).
    """
    height, width = image_shape
    numbers = np.asarray(values, dtype=np.float64).reshape(height, width)
    k = max(1, round(size / max(height, width)))
    colored = diverging(numbers, weight_limit(numbers) if limit is None else limit)
    picture: NDArray[np.uint8] = colored.repeat(k, axis=0).repeat(k, axis=1)
    if outline is not None:
        ink = np.asarray(outline, dtype=np.float64).reshape(height, width)
        inside = (ink > ink.max(initial=0) / 2).repeat(k, axis=0).repeat(k, axis=1)
        framed = np.pad(inside, 1)
        core = (
            framed[:-2, 1:-1] & framed[2:, 1:-1] & framed[1:-1, :-2] & framed[1:-1, 2:]
        )  # fmt: skip
        picture[inside & ~core] = np.rint(rgb(INK_ON_LIGHT) * 255).astype(np.uint8)
    return picture
