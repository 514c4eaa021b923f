"""What an attack has found: a table for people, and a line of JSON for programs."""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterable

from benchmarks.attack import workers
from benchmarks.attack.workers import Outcome
from neuralscope.runs.machine import usable_cores


def main(name: str, description: str | None, *, cases: int, patience: float) -> int:
    """Read the arguments of an attack, carry it out, say what it has found.

    Args:
        name: Of the attack and its module.
        description: For `--help`.
        cases: How many there are by default.
        patience: Seconds after which a case counts as hanging.

    Returns:
        The exit status: 1 if something was found.
    """
    parser = argparse.ArgumentParser(
        prog=f"benchmarks.attack.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cases", type=int, default=cases, help="how many [default: %(default)s]")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other cases")
    parser.add_argument("--case", type=int, action="append", help="only this one, by its number")
    parser.add_argument(
        "--processes", type=int, default=usable_cores(), help="how many cases at once"
    )
    options = parser.parse_args()
    outcomes = workers.attack(
        f"benchmarks.attack.{name}",
        options.case or range(options.cases),
        seed=options.seed,
        processes=options.processes,
        patience=patience,
    )
    return tell(name, outcomes, seed=options.seed)


def tell(name: str, outcomes: Iterable[Outcome], *, seed: int = 0) -> int:
    """Print what was found, the summary in JSON last, and return the exit status."""
    began = time.monotonic()
    kinds: dict[str, list[Outcome]] = defaultdict(list)
    faults: dict[str, list[tuple[Outcome, str]]] = defaultdict(list)
    for n_done, outcome in enumerate(outcomes, 1):
        kinds[outcome.kind].append(outcome)
        for fault in outcome.faults:
            faults[re.sub(r"[0-9a-f]*\d[0-9a-f]*", "#", fault)].append((outcome, fault))
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{n_done} cases, {sum(map(len, faults.values()))} faults ")
    sys.stderr.write("\r" if sys.stderr.isatty() else "")
    every = [outcome for group in kinds.values() for outcome in group]
    sys.stdout.write("| kind | cases | with faults | median | slowest | most memory |\n")
    sys.stdout.write("|---|---:|---:|---:|---:|---:|\n")
    for kind, group in sorted(kinds.items()):
        seconds = [outcome.seconds for outcome in group]
        sys.stdout.write(
            f"| {kind} | {len(group):,} | {sum(bool(each.faults) for each in group):,} | "
            f"{statistics.median(seconds):.2f} s | {max(seconds):.2f} s | "
            f"{max(each.peak for each in group) / 2**20:,.0f} MB |\n"
        )
    for group_of_faults in sorted(faults.values(), key=len, reverse=True):
        outcome, text = group_of_faults[0]
        numbers = list(dict.fromkeys(each.number for each, _ in group_of_faults))
        shown = ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")
        sys.stdout.write(f"\n{len(group_of_faults)} x [{outcome.kind}] {text}\n    case {shown}\n")
    n_bad = sum(bool(outcome.faults) for outcome in every)
    summary = {
        "attack": name,
        "seed": seed,
        "cases": len(every),
        "cases_with_faults": n_bad,
        "kinds_of_faults": len(faults),
        "slowest_seconds": round(max((each.seconds for each in every), default=0.0), 2),
        "most_memory_mb": round(max((each.peak for each in every), default=0) / 2**20),
        "seconds": round(time.monotonic() - began, 1),
    }
    sys.stdout.write(f"\n{json.dumps(summary)}\n")
    return int(n_bad > 0)
