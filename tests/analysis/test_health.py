from __future__ import annotations

from typing import Any

import pytest

from neuralscope.analysis import Circumstances, Verdict, judge_layers, tell_health
from neuralscope.analysis.health import (
    DEAD,
    EXPLODING,
    FAR,
    LEARNED,
    RECENT,
    SATURATED,
    SLOW,
    STATES,
    USUAL_RATES,
    VANISHING,
)
from neuralscope.data import Dataset, load_dataset
from neuralscope.engine import ACTIVATIONS, OPTIMIZERS, EpochEnd, LayerHealth
from neuralscope.runs import RunConfig, train

WELL = LayerHealth(gradient_norm=1.0, weight_norm=10.0, update_ratio=1e-3, dead=0.0, saturated=0.0)
SEEN = Circumstances((64,), ("relu",), "sgd", learning_rate=0.2, train_loss=1.0)


def verdicts(*epochs: LayerHealth, last: LayerHealth = WELL, **seen: Any) -> list[Verdict]:
    """Judge a hidden layer, followed by an output layer that is well unless told otherwise."""
    return judge_layers([(epoch, last) for epoch in epochs], SEEN._replace(**seen))


def verdict(*epochs: LayerHealth, last: LayerHealth = WELL, **seen: Any) -> Verdict:
    return verdicts(*epochs, last=last, **seen)[0]


def state(*epochs: LayerHealth, **seen: Any) -> str:
    return verdict(*epochs, **seen).state


def ill(**numbers: float) -> LayerHealth:
    return WELL._replace(**numbers)


def just_below(value: float) -> float:
    return value * (1 - 1e-9)


# Each rule at its limits


@pytest.mark.parametrize(
    ("limits", "name", "activation"),
    [(DEAD, "dead", "relu"), (SATURATED, "saturated", "tanh"), (SATURATED, "saturated", "sigmoid")],
)
def test_idle_units(limits: tuple[float, float], name: str, activation: str) -> None:
    watch, bad = limits

    def judged(share: float) -> str:
        return state(ill(**{name: share}), hidden=(1000,), activations=(activation,))

    states = [judged(0), judged(just_below(watch)), judged(watch), judged(just_below(bad))]
    assert [*states, judged(bad), judged(1)] == ["good", "good", "watch", "watch", "bad", "bad"]


def test_a_few_idle_units_may_be_chance() -> None:
    assert [state(ill(dead=n / 8), hidden=(8,)) for n in range(9)] == ["good"] * 4 + ["bad"] * 5


def test_a_leaky_unit_below_zero_still_learns() -> None:
    leaky = verdict(ill(dead=1.0), activations=("leaky_relu",))
    assert leaky.state == "watch"
    assert leaky.problem.startswith("100 % of the units are below zero on every picture; ")


def test_steps_that_go_too_far() -> None:
    watch, bad = FAR

    def judged(ratio: float, n: int = 2) -> str:
        return state(*[ill(update_ratio=ratio)] * n)

    assert [judged(r) for r in (just_below(watch), watch, bad)] == ["good", "watch", "bad"]
    # The first steps of all are the largest.
    assert [judged(r, n=1) for r in (just_below(bad), bad)] == ["good", "bad"]


def test_steps_that_lead_nowhere() -> None:
    watch, bad = SLOW

    def judged(ratio: float) -> str:
        return state(ill(update_ratio=ratio))

    ratios = (watch, just_below(watch), bad, just_below(bad), 0.0)
    assert [judged(ratio) for ratio in ratios] == ["good", "watch", "watch", "bad", "bad"]


def test_small_steps_are_no_trouble_once_all_is_learned() -> None:
    assert state(ill(update_ratio=0.0), train_loss=just_below(LEARNED)) == "good"


def test_steps_that_the_schedule_makes_small_are_meant_to_be() -> None:
    assert state(ill(update_ratio=1e-6), schedule=1.0) == "bad"
    assert state(ill(update_ratio=1e-6), schedule=0.01) == "good"
    assert state(ill(update_ratio=0.0), schedule=0.0) == "good"


def test_a_gradient_that_vanishes_on_its_way_back() -> None:
    watch, bad = VANISHING

    def judged(part: float) -> str:
        return state(ill(gradient_norm=2 * part), last=ill(gradient_norm=2.0))

    parts = (watch, just_below(watch), bad, just_below(bad))
    assert [judged(part) for part in parts] == ["good", "watch", "watch", "bad"]


