"""Adding a data set of one's own in the sidebar, and deleting it again.

Reading and checking a large file takes seconds, so it is done in the background; the form goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import streamlit as st

from neuralscope.data import add_dataset, is_own_name, known_dataset, remove_dataset
from neuralscope.errors import DataError
from neuralscope.ui import words

MOST_MEGABYTES = 20
"""Size of an upload; larger files are added on the command line, by their path."""

WHAT = """\
**What it takes.** Grey pictures of up to 64 × 64 pixels in 2 to 100 classes, at least 5 of each.

- **.npz** with `x` and `y`, or `x_train`, `y_train`, `x_test`, `y_test`
- **CSV**, a row for each picture: its label and its pixels; the label may be a word
- **IDX**, as MNIST is published: the file of the pictures together with that of the labels

Any of them may be packed (.gz). Pixels are whole numbers from 0 (paper) to 255 (ink), or fractions
from 0 to 1. Where a row of pixels is no square, its shape stands in the file's name:
`signs-12x20.csv`. Without test data in the file, every fifth picture of each class is kept for
the test, and a tenth for validation. Larger files come in through the terminal:
`python -m neuralscope train --dataset FILE`.
"""


def show(chosen: str) -> None:
    """Draw the expander beneath the menu of data sets.

    Args:
        chosen: The data set that the menu says.
    """
    state = st.session_state
    busy: Future[str] | None = state.get("own_data_adding")
    problem: str = state.get("own_data_problem", "")
    with st.expander(
        "Your own data", icon=":material/upload_file:", expanded=bool(busy or problem)
    ):
        files = st.file_uploader(
            "Files of one data set",
            accept_multiple_files=True,
            key=_key("files"),
            max_upload_size=MOST_MEGABYTES,
            help=WHAT,
        )
        st.text_input("Name", key=_key("name"), max_chars=60, placeholder="the name of the file")
        st.button(
            "Add",
            icon=":material/add:",
            key="own_data_add",
            disabled=not files or busy is not None,
            on_click=_add,
            help="Checks the data and keeps it on this computer, for all runs to come.",
        )
        if busy is not None:
            _watch()
        if problem:
            st.error(words.plain(problem), icon=":material/error:")
        if is_own_name(chosen) and (info := known_dataset(chosen)) is not None:
            st.caption(f"**{words.plain(info.title)}**: {words.plain(info.description)}")
            st.button(
                "Delete this data set",
                icon=":material/delete:",
                key="own_data_delete",
                type="tertiary",
                on_click=_delete,
                args=(chosen,),
                help="Runs that were trained on it stay, but without its pictures. "
                "The file it came from is not touched.",
            )


def _key(name: str) -> str:
    """A new generation of controls is empty: the only way to empty an uploader."""
    return f"own_data{st.session_state.get('own_data_generation', 0)}_{name}"


@st.cache_resource(show_spinner=False)
def _background() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="own-data")


def _add() -> None:
    state = st.session_state
    contents: Mapping[str, bytes] = {each.name: each.getvalue() for each in state[_key("files")]}
    name = state[_key("name")].strip() or None
    state["own_data_problem"] = ""
    state["own_data_adding"] = _background().submit(add_dataset, contents, name)


@st.fragment(run_every=0.25)
def _watch() -> None:
    """Wait for the check to end; then the whole page is drawn anew."""
    state = st.session_state
    busy: Future[str] | None = state.get("own_data_adding")
    if busy is None:
        return
    if not busy.done():
        st.caption("Checking the data.")
        return
    del state["own_data_adding"]
    try:
        state["data_wanted"] = state["data_added"] = busy.result()
        state["own_data_generation"] = state.get("own_data_generation", 0) + 1
    except DataError as error:
        state["own_data_problem"] = str(error)
    st.rerun()


def _delete(name: str) -> None:
    try:
        remove_dataset(name)
    except DataError as error:
        st.session_state["own_data_problem"] = str(error)
    else:
        st.session_state["data_fallback"] = True
