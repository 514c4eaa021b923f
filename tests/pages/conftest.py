"""The Train page as a simulated session sees it, and runs in every state to show on it."""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from neuralscope.data import Dataset, load_dataset
from neuralscope.engine import EpochEnd, StepEnd
from neuralscope.errors import StoreError
from neuralscope.runs import (
    DIVERGED,
    FINISHED,
    PAUSED,
    RUNNING,
    STOPPED,
    Run,
    RunConfig,
    Store,
    estimate,
)
from neuralscope.runs.experiment import prepare
from neuralscope.runs.records import Event, Progress, StepBlock
from neuralscope.runs.snapshots import SnapshotKeeper
from neuralscope.runs.trainer import Trainer
from neuralscope.runs.writer import Writer
from neuralscope.ui import address, progress, resources
from tests.writing import owner, take_commands

CHECKOUT = Path(__file__).parents[2]
DEADLINE = 20.0
"""Seconds after which a test gives up waiting; it says nothing about how long anything takes."""

CONTROLS = (
    *("slider", "select_slider", "selectbox", "number_input", "button"),
    *("button_group", "toggle", "text_input", "text_area", "multiselect"),
)
SENTENCES = ("error", "warning", "info", "success", "caption", "markdown")


class Page:
    """What somebody does on a page and reads from it; nothing they do may raise."""

    def __init__(self, script: str, query: dict[str, str]) -> None:
        self.app = AppTest.from_file(str(CHECKOUT / script), default_timeout=DEADLINE)
        for name, value in query.items():
            self.app.query_params[name] = value
        self.look()

    def look(self) -> Page:
        """Draw the page as it is now."""
        self.app.run()
        assert not self.app.exception, self.app.exception[0].stack_trace
        return self

    @property
    def query(self) -> dict[str, str]:
        return dict(self.app.query_params)

    # Controls

    def labels(self) -> list[str]:
        return [control.label for kind in CONTROLS for control in self.app.get(kind)]

    def control(self, label: str) -> Any:
        found = [c for kind in CONTROLS for c in self.app.get(kind) if c.label == label]
        assert len(found) == 1, f"{len(found)} controls {label!r} among {self.labels()}"
        return found[0]

    def value(self, label: str) -> Any:
        return self.control(label).value

    def set(self, label: str, value: object) -> Page:
        self.control(label).set_value(value)
        return self.look()

    def click(self, label: str) -> Page:
        self.control(label).click()
        return self.look()

    def send_back(self, late: Any) -> Page:
        """Draw the page with the state of a control that is no longer there, as a browser sends it.

        Only a busy one does: it has not heard yet that another control has taken its place.
        """
        states = self.app._tree.get_widget_states()
        states.widgets.append(late)
        self.app._run(states)
        return self

    def go_back(self, query: dict[str, str]) -> Page:
        """Let the browser go back, or forward, to an address of this page."""
        self.app.query_params.clear()
        for name, value in query.items():
            self.app.query_params[name] = value
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(address, "is_restored", lambda: True)
            return self.look()

    def is_primary(self, label: str) -> bool:
        return bool(self.control(label).proto.type == "primary")

    # What it says

    def said(self, *kinds: str) -> list[str]:
        """Return the sentences of these kinds, in the order of the page, as they are read."""
        return [unescaped(e.value) for e in self.app.main if e.type in (kinds or SENTENCES)]

    def says(self, text: str) -> bool:
        return any(text in sentence for sentence in self.said())

    def metric(self, label: str) -> str:
        found = {metric.label: metric.value for metric in self.app.metric}
        assert label in found, f"no metric {label!r} among {sorted(found)}"
        return unescaped(found[label])

    def badge(self) -> str:
        """Return the status that the run shown is given."""
        badge = next(text for text in self.said("markdown") if "-badge[" in text)
        return badge.rpartition(": ")[2].rstrip("]")

    def beside(self, label: str) -> str:
        """Return the error right after a control of the sidebar, or nothing."""
        elements = [e for e in self.app.sidebar if not hasattr(e, "children")]
        after = elements[elements.index(self.control(label)) + 1]
        return unescaped(after.value) if after.type == "error" else ""

    # Charts

    def charts(self) -> dict[str, str]:
        """Return the text alternative of each chart, by the first table behind it."""
        return {each.proto.datasets[0].name: each.proto.alt for each in self._figures()}

    def marks(self) -> list[tuple[float, str]]:
        """Return place and label of the marks on the loss curve."""
        tables = _tables(next(each for each in self._figures() if "Loss" in each.proto.spec))
        if "marks" not in tables:
            return []
        return list(zip(tables["marks"]["x"], tables["marks"]["label"], strict=True))

    def shown_on_curves(self) -> list[float]:
        """Return where loss and accuracy curve are marked as shown."""
        tables = [_tables(each) for each in self._figures()]
        return [float(each["shown"]["x"].iloc[0]) for each in tables if "shown" in each]

    def _figures(self) -> list[Any]:
        return [each for each in self.app.get("vega_lite_chart") if each.proto.datasets]


