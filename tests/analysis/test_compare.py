"""Two runs against each other."""

import dataclasses
import json

import pytest

from harness.analysis.comparable import NotComparableError, check_comparable
from harness.analysis.compare import agreement, compare
from harness.analysis.gates import Gate, exceeded_limits, failed_only_in_b
from harness.cli import main
from harness.experiment.loading import load
from harness.experiment.vocabulary import Purpose, Status
from harness.plan import Request
from harness.planning import make_plan, make_trial
from harness.registry import find
from harness.report.run_comparison import Change
from harness.results import RunFolder
from harness.trial.outcome import blank_row
from tests.analysis.rows import run_of


def test_a_machine_that_is_slower_as_a_whole_keeps_its_ratios():
    _, a = run_of({"numpy": 1.0, "torch": 3.0})
    _, b = run_of({"numpy": 1.2, "torch": 3.6})
    numpy, torch = compare(a, b, ())
    assert (Change(numpy).text, Change(torch).text) == ("slower", "slower")
    assert torch.ratio.value == pytest.approx(1.2)
    assert torch.relative.value == pytest.approx(1.0)
    assert agreement([numpy, torch]) == (1, 1)


def test_verdicts():
    _, a = run_of({"numpy": 1.0, "torch": 3.0})
    _, b = run_of({"numpy": 1.0, "jax": 3.0})
    by_framework = verdicts(a, b)
    assert by_framework["numpy"] == "no detectable difference"
    assert (by_framework["torch"], by_framework["jax"]) == ("only in A", "only in B")
    assert verdicts(a, a, [row.trial for row in a if row.framework == "numpy"])["numpy"] == "noisy"
    assert set(verdicts(a[:2], a[:2]).values()) == {"too few pairs"}


def verdicts(a, b, noisy=()):
    return {c.cell.framework: Change(c).text for c in compare(a, b, noisy)}


def with_one_disturbed(rows, seed=1):
    """The same rows; JAX's trial of one seed took ten times as long, and is noisy."""
    (noisy,) = [row for row in rows if (row.framework, row.seed) == ("jax", seed)]
    slower = dataclasses.replace(noisy, train_s=10 * noisy.train_s)
    return [slower if row is noisy else row for row in rows], [noisy.trial]


def test_a_disturbed_pair_is_left_out_and_not_its_cell():
    _, a = run_of({"numpy": 1.0, "jax": 3.0})
    _, quicker = run_of({"numpy": 1.0, "jax": 1.5})
    b, noisy = with_one_disturbed(quicker)
    jax = next(c for c in compare(a, b, noisy) if c.cell.framework == "jax")
    assert (Change(jax).verdict, Change(jax).relative_verdict) == ("faster", "faster")
    assert (jax.pairs, jax.ratio.value) == (3, pytest.approx(0.5))
    assert jax.remark == "1 of 4 pairs disturbed and left out"


def test_a_disturbed_baseline_makes_the_relation_noisy():
    _, a = run_of({"numpy": 1.0, "jax": 3.0})
    _, b = run_of({"numpy": 2.0, "jax": 3.0})
    noisy = [row.trial for row in b if row.framework == "numpy"]
    numpy, jax = compare(a, b, noisy)
    assert (Change(numpy).verdict, Change(jax).verdict) == ("noisy", "alike")
    assert Change(jax).relative_verdict == "noisy"
    assert agreement([numpy, jax]) == (0, 0)


def test_a_disturbed_trial_exceeds_no_limit():
    _, a = run_of({"jax": 3.0}, seeds=1)
    slow, noisy = with_one_disturbed(a, seed=0)
    gate = Gate.parse("time>5%")
    assert exceeded_limits(gate, a, slow)
    assert not exceeded_limits(gate, a, slow, noisy)
    _, worse = run_of({"jax": 40.0}, seeds=1)
    assert exceeded_limits(gate, slow, worse, noisy=[])
    _, four = run_of({"jax": 3.0})
    b, noisy = with_one_disturbed(run_of({"jax": 4.0})[1])
    ((_, text),) = exceeded_limits(gate, four, b, noisy)
    assert text == "time +33.3 %"


