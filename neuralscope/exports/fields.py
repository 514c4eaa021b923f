"""Reading the values of a stranger's JSON: each is what it should be, or the file is refused."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from neuralscope.files import Refused

LATEST_MOMENT = 1e11
"""Seconds since 1970 that a clock may show; beyond them there is no calendar."""

_RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4,8}")


class Fields:
    """The values of one JSON object. Every method raises Refused for what is not as it should be.

    Attributes:
        values: The object.
        place: Where it stands, for the reason.
    """

    def __init__(self, values: Mapping[str, Any], place: str) -> None:
        self.values = values
        self.place = place

    def _refuse(self, name: str, allowed: str) -> Refused:
        return Refused(f"in its {self.place}, {name} is not {allowed}")

    def part(self, name: str) -> Fields:
        """Return an object."""
        return Fields(self.values_of(name), self.place)

    def parts(self, name: str, most: int) -> list[Fields]:
        """Return a list of objects."""
        found = self.values.get(name)
        if not isinstance(found, list) or len(found) > most:
            raise self._refuse(name, f"a list of at most {most:,}")
        if not all(isinstance(each, dict) for each in found):
            raise self._refuse(name, "a list of objects")
        return [Fields(each, self.place) for each in found]

    def values_of(self, name: str) -> Mapping[str, Any]:
        """Return an object as it is."""
        found = self.values.get(name)
        if not isinstance(found, dict):
            raise self._refuse(name, "an object")
        return found

    def facts(self, name: str) -> dict[str, Any]:
        """Return an object of names and short values, some of them objects of such."""
        return {
            self._plain_text(key, 60): (
                {
                    self._plain_text(inner, 60): self._fact(value, name)
                    for inner, value in list(each.items())[:100]
                }
                if isinstance(each, dict)
                else self._fact(each, name)
            )
            for key, each in list(self.values_of(name).items())[:100]
        }

    def _fact(self, value: Any, name: str) -> Any:
        if isinstance(value, str):
            return self._plain_text(value, 300)
        if value is None or (isinstance(value, int | float) and abs(value) < 2**53):
            return value
        raise self._refuse(name, "an object of short values")

    def text(self, name: str, most: int) -> str:
        """Return a text, cut at `most` characters."""
        found = self.values.get(name)
        if not isinstance(found, str):
            raise self._refuse(name, "a text")
        return self._plain_text(found, most)

    def texts(self, name: str, most: int) -> tuple[str, ...]:
        """Return a list of texts, each cut at `most` characters, at most a hundred of them."""
        found = self.values.get(name)
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise self._refuse(name, "a list of texts")
        return tuple(dict.fromkeys(self._plain_text(each, most) for each in found[:100]))

    def _plain_text(self, text: str, most: int) -> str:
        # Half of a character pair is no text, but JSON can hold it.
        return text[:most].encode(errors="replace").decode()

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        """Return one of some texts."""
        found = self.values.get(name)
        if not isinstance(found, str) or found not in allowed:
            raise self._refuse(name, f"one of {', '.join(allowed)}")
        return found

    def run_id(self, name: str) -> str:
        """Return the id of a run."""
        found = self.values.get(name)
        if not isinstance(found, str) or not _RUN_ID.fullmatch(found):
            raise self._refuse(name, "the id of a run")
        return found

    def count(self, name: str, most: int | None = None) -> int:
        """Return a whole number from 0 up, to `most` where that is known."""
        found = self.values.get(name)
        largest = 2**53 - 1 if most is None else most
        if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= largest:
            end = "up" if most is None else f"to {most:,}"
            raise self._refuse(name, f"a whole number from 0 {end}")
        return found

    def optional_count(self, name: str, most: int | None = None) -> int | None:
        """Return a whole number from 0 up, to `most` where that is known, or None."""
        return None if self.values.get(name) is None else self.count(name, most)

    def number(self, name: str, most: float = math.inf) -> float | None:
        """Return a finite number from 0 up, or None."""
        found = self.values.get(name)
        if found is None:
            return None
        is_number = isinstance(found, int | float) and not isinstance(found, bool)
        if not is_number or not 0 <= found <= min(most, 1e300):
            raise self._refuse(name, "a number from 0 up" if most > 1 else "a share from 0 to 1")
        return float(found)

    def moment(self, name: str) -> float | None:
        """Return a time in seconds since 1970, or None."""
        return self.number(name, LATEST_MOMENT)
