"""How long importing takes: what stands between a command and its first step."""

from __future__ import annotations

import subprocess
import sys

IMPORTS = {
    "numpy": "import numpy",
    "neuralscope": "import neuralscope",
    "neuralscope, Network": "from neuralscope import Network",
    "the trainer process": "import neuralscope.runs.trainer",
}

PROGRAM = """
import time
began = time.perf_counter()
{statement}
print(time.perf_counter() - began)
"""


def import_seconds(repeat: int) -> dict[str, float]:
    """Return the seconds of each import in a fresh Python, the best of several."""
    return {
        title: min(_seconds_of(statement) for _ in range(repeat))
        for title, statement in IMPORTS.items()
    }


def _seconds_of(statement: str) -> float:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(statement=statement)],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(result.stdout)
