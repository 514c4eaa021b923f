"""The textbook: a feed-forward network in plain NumPy, from activation to training loop.

Read it in this order; each file uses only those above it.

    arrays          the array types
    activations     relu, leaky_relu, tanh, sigmoid, and their slopes
    initializers    how large the first random weights are
    layers          the dense layer, forward and backward
    loss            softmax and cross-entropy
    regularization  L1, L2, max-norm, gradient clipping
    blanks          inputs that are zero in a whole batch
    workspace       the memory of one pass
    weights         the weights file
    network         layers in a row; backpropagation; the flat parameter vector
    gradient_check  is backpropagation right?
    optimizers      from gradient to step
    schedules       the learning rate over time
    batches         a few examples at a time
    health          is each layer learning?
    early_stopping  no longer than it helps
    shares          a step, alone or by two workers
    training        the loop, as a generator of records
    rate_test       which learning rate?

Nothing here prints, reads a clock, starts a thread, or knows of the rest of the program.
"""

from neuralscope.engine.activations import ACTIVATIONS
from neuralscope.engine.batches import Examples
from neuralscope.engine.health import LayerHealth
from neuralscope.engine.initializers import AUTO, INITIALIZERS
from neuralscope.engine.network import Network, count_parameters
from neuralscope.engine.optimizers import OPTIMIZERS
from neuralscope.engine.rate_test import RateTried, Suggestion, suggest_rate, try_rates
from neuralscope.engine.schedules import SCHEDULES, Schedule
from neuralscope.engine.training import (
    Diverged,
    EpochEnd,
    Evaluating,
    Record,
    Restored,
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
    "LayerHealth",
    "Network",
    "RateTried",
    "Record",
    "Restored",
    "Schedule",
    "Score",
    "StepEnd",
    "Suggestion",
    "Training",
    "count_parameters",
    "score",
    "suggest_rate",
    "try_rates",
]
