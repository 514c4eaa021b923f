"""A race: a few configurations train side by side from the same seed on the same batches.

A race lives in the store, not in a session: its id is in the address, and everyone who opens that
address sees the same race.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from neuralscope.analysis import comparison
from neuralscope.errors import NeuralScopeError, StoreError
from neuralscope.runs import (
    DIVERGED,
    FAILED,
    FINISHED,
    QUEUED,
    SETTINGS,
    Epochs,
    Run,
    RunConfig,
    races,
)
from neuralscope.runs.curves import epochs_of
from neuralscope.runs.listing import Query, list_runs, still_there
from neuralscope.runs.settings import Choice, ChoicePerLayer
from neuralscope.runs.store import slots
from neuralscope.ui import (
    address,
    chart,
    config_form,
    contestants,
    data_notice,
    place,
    resources,
    run_query,
    run_view,
    turns,
    words,
)
from neuralscope.ui.contestants import Contestant

NEWEST, DEFAULTS, CHOSEN = "newest", "defaults", "chosen"

SHORT = 10
"""Epochs suggested for a race, which is there to be watched."""

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99)
"""Accuracies to be reached that are offered."""

SUGGESTED = {
    "hidden": "32; 128; 128,64",
    "batch_size": "16, 64, 256",
    "momentum": "0, 0.5, 0.9",
    "weight_decay": "0, 0.01, 0.1",
    "optimizer": "sgd, momentum, nesterov",
    "patience": "0, 3",
    "l2": "0, 0.0001, 0.001",
    "l1": "0, 0.00001, 0.0001",
    "dropout": "0, 0.2, 0.5",
    "max_norm": "0, 3",
    "clip_norm": "0, 1",
    "label_smoothing": "0, 0.1",
    "warmup_epochs": "0, 1, 3",
    "decay_every": "2, 5",
    "decay_factor": "0.1, 0.5",
}
"""Values to race with, for the settings that are not a choice from a list."""


def show() -> None:
    """Draw the race that the address names, or the newest one, and the form for a new one."""
    store = resources.store()
    state = st.session_state
    listed = races.recent(store)
    if "race_seen" not in state or address.is_restored():
        state["race_seen"] = st.query_params.get("race") or (listed[0].race_id if listed else None)
    race = None
    if state["race_seen"]:
        try:
            race = races.find(store, state["race_seen"])
        except StoreError as error:
            st.warning(words.plain(str(error)), icon=":material/search_off:")
    address.say(race=race.race_id if race else None)

    # Once a race has started it is what the viewer wants to see, so the form is folded away.
    with st.expander(
        "New race",
        expanded=race is None,
        key=f"race_new_{race.race_id if race else ''}",
        icon=":material/flag:",
    ):
        _form()
    if problem := state.pop("race_problem", None):
        st.error(words.plain(problem), icon=":material/error:")
    if listed:
        _menu(listed, race)
    if race is None:
        if not listed:
            st.info(
                "No race has been run yet. Set one up above: two to six configurations start from "
                "the same seed and learn from the same batches.",
                icon=":material/flag:",
            )
        return
    every = _pace(race)
    st.fragment(_look, run_every=every)(race.race_id, every)


def _menu(listed: Sequence[races.RaceRow], race: races.Race | None) -> None:
    names = {row.race_id: _race_name(row.created, row.size, row.name) for row in listed}
    if race is not None and race.race_id not in names:
        names[race.race_id] = _race_name(race.runs[0].created, len(race.runs), race.runs[0].name)
    shown = race.race_id if race else None
    key = place.take("race_menu", shown)
    st.selectbox(
        "Race",
        list(names),
        index=list(names).index(shown) if shown else None,
        key=key,
        format_func=names.__getitem__,
        placeholder="Choose a race",
        on_change=_turn,
        args=(key,),
    )


def _race_name(created: float, size: int, name: str) -> str:
    when = time.strftime("%d %b %H:%M:%S", time.localtime(created))
    return f"{when} · {size} runs · {name} ..."


def _turn(key: str) -> None:
    if place.is_taken_by("race_menu", key):
        st.session_state["race_seen"] = st.session_state[key]


# A new one ---------------------------------------------------------------------------------------


def _form() -> None:
    """Set up a race and start it."""
    runs = list_runs(resources.store(), Query(limit=1)).runs
    chosen = still_there(resources.store(), st.session_state.get(run_query.key("runs")) or [])
    # All get one seed: what differs in that alone takes part once.
    distinct = list(dict.fromkeys(dataclasses.replace(run.config, seed=0) for run in chosen))
    bases: dict[str, str] = {}
    if races.FEWEST <= len(distinct) <= races.MOST:
        bases[CHOSEN] = f"The {len(distinct)} configurations of the selected runs, unchanged"
    if runs:
        bases[NEWEST] = f"Newest run: {runs[0].name}"
    bases |= {run.run_id: f"Selected run: {run.name}" for run in chosen[: races.MOST]}
    bases[DEFAULTS] = "The defaults"
    base_name = st.selectbox(
        "Start from",
        list(bases),
        key="race_base",
        format_func=lambda name: bases.get(name, name),
        help="The settings that the runs of the race share. Tick runs under All runs to race them "
        "as they are.",
    )
    by_id = {run.run_id: run for run in chosen}
    field, text = "", ""
    if base_name == CHOSEN:
        base = chosen[0].config
    else:
        base = _base(base_name, runs, by_id)
        field, text = _varied(base_name, base)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        epochs = st.number_input(
            "Epochs", 1, 10_000, min(base.epochs, SHORT), key=f"race_epochs_{base_name}", width=140
        )
        seed = st.number_input(
            "Seed", 0, 2**32 - 1, base.seed, key=f"race_seed_{base_name}", width=140
        )
    configs: list[RunConfig] = []
    try:
        given = (
            distinct
            if base_name == CHOSEN
            else races.vary(base, field, races.read_values(field, text))
        )
        configs = races.line_up(given, int(seed), int(epochs))
    except NeuralScopeError as error:
        st.error(words.plain(str(error)), icon=":material/error:")
    is_here = data_notice.is_ready(base.dataset)
    if not is_here:
        st.warning(
            f"{words.plain(config_form.title(base.dataset))} is not on this computer yet. Download "
            "it on the Train page.",
            icon=":material/cloud_download:",
        )
    st.button(
        f"Start race of {len(configs)}" if configs else "Start race",
        icon=":material/flag:",
        type="primary",
        disabled=not configs or not is_here,
        key="race_start",
        on_click=_start,
        args=(configs,),
    )
    if len(configs) > slots():
        st.caption(_queue_words(len(configs)))


def _base(name: str, newest: Sequence[Run], chosen: Mapping[str, Run]) -> RunConfig:
    if name == DEFAULTS:
        return RunConfig()
    return newest[0].config if name == NEWEST else chosen[name].config


def _varied(base_name: str, base: RunConfig) -> tuple[str, str]:
    """Return the setting that is varied, and its values as text."""
    names = [name for name in races.VARIED if base.uses(name)]
    names.remove("learning_rate")
    names.insert(0, "learning_rate")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        field = st.selectbox(
            "Vary",
            names,
            key=f"race_field_{base_name}",
            format_func=lambda name: SETTINGS[name].label,
            width=260,
        )
        text = st.text_input(
            "Values",
            suggest(field, base),
            key=f"race_values_{base_name}_{field}",
            max_chars=300,
            help="Two to six values, separated by semicolons. Each must be "
            f"{SETTINGS[field].allowed}.",
        )
    return field, text


def suggest(field: str, base: RunConfig) -> str:
    """Return values of a setting to race with, as text; all fit the rest of `base`."""
    setting = SETTINGS[field]
    if field == "learning_rate":
        rate = base.learning_rate
        near = {rate, float(f"{rate / 4:.1g}"), float(f"{min(rate * 4, 10):.1g}")}
        return "; ".join(f"{value:g}" for value in sorted(near) if value >= 1e-5)
    if field in SUGGESTED:
        return SUGGESTED[field]
    if isinstance(setting, Choice | ChoicePerLayer):
        return "; ".join(setting.names[: races.MOST])
    return setting.text(getattr(base, field))


def _start(configs: Sequence[RunConfig]) -> None:
    try:
        st.session_state["race_seen"] = races.start(resources.store(), configs)
    except NeuralScopeError as error:
        st.session_state["race_problem"] = str(error)


def _queue_words(n_runs: int) -> str:
    at_once = slots()
    many = "one run" if at_once == 1 else f"{at_once} runs"
    return (
        f"This machine trains {many} at a time; the rest of the {n_runs} wait in the queue. "
        "This does not affect the result: accuracies are compared at the same epoch, and only "
        "training time counts."
    )


# The race ----------------------------------------------------------------------------------------


def _pace(race: races.Race) -> float | None:
    """Return the seconds until the next look, or None where nothing moves by itself."""
    return turns.pace() if race.is_active else None


@turns.take()
def _look(race_id: str, every: float | None) -> None:
    store = resources.store()
    try:
        race = races.find(store, race_id)
    except StoreError:
        st.rerun()  # its runs are gone: the page says so
    if _pace(race) != every or st.session_state.pop("race_turned", False):
        st.rerun()
    epochs = epochs_of(store, [run.run_id for run in race.runs])
    field = contestants.gather(race.runs, together=False)
    _headline(race)
    _sentences(race, field, epochs)
    contestants.draw_curves(field, epochs, key="race", live=race.is_active)
    level = _level(race, epochs)
    _table(race, field, epochs, level)
    st.caption(_fairness(race))


def _headline(race: races.Race) -> None:
    n_waiting = sum(run.status == QUEUED for run in race.runs)
    with st.container(horizontal=True, vertical_alignment="center", key="race_head"):
        first = race.runs[0].config
        st.subheader(
            f"{len(race.runs)} runs, {first.epochs:,} epochs, seed {first.seed}",
            anchor=False,
            width="content",
        )
        if race.is_active:
            st.badge("Running", color="blue", icon=":material/directions_run:")
            st.button(
                "Stop all",
                icon=":material/stop:",
                key="race_stop",
                on_click=_stop,
                args=(race.race_id,),
                help="Stops all runs of this race. What they have learned is kept.",
            )
        else:
            st.badge("Ended", color="green", icon=":material/sports_score:")
            st.button(
                "Compare these runs",
                icon=":material/compare_arrows:",
                key="race_compare",
                on_click=_compare,
                args=([run.run_id for run in race.runs],),
            )
    if problem := st.session_state.pop("race_stop_problem", None):
        st.error(words.plain(problem), icon=":material/error:")
    if n_waiting and n_waiting + slots() >= len([run for run in race.runs if run.is_active]):
        wait = "1 run waits" if n_waiting == 1 else f"{n_waiting} runs wait"
        st.info(f"{wait} in the queue. {_queue_words(len(race.runs))}",
                icon=":material/hourglass_empty:")  # fmt: skip


def _stop(race_id: str) -> None:
    try:
        races.stop(resources.store(), race_id)
    except NeuralScopeError as error:
        st.session_state["race_stop_problem"] = str(error)


def _compare(run_ids: list[str]) -> None:
    run_query.choose(run_ids)
    run_query.put("view", "compare")
    st.session_state["race_turned"] = True  # the whole page, not only this part of it


def _sentences(race: races.Race, field: Sequence[Contestant], epochs: Mapping[str, Epochs]) -> None:
    scores, epoch = standing(race, epochs)
    said = comparison.tell_race(
        comparison.standings(scores),
        [each.name for each in field],
        titles=[f"{each.name} ({each.label})" for each in field],
        epoch=epoch,
    )
    out = [
        each.name
        for each, run in zip(field, race.runs, strict=True)
        if run.status in (DIVERGED, FAILED)
    ]
    if out:
        said += f" Out of the race: {', '.join(out)}."
    unseen = [
        each.name
        for each, score, run in zip(field, scores, race.runs, strict=True)
        if math.isnan(score) and run.status not in (DIVERGED, FAILED)
    ]
    if unseen and len(unseen) < len(field):
        said += f" No epoch yet: {', '.join(unseen)}."
    st.markdown(f"**{words.plain(said)}**")


def standing(race: races.Race, epochs: Mapping[str, Epochs]) -> tuple[list[float], int | None]:
    """Return the accuracy by which each run is placed, and the epoch at which they are compared.

    A run that has diverged or failed is out of the race, and a run that has not completed an epoch
    has no score yet: both are NaN. The epoch is the last one that all others have completed, or
    None when all of them have finished: then the final results count.
    """
    inside = [run for run in race.runs if run.status not in (DIVERGED, FAILED)]
    if inside and all(run.status == FINISHED for run in inside):
        return [_final(run, epochs) if run in inside else math.nan for run in race.runs], None
    begun = {
        run.run_id: epochs[run.run_id] for run in inside if _trained_epochs(epochs[run.run_id])
    }
    if not begun:
        return [math.nan] * len(race.runs), 0
    last = min(int(found.epoch[-1]) for found in begun.values())
    scores = [math.nan] * len(race.runs)
    for i, run in enumerate(race.runs):
        if run.run_id in begun:
            found = begun[run.run_id]
            # Of a very long run not every epoch is read: then the one before it.
            at = np.searchsorted(found.epoch, last, side="right") - 1
            scores[i] = float(found.validation_accuracy[at])
    return scores, last


def _trained_epochs(epochs: Epochs) -> bool:
    return len(epochs.epoch) > 0 and int(epochs.epoch[-1]) > 0


def _final(run: Run, epochs: Mapping[str, Epochs]) -> float:
    # With patience, the weights of the best epoch are what the run ends with.
    which = "best" if run.config.patience else "last"
    return contestants.result(run, epochs[run.run_id], which)


def _level(race: races.Race, epochs: Mapping[str, Epochs]) -> float:
    """Return the accuracy whose time counts: the chosen one, or the highest that two reached."""
    best = sorted(
        (float(epochs[run.run_id].validation_accuracy.max(initial=0)) for run in race.runs),
        reverse=True,
    )
    second = best[1] or best[0] if len(best) > 1 else best[0]
    by_itself = max((level for level in LEVELS if level <= second), default=LEVELS[0])
    chosen = st.selectbox(
        "Time to an accuracy of",
        [0.0, *LEVELS],
        key="race_level",
        format_func=lambda level: (
            f"{100 * level:g} %" if level else "the highest reached by two runs"
        ),
        width=280,
    )
    return float(chosen) or by_itself


def _table(
    race: races.Race, field: Sequence[Contestant], epochs: Mapping[str, Epochs], level: float
) -> None:
    reached = [
        comparison.first_reached(found.epoch, found.seconds, found.validation_accuracy, level)
        for found in (epochs[run.run_id] for run in race.runs)
    ]
    names = [each.name for each in field]
    st.markdown(
        words.plain(comparison.tell_reached(reached, names, level, over=not race.is_active))
    )
    scores, epoch = standing(race, epochs)
    places = {each.contestant: each for each in comparison.standings(scores)}
    rows: list[dict[str, Any]] = []
    for i, (each, run) in enumerate(zip(field, race.runs, strict=True)):
        place, there = places.get(i), reached[i]
        rows.append(
            {
                "Place": str(place.place) if place else "–",
                "Run": each.name,
                "Settings": each.label,
                "Status": run_view.BADGES[run.status][0],
                "Epoch": f"{run.epoch:,} of {run.config.epochs:,}",
                f"Accuracy after epoch {epoch}" if epoch else "Accuracy": words.percent(
                    place.score if place else None
                ),
                f"Time to {100 * level:g} %": words.duration(there.seconds) if there else "–",
                "Training time": words.duration(run.seconds) if run.seconds else "–",
            }
        )
    rows.sort(key=lambda row: (row["Place"] == "–", row["Place"]))
    chart.grid(pd.DataFrame(rows), hide_index=True, key="race_table")


def _fairness(race: races.Race) -> str:
    configs = [run.config for run in race.runs]
    starts = {(c.hidden, c.activation, c.initializer) for c in configs}
    if len({config.batch_size for config in configs}) > 1:
        batches = "see the examples in the same order, cut into batches of different sizes"
    else:
        batches = "learn from the same batches in the same order"
    weights = "with the same weights, " if len(starts) == 1 else ""
    return (
        f"All start from seed {configs[0].seed}, {weights}and {batches}. One race uses one seed. "
        "To find out whether the winner is really better, compare over several seeds."
    )
