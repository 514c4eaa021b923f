"""A store is damaged; what is whole in it must still be shown, and what is not be said.

    python -m benchmarks.attack.damage [--cases 2000] [--seed 0] [--case N]

In each case something in a store with four finished runs is damaged by seed: bytes, pages or the
length of its database or of its write-ahead log, a snapshot, any column of any table, what a
trainer has printed, the kept copy of own data; or a pipe, a folder or a link to `/dev/zero` takes
the place of a file. Then the runs are listed, shown, exported and deleted by the command line, and
pages are drawn. Nothing may end in a traceback, hang or take more than 1 GB; while the database can
be read, the other runs are listed and shown as ever, and the damaged one is listed too.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import sys
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.attack import mutations, pages, report, specimens
from benchmarks.attack.inputs import faults_of_command, run_command
from benchmarks.attack.rooms import DATABASE
from benchmarks.attack.workers import place_of

PATIENCE = 60.0

TABLES = ("runs", "epochs", "step_blocks", "events", "commands", "snapshots", "layer_health")

VALUES: tuple[Any, ...] = (
    *(None, 0, -1, 1, 7, 10_000, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)),
    *(0.5, -0.5, 1e300, -1e300, float("inf"), float("-inf"), 1e-320),
    *("", "text", "1", "nan", "{}", "[]", "[1]", "null", "[" * 10_000, "\x00", "é\u202e", "queued"),
    *(b"", b"\xff\xfe\x00", b"\x00" * 7, b"\x00" * 4_000, b"\xff" * 4_000, mutations.LONG),
)
"""What may stand in a column, whatever it should hold."""

FORMATS = ("npz", "onnx", "csv", "json", "python", "html", "run")


class Damage:
    """What was damaged.

    Attributes:
        run_id: The run it concerns; None for all of them.
        is_listed: Whether that one must be listed all the same.
        is_deletable: Whether that one can be deleted.
    """

    def __init__(
        self, run_id: str | None, *, is_listed: bool = True, is_deletable: bool = True
    ) -> None:
        """Note what it concerns."""
        self.run_id = run_id
        self.is_listed = is_listed
        self.is_deletable = is_deletable


def case(
    number: int, chance: random.Random, folder: Path, announce: Callable[[str], None]
) -> list[str]:
    """Damage a store and return what is wrong with how it is dealt with."""
    [(kind, (_, damage))] = chance.choices(
        list(_KINDS.items()), [often for often, _ in _KINDS.values()]
    )
    announce(kind)
    sound = specimens.prepare(folder.parent / "specimens")
    place, home = folder / "runs", folder / "data home"
    shutil.copytree(sound / "store", place)
    shutil.copytree(sound / "data home", home)
    os.environ["SCIKIT_LEARN_DATA"] = str(home)
    with closing(sqlite3.connect(place / DATABASE)) as db:
        names = dict(db.execute("SELECT run_id, name FROM runs ORDER BY name"))
    what = damage(chance, place, list(names))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return examine(chance, place, names, what)


def examine(chance: random.Random, place: Path, names: dict[str, str], damage: Damage) -> list[str]:
    """Use a damaged store in every way, and return what is wrong with that."""
    where = ("--store", str(place))
    others = [run_id for run_id in names if damage.run_id and run_id != damage.run_id]
    wanted = [*others, *([damage.run_id] if damage.run_id and damage.is_listed else [])]
    chosen = damage.run_id or chance.choice(list(names))
    faults = _faults_of_list(where, wanted, names)
    faults += _faults_of_pages(chance, place, names, chosen, others)
    faults += faults_of_command("runs", "show", chosen, *where)
    form = chance.choice(FORMATS)
    out = str(place.parent / "out")
    faults += faults_of_command("export", chosen, "--format", form, "--output", out, *where)
    for run_id in others[:1]:
        for words in (
            ("runs", "show", run_id),
            ("export", run_id, "--format", form, "--output", out, "--force"),
        ):
            status, _, said = run_command(*words, *where)
            if status:
                faults.append(f"{' '.join(words[:2])} of another run failed: {said.strip()[:160]}")
    if damage.run_id:
        status, _, said = run_command("runs", "delete", chosen, "--yes", *where)
        if status and damage.is_deletable:
            faults.append(f"it cannot be deleted: {said.strip()[:200]}")
    else:
        faults += faults_of_command("runs", "delete", chosen, "--yes", *where)
    return faults + _faults_of_list(where, others, names)


def _faults_of_list(where: tuple[str, str], wanted: list[str], names: dict[str, str]) -> list[str]:
    try:
        status, out, said = run_command("runs", "list", *where)
    except Exception as error:
        return [place_of(error)]
    if status:
        if wanted:
            return [f"the runs are not listed: {said.strip()[:200]}"]
        return [] if said.strip() else ["an error without a word"]
    if not wanted and "There are no runs" in out and not any(each in out for each in names):
        return ["'There are no runs', it says, with their folders there"]
    return [
        f"the run {'that was damaged' if each == wanted[-1] else 'beside it'} is not listed"
        for each in wanted
        if each not in out + said
    ]


def _faults_of_pages(
    chance: random.Random, place: Path, names: dict[str, str], chosen: str, others: list[str]
) -> list[str]:
    page = chance.choice(pages.PAGES)
    query = {} if page == "runs" else {"run": chosen}
    app = pages.draw(page, query, place)
    faults = pages.exceptions_on(page, app)
    if page == "runs" and not faults:
        text = pages.text_of(app)
        faults = [
            "the page Runs does not show a run that is whole"
            for run_id in others
            if names[run_id] not in text
        ][:1]
    return faults


# What is damaged ---------------------------------------------------------------------------------


def _row(chance: random.Random, place: Path, run_ids: list[str]) -> Damage:
    """Set a column of a row to something else."""
    with closing(sqlite3.connect(place / DATABASE)) as db:
        table = chance.choices(TABLES, [4, 1, 1, 1, 1, 1, 1])[0]
        run_id = chance.choice(run_ids)
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        column = chance.choice(columns)
        if table == "commands":
            db.execute(
                "INSERT INTO commands (run_id, at, kind, value) VALUES (?, 1, 'pause', 1)",
                (run_id,),
            )
        key = next(each for each in ("id", "epoch", "first_step", "name", "run_id")
                   if (each in columns and each != "run_id") or each == "run_id")  # fmt: skip
        rows = db.execute(
            f"SELECT {key}, {column} FROM {table} WHERE run_id = ?", (run_id,)
        ).fetchall()
        for _ in range(20):
            if not rows:
                break
            where, before = chance.choice(rows)
            value = chance.choice(VALUES)
            if isinstance(before, str) and before[:1] in ("{", "[") and chance.random() < 0.7:
                value = mutations.altered(before.encode(), chance).decode("latin-1")
            everywhere = chance.random() < 0.3
            condition = "run_id = ?" if everywhere else f"run_id = ? AND {key} = ?"
            try:
                db.execute(
                    f"UPDATE {table} SET {column} = ? WHERE {condition}",
                    (value, run_id) if everywhere else (value, run_id, where),
                )
                break
            except (sqlite3.IntegrityError, UnicodeEncodeError, OverflowError):
                continue  # this the database itself does not let through
        db.commit()
    hidden = table == "runs" and column in ("run_id", "trashed")
    active = table == "runs" and column in ("status", "heartbeat")
    return Damage(run_id, is_listed=not hidden, is_deletable=not hidden and not active)


def _database(chance: random.Random, place: Path, run_ids: list[str]) -> Damage:
    """Alter bytes of the database."""
    path = place / DATABASE
    path.write_bytes(mutations.altered(path.read_bytes(), chance))
    return Damage(None)


def _page_of_database(chance: random.Random, place: Path, run_ids: list[str]) -> Damage:
    """Overwrite or cut off whole pages of the database."""
    path = place / DATABASE
    data = bytearray(path.read_bytes())
    at = 4096 * chance.randrange(len(data) // 4096)
    match chance.randrange(5):
        case 0:
            del data[at:]
        case 1:
            data[at : at + 4096] = bytes(4096)
        case 2:
            other = 4096 * chance.randrange(len(data) // 4096)
            data[at : at + 4096] = data[other : other + 4096]
        case 3:
            cells = at + chance.randrange(4096)
            data[cells : cells + 16] = chance.randbytes(16)
        case _:
            data[at : at + 4096] = chance.randbytes(4096)
    path.write_bytes(data)
    return Damage(None)


def _other_database(chance: random.Random, place: Path, run_ids: list[str]) -> Damage:
    """Put something else in the database's place."""
    path = place / DATABASE
    path.unlink()
    match chance.randrange(6):
        case 0:
            path.touch()
        case 1:
            path.write_text("This is no database.\n" * 300)
        case 2:
            with closing(sqlite3.connect(path)) as db:
                db.execute("CREATE TABLE runs (run_id TEXT)")
                db.commit()
        case 3:
            os.mkfifo(path)
        case 4:
            path.mkdir()
        case _:
            path.symlink_to("/dev/zero")
    return Damage(None)


