"""The command line: `python -m neuralscope COMMAND`.

    train        train a network; an open dashboard shows it live
    evaluate     measure a weights file on a data set
    runs         list, show or delete what was trained
    dashboard    open the dashboard in the browser

Results go to standard output (with `--json` its last line is one JSON value), everything else to
standard error. Exit status: 0 done, 1 the work itself failed, 2 a bad argument or file, 130
interrupted. A mistake is answered with one line.

Only what a command needs is imported, when it is run: `--help` must not wait for NumPy.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import json
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from importlib.util import find_spec
from operator import itemgetter
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from neuralscope.errors import (
    DataUnavailable,
    NeuralScopeError,
    RunNotFound,
    StoreError,
    WeightsError,
)
from neuralscope.version import __version__

if TYPE_CHECKING:
    from neuralscope.data import FetchProgress
    from neuralscope.engine import EpochEnd, Network
    from neuralscope.engine.training import Record
    from neuralscope.runs import Run, RunConfig, Store

DONE, FAILED, MISTAKEN, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141

DEFAULT_OUTPUT = "trained_weights.npz"
FIRST_PORT = 8501
LOCAL_HOST = "localhost"
CHECKOUT = Path(__file__).resolve().parents[1]

DRAW_EVERY = 0.1
"""Seconds between two drawings of the progress bar."""

NEWS_EVERY = 3
"""Drawings between two looks at what the dashboard has asked for."""

LINE_EVERY = 2.0
"""Seconds between two lines about epochs, where there is no terminal to draw on."""


class _WorkFailed(NeuralScopeError):
    """Arguments and files were in order, but the work could not be done."""


class _Mistake(NeuralScopeError):
    """An argument asks for what cannot be done."""


# The program -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Command:
    """A command: one line about it, its arguments, and what it does."""

    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int] | None = None  # None: it only has commands itself


class _Parser(argparse.ArgumentParser):
    """Answers a mistake with one line instead of a page of usage."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False)
        # -1e-3 and -inf are numbers too: refused for what they are, not taken for flags.
        self._negative_number_matcher = re.compile(r"-(\d|\.\d|inf|nan)", re.IGNORECASE)

    def error(self, message: str) -> NoReturn:
        self.exit(MISTAKEN, f"{self.prog}: {_one_line(message)}\n")


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        argv: The arguments; None for those of this process.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a letter gets its code: no reason to lose the line, or the result.
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    try:
        with _ended_by_signals():
            status = _run(sys.argv[1:] if argv is None else argv)
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Whoever was reading has seen enough. At exit, Python would flush into the pipe again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _run(arguments: list[str]) -> int:
    parser = _parser(arguments)
    try:
        options, unknown = parser.parse_known_args(arguments)
        if unknown:
            options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    except SystemExit as end:  # help, version and mistakes
        return int(end.code or DONE)
    try:
        status: int = options.run(options)
        return status
    except KeyboardInterrupt:
        _say("interrupted.", options)
        return INTERRUPTED
    except (DataUnavailable, _WorkFailed) as error:
        _say(str(error), options)
        return FAILED
    except NeuralScopeError as error:
        _say(str(error), options)
        return MISTAKEN


def _say(message: str, options: argparse.Namespace) -> None:
    _StatusLine(sys.stderr).say(f"{options.parser.prog}: {_one_line(message)}")


def _parser(arguments: Sequence[str]) -> _Parser:
    """Return the parser; of the commands, only one that is named gets its arguments."""
    parser = _Parser(
        prog="neuralscope",
        description="Train a neural network of plain NumPy, and watch it learn.",
        epilog="python -m neuralscope COMMAND --help tells more about a command.",
    )
    parser.add_argument("-V", "--version", action="version", version=f"neuralscope {__version__}")
    _add_commands(parser, _COMMANDS, arguments)
    return parser


def _add_commands(
    parser: argparse.ArgumentParser,
    commands: dict[str, _Command],
    arguments: Sequence[str] | None = None,
) -> None:
    """Give a parser its commands; without one it shows its help."""

    def show_help(_: argparse.Namespace) -> int:
        parser.print_help()
        return DONE

    parser.set_defaults(run=show_help, parser=parser)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, command in commands.items():
        own = subparsers.add_parser(
            name, help=command.summary, description=f"{command.summary.capitalize()}."
        )
        own.set_defaults(run=command.run, parser=own)
        if arguments is None or name in arguments:
            command.add_arguments(own)


def _add_store(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--store",
        metavar="DIR",
        help="folder of the run store [default: the variable NEURALSCOPE_STORE, else runs]",
    )


