"""Browse the digits that the network gets wrong, and ask of each why."""

from __future__ import annotations

import re

import numpy as np
import streamlit as st

from neuralscope.analysis import (
    Judgement,
    choose_examples,
    fates,
    judge,
    suspicious_labels,
)
from neuralscope.errors import WeightsError
from neuralscope.ui import (
    address,
    chart,
    digits_shown,
    explanation,
    frame,
    page_numbers,
    place,
    scrubber,
    words,
)
from neuralscope.ui.moment import SPLITS, Moment

PER_PAGE = 24
MOST_PAGES = 9_999
ANY = -1
WRONG = "wrong"
KINDS = {
    WRONG: "Wrong now",
    "forgotten": "Forgotten",
    "never": "Never learned",
    "labels": "Suspicious labels",
}
ORDERS = {
    "loss": "Largest loss first",
    "confidence": "Most confident first",
    "margin": "Narrowest margin first",
}
EXPLAINED = {
    WRONG: "All that the network reads wrongly at this moment.",
    "forgotten": "Wrong now, though an earlier snapshot had it right: learning the others has "
    "undone it.",
    "never": "Wrong now, and in every snapshot since training began.",
    "labels": "At least 80 % of the snapshots since training began, and the network now, say the "
    "same other class; ranked by that share times the confidence now. Some of these labels are "
    "wrong, some are just badly written: see for yourself.",
}
DEFAULTS = {
    "mistakes_of": "validation",
    "mistakes_kind": WRONG,
    "mistakes_true": ANY,
    "mistakes_predicted": ANY,
    "mistakes_confidence": (0, 100),
    "mistakes_order": "loss",
    "mistakes_page": 1,
    "mistakes_open": None,
    "mistakes_problems": (),
}
PARAMETERS = ("digit", "of", "kind", "true", "predicted", "confidence", "order", "page")


def draw(now: Moment) -> None:
    state = st.session_state
    for key, default in DEFAULTS.items():
        state.setdefault(key, default)
    read_address(now)
    address.complain(state["mistakes_problems"])
    if state["mistakes_open"]:
        show_one(now, *state["mistakes_open"])
    else:
        browse(now)
    write_address()


# Browsing ----------------------------------------------------------------------------------------


def browse(now: Moment) -> None:
    choices(now)
    split = st.session_state["mistakes_of"]
    judged = judge(now.probabilities(split), now.labels(split))
    n, n_wrong = len(judged.true), int(judged.is_wrong.sum())
    if not n_wrong:
        st.success(
            f"Nothing: all {n:,} {split} {now.things} are read right.",
            icon=":material/check_circle:",
        )
        return
    chosen = chosen_of(now, judged)
    if chosen is None:
        return
    st.caption(EXPLAINED[st.session_state["mistakes_kind"]])
    page = turn_pages(len(chosen))
    shown = chosen[PER_PAGE * (page - 1) : PER_PAGE * page]
    if len(shown):
        first = PER_PAGE * (page - 1) + 1
        which = f"Showing **{first:,} to {first + len(shown) - 1:,} of {len(chosen):,}**"
    else:
        which = "**None** is of this kind and within these limits"
    st.markdown(f"{which}; of the {n:,} {split} {now.things} {n_wrong:,} are wrong now.")
    if not len(shown):
        return
    figure = digits_shown.figure(now, split, shown, judged)
    chart.draw(
        figure,
        f"{split.capitalize()} {now.things} read wrongly",
        key="mistakes_gallery",
        of=now,
        on_select=open_clicked,
    )
    st.caption(
        "Each is labelled true → answered, with the confidence in the answer. Click one to see "
        "why it is wrong."
    )


