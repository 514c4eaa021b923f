import itertools
import json
from typing import Any

import numpy as np
import pytest

from neuralscope.charts import (
    Binned,
    EpochPoints,
    Figure,
    describe_curves,
    learning_curves,
    smooth,
    thin,
)
from neuralscope.charts.curves import LETTER, LINE, MOST_LEVELS, NARROW, extremes

NONE = np.empty(0)


def points(train: list[float], validation: list[float]) -> EpochPoints:
    epoch = np.arange(1, len(train) + 1)
    return EpochPoints(epoch, epoch * 60.0, epoch * 938, train, validation)


FALLING = points([2.3, 0.5, 0.12], [2.2, 0.15, 0.2])


def titles(figure: Figure, channel: str) -> set[str]:
    found = set()
    for layer in figure.template["layer"]:
        definition = layer["encoding"].get(channel, {})
        title = definition.get("title") or (definition.get("axis") or {}).get("title")
        if title:
            found.add(title)
    return found


def values(figure: Figure, series: str, column: str = "value") -> list[float]:
    lines = figure.tables["lines"]
    return lines[lines["series"] == series][column].tolist()


def encodings(figure: Figure, channel: str) -> list[Any]:
    return [
        layer["encoding"][channel]
        for layer in figure.template["layer"]
        if channel in layer["encoding"]
    ]


# --- thin


def brute_force(x: np.ndarray, y: np.ndarray, most: int) -> list[tuple[float, ...]]:
    """The same bins, one at a time: 2^k wide, the first and last point alone."""
    n = len(y)
    k = next(k for k in range(64) if 2 + len(range(0, n - 1, 2**k)) <= most)
    bins: dict[int, list[int]] = {}
    for i in range(n):
        key = -1 if i == 0 else n if i == n - 1 else i // 2**k
        bins.setdefault(key, []).append(i)
    result = []
    for members in bins.values():
        finite = [y[i] for i in members if np.isfinite(y[i])]
        stats = (np.mean(finite), min(finite), max(finite)) if finite else (np.nan,) * 3
        result.append((np.mean(x[members]), *stats))
    return result


@pytest.mark.parametrize("n", [11, 12, 100, 128, 129, 1023])
@pytest.mark.parametrize("most", [3, 4, 10])
@pytest.mark.parametrize("holes", [False, True])
def test_thin_agrees_with_brute_force(n: int, most: int, holes: bool) -> None:
    rng = np.random.default_rng(n)
    x, y = np.sort(rng.uniform(0, 9, n)), rng.normal(size=n)
    if holes:
        y[rng.random(n) < 0.5] = rng.choice([np.nan, np.inf, -np.inf])
    bins = thin(x, y, most)
    got = np.stack([bins.x, bins.mean, bins.low, bins.high], axis=1)
    assert len(got) <= most
    np.testing.assert_allclose(got, brute_force(x, y, most))


def test_thin_keeps_the_first_and_last_point() -> None:
    x, y = np.arange(5000.0), np.random.default_rng(0).normal(size=5000)
    bins = thin(x, y, 100)
    for at in (0, -1):
        assert bins.x[at] == x[at]
        assert bins.mean[at] == bins.low[at] == bins.high[at] == y[at]


def test_thin_leaves_short_curves_as_they_are() -> None:
    bins = thin([1, 2, 3], [5, np.inf, 7], 3)
    np.testing.assert_array_equal(bins.x, [1, 2, 3])
    np.testing.assert_array_equal(bins.mean, [5, np.nan, 7])
    assert len(thin([], [], 10).x) == 0


def test_finished_bins_stay_when_the_curve_grows() -> None:
    x = np.arange(1200.0)
    y = np.random.default_rng(0).normal(size=1200)
    before, after = thin(x[:1100], y[:1100], 200), thin(x, y, 200)
    kept = len(before.x) - 2  # the open bin and the last point move
    np.testing.assert_array_equal(before.mean[:kept], after.mean[:kept])


