"""Rows to sections, one per experiment and device, and the words under their tables."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.intervals import ENOUGH_FOR_AN_INTERVAL, Estimate, paired_ratio
from harness.analysis.limits import machine_limits_us
from harness.analysis.noise import disturbances
from harness.experiment.loading import catalogue_names
from harness.experiment.model import Experiment
from harness.experiment.optimizers import Momentum, Nesterov
from harness.experiment.training import DrawnBatches
from harness.plan import Plan
from harness.report.sections import Facts, Line, Verdicts, lines, parity
from harness.report.text import seconds
from harness.results import Row, RunFolder
from harness.trainer import Array

__all__ = ["Line", "Section", "Verdicts", "parity", "sections"]


@dataclass(frozen=True)
class Section:
    """One experiment of a report, on one device.

    Args:
        device: what its lines ran on; "" where nothing ran.
        measure: what the result column holds: "accuracy", "loss" or "outputs".
        caption: the protocol in a line, and how long it was run against the full length.
    """

    experiment: Experiment
    device: str
    measure: str
    caption: str
    lines: tuple[Line, ...]


def sections(
    plan: Plan, folder: RunFolder, rows: Sequence[Row], verdicts: Verdicts
) -> list[Section]:
    """One section per experiment and device of the plan, in its order."""
    order = list(dict.fromkeys(trial.framework for trial in plan.trials))
    known = [row for row in rows if row.framework in order]
    ordered = sorted(known, key=lambda row: order.index(row.framework))
    limits = folder.limit_rows(trial.id for trial in plan.limits)
    facts = Facts(verdicts, disturbances(rows), machine_limits_us([*rows, *limits]))
    made = []
    for name, experiment in plan.experiments.items():
        own = [row for row in ordered if row.experiment == name]
        devices = list(dict.fromkeys(row.device for row in own if row.status == "ok")) or [""]
        for device in devices:
            # a row without a result belongs to the device it was meant for, else to the first
            there = [
                row
                for row in own
                if row.device == device or (row.device not in devices and device == devices[0])
            ]
            found = lines(there, lambda row: _outputs(folder.arrays(row.trial)), facts)
            told = caption(plan, name)
            made.append(Section(experiment, device, measure(experiment), told, tuple(found)))
    return made


WIDEST_PERCENT = 99
"""A wider interval says nothing more."""


def measure(experiment: Experiment) -> str:
    """What is told of an experiment's test rows: accuracy, loss, or the outputs themselves."""
    if experiment.loss is None:
        return "outputs"
    return "loss" if experiment.data.facts.kind == "values" else "accuracy"


def _outputs(arrays: dict[str, Array]) -> str | None:
    """The test outputs, where they are few enough to read."""
    outputs = arrays.get("test_outputs")
    if outputs is None or outputs.size > 8:
        return None
    return "; ".join(
        "[" + ", ".join(f"{value:.8f}" for value in row) + "]" for row in outputs.tolist()
    )


def caption(plan: Plan, name: str) -> str:
    """`784-50-10; SGD, rate 0.1, batches of 100; 60,000 training rows; 3,000 of 50,000 steps`."""
    experiment = plan.experiments[name]
    train, _, test = experiment.data.rows
    parts = [f"network {experiment.network}"]
    training = experiment.training
    if training is not None:
        parts.append(learning(experiment))
        full, run = plan.full_lengths[name], str(training.length)
        if run == full:
            parts.append(f"full length, {run}")
        else:
            command = f"samestep report {name}" if name in catalogue_names() else "with"
            parts.append(f"{run} of the full {full} ({command} --preset full)")
    parts.append(f"{train:,} training and {test:,} test row{'s' * (test != 1)}")
    seeds = len({trial.seed for trial in plan.trials if trial.experiment == name})
    if training is not None:
        parts.append("seed 0" if seeds == 1 else f"{seeds} seeds")
    dtype = experiment.dtype or plan.request.dtype
    threads = plan.request.threads
    parts.append(f"{dtype}, {threads} thread{'s' * (threads != 1)}")
    return "; ".join(parts)


