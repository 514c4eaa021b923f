"""Draw a digit and see what the network makes of it."""

from __future__ import annotations

import hashlib
import random
import string
from typing import NamedTuple

import numpy as np
import streamlit as st

from neuralscope import charts
from neuralscope.data import Recipe
from neuralscope.data.ink import Ink, has_ink, ink_box
from neuralscope.data.photograph import MOST_BYTES, read_picture
from neuralscope.data.pieces import count_digits
from neuralscope.data.preparation import is_blot, prepared
from neuralscope.data.recipe import BY_MASS, FULL_FRAME
from neuralscope.data.sheet import CANVAS, as_pixels, enlarged, fitted, rasterize
from neuralscope.errors import DataError
from neuralscope.ui import address, canvas, chart, frame, layer_by_layer, scrubber, words
from neuralscope.ui.moment import Moment
from neuralscope.words import short_percent

BLANK, TEST_DIGIT, PICTURE = "Blank sheet", "Test digit", "Picture"
STARTS = {BLANK: None, TEST_DIGIT: "test", PICTURE: "picture"}
"""What can be drawn on, and what the address calls it."""

NOT_SQUARE = " It is not square and lies in the middle of the sheet; ink beside it does not count."
SEEN = 112
"""Width of the picture that the network sees, on the screen, in pixels."""

NEXT_TO_NOTHING = 0.15
"""Share of the sheet's side that ink takes at least, if it is to be more than a dot or a dash."""

AS_IT_IS = "A test {0} is left as it is: only the pixels that you draw on change."


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
        label_visibility="collapsed",
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
    is_dark = recipe_of(now).is_dark_on_light
    onto = enlarged(pixels, now.data.pixel_max, is_dark_on_light=is_dark)
    return Sheet(f"{now.data.name} {index}", onto, index=index)


def throw(n: int) -> None:
    st.session_state["draw_test_digit"] = random.randrange(n)


def uploaded(now: Moment) -> Sheet | None:
    file = st.file_uploader(
        f"Picture of one {one(now)}",
        type=["png", "jpg", "jpeg"],
        key="draw_file",
        max_upload_size=MOST_BYTES // 2**20,
        help="PNG or JPEG, dark on light or light on dark. It is not kept.",
    )
    if file is None:
        st.caption(f"Choose a picture with one {one(now)} on it.")
        return None
    content = file.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    onto = picture_on_sheet(digest, recipe_of(now), content)
    if isinstance(onto, str):
        st.warning(words.plain(onto), icon=":material/broken_image:")
        return None
    return Sheet(f"picture {digest}", onto)


@st.cache_resource(show_spinner="Reading the picture", max_entries=32, ttl="10m")
def picture_on_sheet(digest: str, recipe: Recipe, _content: bytes) -> Ink | str:
    """Return a picture on a sheet, or why it cannot be: read once, however often it is drawn.

    Args:
        digest: Of the content, by which it is found again.
        recipe: Of the pictures that the network has learned from.
    """
    try:
        onto = fitted(read_picture(_content, recipe), recipe)
    except DataError as error:
        return str(error)
    onto.setflags(write=False)  # all sessions share it
    return onto


def recipe_of(now: Moment) -> Recipe:
    """How a drawing becomes a picture like those that the network has learned from."""
    recipe = now.run.recipe  # not there for runs of before it was written down
    if recipe is not None and recipe.image_shape == now.data.image_shape:
        return recipe
    return now.data.recipe


def network_input(sheet: Sheet, ink: Ink, now: Moment) -> np.ndarray:
    """A test digit stays where it is, so that nothing but the drawing changes it."""
    recipe = recipe_of(now)
    if sheet.index is not None:
        return as_pixels(
            ink,
            now.data.image_shape,
            now.data.pixel_max,
            is_dark_on_light=recipe.is_dark_on_light,
        )
    return prepared(ink, recipe)


def reads_digits(now: Moment) -> bool:
    """Whether the classes are digits, in whatever file they came."""
    return set(now.data.class_names) <= set(string.digits)


def one(now: Moment) -> str:
    """What is drawn: a digit, or else what the data set may be of, which nobody has said."""
    return "digit" if reads_digits(now) else "item"


def how(now: Moment, sheet: Sheet) -> str:
    """What became of the drawing."""
    height, width = now.data.image_shape
    if sheet.index is not None:
        return AS_IT_IS.format(now.thing) + ("" if height == width else NOT_SQUARE)
    return describe(recipe_of(now))


def describe(recipe: Recipe) -> str:
    """What the recipe does to ink, in words."""
    height, width = recipe.image_shape
    numbers = f"The network gets exactly these {height} × {width} numbers: "
    if recipe.centered_by == FULL_FRAME:
        return f"{numbers}the whole sheet, since its training pictures fill their frame."
    center = "center of mass" if recipe.centered_by == BY_MASS else "outline"
    steps = [
        "your ink" + (", straightened" if recipe.is_upright else ""),
        "scaled to fit {} × {} pixels".format(*recipe.box),
        f"and centered by its {center}",
    ]
    if recipe.ink_share is not None:
        steps.append("with strokes of the usual weight")
    if recipe.is_dark_on_light:
        steps.append("dark on light")
    return (
        f"{numbers}{', '.join(steps)}, as in its training pictures. Where and how large you draw "
        "hardly matters."
    )


