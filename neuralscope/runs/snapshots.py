"""Snapshots: the network as it was, and everything needed to go on from there.

One `.npz` file each, never pickled, written to a temporary name and renamed:

    parameters                  the flat vector
    optimizer_...               what the optimizer remembers
    position                    JSON: counters, learning rate, random states
    validation_probabilities    (n, classes) float16, the answers on the validation set
    validation_predictions      (n,) the most probable class of each

Every epoch is kept at first; later ones thin out, since less and less changes between them. The
best on validation and the last are always there. `latest` is written over and over while a run is
live, for those who watch and in case it is killed.
"""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neuralscope.engine import Network, Training
from neuralscope.engine.weights import write
from neuralscope.errors import StoreFull, WeightsError
from neuralscope.files import Arrays, Refused, open_regular
from neuralscope.runs.config import RunConfig
from neuralscope.runs.records import FINISHED, Run
from neuralscope.runs.store import Store
from neuralscope.runs.writer import Writer

State = Mapping[str, npt.NDArray[Any]]
"""Everything needed to go on from a snapshot, by name."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

LATEST = "latest"
EVERY_EPOCH_UNTIL = 20
GROWTH = 1.15

MOST_BYTES = 256 << 20
"""Of a file, packed and unpacked: with Adam, the largest network of a run takes 200 MB."""

_SHOWN = {
    "parameters": ("f", 1),
    "validation_probabilities": ("f", 2),
    "validation_predictions": ("ui", 1),
}
"""What a snapshot shows: which kinds of numbers it may be, and of how many dimensions."""


def is_milestone(epoch: int) -> bool:
    """Return whether this epoch is kept whatever it brought.

    All up to 20, then each 15 % later than the one before: of the epochs from 0 to 300 these are
    39, to 1,000 they are 48, and to 10,000 they are 64.

    >>> [epoch for epoch in range(18, 50) if is_milestone(epoch)]
    [18, 19, 20, 23, 27, 32, 37, 43]
    """
    milestone = EVERY_EPOCH_UNTIL
    while milestone < epoch:
        milestone = -int(-milestone * GROWTH // 1)  # rounded up
    return epoch <= EVERY_EPOCH_UNTIL or epoch == milestone


@dataclass(frozen=True)
class SnapshotInfo:
    """A snapshot that can be loaded.

    Attributes:
        name: 'epoch-00012', or 'latest'.
        epoch: Complete epochs then.
        step: Steps taken then.
        seconds: Training time until then.
        written: When, in seconds since 1970; with the name it tells one version from the next.
    """

    name: str
    epoch: int
    step: int
    seconds: float
    written: float


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What a snapshot shows; without the optimizer's memory.

    Attributes:
        info: Where it belongs.
        parameters: (n_parameters,).
        validation_probabilities: (n, classes) float16.
        validation_predictions: (n,).
    """

    info: SnapshotInfo
    parameters: npt.NDArray[np.float32]
    validation_probabilities: npt.NDArray[np.float16]
    validation_predictions: npt.NDArray[np.uint8]

    def network(self, config: RunConfig, n_features: int, n_classes: int) -> Network:
        """Return the network as it was.

        Raises:
            WeightsError: The snapshot is of a network with other layers.
        """
        network = Network(
            config.sizes(n_features, n_classes),
            activation=config.activations,
            initializer="zeros",
            rng=np.random.default_rng(0),
        )
        if self.parameters.shape != network.parameters.shape:
            raise WeightsError(
                f"Snapshot {self.info.name} holds {len(self.parameters):,} weights, "
                f"but this network has {len(network.parameters):,}."
            )
        network.parameters[...] = self.parameters
        return network


def list_snapshots(store: Store, run_id: str) -> list[SnapshotInfo]:
    """Return a run's snapshots in the order of training."""
    return [SnapshotInfo(*row) for row in store.snapshot_rows(run_id)]


def when(run: Run, info: SnapshotInfo) -> str:
    """Say when in a run's training a snapshot was taken."""
    if info.step == 0:
        return "before training"
    if info.name == LATEST and run.status == FINISHED and run.best_epoch is not None:
        # The last epoch has a name of its own, unless the weights of the best one replaced it.
        return f"epoch {run.best_epoch:,}, restored"
    if run.steps_per_epoch and info.step > info.epoch * run.steps_per_epoch:
        return f"partway through epoch {info.epoch + 1:,}"
    return f"epoch {info.epoch:,}"


