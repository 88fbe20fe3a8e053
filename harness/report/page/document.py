"""The page itself: what the template gets, and what keeps it safe to open."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from harness.report.export import Report
from harness.report.page import commands, tables
from harness.report.page.answer import answer, counts, ranking
from harness.report.page.bars import limits, phases
from harness.report.page.boundaries import ALPHABET, SIDE, Boundaries, boundaries_of
from harness.report.page.bundle import chart_library, inert
from harness.report.page.charts import Figure
from harness.report.page.images import Images, images_of
from harness.report.page.learning import batches, learning
from harness.report.page.pictures import ramp
from harness.report.page.proofs import SHADES, Ladder, ladder_of
from harness.report.page.series import batch_losses_of, series_of
from harness.report.summary import Section, remarks
from harness.results import clean

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Chapter:
    """One experiment of the page."""

    anchor: str
    section: Section
    table: tables.Table
    remarks: tuple[str, ...]
    figures: tuple[Figure, ...]
    ladder: Ladder | None
    boundaries: Boundaries | None
    images: Images | None


def html(report: Report) -> str:
    """One HTML file: no request ever leaves it, and it says the same without JavaScript."""
    library = chart_library()
    own = inert((TEMPLATES / "page.js").read_text(encoding="utf-8"))
    scripts = [own] if library is None else [library, own]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=printable,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["embedded"] = embedded
    environment.filters["columns"] = _columns
    return environment.get_template("page.html.j2").render(
        policy=policy(scripts),
        style=(TEMPLATES / "page.css").read_text(encoding="utf-8"),
        scripts=scripts,
        charts=library is not None,
        looks=tables.LOOKS,
        shades=SHADES,
        painting={"side": SIDE, "alphabet": ALPHABET, "colours": ramp()},
        **context(report),
    )


def context(report: Report) -> dict[str, Any]:
    """What the page tells, as plain values."""
    plan, rows, sections = report.plan, report.rows, report.sections
    started = sorted(row.started_at for row in rows if row.started_at)
    return {
        "answer": answer(plan, rows, sections),
        "ranking": ranking(sections),
        "preset": plan.request.preset,
        "counts": counts(rows),
        "trials": (len(rows), len(plan.trials)),
        "glance": tables.glance(sections),
        "chapters": chapters(report),
        "machines": sorted({row.machine for row in rows if row.machine}),
        "libraries": sorted({row.blas for row in rows if row.blas}),
        "started": (started[0], started[-1]) if started else None,
        "versions": sorted(
            {(r.framework, r.framework_version) for r in rows if r.framework_version}
        ),
        "own_version": metadata.version("samestep"),
        "digest": plan.digest,
        "digests": _digests(report),
        "command": commands.of_run(plan),
    }


def chapters(report: Report) -> list[Chapter]:
    """One per section, in its order; a framework has one colour in all of them."""
    frameworks = list(dict.fromkeys(trial.framework for trial in report.plan.trials))
    made = []
    for number, section in enumerate(report.sections):
        curves = series_of(section, report.rows, report.arrays)
        length = _length(report, section)
        losses = batch_losses_of(section, report.rows, report.arrays)
        figures = (
            learning(section, curves, frameworks, length),
            batches(losses, frameworks, length),
            phases(section),
            limits(section),
        )
        made.append(
            Chapter(
                f"e{number}-{section.experiment.name}",
                section,
                tables.lines_table(report.plan, section),
                tuple(remarks(section)),
                tuple(figure for figure in figures if figure is not None),
                ladder_of(section, report.verdicts),
                boundaries_of(section, report.rows, report.arrays),
                images_of(section, report.rows, report.arrays),
            )
        )
    return made


def _length(report: Report, section: Section) -> str:
    """`3,000 of the full 50,000 steps`, as far as the protocol trains."""
    training = section.experiment.training
    run = str(training.length) if training else "no training"
    full = report.plan.full_lengths.get(section.experiment.name, run)
    return f"Full length, {run}" if run == full else f"{run} of the full {full}"


def _columns(records: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Records as columns: the same, in half the bytes."""
    names = records[0].keys() if records else ()
    return {name: [record[name] for record in records] for name in names}


def _digests(report: Report) -> list[tuple[str, str, str, str]]:
    """(experiment, protocol, data, start) of the first seed's rows."""
    found: dict[str, tuple[str, str, str, str]] = {}
    for row in report.rows:
        if row.status == "ok" and row.track == "identical":
            digests = (row.experiment_digest, row.data_digest or "-", row.start_digest or "-")
            found.setdefault(row.experiment, (row.experiment, *digests))
    return list(found.values())


def policy(scripts: list[str]) -> str:
    """A Content-Security-Policy: these scripts, no network, no evaluation of text."""
    hashes = " ".join(f"'sha256-{_sha256(script)}'" for script in scripts)
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {hashes}; "
        "base-uri 'none'; form-action 'none'"
    )


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def embedded(value: Mapping[str, Any]) -> Markup:
    """JSON that no text in it can end: `<` is written as an escape, and NaN does not occur."""
    text = json.dumps(clean(value), allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def printable(value: Any) -> Any:
    """Any text without control characters, which no reader of a page can see."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "".join(sign if sign.isprintable() or sign == "\n" else " " for sign in value)
