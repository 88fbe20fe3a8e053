import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.experiment import loading
from harness.experiment.consistency import MAX_EVALUATION_POINTS
from harness.experiment.datasets import DATASETS
from harness.experiment.loading import ProtocolError, catalogue_names, load, parse
from harness.experiment.text_files import EncodingError, text_of
from harness.experiment.training import Length
from tests.conftest import protocol

CATALOGUE = [
    "and",
    "or",
    "xor-single",
    "xor-flip",
    "xor-poly",
    "xor-mlp",
    "xor-wide",
    "xor-deep",
    "fixed-forward",
    "diabetes-linear",
    "iris-softmax",
    "digits-softmax",
    "digits-mlp",
    "mnist-five",
    "mnist-softmax",
    "mnist-mlp",
    "mnist-wide",
    "mnist-deep",
    "mnist-dropout",
    "mnist-cnn",
    "fashion-mlp",
]


def test_the_catalogue_is_the_public_one():
    assert sorted(catalogue_names()) == sorted(CATALOGUE)
    files = {file.stem for file in loading.CATALOGUE.glob("*.toml")}
    assert files == set(CATALOGUE)


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_experiment_of_the_catalogue_is_valid(name):
    experiment = load(name)
    assert experiment.name == name
    assert len(experiment.evaluation_points) <= MAX_EVALUATION_POINTS + 1


@pytest.mark.parametrize(
    ("name", "network", "full", "quick"),
    [
        ("and", "2-1", 10_001, 2_001),
        ("xor-single", "2-1", 10_001, 5_001),
        ("xor-mlp", "2-2-1", 10_001, 4_001),
        ("xor-deep", "2-10-10-10-1", 10_001, None),
        ("digits-mlp", "64-64-10", 50 * 45, 10 * 45),
        ("mnist-softmax", "784-10", 20 * 600, 2 * 600),
        ("mnist-mlp", "784-50-10", 50_000, 1_200),
        ("mnist-wide", "784-1000-10", 20 * 600, None),
        ("mnist-deep", "784-512-256-128-10", 100 * 600, 200),
        ("mnist-dropout", "784-512-512-10", 20 * 469, 200),
        ("mnist-cnn", "28x28x1-32C3-MP2-64C3-MP2-10", 15 * 469, 100),
        ("fashion-mlp", "784-256-10", 10 * 235, None),
    ],
)
def test_lengths_are_those_of_the_design(name, network, full, quick):
    experiment = load(name)
    assert str(experiment.network) == network
    assert experiment.steps == full
    if quick is None:
        assert not experiment.quick.part
    else:
        assert experiment.of_length(experiment.quick.length).steps == quick


