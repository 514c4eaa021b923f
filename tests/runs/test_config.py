from __future__ import annotations

import dataclasses
import json
import math
import pydoc
from typing import Any

import numpy as np
import pytest

from neuralscope.engine import Network
from neuralscope.errors import ConfigError
from neuralscope.runs import SETTINGS, RunConfig
from neuralscope.runs.settings import Choice, ChoicePerLayer, Number, Whole, Widths

NO_NUMBER = ["1", None, True, [1], 1j, math.nan, math.inf, -math.inf, np.nan, np.array([1])]
NO_WHOLE = [*NO_NUMBER, 2.0, np.float64(2)]
NO_NAME = ["", "unknown", "RELU", None, True, 3, ["sgd"], b"sgd"]

REFUSED: dict[str, list[Any]] = {
    "dataset": [*NO_NAME, "../mnist", "mnist\0"],
    "hidden": [
        *(128, "128", b"\x80", None, True, 1.5, {128}, {128: 1}, np.array([128])),
        *((0,), (-5,), (1025,), (128.0,), (True,), ("128",), (math.nan,), (10**400,)),
        (8,) * 7,
    ],
    "activation": [*NO_NAME, (), ("relu", "unknown"), (None,), ("relu", "tanh"), {"relu"}],
    "optimizer": NO_NAME,
    "learning_rate": [*NO_NUMBER, 0, -0.1, 9e-6, 10.1, 10**400, -(10**400)],
    "momentum": [*NO_NUMBER, -0.1, 1.0, 0.9991],
    "weight_decay": [*NO_NUMBER, -0.1, 1.1],
    "batch_size": [*NO_WHOLE, 0, -1, 1025],
    "epochs": [*NO_WHOLE, 0, -1, 10_001],
    "patience": [*NO_WHOLE, -1, 1_001],
    "l2": [*NO_NUMBER, -1e-9, 1.1],
    "l1": [*NO_NUMBER, -1e-9, 1.1],
    "dropout": [*NO_NUMBER, -0.1, 0.91, 1.0],
    "max_norm": [*NO_NUMBER, -0.1, 100.1],
    "clip_norm": [*NO_NUMBER, -0.1, 1_000.1],
    "label_smoothing": [*NO_NUMBER, -0.1, 0.91, 1.0],
    "augmentation": NO_NAME,
    "schedule": NO_NAME,
    "warmup_epochs": [*NO_WHOLE, -1, 300, 1001],
    "decay_every": [*NO_WHOLE, 0, 10_001],
    "decay_factor": [*NO_NUMBER, 0, 0.009, 1.1],
    "initializer": NO_NAME,
    "seed": [*NO_WHOLE, -1, 2**32, 10**400],
}


def test_every_field_is_put_to_the_proof() -> None:
    assert list(REFUSED) == list(SETTINGS) == [each.name for each in dataclasses.fields(RunConfig)]


@pytest.mark.parametrize("field", SETTINGS)
def test_a_value_that_is_not_allowed_is_refused(field: str) -> None:
    for value in REFUSED[field]:
        with pytest.raises(ConfigError) as caught:
            RunConfig(**{field: value})
        error = caught.value
        assert error.field == field
        assert error.value is value or error.value == value
        assert error.allowed
        assert str(error).startswith(f"{field} is ")
        assert str(error).endswith(f", but must be {error.allowed}.")


@pytest.mark.parametrize("field", SETTINGS)
def test_both_ends_of_a_range_are_allowed(field: str) -> None:
    setting = SETTINGS[field]
    if isinstance(setting, Whole | Number):
        for end in (setting.minimum, setting.maximum):
            config = RunConfig(**{"epochs": 10_000, field: end})
            assert getattr(config, field) == end


def test_numpy_numbers_and_lists_become_plain_values() -> None:
    config = RunConfig(
        hidden=[np.int64(64), 32],  # type: ignore[arg-type]
        activation=["relu", np.str_("tanh")],  # type: ignore[arg-type]
        learning_rate=np.float32(0.5),  # type: ignore[arg-type]
        l2=0,
        batch_size=np.int32(16),  # type: ignore[arg-type]
        seed=np.uint32(7),  # type: ignore[arg-type]
    )
    assert config == RunConfig(
        hidden=(64, 32), activation=("relu", "tanh"), learning_rate=0.5, batch_size=16, seed=7
    )
    assert type(config.hidden) is tuple
    assert {type(units) for units in config.hidden} == {int}
    assert type(config.batch_size) is type(config.seed) is int
    assert type(config.learning_rate) is type(config.l2) is float
    assert RunConfig.from_dict(json.loads(json.dumps(config.as_dict()))) == config


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        RunConfig().epochs = 5  # type: ignore[misc]
    assert hash(RunConfig()) == hash(RunConfig())


def test_there_is_one_activation_for_each_hidden_layer() -> None:
    assert RunConfig(hidden=(8, 8), activation="tanh").activations == ("tanh", "tanh")
    assert RunConfig(hidden=(8, 8), activation=("tanh", "relu")).activations == ("tanh", "relu")
    assert RunConfig(hidden=()).activations == ()
    for hidden in ((), (8,), (8, 8, 8)):
        with pytest.raises(ConfigError, match=f"must be one name, or {len(hidden)}: one for each"):
            RunConfig(hidden=hidden, activation=("tanh", "relu"))


