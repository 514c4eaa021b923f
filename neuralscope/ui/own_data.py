"""Adding a data set of one's own in the sidebar, and deleting it again.

    files ──> check, in the background ──> what was found, a picture of each class ──> Add
                       │                                  ▲
                       └── which column is the label? ────┘

Reading and checking a large file takes seconds; the form goes on meanwhile. A session keeps only
what it shows of the pictures, a few of what may be a hundred thousand: to be added, the files are
read once more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st

from neuralscope import charts
from neuralscope.data import is_own_name, known_dataset, remove_dataset
from neuralscope.data.own import keep_pictures
from neuralscope.data.own_files.orientation import AS_IS, ORIENTATIONS
from neuralscope.data.own_files.reading import Pictures, read_files
from neuralscope.errors import NeuralScopeError, UnclearLabel
from neuralscope.ui import failures, words

MOST_MEGABYTES = 20
"""Size of an upload; larger files are added on the command line, by their path."""

MOST_CLASSES_SHOWN = 20
TILE = 58
"""Pixels of a picture on the screen: three stand side by side in the sidebar."""

LONGEST_CAPTION = 7

WHAT = """\
**What it takes.** Gray pictures of up to 64 × 64 pixels in 2 to 100 classes, at least 5 of each.

- **.npz** with `x` and `y`, or `x_train`, `y_train`, `x_test`, `y_test`
- **CSV**, a row for each picture: its label and its pixels; the label may be a word, and an index
  is left out
- **IDX**, as MNIST is published: the file of the pictures together with that of the labels

