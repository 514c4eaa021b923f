"""Where a run comes from, and what may come of it: going on, branching off, training it again.

It stands in the fragment of a run on the Train page, and in the card of a chosen run on the Runs
page. What is started is then the run that this session looks at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from neuralscope.errors import NeuralScopeError, RunNotFound, StoreError
from neuralscope.runs import (
    FINISHED,
    SETTINGS,
    Run,
    RunConfig,
    SnapshotInfo,
    Store,
    lineage,
    list_snapshots,
    when,
)
from neuralscope.runs.launcher import start_trainer
from neuralscope.runs.settings import Choice
from neuralscope.ui import frame, resources, run_picker
from neuralscope.ui.words import plain

USUALLY_CHANGED = ["learning_rate"]

_STARTED, _PROBLEM = "lineage_started", "lineage_problem"


def show(run: Run) -> None:
    """Draw what a run was made from and, once it has ended, what can be made of it."""
    state = st.session_state
    if state.pop(_STARTED, None):
        st.rerun()  # all of the page: this may be drawn in a fragment of it
    store = resources.store()
    _tell_origin(store, run)
    if not run.is_active:
        more = max(run.epoch, run.config.epochs) + 1
        reason = lineage.can_resume(run, more if run.status == FINISHED else None)
        with st.container(horizontal=True, key="lineage"):
            if not reason:
                _offer_to_resume(run, more)
            _offer_to_fork(store, run)
            st.button(
                "Train again",
                icon=":material/verified:",
                key=f"reproduce_{run.run_id}",
                on_click=_start,
                args=(_reproduce, run.run_id),
                help="Trains it once more from its configuration, and says whether the same bits "
                "come out.",
            )
        if reason:
            st.caption(plain(reason))
    told_of, problem = state.pop(_PROBLEM, ("", ""))
    if told_of == run.run_id:
        st.error(plain(problem), icon=":material/error:")


# Where it comes from -----------------------------------------------------------------------------


def _tell_origin(store: Store, run: Run) -> None:
    if run.parent_id is None:
        return
    try:
        parent = store.run(run.parent_id)
    except StoreError:
        parent = None
    name = "a run that is gone" if parent is None else f"**{plain(parent.name)}**"
    with st.container(horizontal=True, vertical_alignment="center", key="origin"):
        if run.is_fork:
            st.markdown(
                f"Forked from {name} after epoch {run.parent_epoch:,}, whose curve is dashed.",
                width="content",
            )
        else:
            st.markdown(f"Trains {name} once more.", width="content")
        if parent is not None:
            frame.link(
                "Train", "Show it", icon=":material/fork_right:", query={"run": parent.run_id}
            )
    if parent is not None and not run.is_fork and not run.is_active:
        verdict = _verdict(store, parent.run_id, run.run_id, (parent.ended, run.ended))
        if verdict.is_identical:
            st.success(plain(verdict.text), icon=":material/verified:")
        else:
            st.warning(plain(verdict.text), icon=":material/difference:")


@st.cache_resource(show_spinner=False, max_entries=20)
def _verdict(
    _store: Store, original: str, again: str, ended: tuple[float | None, float | None]
) -> lineage.Verdict:
    """Compare two runs; once for as long as neither of them has gone on."""
    return lineage.verdict(_store, original, again)


# Going on ----------------------------------------------------------------------------------------


def _offer_to_resume(run: Run, more: int) -> None:
    key = f"resume_{run.run_id}"
    if run.status != FINISHED:
        st.button(
            "Resume",
            icon=":material/play_arrow:",
            key=key,
            on_click=_start,
            args=(_resume, run.run_id, None),
            help=f"Goes on after epoch {run.epoch:,}, up to epoch {run.config.epochs:,}, and ends "
            "in the same bits as if it had never stopped.",
        )
        return
    largest = SETTINGS["epochs"].maximum  # type: ignore[attr-defined]
    with st.popover("Add epochs", icon=":material/playlist_add:", key=f"{key}_more"):
        epochs = st.number_input(
            "Epochs in the end",
            min_value=more,
            max_value=largest,
            value=min(2 * more - 2, largest),
            key=f"{key}_epochs",
            help="A schedule that falls towards the last epoch falls towards the new one from now "
            "on.",
        )
        st.button(
            f"Go on to epoch {epochs:,}",
            type="primary",
            key=key,
            on_click=_start,
            args=(_resume, run.run_id, epochs),
        )


def _resume(store: Store, run_id: str, epochs: int | None) -> str:
    lineage.resume(store, run_id, epochs=epochs)
    return run_id


def _reproduce(store: Store, run_id: str) -> str:
    return lineage.reproduce(store, run_id)


# Branching off -----------------------------------------------------------------------------------


def _offer_to_fork(store: Store, run: Run) -> None:
    snapshots = [info for info in list_snapshots(store, run.run_id) if info.epoch or info.step]
    key = f"fork_{run.run_id}"
    popover = st.popover(
        "Fork",
        icon=":material/fork_right:",
        disabled=not snapshots,
        key=key,
        help="Begins a new run with the weights that this one had at some moment, and other "
        "settings from there on.",
    )
    if not snapshots:
        return
    with popover:
        place = st.selectbox(
            "From",
            range(len(snapshots)),
            index=len(snapshots) - 1,
            format_func=lambda i: when(run, snapshots[i]),
            key=f"{key}_from",
        )
        changed = st.multiselect(
            "Change",
            lineage.FORK_FIELDS,
            default=USUALLY_CHANGED,
            format_func=lambda name: SETTINGS[name].label,
            key=f"{key}_fields",
            help="Layers, activations, data and seed stay as they are: with others it would be "
            "another network.",
        )
        if snapshots[place].epoch >= run.config.epochs and "epochs" not in changed:
            changed = ["epochs", *changed]  # none would be left to train
        for name in changed:
            _setting(name, run, f"{key}_{name}", snapshots[place])
        st.button(
            "Start the fork",
            type="primary",
            key=f"{key}_start",
            on_click=_start,
            args=(_fork, run.run_id, snapshots[place], tuple(changed)),
        )


def _setting(name: str, run: Run, key: str, snapshot: SnapshotInfo) -> None:
    setting, value = SETTINGS[name], getattr(run.config, name)
    label = f"{setting.label} of the fork"  # the sidebar has one of the bare name
    if isinstance(setting, Choice):
        names = list(setting.names)
        st.selectbox(label, names, index=names.index(value), key=key, help=setting.help)
        return
    if name == "epochs" and snapshot.epoch >= value:
        value = 2 * snapshot.epoch
    text = f"{value:g}" if isinstance(value, float) else setting.text(value)
    st.text_input(label, text, key=key, help=f"{setting.help} It is {setting.allowed}.")


def _fork(store: Store, run_id: str, snapshot: SnapshotInfo, changed: tuple[str, ...]) -> str:
    config = store.run(run_id).config
    return lineage.fork(store, run_id, snapshot, _changed(config, run_id, changed))


def _changed(config: RunConfig, run_id: str, changed: tuple[str, ...]) -> RunConfig:
    """Return the configuration with what was typed. Raises ConfigError."""
    typed = {name: str(st.session_state[f"fork_{run_id}_{name}"]) for name in changed}
    return replace(
        config, **{name: SETTINGS[name].parse(name, text) for name, text in typed.items()}
    )


# Starting ----------------------------------------------------------------------------------------


def _start(make: Callable[..., str], run_id: str, *arguments: object) -> None:
    """Have a run queued, start a trainer for it, and turn to it; or keep the reason why not."""
    store = resources.store()
    try:
        new = make(store, run_id, *arguments)
        start_trainer(store, new)
    except RunNotFound:
        return  # the page says so
    except NeuralScopeError as error:
        st.session_state[_PROBLEM] = (run_id, str(error))
        return
    run_picker.look_at(new)
    st.session_state[_STARTED] = True
