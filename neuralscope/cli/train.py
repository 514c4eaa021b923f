"""`train`: a network from its settings to its weights."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from neuralscope.cli.datasets import add_reading, load, resolved
from neuralscope.cli.outcome import conclude, result_of
from neuralscope.cli.outputs import add_output, check_replaceable, output_of
from neuralscope.cli.parser import Command, add_json, add_store
from neuralscope.cli.progress import train_in_sight
from neuralscope.cli.settings import add_settings, config_from
from neuralscope.cli.status import WorkFailed
from neuralscope.cli.status_line import StatusLine
from neuralscope.cli.words import one_line
from neuralscope.errors import DataUnavailable, StoreError

if TYPE_CHECKING:
    from neuralscope.runs import RunConfig


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s [--dataset NAME|FILE] [--hidden N [N ...]] [--epochs N] [SETTINGS]"
    parser.description = (
        "Train a network and write its weights. The run is kept in the run store, where the "
        "dashboard shows it while it learns and can pause it, stop it or change its learning rate."
    )
    add_settings(parser)
    add_reading(parser)
    group = parser.add_argument_group("the run")
    add_output(group)
    group.add_argument(
        "--name", default="", help="name of the run [default: made from its settings]"
    )
    add_store(group)
    add_json(group)


def _run(options: argparse.Namespace) -> int:
    from neuralscope.data import is_own_name
    from neuralscope.data.missing import stand_in
    from neuralscope.runs import Store, default_path

    line = StatusLine(sys.stderr)
    options.dataset = resolved(options, line)
    config = config_from(options)
    output = output_of(options)
    if output is not None:
        check_replaceable(output, options, takes_any_run=True)
    try:
        # Before there is a run, so that none is left behind that never lived.
        dataset = load(config.dataset, line)
    except DataUnavailable as error:
        if not is_own_name(config.dataset):
            raise DataUnavailable(
                f"{error} Meanwhile, --dataset {stand_in(config.dataset)} needs no network."
            ) from error
        raise

    with Store(options.store or default_path()) as store:
        run_id = store.create(config, one_line(options.name))
        _announce(line, config, run_id)
        try:
            run, network = train_in_sight(line, store, run_id, dataset)
            result = result_of(store, run)
        except StoreError as error:
            raise WorkFailed(str(error)) from error
        return conclude(options, store, run, network, output, result, takes_any_run=True)


def _announce(line: StatusLine, config: RunConfig, run_id: str) -> None:
    from neuralscope.data import dataset_info

    data = dataset_info(config.dataset)
    sizes = "-".join(map(str, config.sizes(data.n_features, data.n_classes)))
    n_parameters = config.n_parameters(data.n_features, data.n_classes)
    line.say(
        f"Training {sizes} ({n_parameters:,} parameters) on {data.title} as run {run_id}; "
        "the dashboard shows it live."
    )


COMMAND = Command("train a network and write its weights", _add_arguments, _run)
