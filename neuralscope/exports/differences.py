"""What runs differ in, for sentences and tables: the page Runs and the terminal say the same.

The difference in accuracy is measured and told by `analysis.comparison`; here is what goes into
it of two runs of a store.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from neuralscope.analysis.comparison import differing
from neuralscope.runs import SETTINGS, Epochs, Run

DIGEST_SHOWN = 12

Write = Callable[[str, Any], str]
"""Writes a value, given the name of its setting: in titles on a page, as typed in a terminal."""


def settings(run: Run) -> dict[str, Any]:
    """Return the settings of a run that change anything, by their names."""
    return {name: getattr(run.config, name) for name in SETTINGS if run.config.uses(name)}


def label(name: str) -> str:
    """Return what a setting is called inside a sentence.

    >>> label("learning_rate"), label("l2")
    ('learning rate', 'L2 penalty')
    """
    said = SETTINGS[name].label
    return said if said[1:2].isdigit() else said[:1].lower() + said[1:]


def changes(
    first: Run,
    other: Run,
    names: Mapping[str, str],
    write: Write,
    *,
    leave_out: Collection[str] = (),
) -> list[tuple[str, str, str]]:
    """Return in what a run differs from another, each as its name and the two values.

    Args:
        first: The one.
        other: The other.
        names: What the runs that are compared are called, by their ids.
        write: Writes the values.
        leave_out: Settings that are not looked at.
    """
    both = [settings(run) for run in (first, other)]
    found = [
        (label(name), write(name, old), write(name, new))
        for name, (old, new) in differing(both).items()
        # What only one of them uses goes with what makes it do so, such as the optimizer.
        if old is not None and new is not None and name not in leave_out
    ]
    digests = [run.data_digest for run in (first, other)]
    is_named_alike = first.config.dataset == other.config.dataset
    if all(digests) and digests[0] != digests[1] and is_named_alike:
        found.append(("data", digests[0][:DIGEST_SHOWN], digests[1][:DIGEST_SHOWN]))
    old, new = start(first, names), start(other, names)
    if old != new:
        found.append(("start", old, new))
    return found


def start(run: Run, names: Mapping[str, str]) -> str:
    """Return from where a run began to learn, in words."""
    if run.is_fork and run.parent_id:
        return f"epoch {run.parent_epoch} of {names.get(run.parent_id, f'run {run.parent_id}')}"
    return "random weights"


def trained(run: Run, epochs: Mapping[str, Epochs]) -> Epochs:
    """Return the epochs of a run that it has trained itself: not the untrained network."""
    found = epochs[run.run_id]
    since = run.parent_epoch or 0
    own = found.epoch > since
    return Epochs._make(column[own] for column in found)
