"""Names of other libraries lead to what a protocol says, or to why it cannot be said."""

import ast
import importlib.util
import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from harness.experiment.foreign_fields import FIELDS
from harness.experiment.foreign_names import LIBRARIES, VALUES
from harness.experiment.loading import ProtocolError, load, parse
from harness.experiment.names import meant
from harness.experiment.network import ActivationName
from harness.experiment.translating import field_translation, translation
from harness.registry import installed
from tests.conftest import protocol

BETAS = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-3}
OPTIMIZERS = {
    "sgd": {},
    "momentum": {"momentum": 0.9},
    "rmsprop": {"rho": 0.9, "epsilon": 1e-3, "form": "epsilon_inside_root"},
    "adagrad": {"initial_accumulator": 0.1, "epsilon": 1e-3, "form": "epsilon_inside_root"},
    "adam": {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "form": "algorithm_1"},
    "adamw": BETAS
    | {"form": "epsilon_hat", "weight_decay": 0.1, "decay_times_rate": False, "decay_on": "all"},
    "amsgrad": BETAS | {"form": "epsilon_hat", "maximum": "after_correction"},
    "nadam": BETAS | {"form": "scheduled_momentum", "momentum_decay": 0.5},
    "adamax": BETAS | {"form": "epsilon_inside_maximum"},
    "adadelta": {"rho": 0.9, "epsilon": 1e-3},
}
COUNTED = {"by": "step", "first": "unchanged"}
COURSE = {"steps": 100, "end_rate": 0.0, **COUNTED}
SCHEDULES = (
    {"name": "exponential_decay", "factor": 0.5, "every_steps": 10, **COUNTED},
    {"name": "inverse_time_decay", "factor": 0.5, "every_steps": 9, "staircase": False, **COUNTED},
    {"name": "power_decay", "power": 1.0, "every_steps": 10, **COUNTED},
    {"name": "piecewise_constant", "at_steps": [9, 99], "rates": [0.1, 0.2], "first": "changed"},
    {"name": "polynomial_decay", "power": 1.0, **COURSE},
    {"name": "cosine_restarts", "growth": 1.0, "peak_factor": 1.0, **COURSE},
    {
        "name": "one_cycle",
        "steps": 100,
        "rising": 0.4,
        "start_divisor": 9.0,
        "end_divisor": 9.0,
        "annealing": "linear",
        "three_phases": False,
        **COUNTED,
    },
)
STARTS = (
    {"name": "normal", "std": 1.0},
    {"name": "uniform", "low": -9.0, "high": 9.0},
    {"name": "constant", "value": 1.0},
)


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("load_wine", 'dataset = "wine"'),
        ("sklearn.datasets.load_breast_cancer()", 'dataset = "breast-cancer"'),
        ("tf.keras.datasets.mnist.load_data()", 'dataset = "mnist"'),
        ("torchvision.datasets.MNIST", 'dataset = "mnist"'),
        ("make_moons(n_samples=200)", 'dataset = "moons", drawn = {'),
        ("make_circles", "the inner radius is 0.5"),
        ("make_blobs", 'dataset = "blobs", drawn = {'),
        ("fetch_openml", 'file = "table.csv", target = "class"'),
        ("make_classification", "numpy.savez"),
    ],
)
def test_names_of_datasets(typed, written):
    with pytest.raises(ProtocolError, match=re.escape(written)):
        parse(protocol("iris-softmax", data__dataset=typed), "test")


PAIRS = (
    ("steps", "epochs"),
    ("epochs", "steps"),
    ("at_steps", "at_epochs"),
    ("at_epochs", "at_steps"),
)


