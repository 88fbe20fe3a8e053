"""Limits beside trials: what fails or is disturbed there spoils nothing else."""

import dataclasses

import pytest

from harness.analysis import noise
from harness.execute import product_times
from harness.experiment.loading import CATALOGUE
from harness.experiment.vocabulary import Purpose
from harness.parity import verdicts
from harness.parity.judgement import Judgement, Verdict
from harness.plan import Request
from harness.planning import make_plan
from harness.results import RunFolder
from harness.trial.outcome import blank_row
from tests.execute.test_faults import run, short  # noqa: F401 (a fixture)

pytestmark = pytest.mark.xdist_group("processes")

BROKEN = """
from implementations.numpy_scratch import NumpyTrainer

class Broken(NumpyTrainer):
    loops = ("stepwise",)
    dtypes = ("float32",)

    def matrix_products(self, operands):
        raise RuntimeError("no room for them")
"""


@pytest.fixture
def broken(tmp_path, short):  # noqa: F811
    """(protocol, adapter): steps worth a limit, and an adapter that fails when asked for one."""
    text = (CATALOGUE / "digits-mlp.toml").read_text(encoding="utf-8")
    protocol, file = tmp_path / "large.toml", tmp_path / "broken.py"
    text = text.replace('"digits-mlp"', '"large"').replace("size = 32", "size = 100")
    assert "size = 100" in text
    protocol.write_text(text, encoding="utf-8")
    file.write_text(BROKEN, encoding="utf-8")
    return str(protocol), str(file)


def test_a_trial_outlives_its_failing_limit(tmp_path, broken):
    (row,) = run(broken[0], tmp_path / "run", broken[1]).rows
    assert row.status == "ok"
    assert row.gemm_us is None
    assert row.status_detail == (
        "its matrix products could not be timed: RuntimeError: no room for them"
    )
    assert row.test_accuracy > 0.8
    assert len(RunFolder(tmp_path / "run").arrays(row.trial)["step"]) > 1


def test_a_precision_that_an_adapter_lacks_is_not_asked_of_it(tmp_path, broken):
    (row,) = run(broken[0], tmp_path / "run", broken[1], dtype="float64").rows
    assert (row.status, row.status_detail) == ("unsupported", "has no float64; it has float32")


@pytest.fixture
def limit():
    """A planned limit."""
    plan = make_plan(Request(("digits-mlp",), ("numpy",)))
    (trial,) = plan.trials
    trial = dataclasses.replace(trial, purpose=Purpose.LIMIT, id="digits-mlp-numpy-limit-00000000")
    return trial, blank_row(trial, plan.digest, "1", plan.experiments["digits-mlp"], "ok", None)


def test_a_disturbed_limit_is_not_kept_for_other_runs(tmp_path, cache, limit):
    trial, row = limit
    disturbed = dataclasses.replace(row, gemm_us=9.0, wait_fraction=0.5, other_cpus=1.0)
    assert noise.disturbances([disturbed])
    product_times.store_row(RunFolder(tmp_path), disturbed)
    assert product_times.cached_row(trial) is None
    assert RunFolder(tmp_path).limit_rows([trial.id]) == [disturbed]
    calm = dataclasses.replace(disturbed, gemm_us=3.0, wait_fraction=0.0)
    product_times.store_row(RunFolder(tmp_path), calm)
    assert product_times.cached_row(trial) == calm


def test_what_is_cached_is_of_such_a_machine(tmp_path, cache, limit, monkeypatch):
    trial, row = limit
    calm, same = dataclasses.replace(row, gemm_us=3.0), Judgement(Verdict.SAME, "", ())
    product_times.store_row(RunFolder(tmp_path), calm)
    verdicts.store(RunFolder(tmp_path), trial, same)
    assert (product_times.cached_row(trial), verdicts.cached(trial)) == (calm, same)
    monkeypatch.setattr("harness.clock.environment.machine_label", lambda: "another")
    assert (product_times.cached_row(trial), verdicts.cached(trial)) == (None, None)
