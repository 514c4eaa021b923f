"""Measured claims about NeuralScope, for anyone to measure again; README.md beside this explains.

- `python -m benchmarks.throughput`: seconds for an epoch of MNIST, side by side with others
- `python -m benchmarks.step_times`: where the microseconds of a training step go
- `python -m benchmarks.accuracy`: how many of the 10,000 test digits are read right
"""

from __future__ import annotations

from neuralscope import kernels

OUR_KERNELS = kernels.choose()
"""What the programs of NeuralScope choose for NumPy here; None where they leave it as it is."""
