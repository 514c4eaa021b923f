"""What surrounds every page: its name in the tab, its one title, and the errors nobody caught."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from neuralscope.errors import NeuralScopeError

# A chart of fixed size, such as a matrix, scrolls on a narrow screen instead of being cut off.
# Streamlit's own Stop, which ends the drawing of a page, must not look as if it ended a training.
_STYLE = """<style>
[data-testid='stVegaLiteChart'] { max-width: 100%; overflow-x: auto; overflow-y: hidden; }
[data-testid='stStatusWidget'] button { display: none; }
</style>"""

PAGES = {"Train": "pages/train.py"}
"""Title -> script, in the order of the menu; the first is the start page."""


def navigation() -> None:
    """Show the page that the address asks for; what `dashboard.py` does."""
    # Without icons: Streamlit would fetch one from the internet to show it in the tab.
    pages = [
        st.Page(script, title=title, default=title == "Train") for title, script in PAGES.items()
    ]
    st.navigation(pages).run()


@contextmanager
def page(title: str, subtitle: str) -> Iterator[None]:
    """Frame a page: a page is a script that runs inside this, whether it is opened alone or not.

    A NeuralScopeError that gets here is shown as its one sentence.
    """
    st.set_page_config(page_title=f"{title} · NeuralScope", page_icon="🔬", layout="wide")
    st.html(_STYLE)
    st.title(title, anchor=False)
    st.caption(subtitle)
    try:
        yield
    except NeuralScopeError as error:
        st.error(str(error), icon=":material/error:")
