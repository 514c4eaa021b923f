"""Why is this one wrong? One digit, and everything that can be said about the answer to it.

A wrong answer is compared with the truth, a right one with its runner-up. What takes a moment to
compute, because it looks at all training digits or at all snapshots, is computed in the background
and filled in.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import streamlit as st

from neuralscope import charts
from neuralscope.analysis import (
    Contributions,
    FeatureSpace,
    PixelChange,
    Removal,
    feature_space,
    features,
    logit_contributions,
    nearest,
    removal,
    saliency_map,
    smallest_change,
    tell_history,
)
from neuralscope.data import Dataset, scaled
from neuralscope.engine import Network
from neuralscope.errors import WeightsError
from neuralscope.runs import LATEST, Run, SnapshotInfo, Store, load_snapshot
from neuralscope.ui import chart, failures, resources, words
from neuralscope.ui.moment import SPLITS, Key, Moment

MOST_UNITS = 8
N_NEAREST = 5
N_EXAMPLES = 20
PICTURE = 168
NOTICEABLE = 0.05
"""A change of a pixel that an eye can see, where full ink is 1."""

PATIENCE = 0.05
"""Seconds that the page waits for what is computed in the background before it goes on."""

LOOK_AGAIN = 0.3

Neighbors = tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]
"""Rows of the nearest training digits, and their distances."""


def show(now: Moment, split: str, index: int) -> None:
    """Explain the answer to one digit.

    Args:
        now: The network.
        split: 'validation' or 'test'.
        index: The digit's position in it; one that is not there is told in a sentence.
    """
    problem = what_is_wrong_with(now, split, index)
    if problem:
        st.warning(words.plain(problem), icon=":material/search_off:")
        return
    digit = _digit(now, split, index)
    reading = _reading(now.key, split, index, now)
    with st.container(key="why"):
        _headline(now, split, index, reading)
        _answer(now, split, index, digit, reading)
        if reading.why is None:
            st.warning(
                "The weights of this network have grown so large that it no longer computes "
                "numbers: there is no answer to explain.",
                icon=":material/trending_up:",
            )
            return
        _strip(now, split, index)
        left, right = st.columns(2, gap="large")
        with left:
            _decided(now, digit, reading, reading.why)
        with right:
            _looked_at(now, digit, reading, reading.why)
        _change(now, digit, reading, reading.why)
        _alike(now, split, index)


def what_is_wrong_with(now: Moment, split: str, index: int) -> str:
    """Return in one sentence why there is no such digit, or nothing if there is."""
    if split not in SPLITS:
        return f"There are {' and '.join(SPLITS)} {now.things} to look at, but none of {split!r}."
    n = len(now.labels(split))
    if not 0 <= index < n:
        return (
            f"There is no {SPLITS[split].lower()} {now.thing} number {index:,}: "
            f"they are numbered from 0 to {n - 1:,}."
        )
    return ""


# What is computed --------------------------------------------------------------------------------


class Why(NamedTuple):
    """What an answer rests on.

    Attributes:
        contributions: Of each unit of the last hidden layer to the lead over the rival.
        marks: (features,), the saliency map.
        removal: What becomes of the answer without what the map marks.
        change: The smallest change found that makes the rival the answer.
    """

    contributions: Contributions
    marks: npt.NDArray[np.floating[Any]]
    removal: Removal
    change: PixelChange | None


class Reading(NamedTuple):
    """How the network reads one digit.

    Attributes:
        true: Its true class.
        answer: The network's answer.
        rival: What the answer is compared with: the truth, or the runner-up where it is right.
        probabilities: (classes,), of all answers.
        why: What the answer rests on; None if the network does not compute numbers.
    """

    true: int
    answer: int
    rival: int
    probabilities: npt.NDArray[np.floating[Any]]
    why: Why | None

    @property
    def is_right(self) -> bool:
        """Whether the answer is the truth."""
        return self.answer == self.true


def _digit(now: Moment, split: str, index: int) -> npt.NDArray[np.float32]:
    return scaled(now.pixels(split)[index], now.data.pixel_max)


@st.cache_resource(show_spinner=False, max_entries=64)
def _reading(key: Key, split: str, index: int, _now: Moment) -> Reading:
    with np.errstate(all="ignore"):  # a network that has diverged gives what is not a number
        return _read(
            _now.network, _now.data, _digit(_now, split, index), _label(_now, split, index)
        )


def _label(now: Moment, split: str, index: int) -> int:
    return int(now.labels(split)[index])


def _read(network: Network, data: Dataset, digit: npt.NDArray[np.float32], true: int) -> Reading:
    probabilities = network.predict_proba(digit[None])[0]
    ranked = np.argsort(-probabilities, kind="stable")
    answer = int(ranked[0])
    rival = true if answer != true else int(ranked[1])
    if not np.isfinite(probabilities).all():
        return Reading(true, answer, rival, probabilities, None)
    marks = saliency_map(network, digit, answer, rival)
    change = smallest_change(network, digit, rival)
    if change is None:
        of_rival = data.x_train[data.y_train == rival][:N_EXAMPLES]
        examples = scaled(of_rival, data.pixel_max)
        change = smallest_change(network, digit, rival, examples=examples)
    why = Why(
        logit_contributions(network, digit, answer, rival),
        marks,
        # A fixed seed: the same digit shows the same curve whenever it is looked at.
        removal(network, digit, marks, rng=np.random.default_rng(0)),
        change,
    )
    return Reading(true, answer, rival, probabilities, why)


# In the background -------------------------------------------------------------------------------


@st.cache_resource(show_spinner=False)
def _background() -> failures.Background:
    return failures.Background("explanation")


def _give_up(task: Future[Any]) -> None:
    task.cancel()  # nobody looks at that moment any more: do not begin it


MOST_SPACES = 2
"""Networks whose view of the training digits is kept; 112 MB each for 512 units."""


@st.cache_resource(show_spinner=False)
def _spaces() -> dict[Key, FeatureSpace]:
    """Return what the background has computed last; only its one thread touches it."""
    return {}


# No more than are looked at: the others are given up, and what is kept of a session that has left
# must not hold on to what is large.
@st.cache_resource(show_spinner=False, max_entries=3, on_release=_give_up)
def _nearest(key: Key, split: str, index: int, _now: Moment) -> Future[Neighbors]:
    digit = _digit(_now, split, index)
    doing = "Looking through the training data"
    return _background().start(
        doing, _look_for_alike, _spaces(), key, _now.network, digit, _now.data
    )


def _look_for_alike(
    spaces: dict[Key, FeatureSpace],
    key: Key,
    network: Network,
    digit: npt.NDArray[np.float32],
    data: Dataset,
) -> Neighbors:
    with np.errstate(all="ignore"):
        space = spaces.pop(key, None)
        if space is None:
            while len(spaces) >= MOST_SPACES:
                spaces.pop(next(iter(spaces)))
            space = feature_space(network, data.x_train, data.pixel_max)
        spaces[key] = space  # the latest is last
        return nearest(space, features(network, digit[None])[0], N_NEAREST)


@st.cache_resource(show_spinner=False, max_entries=16, on_release=_give_up)
def _answers(
    store_path: str,
    run_id: str,
    snapshots: tuple[SnapshotInfo, ...],
    split: str,
    index: int,
    _now: Moment,
) -> Future[list[int | None]]:
    digit = _digit(_now, split, index)
    doing = "Asking the checkpoints"
    return _background().start(
        doing, _ask_all, resources.store(), _now.run, snapshots, digit, _now.data
    )


def _ask_all(
    store: Store,
    run: Run,
    snapshots: tuple[SnapshotInfo, ...],
    digit: npt.NDArray[np.float32],
    data: Dataset,
) -> list[int | None]:
    """Return each snapshot's answer to a digit; None of those that are gone in the meantime."""
    answers: list[int | None] = []
    for info in snapshots:
        try:
            snapshot = load_snapshot(store, run.run_id, info)
            network = snapshot.network(run.config, data.n_features, data.n_classes)
        except WeightsError:
            answers.append(None)
        else:
            with np.errstate(all="ignore"):
                answers.append(int(network.predict(digit[None])[0]))
    return answers


