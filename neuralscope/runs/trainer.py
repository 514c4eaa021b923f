"""The trainer: the process in which a run is computed.

    queued ──> running <──> paused          pause frees the place, resume asks for it again
                  │
                  └──> finished, stopped, diverged, failed, interrupted

It asks the engine for one record after the other. Between two of them it reads its commands,
writes down what came out, keeps snapshots, and looks whether anybody still wants it: a trainer
whose owner is gone, or that is told to by SIGTERM, SIGHUP or Ctrl-C, saves a snapshot and ends as
interrupted. A run that has left snapshots goes on from the newest of them, wherever it ended, even
if it was killed between two writes: what was written later is taken back and comes out again, to
the same bits.

`python -m neuralscope.runs.trainer` is how the dashboard starts one; the command line runs the same
class in its own process.

It imports NumPy, threadpoolctl and the standard library only, and so it is learning at once.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType

import numpy as np

from neuralscope.data import Dataset, dataset_label, load_dataset
from neuralscope.engine import (
    Diverged,
    EpochEnd,
    Network,
    Record,
    Restored,
    StepEnd,
    Training,
    score,
)
from neuralscope.errors import DataError, NeuralScopeError, StoreError, WeightsError
from neuralscope.runs.cores import Cores, cores_for, recorded
from neuralscope.runs.experiment import examples, prepare
from neuralscope.runs.machine import machine, versions
from neuralscope.runs.records import (
    DIVERGED,
    FAILED,
    FINISHED,
    INTERRUPTED,
    PAUSED,
    QUEUED,
    RUNNING,
    STOPPED,
    Command,
    Event,
    Progress,
    Run,
    StepBlock,
)
from neuralscope.runs.snapshots import SnapshotKeeper, list_snapshots, states
from neuralscope.runs.store import Store
from neuralscope.runs.writer import Disowned, Writer

HEARTBEAT_EVERY = 1.0
"""Seconds between two signs of life."""

POLL_EVERY = 0.05
"""Seconds between two looks at the commands."""

FLUSH_EVERY = 0.2
"""Seconds between two writings of what came out."""

LATEST_EVERY = 0.45
"""Seconds between two `latest` snapshots, at least."""

MOST_KEEPING = 0.05
"""Share of the time that writing `latest` may take: large networks write it less often."""


class _Ended(Exception):
    """The run is over; carries its status and message."""

    def __init__(self, status: str, message: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message


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
        owner: int | None = None,
        is_watched: bool = True,
        on_record: Callable[[Record], None] = lambda record: None,
        on_wait: Callable[[int], None] = lambda place: None,
    ) -> None:
        """Take over a queued run.

        Args:
            store: Where it is kept.
            run_id: Which it is.
            dataset: What it is trained on, if it is loaded already.
            network: Trained in place, if given; else a fresh one.
            owner: Parent process without which the run is unwanted; None for nobody.
            is_watched: Whether to leave a core to a browser (see `cores`), if the run is new.
            on_record: Is shown every record.
            on_wait: Is told the place in the queue, or 0 for a pause, over and over while waiting.

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
        self._owner = owner
        self._on_record = on_record
        self._on_wait = on_wait
        self._writer = Writer(store, run_id, f"{os.getpid()}-{secrets.token_hex(4)}")
        self._signal = ""  # name of the signal that told it to end
        self._over = threading.Event()

        self._status = QUEUED
        self._training: Training | None = None
        self._keeper: SnapshotKeeper | None = None
        self._began = time.perf_counter()
        self._is_watched = is_watched
        self._is_new = True  # not restored from a snapshot
        self._seconds_before = 0.0  # what it took to come to that snapshot
        self._waited = 0.0  # seconds in the queue and in pauses that are over
        self._waiting_since: float | None = None
        self._early: list[Command] = []  # for a training that is not there yet
        self._n_examples = 0
        self._pace: deque[tuple[float, int]] = deque(maxlen=10)  # (clock, examples) at flushes

        # What came out since the last flush.
        self._losses: list[float] = []
        self._losses_began = 0.0
        self._epochs: list[tuple[EpochEnd, float]] = []
        self._events: list[Event] = []

    def run(self) -> Run:
        """Compute the run to its end and return it as it then stands.

        Raises:
            StoreError: The store cannot be written any more, or the run is not ours any more.
        """
        with self._listening():
            deque(self.records(), maxlen=0)
        return self._store.run(self._run_id)

    def records(self) -> Generator[Record, None, None]:
        """Compute the run as records are asked for; signals are the caller's to listen to.

        A caller that asks for no more and closes this interrupts the run, which can be resumed.

        Raises:
            StoreError: The store cannot be written any more, or the run is not ours any more.
        """
        heart = threading.Thread(target=self._beat, daemon=True)
        self._writer.adopt()
        heart.start()
        try:
            yield from self._run_guarded()
        finally:
            self._over.set()
            heart.join()

    def _run_guarded(self) -> Iterator[Record]:
        """Whatever goes wrong ends up in the store, in words."""
        try:
            yield from self._compute()
        except _Ended as end:  # before there was anything to train
            self._tell(end.status, end.message or end.status)
            self._flush()
            self._close(end.status, end.message)
        except Disowned:
            raise
        except NeuralScopeError as error:
            self._close(FAILED, str(error))
        except MemoryError:
            self._close(FAILED, "This machine has not enough memory for such a network.")
        except Exception as error:
            traceback.print_exc()
            self._close(FAILED, f"{type(error).__name__}: {error}")

    def _compute(self) -> Iterator[Record]:
        self._obey()
        # A fetch may take minutes: mail is read meanwhile.
        dataset = self._dataset or load_dataset(
            self._config.dataset, on_progress=lambda _: self._obey()
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
            yield from self._compute_with(training, dataset, cores)

    def _compute_with(self, training: Training, dataset: Dataset, cores: Cores) -> Iterator[Record]:
        self.network = training.network
        self._training = training
        self._keeper = SnapshotKeeper(self._store, self._writer, dataset.n_classes, self._flush)
        self._writer.set_facts(
            data_digest=dataset.digest,
            versions=versions(),
            machine={**machine(), **cores._asdict()},
            steps_per_epoch=training.n_batches,
            recipe=dataset.recipe,
        )
        origin = self._go_on(training, self._keeper)
        self._began, self._waited = time.perf_counter(), 0.0
        self._pace.append((self._seconds_before, 0))
        self._tell(*origin)
        for command in self._early:
            self._carry_out(command)
        status, message = FINISHED, ""
        try:
            yield from self._follow(training, self._keeper)
        except _Ended as end:
            status, message = end.status, end.message
        except GeneratorExit:  # between two records, where all is as it should be
            if not training.restored:  # else nothing is left to do but to test it
                status, message = INTERRUPTED, "The program that trained it asked for no more."
        except KeyboardInterrupt:  # in the middle of a step: the last snapshot is sound
            self._close(INTERRUPTED, "Interrupted by Ctrl-C.")
            raise
        if training.restored:
            message = _explain_restored(training.restored)
            early = "stopped early, " if training.restored.is_early else ""
            self._tell("restored", f"{early}epoch {training.restored.best_epoch:,} restored")
        if training.diverged:
            status, message = DIVERGED, _explain(training.diverged)
        self._tell(status, message or status)
        self._flush()
        if status != DIVERGED:  # its numbers are worthless; the snapshots before it are not
            self._keeper.keep_last(training, self._clock())
        if status in (FINISHED, STOPPED):
            test, _ = score(training.network, examples(dataset, "test"))
            self._close(status, message, test_loss=test.loss, test_accuracy=test.accuracy)
        else:
            self._close(status, message)

    def _go_on(self, training: Training, keeper: SnapshotKeeper) -> tuple[str, str]:
        """Restore the newest snapshot there is, and return the event that this is."""
        run = self._store.run(self._run_id)
        last_epoch, last_step = self._store.last_recorded(self._run_id)
        found = False
        for info, state in states(self._store, self._run_id):
            found = True
            try:
                training.restore(state)
            except (ValueError, TypeError, LookupError):
                continue  # not all is in it that it takes to go on: damaged, or bare weights
            # All that led to the row of a snapshot is there; of a file that is newer than its row,
            # it may not have come to the disk before power failed.
            is_known = training.step <= max(last_step, info.step)
            if not is_known or training.epoch > max(last_epoch, info.epoch):
                continue
            self._seconds_before = self._writer.rewind(
                epoch=training.epoch, step=training.step, seconds=info.seconds
            )
            keeper.go_on(
                training,
                replace(
                    info, epoch=training.epoch, step=training.step, seconds=self._seconds_before
                ),
                self._best_so_far(),
            )
            for _ in training.answer():  # they were rounded when they were kept
                pass
            self._is_new = False
            if not last_step and run.parent_id:
                return "forked", f"forked at {where(training.epoch, training.at_epoch_end)}"
            return "continued", f"resumed at {where(training.epoch, training.at_epoch_end)}"
        if found or run.is_fork or list_snapshots(self._store, self._run_id):
            raise WeightsError(
                "None of the snapshots that this run could go on from can be used any more; "
                "it can be trained again from its configuration instead."
            )
        self._writer.rewind(epoch=-1, step=0, seconds=0.0)
        return "started", "started"

    def _best_so_far(self) -> tuple[float, int] | None:
        run = self._store.run(self._run_id)
        if run.best_epoch is None or run.best_validation_accuracy is None:
            return None
        return run.best_validation_accuracy, run.best_epoch

    def _follow(self, training: Training, keeper: SnapshotKeeper) -> Iterator[Record]:
        """Follow the training to its end; raises _Ended if somebody ends it before."""
        polled = flushed = 0.0
        kept = time.perf_counter()
        for record in self._all_records(training):
            now = time.perf_counter()
            if isinstance(record, StepEnd):
                if not self._losses:
                    self._losses_began = self._clock()
                self._losses.append(record.loss)
                self._n_examples += record.n_examples
            elif isinstance(record, EpochEnd):
                self._epochs.append((record, self._clock()))
                keeper.keep_epoch(training, record.validation_accuracy, self._clock())
            self._on_record(record)
            handed_over = time.perf_counter()
            try:
                yield record
            finally:  # the caller's time is none of the training's
                self._waited += time.perf_counter() - handed_over
            if isinstance(record, Diverged | Restored):
                return

            if self._signal or now - polled > POLL_EVERY:
                polled = now
                self._obey()
            # The first point on the curve should not wait for its turn.
            if now - flushed > FLUSH_EVERY or (record.step <= 1 and isinstance(record, EpochEnd)):
                flushed = now
                self._flush()
            if now - kept > max(LATEST_EVERY, keeper.cost / MOST_KEEPING):
                self._keep_latest(training, keeper)
                kept = time.perf_counter()

    def _all_records(self, training: Training) -> Iterator[Record]:
        """Yield the training's records, after those of the untrained network: films begin there."""
        if self._is_new:
            yield from training.measure(0)
        yield from training.records()

    def _clock(self) -> float:
        """Seconds of work so far, waiting and pauses left out."""
        now = time.perf_counter() if self._waiting_since is None else self._waiting_since
        return self._seconds_before + now - self._began - self._waited

    def _keep_latest(self, training: Training, keeper: SnapshotKeeper) -> None:
        """Write `latest` with fresh answers, unless there is mail: that comes first."""
        began = time.perf_counter()
        if not training.at_epoch_end or training.step == 0:
            for _ in training.answer():
                if self._writer.has_commands():
                    return
        keeper.keep_latest(training, self._clock())
        keeper.cost = time.perf_counter() - began

    # Commands ------------------------------------------------------------------------------------

    def _obey(self) -> None:
        """Do what has been asked; come back when running. Raises _Ended to end the run."""
        while True:
            self._check_wanted()
            for command in self._writer.take_commands():
                self._carry_out(command)
            if self._status == QUEUED and self._writer.claim_slot():
                self._status = RUNNING
            if self._status == RUNNING:
                break
            # A run that is not in the queue has place 0.
            self._on_wait(self._store.place_in_queue(self._run_id))
            if self._waiting_since is None:
                self._waiting_since = time.perf_counter()
            time.sleep(POLL_EVERY)
        if self._waiting_since is not None:
            self._waited += time.perf_counter() - self._waiting_since
            self._waiting_since = None

    def _carry_out(self, command: Command) -> None:
        if command.kind == "stop":
            raise _Ended(STOPPED)
        if command.kind == "pause" and self._status != PAUSED:
            self._tell("paused", "paused")
            self._flush()
            self._writer.set_status(PAUSED)
            self._status = PAUSED
            if self._training and self._keeper:
                self._keep_latest(self._training, self._keeper)
        elif command.kind == "resume" and self._status == PAUSED:
            self._tell("resumed", "resumed")
            self._flush()
            self._writer.enqueue()
            self._status = QUEUED
        elif command.kind == "learning_rate" and self._training is None:
            self._early.append(command)
        elif command.kind == "learning_rate" and command.value is not None and self._training:
            before, self._training.learning_rate = self._training.learning_rate, command.value
            self._tell("learning_rate", f"learning rate {before:g} \u2192 {command.value:g}")
            self._flush()

    def _check_wanted(self) -> None:
        if self._signal:
            raise _Ended(INTERRUPTED, f"Interrupted by {self._signal}.")
        if self._owner is not None and os.getppid() != self._owner:
            raise _Ended(INTERRUPTED, "The dashboard that started it was closed.")
        if not self._writer.is_mine():
            raise Disowned(f"Run {self._run_id} was deleted or is trained by another process.")

    def _beat(self) -> None:
        """In a thread of its own: sign of life, however long a step takes."""
        while not self._over.wait(HEARTBEAT_EVERY):
            try:
                self._writer.beat()
            except StoreError:
                continue  # the next one may get through; the main thread will meet the reason

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Turn signals into a wish to end, for as long as the run lasts."""

        def heard(number: int, frame: FrameType | None) -> None:
            self._signal = signal.Signals(number).name

        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may listen
            return
        names = ("SIGINT", "SIGTERM", "SIGHUP")
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        # What is ignored stays ignored: that is how nohup works.
        heeded = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, heard) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    # Writing down --------------------------------------------------------------------------------

    def _tell(self, kind: str, text: str) -> None:
        """Leave an event, to be written with the next flush."""
        epoch, step = (self._training.epoch, self._training.step) if self._training else (0, 0)
        self._events.append(Event(time.time(), kind, text, epoch, step, self._clock()))

    def _flush(self) -> None:
        """Write down all that came out since the last time."""
        training, clock = self._training, self._clock()
        if training is None:
            self._writer.record(None, events=self._events)
            self._events = []
            return
        blocks = []
        if self._losses:
            losses = np.array(self._losses, np.float32)
            first = training.step - len(losses) + 1
            blocks.append(StepBlock(first, self._losses_began, clock, losses))
        self._pace.append((clock, self._n_examples))
        began, n_before = self._pace[0]
        pace = (self._n_examples - n_before) / (clock - began) if clock > began else 0.0
        progress = Progress(training.epoch, training.step, clock, pace, training.learning_rate)
        self._writer.record(progress, blocks, self._epochs, self._events)
        self._losses, self._epochs, self._events = [], [], []

    def _close(
        self,
        status: str,
        message: str,
        *,
        test_loss: float | None = None,
        test_accuracy: float | None = None,
    ) -> None:
        # The average of this process up to the last flush, whose clock is the run's `seconds`.
        clock, n_examples = self._pace[-1] if self._pace else (0.0, 0)
        pace = n_examples / (clock - self._seconds_before) if n_examples else None
        self._writer.end(
            status,
            message,
            samples_per_second=pace,
            test_loss=test_loss,
            test_accuracy=test_accuracy,
        )


def where(epoch: int, is_epoch_end: bool) -> str:
    """Return a place in a training in words: 'epoch 3', 'the middle of epoch 4'."""
    if is_epoch_end:
        return f"epoch {epoch:,}" if epoch else "its beginning"
    return f"the middle of epoch {epoch + 1:,}"


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


def main(arguments: list[str] | None = None) -> int:
    """Compute a queued run; what the dashboard starts."""
    parser = argparse.ArgumentParser(prog="neuralscope.runs.trainer", description=main.__doc__)
    parser.add_argument("run_id")
    parser.add_argument("--store", required=True)
    parser.add_argument("--owner", type=int, help="parent process that must stay alive")
    options = parser.parse_args(arguments)
    try:
        with Store(options.store) as store:
            run = Trainer(store, options.run_id, owner=options.owner).run()
    except NeuralScopeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return {FAILED: 1, DIVERGED: 1, INTERRUPTED: 130}.get(run.status, 0)


if __name__ == "__main__":
    sys.exit(main())
