"""Is a layer well? From the numbers taken each epoch to a verdict, its cause, and what to do.

The rules, each with its two limits below. 'Recent' is the median of the last epochs, because the
numbers are those of a single step; where two epochs are all there is, the milder one counts.

    dead          many relu units never fire: too large a step has thrown them out of reach
    saturated     many tanh or sigmoid units are stuck at an end, for the same reason
    update ratio  a step changes the weights by a tenth and more; or, with much left to learn, by
                  next to nothing. About 1e-3 is usual (A. Karpathy, "Neural Networks Part 3", notes
                  of CS231n)
    vanishing     the gradient shrinks from layer to layer on its way back (Glorot, Bengio 2010)
    exploding     the gradient is thousands of times what it should be (Pascanu et al. 2013)
    zeros         all units of a layer began alike, and so they stay (Goodfellow et al. 2016, 8.4)

The limits are set by experiment on the built-in digits and on MNIST: 61 sound trainings (all
optimizers at their usual rates, all activations, one to six layers, with penalties, dropout and
schedules) pass in every epoch, and 47 broken ones (rates far too high or too low, too many layers
for sigmoid, first weights that are too small) are found. What was seen stands with each limit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median_high, median_low
from typing import Literal, NamedTuple

from neuralscope.engine import AUTO, LayerHealth
from neuralscope.engine.health import ENDS
from neuralscope.words import percent

State = Literal["good", "watch", "bad"]
STATES: tuple[State, ...] = ("good", "watch", "bad")
"""From best to worst."""

RECENT = 3
"""Epochs over which a number has to last."""

DEAD = (0.25, 0.5)
"""Share of dead units to watch, and that is bad. Sound: up to 0.23; at 50 times the usual rate 0.8
to 1."""

FEW = 4
"""Units that may be dead or saturated by chance. Layers of 8 units had up to 3, and learned."""

SATURATED = (0.25, 0.5)
"""The same for saturated units. Sound: 0; at 10 times the usual rate 0.6 to 1."""

FAR = (0.1, 0.3)
"""Update ratio that is too large. Sound: up to 0.06, and 0.11 in a first epoch, which is why the
first is not watched; too high a rate that still learns a little 0.14 to 0.24, hopeless ones 0.4."""

SLOW = (5e-5, 1e-5)
"""Update ratio that is too small. Sound: 1e-4 and more, before all is learned; a rate 2,000 times
too low 7e-6, where the loss takes 20 epochs for a twentieth of its way."""

LEARNED = 0.3
"""Training loss below which small steps are no trouble: there is little left to learn."""

VANISHING = (1e-2, 1e-3)
"""A layer's gradient norm as part of the last layer's. Sound: 0.1 and more; four sigmoid layers
4e-3, which begin to learn after 40 epochs; six of them 2e-4, which never do."""

EXPLODING = (30.0, 1_000.0)
"""Gradient norm that is too large. Sound: up to 6; on the way to divergence 1e4 and more."""

USUAL_RATES = {
    "sgd": 0.2,
    "momentum": 0.02,
    "nesterov": 0.02,
    "rmsprop": 0.001,
    "adam": 0.001,
    "adamw": 0.001,
}
"""Learning rates with which each optimizer does well here."""

SMALL_STARTS = ("normal", "zeros")
"""Initializers whose weights may be too small for the layer."""


class Verdict(NamedTuple):
    """What is to be said of a layer.

    Attributes:
        state: 'good', 'watch' or 'bad'.
        symptom: What is seen of the problem; empty where all is good.
        advice: Its likely cause and what to do, where that is not said of another layer.
    """

    state: State
    symptom: str
    advice: str = ""

    @property
    def problem(self) -> str:
        """Symptom and advice, as the end of a sentence that begins with the layer's name."""
        if not self.symptom:
            return ""
        return f"{self.symptom}; {self.advice}." if self.advice else f"{self.symptom}."


GOOD = Verdict("good", "")


class Circumstances(NamedTuple):
    """What a layer's numbers are to be seen against.

    Attributes:
        hidden: Units of each hidden layer.
        activations: Name of each one's activation.
        optimizer: Key of `USUAL_RATES`.
        learning_rate: The rate before the schedule.
        schedule: What the schedule multiplied it with in the last step, above 0 to 1; 0 if it has
            run out.
        initializer: What the weights began with.
        train_loss: Mean cross-entropy on the training examples.
        highest_rate: The highest that the rate has been, if it has been changed on the way: units
            that it has silenced do not come back.
    """

    hidden: tuple[int, ...]
    activations: tuple[str, ...]
    optimizer: str
    learning_rate: float
    train_loss: float
    schedule: float = 1.0
    initializer: str = AUTO
    highest_rate: float = 0.0


