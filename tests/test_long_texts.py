"""No message is longer than a person reads, whatever is quoted in it.

A text of 100,000 characters is put wherever a text comes from outside: into every argument of the
command line, every setting, and the names and fields of files. (Addresses of pages are at
`tests/pages/test_extremes.py`.)
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralscope import exports
from neuralscope.cli import dashboard, main, program, runs
from neuralscope.data import add_dataset, dataset_info, load_dataset
from neuralscope.engine import Network
from neuralscope.errors import NeuralScopeError
from neuralscope.runs import SETTINGS, RunConfig, Store

LONG = "x" * 100_000
LONGEST = 900


# The command line


class Started(Exception):
    """A command has got further than its arguments."""


def arguments() -> Iterator[tuple[str, ...]]:
    """Yield command lines with one long argument each: all flags and positions there are."""
    for names, command in [
        *(((name,), each) for name, each in program.COMMANDS.items()),
        *((("runs", name), each) for name, each in runs.COMMANDS.items()),
    ]:
        parser = argparse.ArgumentParser(add_help=False)
        command.add_arguments(parser)
        positions = [each for each in parser._actions if not each.option_strings]
        needed = [LONG for each in positions if each.nargs not in ("?", "*")]
        yield (*names, *needed)
        for action in parser._actions:
            if action.option_strings and action.nargs != 0:
                yield (*names, *needed, action.option_strings[0], LONG)
    yield (LONG,)
    yield ("train", f"--{LONG}")


LINES = {" ".join(line).replace(LONG, "LONG"): line for line in arguments()}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_long_argument_is_answered_in_short(
    line: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def start(*_: object, **__: object) -> Any:
        raise Started

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(dashboard.subprocess, "Popen", start)
    monkeypatch.setattr("neuralscope.data.load_dataset", start)
    monkeypatch.setattr("neuralscope.data.start_fetch", start)
    try:
        main(list(line))
    except Started:
        return
    said = capsys.readouterr()
    for text in (said.err + said.out).splitlines():
        assert len(text) < LONGEST, text[:1_000]


# Settings


HUGE: dict[str, Any] = {
    "a text": LONG,
    "a list of a long text": [LONG],
    "a long list": ["x"] * 100_000,
    "a long number": 10**5_000,
    "a long list of numbers": [1] * 100_000,
}


@pytest.mark.parametrize("value", HUGE.values(), ids=HUGE)
@pytest.mark.parametrize("name", SETTINGS)
def test_a_long_setting_is_refused_in_short(name: str, value: Any) -> None:
    with pytest.raises(NeuralScopeError) as refusal:
        RunConfig(**{name: value})
    assert len(str(refusal.value)) < LONGEST


@pytest.mark.parametrize("name", SETTINGS)
def test_a_long_setting_in_an_address_is_refused_in_short(name: str) -> None:
    _, problems = RunConfig.from_query({name: LONG})
    assert problems
    assert all(len(str(problem)) < LONGEST for problem in problems)


# The store


def test_what_is_written_about_a_run_is_refused_in_short(tmp_path: Path) -> None:
    with Store(tmp_path / "runs") as store:
        run_id = store.create(RunConfig(dataset="digits"))
        for write in (
            lambda: store.run(LONG),
            lambda: store.create(RunConfig(), LONG),
            lambda: store.rename(run_id, LONG),
            lambda: store.set_tags(run_id, [LONG]),
            lambda: store.set_tags(run_id, ["x"] * 100_000),
            lambda: store.set_notes(run_id, LONG),
            lambda: store.send(run_id, LONG),
            lambda: store.send(LONG, "stop"),
            lambda: store.trash([LONG]),
            lambda: exports.write(store, run_id, LONG, tmp_path / "x"),
            lambda: exports.write(store, run_id, "csv", tmp_path / LONG),
            lambda: Store(tmp_path / LONG),
        ):
            try:
                write()
            except NeuralScopeError as error:
                assert len(str(error)) < LONGEST


# Files


def weights(**metadata: Any) -> bytes:
    file = io.BytesIO()
    layer = {"weight_0": np.zeros((4, 2), "f4"), "bias_0": np.zeros(2, "f4")}
    np.savez(file, **layer, metadata=np.array(json.dumps(metadata)))
    return file.getvalue()


@pytest.mark.parametrize("value", HUGE.values(), ids=HUGE)
def test_a_long_field_of_a_weights_file_is_refused_in_short(value: Any, tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    for field in ("activation", "dtype", "image_shape", "class_names", "dataset", "recipe"):
        path.write_bytes(weights(**{field: value if value is not HUGE["a long number"] else 1}))
        with Store(tmp_path / "runs") as store:
            for read in (Network.load, lambda path: exports.import_file(store, path)):
                try:
                    read(path)
                except NeuralScopeError as error:
                    assert len(str(error)) < LONGEST, str(error)[:1_000]


TABLES = {
    "a heading": f"label,{LONG},b\n" + "1,2,3\n" * 20,
    "a label": "label,a,b\n" + f"{LONG},2,3\n" * 20,
    "many labels": "label,a,b\n" + "".join(f"{n:050d},2,3\n" for n in range(1_000)),
    "a pixel": "label,a,b\n" + "1,2,3\n" * 20 + f"1,{LONG},3\n",
    "a line": LONG,
    "many columns": ",".join(["1"] * 100_000) + "\n",
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("name", ["mine.csv", f"{LONG}.csv"], ids=["mine.csv", "LONG.csv"])
def test_a_long_text_in_a_table_of_pictures_is_refused_in_short(table: str, name: str) -> None:
    with pytest.raises(NeuralScopeError) as refusal:
        add_dataset({name: TABLES[table].encode()}, "mine")
    assert len(str(refusal.value)) < LONGEST


def test_a_data_set_of_a_long_name_is_refused_in_short() -> None:
    for look in (dataset_info, load_dataset):
        for name in (LONG, f"own-{LONG}-12345678"):
            with pytest.raises(NeuralScopeError) as refusal:
                look(name)
            assert len(str(refusal.value)) < LONGEST
