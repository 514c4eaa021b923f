"""What every unit does: its favourite digits, one digit layer by layer, all digits as a map.

Kept in session state and in the address: `view`, `split`, `layer`, `unit` (from 1), `digit`, and
`dots` and `dot` of the map.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from neuralscope import analysis, charts
from neuralscope.ui import address, chart, frame, layer_by_layer, scrubber, words
from neuralscope.ui.layer_outputs import (
    FITTED_ON,
    INPUT,
    LOGITS,
    MOST_UNITS,
    PROBABILITIES,
    Profile,
    ablation_of,
    activation_of,
    number_of,
    outputs,
    plane_of,
    profile_of,
    thumbnails_of,
)
from neuralscope.ui.moment import SPLITS, Moment

VIEWS = {"units": "Units", "digit": "One digit", "map": "Map of the digits"}
DEFAULTS = {"view": "units", "split": "test"}
MOST_EXCITING, LEAST_EXCITING = analysis.EXCITING, 8
MAP_SIZES = (500, FITTED_ON, 5_000)
MOST_NAMED = 12
CARD = 268  # pixels of each of the three pictures of a unit

# What is chosen ----------------------------------------------------------------------------------


def chosen(name: str) -> Any:
    return st.session_state.get(f"activations_{name}")


def choose(name: str, value: object) -> None:
    st.session_state[f"activations_{name}"] = value


def decide(name: str, value: object) -> None:
    """Choose because somebody said so; what was wrong with the address is past."""
    choose(name, value)
    choose("problems", [])


def held(name: str) -> dict[str, Any]:
    """Tie a control to what is chosen, whoever changes that; its arguments."""
    key = f"{name}_control"
    if st.session_state.get(key) != chosen(name):  # else its handle would be pulled back
        st.session_state[key] = chosen(name)
    return {"key": key, "on_change": lambda: decide(name, st.session_state[key])}


def settle(now: Moment) -> None:
    """Bring what is chosen in line with what there is; the first time, take it from the address."""
    if chosen("view") is None:
        read_address(now)
    names = layer_names(now, with_input=chosen("view") == "map")
    if chosen("layer") not in names:
        choose("layer", first_of(names))
    digits = range(len(now.labels(chosen("split"))))
    numbers = {"unit": range(1, number_of_units(now) + 1), "digit": digits, "dot": digits}
    for name, there in numbers.items():
        if chosen(name) is not None and chosen(name) not in there:
            choose(name, None)
    address.complain(chosen("problems"))


def read_address(now: Moment) -> None:
    reader = address.Reader()
    choose("view", reader.one_of("view", VIEWS) or DEFAULTS["view"])
    choose("split", reader.one_of("split", SPLITS) or DEFAULTS["split"])
    names = layer_names(now, with_input=chosen("view") == "map")
    choose("layer", reader.one_of("layer", names) or first_of(names))
    n_digits = len(now.labels(chosen("split")))
    choose("unit", reader.whole("unit", 1, number_of_units(now)))
    choose("digit", reader.whole("digit", 0, n_digits - 1))
    choose("dot", reader.whole("dot", 0, n_digits - 1))
    dots = reader.one_of("dots", map(str, map_sizes(n_digits)))
    choose("dots", int(dots) if dots else None)
    choose("problems", reader.problems)


def first_of(layers: dict[str, str]) -> str:
    return next(layer for layer in layers if layer != INPUT)


def number_of_units(now: Moment) -> int:
    """Return how many units of the chosen layer can be opened."""
    is_input = chosen("layer") == INPUT
    n = now.data.n_features if is_input else now.network.sizes[number_of(now, chosen("layer")) + 1]
    return min(n, MOST_UNITS)


def map_sizes(n_digits: int) -> list[int]:
    """Return how many dots a map can have."""
    return sorted({min(size, n_digits) for size in MAP_SIZES})


def usual_dots(n_digits: int) -> int:
    return min(FITTED_ON, n_digits)


def layer_names(now: Moment, *, with_input: bool) -> dict[str, str]:
    names = {INPUT: "Input pixels"} if with_input else {}
    for number, activation in enumerate(now.network.activation, 1):
        units = now.network.sizes[number]
        names[str(number)] = f"Hidden layer {number} ({units:,} {activation})"
    return {**names, LOGITS: "Logits", PROBABILITIES: "Probabilities"}


def clicked(chart: str, selection: str, field: str) -> int | None:
    """Return what was clicked in a chart."""
    picked = st.session_state[chart].selection.get(selection) or []
    return int(picked[0][field]) if picked else None


def open_unit() -> None:
    unit = clicked("unit_map", "unit", "unit")
    if unit is not None:
        decide("unit", unit)


def open_digit(chart: str) -> None:
    digit = clicked(chart, "picture", "index")
    if digit is not None:
        decide("digit", digit)
        decide("view", "digit")


# Units -------------------------------------------------------------------------------------------


def draw_units(now: Moment, split: str, layer: str) -> None:
    profile = profile_of(now.key, split, layer, now)
    n_units = len(profile.order)
    if chosen("unit") is None:
        choose("unit", int(profile.order[0]) + 1)
    unit: int = chosen("unit")

    st.subheader(f"Which {now.classes} each unit answers to", anchor=False)
    figure = charts.unit_heat_map(
        profile.means,
        order=profile.order,
        preferred=profile.preferred,
        chosen=unit - 1,
        class_names=now.data.class_names,
        noun=now.class_noun,
    )
    chart.draw(
        figure,
        f"Mean activation of every unit on every {now.class_noun}",
        key="unit_map",
        of=now,
        on_select=open_unit,
    )
    cut = ""
    total = outputs(now, split, layer).shape[1]
    if total > n_units:
        cut = f" The first {n_units:,} of {total:,} units are shown."
    st.caption(
        f"Each column is a unit, each row a {now.class_noun}: the stronger the colour, the higher "
        f"the unit's mean activation on the {len(now.labels(split)):,} {split} {now.things}"
        + (" (red above zero, blue below)" if profile.means.min() < 0 else "")
        + f". The line below says which {now.class_noun} they prefer, the one with the highest "
        f"mean.{cut} Click a unit to open it."
    )
    say_idle(now, split, layer, profile)
    draw_unit(now, split, layer, unit, profile)


def say_idle(now: Moment, split: str, layer: str, profile: Profile) -> None:
    """Name the units that are of no use, and say what that means."""
    activation, n_units = activation_of(now, layer), len(profile.order)
    n_digits = f"{len(now.labels(split)):,} {split} {now.things}"
    idle = profile.idle
    if activation in ("relu", "leaky_relu"):
        gives = "gives 0" if activation == "relu" else "is never above zero"
        if not len(idle.dead):
            st.caption(f"No unit is dead: each fires on at least one of the {n_digits}.")
        else:
            st.caption(
                f"**{len(idle.dead):,} of {n_units:,} units {be(idle.dead)} dead**: whatever of "
                f"the {n_digits} it is shown, a dead unit {gives}"
                + (", and where its slope is 0 it cannot learn" if activation == "relu" else "")
                + f". {named(idle.dead)}"
            )
    elif activation in ("tanh", "sigmoid"):
        what = (
            f"on at least {analysis.MOSTLY:.0%} of the {n_digits} it is within "
            f"{analysis.NEAR_END:.0%} of its range from one of its ends, where {activation} is "
            "flat and little can be learned"
        )
        if not len(idle.saturated):
            st.caption(f"No unit is saturated. (It would be if {what}.)")
        else:
            st.caption(
                f"**{len(idle.saturated):,} of {n_units:,} units {be(idle.saturated)} saturated**: "
                f"{what}. {named(idle.saturated)}"
            )


def be(units: npt.NDArray[np.int64]) -> str:
    return "is" if len(units) == 1 else "are"


def named(units: npt.NDArray[np.int64]) -> str:
    """Name units by their numbers from 1, not too many."""
    numbers = [f"{unit + 1:,}" for unit in units[:MOST_NAMED].tolist()]
    more = f" and {len(units) - MOST_NAMED:,} more" if len(units) > MOST_NAMED else ""
    return f"Unit{'' if len(units) == 1 else 's'} {', '.join(numbers)}{more}."


def draw_unit(now: Moment, split: str, layer: str, unit: int, profile: Profile) -> None:
    """Draw the card of a unit, numbered from 1."""
    names = now.data.class_names
    is_output = not layer.isdigit()
    with st.container(horizontal=True, vertical_alignment="bottom", key="unit_row"):
        st.subheader(
            f"{'Output' if is_output else 'Unit'} {unit:,}"
            + (f": {now.called(unit - 1)}" if is_output else f" of hidden layer {layer}"),
            anchor=False,
            width="content",
        )
        st.number_input("Unit", 1, len(profile.order), width=140, **held("unit"))
    place = unit - 1
    means = profile.means[place]
    preferred = int(profile.preferred[place])
    likes = (
        f"It prefers no {now.class_noun}."
        if preferred < 0
        else (f"It prefers the {now.called(preferred)}, with a mean of {means[preferred]:.3g}.")
    )
    activation = activation_of(now, layer)
    share = words.percent(float(profile.idle.share[place]), 1)
    does = ""
    if activation in ("relu", "leaky_relu"):
        does = f" It fires on {share} of the {split} {now.things}."
    elif activation in ("tanh", "sigmoid"):
        does = f" On {share} of the {split} {now.things} it is at one of its ends."
    st.caption(likes + does)

    values = outputs(now, split, layer)[:, place]
    most, least = analysis.extreme_examples(values, most=MOST_EXCITING, least=LEAST_EXCITING)
    with st.container(horizontal=True, gap="medium", key="unit_card"):
        with st.container(width=CARD):
            draw_weights(now, split, layer, place, most)
        with st.container(width=CARD):
            st.markdown("**Its profile**")
            figure = charts.class_bars(
                means, title="Mean activation", class_names=names, noun=now.class_noun
            )
            chart.draw(
                figure, f"Mean activation on each {now.class_noun}", key="unit_profile", of=now
            )
            st.caption(f"Its mean activation on each {now.class_noun}.")
        if not is_output:
            with st.container(width=CARD):
                draw_ablation(now, split, layer, place)
    for title, rows, key in (
        (f"The {len(most)} {now.things} that excite it most", most, "most_exciting"),
        (f"The {len(least)} that do least", least, "least_exciting"),
    ):
        st.markdown(f"**{title}**")
        figure = charts.example_strip(
            now.pixels(split)[rows],
            index=rows,
            true=now.labels(split)[rows],
            values=values[rows],
            image_shape=now.data.image_shape,
            class_names=names,
            pixel_max=now.data.pixel_max,
            noun=now.thing,
        )
        chart.draw(
            figure,
            title,
            key=key,
            of=now,
            on_select=lambda key=key: open_digit(key),
        )
    st.caption(
        f"Under each its true {now.class_noun} and the unit's activation. Click one to follow it "
        "through "
        "the network."
    )


def draw_weights(
    now: Moment, split: str, layer: str, place: int, most: npt.NDArray[np.int64]
) -> None:
    number = number_of(now, layer)
    seen = analysis.seen_through(now.network, now.examples(split)[most], number, place)
    weights = now.network.layers[0].weight if number == 0 else seen
    picture = charts.weight_grid(
        seen[:, None],
        now.data.image_shape,
        limit=charts.weight_limit(weights),
        scale=max(1, 252 // max(now.data.image_shape)),
    )
    st.markdown("**What it looks for**")
    st.image(
        charts.data_uri(picture),
        width=252,
        alt="What the unit looks for in the pixels: red excites it, blue quiets it",
    )
    if number == 0:
        st.caption(
            "Its incoming weights, on one scale for the whole layer: ink where it is red excites "
            "it, ink where it is blue quiets it."
        )
    else:
        st.caption(
            f"How ink in each pixel would move the sum it takes, worked out through the layers "
            f"below (the gradient) as the mean over the {len(most)} {now.things} that excite it "
            "most: "
            "red more, blue less."
        )


def draw_ablation(now: Moment, split: str, layer: str, place: int) -> None:
    without = ablation_of(now.key, split, int(layer) - 1, place, now)
    st.markdown("**Without it**")
    change = 100 * (without.by_class_without - without.by_class)
    figure = charts.class_bars(
        change,
        title="Change of accuracy, in points",
        class_names=now.data.class_names,
        number_format="+.2f",
        noun=now.class_noun,
    )
    chart.draw(
        figure, f"Accuracy on each {now.class_noun} without the unit", key="unit_ablation", of=now
    )
    st.caption(
        f"With its output held at zero the network reads "
        f"**{words.percent(without.accuracy_without)}** instead of "
        f"{words.percent(without.accuracy)} of the {split} {now.things}: {without.lost:,} lost, "
        f"{without.won:,} won. The bars say it for each {now.class_noun}, in percentage points."
    )


# One digit ---------------------------------------------------------------------------------------


def draw_digit(now: Moment, split: str) -> None:
    labels = now.labels(split)
    if chosen("digit") is None:
        choose("digit", 0)
    wrong = np.flatnonzero(now.probabilities(split).argmax(axis=1) != labels)
    with st.container(horizontal=True, vertical_alignment="bottom", key="digit_row"):
        st.number_input(
            f"Number (0 to {len(labels) - 1:,})", 0, len(labels) - 1, width=180, **held("digit")
        )
        st.button(
            f"Any {now.thing}",
            icon=":material/shuffle:",
            key="any_digit",
            on_click=lambda: decide("digit", random.randrange(len(labels))),
        )
        st.button(
            "Any mistake",
            icon=":material/shuffle:",
            key="any_mistake",
            disabled=not len(wrong),
            on_click=lambda: decide("digit", int(random.choice(wrong))),
        )
    follow(now, split, chosen("digit"))


def follow(now: Moment, split: str, digit: int) -> None:
    layer_by_layer.show(
        now.network,
        now.examples(split)[digit],
        image_shape=now.data.image_shape,
        class_names=now.data.class_names,
        true=int(now.labels(split)[digit]),
        key="followed",
        of=now,
        live=now.is_moving,
    )
    if now.network.activation:
        st.caption(
            "Each layer sees only what the one before it gives. Every square is a unit, shaded by "
            f"its activation on this {now.thing}, each layer on its own scale: teal is an amount; "
            "where "
            "there are values below zero, these are blue and those above red."
        )


# The map -----------------------------------------------------------------------------------------


def draw_map(now: Moment, split: str, layer: str) -> None:
    labels = now.labels(split)
    sizes = map_sizes(len(labels))
    if chosen("dots") not in sizes:
        choose("dots", usual_dots(len(labels)))
    most: int = st.segmented_control(
        "Dots", sizes, format_func="{:,}".format, required=True, **held("dots")
    )
    reference = replace(now, info=now.snapshots[-1])
    plane = plane_of(reference.key, split, layer, reference)
    rows = analysis.sample(len(labels), most)
    figure = charts.digit_map(
        plane.projection.map(outputs(now, split, layer)[rows]),
        index=rows,
        true=labels[rows],
        predicted=now.probabilities(split)[rows].argmax(axis=1),
        pictures=thumbnails_of(now.data.name, split, most, now),
        reach=plane.reach,
        class_names=now.data.class_names,
        noun=now.class_noun,
    )
    chart.draw(
        figure,
        f"The {now.things} as dots on a map",
        key="digit_map",
        of=now,
        on_select=lambda: choose("dot", clicked("digit_map", "dot", "index")),
    )
    of = f"{len(labels):,} {split} {now.things}"
    shown = f"all {of}" if most >= len(labels) else f"{most:,} of the {of}, always the same sample"
    explained = words.percent(float(plane.projection.explained.sum()), 0)
    st.caption(
        f"Each dot is a {now.thing} ({shown}) in the colour of what it truly is; a ring marks "
        "those read "
        f"wrongly. {now.things.capitalize()} lie close together for which the layer gives much the "
        "same, seen along "
        "the two directions in which its outputs vary most: the principal components, fitted on "
        f"{min(FITTED_ON, len(labels)):,} {now.things}, hold {explained} of all variance."
    )
    if layer != INPUT:
        moment = (
            "the newest moment so far, and fitted anew as the run goes on"
            if now.run.is_active
            else "the last of this run"
        )
        st.caption(
            f"The directions and the axes are those of {words.plain(reference.label)} ({moment}) "
            "whatever epoch is shown: play the film to see the classes come apart. The picture is "
            "turned to lie as close to that of the input pixels as it can; what lies beyond the "
            "axes is drawn at their end."
        )
    dot = chosen("dot")
    if dot is None or dot >= len(labels):
        st.caption(
            f"Point at a dot to see the {now.thing}; click it to follow it through the network."
        )
        return
    st.subheader(f"{now.thing.capitalize()} {dot:,}, layer by layer", anchor=False)
    follow(now, split, dot)


# The page ----------------------------------------------------------------------------------------


def draw(now: Moment) -> None:
    """Draw a moment of a run."""
    settle(now)
    with st.container(horizontal=True, vertical_alignment="bottom", key="activations_row"):
        st.segmented_control(
            "View",
            list(VIEWS),
            format_func=lambda view: VIEWS[view].replace("digit", now.thing),
            required=True,
            **held("view"),
        )
        st.segmented_control(
            now.things.capitalize(),
            list(SPLITS),
            format_func=SPLITS.get,
            required=True,
            **held("split"),
        )
        view, split, layer = chosen("view"), chosen("split"), chosen("layer")
        if view != "digit":
            names = layer_names(now, with_input=view == "map")
            st.selectbox("Layer", list(names), format_func=names.get, width=300, **held("layer"))
    if not now.network.activation:
        st.info(
            "This network has no hidden layer: its logits come straight from the pixels.",
            icon=":material/info:",
        )
    if view == "units":
        draw_units(now, split, layer)
    elif view == "digit":
        draw_digit(now, split)
    else:
        draw_map(now, split, layer)
    is_map, n_digits = view == "map", len(now.labels(split))
    address.say(
        view=None if view == "units" else view,
        split=None if split == "test" else split,
        layer=None if view == "digit" else layer,
        unit=chosen("unit") if view == "units" else None,
        digit=chosen("digit") if view == "digit" else None,
        dots=chosen("dots") if is_map and chosen("dots") != usual_dots(n_digits) else None,
        dot=chosen("dot") if is_map else None,
    )


with frame.page("Activations", "What every unit does, and what a picture turns into on its way."):
    address.forget("activations_")
    scrubber.follow(draw)
