"""A flag for every field of the configuration."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from neuralscope.cli.status_line import say

if TYPE_CHECKING:
    from neuralscope.runs import RunConfig


def add_settings(parser: argparse.ArgumentParser, *, leave_out: Collection[str] = ()) -> None:
    """Add the flags, in a group of their own, but for those of the fields left out."""
    from neuralscope.runs import SETTINGS, RunConfig
    from neuralscope.runs.settings import Choice, ChoicePerLayer, Number, Widths

    default = RunConfig()
    group = parser.add_argument_group("settings")
    for field, setting in SETTINGS.items():
        if field in leave_out:
            continue
        named = isinstance(setting, Choice | ChoicePerLayer)
        settings: dict[str, Any] = {
            "dest": field,
            "metavar": "NAME" if named else "X" if isinstance(setting, Number) else "N",
            "nargs": "+" if isinstance(setting, Widths | ChoicePerLayer) else None,
        }
        text = (
            f"{setting.help} [{setting.allowed}; default: {setting.text(getattr(default, field))}]"
        )
        flag = f"--{field.replace('_', '-')}"
        group.add_argument(flag, **settings, help=text.replace("%", "%%"))
        if "_" in field:
            group.add_argument(f"--{field}", **settings, help=argparse.SUPPRESS)


def config_from(options: argparse.Namespace) -> RunConfig:
    """Return the configuration that the flags describe. Raises ConfigError."""
    from neuralscope.runs import SETTINGS, RunConfig

    given = {}
    for field, setting in SETTINGS.items():
        words = getattr(options, field, None)
        if words is not None:
            text = words if isinstance(words, str) else " ".join(words)
            given[field] = setting.parse(field, text)
    config = RunConfig(**given)
    for field in given:
        if not config.uses(field):
            say(f"note: {field} changes nothing with these settings.", options)
    return config
