"""What surrounds the program fails: disk, lock, clock, memory, files; one case each.

    python -m benchmarks.attack.faults [--case N]

A disk that is full, a store that cannot be written, another program that holds the write lock for
30 and 120 s, a clock that is set back or ahead, memory that runs out, a store that is removed,
renamed or replaced while it is used, pipes and devices in the place of files, few file descriptors,
strangers at the door. Runs must end in the same bits as if nothing had happened, or say what has
happened; whoever looks must not wait.

Full and read-only disks are mounted, in a name space of the case's own, which takes root.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.attack import kills, pages, report, rooms, specimens
from benchmarks.attack.inputs import faults_of_command, run_command
from benchmarks.attack.rooms import DATABASE
from benchmarks.attack.workers import Skipped
from neuralscope.data import is_cached, load_dataset
from neuralscope.errors import NeuralScopeError, StoreError
from neuralscope.runs import FAILED, FINISHED, RUNNING, RunConfig, Store, lineage

PATIENCE = 400.0
ONE_LOOK = 2.0
"""Seconds that somebody who looks may wait, on a machine that is busy with the trainings."""

LONG = RunConfig(dataset="digits", hidden=(16,), epochs=600, batch_size=32, seed=5)
"""A run of some seconds."""

_HOME = os.environ.get("SCIKIT_LEARN_DATA")


prepare = specimens.prepare


def case(
    number: int, chance: random.Random, folder: Path, announce: Callable[[str], None]
) -> list[str]:
    """Let one thing fail and return what is wrong with how it is dealt with."""
    kind, work = cases()[number]
    announce(kind)
    return work(folder)


# Looking on --------------------------------------------------------------------------------------


def look(place: Path, *, page: str = "runs", is_new: bool = True, **query: str) -> list[str]:
    """List the runs and draw a page; return what is wrong with that, or too slow."""
    faults = []
    began = time.monotonic()
    status, _, said = run_command("runs", "list", "--store", str(place))
    if status:
        faults.append(f"runs list failed: {said.strip()[:160]}")
    faults += _if_late("runs list", began)
    began = time.monotonic()
    faults += pages.exceptions_on(page, pages.draw(page, query, place, is_new=is_new))
    return faults + _if_late(f"page {page}", began)


def _if_late(what: str, began: float) -> list[str]:
    seconds = time.monotonic() - began
    return [f"{what} took {seconds:.1f} s"] if seconds > ONE_LOOK else []


def _in_peace(folder: Path) -> dict[str, Any]:
    run_id = rooms.queue_run(folder / "peace", LONG)
    rooms.wait(rooms.train_in_child(folder / "peace", run_id), 60)
    return rooms.result_of(folder / "peace", run_id)


def _until_running(place: Path, run_id: str, steps: int = 50) -> None:
    with Store(place) as store:
        deadline = time.monotonic() + 20
        while store.run(run_id).step < steps and time.monotonic() < deadline:
            time.sleep(0.01)


# The write lock ----------------------------------------------------------------------------------


def _locked(seconds: float, mode: str, folder: Path) -> list[str]:
    """Let another program hold the write lock while a run is trained, and while it ends."""
    expected = _in_peace(folder)
    place = folder / "runs"
    run_id = rooms.queue_run(place, LONG)
    trainer = rooms.train_in_child(place, run_id)
    _until_running(place, run_id)
    faults: list[str] = []
    with closing(sqlite3.connect(place / DATABASE, timeout=30, isolation_level=None)) as db:
        db.execute(f"BEGIN {mode}")
        until = time.monotonic() + seconds
        looks = 0
        while time.monotonic() < until:
            if looks < 3 or (looks < 6 and time.monotonic() > until - 8):
                faults += look(place, page=("runs", "train")[looks % 2], run=run_id)
                looks += 1
            if looks == 2:
                began = time.monotonic()
                status, _, said = run_command("runs", "note", run_id, "x", "--store", str(place))
                if status == 0 or not said.strip() or time.monotonic() - began > 30:
                    faults.append(f"a note while locked: status {status}, {said[:100]!r}")
            time.sleep(1)
        db.execute("COMMIT")
    if not rooms.wait(trainer, 60):
        faults.append("60 s after the lock was released the trainer has not ended")
        rooms.kill(trainer)
    return faults + kills.compare(place, run_id, expected)


# Disks -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _own_mounts() -> Iterator[Callable[..., None]]:
    """Give what mounts a file system that only this process and its children see."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x00020000):  # CLONE_NEWNS
        raise Skipped("mounting takes root")

    def mount(*words: str) -> None:
        if subprocess.run(["mount", *words], capture_output=True).returncode:
            raise Skipped("nothing can be mounted here")

    mount("--make-rprivate", "/")
    mounted: list[str] = []

    def mount_at(place: Path, *words: str) -> None:
        mount(*words, str(place))
        mounted.append(str(place))

    try:
        yield mount_at
    finally:
        for each in reversed(mounted):
            subprocess.run(["umount", "--lazy", each], capture_output=True)


