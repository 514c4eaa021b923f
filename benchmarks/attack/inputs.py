"""Altered files, pictures, addresses and arguments: only sentences of ours may come of them.

    python -m benchmarks.attack.inputs [--cases 10000] [--seed 0] [--case N]

Sound weights, run files, own data in every format and pictures are altered by seed, with respect
to their format (`mutations`), and read: by the command line, as the program of a process reads
them, and by the functions that the dashboard calls. The parameters of the pages' addresses and the
arguments of the commands are altered likewise. Nothing may raise but what is ours, a message must
be one that can be read, nothing may take more than 10 s, and no process more than 1 GB.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.attack import mutations, pages, report, specimens
from benchmarks.attack.workers import place_of
from neuralscope.cli.program import main as command_line
from neuralscope.data import add_dataset, load_dataset
from neuralscope.engine import Network
from neuralscope.errors import NeuralScopeError
from neuralscope.runs import SETTINGS, Store

PATIENCE = 10.0

LONGEST_MESSAGE = 2_000
"""Characters of what an error may say: more is no sentence."""

STATUSES = (0, 1, 2)
LONGEST_WORD = 100_000  # the system takes no longer argument than 128 KB


def case(
    number: int, chance: random.Random, folder: Path, announce: Callable[[str], None]
) -> list[str]:
    """Have one altered input read and return what is wrong with what comes of it."""
    [(kind, (_, read))] = chance.choices(
        list(_KINDS.items()), [often for often, _ in _KINDS.values()]
    )
    announce(kind)
    sound = specimens.prepare(folder.parent / "specimens")
    os.environ["SCIKIT_LEARN_DATA"] = str(sound / "data home")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read(chance, sound, folder)


def faults_of(work: Callable[[], Any]) -> list[str]:
    """Do something; return what is wrong if it fails otherwise than with a sentence of ours."""
    try:
        work()
    except NeuralScopeError as error:
        return faults_in_message(str(error))
    except Exception as error:
        return [place_of(error)]
    return []


def faults_in_message(text: str) -> list[str]:
    """Return what is wrong with an error's message."""
    if not text.strip():
        return ["an error without a word"]
    if len(text) > LONGEST_MESSAGE:
        return [f"a message of {len(text):,} characters: {text[:60]}..."]
    return []


