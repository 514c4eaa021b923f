"""The sidebar in which a run is set up: one control for each field of `RunConfig`.

The controls live in the session state under `form_<field>`; the address fills them when a page is
opened, and follows them afterwards. What is not allowed is said next to its control.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import streamlit as st

from neuralscope.data import DATASETS
from neuralscope.errors import ConfigError
from neuralscope.runs import SETTINGS, RunConfig
from neuralscope.runs.settings import Choice, ChoicePerLayer, Number, Whole, Widths
from neuralscope.ui import address

MOST_LAYERS = cast(Widths, SETTINGS["hidden"]).most_layers
MOST_UNITS = cast(Widths, SETTINGS["hidden"]).most_units

RATE_STEPS = tuple(
    float(f"{digit}e{power}")
    for power in range(-5, 2)
    for digit in (1, 2, 3, 5)
    if digit * 10.0**power <= 10
)
L2_STEPS = (0.0, *(float(f"{d}e{p}") for p in range(-6, 0) for d in (1, 2, 5)), 1.0)
BATCH_STEPS = tuple(2**power for power in range(11))

TITLES = {
    "sgd": "SGD",
    "momentum": "Momentum",
    "nesterov": "Nesterov",
    "rmsprop": "RMSProp",
    "adam": "Adam",
    "adamw": "AdamW",
    "relu": "ReLU",
    "leaky_relu": "Leaky ReLU",
    "tanh": "tanh",
    "sigmoid": "Sigmoid",
    "he": "He",
    "glorot": "Glorot",
    "normal": "Small normal",
    "zeros": "Zeros",
    "auto": "Auto",
}


def title(name: str) -> str:
    """Return how a choice is called on the screen."""
    if name in DATASETS:
        return DATASETS[name].title
    return TITLES.get(name, name.capitalize())


def show() -> RunConfig | None:
    """Draw the form and return the configuration it makes, or None while it makes none."""
    _fill_once()
    with st.sidebar:
        _choice("dataset")

        st.subheader("Network", anchor=False, divider="gray")
        _hidden_layers()
        _choice("initializer")

        st.subheader("Learning", anchor=False, divider="gray")
        _choice("optimizer")
        _steps("learning_rate", RATE_STEPS)
        form = _values()
        if form["optimizer"] in ("momentum", "nesterov"):
            _slider("momentum", step=0.01)
        if form["optimizer"] == "adamw":
            _steps("weight_decay", L2_STEPS)
        _steps("batch_size", BATCH_STEPS)
        _number("epochs")
        _choice("schedule")
        if form["schedule"] == "step":
            _number("decay_every")
            _slider("decay_factor", step=0.01)
        _number("warmup_epochs")

        st.subheader("Against learning by heart", anchor=False, divider="gray")
        _steps("l2", L2_STEPS)
        if form["hidden"]:
            _slider("dropout", step=0.01)

        st.subheader("Chance", anchor=False, divider="gray")
        _number("seed")
    return config()


def config() -> RunConfig | None:
    """Return the configuration that the form makes now, or None if it makes none."""
    try:
        return RunConfig(**_values())
    except ConfigError:
        return None


def select_dataset(name: str) -> None:
    """Choose a data set in the form; call it before the form is drawn."""
    st.session_state["form_dataset"] = name


# State -------------------------------------------------------------------------------------------


def _fill_once() -> None:
    """Fill the controls from the address, or with what they were before another page was seen."""
    state = st.session_state
    if "form_config" not in state:
        given, problems = address.read_config()
        state["form_config"] = given
        state["form_problems"] = {problem.field: str(problem) for problem in problems}
    if "form_dataset" not in state:
        _fill(state["form_config"])


def _fill(given: RunConfig) -> None:
    state = st.session_state
    for name in SETTINGS:
        if name not in ("hidden", "activation"):
            state[f"form_{name}"] = getattr(given, name)
    state["form_layers"] = len(given.hidden)
    for i in range(MOST_LAYERS):
        # Layers that are not shown wait with the values of the last one.
        state[f"form_units_{i}"] = (given.hidden or (128,))[min(i, len(given.hidden) - 1)]
        state[f"form_activation_{i}"] = (given.activations or ("relu",))[
            min(i, len(given.hidden) - 1)
        ]


def _values() -> dict[str, Any]:
    """Return the fields as the controls have them; what is hidden keeps its value."""
    state = st.session_state
    values = {
        name: state.get(f"form_{name}", getattr(state["form_config"], name))
        for name in SETTINGS
        if name not in ("hidden", "activation")
    }
    layers = range(state["form_layers"])
    values["hidden"] = tuple(state[f"form_units_{i}"] for i in layers)
    values["activation"] = tuple(state[f"form_activation_{i}"] for i in layers) or "relu"
    return values


def remember(made: RunConfig) -> None:
    """Keep the configuration for when this page is left and opened again."""
    st.session_state["form_config"] = made


# Controls ----------------------------------------------------------------------------------------


def _problem(name: str) -> None:
    """Say what is wrong with a field: in the address, or with what the others say."""
    problems: dict[str, str] = st.session_state["form_problems"]
    if name in problems:
        st.error(f"In the address, {problems[name]}", icon=":material/link_off:")
        return
    try:
        RunConfig(**_values())
    except ConfigError as problem:
        if problem.field == name:
            st.error(str(problem), icon=":material/error:")


def _forget_problem(name: str) -> Callable[[], None]:
    """What was wrong in the address is settled once its control is used."""

    def forget() -> None:
        st.session_state["form_problems"].pop(name, None)

    return forget


def _common(name: str) -> dict[str, Any]:
    setting = SETTINGS[name]
    return {
        "label": setting.label,
        "help": setting.help,
        "key": f"form_{name}",
        "on_change": _forget_problem(name),
    }


def _choice(name: str) -> None:
    setting = cast(Choice, SETTINGS[name])
    st.selectbox(options=setting.names, format_func=title, **_common(name))
    _problem(name)


def _steps(name: str, steps: tuple[float, ...]) -> None:
    """A slider over round values; one from the address that is none of them joins in."""
    value = st.session_state[f"form_{name}"]
    options = sorted({*steps, value})
    st.select_slider(options=options, format_func=lambda v: f"{v:g}", **_common(name))
    _problem(name)


def _slider(name: str, step: float) -> None:
    setting = cast(Number, SETTINGS[name])
    st.slider(min_value=setting.minimum, max_value=setting.maximum, step=step, **_common(name))
    _problem(name)


def _number(name: str) -> None:
    setting = cast(Whole, SETTINGS[name])
    st.number_input(min_value=setting.minimum, max_value=setting.maximum, step=1, **_common(name))
    _problem(name)


def _hidden_layers() -> None:
    setting = SETTINGS["hidden"]
    st.slider(
        setting.label,
        0,
        MOST_LAYERS,
        key="form_layers",
        help=setting.help,
        on_change=_forget_problem("hidden"),
    )
    _problem("hidden")
    activation = cast(ChoicePerLayer, SETTINGS["activation"])
    for i in range(st.session_state["form_layers"]):
        units, bend = st.columns([3, 2], gap="small", vertical_alignment="bottom")
        units.slider(
            f"Units in layer {i + 1}",
            1,
            MOST_UNITS,
            key=f"form_units_{i}",
            on_change=_forget_problem("hidden"),
        )
        bend.selectbox(
            f"Activation of layer {i + 1}",
            activation.names,
            format_func=title,
            key=f"form_activation_{i}",
            help=activation.help,
            label_visibility="collapsed",
            on_change=_forget_problem("activation"),
        )
    _problem("activation")
