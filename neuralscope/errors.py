"""Every error that NeuralScope raises on purpose.

    NeuralScopeError                 show its one sentence to the user, never a traceback
    ├── ConfigError                  a setting is out of range: names field, value, what is allowed
    ├── DataError                    a data set is damaged or does not fit
    │   ├── UnclearLabel             of several columns somebody must say which is the label
    │   └── DataUnavailable          a data set cannot be had right now (no network, OpenML down)
    ├── WeightsError                 a weights file or snapshot cannot be used
    ├── TransferError                a run cannot be exported, or a file not imported
    └── StoreError                   the run store cannot be read or written
        ├── RunNotFound              no such run in the store
        ├── RunUnreadable            a run's row holds what no run can be
        ├── StoreBusy                others are writing to it for too long
        └── StoreFull                there is no room left on its disk

The text of each is one sentence (or two) for the person at the screen: what is wrong, and what
would be right. Anything else that is raised is a bug.

Text that is not ours is `quoted` in it. Where that was forgotten, a message is cut all the same.
"""

from __future__ import annotations

LONGEST_MESSAGE = 800
"""Characters of a message: what is wrong, where (a path may be long) and what to do fit in."""


def quoted(value: object, most: int = 80) -> str:
    """Return a value from outside as it can stand in a message: on one line, never long.

    >>> print(quoted("relu"), quoted("x" * 1_000, 12))
    'relu' 'xxxxxxxx...
    """
    try:
        shown = repr(value[: most + 1] if isinstance(value, str | bytes) else value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, a bottomless list
        shown = "far too long"
    return shown if len(shown) <= most else f"{shown[: most - 3]}..."


def shortened(message: str) -> str:
    """Return a message that is no longer than `LONGEST_MESSAGE`, its middle left out.

    It begins with what is wrong and ends with what to do; what is too long is mostly in between.
    """
    if len(message) <= LONGEST_MESSAGE:
        return message
    n_last = LONGEST_MESSAGE // 3
    n_first = LONGEST_MESSAGE - n_last - len(" ... ")
    return f"{message[:n_first]} ... {message[-n_last:]}"


class NeuralScopeError(Exception):
    """Base of all errors that are explained to the user in one sentence."""

    def __init__(self, message: str = "") -> None:
        """Cut what nobody would read."""
        super().__init__(shortened(message))


class ConfigError(NeuralScopeError):
    """A setting has a value that is not allowed.

    Attributes:
        field: Name of the setting, as in `RunConfig`.
        value: The value that was refused.
        allowed: What would have been right, in words.
    """

    def __init__(self, field: str, value: object, allowed: str) -> None:
        """Put the three into one sentence."""
        super().__init__(f"{field} is {quoted(value)}, but must be {allowed}.")
        self.field = field
        self.value = value
        self.allowed = allowed


class DataError(NeuralScopeError):
    """A data set is damaged or does not fit."""


class DataUnavailable(DataError):
    """A data set cannot be had right now, for example because there is no network."""


class UnclearLabel(DataError):
    """More than one column of a table may be the label.

    Attributes:
        columns: Number from 1 and description of each column that may be.
    """

    def __init__(self, message: str, columns: tuple[tuple[int, str], ...]) -> None:
        """Keep the columns beside the sentence."""
        super().__init__(message)
        self.columns = columns


class WeightsError(NeuralScopeError):
    """A weights file or snapshot cannot be used."""


class TransferError(NeuralScopeError):
    """A run cannot be exported, or a file cannot be imported."""


class StoreError(NeuralScopeError):
    """The run store cannot be read or written."""


class RunNotFound(StoreError):
    """There is no such run in the store."""


class RunUnreadable(StoreError):
    """The row of a run holds what no run can be; what else is kept of it may be sound."""


class StoreBusy(StoreError):
    """Others are writing to the store for longer than one wants to wait."""


class StoreFull(StoreError):
    """There is no room left on the disk of the store."""
