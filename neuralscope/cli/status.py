"""How a command ends: its exit status, and the errors that decide it."""

from __future__ import annotations

from neuralscope.errors import NeuralScopeError

DONE, FAILED, MISTAKEN, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141


class WorkFailed(NeuralScopeError):
    """Arguments and files were in order, but the work could not be done."""


class Mistake(NeuralScopeError):
    """An argument asks for what cannot be done."""