@pytest.mark.parametrize(
    ("columns", "word"),
    [
        ({"machine": "another"}, "machine: m against another"),
        ({"protocol": 0}, "protocol version"),
        ({"dtype": "float64"}, "precision"),
        ({"device": "cuda:0 NVIDIA H100"}, "device: auto against cuda:0 NVIDIA H100"),
        ({"experiment_digest": "0" * 16}, "another length"),
        ({"status": "error"}, "no trial that ended well in both"),
    ],
)
def test_what_is_refused_and_why(columns, word):
    plan, a = run_of({"numpy": 1.0})
    _, b = run_of({"numpy": 1.0}, **columns)
    with pytest.raises(NotComparableError, match=word):
        check_comparable(plan, plan, a, b)
    check_comparable(plan, plan, a, a)


def test_gates():
    _, a = run_of({"numpy": 1.0})
    _, b = run_of({"numpy": 1.1}, test_accuracy=0.85)
    assert exceeded_limits(Gate.parse("time>5%"), a, b)
    assert not exceeded_limits(Gate.parse("time > 15%"), a, b)
    assert exceeded_limits(Gate.parse("accuracy>1%"), a, b)
    assert not exceeded_limits(Gate.parse("accuracy>10%"), a, b)
    assert not exceeded_limits(Gate.parse("time>5%"), b, a)
    for text in ("time", "tim>5%", "time>5", ""):
        with pytest.raises(ValueError, match="METRIC>N%"):
            Gate.parse(text)


@pytest.mark.parametrize("status", ["crashed", "diverged", None])
def test_trials_that_failed_only_in_b_are_listed(status):
    plan, a = run_of({"numpy": 1.0, "torch": 3.0})
    keep = [row for row in a if row.framework == "numpy" or row.seed == 0]
    broken = [dataclasses.replace(row, status=status) for row in a if row not in keep]
    b = keep + (broken if status else [])
    why = status or "not run"
    ((cell, description),) = failed_only_in_b(plan, a, b)
    assert cell.framework == "torch"
    count = len(broken)
    assert description == f"{count} of {count + 1} trials that ended well in A did not in B: {why}"
    assert not failed_only_in_b(plan, b, a)
    assert not failed_only_in_b(dataclasses.replace(plan, trials=()), a, b)  # B planned none
    assert exceeded_limits(Gate.parse("accuracy>1%"), a, b) == []


def test_a_lost_success_rate_is_listed():
    request, experiment = Request(("xor-mlp",), ("numpy",)), load("xor-mlp")
    trial = make_trial(
        Purpose.MANY_STARTS, experiment, find("numpy"), "stepwise", request, starts=200
    )
    plan = dataclasses.replace(make_plan(request), trials=(trial,))
    ok = blank_row(trial, plan.digest, "1", experiment, Status.OK, None)
    crashed = dataclasses.replace(ok, status=Status.CRASHED)
    ((_, description),) = failed_only_in_b(plan, [ok], [crashed])
    assert description.endswith("crashed")


def store(path, plan, rows):
    folder = RunFolder(path)
    folder.trials.mkdir(parents=True)
    folder.plan_file.write_text(plan.to_json(), encoding="utf-8")
    for row in rows:
        folder.write_row(row)


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["samestep", "compare", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return stop.value.code


def test_the_command(tmp_path, monkeypatch, capsys):
    plan, a = run_of({"numpy": 1.0, "torch": 3.0})
    _, b = run_of({"numpy": 1.2, "torch": 3.6})
    store(tmp_path / "a", plan, a)
    store(tmp_path / "b", plan, b)
    assert run(monkeypatch, tmp_path / "a", tmp_path / "b") == 0
    output = capsys.readouterr().out
    assert "agree within their 95 % intervals in 1 of 1 cells" in output
    assert "all lines: experiment digits-mlp, loop stepwise, track identical" in output
    assert run(monkeypatch, tmp_path / "a", tmp_path / "b", "--json", "--fail-on", "time>5%") == 1
    value = json.loads(capsys.readouterr().out)
    assert value["baseline_ratios"] == {"agree": 1, "of": 1}
    assert len(value["failed"]) == 2
    assert run(monkeypatch, tmp_path / "a", tmp_path / "nothing") == 2
    assert run(monkeypatch, tmp_path / "a", tmp_path / "b", "--fail-on", "x") == 2
    other = [dataclasses.replace(row, machine="another") for row in b]
    store(tmp_path / "c", plan, other)
    assert run(monkeypatch, tmp_path / "a", tmp_path / "c") == 2
    assert "machine: m against another" in capsys.readouterr().err
