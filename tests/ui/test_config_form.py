from __future__ import annotations

from typing import Any

import pytest

from neuralscope.runs import SETTINGS, RunConfig
from neuralscope.runs.settings import Choice, ChoicePerLayer
from neuralscope.ui import config_form

CHOICES = [
    name
    for setting in SETTINGS.values()
    if isinstance(setting, Choice | ChoicePerLayer)
    for name in setting.names
]


@pytest.mark.parametrize("name", sorted(set(CHOICES)))
def test_every_choice_has_a_title_that_is_no_identifier(name: str) -> None:
    title = config_form.title(name)
    assert title.strip()
    assert "_" not in title


def test_no_two_choices_of_a_menu_have_the_same_title() -> None:
    for setting in SETTINGS.values():
        if isinstance(setting, Choice | ChoicePerLayer):
            titles = [config_form.title(name) for name in setting.names]
            assert len(set(titles)) == len(titles)


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("learning_rate", config_form.RATE_STEPS),
        ("l2", config_form.L2_STEPS),
        ("l1", config_form.L2_STEPS),
        ("max_norm", config_form.NORM_STEPS),
        ("clip_norm", config_form.CLIP_STEPS),
        ("weight_decay", config_form.L2_STEPS),
        ("batch_size", config_form.BATCH_STEPS),
    ],
)
def test_a_slider_over_round_values_covers_the_whole_range(
    name: str, steps: tuple[float, ...]
) -> None:
    setting: Any = SETTINGS[name]
    assert steps[0] == setting.minimum
    assert steps[-1] == setting.maximum
    assert list(steps) == sorted(set(steps))
    assert getattr(RunConfig(), name) in steps
    for value in steps:
        assert setting.check(name, value) == value


@pytest.mark.parametrize("name", ["learning_rate", "l2"])
def test_round_values_are_written_in_few_digits(name: str) -> None:
    steps = {"learning_rate": config_form.RATE_STEPS, "l2": config_form.L2_STEPS}[name]
    assert all(len(f"{value:g}") <= 6 for value in steps)
    assert len({f"{value:g}" for value in steps}) == len(steps)