def bases():
    """Protocols that together have every table and every field."""
    for name, fields in OPTIMIZERS.items():
        yield protocol(training__optimizer={"name": name, "learning_rate": 0.01, **fields})
    for start in STARTS:
        yield protocol("xor-mlp", initializers__weights=dict(start))
    square = {"name": "mean_squared_error", "half": False, "batch": "sum", "outputs": "sum"}
    both = {"batch": "sum", "outputs": "mean"}
    huber = {"name": "huber", "delta": 1.0, "over_delta": True, **both}
    yield protocol(training__loss=huber)
    yield protocol(
        "diabetes-linear", training__loss={"name": "log_cosh", "batch": "sum", "outputs": "mean"}
    )
    yield protocol(
        data__target_values=[-1.0, 1.0],
        training__loss={"name": "hinge", "batch": "sum", "outputs": "mean"},
    )
    leaky = [{"units": 9, "activation": "leaky_relu", "slope": 0.1}]
    output = [{"units": 10, "activation": "identity"}]
    yield protocol(training__loss=square, network__layers=leaky + output)
    yield protocol(
        data__validation=0.1,
        training__l2={"strength": 0.1, "half": True, "per_row": True, "on": "all"},
        training__schedule={"name": "step_decay", "factor": 0.5, "every_epochs": 20},
        training__stopping={
            "name": "patience", "patience_steps": 500, "growth": 1.0, "threshold": 1.0,
            "every_epochs": 1,
        },
        native=[{"framework": "sklearn", "estimator": "LogisticRegression"}],
    )  # fmt: skip
    yield protocol(
        data__validation=0.1,
        training__stopping={
            "name": "no_improvement", "watched": "loss", "patience": 5, "min_delta": 0.0,
            "restore": "never", "every_epochs": 1,
        },
    )  # fmt: skip
    for schedule in SCHEDULES:
        yield protocol(training__schedule=dict(schedule))
    drawn = {"name": "stratified", "test": 0.2, "seed": 0}
    yield protocol("mnist-softmax", data__split=drawn)
    for name in ("iris-softmax", "diabetes-linear"):
        yield protocol(name)
        yield protocol(name) | {"native": [{"framework": "sklearn"}]}
    yield protocol("fixed-forward")
    for name, columns, units in (("wine", 13, 3), ("breast-cancer", 30, 1)):
        loss = "binary_cross_entropy" if units == 1 else "softmax_cross_entropy"
        outputs = {"outputs": "mean"} if units == 1 else {}
        yield protocol(
            "iris-softmax",
            data__dataset=name,
            network__inputs=columns,
            network__layers=[{"units": units, "activation": "identity"}],
            training__loss={"name": loss, "batch": "mean", **outputs},
        )


def table_of(values, path):
    """The table, or list of tables, at a dotted path; None where the protocol has none."""
    for part in filter(None, path.split(".")):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def written(path, text):
    """The protocols that result where `text` is written into the table of a path."""
    change = tomllib.loads(f"x = {{ {text} }}")["x"]
    for values in bases():
        table = table_of(values, path)
        if isinstance(table, list) and table:
            table = table[0]
        if not isinstance(table, dict):
            continue
        if "name" in change or {"order", "size"} <= set(change) or change.get("order") == "full":
            table.clear()
        if "every_steps" in change:
            table.pop("every_epochs", None)
        for one, other in PAIRS:
            if one in change:
                table.pop(other, None)
        table.update(change)
        yield values


def is_valid(values):
    try:
        parse(values, "test")
    except ProtocolError:
        return False
    return True


def place_of(row, table):
    """The table that a row is to be written in."""
    inner = row.where.removesuffix(" of [training]")
    if inner != row.where:
        return f"training.{inner}"
    return row.where.strip("[]") or table


ROWS = [
    *(
        (place_of(row, place.rpartition(".")[0]), row)
        for place, rows in VALUES.items()
        for row in rows
    ),
    *((place_of(row, table), row) for table, rows in FIELDS.items() for row in rows),
]
WRITTEN = {
    (place.replace("biases", "weights"), row.write)
    for place, row in ROWS
    if row.write and "--" not in row.write
}


@pytest.mark.parametrize(("place", "text"), sorted(WRITTEN))
def test_what_a_row_says_to_write_is_valid_there(place, text):
    assert any(is_valid(values) for values in written(place, text))


