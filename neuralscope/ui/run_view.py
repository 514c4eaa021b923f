"""A run as it stands: live while it is active, calm once it has ended.

Everything is read from the store, twice a second while the run is live (less often for a crowd, see
`turns`), in a fragment of its own: the rest of the page is left alone, and training, in its own
process, is not slowed by it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from neuralscope.analysis import (
    Grade,
    judge_accuracy,
    tell_baseline,
    tell_overfitting,
)
from neuralscope.data import known_dataset
from neuralscope.errors import DataError, NeuralScopeError, StoreError, WeightsError
from neuralscope.runs import (
    DIVERGED,
    FAILED,
    FINISHED,
    INTERRUPTED,
    PAUSED,
    QUEUED,
    RUNNING,
    STOPPED,
    Epochs,
    Run,
    SnapshotInfo,
    Store,
    when,
)
from neuralscope.ui import (
    chart,
    config_form,
    curves,
    health_table,
    lineage_panel,
    place,
    progress,
    resources,
    scrubber,
    turns,
    unreadable,
    words,
)
from neuralscope.ui.config_form import RATE_STEPS
from neuralscope.ui.progress import Progress

FIRST_LOOK_EVERY = 0.1
FIRST_LOOKS_FOR = 5.0
"""Seconds between two looks for the first point of a run that was just asked for, and for how long
it is looked for so eagerly."""

SILENT_AFTER = 5.0
"""Seconds after which a command that was not taken is remarkable."""

METRIC_WIDTH = 148  # six in a row on a laptop, two on a telephone
MANY_EPOCHS, WIDE_METRIC = 1_000, 224  # of which '1,000 of 1,000' would be cut off in that

BADGES: dict[str, tuple[str, Any, str]] = {
    QUEUED: ("Queued", "gray", ":material/hourglass_empty:"),
    RUNNING: ("Running", "blue", ":material/directions_run:"),
    PAUSED: ("Paused", "orange", ":material/pause:"),
    FINISHED: ("Finished", "gray", ":material/check:"),
    STOPPED: ("Stopped", "gray", ":material/stop:"),
    DIVERGED: ("Diverged", "red", ":material/trending_up:"),
    FAILED: ("Failed", "red", ":material/error:"),
    INTERRUPTED: ("Interrupted", "orange", ":material/power_off:"),
}
"""How a run ended; how good it is, which is another matter, is said by the color of its result."""

RESULTS: dict[Grade, tuple[Any, str]] = {
    "nothing": (st.error, ":material/block:"),
    "weak": (st.warning, ":material/trending_flat:"),
    "fair": (st.info, ":material/trending_up:"),
    "good": (st.success, ":material/flag:"),
}


def show(run: Run) -> None:
    """Draw a run; go on drawing while it is active.

    Whether its first point is awaited is decided once, here. Decided again below, it could have
    come meanwhile: then neither fragment would look again, and the run would seem to run forever.
    """
    if _is_awaited(run):
        st.fragment(_draw_once)(run.run_id)
        st.fragment(_await_first_point, run_every=FIRST_LOOK_EVERY)(run.run_id, run.status)
    else:
        every = _pace(run)
        st.fragment(_look, run_every=every)(run.run_id, every)


def _pace(run: Run) -> float | None:
    """Return the seconds until the next look: here a live run goes on moving in any case."""
    return turns.pace() if run.is_active else scrubber.pace(run)


def _is_awaited(run: Run) -> bool:
    """Whether the run was just asked for, and somebody waits for its first point."""
    return (
        run.is_active
        and not run.step
        and time.time() - run.created < FIRST_LOOKS_FOR
        and progress.state_of(run).epoch < 0
    )


def _draw_once(run_id: str) -> None:
    """Draw a run whose first point another fragment waits for."""
    run = _read(run_id)
    if run is not None:
        _draw(run)


def _await_first_point(run_id: str, status: str) -> None:
    """Look for the first point without drawing anything: that would only delay it."""
    run = _read(run_id)
    if run is None or run.status != status or not _is_awaited(run):
        st.session_state["first_point"] = run_id
        st.rerun()


@turns.take()
def _look(run_id: str, every: float | None) -> None:
    run = _read(run_id)
    if run is None:
        st.rerun()  # it is gone: the page decides what to show
        return
    _draw(run)
    if _pace(run) != every:
        st.rerun()  # it has ended, or a film has begun or ended: another pace, another fragment


def _read(run_id: str) -> Run | None:
    try:
        return resources.store().run(run_id)
    except StoreError:
        return None


def _draw(run: Run) -> None:
    store = resources.store()
    so_far = progress.read(run)
    _headline(run)
    if run.is_active:
        _commands(store, run)
    else:
        _outcome(run)
    lineage_panel.show(run)
    _figures(run, so_far.epochs)
    snapshots = so_far.snapshots
    shown = scrubber.seek(run, snapshots) if snapshots else None
    _curves(run, so_far, shown)
    health_table.show(store, run, so_far.epochs)
    is_first_point = st.session_state.pop("first_point", None) == run.run_id
    # The next look of a live run draws the rest.
    if snapshots and not (is_first_point and run.is_active):
        _moment(run, snapshots)
    _facts(run)


# Headline and commands ---------------------------------------------------------------------------


def _headline(run: Run) -> None:
    label, color, icon = BADGES[run.status]
    with st.container(horizontal=True, vertical_alignment="center", key="headline"):
        st.subheader(words.plain(run.name), anchor=False, width="content")
        st.badge(label, color=color, icon=icon)


def _commands(store: Store, run: Run) -> None:
    """Pause, resume, stop, and the learning rate, while they can still change something."""
    pause, stop, rate = st.columns([1, 1, 3], vertical_alignment="bottom")
    is_paused = run.status == PAUSED
    pause.button(
        "Resume" if is_paused else "Pause",
        key=f"pause_{run.run_id}",  # one button, so that for a moment there are not two
        icon=":material/play_arrow:" if is_paused else ":material/pause:",
        type="primary" if is_paused else "secondary",
        width="stretch",
        on_click=_send,
        args=(run.run_id, "resume" if is_paused else "pause"),
    )
    stop.button(
        "Stop",
        icon=":material/stop:",
        width="stretch",
        on_click=_send,
        args=(run.run_id, "stop"),
        help="Ends the run here; what it has learned is kept and tested.",
    )
    with rate:
        _rate_slider(run)
    # Below the buttons, and with a place of its own also when it is empty: else a button would
    # move from under the pointer, and all that follows would be drawn anew.
    with st.empty():
        problem = st.session_state.pop("command_problem", None)
        if problem:
            st.error(words.plain(problem), icon=":material/error:")
        elif _is_silent(store, run):
            st.warning(
                "The training process does not answer; it may be suspended.",
                icon=":material/hourglass_disabled:",
            )
        elif run.status == QUEUED:
            st.info(
                f"Place {store.place_in_queue(run.run_id):,} in the queue. It starts by itself "
                "when the run before it ends or is paused: training two at once would slow both.",
                icon=":material/hourglass_empty:",
            )


def _is_silent(store: Store, run: Run) -> bool:
    """Whether a command was not taken for longer than a trainer that is at work needs."""
    command = store.oldest_command(run.run_id)
    seen, since = st.session_state.get("unanswered", (None, 0.0))
    if command is None or command != seen:
        st.session_state["unanswered"] = (command, time.monotonic())
        return False
    return bool(time.monotonic() - since > SILENT_AFTER)


def _send(run_id: str, kind: str, value: float | None = None) -> None:
    try:
        resources.store().send(run_id, kind, value)
    except NeuralScopeError as error:
        st.session_state["command_problem"] = str(error)


@dataclass
class _LiveRate:
    """What the slider of a run's learning rate knows of it.

    Attributes:
        start: The rate at which the slider was drawn first.
        now: The rate at the last look.
        asked: What was asked for with the slider last.
        generation: How many sliders came before this one.
    """

    start: float
    now: float
    asked: float
    generation: int = 0


def _rate_slider(run: Run) -> None:
    """Draw the slider of the learning rate; a new one when somebody else has set the rate.

    One that is moved from here may miss it, since of two quick redraws one may be lost on the way
    to the browser, and would then send back what it shows as if somebody had asked for it.
    """
    now = run.learning_rate or run.config.learning_rate
    name = f"live_rate_{run.run_id}"
    known: _LiveRate = st.session_state.setdefault(name, _LiveRate(now, now, now))
    if now not in (known.now, known.asked):
        known = _LiveRate(now, now, now, known.generation + 1)
        st.session_state[name] = known
    known.now = now
    key = place.take(name, known.generation)
    st.select_slider(
        "Learning rate now",
        sorted({*RATE_STEPS, known.start}),
        value=known.start,
        key=key,
        format_func=lambda value: f"{value:g}",
        on_change=_set_rate,
        args=(run.run_id, known, key),
        help="Takes effect at the next step and leaves a mark on the curves."
        + ("" if run.config.schedule == "constant" else " The schedule goes on multiplying it."),
    )


def _set_rate(run_id: str, known: _LiveRate, key: str) -> None:
    rate = st.session_state[key]
    if place.is_taken_by(f"live_rate_{run_id}", key) and rate != known.asked:
        known.asked = rate
        _send(run_id, "learning_rate", rate)


def _outcome(run: Run) -> None:
    """Say how it ended and how good that is."""
    best = ""
    if run.best_epoch is not None:
        best = (
            f" Best validation accuracy: {words.percent(run.best_validation_accuracy)}, "
            f"epoch {run.best_epoch:,}."
        )
    if run.test_accuracy is not None:
        ending = f" {words.plain(run.message)}" if run.message else ""
        if run.status != FINISHED:
            ending = f" It was stopped {_where(run)}."
        _test_result(run, run.test_accuracy, f"{best}{ending}")
    elif run.status == DIVERGED:
        st.error(f"{words.plain(run.message)}{best}", icon=":material/trending_up:")
    elif run.status == FAILED:
        st.error(words.plain(run.message), icon=":material/error:")
    else:
        ended = words.plain(run.message) or "It was stopped before it had begun."
        kept = " What it had learned is kept." if run.epoch else ""
        st.warning(f"{ended}{kept}{best}", icon=":material/power_off:")
    _log(run)


def _log(run: Run) -> None:
    """Show what the training process printed, if anything."""
    if log := resources.store().log(run.run_id):
        with st.expander("Training log", icon=":material/terminal:"):
            st.code(log, language=None)


def _test_result(run: Run, accuracy: float, more: str) -> None:
    """Say how many of the test pictures it gets right, in the color of that."""
    measured = f"Test accuracy **{words.percent(accuracy)}**"
    data = known_dataset(run.config.dataset)
    if data is None:  # a person's own data that has gone since
        st.info(f"{measured}.{more}", icon=":material/flag:")
        return
    n_wrong = round((1 - accuracy) * data.n_test)
    result = judge_accuracy(accuracy, data.n_test, data.contents.label_counts)
    sentence = (
        f"{measured}: it gets {n_wrong:,} of the {data.n_test:,} test {data.noun}s wrong. It had "
        "never seen them."
    )
    if judgment := tell_baseline(result):
        sentence += f" **{judgment}**"
    show_box, icon = RESULTS[result.grade]
    show_box(f"{sentence}{more}", icon=icon)


def _where(run: Run) -> str:
    if run.step > run.epoch * run.steps_per_epoch:
        return f"in epoch {run.epoch + 1:,}"
    return f"after epoch {run.epoch:,}"


# Figures -----------------------------------------------------------------------------------------


def _figures(run: Run, epochs: Epochs) -> None:
    done = f"{run.epoch:,} of {run.config.epochs:,}"
    is_long = run.config.epochs >= MANY_EPOCHS
    validation = epochs.validation_accuracy[-1] if len(epochs.epoch) else None
    before = epochs.validation_accuracy[-2] if len(epochs.epoch) > 1 else None
    change, has_changed = None, False
    if validation is not None and before is not None:
        points = f"{100 * (validation - before):+.2f}"
        has_changed = float(points) != 0
        change = f"{points} points" if has_changed else "no change"
    is_judged = has_changed and run.status != DIVERGED  # what came before a failure is no success
    best = f"epoch {run.best_epoch:,}" if run.best_epoch is not None else None
    left = run.seconds_left if run.is_active else None

    with st.container(horizontal=True, key="figures"):
        st.metric("Epoch", done, width=WIDE_METRIC if is_long else METRIC_WIDTH)
        st.metric(
            "Validation accuracy",
            words.percent(validation),
            delta=change,
            delta_color="normal" if is_judged else "off",
            delta_arrow="auto" if is_judged else "off",
            help="Share of the validation examples it gets right, since the epoch before. It never "
            "learns from these.",
            width=METRIC_WIDTH,
        )
        st.metric(
            "Best so far" if run.is_active else "Best",
            words.percent(run.best_validation_accuracy),
            delta=best,
            delta_color="off",
            delta_arrow="off",
            width=METRIC_WIDTH,
        )
        st.metric(
            "Throughput",
            f"{run.samples_per_second:,.0f}/s" if run.samples_per_second else "–",
            help="Training examples learned per second (samples/s), measuring and saving included.",
            width=METRIC_WIDTH,
        )
        elapsed = words.duration(run.seconds) if run.seconds else "–"
        st.metric("Elapsed", elapsed, width=METRIC_WIDTH)
        if run.is_active:
            time_left = words.duration(left) if left is not None else "–"
            st.metric("Time left", time_left, width=METRIC_WIDTH)
    share = run.step / run.total_steps if run.total_steps else 0.0
    if run.is_active:
        st.progress(min(share, 1.0))


# Curves ------------------------------------------------------------------------------------------


def _curves(run: Run, so_far: Progress, shown: SnapshotInfo | None) -> None:
    st.subheader("Learning curves", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom", key="curve_options"):
        x_axis = st.segmented_control(
            "Over",
            ["epoch", "step", "time"],
            default="epoch",
            required=True,
            key="curves_over",
            format_func=str.capitalize,
        )
        log = st.toggle("Log scale", key="curves_log")
        zoomed = chart.zoom("curves_zoom")
        smoothing = st.slider("Smoothing", 0.0, 0.99, 0.0, 0.01, key="curves_smoothing", width=240)
    with st.empty():
        unreadable.tell_rows(so_far.n_unreadable)
    if not len(so_far.epochs.epoch):
        st.caption("The first point appears as soon as the data is loaded.")
        return

    way = curves.Way(x_axis, log, zoomed, smoothing)  # type: ignore[arg-type]
    drawn = curves.draw(run, so_far, shown, way)
    for column, (quantity, figure) in zip(st.columns(2), drawn.figures.items(), strict=True):
        with column:
            what = f"{quantity.capitalize()} of the run"
            chart.draw(figure, what, key=f"curves_{quantity}", of=run)
    st.caption(
        "Loss measures how surprised the network is by the right answers; accuracy is the share it "
        "gets right. The pale line is the mean loss of the minibatches, the pale band their range. "
        "The triangle marks the epoch that is shown below."
    )
    # The place is always taken: else all that follows would be drawn anew.
    with st.empty():
        if drawn.overfitting is not None:
            st.warning(tell_overfitting(drawn.overfitting), icon=":material/call_split:")


# The network as it is now ------------------------------------------------------------------------


def _moment(run: Run, snapshots: Sequence[SnapshotInfo]) -> None:
    """The matrix, the weights and the mistakes of the snapshot that is shown."""
    st.subheader("Inside the network", anchor=False)
    info = scrubber.draw_controls(run, snapshots)
    try:
        moment = resources.pictures(run, info)
    except (WeightsError, DataError) as error:
        if not run.is_active:  # while it is live, the next look will find a newer one
            st.warning(words.plain(error), icon=":material/error:")
        return
    side_by_side = st.container(horizontal=True, gap="medium", key="now")
    with side_by_side.container(width=512):
        st.subheader("Confusion matrix", anchor=False)
        chart.draw(
            moment.confusion,
            f"Confusion matrix on the validation {moment.noun}s",
            key="confusion",
            of=run,
            when=when(run, info),
        )
        st.caption(
            f"The {moment.n_validation:,} validation {moment.noun}s: each row is a true "
            f"{moment.class_noun}, each column an answer. Right answers lie on the diagonal."
        )
    with side_by_side.container(width=436):
        st.subheader("Weights of the first layer", anchor=False)
        st.image(moment.weights, width="stretch", alt=moment.weights_text)
        st.caption(
            f"One picture for each unit, {words.plain(moment.weights_of)}: ink on red "
            "excites the unit, ink on blue inhibits it."
        )
    st.subheader("Mistakes", anchor=False)
    if moment.n_wrong:
        st.caption(
            f"It gets {moment.n_wrong:,} of the {moment.n_validation:,} validation {moment.noun}s "
            "wrong; the most confident mistakes come first. Each is labeled true → answer, with "
            "the confidence in the answer."
        )
        chart.draw(
            moment.mistakes,
            f"Validation {moment.noun}s read wrongly",
            key="mistakes",
            of=run,
            when=when(run, info),
        )
    else:
        st.caption(f"None: it gets all {moment.n_validation:,} validation {moment.noun}s right.")


def _facts(run: Run) -> None:
    """What computed the run, to repeat it."""
    with st.expander("Configuration and machine", icon=":material/receipt_long:"):
        if st.button(
            "Set up a run like this",
            icon=":material/content_copy:",
            on_click=config_form.copy,
            args=(run.config,),
            help="Copies its configuration to the sidebar.",
        ):
            st.rerun()  # the sidebar too, which is no part of this fragment
        st.json(
            {
                "run_id": run.run_id,
                "config": run.config.as_dict(),
                "data_digest": run.data_digest,
                "versions": run.versions,
                "machine": run.machine,
            },
            expanded=True,
        )
