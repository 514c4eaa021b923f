"""How the layers do, on the Train page: folded while all is well, open when something is not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from neuralscope.runs import Store
from neuralscope.ui import health_table
from tests.pages.conftest import Page, Runs

OpenPage = Callable[..., Page]

NOT_YET = "How each layer does is measured at the end of every epoch."
NOT_RECORDED = "How each layer did was not recorded when this epoch was trained."
SICK = {"learning_rate": 10.0, "hidden": (32,)}


def panel(page: Page) -> Any:
    """Return the one place that tells of the layers' health."""
    (found,) = [each for each in page.app.expander if each.label.startswith("Layer health")]
    return found


def has_panel(page: Page) -> bool:
    return any(each.label.startswith("Layer health") for each in page.app.expander)


def rows(page: Page) -> list[list[str]]:
    """Return the cells of the table, a list a layer."""
    table: list[list[str]] = panel(page).table[0].value.values.tolist()
    return table


def sentences(page: Page) -> list[str]:
    found = panel(page).markdown
    return str(found[0].value).split("\n\n") if found else []


def test_a_healthy_run_is_told_in_one_folded_line(open_page: OpenPage, runs: Runs) -> None:
    run = runs.running(learned=3, hidden=(32, 16))
    page = open_page(run=run.run_id)
    assert panel(page).label == "Layer health: all good"
    assert not panel(page).proto.expanded
    assert sentences(page) == []
    assert "about 0.1 % is usual" in panel(page).caption[0].value


def test_the_table_has_a_row_for_each_layer(open_page: OpenPage, runs: Runs, store: Store) -> None:
    run = runs.running(learned=3, hidden=(32, 16), activation=("leaky_relu", "tanh"))
    page = open_page(run=run.run_id)
    table = rows(page)
    names = ["**1** · 64 → 32 leaky relu", "**2** · 32 → 16 tanh", "**3** · 16 → 10 output"]
    assert [row[0] for row in table] == names
    assert [row[2].split()[-1] for row in table] == ["dead", "saturated", "–"]
    for row, layer in zip(table, store.health(run.run_id)[-1].layers, strict=True):
        assert row[1] == ":green-badge[:material/check: good]"
        assert row[3] == f"{100 * layer.update_ratio:.2g} %"
        assert row[4] == f"{layer.gradient_norm:.2g}"
        assert row[5] == f"{layer.weight_norm:.3g}"


def test_a_sick_run_opens_the_table_and_names_cause_and_cure(
    open_page: OpenPage, runs: Runs
) -> None:
    page = open_page(run=runs.running(learned=3, **SICK).run_id)
    assert panel(page).label == "Layer health: 2 of 2 layers have problems"
    assert panel(page).proto.expanded
    first, second = rows(page)
    assert first[2] == "100 % dead"
    assert first[1] == second[1] == ":red-badge[:material/error: bad]"
    one, other = sentences(page)
    assert one.endswith(
        "Layer 1: 100 % of the units never fire; the learning rate is likely too high, try 0.2."
    )
    assert other.endswith("Layer 2: no gradient arrives any more, because layer 1 is silent.")


def test_a_run_to_watch(open_page: OpenPage, runs: Runs) -> None:
    run = runs.running(learned=2, hidden=(16,) * 4, activation="sigmoid")
    page = open_page(run=run.run_id)
    assert panel(page).label == "Layer health: 1 of 5 layers to watch"
    assert panel(page).proto.expanded
    (sentence,) = sentences(page)
    assert sentence.startswith(":orange-badge[:material/visibility: watch] Layer 1: the gradient ")
    assert sentence.endswith("times smaller than the last layer's; use relu instead of sigmoid.")


def test_an_ended_run_keeps_its_last_verdict(open_page: OpenPage, runs: Runs) -> None:
    page = open_page(run=runs.trained(epochs=3, **SICK).run_id)
    assert panel(page).label == "Layer health: 2 of 2 layers have problems"