NAMES = {
    "sgd": "SGD", "momentum": "momentum", "nesterov": "Nesterov momentum", "rmsprop": "RMSprop",
    "adagrad": "Adagrad", "adam": "Adam",
}  # fmt: skip


def learning(experiment: Experiment) -> str:
    """`SGD 0.1, batches of 100`, `momentum 0.9 at rate 0.05, full batch`."""
    training = experiment.training
    if training is None:
        return ""
    optimizer = training.optimizer
    name = NAMES[optimizer.name]
    if isinstance(training.batches, DrawnBatches):
        batches = f"batches of {training.batches.size}"
    else:
        batches = "full batch"
    if isinstance(optimizer, Momentum | Nesterov):
        return f"{name} {optimizer.momentum:g} at rate {optimizer.learning_rate:g}, {batches}"
    return f"{name} {optimizer.learning_rate:g}, {batches}"


def remarks(section: Section) -> list[str]:
    """What the times say, in sentences; then why a cell has no numbers. Each reason once."""
    reasons: dict[str, list[str]] = {}
    for line in section.lines:
        label = line.framework if line.track == "identical" else line.loop
        if line.detail:
            reasons.setdefault(line.detail, []).append(label)
        verdict, reason = line.judgement.verdict, line.judgement.reason
        if reason and line.track == "identical" and line.status not in ("missing", "unsupported"):
            reasons.setdefault(f"{verdict}: {reason}", []).append(f"{label} ({line.loop})")
        if line.noisy:
            text = "measured on a disturbed machine (noisy); its times are not ranked"
            reasons.setdefault(text, []).append(f"{label} ({line.loop})")
    told = [f"{', '.join(dict.fromkeys(labels))}: {detail}" for detail, labels in reasons.items()]
    return [*_fastest(section), *_idiomatic(section), *_limits(section), *told]


def _fastest(section: Section) -> list[str]:
    """Who is fastest, if the pairs say so; else why nobody is called that."""
    ranked = [line for line in section.lines if line.ranked]
    if len(ranked) < 2:
        return []
    if any(len(line.samples) < ENOUGH_FOR_AN_INTERVAL for line in ranked):
        return ["no cell is called fastest: one or two runs have no interval (--seeds 3)"]
    quiet = [line for line in ranked if not line.noisy]
    first = min(quiet, key=lambda line: line.train.value if line.train else 0, default=None)
    if first is None:
        return ["no cell is called fastest: every one was measured on a disturbed machine"]
    of_them = "" if quiet == ranked else " of the undisturbed"
    close = [line for line in quiet if line is not first and not _clearly_slower(line, first)]
    name = f"{first.framework} {first.loop}"
    if not close:
        return [f"fastest{of_them}: {name}; every paired interval excludes 1"]
    names = ", ".join(f"{line.framework} {line.loop}" for line in close)
    return [f"fastest{of_them}: no detectable difference between {name} and {names}"]


def _clearly_slower(line: Line, first: Line) -> bool:
    ratio = paired_ratio(line.samples, first.samples)
    return ratio is not None and ratio.low is not None and ratio.low > 1


def _idiomatic(section: Section) -> list[str]:
    """What the tutorial's loop costs, framework by framework."""
    told = []
    for line in section.lines:
        best = next((b for b in section.lines if b.best and b.framework == line.framework), None)
        if line.loop == "idiomatic" and line.ranked and best is not None and best.ranked:
            ratio = paired_ratio(line.samples, best.samples)
            if ratio is not None and best is not line:
                told.append(
                    f"{line.framework}: its idiomatic loop takes {ratio_text(ratio)} times as long "
                    f"as the same model in its {best.loop} loop{_if_disturbed(line, best)}"
                )
    return told


def _limits(section: Section) -> list[str]:
    """How much of the time is arithmetic that cannot be avoided."""
    told = []
    for line in section.lines:
        own, machine = line.fractions.of_own, line.fractions.of_machine
        if line.best and own and machine:
            told.append(
                f"{line.framework} {line.loop} reaches {own * 100:.0f} % of what its own matrix "
                f"products allow here; they reach {machine / own * 100:.0f} % of the machine's best"
                f"{_if_disturbed(line)}"
            )
    return told


