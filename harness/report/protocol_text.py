"""A protocol in words: its network, its update rule, its length, as one line."""

from collections.abc import Sequence
from pathlib import Path

from harness.experiment.loading import catalogue_names
from harness.experiment.model import Experiment
from harness.experiment.optimizers import Momentum, Nesterov
from harness.experiment.training import DrawnBatches
from harness.plan import Plan
from harness.report.schedule_text import schedule_text
from harness.report.text import count_text

MOST_NAMES = 12
OPTIMIZERS = {
    "sgd": "SGD",
    "momentum": "momentum",
    "nesterov": "Nesterov momentum",
    "rmsprop": "RMSprop",
    "adagrad": "Adagrad",
    "adam": "Adam",
    "adamw": "AdamW",
    "amsgrad": "AMSGrad",
    "nadam": "Nadam",
    "adamax": "Adamax",
    "adadelta": "Adadelta",
}
CLIPPINGS = {
    "value": "gradients clipped at",
    "array_norm": "gradients of each array clipped to norm",
    "global_norm": "gradients clipped to norm",
}


def caption(plan: Plan, name: str, threads: int) -> str:
    """`784-50-10; SGD, rate 0.1, batches of 100; 60,000 training rows; 3,000 of 50,000 steps`."""
    experiment = plan.experiments[name]
    train, _, test = experiment.data.rows
    parts = [f"network {experiment.network}"]
    training = experiment.training
    if training is not None:
        parts += [update_rule(experiment), _length(plan, name, str(training.length))]
    kept = f"and {count_text(test, 'test row')}"
    if not experiment.data.keeps_test_rows:
        kept = f"{'row' if train == 1 else 'rows'}, none kept for a test"
    parts.append(f"{train:,} training {kept}")
    if training is not None:
        seeds = len({trial.seed for trial in plan.trials if trial.experiment == name})
        parts.append("seed 0" if seeds == 1 else f"{seeds} seeds")
    dtype = experiment.dtype or plan.request.dtype
    parts.append(f"{dtype}, {count_text(threads, 'thread')}")
    return "; ".join(parts)


def _length(plan: Plan, name: str, run: str) -> str:
    """How long it was run, and the command that runs it at full length."""
    full = plan.full_lengths[name]
    if run == full:
        return f"full length, {run}"
    command = f"samestep report {name}" if name in catalogue_names() else "with"
    return f"{run} of the full {full} ({command} --preset full)"


def update_rule(experiment: Experiment) -> str:
    """`SGD 0.1, batches of 100`, `momentum 0.9 at rate 0.05, full batch`; "" without training."""
    training = experiment.training
    if training is None:
        return ""
    optimizer = training.optimizer
    name = OPTIMIZERS.get(optimizer.name, optimizer.name)
    batches = "full batch"
    if isinstance(training.batches, DrawnBatches):
        batches = f"batches of {training.batches.size}"
    if training.schedule is not None:
        batches = f"{schedule_text(training.schedule)}, {batches}"
    if training.clipping is not None:
        batches = f"{CLIPPINGS[training.clipping.name]} {training.clipping.bound:g}, {batches}"
    if training.max_norm is not None:
        batches = f"max-norm {training.max_norm.bound:g}, {batches}"
    if isinstance(optimizer, Momentum | Nesterov):
        return f"{name} {optimizer.momentum:g} at rate {optimizer.learning_rate:g}, {batches}"
    return f"{name} {optimizer.learning_rate:g}, {batches}"


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
