"""Where a command writes its file, and what must not be lost there.

A file is replaced in these cases; in all others the command says what is there and ends, and
`--force` replaces that too.

    any command    an empty file, and a file of the same run
    train          also the weights that another run has left there: its default is one name for
                   all runs, whose weights stay in the store. It says whose they were.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from neuralscope.cli.status import FAULTS_OF_THE_DISK, Mistake, WorkFailed
from neuralscope.cli.words import one_line
from neuralscope.errors import WeightsError

DEFAULT_OUTPUT = "trained_weights.npz"

MOST_BYTES = 64 << 20
"""How far into a file a run's id is looked for."""


def add_output(parser: argparse._ActionsContainer) -> None:
    """Add the flags that say where the weights go."""
    parser.add_argument(
        "--output",
        metavar="FILE",
        default=DEFAULT_OUTPUT,
        help=f"where the weights are written at the end [default: {DEFAULT_OUTPUT}]",
    )
    add_force(parser)


def add_force(parser: argparse._ActionsContainer) -> None:
    """Add the flag that replaces any file."""
    parser.add_argument(
        "--force", action="store_true", help="replace the output file whatever it holds"
    )


def output_of(options: argparse.Namespace) -> Path | None:
    """Return where the weights go, None for nowhere.

    Raises:
        Mistake: It can be no file.
        WorkFailed: It may not be written, or there is no room for it.
    """
    if options.output == os.devnull:
        return None
    output = Path(options.output)
    check_writable(output)
    return output


def check_writable(output: Path) -> None:
    """Find out before hours of work, not after.

    Raises:
        Mistake: It can be no file.
        WorkFailed: It may not be written, or there is no room for it.
    """
    try:
        if output.exists() and not output.is_file():
            raise Mistake(f"The output {output} is no file that could be written.")
        if not output.parent.is_dir():
            raise Mistake(
                f"The output {output} cannot be written: there is no folder {output.parent}."
            )
        # As the weights will be written: under a temporary name, in the same folder.
        tempfile.NamedTemporaryFile(dir=output.parent, prefix=f".{output.name[:40]}.").close()
    except OSError as error:
        is_refused = isinstance(error, PermissionError) or error.errno in FAULTS_OF_THE_DISK
        kind = WorkFailed if is_refused else Mistake
        raise kind(f"The output {output} cannot be written: {error.strerror or error}.") from error


def check_replaceable(
    output: Path, options: argparse.Namespace, run_id: str = "", *, takes_any_run: bool = False
) -> str:
    """Return whose weights a file holds that may be replaced: another run's id, else nothing.

    Args:
        output: The file, which need not be there.
        options: With `force`, which allows everything.
        run_id: The run that is to be written; none while it has no id yet.
        takes_any_run: Whether the weights of another run may be replaced.

    Raises:
        Mistake: It holds what must not be lost; says how to go on.
    """
    try:
        is_free = options.force or not output.exists() or not output.stat().st_size
        if is_free or (run_id and _names(output, run_id)):
            return ""
    except OSError as error:
        raise Mistake(f"The output {output} cannot be read: {error.strerror or error}.") from error
    owner = _run_of_weights(output)
    if owner == run_id and owner:
        return ""
    if owner and takes_any_run:
        return owner
    holds = f"holds the weights of run {owner}" if owner else "is there already"
    raise Mistake(
        f"The output {output} {holds}: name another file with --output, or replace it with --force."
    )


def _names(path: Path, run_id: str) -> bool:
    """Return whether a file's name or text names a run."""
    if run_id in path.name:
        return True
    with path.open("rb") as file:
        return run_id.encode() in file.read(MOST_BYTES)


def _run_of_weights(path: Path) -> str:
    """Return the id of the run whose weights a file holds; empty if it holds none."""
    from neuralscope.engine import Network

    try:
        owner = Network.load(path).metadata.get("run_id")
    except WeightsError:
        return ""
    return one_line(owner)[:60] if isinstance(owner, str) else ""
