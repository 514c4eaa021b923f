"""`runs compare`: what differs between runs, and what came of it."""

from __future__ import annotations

import argparse
import string
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from neuralscope.cli.lookup import find_run, store_with
from neuralscope.cli.parser import Command, add_json, add_store
from neuralscope.cli.printing import plain, print_json, print_table
from neuralscope.cli.status import DONE, Mistake
from neuralscope.cli.words import duration, number, one_line, percent

if TYPE_CHECKING:
    from neuralscope.runs import Epochs, Run

MOST_RUNS = len(string.ascii_uppercase)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Compare runs: in what each differs from the first, how far it ended above or below, and "
        "a table of all that is not the same."
    )
    parser.add_argument(
        "run_ids", metavar="RUN_ID", nargs="+", help="two or more runs, or the beginnings of ids"
    )
    add_store(parser)
    add_json(parser)


def _run(options: argparse.Namespace) -> int:
    from neuralscope.runs.curves import epochs_of

    with store_with(options.run_ids[0], options) as store:
        found = [find_run(store, given) for given in options.run_ids]
        runs = list({run.run_id: run for run in found}.values())
        if not 2 <= len(runs) <= MOST_RUNS:
            raise Mistake(f"Name 2 to {MOST_RUNS} different runs to compare; here is {len(runs)}.")
        epochs = epochs_of(store, [run.run_id for run in runs])
    names = {run.run_id: letter for run, letter in zip(runs, string.ascii_uppercase, strict=False)}
    sentences = [_tell(runs[0], other, epochs, names) for other in runs[1:]]
    is_same_data = len({(r.config.dataset, r.data_digest) for r in runs if r.data_digest}) < 2
    settings, results = _differing_settings(runs, names), _results(runs, epochs)
    if options.json:
        print_json(
            {
                "runs": [{"letter": names[run.run_id], **plain(run)} for run in runs],
                "differs": settings,
                "results": results,
                "sentences": sentences,
                "same_data": is_same_data,
            }
        )
        return DONE
    print_table([(names[run.run_id], run.run_id, one_line(run.name)) for run in runs])
    print()
    for sentence in sentences:
        print(one_line(sentence))
    if not is_same_data:
        print("They have not learned from the same data, so their results say little together.")
    print()
    rows = [("", *names.values())]
    rows += [(name, *map(_as_text, values)) for name, values in settings.items()]
    rows += [
        (_LABELS.get(name, name.replace("_", " ")), *(_WRITE[name](value) for value in values))
        for name, values in results.items()
    ]
    print_table(rows)
    return DONE


def _tell(first: Run, other: Run, epochs: Mapping[str, Epochs], names: Mapping[str, str]) -> str:
    """Say in a sentence how a run differs from the first, and how it fared."""
    from neuralscope.analysis import comparison
    from neuralscope.exports.differences import changes, trained

    one, two = trained(first, epochs), trained(other, epochs)
    gap = comparison.gap((one.epoch, one.validation_accuracy), (two.epoch, two.validation_accuracy))
    last = {int(curve.epoch[-1]) for curve in (one, two) if len(curve.epoch)}
    has_ended = not (first.is_active or other.is_active)
    return comparison.tell_difference(
        names[first.run_id],
        names[other.run_id],
        changes(first, other, names, lambda _, value: _as_text(value)),
        gap,
        ended=has_ended and gap is not None and last == {gap.epoch},
    )


def _differing_settings(
    runs: Sequence[Run], names: Mapping[str, str]
) -> dict[str, tuple[Any, ...]]:
    """Return what is not the same for all: by its name, a value for each run."""
    from neuralscope.analysis.comparison import differing
    from neuralscope.exports.differences import DIGEST_SHOWN, settings, start

    return differing(
        [
            {
                **settings(run),
                "data": run.data_digest[:DIGEST_SHOWN] or None,
                "start": start(run, names),
                **{f"{name} version": version for name, version in run.versions.items()},
            }
            for run in runs
        ]
    )


def _results(runs: Sequence[Run], epochs: Mapping[str, Epochs]) -> dict[str, list[Any]]:
    """Return what came of each run: by its name, a value for each."""

    def last_accuracy(run: Run) -> float | None:
        measured = epochs[run.run_id].validation_accuracy
        return float(measured[-1]) if run.epoch and len(measured) else None

    return {
        "status": [run.status for run in runs],
        "epochs_trained": [run.epoch for run in runs],
        "validation_accuracy": [last_accuracy(run) for run in runs],
        "best_validation_accuracy": [run.best_validation_accuracy for run in runs],
        "best_epoch": [run.best_epoch for run in runs],
        "test_accuracy": [run.test_accuracy for run in runs],
        "test_loss": [run.test_loss for run in runs],
        "seconds": [run.seconds for run in runs],
    }


def _as_text(value: Any) -> str:
    """Return a value as it is typed in a terminal; a dash where there is none."""
    if value is None:
        return "-"
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


_WRITE: dict[str, Callable[[Any], str]] = {
    "status": str,
    "epochs_trained": str,
    "validation_accuracy": percent,
    "best_validation_accuracy": percent,
    "best_epoch": _as_text,
    "test_accuracy": percent,
    "test_loss": number,
    "seconds": duration,
}

_LABELS = {"seconds": "training time"}

COMMAND = Command("compare runs", _add_arguments, _run)