def _fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def _full_disk(folder: Path) -> list[str]:
    """Fill the disk while a run is trained; look, export and delete; give room again."""
    expected = _in_peace(folder)
    sound = specimens.found(folder)
    disk = folder / "disk"
    disk.mkdir()
    faults: list[str] = []
    with _own_mounts() as mount:
        mount(disk, "-t", "tmpfs", "-o", "size=6m", "tmpfs")
        place = disk / "runs"
        shutil.copytree(sound / "store", place)
        with Store(place) as store:
            others = [run.run_id for run in store.runs()]
        run_id = rooms.queue_run(place, LONG)
        trainer = rooms.train_in_child(place, run_id)
        _until_running(place, run_id)
        _fill(disk / "filler")
        time.sleep(2)
        faults += look(place) + look(place, page="train", run=run_id)
        out = str(folder / "out.csv")
        for words in (
            ("export", others[0], "--format", "csv", "--output", out),
            ("runs", "delete", others[1], "--yes"),
        ):
            status, _, said = run_command(*words, "--store", str(place))
            if status:
                faults.append(f"on a full disk, {' '.join(words[:2])}: {said.strip()[:160]}")
        (disk / "filler").unlink()
        if not rooms.wait(trainer, 60):
            faults.append("60 s after there was room again the trainer has not ended")
            rooms.kill(trainer)
        with Store(place) as store:
            run = store.run(run_id)
        if run.status != FINISHED:
            faults.append(f"the run ended as {run.status}: {run.message[:160]}")
        return faults + kills.compare(place, run_id, expected)


def _full_output(folder: Path) -> list[str]:
    """Export onto a full disk."""
    sound = specimens.found(folder)
    disk = folder / "disk"
    disk.mkdir()
    faults: list[str] = []
    with _own_mounts() as mount:
        mount(disk, "-t", "tmpfs", "-o", "size=64k", "tmpfs")
        _fill(disk / "filler")
        with Store(sound / "store") as store:
            run_id = store.runs()[0].run_id
        for form in ("npz", "onnx", "csv", "json", "python", "html", "run"):
            words = ("export", run_id, "--format", form, "--output", str(disk / f"out.{form}"))
            status, _, said = run_command(*words, "--store", str(sound / "store"))
            if status != 1 or f"out.{form}" not in said or "/." in said:
                faults.append(
                    f"export {form} to a full disk: status {status}, {said.strip()[:160]}"
                )
        left = sorted(path.name for path in disk.iterdir() if path.name != "filler")
        return faults + ([f"left behind: {', '.join(left)}"] if left else [])


