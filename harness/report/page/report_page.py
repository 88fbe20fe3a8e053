"""The page of a report: what its template shows, as plain values."""

from dataclasses import dataclass
from typing import Any

from harness.experiment.vocabulary import Status, Track
from harness.report.answer import BOUNDARY, answer, scored_rows, statements, trial_counts
from harness.report.model import Report, Section
from harness.report.page import commands, tables
from harness.report.page.boundaries import ALPHABET, Boundaries, boundaries_of
from harness.report.page.figures import Figure
from harness.report.page.forward_pass import ForwardPass, forward_pass_of
from harness.report.page.image_results import ImageResults, image_results_of
from harness.report.page.learning_charts import batches, learning
from harness.report.page.learning_curves import batch_losses_of, curves_of
from harness.report.page.overlays import overlay_figure, overlays
from harness.report.page.phases_and_limits import limits, phases
from harness.report.page.proofs import Ladder, ladder_of
from harness.report.page.rendering import render
from harness.report.page.time_overview import time_overview
from harness.report.remarks import ranking_text, remarks
from harness.run import Run


@dataclass(frozen=True)
class Chapter:
    """One experiment of the page.

    Args:
        headline: who is fastest; it is read while the chapter is folded.
        is_one_of_several: whether another chapter is of the same experiment.
    """

    anchor: str
    section: Section
    headline: str
    is_one_of_several: bool
    table: tables.Table
    remarks: tuple[str, ...]
    figures: tuple[Figure, ...]
    ladder: Ladder | None
    boundaries: Boundaries | None
    images: ImageResults | None
    forward: ForwardPass | None


def as_html(report: Report) -> str:
    """Return the report as one HTML file."""
    return render("report.html.j2", alphabet=ALPHABET, **context(report))


def context(report: Report) -> dict[str, Any]:
    run, sections = report.run, report.sections
    started = sorted(row.started_at for row in run.rows if row.started_at)
    return {
        "answer": answer(run, sections),
        "statements": [text.partition(": ") for text in statements(sections)],
        "boundary": BOUNDARY,
        "preset": run.plan.request.preset,
        "timed": run.plan.request.timed,
        "trials": trial_counts(run),
        "picture": overview(report),
        "glance": tables.overview(sections),
        "scored": scored_rows(sections),
        "overlays": _overlays(report),
        "chapters": [_chapter(report, number) for number in range(len(sections))],
        "machines": sorted({row.machine for row in run.rows if row.machine}),
        "libraries": sorted({row.blas for row in run.rows if row.blas}),
        "started": (started[0], started[-1]) if started else None,
        "versions": sorted(
            {(row.framework, row.framework_version) for row in run.rows if row.framework_version}
        ),
        "digest": run.plan.digest,
        "digests": _digests(run),
        "command": commands.of_run(run.plan),
    }


def _chapter(report: Report, number: int) -> Chapter:
    run, section = report.run, report.sections[number]
    names = [one.experiment.name for one in report.sections]
    return Chapter(
        anchor=f"e{number}-{section.experiment.name}",
        section=section,
        headline=ranking_text(section.ranking) if section.ranking else "",
        is_one_of_several=names.count(section.experiment.name) > 1,
        table=tables.lines_table(run.plan, section),
        remarks=tuple(remarks(section)),
        figures=figures(run, section),
        ladder=ladder_of(section, run.verdicts),
        boundaries=boundaries_of(section, run),
        images=image_results_of(section, run),
        forward=forward_pass_of(section.experiment),
    )


def overview(report: Report) -> Figure | None:
    """Return the first chart: all training times over the baseline's."""
    return time_overview(report.sections, _frameworks(report.run))


def _overlays(report: Report) -> list[Figure]:
    """Return a chart for every group of experiments that differ in one part of the protocol."""
    groups = overlays(report.sections)
    figures = (overlay_figure(group, report.run) for group in groups)
    return [figure for figure in figures if figure is not None]


def _frameworks(run: Run) -> list[str]:
    return list(dict.fromkeys(trial.framework for trial in run.plan.trials))


def figures(run: Run, section: Section) -> tuple[Figure, ...]:
    """Return the charts of one experiment, as far as its rows and curves allow.

    A framework has one colour in all experiments of a report.
    """
    frameworks = _frameworks(run)
    length = _length(run, section)
    learnt = learning(section.experiment, curves_of(section, run), frameworks, length)
    of_batches = batches(section.experiment, batch_losses_of(section, run), frameworks, length)
    # batch losses are drawn where evaluation points are few: there they show more
    possible = (of_batches, learnt, phases(section), limits(section))
    return tuple(figure for figure in possible if figure is not None)


def _length(run: Run, section: Section) -> str:
    """`3,000 steps of the full 50,000 steps`; that training stopped early, where it did."""
    training = section.experiment.training
    length = str(training.length) if training else "no training"
    full = run.plan.full_lengths.get(section.experiment.name, length)
    counts = [line.steps for line in section.lines if line.identical and line.steps is not None]
    fewest = min((count[0] for count in counts), default=None)
    if fewest is not None and fewest < section.experiment.steps:
        return f"Stopped early, after {fewest:,} steps or more of at most {length}"
    return f"Full length, {length}" if length == full else f"{length} of the full {full}"


def _digests(run: Run) -> list[tuple[str, str, str, str]]:
    """Return (experiment, protocol, data, start) of the first seed's rows."""
    digests: dict[str, tuple[str, str, str, str]] = {}
    for row in run.rows:
        if row.status == Status.OK and row.track == Track.IDENTICAL:
            of_row = (row.experiment_digest, row.data_digest or "-", row.start_digest or "-")
            digests.setdefault(row.experiment, (row.experiment, *of_row))
    return list(digests.values())
