"""What a trainer has printed before it ended, and how it becomes the run's message."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from neuralscope.runs import RunConfig, Store, last_words, lineage
from neuralscope.runs.last_words import LOG_NAME, MOST_BYTES
from neuralscope.runs.writer import Writer

TRACEBACK = """Traceback (most recent call last):
  File "trainer.py", line 7, in run
    raise MemoryError("no room")
MemoryError: no room
"""
WARNING = "network.py:3: RuntimeWarning: overflow in exp\n  return np.exp(x)\n"

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX")


def lost(store: Store, config: RunConfig) -> str:
    """Return a run whose trainer is gone."""
    run_id = store.create(config)
    Writer(store, run_id, "gone").adopt()
    store.withdraw(run_id)
    return run_id


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("", ""),
        (TRACEBACK, ": MemoryError: no room"),
        (WARNING, ""),
        (f"{WARNING}\nkilled by SIGKILL\n", ": killed by SIGKILL"),
        ("The run store runs failed: the disk is full.\n", ": The run store runs failed: the disk"),
        ("\x1b[31mred\x07 <b>*bold*\n", ": [31mred <b>*bold*"),
    ],
    ids=["nothing", "traceback", "warning", "killed", "sentence", "controls"],
)
def test_the_last_line_is_why_it_ended(
    store: Store, config: RunConfig, log: str, reason: str
) -> None:
    run_id = lost(store, config)
    (store.folder(run_id) / LOG_NAME).write_text(log)
    run = store.run(run_id)
    assert run.status == "interrupted"
    assert run.message.startswith(f"Its training process ended unexpectedly{reason}")
    assert run.message.endswith(".") and "\n" not in run.message
    assert store.log(run_id) == log.strip()


def test_a_process_that_did_not_come_to_take_the_run_says_why(
    store: Store, config: RunConfig
) -> None:
    run_id = store.create(config)
    store.withdraw(run_id)
    (store.folder(run_id) / LOG_NAME).write_text("ModuleNotFoundError: No module named 'numpy'\n")
    assert store.run(run_id).message == (
        "Its training process ended unexpectedly: ModuleNotFoundError: No module named 'numpy'."
    )


def test_only_the_end_of_a_long_log_is_read(store: Store, config: RunConfig) -> None:
    run_id = lost(store, config)
    with (store.folder(run_id) / LOG_NAME).open("wb") as file:
        file.truncate(1 << 40)  # a terabyte that takes no room
        file.seek(0, os.SEEK_END)
        file.write(b"\xff" * 10 + b"x" * 1000 + b"\n")
    log = store.log(run_id)
    assert log is not None and len(log.encode(errors="replace")) <= 3 * MOST_BYTES
    assert len(store.run(run_id).message) < 400


@needs_posix
@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_what_stands_in_the_place_of_a_log_is_not_read(
    store: Store, config: RunConfig, kind: str
) -> None:
    run_id = lost(store, config)
    path = store.folder(run_id) / LOG_NAME
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    assert store.log(run_id) is None
    assert store.run(run_id).message == "Its training process ended unexpectedly."


@needs_posix
@pytest.mark.parametrize(
    ("status", "words"),
    [
        *((status, "") for status in (0, 1, 130)),
        (3, "exit status 3"),
        (-signal.SIGSEGV, "killed by SIGSEGV"),
        (-signal.SIGKILL, "killed by SIGKILL (out of memory?)"),
        (-100, "killed by signal 100"),
    ],
)
def test_an_end_that_explains_nothing_is_added(tmp_path: Path, status: int, words: str) -> None:
    with last_words.begin(tmp_path) as log:
        last_words.add_end(log, status)
    assert last_words.read(tmp_path) == words


def test_a_log_is_of_the_last_trainer_alone(store: Store, config: RunConfig) -> None:
    run_id = lost(store, config)
    with last_words.begin(store.folder(run_id)) as former:
        former.write(b"of the former\n")
        lineage.resume(store, run_id)
        assert store.log(run_id) is None
        with last_words.begin(store.folder(run_id)) as log:
            log.write(b"of this one\n")
        last_words.add_end(former, -signal.SIGTERM)  # which nobody needs any more
    assert store.log(run_id) == "of this one"