def judge_layers(
    history: Sequence[Sequence[LayerHealth]], circumstances: Circumstances
) -> list[Verdict]:
    """Judge each layer of a network; the worst that is found of each, or that it is good.

    Args:
        history: The health of all layers, one entry an epoch, the newest last; older ones than
            `RECENT` are not looked at.
        circumstances: What they are to be seen against.

    >>> layer = LayerHealth(1.0, 10.0, 1e-3, dead=0.61, saturated=0.0)
    >>> last = LayerHealth(1.0, 5.0, 1e-3, 0.0, 0.0)
    >>> seen = Circumstances((64,), ("relu",), "sgd", learning_rate=2.0, train_loss=0.9)
    >>> verdicts = judge_layers([[layer, last]], seen)
    >>> [verdict.state for verdict in verdicts]
    ['bad', 'good']
    >>> verdicts[0].problem
    '61 % of the units never fire; the learning rate is likely too high, try 0.2.'
    """
    if not history:
        return []
    return [
        max(
            (rule(history[-RECENT:], i, circumstances) for rule in _RULES),
            key=lambda verdict: STATES.index(verdict.state),
        )
        for i in range(len(history[-1]))
    ]


def tell_health(verdicts: Sequence[Verdict]) -> list[tuple[State, str]]:
    """Say what is wrong: how bad it is, and a sentence that names the layers that have it.

    Each piece of advice is given once, after all that it helps against.

    >>> dead = Verdict("bad", "90 % of the units never fire", "try 0.2")
    >>> tell_health([dead, dead, Verdict("watch", "a step is large", "try 0.2"), GOOD])
    [('bad', 'Layers 1 and 2: 90 % of the units never fire, layer 3: a step is large; try 0.2.')]
    """
    # For each advice, or symptom without one: how bad it is, and the layers of each symptom.
    problems: dict[str, tuple[State, dict[str, list[int]]]] = {}
    for number, verdict in enumerate(verdicts, 1):
        if not verdict.symptom:
            continue
        key = verdict.advice or verdict.symptom
        state, symptoms = problems.get(key, (verdict.state, {}))
        symptoms.setdefault(verdict.symptom, []).append(number)
        problems[key] = (max(state, verdict.state, key=STATES.index), symptoms)
    sentences = []
    for key, (state, symptoms) in problems.items():
        seen = ", ".join(f"{_layers(layers)}: {symptom}" for symptom, layers in symptoms.items())
        advice = "" if key in symptoms else f"; {key}"
        sentences.append((state, f"{seen[0].upper()}{seen[1:]}{advice}."))
    return sentences


def _layers(numbers: Sequence[int]) -> str:
    """Name layers: 'layer 3', 'layers 1, 2 and 5'."""
    *before, last = map(str, numbers)
    return f"layers {', '.join(before)} and {last}" if before else f"layer {last}"


# The rules: each looks at one layer in the light of one kind of trouble --------------------------

History = Sequence[Sequence[LayerHealth]]


def _began_alike(history: History, layer: int, seen: Circumstances) -> Verdict:
    is_hidden = layer < len(seen.hidden)
    if seen.initializer != "zeros" or not seen.hidden or seen.train_loss < LEARNED:
        return GOOD
    if is_hidden:
        return Verdict(
            "bad",
            "all units began with the same weights, zero, and so they can never differ",
            "choose the initializer 'auto'",
        )
    if history[-1][layer].weight_norm == 0:
        return Verdict("bad", f"nothing but zeros arrives from layer {layer}")
    return GOOD


def _explodes(history: History, layer: int, seen: Circumstances) -> Verdict:
    norm = median_low(epoch[layer].gradient_norm for epoch in history)
    return _above(
        EXPLODING,
        norm,
        f"the gradient has grown to {norm:,.2g} (1 is usual)",
        _too_high(seen),
    )


def _is_dead(history: History, layer: int, seen: Circumstances) -> Verdict:
    share = history[-1][layer].dead
    if layer == len(seen.hidden) or share * seen.hidden[layer] < FEW:
        return GOOD
    leaky = seen.activations[layer] == "leaky_relu"
    what = "are below zero on every picture" if leaky else "never fire"
    verdict = _above(DEAD, share, f"{_percent(share)} of the units {what}", _cause(seen))
    # A leaky unit goes on learning, at a hundredth of the pace.
    return verdict._replace(state="watch") if leaky and verdict.symptom else verdict


def _is_saturated(history: History, layer: int, seen: Circumstances) -> Verdict:
    share = history[-1][layer].saturated
    if layer == len(seen.hidden) or share * seen.hidden[layer] < FEW:
        return GOOD
    return _above(
        SATURATED,
        share,
        f"{_percent(share)} of the units are stuck where {seen.activations[layer]} is flat",
        _cause(seen),
    )


def _is_cut_off(history: History, layer: int, seen: Circumstances) -> Verdict:
    if history[-1][layer].gradient_norm > 0:
        return GOOD
    silent = [n for n, other in enumerate(history[-1], 1) if other.dead >= DEAD[1]]
    if not silent:
        return GOOD
    return Verdict("bad", f"no gradient arrives any more, because layer {silent[-1]} is silent")