@pytest.mark.parametrize(("n", "most"), [(10_000, 400), (401, 400), (281_400, 400)])
def test_thin_uses_at_least_nearly_half_of_the_bins_it_may(n: int, most: int) -> None:
    assert most / 2 - 2 <= len(thin(np.arange(n), np.zeros(n), most).x) <= most


def test_thin_refuses_what_it_cannot_thin() -> None:
    with pytest.raises(ValueError, match="one length"):
        thin([1, 2], [1], 10)
    with pytest.raises(ValueError, match="at least 3"):
        thin([1, 2], [1, 2], 2)


# --- smooth


@pytest.mark.parametrize("weight", [0.1, 0.6, 0.99])
def test_smooth_is_the_bias_corrected_average(weight: float) -> None:
    y = np.random.default_rng(0).normal(size=20)
    expected = []
    for t in range(1, 21):
        shares = (1 - weight) * weight ** np.arange(t)[::-1]
        expected.append((shares * y[:t]).sum() / (1 - weight**t))
    np.testing.assert_allclose(smooth(y, weight), expected)


def test_smooth_keeps_a_constant_and_the_first_value() -> None:
    np.testing.assert_allclose(smooth([3.0] * 5, 0.9), 3.0)
    assert smooth([7.0, 1.0], 0.99)[0] == pytest.approx(7)


def test_smooth_with_weight_zero_changes_nothing() -> None:
    assert smooth([3.0, 1.0, 2.0], 0).tolist() == [3, 1, 2]


def test_smooth_steps_over_what_is_not_finite() -> None:
    holes = smooth([1.0, np.nan, np.inf, 3.0], 0.5)
    assert np.isnan(holes[1:3]).all()
    assert holes[3] == smooth([1.0, 3.0], 0.5)[1]


@pytest.mark.parametrize("weight", [-0.1, 1, 2, np.nan])
def test_smooth_refuses_other_weights(weight: float) -> None:
    with pytest.raises(ValueError, match="smoothing"):
        smooth([1.0], weight)


# --- the chart


def test_axes_have_titles_with_units() -> None:
    assert titles(learning_curves(FALLING), "x") == {"Epoch"}
    assert titles(learning_curves(FALLING), "y") == {"Loss (cross-entropy, nats)"}
    assert titles(learning_curves(FALLING, quantity="accuracy"), "y") == {"Accuracy (%)"}
    assert titles(learning_curves(FALLING, x_axis="step"), "x") == {"Training step (minibatches)"}
    assert titles(learning_curves(FALLING, log=True), "y") == {
        "Loss (cross-entropy, nats), log scale"
    }
    assert titles(learning_curves(FALLING, quantity="accuracy", log=True), "y") == {
        "Error rate (%), log scale"
    }


@pytest.mark.parametrize(
    ("seconds", "unit", "last"), [(100, "s", 100), (600, "min", 10), (36_000, "h", 10)]
)
def test_time_is_shown_in_a_unit_that_fits(seconds: float, unit: str, last: float) -> None:
    run = EpochPoints([1, 2], [seconds / 2, seconds], [1, 2], [1, 1], [1, 1])
    batches = Binned([seconds], [1], [1], [1])
    figure = learning_curves(run, batches=batches, marks=[(seconds, "end")], x_axis="time")
    assert titles(figure, "x") == {f"Training time ({unit})"}
    for table in ("lines", "batches", "marks", "hover"):
        assert figure.tables[table]["x"].max() == pytest.approx(last), table


def test_a_fixed_time_domain_is_in_seconds() -> None:
    figure = learning_curves(FALLING, x_axis="time", x_domain=(0, 1200))
    assert encodings(figure, "x")[0]["scale"]["domain"] == [0, 20]