MOMENTUM = {"name": "momentum", "learning_rate": 0.1, "momentum": 0.9}
ERRORS = [
    ({"training__optimizer__name": "adamm"}, "training.optimizer.name: 'adamm'", "'adam'"),
    (
        {"training__optimizer__learnin_rate": 1.0},
        "training.optimizer.learnin_rate",
        "'learning_rate'",
    ),
    (
        {"training__optimizer__form": None},
        "training.optimizer.form: missing; write one of 'algorithm_1' (PyTorch, Optax)",
        "'epsilon_hat' (Keras",
    ),
    (
        {"training__optimizer": MOMENTUM | {"nesterov": True}},
        "training.optimizer.nesterov: unknown field of 'momentum'",
        'name = "nesterov"',
    ),
    (
        {"training__optimizer": MOMENTUM | {"momentum": 2.0}},
        "training.optimizer.momentum: must be less than 1",
        "Got 2.0",
    ),
    (
        {"training__optimizer": MOMENTUM | {"foo": 1}},
        "training.optimizer.foo: unknown field of 'momentum'. Known: learning_rate, momentum,",
        "",
    ),
    (
        {"training__stopping": {"name": "patience", "patience": 3}},
        "training.stopping.patience: unknown field of 'patience'",
        "training.stopping.patience_steps: missing",
    ),
    (
        {"data__split": {"name": "stratified", "test": 0.0, "seed": 1}},
        "data.split.test: must be greater than 0",
        "Got 0.0",
    ),
    (
        {"initializers__weights": [{"name": "normal", "stddev": 1.0}]},
        "initializers.weights[0].stddev: unknown field of 'normal'",
        "std = 0.05",
    ),
    (
        {"network__layers": [{"units": 10, "activation": "identity"}] * 257},
        "network.layers: must have at most 256 items. Got a list",
        "",
    ),
    ({"training__optimizer__epsilon": -1.0}, "training.optimizer.epsilon", "Got -1.0"),
    ({"training__optimizer__epsilon": float("nan")}, "training.optimizer.epsilon", "nan"),
    ({"training__batches__order": "shufled"}, "training.batches.order: 'shufled'", "'shuffled'"),
    ({"training__batches__size": 2000}, "training.batches.size", "1437"),
    ({"training__batches__size": True}, "training.batches.size", "Got True"),
    ({"training__length": {"steps": 5, "epochs": 1}}, "training.length", "either"),
    (
        {"training__evaluation": {"every_steps": 1}},
        "at most 60 points besides the first step. Got 2250",
        "every_steps = 38 fits",
    ),
    ({"training__loss__name": "mean_square_error"}, "training.loss.name", "'mean_squared_error'"),
    ({"training__loss__outputs": "mean"}, "training.loss.outputs: unknown field", ""),
    ({"network__inputs": 3}, "network.inputs: must be the 64 columns of 'digits'", "Got 3"),
    ({"network__layers": []}, "network.layers", "at least 1"),
    (
        {"network__layers": [{"units": 10, "activation": "threshold"}]},
        "network.layers[0].activation: 'threshold'",
        'the nearest is activation = "relu"',
    ),
    ({"network__layers": [{"units": 10, "activation": "leaky_relu"}]}, "slope", "leaky_relu"),
    ({"network__layers": [{"units": 10, "activation": "step"}]}, "'step' has no gradient", ""),
    ({"network__layers": [{"units": 10, "activation": "relu"}]}, "must be 'identity'", "logits"),
    ({"network__layers": [{"units": 9, "activation": "identity"}]}, "must have 10 units", "Got 9"),
    ({"data__dataset": "mnits"}, "data.dataset: 'mnits' is not known", "'mnist'"),
    ({"data__split": {"name": "given"}}, "'digits' has no test rows", "'all'"),
    (
        {"data__split": {"name": "stratify", "test": 0.2, "seed": 0}},
        "data.split.name: 'stratify'",
        'name = "stratified"',
    ),
    ({"data__scale": "divide_by_257"}, "data.scale: 'divide_by_257'", "'divide_by_25"),
    ({"data__features": "polynomial"}, "needs a dataset of two columns", "64"),
    ({"data__validation": 1.0}, "data.validation", "less than 1"),
    (
        {"initializers__weights": {"name": "constants", "values": [[[1.0]]]}},
        "initializers.weights.values: one entry per layer with weights, 2",
        "Got 1",
    ),
    (
        {"initializers__weights": {"name": "normal", "std": "1/sqrt(input)"}},
        "initializers.weights.std",
        "1/sqrt(inputs)",
    ),
    (
        {
            "quick": {"length": {"epochs": 200}},
            "training__evaluation": {"every_steps": 45},
            "training__length": {"epochs": 50},
        },
        "quick.length: with it",
        "at most 60 points",
    ),
    ({"training__optimizer__beta2": 0.999999999}, "training.optimizer.beta2", "in float32"),
    ({"training__optimizer__epsilon": 1e-50}, "training.optimizer.epsilon", "in float32"),
    (
        {"training__schedule": {"name": "step_decay", "factor": 0.5, "every_steps": 2}},
        "training.schedule: every learning rate must be 0 or at least 1.2e-38",
        "decay later",
    ),
    ({"data__split": {"name": "first", "train": 1797}}, "split.train: must be at most 1796", ""),
    (
        {"native": [{"framework": "sklearn", "estimator": "LogisticRegression"}] * 2},
        "native: two are called",
        "",
    ),
    (
        {"native": [{"framework": "sklearn", "estimator": "RandomForest"}]},
        "native[0].estimator: 'RandomForest'",
        "LogisticRegression",
    ),
    (
        {"native": [{"framework": "sklearn", "estimator": "LinearRegression"}]},
        "LinearRegression does not fit",
        "classes",
    ),
    ({"name": "../../x"}, "name: lower-case", "'../../x'"),
    ({"name": "x" * 65}, "name:", "64"),
    ({"titel": "x"}, "titel: unknown field", "'title'"),
    ({"training": 3}, "training", "Got 3"),
]


@pytest.mark.parametrize(("changes", "where", "help_"), ERRORS, ids=[e[1][:40] for e in ERRORS])
def test_an_error_names_field_value_and_what_is_valid(changes, where, help_):
    with pytest.raises(ProtocolError) as caught:
        parse(protocol(**changes), "mine.toml")
    message = str(caught.value)
    assert message.startswith("mine.toml")
    assert where in message
    assert help_ in message


def test_a_file_that_cannot_be_read(tmp_path):
    for content, sign in ((b"name = ", "not valid TOML"), (b"\xe9", "is not UTF-8 text")):
        file = tmp_path / "bad.toml"
        file.write_bytes(content)
        with pytest.raises(ProtocolError, match=sign):
            load(str(file))
    with pytest.raises(ProtocolError, match="No such file"):
        load(str(tmp_path / "absent.toml"))
    huge = tmp_path / "huge.toml"
    huge.write_bytes(b"#" * (loading.LARGEST_FILE_BYTES + 1))
    with pytest.raises(ProtocolError, match="larger than"):
        load(str(huge))


