"""The sidebar in which a run is set up: one control for each field of `RunConfig`.

The address fills the controls when a page is opened, and follows them afterwards. What is not
allowed is said next to its control.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, cast

import streamlit as st

from neuralscope.data import dataset_names, dataset_title, is_own_name, known_dataset
from neuralscope.errors import ConfigError
from neuralscope.runs import SETTINGS, RunConfig
from neuralscope.runs.settings import Choice, ChoicePerLayer, Number, Whole, Widths
from neuralscope.ui import address, own_data, words

MOST_LAYERS = cast(Widths, SETTINGS["hidden"]).most_layers
MOST_UNITS = cast(Widths, SETTINGS["hidden"]).most_units

RATE_STEPS = tuple(
    float(f"{digit}e{power}")
    for power in range(-5, 2)
    for digit in (1, 2, 3, 5)
    if digit * 10.0**power <= 10
)
L2_STEPS = (0.0, *(float(f"{d}e{p}") for p in range(-6, 0) for d in (1, 2, 5)), 1.0)
NORM_STEPS = (0.0, *(float(f"{d}e{p}") for p in range(-1, 2) for d in (1, 2, 3, 5)), 100.0)
CLIP_STEPS = (0.0, *(float(f"{d}e{p}") for p in range(-2, 3) for d in (1, 2, 5)), 1000.0)
BATCH_STEPS = tuple(2**power for power in range(11))

MORE = ("patience", "l1", "max_norm", "clip_norm", "label_smoothing")
"""The settings few people look for, in an expander of their own."""

FIRST_EPOCHS, LONG_EPOCHS = 20, RunConfig().epochs
"""Epochs that the form starts with where nothing else is asked for, which teach in a minute, and
those of a link that does not name them, which are one click away."""

_DEFAULT_LAYER = {"units": 128, "activation": "relu"}

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
    info = known_dataset(name)
    if info is not None:
        return dataset_title(name)
    if is_own_name(name):
        return f"{dataset_title(name)} (not here)"
    return TITLES.get(name, name.capitalize())


def show(like: RunConfig | None = None) -> RunConfig | None:
    """Draw the form and return the configuration it makes, or None while it makes none.

    Args:
        like: Where the form starts from if the address carries no configuration; without it, from
            the defaults, but with fewer epochs.
    """
    _prepare(like)
    with st.sidebar:
        _dataset()

        st.subheader("Network", anchor=False)
        _hidden_layers()
        _choice("initializer")

        st.subheader("Learning", anchor=False)
        _choice("optimizer")
        _steps("learning_rate", RATE_STEPS)
        form = _values()
        if form["optimizer"] in ("momentum", "nesterov"):
            _slider("momentum", step=0.01)
        if form["optimizer"] == "adamw":
            _steps("weight_decay", L2_STEPS)
        _steps("batch_size", BATCH_STEPS)
        _epochs()
        _choice("schedule")
        if form["schedule"] == "step":
            _number("decay_every")
            _slider("decay_factor", step=0.01)
        _number("warmup_epochs")

        st.subheader(
            "Regularization",
            anchor=False,
            help="Keeps the network from memorizing the training pictures (overfitting).",
        )
        _steps("l2", L2_STEPS)
        if form["hidden"]:
            _slider("dropout", step=0.01)
        _choice("augmentation")
        with st.expander("More", expanded=_is_more_open(), key=_key("more")):
            _number("patience")
            _steps("l1", L2_STEPS)
            if form["hidden"]:
                _steps("max_norm", NORM_STEPS)
            _steps("clip_norm", CLIP_STEPS)
            _slider("label_smoothing", step=0.01)

        st.subheader("Randomness", anchor=False)
        _number("seed")
        _problems_elsewhere()
    return config()


def config() -> RunConfig | None:
    """Return the configuration that the form makes now, or None if it makes none."""
    try:
        return RunConfig(**_values())
    except ConfigError:
        return None


def set_out_from(given: RunConfig) -> None:
    """Fill the form anew; the controls then start from this configuration."""
    state = st.session_state
    state["form_initial"] = state["form_config"] = given
    # Controls with new keys are new controls: nothing of the old ones lingers in the browser.
    state["form_generation"] = state.get("form_generation", -1) + 1


def copy(given: RunConfig) -> None:
    """Fill the form with a run's configuration; what was wrong in the address is settled."""
    set_out_from(given)
    st.session_state["form_problems"] = {}


def select_dataset(name: str) -> None:
    """Choose a data set in the form and leave the rest; call it before the form is drawn."""
    now: RunConfig = st.session_state["form_config"]
    set_out_from(dataclasses.replace(now, dataset=name))


# State -------------------------------------------------------------------------------------------


def _prepare(like: RunConfig | None) -> None:
    """Read the address at first; go on from what was remembered when the page is opened again."""
    state = st.session_state
    if "form_config" not in state or address.is_restored():
        given, problems = address.read_config()
        if not address.has_config():
            # The link of a run: its settings. Nothing at all: what can be watched to its end.
            given = like or dataclasses.replace(given, epochs=FIRST_EPOCHS)
        set_out_from(given)
        state["form_problems"] = {problem.field: str(problem) for problem in problems}
    elif _key("dataset") not in state:
        set_out_from(state["form_config"])


def _key(name: str) -> str:
    return f"form{st.session_state['form_generation']}_{name}"


def _value(name: str) -> Any:
    """Return what a control says, or what it will start from where it is not shown."""
    return st.session_state.get(_key(name), _initial(name))


