"""The page's address: what a link carries, read once and then kept up to date.

`run` names the run that is shown and `epoch` the moment of it, the latest if left out; on Train the
fields of `RunConfig` stand beside them under their own names, those at their default left out. So
a link is an experiment, and a moment of one. An address without any field says nothing of a
configuration; the one that is all defaults therefore names its epochs.
"""

from __future__ import annotations

import streamlit as st

from neuralscope.errors import ConfigError
from neuralscope.runs import LATEST, SETTINGS, RunConfig

LONGEST_EPOCH = 9
"""Digits of the largest epoch that an address may name."""


def read_config() -> tuple[RunConfig, list[ConfigError]]:
    """Return the configuration in the address, and what in it is not allowed."""
    return RunConfig.from_query(st.query_params.to_dict())


def has_config() -> bool:
    """Return whether the address carries any field of a configuration."""
    return any(name in st.query_params for name in SETTINGS)


def read_run() -> str | None:
    """Return the id of the run that the address asks for."""
    return st.query_params.get("run") or None


def read_epoch() -> tuple[int | None, str]:
    """Return the epoch that the address asks for, None for the latest, and what is wrong with it.

    What is wrong is one sentence, or empty.
    """
    text = st.query_params.get("epoch", "")
    if text in ("", LATEST):
        return None, ""
    if text.isascii() and text.isdigit() and len(text) <= LONGEST_EPOCH:
        return int(text), ""
    shown = text if len(text) <= 20 else f"{text[:20]}..."
    return None, f"The address asks for epoch {shown!r}; it takes a whole number or '{LATEST}'."


def write_moment(run_id: str, epoch: str | None) -> None:
    """Make the address name a run and a moment of it, None for the latest; leave the rest."""
    say(run=run_id, epoch=epoch)


def say(**shown: object) -> None:
    """Make the address say what is shown; leave out of it what is None, and leave the rest."""
    for name, value in shown.items():
        if value is None:
            st.query_params.pop(name, None)
        elif st.query_params.get(name) != str(value):
            st.query_params[name] = str(value)


def write(config: RunConfig | None, run_id: str | None) -> None:
    """Make the address say what the page shows; a configuration that is not whole leaves it."""
    now = st.query_params.to_dict()
    new = dict(now)
    if config is not None:
        new = {name: value for name, value in new.items() if name not in SETTINGS}
        new |= config.as_query() or {"epochs": str(config.epochs)}
    new.pop("run", None)
    if run_id:
        new["run"] = run_id
    else:
        new.pop("epoch", None)
    if new != now:
        st.query_params.from_dict(new)
