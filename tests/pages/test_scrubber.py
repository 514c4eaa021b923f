"""The run picker, the epoch scrubber and the film, on a page that only says what it is shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuralscope.runs import Run, Store, list_snapshots
from neuralscope.ui import scrubber
from tests.pages.conftest import Page, Runs

PAGE = """
import streamlit as st
from neuralscope.ui import frame, scrubber

def draw(now):
    st.text(f"drawn: {now.label}")
    if st.toggle("Compare", key="compare"):
        other = scrubber.choose_other(now, "other", "Compare with")
        st.text(f"other: {other.run.run_id} {other.label}" if other else "other: none")

with frame.page("Some page", "It says which moment it draws."):
    scrubber.follow(draw)
"""

Open = Callable[..., Page]


@pytest.fixture
def look(tmp_path: Path, open_page: Open) -> Open:
    """Open the page with this address."""
    script = tmp_path / "page.py"
    script.write_text(PAGE)
    return lambda **query: open_page(str(script), dataset=None, **query)


@pytest.fixture
def run(runs: Runs) -> Run:
    """A finished run of which the epochs 0 to 20, 23, 27 and 30 are kept, and perhaps a best."""
    return runs.trained(epochs=30)


def drawn(page: Page) -> str:
    [text] = [each.value for each in page.app.text if each.value.startswith("drawn: ")]
    return str(text).removeprefix("drawn: ")


def kept(store: Store, run: Run) -> list[int]:
    return [info.epoch for info in list_snapshots(store, run.run_id)]


# Which run ---------------------------------------------------------------------------------------


def test_without_a_run_it_leads_to_where_one_is_trained(look: Open) -> None:
    page = look()
    assert page.says("No network has been trained yet")
    assert not page.app.text


def test_without_a_word_in_the_address_the_newest_run_is_shown(look: Open, runs: Runs) -> None:
    runs.finished()
    newest = runs.finished()
    page = look()
    assert drawn(page) == "epoch 2"
    assert page.query == {"run": newest.run_id}


def test_the_run_of_the_address_is_shown(look: Open, runs: Runs) -> None:
    old = runs.finished()
    runs.finished()
    assert look(run=old.run_id).query == {"run": old.run_id}


@pytest.mark.parametrize("rubbish", ["20260101-000000-abcd", "nothing", "../../etc", "x" * 5000])
def test_a_run_that_is_not_there_is_told_and_another_offered(
    look: Open, runs: Runs, rubbish: str
) -> None:
    run = runs.finished()
    page = look(run=rubbish, epoch="soon")
    assert page.says("There is no run")
    assert page.says("Choose another run, or train a new one.")
    assert page.says("In the address, epoch is 'soon'")
    assert not page.app.text
    page.set("Run", run.run_id)
    assert drawn(page) == "epoch 2"


def test_a_run_deleted_while_it_is_looked_at_is_told(look: Open, runs: Runs) -> None:
    run = runs.finished()
    page = look()
    runs.store.delete(run.run_id)
    assert page.look().says("There is no run")


def test_another_run_starts_at_its_latest(look: Open, runs: Runs, run: Run) -> None:
    other = runs.finished()
    page = look(run=run.run_id, epoch="3")
    assert drawn(page) == "epoch 3"
    page.set("Run", other.run_id)
    assert drawn(page) == "epoch 2"
    assert page.query == {"run": other.run_id}


# Which moment ------------------------------------------------------------------------------------


def test_the_latest_is_shown_first_and_needs_no_word_in_the_address(look: Open, run: Run) -> None:
    page = look(run=run.run_id)
    assert drawn(page) == "epoch 30"
    assert page.query == {"run": run.run_id}


def test_the_scrubber_has_a_stop_for_every_moment_kept(look: Open, run: Run, store: Store) -> None:
    options = look(run=run.run_id).control("Epoch").options
    assert options == [str(epoch) for epoch in kept(store, run)]


def test_moving_it_draws_that_moment_and_changes_the_address(look: Open, run: Run) -> None:
    page = look(run=run.run_id).set("Epoch", "7")
    assert drawn(page) == "epoch 7"
    assert page.query == {"run": run.run_id, "epoch": "7"}
    assert page.set("Epoch", "0").says("before training")


def test_the_address_opens_the_moment(look: Open, run: Run) -> None:
    page = look(run=run.run_id, epoch="12")
    assert drawn(page) == "epoch 12"
    assert page.value("Epoch") == "12"


def test_an_epoch_that_was_not_kept_gives_the_nearest_and_says_so(
    look: Open, run: Run, store: Store
) -> None:
    gone = next(epoch for epoch in range(31) if epoch not in kept(store, run))
    nearest = min(kept(store, run), key=lambda epoch: abs(epoch - gone))
    page = look(run=run.run_id, epoch=str(gone))
    assert drawn(page) == f"epoch {nearest}"
    assert page.says(f"This run has no checkpoint of epoch {gone}; the nearest one is shown.")
    assert look(run=run.run_id, epoch="99999").says("no checkpoint of epoch 99,999")


@pytest.mark.parametrize("rubbish", ["-3", "1.5", "rubbish", "²", "9" * 4000, "1e3", "nan"])
def test_an_epoch_that_is_none_is_told_and_the_latest_shown(
    look: Open, run: Run, rubbish: str
) -> None:
    page = look(run=run.run_id, epoch=rubbish)
    assert drawn(page) == "epoch 30"
    assert page.says(f"In the address, epoch is '{rubbish[:20]}")
    assert page.query == {"run": run.run_id}


def test_a_snapshot_that_is_damaged_is_told_and_the_others_can_be_seen(
    look: Open, run: Run, store: Store
) -> None:
    page_script = look(run=run.run_id, epoch="4")
    assert drawn(page_script) == "epoch 4"
    (store.folder(run.run_id) / "epoch-00005.npz").write_bytes(b"rubbish")
    other = look(run=run.run_id, epoch="5")
    assert drawn(other) == "epoch 5"  # this page needs nothing of the file...
    with pytest.raises(Exception, match="gone or damaged"):
        from neuralscope.ui import moment

        moment.at(run, list_snapshots(store, run.run_id)[5]).network  # noqa: B018


def test_of_a_run_with_one_moment_there_is_nothing_to_scrub(look: Open, runs: Runs) -> None:
    runs.queued().start().pause()
    page = look()
    assert "Epoch" in page.labels(), "it is live: 'latest' is a stop of its own"
    assert drawn(page) == "before training"


# A live run --------------------------------------------------------------------------------------


def test_before_anything_is_kept_it_says_what_is_waited_for(look: Open, runs: Runs) -> None:
    runs.queued()
    assert look().says("waiting for its turn")


def test_at_latest_it_follows_a_live_run(look: Open, runs: Runs) -> None:
    run = runs.running(learned=1)
    page = look()
    assert drawn(page) == "epoch 1"
    run.learn(2)
    assert drawn(page.look()) == "epoch 2"
    assert page.value("Epoch") == "latest"
    assert page.query == {"run": run.run_id}


def test_at_an_epoch_it_stays_there_while_the_run_goes_on(look: Open, runs: Runs) -> None:
    run = runs.running(learned=2)
    page = look(epoch="1")
    run.learn(3)
    assert drawn(page.look()) == "epoch 1"
    assert page.value("Epoch") == "1"
    assert drawn(page.set("Epoch", "latest")) == "epoch 3"


def test_a_diverged_run_shows_what_was_kept_of_it(look: Open, runs: Runs) -> None:
    runs.diverged()
    assert drawn(look()) in {"before training", "epoch 1", "epoch 2"}


# The film ----------------------------------------------------------------------------------------


@pytest.fixture
def quick_film(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every look be the next picture."""
    monkeypatch.setattr(scrubber, "FRAME_EVERY", 1e-9)


