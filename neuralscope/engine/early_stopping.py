"""Early stopping: no longer than it helps.

    accuracy                ___________  training
      |            ____-----
      |        __--  .-o-._____________  validation
      |     _-   _.-'       '''---...___
      |    /   .'
      +--------------------------------> epoch
                       ^          ^
                       best       given up, `patience` epochs later

The training examples are learned better and better, the validation examples only for a while; what
comes after that is learning by heart. So the weights of the epoch with the highest validation
accuracy are kept aside. When no epoch has beaten it for `patience` epochs, training ends, and these
weights are brought back (Prechelt 1998; Goodfellow, Bengio and Courville 2016, algorithm 7.1).
"""

from __future__ import annotations

import numpy as np

from neuralscope.engine.arrays import Array


class EarlyStopping:
    """Keeps the best epoch's weights and tells when to give up.

    Attributes:
        patience: Epochs without a higher accuracy after which it gives up.
        best_epoch: The first epoch with the highest accuracy, or 0 while there is none.
        best_accuracy: What it was.
        best_parameters: (n_parameters,), the weights then.
    """

    def __init__(self, patience: int, parameters: Array) -> None:
        """Make room for a copy of these parameters."""
        self.patience = patience
        self.best_epoch = 0
        self.best_accuracy = -1.0
        self.best_parameters: Array = np.zeros_like(parameters)

    def look(self, epoch: int, accuracy: float, parameters: Array) -> None:
        """Take note of an epoch; keep its weights if it is better than all before."""
        if accuracy > self.best_accuracy:
            self.best_epoch, self.best_accuracy = epoch, accuracy
            self.best_parameters[...] = parameters

    def gives_up(self, epoch: int) -> bool:
        """Return whether the last `patience` epochs up to this one have brought nothing better."""
        return self.best_epoch > 0 and epoch - self.best_epoch >= self.patience
