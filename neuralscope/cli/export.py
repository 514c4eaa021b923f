"""`export`: a run in another form, as a file."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

from neuralscope.cli.lookup import find_run, store_with
from neuralscope.cli.outputs import add_force, check_replaceable, check_writable
from neuralscope.cli.parser import Command, add_json, add_store
from neuralscope.cli.printing import print_json
from neuralscope.cli.status import DONE, WorkFailed
from neuralscope.cli.words import one_line

# Those of `exports.FORMATS`, which costs NumPy to import.
FORMATS = ("npz", "onnx", "csv", "json", "python", "html", "run")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_id", metavar="RUN_ID", help="a run, or the beginning of its id")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        required=True,
        help="npz: the weights; onnx: the network for other programs; csv: the measurements; "
        "json: the configuration; python: a script that predicts; html: a report; "
        "run: all of it, for `runs import`",
    )
    parser.add_argument(
        "--output",
        metavar="F",
        type=Path,
        help="file to write [default: the run's id, in this folder]",
    )
    add_force(parser)
    add_store(parser)
    add_json(parser)


def _run(options: argparse.Namespace) -> int:
    from neuralscope import exports
    from neuralscope.exports.onnx_model import MISSING

    if options.format == "onnx" and find_spec("onnx") is None:
        raise WorkFailed(MISSING)
    with store_with(options.run_id, options) as store:
        run_id = find_run(store, options.run_id).run_id
        form = exports.FORMATS[options.format]
        output: Path = options.output or Path(form.file_name(run_id))
        check_writable(output)
        check_replaceable(output, options, run_id)
        exports.write(store, run_id, options.format, output)
    size = output.stat().st_size
    if options.json:
        print_json(
            {"run_id": run_id, "format": options.format, "output": str(output), "bytes": size}
        )
    else:
        print(f"Wrote {one_line(str(output))} ({size:,} bytes).")
    return DONE


COMMAND = Command("write a run in another form", _add_arguments, _run)
