from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from neuralscope.errors import StoreError
from neuralscope.runs import RunConfig, Store, launch, launcher
from neuralscope.runs.last_words import LOG_NAME

if TYPE_CHECKING:
    from tests.runs.conftest import Laboratory


def test_a_launched_run_is_computed_by_a_process_of_its_own(
    laboratory: Laboratory, config: RunConfig
) -> None:
    process = laboratory.launch(config)
    assert process.run.config == config
    assert process.pid != os.getpid()
    run = process.until_status("finished")
    assert run.epoch == config.epochs
    assert process.ended() == 0
    assert (laboratory.store.folder(run.run_id) / LOG_NAME).read_bytes() == b""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_no_zombie_is_left(laboratory: Laboratory, config: RunConfig) -> None:
    process = laboratory.launch(config)
    process.until_status("finished")
    deadline = time.monotonic() + 10
    while Path(f"/proc/{process.pid}").exists():  # nobody but the launcher waits for it
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_folder_of_the_store_may_have_any_name_and_be_relative(
    laboratory: Laboratory, config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Store("Läufe mit 数字 & 'Zeichen'") as store:
        process = laboratory.launch(config, store)
        process.until_status("finished")
        assert process.ended() == 0
    assert (tmp_path / "Läufe mit 数字 & 'Zeichen'" / process.run_id / LOG_NAME).exists()


def test_two_launchers_at_once_get_a_run_each(
    laboratory: Laboratory, config: RunConfig, two_cores: None
) -> None:
    code = (
        "import sys, time\n"
        "from neuralscope.runs import RunConfig, Store, launch\n"
        "store = Store(sys.argv[1])\n"
        "run_id = launch(store, RunConfig(dataset='digits', hidden=(8,), epochs=2))\n"
        "deadline = time.monotonic() + 20\n"
        "while store.run(run_id).is_active and time.monotonic() < deadline: time.sleep(0.02)\n"
        "print(run_id)\n"
    )
    command = [sys.executable, "-c", code, str(laboratory.store.path)]
    owners = [laboratory.spawn(command, stdout=subprocess.PIPE) for _ in range(2)]
    told = {owner.communicate(timeout=30)[0].decode().strip() for owner in owners}
    runs = laboratory.store.runs()
    assert {run.run_id for run in runs} == told
    assert [run.status for run in runs] == ["finished"] * 2
    # Two cores: one after the other.
    first, second = sorted(runs, key=lambda run: run.started or 0.0)
    assert first.ended is not None
    assert second.started is not None
    assert first.ended <= second.started


def test_a_trainer_that_cannot_be_started_is_told(
    store: Store, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher.sys, "executable", "/nowhere/python")
    with pytest.raises(StoreError, match=r"^No trainer could be started: No such file or dir"):
        launch(store, config)
    (run,) = store.runs()
    assert run.status == "failed"
    assert run.message == "No trainer could be started: No such file or directory."


def test_a_run_folder_that_cannot_be_made_is_told(
    store: Store, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(launcher.Path, "mkdir", refuse)
    with pytest.raises(StoreError, match=r"trainer\.lock.* cannot be made: Permission denied\.$"):
        launch(store, config)
    assert store.runs() == []
