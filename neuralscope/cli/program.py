"""The program: from the arguments to a command, and from how it ends to an exit status."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any, NoReturn

from neuralscope.cli import dashboard, evaluate, export, lr_find, predict, resume, runs, train, view
from neuralscope.cli.parser import Parser, add_commands
from neuralscope.cli.status import BROKEN_PIPE, DONE, FAILED, INTERRUPTED, status_of
from neuralscope.cli.status_line import StatusLine, say
from neuralscope.errors import NeuralScopeError
from neuralscope.version import __version__

COMMANDS = {
    "train": train.COMMAND,
    "resume": resume.COMMAND,
    "lr-find": lr_find.COMMAND,
    "evaluate": evaluate.COMMAND,
    "predict": predict.COMMAND,
    "view": view.COMMAND,
    "runs": runs.COMMAND,
    "export": export.COMMAND,
    "dashboard": dashboard.COMMAND,
}


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        argv: The arguments; None for those of this process.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a letter gets its code: no reason to lose the line, or the result.
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    try:
        with _ended_by_signals():
            status = _run(sys.argv[1:] if argv is None else argv)
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Whoever was reading has seen enough.
        _forget_output()
        return BROKEN_PIPE
    except OSError as error:
        StatusLine(sys.stderr).say(
            f"neuralscope: standard output cannot be written: {error.strerror or error}."
        )
        _forget_output()
        return FAILED


def _forget_output() -> None:
    """Let go of what could not be written: at exit, Python would try once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: list[str]) -> int:
    parser = _parser(arguments)
    try:
        options, unknown = parser.parse_known_args(arguments)
        if unknown:
            options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    except SystemExit as end:  # help, version and mistakes
        return int(end.code or DONE)
    try:
        status: int = options.run(options)
        return status
    except KeyboardInterrupt:
        say("interrupted.", options)
        return INTERRUPTED
    except NeuralScopeError as error:
        say(str(error), options)
        return status_of(error)
    except BrokenPipeError:
        raise
    except OSError as error:
        if sys.stdout is not None:
            sys.stdout.flush()  # fails again if it is standard output that cannot be written
        where = f"{error.filename}: " if error.filename else ""
        say(f"{where}{error.strerror or error}.", options)
        return status_of(error)
    except MemoryError as error:
        say("there is not enough memory for this.", options)
        return status_of(error)


def _parser(arguments: Sequence[str]) -> Parser:
    """Return the parser; of the commands, only one that is named gets its arguments."""
    parser = Parser(
        prog="neuralscope",
        description="Train a neural network of plain NumPy, and watch it learn.",
        epilog="python -m neuralscope COMMAND --help tells more about a command.",
    )
    parser.add_argument("-V", "--version", action="version", version=f"neuralscope {__version__}")
    add_commands(parser, COMMANDS, arguments)
    return parser


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP do what Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():  # only it may listen
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            # What is ignored stays so: that is how nohup works.
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