def unescaped(markdown: object) -> str:
    """Return a sentence as it is read, where `words.plain` has escaped what is not ours."""
    return re.sub(r"\\(.)", r"\1", str(markdown).replace("\N{WORD JOINER}", ""))


def _tables(figure: Any) -> dict[str, pd.DataFrame]:
    return {
        each.name: pa.ipc.open_stream(io.BytesIO(each.data.data)).read_pandas()
        for each in figure.proto.datasets
    }


class HandRun:
    """A run whose trainer is the test: real training, but only as far as the test asks."""

    def __init__(self, store: Store, config: RunConfig) -> None:
        self.store, self.config = store, config
        self.run_id = store.create(config)

    def start(self, dataset: Dataset | None = None) -> HandRun:
        """Get to where the data is loaded and nothing has been learned."""
        dataset = dataset or load_dataset(self.config.dataset)
        self.training = prepare(self.config, dataset)
        Writer(self.store, self.run_id, "by hand").adopt()
        assert owner(self.store, self.run_id).claim_slot()
        self.keeper = SnapshotKeeper(self.store, owner(self.store, self.run_id), dataset.n_classes)
        owner(self.store, self.run_id).set_facts(
            data_digest=dataset.digest,
            versions={},
            machine={},
            steps_per_epoch=self.training.n_batches,
        )
        self._records = itertools.chain(self.training.measure(0), self.training.records())
        self.learn()
        return self

    def learn(self, epochs: int = 0) -> HandRun:
        """Train to the end of this epoch; one takes a second."""
        losses: list[float] = []
        for record in self._records:
            if isinstance(record, StepEnd):
                losses.append(record.loss)
            if isinstance(record, EpochEnd):
                seconds, first = float(record.epoch), self.training.step - len(losses) + 1
                blocks = [StepBlock(first, seconds - 1, seconds, np.array(losses, np.float32))]
                owner(self.store, self.run_id).record(
                    self._progress(),
                    blocks if losses else [],
                    [(record, seconds)],
                )
                self.keeper.keep_epoch(self.training, record.validation_accuracy, seconds)
                losses = []
                if record.epoch == epochs:
                    break
        return self

    def _progress(self) -> Progress:
        epoch, step = self.training.epoch, self.training.step
        return Progress(epoch, step, float(epoch), 1257.0, self.training.learning_rate)

    def tell(self, kind: str, text: str) -> None:
        """Answer a command, as the trainer does."""
        progress = self._progress()
        event = Event(time.time(), kind, text, progress.epoch, progress.step, progress.seconds)
        owner(self.store, self.run_id).record(progress, events=[event])

    def set_rate(self, rate: float) -> None:
        before, self.training.learning_rate = self.training.learning_rate, rate
        self.tell("learning_rate", f"learning rate {before:g} → {rate:g}")

    def pause(self) -> HandRun:
        self.tell("paused", "paused")
        owner(self.store, self.run_id).set_status(PAUSED)
        return self

    def resume(self) -> HandRun:
        self.tell("resumed", "resumed")
        owner(self.store, self.run_id).set_status(RUNNING)
        return self

    def commands(self) -> list[tuple[str, float | None]]:
        """Return what has been asked of the trainer since the last time."""
        return [tuple(command) for command in take_commands(self.store, self.run_id)]