def _add_json(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--json", action="store_true", help="print the result as one JSON value on the last line"
    )


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP do what Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():  # only it may listen
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            # What is ignored stays so: that is how nohup works.
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# train -------------------------------------------------------------------------------------------


def _train_arguments(parser: argparse.ArgumentParser) -> None:
    from neuralscope.runs import SETTINGS, RunConfig
    from neuralscope.runs.settings import Choice, ChoicePerLayer, Number, Widths

    parser.usage = "%(prog)s [--dataset NAME] [--hidden N [N ...]] [--epochs N] [SETTINGS]"
    parser.description = (
        "Train a network and write its weights. The run is kept in the run store, where the "
        "dashboard shows it while it learns and can pause it, stop it or change its learning rate."
    )
    default = RunConfig()
    group = parser.add_argument_group("settings")
    for field, setting in SETTINGS.items():
        named = isinstance(setting, Choice | ChoicePerLayer)
        settings: dict[str, Any] = {
            "dest": field,
            "metavar": "NAME" if named else "X" if isinstance(setting, Number) else "N",
            "nargs": "+" if isinstance(setting, Widths | ChoicePerLayer) else None,
        }
        text = (
            f"{setting.help} [{setting.allowed}; default: {setting.text(getattr(default, field))}]"
        )
        flag = f"--{field.replace('_', '-')}"
        group.add_argument(flag, **settings, help=text.replace("%", "%%"))
        if "_" in field:
            group.add_argument(f"--{field}", **settings, help=argparse.SUPPRESS)
    group = parser.add_argument_group("the run")
    group.add_argument(
        "--output",
        metavar="FILE",
        default=DEFAULT_OUTPUT,
        help=f"where the weights are written at the end [default: {DEFAULT_OUTPUT}]",
    )
    group.add_argument(
        "--name", default="", help="name of the run [default: made from its settings]"
    )
    _add_store(group)
    _add_json(group)


def _train(options: argparse.Namespace) -> int:
    from neuralscope.data import DATASETS
    from neuralscope.runs import Store, default_path
    from neuralscope.runs.trainer import Trainer

    config = _config_from(options)
    output = None if options.output == os.devnull else Path(options.output)
    if output is not None:
        _check_writable(output)
    line = _StatusLine(sys.stderr)
    try:
        # Before there is a run, so that none is left behind that never lived.
        _load(config.dataset, line)
    except DataUnavailable as error:
        if DATASETS[config.dataset].needs_fetch:
            raise DataUnavailable(
                f"{error} Train on the built-in digits instead with --dataset digits."
            ) from error
        raise

    with Store(options.store or default_path()) as store:
        run_id = store.create(config, _one_line(options.name))
        _announce(line, config, run_id)
        progress = _Progress(line, store, run_id, config)
        try:
            trainer = Trainer(store, run_id, on_record=progress.on_record, on_wait=progress.on_wait)
            with progress:
                run = trainer.run()
            result = _result(store, run)
        except StoreError as error:
            raise _WorkFailed(str(error)) from error
        return _conclude(options, store, run, trainer.network, output, result)


def _config_from(options: argparse.Namespace) -> RunConfig:
    """Return the configuration that the flags describe. Raises ConfigError."""
    from neuralscope.runs import SETTINGS, RunConfig

    given = {}
    for field, setting in SETTINGS.items():
        words = getattr(options, field)
        if words is not None:
            text = words if isinstance(words, str) else " ".join(words)
            given[field] = setting.parse(field, text)
    config = RunConfig(**given)
    for field in given:
        if not config.uses(field):
            _say(f"note: {field} changes nothing with these settings.", options)
    return config


def _check_writable(output: Path) -> None:
    """Find out before hours of training, not after. Raises _Mistake."""
    try:
        if output.exists() and not output.is_file():
            raise _Mistake(f"The output {output} is no file that could be written.")
        if not output.parent.is_dir():
            raise _Mistake(
                f"The output {output} cannot be written: there is no folder {output.parent}."
            )
        # As the weights will be written: under a temporary name, in the same folder.
        tempfile.NamedTemporaryFile(dir=output.parent, prefix=f".{output.name}.").close()
    except OSError as error:
        raise _Mistake(
            f"The output {output} cannot be written: {error.strerror or error}."
        ) from error


def _load(name: str, line: _StatusLine) -> Any:
    """Load a data set, and show its fetch if it takes one."""
    from neuralscope.data import load_dataset

    phase = ""

    def show(progress: FetchProgress) -> None:
        nonlocal phase
        if line.is_live:
            line.show(progress.message)
        elif progress.phase not in (phase, "done", "failed"):
            line.say(progress.message)
        phase = progress.phase

    try:
        return load_dataset(name, on_progress=show)
    finally:
        line.clear()


