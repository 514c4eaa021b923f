"""What computed a run: versions and machine, written down with it.

The same configuration, seed and data give the same bits on the same versions, thread count and
kernels of the matrix library, so these belong to the result.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from neuralscope.version import __version__

THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def versions() -> dict[str, str]:
    """Return the versions of what computes a run."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "neuralscope": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip(),
    }


def machine() -> dict[str, Any]:
    """Return the processor, what multiplies on it, its usable cores and limits on BLAS threads."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "kernels": _kernels(),
        "cores": usable_cores(),
        "threads": {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ},
    }


def usable_cores() -> int:
    """Return how many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def _kernels() -> str:
    """Return the name of the processor whose code the matrix library uses."""
    found = (library.get("architecture") for library in threadpool_info())
    return next((str(name) for name in found if name), "unknown")