def test_all_gradients_small_is_no_vanishing() -> None:
    assert state(ill(gradient_norm=1e-9), last=ill(gradient_norm=1e-9)) == "good"


def test_a_gradient_that_explodes() -> None:
    watch, bad = EXPLODING

    def judged(norm: float) -> str:
        return state(ill(gradient_norm=norm), last=ill(gradient_norm=norm))

    norms = (just_below(watch), watch, just_below(bad), bad, 1.7e308)
    assert [judged(norm) for norm in norms] == ["good", "watch", "watch", "bad", "bad"]


def test_a_layer_behind_a_silent_one_is_cut_off() -> None:
    first, second = verdicts(
        ill(dead=1.0, gradient_norm=0.0), last=ill(gradient_norm=0.0, update_ratio=0.0)
    )
    assert first.state == second.state == "bad"
    assert second.problem == "no gradient arrives any more, because layer 1 is silent."


def test_weights_that_began_at_zero() -> None:
    nothing = LayerHealth(0.0, 0.0, 0.0, 1.0, 0.0)
    first, second = verdicts(
        nothing, last=LayerHealth(0.0, 0.0, 0.0, 0.0, 0.0), initializer="zeros"
    )
    assert first.state == second.state == "bad"
    assert "all units began with the same weights, zero" in first.problem
    assert second.problem == "nothing but zeros arrives from layer 1."
    # Without a hidden layer there is nothing that could be alike, and with dropout it may pass.
    no_hidden = SEEN._replace(hidden=(), activations=(), initializer="zeros")
    assert judge_layers([[WELL]], no_hidden) == [Verdict("good", "")]
    assert state(WELL, initializer="zeros", train_loss=0.1) == "good"


# Over several epochs


def test_what_does_not_last_is_no_trouble() -> None:
    for trouble in (ill(update_ratio=0.4), ill(gradient_norm=1e5), ill(update_ratio=1e-9)):
        assert state(WELL, WELL, trouble) == "good"
        assert state(WELL, trouble) == "good"
        assert state(WELL, trouble, trouble) == "bad"


def test_what_is_over_is_over() -> None:
    trouble = ill(update_ratio=0.4, dead=0.9)
    assert state(*[trouble] * 10, *[WELL] * (RECENT - 1)) == "good"


def test_no_epoch_no_verdict() -> None:
    assert judge_layers([], SEEN) == []


# What is said


def test_every_optimizer_has_a_usual_rate() -> None:
    assert set(USUAL_RATES) == set(OPTIMIZERS)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_rate_above_the_usual_one_is_to_become_it(optimizer: str) -> None:
    problem = verdict(ill(dead=0.61), optimizer=optimizer, learning_rate=5.0).problem
    usual = USUAL_RATES[optimizer]
    assert problem == (
        f"61 % of the units never fire; the learning rate is likely too high, try {usual:g}."
    )


def test_no_rate_is_named_where_the_usual_one_is_too_high_already() -> None:
    problem = verdict(ill(dead=0.61), learning_rate=0.2).problem
    assert problem.endswith("; the learning rate, or a penalty on the weights, is likely too high.")


def test_a_rate_that_was_too_high_is_blamed_after_it_is_lowered() -> None:
    problem = verdict(ill(dead=0.61), learning_rate=0.1, highest_rate=10.0).problem
    assert problem == (
        "61 % of the units never fire; "
        "a learning rate of 10 was likely too high, start again with 0.2."
    )
    assert verdict(ill(dead=0.61), learning_rate=1.0, highest_rate=10.0).problem.endswith(
        "try 0.2."
    )


@pytest.mark.parametrize("trouble", [ill(dead=0.9), ill(update_ratio=1e-7)])
def test_small_first_weights_are_named_as_the_cause(trouble: LayerHealth) -> None:
    cause = "the first weights were likely too small, choose the initializer 'auto'."
    assert verdict(trouble, initializer="normal").problem.endswith(cause)
    assert not verdict(trouble, initializer="auto").problem.endswith(cause)


def test_a_rate_that_is_too_low_is_to_become_the_usual_one() -> None:
    slow = ill(update_ratio=4e-7)
    assert verdict(slow, learning_rate=1e-5).problem == (
        "a step changes the weights by only 1 part in 2,000,000; "
        "the learning rate is likely too low, try 0.2."
    )
    assert verdict(slow, learning_rate=0.2).problem.endswith("try 2.")


