"""The table of a section as text, column by column; the same in terminal, Markdown and page."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar

from harness.experiment.vocabulary import Status
from harness.report.model import Line, Measure, Section
from harness.report.text import ratio_text, seconds, time_text

PHASES = {
    "import": "import_s",
    "build": "build_s",
    "first step": "first_step_s",
    "train": "train_s",
    "predict": "predict_s",
    "total": "total_s",
    "to target": "target_s",
}
"""Heading to column."""
PHASE_HEADINGS = ("framework", "loop", *PHASES, "peak memory")


class Bound(StrEnum):
    """What a ratio to the baseline is, where one of the two was always disturbed."""

    NONE = ""
    UPPER = "≤"
    LOWER = "≥"
    NEITHER = "noisy"


TIME_COLUMNS = slice(3, 9)
"""Places of the columns on time: from the first step to what programs state."""
LIMITS, STATED = 7, 8
"""Places of the shares of two limits, and of the times that programs of commands state: columns
that most tables would have only dashes in."""
Cell = TypeVar("Cell")


def shown(section: Section, columns: Sequence[Cell]) -> tuple[Cell, ...]:
    """Return the columns of a table; without those that hold nothing.

    Those on time hold nothing where no training was timed, two others where no line has any.
    """
    if not section.timed or section.experiment.training is None:
        return (*columns[: TIME_COLUMNS.start], *columns[TIME_COLUMNS.stop :])
    empty = set()
    if not any(line.stated_s is not None for line in section.lines):
        empty.add(STATED)
    if not any(line.fractions.of_own and line.fractions.of_machine for line in section.lines):
        empty.add(LIMITS)
    return tuple(column for place, column in enumerate(columns) if place not in empty)


def headings(section: Section) -> tuple[str, ...]:
    all_headings = (
        "framework",
        "loop",
        section.result_name,
        "first step",
        "train time",
        f"/ {baseline_name(section)}",
        "step time",
        "limits",
        "stated time",
        "status",
        "parity",
    )
    return shown(section, all_headings)


def cells(section: Section, line: Line) -> tuple[str, ...]:
    """Return the cells of a line, in the order of `headings`."""
    first_step_s = line.phases.get("first_step_s")
    all_cells = (
        line.framework,
        line.loop,
        result_text(section, line),
        "-" if first_step_s is None else seconds(first_step_s),
        at_most(line, time_text(line.train)),
        over_baseline(section, line),
        at_most(line, time_text(line.step)),
        _shares(line),
        "-" if line.stated_s is None else seconds(line.stated_s),
        _status_and_noise(line),
        line.judgement.verdict if line.identical else "native",
    )
    return shown(section, all_cells)


def phase_cells(line: Line) -> tuple[str, ...]:
    """Return median seconds of every phase, in the order of `PHASE_HEADINGS`."""
    times = [line.phases.get(column) for column in PHASES.values()]
    memory = "-" if line.peak_rss_mb is None else f"{line.peak_rss_mb:.0f} MiB"
    texts = ["-" if time_s is None else seconds(time_s) for time_s in times]
    return (line.framework, line.loop, *texts, memory)


def baseline_name(section: Section) -> str:
    return section.baseline.framework if section.baseline else "baseline"


def result_text(section: Section, line: Line) -> str:
    """Return the result of a line, at the precision it has."""
    if section.measure == Measure.OUTPUTS:
        return line.outputs or "-"
    if section.measure.is_loss:
        return "-" if line.loss is None else f"{line.loss:.6g}"
    if line.accuracy is None:
        return "-"
    spread = "" if line.spread is None else f" ± {line.spread:.4f}"
    return f"{line.accuracy:.4f}{spread}"


def status_text(line: Line) -> str:
    """`ok`, or `2 ok, 1 timeout` where trials ended differently."""
    names = sorted(dict.fromkeys(line.statuses), key=lambda status: status != Status.OK)
    if len(names) == 1:
        return str(names[0])
    return ", ".join(f"{line.statuses.count(name)} {name}" for name in names)


def _status_and_noise(line: Line) -> str:
    """`ok`, `ok, 1 of 3 noisy`; `ok, noisy` where every trial was disturbed."""
    if not line.disturbed:
        return status_text(line)
    some = len(line.disturbed) < line.ok_count
    noisy = f"{len(line.disturbed)} of {line.ok_count} noisy" if some else "noisy"
    return f"{status_text(line)}, {noisy}"


def at_most(line: Line, text: str) -> str:
    """Mark a time as an upper bound, where every trial of its line was disturbed: `≤ 46.9 ms`."""
    return f"≤ {text}" if line.is_bound and text not in ("", "-") else text


def over_baseline(section: Section, line: Line) -> str:
    """Return the time over the baseline's: `2.22 (2.10 to 2.35)`, or a bound such as `≤ 0.25`."""
    if line.ratio is None:
        alone = not any(other.ratio for other in section.lines)
        return "-" if alone or not line.ranked else "1"
    return as_bound(ratio_text(line.ratio), bound_of(section, line))


def bound_of(section: Section, line: Line) -> Bound:
    """Return what a line's ratio to the baseline is, as far as other processes disturbed them."""
    baseline_is_bound = section.baseline is not None and section.baseline.is_bound
    if line.is_bound:
        return Bound.NEITHER if baseline_is_bound else Bound.UPPER
    return Bound.LOWER if baseline_is_bound else Bound.NONE


def as_bound(text: str, bound: Bound) -> str:
    """`≤ 0.25`; `0.25, noisy` where both were always disturbed."""
    if bound == Bound.NEITHER:
        return f"{text}, {bound}"
    return f"{bound} {text}".strip()


def _shares(line: Line) -> str:
    """`59 %, 58 %`: of the framework's own matrix products, and of the machine's best."""
    own, machine = line.fractions.of_own, line.fractions.of_machine
    return "-" if own is None or machine is None else f"{own * 100:.0f} %, {machine * 100:.0f} %"