def _steps_too_far(history: History, layer: int, seen: Circumstances) -> Verdict:
    ratio = median_low(epoch[layer].update_ratio for epoch in history)
    if len(history) == 1 and ratio < FAR[1]:  # the first steps of a training are its largest
        return GOOD
    return _above(
        FAR,
        ratio,
        f"a step changes the weights by {_percent(ratio)} (0.1 % is usual)",
        _cause(seen),
    )


def _vanishes(history: History, layer: int, seen: Circumstances) -> Verdict:
    part = _gradient_part(history, layer)
    if layer == len(seen.hidden) or part >= VANISHING[0]:
        return GOOD
    return _below(VANISHING, part, *_vanishing(history, seen))


def _hardly_moves(history: History, layer: int, seen: Circumstances) -> Verdict:
    if seen.train_loss < LEARNED or seen.schedule <= 0:
        return GOOD
    # What the schedule makes small is meant to be.
    ratio = median_high(epoch[layer].update_ratio for epoch in history) / seen.schedule
    if layer < len(seen.hidden) and _first_vanishing(history, seen) is not None:
        # Small steps follow from small gradients: another rate would not mend them.
        return _below(SLOW, ratio, *_vanishing(history, seen))
    if seen.initializer in SMALL_STARTS:
        cure = "the first weights were likely too small, choose the initializer 'auto'"
    else:
        rate, usual = seen.learning_rate, USUAL_RATES[seen.optimizer]
        cure = f"the learning rate is likely too low, try {usual if rate < usual else 10 * rate:g}"
    parts = float(f"{1 / max(ratio, 1e-9):.1g}")
    return _below(SLOW, ratio, f"a step changes the weights by only 1 part in {parts:,.0f}", cure)


_RULES: tuple[Callable[[History, int, Circumstances], Verdict], ...] = (
    _began_alike,
    _explodes,
    _is_dead,
    _is_saturated,
    _is_cut_off,
    _steps_too_far,
    _vanishes,
    _hardly_moves,
)
"""Of two that find the same state, the first is told: it is nearer to the cause."""


# What they share ---------------------------------------------------------------------------------


def _above(limits: tuple[float, float], value: float, symptom: str, advice: str) -> Verdict:
    watch, bad = limits
    return Verdict("bad" if value >= bad else "watch", symptom, advice) if value >= watch else GOOD


def _below(limits: tuple[float, float], value: float, symptom: str, advice: str) -> Verdict:
    watch, bad = limits
    return Verdict("bad" if value < bad else "watch", symptom, advice) if value < watch else GOOD


def _gradient_part(history: History, layer: int) -> float:
    """Return a layer's gradient norm as part of the last layer's; 1 where none is to be had."""
    parts = [
        epoch[layer].gradient_norm / epoch[-1].gradient_norm
        for epoch in history
        if epoch[-1].gradient_norm > 0
    ]
    return median_high(parts) if parts else 1.0


def _first_vanishing(history: History, seen: Circumstances) -> int | None:
    """Return the first layer whose gradient vanishes, or None."""
    layers = range(len(seen.hidden))
    return next((i for i in layers if _gradient_part(history, i) < VANISHING[0]), None)


def _vanishing(history: History, seen: Circumstances) -> tuple[str, str]:
    """Return symptom and advice of a gradient that vanishes: the same for all layers it reaches."""
    first = _first_vanishing(history, seen) or 0
    parts = [_gradient_part(history, i) for i in range(len(seen.hidden))]
    times = float(f"{1 / max(min(parts), 1e-9):.1g}")
    up_to = "up to " if sum(part < VANISHING[0] for part in parts) > 1 else ""
    bends = [name for name in dict.fromkeys(seen.activations[first:]) if name in ENDS]
    cures = [f"use relu instead of {bends[0]}"] if bends else []
    if seen.initializer != AUTO:
        cures.append("choose the initializer 'auto'")
    return (
        f"the gradient is {up_to}{times:,.0f} times smaller than the last layer's",
        " and ".join(cures) or "use fewer layers",
    )


def _cause(seen: Circumstances) -> str:
    """Say what units or weights that were thrown too far have most likely suffered from."""
    usual = USUAL_RATES[seen.optimizer]
    if seen.highest_rate > usual >= seen.learning_rate:
        rate = f"{seen.highest_rate:g}"
        return f"a learning rate of {rate} was likely too high, start again with {usual:g}"
    if seen.learning_rate <= usual and seen.initializer in SMALL_STARTS:
        return "the first weights were likely too small, choose the initializer 'auto'"
    return _too_high(seen)


def _too_high(seen: Circumstances) -> str:
    usual = USUAL_RATES[seen.optimizer]
    if seen.learning_rate > usual:
        return f"the learning rate is likely too high, try {usual:g}"
    return "the learning rate, or a penalty on the weights, is likely too high"


def _percent(share: float) -> str:
    return percent(share, 0)
