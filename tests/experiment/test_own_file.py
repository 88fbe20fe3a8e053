"""A protocol that names a file of the user's: read once, and known by what the file holds."""

import json
import shutil

import numpy as np
import pytest

from harness import data
from harness.cli.own_data import TableOptions
from harness.data import own_rows
from harness.data.fetching import DataMissingError
from harness.experiment.drafting import draft, slug
from harness.experiment.loading import ProtocolError, parse, read
from harness.tables import TableError
from tests.conftest import protocol

FLOWERS = "a,b,kind\n" + "".join(
    f"{i},{i * i % 7},{'rose' if i % 3 else 'tulip'}\n" for i in range(30)
)


@pytest.fixture
def flowers(tmp_path):
    file = tmp_path / "my flowers.csv"
    file.write_text(FLOWERS)
    return file


def own(file, **fields):
    """A protocol on a file; `a__b=value` changes a nested field."""
    table = {
        "file": str(file),
        "target": "kind",
        "split": {"name": "random", "test": 0.2, "seed": 0},
    }
    table |= fields.pop("data", {})
    network = {"inputs": 2, "layers": [{"units": 2, "activation": "identity"}]}
    return protocol("iris-softmax", data=table, network=network, **fields)


def test_the_protocol_knows_the_file(flowers):
    experiment = parse(own(flowers), "test")
    assert experiment.data.rows == (24, 0, 6)
    assert experiment.data.found.classes == ("rose", "tulip")
    assert experiment.data.found.inputs == ("a", "b")
    prepared = data.load(experiment.data, experiment.loss, "float32")
    assert prepared.train.inputs.shape == (24, 2)
    kinds = [line.split(",")[2] for line in FLOWERS.splitlines()[1:]]
    whole = np.concatenate([prepared.train.inputs[:, 0], prepared.test.inputs[:, 0]]).astype(int)
    labels = np.concatenate([prepared.train.labels, prepared.test.labels])
    assert [("rose", "tulip")[label] for label in labels] == [kinds[row] for row in whole]


def test_a_file_lies_beside_the_protocol(flowers):
    text = drafted(flowers, "kind").text.replace(str(flowers), flowers.name)
    toml = flowers.with_name("p.toml")
    toml.write_text(text, encoding="utf-8")
    assert read(toml).data.file == str(flowers)
    with pytest.raises(ProtocolError, match="file: must be absolute in a protocol without a file"):
        parse(own(flowers.name), "test")


def test_a_stored_plan_needs_the_file_no_more(flowers):
    experiment = parse(own(flowers), "test")
    stored = json.loads(json.dumps(experiment.model_dump(mode="json")))
    flowers.unlink()
    again = parse(stored, "plan")
    assert again == experiment
    assert again.digest == experiment.digest


def test_the_digest_is_of_what_is_read_and_not_of_where_it_lies(flowers, tmp_path):
    digest = parse(own(flowers), "test").digest
    (tmp_path / "elsewhere").mkdir()
    moved = shutil.copy(flowers, tmp_path / "elsewhere" / "f.csv")
    same = [
        own(moved),
        own(flowers, data={"kind": "classes"}),
        own(flowers, data={"inputs": ["a", "b"]}),
        own(flowers, data={"classes": ["rose", "tulip"]}),
        own(flowers, data={"sha256": parse(own(flowers), "t").data.found.sha256}),
    ]
    assert {parse(values, "test").digest for values in same} == {digest}
    other = [
        own(flowers, data={"inputs": ["b", "a"]}),
        own(flowers, data={"classes": ["tulip", "rose"]}),
        own(flowers, data={"scale": "standardize"}),
    ]
    digests = {parse(values, "test").digest for values in other}
    flowers.write_text(FLOWERS.replace("29,1,", "29,2,"))
    digests.add(parse(own(flowers), "test").digest)
    assert len(digests | {digest}) == 5


def drafted(file, target, **options):
    source = TableOptions(target, **options).source(file)
    return draft(source, source.target or target)


def test_test_rows_of_their_own_are_given(flowers, tmp_path):
    test = tmp_path / "test.csv"
    test.write_text("a,b,kind\n100,2,tulip\n200,3,rose\n")
    proposed = drafted(flowers, "kind", test_file=test)
    experiment = proposed.experiment
    assert experiment.data.rows == (30, 0, 2)
    assert experiment.data.split.name == "given"
    raw = experiment.data.model_copy(update={"scale": "none"})
    prepared = data.load(raw, experiment.loss, "float32")
    assert prepared.test.inputs.tolist() == [[100, 2], [200, 3]]
    assert prepared.test.labels.tolist() == [1, 0]
    joined = own(flowers, data={"test_file": str(test)})  # any other split draws from all rows
    assert parse(joined, "test").data.rows == (25, 0, 7)
    toml = tmp_path / "p.toml"
    toml.write_text(proposed.text.replace(str(test), "test.csv"), encoding="utf-8")
    assert read(toml).digest == experiment.digest
    test.write_text("a,b,kind\n100,2,tulip\n200,4,rose\n")
    assert read(toml).digest != experiment.digest


