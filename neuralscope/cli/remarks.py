"""`runs tag`, `untag`, `note`, `star`, `rename`, `archive`...: what people say of a run."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from neuralscope.cli.lookup import find_run, store_with
from neuralscope.cli.parser import Command, add_json, add_store
from neuralscope.cli.printing import print_json
from neuralscope.cli.status import DONE, Mistake
from neuralscope.cli.words import one_line

if TYPE_CHECKING:
    from neuralscope.runs import Run, Store

Change = Callable[["Store", "Run", argparse.Namespace], None]


def _command(
    summary: str, change: Change, say: Callable[[Run], str], argument: str = "", help: str = ""
) -> Command:
    """Return a command that changes what is said of one run.

    Args:
        summary: What it does.
        change: Does it.
        say: Says in words how the run stands then.
        argument: What it takes besides the run, as argparse names it; with ... for several.
        help: What that is.
    """

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("run_id", metavar="RUN_ID", help="a run, or the beginning of its id")
        if argument:
            name = argument.removesuffix("...")
            several = "+" if argument.endswith("...") else None
            parser.add_argument("value", metavar=name, nargs=several, help=help)
        add_store(parser)
        add_json(parser)

    def run(options: argparse.Namespace) -> int:
        with store_with(options.run_id, options) as store:
            run_id = find_run(store, options.run_id).run_id
            change(store, store.run(run_id), options)
            changed = store.run(run_id)
        if options.json:
            print_json(
                {
                    "run_id": run_id,
                    "name": changed.name,
                    "tags": changed.tags,
                    "notes": changed.notes,
                    "starred": changed.starred,
                    "archived": changed.archived,
                }
            )
        else:
            print(f"Run {run_id} {one_line(say(changed))}.")
        return DONE

    return Command(summary, add_arguments, run)


def _tag(store: Store, run: Run, options: argparse.Namespace) -> None:
    store.set_tags(run.run_id, [*run.tags, *map(one_line, options.value)])


def _untag(store: Store, run: Run, options: argparse.Namespace) -> None:
    unwanted = [one_line(tag) for tag in options.value]
    for tag in unwanted:
        if tag not in run.tags:
            raise Mistake(f"Run {run.run_id} has no tag {tag!r}: it {_tags(run)}.")
    store.set_tags(run.run_id, [tag for tag in run.tags if tag not in unwanted])


def _note(store: Store, run: Run, options: argparse.Namespace) -> None:
    store.set_notes(run.run_id, options.value)


def _rename(store: Store, run: Run, options: argparse.Namespace) -> None:
    store.rename(run.run_id, one_line(options.value))


def _starring(yes: bool) -> Change:
    return lambda store, run, options: store.set_starred(run.run_id, yes)


def _archiving(yes: bool) -> Change:
    return lambda store, run, options: store.set_archived(run.run_id, yes)


def _tags(run: Run) -> str:
    return f"is tagged {', '.join(run.tags)}" if run.tags else "has no tags"


def _star(run: Run) -> str:
    return "is starred" if run.starred else "is not starred"


def _archive(run: Run) -> str:
    return "is archived" if run.archived else "is not archived"


COMMANDS = {
    "tag": _command(
        "add tags to a run, to find it by", _tag, _tags, "TAG...", "tags to add to those it has"
    ),
    "untag": _command("remove tags from a run", _untag, _tags, "TAG...", "tags it has"),
    "note": _command(
        "write a note to a run, in place of the one it has",
        _note,
        lambda run: "has a note" if run.notes else "has no note",
        "TEXT",
        "the note; an empty one ('') removes it",
    ),
    "star": _command("star a run, to find it among many", _starring(True), _star),
    "unstar": _command("remove the star of a run", _starring(False), _star),
    "rename": _command(
        "give a run another name",
        _rename,
        lambda run: f"is called {run.name}",
        "NAME",
        "the name; an empty one ('') stands for one made from its settings",
    ),
    "archive": _command("put a run out of sight on the page Runs", _archiving(True), _archive),
    "unarchive": _command("bring a run back to the page Runs", _archiving(False), _archive),
}
