"""The textbook: a feed-forward network in plain NumPy, from activation to training loop.

Read it in this order; each file uses only those above it.

    arrays          the array types
    activations     relu, leaky_relu, tanh, sigmoid, and their slopes
    initializers    how large the first random weights are
    layers          the dense layer, forward and backward
    loss            softmax and cross-entropy
    workspace       the memory of one pass
    weights         the weights file
    network         layers in a row; backpropagation; the flat parameter vector
    gradient_check  is backpropagation right?
    optimizers      from gradient to step
    schedules       the learning rate over time
    batches         a few examples at a time
    training        the loop, as a generator of records

Nothing here prints, reads a clock, starts a thread, or knows of the rest of the program.
"""

from neuralscope.engine.activations import ACTIVATIONS
from neuralscope.engine.initializers import AUTO, INITIALIZERS
from neuralscope.engine.network import Network, count_parameters
from neuralscope.engine.optimizers import OPTIMIZERS, Spread, Work, in_turn
from neuralscope.engine.schedules import SCHEDULES, Schedule
from neuralscope.engine.training import (
    Diverged,
    EpochEnd,
    Evaluating,
    Examples,
    Record,
    Score,
    StepEnd,
    Training,
    score,
)

__all__ = [
    "ACTIVATIONS",
    "AUTO",
    "INITIALIZERS",
    "OPTIMIZERS",
    "SCHEDULES",
    "Diverged",
    "EpochEnd",
    "Evaluating",
    "Examples",
    "Network",
    "Record",
    "Schedule",
    "Score",
    "Spread",
    "StepEnd",
    "Training",
    "Work",
    "count_parameters",
    "in_turn",
    "score",
]
