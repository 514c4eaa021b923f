from __future__ import annotations

from pathlib import Path

import pytest
from sklearn.datasets import get_data_home

from neuralscope.data import data_home


@pytest.fixture
def user_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("SCIKIT_LEARN_DATA")
    return tmp_path


@pytest.mark.parametrize("given", [None, "~/mine", "mine"])
@pytest.mark.parametrize("variable", [None, "~/theirs"])
def test_it_is_the_folder_that_scikit_learn_uses(
    given: str | None,
    variable: str | None,
    user_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(user_home)  # scikit-learn creates the folder
    if variable is not None:
        monkeypatch.setenv("SCIKIT_LEARN_DATA", variable)
    assert str(data_home(given)) == get_data_home(given)


def test_a_path_is_taken_as_given(tmp_path: Path) -> None:
    assert data_home(tmp_path) == tmp_path


def test_an_empty_variable_counts_as_unset(
    user_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCIKIT_LEARN_DATA", "")
    assert data_home() == user_home / "scikit_learn_data"


def test_asking_creates_nothing(tmp_path: Path) -> None:
    assert not data_home(tmp_path / "new").exists()