def load_snapshot(store: Store, run_id: str, info: SnapshotInfo) -> Snapshot:
    """Load what a snapshot shows.

    Raises:
        WeightsError: Its file is gone or damaged.
    """
    path = _path(store, run_id, info.name)
    return Snapshot(info, **_read(path, tuple(_SHOWN)))


def load_predictions(store: Store, run_id: str, info: SnapshotInfo) -> npt.NDArray[np.uint8]:
    """Load only a snapshot's answers on the validation set, (n,).

    Raises:
        WeightsError: Its file is gone or damaged.
    """
    name = "validation_predictions"
    return _read(_path(store, run_id, info.name), (name,))[name]


def load_state(store: Store, run_id: str, name: str) -> State:
    """Load everything needed to go on from a snapshot.

    Raises:
        WeightsError: Its file is gone or damaged.
    """
    return _read(_path(store, run_id, name), None)


def states(store: Store, run_id: str) -> Iterator[tuple[SnapshotInfo, State]]:
    """Yield the snapshots to go on from, the newest first; those that cannot be read are left out.

    Of `latest` the file may be newer than its row, if the trainer was killed between the two: what
    counts is the position in the state.
    """
    for info in reversed(list_snapshots(store, run_id)):
        with contextlib.suppress(WeightsError):
            yield info, load_state(store, run_id, info.name)


def write_state(store: Store, run_id: str, info: SnapshotInfo, state: State) -> None:
    """Put a snapshot into a run that no trainer has taken yet.

    Raises:
        WeightsError: It cannot be written.
    """
    folder = _made_folder(store, run_id)
    arrays = {name: values for name, values in state.items() if name != "metadata"}
    write(folder / f"{info.name}.npz", arrays, {})
    Writer(store, run_id).add_snapshot(
        info.name, epoch=info.epoch, step=info.step, seconds=info.seconds
    )


def _made_folder(store: Store, run_id: str) -> Path:
    folder = store.folder(run_id)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StoreFull(f"{folder} cannot be made: the disk is full.") from error
        raise WeightsError(f"{folder} cannot be made: {error.strerror or error}.") from error
    return folder


def _read(path: Path, names: tuple[str, ...] | None) -> dict[str, npt.NDArray[Any]]:
    try:
        with open_regular(path, MOST_BYTES) as file:
            arrays = Arrays(file, MOST_BYTES)
            for name in names or arrays.headers:
                header = arrays.headers[name]
                kinds, n_dimensions = _SHOWN.get(name, (header.dtype.kind, len(header.shape)))
                if header.dtype.kind not in kinds or len(header.shape) != n_dimensions:
                    raise Refused(f"its {name} are something else")
            return {name: arrays.read(name) for name in names or arrays.headers}
    except (Refused, OSError, KeyError) as error:
        raise WeightsError(f"Snapshot {path} is gone or damaged.") from error


def _path(store: Store, run_id: str, name: str) -> Path:
    return store.folder(run_id) / f"{name}.npz"


def _epoch_name(epoch: int) -> str:
    return f"epoch-{epoch:05d}"


