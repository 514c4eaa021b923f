"""The engine is a textbook: its front page lists the chapters, and none looks ahead."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from neuralscope import engine

HERE = Path(engine.__file__).parent
CHAPTERS = re.findall(r"^    (\w+)  ", engine.__doc__ or "", re.MULTILINE)


def test_every_chapter_is_listed() -> None:
    assert set(CHAPTERS) == {path.stem for path in HERE.glob("*.py")} - {"__init__"}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_uses_only_those_before_it(chapter: str) -> None:
    tree = ast.parse((HERE / f"{chapter}.py").read_text(encoding="utf-8"))
    used = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "neuralscope.engine":
                used |= {alias.name for alias in node.names}
            elif node.module.startswith("neuralscope.engine."):
                used.add(node.module.rpartition(".")[2])
    assert used <= set(CHAPTERS[: CHAPTERS.index(chapter)])


def test_the_public_names_are_there() -> None:
    assert all(hasattr(engine, name) for name in engine.__all__)
    assert engine.__all__ == sorted(engine.__all__, key=lambda name: (not name.isupper(), name))