def choices(now: Moment) -> None:
    names = now.data.class_names
    kept = {"on_change": from_the_start, "persist_state": "session"}
    with st.container(horizontal=True, vertical_alignment="bottom", key="mistakes_what"):
        st.segmented_control(
            f"{now.things.capitalize()} of",
            list(SPLITS),
            key="mistakes_of",
            format_func=SPLITS.__getitem__,
            required=True,
            **kept,
        )
        st.segmented_control(
            "Kind",
            list(KINDS),
            key="mistakes_kind",
            format_func=KINDS.__getitem__,
            required=True,
            **kept,
        )
    with st.container(horizontal=True, vertical_alignment="bottom", key="mistakes_filters"):
        for key, label in (
            ("mistakes_true", f"True {now.class_noun}"),
            ("mistakes_predicted", "Answered"),
        ):
            if st.session_state[key] >= len(names):
                st.session_state[key] = ANY
            st.selectbox(
                label,
                [ANY, *range(len(names))],
                key=key,
                format_func=lambda label: "Any" if label == ANY else names[label],
                width=130,
                **kept,
            )
        st.slider(
            "Confidence", 0, 100, key="mistakes_confidence", format="%d %%", width=240, **kept
        )
        if st.session_state["mistakes_kind"] != "labels":  # these have a rank of their own
            st.selectbox(
                "Order",
                list(ORDERS),
                key="mistakes_order",
                format_func=ORDERS.__getitem__,
                width=230,
                help=f"The loss is large where the network gave little to the true "
                f"{now.class_noun}. The margin is how far its answer was ahead of the true "
                f"{now.class_noun}: a narrow one is a near miss.",
                **kept,
            )


def chosen_of(now: Moment, judged: Judgement) -> np.ndarray | None:
    """Return the positions of the digits chosen, or None after saying why there can be none."""
    state = st.session_state
    kind, split = state["mistakes_kind"], state["mistakes_of"]
    among = np.flatnonzero(judged.is_wrong)
    order = state["mistakes_order"]
    if kind != WRONG:
        if split != "validation":
            st.info(
                f"The snapshots keep their answers to the validation {now.things} only: what was "
                "forgotten, never learned or wrongly labelled can be told there.",
                icon=":material/history:",
            )
            return None
        rows = [i for i, info in enumerate(now.snapshots) if 0 < info.step <= now.info.step]
        if not rows:
            st.info(
                "Nothing has been learned yet at this moment: there is no history to tell from.",
                icon=":material/history:",
            )
            return None
        try:
            history = now.history(split)[rows]
        except WeightsError as error:
            st.warning(words.plain(error), icon=":material/error:")
            return None
        if kind == "labels":
            among = suspicious_labels(history, judged.true, now.probabilities(split)).index
            order = "as ranked"
        else:
            found = fates(history, judged.true, judged.predicted)
            among = found.forgotten if kind == "forgotten" else found.never_learned
    true, predicted = (
        None if state[key] == ANY else state[key] for key in ("mistakes_true", "mistakes_predicted")
    )
    low, high = state["mistakes_confidence"]
    return choose_examples(
        judged,
        among,
        true=true,
        predicted=predicted,
        confidence=(low / 100, high / 100),
        order=order,
    )


