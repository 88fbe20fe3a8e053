"""A run to the sections of its report: rows to lines, one per framework and loop."""

import dataclasses
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.intervals import Estimate, estimate
from harness.analysis.limits import (
    LimitFractions,
    Setting,
    fractions_of_limits,
    machine_limits_us,
)
from harness.analysis.noise import disturbances
from harness.experiment.vocabulary import Device, Loop, Status, Track
from harness.report.model import Line, Report, Section, measure_of, time_ratio
from harness.report.protocol_differences import likenesses
from harness.report.protocol_text import protocol_of
from harness.results import Row
from harness.run import Run
from harness.trainer import Array

LOOPS = tuple(Loop)
"""Slowest first. The last one that ran is the framework's best."""
PHASES = ("import_s", "build_s", "first_step_s", "train_s", "predict_s", "total_s", "target_s")
MOST_OUTPUTS = 8
"""More outputs than these are not shown as text."""


@dataclass(frozen=True)
class Facts:
    """A run, with what is derived from all its rows together."""

    run: Run
    disturbed: Mapping[str, str]
    limits_us: Mapping[Setting, float]


def make_report(run: Run) -> Report:
    return Report(run, make_sections(run))


def make_sections(run: Run) -> list[Section]:
    """Return a section per experiment, machine, number of threads and device, in the plan's order.

    Times of several machines say nothing about each other, so each has its own tables.
    """
    order = list(dict.fromkeys(trial.framework for trial in run.plan.trials))
    known = [row for row in run.rows if row.framework in order]
    ordered = sorted(known, key=lambda row: order.index(row.framework))
    machines = machines_of(run.rows)
    by_machine = {
        machine: [r for r in ordered if (r.machine or "") == machine] for machine in machines
    }
    limits_us = machine_limits_us([*run.rows, *run.limits])
    facts = {
        machine: Facts(run, disturbances(rows), limits_us) for machine, rows in by_machine.items()
    }
    counts = run.plan.request.threads
    likeness = likenesses(run.plan.experiments)
    return [
        Section(
            experiment,
            device,
            threads if len(counts) > 1 else None,
            run.plan.request.timed,
            measure_of(experiment),
            protocol_of(run.plan, name, threads),
            tuple(make_lines(rows, facts[machine])),
            _absent_classes(rows),
            machine if len(machines) > 1 else "",
            likeness.get(name),
        )
        for name, experiment in run.plan.experiments.items()
        for machine in machines
        for threads in counts
        for device, rows in _by_device(
            [r for r in by_machine[machine] if (r.experiment, r.threads) == (name, threads)],
        )
        if rows or len(machines) == 1
    ]


def machines_of(rows: Sequence[Row]) -> list[str]:
    """Return the machines of a run that have a row, each once; "" where there is no row."""
    return list(dict.fromkeys(row.machine or "" for row in rows)) or [""]


