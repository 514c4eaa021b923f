"""One digit on its way through a network: what goes in, what layers make of it, what comes out.

The picture, every hidden layer, the logits and the probabilities stand in this order, from left to
right and, where the screen is narrow, from top to bottom. The charts keep their templates from one
digit to the next, so that the next one only swaps the numbers in them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import streamlit as st

from neuralscope import charts
from neuralscope.engine import Network
from neuralscope.ui import chart, words
from neuralscope.ui.moment import Moment

PICTURE = 140
"""Width of the digit on the screen, in pixels."""

MOST_UNITS = 1_024
"""Units of a layer that are drawn."""

NARROWEST = 176  # pixels of a layer of few units, which its caption still fits
BARS_WIDTH = 232


def show(
    network: Network,
    x: npt.ArrayLike,
    *,
    image_shape: tuple[int, int],
    class_names: Sequence[str],
    true: int | None = None,
    key: str,
    of: Moment | None = None,
    live: bool = False,
) -> npt.NDArray[np.floating]:
    """Draw what each layer makes of one digit.

    Args:
        network: The network, which is only read.
        x: (features,), the digit, 0 (paper) to 1 (full ink).
        image_shape: Rows and columns of the digit.
        class_names: One for each output.
        true: Its true class, if that is known.
        key: Tells this display from another on the same page.
        of: The moment that the network is of, for the names of what is saved.
        live: Drawn anew while somebody looks (while they draw the digit): the text alternatives
            then stay the same from one drawing to the next, which keeps the charts in place.

    Returns:
        (classes,), the probabilities.
    """
    example = np.asarray(x, dtype=network.dtype).reshape(1, -1)
    logits: npt.NDArray[np.floating]
    probabilities: npt.NDArray[np.floating]
    with np.errstate(all="ignore"):  # a network that has diverged gives what is not a number
        logits = network.logits(example)[0]
        *hidden, probabilities = (layer[0] for layer in network.activations(example))

    row = st.container(horizontal=True, gap="medium", key=f"{key}_layers")
    with row.container(width=PICTURE, gap="small"):
        st.markdown("**Input**")
        picture = charts.digit_tiles(example, image_shape=image_shape, pixel_max=1, size=PICTURE)[0]
        named = "the picture" if true is None else f"a {class_names[true]}"
        st.image(picture, width=PICTURE, alt=f"The input, {named}")
        st.caption(
            f"{example.size:,} pixels"
            + (f", a {words.plain(class_names[true])}" if true is not None else "")
        )
    for number, (values, activation) in enumerate(zip(hidden, network.activation, strict=True), 1):
        name = f"Hidden layer {number}"
        figure = charts.unit_grid(values[:MOST_UNITS], layer=name)
        with row.container(width=max(NARROWEST, figure.template["width"] + 12), gap="small"):
            st.markdown(f"**{name}**")
            chart.draw(
                figure,
                f"Activations of {name.lower()}",
                key=f"{key}_layer_{number}",
                of=of,
                live=live,
                width="content",
            )
            st.caption(_about(values, activation))
    with row.container(width=BARS_WIDTH, gap="small"):
        st.markdown("**Logits**")
        figure = charts.class_bars(logits, title="Logit", class_names=class_names)
        chart.draw(figure, "Logits", key=f"{key}_logits", of=of, live=live)
        st.caption("The score of each class, before softmax.")
    with row.container(width=BARS_WIDTH, gap="small"):
        st.markdown("**Probabilities**")
        figure = charts.probability_bars(probabilities, class_names=class_names, true=true)
        chart.draw(figure, "Probabilities", key=f"{key}_probabilities", of=of, live=live)
        st.caption("Softmax makes the scores positive and lets them add up to 100 %.")
    return probabilities


def _about(values: npt.NDArray[np.floating], activation: str) -> str:
    """Say how many units there are and how strongly they act."""
    cut = f" The first {MOST_UNITS:,} are drawn." if len(values) > MOST_UNITS else ""
    finite = values[np.isfinite(values)]
    if len(finite) < len(values):
        return f"{len(values):,} {activation} units; some are not a number any more.{cut}"
    if activation == "relu":
        return (
            f"{np.count_nonzero(values):,} of {len(values):,} {activation} units fire,"
            f" up to {finite.max():.3g}.{cut}"
        )
    return f"{len(values):,} {activation} units, {finite.min():.3g} to {finite.max():.3g}.{cut}"
