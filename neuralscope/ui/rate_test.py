"""Finding a learning rate before a run is started: the range test, run in a process of its own.

The process is `python -m neuralscope lr-find`. A thread reads what it says, so that neither the
page nor the server waits; the page looks at what has come so far a few times a second. A test that
nobody looks at any more is ended. Two people with the same settings look at the same test.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import threading
import time
from math import inf
from pathlib import Path
from typing import Any

import streamlit as st

from neuralscope import charts
from neuralscope.engine.rate_test import HIGHEST, LOWEST, STEPS
from neuralscope.runs import SETTINGS, RunConfig, as_tested
from neuralscope.ui import chart, config_form, data_notice, failures, words

LOOK_EVERY = 0.3
UNSEEN_FOR = 10.0
"""Seconds after which a test that nobody has looked at is ended."""

MOST_KEPT = 32

_ASKED = "rate_test"  # in the session: the configuration, as tested, that was last asked for


class RateTest:
    """A test under way, or done.

    Attributes:
        rates: The learning rates tried so far.
        losses: The loss at each.
        smoothed: The same, smoothed.
        is_done: Whether nothing more will come.
        is_abandoned: Whether it was ended because nobody looked.
        suggested: The learning rate to take, if it found one.
        blown_up: The rate at which the loss blew up, if it did.
        reason: Why this rate, or why none.
        problem: Why it failed, or empty.
    """

    def __init__(self, config: RunConfig) -> None:
        """Start the test of a configuration."""
        self.rates: list[float] = []
        self.losses: list[float] = []
        self.smoothed: list[float] = []
        self.is_done = self.is_abandoned = False
        self.suggested: float | None = None
        self.blown_up: float | None = None
        self.reason = self.problem = ""
        self._seen = time.monotonic()
        find = [sys.executable, "-m", "neuralscope", "lr-find", "--json", "--stream"]
        try:
            process = subprocess.Popen(
                [*find, *_flags(config)],
                env={**os.environ, "PYTHONPATH": _search_path()},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # Ctrl-C is for the dashboard; the pipe breaks when it goes
            )
        except OSError as error:
            self.problem = f"The test could not be started: {error.strerror or error}."
            self.is_done = True
            return
        threading.Thread(target=self._read, args=(process,), daemon=True).start()

    def look(self) -> None:
        """Say that somebody still looks at it."""
        self._seen = time.monotonic()

    def _read(self, process: subprocess.Popen[str]) -> None:
        """Read what the process says until it ends; a thread does nothing else."""
        try:
            self._follow(process)
        except Exception as error:
            process.kill()
            self.problem = failures.explain(error, "The test")
        finally:
            self.is_done = True

    def _follow(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        words = ""
        with process.stdout as lines:
            for line in lines:
                try:
                    self._take(json.loads(line))
                except ValueError:  # no JSON: what it says to people, such as why it failed
                    words = line.strip()
                if time.monotonic() - self._seen > UNSEEN_FOR:
                    self.is_abandoned = True
                    process.kill()
        status = process.wait()
        if not self.reason:
            said = words.partition(": ")[2] or words or f"its process ended with status {status}"
            self.problem = f"The test failed: {said.rstrip('.')}."

    def _take(self, told: dict[str, Any]) -> None:
        if "tried" in told:
            self.suggested, self.blown_up = told["learning_rate"], told["blown_up"]
            self.reason = told["reason"]
            return
        # A loss that is no number is null in JSON. The rate comes last: nobody who reads as many
        # of the others as there are rates finds too few.
        for values, name in ((self.losses, "loss"), (self.smoothed, "smoothed")):
            values.append(inf if told[name] is None else told[name])
        self.rates.append(told["rate"])


def _flags(config: RunConfig) -> list[str]:
    return [
        word
        for name, text in config.as_query().items()
        for word in (f"--{name.replace('_', '-')}", text)
    ]


def _search_path() -> str:
    package_home = str(Path(__file__).parents[2])
    return os.pathsep.join(filter(None, [package_home, os.environ.get("PYTHONPATH", "")]))


class RateTests:
    """The tests of this server, whoever asked for them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tests: dict[RunConfig, RateTest] = {}

    def start(self, config: RunConfig) -> None:
        """Start the test of a configuration, unless there is one that has not failed."""
        with self._lock:
            known = self._tests.pop(config, None)
            if known is None or known.is_abandoned or known.problem:
                known = RateTest(config)
            self._tests[config] = known
            while len(self._tests) > MOST_KEPT:
                del self._tests[next(iter(self._tests))]

    def get(self, config: RunConfig) -> RateTest | None:
        """Return the test of a configuration, or None; looking at it keeps it going."""
        test = self._tests.get(config)
        if test is None or test.is_abandoned:
            return None
        test.look()
        return test


