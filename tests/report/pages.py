"""A run to make pages of, as if it had been run: with failures, proofs, curves and outputs."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from harness import data, planning
from harness.claims.judge import judge
from harness.claims.loading import from_values
from harness.parity.judgement import Judgement, Rung, Verdict
from harness.plan import Request
from harness.report.page import chart_library
from harness.report.run_comparison import RunComparison, find_changes
from harness.report.sections import make_report
from harness.results import RunFolder, write_arrays
from harness.run import Run
from harness.start import initial_parameters
from harness.trial.outcome import blank_row
from tests.analysis.rows import run_of
from tests.claims.builders import accuracies, judged, make_claim

SAME = Judgement(Verdict.SAME, "", (Rung("start", 0.0, 0.0), Rung("100 steps", 3e-15, 1e-11)))
WRONG = Judgement(
    Verdict.DIFFERENT,
    "1 update: weights of layer 1 differ by 1.0e-03",
    (Rung("start", 0.0, 0.0), Rung("1 update", 1e-3, 1e-12, "1 update: weights of layer 1 differ")),
)
TRAIN_S = {"numpy": 0.4, "sklearn": 19.0, "keras": 2.0, "torch": 1.1, "jax": 0.02}
EXPERIMENTS = ("xor-mlp", "xor-flip", "digits-mlp", "fixed-forward", "diabetes-linear")
BOUNDARIES = ("xor-mlp", "xor-flip")

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[/foo]",
    '" onmouseover="alert(1)',
    "{{ 7 * 7 }}",
    "\x1b[31mred\x1b[0m",
    "<!--",
]


def request(experiments=EXPERIMENTS, **options):
    return Request(experiments=experiments, **{"frameworks": tuple(TRAIN_S)} | options)


def report_of(path, requested=None, keep=lambda trial: True):
    """The report of a run in a folder; `keep` says which trials have a row."""
    plan = planning.make_plan(requested or request())
    folder = RunFolder(path)
    for trial in filter(keep, plan.trials):
        _write(plan, folder, trial)
    return read(plan, folder)


def read(plan, folder):
    rows = folder.rows(trial.id for trial in plan.trials)
    verdicts = {(t.experiment, t.framework, t.loop): SAME for t in plan.proofs}
    verdicts |= {cell: WRONG for cell in verdicts if cell[1] == "keras"}
    return make_report(Run(plan, rows, verdicts, (), folder.arrays, folder.path))


def _write(plan, folder, trial):
    experiment = plan.experiments[trial.experiment]
    columns = {"device": "cpu", "machine": "a machine", "started_at": "2026-01-02T03:04:05+00:00"}
    if trial.framework == "torch":
        columns |= {"status": "missing", "status_detail": "torch not installed; pip install x"}
    elif (trial.framework, trial.experiment) == ("jax", "digits-mlp"):
        columns |= {"status": "timeout", "status_detail": "killed after 600 s"}
    elif trial.framework == "sklearn" and trial.experiment == "xor-flip":
        columns |= {"status": "unsupported", "status_detail": "no such loss"}
    else:
        columns |= _result(experiment, trial)
        write_arrays(folder.trials / f"{trial.id}.npz", arrays_of(experiment, trial))
    row = blank_row(trial, plan.digest, "1.2.3", experiment, columns.pop("status", "ok"), None)
    folder.write_row(dataclasses.replace(row, **columns))


def _result(experiment, trial):
    train_s = TRAIN_S[trial.framework] * (1 + 0.01 * trial.seed)
    columns = {
        "train_s": train_s,
        "step_us": train_s * 100,
        "first_step_s": 0.01,
        "build_s": 0.02,
        "predict_s": 0.001,
        "test_loss": 0.3,
        "blas": "openblas",
        "data_digest": "d" * 16,
    }
    if experiment.data.facts.kind in ("binary", "classes"):
        columns["test_accuracy"] = 0.95 + 0.001 * trial.seed
    if trial.framework == "numpy" and trial.experiment == "diabetes-linear":
        columns["steal_fraction"] = 0.5
    if trial.experiment == "digits-mlp":
        columns["gemm_us"] = train_s * 30
    return columns


def arrays_of(experiment, trial):
    """What a trial leaves, with parameters that move away from the start."""
    generator = np.random.default_rng(trial.seed)
    if experiment.training is None:
        return {"test_outputs": np.array([[0.3168270764, 0.6962790898]])}
    steps = np.array(experiment.evaluation_points)
    share = np.linspace(0, 1, len(steps))
    start = initial_parameters(experiment, trial.seed, "float32")
    arrays = {
        "step": steps,
        "train_s": share * TRAIN_S[trial.framework],
        "train_loss": 0.7 - 0.69 * share,
        "train_accuracy": share,
        "test_loss": 0.7 - 0.6 * share,
        "test_accuracy": 0.5 + 0.5 * share,
        "first_weights": start[0][0],
    }
    if trial.experiment in BOUNDARIES:
        for index, (W, b) in enumerate(start, start=1):
            growth = 1 + 5 * share
            arrays[f"W{index}"] = growth[:, None, None] * W
            arrays[f"b{index}"] = growth[:, None] * b
    if trial.experiment == "digits-mlp":
        test = data.load(experiment.data, experiment.loss, "float32").test
        outputs = generator.normal(size=(len(test), 10))
        outputs[np.arange(len(test)), test.labels] += 3
        arrays["test_outputs"] = outputs
    return arrays


# ---------------------------------------------------------------- claims and comparisons


def ledger(**changes):
    """Judged claims: one of each kind of verdict, and one that cannot be run."""
    level = make_claim(id="level", expected="CONSISTENT", **changes)
    worse = make_claim(id="worse", expected="CONSISTENT", number={"published": "0.990"}, **changes)
    better = make_claim(id="better", expected="BETTER", number={"published": "0.900"}, **changes)
    exact = make_claim(id="exact", fixed=True, seeds=1, number={"rule": "exact"}, **changes)
    bounds = {"rule": "range", "published": "", "low": 0.9, "high": 0.95}
    between = make_claim(id="range", number=bounds, **changes)
    run = [
        judged(of, accuracies(of, *values, machine="a machine", started_at="2026-01-02T03:04"))
        for of, values in (
            (level, (0.921, 0.919, 0.922)),
            (worse, (0.921, 0.919, 0.922)),
            (better, (0.921, 0.919, 0.922)),
            (exact, (0.92,)),
            (between, (0.921, 0.919)),
        )
    ]
    left_out = from_values(NOT_RUN | changes, "test")
    return [*run, judge(left_out, [], {})]


NOT_RUN = {
    "id": "left-out",
    "title": "Dropout",
    "not_run": "the protocol has no random masks",
    "source": {"author": "A", "title": "B", "address": "https://a.org/x (a page)", "verified": "R"},
}


def verdicts_of(plan, **judgements):
    """Every proof of a plan the same, but those of the frameworks that have another judgement."""
    cells = [(t.experiment, t.framework, t.loop) for t in plan.proofs]
    return {cell: judgements.get(cell[1], SAME) for cell in cells}


def compared(a=None, b=None, verdicts=None, **different):
    """Two runs of four frameworks: B's torch is slower, its jax faster, its numpy disturbed.

    `verdicts`: B's, where they are not all the same.
    """
    plan_a, rows_a = a or run_of({"numpy": 1.0, "keras": 2.0, "torch": 3.0, "jax": 0.1})
    plan_b, rows_b = b or run_of({"numpy": 1.0, "keras": 2.0, "torch": 4.0, "jax": 0.05})
    rows_b = [row for row in rows_b if row.framework != "keras"]
    noisy = [row.trial for row in rows_b if row.framework == "numpy"]
    verdicts_b = verdicts_of(plan_b) if verdicts is None else verdicts
    runs = (
        Run(plan_a, rows_a, verdicts_of(plan_a), path=Path("a")),
        Run(plan_b, rows_b, verdicts_b, path=Path("b")),
    )
    comparison = RunComparison(runs, find_changes(runs, noisy))
    return dataclasses.replace(comparison, **different)


def charts_or_skip() -> chart_library.ChartLibrary:
    """The charts' library. A test that draws is skipped where there is none."""
    library = chart_library.chart_library()
    if library is None:
        pytest.skip('no charts without vl-convert: python -m pip install -e ".[report]"')
    return library
