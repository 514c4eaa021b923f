"""The trainer: the process in which a run is computed.

    queued ──> running <──> paused          pause frees the place, resume asks for it again
                  │
                  └──> finished, stopped, diverged, failed, interrupted

It asks the engine for one record after the other. Between two of them it obeys what is in the
`mailbox`, writes down what is in the `logbook`, and keeps snapshots. A trainer that is told to end
by SIGTERM, SIGHUP or Ctrl-C saves a snapshot and ends as interrupted; it outlives whoever started
it. A run that has left snapshots goes on from there (see `continuation`).

`python -m neuralscope.runs.trainer` is how the dashboard starts one; the command line runs the same
class in its own process.

It imports NumPy, threadpoolctl and the standard library only, and so it is learning at once.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from functools import partial
from itertools import chain

from neuralscope.data import Dataset, dataset_label, load_dataset
from neuralscope.engine import (
    Diverged,
    EpochEnd,
    Network,
    Record,
    Restored,
    Score,
    Training,
    score,
)
from neuralscope.errors import DataError, NeuralScopeError, StoreError
from neuralscope.runs.continuation import go_on
from neuralscope.runs.cores import Cores, cores_for, recorded
from neuralscope.runs.experiment import examples, prepare
from neuralscope.runs.logbook import Logbook
from neuralscope.runs.machine import machine, versions
from neuralscope.runs.mailbox import Abandoned, Ended, Mailbox
from neuralscope.runs.records import DIVERGED, FAILED, FINISHED, INTERRUPTED, STOPPED, Run
from neuralscope.runs.retrying import PATIENCE, Retrying
from neuralscope.runs.snapshots import SnapshotKeeper, list_snapshots
from neuralscope.runs.store import Store
from neuralscope.runs.writer import Disowned, Writer

POLL_EVERY = 0.05
"""Seconds between two looks at the commands."""

FLUSH_EVERY = 0.2
"""Seconds between two writings of what came out."""

LATEST_EVERY = 0.45
"""Seconds between two `latest` snapshots, at least."""

MOST_KEEPING = 0.05
"""Share of the time that writing `latest` may take: large networks write it less often."""


class Trainer:
    """Computes one run of a store.

    Attributes:
        network: The network, once training has begun.
    """

    def __init__(
        self,
        store: Store,
        run_id: str,
        *,
        dataset: Dataset | None = None,
        network: Network | None = None,
        is_watched: bool = True,
        on_record: Callable[[Record], None] = lambda record: None,
        on_wait: Callable[[int], None] = lambda place: None,
        on_trouble: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        """Take over a queued run.

        Args:
            store: Where it is kept.
            run_id: Which it is.
            dataset: What it is trained on, if it is loaded already.
            network: Trained in place, if given; else a fresh one.
            is_watched: Whether to leave a core to a browser (see `cores`), if the run is new.
            on_record: Is shown every record.
            on_wait: Is told the place in the queue, or 0 for a pause, over and over while waiting.
            on_trouble: Is told in sentences when the store cannot be written, and when it can.

        Raises:
            RunNotFound: There is no such run.
            StoreError: It has ended.
        """
        self.network = network
        self._store = store
        self._run_id = run_id
        run = store.run(run_id)
        if run.ended is not None:
            raise StoreError(f"Run {run_id} has ended; it is {run.status}.")
        self._config = run.config
        self._dataset = dataset
        self._is_watched = is_watched
        self._on_record = on_record
        token = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._logbook = Logbook(Writer(store, run_id, token, patience=PATIENCE), on_trouble)
        self._mailbox = Mailbox(store, self._logbook, on_wait)
        # Of rows and files either may be impossible to write alone.
        self._rows = self._logbook.retrying
        self._files = Retrying(self._logbook.clock, on_trouble, self._logbook.tell_delay)

    def run(self) -> Run:
        """Compute the run to its end and return it as it then stands.

        Raises:
            StoreError: The store cannot be written any more, or the run is not ours any more.
        """
        with self._mailbox.listening():
            deque(self.records(), maxlen=0)
        return self._store.run(self._run_id)

    def records(self) -> Generator[Record, None, None]:
        """Compute the run as records are asked for; signals are the caller's to listen to.

        A caller that asks for no more and closes this interrupts the run, which can be resumed.

        Raises:
            StoreError: The store cannot be written any more, or the run is not ours any more.
        """
        with self._store.holding(self._run_id):
            self._rows.insist(self._logbook.writer.adopt, self._mailbox.check_deadline)
            yield from self._run_guarded()

    def _run_guarded(self) -> Iterator[Record]:
        """Whatever goes wrong ends up in the store, in words."""
        try:
            yield from self._compute()
        except Ended as end:  # before there was anything to train
            self._logbook.tell(end.status, end.message or end.status)
            self._close(end.status, end.message)
        except (Disowned, Abandoned):
            raise
        except NeuralScopeError as error:
            self._fail(str(error))
        except MemoryError:
            self._fail("This machine has not enough memory for such a network.")
        except Exception as error:
            traceback.print_exc()
            self._fail(f"{type(error).__name__}: {error}")

    def _compute(self) -> Iterator[Record]:
        self._mailbox.obey()
        # A fetch may take minutes: mail is read meanwhile.
        dataset = self._dataset or load_dataset(
            self._config.dataset, on_progress=lambda _: self._mailbox.obey()
        )
        run = self._store.run(self._run_id)
        if run.data_digest not in ("", dataset.digest):
            raise DataError(
                f"The data set {dataset_label(dataset.name)} has changed since this run was "
                "trained on it, so it cannot go on; it can be trained again from its configuration "
                "instead."
            )
        training = prepare(self._config, dataset, self.network)
        # What is written down holds: other threads or processes would add in another order.
        cores = recorded(run.machine) or cores_for(
            training.network.sizes, self._config.batch_size, is_watched=self._is_watched
        )
        with cores.at_work(training):
            self.network = training.network
            self._write_facts(training, dataset, cores)
            keeper = self._files.insist(partial(self._new_keeper, dataset), self._mailbox.obey)
            records = self._begin(training, keeper)
            self._mailbox.attend(training, partial(self._keep_latest, training, keeper))
            yield from self._train(records, training, keeper, dataset)

    # Its beginning -------------------------------------------------------------------------------

    def _write_facts(self, training: Training, dataset: Dataset, cores: Cores) -> None:
        write = partial(
            self._logbook.writer.set_facts,
            data_digest=dataset.digest,
            versions=versions(),
            machine={**machine(), **cores._asdict()},
            steps_per_epoch=training.n_batches,
            recipe=dataset.recipe,
        )
        self._rows.insist(write, self._mailbox.obey)

    def _new_keeper(self, dataset: Dataset) -> SnapshotKeeper:
        logbook = self._logbook
        return SnapshotKeeper(self._store, logbook.writer, dataset.n_classes, logbook.list_snapshot)

    def _begin(self, training: Training, keeper: SnapshotKeeper) -> Iterator[Record]:
        """Bring the training to where it begins, and return the records from there on."""
        logbook, obey = self._logbook, self._mailbox.obey
        run = self._store.run(self._run_id)
        # One that was ended before its first measuring has left the untrained network: it begins
        # anew, or there would never be an epoch 0.
        last_epoch, _ = self._store.last_recorded(self._run_id)
        kept = list_snapshots(self._store, self._run_id)
        if run.is_fork or (kept and (last_epoch >= 0 or kept[-1].step > 0)):
            there = go_on(self._store, run, training, keeper, logbook, obey)
            logbook.begin(training, there.seconds)
            logbook.tell(there.kind, there.text)
            return training.records()
        # It may have been killed before there was a snapshot.
        self._rows.insist(partial(logbook.writer.rewind, epoch=-1, step=0, seconds=0.0), obey)
        logbook.begin(training, 0.0)
        logbook.tell("started", "started")
        return chain(training.measure(0), training.records())  # films begin untrained

    # Its course ----------------------------------------------------------------------------------

    def _follow(
        self, records: Iterator[Record], training: Training, keeper: SnapshotKeeper
    ) -> Iterator[Record]:
        """Follow the training to its end; raises Ended if somebody ends it before."""
        logbook, mailbox = self._logbook, self._mailbox
        polled = flushed = 0.0
        kept = time.perf_counter()
        for record in records:
            now = time.perf_counter()
            logbook.take(record)
            if isinstance(record, EpochEnd):
                keep = partial(keeper.keep_epoch, training, record.validation_accuracy)
                self._files.insist(partial(keep, logbook.clock.seconds), mailbox.obey)
            self._on_record(record)
            handed_over = time.perf_counter()
            try:
                yield record
            finally:  # the caller's time is none of the training's
                logbook.clock.leave_out(time.perf_counter() - handed_over)
            if isinstance(record, Diverged | Restored):
                return

            if mailbox.is_told_to_end or now - polled > POLL_EVERY:
                polled = now
                mailbox.obey()
            # The first point on the curve should not wait for its turn.
            if now - flushed > FLUSH_EVERY or (record.step <= 1 and isinstance(record, EpochEnd)):
                flushed = now
                if not logbook.flush() and logbook.is_full:
                    self._rows.insist(logbook.write, mailbox.obey)
            if now - kept > max(LATEST_EVERY, keeper.cost / MOST_KEEPING):
                self._keep_latest(training, keeper)
                kept = time.perf_counter()

    def _keep_latest(self, training: Training, keeper: SnapshotKeeper) -> None:
        """Write `latest` with fresh answers, unless there is mail: that comes first."""
        began = time.perf_counter()
        if not training.at_epoch_end or training.step == 0:
            for _ in training.answer():
                if self._logbook.writer.has_commands():
                    return
        # On a full disk there is none, and the next one may fit.
        self._files.attempt(partial(keeper.keep_latest, training, self._logbook.clock.seconds))
        keeper.cost = time.perf_counter() - began

    # Its end -------------------------------------------------------------------------------------

    def _train(
        self,
        records: Iterator[Record],
        training: Training,
        keeper: SnapshotKeeper,
        dataset: Dataset,
    ) -> Iterator[Record]:
        """Follow the training, and write down how it ended."""
        logbook, mailbox = self._logbook, self._mailbox
        status, message = FINISHED, ""
        try:
            yield from self._follow(records, training, keeper)
        except Ended as end:
            status, message = end.status, end.message
        except GeneratorExit:  # between two records, where all is as it should be
            mailbox.hurry()
            if not training.restored:  # else nothing is left to do but to test it
                status, message = INTERRUPTED, "The program that trained it asked for no more."
        except KeyboardInterrupt:  # in the middle of a step: the last snapshot is sound
            mailbox.hurry()
            self._close(INTERRUPTED, "Interrupted by Ctrl-C.")
            raise
        if training.restored:
            message = _explain_restored(training.restored)
            early = "stopped early, " if training.restored.is_early else ""
            logbook.tell("restored", f"{early}epoch {training.restored.best_epoch:,} restored")
        if training.diverged:
            status, message = DIVERGED, _explain(training.diverged)
        logbook.tell(status, message or status)
        test = None
        if status != DIVERGED:  # its numbers are worthless; the snapshots before it are not
            keep = partial(keeper.keep_last, training, logbook.clock.seconds)
            self._files.insist(keep, mailbox.check_deadline)
        if status in (FINISHED, STOPPED):
            logbook.flush()
            test, _ = score(training.network, examples(dataset, "test"))
        self._close(status, message, test)

    def _close(self, status: str, message: str, test: Score | None = None) -> None:
        """Write down all that came out, and that this is the end."""
        self._rows.insist(self._logbook.write, self._mailbox.check_deadline)
        self._end(status, message, test)
        if self._logbook.is_behind:  # it had to wait for the end, which is told
            self._logbook.flush()

    def _fail(self, message: str) -> None:
        """Write down why it has failed, if nothing else: what came out may be the very reason."""
        with suppress(Exception):
            self._rows.insist(self._logbook.write, self._mailbox.check_deadline)
        self._end(FAILED, message)

    def _end(self, status: str, message: str, test: Score | None = None) -> None:
        end = partial(
            self._logbook.writer.end,
            status,
            message,
            samples_per_second=self._logbook.mean_pace,
            test_loss=test.loss if test else None,
            test_accuracy=test.accuracy if test else None,
        )
        self._rows.insist(end, self._mailbox.check_deadline)


def _explain(diverged: Diverged) -> str:
    return (
        f"Training diverged in epoch {diverged.epoch}, step {diverged.step}: {diverged.what} is "
        "no longer a finite number. A smaller learning rate usually helps."
    )


def _explain_restored(restored: Restored) -> str:
    if not restored.is_early:
        return (
            f"The weights of epoch {restored.best_epoch:,}, the best on validation, are restored."
        )
    n_waited = restored.epoch - restored.best_epoch
    epochs = "1 epoch" if n_waited == 1 else f"{n_waited:,} epochs"
    return (
        f"Stopped early after epoch {restored.epoch:,}: validation accuracy has not risen for "
        f"{epochs}; the weights of epoch {restored.best_epoch:,} are restored."
    )


def _say(sentence: str) -> None:
    with suppress(OSError):  # the log may be on the very disk that is full: training matters more
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()


def main(arguments: list[str] | None = None) -> int:
    """Compute a queued run; what the dashboard starts."""
    parser = argparse.ArgumentParser(prog="neuralscope.runs.trainer", description=main.__doc__)
    parser.add_argument("run_id")
    parser.add_argument("--store", required=True)
    parser.add_argument("--lock", type=int, help="descriptor of the run's lock, if it is held")
    options = parser.parse_args(arguments)
    try:
        with Store(options.store) as store:
            if options.lock is not None:
                store.inherit(options.run_id, options.lock)
            run = Trainer(store, options.run_id, on_trouble=_say).run()
    except NeuralScopeError as error:
        _say(str(error))
        return 1
    return {FAILED: 1, DIVERGED: 1, INTERRUPTED: 130}.get(run.status, 0)


if __name__ == "__main__":
    sys.exit(main())
