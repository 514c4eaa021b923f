"""The pages of the dashboard as Streamlit's test harness draws them, without a server."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from benchmarks.attack.workers import ROOT
from neuralscope.runs import SETTINGS

PAGES = ("train", "confusion", "mistakes", "activations", "draw", "runs")

PARAMETERS: dict[str, tuple[str, ...]] = {
    "train": ("race", *SETTINGS),
    "confusion": ("of", "show", "cell", "changed", "compare"),
    "mistakes": ("of", "kind", "true", "predicted", "order", "page", "confidence", "digit",
                 "compare"),
    "activations": ("view", "split", "layer", "unit", "digit", "dot", "dots", "compare"),
    "draw": ("start", "digit"),
    "runs": ("view", "runs", "search", "status", "data", "tag", "starred", "archived", "sort",
             "order", "page", "race"),
}  # fmt: skip
"""What each page's address may say, besides `run` and `epoch`."""

SOUND = (
    "1",
    "2",
    "latest",
    "test",
    "digits",
    "adam",
    "8,8",
    "4-9",
    "20-80",
    "compare",
    "all",
    "0.1",
)
"""Words that some parameter or other takes."""

DEADLINE = 60.0
"""Seconds that a page may take here; cases have a limit of their own."""


def draw(page: str, query: dict[str, str], store: Path, *, is_new: bool = True) -> Any:
    """Draw a page with an address over a store, and return Streamlit's test of it.

    Args:
        page: Its name.
        query: What its address says.
        store: The folder of the store.
        is_new: Whether the server has just been started, and knows nothing of the store.
    """
    import streamlit as st
    from streamlit import config
    from streamlit.testing.v1 import AppTest

    logging.disable(logging.CRITICAL)
    config.set_option("client.showErrorDetails", "full")
    if is_new:
        st.cache_resource.clear()
    os.environ["NEURALSCOPE_STORE"] = str(store)
    try:
        app = AppTest.from_file(str(ROOT / "pages" / f"{page}.py"), default_timeout=DEADLINE)
        for name, value in query.items():
            app.query_params[name] = value
        return app.run()
    finally:
        logging.disable(logging.NOTSET)


def faults_of_page(page: str, query: dict[str, str], store: Path) -> list[str]:
    """Return the exceptions that a page has shown instead of itself."""
    return exceptions_on(page, draw(page, query, store))


def exceptions_on(page: str, app: Any) -> list[str]:
    """Return the exceptions on a page that has been drawn, each with where it was raised."""
    faults = []
    for shown in app.exception:
        ours = [line for line in shown.stack_trace if "/neuralscope/" in line or "/pages/" in line]
        where = ours[-1].strip().split(", in ")[0].replace(f"{ROOT}/", "") if ours else "?"
        faults.append(f"page {page}: {where}: {shown.message[:160]}")
    return faults


def text_of(app: Any) -> str:
    """Return the text of a page and of its tables."""
    texts = [str(element.value) for kind in ("markdown", "caption", "error", "warning", "info")
             for element in app.get(kind)]  # fmt: skip
    return "\n".join([*texts, *(table.value.to_string() for table in app.dataframe)])