def _absent_classes(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Return what the rows say of classes that are in no row of a part: they all say the same."""
    said = next((row.absent_classes for row in rows if row.absent_classes), None)
    try:
        absent = json.loads(said) if said else {}
    except ValueError:
        return {}
    return absent if isinstance(absent, dict) else {}


def _by_device(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Device to its rows; ("", all rows) where no row has a result.

    A row without a result belongs to the device that was planned for it, or else to the first. So
    does a command of which nobody knows whether it took a GPU.
    """
    known = [r.device for r in rows if r.status == Status.OK and r.device != Device.AUTO]
    devices = list(dict.fromkeys(known)) or [""]
    of_device: dict[str, list[Row]] = {device: [] for device in devices}
    for row in rows:
        of_device[row.device if row.device in of_device else devices[0]].append(row)
    return list(of_device.items())


def make_lines(rows: Sequence[Row], facts: Facts) -> list[Line]:
    """Return the lines of the rows of one section, native solvers last."""
    groups: dict[tuple[Track, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.track, row.framework, row.loop), []).append(row)
    order = sorted(groups, key=lambda key: key[0] == Track.NATIVE)
    lines = [_line(groups[key], facts) for key in order]
    lines = [dataclasses.replace(line, best=line is _best(lines, line)) for line in lines]
    baseline = _baseline(lines)
    return [dataclasses.replace(line, ratio=_ratio(line, baseline)) for line in lines]


def _best(lines: Sequence[Line], line: Line) -> Line:
    """Return the most compiled loop that ran, of the line's framework and track."""
    if not line.identical:
        return line
    same = [other for other in lines if other.identical and other.framework == line.framework]
    return max(same, key=lambda other: (other.has_result, _compiled(other)))


def _compiled(line: Line) -> int:
    return LOOPS.index(line.loop) if line.loop in LOOPS else -1


def _baseline(lines: Sequence[Line]) -> Line | None:
    """Return NumPy's best loop, or else the first framework's."""
    ranked = [line for line in lines if line.ranked and line.best]
    numpy = [line for line in ranked if line.framework == "numpy"]
    return next(iter(numpy or ranked), None)


def _ratio(line: Line, baseline: Line | None) -> Estimate | None:
    if baseline is None or not line.ranked or line.name == baseline.name:
        return None
    return time_ratio(line, baseline)


def _line(rows: list[Row], facts: Facts) -> Line:
    ended_well = [row for row in rows if row.status == Status.OK]
    example = ended_well[0] if ended_well else rows[0]
    others = [row for row in rows if row.status != Status.OK]
    accuracies = _by_seed(ended_well, lambda row: row.test_accuracy)
    samples = {(row.seed, row.repeat): row.train_s for row in ended_well if row.train_s}
    quiet = [row for row in ended_well if row.trial not in facts.disturbed]
    timed = [row for row in quiet if row.train_s] or ended_well
    phases = {name: _undisturbed(ended_well, facts, name) for name in PHASES}
    return Line(
        framework=example.framework,
        version=example.framework_version,
        track=example.track,
        loop=example.loop,
        device=example.device,
        threads=example.threads,
        accuracy=statistics.fmean(accuracies) if accuracies else None,
        spread=statistics.stdev(accuracies) if len(accuracies) > 1 else None,
        loss=_median(_by_seed(ended_well, lambda row: row.test_loss)),
        outputs=_outputs(facts.run.arrays(example.trial)) if ended_well else None,
        train=estimate([row.train_s for row in timed if row.train_s]),
        step=estimate([row.step_us * 1e-6 for row in timed if row.step_us]),
        seeds=len({row.seed for row in ended_well}),
        samples=samples,
        disturbed={
            (row.seed, row.repeat): facts.disturbed[row.trial]
            for row in ended_well
            if row.trial in facts.disturbed
        },
        phases={name: value for name, value in phases.items() if value is not None},
        peak_rss_mb=max((row.peak_rss_mb for row in ended_well if row.peak_rss_mb), default=None),
        fractions=_fractions(ended_well, facts),
        products_s=_median([row.gemm_us * 1e-6 for row in quiet if row.gemm_us]),
        blas=example.blas,
        statuses=tuple(row.status for row in rows),
        detail=others[0].status_detail if others else example.status_detail,
        judgement=facts.run.judgement_of(example),
        recompile_s=_shown_by_most([row.recompile_s for row in ended_well]),
        command=example.command or "",
        stated_s=_median([row.stated_train_s for row in ended_well]),
        steps=_fewest_and_most([row.steps for row in ended_well]),
    )


def _undisturbed(rows: list[Row], facts: Facts, column: str) -> float | None:
    """Return a column's median over undisturbed rows, or over all where only others have it."""
    quiet = [getattr(row, column) for row in rows if row.trial not in facts.disturbed]
    middle = _median(quiet)
    return _median([getattr(row, column) for row in rows]) if middle is None else middle


def _fractions(rows: list[Row], facts: Facts) -> LimitFractions:
    """Return medians over undisturbed rows, or over all rows where none was undisturbed."""
    quiet = [row for row in rows if row.trial not in facts.disturbed]
    measured = [fractions_of_limits(row, facts.limits_us) for row in quiet or rows]
    of_machine, of_own = [f.of_machine for f in measured], [f.of_own for f in measured]
    return LimitFractions(_median(of_machine), _median(of_own))


def _by_seed(rows: list[Row], value: Callable[[Row], float | None]) -> list[float]:
    """Return one value per seed, since repeats of a seed compute the same."""
    by_seed = {row.seed: value(row) for row in rows}
    return [value for value in by_seed.values() if value is not None]


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _shown_by_most(values: Sequence[float | None]) -> float:
    """Return the median, without a value as 0; the lower one of two."""
    return statistics.median_low([value or 0.0 for value in values]) if values else 0.0


def _fewest_and_most(counts: Sequence[int | None]) -> tuple[int, int] | None:
    known = [count for count in counts if count is not None]
    return (min(known), max(known)) if known else None


def _outputs(arrays: Mapping[str, Array]) -> str | None:
    """Return the test outputs as text, where they are few enough to read."""
    outputs = arrays.get("test_outputs")
    if outputs is None or outputs.size > MOST_OUTPUTS:
        return None
    return "; ".join(
        "[" + ", ".join(f"{value:.8f}" for value in row) + "]" for row in outputs.tolist()
    )
