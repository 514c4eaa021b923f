"""Where a run comes from, how to continue, fork or reproduce it, and how those runs are doing.

The panel stands in the fragment of a run on the Train page, and in the card of a selected run on
the Runs page. A run that is started here becomes the one that the session looks at; its progress is
shown here too, where it was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import streamlit as st

from neuralscope.errors import NeuralScopeError, RunNotFound, RunUnreadable, StoreError
from neuralscope.runs import (
    FAILED,
    FINISHED,
    LATEST,
    PAUSED,
    QUEUED,
    RUNNING,
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
from neuralscope.runs.names import describe_change
from neuralscope.runs.settings import Choice
from neuralscope.runs.store import slots
from neuralscope.ui import failures, frame, resources, run_picker
from neuralscope.ui.words import percent, plain

USUALLY_CHANGED = ["learning_rate"]

LOOK_EVERY = 1.0
"""Seconds between two looks at live runs that were made from this one."""

MOST_TOLD = 5
"""Runs made from this one that are told of, the newest first."""

TRAIN = frame.PAGES[0]

_TURNED, _PROBLEM = "lineage_turned", "lineage_problem"


def show(run: Run) -> None:
    """Draw what a run was made from, what can be made of it once it has ended, and what was."""
    state = st.session_state
    if state.pop(_TURNED, None):
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
                "Reproduce",
                icon=":material/verified:",
                key=f"reproduce_{run.run_id}",
                on_click=_start,
                args=(_reproduce, run.run_id),
                help="Trains the same configuration again and checks that the result is identical "
                "to the bit.",
            )
        if reason:
            st.caption(plain(reason))
    told_of, problem = state.pop(_PROBLEM, ("", ""))
    if told_of == run.run_id:
        st.error(plain(problem), icon=":material/error:")
    _offspring(store, run)


# Where it comes from -----------------------------------------------------------------------------


def _tell_origin(store: Store, run: Run) -> None:
    if run.parent_id is None:
        return
    parent = None
    try:
        parent = store.run(run.parent_id)
        name = f"**{plain(parent.name)}**"
    except RunNotFound:
        name = "a run that has been deleted"
    except RunUnreadable:
        name = "a run that cannot be read"
    with st.container(horizontal=True, vertical_alignment="center", key="origin"):
        if run.is_fork:
            st.markdown(
                f"Forked from {name} after epoch {run.parent_epoch:,}, whose curve is dashed.",
                width="content",
            )
        else:
            st.markdown(f"A repeat of {name}.", width="content")
        if parent is not None:
            _link(parent, "Show the original")
    if parent is not None and not run.is_fork and not run.is_active:
        _tell_verdict(store, parent, run)


def _link(run: Run, text: str) -> None:
    icon = ":material/arrow_forward:"
    if st.session_state.get("page_seen") != TRAIN:
        frame.link(TRAIN, text, icon=icon, query={"run": run.run_id})
        return
    # A link to the page that it stands on would change nothing but the address.
    st.button(
        text,
        icon=icon,
        type="tertiary",
        key=f"turn_to_{run.run_id}_{text}",  # a damaged run may be its own parent, or its child's
        on_click=_turn_to,
        args=(run.run_id,),
    )


def _turn_to(run_id: str) -> None:
    run_picker.look_at(run_id)
    st.session_state[_TURNED] = True


def _tell_verdict(store: Store, original: Run, again: Run, beginning: str = "") -> None:
    """Say whether a run has come out again, after the beginning of the sentence."""
    with failures.shown():
        ended = (original.ended, again.ended)
        verdict = _verdict(store, original.run_id, again.run_id, ended)
        text = verdict.text
        if beginning:
            text = f"{beginning}: {text[:1].lower()}{text[1:]}"
        if verdict.is_identical:
            st.success(plain(text), icon=":material/verified:")
        else:
            st.warning(plain(text), icon=":material/difference:")


@st.cache_resource(show_spinner=False, max_entries=20)
def _verdict(
    _store: Store, original: str, again: str, ended: tuple[float | None, float | None]
) -> lineage.Verdict:
    """Compare two runs; once for as long as neither of them has gone on."""
    return lineage.verdict(_store, original, again)


# What came of it ---------------------------------------------------------------------------------


def _offspring(store: Store, run: Run) -> None:
    made, _ = lineage.offspring(store, run.run_id, MOST_TOLD)
    if made:
        live = _live(made)
        st.fragment(_follow, run_every=LOOK_EVERY if live else None)(run.run_id, live)


def _live(runs: Sequence[Run]) -> tuple[str, ...]:
    return tuple(run.run_id for run in runs if run.is_active)


def _follow(run_id: str, were_live: tuple[str, ...]) -> None:
    """Tell how the runs fare that were made from this one; what a fragment repeats."""
    if st.session_state.pop(_TURNED, None):
        st.rerun()
    store = resources.store()
    try:
        run = store.run(run_id)
        made, n_made = lineage.offspring(store, run_id, MOST_TOLD)
    except StoreError:
        st.rerun()  # it is gone: the page decides what to show
    if _live(made) != were_live:
        st.rerun()  # one has ended, or begun: another pace, another fragment
    for child in made:
        told, link = st.columns([4, 1], vertical_alignment="center")
        with told:
            _tell_of(store, run, child)
        with link:
            _link(child, "Show this run")
    if n_made > len(made):
        st.caption(f"And {n_made - len(made):,} more, made earlier from this run.")


def _tell_of(store: Store, run: Run, child: Run) -> None:
    what = "Reproduction"
    if child.is_fork:
        change = describe_change(run.config, child.config)
        what = f"Fork at epoch {child.parent_epoch:,}" + (f" ({change})" if change else "")
    if child.status == QUEUED:
        st.info(plain(f"{what}: {wait_words(store, child)}."), icon=":material/hourglass_empty:")
    elif child.is_active:
        verb = "paused at" if child.status == PAUSED else "running,"
        done = f"epoch {child.epoch:,} of {child.config.epochs:,}"
        st.info(plain(f"{what}: {verb} {done}."), icon=":material/directions_run:")
    elif child.status == FAILED:
        st.error(plain(f"{what}: failed. {child.message}"), icon=":material/error:")
    elif child.is_fork:
        best = f", best validation accuracy {percent(child.best_validation_accuracy)}"
        said = f"{what}: {child.status}{best if child.best_epoch else ''}."
        st.info(plain(said), icon=":material/fork_right:")
    else:
        ending = "" if child.status == FINISHED else f" ({child.status})"
        _tell_verdict(store, run, child, f"{what}{ending}")


def wait_words(store: Store, run: Run) -> str:
    """Say what a queued run waits for: 'starting', or 'number 2 in the queue'."""
    place = store.place_in_queue(run.run_id)
    n_running = sum(each.status == RUNNING for each in store.active_runs())
    return "starting" if place <= slots() - n_running else f"number {place} in the queue"


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
            help=f"Continues after epoch {run.epoch:,} up to epoch {run.config.epochs:,}. The "
            "result is identical to the bit to a run that was never stopped.",
        )
        return
    largest = SETTINGS["epochs"].maximum  # type: ignore[attr-defined]
    with st.popover("Add epochs", icon=":material/playlist_add:", key=f"{key}_more"):
        epochs = st.number_input(
            "Total epochs",
            min_value=more,
            max_value=largest,
            value=min(2 * more - 2, largest),
            key=f"{key}_epochs",
            help="A schedule that decays toward the last epoch decays toward the new one from now "
            "on.",
        )
        st.button(
            f"Continue to epoch {epochs:,}",
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
        help="Starts a new run from the weights that this one had at some epoch, with other "
        "settings from there on.",
    )
    if not snapshots:
        return
    with popover:
        shown = run_picker.epoch_seen(run.run_id)
        place = st.selectbox(
            "From",
            range(len(snapshots)),
            index=nearest(snapshots, shown),
            format_func=lambda i: when(run, snapshots[i]),
            key=f"{key}_from_{shown}",  # another epoch shown, another menu, which begins there
        )
        if shown is not None and place == nearest(snapshots, shown):
            st.caption(_tell_start(run, snapshots[place], shown))
        changed = st.multiselect(
            "Change",
            lineage.FORK_FIELDS,
            default=USUALLY_CHANGED,
            format_func=lambda name: SETTINGS[name].label,
            key=f"{key}_fields",
            help="Layers, activations, data and seed cannot change: that would be another network.",
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


def nearest(snapshots: Sequence[SnapshotInfo], epoch: int | None) -> int:
    """Return which snapshot is nearest to the end of an epoch, the last one for None."""
    if epoch is None:
        return len(snapshots) - 1
    return min(
        range(len(snapshots)),
        key=lambda i: (abs(snapshots[i].epoch - epoch), snapshots[i].name == LATEST),
    )


def _tell_start(run: Run, start: SnapshotInfo, shown: int) -> str:
    if start.epoch == shown:
        return "This is the epoch shown."
    return f"Epoch {shown:,} cannot be forked; {when(run, start)} is the nearest that can."


def _setting(name: str, run: Run, key: str, snapshot: SnapshotInfo) -> None:
    setting, value = SETTINGS[name], getattr(run.config, name)
    label = f"{setting.label} of the fork"  # the sidebar has one of the bare name
    if isinstance(setting, Choice):
        names = list(setting.names)
        st.selectbox(label, names, index=names.index(value), key=key, help=setting.help)
        return
    if name == "epochs" and snapshot.epoch >= value:
        value = min(2 * snapshot.epoch, setting.maximum)  # type: ignore[attr-defined]
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
    st.session_state[_TURNED] = True
