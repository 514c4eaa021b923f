"""What those who watch a run share: read and drawn once, and never of a state that is past."""

from __future__ import annotations

import math

import pytest

from neuralscope import charts
from neuralscope.runs import Store, list_snapshots
from neuralscope.ui import curves, progress
from neuralscope.ui.curves import Way
from tests.pages.conftest import Runs
from tests.writing import owner

PLAIN = Way("epoch", log=False, zoomed=False, smoothing=0.0)


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what was read be shared for as long as the run stands as it stood."""
    monkeypatch.setattr(progress, "LONGEST_SHARED", math.inf)
    monkeypatch.setattr(progress, "SHARED_FOR", math.inf)


def test_a_second_viewer_of_a_live_run_reads_and_draws_nothing(
    runs: Runs, store: Store, shared: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs.running(learned=2)
    first = progress.read(store.run(run.run_id))
    drawn = curves.draw(store.run(run.run_id), first, None, PLAIN)
    run.learn(3)
    monkeypatch.setattr(charts, "learning_curves", None)
    second = progress.read(store.run(run.run_id))
    assert second is first
    assert curves.draw(store.run(run.run_id), second, None, PLAIN).figures is drawn.figures


def test_each_viewer_has_the_curves_in_their_own_way(runs: Runs, store: Store) -> None:
    run = runs.running(learned=2)
    now = store.run(run.run_id)
    so_far = progress.read(now)
    templates = [
        curves.draw(now, so_far, None, way).figures["loss"].template
        for way in (PLAIN, PLAIN._replace(log=True), PLAIN._replace(x_axis="time"))
    ]
    assert templates[0] != templates[1] != templates[2] != templates[0]


@pytest.mark.parametrize("happening", ["pause", "set_rate", "stop"])
def test_how_a_run_stands_is_seen_at_once(
    runs: Runs, store: Store, shared: None, happening: str
) -> None:
    run = runs.running(learned=1)
    progress.read(store.run(run.run_id))
    run.learn(2)
    if happening == "pause":
        run.pause()
    elif happening == "set_rate":
        run.set_rate(0.5)
    else:
        owner(store, run.run_id).end("stopped")
    so_far = progress.read(store.run(run.run_id))
    assert so_far.epochs.epoch.tolist() == [0, 1, 2]
    assert len(so_far.events) == len(store.events(run.run_id))


def test_a_run_that_goes_on_from_an_earlier_point_is_read_anew(
    runs: Runs, store: Store, shared: None
) -> None:
    run = runs.running(learned=3)
    owner(store, run.run_id).end("interrupted")
    now = store.run(run.run_id)
    before = progress.read(now)
    drawn = curves.draw(now, before, None, PLAIN)
    store.requeue(run.run_id, now.config)
    info = next(each for each in list_snapshots(store, run.run_id) if each.epoch == 1)
    owner(store, run.run_id).rewind(epoch=1, step=info.step, seconds=info.seconds)
    now = store.run(run.run_id)
    so_far = progress.read(now)
    assert so_far.epochs.epoch.tolist() == [0, 1]
    assert so_far.state != before.state
    again = curves.draw(now, so_far, None, PLAIN)
    assert len(again.figures["loss"].tables["lines"]) < len(drawn.figures["loss"].tables["lines"])
