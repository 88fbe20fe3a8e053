"""The report's page: what its template gets."""

from dataclasses import dataclass
from typing import Any

from harness.report.markdown import Report
from harness.report.page import commands, tables
from harness.report.page.answer import answer, counts, ranking
from harness.report.page.boundaries import ALPHABET, SIDE, Boundaries, boundaries_of
from harness.report.page.figures import Figure
from harness.report.page.image_results import Images, images_of
from harness.report.page.learning_charts import batches, learning
from harness.report.page.learning_curves import batch_losses_of, series_of
from harness.report.page.phases_and_limits import limits, phases
from harness.report.page.png import ramp
from harness.report.page.proofs import Ladder, ladder_of
from harness.report.page.rendering import render
from harness.report.section_table import Section, remarks


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
    """The report as one HTML file."""
    return render(
        "report.html.j2",
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
        "digest": plan.digest,
        "digests": _digests(report),
        "command": commands.of_run(plan),
    }


def chapters(report: Report) -> list[Chapter]:
    """One per section, in its order; a framework has one colour in all of them."""
    made = []
    for number, section in enumerate(report.sections):
        made.append(
            Chapter(
                f"e{number}-{section.experiment.name}",
                section,
                tables.lines_table(report.plan, section),
                tuple(remarks(section)),
                figures(report, section),
                ladder_of(section, report.verdicts),
                boundaries_of(section, report.rows, report.arrays),
                images_of(section, report.rows, report.arrays),
            )
        )
    return made


def figures(report: Report, section: Section) -> tuple[Figure, ...]:
    """The charts of one experiment, as far as its rows and curves allow."""
    frameworks = list(dict.fromkeys(trial.framework for trial in report.plan.trials))
    curves = series_of(section, report.rows, report.arrays)
    losses = batch_losses_of(section, report.rows, report.arrays)
    length = _length(report, section)
    found = (
        learning(section, curves, frameworks, length),
        batches(losses, frameworks, length),
        phases(section),
        limits(section),
    )
    return tuple(figure for figure in found if figure is not None)


def _length(report: Report, section: Section) -> str:
    """`3,000 of the full 50,000 steps`, as far as the protocol trains."""
    training = section.experiment.training
    run = str(training.length) if training else "no training"
    full = report.plan.full_lengths.get(section.experiment.name, run)
    return f"Full length, {run}" if run == full else f"{run} of the full {full}"


def _digests(report: Report) -> list[tuple[str, str, str, str]]:
    """(experiment, protocol, data, start) of the first seed's rows."""
    found: dict[str, tuple[str, str, str, str]] = {}
    for row in report.rows:
        if row.status == "ok" and row.track == "identical":
            digests = (row.experiment_digest, row.data_digest or "-", row.start_digest or "-")
            found.setdefault(row.experiment, (row.experiment, *digests))
    return list(found.values())