def test_every_row_can_be_found_and_says_something():
    for place, rows in VALUES.items():
        for row in rows:
            names = [name for library in LIBRARIES for name in row.names(library)]
            assert names, row
            for name in names:
                said = translation(place, name, ())
                assert row.write in said or row.why in said, (place, name, said)
    for table, rows in FIELDS.items():
        for row in rows:
            for name in (name for library in LIBRARIES for name in row.names(library)):
                said = field_translation(f"{table}.{name}", [row.of])
                assert said, (table, name)


def test_adapters_are_led_to():
    for row in VALUES["frameworks"]:
        assert row.write.removeprefix("--frameworks ") in installed()


# ---------------------------------------------------------------- what users wrote

ACTIVATION = "network.layers[0].activation"


@pytest.mark.parametrize(
    ("place", "name", "said"),
    [
        ("training.loss.name", "CrossEntropyLoss", '"softmax_cross_entropy"'),
        ("training.loss.name", "categorical_crossentropy", '"softmax_cross_entropy"'),
        ("training.loss.name", "mse", '"mean_squared_error"'),
        ("training.loss.name", "torch.nn.SmoothL1Loss", "over_delta = true"),
        ("training.loss.name", "keras.losses.Hinge", "target_values = [-1, 1]"),
        ("training.optimizer.name", "lamb", "cannot be said"),
        ("training.optimizer.name", "torch.optim.AdamW", "weight_decay = 0.01, decay_times_rate"),
        ("training.optimizer.name", "tf.keras.optimizers.Nadam()", "momentum_decay = 1.0"),
        ("training.optimizer.name", "torch.optim.Adam", 'epsilon = 1e-8, form = "algorithm_1"'),
        ("training.optimizer.name", "tf.keras.optimizers.Adam()", 'form = "epsilon_hat"'),
        ("training.optimizer.name", "SGD with momentum", '"momentum"'),
        (ACTIVATION, "softmax", "the loss contains it"),
        (ACTIVATION, "log_softmax", "the loss contains it"),
        (ACTIVATION, "linear", '"identity"'),
        (ACTIVATION, "logistic", '"sigmoid"'),
        (ACTIVATION, "none", '"identity"'),
        (ACTIVATION, "silu", '"swish"'),
        (ACTIVATION, "nn.ReLU()", '"relu"'),
        (ACTIVATION, "selu", '"selu"'),
        (ACTIVATION, "rrelu", "is drawn, here it is fixed; the nearest is"),
        (ACTIVATION, "keras.activations.hard_sigmoid", "Keras up to version 2 has"),
        (ACTIVATION, "tf.nn.leaky_relu", "slope = 0.2"),
        (ACTIVATION, "torch.nn.LeakyReLU", "slope = 0.01"),
        (ACTIVATION, "jax.nn.gelu", '"gelu_tanh"'),
        ("initializers.weights.name", "xavier_uniform", '"glorot_uniform"'),
        ("initializers.weights[1].name", "GlorotNormal", '"glorot_truncated_normal"'),
        ("initializers.weights.name", "torch.nn.init.kaiming_normal_", '"he_normal"'),
        ("initializers.weights.name", "jax.nn.initializers.kaiming_normal",
         '"he_truncated_normal"'),
        ("initializers.biases.name", "orthogonal", "cannot be said"),
        ("protocol.data.scale", "StandardScaler", '"standardize"'),
        ("dtype", "bfloat16", "cannot be said"),
        ("native[0].estimator", "MLPRegressor", "cannot be said"),
        ("frameworks", "scikit-learn", "--frameworks sklearn"),
    ],
)  # fmt: skip
def test_a_name_of_another_library_is_understood(place, name, said):
    assert said in meant(name, [], place)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ReLU", "Did you mean 'relu'?"),
        ("tanhh", "Did you mean 'tanh'?"),
        ("sofmax", "the loss contains it"),
        ("weather", ""),
    ],
)
def test_our_own_names_come_first_and_misspelt_ones_last(name, said):
    assert said in meant(name, get_args(ActivationName), ACTIVATION)
    assert bool(said) == bool(meant(name, get_args(ActivationName), ACTIVATION))


