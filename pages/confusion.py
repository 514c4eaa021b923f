"""Which digit is taken for which, how good each is read, and whether to believe it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from neuralscope import analysis, charts
from neuralscope.errors import NeuralScopeError
from neuralscope.ui import address, chart, digits_shown, frame, page_numbers, scrubber, words
from neuralscope.ui.moment import SPLITS, Key, Moment

OF, FIGURES = "validation", "count"
SHOW = {"count": "Counts", "share": "Share of each digit", "errors": "Errors only"}
CHANGED = ("right", "wrong")
MOST_PAIRS = 5
FEW, MANY = 12, 24  # digits of a page of a gallery
WIDE, NARROW = 512, 436  # pixels of two columns on a laptop; on a telephone they wrap
METRIC_WIDTH = 180
THRESHOLDS = [*(percent / 100 for percent in range(100)), 0.995, 0.999, 0.9995, 0.9999]


class Report(NamedTuple):
    """All that depends on the moment and the split only."""

    answers: analysis.Answers
    counts: npt.NDArray[np.int64]
    scores: analysis.ClassScores
    reliability: analysis.Reliability
    refusals: analysis.RefusalCurve


@st.cache_resource(show_spinner=False, max_entries=64)
def report(key: Key, split: str, _now: Moment) -> Report:
    answers = analysis.read_answers(_now.probabilities(split), _now.labels(split))
    counts = analysis.confusion_counts(answers.true, answers.predicted, _now.data.n_classes)
    return Report(
        answers,
        counts,
        analysis.score_classes(counts),
        analysis.reliability(answers.confidence, answers.is_right),
        analysis.refusal_curve(answers.confidence, answers.is_right),
    )


def draw(now: Moment) -> None:
    split, show = choose(now)
    found = report(now.key, split, now)
    headline(now, found, split)
    matrix(now, found, split, show)
    each_digit(now, found)
    comparison(now, found, split)
    how_sure(now, found)


# What to look at ---------------------------------------------------------------------------------


def choose(now: Moment) -> tuple[str, str]:
    """Let the user choose the digits and the figures; the address says both."""
    read_address(now)
    state = st.session_state
    with st.container(horizontal=True, vertical_alignment="bottom", key="choices"):
        split = st.segmented_control(
            now.things.capitalize(),
            list(SPLITS),
            required=True,
            key="confusion_of",
            format_func=SPLITS.__getitem__,
            on_change=settle,
            help=f"It has learned from neither. The validation {now.things} are there to choose "
            f"settings by, the test {now.things} for the last word.",
        )
        show = st.segmented_control(
            "Figures",
            list(SHOW),
            required=True,
            key="confusion_show",
            format_func=lambda each: SHOW[each].replace("digit", now.class_noun),
            on_change=settle,
        )
    opened = state.get("confusion_cell")
    address.say(
        of=None if split == OF else split,
        show=None if show == FIGURES else show,
        cell="{}-{}".format(*opened) if opened else None,
    )
    address.complain(state["confusion_problems"])
    return split, show


def read_address(now: Moment) -> None:
    """Take over what the address asks for, when the page is opened."""
    state = st.session_state
    # A browser that has lost the first of two quick redraws sends back that nothing is chosen.
    if state.get("confusion_of") and state.get("confusion_show"):
        return
    reader = address.Reader()
    state["confusion_of"] = reader.one_of("of", SPLITS) or OF
    state["confusion_show"] = reader.one_of("show", SHOW) or FIGURES
    if asked := reader.text("cell"):
        n = now.data.n_classes
        cells = {f"{true}-{taken}": (true, taken) for true in range(n) for taken in range(n)}
        state["confusion_cell"] = cells.get(asked)
        if asked not in cells:
            reader.note("cell", f"must be two classes from 0 to {n - 1}, such as 4-9")
    if changed := reader.one_of("changed", CHANGED):
        state["confusion_changed"] = changed
    state["confusion_problems"] = reader.problems


def settle() -> None:
    """What was wrong in the address is past once somebody has chosen."""
    st.session_state["confusion_problems"] = []


def headline(now: Moment, found: Report, split: str) -> None:
    n, n_right = len(found.answers.true), int(found.answers.is_right.sum())
    with st.container(horizontal=True, key="headline"):
        st.metric(f"{SPLITS[split]} accuracy", words.percent(n_right / n), width=METRIC_WIDTH)
        st.metric("Errors", f"{n - n_right:,} of {n:,}", width=METRIC_WIDTH)
        st.metric(
            "F1, macro average",
            words.percent(found.scores.macro.f1),
            width=METRIC_WIDTH,
            help=f"The harmonic mean of precision and recall, averaged over the {now.classes}.",
        )
        st.metric(
            "Calibration error",
            words.percent(found.reliability.error),
            width=METRIC_WIDTH,
            help="How far its confidence is from the share it gets right (ECE, "
            f"{analysis.N_BINS} bins of equal width).",
        )


# The matrix --------------------------------------------------------------------------------------


def matrix(now: Moment, found: Report, split: str, show: str) -> None:
    names = now.data.class_names
    figure = charts.confusion_matrix(
        found.counts,
        class_names=names,
        show=show,  # type: ignore[arg-type]
        noun=now.class_noun,
    )
    side_by_side = st.container(horizontal=True, gap="medium", key="matrix_row")
    with side_by_side.container(width=WIDE):
        st.subheader("Confusion matrix", anchor=False)
        chart.draw(
            figure,
            "Confusion matrix",
            key="matrix",
            of=now,
            on_select=open_selected,
        )
        what = {
            "count": f"how many {now.things}",
            "share": "what percentage of its row",
            "errors": f"how many {now.things}, without the right answers",
        }[show]
        st.caption(
            f"Each row is a true {now.class_noun}, each column an answer; a cell says {what}. "
            f"Right answers lie on the diagonal. Click a cell to see its {now.things}."
        )
    with side_by_side.container(width=NARROW, gap="xxsmall"):
        st.subheader("Most confused", anchor=False)
        pairs = analysis.most_confused(found.counts, MOST_PAIRS)
        if not pairs:
            st.caption(f"Nothing: every {now.thing} is read right.")
        for pair in pairs:
            pair_button(now, pair)
        if pairs:
            st.caption(f"Click a pair to see its {now.things}.")
    cell(now, found, split)


def pair_button(now: Moment, pair: analysis.Confusion) -> None:
    true, taken = now.called(pair.true), now.called(pair.predicted)
    of = f"all {true}s" if now.class_noun == "digit" else "its class"
    times = "once" if pair.times == 1 else f"{pair.times:,} times"
    st.button(
        f"**{true}** taken for **{taken}**: {times}, {words.percent(pair.share, 1)} of {of}",
        key=f"pair_{pair.true}_{pair.predicted}",
        type="tertiary",
        on_click=open_cell,
        args=(pair.true, pair.predicted),
        help=f"Shows these {now.things} below.",
    )


def open_selected() -> None:
    """Open the cell that was clicked, or close it if it was clicked again."""
    clicked = st.session_state["matrix"]["selection"]["cell"]
    if clicked:
        open_cell(clicked[0]["true"], clicked[0]["predicted"])
    else:
        st.session_state.pop("confusion_cell", None)


def open_cell(true: int, predicted: int) -> None:
    st.session_state["confusion_cell"] = (true, predicted)


def cell(now: Moment, found: Report, split: str) -> None:
    """Show the digits of the open cell."""
    opened = st.session_state.get("confusion_cell")
    names = now.data.class_names
    if opened is None or max(opened) >= len(names):
        return
    true, predicted = opened
    index = found.answers.in_cell(true, predicted)
    this, that = (words.plain(names[c]) for c in opened)
    what = f"{this} recognised" if true == predicted else f"{this} taken for {that}"
    noun = now.thing if len(index) == 1 else now.things
    st.subheader(f"{what}: {len(index):,} {noun}", anchor=False)
    if len(index):
        st.caption(f"The surest answers first, with the confidence in them. Click a {now.thing}.")
        gallery(now, split, index, found.answers, key=f"cell_{true}_{predicted}", fit=MANY)
    else:
        st.caption(f"No {now.thing} is in this cell.")


def gallery(
    now: Moment,
    split: str,
    index: npt.NDArray[np.int64],
    said: analysis.Answers,
    *,
    key: str,
    fit: int,
) -> None:
    """Show digits a page at a time, and lead from the one that is clicked to its explanation."""
    key = f"{key}_{split}"
    n_pages = -(-len(index) // fit)
    page = 1
    if n_pages > 1:
        # Another number of pages, another control: the page it was on may be gone.
        page = page_numbers.choose(n_pages, key=f"{key}_page_of_{n_pages}")
    shown = index[(page - 1) * fit : page * fit]
    names = now.data.class_names
    figure = digits_shown.figure(now, split, shown, said)
    event = chart.draw(
        figure,
        now.things.capitalize(),
        key=f"{key}_digits",
        of=now,
        on_select="rerun",
    )
    clicked = event["selection"]["picture"]
    chosen = clicked[0]["index"] if clicked else None
    if chosen not in shown:
        return
    true, taken = (words.plain(names[each[chosen]]) for each in (said.true, said.predicted))
    sure = words.percent(float(said.confidence[chosen]))
    with st.container(horizontal=True, vertical_alignment="center", key=f"{key}_chosen"):
        st.markdown(
            f"{now.thing.capitalize()} {chosen:,}, a **{true}**, answered **{taken}** with {sure} "
            "confidence.",
            width="content",
        )
        frame.link(
            "Mistakes",
            "Why?",
            icon=":material/psychology_alt:",
            otherwise="Why? Look it up on the page Mistakes.",
            query={"digit": str(chosen), "of": split},
        )


# Each digit --------------------------------------------------------------------------------------


def each_digit(now: Moment, found: Report) -> None:
    st.subheader(f"Accuracy of each {now.class_noun}", anchor=False)
    scores, names = found.scores, now.data.class_names
    figure = charts.class_scores(
        scores.precision,
        scores.recall,
        scores.f1,
        scores.support,
        class_names=names,
        noun=now.class_noun,
    )
    side_by_side = st.container(horizontal=True, gap="medium", key="scores_row")
    with side_by_side.container(width=WIDE):
        chart.table(
            score_table(scores, names, now.class_noun.capitalize()),
            f"Scores of each {now.class_noun}",
            key="score_table",
            of=now,
        )
    with side_by_side.container(width=NARROW):
        chart.draw(figure, f"Precision and recall of each {now.class_noun}", key="scores", of=now)
    st.caption(
        f"{of_one(now)} **F1** is their harmonic mean, **support** how many there are. The macro "
        f"average counts each {now.class_noun} the same, the weighted one by its support. A "
        f"{now.class_noun} it never answers has no precision (–), which counts as 0 in the "
        "averages."
    )


def of_one(now: Moment) -> str:
    """Say what the scores are, with a class of these data for an example."""
    last = len(now.data.class_names) - 1
    one = now.called(min(3, last))
    if now.class_noun == "digit":
        what, found = f"of what it calls a {one}", f"of all {one}s"
    else:
        what, found = f"of what it takes for {one}", f"of all that is {one}"
    return f"**Precision**: {what}, the share that is one. **Recall**: {found}, the share it finds."


def score_table(scores: analysis.ClassScores, names: tuple[str, ...], head: str) -> pd.DataFrame:
    n = int(scores.support.sum())
    columns = {
        "Precision": (scores.precision, scores.macro.precision, scores.weighted.precision),
        "Recall": (scores.recall, scores.macro.recall, scores.weighted.recall),
        "F1": (scores.f1, scores.macro.f1, scores.weighted.f1),
    }
    table = {
        name: [score_text(score) for score in (*each, *averages)]
        for name, (each, *averages) in columns.items()
    }
    table["Support"] = [f"{number:,}" for number in (*scores.support.tolist(), n, n)]
    index = [*(words.plain(name) for name in names), "**Macro average**", "**Weighted average**"]
    return pd.DataFrame(table, index=pd.Index(index, name=head))


def score_text(score: float) -> str:
    # Unbreakable: the table of a telephone is narrow.
    return words.percent(None if np.isnan(score) else score).replace(" ", "\N{NO-BREAK SPACE}")


# Against another moment --------------------------------------------------------------------------


def comparison(now: Moment, found: Report, split: str) -> None:
    st.subheader("What has changed", anchor=False)
    other = scrubber.choose_other(now, "confusion_compare", "Compare with")
    if other is None:
        address.say(changed=None)
        st.caption("Choose another epoch or another run to see what this network does otherwise.")
        return
    try:
        before = report(other.key, split, other)
    except NeuralScopeError as error:  # of the other one: the rest of the page goes on
        st.warning(words.plain(error), icon=":material/error:")
        return
    changed = analysis.compare_answers(
        before.answers.predicted, found.answers.predicted, found.answers.true, now.data.n_classes
    )
    st.markdown(change_in_words(now, other, changed, len(found.answers.true)))
    if not len(changed.became_right) + len(changed.became_wrong):
        return
    figure = charts.confusion_change(
        changed.counts, class_names=now.data.class_names, noun=now.class_noun
    )
    side_by_side = st.container(horizontal=True, gap="medium", key="change_row")
    with side_by_side.container(width=WIDE):
        chart.draw(figure, "Change of the confusion matrix", key="change", of=now)
        st.caption(
            "Green got better, red got worse: on the diagonal more is better, elsewhere fewer is."
        )
    with side_by_side.container(width=NARROW):
        st.session_state.setdefault("confusion_changed", CHANGED[0])
        which = st.segmented_control(
            f"{now.things.capitalize()} that",
            CHANGED,
            required=True,
            key="confusion_changed",
            format_func="became {}".format,
        )
        address.say(changed=None if which == CHANGED[0] else which)
        if which == "right":
            index, said, whose = changed.became_right, before.answers, "the answer it replaces"
        else:
            index, said, whose = changed.became_wrong, found.answers, "the wrong answer it gives"
        if len(index):
            st.caption(f"{len(index):,} {now.things}, each with {whose}; the surest first.")
            key = f"became_{which}"
            gallery(now, split, said.surest_first(index), said, key=key, fit=FEW)
        else:
            st.caption("None.")


def change_in_words(now: Moment, other: Moment, changed: analysis.Change, n: int) -> str:
    gained, lost = len(changed.became_right), len(changed.became_wrong)
    against = other.label
    if other.run.run_id != now.run.run_id:
        against = f"{words.plain(other.run.name)}, {against}"
    if not gained + lost:
        return (
            f"Compared with **{against}**, not one of {n:,} {now.things} has become right or wrong."
        )
    sentence = (
        f"Compared with **{against}**, of {n:,} {now.things} **{gained:,} became right** and "
        f"**{lost:,} became wrong**."
    )
    if changed.chance < 0.001:
        return f"{sentence} Luck alone would hardly bring that about (p < 0.001, McNemar's test)."
    luck = "may well be luck" if changed.chance > 0.05 else "is hardly luck"
    return f"{sentence} The difference {luck} (p = {changed.chance:.3f}, McNemar's test)."


# Confidence --------------------------------------------------------------------------------------


def how_sure(now: Moment, found: Report) -> None:
    side_by_side = st.container(horizontal=True, gap="medium", key="sure_row")
    with side_by_side.container(width=WIDE):
        st.subheader("Is it overconfident?", anchor=False)
        calibration(now, found.reliability)
    with side_by_side.container(width=NARROW):
        st.subheader('What if it could say "I don\'t know"?', anchor=False)
        refusing(now, found)


def calibration(now: Moment, found: analysis.Reliability) -> None:
    points = 100 * (found.mean_confidence - found.mean_accuracy)
    verdict = "too sure" if points > 0 else "too timid"
    st.markdown(
        f"Its mean confidence is **{words.percent(found.mean_confidence)}**, and it is right on "
        f"**{words.percent(found.mean_accuracy)}**: {abs(points):.2f} points {verdict}. Expected "
        f"calibration error (ECE): **{words.percent(found.error)}**, with "
        f"{len(found.count)} bins of equal width."
    )
    diagram = charts.reliability_diagram(
        found.low,
        found.high,
        found.count,
        found.confidence,
        found.accuracy,
        found.accuracy_low,
        found.accuracy_high,
        error=found.error,
    )
    histogram = charts.confidence_histogram(found.low, found.high, found.count)
    chart.draw(diagram, "Share of right answers by confidence", key="reliability", of=now)
    chart.draw(histogram, "How many answers of each confidence", key="confidences", of=now)
    st.caption(
        "Of all answers given with 80 % confidence, 80 % should be right: then a bar ends on the "
        "dashed line. Below it the network is too sure, above it too timid. The fine lines are 95 "
        "% intervals: a bin of few answers says little. Below: how many answers each bin holds."
    )


def refusing(now: Moment, found: Report) -> None:
    threshold = st.select_slider(
        "It says 'I don't know' below a confidence of",
        THRESHOLDS,
        value=0.9,
        key="threshold",
        format_func=lambda value: f"{100 * value:.4g} %",
    )
    refused = analysis.refuse_below(found.answers.confidence, found.answers.is_right, threshold)
    below = f"If it could say 'I don't know' below **{100 * threshold:.4g} %**, it"
    if refused.n_refused == refused.n:
        st.markdown(f"{below} declines every {now.thing}.")
    else:
        st.markdown(
            f"{below} gets **{words.percent(refused.error)}** of its answers wrong and declines "
            f"**{words.percent(refused.share_refused)}**."
        )
    figure = charts.refusal_curve(
        found.refusals.threshold,
        found.refusals.share_refused,
        found.refusals.error,
        at=(threshold, refused.share_refused, refused.error),
    )
    chart.draw(figure, "Errors against refusals", key="refusals", of=now)
    st.caption(
        f"It answers {refused.n - refused.n_refused:,} of {refused.n:,} {now.things}, "
        f"{refused.n_wrong:,} of them wrongly. Of the {refused.n_refused:,} it declines it would "
        f"have got {refused.n_wrong_refused:,} wrong. The further right on the curve, the more it "
        "declines; the lower, the fewer errors are left."
    )


with frame.page("Confusion", "Which classes are mixed up, and how far to trust the answers."):
    address.forget("confusion_")
    scrubber.follow(draw)
