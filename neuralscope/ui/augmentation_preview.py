"""What an augmentation does to a digit, before a run is started with it."""

from __future__ import annotations

from typing import Final

import numpy as np
import streamlit as st

from neuralscope import charts
from neuralscope.data import Dataset
from neuralscope.data.augmentation import variants

N_VARIANTS: Final = 8
SIZE: Final = 64

EXPLANATIONS: Final = {
    "shift": "Each time a training digit is seen, it stands up to two pixels (of 28) higher, "
    "lower, farther left or right. What makes a digit does not depend on where it stands.",
    "affine": "Each time a training digit is seen, it is turned by up to 10°, made up to 10 % "
    "larger or smaller in height and width, slanted, and moved a little: lines that were straight "
    "stay straight, and parallel ones parallel.",
    "elastic": "Each time a training digit is seen, it is turned by up to 10°, stretched by up to "
    "10 %, and bent: every pixel is pushed at random, nearly the same way as its neighbours, as a "
    "trembling hand would (elastic distortions: Simard, Steinkraus and Platt, 2003).",
}


def show(dataset: Dataset, name: str) -> None:
    """Draw a training digit beside what an augmentation makes of it; nothing for 'none'.

    Args:
        dataset: Its first training digit is shown.
        name: A key of `neuralscope.data.augmentation.AUGMENTATIONS`.
    """
    if name not in EXPLANATIONS:
        return
    digit = dataset.x_train[0]
    drawn = variants(digit, dataset.image_shape, name, n=N_VARIANTS)
    # Twice the size on the screen, so that pixels stay sharp on a fine display.
    original, *tiles = charts.digit_tiles(
        np.vstack([digit, drawn]),
        image_shape=dataset.image_shape,
        pixel_max=dataset.pixel_max,
        size=2 * SIZE,
    )
    what = dataset.class_names[int(dataset.y_train[0])]
    noun = dataset.noun
    st.subheader(f"What augmentation does to a {noun}", anchor=False)
    with st.container(horizontal=True, gap="small", key="augmentation_preview"):
        st.image(original, width=SIZE, caption="original", alt=f"A {what} of the training {noun}s")
        for number, tile in enumerate(tiles, 1):
            st.image(
                tile,
                width=SIZE,
                caption=f"{number}",
                alt=f"The same {what}, distorted, {number} of {N_VARIANTS}",
            )
    st.caption(
        f"{EXPLANATIONS[name].replace('digit', noun)} So the network never sees "
        "the same pixels twice and cannot learn "
        f"them by heart. Validation and test {noun}s stay as they are."
    )