def test_a_stored_plan_of_several_files_needs_none_of_them(tmp_path):
    for name, array in (("X.npy", np.arange(24).reshape(12, 2)), ("y.npy", np.arange(12) % 3)):
        np.save(tmp_path / name, array)
    experiment = drafted(tmp_path / "X.npy", "y.npy").experiment
    stored = json.loads(json.dumps(experiment.model_dump(mode="json")))
    own_rows.store(experiment.data, tmp_path / "run")
    for name in ("X.npy", "y.npy"):
        (tmp_path / name).unlink()
    again = parse(stored, "plan")
    assert (again, again.digest) == (experiment, experiment.digest)
    assert experiment.data.found.inputs == ("array[0]", "array[1]")
    with pytest.raises(DataMissingError, match=r"X\.npy: cannot be read"):
        own_rows.read(experiment.data)


MISTAKES = [
    ({"dataset": "iris"}, "data: dataset: name a dataset .* or a file of your own"),
    (
        {"target": "kindd"},
        r"data: target: my flowers.csv has no column 'kindd'. Did you mean 'kind'",
    ),
    ({"target": None}, "data: target: missing"),
    ({"sha256": "0" * 64}, "has changed since sha256 was written down"),
    ({"sha256": "00"}, "data.sha256"),
    ({"format": {"delimiter": "dot"}}, "data.format.delimiter: 'dot' is not known"),
    ({"format": {"header": 1}}, "data.format.header"),
    ({"missing": "drop"}, "data.missing: 'drop' is not valid. Did you mean 'drop_rows'"),
    ({"test_file": "t.csv"}, "data: test_file: must be absolute in a protocol without a file"),
    ({"test_file": "/none/t.csv"}, "/none/t.csv: cannot be read"),
    ({"target": "y.npy"}, "data: target: 'y.npy' names a file beside my flowers.csv"),
    ({"test_target": "y.npy"}, "data: test_target: only where test_file and a target of its own"),
    ({"split": {"name": "given"}}, "'my flowers.csv' has no test rows of its own"),
    ({"features": "flipped_and"}, "flipped_and"),
]


@pytest.mark.parametrize(("fields", "words"), MISTAKES)
def test_a_mistake_is_named(flowers, fields, words):
    values = own(flowers, data=fields)
    values["data"] = {name: value for name, value in values["data"].items() if value is not None}
    with pytest.raises(ProtocolError, match=words):
        parse(values, "mine.toml")


def test_fields_of_files_are_refused_for_datasets():
    with pytest.raises(ProtocolError, match="data: one_hot: only for a file; 'iris' is a dataset"):
        parse(protocol("iris-softmax", data__one_hot=["a"]), "test")
    with pytest.raises(ProtocolError, match=r"A file of your own is named by file = \"d.csv\""):
        parse(protocol("iris-softmax", data__dataset="d.csv"), "test")


def test_a_file_that_changed_after_planning_is_not_trained_on(flowers, tmp_path):
    experiment = parse(own(flowers), "test")
    folder = tmp_path / "run"
    own_rows.store(experiment.data, folder)
    flowers.write_text(FLOWERS + "1,2,rose\n")
    with pytest.raises(DataMissingError, match="has changed since the run was planned"):
        own_rows.read(experiment.data)


def test_workers_read_what_the_run_kept(flowers, tmp_path, monkeypatch):
    experiment = parse(own(flowers), "test")
    expected = own_rows.read(experiment.data)
    own_rows.store(experiment.data, tmp_path / "run")
    flowers.unlink()
    monkeypatch.setenv(own_rows.FOLDER_VARIABLE, str(tmp_path / "run"))
    for kept, read_before in zip(own_rows.read(experiment.data), expected, strict=True):
        np.testing.assert_array_equal(kept, read_before)


def test_several_values_reach_the_loss(tmp_path):
    file = tmp_path / "v.csv"
    file.write_text("a,b,u,v\n" + "".join(f"{i},{i % 3},{i * 2},{-i}\n" for i in range(12)))
    loss = {"name": "mean_squared_error", "half": False, "batch": "mean", "outputs": "mean"}
    values = own(file, data={"target": ["u", "v"]}, training__loss=loss, target=None)
    prepared = data.load((experiment := parse(values, "t")).data, experiment.loss, "float64")
    np.testing.assert_array_equal(prepared.train.targets[:, 0], 2 * prepared.train.inputs[:, 0])
    np.testing.assert_array_equal(prepared.train.targets[:, 1], -prepared.train.inputs[:, 0])


