"""Draw a digit and see what the network makes of it."""

from __future__ import annotations

import hashlib
import random
from typing import NamedTuple

import numpy as np
import streamlit as st

from neuralscope import charts
from neuralscope.charts.probabilities import percent
from neuralscope.data import drawing
from neuralscope.data.drawing import Ink
from neuralscope.errors import DataError
from neuralscope.ui import address, canvas, chart, frame, layer_by_layer, scrubber
from neuralscope.ui.moment import Moment

BLANK, TEST_DIGIT, PICTURE = "Blank sheet", "Test digit", "Picture"
STARTS = {BLANK: None, TEST_DIGIT: "test", PICTURE: "picture"}
"""What can be drawn on, and what the address calls it."""

HOW = {
    (28, 28): "Exactly these 28 × 28 numbers: your ink, scaled into a box of 20 × 20 and centred "
    "by its mass, as MNIST's digits were. So it matters little where and how large you draw.",
    (8, 8): "Exactly these 8 × 8 numbers: your ink, set upright, scaled to 32 × 32 and counted in "
    "blocks of 4 × 4, much as the built-in digits were. So it matters little where and how large "
    "you draw.",
}
ANY = (
    "Exactly these {0} × {1} numbers: your ink, scaled into a box of {2} × {3}, as much as most of "
    "the training pictures take, and centred. So it matters little where and how large you draw."
)
LOOKED_AT = 500
"""Training pictures that tell how much of a picture the ink takes."""

NOT_SQUARE = " It is not square and lies in the middle of the sheet; ink beside it does not count."
AS_IT_IS = "A test {0} stays as it is: only the pixels that you draw on change."


class Sheet(NamedTuple):
    """What is drawn on.

    Attributes:
        name: Tells it from other sheets.
        onto: What is on it from the start, if anything.
        index: The test digit that it is, if it is one.
    """

    name: str
    onto: Ink | None = None
    index: int | None = None


def choose_sheet(now: Moment) -> Sheet | None:
    """Let the user choose what to draw on; None while a picture is still to be chosen."""
    read_address(now)
    start = st.segmented_control(
        "Start from",
        [BLANK, TEST_DIGIT, PICTURE],
        required=True,
        format_func=lambda each: f"Test {now.thing}" if each == TEST_DIGIT else each,
        key="draw_start",
        on_change=settle,
    )
    address.complain(st.session_state["draw_problems"])
    if start == TEST_DIGIT:
        sheet = test_digit(now)
        address.say(start=STARTS[start], digit=sheet.index)
        return sheet
    address.say(start=STARTS[start], digit=None)
    if start == PICTURE:
        return uploaded(now)
    return Sheet("blank")


def read_address(now: Moment) -> None:
    """Take over what the address asks for, when the page is opened."""
    state = st.session_state
    if "draw_start" in state:
        return
    reader = address.Reader()
    asked = reader.one_of("start", filter(None, STARTS.values()))
    digit = reader.whole("digit", 0, len(now.labels("test")) - 1)
    if digit is not None:
        asked, state["draw_test_digit"] = asked or STARTS[TEST_DIGIT], digit
    state["draw_start"] = next(start for start, name in STARTS.items() if name == asked)
    state["draw_problems"] = reader.problems


def settle() -> None:
    """What was wrong in the address is past once somebody has chosen."""
    st.session_state["draw_problems"] = []


def test_digit(now: Moment) -> Sheet:
    n = len(now.labels("test"))
    if st.session_state.get("draw_test_digit", 0) >= n:  # of a larger data set, before
        st.session_state["draw_test_digit"] = 0
    with st.container(horizontal=True, vertical_alignment="bottom", key="draw_test_row"):
        index = st.number_input(
            f"Number, 0 to {n - 1:,}", 0, n - 1, key="draw_test_digit", width=160
        )
        st.button("Random", icon=":material/casino:", on_click=throw, args=(n,))
    pixels = now.pixels("test")[index].reshape(now.data.image_shape)
    return Sheet(
        f"{now.data.name} {index}", drawing.enlarged(pixels, now.data.pixel_max), index=index
    )


def throw(n: int) -> None:
    st.session_state["draw_test_digit"] = random.randrange(n)


def uploaded(now: Moment) -> Sheet | None:
    file = st.file_uploader(
        f"Picture of one {one(now)}",
        type=["png", "jpg", "jpeg"],
        key="draw_file",
        max_upload_size=drawing.MOST_BYTES // 1_000_000,
        help="PNG or JPEG, dark on light or light on dark. It is not kept.",
    )
    if file is None:
        st.caption(f"Choose a picture with one {one(now)} on it.")
        return None
    content = file.getvalue()
    try:
        onto = drawing.fitted(drawing.read_picture(content))
    except DataError as error:
        st.warning(str(error), icon=":material/broken_image:")
        return None
    return Sheet(f"picture {hashlib.sha256(content).hexdigest()}", onto)


def network_input(sheet: Sheet, ink: Ink, now: Moment) -> np.ndarray:
    """A test digit stays where it is, so that nothing but the drawing changes it."""
    if sheet.index is not None:
        return drawing.as_pixels(ink, now.data.image_shape, now.data.pixel_max)
    if has_recipe(now):
        return drawing.normalized(ink, now.data.image_shape)
    return drawing.fitted_into(ink, now.data.image_shape, box(now))


def one(now: Moment) -> str:
    """What is drawn: a digit, or else what the data set may be of, which nobody has said."""
    return "digit" if now.thing == "digit" else "thing"


def has_recipe(now: Moment) -> bool:
    """Whether it is known how the pictures were made of what people wrote."""
    return now.thing == "digit" and now.data.image_shape in HOW


