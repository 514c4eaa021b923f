"""`runs stop`, `pause` and `continue`: a run that another process trains, told what to do."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from neuralscope.cli.lookup import find_run, store_with
from neuralscope.cli.parser import Command, add_json, add_store
from neuralscope.cli.printing import print_json
from neuralscope.cli.status import DONE, Mistake, WorkFailed

if TYPE_CHECKING:
    from neuralscope.runs import Run

PATIENCE = 15.0
"""Seconds in which a trainer should have obeyed; one without a sign of life is gone after four."""


def _command(summary: str, verb: str, kind: str, is_done: Callable[[Run], bool]) -> Command:
    """Return a command that asks a trainer for something and waits until it has obeyed.

    Args:
        summary: What it does.
        verb: What the run is to do.
        kind: What the trainer is asked for, see `Store.send`.
        is_done: Whether a run is as it should be.
    """

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("run_id", metavar="RUN_ID", help="a run, or the beginning of its id")
        add_store(parser)
        add_json(parser)

    def run(options: argparse.Namespace) -> int:
        with store_with(options.run_id, options) as store:
            run = find_run(store, options.run_id)
            if not run.is_active:
                raise Mistake(_is_over(run, verb))
            if not is_done(run):
                store.send(run.run_id, kind)
            deadline = time.monotonic() + PATIENCE
            while not is_done(run := store.run(run.run_id)) and run.is_active:
                if time.monotonic() > deadline:
                    raise WorkFailed(
                        f"Run {run.run_id} is {run.status} still; it will {verb} when its trainer "
                        "next looks for commands. The training process may be suspended."
                    )
                time.sleep(0.05)
        if not is_done(run):
            raise WorkFailed(f"Run {run.run_id} was {run.status} before it could {verb}.")
        if options.json:
            print_json({"run_id": run.run_id, "status": run.status})
        else:
            print(
                f"Run {run.run_id} is {run.status} after {run.epoch} of {run.config.epochs} epochs."
            )
        return DONE

    return Command(summary, add_arguments, run)


def _is_over(run: Run, verb: str) -> str:
    from neuralscope.runs.lineage import can_resume

    said = f"Run {run.run_id} is {run.status}, so there is nothing to {verb}"
    if verb == "continue" and not can_resume(run):
        return f"{said}; go on with it with: python -m neuralscope resume {run.run_id}"
    return f"{said}."


COMMANDS = {
    "stop": _command("stop a run that is trained", "stop", "stop", lambda run: not run.is_active),
    "pause": _command(
        "pause a run that is trained", "pause", "pause", lambda run: run.status == "paused"
    ),
    "continue": _command(
        "let a paused run go on",
        "continue",
        "resume",
        lambda run: run.status in ("queued", "running"),
    ),
}
