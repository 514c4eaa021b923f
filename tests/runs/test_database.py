from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralscope.engine import EpochEnd
from neuralscope.errors import StoreBusy, StoreError, StoreFull
from neuralscope.runs import RunConfig, Store, database
from neuralscope.runs.database import APPLICATION_ID, FILE_NAME, SCHEMA_VERSION
from neuralscope.runs.records import Progress, StepBlock
from tests.writing import owner

ONE_SENTENCE = r"^[^\n]+\.$"


def epoch_end(epoch: int) -> EpochEnd:
    return EpochEnd(epoch, 10 * epoch, 1.0, 0.5, 1.5, 0.25, 0.1)


def write_much(store: Store, run_id: str) -> None:
    block = StepBlock(1, 0.0, 1.0, np.ones(100_000, np.float32))
    owner(store, run_id).record(Progress(1, 100_000, 1.0, 1.0, 0.1), [block], [(epoch_end(1), 1.0)])


# Opening -----------------------------------------------------------------------------------------


def test_the_folder_and_the_database_are_made(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    Store(folder).close()
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("name", ["with space", "Grüße-数字-💥", "100%?x=1#y", "it's", "'; --"])
def test_any_folder_name_will_do(tmp_path: Path, name: str, config: RunConfig) -> None:
    with Store(tmp_path / name) as store:
        run_id = store.create(config)
    with Store(tmp_path / name) as store:
        assert [run.run_id for run in store.runs()] == [run_id]
    assert (tmp_path / name / FILE_NAME).exists()


def test_an_empty_file_is_a_new_store(run_store: Path, config: RunConfig) -> None:
    run_store.mkdir()
    (run_store / FILE_NAME).touch()
    with Store(run_store) as store:
        store.create(config)
        assert len(store.runs()) == 1


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for path in (file, file / "below"):
        with pytest.raises(StoreError, match=ONE_SENTENCE):
            Store(path)
    assert file.read_text() == "mine"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder in which nobody can write")
def test_a_folder_that_cannot_be_made() -> None:
    with pytest.raises(StoreError, match=r"^The run store /proc/runs cannot be made: "):
        Store("/proc/runs")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreError, match=ONE_SENTENCE):
            Store(tmp_path)
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_in_the_place_of_the_database(run_store: Path) -> None:
    (run_store / FILE_NAME).mkdir(parents=True)
    with pytest.raises(StoreError, match=ONE_SENTENCE):
        Store(run_store)


# Files that are not ours -------------------------------------------------------------------------


def other_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
        connection.execute("INSERT INTO bookmarks VALUES ('https://example.org')")


def other_program_with_our_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE runs (distance REAL)")
        connection.execute("PRAGMA user_version = 1")


def newer_version(path: Path) -> None:
    Store(path.parent).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")


def text_file(path: Path) -> None:
    path.write_text("Dear diary, this is no database at all.\n" * 50)


def short_file(path: Path) -> None:
    path.write_bytes(b"hi")