def _announce(line: _StatusLine, config: RunConfig, run_id: str) -> None:
    from neuralscope.data import DATASETS

    data = DATASETS[config.dataset]
    sizes = "-".join(map(str, config.sizes(data.n_features, data.n_classes)))
    n_parameters = config.n_parameters(data.n_features, data.n_classes)
    line.say(
        f"Training {sizes} ({n_parameters:,} parameters) on {data.title} as run {run_id}; "
        "the dashboard shows it live."
    )


def _result(store: Store, run: Run) -> dict[str, Any]:
    """Return what came of a run, for `--json` and for the weights file."""
    measured = store.epochs(run.run_id)
    return {
        "run_id": run.run_id,
        "name": run.name,
        "status": run.status,
        "message": run.message,
        "dataset": run.config.dataset,
        "data_digest": run.data_digest,
        "epochs": run.epoch,
        "steps": run.step,
        "validation_accuracy": measured.validation_accuracy[-1] if run.epoch else None,
        "best_epoch": run.best_epoch,
        "best_validation_accuracy": run.best_validation_accuracy,
        "test_accuracy": run.test_accuracy,
        "test_loss": run.test_loss,
        "seconds": run.seconds,
        "samples_per_second": run.samples_per_second,
        "config": run.config.as_dict(),
        "store": str(store.path),
    }


def _conclude(
    options: argparse.Namespace,
    store: Store,
    run: Run,
    network: Network | None,
    output: Path | None,
    result: dict[str, Any],
) -> int:
    """Write the weights, say how it went, and return the exit status."""
    from neuralscope import runs

    status = {runs.FINISHED: DONE, runs.STOPPED: DONE, runs.INTERRUPTED: INTERRUPTED}.get(
        run.status, FAILED
    )
    written = None
    if status != FAILED and output is not None and network is not None and run.step:
        try:
            network.save(output, _metadata(run, result))
            written = str(output)
        except WeightsError as error:
            _say(f"{error} Run {run.run_id} in the store {store.path} has them.", options)
            status = FAILED
    if run.status == runs.INTERRUPTED:
        kept = f"its weights are in {written}" if written else "no weights were written"
        _say(f"{run.message} Run {run.run_id} is kept after {_so_far(run)}; {kept}.", options)
    elif run.status not in (runs.FINISHED, runs.STOPPED):
        snapshots = f" Its snapshots are in {store.folder(run.run_id)}." if run.epoch else ""
        _say(f"{run.message} No weights were written.{snapshots}", options)
    if options.json:
        _print_json({**result, "output": written})
    elif run.status in (runs.FINISHED, runs.STOPPED):
        _print_summary(run, result, written)
    return status


def _metadata(run: Run, result: dict[str, Any]) -> dict[str, Any]:
    """Return what a weights file tells about itself."""
    from neuralscope.data import DATASETS

    contents = DATASETS[run.config.dataset].contents
    told = ("run_id", "dataset", "data_digest", "epochs", "config")
    scores = ("validation_accuracy", "test_accuracy", "test_loss")
    about = {
        "image_shape": contents.image_shape,
        "class_names": contents.class_names,
        "pixel_max": contents.pixel_max,
        **{name: result[name] for name in told + scores},
    }
    return {name: _plain(value) for name, value in about.items()}


def _so_far(run: Run) -> str:
    epochs = "1 epoch" if run.epoch == 1 else f"{run.epoch} epochs"
    return epochs if run.epoch or not run.step else f"{run.step} steps of its first epoch"


def _print_summary(run: Run, result: dict[str, Any], written: str | None) -> None:
    pace = f" ({run.samples_per_second:,.0f} examples/s)" if run.samples_per_second else ""
    print(f"{run.status.capitalize()} after {_so_far(run)} in {_duration(run.seconds)}{pace}.")
    if run.epoch:
        best = f"best {_percent(run.best_validation_accuracy)} after epoch {run.best_epoch}"
        print(f"validation accuracy  {_percent(result['validation_accuracy'])} ({best})")
    print(f"test accuracy        {_percent(run.test_accuracy)}")
    print(f"test loss            {_number(run.test_loss)}")
    print(f"run                  {run.run_id}")
    print(f"weights              {written or 'not written'}")


# Progress ----------------------------------------------------------------------------------------


