"""Fair measuring: every contestant lives in a process of its own, and only one runs at a time.

Thread pools of different libraries in one process fight for the cores; and a machine that is slow
for a minute should be slow for everybody. So all contestants are asked in turn, and again, and the
best of each counts. A turn is of two epochs, of which the better counts: a process that has slept
for a while starts slowly.
"""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection

from benchmarks.contestants import CONTESTANTS, Epoch
from benchmarks.pictures import pictures
from benchmarks.rows import ROWS

EPOCHS_IN_A_TURN = 2


class Arena:
    """The processes of these contestants, asleep until they are asked.

    Use it in a `with`: they end with it.
    """

    def __init__(self, names: Sequence[str]) -> None:
        """Start a process for each name of `CONTESTANTS`."""
        context = multiprocessing.get_context("spawn")  # a fork would inherit our thread pools
        self._lines: dict[str, Connection] = {}
        for name in names:
            ours, theirs = context.Pipe()
            context.Process(target=_serve, args=(name, theirs), daemon=True).start()
            theirs.close()  # so that the end of the process is heard
            self._lines[name] = ours

    def __enter__(self) -> Arena:
        """Return the arena itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Tell all processes to end."""
        for line in self._lines.values():
            line.close()

    def seconds(self, name: str, row: int) -> float:
        """Have one contestant take a turn at `ROWS[row]`, and return the seconds of an epoch.

        Raises:
            RuntimeError: It failed; the text is its traceback.
        """
        line = self._lines[name]
        line.send(row)
        try:
            answer = line.recv()
        except EOFError:
            answer = "its process has died"
        if isinstance(answer, str):
            raise RuntimeError(f"{CONTESTANTS[name].title}, {ROWS[row]}: {answer}")
        return float(answer)

    def rounds(self, rows: Sequence[int], repeat: int) -> Iterator[dict[tuple[int, str], float]]:
        """Yield the seconds of every contestant in every row, round after round.

        The first round warms up and is not told: files are read, programs compiled.
        """
        for number in range(repeat + 1):
            taken = {(row, name): self.seconds(name, row) for row in rows for name in self._lines}
            if number:
                yield taken


def _serve(name: str, line: Connection) -> None:
    """Take a turn at the row that is asked for, until nobody asks any more."""
    epochs: dict[int, Epoch] = {}
    while True:
        try:
            row = line.recv()
        except EOFError:
            return
        try:
            if row not in epochs:
                shown = pictures().first(ROWS[row].share)
                epochs[row] = CONTESTANTS[name].prepare(ROWS[row], shown)
            seconds = min(epochs[row]() for _ in range(EPOCHS_IN_A_TURN))
            line.send(seconds / ROWS[row].share)
        except Exception:
            line.send(traceback.format_exc())
