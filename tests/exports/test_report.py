"""The report: one file that needs nothing else, and in which no text becomes code."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralscope import exports
from neuralscope.analysis import confusion_counts, worst_mistakes
from neuralscope.charts.colors import diverging_index
from neuralscope.data import Dataset
from neuralscope.exports import report as report_module
from neuralscope.exports.report import page_of
from neuralscope.exports.trained import last_network
from neuralscope.runs import Run, RunConfig, Store, list_snapshots, load_snapshot

Train = Callable[..., Run]


class Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        self._open = attributes.get("id") or tag

    def handle_data(self, data: str) -> None:
        self.texts[self._open] = self.texts.get(self._open, "") + data

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.texts["report"])
        return report


@pytest.fixture
def page(store: Store) -> Callable[[Run], Page]:
    def page(run: Run) -> Page:
        return Page(exports.content(store, run.run_id, "html").decode("utf-8"))

    return page


def test_it_asks_nothing_of_anybody(train: Train, page: Callable[[Run], Page]) -> None:
    found = page(train())
    outside = {"src", "href", "srcset", "action", "data", "poster", "background"}
    assert [tag for tag, attributes in found.tags if outside & set(attributes)] == []
    code = found.texts["script"] + found.texts["style"]
    for word in ("fetch(", "XMLHttpRequest", "WebSocket", "import(", "@import", "url(h", "eval("):
        assert word not in code
    policy = next(a["content"] or "" for t, a in found.tags if t == "meta" and "content" in a)
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy and "http" not in policy


def test_the_policy_lets_in_this_script_and_this_style_only(
    train: Train, page: Callable[[Run], Page]
) -> None:
    found = page(train())
    policy = next(a["content"] or "" for t, a in found.tags if t == "meta" and "content" in a)
    for kind in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(found.texts[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


@pytest.mark.parametrize(
    "name",
    [
        "</script><script>alert(1)</script>",
        "<!--<script>",
        "</title><img src=x onerror=alert(1)>",
        "{{script}} {{report}} \\1 \\g<0>",
        "'\"&lt;\u2028\u2029\0",
    ],
)
def test_a_hostile_name_stays_text(name: str, train: Train, page: Callable[[Run], Page]) -> None:
    plain, hostile = page(train("plain")), page(train(name))
    assert hostile.report["run"]["name"] == name
    # Not one tag more, and not one attribute.
    assert [(tag, set(each)) for tag, each in hostile.tags] == [
        (tag, set(each)) for tag, each in plain.tags
    ]
    assert hostile.texts["script"] == plain.texts["script"]


def test_the_script_writes_text_and_never_html() -> None:
    script = (Path(report_module.__file__).parent / "report.js").read_text("utf-8")
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser"):
        assert word not in script


def test_its_numbers_are_those_of_the_run(
    store: Store, train: Train, digits: Dataset, page: Callable[[Run], Page]
) -> None:
    run = train(epochs=3)
    found = page(run).report
    epochs = store.epochs(run.run_id)
    assert found["epochs"]["epoch"] == [0, 1, 2, 3]
    np.testing.assert_allclose(
        found["epochs"]["validation_loss"], epochs.validation_loss, rtol=1e-4
    )
    assert [each["label"] for each in found["frames"]] == [
        *("before training", "epoch 1", "epoch 2", "epoch 3"),
    ]
    infos = list_snapshots(store, run.run_id)
    pictures = np.frombuffer(base64.b64decode(found["pictures"]), np.uint8).reshape(-1, 64)
    for frame, info in zip(found["frames"], infos, strict=True):
        snapshot = load_snapshot(store, run.run_id, info)
        counts = confusion_counts(digits.y_validation, snapshot.validation_predictions, 10)
        assert frame["counts"] == counts.ravel().tolist()
        worst = worst_mistakes(snapshot.validation_probabilities, digits.y_validation, 12)
        assert [each["index"] for each in frame["mistakes"]] == worst.index.tolist()
        for mistake in frame["mistakes"]:
            ink = digits.x_validation[mistake["index"]] * (255 / digits.pixel_max)
            np.testing.assert_array_equal(pictures[mistake["picture"]], np.rint(ink))
    weight = last_network(store, run.run_id).network.layers[0].weight
    drawn = np.frombuffer(base64.b64decode(found["frames"][-1]["weights"]), np.uint8)
    expected = diverging_index(weight.T, found["weight_limit"])
    np.testing.assert_array_equal(drawn.reshape(8, 64), expected)


def test_a_report_of_many_epochs_stays_small(
    store: Store, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_module, "MOST_FRAMES", 10)
    monkeypatch.setattr(report_module, "MOST_POINTS", 20)
    run = train(epochs=45)
    found = Page(exports.content(store, run.run_id, "html").decode()).report
    assert len(found["frames"]) == 10
    assert len(found["epochs"]["epoch"]) == 20
    assert (found["frames"][0]["epoch"], found["frames"][-1]["epoch"]) == (0, 45)
    assert (found["epochs"]["epoch"][0], found["epochs"]["epoch"][-1]) == (0, 45)


def test_pictures_share_a_budget(
    store: Store, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(hidden=(64,), epochs=3)
    large = len(exports.content(store, run.run_id, "html"))
    monkeypatch.setattr(report_module, "PICTURE_BYTES", 64 * 4 * 6)
    report = Page(exports.content(store, run.run_id, "html").decode()).report
    assert report["units_shown"] == 6 and report["units"] == 64
    assert all(len(frame["mistakes"]) <= 6 for frame in report["frames"])
    assert len(exports.content(store, run.run_id, "html")) < large


def test_without_its_data_it_shows_what_the_snapshots_tell(
    train: Train, page: Callable[[Run], Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train()
    monkeypatch.setattr(report_module, "data_of", lambda run: None)
    found = page(run).report
    assert all("counts" not in frame and frame["weights"] for frame in found["frames"])
    assert found["epochs"]["epoch"] == [0, 1, 2]


def test_a_snapshot_that_is_damaged_is_left_out(
    store: Store, train: Train, page: Callable[[Run], Page]
) -> None:
    run = train()
    (store.folder(run.run_id) / "epoch-00001.npz").write_bytes(b"PK")
    assert [each["epoch"] for each in page(run).report["frames"]] == [0, 2]


def test_a_run_that_has_not_begun_has_a_report_too(
    store: Store, page: Callable[[Run], Page]
) -> None:
    run_id = store.create(RunConfig(dataset="digits"), "early")
    assert page(store.run(run_id)).report["frames"] == []


def test_numbers_that_are_not_finite_do_not_break_the_json() -> None:
    with pytest.raises(ValueError, match="JSON"):
        page_of("x", {"loss": float("nan")})
    curves = report_module._numbers(np.array([1.0, np.inf, np.nan]))
    assert curves == [1.0, None, None]
    assert re.search(r'"a":\[1\.0,null,null\]', page_of("x", {"a": curves}))