def test_the_film_runs_through_all_moments_and_ends_at_the_last(
    look: Open, runs: Runs, quick_film: None
) -> None:
    runs.trained(epochs=3)
    page = look().click("Play")
    seen = [drawn(page)]
    while "Pause the film" in page.labels():
        seen.append(drawn(page.look()))
    assert seen == ["before training", "epoch 1", "epoch 2", "epoch 3"]
    assert page.value("Epoch") == "3"
    assert "epoch" not in page.query


def test_the_film_goes_on_from_where_the_scrubber_is(
    look: Open, runs: Runs, quick_film: None
) -> None:
    runs.trained(epochs=4)
    page = look(epoch="2").click("Play")
    assert drawn(page.look()) == "epoch 3"


def test_the_film_can_be_stopped_where_it_is(look: Open, run: Run, quick_film: None) -> None:
    page = look(run=run.run_id).click("Play").look().look()
    page.click("Pause the film")
    here = drawn(page)
    assert here not in {"before training", "epoch 30"}
    assert drawn(page.look()) == here


def test_the_speed_of_the_film_sets_the_time_between_two_pictures(look: Open, run: Run) -> None:
    page = look(run=run.run_id).click("Play")
    page.set("Speed of the film", 4.0)
    assert page.app.session_state["film"], "a change of speed does not end it"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streamlit.session_state", {"film": True, "film_speed": 4.0})
        assert scrubber.pace(run) == scrubber.FRAME_EVERY / 4


def test_moving_the_scrubber_ends_the_film(look: Open, run: Run, quick_film: None) -> None:
    page = look(run=run.run_id).click("Play").look().set("Epoch", "9")
    assert drawn(page) == "epoch 9"
    assert "Play" in page.labels()


