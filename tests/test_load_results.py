"""`harness.load_results`: a run's folder and both exports give the same table."""

import dataclasses
import json
import subprocess
import sys

import pandas as pd
import pytest

import harness
from harness import planning
from harness.parity.judgement import Judgement, Rung, Verdict
from harness.parity.verdicts import store
from harness.plan import Request
from harness.report.row_export import DERIVED, as_csv, as_json
from harness.results import COLUMNS, RunFolder, write_atomically
from harness.run import Run, load_run
from tests.report.test_report import row_of

FORMULA = "=cmd|'/c calc'!A1"


@pytest.fixture
def run(tmp_path, cache):
    """A folder of eight trials: text that a spreadsheet would run, a missing one, two verdicts."""
    plan = planning.make_plan(
        Request(experiments=("and", "xor-mlp"), frameworks=("numpy", "sklearn"))
    )
    folder = RunFolder(tmp_path / "run")
    write_atomically(folder.plan_file, plan.to_json().encode())
    for index, trial in enumerate(plan.trials):
        columns = {"train_s": 0.1 + index, "step_us": 1e6 / 3, "steps": 2**40, "gemm_us": 7.5}
        if trial.framework == "sklearn":
            columns = {"status": "error", "status_detail": FORMULA if index else "None"}
        folder.write_row(row_of(plan, trial, **columns))
    for proof in plan.proofs[:2]:
        store(folder, proof, Judgement(Verdict.SAME, "", (Rung("start", 0.0, 0.0),)))
    (tmp_path / "r.csv").write_text(as_csv(load_run(folder.path)))
    (tmp_path / "r.json").write_text(as_json(load_run(folder.path)))
    return tmp_path, plan


def test_folder_and_exports_give_the_same_table(run):
    place, plan = run
    table = harness.load_results(place / "run")
    assert list(table.columns) == [*COLUMNS, *DERIVED]
    assert list(table.trial) == [trial.id for trial in plan.trials]
    assert set(table.dtypes.astype(str)) == {"Int64", "Float64", "string"}
    assert table.dtypes[["seed", "steps", "attempt"]].astype(str).unique().tolist() == ["Int64"]
    assert table.steps.max() == 2**40
    assert table.step_us.max() == 1e6 / 3
    assert table.status_detail.dropna().unique().tolist() == [FORMULA]
    assert (table.parity == "same").sum() >= 1
    assert table.attrs == {"plan": plan.digest, "machine": "a machine"}
    for name in ("r.csv", "r.json"):
        read = harness.load_results(str(place / name))
        pd.testing.assert_frame_equal(read, table, check_exact=True)
        assert read.attrs == table.attrs


def test_text_that_looks_like_nothing_stays_text(run):
    place, plan = run
    folder = RunFolder(place / "run")
    row = dataclasses.replace(folder.rows()[0], status_detail="None", machine="NA")
    (place / "one.csv").write_text(as_csv(Run(plan, [row], {})))
    table = harness.load_results(place / "one.csv")
    assert table.status_detail.tolist() == ["None"]
    assert table.attrs["machine"] == "NA"
    assert table.train_loss.isna().all()


def test_a_run_without_rows_has_all_columns(run):
    place, _ = run
    for file in (place / "run" / "trials").iterdir():
        file.unlink()
    table = harness.load_results(place / "run")
    assert len(table) == 0
    assert list(table.columns) == [*COLUMNS, *DERIVED]
    assert str(table.train_s.dtype) == "Float64"


def test_an_older_export_lacks_later_columns(run):
    place, _ = run
    value = json.loads((place / "r.json").read_text())
    for row in value["rows"]:
        del row["allocator"], row["noise"]
        row["of_a_newer_version"] = 1
    (place / "old.json").write_text(json.dumps(value))
    table = harness.load_results(place / "old.json")
    assert list(table.columns) == [*COLUMNS, *DERIVED]
    assert table.allocator.isna().all()


WRONG = [
    ("absent", None, FileNotFoundError, "which is not there"),
    ("x.xlsx", "", ValueError, "its name ends otherwise"),
    ("x.csv", "a,b\n1,2\n", ValueError, "no column 'schema'"),
    ("x.csv", "", ValueError, "No columns to parse"),
    ("x.json", "[1]", ValueError, "no list of rows"),
    ("x.json", "{", ValueError, "Expecting property name"),
    ("x.json", "[" * 100_000, ValueError, "recursion"),
    ("x.json", '{"schema": 99, "rows": []}', ValueError, "schema 99; this version reads 1"),
    ("x.json", '{"schema": 1, "rows": [{}]}', ValueError, "no column 'schema'"),
]


@pytest.mark.parametrize(("name", "content", "error", "message"), WRONG)
def test_errors_say_the_rule_and_what_to_do(tmp_path, name, content, error, message):
    file = tmp_path / name
    if content is not None:
        file.write_text(content)
    with pytest.raises(error, match=message) as caught:
        harness.load_results(file)
    assert str(caught.value).startswith("`path` must be a run's folder (it holds plan.json), or ")
    assert str(file) in str(caught.value)
    assert "`samestep report`" in str(caught.value)


def test_a_folder_that_is_no_run_and_a_cell_that_is_no_number(run):
    place, _ = run
    with pytest.raises(ValueError, match=r"holds no plan\.json"):
        harness.load_results(place)
    value = json.loads((place / "r.json").read_text())
    value["rows"][0]["steps"] = "many"
    (place / "bad.json").write_text(json.dumps(value))
    with pytest.raises(ValueError, match="column 'steps'"):
        harness.load_results(place / "bad.json")


def test_importing_harness_stays_light():
    code = "import harness, sys; assert not {'numpy', 'pandas', 'pydantic'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