class Runs:
    """Makes runs in each state they can be in."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def lose_trainers(self) -> None:
        """Let everybody who trains a run, or was going to, be gone."""
        for run_id in self.store.held():
            self.store.withdraw(run_id)

    def queued(self, **settings: Any) -> HandRun:
        return HandRun(self.store, config(**settings))

    def running(self, learned: int = 2, **settings: Any) -> HandRun:
        return self.queued(**settings).start().learn(learned)

    def trained(self, **settings: Any) -> Run:
        """Let the real trainer compute a run to its end."""
        return self.take_up(self.store.create(config(**settings)))

    def take_up(self, run_id: str) -> Run:
        """Let the real trainer take up a queued run."""
        return Trainer(self.store, run_id).run()

    def finished(self) -> Run:
        run = self.trained(epochs=2)
        assert run.status == FINISHED
        return run

    def stopped(self) -> Run:
        """Let somebody stop a run when its second epoch is complete."""
        run_id = self.store.create(config(epochs=10_000))

        def stop(record: object) -> None:
            if isinstance(record, EpochEnd) and record.epoch == 2:
                self.store.send(run_id, "stop")

        run = Trainer(self.store, run_id, on_record=stop).run()
        assert run.status == STOPPED
        return run

    def diverged(self) -> Run:
        run = self.trained(hidden=(64,) * 6, learning_rate=10.0)
        assert run.status == DIVERGED
        return run


def config(**settings: Any) -> RunConfig:
    """Return something small and quick, unless told otherwise."""
    return RunConfig(**{"dataset": "digits", "hidden": (8,), "epochs": 50, **settings})


@pytest.fixture(autouse=True)
def quick_estimates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure how long an epoch takes for a moment only: each opening of the Train page does."""
    monkeypatch.setattr(estimate, "MOST_SECONDS", 0.01)


@pytest.fixture(autouse=True)
def nothing_shared_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each look read what a test has just written, however soon after the look before."""
    monkeypatch.setattr(progress, "LONGEST_SHARED", 0.0)


@pytest.fixture
def store(run_store: Path) -> Iterator[Store]:
    with Store(run_store) as store:
        yield store


@pytest.fixture
def runs(store: Store) -> Runs:
    return Runs(store)


@pytest.fixture(scope="session", autouse=True)
def installed_components() -> Iterator[None]:
    """Let Streamlit look through the installed packages once, not for every page opened."""
    with pytest.MonkeyPatch.context() as patch:
        scan = functools.cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", scan)
        yield


@pytest.fixture(autouse=True)
def server(run_store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test a server's memory of its own, no network, and no trainer to outlive it."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    started: list[subprocess.Popen[bytes]] = []

    class Recorded(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    yield
    for process in started:
        process.kill()
        process.wait(DEADLINE)
    with contextlib.suppress(StoreError):
        resources.store().close()
    st.cache_resource.clear()


@pytest.fixture
def open_page() -> Callable[..., Page]:
    """Open the Train page with the built-in digits; the address may say otherwise."""

    def open_page(script: str = "dashboard.py", **query: str | None) -> Page:
        address = {"dataset": "digits", **query}
        return Page(script, {name: value for name, value in address.items() if value is not None})

    return open_page


def facts(page: Page) -> dict[str, Any]:
    """Return what 'Configuration and machine' holds."""
    facts: dict[str, Any] = json.loads(page.app.json[0].value)
    return facts