@pytest.mark.parametrize(
    ("field", "rule", "said"),
    [
        ("training.optimizer.nesterov", "momentum", '"nesterov"'),
        ("training.optimizer.decay", "sgd", "every_steps = 1, staircase = false"),
        ("training.optimizer.decay", "rmsprop", "rho = 0.9"),
        ("training.optimizer.weight_decay", "adam", "strength = 0.0001"),
        ("training.optimizer.momentum", "sgd", '"momentum"'),
        ("training.optimizer.betas", "adam", "beta1 = 0.9"),
        ("network.layers[0].dropout", "", '{ kind = "dropout", rate = 0.5'),
        ("network.layers[3].use_bias", "", "bias = false"),
        ("training.epochs", "", "length = { epochs = 10 }"),
        ("epochs", "", "in [training]"),
        ("training.optimizer.weather", "adam", ""),
    ],
)
def test_a_field_of_another_library_is_understood(field, rule, said):
    answer = field_translation(field, [rule])
    assert said in answer
    assert bool(said) == bool(answer)


def test_an_experiment_is_found_by_the_beginning_of_its_name():
    with pytest.raises(ProtocolError, match=r"Did you mean 'xor-single', 'xor-flip', .* or 'xor-"):
        load("xor")
    with pytest.raises(ProtocolError, match="Did you mean 'iris-softmax'"):
        load("iris")


# ---------------------------------------------------------------- all that the libraries have


def source(module):
    """The parsed source of an installed module, which is not imported."""
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or spec.origin is None:
        pytest.skip(f"{top} is not installed")
    folder = Path(spec.origin).parent.joinpath(*rest)
    file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))


def public(module, within):
    """The names of `__all__`; or else those imported from `within`, or else the functions."""
    imported, defined = set(), set()
    for node in source(module).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(within):
            imported |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef):
            defined.add(node.name)
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            if within == "__all__":
                return {ast.literal_eval(item) for item in node.value.elts}
        elif isinstance(node, ast.Assign):
            defined |= {ast.unparse(target) for target in node.targets}
    return imported or defined


NO_NAME = re.compile(
    r"^_|^[A-Z_]+$|State$|Dimensionality$|DimensionNumbers$|^scale_by_|^(get|serialize|deserialize|"
    r"calculate_gain|initializers|Initializer|Loss|LearningRateSchedule|LRScheduler|"
    r"schedule_free_eval_params|swap_in_.*|MaskOrFn|schedules|legacy|Callable|hutchinson_.*|.*Schedule|inject_.*)$"
)
"""What these modules have that is no activation, loss, update rule or initializer."""


@pytest.mark.parametrize(
    ("module", "within", "place"),
    [
        ("keras.activations", "keras", "network.layers.activation"),
        ("keras.losses", "keras", "training.loss.name"),
        ("keras.optimizers", "keras", "training.optimizer.name"),
        ("keras.optimizers.schedules", "keras", "training.schedule.name"),
        ("keras.initializers", "keras", "initializers.weights.name"),
        ("torch.nn.modules.activation", "__all__", "network.layers.activation"),
        ("torch.nn.modules.loss", "__all__", "training.loss.name"),
        ("torch.optim", "torch.optim.", "training.optimizer.name"),
        ("torch.nn.init", "none", "initializers.weights.name"),
        ("jax.nn", "jax", "network.layers.activation"),
        ("jax.nn.initializers", "jax", "initializers.weights.name"),
        ("optax", "optax._src.alias", "training.optimizer.name"),
        ("optax.losses", "optax", "training.loss.name"),
        ("optax.contrib", "optax", "training.optimizer.name"),
        ("optax.schedules", "optax", "training.schedule.name"),
    ],
)
def test_every_public_name_of_a_library_has_an_answer(module, within, place):
    names = sorted(name for name in public(module, within) if not NO_NAME.search(name))
    assert len(names) > 5
    library = module.partition(".")[0]
    assert not [name for name in names if not translation(place, f"{library}.{name}", ())]


