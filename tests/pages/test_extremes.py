"""Every allowed value of every setting, at both ends, renders on every page.

The runs are rows and snapshots written by hand: of 10,000 epochs nothing is trained. What a page
opens it must draw, without an exception; that it says something sensible is for other tests.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralscope.data import load_dataset
from neuralscope.data.sheet import Stroke
from neuralscope.engine import count_parameters
from neuralscope.runs import FINISHED, INTERRUPTED, QUEUED, RUNNING, SETTINGS, RunConfig, Store
from neuralscope.runs.records import LONGEST_NAME, LONGEST_NOTES, LONGEST_TAG, MOST_TAGS
from neuralscope.runs.settings import Choice, ChoicePerLayer, DatasetName, Number, Whole, Widths
from neuralscope.runs.snapshots import SnapshotInfo, write_state
from neuralscope.ui import canvas
from tests.pages.conftest import Page, Runs

Open = Callable[..., Page]

N_TRAINING = len(load_dataset("digits").x_train)


@dataclass(frozen=True)
class Made:
    """A run as it is written into the store.

    Attributes:
        settings: Of its configuration, on the built-in digits unless they say otherwise.
        epochs: How many are measured; -1 for not even the untrained network.
        snapshots: After which epochs there are some.
        loss: What is measured after each epoch, on training and validation data.
        step_losses: Of its first steps.
        row: Columns of its row that are not what follows from these.
    """

    settings: dict[str, Any]
    epochs: int
    snapshots: tuple[int, ...] = ()
    loss: float = 2.0
    step_losses: Sequence[float] = ()
    row: dict[str, Any] = field(default_factory=dict)

    def write(self, store: Store) -> str:
        """Write it and return its id."""
        config = RunConfig(**{"dataset": "digits", **self.settings})
        run_id = store.create(config)
        n_batches = -(-N_TRAINING // config.batch_size)
        measured = [
            (run_id, epoch, epoch * n_batches, float(epoch), self.loss, 0.1, self.loss, 0.5, 0.1)
            for epoch in range(self.epochs + 1)
        ]
        row = {
            "status": FINISHED,
            "started": 1e9,
            "ended": 2e9,
            "steps_per_epoch": n_batches,
            "epoch": max(self.epochs, 0),
            "step": max(self.epochs, 0) * n_batches,
            "seconds": max(self.epochs, 0.0),
            "samples_per_second": 1e5,
            "learning_rate": config.learning_rate,
            "best_epoch": 0,
            "best_validation_accuracy": 0.5,
            "test_loss": 2.0,
            "test_accuracy": 0.5,
            **self.row,
        }
        with store.database.writing() as db:
            assigned = ", ".join(f"{column} = ?" for column in row)
            db.execute(f"UPDATE runs SET {assigned} WHERE run_id = ?", (*row.values(), run_id))
            db.executemany(f"INSERT INTO epochs VALUES ({', '.join('?' * 9)})", measured)
            if len(self.step_losses):
                losses = np.asarray(self.step_losses, "<f4").tobytes()
                db.execute("INSERT INTO step_blocks VALUES (?, 1, 0.0, 9.0, ?)", (run_id, losses))
            db.execute(
                "INSERT INTO events (run_id, at, kind, text, epoch, step, seconds) "
                "VALUES (?, 1e9, 'learning_rate', ?, 0, 0, 0.0)",
                (run_id, "learning rate 1e-05 → 10 " * 40),
            )
        for epoch in self.snapshots:
            self._write_snapshot(store, run_id, config, epoch, n_batches)
        return run_id

    def _write_snapshot(
        self, store: Store, run_id: str, config: RunConfig, epoch: int, n_batches: int
    ) -> None:
        data, rng = load_dataset("digits"), np.random.default_rng(epoch)
        sizes = config.sizes(data.n_features, data.n_classes)
        answers = rng.dirichlet(np.ones(data.n_classes), len(data.y_validation))
        state = {
            "parameters": rng.standard_normal(count_parameters(sizes), np.float32) / 10,
            "validation_probabilities": answers.astype(np.float16),
            "validation_predictions": answers.argmax(axis=1).astype(np.uint8),
        }
        info = SnapshotInfo(
            f"epoch-{epoch:05d}", epoch, epoch * n_batches, float(epoch), time.time()
        )
        write_state(store, run_id, info, state)


def ends() -> dict[str, dict[str, Any]]:
    """Return a configuration with every setting at its least, and one with every at its most."""
    ends: dict[str, dict[str, Any]] = {"least": {}, "most": {}}
    for name, setting in SETTINGS.items():
        match setting:
            case DatasetName():
                pass
            case Choice(names=names) | ChoicePerLayer(names=names):
                ends["least"][name], ends["most"][name] = names[0], names[-1]
            case Widths():
                ends["least"][name] = ()
                ends["most"][name] = (setting.most_units,) * setting.most_layers
            case Whole(minimum=minimum, maximum=maximum) | Number(minimum=minimum, maximum=maximum):
                ends["least"][name], ends["most"][name] = minimum, maximum
    return ends


def drawn(seed: int) -> dict[str, Any]:
    """Return a configuration in which each setting is at one of its ends, small to compute."""
    lot = random.Random(seed)
    settings = {name: lot.choice([end[name] for end in ends().values()]) for name in ends()["most"]}
    settings["hidden"] = lot.choice([(), (1,), (1, 1), (1,) * 6, (1024,)])
    settings["warmup_epochs"] = lot.choice([0, settings["epochs"] - 1])
    settings["warmup_epochs"] = min(settings["warmup_epochs"], 1_000)
    return settings


MANY = 10_000
MADE = {
    "least": Made(ends()["least"], 1, (0, 1)),
    "most": Made(
        ends()["most"],
        MANY,
        (0, MANY),
        step_losses=np.linspace(3.0, 0.0, 1_000_000),
        row={
            "name": "W" * LONGEST_NAME,
            "tags": json.dumps([f"{n:0{LONGEST_TAG}d}" for n in range(MOST_TAGS)]),
            "notes": "n" * LONGEST_NOTES,
            "message": "m" * 1_000,
            "origin": "o" * 1_000,
            "seconds": 1e9,
            "samples_per_second": 1e12,
            "best_epoch": MANY,
        },
    ),
    "one unit, all epochs": Made({"hidden": (1,), "epochs": MANY}, MANY, (0, 1, 5_000, MANY)),
    "one epoch short": Made({"epochs": MANY}, MANY - 1, (MANY - 1,), row={"status": "stopped"}),
    "no epoch": Made({"epochs": MANY}, 0, (0,), row={"status": INTERRUPTED, "test_accuracy": None}),
    "running, at the smallest rate": Made(
        ends()["least"],
        0,
        (0,),
        row={"status": RUNNING, "learning_rate": 1e-300, "steps_per_epoch": 0, "step": 10**6},
    ),
    "running, at the largest rate": Made(
        {"epochs": MANY, "learning_rate": 10.0},
        MANY - 1,
        (0,),
        loss=1e300,
        step_losses=(float("inf"), float("nan"), 1.0),
        row={"status": RUNNING, "learning_rate": 10.0, "step": 10**12},
    ),
    "queued": Made({"batch_size": 1024}, -1, (), row={"status": QUEUED, "learning_rate": None}),
    "nothing": Made(
        {},
        -1,
        (),
        row={
            "status": "failed",
            "started": None,
            "steps_per_epoch": 0,
            "epoch": 0,
            "step": 0,
            "seconds": 0.0,
            **dict.fromkeys(("samples_per_second", "learning_rate", "best_epoch")),
            **dict.fromkeys(("best_validation_accuracy", "test_loss", "test_accuracy")),
        },
    ),
    "epochs beyond all settings": Made(
        {"epochs": 1}, 2, (0, 1), row={"epoch": 10**12, "step": 10**15, "best_epoch": 10**12}
    ),
    "huge and tiny": Made(
        {},
        2,
        (0, 2),
        loss=float("inf"),
        step_losses=(1e30, 1e-30, float("inf"), float("nan")),
        row={
            "seconds": 1e300,
            "samples_per_second": 1e-300,
            "learning_rate": 1e-300,
            "test_loss": 1e300,
            "test_accuracy": 1.0,
            "best_validation_accuracy": 0.0,
        },
    ),
    "data that has gone": Made({"dataset": "own-signs-12345678"}, 2, (0, 2)),
    **{f"by lot {seed}": Made(drawn(seed), 2, (0, 2)) for seed in range(2)},
}
"""Runs by what is extreme about them."""

VIEWS = {
    "train": [{}, {"epoch": "0"}],
    "confusion": [{}, {"show": "errors", "of": "test"}],
    "mistakes": [{}, {"digit": "0", "of": "validation"}],
    "activations": [{}, {"view": "digit"}, {"view": "map"}],
    "draw": [{}],
    "runs": [{"runs": "{run}"}, {"runs": "{run}", "view": "race"}],
}
"""Pages, and what their addresses say besides the run."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("extremes") / "runs"