class _StatusLine:
    """The last line of a terminal, drawn over and over; elsewhere only lines that stay.

    Attributes:
        is_live: Whether there is a terminal to draw on.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._drawn = 0  # characters that stand there now
        self._lock = threading.Lock()
        self.is_live = stream is not None and stream.isatty()

    @property
    def width(self) -> int:
        """Characters that fit on it: one less than there are columns, or some terminals wrap."""
        columns = 0
        if self._stream is not None:
            with contextlib.suppress(OSError, ValueError):
                columns = os.get_terminal_size(self._stream.fileno()).columns
        return max(columns or 80, 2) - 1

    def show(self, text: str) -> None:
        """Draw this in place of what stands there; nothing where there is no terminal."""
        if self.is_live:
            text = text[: self.width]
            with self._lock:
                # Overwritten with blanks: any terminal can do that, without escape codes.
                self._write(f"\r{text.ljust(self._drawn)}")
                self._drawn = len(text)

    def clear(self) -> None:
        """Leave an empty line."""
        with self._lock:
            self._write(self._blank())

    def say(self, text: str) -> None:
        """Write a line that stays."""
        with self._lock:
            self._write(f"{self._blank()}{text}\n")

    def _blank(self) -> str:
        n_characters, self._drawn = self._drawn, 0
        return f"\r{' ' * n_characters}\r" if n_characters else ""

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # Nobody reads it any more; that is no reason to end a training.
            self._stream, self.is_live = None, False


class _Progress:
    """Shows how a run gets on: a bar on a terminal, elsewhere a line an epoch, or fewer.

    A thread of its own draws, so that a slow terminal does not slow training, and so that a pause,
    in which nothing is recorded, is shown as well.
    """

    def __init__(self, line: _StatusLine, store: Store, run_id: str, config: RunConfig) -> None:
        from neuralscope.data import DATASETS

        self._line = line
        self._store = store
        self._run_id = run_id
        self._epochs = config.epochs
        self._n_in_all = DATASETS[config.dataset].n_train * config.epochs
        self._state = "starting"  # why nothing is learned now; empty while it is
        self._epoch = 1
        self._n_learned = 0
        self._marks: deque[tuple[float, int]] = deque(maxlen=100)  # (clock, examples learned)
        self._loss = _Smoothed()
        self._last: EpochEnd | None = None
        self._told_epoch = 0
        self._told_at = -math.inf
        self._n_events = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        self._line.clear()
        self._tell_news()
        if not self._line.is_live and self._last and self._last.epoch != self._told_epoch:
            self._tell_epoch(self._last)

    # Called by the trainer, between two steps ----------------------------------------------------

    def on_record(self, record: Record) -> None:
        """Take note of a record."""
        from neuralscope.engine import EpochEnd, StepEnd

        if isinstance(record, StepEnd):
            if not self._marks:
                self._marks.append((time.perf_counter(), self._n_learned))
            self._state = ""
            self._epoch = record.epoch
            self._n_learned += record.n_examples
            self._loss.add(record.loss)
        elif isinstance(record, EpochEnd) and record.epoch:
            self._last = record
            if not self._line.is_live:
                is_due = time.perf_counter() - self._told_at >= LINE_EVERY
                if is_due or record.epoch == self._epochs:
                    self._tell_epoch(record)

    def on_wait(self, place: int) -> None:
        """Take note of the place in the queue; 0 is a pause."""
        state = f"waiting: place {place} in the queue" if place else "paused"
        if state != self._state and not self._line.is_live:
            self._line.say(state)
        self._state = state

    # In the thread -------------------------------------------------------------------------------

    def _watch(self) -> None:
        drawings = 0
        while not self._over.wait(DRAW_EVERY):
            drawings += 1
            if drawings % NEWS_EVERY == 0:
                self._tell_news()
            if self._state:
                self._marks.clear()  # the pace is that of learning
            elif self._marks:
                self._marks.append((time.perf_counter(), self._n_learned))
            self._line.show(self._text())

    def _tell_news(self) -> None:
        """Say what the dashboard has asked for since the last time."""
        from neuralscope.runs import PAUSED

        with contextlib.suppress(StoreError):
            events = self._store.events(self._run_id)
            for event in events[self._n_events :]:
                if event.kind in ("paused", "resumed", "stopped", "learning_rate"):
                    self._line.say(f"epoch {event.epoch + 1}: {event.text} (from the dashboard)")
            self._n_events = len(events)
            if self._store.run(self._run_id).status == PAUSED:
                self._state = "paused"
            elif self._state == "paused":
                self._state = ""

    # Words ---------------------------------------------------------------------------------------

    def _text(self) -> str:
        """Return the line for a terminal, as much of it as fits."""
        facts = [f"epoch {self._epoch}/{self._epochs}"]
        if self._state:
            facts.append(self._state)
        else:
            facts += self._facts(self._last)
        while len(facts) > 1 and len("  ".join(facts)) > self._line.width:
            facts.pop()
        room = self._line.width - len("  ".join(facts)) - len("  []")
        if room >= 8:
            facts.insert(1, f"[{_bar(self._n_learned / self._n_in_all, min(room, 30))}]")
        return "  ".join(facts)

    def _tell_epoch(self, record: EpochEnd) -> None:
        self._told_epoch, self._told_at = record.epoch, time.perf_counter()
        facts = [f"epoch {record.epoch}/{self._epochs}", *self._facts(record)]
        self._line.say("  ".join(facts))

    def _facts(self, measured: EpochEnd | None) -> list[str]:
        facts = []
        if self._loss.value is not None:
            facts.append(f"loss {self._loss.value:.4f}")
        if measured is not None:
            facts.append(f"val. {_percent(measured.validation_accuracy)}")
        pace = self._pace()
        if pace:
            facts.append(f"{pace:.0f}/s" if pace < 1000 else f"{pace / 1000:,.0f}k/s")
            if self._n_learned < self._n_in_all:
                facts.append(f"{_duration((self._n_in_all - self._n_learned) / pace)} left")
        return facts

    def _pace(self) -> float | None:
        """Return the examples learned per second over the last 10 s, measuring included."""
        marks = tuple(self._marks)
        if not marks:
            return None
        began, n_before = marks[0]
        seconds = time.perf_counter() - began
        return (self._n_learned - n_before) / seconds if seconds > 0 else None


class _Smoothed:
    """An average in which what is new counts most: half of it comes from the last 35 values."""

    DECAY = 0.98

    def __init__(self) -> None:
        self._sum = self._weight = 0.0

    def add(self, value: float) -> None:
        """Take in one more value."""
        self._sum = self.DECAY * self._sum + value
        self._weight = self.DECAY * self._weight + 1

    @property
    def value(self) -> float | None:
        """The average, or None while there is nothing to average."""
        return self._sum / self._weight if self._weight else None


def _bar(share: float, width: int) -> str:
    n_full = round(min(max(share, 0.0), 1.0) * width)
    return "#" * n_full + "." * (width - n_full)


# evaluate ----------------------------------------------------------------------------------------


def _evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("weights", metavar="WEIGHTS", help="a weights file (.npz)")
    parser.add_argument(
        "--dataset", metavar="NAME", help="data set [default: the one it was trained on]"
    )
    parser.add_argument(
        "--split",
        choices=("test", "validation", "train"),
        default="test",
        help="which part of the data set [default: test]",
    )
    _add_json(parser)


def _evaluate(options: argparse.Namespace) -> int:
    import numpy as np

    from neuralscope.engine import Network, score
    from neuralscope.runs import examples

    network = Network.load(options.weights)
    name = _dataset_for(options, network)
    dataset = _load(name, _StatusLine(sys.stderr))
    part = examples(dataset, options.split)
    (loss, accuracy), probabilities = score(network, part)
    n_classes = dataset.n_classes
    cells = part.labels * n_classes + probabilities.argmax(axis=1)
    confusion = np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes)
    result = {
        "weights": options.weights,
        "dataset": name,
        "split": options.split,
        "n": len(part),
        f"{options.split}_loss": loss,
        f"{options.split}_accuracy": accuracy,
        "per_class": [
            {
                "class": class_name,
                "n": confusion[k].sum(),
                "right": confusion[k, k],
                "accuracy": confusion[k, k] / confusion[k].sum() if confusion[k].any() else None,
            }
            for k, class_name in enumerate(dataset.class_names)
        ],
        "confused": _most_confused(confusion, dataset.class_names),
        "confusion": confusion,
    }
    if options.json:
        _print_json(result)
    else:
        _print_evaluation(result, loss, accuracy)
    return DONE


def _dataset_for(options: argparse.Namespace, network: Network) -> str:
    """Return the data set to measure on. Raises where there is none, or it does not fit."""
    from neuralscope.data import DATASETS
    from neuralscope.runs import SETTINGS

    name = options.dataset
    if name is None:
        name = network.metadata.get("dataset")
        if not isinstance(name, str) or name not in DATASETS:
            raise _Mistake(
                f"{options.weights} does not name the data set it was trained on; "
                f"name one with --dataset: {', '.join(DATASETS)}."
            )
    name = SETTINGS["dataset"].parse("dataset", name)
    data = DATASETS[name]
    n_inputs, n_outputs = network.sizes[0], network.sizes[-1]
    if n_inputs != data.n_features:
        raise _Mistake(
            f"{options.weights} takes {n_inputs} pixels, but the images of {name} "
            f"have {data.n_features}."
        )
    if n_outputs != data.n_classes:
        raise _Mistake(
            f"{options.weights} tells {n_outputs} classes apart, but {name} has {data.n_classes}."
        )
    return str(name)


def _most_confused(confusion: Any, class_names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the ten most frequent mistakes, most frequent first."""
    pairs = [
        {"true": true, "predicted": predicted, "n": int(confusion[i, j])}
        for i, true in enumerate(class_names)
        for j, predicted in enumerate(class_names)
        if i != j and confusion[i, j]
    ]
    return sorted(pairs, key=itemgetter("n"), reverse=True)[:10]


