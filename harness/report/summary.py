"""Rows to the lines of a table: one per framework and track, its best loop."""

import dataclasses
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.experiment.loading import catalogue_names
from harness.experiment.model import Experiment
from harness.experiment.training import DrawnBatches
from harness.parity.ladder import Judgement
from harness.parity.verdicts import Cell
from harness.plan import Plan
from harness.report.numbers import seconds
from harness.results import Row, RunFolder
from harness.trainer import Array

LOOPS = ("idiomatic", "stepwise", "fused")
"""Slowest first, as adapters list them; the last one that ran stands for the framework."""
NATIVE = Judgement("not comparable", "a library's own solver", ())
UNPROVEN = Judgement("not comparable", "no proof was made", ())

Verdicts = Mapping[Cell, Judgement]


@dataclass(frozen=True)
class Line:
    """One line of a table: a framework's best loop, over all seeds and repeats.

    `accuracy`, `loss` and `outputs` are of the test rows; `spread` is the standard deviation of
    `accuracy` over seeds, None for one seed. Times are medians.
    """

    framework: str
    version: str
    track: str
    loop: str
    device: str
    accuracy: float | None
    spread: float | None
    loss: float | None
    outputs: str | None
    train_s: float | None
    step_us: float | None
    status: str
    detail: str | None
    judgement: Judgement
    failed_loops: tuple[str, ...] = ()

    @property
    def proven(self) -> bool:
        """Whether this cell is known to compute what the protocol says."""
        return self.judgement.verdict in ("same", "same to float32")


@dataclass(frozen=True)
class Section:
    """One experiment of a report.

    Args:
        measure: what the result column holds: "accuracy", "loss" or "outputs".
        caption: the protocol in a line, and how long it was run against the full length.
    """

    experiment: Experiment
    measure: str
    caption: str
    lines: tuple[Line, ...]


def parity(row: Row, verdicts: Verdicts) -> Judgement:
    """The verdict on the cell that a row is of."""
    if row.track == "native":
        return NATIVE
    if row.status in ("missing", "unsupported"):
        return Judgement("not comparable", row.status, ())
    return verdicts.get((row.experiment, row.framework, row.loop), UNPROVEN)


def sections(
    plan: Plan, folder: RunFolder, rows: Sequence[Row], verdicts: Verdicts
) -> list[Section]:
    """One section per experiment of the plan, in its order."""
    order = list(dict.fromkeys(trial.framework for trial in plan.trials))
    known = [row for row in rows if row.framework in order]
    ordered = sorted(known, key=lambda row: order.index(row.framework))
    made = []
    for name, experiment in plan.experiments.items():
        own = [row for row in ordered if row.experiment == name]
        lines = _lines(own, lambda row: _outputs(folder.arrays(row.trial)), verdicts)
        made.append(Section(experiment, _measure(experiment), caption(plan, name), tuple(lines)))
    return made


def _measure(experiment: Experiment) -> str:
    if experiment.loss is None:
        return "outputs"
    return "loss" if experiment.data.facts.kind == "values" else "accuracy"