def run_command(*arguments: str) -> tuple[int, str, str]:
    """Run a command in this process; return its status and what it wrote."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = command_line(list(arguments))
    return status, out.getvalue(), err.getvalue()


def faults_of_command(*arguments: str) -> list[str]:
    """Return what is wrong with how a command of the command line answers."""
    try:
        status, _, said = run_command(*arguments)
    except Exception as error:
        return [place_of(error)]
    if status not in STATUSES:
        return [f"{arguments[0]} ended with status {status}"]
    if "Traceback" in said:
        return [f"{arguments[0]} printed a traceback: {said[-200:]}"]
    return faults_in_message(said) if status else []


# Files -------------------------------------------------------------------------------------------


def _altered_file(chance: random.Random, sound: Path, folder: Path) -> Path:
    path = chance.choice(sorted(each for each in sound.iterdir() if each.is_file()))
    target = folder / path.name
    target.write_bytes(mutations.altered(path.read_bytes(), chance))
    return target


def _weights(chance: random.Random, sound: Path, folder: Path) -> list[str]:
    path = _altered_file(chance, sound / "weights", folder)
    match chance.randrange(5):
        case 0:
            return faults_of_command("evaluate", str(path), "--dataset", "digits")
        case 1:
            picture = sound / "pictures" / "L.png"
            return faults_of_command("predict", str(path), str(picture), "--json")
        case 2:
            return faults_of_command("runs", "import", str(path), "--store", str(folder / "runs"))
        case 3:
            return faults_of_command("view", str(path), "--dataset", "digits", "--seed", "1")
        case _:
            return faults_of(lambda: Network.load(path))


def _run_file(chance: random.Random, sound: Path, folder: Path) -> list[str]:
    path = _altered_file(chance, sound / "runs", folder)
    if chance.random() < 0.02:
        original = chance.choice(sorted((sound / "runs").iterdir())).read_bytes()
        path.write_bytes(specimens.swollen(original, chance))
    place = folder / "runs"
    faults = faults_of_command("runs", "import", str(path), "--store", str(place))
    if not place.exists():
        return faults
    with Store(place) as store:
        runs = store.runs()
        if not faults and not runs:
            return _leftovers(place)
    for run in runs:
        faults += faults_of_command("runs", "show", run.run_id, "--store", str(place))
        form = chance.choice(("npz", "onnx", "csv", "json", "python", "html", "run"))
        out = str(folder / "out")
        faults += faults_of_command(
            *("export", run.run_id, "--format", form, "--output", out, "--store", str(place))
        )
        if chance.random() < 0.3:
            page = chance.choice(pages.PAGES)
            faults += pages.faults_of_page(page, {"run": run.run_id}, place)
    return faults


def _leftovers(place: Path) -> list[str]:
    left = [path.name for path in place.iterdir() if "sqlite3" not in path.name]
    return [f"a refused import left behind {left[0]}"] if left else []


def _own_data(chance: random.Random, sound: Path, folder: Path) -> list[str]:
    home = folder / "data home"
    source = chance.choice(sorted((sound / "data").iterdir()))
    target: Path = folder / source.name
    if source.is_dir():
        shutil.copytree(source, target)
        path = chance.choice(sorted(target.iterdir()))
        path.write_bytes(mutations.altered(path.read_bytes(), chance))
    else:
        target.write_bytes(mutations.altered(source.read_bytes(), chance))
    names: list[str] = []
    as_path = chance.random() < 0.5

    def add() -> None:
        given = target if as_path or target.is_dir() else {target.name: target.read_bytes()}
        names.append(add_dataset(given, data_home=home))

    faults = faults_of(add)
    for name in names:
        faults += faults_of(lambda each=name: load_dataset(each, data_home=home))
    if chance.random() < 0.15:
        weights = str(sound / "weights" / "64-12-10.npz")
        faults += faults_of_command("evaluate", weights, "--dataset", str(target))
    return faults


def _picture(chance: random.Random, sound: Path, folder: Path) -> list[str]:
    path = _altered_file(chance, sound / "pictures", folder)
    weights = chance.choice(("64-12-10.npz", "784-16-10.npz"))
    return faults_of_command("predict", str(sound / "weights" / weights), str(path))


# Addresses ---------------------------------------------------------------------------------------


def _address(chance: random.Random, sound: Path, folder: Path) -> list[str]:
    with Store(sound / "store") as store:
        run_ids = [run.run_id for run in store.runs()]
    page = chance.choice(pages.PAGES)
    names = ["run", "epoch", *pages.PARAMETERS[page]]
    query = {"run": chance.choice(run_ids)} if chance.random() < 0.7 else {}
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        query[chance.choice(names)] = _word(chance, *run_ids, *pages.SOUND)
    return pages.faults_of_page(page, query, sound / "store")


def _word(chance: random.Random, *sound: str) -> str:
    """Return a word that is sound, altered, or nothing of the kind."""
    if chance.random() < 0.25:
        return chance.choice(sound)
    if chance.random() < 0.3:
        raw = mutations.altered(chance.choice(sound).encode(), chance)
        return raw.decode("utf-8", "replace")[:LONGEST_WORD]
    return chance.choice(mutations.WORDS).encode("utf-8", "replace").decode()[:LONGEST_WORD]


# Arguments ---------------------------------------------------------------------------------------


def _arguments(chance: random.Random, sound: Path, folder: Path) -> list[str]:
    place = folder / "runs"
    shutil.copytree(sound / "store", place)
    with Store(place) as store:
        run_ids = [run.run_id for run in store.runs()]
    weights = str(sound / "weights" / "64-12-10.npz")
    picture, data = str(sound / "pictures" / "L.png"), str(sound / "data" / "head.csv")
    where, output = ("--store", str(place)), str(folder / "out")
    run = run_ids[0]
    commands: list[list[str]] = [
        ["evaluate", weights, "--dataset", data, "--split", "test", "--label-column", "label"],
        ["evaluate", weights, "--dataset", "digits", "--rename-class", "1=7", "--json"],
        ["predict", weights, picture, "--json"],
        ["view", weights, "--dataset", "digits", "--seed", "3"],
        ["runs", "list", *where, "--json"],
        ["runs", "show", run, *where],
        ["runs", "compare", *run_ids, *where, "--json"],
        ["runs", "tag", run, "new", *where],
        ["runs", "untag", run, "a", *where],
        ["runs", "note", run, "A note.", *where],
        ["runs", "rename", run, "A name", *where],
        ["runs", "star", run, *where],
        ["runs", "archive", run, *where],
        ["runs", "stop", run, *where],
        ["runs", "import", str(sound / "runs" / "0.zip"), *where],
        ["runs", "delete", run, "--yes", *where],
        ["export", run, "--format", "csv", "--output", output, "--force", *where],
        ["resume", run, "--epochs", "3", "--output", output, *where],
        # Nobody can train in a store that is a file: this is about arguments only.
        ["train", "--dataset", "digits", *_settings(chance), "--store", picture],
    ]
    words = chance.choice(commands)
    for _ in range(chance.choice((1, 1, 2))):
        at = chance.randrange(1, len(words))
        match chance.randrange(6):
            case 0:
                words.insert(at, _word(chance, *words))
            case 1:
                del words[at]
            case 2 if words[at].startswith("--"):
                words[at] = words[at][:-1]
            case _:
                words[at] = _word(chance, *words)
        if len(words) < 2:
            break
    words = [word.replace("\0", "") for word in words]  # no system hands these on
    before = Path.cwd()
    os.chdir(folder)  # where files land whose names have become something else
    try:
        return faults_of_command(*words)
    finally:
        os.chdir(before)


def _settings(chance: random.Random) -> list[str]:
    names = chance.sample([name for name in SETTINGS if name != "dataset"], 3)
    return [
        word
        for name in names
        for word in (f"--{name.replace('_', '-')}", _word(chance, "1", "0.5", "relu", "8,8"))
    ]


_KINDS: dict[str, tuple[int, Callable[[random.Random, Path, Path], list[str]]]] = {
    "weights": (20, _weights),
    "run files": (20, _run_file),
    "own data": (24, _own_data),
    "pictures": (12, _picture),
    "addresses": (8, _address),
    "arguments": (16, _arguments),
}
"""What is altered, how often, and what reads it."""


def main() -> int:
    """Alter, read, and say what came of it."""
    return report.main("inputs", __doc__, cases=10_000, patience=PATIENCE)


if __name__ == "__main__":
    sys.exit(main())