def test_a_browser_that_repeats_the_picture_before_does_not_end_the_film(
    look: Open, run: Run, quick_film: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = look(run=run.run_id, epoch="2").click("Play").look()
    assert drawn(page) == "epoch 3"
    monkeypatch.setattr(scrubber, "FRAME_EVERY", 60.0)  # this picture is still to be looked at
    page.set("Epoch", "2")
    assert drawn(page) == "epoch 3"
    assert page.value("Epoch") == "3"
    assert "Pause the film" in page.labels()
    page.set("Epoch", "1")  # nobody repeats that: it is a wish
    assert drawn(page) == "epoch 1"
    assert "Play" in page.labels()


def test_a_click_elsewhere_does_not_hurry_the_film(look: Open, run: Run) -> None:
    page = look(run=run.run_id).click("Play")
    before = drawn(page)
    assert drawn(page.set("Compare", True)) == before


# On the Train page -------------------------------------------------------------------------------


def test_the_train_page_shows_the_moment_too(open_page: Open, run: Run) -> None:
    page = open_page(run=run.run_id, epoch="1")
    assert page.value("Epoch") == "1"
    early = page.charts()["cells"]
    page.set("Epoch", "20")
    assert page.charts()["cells"] != early
    assert page.query["epoch"] == "20"
    assert page.set("Epoch", "1").charts()["cells"] == early


def test_the_curves_are_marked_at_the_epoch_that_is_shown(open_page: Open, run: Run) -> None:
    page = open_page(run=run.run_id, epoch="7")
    assert page.shown_on_curves() == [7.0, 7.0]
    page.set("Epoch", "20")
    assert page.shown_on_curves() == [20.0, 20.0]


def test_a_new_run_is_set_up_without_a_moment(open_page: Open, run: Run) -> None:
    page = open_page(run=run.run_id, epoch="1").set("Run", "")
    assert "epoch" not in page.query
    assert "run" not in page.query


def test_a_live_run_on_the_train_page_can_be_scrubbed_while_its_curves_go_on(
    open_page: Open, runs: Runs
) -> None:
    live = runs.running(learned=2)
    page = open_page(run=live.run_id, epoch="1")
    live.learn(3)
    assert page.look().value("Epoch") == "1"
    assert page.metric("Epoch") == "3 of 50"


# Something to compare with -----------------------------------------------------------------------


def test_another_moment_of_the_same_run_can_be_chosen(look: Open, run: Run) -> None:
    page = look(run=run.run_id).set("Compare", True)
    assert page.app.text[-1].value == "other: none"
    page.set("Compare with", run.run_id).set("Epoch to compare with", "3")
    assert page.app.text[-1].value == f"other: {run.run_id} epoch 3"
    assert "30" not in page.control("Epoch to compare with").options, "that is the one shown"


def test_another_run_can_be_chosen(look: Open, runs: Runs, run: Run) -> None:
    other = runs.finished()
    page = look(run=run.run_id).set("Compare", True).set("Compare with", other.run_id)
    assert page.app.text[-1].value == f"other: {other.run_id} epoch 2"


def test_the_losses_of_a_live_run_are_read_on_from_where_the_last_look_ended(
    runs: Runs, store: Store
) -> None:
    from neuralscope.ui import curves

    run = runs.running(learned=1)
    so_far = curves.StepsSoFar(run.run_id)
    for epochs in (1, 2, 3):
        if epochs > 1:
            run.learn(epochs)
        for known, stored in zip(so_far.read(), store.steps(run.run_id), strict=True):
            np.testing.assert_array_equal(known, stored)


# What a moment holds -----------------------------------------------------------------------------


def test_a_moment_is_the_network_of_its_snapshot(run: Run, store: Store) -> None:
    from neuralscope.runs import load_snapshot
    from neuralscope.ui import moment

    info = list_snapshots(store, run.run_id)[7]
    now = moment.at(run, info)
    snapshot = load_snapshot(store, run.run_id, info)
    np.testing.assert_array_equal(now.network.parameters, snapshot.parameters)
    np.testing.assert_array_equal(
        now.probabilities("validation").argmax(axis=1), snapshot.validation_predictions
    )
    np.testing.assert_array_equal(now.history()[7], snapshot.validation_predictions)
    assert now.history().shape == (len(now.snapshots), len(now.labels("validation")))
    outputs = now.layers("test")
    np.testing.assert_allclose(outputs[-1], now.probabilities("test"), rtol=1e-6)
    assert now.examples("test").max() == 1
    assert not outputs[0].flags.writeable


def test_the_snapshots_hold_no_answers_to_the_test_digits(run: Run, store: Store) -> None:
    from neuralscope.ui import moment

    now = moment.at(run, list_snapshots(store, run.run_id)[0])
    with pytest.raises(ValueError, match="validation"):
        now.history("test")