def _initial(name: str) -> Any:
    given: RunConfig = st.session_state["form_initial"]
    part, _, number = name.partition(" ")
    if part == "layers":
        return len(given.hidden)
    if part in ("units", "activation"):
        # A layer that is added starts as a copy of the last one.
        values = {"units": given.hidden, "activation": given.activations}[part]
        return values[min(int(number), len(values) - 1)] if values else _DEFAULT_LAYER[part]
    return getattr(given, name)


def _values() -> dict[str, Any]:
    values = {name: _value(name) for name in SETTINGS if name not in ("hidden", "activation")}
    layers = range(_value("layers"))
    values["hidden"] = tuple(_value(f"units {i}") for i in layers)
    values["activation"] = tuple(_value(f"activation {i}") for i in layers) or "relu"
    return values


def remember(made: RunConfig) -> None:
    """Keep the configuration for when this page is left and opened again."""
    st.session_state["form_config"] = made


def _is_more_open() -> bool:
    """Return whether the expander starts open: where it holds something to be seen."""
    key = _key("more_open")
    if key not in st.session_state:  # once: it must not open or close under somebody's hands
        default, problems = RunConfig(), st.session_state["form_problems"]
        st.session_state[key] = any(
            name in problems or _initial(name) != getattr(default, name) for name in MORE
        )
    return bool(st.session_state[key])


# Controls ----------------------------------------------------------------------------------------


def _problem(name: str) -> None:
    """Say what is wrong with a field: in the address, or with what the others say."""
    problems: dict[str, str] = st.session_state["form_problems"]
    if name in problems:
        st.error(f"In the address, {words.plain(problems[name])}", icon=":material/link_off:")
        return
    try:
        RunConfig(**_values())
    except ConfigError as problem:
        if problem.field == name:
            st.error(words.plain(problem), icon=":material/error:")


def _problems_elsewhere() -> None:
    """Say what is wrong in the address with settings that have no control at the moment."""
    for name in st.session_state["form_problems"]:
        if name not in ("hidden", "activation") and _key(name) not in st.session_state:
            _problem(name)


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
        "key": _key(name),
        "on_change": _forget_problem(name),
    }


def _dataset() -> None:
    """The menu of data sets, with the own ones, and beneath it the way to add one."""
    given = _initial("dataset")
    names = list(dict.fromkeys((*dataset_names(), given)))  # also one that has gone
    titles = {name: title(name) for name in names}
    for name in names:
        if is_own_name(name) and list(titles.values()).count(titles[name]) > 1:
            titles[name] += f" ({name[-8:]})"
    st.selectbox(
        options=names,
        index=names.index(given),
        format_func=lambda name: titles.get(name, name),
        **_common("dataset"),
    )
    _problem("dataset")
    own_data.show(_value("dataset"))


def _choice(name: str) -> None:
    setting = cast(Choice, SETTINGS[name])
    index = setting.names.index(_initial(name))
    st.selectbox(options=setting.names, index=index, format_func=title, **_common(name))
    _problem(name)


def _steps(name: str, steps: tuple[float, ...]) -> None:
    """A slider over round values; one from the address that is none of them joins in."""
    value = _initial(name)
    options = sorted({*steps, value})
    st.select_slider(options=options, value=value, format_func=_amount, **_common(name))
    _problem(name)


def _amount(value: float) -> str:
    return f"{value:g}" if value else "off"


def _slider(name: str, step: float) -> None:
    setting = cast(Number, SETTINGS[name])
    st.slider(
        # Streamlit wants all of a slider's numbers to be of one type.
        min_value=float(setting.minimum),
        max_value=float(setting.maximum),
        value=_initial(name),
        step=step,
        **_common(name),
    )
    _problem(name)


def _number(name: str) -> None:
    setting = cast(Whole, SETTINGS[name])
    st.number_input(
        min_value=setting.minimum,
        max_value=setting.maximum,
        value=_initial(name),
        step=1,
        **_common(name),
    )
    _problem(name)


def _epochs() -> None:
    """The number of epochs, and one click between a short training and a long one."""
    _number("epochs")
    other = FIRST_EPOCHS if _value("epochs") == LONG_EPOCHS else LONG_EPOCHS
    st.button(
        f"Set {other:d} epochs",
        type="tertiary",
        icon=":material/fast_forward:" if other > FIRST_EPOCHS else ":material/fast_rewind:",
        key=_key("other_epochs"),
        on_click=_set_epochs,
        args=(other,),
        help=f"{FIRST_EPOCHS:d} epochs show how it learns; {LONG_EPOCHS:d} show what can be "
        "reached, and overfitting.",
    )


def _set_epochs(epochs: int) -> None:
    st.session_state[_key("epochs")] = epochs
    st.session_state["form_problems"].pop("epochs", None)


def _hidden_layers() -> None:
    setting = SETTINGS["hidden"]
    st.slider(
        setting.label,
        0,
        MOST_LAYERS,
        _initial("layers"),
        key=_key("layers"),
        help=setting.help,
        on_change=_forget_problem("hidden"),
    )
    _problem("hidden")
    activation = cast(ChoicePerLayer, SETTINGS["activation"])
    for i in range(_value("layers")):
        # Wide enough for 'Leaky ReLU' and its arrow.
        units, bend = st.columns([4, 5], gap="small", vertical_alignment="bottom")
        units.slider(
            f"Units in layer {i + 1}",
            1,
            MOST_UNITS,
            _initial(f"units {i}"),
            key=_key(f"units {i}"),
            on_change=_forget_problem("hidden"),
        )
        bend.selectbox(
            f"Activation of layer {i + 1}",
            activation.names,
            index=activation.names.index(_initial(f"activation {i}")),
            format_func=title,
            key=_key(f"activation {i}"),
            help=activation.help,
            label_visibility="collapsed",
            on_change=_forget_problem("activation"),
        )
    _problem("activation")
