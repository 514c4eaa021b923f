"""What a command is, how its arguments are read, and the flags that several have."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from neuralscope.cli.status import DONE, MISTAKEN
from neuralscope.cli.words import one_line
from neuralscope.errors import shortened


@dataclass(frozen=True)
class Command:
    """A command: one line about it, its arguments, and what it does."""

    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int] | None = None  # None: it only has commands itself


class Parser(argparse.ArgumentParser):
    """Answers a mistake with one line instead of a page of usage."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False)
        # -1e-3 and -inf are numbers too: refused for what they are, not taken for flags.
        self._negative_number_matcher = re.compile(r"-(\d|\.\d|inf|nan)", re.IGNORECASE)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end."""
        self.exit(MISTAKEN, f"{self.prog}: {shortened(one_line(message))}\n")


def add_commands(
    parser: argparse.ArgumentParser,
    commands: dict[str, Command],
    arguments: Sequence[str] | None = None,
) -> None:
    """Give a parser its commands; without one it shows its help."""

    def show_help(_: argparse.Namespace) -> int:
        parser.print_help()
        return DONE

    parser.set_defaults(run=show_help, parser=parser)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, command in commands.items():
        own = subparsers.add_parser(
            name, help=command.summary, description=f"{command.summary.capitalize()}."
        )
        own.set_defaults(run=command.run, parser=own)
        if arguments is None or name in arguments:
            command.add_arguments(own)


def add_store(parser: argparse._ActionsContainer) -> None:
    """Add the flag that names the run store."""
    parser.add_argument(
        "--store",
        metavar="DIR",
        help="folder of the run store [default: the variable NEURALSCOPE_STORE, else runs]",
    )


def add_json(parser: argparse._ActionsContainer) -> None:
    """Add the flag that asks for a result that programs can read."""
    parser.add_argument(
        "--json", action="store_true", help="print the result as one JSON value on the last line"
    )
