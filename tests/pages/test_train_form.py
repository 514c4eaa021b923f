"""The sidebar of the Train page: one control for each setting, and an address that says it all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from neuralscope.runs import SETTINGS, RunConfig
from neuralscope.ui import preview

if TYPE_CHECKING:
    from tests.pages.conftest import Page, Runs

Open = Callable[..., "Page"]

ENTRIES = ("dashboard.py", "pages/train.py")

ALWAYS_THERE = {
    "Data set": "digits",
    "Hidden layers": 1,
    "Units in layer 1": 128,
    "Activation of layer 1": "relu",
    "Initializer": "auto",
    "Optimizer": "sgd",
    "Learning rate": 0.2,
    "Batch size": 32,
    "Epochs": 300,
    "Schedule": "constant",
    "Warm-up epochs": 0,
    "L2 penalty": 0.0,
    "Dropout": 0.0,
    "Augmentation": "none",
    "Patience (early stopping)": 0,
    "L1 penalty": 0.0,
    "Max-norm": 0.0,
    "Gradient clipping": 0.0,
    "Label smoothing": 0.0,
    "Seed": 0,
}


# The page as it opens -----------------------------------------------------------------------------


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_page_has_one_title_and_shows_what_would_be_trained(
    open_page: Open, entry: str
) -> None:
    page = open_page(entry)
    assert [title.value for title in page.app.title] == ["Train"]
    assert page.metric("Parameters") == "9,610"  # 64 x 128 + 128 + 128 x 10 + 10
    assert page.charts(), "the network is drawn"
    assert page.is_primary("Start training")


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_setting_has_a_control_that_says_its_default(open_page: Open, entry: str) -> None:
    page = open_page(entry)
    assert {label: page.value(label) for label in ALWAYS_THERE} == ALWAYS_THERE
    assert page.query == {"dataset": "digits"}


@pytest.mark.parametrize("name", SETTINGS)
def test_no_setting_is_without_a_control(open_page: Open, name: str) -> None:
    needs = {
        "momentum": {"optimizer": "momentum"},
        "weight_decay": {"optimizer": "adamw"},
        "decay_every": {"schedule": "step"},
        "decay_factor": {"schedule": "step"},
    }
    label = {"activation": "Activation of layer 1"}.get(name, SETTINGS[name].label)
    page = open_page(**needs.get(name, {}))
    assert page.control(label).help


def test_what_the_scripts_of_others_look_for_is_of_the_kind_they_expect(open_page: Open) -> None:
    page = open_page(hidden="8,8")
    assert {slider.label for slider in page.app.slider} >= {
        "Hidden layers",
        "Units in layer 1",
        "Units in layer 2",
    }
    assert "Learning rate" in {slider.label for slider in page.app.select_slider}


@pytest.mark.parametrize(
    ("optimizer", "schedule", "extra"),
    [
        ("sgd", "constant", set()),
        ("momentum", "constant", {"Momentum"}),
        ("nesterov", "linear", {"Momentum"}),
        ("adam", "cosine", set()),
        ("adamw", "constant", {"Weight decay"}),
        ("rmsprop", "step", {"Drop every", "Drop factor"}),
    ],
)
def test_a_control_that_would_change_nothing_is_not_shown(
    open_page: Open, optimizer: str, schedule: str, extra: set[str]
) -> None:
    page = open_page(optimizer=optimizer, schedule=schedule)
    sometimes = {"Momentum", "Weight decay", "Drop every", "Drop factor"}
    assert sometimes & set(page.labels()) == extra


@pytest.mark.parametrize(
    ("query", "is_open"),
    [
        ({}, False),
        ({"dropout": "0.2", "augmentation": "shift"}, False),
        ({"patience": "5"}, True),
        ({"label_smoothing": "0.1"}, True),
        ({"l1": "banana"}, True),
    ],
    ids=str,
)
def test_what_few_look_for_is_behind_more_unless_the_address_names_it(
    open_page: Open, query: dict[str, str], is_open: bool
) -> None:
    page = open_page(**query)
    own, more = page.app.sidebar.expander
    assert (own.label, more.label) == ("Your own data", "More")
    assert more.proto.expanded == is_open
    # It is the user's to open and close from here on.
    assert page.set("Patience (early stopping)", 0 if "patience" in query else 5)
    assert page.app.sidebar.expander[1].proto.expanded == is_open


def test_what_augmentation_does_to_a_digit_is_shown_before_it_is_trained(open_page: Open) -> None:
    title = "What augmentation does to a digit"
    page = open_page()
    assert title not in [each.value for each in page.app.subheader]
    page.set("Augmentation", "elastic")
    assert title in [each.value for each in page.app.subheader]
    assert len(page.app.get("image")) == 9  # the original and eight of what becomes of it


def test_dropout_and_max_norm_need_a_hidden_layer(open_page: Open) -> None:
    page = open_page().set("Hidden layers", 0)
    assert "Dropout" not in page.labels()
    assert "Max-norm" not in page.labels()
    assert page.query["hidden"] == "none"
    assert page.metric("Parameters") == "650"
    assert "Dropout" in page.set("Hidden layers", 1).labels()


# From the controls to the address -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "value", "query", "n_parameters"),
    [
        ("Hidden layers", 2, {"hidden": "128,128"}, 26_122),
        ("Hidden layers", 6, {"hidden": ",".join(["128"] * 6)}, 92_170),
        ("Units in layer 1", 17, {"hidden": "17"}, 1_285),
        ("Units in layer 1", 1024, {"hidden": "1024"}, 76_810),
        ("Activation of layer 1", "tanh", {"activation": "tanh"}, 9_610),
        ("Initializer", "glorot", {"initializer": "glorot"}, 9_610),
        ("Optimizer", "adam", {"optimizer": "adam"}, 9_610),
        ("Learning rate", 0.05, {"learning_rate": "0.05"}, 9_610),
        ("Batch size", 64, {"batch_size": "64"}, 9_610),
        ("Epochs", 20, {"epochs": "20"}, 9_610),
        ("Schedule", "cosine", {"schedule": "cosine"}, 9_610),
        ("Warm-up epochs", 2, {"warmup_epochs": "2"}, 9_610),
        ("L2 penalty", 1e-4, {"l2": "0.0001"}, 9_610),
        ("Dropout", 0.25, {"dropout": "0.25"}, 9_610),
        ("Augmentation", "elastic", {"augmentation": "elastic"}, 9_610),
        ("Patience (early stopping)", 5, {"patience": "5"}, 9_610),
        ("L1 penalty", 1e-5, {"l1": "1e-05"}, 9_610),
        ("Max-norm", 3.0, {"max_norm": "3.0"}, 9_610),
        ("Gradient clipping", 1.0, {"clip_norm": "1.0"}, 9_610),
        ("Label smoothing", 0.1, {"label_smoothing": "0.1"}, 9_610),
        ("Seed", 4_294_967_295, {"seed": "4294967295"}, 9_610),
    ],
)
def test_a_control_changes_the_address_and_the_count_of_parameters(
    open_page: Open, label: str, value: object, query: dict[str, str], n_parameters: int
) -> None:
    page = open_page().set(label, value)
    assert page.query == {"dataset": "digits", **query}
    assert page.metric("Parameters") == f"{n_parameters:,}"
    assert page.value(label) == value


def test_going_back_to_the_default_takes_it_out_of_the_address(open_page: Open) -> None:
    page = open_page().set("Learning rate", 0.05).set("Learning rate", 0.2)
    assert page.query == {"dataset": "digits"}


def test_a_layer_that_is_added_is_like_the_last_one(open_page: Open) -> None:
    page = open_page(hidden="20,10", activation="relu,tanh").set("Hidden layers", 3)
    assert page.query["hidden"] == "20,10,10"
    assert page.query["activation"] == "relu,tanh,tanh"


def test_a_layer_that_is_taken_away_leaves_the_others_as_they_are(open_page: Open) -> None:
    page = open_page(hidden="20,10,5").set("Units in layer 1", 30).set("Hidden layers", 2)
    assert page.query["hidden"] == "30,10"


def test_each_layer_can_bend_in_its_own_way(open_page: Open) -> None:
    page = open_page(hidden="8,8").set("Activation of layer 2", "sigmoid")
    assert page.query["activation"] == "relu,sigmoid"


def test_the_time_it_will_take_is_measured(open_page: Open) -> None:
    page = open_page(epochs="20")
    for _ in range(200):
        if page.metric("Time for an epoch") != "measuring":
            break
        page.look()
    assert page.metric("Time for an epoch").endswith("s")
    assert page.metric("Time for 20 epochs").endswith("s")


def test_one_epoch_is_said_in_the_singular(open_page: Open) -> None:
    page = open_page(epochs="1")
    assert page.metric("Time for 1 epoch")


# From the address to the controls -----------------------------------------------------------------

FULL_LINK = {
    "hidden": "17,5",
    "activation": "relu,tanh",
    "optimizer": "adamw",
    "learning_rate": "0.037",
    "weight_decay": "0.015",
    "batch_size": "100",
    "epochs": "77",
    "patience": "12",
    "l2": "0.0007",
    "l1": "3e-05",
    "dropout": "0.15",
    "max_norm": "3.5",
    "clip_norm": "0.7",
    "label_smoothing": "0.07",
    "augmentation": "affine",
    "schedule": "step",
    "warmup_epochs": "3",
    "decay_every": "7",
    "decay_factor": "0.33",
    "initializer": "glorot",
    "seed": "4294967295",
}


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_link_fills_every_control_with_exactly_its_value(open_page: Open, entry: str) -> None:
    page = open_page(entry, **FULL_LINK)
    expected = {
        "Data set": "digits",
        "Hidden layers": 2,
        "Units in layer 1": 17,
        "Units in layer 2": 5,
        "Activation of layer 1": "relu",
        "Activation of layer 2": "tanh",
        "Initializer": "glorot",
        "Optimizer": "adamw",
        "Learning rate": 0.037,
        "Weight decay": 0.015,
        "Batch size": 100,
        "Epochs": 77,
        "Schedule": "step",
        "Warm-up epochs": 3,
        "Drop every": 7,
        "Drop factor": 0.33,
        "L2 penalty": 0.0007,
        "Dropout": 0.15,
        "Augmentation": "affine",
        "Patience (early stopping)": 12,
        "L1 penalty": 3e-5,
        "Max-norm": 3.5,
        "Gradient clipping": 0.7,
        "Label smoothing": 0.07,
        "Seed": 4_294_967_295,
    }
    assert {label: page.value(label) for label in expected} == expected
    assert page.query == {"dataset": "digits", **FULL_LINK}
    assert page.metric("Parameters") == f"{64 * 17 + 17 + 17 * 5 + 5 + 5 * 10 + 10:,}"


@pytest.mark.parametrize(("name", "value"), [("momentum", "0.999"), ("momentum", "0.123")])
def test_momentum_comes_from_a_link_too(open_page: Open, name: str, value: str) -> None:
    page = open_page(optimizer="nesterov", **{name: value})
    assert page.value("Momentum") == float(value)
    assert page.query[name] == value


RANGES = [name for name, setting in SETTINGS.items() if hasattr(setting, "minimum")]


@pytest.mark.parametrize("limit", ["minimum", "maximum"])
@pytest.mark.parametrize("name", RANGES)
def test_a_link_with_the_smallest_or_largest_value_opens(
    open_page: Open, name: str, limit: str
) -> None:
    setting: Any = SETTINGS[name]
    value = getattr(setting, limit)
    shown = {"optimizer": "adamw" if name == "weight_decay" else "momentum", "schedule": "step"}
    page = open_page(**{**shown, "epochs": "10000", name: setting.text(value)})
    assert page.value(setting.label) == value
    assert not page.app.error


def test_a_link_is_read_only_once(open_page: Open) -> None:
    page = open_page(learning_rate="0.037").set("Learning rate", 0.1)
    assert page.look().look().value("Learning rate") == 0.1
    assert page.query["learning_rate"] == "0.1"


def test_the_value_of_a_link_stays_on_offer(open_page: Open) -> None:
    page = open_page(learning_rate="0.037").set("Learning rate", 0.1).set("Learning rate", 0.037)
    assert page.query["learning_rate"] == "0.037"


def test_a_setting_of_the_link_that_is_out_of_use_is_kept(open_page: Open) -> None:
    page = open_page(optimizer="adam", momentum="0.5")
    assert "Momentum" not in page.labels()
    assert page.set("Optimizer", "momentum").value("Momentum") == 0.5


def test_what_is_no_setting_stays_in_the_address(open_page: Open) -> None:
    page = open_page(embed="true").set("Epochs", 20)
    assert page.query == {"dataset": "digits", "embed": "true", "epochs": "20"}


# Rubbish ------------------------------------------------------------------------------------------

RUBBISH = [
    ("learning_rate", "banana", "Learning rate", "a number from 1e-05 to 10"),
    ("learning_rate", "nan", "Learning rate", "a number from 1e-05 to 10"),
    ("learning_rate", "1e999", "Learning rate", "a number from 1e-05 to 10"),
    ("learning_rate", "", "Learning rate", "a number from 1e-05 to 10"),
    ("epochs", "-3", "Epochs", "a whole number from 1 to 10000"),
    ("epochs", "9" * 5000, "Epochs", "a whole number from 1 to 10000"),
    ("seed", "1.5", "Seed", "a whole number from 0 to 4294967295"),
    ("seed", "4294967296", "Seed", "a whole number from 0 to 4294967295"),
    ("seed", "\u0661", "Seed", "a whole number from 0 to 4294967295"),
    ("batch_size", "0", "Batch size", "a whole number from 1 to 1024"),
    ("dropout", "1", "Dropout", "a number from 0 to 0.9"),
    ("l2", "-1", "L2 penalty", "a number from 0 to 1"),
    ("l1", "-1", "L1 penalty", "a number from 0 to 1"),
    ("patience", "0.5", "Patience (early stopping)", "a whole number from 0 to 1000"),
    ("max_norm", "inf", "Max-norm", "a number from 0 to 100"),
    ("clip_norm", "1e4", "Gradient clipping", "a number from 0 to 1000"),
    ("label_smoothing", "1", "Label smoothing", "a number from 0 to 0.9"),
    ("augmentation", "flip", "Augmentation", "one of none"),
    ("optimizer", "sgdx", "Optimizer", "one of sgd"),
    ("schedule", "<script>", "Schedule", "one of constant"),
    ("initializer", "\0", "Initializer", "one of auto"),
    ("warmup_epochs", "x", "Warm-up epochs", "a whole number from 0 to 1000"),
    ("hidden", "128,0", "Hidden layers", "up to 6 hidden layers of 1 to 1024 units each"),
    ("hidden", "8,8,8,8,8,8,8", "Hidden layers", "up to 6 hidden layers"),
]


@pytest.mark.parametrize(("name", "value", "label", "allowed"), RUBBISH)
def test_what_is_wrong_in_the_address_is_said_next_to_its_control(
    open_page: Open, name: str, value: str, label: str, allowed: str
) -> None:
    page = open_page(**{"activation": "tanh", name: value})
    sentence = page.beside(label)
    assert sentence.startswith(f"In the address, {name} is ")
    assert f"must be {allowed}" in sentence
    assert len(sentence) < 300
    # The others are kept, and the page goes on with the default.
    assert page.query == {"dataset": "digits", "activation": "tanh"}
    assert not page.control("Start training").disabled


def test_what_is_wrong_with_settings_without_a_control_is_said_too(open_page: Open) -> None:
    query = {"momentum": "x", "decay_every": "y", "max_norm": "z", "seed": "![](http://w)"}
    page = open_page(hidden="", **query)
    errors = [error.value for error in page.app.sidebar.error]
    for name in query:
        escaped = name.replace("_", r"\_")
        assert sum(error.startswith(f"In the address, {escaped} is") for error in errors) == 1
    assert not any("![](" in error for error in errors)


def test_an_unknown_data_set_is_said_next_to_its_control(open_page: Open) -> None:
    page = open_page(dataset="cifar")
    assert page.beside("Data set") == (
        "In the address, dataset is 'cifar', but must be one of mnist, fashion-mnist, "
        "kuzushiji-mnist, digits, or a data set of your own."
    )


def test_an_activation_too_many_is_said_and_all_else_is_kept(open_page: Open) -> None:
    page = open_page(hidden="8,4", activation="relu,tanh,relu", seed="3")
    said = [error.value for error in page.app.sidebar.error]
    assert len(said) == 1
    assert "activation is ('relu', 'tanh', 'relu'), but must be one name, or 2" in said[0]
    assert page.query == {"dataset": "digits", "hidden": "8,4", "seed": "3"}


def test_several_mistakes_are_all_said_at_once(open_page: Open) -> None:
    page = open_page(learning_rate="banana", epochs="-3", hidden="12", seed="7")
    assert "banana" in page.beside("Learning rate")
    assert "epochs is -3" in page.beside("Epochs")
    assert page.query == {"dataset": "digits", "hidden": "12", "seed": "7"}


def test_a_mistake_is_settled_when_its_control_is_used(open_page: Open) -> None:
    page = open_page(learning_rate="banana", epochs="-3").set("Learning rate", 0.1)
    assert not page.beside("Learning rate")
    assert page.beside("Epochs"), "the other one is still open"


def test_two_settings_that_do_not_fit_together_are_said_and_nothing_can_be_started(
    open_page: Open,
) -> None:
    page = open_page(epochs="3").set("Warm-up epochs", 3)
    assert page.beside("Warm-up epochs") == (
        "warmup_epochs is 3, but must be less than the 3 epochs."
    )
    assert page.control("Start training").disabled
    assert page.query == {"dataset": "digits", "epochs": "3"}, "the last that was whole"
    page.set("Warm-up epochs", 2)
    assert not page.beside("Warm-up epochs")
    assert not page.control("Start training").disabled


# A link is an experiment --------------------------------------------------------------------------


def test_the_address_of_a_form_opens_the_same_form_elsewhere(open_page: Open) -> None:
    page = open_page().set("Hidden layers", 3).set("Units in layer 2", 9)
    page.set("Activation of layer 3", "sigmoid").set("Optimizer", "momentum")
    page.set("Momentum", 0.77).set("Dropout", 0.31).set("Schedule", "step")
    page.set("Drop factor", 0.29).set("L2 penalty", 5e-5).set("Seed", 12)
    config, problems = RunConfig.from_query(page.query)
    assert not problems
    assert config.hidden == (128, 9, 128)
    assert (config.momentum, config.dropout, config.decay_factor) == (0.77, 0.31, 0.29)
    elsewhere = open_page(**page.query)
    assert elsewhere.query == page.query
    for label in page.labels():
        assert elsewhere.value(label) == page.value(label), label


# What an address without a configuration means ---------------------------------------------------


def test_the_first_click_trains_what_teaches_in_a_minute_and_the_address_says_so(
    open_page: Open,
) -> None:
    page = open_page(dataset=None)
    assert page.value("Epochs") == 20
    assert page.query == {"epochs": "20"}
    assert open_page(**page.query, dataset=None).value("Epochs") == 20


def test_the_long_training_is_one_click_away_and_a_reload_keeps_it(open_page: Open) -> None:
    page = open_page(dataset=None).click("Set 300 epochs")
    assert page.value("Epochs") == 300
    assert page.query == {"epochs": "300"}, "an address without a word would mean the short one"
    again = open_page(**page.query, dataset=None)
    assert again.value("Epochs") == 300
    assert again.click("Set 20 epochs").value("Epochs") == 20


@pytest.mark.parametrize("link", [{"dataset": "digits"}, {"seed": "7"}, {"epochs": "rubbish"}])
def test_a_link_that_names_no_epochs_still_means_300(open_page: Open, link: dict[str, str]) -> None:
    page = open_page(**{"dataset": None, **link})
    assert page.value("Epochs") == 300


# What the form would train, while a run is shown --------------------------------------------------


def test_beside_a_run_the_page_says_what_start_would_train(open_page: Open, runs: Runs) -> None:
    run = runs.trained(epochs=2, hidden=(8,))
    page = open_page(run=run.run_id, dataset=None)
    assert page.says("**Next run:** 64-8-10 (610 parameters) on Digits, 2 epochs, ")
    assert page.says("Same settings as the run shown.")
    page.set("Epochs", 20).set("Units in layer 1", 16)
    assert page.says("**Next run:** 64-16-10 (1,210 parameters) on Digits, 20 epochs, ")
    assert page.says(
        "Differs from the run shown: hidden layers 16 instead of 8, epochs 20 instead of 2."
    )


def test_the_time_that_start_would_take_is_that_of_the_run_shown_where_the_work_is_the_same(
    open_page: Open, runs: Runs
) -> None:
    run = runs.running(1)  # 1,257 examples a second, of 1,257
    page = open_page(run=run.run_id, dataset=None).set("Epochs", 30).set("Seed", 1)
    assert page.says("30 epochs, 30 s. Differs from the run shown: epochs 30 instead of 50, seed")


def test_many_differences_are_counted() -> None:
    shown = RunConfig(dataset="digits", epochs=5, seed=1, l2=0.1, dropout=0.1, batch_size=8)
    sentence = preview.describe_difference(RunConfig(dataset="digits"), shown)
    assert sentence.endswith("instead of 0.1, 1 more.")