def _fill_in(task: Future[Any], waiting: str, draw: Callable[[Any], None]) -> None:
    """Draw what is computed in the background, or say so until it is there."""
    wait_for([task], timeout=PATIENCE)
    if not task.done():
        st.fragment(_wait, run_every=LOOK_AGAIN)(task, waiting)
    elif not task.cancelled():
        with failures.shown():
            draw(task.result())


def _wait(task: Future[Any], waiting: str) -> None:
    if task.done():
        st.rerun()
    st.caption(f":material/hourglass_empty: {words.plain(waiting)}")


# What is shown -----------------------------------------------------------------------------------


def _name(now: Moment, label: int) -> str:
    return words.plain(now.data.class_names[label])


def _picture(
    now: Moment, ink: npt.NDArray[np.floating[Any]], caption: str, *, alt: str, size: int = PICTURE
) -> None:
    (tile,) = charts.digit_tiles(
        ink[None], image_shape=now.data.image_shape, pixel_max=1, size=2 * size
    )
    st.image(tile, width=size, caption=caption, alt=alt)


def _headline(now: Moment, split: str, index: int, reading: Reading) -> None:
    st.header(
        "Why this answer?" if reading.is_right else "Why is this one wrong?",
        anchor=False,
    )
    which = f"{SPLITS[split]} {now.thing} number {index:,}"
    said = words.short_percent(float(reading.probabilities[reading.answer]))
    rival = words.short_percent(float(reading.probabilities[reading.rival]))
    answer, other = _name(now, reading.answer), _name(now, reading.rival)
    if reading.why is None:
        text = f"{which} is a **{_name(now, reading.true)}**."
    elif reading.is_right:
        text = f"{which} is read right: **{answer}** with {said}; next comes {other} with {rival}."
    else:
        text = f"{which} is a **{other}**, taken for **{answer}** with {said}."
    st.markdown(f"{text} The network is that of **{now.label}**.")


