"""What came of a training: its weights in a file, a result, and a few words."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuralscope.cli.outputs import check_replaceable
from neuralscope.cli.printing import plain, print_json
from neuralscope.cli.status import DONE, FAILED, INTERRUPTED, Mistake
from neuralscope.cli.status_line import say
from neuralscope.cli.words import duration, number, percent
from neuralscope.errors import StoreError, WeightsError

if TYPE_CHECKING:
    from neuralscope.engine import Network
    from neuralscope.runs import Run, Store


def result_of(store: Store, run: Run) -> dict[str, Any]:
    """Return what came of a run, for `--json` and for the weights file."""
    measured = store.epochs(run.run_id)
    validation_accuracy = (
        measured.validation_accuracy[-1] if len(measured.epoch) and run.epoch else None
    )
    is_restored = any(event.kind == "restored" for event in store.events(run.run_id))
    if is_restored:  # the weights are not those of the last epoch
        validation_accuracy = run.best_validation_accuracy
    return {
        "run_id": run.run_id,
        "name": run.name,
        "status": run.status,
        "message": run.message,
        "dataset": run.config.dataset,
        "data_digest": run.data_digest,
        "epochs": run.epoch,
        "steps": run.step,
        "validation_accuracy": validation_accuracy,
        "restored_epoch": run.best_epoch if is_restored else None,
        "best_epoch": run.best_epoch,
        "best_validation_accuracy": run.best_validation_accuracy,
        "test_accuracy": run.test_accuracy,
        "test_loss": run.test_loss,
        "seconds": run.seconds,
        "samples_per_second": run.samples_per_second,
        "config": run.config.as_dict(),
        "store": str(store.path),
    }


def conclude(
    options: argparse.Namespace,
    store: Store,
    run: Run,
    network: Network | None,
    output: Path | None,
    result: dict[str, Any],
    *,
    takes_any_run: bool = False,
) -> int:
    """Write the weights, say how it went, and return the exit status.

    Args:
        options: Of the command.
        store: Where the run is kept.
        run: The run as it ended.
        network: What it has learned, if it came to that.
        output: Where the weights go; None for nowhere.
        result: What came of the run, see `result_of`.
        takes_any_run: Whether the weights may replace those of another run.
    """
    from neuralscope import runs

    status = {runs.FINISHED: DONE, runs.STOPPED: DONE, runs.INTERRUPTED: INTERRUPTED}.get(
        run.status, FAILED
    )
    written = None
    if status != FAILED and output is not None and network is not None and run.step:
        try:
            # Looked at again: the training may have taken hours.
            former = check_replaceable(output, options, run.run_id, takes_any_run=takes_any_run)
            network.save(output, _metadata(run, result))
            written = str(output)
            if former:
                say(_replaced(store, former, output), options)
        except (Mistake, WeightsError) as error:
            say(f"{error} Run {run.run_id} in the store {store.path} has them.", options)
            status = FAILED
    if run.status == runs.INTERRUPTED:
        kept = f"its weights are in {written}" if written else "no weights were written"
        say(f"{run.message} Run {run.run_id} is kept after {_so_far(run)}; {kept}.", options)
    elif run.status not in (runs.FINISHED, runs.STOPPED):
        snapshots = f" Its snapshots are in {store.folder(run.run_id)}." if run.epoch else ""
        say(f"{run.message} No weights were written.{snapshots}", options)
    if options.json:
        print_json({**result, "output": written})
    elif run.status in (runs.FINISHED, runs.STOPPED):
        _print_summary(run, result, written)
        _print_diagnosis(store, run, result)
    return status


def _replaced(store: Store, former: str, output: Path) -> str:
    """Say whose weights were replaced, and where they still are."""
    replaced = f"{output} held the weights of run {former}, which are replaced"
    try:
        store.run(former)
    except StoreError:
        return f"{replaced}; name another file with --output to keep both."
    return f"{replaced}; the run has them still: export {former} --format npz"


def _metadata(run: Run, result: dict[str, Any]) -> dict[str, Any]:
    """Return what a weights file tells about itself."""
    from neuralscope.data import dataset_info

    contents = dataset_info(run.config.dataset).contents
    told = ("run_id", "dataset", "data_digest", "epochs", "config")
    scores = ("validation_accuracy", "test_accuracy", "test_loss")
    about = {
        "image_shape": contents.image_shape,
        "class_names": contents.class_names,
        "pixel_max": contents.pixel_max,
        "recipe": None if run.recipe is None else run.recipe.as_json(),
        **{name: result[name] for name in told + scores},
    }
    return {name: plain(value) for name, value in about.items()}


def _so_far(run: Run) -> str:
    epochs = "1 epoch" if run.epoch == 1 else f"{run.epoch} epochs"
    return epochs if run.epoch or not run.step else f"{run.step} steps of its first epoch"


def _print_summary(run: Run, result: dict[str, Any], written: str | None) -> None:
    pace = f" ({run.samples_per_second:,.0f} examples/s)" if run.samples_per_second else ""
    print(f"{run.status.capitalize()} after {_so_far(run)} in {duration(run.seconds)}{pace}.")
    if run.message:
        print(run.message)
    if run.epoch:
        best = f"best {percent(run.best_validation_accuracy)} after epoch {run.best_epoch}"
        print(f"validation accuracy  {percent(result['validation_accuracy'])} ({best})")
    print(f"test accuracy        {percent(run.test_accuracy)}")
    print(f"test loss            {number(run.test_loss)}")
    print(f"run                  {run.run_id}")
    print(f"weights              {written or 'not written'}")


def _print_diagnosis(store: Store, run: Run, result: dict[str, Any]) -> None:
    """Say what is wrong with the run, in the words of the dashboard; nothing where all is well."""
    from neuralscope.analysis import (
        circumstances_of,
        find_overfitting,
        judge_accuracy,
        judge_layers,
        tell_baseline,
        tell_health,
        tell_overfitting,
    )
    from neuralscope.analysis.health import RECENT
    from neuralscope.data import known_dataset

    data = known_dataset(run.config.dataset)
    if data is not None and run.test_accuracy is not None:
        verdict = judge_accuracy(run.test_accuracy, data.n_test, data.contents.label_counts)
        if sentence := tell_baseline(verdict):
            print(sentence)
    epochs = store.epochs(run.run_id)
    overfitting = find_overfitting(epochs.epoch, epochs.train_loss, epochs.validation_loss)
    if overfitting is not None and result["restored_epoch"] is None:
        print(tell_overfitting(overfitting))
    health = store.health(run.run_id, last=RECENT)
    if health and health[-1].epoch == run.epoch:
        seen = circumstances_of(run.config, epochs, run.learning_rate)
        for _, sentence in tell_health(judge_layers([end.layers for end in health], seen)):
            print(sentence)