def read(now: Moment, x: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):  # a network that has diverged gives what is not a number
        return now.network.predict_proba(x[None])[0]


def say_answer(probabilities: np.ndarray, now: Moment, whose: str = "") -> None:
    """The answer in large letters."""
    label = f"Answer, {words.plain(whose)}" if whose else "Answer"
    if not np.isfinite(probabilities).all():
        st.metric(label, "–", help="The network no longer computes numbers, so it has no answer.")
        return
    best = int(probabilities.argmax())
    st.metric(
        label,
        now.called(best),
        delta=f"{short_percent(float(probabilities[best]))} sure",
        delta_color="off",
        delta_arrow="off",
    )


def say_flip(sheet: Sheet, x: np.ndarray, now: Moment, n_strokes: int) -> None:
    """Whether drawing on a test digit has changed the answer."""
    answers = [read(now, example) for example in (now.examples("test")[sheet.index], x)]
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
    sides = st.container(horizontal=True, gap="medium", key="draw_sides")
    with sides.container(width=360, gap="small"):
        sheet = choose_sheet(now)
        if sheet is None:
            return
        strokes = canvas.show(
            sheet.name,
            sheet.onto,
            label=f"Sheet to draw {'a digit' if reads_digits(now) else 'an item'} on",
            key="draw_canvas",
        )
    ink = rasterize(strokes, sheet.onto)
    beside = sides.container(width="stretch", gap="small", key="draw_beside")
    if not has_ink(ink):
        beside.info(
            f"Draw one {one(now)} on the sheet, large, with a mouse, finger, or pen. The network "
            "answers after every stroke.",
            icon=":material/draw:",
        )
        return
    x = network_input(sheet, ink, now)
    true = int(now.labels("test")[sheet.index]) if sheet.index is not None else None
    with beside:
        answer(now, sheet, ink, x, true, len(strokes))
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


def say_limits(now: Moment, ink: Ink) -> None:
    """That the network answers whatever is drawn, and the more plainly, the less there is."""
    classes = f"{now.data.n_classes} {'digits' if reads_digits(now) else 'classes'}"
    left, top, right, bottom = ink_box(ink)
    is_little = max(right - left, bottom - top) < NEXT_TO_NOTHING * CANVAS
    if is_little or is_blot(ink, recipe_of(now)):
        st.warning(
            f"This is hardly more than a dot or a blot, with nothing to read. The network has to "
            f"pick one of its {classes} all the same, so its answer means nothing.",
            icon=":material/help:",
        )
        return
    st.caption(
        f"Whatever you draw, the network has to pick one of its {classes}: it cannot say "
        "“none of these”."
    )
    if reads_digits(now):  # other things may well be of several pieces
        say_several(count_digits(ink))


def say_several(n_digits: int) -> None:
    if n_digits > 1:
        st.warning(
            f"There seem to be {n_digits} separate digits. The network reads them as one, so show "
            "it a single digit.",
            icon=":material/looks_two:",
        )


def answer(
    now: Moment, sheet: Sheet, ink: Ink, x: np.ndarray, true: int | None, n_strokes: int
) -> None:
    """What the network answers, beside another if one is chosen, and the picture that it sees."""
    row = st.container(horizontal=True, gap="medium", key="draw_answer")
    if sheet.index is None:
        say_limits(now, ink)
    bars = st.container(width=320, gap="small")
    st.caption(how(now, sheet))
    other = scrubber.choose_other(now, "draw_other", "Compare with another network")
    probabilities = read(now, x)
    compared = None if other is None else read(other, x)
    labels = ("", "")
    with row.container(horizontal=True, gap="medium", width="content", key="draw_answers"):
        if other is None or compared is None:
            say_answer(probabilities, now)
        else:
            labels = both_names(now, other)
            say_answer(probabilities, now, labels[0])
            say_answer(compared, other, labels[1])
    with row.container(width=SEEN, gap=None):
        picture = charts.digit_tiles(
            x[None], image_shape=now.data.image_shape, pixel_max=1, size=SEEN
        )[0]
        st.image(picture, width="stretch", alt="The picture that the network sees")
        st.caption("What it sees")
    with bars:
        if sheet.index is not None:
            say_flip(sheet, x, now, n_strokes)
        figure = charts.probability_bars(
            probabilities,
            class_names=now.data.class_names,
            true=true,
            compare=compared,
            names=labels,
        )
        chart.draw(
            figure,
            f"Probabilities of the {'digits' if reads_digits(now) else 'classes'}",
            key="draw_bars" if other is None else "draw_bars_of_two",
            of=now,
            live=True,
        )


with frame.page("Draw", "Draw something and watch the network read it, layer by layer."):
    address.forget("draw_start", "draw_test_digit", "draw_other")
    scrubber.follow(draw)
