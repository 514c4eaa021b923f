"""The version of NeuralScope, recorded with every run."""

__version__ = "0.1.0"