def box(now: Moment) -> tuple[int, int]:
    return drawing.typical_box(now.pixels("train")[:LOOKED_AT], now.data.image_shape)


def how(now: Moment, sheet: Sheet) -> str:
    """What became of the drawing."""
    if sheet.index is not None:
        height, width = now.data.image_shape
        return AS_IT_IS.format(now.thing) + ("" if height == width else NOT_SQUARE)
    if has_recipe(now):
        return HOW[now.data.image_shape]
    return ANY.format(*now.data.image_shape, *box(now))


def read(now: Moment, x: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):  # a network that has diverged gives what is not a number
        return now.network.predict_proba(x[None])[0]


def say_answer(probabilities: np.ndarray, now: Moment, whose: str = "") -> None:
    """The answer in large letters."""
    label = f"Answer, {whose}" if whose else "Answer"
    if not np.isfinite(probabilities).all():
        st.metric(label, "–", help="The network no longer computes numbers, so it has no answer.")
        return
    best = int(probabilities.argmax())
    st.metric(
        label,
        now.data.class_names[best],
        delta=f"{percent(float(probabilities[best]))} sure",
        delta_color="off",
        delta_arrow="off",
    )


def say_flip(sheet: Sheet, x: np.ndarray, now: Moment, n_strokes: int) -> None:
    """Whether drawing on a test digit has changed what it is taken for."""
    answers = [read(now, each) for each in (now.examples("test")[sheet.index], x)]
    if not np.isfinite(answers).all():
        return
    before, after = np.argmax(answers, axis=1).tolist()
    true = now.called(int(now.labels("test")[sheet.index]))
    if not n_strokes:
        st.caption(f"This test {now.thing} is a {true}. Draw on it until the answer flips.")
    elif before == after:
        st.caption(
            f"This test {now.thing} is a {true}, and the answer is still {now.called(after)}."
        )
    else:
        st.info(
            f"The answer has flipped from {now.called(before)} to {now.called(after)}.",
            icon=":material/swap_horiz:",
        )


def both_names(now: Moment, other: Moment) -> tuple[str, str]:
    """What tells two moments apart."""
    if now.run.run_id == other.run.run_id:
        return now.label, other.label
    return f"{now.run.name}, {now.label}", f"{other.run.name}, {other.label}"


def draw(now: Moment) -> None:
    sides = st.container(horizontal=True, gap="large", key="draw_sides")
    with sides.container(width=360, gap="small"):
        sheet = choose_sheet(now)
        if sheet is None:
            return
        strokes = canvas.show(
            sheet.name, sheet.onto, label=f"Sheet to draw a {one(now)} on", key="draw_canvas"
        )
    ink = drawing.rasterize(strokes, sheet.onto)
    beside = sides.container(width="stretch", gap="small", key="draw_beside")
    if not drawing.has_ink(ink):
        beside.info(
            f"Draw one {one(now)} on the sheet, large, with the mouse, a finger or a pen. The "
            "network "
            "answers with every stroke.",
            icon=":material/draw:",
        )
        return
    x = network_input(sheet, ink, now)
    true = int(now.labels("test")[sheet.index]) if sheet.index is not None else None
    with beside:
        if sheet.index is None:
            if now.thing == "digit":  # other things may well be of several pieces
                say_several(drawing.count_digits(ink))
        answer(now, sheet, x, true, len(strokes))
    st.subheader("Layer by layer", anchor=False)
    layer_by_layer.show(
        now.network,
        x,
        image_shape=now.data.image_shape,
        class_names=now.data.class_names,
        true=true,
        key="draw",
        of=now,
        live=True,
    )


def say_several(n_digits: int) -> None:
    if n_digits > 1:
        st.warning(
            f"There seem to be {n_digits} separate digits. The network takes all of it for one, "
            "so show it one alone.",
            icon=":material/looks_two:",
        )


def answer(now: Moment, sheet: Sheet, x: np.ndarray, true: int | None, n_strokes: int) -> None:
    """The picture that the network sees, and what it answers, beside another if one is chosen."""
    names = now.data.class_names
    row = st.container(horizontal=True, gap="medium", key="draw_answer")
    st.caption(how(now, sheet))
    other = scrubber.choose_other(now, "draw_other", "Compare with another network")
    probabilities = read(now, x)
    compared = None if other is None else read(other, x)
    with row.container(width=168, gap="small"):
        st.markdown("**What the network sees**")
        picture = charts.digit_tiles(
            x[None], image_shape=now.data.image_shape, pixel_max=1, size=168
        )[0]
        st.image(picture, width="stretch", alt="The picture that the network sees")
    with row.container(width=320, gap="small"):
        labels = ("", "")
        with st.container(horizontal=True, gap="medium", key="draw_answers"):
            if other is None or compared is None:
                say_answer(probabilities, now)
            else:
                labels = both_names(now, other)
                say_answer(probabilities, now, labels[0])
                say_answer(compared, other, labels[1])
        if sheet.index is not None:
            say_flip(sheet, x, now, n_strokes)
        figure = charts.probability_bars(
            probabilities, class_names=names, true=true, compare=compared, names=labels
        )
        chart.draw(
            figure,
            f"Probabilities of the {'digits' if now.thing == 'digit' else 'classes'}",
            key="draw_bars" if other is None else "draw_bars_of_two",
            of=now,
            live=True,
        )


with frame.page("Draw", "Draw something and watch the network read it, layer by layer."):
    address.forget("draw_start", "draw_test_digit", "draw_other")
    scrubber.follow(draw)
