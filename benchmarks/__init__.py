"""Measured claims about NeuralScope, for anyone to measure again; README.md beside this explains.

- `python -m benchmarks.throughput`: seconds for an epoch of MNIST, side by side with others
- `python -m benchmarks.step_times`: where the microseconds of a training step go
- `python -m benchmarks.accuracy`: how many of the 10,000 test digits are read right
"""