def _read_only(folder: Path) -> list[str]:
    """Look at a store that cannot be written, with the last changes in its write-ahead log."""
    sound = specimens.found(folder)
    whole, place = folder / "whole", folder / "runs"
    shutil.copytree(sound / "store", whole)
    with closing(sqlite3.connect(whole / DATABASE)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("UPDATE runs SET notes = 'Written last.'")
        db.commit()
        shutil.copytree(whole, place)
    faults: list[str] = []
    with _own_mounts() as mount:
        mount(place, "--bind", str(place))
        mount(place, "-o", "remount,bind,ro")
        faults += look(place)
        where = ("--store", str(place))
        _, out, _ = run_command("runs", "list", "--json", *where)
        run_ids = [run["run_id"] for run in json.loads(out or "[]")]
        if not run_ids:
            return [*faults, "the runs of a read-only store are not listed"]
        _, out, _ = run_command("runs", "show", run_ids[0], *where)
        if "Written last." not in out:
            faults.append("what was written last, into the log, is overlooked")
        for page in pages.PAGES:
            faults += look(place, page=page, run=run_ids[0])
        for form in ("npz", "csv", "html", "run"):
            words = ("export", run_ids[0], "--format", form, "--output", str(folder / form))
            status, _, said = run_command(*words, *where)
            if status:
                faults.append(f"export {form} failed: {said.strip()[:160]}")
        for words in (("note", run_ids[0], "x"), ("delete", run_ids[0], "--yes"),
                      ("import", str(sound / "runs" / "0.zip"))):  # fmt: skip
            status, _, said = run_command("runs", *words, *where)
            if status not in (1, 2) or not said.strip():
                faults.append(f"runs {words[0]} in a read-only store: status {status}")
        return faults


# Clock and memory --------------------------------------------------------------------------------


def _clock(shift: float, folder: Path) -> list[str]:
    """Let a trainer live by another clock; kill it, and see whether that is noticed."""
    expected = _in_peace(folder)
    place = folder / "runs"
    run_id = rooms.queue_run(place, LONG)
    true = time.time

    def shifted() -> None:
        time.time = lambda: true() + shift

    trainer = rooms.train_in_child(place, run_id, shifted)
    faults = []
    with Store(place) as store:
        deadline = time.monotonic() + 20
        while store.run(run_id).step < 50 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.5)
        if not (run := store.run(run_id)).is_active:
            faults.append(f"while its trainer lives it is {run.status}")
        rooms.kill(trainer)
        rooms.wait(trainer, 5)
        deadline = time.monotonic() + 10
        while (run := store.run(run_id)).is_active and time.monotonic() < deadline:
            time.sleep(0.05)
        if run.is_active:
            return [*faults, f"10 s after its trainer was killed it is still {run.status}"]
    began = time.monotonic()
    kills.finish(place, run_id, faults)
    if time.monotonic() - began > 30:
        faults.append("it took over 30 s to go on with it")
    return faults + kills.compare(place, run_id, expected)


def _out_of_memory(folder: Path) -> list[str]:
    """Let a trainer run out of memory: the run must say so."""
    place = folder / "runs"
    run_id = rooms.queue_run(
        place, RunConfig(dataset="digits", hidden=(1024,) * 6, epochs=2, optimizer="adam")
    )

    def limited() -> None:
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + 40 * 2**20,) * 2)

    trainer = rooms.train_in_child(place, run_id, limited)
    faults = [] if rooms.wait(trainer, 30) else ["the trainer did not end"]
    with Store(place) as store:
        run = store.run(run_id)
    if run.status != FAILED or "memory" not in run.message.lower():
        faults.append(f"the run is {run.status}: {run.message[:160]!r}")
    return faults + look(place, page="train", run=run_id)


def _killed_silently(folder: Path) -> list[str]:
    """Kill a trainer in a way of which only what it printed tells."""
    place = folder / "runs"
    run_id = rooms.queue_run(place, LONG)
    trainer = rooms.train_in_child(place, run_id)
    _until_running(place, run_id)
    rooms.kill(trainer)
    rooms.wait(trainer, 5)
    with Store(place) as store:
        store.folder(run_id).mkdir(exist_ok=True)
        (store.folder(run_id) / "trainer.log").write_text("Fatal Python error: a made-up end\n")
        deadline = time.monotonic() + 10
        while store.run(run_id).is_active and time.monotonic() < deadline:
            time.sleep(0.05)
    app = pages.draw("train", {"run": run_id}, place)
    faults = pages.exceptions_on("train", app)
    texts = pages.text_of(app) + "".join(str(each.value) for each in app.get("code"))
    return faults + ([] if "made-up end" in texts else ["what the trainer printed is not shown"])


# A store that goes away --------------------------------------------------------------------------