# ---------------------------------------------------------------- defaults, as the libraries have

FIELD_OF = {
    "learning_rate": "learning_rate", "lr": "learning_rate", "learning_rate_init": "learning_rate",
    "beta_1": "beta1", "beta_2": "beta2", "b1": "beta1", "b2": "beta2", "eps": "epsilon",
    "epsilon": "epsilon", "rho": "rho", "alpha": "rho", "decay": "rho", "momentum": "momentum",
    "initial_accumulator_value": "initial_accumulator", "weight_decay": "weight_decay",
    "momentum_decay": "momentum_decay",
}  # fmt: skip


def defaults(module, name):
    """The literal defaults of a function, or of a class's constructor, by our names."""
    (found,) = [node for node in source(module).body if getattr(node, "name", "") == name]
    if isinstance(found, ast.ClassDef):
        (found,) = [node for node in found.body if getattr(node, "name", "") == "__init__"]
    arguments, values = found.args, {}
    for names, given in (
        (arguments.args[-len(arguments.defaults) :], arguments.defaults),
        (arguments.kwonlyargs, arguments.kw_defaults),
    ):
        for argument, value in zip(names, given, strict=False):
            if value is not None and ast.unparse(value) != "None":
                values[argument.arg] = ast.unparse(value)
    if "betas" in values:
        values["beta_1"], values["beta_2"] = values.pop("betas").strip("()").split(", ")
    return {FIELD_OF[key]: value for key, value in values.items() if key in FIELD_OF}


@pytest.mark.parametrize(
    ("module", "name", "written_as"),
    [
        ("keras.src.optimizers.sgd", "SGD", "keras.SGD"),
        ("keras.src.optimizers.adam", "Adam", "keras.Adam"),
        ("keras.src.optimizers.rmsprop", "RMSprop", "keras.RMSprop"),
        ("keras.src.optimizers.adagrad", "Adagrad", "keras.Adagrad"),
        ("keras.src.optimizers.adamw", "AdamW", "keras.AdamW"),
        ("keras.src.optimizers.nadam", "Nadam", "keras.Nadam"),
        ("keras.src.optimizers.adamax", "Adamax", "keras.Adamax"),
        ("keras.src.optimizers.adadelta", "Adadelta", "keras.Adadelta"),
        ("torch.optim.sgd", "SGD", "torch.SGD"),
        ("torch.optim.adam", "Adam", "torch.Adam"),
        ("torch.optim.rmsprop", "RMSprop", "torch.RMSprop"),
        ("torch.optim.adagrad", "Adagrad", "torch.Adagrad"),
        ("torch.optim.adamw", "AdamW", "torch.AdamW"),
        ("torch.optim.nadam", "NAdam", "torch.NAdam"),
        ("torch.optim.adamax", "Adamax", "torch.Adamax"),
        ("torch.optim.adadelta", "Adadelta", "torch.Adadelta"),
        ("optax._src.alias", "adam", "optax.adam"),
        ("optax._src.alias", "rmsprop", "optax.rmsprop"),
        ("optax._src.alias", "adagrad", "optax.adagrad"),
        ("optax._src.alias", "adamw", "optax.adamw"),
        ("optax._src.alias", "adamax", "optax.adamax"),
        ("optax._src.alias", "adadelta", "optax.adadelta"),
        ("optax._src.alias", "amsgrad", "optax.amsgrad"),
    ],
)
def test_the_numbers_of_a_row_are_the_defaults_of_the_library(module, name, written_as):
    said = translation("training.optimizer.name", written_as, ())
    row = tomllib.loads(f"x = {{ {said.partition(' write ')[2].removesuffix('.')} }}")["x"]
    expected = {key: float(value) for key, value in defaults(module, name).items() if key in row}
    assert expected
    assert {key: row[key] for key in expected} == expected
