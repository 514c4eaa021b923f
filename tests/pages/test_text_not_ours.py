"""Names, notes and addresses full of Markdown: every page shows them as they are."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from neuralscope.data import add_dataset
from neuralscope.data.sheet import Stroke
from neuralscope.runs import SETTINGS, Run, RunConfig, Store
from neuralscope.runs.trainer import Trainer
from neuralscope.ui import canvas
from tests.pages.conftest import Page
from tests.writing import owner

Open = Callable[..., Page]

HOSTILE = "![x](//h/x.png)"
"""Read as Markdown, it would fetch a picture; escaped, it is not found as it stands here."""

NOT_MARKDOWN = {
    # Menus, tables to click in and texts for those who do not see a picture.
    *("selectbox.options", "multiselect.options", "dataframe.arrow_data.data"),
    *("vega_lite_chart.alt", "vega_lite_chart.datasets.data.data", "vega_lite_chart.spec"),
    "image.imgs.alt",
    # What is chosen and typed.
    *("multiselect.raw_values", "selectbox.raw_value", "text_input.value", "text_area.value"),
}
"""Where Streamlit shows a text as it is."""

OTHER_PARAMETERS = (
    *("cell", "data", "digit", "epoch", "kind", "layer", "of", "order", "page", "pair"),
    *("predicted", "race", "search", "show", "sort", "split", "status", "tag", "true"),
    *("unit", "view"),
)
"""What addresses may say besides a run and its settings."""


@pytest.fixture
def run(store: Store) -> Run:
    """A run called so, on data called so, of classes called so."""
    labels = np.arange(120) % 3
    x = 80 * labels[:, None, None] + np.random.default_rng(0).integers(0, 40, (120, 8, 8))
    file = io.BytesIO()
    np.savez(file, x=x.astype(np.uint8), y=labels, class_names=[f"{HOSTILE}{n}" for n in range(3)])
    name = add_dataset(file.getvalue(), HOSTILE)
    run_id = store.create(RunConfig(dataset=name, hidden=(4,), epochs=2), name=HOSTILE)
    store.set_tags(run_id, [HOSTILE])
    store.set_notes(run_id, HOSTILE)
    trained = Trainer(store, run_id).run()
    owner(store, run_id).end(trained.status, message=HOSTILE)
    return store.run(run_id)


def texts(message: Any, place: str) -> Iterator[tuple[str, str]]:
    """Yield the texts of a message to the browser, each with the place where it stands."""
    for field, value in message.ListFields():
        for each in value if field.is_repeated else [value]:
            if isinstance(each, str):
                yield f"{place}.{field.name}", each
            elif isinstance(each, bytes):
                yield f"{place}.{field.name}", each.decode(errors="replace")
            elif hasattr(each, "ListFields"):
                yield from texts(each, f"{place}.{field.name}")


def read_as_markdown(page: Page) -> list[tuple[str, str]]:
    """Return the texts of a page that would be rendered, and where they stand."""
    return [
        (place, text)
        for element in page.app._tree
        if hasattr(getattr(element, "proto", None), "ListFields")
        for place, text in texts(element.proto, element.type)
        if HOSTILE in text and place not in NOT_MARKDOWN
    ]


@pytest.mark.parametrize(
    ("page", "address"),
    [
        ("train", {}),
        ("confusion", {"of": "test"}),
        ("confusion", {"show": "errors"}),
        ("mistakes", {}),
        ("mistakes", {"digit": "1"}),
        ("activations", {}),
        ("activations", {"layer": "logits"}),
        ("activations", {"view": "digit"}),
        ("activations", {"view": "map"}),
        ("draw", {}),
        ("runs", {}),
        ("runs", {"runs": "{run}"}),
        ("runs", {"runs": "{run}", "view": "compare"}),
    ],
)
def test_names_are_shown_as_they_are(
    page: str,
    address: dict[str, str],
    run: Run,
    open_page: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stroke = Stroke(((0.1, 0.5), (0.9, 0.5)))
    monkeypatch.setattr(canvas, "show", lambda *args, **options: [stroke])
    query = {name: text.format(run=run.run_id) for name, text in address.items()}
    shown = open_page(f"pages/{page}.py", **{"dataset": None, "run": run.run_id, **query})
    assert read_as_markdown(shown) == []


@pytest.mark.parametrize("page", ["train", "confusion", "mistakes", "activations", "draw", "runs"])
@pytest.mark.parametrize("is_run_there", [True, False])
def test_addresses_are_quoted_as_they_are(
    page: str, is_run_there: bool, run: Run, open_page: Open
) -> None:
    hostile = dict.fromkeys([*SETTINGS, *OTHER_PARAMETERS], HOSTILE)
    shown = open_page(
        f"pages/{page}.py", **hostile, run=run.run_id if is_run_there else HOSTILE, runs=HOSTILE
    )
    assert shown.says(HOSTILE) or page == "draw"  # which has nothing but a run in its address
    assert read_as_markdown(shown) == []
