"""`runs import`: a file from elsewhere becomes a run of the store."""

from __future__ import annotations

import argparse
import sys

from neuralscope.cli.datasets import load
from neuralscope.cli.parser import Command, add_json, add_store
from neuralscope.cli.printing import print_json
from neuralscope.cli.status import DONE
from neuralscope.cli.status_line import StatusLine
from neuralscope.cli.words import one_line, percent


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", help="a run file (`export --format run`), or a weights file (.npz)"
    )
    add_store(parser)
    add_json(parser)


def _run(options: argparse.Namespace) -> int:
    from neuralscope import exports
    from neuralscope.runs import Store

    line = StatusLine(sys.stderr)
    with Store(options.store or None) as store:
        run_id = exports.import_file(store, options.file, load=lambda name: load(name, line))
        run = store.run(run_id)
    if options.json:
        print_json(run)
    else:
        print(f"Imported as run {run_id}: {one_line(run.name)}.")
        print(f"{run.status.capitalize()}, test accuracy {percent(run.test_accuracy)}.")
    return DONE


COMMAND = Command("add a run from a file to the store", _add_arguments, _run)
