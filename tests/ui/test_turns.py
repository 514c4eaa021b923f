"""Redraws in turn, and the pace that they are asked for at."""

from __future__ import annotations

import threading
import time

import pytest

from neuralscope.ui import turns
from neuralscope.ui.turns import PACES, Turns, choose_pace


def test_a_lone_viewer_keeps_the_quickest_pace_however_slow_a_redraw_is() -> None:
    assert choose_pace(1, 5.0, PACES[-1]) == PACES[0]


@pytest.mark.parametrize(
    ("viewers", "seconds", "pace"),
    [(2, 0.03, 0.5), (20, 0.01, 0.5), (20, 0.02, 1.0), (20, 0.05, 2.0), (100, 0.05, 4.0)],
)
def test_the_pace_slows_so_that_redraws_take_half_of_the_time(
    viewers: int, seconds: float, pace: float
) -> None:
    assert choose_pace(viewers, seconds, PACES[0]) == pace


def test_the_pace_quickens_only_where_there_is_room() -> None:
    assert choose_pace(20, 0.02, 2.0) == 2.0, "0.4 of the time at 1 s"
    assert choose_pace(20, 0.01, 2.0) == 1.0, "0.2 of the time at 1 s"


def test_sessions_redraw_one_after_the_other() -> None:
    crowd = Turns()
    n_at_once, most = 0, 0

    def redraw(session: str) -> None:
        nonlocal n_at_once, most
        with crowd.take(session):
            n_at_once += 1
            most = max(most, n_at_once)
            time.sleep(0.002)
            n_at_once -= 1

    threads = [threading.Thread(target=redraw, args=(f"{n}",)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_redraw_that_hangs_does_not_keep_the_others_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0.01)
    crowd = Turns()
    with crowd.take("hangs"):
        other = threading.Thread(target=crowd.take("waits").__enter__)
        other.start()
        other.join(timeout=10)
        assert not other.is_alive()


def test_a_redraw_that_is_broken_off_gives_up_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = Turns()
    with pytest.raises(KeyError), crowd.take("fails"):
        raise KeyError
    monkeypatch.setattr(turns, "PATIENCE", 0.0)
    assert crowd._turn.acquire(blocking=False)


def test_who_has_left_counts_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(turns.time, "monotonic", lambda: now)
    crowd = Turns()
    for number in range(50):
        with crowd.take(f"{number}"):
            now += 0.1
    assert crowd.pace == PACES[-1]
    now += turns.GONE_AFTER
    with crowd.take("the last"):
        now += 0.1
    assert crowd.pace == PACES[0]
