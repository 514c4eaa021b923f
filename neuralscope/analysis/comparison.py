"""Several runs against each other: what differs, by how much, and whether that is chance.

Which of two configurations is better is asked of the seeds they share. With the same seed both
begin at the same random numbers and see the examples in the same order, so part of the luck is
common to both and falls out of the difference. Of the differences d[1..n], one a shared seed,

    mean(d) +- t[n - 1] * s / sqrt(n),    s^2 = sum((d - mean(d))^2) / (n - 1)

is the interval that covers the true difference in 95 of 100 such comparisons (Student, The
probable error of a mean, Biometrika 6, 1908). It assumes that the differences scatter normally.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from neuralscope.words import percent

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

CONFIDENCE = 0.95
ENOUGH_SEEDS = 5
"""Shared seeds from which the interval is of use: with two, t is 12.7; with five, 2.8."""

LEVEL = 5e-5
"""Difference of two shares below which they are the same to two digits of a percentage."""


# What differs ------------------------------------------------------------------------------------


def differing(records: Sequence[Mapping[str, Value]]) -> dict[str, tuple[Value | None, ...]]:
    """Return the entries that are not the same in all records, None where one has none.

    >>> differing([{"rate": 0.1, "seed": 0}, {"rate": 0.01, "seed": 0}])
    {'rate': (0.1, 0.01)}
    """
    names = dict.fromkeys(name for record in records for name in record)
    columns = {name: tuple(record.get(name) for record in records) for name in names}
    return {
        name: values
        for name, values in columns.items()
        if any(value != values[0] for value in values[1:])
    }


def alike(keys: Iterable[Key]) -> list[list[int]]:
    """Return the indices of equal keys together, in the order of their first appearance.

    >>> alike("abac")
    [[0, 2], [1], [3]]
    """
    found: dict[Key, list[int]] = {}
    for index, key in enumerate(keys):
        found.setdefault(key, []).append(index)
    return list(found.values())


# Curves ------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Band:
    """Several curves as one; all arrays (epochs,).

    Attributes:
        epoch: The epochs that all the curves have.
        mean: Mean of the curves.
        low: The lowest of them.
        high: The highest of them.
    """

    epoch: Ints
    mean: Floats
    low: Floats
    high: Floats


def band(curves: Sequence[tuple[Ints, Floats]]) -> Band:
    """Return mean, lowest and highest of curves at the epochs that all of them have.

    Args:
        curves: At least one, each as its epochs (n,), ascending, and its values (n,).
    """
    common = curves[0][0]
    for epoch, _ in curves[1:]:
        common = np.intersect1d(common, epoch, assume_unique=True)
    values = np.stack([y[np.searchsorted(epoch, common)] for epoch, y in curves])
    return Band(common, values.mean(axis=0), values.min(axis=0), values.max(axis=0))


class Gap(NamedTuple):
    """How far one curve is above another.

    Attributes:
        epoch: The last epoch that both have.
        size: Second minus first there.
        opens: The epoch at which the gap opens; None where the curves end level.
    """

    epoch: int
    size: float
    opens: int | None


def gap(
    first: tuple[Ints, Floats], second: tuple[Ints, Floats], level: float = LEVEL
) -> Gap | None:
    """Compare two curves at the last epoch that both have; None if they share none.

    The gap opens at the epoch from which on a constant one, after none before, comes closest to the
    difference d[1..n] of the curves in least squares. With the mean of d from epoch e on in it,

        sum d[before e]^2 + sum (d[from e] - mean)^2 = sum d^2 - (sum d[from e])^2 / (n - e + 1),

    so the last term is to be as large as possible, among the e from which on the mean is on the
    side where the curves end. Unlike a look for the last crossing, this is not led astray by noise.

    Args:
        first: Epochs (n,), ascending, and values (n,).
        second: The same of the other.
        level: Size below which a gap counts as none.

    >>> epochs = np.arange(1, 5)
    >>> gap((epochs, np.array([0.5, 0.8, 0.9, 1])), (epochs, np.array([0.5, 0.5, 0.6, 0.75])))
    Gap(epoch=4, size=-0.25, opens=2)
    """
    common, at_first, at_second = np.intersect1d(
        first[0], second[0], assume_unique=True, return_indices=True
    )
    if not len(common):
        return None
    difference = second[1][at_second] - first[1][at_first]
    size, last = float(difference[-1]), int(common[-1])
    if not abs(size) >= level:
        return Gap(last, size, None)
    rest = np.cumsum(difference[::-1])[::-1] * math.copysign(1, size)
    gain = np.where(rest > 0, rest * rest / np.arange(len(rest), 0, -1), -1)
    return Gap(last, size, int(common[np.argmax(gain)]))


class Reached(NamedTuple):
    """The first epoch at whose end a curve was at or above a level, and the time by then."""

    epoch: int
    seconds: float


def first_reached(epoch: Ints, seconds: Floats, values: Floats, level: float) -> Reached | None:
    """Return when a curve first was at or above a level, None if it never was.

    Nothing is read between two epochs: it may have been there up to an epoch sooner.

    Args:
        epoch: (n,), ascending.
        seconds: Training time at the end of each, (n,).
        values: The curve, (n,).
        level: What is to be reached.
    """
    there = np.flatnonzero(values >= level)
    if not len(there):
        return None
    return Reached(int(epoch[there[0]]), float(seconds[there[0]]))


class Place(NamedTuple):
    """Where a contestant stands: its place from 1, shared by equals, and its score."""

    place: int
    contestant: int
    score: float


def standings(scores: Sequence[float]) -> list[Place]:
    """Rank scores, the highest first; one that is NaN has no place and is left out.

    >>> standings([0.9, float("nan"), 0.95, 0.9])
    [Place(place=1, contestant=2, score=0.95), Place(place=2, contestant=0, score=0.9), \
Place(place=2, contestant=3, score=0.9)]
    """
    ranked = sorted(
        ((score, index) for index, score in enumerate(scores) if not math.isnan(score)),
        key=lambda pair: (-pair[0], pair[1]),
    )
    places: list[Place] = []
    for number, (score, index) in enumerate(ranked, 1):
        is_equal = bool(places) and places[-1].score == score
        places.append(Place(places[-1].place if is_equal else number, index, score))
    return places


# Is it chance? -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class PairedDifference:
    """How much better the first of two configurations is than the second, over shared seeds.

    Attributes:
        seeds: Those that both were trained with, ascending.
        differences: First minus second for each.
        mean: Their mean; NaN without a seed.
        low: Lower end of the interval of the mean; NaN with fewer than two seeds.
        high: Its upper end.
    """

    seeds: tuple[int, ...]
    differences: tuple[float, ...]
    mean: float
    low: float
    high: float

    @property
    def has_interval(self) -> bool:
        """Whether there are seeds enough for any interval."""
        return len(self.seeds) > 1

    @property
    def is_clear(self) -> bool:
        """Whether there is an interval, and zero lies outside of it."""
        return self.has_interval and (self.low > 0 or self.high < 0)


def paired_difference(
    first: Mapping[int, float], second: Mapping[int, float], confidence: float = CONFIDENCE
) -> PairedDifference:
    """Compare the results of two configurations seed by seed.

    Args:
        first: Result of each seed.
        second: The same for the other configuration.
        confidence: How often such an interval is to cover the true difference, below 1.
    """
    seeds = tuple(sorted(first.keys() & second.keys()))
    differences = [first[seed] - second[seed] for seed in seeds]
    n = len(seeds)
    mean = math.fsum(differences) / n if n else math.nan
    reach = math.nan
    if n > 1:
        variance = math.fsum((each - mean) ** 2 for each in differences) / (n - 1)
        reach = student_t(n - 1, confidence) * math.sqrt(variance / n)
    return PairedDifference(seeds, tuple(differences), mean, mean - reach, mean + reach)


def student_t(degrees: int, confidence: float = CONFIDENCE) -> float:
    """Return the t within which Student's distribution lies with this probability.

    Args:
        degrees: Degrees of freedom, at least 1.
        confidence: Probability of -t..t, above 0 and below 1.

    >>> round(student_t(4), 4)
    2.7764
    """
    # The angle arctan(t / sqrt(degrees)) lies between 0 and a right one: halve that.
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        if _within(middle, degrees) < confidence:
            low = middle
        else:
            high = middle
    return math.sqrt(degrees) * math.tan(low)


def _within(angle: float, degrees: int) -> float:
    """P(|T| < t), with angle = arctan(t / sqrt(degrees)), as a finite sum.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 1964, 26.7.3 and 26.7.4.
    """
    cosine = math.cos(angle)
    if degrees % 2:
        term, first = cosine, 3
    else:
        term, first = 1.0, 2
    total = term if degrees > 1 else 0.0
    for k in range(first, degrees - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    if degrees % 2:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total


# Parallel axes -----------------------------------------------------------------------------------


class Axis(NamedTuple):
    """One axis of parallel coordinates.

    Attributes:
        positions: Where each value lies, from 0 (bottom) to 1 (top); NaN where there is none.
        ticks: Position and value of each mark on the axis, ascending.
        is_log: Whether equal distances are equal ratios.
    """

    positions: tuple[float, ...]
    ticks: tuple[tuple[float, Any], ...]
    is_log: bool


MOST_TICKS = 6
TICK_GAP = 0.07
"""Share of an axis that two marks must be apart, for both to be legible."""

ZERO_BELOW = 0.18
"""Share of a logarithmic axis that is set aside below it for zero, which has no logarithm."""


def number_axis(values: Sequence[float | None], *, log: bool = False) -> Axis:
    """Lay numbers out on an axis from the lowest to the highest; a single one in the middle.

    On a logarithmic axis zero gets a place of its own at the bottom, apart from the rest. One with
    a value below zero is drawn as a linear one.

    Args:
        values: One a run; None where it has none.
        log: Lay out by ratio.
    """
    known = sorted({float(value) for value in values if value is not None and value == value})
    log = log and bool(known) and known[0] >= 0 and known[-1] > 0
    at: dict[float, float] = {}
    if log:
        positive = [value for value in known if value > 0]
        bottom = ZERO_BELOW if len(positive) < len(known) else 0.0
        spread = _spread([math.log(value) for value in positive])
        at = {v: bottom + (1 - bottom) * p for v, p in zip(positive, spread, strict=True)}
        if bottom:
            at[0.0] = 0.0
    else:
        at = dict(zip(known, _spread(known), strict=True))
    if len(known) <= MOST_TICKS:
        marked = known
    else:
        # Of many values those nearest to evenly spaced places, so that none is made up.
        places = [i / (MOST_TICKS - 1) for i in range(MOST_TICKS)]
        marked = sorted({min(known, key=lambda v: abs(at[v] - place)) for place in places})
    kept = marked[:1]
    for value in marked[1:-1]:
        if at[value] - at[kept[-1]] >= TICK_GAP and at[marked[-1]] - at[value] >= TICK_GAP:
            kept.append(value)
    kept += marked[1:][-1:]
    positions = tuple(
        at[float(value)] if value is not None and value == value else math.nan for value in values
    )
    return Axis(positions, tuple((at[value], value) for value in kept), log)


def name_axis(values: Sequence[Any]) -> Axis:
    """Lay names out on an axis, evenly, in their order; a single one in the middle.

    Args:
        values: One a run, hashable and sortable; None where it has none.
    """
    known = sorted({value for value in values if value is not None})
    at = dict(zip(known, _spread([float(i) for i in range(len(known))]), strict=True))
    return Axis(
        tuple(math.nan if value is None else at[value] for value in values),
        tuple((at[value], value) for value in known),
        False,
    )


def _spread(ascending: Sequence[float]) -> list[float]:
    if len(ascending) < 2:
        return [0.5] * len(ascending)
    low, high = ascending[0], ascending[-1]
    return [(value - low) / (high - low) for value in ascending]


# In words ----------------------------------------------------------------------------------------

MOST_NAMED = 3
"""Settings that a sentence names with their values."""


def points(size: float) -> str:
    """Return a difference of two shares in percentage points, without its sign.

    >>> points(-0.0123), points(0.00042)
    ('1.2 points', '0.04 points')
    """
    amount = 100 * abs(size)
    return f"{amount:.1f} points" if amount >= 0.995 else f"{amount:.2f} points"


def tell_difference(
    first: str,
    second: str,
    changes: Sequence[tuple[str, str, str]],
    found: Gap | None,
    *,
    ended: bool,
) -> str:
    """Say in one sentence how the second contestant differs from the first, and what it did.

    Args:
        first: Name of the first.
        second: Name of the second.
        changes: What differs between them, each as its name, its value in the first, and in the
            second.
        found: The gap from the first to the second accuracy curve; None if there is none yet.
        ended: Whether it was measured at the end of both, and not on the way.

    >>> tell_difference("A", "B", [("learning rate", "0.1", "0.01")], Gap(9, -0.012, 2), ended=True)
    'B differs from A in the learning rate only (0.1 → 0.01); it ends 1.2 points lower; \
the gap opens at epoch 2.'
    """
    named = [f"the {name} ({old} → {new})" for name, old, new in changes[:MOST_NAMED]]
    if not changes:
        said = f"{second} has the same settings as {first}"
    elif len(changes) == 1:
        name, old, new = changes[0]
        said = f"{second} differs from {first} in the {name} only ({old} → {new})"
    elif len(changes) <= MOST_NAMED:
        said = f"{second} differs from {first} in {_listed(named)}"
    else:
        said = f"{second} differs from {first} in {len(changes)} settings, among them "
        said += _listed(named)
    if found is None:
        return f"{said}; there is no epoch yet that both have completed."
    if found.opens is None:
        there = "they end level" if ended else f"at epoch {found.epoch} they are level"
        return f"{said}; {there}."
    side = "higher" if found.size > 0 else "lower"
    if ended:
        there = f"it ends {points(found.size)} {side}"
    else:
        there = (
            f"at epoch {found.epoch}, the last that both have, it is {points(found.size)} {side}"
        )
    return f"{said}; {there}; the gap opens at epoch {found.opens}."


def tell_paired(first: str, second: str, found: PairedDifference) -> str:
    """Answer in words whether the first is really better than the second.

    Args:
        first: Name of the first.
        second: Name of the second.
        found: First minus second; a higher result is the better one.

    >>> tell_paired("A", "B", paired_difference({0: 0.9}, {1: 0.8}))
    'A and B have no finished seed in common, so chance cannot be ruled out: train both with the \
same seeds.'
    """
    n = len(found.seeds)
    if n == 0:
        return (
            f"{first} and {second} have no finished seed in common, so chance cannot be ruled "
            "out: train both with the same seeds."
        )
    better = "better" if found.mean > 0 else "worse"
    by = f"{points(found.mean)} {better} than {second}"
    if abs(found.mean) < LEVEL:
        by = f"level with {second}"
    if n == 1:
        return (
            f"With seed {found.seeds[0]}, the only one they share, {first} is {by}. One seed is "
            f"too few to rule out chance; {ENOUGH_SEEDS} seeds are a good number."
        )
    interval = f"{100 * found.low:+.2f} to {100 * found.high:+.2f} points"
    if found.is_clear:
        return (
            f"{first} is {by}, on average over {n} shared seeds. The 95 % interval of the "
            f"difference, {interval}, does not include zero: chance alone is unlikely to explain "
            "it."
        )
    more = ""
    if n < ENOUGH_SEEDS:
        more = f" With only {n} seeds the interval is wide; more seeds would narrow it."
    return (
        f"Not settled: over {n} shared seeds {first} is {by} on average, but the 95 % interval of "
        f"the difference, {interval}, includes zero, so it may be due to chance.{more}"
    )


def tell_race(
    places: Sequence[Place],
    names: Sequence[str],
    *,
    epoch: int | None,
    titles: Sequence[str] | None = None,
) -> str:
    """Say in one sentence who leads a race, or who wins it, and by how much.

    Args:
        places: Who stands where by accuracy, as `standings` ranks them.
        names: Of all that take part.
        epoch: At which they are compared while they are on the way; None at the end.
        titles: What they are called where they lead, if it is more than their name.

    >>> places = standings([0.90, 0.912, 0.85])
    >>> tell_race(places, ["A", "B", "C"], epoch=None)
    'B wins with 91.20 % validation accuracy, 1.2 points ahead of A and 6.2 ahead of C.'
    >>> tell_race(standings([0.90, math.nan, 0.85]), ["A", "B", "C"], epoch=3)
    'A leads after epoch 3 with 90.00 % validation accuracy, 5.0 points ahead of C.'
    """
    if not places:
        return "No run has completed an epoch yet."
    ahead = [(titles or names)[each.contestant] for each in places if each.place == 1]
    behind = [each for each in places if each.place > 1]
    if len(ahead) > 1:
        verb = "are tied for the lead" if epoch is not None else "share first place"
    else:
        verb = "leads" if epoch is not None else "wins"
    when = f" after epoch {epoch}" if epoch is not None else ""
    said = f"{_listed(ahead)} {verb}{when} with {percent(places[0].score)} validation accuracy"
    gaps = [(points(places[0].score - each.score), names[each.contestant]) for each in behind]
    if not gaps:
        return f"{said}."
    ahead_of = [f"{size.removesuffix(' points')} ahead of {name}" for size, name in gaps[1:]]
    return f"{said}, {_listed([f'{gaps[0][0]} ahead of {gaps[0][1]}', *ahead_of])}."


def tell_reached(
    reached: Sequence[Reached | None], names: Sequence[str], level: float, *, over: bool
) -> str:
    """Say in a sentence which run was first, by training time, to reach an accuracy.

    Args:
        reached: When each that takes part was there; None for one that was not.
        names: Of all that take part.
        level: The accuracy.
        over: Whether nobody can reach it any more.

    >>> tell_reached([Reached(3, 3.45), None, Reached(2, 3.0)], ["A", "B", "C"], 0.9, over=True)
    'C was first to reach 90 %, after 3.0 s of training (epoch 2), 0.45 s before A; B never did.'
    """
    there = sorted(
        (each.seconds, each.epoch, name)
        for each, name in zip(reached, names, strict=True)
        if each is not None
    )
    rest = [name for each, name in zip(reached, names, strict=True) if each is None]
    wanted = f"{100 * level:g} %"
    if not there:
        return f"No run {'reached' if over else 'has reached'} {wanted}{'' if over else ' yet'}."
    seconds, epoch, winner = there[0]
    said = f"{winner} was first to reach {wanted}, after {_span(seconds)} of training "
    said += f"(epoch {epoch})" + "".join(
        f"{', ' if i == 0 else ' and '}{_span(later - seconds)} before {name}"
        for i, (later, _, name) in enumerate(there[1:3])
    )
    if rest:
        said += f"; {_listed(rest)} {'never did' if over else 'not yet'}"
    return f"{said}."


def _span(seconds: float) -> str:
    """Return a time span with two digits that count, at least to a tenth of a second."""
    if seconds < 0.995:
        return f"{seconds:.2g} s"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _listed(words: Sequence[str]) -> str:
    """Return words as a list in a sentence: 'a, b and c'."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
