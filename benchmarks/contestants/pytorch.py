"""PyTorch, eager, on the CPU: fused optimizers, one gather a batch, nothing read back."""

from __future__ import annotations

import time
from itertools import pairwise

import torch
from torch import nn

from benchmarks.contestants import Epoch
from benchmarks.pictures import Pictures
from benchmarks.rows import Row


def prepare(row: Row, pictures: Pictures) -> Epoch:
    """Return a function that trains and times one epoch."""
    torch.manual_seed(0)
    x, y = torch.from_numpy(pictures.scaled()), torch.from_numpy(pictures.labels)
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(row.sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    if row.optimizer == "adam":
        optimizer = torch.optim.Adam(model.parameters(), lr=row.learning_rate, fused=True)
    else:
        optimizer = torch.optim.SGD(
            model.parameters(), lr=row.learning_rate, momentum=row.momentum, fused=True
        )

    def epoch() -> float:
        began = time.perf_counter()
        for indices in torch.randperm(len(y)).split(row.batch_size):
            logits = model(x.index_select(0, indices))
            loss = nn.functional.cross_entropy(logits, y.index_select(0, indices))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        return time.perf_counter() - began

    return epoch