DRAFTS = {
    "two classes": (FLOWERS, "kind", {"kind": "binary", "outputs": 1}),
    "three classes": (
        "a,b,k\n" + "".join(f"{i},{i % 4},{'xyz'[i % 3]}\n" for i in range(30)),
        "k",
        {"kind": "classes", "outputs": 3},
    ),
    "numbers": (
        "a,b,k\n" + "".join(f"{i},{i % 4},{i / 7:.3f}\n" for i in range(30)),
        "k",
        {"kind": "values", "outputs": 1},
    ),
    "two targets": (
        "a,b,k\n" + "".join(f"{i},{i % 4},{i / 7:.3f}\n" for i in range(30)),
        "k,a",
        {"kind": "values", "outputs": 2},
    ),
    "none": ("a,b\n" + "".join(f"{i},{i}\n" for i in (3, 1, 2) * 5), "none", {"kind": "none"}),
    "few rows": ("a,b,k\n1,0,x\n0,1,y\n1,1,x\n0,0,y\n", "k", {"kind": "binary", "rows": 4}),
    "all sorts": (
        "id,name,colour,a,hole,k\n"
        + "".join(
            f"{i + 1},n{i},{'red' if i % 2 else 'blue'},{i * i},{'' if i else 1},{i % 3}\n"
            for i in range(40)
        ),
        "k",
        {"kind": "classes", "inputs": ("colour=blue", "colour=red", "a")},
    ),
    "missing values": (
        "a,b,k\n" + "".join(f"{i},{i if i % 5 else 'NA'},{'xy'[i % 2]}\n" for i in range(30)),
        "k",
        {"kind": "binary", "dropped": 6},
    ),
}


@pytest.mark.parametrize(("text", "target", "expected"), DRAFTS.values(), ids=DRAFTS)
def test_a_protocol_is_proposed_that_runs(tmp_path, text, target, expected):
    file = tmp_path / '여러 "가지".csv'
    file.write_text(text, encoding="utf-8")
    proposed = drafted(file, target)
    found = proposed.experiment.data.found
    for name, value in expected.items():
        assert getattr(found, name) == value, name
    assert proposed.experiment.name.startswith("own-data-")
    assert (proposed.experiment.training is None) == (target == "none")


LOOKS = {
    "2024-01-31": "for a date make columns of numbers",
    "31.12.2024": "for a date make columns of numbers",
    "1.234,50": "write it as a plain number",
    "12.5 %": "write it as a plain number",
    "₩12,000": "write it as a plain number",
    "170cm": "write it as a plain number",
    "A/5 21171": "",
    "Braund, Mr. Owen": "",
}


@pytest.mark.parametrize(("text", "words"), LOOKS.items(), ids=LOOKS)
def test_text_that_could_be_numbers_is_said_to_be(tmp_path, text, words):
    file = tmp_path / "t.csv"
    rows = "".join(f'"{text} {i}",{i * i},{"xy"[i % 2]}\n' for i in range(30))
    file.write_text("a,b,k\n" + rows.replace(f"{text} 0", text), encoding="utf-8")
    (left_out,) = [note for note in drafted(file, "k").notes if "'a' is left out" in note]
    assert f"such as '{text}'" in left_out
    assert left_out.endswith("'") if not words else words in left_out


def test_an_encoding_that_is_stated_stays_in_the_protocol(tmp_path):
    file = tmp_path / "t.csv"
    text = "Länge;Art\n" + "".join(f"{i / 10};{'rot' if i % 2 else 'blau'}\n" for i in range(30))
    file.write_bytes(text.replace(".", ",").encode("latin-1"))
    with pytest.raises(TableError, match="--encoding latin-1"):
        drafted(file, "Art")
    proposed = drafted(file, "Art", encoding="latin-1")
    assert 'format = { encoding = "latin-1" }' in proposed.text
    assert proposed.experiment.data.found.inputs == ("Länge",)


def test_a_target_that_names_rows_is_refused(flowers):
    flowers.write_text("a,name\n" + "".join(f"{i * i},n{i}\n" for i in range(30)))
    with pytest.raises(TableError, match="names rows rather than classes"):
        drafted(flowers, "name")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("Flowers 2.CSV", "flowers-2"),
        ("a_b.csv.gz", "a-b"),
        (".x.csv", "x"),
    ],
)
def test_a_file_gives_its_experiment_a_name(tmp_path, file, name):
    assert slug(tmp_path / file) == name
    assert (
        slug(tmp_path / "꽃.csv") == slug(tmp_path.parent / "꽃.csv") != slug(tmp_path / "잎.csv")
    )