def _answer(
    now: Moment, split: str, index: int, digit: npt.NDArray[np.float32], reading: Reading
) -> None:
    row = st.container(horizontal=True, gap="large", key="why_answer")
    with row.container(width=224):
        true = _name(now, reading.true)
        _picture(now, digit, f"A {true}, says its label", alt=f"A {true}", size=224)
    with row.container(width=420):
        figure = charts.probability_bars(
            reading.probabilities, class_names=now.data.class_names, true=reading.true
        )
        chart.draw(figure, "Its probabilities", key="why_probabilities", of=now)


def _strip(now: Moment, split: str, index: int) -> None:
    st.subheader("The answer in the course of training", anchor=False)
    if split == "validation":
        try:
            _draw_strip(now, split, index, now.history(split)[:, index].tolist())
        except WeightsError as error:
            st.caption(words.plain(error))
        return
    store_path, run_id, _ = now.key
    _fill_in(
        _answers(store_path, run_id, now.snapshots, split, index, now),
        "Asking every snapshot ...",
        lambda answers: _draw_strip(now, split, index, answers),
    )


def _draw_strip(now: Moment, split: str, index: int, answers: list[int | None]) -> None:
    true = _label(now, split, index)
    known = [
        (info, answer)
        for info, answer in zip(now.snapshots, answers, strict=True)
        if answer is not None
    ]
    if not known:
        st.caption("The snapshots of this run are gone.")
        return
    figure = charts.answer_strip(
        [_stop(info) for info, _ in known],
        [answer for _, answer in known],
        true,
        class_names=now.data.class_names,
        now=_stop(now.info),
    )
    chart.draw(figure, "The answer at every moment kept", key="why_strip", of=now)
    trained = [(info, answer == true) for info, answer in known if info.step]
    story = ""
    if trained:
        epochs = [_epoch(now.run, info) for info, _ in trained]
        story = f"**{words.plain(tell_history([right for _, right in trained], epochs))}** "
    st.caption(
        f"{story}One cell for each moment kept, the first being the untrained network; teal is "
        f"right, vermilion wrong, and the {now.class_noun} answered stands where it changes."
    )


