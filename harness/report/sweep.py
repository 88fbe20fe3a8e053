"""Rows of `samestep scale` to laws: one per framework and loop, and who is faster where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.analysis import scaling, sweep_points
from harness.analysis.noise import disturbances
from harness.analysis.scaling import Comparison, Fit, Timing
from harness.parity.judgement import PROVEN, Judgement
from harness.parity.verdicts import CellKey
from harness.plan import Plan
from harness.results import Row

ENOUGH_CALM = 2 / 3
"""A law is fitted to calm points alone where so large a share of them was calm."""


@dataclass(frozen=True)
class Cell:
    """One framework and loop over all points.

    Args:
        framework, loop: which.
        sign: its letter in the chart; "" where the chart leaves it out.
        timings: points that were measured.
        fit: the law, or None.
        problem: why there is no law; "" where there is one.
        failures: "point: status (detail)" of points that were not measured.
        verdict: of the proof at the centre.
        devices: what it ran on.
        disturbed: measured point to what disturbed the machine meanwhile.
    """

    framework: str
    loop: str
    sign: str
    timings: tuple[Timing, ...]
    fit: Fit | None
    problem: str
    failures: tuple[str, ...]
    verdict: str
    devices: tuple[str, ...]
    disturbed: dict[str, str]

    @property
    def label(self) -> str:
        """Such as `keras fused`."""
        return f"{self.framework} {self.loop}"


@dataclass(frozen=True)
class Sweep:
    """A whole sweep: cells with a sign are each framework's fastest loop, and compared."""

    plan: Plan
    centre: str
    cells: tuple[Cell, ...]
    comparisons: tuple[Comparison, ...]


def sweep(plan: Plan, rows: Sequence[Row], verdicts: Mapping[CellKey, Judgement]) -> Sweep:
    """Fit every framework and loop, and compare the fastest proven loops.

    The plan's first experiment is the sweep's centre, the one that proofs are of.
    """
    centre = next(iter(plan.experiments))
    names = list(dict.fromkeys((trial.framework, trial.loop) for trial in plan.trials))
    fastest = dict(names)  # a framework's loops are named slowest first
    signs = _signs(list(fastest))
    disturbed = disturbances(row for row in rows if row.status == "ok")
    cells = []
    for framework, loop in names:
        verdict = verdicts.get(CellKey(centre, framework, loop))
        sign = signs[framework] if loop == fastest[framework] else ""
        mine = [row for row in rows if (row.framework, row.loop) == (framework, loop)]
        cells.append(_cell(plan, sign, (framework, loop), mine, verdict, disturbed))
    fits = {c.framework: c.fit for c in cells if c.sign and c.fit and c.verdict in PROVEN}
    widths = _widths(plan, cells)
    comparisons = scaling.crossovers(fits, widths) if widths else []
    return Sweep(plan, centre, tuple(cells), tuple(comparisons))


def _cell(
    plan: Plan,
    sign: str,
    name: tuple[str, str],
    rows: Sequence[Row],
    verdict: Judgement | None,
    disturbed: Mapping[str, str],
) -> Cell:
    timings, failures = [], []
    for row in rows:
        if row.status == "ok" and row.step_us:
            work = plan.experiments[row.experiment].step_flop
            timings.append(Timing(row.experiment, work, row.step_us))
        else:
            detail = f" ({row.status_detail})" if row.status_detail else ""
            failures.append(f"{row.experiment}: {row.status}{detail}")
    law, problem = None, ""
    noisy = {row.experiment for row in rows if row.trial in disturbed}
    calm = [timing for timing in timings if timing.point not in noisy]
    try:
        law = scaling.fit(calm if len(calm) >= ENOUGH_CALM * len(timings) else timings)
    except ValueError as error:
        problem = str(error)
    good = [row for row in rows if row.status == "ok"]
    return Cell(
        framework=name[0],
        loop=name[1],
        sign=sign,
        timings=tuple(timings),
        fit=law,
        problem=problem,
        failures=tuple(failures),
        verdict=verdict.verdict if verdict else "not proven",
        devices=tuple(dict.fromkeys(row.device for row in good)),
        disturbed={r.experiment: disturbed[r.trial] for r in good if r.trial in disturbed},
    )


def _widths(plan: Plan, cells: Sequence[Cell]) -> tuple[int, int] | None:
    """The smallest and the largest width measured at the centre's batch and depth."""
    measured = {timing.point for cell in cells for timing in cell.timings}
    places = [sweep_points.place_of(plan.experiments[name]) for name in measured]
    widths = [width for width, *rest in places if tuple(rest) == sweep_points.CENTRE[1:]]
    return (min(widths), max(widths)) if widths else None


def _signs(frameworks: Sequence[str]) -> dict[str, str]:
    """A letter for each: of its name if one is free, else of the alphabet."""
    signs: dict[str, str] = {}
    for name in frameworks:
        letters = [c for c in name.lower() if c.isalnum()] + list("abcdefghijklmnopqrstuvwxyz")
        signs[name] = next((c for c in letters if c not in signs.values()), "?")
    return signs
