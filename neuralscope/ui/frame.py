"""What surrounds every page: its name in the tab, its one title, and the errors nobody caught."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAPIException
from streamlit.navigation.page import StreamlitPage
from streamlit.runtime.pages_manager import PagesManager

from neuralscope.errors import NeuralScopeError
from neuralscope.ui import run_trash, saving, words

PAGES = ("Train", "Confusion", "Mistakes", "Activations", "Draw", "Runs")
"""Titles in the order of the menu; the first is the start page. Scripts are named after them."""

RUNS = "Runs"
"""The page on which runs are deleted, which can be undone until it is left."""

_PAGES_FOLDER = Path(__file__).parents[2] / "pages"
_STYLE = Path(__file__).with_name("page.css")
_ICON = Path(__file__).with_name("icon.svg")  # an emoji would cost 0.2 s: a list of all is read


def navigation() -> None:
    """Show the page that the address asks for; what `dashboard.py` does."""
    st.navigation(list(_pages().values())).run()


def _pages() -> dict[str, StreamlitPage]:
    # Without icons: Streamlit would fetch one from the internet to show it in the tab.
    return {
        title: st.Page(_script(title), title=title, default=title == PAGES[0]) for title in PAGES
    }


def link(
    title: str,
    text: str,
    *,
    icon: str | None = None,
    otherwise: str = "",
    query: Mapping[str, str] | None = None,
) -> None:
    """Draw a link to another page that keeps the session.

    Args:
        title: One of `PAGES`.
        text: The link's text.
        icon: Before it.
        otherwise: Said instead where this page runs alone and knows no other.
        query: What the other page's address says.
    """
    try:
        st.page_link(_script(title), label=text, icon=icon, query_params=query)
    except StreamlitAPIException:
        st.caption(otherwise or f"{text}: on the page {title}.")


def go(title: str, text: str, *, icon: str | None = None) -> None:
    """Draw the button of the one obvious next thing to do, which is on another page.

    Args:
        title: One of `PAGES`.
        text: What the button says.
        icon: Before it.
    """
    if st.button(text, icon=icon, type="primary", key=f"go_{title}"):
        try:
            st.switch_page(_script(title))
        except StreamlitAPIException:  # this page runs alone and knows no other
            st.caption(f"{text}: on the page {title}.")


def _script(title: str) -> Path:
    return _PAGES_FOLDER / f"{title.lower()}.py"


@contextmanager
def page(title: str, subtitle: str) -> Iterator[None]:
    """Frame a page: a page is a script that runs inside this, whether it is opened alone or not.

    A NeuralScopeError that gets here is shown as its one sentence.
    """
    if PagesManager.uses_pages_directory:
        # The first request that this server gets is for this page. Streamlit then runs it without
        # `dashboard.py` and with a menu made of the folder's files: do what `dashboard.py` does.
        navigation()
        st.stop()
    st.set_page_config(page_title=f"{title} · NeuralScope", page_icon=_ICON, layout="wide")
    st.html(_STYLE)
    _behavior()(key="page")
    saving.offer()
    st.title(title, anchor=False)
    st.caption(subtitle)
    try:
        _enter(title)
        run_trash.tell()
        yield
    except NeuralScopeError as error:
        st.error(words.plain(error), icon=":material/error:")


@functools.cache
def _behavior() -> Any:
    """Return the component that closes the menu where it covers the page, and more of that kind."""
    script = Path(__file__).with_name("page.js").read_text(encoding="utf-8")
    return st.components.v2.component("neuralscope_page", html="<span></span>", js=script)


def _enter(title: str) -> None:
    state = st.session_state
    state["page_is_new"] = state.get("page_seen") != title
    state["page_seen"] = title
    if title != RUNS:
        run_trash.leave()


def is_entered() -> bool:
    """Return whether the session has come to this page from another one, or has just begun."""
    return bool(st.session_state["page_is_new"])