def _stop(info: SnapshotInfo) -> str:
    return LATEST if info.name == LATEST else str(info.epoch)


def _epoch(run: Run, info: SnapshotInfo) -> int:
    """Return the epoch that a snapshot is of, also if that is not complete."""
    is_within = run.steps_per_epoch and info.step > info.epoch * run.steps_per_epoch
    return info.epoch + 1 if is_within else info.epoch


def _decided(now: Moment, digit: npt.NDArray[np.float32], reading: Reading, why: Why) -> None:
    one, other = _name(now, reading.answer), _name(now, reading.rival)
    found = why.contributions
    st.subheader(f"What decided between {one} and {other}", anchor=False)
    is_hidden = len(now.network.layers) > 1
    if not is_hidden:
        st.image(
            charts.data_uri(
                charts.signed_picture(found.units, now.data.image_shape, outline=digit)
            ),
            width=224,
            alt=f"What each pixel added to the lead of {one} over {other}",
        )
        st.caption(
            f"This network has no hidden layer: each pixel's ink times the difference of its two "
            f"weights is what it adds, for {one} where it is red, for {other} where it is blue. "
            f"Together that is {found.units.sum():+.2f}, with the biases ({found.bias:+.2f}) "
            f"**{found.total:+.2f}**: the lead of {one}'s logit over {other}'s, exactly."
        )
        return
    units, rest = found.largest(MOST_UNITS)
    labels = [f"unit {unit + 1}" for unit in units]
    values = found.units[units].tolist()
    n_rest = np.count_nonzero(found.units) - len(units)
    if n_rest:
        labels.append(f"{n_rest:,} other{'s' if n_rest > 1 else ''}")
        values.append(rest)
    figure = charts.contribution_bars(
        [*labels, "biases"],
        [*values, found.bias],
        one=now.data.class_names[reading.answer],
        other=now.data.class_names[reading.rival],
        one_is_true=reading.is_right,
    )
    chart.draw(figure, "What each unit adds", key="why_units", of=now, live=False)
    st.caption(
        f"The last layer only adds up. What a unit of the last hidden layer puts out, times the "
        f"difference of its weights to {one} and to {other}, is what it adds to the lead of "
        f"{one}; all bars together are that lead, **{found.total:+.2f}**, exactly. Silent units "
        "add nothing."
    )


def _looked_at(now: Moment, digit: npt.NDArray[np.float32], reading: Reading, why: Why) -> None:
    one, other = _name(now, reading.answer), _name(now, reading.rival)
    st.subheader("Which pixels it hangs on", anchor=False)
    row = st.container(horizontal=True, gap="medium", key="why_pixels")
    with row.container(width=PICTURE):
        st.image(
            charts.data_uri(
                charts.signed_picture(why.marks, now.data.image_shape, outline=digit, size=336)
            ),
            width=PICTURE,
            caption=f"red for {one}, blue for {other}",
            alt=f"Saliency map: red where ink speaks for {one}, blue where it speaks for {other}",
        )
    found = why.removal
    figure = charts.removal_curve(
        found.removed, found.marked, found.random, answer=now.data.class_names[reading.answer]
    )
    with row.container(width=250):
        chart.draw(figure, "Without the marked pixels", key="why_removal", of=now, live=False)
    st.caption(
        f"The saliency map is the gradient of (logit of {one} - logit of {other}) for each pixel: "
        f"more ink where it is red speaks for {one}, where it is blue for {other}. The thin line "
        f"is the {now.thing}'s edge."
    )
    st.caption(f"**Is the map true?** {_verdict(now, found)}")