def _print_evaluation(result: dict[str, Any], loss: float, accuracy: float) -> None:
    print(
        f"{result['weights']} on {result['n']:,} {result['split']} images of {result['dataset']}:"
    )
    print(f"{result['split']} accuracy  {_percent(accuracy)}")
    print(f"{result['split']} loss      {_number(loss)}")
    print()
    rows = [("class", "right", "of", "share")]
    rows += [
        (each["class"], str(each["right"]), str(each["n"]), _percent(each["accuracy"]))
        for each in result["per_class"]
    ]
    _print_table(rows, right=(1, 2, 3))
    if result["confused"]:
        pairs = [f"{p['true']} read as {p['predicted']} ({p['n']})" for p in result["confused"]]
        print()
        print(f"Most often confused: {', '.join(pairs[:5])}.")


# runs --------------------------------------------------------------------------------------------


def _runs_arguments(parser: argparse.ArgumentParser) -> None:
    _add_commands(parser, _RUNS_COMMANDS)


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    _add_store(parser)
    _add_json(parser)


def _show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_id", metavar="RUN_ID", help="a run, or the beginning of its id")
    _add_store(parser)
    _add_json(parser)


def _delete_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run_ids", metavar="RUN_ID", nargs="+", help="a run, or the beginning of its id"
    )
    _add_store(parser)
    parser.add_argument("--yes", action="store_true", help="delete without asking")


