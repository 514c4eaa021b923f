"""Fetching a data set on the screen, or saying why it is not available and how to bring it."""

from __future__ import annotations

import streamlit as st

from neuralscope.data import dataset_info, is_cached, known_dataset
from neuralscope.data.missing import how_to_bring, stand_in
from neuralscope.errors import NeuralScopeError
from neuralscope.ui import config_form, resources, words


def is_ready(name: str) -> bool:
    """Return whether a data set can be trained on at once."""
    return is_cached(name)


def show(name: str) -> bool:
    """Show what stands between the user and this data set; return whether nothing does.

    On the first start MNIST is fetched by itself. If a data set is not available, the form goes
    over to digits that are here, and the notice stays with the offer to try again.
    """
    info = known_dataset(name)
    if info is None:
        try:
            dataset_info(name)
        except NeuralScopeError as error:
            st.warning(words.plain(str(error)), icon=":material/folder_off:")
        return False
    come = {st.session_state.pop(key, None) for key in ("data_fetched", "data_added")}
    if name in come:
        st.toast(f"{words.plain(info.title)} is ready.", icon=":material/check_circle:")
    if not is_ready(name):
        progress = resources.fetches().get(name).progress()
        if progress.phase == "done" or is_ready(name):
            return True
        if progress.phase != "failed":
            _watch_fetch(name)
            return False
        if st.session_state.get("data_missing") != name:
            st.session_state["data_missing"] = name
            st.session_state["data_fallback"] = True
            st.rerun()
    missing = st.session_state.get("data_missing")
    if missing:
        _say_missing(missing, using=name)
    return is_ready(name)


def before_form() -> None:
    """Go over to digits that are here if a data set has just turned out not to be available."""
    if st.session_state.pop("data_fallback", False):
        config_form.select_dataset(stand_in(st.session_state.get("data_missing", "")))
    wanted = st.session_state.pop("data_wanted", None)
    if wanted:
        config_form.select_dataset(wanted)


def _say_missing(missing: str, *, using: str) -> None:
    if is_ready(missing):
        del st.session_state["data_missing"]
        return
    reason = resources.fetches().get(missing).progress().message
    instead = "" if using == missing else f" Using {_named(using)} instead."
    with st.container(horizontal=True, vertical_alignment="center", key="data_missing_notice"):
        st.warning(f"{words.plain(reason)}{instead}", icon=":material/cloud_off:")
        st.button("Try again", icon=":material/refresh:", on_click=_try_again, args=(missing,))
    st.caption(words.plain(how_to_bring(missing)))


def _named(dataset: str) -> str:
    info = known_dataset(dataset)
    if dataset == "digits" or info is None:
        return "the built-in 8×8 digits"
    return words.plain(info.title)


def _try_again(name: str) -> None:
    resources.fetches().again(name)
    st.session_state.pop("data_missing", None)
    st.session_state["data_wanted"] = name


@st.fragment(run_every=0.5)
def _watch_fetch(name: str) -> None:
    progress = resources.fetches().get(name).progress()
    if progress.phase in ("done", "failed"):
        if progress.phase == "done":
            st.session_state["data_fetched"] = name
        st.rerun()
    with st.container(border=True):
        st.markdown(
            f"**Getting {words.plain(dataset_info(name).title)} ready.** "
            f"{words.plain(progress.message)}"
        )
        share = 0.0
        if progress.bytes_expected:
            share = min(progress.bytes_received / progress.bytes_expected, 1.0)
        megabytes = f", {progress.bytes_received / 1e6:.1f} MB" if progress.bytes_received else ""
        st.progress(share, text=f"{progress.seconds:.0f} s{megabytes}")
        st.caption(
            "This happens once; afterwards it loads in a moment. You need not wait: the built-in "
            "digits can be chosen in the sidebar."
        )