def test_the_raw_curve_stays_under_the_smoothed_one() -> None:
    figure = learning_curves(FALLING, smoothing=0.6)
    assert values(figure, "Training", "raw") == [2.3, 0.5, 0.12]
    np.testing.assert_allclose(values(figure, "Training"), smooth([2.3, 0.5, 0.12], 0.6))
    drawn = [y["field"] for y in encodings(figure, "y") if "field" in y]
    assert drawn.index("raw") < drawn.index("value")
    assert "raw" not in [y.get("field") for y in encodings(learning_curves(FALLING), "y")]


def test_a_log_axis_survives_zeros_negatives_and_what_is_no_number() -> None:
    figure = learning_curves(points([0.4, 0, -1, np.nan], [0.2, np.inf, 0.3, 0]), log=True)
    np.testing.assert_array_equal(values(figure, "Training"), [0.4, 0.1, 0.1, np.nan])
    np.testing.assert_array_equal(values(figure, "Validation"), [0.2, np.nan, 0.3, 0.1])


def test_a_log_axis_without_any_positive_value_still_has_a_place_for_them() -> None:
    assert min(values(learning_curves(points([0, 0], [0, 0]), log=True), "Training")) > 0


def test_accuracy_on_a_log_axis_is_the_error_rate() -> None:
    figure = learning_curves(
        points([0.9, 1.0], [0.8, 0.95]),
        batches=Binned([0.5], [0.7], [0.6], [0.9]),
        quantity="accuracy",
        log=True,
    )
    np.testing.assert_allclose(values(figure, "Training"), [0.1, 0.025])
    band = figure.tables["batches"].iloc[0]
    assert [band["low"], band["mean"], band["high"]] == pytest.approx([0.1, 0.3, 0.4])
    assert figure.tables["best"]["label"][0] == "lowest error 5.00 %, epoch 2"
    assert figure.tables["hover"]["validation"].tolist() == ["80.00 %", "95.00 %"]


def test_the_scale_is_logarithmic_only_on_request() -> None:
    for log, kinds in ((True, {"log"}), (False, {None})):
        scales = encodings(learning_curves(FALLING, log=log), "y")
        assert {y["scale"].get("type") for y in scales if "field" in y} == kinds


def test_minibatches_beyond_the_epoch_curves_are_cut_off_at_the_edge() -> None:
    batches = Binned([0, 1], [9.0, 0.5], [8.0, 0.4], [90.0, 0.6])
    band = learning_curves(FALLING, batches=batches).tables["batches"]
    assert band["high"].tolist() == pytest.approx([1.3 * 2.3, 0.6])
    # On a log axis, and before there are two epochs to go by, nothing is cut.
    assert learning_curves(FALLING, batches=batches, log=True).tables["batches"]["high"].max() == 90
    assert learning_curves(points([1], [1]), batches=batches).tables["batches"]["high"].max() == 90


def test_low_minibatch_accuracies_are_cut_off_too() -> None:
    batches = Binned([0, 1], [0.1, 0.95], [0.0, 0.9], [0.2, 1.0])
    run = points([0.9, 0.95], [0.9, 0.94])
    band = learning_curves(run, batches=batches, quantity="accuracy").tables["batches"]
    assert band["low"].tolist() == pytest.approx([0.885, 0.9])


@pytest.mark.parametrize(
    ("quantity", "label", "x"),
    [("loss", "best 0.15, epoch 2", 2), ("accuracy", "best 220.00 %, epoch 1", 1)],
)
def test_the_best_epoch_is_ringed_and_named(quantity: str, label: str, x: float) -> None:
    best = learning_curves(FALLING, quantity=quantity).tables["best"]
    assert best["label"].tolist() == [label]
    assert best["x"].tolist() == [x]


@pytest.mark.parametrize("run", [points([], []), points([1], [1]), points([1, 1], [np.nan] * 2)])
def test_there_is_no_best_without_a_comparison(run: EpochPoints) -> None:
    assert len(learning_curves(run).tables["best"]) == 0