@st.cache_resource(show_spinner=False)
def tests() -> RateTests:
    """Return the tests of this server."""
    return RateTests()


# On the page -------------------------------------------------------------------------------------


def show(config: RunConfig) -> None:
    """Offer a test of these settings; draw the one that was asked for.

    Args:
        config: What the form says.
    """
    wanted = as_tested(config)
    asked: RunConfig | None = st.session_state.get(_ASKED)
    test = tests().get(asked) if asked is not None else None
    if test is None or asked is None or asked != wanted or test.problem:
        _offer(wanted)
    if test is None or asked is None:
        return
    with st.container(border=True, key="rate_test"):
        if asked != wanted:
            st.info(_changed(asked, wanted), icon=":material/history:")
        if not test.is_done:
            _watch(asked)
        elif test.problem:
            st.error(words.plain(test.problem), icon=":material/error:")
        else:
            _result(test, config if asked == wanted else None)


def _offer(wanted: RunConfig) -> None:
    ready = data_notice.is_ready(wanted.dataset)
    st.button(
        "Find a learning rate",
        key="find_rate",
        icon=":material/troubleshoot:",
        type="tertiary",
        disabled=not ready,
        on_click=_ask,
        args=(wanted,),
        help="Trains a fresh network for a moment while the rate grows, and suggests the rate at "
        "which its loss falls fastest."
        + ("" if ready else " It can begin as soon as the data set is here."),
    )


def _ask(wanted: RunConfig) -> None:
    tests().start(wanted)
    st.session_state[_ASKED] = wanted


def _close() -> None:
    st.session_state.pop(_ASKED, None)


def _use(rate: float) -> None:
    now = config_form.config()
    if now is not None:
        config_form.copy(dataclasses.replace(now, learning_rate=rate))


def _changed(asked: RunConfig, wanted: RunConfig) -> str:
    """Say what is no longer as it was tested."""
    names = [
        setting.label
        for name, setting in SETTINGS.items()
        if getattr(asked, name) != getattr(wanted, name)
    ]
    return (
        f"This test is of other settings; changed since: {', '.join(names)}. "
        "Find a learning rate again for those of now."
    )


@st.fragment(run_every=LOOK_EVERY)
def _watch(asked: RunConfig) -> None:
    test = tests().get(asked)
    if test is None or test.is_done:
        st.rerun()
    n = len(test.rates)
    text = f"Training with a rate of {test.rates[n - 1]:.1e}" if n else "Starting a fresh network"
    st.progress(min(n / STEPS, 1.0), text=text)
    _curve(test, live=True)


def _result(test: RateTest, config: RunConfig | None) -> None:
    """Draw a test that is done.

    Args:
        test: The test.
        config: What the form says, if the test is of it.
    """
    rate = test.suggested
    found = "No learning rate found." if rate is None else f"Try a learning rate of {rate:g}."
    st.markdown(f"**{found}** {words.plain(test.reason)}")
    _curve(test, live=False)
    st.caption(
        f"A fresh network was trained for {len(test.rates)} steps, each with a larger rate than "
        "the one before. Dots are the losses of its batches, the line is their running mean. Where "
        "it falls fastest, steps gain the most; where it rises, they are too long."
    )
    with st.container(horizontal=True, key="rate_test_buttons"):
        if rate is not None and config is not None:
            in_use = config.learning_rate == rate
            st.button(
                "Use this value",
                key="use_rate",
                icon=":material/check:",
                disabled=in_use,
                on_click=_use,
                args=(rate,),
                help="The slider stands at it." if in_use else "Sets the slider of the sidebar.",
            )
        st.button("Close", key="close_rate_test", type="tertiary", on_click=_close)


def _curve(test: RateTest, *, live: bool) -> None:
    n = len(test.rates)
    figure = charts.rate_test_curve(
        test.rates[:n],
        test.losses[:n],
        test.smoothed[:n],
        suggested=test.suggested,
        blown_up=test.blown_up,
        domain=(LOWEST, HIGHEST),
    )
    chart.draw(figure, "Loss while the learning rate grows", key="rate_test_curve", live=live)
