"""What a trial's identity, and so what is run again, depends on."""

import dataclasses

import pytest

from harness import registry
from harness.clock.environment import KERNEL_CHOICE
from harness.experiment.loading import CATALOGUE
from harness.plan import Request
from harness.planning import make_plan
from harness.report.trial_durations import estimate_s, patience_s, total_s


@pytest.fixture
def own(tmp_path):
    """Plans a protocol of the user's own, with or without a target."""
    text = (CATALOGUE / "diabetes-linear.toml").read_text(encoding="utf-8")
    assert "\ntarget" not in text

    def plan(target=""):
        file = tmp_path / "own.toml"
        file.write_text(target + text.replace('"diabetes-linear"', '"own"'), encoding="utf-8")
        return make_plan(Request((str(file),), ("numpy",)))

    return plan


def ids(trials):
    return {trial.id for trial in trials}


def test_another_target_is_measured_again_and_not_proven_again(own):
    without, with_one, another = own(), own("target = 0.9\n"), own("target = 0.95\n")
    assert not ids(without.trials) & ids(with_one.trials)
    assert not ids(with_one.trials) & ids(another.trials)
    assert ids(without.proofs) == ids(with_one.proofs)


def test_another_choice_of_kernels_is_another_run(monkeypatch):
    request = Request(("digits-mlp",), ("numpy",))
    own = make_plan(request)
    monkeypatch.setenv(KERNEL_CHOICE, "Haswell")
    chosen = make_plan(request)
    assert chosen.digest != own.digest
    assert not ids(chosen.trials) & ids(own.trials)
    monkeypatch.setenv(KERNEL_CHOICE, "")
    assert make_plan(request).digest == own.digest


def test_what_is_not_installed_is_not_proven_and_takes_no_time(monkeypatch):
    numpy = registry.installed()["numpy"]
    absent = dataclasses.replace(numpy, name="absent", requirements=("not-installed-anywhere",))
    monkeypatch.setattr("harness.planning.installed", lambda track="identical": {
        "numpy": numpy, "absent": absent} if track == "identical" else {})  # fmt: skip
    plan = make_plan(Request(("xor-single",)))
    assert {trial.framework for trial in plan.trials} == {"numpy", "absent"}
    assert {trial.framework for trial in plan.proofs} == {"numpy"}
    assert total_s(plan) == total_s(make_plan(Request(("xor-single",), ("numpy",)))) > 0


@pytest.mark.parametrize(("preset", "at_least_s"), [("quick", 600), ("standard", 1_800)])
def test_a_long_trial_is_given_more_time(preset, at_least_s):
    plan = make_plan(Request(("mnist-deep", "and"), ("numpy",), preset=preset))
    longest = max(estimate_s(plan, trial) for trial in plan.trials)
    assert patience_s(plan) == max(600, 10 * longest) >= at_least_s