def test_of_equally_good_epochs_the_first_is_best() -> None:
    best = learning_curves(points([1, 1, 1], [0.5, 0.2, 0.2])).tables["best"]
    assert best["x"].tolist() == [2]


def test_marks_are_labelled_and_neighbours_do_not_overlap() -> None:
    figure = learning_curves(
        FALLING,
        marks=[(2.9, "stopped"), (0.5, "paused"), (0.6, "learning rate 0.1 -> 0.01")],
        x_domain=(0, 3),
    )
    marks = figure.tables["marks"]
    assert marks["label"].tolist() == ["stopped", "paused", "learning rate 0.1 -> 0.01"]
    assert marks["text"].tolist() == marks["label"].tolist()
    assert marks["level"].tolist() == [0, 0, 1]
    assert marks["align"].tolist() == ["right", "left", "left"]


def test_one_tooltip_holds_the_values_of_all_series() -> None:
    figure = learning_curves(
        FALLING, batches=Binned([0, 4], [1.0, 3.0], [1, 1], [3, 3]), marks=[(1, "paused")]
    )
    row = figure.tables["hover"].iloc[1].to_dict()
    assert row == {
        "x": 2,
        "epoch": "2",
        "train": "0.5",
        "validation": "0.15",
        "batch": "2",
        "step": "1,876",
        "time": "2 min 00 s",
    }
    (tooltip,) = [t for t in encodings(figure, "tooltip") if isinstance(t, list)]
    assert [t["title"] for t in tooltip] == [
        "Epoch",
        "Training loss",
        "Validation loss",
        "Minibatch loss, mean",
        "Step",
        "Training time",
    ]


def test_the_pointer_finds_the_nearest_epoch() -> None:
    (hover,) = learning_curves(FALLING).template["params"]
    assert hover["name"] == "hover"
    assert hover["select"]["nearest"] is True
    assert hover["select"]["fields"] == ["x"]


def test_minibatches_answer_the_pointer_until_the_first_epoch_has_ended() -> None:
    figure = learning_curves(
        points([], []), batches=Binned([0.1, 0.2], [2, np.nan], [1, 1], [3, 3])
    )
    assert figure.tables["hover"]["batch"].tolist() == ["2", "-"]
    assert "empty" not in figure.tables


def test_the_name_of_the_best_keeps_clear_of_the_legend_above_the_curves() -> None:
    named = [
        layer["mark"]
        for layer in learning_curves(FALLING).template["layer"]
        if layer.get("data") == {"name": "best"} and layer["mark"]["type"] == "text"
    ]
    assert len(named) == 2
    assert {mark["dy"]["expr"] for mark in named} == {"scale('y', datum.y) < 24 ? 20 : -18"}


def test_many_epochs_keep_few_places_to_hover_over_but_always_the_best_and_the_last() -> None:
    validation = np.full(5000, 0.5)
    validation[1234] = 0.1
    hover = learning_curves(points([1.0] * 5000, validation.tolist())).tables["hover"]
    assert len(hover) < 450
    assert {1, 1235, 5000} <= set(hover["x"])


def test_a_run_that_moves_has_fewer_places_to_hover_over_but_each_of_its_first_hundred_epochs() -> (
    None
):
    validation = np.full(5000, 0.5)
    validation[1234] = 0.1
    long = points([1.0] * 5000, validation.tolist())
    hover = learning_curves(long, moving=True).tables["hover"]
    assert len(hover) < 110
    assert {1, 1235, 5000} <= set(hover["x"])
    short = points([1.0] * 100, [1.0] * 100)
    assert len(learning_curves(short, moving=True).tables["hover"]) == 100


