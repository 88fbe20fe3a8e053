"""Rows to files: Markdown, CSV, JSON and HTML, each a pure function of the rows."""

import dataclasses
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from harness.analysis.limits import fractions_of_limits, machine_limits_us
from harness.analysis.noise import disturbances
from harness.parity.judgement import Rung
from harness.parity.verdicts import CellKey
from harness.plan import Plan
from harness.report.section_table import (
    PHASE_HEADINGS,
    Line,
    Section,
    Verdicts,
    cells,
    headings,
    headline,
    parity,
    phase_cells,
    remarks,
)
from harness.report.text import seconds
from harness.results import COLUMNS, SCHEMA, Row, clean, write_atomically
from harness.trainer import Array

DERIVED = ("parity", "parity_detail", "gemm_fraction", "own_gemm_fraction", "noise")
"""Columns that are computed on reading, not stored."""
FORMULA_STARTS = tuple("=+-@\t\r")
"""A spreadsheet runs text that starts so; CSV has an apostrophe before it."""


def _no_arrays(trial: str) -> Mapping[str, Array]:
    """For a report whose trials left nothing beside their rows."""
    return {}


@dataclasses.dataclass(frozen=True)
class Report:
    """All that an export is made of; `arrays`: trial to its stored curves and outputs."""

    plan: Plan
    rows: Sequence[Row]
    sections: Sequence[Section]
    verdicts: Verdicts
    limits: Sequence[Row] = ()
    arrays: Callable[[str], Mapping[str, Array]] = _no_arrays


def records(report: Report) -> list[dict[str, Any]]:
    """Every row as a dictionary of all public columns."""
    found = []
    disturbed = disturbances(report.rows)
    limits_us = machine_limits_us([*report.rows, *report.limits])
    for row in report.rows:
        judgement = parity(row, report.verdicts)
        shares = fractions_of_limits(row, limits_us)
        derived = {
            "parity": judgement.verdict,
            "parity_detail": judgement.reason or None,
            "gemm_fraction": shares.of_machine,
            "own_gemm_fraction": shares.of_own,
            "noise": f"noisy: {disturbed[row.trial]}" if row.trial in disturbed else None,
        }
        found.append(dataclasses.asdict(row) | derived)
    return found


def markdown(report: Report) -> str:
    """The whole report."""
    plan, sections, rows = report.plan, report.sections, report.rows
    blocks = ["# samestep report", _opening(plan, rows), "## At a glance", overview(sections)]
    for section in sections:
        device = f" ({escaped(section.device)})" if section.device else ""
        title = f"## {section.experiment.name}: {escaped(section.experiment.title)}{device}"
        notes = "\n".join(f"- {escaped(remark)}" for remark in remarks(section))
        blocks += [title, _table(section), escaped(section.caption), *([notes] if notes else [])]
        if any(line.phases for line in section.lines):
            blocks += ["Phases, medians:", _phases(section)]
    blocks += ["## Parity", ladder_table(report), "## Versions", _versions(rows)]
    return "\n\n".join(blocks) + "\n"


def overview(sections: Sequence[Section]) -> str:
    """One line per experiment, one column per framework of the identical track."""
    names = list(
        dict.fromkeys(
            line.framework for s in sections for line in s.lines if line.track == "identical"
        )
    )
    table = [("experiment", *map(escaped, names)), ("---",) * (len(names) + 1)]
    for section in sections:
        lines = [line for line in section.lines if line.track == "identical" and line.best]
        found = {line.framework: line for line in lines}
        shown = (_glance(section, found[name]) if name in found else "-" for name in names)
        table.append((section.experiment.name, *shown))
    return "\n".join("| " + " | ".join(row) + " |" for row in table)


def _glance(section: Section, line: Line) -> str:
    """Result and training time in one cell; the status where there is no result."""
    result = headline(section, line)
    if result == "-":
        return escaped(line.status)
    if not line.proven:
        result = f"{result} ({line.judgement.verdict})"
    time = "-" if line.train is None else seconds(line.train.value)
    return escaped(result) if time == "-" else f"{escaped(result)}, {time}"


def ladder_table(report: Report) -> str:
    """Per framework, loop and experiment the worst relative difference on each rung."""
    judged = {cell: j for cell, j in report.verdicts.items() if j.rungs}
    names = list(dict.fromkeys(rung.name for j in judged.values() for rung in j.rungs))
    heads = ("experiment", "framework", "loop", "verdict", *names, "final accuracy")
    table = [heads, ("---",) * len(heads)]
    for key, judgement in judged.items():
        found = {rung.name: rung for rung in judgement.rungs}
        shown = (_difference(found[name]) if name in found else "" for name in names)
        final = _final_accuracy(report, key)
        experiment, framework, loop = key
        table.append((experiment, escaped(framework), loop, judgement.verdict, *shown, final))
    explanation = (
        "The worst relative difference, max|a - b| / max|b|, from a plain float64 network, on each "
        "rung: start, outputs before training, gradients of the first batch, then parameters. "
        "Bold: beyond the tolerance (1e-12 up to one update, 1e-11 later). Final accuracy: how far "
        "the measured test accuracy lies from the median of all frameworks; in float32 rounding "
        "alone parts ReLU networks."
    )
    return explanation + "\n\n" + "\n".join("| " + " | ".join(row) + " |" for row in table)


