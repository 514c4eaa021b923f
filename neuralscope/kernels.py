"""The code that multiplies matrices, which has to fit the processor.

NumPy multiplies with OpenBLAS, which carries such code ("kernels") for many processors and chooses
when it is loaded. Its version 0.3.31, which NumPy 2.4 brings along, does not know AMD's processors
since Zen 5. It may take one for a Haswell of 2013 (OpenBLAS issue 6029; mended by pull request
6033), and half of the width in which the processor can calculate is left unused. So the programs of
NeuralScope choose for it before NumPy is loaded; whoever imports NeuralScope into a program of
their own chooses for themselves.
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

CHOICE: Final = "OPENBLAS_CORETYPE"
"""The environment variable by which OpenBLAS can be told."""

WIDE: Final = "SkylakeX"
"""Its kernels for AVX-512: the first processor that had these instructions."""

NEEDED: Final = frozenset({"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"})
"""What they use. Without one of these a program that multiplies would be killed."""

ZEN_5: Final = 26
"""AMD's number of the family that is not known yet."""

CPUINFO: Final = Path("/proc/cpuinfo")


def choose(
    environment: MutableMapping[str, str] = os.environ, cpuinfo: Path = CPUINFO
) -> str | None:
    """Choose the kernels for this process and those that it starts, where OpenBLAS would not.

    Nothing is changed where somebody has chosen already, where NumPy is loaded, and wherever the
    processor is one that OpenBLAS knows or that does not say what it can do.

    Args:
        environment: Receives the choice.
        cpuinfo: What Linux tells about the processor.

    Returns:
        The name of the kernels, if this has chosen.
    """
    if CHOICE in environment or "numpy" in sys.modules:
        return None
    if not _is_unknown_and_wide(cpuinfo):
        return None
    environment[CHOICE] = WIDE
    return WIDE


def _is_unknown_and_wide(cpuinfo: Path) -> bool:
    try:
        first, _, _ = cpuinfo.read_text(encoding="utf-8").partition("\n\n")
    except (OSError, ValueError):
        return False  # another system, or one that tells nothing
    said = {
        name.strip(): value.strip()
        for name, _, value in (line.partition(":") for line in first.splitlines())
    }
    family = said.get("cpu family", "")
    return (
        said.get("vendor_id") == "AuthenticAMD"
        and family.isdecimal()
        and int(family) >= ZEN_5
        and NEEDED <= set(said.get("flags", "").split())
    )