@contextlib.contextmanager
def _existing_store(options: argparse.Namespace) -> Iterator[tuple[Store | None, Path]]:
    """Open the store, or give None if there is none: looking must not make one."""
    from neuralscope.runs import Store, default_path
    from neuralscope.runs.database import FILE_NAME

    path = Path(options.store) if options.store else default_path()
    if not path.exists() or (path.is_dir() and not (path / FILE_NAME).exists()):
        yield None, path
    else:
        with Store(path) as store:
            yield store, path


def _list(options: argparse.Namespace) -> int:
    with _existing_store(options) as (store, path):
        runs = store.runs() if store else []
    if options.json:
        _print_json(runs)
    elif not runs:
        print(f"There are no runs in {path} yet. Start one with: python -m neuralscope train")
    else:
        _print_runs(runs)
    return DONE


def _print_runs(runs: Sequence[Run]) -> None:
    rows = [("run", "status", "epoch", "best val.", "test", "age", "name")]
    for run in runs:
        best = _percent(run.best_validation_accuracy).removesuffix(" %")
        rows.append(
            (
                run.run_id,
                run.status,
                f"{run.epoch}/{run.config.epochs}",
                f"{best} @{run.best_epoch}" if run.best_epoch else best,
                _percent(run.test_accuracy).removesuffix(" %"),
                _age(run.created),
                _one_line(run.name),
            )
        )
    # Piped into another program, names stay whole.
    width = shutil.get_terminal_size((10_000, 24)).columns
    _print_table(rows, right=(2, 3, 4, 5), width=width)


def _show(options: argparse.Namespace) -> int:
    from neuralscope.runs import list_snapshots

    with _existing_store(options) as (store, path):
        if store is None:
            raise RunNotFound(f"There is no run {options.run_id!r} in the store {path}.")
        run = _found(store, options.run_id)
        epochs, events = store.epochs(run.run_id), store.events(run.run_id)
        snapshots = list_snapshots(store, run.run_id)
        folder = store.folder(run.run_id)
    table = [dict(zip(epochs._fields, row, strict=True)) for row in zip(*epochs, strict=True)]
    if options.json:
        _print_json(
            {
                **_plain(run),
                "events": [event._asdict() for event in events],
                "epochs": table,
                "snapshots": snapshots,
                "folder": str(folder),
            }
        )
        return DONE
    _print_run(run)
    print(f"snapshots    {len(snapshots)} in {folder}")
    if events:
        print()
        at = [f"{_duration(event.seconds)}, epoch {event.epoch}" for event in events]
        rows = [(when, _one_line(event.text)) for when, event in zip(at, events, strict=True)]
        _print_table([("after", "event"), *rows])
    if table:
        print()
        scores = ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy")
        rows_of_text = [
            (
                str(row["epoch"]),
                *(_number(row[name]) for name in scores[:2]),
                *(_percent(row[name]) for name in scores[2:]),
                _duration(row["seconds"]),
            )
            for row in table[-10:]
        ]
        head = ("epoch", "loss", "val. loss", "accuracy", "val. accuracy", "after")
        _print_table([head, *rows_of_text], right=range(6))
    return DONE