def turn_pages(n_chosen: int) -> int:
    state = st.session_state
    n_pages = max(1, -(-n_chosen // PER_PAGE))
    state["mistakes_page"] = min(state["mistakes_page"], n_pages)
    if n_pages > 1:
        with st.container(horizontal=True, vertical_alignment="center", key="mistakes_pages"):
            page = state["mistakes_page"]
            st.button(
                "Previous page", key="mistakes_back", shortcut="P", disabled=page == 1,
                on_click=turn, args=(page - 1,),
            )  # fmt: skip
            key = place.take("mistakes_pagination", page)
            page_numbers.choose(n_pages, page=page, key=key, on_change=turn_to, args=(key,))
            st.button(
                "Next page", key="mistakes_on", shortcut="N", disabled=page == n_pages,
                on_click=turn, args=(page + 1,),
            )  # fmt: skip
    return int(state["mistakes_page"])


def turn(page: int) -> None:
    st.session_state["mistakes_page"] = page


def turn_to(key: str) -> None:
    if place.is_taken_by("mistakes_pagination", key):
        turn(st.session_state[key])


def from_the_start() -> None:
    st.session_state["mistakes_page"] = 1
    st.session_state["mistakes_problems"] = ()


# One digit ---------------------------------------------------------------------------------------


def open_clicked() -> None:
    clicked = st.session_state["mistakes_gallery"]["selection"].get("picture")
    if clicked:
        open_one(st.session_state["mistakes_of"], int(clicked[0]["index"]))


def open_one(split: str, index: int) -> None:
    st.session_state["mistakes_open"] = (split, index)
    st.session_state["mistakes_problems"] = ()


def close() -> None:
    st.session_state["mistakes_open"] = None
    st.session_state["mistakes_problems"] = ()


def show_one(now: Moment, split: str, index: int) -> None:
    judged = judge(now.probabilities(split), now.labels(split))
    with st.container(horizontal=True, vertical_alignment="center", key="mistakes_turn"):
        st.button(
            "All mistakes",
            key="mistakes_close",
            icon=":material/grid_view:",
            shortcut="A",
            on_click=close,
        )
        before, after, where = around(chosen_of(now, judged), index)
        for label, key, shortcut, to in (
            (f"Previous {now.thing}", "mistakes_before", "P", before),
            (f"Next {now.thing}", "mistakes_after", "N", after),
        ):
            st.button(
                label,
                key=key,
                shortcut=shortcut,
                disabled=to is None,
                on_click=open_one,
                args=(split, to),
            )
        st.caption(where, width="content")
    explanation.show(now, split, index)


def around(chosen: np.ndarray | None, index: int) -> tuple[int | None, int | None, str]:
    """Return the digits before and after one in the list, and where in it that one is."""
    listed = [] if chosen is None else chosen.tolist()
    if index not in listed:
        return None, listed[0] if listed else None, "Not among the mistakes listed"
    at = listed.index(index)
    before = listed[at - 1] if at else None
    after = listed[at + 1] if at + 1 < len(listed) else None
    return before, after, f"{at + 1:,} of {len(listed):,}"


# The address -------------------------------------------------------------------------------------


def read_address(now: Moment) -> None:
    """Take over what the address asks for, if somebody has followed a link since it was written."""
    state, asked = st.session_state, asked_for()
    if not asked or asked == state.get("mistakes_address"):
        return
    reader, most_class = address.Reader(), now.data.n_classes - 1
    read = {
        "mistakes_of": reader.one_of("of", SPLITS),
        "mistakes_kind": reader.one_of("kind", KINDS),
        "mistakes_true": reader.whole("true", 0, most_class),
        "mistakes_predicted": reader.whole("predicted", 0, most_class),
        "mistakes_confidence": read_range(reader),
        "mistakes_order": reader.one_of("order", ORDERS),
        "mistakes_page": reader.whole("page", 1, MOST_PAGES),
    }
    state.update({key: value for key, value in read.items() if value is not None})
    digit = reader.whole("digit", 0, len(now.labels(state["mistakes_of"])) - 1)
    is_of_another = "of" in asked and read["mistakes_of"] is None  # its number means nothing here
    open_it = digit is not None and not is_of_another
    state["mistakes_open"] = (state["mistakes_of"], digit) if open_it else None
    state["mistakes_problems"] = reader.problems


def read_range(reader: address.Reader) -> tuple[int, int] | None:
    """Return the limits of the confidence that the address asks for, as in 20-80."""
    text = reader.text("confidence")
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,3})-(\d{1,3})", text, re.ASCII)
    if found and int(found[1]) <= int(found[2]) <= 100:
        return int(found[1]), int(found[2])
    reader.note("confidence", "must be two percentages, such as 20-80")
    return None


def asked_for() -> dict[str, str]:
    return {name: st.query_params[name] for name in PARAMETERS if name in st.query_params}


def write_address() -> None:
    state = st.session_state
    said = {}
    for name in ("of", "kind", "true", "predicted", "confidence", "order", "page"):
        value = state[f"mistakes_{name}"]
        if value != DEFAULTS[f"mistakes_{name}"]:
            said[name] = "{}-{}".format(*value) if name == "confidence" else str(value)
    if state["mistakes_open"]:
        split, index = state["mistakes_open"]
        said |= {"digit": str(index), "of": split}
    address.say(**{**dict.fromkeys(PARAMETERS), **said})
    state["mistakes_address"] = said


with frame.page("Mistakes", "What the network gets wrong, and why."):
    address.forget("mistakes_")
    scrubber.follow(draw)
