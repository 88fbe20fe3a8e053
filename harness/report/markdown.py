"""A report as one Markdown document."""

import statistics
from collections.abc import Sequence

from harness.experiment.vocabulary import Status
from harness.parity.judgement import Rung
from harness.parity.verdicts import CellKey
from harness.report.answer import BOUNDARY, answer, scored_rows, statements, trial_counts
from harness.report.model import Line, Report, Section
from harness.report.remarks import remarks
from harness.report.section_table import (
    PHASE_HEADINGS,
    at_most,
    cells,
    headings,
    phase_cells,
    result_text,
    status_text,
)
from harness.report.text import escaped, markdown_table, seconds
from harness.results import Row
from harness.run import Run

LADDER_EXPLANATION = (
    "The worst relative difference from a plain float64 network, on each rung: start, outputs "
    "before training, gradients of the first batch, parameters, outputs after training. What "
    "rounding alone does is taken off where terms cancel. Bold: beyond the tolerance (1e-12 up to "
    "one update, 1e-11 later). Column float32: the worst rung of a second, shorter proof in the "
    "precision that is timed, whose tolerance is measured. Final accuracy: how far the measured "
    "accuracy lies from the median of all frameworks; in float32 rounding alone parts ReLU "
    "networks."
)


def as_markdown(report: Report) -> str:
    run = report.run
    said = (answer(run, report.sections), *statements(report.sections))
    blocks = ["# samestep report", *map(escaped, said), _opening(report)]
    blocks += ["## At a glance", escaped(scored_rows(report.sections)), overview(report.sections)]
    for section in report.sections:
        blocks += _section(section)
    blocks += ["## Parity", ladder_table(run), "## Versions", _versions(run.rows)]
    return "\n\n".join(blocks) + "\n"


def _opening(report: Report) -> str:
    run = report.run
    machines = sorted({row.machine for row in run.rows if row.machine})
    started = sorted(row.started_at for row in run.rows if row.started_at)
    lines = [
        f"The `{run.plan.request.preset}` preset; {trial_counts(run)}.",
        *([BOUNDARY] if statements(report.sections) else []),
        "Every framework of the identical track got the same initial parameters and the same "
        "batches. The native track is a library's own solver on the same data and is not "
        "ranked with it.",
    ]
    if machines:
        lines.append(f"Machine: {escaped('; '.join(machines))}.")
    if started:
        lines.append(f"Run {started[0]} to {started[-1]}.")
    return "\n".join(lines)


def overview(sections: Sequence[Section]) -> str:
    """Return a table with a row per experiment and a column per framework."""
    identical = [line for section in sections for line in section.lines if line.identical]
    frameworks = list(dict.fromkeys(line.framework for line in identical))
    names = [section.experiment.name for section in sections]
    rows = []
    for section in sections:
        best = {line.framework: line for line in section.lines if line.identical and line.best}
        texts = (_overview_cell(section, best[f]) if f in best else "-" for f in frameworks)
        name = section.experiment.name
        place = f" ({escaped(section.place)})" if names.count(name) > 1 else ""
        rows.append((f"{name}{place}", *texts))
    return markdown_table(("experiment", *map(escaped, frameworks)), rows)


def _overview_cell(section: Section, line: Line) -> str:
    """Return result and training time, or the status where there is no result."""
    result = result_text(section, line)
    if result == "-":
        return escaped(status_text(line))
    if not line.proven:
        result = f"{result} ({line.judgement.verdict})"
    time = "" if line.train is None else f", {at_most(line, seconds(line.train.value))}"
    return escaped(result) + time


def _section(section: Section) -> list[str]:
    place = f" ({escaped(section.place)})" if section.place else ""
    rows = (map(escaped, cells(section, line)) for line in section.lines)
    blocks = [
        f"## {escaped(section.experiment.name)}: {escaped(section.experiment.title)}{place}",
        markdown_table([escaped(h) for h in headings(section)], [list(row) for row in rows]),
        escaped(section.caption),
        *([f"{escaped(str(section.likeness))}."] if section.likeness else []),
    ]
    sentences = remarks(section)
    if sentences:
        blocks.append("\n".join(f"- {escaped(sentence)}" for sentence in sentences))
    timed = [line for line in section.lines if line.phases]
    if timed:
        phases = [[escaped(cell) for cell in phase_cells(line)] for line in timed]
        blocks += ["Phases, medians:", markdown_table(PHASE_HEADINGS, phases)]
    return blocks


def ladder_table(run: Run) -> str:
    """Return the worst relative difference per framework, loop, experiment and rung."""
    judged = {cell: judgement for cell, judgement in run.verdicts.items() if judgement.rungs}
    names = list(dict.fromkeys(rung.name for j in judged.values() for rung in j.rungs))
    rows = []
    for cell, judgement in judged.items():
        experiment, framework, loop = cell
        rungs = {rung.name: _difference(rung) for rung in judgement.rungs}
        differences = [rungs.get(name, "") for name in names]
        fixed = (experiment, escaped(framework), loop, judgement.verdict)
        rows.append((*fixed, *differences, _final_accuracy(run, cell)))
    heads = ("experiment", "framework", "loop", "verdict", *names, "final accuracy")
    return f"{LADDER_EXPLANATION}\n\n{markdown_table(heads, rows)}"


def _difference(rung: Rung) -> str:
    text = "0" if rung.difference == 0 else f"{rung.difference:.1e}"
    return text if rung.passed else f"**{text}**"


def _final_accuracy(run: Run, cell: CellKey) -> str:
    """Return how far the test accuracy lies from the experiment's median, in the worst seed."""
    experiment, framework, loop = cell
    gaps = []
    rows = [
        row
        for row in run.rows
        if row.experiment == experiment and row.track == "identical" and row.status == Status.OK
    ]
    for row in rows:
        if (row.framework, row.loop) == (framework, loop) and row.test_accuracy is not None:
            peers = [other.test_accuracy for other in rows if other.seed == row.seed]
            middle = statistics.median(peer for peer in peers if peer is not None)
            gaps.append(abs(row.test_accuracy - middle))
    return f"{max(gaps):.4f}" if gaps else ""


def _versions(rows: Sequence[Row]) -> str:
    versions = {row.framework: row.framework_version for row in rows if row.framework_version}
    return "\n".join(f"- {escaped(name)} {escaped(version)}" for name, version in versions.items())
