"""Several runs against each other: their curves, what differs, and which one is better.

Runs that differ in the seed only are one contestant, drawn as their mean with a band from the
lowest to the highest. Whether one contestant is better than another is answered over the seeds they
share; missing runs can be trained from here.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from neuralscope.analysis import comparison
from neuralscope.analysis.comparison import ENOUGH_SEEDS, differing
from neuralscope.charts import comparison as drawing
from neuralscope.errors import NeuralScopeError
from neuralscope.exports.differences import DIGEST_SHOWN, changes, settings, start
from neuralscope.runs import SETTINGS, Epochs, Run, RunConfig, is_description, launch
from neuralscope.runs.curves import epochs_of
from neuralscope.runs.listing import still_there
from neuralscope.ui import chart, contestants, resources, run_query, run_view, turns, words
from neuralscope.ui.contestants import RESULTS, Contestant

LOG_SETTINGS = frozenset(
    {"learning_rate", "weight_decay", "batch_size", "l1", "l2", "max_norm", "clip_norm"}
)
"""Settings of which a ratio, and not a difference, is what matters."""

MOST_AXES = 7
MOST_SENTENCES = 12
"""Contestants that get a sentence each; the curves and the table show all of them."""

MOST_TRAINED_AT_ONCE = 12
MOST_SEEDS = 20


def show(runs: Sequence[Run]) -> None:
    """Draw the comparison of `runs`; go on drawing while any of them is active."""
    if len(runs) < 2:
        st.info(
            "Select two or more runs above, or tick them under All runs, to compare them.",
            icon=":material/compare_arrows:",
        )
        return
    every = _pace(runs)
    run_ids = tuple(run.run_id for run in runs)
    st.fragment(_look, run_every=every)(run_ids, every)


def _pace(runs: Sequence[Run]) -> float | None:
    """Return the seconds until the next look, or None where nothing moves by itself."""
    return turns.pace() if any(run.is_active for run in runs) else None


@turns.take()
def _look(run_ids: tuple[str, ...], every: float | None) -> None:
    if st.session_state.pop("compare_grown", False):
        st.rerun()
    store = resources.store()
    runs = still_there(store, run_ids)
    if len(runs) < 2 or _pace(runs) != every:
        st.rerun()  # one has gone, the last one has ended, or another pace: the page decides
    parents = [run.parent_id for run in runs if run.parent_id]
    epochs = epochs_of(store, [*run_ids, *parents])

    together = False
    if contestants.have_company(runs):
        together = st.toggle(
            "Group seeds",
            value=True,
            key="compare_together",
            help="Draws runs that differ only in the seed as one: their mean, and a band from the "
            "lowest to the highest. The thin lines are the individual runs.",
        )
    found = contestants.gather(runs, together=together)
    _sentences(found, epochs)
    if len({(run.config.dataset, run.data_digest) for run in runs if run.data_digest}) > 1:
        st.warning(
            "These runs were trained on different data, so one may be ahead only because its data "
            "is easier.",
            icon=":material/balance:",
        )
    contestants.draw_curves(found, epochs, key="compare", live=every is not None)
    if any(each.is_fork for each in found):
        st.caption("A ring marks where a fork leaves its parent run.")

    st.subheader("What differs", anchor=False)
    table = differences(found, epochs)
    if len(table):
        chart.grid(
            table,
            hide_index=True,
            key="compare_table",
            height="content",
            column_config={"What": st.column_config.Column(pinned=True, width=190)},
        )
    else:
        st.caption("Nothing: settings, data, versions and results are the same.")
    which = _result_menu()
    _parallel(runs, epochs, which, together=together, live=every is not None)
    _better(found, epochs, which)


# In sentences ------------------------------------------------------------------------------------


def _sentences(found: Sequence[Contestant], epochs: Mapping[str, Epochs]) -> None:
    if len(found) == 1:
        st.markdown(_one_kind(found[0], epochs))
        return
    first = found[0]
    told = found[1 : 1 + MOST_SENTENCES]
    names = _names(found)
    _list([tell(first, other, epochs, names) for other in told])
    if more := len(found) - 1 - len(told):
        st.caption(f"And {more:,} more, which the curves and the table show.")


def _list(sentences: Sequence[str]) -> None:
    lines = [words.plain(sentence) for sentence in sentences]
    st.markdown("\n".join(f"- {line}" for line in lines) if len(lines) > 1 else lines[0])


def _names(found: Sequence[Contestant]) -> dict[str, str]:
    """Return the letters of the runs that are compared, by their ids."""
    return {run.run_id: each.name for each in found for run in each.runs}


def tell(
    first: Contestant,
    other: Contestant,
    epochs: Mapping[str, Epochs],
    names: Mapping[str, str],
) -> str:
    """Say in a sentence how a contestant differs from the first, and how it fared.

    Args:
        first: The first.
        other: The other.
        epochs: Of their runs.
        names: What the runs that are compared are called, by their ids.
    """
    gap = comparison.gap(
        contestants.accuracy_curve(first, epochs), contestants.accuracy_curve(other, epochs)
    )
    last = {
        int(epochs[run.run_id].epoch[-1])
        for run in (*first.runs, *other.runs)
        if len(epochs[run.run_id].epoch)
    }
    ended = not any(run.is_active for run in (*first.runs, *other.runs))
    return comparison.tell_difference(
        first.name,
        other.name,
        changes(
            first.first,
            other.first,
            names,
            contestants.value_words,
            # Of several seeds each, none is the setting.
            leave_out=("seed",) if len(first.runs) + len(other.runs) > 2 else (),
        ),
        gap,
        ended=ended and gap is not None and last == {gap.epoch},
    )


def _one_kind(contestant: Contestant, epochs: Mapping[str, Epochs]) -> str:
    ends = list(contestants.results_by_seed(contestant, epochs, "last").values())
    said = (
        f"These {len(contestant.runs)} runs share one configuration, trained with "
        f"{len(contestant.seeds)} {'seed' if len(contestant.seeds) == 1 else 'seeds'}"
    )
    if not ends:
        return f"{said}; none has finished yet."
    return (
        f"{said}. They end at {words.percent(sum(ends) / len(ends))} validation accuracy on "
        f"average, from {words.percent(min(ends))} to {words.percent(max(ends))}."
    )


# The table ---------------------------------------------------------------------------------------


def differences(found: Sequence[Contestant], epochs: Mapping[str, Epochs]) -> pd.DataFrame:
    """Return what is not the same for all contestants: a row each, a column a contestant."""
    names = _names(found)
    records = [
        {
            **setting,
            **_start_row(each, names),
            **{f"Version of {name}": version for name, version in each.first.versions.items()},
            **_result_row(each, epochs),
        }
        for each, setting in zip(found, _setting_rows(found), strict=True)
    ]
    rows = [
        (name, *("–" if value is None else value for value in values))
        for name, values in differing(records).items()
    ]
    return pd.DataFrame(rows, columns=["What", *(each.name for each in found)])


def _setting_rows(found: Sequence[Contestant]) -> list[dict[str, str]]:
    rows = []
    for each in found:
        row = {
            SETTINGS[name].label: contestants.value_words(name, value)
            for name, value in settings(each.first).items()
        }
        row[SETTINGS["seed"].label] = ", ".join(map(str, each.seeds))
        rows.append(row)
    # All of them in each, in the order of the form: one may use a setting that the first does not.
    order = [setting.label for setting in SETTINGS.values()]
    return [{name: row.get(name, "–") for name in order} for row in rows]


def _start_row(contestant: Contestant, names: Mapping[str, str]) -> dict[str, str]:
    digest = contestant.first.data_digest[:DIGEST_SHOWN]
    return {"Data digest": digest or "–", "Start": start(contestant.first, names)}


def _result_row(contestant: Contestant, epochs: Mapping[str, Epochs]) -> dict[str, str]:
    runs = contestant.runs
    row = {
        "Status": ", ".join(dict.fromkeys(run_view.BADGES[run.status][0] for run in runs)),
        "Epochs trained": _mean([run.epoch for run in runs], lambda value: f"{value:.0f}"),
    }
    for which, title in RESULTS.items():
        values = [contestants.result(run, epochs[run.run_id], which) for run in runs]
        row[title] = _mean(values, words.percent)
    row["Best epoch"] = _mean([run.best_epoch for run in runs], lambda value: f"{value:.0f}")
    row["Test loss"] = _mean([run.test_loss for run in runs], lambda value: f"{value:.4g}")
    row["Training time"] = _mean([run.seconds or None for run in runs], words.duration)
    row["Digits per second"] = _mean(
        [run.samples_per_second for run in runs], lambda value: f"{value:,.0f}"
    )
    return row


def _mean(values: Sequence[float | None], write: Callable[[float], str]) -> str:
    """Write the mean of what there is, with lowest and highest where they differ."""
    known = [value for value in values if value is not None and not math.isnan(value)]
    if not known:
        return "–"
    mean = write(sum(known) / len(known))
    low, high = write(min(known)), write(max(known))
    return mean if low == high else f"{mean} ({low} to {high})"


# Parallel coordinates ----------------------------------------------------------------------------


def _result_menu() -> str:
    which = st.selectbox(
        "Result",
        list(RESULTS),
        key="compare_result",
        format_func=RESULTS.__getitem__,
        width=320,
        help="What the runs are judged by below. The best epoch was chosen on the validation data, "
        "so its accuracy there is slightly optimistic. The test data was used for nothing else.",
    )
    return str(which)


def _parallel(
    runs: Sequence[Run], epochs: Mapping[str, Epochs], which: str, *, together: bool, live: bool
) -> None:
    """Draw a line through the settings for each run."""
    each_run = [settings(run) for run in runs]
    varied = [
        name
        for name, values in differing(each_run).items()
        # What is used or not, but has no two values, goes with what makes it be used.
        if len({value for value in values if value is not None}) > 1
        and not (together and name == "seed")
    ][: MOST_AXES - 1]
    if not varied or len(runs) < 3:
        return
    results = [contestants.result(run, epochs[run.run_id], which) for run in runs]
    axes = [_axis(name, [each.get(name) for each in each_run]) for name in varied]
    outcome = comparison.number_axis(results)
    axes.append(
        drawing.ParallelAxis(
            "Test\naccuracy" if which == "test" else "Validation\naccuracy",
            outcome.positions,
            [(at, words.percent(value)) for at, value in outcome.ticks],
        )
    )
    names = [
        run.name
        if is_description(run.name, run.config)  # which names the seed already
        else f"{run.name} (seed {run.config.seed})"
        for run in runs
    ]
    figure = drawing.parallel_coordinates(axes, names, results, result_title=RESULTS[which])
    st.subheader("Settings and result", anchor=False)
    chart.draw(figure, "Settings of the runs", key="compare_parallel", live=live)
    st.caption(
        "Each line is a run, from its settings on the left to its result on the right; greener is "
        "better. Where lines of one color bundle, that setting matters. Learning rate, batch size "
        "and penalties are on a logarithmic scale, with zero at the bottom."
    )


def _axis(name: str, values: Sequence[Any]) -> drawing.ParallelAxis:
    if contestants.is_number(name):
        axis = comparison.number_axis(values, log=name in LOG_SETTINGS)
    else:
        axis = comparison.name_axis(
            [value if value is None or name == "hidden" else contestants.value_words(name, value)
             for value in values]
        )  # fmt: skip
    title = SETTINGS[name].label + (" (log)" if axis.is_log else "")
    ticks = []
    for at, value in axis.ticks:
        is_text = isinstance(value, str)
        ticks.append((at, value if is_text else contestants.value_words(name, value)))
    return drawing.ParallelAxis(_title(title), axis.positions, ticks)


def _title(text: str) -> str:
    """Break a long title in two near its middle."""
    if len(text) <= 14 or " " not in text:
        return text
    spaces = [i for i, each in enumerate(text) if each == " "]
    middle = min(spaces, key=lambda i: abs(i - len(text) / 2))
    return f"{text[:middle]}\n{text[middle + 1 :]}"


# Is it really better -----------------------------------------------------------------------------


def _better(found: Sequence[Contestant], epochs: Mapping[str, Epochs], which: str) -> None:
    if len(found) < 2:
        rivals: list[Contestant] = []
        title = "How much is due to chance?"
    else:
        title = (
            f"Is {found[0].name} really better than {found[1].name}?"
            if len(found) == 2
            else "Which is really better?"
        )
    st.subheader(words.plain(title), anchor=False)
    if problem := st.session_state.pop("compare_problem", None):
        st.error(words.plain(problem), icon=":material/error:")
    if len(found) > 1:
        names = [each.name for each in found]
        first = found[0]
        if len(found) > 2:
            chosen = st.selectbox(
                "Compare with",
                names,
                key="compare_with",
                format_func=lambda name: f"{name} · {found[names.index(name)].label}",
                width=320,
            )
            first = found[names.index(chosen)]
        rivals = [each for each in found if each is not first][:MOST_SENTENCES]
        _verdicts(first, rivals, epochs, which)
    if len(found) == 1 or sum(not each.is_fork for each in found) > 1:
        _missing_seeds(found)


def _verdicts(
    first: Contestant, rivals: Sequence[Contestant], epochs: Mapping[str, Epochs], which: str
) -> None:
    results = {
        each.name: contestants.results_by_seed(each, epochs, which) for each in (first, *rivals)
    }
    paired = {
        each.name: comparison.paired_difference(results[first.name], results[each.name])
        for each in rivals
    }
    said = [comparison.tell_paired(first.name, name, each) for name, each in paired.items()]
    if len(said) > 1 and not any(each.has_interval for each in paired.values()):
        said = [  # the same for each of them would be a long list of little
            f"{first.name} has at most one finished seed in common with each of the others, too "
            f"few to rule out chance; {ENOUGH_SEEDS} seeds are a good number."
        ]
    _list(said)
    drawn = {name: each for name, each in paired.items() if each.seeds}
    if any(each.has_interval for each in drawn.values()):
        figure = drawing.difference_intervals(
            [f"{first.name} - {name}" for name in drawn],
            [each.differences for each in drawn.values()],
            [each.mean for each in drawn.values()],
            [each.low for each in drawn.values()],
            [each.high for each in drawn.values()],
        )
        chart.draw(figure, "Differences between runs", key="compare_intervals")
        chance = ""
        if len(drawn) > 2:
            chance = " On average one in twenty such intervals misses the true difference."
        st.caption(
            "Circles: the difference for each shared seed. Diamond: their mean. Line: the 95 % "
            "confidence interval (Student's t). Right of zero, "
            f"{words.plain(first.name)} is better.{chance}"
        )


def missing_seeds(found: Sequence[Contestant], n_seeds: int) -> list[RunConfig]:
    """Return what must be trained for every contestant to have the same seeds, this many at least.

    The seeds are those that any has, and then the smallest that none has. A fork is left out: it
    goes on from one run, and has that run's seed.
    """
    able = [each for each in found if not each.is_fork]
    seeds = sorted({seed for each in able for seed in each.seeds})
    unused = (seed for seed in itertools.count() if seed not in seeds)
    while len(seeds) < n_seeds:
        seeds.append(next(unused))
    # Seed by seed, so that the first ones to end can be compared.
    return [
        dataclasses.replace(each.first.config, seed=seed)
        for seed in sorted(seeds)
        for each in able
        if seed not in each.seeds
    ]


def _missing_seeds(found: Sequence[Contestant]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", key="compare_seeds"):
        n_seeds = st.number_input(
            "Seeds per configuration",
            2,
            MOST_SEEDS,
            ENOUGH_SEEDS,
            key="compare_n_seeds",
            width=200,
            help="Every configuration gets this many seeds, the same ones for all.",
        )
        missing = missing_seeds(found, int(n_seeds))
        now = missing[:MOST_TRAINED_AT_ONCE]
        if not missing:
            text = "No runs missing"
        elif len(now) < len(missing):
            text = f"Train {len(now)} of the {len(missing)} missing runs"
        else:
            text = (
                "Train the missing run" if len(now) == 1 else f"Train the {len(now)} missing runs"
            )
        run_ids = [run.run_id for each in found for run in each.runs]
        st.button(
            text,
            icon=":material/playlist_add:",
            disabled=not missing,
            on_click=_train,
            args=(run_ids, now),
            key="compare_train",
            help="Queues these runs. They join this comparison and train one after the other.",
        )


def _train(run_ids: Sequence[str], configs: Sequence[RunConfig]) -> None:
    started = []
    try:
        for config in configs:
            started.append(launch(resources.store(), config))
    except NeuralScopeError as error:
        st.session_state["compare_problem"] = str(error)
    if started:
        run_query.choose([*run_ids, *started])
        st.session_state["compare_grown"] = True  # the whole page must be drawn with them
