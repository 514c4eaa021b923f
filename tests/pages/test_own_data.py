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
from neuralscope.ui import canvas, own_data
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
    assert "none" not in said.split(), said[max(said.find("none") - 200, 0) :][:300]


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
        self.file_id = str(id(self))


def upload(page: Page, monkeypatch: pytest.MonkeyPatch, *files: tuple[str, bytes]) -> Page:
    """Choose files, and wait for the check."""
    given = [Upload(*each) for each in files]

    def file_uploader(*args: Any, key: str, **options: Any) -> list[Upload]:
        is_first = key.startswith("own_data0")  # a new generation is empty
        st.session_state[key] = given if is_first else []
        return given if is_first else []

    monkeypatch.setattr(st, "file_uploader", file_uploader)
    return wait(page.look())


def wait(page: Page) -> Page:
    """Wait for what is done in the background."""
    deadline = time.monotonic() + DEADLINE
    while any(key in page.app.session_state for key in ("own_data_checking", "own_data_adding")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
        page.look()
    return page.look()


def beside(page: Page, *kinds: str) -> str:
    """Return what stands in the sidebar."""
    return " ".join(str(each.value) for kind in kinds for each in page.app.sidebar.get(kind))


def test_an_upload_is_checked_kept_and_chosen(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bars(30, 4, (6, 9))
    page = upload(open_page(), monkeypatch, ("leaning.npz", content))
    assert r"120 pictures of 6 × 9 pixels in 4 classes" in beside(page, "caption")
    assert len(page.app.sidebar.get("image")) == 4
    page.set("Name", "Leaning *bars*")
    wait(page.click("Add"))
    [(key, info)] = [each for each in own_datasets().items() if each[1].title == "Leaning *bars*"]
    assert page.query["dataset"] == key
    assert page.value("Data set") == key
    assert info.image_shape == (6, 9)
    assert not page.control("Start training").disabled
    page.click("Delete this data set")
    assert key not in own_datasets()
    assert page.value("Data set") == "digits"


def test_a_session_keeps_only_the_pictures_that_it_shows(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = upload(open_page(), monkeypatch, ("many.npz", bars(2_000, 3, (20, 20))))
    assert "6,000 pictures" in beside(page, "caption")
    assert page.app.session_state["own_data_checked"].pictures.table.shape == (3, 401)


def test_an_upload_that_cannot_be_used_is_told_beside_it(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = list(own_datasets())
    page = upload(open_page(), monkeypatch, ("odd.npz", b"PK nonsense"))
    errors = [str(each.value) for each in page.app.sidebar.error]
    assert errors == [r"odd.npz cannot be used\: it is damaged or cut short."]
    assert list(own_datasets()) == before
    assert page.value("Data set") == "digits"
    assert page.control("Add").disabled


@pytest.mark.parametrize("breaks", ["read_files", "keep_pictures"])
def test_what_breaks_while_data_is_checked_or_kept_is_told_in_a_sentence(
    breaks: str,
    open_page: Open,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a parser of somebody's")

    monkeypatch.setattr(own_data, breaks, fail)
    page = upload(open_page(), monkeypatch, ("leaning.npz", bars(30, 4, (6, 9))))
    if breaks == "keep_pictures":
        wait(page.click("Add"))
    doing = "Checking" if breaks == "read_files" else "Adding"
    assert [str(each.value) for each in page.app.sidebar.error] == [
        f"{doing} the data failed with an unexpected error (ZeroDivisionError). "
        "The terminal that NeuralScope runs in tells more."
    ]
    assert "a parser of somebody's" in capsys.readouterr().err


def test_two_files_of_one_name_are_told(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bars(30, 4, (6, 9))
    page = upload(open_page(), monkeypatch, ("data.npz", content), ("data.npz", content))
    assert "More than one of the files is called data.npz." in beside(page, "error")
    assert page.control("Add").disabled


def test_of_two_readings_one_is_chosen(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    table = np.column_stack([rng.integers(0, 2, (60, 9)), np.arange(60) % 3 + 4])
    content = "\n".join(",".join(map(str, row)) for row in table.tolist()).encode()
    page = upload(open_page(), monkeypatch, ("two readings.csv", content))
    assert page.control("Add").disabled
    assert page.control("Label column").options == [
        "Column 1 (2 classes: 0, 1)",
        "Column 10 (3 classes: 4, 5, 6)",
    ]
    wait(page.set("Label column", 10))
    assert r"label\: column 10, 3 classes (as you said)" in beside(page, "caption")
    wait(page.click("Add"))
    [info] = [each for each in own_datasets().values() if each.title == "two readings"]
    assert info.class_names == ("4", "5", "6")


def test_ink_on_paper_is_swapped_unless_one_says_no(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = np.full((60, 8, 6), 250, np.uint8), np.arange(60) % 2
    x[y == 0, 2:6, 3] = 10
    x[y == 1, 4, 1:5] = 20
    x[:, 3, 3] = np.arange(60)
    file = io.BytesIO()
    np.savez(file, x=x, y=y)
    page = upload(open_page(), monkeypatch, ("dark ink.npz", file.getvalue()))
    assert "dark ink on light paper" in beside(page, "info")
    assert page.value("Swap ink and paper") is True
    page.set("Turn the pictures", "transpose")
    wait(page.click("Add"))
    [(key, info)] = [each for each in own_datasets().items() if each[1].title == "dark ink"]
    assert info.image_shape == (6, 8)
    assert info.description.endswith(
        "added from a file, rows and columns swapped, ink and paper swapped."
    )
    assert set(map(bytes, load_dataset(key).x_test)) <= {(255 - each.T).tobytes() for each in x}


def test_an_address_with_data_that_is_not_here_says_so(open_page: Open) -> None:
    page = open_page(dataset="own-signs-12345678")
    assert page.says("The data set signs is not on this computer any more")
    assert page.control("Start training").disabled
    assert page.set("Data set", "digits").control("Start training").disabled is False