def test_many_epochs_are_drawn_with_few_points_and_every_spike() -> None:
    train = np.linspace(2.0, 1.0, 30_000)
    train[[4_321, 23_456]] = 9.0, 0.01
    train[100:200] = np.nan
    long = points(train.tolist(), [1.5] * 30_000)
    figure = learning_curves(long, parent=long)
    for name in ("lines", "parent"):
        lines = figure.tables[name]
        assert len(lines) < 2_200
    drawn = dict(zip(*(values(figure, "Training", each) for each in ("x", "value")), strict=True))
    assert (drawn[1], drawn[4_322], drawn[23_457], drawn[30_000]) == (2.0, 9.0, 0.01, 1.0)
    assert any(np.isnan(drawn[x]) for x in drawn if 100 < x <= 200), "the gap is still one"


@pytest.mark.parametrize("n", [0, 1, 2, 19, 20, 21, 40, 1000, 4097])
def test_the_extremes_of_a_curve_are_those_of_all_its_points(n: int) -> None:
    y = np.random.default_rng(n).normal(size=n)
    few = extremes(y, 10)
    assert len(few) <= max(20, 2 * 10 + 2)
    assert (np.diff(few) > 0).all()
    if n <= 20:
        np.testing.assert_array_equal(few, np.arange(n))
    else:
        assert (few[0], few[-1]) == (0, n - 1)
        assert (y[few].min(), y[few].max()) == (y.min(), y.max())


def test_the_points_of_a_curve_that_grows_stay() -> None:
    y = np.random.default_rng(0).normal(size=320)
    shorter, longer = (set(extremes(y[:n], 10).tolist()) for n in (256, 320))
    assert shorter - {255} <= longer


@pytest.mark.parametrize("quantity", ["loss", "accuracy"])
@pytest.mark.parametrize("x_axis", ["epoch", "step", "time"])
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(
    "run",
    [
        points([], []),
        points([0.5], [0.6]),
        points([np.nan] * 3, [np.nan] * 3),
        points([1e300, -1e300], [np.inf, -np.inf]),
        points([0.0, 0.0], [1.0, 1.0]),
    ],
    ids=["empty", "one point", "nan", "huge", "constant"],
)
def test_every_run_has_a_chart(quantity: str, x_axis: str, log: bool, run: EpochPoints) -> None:
    figure = learning_curves(
        run, batches=thin(NONE, NONE, 10), quantity=quantity, x_axis=x_axis, log=log, smoothing=0.9
    )
    drawn = figure.tables["lines"][["value", "raw"]].to_numpy()
    assert not np.isinf(drawn).any()
    if log:
        assert not (drawn <= 0).any()


@pytest.mark.parametrize("run", [points([], []), points([0.5], [0.6]), points([np.nan], [np.inf])])
def test_charts_of_little_data_are_valid(run: EpochPoints) -> None:
    figure = learning_curves(run, marks=[(0, "started")])
    json.dumps(figure.chart().to_dict(validate=True), allow_nan=False)


def test_a_chart_without_data_says_so() -> None:
    assert len(learning_curves(points([], [])).tables["empty"]) == 1
    assert "empty" not in learning_curves(FALLING).tables


def test_new_data_does_not_change_the_template() -> None:
    one, two = (learning_curves(points([v], [v]), x_domain=(0, 9)) for v in (1.0, 2.0))
    assert one.template is two.template


def test_lists_and_arrays_give_the_same_chart() -> None:
    lists = EpochPoints([1, 2], [1, 2], [1, 2], [1, 2], [1, 2])
    arrays = EpochPoints(*(np.array([1, 2]) for _ in range(5)))
    assert learning_curves(lists).tables["lines"].equals(learning_curves(arrays).tables["lines"])


# --- in words


