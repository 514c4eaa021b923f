"""A place on a page where one control follows another.

A menu, a slider or a row of page numbers that has to show something new becomes another control,
for one that is there keeps what it shows. A busy browser may send the one before back once more,
long after it has been replaced. Streamlit has forgotten it by then, and takes what it shows for a
new choice of somebody's: so what a control asks for counts only while it is the one in its place.
"""

from __future__ import annotations

import streamlit as st


def take(place: str, shown: object) -> str:
    """Return the key of the control that shows this, which is the one in this place from now on."""
    key = f"{place}_{shown}"
    st.session_state[_now(place)] = key
    return key


def is_taken_by(place: str, key: str) -> bool:
    """Return whether the control with this key is the one in this place."""
    return bool(st.session_state.get(_now(place)) == key)


def _now(place: str) -> str:
    return f"{place}_now"
