"""The command that made a run, and the command that runs one line of it again.

Neither has the path of the user's home, which is `~` in both. samestep reads that as a shell does.
"""

import shlex
from dataclasses import replace

from harness.command_line import as_option
from harness.experiment.loading import catalogue_names
from harness.experiment.vocabulary import COMMAND
from harness.plan import REPEATS, SEEDS, Plan, Request
from harness.private import without_user
from harness.report.model import Line

DEFAULTS = Request()


def is_known(plan: Plan) -> bool:
    """Whether `report` can run these experiments: they are in the catalogue, or in files.

    The runs of `scale` and of `reproduce` make their experiments themselves.
    """
    known = catalogue_names()
    names = plan.request.experiments or plan.experiments
    return all(name in known or name.lower().endswith(".toml") for name in names)


def of_run(plan: Plan) -> str:
    """`samestep report xor-mlp --frameworks numpy,jax`; "" where `report` did not make it."""
    request = plan.request
    if not is_known(plan):
        return ""
    words = ["samestep", "report", *request.experiments]
    if request.frameworks:
        words += ["--frameworks", ",".join(map(as_option, request.frameworks))]
    if request.loops != DEFAULTS.loops:
        words += ["--loops", ",".join(request.loops)]
    return without_user(shlex.join([*words, *_options(request)]))


def of_line(plan: Plan, experiment: str, line: Line) -> str:
    """Return the command for one experiment, framework and loop.

    A native solver is run with its framework, a command by itself.
    """
    request = plan.request
    if not is_known(plan):
        return ""
    names_or_files = dict(zip(plan.experiments, request.experiments, strict=False))
    planned = dict.fromkeys(trial.framework for trial in plan.trials)
    frameworks = dict(zip(planned, request.frameworks, strict=False))
    words = ["samestep", "report", names_or_files.get(experiment, experiment)]
    if line.command:
        requested = as_option(f"{COMMAND}{line.command}")
    else:
        requested = frameworks.get(line.framework, line.framework)
    words += ["--frameworks", requested]
    if line.identical and not line.command:
        words += ["--loops", line.loop]
    options = _options(replace(request, threads=(line.threads,)))
    return without_user(shlex.join([*words, *options]))


def _options(request: Request) -> list[str]:
    """Return all other options that do not have their defaults."""
    words = []
    if request.seeds not in (None, SEEDS[request.preset]):
        words += ["--seeds", str(request.seeds)]
    if request.repeats not in (None, REPEATS[request.preset]):
        words += ["--repeats", str(request.repeats)]
    for name in ("preset", "threads", "device", "dtype"):
        value = getattr(request, name)
        if value != getattr(DEFAULTS, name):
            text = ",".join(map(str, value)) if name == "threads" else str(value)
            words += [f"--{name}", text]
    return words if request.timed else [*words, "--no-timing"]
