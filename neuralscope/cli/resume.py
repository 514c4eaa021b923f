"""`resume` goes on with a run; `runs reproduce` trains one again and compares the two."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from neuralscope.cli.datasets import load
from neuralscope.cli.lookup import find_run, store_with
from neuralscope.cli.outcome import conclude, result_of
from neuralscope.cli.outputs import add_output, check_replaceable, output_of
from neuralscope.cli.parser import Command, add_json, add_store
from neuralscope.cli.printing import print_json
from neuralscope.cli.progress import train_in_sight
from neuralscope.cli.status import DONE, FAILED, INTERRUPTED, Mistake, WorkFailed
from neuralscope.cli.status_line import StatusLine, say
from neuralscope.cli.words import one_line
from neuralscope.errors import StoreError

if TYPE_CHECKING:
    from neuralscope.engine import Network
    from neuralscope.runs import Run, Store


def _add_resume_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Go on with a run where it was stopped or killed, or give a finished one more epochs. "
        "It ends in the same bits as if it had never stopped."
    )
    parser.add_argument("run_id", metavar="RUN_ID", help="a run, or the beginning of its id")
    parser.add_argument(
        "--epochs",
        metavar="N",
        help="epochs the run is to have in the end [default: as many as it was asked for]",
    )
    add_output(parser)
    add_store(parser)
    add_json(parser)


def _resume(options: argparse.Namespace) -> int:
    from neuralscope.runs import SETTINGS, lineage

    epochs = None
    if options.epochs is not None:
        epochs = SETTINGS["epochs"].parse("epochs", options.epochs)
    output = output_of(options)
    line = StatusLine(sys.stderr)
    with store_with(options.run_id, options) as store:
        run = find_run(store, options.run_id)
        if output is not None:
            check_replaceable(output, options, run.run_id)
        lineage.resume(store, run.run_id, epochs=epochs)
        line.say(f"Going on with run {run.run_id} after {run.step:,} steps: {one_line(run.name)}.")
        run, network = _train(store, run.run_id, line)
        return conclude(options, store, run, network, output, result_of(store, run))


def _train(store: Store, run_id: str, line: StatusLine) -> tuple[Run, Network | None]:
    """Train a queued run in this process."""
    name = store.run(run_id).config.dataset
    try:
        dataset = load(name, line)
        return train_in_sight(line, store, run_id, dataset)
    except StoreError as error:
        raise WorkFailed(str(error)) from error


def _add_reproduce_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Train a run again from its configuration and say whether the same bits have come out, "
        "or what differs. Exits with 1 if they have not."
    )
    parser.add_argument("run_id", metavar="RUN_ID", help="a run, or the beginning of its id")
    add_store(parser)
    add_json(parser)


def _reproduce(options: argparse.Namespace) -> int:
    from neuralscope.runs import lineage

    line = StatusLine(sys.stderr)
    with store_with(options.run_id, options) as store:
        original = find_run(store, options.run_id)
        if not original.step:
            raise Mistake(f"Run {original.run_id} has not taken a step that could be compared.")
        again_id = lineage.reproduce(store, original.run_id)
        line.say(f"Training run {original.run_id} again, as run {again_id}.")
        again, _ = _train(store, again_id, line)
        verdict = lineage.verdict(store, original.run_id, again_id)
        result: dict[str, Any] = {
            **result_of(store, again),
            "original": original.run_id,
            "identical": verdict.is_identical,
            "verdict": verdict.text,
            "reasons": list(verdict.reasons),
            "first_epoch": verdict.first_epoch,
        }
    if again.message and not again.test_accuracy:
        say(again.message, options)
    if options.json:
        print_json(result)
    else:
        print(verdict.text)
    if again.status == "interrupted":
        return INTERRUPTED
    return DONE if verdict.is_identical else FAILED


COMMAND = Command("go on with a run that has ended", _add_resume_arguments, _resume)
REPRODUCE = Command("train a run again and compare the two", _add_reproduce_arguments, _reproduce)
