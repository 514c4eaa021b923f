"""Processes are killed, stopped and taken over at random moments; the bits must be the same.

    python -m benchmarks.attack.kills [--cases 1000] [--seed 0] [--case N]

In each case a tiny network learns the built-in digits. At a random moment, or when it opens,
renames or removes its n-th file, something happens: the trainer is killed or told to end; the
second process of its shared step is killed; the process that started it is killed, alone or with
it; it is stopped until it counts as lost, taken over, and wakes up while its successor trains; a
real dashboard is killed or closed. Then the run is resumed, perhaps killed again, to its end.
Parameters, optimizer, random states, every loss, epochs, health and test result must be those of
the same configuration left in peace, and nothing may be left behind.

A silent trainer counts as lost after a tenth of the usual time, so that a case takes a second.
"""

from __future__ import annotations

import random
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.attack import report, rooms
from neuralscope.errors import NeuralScopeError, StoreError
from neuralscope.runs import FINISHED, Store, launcher, lineage

PATIENCE = 150.0
ENDING = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGHUP": signal.SIGHUP,
          "SIGINT": signal.SIGINT}  # fmt: skip
MOST_FILES = 120
"""Files that a small run opens, renames or removes, about."""

_undisturbed: dict[tuple[int, int], tuple[dict[str, Any], float]] = {}


def case(
    number: int, chance: random.Random, folder: Path, announce: Callable[[str], None]
) -> list[str]:
    """Disturb one run and return what is wrong afterwards."""
    if number % 50 == 49:
        return _dashboard(chance, folder, announce)
    [kind] = chance.choices(list(_KINDS), [often for often, _ in _KINDS.values()])
    announce(kind)
    disturb = _KINDS[kind][1]
    which = chance.randrange(len(rooms.SMALL))
    processes = 2 if "partner" in kind else 1
    expected, seconds = undisturbed(which, processes, folder)
    place = folder / "runs"
    run_id = rooms.queue_run(place, rooms.SMALL[which], processes)
    faults: list[str] = []
    if kind.startswith("server"):
        disturb(chance, place, run_id, seconds, faults)
    else:
        with rooms.short_lives():
            disturb(chance, place, run_id, seconds, faults)
            finish(place, run_id, faults)
    return faults + compare(place, run_id, expected)


def undisturbed(which: int, processes: int, folder: Path) -> tuple[dict[str, Any], float]:
    """Return what comes of a configuration in peace, and how long that takes."""
    key = which, processes
    if key not in _undisturbed:
        place = folder / "peace"
        run_id = rooms.queue_run(place, rooms.SMALL[which], processes)
        began = time.monotonic()
        rooms.wait(rooms.train_in_child(place, run_id), PATIENCE)
        _undisturbed[key] = rooms.result_of(place, run_id), time.monotonic() - began
    return _undisturbed[key]


def compare(place: Path, run_id: str, expected: dict[str, Any]) -> list[str]:
    """Return what of a run is not as it should be."""
    try:
        result = rooms.result_of(place, run_id)
        left = rooms.leftovers(place, run_id)
    except (NeuralScopeError, OSError, LookupError) as error:
        return [f"its result cannot be read: {error}"]
    if result["the status"] != FINISHED:
        return [f"it is {result['the status']}: {result['the message']}"]
    faults = [f"different: {name}" for name in expected if result.get(name) != expected[name]]
    return faults + ([f"left behind: {', '.join(left)}"] if left else [])


def finish(place: Path, run_id: str, faults: list[str]) -> None:
    """Bring a run to its end, and note if that cannot be done."""
    try:
        rooms.finish(place, run_id)
    except NeuralScopeError as error:
        faults.append(f"it cannot be brought to its end: {error}")


# What is done to a run ---------------------------------------------------------------------------