@pytest.mark.parametrize(
    ("run", "quantity", "text"),
    [
        (
            points([2.3, 0.5, 0.12], [2.2, 0.2, 0.15]),
            "loss",
            "Training loss fell from 2.30 to 0.12 over 3 epochs;"
            " validation loss 0.15, the best so far.",
        ),
        (
            FALLING,
            "loss",
            "Training loss fell from 2.30 to 0.12 over 3 epochs;"
            " validation loss 0.20, best 0.15 at epoch 2.",
        ),
        (
            points([0.5, 0.991], [0.5, 0.98]),
            "accuracy",
            "Training accuracy rose from 50.00 % to 99.10 % over 2 epochs;"
            " validation accuracy 98.00 %, the best so far.",
        ),
        (points([], []), "loss", "No epoch has finished yet, so there is no loss to show."),
        (
            points([0.0123], [0.5]),
            "loss",
            "Training loss was 0.0123 over 1 epoch; validation loss 0.50.",
        ),
        (
            points([0.05], [0.09996]),  # three digits all the same
            "loss",
            "Training loss was 0.0500 over 1 epoch; validation loss 0.100.",
        ),
        (
            points([0.5, np.nan], [0.6, 0.4]),
            "loss",
            "Training loss was 0.50 over 2 epochs; validation loss 0.40, the best so far.",
        ),
        (
            points([0.5, np.inf, np.nan], [0.6, 9, np.nan]),
            "loss",
            "Training loss was 0.50 over 3 epochs; validation loss 9.00, best 0.60 at epoch 1;"
            " not a finite number from epoch 2 on.",
        ),
        (
            points([np.nan], [np.nan]),
            "loss",
            "Training loss has no finite value in 1 epoch; not a finite number from epoch 1 on.",
        ),
    ],
)
def test_curves_in_words(run: EpochPoints, quantity: str, text: str) -> None:
    assert describe_curves(run, quantity=quantity) == text
    assert learning_curves(run, quantity=quantity).text == text


# --- the whole training and its end


def from_the_start(n: int) -> EpochPoints:
    """A run whose loss falls from 2.3 to hardly anything, with the untrained network."""
    epoch = np.arange(n + 1)
    loss = [2.3, *(0.2 / np.arange(1, n + 1)).tolist()]
    return EpochPoints(epoch, epoch * 60.0, epoch * 938, loss, loss)


@pytest.mark.parametrize("x_axis", ["epoch", "step", "time"])
def test_the_whole_fall_is_shown_unless_the_end_is_asked_for(x_axis: str) -> None:
    batches = Binned([1, 19], [0.5, 0.01], [0.4, 0.0], [0.6, 5.0])
    whole, end = (
        learning_curves(
            from_the_start(20),
            batches=batches if x_axis == "epoch" else None,
            parent=from_the_start(20),
            marks=[(1, "paused"), (19 * 60 * 938, "resumed")],
            x_axis=x_axis,
            zoomed=zoomed,
        )
        for zoomed in (False, True)
    )
    assert max(values(whole, "Training")) == 2.3
    assert values(whole, "Training", "x")[0] == 0
    assert encodings(whole, "y")[0]["scale"]["zero"] is True
    assert values(end, "Training") == (0.2 / np.arange(10, 21)).tolist()
    assert encodings(end, "y")[0]["scale"]["zero"] is False
    for name, rows in end.tables.items():
        assert (rows["x"] >= values(end, "Training", "x")[0]).all(), name
    if x_axis == "epoch":  # minibatches do not press the end flat either
        assert end.tables["batches"]["high"].tolist() == pytest.approx([0.02 + 0.3 * 0.01])


def test_accuracy_of_a_whole_training_is_shown_from_nothing_to_all() -> None:
    """A network that has learned nothing has a flat line, not noise that fills the picture."""
    run = points([0.09, 0.11, 0.1], [0.1, 0.11, 0.1])
    scale = encodings(learning_curves(run, quantity="accuracy"), "y")[0]["scale"]
    assert scale["domain"] == [0, 1]


