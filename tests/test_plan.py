"""What a trial's identity, and so what is run again, depends on."""

import dataclasses

import pytest

from harness import registry
from harness.clock.environment import KERNEL_CHOICE
from harness.experiment.loading import CATALOGUE
from harness.experiment.vocabulary import Track
from harness.plan import Request
from harness.planning import QUICK_IN_DEPTH, make_plan
from harness.report.trial_durations import estimate_s, estimates_s, patience_s

GONE = ("not-installed-anywhere",)


SLOW_FUSED = {"loops": ("idiomatic", "stepwise", "fused"), "slow_to_start": ("fused",)}


@pytest.fixture
def entered(monkeypatch):
    """Enters NumPy's adapter under other names too; returns a function that plans."""
    numpy, natives = registry.installed()["numpy"], registry.installed(Track.NATIVE)

    def enter(**changes):
        more = {
            name.replace("_", "-"): dataclasses.replace(numpy, name=name.replace("_", "-"), **each)
            for name, each in changes.items()
        }
        known = {"numpy": numpy, **more}
        for module in ("harness.planning", "harness.registry"):
            monkeypatch.setattr(
                f"{module}.installed",
                lambda track="identical": known if track == "identical" else natives,
            )

        def plan(*experiments, **request):
            return make_plan(Request(experiments, **request))

        return plan

    return enter


def cells(plan, experiment):
    return [(t.framework, t.loop) for t in plan.trials if t.experiment == experiment]


def names(plan, experiment):
    return {framework for framework, _ in cells(plan, experiment)}


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
    absent = dataclasses.replace(numpy, name="absent", distribution="another", requirements=GONE)
    monkeypatch.setattr("harness.planning.installed", lambda track="identical": {
        "numpy": numpy, "absent": absent} if track == "identical" else {})  # fmt: skip
    plan = make_plan(Request(("xor-single",)))
    assert {trial.framework for trial in plan.trials} == {"numpy", "absent"}
    assert {trial.framework for trial in plan.proofs} == {"numpy"}
    alone = make_plan(Request(("xor-single",), ("numpy",)))
    assert sum(estimates_s(plan).values()) == sum(estimates_s(alone).values()) > 0


@pytest.mark.parametrize(("preset", "at_least_s"), [("quick", 600), ("standard", 1_800)])
def test_a_long_trial_is_given_more_time(preset, at_least_s):
    plan = make_plan(Request(("mnist-deep", "and"), ("numpy",), preset=preset))
    longest = max(estimate_s(plan, trial) for trial in plan.trials)
    assert patience_s(plan) == max(600, 10 * longest) >= at_least_s


# ---------------------------------------------------------------- what the quick preset runs


def test_quick_runs_later_adapters_of_ours_in_depth_only_and_those_of_others_everywhere(entered):
    plan = entered(
        torch={},
        later={},
        gone={"requirements": GONE},
        theirs={"distribution": "another"},
        theirs_gone={"distribution": "another", "requirements": GONE},
    )
    everywhere = {"numpy", "torch", "theirs", "theirs-gone"}
    quick = plan()
    for name in quick.experiments:
        in_depth = {"later"} if name in QUICK_IN_DEPTH else set()
        assert names(quick, name) == everywhere | in_depth
    assert set(QUICK_IN_DEPTH) < set(quick.experiments)
    assert names(plan("and"), "and") == everywhere
    assert names(plan("and", preset="standard"), "and") == everywhere | {"later", "gone"}
    assert names(plan("and", frameworks=("later", "gone")), "and") == {"later", "gone"}


def test_what_does_not_run_does_not_change_a_plan(entered):
    before = entered(torch={})("and", "digits-mlp")
    after = entered(torch={}, later={}, gone={"requirements": GONE})("and", "digits-mlp")
    assert after.digest == before.digest
    assert ids(after.trials) == ids(before.trials)
    assert ids(after.limits) == ids(before.limits)


def test_a_later_adapter_is_no_limit_of_the_machine(entered):
    plan = entered(torch={}, later={}, theirs={"distribution": "another"})
    limits = plan("mnist-softmax", frameworks=("numpy",)).limits
    assert {trial.framework for trial in limits} == {"torch", "theirs"}


def test_a_limit_is_measured_in_a_loop_that_starts_fast(entered):
    limits = entered(torch=SLOW_FUSED)("mnist-softmax", frameworks=("numpy",)).limits
    assert [trial.loop for trial in limits] == ["stepwise"]


def test_quick_runs_a_loop_that_is_slow_to_start_in_depth_only(entered):
    plan = entered(torch=SLOW_FUSED)
    assert ("torch", "fused") in cells(plan("xor-mlp"), "xor-mlp")
    assert [loop for name, loop in cells(plan("and"), "and") if name == "torch"] == ["stepwise"]
    for asked in ({"loops": ("fused",)}, {"preset": "standard"}, {"loops": ("all",)}):
        assert ("torch", "fused") in cells(plan("and", frameworks=("torch",), **asked), "and")


def test_an_adapter_with_slow_loops_alone_runs_them(entered):
    plan = entered(theirs={"loops": ("fused",), "slow_to_start": ("fused",), "distribution": "x"})
    assert ("theirs", "fused") in cells(plan("and"), "and")


def test_quick_trains_in_float32_before_float64():
    plan = make_plan(Request(("fixed-forward", "and"), ("numpy", "sklearn")))
    assert [trial.dtype for trial in plan.trials] == ["float32"] * 2 + ["float64"] * 2
    assert list(plan.experiments) == ["fixed-forward", "and"]


def test_quick_has_a_librarys_own_solver_only_if_something_is_named():
    def tracks(*experiments, **request):
        return {trial.track for trial in make_plan(Request(experiments, **request)).trials}

    assert tracks() == {"identical"}
    assert tracks("mnist-softmax") == tracks(frameworks=("sklearn",)) == {"identical", "native"}
    assert tracks(preset="standard") == {"identical", "native"}