def _verdict(now: Moment, found: Removal) -> str:
    """Say whether the marked pixels matter more than others."""
    taken = int(found.removed[-1])
    if not taken:
        return "There is no ink that could be taken away to see."
    if found.turned_at is not None and found.turned_to is not None:
        marked = (
            f"Without the ink of the {found.turned_at} pixels it marks reddest the answer turns "
            f"to {_name(now, found.turned_to)}."
        )
    else:
        marked = f"Without the ink of the {taken} pixels it marks reddest the answer stays."
    gap = float(np.mean(found.random - found.marked))
    if gap > 0.05:
        return f"{marked} As many pixels at random matter less: the map marks what counts."
    if gap < -0.05:
        return f"{marked} As many pixels at random matter more: do not trust this map."
    return f"{marked} As many pixels at random matter about as much: do not read much into it."


def _change(now: Moment, digit: npt.NDArray[np.float32], reading: Reading, why: Why) -> None:
    one, other = _name(now, reading.answer), _name(now, reading.rival)
    st.subheader(
        f"What would make it {'a' if reading.is_right else 'right: a'} {other}", anchor=False
    )
    found = why.change
    if found is None:
        st.caption(
            f"None found: no change of the ink that was tried makes this network say {other}. "
            "That does not prove that there is none."
        )
        return
    row = st.container(horizontal=True, gap="medium", key="why_change")
    with row.container(width=PICTURE):
        _picture(now, digit, f"As it is: {one}", alt=f"The {now.thing}, read as {one}")
    with row.container(width=PICTURE):
        limit = found.largest
        st.image(
            charts.data_uri(
                charts.signed_picture(
                    found.difference, now.data.image_shape, limit=limit, outline=digit, size=336
                )
            ),
            width=PICTURE,
            caption=f"The change: red more ink, blue less, up to {100 * limit:.2g} %",
            alt="The change of each pixel, red for more ink and blue for less",
        )
    with row.container(width=PICTURE):
        _picture(
            now, found.result, f"Changed: {other}", alt=f"The {now.thing} changed, read as {other}"
        )
    visible = found.n_pixels(NOTICEABLE)
    if visible:
        pixels = (
            f"{visible:,} pixel{'s change' if visible > 1 else ' changes'} by at least "
            f"{100 * NOTICEABLE:.0f} % of full ink, "
            f"{'the most' if visible > 1 else 'that is'} by {100 * found.largest:.0f} %"
        )
    else:
        pixels = (
            f"no pixel changes by more than {100 * found.largest:.2g} % of full ink, "
            "which an eye does not see"
        )
    st.caption(
        f"This is the smallest change found that makes the network say {other}; there may be a "
        f"smaller one. Its length (L2 norm) is **{found.size:.2f}**, where full ink in one pixel "
        f"is 1 and the {now.thing} itself has {float(np.linalg.norm(digit)):.2f}; {pixels}."
    )


def _alike(now: Moment, split: str, index: int) -> None:
    st.subheader("What it looks like to the network", anchor=False)
    _fill_in(
        _nearest(now.key, split, index, now),
        f"Looking through {len(now.labels('train')):,} training {now.things} ...",
        lambda found: _draw_alike(now, found),
    )


def _draw_alike(now: Moment, found: Neighbors) -> None:
    rows, distances = found
    labels = now.labels("train")[rows]
    with st.container(horizontal=True, gap="medium", key="why_alike"):
        for row, label, distance in zip(rows, labels.tolist(), distances.tolist(), strict=True):
            with st.container(width=92):
                name = _name(now, label)
                ink = scaled(now.pixels("train")[row], now.data.pixel_max)
                _picture(now, ink, f"{name} · {distance:.2g}", alt=f"A {name}", size=84)
    counts = np.bincount(labels)
    most = int(counts.argmax())
    where = (
        "by what they make the last hidden layer do"
        if len(now.network.layers) > 1
        else "by their pixels, since there is no hidden layer"
    )
    st.caption(
        f"The {len(rows)} training {now.things} nearest to it {where}, each with its label and its "
        f"distance. {counts[most]:,} of them {'is' if counts[most] == 1 else 'are'} labelled "
        f"{_name(now, most)}."
    )
