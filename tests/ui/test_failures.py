"""Every failure reaches the screen: what is raised beside a page's script ends in `ui/failures`.

The first half shows what becomes of it there. The second reads the source of all pages with `ast`
and forbids the ways in which a failure would be lost, or shown in words that are not ours.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.runtime.scriptrunner import ScriptRunner
from streamlit.testing.v1 import AppTest

from neuralscope.errors import NeuralScopeError, StoreError
from neuralscope.ui import failures, words

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 20.0


def full_disk() -> bytes:
    raise OSError(28, "No space left on device", "/tmp/.export.x1y2")


def bug() -> bytes:
    raise KeyError("parameters")


def locked() -> bytes:
    raise StoreError("The *run store* is locked.")


FAILURES: dict[Callable[[], bytes], str] = {
    full_disk: "Making the file failed: No space left on device (OSError).",
    bug: "Making the file failed with an unexpected error (KeyError). "
    "The terminal that NeuralScope runs in tells more.",
    locked: "The *run store* is locked.",
}


@pytest.mark.parametrize("function", FAILURES)
def test_a_thread_ends_in_a_sentence_and_the_terminal_has_what_is_not_ours(
    function: Callable[[], bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    task = failures.Background("test").start("Making the file", function)
    error = task.exception(DEADLINE)
    assert str(error) == FAILURES[function]
    terminal = capsys.readouterr().err
    assert ("Traceback" in terminal) == (f"in {function.__name__}" in terminal)
    assert ("Traceback" in terminal) == (function is not locked)


def test_a_failure_holds_on_to_nothing_that_was_worked_on() -> None:
    with pytest.raises(failures.Failed) as caught:
        failures.explained("Making the file", bug)
    assert caught.value.__context__ is None


# A file that is made when a button is pressed


class Button:
    """A page with one download button, and what its browser does."""

    def __init__(self, make: Callable[[], bytes], patch: pytest.MonkeyPatch) -> None:
        self._data: Callable[[], Any] = lambda: None
        draw = st.download_button

        def download_button(label: str, data: Callable[[], Any], **options: Any) -> bool:
            self._data = data
            return draw(label, data, **options)

        def script(make):  # type: ignore[no-untyped-def]  # runs without our imports
            from neuralscope.ui import failures

            failures.download_button("Save", make, doing="Making the file", key="save")

        patch.setattr(st, "download_button", download_button)
        self.app = AppTest.from_function(script, default_timeout=DEADLINE, kwargs={"make": make})
        self.app.run()

    def press(self) -> None:
        """Let the page hear of it; the browser asks for the file at the same time."""
        self.app.download_button[0].click().run()

    def fetch(self) -> bytes:
        content: bytes = self._data().read()
        return content

    def look(self) -> list[str]:
        self.app.run()
        assert not self.app.exception
        return [str(each.value) for each in (*self.app.error, *self.app.caption)]


@pytest.mark.parametrize("function", FAILURES)
@pytest.mark.parametrize("is_page_first", [True, False])
def test_a_file_that_cannot_be_made_is_told_below_its_button(
    function: Callable[[], bytes], is_page_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    button = Button(function, monkeypatch)
    if is_page_first:
        button.press()
        assert button.look() == [":material/hourglass_empty: Making the file."]
    with pytest.raises(NeuralScopeError):
        button.fetch()
    if not is_page_first:
        button.press()
    assert button.look() == [words.plain(FAILURES[function])]


def test_a_file_that_comes_is_no_matter_for_words(monkeypatch: pytest.MonkeyPatch) -> None:
    button = Button(lambda: b"weights", monkeypatch)
    button.press()
    assert button.fetch() == b"weights"
    assert button.look() == []


def test_a_file_that_nobody_began_to_make_is_not_awaited_forever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    button = Button(lambda: b"weights", monkeypatch)
    monkeypatch.setattr(failures, "LOST_AFTER", -1.0)
    button.press()
    assert button.look() == ["The server was not asked for the file. Press the button once more."]
    assert button.fetch() == b"weights"
    assert button.look() == []


# What nobody catches


def in_the_page() -> None:
    raise KeyError("*parameters*")


def in_a_fragment() -> None:
    import streamlit as st

    def draw() -> None:
        raise KeyError("*parameters*")

    st.fragment(draw)()


def in_a_callback() -> None:
    import streamlit as st

    def press() -> None:
        raise KeyError("*parameters*")

    st.button("Press", on_click=press)


@pytest.mark.parametrize("script", [in_the_page, in_a_fragment, in_a_callback])
def test_what_nobody_catches_is_one_sentence(
    script: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = ScriptRunner.__init__

    def with_handler(self: ScriptRunner, *args: Any, **options: Any) -> None:
        start(self, *args, **{**options, "on_script_error": failures.show_uncaught})

    monkeypatch.setattr(ScriptRunner, "__init__", with_handler)
    app = AppTest.from_function(script, default_timeout=DEADLINE).run()
    for button in app.button:
        button.click().run()
    assert not app.exception
    (error,) = app.error
    assert error.value == (
        r"Showing this page failed with an unexpected error (KeyError). "
        "The terminal that NeuralScope runs in tells more."
    )


def test_the_server_knows_what_to_do_with_it() -> None:
    assert "on_script_error=failures.show_uncaught" in (ROOT / "dashboard.py").read_text("utf-8")


# No other way


def forbidden(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield where a failure would be lost, and in what."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="submit" | "add_done_callback" as name)):
                yield node.lineno, name
            case ast.Call(
                func=ast.Name(id="ThreadPoolExecutor" | "ProcessPoolExecutor" as name)
                | ast.Attribute(attr="ThreadPoolExecutor" | "ProcessPoolExecutor" as name)
            ):
                yield node.lineno, name
            case ast.Call(func=ast.Attribute(attr="Thread" | "Timer") | ast.Name(id="Thread")):
                yield node.lineno, "Thread"
            case ast.Call(func=ast.Attribute(value=ast.Name(id=of), attr="download_button")) if (
                of != "failures"
            ):
                yield node.lineno, f"{of}.download_button"
            case ast.Call(func=ast.Attribute(attr="suppress"), args=args) if wide(args):
                yield node.lineno, "suppress"
            case ast.ExceptHandler(type=kind) if wide([kind]) and not says(node):
                yield node.lineno, "except"


def wide(kinds: list[ast.expr | None]) -> bool:
    """Return whether these are all errors, or all of ours."""
    everything = {"Exception", "BaseException", "NeuralScopeError"}
    names = {ast.unparse(each) for kind in kinds if kind for each in elements(kind)}
    return None in kinds or bool(names & everything)


def elements(kind: ast.expr) -> list[ast.expr]:
    return kind.elts if isinstance(kind, ast.Tuple) else [kind]


def says(handler: ast.ExceptHandler) -> bool:
    """Return whether a handler makes use of the error, or raises it again."""
    used = any(isinstance(each, ast.Name) and each.id == handler.name for each in inside(handler))
    return used or any(isinstance(each, ast.Raise) for each in inside(handler))


def inside(handler: ast.ExceptHandler) -> Iterator[ast.AST]:
    for statement in handler.body:
        yield from ast.walk(statement)


LOOKED_AFTER = {
    # Reads what a process says, and turns what it raises into a sentence.
    ("neuralscope/ui/rate_test.py", "Thread"),
    # Runs while the server closes, when no page is left: the terminal is told.
    ("neuralscope/ui/closing.py", "Thread"),
}
"""Other ways that have been looked at: they end in a sentence too."""


@pytest.mark.parametrize(
    "path",
    [
        str(path.relative_to(ROOT))
        for folder in ("neuralscope/ui", "pages")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.name != "failures.py"
    ],
)
def test_a_page_loses_no_failure(path: str) -> None:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    lost = [(line, way) for line, way in forbidden(tree) if (path, way) not in LOOKED_AFTER]
    assert lost == []


@pytest.mark.parametrize(
    "source",
    [
        "pool.submit(read, file)",
        "pool = ThreadPoolExecutor()",
        "threading.Thread(target=read).start()",
        "st.download_button('Save', lambda: b'')",
        "menu.download_button('Save', lambda: b'')",
        "with contextlib.suppress(Exception): read()",
        "with contextlib.suppress(OSError, NeuralScopeError): read()",
        "try: read()\nexcept Exception: pass",
        "try: read()\nexcept: pass",
        "try: read()\nexcept (OSError, NeuralScopeError): st.stop()",
    ],
)
def test_the_search_sees(source: str) -> None:
    assert list(forbidden(ast.parse(source)))
