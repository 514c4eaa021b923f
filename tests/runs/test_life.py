"""Whether somebody trains a run: the lock that proves it, and those who hold it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from neuralscope.errors import StoreError
from neuralscope.runs import RunConfig, Store, life, lineage
from neuralscope.runs.life import LOCK_NAME, Held

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A run's folder that is not there yet."""
    folder = tmp_path / "20261123-101502-3fa9"
    yield folder
    life.withdraw(folder)


def test_a_run_is_held_until_it_is_released(folder: Path) -> None:
    assert not life.is_held(folder)
    held = life.hold(folder)
    assert life.is_held(folder)
    held.release()
    assert not life.is_held(folder)
    life.hold(folder).release()


def test_a_run_is_held_by_one_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(life, "PATIENCE", 0.01)
    held = life.hold(folder)
    with pytest.raises(Held, match=rf"^Run {folder.name} is trained by another process\.$"):
        life.hold(folder)
    held.release()


def test_who_looks_does_not_keep_a_trainer_from_taking_the_run(folder: Path) -> None:
    life.hold(folder).release()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            life.is_held(folder)

    lookers = [threading.Thread(target=look) for _ in range(4)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(50):
            life.hold(folder).release()
    finally:
        over.set()
        for looker in lookers:
            looker.join()


def test_what_is_promised_is_held_until_it_is_taken_and_released(folder: Path) -> None:
    life.promise(folder)
    life.promise(folder)  # once more is the same
    assert life.is_held(folder)
    taken = life.take(folder)
    life.withdraw(folder)  # nothing to withdraw any more
    assert life.is_held(folder)
    taken.release()
    assert not life.is_held(folder)


@needs_posix
def test_a_lock_is_handed_over_without_a_gap_and_dies_with_its_holder(folder: Path) -> None:
    life.promise(folder)
    held = life.take(folder)
    process = subprocess.Popen(["sleep", "60"], pass_fds=(held.descriptor,))
    held.leave()
    assert life.is_held(folder)
    process.kill()
    process.wait()
    assert not life.is_held(folder)


@needs_posix
def test_a_process_that_inherits_a_lock_promises_the_run(folder: Path) -> None:
    held = life.hold(folder)
    life.inherit(folder, os.dup(held.descriptor))
    held.leave()
    assert life.is_held(folder)
    assert not os.get_inheritable(life.take(folder).descriptor)


@needs_posix
def test_a_descriptor_of_something_else_is_not_inherited(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    with (tmp_path / "other").open() as other, pytest.raises(StoreError, match="is not the lock"):
        life.inherit(folder, other.fileno())
    with pytest.raises(StoreError, match="is not the lock"):
        life.inherit(folder, 10_000)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_does_not_keep_alive_what_its_parent_trained(folder: Path) -> None:
    code = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from neuralscope.runs import life\n"
        "held = life.hold(Path(sys.argv[1]))\n"
        "if os.fork() == 0: print(os.getpid(), flush=True)\n"
        "time.sleep(60)\n"
    )
    trainer = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE)
    assert trainer.stdout is not None
    partner = int(trainer.stdout.readline())
    try:
        assert life.is_held(folder)
        trainer.kill()
        trainer.wait()
        assert not life.is_held(folder)
    finally:
        os.kill(partner, 9)
        trainer.stdout.close()


@needs_posix
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_disk_without_locks_is_said_when_a_run_is_queued(
    run_store: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(life.fcntl, "flock", refuse)
    with Store(run_store) as store:
        with pytest.raises(StoreError, match=r"knows no file locks, .* Choose a store on another"):
            store.create(config)
        assert store.runs() == []


@needs_posix
@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_what_stands_in_the_place_of_a_lock_holds_nothing(folder: Path, kind: str) -> None:
    folder.mkdir()
    path = folder / LOCK_NAME
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    assert not life.is_held(folder)


def test_two_that_resume_at_once_are_one_that_does(run_store: Path, config: RunConfig) -> None:
    with Store(run_store) as first, Store(run_store) as second:
        run_id = first.create(config)
        first.withdraw(run_id)
        told: list[str] = []

        def resume(store: Store) -> None:
            try:
                lineage.resume(store, run_id)
                told.append("")
            except StoreError as error:
                told.append(str(error))

        threads = [threading.Thread(target=resume, args=(store,)) for store in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(told)[0] == ""
        assert sorted(told)[1] in {
            f"Run {run_id} is queued already.",
            f"Run {run_id} is already queued.",
        }
        assert first.run(run_id).status == "queued"


def test_a_run_of_a_closed_store_is_let_go(run_store: Path, config: RunConfig) -> None:
    with Store(run_store) as store:
        run_id = store.create(config)
        assert store.is_held(run_id)
    assert not life.is_held(run_store / run_id)


def test_a_row_of_a_version_without_locks_is_interrupted_and_goes_on(
    run_store: Path, config: RunConfig
) -> None:
    with Store(run_store) as store:
        run_id = store.create(config)
        store.withdraw(run_id)
        (store.folder(run_id) / LOCK_NAME).unlink()
        with store.database.writing() as db:
            db.execute("UPDATE runs SET status = 'running', trainer = 'former'")
        assert store.run(run_id).status == "interrupted"
        lineage.resume(store, run_id)
        assert store.run(run_id).status == "queued"
