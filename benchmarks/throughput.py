"""Seconds for one epoch of MNIST, side by side: NeuralScope, PyTorch, JAX, scikit-learn.

    python -m benchmarks.throughput [--repeat 5] [--rows 1 2] [--json]

Prints a table in Markdown. Contestants that are not installed are left out.
"""

from __future__ import annotations

import argparse
import json
import sys

from benchmarks.arena import Arena
from benchmarks.contestants import CONTESTANTS, MATRIX_PRODUCTS, OURS
from benchmarks.pictures import N_PICTURES, real_pictures_are_here
from benchmarks.rows import ROWS
from benchmarks.startup import import_seconds
from benchmarks.surroundings import in_words, surroundings

Seconds = dict[tuple[int, str], float]
RIVALS = ("pytorch", "jax", "sklearn", "sklearn_defaults")


def main() -> None:
    """Measure what the command line asks for and print it."""
    arguments = _arguments()
    rows = [number - 1 for number in arguments.rows]
    names = [name for name, contestant in CONTESTANTS.items() if contestant.is_installed]
    if not real_pictures_are_here():
        print("MNIST is not here: training on made-up pixels of the same shape.", file=sys.stderr)

    best: Seconds = {}
    with Arena(names) as arena:
        for number, taken in enumerate(arena.rounds(rows, arguments.repeat), 1):
            best = {key: min(seconds, best.get(key, seconds)) for key, seconds in taken.items()}
            print(f"round {number} of {arguments.repeat} done", file=sys.stderr)
    about = surroundings(names)
    imports = import_seconds(arguments.repeat)

    if arguments.json:
        print(json.dumps(_as_json(best, imports) | about))
        return
    print(f"{in_words(about)}\n")
    print(_seconds_table(best, rows, names))
    print(_ratio_table(best, rows, names))
    print(_import_table(imports))


def _arguments() -> argparse.Namespace:
    listing = "\n".join(f"  {number}  {row}" for number, row in enumerate(ROWS, 1))
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput",
        description="Seconds for one epoch of MNIST, side by side.",
        epilog=f"rows:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    numbers = range(1, len(ROWS) + 1)
    parser.add_argument(
        "--repeat", type=int, default=5, metavar="N", help="rounds; the best counts (default: 5)"
    )
    parser.add_argument(
        "--rows",
        type=int,
        nargs="+",
        choices=numbers,
        default=list(numbers),
        metavar="N",
        help="which of the rows below (default: all)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    arguments = parser.parse_args()
    if arguments.repeat < 1:
        parser.error("--repeat must be at least 1")
    return arguments


def _as_json(best: Seconds, imports: dict[str, float]) -> dict[str, object]:
    rows: dict[str, dict[str, float]] = {}
    for (row, name), seconds in best.items():
        rows.setdefault(str(ROWS[row]), {})[name] = seconds
    return {
        "data": "mnist" if real_pictures_are_here() else "made-up",
        "examples": N_PICTURES,
        "epoch_seconds": rows,
        "import_seconds": imports,
    }


def _seconds_table(best: Seconds, rows: list[int], names: list[str]) -> str:
    return _markdown(
        [f"seconds for {N_PICTURES:,} examples", *(CONTESTANTS[name].title for name in names)],
        [[str(ROWS[row]), *(f"{best[row, name]:.3f}" for name in names)] for row in rows],
    )


def _ratio_table(best: Seconds, rows: list[int], names: list[str]) -> str:
    rivals = [name for name in RIVALS if name in names]
    lines = []
    for row in rows:
        ours = best[row, OURS]
        times = [f"{best[row, name] / ours:.2f}" for name in rivals]
        lines.append([str(ROWS[row]), *times, f"{ours / best[row, MATRIX_PRODUCTS]:.2f}"])
    titles = [f"{CONTESTANTS[name].title} / ours" for name in rivals]
    return _markdown(["ratio", *titles, "ours / products alone"], lines)


def _import_table(imports: dict[str, float]) -> str:
    return _markdown(
        ["import", "seconds"], [[title, f"{seconds:.3f}"] for title, seconds in imports.items()]
    )


def _markdown(head: list[str], lines: list[list[str]]) -> str:
    rule = ["---", *("---:" for _ in head[1:])]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, rule, *lines))


if __name__ == "__main__":
    main()
