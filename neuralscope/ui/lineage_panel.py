"""Going on with a run, branching off from it, and training it again."""

from __future__ import annotations

from neuralscope.runs import Run


def show(run: Run) -> None:
    """Draw what can be done with a run that has ended."""
