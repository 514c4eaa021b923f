"""A run as a page of its own: one file that any browser opens, without a server or a network.

The file is a fixed page (report.html with report.css and report.js) and one block of JSON. Text
that people wrote is in the JSON only, in which nothing can end the block, and the script shows it
as text. The page also forbids the browser everything that is not in the page itself: no request,
and no script but ours, which is named by its digest (https://www.w3.org/TR/CSP3/).

So that the slider can move through the epochs, the page holds for each of them the confusion
matrix, the surest mistakes and the weights of some units. The pictures share a budget, and where
there is much of one kind there is less of another.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from neuralscope.analysis import confusion_counts, worst_mistakes
from neuralscope.data import Dataset, dataset_title
from neuralscope.engine import Network
from neuralscope.errors import WeightsError
from neuralscope.exports.tables import facts_of
from neuralscope.exports.trained import data_of, network_of, pictures_of
from neuralscope.runs import (
    SETTINGS,
    Epochs,
    Run,
    Snapshot,
    SnapshotInfo,
    Store,
    list_snapshots,
    load_snapshot,
    when,
)

MOST_FRAMES = 40
MOST_POINTS = 500
MOST_MISTAKES = 12
MOST_UNITS = 40
PICTURE_BYTES = 1_200_000
"""Of weights, and of mistakes again; written as text they take a third more."""


def write_html(store: Store, run_id: str, file: BinaryIO) -> None:
    """Write the report of a run, with as much as there is: a run without snapshots has curves.

    Raises:
        RunNotFound: There is no such run.
    """
    run = store.run(run_id)
    report = {
        "run": facts_of(run),
        "settings": _settings(run),
        "events": [event._asdict() for event in store.events(run_id)[-200:]],
        "epochs": _curves(store.epochs(run_id)),
        **_pictures(store, run),
        "colors": _colors(),
    }
    file.write(page_of(run.name, report).encode())


def page_of(title: str, report: dict[str, Any]) -> str:
    """Return the page with its data in it."""
    here = files("neuralscope.exports")
    style, script = ((here / f"report.{end}").read_text("utf-8") for end in ("css", "js"))
    parts = {
        "title": html.escape(title),
        "policy": html.escape(
            f"default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
            f"script-src {_digest(script)}; style-src {_digest(style)}"
        ),
        "style": style,
        "script": script,
        "report": _inert(report),
    }
    page = (here / "report.html").read_text("utf-8")
    # In one go: what is put in is never looked through for places to fill.
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], page)


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _inert(report: dict[str, Any]) -> str:
    """Return JSON that an HTML parser finds nothing in."""
    text = json.dumps(report, allow_nan=False, separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _settings(run: Run) -> list[tuple[str, str]]:
    """Return label and value of every setting that had a say."""
    told = {name: setting.text(getattr(run.config, name)) for name, setting in SETTINGS.items()}
    told["dataset"] = dataset_title(run.config.dataset)
    return [
        (setting.label, told[name]) for name, setting in SETTINGS.items() if run.config.uses(name)
    ]


def _curves(epochs: Epochs) -> dict[str, list[float | None]]:
    """Return the measurements of at most `MOST_POINTS` epochs, the first and the last included."""
    n = len(epochs.epoch)
    which = np.unique(np.linspace(0, n - 1, min(n, MOST_POINTS)).round().astype(int))
    names = ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy")
    curves = {name: _numbers(getattr(epochs, name)[which]) for name in names}
    return {"epoch": epochs.epoch[which].tolist(), **curves}


def _numbers(values: npt.NDArray[np.floating]) -> list[float | None]:
    return [float(f"{value:.5g}") if np.isfinite(value) else None for value in values.tolist()]


# What the slider moves through -------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Frame:
    """One moment of the run."""

    info: SnapshotInfo
    snapshot: Snapshot
    network: Network


def _pictures(store: Store, run: Run) -> dict[str, Any]:
    """Return the frames, and what they draw from."""
    frames = _frames(store, run)
    if not frames:
        return {"frames": [], "classes": [], "data": ""}
    network = frames[-1].network
    n_features, n_classes = network.sizes[0], network.sizes[-1]
    pictures = pictures_of(run.config, n_features, n_classes)
    data = data_of(run)
    if data is not None and (data.n_features, data.n_classes) != (n_features, n_classes):
        data = None
    drawn: list[dict[str, Any]] = [
        {"label": when(run, frame.info), "epoch": frame.info.epoch} for frame in frames
    ]
    weights = _add_weights(drawn, frames)
    found = {} if data is None else _add_answers(drawn, frames, data)
    return {
        "frames": drawn,
        "classes": list(pictures.class_names),
        "shape": list(pictures.image_shape),
        "data": dataset_title(run.config.dataset),
        **weights,
        **found,
    }


def _frames(store: Store, run: Run) -> list[_Frame]:
    """Return at most `MOST_FRAMES` moments, the first and the last included."""
    snapshots = list_snapshots(store, run.run_id)
    which = np.linspace(0, len(snapshots) - 1, min(len(snapshots), MOST_FRAMES)).round()
    frames = []
    for index in which.astype(int).tolist():
        try:
            snapshot = load_snapshot(store, run.run_id, snapshots[index])
            network = network_of(snapshot, run.config)
        except WeightsError:
            continue  # a film with a frame missing is a film still
        frames.append(_Frame(snapshots[index], snapshot, network))
    return frames


def _add_weights(drawn: Sequence[dict[str, Any]], frames: Sequence[_Frame]) -> dict[str, Any]:
    """Give each frame the weights into the first units, as places on the scale of colours."""
    from neuralscope.charts.colors import diverging_index
    from neuralscope.charts.images import weight_limit

    n_features, n_units = frames[0].network.layers[0].weight.shape
    most = PICTURE_BYTES // (n_features * len(frames))
    shown = max(1, min(n_units, MOST_UNITS, most))
    limit = max(weight_limit(frame.network.layers[0].weight[:, :shown]) for frame in frames)
    for each, frame in zip(drawn, frames, strict=True):
        weight = frame.network.layers[0].weight[:, :shown]
        each["weights"] = _text(diverging_index(weight.T, limit))
    return {"units": n_units, "units_shown": shown, "weight_limit": float(limit)}


def _add_answers(
    drawn: Sequence[dict[str, Any]], frames: Sequence[_Frame], data: Dataset
) -> dict[str, Any]:
    """Give each frame its confusion matrix and its surest mistakes; return their pictures."""
    most = PICTURE_BYTES // (data.n_features * len(frames))
    most = max(4, min(MOST_MISTAKES, most))
    places: dict[int, int] = {}
    for each, frame in zip(drawn, frames, strict=True):
        said = frame.snapshot.validation_probabilities
        if len(said) != len(data.y_validation):
            continue
        predicted = frame.snapshot.validation_predictions
        counts = confusion_counts(data.y_validation, predicted, data.n_classes)
        worst = worst_mistakes(said, data.y_validation, most)
        each["counts"] = counts.ravel().tolist()
        each["mistakes"] = [
            {
                "picture": places.setdefault(index, len(places)),
                "index": index,
                "true": true,
                "predicted": answer,
                "confidence": round(confidence, 4),
            }
            for index, true, answer, confidence in zip(
                worst.index.tolist(),
                worst.true.tolist(),
                worst.predicted.tolist(),
                worst.confidence.tolist(),
                strict=True,
            )
        ]
    pixels = data.x_validation[list(places)].astype(np.float32) * (255 / data.pixel_max)
    return {"pictures": _text(np.rint(pixels).clip(0, 255).astype(np.uint8))}


def _text(array: npt.NDArray[np.uint8]) -> str:
    return base64.b64encode(array.tobytes()).decode()


def _colors() -> dict[str, str]:
    """Return the colours that the script computes with; the others stand in report.css."""
    from neuralscope.charts import colors

    return {
        "train": colors.TRAIN,
        "validation": colors.VALIDATION,
        "right": colors.RIGHT,
        "wrong": colors.WRONG,
        "paper": colors.PAPER,
        "ink": colors.INK_ON_LIGHT,
        "diverging": _text(colors.diverging_ramp()),
    }