def test_what_makes_the_gradient_vanish_is_named() -> None:
    faint, deep = ill(gradient_norm=4e-6), {"hidden": (64, 64), "activations": ("tanh", "sigmoid")}

    def problem(**seen: Any) -> str:
        return judge_layers([(faint, WELL, WELL)], SEEN._replace(**seen))[0].problem

    start = "the gradient is 200,000 times smaller than the last layer's; "
    assert problem(**deep) == start + "use relu instead of tanh."
    assert problem(**deep, initializer="normal") == (
        start + "use relu instead of tanh and choose the initializer 'auto'."
    )
    assert problem(hidden=(64, 64), activations=("relu", "relu")) == start + "use fewer layers."


def test_the_worst_is_told() -> None:
    both = ill(dead=0.3, gradient_norm=1e-6)
    assert verdict(both).state == "bad"
    assert "times smaller" in verdict(both).problem


def test_layers_with_one_problem_share_a_sentence() -> None:
    good, slow, dead = Verdict("good", ""), Verdict("watch", "it is slow"), Verdict("bad", "dead")
    assert tell_health([good, good]) == []
    assert tell_health([slow, slow, slow, good, dead]) == [
        ("watch", "Layers 1, 2 and 3: it is slow."),
        ("bad", "Layer 5: dead."),
    ]
    # A layer between them that has another trouble does not part them.
    assert tell_health([slow, dead, slow]) == [
        ("watch", "Layers 1 and 3: it is slow."),
        ("bad", "Layer 2: dead."),
    ]


# Real trainings on the built-in digits


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def states_of(digits: Dataset, **settings: Any) -> list[str]:
    """Train, and return the worst state of a layer in each epoch."""
    config = RunConfig(**{"dataset": "digits", "epochs": 6, **settings})
    history: list[tuple[LayerHealth, ...]] = []
    worst = []
    for record in train(config, digits):
        if not isinstance(record, EpochEnd):
            continue
        history.append(record.health)
        seen = Circumstances(
            config.hidden,
            config.activations,
            config.optimizer,
            config.learning_rate,
            record.train_loss,
            record.learning_rate / config.learning_rate,
            config.initializer,
        )
        found = judge_layers(history, seen)
        assert len(found) == len(config.hidden) + 1
        assert all(each.problem.endswith(".") for each in found if each.state != "good")
        worst.append(max((each.state for each in found), key=STATES.index))
    return worst


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_no_false_alarm_at_the_usual_rates(
    digits: Dataset, optimizer: str, activation: str
) -> None:
    rate = USUAL_RATES[optimizer]
    found = states_of(digits, optimizer=optimizer, activation=activation, learning_rate=rate)
    assert found == ["good"] * 6


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 100},  # until there is nothing left to learn
        {"schedule": "linear"},
        {"schedule": "cosine", "optimizer": "adam", "learning_rate": 0.001},
        {"hidden": ()},
        {"hidden": (8,)},
        {"hidden": (64, 64, 64)},
        {"hidden": (64,) * 6, "learning_rate": 0.05},
        {"dropout": 0.5},
        {"l2": 1e-3},
        {"batch_size": 8},
        {"batch_size": 256},
    ],
    ids=str,
)
def test_no_false_alarm_for_a_sound_training(digits: Dataset, settings: dict[str, Any]) -> None:
    assert set(states_of(digits, **settings)) == {"good"}


SMALL = {"initializer": "normal", "hidden": (64,) * 4}


@pytest.mark.parametrize(
    "settings",
    [
        {"learning_rate": 10.0},
        {"learning_rate": 10.0, "hidden": (64, 64)},
        {"learning_rate": 10.0, "activation": "tanh"},
        {"learning_rate": 10.0, "activation": "sigmoid"},
        {"learning_rate": 10.0, "activation": "leaky_relu", "epochs": 3},
        {"learning_rate": 0.1, "optimizer": "adam"},
        {"learning_rate": 1e-5},
        {"l2": 1.0},
        {**SMALL, "activation": "sigmoid"},
        {**SMALL, "activation": "tanh"},
        {**SMALL},
        {"hidden": (64,) * 6, "activation": "sigmoid"},
        *({"initializer": "zeros", "activation": activation} for activation in ACTIVATIONS),
    ],
    ids=str,
)
def test_a_broken_training_is_found_in_every_epoch(
    digits: Dataset, settings: dict[str, Any]
) -> None:
    found = states_of(digits, **settings)
    assert found
    assert "good" not in found
