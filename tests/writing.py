"""Writing a run's rows in place of its trainer."""

from __future__ import annotations

from neuralscope.runs import Store
from neuralscope.runs.records import Command
from neuralscope.runs.writer import Writer


def owner(store: Store, run_id: str) -> Writer:
    """Return whoever may write a run at the moment."""
    with store.database.reading() as db:
        row = db.execute("SELECT trainer FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    return Writer(store, run_id, row["trainer"] if row else "")


def take_commands(store: Store, run_id: str) -> list[Command]:
    """Take what a run was asked for since the last time."""
    writer = owner(store, run_id)
    commands = writer.take_commands()
    writer.mark_taken()
    return commands
