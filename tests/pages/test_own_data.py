"""Every page with data of one's own: pictures that are no digits, not square, of many classes."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import streamlit as st

from neuralscope.data import add_dataset, load_dataset, own_datasets, remove_dataset
from neuralscope.data.sheet import Stroke
from neuralscope.runs import Run, RunConfig, Store
from neuralscope.runs.trainer import Trainer
from neuralscope.ui import canvas
from tests.pages.conftest import DEADLINE, Page

Open = Callable[..., Page]


def bars(n_each: int, n_classes: int, shape: tuple[int, int]) -> bytes:
    """Return an .npz of noisy bars that lean differently in each class, named by letters."""
    rng = np.random.default_rng(0)
    labels = np.arange(n_each * n_classes) % n_classes
    rows, columns = np.indices(shape)
    slants = 3 * np.arange(n_classes)[:, None, None] / n_classes
    waves = np.sin(rows * np.cos(slants) + columns * np.sin(slants))
    x = 220 * (waves > 0.2)[labels]
    x = (x * (rng.random(x.shape) > 0.35)).astype(np.uint8)
    names = np.array([f"*{chr(65 + k)}*" for k in range(n_classes)])
    file = io.BytesIO()
    np.savez(file, x=x, y=labels, class_names=names)
    return file.getvalue()


KINDS = {"3 classes, 12 x 20": (40, 3, (12, 20)), "26 classes, 28 x 28": (12, 26, (28, 28))}


@pytest.fixture(params=KINDS)
def name(request: pytest.FixtureRequest) -> str:
    return add_dataset(bars(*KINDS[request.param]), "My bars")


@pytest.fixture
def run(name: str, store: Store) -> Run:
    run_id = store.create(RunConfig(dataset=name, hidden=(12,), epochs=2, seed=1))
    return Trainer(store, run_id).run()


def words_on(page: Page) -> str:
    """Return all that a page says, but for what its run is called."""
    labels = " ".join(str(label) for label in page.labels())
    heads = " ".join(str(each.value) for each in page.app.subheader)
    return " ".join([*page.said(), *page.charts().values(), labels, heads]).lower()


PAGES = {
    "train": {},
    "confusion": {},
    "mistakes": {},
    "mistakes ": {"digit": "1"},
    "activations": {},
    "activations ": {"view": "digit"},
    "activations  ": {"view": "map"},
    "draw": {},
}


@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_it_and_speaks_of_no_digits(page: str, run: Run, open_page: Open) -> None:
    shown = open_page(f"pages/{page.strip()}.py", dataset=None, run=run.run_id, **PAGES[page])
    assert not shown.said("error")
    said = words_on(shown)
    assert "digit" not in said, said[max(said.find("digit") - 200, 0) :][:300]
    assert "none" not in said.split()


def test_classes_are_called_by_their_names(run: Run, open_page: Open) -> None:
    page = open_page("pages/confusion.py", dataset=None, run=run.run_id)
    named = [label for label in page.labels() if "taken for" in label]
    assert all(r"\*" in label for label in named)  # as text, not in italics
    mistakes = open_page("pages/mistakes.py", dataset=None, run=run.run_id)
    assert "*A*" in mistakes.control("True class").options


def test_a_drawing_is_read_whatever_the_shape(
    run: Run, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    stroke = Stroke(((0.1, 0.5), (0.9, 0.5)))
    monkeypatch.setattr(canvas, "show", lambda *args, **options: [stroke])
    page = open_page("pages/draw.py", dataset=None, run=run.run_id)
    height, width = load_dataset(run.config.dataset).image_shape
    assert page.says(f"exactly these {height} × {width} numbers")
    assert page.metric("Answer").startswith("*")


def test_a_test_picture_is_read_as_it_is(
    run: Run, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canvas, "show", lambda *args, **options: [])
    page = open_page("pages/draw.py", dataset=None, run=run.run_id)
    page.set("Start from", "Test picture")
    assert page.says("This test picture is a")


@pytest.mark.parametrize("augmentation", ["shift", "affine", "elastic"])
def test_augmentation_is_shown_on_a_picture_of_it(
    augmentation: str, name: str, open_page: Open
) -> None:
    page = open_page(dataset=name, augmentation=augmentation)
    assert "What augmentation does to a picture" in [each.value for each in page.app.subheader]
    assert len(page.app.get("image")) == 9


@pytest.mark.parametrize("page", ["train", "confusion", "mistakes", "activations", "draw"])
def test_a_run_whose_data_has_gone_says_so(page: str, run: Run, open_page: Open) -> None:
    remove_dataset(run.config.dataset)
    st.cache_resource.clear()
    shown = open_page(f"pages/{page}.py", dataset=None, run=run.run_id)
    assert shown.says("The data set my-bars is not on this computer any more")


class Upload(io.BytesIO):
    """A file as the uploader hands it over."""

    def __init__(self, name: str, content: bytes) -> None:
        super().__init__(content)
        self.name = name


def uploaded(
    page: Page, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], name: str = ""
) -> Page:
    """Choose files, press Add, and wait for the check."""
    given = [Upload(*each) for each in files.items()]

    def file_uploader(*args: Any, key: str, **options: Any) -> list[Upload]:
        st.session_state[key] = given
        return given

    monkeypatch.setattr(st, "file_uploader", file_uploader)
    page.look()
    if name:
        page.set("Name", name)
    page.click("Add")
    deadline = time.monotonic() + DEADLINE
    while "own_data_adding" in page.app.session_state:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        page.look()
    return page.look()


def test_an_upload_is_checked_kept_and_chosen(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bars(30, 4, (6, 9))
    page = uploaded(open_page(), monkeypatch, {"leaning.npz": content}, name="Leaning *bars*")
    [(key, info)] = [each for each in own_datasets().items() if each[1].title == "Leaning *bars*"]
    assert page.query["dataset"] == key
    assert page.value("Data set") == key
    assert info.image_shape == (6, 9)
    assert not page.control("Start training").disabled
    page.click("Delete this data set")
    assert key not in own_datasets()
    assert page.value("Data set") == "digits"


def test_an_upload_that_cannot_be_used_is_told_beside_it(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = list(own_datasets())
    page = uploaded(open_page(), monkeypatch, {"odd.npz": b"PK nonsense"})
    errors = [str(each.value) for each in page.app.sidebar.error]
    assert errors == [r"odd.npz cannot be used\: it is damaged or cut short."]
    assert list(own_datasets()) == before
    assert page.value("Data set") == "digits"


def test_an_address_with_data_that_is_not_here_says_so(open_page: Open) -> None:
    page = open_page(dataset="own-signs-12345678")
    assert page.says("The data set signs is not on this computer any more")
    assert page.control("Start training").disabled
    assert page.set("Data set", "digits").control("Start training").disabled is False
