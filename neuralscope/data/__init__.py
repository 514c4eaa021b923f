"""Data sets: what there is, how to get it, and how it is split.

    load_dataset("mnist")            the whole way: compact copy, or else a fetch from OpenML
    DATASETS                         what menus and forms need to know without loading anything
    start_fetch("mnist")             the same fetch for callers that must not block

What lies beneath, from the bottom up: `contents` (what intact data is), `home` and `cache` (where
and how it is kept), `split`, `dataset`, `fetch` (the watcher) with `openml` (the watched
program), one module per data set, and `catalog`, which lists them.

`drawing` makes drawings and photographs into what a network has learned to read. It is imported by
its name, because it needs Pillow, for which a trainer has no time.
"""

from __future__ import annotations

from neuralscope.data.catalog import (
    DATASETS,
    DatasetInfo,
    is_cached,
    load_dataset,
    start_fetch,
)
from neuralscope.data.dataset import Dataset, scaled
from neuralscope.data.fetch import Fetch, FetchProgress
from neuralscope.data.home import data_home

__all__ = [
    "DATASETS",
    "Dataset",
    "DatasetInfo",
    "Fetch",
    "FetchProgress",
    "data_home",
    "is_cached",
    "load_dataset",
    "scaled",
    "start_fetch",
]