def as_text(values, name="mine"):
    """The protocol as a TOML file: one line for each table."""
    lines = [f'name = "{name}"', 'title = "손글씨"']
    lines += [f"{key} = {inline(value)}" for key, value in values.items() if key not in NAMING]
    return "\n".join(lines) + "\n"


NAMING = ("name", "title")


def inline(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return json.dumps(value)


@pytest.mark.parametrize(
    ("name", "encode"),
    [
        ("bom.toml", lambda text: text.encode("utf-8-sig")),
        ("crlf.toml", lambda text: text.replace("\n", "\r\n").encode()),
        ("cr only.toml", lambda text: text.replace("\n", "\r").encode()),
        ("내 실험.toml", str.encode),
        ("CAPITALS.TOML", str.encode),
    ],
)
def test_a_file_is_taken_as_editors_save_it(tmp_path, name, encode):
    (tmp_path / name).write_bytes(encode(as_text(protocol())))
    assert load(str(tmp_path / name)).title == "손글씨"


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp949", r"is not UTF-8 text \(line 2\), but probably CP949: save it as UTF-8"),
        ("utf-16", "is not UTF-8 text, but probably UTF-16: save it as UTF-8"),
    ],
)
def test_another_encoding_is_refused_with_what_to_do(tmp_path, encoding, words):
    file = tmp_path / "mine.toml"
    file.write_bytes(as_text(protocol()).encode(encoding))
    with pytest.raises(ProtocolError, match=words):
        load(str(file))


@pytest.mark.parametrize(
    ("content", "likely"),
    [("한국어", "CP949"), ("これはテストです", "CP932"), ("voilà, tête", ""), ("中文字符", "")],
)
def test_an_encoding_is_named_only_where_the_letters_say_it(content, likely):
    encoding = likely or {"v": "latin-1"}.get(content[0], "gbk")
    with pytest.raises(EncodingError) as caught:
        text_of(content.encode(encoding))
    assert ("probably" in str(caught.value)) == bool(likely)
    assert likely in str(caught.value)


@pytest.mark.parametrize("name", ["손글씨", "손글씨-2", "é", "xor-mlp"])
def test_names_are_of_letters_of_any_script(name):
    assert parse(protocol(name=unicodedata.normalize("NFD", name)), "test").name == name


@pytest.mark.parametrize("name", ["손 글씨", "É", "a--b", "-a", "a_b", "a/b", "a.b", ""])
def test_names_are_of_nothing_else(name):
    with pytest.raises(ProtocolError, match="name: "):
        parse(protocol(name=name), "test")


def test_a_file_of_another_ending_is_to_be_renamed(tmp_path):
    file = tmp_path / "mine.toml.txt"
    file.write_text(as_text(protocol()))
    with pytest.raises(ProtocolError, match=r"must end in \.toml; rename the file"):
        load(str(file))


def test_unknown_experiments_name_the_nearest():
    with pytest.raises(ProtocolError, match="Did you mean 'xor-mlp'"):
        load("xor_mlp")


def test_sixty_epochs_may_be_taken_one_by_one():
    sixty = {"training__length": {"epochs": 60}, "training__evaluation": {"every_epochs": 1}}
    assert len(parse(protocol(**sixty), "test").evaluation_points) == 61
    one_more = sixty | {"training__length": {"epochs": 61}}
    with pytest.raises(ProtocolError, match="Got 61; every_steps = 46 fits"):
        parse(protocol(**one_more), "test")
    fits = one_more | {"training__evaluation": {"every_steps": 46}}
    assert parse(protocol(**fits), "test").evaluation_count == 60


def test_the_digest_is_of_what_is_computed():
    experiment = parse(protocol(), "test")
    renamed = parse(protocol(title="another", name="renamed"), "test")
    assert experiment.digest == renamed.digest
    assert experiment.digest != experiment.of_length(Length(epochs=3)).digest
    changed = parse(protocol(training__optimizer__epsilon=1e-7), "test")
    assert experiment.digest != changed.digest


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_dumped_experiment_reads_back_the_same(name):
    experiment = load(name)
    assert parse(experiment.model_dump(mode="json"), name) == experiment


@given(st.integers(1, 500), st.integers(1, 60), st.sampled_from(["keep", "drop"]))
def test_steps_per_epoch_covers_the_rows(size, epochs, last):
    experiment = parse(
        protocol(
            training__batches={"order": "shuffled", "size": size, "last": last},
            training__length={"epochs": epochs},
            training__evaluation={"every_epochs": 60},
        ),
        "test",
    )
    rows = experiment.data.rows[0]
    in_full = experiment.steps_per_epoch * size
    assert in_full >= rows if last == "keep" else rows - size < in_full <= rows
    assert experiment.steps == epochs * experiment.steps_per_epoch
    points = experiment.evaluation_points
    assert points[0] == 1
    assert points[-1] == experiment.steps
    assert list(points) == sorted(set(points))


def test_every_dataset_is_described():
    assert all(facts.features >= 1 and facts.description for facts in DATASETS.values())
