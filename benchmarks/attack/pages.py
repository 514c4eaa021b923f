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


def draw(page: str, query: dict[str, str], store: Path) -> Any:
    """Draw a page with an address over a store, and return Streamlit's test of it."""
    import streamlit as st
    from streamlit.testing.v1 import AppTest

    logging.disable(logging.CRITICAL)
    os.environ["NEURALSCOPE_STORE"] = str(store)
    try:
        app = AppTest.from_file(str(ROOT / "pages" / f"{page}.py"), default_timeout=DEADLINE)
        for name, value in query.items():
            app.query_params[name] = value
        return app.run()
    finally:
        st.cache_resource.clear()
        logging.disable(logging.NOTSET)


def faults_of_page(page: str, query: dict[str, str], store: Path) -> list[str]:
    """Return the exceptions that a page has shown instead of itself."""
    app = draw(page, query, store)
    faults = []
    for shown in app.exception:
        ours = [line for line in shown.stack_trace if "/neuralscope/" in line or "/pages/" in line]
        where = ours[-1].strip().split(", in ")[0].replace(f"{ROOT}/", "") if ours else "?"
        faults.append(f"page {page}: {where}: {shown.message[:160]}")
    return faults
