from __future__ import annotations

import pytest

from neuralscope.ui import words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.0023, "2.3 ms"),
        (0.099, "99 ms"),
        (0.3134, "0.31 s"),
        (1.0, "1 s"),
        (9.94, "9.9 s"),
        (10, "10 s"),
        (59.4, "59 s"),
        (60, "1 min 0 s"),
        (75, "1 min 15 s"),
        (3_599.4, "59 min 59 s"),
        (3_600, "1 h 0 min"),
        (7_260, "2 h 1 min"),
        (360_000, "100 h 0 min"),
    ],
)
def test_a_time_span_is_told_in_the_unit_that_fits_it(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize("seconds", [0.0999, 9.96, 59.7, 119.7, 3_599.7, 7_199.9])
def test_a_time_span_that_rounds_up_goes_over_to_the_next_unit(seconds: float) -> None:
    text = words.duration(seconds)
    assert "60" not in text
    assert "100" not in text
    assert "e" not in text


def test_a_name_is_not_read_as_markdown() -> None:
    assert words.plain("128 relu, sgd 0.2, mnist") == "128 relu, sgd 0.2, mnist"
    assert words.plain("**loud** :red[x] $y$ `z`") == r"\*\*loud\*\* \:red\[x\] \$y\$ \`z\`"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("- one", r"\- one"),
        ("+ one", r"\+ one"),
        ("12. one", r"12\. one"),
        ("3) one", r"3\) one"),
        ("---", r"\---"),
        ("=", r"\="),
        ("&lt;b&gt;", r"\&lt;b\&gt;"),
        ("    indented", "indented"),
        ("above\n---\n\nbelow  \nit", "above --- below it"),
    ],
)
def test_text_is_one_line_that_begins_no_list_or_heading(text: str, plain: str) -> None:
    assert words.plain(text) == plain


def test_numbers_stay_as_they_are() -> None:
    assert words.plain("-0.5, 1.5 and 0.2 + 3") == "-0.5, 1.5 and 0.2 + 3"


@pytest.mark.parametrize(
    "text",
    [":smile:", "12:30:45", ":material/home:", ":streamlit:", "a -> b", "a -- b >= c", "<->"],
)
def test_what_streamlit_replaces_is_broken_by_a_joiner_that_nobody_sees(text: str) -> None:
    # It makes pictures and arrows of these even when they are escaped.
    joiner = "\N{WORD JOINER}"
    plain = words.plain(text)
    assert joiner in plain
    assert plain.replace(joiner, "").replace("\\", "") == text


def test_an_error_is_told_in_its_own_words() -> None:
    assert words.plain(ValueError("no *such* file")) == r"no \*such\* file"


@pytest.mark.parametrize("text", ["http://a.b", "see HTTPS://a.b", "www.a.b", "a@b.c"])
def test_an_address_in_plain_text_is_broken_by_a_joiner_that_nobody_sees(text: str) -> None:
    # Markdown makes a link of it, whatever is escaped in it.
    joiner = "\N{WORD JOINER}"
    plain = words.plain(text)
    assert joiner in plain
    assert plain.replace(joiner, "").replace("\\", "") == text
