"""The page's address: what a link carries, read once and then kept up to date.

`run` names the run that is shown; on Train the fields of `RunConfig` stand beside it under their
own names, those at their default left out. So a link is an experiment.
"""

from __future__ import annotations

import streamlit as st

from neuralscope.errors import ConfigError
from neuralscope.runs import SETTINGS, RunConfig


def read_config() -> tuple[RunConfig, list[ConfigError]]:
    """Return the configuration in the address, and what in it is not allowed."""
    return RunConfig.from_query(st.query_params.to_dict())


def has_config() -> bool:
    """Return whether the address carries any field of a configuration."""
    return any(name in st.query_params for name in SETTINGS)


def read_run() -> str | None:
    """Return the id of the run that the address asks for."""
    return st.query_params.get("run") or None


def write(config: RunConfig | None, run_id: str | None) -> None:
    """Make the address say what the page shows; a configuration that is not whole leaves it."""
    now = st.query_params.to_dict()
    new = dict(now)
    if config is not None:
        new = {name: value for name, value in new.items() if name not in SETTINGS}
        new |= config.as_query()
    new.pop("run", None)
    if run_id:
        new["run"] = run_id
    if new != now:
        st.query_params.from_dict(new)