def _gone(how: str, folder: Path) -> list[str]:
    """Remove, rename or replace the store under a trainer and a dashboard."""
    sound = specimens.found(folder)
    place = folder / "runs"
    shutil.copytree(sound / "store", place)
    run_id = rooms.queue_run(place, RunConfig(**{**LONG.as_dict(), "epochs": 10_000}))
    trainer = rooms.train_in_child(place, run_id)
    _until_running(place, run_id)
    faults = pages.exceptions_on("runs", pages.draw("runs", {}, place))
    elsewhere = folder / "elsewhere"
    place.rename(elsewhere)
    if how == "removed":
        shutil.rmtree(elsewhere, ignore_errors=True)
    if how == "replaced":
        shutil.copytree(sound / "store", place)
        with closing(sqlite3.connect(place / DATABASE)) as db:
            db.execute("UPDATE runs SET name = 'Erfurt'")
            db.commit()
    app = pages.draw("runs", {}, place, is_new=False)
    faults += pages.exceptions_on("runs", app)
    text = pages.text_of(app)
    if any(name in text for name in specimens.NAMES):
        faults.append(f"the page shows the runs of the store that was {how}")
    if how == "replaced" and "Erfurt" not in text:
        faults.append("the page does not show the store that has taken its place")
    if not rooms.wait(trainer, 15):
        faults.append(f"15 s after its store was {how} the trainer is still at work")
        rooms.kill(trainer)
        rooms.wait(trainer, 5)
    left = place / run_id
    if left.exists():
        faults.append("the trainer has made its folder anew")
    return faults


# Files that are none -----------------------------------------------------------------------------

PLACES = ("weights", "picture", "run file", "data", "output", "store")
STRANGE = ("pipe", "/dev/zero", "/dev/full", "/dev/stdin", "folder", "loop")


def _strange(where: str, what: str, folder: Path) -> list[str]:
    """Give something that is no ordinary file where a file is read, or written."""
    sound = specimens.found(folder)
    path = folder / "strange"
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    else:
        path.symlink_to(path if what == "loop" else what)
    weights, picture = str(sound / "weights" / "64-12-10.npz"), str(sound / "pictures" / "L.png")
    with Store(sound / "store") as store:
        run_id = store.runs()[0].run_id
    given = str(path)
    stored = ("--store", str(sound / "store"))
    words: tuple[str, ...] = {
        "weights": ("predict", given, picture),
        "picture": ("predict", weights, given),
        "run file": ("runs", "import", given, "--store", str(folder / "runs")),
        "data": ("evaluate", weights, "--dataset", given),
        "output": ("export", run_id, "--format", "csv", "--output", given, *stored),
        "store": ("runs", "list", "--store", given),
    }[where]
    began = time.monotonic()
    child = rooms.in_child(lambda: int(bool(faults_of_command(*words))))
    if not rooms.wait(child, 10):
        rooms.kill(child)
        rooms.wait(child, 5)
        return [f"{' '.join(words[:2])} did not answer within 10 s"]
    faults = faults_of_command(*words)
    if not faults and where not in ("output", "store"):
        status, _, _ = run_command(*words)
        faults = [] if status else [f"{what} was read as {where}"]
    return faults + ([] if time.monotonic() - began < 10 else ["it took over 10 s"])


# Served ------------------------------------------------------------------------------------------


def _few_descriptors(folder: Path) -> list[str]:
    """Open and leave the dashboard 100 times with 256 file descriptors (the limit of macOS)."""
    from websockets.sync.client import connect

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    faults = []
    try:
        with rooms.dashboard(folder / "runs") as (address, server, _):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for number in range(100):
                try:
                    _visit(address, connect)
                except Exception as error:
                    faults.append(f"visit {number + 1} was not answered: {type(error).__name__}")
                    break
            n_open = len(list(Path(f"/proc/{server}/fd").iterdir()))
            if n_open > 200:
                faults.append(f"after 100 visits {n_open} descriptors are open")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return faults


def _visit(address: str, connect: Any) -> None:
    from streamlit.proto.BackMsg_pb2 import BackMsg
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    url = f"ws://{address}/_stcore/stream"
    with connect(url, max_size=None, subprotocols=["streamlit"]) as connection:
        message = BackMsg()
        message.rerun_script.query_string = ""
        connection.send(message.SerializeToString())
        answer = ForwardMsg()
        deadline = time.monotonic() + 10
        while answer.WhichOneof("type") != "script_finished":
            answer.ParseFromString(connection.recv(timeout=max(0, deadline - time.monotonic())))


