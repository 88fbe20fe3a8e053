"""The commands that made a run, and that make one line of it again."""

import shlex

from harness.experiment.loading import catalogue_names
from harness.plan import REPEATS, SEEDS, Plan, Request
from harness.report.sections import Line

DEFAULTS = Request()


def is_known(plan: Plan) -> bool:
    """Whether `report` can be asked for these experiments: of the catalogue, or in files.

    The runs of `scale` and of `reproduce` make their experiments themselves.
    """
    known = catalogue_names()
    names = plan.request.experiments or plan.experiments
    return all(name in known or name.endswith(".toml") for name in names)


def of_run(plan: Plan) -> str:
    """`samestep report xor-mlp --frameworks numpy,jax`: what was asked for; "" if unknown."""
    request = plan.request
    if not is_known(plan):
        return ""
    words = ["samestep", "report", *request.experiments]
    if request.frameworks:
        words += ["--frameworks", ",".join(request.frameworks)]
    if request.loops != DEFAULTS.loops:
        words += ["--loops", ",".join(request.loops)]
    return shlex.join([*words, *_options(request)])


def of_line(plan: Plan, experiment: str, line: Line) -> str:
    """The same for one experiment, framework and loop; a native solver comes with its framework."""
    request = plan.request
    if not is_known(plan):
        return ""
    asked_experiments = dict(zip(plan.experiments, request.experiments, strict=False))
    planned = dict.fromkeys(trial.framework for trial in plan.trials)
    asked_frameworks = dict(zip(planned, request.frameworks, strict=False))
    words = ["samestep", "report", asked_experiments.get(experiment, experiment)]
    words += ["--frameworks", asked_frameworks.get(line.framework, line.framework)]
    if line.track == "identical":
        words += ["--loops", line.loop]
    return shlex.join([*words, *_options(request)])


def _options(request: Request) -> list[str]:
    """Everything else that is not as it is by default."""
    words = []
    if request.seeds not in (None, SEEDS[request.preset]):
        words += ["--seeds", str(request.seeds)]
    if request.repeats not in (None, REPEATS[request.preset]):
        words += ["--repeats", str(request.repeats)]
    for name in ("preset", "threads", "device", "dtype"):
        value = getattr(request, name)
        if value != getattr(DEFAULTS, name):
            words += [f"--{name}", str(value)]
    return words
