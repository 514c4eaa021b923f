"""What a network answers: the probability it gives to each class, as bars.

The bar of the true class is teal and that of a wrong answer vermilion, as everywhere; the words
'answer', 'true' and 'right' beside the numbers say the same. Where nobody knows the truth, as for a
digit that was just drawn, the answer has its digit's own colour. A second set of probabilities,
such as the answer of another network, is drawn hollow under the first.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neuralscope.charts.colors import NEUTRAL, RIGHT, WRONG, class_colors
from neuralscope.charts.figure import FADED_INK, INK, Figure, class_rows, table, template
from neuralscope.words import short_percent

BAR: Final = 20  # pixels from one bar to the next
# The height is that of the bars alone: the axis comes on top of it instead of out of it.
FIT_WIDTH: Final = {"type": "fit-x", "contains": "padding"}
LABEL_ROOM: Final = 0.4  # of the width of a full bar, for the words to its right


def probability_bars(
    probabilities: ArrayLike,
    *,
    class_names: Sequence[str] | None = None,
    true: int | None = None,
    compare: ArrayLike | None = None,
    names: tuple[str, str] = ("now", "compared"),
) -> Figure:
    """Draw the probability of each class as a horizontal bar, the answer and the truth marked.

    Args:
        probabilities: Shape (classes,), 0..1. Those of a network that diverged may be no numbers.
        class_names: One name a class; their numbers if not given.
        true: The true class, if anybody knows it.
        compare: A second set of probabilities, shape (classes,), drawn under the first.
        names: What the two sets are called, where there are two.

    Raises:
        ValueError: The sets or names are not equally many, or there is no such true class.
    """
    first = np.asarray(probabilities, dtype=np.float64)
    sets = [first] if compare is None else [first, np.asarray(compare, dtype=np.float64)]
    k = len(first)
    if first.ndim != 1 or k < 1 or any(each.shape != (k,) for each in sets):
        raise ValueError("probabilities must be one number a class, and those compared as many")
    words = [str(name) for name in class_names] if class_names is not None else _numbers(k)
    if len(words) != k:
        raise ValueError(f"{len(words)} class names do not fit {k} classes")
    if true is not None and not 0 <= true < k:
        raise ValueError(f"true must be a class from 0 to {k - 1}, not {true}")
    bars = pd.concat(
        [_bars(each, words, true, name) for each, name in zip(sets, names, strict=False)],
        ignore_index=True,
    )
    return Figure(
        _template(tuple(words), tuple(names[: len(sets)])),
        {"bars": bars},
        describe_probabilities(first, class_names=words, true=true),
    )


def describe_probabilities(
    probabilities: ArrayLike,
    *,
    class_names: Sequence[str] | None = None,
    true: int | None = None,
) -> str:
    """Say in one sentence what the bars show.

    >>> describe_probabilities([0.1, 0.7, 0.2], true=2)
    'The answer is 1 with 70 %; the true 2 gets 20 %.'
    """
    given = np.asarray(probabilities, dtype=np.float64)
    words = list(class_names) if class_names is not None else _numbers(len(given))
    if not np.isfinite(given).all():
        return "The network no longer computes numbers, so it has no answer."
    ranked = np.argsort(-given, kind="stable").tolist()
    answer = ranked[0]
    sentence = f"The answer is {words[answer]} with {short_percent(given[answer])}"
    if true is not None and true != answer:
        return f"{sentence}; the true {words[true]} gets {short_percent(given[true])}."
    right = ", which is right" if true is not None else ""
    if len(ranked) == 1:
        return f"{sentence}{right}."
    second = ranked[1]
    return f"{sentence}{right}; next comes {words[second]} with {short_percent(given[second])}."


def _numbers(k: int) -> list[str]:
    return [str(number) for number in range(k)]


def _bars(
    probabilities: NDArray[np.float64], words: Sequence[str], true: int | None, name: str
) -> pd.DataFrame:
    k = len(probabilities)
    color, role = [NEUTRAL] * k, [""] * k
    if true is not None:
        color[true], role[true] = RIGHT, "true"
    if np.isfinite(probabilities).all():
        answer = int(probabilities.argmax())
        if true is None:
            color[answer], role[answer] = class_colors(answer + 1)[answer], "answer"
        elif answer == true:
            role[answer] = "right"
        else:
            color[answer], role[answer] = WRONG, "answer"
    texts = [short_percent(p) for p in probabilities.tolist()]
    return pd.DataFrame(
        {
            "class": np.arange(k),
            "name": list(words),
            "set": name,
            "probability": np.nan_to_num(probabilities, posinf=0.0, neginf=0.0),
            "percent": texts,
            "label": [f"{text}  {what}".rstrip() for text, what in zip(texts, role, strict=True)],
            "color": color,
            "weight": ["bold" if what else "normal" for what in role],
        }
    )


@functools.lru_cache(maxsize=32)
def _template(words: tuple[str, ...], sets: tuple[str, ...]) -> Mapping[str, Any]:
    k = len(words)
    two = len(sets) == 2
    base = alt.Chart(table("bars")).encode(
        y=class_rows(words),
        tooltip=[
            alt.Tooltip("name:N", title="Answer"),
            alt.Tooltip("percent:N", title="Probability"),
            *([alt.Tooltip("set:N", title="Whose")] if two else []),
        ],
    )
    x = alt.X(
        "probability:Q",
        title="Probability",
        scale=alt.Scale(domain=[0, 1 + LABEL_ROOM], nice=False),
        axis=alt.Axis(
            values=[0, 0.25, 0.5, 0.75, 1], format=".0%", labelOverlap="greedy", grid=True
        ),
    )
    if two:
        base = base.encode(
            yOffset=alt.YOffset("set:N", scale=alt.Scale(domain=list(sets)), sort=None)
        )
    bars = base.mark_bar(cornerRadiusEnd=2, strokeWidth=1.5).encode(
        x=x,
        fill=alt.Fill("color:N", scale=None, legend=None),
        stroke=alt.Stroke("color:N", scale=None, legend=None),
    )
    if two:
        bars = bars.encode(
            fillOpacity=alt.FillOpacity(
                "set:N",
                scale=alt.Scale(domain=list(sets), range=[1.0, 0.12]),
                legend=alt.Legend(
                    title=None,
                    orient="top",
                    symbolType="square",
                    symbolFillColor=NEUTRAL,
                    symbolStrokeColor=NEUTRAL,
                ),
            )
        )

    def words_beside(weight: Literal["normal", "bold"]) -> alt.Chart:
        ink = INK if weight == "bold" else FADED_INK
        labels: alt.Chart = (
            base.transform_filter(f"datum.weight == '{weight}'")
            .mark_text(
                align="left", baseline="middle", dx=5, fontSize=12, fontWeight=weight, color=ink
            )
            .encode(x=x, text="label:N")
        )
        return labels

    return template(
        alt.layer(bars, words_beside("normal"), words_beside("bold")).properties(
            height=k * (BAR * 3 // 2 if two else BAR)
        ),
        autosize=FIT_WIDTH,
    )
