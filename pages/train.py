"""Train a network and watch it learn."""

from __future__ import annotations

import streamlit as st

from neuralscope.errors import NeuralScopeError
from neuralscope.runs import launch
from neuralscope.ui import (
    address,
    config_form,
    data_notice,
    frame,
    preview,
    resources,
    run_picker,
    run_view,
    words,
)


def start() -> None:
    """Start what the form says, and turn to it."""
    config = config_form.config()
    if config is None:
        return
    try:
        run_picker.look_at(launch(resources.store(), config))
    except NeuralScopeError as error:
        st.session_state["start_problem"] = str(error)


with frame.page("Train", "A network in plain NumPy learns to see, before your eyes."):
    data_notice.before_form()
    run = run_picker.pick()
    config = config_form.show(like=run.config if run else None)
    address.write(config, run.run_id if run else None)

    ready = config is not None and data_notice.show(config.dataset)
    with st.container(horizontal=True, vertical_alignment="center", key="start"):
        st.button(
            "Start training",
            icon=":material/play_arrow:",
            type="secondary" if run and run.is_active else "primary",
            disabled=not ready,
            on_click=start,
            help="Trains what the sidebar says, as a new run.",
        )
        run_picker.menu(run)
    if config is not None and run is not None:
        preview.show_next(config, run)
    if problem := st.session_state.pop("start_problem", None):
        st.error(words.plain(problem), icon=":material/error:")

    if run is not None:
        run_view.show(run)
    elif config is not None:
        preview.show(config)
    if config is not None:
        config_form.remember(config)
