"""What came of a training: its weights in a file, a result, and a few words."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuralscope.cli.printing import plain, print_json
from neuralscope.cli.status import DONE, FAILED, INTERRUPTED, Mistake
from neuralscope.cli.status_line import say
from neuralscope.cli.words import duration, number, percent
from neuralscope.errors import WeightsError

if TYPE_CHECKING:
    from neuralscope.engine import Network
    from neuralscope.runs import Run, Store


DEFAULT_OUTPUT = "trained_weights.npz"


def add_output(parser: argparse._ActionsContainer) -> None:
    """Add the flag that says where the weights go."""
    parser.add_argument(
        "--output",
        metavar="FILE",
        default=DEFAULT_OUTPUT,
        help=f"where the weights are written at the end [default: {DEFAULT_OUTPUT}]",
    )


def output_of(options: argparse.Namespace) -> Path | None:
    """Return where the weights go, None for nowhere.

    Raises:
        Mistake: It cannot be written.
    """
    if options.output == os.devnull:
        return None
    output = Path(options.output)
    check_writable(output)
    return output


def check_writable(output: Path) -> None:
    """Find out before hours of work, not after. Raises Mistake."""
    try:
        if output.exists() and not output.is_file():
            raise Mistake(f"The output {output} is no file that could be written.")
        if not output.parent.is_dir():
            raise Mistake(
                f"The output {output} cannot be written: there is no folder {output.parent}."
            )
        # As the weights will be written: under a temporary name, in the same folder.
        tempfile.NamedTemporaryFile(dir=output.parent, prefix=f".{output.name}.").close()
    except OSError as error:
        raise Mistake(
            f"The output {output} cannot be written: {error.strerror or error}."
        ) from error


def result_of(store: Store, run: Run) -> dict[str, Any]:
    """Return what came of a run, for `--json` and for the weights file."""
    measured = store.epochs(run.run_id)
    validation_accuracy = measured.validation_accuracy[-1] if run.epoch else None
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
) -> int:
    """Write the weights, say how it went, and return the exit status."""
    from neuralscope import runs

    status = {runs.FINISHED: DONE, runs.STOPPED: DONE, runs.INTERRUPTED: INTERRUPTED}.get(
        run.status, FAILED
    )
    written = None
    if status != FAILED and output is not None and network is not None and run.step:
        try:
            network.save(output, _metadata(run, result))
            written = str(output)
        except WeightsError as error:
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
    return status


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