def _end_trainer(
    name: str, chance: random.Random, place: Path, run_id: str, seconds: float, faults: list[str]
) -> None:
    """Let the trainer end by a signal, and its successors too, up to three times."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        if chance.random() < 0.5:
            before = rooms.signal_at(ENDING[name], chance.randint(1, MOST_FILES))
            pid = rooms.train_in_child(place, run_id, before)
        else:
            pid = rooms.train_in_child(place, run_id)
            rooms.wait(pid, chance.uniform(0, 1.1 * seconds))
            rooms.kill(pid, ENDING[name])
        if not rooms.wait(pid, 20):
            faults.append(f"it did not end within 20 s of {name}")
            rooms.kill(pid)
            rooms.wait(pid, 5)
        if not _requeue(place, run_id, faults):
            return


def _requeue(place: Path, run_id: str, faults: list[str]) -> bool:
    """Resume a run once it counts as over; return False if there is nothing left to do."""
    deadline = time.monotonic() + 20
    with Store(place) as store:
        while (run := store.run(run_id)).is_active and time.monotonic() < deadline:
            time.sleep(0.02)
        if run.status == FINISHED:
            return False
        if run.is_active:
            faults.append(f"20 s after its trainer's end it is still {run.status}")
            return False
        lineage.resume(store, run_id)
    return True


def _kill_partner(
    chance: random.Random, place: Path, run_id: str, seconds: float, faults: list[str]
) -> None:
    pid = rooms.train_in_child(place, run_id)
    deadline = time.monotonic() + 20
    while not rooms.children_of(pid) and rooms.state_of(pid) not in ("Z", ""):
        time.sleep(0.001)
        if time.monotonic() > deadline:
            faults.append("it has no second process")
            break
    time.sleep(chance.uniform(0, seconds))
    for partner in rooms.children_of(pid):
        rooms.kill(partner)
    if chance.random() < 0.3:
        time.sleep(chance.uniform(0, 0.1))
        rooms.kill(pid)
    if not rooms.wait(pid, 30):
        faults.append("it did not end within 30 s of the death of its second process")
        rooms.kill(pid)


def _overtake(
    chance: random.Random, place: Path, run_id: str, seconds: float, faults: list[str]
) -> None:
    """Stop a trainer, let another go on with its run, and wake the first one.

    The file that it holds locked is mostly taken away from it, or nobody could go on.
    """
    if chance.random() < 0.6:
        before = rooms.signal_at(signal.SIGSTOP, chance.randint(1, MOST_FILES))
        old = rooms.train_in_child(place, run_id, before)
        while rooms.state_of(old) not in ("T", "Z", ""):
            time.sleep(0.002)
    else:
        old = rooms.train_in_child(place, run_id)
        time.sleep(chance.uniform(0, seconds))
        rooms.kill(old, signal.SIGSTOP)
    if chance.random() < 0.7:  # as a disk does that forgets its locks
        (place / run_id / rooms.LOCK).unlink(missing_ok=True)
    with Store(place) as store:
        deadline = time.monotonic() + 1.5
        while (run := store.run(run_id)).is_active and time.monotonic() < deadline:
            time.sleep(0.02)
        is_lost = not run.is_active and run.status != FINISHED
        if is_lost:
            try:
                lineage.resume(store, run_id)
            except StoreError:  # it was stopped with the database in its hands
                is_lost = False
    if not is_lost:  # stopped, but known to be there; or over already
        rooms.kill(old, signal.SIGCONT)
        if not rooms.wait(old, 30):
            faults.append("a trainer that was stopped and went on did not end")
            rooms.kill(old)
        return
    new = rooms.train_in_child(place, run_id)
    rooms.wait(new, chance.uniform(0, seconds))
    rooms.kill(old, signal.SIGCONT)
    if not rooms.wait(old, 20):
        faults.append("a trainer that has lost its run did not end")
        rooms.kill(old)
    if rooms.state_of(new) not in ("Z", ""):
        with Store(place) as store:
            status = store.run(run_id).status
            try:
                lineage.resume(store, run_id)
                if status != FINISHED:
                    faults.append(f"a third resume was accepted while its trainer lives ({status})")
            except StoreError:
                pass
    if not rooms.wait(new, 30):
        faults.append("the trainer that took over did not end")
        rooms.kill(new)
    with Store(place) as store:
        if (run := store.run(run_id)).status != FINISHED:
            faults.append(f"the run that was taken over ended as {run.status}: {run.message}")


def _kill_server(
    chance: random.Random, place: Path, run_id: str, seconds: float, faults: list[str]
) -> None:
    """Kill the process that has started a trainer, alone or with it."""
    with_trainer = chance.random() < 0.4

    def serve() -> int:
        with Store(place) as store:
            launcher.start_trainer(store, run_id)
            time.sleep(60)
        return 0

    server = rooms.in_child(serve, place / "children.log")
    deadline = time.monotonic() + 20
    while not (found := rooms.trainers_of(place)) and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(chance.uniform(0, seconds + 0.4))
    rooms.kill(server)
    if with_trainer:
        time.sleep(chance.choice((0, 0, 0.05)))
        for pid in found:
            rooms.kill(pid)
    rooms.wait(server, 5)
    _await_end(place, run_id, faults, must_finish=not with_trainer)
    finish(place, run_id, faults)


def _await_end(place: Path, run_id: str, faults: list[str], *, must_finish: bool) -> None:
    with Store(place) as store:
        deadline = time.monotonic() + 30
        while (run := store.run(run_id)).is_active and time.monotonic() < deadline:
            time.sleep(0.02)
        if run.is_active:
            faults.append(f"30 s after the end of the server it is still {run.status}")
        elif must_finish and run.status != FINISHED:
            faults.append(f"it did not outlive its server: {run.status}, {run.message}")


def _dashboard(chance: random.Random, folder: Path, announce: Callable[[str], None]) -> list[str]:
    """Have a real dashboard start a run, then kill it or close it."""
    number = chance.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
    announce("dashboard killed" if number == signal.SIGKILL else "dashboard closed")
    which = chance.randrange(len(rooms.SMALL))
    expected, seconds = undisturbed(which, 1, folder)
    place, faults = folder / "runs", []
    with rooms.dashboard(place) as (address, server, program):
        rooms.click(address, rooms.SMALL[which], "Start training")
        deadline = time.monotonic() + 20
        while not (found := rooms.trainers_of(place)) and time.monotonic() < deadline:
            time.sleep(0.01)
        if not found:
            return ["Start training has started no trainer within 20 s"]
        time.sleep(chance.uniform(0, seconds + 0.3))
        rooms.kill(server if number == signal.SIGKILL else program, number)
        time.sleep(0.1)
    with Store(place) as store:
        [run] = store.runs()
    _await_end(place, run.run_id, faults, must_finish=number == signal.SIGKILL)
    finish(place, run.run_id, faults)
    return faults + compare(place, run.run_id, expected)


_KINDS: dict[str, tuple[int, Any]] = {
    "trainer killed": (30, partial(_end_trainer, "SIGKILL")),
    "trainer ended by SIGTERM": (6, partial(_end_trainer, "SIGTERM")),
    "trainer ended by SIGHUP": (3, partial(_end_trainer, "SIGHUP")),
    "trainer ended by SIGINT": (6, partial(_end_trainer, "SIGINT")),
    "partner killed": (15, _kill_partner),
    "stopped and overtaken": (25, _overtake),
    "server killed": (15, _kill_server),
}
"""What may happen, how often, and what does it."""


def main() -> int:
    """Kill, and say what came of it."""
    return report.main("kills", __doc__, cases=1000, patience=PATIENCE)


if __name__ == "__main__":
    sys.exit(main())
