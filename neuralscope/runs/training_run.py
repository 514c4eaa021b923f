"""`train`: from a configuration and a data set to a network, a record at a time.

    training = train(config, dataset)
    for record in training:  # a StepEnd for each batch, an EpochEnd for each epoch
        ...
    training.network

Nothing is computed until it is asked for: pausing is not asking for the next record. With a store
the run is kept there as if the dashboard had started it: its curves and snapshots, to be watched
live, compared and exported. It waits for its turn there, and keeps it until it has ended or is
closed, which `with train(...) as training:` does in any case. NumPy then uses the number of threads
that is written down with the run; where that is the program's own number too, the bits are those of
a training without a store.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path

from neuralscope.data import Dataset
from neuralscope.engine import Diverged, EpochEnd, Evaluating, Network, Record
from neuralscope.errors import ConfigError, StoreError
from neuralscope.runs.config import RunConfig
from neuralscope.runs.cores import Cores, blas_threads
from neuralscope.runs.experiment import checked_network, prepare
from neuralscope.runs.records import FAILED, RUNNING
from neuralscope.runs.store import Store
from neuralscope.runs.writer import Writer


class TrainingRun(Iterator[Record]):
    """A training that takes its next step when it is asked for the next record.

    In a `with` statement it is closed at the end: it then takes no turn away from others.

    Attributes:
        config: What it trains.
        network: Trained in place: at any moment as it is after the last record.
        run_id: Its id in the store; empty if it is kept in none.
    """

    def __init__(
        self,
        config: RunConfig,
        network: Network,
        records: Generator[Record, None, None],
        run_id: str = "",
    ) -> None:
        """Wrap what is computed; `train` makes one."""
        self.config = config
        self.network = network
        self.run_id = run_id
        self._records = records

    def __next__(self) -> Record:
        """Return the next record.

        Raises:
            StoreError: The run is kept in a store, and has failed or cannot be written any more.
        """
        return next(self._records)

    def run(self) -> Network:
        """Train to the end, or what is left of it, and return the network.

        Raises:
            ConfigError: Training has diverged: the learning rate is too large.
            StoreError: As when records are asked for one by one.
        """
        last: Record | None = None
        for record in self:
            last = record
        if isinstance(last, Diverged):
            raise ConfigError(
                "learning_rate",
                self.config.learning_rate,
                f"smaller: training has diverged in epoch {last.epoch}, step {last.step}, where "
                f"{last.what} is no longer a finite number",
            )
        return self.network

    def close(self) -> None:
        """End it here. A run in a store that has begun is kept as interrupted, to be resumed."""
        self._records.close()

    def __enter__(self) -> TrainingRun:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


def train(
    config: RunConfig,
    dataset: Dataset,
    *,
    network: Network | None = None,
    store: Store | Path | str | None = None,
    name: str = "",
) -> TrainingRun:
    """Return a training, to be asked for its records one by one, or to `run()`.

    Args:
        config: What to train, and how.
        dataset: What to train it on; must be the one the configuration names.
        network: Trained in place, if given; else a fresh one, which the result has as `.network`.
        store: Where the run is kept, or the folder of that, such as "runs"; None for nowhere.
            There it obeys the dashboard, and waits for its turn while other runs are trained;
            a warning says so, for one of this program that was begun and neither ended nor closed
            is waited for without end.
        name: Of the run in the store; made from its settings if empty.

    Yields:
        StepEnd after each batch, EpochEnd after each epoch; at the end Restored where the weights
        of an earlier epoch are brought back, or Diverged if training fails.

    Raises:
        ConfigError: The data set or the network does not fit the configuration.
        StoreError: The store cannot be used, or the name is too long.
    """
    network = checked_network(config, dataset, network)
    if store is None:
        training = prepare(config, dataset, network)
        records = (record for record in training.records() if _is_asked_for(record))
        return TrainingRun(config, network, records)
    with _opened(store) as place:
        run_id = place.create(config, name)
        # One process: a program that calls this may not be one that can be forked.
        threads = blas_threads(network.sizes, config.batch_size)
        cores = Cores(processes=1, blas_threads=threads)
        Writer(place, run_id).set_machine(cores._asdict())
        place.withdraw(run_id)  # one that is never begun must not keep others waiting
    return TrainingRun(config, network, _kept(store, run_id, dataset, network), run_id)


def _kept(
    store: Store | Path | str, run_id: str, dataset: Dataset, network: Network
) -> Generator[Record, None, None]:
    """Yield the records of a run while they are kept in a store."""
    # As the program of a process it must not have been imported with the package before.
    from neuralscope.runs.trainer import Trainer

    with _opened(store) as place:
        trainer = Trainer(
            place,
            run_id,
            dataset=dataset,
            network=network,
            is_watched=False,
            on_wait=_warner(place, run_id),
        )
        with closing(trainer.records()) as records:
            yield from filter(_is_asked_for, records)
        run = place.run(run_id)
        if run.status == FAILED:
            raise StoreError(run.message)


def _warner(store: Store, run_id: str) -> Callable[[int], None]:
    """Return what warns, when a wait begins, that the run waits and for what."""
    reason = ""

    def warn(place: int) -> None:
        nonlocal reason
        former, reason = reason, "queue" if place else "pause"
        if reason == former:
            return
        if not place:
            text = f"Run {run_id} is paused, until the dashboard or a terminal lets it continue."
        else:
            running = [run.run_id for run in store.active_runs() if run.status == RUNNING]
            text = (
                f"Run {run_id} waits for its turn in the store {store.path}, at place {place} in "
                f"the queue. Training now: {', '.join(running) or 'none'}. A training of this "
                "program gives its turn back when it ends or is closed."
            )
        warnings.warn(text, stacklevel=2)

    return warn


def _opened(store: Store | Path | str) -> AbstractContextManager[Store]:
    """Return a store, to be closed afterwards if it is opened here."""
    return nullcontext(store) if isinstance(store, Store) else Store(store)


def _is_asked_for(record: Record) -> bool:
    """Return whether callers want a record: no signs of measuring, no untrained network."""
    return not isinstance(record, Evaluating | EpochEnd) or (
        isinstance(record, EpochEnd) and record.epoch > 0
    )
