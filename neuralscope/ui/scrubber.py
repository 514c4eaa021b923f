"""The epoch scrubber: any moment of a run, on every page, by hand or as a film.

`follow(draw)` is what a page does: it finds the run and the moment that the address or the session
asks for, draws the controls, and has the page draw that moment, again and again while a film plays
or a live run is followed. All of it happens in a fragment, so that moving the scrubber draws this
part of the page and nothing else.

Shared between pages by session state, and kept in the address:

    run_seen     the run (see `run_picker`)
    epoch_seen   the epoch; None for the latest, which follows a live run
    film         whether a film is playing
    film_speed   how many times the normal speed it plays at
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import streamlit as st

from neuralscope.errors import (
    DataError,
    RunNotFound,
    RunUnreadable,
    StoreError,
    WeightsError,
)
from neuralscope.runs import LATEST, QUEUED, Run, SnapshotInfo, list_snapshots, when
from neuralscope.runs.listing import is_any, newest
from neuralscope.ui import address, frame, resources, run_picker, turns, words
from neuralscope.ui.moment import Moment, at

FRAME_EVERY = 0.6
"""Seconds between two pictures of a film at normal speed."""

SPEEDS = (0.5, 1.0, 2.0, 4.0)

_SLIDER = "scrubber"

Draw = Callable[[Moment], None]


def follow(draw: Draw) -> None:
    """Show the controls, and have a page draw the moment they ask for.

    Args:
        draw: Draws the page for a moment; called inside a fragment.
    """
    run = run_picker.pick_any()
    run_picker.menu(run, may_be_none=False)
    if run is None:
        _invite()
        return
    every = pace(run)
    st.fragment(_look, run_every=every)(run.run_id, every, draw)


def pace(run: Run) -> float | None:
    """Return the seconds until the next look, or None where nothing moves by itself."""
    if st.session_state.get("film"):
        return _frame_every()
    is_followed = run.is_active and st.session_state.get("epoch_seen") is None
    return turns.pace() if is_followed else None


@turns.take()
def _look(run_id: str, every: float | None, draw: Draw) -> None:
    """Draw the run as it is now; what a fragment repeats."""
    try:
        run = resources.store().run(run_id)
    except StoreError as error:
        st.session_state["film"] = False
        if every is not None:
            st.rerun()
        st.warning(words.plain(error), icon=":material/search_off:")
        return
    snapshots = list_snapshots(resources.store(), run_id)
    if not snapshots:
        _nothing_yet(run, every)
        return
    info = controls(run, snapshots)
    if pace(run) != every:
        st.rerun()  # a film or a run has begun or ended: another pace, another fragment
    try:
        draw(at(run, info, snapshots))
    except (WeightsError, DataError) as error:
        if run.is_active and every is not None:
            return  # replaced while it was read: the next look will find a newer one
        st.warning(words.plain(error), icon=":material/error:")


# The controls ------------------------------------------------------------------------------------


def controls(run: Run, snapshots: Sequence[SnapshotInfo]) -> SnapshotInfo:
    """Draw the scrubber and the play button, and return the snapshot they are at.

    Args:
        run: The run as it stands.
        snapshots: Its snapshots in the order of training, at least one.
    """
    seek(run, snapshots)
    return draw_controls(run, snapshots)


def seek(run: Run, snapshots: Sequence[SnapshotInfo]) -> SnapshotInfo:
    """Return the snapshot that is shown now; a film that plays goes on to its next if it is time.

    Call it once in each drawing.
    """
    stops = _stops(run, snapshots)
    _advance_film(stops)
    return stops[_nearest_stop(stops)]


def draw_controls(run: Run, snapshots: Sequence[SnapshotInfo]) -> SnapshotInfo:
    """Draw the controls where `seek` has been called already; see `controls`."""
    stops = _stops(run, snapshots)
    stop = _nearest_stop(stops)
    info = stops[stop]
    with st.container(horizontal=True, vertical_alignment="bottom", key="scrubber_row"):
        playing = bool(st.session_state.get("film"))
        st.button(
            "Pause the film" if playing else "Play",
            icon=":material/pause_circle:" if playing else ":material/slideshow:",
            key="film_button",
            on_click=_stop_film if playing else _start_film,
            disabled=len(stops) < 2,
            help="Plays the training as a film, one checkpoint after the other.",
        )
        if len(stops) > 1:
            _speed()
            _slider(list(stops), stop)
    best = f" · best on validation: epoch {run.best_epoch:,}" if run.best_epoch else ""
    n_kept = f"{len(stops):,} checkpoints" if len(stops) > 1 else "the only checkpoint so far"
    of = f" of {run.config.epochs:,}" if info.step else ""
    st.caption(f"Showing **{when(run, info)}**{of} · {n_kept}{best}")
    if problem := st.session_state.get("epoch_problem"):
        st.warning(words.plain(problem), icon=":material/search_off:")
    address.write_moment(run.run_id, None if stop == list(stops)[-1] else stop)
    return info


def _stops(run: Run, snapshots: Sequence[SnapshotInfo]) -> dict[str, SnapshotInfo]:
    """Return what the scrubber can be set to: epochs, and 'latest' where that is not an epoch."""
    stops = {str(info.epoch): info for info in snapshots if info.name != LATEST}
    newest = max(snapshots, key=lambda info: (info.step, info.written))
    if run.is_active or newest.name == LATEST:
        stops[LATEST] = newest
    return stops


def _nearest_stop(stops: dict[str, SnapshotInfo]) -> str:
    """Return where the session wants to be; the nearest stop if that epoch was not kept."""
    wanted = st.session_state.setdefault("epoch_seen", _from_address())
    if wanted is None:
        return list(stops)[-1]
    if str(wanted) in stops:
        return str(wanted)
    nearest = min(stops, key=lambda stop: abs(stops[stop].epoch - wanted))
    st.session_state["epoch_problem"] = (
        f"This run has no checkpoint of epoch {wanted:,}; the nearest one is shown."
    )
    st.session_state["epoch_seen"] = None if nearest == LATEST else int(nearest)
    return nearest


def _from_address() -> int | None:
    epoch, problem = address.read_epoch()
    if problem:
        st.session_state["epoch_problem"] = problem
    return epoch


def _slider(stops: list[str], stop: str) -> None:
    """Draw the slider, moved to where the film or the address has got to."""
    state = st.session_state
    # Only when somebody else than the user has moved it: a value that is sent while they drag
    # would pull the handle back. Sent twice, since of two quick redraws the first may be lost.
    is_moved = _SLIDER in state and state[_SLIDER] != stop
    is_sent = is_moved or state.pop("scrubber_sent_once", False)
    if is_sent:
        state[_SLIDER] = stop
        state["scrubber_sent_once"] = is_moved
    st.select_slider(
        "Epoch",
        stops,
        key=_SLIDER,
        value=None if is_sent else stop,  # so that a browser that missed the first starts right
        on_change=_moved,
        width="stretch",
        help="Everything below shows the network at this epoch.",
    )


def _moved() -> None:
    state = st.session_state
    stop = state[_SLIDER]
    # A browser that is behind repeats where the film has just been, as if it had been asked for.
    since = time.monotonic() - state.get("film_shown", 0.0)
    if stop == state.get("film_before") and since < _frame_every():
        return
    run_picker.look_at_epoch(_epoch_of(stop))


# The film ----------------------------------------------------------------------------------------


def _speed() -> None:
    st.session_state.setdefault("film_speed", 1.0)
    st.selectbox(
        "Speed of the film",
        SPEEDS,
        key="film_speed",
        format_func=lambda speed: f"{speed:g}×",
        label_visibility="collapsed",  # it stands beside the film's button
        width=86,
    )


def _frame_every() -> float:
    """Return the seconds between two pictures of a film."""
    return FRAME_EVERY / float(st.session_state.get("film_speed", 1.0))


def _start_film() -> None:
    run_picker.look_at_epoch(st.session_state.get("epoch_seen"))
    st.session_state["film"] = True
    st.session_state["film_starts"] = True


def _stop_film() -> None:
    st.session_state["film"] = False


def _advance_film(stops: dict[str, SnapshotInfo]) -> None:
    """Go one stop further if it is time, and end the film after the last."""
    state = st.session_state
    if not state.get("film"):
        return
    now = time.monotonic()
    if state.pop("film_starts", False):
        if _nearest_stop(stops) == list(stops)[-1]:  # else it goes on from where it is
            state["epoch_seen"] = _epoch_of(next(iter(stops)))
        state["film_shown"], state["film_before"] = now, None
        return
    if now - state.get("film_shown", 0.0) < _frame_every() / 2:
        return  # a click somewhere else has drawn the page in between
    state["film_shown"] = now
    state["film_before"] = _nearest_stop(stops)
    left = list(stops)[list(stops).index(state["film_before"]) + 1 :]
    if left:
        state["epoch_seen"] = _epoch_of(left[0])
    if len(left) <= 1:
        state["film"] = False
        state["epoch_seen"] = None  # at the end, and with a live run onwards
        state["scrubber_sent_once"] = True


def _epoch_of(stop: str) -> int | None:
    return None if stop == LATEST else int(stop)


# Where there is nothing to show ------------------------------------------------------------------


def _invite() -> None:
    if not is_any(resources.store()):
        st.info(
            "No network has been trained yet. Train one, then come back to look inside.",
            icon=":material/school:",
        )
    frame.link("Train", "Train a network")


def _nothing_yet(run: Run, every: float | None) -> None:
    if run.status == QUEUED:
        text = "This run is waiting for its turn; there is something to see once it has begun."
    elif run.is_active:
        text = "The first checkpoint of this run is about to be written."
    else:
        text = "This run ended before its first checkpoint; choose another."
    st.info(text, icon=":material/hourglass_empty:")
    address.write_moment(run.run_id, None)
    if pace(run) != every:
        st.rerun()


# Something to compare with -----------------------------------------------------------------------


def choose_other(now: Moment, key: str, label: str) -> Moment | None:
    """Let the user choose another moment, of this run or of one on the same data.

    The address says which: the run as `compare`, and as `compare_epoch` where in it.

    Args:
        now: The moment it is compared with.
        key: Prefix of the controls' keys.
        label: What it is for, as the label of the first control.

    Returns:
        The moment, or None while none is chosen.
    """
    alike = [
        run
        for run in newest(resources.store(), run_picker.MOST_SHOWN, dataset=now.run.config.dataset)
        if run.run_id != now.run.run_id
    ]
    asked = _asked_other(now, key, [run.run_id for run in alike])
    if asked is not None:
        alike.append(asked)
    runs = {run.run_id: run for run in (now.run, *alike)}
    names = {**run_picker.labels(alike), now.run.run_id: "This run, another epoch"}
    with st.container(horizontal=True, vertical_alignment="bottom", key=f"{key}_row"):
        chosen = st.selectbox(
            label,
            list(runs),
            index=None,
            key=f"{key}_run",
            format_func=names.__getitem__,
            placeholder="Nothing",
            width=420,
            on_change=_settle_other,
            args=(key,),
        )
        other = None if chosen is None else _moment_of(now, runs[chosen], key)
    address.complain(st.session_state[f"{key}_problems"])
    if other is None:
        address.say(compare=None, compare_epoch=None)
        return None
    moment, epoch = other
    address.say(compare=chosen, compare_epoch=epoch)
    return moment


def _settle_other(key: str) -> None:
    """What was wrong in the address is past once somebody has chosen."""
    st.session_state[f"{key}_problems"] = []
    st.session_state.pop(f"{key}_epoch_unread", None)


def _asked_other(now: Moment, key: str, listed: list[str]) -> Run | None:
    """Take over what the address asks for; return a run of it that the menu does not list yet."""
    state = st.session_state
    if f"{key}_run" not in state:
        reader = address.Reader()
        run_id = reader.text("compare")
        run = None
        if run_id not in (None, now.run.run_id):
            try:
                run = resources.store().run(run_id)
            except (RunNotFound, RunUnreadable):
                reader.note("compare", "there is no such run: it may have been deleted")
            if run and run.config.dataset != now.run.config.dataset:
                reader.note("compare", "must be a run on the same data")
                run = None
            run_id = run.run_id if run else None
        state[f"{key}_run"] = run_id
        state[f"{key}_asked"] = run
        state[f"{key}_epoch_unread"] = True
        state[f"{key}_problems"] = reader.problems
    run = state[f"{key}_asked"]
    return None if run is None or run.run_id in (*listed, now.run.run_id) else run


def _moment_of(now: Moment, run: Run, key: str) -> tuple[Moment, str | None] | None:
    """Let the user choose a moment of a run; the second says it in the address."""
    snapshots = list_snapshots(resources.store(), run.run_id)
    stops = _stops(run, snapshots)
    if run.run_id == now.run.run_id:
        stops = {stop: info for stop, info in stops.items() if info != now.info}
    if not stops:
        st.caption(f"{words.plain(run.name)}: it has no checkpoint yet.")
        return None
    usual = next(iter(stops)) if run.run_id == now.run.run_id else list(stops)[-1]
    stop_key = f"{key}_epoch_{run.run_id}"
    state = st.session_state
    if state.pop(f"{key}_epoch_unread", False):
        reader = address.Reader()
        state[stop_key] = reader.one_of("compare_epoch", stops)
        state[f"{key}_problems"] += reader.problems
    if state.get(stop_key) not in stops:
        state[stop_key] = usual
    stop = st.selectbox(
        "Epoch to compare with",
        list(stops),
        key=stop_key,
        width=200,
        on_change=_settle_other,
        args=(key,),
    )
    return at(run, stops[stop], snapshots), None if stop == usual else stop
