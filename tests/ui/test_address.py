"""The address, in the smallest page that has one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from neuralscope.runs import RunConfig

CONFIG = RunConfig(dataset="digits", hidden=(17, 5), learning_rate=0.037)


def script(hidden: list[int] | None, run_id: str | None) -> None:
    import streamlit as st

    from neuralscope.runs import RunConfig
    from neuralscope.ui import address

    st.session_state["run_before"] = address.read_run()
    config = None
    if hidden is not None:
        config = RunConfig(dataset="digits", hidden=hidden, learning_rate=0.037)
    address.write(config, run_id)


@pytest.fixture
def write() -> Callable[..., dict[str, Any]]:
    """Open a page with an address, write to it, and return what it then says."""

    def write(query: dict[str, str], hidden: list[int] | None, run_id: str | None) -> Any:
        app = AppTest.from_function(script, args=(hidden, run_id))
        for name, value in query.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception
        return dict(app.query_params)

    return write


def test_settings_at_their_default_are_left_out(write: Callable[..., Any]) -> None:
    assert write({}, [128], None) == {"dataset": "digits", "learning_rate": "0.037"}


def test_what_the_form_says_replaces_what_the_link_said(write: Callable[..., Any]) -> None:
    link = {"hidden": "99", "epochs": "20", "seed": "rubbish"}
    written = write(link, [17, 5], None)
    assert RunConfig.from_query(written) == (CONFIG, [])
    assert "seed" not in written


def test_a_form_that_is_not_whole_leaves_the_settings_alone(write: Callable[..., Any]) -> None:
    assert write({"epochs": "20"}, None, None) == {"epochs": "20"}


def test_the_run_stands_beside_the_settings(write: Callable[..., Any]) -> None:
    assert write({"epochs": "20", "run": "old"}, None, "new") == {"epochs": "20", "run": "new"}


def test_no_run_is_no_parameter(write: Callable[..., Any]) -> None:
    assert write({"run": "old"}, None, None) == {}


def test_what_belongs_to_others_stays(write: Callable[..., Any]) -> None:
    written = write({"embed": "true", "epoch": "12"}, [128], "some")
    assert written["embed"] == "true"
    assert written["epoch"] == "12"
    assert written["run"] == "some"


@pytest.mark.parametrize(
    ("query", "run_id"), [({"run": "x"}, "x"), ({"run": ""}, None), ({}, None)]
)
def test_the_run_is_read_from_the_address(query: dict[str, str], run_id: str | None) -> None:
    app = AppTest.from_function(script, args=(None, None))
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert app.session_state["run_before"] == run_id