def _if_disturbed(*lines: Line) -> str:
    """What has to be known beside a sentence made of noisy rows."""
    return " (noisy: measured on a disturbed machine)" if any(x.noisy for x in lines) else ""


def headline(section: Section, line: Line) -> str:
    """The result of a line, at the precision it has."""
    if section.measure == "outputs":
        return line.outputs or "-"
    if section.measure == "loss":
        return "-" if line.loss is None else f"{line.loss:.6g}"
    if line.accuracy is None:
        return "-"
    spread = "" if line.spread is None else f" ± {line.spread:.4f}"
    return f"{line.accuracy:.4f}{spread}"


def time_text(value: Estimate | None) -> str:
    """`1.09 s ± 3 %`: the median and the further end of its 95 % interval."""
    if value is None:
        return "-"
    if value.low is None or value.high is None:
        return seconds(value.value)
    further = max(value.high / value.value - 1, 1 - value.low / value.value) * 100
    shown = f"{max(further, 1):.0f}" if further < WIDEST_PERCENT else f">{WIDEST_PERCENT}"
    return f"{seconds(value.value)} ± {shown} %"


def ratio_text(ratio: Estimate) -> str:
    """`2.22 (2.10 to 2.35)`; without an interval just the ratio."""
    if ratio.low is None or ratio.high is None:
        return _ratio(ratio.value)
    return f"{_ratio(ratio.value)} ({_ratio(ratio.low)} to {_ratio(ratio.high)})"


def _ratio(value: float) -> str:
    """Two decimals below 10, none above 100."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _against_baseline(section: Section, line: Line) -> str:
    if line.ratio is None:
        alone = not any(other.ratio for other in section.lines)
        return "-" if alone or not line.ranked else "1"
    if line.noisy:
        return f"{_ratio(line.ratio.value)}, noisy"
    return ratio_text(line.ratio)


def _shares(line: Line) -> str:
    """`59 %, 58 %`: of the framework's own matrix products, and of the machine's best."""
    own, machine = line.fractions.of_own, line.fractions.of_machine
    return "-" if own is None or machine is None else f"{own * 100:.0f} %, {machine * 100:.0f} %"


HEADINGS = {"accuracy": "test accuracy", "loss": "test loss", "outputs": "outputs"}


def baseline(section: Section) -> str:
    """Whose training time the others' is divided by."""
    ranked = [line for line in section.lines if line.ranked and line.best]
    return next((line.framework for line in ranked if line.ratio is None), "baseline")


def headings(section: Section) -> tuple[str, ...]:
    """Column headings of a section's table."""
    return (
        "framework", "loop", HEADINGS[section.measure], "first step", "train time",
        f"/ {baseline(section)}", "step time", "limits", "status", "parity",
    )  # fmt: skip


def cells(section: Section, line: Line) -> tuple[str, ...]:
    """The cells of a line, as text."""
    first = line.phases.get("first_step_s")
    status = f"{line.status}, noisy" if line.noisy else line.status
    return (
        line.framework, line.loop, headline(section, line),
        "-" if first is None else seconds(first), time_text(line.train),
        _against_baseline(section, line), time_text(line.step),
        _shares(line), status,
        "native" if line.track == "native" else line.judgement.verdict,
    )  # fmt: skip


PHASE_HEADINGS = (
    "framework", "loop", "import", "build", "first step", "train", "predict", "total",
    "to target", "peak memory",
)  # fmt: skip


def phase_cells(line: Line) -> tuple[str, ...]:
    """Median seconds of every phase, as text."""
    names = ("import_s", "build_s", "first_step_s", "train_s", "predict_s", "total_s", "target_s")
    times = (seconds(line.phases[name]) if name in line.phases else "-" for name in names)
    memory = "-" if line.peak_rss_mb is None else f"{line.peak_rss_mb:.0f} MiB"
    return (line.framework, line.loop, *times, memory)
