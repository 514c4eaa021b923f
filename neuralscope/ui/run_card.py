"""One chosen run: its curves and settings, its name, tags and notes, and what can be made of it.

What is typed is kept as soon as the field is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from neuralscope import charts
from neuralscope.errors import StoreError
from neuralscope.runs import QUEUED, SETTINGS, Run, RunConfig
from neuralscope.runs.records import LONGEST_NAME, LONGEST_NOTES
from neuralscope.ui import (
    chart,
    contestants,
    lineage_panel,
    resources,
    run_query,
    sharing,
    unreadable,
    words,
)
from neuralscope.ui.curves import QUANTITIES, points_of
from neuralscope.ui.run_view import BADGES

LOOK_EVERY = 1.0
"""Seconds between two looks at a run that is live."""

ALWAYS_SHOWN = (
    *("dataset", "hidden", "activation", "optimizer", "learning_rate"),
    *("batch_size", "epochs", "seed"),
)
"""Settings that a card shows even at their defaults."""

CURVE_HEIGHT = 260


def show(run: Run, tags: Sequence[str]) -> None:
    """Draw a run.

    Args:
        run: As it stands.
        tags: Those that the runs of the store have, to choose from.
    """
    label, color, icon = BADGES[run.status]
    with st.container(border=True, key="run_card"):
        with st.container(horizontal=True, vertical_alignment="center", key="run_card_head"):
            st.subheader(run_query.title(run), anchor=False, width="content")
            st.badge(label, color=color, icon=icon)
        st.caption(f"ID {run.run_id}")
        if run.message:
            st.caption(words.plain(run.message))
        if run.origin:
            st.caption(words.plain(run.origin))
        every = LOOK_EVERY if run.is_active else None
        st.fragment(_progress, run_every=every)(run.run_id, run.status)
        lineage_panel.show(run)
        _words(run, tags)
        sharing.show_export(run)


def _progress(run_id: str, status: str) -> None:
    """Draw how far a run has come, its curves and its settings; what a fragment repeats."""
    store = resources.store()
    try:
        run = store.run(run_id)
        epochs = store.epochs(run_id)
    except StoreError:
        st.rerun()  # it is gone: the page decides what to show
    if run.status != status:
        st.rerun()  # what stands around this depends on it
    st.markdown(words.plain(_standing(run)))
    curves, settings = st.columns([3, 1])
    with settings:
        _settings(run.config)
    with curves:
        unreadable.tell_rows(store.count_unreadable_rows(run_id))
        if not len(epochs.epoch):
            st.caption("There are no curves yet.")
            return
        for place, quantity in zip(st.columns(2), reversed(QUANTITIES), strict=True):
            parent = store.epochs(run.parent_id) if run.is_fork and run.parent_id else None
            figure = charts.learning_curves(
                points_of(epochs, quantity),
                parent=points_of(parent, quantity) if parent and len(parent.epoch) else None,
                quantity=quantity,
                moving=run.is_active,
                height=CURVE_HEIGHT,
            )
            with place:
                what = f"{quantity.capitalize()} of the run"
                chart.draw(figure, what, key=f"card_{quantity}", of=run)


def _standing(run: Run) -> str:
    """Say in a line how far a run has come, and how good it is."""
    said = [f"Epoch {run.epoch:,} of {run.config.epochs:,}"]
    if run.status == QUEUED:
        said = [lineage_panel.wait_words(resources.store(), run).capitalize()]
    if run.best_epoch is not None:
        best = words.percent(run.best_validation_accuracy)
        said.append(f"best validation accuracy {best} in epoch {run.best_epoch:,}")
    if run.test_accuracy is not None:
        said.append(f"test accuracy {words.percent(run.test_accuracy)}")
    if run.seconds:
        said.append(f"trained for {words.duration(run.seconds)}")
    return " · ".join(said)


def _settings(config: RunConfig) -> None:
    """List the main settings and all that are not at their defaults."""
    default = RunConfig()
    used = [name for name in SETTINGS if config.uses(name)]
    shown = [
        name
        for name in used
        if name in ALWAYS_SHOWN or getattr(config, name) != getattr(default, name)
    ]
    lines = []
    for name in shown:
        setting = SETTINGS[name]
        lines.append(f"{setting.label}: **{words.plain(_value(config, name))}**")
    st.markdown("  \n".join(lines))
    if len(shown) < len(used):
        st.caption("All other settings are at their defaults.")


def _value(config: RunConfig, name: str) -> str:
    return contestants.value_words(name, getattr(config, name))


def _words(run: Run, tags: Sequence[str]) -> None:
    store, run_id = resources.store(), run.run_id
    with st.container(horizontal=True, key="run_card_words"):
        name = _kept_at("name", run_id, run.name)
        st.text_input(
            "Name",
            key=name,
            max_chars=LONGEST_NAME,
            on_change=_keep,
            args=(store.rename, run_id, name),
            width=420,
        )
        labels = _kept_at("tags", run_id, list(run.tags))
        st.multiselect(
            "Tags",
            sorted({*tags, *run.tags}),
            key=labels,
            accept_new_options=True,
            on_change=_keep,
            args=(store.set_tags, run_id, labels),
            placeholder="Choose tags, or type new ones",
            width=420,
        )
    notes = _kept_at("notes", run_id, run.notes)
    st.text_area(
        "Notes",
        key=notes,
        max_chars=LONGEST_NOTES,
        on_change=_keep,
        args=(store.set_notes, run_id, notes),
        placeholder="What was tried, and what came of it.",
    )
    if problem := st.session_state.pop("run_card_problem", None):
        st.error(words.plain(problem), icon=":material/error:")


def _kept_at(field: str, run_id: str, value: Any) -> str:
    """Return the key of a field, which is filled with what the store holds if that has changed."""
    key = f"run_{field}_{run_id}"
    known = f"{key}_known"
    if key not in st.session_state or st.session_state.get(known) != value:
        st.session_state[key] = value
        st.session_state[known] = value
    return key


def _keep(write: Callable[[str, Any], None], run_id: str, key: str) -> None:
    try:
        write(run_id, st.session_state[key])
    except StoreError as error:
        st.session_state["run_card_problem"] = str(error)
        st.session_state.pop(f"{key}_known", None)  # back to what the store holds
