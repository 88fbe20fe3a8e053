"""Fit one law per framework and loop to the rows of `samestep scale`, and compare the laws."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.analysis import scaling, sweep_points
from harness.analysis.noise import disturbances
from harness.analysis.scaling import Comparison, Fit, Timing
from harness.experiment.vocabulary import Status
from harness.parity.judgement import PROVEN
from harness.parity.verdicts import CellKey
from harness.plan import Plan
from harness.report.text import count_text
from harness.results import Row
from harness.run import Run

ENOUGH_CALM = 2 / 3
"""A law is fitted to calm points alone where at least this share of them was calm."""


@dataclass(frozen=True)
class Failure:
    """A point that was not measured, and why."""

    point: str
    reason: str


@dataclass(frozen=True)
class FittedLoop:
    """One framework and loop over all points.

    Args:
        framework, loop: which.
        threads: of its trials; None where the sweep has only one number of threads.
        sign: its letter in the chart; "" where the chart leaves it out.
        timings: points that were measured.
        fit: the law, or None.
        problem: why there is no law; "" where there is one.
        failures: points that were not measured.
        verdict: of the proof at the centre.
        devices: what it ran on.
        disturbed: measured point to what disturbed the machine meanwhile.
    """

    framework: str
    loop: str
    threads: int | None
    sign: str
    timings: tuple[Timing, ...]
    fit: Fit | None
    problem: str
    failures: tuple[Failure, ...]
    verdict: str
    devices: tuple[str, ...]
    disturbed: dict[str, str]

    @property
    def name(self) -> str:
        """`keras`; `keras on 2 threads` where the sweep has several numbers of threads."""
        return _name(self.framework, self.threads)

    @property
    def label(self) -> str:
        """`keras fused`, or `keras fused on 2 threads`."""
        return _name(f"{self.framework} {self.loop}", self.threads)

    @property
    def proven(self) -> bool:
        return self.verdict in PROVEN


@dataclass(frozen=True)
class Sweep:
    """A whole sweep. Loops with a sign are each framework's fastest, and compared."""

    run: Run
    centre: str
    loops: tuple[FittedLoop, ...]
    comparisons: tuple[Comparison, ...]

    @property
    def charted(self) -> list[FittedLoop]:
        """The loops that the charts show."""
        return [loop for loop in self.loops if loop.sign and loop.timings]


def fit_sweep(run: Run) -> Sweep:
    """Fit every framework and loop, and compare the fastest proven loops.

    The plan's first experiment is the sweep's centre, the one that proofs are of.
    """
    centre = next(iter(run.plan.experiments))
    names = list(dict.fromkeys((trial.framework, trial.loop) for trial in run.plan.trials))
    fastest = dict(names)  # a framework's loops are named slowest first
    counts = run.plan.request.threads
    several = len(counts) > 1
    charted = [(name, threads if several else None) for threads in counts for name in fastest]
    signs = _signs([_name(*each) for each in charted])
    disturbed = disturbances(row for row in run.rows if row.status == Status.OK)
    loops = []
    for threads, (framework, loop) in itertools.product(counts, names):
        judgement = run.verdicts.get(CellKey(centre, framework, loop))
        verdict = judgement.verdict if judgement else "not proven"
        shown = threads if several else None
        sign = signs[_name(framework, shown)] if loop == fastest[framework] else ""
        key = (framework, loop, threads)
        rows = [row for row in run.rows if (row.framework, row.loop, row.threads) == key]
        loops.append(_fit_loop(run.plan, rows, disturbed, framework, loop, shown, sign, verdict))
    return Sweep(run, centre, tuple(loops), tuple(_comparisons(run.plan, loops)))


def _comparisons(plan: Plan, loops: Sequence[FittedLoop]) -> Iterator[Comparison]:
    """Compare the fastest proven loops with each other; never across numbers of threads."""
    widths = _widths(plan, loops)
    for threads in dict.fromkeys(loop.threads for loop in loops if widths):
        same = [loop for loop in loops if loop.threads == threads]
        fits = {loop.name: loop.fit for loop in same if loop.sign and loop.fit and loop.proven}
        yield from scaling.crossovers(fits, widths) if widths else ()


def _name(text: str, threads: int | None) -> str:
    return text if threads is None else f"{text} on {count_text(threads, 'thread')}"


def _fit_loop(
    plan: Plan,
    rows: Sequence[Row],
    disturbed: Mapping[str, str],
    framework: str,
    loop: str,
    threads: int | None,
    sign: str,
    verdict: str,
) -> FittedLoop:
    timings, failures = [], []
    for row in rows:
        if row.status == Status.OK and row.step_us:
            work = plan.experiments[row.experiment].step_flop
            timings.append(Timing(row.experiment, work, row.step_us))
        else:
            detail = f" ({row.status_detail})" if row.status_detail else ""
            failures.append(Failure(row.experiment, f"{row.status}{detail}"))
    noisy = {row.experiment for row in rows if row.trial in disturbed}
    law, problem = _law(timings, noisy)
    ended_well = [row for row in rows if row.status == Status.OK]
    return FittedLoop(
        framework=framework,
        loop=loop,
        threads=threads,
        sign=sign,
        timings=tuple(timings),
        fit=law,
        problem=problem,
        failures=tuple(failures),
        verdict=verdict,
        devices=tuple(dict.fromkeys(row.device for row in ended_well)),
        disturbed={r.experiment: disturbed[r.trial] for r in ended_well if r.trial in disturbed},
    )


def _law(timings: Sequence[Timing], noisy: set[str]) -> tuple[Fit | None, str]:
    """Return the law, or None and the reason; of calm points alone where enough were calm."""
    calm = [timing for timing in timings if timing.point not in noisy]
    try:
        return scaling.fit(calm if len(calm) >= ENOUGH_CALM * len(timings) else timings), ""
    except ValueError as error:
        return None, str(error)


def _widths(plan: Plan, loops: Sequence[FittedLoop]) -> tuple[int, int] | None:
    """Return the smallest and the largest width measured at the centre's batch and depth."""
    measured = {timing.point for loop in loops for timing in loop.timings}
    places = [sweep_points.place_of(plan.experiments[name]) for name in measured]
    widths = [width for width, *rest in places if tuple(rest) == sweep_points.CENTRE[1:]]
    return (min(widths), max(widths)) if widths else None


def _signs(frameworks: Sequence[str]) -> dict[str, str]:
    """Return a letter for each: of its name if one is free, or else of the alphabet."""
    signs: dict[str, str] = {}
    for name in frameworks:
        letters = [c for c in name.lower() if c.isalnum()] + list("abcdefghijklmnopqrstuvwxyz")
        signs[name] = next((c for c in letters if c not in signs.values()), "?")
    return signs
