"""Finding a learning rate on the Train page, before a run is started."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from neuralscope.data import load_dataset
from neuralscope.engine import suggest_rate
from neuralscope.runs import RunConfig, run_rate_test
from neuralscope.ui import rate_test

if TYPE_CHECKING:
    from tests.pages.conftest import Page, Runs

Open = Callable[..., "Page"]

FIND = "Find a learning rate"
USE = "Use this value"
CURVE = "steps"
DEADLINE = 30.0


def wait(question: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not question():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def found(page: Page) -> Page:
    """Look at the page until the test is done."""
    wait(lambda: "Close" in page.look().labels())
    return page


def expected(**settings: Any) -> tuple[float | None, str]:
    config = RunConfig(dataset="digits", **settings)
    return suggest_rate(list(run_rate_test(config, load_dataset("digits"))))[:2]


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every test take its first step and then no other."""
    step = '{"rate": 1e-06, "loss": 2.4, "smoothed": 2.4}'
    program = f"import time; print('{step}', flush=True); time.sleep(60)"
    _replace_process(monkeypatch, program)


def _replace_process(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    popen = subprocess.Popen

    def start(command: list[str], **options: Any) -> subprocess.Popen[Any]:
        if "lr-find" in command:
            command = [command[0], "-c", program]
        return popen(command, **options)

    monkeypatch.setattr(rate_test.subprocess, "Popen", start)


# From the button to the slider --------------------------------------------------------------------


@pytest.mark.parametrize("entry", ["dashboard.py", "pages/train.py"])
def test_the_button_leads_to_a_curve_a_value_and_its_reason(open_page: Open, entry: str) -> None:
    page = open_page(entry)
    assert CURVE not in page.charts()
    found(page.click(FIND))
    rate, reason = expected()
    assert page.says(f"**Try a learning rate of {rate:g}.** {reason}")
    assert page.charts()[CURVE].endswith(f"suggested: {rate:g}.")
    assert FIND not in page.labels()


def test_the_value_goes_to_the_slider_and_the_address(open_page: Open) -> None:
    page = found(open_page(optimizer="adam", hidden="32", seed="3").click(FIND))
    rate, _ = expected(optimizer="adam", hidden=(32,), seed=3)
    before = page.query
    page.click(USE)
    assert page.value("Learning rate") == rate
    assert page.query == {**before, "learning_rate": str(rate)}
    assert page.control(USE).disabled
    assert page.says("Try a learning rate of"), "the rate is none of the settings it depends on"
    assert not page.set("Learning rate", 0.1).control(USE).disabled


def test_every_setting_of_the_form_is_tested(open_page: Open) -> None:
    link = {
        "hidden": "12,8",
        "activation": "relu,tanh",
        "optimizer": "nesterov",
        "momentum": "0.8",
        "batch_size": "20",
        "l2": "0.001",
        "dropout": "0.1",
        "initializer": "glorot",
        "schedule": "cosine",
        "seed": "5",
    }
    page = found(open_page(**link).click(FIND))
    config, problems = RunConfig.from_query({"dataset": "digits", **link})
    assert not problems
    tried = list(run_rate_test(config, load_dataset("digits")))
    assert page.says(suggest_rate(tried).reason)
    (test,) = rate_test.tests()._tests.values()
    assert test.losses == [each.loss for each in tried]


def test_it_is_started_with_the_value(open_page: Open, runs: Runs) -> None:
    page = found(open_page(optimizer="adam", hidden="8", epochs="1").click(FIND)).click(USE)
    rate = page.value("Learning rate")
    page.click("Start training")
    (run,) = runs.store.runs()
    assert run.config.learning_rate == rate
    assert FIND not in page.labels()


def test_it_can_be_put_away(open_page: Open) -> None:
    page = found(open_page().click(FIND)).click("Close")
    assert CURVE not in page.charts()
    assert FIND in page.labels()


def test_a_network_that_cannot_learn_has_no_value_to_use(open_page: Open) -> None:
    page = found(open_page(initializer="zeros").click(FIND))
    assert page.says("**No learning rate found.** The loss does not fall far below 2.30")
    assert USE not in page.labels()


# While it runs ------------------------------------------------------------------------------------


def test_its_progress_is_shown_and_the_page_goes_on(open_page: Open, stuck: None) -> None:
    page = open_page().click(FIND)
    assert not page.control("Start training").disabled
    wait(lambda: "rate of 1.0e-06" in page.look().app.get("progress")[0].proto.text)
    assert page.charts()[CURVE] == "Loss while the learning rate grows, live"
    assert USE not in page.labels()


def test_two_viewers_share_a_test(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    popen = subprocess.Popen

    def count(*arguments: Any, **options: Any) -> subprocess.Popen[Any]:
        started.append(arguments)
        return popen(*arguments, **options)

    monkeypatch.setattr(rate_test.subprocess, "Popen", count)
    one, other = open_page().click(FIND), open_page(learning_rate="0.05", epochs="9").click(FIND)
    found(one)
    found(other)
    assert len(started) == 1
    assert one.charts()[CURVE] == other.charts()[CURVE]
    assert CURVE not in open_page().charts(), "who has not asked is not told"


def test_a_test_that_nobody_looks_at_is_ended(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = '{\\"rate\\": 1e-06, \\"loss\\": 2.4, \\"smoothed\\": 2.4}'
    _replace_process(
        monkeypatch, f'import time\nwhile True: print("{step}", flush=True); time.sleep(0.02)'
    )
    monkeypatch.setattr(rate_test, "UNSEEN_FOR", 0.5)
    page = open_page().click(FIND)
    (test,) = rate_test.tests()._tests.values()
    wait(lambda: test.is_done)
    assert test.is_abandoned
    page.look()
    assert CURVE not in page.charts()
    assert FIND in page.labels(), "it can be asked for again"
    page.click(FIND)
    assert list(rate_test.tests()._tests.values()) != [test]


# Other settings, and failures ---------------------------------------------------------------------


def test_a_test_of_other_settings_says_so_and_offers_another(open_page: Open) -> None:
    page = found(open_page().click(FIND)).set("Batch size", 64)
    assert page.says("This test is of other settings; changed since: Batch size.")
    assert CURVE in page.charts()
    assert USE not in page.labels()
    found(page.click(FIND))
    rate, reason = expected(batch_size=64)
    assert page.says(f"{rate:g}.** {reason}")
    assert not page.says("other settings")


def test_settings_that_change_nothing_about_it_do_not_count(open_page: Open) -> None:
    page = found(open_page().click(FIND)).set("Epochs", 20).set("Schedule", "cosine")
    assert not page.says("other settings")
    assert USE in page.labels()


def test_back_at_the_settings_of_the_test_it_counts_again(open_page: Open) -> None:
    page = found(open_page().click(FIND)).set("Seed", 1).set("Seed", 0)
    assert not page.says("other settings")
    assert USE in page.labels()


def test_why_it_failed_is_said_in_one_sentence_and_it_can_be_tried_again(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        _replace_process(broken, "raise SystemExit('neuralscope lr-find: the disk is full.')")
        page = open_page().click(FIND)
        wait(lambda: page.look().app.error)
    assert page.said("error") == ["The test failed: the disk is full."]
    found(page.click(FIND))
    assert not page.app.error


def test_a_process_that_ends_without_a_word_is_a_failure_too(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    _replace_process(monkeypatch, "raise SystemExit(3)")
    page = open_page().click(FIND)
    wait(lambda: page.look().app.error)
    assert page.said("error")[0] == "The test failed: its process ended with status 3."


def test_a_machine_that_starts_no_process_is_told(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    page = open_page()
    monkeypatch.setattr(rate_test.subprocess, "Popen", refuse)
    page.click(FIND)
    assert page.said("error")[0] == (
        "The test could not be started: Resource temporarily unavailable."
    )


def test_without_the_data_it_cannot_be_asked_for(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neuralscope.ui.data_notice.is_ready", lambda name: name != "mnist")
    assert not open_page().control(FIND).disabled
    assert rate_test.data_notice.is_ready("mnist") is False
    button = open_page(dataset="mnist").control(FIND)
    assert button.disabled
    assert "as soon as the data set is here" in button.help
