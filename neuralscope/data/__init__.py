"""Data sets: what there is, how to get it, and how it is split.

    load_dataset("mnist")            the whole way: compact copy, or else a fetch from OpenML
    DATASETS, dataset_info("mnist")  what menus and forms need to know without loading anything
    add_dataset("signs.npz")         a data set of one's own; `dataset_names` has it from then on
    start_fetch("mnist")             the same fetch for callers that must not block

What lies beneath, from the bottom up: `contents` (what intact data is), `home` and `cache` (where
and how it is kept), `split`, `dataset`, `fetch` (the watcher) with `openml` (the watched
program), one module per data set or family of them, `own` with `own_files` (its readers, only
imported when something is added), `catalog`, which lists them all, and `missing`, which knows what
to do where one cannot be fetched.

Drawings and photographs become what a network has learned to read by the `recipe` of its data set,
which is measured on the data: `sheet` and `photograph` make `ink`, `preparation` follows the
recipe, and `pieces` counts what there is to read. All but `recipe` need Pillow, for which a trainer
has no time, so they are imported by name.
"""

from __future__ import annotations

from neuralscope.data.catalog import (
    DATASETS,
    dataset_info,
    dataset_label,
    dataset_names,
    dataset_title,
    is_cached,
    known_dataset,
    load_dataset,
    start_fetch,
)
from neuralscope.data.dataset import Dataset, scaled
from neuralscope.data.fetch import Fetch, FetchProgress
from neuralscope.data.home import data_home
from neuralscope.data.info import DatasetInfo
from neuralscope.data.own import add_dataset, is_own_name, own_datasets, remove_dataset
from neuralscope.data.recipe import Recipe

__all__ = [
    "DATASETS",
    "Dataset",
    "DatasetInfo",
    "Fetch",
    "FetchProgress",
    "Recipe",
    "add_dataset",
    "data_home",
    "dataset_info",
    "dataset_label",
    "dataset_names",
    "dataset_title",
    "is_cached",
    "is_own_name",
    "known_dataset",
    "load_dataset",
    "own_datasets",
    "remove_dataset",
    "scaled",
    "start_fetch",
]
