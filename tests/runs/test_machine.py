from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import numpy as np
import pytest

import neuralscope
from neuralscope.runs import machine as machine_module
from neuralscope.runs.machine import machine, usable_cores, versions


def test_versions_are_those_of_what_computes() -> None:
    told = versions()
    assert told["neuralscope"] == neuralscope.__version__
    assert told["numpy"] == np.__version__
    assert told["python"] == platform.python_version()
    assert told["blas"]


def test_the_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    told = machine()
    assert told["cores"] == usable_cores() >= 1
    assert told["threads"]["OPENBLAS_NUM_THREADS"] == "1"
    assert "OMP_NUM_THREADS" not in told["threads"]
    assert told["system"].startswith(platform.system())
    assert told["processor"]
    assert told["kernels"]
    assert json.loads(json.dumps(told)) == told


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cannot bind to a core here")
def test_only_cores_that_may_be_used_are_counted() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_systems_that_tell_less_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1

    def unreadable(path: Path) -> str:
        raise OSError

    monkeypatch.setattr(machine_module.Path, "read_text", unreadable)
    assert machine()["processor"] == platform.machine()
    monkeypatch.setattr(machine_module.Path, "read_text", lambda path: "nothing known\n")
    assert machine()["processor"] == platform.machine()
