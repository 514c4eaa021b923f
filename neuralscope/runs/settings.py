"""What a setting may be: one small class for each kind of value.

Each kind checks a value from code, reads one from text (a URL, a command line), writes it back as
text, and says in words what it allows. `RunConfig` gives every field one of these; the form, the
URL and the command line ask it instead of knowing limits of their own.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from neuralscope.data.own import is_own_name
from neuralscope.errors import ConfigError


@dataclass(frozen=True)
class Setting(ABC):
    """One field of a configuration.

    Attributes:
        label: Its name on the screen.
        help: One or two sentences for the learner.
    """

    label: str
    help: str

    @property
    @abstractmethod
    def allowed(self) -> str:
        """What the value must be, in words that follow 'must be'."""

    @abstractmethod
    def check(self, field: str, value: Any) -> Any:
        """Return the value in its one true type; raise ConfigError if it is not allowed."""

    @abstractmethod
    def parse(self, field: str, text: str) -> Any:
        """Read the value from text; raise ConfigError if it is not allowed."""

    def text(self, value: Any) -> str:
        """Write the value so that `parse` reads it back."""
        return str(value)


@dataclass(frozen=True)
class Choice(Setting):
    """One of a few names."""

    names: tuple[str, ...]

    @property
    def allowed(self) -> str:
        """The range in words."""
        return f"one of {', '.join(self.names)}"

    def check(self, field: str, value: Any) -> str:
        """Return the value in its one true type, or raise ConfigError."""
        if not isinstance(value, str) or value not in self.names:
            raise ConfigError(field, value, self.allowed)
        return str(value)

    def parse(self, field: str, text: str) -> str:
        """Read the value from text, or raise ConfigError."""
        return self.check(field, text.strip())


@dataclass(frozen=True)
class DatasetName(Choice):
    """A named data set, or by the shape of its name a person's own.

    Whether an own one is here is no question of the configuration: a stored run stays what it was
    when its data is gone.
    """

    @property
    def allowed(self) -> str:
        """The range in words."""
        return f"{super().allowed}, or a data set of your own"

    def check(self, field: str, value: Any) -> str:
        """Return the value in its one true type, or raise ConfigError."""
        return str(value) if is_own_name(value) else super().check(field, value)


@dataclass(frozen=True)
class Whole(Setting):
    """A whole number in a range, both ends included."""

    minimum: int
    maximum: int

    @property
    def allowed(self) -> str:
        """The range in words."""
        return f"a whole number from {self.minimum} to {self.maximum}"

    def check(self, field: str, value: Any) -> int:
        """Return the value in its one true type, or raise ConfigError."""
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise ConfigError(field, value, self.allowed)
        number = int(value)
        if not self.minimum <= number <= self.maximum:
            raise ConfigError(field, value, self.allowed)
        return number

    def parse(self, field: str, text: str) -> int:
        """Read the value from text, or raise ConfigError."""
        return self.check(field, _whole(text, field, self.allowed))


@dataclass(frozen=True)
class Number(Setting):
    """A real number in a range, both ends included; never NaN or infinite."""

    minimum: float
    maximum: float

    @property
    def allowed(self) -> str:
        """The range in words."""
        return f"a number from {self.minimum:g} to {self.maximum:g}"

    def check(self, field: str, value: Any) -> float:
        """Return the value in its one true type, or raise ConfigError."""
        if isinstance(value, bool) or not isinstance(value, Real):
            raise ConfigError(field, value, self.allowed)
        try:
            number = float(value)
        except OverflowError:  # an int beyond all floats
            raise ConfigError(field, value, self.allowed) from None
        if not math.isfinite(number) or not self.minimum <= number <= self.maximum:
            raise ConfigError(field, value, self.allowed)
        return number

    def parse(self, field: str, text: str) -> float:
        """Read the value from text, or raise ConfigError."""
        # float() reads '1_000' and Arabic digits too, as int() does.
        if not text.isascii() or "_" in text:
            raise ConfigError(field, text, self.allowed)
        try:
            number = float(text)
        except ValueError:
            raise ConfigError(field, text, self.allowed) from None
        return self.check(field, number)

    def text(self, value: Any) -> str:
        """Write the value as text."""
        return repr(float(value))


@dataclass(frozen=True)
class Widths(Setting):
    """The units of each hidden layer, as a tuple; in text separated by commas, or 'none'."""

    most_layers: int
    most_units: int

    @property
    def allowed(self) -> str:
        """The range in words."""
        return (
            f"up to {self.most_layers} hidden layers of 1 to {self.most_units} units each, "
            "such as 128 or 128,64 (or none)"
        )

    def check(self, field: str, value: Any) -> tuple[int, ...]:
        """Return the value in its one true type, or raise ConfigError."""
        if isinstance(value, str | bytes) or not isinstance(value, Sequence):
            raise ConfigError(field, value, self.allowed)
        for units in value:
            if (
                isinstance(units, bool)
                or not isinstance(units, Integral)
                or not 1 <= int(units) <= self.most_units
            ):
                raise ConfigError(field, value, self.allowed)
        if len(value) > self.most_layers:
            raise ConfigError(field, value, self.allowed)
        return tuple(int(units) for units in value)

    def parse(self, field: str, text: str) -> tuple[int, ...]:
        """Read the value from text, or raise ConfigError."""
        parts = text.replace(",", " ").split()
        if parts in (["none"], ["0"], []):
            return ()
        try:
            return self.check(field, tuple(_whole(part, field, self.allowed) for part in parts))
        except ConfigError:
            raise ConfigError(field, text, self.allowed) from None

    def text(self, value: Any) -> str:
        """Write the value as text."""
        return ",".join(str(units) for units in value) or "none"


@dataclass(frozen=True)
class ChoicePerLayer(Setting):
    """One name for all hidden layers, or a tuple with one each; in text separated by commas."""

    names: tuple[str, ...]

    @property
    def allowed(self) -> str:
        """The range in words."""
        return f"one of {', '.join(self.names)}, or one for each hidden layer, such as relu,tanh"

    def check(self, field: str, value: Any) -> str | tuple[str, ...]:
        """Return the value in its one true type, or raise ConfigError."""
        given = (value,) if isinstance(value, str) else value
        if not isinstance(given, Sequence) or not given:
            raise ConfigError(field, value, self.allowed)
        for name in given:
            if not isinstance(name, str) or name not in self.names:
                raise ConfigError(field, value, self.allowed)
        return value if isinstance(value, str) else tuple(value)

    def parse(self, field: str, text: str) -> str | tuple[str, ...]:
        """Read the value from text, or raise ConfigError."""
        parts = text.replace(",", " ").split()
        return self.check(field, parts[0] if len(parts) == 1 else tuple(parts))

    def text(self, value: Any) -> str:
        """Write the value as text."""
        return value if isinstance(value, str) else ",".join(value)


def _whole(text: str, field: str, allowed: str) -> int:
    # int() reads '1_000' and Arabic digits too; a setting is plain digits, and not thousands.
    digits = text.strip().removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 20):
        raise ConfigError(field, text, allowed)
    return int(text)