def _lines(
    rows: Iterable[Row], outputs: Callable[[Row], str | None], verdicts: Verdicts
) -> list[Line]:
    """Frameworks in the order of their first row; the native track last."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.track, row.framework, row.loop), []).append(row)
    cells: dict[tuple[str, str, str], list[list[Row]]] = {}
    for (track, framework, loop), group in groups.items():
        solver = loop if track == "native" else ""  # every native solver has its own line
        cells.setdefault((track, framework, solver), []).append(group)
    order = sorted(cells, key=lambda key: key[0] == "native")
    lines = []
    for key in order:
        shown = min(cells[key], key=_slowness)
        line = _line(shown, outputs, verdicts)
        failed = [row for loop in cells[key] if loop is not shown for row in loop if row.failed]
        reasons = tuple(dict.fromkeys(f"{r.loop}: {r.status} ({r.status_detail})" for r in failed))
        lines.append(dataclasses.replace(line, failed_loops=reasons))
    return lines


def _slowness(rows: list[Row]) -> tuple[bool, int]:
    """Sorts loops: those that ran first, then the most compiled one."""
    ran = any(row.status == "ok" for row in rows)
    return not ran, -LOOPS.index(rows[0].loop) if rows[0].loop in LOOPS else 0


def _line(rows: list[Row], outputs: Callable[[Row], str | None], verdicts: Verdicts) -> Line:
    good = [row for row in rows if row.status == "ok"]
    shown = good[0] if good else rows[0]
    accuracies = _of_seeds(good, lambda row: row.test_accuracy)
    return Line(
        framework=shown.framework,
        version=shown.framework_version,
        track=shown.track,
        loop=shown.loop,
        device=shown.device,
        accuracy=statistics.fmean(accuracies) if accuracies else None,
        spread=statistics.stdev(accuracies) if len(accuracies) > 1 else None,
        loss=_middle(_of_seeds(good, lambda row: row.test_loss)),
        outputs=outputs(shown) if good else None,
        train_s=_middle([row.train_s for row in good]),
        step_us=_middle([row.step_us for row in good]),
        status=_status(rows),
        detail=next((row.status_detail for row in rows if row.status != "ok"), shown.status_detail),
        judgement=parity(shown, verdicts),
    )


def _of_seeds(rows: list[Row], value: Callable[[Row], float | None]) -> list[float]:
    """One value per seed: repeats of a seed compute the same."""
    found = {row.seed: value(row) for row in rows}
    return [value for value in found.values() if value is not None]


def _middle(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _status(rows: list[Row]) -> str:
    """`ok`, or `2 ok, 1 timeout` where they differ."""
    statuses = [row.status for row in rows]
    names = sorted(set(statuses), key=lambda status: status != "ok")
    if len(names) == 1:
        return names[0]
    return ", ".join(f"{statuses.count(name)} {name}" for name in names)


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
        parts.append(_learning(experiment))
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


def _learning(experiment: Experiment) -> str:
    training = experiment.training
    if training is None:
        return ""
    optimizer = training.optimizer
    name = {"sgd": "SGD", "momentum": "momentum", "adam": "Adam"}[optimizer.name]
    if isinstance(training.batches, DrawnBatches):
        batches = f"batches of {training.batches.size}"
    else:
        batches = "full batch"
    return f"{name} {optimizer.learning_rate:g}, {batches}"


def remarks(section: Section) -> list[str]:
    """Footnotes: why a cell has no numbers, or what to know of it; each reason once."""
    reasons: dict[str, list[str]] = {}
    for line in section.lines:
        label = line.framework if line.track == "identical" else line.loop
        if line.detail:
            reasons.setdefault(line.detail, []).append(label)
        for failure in line.failed_loops:
            reasons.setdefault(failure, []).append(label)
        verdict, reason = line.judgement.verdict, line.judgement.reason
        if reason and line.track == "identical" and line.status not in ("missing", "unsupported"):
            reasons.setdefault(f"{verdict}: {reason}", []).append(f"{label} ({line.loop})")
    return [f"{', '.join(labels)}: {detail}" for detail, labels in reasons.items()]


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


def train_time(line: Line) -> str:
    """Median training time, with its unit."""
    return "-" if line.train_s is None else seconds(line.train_s)


def step_time(line: Line) -> str:
    """Median step time, with its unit."""
    return "-" if line.step_us is None else seconds(line.step_us * 1e-6)


HEADINGS = {"accuracy": "test accuracy", "loss": "test loss", "outputs": "outputs"}


def headings(section: Section) -> tuple[str, ...]:
    """Column headings of a section's table."""
    return (
        "framework", "track", "loop", HEADINGS[section.measure],
        "train time", "step time", "status", "parity",
    )  # fmt: skip


def cells(section: Section, line: Line) -> tuple[str, ...]:
    """The cells of a line, as text."""
    return (
        line.framework, line.track, line.loop, headline(section, line),
        train_time(line), step_time(line), line.status, line.judgement.verdict,
    )  # fmt: skip