@pytest.fixture(scope="module")
def run_ids(folder: Path) -> dict[str, str]:
    with Store(folder) as store:
        return {name: made.write(store) for name, made in MADE.items()}


@pytest.fixture
def run_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All tests of this file look at one store, which none of them changes."""
    monkeypatch.setenv("NEURALSCOPE_STORE", str(folder))
    return folder


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("page", VIEWS)
def test_every_page_draws_it(
    page: str,
    name: str,
    run_ids: dict[str, str],
    runs: Runs,
    open_page: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stroke = Stroke(((0.1, 0.5), (0.9, 0.5)))
    monkeypatch.setattr(canvas, "show", lambda *args, **options: [stroke])
    # The largest network is explained in seconds; that of one digit is looked at in smaller ones.
    for view in VIEWS[page][: 1 if name == "most" else None]:
        query = {key: text.format(run=run_ids[name]) for key, text in view.items()}
        open_page(f"pages/{page}.py", dataset=None, run=run_ids[name], **query)


def test_all_of_them_are_listed_and_compared(run_ids: dict[str, str], open_page: Open) -> None:
    chosen = ",".join([run_ids["least"], run_ids["most"], run_ids["huge and tiny"]])
    open_page("pages/runs.py", dataset=None)
    open_page("pages/runs.py", dataset=None, runs=chosen, view="compare")


@pytest.mark.parametrize("settings", [*ends().values(), *map(drawn, range(6))])
def test_the_form_shows_what_it_allows(settings: dict[str, Any], open_page: Open) -> None:
    config = RunConfig(**{"dataset": "digits", **settings})
    page = open_page(run=None, **config.as_query())
    assert page.said("error") == []
    assert page.query == config.as_query()


@pytest.mark.parametrize("page", VIEWS)
def test_an_address_of_any_length_is_answered_in_short(
    page: str, run_ids: dict[str, str], open_page: Open
) -> None:
    long = "x" * 100_000
    names = ("of", "show", "kind", "order", "true", "digit", "view", "layer", "unit", "start")
    query = dict.fromkeys([*SETTINGS, *names, "epoch", "compare", "runs", "search", "sort"], long)
    for run in (run_ids["least"], long):
        shown = open_page(f"pages/{page}.py", **query, run=run)
        assert max(map(len, shown.said("error", "warning", "info")), default=0) < 900
