"""Taking runs out and bringing them in on the page, and what the pages show of those brought in."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from neuralscope import exports
from neuralscope.exports import FORMATS
from neuralscope.exports.onnx_model import MISSING
from neuralscope.runs import Run, Store
from neuralscope.ui import own_data, sharing

CHECKOUT = Path(__file__).parents[2]
DEADLINE = 20.0


def shown(function: Callable[..., None], *arguments: Any) -> AppTest:
    """Draw a piece of a page by itself."""

    def script(draw, arguments):  # type: ignore[no-untyped-def]  # runs without our imports
        draw(*arguments)

    app = AppTest.from_function(
        script, default_timeout=DEADLINE, kwargs={"draw": function, "arguments": arguments}
    ).run()
    assert not app.exception, app.exception[0].stack_trace
    return app


def upload(app: AppTest, name: str, content: bytes) -> AppTest:
    app.file_uploader[0].set_value((name, content, "application/octet-stream"))
    app.run()
    assert not app.exception, app.exception[0].stack_trace
    return app


# Out


def test_there_is_a_button_for_each_format(store: Store, runs: Any) -> None:
    app = shown(sharing.show_export, runs.finished())
    assert [each.label for each in app.download_button] == [f.label for f in FORMATS.values()]
    assert not any(each.disabled for each in app.download_button)


def test_no_file_is_made_before_it_is_asked_for(
    store: Store, runs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bytes:
        raise AssertionError("nobody has asked for a file")

    run = runs.finished()
    monkeypatch.setattr(exports, "content", fail)
    shown(sharing.show_export, run)


def test_what_a_button_gives_is_the_export(
    store: Store, runs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    files: dict[str, Callable[[], Any]] = {}

    def note(label: str, data: Callable[[], Any], **_: object) -> None:
        files[label] = data

    monkeypatch.setattr(st, "download_button", note)
    run = runs.finished()
    app = shown(sharing.show_export, run)
    for name, form in FORMATS.items():
        content = files[form.label]().read()
        assert len(content) == pytest.approx(len(exports.content(store, run.run_id, name)), rel=0.1)
    assert "latest checkpoint, epoch 2." in app.caption[0].value


def test_without_a_checkpoint_the_network_cannot_be_saved(store: Store, runs: Any) -> None:
    app = shown(sharing.show_export, store.run(runs.queued().run_id))
    off = {each.label for each in app.download_button if each.disabled}
    assert off == {each.label for each in FORMATS.values() if each.needs_network}
    assert "no checkpoint yet" in app.caption[0].value


def test_without_the_package_onnx_its_button_says_how_to_get_it(
    store: Store, runs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "find_spec", lambda name: None)
    app = shown(sharing.show_export, runs.finished())
    (off,) = [each for each in app.download_button if each.disabled]
    assert off.label == FORMATS["onnx"].label
    assert off.help == MISSING


# In


def test_an_uploaded_run_is_brought_in_once(store: Store, runs: Any) -> None:
    run = runs.finished()
    content = exports.content(store, run.run_id, "run")
    app = upload(shown(sharing.show_import), "*my* run.zip", content)
    new = next(each for each in store.runs() if each.run_id != run.run_id)
    assert new.run_id in app.success[0].value
    assert "Imported from *my* run.zip" in new.origin
    app.run()  # the file is still on the page
    app.run()
    assert len(store.runs()) == 2
    assert new.run_id in app.success[0].value


def test_the_server_lets_in_what_may_be_uploaded() -> None:
    config = tomllib.loads((CHECKOUT / ".streamlit" / "config.toml").read_text("utf-8"))
    assert config["server"]["maxUploadSize"] == sharing.MOST_MEGABYTES == own_data.MOST_MEGABYTES


def test_uploaded_weights_become_a_run(store: Store, runs: Any, tmp_path: Path) -> None:
    content = exports.content(store, runs.finished().run_id, "npz")
    app = upload(shown(sharing.show_import), "weights.npz", content)
    assert app.success
    assert {run.name for run in store.runs()} >= {"weights"}


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\x05\x06" + bytes(18)])
def test_an_upload_that_cannot_be_used_gets_a_sentence(content: bytes, store: Store) -> None:
    app = upload(shown(sharing.show_import), "[holiday].zip", content)
    assert app.error[0].value.startswith(r"\[holiday\].zip cannot be imported\: ")
    assert store.runs() == []


def test_an_upload_after_one_that_failed_is_looked_at(store: Store, runs: Any) -> None:
    run = runs.finished()
    app = upload(shown(sharing.show_import), "bad.zip", b"rubbish")
    assert app.error
    upload(app, "good.zip", exports.content(store, run.run_id, "run"))
    assert app.success and not app.error
    assert len(store.runs()) == 2


# What comes in opens on every page


@pytest.fixture(params=["run", "npz"])
def brought_in(request: pytest.FixtureRequest, store: Store, runs: Any, tmp_path: Path) -> Run:
    """A run in the store that came from a file, the one it was made of being gone."""
    run = runs.finished()
    exports.write(store, run.run_id, request.param, tmp_path / "file.zip")
    store.delete(run.run_id)
    return store.run(exports.import_file(store, tmp_path / "file.zip"))


@pytest.mark.parametrize("name", ["train", "confusion", "mistakes", "activations", "draw", "runs"])
def test_a_run_that_was_brought_in_opens_on_every_page(
    name: str, brought_in: Run, open_page: Callable[..., Any]
) -> None:
    page = open_page(f"pages/{name}.py", run=brought_in.run_id)
    assert page.said("error", "warning") == []
