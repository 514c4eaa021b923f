from __future__ import annotations

import pytest

from neuralscope.errors import ConfigError
from neuralscope.runs.settings import Choice, ChoicePerLayer, Number, Setting, Whole, Widths

CHOICE = Choice("Fruit", "", ("apple", "pear"))
WHOLE = Whole("Seats", "", 1, 1000)
NUMBER = Number("Length", "", -0.5, 1000.0)
WIDTHS = Widths("Layers", "", most_layers=3, most_units=100)
PER_LAYER = ChoicePerLayer("Fruits", "", ("apple", "pear"))


@pytest.mark.parametrize(
    ("setting", "text", "value"),
    [
        (CHOICE, "pear", "pear"),
        (CHOICE, " pear ", "pear"),
        (WHOLE, "1", 1),
        (WHOLE, " 007 ", 7),
        (NUMBER, "-0.5", -0.5),
        (NUMBER, "1e-3", 0.001),
        (NUMBER, "-0", 0.0),
        (WIDTHS, "64", (64,)),
        (WIDTHS, "64,32", (64, 32)),
        (WIDTHS, " 64, 32  16", (64, 32, 16)),
        (WIDTHS, "none", ()),
        (WIDTHS, "0", ()),
        (WIDTHS, "", ()),
        (PER_LAYER, "pear", "pear"),
        (PER_LAYER, "pear,apple", ("pear", "apple")),
        (PER_LAYER, "pear apple", ("pear", "apple")),
    ],
)
def test_text_is_read(setting: Setting, text: str, value: object) -> None:
    assert setting.parse("field", text) == value


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        (CHOICE, ""),
        (CHOICE, "Pear"),
        (CHOICE, "apple,pear"),
        *((WHOLE, text) for text in ("", "x", "0", "1001", "-5", "--5", "+5", "1.0", "1e2")),
        *((WHOLE, text) for text in ("1_000", "１２", "٣", "²", "9" * 5000, "nan", "1 2")),  # noqa: RUF001
        *((NUMBER, text) for text in ("", "x", "nan", "inf", "-inf", "1e400", "-1", "1000.1")),
        *((NUMBER, text) for text in ("1_0", "٣", "１", "0x10", "1,5", "9" * 5000)),  # noqa: RUF001
        *((WIDTHS, text) for text in ("-5", "101", "64,0", "64,none", "1,2,3,4", "6.5", "1_0")),
        *((WIDTHS, text) for text in ("64;32", "nan", "٣", "9" * 5000)),
        *((PER_LAYER, text) for text in ("", ",", "plum", "apple,plum", "apple;pear")),
    ],
)
def test_rubbish_is_refused_with_what_is_allowed(setting: Setting, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        setting.parse("field", text)
    assert caught.value.field == "field"
    assert caught.value.allowed == setting.allowed
    assert str(caught.value).startswith("field is ")
    assert str(caught.value).endswith(f", but must be {setting.allowed}.")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        (CHOICE, "pear"),
        (WHOLE, 1000),
        (NUMBER, 0.1),
        (NUMBER, 1 / 3),
        (NUMBER, 2e-300),
        (WIDTHS, ()),
        (WIDTHS, (100, 1)),
        (PER_LAYER, "apple"),
        (PER_LAYER, ("apple", "pear", "apple")),
    ],
)
def test_what_is_written_is_read_back(setting: Setting, value: object) -> None:
    assert setting.parse("field", setting.text(value)) == value


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (CHOICE, "one of apple, pear"),
        (WHOLE, "a whole number from 1 to 1000"),
        (NUMBER, "a number from -0.5 to 1000"),
        (WIDTHS, "up to 3 hidden layers of 1 to 100 units each, such as 128 or 128,64 (or none)"),
        (PER_LAYER, "one of apple, pear, or one for each hidden layer, such as relu,tanh"),
    ],
)
def test_what_is_allowed_is_said_in_words(setting: Setting, words: str) -> None:
    assert setting.allowed == words
