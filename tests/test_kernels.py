"""A processor that OpenBLAS does not know gets the kernels that fit it, before NumPy is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from neuralscope import kernels

ROOT = Path(__file__).resolve().parents[1]
AVX_512 = " ".join(sorted(kernels.NEEDED))
ZEN_5 = f"""processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 26
model name\t: AMD EPYC
flags\t\t: fpu avx avx2 {AVX_512} avx512_bf16

processor\t: 1
vendor_id\t: AuthenticAMD
"""


@pytest.fixture
def cpuinfo(tmp_path: Path) -> Path:
    path = tmp_path / "cpuinfo"
    path.write_text(ZEN_5)
    return path


@pytest.fixture(autouse=True)
def before_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "numpy")


def test_a_wide_processor_that_openblas_does_not_know_gets_wide_kernels(cpuinfo: Path) -> None:
    environment: dict[str, str] = {}
    assert kernels.choose(environment, cpuinfo) == kernels.WIDE
    assert environment == {"OPENBLAS_CORETYPE": "SkylakeX"}


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ("AuthenticAMD", "GenuineIntel"),
        ("cpu family\t: 26", "cpu family\t: 25"),  # Zen 4, which it knows
        ("cpu family\t: 26", "cpu family\t: "),
        ("cpu family\t: 26", "cpu family\t: many"),
        ("cpu family", "cpu kin"),
        ("flags", "features"),
        *((each, "sse2") for each in sorted(kernels.NEEDED)),
    ],
)
def test_any_other_is_left_to_openblas(cpuinfo: Path, there: str, instead: str) -> None:
    said = cpuinfo.read_text()
    assert there in said
    cpuinfo.write_text(said.replace(there, instead))
    environment: dict[str, str] = {}
    assert kernels.choose(environment, cpuinfo) is None
    assert environment == {}


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00", b"vendor_id AuthenticAMD"])
def test_a_system_that_does_not_tell_is_left_to_openblas(
    cpuinfo: Path, content: bytes | None
) -> None:
    cpuinfo.unlink() if content is None else cpuinfo.write_bytes(content)
    assert kernels.choose({}, cpuinfo) is None


def test_what_somebody_has_chosen_stays(cpuinfo: Path) -> None:
    environment = {kernels.CHOICE: "Haswell"}
    assert kernels.choose(environment, cpuinfo) is None
    assert environment == {kernels.CHOICE: "Haswell"}


def test_after_numpy_is_loaded_it_would_be_too_late(
    cpuinfo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    environment: dict[str, str] = {}
    assert kernels.choose(environment, cpuinfo) is None
    assert environment == {}


# What a program is told of the processor, and what it has chosen when it comes to its work. That
# is cut out, for it would load NumPy, and then perhaps code that cannot run here.
PREPARED = """
import functools, os, pathlib, runpy, sys, types
from neuralscope import kernels

kernels.choose = functools.partial(kernels.choose, cpuinfo=pathlib.Path(sys.argv[1]))
{program}
print(os.environ.get(kernels.CHOICE))
"""
COMMAND_LINE = """
from neuralscope.cli import main
main(["--version"])
"""
DASHBOARD = """
from neuralscope import ui
ui.frame = sys.modules["neuralscope.ui.frame"] = types.SimpleNamespace(navigation=lambda: None)
runpy.run_path("dashboard.py")
"""


@pytest.mark.parametrize("program", [COMMAND_LINE, DASHBOARD], ids=["command line", "dashboard"])
def test_it_is_the_first_thing_that_a_program_does(cpuinfo: Path, program: str) -> None:
    said = printed_by(PREPARED.format(program=program), str(cpuinfo))
    assert said.splitlines()[-1] == kernels.WIDE


@pytest.mark.skipif(
    not kernels._is_unknown_and_wide(kernels.CPUINFO),
    reason="OpenBLAS knows this processor, or it has no AVX-512",
)
def test_numpy_multiplies_with_what_was_chosen() -> None:
    program = (
        "from neuralscope import kernels; kernels.choose(); "
        "from neuralscope.runs.machine import machine; print(machine()['kernels'])"
    )
    assert printed_by(program) == f"{kernels.WIDE}\n"


def printed_by(program: str, *arguments: str) -> str:
    """Run a program in a Python of its own, in which nobody has chosen."""
    environment = {name: value for name, value in os.environ.items() if name != kernels.CHOICE}
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
