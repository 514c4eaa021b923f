"""Runs: one training from its configuration to its stored result.

settings    what a field of the configuration may be
config      RunConfig, from which form, URL and command line are made
experiment  from a configuration and a data set to a training
rate_test   which learning rate to give a configuration
database    the SQLite file
names       what a run is called while nobody has named it
life        whether somebody trains a run
last_words  what a trainer printed before it ended
records     what is kept of a run, as values
columns     what a row must hold to be trusted
rows        from the tables to records
reading     what can be asked of a store
store       the store, and what people do with its runs
writer      what a trainer writes of the run that is its own
curves      the epochs of several runs at once
snapshots   the network as it was at an epoch
detached    a run carried from one store into another
machine     what computed a run
cores       how many cores its matrix products use
trainer     the process in which a run is computed
mailbox     what it is asked for
logbook     what comes out, until it is written down
clock       how long that took
retrying    what cannot be written yet
continuation  where a run goes on that has ended before
training_run  a training in a program of one's own, a record at a time
launcher    starting it from the dashboard
lineage     going on with a run, forking it, training it again
races       a few configurations that start from the same seed
estimate    how long will an epoch take
"""

from neuralscope.runs.config import SETTINGS, RunConfig
from neuralscope.runs.estimate import Estimate, as_measured, measure_epoch
from neuralscope.runs.experiment import examples, new_network, prepare
from neuralscope.runs.launcher import launch
from neuralscope.runs.names import describe, is_description
from neuralscope.runs.rate_test import as_tested, prepare_rate_test, run_rate_test
from neuralscope.runs.records import (
    ACTIVE,
    DIVERGED,
    FAILED,
    FINISHED,
    INTERRUPTED,
    PAUSED,
    QUEUED,
    RUNNING,
    STOPPED,
    EpochHealth,
    Epochs,
    Event,
    Run,
    Steps,
)
from neuralscope.runs.snapshots import (
    LATEST,
    Snapshot,
    SnapshotInfo,
    list_snapshots,
    load_predictions,
    load_snapshot,
    when,
)
from neuralscope.runs.store import Store, default_path
from neuralscope.runs.training_run import TrainingRun, train

__all__ = [
    "ACTIVE",
    "DIVERGED",
    "FAILED",
    "FINISHED",
    "INTERRUPTED",
    "LATEST",
    "PAUSED",
    "QUEUED",
    "RUNNING",
    "SETTINGS",
    "STOPPED",
    "EpochHealth",
    "Epochs",
    "Estimate",
    "Event",
    "Run",
    "RunConfig",
    "Snapshot",
    "SnapshotInfo",
    "Steps",
    "Store",
    "TrainingRun",
    "as_measured",
    "as_tested",
    "default_path",
    "describe",
    "examples",
    "is_description",
    "launch",
    "list_snapshots",
    "load_predictions",
    "load_snapshot",
    "measure_epoch",
    "new_network",
    "prepare",
    "prepare_rate_test",
    "run_rate_test",
    "train",
    "when",
]
