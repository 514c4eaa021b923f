"""A run in rows and facts: its measurements as CSV, its configuration as JSON."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, BinaryIO

from neuralscope.exports.trained import finite
from neuralscope.runs import Run, Store


def write_csv(store: Store, run_id: str, file: BinaryIO) -> None:
    """Write a row for each epoch, with full precision; epoch 0 is before training."""
    store.run(run_id)
    epochs = store.epochs(run_id)
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(epochs._fields)
    rows.writerows(zip(*(column.tolist() for column in epochs), strict=True))
    file.write(text.getvalue().encode())


def write_json(store: Store, run_id: str, file: BinaryIO) -> None:
    """Write what was trained, on what, with what, and what came of it."""
    text = json.dumps(facts_of(store.run(run_id)), indent=2, ensure_ascii=False, allow_nan=False)
    file.write(f"{text}\n".encode())


def facts_of(run: Run) -> dict[str, Any]:
    """Return what is known of a run but its curves, as JSON can hold it."""
    return {
        "run_id": run.run_id,
        "name": run.name,
        "status": run.status,
        "message": run.message,
        "config": run.config.as_dict(),
        "data_digest": run.data_digest,
        "versions": run.versions,
        "machine": run.machine,
        "created": run.created,
        "started": run.started,
        "ended": run.ended,
        "steps_per_epoch": run.steps_per_epoch,
        "epoch": run.epoch,
        "step": run.step,
        "seconds": run.seconds,
        "samples_per_second": finite(run.samples_per_second),
        "learning_rate": finite(run.learning_rate),
        "best_epoch": run.best_epoch,
        "best_validation_accuracy": finite(run.best_validation_accuracy),
        "test_loss": finite(run.test_loss),
        "test_accuracy": finite(run.test_accuracy),
    }