def _print_run(run: Run) -> None:
    from neuralscope.runs import SETTINGS

    facts = {
        "run": run.run_id,
        "name": run.name,
        "status": run.status + (f": {run.message}" if run.message else ""),
        "created": _date(run.created),
        "started": _date(run.started),
        "ended": _date(run.ended),
        "epochs": f"{run.epoch} of {run.config.epochs}, {run.step:,} steps",
        "training": _duration(run.seconds)
        + (f", {run.samples_per_second:,.0f} examples/s" if run.samples_per_second else ""),
        "best": f"{_percent(run.best_validation_accuracy)} validation accuracy"
        + (f" after epoch {run.best_epoch}" if run.best_epoch else ""),
        "test": f"{_percent(run.test_accuracy)} accuracy, {_number(run.test_loss)} loss",
        "data": run.data_digest or "-",
        "versions": ", ".join(f"{name} {version}" for name, version in run.versions.items()),
        "machine": f"{run.machine.get('processor', '-')}, {run.machine.get('cores', '?')} cores",
    }
    _print_facts(facts)
    print()
    used = {name: setting for name, setting in SETTINGS.items() if run.config.uses(name)}
    _print_facts({name: used[name].text(getattr(run.config, name)) for name in used})
    print()


def _delete(options: argparse.Namespace) -> int:
    with _existing_store(options) as (store, path):
        if store is None:
            raise RunNotFound(f"There is no run {options.run_ids[0]!r} in the store {path}.")
        # All of them are looked up before one is touched; named twice, a run is one run still.
        runs = {run.run_id: run for run in (_found(store, given) for given in options.run_ids)}
        for run in runs.values():
            if run.is_active:
                raise StoreError(f"Run {run.run_id} is still {run.status}; stop it first.")
        named = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
        if not options.yes and not _confirmed(f"Delete {named}, with curves and snapshots?"):
            print("Nothing was deleted.")
            return DONE
        for run_id in runs:
            store.delete(run_id)
        print(f"Deleted {named}.")
    return DONE


def _confirmed(question: str) -> bool:
    """Ask a person. Raises _Mistake where there is nobody to ask."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise _Mistake("There is no terminal to ask on; add --yes to delete without being asked.")
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False


def _found(store: Store, given: str) -> Run:
    """Return the one run whose id begins like this. Raises RunNotFound or _Mistake."""
    runs = [run for run in store.runs() if given and run.run_id.startswith(given)]
    if len(runs) > 1 and given not in (run.run_id for run in runs):
        raise _Mistake(f"{len(runs)} runs begin with {given!r}; give more of the id.")
    if not runs:
        raise RunNotFound(f"There is no run {given[:60]!r} in the store {store.path}.")
    return next((run for run in runs if run.run_id == given), runs[0])


# dashboard ---------------------------------------------------------------------------------------


def _dashboard_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port",
        metavar="N",
        help=f"port to serve it on [default: the first free from {FIRST_PORT}]",
    )
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        default=LOCAL_HOST,
        help="address to listen on; 0.0.0.0 lets everybody on the network in "
        "[default: localhost, this computer only]",
    )
    parser.add_argument(
        "--no-browser", action="store_true", help="only serve it, do not open the browser"
    )
    _add_store(parser)


def _dashboard(options: argparse.Namespace) -> int:
    from neuralscope.runs import default_path

    if not (CHECKOUT / "dashboard.py").is_file():
        raise _WorkFailed(
            f"The dashboard is run from a checkout of NeuralScope; {CHECKOUT} has no dashboard.py."
        )
    if find_spec("streamlit") is None:
        raise _WorkFailed(
            "The dashboard needs Streamlit: python -m pip install -r requirements.txt"
        )
    port = _port_for(options)
    store = Path(options.store or default_path()).absolute()
    server = subprocess.Popen(
        _dashboard_command(options.host, port, opens_browser=not options.no_browser),
        cwd=CHECKOUT,  # Streamlit looks for its configuration there
        env={**os.environ, "NEURALSCOPE_STORE": str(store)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # what is worth reading goes to standard error
    )
    try:
        while server.poll() is None and not _answers(options.host, port):
            time.sleep(0.05)
        if server.poll() is None:
            print(f"NeuralScope is at {_url(options.host, port)} (Ctrl-C ends it).", flush=True)
        return FAILED if server.wait() else DONE
    except KeyboardInterrupt:
        return DONE  # the usual way to end it
    finally:
        _end(server)


def _dashboard_command(host: str, port: int, *, opens_browser: bool) -> list[str]:
    has_display = not sys.platform.startswith("linux") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    headless = not opens_browser or not has_display or bool(os.environ.get("CI"))
    flags = {
        "server.port": str(port),
        "server.address": host,
        "server.headless": str(headless).lower(),
        "logger.hideWelcomeMessage": "true",
        "logger.level": "warning",
    }
    if host not in (LOCAL_HOST, "127.0.0.1", "::1"):
        flags["server.allowedHosts"] = "*"  # others call this computer by names we cannot know
    command = [sys.executable, "-m", "streamlit", "run", "dashboard.py"]
    return command + [word for name, value in flags.items() for word in (f"--{name}", value)]


def _port_for(options: argparse.Namespace) -> int:
    """Return the port asked for, or else the first free one. Raises if there is none."""
    from neuralscope.runs.settings import Whole

    if options.port is not None:
        port: int = Whole("Port", "", 1, 65_535).parse("port", options.port)
        if not _is_free(options.host, port):
            raise _Mistake(f"Port {port} is in use; leave --port out to take the next free one.")
        return port
    for port in range(FIRST_PORT, FIRST_PORT + 100):
        if _is_free(options.host, port):
            return port
    raise _WorkFailed(f"The ports {FIRST_PORT} to {FIRST_PORT + 99} are all in use; name another.")


def _is_free(host: str, port: int) -> bool:
    """Return whether a server could listen there. Raises _Mistake if none ever could."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        if os.name != "nt":  # as the server does: a port that was just closed is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise _Mistake(
                f"Nothing can listen on {host}, port {port}: {error.strerror or error}."
            ) from error
    return True


