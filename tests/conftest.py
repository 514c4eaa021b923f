"""What every test gets: an empty run store and a data home of the session's own.

And how the tests are shared out where several cores are at work.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from neuralscope.runs.machine import usable_cores


class FileByFile(LoadScopeScheduling):
    """A file of tests is done by one core; those with a browser are all done by the same one.

    Two browsers at a time, each with its server and trainers, would be slower than one after the
    other, and what is made once for the tests of a file is made only once.
    """

    def _split_scope(self, nodeid: str) -> str:
        """Return what a test is kept together with."""
        path = nodeid.partition("::")[0]
        return BROWSER_TESTS if path.startswith(BROWSER_TESTS) else path


BROWSER_TESTS = "tests/browser/"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than there are cores: who does the browser tests waits half of the time."""
    return usable_cores() + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    config.option.loadscopereorder = False  # the files with the most tests are not the longest
    return FileByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests in the browser: they take longer than all that the others do beside."""
    items.sort(key=lambda item: not item.nodeid.startswith(BROWSER_TESTS))


@pytest.fixture(scope="session", autouse=True)
def session_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests away from the user's runs and data.

    The data home is shared, so that what is cached in it is made once; the store set here is for
    fixtures that outlive a test.
    """
    home = tmp_path_factory.mktemp("session")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SCIKIT_LEARN_DATA", str(home / "data"))
        environment.setenv("NEURALSCOPE_STORE", str(home / "runs"))
        yield


@pytest.fixture(autouse=True)
def run_store(session_environment: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a run store of its own, which does not exist yet."""
    store = tmp_path / "runs"
    monkeypatch.setenv("NEURALSCOPE_STORE", str(store))
    return store


@pytest.fixture(scope="session")
def mnist_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a writable scikit-learn data home that holds the real MNIST.

    It is a copy, because scikit-learn deletes a cached file that it cannot parse.
    """
    source = os.environ.get("NEURALSCOPE_TEST_MNIST")
    if not source:
        pytest.skip("NEURALSCOPE_TEST_MNIST does not name a scikit-learn data home with MNIST")
    home = tmp_path_factory.mktemp("mnist") / "data"
    shutil.copytree(source, home)
    for path in (home, *home.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)
    return home
