"""A table of the user's on the command line: described, and reported on."""

import tomllib

import numpy as np
import pytest

from harness.experiment.loading import parse

FLOWERS = "길이,b,꽃\n" + "".join(
    f"{i}.5,{i * i % 7},{'장미' if i % 3 else '국화'}\n" for i in range(30)
)


@pytest.fixture
def flowers(tmp_path):
    file = tmp_path / "내 꽃.csv"
    file.write_bytes(FLOWERS.encode("cp949"))
    return file


def test_a_table_is_described_and_its_protocol_runs(invoke, flowers):
    result = invoke("data", "describe", flowers)
    assert result.exit_code == 0
    assert "30 rows, 3 columns" in result.output
    assert "CP949, comma between columns" in result.output
    assert "장미 66.7 %, 국화 33.3 %" in result.output
    assert "because it is the last column" in result.output
    text = result.output[result.output.index("# Written by samestep") :]
    assert parse(tomllib.loads(text), "described").data.found.classes == ("국화", "장미")
    assert "'길이'" in invoke("data", "describe", flowers, "--target", "없음").output


def test_a_table_without_names_is_said_to_be_one(invoke, tmp_path):
    file = tmp_path / "iris.data"
    file.write_text("".join(f"{i / 10},{i * i},{'ab'[i % 2]}\n" for i in range(30)))
    result = invoke("data", "describe", file)
    assert (result.exit_code, "--header or --no-header" in result.output) == (2, True)
    result = invoke("data", "describe", file, "--no-header")
    text = result.output[result.output.index("# Written by samestep") :]
    found = parse(tomllib.loads(text), "described").data.found
    assert (found.rows, found.inputs) == (30, ("column1", "column2"))


@pytest.mark.xdist_group("processes")
def test_a_table_is_reported_on_with_one_command(invoke, flowers, tmp_path):
    arguments = ("report", flowers, "--target", "꽃", "--frameworks", "numpy", "--no-timing")
    result = invoke(*arguments)
    assert result.exit_code == 0
    (protocol,) = (tmp_path / "results" / "runs").glob("own-data-*.toml")
    assert (
        parse(tomllib.loads(protocol.read_text(encoding="utf-8")), "left").data.name == "내 꽃.csv"
    )
    (run,) = (folder for folder in protocol.parent.iterdir() if folder.is_dir())
    table = (run / "results.csv").read_text(encoding="utf-8")
    assert "내 꽃.csv sha256:" in table
    assert '["국화", "장미"]'.replace('"', '""') in table
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "classes of 꽃, counted from 0: 국화, 장미" in page
    protocol.write_text(protocol.read_text(encoding="utf-8").replace("32", "16"), encoding="utf-8")
    again = invoke(*arguments)
    assert again.exit_code == 2
    assert "is there already and differs" in again.output


def test_files_with_targets_and_test_rows_apart_are_described(invoke, tmp_path, monkeypatch):
    (tmp_path / "a folder").mkdir()
    monkeypatch.chdir(tmp_path)
    arrays = {"X": np.arange(60).reshape(20, 3), "y": np.arange(20) % 2}
    for name, array in arrays.items():
        np.save(f"a folder/{name}.npy", array)
        np.save(f"a folder/{name}_test.npy", array[:5])
    result = invoke("data", "describe", "a folder/X.npy")
    assert (result.exit_code, "Target: 'y.npy', because of its name" in result.output) == (0, True)
    # a shell completes paths from the working folder; the protocol has them beside the inputs
    pair = ("a folder/X.npy", "--target", "a folder/y.npy")
    test = ("--test-file", "a folder/X_test.npy", "--test-target", "a folder/y_test.npy")
    result = invoke("data", "describe", *pair, *test)
    assert "25 rows (20 to train, 5 to test), 2 arrays" in result.output
    text = result.output[result.output.index("# Written by samestep") :]
    described = parse(tomllib.loads(text), "described").data
    assert (described.target, described.test_target) == ("y.npy", "y_test.npy")
    assert described.rows == (20, 0, 5)
    assert "No target: this is one array" in invoke("data", "describe", "a folder/y.npy").output
    result = invoke("report", "a folder/X.npy")
    assert (result.exit_code, "name the file of its targets, --target y.npy" in result.output) == (
        2,
        True,
    )


def test_a_table_needs_a_target_and_a_target_a_table(invoke, flowers):
    result = invoke("report", flowers)
    assert (result.exit_code, "name the column to learn" in result.output) == (2, True)
    assert "'길이', 'b', '꽃'" in result.output
    result = invoke("report", "xor-mlp", "--target", "y")
    assert (result.exit_code, "--target: only with a table" in result.output) == (2, True)
    result = invoke("report", "xor-mlp", "--test-file", "y.csv")
    assert (result.exit_code, "--test-file: only with a table" in result.output) == (2, True)
    result = invoke("report", "none.csv", "--target", "y")
    assert (result.exit_code, "none.csv: cannot be read" in result.output) == (2, True)