def header_only(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0")


def damaged_database(path: Path) -> None:
    with Store(path.parent) as store:
        store.create(RunConfig())
    content = bytearray(path.read_bytes())
    content[100:] = b"\xa5" * (len(content) - 100)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (other_program, "is a database of another program; choose another store"),
        (other_program_with_our_tables, "is a database of another program"),
        (newer_version, "was written by a newer NeuralScope; update this one to open it"),
        (text_file, "its neuralscope.sqlite3 is not a database; move it away or choose another"),
        (short_file, "is not a database"),
        (header_only, "is not a database"),
        (damaged_database, "its database is damaged"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_file_that_is_not_ours_is_refused_and_left_as_it_is(
    run_store: Path, make: Callable[[Path], None], words: str
) -> None:
    run_store.mkdir()
    path = run_store / FILE_NAME
    make(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=ONE_SENTENCE) as caught:
        Store(run_store)
    assert words in str(caught.value)
    assert str(run_store) in str(caught.value)
    assert path.read_bytes() == before
    # Looking at a database with a log leaves an empty one.
    log = path.with_name(f"{FILE_NAME}-wal")
    assert not log.exists() or not log.stat().st_size
    assert {
        file.name.removesuffix("-wal").removesuffix("-shm")
        for file in run_store.iterdir()
        if file.is_file()
    } == {FILE_NAME}


# Failing -----------------------------------------------------------------------------------------


def test_a_full_disk_is_told_and_leaves_the_store_whole(
    store: Store, config: RunConfig, query: Callable[..., Any]
) -> None:
    run_id = store.create(config)
    with store.database.writing() as db:
        n_pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {n_pages}")
    with pytest.raises(StoreFull, match=r"^The run store .* failed: the disk is full\.$"):
        write_much(store, run_id)
    # All or nothing; and once there is room, it works again.
    assert (store.run(run_id).step, len(store.epochs(run_id).epoch)) == (0, 0)
    with store.database.writing() as db:
        db.execute("PRAGMA max_page_count = 1000000")
    write_much(store, run_id)
    assert len(store.steps(run_id).loss) == 100_000
    assert query("PRAGMA integrity_check") == [("ok",)]


def test_a_store_that_cannot_be_written_any_more(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    with store.database.writing() as db:
        db.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="it cannot be written"):
        store.create(config)
    assert store.run(run_id).run_id == run_id


def test_a_transaction_that_fails_changes_nothing(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    with pytest.raises(ZeroDivisionError), store.database.writing() as db:
        db.execute("DELETE FROM runs")
        raise ZeroDivisionError
    assert store.run(run_id)


def test_a_commit_that_fails_does_not_block_the_store(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    # A deferred constraint is looked at when the transaction ends, and fails there.
    with pytest.raises(StoreError, match="FOREIGN KEY"), store.database.writing() as db:
        db.execute("PRAGMA defer_foreign_keys = ON")
        db.execute("INSERT INTO snapshots VALUES ('nobody', 'latest', 0, 0, 0, 0)")
    owner(store, run_id).set_status("running")
    assert store.run(run_id).status == "running"


@pytest.fixture
def other_writer(store: Store) -> Iterator[sqlite3.Connection]:
    """Another program that holds the write lock: a backup, a database browser."""
    with closing(sqlite3.connect(store.path / FILE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


def test_writing_to_a_store_that_others_keep_busy_says_so(
    store: Store, config: RunConfig, other_writer: sqlite3.Connection
) -> None:
    with pytest.raises(StoreBusy, match=r"other programs kept it busy for 0\.05 s\.$"):
        with store.database.writing(patience=0.05):
            pass
    other_writer.rollback()
    assert store.create(config)


def test_reading_never_waits_for_writing(
    store: Store, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = store.create(config)
    monkeypatch.setattr(database, "PATIENCE", 0.0)  # whoever has to wait fails
    with closing(sqlite3.connect(store.path / FILE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with Store(store.path) as another:  # nor does opening
            assert [run.run_id for run in another.runs()] == [run_id]
    with store.database.writing() as db:  # nor in another thread of the process that writes
        db.execute("UPDATE runs SET notes = 'x'")
        seen: list[str] = []
        looking = threading.Thread(target=lambda: seen.append(store.run(run_id).notes))
        looking.start()
        looking.join(5)
    assert seen == [""]
    assert store.run(run_id).notes == "x"


def test_many_may_read_at_once(store: Store) -> None:
    with ExitStack() as stack:
        readers = [stack.enter_context(store.database.reading()) for _ in range(10)]
        assert len(set(map(id, readers))) == 10


def test_a_reader_cannot_write(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    with pytest.raises(StoreError, match="it cannot be written"), store.database.reading() as db:
        db.execute("DELETE FROM runs")
    assert store.run(run_id)


def test_opening_a_store_changes_nothing_in_it(store: Store, config: RunConfig) -> None:
    store.create(config)
    store.close()
    path = store.path / FILE_NAME
    before = path.read_bytes(), path.stat().st_mtime_ns
    with Store(store.path) as another:
        assert len(another.runs()) == 1
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


# Where nothing can be written --------------------------------------------------------------------


def prevent_writing(folder: Path) -> None:
    """Make SQLite unable to begin a log, as on a read-only disk; root is stopped by this too."""
    shared = folder / f"{FILE_NAME}-shm"
    shared.unlink(missing_ok=True)
    shared.mkdir()


def test_a_store_that_cannot_be_written_can_be_looked_at(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    store.close()
    prevent_writing(store.path)
    with Store(store.path) as reader:
        assert reader.run(run_id).config == config
        with pytest.raises(StoreError, match="it cannot be written"):
            reader.create(config)


def test_nothing_that_was_committed_is_overlooked_where_nothing_can_be_written(
    store: Store, config: RunConfig, tmp_path: Path
) -> None:
    first = store.create(config)
    copied = tmp_path / "copied"
    shutil.copytree(store.path, copied)  # while it is open: what is new is in the log only
    assert (copied / f"{FILE_NAME}-wal").stat().st_size
    prevent_writing(copied)
    before = sorted((path.name, path.stat().st_size) for path in copied.iterdir())
    with Store(copied) as reader:
        assert [run.run_id for run in reader.runs()] == [first]
        second = store.create(config)  # and what is changed by somebody who can is seen
        for suffix in ("", "-wal"):
            shutil.copy(store.path / f"{FILE_NAME}{suffix}", tmp_path)
            (copied / f"{FILE_NAME}{suffix}").write_bytes(
                (tmp_path / f"{FILE_NAME}{suffix}").read_bytes()
            )
        assert {run.run_id for run in reader.runs()} == {first, second}
    assert [name for name, _ in before] == sorted(path.name for path in copied.iterdir())


# Taken away while it is open ---------------------------------------------------------------------


def test_a_store_that_is_renamed_is_missed_at_once_and_found_when_it_is_back(
    store: Store, config: RunConfig
) -> None:
    run_id = store.create(config)
    away = store.path.with_name("away")
    store.path.rename(away)
    for look in (store.runs, lambda: store.set_notes(run_id, "lost?")):
        with pytest.raises(StoreError, match=r"is gone: it was removed or renamed"):
            look()
    assert not store.path.exists()
    away.rename(store.path)
    assert store.run(run_id).notes == ""


def test_nothing_is_written_to_a_store_whose_place_another_has_taken(
    store: Store, config: RunConfig
) -> None:
    run_id = store.create(config)
    away = store.path.with_name("away")
    store.path.rename(away)
    with Store(store.path) as other:
        for look in (store.runs, lambda: store.set_notes(run_id, "lost?")):
            with pytest.raises(StoreError, match=r"Another run store has taken the place of"):
                look()
        assert other.runs() == []
    with Store(away) as original:
        assert original.run(run_id).notes == ""


@pytest.mark.parametrize("is_empty", [True, False])
def test_folders_of_runs_without_their_database_are_no_new_store(
    store: Store, config: RunConfig, is_empty: bool
) -> None:
    store.create(config)
    store.close()
    path = store.path / FILE_NAME
    path.unlink()
    if is_empty:
        path.touch()
    with pytest.raises(StoreError, match=r"the folder of 1 run, but its \S+ is missing or empty"):
        Store(store.path)
    assert path.exists() == is_empty


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_what_is_in_a_store_is_for_its_owner_alone(store: Store, config: RunConfig) -> None:
    run_id = store.create(config)
    assert store.path.stat().st_mode & 0o777 == 0o700
    files = [path for path in store.path.iterdir() if path.name.startswith(FILE_NAME)]
    assert len(files) == 3
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    # A store of before, open to all, is closed to others when it is opened.
    store.folder(run_id).chmod(0o755)
    for path in files:
        path.chmod(0o644)
    with Store(store.path):
        assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
        assert store.folder(run_id).stat().st_mode & 0o777 == 0o700


def test_a_new_store_waits_for_others_that_are_making_it(
    run_store: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_store.mkdir()
    # Another process has the write lock of the empty database: no switching to WAL meanwhile.
    with closing(sqlite3.connect(run_store / FILE_NAME, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        with monkeypatch.context() as impatience:
            impatience.setattr(database, "PATIENCE", 0.05)
            with pytest.raises(StoreError, match="other programs kept it busy"):
                Store(run_store)
        release = threading.Timer(0.1, other.rollback)
        release.start()
        with Store(run_store) as store:
            store.create(config)
            assert len(store.runs()) == 1
        release.join()


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    with pytest.raises(StoreError, match=ONE_SENTENCE):
        store.runs()


# Several at once ---------------------------------------------------------------------------------

N_WRITTEN = 150

WRITER = """
import sys
import numpy as np
from neuralscope.engine import EpochEnd
from neuralscope.runs import Store
from neuralscope.runs.records import Progress, StepBlock
from neuralscope.runs.writer import Writer

path, run_id, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Store(path) as store:
    writer = Writer(store, run_id, "writer")
    writer.adopt()
    for i in range(n):
        block = StepBlock(4 * i + 1, i, i + 1, np.arange(4 * i, 4 * i + 4, dtype=np.float32))
        end = EpochEnd(i, 4 * i, 1.0, 0.5, 1.0, 0.5, 0.1)
        writer.record(Progress(i, 4 * i + 4, i, 1.0, 0.1), [block], [(end, 1.0)])
"""


def test_processes_and_threads_that_write_at_once_lose_nothing(
    store: Store, config: RunConfig
) -> None:
    run_ids = [store.create(config) for _ in range(4)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(store.path), run_id, str(N_WRITTEN)],
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
        )
        for run_id in run_ids[:2]
    ]
    failures: list[Exception] = []

    def write(run_id: str) -> None:
        try:
            for i in range(N_WRITTEN):
                losses = np.arange(4 * i, 4 * i + 4, dtype=np.float32)
                progress = Progress(i, 4 * i + 4, i, 1.0, 0.1)
                block = StepBlock(4 * i + 1, i, i + 1, losses)
                owner(store, run_id).record(progress, [block], [(epoch_end(i), 1.0)])
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(run_id,)) for run_id in run_ids[2:]]
    for thread in threads:
        thread.start()
    with Store(store.path) as viewer:
        while any(process.poll() is None for process in processes):
            for run in viewer.runs():  # somebody looks on all the while
                steps = viewer.steps(run.run_id)
                np.testing.assert_array_equal(steps.loss, np.arange(len(steps.loss)))
    for thread in threads:
        thread.join()
    assert [process.communicate()[1] for process in processes] == [b"", b""]
    assert not failures
    for run_id in run_ids:
        np.testing.assert_array_equal(store.epochs(run_id).epoch, np.arange(N_WRITTEN))
        np.testing.assert_array_equal(store.steps(run_id).loss, np.arange(4 * N_WRITTEN))
        assert store.run(run_id).epoch == N_WRITTEN - 1


def test_opening_a_store_twice_takes_no_locks_away(store: Store, config: RunConfig) -> None:
    # Were the file opened and closed by other means than SQLite, the locks of this process would
    # be gone: whoever closes the store next would take itself for the last, and remove the log.
    run_id = store.create(config)
    with Store(store.path):
        pass
    code = "import sys; from neuralscope.runs import Store; Store(sys.argv[1]).close()"
    subprocess.run(
        [sys.executable, "-c", code, str(store.path)], cwd=Path(__file__).parents[2], check=True
    )
    assert (store.path / f"{FILE_NAME}-wal").exists()
    owner(store, run_id).set_status("running")
    with Store(store.path) as another:
        assert another.run(run_id).status == "running"


def test_many_may_make_the_store_at_once(run_store: Path, config: RunConfig) -> None:
    for _ in range(5):
        barrier = threading.Barrier(6)
        failures: list[Exception] = []

        def open_and_add(barrier: threading.Barrier, failures: list[Exception]) -> None:
            barrier.wait()
            try:
                with Store(run_store) as store:
                    store.create(config)
            except Exception as error:
                failures.append(error)

        threads = [
            threading.Thread(target=open_and_add, args=(barrier, failures)) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        with Store(run_store) as store:
            assert len(store.runs()) == 6
        shutil.rmtree(run_store)
