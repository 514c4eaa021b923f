"""`runs`: what was trained: look at it, say something of it, compare, control, delete."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from neuralscope.cli import compare, control, importing, remarks, resume
from neuralscope.cli.lookup import existing_store, find_run, find_unreadable, store_with
from neuralscope.cli.parser import Command, add_commands, add_json, add_store
from neuralscope.cli.printing import plain, print_facts, print_json, print_table
from neuralscope.cli.status import DONE, Mistake
from neuralscope.cli.status_line import say
from neuralscope.cli.words import age, date, duration, number, one_line, percent
from neuralscope.errors import StoreError

if TYPE_CHECKING:
    from neuralscope.runs import EpochHealth, Run
    from neuralscope.runs.records import UnreadableRun, UnreadableRuns

MOST_TOLD = 10
"""Runs that cannot be read of which `list` tells the reason."""

LOG_LINES = 20
"""Lines of a training process's log that are shown: a traceback's end."""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_commands(parser, COMMANDS)


def _add_list_arguments(parser: argparse.ArgumentParser) -> None:
    add_store(parser)
    add_json(parser)


def _list(options: argparse.Namespace) -> int:
    with existing_store(options) as (store, path):
        runs = store.runs() if store else []
        unreadable = store.unreadable() if store else None
    if unreadable is not None and unreadable.total:
        _tell_unreadable(unreadable, options)
    if options.json:
        print_json(runs)
    elif runs:
        _print_runs(runs)
    elif not unreadable or not unreadable.total:
        print(f"There are no runs in {path} yet. Start one with: python -m neuralscope train")
    return DONE


def _tell_unreadable(unreadable: UnreadableRuns, options: argparse.Namespace) -> None:
    """Say on standard error which runs the list lacks, and what can be done with them."""
    for run in unreadable.runs[:MOST_TOLD]:
        say(f"run {run.run_id} cannot be read: {run.reason}", options)
    if unreadable.total > MOST_TOLD:
        say(f"{unreadable.total - MOST_TOLD:,} more cannot be read either", options)
    say("'runs raw RUN_ID' prints what is stored of one, 'runs delete RUN_ID' deletes it", options)


def _print_runs(runs: Sequence[Run]) -> None:
    rows = [("run", "status", "epoch", "best val.", "test", "age", "name")]
    for run in runs:
        best = percent(run.best_validation_accuracy).removesuffix(" %")
        rows.append(
            (
                run.run_id,
                run.status,
                f"{run.epoch}/{run.config.epochs}",
                f"{best} @{run.best_epoch}" if run.best_epoch else best,
                percent(run.test_accuracy).removesuffix(" %"),
                age(run.created),
                one_line(" ".join([run.name, *(f"#{tag}" for tag in run.tags), *_marks(run)])),
            )
        )
    # Piped into another program, names stay whole.
    width = shutil.get_terminal_size((10_000, 24)).columns
    print_table(rows, right=(2, 3, 4, 5), width=width)


def _add_show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_id", metavar="RUN_ID", help="a run, or the beginning of its id")
    add_store(parser)
    add_json(parser)


def _show(options: argparse.Namespace) -> int:
    from neuralscope.runs import list_snapshots

    with store_with(options.run_id, options) as store:
        run = find_run(store, options.run_id)
        epochs, events = store.epochs(run.run_id), store.events(run.run_id)
        snapshots = list_snapshots(store, run.run_id)
        health = store.health(run.run_id, last=1)
        folder, log = store.folder(run.run_id), store.log(run.run_id)
    table = [dict(zip(epochs._fields, row, strict=True)) for row in zip(*epochs, strict=True)]
    if options.json:
        print_json(
            {
                **plain(run),
                "events": [event._asdict() for event in events],
                "epochs": table,
                "health": _health_as_plain(health[-1]) if health else None,
                "snapshots": snapshots,
                "folder": str(folder),
                "log": log,
            }
        )
        return DONE
    _print_run(run)
    print(f"snapshots    {len(snapshots)} in {folder}")
    if events:
        print()
        at = [f"{duration(event.seconds)}, epoch {event.epoch}" for event in events]
        rows = [(when, one_line(event.text)) for when, event in zip(at, events, strict=True)]
        print_table([("after", "event"), *rows])
    if table:
        print()
        scores = ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy")
        rows_of_text = [
            (
                str(row["epoch"]),
                *(number(row[name]) for name in scores[:2]),
                *(percent(row[name]) for name in scores[2:]),
                duration(row["seconds"]),
            )
            for row in table[-10:]
        ]
        head = ("epoch", "loss", "val. loss", "accuracy", "val. accuracy", "after")
        print_table([head, *rows_of_text], right=range(6))
    if log:
        print(f"\nprinted by its training process, in {folder}:")
        for line in log.splitlines()[-LOG_LINES:]:
            # Indented as it was, but for what would steer the terminal.
            print("    " + "".join(c if c.isprintable() else " " for c in line))
    return DONE


def _health_as_plain(health: EpochHealth) -> dict[str, Any]:
    return {"epoch": health.epoch, "layers": [layer._asdict() for layer in health.layers]}


def _print_run(run: Run) -> None:
    from neuralscope.data import dataset_label
    from neuralscope.runs import SETTINGS

    facts = {
        "run": run.run_id,
        "name": run.name,
        "status": run.status + (f": {run.message}" if run.message else ""),
        **({"origin": run.origin} if run.origin else {}),
        **({"tags": ", ".join(run.tags)} if run.tags else {}),
        **({"note": run.notes} if run.notes else {}),
        **({"marks": ", ".join(_marks(run))} if _marks(run) else {}),
        "created": date(run.created),
        "started": date(run.started),
        "ended": date(run.ended),
        "epochs": f"{run.epoch} of {run.config.epochs}, {run.step:,} steps",
        "training": duration(run.seconds)
        + (f", {run.samples_per_second:,.0f} examples/s" if run.samples_per_second else ""),
        "best": f"{percent(run.best_validation_accuracy)} validation accuracy"
        + (f" after epoch {run.best_epoch}" if run.best_epoch else ""),
        "test": f"{percent(run.test_accuracy)} accuracy, {number(run.test_loss)} loss",
        "data": run.data_digest or "-",
        "versions": ", ".join(f"{name} {version}" for name, version in run.versions.items()),
        "machine": f"{run.machine.get('processor', '-')}, {run.machine.get('cores', '?')} cores",
    }
    print_facts(facts)
    print()
    used = {name: setting for name, setting in SETTINGS.items() if run.config.uses(name)}
    settings = {name: used[name].text(getattr(run.config, name)) for name in used}
    print_facts({**settings, "dataset": dataset_label(run.config.dataset)})
    print()


def _marks(run: Run) -> list[str]:
    return [name for name in ("starred", "archived") if getattr(run, name)]


def _add_delete_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run_ids", metavar="RUN_ID", nargs="+", help="a run, or the beginning of its id"
    )
    add_store(parser)
    parser.add_argument("--yes", action="store_true", help="delete without asking")


def _delete(options: argparse.Namespace) -> int:
    from neuralscope.runs import Run

    with store_with(options.run_ids[0], options) as store:
        # All of them are looked up before one is touched; named twice, a run is one run still.
        runs: dict[str, Run | UnreadableRun] = {}
        for given in options.run_ids:
            run = find_unreadable(store, given) or find_run(store, given)
            runs[run.run_id] = run
        for run in runs.values():
            if isinstance(run, Run) and run.is_active:
                raise StoreError(f"Run {run.run_id} is still {run.status}; stop it first.")
        named = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
        if not options.yes and not _confirmed(f"Delete {named}, with curves and snapshots?"):
            print("Nothing was deleted.")
            return DONE
        for run_id in runs:
            store.delete(run_id)
        print(f"Deleted {named}.")
    return DONE


def _add_raw_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_id", metavar="RUN_ID", help="a run that cannot be read")
    add_store(parser)


def _raw(options: argparse.Namespace) -> int:
    from neuralscope.exports import raw_rows

    with store_with(options.run_id, options) as store:
        unreadable = find_unreadable(store, options.run_id)
        run_id = unreadable.run_id if unreadable else find_run(store, options.run_id).run_id
        print(raw_rows(store, run_id))
    return DONE


def _confirmed(question: str) -> bool:
    """Ask a person. Raises Mistake where there is nobody to ask."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise Mistake("There is no terminal to ask on; add --yes to delete without being asked.")
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False


COMMANDS = {
    "list": Command("list all runs, newest first", _add_list_arguments, _list),
    "show": Command("show all that is known of a run", _add_show_arguments, _show),
    "compare": compare.COMMAND,
    **remarks.COMMANDS,
    **control.COMMANDS,
    "reproduce": resume.REPRODUCE,
    "import": importing.COMMAND,
    "raw": Command("print the rows of a run as JSON, sound or not", _add_raw_arguments, _raw),
    "delete": Command("delete runs with their snapshots", _add_delete_arguments, _delete),
}
COMMAND = Command("list, show, compare, tag, stop, import or delete runs", _add_arguments)