@pytest.mark.parametrize("n", [0, 1, 2])
def test_of_a_short_training_the_end_is_two_epochs(n: int) -> None:
    end = learning_curves(from_the_start(n), zoomed=True)
    assert len(values(end, "Training")) == min(n + 1, 2)
    json.dumps(end.chart().to_dict(validate=True), allow_nan=False)


def test_the_end_of_nothing_is_a_chart_too() -> None:
    assert len(learning_curves(points([], []), zoomed=True).tables["empty"]) == 1


def test_the_untrained_network_is_no_epoch_and_never_the_best() -> None:
    run = EpochPoints([0, 1, 2], [0, 1, 2], [0, 9, 18], [2.3, 3.0, 4.0], [2.3, 3.0, 4.0])
    figure = learning_curves(run)
    assert figure.tables["best"]["label"].tolist() == ["best 3.00, epoch 1"]
    assert figure.text == (
        "Training loss rose from 2.30 to 4.00 over 2 epochs; validation loss 4.00, best 3.00 at "
        "epoch 1."
    )
    alone = EpochPoints([0], [0], [0], [2.31], [2.3])
    assert describe_curves(alone) == "Before training: training loss 2.31, validation loss 2.30."


@pytest.mark.parametrize(("x_axis", "shown_at", "x"), [("epoch", 2, 2), ("time", 120, 2)])
def test_the_epoch_that_is_looked_at_is_marked(x_axis: str, shown_at: float, x: float) -> None:
    figure = learning_curves(from_the_start(3), x_axis=x_axis, shown_at=shown_at)
    assert figure.tables["shown"]["x"].tolist() == [x]
    assert "shown" not in learning_curves(from_the_start(3)).tables


def test_a_slider_that_moves_does_not_change_the_template() -> None:
    one, two = (learning_curves(from_the_start(3), shown_at=at) for at in (1, 3))
    assert one.template is two.template


# --- marks that lie close together


def boxes(marks: list[tuple[float, str]], end: float = 20) -> list[tuple[float, float, int]]:
    """Where each label is printed on a narrow chart: from, to, and on which line."""
    table = learning_curves(from_the_start(int(end)), marks=marks).tables["marks"]
    found = []
    for _, mark in table[table["text"] != ""].iterrows():
        at, width = mark["x"] / end * NARROW, LETTER * len(mark["label"])
        start = at - width if mark["align"] == "right" else at
        found.append((start, start + width, mark["level"]))
    return found


@pytest.mark.parametrize(
    "places",
    [(10, 10.2), (12, 15), (13.9, 19), (1, 2, 3, 4, 5), (13, 13.5, 14, 14.5), (0, 20), (7, 7)],
)
def test_labels_of_marks_do_not_print_over_each_other(places: tuple[float, ...]) -> None:
    printed = boxes([(at, "learning rate 0.2 → 0.05") for at in places])
    assert len(printed) == len(places)
    for one, other in itertools.combinations(printed, 2):
        assert one[2] != other[2] or one[1] <= other[0] or other[1] <= one[0]


def test_of_very_many_marks_in_one_place_the_lines_stay() -> None:
    figure = learning_curves(
        from_the_start(20), marks=[(5 + i / 100, "learning rate 0.2 → 0.05") for i in range(50)]
    )
    texts = figure.tables["marks"]["text"]
    assert len(texts) == 50
    assert (texts != "").sum() == MOST_LEVELS


@pytest.mark.parametrize(("quantity", "step"), [("loss", LINE), ("accuracy", -LINE)])
def test_labels_are_moved_by_pixels_away_from_where_the_curves_are(
    quantity: str, step: int
) -> None:
    """Of blank lines before a text, a browser's SVG leaves out all but one."""
    figure = learning_curves(FALLING, marks=[(1, "paused")], quantity=quantity)
    [text] = [
        layer["mark"]
        for layer in figure.template["layer"]
        if layer.get("data") == {"name": "marks"} and layer["mark"]["type"] == "text"
    ]
    assert text["dy"] == {"expr": f"{step} * datum.level"}