def _final_accuracy(report: Report, cell: CellKey) -> str:
    """Largest distance, over seeds, of a cell's test accuracy from the median of its experiment."""
    experiment, framework, loop = cell
    gaps = []
    rows = [
        row
        for row in report.rows
        if row.experiment == experiment and row.track == "identical" and row.status == "ok"
    ]
    for row in rows:
        if (row.framework, row.loop) == (framework, loop) and row.test_accuracy is not None:
            peers = [r.test_accuracy for r in rows if r.seed == row.seed]
            gaps.append(
                abs(row.test_accuracy - statistics.median(p for p in peers if p is not None))
            )
    return f"{max(gaps):.4f}" if gaps else ""


def _difference(rung: Rung) -> str:
    shown = "0" if rung.difference == 0 else f"{rung.difference:.1e}"
    return shown if rung.passed else f"**{shown}**"


def csv(report: Report) -> str:
    """Every row; text that a spreadsheet would run as a formula gets a leading apostrophe."""
    table = pd.DataFrame(records(report), columns=[*COLUMNS, *DERIVED])
    whole = ["steps", "samples", "seed", "repeat", "threads", "schema", "protocol"]
    table[whole] = table[whole].astype("Int64")
    for column in table.columns[table.dtypes.map(pd.api.types.is_string_dtype)]:
        table[column] = table[column].map(_inert)
    return str(table.to_csv(index=False))


def as_json(report: Report) -> str:
    """Every row, with the schema's version."""
    value = {"schema": SCHEMA, "run": report.plan.digest, "rows": clean(records(report))}
    return json.dumps(value, indent=1, allow_nan=False) + "\n"


def write(file: Path, report: Report, chart: str = "") -> None:
    """Write the format that the file's suffix names; `chart`: which one, of an image.

    Raises:
        ValueError: a suffix that is none of .md, .csv, .json, .html, .svg and .png.
        harness.report.chart_names.NoChartError: there is no such chart.
        harness.report.chart_names.NoChartLibraryError: charts cannot be drawn here.
    """
    match file.suffix:
        case ".md":
            content = markdown(report).encode()
        case ".csv":
            content = csv(report).encode()
        case ".json":
            content = as_json(report).encode()
        case ".html":
            from harness.report.page import (
                report_page as document,  # it is made of a Report, and heavy
            )

            content = document.html(report).encode()
        case ".svg" | ".png":
            from harness.report.page import drawing

            content = drawing.image(drawing.of_report(report), chart, file.suffix)
        case other:
            raise ValueError(
                f"{file}: suffix must be .md, .csv, .json, .html, .svg or .png. Got {other!r}"
            )
    write_atomically(file, content)


def _opening(plan: Plan, rows: Sequence[Row]) -> str:
    machines = sorted({row.machine for row in rows if row.machine})
    started = sorted(row.started_at for row in rows if row.started_at)
    statuses = pd.Series([row.status for row in rows], dtype=object).value_counts()
    counts = ", ".join(f"{count} {status}" for status, count in statuses.items())
    lines = [
        f"The `{plan.request.preset}` preset; {len(rows)} of {len(plan.trials)} trials"
        + (f" ({counts})." if counts else "."),
        "Every framework of the identical track got the same initial parameters and the same "
        "batches. The native track is a library's own solver on the same data and is not "
        "ranked with it.",
    ]
    if machines:
        lines.append(f"Machine: {escaped('; '.join(machines))}.")
    if started:
        lines.append(f"Run {started[0]} to {started[-1]}.")
    return "\n".join(lines)


def _table(section: Section) -> str:
    heads = headings(section)
    rows = [heads, tuple("---" for _ in heads)]
    rows += [tuple(escaped(cell) for cell in cells(section, line)) for line in section.lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _phases(section: Section) -> str:
    ran = [line for line in section.lines if line.phases]
    rows = [PHASE_HEADINGS, tuple("---" for _ in PHASE_HEADINGS)]
    rows += [tuple(map(escaped, phase_cells(line))) for line in ran]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _versions(rows: Sequence[Row]) -> str:
    found = {row.framework: row.framework_version for row in rows if row.framework_version}
    return "\n".join(f"- {escaped(name)} {escaped(version)}" for name, version in found.items())


def escaped(text: str) -> str:
    """Text that stays text in Markdown: no column, link, code or HTML starts in it."""
    for sign in "\\`*_[]<>|":
        text = text.replace(sign, f"\\{sign}")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _inert(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