def _answers(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1.0):
        return True
    return False


def _url(host: str, port: int) -> str:
    if host in ("0.0.0.0", "::"):
        return f"http://localhost:{port}, for others http://{socket.gethostname()}:{port}"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server, if it still lives; runs that it has started save their state and end too."""
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(5.0)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            server.kill()
            server.wait()


# Printing ----------------------------------------------------------------------------------------


def _print_json(value: Any) -> None:
    print(json.dumps(_plain(value), allow_nan=False))


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it: a number that is not finite becomes null."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    elif hasattr(value, "tolist"):  # NumPy's arrays and numbers
        value = value.tolist()
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _print_facts(facts: dict[str, str]) -> None:
    width = max(map(len, facts)) + 2
    for name, value in facts.items():
        print(f"{name:<{max(width, 13)}}{_one_line(value)}")


def _print_table(
    rows: Iterable[tuple[str, ...]], *, right: Iterable[int] = (), width: int = 10_000
) -> None:
    """Print rows with columns lined up; those in `right` at the right. The last gives way."""
    table, to_right = list(rows), set(right)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    before_last = sum(widths[:-1]) + 2 * len(widths[:-1])
    widths[-1] = min(widths[-1], max(width - before_last, 8))
    for row in table:
        cells = []
        for i, (cell, columns) in enumerate(zip(row, widths, strict=True)):
            if len(cell) > columns:
                cell = cell[: columns - 3] + "..."
            cells.append(cell.rjust(columns) if i in to_right else cell.ljust(columns))
        print("  ".join(cells).rstrip())


def _one_line(text: str) -> str:
    """Return text in one line, without anything that would steer the terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _duration(seconds: float) -> str:
    """Return a time span for people.

    >>> _duration(7.25), _duration(83), _duration(3 * 3600 + 62)
    ('7.2 s', '1:23 min', '3:01 h')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d} min"
    return f"{minutes // 60}:{minutes % 60:02d} h"


def _age(moment: float) -> str:
    """Return how long ago a moment was, as short as can be."""
    seconds = max(time.time() - moment, 0)
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _date(moment: float | None) -> str:
    return "-" if moment is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))


_RUNS_COMMANDS = {
    "list": _Command("list all runs, newest first", _list_arguments, _list),
    "show": _Command("show all that is known of a run", _show_arguments, _show),
    "delete": _Command("delete runs with their snapshots", _delete_arguments, _delete),
}
_COMMANDS = {
    "train": _Command("train a network and write its weights", _train_arguments, _train),
    "evaluate": _Command("measure a weights file on a data set", _evaluate_arguments, _evaluate),
    "runs": _Command("list, show or delete runs", _runs_arguments),
    "dashboard": _Command("open the dashboard in the browser", _dashboard_arguments, _dashboard),
}
