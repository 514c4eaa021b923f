"""What the figures depend on: the machine, and the versions of everything that computes."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from benchmarks.contestants import CONTESTANTS
from neuralscope.runs.machine import machine, versions


def surroundings(names: Sequence[str]) -> dict[str, Any]:
    """Return machine and versions for these contestants."""
    distributions = dict.fromkeys(CONTESTANTS[name].distribution for name in names)
    return {
        "machine": machine(),
        "versions": versions() | {each: version(each) for each in distributions},
    }


def in_words(about: dict[str, Any]) -> str:
    """Return one line of what `surroundings` returned."""
    computer = about["machine"]
    limits = "".join(f", {name}={value}" for name, value in computer["threads"].items())
    software = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    return (
        f"{computer['processor']}, {computer['cores']} cores{limits}, {platform.machine()}, "
        f"{computer['system']}, kernels {computer['kernels']}{_as_told()}; {software}"
    )


def _as_told() -> str:
    """Return who chose the kernels, where that is not the matrix library itself."""
    told = os.environ.get("OPENBLAS_CORETYPE")
    return f" (OPENBLAS_CORETYPE={told})" if told else ""
