"""One chosen run: what it is called, tagged and noted, and how it goes on or out of the house.

What is typed is kept as soon as the field is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from neuralscope.errors import StoreError
from neuralscope.runs import Run
from neuralscope.runs.store import LONGEST_NAME, LONGEST_NOTES
from neuralscope.ui import lineage_panel, resources, run_query, sharing, words
from neuralscope.ui.run_view import BADGES


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
        if run.message:
            st.caption(words.plain(run.message))
        if run.origin:
            st.caption(words.plain(run.origin))
        _words(run, tags)
        st.caption(f"`{run.run_id}`")
        sharing.show_export(run)
        lineage_panel.show(run)


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
