"""A page of the list of runs as a table: rows are ticked, and headers sort.

A click on a header sorts the whole list, not only the rows on screen: the table has no order of
its own, and takes the click for a question to the store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from neuralscope.data import dataset_title
from neuralscope.runs import Run
from neuralscope.runs.listing import Listing
from neuralscope.ui import chart, run_query, words
from neuralscope.ui.run_view import BADGES

LABELS = {
    "starred": "★",
    "name": "Name",
    "status": "Status",
    "curve": "Curve",
    "best": "Best",
    "best_epoch": "Best at",
    "last": "Last",
    "test": "Test",
    "dataset": "Data",
    "units": "Layers",
    "optimizer": "Optimizer",
    "learning_rate": "Rate",
    "seconds": "Time",
    "epoch": "Epochs",
    "tags": "Tags",
    "created": "Started",
}
"""Columns in the order of the table; those named in `listing.SORTS` can be sorted by."""

SORT_LABELS = {
    **{name: label for name, label in LABELS.items() if name not in ("curve", "tags")},
    "starred": "Star",
    "best": "Best validation accuracy",
    "best_epoch": "Best epoch",
    "last": "Last validation accuracy",
    "test": "Test accuracy",
    "epoch": "Epochs done",
    "units": "Hidden units",
    "learning_rate": "Learning rate",
    "dataset": "Data set",
}
SORT_LABELS = {"created": SORT_LABELS.pop("created"), **SORT_LABELS}

ROW_HEIGHT = 36


def show(listing: Listing, curves: dict[str, list[float]], on_choice: Callable[[], None]) -> None:
    """Draw a page of runs; ticking its rows chooses runs, clicking a header sorts.

    Args:
        listing: The page.
        curves: The validation accuracy over the epochs of each run on it.
        on_choice: Called after either.
    """
    ids = [run.run_id for run in listing.runs]
    table = _table_key(ids)

    def chosen() -> None:
        if st.session_state.get("runs_table", {}).get("key") != table:
            return  # a table that has made room for another has no say any more
        selection = st.session_state[table]["selection"]
        here = set(ids)
        rows = [row for row in selection["rows"] if row < len(ids)]
        elsewhere = [each for each in run_query.get("runs") if each not in here]
        if selection["cells"]:
            elsewhere, rows = [], [selection["cells"][0][0]]
            st.session_state[table] = {"selection": {"rows": rows, "columns": [], "cells": []}}
        run_query.choose(elsewhere + [ids[row] for row in rows])
        for column in selection["columns"]:
            if column in SORT_LABELS:
                run_query.sort_by(column)
            forget()
        on_choice()

    ticked = set(run_query.get("runs"))
    chart.grid(
        as_frame(listing, curves),
        key=table,
        on_select=chosen,
        selection_mode=["multi-row", "single-column", "single-cell"],
        selection_default={
            "selection": {"rows": [row for row, run_id in enumerate(ids) if run_id in ticked]}
        },
        column_config=_columns(),
        hide_index=True,
        row_height=ROW_HEIGHT,
        height=ROW_HEIGHT * (len(ids) + 1) + 3,
        placeholder="–",
        alt="Runs, one per row; a click on a header sorts all of them by that column.",
    )


def _table_key(ids: Sequence[str]) -> str:
    """Return the key of the table: another one whenever other runs stand in its rows.

    The browser tells which rows are ticked by their number, and an answer to a click may cross
    with a redraw: a number must never come to mean another run.
    """
    state = st.session_state
    known = state.get("runs_table")
    if known is None or known["ids"] != list(ids):
        number = state["runs_tables"] = state.get("runs_tables", 0) + 1
        known = state["runs_table"] = {"ids": list(ids), "key": f"runs_table_{number}"}
    return str(known["key"])


def forget() -> None:
    """Draw the table anew, with the ticks where they belong; call it where others have set them."""
    st.session_state.pop("runs_table", None)


def as_frame(listing: Listing, curves: dict[str, list[float]]) -> pd.DataFrame:
    """Return what the table holds, a run a row."""
    rows = [_row(run, listing.last.get(run.run_id), curves[run.run_id]) for run in listing.runs]
    return pd.DataFrame(rows, columns=list(LABELS))


def _row(run: Run, last: float | None, curve: list[float]) -> dict[str, Any]:
    config = run.config
    learned = f"{run.epoch:,} of {config.epochs:,}"
    bends = "/".join(dict.fromkeys(config.activations))
    layers = " ".join(["-".join(map(str, config.hidden)) or "none", bends]).strip()
    return {
        "starred": "★" if run.starred else "",
        "name": run.name,
        "status": [BADGES[run.status][0]],
        "curve": [100 * accuracy for accuracy in curve],
        "best": _points(run.best_validation_accuracy),
        "best_epoch": run.best_epoch,
        "last": _points(last),
        "test": _points(run.test_accuracy),
        "epoch": learned,
        "seconds": words.duration(run.seconds) if run.seconds else None,
        "dataset": dataset_title(config.dataset),
        "units": layers,
        "optimizer": config.optimizer,
        "learning_rate": f"{config.learning_rate:g}",
        "tags": list(run.tags),
        "created": time.strftime("%d %b %Y %H:%M", time.localtime(run.created)),
    }


def _points(share: float | None) -> float | None:
    return None if share is None else words.percentage(share)


def _columns() -> dict[str, Any]:
    def label(name: str) -> str:
        if name != run_query.get("sort"):
            return LABELS[name]
        return f"{LABELS[name]} {'↓' if run_query.get('order') == 'down' else '↑'}"

    column = st.column_config

    def share(name: str, what: str) -> Any:
        return column.NumberColumn(label(name), help=what, format="%.2f %%", width=74)

    return {
        "starred": column.TextColumn(label("starred"), width=40, alignment="center"),
        "name": column.TextColumn(label("name"), width=220),
        "status": column.MultiselectColumn(
            label("status"),
            options=[badge[0] for badge in BADGES.values()],
            color=[badge[1] for badge in BADGES.values()],
            width=96,
        ),
        "curve": column.LineChartColumn(
            LABELS["curve"],
            width=90,
            y_min=0,
            y_max=100,
            help="Validation accuracy over the epochs, from 0 to 100 % for every run.",
        ),
        "best": share("best", "Best validation accuracy"),
        "best_epoch": column.NumberColumn(
            label("best_epoch"),
            help="The epoch with the best validation accuracy",
            width=70,
            format="%d",
        ),
        "last": share("last", "Last validation accuracy"),
        "test": share("test", "Test accuracy at the end"),
        "dataset": column.TextColumn(label("dataset"), width=80),
        "units": column.TextColumn(label("units"), help="Hidden layers", width=110),
        "optimizer": column.TextColumn(label("optimizer"), width=92),
        "learning_rate": column.TextColumn(
            label("learning_rate"), help="Learning rate", width=64, alignment="right"
        ),
        "seconds": column.TextColumn(
            label("seconds"), help="Time spent training and measuring", width=96, alignment="right"
        ),
        "epoch": column.TextColumn(
            label("epoch"), help="Epochs done, of those asked for", width=92
        ),
        "tags": column.ListColumn(LABELS["tags"]),
        "created": column.TextColumn(label("created"), width=140),
    }
