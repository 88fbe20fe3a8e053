"""A protocol in words: the caption of its tables, and one line of it for a claim."""

from collections.abc import Sequence
from pathlib import Path

from harness.experiment.loading import catalogue_names
from harness.experiment.model import Experiment
from harness.experiment.training import DrawnBatches
from harness.plan import Plan
from harness.report.protocol_parts import Part, parts_of
from harness.report.text import count_text

MOST_NAMES = 12


def protocol_of(plan: Plan, name: str, threads: int) -> tuple[Part, ...]:
    """Return the protocol of an experiment part by part, and how long it was run.

    Joined by `protocol_parts.as_line` it is the caption of the experiment's tables.
    """
    experiment = plan.experiments[name]
    parts = [*parts_of(experiment)]
    if experiment.training is not None:
        parts.append(Part("length", _length(plan, name, str(experiment.training.length))))
        seeds = len({trial.seed for trial in plan.trials if trial.experiment == name})
        parts.append(Part("seeds", "seed 0" if seeds == 1 else f"{seeds} seeds"))
    dtype = experiment.dtype or plan.request.dtype
    parts.append(Part("place", f"{dtype}, {count_text(threads, 'thread')}"))
    return tuple(parts)


def _length(plan: Plan, name: str, run: str) -> str:
    """How long it was run, and the command that runs it at full length."""
    full = plan.full_lengths[name]
    training = plan.experiments[name].training
    at_most = "at most " if training is not None and training.stopping is not None else ""
    if run == full:
        return f"{at_most}{run}, the full length"
    command = f"samestep report {name}" if name in catalogue_names() else "with"
    return f"{at_most}{run} of the full {full} ({command} --preset full)"


def update_rule(experiment: Experiment) -> str:
    """`SGD 0.1, batches of 100`, `momentum 0.9 at rate 0.05, full batch`; "" without training."""
    training = experiment.training
    if training is None:
        return ""
    texts = {part.name: part.text for part in parts_of(experiment)}
    batches = "full batch"
    if isinstance(training.batches, DrawnBatches):
        batches = f"batches of {training.batches.size}"
    said = (texts["optimizer"], texts["limits of steps"], texts["schedule"], batches)
    return ", ".join(filter(None, said))


def data_text(experiment: Experiment) -> str:
    """Return what was taken of the user's file, in a sentence; "" where the data is a dataset."""
    data = experiment.data
    if data.contents is None:
        return ""
    found = data.contents
    test = f" and {Path(data.test_file).name} (test rows)" if data.test_file else ""
    parts = [
        f"data: {data.name}{test} ({found.form}; SHA-256 {found.sha256[:16]}), {found.rows:,} rows",
        f"{count_text(found.dropped, 'row')} with a missing value left out"
        if found.dropped
        else "",
        f"{count_text(len(found.inputs), 'input')}: {_shortened(found.inputs)}",
        f"left out: {_shortened(data.ignore)}" if data.ignore else "",
    ]
    target = ", ".join(data.targets)
    if found.classes:
        of_target = f" of {target}" if target else ""
        parts.append(f"classes{of_target}, counted from 0: {_shortened(found.classes)}")
    elif target:
        parts.append(f"values of {target}")
    return "; ".join(filter(None, parts))


def _shortened(names: Sequence[str]) -> str:
    """Return names by comma; of many the first, and the last with its number."""
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[: MOST_NAMES - 2])}, ... {names[-1]} ({len(names):,} in all)"


def protocol_line(experiment: Experiment) -> str:
    """`mnist, 50,000 rows, divide_by_256; 784-10; SGD 0.13, batches of 600; 1,000 epochs`."""
    data = experiment.data
    first = f"{data.name}, {data.rows[0]:,} rows"
    first += "" if data.scale == "none" else f", {data.scale}"
    if data.scale_fitted_on != "training":
        first += f" fitted on {data.scale_fitted_on.replace('_', ' ')}"
    if data.target_values is not None:
        first += f", targets {data.target_values[0]:g} and {data.target_values[1]:g}"
    first += "" if data.features == "none" else f", features {data.features}"
    parts = [first, str(experiment.network)]
    if experiment.native:
        solver = experiment.native[0]
        parameters = ", ".join(f"{name}={value}" for name, value in solver.parameters.items())
        return "; ".join([*parts, f"{solver.estimator}({parameters})"])
    if experiment.training is not None:
        at_most = "at most " if experiment.training.stopping is not None else ""
        parts += [update_rule(experiment), f"{at_most}{experiment.training.length}"]
    return "; ".join(parts)