Any of them may be packed (.gz). Pixels are whole numbers from 0 (paper) to 255 (ink), or fractions
from 0 to 1. Where a row of pixels is not a square, its shape stands in the file's name:
`signs-12x20.csv`. Without test data in the file, every fifth picture of each class is kept for
the test, and a tenth for validation. Larger files come in through the terminal:
`python -m neuralscope train --dataset FILE`.
"""

TURNS = {
    AS_IS: "As they are",
    "transpose": "Transposed (EMNIST)",
    "left": "Turned left",
    "right": "Turned right",
    "upside-down": "Upside down",
}


@dataclass(frozen=True)
class _Checked:
    """What came of reading files.

    Attributes:
        pictures: What they hold, as it was read, with the first picture of each class that is
            shown; None if they cannot be used, or not yet.
        n_pictures: How many they hold.
        is_dark_on_light: Whether the pictures show dark ink on light paper.
        columns: Number and description of the columns that may be the label, where that is unclear.
        problem: Why they cannot be used, in a sentence; empty where only the label is unclear.
    """

    pictures: Pictures | None = None
    n_pictures: int = 0
    is_dark_on_light: bool = False
    columns: tuple[tuple[int, str], ...] = ()
    problem: str = ""


def show(chosen: str) -> None:
    """Draw the expander beneath the menu of data sets.

    Args:
        chosen: The data set that the menu says.
    """
    state = st.session_state
    problem: str = state.get("own_data_problem", "")
    is_open = bool(state.get(_key("files")) or problem or "own_data_adding" in state)
    with st.expander("Your own data", icon=":material/upload_file:", expanded=is_open):
        files = st.file_uploader(
            "Files of one data set",
            accept_multiple_files=True,
            key=_key("files"),
            max_upload_size=MOST_MEGABYTES,
            help=WHAT,
        )
        checked = _checked(files)
        if checked is not None and checked.problem:
            st.error(words.plain(checked.problem), icon=":material/error:")
        orientation, invert = AS_IS, False
        if checked is not None and checked.pictures is not None:
            orientation, invert = _show_found(
                checked.pictures, checked.n_pictures, checked.is_dark_on_light
            )
        st.text_input("Name", key=_key("name"), max_chars=60, placeholder="the name of the file")
        pictures = checked.pictures if checked is not None else None
        st.button(
            "Add",
            icon=":material/add:",
            key="own_data_add",
            disabled=pictures is None or "own_data_adding" in state,
            on_click=_add,
            args=(files, orientation, invert),
            help="Keeps the data on this computer, for all runs to come.",
        )
        if "own_data_checking" in state or "own_data_adding" in state:
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


# Checking ----------------------------------------------------------------------------------------


@st.cache_resource(show_spinner=False)
def _background() -> failures.Background:
    return failures.Background("own-data")


def _checked(files: Sequence[Any]) -> _Checked | None:
    """Return what came of the files, or None while they are read or if there are none.

    Other files, or another answer to the question for the label, start a check of their own.
    """
    state = st.session_state
    uploads = tuple((each.name, each.file_id) for each in files)
    if state.get("own_data_uploads", ()) != uploads:
        state["own_data_uploads"] = uploads
        state["own_data_number"] = state.get("own_data_number", 0) + 1
        state["own_data_problem"] = ""
        state.pop("own_data_columns", None)
        _start_check(files, None)
    columns: dict[int, str] = state.get("own_data_columns", {})
    if columns:
        st.info("More than one column can be the label.", icon=":material/help:")
        label_column = st.selectbox(
            "Label column",
            options=list(columns),
            index=None,
            format_func=lambda number: _capital(columns.get(number, str(number))),
            placeholder="Which one is it?",
            key=_key(f"label{state['own_data_number']}"),
            help="All other columns are pixels then.",
        )
        if label_column is not None and label_column != state["own_data_label"]:
            _start_check(files, label_column)
    checked: _Checked | None = state.get("own_data_checked")
    return checked


def _start_check(files: Sequence[Any], label_column: int | None) -> None:
    state = st.session_state
    state["own_data_label"] = label_column
    for key in ("own_data_checked", "own_data_checking"):
        state.pop(key, None)
    if not files:
        return
    twice = [name for name, n in Counter(each.name for each in files).items() if n > 1]
    if twice:
        state["own_data_checked"] = _Checked(
            problem=f"More than one of the files is called {twice[0]}. Rename them so that their "
            "names say what they hold, such as train.csv and test.csv."
        )
        return
    state["own_data_checking"] = _background().start(
        "Checking the data", _check, _contents(files), label_column
    )


def _contents(files: Sequence[Any]) -> dict[str, bytes]:
    return {each.name: each.getvalue() for each in files}


def _check(contents: Mapping[str, bytes], label_column: int | None) -> _Checked:
    """Read files; runs in the background."""
    try:
        pictures = read_files(contents, label_column=label_column)
    except UnclearLabel as unclear:
        return _Checked(columns=unclear.columns)
    labels = pictures.table[:, -1]
    n_shown = min(len(pictures.class_names), MOST_CLASSES_SHOWN)
    first = [int(np.argmax(labels == label)) for label in range(n_shown)]
    shown = replace(pictures, table=pictures.table[first])
    return _Checked(shown, len(pictures.table), pictures.is_dark_on_light)


def _show_found(pictures: Pictures, n_pictures: int, is_dark_on_light: bool) -> tuple[str, bool]:
    """Show what was found, and a picture of each class as it is going to be kept.

    Returns:
        The orientation, and whether ink and paper are swapped.
    """
    number = st.session_state["own_data_number"]
    height, width = pictures.image_shape
    notes = [
        f"{n_pictures:,} pictures of {height} × {width} pixels in "
        f"{len(pictures.class_names)} classes",
        *pictures.notes,
    ]
    st.caption("  \n".join(f"{words.plain(note)}" for note in notes))
    orientation = st.selectbox(
        "Turn the pictures",
        options=list(ORIENTATIONS),
        format_func=lambda name: TURNS.get(name, name),
        key=_key(f"orientation{number}"),
        help="Each should stand upright below.",
    )
    if is_dark_on_light:
        st.info(
            "These pictures show dark ink on light paper. NeuralScope expects 0 for paper, so swap "
            "them.",
            icon=":material/invert_colors:",
        )
    invert = st.toggle(
        "Swap ink and paper",
        value=is_dark_on_light,
        key=_key(f"invert{number}"),
        help="Below, the ink should be dark and the paper light.",
    )
    _show_one_of_each(pictures, orientation, invert)
    return orientation, invert


def _show_one_of_each(pictures: Pictures, orientation: str, invert: bool) -> None:
    """Draw the first picture of each class."""
    sample = pictures.turned(orientation, invert=invert)
    tiles = charts.digit_tiles(
        sample.table[:, :-1],
        image_shape=sample.image_shape,
        pixel_max=sample.pixel_max,
        size=2 * TILE,  # sharp on a fine display
    )
    with st.container(horizontal=True, gap="small", key="own_data_preview"):
        for name, tile in zip(pictures.class_names, tiles, strict=False):
            caption = name if len(name) <= LONGEST_CAPTION else f"{name[: LONGEST_CAPTION - 1]}…"
            st.image(tile, width=TILE, caption=words.plain(caption), alt=f"A picture of {name}")
    if len(tiles) < len(pictures.class_names):
        st.caption(f"The first {len(tiles)} of {len(pictures.class_names)} classes.")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


# Adding ------------------------------------------------------------------------------------------


def _add(files: Sequence[Any], orientation: str, invert: bool) -> None:
    state = st.session_state
    name = state[_key("name")].strip() or None
    state["own_data_problem"] = ""
    state["own_data_adding"] = _background().start(
        "Adding the data",
        _keep,
        _contents(files),
        state["own_data_label"],
        orientation,
        invert,
        name,
    )


def _keep(
    contents: Mapping[str, bytes],
    label_column: int | None,
    orientation: str,
    invert: bool,
    name: str | None,
) -> str:
    """Read files once more, turn and keep their pictures; runs in the background."""
    pictures = read_files(contents, label_column=label_column)
    return keep_pictures(pictures.turned(orientation, invert=invert), name)


@st.fragment(run_every=0.25)
def _watch() -> None:
    """Wait for what is done in the background; then the whole page is drawn anew."""
    state = st.session_state
    checking: Future[_Checked] | None = state.get("own_data_checking")
    adding: Future[str] | None = state.get("own_data_adding")
    if checking is None and adding is None:
        return
    if checking is not None and checking.done():
        del state["own_data_checking"]
        try:
            checked = checking.result()
        except NeuralScopeError as error:
            checked = _Checked(problem=str(error))
        state["own_data_checked"] = checked
        if checked.columns:
            state["own_data_columns"] = dict(checked.columns)
        st.rerun()
    if adding is not None and adding.done():
        del state["own_data_adding"]
        try:
            state["data_wanted"] = state["data_added"] = adding.result()
            state["own_data_generation"] = state.get("own_data_generation", 0) + 1
        except NeuralScopeError as error:
            state["own_data_problem"] = str(error)
        st.rerun()
    st.caption("Checking the data." if checking is not None else "Adding the data.")


def _delete(name: str) -> None:
    try:
        failures.explained("Deleting the data set", remove_dataset, name)
    except NeuralScopeError as error:
        st.session_state["own_data_problem"] = str(error)
    else:
        st.session_state["data_fallback"] = True
