"""Rows to files: Markdown, CSV and JSON, each a pure function of the rows."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from harness.plan import Plan
from harness.report.summary import (
    PARITY,
    Line,
    Section,
    cells,
    headings,
    headline,
    remarks,
    train_time,
)
from harness.results import COLUMNS, SCHEMA, Row, clean, write_atomically

DERIVED = {"parity": PARITY, "parity_detail": None, "gemm_fraction": None,
           "own_gemm_fraction": None, "noise": None}  # fmt: skip
"""Columns that are computed on reading, not stored."""


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    """All rows, all public columns."""
    table = pd.DataFrame([dataclasses.asdict(row) for row in rows], columns=list(COLUMNS))
    return table.assign(**DERIVED)


def markdown(plan: Plan, sections: Sequence[Section], rows: Sequence[Row]) -> str:
    """The whole report."""
    blocks = ["# samestep report", _opening(plan, rows), "## At a glance", overview(sections)]
    for section in sections:
        title = f"## {section.experiment.name}: {_cell(section.experiment.title)}"
        notes = "\n".join(f"- {_cell(remark)}" for remark in remarks(section))
        blocks += [title, _table(section), _cell(section.caption), *([notes] if notes else [])]
    blocks += ["## Versions", _versions(rows)]
    return "\n\n".join(blocks) + "\n"


def overview(sections: Sequence[Section]) -> str:
    """One line per experiment, one column per framework of the identical track."""
    names = list(
        dict.fromkeys(
            line.framework for s in sections for line in s.lines if line.track == "identical"
        )
    )
    table = [("experiment", *names), ("---",) * (len(names) + 1)]
    for section in sections:
        found = {line.framework: line for line in section.lines if line.track == "identical"}
        shown = (_glance(section, found[name]) if name in found else "-" for name in names)
        table.append((section.experiment.name, *shown))
    return "\n".join("| " + " | ".join(row) + " |" for row in table)


def _glance(section: Section, line: Line) -> str:
    """Result and training time in one cell; the status where there is no result."""
    result = headline(section, line)
    if result == "-":
        return _cell(line.status)
    time = train_time(line)
    return _cell(result) if time == "-" else f"{_cell(result)}, {time}"


def csv(rows: Sequence[Row]) -> str:
    """Every row; text that a spreadsheet would run as a formula gets a leading apostrophe."""
    table = frame(rows)
    for column in table.columns[table.dtypes.map(pd.api.types.is_string_dtype)]:
        table[column] = table[column].map(_inert)
    return str(table.to_csv(index=False))


def as_json(plan: Plan, rows: Sequence[Row]) -> str:
    """Every row, with the schema's version."""
    records = [clean(dataclasses.asdict(row)) | DERIVED for row in rows]
    value = {"schema": SCHEMA, "run": plan.digest, "rows": records}
    return json.dumps(value, indent=1, allow_nan=False) + "\n"


def write(file: Path, plan: Plan, sections: Sequence[Section], rows: Sequence[Row]) -> None:
    """Write the format that the file's suffix names.

    Raises:
        ValueError: a suffix that is none of .md, .csv and .json.
    """
    match file.suffix:
        case ".md":
            content = markdown(plan, sections, rows)
        case ".csv":
            content = csv(rows)
        case ".json":
            content = as_json(plan, rows)
        case other:
            raise ValueError(f"{file}: suffix must be .md, .csv or .json. Got {other!r}")
    write_atomically(file, content.encode())


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
        lines.append(f"Machine: {_cell('; '.join(machines))}.")
    if started:
        lines.append(f"Run {started[0]} to {started[-1]}.")
    return "\n".join(lines)


def _table(section: Section) -> str:
    heads = headings(section)
    rows = [heads, tuple("---" for _ in heads)]
    rows += [tuple(_cell(cell) for cell in cells(section, line)) for line in section.lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _versions(rows: Sequence[Row]) -> str:
    found = {row.framework: row.framework_version for row in rows if row.framework_version}
    return "\n".join(f"- {_cell(name)} {_cell(version)}" for name, version in found.items())


def _cell(text: str) -> str:
    """Text that stays text in Markdown: no column, link, code or HTML starts in it."""
    for sign in "\\`*_[]<>|":
        text = text.replace(sign, f"\\{sign}")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _inert(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value
