"""Loading a data set where a person waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuralscope.cli.status_line import StatusLine

if TYPE_CHECKING:
    from neuralscope.data import Dataset, FetchProgress


def load(name: str, line: StatusLine) -> Dataset:
    """Load a data set, and show its fetch if it takes one."""
    from neuralscope.data import load_dataset

    phase = ""

    def show(progress: FetchProgress) -> None:
        nonlocal phase
        if line.is_live:
            line.show(progress.message)
        elif progress.phase not in (phase, "done", "failed"):
            line.say(progress.message)
        phase = progress.phase

    try:
        return load_dataset(name, on_progress=show)
    finally:
        line.clear()
