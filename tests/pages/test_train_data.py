"""The Train page while MNIST is fetched, cannot be had, or has come."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from neuralscope.data import FetchProgress, start_fetch
from neuralscope.ui import data_notice, resources

if TYPE_CHECKING:
    from tests.pages.conftest import Page

Open = Callable[..., "Page"]

DEADLINE = 60.0
"""Seconds after which a test gives up waiting; it says nothing about how long anything takes."""

FALLBACK = "Using the built-in 8×8 digits instead."


class Download:
    """A download that comes as far as the test says."""

    def __init__(self) -> None:
        self.n_started = 0
        self.go("connecting", "Asking OpenML for MNIST.")

    def start(self, name: str) -> Download:
        assert name == "mnist"
        self.n_started += 1
        return self

    def go(self, phase: str, message: str, received: int = 0, expected: int | None = None) -> None:
        self._progress = FetchProgress(phase, received, 3.0, message, expected)  # type: ignore[arg-type]

    def fail(self) -> None:
        self.go("failed", "MNIST is not available: OpenML did not answer within 25 s.")

    def progress(self) -> FetchProgress:
        return self._progress


@pytest.fixture
def download(monkeypatch: pytest.MonkeyPatch) -> Download:
    download = Download()
    monkeypatch.setattr(resources, "start_fetch", download.start)
    return download


def open_mnist(open_page: Open, **query: str) -> Page:
    return open_page(dataset="mnist", **query)


def test_on_the_first_start_mnist_is_fetched_by_itself(open_page: Open, download: Download) -> None:
    page = open_mnist(open_page)
    assert page.says("**Getting MNIST ready.** Asking OpenML for MNIST.")
    assert page.control("Start training").disabled
    assert page.metric("Parameters") == "101,770", "what would be trained can be seen meanwhile"
    page.look()
    assert download.n_started == 1


def test_the_download_shows_how_far_it_is(open_page: Open, download: Download) -> None:
    page = open_mnist(open_page)
    download.go("downloading", "Downloading MNIST: 3.7 of 14.8 MB.", 3_700_000, 14_800_000)
    page.look()
    [progress] = page.app.get("progress")
    assert progress.proto.value == 25
    assert "3.7 MB" in progress.proto.text
    assert page.says("Downloading MNIST: 3.7 of 14.8 MB.")


@pytest.mark.parametrize("expected", [None, 0, 1])
def test_a_download_of_unknown_or_wrong_length_is_shown_too(
    open_page: Open, download: Download, expected: int | None
) -> None:
    download.go("downloading", "Downloading MNIST: 3.7 MB so far.", 3_700_000, expected)
    [progress] = open_mnist(open_page).app.get("progress")
    assert 0 <= progress.proto.value <= 100


def test_nobody_has_to_wait_for_the_download(open_page: Open, download: Download) -> None:
    page = open_mnist(open_page).set("Data set", "digits")
    assert not page.says("Getting MNIST ready")
    assert not page.control("Start training").disabled


def test_two_who_look_share_one_download(open_page: Open, download: Download) -> None:
    open_mnist(open_page)
    open_mnist(open_page)
    assert download.n_started == 1


def test_when_it_has_come_training_can_start(
    open_page: Open, download: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_mnist(open_page)
    download.go("done", "MNIST is ready.")
    monkeypatch.setattr(data_notice, "is_cached", lambda name: True)
    page.look()
    assert not page.says("Getting MNIST ready")
    assert not page.control("Start training").disabled
    assert page.value("Data set") == "mnist"


def test_if_it_cannot_be_had_the_form_goes_over_to_the_built_in_digits(
    open_page: Open, download: Download
) -> None:
    page = open_mnist(open_page, hidden="17", seed="3").set("Learning rate", 0.05)
    download.fail()
    page.look()
    assert page.said("warning") == [
        f"MNIST is not available: OpenML did not answer within 25 s. {FALLBACK}"
    ]
    assert page.value("Data set") == "digits"
    assert page.query == {
        "dataset": "digits",
        "hidden": "17",
        "learning_rate": "0.05",
        "seed": "3",
    }
    assert not page.control("Start training").disabled


def test_another_data_set_is_replaced_by_mnist_where_that_is_here(
    open_page: Open, download: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_here = {"mnist", "digits"}.__contains__
    monkeypatch.setattr(data_notice, "is_cached", is_here)
    monkeypatch.setattr("neuralscope.data.missing.is_cached", lambda name, home: is_here(name))
    download.go("failed", "Fashion-MNIST is not available: there seems to be no network.")
    monkeypatch.setattr(resources, "start_fetch", lambda name: download)
    page = open_page(dataset="fashion-mnist")
    assert page.said("warning") == [
        "Fashion-MNIST is not available: there seems to be no network. Using MNIST instead."
    ]
    assert page.value("Data set") == "mnist"
    assert page.says("To bring Fashion-MNIST here, fetch it on a machine with a network")


def test_going_over_to_the_digits_forgets_no_mistake_in_the_address(
    open_page: Open, download: Download
) -> None:
    download.fail()
    assert "banana" in open_mnist(open_page, learning_rate="banana").beside("Learning rate")


def test_the_notice_stays_until_it_is_settled(open_page: Open, download: Download) -> None:
    download.fail()
    page = open_mnist(open_page).set("Epochs", 20)
    assert page.says(FALLBACK)
    assert "Try again" in page.labels()


def test_asking_for_it_once_more_says_why_it_is_not_here(
    open_page: Open, download: Download
) -> None:
    download.fail()
    page = open_mnist(open_page).set("Data set", "mnist")
    assert page.value("Data set") == "mnist"
    assert page.says("MNIST is not available")
    assert not page.says(FALLBACK)
    assert page.control("Start training").disabled


def test_try_again_fetches_anew_with_all_other_settings_kept(
    open_page: Open, download: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    download.fail()
    page = open_mnist(open_page, hidden="17")
    download.go("connecting", "Asking OpenML for MNIST.")
    page.click("Try again")
    assert download.n_started == 2
    assert page.says("Getting MNIST ready.")
    assert page.value("Data set") == "mnist"
    monkeypatch.setattr(data_notice, "is_cached", lambda name: True)
    page.look()
    assert page.query == {"hidden": "17"}, "MNIST is the default"
    assert page.said("warning") == []


def test_trying_again_in_vain_says_so_again(open_page: Open, download: Download) -> None:
    download.fail()
    page = open_mnist(open_page)
    page.click("Try again")
    assert download.n_started == 2
    assert page.says(FALLBACK)
    assert page.value("Data set") == "digits"


def test_the_notice_goes_when_somebody_else_has_fetched_it(
    open_page: Open, download: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    download.fail()
    page = open_mnist(open_page)
    monkeypatch.setattr(data_notice, "is_cached", lambda name: True)
    page.look()
    assert page.said("warning") == []
    assert "Try again" not in page.labels()


def test_a_run_of_digits_can_be_started_while_mnist_is_fetched(
    open_page: Open, download: Download
) -> None:
    page = open_mnist(open_page, epochs="1").set("Data set", "digits").click("Start training")
    assert page.query["run"]


# With the real download ---------------------------------------------------------------------------


def until(page: Page, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, page.said()
        time.sleep(0.1)
        page.look()


def test_without_a_network_one_sentence_says_so(
    open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "data"))
    page = open_mnist(open_page)
    assert page.says("Getting MNIST ready.")
    until(page, lambda: bool(page.said("warning")))
    assert page.said("warning") == [
        f"MNIST is not available: the connection to OpenML was refused. {FALLBACK}"
    ]
    assert page.value("Data set") == "digits"


def test_try_again_finds_mnist_once_it_can_be_had(
    open_page: Open, download: Download, mnist_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    download.fail()
    page = open_mnist(open_page)
    monkeypatch.setattr(resources, "start_fetch", start_fetch)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(mnist_home))
    page.click("Try again")
    until(page, lambda: not page.control("Start training").disabled)
    assert page.value("Data set") == "mnist"
    assert page.said("warning") == []
