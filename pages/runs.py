"""All runs: find, name, compare, share and delete them."""

from __future__ import annotations

import streamlit as st

from neuralscope.runs.listing import is_any, newest
from neuralscope.ui import (
    address,
    compare,
    frame,
    race,
    resources,
    run_list,
    run_picker,
    run_query,
    run_table,
    run_trash,
    sharing,
    words,
)


def comparison() -> None:
    """Choose among the runs, and draw them over each other."""
    if not is_any(resources.store()):
        run_list.invite()
        return
    runs = run_list.chosen()
    labels = run_picker.labels([*runs, *newest(resources.store(), run_picker.MOST_SHOWN)])
    st.multiselect(
        "Runs",
        list(labels),
        key=run_query.key("runs"),
        format_func=labels.__getitem__,
        placeholder="Choose two or more",
        on_change=run_table.forget,
        persist_state="session",
    )
    compare.show(runs)


with frame.page("Runs", "All your runs: find, compare, continue, share."):
    for problem in run_query.take_up(is_new=frame.is_entered()):
        st.warning(words.plain(problem), icon=":material/search_off:")
    if address.is_restored():
        run_table.forget()  # other rows may be ticked than when it was drawn last
    if frame.is_entered():
        run_trash.clear_forgotten()
    with st.container(horizontal=True, vertical_alignment="center", key="runs_view_row"):
        st.segmented_control(
            "View",
            list(run_query.VIEWS),
            key=run_query.key("view"),
            format_func=run_query.VIEWS.__getitem__,
            required=True,
            label_visibility="collapsed",
            persist_state="session",
        )
        with st.popover("Import", icon=":material/upload:", key="runs_import"):
            sharing.show_import()
    match run_query.get("view"):
        case "compare":
            comparison()
        case "race":
            race.show()
        case _:
            run_list.show()
    run_query.write()