def test_before_the_first_epoch_is_over(open_page: OpenPage, runs: Runs) -> None:
    hand = runs.queued()
    page = open_page(run=hand.run_id)
    assert page.says(NOT_YET)
    hand.start()  # the data is loaded, the untrained network is measured
    assert page.look().says(NOT_YET)
    assert not has_panel(page)
    hand.learn(1)
    page.look()
    assert not page.says(NOT_YET)
    assert has_panel(page)


def test_a_run_that_ended_before_its_first_epoch(open_page: OpenPage, runs: Runs) -> None:
    page = open_page(run=runs.diverged().run_id)
    assert not page.says(NOT_YET)
    assert not page.says(NOT_RECORDED)
    assert not has_panel(page)


def test_a_run_of_before_this_was_recorded(open_page: OpenPage, runs: Runs, store: Store) -> None:
    run = runs.finished()
    with store.database.writing() as db:
        db.execute("DELETE FROM layer_health")
    page = open_page(run=run.run_id)
    assert page.says(NOT_RECORDED)
    assert not has_panel(page)


def test_a_run_begun_before_this_was_recorded_and_gone_on_with(
    open_page: OpenPage, runs: Runs, store: Store
) -> None:
    hand = runs.running(learned=3)
    with store.database.writing() as db:
        db.execute("DELETE FROM layer_health WHERE epoch < 3")
    assert panel(open_page(run=hand.run_id)).label == "Layer health: all good"


def test_it_follows_a_live_run(open_page: OpenPage, runs: Runs) -> None:
    hand = runs.running(learned=1, hidden=(32,))
    page = open_page(run=hand.run_id)
    before = rows(page)
    hand.training.learning_rate = 10.0
    hand.learn(2)
    page.look()
    assert rows(page) != before
    assert panel(page).proto.expanded


def test_a_rate_changed_since_is_not_blamed_for_the_last_epoch(
    open_page: OpenPage, runs: Runs, store: Store
) -> None:
    hand = runs.running(learned=2, **SICK)
    hand.set_rate(0.1)
    (sentence, _) = sentences(open_page(run=hand.run_id))
    assert sentence.endswith("the learning rate is likely too high, try 0.2.")


def test_a_rate_lowered_too_late_is_named(open_page: OpenPage, runs: Runs) -> None:
    hand = runs.running(learned=2, **SICK)
    hand.set_rate(0.1)
    hand.learn(3)
    sentence = sentences(open_page(run=hand.run_id))[0]
    assert sentence.endswith("a learning rate of 10 was likely too high, start again with 0.2.")


def test_epochs_that_end_while_it_is_drawn_belong_to_the_next_look(
    open_page: OpenPage, runs: Runs, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = runs.running(learned=6)
    read = Store.epochs
    early = read(store, hand.run_id)
    early = early._replace(**{name: column[:3] for name, column in early._asdict().items()})
    with monkeypatch.context() as patch:
        patch.setattr(Store, "epochs", lambda self, run_id: early)
        page = open_page(run=hand.run_id)
    layer = store.health(hand.run_id)[1].layers[0]
    assert rows(page)[0][4] == f"{layer.gradient_norm:.2g}"


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_a_rate_that_runs_out_as_planned_is_no_trouble(
    open_page: OpenPage, runs: Runs, schedule: str
) -> None:
    run = runs.trained(epochs=4, schedule=schedule, hidden=(32,))
    assert panel(open_page(run=run.run_id)).label == "Layer health: all good"


def test_between_two_epochs_nothing_is_computed(
    open_page: OpenPage, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = runs.running(learned=1)
    page = open_page(run=hand.run_id)
    judged: list[float] = []
    judge = health_table.judge_layers

    def count(*args: Any) -> Any:
        judged.append(time.perf_counter())
        return judge(*args)

    monkeypatch.setattr(health_table, "judge_layers", count)
    page.look().look()
    assert judged == []
    hand.learn(2)
    page.look().look()
    assert len(judged) == 1