def test_one_activation_for_all_can_be_said_in_one_way_only() -> None:
    listed = RunConfig(hidden=(8, 8), activation=("tanh", "tanh"))
    assert listed.activation == "tanh"
    assert listed == RunConfig(hidden=(8, 8), activation="tanh")


def test_warm_up_ends_before_training_does() -> None:
    assert RunConfig(epochs=5, warmup_epochs=4).warmup_epochs == 4
    assert RunConfig(epochs=1, warmup_epochs=0).epochs == 1
    for warmup in (5, 6):
        with pytest.raises(ConfigError, match=r"^warmup_epochs is \d, but must be less than the 5"):
            RunConfig(epochs=5, warmup_epochs=warmup)


def test_sizes_and_parameters_are_those_of_the_network() -> None:
    config = RunConfig(hidden=(128, 64))
    network = Network(config.sizes(784, 10), rng=np.random.default_rng(0))
    assert config.sizes(784, 10) == network.sizes == (784, 128, 64, 10)
    assert config.n_parameters(784, 10) == len(network.parameters)


@pytest.mark.parametrize("optimizer", SETTINGS["optimizer"].names)  # type: ignore[attr-defined]
def test_only_some_optimizers_use_momentum_and_weight_decay(optimizer: str) -> None:
    config = RunConfig(optimizer=optimizer)
    assert config.uses("momentum") == (optimizer in ("momentum", "nesterov"))
    assert config.uses("weight_decay") == (optimizer == "adamw")


def test_settings_that_change_nothing_are_told() -> None:
    plain = RunConfig()
    assert not plain.uses("decay_every")
    assert not plain.uses("decay_factor")
    dropping = RunConfig(schedule="step")
    assert dropping.uses("decay_every")
    assert dropping.uses("decay_factor")
    assert plain.uses("activation")
    assert plain.uses("dropout")
    shallow = RunConfig(hidden=())
    assert not shallow.uses("activation")
    assert not shallow.uses("dropout")
    assert not shallow.uses("max_norm")
    always = set(SETTINGS) - {
        *("momentum", "weight_decay", "decay_every", "decay_factor"),
        *("activation", "dropout", "max_norm"),
    }
    assert all(shallow.uses(name) for name in always)


# To and from plain values and text ---------------------------------------------------------------


def random_config(rng: np.random.Generator) -> RunConfig:
    """Draw any configuration that is allowed; each field keeps its default now and then."""
    values: dict[str, Any] = {}
    for name, setting in SETTINGS.items():
        if rng.random() < 0.3:
            continue
        match setting:
            case Choice(names=names):
                values[name] = str(rng.choice(names))
            case Whole(minimum=minimum, maximum=maximum):
                values[name] = int(rng.integers(minimum, maximum, endpoint=True))
            case Number(minimum=minimum, maximum=maximum):
                values[name] = float(rng.uniform(minimum, maximum))
            case Widths(most_layers=most_layers, most_units=most_units):
                n_layers = rng.integers(0, most_layers, endpoint=True)
                values[name] = tuple(
                    int(units) for units in rng.integers(1, most_units, n_layers, endpoint=True)
                )
            case ChoicePerLayer(names=names):
                n_layers = len(values.get("hidden", RunConfig().hidden))
                if n_layers and rng.random() < 0.5:
                    values[name] = tuple(str(name) for name in rng.choice(names, n_layers))
                else:
                    values[name] = str(rng.choice(names))
    epochs = values.get("epochs", RunConfig().epochs)
    values["warmup_epochs"] = min(values.get("warmup_epochs", 0), epochs - 1)
    return RunConfig(**values)


def test_any_configuration_survives_json_and_url() -> None:
    rng = np.random.default_rng(0)
    for _ in range(500):
        config = random_config(rng)
        assert RunConfig.from_dict(config.as_dict()) == config
        text = json.dumps(config.as_dict(), allow_nan=False)
        assert RunConfig.from_dict(json.loads(text)) == config
        assert RunConfig.from_query(config.as_query()) == (config, [])
        assert all(isinstance(text, str) for text in config.as_query().values())


def test_a_dict_holds_all_fields_and_a_query_only_what_differs() -> None:
    config = RunConfig(hidden=(), epochs=20, learning_rate=0.05, seed=1)
    assert list(config.as_dict()) == list(SETTINGS)
    assert config.as_query() == {
        "hidden": "none",
        "learning_rate": "0.05",
        "epochs": "20",
        "seed": "1",
    }
    assert RunConfig().as_query() == {}


def test_missing_fields_take_their_default() -> None:
    assert RunConfig.from_dict({}) == RunConfig()
    assert RunConfig.from_dict({"seed": 3}) == RunConfig(seed=3)


