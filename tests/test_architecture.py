"""The architecture, as a table that fails when the code no longer follows it.

Imports go one way, from the screen down to the engine, and each foreign package stays behind its
fence. The imports are read with `ast`, wherever they stand: a function or an
`if TYPE_CHECKING` hides none.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[1]

# What each room may import of ours, besides itself.
MAY_IMPORT = {
    "errors": set(),
    "confined": {"errors"},
    "files": {"errors"},
    "version": set(),
    "words": set(),
    "engine": {"errors", "files"},
    "data": {"confined", "errors", "files"},
    "analysis": {"engine", "data", "errors", "words"},
    "runs": {"engine", "data", "errors", "files", "version"},
    "estimator": {"engine", "data", "errors"},
    "charts": {"words"},
    "exports": {
        "runs",
        "analysis",
        "charts",
        "confined",
        "data",
        "engine",
        "errors",
        "files",
        "version",
        "words",
    },
    "cli": {"exports", "runs", "analysis", "data", "engine", "errors", "files", "version", "words"},
    "ui": {"exports", "runs", "analysis", "charts", "data", "engine", "errors", "words"},
    "pages": {"ui", "analysis", "charts", "runs", "data", "errors", "words"},
    "dashboard": {"ui"},
    # neuralscope/__init__.py, the front door: everyone's except our own.
    "facade": {"runs", "data", "engine", "errors", "version"},
}

# Where each foreign package is allowed. One that is not named here is allowed nowhere.
EVERYWHERE = set(MAY_IMPORT)
FENCES = {
    "numpy": EVERYWHERE,
    "streamlit": {"ui", "pages", "dashboard"},
    "starlette": {"ui"},
    "altair": {"charts"},
    "pandas": {"charts", "ui", "pages", "analysis"},
    "sklearn": {"data", "estimator"},
    "scipy": {"data"},
    "PIL": {"data", "charts", "ui"},
    "onnx": {"exports"},
    "threadpoolctl": {"runs"},
}

# Loading these runs code that a file brings along.
UNPICKLERS = {"dill", "marshal", "pickle", "shelve"}

# The engine computes: it knows no files, threads, processes, clock or screen.
ENGINE_STANDARD_LIBRARY = {
    "__future__",
    "abc",
    "collections",
    "contextlib",
    "copy",
    "dataclasses",
    "enum",
    "functools",
    "itertools",
    "json",
    "math",
    "numbers",
    "operator",
    "types",
    "typing",
    "warnings",
}
# The one place where the engine touches a file, by way of `files`.
WEIGHTS_FILE = PurePosixPath("neuralscope/engine/weights.py")

# Names that say where code was put, not what it does.
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "manager"}


@dataclass(frozen=True)
class Import:
    """One imported module: at which line, and whether importing the file runs it."""

    module: str
    line: int
    eager: bool


def imports(tree: ast.Module) -> Iterator[Import]:
    """Yield every import below `tree`."""
    pending: list[tuple[ast.AST, bool]] = [(tree, True)]
    while pending:
        node, eager = pending.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, eager)
        elif isinstance(node, ast.ImportFrom):
            yield from (
                Import(module, node.lineno, eager) for module in modules_imported_from(node)
            )
        elif isinstance(node, ast.Call) and called_name(node) in {"import_module", "__import__"}:
            if node.args and isinstance(node.args[0], ast.Constant):
                yield Import(str(node.args[0].value), node.lineno, eager)

        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            pending += [(child, False) for child in node.body]
            pending += [(child, eager) for child in node.orelse]
        else:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                eager = False
            pending += [(child, eager) for child in ast.iter_child_nodes(node)]


def modules_imported_from(node: ast.ImportFrom) -> list[str]:
    """Return the modules of a `from ... import ...`; a relative one starts with a dot."""
    if node.level:
        return ["." * node.level + (node.module or "")]
    if node.module == "neuralscope":
        # `from neuralscope import x` means a room, or a name of the front door.
        return [
            f"neuralscope.{alias.name}" if alias.name in MAY_IMPORT else "neuralscope"
            for alias in node.names
        ]
    return [node.module or ""]


def called_name(node: ast.Call) -> str:
    """Return the last part of what is called: `load` for `np.load(...)`."""
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def room_of(module: str) -> str | None:
    """Return the room of one of our modules, or None for a foreign one."""
    package, *inside = module.split(".")
    if package in {"pages", "dashboard"}:
        return package
    if package != "neuralscope":
        return None
    if not inside:
        return "facade"
    return "cli" if inside[0] == "__main__" else inside[0]


def complaints(path: str, source: str) -> list[str]:
    """Return how the source at `path` (from the root) breaks the architecture, a line each."""
    place = PurePosixPath(path)
    room = room_of(".".join(place.with_suffix("").parts).removesuffix(".__init__"))
    if room not in MAY_IMPORT:
        return [f"{path}: no room of the architecture is called {room}"]
    tree = ast.parse(source)
    found = [
        (imported.line, complaint)
        for imported in imports(tree)
        for complaint in complaints_about_import(place, room, imported)
    ]
    found += [
        (node.lineno, complaint)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for complaint in complaints_about_call(room, node)
    ]
    return [f"{path}:{line}: {complaint}" for line, complaint in sorted(found)]


def complaints_about_import(place: PurePosixPath, room: str, imported: Import) -> Iterator[str]:
    module = imported.module
    package = module.partition(".")[0]
    if module.startswith("."):
        yield f"relative import {module}: write it absolute"
    elif (target := room_of(module)) is not None:
        own = target == room and room not in {"pages", "facade"}
        if not own and target not in MAY_IMPORT[room]:
            yield f"{room} may not import {target} ({module})"
        elif (room, target) == ("engine", "files") and place != WEIGHTS_FILE:
            yield "the engine only computes: no files"
        elif room == "facade" and imported.eager:
            yield f"the front door imports {module} when it is first asked for, not at once"
    elif package in UNPICKLERS:
        yield f"{package} runs what a file says: use .npz or JSON"
    elif package in sys.stdlib_module_names:
        if room == "engine" and package not in ENGINE_STANDARD_LIBRARY:
            yield f"the engine only computes: no {package}"
    elif room not in FENCES.get(package, set()):
        yield f"{package} is fenced off from {room}"
    elif package in {"sklearn", "scipy"} and room == "data" and imported.eager:
        yield f"{package} takes a second to import: do it in the function that needs it"


def complaints_about_call(room: str, call: ast.Call) -> Iterator[str]:
    if isinstance(call.func, ast.Name):
        if call.func.id == "print" and room != "cli":
            yield "print belongs to the command line"
        if call.func.id == "open" and room == "engine":
            yield "the engine only computes: no open"
    for keyword in call.keywords:
        if keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False":
            yield "allow_pickle runs what a file says"


def python_files(*places: str) -> list[str]:
    """Return the Python files at and below `places`, as paths from the root."""
    files = [
        file
        for place in places
        for file in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))
    ]
    return sorted(file.relative_to(ROOT).as_posix() for file in files)


def tracked_files() -> list[str]:
    """Return what the project consists of, which git knows."""
    try:
        listing = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"this is no git checkout ({error})")
    # A file that is deleted but not yet committed is still listed.
    return [path for path in listing.stdout.split("\0") if path and (ROOT / path).is_file()]


# The code


@pytest.mark.parametrize("path", python_files("neuralscope", "pages", "dashboard.py"))
def test_every_file_follows_the_architecture(path: str) -> None:
    assert complaints(path, (ROOT / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", python_files("tests", "benchmarks"))
def test_imports_outside_of_the_package_are_absolute(path: str) -> None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert [found for found in imports(tree) if found.module.startswith(".")] == []


def test_modules_are_named_for_what_they_hold() -> None:
    files = python_files("neuralscope", "pages", "tests", "benchmarks")
    assert [path for path in files if is_empty_name(path)] == []


def is_empty_name(path: str) -> bool:
    parts = PurePosixPath(path).with_suffix("").parts
    return any(EMPTY_NAMES & set(part.split("_")) for part in parts)


def test_the_trainer_starts_with_next_to_nothing_but_numpy() -> None:
    # It has half a second from the click to the first step.
    program = "import sys, neuralscope.runs.trainer; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    packages = {module.partition(".")[0] for module in loaded.stdout.split()}
    assert packages & (set(FENCES) - {"numpy", "threadpoolctl"}) == set()


# The text around it


def test_the_project_does_not_lean_on_what_lies_beside_it() -> None:
    outside = "../" + "shared"
    leaning = [
        path
        for path in tracked_files()
        if outside in (ROOT / path).read_text(encoding="utf-8", errors="ignore")
    ]
    assert set(leaning) <= {".ci/run"}


def paths_in_tree(markdown: str) -> list[str]:
    """Return the paths that a README's file tree names.

    The tree is the first code block with a line that begins with `neuralscope/`. A line names
    one or more entries and may then describe them; what is indented below a folder lies in it.
    """
    for block in re.findall(r"^```\w*\n(.*?)^```", markdown, re.MULTILINE | re.DOTALL):
        # Drawn branches are indentation too.
        lines = [re.sub("[│├└─]", " ", line) for line in block.splitlines()]
        if any(line.startswith("neuralscope/") for line in lines):
            break
    else:
        return []

    paths = []
    folders: list[tuple[int, str]] = []
    for line in lines:
        indent = len(line) - len(line.lstrip())
        while folders and folders[-1][0] >= indent:
            folders.pop()
        parent = folders[-1][1] if folders else ""
        for word in re.split(r",?\s+", line.strip()):
            # The first word that cannot be a path begins the description.
            if not re.fullmatch(r"Makefile|LICENSE|(?=.*[./])\.?[\w-]+(\.\w+)*(/[\w.-]+)*/?", word):
                break
            paths.append(parent + word)
            if word.endswith("/"):
                folders.append((indent, parent + word))
    return paths


def test_the_readme_tree_is_true() -> None:
    named = paths_in_tree((ROOT / "README.md").read_text(encoding="utf-8"))
    assert named, "README.md shows no file tree"
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_readme_tree_names_every_room_and_everything_at_the_top() -> None:
    named = [
        PurePosixPath(path).parts
        for path in paths_in_tree((ROOT / "README.md").read_text(encoding="utf-8"))
    ]
    shown = {parts[:1] for parts in named} | {parts[:2] for parts in named}
    there = set()
    for path in tracked_files():
        parts = PurePosixPath(path).parts
        there.add(parts[:1])
        if parts[0] == "neuralscope" and parts[1] != "__init__.py":
            there.add(parts[:2])
    assert sorted("/".join(parts) for parts in there - shown) == []


# The checks themselves: each must find what it is there to find


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("neuralscope/engine/loss.py", "import neuralscope.data", "may not import data"),
        ("neuralscope/engine/loss.py", "from neuralscope import runs", "may not import runs"),
        ("neuralscope/data/mnist.py", "from neuralscope.engine import x", "may not import engine"),
        ("neuralscope/runs/store.py", "import neuralscope.analysis.x", "may not import analysis"),
        ("neuralscope/charts/curves.py", "import neuralscope.errors", "may not import errors"),
        ("neuralscope/estimator.py", "import neuralscope.runs", "may not import runs"),
        ("neuralscope/exports/report.py", "import neuralscope.ui", "may not import ui"),
        ("neuralscope/runs/store.py", "import neuralscope.exports", "may not import exports"),
        ("neuralscope/cli/export.py", "import onnx", "onnx is fenced off"),
        ("neuralscope/cli.py", "import neuralscope.ui", "may not import ui"),
        ("neuralscope/ui/form.py", "import pages.train", "may not import pages"),
        ("pages/train.py", "import neuralscope.engine", "may not import engine"),
        ("pages/train.py", "import pages.runs", "may not import pages"),
        ("dashboard.py", "import neuralscope.runs", "may not import runs"),
        ("neuralscope/runs/trainer.py", "from neuralscope import train", "may not import facade"),
        ("neuralscope/__init__.py", "import neuralscope.runs", "not at once"),
        ("neuralscope/__init__.py", "import neuralscope.ui", "may not import ui"),
        ("neuralscope/settings.py", "", "no room of the architecture is called settings"),
        ("neuralscope/engine/loss.py", "from . import layers", "relative import"),
        # Nowhere to hide.
        ("neuralscope/engine/loss.py", "def f():\n import neuralscope.ui", "may not import ui"),
        ("neuralscope/engine/loss.py", "try:\n import neuralscope.ui\nfinally: 0", "import ui"),
        (
            "neuralscope/engine/loss.py",
            "if TYPE_CHECKING:\n from neuralscope.runs.store import Store",
            "may not import runs",
        ),
        (
            "neuralscope/engine/loss.py",
            "import importlib\nimportlib.import_module('neuralscope.ui')",
            "may not import ui",
        ),
        # Foreign packages.
        ("neuralscope/runs/store.py", "import streamlit as st", "streamlit is fenced off"),
        ("neuralscope/ui/live.py", "import altair", "altair is fenced off"),
        ("neuralscope/runs/store.py", "from pandas import DataFrame", "pandas is fenced off"),
        ("neuralscope/analysis/history.py", "import sklearn.metrics", "sklearn is fenced off"),
        ("neuralscope/data/mnist.py", "import sklearn", "takes a second"),
        ("neuralscope/data/mnist.py", "class A:\n import sklearn.datasets", "takes a second"),
        ("neuralscope/data/pieces.py", "from scipy import ndimage", "takes a second"),
        ("neuralscope/engine/loss.py", "import scipy.special", "scipy is fenced off"),
        ("neuralscope/engine/loss.py", "import torch", "torch is fenced off"),
        ("neuralscope/estimator.py", "import jax.numpy", "jax is fenced off"),
        # The engine and the outside world.
        ("neuralscope/engine/loss.py", "import threading", "no threading"),
        ("neuralscope/engine/loss.py", "import time", "no time"),
        ("neuralscope/engine/loss.py", "from os.path import join", "no os"),
        ("neuralscope/engine/loss.py", "open('x')", "no open"),
        ("neuralscope/engine/weights.py", "import os", "no os"),
        ("neuralscope/engine/loss.py", "from neuralscope.files import replacing", "no files"),
        # Calls.
        ("neuralscope/runs/trainer.py", "def f():\n print('here')", "print belongs"),
        ("neuralscope/data/own.py", "import pickle", "runs what a file says"),
        ("neuralscope/data/own.py", "np.load(f, allow_pickle=True)", "runs what a file says"),
    ],
)
def test_a_breach_is_found(path: str, source: str, complaint: str) -> None:
    assert complaint in " ".join(complaints(path, source))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "neuralscope/engine/loss.py",
            "import math\nimport numpy as np\nimport neuralscope.errors",
        ),
        ("neuralscope/engine/network.py", "from neuralscope.engine.layers import Dense"),
        ("neuralscope/engine/weights.py", "import json\nfrom neuralscope.files import replacing"),
        ("neuralscope/data/mnist.py", "def fetch():\n from sklearn.datasets import fetch_openml"),
        ("neuralscope/data/own.py", "np.load(f, allow_pickle=False)"),
        ("neuralscope/estimator.py", "from sklearn.base import BaseEstimator"),
        ("neuralscope/__init__.py", "def __getattr__(name):\n import neuralscope.engine"),
        ("neuralscope/__init__.py", "if TYPE_CHECKING:\n from neuralscope.runs import RunConfig"),
        ("neuralscope/__main__.py", "from neuralscope.cli import main"),
        ("neuralscope/cli.py", "from neuralscope import analysis, runs\nprint('done')"),
        ("pages/train.py", "import streamlit as st\nfrom neuralscope.ui import form"),
        ("dashboard.py", "import streamlit as st\nimport neuralscope.ui"),
    ],
)
def test_what_is_allowed_passes(path: str, source: str) -> None:
    assert complaints(path, source) == []


def test_an_empty_name_is_found() -> None:
    assert is_empty_name("neuralscope/runs/run_manager.py")
    assert is_empty_name("neuralscope/utils/arrays.py")
    assert not is_empty_name("neuralscope/analysis/confusion.py")


def test_a_tree_is_read_line_by_line() -> None:
    markdown = """
```
make run
```
```text
dashboard.py        entry of the app, see pages/
neuralscope/
  errors.py         the tree of them
  engine/           NumPy only
    layers.py       one layer
  cli.py, __main__.py
tests/              mirrors neuralscope/
├── conftest.py     what every test gets
requirements.txt  Makefile  LICENSE  .ci/run  .gitignore
```
"""
    assert paths_in_tree(markdown) == [
        "dashboard.py",
        "neuralscope/",
        "neuralscope/errors.py",
        "neuralscope/engine/",
        "neuralscope/engine/layers.py",
        "neuralscope/cli.py",
        "neuralscope/__main__.py",
        "tests/",
        "tests/conftest.py",
        "requirements.txt",
        "Makefile",
        "LICENSE",
        ".ci/run",
        ".gitignore",
    ]
