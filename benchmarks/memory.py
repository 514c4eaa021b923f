"""The most memory that a training on MNIST takes: the command as people call it, in its process.

    python -m benchmarks.memory [--epochs 2 40] [--json]

784-128-10 with the default settings. Were something kept for every step or epoch, more epochs would
take more.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.pictures import real_pictures_are_here

# Asked about its only child, a process says how much memory that one took at most.
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in which the system counts."""


def peak_megabytes(epochs: int) -> float:
    """Return the most memory that training for so many epochs takes."""
    with tempfile.TemporaryDirectory() as folder:
        train = [sys.executable, "-m", "neuralscope", "train", "--dataset", "mnist"]
        train += ["--epochs", str(epochs), "--store", folder]
        train += ["--output", str(Path(folder, "weights.npz"))]
        command = [sys.executable, "-c", PEAK, *train]
        result = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(result.stdout) * UNIT / 1e6


def main() -> None:
    """Train, measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.memory",
        description="Peak memory of training 784-128-10 on MNIST.",
    )
    parser.add_argument("--epochs", type=int, nargs="+", default=[2, 40])
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    arguments = parser.parse_args()
    if min(arguments.epochs) < 1:
        parser.error("--epochs must be at least 1")
    if not real_pictures_are_here():
        sys.exit("This needs MNIST: run `python -m neuralscope train --epochs 1` to fetch it.")

    peaks = {epochs: peak_megabytes(epochs) for epochs in arguments.epochs}
    if arguments.json:
        print(json.dumps({"peak_megabytes": peaks}))
        return
    print("| epochs | peak memory |\n| ---: | ---: |")
    for epochs, peak in peaks.items():
        print(f"| {epochs} | {peak:.0f} MB |")


if __name__ == "__main__":
    main()
