"""The learning-rate range test: the loss while the rate grows, on a logarithmic axis.

The loss of each batch is a faint dot, the smoothed loss a line. It is cut off a little above where
it starts: a loss that blows up would press all that is to be read flat. Two dashed lines mark the
rate that is suggested and the one that blew the loss up, each with its words, so that neither is
told by colour alone.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from neuralscope.charts.colors import RIGHT, TRAIN, WRONG
from neuralscope.charts.figure import BACKGROUND, INK, Figure, table, template
from neuralscope.charts.saved import columns_saved

SHOWN_ABOVE: Final = 1.4  # times the first losses that the axis reaches up to


def rate_test_curve(
    rate: ArrayLike,
    loss: ArrayLike,
    smoothed: ArrayLike,
    *,
    suggested: float | None = None,
    blown_up: float | None = None,
    domain: tuple[float, float] = (1e-6, 100.0),
    height: int = 280,
) -> Figure:
    """Draw the loss over the rate, and what is to be read from it.

    Args:
        rate: Learning rates, rising, shape (n,).
        loss: Loss of the batch at each, in nats; infinite where it is no number.
        smoothed: The same, smoothed.
        suggested: The rate to take, if there is one.
        blown_up: The rate that blew the loss up, if one did.
        domain: Lowest and highest rate of the axis, shown from the start, so that a curve that
            grows does not move.
        height: Height in pixels.
    """
    rate, loss, smoothed = (
        np.asarray(values, dtype=np.float64) for values in (rate, loss, smoothed)
    )
    finite = loss[np.isfinite(loss)]
    top = SHOWN_ABOVE * float(finite[:20].mean()) if len(finite) else 1.0
    steps = pd.DataFrame(
        {
            "rate": rate,
            "loss": np.where(loss <= top, loss, np.nan),
            # The line runs into the upper edge, where the dots just end.
            "smoothed": np.minimum(smoothed, top),
            "rate_text": [f"{value:.2g}" for value in rate.tolist()],
            "loss_text": [_number(value) for value in loss.tolist()],
            "smoothed_text": [_number(value) for value in smoothed.tolist()],
        }
    )
    return Figure(
        _template(domain, height, empty=len(rate) == 0),
        {"steps": steps, "marks": _marks(suggested, blown_up, domain)},
        describe_rate_test(rate, smoothed, suggested=suggested, blown_up=blown_up),
    )


def describe_rate_test(
    rate: ArrayLike,
    smoothed: ArrayLike,
    *,
    suggested: float | None = None,
    blown_up: float | None = None,
) -> str:
    """Say in one sentence what the curve shows.

    >>> describe_rate_test([0.01, 0.1, 1], [2.3, 0.9, 8], suggested=0.05, blown_up=1)
    'Loss fell from 2.30 to 0.90 at a learning rate of 0.1 and blew up at 1; suggested: 0.05.'
    """
    rate, smoothed = (np.asarray(values, dtype=np.float64) for values in (rate, smoothed))
    finite = np.isfinite(smoothed)
    if not finite.any():
        return "No learning rate has been tried without the loss blowing up."
    first = smoothed[finite][0]
    lowest = int(np.where(finite, smoothed, np.inf).argmin())
    end = f" and blew up at {blown_up:.2g}" if blown_up is not None else ""
    advice = f"suggested: {suggested:g}" if suggested is not None else "none suggested yet"
    return (
        f"Loss fell from {first:.2f} to {smoothed[lowest]:.2f} at a learning rate of "
        f"{rate[lowest]:.2g}{end}; {advice}."
    )


def _number(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else "not a number"


def _marks(
    suggested: float | None, blown_up: float | None, domain: tuple[float, float]
) -> pd.DataFrame:
    """The lines at the two rates; the words of the second stand lower, clear of the first."""
    low, high = np.log10(domain)
    rows = []
    if suggested is not None:
        share = (np.log10(suggested) - low) / (high - low)
        align = "right" if share > 0.4 else "left"
        rows.append((suggested, "suggested", f"suggested: {suggested:g}", align))
    if blown_up is not None:
        share = (np.log10(blown_up) - low) / (high - low)
        align = "right" if share > 0.7 else "left"
        rows.append((blown_up, "blown up", f"\nblows up at {blown_up:.2g}", align))
    frame = pd.DataFrame(rows, columns=["rate", "kind", "text", "align"])
    return frame.astype({"rate": float, "kind": object, "text": object, "align": object})


@functools.lru_cache(maxsize=8)
def _template(domain: tuple[float, float], height: int, *, empty: bool) -> Mapping[str, Any]:
    x = alt.X(
        "rate:Q",
        scale=alt.Scale(type="log", domain=list(domain), nice=False),
        axis=alt.Axis(
            title="Learning rate (log scale)",
            values=[10.0**power for power in range(-9, 7) if domain[0] <= 10.0**power <= domain[1]],
            labelExpr="datum.value < 0.0005 ? '1e' + round(log(datum.value) / LN10)"
            " : format(datum.value, '~g')",
            grid=False,
        ),
    )

    def y(field: str) -> alt.Y:
        return alt.Y(
            f"{field}:Q",
            scale=alt.Scale(domain=[0, 3]) if empty else alt.Scale(zero=True, nice=False),
            axis=alt.Axis(title="Loss (cross-entropy, nats)", minExtent=34, tickCount=6),
        )

    steps = alt.Chart(table("steps")).encode(x=x)
    marks = alt.Chart(table("marks")).encode(x=x)
    by_kind = alt.condition("datum.kind === 'suggested'", alt.value(RIGHT), alt.value(WRONG))
    words: dict[str, Any] = {
        "align": alt.ExprRef(expr="datum.align"),
        "dx": alt.ExprRef(expr="datum.align === 'right' ? -6 : 6"),
        "baseline": "top",
        "lineBreak": "\n",
        "lineHeight": 18,
        "fontSize": 12,
        "tooltip": None,
    }
    layers = [
        steps.mark_circle(size=14, opacity=0.45, color=TRAIN, tooltip=None).encode(y=y("loss")),
        steps.mark_line(strokeWidth=2.4, strokeJoin="round", color=TRAIN, tooltip=None).encode(
            y=y("smoothed")
        ),
        marks.mark_rule(strokeWidth=2, strokeDash=[6, 4], tooltip=None).encode(color=by_kind),
        marks.mark_text(
            **words, stroke=BACKGROUND, strokeWidth=4, strokeJoin="round", opacity=0.85
        ).encode(y=alt.value(4), text="text:N"),
        marks.mark_text(**words, color=INK).encode(y=alt.value(4), text="text:N"),
        steps.mark_point(size=160, filled=True, opacity=0).encode(
            y=y("smoothed"),
            tooltip=[
                alt.Tooltip("rate_text:N", title="Learning rate"),
                alt.Tooltip("loss_text:N", title="Loss of the batch"),
                alt.Tooltip("smoothed_text:N", title="Smoothed"),
            ],
        ),
    ]
    columns = {"rate": "Learning rate", "loss": "Loss of the batch", "smoothed": "Smoothed"}
    return template(
        alt.layer(*layers).properties(height=height), usermeta=columns_saved("steps", columns)
    )