def _strangers(folder: Path) -> list[str]:
    """Let another web page knock 30 times; whoever belongs here must not wait meanwhile."""
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    faults = []
    with rooms.dashboard(folder / "runs") as (address, _, _):
        slowest = 0.0
        for _ in range(30):
            try:
                with connect(
                    f"ws://{address}/_stcore/stream",
                    subprotocols=["streamlit"],  # type: ignore[list-item]
                    origin="http://elsewhere.example",  # type: ignore[arg-type]
                    open_timeout=10,
                ):
                    faults.append("a page from elsewhere was let in")
                    break
            except (InvalidStatus, OSError, TimeoutError):
                pass
            began = time.monotonic()
            with urllib.request.urlopen(f"http://{address}/_stcore/health", timeout=10):
                slowest = max(slowest, time.monotonic() - began)
    return faults + ([f"others waited {slowest:.1f} s"] if slowest > 1 else [])


def _kept_mnist(how: str, folder: Path) -> list[str]:
    """Damage the kept copy of MNIST: it must be made anew from what was downloaded."""
    home = Path(_HOME or Path.home() / "scikit_learn_data")
    if not is_cached("mnist") or not (home / "openml").exists():
        raise Skipped("MNIST has not been downloaded here")
    place = folder / "home"
    place.mkdir()
    (place / "openml").symlink_to(home / "openml")
    whole = load_dataset("mnist", data_home=place)
    [kept] = (place / "neuralscope").glob("mnist*.npy")
    with kept.open("r+b") as file:
        if how == "cut":
            file.truncate(1_000_000)
        else:
            file.seek({"bit": 20_000_000, "header": 20, "checksum": kept.stat().st_size - 5}[how])
            file.write(b"\xa5")
    try:
        again = load_dataset("mnist", data_home=place)
    except NeuralScopeError as error:
        return [f"it is not made anew: {error}"]
    return [] if again.digest == whole.digest else ["other data has come out"]


def _queue_behind_the_dead(folder: Path) -> list[str]:
    """Kill a trainer whose clock was ahead; a new run must not wait for it."""
    place = folder / "runs"
    dead = rooms.queue_run(place, LONG)
    true = time.time

    def ahead() -> None:
        time.time = lambda: true() + 3600

    trainer = rooms.train_in_child(place, dead, ahead)
    with Store(place) as store:
        deadline = time.monotonic() + 20
        while store.run(dead).status != RUNNING and time.monotonic() < deadline:
            time.sleep(0.01)
    rooms.kill(trainer, signal.SIGKILL)
    rooms.wait(trainer, 5)
    run_id = rooms.queue_run(place, rooms.SMALL[0])
    following = rooms.train_in_child(place, run_id)
    faults = [] if rooms.wait(following, 25) else ["a new run waits for one that is dead"]
    rooms.kill(following)
    with Store(place) as store:
        try:
            store.delete(dead)
        except StoreError as error:
            faults.append(f"a dead run cannot be deleted: {error}")
        with contextlib.suppress(NeuralScopeError):
            lineage.resume(store, dead)
    return faults


def cases() -> list[tuple[str, Callable[[Path], list[str]]]]:
    """Return what may fail: a name for each case, and what does it."""
    single: list[tuple[str, Callable[[Path], list[str]]]] = [
        ("locked for 30 s", partial(_locked, 30, "IMMEDIATE")),
        ("locked for 120 s", partial(_locked, 120, "IMMEDIATE")),
        ("locked exclusively for 30 s", partial(_locked, 30, "EXCLUSIVE")),
        ("disk full", _full_disk),
        ("disk full, export", _full_output),
        ("read-only store", _read_only),
        ("clock an hour ahead, set back", partial(_clock, 3600.0)),
        ("clock an hour behind, set ahead", partial(_clock, -3600.0)),
        ("clock set back, queue", _queue_behind_the_dead),
        ("out of memory", _out_of_memory),
        ("killed silently", _killed_silently),
        ("few descriptors", _few_descriptors),
        ("strangers", _strangers),
    ]
    gone = [(f"store {how}", partial(_gone, how)) for how in ("removed", "renamed", "replaced")]
    kept = [(f"MNIST: {how}", partial(_kept_mnist, how))
            for how in ("bit", "header", "checksum", "cut")]  # fmt: skip
    strange = [
        (f"{what} as {where}", partial(_strange, where, what))
        for where in PLACES
        for what in STRANGE
    ]
    return [*single, *gone, *kept, *strange]


def main() -> int:
    """Let everything fail, and say what came of it."""
    return report.main("faults", __doc__, cases=len(cases()), patience=PATIENCE)


if __name__ == "__main__":
    sys.exit(main())