def test_a_run_of_before_a_setting_was_there_is_what_it_was() -> None:
    stored = {
        "dataset": "digits",
        "hidden": [8],
        "epochs": 5,
        "l2": 1e-4,
        "dropout": 0.1,
        "seed": 2,
    }
    config = RunConfig.from_dict(stored)
    assert (config.l1, config.label_smoothing, config.clip_norm, config.max_norm) == (0, 0, 0, 0)
    assert (config.patience, config.augmentation) == (0, "none")
    assert config.as_query() == {name: SETTINGS[name].text(value) for name, value in stored.items()}


def test_an_unknown_field_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"^learningrate is 0\.1, but must be left out: fields"):
        RunConfig.from_dict({"learningrate": 0.1})


def test_an_address_is_read() -> None:
    config, problems = RunConfig.from_query(
        {"dataset": "digits", "epochs": "20", "learning_rate": "0.05", "optimizer": "adam"}
    )
    assert not problems
    assert config == RunConfig(dataset="digits", epochs=20, learning_rate=0.05, optimizer="adam")


def test_other_parameters_of_an_address_are_left_alone() -> None:
    query = {"run": "20261123-101502-3fa9", "epoch": "5", "Seed": "9", "seed ": "9"}
    assert RunConfig.from_query(query) == (RunConfig(), [])


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ({"seed": "9" * 5000}, ["seed"]),
        ({"seed": "٣"}, ["seed"]),
        ({"epochs": "1_000"}, ["epochs"]),
        ({"epochs": ""}, ["epochs"]),
        ({"learning_rate": "nan"}, ["learning_rate"]),
        ({"learning_rate": "1e400"}, ["learning_rate"]),
        ({"learning_rate": "1_0"}, ["learning_rate"]),
        ({"learning_rate": "٣"}, ["learning_rate"]),
        ({"hidden": "-5"}, ["hidden"]),
        ({"hidden": "1,2,3,4,5,6,7"}, ["hidden"]),
        ({"hidden": "8,8", "activation": "relu,tanh,relu"}, ["activation"]),
        ({"hidden": "none", "activation": "relu,tanh"}, ["activation"]),
        ({"activation": "relu,tanh"}, ["activation"]),
        ({"activation": ""}, ["activation"]),
        ({"epochs": "5", "warmup_epochs": "5"}, ["warmup_epochs"]),
        ({"warmup_epochs": "300"}, ["warmup_epochs"]),
        ({"epochs": "0", "optimizer": "x", "dropout": "2"}, ["optimizer", "epochs", "dropout"]),
        # What is told first makes two others not fit any more.
        ({"hidden": "x", "activation": "relu,tanh"}, ["hidden", "activation"]),
        ({"epochs": "x", "warmup_epochs": "400"}, ["epochs", "warmup_epochs"]),
    ],
)
def test_rubbish_in_an_address_is_told_and_the_rest_kept(
    query: dict[str, str], wrong: list[str]
) -> None:
    config, problems = RunConfig.from_query({**query, "batch_size": "16", "l2": "0.5"})
    assert [problem.field for problem in problems] == wrong
    assert (config.batch_size, config.l2) == (16, 0.5)
    for field in wrong:
        assert getattr(config, field) == getattr(RunConfig(), field)
    for field in set(query) - set(wrong):
        setting = SETTINGS[field]
        assert setting.text(getattr(config, field)) == query[field]


def test_whatever_an_address_says_there_is_a_configuration() -> None:
    rng = np.random.default_rng(0)
    pieces = ["0", "1", "9", "-", "+", ".", ",", " ", "_", "e", "nan", "none", "relu", "adam"]
    pieces += ["\0", "\n", "\udc80", "٣", "½", "💥", "'", ";", "%", "inf", "999999999999"]
    for _ in range(500):
        query = {name: "".join(rng.choice(pieces, rng.integers(0, 6))) for name in SETTINGS}
        config, problems = RunConfig.from_query(query)
        assert RunConfig.from_dict(config.as_dict()) == config
        assert {problem.field for problem in problems} <= set(SETTINGS)
        for problem in problems:
            assert str(problem).encode()  # can be shown, whatever it quotes


def test_a_number_of_thousands_of_digits_is_refused_in_words() -> None:
    with pytest.raises(ConfigError, match="seed is far too long, but must be a whole number"):
        RunConfig(seed=10**5000)


# Own data sets -----------------------------------------------------------------------------------


def test_an_own_data_set_is_known_by_the_shape_of_its_name() -> None:
    name = "own-my-signs-0123abcd"  # whether it is here is no question of a configuration
    config = RunConfig(dataset=name)
    assert RunConfig.from_dict(config.as_dict()) == config
    assert RunConfig.from_query(config.as_query()) == (config, [])


@pytest.mark.parametrize("name", ["own-x", "own-x-0123ABCD", "own-../../x-0123abcd", "own"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="or a data set of your own"):
        RunConfig(dataset=name)


def test_help_explains_every_field_with_its_limits_and_default() -> None:
    text = " ".join(pydoc.render_doc(RunConfig, renderer=pydoc.plaintext).replace("|", " ").split())
    for name, setting in SETTINGS.items():
        default = getattr(RunConfig(), name)
        assert f"{name}: {setting.help} Must be {setting.allowed}. Default: {default!r}." in text