def _log(chance: random.Random, place: Path, run_ids: list[str]) -> Damage:
    """Damage the write-ahead log, or what indexes it, while it holds what was written last."""
    whole = place.with_name("whole")
    place.rename(whole)
    with closing(sqlite3.connect(whole / DATABASE)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA wal_autocheckpoint = 0")
        for number in range(3):
            db.execute("UPDATE runs SET notes = ?", (f"Note {number}.",))
            db.commit()
        shutil.copytree(whole, place)
    path = place / f"{DATABASE}{chance.choice(('-wal', '-wal', '-shm'))}"
    match chance.randrange(5):
        case 0:
            path.unlink()
            path.mkdir()
        case 1:
            path.unlink()
            os.mkfifo(path)
        case _:
            path.write_bytes(mutations.altered(path.read_bytes(), chance))
    return Damage(None)


def _snapshot(chance: random.Random, place: Path, run_ids: list[str]) -> Damage:
    """Damage a run's newest snapshot, or all of them."""
    run_id = chance.choice(run_ids)
    paths = sorted((place / run_id).glob("*.npz"))
    for path in paths if chance.random() < 0.4 else paths[-1:]:
        content = path.read_bytes()
        match chance.randrange(8):
            case 0:
                path.unlink()
            case 1:
                other = sorted((place / chance.choice(run_ids)).glob("*.npz"))
                path.write_bytes(chance.choice(other).read_bytes() if other else b"")
            case 2:
                _replace(chance, path)
            case _:
                path.write_bytes(mutations.altered(content, chance))
    return Damage(run_id)


def _folder(chance: random.Random, place: Path, run_ids: list[str]) -> Damage:
    """Remove a run's folder, or put something else there."""
    run_id = chance.choice(run_ids)
    shutil.rmtree(place / run_id)
    if chance.random() < 0.7:
        _replace(chance, place / run_id)
    return Damage(run_id)


def _printed(chance: random.Random, place: Path, run_ids: list[str]) -> Damage:
    """Damage what a trainer has printed, of a run that failed."""
    run_id = chance.choice(run_ids)
    path = place / run_id / "trainer.log"
    match chance.randrange(5):
        case 0:
            path.write_bytes(chance.randbytes(10_000))
        case 1:
            path.write_bytes(b"\xff\xfe" + b"x" * 30_000_000)
        case 2:
            path.write_text("Traceback (most recent call last):\n<script>`**$\x1b[31m\x00\n" * 50)
        case _:
            path.touch()
            _replace(chance, path)
    with closing(sqlite3.connect(place / DATABASE)) as db:
        db.execute(
            "UPDATE runs SET status = ?, message = '' WHERE run_id = ?",
            (chance.choice(("failed", "interrupted", "finished", "running")), run_id),
        )
        db.commit()
    return Damage(run_id)


def _replace(chance: random.Random, path: Path) -> None:
    """Put something that is no ordinary file in a file's place."""
    path.unlink(missing_ok=True)
    match chance.randrange(5):
        case 0:
            os.mkfifo(path)
        case 1:
            path.mkdir()
        case 2:
            path.symlink_to("/dev/zero")
        case 3:
            path.symlink_to(path)
        case _:
            path.touch()


def _kept_data(chance: random.Random, place: Path, run_ids: list[str]) -> Damage:
    """Damage the kept copy of the data that the last run has learned."""
    home = place.parent / "data home" / "neuralscope"
    path = chance.choice(sorted(home.glob("own-*")))
    if chance.random() < 0.15:
        _replace(chance, path)
    else:
        path.write_bytes(mutations.altered(path.read_bytes(), chance))
    return Damage(run_ids[-1])


_KINDS: dict[str, tuple[int, Callable[[random.Random, Path, list[str]], Damage]]] = {
    "a column of a row": (35, _row),
    "bytes of the database": (8, _database),
    "pages of the database": (15, _page_of_database),
    "another database": (3, _other_database),
    "write-ahead log": (9, _log),
    "snapshots": (14, _snapshot),
    "folder of a run": (3, _folder),
    "trainer.log": (5, _printed),
    "kept copy of data": (8, _kept_data),
}
"""What is damaged, how often, and what does it."""


def main() -> int:
    """Damage, look, and say what came of it."""
    return report.main("damage", __doc__, cases=2000, patience=PATIENCE)


if __name__ == "__main__":
    sys.exit(main())