class SnapshotKeeper:
    """Writes a run's snapshots and decides which of them stay."""

    def __init__(
        self,
        store: Store,
        writer: Writer,
        n_classes: int,
        list_snapshot: Callable[[str, Callable[[], None]], None] = lambda name, write: write(),
    ) -> None:
        """Make the run's folder.

        Args:
            store: Where the run is kept.
            writer: Who may write it.
            n_classes: Of its data set.
            list_snapshot: Is given a snapshot's name and what lists it, or takes it off the list;
                calls that, perhaps later, once all that led to the snapshot is written down:
                whoever goes on from there must find it, wherever the trainer was killed.

        Raises:
            StoreFull: There is no room for it.
            WeightsError: It cannot be made.
        """
        self._store = store
        self._writer = writer
        self._run_id = writer.run_id
        self._label_type = np.min_scalar_type(n_classes - 1)
        self._best: tuple[float, int] | None = None  # accuracy, epoch
        self._written_steps: dict[str, int] = {}
        self._superseded: list[str] = []
        self.cost = 0.0
        """Seconds that writing the last one took."""
        self._list_snapshot = list_snapshot
        folder = _made_folder(store, writer.run_id)
        for left_over in folder.glob(".*"):  # by a trainer that was killed while writing
            left_over.unlink(missing_ok=True)

    def go_on(self, training: Training, info: SnapshotInfo, best: tuple[float, int] | None) -> None:
        """Keep from here on what would be kept had the training never stopped.

        Args:
            training: Restored from a snapshot.
            info: The snapshot, with its position as the state has it.
            best: Best accuracy on validation so far and its epoch, if there is one.
        """
        self._best = best
        self._written_steps[info.name] = training.step
        self._writer.add_snapshot(info.name, epoch=info.epoch, step=info.step, seconds=info.seconds)
        kept = list_snapshots(self._store, self._run_id)
        listed = {f"{each.name}.npz" for each in kept}
        for path in self._store.folder(self._run_id).glob("*.npz"):
            if path.name not in listed:
                path.unlink(missing_ok=True)
        # Where it had ended before; but the first is where it begins, which a fork does anywhere.
        self._superseded = [
            each.name for each in kept[1:] if each.name != LATEST and not self._stays(each.epoch)
        ]

    def _stays(self, epoch: int) -> bool:
        return is_milestone(epoch) or (self._best is not None and epoch == self._best[1])

    def keep_epoch(self, training: Training, accuracy: float, seconds: float) -> None:
        """Keep a measured epoch if it is a milestone or the best so far.

        Raises:
            StoreFull: There is no room for it; nothing has changed, and it may be tried again.
            WeightsError: It cannot be written at all.
        """
        epoch = training.epoch
        is_best = epoch > 0 and (self._best is None or accuracy > self._best[0])
        if is_milestone(epoch) or is_best:
            self._write(_epoch_name(epoch), training, seconds)
        if is_best:
            former = self._best[1] if self._best else 0
            self._best = (accuracy, epoch)
            if not is_milestone(former):
                self._remove(_epoch_name(former))

    def keep_latest(self, training: Training, seconds: float) -> None:
        """Overwrite `latest`. Bring the training's answers up to date first."""
        self._write(LATEST, training, seconds)

    def keep_last(self, training: Training, seconds: float) -> None:
        """Keep the end of the run: as its epoch if it is one, else as `latest`.

        It is none within an epoch, nor where the weights are those of an earlier epoch again.
        """
        is_epoch = training.at_epoch_end and not training.restored
        name = _epoch_name(training.epoch) if is_epoch else LATEST
        if training.restored or self._written_steps.get(name) != training.step:
            for _ in training.answer():  # the last ones may be of many steps ago
                pass
            self._write(name, training, seconds)
        if name != LATEST:
            self._remove(LATEST)

    def _write(self, name: str, training: Training, seconds: float) -> None:
        if not np.isfinite(training.network.parameters).all():
            return  # about to diverge, which the next step will tell: keep what was before
        began = time.perf_counter()
        answers = training.validation_probabilities
        arrays = {
            **training.state(),
            "validation_probabilities": answers.astype(np.float16),
            "validation_predictions": answers.argmax(axis=1).astype(self._label_type),
        }
        written = self._unlisted(name)
        try:
            write(written, arrays, {})
        except WeightsError as error:
            if getattr(error.__cause__, "errno", None) in _NO_ROOM:
                raise StoreFull(
                    f"Snapshot {name} of run {self._run_id} cannot be written: the disk is full."
                ) from error
            raise
        self._list_snapshot(
            name,
            partial(
                self._writer.add_snapshot,
                name,
                epoch=training.epoch,
                step=training.step,
                seconds=seconds,
                written=written,
            ),
        )
        self._written_steps[name] = training.step
        while self._superseded:
            former = self._superseded.pop()
            if former != name:
                self._remove(former)
        self.cost = time.perf_counter() - began

    def _unlisted(self, name: str) -> Path:
        """Return where a snapshot is until it is listed.

        With the token, that no two trainers of a run, one of them held up, write one file.
        """
        return self._store.folder(self._run_id) / f".{name}.{self._writer.token}"

    def _remove(self, name: str) -> None:
        self._unlisted(name).unlink(missing_ok=True)
        self._list_snapshot(name, partial(self._delete, name))
        self._written_steps.pop(name, None)

    def _delete(self, name: str) -> None:
        self._writer.remove_snapshot_row(name)
        _path(self._store, self._run_id, name).unlink(missing_ok=True)
